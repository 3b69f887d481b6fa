/*
 * Mutexes that count who waits for them.
 */
#include "util/lock-stats.h"

#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* One writer, any readers. */
static void add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

void mutex_lock_counted(GMutex *m, LockStats *s)
{
    uint64_t start;

    if (unlikely(!g_mutex_trylock(m))) {
        start = now_ns();
        g_mutex_lock(m);
        add(&s->waited, 1);
        add(&s->wait_ns, now_ns() - start);
    }
    add(&s->taken, 1);
}
