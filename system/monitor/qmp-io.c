/*
 * A QMP session with out-of-band commands: a thread reads and writes the connection.
 *
 * So "exec-oob" is answered even while the main loop is busy; such commands (allow-oob in the schema) need
 * neither the BQL nor anything that changes.  All other requests are queued for the main loop, which answers them
 * one by one, in order.  At most QUEUE_MAX wait: then reading is suspended until one was taken, and a client that
 * wants its out-of-band commands to get through keeps fewer in flight.
 *
 * The thread exists from the negotiation of "oob" to the client's end; then the main loop has the connection again.
 *
 * Locks: io->lock guards the monitor's output and the queue; taken after the BQL, never held while a command runs.
 */
#include "system/monitor/internal.h"

#include "qapi/qapi-commands.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_MAX 8
#define FDS_MAX   16

typedef struct Request {
    Value *v;
    Error *err;
    int fds[FDS_MAX];               /* that came along with it */
    unsigned n_fds;
} Request;

struct QmpIo {
    /* constant */
    Monitor *m;
    GThread *thread;
    int in, out, wake_fd;           /* owned */
    BottomHalf *bh;                 /* serve() */

    /* the thread's */
    uint8_t input[INPUT_MAX];
    size_t have, done;              /* of it: read, parsed */
    int fds[FDS_MAX];               /* came along, for the next request */
    unsigned n_fds;

    /* lock */
    GMutex lock;
    GQueue queue;                   /* of Request * */
    bool suspended;                 /* the queue was full, or the output: nothing is read or parsed */
    bool gone;                      /* the client */
    bool stop;
};

static void close_fds(const int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        close(fds[i]);
    }
}

static void request_free(gpointer opaque)
{
    Request *r = opaque;

    value_unref(r->v);
    error_free(r->err);
    close_fds(r->fds, r->n_fds);
    g_free(r);
}

static void wake(QmpIo *io)
{
    uint64_t one = 1;

    if (write(io->wake_fd, &one, sizeof(one)) < 0) {
        assert(errno == EAGAIN);
    }
}

/* --- output, lock held --- */

static void write_locked(QmpIo *io)
{
    bool had_room = monitor_has_room(io->m);
    const uint8_t *at;
    size_t len;

    while ((len = monitor_waiting(io->m, &at))) {
        ssize_t n = write(io->out, at, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            break;
        }
        monitor_written(io->m, n > 0 ? (size_t)n : len);    /* nobody reads any more: the end is seen on reading */
    }
    if (!had_room && monitor_has_room(io->m)) {
        bh_schedule(io->bh);                /* requests may have waited for it, and so may the thread */
        wake(io);
    }
}

void qmp_io_lock(QmpIo *io)
{
    g_mutex_lock(&io->lock);
}

void qmp_io_unlock(QmpIo *io)
{
    const uint8_t *at;

    write_locked(io);
    if (monitor_waiting(io->m, &at)) {
        wake(io);                           /* the thread waits for room */
    }
    g_mutex_unlock(&io->lock);
}

/* --- requests --- */

static void answer_at_once(QmpIo *io, const Value *v)
{
    g_autoptr(Value) reply = qapi_dispatch(&qapi_commands, v, QAPI_DISPATCH_OOB);

    if (reply) {
        qmp_send(io->m, reply);
    }
}

static void enqueue(QmpIo *io, Value *v, Error *err)
{
    Request *r = g_new0(Request, 1);

    r->v = v;
    r->err = err;
    memcpy(r->fds, io->fds, io->n_fds * sizeof(io->fds[0]));
    r->n_fds = io->n_fds;
    io->n_fds = 0;
    g_mutex_lock(&io->lock);
    g_queue_push_tail(&io->queue, r);
    g_mutex_unlock(&io->lock);
    bh_schedule(io->bh);
}

void qmp_io_request(QmpIo *io, Value *request, Error *err)
{
    bool oob = request && value_type(request) == VALUE_DICT && value_dict_get(request, "exec-oob");

    if (oob) {
        answer_at_once(io, request);
        value_unref(request);
    } else {
        enqueue(io, request, err);
    }
    g_mutex_lock(&io->lock);
    io->suspended = io->queue.length >= QUEUE_MAX || !monitor_has_room(io->m);
    if (io->suspended) {
        json_parser_pause(io->m->parser);
    }
    g_mutex_unlock(&io->lock);
}

/* --- the main loop's side --- */

static Request *next_request(QmpIo *io, bool *over)
{
    Request *r = NULL;

    g_mutex_lock(&io->lock);
    if (io->gone || monitor_has_room(io->m)) {
        r = g_queue_pop_head(&io->queue);
    }
    *over = !r && io->gone;
    if (r && io->suspended) {
        wake(io);
    }
    g_mutex_unlock(&io->lock);
    return r;
}

