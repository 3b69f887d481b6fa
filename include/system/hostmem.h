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
    int policy;                 /* MemoryPolicy */
    uint32_t prealloc_threads;
    Object *prealloc_context;   /* counted; ThreadContext, NULL = none */
    bool share, prealloc, reserve, merge, dump, canonical_path;

    bool ready;                 /* @mr exists */
    bool in_use;
    MemoryRegion mr;
} HostMemoryBackend;

/* Host NUMA policies, in the order of their names' QMP enumeration. */
typedef enum MemoryPolicy { MEMORY_POLICY_DEFAULT, MEMORY_POLICY_PREFERRED, MEMORY_POLICY_BIND, MEMORY_POLICY_INTERLEAVE } MemoryPolicy;

extern const TypeInfo host_memory_backend_type;     /* "memory-backend", abstract */
extern const TypeInfo memory_backend_ram_type;
static inline HostMemoryBackend *HOST_MEMORY_BACKEND(const void *obj)
{
    return (HostMemoryBackend *)object_check_cast(obj, &host_memory_backend_type);
}

/* The region, for one user at a time; NULL and @errp if it is taken.  Borrowed: @b must outlive the use. */
MemoryRegion *host_memory_backend_take(HostMemoryBackend *b, Error **errp);
/* The same, by one who says with ram_block_set_bound() how much of it may be in use. */
MemoryRegion *host_memory_backend_take_unbound(HostMemoryBackend *b, Error **errp);
void host_memory_backend_release(HostMemoryBackend *b);
/* Bytes of a page of the host's mapping: what can be given back at the least. */
uint64_t host_memory_backend_page_size(const HostMemoryBackend *b);

/*
 * Make every page of [@host, +@len) present and writable, with up to @threads threads (0 = 1).  On failure some
 * pages may be present.
 */
bool memory_prealloc(void *host, uint64_t len, uint64_t page_size, unsigned threads, Error **errp) MUST_USE;

#endif
