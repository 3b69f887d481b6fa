/*
 * Block drivers "null-co" and "null-aio": read anything (zeroes if asked for), forget writes; for measuring.
 */
#include "block-internal.h"

typedef struct NullState {
    uint64_t latency_ns;
    bool read_zeroes;
} NullState;

static const QapiBlockdevOptionsNull *null_options(const QapiBlockdevOptions *o)
{
    return o->driver == QAPI_BLOCKDEV_DRIVER_NULL_CO ? &o->u.null_co : &o->u.null_aio;
}

static NullState *state_new(const QapiBlockdevOptionsNull *o)
{
    NullState *s = g_new0(NullState, 1);

    s->latency_ns = o->latency_ns;
    s->read_zeroes = o->has_read_zeroes && o->read_zeroes;
    return s;
}

#define LATENCY_MAX_NS (UINT64_C(3600) * 1000 * 1000 * 1000)

static bool check(const QapiBlockdevOptionsNull *o, Error **errp)
{
    if (o->size > INT64_MAX || o->latency_ns > LATENCY_MAX_NS) {
        error_setg(errp, "%s is out of range: at most %" PRIu64, o->size > INT64_MAX ? "size" : "latency-ns",
                   o->size > INT64_MAX ? (uint64_t)INT64_MAX : LATENCY_MAX_NS);
        return false;
    }
    return true;
}

static bool null_open(BlockNode *n, const QapiBlockdevOptions *opts, Error **errp)
{
    const QapiBlockdevOptionsNull *o = null_options(opts);

    if (!check(o, errp)) {
        return false;
    }
    n->size_bytes = o->has_size ? o->size : GiB;
    n->state = state_new(o);
    return true;
}

static void null_close(BlockNode *n)
{
    g_free(n->state);
}

static bool null_reopen(BlockNode *n, const BlockNode *new, const QapiBlockdevOptions *opts, void **prepared, Error **errp)
{
    const QapiBlockdevOptionsNull *o = null_options(opts);

    if ((o->has_size ? o->size : GiB) != n->size_bytes) {
        error_setg(errp, "Cannot change the option 'size'");
        return false;
    }
    if (!check(o, errp)) {
        return false;
    }
    *prepared = state_new(o);
    return true;
}

static void null_reopen_commit(BlockNode *n, void *prepared)
{
    g_free(n->state);
    n->state = prepared;
}

static void null_reopen_abort(BlockNode *n, void *prepared)
{
    g_free(prepared);
}

static int take_time(const BlockNode *n)
{
    const NullState *s = n->state;

    if (s->latency_ns) {
        g_usleep((s->latency_ns + 999) / 1000);
    }
    return 0;
}

static int null_preadv(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    for (unsigned i = 0; ((const NullState *)n->state)->read_zeroes && i < niov; i++) {
        memset(iov[i].iov_base, 0, iov[i].iov_len);
    }
    return take_time(n);
}

static int null_pwritev(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return take_time(n);
}

static int null_flush(BlockNode *n)
{
    return take_time(n);
}

static int null_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    return take_time(n);
}

static int null_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, bool may_unmap)
{
    return take_time(n);
}

static char *null_filename(const BlockNode *n, Value *json)
{
    const NullState *s = n->state;

    value_dict_set(json, "size", value_uint(n->size_bytes));
    if (s->latency_ns) {
        value_dict_set(json, "latency-ns", value_uint(s->latency_ns));
    }
    if (s->read_zeroes) {
        value_dict_set_bool(json, "read-zeroes", true);
    }
    return NULL;
}

#define NULL_CALLBACKS                                                                        \
    .open = null_open, .close = null_close, .preadv = null_preadv, .pwritev = null_pwritev,   \
    .flush = null_flush, .discard = null_discard, .write_zeroes = null_write_zeroes,          \
    .reopen = null_reopen, .reopen_commit = null_reopen_commit, .reopen_abort = null_reopen_abort, \
    .filename = null_filename

const BlockDriver block_driver_null_co = {
    .name = "null-co", .id = QAPI_BLOCKDEV_DRIVER_NULL_CO, NULL_CALLBACKS,
};

const BlockDriver block_driver_null_aio = {
    .name = "null-aio", .id = QAPI_BLOCKDEV_DRIVER_NULL_AIO, NULL_CALLBACKS,
};
