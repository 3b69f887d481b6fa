/*
 * Virtio entropy device: section 5.4.
 *
 * One queue of writable buffers.  With max-bytes/period the guest gets at most that many bytes per
 * period; requests beyond wait for the next one.  A back end that is dry is asked again after
 * RETRY_NS.
 */
#include "hw/virtio/virtio.h"
#include "system/rng.h"
#include "util/timer.h"

#define RNG_QUEUE_SIZE  8
#define RNG_REQUEST_MAX (64 * KiB)      /* of one buffer; the rest of a larger one stays unwritten */
#define RETRY_NS        (10 * 1000 * 1000)

typedef struct VirtioRng {
    VirtioDevice vdev;
    RngBackend *backend;
    uint64_t max_bytes;
    uint32_t period_ms;

    int64_t quota;                      /* bytes left in this period */
    Timer timer;                        /* next period, or retry */
} VirtioRng;

OBJECT_DECLARE(VirtioRng, VIRTIO_RNG, virtio_rng)

/* Fill as much of @chain as the quota and the back end give; 0 = nothing now. */
static size_t rng_fill(VirtioRng *s, VirtChain *chain)
{
    size_t want = MIN(MIN(chain->in_len, RNG_REQUEST_MAX), (uint64_t)s->quota), done = 0;
    uint8_t buf[4096];

    while (done < want) {
        size_t n = rng_backend_fill(s->backend, buf, MIN(want - done, sizeof(buf)));

        if (!n) {
            break;
        }
        done += virtchain_write(chain, done, buf, n);
    }
    s->quota -= done;
    return done;
}

static bool rate_limited(const VirtioRng *s)
{
    return s->max_bytes != INT64_MAX;
}

static void rng_arm(VirtioRng *s)
{
    if (!timer_pending(&s->timer)) {
        int64_t wait = rate_limited(s) ? s->period_ms * 1000000LL : RETRY_NS;

        timer_mod(&s->timer, clock_get_ns(CLOCK_TYPE_VIRTUAL) + wait);
    }
}

static void rng_handle_request(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioRng *s = VIRTIO_RNG(vdev);
    VirtChain chain;

    while (virtqueue_pop(vq, &chain)) {
        size_t done = rng_fill(s, &chain);

        if (!done && chain.in_len) {
            virtqueue_unpop(vq, &chain);
            break;
        }
        virtqueue_push(vq, &chain, done);
    }
    virtqueue_notify(vq);
    if (rate_limited(s) || !virtqueue_is_empty(vq)) {
        rng_arm(s);
    }
}

static void rng_timer(void *opaque)
{
    VirtioRng *s = opaque;

    s->quota = s->max_bytes;
    rng_handle_request(&s->vdev, virtio_queue(&s->vdev, 0));
}

static bool rng_realize(Device *dev, Error **errp)
{
    VirtioRng *s = VIRTIO_RNG(dev);

    if (!s->backend) {
        s->backend = RNG_BACKEND(object_new(&rng_builtin_type));    /* reference is the link's */
    }
    s->quota = s->max_bytes;
    timer_init(&s->timer, CLOCK_TYPE_VIRTUAL, rng_timer, s);
    return true;
}

static void rng_unrealize(Device *dev)
{
    timer_del(&VIRTIO_RNG(dev)->timer);
}

static void rng_device_reset(VirtioDevice *vdev)
{
    VirtioRng *s = VIRTIO_RNG(vdev);

    timer_del(&s->timer);
    s->quota = s->max_bytes;
}

static const Property rng_properties[] = {
    PROP_LINK("rng", VirtioRng, backend, rng_backend, .help = "entropy source; none = the host's getrandom()"),
    PROP_UINT64("max-bytes", VirtioRng, max_bytes, INT64_MAX, .min = 1, .max = INT64_MAX, .unit = "bytes",
                .help = "at most this much in each period"),
    PROP_UINT32("period", VirtioRng, period_ms, 65536, .min = 1, .max = UINT32_MAX, .unit = "ms", .help = "length of a period"),
};

static const VMState vmstate_rng = {
    .name = "virtio-rng", .version = 1, .minimum_version = 1,
    .fields = (const VMField[]){ VMS_I64(VirtioRng, quota), VMS_TIMER(VirtioRng, timer), VMS_END },
};

VIRTIO_DEVICE_DEFINE(VirtioRng, virtio_rng, "virtio-rng",
    .desc = "virtio entropy source",
    .virtio_id = VIRTIO_ID_RNG,
    .pci_class = PCI_CLASS_OTHERS,
    .queue = { { "requestq", RNG_QUEUE_SIZE, rng_handle_request } },
    .properties = PROPS(rng_properties),
    .realize = rng_realize,
    .unrealize = rng_unrealize,
    .device_reset = rng_device_reset,
    .vmstate = &vmstate_rng,
)
