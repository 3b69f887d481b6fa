/*
 * The PC: i440FX ("pc") and Q35 ("q35") boards with their ISA devices, tables and firmware configuration.
 *
 * Memory map (both boards): RAM from 0 up to the split, a PCI window below 0xfec00000, IOAPIC at 0xfec00000, HPET at
 * 0xfed00000, local APICs at 0xfee00000, firmware below 4 GiB, the rest of RAM from 4 GiB.
 *
 *              RAM split (all RAM below it)     PCI window starts at     ECAM
 *   i440FX     3.5 GiB, or 3 GiB when larger    0xe0000000 / 0xc0000000  -
 *   Q35        2.75 GiB, or 2 GiB when larger   0xc0000000               0xb0000000, 256 MiB
 */
#include "hw/acpi/cpu-hotplug.h"
#include "hw/acpi/vmgenid.h"
#include "hw/char/serial.h"
#include "hw/core/bootorder.h"
#include "hw/i386/acpi-build.h"
#include "hw/i386/chipset.h"
#include "hw/i386/pc.h"
#include "hw/i386/smbios.h"
#include "hw/ide/ide.h"
#include "hw/input/i8042.h"
#include "system/serial.h"

#define DEFAULT_FIRMWARE "bios-256k.bin"
#define PCI_HOLE64_SIZE  (32 * GiB)

/* --- ISA devices --- */

static bool pc_serial_ports(X86Machine *x, Error **errp)
{
    for (unsigned i = 0; i < ISA_SERIAL_MAX; i++) {
        Chardev *chr = serial_hd(i);

        if (chr && !isa_serial_create(x->isa, i, chr, errp)) {
            return false;
        }
    }
    return true;
}

static bool pc_timers(PcMachine *pc, Error **errp)
{
    X86Machine *x = &pc->x86;
    IrqLine gsi[HPET_NUM_IRQ_ROUTES] = { 0 }, irq0 = x86_gsi(x, 0), irq8 = x86_gsi(x, 8);

    for (unsigned i = 0; i < X86_N_GSI; i++) {
        gsi[i] = x86_gsi(x, i);
    }
    if (pc->hpet) {
        x->hpet = hpet_create(system_memory(), gsi, pc->q35 ? 0xff0104 : 1 << 2, (IrqLine){ 0 });
        irq0 = hpet_pit_input(x->hpet);
        irq8 = hpet_rtc_input(x->hpet);
    }
    x->mc146818 = mc146818_create(x->isa, 2000, irq8);
    if (x->pit != ON_OFF_AUTO_OFF) {
        x->i8254 = x86_create_pit(x, irq0, errp);
        if (!x->i8254) {
            return false;
        }
        if (x->hpet) {
            hpet_set_pit_control(x->hpet, i8254_irq_control(x->i8254));
        }
        pcspk_create(x->isa, x->i8254);
    }
    return true;
}

/* @order: NULL = the default. */
static bool pc_cmos_boot_order(X86Machine *x, const char *order, Error **errp)
{
    return cmos_set_boot_order(x->mc146818, order ? order : "cad", !PC_MACHINE(x)->fd_bootchk, errp);
}

/* From now on, a -boot once= included. */
static bool pc_set_boot_order(Machine *m, const char *order, Error **errp)
{
    if (!pc_cmos_boot_order(X86_MACHINE(m), order, errp)) {
        return false;
    }
    g_free(m->boot_order);
    m->boot_order = g_strdup(order);
    m->booted = true;
    return true;
}

static Value *get_rtc_time(Object *obj, const Property *p)
{
    return object_property_get(X86_MACHINE(obj)->mc146818, "date", NULL);
}

static bool pc_cmos(X86Machine *x, Error **errp)
{
    Machine *m = &x->m;

    object_property_add(x, &(Property)PROP_CUSTOM(any, "rtc-time", get_rtc_time, NULL, .read_only = true, .shown = "struct tm",
                                                  .help = "what the clock shows"));
    cmos_set_memory_size(x->mc146818, x->below_4g, x->above_4g);
    cmos_set_cpus(x->mc146818, m->smp.cpus);
    cmos_set_equipment(x->mc146818, 0);
    return pc_cmos_boot_order(x, m->boot_once, errp) && pc_cmos_boot_order(x, m->boot_order, errp);
}

