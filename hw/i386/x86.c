/*
 * Common parts of the PC-like boards: CPUs, RAM layout, interrupt wires, firmware ROM, direct boot.
 *
 * References: SDM Vol.3 8.9 (APIC ids by topology); MultiProcessor Specification 1.4, 3.6.2 (ISA interrupt 0 on
 * IOAPIC input 2).
 */
#include "hw/acpi/tables.h"
#include "hw/core/cpu.h"
#include "hw/core/firmware.h"
#include "hw/i386/kvm-irqchip.h"
#include "hw/i386/x86.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "hw/mem/memory-device.h"

#include "system/datadir.h"
#include "util/log.h"

#define X86_MEMORY_SLOTS_MAX    256
#define X86_ADDRESS_MAX         BIT_ULL(51)     /* SDM Vol.3 4.1.4: MAXPHYADDR is at most 52 */

/* --- RAM --- */

uint64_t x86_memory_end(const X86Machine *x)
{
    const DeviceMemory *dm = x->m.device_memory;

    return dm ? dm->base + dm->size : ROUND_UP(4 * GiB + x->above_4g, GiB);
}

/*
 * Address space for memory devices: what maxmem= leaves beyond RAM, and a GiB for each slot, so that any
 * order and size of devices can be aligned to 1 GiB.  check_address_width() looks whether the CPUs reach it.
 */
static bool map_device_memory(X86Machine *x, Error **errp)
{
    Machine *m = &x->m;
    uint64_t more = m->maxram_size - m->ram_size;

    if (m->ram_slots > X86_MEMORY_SLOTS_MAX) {
        error_setg(errp, "machine '%s' takes at most %u memory slots, -m asks for %u", machine_info(m)->machine_name,
                   X86_MEMORY_SLOTS_MAX, m->ram_slots);
        return false;
    }
    if (!more) {
        return true;
    }
    if (more > X86_ADDRESS_MAX) {
        error_setg(errp, "-m maxmem=%" PRIu64 "M exceeds what x86 CPUs can address", (uint64_t)(m->maxram_size / MiB));
        return false;
    }
    device_memory_create(m, ROUND_UP(4 * GiB + x->above_4g, GiB), ROUND_UP(more, GiB) + m->ram_slots * GiB);
    return true;
}

bool x86_map_ram(X86Machine *x, uint64_t split, Error **errp)
{
    Machine *m = &x->m;

    if (!m->ram_size) {
        error_setg(errp, "machine '%s' needs RAM: -m 0 is not possible", machine_info(m)->machine_name);
        return false;
    }
    if (m->ram_size < MiB) {
        error_setg(errp, "machine '%s' needs at least 1 MiB of RAM", machine_info(m)->machine_name);
        return false;
    }
    if (x->max_ram_below_4g && x->max_ram_below_4g < split) {
        split = x->max_ram_below_4g;
    }
    x->below_4g = MIN(m->ram_size, split);
    x->above_4g = m->ram_size - x->below_4g;
    memory_region_init_alias(&x->ram_below, m, "ram-below-4g", m->ram, 0, x->below_4g);
    memory_region_add_subregion(system_memory(), 0, &x->ram_below);
    if (x->above_4g) {
        memory_region_init_alias(&x->ram_above, m, "ram-above-4g", m->ram, x->below_4g, x->above_4g);
        memory_region_add_subregion(system_memory(), 4 * GiB, &x->ram_above);
    }
    /* The top kilobyte below 640 KiB is where firmware keeps its extended data area. */
    e820_add(&x->e820, 0, 0x9fc00, E820_RAM);
    e820_add(&x->e820, 0x9fc00, 0xa0000 - 0x9fc00, E820_RESERVED);
    e820_add(&x->e820, 0xe0000, 0x20000, E820_RESERVED);
    e820_add(&x->e820, MiB, x->below_4g - MiB, E820_RAM);
    e820_add(&x->e820, 4 * GiB, x->above_4g, E820_RAM);
    return map_device_memory(x, errp);
}

/* --- interrupts --- */

