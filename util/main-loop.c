/*
 * The main loop: ppoll over watched fds, timers, bottom halves, and whatever sources glib has
 * (libraries may add theirs to the default GMainContext).
 *
 * Invariants: handlers run on the main thread with the BQL held; the BQL is free while sleeping.
 * Any thread may schedule a bottom half or arm a timer; both wake the loop through the eventfd.
 */
#include "util/main-loop.h"
#include "util/timer-internal.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct FdWatch {
    int fd;
    FdHandler *on_read, *on_write;
    void *opaque;
} FdWatch;

struct BottomHalf {
    BottomHalfFn *fn;
    void *opaque;
    bool scheduled;             /* bh_lock */
    bool deleted, once;
    BottomHalf *next;
};

static int wake_fd = -1;
static GArray *watches;         /* of FdWatch; main thread */
static GArray *pollfds;         /* of GPollFD: [0] wake_fd, then glib's, then ours, then the hooks' */
static GPtrArray *hooks;        /* of MainLoopHook *; main thread */
static GMutex bh_lock;          /* innermost */
static BottomHalf *bh_queue;    /* scheduled, in order; bh_lock */
static BottomHalf **bh_tail = &bh_queue;

void main_loop_init(void)
{
    assert(wake_fd < 0);
    wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake_fd < 0) {
        fprintf(stderr, "quern: eventfd: %s\n", g_strerror(errno));
        exit(1);
    }
    watches = g_array_new(false, false, sizeof(FdWatch));
    hooks = g_ptr_array_new();
    pollfds = g_array_new(false, false, sizeof(GPollFD));
}

void main_loop_wake(void)
{
    uint64_t one = 1;

    if (wake_fd >= 0 && write(wake_fd, &one, sizeof(one)) < 0) {
        assert(errno == EAGAIN);        /* already awake */
    }
}

/* --- bottom halves --- */

BottomHalf *bh_new(BottomHalfFn *fn, void *opaque)
{
    BottomHalf *bh = g_new0(BottomHalf, 1);

    bh->fn = fn;
    bh->opaque = opaque;
    return bh;
}

void bh_schedule(BottomHalf *bh)
{
    bool wake;

    g_mutex_lock(&bh_lock);
    wake = !bh->scheduled;
    if (wake) {
        bh->scheduled = true;
        bh->next = NULL;
        *bh_tail = bh;
        bh_tail = &bh->next;
    }
    g_mutex_unlock(&bh_lock);
    if (wake) {
        main_loop_wake();
    }
}

/* Take @bh off the queue if it is on it. */
static void bh_dequeue_locked(BottomHalf *bh)
{
    BottomHalf **link = &bh_queue;

    if (!bh->scheduled) {
        return;
    }
    while (*link != bh) {
        link = &(*link)->next;
    }
    *link = bh->next;
    if (!*link) {
        bh_tail = link;
    }
    bh->scheduled = false;
}

void bh_cancel(BottomHalf *bh)
{
    g_mutex_lock(&bh_lock);
    bh_dequeue_locked(bh);
    g_mutex_unlock(&bh_lock);
}

void bh_free(BottomHalf *bh)
{
    if (bh) {
        bh_cancel(bh);
        g_free(bh);
    }
}

void bh_schedule_once(BottomHalfFn *fn, void *opaque)
{
    BottomHalf *bh = bh_new(fn, opaque);

    bh->once = true;
    bh_schedule(bh);
}

/* Runs what is queued now; what those schedule runs in the next step. */
static void bh_run_all(void)
{
    unsigned n = 0;

    g_mutex_lock(&bh_lock);
    for (BottomHalf *bh = bh_queue; bh; bh = bh->next) {
        n++;
    }
    while (n-- && bh_queue) {
        BottomHalf *bh = bh_queue;
        BottomHalfFn *fn = bh->fn;
        void *opaque = bh->opaque;
        bool once = bh->once;

        bh_dequeue_locked(bh);
        g_mutex_unlock(&bh_lock);
        if (once) {
            g_free(bh);
        }
        fn(opaque);             /* may free @bh */
        g_mutex_lock(&bh_lock);
    }
    g_mutex_unlock(&bh_lock);
}

static bool bh_pending(void)
{
    bool pending;

    g_mutex_lock(&bh_lock);
    pending = bh_queue != NULL;
    g_mutex_unlock(&bh_lock);
    return pending;
}

/* --- fds --- */

static FdWatch *watch_find(int fd)
{
    for (unsigned i = 0; i < watches->len; i++) {
        FdWatch *w = &g_array_index(watches, FdWatch, i);

        if (w->fd == fd) {
            return w;
        }
    }
    return NULL;
}

