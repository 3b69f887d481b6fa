/*
 * Moving data between a medium and the host's memory, or a buffer of the device's.
 *
 * A transfer goes on in chunks.  For each the host's list of segments is read on, its memory is mapped, and the back end
 * reads or writes there; where the list is cut too fine for whole blocks, a bounce buffer stands between.  A list may
 * be shorter than the command: what fits is moved.
 *
 * The list lies in guest memory and may change while it is read: each segment counts as it was read last, and memory
 * is only touched through the mapping.
 */
#include "ide-internal.h"

IdeTransfer *ide_transfer_new(IdeDevice *d, IdeTransferKind kind, void (*end)(IdeTransfer *t, IdeResult r))
{
    IdeTransfer *t = g_new0(IdeTransfer, 1);

    t->dev = d;
    t->kind = kind;
    t->tag = IDE_NO_TAG;
    t->end = end;
    g_queue_push_tail(d->transfers, t);
    return t;
}

void ide_transfer_free(IdeTransfer *t)
{
    if (t->dev) {
        g_queue_remove(t->dev->transfers, t);
    }
    g_free(t->bounce);
    g_free(t);
}

/* --- the host's list --- */

/* The next piece of it, of at most @max bytes; 0: it has come to its end. */
static uint64_t cursor_peek(IdeBus *bus, unsigned tag, IdeCursor *at, uint64_t max)
{
    while (!at->seg.len) {
        if (!bus->transport->segment(bus, tag, at->next, &at->seg)) {
            return 0;
        }
        at->next++;
    }
    return MIN(at->seg.len, max);
}

static void cursor_skip(IdeCursor *at, uint64_t len)
{
    at->seg.addr += len;
    at->seg.len -= len;
}

uint64_t ide_copy(IdeBus *bus, unsigned tag, IdeCursor *at, void *buf, uint64_t len, bool to_host, bool *ok)
{
    AddressSpace *as = bus->transport->dma_space(bus);
    uint64_t done = 0, n;

    while (done < len && (n = cursor_peek(bus, tag, at, len - done)) != 0) {
        if (address_space_rw_memory(as, at->seg.addr, (uint8_t *)buf + done, n, to_host) != MEMTX_OK) {
            *ok = false;
            return done;
        }
        cursor_skip(at, n);
        done += n;
    }
    return done;
}

/* --- a chunk --- */

static bool to_host(const IdeTransfer *t)
{
    return t->kind == IDE_READ;
}

static uint64_t block_size(const IdeTransfer *t)
{
    return t->dev->is_cd ? CD_SECTOR : IDE_SECTOR;
}

static void unmap(IdeTransfer *t, bool moved)
{
    for (unsigned i = 0; i < t->n_mapped; i++) {
        address_space_unmap(t->as, t->iov[i].iov_base, t->mapped[i], to_host(t), moved ? t->iov[i].iov_len : 0);
    }
    t->n_mapped = 0;
}

/* Take the last @excess bytes out of what is mapped. */
static void trim(IdeTransfer *t, uint64_t excess)
{
    while (excess) {
        struct iovec *last = &t->iov[t->n_mapped - 1];
        uint64_t n = MIN(excess, last->iov_len);

        last->iov_len -= n;
        excess -= n;
        if (!last->iov_len) {
            address_space_unmap(t->as, last->iov_base, t->mapped[--t->n_mapped], to_host(t), 0);
        }
    }
}

/* Go @len bytes on from where the chunk began. */
static void rewind_to(IdeTransfer *t, uint64_t len)
{
    uint64_t n;

    t->at = t->chunk_start;
    while (len && (n = cursor_peek(t->dev->bus, t->tag, &t->at, len)) != 0) {
        cursor_skip(&t->at, n);
        len -= n;
    }
}

/* Map as much of the list as one request takes: whole blocks; 0 if not even one can be had. */
static uint64_t map_chunk(IdeTransfer *t)
{
    uint64_t limit = MIN(t->left, IDE_CHUNK_BYTES), sum = 0, n, excess;

    while (sum < limit && t->n_mapped < IDE_MAP_MAX && (n = cursor_peek(t->dev->bus, t->tag, &t->at, limit - sum)) != 0) {
        hwaddr len = n;
        void *host = address_space_map(t->as, t->at.seg.addr, &len, to_host(t), MEMTXATTRS_UNSPECIFIED);

        if (!host) {
            break;
        }
        t->iov[t->n_mapped] = (struct iovec){ host, len };
        t->mapped[t->n_mapped++] = len;
        cursor_skip(&t->at, len);
        sum += len;
    }
    excess = sum % block_size(t);
    if (excess) {
        trim(t, excess);
        rewind_to(t, sum - excess);
    }
    return sum - excess;
}

/* How many whole blocks the list has room for, from here on, up to @max bytes. */
static uint64_t room(IdeTransfer *t, uint64_t max)
{
    IdeCursor at = t->at;
    uint64_t sum = 0, n;

    while (sum < max && (n = cursor_peek(t->dev->bus, t->tag, &at, max - sum)) != 0) {
        cursor_skip(&at, n);
        sum += n;
    }
    return sum - sum % block_size(t);
}

