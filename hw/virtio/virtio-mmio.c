/*
 * Virtio over MMIO: section 4.2, version 2 (the modern layout).
 */
#include "hw/virtio/virtio.h"
#include "util/log.h"

#define VIRTIO_MMIO_SIZE    0x200
#define VIRTIO_MMIO_MAGIC   0x74726976      /* "virt" */
#define VIRTIO_MMIO_VENDOR  0x554d4551      /* what QEMU's answers */

/* Section 4.2.2 */
enum {
    MMIO_MAGIC = 0x00, MMIO_VERSION = 0x04, MMIO_DEVICE_ID = 0x08, MMIO_VENDOR_ID = 0x0c,
    MMIO_DEVICE_FEATURES = 0x10, MMIO_DEVICE_FEATURES_SEL = 0x14, MMIO_DRIVER_FEATURES = 0x20,
    MMIO_DRIVER_FEATURES_SEL = 0x24, MMIO_QUEUE_SEL = 0x30, MMIO_QUEUE_NUM_MAX = 0x34, MMIO_QUEUE_NUM = 0x38,
    MMIO_QUEUE_READY = 0x44, MMIO_QUEUE_NOTIFY = 0x50, MMIO_INTERRUPT_STATUS = 0x60, MMIO_INTERRUPT_ACK = 0x64,
    MMIO_STATUS = 0x70, MMIO_QUEUE_DESC_LOW = 0x80, MMIO_QUEUE_DESC_HIGH = 0x84, MMIO_QUEUE_DRIVER_LOW = 0x90,
    MMIO_QUEUE_DRIVER_HIGH = 0x94, MMIO_QUEUE_DEVICE_LOW = 0xa0, MMIO_QUEUE_DEVICE_HIGH = 0xa4,
    MMIO_SHM_LEN_LOW = 0xb0, MMIO_SHM_LEN_HIGH = 0xb4, MMIO_SHM_BASE_LOW = 0xb8, MMIO_SHM_BASE_HIGH = 0xbc,
    MMIO_CONFIG_GENERATION = 0xfc, MMIO_CONFIG = 0x100,
};

typedef struct VirtioMmio {
    SysBusDevice sbd;
    Bus bus;
    MemoryRegion mr;
    IrqLine irq;
} VirtioMmio;

OBJECT_DECLARE(VirtioMmio, VIRTIO_MMIO, virtio_mmio)

/* The device plugged in, NULL while the slot is empty. */
static VirtioDevice *plugged(VirtioMmio *m)
{
    return m->bus.devices->len ? VIRTIO_DEVICE(g_ptr_array_index(m->bus.devices, 0)) : NULL;
}

static void update_irq(VirtioMmio *m)
{
    VirtioDevice *vdev = plugged(m);

    irq_set(m->irq, vdev && vdev->isr);
}

static void mmio_notify(void *opaque, uint16_t vector)
{
    update_irq(opaque);
}

static const VirtioTransportOps mmio_ops = { .notify = mmio_notify };

static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    VirtioMmio *m = opaque;
    VirtioDevice *vdev = plugged(m);
    VirtQueue *vq = vdev ? virtio_queue(vdev, vdev->queue_sel) : NULL;

    if (addr >= MMIO_CONFIG) {
        return vdev ? virtio_config_read(vdev, addr - MMIO_CONFIG, size) : 0;
    }
    if (size != 4) {
        guest_error("virtio-mmio", "read of %u bytes at 0x%" HWADDR_PRIx, size, addr);
        return 0;
    }
    switch (addr) {
    case MMIO_MAGIC:     return VIRTIO_MMIO_MAGIC;
    case MMIO_VERSION:   return 2;
    case MMIO_VENDOR_ID: return VIRTIO_MMIO_VENDOR;
    case MMIO_SHM_LEN_LOW: case MMIO_SHM_LEN_HIGH: case MMIO_SHM_BASE_LOW: case MMIO_SHM_BASE_HIGH:
        return UINT32_MAX;              /* no shared memory region (section 4.2.2) */
    }
    if (!vdev) {
        return 0;                       /* device id 0: nobody there */
    }
    switch (addr) {
    case MMIO_DEVICE_ID:         return virtio_info(vdev)->virtio_id;
    case MMIO_DEVICE_FEATURES:   return vdev->device_feature_sel < 2 ? (uint32_t)(vdev->offered >> (32 * vdev->device_feature_sel)) : 0;
    case MMIO_QUEUE_NUM_MAX:     return vq ? virtqueue_size_max(vq) : 0;
    case MMIO_QUEUE_READY:       return vq && virtqueue_is_ready(vq);
    case MMIO_INTERRUPT_STATUS:  return vdev->isr;
    case MMIO_STATUS:            return vdev->status;
    case MMIO_CONFIG_GENERATION: return vdev->generation;
    default:
        guest_error("virtio-mmio", "read of register 0x%" HWADDR_PRIx, addr);
        return 0;
    }
}

