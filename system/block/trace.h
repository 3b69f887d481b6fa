/* Trace events of the block layer. */
#include "util/trace.h"

TRACE_EVENT(blk_co_preadv, (const void *blk, const char *node, uint64_t offset, uint64_t bytes),
            "blk %p node '%s' offset %" PRIu64 " bytes %" PRIu64, blk, node, offset, bytes)
TRACE_EVENT(blk_co_pwritev, (const void *blk, const char *node, uint64_t offset, uint64_t bytes),
            "blk %p node '%s' offset %" PRIu64 " bytes %" PRIu64, blk, node, offset, bytes)
TRACE_EVENT(blk_co_flush, (const void *blk, const char *node), "blk %p node '%s'", blk, node)
TRACE_EVENT(blk_co_pdiscard, (const void *blk, const char *node, uint64_t offset, uint64_t bytes),
            "blk %p node '%s' offset %" PRIu64 " bytes %" PRIu64, blk, node, offset, bytes)
TRACE_EVENT(blk_request_complete, (const void *blk, int ret), "blk %p ret %d", blk, ret)
