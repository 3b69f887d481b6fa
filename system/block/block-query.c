/*
 * QMP commands that tell of block nodes, drives and what devices asked of them.
 */
#include "block-internal.h"
#include "qapi/qapi-commands.h"
#include "util/timer.h"

/* --- nodes --- */

static QapiImageInfo *image_info(const BlockNode *n)
{
    QapiImageInfo *info = g_new0(QapiImageInfo, 1);

    info->filename = g_strdup(block_node_filename(n));
    info->format = g_strdup(n->drv->name);
    info->has_dirty_flag = n->drv->has_dirty_flag;
    info->has_actual_size = true;
    info->actual_size = n->drv->actual_size ? n->drv->actual_size(n) : 0;
    info->virtual_size = (int64_t)n->size_bytes;
    if (n->drv->id == QAPI_BLOCKDEV_DRIVER_FILE && !n->drv->internal) {
        info->format_specific = g_new0(QapiImageInfoSpecific, 1);
        info->format_specific->type = QAPI_IMAGE_INFO_FORMAT_FILE;
        info->format_specific->u.file.data = g_new0(QapiImageInfoSpecificFile, 1);
    }
    return info;
}

static void add_limits(QapiBlockDeviceInfo *info, ThrottleMember *m)
{
    ThrottleGroup *g = throttle_member_group(m);
    QapiThrottleLimits l = { 0 };

    throttle_get_limits(throttle_group_limits(g), &l);
#define GIVE(to, from)                                                                        \
    info->to = l.from;                                                                        \
    info->has_##to##_max = info->has_##to##_max_length = l.from##_max != 0;                   \
    info->to##_max = l.from##_max;                                                            \
    info->to##_max_length = l.from##_max_length
    GIVE(bps, bps_total);
    GIVE(bps_rd, bps_read);
    GIVE(bps_wr, bps_write);
    GIVE(iops, iops_total);
    GIVE(iops_rd, iops_read);
    GIVE(iops_wr, iops_write);
#undef GIVE
    info->has_iops_size = l.iops_size != 0;
    info->iops_size = l.iops_size;
    info->group = g_strdup(throttle_group_name(g));
}

/* @blk: whose use of the node is told; NULL = the node alone. */
static void device_info_fill(QapiBlockDeviceInfo *info, const BlockNode *n, const BlockBackend *blk)
{
    info->file = g_strdup(block_node_filename(n));
    info->node_name = g_strdup(n->name);
    info->ro = n->read_only;
    info->drv = g_strdup(n->drv->name);
    info->active = true;
    info->detect_zeroes = n->detect_zeroes;
    info->image = image_info(n);
    info->cache = g_new0(QapiBlockdevCacheInfo, 1);
    info->cache->writeback = !blk || blk->write_cache;
    info->cache->direct = n->direct;
    info->cache->no_flush = n->no_flush;
    if (blk && blk->throttle) {
        add_limits(info, blk->throttle);
    }
}

QapiBlockDeviceInfoList *qmp_query_named_block_nodes(const QapiQueryNamedBlockNodesArgs *args, Error **errp)
{
    QapiBlockDeviceInfoList *list = g_new0(QapiBlockDeviceInfoList, 1);

    for (BlockNode *n = block_node_first(); n; n = n->next) {
        device_info_fill(QAPI_LIST_APPEND(list), n, NULL);
    }
    return list;
}

/* --- drives --- */

static bool status_is_told(const BlockBackend *blk)
{
    return blk->rerror == BLOCK_ON_ERROR_STOP || blk->werror == BLOCK_ON_ERROR_STOP || blk->werror == BLOCK_ON_ERROR_ENOSPC;
}

/* @n: NULL = there is no medium. */
static void add_block_info(QapiBlockInfoList *list, const char *id, const BlockNode *n, const BlockBackend *blk)
{
    QapiBlockInfo *info = QAPI_LIST_APPEND(list);

    info->device = g_strdup(id);
    info->qdev = blk && blk->owner ? object_path(blk->owner) : NULL;
    info->type = g_strdup("unknown");
    if (n) {
        info->inserted = g_new0(QapiBlockDeviceInfo, 1);
        device_info_fill(info->inserted, n, blk);
    }
    info->removable = !blk || blk->ops;
    info->has_tray_open = blk && block_backend_has_tray(blk);
    info->tray_open = blk && block_backend_tray_is_open(blk);
    info->locked = blk && block_backend_is_locked(blk);
    if (blk && status_is_told(blk)) {
        info->has_io_status = true;
        info->io_status = blk->io_status;
    }
}