/* One request at a time, so that others get their turn on the main loop. */
static void serve(void *opaque)
{
    QmpIo *io = opaque;
    Monitor *m = io->m;
    bool over;
    Request *r = next_request(io, &over);

    if (over) {
        qmp_io_stop(m);                     /* the main loop finds the end of the connection itself */
        return;
    }
    if (!r) {
        return;
    }
    bh_schedule(io->bh);
    char_put_fds(&m->be, r->fds, r->n_fds);
    r->n_fds = 0;
    qmp_answer(m, g_steal_pointer(&r->v), g_steal_pointer(&r->err));
    request_free(r);
}

/* --- the thread --- */

static void keep_fds(QmpIo *io, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        const int *fds = (const int *)CMSG_DATA(c);
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            size_t room = MIN(n, FDS_MAX - io->n_fds);

            memcpy(io->fds + io->n_fds, fds, room * sizeof(int));
            io->n_fds += room;
            close_fds(fds + room, n - room);
        }
    }
}

/* read(), or from a socket with descriptors. */
static ssize_t receive(QmpIo *io)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec iov = { io->input, sizeof(io->input) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(io->in, &msg, MSG_CMSG_CLOEXEC);

    if (n < 0 && errno == ENOTSOCK) {
        return read(io->in, io->input, sizeof(io->input));
    }
    if (n > 0) {
        keep_fds(io, &msg);
    }
    return n;
}

static void parse(QmpIo *io)
{
    qmp_limit_requests(io->m);
    io->done += json_parser_feed_some(io->m->parser, (const char *)io->input + io->done, io->have - io->done);
}

static void read_more(QmpIo *io)
{
    ssize_t n = receive(io);

    if (n > 0) {
        io->have = n;
        io->done = 0;
        parse(io);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        g_mutex_lock(&io->lock);
        io->gone = true;
        g_mutex_unlock(&io->lock);
        bh_schedule(io->bh);
    }
}

/* Goes on after a suspension once there is room; false = still suspended, or over. */
static bool may_read_locked(QmpIo *io)
{
    if (io->suspended && io->queue.length < QUEUE_MAX && monitor_has_room(io->m)) {
        io->suspended = false;
    }
    return !io->suspended && !io->gone;
}

static void wait_for_work(const QmpIo *io, bool may_read, bool may_write, bool *readable)
{
    struct pollfd p[] = {                   /* an end that is not asked about must not tell of its hang-up */
        { io->wake_fd, POLLIN }, { may_read ? io->in : -1, POLLIN }, { may_write ? io->out : -1, POLLOUT },
    };
    uint64_t n;

    poll(p, ARRAY_SIZE(p), -1);
    if (p[0].revents && read(io->wake_fd, &n, sizeof(n)) < 0) {
        assert(errno == EAGAIN);
    }
    *readable = p[1].revents;
}

static void *io_thread(void *opaque)
{
    QmpIo *io = opaque;
    const uint8_t *at;

    for (;;) {
        bool may_read, waiting, stop, readable = false;

        g_mutex_lock(&io->lock);
        write_locked(io);
        may_read = may_read_locked(io);
        waiting = monitor_waiting(io->m, &at);
        stop = io->stop;
        g_mutex_unlock(&io->lock);
        if (stop) {
            return NULL;
        }
        if (may_read && io->done < io->have) {
            parse(io);
            continue;
        }
        wait_for_work(io, may_read, waiting, &readable);
        if (readable) {
            read_more(io);
        }
    }
}

/* --- beginning and end --- */

bool qmp_io_start(Monitor *m)
{
    QmpIo *io = g_new0(QmpIo, 1);

    if (!char_lend_fds(&m->be, &io->in, &io->out)) {
        g_free(io);
        return false;
    }
    io->m = m;
    io->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    g_mutex_init(&io->lock);
    g_queue_init(&io->queue);
    io->bh = bh_new(serve, io);
    assert(m->input->len <= sizeof(io->input));
    memcpy(io->input, m->input->data, m->input->len);
    io->have = m->input->len;
    g_byte_array_set_size(m->input, 0);
    m->io = io;
    io->thread = g_thread_new("mon_iothread", io_thread, io);
    return true;
}

void qmp_io_stop(Monitor *m)
{
    QmpIo *io = m->io;

    if (!io) {
        return;
    }
    g_mutex_lock(&io->lock);
    io->stop = true;
    g_mutex_unlock(&io->lock);
    wake(io);
    g_thread_join(io->thread);
    m->io = NULL;
    bh_free(io->bh);
    g_queue_clear_full(&io->queue, request_free);
    close_fds(io->fds, io->n_fds);
    close(io->in);
    close(io->out);
    close(io->wake_fd);
    g_mutex_clear(&io->lock);
    g_free(io);
    char_return_fds(&m->be);
}
