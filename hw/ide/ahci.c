/*
 * "ich9-ahci": a PCI function with six SATA ports.
 *
 * References: AHCI 1.3.1, chapter 3; Intel I/O Controller Hub 9 data sheet, chapter 15 (index-data pair, SATA capability).
 *
 * What must hold: bit n of IS is set while port n has an interrupt that it lets through; the line is their OR under GHC.IE.
 */
#include "ahci.h"

enum {
    PCI_DEVICE_ID_INTEL_ICH9_AHCI = 0x2922, PCI_CAP_ID_SATA = 0x12, MSI_OFFSET = 0x80, SATA_OFFSET = 0xa8, SATA_REV = 0x10,
    SATA_BAR4_AT_10H = 0x48, IDP_INDEX = 0x10, IDP_DATA = 0x14, IDP_SIZE = 32, MMIO_SIZE = 0x1000,
};

/* Six ports, 32 slots, 1.5 and 3 Gb/s, native queueing, 64-bit addresses, command list override */
#define CAP_VALUE ((AHCI_PORTS - 1) | (AHCI_SLOTS - 1) << 8 | 2u << 20 | 1u << 24 | 1u << 30 | 1u << 31)
#define VERSION   0x00010000u

void ahci_update_irq(Ahci *s)
{
    uint32_t old = s->is;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        s->is |= s->port[i].is & s->port[i].ie ? 1u << i : 0;
    }
    if (!msi_enabled(&s->pci)) {
        pci_set_irq(&s->pci, s->is && (s->ghc & GHC_IE));
    } else if ((s->is & ~old) && (s->ghc & GHC_IE)) {
        msi_notify(&s->pci, 0);
    }
}

/* --- registers --- */

static void hba_reset(Ahci *s)
{
    s->ghc = GHC_AE;
    s->is = 0;
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ahci_port_reset(&s->port[i]);
    }
    ahci_update_irq(s);
}

static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    const Ahci *s = opaque;

    if (addr >= HBA_PORTS) {
        unsigned n = (unsigned)(addr - HBA_PORTS) / HBA_PORT_SIZE;

        return n < AHCI_PORTS ? ahci_port_read(&s->port[n], addr % HBA_PORT_SIZE) : 0;
    }
    switch (addr) {
    case HBA_CAP:
        return CAP_VALUE;
    case HBA_GHC:
        return s->ghc;
    case HBA_IS:
        return s->is;
    case HBA_PI:
        return (1u << AHCI_PORTS) - 1;
    case HBA_VS:
        return VERSION;
    default:
        return 0;
    }
}

static void write_ghc(Ahci *s, uint32_t v)
{
    if (v & GHC_HR) {
        hba_reset(s);
        return;
    }
    s->ghc = (v & GHC_IE) | GHC_AE;
    if (msi_enabled(&s->pci) && s->is && (s->ghc & GHC_IE)) {
        msi_notify(&s->pci, 0);
    }
    ahci_update_irq(s);
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    Ahci *s = opaque;
    uint32_t v = (uint32_t)data;

    if (addr >= HBA_PORTS) {
        unsigned n = (unsigned)(addr - HBA_PORTS) / HBA_PORT_SIZE;

        if (n < AHCI_PORTS) {
            ahci_port_write(&s->port[n], addr % HBA_PORT_SIZE, v);
        }
    } else if (addr == HBA_GHC) {
        write_ghc(s, v);
    } else if (addr == HBA_IS) {
        s->is &= ~v;
        ahci_update_irq(s);
    }
}

static const MemoryRegionOps mmio_ops = { .read = mmio_read, .write = mmio_write, .valid = { 1, 8 }, .impl = { 4, 4 } };

/* The same registers by two ports, for firmware in real mode. */
static uint64_t idp_read(void *opaque, hwaddr addr, unsigned size)
{
    const Ahci *s = opaque;

    return addr == IDP_INDEX ? s->index : addr == IDP_DATA ? mmio_read(opaque, s->index, 4) : 0;
}

static void idp_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    Ahci *s = opaque;

    if (addr == IDP_INDEX) {
        s->index = (uint32_t)data & (MMIO_SIZE - 1) & ~3u;
    } else if (addr == IDP_DATA) {
        mmio_write(opaque, s->index, data, 4);
    }
}

static const MemoryRegionOps idp_ops = { .read = idp_read, .write = idp_write, .valid = { 1, 4 }, .impl = { 4, 4 } };

/* --- life --- */

static bool add_sata_capability(PCIDevice *d, Error **errp)
{
    uint8_t at = pci_add_capability(d, PCI_CAP_ID_SATA, SATA_OFFSET, 8, errp);

    if (!at) {
        return false;
    }
    pci_set_word(d->config + at + 2, SATA_REV);
    pci_set_long(d->config + at + 4, SATA_BAR4_AT_10H);
    return true;
}