static void gsi_set(void *opaque, unsigned n, int level)
{
    X86Machine *x = opaque;

    if (x->kernel_irqchip) {
        kvm_gsi_set(x->ioapic, x->i8259, n, level);
        return;
    }
    if (x->i8259 && n < ISA_NUM_IRQS) {
        irq_set(i8259_irq(x->i8259, n), level);
    }
    irq_set(ioapic_irq(x->ioapic, n == 0 ? 2 : n), level);
}

IrqLine x86_gsi(X86Machine *x, unsigned n)
{
    assert(n < X86_N_GSI);
    return irq_line(gsi_set, x, n);
}

static bool create_in_kernel(X86Machine *x, Error **errp)
{
    bool pic = x->pic != ON_OFF_AUTO_OFF;

    x->kernel_irqchip = true;
    x->ioapic = kvm_ioapic_create(pic, errp);
    x->i8259 = x->ioapic && pic ? kvm_i8259_create(system_io(), errp) : NULL;
    return x->ioapic && (x->i8259 || !pic);
}

I8254 *x86_create_pit(X86Machine *x, IrqLine irq0, Error **errp)
{
    return x->kernel_irqchip ? kvm_pit_create(x->isa, 0x40, errp) : i8254_create(x->isa, 0x40, irq0);
}

bool x86_create_interrupt_controllers(X86Machine *x, Error **errp)
{
    if (accel_irqchip() == ACCEL_IRQCHIP_ON) {
        return create_in_kernel(x, errp);
    }
    x->ioapic = device_new(&ioapic_type);
    object_add_child(&x->m, "ioapic", x->ioapic);
    if (!device_realize_and_unref(x->ioapic, NULL, errp)) {
        return false;
    }
    sysbus_mmio_map(SYSBUS_DEVICE(x->ioapic), 0, system_memory(), IOAPIC_DEFAULT_BASE);
    if (x->pic == ON_OFF_AUTO_OFF) {
        return true;
    }
    x->i8259 = i8259_create(system_io(), apic_extint_line(x->apic_bus), errp);
    if (!x->i8259) {
        return false;
    }
    apic_connect_pic(x->apic_bus, i8259_acknowledge, x->i8259);
    return true;
}

static void a20_set(void *opaque, unsigned driver, int level)
{
    X86Machine *x = opaque;
    bool was = x->a20_drivers != 0;
    Vcpu *cpu;

    x->a20_drivers = level ? x->a20_drivers | BIT(driver) : x->a20_drivers & ~BIT(driver);
    if (was != (x->a20_drivers != 0)) {
        CPU_FOREACH(cpu) {
            x86_cpu_set_a20(cpu, x->a20_drivers != 0);
        }
    }
}

IrqLine x86_a20_line(X86Machine *x, unsigned driver)
{
    return irq_line(a20_set, x, driver);
}

/* --- firmware --- */

bool x86_load_firmware(X86Machine *x, const char *name, Error **errp)
{
    g_autofree char *path = datadir_find(name);
    g_autoptr(GBytes) bytes = NULL;
    uint64_t size, low;

    if (!path) {
        error_setg(errp, "could not find firmware '%s'", name);
        if (!x->m.firmware) {
            error_append_hint(errp, "Install the package seabios, name a ROM with -bios, or boot a kernel with -kernel\n");
        }
        return false;
    }
    bytes = boot_file_map("firmware", path, errp);
    if (!bytes) {
        return false;
    }
    size = g_bytes_get_size(bytes);
    if (size % (64 * KiB) || size > 16 * MiB) {
        error_setg(errp, "firmware '%s' is %" PRIu64 " bytes, must be a multiple of 64 KiB up to 16 MiB", path, size);
        return false;
    }
    if (!memory_region_init_rom(&x->rom, x, "pc.bios", size, errp)) {
        return false;
    }
    memcpy(memory_region_get_ram_ptr(&x->rom), g_bytes_get_data(bytes, NULL), size);
    low = MIN(size, 128 * KiB);
    if (x->rom_parent) {
        memory_region_init_alias(&x->rom_alias, x, "isa-bios", &x->rom, size - low, low);
        memory_region_add_subregion_overlap(x->rom_parent, MiB - low, &x->rom_alias, 1);
    } else {
        boot_images_add(&x->images, "firmware", MiB - low, bytes, size - low, low);
    }
    memory_region_add_subregion_overlap(system_memory(), 4 * GiB - size, &x->rom, 1);
    x->has_rom = true;
    x->rom_name = g_path_get_basename(path);
    return true;
}

