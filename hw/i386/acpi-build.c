/*
 * ACPI tables of the PC boards: FADT, FACS, MADT, HPET, MCFG, SRAT, WAET, and the list of them.
 *
 * Reference: ACPI 6.4 chapter 5 (section numbers below); IA-PC HPET 3.2.4; PCI Firmware 4.1.2 (MCFG); WAET (Microsoft).
 */
#include "hw/acpi/vmgenid.h"
#include "hw/i386/acpi-build.h"
#include "hw/i386/chipset.h"
#include "hw/intc/ioapic.h"
#include "hw/mem/memory-device.h"

enum {
    GAS_MEMORY = 0, GAS_IO = 1,
    FADT_WBINVD = 1 << 0, FADT_PROC_C1 = 1 << 2, FADT_SLP_BUTTON = 1 << 5, FADT_RTC_S4 = 1 << 7, FADT_RESET_REG_SUP = 1 << 10,
    FADT_APIC_CLUSTER = 1 << 18, FADT_APIC_PHYSICAL = 1 << 19, FADT_HW_REDUCED = 1 << 20,
    BOOT_LEGACY_DEVICES = 1 << 0, BOOT_8042 = 1 << 1, BOOT_NO_VGA = 1 << 2, BOOT_NO_RTC = 1 << 5,
};

/* 5.2.10 */
static uint32_t build_facs(AcpiTables *t)
{
    uint32_t start = acpi_table_begin(t, "FACS", 1);

    for (unsigned i = 8; i < 64; i++) {
        acpi_put(t, i == 32, 1);        /* version 1 */
    }
    acpi_table_end(t, start);
    return start;
}

/* Where the fixed hardware is. */
typedef struct PmBlocks {
    uint32_t evt, cnt, tmr, gpe;
    uint8_t gpe_len, enable, disable;
} PmBlocks;

static PmBlocks pm_blocks(AcpiBoard board)
{
    if (board == ACPI_BOARD_Q35) {
        return (PmBlocks){ ICH9_PMBASE, ICH9_PMBASE + 4, ICH9_PMBASE + 8, ICH9_PMBASE + ICH9_GPE_OFFSET, ICH9_GPE_LEN,
                           ICH9_ACPI_ENABLE, ICH9_ACPI_DISABLE };
    }
    return (PmBlocks){ PIIX4_PMBASE, PIIX4_PMBASE + 4, PIIX4_PMBASE + 8, PIIX4_GPE_BASE, PIIX4_GPE_LEN,
                       PIIX4_ACPI_ENABLE, PIIX4_ACPI_DISABLE };
}

static void fadt_legacy_blocks(AcpiTables *t, const PmBlocks *pm)
{
    acpi_put(t, pm->evt, 4);
    acpi_put(t, 0, 4);
    acpi_put(t, pm->cnt, 4);
    acpi_put(t, 0, 8);                  /* PM1b_CNT, PM2_CNT */
    acpi_put(t, pm->tmr, 4);
    acpi_put(t, pm->gpe, 4);
    acpi_put(t, 0, 4);                  /* GPE1 */
    acpi_put(t, pm->evt ? 4 : 0, 1);
    acpi_put(t, pm->cnt ? 2 : 0, 1);
    acpi_put(t, 0, 1);
    acpi_put(t, pm->tmr ? 4 : 0, 1);
    acpi_put(t, pm->gpe_len, 1);
    acpi_put(t, 0, 3);                  /* GPE1 length and base, CST_CNT */
}

static void gas_or_none(AcpiTables *t, uint32_t port, uint8_t width, uint8_t access)
{
    acpi_put_gas(t, GAS_IO, port ? width : 0, port ? access : 0, port);
}

