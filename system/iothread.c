/*
 * Threads for I/O, see system/iothread.h.
 *
 * Before a thread sleeps it looks again and again for new work, for a time that adapts between 0 and
 * poll-max-ns: grown while work comes just after, shrunk while it comes much later.  A wake-up that is
 * avoided in this way costs the guest no latency.
 *
 * Locks: t->lock (innermost) for the queue and the watches.
 */
#include "system/iothread.h"

#include "qapi/qapi-commands.h"
#include "util/main-loop.h"
#include "util/rcu.h"
#include "util/timer.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POLL_MAX_NS_DEFAULT 32768
#define POLL_START_NS       4000        /* the first step up from 0 */

typedef struct Watch {
    int fd;
    IOThreadFn *fn;
    void *opaque;
} Watch;

struct IOThread {
    Object obj;
    /* properties; BQL for writing, read by the thread at any time */
    int64_t poll_max_ns, poll_grow, poll_shrink, aio_max_batch;
    int64_t pool_min, pool_max;

    /* constant once it runs */
    GThread *thread;
    int wake_fd;
    pid_t tid;

    GMutex lock;
    GCond started;
    IOThreadWork *queue, **tail;        /* lock */
    GArray *watches;                    /* of Watch; lock */
    ThreadPool *pool;                   /* borrowed; BQL */
    void *data;                         /* BQL */
    void (*data_destroy)(void *data);

    int64_t poll_ns;                    /* the thread's */
    bool stop, has_work;                /* atomic */
};

static __thread IOThread *self;

static void wake(IOThread *t)
{
    uint64_t one = 1;

    if (write(t->wake_fd, &one, sizeof(one)) < 0) {
        assert(errno == EAGAIN);
    }
}

/* --- work --- */

void iothread_work_init(IOThreadWork *w, IOThreadFn *fn, void *opaque)
{
    *w = (IOThreadWork){ .fn = fn, .opaque = opaque };
}

void iothread_run(IOThread *t, IOThreadWork *w)
{
    bool was_queued;

    g_mutex_lock(&t->lock);
    was_queued = w->queued;
    if (!was_queued) {
        w->queued = true;
        w->next = NULL;
        *t->tail = w;
        t->tail = &w->next;
        __atomic_store_n(&t->has_work, true, __ATOMIC_RELEASE);
    }
    g_mutex_unlock(&t->lock);
    if (!was_queued) {
        wake(t);
    }
}

static void dequeue_locked(IOThread *t, IOThreadWork *w)
{
    IOThreadWork **link = &t->queue;

    if (!w->queued) {
        return;
    }
    while (*link != w) {
        link = &(*link)->next;
    }
    *link = w->next;
    if (!*link) {
        t->tail = link;
    }
    w->queued = false;
}

void iothread_cancel(IOThread *t, IOThreadWork *w)
{
    g_mutex_lock(&t->lock);
    dequeue_locked(t, w);
    g_mutex_unlock(&t->lock);
}

static void run_queue(IOThread *t)
{
    g_mutex_lock(&t->lock);
    __atomic_store_n(&t->has_work, false, __ATOMIC_RELAXED);
    while (t->queue) {
        IOThreadWork *w = t->queue;
        IOThreadFn *fn = w->fn;
        void *opaque = w->opaque;

        dequeue_locked(t, w);
        g_mutex_unlock(&t->lock);
        fn(opaque);                 /* may free or queue @w */
        g_mutex_lock(&t->lock);
    }
    g_mutex_unlock(&t->lock);
}

/* --- descriptors --- */

void iothread_watch_fd(IOThread *t, int fd, IOThreadFn *fn, void *opaque)
{
    Watch w = { fd, fn, opaque };

    g_mutex_lock(&t->lock);
    for (unsigned i = 0; i < t->watches->len; i++) {
        if (g_array_index(t->watches, Watch, i).fd == fd) {
            g_array_remove_index_fast(t->watches, i);
            break;
        }
    }
    if (fn) {
        g_array_append_val(t->watches, w);
    }
    g_mutex_unlock(&t->lock);
    wake(t);
}

/* [0] is wake_fd. */
static void collect_fds(IOThread *t, GArray *fds)
{
    struct pollfd p = { t->wake_fd, POLLIN, 0 };

    g_array_set_size(fds, 0);
    g_array_append_val(fds, p);
    g_mutex_lock(&t->lock);
    for (unsigned i = 0; i < t->watches->len; i++) {
        p.fd = g_array_index(t->watches, Watch, i).fd;
        g_array_append_val(fds, p);
    }
    g_mutex_unlock(&t->lock);
}

