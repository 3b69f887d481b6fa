/*
 * The DSDT's PCI slots: those that can be plugged while the machine runs, bridges on the way to them, devices with an acpi-index.
 *
 * Reference: ACPI 6.4 6.3 (device insertion and removal), 6.2.15 (_SUN); PCI Firmware 3.2, 4.6.7 (_DSM function 7).
 *
 * A bus that takes part has methods PCNT, which asks the registers (hw/acpi/pci-hotplug.h) what happened on it and on the buses
 * below, and DVNT, which notifies its slots.  Names relative to PCI0 are found from below by the search rules of names (5.3).
 */
#include "hw/acpi/pci-hotplug.h"
#include "hw/i386/acpi-build.h"

#define DEVICE_LABELLING_UUID "e5c937d0-3553-4d7a-9117-ea4d19c3434d"

enum { NOTIFY_DEVICE_CHECK = 1, NOTIFY_EJECT_REQUEST = 3, DSM_DEVICE_NAME = 7 };

/* --- shared by all slots --- */

static void registers(const AcpiInfo *info, Aml *a)
{
    uint16_t port = info->pci_hotplug->port;
    GByteArray *r = g_byte_array_new();

    aml_begin_device(a, "PHPR");
    aml_name_eisaid(a, "_HID", "PNP0A06");
    aml_name_string(a, "_UID", "PCI Hotplug resources");
    aml_name_int(a, "_STA", 0xb);
    aml_res_io(r, port, 1, ACPI_PCI_HOTPLUG_LEN);
    aml_res_end(r);
    aml_name_buffer(a, "_CRS", r);
    g_byte_array_unref(r);
    aml_end(a);

    aml_op_region(a, "PCST", AML_SYSTEM_IO, port, ACPI_PCI_HOTPLUG_LEN);
    aml_begin_field(a, "PCST", AML_DWORD_ACC);
    aml_field_unit(a, "PCIU", 32);
    aml_field_unit(a, "PCID", 32);
    aml_field_unit(a, "B0EJ", 32);
    aml_field_unit(a, NULL, 32);
    aml_field_unit(a, "BNUM", 32);
    aml_field_unit(a, "PIDX", 32);
    aml_end(a);
    aml_mutex(a, "BLCK");
}

static void store_slot_bit(Aml *a, const char *reg)
{
    aml_op(a, AML_SHIFT_LEFT);
    aml_op(a, AML_ONE);
    aml_op(a, AML_ARG1);
    aml_path(a, reg);
}

/* PCEJ(bus, slot): let go of it. */
static void eject_method(Aml *a)
{
    aml_begin_method(a, "PCEJ", 2, false);
    aml_acquire(a, "BLCK");
    aml_op(a, AML_STORE);
    aml_op(a, AML_ARG0);
    aml_path(a, "BNUM");
    store_slot_bit(a, "B0EJ");
    aml_release(a, "BLCK");
    aml_end(a);
}

/* AIDX(bus, slot): the acpi-index of its device, 0 = none. */
static void index_method(Aml *a)
{
    aml_begin_method(a, "AIDX", 2, false);
    aml_acquire(a, "BLCK");
    aml_op(a, AML_STORE);
    aml_op(a, AML_ARG0);
    aml_path(a, "BNUM");
    store_slot_bit(a, "PIDX");
    aml_op(a, AML_STORE);
    aml_path(a, "PIDX");
    aml_op(a, AML_LOCAL0);
    aml_release(a, "BLCK");
    aml_op(a, AML_RETURN);
    aml_op(a, AML_LOCAL0);
    aml_end(a);
}

static void return_byte_buffer(Aml *a, uint8_t byte)
{
    aml_op(a, AML_RETURN);
    aml_buffer(a, &byte, 1);
}

static void if_equal(Aml *a, AmlOp arg, uint64_t value)
{
    aml_begin_if(a);
    aml_op(a, AML_LEQUAL);
    aml_op(a, arg);
    aml_int(a, value);
}

