/*
 * Virtio block device (section 5.2) served by another process over vhost-user: qemu-storage-daemon, SPDK.
 *
 * What the disk is, is the back end's business; here are the queues' number and the features that are passed on.
 */
#include "hw/core/bootorder.h"
#include "hw/core/machine.h"
#include "hw/virtio/vhost.h"
#include "util/log.h"

#define QUEUES_AUTO     UINT16_MAX
#define QUEUES_MAX      256             /* vhost-user names rings with 8 bits */

/* Feature bits, section 5.2.3 */
enum {
    BLK_F_SIZE_MAX = 1, BLK_F_SEG_MAX = 2, BLK_F_GEOMETRY = 4, BLK_F_RO = 5, BLK_F_BLK_SIZE = 6, BLK_F_FLUSH = 9,
    BLK_F_TOPOLOGY = 10, BLK_F_CONFIG_WCE = 11, BLK_F_MQ = 12, BLK_F_DISCARD = 13, BLK_F_WRITE_ZEROES = 14,
};
#define PASSED_ON (BIT_ULL(BLK_F_SIZE_MAX) | BIT_ULL(BLK_F_SEG_MAX) | BIT_ULL(BLK_F_GEOMETRY) | BIT_ULL(BLK_F_RO) | \
                   BIT_ULL(BLK_F_BLK_SIZE) | BIT_ULL(BLK_F_FLUSH) | BIT_ULL(BLK_F_TOPOLOGY) | BIT_ULL(BLK_F_CONFIG_WCE) | \
                   BIT_ULL(BLK_F_MQ) | BIT_ULL(BLK_F_DISCARD) | BIT_ULL(BLK_F_WRITE_ZEROES))

/* struct virtio_blk_config, section 5.2.4 */
enum { CFG_WCE = 32, CFG_NUM_QUEUES = 34, CFG_SIZE = 60 };

typedef struct VhostUserBlk {
    VirtioDevice vdev;
    CharBackend chr;
    uint16_t num_queues, queue_size;
    uint32_t reply_timeout_ms;
    bool config_wce, discard, write_zeroes;
    int32_t bootindex;

    VhostDevInfo info;
    char *name;                         /* for messages */
    VhostDev *vhost;
} VhostUserBlk;

OBJECT_DECLARE(VhostUserBlk, VHOST_USER_BLK, vhost_user_blk)

static uint64_t get_features(VirtioDevice *vdev)
{
    VhostUserBlk *s = VHOST_USER_BLK(vdev);
    uint64_t f = vhost_features(s->vhost) & PASSED_ON;

    return f & ~((s->config_wce ? 0 : BIT_ULL(BLK_F_CONFIG_WCE)) | (s->discard ? 0 : BIT_ULL(BLK_F_DISCARD)) |
                 (s->write_zeroes ? 0 : BIT_ULL(BLK_F_WRITE_ZEROES)) | (s->num_queues > 1 ? 0 : BIT_ULL(BLK_F_MQ)));
}

static bool accept_features(VirtioDevice *vdev, uint64_t features)
{
    return vhost_is_alive(VHOST_USER_BLK(vdev)->vhost);
}

static void get_config(VirtioDevice *vdev, uint8_t *config)
{
    VhostUserBlk *s = VHOST_USER_BLK(vdev);

    memcpy(config, vhost_config(s->vhost), CFG_SIZE);
    st16_le(config + CFG_NUM_QUEUES, s->num_queues);
}

static void set_config(VirtioDevice *vdev, const uint8_t *config)
{
    VhostUserBlk *s = VHOST_USER_BLK(vdev);
    uint8_t wce = config[CFG_WCE];

    if (!virtio_has_feature(vdev, BLK_F_CONFIG_WCE) || wce > 1) {
        guest_error("vhost-user-blk", "write of 0x%x to the write cache mode", wce);
    } else if (wce != vhost_config(s->vhost)[CFG_WCE]) {
        vhost_set_config(s->vhost, CFG_WCE, &wce, 1);
    }
}

static void status_changed(VirtioDevice *vdev, uint8_t old)
{
    vhost_update(VHOST_USER_BLK(vdev)->vhost, vdev->guest_features & vdev->offered & PASSED_ON);
}

static void reset_rings(VirtioDevice *vdev)
{
    vhost_reset(VHOST_USER_BLK(vdev)->vhost);
}

static void handle_kick(VirtioDevice *vdev, VirtQueue *vq)
{
    vhost_kick(VHOST_USER_BLK(vdev)->vhost, vq);
}

/* --- realize --- */

/* The peer hanging up is seen by the connection's borrower; afterwards the chardev sees it by wanting input. */
static size_t can_receive(void *opaque)
{
    return 1;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
}

static const CharHandlers chr_handlers = { .can_receive = can_receive, .receive = receive };

