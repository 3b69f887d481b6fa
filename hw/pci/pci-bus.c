/*
 * PCI buses: slots, numbering, INTx routing.
 *
 * A root bus belongs to a host bridge and hands interrupts to the board's router; a bus behind a
 * bridge turns the pin by the device's slot (PCI-to-PCI Bridge 1.2, 9.1) and asks the bus above.
 *
 * Invariant: a root's irq_count[n] is the number of devices below it whose pin, mapped to n, is driven.
 */
#include "hw/pci/pci-internal.h"

static const char *pci_bus_dev_path(Bus *bus, Device *dev)
{
    const PCIDevice *d = PCI_DEVICE(dev);

    return g_strdup_printf("%02x:%02x.%x", pci_bus_num(PCI_BUS(bus)), PCI_SLOT(d->devfn), PCI_FUNC(d->devfn));
}

/* What IEEE 1275's PCI binding calls a device of a class, where firmware knows a name. */
static const char *class_fw_name(uint16_t class_id)
{
    static const struct { uint16_t class_id; const char *name; } names[] = {
        { PCI_CLASS_STORAGE_SCSI, "scsi" }, { PCI_CLASS_STORAGE_IDE, "ide" }, { PCI_CLASS_NETWORK_ETHERNET, "ethernet" },
        { PCI_CLASS_DISPLAY_VGA, "display" }, { PCI_CLASS_BRIDGE_PCI, "pci-bridge" }, { PCI_CLASS_SERIAL_USB, "usb" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].class_id == class_id) {
            return names[i].name;
        }
    }
    return NULL;
}

static char *pci_bus_fw_name(Bus *bus, Device *dev)
{
    const PCIDevice *d = PCI_DEVICE(dev);
    const char *known = class_fw_name(pci_get_word(d->config + PCI_CLASS_DEVICE));
    GString *s = g_string_new(known);

    if (!known) {
        g_string_printf(s, "pci%04x,%04x", pci_get_word(d->config + PCI_VENDOR_ID), pci_get_word(d->config + PCI_DEVICE_ID));
    }
    g_string_append_printf(s, "@%x", PCI_SLOT(d->devfn));
    if (PCI_FUNC(d->devfn)) {
        g_string_append_printf(s, ",%x", PCI_FUNC(d->devfn));
    }
    return g_string_free(s, FALSE);
}

/* A function other than 0 needs function 0 to say that there are several (PCI 3.0, 6.2.1). */
static bool check_function(PCIBus *bus, unsigned devfn, bool multifunction, Error **errp)
{
    const PCIDevice *f0 = bus->devices[devfn & ~7u];

    if (PCI_FUNC(devfn) && f0 && !f0->multifunction) {
        error_setg(errp, "PCI: %x.%x: function 0 is a single-function device: give it multifunction=on",
                   PCI_SLOT(devfn), PCI_FUNC(devfn));
        return false;
    }
    if (PCI_FUNC(devfn) == 0 && !multifunction) {
        for (unsigned f = 1; f < 8; f++) {
            if (bus->devices[devfn + f]) {
                error_setg(errp, "PCI: %x.0 is single-function, but function %x.%x is in use", PCI_SLOT(devfn),
                           PCI_SLOT(devfn), f);
                return false;
            }
        }
    }
    return true;
}

bool pci_bus_assign_devfn(PCIBus *bus, PCIDevice *d, Error **errp)
{
    if (d->devfn < 0) {
        for (unsigned slot = PCI_SLOT(bus->devfn_min); slot < bus->slot_max && d->devfn < 0; slot++) {
            if (!bus->devices[PCI_DEVFN(slot, 0)]) {
                d->devfn = PCI_DEVFN(slot, 0);
            }
        }
        if (d->devfn < 0) {
            error_setg(errp, "PCI: no slot/function available on bus '%s' for %s, all in use", bus->bus.obj.name,
                       d->dev.obj.type->name);
            return false;
        }
    }
    if (PCI_SLOT(d->devfn) >= bus->slot_max) {
        error_setg(errp, "PCI: bus '%s' has slots 0..%x only, %s asks for slot %x", bus->bus.obj.name, bus->slot_max - 1,
                   d->dev.obj.type->name, PCI_SLOT(d->devfn));
        return false;
    }
    if (bus->devices[d->devfn]) {
        error_setg(errp, "PCI: slot %x function %x not available for %s, in use by %s", PCI_SLOT(d->devfn),
                   PCI_FUNC(d->devfn), d->dev.obj.type->name, bus->devices[d->devfn]->dev.obj.type->name);
        return false;
    }
    return check_function(bus, d->devfn, d->multifunction, errp);
}

void pci_bus_setup(PCIBus *bus, PCIDevice *bridge, MemoryRegion *mem, MemoryRegion *io, uint8_t devfn_min)
{
    bus->bridge = bridge;
    bus->mem = mem;
    bus->io = io;
    bus->devfn_min = devfn_min;
    bus->slot_max = PCI_SLOT_MAX;
}

PCIBus *pci_root_bus_new(Device *parent, const char *name, bool express, MemoryRegion *mem, MemoryRegion *io,
                         uint8_t devfn_min)
{
    PCIBus *bus = PCI_BUS(bus_new(express ? &pcie_bus_type : &pci_bus_type, parent, name));

    pci_bus_setup(bus, NULL, mem, io, devfn_min);
    return bus;
}

