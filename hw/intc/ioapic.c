/*
 * I/O APIC.
 *
 * Reference: Intel 82093AA data sheet (290566); version 20H with the EOI register as in Intel's
 * chipsets since the ICH.
 *
 * A level-triggered entry sends once and waits for the EOI (remote IRR); if its input is then
 * still asserted it sends again.  An edge on a masked input is lost, as on the part.  Inputs are
 * asserted = 1 whatever the entry's polarity says: wires in this machine have no polarity.
 *
 * Locks: BQL.
 */
#include "hw/intc/ioapic-internal.h"
#include "util/log.h"

enum { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40 };
enum { REG_ID = 0, REG_VERSION = 1, REG_ARB = 2, REG_REDIR = 0x10 };

static ApicMessage message(const IoApic *s, unsigned pin)
{
    uint64_t rte = s->redir[pin];

    return (ApicMessage){
        .dest = rte >> 56, .dest_logical = rte & RTE_DEST_LOGICAL, .delivery_mode = rte >> 8 & 7, .vector = rte & 0xff,
        .level_triggered = rte & RTE_LEVEL, .level_assert = true,
    };
}

static void send(IoApic *s, unsigned pin)
{
    const ApicMessage m = message(s, pin);

    apic_bus_deliver(s->bus, &m);
}

/* Local APICs elsewhere must know beforehand of what they are to report the end. */
static void tell_entry(IoApic *s, unsigned pin)
{
    const ApicMessage m = message(s, pin);

    if (!(s->redir[pin] & RTE_MASKED)) {
        apic_bus_announce(s->bus, pin, &m);
    }
}

/* A level-triggered input that is asserted, unmasked and not yet sent. */
static void service_level(IoApic *s, unsigned pin)
{
    uint64_t *rte = &s->redir[pin];

    if ((*rte & RTE_LEVEL) && !(*rte & (RTE_MASKED | RTE_REMOTE_IRR)) && (s->lines >> pin & 1)) {
        *rte |= RTE_REMOTE_IRR;
        send(s, pin);
    }
}

static void ioapic_input(void *opaque, unsigned pin, int level)
{
    IoApic *s = opaque;
    bool was = s->lines >> pin & 1;

    s->raised[pin] += level && !was;
    s->lines = level ? s->lines | BIT(pin) : s->lines & ~BIT(pin);
    if (s->redir[pin] & RTE_LEVEL) {
        service_level(s, pin);
    } else if (level && !was && !(s->redir[pin] & RTE_MASKED)) {
        send(s, pin);
    }
}

IrqLine ioapic_irq(Device *ioapic, unsigned pin)
{
    assert(pin < IOAPIC_NUM_PINS);
    return irq_line(ioapic_input, IOAPIC(ioapic), pin);
}

static void ioapic_eoi(void *opaque, uint8_t vector)
{
    IoApic *s = opaque;

    for (unsigned pin = 0; pin < IOAPIC_NUM_PINS; pin++) {
        if ((s->redir[pin] & RTE_REMOTE_IRR) && (s->redir[pin] & 0xff) == vector) {
            s->redir[pin] &= ~RTE_REMOTE_IRR;
            service_level(s, pin);
        }
    }
}

/* --- registers --- */

static uint32_t register_read(const IoApic *s)
{
    unsigned n = s->select - REG_REDIR;

    switch (s->select) {
    case REG_ID: case REG_ARB:
        return s->id << 24;
    case REG_VERSION:
        return IOAPIC_VERSION | (IOAPIC_NUM_PINS - 1) << 16;
    default:
        if (s->select >= REG_REDIR && n < 2 * IOAPIC_NUM_PINS) {
            return (uint32_t)(s->redir[n / 2] >> (n & 1 ? 32 : 0));
        }
        guest_error("ioapic", "read of register 0x%x", s->select);
        return 0;
    }
}

static void write_redir(IoApic *s, unsigned pin, bool high, uint32_t v)
{
    uint64_t *rte = &s->redir[pin];
    uint64_t keep = *rte & RTE_READ_ONLY;

    *rte = deposit64(*rte, high ? 32 : 0, 32, v);
    *rte = (*rte & RTE_DEFINED & ~RTE_READ_ONLY) | keep;
    if (!(*rte & RTE_LEVEL)) {
        *rte &= ~RTE_REMOTE_IRR;        /* how software clears it without an EOI register */
    }
    tell_entry(s, pin);
    service_level(s, pin);
}

static void register_write(IoApic *s, uint32_t v)
{
    unsigned n = s->select - REG_REDIR;

    if (s->select == REG_ID) {
        s->id = v >> 24 & 0xf;
    } else if (s->select >= REG_REDIR && n < 2 * IOAPIC_NUM_PINS) {
        write_redir(s, n / 2, n & 1, v);
    } else {
        guest_error("ioapic", "write of register 0x%x", s->select);
    }
}

static uint64_t ioapic_read(void *opaque, hwaddr addr, unsigned size)
{
    IoApic *s = opaque;

    switch (addr & 0xff) {
    case IOREGSEL: return s->select;
    case IOWIN:    return size == 4 ? register_read(s) : 0;
    default:       return 0;
    }
}

