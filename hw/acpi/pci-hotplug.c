/*
 * ACPI PCI hotplug registers.  See hw/acpi/pci-hotplug.h.
 *
 * To plug is to set the slot's bit in PCIU and raise the event; the guest's handler scans the slot.  To unplug is to set it in
 * PCID; the guest lets go of the slot's functions and ejects it, and then they are gone.
 *
 * Invariants: up[] and down[] of numbers without a bus are 0; a bit in down[] has a device in its slot.
 */
#include "hw/acpi/pci-hotplug.h"

#include "util/log.h"
#include "util/timer.h"

enum { REG_UP = 0x00, REG_DOWN = 0x04, REG_EJECT = 0x08, REG_REMOVABLE = 0x0c, REG_BUS = 0x10, REG_INDEX = 0x14 };

/* A guest that does not listen yet loses the event: then it may be asked again. */
#define UNPLUG_RETRY_NS NANOSECONDS_PER_SECOND

/* --- slots --- */

static bool slot_is_empty(const PCIBus *bus, unsigned slot)
{
    for (unsigned f = 0; f < 8; f++) {
        if (bus->devices[PCI_DEVFN(slot, f)]) {
            return false;
        }
    }
    return true;
}

/* All functions of it can go. */
static bool slot_is_removable(const PCIBus *bus, unsigned slot)
{
    for (unsigned f = 0; f < 8; f++) {
        PCIDevice *d = bus->devices[PCI_DEVFN(slot, f)];

        if (d && !device_is_hotpluggable(&d->dev)) {
            return false;
        }
    }
    return true;
}

static void slot_eject(AcpiPciHotplug *s, unsigned n, unsigned slot)
{
    PCIBus *bus = s->buses[n].bus;

    if (!slot_is_removable(bus, slot)) {
        guest_error("acpi-pci-hotplug", "slot %u of bus '%s' cannot be ejected", slot, bus->bus.obj.name);
        return;
    }
    for (unsigned f = 8; f-- > 0;) {
        if (bus->devices[PCI_DEVFN(slot, f)]) {
            device_unplug_done(&bus->devices[PCI_DEVFN(slot, f)]->dev);
        }
    }
}

static void slots_eject(AcpiPciHotplug *s, unsigned n, uint32_t slots)
{
    for (; slots; slots &= slots - 1) {
        slot_eject(s, n, (unsigned)__builtin_ctz(slots));
    }
}

static uint32_t removable_slots(const PCIBus *bus)
{
    uint32_t mask = 0;

    for (unsigned slot = 0; slot < bus->slot_max; slot++) {
        mask |= slot_is_removable(bus, slot) ? BIT(slot) : 0;
    }
    return mask;
}

/* --- registers --- */

static uint64_t hotplug_read(void *opaque, hwaddr addr, unsigned size)
{
    AcpiPciHotplug *s = opaque;
    unsigned n = s->selected;
    uint32_t v;

    if (addr == REG_BUS) {
        return s->selected;
    }
    if (addr == REG_INDEX) {
        return s->index;
    }
    if (n >= s->n_buses) {
        return 0;
    }
    switch (addr) {
    case REG_UP:
        v = s->up[n];
        s->up[n] = 0;
        return v;
    case REG_DOWN:
        return s->down[n];
    case REG_REMOVABLE:
        return removable_slots(s->buses[n].bus);
    default:
        return 0;
    }
}

static uint32_t index_of_slots(const AcpiPciHotplug *s, uint32_t slots)
{
    unsigned slot = slots ? (unsigned)__builtin_ctz(slots) : PCI_SLOT_MAX;
    const PCIBus *bus = s->selected < s->n_buses ? s->buses[s->selected].bus : NULL;
    const PCIDevice *d = bus && slot < bus->slot_max ? bus->devices[PCI_DEVFN(slot, 0)] : NULL;

    return d ? d->acpi_index : 0;
}

static void hotplug_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    AcpiPciHotplug *s = opaque;

    switch (addr) {
    case REG_EJECT:
        if (s->selected < s->n_buses) {
            slots_eject(s, s->selected, (uint32_t)data);
        }
        break;
    case REG_BUS:
        s->selected = (uint32_t)data;
        break;
    case REG_INDEX:
        s->index = index_of_slots(s, (uint32_t)data);
        break;
    default:
        guest_error("acpi-pci-hotplug", "write of 0x%" PRIx64 " to read-only register 0x%x", data, (unsigned)addr);
    }
}

static const MemoryRegionOps hotplug_ops = { .read = hotplug_read, .write = hotplug_write, .valid = { 4, 4 }, .impl = { 4, 4 } };

/* --- the handler of the buses --- */

static unsigned bus_number(const AcpiPciBus *b)
{
    return (unsigned)(b - b->hotplug->buses);
}

static bool hotplug_pre_plug(void *opaque, Device *dev, Error **errp)
{
    const AcpiPciBus *b = opaque;

    return !b->under || !b->under->pre_plug || b->under->pre_plug(b->under_opaque, dev, errp);
}

static bool hotplug_plug(void *opaque, Device *dev, Error **errp)
{
    AcpiPciBus *b = opaque;
    AcpiPciHotplug *s = b->hotplug;
    unsigned slot = PCI_SLOT(PCI_DEVICE(dev)->devfn);

    if (b->under && b->under->plug && !b->under->plug(b->under_opaque, dev, errp)) {
        return false;
    }
    /* Functions are found when function 0 is there, which comes last. */
    if (dev->hotplugged && b->bus->devices[PCI_DEVFN(slot, 0)]) {
        s->up[bus_number(b)] |= BIT(slot);
        acpi_pm_gpe_raise(s->pm, ACPI_PCI_HOTPLUG_GPE);
    }
    return true;
}

