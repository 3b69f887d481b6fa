/*
 * Virtio block device: section 5.2.
 *
 * With iothread= a kick only wakes that thread, which takes the requests off the rings and starts them; they
 * complete there, too.  Rings, like all of the machine, are touched under the BQL: what the thread saves the
 * vCPUs and the main loop is the work, not the lock.
 */
#include "hw/core/bootorder.h"
#include "hw/core/machine.h"
#include "hw/virtio/virtio.h"
#include "system/block.h"
#include "system/iothread.h"
#include "system/runstate.h"
#include "util/log.h"
#include "util/main-loop.h"

#define BLK_QUEUE_SIZE      256
#define BLK_QUEUES_AUTO     UINT16_MAX
#define BLK_DISCARD_MAX     (1u << 21)              /* sectors of one discard or zeroing */
#define SECTOR              512
#define BLK_ID_BYTES        20

/* Feature bits, section 5.2.3 */
enum {
    BLK_F_SIZE_MAX = 1, BLK_F_SEG_MAX = 2, BLK_F_RO = 5, BLK_F_BLK_SIZE = 6, BLK_F_FLUSH = 9, BLK_F_TOPOLOGY = 10,
    BLK_F_CONFIG_WCE = 11, BLK_F_MQ = 12, BLK_F_DISCARD = 13, BLK_F_WRITE_ZEROES = 14,
};

/* Request types and status, section 5.2.6 */
enum { BLK_T_IN = 0, BLK_T_OUT = 1, BLK_T_FLUSH = 4, BLK_T_GET_ID = 8, BLK_T_DISCARD = 11, BLK_T_WRITE_ZEROES = 13 };
enum { BLK_S_OK = 0, BLK_S_IOERR = 1, BLK_S_UNSUPP = 2 };

/* struct virtio_blk_config, section 5.2.4 */
enum {
    CFG_CAPACITY = 0, CFG_SIZE_MAX = 8, CFG_SEG_MAX = 12, CFG_BLK_SIZE = 20, CFG_TOPOLOGY = 24,
    CFG_MIN_IO_SIZE = 26, CFG_OPT_IO_SIZE = 28, CFG_WCE = 32,
    CFG_NUM_QUEUES = 34, CFG_MAX_DISCARD_SECTORS = 36, CFG_MAX_DISCARD_SEG = 40, CFG_DISCARD_ALIGN = 44,
    CFG_MAX_ZEROES_SECTORS = 48, CFG_MAX_ZEROES_SEG = 52, CFG_ZEROES_MAY_UNMAP = 56, CFG_SIZE = 60,
};

/* What is under way to the iothread; outlives the device if need be.  BQL, but for .work. */
typedef struct BlkKick {
    struct VirtioBlk *s;                /* NULL = the device is gone */
    IOThreadWork work;
    bool pending;
} BlkKick;

typedef struct VirtioBlk {
    VirtioDevice vdev;
    char *drive, *serial;
    uint32_t logical_block_size, physical_block_size, min_io_size, opt_io_size, discard_granularity;
    uint32_t max_discard_sectors, max_zeroes_sectors;
    uint16_t num_queues, queue_size;
    bool discard, write_zeroes, share_rw, config_wce, seg_max_adjust;
    int write_cache;                    /* OnOffAuto */
    int32_t bootindex;
    int account_invalid, account_failed;
    int rerror, werror;                 /* BlockOnError */
    IOThread *iothread;

    BlockBackend *blk;
    bool write_cache_at_start;
    BlkKick *kick;                      /* with iothread= */
    GQueue *failed;                     /* of BlkRequest *: to be tried again when the machine runs */
} VirtioBlk;

OBJECT_DECLARE(VirtioBlk, VIRTIO_BLK, virtio_blk)

typedef struct BlkRequest {
    VirtioBlk *s;
    VirtChain chain;
    size_t written;                     /* bytes of data the guest gets besides the status */
    bool is_read;
} BlkRequest;

