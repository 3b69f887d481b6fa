/*
 * "microvm": virtio over MMIO, no PCI; boots kernels directly, or by a small firmware.
 *
 * Memory map: RAM from 0 up to 3 GiB and the rest from 4 GiB; virtio transports of 512 bytes each from 0xfeb00000;
 * event device at 0xfea00000; IOAPIC and local APICs at their usual places.  ACPI is hardware-reduced.  With acpi=off
 * transports use ISA lines and are named to the kernel on its command line.
 */
#include "hw/acpi/ged.h"
#include "hw/acpi/vmgenid.h"
#include "hw/char/serial.h"
#include "hw/i386/acpi-build.h"
#include "hw/i386/smbios.h"
#include "hw/virtio/virtio.h"
#include "system/serial.h"

#define MICROVM_FIRMWARE "bios-microvm.bin"
#define VIRTIO_MMIO_BASE 0xfeb00000u
#define GED_BASE         0xfea00000u

enum { VIRTIO_MMIO_SPACING = 512, N_TRANSPORTS = 8, VIRTIO_GSI_ACPI = 16, VIRTIO_GSI_ISA = 5 };

typedef struct Microvm {
    X86Machine x86;
    /* options */
    OnOffAuto rtc, pcie, ioapic2;
    bool isa_serial, auto_cmdline, option_roms;
    /* board's */
    Device *transport[N_TRANSPORTS];
    unsigned virtio_gsi;
} Microvm;

OBJECT_DECLARE(Microvm, MICROVM, microvm)

static bool with_acpi(const Microvm *mv)
{
    return mv->x86.acpi != ON_OFF_AUTO_OFF;
}

static bool create_transports(Microvm *mv, Error **errp)
{
    const TypeInfo *type = type_by_name("virtio-mmio");

    mv->virtio_gsi = with_acpi(mv) ? VIRTIO_GSI_ACPI : VIRTIO_GSI_ISA;
    for (unsigned i = 0; i < N_TRANSPORTS; i++) {
        Device *dev = device_new(type);

        mv->transport[i] = dev;
        object_add_child(mv, "virtio-mmio[*]", dev);
        if (!device_realize_and_unref(dev, NULL, errp)) {
            return false;
        }
        sysbus_mmio_map(SYSBUS_DEVICE(dev), 0, system_memory(), VIRTIO_MMIO_BASE + i * VIRTIO_MMIO_SPACING);
        sysbus_connect_irq(SYSBUS_DEVICE(dev), 0, x86_gsi(&mv->x86, mv->virtio_gsi + i));
    }
    return true;
}

static bool create_isa(Microvm *mv, Error **errp)
{
    X86Machine *x = &mv->x86;
    IrqLine irqs[ISA_NUM_IRQS];
    Chardev *chr = serial_hd(0);

    for (unsigned i = 0; i < ISA_NUM_IRQS; i++) {
        irqs[i] = x86_gsi(x, i);
    }
    x->isa = isa_bus_new(NULL, system_memory(), system_io(), irqs);
    if (mv->rtc != ON_OFF_AUTO_OFF) {
        x->mc146818 = mc146818_create(x->isa, 2000, x86_gsi(x, 8));
        cmos_set_memory_size(x->mc146818, x->below_4g, x->above_4g);
        cmos_set_cpus(x->mc146818, x->m.smp.cpus);
    }
    if (x->pit != ON_OFF_AUTO_OFF) {
        x->i8254 = x86_create_pit(x, x86_gsi(x, 0), errp);
        if (!x->i8254) {
            return false;
        }
        pcspk_create(x->isa, x->i8254);
    }
    return !mv->isa_serial || !chr || isa_serial_create(x->isa, 0, chr, errp);
}

/* --- when all devices are there --- */

static AcpiInfo acpi_info(Microvm *mv)
{
    X86Machine *x = &mv->x86;

    return (AcpiInfo){
        .board = ACPI_BOARD_MICROVM, .x86 = x, .pit = x->i8254 != NULL, .rtc = x->mc146818 != NULL,
        .com_mask = isa_serial_present(x->isa), .virtio_base = VIRTIO_MMIO_BASE, .virtio_size = VIRTIO_MMIO_SPACING,
        .virtio_irq_base = mv->virtio_gsi, .n_virtio = N_TRANSPORTS, .ged_base = GED_BASE, .ged_irq = X86_GSI_SCI,
    };
}

static bool build_tables(Microvm *mv, Error **errp)
{
    X86Machine *x = &mv->x86;
    AcpiInfo info = acpi_info(mv);
    AcpiTables t;
    bool ok = true;

    if (with_acpi(mv)) {
        acpi_build(&info, &t);
        ok = x->direct_boot ? x86_place_acpi(x, &t, errp) : acpi_tables_add_fw_cfg(&t, x->fw_cfg, errp);
        acpi_tables_fini(&t);
    }
    return ok && smbios_install(x, errp);
}

/* Without ACPI the kernel learns of transports that are in use from its command line. */
static void extend_cmdline(Microvm *mv)
{
    GString *s = g_string_new(mv->x86.m.append);

    for (unsigned i = 0; i < N_TRANSPORTS; i++) {
        Bus *bus = g_ptr_array_index(mv->transport[i]->child_buses, 0);

        if (bus->devices->len) {
            g_string_append_printf(s, " virtio_mmio.device=%u@0x%x:%u", VIRTIO_MMIO_SPACING,
                                   VIRTIO_MMIO_BASE + i * VIRTIO_MMIO_SPACING, mv->virtio_gsi + i);
        }
    }
    g_free(mv->x86.m.append);
    mv->x86.m.append = g_string_free(s, FALSE);
}

