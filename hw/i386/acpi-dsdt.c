/*
 * The DSDT: processors, PCI host bridge, ISA devices, interrupt links, power.
 *
 * Reference: ACPI 6.4 chapters 6 (device configuration) and 8 (processors); PCI Firmware 3.2, 4.5 (_OSC).
 */
#include "hw/char/serial.h"
#include "hw/i386/acpi-build.h"
#include "hw/i386/chipset.h"

typedef GByteArray Res;

/* Last byte of the 32-bit PCI window: the IOAPIC follows. */
#define IOAPIC_HOLE_END 0xfebfffffu

static void name_crs(Aml *a, const char *name, Res *r)
{
    aml_res_end(r);
    aml_name_buffer(a, name, r);
    g_byte_array_unref(r);
}

/* --- ISA devices --- */

static void isa_device(Aml *a, const char *name, const char *hid, uint64_t uid, const uint16_t (*ports)[2], unsigned n_ports, int irq)
{
    Res *r = g_byte_array_new();

    aml_begin_device(a, name);
    aml_name_eisaid(a, "_HID", hid);
    if (uid) {
        aml_name_int(a, "_UID", uid);
    }
    for (unsigned i = 0; i < n_ports; i++) {
        aml_res_io(r, ports[i][0], 1, (uint8_t)ports[i][1]);
    }
    if (irq >= 0) {
        aml_res_irq(r, (uint8_t)irq);
    }
    name_crs(a, "_CRS", r);
    aml_end(a);
}

static void isa_devices(const AcpiInfo *info, Aml *a)
{
    static const uint16_t rtc[][2] = { { 0x70, 8 } }, kbd[][2] = { { 0x60, 1 }, { 0x64, 1 } };

    if (info->rtc) {
        isa_device(a, "RTC", "PNP0B00", 0, rtc, 1, 8);
    }
    if (info->kbd) {
        isa_device(a, "KBD", "PNP0303", 0, kbd, 2, 1);
        isa_device(a, "MOU", "PNP0F13", 0, NULL, 0, 12);
    }
    for (unsigned i = 0; i < ISA_SERIAL_MAX; i++) {
        const uint16_t com[][2] = { { isa_serial_std_port(i), 8 } };
        char name[5];

        if (info->com_mask & BIT(i)) {
            snprintf(name, sizeof(name), "COM%u", (i + 1) & 7);
            isa_device(a, name, "PNP0501", i + 1, com, 1, (int)isa_serial_std_irq(i));
        }
    }
}

/* --- interrupt links: PIRQ routing registers in the south bridge --- */

static void link_device(Aml *a, unsigned n)
{
    static const uint32_t choices[] = { 5, 10, 11 }, none[] = { 0 };
    char name[5], reg[5];
    Res *r;

    snprintf(name, sizeof(name), "LNK%c", 'A' + n);
    snprintf(reg, sizeof(reg), "PRQ%c", 'A' + n);
    aml_begin_device(a, name);
    aml_name_eisaid(a, "_HID", "PNP0C0F");
    aml_name_int(a, "_UID", n + 1);
    r = g_byte_array_new();
    aml_res_interrupt(r, choices, ARRAY_SIZE(choices), true, true);
    name_crs(a, "_PRS", r);

    aml_begin_method(a, "_STA", 0, false);
    aml_begin_if(a);
    aml_op(a, AML_AND);
    aml_path(a, reg);
    aml_int(a, 0x80);
    aml_op(a, AML_ZERO);
    aml_op(a, AML_RETURN);
    aml_int(a, 0x9);
    aml_end(a);
    aml_op(a, AML_RETURN);
    aml_int(a, 0xb);
    aml_end(a);

    aml_begin_method(a, "_DIS", 0, false);
    aml_op(a, AML_OR);
    aml_path(a, reg);
    aml_int(a, 0x80);
    aml_path(a, reg);
    aml_end(a);

    r = g_byte_array_new();
    aml_res_interrupt(r, none, 1, true, true);
    name_crs(a, "PRR0", r);
    aml_begin_method(a, "_CRS", 0, true);
    aml_create_dword_field(a, "PRR0", AML_ZERO, 5, "PRRI");
    aml_op(a, AML_AND);
    aml_path(a, reg);
    aml_int(a, 0xf);
    aml_path(a, "PRRI");
    aml_op(a, AML_RETURN);
    aml_path(a, "PRR0");
    aml_end(a);

    aml_begin_method(a, "_SRS", 1, true);
    aml_create_dword_field(a, NULL, AML_ARG0, 5, "PRRI");
    aml_op(a, AML_STORE);
    aml_path(a, "PRRI");
    aml_path(a, reg);
    aml_end(a);
    aml_end(a);
}

