/*
 * Deferred calls on top of liburcu.
 */
#include "util/rcu.h"
#include "util/base.h"

typedef struct RcuCall {
    struct rcu_head head;
    void (*fn)(void *opaque);
    void *opaque;
} RcuCall;

static void rcu_call_run(struct rcu_head *head)
{
    RcuCall *call = container_of(head, RcuCall, head);

    call->fn(call->opaque);
    g_free(call);
}

void rcu_call_later(void (*fn)(void *opaque), void *opaque)
{
    RcuCall *call = g_new(RcuCall, 1);

    call->fn = fn;
    call->opaque = opaque;
    call_rcu(&call->head, rcu_call_run);
}
