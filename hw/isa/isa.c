/*
 * The ISA bus: lines by number, ports by address.
 *
 * What must hold: a device's regions are on the bus's port space exactly while it is realized.
 * Locks: BQL.
 */
#include "hw/isa/isa.h"

#define PORT_SPACE_SIZE 0x10000u

IsaBus *isa_bus_new(Device *parent, MemoryRegion *mem, MemoryRegion *io, const IrqLine irqs[ISA_NUM_IRQS])
{
    IsaBus *bus = ISA_BUS(bus_new(&isa_bus_type, parent, "isa.0"));

    bus->mem = mem;
    bus->io = io;
    if (irqs) {
        isa_bus_set_irqs(bus, irqs);
    }
    return bus;
}

void isa_bus_set_irqs(IsaBus *bus, const IrqLine irqs[ISA_NUM_IRQS])
{
    memcpy(bus->irqs, irqs, sizeof(bus->irqs));
}

IrqLine isa_bus_get_irq(IsaBus *bus, unsigned n)
{
    assert(n < ISA_NUM_IRQS);
    return bus->irqs[n];
}

bool isa_get_irq(IsaDevice *dev, unsigned n, IrqLine *line, Error **errp)
{
    if (n >= ISA_NUM_IRQS) {
        error_setg(errp, "%s: interrupt line %u: an ISA bus has lines 0 to %u", dev->dev.obj.type->name, n,
                   ISA_NUM_IRQS - 1);
        return false;
    }
    *line = isa_bus_get_irq(isa_device_bus(dev), n);
    return true;
}

bool isa_register_ioport(IsaDevice *dev, MemoryRegion *mr, uint32_t base, Error **errp)
{
    uint64_t size = memory_region_size(mr);

    if (base >= PORT_SPACE_SIZE || size > PORT_SPACE_SIZE - base) {
        error_setg(errp, "%s: ports 0x%x to 0x%" PRIx64 " leave the 64 KiB port space", dev->dev.obj.type->name,
                   base, base + size - 1);
        memory_region_fini(mr);
        return false;
    }
    memory_region_add_subregion(isa_device_bus(dev)->io, base, mr);
    return true;
}

void isa_unregister_ioport(IsaDevice *dev, MemoryRegion *mr)
{
    if (mr->container) {
        memory_region_del_subregion(mr->container, mr);
        memory_region_fini(mr);
    }
}

Device *isa_bus_find(IsaBus *bus, const TypeInfo *type)
{
    for (unsigned i = 0; i < bus->bus.devices->len; i++) {
        Device *dev = g_ptr_array_index(bus->bus.devices, i);

        if (object_is(dev, type)) {
            return dev;
        }
    }
    return NULL;
}

BUS_DEFINE(IsaBus, isa_bus, "ISA", bus, .desc = "ISA bus");

DEVICE_DEFINE_ABSTRACT(IsaDevice, isa_device, "isa-device", device,
    .bus_type = &isa_bus_type,
    .not_hotpluggable = true);