/* Not in unrealize: the PCI layer unmaps the BARs after that. */
static void ahci_fini(Object *obj)
{
    memory_region_fini(&AHCI(obj)->mmio);
    memory_region_fini(&AHCI(obj)->idp);
}

/* Buses are there before the device is: users name them. */
static void ahci_init(Object *obj)
{
    Ahci *s = AHCI(obj);

    memory_region_init_io(&s->mmio, s, &mmio_ops, s, "ahci", MMIO_SIZE);
    memory_region_init_io(&s->idp, s, &idp_ops, s, "ahci-idp", IDP_SIZE);
}

static bool ahci_realize(Device *dev, Error **errp)
{
    Ahci *s = AHCI(dev);
    PCIDevice *d = &s->pci;

    pci_config_set_interrupt_pin(d, 1);
    if (!msi_init(d, MSI_OFFSET, 1, true, false, errp) || !add_sata_capability(d, errp)) {
        return false;
    }
    pci_register_bar(d, 4, PCI_BASE_ADDRESS_SPACE_IO, &s->idp);
    pci_register_bar(d, 5, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->mmio);
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        s->port[i].hba = s;
        s->port[i].n = i;
        s->port[i].slot = AHCI_NO_SLOT;
        s->port[i].bus = ide_bus_new(dev, i, 1, &ahci_transport, &s->port[i]);
    }
    return true;
}

static void ahci_unrealize(Device *dev)
{
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        if (AHCI(dev)->port[i].bus) {
            object_unparent(AHCI(dev)->port[i].bus);
            AHCI(dev)->port[i].bus = NULL;
        }
    }
}

static void ahci_reset_hold(Device *dev, ResetType type)
{
    AHCI(dev)->index = 0;
    hba_reset(AHCI(dev));
}

static bool port_post_load(void *opaque, unsigned version, Error **errp)
{
    AhciPort *p = opaque;

    if ((p->slot >= AHCI_SLOTS && p->slot != AHCI_NO_SLOT) || p->last_slot >= AHCI_SLOTS) {
        error_setg(errp, "ahci: slot %u or last_slot %u of port %u is not below %u", p->slot, p->last_slot, p->n, AHCI_SLOTS);
        return false;
    }
    return true;
}

static const VMField port_fields[] = {
    VMS_U32(AhciPort, clb), VMS_U32(AhciPort, clbu), VMS_U32(AhciPort, fb), VMS_U32(AhciPort, fbu), VMS_U32(AhciPort, is),
    VMS_U32(AhciPort, ie), VMS_U32(AhciPort, cmd), VMS_U32(AhciPort, tfd), VMS_U32(AhciPort, sig), VMS_U32(AhciPort, ssts),
    VMS_U32(AhciPort, sctl), VMS_U32(AhciPort, serr), VMS_U32(AhciPort, sact), VMS_U32(AhciPort, ci), VMS_U32(AhciPort, queued),
    VMS_U8(AhciPort, slot), VMS_U8(AhciPort, last_slot), VMS_BOOL(AhciPort, halted), VMS_BOOL(AhciPort, signature_due),
    VMS_BOOL(AhciPort, srst), VMS_END
};
static const VMState vmstate_port = {
    .name = "ahci_port", .version = 1, .minimum_version = 1, .fields = port_fields, .post_load = port_post_load,
};
static const VMField ahci_fields[] = {
    VMS_U32(Ahci, ghc), VMS_U32(Ahci, is), VMS_U32(Ahci, index), VMS_STRUCT_ARRAY(Ahci, port, &vmstate_port), VMS_END
};
static const VMState vmstate_ahci = { .name = "ich9_ahci", .version = 1, .minimum_version = 1, .fields = ahci_fields };

PCI_DEVICE_DEFINE(Ahci, ich9_ahci, "ich9-ahci", pci_device,
    .desc       = "AHCI SATA controller of ICH9",
    .category   = DEVICE_CATEGORY_STORAGE,
    .vendor_id  = PCI_VENDOR_ID_INTEL,
    .device_id  = PCI_DEVICE_ID_INTEL_ICH9_AHCI,
    .class_id   = PCI_CLASS_STORAGE_SATA,
    .prog_if    = 1,
    .revision   = 2,
    .init       = ahci_init,
    .fini       = ahci_fini,
    .realize    = ahci_realize,
    .unrealize  = ahci_unrealize,
    .reset_hold = ahci_reset_hold,
    .vmstate    = &vmstate_ahci,
);

PCIDevice *ich9_ahci_create(PCIBus *bus, Error **errp)
{
    PCIDevice *d = pci_new(PCI_DEVFN(0x1f, 2), "ich9-ahci");

    d->multifunction = true;
    return device_realize_and_unref(DEVICE(d), &bus->bus, errp) ? d : NULL;
}
