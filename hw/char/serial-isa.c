/*
 * isa-serial: a 16550A at one of the PC's four standard places, or anywhere in the port space.
 */
#include "hw/char/serial.h"
#include "hw/char/serial-16550.h"
#include "system/runstate.h"

typedef struct IsaSerial {
    IsaDevice isa;
    MemoryRegion io;
    Serial16550 uart;

    /* properties */
    uint32_t index, iobase, irq;
    bool wakeup;
} IsaSerial;

static IsaSerial *ISA_SERIAL(const void *obj)
{
    return (IsaSerial *)object_check_cast(obj, &isa_serial_type);
}

static const struct {
    uint16_t port;
    uint8_t irq;
} standard_place[ISA_SERIAL_MAX] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };

uint16_t isa_serial_std_port(unsigned index)
{
    return standard_place[index].port;
}

unsigned isa_serial_std_irq(unsigned index)
{
    return standard_place[index].irq;
}

uint32_t isa_serial_present(IsaBus *bus)
{
    uint32_t present = 0;

    for (unsigned i = 0; i < bus->bus.devices->len; i++) {
        Device *dev = g_ptr_array_index(bus->bus.devices, i);

        if (!dev->realized || !object_is(dev, &isa_serial_type)) {
            continue;
        }
        for (unsigned n = 0; n < ISA_SERIAL_MAX; n++) {
            present |= ISA_SERIAL(dev)->iobase == standard_place[n].port ? 1u << n : 0;
        }
    }
    return present;
}

static uint64_t isa_serial_read(void *opaque, hwaddr addr, unsigned size)
{
    return serial_read(opaque, addr & (SERIAL_NUM_REGS - 1));
}

static void isa_serial_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    serial_write(opaque, addr & (SERIAL_NUM_REGS - 1), data);
}

static const MemoryRegionOps isa_serial_ops = {
    .read = isa_serial_read,
    .write = isa_serial_write,
    .impl = { .min = 1, .max = 1 },
};

static void isa_serial_wake(void *opaque)
{
    Error *not_suspended = NULL;

    if (!system_wakeup_request(WAKEUP_REASON_OTHER, &not_suspended)) {
        error_free(not_suspended);
    }
}

/* Settle index, iobase and irq: what the user left out follows from the first free index. */
static bool isa_serial_choose_place(IsaSerial *s, Error **errp)
{
    IsaBus *bus = isa_device_bus(&s->isa);

    if (s->index == ISA_AUTO) {
        s->index = __builtin_ctz(~(bus->serials & ((1u << ISA_SERIAL_MAX) - 1)));
    }
    if (s->index >= ISA_SERIAL_MAX) {
        error_setg(errp, "isa-serial: an ISA bus has at most %u serial ports, index must be 0 to %u",
                   ISA_SERIAL_MAX, ISA_SERIAL_MAX - 1);
        return false;
    }
    if (bus->serials & (1u << s->index)) {
        error_setg(errp, "isa-serial: index %u is in use", s->index);
        return false;
    }
    if (s->iobase == ISA_AUTO) {
        s->iobase = standard_place[s->index].port;
    }
    if (s->irq == ISA_AUTO) {
        s->irq = standard_place[s->index].irq;
    }
    return true;
}

static bool isa_serial_realize(Device *dev, Error **errp)
{
    IsaSerial *s = ISA_SERIAL(dev);

    if (!isa_serial_choose_place(s, errp) || !isa_get_irq(&s->isa, s->irq, &s->uart.irq, errp)) {
        return false;
    }
    memory_region_init_io(&s->io, s, &isa_serial_ops, &s->uart, "serial", SERIAL_NUM_REGS);
    if (!isa_register_ioport(&s->isa, &s->io, s->iobase, errp)) {
        return false;
    }
    if (s->wakeup) {
        s->uart.wake = isa_serial_wake;
    }
    isa_device_bus(&s->isa)->serials |= 1u << s->index;
    serial_init(&s->uart);
    return true;
}

static void isa_serial_unrealize(Device *dev)
{
    IsaSerial *s = ISA_SERIAL(dev);

    serial_fini(&s->uart);
    irq_lower(s->uart.irq);
    isa_unregister_ioport(&s->isa, &s->io);
    isa_device_bus(&s->isa)->serials &= ~(1u << s->index);
}

static void isa_serial_reset_enter(Device *dev, ResetType type)
{
    serial_reset(&ISA_SERIAL(dev)->uart);
}

static void isa_serial_reset_hold(Device *dev, ResetType type)
{
    serial_update_irq(&ISA_SERIAL(dev)->uart);
}

bool isa_serial_create(IsaBus *bus, unsigned index, Chardev *chr, Error **errp)
{
    Device *dev = device_new(&isa_serial_type);

    if (!object_property_set_uint(dev, "index", index, errp) ||
        (chr && !char_backend_init(&ISA_SERIAL(dev)->uart.chr, chr, errp))) {
        object_unref(dev);
        return false;
    }
    return device_realize_and_unref(dev, &bus->bus, errp);
}

static const Property isa_serial_properties[] = {
    PROP_UINT32("index", IsaSerial, index, ISA_AUTO, .help = "0 to 3: COM1 to COM4; default: the first free"),
    PROP_UINT32("iobase", IsaSerial, iobase, ISA_AUTO, .help = "first port; default: by index"),
    PROP_UINT32("irq", IsaSerial, irq, ISA_AUTO, .help = "interrupt line; default: by index"),
    PROP_UINT32("baudbase", IsaSerial, uart.baudbase, 115200, .min = 1, .max = 4000000, .unit = "Hz",
                .help = "baud rate at divisor 1"),
    PROP_CHARDEV("chardev", IsaSerial, uart.chr, .help = "back end; none = output discarded"),
    PROP_BOOL("wakeup", IsaSerial, wakeup, false, .help = "input wakes a suspended machine"),
};

static const VMState vmstate_isa_serial = {
    .name = "isa-serial",
    .version = 1,
    .minimum_version = 1,
    .fields = (const VMField[]) {
        VMS_STRUCT(IsaSerial, uart, &vmstate_serial_16550),
        VMS_END
    },
};

DEVICE_DEFINE(IsaSerial, isa_serial, "isa-serial", isa_device,
    .desc = "16550A serial port",
    .properties = PROPS(isa_serial_properties),
    .category = DEVICE_CATEGORY_INPUT,
    .realize = isa_serial_realize,
    .unrealize = isa_serial_unrealize,
    .reset_enter = isa_serial_reset_enter,
    .reset_hold = isa_serial_reset_hold,
    .vmstate = &vmstate_isa_serial,
    .not_hotpluggable = true);
