/*
 * PCI Express capability and extended capabilities (PCI Express Base, 7.8 and 7.9).
 */
#include "hw/pci/pci-internal.h"

enum { LINK_SPEED_2_5GT = 1, LINK_WIDTH_X1 = 1 };

bool pci_is_express(const PCIDevice *d)
{
    return d->config_size == PCIE_CONFIG_SPACE_SIZE;
}

bool pcie_cap_init(PCIDevice *d, uint8_t offset, uint8_t port_type, uint8_t port_number, Error **errp)
{
    const PCIBus *bus = pci_get_bus(d);
    uint8_t *cap;

    if (!pci_is_express(d)) {
        return true;
    }
    offset = pci_add_capability(d, PCI_CAP_ID_EXP, offset, PCI_EXP_VER2_SIZEOF, errp);
    if (!offset) {
        return false;
    }
    d->exp_cap = offset;
    cap = d->config + offset;
    /* On a root bus an endpoint has no link: it is integrated (7.8.2). */
    if (port_type == PCI_EXP_TYPE_ENDPOINT && pci_bus_is_root(bus)) {
        port_type = PCI_EXP_TYPE_RC_END;
    }
    pci_set_word(cap + PCI_EXP_FLAGS, (uint16_t)(2 | port_type << 4));
    pci_set_long(cap + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER);
    /* Error reporting enables; payload and read request sizes stay as they are after reset. */
    pci_set_word(d->wmask + offset + PCI_EXP_DEVCTL, 0x000f);
    pci_set_word(d->w1cmask + offset + PCI_EXP_DEVSTA, 0x000f);
    if (port_type != PCI_EXP_TYPE_RC_END) {
        pci_set_long(cap + PCI_EXP_LNKCAP, LINK_SPEED_2_5GT | LINK_WIDTH_X1 << 4 | (uint32_t)port_number << 24);
        pci_set_word(cap + PCI_EXP_LNKSTA, LINK_SPEED_2_5GT | LINK_WIDTH_X1 << 4);
    }
    return true;
}

/* Header: id 15:0, version 19:16, next 31:20.  The list starts at 0x100. */
void pcie_add_capability(PCIDevice *d, uint16_t cap_id, uint8_t version, uint16_t offset, uint16_t size)
{
    uint16_t last = 0x100;

    assert(pci_is_express(d) && offset >= 0x100 && !(offset & 3) && offset + size <= PCIE_CONFIG_SPACE_SIZE);
    assert(offset == 0x100 || pci_get_long(d->config + 0x100));
    if (offset != 0x100) {
        while (pci_get_long(d->config + last) >> 20) {
            last = (uint16_t)(pci_get_long(d->config + last) >> 20);
        }
        assert(last < offset);
        pci_set_long(d->config + last, pci_get_long(d->config + last) | (uint32_t)offset << 20);
    }
    pci_set_long(d->config + offset, cap_id | (uint32_t)version << 16);
}
