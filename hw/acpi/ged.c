/*
 * "acpi-ged": generic event device with the sleep and reset registers of a hardware-reduced machine.
 *
 * Reference: ACPI 6.4, 5.6.9 (interrupt-signalled events), 4.8.3.7 (sleep control and status), 4.8.3.6 (reset).
 *
 * Invariant: the line is high exactly while the selector is not zero; reading the selector clears it.
 */
#include "hw/acpi/ged.h"

#include "system/runstate.h"
#include "util/log.h"

enum { REG_SLEEP_CTL = 0, REG_SLEEP_STS = 1, REG_RESET = 2, SLP_TYP_SHIFT = 2, SLP_EN = 1 << 5 };

typedef struct AcpiGed {
    SysBusDevice sbd;
    MemoryRegion evt_mr, regs_mr;
    IrqLine irq;
    uint32_t sel;
} AcpiGed;

OBJECT_DECLARE(AcpiGed, ACPI_GED, acpi_ged)

static uint64_t evt_read(void *opaque, hwaddr addr, unsigned size)
{
    AcpiGed *s = opaque;
    uint32_t sel = s->sel;

    s->sel = 0;
    irq_lower(s->irq);
    return sel;
}

static void evt_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    guest_error("acpi-ged", "write of 0x%" PRIx64 " to the event selector, which is read-only", data);
}

static uint64_t regs_read(void *opaque, hwaddr addr, unsigned size)
{
    return 0;
}

static void regs_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    if (addr == REG_SLEEP_CTL && (data & SLP_EN)) {
        if ((data >> SLP_TYP_SHIFT & 7) == GED_SLP_TYP_S5) {
            system_shutdown_request(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
        } else {
            guest_unimp("acpi-ged", "sleep type %u (only S5 is offered)", (unsigned)(data >> SLP_TYP_SHIFT & 7));
        }
    } else if (addr == REG_RESET && data == GED_RESET_VALUE) {
        system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

static const MemoryRegionOps evt_ops = { .read = evt_read, .write = evt_write, .valid = { 4, 4 }, .impl = { 4, 4 } };
static const MemoryRegionOps regs_ops = { .read = regs_read, .write = regs_write, .valid = { 1, 1 }, .impl = { 1, 1 } };

static void power_button(void *opaque)
{
    AcpiGed *s = opaque;

    s->sel |= GED_EVT_POWER_BUTTON;
    irq_raise(s->irq);
}

static bool ged_realize(Device *dev, Error **errp)
{
    AcpiGed *s = ACPI_GED(dev);

    memory_region_init_io(&s->evt_mr, s, &evt_ops, s, "acpi-ged", GED_EVT_SIZE);
    memory_region_init_io(&s->regs_mr, s, &regs_ops, s, "acpi-ged-regs", GED_REGS_SIZE);
    sysbus_init_mmio(&s->sbd, &s->evt_mr);
    sysbus_init_mmio(&s->sbd, &s->regs_mr);
    sysbus_init_irq(&s->sbd, &s->irq);
    system_powerdown_notify_add(power_button, s);
    return true;
}

static void ged_reset_hold(Device *dev, ResetType type)
{
    AcpiGed *s = ACPI_GED(dev);

    s->sel = 0;
    irq_lower(s->irq);
}

static const VMField ged_fields[] = { VMS_U32(AcpiGed, sel), VMS_END };
static const VMState vmstate_ged = { .name = "acpi-ged", .version = 1, .minimum_version = 1, .fields = ged_fields };

DEVICE_DEFINE(AcpiGed, acpi_ged, "acpi-ged", sysbus_device,
    .desc       = "ACPI generic event device",
    .realize    = ged_realize,
    .reset_hold = ged_reset_hold,
    .vmstate    = &vmstate_ged,
)

bool acpi_ged_create(MemoryRegion *mem, hwaddr base, IrqLine irq, Error **errp)
{
    AcpiGed *s = ACPI_GED(device_new(&acpi_ged_type));

    object_add_child(object_container("/machine"), "acpi-ged", s);
    if (!device_realize_and_unref(DEVICE(s), NULL, errp)) {
        return false;
    }
    sysbus_mmio_map(&s->sbd, 0, mem, base + GED_EVT_OFFSET);
    sysbus_mmio_map(&s->sbd, 1, mem, base + GED_REGS_OFFSET);
    sysbus_connect_irq(&s->sbd, 0, irq);
    return true;
}