/* --- direct boot --- */

bool x86_load_kernel(X86Machine *x, Error **errp)
{
    BootTarget t = {
        .e820 = &x->e820, .below_4g = x->below_4g, .rsdp = x->rsdp,
        .kernel = x->m.kernel, .initrd = x->m.initrd, .append = x->m.append,
    };

    if (!x->direct_boot) {
        return true;
    }
    return boot_load(&t, &x->images, &x->boot_state, errp);
}

enum { TABLES_AT = X86_RSDP_ADDR + 0x40, FACS_WAKING_VECTOR = 12 };     /* 64-byte aligned, for the FACS, which is first */

bool x86_place_acpi(X86Machine *x, struct AcpiTables *t, Error **errp)
{
    uint8_t *tables = g_memdup2(t->tables->data, t->tables->len);

    if (TABLES_AT + t->tables->len > X86_VMGENID_ADDR) {
        g_free(tables);
        error_setg(errp, "ACPI tables take %u bytes, at most %u fit", t->tables->len, X86_VMGENID_ADDR - TABLES_AT);
        return false;
    }
    assert(!memcmp(t->tables->data, "FACS", 4));
    acpi_tables_relocate(t, TABLES_AT);
    memcpy(tables, t->tables->data, t->tables->len);
    boot_images_add_take(&x->images, "ACPI tables", TABLES_AT, tables, t->tables->len);
    boot_images_add_take(&x->images, "RSDP", X86_RSDP_ADDR, g_memdup2(t->rsdp, ACPI_RSDP_SIZE), ACPI_RSDP_SIZE);
    return true;
}

void x86_replace_acpi(X86Machine *x, struct AcpiTables *t)
{
    bool same;

    acpi_tables_relocate(t, TABLES_AT);
    same = boot_images_replace(&x->images, TABLES_AT, g_memdup2(t->tables->data, t->tables->len), t->tables->len);
    assert(same && "ACPI tables changed their size");
}

/*
 * Firmware leaves the 8259 pair initialised (vectors 0x08 and 0x70) and masked; a kernel that never looks at it, as
 * on hardware-reduced ACPI, must not be interrupted by it.
 */
static void mask_pics(void)
{
    static const struct { uint16_t port; uint8_t value; } init[] = {
        { 0x20, 0x11 }, { 0x21, 0x08 }, { 0x21, 0x04 }, { 0x21, 0x01 }, { 0x21, 0xff },
        { 0xa0, 0x11 }, { 0xa1, 0x70 }, { 0xa1, 0x02 }, { 0xa1, 0x01 }, { 0xa1, 0xff },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(init); i++) {
        address_space_st(&address_space_io, init[i].port, init[i].value, 1, false, MEMTXATTRS_UNSPECIFIED, NULL);
    }
}

/* What firmware would have left in the chips. */
static void direct_boot_setup(X86Machine *x)
{
    if (x->i8259) {
        mask_pics();
    }
    if (x->firmware_setup) {
        x->firmware_setup(x);
    }
}

