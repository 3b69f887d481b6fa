/*
 * ICH9 LPC bridge: "ICH9-LPC" at 00:1f.0: ISA bus, PIRQ routing, power management, reset control.
 *
 * Reference: Intel I/O Controller Hub 9 data sheet, chapter 13 (LPC interface bridge): PMBASE (0x40), ACPI_CNTL (0x44),
 * PIRQ[A-H]_ROUT (0x60, 0x68), power management I/O registers (13.8.3), RST_CNT (0xcf9).
 *
 * Interrupts: PIRQ n always drives IOAPIC input 16 + n; while its ROUT register is enabled it also drives
 * that ISA line, to which all PIRQs of one route are ORed.
 */
#include "hw/i386/chipset.h"

#include "hw/i386/ich9-tco.h"
#include "system/runstate.h"
#include "util/log.h"

enum {
    LPC_PMBASE = 0x40, LPC_ACPI_CNTL = 0x44, ACPI_CNTL_ENABLE = 0x80, LPC_PIRQA = 0x60, LPC_PIRQE = 0x68, PIRQ_DISABLE = 0x80,
    LPC_RCBA = 0xf0, PMIO_SIZE = 0x80, PMIO_SMI_EN = 0x30, SMI_EN_APMC = 1 << 5, ICH9_GSI_BASE = 16,
    PMIO_TCO = 0x60, SMI_EN_TCO = 1 << 13, SMI_STS_TCO = 1 << 13, RCBA_ENABLE = 1,
};

typedef struct Ich9Lpc {
    PCIDevice pci;
    AcpiPm pm;
    ApmPorts apm;
    ResetControl rst;
    MemoryRegion pmio, smi_mr;
    uint32_t smi_en, smi_sts;
    Ich9Tco tco;
    AcpiPciHotplug pci_hotplug;     /* on the buses behind bridges */
    MemoryRegion *mem;              /* borrowed */
    bool rcrb_mapped;
    hwaddr rcrb_base;
    MemoryRegion *io;               /* borrowed */
    bool pmio_mapped;
    hwaddr pmio_base;
    uint8_t pirq_level;             /* bit n: PIRQ n is asserted */
    IrqLine gsi[24];
} Ich9Lpc;

OBJECT_DECLARE(Ich9Lpc, ICH9_LPC, ich9_lpc)

/* --- interrupt routing --- */

static uint8_t pirq_route(const Ich9Lpc *s, unsigned n)
{
    return s->pci.config[n < 4 ? LPC_PIRQA + n : LPC_PIRQE + n - 4];
}

/* The level of ISA line @irq is the OR of the PIRQs routed to it. */
static void update_isa_line(Ich9Lpc *s, unsigned irq)
{
    bool level = false;

    for (unsigned n = 0; n < ICH9_PIRQS; n++) {
        level |= (s->pirq_level >> n & 1) && pirq_route(s, n) == irq;
    }
    irq_set(s->gsi[irq], level);
}

static void ich9_set_pirq(void *opaque, unsigned n, int level)
{
    Ich9Lpc *s = opaque;
    uint8_t route = pirq_route(s, n);

    s->pirq_level = (uint8_t)((s->pirq_level & ~(1 << n)) | (level ? 1 << n : 0));
    irq_set(s->gsi[ICH9_GSI_BASE + n], level);
    if (route < ISA_NUM_IRQS) {
        update_isa_line(s, route);
    }
}

/* Slots use PIRQ E..H in turn; the LPC's own slot uses A..D.  The DSDT's _PRT states the same. */
static unsigned ich9_map_pirq(PCIDevice *d, unsigned pin)
{
    return PCI_SLOT(d->devfn) == 0x1f ? pin : 4 + (PCI_SLOT(d->devfn) + pin) % 4;
}

/* --- SMI enable (13.8.3.8): no system management mode is offered, so APMC_EN reads as set and locked --- */

static uint64_t smi_read(void *opaque, hwaddr addr, unsigned size)
{
    const Ich9Lpc *s = opaque;

    return addr == 0 ? s->smi_en : s->smi_sts;
}

static void smi_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    Ich9Lpc *s = opaque;

    if (addr == 0) {
        s->smi_en = (uint32_t)data | SMI_EN_APMC;
    } else {
        s->smi_sts &= ~(uint32_t)data;
    }
}

static const MemoryRegionOps smi_ops = { .read = smi_read, .write = smi_write, .valid = { 1, 4 }, .impl = { 4, 4 } };

/* No SMI reaches a CPU; the status tells whoever polls. */
static void tco_smi(void *opaque)
{
    Ich9Lpc *s = opaque;

    if (s->smi_en & SMI_EN_TCO) {
        s->smi_sts |= SMI_STS_TCO;
    }
}

static void apm_written(void *opaque, uint8_t cmd)
{
    Ich9Lpc *s = opaque;

    if (cmd == ICH9_ACPI_ENABLE || cmd == ICH9_ACPI_DISABLE) {
        acpi_pm_set_enabled(&s->pm, cmd == ICH9_ACPI_ENABLE);
    }
}