static void pirq_fields(const AcpiInfo *info, Aml *a)
{
    bool q35 = info->board == ACPI_BOARD_Q35;

    aml_op_region(a, "PIRQ", AML_PCI_CONFIG, 0x60, q35 ? 12 : 4);
    aml_begin_field(a, "PIRQ", AML_BYTE_ACC);
    for (unsigned i = 0; i < (q35 ? 8u : 4u); i++) {
        char reg[5];

        if (i == 4) {
            aml_field_unit(a, NULL, 32);
        }
        snprintf(reg, sizeof(reg), "PRQ%c", 'A' + i);
        aml_field_unit(a, reg, 8);
    }
    aml_end(a);
}

static void isa_bridge(const AcpiInfo *info, Aml *a)
{
    bool q35 = info->board == ACPI_BOARD_Q35;

    aml_begin_device(a, "ISA");
    aml_name_int(a, "_ADR", q35 ? 0x001f0000 : 0x00010000);
    pirq_fields(info, a);
    isa_devices(info, a);
    for (unsigned i = 0; i < (q35 ? 8u : 4u); i++) {
        link_device(a, i);
    }
    aml_end(a);
}

/* --- PCI routing: each slot's four pins (6.2.13) --- */

/* The router's input for a pin; agrees with the chipset's map function. */
static unsigned router_input(const AcpiInfo *info, unsigned slot, unsigned pin)
{
    if (info->board == ACPI_BOARD_Q35) {
        return slot == 31 ? pin : 4 + (slot + pin) % 4;
    }
    return (pin + slot - 1) & 3;
}

static void prt_entry(const AcpiInfo *info, Aml *a, unsigned slot, unsigned pin, bool links)
{
    unsigned n = router_input(info, slot, pin);

    aml_begin_package(a, 4);
    aml_int(a, slot << 16 | 0xffff);
    aml_int(a, pin);
    if (links) {
        g_autofree char *path = g_strdup_printf("\\_SB.PCI0.ISA.LNK%c", 'A' + n);

        aml_path(a, path);
        aml_int(a, 0);
    } else {
        aml_int(a, 0);
        aml_int(a, 16 + n);
    }
    aml_end(a);
}

static void prt_table(const AcpiInfo *info, Aml *a, const char *name, bool links)
{
    aml_name(a, name);
    aml_begin_package(a, 32 * 4);
    for (unsigned slot = 0; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            prt_entry(info, a, slot, pin, links);
        }
    }
    aml_end(a);
}

/* On Q35 the IOAPIC has inputs of their own for the PIRQs; on i440FX they share the ISA lines, whatever the mode. */
static void pci_prt(const AcpiInfo *info, Aml *a)
{
    prt_table(info, a, "PRTP", true);
    if (info->board == ACPI_BOARD_Q35) {
        prt_table(info, a, "PRTA", false);
    }
    aml_begin_method(a, "_PRT", 0, false);
    if (info->board == ACPI_BOARD_Q35) {
        aml_begin_if(a);
        aml_path(a, "\\PICF");
        aml_op(a, AML_RETURN);
        aml_path(a, "PRTA");
        aml_end(a);
    }
    aml_op(a, AML_RETURN);
    aml_path(a, "PRTP");
    aml_end(a);
}

static void pci_crs(const AcpiInfo *info, Aml *a)
{
    Res *r = g_byte_array_new();

    aml_res_word(r, AML_RES_BUS, 0, 0xff);
    aml_res_io(r, 0xcf8, 1, 8);
    aml_res_word(r, AML_RES_IO, 0, 0xcf7);
    aml_res_word(r, AML_RES_IO, 0xd00, 0xffff);
    aml_res_dword_memory(r, 0xa0000, 0xbffff, true);
    aml_res_dword_memory(r, (uint32_t)info->x86->pci_hole_start, IOAPIC_HOLE_END, false);
    if (info->hole64_size) {
        aml_res_qword_memory(r, info->hole64_base, info->hole64_base + info->hole64_size - 1);
    }
    name_crs(a, "_CRS", r);
}

