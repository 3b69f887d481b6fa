/*
 * Virtio over PCI: section 4.1, with the legacy interface of section 4.1.4.10.
 *
 * BARs: 0 = legacy I/O window, 1 = MSI-X, 4 = modern memory (common, ISR, device, notify: 4 KiB each).
 * A device directly on a root bus is transitional, one behind a PCIe port modern only, unless
 * disable-legacy / disable-modern say otherwise.
 */
#include "hw/virtio/virtio-pci-internal.h"
#include "hw/pci/msix.h"
#include "util/log.h"

#define VIRTIO_VENDOR_ID            0x1af4
#define VIRTIO_MODERN_ID_BASE       0x1040
#define MODERN_PAGE                 0x1000

/* struct virtio_pci_cap cfg_type, section 4.1.4 */
enum { CAP_COMMON = 1, CAP_NOTIFY, CAP_ISR, CAP_DEVICE, CAP_PCI_CFG };

/* struct virtio_pci_common_cfg, section 4.1.4.3 */
enum {
    COMMON_DFSELECT = 0x00, COMMON_DF = 0x04, COMMON_GFSELECT = 0x08, COMMON_GF = 0x0c, COMMON_MSIX = 0x10,
    COMMON_NUMQ = 0x12, COMMON_STATUS = 0x14, COMMON_CFGGENERATION = 0x15, COMMON_Q_SELECT = 0x16,
    COMMON_Q_SIZE = 0x18, COMMON_Q_MSIX = 0x1a, COMMON_Q_ENABLE = 0x1c, COMMON_Q_NOFF = 0x1e,
    COMMON_Q_DESCLO = 0x20, COMMON_Q_DESCHI = 0x24, COMMON_Q_AVAILLO = 0x28, COMMON_Q_AVAILHI = 0x2c,
    COMMON_Q_USEDLO = 0x30, COMMON_Q_USEDHI = 0x34, COMMON_SIZE = 0x38,
};

/* Legacy header, section 4.1.4.10 */
enum {
    LEGACY_HOST_FEATURES = 0, LEGACY_GUEST_FEATURES = 4, LEGACY_QUEUE_PFN = 8, LEGACY_QUEUE_NUM = 12,
    LEGACY_QUEUE_SEL = 14, LEGACY_QUEUE_NOTIFY = VIRTIO_PCI_LEGACY_NOTIFY, LEGACY_STATUS = 18, LEGACY_ISR = 19,
    LEGACY_CONFIG_VECTOR = 20, LEGACY_QUEUE_VECTOR = 22,
};

static inline VirtioPci *VIRTIO_PCI(const void *obj)
{
    return (VirtioPci *)object_check_cast(obj, &virtio_pci_type);
}

static const VirtioPciInfo *proxy_info(const VirtioPci *p)
{
    return (const VirtioPciInfo *)p->pci.dev.obj.type->info;
}

/* --- interrupts --- */

static void update_intx(VirtioPci *p)
{
    pci_set_irq(&p->pci, p->vdev->isr != 0 && !msix_enabled(&p->pci));
}

static void proxy_notify(void *opaque, uint16_t vector)
{
    VirtioPci *p = opaque;

    if (!msix_enabled(&p->pci)) {
        update_intx(p);
    } else if (vector != VIRTIO_NO_VECTOR) {
        msix_notify(&p->pci, vector);
    }
}

static const VirtioTransportOps proxy_ops = { .notify = proxy_notify };

static uint8_t read_isr(VirtioPci *p)
{
    uint8_t isr = virtio_isr_read_clear(p->vdev);

    update_intx(p);
    return isr;
}

/* A vector the device does not have reads back as "none" (section 4.1.5.1.2). */
static uint16_t checked_vector(const VirtioPci *p, uint32_t v)
{
    return v < msix_n_vectors(&p->pci) ? v : VIRTIO_NO_VECTOR;
}

static void proxy_set_status(VirtioPci *p, uint8_t status)
{
    if (!status) {
        virtio_pci_notify_drop(p);
    }
    virtio_set_status(p->vdev, status);
    virtio_pci_notify_update(p);
    update_intx(p);
}

/* --- common configuration, section 4.1.4.3 --- */

static uint32_t feature_word(uint64_t features, uint32_t sel)
{
    return sel < 2 ? features >> (32 * sel) : 0;
}

