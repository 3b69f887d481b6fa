/*
 * The two PC chipsets: i440FX with PIIX3/PIIX4, and Q35 with ICH9.
 *
 * A host bridge owns the root bus, the PCI window of the address space, the shadow (PAM) and SMRAM registers;
 * a south bridge owns the ISA bus, interrupt routing and power management.
 */
#ifndef HW_I386_CHIPSET_H
#define HW_I386_CHIPSET_H

#include "hw/acpi/pci-hotplug.h"
#include "hw/acpi/pm.h"
#include "hw/isa/isa.h"
#include "hw/pci/pci-host.h"

/* --- 0xc0000..0xfffff: thirteen segments that read and write RAM or the bus (PAM registers) --- */

#define PAM_SEGMENTS 13
#define PAM_REGISTERS 7

typedef struct PamShadow {
    MemoryRegion ram[PAM_SEGMENTS], ram_ro[PAM_SEGMENTS], bus[PAM_SEGMENTS];
    MemoryRegion smram;             /* the bus at 0xa0000..0xbffff, over RAM, unless SMRAM is open */
} PamShadow;

void pam_init(PamShadow *p, void *owner, MemoryRegion *memory, MemoryRegion *ram, MemoryRegion *bus);
/* @regs: the seven PAM registers; @smram: the SMRAM register. */
void pam_update(PamShadow *p, const uint8_t *regs, uint8_t smram);

/* SMRAM register bits */
enum { SMRAM_G_SMRAME = 0x08, SMRAM_D_LCK = 0x10, SMRAM_D_CLS = 0x20, SMRAM_D_OPEN = 0x40 };

/* --- i440FX --- */

#define I440FX_PIRQS 4

/* Host bridge "i440FX-pcihost" with "i440FX" at 00.0; bus "pci.0". */
PCIHost *i440fx_create(MemoryRegion *memory, MemoryRegion *io, MemoryRegion *ram, Error **errp) MUST_USE;
/* "PIIX3" at 01.0; @isa_irqs are the lines PIRQs and ISA devices drive. */
PCIDevice *piix3_create(PCIHost *host, MemoryRegion *mem, MemoryRegion *io, const IrqLine isa_irqs[ISA_NUM_IRQS], IsaBus **isa,
                        Error **errp) MUST_USE;
/* "PIIX4_PM" at 01.3. */
PCIDevice *piix4_pm_create(PCIBus *bus, IrqLine sci, Error **errp) MUST_USE;
AcpiPm *piix4_pm_acpi(PCIDevice *pm);
/* NULL if it does not handle plugging (properties acpi-root-pci-hotplug, acpi-pci-hotplug-with-bridge-support). */
AcpiPciHotplug *piix4_pm_pci_hotplug(PCIDevice *pm);
/* What firmware would do before a kernel runs: PAM all RAM, PIRQ routes, power management at its address. */
void i440fx_firmware_setup(PCIHost *host);

enum {
    PIIX4_PCI_HOTPLUG_BASE = 0xae00,
    PIIX4_PMBASE = 0x600, PIIX4_GPE_BASE = 0xafe0, PIIX4_GPE_LEN = 4, PIIX4_ACPI_ENABLE = 0xf1, PIIX4_ACPI_DISABLE = 0xf0,
    PIIX4_CPU_HOTPLUG_PORT = 0xaf00,
};

/* --- Q35 --- */

#define ICH9_PIRQS 8
#define Q35_ECAM_BASE 0xb0000000u
#define Q35_ECAM_SIZE (256 * MiB)

/* Host bridge "q35-pcihost" with "mch" at 00.0; bus "pcie.0". */
PCIHost *q35_create(MemoryRegion *memory, MemoryRegion *io, MemoryRegion *ram, Error **errp) MUST_USE;
/* "ICH9-LPC" at 1f.0; @gsi: 24 lines. */
PCIDevice *ich9_lpc_create(PCIHost *host, MemoryRegion *mem, MemoryRegion *io, const IrqLine gsi[24], IsaBus **isa,
                           Error **errp) MUST_USE;
AcpiPm *ich9_lpc_acpi(PCIDevice *lpc);
/* NULL if it does not handle plugging (property acpi-pci-hotplug-with-bridge-support). */
AcpiPciHotplug *ich9_lpc_pci_hotplug(PCIDevice *lpc);
void q35_firmware_setup(PCIHost *host);

enum {
    ICH9_RCRB_BASE = 0xfed1c000, ICH9_PCI_HOTPLUG_BASE = 0xcc0,
    ICH9_PMBASE = 0x600, ICH9_GPE_OFFSET = 0x20, ICH9_GPE_LEN = 16, ICH9_ACPI_ENABLE = 0x2, ICH9_ACPI_DISABLE = 0x3,
    ICH9_CPU_HOTPLUG_PORT = 0xcd8,
};

#endif
