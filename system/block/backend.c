/*
 * A device's end of a node: asynchronous requests, their way through throttles, accounting, errors.
 *
 * A request first waits its turn: at the backend's own throttle, then at those of the nodes on its way.  Then
 * it is started by the driver at the end of the way, if that can start requests without blocking, or else
 * run by a worker.  The context (context.c) brings it back and completes it.
 */
#include "block-internal.h"
#include "hw/core/qdev.h"
#include "qapi/qapi-events.h"
#include "system/runstate.h"
#include "util/main-loop.h"
#include "util/timer.h"
#include "trace.h"

static BlockBackend *backends;  /* newest first; BQL */

BlockBackend *block_backends(void)
{
    return backends;
}

/* --- accounting --- */

static BlockRequestKind account_as(BlockRequestKind kind)
{
    return kind == BLOCK_ZERO ? BLOCK_WRITE : kind;     /* as QEMU counts them */
}

static void account_done(BlockRequest *r)
{
    BlockAccounting *a = &r->blk->acct;
    BlockRequestKind kind = account_as(r->kind);
    int64_t now = clock_get_ns(CLOCK_TYPE_REALTIME);

    if (r->ret) {
        a->failed[kind]++;
    } else {
        a->ops[kind]++;
        a->bytes[kind] += r->bytes;
    }
    if (!r->ret || a->account_failed) {
        a->time_ns[kind] += now - r->start_ns;
        a->last_ns = now;
    }
}

void blk_account_invalid(BlockBackend *blk, BlockRequestKind kind)
{
    blk->acct.invalid[account_as(kind)]++;
    if (blk->acct.account_invalid) {
        blk->acct.last_ns = clock_get_ns(CLOCK_TYPE_REALTIME);
    }
}

void blk_set_accounting(BlockBackend *blk, bool invalid, bool failed)
{
    blk->acct.account_invalid = invalid;
    blk->acct.account_failed = failed;
}

/* --- running --- */

void block_request_complete(BlockRequest *r)
{
    r->blk->in_flight--;
    trace_blk_request_complete(r->blk, r->ret);
    account_done(r);
    r->cb(r->opaque, r->ret);
    g_free(r->iov);
    g_free(r);
}

void block_request_run(BlockRequest *r)
{
    BlockNode *n = r->blk->use.node;

    switch (r->kind) {
    case BLOCK_READ:
        r->ret = block_node_preadv(n, r->offset, r->iov, r->niov, r->bytes);
        break;
    case BLOCK_WRITE:
        r->ret = block_node_pwritev(n, r->offset, r->iov, r->niov, r->bytes);
        break;
    case BLOCK_FLUSH:
        r->ret = block_node_flush(n);
        break;
    case BLOCK_DISCARD:
        r->ret = block_node_discard(n, r->offset, r->bytes);
        break;
    default:
        r->ret = block_node_write_zeroes(n, r->offset, r->bytes, r->may_unmap);
        break;
    }
    if (!r->ret && r->write_through) {
        r->ret = block_node_flush(n);
    }
}

/* Nodes that pass requests on leave nothing to be done for this one? */
static bool passes_on(const BlockNode *n, const BlockRequest *r)
{
    return n->drv->child_offset
        && !(r->kind == BLOCK_WRITE && n->detect_zeroes != QAPI_BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF)
        && !(r->kind == BLOCK_FLUSH && n->no_flush);
}

/* Without blocking, if it can be so. */
static bool start_at_leaf(BlockRequest *r)
{
    BlockNode *n = r->blk->use.node;
    uint64_t offset = r->offset;

    if (r->kind > BLOCK_FLUSH || r->write_through) {
        return false;
    }
    while (passes_on(n, r)) {
        offset = n->drv->child_offset(n, offset);
        n = block_child(n);
    }
    if (!n->drv->start || (r->kind == BLOCK_WRITE && n->detect_zeroes != QAPI_BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF)
        || (r->kind == BLOCK_FLUSH && n->no_flush)) {
        return false;
    }
    r->leaf = n;
    return n->drv->start(n, r, offset);
}