static uint64_t common_read_queue(VirtioPci *p, VirtQueue *vq, hwaddr addr)
{
    hwaddr desc, driver, device;

    virtqueue_get_addresses(vq, &desc, &driver, &device);
    switch (addr) {
    case COMMON_Q_SIZE:    return virtqueue_size(vq);
    case COMMON_Q_MSIX:    return virtqueue_vector(vq);
    case COMMON_Q_ENABLE:  return virtqueue_is_ready(vq);
    case COMMON_Q_NOFF:    return virtqueue_index(vq);
    case COMMON_Q_DESCLO:  return (uint32_t)desc;
    case COMMON_Q_DESCHI:  return desc >> 32;
    case COMMON_Q_AVAILLO: return (uint32_t)driver;
    case COMMON_Q_AVAILHI: return driver >> 32;
    case COMMON_Q_USEDLO:  return (uint32_t)device;
    case COMMON_Q_USEDHI:  return device >> 32;
    default:               return 0;
    }
}

static uint64_t common_read(void *opaque, hwaddr addr, unsigned size)
{
    VirtioPci *p = opaque;
    VirtioDevice *vdev = p->vdev;
    VirtQueue *vq = virtio_queue(vdev, vdev->queue_sel);

    switch (addr) {
    case COMMON_DFSELECT:      return vdev->device_feature_sel;
    case COMMON_DF:            return feature_word(vdev->offered & ~(1ULL << VIRTIO_F_NOTIFY_ON_EMPTY | 1ULL << VIRTIO_F_ANY_LAYOUT), vdev->device_feature_sel);
    case COMMON_GFSELECT:      return vdev->driver_feature_sel;
    case COMMON_GF:            return feature_word(vdev->guest_features, vdev->driver_feature_sel);
    case COMMON_MSIX:          return vdev->config_vector;
    case COMMON_NUMQ:          return vdev->n_queues;
    case COMMON_STATUS:        return vdev->status;
    case COMMON_CFGGENERATION: return vdev->generation & 0xff;
    case COMMON_Q_SELECT:      return vdev->queue_sel;
    default:                   return vq ? common_read_queue(p, vq, addr) : 0;
    }
}

static void common_write_queue(VirtioPci *p, VirtQueue *vq, hwaddr addr, uint32_t v)
{
    hwaddr desc, driver, device;

    virtqueue_get_addresses(vq, &desc, &driver, &device);
    switch (addr) {
    case COMMON_Q_SIZE:
        if (!virtqueue_set_size(vq, v)) {
            virtio_error(p->vdev, "queue %u: size %u refused", virtqueue_index(vq), v);
        }
        return;
    case COMMON_Q_MSIX:
        virtqueue_set_vector(vq, checked_vector(p, v));
        return;
    case COMMON_Q_ENABLE:
        if (v == 1) {
            virtqueue_enable(vq);
        } else {
            virtio_error(p->vdev, "queue %u: %u written to queue_enable", virtqueue_index(vq), v);
        }
        return;
    case COMMON_Q_DESCLO:  desc = deposit64(desc, 0, 32, v); break;
    case COMMON_Q_DESCHI:  desc = deposit64(desc, 32, 32, v); break;
    case COMMON_Q_AVAILLO: driver = deposit64(driver, 0, 32, v); break;
    case COMMON_Q_AVAILHI: driver = deposit64(driver, 32, 32, v); break;
    case COMMON_Q_USEDLO:  device = deposit64(device, 0, 32, v); break;
    case COMMON_Q_USEDHI:  device = deposit64(device, 32, 32, v); break;
    default:
        return;
    }
    if (!virtqueue_is_ready(vq)) {
        virtqueue_set_addresses(vq, desc, driver, device);
    }
}

static void common_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    VirtioPci *p = opaque;
    VirtioDevice *vdev = p->vdev;
    VirtQueue *vq = virtio_queue(vdev, vdev->queue_sel);

    switch (addr) {
    case COMMON_DFSELECT:
        vdev->device_feature_sel = v;
        break;
    case COMMON_GFSELECT:
        vdev->driver_feature_sel = v;
        break;
    case COMMON_GF:
        if (vdev->driver_feature_sel < 2) {
            virtio_set_features(vdev, deposit64(vdev->guest_features, 32 * vdev->driver_feature_sel, 32, v));
        }
        break;
    case COMMON_MSIX:
        vdev->config_vector = checked_vector(p, v);
        break;
    case COMMON_STATUS:
        proxy_set_status(p, v);
        break;
    case COMMON_Q_SELECT:
        vdev->queue_sel = v;
        break;
    default:
        if (vq) {
            common_write_queue(p, vq, addr, v);
        }
    }
}