static void ioapic_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    IoApic *s = opaque;

    switch (addr & 0xff) {
    case IOREGSEL:
        s->select = v & 0xff;
        break;
    case IOWIN:
        if (size == 4) {
            register_write(s, (uint32_t)v);
        }
        break;
    case IOEOI:
        ioapic_eoi(s, (uint8_t)v);
        break;
    }
}

static const MemoryRegionOps ioapic_ops = {
    .read = ioapic_read, .write = ioapic_write, .valid = { 1, 4 }, .impl = { 1, 4 },
};

/* --- the device --- */

static void ioapic_init(Object *obj)
{
    IoApic *s = IOAPIC(obj);

    memory_region_init_io(&s->mmio, s, &ioapic_ops, s, "ioapic", 0x1000);
    sysbus_init_mmio(&s->sbd, &s->mmio);
}

static bool ioapic_realize(Device *dev, Error **errp)
{
    IoApic *s = IOAPIC(dev);

    s->bus = apic_bus_find();
    if (!s->bus) {
        error_setg(errp, "ioapic needs an APIC bus, and this machine has none");
        return false;
    }
    apic_bus_add_eoi_listener(s->bus, ioapic_eoi, s);
    return true;
}

static void ioapic_unrealize(Device *dev)
{
    IoApic *s = IOAPIC(dev);

    apic_bus_remove_eoi_listener(s->bus, s);
}

static void ioapic_reset(Device *dev, ResetType type)
{
    IoApic *s = IOAPIC(dev);

    s->select = 0;
    s->id = 0;
    for (unsigned pin = 0; pin < IOAPIC_NUM_PINS; pin++) {
        s->redir[pin] = RTE_MASKED;
    }
}

static const char *delivery_name(uint64_t rte)
{
    static const char *const names[] = { "fixed", "lowest", "SMI", "...", "NMI", "INIT", "...", "extINT" };

    return names[rte >> 8 & 7];
}

static void print_pins(FILE *f, const char *title, const IoApic *s, bool (*on)(const IoApic *s, unsigned pin))
{
    bool any = false;

    fputs(title, f);
    for (unsigned pin = 0; pin < IOAPIC_NUM_PINS; pin++) {
        if (on(s, pin)) {
            fprintf(f, " %u", pin);
            any = true;
        }
    }
    fputs(any ? "\n" : " (none)\n", f);
}

static bool is_asserted(const IoApic *s, unsigned pin)
{
    return s->lines >> pin & 1;
}

static bool is_unacknowledged(const IoApic *s, unsigned pin)
{
    return s->redir[pin] & RTE_REMOTE_IRR;
}

void ioapic_print_state(const IoApic *s, FILE *f)
{
    fprintf(f, "ioapic0: ver=0x%x id=0x%02x sel=0x%02x\n", IOAPIC_VERSION, s->id, s->select);
    for (unsigned pin = 0; pin < IOAPIC_NUM_PINS; pin++) {
        uint64_t rte = s->redir[pin];

        fprintf(f, "  pin %-2u 0x%016" PRIx64 " dest=%u vec=%-3u %s %-5s %-6s %-6s %s\n", pin, rte, (unsigned)(rte >> 56),
                (unsigned)(rte & 0xff), rte & RTE_POLARITY ? "active-lo" : "active-hi", rte & RTE_LEVEL ? "level" : "edge",
                rte & RTE_MASKED ? "masked" : "", delivery_name(rte), rte & RTE_DEST_LOGICAL ? "logical" : "physical");
    }
    print_pins(f, "  IRR     ", s, is_asserted);
    print_pins(f, "  Remote IRR", s, is_unacknowledged);
}

static void ioapic_print(const Device *dev, FILE *f)
{
    ioapic_print_state(IOAPIC(dev), f);
}

static unsigned ioapic_counts(const Device *dev, const uint64_t **counts)
{
    *counts = IOAPIC(dev)->raised;
    return IOAPIC_NUM_PINS;
}

static bool ioapic_post_load(void *opaque, unsigned version, Error **errp)
{
    IoApic *s = opaque;

    for (unsigned pin = 0; pin < IOAPIC_NUM_PINS; pin++) {
        s->redir[pin] &= RTE_DEFINED;
        tell_entry(s, pin);
    }
    return true;
}

static const VMState ioapic_vmstate = {
    .name = "ioapic", .version = 1, .minimum_version = 1, .post_load = ioapic_post_load,
    .fields = (const VMField[]){
        VMS_U32(IoApic, lines), VMS_U32(IoApic, select), VMS_U32(IoApic, id), VMS_U64_ARRAY(IoApic, redir), VMS_END,
    },
};

static const IrqInputs ioapic_inputs[] = { { NULL, IOAPIC_NUM_PINS, ioapic_input }, { 0 } };

DEVICE_DEFINE(IoApic, ioapic, "ioapic", sysbus_device,
    .desc = "I/O APIC",
    .init = ioapic_init,
    .realize = ioapic_realize,
    .unrealize = ioapic_unrealize,
    .reset_hold = ioapic_reset,
    .vmstate = &ioapic_vmstate,
    .irq_inputs = ioapic_inputs,
    .print_pic = ioapic_print,
    .irq_counts = ioapic_counts,
    .not_user_creatable = true,
);
