/*
 * PCI Express root port with native hotplug: "pcie-root-port".
 *
 * Reference: PCI Express Base, 6.7 (hot-plug), 7.8.9-7.8.11 (slot registers).
 *
 * The slot has presence detection, a power controller, indicators and an attention button.  To plug is to set
 * presence and link state and to say so; to unplug is to press the button: the guest quiesces the device
 * and switches the slot's power off, and then the device is gone.
 */
#include "hw/pci/msix.h"
#include "hw/pci/pci-bridge.h"
#include "hw/pci/pci-internal.h"

#include "util/main-loop.h"
#include "util/timer.h"

/* The guest blinks its indicator for five seconds before it acts on the button (6.7.1.5); it may not have heard it. */
#define UNPLUG_RETRY_NS (5 * NANOSECONDS_PER_SECOND)

typedef struct PCIERootPort {
    PCIBridge bridge;
    uint8_t port, chassis;
    uint16_t slot;
    bool hotplug;
    BottomHalf *eject;
} PCIERootPort;

OBJECT_DECLARE(PCIERootPort, PCIE_ROOT_PORT, pcie_root_port)

enum {
    SLTSTA_EVENTS = PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_DLLSC,
    PIC_OFF = PCI_EXP_SLTCTL_PIC, PIC_ON = 0x100, PIC_BLINK = 0x200,
};

static uint8_t *exp_reg(PCIERootPort *rp, unsigned reg)
{
    return rp->bridge.pci.config + rp->bridge.pci.exp_cap + reg;
}

static void set_bits(uint8_t *reg, uint16_t clear, uint16_t set)
{
    pci_set_word(reg, (uint16_t)((pci_get_word(reg) & ~clear) | set));
}

/* 6.7.3.1: an interrupt is pending while an enabled event's status bit is set. */
static bool slot_interrupt(PCIERootPort *rp)
{
    uint16_t ctl = pci_get_word(exp_reg(rp, PCI_EXP_SLTCTL)), sta = pci_get_word(exp_reg(rp, PCI_EXP_SLTSTA));

    return (ctl & PCI_EXP_SLTCTL_HPIE)
        && (((ctl & PCI_EXP_SLTCTL_ABPE) && (sta & PCI_EXP_SLTSTA_ABP))
            || ((ctl & PCI_EXP_SLTCTL_PDCE) && (sta & PCI_EXP_SLTSTA_PDC))
            || ((ctl & PCI_EXP_SLTCTL_CCIE) && (sta & PCI_EXP_SLTSTA_CC))
            || ((ctl & PCI_EXP_SLTCTL_DLLSCE) && (sta & PCI_EXP_SLTSTA_DLLSC)));
}

static void slot_update_irq(PCIERootPort *rp, bool was)
{
    PCIDevice *d = &rp->bridge.pci;
    bool now = slot_interrupt(rp);

    if (msi_enabled(d)) {
        if (now && !was) {
            msi_notify(d, 0);
        }
    } else {
        pci_set_irq(d, now);
    }
}

static void slot_event(PCIERootPort *rp, uint16_t events)
{
    bool was = slot_interrupt(rp);

    set_bits(exp_reg(rp, PCI_EXP_SLTSTA), 0, events);
    slot_update_irq(rp, was);
}

static void slot_set_present(PCIERootPort *rp, bool present)
{
    set_bits(exp_reg(rp, PCI_EXP_SLTSTA), PCI_EXP_SLTSTA_PDS, present ? PCI_EXP_SLTSTA_PDS : 0);
    set_bits(exp_reg(rp, PCI_EXP_LNKSTA), PCI_EXP_LNKSTA_DLLLA, present ? PCI_EXP_LNKSTA_DLLLA : 0);
}

static bool slot_powered(PCIERootPort *rp)
{
    return !(pci_get_word(exp_reg(rp, PCI_EXP_SLTCTL)) & PCI_EXP_SLTCTL_PCC);
}

static bool bus_occupied(const PCIBus *bus)
{
    return bus->bus.devices->len != 0;
}

/* --- the hotplug handler of the secondary bus --- */