static bool pc_isa_devices(PcMachine *pc, Error **errp)
{
    X86Machine *x = &pc->x86;

    if (!pc_timers(pc, errp)) {
        return false;
    }
    if (pc->i8042) {
        i8042_create(x->isa, x86_a20_line(x, 0));
    }
    port92_create(x->isa, x86_a20_line(x, 1));
    return pc_serial_ports(x, errp) && pc_cmos(x, errp);
}

/* --- fw_cfg: what firmware is told --- */

/* RAM from 0 and from 4 GiB, and what it must keep out of; the rest is firmware's own knowledge. */
static bool pc_fw_cfg_e820(X86Machine *x, Error **errp)
{
    E820Map map = { .n = 0 };
    uint8_t packed[E820_MAX * 20];
    size_t len;

    e820_add(&map, 0, x->below_4g, E820_RAM);
    e820_add(&map, 4 * GiB, x->above_4g, E820_RAM);
    e820_add(&map, x->ecam_base, x->ecam_size, E820_RESERVED);
    len = e820_pack(&map, packed);
    return fw_cfg_add_file(x->fw_cfg, "etc/e820", packed, len, errp);
}

static void pc_fw_cfg_numa(X86Machine *x)
{
    unsigned n_cpus = x86_apic_id_limit(&x->m.smp);
    size_t len = (1 + n_cpus + x->m.n_numa) * 8;
    g_autofree uint8_t *data = g_malloc0(len);

    st64_le(data, x->m.n_numa);
    for (unsigned i = 0; i < x->m.smp.max_cpus; i++) {
        st64_le(data + 8 * (1 + x->m.cpu_slots[i].arch_id), (uint64_t)MAX(x->m.cpu_slots[i].node, 0));
    }
    for (unsigned i = 0; i < x->m.n_numa; i++) {
        st64_le(data + 8 * (1 + n_cpus + i), x->m.numa[i].mem_bytes);
    }
    fw_cfg_add_bytes(x->fw_cfg, FW_CFG_NUMA, data, len);
}

static bool pc_fw_cfg(PcMachine *pc, Error **errp)
{
    bool s3 = pc->pm && !pc->pm->disable_s3, s4 = pc->pm && !pc->pm->disable_s4;
    /* By sleep state: bit 7 offered, the rest its SLP_TYP. */
    const uint8_t system_states[6] = { 128, 0, 0, s3 << 7 | ACPI_SLP_TYP_S3, s4 << 7 | ACPI_SLP_TYP_S4, 128 };
    X86Machine *x = &pc->x86;
    FwCfg *fw;

    x->fw_cfg = fw = fw_cfg_io_create(system_io(), FW_CFG_IO_BASE, &address_space_memory);
    x->m.fw_cfg = DEVICE(fw);
    fw_cfg_add_i16(fw, FW_CFG_NB_CPUS, (uint16_t)x->m.smp.cpus);
    fw_cfg_add_i16(fw, FW_CFG_MAX_CPUS, (uint16_t)x86_apic_id_limit(&x->m.smp));
    fw_cfg_add_i64(fw, FW_CFG_RAM_SIZE, x->m.ram_size);
    fw_cfg_add_i16(fw, FW_CFG_NOGRAPHIC, !x->m.graphics);
    fw_cfg_add_i16(fw, FW_CFG_BOOT_MENU, x->m.boot_menu);
    fw_cfg_add_i32(fw, FW_CFG_IRQ0_OVERRIDE, 1);
    if (x->m.uuid_set) {
        fw_cfg_add_bytes(fw, FW_CFG_UUID, x->m.uuid, 16);
    }
    pc_fw_cfg_numa(x);
    if (x->m.device_memory) {           /* SeaBIOS puts 64-bit BARs beyond */
        uint64_t end = GUINT64_TO_LE(x86_memory_end(x));

        if (!fw_cfg_add_file(fw, "etc/reserved-memory-end", &end, sizeof(end), errp)) {
            return false;
        }
    }
    return pc_fw_cfg_e820(x, errp) && fw_cfg_add_file(fw, "etc/system-states", system_states, sizeof(system_states), errp);
}

