/*
 * query-pci: buses, devices and bridges as the guest has set them up.
 *
 * Reference: PCI Local Bus 3.0 chapter 6; PCI-to-PCI Bridge 1.2, 3.2.5.
 */
#include "hw/pci/pci-bridge.h"

#include "qapi/qapi-commands.h"

static const char *class_name(uint16_t class_id)
{
    static const struct { uint16_t class_id; const char *name; } names[] = {
        { 0x0100, "SCSI controller" }, { 0x0101, "IDE controller" }, { 0x0106, "SATA controller" },
        { 0x0108, "Non-Volatile memory controller" }, { 0x0200, "Ethernet controller" }, { 0x0300, "VGA controller" },
        { 0x0380, "Display controller" }, { 0x0500, "RAM controller" }, { 0x0600, "Host bridge" }, { 0x0601, "ISA bridge" },
        { 0x0604, "PCI bridge" }, { 0x0680, "Bridge" }, { 0x0700, "Serial port" }, { 0x0780, "Communication controller" },
        { 0x0880, "System peripheral" }, { 0x0c03, "USB controller" }, { 0x0c05, "SMBus" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].class_id == class_id) {
            return names[i].name;
        }
    }
    return NULL;
}

static QapiPciMemoryRegionList *regions_of(const PCIDevice *d)
{
    QapiPciMemoryRegionList *list = g_new0(QapiPciMemoryRegionList, 1);

    for (unsigned i = 0; i <= PCI_ROM_SLOT; i++) {
        bool io = d->bar[i].type & PCI_BASE_ADDRESS_SPACE_IO;
        QapiPciMemoryRegion *r;

        if (!d->bar[i].mr) {
            continue;
        }
        r = QAPI_LIST_APPEND(list);
        r->bar = i;
        r->type = g_strdup(io ? "io" : "memory");
        r->size = (int64_t)d->bar[i].size;
        r->address = (int64_t)pci_bar_address(d, i);
        r->has_prefetch = r->has_mem_type_64 = !io;
        r->prefetch = !io && d->bar[i].type & PCI_BASE_ADDRESS_MEM_PREFETCH;
        r->mem_type_64 = !io && d->bar[i].type & PCI_BASE_ADDRESS_MEM_TYPE_64;
    }
    return list;
}

static QapiPciMemoryRange *range(uint64_t base, uint64_t limit)
{
    QapiPciMemoryRange *r = g_new0(QapiPciMemoryRange, 1);

    r->base = (int64_t)base;
    r->limit = (int64_t)limit;
    return r;
}

static QapiPciDeviceInfoList *devices_of(const PCIBus *bus, unsigned depth);

enum { BRIDGE_PRIMARY = 0x18, BRIDGE_SECONDARY = 0x19, BRIDGE_SUBORDINATE = 0x1a, BRIDGE_IO = 0x1c, BRIDGE_MEM = 0x20,
       BRIDGE_PREF = 0x24, BRIDGE_PREF_UPPER = 0x28, BRIDGE_IO_UPPER = 0x30 };

static QapiPciBridgeInfo *bridge_of(const PCIDevice *d, const PCIBus *secondary, unsigned depth)
{
    const uint8_t *c = d->config;
    QapiPciBridgeInfo *b = g_new0(QapiPciBridgeInfo, 1);
    QapiPciBusInfo *bus = b->bus = g_new0(QapiPciBusInfo, 1);

    bus->number = c[BRIDGE_PRIMARY];
    bus->secondary = c[BRIDGE_SECONDARY];
    bus->subordinate = c[BRIDGE_SUBORDINATE];
    bus->io_range = range((c[BRIDGE_IO] & 0xf0) << 8 | (uint32_t)ld16_le(c + BRIDGE_IO_UPPER) << 16,
                          (c[BRIDGE_IO + 1] & 0xf0) << 8 | (uint32_t)ld16_le(c + BRIDGE_IO_UPPER + 2) << 16 | 0xfff);
    bus->memory_range = range((uint32_t)(ld16_le(c + BRIDGE_MEM) & 0xfff0) << 16,
                              (uint32_t)(ld16_le(c + BRIDGE_MEM + 2) & 0xfff0) << 16 | 0xfffff);
    bus->prefetchable_range = range((uint32_t)(ld16_le(c + BRIDGE_PREF) & 0xfff0) << 16 |
                                    (uint64_t)ld32_le(c + BRIDGE_PREF_UPPER) << 32,
                                    (uint32_t)(ld16_le(c + BRIDGE_PREF + 2) & 0xfff0) << 16 |
                                    (uint64_t)ld32_le(c + BRIDGE_PREF_UPPER + 4) << 32 | 0xfffff);
    if (c[BRIDGE_SECONDARY]) {
        b->devices = devices_of(secondary, depth + 1);
    }
    return b;
}

static void fill(QapiPciDeviceInfo *info, const PCIDevice *d, unsigned depth)
{
    const uint8_t *c = d->config;
    const PCIBus *secondary = pci_bridge_secondary_bus(d);

    info->bus = pci_bus_num(pci_get_bus(d));
    info->slot = PCI_SLOT(d->devfn);
    info->function = PCI_FUNC(d->devfn);
    info->class_info = g_new0(QapiPciDeviceClass, 1);
    info->class_info->class = ld16_le(c + PCI_CLASS_DEVICE);
    info->class_info->desc = g_strdup(class_name(ld16_le(c + PCI_CLASS_DEVICE)));
    info->id = g_new0(QapiPciDeviceId, 1);
    info->id->vendor = ld16_le(c + PCI_VENDOR_ID);
    info->id->device = ld16_le(c + PCI_DEVICE_ID);
    info->id->has_subsystem = info->id->has_subsystem_vendor = !secondary;
    info->id->subsystem_vendor = secondary ? 0 : ld16_le(c + PCI_SUBSYSTEM_VENDOR_ID);
    info->id->subsystem = secondary ? 0 : ld16_le(c + PCI_SUBSYSTEM_ID);
    info->irq_pin = c[PCI_INTERRUPT_PIN];
    info->has_irq = info->irq_pin;
    info->irq = info->has_irq ? c[PCI_INTERRUPT_LINE] : 0;
    info->qdev_id = g_strdup(d->dev.id ? d->dev.id : "");
    info->regions = regions_of(d);
    info->pci_bridge = secondary ? bridge_of(d, secondary, depth) : NULL;
}

static QapiPciDeviceInfoList *devices_of(const PCIBus *bus, unsigned depth)
{
    QapiPciDeviceInfoList *list = g_new0(QapiPciDeviceInfoList, 1);

    assert(depth < 256);                /* buses have numbers of eight bits */
    for (unsigned i = 0; i < PCI_DEVFN_MAX; i++) {
        if (bus->devices[i]) {
            fill(QAPI_LIST_APPEND(list), bus->devices[i], depth);
        }
    }
    return list;
}

QapiPciInfoList *qmp_query_pci(Error **errp)
{
    QapiPciInfoList *list = g_new0(QapiPciInfoList, 1);
    const PCIBus *root = pci_find_primary_bus();

    if (root) {
        QapiPciInfo *info = QAPI_LIST_APPEND(list);

        info->bus = pci_bus_num(root);
        info->devices = devices_of(root, 0);
    }
    return list;
}
