/*
 * The system bus: devices whose MMIO and lines the board places by hand.
 */
#include "hw/core/qdev.h"
#include "system/memory.h"

DEVICE_DEFINE_ABSTRACT(SysBusDevice, sysbus_device, "sys-bus-device", device,
    .not_user_creatable = true,
)

void sysbus_init_mmio(SysBusDevice *sbd, MemoryRegion *mr)
{
    assert(sbd->n_mmio < SYSBUS_MAX_MMIO);
    sbd->mmio[sbd->n_mmio++] = mr;
}

void sysbus_init_irq(SysBusDevice *sbd, IrqLine *out)
{
    assert(sbd->n_irq < SYSBUS_MAX_IRQ);
    sbd->irq[sbd->n_irq++] = out;
}

void sysbus_mmio_map(SysBusDevice *sbd, unsigned n, MemoryRegion *into, hwaddr addr)
{
    assert(n < sbd->n_mmio);
    memory_region_add_subregion(into, addr, sbd->mmio[n]);
}

void sysbus_connect_irq(SysBusDevice *sbd, unsigned n, IrqLine line)
{
    assert(n < sbd->n_irq);
    *sbd->irq[n] = line;
}
