/*
 * Blocking requests to a node: what is common to all drivers.  Worker threads.
 */
#include "block-internal.h"

void block_node_note_write(BlockNode *n, uint64_t end)
{
    uint64_t seen = __atomic_load_n(&n->wr_highest_offset, __ATOMIC_RELAXED);

    while (end > seen && !__atomic_compare_exchange_n(&n->wr_highest_offset, &seen, end, true, __ATOMIC_RELAXED,
                                                      __ATOMIC_RELAXED)) {
    }
}

int block_node_preadv(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return n->drv->preadv(n, offset, iov, niov, len);
}

static bool is_all_zero(const struct iovec *iov, unsigned niov)
{
    for (unsigned i = 0; i < niov; i++) {
        const uint8_t *p = iov[i].iov_base;
        size_t len = iov[i].iov_len;

        if (len && (p[0] || memcmp(p, p + 1, len - 1))) {
            return false;
        }
    }
    return true;
}

int block_node_pwritev(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    int ret;

    if (n->detect_zeroes != QAPI_BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF && is_all_zero(iov, niov)) {
        return block_node_write_zeroes(n, offset, len, n->detect_zeroes == QAPI_BLOCKDEV_DETECT_ZEROES_OPTIONS_UNMAP);
    }
    ret = n->drv->pwritev(n, offset, iov, niov, len);
    if (!ret) {
        block_node_note_write(n, offset + len);
    }
    return ret;
}

/* The whole chain, so that what a parent passed on is on the medium. */
int block_node_flush(BlockNode *n)
{
    return n->no_flush ? 0 : n->drv->flush(n);
}

int block_node_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    return n->discard && bytes ? n->drv->discard(n, offset, bytes) : 0;
}

int block_node_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, bool may_unmap)
{
    int ret = bytes ? n->drv->write_zeroes(n, offset, bytes, may_unmap && n->discard) : 0;

    if (!ret) {
        block_node_note_write(n, offset + bytes);
    }
    return ret;
}
