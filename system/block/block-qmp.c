/*
 * QMP commands that change block nodes and drives.  Those that tell of them are in block-query.c.
 */
#include "block-internal.h"
#include "qapi/qapi-commands.h"

bool qmp_blockdev_add(const QapiBlockdevOptions *args, Error **errp)
{
    return block_node_new(args, errp) != NULL;
}

bool qmp_blockdev_del(const QapiBlockdevDelArgs *args, Error **errp)
{
    return block_node_del(args->node_name, errp);
}

bool qmp_block_resize(const QapiBlockResizeArgs *args, Error **errp)
{
    const BlockDrive *drive = args->device ? block_drive_find(args->device) : NULL;
    BlockNode *node = drive ? drive->node : args->node_name ? block_node_find(args->node_name) : NULL;

    if (args->device && args->node_name) {
        error_setg(errp, "'device' and 'node-name' exclude each other");
        return false;
    }
    if (!node) {
        error_setg(errp, "Cannot find device='%s' nor node-name='%s'", args->device ? args->device : "",
                   args->node_name ? args->node_name : "");
        return false;
    }
    if (args->size < 0) {
        error_setg(errp, "Parameter 'size' expects a >0 size");
        return false;
    }
    return block_node_resize(node, (uint64_t)args->size, errp);
}

/* --- limits --- */

/* A limit of the command's under the group's names. */
static QapiThrottleLimits limits_of(const QapiBlockIOThrottle *a)
{
    QapiThrottleLimits l = { 0 };

#define TAKE(to, from)                                                                        \
    l.has_##to = true;                                                                        \
    l.to = a->from;                                                                           \
    l.has_##to##_max = a->has_##from##_max;                                                   \
    l.to##_max = a->from##_max;                                                               \
    l.has_##to##_max_length = a->has_##from##_max_length;                                     \
    l.to##_max_length = a->from##_max_length
    TAKE(bps_total, bps);
    TAKE(bps_read, bps_rd);
    TAKE(bps_write, bps_wr);
    TAKE(iops_total, iops);
    TAKE(iops_read, iops_rd);
    TAKE(iops_write, iops_wr);
#undef TAKE
    l.has_iops_size = a->has_iops_size;
    l.iops_size = a->iops_size;
    return l;
}

bool qmp_block_set_io_throttle(const QapiBlockIOThrottle *a, Error **errp)
{
    BlockBackend *blk = block_backend_find(a->device, a->id, errp);
    QapiThrottleLimits limits = limits_of(a);
    Throttle check = { 0 };
    const char *group;

    if (!blk || !throttle_set_limits(&check, &limits, errp)) {
        return false;
    }
    if (!throttle_is_limited(&check)) {
        return blk_set_throttle(blk, NULL, NULL, errp);
    }
    group = a->group ? a->group : blk->throttle ? throttle_group_name(throttle_member_group(blk->throttle))
        : a->device ? a->device : a->id;
    return blk_set_throttle(blk, &limits, group, errp);
}