/* --- tables: placed in memory for a direct boot, offered as files to firmware --- */

static AcpiInfo pc_acpi_info(PcMachine *pc)
{
    X86Machine *x = &pc->x86;

    return (AcpiInfo){
        .board = pc->q35 ? ACPI_BOARD_Q35 : ACPI_BOARD_I440FX, .x86 = x, .pit = x->i8254 != NULL, .rtc = true,
        .kbd = pc->i8042, .hpet = x->hpet != NULL, .com_mask = isa_serial_present(x->isa),
        .s3 = pc->pm && !pc->pm->disable_s3, .s4 = pc->pm && !pc->pm->disable_s4,
        .hpet_id = x->hpet ? hpet_event_timer_block_id(x->hpet) : 0,
        .memory_hotplug = pc->memory_hotplug != NULL, .vmgenid = vmgenid_find() != NULL,
        .cpu_hotplug_port = x->cpu_hotplug ? pc->q35 ? ICH9_CPU_HOTPLUG_PORT : PIIX4_CPU_HOTPLUG_PORT : 0,
        .hole64_base = x86_memory_end(x), .hole64_size = PCI_HOLE64_SIZE,
        .pci_root = pc->host->bus, .pci_hotplug = pc->pci_hotplug,
    };
}

static bool pc_tables(PcMachine *pc, Error **errp)
{
    X86Machine *x = &pc->x86;
    AcpiInfo info = pc_acpi_info(pc);
    AcpiTables t;
    bool ok = true;

    if (x->acpi != ON_OFF_AUTO_OFF) {
        acpi_build(&info, &t);
        ok = x->direct_boot ? x86_place_acpi(x, &t, errp) : acpi_tables_add_fw_cfg(&t, x->fw_cfg, errp);
        acpi_tables_fini(&t);
    }
    return ok && smbios_install(x, errp);
}

/* Which devices firmware tries can have changed since the last boot. */
static void pc_boot_order(void *opaque, ResetType type)
{
    X86Machine *x = opaque;
    size_t len;
    g_autofree char *list = bootorder_list(x->m.boot_strict, &len);
    Error *err = NULL;

    if (!fw_cfg_modify_file(x->fw_cfg, "bootorder", list ? list : "", len, &err)) {
        warn_report_err(err);
    }
    if (type == RESET_COLD && x->m.boot_once) {         /* both were checked when the machine was built */
        (void)!pc_cmos_boot_order(x, x->m.booted ? x->m.boot_order : x->m.boot_once, NULL);
        x->m.booted = true;
    }
}

/* CPUs came or went: what the next start of the guest reads must say so.  Sizes stay. */
static void pc_tables_reset(void *opaque, ResetType type)
{
    PcMachine *pc = opaque;
    X86Machine *x = &pc->x86;
    AcpiInfo info = pc_acpi_info(pc);
    AcpiTables t;

    if (type == RESET_COLD && x->cpus_changed && x->acpi != ON_OFF_AUTO_OFF) {
        acpi_build(&info, &t);
        if (x->direct_boot) {
            x86_replace_acpi(x, &t);
        } else {
            acpi_tables_update_fw_cfg(&t, x->fw_cfg);
        }
        acpi_tables_fini(&t);
    }
    x->cpus_changed = false;
}

/* Without firmware the page is placed with the tables. */
static void pc_vmgenid_reset(void *opaque, ResetType type)
{
    if (type != RESET_WAKEUP) {
        vmgenid_place(opaque, X86_VMGENID_ADDR);
    }
}

static void pc_vmgenid(PcMachine *pc, VmGenId *vmgenid)
{
    if (pc->x86.acpi == ON_OFF_AUTO_OFF) {
        error_setg(&error_fatal, "vmgenid needs ACPI, which acpi=off leaves out");
    }
    vmgenid_connect(vmgenid, pc->pm);
    if (pc->x86.direct_boot) {
        reset_register(pc_vmgenid_reset, vmgenid);
    }
}