/* The status is the last writable byte. */
static void request_finish(BlkRequest *r, uint8_t status)
{
    VirtQueue *vq = r->chain.vq;

    virtchain_write(&r->chain, r->chain.in_len - 1, &status, 1);
    virtqueue_push(vq, &r->chain, status == BLK_S_OK ? r->written + 1 : r->chain.in_len);
    virtqueue_notify(vq);
    g_free(r);
}

static void request_done(void *opaque, int ret)
{
    BlkRequest *r = opaque;
    BlockAction action = ret ? blk_error(r->s->blk, r->is_read, -ret) : BLOCK_ACTION_IGNORE;

    if (action == BLOCK_ACTION_STOP) {
        g_queue_push_tail(r->s->failed, r);
    } else {
        request_finish(r, action == BLOCK_ACTION_REPORT ? BLK_S_IOERR : BLK_S_OK);
    }
}

/* What the device itself refuses. */
static void request_invalid(BlkRequest *r, BlockRequestKind kind)
{
    blk_account_invalid(r->s->blk, kind);
    request_finish(r, BLK_S_IOERR);
}

/* Data segments after the header (out) or before the status (in). */
static void request_transfer(BlkRequest *r, uint64_t sector, bool is_write)
{
    const VirtChain *c = &r->chain;
    struct iovec iov[VIRTQUEUE_SIZE_MAX];
    size_t len = is_write ? c->out_len - 16 : c->in_len - 1;
    unsigned n = is_write ? virtchain_slice(c->out, c->n_out, 16, len, iov, ARRAY_SIZE(iov))
                          : virtchain_slice(c->in, c->n_in, 0, len, iov, ARRAY_SIZE(iov));
    BlockBackend *blk = r->s->blk;

    if (len % r->s->logical_block_size || sector % (r->s->logical_block_size / SECTOR)
        || sector > blk_size_bytes(blk) / SECTOR || len > blk_size_bytes(blk) - sector * SECTOR) {
        request_invalid(r, is_write ? BLOCK_WRITE : BLOCK_READ);
    } else if (is_write) {
        blk_pwritev(blk, sector * SECTOR, iov, n, request_done, r);
    } else {
        r->written = len;
        r->is_read = true;
        blk_preadv(blk, sector * SECTOR, iov, n, request_done, r);
    }
}

/* Discard and write zeroes: one range, struct virtio_blk_discard_write_zeroes. */
static void request_range(BlkRequest *r, uint32_t type)
{
    uint8_t raw[16];
    uint64_t sector, bytes, size = blk_size_bytes(r->s->blk);
    uint32_t flags, max = type == BLK_T_DISCARD ? r->s->max_discard_sectors : r->s->max_zeroes_sectors;

    if (r->chain.out_len != 16 + sizeof(raw)) {         /* max_*_seg is 1 */
        request_finish(r, BLK_S_UNSUPP);
        return;
    }
    virtchain_read(&r->chain, 16, raw, sizeof(raw));
    sector = ld64_le(raw);
    bytes = (uint64_t)ld32_le(raw + 8) * SECTOR;
    flags = ld32_le(raw + 12);
    if (flags & ~1u || (type == BLK_T_DISCARD && flags)) {
        request_finish(r, BLK_S_UNSUPP);
    } else if (sector > size / SECTOR || bytes > size - sector * SECTOR || bytes > (uint64_t)max * SECTOR) {
        request_invalid(r, type == BLK_T_DISCARD ? BLOCK_DISCARD : BLOCK_WRITE);
    } else if (type == BLK_T_DISCARD) {
        blk_discard(r->s->blk, sector * SECTOR, bytes, request_done, r);
    } else {
        blk_write_zeroes(r->s->blk, sector * SECTOR, bytes, flags & 1, request_done, r);
    }
}

static void request_get_id(BlkRequest *r)
{
    char id[BLK_ID_BYTES] = "";

    if (r->s->serial) {
        memcpy(id, r->s->serial, MIN(strlen(r->s->serial), sizeof(id)));
    }
    r->written = MIN(sizeof(id), r->chain.in_len - 1);
    virtchain_write(&r->chain, 0, id, r->written);
    request_finish(r, BLK_S_OK);
}

