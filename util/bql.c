/*
 * The big lock.  First in the lock order.
 */
#include "util/main-loop.h"

static GMutex bql;
static __thread bool bql_mine;
static __thread LockStats *waits;       /* of this thread; NULL: not counted */

void bql_lock(void)
{
    assert(!bql_mine);
    if (waits) {
        mutex_lock_counted(&bql, waits);
    } else {
        g_mutex_lock(&bql);
    }
    bql_mine = true;
}

void bql_unlock(void)
{
    assert(bql_mine);
    bql_mine = false;
    g_mutex_unlock(&bql);
}

void bql_count_waits(LockStats *s)
{
    waits = s;
}

bool bql_locked(void)
{
    return bql_mine;
}

void bql_cond_wait(GCond *cond)
{
    assert(bql_mine);
    bql_mine = false;
    g_cond_wait(cond, &bql);
    bql_mine = true;
}