/* How firmware translates the geometry of the first four disks, two bits for each. */
static void pc_cmos_disks(PcMachine *pc)
{
    uint8_t how = 0;
    IdeGeometry g;

    for (unsigned i = 0; pc->ide && i < 4; i++) {
        if (ide_disk_geometry(pc->ide, i / 2, i % 2, &g)) {
            how |= (uint8_t)(g.translation << (2 * i));
        }
    }
    cmos_set_disk_translation(pc->x86.mc146818, how);
}

static void pc_done(void *opaque)
{
    PcMachine *pc = opaque;
    VmGenId *vmgenid = vmgenid_find();

    pc_cmos_disks(pc);
    if (vmgenid) {
        pc_vmgenid(pc, vmgenid);
    }

    if (pc->pci_hotplug) {
        acpi_pci_hotplug_start(pc->pci_hotplug, pc->host->bus);
    }
    if (!pc_tables(pc, &error_fatal)) {
        exit(EXIT_FAILURE);
    }
    pc->x86.cpus_changed = false;
}

/* CPUs come and go with an event that ACPI tells: no ACPI, no hotplug. */
static bool pc_cpu_hotplug(PcMachine *pc, AcpiPm *pm, Error **errp)
{
    X86Machine *x = &pc->x86;

    pc->pm = pm;
    if (x->acpi == ON_OFF_AUTO_OFF) {
        return true;
    }
    x->cpu_hotplug = acpi_cpu_hotplug_create(&x->m, system_io(), pc->q35 ? ICH9_CPU_HOTPLUG_PORT : PIIX4_CPU_HOTPLUG_PORT, pm,
                                             x86_cpu_ejected, x, errp);
    return x->cpu_hotplug != NULL;
}

/* --- the boards --- */

/* Do the CPUs reach the end of device memory, and a PCI window beyond it? */
static bool check_address_width(X86Machine *x, Error **errp)
{
    g_autoptr(Value) v = object_property_get(cpu_by_index(0), "phys-bits", errp);
    uint64_t bits, end = x86_memory_end(x) + PCI_HOLE64_SIZE;

    if (!v || !value_get_uint(v, &bits)) {
        return false;
    }
    if (x->m.device_memory && end > BIT_ULL(bits)) {
        error_setg(errp, "-m maxmem=%" PRIu64 "M needs guest-physical addresses up to 0x%" PRIx64 ": the CPU's phys-bits (%" PRIu64
                   ") are too low", (uint64_t)(x->m.maxram_size / MiB), end - 1, bits);
        return false;
    }
    return true;
}

static bool pc_cpus_and_ram(X86Machine *x, uint64_t full_split, uint64_t small_split, Error **errp)
{
    return x86_map_ram(x, x->m.ram_size > full_split ? small_split : full_split, errp)
        && x86_create_cpus(x, errp) && check_address_width(x, errp) && x86_create_interrupt_controllers(x, errp);
}

static bool pc_finish(PcMachine *pc, Error **errp)
{
    X86Machine *x = &pc->x86;

    x->direct_boot = x->m.kernel != NULL;
    if (x->direct_boot && x->m.firmware) {
        error_setg(errp, "-bios '%s' together with -kernel is not supported: a kernel is booted without firmware", x->m.firmware);
        return false;
    }
    if (!x->direct_boot && (x->m.initrd || x->m.append)) {
        error_setg(errp, "-initrd and -append need -kernel");
        return false;
    }
    if (!pc_isa_devices(pc, errp) || !pc_fw_cfg(pc, errp)) {
        return false;
    }
    x->rsdp = x->direct_boot && x->acpi != ON_OFF_AUTO_OFF ? X86_RSDP_ADDR : 0;
    if (x->direct_boot ? !x86_load_kernel(x, errp) : !x86_load_firmware(x, x->m.firmware ? x->m.firmware : DEFAULT_FIRMWARE, errp)) {
        return false;
    }
    machine_done_notify(pc_done, pc);
    reset_register(pc_boot_order, x);
    reset_register(pc_tables_reset, pc);
    x86_register_boot_reset(x);
    return true;
}