static void request_start(BlkRequest *r)
{
    VirtioBlk *s = r->s;
    uint8_t header[16];
    uint32_t type;

    virtchain_read(&r->chain, 0, header, sizeof(header));
    type = ld32_le(header);
    switch (type) {
    case BLK_T_IN:
        request_transfer(r, ld64_le(header + 8), false);
        break;
    case BLK_T_OUT:
        if (blk_is_read_only(s->blk)) {
            request_finish(r, BLK_S_IOERR);
        } else {
            request_transfer(r, ld64_le(header + 8), true);
        }
        break;
    case BLK_T_FLUSH:
        blk_flush(s->blk, request_done, r);
        break;
    case BLK_T_GET_ID:
        request_get_id(r);
        break;
    case BLK_T_DISCARD:
    case BLK_T_WRITE_ZEROES:
        if (!virtio_has_feature(&s->vdev, type == BLK_T_DISCARD ? BLK_F_DISCARD : BLK_F_WRITE_ZEROES)) {
            request_finish(r, BLK_S_UNSUPP);
        } else {
            request_range(r, type);
        }
        break;
    default:
        request_finish(r, BLK_S_UNSUPP);
    }
}

static void queue_run(VirtioBlk *s, VirtQueue *vq)
{
    VirtChain chain;

    blk_plug(s->blk);
    while (virtqueue_pop(vq, &chain)) {
        BlkRequest *r;

        if (chain.out_len < 16 || chain.in_len < 1) {
            virtio_error(&s->vdev, "request without header or status");
            virtchain_detach(&chain);
            break;
        }
        r = g_new0(BlkRequest, 1);
        r->s = s;
        r->chain = chain;
        request_start(r);
    }
    blk_unplug(s->blk);
}

/* On the iothread. */
static void on_kick(void *opaque)
{
    BlkKick *k = opaque;

    bql_lock();
    k->pending = false;
    if (!k->s) {
        g_free(k);
        bql_unlock();
        return;
    }
    for (unsigned i = 0; i < k->s->num_queues; i++) {
        queue_run(k->s, virtio_queue(&k->s->vdev, i));
    }
    bql_unlock();
}

static void blk_handle_request(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioBlk *s = VIRTIO_BLK(vdev);

    if (!s->kick) {
        queue_run(s, vq);
    } else if (!s->kick->pending) {
        s->kick->pending = true;
        iothread_run(s->iothread, &s->kick->work);
    }
}

/* The machine goes on: so do the requests that it was stopped for. */
static void on_vm_state(void *opaque, bool running, RunState state)
{
    VirtioBlk *s = opaque;
    unsigned n = running ? g_queue_get_length(s->failed) : 0;

    if (running) {
        blk_reset_io_status(s->blk);
    }
    while (n--) {
        request_start(g_queue_pop_head(s->failed));
    }
}

static void drop_failed(VirtioBlk *s)
{
    BlkRequest *r;

    while ((r = g_queue_pop_head(s->failed)) != NULL) {
        virtchain_detach(&r->chain);
        g_free(r);
    }
    blk_reset_io_status(s->blk);
}

/* --- configuration --- */

static uint64_t blk_get_features(VirtioDevice *vdev)
{
    VirtioBlk *s = VIRTIO_BLK(vdev);
    bool ro = blk_is_read_only(s->blk);

    return 1ULL << BLK_F_SEG_MAX | 1ULL << BLK_F_BLK_SIZE | 1ULL << BLK_F_FLUSH | 1ULL << BLK_F_TOPOLOGY
         | (ro ? 1ULL << BLK_F_RO : 0) | (s->config_wce && !ro ? 1ULL << BLK_F_CONFIG_WCE : 0)
         | (s->num_queues > 1 ? 1ULL << BLK_F_MQ : 0)
         | (s->discard && !ro ? 1ULL << BLK_F_DISCARD : 0) | (s->write_zeroes && !ro ? 1ULL << BLK_F_WRITE_ZEROES : 0);
}

