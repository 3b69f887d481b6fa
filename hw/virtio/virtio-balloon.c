/*
 * Virtio memory balloon: section 5.5, with statistics and free-page reporting.
 *
 * Pages the guest gives (inflate) or reports free are really returned to the host.  A host page
 * larger than the guest's 4 KiB is given back only by reports, which come in large ranges: giving
 * back pieces of a huge page would split it for nothing.
 */
#include "hw/core/machine.h"
#include "hw/virtio/virtio.h"
#include "system/balloon.h"
#include "util/log.h"
#include "util/rcu.h"
#include "util/timer.h"

#define BALLOON_PAGE_BITS 12
#define BALLOON_PAGE      (1u << BALLOON_PAGE_BITS)
#define BALLOON_STATS     10

/* Feature bits, section 5.5.3 */
enum { BALLOON_F_STATS_VQ = 1, BALLOON_F_DEFLATE_ON_OOM = 2, BALLOON_F_PAGE_POISON = 4, BALLOON_F_REPORTING = 5 };
enum { CFG_NUM_PAGES = 0, CFG_ACTUAL = 4, CFG_FREE_PAGE_HINT_ID = 8, CFG_POISON_VAL = 12, CFG_SIZE = 16 };

/* Statistics tags, section 5.5.6.4, by the names guest-stats shows. */
static const char *const stat_names[BALLOON_STATS] = {
    "stat-swap-in", "stat-swap-out", "stat-major-faults", "stat-minor-faults", "stat-free-memory", "stat-total-memory",
    "stat-available-memory", "stat-disk-caches", "stat-htlb-pgalloc", "stat-htlb-pgfail",
};

typedef struct VirtioBalloon {
    VirtioDevice vdev;

    /* guest-visible state */
    uint32_t num_pages;                 /* asked for */
    uint32_t actual_pages;              /* given, as the guest says */
    uint32_t poison_val;

    bool deflate_on_oom, free_page_reporting, page_poison;
    VirtQueue *stats_vq, *reporting_vq;
    VirtChain stats_chain;              /* the buffer to be given back for fresh statistics */
    bool have_stats_chain;
    uint64_t stats[BALLOON_STATS];
    int64_t stats_time_s;               /* when they came; 0 = never */
    int64_t poll_interval_s;
    Timer poll_timer;
} VirtioBalloon;

OBJECT_DECLARE(VirtioBalloon, VIRTIO_BALLOON, virtio_balloon)

/* --- giving memory back --- */

/* The RAM block and offset behind guest page @gpa; NULL if it is no plain RAM. */
static RamBlock *ram_at(VirtioBalloon *s, hwaddr gpa, uint64_t *offset)
{
    hwaddr len = BALLOON_PAGE;
    void *host = address_space_ram_ptr_rcu(s->vdev.dma_as, gpa, true, &len, NULL);

    return host && len == BALLOON_PAGE ? ram_block_from_host_rcu(host, offset) : NULL;
}

static void discard(RamBlock *rb, uint64_t offset, uint64_t len)
{
    g_autoptr(Error) err = NULL;

    if (rb->page_size <= BALLOON_PAGE && !ram_block_discard(rb, offset, len, &err)) {
        guest_error("virtio-balloon", "%s", error_get_pretty(err));
    }
}

static void inflate_page(VirtioBalloon *s, hwaddr gpa)
{
    uint64_t offset;
    RamBlock *rb;

    rcu_read_lock();
    rb = ram_at(s, gpa, &offset);
    if (rb) {
        discard(rb, offset, BALLOON_PAGE);
    } else {
        guest_error("virtio-balloon", "page at 0x%" HWADDR_PRIx " is not RAM", gpa);
    }
    rcu_read_unlock();
}

/* Both queues bring arrays of 32-bit page numbers; deflated pages come back by being touched. */
static void handle_pages(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioBalloon *s = VIRTIO_BALLOON(vdev);
    bool inflate = virtqueue_index(vq) == 0;
    VirtChain chain;

    while (virtqueue_pop(vq, &chain)) {
        uint8_t pfn[4];

        for (size_t at = 0; inflate && virtchain_read(&chain, at, pfn, 4) == 4; at += 4) {
            inflate_page(s, (hwaddr)ld32_le(pfn) << BALLOON_PAGE_BITS);
        }
        virtqueue_push(vq, &chain, 0);
    }
    virtqueue_notify(vq);
}

