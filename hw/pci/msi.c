/*
 * MSI: interrupt messages written to memory (PCI 3.0, 6.8.1).
 *
 * The capability's layout depends on two bits fixed at init: 64-bit address, per-vector masking.  The
 * guest-writable parts are in wmask, so that configuration writes need no code but the delivery of what
 * an unmask releases.
 */
#include "hw/pci/pci-internal.h"

void pci_msi_send(PCIDevice *d, MSIMessage msg)
{
    MemTxResult res;

    /* Bus mastering off: the write goes nowhere, as dma_as is empty. */
    address_space_st(&d->dma_as, msg.address, msg.data, 4, false, pci_dma_attrs(d), &res);
}

static uint16_t msi_flags(const PCIDevice *d)
{
    return pci_get_word(d->config + d->msi_cap + PCI_MSI_FLAGS);
}

static unsigned msi_data_off(const PCIDevice *d)
{
    return d->msi_cap + (msi_flags(d) & PCI_MSI_FLAGS_64BIT ? 12 : 8);
}

static unsigned msi_mask_off(const PCIDevice *d)
{
    return msi_data_off(d) + 4;
}

static unsigned msi_pending_off(const PCIDevice *d)
{
    return msi_data_off(d) + 8;
}

bool msi_init(PCIDevice *d, uint8_t offset, unsigned n_vectors, bool msi64bit, bool per_vector_mask, Error **errp)
{
    uint16_t flags = (uint16_t)((msi64bit ? PCI_MSI_FLAGS_64BIT : 0) | (per_vector_mask ? PCI_MSI_FLAGS_MASKBIT : 0));
    uint8_t size = (uint8_t)((msi64bit ? 14 : 10) + (per_vector_mask ? 10 : 0));

    assert(is_power_of_2(n_vectors) && n_vectors <= 32);
    flags |= (uint16_t)(__builtin_ctz(n_vectors) << 1);
    offset = pci_add_capability(d, PCI_CAP_ID_MSI, offset, size, errp);
    if (!offset) {
        return false;
    }
    d->msi_cap = offset;
    pci_set_word(d->config + offset + PCI_MSI_FLAGS, flags);
    pci_set_word(d->wmask + offset + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
    pci_set_long(d->wmask + offset + PCI_MSI_ADDRESS_LO, 0xfffffffc);
    if (msi64bit) {
        pci_set_long(d->wmask + offset + PCI_MSI_ADDRESS_HI, 0xffffffff);
    }
    pci_set_word(d->wmask + msi_data_off(d), 0xffff);
    if (per_vector_mask) {
        pci_set_long(d->wmask + msi_mask_off(d), 0xffffffff >> (32 - n_vectors));
    }
    return true;
}

void msi_uninit(PCIDevice *d)
{
    d->msi_cap = 0;
}

bool msi_enabled(const PCIDevice *d)
{
    return d->msi_cap && (msi_flags(d) & PCI_MSI_FLAGS_ENABLE);
}

/* Vectors the guest granted: never more than were asked for. */
static unsigned msi_vectors(const PCIDevice *d)
{
    unsigned granted = (msi_flags(d) & PCI_MSI_FLAGS_QSIZE) >> 4, asked = (msi_flags(d) & PCI_MSI_FLAGS_QMASK) >> 1;

    return 1u << MIN(granted, asked);
}

static void msi_send(PCIDevice *d, unsigned vector)
{
    const uint8_t *cap = d->config + d->msi_cap;
    MSIMessage msg;

    msg.address = pci_get_long(cap + PCI_MSI_ADDRESS_LO);
    if (msi_flags(d) & PCI_MSI_FLAGS_64BIT) {
        msg.address = pci_get_quad(cap + PCI_MSI_ADDRESS_LO);
    }
    msg.data = (pci_get_word(d->config + msi_data_off(d)) & ~(msi_vectors(d) - 1)) | vector;
    pci_msi_send(d, msg);
}

void msi_notify(PCIDevice *d, unsigned vector)
{
    if (!msi_enabled(d)) {
        return;
    }
    vector &= msi_vectors(d) - 1;
    if ((msi_flags(d) & PCI_MSI_FLAGS_MASKBIT) && (pci_get_long(d->config + msi_mask_off(d)) & BIT(vector))) {
        uint8_t *pending = d->config + msi_pending_off(d);

        pci_set_long(pending, pci_get_long(pending) | BIT(vector));
        return;
    }
    msi_send(d, vector);
}

void msi_write_config(PCIDevice *d, uint32_t addr, unsigned len)
{
    uint32_t ready;

    if (!d->msi_cap || !pci_ranges_overlap(addr, len, d->msi_cap, msi_pending_off(d) - d->msi_cap)
        || !(msi_flags(d) & PCI_MSI_FLAGS_MASKBIT) || !msi_enabled(d)) {
        return;
    }
    ready = pci_get_long(d->config + msi_pending_off(d)) & ~pci_get_long(d->config + msi_mask_off(d));
    pci_set_long(d->config + msi_pending_off(d), pci_get_long(d->config + msi_pending_off(d)) & ~ready);
    for (unsigned v = 0; v < msi_vectors(d); v++) {
        if (ready & BIT(v)) {
            msi_send(d, v);
        }
    }
}

void msi_reset(PCIDevice *d)
{
    if (!d->msi_cap) {
        return;
    }
    pci_set_word(d->config + d->msi_cap + PCI_MSI_FLAGS, msi_flags(d) & ~(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE));
    pci_set_long(d->config + d->msi_cap + PCI_MSI_ADDRESS_LO, 0);
    if (msi_flags(d) & PCI_MSI_FLAGS_64BIT) {
        pci_set_long(d->config + d->msi_cap + PCI_MSI_ADDRESS_HI, 0);
    }
    pci_set_word(d->config + msi_data_off(d), 0);
    if (msi_flags(d) & PCI_MSI_FLAGS_MASKBIT) {
        pci_set_long(d->config + msi_mask_off(d), 0);
        pci_set_long(d->config + msi_pending_off(d), 0);
    }
}
