/*
 * How large the code cache may be by default: a small part of the memory that this process may
 * really use, which in a container is the control group's limit and not the host's RAM.
 */
#include "accel/tcg/internal.h"
#include "util/account.h"

#define DEFAULT_PART    32              /* 1/32 of the memory */
#define DEFAULT_MAX     (128 * MiB)

size_t tcg_default_cache_size(void)
{
    return ROUND_DOWN(MIN(memory_process_limit() / DEFAULT_PART, DEFAULT_MAX), 64 * KiB);
}
