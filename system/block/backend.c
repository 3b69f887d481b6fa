/*
 * A device's end of a node: asynchronous requests on worker threads.
 *
 * A request is handed to a pool; the worker runs the driver's blocking call, puts the request on
 * the done list and schedules the bottom half.  Completions run under the BQL: from the bottom half,
 * or from blk_drain(), which waits for the list without needing the main loop.
 */
#include "block-internal.h"
#include "util/main-loop.h"

#define MAX_WORKERS 16

typedef enum RequestKind { REQ_READ, REQ_WRITE, REQ_FLUSH, REQ_DISCARD, REQ_ZERO } RequestKind;

struct BlockBackend {
    BlockNode *node;
    Object *owner;              /* borrowed: the device */
    bool writable, write_cache;
    unsigned in_flight;
    void (*resized)(void *opaque);
    void *resized_opaque;
    BlockBackend *next;
};

typedef struct Request {
    BlockBackend *blk;
    RequestKind kind;
    bool may_unmap;
    uint64_t offset, bytes;
    struct iovec *iov;
    unsigned niov;
    int ret;
    BlockCompletion *cb;
    void *opaque;
    struct Request *next;
} Request;

static GThreadPool *pool;       /* made at the first request */
static BottomHalf *done_bh;
static GMutex done_lock;        /* innermost */
static GCond done_cond;
static Request *done;           /* done_lock; newest first */
static BlockBackend *backends;  /* BQL */

/* --- completion --- */

/* Run what has completed.  BQL held. */
static void complete_done(void)
{
    Request *list, *ordered = NULL;

    g_mutex_lock(&done_lock);
    list = done;
    done = NULL;
    g_mutex_unlock(&done_lock);
    while (list) {              /* oldest first */
        Request *r = list;

        list = r->next;
        r->next = ordered;
        ordered = r;
    }
    while (ordered) {
        Request *r = ordered;

        ordered = r->next;
        r->blk->in_flight--;
        r->cb(r->opaque, r->ret);
        g_free(r->iov);
        g_free(r);
    }
}

static void done_bh_run(void *opaque)
{
    complete_done();
}

static void worker(gpointer data, gpointer user_data)
{
    Request *r = data;
    BlockNode *n = r->blk->node;

    switch (r->kind) {
    case REQ_READ:    r->ret = n->drv->preadv(n, r->offset, r->iov, r->niov, r->bytes); break;
    case REQ_WRITE:   r->ret = n->drv->pwritev(n, r->offset, r->iov, r->niov, r->bytes); break;
    case REQ_FLUSH:   r->ret = n->drv->flush(n); break;
    case REQ_DISCARD: r->ret = n->drv->discard(n, r->offset, r->bytes); break;
    case REQ_ZERO:    r->ret = n->drv->write_zeroes(n, r->offset, r->bytes, r->may_unmap); break;
    }
    if (!r->ret && !r->blk->write_cache && (r->kind == REQ_WRITE || r->kind == REQ_ZERO)) {
        r->ret = n->drv->flush(n);
    }
    g_mutex_lock(&done_lock);
    r->next = done;
    done = r;
    g_cond_broadcast(&done_cond);
    g_mutex_unlock(&done_lock);
    bh_schedule(done_bh);
}

/* A request that fails before it starts completes like any other. */
static void finish_early(Request *r, int ret)
{
    r->ret = ret;
    g_mutex_lock(&done_lock);
    r->next = done;
    done = r;
    g_mutex_unlock(&done_lock);
    bh_schedule(done_bh);
}

static bool is_change(RequestKind kind)
{
    return kind != REQ_READ && kind != REQ_FLUSH;
}

static void submit(BlockBackend *blk, RequestKind kind, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                   unsigned niov, bool may_unmap, BlockCompletion *cb, void *opaque)
{
    Request *r = g_new0(Request, 1);

    *r = (Request){
        .blk = blk, .kind = kind, .may_unmap = may_unmap, .offset = offset, .bytes = bytes,
        .iov = g_memdup2(iov, niov * sizeof(*iov)), .niov = niov, .cb = cb, .opaque = opaque,
    };
    if (!pool) {
        done_bh = bh_new(done_bh_run, NULL);
        pool = g_thread_pool_new(worker, NULL, MAX_WORKERS, false, NULL);
    }
    blk->in_flight++;
    if (is_change(kind) && !blk->writable) {
        finish_early(r, -EPERM);
    } else if (offset > blk->node->size_bytes || bytes > blk->node->size_bytes - offset) {
        finish_early(r, -EIO);
    } else {
        g_thread_pool_push(pool, r, NULL);
    }
}

