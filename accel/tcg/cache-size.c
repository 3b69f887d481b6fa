/*
 * How large the code cache may be by default: a small part of the memory that this process may
 * really use, which in a container is the control group's limit and not the host's RAM.
 */
#include "accel/tcg/internal.h"

#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_PART    32              /* 1/32 of the memory */
#define DEFAULT_MAX     (128 * MiB)

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
    return end == text ? UINT64_MAX : v;
}

/* The smallest limit of the group @path (relative to @mount) and those above it. */
static uint64_t group_limit(const char *mount, const char *path, const char *file)
{
    g_autofree char *dir = g_strdup(path);
    uint64_t limit = UINT64_MAX;

    for (;;) {
        g_autofree char *name = g_strdup_printf("%s%s/%s", mount, dir, file);
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
static uint64_t cgroup_limit(void)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    uint64_t limit = UINT64_MAX;

    if (!g_file_get_contents("/proc/self/cgroup", &text, NULL, NULL)) {
        return UINT64_MAX;
    }
    lines = g_strsplit(text, "\n", -1);
    for (char **l = lines; *l; l++) {
        g_auto(GStrv) f = g_strsplit(*l, ":", 3);

        if (g_strv_length(f) != 3) {
            continue;
        }
        if (!*f[1]) {
            limit = MIN(limit, group_limit("/sys/fs/cgroup", f[2], "memory.max"));
        } else if (strstr(f[1], "memory")) {
            limit = MIN(limit, group_limit("/sys/fs/cgroup/memory", f[2], "memory.limit_in_bytes"));
        }
    }
    return limit;
}

size_t tcg_default_cache_size(void)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct rlimit rl;

    memory = MIN(memory, cgroup_limit());
    if (getrlimit(RLIMIT_AS, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY) {
        memory = MIN(memory, (uint64_t)rl.rlim_cur);
    }
    return ROUND_DOWN(MIN(memory / DEFAULT_PART, DEFAULT_MAX), 64 * KiB);
}
