/*
 * Counting how often a mutex has to be waited for, and for how long: what it costs while nobody waits is one addition.
 */
#ifndef UTIL_LOCK_STATS_H
#define UTIL_LOCK_STATS_H

#include "util/base.h"

typedef struct LockStats {
    uint64_t taken;
    uint64_t waited;            /* of these, how often somebody else had it */
    uint64_t wait_ns;           /* nanoseconds until it was had then, summed up */
} LockStats;

/* Lock @m, and say in @s how that went.  @s is written with @m held, or belongs to the calling thread. */
void mutex_lock_counted(GMutex *m, LockStats *s);

#endif
