/*
 * Host memory backends: memory-backend-ram, -file, -memfd.
 *
 * Each makes one RAM region from its properties when completed; a board or a memory device maps
 * it.  A backend serves one user at a time.
 */
#include "system/hostmem.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23      /* Linux 5.14 */
#endif

static const char *const policy_names[] = { "default", "preferred", "bind", "interleave", NULL };

typedef struct FileBackend {
    HostMemoryBackend parent;
    char *mem_path;
    uint64_t offset;
    bool discard_data;
} FileBackend;

typedef struct MemfdBackend {
    HostMemoryBackend parent;
    bool hugetlb, seal;
    uint64_t hugetlb_size;
} MemfdBackend;

OBJECT_DECLARE(FileBackend, FILE_BACKEND, memory_backend_file)
OBJECT_DECLARE(MemfdBackend, MEMFD_BACKEND, memory_backend_memfd)

/* --- what all kinds share --- */

/* "0-3" or "2" as text; a number or a list of numbers as values. */
static bool parse_nodes(const Value *v, uint64_t *mask, Error **errp)
{
    uint64_t first, last;
    char *end;

    if (value_type(v) == VALUE_LIST) {
        *mask = 0;
        for (size_t i = 0; i < value_list_len(v); i++) {
            uint64_t one;

            if (!parse_nodes(value_list_at(v, i), &one, errp)) {
                return false;
            }
            *mask |= one;
        }
        return true;
    }
    if (value_get_uint(v, &first)) {
        last = first;
    } else if (value_type(v) == VALUE_STRING) {
        const char *text = value_get_string(v);

        first = last = g_ascii_strtoull(text, &end, 10);
        if (end != text && *end == '-') {
            text = end + 1;
            last = g_ascii_strtoull(text, &end, 10);
        }
        if (end == text || *end) {
            first = UINT64_MAX;
        }
    } else {
        first = last = UINT64_MAX;
    }
    if (first > last || last > 63) {
        error_setg(errp, "must be host NUMA nodes between 0 and 63, as N, N-M or a list");
        return false;
    }
    *mask = (~0ULL >> (63 - last)) & (~0ULL << first);
    return true;
}

static bool set_host_nodes(Object *obj, const Property *p, const Value *v, Error **errp)
{
    return parse_nodes(v, &HOST_MEMORY_BACKEND(obj)->host_nodes, errp);
}

static Value *get_host_nodes(Object *obj, const Property *p)
{
    uint64_t mask = HOST_MEMORY_BACKEND(obj)->host_nodes;
    Value *list = value_list();

    for (unsigned node = 0; node < 64; node++) {
        if (mask >> node & 1) {
            value_list_append(list, value_uint(node));
        }
    }
    return list;
}

static const Property backend_properties[] = {
    PROP_SIZE("size", HostMemoryBackend, size, 0, .unit = "bytes", .help = "how much memory"),
    PROP_BOOL("share", HostMemoryBackend, share, false, .help = "map shared, so that others see writes"),
    PROP_BOOL("prealloc", HostMemoryBackend, prealloc, false, .help = "touch all memory at start"),
    PROP_BOOL("reserve", HostMemoryBackend, reserve, true, .help = "reserve swap or huge pages if the host does so"),
    PROP_BOOL("merge", HostMemoryBackend, merge, true, .help = "let the host merge equal pages (KSM)"),
    PROP_BOOL("dump", HostMemoryBackend, dump, true, .help = "include in core dumps of the emulator"),
    PROP_ENUM("policy", HostMemoryBackend, policy, policy_names, 0, .shown = "HostMemPolicy", .help = "NUMA policy on the host"),
    PROP_CUSTOM(any, "host-nodes", get_host_nodes, set_host_nodes, .shown = "int", .help = "NUMA nodes of the host for the policy"),
    PROP_BOOL("x-use-canonical-path-for-ramblock-id", HostMemoryBackend, canonical_path, true,
              .help = "name the RAM block by the object's path, not its id"),
};