/* 5.2.9, revision 5.1 */
static uint32_t build_fadt(const AcpiInfo *info, AcpiTables *t, uint32_t facs, uint32_t dsdt)
{
    bool reduced = info->board == ACPI_BOARD_MICROVM;
    PmBlocks pm = reduced ? (PmBlocks){ 0 } : pm_blocks(info->board);
    uint32_t start = acpi_table_begin(t, "FACP", 5);
    uint32_t flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_RESET_REG_SUP | (reduced ? FADT_HW_REDUCED : FADT_RTC_S4);
    uint16_t boot = (uint16_t)((reduced ? 0 : BOOT_LEGACY_DEVICES) | (info->kbd ? BOOT_8042 : 0) | (info->rtc ? 0 : BOOT_NO_RTC)
                               | (reduced ? BOOT_NO_VGA : 0));

    if (x86_apic_id_limit(&info->x86->m.smp) > 8 && info->x86->m.smp.max_cpus <= 255) {
        flags |= FADT_APIC_PHYSICAL;
    }
    if (reduced) {
        acpi_put(t, 0, 4);
    } else {
        acpi_put_pointer(t, facs, 4);
    }
    acpi_put_pointer(t, dsdt, 4);
    acpi_put(t, 0, 1);
    acpi_put(t, 0, 1);                  /* profile: unspecified */
    acpi_put(t, reduced ? 0 : X86_GSI_SCI, 2);
    acpi_put(t, reduced ? 0 : 0xb2, 4);
    acpi_put(t, pm.enable, 1);
    acpi_put(t, pm.disable, 1);
    acpi_put(t, 0, 2);                  /* S4BIOS_REQ, PSTATE_CNT */
    fadt_legacy_blocks(t, &pm);
    acpi_put(t, 0xfff, 2);              /* C2 and C3 latencies: not supported */
    acpi_put(t, 0xfff, 2);
    acpi_put(t, 0, 4);                  /* flush size and stride */
    acpi_put(t, 0, 2);                  /* duty */
    acpi_put(t, 0, 2);                  /* day, month alarms */
    acpi_put(t, info->rtc ? 0x32 : 0, 1);       /* century: CMOS cell */
    acpi_put(t, boot, 2);
    acpi_put(t, 0, 1);
    acpi_put(t, flags, 4);
    if (reduced) {
        acpi_put_gas(t, GAS_MEMORY, 8, 1, info->ged_base + 0x202);
        acpi_put(t, 0x42, 1);
    } else {
        acpi_put_gas(t, GAS_IO, 8, 1, 0xcf9);
        acpi_put(t, 0x0f, 1);
    }
    acpi_put(t, 0, 2);
    acpi_put(t, 1, 1);                  /* minor version */
    acpi_put(t, 0, 8);                  /* X_FIRMWARE_CTRL: the 32-bit field is used */
    acpi_put_pointer(t, dsdt, 8);
    gas_or_none(t, pm.evt, 32, 2);
    gas_or_none(t, 0, 0, 0);
    gas_or_none(t, pm.cnt, 16, 2);
    gas_or_none(t, 0, 0, 0);
    gas_or_none(t, 0, 0, 0);
    gas_or_none(t, pm.tmr, 32, 3);
    gas_or_none(t, pm.gpe, (uint8_t)(pm.gpe_len * 8), 1);
    gas_or_none(t, 0, 0, 0);
    if (reduced) {
        acpi_put_gas(t, GAS_MEMORY, 8, 1, info->ged_base + 0x200);
        acpi_put_gas(t, GAS_MEMORY, 8, 1, info->ged_base + 0x201);
    } else {
        gas_or_none(t, 0, 0, 0);
        gas_or_none(t, 0, 0, 0);
    }
    acpi_table_end(t, start);
    return start;
}

/* One structure for each possible CPU; those that are not there are not enabled. */
static void madt_cpu(AcpiTables *t, uint32_t uid, const CpuSlot *slot)
{
    uint8_t entry[16];
    size_t len = acpi_madt_cpu(uid, slot->arch_id, slot->cpu != NULL, entry);

    g_byte_array_append(t->tables, entry, (guint)len);
}

/* 5.2.12.5: ISA interrupt @irq is @gsi; active high and level, or as the bus has it. */
static void madt_override(AcpiTables *t, uint8_t irq, uint32_t gsi, bool level)
{
    acpi_put(t, 2, 1);
    acpi_put(t, 10, 1);
    acpi_put(t, 0, 1);
    acpi_put(t, irq, 1);
    acpi_put(t, gsi, 4);
    acpi_put(t, level ? 0xd : 0, 2);
}

