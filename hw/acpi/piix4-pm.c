/*
 * PIIX4 power management function: "PIIX4_PM" at 00:01.3.
 *
 * Reference: Intel 82371AB data sheet, chapter 7: PMBASE (0x40), DEVACTB (0x58), PMREGMISC (0x80).  General-purpose
 * events sit at a fixed port, 0xafe0, as this board's ACPI tables say.
 */
#include "hw/i386/chipset.h"

#include "system/runstate.h"

enum { PM_PMBASE = 0x40, PM_DEVACTB3 = 0x5b, DEVACTB_APMC_EN = 0x02, PM_PMREGMISC = 0x80, PMREGMISC_PMIOSE = 0x01, PMIO_SIZE = 64 };

typedef struct Piix4Pm {
    PCIDevice pci;
    AcpiPm pm;
    ApmPorts apm;
    AcpiPciHotplug pci_hotplug;
    MemoryRegion pmio;
    bool pmio_mapped;
    hwaddr pmio_base;
    IrqLine sci;
} Piix4Pm;

OBJECT_DECLARE(Piix4Pm, PIIX4_PM, piix4_pm)

static void apm_written(void *opaque, uint8_t cmd)
{
    Piix4Pm *s = opaque;

    if (cmd == PIIX4_ACPI_ENABLE || cmd == PIIX4_ACPI_DISABLE) {
        acpi_pm_set_enabled(&s->pm, cmd == PIIX4_ACPI_ENABLE);
    }
}

static void update_pmio(Piix4Pm *s)
{
    MemoryRegion *io = pci_get_bus(&s->pci)->io;
    hwaddr base = pci_get_long(s->pci.config + PM_PMBASE) & 0xffc0;
    bool on = (s->pci.config[PM_PMREGMISC] & PMREGMISC_PMIOSE) && base;

    if (on == s->pmio_mapped && (!on || base == s->pmio_base)) {
        return;
    }
    memory_transaction_begin();
    if (s->pmio_mapped) {
        memory_region_del_subregion(io, &s->pmio);
    }
    if (on) {
        memory_region_add_subregion_overlap(io, base, &s->pmio, 1);
    }
    s->pmio_mapped = on;
    s->pmio_base = base;
    memory_transaction_commit();
}

static void pm_write_config(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len)
{
    pci_default_write_config(d, addr, val, len);
    if ((addr < PM_PMBASE + 4 && addr + len > PM_PMBASE) || (addr <= PM_PMREGMISC && addr + len > PM_PMREGMISC)) {
        update_pmio(PIIX4_PM(d));
    }
}

static void power_button(void *opaque)
{
    acpi_pm_power_button(&((Piix4Pm *)opaque)->pm);
}

/* When all devices are reset: it may remove some. */
static void hotplug_reset(void *opaque, ResetType type)
{
    acpi_pci_hotplug_reset(&((Piix4Pm *)opaque)->pci_hotplug);
}

static bool pm_realize(Device *dev, Error **errp)
{
    Piix4Pm *s = PIIX4_PM(dev);
    PCIDevice *d = &s->pci;
    MemoryRegion *io = pci_get_bus(d)->io;

    pci_config_set_interrupt_pin(d, 1);
    d->config[PCI_INTERRUPT_LINE] = 9;
    pci_set_long(d->wmask + PM_PMBASE, 0xffc0);
    pci_set_long(d->config + PM_PMBASE, 1);
    d->wmask[PM_PMREGMISC] = PMREGMISC_PMIOSE;
    acpi_pm_init(&s->pm, s, s->sci, PIIX4_GPE_LEN / 2);
    memory_region_init(&s->pmio, s, "piix4-pm", PMIO_SIZE);
    memory_region_add_subregion(&s->pmio, 0, &s->pm.evt_mr);
    memory_region_add_subregion(&s->pmio, 4, &s->pm.cnt_mr);
    memory_region_add_subregion(&s->pmio, 8, &s->pm.tmr_mr);
    memory_region_add_subregion(io, PIIX4_GPE_BASE, &s->pm.gpe_mr);
    apm_ports_init(&s->apm, s, io, apm_written);
    if (s->pci_hotplug.root || s->pci_hotplug.bridges) {
        acpi_pci_hotplug_init(&s->pci_hotplug, s, io, PIIX4_PCI_HOTPLUG_BASE, &s->pm);
        reset_register(hotplug_reset, s);
    }
    system_powerdown_notify_add(power_button, s);
    return true;
}

