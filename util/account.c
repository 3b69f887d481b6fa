/*
 * Memory accounts, and the limits of a process.
 */
#include "util/account.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static GPtrArray *accounts;     /* of MemoryAccount *; BQL */
static MemoryAllowFn *allow_hook;

void memory_set_allow_hook(MemoryAllowFn *fn)
{
    allow_hook = fn;
}

bool memory_allow(const char *name, uint64_t more, Error **errp)
{
    return !allow_hook || allow_hook(name, more, errp);
}

void memory_account_add(MemoryAccount *a)
{
    if (!accounts) {
        accounts = g_ptr_array_new();
    }
    g_ptr_array_add(accounts, a);
}

void memory_account_remove(MemoryAccount *a)
{
    g_ptr_array_remove(accounts, a);
}

MemoryAccount *memory_account_at(unsigned i)
{
    return accounts && i < accounts->len ? g_ptr_array_index(accounts, i) : NULL;
}

/* --- pages by name --- */

typedef struct Pages {
    const char *name;
    void *start;
    size_t len;
} Pages;

typedef struct PagesAccount {
    MemoryAccount account;
    unsigned n;                 /* Pages in it */
} PagesAccount;

static GArray *all_pages;       /* of Pages; BQL */

static uint64_t sum_of_pages(const char *name, bool present)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < all_pages->len; i++) {
        const Pages *p = &g_array_index(all_pages, Pages, i);

        if (!strcmp(p->name, name)) {
            sum += present ? memory_resident(p->start, p->len) : p->len;
        }
    }
    return sum;
}

static uint64_t pages_bound(void *opaque)
{
    return sum_of_pages(((PagesAccount *)opaque)->account.name, false);
}

static uint64_t pages_present(void *opaque)
{
    return sum_of_pages(((PagesAccount *)opaque)->account.name, true);
}

static PagesAccount *find_pages_account(const char *name)
{
    MemoryAccount *a;

    for (unsigned i = 0; (a = memory_account_at(i)) != NULL; i++) {
        if (a->bound == pages_bound && !strcmp(a->name, name)) {
            return a->opaque;
        }
    }
    return NULL;
}

static void count_pages(const Pages *p)
{
    PagesAccount *a = find_pages_account(p->name);

    if (!a) {
        a = g_new0(PagesAccount, 1);
        a->account = (MemoryAccount){ p->name, pages_bound, pages_present, a };
        memory_account_add(&a->account);
    }
    a->n++;
    all_pages = all_pages ? all_pages : g_array_new(false, false, sizeof(Pages));
    g_array_append_val(all_pages, *p);
}

/* @fd -1: private. */
static void *map_pages(const char *name, size_t len, int fd, Error **errp)
{
    Pages p = { name, NULL, len };

    p.start = mmap(NULL, len, PROT_READ | PROT_WRITE, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED, fd, 0);
    if (p.start == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot have %zu bytes of memory for '%s'", len, name);
        return NULL;
    }
    count_pages(&p);
    return p.start;
}

static size_t whole_pages(size_t len)
{
    return ROUND_UP(MAX(len, 1), (size_t)getpagesize());
}

void *memory_account_alloc(const char *name, size_t len, Error **errp)
{
    return memory_allow(name, whole_pages(len), errp) ? map_pages(name, whole_pages(len), -1, errp) : NULL;
}

void *memory_account_alloc_shared(const char *name, size_t len, int *fd, Error **errp)
{
    size_t size = whole_pages(len);
    void *start;

    if (!memory_allow(name, size, errp)) {
        return NULL;
    }
    *fd = memfd_create(name, MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, (off_t)size)) {
        error_setg_errno(errp, errno, "cannot have %zu bytes of shared memory for '%s'", len, name);
        start = NULL;
    } else {
        start = map_pages(name, size, *fd, errp);
    }
    if (!start && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return start;
}

void memory_account_free(void *start)
{
    for (unsigned i = 0; start && i < all_pages->len; i++) {
        Pages p = g_array_index(all_pages, Pages, i);
        PagesAccount *a = find_pages_account(p.name);

        if (p.start == start) {
            munmap(p.start, p.len);
            g_array_remove_index_fast(all_pages, i);
            if (!--a->n) {
                memory_account_remove(&a->account);
                g_free(a);
            }
            return;
        }
    }
}