static uint32_t build_madt(const AcpiInfo *info, AcpiTables *t)
{
    static const uint8_t level_irqs[] = { 5, 9, 10, 11 };
    const Machine *m = &info->x86->m;
    uint32_t start = acpi_table_begin(t, "APIC", 3);

    acpi_put(t, APIC_DEFAULT_BASE, 4);
    acpi_put(t, info->x86->i8259 != NULL, 4);   /* PC-AT compatible: the 8259 pair is there */
    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        if (m->cpu_slots[i].cpu || info->cpu_hotplug_port) {
            madt_cpu(t, i, &m->cpu_slots[i]);
        }
    }
    acpi_put(t, 1, 1);                  /* IOAPIC, 5.2.12.3 */
    acpi_put(t, 12, 1);
    acpi_put(t, 0, 2);
    acpi_put(t, IOAPIC_DEFAULT_BASE, 4);
    acpi_put(t, 0, 4);
    madt_override(t, 0, 2, false);
    for (unsigned i = 0; i < ARRAY_SIZE(level_irqs) && info->board != ACPI_BOARD_MICROVM; i++) {
        madt_override(t, level_irqs[i], level_irqs[i], true);
    }
    acpi_put(t, 4, 1);                  /* NMI on LINT1 of every local APIC, 5.2.12.7 */
    acpi_put(t, 6, 1);
    acpi_put(t, 0xff, 1);
    acpi_put(t, 0, 2);
    acpi_put(t, 1, 1);
    acpi_table_end(t, start);
    return start;
}

static uint32_t build_hpet(const AcpiInfo *info, AcpiTables *t)
{
    uint32_t start = acpi_table_begin(t, "HPET", 1);

    acpi_put(t, info->hpet_id, 4);
    acpi_put_gas(t, GAS_MEMORY, 0, 0, HPET_BASE);
    acpi_put(t, 0, 1);
    acpi_put(t, 0, 2);
    acpi_put(t, 0, 1);
    acpi_table_end(t, start);
    return start;
}

static uint32_t build_mcfg(const AcpiInfo *info, AcpiTables *t)
{
    uint32_t start = acpi_table_begin(t, "MCFG", 1);

    acpi_put(t, 0, 8);
    acpi_put(t, info->x86->ecam_base, 8);
    acpi_put(t, 0, 2);
    acpi_put(t, 0, 1);
    acpi_put(t, info->x86->ecam_size / MiB - 1, 1);
    acpi_put(t, 0, 4);
    acpi_table_end(t, start);
    return start;
}

static uint32_t build_waet(AcpiTables *t)
{
    uint32_t start = acpi_table_begin(t, "WAET", 1);

    acpi_put(t, 1 << 1, 4);             /* the PM timer is read right the first time */
    acpi_table_end(t, start);
    return start;
}

enum { SRAT_MEM_ENABLED = 1, SRAT_MEM_HOTPLUGGABLE = 2 };

/* 5.2.16.2 */
static void srat_memory(AcpiTables *t, uint32_t node, uint64_t base, uint64_t len, uint32_t flags)
{
    acpi_put(t, 1, 1);
    acpi_put(t, 40, 1);
    acpi_put(t, node, 4);
    acpi_put(t, 0, 2);
    acpi_put(t, base, 8);
    acpi_put(t, len, 8);
    acpi_put(t, 0, 4);
    acpi_put(t, flags, 4);
    acpi_put(t, 0, 8);
}

/* 5.2.16.3 */
static void srat_cpu(AcpiTables *t, uint32_t node, uint32_t apic_id)
{
    acpi_put(t, 2, 1);
    acpi_put(t, 24, 1);
    acpi_put(t, 0, 2);
    acpi_put(t, node, 4);
    acpi_put(t, apic_id, 4);
    acpi_put(t, 1, 4);
    acpi_put(t, 0, 8);
}