void pci_bus_set_irqs(PCIBus *bus, IrqHandler *set_irq, PciMapIrqFn *map_irq, void *opaque, unsigned n_irqs)
{
    bus->set_irq = set_irq;
    bus->map_irq = map_irq;
    bus->irq_opaque = opaque;
    bus->n_irqs = n_irqs;
    g_free(bus->irq_count);
    bus->irq_count = g_new0(unsigned, n_irqs);
}

static void pci_bus_fini(Object *obj)
{
    g_free(PCI_BUS(obj)->irq_count);
}

uint8_t pci_bus_num(const PCIBus *bus)
{
    return bus->bridge ? bus->bridge->config[PCI_SECONDARY_BUS] : 0;
}

PCIBus *pci_device_root_bus(const PCIDevice *d)
{
    PCIBus *bus = pci_get_bus(d);

    while (bus->bridge) {
        bus = pci_get_bus(bus->bridge);
    }
    return bus;
}

uint16_t pci_requester_id(const PCIDevice *d)
{
    const PCIBus *bus = pci_get_bus(d);

    return (uint16_t)((bus ? pci_bus_num(bus) : 0) << 8 | (d->devfn & 0xff));
}

PCIBus *pci_bridge_secondary_bus(const PCIDevice *d)
{
    if (!pci_is_bridge(d) || !d->dev.child_buses || !d->dev.child_buses->len) {
        return NULL;
    }
    return PCI_BUS(g_ptr_array_index(d->dev.child_buses, 0));
}

PCIDevice *pci_find_device(PCIBus *bus, uint8_t bus_num, uint8_t devfn)
{
    /* Each turn goes down one level: at most 256, since a secondary number lies above its primary's. */
    for (unsigned depth = 0; bus && depth < 256; depth++) {
        PCIBus *next = NULL;

        if (pci_bus_num(bus) == bus_num) {
            return bus->devices[devfn];
        }
        for (unsigned i = 0; i < PCI_DEVFN_MAX && !next; i++) {
            PCIDevice *d = bus->devices[i];

            if (d && pci_is_bridge(d) && d->config[PCI_SECONDARY_BUS] && d->config[PCI_SECONDARY_BUS] <= bus_num
                && bus_num <= d->config[PCI_SUBORDINATE_BUS]) {
                next = pci_bridge_secondary_bus(d);
            }
        }
        bus = next;
    }
    return NULL;
}

static bool find_root(Object *obj, void *opaque)
{
    PCIBus **found = opaque;

    if (object_is(obj, &pci_bus_type) && !((PCIBus *)obj)->bridge) {
        *found = (PCIBus *)obj;
    }
    return !*found;
}

PCIBus *pci_find_primary_bus(void)
{
    PCIBus *found = NULL;

    object_foreach_child(object_root(), true, find_root, &found);
    return found;
}

void pci_for_each_device(PCIBus *bus, void (*fn)(PCIBus *bus, PCIDevice *d, void *opaque), void *opaque)
{
    for (unsigned i = 0; i < PCI_DEVFN_MAX; i++) {
        if (bus->devices[i]) {
            fn(bus, bus->devices[i], opaque);
        }
    }
}

/* --- INTx --- */

unsigned pci_swizzle_map_irq_fn(PCIDevice *d, unsigned pin)
{
    return (PCI_SLOT(d->devfn) + pin) % PCI_NUM_PINS;
}

void pci_update_intx(PCIDevice *d)
{
    bool disabled = pci_get_word(d->config + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
    uint8_t level = d->intx_level && !disabled;
    unsigned pin = d->config[PCI_INTERRUPT_PIN];
    PCIBus *bus = pci_get_bus(d);

    if (d->intx_level) {
        d->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
    } else {
        d->config[PCI_STATUS] &= ~PCI_STATUS_INTERRUPT;
    }
    if (level == d->intx_driven || !bus || pin < 1 || pin > PCI_NUM_PINS) {
        return;
    }
    d->intx_driven = level;
    pin--;
    while (bus->bridge) {
        pin = pci_swizzle_map_irq_fn(d, pin);
        d = bus->bridge;
        bus = pci_get_bus(d);
        if (!bus) {
            return;
        }
    }
    if (bus->set_irq) {
        unsigned n = bus->map_irq(d, pin);

        assert(n < bus->n_irqs);
        bus->irq_count[n] += level ? 1 : -1;
        bus->set_irq(bus->irq_opaque, n, bus->irq_count[n] != 0);
    }
}

void pci_set_irq(PCIDevice *d, int level)
{
    d->intx_level = level != 0;
    pci_update_intx(d);
}

static void pci_irq_handler(void *opaque, unsigned n, int level)
{
    pci_set_irq(opaque, level);
}

IrqLine pci_irq_line(PCIDevice *d)
{
    return irq_line(pci_irq_handler, d, 0);
}

/* --- types --- */

TYPE_DEFINE_FAMILY(BusInfo, PCIBus, pci_bus, "PCI", bus, false,
    .desc     = "PCI bus",
    .fini     = pci_bus_fini,
    .dev_path = pci_bus_dev_path,
    .fw_name  = pci_bus_fw_name,
);

TYPE_DEFINE_FAMILY(BusInfo, PCIBus, pcie_bus, "PCIE", pci_bus, false,
    .desc     = "PCI Express bus",
    .dev_path = pci_bus_dev_path,
    .fw_name  = pci_bus_fw_name,
);
