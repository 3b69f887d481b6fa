/*
 * Host memory backends: where guest RAM comes from.
 */
#ifndef SYSTEM_HOSTMEM_H
#define SYSTEM_HOSTMEM_H

#include "system/memory.h"

typedef struct HostMemoryBackend {
    Object obj;

    /* properties; constant once completed */
    uint64_t size;
    uint64_t host_nodes;        /* bit per node */
    int policy;
    bool share, prealloc, reserve, merge, dump, canonical_path;

    bool ready;                 /* @mr exists */
    bool in_use;
    MemoryRegion mr;
} HostMemoryBackend;

extern const TypeInfo host_memory_backend_type;     /* "memory-backend", abstract */
extern const TypeInfo memory_backend_ram_type;
static inline HostMemoryBackend *HOST_MEMORY_BACKEND(const void *obj)
{
    return (HostMemoryBackend *)object_check_cast(obj, &host_memory_backend_type);
}

/* The region, for one user at a time; NULL and @errp if it is taken.  Borrowed: @b must outlive the use. */
MemoryRegion *host_memory_backend_take(HostMemoryBackend *b, Error **errp);
void host_memory_backend_release(HostMemoryBackend *b);

#endif
