/*
 * PCI-to-PCI bridges: "pci-bridge" and the base of PCI Express ports.
 *
 * References: PCI-to-PCI Bridge Architecture 1.2, chapter 3 (registers) and 4 (windows).
 *
 * A window forwards addresses base..limit to the secondary side while the command register's enable
 * for its space is set; limit below base means closed.  Windows are aliases of the secondary
 * bus's spaces, identity-mapped into the primary's.
 */
#include "hw/pci/pci-bridge.h"
#include "hw/pci/pci-internal.h"

typedef struct WindowRange {
    hwaddr base, limit;
    bool open;
} WindowRange;

static WindowRange window_range(const PCIDevice *d, unsigned w)
{
    const uint8_t *c = d->config;
    uint16_t cmd = pci_get_word(c + PCI_COMMAND);
    WindowRange r = { 0 };

    switch (w) {
    case PCI_BRIDGE_WINDOW_IO:
        r.base = (hwaddr)(c[PCI_IO_BASE] & 0xf0) << 8;
        r.limit = (hwaddr)(c[PCI_IO_LIMIT] & 0xf0) << 8 | 0xfff;
        r.open = (cmd & PCI_COMMAND_IO);
        break;
    case PCI_BRIDGE_WINDOW_MEM:
        r.base = (hwaddr)(pci_get_word(c + PCI_MEMORY_BASE) & 0xfff0) << 16;
        r.limit = (hwaddr)(pci_get_word(c + PCI_MEMORY_LIMIT) & 0xfff0) << 16 | 0xfffff;
        r.open = (cmd & PCI_COMMAND_MEMORY);
        break;
    default:
        r.base = (hwaddr)(pci_get_word(c + PCI_PREF_MEMORY_BASE) & 0xfff0) << 16
               | (hwaddr)pci_get_long(c + PCI_PREF_BASE_UPPER32) << 32;
        r.limit = (hwaddr)(pci_get_word(c + PCI_PREF_MEMORY_LIMIT) & 0xfff0) << 16 | 0xfffff
                | (hwaddr)pci_get_long(c + PCI_PREF_LIMIT_UPPER32) << 32;
        r.open = (cmd & PCI_COMMAND_MEMORY);
        break;
    }
    r.open = r.open && r.base <= r.limit;
    return r;
}

static void bridge_unmap(PCIBridge *br)
{
    PCIBus *up = pci_get_bus(&br->pci);

    for (unsigned w = 0; w < PCI_BRIDGE_N_WINDOWS; w++) {
        if (br->mapped[w]) {
            memory_region_del_subregion(w == PCI_BRIDGE_WINDOW_IO ? up->io : up->mem, &br->window[w]);
            memory_region_fini(&br->window[w]);
            br->mapped[w] = false;
        }
    }
}

static void bridge_update_windows(PCIBridge *br)
{
    static const char *const names[] = { "pci-bridge-io", "pci-bridge-mem", "pci-bridge-pref" };
    PCIBus *up = pci_get_bus(&br->pci);

    memory_transaction_begin();
    bridge_unmap(br);
    for (unsigned w = 0; w < PCI_BRIDGE_N_WINDOWS; w++) {
        bool io = w == PCI_BRIDGE_WINDOW_IO;
        WindowRange r = window_range(&br->pci, w);

        if (r.open) {
            memset(&br->window[w], 0, sizeof(br->window[w]));
            memory_region_init_alias(&br->window[w], br, names[w], io ? &br->io : &br->mem, r.base, r.limit - r.base + 1);
            memory_region_add_subregion_overlap(io ? up->io : up->mem, r.base, &br->window[w], 1);
            br->mapped[w] = true;
        }
    }
    memory_transaction_commit();
}

void pci_bridge_write_config(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len)
{
    PCIBridge *br = PCI_BRIDGE(d);
    uint16_t old = pci_get_word(d->config + PCI_BRIDGE_CONTROL), now;

    pci_default_write_config(d, addr, val, len);
    if (pci_ranges_overlap(addr, len, PCI_COMMAND, 2) || pci_ranges_overlap(addr, len, PCI_IO_BASE, 2)
        || pci_ranges_overlap(addr, len, PCI_MEMORY_BASE, 20)) {
        bridge_update_windows(br);
    }
    now = pci_get_word(d->config + PCI_BRIDGE_CONTROL);
    if (!(old & PCI_BRIDGE_CTL_BUS_RESET) && (now & PCI_BRIDGE_CTL_BUS_RESET)) {
        for (unsigned i = 0; i < PCI_DEVFN_MAX; i++) {
            if (br->sec->devices[i]) {
                device_reset(DEVICE(br->sec->devices[i]), RESET_COLD);
            }
        }
    }
}