static const MemoryRegionOps common_ops = {
    .read = common_read, .write = common_write, .impl = { 1, 4 }, .valid = { 1, 4 },
};

/* --- the other modern windows --- */

static uint64_t isr_read(void *opaque, hwaddr addr, unsigned size)
{
    return addr == 0 ? read_isr(opaque) : 0;
}

static void ignore_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    guest_error("virtio-pci", "write to the ISR status");
}

static const MemoryRegionOps isr_ops = { .read = isr_read, .write = ignore_write, .impl = { 1, 4 }, .valid = { 1, 4 } };

static uint64_t device_read(void *opaque, hwaddr addr, unsigned size)
{
    return virtio_config_read(((VirtioPci *)opaque)->vdev, addr, size);
}

static void device_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    virtio_config_write(((VirtioPci *)opaque)->vdev, addr, v, size);
}

static const MemoryRegionOps device_ops = {
    .read = device_read, .write = device_write, .impl = { 1, 4 }, .valid = { 1, 4 },
};

static uint64_t notify_read(void *opaque, hwaddr addr, unsigned size)
{
    return 0;
}

static void notify_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    virtio_queue_kick(((VirtioPci *)opaque)->vdev, addr / VIRTIO_PCI_NOTIFY_MULTIPLIER);
}

static const MemoryRegionOps notify_ops = {
    .read = notify_read, .write = notify_write, .impl = { 1, 4 }, .valid = { 1, 4 },
};

/* --- legacy window, section 4.1.4.10 --- */

/* The device's configuration follows the header, whose length depends on MSI-X. */
static unsigned legacy_config_offset(const VirtioPci *p)
{
    return msix_enabled(&p->pci) ? 24 : 20;
}

static uint64_t legacy_read_header(VirtioPci *p, hwaddr addr)
{
    VirtioDevice *vdev = p->vdev;
    VirtQueue *vq = virtio_queue(vdev, vdev->queue_sel);

    switch (addr) {
    case LEGACY_HOST_FEATURES:  return (uint32_t)vdev->offered;
    case LEGACY_GUEST_FEATURES: return (uint32_t)vdev->guest_features;
    case LEGACY_QUEUE_PFN:      return vq ? virtqueue_legacy_pfn(vq) : 0;
    case LEGACY_QUEUE_NUM:      return vq ? virtqueue_size_max(vq) : 0;
    case LEGACY_QUEUE_SEL:      return vdev->queue_sel;
    case LEGACY_STATUS:         return vdev->status;
    case LEGACY_ISR:            return read_isr(p);
    case LEGACY_CONFIG_VECTOR:  return vdev->config_vector;
    case LEGACY_QUEUE_VECTOR:   return vq ? virtqueue_vector(vq) : VIRTIO_NO_VECTOR;
    default:                    return 0;
    }
}

static uint64_t legacy_read(void *opaque, hwaddr addr, unsigned size)
{
    VirtioPci *p = opaque;
    unsigned config = legacy_config_offset(p);

    return addr >= config ? virtio_config_read(p->vdev, addr - config, size) : legacy_read_header(p, addr);
}

static void legacy_write_header(VirtioPci *p, hwaddr addr, uint32_t v)
{
    VirtioDevice *vdev = p->vdev;
    VirtQueue *vq = virtio_queue(vdev, vdev->queue_sel);

    switch (addr) {
    case LEGACY_GUEST_FEATURES:
        virtio_set_features(vdev, v & vdev->offered);
        break;
    case LEGACY_QUEUE_PFN:
        if (v == 0) {
            proxy_set_status(p, 0);
        } else if (vq) {
            virtqueue_set_legacy_pfn(vq, v);
        }
        break;
    case LEGACY_QUEUE_SEL:
        vdev->queue_sel = v;
        break;
    case LEGACY_QUEUE_NOTIFY:
        virtio_queue_kick(vdev, v & 0xffff);
        break;
    case LEGACY_STATUS:
        proxy_set_status(p, v);
        break;
    case LEGACY_CONFIG_VECTOR:
        vdev->config_vector = checked_vector(p, v);
        break;
    case LEGACY_QUEUE_VECTOR:
        if (vq) {
            virtqueue_set_vector(vq, checked_vector(p, v));
        }
        break;
    }
}

static void legacy_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    VirtioPci *p = opaque;
    unsigned config = legacy_config_offset(p);

    if (addr >= config) {
        virtio_config_write(p->vdev, addr - config, v, size);
    } else {
        legacy_write_header(p, addr, v);
    }
}

