/*
 * Q35 host bridge: "q35-pcihost" and its configuration device "mch" at 00:00.0.
 *
 * Reference: Intel 3 Series Express Chipset Family data sheet, chapter 5: PCIEXBAR (0x60), PAM0..6 (0x90), SMRAM (0x9d).
 *
 * Invariant: ECAM is mapped exactly where PCIEXBAR says while its enable bit is set.
 */
#include "hw/i386/chipset.h"

enum {
    MCH_PCIEXBAR = 0x60, PCIEXBAR_ENABLE = 0x1, PCIEXBAR_LEN_SHIFT = 1, MCH_PAM0 = 0x90, MCH_SMRAM = 0x9d, MCH_ESMRAMC = 0x9e,
};

typedef struct Mch {
    PCIDevice pci;
    PCIHost *host;                  /* borrowed */
    PamShadow pam;
} Mch;

OBJECT_DECLARE(Mch, MCH, mch)

typedef struct Q35Host {
    PCIHost host;
    MemoryRegion pci_mem;
} Q35Host;

OBJECT_DECLARE(Q35Host, Q35_HOST, q35_host)

/* --- mch --- */

static void mch_update_pciexbar(Mch *s)
{
    static const uint64_t sizes[4] = { 256 * MiB, 128 * MiB, 64 * MiB, 0 };
    uint64_t v = pci_get_quad(s->pci.config + MCH_PCIEXBAR);
    uint64_t size = sizes[v >> PCIEXBAR_LEN_SHIFT & 3];
    hwaddr base = v & 0xfffffffffull & ~(size - 1);

    pci_host_set_ecam(s->host, base, v & PCIEXBAR_ENABLE ? size : 0);
}

static void mch_update(Mch *s)
{
    memory_transaction_begin();
    mch_update_pciexbar(s);
    pam_update(&s->pam, s->pci.config + MCH_PAM0, s->pci.config[MCH_SMRAM]);
    memory_transaction_commit();
}

static void mch_write_config(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len)
{
    Mch *s = MCH(d);
    uint8_t smram = d->config[MCH_SMRAM];

    pci_default_write_config(d, addr, val, len);
    if (smram & SMRAM_D_LCK) {
        /* Locked: closed, and read-only until reset. */
        d->config[MCH_SMRAM] = smram;
    } else if (d->config[MCH_SMRAM] & SMRAM_D_LCK) {
        d->config[MCH_SMRAM] &= (uint8_t)~SMRAM_D_OPEN;
    }
    if (addr < MCH_ESMRAMC && addr + len > MCH_PCIEXBAR) {
        mch_update(s);
    }
}

static void mch_reset_hold(Device *dev, ResetType type)
{
    Mch *s = MCH(dev);

    pci_set_quad(s->pci.config + MCH_PCIEXBAR, Q35_ECAM_BASE);
    if (type == RESET_COLD) {           /* firmware finds its copy in memory again after a sleep */
        memset(s->pci.config + MCH_PAM0, 0, PAM_REGISTERS);
        s->pci.config[MCH_SMRAM] = 0x02;
    }
    mch_update(s);
}

static bool mch_realize(Device *dev, Error **errp)
{
    PCIDevice *d = PCI_DEVICE(dev);

    pci_set_long(d->wmask + MCH_PCIEXBAR, 0xfc000007);
    pci_set_long(d->wmask + MCH_PCIEXBAR + 4, 0x0000000f);
    memset(d->wmask + MCH_PAM0, 0x33, PAM_REGISTERS);
    d->wmask[MCH_PAM0] = 0x30;
    d->wmask[MCH_SMRAM] = SMRAM_G_SMRAME | SMRAM_D_LCK | SMRAM_D_CLS | SMRAM_D_OPEN;
    return true;
}

static bool mch_post_load(void *opaque, unsigned version, Error **errp)
{
    mch_update(opaque);
    return true;
}

static const VMField mch_fields[] = { VMS_END };
static const VMState vmstate_mch = { .name = "mch", .version = 1, .minimum_version = 1, .fields = mch_fields, .post_load = mch_post_load };

PCI_DEVICE_DEFINE(Mch, mch, "mch", pci_device,
    .desc         = "Q35 memory controller hub",
    .category     = DEVICE_CATEGORY_BRIDGE,
    .vendor_id    = PCI_VENDOR_ID_INTEL,
    .device_id    = PCI_DEVICE_ID_INTEL_Q35_MCH,
    .class_id     = PCI_CLASS_BRIDGE_HOST,
    .config_write = mch_write_config,
    .realize      = mch_realize,
    .reset_hold   = mch_reset_hold,
    .vmstate      = &vmstate_mch,
    .not_user_creatable = true,
);

/* --- q35-pcihost --- */

DEVICE_DEFINE(Q35Host, q35_host, "q35-pcihost", pci_host,
    .desc     = "Q35 PCI Express host bridge",
    .category = DEVICE_CATEGORY_BRIDGE,
    .boot_part = "pci@i0cf8",
    .vmstate  = &vmstate_none,
);

PCIHost *q35_create(MemoryRegion *memory, MemoryRegion *io, MemoryRegion *ram, Error **errp)
{
    Q35Host *h = Q35_HOST(device_new(&q35_host_type));
    Mch *mch = MCH(pci_new(PCI_DEVFN(0, 0), "mch"));

    object_add_child(object_container("/machine"), "q35", h);
    memory_region_init(&h->pci_mem, h, "pci", UINT64_MAX);
    memory_region_add_subregion_overlap(memory, 0, &h->pci_mem, -1);
    h->host.bus = pci_root_bus_new(DEVICE(h), "pcie.0", true, &h->pci_mem, io, 0);
    pci_host_map_ports(&h->host, io);
    mch->host = &h->host;
    pam_init(&mch->pam, mch, memory, ram, &h->pci_mem);
    object_add_child(h, "mch", mch);
    if (!device_realize_and_unref(DEVICE(h), NULL, errp)
        || !device_realize_and_unref(DEVICE(mch), &h->host.bus->bus, errp)) {
        return NULL;
    }
    return &h->host;
}

void q35_firmware_setup(PCIHost *host)
{
    PCIDevice *mch = host->bus->devices[PCI_DEVFN(0, 0)], *lpc = host->bus->devices[PCI_DEVFN(0x1f, 0)];

    pci_config_write(mch, MCH_PCIEXBAR + 4, 0, 4);
    pci_config_write(mch, MCH_PCIEXBAR, Q35_ECAM_BASE | PCIEXBAR_ENABLE, 4);
    pci_config_write(mch, MCH_PAM0, 0x33333330, 4);
    pci_config_write(mch, MCH_PAM0 + 4, 0x3333, 2);
    pci_config_write(mch, MCH_PAM0 + 6, 0x33, 1);
    /* LPC: PMBASE, ACPI enable; PIRQ A..H to 10, 10, 11, 11 and again */
    pci_config_write(lpc, 0x40, ICH9_PMBASE | 1, 4);
    pci_config_write(lpc, 0x44, 0x80, 1);
    pci_config_write(lpc, 0x60, 0x0b0b0a0a, 4);
    pci_config_write(lpc, 0x68, 0x0b0b0a0a, 4);
    pci_config_write(lpc, 0xf0, ICH9_RCRB_BASE | 1, 4);
}
