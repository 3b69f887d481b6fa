/*
 * Memory slots in the DSDT, and the methods by which DIMMs come and go.
 *
 * Reference: ACPI 6.4, 9.11 (memory devices), 5.6.4.1 (general-purpose events), 6.3 (_EJ0, _OST).  The registers are
 * hw/acpi/memory-hotplug.c's; MLCK guards their selector.
 *
 *   \_SB.MHPC         MP00...: one device for each slot; MSTA, MCRS, MPXM, MEJE, MOST take its number
 *   \_SB.MHPC.MSCN    tells the slots that have an event: on GPE 3
 */
#include "hw/acpi/memory-hotplug.h"
#include "hw/i386/acpi-build.h"

#include "acpi-hotplug.h"

/* Offsets in a QWord address space descriptor, 6.4.3.5.1 */
enum { QWORD_MIN = 14, QWORD_MAX = 22, QWORD_LEN = 38 };

static const AcpiHotplugAml dimms = {
    .mutex = "MLCK", .selector = "MSEL", .enabled = "MES", .inserted = "MINS", .removal = "MRMV", .eject = "MEJ",
    .sta_method = "MSTA", .eject_method = "MEJE", .ost_method = "MOST", .notify_method = "MTFY", .scan_method = "MSCN",
    .slot_format = "MP%02X", .scan_path = "\\_SB.MHPC.MSCN", .event_method = "_E03",
};

/* --- registers --- */

static void registers(Aml *a)
{
    GByteArray *r = g_byte_array_new();

    aml_name_eisaid(a, "_HID", "PNP0A06");
    aml_name_string(a, "_UID", "Memory hotplug resources");
    aml_res_io(r, ACPI_MEMORY_HOTPLUG_PORT, 1, ACPI_MEMORY_HOTPLUG_LEN);
    aml_res_end(r);
    aml_name_buffer(a, "_CRS", r);
    g_byte_array_unref(r);
    aml_mutex(a, "MLCK");
    aml_op_region(a, "HPMR", AML_SYSTEM_IO, ACPI_MEMORY_HOTPLUG_PORT, ACPI_MEMORY_HOTPLUG_LEN);
    aml_begin_field(a, "HPMR", AML_DWORD_ACC);
    aml_field_unit(a, "MRBA", 64);
    aml_field_unit(a, "MRLE", 64);
    aml_field_unit(a, "MPX", 32);
    aml_end(a);
    aml_begin_field(a, "HPMR", AML_BYTE_ACC | AML_WRITE_AS_ZEROS);
    aml_field_unit(a, NULL, 160);
    aml_field_unit(a, "MES", 1);
    aml_field_unit(a, "MINS", 1);
    aml_field_unit(a, "MRMV", 1);
    aml_field_unit(a, "MEJ", 1);
    aml_end(a);
    aml_begin_field(a, "HPMR", AML_DWORD_ACC);
    aml_field_unit(a, "MSEL", 32);
    aml_field_unit(a, "MOEV", 32);
    aml_field_unit(a, "MOSC", 32);
    aml_end(a);
}

/* --- methods of all: the slot is Arg0 --- */

/* The template's minimum, maximum and length are filled in from the registers. */
static void method_crs(Aml *a)
{
    GByteArray *r = g_byte_array_new();

    aml_res_qword_memory(r, 0, 1);
    aml_res_end(r);
    acpi_hotplug_begin_method(&dimms, a, "MCRS", 1);
    aml_name_buffer(a, "MR64", r);
    g_byte_array_unref(r);
    aml_create_qword_field(a, "MR64", QWORD_MIN, "MMIN");
    aml_create_qword_field(a, "MR64", QWORD_MAX, "MMAX");
    aml_create_qword_field(a, "MR64", QWORD_LEN, "MLEN");
    aml_store_path(a, "MRBA", "MMIN");
    aml_store_path(a, "MRLE", "MLEN");
    aml_op(a, AML_ADD);
    aml_path(a, "MMIN");
    aml_path(a, "MLEN");
    aml_op(a, AML_LOCAL0);
    aml_op(a, AML_SUBTRACT);
    aml_op(a, AML_LOCAL0);
    aml_op(a, AML_ONE);
    aml_path(a, "MMAX");
    aml_release(a, dimms.mutex);
    aml_op(a, AML_RETURN);
    aml_path(a, "MR64");
    aml_end(a);
}

static void method_pxm(Aml *a)
{
    acpi_hotplug_begin_method(&dimms, a, "MPXM", 1);
    aml_op(a, AML_STORE);
    aml_path(a, "MPX");
    aml_op(a, AML_LOCAL0);
    acpi_hotplug_end_method_local0(&dimms, a);
}

/* slot, event, status */
static void method_ost(Aml *a)
{
    acpi_hotplug_begin_method(&dimms, a, dimms.ost_method, 3);
    aml_store_op(a, AML_ARG1, "MOEV");
    aml_store_op(a, AML_ARG2, "MOSC");
    acpi_hotplug_end_method(&dimms, a);
}

/* --- a slot --- */

static void memory_slot(Aml *a, unsigned slot)
{
    char name[5];

    acpi_hotplug_slot_name(&dimms, name, slot);
    aml_begin_device(a, name);
    aml_name_int(a, "_UID", slot);
    aml_name_eisaid(a, "_HID", "PNP0C80");
    acpi_hotplug_return_call(a, "_STA", dimms.sta_method, slot);
    acpi_hotplug_return_call(a, "_CRS", "MCRS", slot);
    acpi_hotplug_return_call(a, "_PXM", "MPXM", slot);
    acpi_hotplug_slot_requests(&dimms, a, slot, true);
    aml_end(a);
}

void acpi_dsdt_memory(const AcpiInfo *info, Aml *a)
{
    unsigned n = info->x86->m.ram_slots;

    if (!info->memory_hotplug) {
        return;
    }
    aml_begin_device(a, "MHPC");
    registers(a);
    acpi_hotplug_method_sta(&dimms, a);
    method_crs(a);
    method_pxm(a);
    acpi_hotplug_method_eject(&dimms, a);
    method_ost(a);
    for (unsigned i = 0; i < n; i++) {
        memory_slot(a, i);
    }
    acpi_hotplug_methods_scan(&dimms, a, n);
    aml_end(a);
    acpi_hotplug_event(&dimms, a);
}
