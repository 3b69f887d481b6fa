/*
 * Virtio block device: section 5.2.
 */
#include "hw/core/bootorder.h"
#include "hw/virtio/virtio.h"
#include "system/block.h"
#include "util/log.h"

#define BLK_QUEUE_SIZE      256
#define BLK_SEG_MAX         (BLK_QUEUE_SIZE - 2)
#define BLK_DISCARD_MAX     (1u << 21)              /* sectors of one discard or zeroing */
#define SECTOR              512
#define BLK_ID_BYTES        20

/* Feature bits, section 5.2.3 */
enum {
    BLK_F_SIZE_MAX = 1, BLK_F_SEG_MAX = 2, BLK_F_RO = 5, BLK_F_BLK_SIZE = 6, BLK_F_FLUSH = 9, BLK_F_TOPOLOGY = 10,
    BLK_F_CONFIG_WCE = 11, BLK_F_DISCARD = 13, BLK_F_WRITE_ZEROES = 14,
};

/* Request types and status, section 5.2.6 */
enum { BLK_T_IN = 0, BLK_T_OUT = 1, BLK_T_FLUSH = 4, BLK_T_GET_ID = 8, BLK_T_DISCARD = 11, BLK_T_WRITE_ZEROES = 13 };
enum { BLK_S_OK = 0, BLK_S_IOERR = 1, BLK_S_UNSUPP = 2 };

/* struct virtio_blk_config, section 5.2.4 */
enum {
    CFG_CAPACITY = 0, CFG_SIZE_MAX = 8, CFG_SEG_MAX = 12, CFG_BLK_SIZE = 20, CFG_TOPOLOGY = 24, CFG_WCE = 32,
    CFG_NUM_QUEUES = 34, CFG_MAX_DISCARD_SECTORS = 36, CFG_MAX_DISCARD_SEG = 40, CFG_DISCARD_ALIGN = 44,
    CFG_MAX_ZEROES_SECTORS = 48, CFG_MAX_ZEROES_SEG = 52, CFG_ZEROES_MAY_UNMAP = 56, CFG_SIZE = 60,
};

typedef struct VirtioBlk {
    VirtioDevice vdev;
    char *drive, *serial;
    uint32_t logical_block_size, physical_block_size;
    bool discard, write_zeroes;
    int write_cache;                    /* OnOffAuto */
    int32_t bootindex;

    BlockBackend *blk;
} VirtioBlk;

OBJECT_DECLARE(VirtioBlk, VIRTIO_BLK, virtio_blk)

typedef struct BlkRequest {
    VirtioBlk *s;
    VirtChain chain;
    size_t written;                     /* bytes of data the guest gets besides the status */
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
    request_finish(opaque, ret ? BLK_S_IOERR : BLK_S_OK);
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

    if (len % SECTOR || sector > blk_size_bytes(blk) / SECTOR) {
        request_finish(r, BLK_S_IOERR);
    } else if (is_write) {
        blk_pwritev(blk, sector * SECTOR, iov, n, request_done, r);
    } else {
        r->written = len;
        blk_preadv(blk, sector * SECTOR, iov, n, request_done, r);
    }
}