void main_loop_set_fd(int fd, FdHandler *on_read, FdHandler *on_write, void *opaque)
{
    FdWatch *w = watch_find(fd);

    if (!on_read && !on_write) {
        if (w) {
            g_array_remove_index(watches, w - &g_array_index(watches, FdWatch, 0));
        }
        return;
    }
    if (!w) {
        g_array_set_size(watches, watches->len + 1);
        w = &g_array_index(watches, FdWatch, watches->len - 1);
    }
    *w = (FdWatch){ fd, on_read, on_write, opaque };
    main_loop_wake();
}

/* A handler may change the watches, so each is looked up again by fd. */
static void watches_dispatch(unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        GPollFD p = g_array_index(pollfds, GPollFD, i);
        FdWatch *w = p.revents ? watch_find(p.fd) : NULL;

        if (w && w->on_read && (p.revents & (G_IO_IN | G_IO_HUP | G_IO_ERR))) {
            w->on_read(w->opaque);
            w = watch_find(p.fd);
        }
        if (w && w->on_write && (p.revents & (G_IO_OUT | G_IO_HUP | G_IO_ERR))) {
            w->on_write(w->opaque);
        }
    }
}

/* --- hooks --- */

void main_loop_hook_add(MainLoopHook *hook)
{
    g_ptr_array_add(hooks, hook);
    main_loop_wake();
}

void main_loop_hook_remove(MainLoopHook *hook)
{
    g_ptr_array_remove(hooks, hook);
}

static void hooks_fill(int64_t *timeout_ns)
{
    for (unsigned i = 0; i < hooks->len; i++) {
        MainLoopHook *h = g_ptr_array_index(hooks, i);

        h->fill(h->opaque, pollfds, timeout_ns);
    }
}

/* A hook may remove hooks, itself included. */
static void hooks_done(void)
{
    for (unsigned i = hooks->len; i-- > 0;) {
        MainLoopHook *h = i < hooks->len ? g_ptr_array_index(hooks, i) : NULL;

        if (h) {
            h->done(h->opaque, pollfds);
        }
    }
}

/* --- one step --- */

static void pollfds_add(int fd, unsigned events)
{
    GPollFD p = { .fd = fd, .events = events };

    g_array_append_val(pollfds, p);
}

static void wake_fd_drain(void)
{
    uint64_t n;

    if (read(wake_fd, &n, sizeof(n)) < 0) {
        assert(errno == EAGAIN);
    }
}

void main_loop_step(bool block)
{
    GMainContext *ctx = g_main_context_default();
    int prio, glib_timeout, n_glib;
    unsigned ours, end;
    int64_t timeout_ns;
    struct timespec ts;

    g_main_context_acquire(ctx);
    g_main_context_prepare(ctx, &prio);
    g_array_set_size(pollfds, 0);
    pollfds_add(wake_fd, G_IO_IN);
    n_glib = g_main_context_query(ctx, prio, &glib_timeout, NULL, 0);
    g_array_set_size(pollfds, 1 + n_glib);
    g_main_context_query(ctx, prio, &glib_timeout, &g_array_index(pollfds, GPollFD, 1), n_glib);
    ours = pollfds->len;
    for (unsigned i = 0; i < watches->len; i++) {
        const FdWatch *w = &g_array_index(watches, FdWatch, i);

        pollfds_add(w->fd, (w->on_read ? G_IO_IN : 0) | (w->on_write ? G_IO_OUT : 0));
    }

    end = pollfds->len;

    timeout_ns = block && !bh_pending() ? timers_next_timeout_ns() : 0;
    if (glib_timeout >= 0) {
        timeout_ns = MIN((uint64_t)timeout_ns, (uint64_t)glib_timeout * 1000000);
    }
    hooks_fill(&timeout_ns);
    ts = (struct timespec){ timeout_ns / 1000000000, timeout_ns % 1000000000 };

    bql_unlock();
    ppoll((struct pollfd *)pollfds->data, pollfds->len, timeout_ns < 0 ? NULL : &ts, NULL);
    bql_lock();

    if (g_array_index(pollfds, GPollFD, 0).revents) {
        wake_fd_drain();
    }
    if (g_main_context_check(ctx, prio, &g_array_index(pollfds, GPollFD, 1), n_glib)) {
        g_main_context_dispatch(ctx);
    }
    g_main_context_release(ctx);
    watches_dispatch(ours, end);
    hooks_done();
    timers_run();
    bh_run_all();
}