static void write_queue(VirtioDevice *vdev, VirtQueue *vq, hwaddr addr, uint32_t v)
{
    hwaddr desc, driver, device;

    virtqueue_get_addresses(vq, &desc, &driver, &device);
    switch (addr) {
    case MMIO_QUEUE_NUM:
        if (!virtqueue_set_size(vq, v)) {
            virtio_error(vdev, "queue %u: size %u refused", virtqueue_index(vq), v);
        }
        return;
    case MMIO_QUEUE_READY:
        if (v) {
            virtqueue_enable(vq);
        } else {
            virtqueue_reset(vq);
        }
        return;
    case MMIO_QUEUE_DESC_LOW:    desc = deposit64(desc, 0, 32, v); break;
    case MMIO_QUEUE_DESC_HIGH:   desc = deposit64(desc, 32, 32, v); break;
    case MMIO_QUEUE_DRIVER_LOW:  driver = deposit64(driver, 0, 32, v); break;
    case MMIO_QUEUE_DRIVER_HIGH: driver = deposit64(driver, 32, 32, v); break;
    case MMIO_QUEUE_DEVICE_LOW:  device = deposit64(device, 0, 32, v); break;
    case MMIO_QUEUE_DEVICE_HIGH: device = deposit64(device, 32, 32, v); break;
    default:
        guest_error("virtio-mmio", "write of register 0x%" HWADDR_PRIx, addr);
        return;
    }
    if (!virtqueue_is_ready(vq)) {
        virtqueue_set_addresses(vq, desc, driver, device);
    }
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    VirtioMmio *m = opaque;
    VirtioDevice *vdev = plugged(m);
    VirtQueue *vq = vdev ? virtio_queue(vdev, vdev->queue_sel) : NULL;

    if (!vdev) {
        return;
    }
    if (addr >= MMIO_CONFIG) {
        virtio_config_write(vdev, addr - MMIO_CONFIG, v, size);
        return;
    }
    if (size != 4) {
        guest_error("virtio-mmio", "write of %u bytes at 0x%" HWADDR_PRIx, size, addr);
        return;
    }
    switch (addr) {
    case MMIO_DEVICE_FEATURES_SEL:
        vdev->device_feature_sel = v;
        break;
    case MMIO_DRIVER_FEATURES_SEL:
        vdev->driver_feature_sel = v;
        break;
    case MMIO_DRIVER_FEATURES:
        if (vdev->driver_feature_sel < 2) {
            virtio_set_features(vdev, deposit64(vdev->guest_features, 32 * vdev->driver_feature_sel, 32, v));
        }
        break;
    case MMIO_QUEUE_SEL:
        vdev->queue_sel = v;
        break;
    case MMIO_QUEUE_NOTIFY:
        virtio_queue_kick(vdev, v & 0xffff);
        break;
    case MMIO_INTERRUPT_ACK:
        vdev->isr &= ~v;
        update_irq(m);
        break;
    case MMIO_STATUS:
        virtio_set_status(vdev, v);
        update_irq(m);
        break;
    default:
        if (vq) {
            write_queue(vdev, vq, addr, v);
        }
    }
}

static const MemoryRegionOps mmio_region_ops = {
    .read = mmio_read, .write = mmio_write, .impl = { 1, 4 }, .valid = { 1, 4 },
};

/* --- plugging --- */

static bool mmio_plug(void *opaque, Device *dev, Error **errp)
{
    VirtioMmio *m = opaque;

    return virtio_realize_on(VIRTIO_DEVICE(dev), &m->bus, &mmio_ops, m, &address_space_memory, true, errp);
}

static const HotplugHandler mmio_hotplug = { .plug = mmio_plug };

static void virtio_mmio_init(Object *obj)
{
    VirtioMmio *m = VIRTIO_MMIO(obj);

    bus_init_embedded(&m->bus, &virtio_bus_type, &m->sbd.dev, "virtio-mmio-bus");
    bus_set_hotplug_handler(&m->bus, &mmio_hotplug, m);
    memory_region_init_io(&m->mr, m, &mmio_region_ops, m, "virtio-mmio", VIRTIO_MMIO_SIZE);
    sysbus_init_mmio(&m->sbd, &m->mr);
    sysbus_init_irq(&m->sbd, &m->irq);
}

static void virtio_mmio_reset_hold(Device *dev, ResetType type)
{
    update_irq(VIRTIO_MMIO(dev));
}

DEVICE_DEFINE(VirtioMmio, virtio_mmio, "virtio-mmio", sysbus_device,
    .desc = "virtio over memory-mapped registers",
    .init = virtio_mmio_init,
    .reset_hold = virtio_mmio_reset_hold,
    .vmstate = &vmstate_none,
)