/* PME, AER, the capability structure and, unless ACPI does it, native hotplug are the guest's; SHPC is not there. */
static void pci_osc(Aml *a, bool native_hotplug)
{
    aml_begin_method(a, "_OSC", 4, false);
    aml_create_dword_field(a, NULL, AML_ARG3, 0, "CDW1");
    aml_begin_if(a);
    aml_op(a, AML_LEQUAL);
    aml_op(a, AML_ARG0);
    aml_uuid(a, "33db4d5b-1ff7-401c-9657-7441c03dd766");
    aml_create_dword_field(a, NULL, AML_ARG3, 4, "CDW2");
    aml_create_dword_field(a, NULL, AML_ARG3, 8, "CDW3");
    aml_op(a, AML_AND);
    aml_path(a, "CDW3");
    aml_int(a, native_hotplug ? 0x1d : 0x1c);
    aml_op(a, AML_LOCAL0);
    aml_begin_if(a);                    /* unknown revision */
    aml_op(a, AML_LNOT);
    aml_op(a, AML_LEQUAL);
    aml_op(a, AML_ARG1);
    aml_op(a, AML_ONE);
    aml_op(a, AML_OR);
    aml_path(a, "CDW1");
    aml_int(a, 0x8);
    aml_path(a, "CDW1");
    aml_end(a);
    aml_begin_if(a);                    /* some were masked */
    aml_op(a, AML_LNOT);
    aml_op(a, AML_LEQUAL);
    aml_path(a, "CDW3");
    aml_op(a, AML_LOCAL0);
    aml_op(a, AML_OR);
    aml_path(a, "CDW1");
    aml_int(a, 0x10);
    aml_path(a, "CDW1");
    aml_end(a);
    aml_op(a, AML_STORE);
    aml_op(a, AML_LOCAL0);
    aml_path(a, "CDW3");
    aml_end(a);
    aml_begin_else(a);
    aml_op(a, AML_OR);
    aml_path(a, "CDW1");
    aml_int(a, 0x4);
    aml_path(a, "CDW1");
    aml_end(a);
    aml_op(a, AML_RETURN);
    aml_op(a, AML_ARG3);
    aml_end(a);
}

void acpi_dsdt_pci(const AcpiInfo *info, Aml *a)
{
    bool q35 = info->board == ACPI_BOARD_Q35;

    aml_begin_device(a, "PCI0");
    aml_name_eisaid(a, "_HID", q35 ? "PNP0A08" : "PNP0A03");
    if (q35) {
        aml_name_eisaid(a, "_CID", "PNP0A03");
    }
    aml_name_int(a, "_UID", 0);
    aml_name_int(a, "_BBN", 0);
    pci_crs(info, a);
    pci_prt(info, a);
    if (q35) {
        pci_osc(a, !info->pci_hotplug);
    }
    isa_bridge(info, a);
    if (info->pci_root) {
        acpi_dsdt_pci_slots(info, a);
    }
    aml_end(a);
}

/* --- beside the bus --- */

static void hpet_device(Aml *a)
{
    Res *r = g_byte_array_new();

    aml_begin_device(a, "HPET");
    aml_name_eisaid(a, "_HID", "PNP0103");
    aml_name_int(a, "_UID", 0);
    aml_res_memory32(r, HPET_BASE, HPET_LEN, false);
    name_crs(a, "_CRS", r);
    aml_end(a);
}

/* PCI Firmware 4.1.2: the ECAM window is reserved by a motherboard resource. */
static void ecam_device(const AcpiInfo *info, Aml *a)
{
    Res *r = g_byte_array_new();

    aml_begin_device(a, "DRAC");
    aml_name_eisaid(a, "_HID", "PNP0C02");
    aml_name_int(a, "_UID", 1);
    aml_res_memory32(r, (uint32_t)info->x86->ecam_base, (uint32_t)info->x86->ecam_size, false);
    name_crs(a, "_CRS", r);
    aml_end(a);
}