static void dispatch_fd(IOThread *t, int fd)
{
    Watch w = { 0 };

    g_mutex_lock(&t->lock);
    for (unsigned i = 0; i < t->watches->len; i++) {
        if (g_array_index(t->watches, Watch, i).fd == fd) {
            w = g_array_index(t->watches, Watch, i);
        }
    }
    g_mutex_unlock(&t->lock);
    if (w.fn) {
        w.fn(w.opaque);
    }
}

static void drain_wake_fd(IOThread *t)
{
    uint64_t n;

    if (read(t->wake_fd, &n, sizeof(n)) < 0) {
        assert(errno == EAGAIN);
    }
}

/* --- the loop --- */

/* Ready descriptors, without sleeping while t->poll_ns lasts. */
static int poll_busily(IOThread *t, GArray *fds, int64_t start)
{
    int n;

    do {
        if (__atomic_load_n(&t->has_work, __ATOMIC_ACQUIRE)) {
            return 0;
        }
        n = poll((struct pollfd *)fds->data, fds->len, 0);
    } while (n == 0 && clock_get_ns(CLOCK_TYPE_REALTIME) - start < t->poll_ns);
    return n;
}

/* @a * @b or @max, whichever is less; all positive. */
static int64_t times_at_most(int64_t a, int64_t b, int64_t max)
{
    return a > max / b ? max : a * b;
}

/* @waited_ns went by until there was something to do. */
static void adapt(IOThread *t, int64_t waited_ns)
{
    int64_t max = __atomic_load_n(&t->poll_max_ns, __ATOMIC_RELAXED);
    int64_t grow = __atomic_load_n(&t->poll_grow, __ATOMIC_RELAXED), shrink = __atomic_load_n(&t->poll_shrink, __ATOMIC_RELAXED);

    if (waited_ns <= t->poll_ns) {
        return;                     /* polling was long enough */
    }
    if (waited_ns > max) {          /* no polling helps */
        t->poll_ns = shrink ? t->poll_ns / shrink : 0;
    } else {
        t->poll_ns = t->poll_ns ? times_at_most(t->poll_ns, grow ? grow : 2, max) : POLL_START_NS;
    }
    t->poll_ns = CLAMP(t->poll_ns, 0, max);
}

static void wait_for_something(IOThread *t, GArray *fds)
{
    int64_t start = clock_get_ns(CLOCK_TYPE_REALTIME);
    int n = 0;

    if (t->poll_ns) {
        n = poll_busily(t, fds, start);
    }
    if (!n && !__atomic_load_n(&t->has_work, __ATOMIC_ACQUIRE)) {
        poll((struct pollfd *)fds->data, fds->len, -1);
    }
    adapt(t, clock_get_ns(CLOCK_TYPE_REALTIME) - start);
}

static gpointer iothread_main(gpointer opaque)
{
    IOThread *t = opaque;
    g_autoptr(GArray) fds = g_array_new(false, false, sizeof(struct pollfd));

    rcu_thread_enter();
    self = t;
    g_mutex_lock(&t->lock);
    t->tid = (pid_t)syscall(SYS_gettid);
    g_cond_signal(&t->started);
    g_mutex_unlock(&t->lock);
    while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
        collect_fds(t, fds);
        wait_for_something(t, fds);
        drain_wake_fd(t);
        run_queue(t);
        for (unsigned i = 1; i < fds->len; i++) {
            const struct pollfd *p = &g_array_index(fds, struct pollfd, i);

            if (p->revents) {
                dispatch_fd(t, p->fd);
            }
        }
    }
    rcu_thread_leave();
    return NULL;
}

bool iothread_is_self(const IOThread *t)
{
    return self == t;
}

/* --- life --- */

int64_t iothread_aio_max_batch(const IOThread *t)
{
    return __atomic_load_n(&t->aio_max_batch, __ATOMIC_RELAXED);
}

void iothread_attach_pool(IOThread *t, ThreadPool *pool)
{
    t->pool = pool;
    thread_pool_set_limits(pool, (unsigned)t->pool_min, (unsigned)t->pool_max);
}

void iothread_detach_pool(IOThread *t)
{
    t->pool = NULL;
}

void *iothread_data(const IOThread *t)
{
    return t->data;
}

void iothread_set_data(IOThread *t, void *data, void (*destroy)(void *data))
{
    t->data = data;
    t->data_destroy = destroy;
}

IOThread *iothread_find(const char *id)
{
    Object *obj = object_child(object_container("/objects"), id);

    return object_is(obj, &iothread_type) ? IOTHREAD(obj) : NULL;
}

static bool pool_limits_changed(Object *obj, const Property *p, Error **errp)
{
    IOThread *t = IOTHREAD(obj);

    if (t->thread && t->pool_min > t->pool_max) {
        error_setg(errp, "bad thread pool limits: thread-pool-min (%" PRId64 ") must be at most thread-pool-max (%" PRId64 ")",
                   t->pool_min, t->pool_max);
        return false;
    }
    if (t->pool) {
        thread_pool_set_limits(t->pool, (unsigned)t->pool_min, (unsigned)t->pool_max);
    }
    return true;
}

