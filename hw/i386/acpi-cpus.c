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

#include "acpi-hotplug.h"

static const AcpiHotplugAml cpus = {
    .mutex = "CPLK", .selector = "CSEL", .enabled = "CPEN", .inserted = "CINS", .removal = "CRMV", .eject = "CEJ0",
    .sta_method = "CSTA", .eject_method = "CEJE", .ost_method = "COST", .notify_method = "CTFY", .scan_method = "CSCN",
    .slot_format = "C%03X", .scan_path = "\\_SB.CPUS.CSCN", .event_method = "_E02",
};

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

/* CPU, event, status */
static void method_ost(Aml *a)
{
    acpi_hotplug_begin_method(&cpus, a, cpus.ost_method, 3);
    aml_store_int(a, 1, "CCMD");
    aml_store_op(a, AML_ARG1, "CDAT");
    aml_store_int(a, 2, "CCMD");
    aml_store_op(a, AML_ARG2, "CDAT");
    acpi_hotplug_end_method(&cpus, a);
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

static void hotplug_methods(const Machine *m, Aml *a, unsigned uid)
{
    GByteArray *mat = g_byte_array_new();
    uint8_t entry[16];
    size_t len = acpi_madt_cpu(uid, m->cpu_slots[uid].arch_id, true, entry);

    acpi_hotplug_return_call(a, "_STA", cpus.sta_method, uid);
    g_byte_array_append(mat, entry, (guint)len);
    aml_name_buffer(a, "_MAT", mat);
    g_byte_array_unref(mat);
    acpi_hotplug_slot_requests(&cpus, a, uid, uid != 0);        /* the boot CPU stays */
}

static void processor(const AcpiInfo *info, Aml *a, unsigned uid)
{
    const Machine *m = &info->x86->m;
    char name[5];

    acpi_hotplug_slot_name(&cpus, name, uid);
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
    acpi_hotplug_method_sta(&cpus, a);
    acpi_hotplug_method_eject(&cpus, a);
    method_ost(a);
    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        processor(info, a, i);
    }
    acpi_hotplug_methods_scan(&cpus, a, m->smp.max_cpus);
    aml_end(a);
    acpi_hotplug_event(&cpus, a);
}
