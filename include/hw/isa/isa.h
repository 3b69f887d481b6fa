/*
 * The ISA bus: devices with fixed port addresses and one of sixteen interrupt lines.
 *
 * An LPC or PIIX bridge (or a board without PCI) makes one bus and gives it its lines; a device
 * names its port and line by property, maps itself at realize and is taken off at unrealize.
 */
#ifndef HW_ISA_ISA_H
#define HW_ISA_ISA_H

#include "hw/core/qdev.h"
#include "system/memory.h"

#define ISA_NUM_IRQS 16

/* What iobase, irq and index properties say when the user leaves the choice to the device. */
#define ISA_AUTO UINT32_MAX

typedef struct IsaBus {
    Bus bus;
    MemoryRegion *mem;              /* borrowed: the bridge's memory window; may be NULL */
    MemoryRegion *io;               /* borrowed: the port space */
    IrqLine irqs[ISA_NUM_IRQS];
    uint32_t serials, parallels;    /* bit maps of "index" values taken */
} IsaBus;

extern const TypeInfo isa_bus_type;             /* "ISA" */
static inline IsaBus *ISA_BUS(const void *obj)
{
    return (IsaBus *)object_check_cast(obj, &isa_bus_type);
}

typedef struct IsaDevice {
    Device dev;
} IsaDevice;

extern const TypeInfo isa_device_type;          /* "isa-device", abstract */
static inline IsaDevice *ISA_DEVICE(const void *obj)
{
    return (IsaDevice *)object_check_cast(obj, &isa_device_type);
}

/*
 * The bus, named "isa.0", as child of bridge @parent (NULL: of the machine).  @irqs are copied; NULL = none yet,
 * the bridge then calls isa_bus_set_irqs() before the first device that uses a line is realized.
 */
IsaBus *isa_bus_new(Device *parent, MemoryRegion *mem, MemoryRegion *io, const IrqLine irqs[ISA_NUM_IRQS]);
void isa_bus_set_irqs(IsaBus *bus, const IrqLine irqs[ISA_NUM_IRQS]);

/* The bus a device sits on; valid from its realize to its unrealize. */
static inline IsaBus *isa_device_bus(const IsaDevice *dev)
{
    return ISA_BUS(dev->dev.parent_bus);
}

/* Line @n of @bus, a value to keep; a line the bridge left unconnected is silent. */
IrqLine isa_bus_get_irq(IsaBus *bus, unsigned n);
/* The same by device; fails, naming the device, when @n is not 0..15. */
bool isa_get_irq(IsaDevice *dev, unsigned n, IrqLine *line, Error **errp) MUST_USE;

/* Map @mr at port @base; fails, finishing @mr, if it would leave the 64 KiB port space. */
bool isa_register_ioport(IsaDevice *dev, MemoryRegion *mr, uint32_t base, Error **errp) MUST_USE;
/* Unmap and finish @mr; nothing if it was never initialised. */
void isa_unregister_ioport(IsaDevice *dev, MemoryRegion *mr);

/* Find the first device of @type on @bus; NULL if none. */
Device *isa_bus_find(IsaBus *bus, const TypeInfo *type);

#endif