static void microvm_done(void *opaque)
{
    Microvm *mv = opaque;
    X86Machine *x = &mv->x86;

    if (vmgenid_find()) {
        error_setg(&error_fatal, "vmgenid needs the general-purpose events of a PC's ACPI, which machine 'microvm' has not");
    }
    if (x->direct_boot && !with_acpi(mv) && mv->auto_cmdline) {
        extend_cmdline(mv);
    }
    if (!build_tables(mv, &error_fatal) || !x86_load_kernel(x, &error_fatal)) {
        exit(EXIT_FAILURE);
    }
}

/* --- the board --- */

static bool create_fw_cfg(X86Machine *x, Error **errp)
{
    E820Map map = { .n = 0 };
    uint8_t packed[E820_MAX * 20];
    FwCfg *fw = fw_cfg_io_create(system_io(), FW_CFG_IO_BASE, &address_space_memory);
    size_t len;

    x->fw_cfg = fw;
    x->m.fw_cfg = DEVICE(fw);
    fw_cfg_add_i16(fw, FW_CFG_NB_CPUS, (uint16_t)x->m.smp.cpus);
    fw_cfg_add_i16(fw, FW_CFG_MAX_CPUS, (uint16_t)x86_apic_id_limit(&x->m.smp));
    fw_cfg_add_i64(fw, FW_CFG_RAM_SIZE, x->m.ram_size);
    fw_cfg_add_i32(fw, FW_CFG_IRQ0_OVERRIDE, 1);
    e820_add(&map, 0, x->below_4g, E820_RAM);
    e820_add(&map, 4 * GiB, x->above_4g, E820_RAM);
    len = e820_pack(&map, packed);
    return fw_cfg_add_file(fw, "etc/e820", packed, len, errp);
}

/* ELCR: transports on ISA lines are level-triggered. */
static void isa_line_setup(X86Machine *x)
{
    const Microvm *mv = MICROVM(x);

    if (x->i8259 && !with_acpi(mv)) {
        uint16_t elcr = (uint16_t)(((1u << N_TRANSPORTS) - 1) << VIRTIO_GSI_ISA);

        address_space_st(&address_space_io, 0x4d0, elcr & 0xf8, 1, false, MEMTXATTRS_UNSPECIFIED, NULL);
        address_space_st(&address_space_io, 0x4d1, elcr >> 8 & 0xde, 1, false, MEMTXATTRS_UNSPECIFIED, NULL);
    }
}

static bool microvm_setup(Machine *m, Error **errp)
{
    Microvm *mv = MICROVM(m);
    X86Machine *x = &mv->x86;

    x->direct_boot = m->kernel != NULL;
    if (x->direct_boot && m->firmware) {
        error_setg(errp, "-bios '%s' together with -kernel is not supported: a kernel is booted without firmware", m->firmware);
        return false;
    }
    if (!x86_map_ram(x, 3 * GiB, errp) || !x86_create_cpus(x, errp) || !x86_create_interrupt_controllers(x, errp)
        || !create_isa(mv, errp) || !create_transports(mv, errp) || !create_fw_cfg(x, errp)) {
        return false;
    }
    if (with_acpi(mv) && !acpi_ged_create(system_memory(), GED_BASE, x86_gsi(x, X86_GSI_SCI), errp)) {
        return false;
    }
    x->rsdp = x->direct_boot && with_acpi(mv) ? X86_RSDP_ADDR : 0;
    if (!x->direct_boot && !x86_load_firmware(x, m->firmware ? m->firmware : MICROVM_FIRMWARE, errp)) {
        return false;
    }
    x->firmware_setup = isa_line_setup;
    machine_done_notify(microvm_done, mv);
    x86_register_boot_reset(x);
    return true;
}

/* --- type --- */

static bool refuse_on(Object *obj, const Property *p, Error **errp)
{
    const Microvm *mv = MICROVM(obj);

    if (mv->pcie == ON_OFF_AUTO_ON || mv->ioapic2 == ON_OFF_AUTO_ON || mv->option_roms) {
        error_setg(errp, "cannot be on: this machine does not have it");
        return false;
    }
    return true;
}

static const Property microvm_properties[] = {
    PROP_ON_OFF_AUTO("rtc", Microvm, rtc, ON_OFF_AUTO_AUTO, .help = "MC146818 real-time clock"),
    PROP_BOOL("isa-serial", Microvm, isa_serial, true, .help = "16550A at COM1 for the first -serial"),
    PROP_BOOL("auto-kernel-cmdline", Microvm, auto_cmdline, true, .help = "without ACPI, name virtio transports on the kernel's command line"),
    PROP_ON_OFF_AUTO("pcie", Microvm, pcie, ON_OFF_AUTO_AUTO, .changed = refuse_on, .help = "PCI Express"),
    PROP_ON_OFF_AUTO("ioapic2", Microvm, ioapic2, ON_OFF_AUTO_AUTO, .changed = refuse_on, .help = "second IOAPIC"),
    PROP_BOOL("x-option-roms", Microvm, option_roms, false, .changed = refuse_on, .help = "option ROMs for firmware"),
};

MACHINE_DEFINE(Microvm, microvm, "microvm-machine", x86_machine,
    .desc             = "microvm (i386)",
    .machine_name     = "microvm",
    .arch             = "x86_64",
    .max_cpus         = 288,
    .default_cpu_type = "qemu64-x86_64-cpu",
    .default_ram_id   = "microvm.ram",
    .default_ram_size = 128 * MiB,
    .no_parallel      = true,
    .no_floppy        = true,
    .no_cdrom         = true,
    .properties       = PROPS(microvm_properties),
    .has_numa         = true,
    .hotplug_handler  = x86_hotplug_handler,
    .setup            = microvm_setup,
);
