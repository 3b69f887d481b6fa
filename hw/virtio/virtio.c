/*
 * Virtio devices: life, status, feature negotiation, configuration space (section 2, section 3.1).
 */
#include "virtqueue-internal.h"
#include "util/log.h"
#include "trace.h"

#include <stdarg.h>

BUS_DEFINE(Bus, virtio_bus, "virtio-bus", bus,
    .desc = "between a virtio transport and its device",
    .max_devices = 1,
)

#define COMMON_FEATURE(name, bit, on, text) PROP_BIT64(name, VirtioDevice, host_features, bit, on, .help = text)
static const Property virtio_properties[] = {
    COMMON_FEATURE("indirect_desc", VIRTIO_F_INDIRECT_DESC, true, "offer indirect descriptors"),
    COMMON_FEATURE("event_idx", VIRTIO_F_EVENT_IDX, true, "offer event indexes"),
    COMMON_FEATURE("notify_on_empty", VIRTIO_F_NOTIFY_ON_EMPTY, true, "offer the legacy notify-on-empty"),
    COMMON_FEATURE("any_layout", VIRTIO_F_ANY_LAYOUT, true, "offer any descriptor layout to legacy drivers"),
    COMMON_FEATURE("packed", VIRTIO_F_RING_PACKED, false, "offer packed virtqueues"),
    PROP_FIXED(bool, "in_order", false, .help = "offer in-order completion"),
    PROP_FIXED(bool, "iommu_platform", false, .help = "offer access through an IOMMU"),
};

/* --- errors --- */

void virtio_error(VirtioDevice *vdev, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    guest_error(vdev->dev.obj.type->name, "%s", text);
    virtio_device_failed(vdev);
}

void virtio_device_failed(VirtioDevice *vdev)
{
    vdev->broken = true;
    if (virtio_has_feature(vdev, VIRTIO_F_VERSION_1)) {
        vdev->status |= VIRTIO_STATUS_NEEDS_RESET;
        virtio_notify_config(vdev);
    }
}

/* --- queues --- */

VirtQueue *virtio_add_queue(VirtioDevice *vdev, const char *name, uint16_t size, VirtQueueFn *handle)
{
    VirtQueue *vq = g_new0(VirtQueue, 1);

    assert(vdev->n_queues < VIRTIO_QUEUE_MAX && size && size <= VIRTQUEUE_SIZE_MAX);
    vq->vdev = vdev;
    vq->name = name;
    vq->handle = handle;
    vq->index = vdev->n_queues;
    vq->size_max = size;
    vq->vector = VIRTIO_NO_VECTOR;
    virtqueue_reset(vq);
    vdev->queues = g_renew(VirtQueue *, vdev->queues, vdev->n_queues + 1);
    vdev->queues[vdev->n_queues++] = vq;
    return vq;
}

VirtQueue *virtio_queue(VirtioDevice *vdev, unsigned n)
{
    return n < vdev->n_queues ? vdev->queues[n] : NULL;
}

void virtio_queue_kick(VirtioDevice *vdev, unsigned n)
{
    VirtQueue *vq = virtio_queue(vdev, n);

    if (!vq) {
        guest_error(vdev->dev.obj.type->name, "notification for queue %u of %u", n, vdev->n_queues);
        return;
    }
    /* Legacy drivers may kick before DRIVER_OK (section 3.1.2). */
    if (virtqueue_is_ready(vq) && vdev->status & VIRTIO_STATUS_DRIVER) {
        trace_virtio_queue_notify(vdev, n, vq);
        vq->handle(vdev, vq);
    }
}

/* --- life --- */

static bool virtio_device_realize(Device *dev, Error **errp)
{
    VirtioDevice *vdev = VIRTIO_DEVICE(dev);
    const VirtioInfo *info = virtio_info(vdev);

    assert(info->config_size <= VIRTIO_CONFIG_MAX);
    for (unsigned i = 0; i < VIRTIO_STATIC_QUEUES && info->queue[i].handle; i++) {
        virtio_add_queue(vdev, info->queue[i].name, info->queue[i].size, info->queue[i].handle);
    }
    return true;
}

static void virtio_device_unrealize(Device *dev)
{
    VirtioDevice *vdev = VIRTIO_DEVICE(dev);

    for (unsigned i = 0; i < vdev->n_queues; i++) {
        g_free(vdev->queues[i]);
    }
    g_clear_pointer(&vdev->queues, g_free);
    vdev->n_queues = 0;
}

static void virtio_device_reset_hold(Device *dev, ResetType type)
{
    virtio_reset(VIRTIO_DEVICE(dev));
}

static const VMState vmstate_virtio_device = {
    .name = "virtio", .version = 1, .minimum_version = 1,
    .fields = (const VMField[]){
        VMS_U8(VirtioDevice, status), VMS_U8(VirtioDevice, isr), VMS_BOOL(VirtioDevice, broken),
        VMS_U16(VirtioDevice, queue_sel), VMS_U16(VirtioDevice, config_vector), VMS_U32(VirtioDevice, generation),
        VMS_U64(VirtioDevice, guest_features), VMS_U32(VirtioDevice, device_feature_sel),
        VMS_U32(VirtioDevice, driver_feature_sel),
        VMS_STRUCT_POINTERS(VirtioDevice, queues, n_queues, &vmstate_virtqueue),
        VMS_END,
    },
};

DEVICE_DEFINE_ABSTRACT(VirtioDevice, virtio_device, "virtio-device", device,
    .bus_type = &virtio_bus_type,
    .properties = PROPS(virtio_properties),
    .realize = virtio_device_realize,
    .unrealize = virtio_device_unrealize,
    .reset_hold = virtio_device_reset_hold,
    .vmstate = &vmstate_virtio_device,
)

