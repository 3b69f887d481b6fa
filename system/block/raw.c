/*
 * Block drivers that need no metadata: "raw" (a window onto its child) and "null-co" (nothing).
 */
#include "block-internal.h"

typedef struct RawState {
    uint64_t offset;
    bool fixed_size;
} RawState;

static const char *const raw_options[] = { "file", "offset", "size", NULL };

static bool opt_bytes(const Value *opts, const char *key, uint64_t *out, Error **errp)
{
    const Value *v = value_dict_get(opts, key);
    const char *text = value_dict_get_str(opts, key);
    char *end;

    if (!v || value_get_uint(v, out)) {
        return true;
    }
    if (text) {
        errno = 0;
        *out = strtoull(text, &end, 0);
        if (!errno && end != text && !*end && text[0] != '-') {
            return true;
        }
    }
    error_setg(errp, "block option '%s' must be a number of bytes", key);
    return false;
}

static bool raw_open(BlockNode *n, const Value *opts, Error **errp)
{
    RawState s = { .fixed_size = value_dict_get(opts, "size") != NULL };
    uint64_t size = 0;

    if (!opt_bytes(opts, "offset", &s.offset, errp) || !opt_bytes(opts, "size", &size, errp)) {
        return false;
    }
    n->file = block_child_open(opts, "file", n->read_only, errp);
    if (!n->file) {
        return false;
    }
    if (s.offset > n->file->size_bytes || (s.fixed_size && size > n->file->size_bytes - s.offset)) {
        error_setg(errp, "window %" PRIu64 "+%" PRIu64 " is beyond the %" PRIu64 " bytes of '%s'", s.offset, size,
                   n->file->size_bytes, n->file->name);
        block_child_close(n->file);
        return false;
    }
    n->read_only |= n->file->read_only;
    n->size_bytes = s.fixed_size ? size : n->file->size_bytes - s.offset;
    n->filename = g_strdup(n->file->filename);
    n->state = g_memdup2(&s, sizeof(s));
    return true;
}

static void raw_close(BlockNode *n)
{
    block_child_close(n->file);
    g_free(n->state);
}

static uint64_t shifted(const BlockNode *n, uint64_t offset)
{
    return offset + ((const RawState *)n->state)->offset;
}

static int raw_preadv(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return n->file->drv->preadv(n->file, shifted(n, offset), iov, niov, len);
}

static int raw_pwritev(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return n->file->drv->pwritev(n->file, shifted(n, offset), iov, niov, len);
}

static int raw_flush(BlockNode *n)
{
    return n->file->drv->flush(n->file);
}

static int raw_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    return n->discard ? n->file->drv->discard(n->file, shifted(n, offset), bytes) : 0;
}

static int raw_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, bool may_unmap)
{
    return n->file->drv->write_zeroes(n->file, shifted(n, offset), bytes, may_unmap && n->discard);
}

static bool raw_resize(BlockNode *n, uint64_t size_bytes, Error **errp)
{
    const RawState *s = n->state;

    if (s->fixed_size || s->offset) {
        error_setg(errp, "node '%s' is a window of fixed size", n->name);
        return false;
    }
    if (!n->file->drv->resize || !n->file->drv->resize(n->file, size_bytes, errp)) {
        return false;
    }
    n->size_bytes = size_bytes;
    return true;
}

const BlockDriver block_driver_raw = {
    .name = "raw", .options = raw_options, .open = raw_open, .close = raw_close,
    .preadv = raw_preadv, .pwritev = raw_pwritev, .flush = raw_flush, .discard = raw_discard,
    .write_zeroes = raw_write_zeroes, .resize = raw_resize,
};

/* --- null-co: reads zeroes, forgets writes; for measuring --- */

static const char *const null_options[] = { "size", NULL };

static bool null_open(BlockNode *n, const Value *opts, Error **errp)
{
    n->size_bytes = GiB;
    return opt_bytes(opts, "size", &n->size_bytes, errp);
}

static void null_close(BlockNode *n)
{
}

static int null_preadv(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    for (unsigned i = 0; i < niov; i++) {
        memset(iov[i].iov_base, 0, iov[i].iov_len);
    }
    return 0;
}

static int null_pwritev(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return 0;
}

static int null_flush(BlockNode *n)
{
    return 0;
}

static int null_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    return 0;
}

static int null_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, bool may_unmap)
{
    return 0;
}

const BlockDriver block_driver_null = {
    .name = "null-co", .options = null_options, .open = null_open, .close = null_close,
    .preadv = null_preadv, .pwritev = null_pwritev, .flush = null_flush, .discard = null_discard,
    .write_zeroes = null_write_zeroes,
};