static void fw_cfg_device(Aml *a)
{
    Res *r = g_byte_array_new();

    aml_begin_device(a, "FWCF");
    aml_name_string(a, "_HID", FW_CFG_ACPI_HID);
    aml_name_int(a, "_STA", 0xb);
    aml_res_io(r, FW_CFG_IO_BASE, 1, 12);
    name_crs(a, "_CRS", r);
    aml_end(a);
}

static void virtio_transports(const AcpiInfo *info, Aml *a)
{
    for (unsigned i = 0; i < info->n_virtio; i++) {
        uint32_t irq = info->virtio_irq_base + i;
        Res *r = g_byte_array_new();
        char name[5];

        snprintf(name, sizeof(name), "VR%02u", i % 100);
        aml_begin_device(a, name);
        aml_name_string(a, "_HID", "LNRO0005");
        aml_name_int(a, "_UID", i);
        aml_name_int(a, "_CCA", 1);
        aml_res_memory32(r, (uint32_t)(info->virtio_base + i * info->virtio_size), info->virtio_size, true);
        aml_res_interrupt(r, &irq, 1, true, false);
        name_crs(a, "_CRS", r);
        aml_end(a);
    }
}

/* Generic event device (5.6.9): a power button press is reported by reading and clearing its selector register. */
static void generic_event_device(const AcpiInfo *info, Aml *a)
{
    Res *r = g_byte_array_new();

    aml_begin_device(a, "PWRB");
    aml_name_eisaid(a, "_HID", "PNP0C0C");
    aml_name_int(a, "_UID", 0);
    aml_end(a);
    aml_begin_device(a, "GED");
    aml_name_string(a, "_HID", "ACPI0013");
    aml_name_int(a, "_UID", 0);
    aml_res_interrupt(r, &info->ged_irq, 1, true, false);
    name_crs(a, "_CRS", r);
    aml_op_region(a, "EREG", AML_SYSTEM_MEMORY, info->ged_base, 4);
    aml_begin_field(a, "EREG", AML_DWORD_ACC);
    aml_field_unit(a, "ESEL", 32);
    aml_end(a);
    aml_begin_method(a, "_EVT", 1, true);
    aml_op(a, AML_STORE);
    aml_path(a, "ESEL");
    aml_op(a, AML_LOCAL0);
    aml_begin_if(a);
    aml_op(a, AML_AND);
    aml_op(a, AML_LOCAL0);
    aml_int(a, 2);
    aml_op(a, AML_ZERO);
    aml_op(a, AML_NOTIFY);
    aml_path(a, "PWRB");
    aml_int(a, 0x80);
    aml_end(a);
    aml_end(a);
    aml_end(a);
}

/* 7.4.2: what goes into SLP_TYP of the PM1 control registers. */
static void sleep_state(Aml *a, const char *name, unsigned slp_typ)
{
    aml_name(a, name);
    aml_begin_package(a, 4);
    aml_int(a, slp_typ);
    aml_int(a, slp_typ);
    aml_int(a, 0);
    aml_int(a, 0);
    aml_end(a);
}

void acpi_build_dsdt(const AcpiInfo *info, Aml *a)
{
    bool microvm = info->board == ACPI_BOARD_MICROVM;

    aml_name_int(a, "\\PICF", 0);
    aml_begin_method(a, "\\_PIC", 1, false);
    aml_op(a, AML_STORE);
    aml_op(a, AML_ARG0);
    aml_path(a, "\\PICF");
    aml_end(a);

    aml_begin_scope(a, "\\_SB");
    acpi_dsdt_cpus(info, a);
    acpi_dsdt_memory(info, a);
    fw_cfg_device(a);
    if (microvm) {
        isa_devices(info, a);
        virtio_transports(info, a);
        generic_event_device(info, a);
    } else {
        acpi_dsdt_pci(info, a);
        if (info->hpet) {
            hpet_device(a);
        }
        if (info->x86->ecam_size) {
            ecam_device(info, a);
        }
    }
    aml_end(a);

    if (info->pci_hotplug) {
        acpi_dsdt_pci_hotplug_event(info, a);
    }
    if (info->s3) {
        sleep_state(a, "\\_S3", ACPI_SLP_TYP_S3);
    }
    if (info->s4) {
        sleep_state(a, "\\_S4", ACPI_SLP_TYP_S4);
    }
    sleep_state(a, "\\_S5", microvm ? 5 : ACPI_SLP_TYP_S5);
}