static bool backend_apply_policy(HostMemoryBackend *b, Error **errp)
{
    static const int modes[] = { MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE };
    unsigned long mask = b->host_nodes;

    if (!mask && b->policy) {
        error_setg(errp, "policy '%s' needs host-nodes", policy_names[b->policy]);
        return false;
    }
    if (mask && !b->policy) {
        error_setg(errp, "host-nodes needs a policy other than default");
        return false;
    }
    if (!b->policy) {
        return true;
    }
    if (syscall(SYS_mbind, b->mr.ram->host, b->mr.ram->max_length, modes[b->policy], &mask, 65, MPOL_MF_STRICT | MPOL_MF_MOVE)) {
        error_setg_errno(errp, errno, "cannot bind memory to host nodes 0x%lx", mask);
        return false;
    }
    return true;
}

static unsigned backend_ram_flags(const HostMemoryBackend *b)
{
    return (b->share ? RAM_SHARED : 0) | (b->reserve ? 0 : RAM_NORESERVE);
}

static char *backend_region_name(HostMemoryBackend *b)
{
    return b->canonical_path ? object_path(b) : g_strdup(b->obj.name);
}

/* Options that need the mapping; undoes the region on failure. */
static bool backend_finish(HostMemoryBackend *b, Error **errp)
{
    RamBlock *rb = b->mr.ram;

    b->ready = true;
    if (!backend_apply_policy(b, errp)) {
        return false;
    }
    if (b->prealloc && madvise(rb->host, rb->max_length, MADV_POPULATE_WRITE)) {
        error_setg_errno(errp, errno, "cannot preallocate %" PRIu64 " bytes", b->size);
        return false;
    }
    if (b->merge) {
        madvise(rb->host, rb->max_length, MADV_MERGEABLE);  /* hosts without KSM are fine */
    }
    if (!b->dump) {
        madvise(rb->host, rb->max_length, MADV_DONTDUMP);
    }
    return true;
}

static bool backend_complete(Object *obj, Error **errp)
{
    HostMemoryBackend *b = HOST_MEMORY_BACKEND(obj);

    if (!b->size) {
        error_setg(errp, "%s needs a size greater than 0", obj->type->name);
        return false;
    }
    if (b->prealloc && !b->reserve) {
        error_setg(errp, "prealloc=on and reserve=off exclude each other");
        return false;
    }
    return true;
}

static void backend_fini(Object *obj)
{
    HostMemoryBackend *b = HOST_MEMORY_BACKEND(obj);

    if (b->ready) {
        memory_region_fini(&b->mr);
    }
}

TYPE_DEFINE_ABSTRACT(HostMemoryBackend, host_memory_backend, "memory-backend", object,
    .complete = backend_complete,
    .fini = backend_fini,
    .properties = PROPS(backend_properties),
)

MemoryRegion *host_memory_backend_take(HostMemoryBackend *b, Error **errp)
{
    if (b->in_use) {
        g_autofree char *path = object_path(b);

        error_setg(errp, "memory backend '%s' is in use by another device", path);
        return NULL;
    }
    b->in_use = true;
    return &b->mr;
}

void host_memory_backend_release(HostMemoryBackend *b)
{
    b->in_use = false;
}

/* --- memory-backend-ram --- */

static bool ram_complete(Object *obj, Error **errp)
{
    HostMemoryBackend *b = HOST_MEMORY_BACKEND(obj);
    g_autofree char *name = backend_region_name(b);

    return memory_region_init_ram_flags(&b->mr, b, name, b->size, backend_ram_flags(b), errp)
        && backend_finish(b, errp);
}

TYPE_DEFINE(HostMemoryBackend, memory_backend_ram, "memory-backend-ram", host_memory_backend,
    .desc = "anonymous memory",
    .complete = ram_complete,
    .user_creatable = true,
)

/* --- memory-backend-file --- */

static const Property file_properties[] = {
    PROP_STRING("mem-path", FileBackend, mem_path, .help = "file, or directory to make an unnamed file in"),
    PROP_SIZE("offset", FileBackend, offset, 0, .unit = "bytes", .help = "where in the file the memory starts"),
    PROP_BOOL("discard-data", FileBackend, discard_data, false, .help = "drop the file's content at the end"),
};