static const MemoryRegionOps legacy_ops = {
    .read = legacy_read, .write = legacy_write, .impl = { 1, 4 }, .valid = { 1, 4 },
};

/* --- VIRTIO_PCI_CAP_PCI_CFG: the windows through configuration space, section 4.1.4.9 --- */

/* True if the guest's bar, offset and length name an access inside BAR 4. */
static bool cfg_access(const VirtioPci *p, hwaddr *offset, unsigned *len)
{
    const uint8_t *cap = p->pci.config + p->cfg_cap;

    *offset = pci_get_long(cap + 8);
    *len = pci_get_long(cap + 12);
    return cap[4] == 4 && (*len == 1 || *len == 2 || *len == 4) && !(*offset & (*len - 1)) && *offset + *len <= 4 * MODERN_PAGE;
}

static MemoryRegion *modern_window(VirtioPci *p, hwaddr offset)
{
    MemoryRegion *const windows[] = { &p->common, &p->isr, &p->device, &p->notify };

    return windows[offset / MODERN_PAGE];
}

static bool touches_cfg_data(const VirtioPci *p, uint32_t addr, unsigned len)
{
    return p->cfg_cap && addr < p->cfg_cap + 20u && addr + len > p->cfg_cap + 16u;
}

static uint32_t proxy_config_read(PCIDevice *d, uint32_t addr, unsigned len)
{
    VirtioPci *p = VIRTIO_PCI(d);
    hwaddr offset;
    unsigned size;
    uint64_t v = 0;

    if (touches_cfg_data(p, addr, len) && cfg_access(p, &offset, &size)) {
        memory_region_dispatch_read(modern_window(p, offset), offset % MODERN_PAGE, &v, size, MEMTXATTRS_UNSPECIFIED);
        pci_set_long(d->config + p->cfg_cap + 16, v);
    }
    return pci_default_read_config(d, addr, len);
}

static void proxy_config_write(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len)
{
    VirtioPci *p = VIRTIO_PCI(d);
    hwaddr offset;
    unsigned size;

    pci_default_write_config(d, addr, val, len);
    if (touches_cfg_data(p, addr, len) && cfg_access(p, &offset, &size)) {
        memory_region_dispatch_write(modern_window(p, offset), offset % MODERN_PAGE,
                                     pci_get_long(d->config + p->cfg_cap + 16), size, MEMTXATTRS_UNSPECIFIED);
    }
}

/* --- realize --- */

static bool add_virtio_cap(VirtioPci *p, uint8_t type, uint8_t size, uint32_t offset, uint8_t *pos, Error **errp)
{
    uint8_t *cap;

    *pos = pci_add_capability(&p->pci, PCI_CAP_ID_VNDR, 0, size, errp);
    if (!*pos) {
        return false;
    }
    cap = p->pci.config + *pos;
    cap[2] = size;
    cap[3] = type;
    cap[4] = type == CAP_PCI_CFG ? 0 : 4;
    pci_set_long(cap + 8, offset);
    pci_set_long(cap + 12, type == CAP_PCI_CFG ? 0 : MODERN_PAGE);
    return true;
}

static bool realize_modern(VirtioPci *p, Error **errp)
{
    static const struct { uint8_t type, size; uint32_t offset; } caps[] = {
        { CAP_COMMON, 16, 0 }, { CAP_ISR, 16, MODERN_PAGE }, { CAP_DEVICE, 16, 2 * MODERN_PAGE },
        { CAP_NOTIFY, 20, 3 * MODERN_PAGE }, { CAP_PCI_CFG, 20, 0 },
    };
    uint8_t pos;

    memory_region_init(&p->modern_mem, p, "virtio-pci", 4 * MODERN_PAGE);
    memory_region_init_io(&p->common, p, &common_ops, p, "virtio-pci-common", MODERN_PAGE);
    memory_region_init_io(&p->isr, p, &isr_ops, p, "virtio-pci-isr", MODERN_PAGE);
    memory_region_init_io(&p->device, p, &device_ops, p, "virtio-pci-device", MODERN_PAGE);
    memory_region_init_io(&p->notify, p, &notify_ops, p, "virtio-pci-notify", MODERN_PAGE);
    memory_region_add_subregion(&p->modern_mem, 0, &p->common);
    memory_region_add_subregion(&p->modern_mem, MODERN_PAGE, &p->isr);
    memory_region_add_subregion(&p->modern_mem, 2 * MODERN_PAGE, &p->device);
    memory_region_add_subregion(&p->modern_mem, 3 * MODERN_PAGE, &p->notify);
    for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
        if (!add_virtio_cap(p, caps[i].type, caps[i].size, caps[i].offset, &pos, errp)) {
            return false;
        }
        if (caps[i].type == CAP_NOTIFY) {
            pci_set_long(p->pci.config + pos + 16, VIRTIO_PCI_NOTIFY_MULTIPLIER);
        }
    }
    p->cfg_cap = pos;
    memset(p->pci.wmask + pos + 4, 0xff, 1);            /* bar */
    memset(p->pci.wmask + pos + 8, 0xff, 12);           /* offset, length, data */
    pci_register_bar(&p->pci, 4, PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH,
                     &p->modern_mem);
    return true;
}

