/*
 * The big lock.  First in the lock order.
 */
#include "util/main-loop.h"

static GMutex bql;
static __thread bool bql_mine;

void bql_lock(void)
{
    assert(!bql_mine);
    g_mutex_lock(&bql);
    bql_mine = true;
}

void bql_unlock(void)
{
    assert(bql_mine);
    bql_mine = false;
    g_mutex_unlock(&bql);
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
