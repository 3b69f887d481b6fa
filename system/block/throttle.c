/*
 * Limits as leaky buckets, and the block driver "throttle" that keeps its child within a group's.
 *
 * A bucket is filled by the requests that go and leaks at the rate allowed; a request waits while the bucket
 * is over its brim.  The brim of a bucket without bursts is 100 ms of its rate.  With bursts (max, and
 * max-length seconds) it is all that a burst of that length brings at the burst rate; a second level, which
 * leaks at the burst rate with 100 ms of it for a brim, keeps the burst itself to its rate.
 */
#include "block-internal.h"

#include <math.h>

#define NS_PER_S     1e9
#define WAIT_MAX_S   86400.0    /* then it is asked again: a byte a second makes waits that no timer holds */
#define VALUE_MAX    INT64_C(1000000000000000)      /* QEMU's */

/* --- limits from and to their names --- */

static const struct { size_t avg, has_avg, max, has_max, length, has_length; const char *name; } limit_fields[N_BUCKETS] = {
#define FIELDS(bucket, field)                                                                 \
    [bucket] = { offsetof(QapiThrottleLimits, field), offsetof(QapiThrottleLimits, has_##field), \
                 offsetof(QapiThrottleLimits, field##_max), offsetof(QapiThrottleLimits, has_##field##_max), \
                 offsetof(QapiThrottleLimits, field##_max_length), offsetof(QapiThrottleLimits, has_##field##_max_length), \
                 #field }
    FIELDS(BUCKET_BPS_TOTAL, bps_total), FIELDS(BUCKET_BPS_READ, bps_read), FIELDS(BUCKET_BPS_WRITE, bps_write),
    FIELDS(BUCKET_OPS_TOTAL, iops_total), FIELDS(BUCKET_OPS_READ, iops_read), FIELDS(BUCKET_OPS_WRITE, iops_write),
#undef FIELDS
};

static bool get_number(const QapiThrottleLimits *l, size_t field, size_t has, int64_t def, int64_t *out)
{
    *out = *(const bool *)((const char *)l + has) ? *(const int64_t *)((const char *)l + field) : def;
    return *out >= 0 && *out <= VALUE_MAX;
}

static bool set_bucket(LeakyBucket *b, unsigned i, const QapiThrottleLimits *l, Error **errp)
{
    int64_t avg, max, length;
    const char *name = limit_fields[i].name;

    if (!get_number(l, limit_fields[i].avg, limit_fields[i].has_avg, 0, &avg)
        || !get_number(l, limit_fields[i].max, limit_fields[i].has_max, 0, &max)
        || !get_number(l, limit_fields[i].length, limit_fields[i].has_length, 1, &length)) {
        error_setg(errp, "%s, its max and max-length must be within [0, %" PRId64 "]", name, VALUE_MAX);
        return false;
    }
    if (!length) {
        error_setg(errp, "the burst length of %s cannot be 0", name);
    } else if (length > 1 && !max) {
        error_setg(errp, "burst length of %s set without burst rate", name);
    } else if (max && length > VALUE_MAX / max) {
        error_setg(errp, "burst length of %s too high for this burst rate", name);
    } else if (max && !avg) {
        error_setg(errp, "the max of %s requires a value of it", name);
    } else if (max && max < avg) {
        error_setg(errp, "the max of %s cannot be lower than its value", name);
    } else {
        b->avg = (double)avg;
        b->max = (double)max;
        b->burst_length = (uint64_t)length;
        return true;
    }
    return false;
}

/* A total and a limit per direction contradict each other. */
static bool check_pair(const Throttle *t, unsigned total, Error **errp)
{
    const LeakyBucket *b = &t->buckets[total];

    if ((b[0].avg && (b[1].avg || b[2].avg)) || (b[0].max && (b[1].max || b[2].max))) {
        error_setg(errp, "bps/iops/max total values and read/write values cannot be used at the same time");
        return false;
    }
    return true;
}

bool throttle_set_limits(Throttle *t, const QapiThrottleLimits *l, Error **errp)
{
    Throttle new = { .op_size = l->has_iops_size && l->iops_size > 0 ? (uint64_t)l->iops_size : 0 };

    if (l->has_iops_size && (l->iops_size < 0 || l->iops_size > VALUE_MAX)) {
        error_setg(errp, "iops size must be within [0, %" PRId64 "]", VALUE_MAX);
        return false;
    }
    for (unsigned i = 0; i < N_BUCKETS; i++) {
        if (!set_bucket(&new.buckets[i], i, l, errp)) {
            return false;
        }
    }
    if (!check_pair(&new, BUCKET_BPS_TOTAL, errp) || !check_pair(&new, BUCKET_OPS_TOTAL, errp)) {
        return false;
    }
    if (new.op_size && !new.buckets[BUCKET_OPS_TOTAL].avg && !new.buckets[BUCKET_OPS_READ].avg
        && !new.buckets[BUCKET_OPS_WRITE].avg) {
        error_setg(errp, "iops size requires an iops value to be set");
        return false;
    }
    *t = new;
    return true;
}

void throttle_get_limits(const Throttle *t, QapiThrottleLimits *l)
{
    for (unsigned i = 0; i < N_BUCKETS; i++) {
        char *p = (char *)l;

        *(bool *)(p + limit_fields[i].has_avg) = *(bool *)(p + limit_fields[i].has_max)
            = *(bool *)(p + limit_fields[i].has_length) = true;
        *(int64_t *)(p + limit_fields[i].avg) = (int64_t)t->buckets[i].avg;
        *(int64_t *)(p + limit_fields[i].max) = (int64_t)t->buckets[i].max;
        *(int64_t *)(p + limit_fields[i].length) = t->buckets[i].burst_length ? (int64_t)t->buckets[i].burst_length : 1;
    }
    l->has_iops_size = true;
    l->iops_size = (int64_t)t->op_size;
}

bool throttle_is_limited(const Throttle *t)
{
    for (unsigned i = 0; i < N_BUCKETS; i++) {
        if (t->buckets[i].avg) {
            return true;
        }
    }
    return false;
}

/* --- buckets --- */

static void leak(Throttle *t, int64_t now_ns)
{
    double seconds = (double)MAX(now_ns - t->leaked_ns, 0) / NS_PER_S;

    t->leaked_ns = now_ns;
    for (unsigned i = 0; i < N_BUCKETS; i++) {
        LeakyBucket *b = &t->buckets[i];

        b->level = MAX(b->level - b->avg * seconds, 0);
        b->burst_level = MAX(b->burst_level - b->max * seconds, 0);
    }
}

static double wait_seconds(const LeakyBucket *b)
{
    double brim = b->max ? b->max * (double)b->burst_length : b->avg / 10;

    if (!b->avg) {
        return 0;
    }
    if (b->level > brim) {
        return (b->level - brim) / b->avg;
    }
    if (b->burst_length > 1 && b->burst_level > b->max / 10) {
        return (b->burst_level - b->max / 10) / b->max;
    }
    return 0;
}

int64_t throttle_wait_ns(Throttle *t, bool is_write, int64_t now_ns)
{
    double wait = 0;

    leak(t, now_ns);
    for (unsigned total = 0; total < N_BUCKETS; total += BUCKET_OPS_TOTAL) {
        wait = MAX(wait, MAX(wait_seconds(&t->buckets[total]), wait_seconds(&t->buckets[total + 1 + is_write])));
    }
    return (int64_t)ceil(MIN(wait, WAIT_MAX_S) * NS_PER_S);
}

static void fill(LeakyBucket *b, double units)
{
    b->level += units;
    if (b->burst_length > 1) {
        b->burst_level += units;
    }
}

void throttle_account(Throttle *t, bool is_write, uint64_t bytes)
{
    double ops = t->op_size && bytes > t->op_size ? (double)bytes / (double)t->op_size : 1;

    for (unsigned total = 0; total < N_BUCKETS; total += BUCKET_OPS_TOTAL) {
        double units = total == BUCKET_BPS_TOTAL ? (double)bytes : ops;

        fill(&t->buckets[total], units);
        fill(&t->buckets[total + 1 + is_write], units);
    }
}

/* --- the driver --- */

static ThrottleMember *member_of_group(const char *name, Error **errp)
{
    if (!throttle_group_find(name)) {
        error_setg(errp, "Throttle group '%s' does not exist", name);
        return NULL;
    }
    return throttle_member_new(throttle_group_get(name));
}

static bool filter_open(BlockNode *n, const QapiBlockdevOptions *opts, Error **errp)
{
    n->state = member_of_group(opts->u.throttle.throttle_group, errp);
    if (!n->state) {
        return false;
    }
    if (!block_child_open(n, opts->u.throttle.file, errp)) {
        throttle_member_free(n->state);
        return false;
    }
    n->read_only |= n->auto_read_only && block_child(n)->read_only;
    n->size_bytes = block_child(n)->size_bytes;
    return true;
}

static void filter_close(BlockNode *n)
{
    throttle_member_free(n->state);
}

static bool filter_reopen(BlockNode *n, const BlockNode *new, const QapiBlockdevOptions *opts, void **prepared, Error **errp)
{
    *prepared = member_of_group(opts->u.throttle.throttle_group, errp);
    return *prepared != NULL;
}

static void filter_reopen_commit(BlockNode *n, void *prepared)
{
    throttle_member_free(n->state);
    n->state = prepared;
}

static void filter_reopen_abort(BlockNode *n, void *prepared)
{
    throttle_member_free(prepared);
}

static uint64_t filter_child_offset(const BlockNode *n, uint64_t offset)
{
    return offset;
}

/* Requests have waited already when they come here: they pass all throttles before they run. */
static int filter_preadv(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return block_node_preadv(block_child(n), offset, iov, niov, len);
}

static int filter_pwritev(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return block_node_pwritev(block_child(n), offset, iov, niov, len);
}

static int filter_flush(BlockNode *n)
{
    return block_node_flush(block_child(n));
}

static int filter_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    return block_node_discard(block_child(n), offset, bytes);
}

static int filter_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, bool may_unmap)
{
    return block_node_write_zeroes(block_child(n), offset, bytes, may_unmap);
}

static void filter_child_resized(BlockNode *n)
{
    n->size_bytes = block_child(n)->size_bytes;
    block_uses_resized(n);
}

static bool filter_resize(BlockNode *n, uint64_t size_bytes, Error **errp)
{
    BlockNode *child = block_child(n);

    if (!child->drv->resize) {
        error_setg(errp, "Image format driver '%s' of node '%s' does not support resize", child->drv->name, child->name);
        return false;
    }
    return child->drv->resize(child, size_bytes, errp);
}

static char *filter_filename(const BlockNode *n, Value *json)
{
    value_dict_set_str(json, "throttle-group", throttle_group_name(throttle_member_group(n->state)));
    return NULL;
}

static ThrottleMember *filter_throttle(const BlockNode *n)
{
    return n->state;
}

const BlockDriver block_driver_throttle = {
    .name = "throttle", .id = QAPI_BLOCKDEV_DRIVER_THROTTLE, .open = filter_open, .close = filter_close,
    .preadv = filter_preadv, .pwritev = filter_pwritev, .flush = filter_flush, .discard = filter_discard,
    .write_zeroes = filter_write_zeroes, .resize = filter_resize, .child_resized = filter_child_resized,
    .child_offset = filter_child_offset, .reopen = filter_reopen, .reopen_commit = filter_reopen_commit,
    .reopen_abort = filter_reopen_abort, .filename = filter_filename, .throttle = filter_throttle,
};
