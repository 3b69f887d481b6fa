/*
 * What the PC-like boards share: CPUs, memory map, interrupt wires, direct boot.
 */
#ifndef HW_I386_X86_H
#define HW_I386_X86_H

#include "hw/acpi/pm.h"
#include "hw/core/machine.h"
#include "hw/i386/boot-image.h"
#include "hw/i386/e820.h"
#include "hw/intc/apic.h"
#include "hw/isa/isa.h"
#include "hw/nvram/fw_cfg.h"
#include "hw/rtc/mc146818.h"
#include "hw/timer/hpet.h"
#include "hw/timer/i8254.h"

#define X86_N_GSI 24

enum { X86_GSI_SCI = 9 };

/* Where direct boot puts tables. */
#define X86_RSDP_ADDR   0xe0000u
#define X86_SMBIOS_ADDR 0xf0000u
#define X86_VMGENID_ADDR (X86_SMBIOS_ADDR - 0x1000)    /* a page; tables end before it */

typedef struct X86Machine {
    Machine m;

    /* options */
    OnOffAuto acpi, smm, pit, pic;
    char *oem_id, *oem_table_id;        /* of ACPI tables; NULL = ours */
    uint64_t max_ram_below_4g;          /* 0 = the board's own split */

    /* memory map: RAM [0, below_4g) and [4 GiB, 4 GiB + above_4g) */
    uint64_t below_4g, above_4g;
    MemoryRegion ram_below, ram_above;
    E820Map e820;
    hwaddr pci_hole_start;              /* first address of the 32-bit PCI window; 0 = no PCI */
    hwaddr ecam_base;                   /* 0 = none */
    uint64_t ecam_size;

    /* devices; borrowed */
    struct AcpiHotplug *cpu_hotplug;    /* NULL: CPUs cannot come and go */
    bool cpus_created;                  /* those of the start: later ones are plugged */
    bool cpus_changed;                  /* since the ACPI tables were made */
    ApicBus *apic_bus;
    GPtrArray *acpi_user_tables;    /* of GByteArray *, owned; -acpitable */
    bool kernel_irqchip;                /* they and the interval timer are in the host's kernel */
    Device *i8259, *ioapic;             /* i8259 NULL with pic=off */
    IsaBus *isa;
    Mc146818 *mc146818;
    Hpet *hpet;
    I8254 *i8254;
    FwCfg *fw_cfg;
    MemoryRegion rom, rom_alias;
    MemoryRegion *rom_parent;           /* what the copy below 1 MiB is mapped in; NULL = no shadow registers: it is put in RAM at each reset */
    bool has_rom;
    char *rom_name;                     /* owned; of its file */

    /* -smbios: "TYPE.FIELD" -> text, and structures given as files */
    Value *smbios;
    GByteArray *smbios_files;

    unsigned a20_drivers;               /* bits of the gate's drivers that hold it open */

    /* direct boot: what is put in memory, and the CPU's entry state, at each reset */
    BootImages images;
    bool direct_boot;
    void (*firmware_setup)(struct X86Machine *x);       /* program the chipset as firmware would, at each reset */
    X86BootState boot_state;
    hwaddr rsdp;                        /* 0 = no ACPI tables in memory */
} X86Machine;

OBJECT_DECLARE(X86Machine, X86_MACHINE, x86_machine)    /* "x86-machine", abstract */

/* Board steps, in this order. */

/* Split RAM at @split (or max-ram-below-4g) and map it; fills the e820 map's RAM entries above 1 MiB and below 640 KiB. */
/* First address above RAM and memory devices, GiB-aligned: 64-bit PCI windows begin there. */
uint64_t x86_memory_end(const X86Machine *x);
bool x86_map_ram(X86Machine *x, uint64_t split, Error **errp) MUST_USE;
/* APIC bus and CPUs. */
bool x86_create_cpus(X86Machine *x, Error **errp) MUST_USE;
/* MachineInfo.hotplug_handler for boards with nothing but CPUs to plug. */
const HotplugHandler *x86_hotplug_handler(Machine *m, Device *dev);
extern const HotplugHandler x86_cpu_plug_handler;
/* For acpi_cpu_hotplug_create(); @opaque is the machine. */
void x86_cpu_ejected(void *opaque, unsigned index);
/* IOAPIC and, unless pic=off, the 8259 pair; makes x86_gsi() usable. */
bool x86_create_interrupt_controllers(X86Machine *x, Error **errp) MUST_USE;
/* The interval timer, with counter 0's output on @irq0, which is line 0 if the timer is in the host's kernel. */
I8254 *x86_create_pit(X86Machine *x, IrqLine irq0, Error **errp) MUST_USE;
/* Global system interrupt @n: 0..15 go to the PICs too, 0 to IOAPIC pin 2. */
IrqLine x86_gsi(X86Machine *x, unsigned n);
/* A driver (0..7) of the A20 gate; the gate is open while any driver says so. */
IrqLine x86_a20_line(X86Machine *x, unsigned driver);

/* APIC id of CPU @index under the machine's topology (SDM Vol.3 8.9.1: fields sized to powers of two). */
uint32_t x86_apic_id_for_cpu(const SmpConfig *smp, unsigned index);
uint32_t x86_apic_id_limit(const SmpConfig *smp);       /* one more than the greatest */

/* -bios FILE, or the default firmware @name: top of 4 GiB and the last 128 KiB below 1 MiB.  Needs x->rom_parent. */
bool x86_load_firmware(X86Machine *x, const char *name, Error **errp) MUST_USE;
/* -kernel: recognise the format and lay everything out.  Needs the e820 map and tables' address (x->rsdp). */
bool x86_load_kernel(X86Machine *x, Error **errp) MUST_USE;
/*
 * Direct boot: the tables go to 0xe0000..0xeffff, RSDP first; fails if they are too big.  SMBIOS has
 * 0xf0000..0xfffff.  Kernels find both by scanning for their signatures, too.
 */
struct AcpiTables;
bool x86_place_acpi(X86Machine *x, struct AcpiTables *t, Error **errp) MUST_USE;
/* Tables of the same size in their stead, from the next reset on. */
void x86_replace_acpi(X86Machine *x, struct AcpiTables *t);
/* Installs the reset handler that reloads images and puts the boot CPU in its entry state. */
void x86_register_boot_reset(X86Machine *x);

#endif