QapiBlockInfoList *qmp_query_block(Error **errp)
{
    QapiBlockInfoList *list = g_new0(QapiBlockInfoList, 1);
    const GPtrArray *drives = block_drives();

    for (unsigned i = 0; i < drives->len; i++) {
        const BlockDrive *d = g_ptr_array_index(drives, i);

        add_block_info(list, d->id, d->node, d->blk);
    }
    for (const BlockBackend *blk = block_backends(); blk; blk = blk->next) {
        if (!*blk->drive_id) {
            add_block_info(list, "", blk->use.node, blk);
        }
    }
    return list;
}

/* --- statistics --- */

static void fill_accounting(QapiBlockDeviceStats *s, const BlockAccounting *a)
{
    s->rd_bytes = (int64_t)a->bytes[BLOCK_READ];
    s->wr_bytes = (int64_t)a->bytes[BLOCK_WRITE];
    s->unmap_bytes = (int64_t)a->bytes[BLOCK_DISCARD];
#define KIND(short, kind)                                                                     \
    s->short##_operations = (int64_t)a->ops[kind];                                            \
    s->short##_total_time_ns = a->time_ns[kind];                                              \
    s->failed_##short##_operations = (int64_t)a->failed[kind];                                \
    s->invalid_##short##_operations = (int64_t)a->invalid[kind]
    KIND(rd, BLOCK_READ);
    KIND(wr, BLOCK_WRITE);
    KIND(flush, BLOCK_FLUSH);
    KIND(unmap, BLOCK_DISCARD);
#undef KIND
    s->account_invalid = a->account_invalid;
    s->account_failed = a->account_failed;
    if (a->last_ns) {
        s->has_idle_time_ns = true;
        s->idle_time_ns = clock_get_ns(CLOCK_TYPE_REALTIME) - a->last_ns;
    }
}

static void fill_node_stats(QapiBlockStats *stats, const BlockNode *n)
{
    stats->stats = g_new0(QapiBlockDeviceStats, 1);
    stats->stats->timed_stats = g_new0(QapiBlockDeviceTimedStatsList, 1);
    if (!n) {                           /* a drive without medium */
        return;
    }
    stats->node_name = g_strdup(n->name);
    stats->stats->wr_highest_offset = (int64_t)__atomic_load_n(&n->wr_highest_offset, __ATOMIC_RELAXED);
    if (n->drv->stats) {
        n->drv->stats(n, stats);
    }
    if (block_child(n)) {
        stats->parent = g_new0(QapiBlockStats, 1);
        fill_node_stats(stats->parent, block_child(n));
    }
}

QapiBlockStatsList *qmp_query_blockstats(const QapiQueryBlockstatsArgs *args, Error **errp)
{
    QapiBlockStatsList *list = g_new0(QapiBlockStatsList, 1);
    const GPtrArray *drives = block_drives();

    if (args->has_query_nodes && args->query_nodes) {
        for (BlockNode *n = block_node_first(); n; n = n->next) {
            fill_node_stats(QAPI_LIST_APPEND(list), n);
        }
        return list;
    }
    for (const BlockBackend *blk = block_backends(); blk; blk = blk->next) {
        QapiBlockStats *stats = QAPI_LIST_APPEND(list);

        stats->device = g_strdup(blk->drive_id);
        stats->qdev = blk->owner ? object_path(blk->owner) : NULL;
        fill_node_stats(stats, blk->use.node);
        fill_accounting(stats->stats, &blk->acct);
    }
    for (unsigned i = 0; i < drives->len; i++) {
        const BlockDrive *d = g_ptr_array_index(drives, i);

        if (!d->blk) {
            QapiBlockStats *stats = QAPI_LIST_APPEND(list);

            stats->device = g_strdup(d->id);
            fill_node_stats(stats, d->node);
        }
    }
    return list;
}

QapiBlockJobInfoList *qmp_query_block_jobs(Error **errp)
{
    return g_new0(QapiBlockJobInfoList, 1);
}
