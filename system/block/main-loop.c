/*
 * "main-loop": what users may say of requests that complete on the main loop; of an iothread's that object says it.
 */
#include "block-internal.h"
#include "util/thread-pool.h"

#define THREADS_MAX 1024

typedef struct MainLoop {
    Object obj;
    int64_t aio_max_batch, pool_min, pool_max;
    bool complete;
} MainLoop;

OBJECT_DECLARE(MainLoop, MAIN_LOOP, main_loop)

static bool exists;                     /* for the life of the process; BQL */

static void apply(const MainLoop *m)
{
    block_context_set_limits(block_context_get(NULL), (unsigned)m->pool_min, (unsigned)m->pool_max, m->aio_max_batch);
}

static bool limits_changed(Object *obj, const Property *p, Error **errp)
{
    const MainLoop *m = MAIN_LOOP(obj);

    if (!m->complete) {
        return true;
    }
    if (m->pool_min > m->pool_max) {
        error_setg(errp, "bad thread pool limits: thread-pool-min (%" PRId64 ") must be at most thread-pool-max (%" PRId64 ")",
                   m->pool_min, m->pool_max);
        return false;
    }
    apply(m);
    return true;
}

static bool main_loop_complete(Object *obj, Error **errp)
{
    MainLoop *m = MAIN_LOOP(obj);

    if (exists) {
        error_setg(errp, "only one main-loop instance allowed");
        return false;
    }
    m->complete = true;
    if (!limits_changed(obj, NULL, errp)) {
        m->complete = false;
        return false;
    }
    exists = true;
    object_ref(obj);                    /* it cannot be deleted */
    return true;
}

static const Property main_loop_properties[] = {
    PROP_INT64("aio-max-batch", MainLoop, aio_max_batch, 0, .min = 0, .max = INT64_MAX, .settable_live = true, .changed = limits_changed,
               .help = "requests collected before the kernel is called; 0 = by the back end"),
    PROP_INT64("thread-pool-min", MainLoop, pool_min, 0, .min = 0, .max = THREADS_MAX, .settable_live = true, .changed = limits_changed,
               .help = "worker threads kept though idle"),
    PROP_INT64("thread-pool-max", MainLoop, pool_max, THREAD_POOL_MAX_DEFAULT, .min = 1, .max = THREADS_MAX,
               .settable_live = true, .changed = limits_changed, .help = "worker threads at once"),
};

TYPE_DEFINE(MainLoop, main_loop, "main-loop", object,
    .desc = "the main loop's requests",
    .complete = main_loop_complete,
    .properties = PROPS(main_loop_properties),
    .user_creatable = true,
)
