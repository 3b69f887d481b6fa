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

enum { NOTIFY_DEVICE_CHECK = 1, NOTIFY_EJECT_REQUEST = 3 };
/* Offsets in a QWord address space descriptor, 6.4.3.5.1 */
enum { QWORD_MIN = 14, QWORD_MAX = 22, QWORD_LEN = 38 };

static void slot_name(char name[5], unsigned slot)
{
    snprintf(name, 5, "MP%02X", slot & 0xff);
}

/* Store(@value, @path) */
static void store_int(Aml *a, uint64_t value, const char *path)
{
    aml_op(a, AML_STORE);
    aml_int(a, value);
    aml_path(a, path);
}

static void store_op(Aml *a, AmlOp value, const char *path)
{
    aml_op(a, AML_STORE);
    aml_op(a, value);
    aml_path(a, path);
}

static void store_path(Aml *a, const char *value, const char *path)
{
    aml_op(a, AML_STORE);
    aml_path(a, value);
    aml_path(a, path);
}

static void return_local0(Aml *a)
{
    aml_op(a, AML_RETURN);
    aml_op(a, AML_LOCAL0);
}

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

static void begin_selected(Aml *a, const char *name, unsigned n_args)
{
    aml_begin_method(a, name, n_args, true);
    aml_acquire(a, "MLCK");
    store_op(a, AML_ARG0, "MSEL");
}

static void method_sta(Aml *a)
{
    begin_selected(a, "MSTA", 1);
    aml_op(a, AML_STORE);
    aml_op(a, AML_ZERO);
    aml_op(a, AML_LOCAL0);
    aml_begin_if(a);
    aml_path(a, "MES");
    aml_op(a, AML_STORE);
    aml_int(a, 0xf);
    aml_op(a, AML_LOCAL0);
    aml_end(a);
    aml_release(a, "MLCK");
    return_local0(a);
    aml_end(a);
}

/* The template's minimum, maximum and length are filled in from the registers. */
static void method_crs(Aml *a)
{
    GByteArray *r = g_byte_array_new();

    aml_res_qword_memory(r, 0, 1);
    aml_res_end(r);
    begin_selected(a, "MCRS", 1);
    aml_name_buffer(a, "MR64", r);
    g_byte_array_unref(r);
    aml_create_qword_field(a, "MR64", QWORD_MIN, "MMIN");
    aml_create_qword_field(a, "MR64", QWORD_MAX, "MMAX");
    aml_create_qword_field(a, "MR64", QWORD_LEN, "MLEN");
    store_path(a, "MRBA", "MMIN");
    store_path(a, "MRLE", "MLEN");
    aml_op(a, AML_ADD);
    aml_path(a, "MMIN");
    aml_path(a, "MLEN");
    aml_op(a, AML_LOCAL0);
    aml_op(a, AML_SUBTRACT);
    aml_op(a, AML_LOCAL0);
    aml_op(a, AML_ONE);
    aml_path(a, "MMAX");
    aml_release(a, "MLCK");
    aml_op(a, AML_RETURN);
    aml_path(a, "MR64");
    aml_end(a);
}

static void method_pxm(Aml *a)
{
    begin_selected(a, "MPXM", 1);
    aml_op(a, AML_STORE);
    aml_path(a, "MPX");
    aml_op(a, AML_LOCAL0);
    aml_release(a, "MLCK");
    return_local0(a);
    aml_end(a);
}

static void method_eject(Aml *a)
{
    begin_selected(a, "MEJE", 1);
    store_int(a, 1, "MEJ");
    aml_release(a, "MLCK");
    aml_end(a);
}

/* slot, event, status */
static void method_ost(Aml *a)
{
    begin_selected(a, "MOST", 3);
    store_op(a, AML_ARG1, "MOEV");
    store_op(a, AML_ARG2, "MOSC");
    aml_release(a, "MLCK");
    aml_end(a);
}

/* slot, notification */
static void method_notify(unsigned n, Aml *a)
{
    aml_begin_method(a, "MTFY", 2, false);
    for (unsigned i = 0; i < n; i++) {
        char name[5];

        slot_name(name, i);
        aml_begin_if(a);
        aml_op(a, AML_LEQUAL);
        aml_op(a, AML_ARG0);
        aml_int(a, i);
        aml_op(a, AML_NOTIFY);
        aml_path(a, name);
        aml_op(a, AML_ARG1);
        aml_end(a);
    }
    aml_end(a);
}

/* If (@flag) { MTFY (Local0, @event); @flag = 1 } */
static void notify_if(Aml *a, const char *flag, unsigned event)
{
    aml_begin_if(a);
    aml_path(a, flag);
    aml_path(a, "MTFY");
    aml_op(a, AML_LOCAL0);
    aml_int(a, event);
    store_int(a, 1, flag);
    aml_end(a);
}

static void method_scan(unsigned n, Aml *a)
{
    aml_begin_method(a, "MSCN", 0, true);
    aml_acquire(a, "MLCK");
    aml_op(a, AML_STORE);
    aml_op(a, AML_ZERO);
    aml_op(a, AML_LOCAL0);
    aml_begin_while(a);
    aml_op(a, AML_LLESS);
    aml_op(a, AML_LOCAL0);
    aml_int(a, n);
    store_op(a, AML_LOCAL0, "MSEL");
    notify_if(a, "MINS", NOTIFY_DEVICE_CHECK);
    notify_if(a, "MRMV", NOTIFY_EJECT_REQUEST);
    aml_op(a, AML_INCREMENT);
    aml_op(a, AML_LOCAL0);
    aml_end(a);
    aml_release(a, "MLCK");
    aml_end(a);
}

/* --- a slot --- */

static void return_call(Aml *a, const char *name, const char *method, unsigned slot)
{
    aml_begin_method(a, name, 0, true);
    aml_op(a, AML_RETURN);
    aml_path(a, method);
    aml_int(a, slot);
    aml_end(a);
}

static void memory_slot(Aml *a, unsigned slot)
{
    char name[5];

    slot_name(name, slot);
    aml_begin_device(a, name);
    aml_name_int(a, "_UID", slot);
    aml_name_eisaid(a, "_HID", "PNP0C80");
    return_call(a, "_STA", "MSTA", slot);
    return_call(a, "_CRS", "MCRS", slot);
    return_call(a, "_PXM", "MPXM", slot);
    aml_begin_method(a, "_EJ0", 1, false);
    aml_path(a, "MEJE");
    aml_int(a, slot);
    aml_end(a);
    aml_begin_method(a, "_OST", 3, true);
    aml_path(a, "MOST");
    aml_int(a, slot);
    aml_op(a, AML_ARG0);
    aml_op(a, AML_ARG1);
    aml_end(a);
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
    method_sta(a);
    method_crs(a);
    method_pxm(a);
    method_eject(a);
    method_ost(a);
    for (unsigned i = 0; i < n; i++) {
        memory_slot(a, i);
    }
    method_notify(n, a);
    method_scan(n, a);
    aml_end(a);
    aml_begin_scope(a, "\\_GPE");
    aml_begin_method(a, "_E03", 0, false);
    aml_path(a, "\\_SB.MHPC.MSCN");
    aml_end(a);
    aml_end(a);
}
