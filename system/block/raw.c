/*
 * Block driver "raw": the child as it is, or a window of it.
 */
#include "block-internal.h"

typedef struct RawState {
    uint64_t offset, size;
    bool has_size;
} RawState;

static bool fits(const RawState *s, const BlockNode *child, Error **errp)
{
    if (s->offset > child->size_bytes || (s->has_size && s->size > child->size_bytes - s->offset)) {
        error_setg(errp, "The window of %" PRIu64 " bytes at %" PRIu64 " is beyond the %" PRIu64 " bytes of '%s'", s->size,
                   s->offset, child->size_bytes, child->name);
        return false;
    }
    if (s->has_size && s->size % 512) {
        error_setg(errp, "Specified size is not multiple of 512: %" PRIu64, s->size);
        return false;
    }
    return true;
}

static RawState *state_new(const QapiBlockdevOptionsRaw *o)
{
    RawState *s = g_new0(RawState, 1);

    *s = (RawState){ .offset = o->offset, .size = o->size, .has_size = o->has_size };
    return s;
}

static void raw_child_resized(BlockNode *n)
{
    const RawState *s = n->state;
    uint64_t child = block_child(n)->size_bytes, old = n->size_bytes;

    if (!s->has_size) {
        n->size_bytes = child > s->offset ? child - s->offset : 0;
    }
    if (n->size_bytes != old) {
        block_uses_resized(n);
    }
}

static bool raw_open(BlockNode *n, const QapiBlockdevOptions *opts, Error **errp)
{
    const QapiBlockdevOptionsRaw *o = &opts->u.raw;
    RawState *s;

    if (!block_child_open(n, o->file, errp)) {
        return false;
    }
    s = state_new(o);
    if (!fits(s, block_child(n), errp)) {
        g_free(s);
        return false;
    }
    n->read_only |= n->auto_read_only && block_child(n)->read_only;
    n->state = s;
    n->size_bytes = s->has_size ? s->size : block_child(n)->size_bytes - s->offset;
    return true;
}

static void raw_close(BlockNode *n)
{
    g_free(n->state);
}

static bool raw_reopen(BlockNode *n, const BlockNode *new, const QapiBlockdevOptions *opts, void **prepared, Error **errp)
{
    RawState *s = state_new(&opts->u.raw);

    if (!fits(s, block_child(n), errp)) {
        g_free(s);
        return false;
    }
    *prepared = s;
    return true;
}

static void raw_reopen_commit(BlockNode *n, void *prepared)
{
    const RawState *s = prepared;
    uint64_t old = n->size_bytes;

    g_free(n->state);
    n->state = prepared;
    n->size_bytes = s->has_size ? s->size : block_child(n)->size_bytes - s->offset;
    if (n->size_bytes != old) {
        block_uses_resized(n);
    }
}

static void raw_reopen_abort(BlockNode *n, void *prepared)
{
    g_free(prepared);
}

static uint64_t raw_child_offset(const BlockNode *n, uint64_t offset)
{
    return offset + ((const RawState *)n->state)->offset;
}

static int raw_preadv(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return block_node_preadv(block_child(n), raw_child_offset(n, offset), iov, niov, len);
}

static int raw_pwritev(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return block_node_pwritev(block_child(n), raw_child_offset(n, offset), iov, niov, len);
}

static int raw_flush(BlockNode *n)
{
    return block_node_flush(block_child(n));
}

static int raw_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    return block_node_discard(block_child(n), raw_child_offset(n, offset), bytes);
}

static int raw_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, bool may_unmap)
{
    return block_node_write_zeroes(block_child(n), raw_child_offset(n, offset), bytes, may_unmap);
}

static bool raw_resize(BlockNode *n, uint64_t size_bytes, Error **errp)
{
    const RawState *s = n->state;
    BlockNode *child = block_child(n);

    if (s->has_size) {
        error_setg(errp, "Cannot resize fixed-size raw disks: node '%s'", n->name);
        return false;
    }
    if (!child->drv->resize || size_bytes > INT64_MAX - s->offset) {
        error_setg(errp, "Image format driver '%s' of node '%s' does not support resize to %" PRIu64 " bytes", child->drv->name,
                   child->name, size_bytes);
        return false;
    }
    return child->drv->resize(child, size_bytes + s->offset, errp);
}

static int64_t raw_actual_size(const BlockNode *n)
{
    const BlockNode *child = block_child(n);

    return child->drv->actual_size ? child->drv->actual_size(child) : 0;
}

static char *raw_filename(const BlockNode *n, Value *json)
{
    const RawState *s = n->state;

    if (s->offset) {
        value_dict_set(json, "offset", value_uint(s->offset));
    }
    if (s->has_size) {
        value_dict_set(json, "size", value_uint(s->size));
    }
    return s->offset || s->has_size ? NULL : g_strdup(block_node_filename(block_child(n)));
}

const BlockDriver block_driver_raw = {
    .name = "raw", .id = QAPI_BLOCKDEV_DRIVER_RAW, .open = raw_open, .close = raw_close,
    .preadv = raw_preadv, .pwritev = raw_pwritev, .flush = raw_flush, .discard = raw_discard,
    .write_zeroes = raw_write_zeroes, .resize = raw_resize, .child_resized = raw_child_resized,
    .child_offset = raw_child_offset, .reopen = raw_reopen, .reopen_commit = raw_reopen_commit,
    .reopen_abort = raw_reopen_abort, .actual_size = raw_actual_size, .has_dirty_flag = true, .filename = raw_filename,
};