static void realize_legacy(VirtioPci *p)
{
    uint64_t size = 32;

    while (size < 24u + virtio_info(p->vdev)->config_size) {
        size *= 2;
    }
    memory_region_init_io(&p->legacy_io, p, &legacy_ops, p, "virtio-pci-legacy", size);
    pci_register_bar(&p->pci, 0, PCI_BASE_ADDRESS_SPACE_IO, &p->legacy_io);
}

static bool choose_interfaces(VirtioPci *p, Error **errp)
{
    VirtioPciMode mode = proxy_info(p)->mode;
    PCIBus *bus = pci_get_bus(&p->pci);

    if (mode != VIRTIO_PCI_AUTO && (p->disable_legacy != ON_OFF_AUTO_AUTO || p->disable_modern)) {
        error_setg(errp, "%s: disable-legacy and disable-modern go with the plain -pci form only", p->pci.dev.obj.type->name);
        return false;
    }
    p->modern_on = mode != VIRTIO_PCI_AUTO || !p->disable_modern;
    p->legacy_on = mode == VIRTIO_PCI_TRANSITIONAL
        || (mode == VIRTIO_PCI_AUTO && (p->disable_legacy == ON_OFF_AUTO_OFF
            || (p->disable_legacy == ON_OFF_AUTO_AUTO && !(pci_bus_is_express(bus) && !pci_bus_is_root(bus)))));
    if (!p->modern_on && !p->legacy_on) {
        error_setg(errp, "%s: disable-legacy=on and disable-modern=on leave no interface", p->pci.dev.obj.type->name);
        return false;
    }
    return true;
}

/* Ids, section 4.1.2: transitional devices keep the legacy ids. */
static void set_ids(VirtioPci *p)
{
    static const uint16_t legacy_ids[] = {
        [VIRTIO_ID_NET] = 0x1000, [VIRTIO_ID_BLOCK] = 0x1001, [VIRTIO_ID_BALLOON] = 0x1002,
        [VIRTIO_ID_CONSOLE] = 0x1003, [VIRTIO_ID_SCSI] = 0x1004, [VIRTIO_ID_RNG] = 0x1005,
    };
    const VirtioInfo *info = virtio_info(p->vdev);
    uint8_t *config = p->pci.config;
    uint16_t legacy = info->virtio_id < ARRAY_SIZE(legacy_ids) ? legacy_ids[info->virtio_id] : 0;

    if (!legacy) {
        p->legacy_on = false;
    }
    pci_set_word(config + PCI_DEVICE_ID, p->legacy_on ? legacy : VIRTIO_MODERN_ID_BASE + info->virtio_id);
    config[PCI_REVISION_ID] = p->legacy_on ? 0 : 1;
    pci_set_word(config + PCI_CLASS_DEVICE, info->pci_class);
    pci_set_word(config + PCI_SUBSYSTEM_VENDOR_ID, VIRTIO_VENDOR_ID);
    pci_set_word(config + PCI_SUBSYSTEM_ID, p->legacy_on ? info->virtio_id : 0x1100);
    pci_config_set_interrupt_pin(&p->pci, 1);
}