static void bridge_header(PCIDevice *d)
{
    pci_set_word(d->wmask + PCI_PRIMARY_BUS, 0xffff);
    d->wmask[PCI_SUBORDINATE_BUS] = 0xff;
    d->wmask[PCI_SEC_LATENCY_TIMER] = pci_is_express(d) ? 0 : 0xff;
    d->wmask[PCI_IO_BASE] = d->wmask[PCI_IO_LIMIT] = 0xf0;
    pci_set_word(d->wmask + PCI_MEMORY_BASE, 0xfff0);
    pci_set_word(d->wmask + PCI_MEMORY_LIMIT, 0xfff0);
    pci_set_word(d->wmask + PCI_PREF_MEMORY_BASE, 0xfff0);
    pci_set_word(d->wmask + PCI_PREF_MEMORY_LIMIT, 0xfff0);
    pci_set_word(d->config + PCI_PREF_MEMORY_BASE, PCI_PREF_RANGE_TYPE_64);
    pci_set_word(d->config + PCI_PREF_MEMORY_LIMIT, PCI_PREF_RANGE_TYPE_64);
    pci_set_long(d->wmask + PCI_PREF_BASE_UPPER32, 0xffffffff);
    pci_set_long(d->wmask + PCI_PREF_LIMIT_UPPER32, 0xffffffff);
    pci_set_word(d->w1cmask + PCI_SEC_STATUS, PCI_STATUS_W1C);
    pci_set_word(d->wmask + PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR | PCI_BRIDGE_CTL_ISA
                                                | PCI_BRIDGE_CTL_BUS_RESET);
}

static bool bridge_realize(Device *dev, Error **errp)
{
    PCIBridge *br = PCI_BRIDGE(dev);
    PCIDevice *d = &br->pci;
    bool express = pci_is_express(d);
    /* The id names the bus ("-device pcie-root-port,id=rp0" -> bus=rp0). */
    g_autofree char *name = g_strdup(dev->id ? dev->id : express ? "pcie.1" : "pci.1");

    bridge_header(d);
    memory_region_init(&br->mem, br, "pci-bridge-bus-mem", UINT64_MAX);
    memory_region_init(&br->io, br, "pci-bridge-bus-io", 64 * KiB);
    br->sec = PCI_BUS(bus_new(express ? &pcie_bus_type : &pci_bus_type, dev, name));
    pci_bus_setup(br->sec, d, &br->mem, &br->io, 0);
    br->sec->bus.full = true;           /* devices come here only when bus= says so */
    bridge_update_windows(br);
    return true;
}

static void bridge_unrealize(Device *dev)
{
    PCIBridge *br = PCI_BRIDGE(dev);

    memory_transaction_begin();
    bridge_unmap(br);
    memory_transaction_commit();
    g_ptr_array_remove(dev->child_buses, br->sec);
    object_unparent(br->sec);
    br->sec = NULL;
    memory_region_fini(&br->mem);
    memory_region_fini(&br->io);
}

static void bridge_reset_hold(Device *dev, ResetType type)
{
    bridge_update_windows(PCI_BRIDGE(dev));
}

static bool bridge_post_load(void *opaque, unsigned version, Error **errp)
{
    bridge_update_windows(PCI_BRIDGE(opaque));
    return true;
}

static const VMField bridge_fields[] = { VMS_END };

static const VMState vmstate_pci_bridge = {
    .name = "pci-bridge", .version = 1, .minimum_version = 1, .fields = bridge_fields, .post_load = bridge_post_load,
};

PCI_DEVICE_DEFINE_ABSTRACT(PCIBridge, pci_bridge, "base-pci-bridge", pci_device,
    .desc         = "PCI-to-PCI bridge",
    .category     = DEVICE_CATEGORY_BRIDGE,
    .class_id     = PCI_CLASS_BRIDGE_PCI,
    .is_bridge    = true,
    .realize      = bridge_realize,
    .unrealize    = bridge_unrealize,
    .reset_hold   = bridge_reset_hold,
    .vmstate      = &vmstate_pci_bridge,
);

/* --- the conventional bridge --- */

typedef struct ConventionalBridge {
    PCIBridge bridge;
    uint8_t chassis_nr;
} ConventionalBridge;

OBJECT_DECLARE(ConventionalBridge, CONVENTIONAL_BRIDGE, pci_bridge_dev)

/* Slot numbering (3.2.6.1): the chassis it expands into; 0 = not told. */
static bool conventional_realize(Device *dev, Error **errp)
{
    ConventionalBridge *s = CONVENTIONAL_BRIDGE(dev);
    PCIDevice *d = &s->bridge.pci;
    uint8_t cap;

    if (!s->chassis_nr) {
        return true;
    }
    cap = pci_add_capability(d, PCI_CAP_ID_SLOTID, 0, 4, errp);
    if (!cap) {
        return false;
    }
    d->config[cap + 2] = 0x20;          /* first in chassis */
    d->config[cap + 3] = s->chassis_nr;
    return true;
}

static const Property conventional_properties[] = {
    PROP_UINT8("chassis_nr", ConventionalBridge, chassis_nr, 0, .help = "number of the chassis behind it; 0 = not told"),
};

PCI_DEVICE_DEFINE(ConventionalBridge, pci_bridge_dev, "pci-bridge", pci_bridge,
    .desc         = "conventional PCI-to-PCI bridge",
    .category     = DEVICE_CATEGORY_BRIDGE,
    .vendor_id    = PCI_VENDOR_ID_REDHAT,
    .device_id    = PCI_DEVICE_ID_REDHAT_BRIDGE,
    .class_id     = PCI_CLASS_BRIDGE_PCI,
    .is_bridge    = true,
    .config_write = pci_bridge_write_config,
    .realize      = conventional_realize,
    .properties   = PROPS(conventional_properties),
    .vmstate      = &vmstate_none,
    .not_hotpluggable = true,
);
