/*
 * Processors in the DSDT, and the methods by which they come and go.
 *
 * Reference: ACPI 6.4, 8.4 (processors), 5.6.4.1 (general-purpose events), 6.3 (_EJ0, _OST), 6.2.10 (_MAT).  The
 * registers are hw/acpi/cpu-hotplug.c's; CPLK guards their selector.
 *
 *   \_SB.CPUS         C000...: one device for each possible CPU; CSTA, CEJ0, COST take its number
 *   \_SB.CPUS.CSCN    tells the CPUs that have an event: on GPE 2
 */
#include "hw/acpi/cpu-hotplug.h"
#include "hw/i386/acpi-build.h"

enum { NOTIFY_DEVICE_CHECK = 1, NOTIFY_EJECT_REQUEST = 3 };

static void cpu_name(char name[5], unsigned index)
{
    snprintf(name, 5, "C%03X", index & 0xfff);
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

/* --- registers --- */

static void registers(const AcpiInfo *info, Aml *a)
{
    GByteArray *r = g_byte_array_new();

    aml_name_string(a, "_HID", "ACPI0010");
    aml_name_eisaid(a, "_CID", "PNP0A05");
    aml_res_io(r, info->cpu_hotplug_port, 1, ACPI_CPU_HOTPLUG_LEN);
    aml_res_end(r);
    aml_name_buffer(a, "_CRS", r);
    g_byte_array_unref(r);
    aml_mutex(a, "CPLK");
    aml_op_region(a, "PRST", AML_SYSTEM_IO, info->cpu_hotplug_port, ACPI_CPU_HOTPLUG_LEN);
    aml_begin_field(a, "PRST", AML_BYTE_ACC | AML_WRITE_AS_ZEROS);
    aml_field_unit(a, NULL, 32);
    aml_field_unit(a, "CPEN", 1);
    aml_field_unit(a, "CINS", 1);
    aml_field_unit(a, "CRMV", 1);
    aml_field_unit(a, "CEJ0", 1);
    aml_field_unit(a, NULL, 4);
    aml_field_unit(a, "CCMD", 8);
    aml_end(a);
    aml_begin_field(a, "PRST", AML_DWORD_ACC);
    aml_field_unit(a, "CSEL", 32);
    aml_field_unit(a, NULL, 32);
    aml_field_unit(a, "CDAT", 32);
    aml_end(a);
}

/* --- methods of all --- */

static void method_sta(Aml *a)
{
    aml_begin_method(a, "CSTA", 1, true);
    aml_acquire(a, "CPLK");
    store_op(a, AML_ARG0, "CSEL");
    aml_op(a, AML_STORE);
    aml_op(a, AML_ZERO);
    aml_op(a, AML_LOCAL0);
    aml_begin_if(a);
    aml_path(a, "CPEN");
    aml_op(a, AML_STORE);
    aml_int(a, 0xf);
    aml_op(a, AML_LOCAL0);
    aml_end(a);
    aml_release(a, "CPLK");
    aml_op(a, AML_RETURN);
    aml_op(a, AML_LOCAL0);
    aml_end(a);
}

static void method_eject(Aml *a)
{
    aml_begin_method(a, "CEJE", 1, true);
    aml_acquire(a, "CPLK");
    store_op(a, AML_ARG0, "CSEL");
    store_int(a, 1, "CEJ0");
    aml_release(a, "CPLK");
    aml_end(a);
}

/* CPU, event, status */
static void method_ost(Aml *a)
{
    aml_begin_method(a, "COST", 3, true);
    aml_acquire(a, "CPLK");
    store_op(a, AML_ARG0, "CSEL");
    store_int(a, 1, "CCMD");
    store_op(a, AML_ARG1, "CDAT");
    store_int(a, 2, "CCMD");
    store_op(a, AML_ARG2, "CDAT");
    aml_release(a, "CPLK");
    aml_end(a);
}

/* CPU, notification */
static void method_notify(const Machine *m, Aml *a)
{
    aml_begin_method(a, "CTFY", 2, false);
    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        char name[5];

        cpu_name(name, i);
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

/* If (@flag) { CTFY (Local0, @event); @flag = 1 } */
static void notify_if(Aml *a, const char *flag, unsigned event)
{
    aml_begin_if(a);
    aml_path(a, flag);
    aml_path(a, "CTFY");
    aml_op(a, AML_LOCAL0);
    aml_int(a, event);
    store_int(a, 1, flag);
    aml_end(a);
}

static void method_scan(const Machine *m, Aml *a)
{
    aml_begin_method(a, "CSCN", 0, true);
    aml_acquire(a, "CPLK");
    aml_op(a, AML_STORE);
    aml_op(a, AML_ZERO);
    aml_op(a, AML_LOCAL0);
    aml_begin_while(a);
    aml_op(a, AML_LLESS);
    aml_op(a, AML_LOCAL0);
    aml_int(a, m->smp.max_cpus);
    store_op(a, AML_LOCAL0, "CSEL");
    notify_if(a, "CINS", NOTIFY_DEVICE_CHECK);
    notify_if(a, "CRMV", NOTIFY_EJECT_REQUEST);
    aml_op(a, AML_INCREMENT);
    aml_op(a, AML_LOCAL0);
    aml_end(a);
    aml_release(a, "CPLK");
    aml_end(a);
}

/* --- a processor --- */

size_t acpi_madt_cpu(uint32_t uid, uint32_t apic_id, bool enabled, uint8_t out[16])
{
    memset(out, 0, 16);
    if (apic_id < 255 && uid < 256) {
        out[0] = 0;
        out[1] = 8;
        out[2] = (uint8_t)uid;
        out[3] = (uint8_t)apic_id;
        st32_le(out + 4, enabled);
        return 8;
    }
    out[0] = 9;
    out[1] = 16;
    st32_le(out + 4, apic_id);
    st32_le(out + 8, enabled);
    st32_le(out + 12, uid);
    return 16;
}

static void call_with_uid(Aml *a, const char *method, unsigned uid)
{
    aml_path(a, method);
    aml_int(a, uid);
}

static void hotplug_methods(const Machine *m, Aml *a, unsigned uid)
{
    GByteArray *mat = g_byte_array_new();
    uint8_t entry[16];
    size_t len = acpi_madt_cpu(uid, m->cpu_slots[uid].arch_id, true, entry);

    aml_begin_method(a, "_STA", 0, true);
    aml_op(a, AML_RETURN);
    call_with_uid(a, "CSTA", uid);
    aml_end(a);
    g_byte_array_append(mat, entry, (guint)len);
    aml_name_buffer(a, "_MAT", mat);
    g_byte_array_unref(mat);
    if (uid) {                  /* the boot CPU stays */
        aml_begin_method(a, "_EJ0", 1, false);
        call_with_uid(a, "CEJE", uid);
        aml_end(a);
    }
    aml_begin_method(a, "_OST", 3, true);
    call_with_uid(a, "COST", uid);
    aml_op(a, AML_ARG0);
    aml_op(a, AML_ARG1);
    aml_end(a);
}

static void processor(const AcpiInfo *info, Aml *a, unsigned uid)
{
    const Machine *m = &info->x86->m;
    char name[5];

    cpu_name(name, uid);
    aml_begin_device(a, name);
    aml_name_string(a, "_HID", "ACPI0007");
    aml_name_int(a, "_UID", uid);
    if (info->cpu_hotplug_port) {
        hotplug_methods(m, a, uid);
    }
    if (m->n_numa) {
        aml_name_int(a, "_PXM", (uint64_t)m->cpu_slots[uid].node);
    }
    aml_end(a);
}

void acpi_dsdt_cpus(const AcpiInfo *info, Aml *a)
{
    const Machine *m = &info->x86->m;

    if (!info->cpu_hotplug_port) {
        for (unsigned i = 0; i < m->smp.max_cpus; i++) {
            if (m->cpu_slots[i].cpu) {
                processor(info, a, i);
            }
        }
        return;
    }
    aml_begin_device(a, "CPUS");
    registers(info, a);
    method_sta(a);
    method_eject(a);
    method_ost(a);
    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        processor(info, a, i);
    }
    method_notify(m, a);
    method_scan(m, a);
    aml_end(a);
    aml_begin_scope(a, "\\_GPE");
    aml_begin_method(a, "_E02", 0, false);
    aml_path(a, "\\_SB.CPUS.CSCN");
    aml_end(a);
    aml_end(a);
}
