/*
 * pvpanic: reading the port says which events are understood, writing reports them.
 *
 * Locks: BQL.
 */
#include "hw/misc/pvpanic.h"
#include "system/runstate.h"
#include "util/log.h"

typedef struct PvPanicIsa {
    IsaDevice isa;
    MemoryRegion io;
    uint16_t ioport;
    uint8_t events;
} PvPanicIsa;

static PvPanicIsa *PVPANIC_ISA(const void *obj)
{
    return (PvPanicIsa *)object_check_cast(obj, &pvpanic_isa_type);
}

void pvpanic_handle_event(uint8_t events, uint8_t value)
{
    if (value & ~events) {
        guest_error("pvpanic", "unknown event 0x%02x", value);
    }
    value &= events;
    if (value & PVPANIC_PANICKED) {
        system_guest_panicked();
    } else if (value & PVPANIC_CRASH_LOADED) {
        system_guest_crashloaded();
    } else if (value & PVPANIC_SHUTDOWN) {
        system_shutdown_request(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    }
}

static uint64_t pvpanic_read(void *opaque, hwaddr addr, unsigned size)
{
    PvPanicIsa *s = opaque;

    return s->events;
}

static void pvpanic_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    PvPanicIsa *s = opaque;

    pvpanic_handle_event(s->events, data);
}

static const MemoryRegionOps pvpanic_ops = {
    .read = pvpanic_read,
    .write = pvpanic_write,
    .impl = { .min = 1, .max = 1 },
};

static bool pvpanic_realize(Device *dev, Error **errp)
{
    PvPanicIsa *s = PVPANIC_ISA(dev);

    memory_region_init_io(&s->io, s, &pvpanic_ops, s, "pvpanic", 1);
    return isa_register_ioport(&s->isa, &s->io, s->ioport, errp);
}

static void pvpanic_unrealize(Device *dev)
{
    PvPanicIsa *s = PVPANIC_ISA(dev);

    isa_unregister_ioport(&s->isa, &s->io);
}

uint16_t pvpanic_isa_port(IsaBus *bus)
{
    Device *dev = isa_bus_find(bus, &pvpanic_isa_type);

    return dev ? PVPANIC_ISA(dev)->ioport : 0;
}

static const Property pvpanic_properties[] = {
    PROP_UINT16("ioport", PvPanicIsa, ioport, 0x505, .help = "the port"),
    PROP_UINT8("events", PvPanicIsa, events, PVPANIC_EVENTS, .max = PVPANIC_EVENTS,
               .help = "events offered: 1 panicked, 2 crash kernel loaded, 4 shut down"),
};

DEVICE_DEFINE(PvPanicIsa, pvpanic_isa, "pvpanic", isa_device,
    .desc = "guest panic notification port",
    .properties = PROPS(pvpanic_properties),
    .realize = pvpanic_realize,
    .unrealize = pvpanic_unrealize,
    .vmstate = &vmstate_none,
    .not_hotpluggable = true);
