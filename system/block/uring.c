/*
 * Requests by io_uring (liburing).
 *
 * Locks: u->lock for the ring, taken by whoever starts requests and by whoever takes finished ones.
 */
#include "block-internal.h"
#include "config-host.h"

#ifdef CONFIG_LIBURING

#include <liburing.h>

#define RING_ENTRIES 128

struct Uring {
    GMutex lock;
    struct io_uring ring;
    unsigned unsubmitted, in_flight;
};

Uring *uring_new(BlockContext *c, Error **errp)
{
    Uring *u = g_new0(Uring, 1);
    int rc = io_uring_queue_init(RING_ENTRIES, &u->ring, IORING_SETUP_CLAMP);

    if (rc < 0) {
        error_setg_errno(errp, -rc, "Unable to use io_uring");
        g_free(u);
        return NULL;
    }
    g_mutex_init(&u->lock);
    return u;
}

void uring_free(Uring *u)
{
    if (u) {
        assert(!u->in_flight);
        io_uring_queue_exit(&u->ring);
        g_mutex_clear(&u->lock);
        g_free(u);
    }
}

int uring_fd(const Uring *u)
{
    return u->ring.ring_fd;
}

unsigned uring_in_flight(Uring *u)
{
    unsigned n;

    g_mutex_lock(&u->lock);
    n = u->in_flight;
    g_mutex_unlock(&u->lock);
    return n;
}

/* What the kernel does not take now stays in the ring and goes with the next. */
static void submit_locked(Uring *u)
{
    int n = u->unsubmitted ? io_uring_submit(&u->ring) : 0;

    u->unsubmitted -= MIN(u->unsubmitted, (unsigned)MAX(n, 0));
}

void uring_submit(Uring *u)
{
    g_mutex_lock(&u->lock);
    submit_locked(u);
    g_mutex_unlock(&u->lock);
}

static void prepare(struct io_uring_sqe *sqe, const BlockRequest *r, int fd, uint64_t offset)
{
    switch (r->kind) {
    case BLOCK_READ:
        io_uring_prep_readv(sqe, fd, r->iov, r->niov, offset);
        break;
    case BLOCK_WRITE:
        io_uring_prep_writev(sqe, fd, r->iov, r->niov, offset);
        break;
    default:
        io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
        break;
    }
}

bool uring_start(Uring *u, BlockRequest *r, int fd, uint64_t offset, unsigned max_batch, bool plugged)
{
    struct io_uring_sqe *sqe = NULL;

    if (r->niov > 1024 /* IOV_MAX */) {
        return false;
    }
    g_mutex_lock(&u->lock);
    /* Never more than the completion ring holds, so that none is lost. */
    if (u->in_flight < *u->ring.cq.kring_entries) {
        sqe = io_uring_get_sqe(&u->ring);
    }
    if (sqe) {
        prepare(sqe, r, fd, offset);
        io_uring_sqe_set_data(sqe, r);
        u->in_flight++;
        if (++u->unsubmitted >= max_batch || !plugged) {
            submit_locked(u);
        }
    }
    g_mutex_unlock(&u->lock);
    return sqe != NULL;
}

/* Reads and writes may end early: the rest, which is rare, goes the blocking way. */
static bool is_whole(const BlockRequest *r, int res)
{
    return r->kind == BLOCK_FLUSH || (uint64_t)res == r->bytes;
}

static void finish(BlockRequest *r, int res)
{
    if (res == -EAGAIN || res == -EINTR || (res >= 0 && !is_whole(r, res))) {
        block_context_push(r->ctx, r);
        return;
    }
    r->ret = MIN(res, 0);
    if (!r->ret && r->kind == BLOCK_WRITE) {
        uint64_t offset = r->offset;

        for (BlockNode *n = r->blk->use.node; ; n = block_child(n)) {
            block_node_note_write(n, offset + r->bytes);
            if (n == r->leaf) {
                break;
            }
            offset = n->drv->child_offset(n, offset);
        }
    }
    block_request_done(r);
}

void uring_reap(Uring *u, bool wait)
{
    struct io_uring_cqe *cqe;
    BlockRequest *list = NULL, **tail = &list;

    g_mutex_lock(&u->lock);
    submit_locked(u);
    if (wait && u->in_flight) {
        io_uring_wait_cqe(&u->ring, &cqe);      /* an error means: look again */
    }
    while (!io_uring_peek_cqe(&u->ring, &cqe)) {
        BlockRequest *r = io_uring_cqe_get_data(cqe);

        r->ret = cqe->res;
        io_uring_cqe_seen(&u->ring, cqe);
        u->in_flight--;
        r->next = NULL;
        *tail = r;
        tail = &r->next;
    }
    g_mutex_unlock(&u->lock);
    while (list) {
        BlockRequest *r = list;

        list = r->next;
        finish(r, r->ret);
    }
}

#else

Uring *uring_new(BlockContext *c, Error **errp)
{
    error_setg(errp, "aio=io_uring is not supported in this build");
    return NULL;
}

void uring_free(Uring *u) { }
int uring_fd(const Uring *u) { return -1; }
unsigned uring_in_flight(Uring *u) { return 0; }
void uring_submit(Uring *u) { }
void uring_reap(Uring *u, bool wait) { }

bool uring_start(Uring *u, BlockRequest *r, int fd, uint64_t offset, unsigned max_batch, bool plugged)
{
    return false;
}

#endif