static void q35_boot_setup(X86Machine *x)
{
    q35_firmware_setup(PC_MACHINE(x)->host);
}

static bool q35_setup(Machine *m, Error **errp)
{
    PcMachine *pc = PC_MACHINE(m);
    X86Machine *x = &pc->x86;
    PCIDevice *lpc;
    IrqLine gsi[X86_N_GSI];

    pc->q35 = true;
    x->ecam_base = Q35_ECAM_BASE;
    x->ecam_size = Q35_ECAM_SIZE;
    x->pci_hole_start = Q35_ECAM_BASE + Q35_ECAM_SIZE;
    if (!pc_cpus_and_ram(x, Q35_ECAM_BASE, 2 * GiB, errp)) {
        return false;
    }
    e820_add(&x->e820, x->ecam_base, x->ecam_size, E820_RESERVED);
    pc->host = q35_create(system_memory(), system_io(), m->ram, errp);
    if (!pc->host) {
        return false;
    }
    for (unsigned i = 0; i < X86_N_GSI; i++) {
        gsi[i] = x86_gsi(x, i);
    }
    x->rom_parent = pc->host->bus->mem;
    x->firmware_setup = q35_boot_setup;
    lpc = ich9_lpc_create(pc->host, pc->host->bus->mem, system_io(), gsi, &x->isa, errp);
    if (!lpc) {
        return false;
    }
    pc->pci_hotplug = x->acpi == ON_OFF_AUTO_OFF ? NULL : ich9_lpc_pci_hotplug(lpc);
    return (!pc->sata || ich9_ahci_create(pc->host->bus, errp)) && pc_cpu_hotplug(pc, ich9_lpc_acpi(lpc), errp)
        && pc_memory_hotplug(pc, ich9_lpc_acpi(lpc), errp) && pc_finish(pc, errp);
}