/* --- configuration --- */

static void update_pmio(Ich9Lpc *s)
{
    hwaddr base = pci_get_long(s->pci.config + LPC_PMBASE) & 0xff80;
    bool on = (s->pci.config[LPC_ACPI_CNTL] & ACPI_CNTL_ENABLE) && base;

    if (on == s->pmio_mapped && (!on || base == s->pmio_base)) {
        return;
    }
    memory_transaction_begin();
    if (s->pmio_mapped) {
        memory_region_del_subregion(s->io, &s->pmio);
    }
    if (on) {
        memory_region_add_subregion_overlap(s->io, base, &s->pmio, 1);
    }
    s->pmio_mapped = on;
    s->pmio_base = base;
    memory_transaction_commit();
}

/* RCBA (13.1.38): the chip configuration registers appear in memory. */
static void update_rcrb(Ich9Lpc *s)
{
    uint32_t rcba = pci_get_long(s->pci.config + LPC_RCBA);
    hwaddr base = rcba & ~(uint32_t)(ICH9_RCRB_SIZE - 1);
    bool on = rcba & RCBA_ENABLE;

    if (on == s->rcrb_mapped && (!on || base == s->rcrb_base)) {
        return;
    }
    memory_transaction_begin();
    if (s->rcrb_mapped) {
        memory_region_del_subregion(s->mem, &s->tco.rcrb);
    }
    if (on) {
        memory_region_add_subregion_overlap(s->mem, base, &s->tco.rcrb, 1);
    }
    s->rcrb_mapped = on;
    s->rcrb_base = base;
    memory_transaction_commit();
}

static void update_routes(Ich9Lpc *s)
{
    for (unsigned irq = 3; irq < ISA_NUM_IRQS; irq++) {
        /* Lines that the 8259 reserves (0, 1, 2, 8, 13) cannot be routed to; 9 is the SCI's as well. */
        if (irq != 8 && irq != 9 && irq != 13) {
            update_isa_line(s, irq);
        }
    }
}

static void lpc_write_config(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len)
{
    Ich9Lpc *s = ICH9_LPC(d);
    uint8_t old[ICH9_PIRQS];
    bool routes = false;

    for (unsigned n = 0; n < ICH9_PIRQS; n++) {
        old[n] = pirq_route(s, n);
    }
    pci_default_write_config(d, addr, val, len);
    for (unsigned n = 0; n < ICH9_PIRQS; n++) {
        routes |= old[n] != pirq_route(s, n);
    }
    if (routes && s->pirq_level) {
        update_routes(s);
    }
    if (addr < LPC_ACPI_CNTL + 4 && addr + len > LPC_PMBASE) {
        update_pmio(s);
    }
    if (addr < LPC_RCBA + 4 && addr + len > LPC_RCBA) {
        update_rcrb(s);
    }
}

/* --- life --- */

static void power_button(void *opaque)
{
    acpi_pm_power_button(&((Ich9Lpc *)opaque)->pm);
}

/* When all devices are reset: it may remove some. */
static void hotplug_reset(void *opaque, ResetType type)
{
    acpi_pci_hotplug_reset(&((Ich9Lpc *)opaque)->pci_hotplug);
}

static bool lpc_realize(Device *dev, Error **errp)
{
    Ich9Lpc *s = ICH9_LPC(dev);
    PCIDevice *d = &s->pci;

    pci_set_long(d->wmask + LPC_PMBASE, 0xff80);
    pci_set_long(d->config + LPC_PMBASE, 1);
    d->wmask[LPC_ACPI_CNTL] = ACPI_CNTL_ENABLE | 7;
    for (unsigned n = 0; n < 4; n++) {
        d->wmask[LPC_PIRQA + n] = d->wmask[LPC_PIRQE + n] = PIRQ_DISABLE | 0xf;
    }
    pci_set_long(d->wmask + LPC_RCBA, 0xffffc001);

    acpi_pm_init(&s->pm, s, s->gsi[9], ICH9_GPE_LEN / 2);
    memory_region_init(&s->pmio, s, "ich9-pm", PMIO_SIZE);
    memory_region_init_io(&s->smi_mr, s, &smi_ops, s, "ich9-smi", 8);
    memory_region_add_subregion(&s->pmio, 0, &s->pm.evt_mr);
    memory_region_add_subregion(&s->pmio, 4, &s->pm.cnt_mr);
    memory_region_add_subregion(&s->pmio, 8, &s->pm.tmr_mr);
    memory_region_add_subregion(&s->pmio, ICH9_GPE_OFFSET, &s->pm.gpe_mr);
    memory_region_add_subregion(&s->pmio, PMIO_SMI_EN, &s->smi_mr);
    ich9_tco_init(&s->tco, s, tco_smi, s);
    memory_region_add_subregion(&s->pmio, PMIO_TCO, &s->tco.io);
    apm_ports_init(&s->apm, s, s->io, apm_written);
    if (s->pci_hotplug.bridges) {
        acpi_pci_hotplug_init(&s->pci_hotplug, s, s->io, ICH9_PCI_HOTPLUG_BASE, &s->pm);
        reset_register(hotplug_reset, s);
    }
    system_powerdown_notify_add(power_button, s);
    return true;
}

