/* Trace events of the memory API. */
#include "util/trace.h"

TRACE_EVENT(memory_region_ops_read, (const void *mr, uint64_t addr, uint64_t value, unsigned size, const char *name),
            "mr %p addr 0x%" PRIx64 " value 0x%" PRIx64 " size %u name '%s'", mr, addr, value, size, name)
TRACE_EVENT(memory_region_ops_write, (const void *mr, uint64_t addr, uint64_t value, unsigned size, const char *name),
            "mr %p addr 0x%" PRIx64 " value 0x%" PRIx64 " size %u name '%s'", mr, addr, value, size, name)
TRACE_EVENT(flatview_new, (const void *view, const void *root), "%p (root %p)", view, root)
TRACE_EVENT(flatview_destroy, (const void *view), "%p", view)