static void blk_get_config(VirtioDevice *vdev, uint8_t *config)
{
    VirtioBlk *s = VIRTIO_BLK(vdev);

    st64_le(config + CFG_CAPACITY, blk_size_bytes(s->blk) / SECTOR);
    st32_le(config + CFG_SEG_MAX, (s->seg_max_adjust ? s->queue_size : 128u) - 2);
    st32_le(config + CFG_BLK_SIZE, s->logical_block_size);
    config[CFG_TOPOLOGY] = __builtin_ctz(s->physical_block_size / s->logical_block_size);
    st16_le(config + CFG_MIN_IO_SIZE, s->min_io_size / s->logical_block_size);
    st32_le(config + CFG_OPT_IO_SIZE, s->opt_io_size / s->logical_block_size);
    config[CFG_WCE] = blk_enable_write_cache(s->blk);
    st16_le(config + CFG_NUM_QUEUES, s->num_queues);
    st32_le(config + CFG_MAX_DISCARD_SECTORS, s->max_discard_sectors);
    st32_le(config + CFG_MAX_DISCARD_SEG, 1);
    st32_le(config + CFG_DISCARD_ALIGN,
            (s->discard_granularity == UINT32_MAX ? s->logical_block_size : s->discard_granularity) / SECTOR);
    st32_le(config + CFG_MAX_ZEROES_SECTORS, s->max_zeroes_sectors);
    st32_le(config + CFG_MAX_ZEROES_SEG, 1);
    config[CFG_ZEROES_MAY_UNMAP] = 1;
}

static void blk_set_config(VirtioDevice *vdev, const uint8_t *config)
{
    blk_set_enable_write_cache(VIRTIO_BLK(vdev)->blk, config[CFG_WCE] & 1);
}

/* A driver that cannot flush gets write-through (section 5.2.6.2). */
static void blk_set_features(VirtioDevice *vdev, uint64_t features)
{
    VirtioBlk *s = VIRTIO_BLK(vdev);

    if (!virtio_has_feature(vdev, BLK_F_FLUSH)) {
        blk_set_enable_write_cache(s->blk, false);
    }
}

static void blk_device_reset(VirtioDevice *vdev)
{
    VirtioBlk *s = VIRTIO_BLK(vdev);

    blk_drain(s->blk);
    drop_failed(s);
    if (s->write_cache != ON_OFF_AUTO_AUTO) {
        blk_set_enable_write_cache(s->blk, s->write_cache == ON_OFF_AUTO_ON);
    } else {
        blk_set_enable_write_cache(s->blk, s->write_cache_at_start);
    }
}

static void blk_resized(void *opaque)
{
    virtio_notify_config(opaque);
}

static bool virtio_blk_sync_config(Device *dev, Error **errp)
{
    return block_node_remeasure(blk_node(VIRTIO_BLK(dev)->blk), errp);
}

/* --- life --- */

static bool is_multiple(const char *name, uint32_t value, uint32_t of, Error **errp)
{
    if (value % of) {
        error_setg(errp, "virtio-blk: %s (%u) must be a multiple of logical_block_size (%u)", name, value, of);
        return false;
    }
    return true;
}

static bool check_sizes(const VirtioBlk *s, Error **errp)
{
    uint32_t block = s->logical_block_size;

    if (s->physical_block_size < block) {
        error_setg(errp, "virtio-blk: physical_block_size %u is smaller than logical_block_size %u", s->physical_block_size,
                   block);
        return false;
    }
    if (s->min_io_size / block > UINT16_MAX) {
        error_setg(errp, "virtio-blk: min_io_size must be at most %u logical blocks", UINT16_MAX);
        return false;
    }
    return is_multiple("min_io_size", s->min_io_size, block, errp) && is_multiple("opt_io_size", s->opt_io_size, block, errp)
        && (s->discard_granularity == UINT32_MAX || is_multiple("discard_granularity", s->discard_granularity, block, errp));
}

