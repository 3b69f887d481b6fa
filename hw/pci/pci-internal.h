/*
 * What the files of hw/pci share.
 */
#ifndef HW_PCI_PCI_INTERNAL_H
#define HW_PCI_PCI_INTERNAL_H

#include "hw/pci/pci.h"

/* Put BARs where the configuration space says, all in one transaction. */
void pci_update_mappings(PCIDevice *d);
/* The device's pin changed, or its gate did: tell the bus. */
void pci_update_intx(PCIDevice *d);
/* After a configuration write of [@addr, @addr + @len): capability side effects. */
void msi_write_config(PCIDevice *d, uint32_t addr, unsigned len);
void msix_write_config(PCIDevice *d, uint32_t addr, unsigned len);

static inline bool pci_ranges_overlap(uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len)
{
    return a < b + b_len && b < a + a_len;
}

/* Header type 1? */
static inline bool pci_is_bridge(const PCIDevice *d)
{
    return (d->config[PCI_HEADER_TYPE] & 0x7f) == PCI_HEADER_TYPE_BRIDGE;
}

/* Set up an embedded or heap bus below bridge @d. */
void pci_bus_setup(PCIBus *bus, PCIDevice *bridge, MemoryRegion *mem, MemoryRegion *io, uint8_t devfn_min);
bool pci_bus_assign_devfn(PCIBus *bus, PCIDevice *d, Error **errp) MUST_USE;

/* The device is going: nobody can reach its regions any more. */
void msix_free_retired(PCIDevice *d);
extern const VMState vmstate_msix;      /* subsection of vmstate_pci_device */

#endif
