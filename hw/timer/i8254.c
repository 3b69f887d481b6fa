/*
 * isa-pit: the 8254 at its four ports, and isa-pcspk: port 0x61 (system control port B).
 */
#include "hw/timer/i8254.h"
#include "hw/timer/i8254-core.h"

/* --- whoever does the counting --- */

static const I8254Info *info_of(const I8254 *s)
{
    return (const I8254Info *)s->isa.dev.obj.type->info;
}

void i8254_set_gate(I8254 *s, unsigned channel, bool level)
{
    info_of(s)->set_gate(s, channel, level);
}

bool i8254_get_gate(I8254 *s, unsigned channel)
{
    return info_of(s)->get_gate(s, channel);
}

bool i8254_get_out(I8254 *s, unsigned channel)
{
    return info_of(s)->get_out(s, channel);
}

static void i8254_irq_control_set(void *opaque, unsigned n, int level)
{
    I8254 *s = opaque;

    info_of(s)->set_irq_enabled(s, level);
}

IrqLine i8254_irq_control(I8254 *s)
{
    return irq_line(i8254_irq_control_set, s, 0);
}

static const Property i8254_properties[] = {
    PROP_UINT32("iobase", I8254, iobase, 0x40, .help = "first of four ports"),
};

static const IrqInputs i8254_inputs[] = { { NULL, 1, i8254_irq_control_set }, { 0 } };

TYPE_DEFINE_FAMILY(I8254Info, I8254, i8254, "pit-common", isa_device, true,
    .desc = "8254 interval timer",
    .properties = PROPS(i8254_properties),
    .irq_inputs = i8254_inputs,
    .not_user_creatable = true,
    .not_hotpluggable = true);

/* --- isa-pit --- */

typedef struct IsaPit {
    I8254 parent;
    MemoryRegion io;
    Pit pit;
} IsaPit;

OBJECT_DECLARE(IsaPit, ISA_PIT, isa_pit)

static uint64_t isa_pit_read(void *opaque, hwaddr addr, unsigned size)
{
    return pit_read(opaque, addr & 3);
}

static void isa_pit_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    pit_write(opaque, addr & 3, data);
}

static const MemoryRegionOps isa_pit_ops = {
    .read = isa_pit_read,
    .write = isa_pit_write,
    .impl = { .min = 1, .max = 1 },
};

static void isa_pit_set_gate(I8254 *s, unsigned channel, bool level)
{
    pit_set_gate(&ISA_PIT(s)->pit, channel, level);
}

static bool isa_pit_get_gate(I8254 *s, unsigned channel)
{
    return ISA_PIT(s)->pit.counter[channel].gate;
}

static bool isa_pit_get_out(I8254 *s, unsigned channel)
{
    return pit_get_out(&ISA_PIT(s)->pit, channel);
}

static void isa_pit_set_irq_enabled(I8254 *s, bool on)
{
    pit_set_irq_enabled(&ISA_PIT(s)->pit, on);
}

static bool isa_pit_realize(Device *dev, Error **errp)
{
    IsaPit *s = ISA_PIT(dev);

    memory_region_init_io(&s->io, s, &isa_pit_ops, &s->pit, "pit", 4);
    if (!isa_register_ioport(&s->parent.isa, &s->io, s->parent.iobase, errp)) {
        return false;
    }
    pit_init(&s->pit);
    return true;
}

static void isa_pit_unrealize(Device *dev)
{
    IsaPit *s = ISA_PIT(dev);

    pit_fini(&s->pit);
    isa_unregister_ioport(&s->parent.isa, &s->io);
}

static void isa_pit_reset_enter(Device *dev, ResetType type)
{
    pit_reset(&ISA_PIT(dev)->pit);
}

static void isa_pit_reset_hold(Device *dev, ResetType type)
{
    Pit *pit = &ISA_PIT(dev)->pit;

    irq_set(pit->irq, pit->irq_level);
    pit_update_irq(pit);
}

I8254 *i8254_create(IsaBus *bus, uint16_t base, IrqLine irq0)
{
    IsaPit *s = ISA_PIT(device_new(&isa_pit_type));

    s->parent.iobase = base;
    s->pit.irq = irq0;
    return device_realize_and_unref(&s->parent.isa.dev, &bus->bus, &error_fatal) ? &s->parent : NULL;
}

static const VMState vmstate_i8254 = {
    .name = "i8254",
    .version = 1,
    .minimum_version = 1,
    .fields = (const VMField[]) {
        VMS_STRUCT(IsaPit, pit, &vmstate_pit),
        VMS_END
    },
};

static const IrqOutputs isa_pit_outputs[] = { { NULL, 1, offsetof(IsaPit, pit.irq) }, { 0 } };

