/*
 * PIIX3 ISA bridge: "PIIX3" at 00:01.0: ISA bus, PIRQ routing, reset control.
 *
 * Reference: Intel 82371SB data sheet, 2.3.3 (PIRQRC, 0x60..0x63: bit 7 disables, bits 3:0 the ISA line).
 *
 * Invariant: an ISA line that PIRQs are routed to has the OR of their levels.
 */
#include "hw/i386/chipset.h"

enum { PIIX_PIRQA = 0x60, PIRQ_DISABLE = 0x80 };

typedef struct Piix3 {
    PCIDevice pci;
    ResetControl rst;
    uint8_t pirq_level;             /* bit n: PIRQ n is asserted */
    IrqLine isa_irq[ISA_NUM_IRQS];
} Piix3;

OBJECT_DECLARE(Piix3, PIIX3, piix3)

static void update_isa_line(Piix3 *s, unsigned irq)
{
    bool level = false;

    for (unsigned n = 0; n < I440FX_PIRQS; n++) {
        level |= (s->pirq_level >> n & 1) && s->pci.config[PIIX_PIRQA + n] == irq;
    }
    irq_set(s->isa_irq[irq], level);
}

static void piix3_set_pirq(void *opaque, unsigned n, int level)
{
    Piix3 *s = opaque;
    uint8_t route = s->pci.config[PIIX_PIRQA + n];

    s->pirq_level = (uint8_t)((s->pirq_level & ~(1 << n)) | (level ? 1 << n : 0));
    if (route < ISA_NUM_IRQS) {
        update_isa_line(s, route);
    }
}

/* Each slot's pins are turned by its number, slot 1 being the first (the boards' wiring; the DSDT's _PRT agrees). */
static unsigned piix3_map_pirq(PCIDevice *d, unsigned pin)
{
    return (pin + PCI_SLOT(d->devfn) - 1) & 3;
}

static void piix3_write_config(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len)
{
    Piix3 *s = PIIX3(d);
    uint8_t old[I440FX_PIRQS];

    memcpy(old, d->config + PIIX_PIRQA, sizeof(old));
    pci_default_write_config(d, addr, val, len);
    for (unsigned n = 0; n < I440FX_PIRQS; n++) {
        uint8_t now = d->config[PIIX_PIRQA + n];

        if (old[n] != now) {
            if (old[n] < ISA_NUM_IRQS) {
                update_isa_line(s, old[n]);
            }
            if (now < ISA_NUM_IRQS) {
                update_isa_line(s, now);
            }
        }
    }
}

static bool piix3_realize(Device *dev, Error **errp)
{
    memset(PCI_DEVICE(dev)->wmask + PIIX_PIRQA, PIRQ_DISABLE | 0xf, I440FX_PIRQS);
    return true;
}

static void piix3_reset_hold(Device *dev, ResetType type)
{
    Piix3 *s = PIIX3(dev);

    memset(s->pci.config + PIIX_PIRQA, PIRQ_DISABLE, I440FX_PIRQS);
    s->rst.value = 0;
}

static const VMField piix3_fields[] = {
    VMS_U8(Piix3, rst.value),
    VMS_U8(Piix3, pirq_level),
    VMS_END
};

static const VMState vmstate_piix3 = { .name = "PIIX3", .version = 1, .minimum_version = 1, .fields = piix3_fields };

PCI_DEVICE_DEFINE(Piix3, piix3, "PIIX3", pci_device,
    .desc         = "PIIX3 ISA bridge",
    .category     = DEVICE_CATEGORY_BRIDGE,
    .vendor_id    = PCI_VENDOR_ID_INTEL,
    .device_id    = PCI_DEVICE_ID_INTEL_82371SB_0,
    .class_id     = PCI_CLASS_BRIDGE_ISA,
    .config_write = piix3_write_config,
    .realize      = piix3_realize,
    .reset_hold   = piix3_reset_hold,
    .vmstate      = &vmstate_piix3,
    .not_user_creatable = true,
);

PCIDevice *piix3_create(PCIHost *host, MemoryRegion *mem, MemoryRegion *io, const IrqLine isa_irqs[ISA_NUM_IRQS], IsaBus **isa,
                        Error **errp)
{
    PCIDevice *d = pci_new(PCI_DEVFN(1, 0), "PIIX3");
    Piix3 *s = PIIX3(d);

    d->multifunction = true;
    memcpy(s->isa_irq, isa_irqs, sizeof(s->isa_irq));
    object_add_child(object_container("/machine"), "piix3", d);
    if (!device_realize_and_unref(DEVICE(d), &host->bus->bus, errp)) {
        return NULL;
    }
    host->reset_control = &s->rst;
    pci_bus_set_irqs(host->bus, piix3_set_pirq, piix3_map_pirq, s, I440FX_PIRQS);
    *isa = isa_bus_new(DEVICE(d), mem, io, isa_irqs);
    return d;
}