static bool hotplug_unplug_request(void *opaque, Device *dev, Error **errp)
{
    AcpiPciBus *b = opaque;
    AcpiPciHotplug *s = b->hotplug;
    unsigned slot = PCI_SLOT(PCI_DEVICE(dev)->devfn);

    if (!slot_is_removable(b->bus, slot)) {
        error_setg(errp, "Device '%s' cannot be unplugged: another function of its slot stays", dev->id ? dev->id : dev->obj.name);
        return false;
    }
    dev->unplug_retry_ns = clock_get_ns(CLOCK_TYPE_VIRTUAL) + UNPLUG_RETRY_NS;
    s->down[bus_number(b)] |= BIT(slot);
    acpi_pm_gpe_raise(s->pm, ACPI_PCI_HOTPLUG_GPE);
    return true;
}

/* Whoever took it out: nothing is left to be told or asked of the slot. */
static void hotplug_unplug(void *opaque, Device *dev)
{
    const AcpiPciBus *b = opaque;
    uint32_t slot = BIT(PCI_SLOT(PCI_DEVICE(dev)->devfn));

    b->hotplug->up[bus_number(b)] &= ~slot;
    b->hotplug->down[bus_number(b)] &= ~slot;
    if (b->under && b->under->unplug) {
        b->under->unplug(b->under_opaque, dev);
    }
}

static const HotplugHandler hotplug_handler = {
    .pre_plug = hotplug_pre_plug, .plug = hotplug_plug, .unplug_request = hotplug_unplug_request, .unplug = hotplug_unplug,
};

/* --- which buses --- */

/* Below bridges: a conventional bridge's bus, and a port's unless the port has hotplug=off, when it has no handler. */
static bool takes_part(const AcpiPciHotplug *s, const PCIBus *bus)
{
    if (s->n_buses == ACPI_PCI_BUSES_MAX) {
        return false;
    }
    return bus->bridge ? s->bridges && (!pci_bus_is_express(bus) || bus->bus.hotplug) : s->root;
}

static void find_buses(AcpiPciHotplug *s, PCIBus *bus, unsigned depth)
{
    if (takes_part(s, bus)) {
        s->buses[s->n_buses++] = (AcpiPciBus){ s, bus, bus->bus.hotplug, bus->bus.hotplug_opaque };
    }
    for (unsigned i = 0; i < PCI_DEVFN_MAX; i++) {
        PCIBus *below = bus->devices[i] ? pci_bridge_secondary_bus(bus->devices[i]) : NULL;

        if (below && depth) {
            find_buses(s, below, depth - 1);
        }
    }
}

void acpi_pci_hotplug_start(AcpiPciHotplug *s, PCIBus *root)
{
    assert(!s->buses);
    s->buses = g_new0(AcpiPciBus, ACPI_PCI_BUSES_MAX);
    find_buses(s, root, ACPI_PCI_DEPTH_MAX);
    s->buses = g_renew(AcpiPciBus, s->buses, MAX(s->n_buses, 1));
    for (unsigned n = 0; n < s->n_buses; n++) {
        bus_set_hotplug_handler(&s->buses[n].bus->bus, &hotplug_handler, &s->buses[n]);
    }
}

int acpi_pci_hotplug_bus(const AcpiPciHotplug *s, const PCIBus *bus)
{
    for (unsigned n = 0; n < s->n_buses; n++) {
        if (s->buses[n].bus == bus) {
            return (int)n;
        }
    }
    return -1;
}

/* --- life --- */

void acpi_pci_hotplug_init(AcpiPciHotplug *s, void *owner, MemoryRegion *io, uint16_t port, AcpiPm *pm)
{
    s->port = port;
    s->pm = pm;
    memory_region_init_io(&s->mr, owner, &hotplug_ops, s, "acpi-pci-hotplug", ACPI_PCI_HOTPLUG_LEN);
    memory_region_add_subregion(io, port, &s->mr);
}

void acpi_pci_hotplug_reset(AcpiPciHotplug *s)
{
    for (unsigned n = 0; n < s->n_buses; n++) {
        slots_eject(s, n, s->down[n]);
        s->up[n] = 0;                   /* the guest finds it as it starts */
    }
    s->selected = s->index = 0;
}

static bool hotplug_post_load(void *opaque, unsigned version, Error **errp)
{
    AcpiPciHotplug *s = opaque;

    for (unsigned n = 0; n < ACPI_PCI_BUSES_MAX; n++) {
        for (unsigned slot = 0; slot < PCI_SLOT_MAX; slot++) {
            if ((s->down[n] & BIT(slot)) && (n >= s->n_buses || slot_is_empty(s->buses[n].bus, slot))) {
                error_setg(errp, "acpi-pci-hotplug: bus %u has no device in slot %u that could be leaving", n, slot);
                return false;
            }
        }
    }
    return true;
}

static const VMField hotplug_fields[] = {
    VMS_U32(AcpiPciHotplug, selected),
    VMS_U32(AcpiPciHotplug, index),
    VMS_U32_ARRAY(AcpiPciHotplug, up),
    VMS_U32_ARRAY(AcpiPciHotplug, down),
    VMS_END
};

const VMState vmstate_acpi_pci_hotplug = {
    .name = "acpi-pci-hotplug", .version = 1, .minimum_version = 1, .fields = hotplug_fields, .post_load = hotplug_post_load,
};