/* EDSM(uuid, revision, function, index): what _DSM answers for a device with that acpi-index. */
static void label_method(Aml *a)
{
    aml_begin_method(a, "EDSM", 4, true);
    aml_begin_if(a);
    aml_op(a, AML_LEQUAL);
    aml_op(a, AML_ARG0);
    aml_uuid(a, DEVICE_LABELLING_UUID);

    aml_begin_if(a);                    /* no index, or a revision before function 7 */
    aml_op(a, AML_LOR);
    aml_op(a, AML_LNOT);
    aml_op(a, AML_ARG3);
    aml_op(a, AML_LLESS);
    aml_op(a, AML_ARG1);
    aml_int(a, 2);
    return_byte_buffer(a, 0);
    aml_end(a);

    if_equal(a, AML_ARG2, 0);           /* which functions there are */
    return_byte_buffer(a, 1 | 1 << DSM_DEVICE_NAME);
    aml_end(a);

    if_equal(a, AML_ARG2, DSM_DEVICE_NAME);
    aml_op(a, AML_STORE);
    aml_begin_package(a, 2);
    aml_int(a, 0);
    aml_string(a, "");
    aml_end(a);
    aml_op(a, AML_LOCAL0);
    aml_op(a, AML_STORE);
    aml_op(a, AML_ARG3);
    aml_op(a, AML_INDEX);
    aml_op(a, AML_LOCAL0);
    aml_int(a, 0);
    aml_op(a, AML_ZERO);
    aml_op(a, AML_RETURN);
    aml_op(a, AML_LOCAL0);
    aml_end(a);

    aml_end(a);
    return_byte_buffer(a, 0);
    aml_end(a);
}

/* --- one slot --- */

static void slot_name(char name[5], unsigned devfn)
{
    snprintf(name, 5, "S%02X", devfn & 0xff);
}

static void call_edsm(Aml *a)
{
    aml_begin_method(a, "_DSM", 4, true);
    aml_op(a, AML_RETURN);
    aml_path(a, "EDSM");
    aml_op(a, AML_ARG0);
    aml_op(a, AML_ARG1);
    aml_op(a, AML_ARG2);
}

static void hotplug_slot(Aml *a, unsigned bus_number, unsigned slot)
{
    aml_name_int(a, "_SUN", slot);
    aml_begin_method(a, "_EJ0", 1, false);
    aml_path(a, "PCEJ");
    aml_int(a, bus_number);
    aml_int(a, slot);
    aml_end(a);
    call_edsm(a);
    aml_path(a, "AIDX");
    aml_int(a, bus_number);
    aml_int(a, slot);
    aml_end(a);
}

static bool is_hotplug_slot(const AcpiInfo *info, const PCIBus *bus, unsigned devfn)
{
    const PCIDevice *d = bus->devices[devfn];

    return PCI_FUNC(devfn) == 0 && PCI_SLOT(devfn) < bus->slot_max && acpi_pci_hotplug_bus(info->pci_hotplug, bus) >= 0 && (!d || device_is_hotpluggable(&d->dev));
}

/* Does a bus at or below the bridge @d take part? */
static bool leads_to_slots(const AcpiInfo *info, const PCIDevice *d)
{
    PCIBus *bus = d ? pci_bridge_secondary_bus(d) : NULL;

    if (!bus || !info->pci_hotplug) {
        return false;
    }
    if (acpi_pci_hotplug_bus(info->pci_hotplug, bus) >= 0) {
        return true;
    }
    for (unsigned i = 0; i < PCI_DEVFN_MAX; i++) {
        if (bus->devices[i] && leads_to_slots(info, bus->devices[i])) {
            return true;
        }
    }
    return false;
}

static void bus_slots(const AcpiInfo *info, Aml *a, const PCIBus *bus, unsigned depth);

static void slot_device(const AcpiInfo *info, Aml *a, const PCIBus *bus, unsigned devfn, unsigned depth)
{
    const PCIDevice *d = bus->devices[devfn];
    bool hotplug = info->pci_hotplug && is_hotplug_slot(info, bus, devfn);
    bool bridge = depth && d && pci_bridge_secondary_bus(d);
    char name[5];

    if ((d && pci_get_word(d->config + PCI_CLASS_DEVICE) == PCI_CLASS_BRIDGE_ISA)          /* described by itself */
        || (!hotplug && !bridge && !(d && d->acpi_index))) {
        return;
    }
    slot_name(name, devfn);
    aml_begin_device(a, name);
    aml_name_int(a, "_ADR", PCI_SLOT(devfn) << 16 | PCI_FUNC(devfn));
    if (hotplug) {
        hotplug_slot(a, (unsigned)acpi_pci_hotplug_bus(info->pci_hotplug, bus), PCI_SLOT(devfn));
    } else if (d->acpi_index) {
        call_edsm(a);
        aml_int(a, d->acpi_index);
        aml_end(a);
    }
    if (bridge) {
        bus_slots(info, a, pci_bridge_secondary_bus(d), depth - 1);
    }
    aml_end(a);
}