static void iothread_init(Object *obj)
{
    IOThread *t = IOTHREAD(obj);

    g_mutex_init(&t->lock);
    g_cond_init(&t->started);
    t->tail = &t->queue;
    t->wake_fd = -1;
    t->watches = g_array_new(false, false, sizeof(Watch));
}

static bool iothread_complete(Object *obj, Error **errp)
{
    IOThread *t = IOTHREAD(obj);
    g_autofree char *name = g_strdup_printf("IO %s", obj->name);

    if (t->pool_min > t->pool_max) {
        error_setg(errp, "bad thread pool limits: thread-pool-min (%" PRId64 ") must be at most thread-pool-max (%" PRId64 ")",
                   t->pool_min, t->pool_max);
        return false;
    }
    t->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (t->wake_fd < 0) {
        error_setg_errno(errp, errno, "iothread '%s': eventfd", obj->name);
        return false;
    }
    t->thread = g_thread_new(name, iothread_main, t);
    g_mutex_lock(&t->lock);
    while (!t->tid) {
        g_cond_wait(&t->started, &t->lock);
    }
    g_mutex_unlock(&t->lock);
    return true;
}

/* The thread may be waiting for the BQL, to find then that nothing is left to do. */
static void stop_thread(IOThread *t)
{
    bool locked = bql_locked();

    __atomic_store_n(&t->stop, true, __ATOMIC_RELEASE);
    wake(t);
    if (locked) {
        bql_unlock();
    }
    g_thread_join(t->thread);
    if (locked) {
        bql_lock();
    }
}

static void iothread_fini(Object *obj)
{
    IOThread *t = IOTHREAD(obj);

    if (t->thread) {
        stop_thread(t);
    }
    if (t->data) {
        t->data_destroy(t->data);
    }
    if (t->wake_fd >= 0) {
        close(t->wake_fd);
    }
    g_array_unref(t->watches);
    g_mutex_clear(&t->lock);
    g_cond_clear(&t->started);
}

#define THREADS_MAX 1024        /* a typing error shall not take the host's last process */

static const Property iothread_properties[] = {
    PROP_INT64("poll-max-ns", IOThread, poll_max_ns, POLL_MAX_NS_DEFAULT, .min = 0, .max = INT64_MAX, .unit = "ns",
               .help = "longest time to look for work before sleeping; 0 = none", .settable_live = true),
    PROP_INT64("poll-grow", IOThread, poll_grow, 0, .min = 0, .max = INT64_MAX, .settable_live = true,
               .help = "factor by which that time grows; 0 = 2"),
    PROP_INT64("poll-shrink", IOThread, poll_shrink, 0, .min = 0, .max = INT64_MAX, .settable_live = true,
               .help = "divisor by which it shrinks; 0 = to nothing at once"),
    PROP_INT64("aio-max-batch", IOThread, aio_max_batch, 0, .min = 0, .max = INT64_MAX, .settable_live = true,
               .help = "requests collected before the kernel is called; 0 = by the back end"),
    PROP_INT64("thread-pool-min", IOThread, pool_min, 0, .min = 0, .max = THREADS_MAX, .settable_live = true,
               .help = "worker threads kept though idle", .changed = pool_limits_changed),
    PROP_INT64("thread-pool-max", IOThread, pool_max, THREAD_POOL_MAX_DEFAULT, .min = 1, .max = THREADS_MAX,
               .settable_live = true, .help = "worker threads at once", .changed = pool_limits_changed),
};

TYPE_DEFINE(IOThread, iothread, "iothread", object,
    .desc = "a thread for I/O",
    .init = iothread_init,
    .fini = iothread_fini,
    .complete = iothread_complete,
    .properties = PROPS(iothread_properties),
    .user_creatable = true,
)

/* --- QMP --- */

static bool add_info(Object *child, void *opaque)
{
    const IOThread *t = object_is(child, &iothread_type) ? IOTHREAD(child) : NULL;
    QapiIOThreadInfo *info;

    if (t) {
        info = QAPI_LIST_APPEND((QapiIOThreadInfoList *)opaque);
        info->id = g_strdup(child->name);
        info->thread_id = t->tid;
        info->poll_max_ns = t->poll_max_ns;
        info->poll_grow = t->poll_grow;
        info->poll_shrink = t->poll_shrink;
        info->aio_max_batch = t->aio_max_batch;
    }
    return true;
}

QapiIOThreadInfoList *qmp_query_iothreads(Error **errp)
{
    QapiIOThreadInfoList *list = g_new0(QapiIOThreadInfoList, 1);

    object_foreach_child(object_container("/objects"), false, add_info, list);
    return list;
}