/* On PCI a queue for each vCPU, as far as the back end serves them. */
static bool choose_num_queues(VhostUserBlk *s, Error **errp)
{
    uint64_t max = vhost_queues_max(s->vhost) ? vhost_queues_max(s->vhost) : 1;
    const Machine *m = current_machine();

    if (s->num_queues == QUEUES_AUTO) {
        s->num_queues = object_is(s->vdev.dev.obj.parent, &virtio_pci_type) ? (uint16_t)MIN(MIN(m->smp.cpus, max), QUEUES_MAX) : 1;
    }
    if (s->num_queues > QUEUES_MAX) {
        error_setg(errp, "vhost-user-blk: num-queues must be at most %u, got %u", QUEUES_MAX, s->num_queues);
        return false;
    }
    if (s->num_queues > max) {
        error_setg(errp, "The maximum number of queues supported by the backend is %" PRIu64 ", num-queues is %u", max, s->num_queues);
        return false;
    }
    return true;
}

static void release(VhostUserBlk *s)
{
    g_clear_pointer(&s->vhost, vhost_dev_free);
    char_backend_set_handlers(&s->chr, NULL, NULL);
    g_clear_pointer(&s->name, g_free);
}

static void config_changed(VirtioDevice *vdev)
{
    virtio_notify_config(vdev);
}

static bool realize(Device *dev, Error **errp)
{
    VhostUserBlk *s = VHOST_USER_BLK(dev);
    const Object *outer = object_is(dev->obj.parent, &device_type) ? dev->obj.parent : &dev->obj;
    const char *id = DEVICE(outer)->id;

    if (!s->chr.chr) {
        error_setg(errp, "vhost-user-blk: chardev is mandatory");
        return false;
    }
    s->name = g_strdup_printf("vhost-user-blk '%s'", id ? id : "(unnamed)");
    s->info = (VhostDevInfo){
        .name = s->name, .config_size = CFG_SIZE, .timeout_ms = s->reply_timeout_ms, .config_changed = config_changed,
    };
    char_backend_set_handlers(&s->chr, &chr_handlers, s);
    s->vhost = vhost_dev_new(&s->vdev, &s->chr, &s->info, errp);
    if (!s->vhost || !choose_num_queues(s, errp)) {
        release(s);
        return false;
    }
    for (unsigned i = 0; i < s->num_queues; i++) {
        virtio_add_queue(&s->vdev, "requestq", s->queue_size, handle_kick);
    }
    if (!vhost_add_queues(s->vhost, errp)) {
        release(s);
        return false;
    }
    return true;
}

static void unrealize(Device *dev)
{
    release(VHOST_USER_BLK(dev));
}

static const Property properties[] = {
    PROP_CHARDEV("chardev", VhostUserBlk, chr, .help = "socket to the back end"),
    PROP_UINT16("num-queues", VhostUserBlk, num_queues, QUEUES_AUTO, .min = 1, .max = UINT16_MAX,
                .help = "request queues; 65535 = one for each vCPU, as the back end allows"),
    PROP_UINT16("queue-size", VhostUserBlk, queue_size, 128, .shown = "uint32", .min = 4, .max = VIRTQUEUE_SIZE_MAX, .power_of_2 = true,
                .help = "entries of a queue"),
    PROP_BOOL("config-wce", VhostUserBlk, config_wce, true, .help = "the guest may switch the write cache, if the back end lets it"),
    PROP_BOOL("discard", VhostUserBlk, discard, true, .help = "offer discard, if the back end does"),
    PROP_BOOL("write-zeroes", VhostUserBlk, write_zeroes, true, .help = "offer write zeroes, if the back end does"),
    PROP_UINT32("reply-timeout", VhostUserBlk, reply_timeout_ms, 10000, .min = 10, .max = 600000, .unit = "ms",
                .help = "a back end that answers later is lost"),
    PROP_BOOTINDEX("bootindex", VhostUserBlk, bootindex),
};

VIRTIO_DEVICE_DEFINE_AS(VhostUserBlk, vhost_user_blk, "vhost-user-blk", "vhost-user-blk",
    .desc = "virtio block device in another process",
    .category = DEVICE_CATEGORY_STORAGE,
    .boot_part = "disk@0,0",
    .virtio_id = VIRTIO_ID_BLOCK,
    .pci_class = PCI_CLASS_STORAGE_SCSI,
    .config_size = CFG_SIZE,
    .properties = PROPS(properties),
    .realize = realize,
    .unrealize = unrealize,
    .get_features = get_features,
    .accept_features = accept_features,
    .get_config = get_config,
    .set_config = set_config,
    .status_changed = status_changed,
    .device_reset = reset_rings,
    .vmstate = &vmstate_none,
)
