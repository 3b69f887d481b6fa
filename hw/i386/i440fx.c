/*
 * i440FX host bridge: "i440FX-pcihost" and its configuration device "i440FX" at 00:00.0.
 *
 * Reference: Intel 82441FX data sheet, chapter 3: PAM0..6 (0x59), SMRAM (0x72).
 */
#include "hw/i386/chipset.h"

enum { I440FX_PAM0 = 0x59, I440FX_SMRAM = 0x72 };

typedef struct I440fx {
    PCIDevice pci;
    PamShadow pam;
} I440fx;

OBJECT_DECLARE(I440fx, I440FX, i440fx)

typedef struct I440fxHost {
    PCIHost host;
    MemoryRegion pci_mem;
} I440fxHost;

OBJECT_DECLARE(I440fxHost, I440FX_HOST, i440fx_host)

static void i440fx_update(I440fx *s)
{
    pam_update(&s->pam, s->pci.config + I440FX_PAM0, s->pci.config[I440FX_SMRAM]);
}

static void i440fx_write_config(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len)
{
    I440fx *s = I440FX(d);
    uint8_t smram = d->config[I440FX_SMRAM];

    pci_default_write_config(d, addr, val, len);
    if (smram & SMRAM_D_LCK) {
        /* Locked: closed, and read-only until reset. */
        d->config[I440FX_SMRAM] = smram;
    } else if (d->config[I440FX_SMRAM] & SMRAM_D_LCK) {
        d->config[I440FX_SMRAM] &= (uint8_t)~SMRAM_D_OPEN;
    }
    if (addr <= I440FX_SMRAM && addr + len > I440FX_PAM0) {
        i440fx_update(s);
    }
}

static void i440fx_reset_hold(Device *dev, ResetType type)
{
    I440fx *s = I440FX(dev);

    if (type == RESET_COLD) {           /* firmware finds its copy in memory again after a sleep */
        memset(s->pci.config + I440FX_PAM0, 0, PAM_REGISTERS);
        s->pci.config[I440FX_SMRAM] = 0x02;
    }
    i440fx_update(s);
}

static bool i440fx_realize(Device *dev, Error **errp)
{
    PCIDevice *d = PCI_DEVICE(dev);

    memset(d->wmask + I440FX_PAM0, 0x33, PAM_REGISTERS);
    d->wmask[I440FX_PAM0] = 0x30;
    d->wmask[I440FX_SMRAM] = SMRAM_G_SMRAME | SMRAM_D_LCK | SMRAM_D_CLS | SMRAM_D_OPEN;
    return true;
}

static bool i440fx_post_load(void *opaque, unsigned version, Error **errp)
{
    i440fx_update(opaque);
    return true;
}

static const VMField i440fx_fields[] = { VMS_END };
static const VMState vmstate_i440fx = {
    .name = "I440FX", .version = 1, .minimum_version = 1, .fields = i440fx_fields, .post_load = i440fx_post_load,
};

PCI_DEVICE_DEFINE(I440fx, i440fx, "i440FX", pci_device,
    .desc         = "i440FX memory controller",
    .category     = DEVICE_CATEGORY_BRIDGE,
    .vendor_id    = PCI_VENDOR_ID_INTEL,
    .device_id    = PCI_DEVICE_ID_INTEL_82441,
    .class_id     = PCI_CLASS_BRIDGE_HOST,
    .revision     = 2,
    .config_write = i440fx_write_config,
    .realize      = i440fx_realize,
    .reset_hold   = i440fx_reset_hold,
    .vmstate      = &vmstate_i440fx,
    .not_user_creatable = true,
);

DEVICE_DEFINE(I440fxHost, i440fx_host, "i440FX-pcihost", pci_host,
    .desc     = "i440FX PCI host bridge",
    .category = DEVICE_CATEGORY_BRIDGE,
    .boot_part = "pci@i0cf8",
    .vmstate  = &vmstate_none,
);

PCIHost *i440fx_create(MemoryRegion *memory, MemoryRegion *io, MemoryRegion *ram, Error **errp)
{
    I440fxHost *h = I440FX_HOST(device_new(&i440fx_host_type));
    I440fx *d = I440FX(pci_new(PCI_DEVFN(0, 0), "i440FX"));

    object_add_child(object_container("/machine"), "i440fx", h);
    memory_region_init(&h->pci_mem, h, "pci", UINT64_MAX);
    memory_region_add_subregion_overlap(memory, 0, &h->pci_mem, -1);
    h->host.bus = pci_root_bus_new(DEVICE(h), "pci.0", false, &h->pci_mem, io, 0);
    pci_host_map_ports(&h->host, io);
    pam_init(&d->pam, d, memory, ram, &h->pci_mem);
    if (!device_realize_and_unref(DEVICE(h), NULL, errp)
        || !device_realize_and_unref(DEVICE(d), &h->host.bus->bus, errp)) {
        return NULL;
    }
    return &h->host;
}

void i440fx_firmware_setup(PCIHost *host)
{
    PCIDevice *mc = host->bus->devices[PCI_DEVFN(0, 0)], *isa = host->bus->devices[PCI_DEVFN(1, 0)];
    PCIDevice *ide = host->bus->devices[PCI_DEVFN(1, 1)], *pm = host->bus->devices[PCI_DEVFN(1, 3)];

    pci_config_write(mc, I440FX_PAM0, 0x30, 1);
    for (unsigned i = 1; i < PAM_REGISTERS; i++) {
        pci_config_write(mc, I440FX_PAM0 + i, 0x33, 1);
    }
    pci_config_write(isa, 0x60, 0x0b0b0a0a, 4);         /* PIRQ A..D to 10, 10, 11, 11 */
    if (ide) {
        pci_config_write(ide, 0x40, 0x80008000, 4);     /* both channels decode their ports */
    }
    if (pm) {
        pci_config_write(pm, 0x40, PIIX4_PMBASE | 1, 4);
        pci_config_write(pm, 0x80, 1, 1);               /* PM I/O space enable */
    }
}