bool block_request_is_draining(const BlockRequest *r)
{
    return r->blk->draining;
}

/* Past the gate where it waited: to the next one, or to be run. */
void block_request_go_on(BlockRequest *r)
{
    while ((r->gate = r->gate ? block_child(r->gate) : r->blk->use.node) != NULL) {
        ThrottleMember *m = r->gate->drv->throttle ? r->gate->drv->throttle(r->gate) : NULL;

        if (m && !throttle_member_admit(m, r)) {
            return;
        }
    }
    if (!start_at_leaf(r)) {
        block_context_push(r->ctx, r);
    }
}

static bool is_change(BlockRequestKind kind)
{
    return kind != BLOCK_READ && kind != BLOCK_FLUSH;
}

/* A request that fails before it starts completes like any other. */
static void finish_early(BlockRequest *r, int ret)
{
    r->ret = ret;
    block_request_done(r);
}

static void trace_submit(const BlockRequest *r)
{
    const char *node = blk_name(r->blk);

    switch (r->kind) {
    case BLOCK_READ:
        trace_blk_co_preadv(r->blk, node, r->offset, r->bytes);
        break;
    case BLOCK_WRITE:
    case BLOCK_ZERO:
        trace_blk_co_pwritev(r->blk, node, r->offset, r->bytes);
        break;
    case BLOCK_DISCARD:
        trace_blk_co_pdiscard(r->blk, node, r->offset, r->bytes);
        break;
    case BLOCK_FLUSH:
        trace_blk_co_flush(r->blk, node);
        break;
    default:
        break;
    }
}