/* Free-page reporting, section 5.5.6.7: the chain's segments are the pages. */
static void handle_reporting(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioBalloon *s = VIRTIO_BALLOON(vdev);
    VirtChain chain;

    while (virtqueue_pop(vq, &chain)) {
        /* A poison value other than 0 would be lost with the page. */
        for (unsigned i = 0; i < chain.n_in && !s->poison_val; i++) {
            uint64_t offset;
            RamBlock *rb;

            rcu_read_lock();
            rb = ram_block_from_host_rcu(chain.in[i].iov_base, &offset);
            if (!((offset | chain.in[i].iov_len) & (BALLOON_PAGE - 1))) {
                discard(rb, offset, chain.in[i].iov_len);
            }
            rcu_read_unlock();
        }
        virtqueue_push(vq, &chain, 0);
    }
    virtqueue_notify(vq);
}

/* --- statistics, section 5.5.6.3: the guest's buffer waits here until new ones are wanted --- */

static void drop_stats_chain(VirtioBalloon *s)
{
    if (s->have_stats_chain) {
        s->have_stats_chain = false;
        virtchain_detach(&s->stats_chain);
    }
}

static void handle_stats(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioBalloon *s = VIRTIO_BALLOON(vdev);
    VirtChain chain;
    uint8_t raw[10];

    if (!virtqueue_pop(vq, &chain)) {
        return;
    }
    if (s->have_stats_chain) {
        s->have_stats_chain = false;
        virtqueue_push(vq, &s->stats_chain, 0);
        virtqueue_notify(vq);
    }
    for (int i = 0; i < BALLOON_STATS; i++) {
        s->stats[i] = UINT64_MAX;
    }
    for (size_t at = 0; virtchain_read(&chain, at, raw, sizeof(raw)) == sizeof(raw); at += sizeof(raw)) {
        uint16_t tag = ld16_le(raw);

        if (tag < BALLOON_STATS) {
            s->stats[tag] = ld64_le(raw + 2);
        }
    }
    s->stats_time_s = clock_get_ns(CLOCK_TYPE_HOST) / NANOSECONDS_PER_SECOND;
    s->stats_chain = chain;
    s->have_stats_chain = true;
}

static void arm_poll(VirtioBalloon *s)
{
    if (s->poll_interval_s) {
        timer_mod(&s->poll_timer, clock_get_ns(CLOCK_TYPE_VIRTUAL) + s->poll_interval_s * NANOSECONDS_PER_SECOND);
    } else {
        timer_del(&s->poll_timer);
    }
}

static void poll_stats(void *opaque)
{
    VirtioBalloon *s = opaque;

    if (s->have_stats_chain) {
        s->have_stats_chain = false;
        virtqueue_push(s->stats_vq, &s->stats_chain, 0);
        virtqueue_notify(s->stats_vq);
    }
    arm_poll(s);
}

static Value *get_guest_stats(Object *obj, const Property *p)
{
    VirtioBalloon *s = VIRTIO_BALLOON(obj);
    Value *top = value_dict(), *stats = value_dict();

    for (int i = 0; i < BALLOON_STATS; i++) {
        value_dict_set(stats, stat_names[i], value_uint(s->stats_time_s ? s->stats[i] : UINT64_MAX));
    }
    value_dict_set(top, "stats", stats);
    value_dict_set_int(top, "last-update", s->stats_time_s);
    return top;
}

static Value *get_poll_interval(Object *obj, const Property *p)
{
    return value_int(VIRTIO_BALLOON(obj)->poll_interval_s);
}

static bool set_poll_interval(Object *obj, const Property *p, const Value *v, Error **errp)
{
    VirtioBalloon *s = VIRTIO_BALLOON(obj);
    int64_t seconds;

    if (!value_get_int(v, &seconds) || seconds < 0 || seconds > UINT32_MAX) {
        g_autofree char *got = value_describe(v);

        error_setg(errp, "must be 0..%u seconds, got %s", UINT32_MAX, got);
        return false;
    }
    s->poll_interval_s = seconds;
    if (s->vdev.dev.realized) {
        arm_poll(s);
    }
    return true;
}

/* --- size --- */

static uint64_t actual_bytes(void *opaque)
{
    VirtioBalloon *s = opaque;
    uint64_t ram = current_machine()->ram_size, given = (uint64_t)s->actual_pages << BALLOON_PAGE_BITS;

    return given < ram ? ram - given : 0;
}

static void set_target(void *opaque, uint64_t bytes)
{
    VirtioBalloon *s = opaque;

    s->num_pages = (current_machine()->ram_size - bytes) >> BALLOON_PAGE_BITS;
    virtio_notify_config(&s->vdev);
}

static const BalloonOps balloon_ops = { .actual_bytes = actual_bytes, .set_target = set_target };

static void balloon_get_config(VirtioDevice *vdev, uint8_t *config)
{
    VirtioBalloon *s = VIRTIO_BALLOON(vdev);

    st32_le(config + CFG_NUM_PAGES, s->num_pages);
    st32_le(config + CFG_ACTUAL, s->actual_pages);
    st32_le(config + CFG_POISON_VAL, s->poison_val);
}