/* --- one bus --- */

/* DVNT(slots, what): tell each of them. */
static void notify_method(const AcpiInfo *info, Aml *a, const PCIBus *bus)
{
    aml_begin_method(a, "DVNT", 2, false);
    for (unsigned slot = 0; slot < bus->slot_max; slot++) {
        char name[5];

        if (is_hotplug_slot(info, bus, PCI_DEVFN(slot, 0))) {
            slot_name(name, PCI_DEVFN(slot, 0));
            aml_begin_if(a);
            aml_op(a, AML_AND);
            aml_op(a, AML_ARG0);
            aml_int(a, BIT(slot));
            aml_op(a, AML_ZERO);
            aml_op(a, AML_NOTIFY);
            aml_path(a, name);
            aml_op(a, AML_ARG1);
            aml_end(a);
        }
    }
    aml_end(a);
}

static void notify_slots(Aml *a, const char *reg, unsigned what)
{
    aml_op(a, AML_STORE);               /* once: reading clears */
    aml_path(a, reg);
    aml_op(a, AML_LOCAL0);
    aml_path(a, "DVNT");
    aml_op(a, AML_LOCAL0);
    aml_int(a, what);
}

static void scan_method(const AcpiInfo *info, Aml *a, const PCIBus *bus, int bus_number, unsigned depth)
{
    aml_begin_method(a, "PCNT", 0, false);
    if (bus_number >= 0) {
        aml_op(a, AML_STORE);
        aml_int(a, (unsigned)bus_number);
        aml_path(a, "BNUM");
        notify_slots(a, "PCIU", NOTIFY_DEVICE_CHECK);
        notify_slots(a, "PCID", NOTIFY_EJECT_REQUEST);
    }
    for (unsigned devfn = 0; devfn < PCI_DEVFN_MAX && depth; devfn++) {
        if (leads_to_slots(info, bus->devices[devfn])) {
            char path[11], name[5];

            slot_name(name, devfn);
            snprintf(path, sizeof(path), "^%s.PCNT", name);        /* of several names: no search */
            aml_path(a, path);
        }
    }
    aml_end(a);
}

static void bus_slots(const AcpiInfo *info, Aml *a, const PCIBus *bus, unsigned depth)
{
    int n = info->pci_hotplug ? acpi_pci_hotplug_bus(info->pci_hotplug, bus) : -1;

    for (unsigned devfn = 0; devfn < PCI_DEVFN_MAX; devfn++) {
        slot_device(info, a, bus, devfn, depth);
    }
    if (info->pci_hotplug) {
        if (n >= 0) {
            notify_method(info, a, bus);
        }
        scan_method(info, a, bus, n, depth);
    }
}

/* In PCI0. */
void acpi_dsdt_pci_slots(const AcpiInfo *info, Aml *a)
{
    label_method(a);
    if (info->pci_hotplug) {
        registers(info, a);
        eject_method(a);
        index_method(a);
    }
    bus_slots(info, a, info->pci_root, ACPI_PCI_DEPTH_MAX);
}

/* Beside it: the event (5.6.4.1). */
void acpi_dsdt_pci_hotplug_event(const AcpiInfo *info, Aml *a)
{
    G_STATIC_ASSERT(ACPI_PCI_HOTPLUG_GPE == 1);
    aml_begin_scope(a, "\\_GPE");
    aml_begin_method(a, "_E01", 0, false);
    aml_acquire(a, "\\_SB.PCI0.BLCK");
    aml_path(a, "\\_SB.PCI0.PCNT");
    aml_release(a, "\\_SB.PCI0.BLCK");
    aml_end(a);
    aml_end(a);
}