static void submit(BlockBackend *blk, BlockRequestKind kind, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                   unsigned niov, bool may_unmap, BlockCompletion *cb, void *opaque)
{
    uint64_t size = blk_size_bytes(blk);
    BlockRequest *r = g_new0(BlockRequest, 1);

    *r = (BlockRequest){
        .blk = blk, .ctx = blk->ctx, .kind = kind, .may_unmap = may_unmap, .offset = offset, .bytes = bytes,
        .iov = g_memdup2(iov, niov * sizeof(*iov)), .niov = niov, .cb = cb, .opaque = opaque,
        .write_through = !blk->write_cache && (kind == BLOCK_WRITE || kind == BLOCK_ZERO),
        .start_ns = clock_get_ns(CLOCK_TYPE_REALTIME),
    };
    blk->in_flight++;
    trace_submit(r);
    if (!blk->use.node) {
        finish_early(r, -ENOMEDIUM);
    } else if (is_change(kind) && !blk->writable) {
        finish_early(r, -EPERM);
    } else if (offset > size || bytes > size - offset) {
        finish_early(r, -EIO);
    } else if (!blk->throttle || throttle_member_admit(blk->throttle, r)) {
        block_request_go_on(r);
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
    submit(blk, BLOCK_READ, offset, iov_bytes(iov, niov), iov, niov, false, cb, opaque);
}

void blk_pwritev(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned niov, BlockCompletion *cb, void *opaque)
{
    submit(blk, BLOCK_WRITE, offset, iov_bytes(iov, niov), iov, niov, false, cb, opaque);
}

void blk_flush(BlockBackend *blk, BlockCompletion *cb, void *opaque)
{
    submit(blk, BLOCK_FLUSH, 0, 0, NULL, 0, false, cb, opaque);
}

void blk_discard(BlockBackend *blk, uint64_t offset, uint64_t bytes, BlockCompletion *cb, void *opaque)
{
    submit(blk, BLOCK_DISCARD, offset, bytes, NULL, 0, true, cb, opaque);
}

void blk_write_zeroes(BlockBackend *blk, uint64_t offset, uint64_t bytes, bool may_unmap, BlockCompletion *cb, void *opaque)
{
    submit(blk, BLOCK_ZERO, offset, bytes, NULL, 0, may_unmap, cb, opaque);
}

void blk_plug(BlockBackend *blk)
{
    block_context_plug(blk->ctx);
}

void blk_unplug(BlockBackend *blk)
{
    block_context_unplug(blk->ctx);
}

/* --- draining --- */

static void release_throttled(BlockBackend *blk)
{
    if (blk->throttle) {
        throttle_member_release(blk->throttle, blk);
    }
    for (BlockNode *n = blk->use.node; n; n = block_child(n)) {
        if (n->drv->throttle) {
            throttle_member_release(n->drv->throttle(n), blk);
        }
    }
}

void blk_drain(BlockBackend *blk)
{
    blk->draining++;
    release_throttled(blk);
    while (blk->in_flight) {
        block_context_wait(blk->ctx);
    }
    blk->draining--;
}

void block_drain_all(void)
{
    for (BlockBackend *blk = backends; blk; blk = blk->next) {
        blk_drain(blk);
    }
}

void block_flush_all(void)
{
    block_drain_all();
    for (BlockBackend *blk = backends; blk; blk = blk->next) {
        int ret = blk->writable && blk->use.node ? block_node_flush(blk->use.node) : 0;

        if (ret) {
            warn_report("flushing block node '%s': %s", blk->use.node->name, g_strerror(-ret));
        }
    }
}

/* --- errors --- */

const char *const block_on_error_names[BLOCK_ON_ERROR_MAX + 1] = { "report", "ignore", "enospc", "stop", "auto" };

bool blk_set_on_error(BlockBackend *blk, BlockOnError rerror, BlockOnError werror, Error **errp)
{
    if (rerror == BLOCK_ON_ERROR_ENOSPC) {
        error_setg(errp, "rerror must be report, ignore, stop or auto, got enospc");
        return false;
    }
    if (rerror != BLOCK_ON_ERROR_AUTO) {
        blk->rerror = rerror;
    }
    if (werror != BLOCK_ON_ERROR_AUTO) {
        blk->werror = werror;
    }
    return true;
}

static bool has_io_status(const BlockBackend *blk)
{
    return blk->rerror == BLOCK_ON_ERROR_STOP || blk->werror == BLOCK_ON_ERROR_STOP || blk->werror == BLOCK_ON_ERROR_ENOSPC;
}

static BlockAction action_for(const BlockBackend *blk, bool is_read, int err)
{
    switch (is_read ? blk->rerror : blk->werror) {
    case BLOCK_ON_ERROR_IGNORE:
        return BLOCK_ACTION_IGNORE;
    case BLOCK_ON_ERROR_STOP:
        return BLOCK_ACTION_STOP;
    case BLOCK_ON_ERROR_ENOSPC:
        return err == ENOSPC ? BLOCK_ACTION_STOP : BLOCK_ACTION_REPORT;
    default:
        return BLOCK_ACTION_REPORT;
    }
}

/* The first failure since all was well is told to be the cause. */
static void set_io_status(BlockBackend *blk, int err)
{
    if (blk->io_status == QAPI_BLOCK_DEVICE_IO_STATUS_OK) {
        blk->io_status = err == ENOSPC ? QAPI_BLOCK_DEVICE_IO_STATUS_NOSPACE : QAPI_BLOCK_DEVICE_IO_STATUS_FAILED;
    }
}

BlockAction blk_error(BlockBackend *blk, bool is_read, int err)
{
    static const QapiBlockErrorAction told[] = {
        [BLOCK_ACTION_IGNORE] = QAPI_BLOCK_ERROR_ACTION_IGNORE, [BLOCK_ACTION_REPORT] = QAPI_BLOCK_ERROR_ACTION_REPORT,
        [BLOCK_ACTION_STOP] = QAPI_BLOCK_ERROR_ACTION_STOP,
    };
    BlockAction action = action_for(blk, is_read, err);
    g_autofree char *path = blk->owner ? object_path(blk->owner) : NULL;

    if (action == BLOCK_ACTION_STOP) {
        set_io_status(blk, err);
    }
    qapi_event_send_block_io_error(path ? path : "", blk->drive_id, blk->use.node ? blk->use.node->name : NULL,
                                   is_read ? QAPI_IO_OPERATION_TYPE_READ : QAPI_IO_OPERATION_TYPE_WRITE, told[action],
                                   has_io_status(blk), err == ENOSPC, g_strerror(err));
    if (action == BLOCK_ACTION_STOP) {
        vm_stop_request(RUN_STATE_IO_ERROR);
    }
    return action;
}

void blk_reset_io_status(BlockBackend *blk)
{
    blk->io_status = QAPI_BLOCK_DEVICE_IO_STATUS_OK;
}

/* --- throttling --- */

bool blk_set_throttle(BlockBackend *blk, const QapiThrottleLimits *limits, const char *group, Error **errp)
{
    ThrottleGroup *g;

    if (!limits) {
        blk_drain(blk);
        g_clear_pointer(&blk->throttle, throttle_member_free);
        return true;
    }
    g = throttle_group_get(group);
    if (!throttle_group_set_limits(g, limits, errp)) {
        object_unref(g);
        return false;
    }
    if (blk->throttle && throttle_member_group(blk->throttle) == g) {
        object_unref(g);
        return true;
    }
    blk_drain(blk);
    throttle_member_free(blk->throttle);
    blk->throttle = throttle_member_new(g);
    return true;
}

/* --- life --- */

/* What -drive said about the device's end. */
static bool take_drive_options(BlockBackend *blk, BlockDrive *d, Error **errp)
{
    if (d->blk) {
        error_setg(errp, "Drive '%s' is already in use by another block device", d->id);
        return false;
    }
    blk->write_cache = !d->writethrough;
    blk->rerror = d->rerror;
    blk->werror = d->werror;
    blk->drive_id = g_strdup(d->id);
    if (d->limits && !blk_set_throttle(blk, d->limits, d->group, errp)) {
        return false;
    }
    d->blk = blk;
    return true;
}

static void backend_free(BlockBackend *blk)
{
    throttle_member_free(blk->throttle);
    g_free(blk->drive_id);
    g_free(blk);
}

static void *fail_new(BlockBackend *blk)
{
    block_unuse(&blk->use);
    backend_free(blk);
    return NULL;
}

static char *owner_text(const Object *owner)
{
    g_autofree char *path = owner ? object_path(owner) : NULL;

    return g_strdup_printf("block device '%s'", path ? path : "");
}

bool block_backend_attach(BlockBackend *blk, BlockNode *n, Error **errp)
{
    void (*resized)(void *opaque) = blk->use.resized;
    void *opaque = blk->use.opaque;
    bool ok = block_use(&blk->use, n, NULL, owner_text(blk->owner), PERM_CONSISTENT_READ | (blk->writable ? PERM_WRITE : 0),
                        PERM_CONSISTENT_READ | PERM_WRITE_UNCHANGED | PERM_RESIZE | (blk->share_rw ? PERM_WRITE : 0), errp);

    blk->use.resized = resized;
    blk->use.opaque = opaque;
    return ok;
}

/* What @drive names.  False and @errp if it is nothing, or holds no medium though the device needs one. */
static bool find_medium(const char *drive, unsigned flags, BlockDrive **d, BlockNode **n, Error **errp)
{
    bool names = drive && *drive;

    *d = names ? block_drive_find(drive) : NULL;
    *n = *d ? (*d)->node : names ? block_node_find(drive) : NULL;
    if (names && !*d && !*n) {
        error_setg(errp, "Can't find block node or drive '%s'", drive);
    } else if (!*n && !(flags & BLK_MAY_BE_EMPTY)) {
        error_setg(errp, "Device needs media, but drive is empty");
    } else {
        return true;
    }
    return false;
}

BlockBackend *blk_new(const char *drive, void *owner_dev, unsigned flags, Error **errp)
{
    BlockBackend *blk;
    BlockDrive *d;
    BlockNode *n;

    if (!find_medium(drive, flags, &d, &n, errp)) {
        return NULL;
    }
    blk = g_new0(BlockBackend, 1);
    blk->owner = owner_dev;
    blk->writable = flags & BLK_WRITABLE;
    blk->write_cache = true;
    blk->rerror = BLOCK_ON_ERROR_REPORT;
    blk->werror = BLOCK_ON_ERROR_ENOSPC;
    blk->acct.account_failed = blk->acct.account_invalid = true;
    blk->ctx = block_context_get(NULL);
    blk->share_rw = flags & BLK_SHARE_RW;
    if (n && !block_backend_attach(blk, n, errp)) {
        return fail_new(blk);
    }
    if (d && !take_drive_options(blk, d, errp)) {
        return fail_new(blk);
    }
    if (!blk->drive_id) {
        blk->drive_id = g_strdup("");
    }
    blk->next = backends;
    backends = blk;
    return blk;
}

void blk_unref(BlockBackend *blk)
{
    BlockBackend **link = &backends;
    BlockDrive *d;

    if (!blk) {
        return;
    }
    blk_drain(blk);
    if (blk->writable && blk->use.node && block_node_flush(blk->use.node)) {
        warn_report("block node '%s' could not be flushed", blk->use.node->name);
    }
    d = block_drive_find(blk->drive_id);
    if (d) {
        d->blk = NULL;
    }
    while (*link != blk) {
        link = &(*link)->next;
    }
    *link = blk->next;
    blk_set_iothread(blk, NULL);
    block_unuse(&blk->use);
    backend_free(blk);
}

uint64_t blk_size_bytes(const BlockBackend *blk) { return blk->use.node ? blk->use.node->size_bytes : 0; }
bool blk_is_read_only(const BlockBackend *blk) { return !blk->writable; }
const char *blk_name(const BlockBackend *blk) { return blk->use.node ? blk->use.node->name : ""; }
BlockNode *blk_node(const BlockBackend *blk) { return blk->use.node; }
void blk_set_enable_write_cache(BlockBackend *blk, bool on) { blk->write_cache = on; }
bool blk_enable_write_cache(const BlockBackend *blk) { return blk->write_cache; }
IOThread *blk_iothread(const BlockBackend *blk) { return blk->iothread; }

void blk_set_iothread(BlockBackend *blk, IOThread *t)
{
    blk_drain(blk);
    if (t) {
        object_ref(t);
    }
    blk->ctx = block_context_get(t);
    object_unref(blk->iothread);
    blk->iothread = t;
}

void blk_set_resize_notify(BlockBackend *blk, void (*fn)(void *opaque), void *opaque)
{
    blk->use.resized = fn;
    blk->use.opaque = opaque;
}

static bool is_owned_by(const BlockBackend *blk, const char *id)
{
    g_autofree char *path = NULL;

    for (Object *o = blk->owner; o; o = o->parent) {        /* a device and the proxy it is in */
        if (object_is(o, &device_type) && !g_strcmp0(DEVICE(o)->id, id)) {
            return true;
        }
        g_free(path);
        path = object_path(o);
        if (!g_strcmp0(path, id)) {
            return true;
        }
        if (!object_is(o->parent, &device_type)) {
            break;
        }
    }
    return false;
}

BlockBackend *block_backend_find(const char *device, const char *id, Error **errp)
{
    if (!device == !id) {
        error_setg(errp, "Need exactly one of 'device' and 'id'");
        return NULL;
    }
    for (BlockBackend *blk = backends; blk; blk = blk->next) {
        if (device ? !strcmp(blk->drive_id, device) && *device : is_owned_by(blk, id)) {
            return blk;
        }
    }
    error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", device ? device : id);
    return NULL;
}
