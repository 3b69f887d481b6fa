/*
 * A pool of threads for blocking calls, see util/thread-pool.h.
 *
 * Locks: p->lock (innermost) for everything.
 */
#include "util/thread-pool.h"

#define IDLE_SECONDS 10

struct ThreadPool {
    ThreadPoolFn *fn;           /* constant */
    GMutex lock;
    GCond wanted;               /* a job came, or the limits changed, or the end */
    GCond ended;                /* a thread ended */
    GQueue jobs;
    unsigned min, max;
    unsigned threads, idle;
    bool ending;
};

static bool has_too_many_locked(const ThreadPool *p)
{
    return p->ending || p->threads > p->max;
}

/* The next job, or NULL if this thread is to end. */
static void *next_job_locked(ThreadPool *p)
{
    gint64 until = g_get_monotonic_time() + IDLE_SECONDS * G_TIME_SPAN_SECOND;

    while (g_queue_is_empty(&p->jobs)) {
        bool timed_out;

        if (has_too_many_locked(p)) {
            return NULL;
        }
        p->idle++;
        timed_out = !g_cond_wait_until(&p->wanted, &p->lock, until);
        p->idle--;
        if (timed_out && g_queue_is_empty(&p->jobs)) {
            if (p->threads > p->min) {
                return NULL;
            }
            until = g_get_monotonic_time() + IDLE_SECONDS * G_TIME_SPAN_SECOND;
        }
    }
    return p->threads > p->max && !p->ending ? NULL : g_queue_pop_head(&p->jobs);
}

static gpointer run(gpointer opaque)
{
    ThreadPool *p = opaque;
    void *job;

    g_mutex_lock(&p->lock);
    while ((job = next_job_locked(p)) != NULL) {
        g_mutex_unlock(&p->lock);
        p->fn(job);
        g_mutex_lock(&p->lock);
    }
    p->threads--;
    g_cond_broadcast(&p->ended);
    g_mutex_unlock(&p->lock);
    return NULL;
}

static void start_thread_locked(ThreadPool *p)
{
    p->threads++;
    g_thread_unref(g_thread_new("worker", run, p));
}

ThreadPool *thread_pool_new(ThreadPoolFn *fn)
{
    ThreadPool *p = g_new0(ThreadPool, 1);

    p->fn = fn;
    p->max = THREAD_POOL_MAX_DEFAULT;
    g_mutex_init(&p->lock);
    g_cond_init(&p->wanted);
    g_cond_init(&p->ended);
    return p;
}

void thread_pool_free(ThreadPool *p)
{
    if (!p) {
        return;
    }
    g_mutex_lock(&p->lock);
    p->ending = true;
    g_cond_broadcast(&p->wanted);
    while (p->threads) {
        g_cond_wait(&p->ended, &p->lock);
    }
    g_mutex_unlock(&p->lock);
    g_mutex_clear(&p->lock);
    g_cond_clear(&p->wanted);
    g_cond_clear(&p->ended);
    g_free(p);
}

void thread_pool_set_limits(ThreadPool *p, unsigned min, unsigned max)
{
    assert(max >= 1 && min <= max);
    g_mutex_lock(&p->lock);
    p->min = min;
    p->max = max;
    while (p->threads < p->min) {
        start_thread_locked(p);
    }
    g_cond_broadcast(&p->wanted);
    g_mutex_unlock(&p->lock);
}

void thread_pool_push(ThreadPool *p, void *job)
{
    g_mutex_lock(&p->lock);
    g_queue_push_tail(&p->jobs, job);
    if (p->idle < g_queue_get_length(&p->jobs) && p->threads < p->max) {
        start_thread_locked(p);
    }
    g_cond_signal(&p->wanted);
    g_mutex_unlock(&p->lock);
}
