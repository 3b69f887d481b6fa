/*
 * isa-debug-exit: writing V to the port ends the process with status (V << 1) | 1.
 *
 * Test kernels use it; the status is odd so that it differs from an orderly end's 0.  Locks: BQL.
 */
#include "hw/isa/isa.h"
#include "system/runstate.h"

typedef struct DebugExit {
    IsaDevice isa;
    MemoryRegion io;
    uint32_t iobase, iosize;
} DebugExit;

extern const TypeInfo isa_debug_exit_type;

static DebugExit *DEBUG_EXIT(const void *obj)
{
    return (DebugExit *)object_check_cast(obj, &isa_debug_exit_type);
}

static uint64_t debug_exit_read(void *opaque, hwaddr addr, unsigned size)
{
    return 0;
}

static void debug_exit_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    system_shutdown_request_with_code(SHUTDOWN_CAUSE_GUEST_SHUTDOWN, (int)((uint32_t)data << 1 | 1));
}

static const MemoryRegionOps debug_exit_ops = {
    .read = debug_exit_read,
    .write = debug_exit_write,
    .valid = { .min = 1, .max = 4 },
    .impl = { .min = 1, .max = 4 },
};

static bool debug_exit_realize(Device *dev, Error **errp)
{
    DebugExit *s = DEBUG_EXIT(dev);

    memory_region_init_io(&s->io, s, &debug_exit_ops, s, "isa-debug-exit", s->iosize);
    return isa_register_ioport(&s->isa, &s->io, s->iobase, errp);
}

static void debug_exit_unrealize(Device *dev)
{
    DebugExit *s = DEBUG_EXIT(dev);

    isa_unregister_ioport(&s->isa, &s->io);
}

static const Property debug_exit_properties[] = {
    PROP_UINT32("iobase", DebugExit, iobase, 0x501, .help = "first port"),
    PROP_UINT32("iosize", DebugExit, iosize, 2, .min = 1, .max = 0x10000, .help = "how many ports"),
};

DEVICE_DEFINE(DebugExit, isa_debug_exit, "isa-debug-exit", isa_device,
    .desc = "port that ends the emulator with a status of the guest's choice",
    .properties = PROPS(debug_exit_properties),
    .realize = debug_exit_realize,
    .unrealize = debug_exit_unrealize,
    .vmstate = &vmstate_none,
    .not_hotpluggable = true);