static void lpc_reset_hold(Device *dev, ResetType type)
{
    Ich9Lpc *s = ICH9_LPC(dev);

    pci_set_long(s->pci.config + LPC_PMBASE, 1);
    s->pci.config[LPC_ACPI_CNTL] = 0;
    memset(s->pci.config + LPC_PIRQA, PIRQ_DISABLE, 4);
    memset(s->pci.config + LPC_PIRQE, PIRQ_DISABLE, 4);
    s->smi_en = SMI_EN_APMC;
    s->smi_sts = 0;
    s->rst.value = 0;
    s->apm.cmd = s->apm.status = 0;
    pci_set_long(s->pci.config + LPC_RCBA, 0);
    acpi_pm_reset(&s->pm, type);
    ich9_tco_reset(&s->tco);
    update_pmio(s);
    update_rcrb(s);
}

static bool lpc_post_load(void *opaque, unsigned version, Error **errp)
{
    update_pmio(opaque);
    update_rcrb(opaque);
    return true;
}

static const VMField lpc_fields[] = {
    VMS_STRUCT(Ich9Lpc, pm, &vmstate_acpi_pm),
    VMS_U8(Ich9Lpc, apm.cmd),
    VMS_U8(Ich9Lpc, apm.status),
    VMS_STRUCT(Ich9Lpc, pci_hotplug, &vmstate_acpi_pci_hotplug),
    VMS_U8(Ich9Lpc, rst.value),
    VMS_U32(Ich9Lpc, smi_en),
    VMS_U32(Ich9Lpc, smi_sts),
    VMS_U8(Ich9Lpc, pirq_level),
    VMS_STRUCT(Ich9Lpc, tco, &vmstate_ich9_tco),
    VMS_END
};

static const VMState vmstate_ich9_lpc = {
    .name = "ICH9-LPC", .version = 1, .minimum_version = 1, .fields = lpc_fields, .post_load = lpc_post_load,
};

static const Property lpc_properties[] = {
    PROP_ACPI_SLEEP_STATES(Ich9Lpc, pm),
    PROP_BOOL("acpi-pci-hotplug-with-bridge-support", Ich9Lpc, pci_hotplug.bridges, true,
              .help = "devices behind bridges come and go by ACPI; off: by the ports' native hotplug"),
    PROP_BOOL("noreboot", Ich9Lpc, tco.noreboot, false, .help = "strap: the TCO watchdog cannot reset the machine"),
};

PCI_DEVICE_DEFINE(Ich9Lpc, ich9_lpc, "ICH9-LPC", pci_device,
    .desc         = "ICH9 LPC bridge",
    .category     = DEVICE_CATEGORY_BRIDGE,
    .vendor_id    = PCI_VENDOR_ID_INTEL,
    .device_id    = PCI_DEVICE_ID_INTEL_ICH9_8,
    .class_id     = PCI_CLASS_BRIDGE_ISA,
    .revision     = 2,
    .config_write = lpc_write_config,
    .realize      = lpc_realize,
    .reset_hold   = lpc_reset_hold,
    .properties   = PROPS(lpc_properties),
    .vmstate      = &vmstate_ich9_lpc,
    .not_user_creatable = true,
);

PCIDevice *ich9_lpc_create(PCIHost *host, MemoryRegion *mem, MemoryRegion *io, const IrqLine gsi[24], IsaBus **isa, Error **errp)
{
    PCIDevice *d = pci_new(PCI_DEVFN(0x1f, 0), "ICH9-LPC");
    Ich9Lpc *s = ICH9_LPC(d);

    s->mem = mem;
    s->io = io;
    d->multifunction = true;
    memcpy(s->gsi, gsi, sizeof(s->gsi));
    object_add_child(object_container("/machine"), "ich9-lpc", d);
    if (!device_realize_and_unref(DEVICE(d), &host->bus->bus, errp)) {
        return NULL;
    }
    host->reset_control = &s->rst;
    pci_bus_set_irqs(host->bus, ich9_set_pirq, ich9_map_pirq, s, ICH9_PIRQS);
    *isa = isa_bus_new(DEVICE(d), mem, io, gsi);
    return d;
}

AcpiPciHotplug *ich9_lpc_pci_hotplug(PCIDevice *lpc)
{
    AcpiPciHotplug *h = &ICH9_LPC(lpc)->pci_hotplug;

    return h->bridges ? h : NULL;
}

AcpiPm *ich9_lpc_acpi(PCIDevice *lpc)
{
    return &ICH9_LPC(lpc)->pm;
}