/* Discard and write zeroes: one range, struct virtio_blk_discard_write_zeroes. */
static void request_range(BlkRequest *r, uint32_t type)
{
    uint8_t raw[16];
    uint64_t sector, bytes;
    uint32_t flags;

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
    } else if (sector > blk_size_bytes(r->s->blk) / SECTOR || bytes > (uint64_t)BLK_DISCARD_MAX * SECTOR) {
        request_finish(r, BLK_S_IOERR);
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

static void blk_handle_request(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtChain chain;

    while (virtqueue_pop(vq, &chain)) {
        BlkRequest *r;

        if (chain.out_len < 16 || chain.in_len < 1) {
            virtio_error(vdev, "request without header or status");
            virtchain_detach(&chain);
            return;
        }
        r = g_new0(BlkRequest, 1);
        r->s = VIRTIO_BLK(vdev);
        r->chain = chain;
        request_start(r);
    }
}

/* --- configuration --- */

static uint64_t blk_get_features(VirtioDevice *vdev)
{
    VirtioBlk *s = VIRTIO_BLK(vdev);
    bool ro = blk_is_read_only(s->blk);

    return 1ULL << BLK_F_SEG_MAX | 1ULL << BLK_F_BLK_SIZE | 1ULL << BLK_F_FLUSH | 1ULL << BLK_F_TOPOLOGY
         | (ro ? 1ULL << BLK_F_RO : 1ULL << BLK_F_CONFIG_WCE)
         | (s->discard && !ro ? 1ULL << BLK_F_DISCARD : 0) | (s->write_zeroes && !ro ? 1ULL << BLK_F_WRITE_ZEROES : 0);
}

static void blk_get_config(VirtioDevice *vdev, uint8_t *config)
{
    VirtioBlk *s = VIRTIO_BLK(vdev);

    st64_le(config + CFG_CAPACITY, blk_size_bytes(s->blk) / SECTOR);
    st32_le(config + CFG_SEG_MAX, BLK_SEG_MAX);
    st32_le(config + CFG_BLK_SIZE, s->logical_block_size);
    config[CFG_TOPOLOGY] = __builtin_ctz(s->physical_block_size / s->logical_block_size);
    config[CFG_WCE] = blk_enable_write_cache(s->blk);
    st16_le(config + CFG_NUM_QUEUES, 1);
    st32_le(config + CFG_MAX_DISCARD_SECTORS, BLK_DISCARD_MAX);
    st32_le(config + CFG_MAX_DISCARD_SEG, 1);
    st32_le(config + CFG_DISCARD_ALIGN, s->logical_block_size / SECTOR);
    st32_le(config + CFG_MAX_ZEROES_SECTORS, BLK_DISCARD_MAX);
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
    blk_set_enable_write_cache(s->blk, s->write_cache != ON_OFF_AUTO_OFF);
}

static void blk_resized(void *opaque)
{
    virtio_notify_config(opaque);
}

/* --- life --- */

static bool virtio_blk_realize(Device *dev, Error **errp)
{
    VirtioBlk *s = VIRTIO_BLK(dev);
    BlockNode *node = block_node_find(s->drive);

    if (s->physical_block_size < s->logical_block_size) {
        error_setg(errp, "virtio-blk: physical_block_size %u is smaller than logical_block_size %u", s->physical_block_size,
                   s->logical_block_size);
        return false;
    }
    s->blk = blk_new(s->drive, dev, !(node && block_node_is_read_only(node)), errp);
    if (!s->blk) {
        return false;
    }
    blk_set_enable_write_cache(s->blk, s->write_cache != ON_OFF_AUTO_OFF);
    blk_set_resize_notify(s->blk, blk_resized, s);
    return true;
}

static void virtio_blk_unrealize(Device *dev)
{
    VirtioBlk *s = VIRTIO_BLK(dev);

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
    PROP_BOOL("discard", VirtioBlk, discard, true, .help = "offer discard"),
    PROP_BOOL("write-zeroes", VirtioBlk, write_zeroes, true, .help = "offer write zeroes"),
    PROP_BOOTINDEX("bootindex", VirtioBlk, bootindex),
    PROP_ON_OFF_AUTO("write-cache", VirtioBlk, write_cache, ON_OFF_AUTO_AUTO, .help = "writeback cache; off = write-through"),
};

VIRTIO_DEVICE_DEFINE(VirtioBlk, virtio_blk, "virtio-blk",
    .desc = "virtio block device",
    .category = DEVICE_CATEGORY_STORAGE,
    .boot_part = "disk@0,0",
    .virtio_id = VIRTIO_ID_BLOCK,
    .pci_class = PCI_CLASS_STORAGE_SCSI,
    .queue = { { "requestq", BLK_QUEUE_SIZE, blk_handle_request } },
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
