/*
 * PCI-to-PCI bridges (PCI-to-PCI Bridge Architecture 1.2): bus numbers and forwarding windows.
 */
#ifndef HW_PCI_PCI_BRIDGE_H
#define HW_PCI_PCI_BRIDGE_H

#include "hw/pci/pci.h"

enum { PCI_BRIDGE_WINDOW_IO, PCI_BRIDGE_WINDOW_MEM, PCI_BRIDGE_WINDOW_PREF, PCI_BRIDGE_N_WINDOWS };

typedef struct PCIBridge {
    PCIDevice pci;
    PCIBus *sec;                        /* owned by the tree */
    MemoryRegion mem, io;               /* what devices below map themselves into */
    MemoryRegion window[PCI_BRIDGE_N_WINDOWS];  /* aliases of those into the bus above */
    bool mapped[PCI_BRIDGE_N_WINDOWS];
} PCIBridge;

extern const TypeInfo pci_bridge_type;          /* "base-pci-bridge", abstract */
static inline PCIBridge *PCI_BRIDGE(const void *obj)
{
    return (PCIBridge *)object_check_cast(obj, &pci_bridge_type);
}

/* For subtypes with configuration hooks of their own. */
void pci_bridge_write_config(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len);

#endif