static void i440fx_boot_setup(X86Machine *x)
{
    i440fx_firmware_setup(PC_MACHINE(x)->host);
    /* ELCR: the lines PIRQs and the SCI use are level-triggered. */
    address_space_st(&address_space_io, 0x4d1, 1 << (9 - 8) | 1 << (10 - 8) | 1 << (11 - 8), 1, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static bool i440fx_power(PcMachine *pc, Error **errp)
{
    X86Machine *x = &pc->x86;
    PCIDevice *pm;

    if (x->acpi == ON_OFF_AUTO_OFF) {
        return true;
    }
    pm = piix4_pm_create(pc->host->bus, x86_gsi(x, X86_GSI_SCI), errp);
    pc->pci_hotplug = pm ? piix4_pm_pci_hotplug(pm) : NULL;
    return pm && pc_cpu_hotplug(pc, piix4_pm_acpi(pm), errp) && pc_memory_hotplug(pc, piix4_pm_acpi(pm), errp);
}

static bool i440fx_setup(Machine *m, Error **errp)
{
    PcMachine *pc = PC_MACHINE(m);
    X86Machine *x = &pc->x86;
    IrqLine isa_irqs[ISA_NUM_IRQS];
    PCIDevice *piix3;

    if (!pc_cpus_and_ram(x, 0xe0000000u, 3 * GiB, errp)) {
        return false;
    }
    x->pci_hole_start = MAX(x->below_4g, 0xc0000000u);
    pc->host = i440fx_create(system_memory(), system_io(), m->ram, errp);
    if (!pc->host) {
        return false;
    }
    for (unsigned i = 0; i < ISA_NUM_IRQS; i++) {
        isa_irqs[i] = x86_gsi(x, i);
    }
    x->rom_parent = pc->host->bus->mem;
    x->firmware_setup = i440fx_boot_setup;
    piix3 = piix3_create(pc->host, pc->host->bus->mem, system_io(), isa_irqs, &x->isa, errp);
    pc->ide = piix3 && pc->sata ? piix3_ide_create(pc->host->bus, piix3, isa_irqs[14], isa_irqs[15], errp) : NULL;
    return piix3 && (pc->ide || !pc->sata) && i440fx_power(pc, errp) && pc_finish(pc, errp);
}

/* --- types --- */

static bool vmport_changed(Object *obj, const Property *p, Error **errp)
{
    if (PC_MACHINE(obj)->vmport == ON_OFF_AUTO_ON) {
        error_setg(errp, "cannot be on: the VMware port is not available");
        return false;
    }
    return true;
}

static const char *const entry_points[] = { "auto", "32", "64", NULL };

static bool entry_point_changed(Object *obj, const Property *p, Error **errp)
{
    if (PC_MACHINE(obj)->smbios_entry_point == 1) {
        error_setg(errp, "cannot be 32: the tables have the 64-bit entry point of SMBIOS 3");
        return false;
    }
    return true;
}

static const Property pc_machine_properties[] = {
    PROP_ENUM("smbios-entry-point-type", PcMachine, smbios_entry_point, entry_points, 0, .changed = entry_point_changed,
              .shown = "str", .help = "SMBIOS entry point: 64 (auto)"),
    PROP_STRING("pcspk-audiodev", PcMachine, pcspk_audiodev, .help = "what the speaker is heard on; 'none' back ends are silent"),
    PROP_BOOL("hpet", PcMachine, hpet, true, .help = "high precision event timer"),
    PROP_ON_OFF_AUTO("vmport", PcMachine, vmport, ON_OFF_AUTO_AUTO, .changed = vmport_changed, .help = "VMware back door port"),
    PROP_BOOL("fd-bootchk", PcMachine, fd_bootchk, true, .help = "firmware checks that a floppy can be booted from"),
    PROP_BOOL("sata", PcMachine, sata, true, .help = "the board's controller of disks and CD drives: AHCI, or IDE"),
    PROP_BOOL("i8042", PcMachine, i8042, true, .help = "PS/2 keyboard controller"),
};

TYPE_DEFINE_FAMILY(MachineInfo, PcMachine, pc_machine, "generic-pc-machine", x86_machine, true,
    .desc       = "PC",
    .set_boot_order = pc_set_boot_order,
    .properties = PROPS(pc_machine_properties),
);

#define PC_DEFAULT_CPU "qemu64-x86_64-cpu"

MACHINE_DEFINE(PcMachine, pc_i440fx_10_0, "pc-i440fx-10.0-machine", pc_machine,
    .desc             = "Standard PC (i440FX + PIIX, 1996)",
    .machine_name     = "pc-i440fx-10.0",
    .alias            = "pc",
    .is_default       = true,
    .arch             = "x86_64",
    .max_cpus         = 255,
    .default_cpu_type = PC_DEFAULT_CPU,
    .default_ram_id   = "pc.ram",
    .has_memory_hotplug = true,
    .has_hotpluggable_cpus = true,
    .has_dies         = true,
    .has_modules      = true,
    .has_numa         = true,
    .hotplug_handler  = pc_hotplug_handler,
    .default_ram_size = 128 * MiB,
    .default_nic = "e1000", .default_display  = "std",
    .no_parallel      = true,
    .no_floppy        = true,
    .ide_buses        = 2,
    .ide_units        = 2,
    .setup            = i440fx_setup,
);

MACHINE_DEFINE(PcMachine, pc_q35_10_0, "pc-q35-10.0-machine", pc_machine,
    .desc             = "Standard PC (Q35 + ICH9, 2009)",
    .machine_name     = "pc-q35-10.0",
    .alias            = "q35",
    .arch             = "x86_64",
    .max_cpus         = 288,
    .default_cpu_type = PC_DEFAULT_CPU,
    .default_ram_id   = "pc.ram",
    .has_memory_hotplug = true,
    .has_hotpluggable_cpus = true,
    .has_dies         = true,
    .has_modules      = true,
    .has_numa         = true,
    .hotplug_handler  = pc_hotplug_handler,
    .default_ram_size = 128 * MiB,
    .default_nic = "virtio-net-pci", .default_display  = "std",
    .no_parallel      = true,
    .no_floppy        = true,
    .ide_buses        = 6,
    .ide_units        = 1,
    .setup            = q35_setup,
);