static bool virtio_pci_realize(Device *dev, Error **errp)
{
    VirtioPci *p = VIRTIO_PCI(dev);
    unsigned vectors;

    if (p->vectors != UINT32_MAX && p->vectors > MSIX_MAX_VECTORS) {
        error_setg(errp, "%s.vectors must be 0..%u, got %u", dev->obj.type->name, MSIX_MAX_VECTORS, p->vectors);
        return false;
    }
    if (!choose_interfaces(p, errp)
        || !virtio_realize_on(p->vdev, &p->bus, &proxy_ops, p, pci_get_address_space(&p->pci), p->modern_on, errp)) {
        return false;
    }
    set_ids(p);
    if (pci_bus_is_express(pci_get_bus(&p->pci)) && !pci_bus_is_root(pci_get_bus(&p->pci))
        && (!pcie_cap_init(&p->pci, 0, PCI_EXP_TYPE_ENDPOINT, 0, errp) || !pci_pm_init(&p->pci, 0, errp))) {
        goto fail;
    }
    vectors = p->vectors != UINT32_MAX ? p->vectors
            : virtio_info(p->vdev)->default_vectors ? virtio_info(p->vdev)->default_vectors : p->vdev->n_queues + 1;
    if (vectors && !msix_init_exclusive_bar(&p->pci, vectors, 1, errp)) {
        goto fail;
    }
    if (p->modern_on && !realize_modern(p, errp)) {
        goto fail;
    }
    if (p->legacy_on) {
        realize_legacy(p);
    }
    virtio_pci_notify_realize(p);
    return true;
fail:
    device_unrealize(&p->vdev->dev);
    return false;
}

static void virtio_pci_unrealize(Device *dev)
{
    VirtioPci *p = VIRTIO_PCI(dev);

    virtio_pci_notify_unrealize(p);
    device_unrealize(&p->vdev->dev);
    msix_uninit(&p->pci);
}

static bool virtio_pci_may_unplug(Device *dev, Error **errp)
{
    return device_may_unplug(&VIRTIO_PCI(dev)->vdev->dev, errp);
}

/* Containers before what they hold. */
static void virtio_pci_fini(Object *obj)
{
    VirtioPci *p = VIRTIO_PCI(obj);
    MemoryRegion *const regions[] = { &p->legacy_io, &p->modern_mem, &p->common, &p->isr, &p->device, &p->notify };

    for (size_t i = 0; i < ARRAY_SIZE(regions); i++) {
        memory_region_fini(regions[i]);
    }
}

static void virtio_pci_reset_hold(Device *dev, ResetType type)
{
    VirtioPci *p = VIRTIO_PCI(dev);

    virtio_pci_notify_drop(p);
    virtio_reset(p->vdev);
    msix_reset(&p->pci);
    update_intx(p);
}

static void virtio_pci_init(Object *obj)
{
    VirtioPci *p = VIRTIO_PCI(obj);
    const ObjectInfo *info = obj->type->info;

    p->vdev = (VirtioDevice *)((char *)obj + info->embeds_offset);
    bus_init_embedded(&p->bus, &virtio_bus_type, &p->pci.dev, "virtio-bus");
    object_init_embedded(p->vdev, info->embeds);
    object_add_child(obj, "virtio-backend", p->vdev);
    object_unref(p->vdev);
}

static const Property virtio_pci_properties[] = {
    PROP_ON_OFF_AUTO("disable-legacy", VirtioPci, disable_legacy, ON_OFF_AUTO_AUTO, .help = "no legacy interface"),
    PROP_BOOL("disable-modern", VirtioPci, disable_modern, false, .help = "no virtio 1.0 interface"),
    PROP_UINT32("vectors", VirtioPci, vectors, UINT32_MAX, .help = "MSI-X vectors; 4294967295 = by device"),
    PROP_BOOL("ioeventfd", VirtioPci, ioeventfd, true, .help = "notifications do not stop the guest's CPU, where the accelerator can"),
    PROP_FIXED(bool, "aer", false, .help = "advanced error reporting"),
    PROP_FIXED(bool, "ats", false, .help = "address translation service"),
    PROP_FIXED(bool, "page-per-vq", false, .help = "a page of its own for each queue's notifications"),
    PROP_FIXED(bool, "modern-pio-notify", false, .help = "a port, too, for the virtio 1.0 interface's notifications"),
    PROP_FIXED(bool, "x-disable-pcie", false, .help = "conventional PCI even on an Express bus"),
};

PCI_DEVICE_DEFINE_ABSTRACT(VirtioPci, virtio_pci, "virtio-pci", pci_device,
    .init = virtio_pci_init,
    .fini = virtio_pci_fini,
    .properties = PROPS(virtio_pci_properties),
    .vendor_id = VIRTIO_VENDOR_ID,
    .is_express = true,
    .config_read = proxy_config_read,
    .config_write = proxy_config_write,
    .realize = virtio_pci_realize,
    .unrealize = virtio_pci_unrealize,
    .may_unplug = virtio_pci_may_unplug,
    .reset_hold = virtio_pci_reset_hold,
)