static void pm_reset_hold(Device *dev, ResetType type)
{
    Piix4Pm *s = PIIX4_PM(dev);

    pci_set_long(s->pci.config + PM_PMBASE, 1);
    s->pci.config[PM_PMREGMISC] = 0;
    /* No system management mode is offered: tell firmware that it is set up already. */
    s->pci.config[PM_DEVACTB3] = DEVACTB_APMC_EN;
    s->apm.cmd = s->apm.status = 0;
    acpi_pm_reset(&s->pm, type);
    update_pmio(s);
}

static bool pm_post_load(void *opaque, unsigned version, Error **errp)
{
    update_pmio(opaque);
    return true;
}

static const VMField piix4_pm_fields[] = {
    VMS_STRUCT(Piix4Pm, pm, &vmstate_acpi_pm),
    VMS_U8(Piix4Pm, apm.cmd),
    VMS_U8(Piix4Pm, apm.status),
    VMS_STRUCT(Piix4Pm, pci_hotplug, &vmstate_acpi_pci_hotplug),
    VMS_END
};

static const VMState vmstate_piix4_pm = {
    .name = "piix4_pm", .version = 1, .minimum_version = 1, .fields = piix4_pm_fields, .post_load = pm_post_load,
};

static const Property piix4_pm_properties[] = {
    PROP_ACPI_SLEEP_STATES(Piix4Pm, pm),
    PROP_BOOL("acpi-pci-hotplug-with-bridge-support", Piix4Pm, pci_hotplug.bridges, true,
              .help = "devices behind bridges come and go by ACPI"),
    PROP_BOOL("acpi-root-pci-hotplug", Piix4Pm, pci_hotplug.root, true, .help = "so do those on the root bus"),
};

PCI_DEVICE_DEFINE(Piix4Pm, piix4_pm, "PIIX4_PM", pci_device,
    .desc         = "PIIX4 power management",
    .category     = DEVICE_CATEGORY_BRIDGE,
    .vendor_id    = PCI_VENDOR_ID_INTEL,
    .device_id    = PCI_DEVICE_ID_INTEL_82371AB_3,
    .class_id     = PCI_CLASS_BRIDGE_OTHER,
    .revision     = 3,
    .config_write = pm_write_config,
    .realize      = pm_realize,
    .reset_hold   = pm_reset_hold,
    .properties   = PROPS(piix4_pm_properties),
    .vmstate      = &vmstate_piix4_pm,
    .not_user_creatable = true,
);

PCIDevice *piix4_pm_create(PCIBus *bus, IrqLine sci, Error **errp)
{
    PCIDevice *d = pci_new(PCI_DEVFN(1, 3), "PIIX4_PM");

    PIIX4_PM(d)->sci = sci;
    object_add_child(object_container("/machine"), "piix4-pm", d);
    return device_realize_and_unref(DEVICE(d), &bus->bus, errp) ? d : NULL;
}

AcpiPciHotplug *piix4_pm_pci_hotplug(PCIDevice *pm)
{
    AcpiPciHotplug *h = &PIIX4_PM(pm)->pci_hotplug;

    return h->root || h->bridges ? h : NULL;
}

AcpiPm *piix4_pm_acpi(PCIDevice *pm)
{
    return &PIIX4_PM(pm)->pm;
}
