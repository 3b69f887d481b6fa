/* Between the kinds of memory backends. */
#ifndef SYSTEM_HOSTMEM_INTERNAL_H
#define SYSTEM_HOSTMEM_INTERNAL_H

#include "system/hostmem.h"

/* For memory_region_init_ram_*(). */
unsigned host_memory_backend_ram_flags(const HostMemoryBackend *b);
char *host_memory_backend_region_name(HostMemoryBackend *b);
/* The region exists: do what needs the mapping.  After that properties are frozen. */
bool host_memory_backend_finish(HostMemoryBackend *b, Error **errp) MUST_USE;

#endif