/* On PCI a queue for each vCPU, so that each has its own interrupt. */
static void choose_num_queues(VirtioBlk *s)
{
    const Machine *m = current_machine();

    if (s->num_queues == BLK_QUEUES_AUTO) {
        s->num_queues = m && object_is(s->vdev.dev.obj.parent, &virtio_pci_type) ? CLAMP(m->smp.cpus, 1, VIRTIO_QUEUE_MAX) : 1;
    }
}

static bool open_backend(VirtioBlk *s, Error **errp)
{
    BlockNode *node = block_drive_node(s->drive);
    bool ro = node && block_node_is_read_only(node);

    s->blk = blk_new(s->drive, s, (ro ? 0 : BLK_WRITABLE) | (s->share_rw ? BLK_SHARE_RW : 0), errp);
    if (!s->blk) {
        return false;
    }
    if (!blk_set_on_error(s->blk, (BlockOnError)s->rerror, (BlockOnError)s->werror, errp)) {
        g_clear_pointer(&s->blk, blk_unref);
        return false;
    }
    blk_set_accounting(s->blk, s->account_invalid != ON_OFF_AUTO_OFF, s->account_failed != ON_OFF_AUTO_OFF);
    s->write_cache_at_start = blk_enable_write_cache(s->blk);
    if (s->write_cache != ON_OFF_AUTO_AUTO) {
        blk_set_enable_write_cache(s->blk, s->write_cache == ON_OFF_AUTO_ON);
    }
    blk_set_resize_notify(s->blk, blk_resized, s);
    return true;
}

static bool virtio_blk_realize(Device *dev, Error **errp)
{
    VirtioBlk *s = VIRTIO_BLK(dev);

    if (!check_sizes(s, errp)) {
        return false;
    }
    choose_num_queues(s);
    if (s->num_queues > VIRTIO_QUEUE_MAX) {
        error_setg(errp, "virtio-blk: num-queues must be at most %u, got %u", VIRTIO_QUEUE_MAX, s->num_queues);
        return false;
    }
    if (!open_backend(s, errp)) {
        return false;
    }
    for (unsigned i = 0; i < s->num_queues; i++) {
        virtio_add_queue(&s->vdev, "requestq", s->queue_size, blk_handle_request);
    }
    s->failed = g_queue_new();
    if (s->iothread) {
        s->vdev.own_thread = true;
        s->kick = g_new0(BlkKick, 1);
        s->kick->s = s;
        iothread_work_init(&s->kick->work, on_kick, s->kick);
        blk_set_iothread(s->blk, s->iothread);
    }
    vm_state_notify_add(on_vm_state, s);
    return true;
}

/* A kick on its way finds no device, and goes. */
static void kick_free(VirtioBlk *s)
{
    BlkKick *k = g_steal_pointer(&s->kick);

    if (k) {
        k->s = NULL;
        if (!k->pending) {
            g_free(k);
        }
    }
}

static void virtio_blk_unrealize(Device *dev)
{
    VirtioBlk *s = VIRTIO_BLK(dev);

    vm_state_notify_remove(on_vm_state, s);
    kick_free(s);
    blk_drain(s->blk);
    drop_failed(s);
    g_clear_pointer(&s->failed, g_queue_free);
    blk_unref(s->blk);
    s->blk = NULL;
}

