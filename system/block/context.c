/*
 * Where requests run and complete: a pool of workers, a ring, and a list of finished requests, one set for
 * the main loop and one for each iothread that has devices.
 *
 * Completions run under the BQL, on the loop or the thread, or on any thread that waits for them in
 * block_context_wait(): so that waiting needs neither of them to get along.
 *
 * Locks: c->lock (innermost) for the list; all else BQL.
 */
#include "block-internal.h"
#include "util/main-loop.h"

#define AIO_MAX_BATCH 32

struct BlockContext {
    IOThread *thread;           /* borrowed; NULL = the main loop */
    ThreadPool *pool;
    Uring *uring;               /* made at the first use */
    unsigned plugged;
    int64_t aio_max_batch;      /* without iothread, whose own is valid */
    BottomHalf *bh;             /* main loop */
    IOThreadWork work;          /* iothread */

    GMutex lock;
    GCond cond;
    BlockRequest *done, **tail; /* lock; oldest first */
};

static BlockContext *main_context;

IOThread *block_context_thread(const BlockContext *c)
{
    return c->thread;
}

/* --- completion --- */

/* Those that are on the list now.  BQL held. */
static void complete_done(BlockContext *c)
{
    BlockRequest *list;

    g_mutex_lock(&c->lock);
    list = c->done;
    c->done = NULL;
    c->tail = &c->done;
    g_mutex_unlock(&c->lock);
    while (list) {
        BlockRequest *r = list;

        list = r->next;
        block_request_complete(r);
    }
}

static void on_main_loop(void *opaque)
{
    complete_done(opaque);
}

static void on_thread(void *opaque)
{
    bql_lock();
    complete_done(opaque);
    bql_unlock();
}

void block_request_done(BlockRequest *r)
{
    BlockContext *c = r->ctx;

    g_mutex_lock(&c->lock);
    r->next = NULL;
    *c->tail = r;
    c->tail = &r->next;
    g_cond_broadcast(&c->cond);
    g_mutex_unlock(&c->lock);
    if (c->thread) {
        iothread_run(c->thread, &c->work);
    } else {
        bh_schedule(c->bh);
    }
}

void block_context_wait(BlockContext *c)
{
    bool ring = c->uring && uring_in_flight(c->uring);

    if (ring) {
        uring_submit(c->uring);
    }
    g_mutex_lock(&c->lock);
    while (!c->done && !ring) {
        g_cond_wait(&c->cond, &c->lock);
    }
    ring &= !c->done;
    g_mutex_unlock(&c->lock);
    if (ring) {
        uring_reap(c->uring, true);
    }
    complete_done(c);
}

/* --- workers --- */

static void run_job(void *job)
{
    BlockRequest *r = job;

    block_request_run(r);
    block_request_done(r);
}

void block_context_push(BlockContext *c, BlockRequest *r)
{
    thread_pool_push(c->pool, r);
}

/* --- the ring --- */

static void on_ring(void *opaque)
{
    uring_reap(((BlockContext *)opaque)->uring, false);
}

Uring *block_context_uring(BlockContext *c, Error **errp)
{
    if (!c->uring) {
        c->uring = uring_new(c, errp);
        if (c->uring && c->thread) {
            iothread_watch_fd(c->thread, uring_fd(c->uring), on_ring, c);
        } else if (c->uring) {
            main_loop_set_fd(uring_fd(c->uring), on_ring, NULL, c);
        }
    }
    return c->uring;
}

bool block_context_start_uring(BlockContext *c, BlockRequest *r, int fd, uint64_t offset, int64_t max_batch)
{
    Uring *u = block_context_uring(c, NULL);
    int64_t batch = max_batch ? max_batch : c->thread ? iothread_aio_max_batch(c->thread) : c->aio_max_batch;

    return u && uring_start(u, r, fd, offset, batch ? (unsigned)MIN(batch, UINT_MAX) : AIO_MAX_BATCH, c->plugged);
}

void block_context_plug(BlockContext *c)
{
    c->plugged++;
}

void block_context_unplug(BlockContext *c)
{
    assert(c->plugged);
    if (!--c->plugged && c->uring) {
        uring_submit(c->uring);
    }
}

/* --- life --- */

static BlockContext *context_new(IOThread *t)
{
    BlockContext *c = g_new0(BlockContext, 1);

    c->thread = t;
    c->tail = &c->done;
    g_mutex_init(&c->lock);
    g_cond_init(&c->cond);
    c->pool = thread_pool_new(run_job);
    if (t) {
        iothread_attach_pool(t, c->pool);
        iothread_work_init(&c->work, on_thread, c);
    } else {
        c->bh = bh_new(on_main_loop, c);
    }
    return c;
}

/* The thread has ended, and with it all that was its. */
static void context_free(void *opaque)
{
    BlockContext *c = opaque;

    assert(!c->done);
    iothread_detach_pool(c->thread);
    thread_pool_free(c->pool);
    uring_free(c->uring);
    g_mutex_clear(&c->lock);
    g_cond_clear(&c->cond);
    g_free(c);
}

void block_context_set_limits(BlockContext *c, unsigned pool_min, unsigned pool_max, int64_t aio_max_batch)
{
    thread_pool_set_limits(c->pool, pool_min, pool_max);
    c->aio_max_batch = aio_max_batch;
}

BlockContext *block_context_get(IOThread *t)
{
    if (t && !iothread_data(t)) {
        iothread_set_data(t, context_new(t), context_free);
    }
    if (!t && !main_context) {
        main_context = context_new(NULL);
    }
    return t ? iothread_data(t) : main_context;
}
