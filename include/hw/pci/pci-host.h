/*
 * Host bridges: how CPUs reach configuration space.
 *
 * Mechanism #1 (PCI 3.0, 3.2.2.3.2): an address register at port 0xcf8, data at 0xcfc..0xcff.
 * ECAM (PCI Express Base 7.2.2): 4 KiB of memory for each function, 1 MiB for each bus.
 */
#ifndef HW_PCI_PCI_HOST_H
#define HW_PCI_PCI_HOST_H

#include "hw/acpi/pm.h"
#include "hw/pci/pci.h"

typedef struct PCIHost {
    SysBusDevice sbd;
    PCIBus *bus;                    /* the root bus; made by the type's realize */
    uint32_t config_address;
    ResetControl *reset_control;    /* borrowed from the chipset: port 0xcf9; NULL = none */
    MemoryRegion conf_mr, data_mr, ecam_mr;
    bool ecam_mapped;
    hwaddr ecam_base;
    uint64_t ecam_size;
} PCIHost;

extern const TypeInfo pci_host_type;            /* "pci-host-bridge", abstract */
static inline PCIHost *PCI_HOST(const void *obj)
{
    return (PCIHost *)object_check_cast(obj, &pci_host_type);
}
extern const VMState vmstate_pci_host;

/* Ports 0xcf8 and 0xcfc of @io. */
void pci_host_map_ports(PCIHost *h, MemoryRegion *io);
/* Where ECAM is, in system memory; @size 0 = nowhere; a multiple of 1 MiB up to 256 MiB. */
void pci_host_set_ecam(PCIHost *h, hwaddr base, uint64_t size);

#endif