TYPE_DEFINE_FAMILY(I8254Info, IsaPit, isa_pit, "isa-pit", i8254, false,
    .realize = isa_pit_realize,
    .unrealize = isa_pit_unrealize,
    .reset_enter = isa_pit_reset_enter,
    .reset_hold = isa_pit_reset_hold,
    .vmstate = &vmstate_i8254,
    .irq_outputs = isa_pit_outputs,
    .not_user_creatable = true,
    .not_hotpluggable = true,
    .set_gate = isa_pit_set_gate,
    .get_gate = isa_pit_get_gate,
    .get_out = isa_pit_get_out,
    .set_irq_enabled = isa_pit_set_irq_enabled);

/* --- port 0x61 --- */

enum { PORT_B_GATE2 = 0x01, PORT_B_SPEAKER = 0x02, PORT_B_WRITABLE = 0x0f, PORT_B_REFRESH = 0x10, PORT_B_OUT2 = 0x20 };

/* The refresh bit toggles with each DRAM refresh request: counter 1's period on the original. */
#define REFRESH_NS 15085

typedef struct PcSpk {
    IsaDevice isa;
    MemoryRegion io;
    I8254 *pit;                 /* counted by the link property */
    uint32_t iobase;
    uint8_t control;            /* PORT_B_WRITABLE bits; bit 0 is counter 2's gate */
} PcSpk;

static PcSpk *PCSPK(const void *obj)
{
    return (PcSpk *)object_check_cast(obj, &pcspk_type);
}

static uint64_t pcspk_read(void *opaque, hwaddr addr, unsigned size)
{
    PcSpk *s = opaque;
    bool refresh = clock_get_ns(CLOCK_TYPE_VIRTUAL) / REFRESH_NS & 1;

    return s->control | (refresh ? PORT_B_REFRESH : 0) | (i8254_get_out(s->pit, 2) ? PORT_B_OUT2 : 0);
}

/* The speaker bit has no sound behind it; it reads back as written. */
static void pcspk_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    PcSpk *s = opaque;

    s->control = data & PORT_B_WRITABLE;
    i8254_set_gate(s->pit, 2, data & PORT_B_GATE2);
}

static const MemoryRegionOps pcspk_ops = {
    .read = pcspk_read,
    .write = pcspk_write,
    .impl = { .min = 1, .max = 1 },
};

static bool pcspk_realize(Device *dev, Error **errp)
{
    PcSpk *s = PCSPK(dev);

    if (!s->pit) {
        error_setg(errp, "isa-pcspk: property 'pit' must name an interval timer");
        return false;
    }
    memory_region_init_io(&s->io, s, &pcspk_ops, s, "pcspk", 1);
    return isa_register_ioport(&s->isa, &s->io, s->iobase, errp);
}

static void pcspk_unrealize(Device *dev)
{
    PcSpk *s = PCSPK(dev);

    isa_unregister_ioport(&s->isa, &s->io);
}

/* Gate 2 falls with the timer's own reset. */
static void pcspk_reset_enter(Device *dev, ResetType type)
{
    PCSPK(dev)->control = 0;
}

Device *pcspk_create(IsaBus *bus, I8254 *pit)
{
    PcSpk *s = PCSPK(device_new(&pcspk_type));

    if (!object_property_set_link(s, "pit", pit, &error_fatal) ||
        !device_realize_and_unref(&s->isa.dev, &bus->bus, &error_fatal)) {
        return NULL;
    }
    return &s->isa.dev;
}

static bool pcspk_post_load(void *opaque, unsigned version, Error **errp)
{
    PcSpk *s = opaque;

    s->control &= PORT_B_WRITABLE;
    return true;
}

static const VMState vmstate_pcspk = {
    .name = "pcspk",
    .version = 1,
    .minimum_version = 1,
    .post_load = pcspk_post_load,
    .fields = (const VMField[]) {
        VMS_U8(PcSpk, control),
        VMS_END
    },
};

static const Property pcspk_properties[] = {
    PROP_UINT32("iobase", PcSpk, iobase, 0x61, .help = "the port"),
    PROP_LINK("pit", PcSpk, pit, i8254, .help = "whose counter 2 it gates"),
};

DEVICE_DEFINE(PcSpk, pcspk, "isa-pcspk", isa_device,
    .desc = "PC speaker and NMI status port",
    .properties = PROPS(pcspk_properties),
    .realize = pcspk_realize,
    .unrealize = pcspk_unrealize,
    .reset_enter = pcspk_reset_enter,
    .vmstate = &vmstate_pcspk,
    .not_user_creatable = true,
    .not_hotpluggable = true);
