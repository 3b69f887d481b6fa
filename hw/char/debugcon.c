/*
 * isa-debugcon: a port (usually 0xe9) whose written bytes go to a back end, as Bochs offers.
 *
 * Reading answers the readback property, by which guests find it.  Output is buffered in a fixed
 * FIFO while the back end is full; what does not fit then is dropped: the port has no way to say "wait".
 * Locks: BQL.
 */
#include "hw/char/serial.h"
#include "system/chardev.h"

#define DEBUGCON_FIFO_LEN 4096

typedef struct DebugCon {
    IsaDevice isa;
    MemoryRegion io;
    CharBackend chr;
    uint8_t fifo[DEBUGCON_FIFO_LEN];
    uint32_t count;

    /* properties */
    uint32_t iobase, readback;
} DebugCon;

static DebugCon *DEBUGCON(const void *obj)
{
    return (DebugCon *)object_check_cast(obj, &isa_debugcon_type);
}

static void debugcon_flush(DebugCon *s)
{
    size_t taken = char_write(&s->chr, s->fifo, s->count);

    s->count -= MIN(taken, s->count);
    memmove(s->fifo, s->fifo + taken, s->count);
}

static void debugcon_writable(void *opaque)
{
    DebugCon *s = opaque;

    if (s->count) {
        debugcon_flush(s);
    }
}

static uint64_t debugcon_read(void *opaque, hwaddr addr, unsigned size)
{
    DebugCon *s = opaque;

    return s->readback;
}

static void debugcon_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    DebugCon *s = opaque;

    if (s->count < DEBUGCON_FIFO_LEN) {
        s->fifo[s->count++] = data;
    }
    /* While the back end is full, writable() goes on; trying again at each byte would only cost time. */
    if (s->count == 1 || s->count == DEBUGCON_FIFO_LEN) {
        debugcon_flush(s);
    }
}

static const MemoryRegionOps debugcon_ops = {
    .read = debugcon_read,
    .write = debugcon_write,
    .impl = { .min = 1, .max = 1 },
};

static const CharHandlers debugcon_handlers = { .writable = debugcon_writable, .swappable = true };

static bool debugcon_realize(Device *dev, Error **errp)
{
    DebugCon *s = DEBUGCON(dev);

    memory_region_init_io(&s->io, s, &debugcon_ops, s, "isa-debugcon", 1);
    if (!isa_register_ioport(&s->isa, &s->io, s->iobase, errp)) {
        return false;
    }
    char_backend_set_handlers(&s->chr, &debugcon_handlers, s);
    return true;
}

static void debugcon_unrealize(Device *dev)
{
    DebugCon *s = DEBUGCON(dev);

    char_backend_set_handlers(&s->chr, NULL, NULL);
    isa_unregister_ioport(&s->isa, &s->io);
}

static const Property debugcon_properties[] = {
    PROP_UINT32("iobase", DebugCon, iobase, 0xe9, .help = "the port"),
    PROP_CHARDEV("chardev", DebugCon, chr, .help = "back end; none = output discarded"),
    PROP_UINT32("readback", DebugCon, readback, 0xe9, .help = "what reading the port answers"),
};

/* Written bytes are the host's as soon as they are written; the guest sees no state. */
DEVICE_DEFINE(DebugCon, isa_debugcon, "isa-debugcon", isa_device,
    .desc = "debug console port",
    .properties = PROPS(debugcon_properties),
    .category = DEVICE_CATEGORY_INPUT,
    .realize = debugcon_realize,
    .unrealize = debugcon_unrealize,
    .vmstate = &vmstate_none,
    .not_hotpluggable = true);