/* Enter the guest where it asked to be woken (ACPI 6.4, 5.2.10); false: nowhere, so it starts anew as it would from firmware. */
static bool direct_boot_resume(X86Machine *x)
{
    uint32_t vector = 0;

    direct_boot_setup(x);
    if (x->rsdp) {
        vector = (uint32_t)address_space_ld(&address_space_memory, TABLES_AT + FACS_WAKING_VECTOR, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
    }
    if (!vector || vector >= MiB) {
        guest_error("acpi", "woken without a waking vector below 1 MiB (0x%x): starting anew", vector);
        return false;
    }
    x86_cpu_set_waking_state(cpu_by_index(0), vector);
    return true;
}

static void boot_reset(void *opaque, ResetType type)
{
    X86Machine *x = opaque;

    if (type == RESET_WAKEUP && (!x->direct_boot || direct_boot_resume(x))) {
        return;
    }
    a20_set(x, 7, x->direct_boot);      /* kernels are entered with the gate open */
    if (x->direct_boot) {
        direct_boot_setup(x);
    }
    boot_images_write(&x->images, &address_space_memory);
    if (x->direct_boot) {
        x86_cpu_set_boot_state(cpu_by_index(0), &x->boot_state);
    }
}

void x86_register_boot_reset(X86Machine *x)
{
    reset_register(boot_reset, x);
}

/* --- the type --- */

static bool smm_changed(Object *obj, const Property *p, Error **errp)
{
    if (X86_MACHINE(obj)->smm == ON_OFF_AUTO_ON) {
        error_setg(errp, "cannot be on: system management mode is not available on this machine");
        return false;
    }
    return true;
}

static bool oem_changed(Object *obj, const Property *p, Error **errp)
{
    const char *text = *(char *const *)((const char *)obj + p->offset);
    size_t max = strcmp(p->name, "x-oem-id") ? ACPI_OEM_TABLE_ID_MAX : ACPI_OEM_ID_MAX;

    if (text && strlen(text) > max) {
        error_setg(errp, "has %zu characters, '%s': at most %zu fit into an ACPI table", strlen(text), text, max);
        return false;
    }
    return true;
}

static const Property x86_machine_properties[] = {
    PROP_STRING("x-oem-id", X86Machine, oem_id, .changed = oem_changed, .help = "OEM id of ACPI tables, 6 characters at most"),
    PROP_STRING("x-oem-table-id", X86Machine, oem_table_id, .changed = oem_changed,
                .help = "OEM table id of ACPI tables, 8 characters at most"),
    PROP_ON_OFF_AUTO("acpi", X86Machine, acpi, ON_OFF_AUTO_AUTO, .help = "ACPI tables and hardware"),
    PROP_ON_OFF_AUTO("smm", X86Machine, smm, ON_OFF_AUTO_AUTO, .changed = smm_changed, .help = "system management mode"),
    PROP_ON_OFF_AUTO("pit", X86Machine, pit, ON_OFF_AUTO_AUTO, .help = "8254 interval timer"),
    PROP_ON_OFF_AUTO("pic", X86Machine, pic, ON_OFF_AUTO_AUTO, .help = "pair of 8259 interrupt controllers"),
    PROP_SIZE("max-ram-below-4g", X86Machine, max_ram_below_4g, 0, .shown = "size", .max = 4 * GiB, .help = "RAM below 4 GiB at most (0: the board's own)"),
};

static void x86_machine_init(Object *obj)
{
    boot_images_init(&X86_MACHINE(obj)->images);
}

static void x86_machine_fini(Object *obj)
{
    X86Machine *x = X86_MACHINE(obj);

    boot_images_fini(&x->images);
    g_free(x->rom_name);
    g_clear_pointer(&x->smbios, value_unref);
    g_clear_pointer(&x->smbios_files, g_byte_array_unref);
    g_clear_pointer(&x->acpi_user_tables, g_ptr_array_unref);
}

static void x86_foreach_rom(Machine *m, MachineRomFn *fn, void *opaque)
{
    X86Machine *x = X86_MACHINE(m);
    uint64_t size = x->has_rom ? memory_region_size(&x->rom) : 0;

    for (unsigned i = 0; i < x->images.images->len; i++) {
        const BootImage *b = &g_array_index(x->images.images, BootImage, i);

        fn(&(MachineRom){ b->what, b->addr, b->len, true }, opaque);
    }
    if (size) {
        fn(&(MachineRom){ x->rom_name, 4 * GiB - size, size, false }, opaque);
    }
}

static void x86_nmi(Machine *m)
{
    apic_bus_nmi(X86_MACHINE(m)->apic_bus);
}

TYPE_DEFINE_FAMILY(MachineInfo, X86Machine, x86_machine, "x86-machine", machine, true,
    .desc       = "x86 machine",
    .init       = x86_machine_init,
    .fini       = x86_machine_fini,
    .properties = PROPS(x86_machine_properties),
    .foreach_rom = x86_foreach_rom,
    .nmi        = x86_nmi,
);