static uint32_t build_srat(const AcpiInfo *info, AcpiTables *t)
{
    const X86Machine *x = info->x86;
    uint32_t start = acpi_table_begin(t, "SRAT", 3);
    unsigned n_nodes = MAX(x->m.n_numa, 1u);        /* memory devices without -numa: all is node 0 */
    uint64_t at = 0;

    acpi_put(t, 1, 4);
    acpi_put(t, 0, 8);
    for (unsigned i = 0; i < x->m.smp.max_cpus; i++) {
        srat_cpu(t, (uint32_t)MAX(x->m.cpu_slots[i].node, 0), x->m.cpu_slots[i].arch_id);
    }
    for (unsigned n = 0; n < n_nodes; n++) {
        uint64_t len = x->m.n_numa ? x->m.numa[n].mem_bytes : x->m.ram_size, low = at < x->below_4g ? MIN(len, x->below_4g - at) : 0;

        if (low) {
            srat_memory(t, n, at, low, SRAT_MEM_ENABLED);
        }
        if (len > low) {
            srat_memory(t, n, 4 * GiB + (at + low - x->below_4g), len - low, SRAT_MEM_ENABLED);
        }
        at += len;
    }
    /* Where memory may come later: Linux sizes its tables by it and takes memory there as movable. */
    if (x->m.device_memory) {
        srat_memory(t, n_nodes - 1, x->m.device_memory->base, x->m.device_memory->size, SRAT_MEM_ENABLED | SRAT_MEM_HOTPLUGGABLE);
    }
    acpi_table_end(t, start);
    return start;
}

bool acpi_option_add(const Value *opts, Error **errp)
{
    Machine *m = current_machine();
    X86Machine *x = m && object_is(m, &x86_machine_type) ? X86_MACHINE(m) : NULL;
    GByteArray *table;

    if (!x || x->acpi == ON_OFF_AUTO_OFF) {
        error_setg(errp, "the machine has no ACPI tables");
        return false;
    }
    if (!x->acpi_user_tables) {
        x->acpi_user_tables = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
    }
    if (x->acpi_user_tables->len == ACPI_MAX_USER_TABLES) {
        error_setg(errp, "at most %d tables can be added", ACPI_MAX_USER_TABLES);
        return false;
    }
    table = acpi_user_table_new(opts, errp);
    if (table) {
        g_ptr_array_add(x->acpi_user_tables, table);
    }
    return table != NULL;
}

/* 5.2.17 */
static uint32_t build_slit(const Machine *m, AcpiTables *t)
{
    uint32_t start = acpi_table_begin(t, "SLIT", 1);

    acpi_put(t, m->n_numa, 8);
    for (unsigned i = 0; i < m->n_numa; i++) {
        for (unsigned j = 0; j < m->n_numa; j++) {
            acpi_put(t, m->numa[i].distance[j], 1);
        }
    }
    acpi_table_end(t, start);
    return start;
}

void acpi_build(const AcpiInfo *info, AcpiTables *out)
{
    uint32_t offsets[9 + ACPI_MAX_USER_TABLES], facs, dsdt;
    unsigned n = 0;
    Aml aml;
    GByteArray *code;

    acpi_tables_init(out, info->x86->oem_id, info->x86->oem_table_id);
    facs = build_facs(out);
    aml_init(&aml);
    acpi_build_dsdt(info, &aml);
    code = aml_finish(&aml);
    dsdt = acpi_table_begin(out, "DSDT", 2);
    g_byte_array_append(out->tables, code->data, code->len);
    g_byte_array_unref(code);
    acpi_table_end(out, dsdt);

    offsets[n++] = build_fadt(info, out, facs, dsdt);
    offsets[n++] = build_madt(info, out);
    if (info->hpet) {
        offsets[n++] = build_hpet(info, out);
    }
    if (info->x86->ecam_size) {
        offsets[n++] = build_mcfg(info, out);
    }
    if (info->x86->m.n_numa || info->x86->m.device_memory) {
        offsets[n++] = build_srat(info, out);
    }
    if (info->x86->m.numa_distances_given) {
        offsets[n++] = build_slit(&info->x86->m, out);
    }
    if (info->board != ACPI_BOARD_MICROVM) {
        offsets[n++] = build_waet(out);
    }
    if (info->vmgenid) {
        offsets[n++] = vmgenid_build_ssdt(out, X86_VMGENID_ADDR);
    }
    for (unsigned i = 0; info->x86->acpi_user_tables && i < info->x86->acpi_user_tables->len; i++) {
        offsets[n++] = acpi_put_user_table(out, g_ptr_array_index(info->x86->acpi_user_tables, i));
    }
    acpi_finish(out, offsets, n);
}
