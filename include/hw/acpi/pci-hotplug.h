/*
 * ACPI PCI hotplug: the register block by which the DSDT's slots learn of devices that came or shall go.
 *
 * Registers (the interface that QEMU's firmware tables and guests know), all 32 bits:
 *   0x00 PCIU   read: slots of the selected bus with a new device; reading clears them
 *   0x04 PCID   read: slots whose device is asked to leave
 *   0x08 B0EJ   write: bit n ejects slot n of the selected bus
 *   0x0c PCRM   read: slots whose device may be ejected
 *   0x10 BNUM   the bus selected
 *   0x14 PIDX   write: bit n selects slot n; read: the acpi-index of its device
 * Buses are numbered once, when the machine is complete and before its tables are built.
 *
 * Locks: BQL.
 */
#ifndef HW_ACPI_PCI_HOTPLUG_H
#define HW_ACPI_PCI_HOTPLUG_H

#include "hw/acpi/pm.h"
#include "hw/pci/pci.h"

enum { ACPI_PCI_HOTPLUG_LEN = 0x18, ACPI_PCI_HOTPLUG_GPE = 1 };

/* A bus that takes part. */
typedef struct AcpiPciBus {
    struct AcpiPciHotplug *hotplug;
    PCIBus *bus;                        /* borrowed: cold-plugged bridges stay */
    const HotplugHandler *under;        /* the bus's own handler, asked first; or NULL */
    void *under_opaque;
} AcpiPciBus;

#define ACPI_PCI_BUSES_MAX 256
#define ACPI_PCI_DEPTH_MAX 8            /* bridges on the way to a slot: each is a level of the DSDT */
typedef struct AcpiPciHotplug {
    uint32_t selected;                  /* may be none that exists */
    uint32_t index;                     /* what PIDX reads */
    uint32_t up[ACPI_PCI_BUSES_MAX], down[ACPI_PCI_BUSES_MAX];      /* by bus number, a bit for each slot */

    /* constant after acpi_pci_hotplug_start() */
    bool root, bridges;                 /* options: which buses take part */
    AcpiPciBus *buses;
    unsigned n_buses;
    uint16_t port;
    AcpiPm *pm;
    MemoryRegion mr;
} AcpiPciHotplug;

/* Registers at @port of @io, a part of @owner; events on @pm. */
void acpi_pci_hotplug_init(AcpiPciHotplug *s, void *owner, MemoryRegion *io, uint16_t port, AcpiPm *pm);
/*
 * The machine is complete: number the buses at and below @root that take part, and handle plugging on them.  Called before the
 * tables are built, and once.
 */
void acpi_pci_hotplug_start(AcpiPciHotplug *s, PCIBus *root);
/* The bus's number; -1 if it does not take part. */
int acpi_pci_hotplug_bus(const AcpiPciHotplug *s, const PCIBus *bus);
/* A reset finishes what the guest was asked for and did not do. */
void acpi_pci_hotplug_reset(AcpiPciHotplug *s);

extern const VMState vmstate_acpi_pci_hotplug;

#endif
