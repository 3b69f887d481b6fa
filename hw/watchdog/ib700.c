/*
 * "ib700": the watchdog of the iBASE IB700 single-board computer, on the ISA bus.
 *
 * Port 0x443 starts it with a time from a table of sixteen (30 s down to 0 s in steps of 2), port 0x441 stops it.
 */
#include "hw/isa/isa.h"
#include "system/runstate.h"
#include "util/timer.h"

enum { PORT_STOP = 0x441, PORT_START = 0x443, STEP_S = 2, LONGEST = 15 };

typedef struct Ib700 {
    IsaDevice isa;
    MemoryRegion start_io, stop_io;
    Timer timer;
} Ib700;

OBJECT_DECLARE(Ib700, IB700, ib700)

static void expired(void *opaque)
{
    system_watchdog_expired();
}

static void start_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    Ib700 *s = opaque;
    int64_t seconds = STEP_S * (LONGEST - (int64_t)(data & 0xf));

    timer_mod(&s->timer, clock_get_ns(CLOCK_TYPE_VIRTUAL) + seconds * NANOSECONDS_PER_SECOND);
}

static void stop_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    timer_del(&((Ib700 *)opaque)->timer);
}

static uint64_t no_read(void *opaque, hwaddr addr, unsigned size)
{
    return 0xff;                /* write-only */
}

static const MemoryRegionOps start_ops = { .read = no_read, .write = start_write, .impl = { 1, 1 } };
static const MemoryRegionOps stop_ops = { .read = no_read, .write = stop_write, .impl = { 1, 1 } };

static bool ib700_realize(Device *dev, Error **errp)
{
    Ib700 *s = IB700(dev);

    timer_init(&s->timer, CLOCK_TYPE_VIRTUAL, expired, s);
    memory_region_init_io(&s->start_io, s, &start_ops, s, "ib700-start", 1);
    memory_region_init_io(&s->stop_io, s, &stop_ops, s, "ib700-stop", 1);
    return isa_register_ioport(&s->isa, &s->stop_io, PORT_STOP, errp) && isa_register_ioport(&s->isa, &s->start_io, PORT_START, errp);
}

static void ib700_unrealize(Device *dev)
{
    Ib700 *s = IB700(dev);

    timer_del(&s->timer);
    isa_unregister_ioport(&s->isa, &s->start_io);
    isa_unregister_ioport(&s->isa, &s->stop_io);
}

static void ib700_reset_hold(Device *dev, ResetType type)
{
    timer_del(&IB700(dev)->timer);
}

static const VMField ib700_fields[] = { VMS_TIMER(Ib700, timer), VMS_END };
static const VMState vmstate_ib700 = { .name = "ib700_wdt", .version = 1, .minimum_version = 1, .fields = ib700_fields };

DEVICE_DEFINE(Ib700, ib700, "ib700", isa_device,
    .desc       = "iBASE 700 watchdog",
    .category   = DEVICE_CATEGORY_WATCHDOG,
    .realize    = ib700_realize,
    .unrealize  = ib700_unrealize,
    .reset_hold = ib700_reset_hold,
    .vmstate    = &vmstate_ib700,
);