static void chunk_done(void *opaque, int ret);

static void request(IdeTransfer *t, const struct iovec *iov, unsigned n)
{
    BlockBackend *blk = t->dev->blk;

    if (to_host(t)) {
        blk_preadv(blk, t->offset, iov, n, chunk_done, t);
    } else {
        blk_pwritev(blk, t->offset, iov, n, chunk_done, t);
    }
}

static void chunk_bounced(IdeTransfer *t)
{
    bool ok = true;

    t->chunk = room(t, MIN(t->left, IDE_BOUNCE_BYTES));
    if (!t->chunk) {
        t->end(t, IDE_LIST_SHORT);
        return;
    }
    t->bounce = t->bounce ? t->bounce : g_malloc0(IDE_BOUNCE_BYTES);
    if (!to_host(t)) {
        t->chunk = ide_copy(t->dev->bus, t->tag, &t->at, t->bounce, t->chunk, false, &ok);
        t->chunk -= t->chunk % block_size(t);
    }
    if (!ok || !t->chunk) {
        t->end(t, ok ? IDE_LIST_SHORT : IDE_MEMORY_ERROR);
        return;
    }
    request(t, &(struct iovec){ t->bounce, t->chunk }, 1);
}

static void chunk_start(IdeTransfer *t)
{
    t->chunk_start = t->at;
    if (t->buf) {
        t->chunk = t->left;
        request(t, &(struct iovec){ t->buf, t->chunk }, 1);
        return;
    }
    t->as = t->dev->bus->transport->dma_space(t->dev->bus);
    t->chunk = map_chunk(t);
    if (t->chunk) {
        request(t, t->iov, t->n_mapped);
        return;
    }
    t->at = t->chunk_start;
    chunk_bounced(t);
}

static void discard_next(IdeTransfer *t)
{
    unsigned i = t->next_range;

    blk_discard(t->dev->blk, t->ranges[i].offset, t->ranges[i].bytes, chunk_done, t);
}

void ide_transfer_start(IdeTransfer *t)
{
    if (t->kind == IDE_FLUSH) {
        blk_flush(t->dev->blk, chunk_done, t);
    } else if (t->kind == IDE_DISCARD) {
        if (t->next_range < t->n_ranges) {
            discard_next(t);
        } else {
            t->end(t, IDE_DONE);
        }
    } else if (t->left) {
        chunk_start(t);
    } else if (t->fua && !t->flushing) {
        t->flushing = true;
        blk_flush(t->dev->blk, chunk_done, t);
    } else {
        t->end(t, IDE_DONE);
    }
}

/* --- its end --- */

static void chunk_failed(IdeTransfer *t, int err)
{
    BlockAction action = blk_error(t->dev->blk, to_host(t), err);

    unmap(t, false);
    if (action == BLOCK_ACTION_STOP) {
        g_clear_pointer(&t->bounce, g_free);
        t->flushing = false;
        t->at = t->chunk_start;
        g_queue_push_tail(t->dev->stopped, t);
    } else if (action == BLOCK_ACTION_REPORT) {
        t->end(t, IDE_MEDIUM_ERROR);
    } else {                            /* as if it had gone well */
        chunk_done(t, 0);
    }
}

static void chunk_done(void *opaque, int ret)
{
    IdeTransfer *t = opaque;
    bool ok = true;

    if (!t->dev) {                      /* reset: the memory is let go, nothing else */
        unmap(t, !ret);
        ide_transfer_free(t);
        return;
    }
    if (ret) {
        chunk_failed(t, -ret);
        return;
    }
    unmap(t, true);
    if (t->bounce && t->kind == IDE_READ) {
        ide_copy(t->dev->bus, t->tag, &t->at, t->bounce, t->chunk, true, &ok);
    }
    t->offset += t->chunk;
    t->moved += t->chunk;
    t->left -= t->chunk;
    t->chunk = 0;
    g_clear_pointer(&t->bounce, g_free);
    t->next_range++;
    if (t->kind == IDE_FLUSH || !ok) {
        t->end(t, ok ? IDE_DONE : IDE_MEMORY_ERROR);
    } else {
        ide_transfer_start(t);
    }
}

void ide_transfers_retry(IdeDevice *d)
{
    for (unsigned n = g_queue_get_length(d->stopped); n; n--) {
        ide_transfer_start(g_queue_pop_head(d->stopped));
    }
}

void ide_transfers_drop(IdeDevice *d)
{
    IdeTransfer *t;

    while ((t = g_queue_pop_head(d->stopped)) != NULL) {
        ide_transfer_free(t);
    }
    while ((t = g_queue_pop_head(d->transfers)) != NULL) {
        t->dev = NULL;                  /* its completion frees it */
    }
    blk_drain(d->blk);
}
