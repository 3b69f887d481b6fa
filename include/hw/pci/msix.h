/*
 * MSI-X (PCI 3.0, 6.8.2): a vector table and pending bits in a BAR.
 *
 * Vectors beyond the table are ignored; a masked vector's message is kept pending and sent at unmask.
 */
#ifndef HW_PCI_MSIX_H
#define HW_PCI_MSIX_H

#include "hw/pci/pci.h"

#define MSIX_MAX_VECTORS 2048

/*
 * Table at @table_offset of @table_bar (region @table_mr, already a registered BAR or about to be),
 * pending bits likewise.  @cap_pos 0 = anywhere.
 */
bool msix_init(PCIDevice *d, unsigned n_vectors, MemoryRegion *table_mr, unsigned table_bar, uint32_t table_offset,
               MemoryRegion *pba_mr, unsigned pba_bar, uint32_t pba_offset, uint8_t cap_pos, Error **errp) MUST_USE;
/* In a memory BAR of its own, which this registers. */
bool msix_init_exclusive_bar(PCIDevice *d, unsigned n_vectors, unsigned bar, Error **errp) MUST_USE;
/* Before the BARs' regions go.  A device without MSI-X: nothing happens. */
void msix_uninit(PCIDevice *d);

bool msix_present(const PCIDevice *d);
bool msix_enabled(const PCIDevice *d);          /* MSI-X Enable is set: INTx must not be used */
unsigned msix_n_vectors(const PCIDevice *d);
void msix_notify(PCIDevice *d, unsigned vector);
bool msix_is_masked(const PCIDevice *d, unsigned vector);
MSIMessage msix_get_message(const PCIDevice *d, unsigned vector);
void msix_reset(PCIDevice *d);

/* For back ends that inject by themselves: told when a vector's mask or message changes while MSI-X is enabled. */
typedef void MsixChangeFn(PCIDevice *d, unsigned vector, bool masked, MSIMessage msg);
void msix_set_change_notify(PCIDevice *d, MsixChangeFn *fn);

#endif