static size_t iov_bytes(const struct iovec *iov, unsigned niov)
{
    size_t sum = 0;

    for (unsigned i = 0; i < niov; i++) {
        sum += iov[i].iov_len;
    }
    return sum;
}

void blk_preadv(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned niov, BlockCompletion *cb, void *opaque)
{
    submit(blk, REQ_READ, offset, iov_bytes(iov, niov), iov, niov, false, cb, opaque);
}

void blk_pwritev(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned niov, BlockCompletion *cb, void *opaque)
{
    submit(blk, REQ_WRITE, offset, iov_bytes(iov, niov), iov, niov, false, cb, opaque);
}

void blk_flush(BlockBackend *blk, BlockCompletion *cb, void *opaque)
{
    submit(blk, REQ_FLUSH, 0, 0, NULL, 0, false, cb, opaque);
}

void blk_discard(BlockBackend *blk, uint64_t offset, uint64_t bytes, BlockCompletion *cb, void *opaque)
{
    submit(blk, REQ_DISCARD, offset, bytes, NULL, 0, true, cb, opaque);
}

void blk_write_zeroes(BlockBackend *blk, uint64_t offset, uint64_t bytes, bool may_unmap, BlockCompletion *cb, void *opaque)
{
    submit(blk, REQ_ZERO, offset, bytes, NULL, 0, may_unmap, cb, opaque);
}

void blk_drain(BlockBackend *blk)
{
    while (blk->in_flight) {
        g_mutex_lock(&done_lock);
        while (!done) {
            g_cond_wait(&done_cond, &done_lock);
        }
        g_mutex_unlock(&done_lock);
        complete_done();
    }
}

void block_drain_all(void)
{
    for (BlockBackend *blk = backends; blk; blk = blk->next) {
        blk_drain(blk);
    }
}

/* --- life --- */

BlockBackend *blk_new(const char *drive, void *owner_dev, bool writable, Error **errp)
{
    BlockNode *n = block_node_find(drive);
    BlockBackend *blk;

    if (!n) {
        error_setg(errp, "cannot find block node or drive '%s'", drive);
        return NULL;
    }
    if (writable && n->read_only) {
        error_setg(errp, "block node '%s' is read-only", drive);
        return NULL;
    }
    if (n->writer || (writable && n->users)) {
        error_setg(errp, "block node '%s' is already in use", drive);
        return NULL;
    }
    blk = g_new0(BlockBackend, 1);
    blk->node = n;
    blk->owner = owner_dev;
    blk->writable = writable;
    blk->write_cache = true;
    n->users++;
    n->writer |= writable;
    g_ptr_array_add(n->backends, blk);
    blk->next = backends;
    backends = blk;
    return blk;
}

void blk_unref(BlockBackend *blk)
{
    BlockBackend **link = &backends;

    if (!blk) {
        return;
    }
    blk_drain(blk);
    while (*link != blk) {
        link = &(*link)->next;
    }
    *link = blk->next;
    g_ptr_array_remove(blk->node->backends, blk);
    blk->node->users--;
    blk->node->writer = false;
    g_free(blk);
}

uint64_t blk_size_bytes(const BlockBackend *blk) { return blk->node->size_bytes; }
bool blk_is_read_only(const BlockBackend *blk) { return !blk->writable; }
const char *blk_name(const BlockBackend *blk) { return blk->node->name; }
BlockNode *blk_node(const BlockBackend *blk) { return blk->node; }
void blk_set_enable_write_cache(BlockBackend *blk, bool on) { blk->write_cache = on; }
bool blk_enable_write_cache(const BlockBackend *blk) { return blk->write_cache; }

void blk_set_resize_notify(BlockBackend *blk, void (*fn)(void *opaque), void *opaque)
{
    blk->resized = fn;
    blk->resized_opaque = opaque;
}

void block_backends_resized(BlockNode *node)
{
    for (unsigned i = 0; i < node->backends->len; i++) {
        BlockBackend *blk = g_ptr_array_index(node->backends, i);

        if (blk->resized) {
            blk->resized(blk->resized_opaque);
        }
    }
}