static void balloon_set_config(VirtioDevice *vdev, const uint8_t *config)
{
    VirtioBalloon *s = VIRTIO_BALLOON(vdev);
    uint32_t actual = ld32_le(config + CFG_ACTUAL);

    if (virtio_has_feature(vdev, BALLOON_F_PAGE_POISON)) {
        s->poison_val = ld32_le(config + CFG_POISON_VAL);
    }
    if (actual != s->actual_pages) {
        s->actual_pages = actual;
        balloon_changed(actual_bytes(s));
    }
}

static uint64_t balloon_get_features(VirtioDevice *vdev)
{
    VirtioBalloon *s = VIRTIO_BALLOON(vdev);

    return 1ULL << BALLOON_F_STATS_VQ | (s->deflate_on_oom ? 1ULL << BALLOON_F_DEFLATE_ON_OOM : 0)
         | (s->page_poison ? 1ULL << BALLOON_F_PAGE_POISON : 0)
         | (s->free_page_reporting ? 1ULL << BALLOON_F_REPORTING : 0);
}

static void balloon_status_changed(VirtioDevice *vdev, uint8_t old)
{
    if (vdev->status & VIRTIO_STATUS_DRIVER_OK && !(old & VIRTIO_STATUS_DRIVER_OK)) {
        arm_poll(VIRTIO_BALLOON(vdev));
    }
}

static void balloon_device_reset(VirtioDevice *vdev)
{
    VirtioBalloon *s = VIRTIO_BALLOON(vdev);

    drop_stats_chain(s);
    timer_del(&s->poll_timer);
    s->poison_val = 0;
    s->actual_pages = 0;
    s->stats_time_s = 0;
}

/* --- life --- */

static bool balloon_realize(Device *dev, Error **errp)
{
    VirtioBalloon *s = VIRTIO_BALLOON(dev);

    if (!balloon_register(&balloon_ops, s, errp)) {
        return false;
    }
    timer_init(&s->poll_timer, CLOCK_TYPE_VIRTUAL, poll_stats, s);
    s->stats_vq = virtio_queue(&s->vdev, 2);
    /* Queues follow the features in order; without free-page hints reporting is number 3 (section 5.5.2). */
    if (s->free_page_reporting) {
        s->reporting_vq = virtio_add_queue(&s->vdev, "reporting_vq", 32, handle_reporting);
    }
    return true;
}

static void balloon_unrealize(Device *dev)
{
    VirtioBalloon *s = VIRTIO_BALLOON(dev);

    drop_stats_chain(s);
    timer_del(&s->poll_timer);
    balloon_unregister(s);
}

static const Property balloon_properties[] = {
    PROP_BOOL("deflate-on-oom", VirtioBalloon, deflate_on_oom, false, .help = "the guest may take memory back when it has none"),
    PROP_BOOL("free-page-reporting", VirtioBalloon, free_page_reporting, false, .help = "the guest reports free pages"),
    PROP_BOOL("page-poison", VirtioBalloon, page_poison, true, .help = "the guest may tell its page poison value"),
    PROP_CUSTOM(any, "guest-stats", get_guest_stats, NULL, .shown = "guest statistics", .help = "the guest's latest statistics"),
    PROP_CUSTOM(int, "guest-stats-polling-interval", get_poll_interval, set_poll_interval, .unit = "s",
                .help = "how often to ask for statistics; 0 = never", .settable_live = true),
};

static const VMState vmstate_balloon = {
    .name = "virtio-balloon", .version = 1, .minimum_version = 1,
    .fields = (const VMField[]){
        VMS_U32(VirtioBalloon, num_pages), VMS_U32(VirtioBalloon, actual_pages), VMS_U32(VirtioBalloon, poison_val),
        VMS_END,
    },
};

VIRTIO_DEVICE_DEFINE(VirtioBalloon, virtio_balloon, "virtio-balloon",
    .desc = "virtio memory balloon",
    .virtio_id = VIRTIO_ID_BALLOON,
    .pci_class = PCI_CLASS_OTHERS,
    .queue = { { "inflateq", 128, handle_pages }, { "deflateq", 128, handle_pages }, { "statsq", 128, handle_stats } },
    .config_size = CFG_SIZE,
    .properties = PROPS(balloon_properties),
    .realize = balloon_realize,
    .unrealize = balloon_unrealize,
    .get_features = balloon_get_features,
    .get_config = balloon_get_config,
    .set_config = balloon_set_config,
    .status_changed = balloon_status_changed,
    .device_reset = balloon_device_reset,
    .vmstate = &vmstate_balloon,
)
