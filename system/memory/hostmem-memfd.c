/*
 * memory-backend-memfd: guest memory in an anonymous file, which can be handed to other processes.
 */
#include "hostmem-internal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct MemfdBackend {
    HostMemoryBackend parent;
    bool hugetlb, seal;
    uint64_t hugetlb_size;
} MemfdBackend;

OBJECT_DECLARE(MemfdBackend, MEMFD_BACKEND, memory_backend_memfd)

static const Property memfd_properties[] = {
    PROP_BOOL("hugetlb", MemfdBackend, hugetlb, false, .help = "use huge pages"),
    PROP_SIZE("hugetlbsize", MemfdBackend, hugetlb_size, 0, .unit = "bytes", .help = "huge page size; 0 = the host's default"),
    PROP_BOOL("seal", MemfdBackend, seal, true, .help = "seal the file against shrinking and growing"),
};

static bool memfd_complete(Object *obj, Error **errp)
{
    MemfdBackend *m = MEMFD_BACKEND(obj);
    HostMemoryBackend *b = &m->parent;
    g_autofree char *name = host_memory_backend_region_name(b);
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
    if (m->hugetlb_size && b->size & (m->hugetlb_size - 1)) {
        error_setg(errp, "size must be a multiple of the huge page size %" PRIu64 ", got %" PRIu64, m->hugetlb_size, b->size);
        close(fd);
        return false;
    }
    if (ftruncate(fd, b->size)
        || (m->seal && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))) {
        error_setg_errno(errp, errno, "cannot size a memfd to %" PRIu64 " bytes", b->size);
        close(fd);
        return false;
    }
    return memory_region_init_ram_from_fd(&b->mr, b, name, b->size, host_memory_backend_ram_flags(b), fd, 0, 0, errp)
        && host_memory_backend_finish(b, errp);
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