uint64_t memory_resident(const void *start, size_t len)
{
    size_t page = (size_t)getpagesize(), n = 0;
    const uint8_t *at = (const uint8_t *)ROUND_DOWN((uintptr_t)start, page), *end = (const uint8_t *)start + len;
    unsigned char vec[4096];

    while (at < end) {
        size_t pages = MIN(sizeof(vec), DIV_ROUND_UP((size_t)(end - at), page));

        if (mincore((void *)at, pages * page, vec)) {
            break;
        }
        for (size_t i = 0; i < pages; i++) {
            n += vec[i] & 1;
        }
        at += pages * page;
    }
    return (uint64_t)n * page;
}

/* --- limits --- */

/* The number in a one-line file; UINT64_MAX if there is none ("max", no file). */
static uint64_t read_limit(const char *path)
{
    g_autofree char *text = NULL;
    char *end;
    uint64_t v;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return UINT64_MAX;
    }
    v = g_ascii_strtoull(text, &end, 10);
    return end == text || v >= 1ULL << 62 ? UINT64_MAX : v;     /* v1 says "none" by a very large number */
}

/* The smallest limit of the group @path (relative to @mount) and those above it. */
static uint64_t group_limit(const char *root, const char *mount, const char *path, const char *file)
{
    g_autofree char *dir = g_strdup(path);
    uint64_t limit = UINT64_MAX;

    for (;;) {
        g_autofree char *name = g_strdup_printf("%s%s%s/%s", root, mount, dir, file);
        char *slash;

        limit = MIN(limit, read_limit(name));
        slash = strrchr(dir, '/');
        if (!slash || !*dir) {
            return limit;
        }
        *slash = '\0';
    }
}

/* Lines of /proc/self/cgroup: "0::/path" (v2) or "N:memory,...:/path" (v1). */
uint64_t memory_cgroup_limit_in(const char *root)
{
    g_autofree char *file = g_strconcat(root, "/proc/self/cgroup", NULL), *text = NULL;
    g_auto(GStrv) lines = NULL;
    uint64_t limit = UINT64_MAX;

    if (!g_file_get_contents(file, &text, NULL, NULL)) {
        return UINT64_MAX;
    }
    lines = g_strsplit(text, "\n", -1);
    for (char **l = lines; *l; l++) {
        g_auto(GStrv) f = g_strsplit(*l, ":", 3);

        if (g_strv_length(f) != 3) {
            continue;
        }
        if (!*f[1]) {
            limit = MIN(limit, group_limit(root, "/sys/fs/cgroup", f[2], "memory.max"));
        } else if (strstr(f[1], "memory")) {
            limit = MIN(limit, group_limit(root, "/sys/fs/cgroup/memory", f[2], "memory.limit_in_bytes"));
        }
    }
    return limit;
}

uint64_t memory_cgroup_current_in(const char *root)
{
    g_autofree char *file = g_strconcat(root, "/proc/self/cgroup", NULL), *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(file, &text, NULL, NULL)) {
        return UINT64_MAX;
    }
    lines = g_strsplit(text, "\n", -1);
    for (char **l = lines; *l; l++) {
        g_auto(GStrv) f = g_strsplit(*l, ":", 3);
        g_autofree char *name = NULL;

        if (g_strv_length(f) != 3 || (*f[1] && !strstr(f[1], "memory"))) {
            continue;
        }
        name = *f[1] ? g_strdup_printf("%s/sys/fs/cgroup/memory%s/memory.usage_in_bytes", root, f[2])
                     : g_strdup_printf("%s/sys/fs/cgroup%s/memory.current", root, f[2]);
        return read_limit(name);
    }
    return UINT64_MAX;
}

uint64_t memory_cgroup_limit(void)
{
    return memory_cgroup_limit_in("");
}

uint64_t memory_cgroup_current(void)
{
    return memory_cgroup_current_in("");
}

uint64_t memory_process_limit(void)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct rlimit rl;

    memory = MIN(memory, memory_cgroup_limit());
    if (getrlimit(RLIMIT_AS, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY) {
        memory = MIN(memory, (uint64_t)rl.rlim_cur);
    }
    return memory;
}