bool virtio_realize_on(VirtioDevice *vdev, Bus *bus, const VirtioTransportOps *ops, void *opaque, AddressSpace *dma_as,
                       bool modern, Error **errp)
{
    const VirtioInfo *info = virtio_info(vdev);

    vdev->transport = ops;
    vdev->transport_opaque = opaque;
    vdev->dma_as = dma_as;
    vdev->config_vector = VIRTIO_NO_VECTOR;
    if (!vdev->dev.realized && !device_realize(&vdev->dev, bus, errp)) {
        return false;
    }
    vdev->offered = vdev->host_features | info->features;
    if (info->get_features) {
        vdev->offered |= info->get_features(vdev);
    }
    if (modern) {
        vdev->offered |= 1ULL << VIRTIO_F_VERSION_1;
    } else {
        vdev->offered &= UINT32_MAX;
    }
    return true;
}

void virtio_reset(VirtioDevice *vdev)
{
    const VirtioInfo *info = virtio_info(vdev);

    if (info->device_reset) {
        info->device_reset(vdev);
    }
    vdev->status = 0;
    vdev->isr = 0;
    vdev->broken = false;
    vdev->queue_sel = 0;
    vdev->config_vector = VIRTIO_NO_VECTOR;
    vdev->guest_features = 0;
    vdev->device_feature_sel = vdev->driver_feature_sel = 0;
    for (unsigned i = 0; i < vdev->n_queues; i++) {
        virtqueue_reset(vdev->queues[i]);
        vdev->queues[i]->vector = VIRTIO_NO_VECTOR;
    }
}

/* --- negotiation --- */

void virtio_set_features(VirtioDevice *vdev, uint64_t features)
{
    if (vdev->status & (VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK)) {
        guest_error(vdev->dev.obj.type->name, "features changed after FEATURES_OK");
        return;
    }
    vdev->guest_features = features;
}

/* Section 3.1.1 step 5: accept or refuse what the driver chose. */
static bool features_acceptable(VirtioDevice *vdev)
{
    if (vdev->guest_features & ~vdev->offered) {
        guest_error(vdev->dev.obj.type->name, "driver set features 0x%" PRIx64 " that were not offered",
                    vdev->guest_features & ~vdev->offered);
        return false;
    }
    return !virtio_info(vdev)->accept_features || virtio_info(vdev)->accept_features(vdev, vdev->guest_features);
}

void virtio_set_status(VirtioDevice *vdev, uint8_t status)
{
    const VirtioInfo *info = virtio_info(vdev);
    uint8_t old = vdev->status, rising = status & ~old;

    trace_virtio_set_status(vdev, status);
    if (!status) {
        virtio_reset(vdev);
        return;
    }
    if (rising & VIRTIO_STATUS_FEATURES_OK && !features_acceptable(vdev)) {
        status &= ~VIRTIO_STATUS_FEATURES_OK;
        rising &= ~VIRTIO_STATUS_FEATURES_OK;
    }
    /* Legacy drivers have no FEATURES_OK: their choice stands from DRIVER_OK, less what was not offered. */
    if (rising & VIRTIO_STATUS_DRIVER_OK && !(status & VIRTIO_STATUS_FEATURES_OK)) {
        vdev->guest_features &= vdev->offered;
        rising |= VIRTIO_STATUS_FEATURES_OK;
    }
    vdev->status = status | (old & VIRTIO_STATUS_NEEDS_RESET);
    if (rising & VIRTIO_STATUS_FEATURES_OK && info->set_features) {
        info->set_features(vdev, vdev->guest_features);
    }
    if (info->status_changed) {
        info->status_changed(vdev, old);
    }
}

/* --- configuration --- */

void virtio_notify_config(VirtioDevice *vdev)
{
    if (vdev->status & VIRTIO_STATUS_DRIVER_OK) {
        vdev->generation++;
        vdev->isr |= 3;
        vdev->transport->notify(vdev->transport_opaque, vdev->config_vector);
    }
}

uint8_t virtio_isr_read_clear(VirtioDevice *vdev)
{
    uint8_t isr = vdev->isr;

    vdev->isr = 0;
    return isr;
}

static void config_image(VirtioDevice *vdev, uint8_t image[VIRTIO_CONFIG_MAX])
{
    memset(image, 0, VIRTIO_CONFIG_MAX);
    if (virtio_info(vdev)->get_config) {
        virtio_info(vdev)->get_config(vdev, image);
    }
}

uint32_t virtio_config_read(VirtioDevice *vdev, uint32_t offset, unsigned len)
{
    unsigned size = virtio_info(vdev)->config_size;
    uint8_t image[VIRTIO_CONFIG_MAX];

    if (offset > size || len > size - offset) {
        return UINT32_MAX >> (32 - 8 * len);
    }
    config_image(vdev, image);
    return len == 1 ? image[offset] : len == 2 ? ld16_le(image + offset) : ld32_le(image + offset);
}

void virtio_config_write(VirtioDevice *vdev, uint32_t offset, uint32_t value, unsigned len)
{
    unsigned size = virtio_info(vdev)->config_size;
    uint8_t image[VIRTIO_CONFIG_MAX];

    if (offset > size || len > size - offset || !virtio_info(vdev)->set_config) {
        guest_error(vdev->dev.obj.type->name, "write of %u bytes at 0x%x of the configuration", len, offset);
        return;
    }
    config_image(vdev, image);
    for (unsigned i = 0; i < len; i++) {
        image[offset + i] = value >> (8 * i);
    }
    virtio_info(vdev)->set_config(vdev, image);
}