/* An open file of at least offset + size bytes, grown if it is empty or new; -1 and errp. */
static int file_open(const FileBackend *f, Error **errp)
{
    const HostMemoryBackend *b = &f->parent;
    uint64_t need = f->offset + b->size;
    struct stat st;
    bool dir = !stat(f->mem_path, &st) && S_ISDIR(st.st_mode);
    int fd = open(f->mem_path, O_RDWR | O_CLOEXEC | (dir ? O_TMPFILE : O_CREAT), 0644);

    if (fd < 0 || fstat(fd, &st)) {
        error_setg_errno(errp, errno, "cannot open backing store '%s' for guest memory", f->mem_path);
        return -1;
    }
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < need) {
        if (st.st_size) {
            error_setg(errp, "backing store '%s' has %" PRIu64 " bytes, the backend needs %" PRIu64, f->mem_path,
                       (uint64_t)st.st_size, need);
        } else if (ftruncate(fd, need)) {
            error_setg_errno(errp, errno, "cannot grow backing store '%s' to %" PRIu64 " bytes", f->mem_path, need);
        } else {
            return fd;
        }
        close(fd);
        return -1;
    }
    return fd;
}

static bool file_complete(Object *obj, Error **errp)
{
    FileBackend *f = FILE_BACKEND(obj);
    HostMemoryBackend *b = &f->parent;
    g_autofree char *name = backend_region_name(b);
    int fd;

    if (!f->mem_path) {
        error_setg(errp, "memory-backend-file needs property 'mem-path'");
        return false;
    }
    if (f->offset & 4095 || f->offset > INT64_MAX - b->size) {
        error_setg(errp, "offset must be a multiple of 4096 within the file, got %" PRIu64, f->offset);
        return false;
    }
    fd = file_open(f, errp);
    return fd >= 0
        && memory_region_init_ram_from_fd(&b->mr, b, name, b->size, backend_ram_flags(b), fd, f->offset, errp)
        && backend_finish(b, errp);
}

static void file_fini(Object *obj)
{
    FileBackend *f = FILE_BACKEND(obj);
    HostMemoryBackend *b = &f->parent;

    if (b->ready && f->discard_data) {
        madvise(b->mr.ram->host, b->size, MADV_REMOVE);
    }
}

TYPE_DEFINE(FileBackend, memory_backend_file, "memory-backend-file", host_memory_backend,
    .desc = "memory in a file",
    .complete = file_complete,
    .fini = file_fini,
    .properties = PROPS(file_properties),
    .user_creatable = true,
)

/* --- memory-backend-memfd --- */

static const Property memfd_properties[] = {
    PROP_BOOL("hugetlb", MemfdBackend, hugetlb, false, .help = "use huge pages"),
    PROP_SIZE("hugetlbsize", MemfdBackend, hugetlb_size, 0, .unit = "bytes", .help = "huge page size; 0 = the host's default"),
    PROP_BOOL("seal", MemfdBackend, seal, true, .help = "seal the file against shrinking and growing"),
};

static bool memfd_complete(Object *obj, Error **errp)
{
    MemfdBackend *m = MEMFD_BACKEND(obj);
    HostMemoryBackend *b = &m->parent;
    g_autofree char *name = backend_region_name(b);
    unsigned flags = MFD_CLOEXEC | (m->seal ? MFD_ALLOW_SEALING : 0) | (m->hugetlb ? MFD_HUGETLB : 0);
    int fd;

    if (m->hugetlb_size && (!m->hugetlb || !is_power_of_2(m->hugetlb_size))) {
        error_setg(errp, "hugetlbsize must be a power of two and needs hugetlb=on, got %" PRIu64, m->hugetlb_size);
        return false;
    }
    if (m->hugetlb_size) {
        flags |= (unsigned)__builtin_ctzll(m->hugetlb_size) << 26 /* MFD_HUGE_SHIFT */;
    }
    fd = memfd_create(b->obj.name, flags);
    if (fd < 0) {
        error_setg_errno(errp, errno, "cannot create a memfd of %" PRIu64 " bytes", b->size);
        return false;
    }
    if (ftruncate(fd, b->size)
        || (m->seal && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))) {
        error_setg_errno(errp, errno, "cannot size a memfd to %" PRIu64 " bytes", b->size);
        close(fd);
        return false;
    }
    return memory_region_init_ram_from_fd(&b->mr, b, name, b->size, backend_ram_flags(b), fd, 0, errp)
        && backend_finish(b, errp);
}

static void memfd_init(Object *obj)
{
    HOST_MEMORY_BACKEND(obj)->share = true;     /* as QEMU's */
}

TYPE_DEFINE(MemfdBackend, memory_backend_memfd, "memory-backend-memfd", host_memory_backend,
    .desc = "memory in an anonymous file",
    .init = memfd_init,
    .complete = memfd_complete,
    .properties = PROPS(memfd_properties),
    .user_creatable = true,
)