static const Property virtio_blk_properties[] = {
    PROP_DRIVE("drive", VirtioBlk, drive, .required = true, .help = "node-name or drive id"),
    PROP_STRING("serial", VirtioBlk, serial, .help = "serial number, 20 bytes are shown"),
    PROP_UINT32("logical_block_size", VirtioBlk, logical_block_size, SECTOR, .min = SECTOR, .max = 2 * MiB,
                .power_of_2 = true, .unit = "bytes", .help = "smallest transfer"),
    PROP_UINT32("physical_block_size", VirtioBlk, physical_block_size, SECTOR, .min = SECTOR, .max = 2 * MiB,
                .power_of_2 = true, .unit = "bytes", .help = "block size of the medium, for alignment"),
    PROP_UINT32("min_io_size", VirtioBlk, min_io_size, 0, .max = UINT32_MAX, .unit = "bytes", .help = "smallest efficient transfer"),
    PROP_UINT32("opt_io_size", VirtioBlk, opt_io_size, 0, .max = UINT32_MAX, .unit = "bytes", .help = "best transfer"),
    PROP_UINT32("discard_granularity", VirtioBlk, discard_granularity, UINT32_MAX, .max = UINT32_MAX, .unit = "bytes",
                .help = "alignment of discards; 4294967295 = logical_block_size"),
    PROP_UINT16("num-queues", VirtioBlk, num_queues, BLK_QUEUES_AUTO, .min = 1, .max = UINT16_MAX,
                .help = "request queues; 65535 = one for each vCPU"),
    PROP_UINT16("queue-size", VirtioBlk, queue_size, BLK_QUEUE_SIZE, .min = 4, .max = VIRTQUEUE_SIZE_MAX, .power_of_2 = true,
                .help = "entries of a queue"),
    PROP_BOOL("seg-max-adjust", VirtioBlk, seg_max_adjust, true, .help = "as many segments as the queue takes, not 126"),
    PROP_BOOL("config-wce", VirtioBlk, config_wce, true, .help = "the guest may switch the write cache"),
    PROP_BOOL("share-rw", VirtioBlk, share_rw, false, .help = "others may write to the node, too"),
    PROP_ENUM("rerror", VirtioBlk, rerror, block_on_error_names, BLOCK_ON_ERROR_AUTO, .shown = "BlockdevOnError", .help = "what becomes of failed reads"),
    PROP_ENUM("werror", VirtioBlk, werror, block_on_error_names, BLOCK_ON_ERROR_AUTO, .shown = "BlockdevOnError", .help = "what becomes of failed writes"),
    PROP_ON_OFF_AUTO("account-invalid", VirtioBlk, account_invalid, ON_OFF_AUTO_AUTO,
                     .help = "refused requests end idleness in statistics"),
    PROP_ON_OFF_AUTO("account-failed", VirtioBlk, account_failed, ON_OFF_AUTO_AUTO,
                     .help = "failed requests add their time to statistics"),
    PROP_LINK("iothread", VirtioBlk, iothread, iothread, .help = "thread that runs requests; none = the main loop"),
    PROP_UINT32("max-discard-sectors", VirtioBlk, max_discard_sectors, BLK_DISCARD_MAX, .min = 1, .max = INT32_MAX / SECTOR,
                .help = "largest discard"),
    PROP_UINT32("max-write-zeroes-sectors", VirtioBlk, max_zeroes_sectors, BLK_DISCARD_MAX, .min = 1,
                .max = INT32_MAX / SECTOR, .help = "largest zeroing"),
    PROP_BOOL("discard", VirtioBlk, discard, true, .help = "offer discard"),
    PROP_BOOL("write-zeroes", VirtioBlk, write_zeroes, true, .help = "offer write zeroes"),
    PROP_BOOTINDEX("bootindex", VirtioBlk, bootindex),
    PROP_ON_OFF_AUTO("write-cache", VirtioBlk, write_cache, ON_OFF_AUTO_AUTO, .help = "writeback cache; off = write-through"),
};

VIRTIO_DEVICE_DEFINE(VirtioBlk, virtio_blk, "virtio-blk",
    .desc = "virtio block device",
    .category = DEVICE_CATEGORY_STORAGE,
    .boot_part = "disk@0,0",
    .sync_config = virtio_blk_sync_config,
    .virtio_id = VIRTIO_ID_BLOCK,
    .pci_class = PCI_CLASS_STORAGE_SCSI,
    .config_size = CFG_SIZE,
    .properties = PROPS(virtio_blk_properties),
    .realize = virtio_blk_realize,
    .unrealize = virtio_blk_unrealize,
    .get_features = blk_get_features,
    .set_features = blk_set_features,
    .get_config = blk_get_config,
    .set_config = blk_set_config,
    .device_reset = blk_device_reset,
    .vmstate = &vmstate_none,
)