static bool rp_plug(void *opaque, Device *dev, Error **errp)
{
    PCIERootPort *rp = opaque;

    /* Functions other than 0 are announced by function 0, which comes last. */
    if (dev->hotplugged && PCI_FUNC(PCI_DEVICE(dev)->devfn)) {
        return true;
    }
    slot_set_present(rp, true);
    if (dev->hotplugged) {
        slot_event(rp, PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
    }
    return true;
}

static void rp_eject(void *opaque)
{
    PCIERootPort *rp = opaque;
    PCIBus *sec = rp->bridge.sec;

    while (bus_occupied(sec)) {
        device_unplug_done(g_ptr_array_index(sec->bus.devices, sec->bus.devices->len - 1));
    }
}

/* The last function goes: whoever took it out, the slot shows it. */
static void rp_unplug(void *opaque, Device *dev)
{
    PCIERootPort *rp = opaque;

    if (rp->bridge.sec->bus.devices->len == 1) {
        bh_cancel(rp->eject);           /* it was for this device, not for one that comes next */
        slot_set_present(rp, false);
        slot_event(rp, PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
    }
}

static bool rp_unplug_request(void *opaque, Device *dev, Error **errp)
{
    PCIERootPort *rp = opaque;

    if (!slot_powered(rp)) {
        bh_schedule(rp->eject);         /* the guest is not using it */
        return true;
    }
    dev->unplug_retry_ns = clock_get_ns(CLOCK_TYPE_VIRTUAL) + UNPLUG_RETRY_NS;
    slot_event(rp, PCI_EXP_SLTSTA_ABP);
    return true;
}

static const HotplugHandler rp_hotplug = { .plug = rp_plug, .unplug_request = rp_unplug_request, .unplug = rp_unplug };

/* --- configuration writes --- */

/* Power off and its indicator off, set in either order: the guest has let go (6.7.1.8). */
static bool slot_released(uint16_t ctl)
{
    return (ctl & PCI_EXP_SLTCTL_PCC) && (ctl & PCI_EXP_SLTCTL_PIC) == PIC_OFF;
}

static bool unplug_is_pending(const PCIERootPort *rp)
{
    GPtrArray *devices = rp->bridge.sec->bus.devices;

    for (unsigned i = 0; i < devices->len; i++) {
        if (DEVICE(g_ptr_array_index(devices, i))->unplug_pending) {
            return true;
        }
    }
    return false;
}

static void unplug_refused(PCIERootPort *rp)
{
    GPtrArray *devices = rp->bridge.sec->bus.devices;

    for (unsigned i = 0; i < devices->len; i++) {
        Device *dev = g_ptr_array_index(devices, i);

        if (dev->unplug_pending) {
            device_unplug_refused(dev);
        }
    }
}

static void slot_control_written(PCIERootPort *rp, uint16_t old_ctl)
{
    uint16_t ctl = pci_get_word(exp_reg(rp, PCI_EXP_SLTCTL));

    if (!slot_released(old_ctl) && slot_released(ctl)) {
        bh_schedule(rp->eject);
    } else if ((old_ctl & PCI_EXP_SLTCTL_PIC) == PIC_BLINK && (ctl & PCI_EXP_SLTCTL_PIC) == PIC_ON) {
        unplug_refused(rp);             /* it blinked, as after the button, and goes on (6.7.1.5) */
    }
    set_bits(exp_reg(rp, PCI_EXP_SLTSTA), 0, PCI_EXP_SLTSTA_CC);
}

static void rp_write_config(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len)
{
    PCIERootPort *rp = PCIE_ROOT_PORT(d);
    uint16_t old_ctl = pci_get_word(exp_reg(rp, PCI_EXP_SLTCTL));
    bool was = slot_interrupt(rp);

    pci_bridge_write_config(d, addr, val, len);
    if (rp->hotplug) {
        if (pci_ranges_overlap(addr, len, d->exp_cap + PCI_EXP_SLTCTL, 2)) {
            slot_control_written(rp, old_ctl);
        }
        slot_update_irq(rp, was);
    }
}

/* --- life --- */

static void slot_init(PCIERootPort *rp)
{
    PCIDevice *d = &rp->bridge.pci;
    uint32_t cap = (uint32_t)rp->slot << PCI_EXP_SLTCAP_PSN_SHIFT;

    set_bits(exp_reg(rp, PCI_EXP_FLAGS), 0, PCI_EXP_FLAGS_SLOT);
    pci_set_long(exp_reg(rp, PCI_EXP_LNKCAP), pci_get_long(exp_reg(rp, PCI_EXP_LNKCAP)) | PCI_EXP_LNKCAP_DLLLARC);
    if (rp->hotplug) {
        cap |= PCI_EXP_SLTCAP_ABP | PCI_EXP_SLTCAP_PCP | PCI_EXP_SLTCAP_AIP | PCI_EXP_SLTCAP_PIP | PCI_EXP_SLTCAP_HPS
             | PCI_EXP_SLTCAP_HPC;
        pci_set_word(d->wmask + d->exp_cap + PCI_EXP_SLTCTL,
                     PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_CCIE | PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_AIC
                     | PCI_EXP_SLTCTL_PIC | PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_DLLSCE);
        pci_set_word(d->w1cmask + d->exp_cap + PCI_EXP_SLTSTA, SLTSTA_EVENTS);
    }
    pci_set_long(exp_reg(rp, PCI_EXP_SLTCAP), cap);
    pci_set_word(d->wmask + d->exp_cap + PCI_EXP_RTCTL, 0x000f);
}

static void rp_reset_hold(Device *dev, ResetType type)
{
    PCIERootPort *rp = PCIE_ROOT_PORT(dev);
    bool present = bus_occupied(rp->bridge.sec);

    pci_set_word(exp_reg(rp, PCI_EXP_SLTCTL), rp->hotplug ? (uint16_t)(0xc0 | (present ? PIC_ON : PIC_OFF | PCI_EXP_SLTCTL_PCC)) : 0);
    pci_set_word(exp_reg(rp, PCI_EXP_SLTSTA), 0);
    pci_set_word(exp_reg(rp, PCI_EXP_RTCTL), 0);
    slot_set_present(rp, present);
    if (unplug_is_pending(rp)) {        /* the guest did not get to it and has forgotten */
        bh_schedule(rp->eject);
    }
}

static void rp_unrealize(Device *dev)
{
    bh_free(PCIE_ROOT_PORT(dev)->eject);
}

static bool rp_realize(Device *dev, Error **errp)
{
    PCIERootPort *rp = PCIE_ROOT_PORT(dev);
    PCIDevice *d = &rp->bridge.pci;

    if (!pci_is_express(d)) {
        error_setg(errp, "pcie-root-port needs a PCI Express bus, '%s' is not one", dev->parent_bus->obj.name);
        return false;
    }
    pci_config_set_interrupt_pin(d, 1);
    if (!pcie_cap_init(d, 0x40, PCI_EXP_TYPE_ROOT_PORT, rp->port, errp) || !msi_init(d, 0, 1, true, true, errp)) {
        return false;
    }
    slot_init(rp);
    pcie_add_capability(d, PCI_EXT_CAP_ID_ACS, 1, 0x100, 8);
    pci_set_word(d->config + 0x104, 0x1d);          /* ACS: source validation, redirects, upstream forwarding */
    pci_set_word(d->wmask + 0x106, 0x1d);
    rp->bridge.sec->slot_max = 1;
    rp->eject = bh_new(rp_eject, rp);
    if (rp->hotplug) {                  /* without it, presence is that of the last reset */
        bus_set_hotplug_handler(&rp->bridge.sec->bus, &rp_hotplug, rp);
    }
    return true;
}

static const Property rp_properties[] = {
    PROP_UINT8("port", PCIERootPort, port, 0, .help = "port number in the link capabilities"),
    PROP_UINT8("chassis", PCIERootPort, chassis, 0, .help = "chassis the slot is in"),
    PROP_UINT16("slot", PCIERootPort, slot, 0, .max = 8191, .help = "physical slot number"),
    PROP_BOOL("hotplug", PCIERootPort, hotplug, true, .help = "the slot takes devices while the machine runs"),
};

static const VMField rp_fields[] = { VMS_END };
static const VMState vmstate_root_port = {
    .name = "pcie-root-port", .version = 1, .minimum_version = 1, .fields = rp_fields,
};

PCI_DEVICE_DEFINE(PCIERootPort, pcie_root_port, "pcie-root-port", pci_bridge,
    .desc         = "PCI Express root port",
    .category     = DEVICE_CATEGORY_BRIDGE,
    .vendor_id    = PCI_VENDOR_ID_REDHAT,
    .device_id    = PCI_DEVICE_ID_REDHAT_PCIE_RP,
    .class_id     = PCI_CLASS_BRIDGE_PCI,
    .is_bridge    = true,
    .is_express   = true,
    .config_write = rp_write_config,
    .realize      = rp_realize,
    .unrealize    = rp_unrealize,
    .reset_hold   = rp_reset_hold,
    .properties   = PROPS(rp_properties),
    .vmstate      = &vmstate_root_port,
    .not_hotpluggable = true,
);
