/*
 * Intel 8259A programmable interrupt controllers, the PC's cascaded pair.
 *
 * Reference: Intel 8259A data sheet (231468); the ELCR is that of Intel's PCI chipsets (82371SB,
 * "edge/level control registers").
 *
 * Invariants: the master's input 2 is the slave's INT output; INT outputs are recomputed after
 * every change.  Locks: BQL.
 */
#include "hw/intc/i8259-internal.h"
#include "util/log.h"

#define CASCADE_INPUT 2
#define NO_PRIORITY   8

enum { MASTER = I8259_MASTER, SLAVE = I8259_SLAVE };
enum { ICW1_SELECT = 0x10, ICW1_IC4 = 0x01, ICW1_SINGLE = 0x02, ICW1_LEVEL = 0x08, ICW4_AEOI = 0x02, ICW4_SFNM = 0x10,
       OCW3_SELECT = 0x08, OCW3_POLL = 0x04, OCW3_READ = 0x02, OCW3_READ_ISR = 0x01, OCW3_ESMM = 0x40, OCW3_SMM = 0x20 };

/* Where in the initialization sequence a write to the data port goes. */
enum { INIT_DONE, INIT_ICW2, INIT_ICW3, INIT_ICW4 };

/* --- priorities --- */

/* Position in the priority order of the most urgent input in @mask; 0 is highest. */
static unsigned priority_of(const I8259Chip *c, uint8_t mask)
{
    unsigned p = 0;

    if (mask == 0) {
        return NO_PRIORITY;
    }
    while (!(mask >> ((p + c->lowest) & 7) & 1)) {
        p++;
    }
    return p;
}

/* The input to be served now, -1 if none outranks what is in service. */
static int chip_pending(const I8259Pair *s, unsigned which)
{
    const I8259Chip *c = &s->chip[which];
    uint8_t in_service = c->isr;
    unsigned request = priority_of(c, c->irr & ~c->imr);

    if (request == NO_PRIORITY) {
        return -1;
    }
    if (c->special_mask) {
        in_service &= ~c->imr;
    }
    if (c->special_fully_nested && which == MASTER) {
        in_service &= ~BIT(CASCADE_INPUT);      /* further slave requests are let through */
    }
    return request < priority_of(c, in_service) ? (int)((request + c->lowest) & 7) : -1;
}

static void chip_set_line(I8259Chip *c, unsigned n, int level)
{
    uint8_t bit = BIT(n);

    if (c->elcr & bit) {
        c->irr = level ? c->irr | bit : c->irr & ~bit;
    } else if (level && !(c->lines & bit)) {
        c->irr |= bit;
    }
    c->lines = level ? c->lines | bit : c->lines & ~bit;
}

static void update(I8259Pair *s)
{
    bool slave = chip_pending(s, SLAVE) >= 0;
    bool master;

    s->chip[SLAVE].int_out = slave;
    /* The slave takes its request back when the cause is gone, so the cascade is no latched edge. */
    s->chip[MASTER].irr = slave ? s->chip[MASTER].irr | BIT(CASCADE_INPUT) : s->chip[MASTER].irr & ~BIT(CASCADE_INPUT);
    master = chip_pending(s, MASTER) >= 0;
    s->chip[MASTER].int_out = master;
    irq_set(s->intr, master);
}

static void chip_accept(I8259Chip *c, unsigned n)
{
    uint8_t bit = BIT(n);

    if (!c->auto_eoi) {
        c->isr |= bit;
    } else if (c->rotate_on_auto_eoi) {
        c->lowest = (n + 1) & 7;
    }
    if (!(c->elcr & bit)) {
        c->irr &= ~bit;
    }
}

int i8259_acknowledge(void *pic)
{
    I8259Pair *s = I8259(pic);
    I8259Chip *m = &s->chip[MASTER], *sl = &s->chip[SLAVE];
    int n = chip_pending(s, MASTER), vector;

    if (n < 0) {
        vector = m->vector_base + 7;            /* the request went away: spurious */
    } else {
        chip_accept(m, n);
        vector = m->vector_base + n;
        if (n == CASCADE_INPUT) {
            int k = chip_pending(s, SLAVE);

            if (k >= 0) {
                chip_accept(sl, k);
            }
            vector = sl->vector_base + (k >= 0 ? k : 7);
        }
    }
    update(s);
    return vector;
}

static void input_changed(void *opaque, unsigned n, int level)
{
    I8259Pair *s = opaque;

    s->raised[n] += level && !(s->chip[n / 8].lines >> (n & 7) & 1);
    chip_set_line(&s->chip[n / 8], n & 7, level);
    update(s);
}

IrqLine i8259_irq(Device *pic, unsigned n)
{
    assert(n < 16);
    return irq_line(input_changed, I8259(pic), n);
}

/* --- command words --- */

static void write_icw1(I8259Chip *c, uint8_t v)
{
    c->irr &= c->elcr;          /* the edge sense circuit is reset */
    c->imr = c->isr = 0;
    c->lowest = 0;
    c->read_isr = c->poll = c->special_mask = c->auto_eoi = c->rotate_on_auto_eoi = c->special_fully_nested = false;
    c->wants_icw4 = v & ICW1_IC4;
    c->single = v & ICW1_SINGLE;
    c->init_state = INIT_ICW2;
    if (v & ICW1_LEVEL) {
        guest_unimp("isa-i8259", "ICW1 level mode: the ELCR decides");
    }
}

static void write_ocw3(I8259Chip *c, uint8_t v)
{
    c->poll = v & OCW3_POLL;
    if (v & OCW3_READ) {
        c->read_isr = v & OCW3_READ_ISR;
    }
    if (v & OCW3_ESMM) {
        c->special_mask = v & OCW3_SMM;
    }
}

static void write_ocw2(I8259Chip *c, uint8_t v)
{
    unsigned n = v & 7, p;

    switch (v >> 5) {
    case 0: case 4:             /* rotate in automatic EOI: clear, set */
        c->rotate_on_auto_eoi = v >> 7;
        break;
    case 1: case 5:             /* non-specific EOI, with rotation */
        p = priority_of(c, c->special_mask ? c->isr & ~c->imr : c->isr);
        if (p != NO_PRIORITY) {
            n = (p + c->lowest) & 7;
            c->isr &= ~BIT(n);
            if (v >> 5 == 5) {
                c->lowest = (n + 1) & 7;
            }
        }
        break;
    case 3:                     /* specific EOI */
        c->isr &= ~BIT(n);
        break;
    case 6:                     /* set priority */
        c->lowest = (n + 1) & 7;
        break;
    case 7:                     /* specific EOI with rotation */
        c->isr &= ~BIT(n);
        c->lowest = (n + 1) & 7;
        break;
    }
}

static void write_data(I8259Chip *c, uint8_t v)
{
    switch (c->init_state) {
    case INIT_ICW2:
        c->vector_base = v & 0xf8;
        c->init_state = !c->single ? INIT_ICW3 : c->wants_icw4 ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW3:             /* the wiring is fixed */
        c->init_state = c->wants_icw4 ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW4:
        c->special_fully_nested = v & ICW4_SFNM;
        c->auto_eoi = v & ICW4_AEOI;
        c->init_state = INIT_DONE;
        break;
    default:
        c->imr = v;
        break;
    }
}

void i8259_port_write(I8259Pair *s, unsigned which, hwaddr addr, uint8_t v)
{
    I8259Chip *c = &s->chip[which];

    if (addr == 1) {
        write_data(c, v);
    } else if (v & ICW1_SELECT) {
        write_icw1(c, v);
    } else if (v & OCW3_SELECT) {
        write_ocw3(c, v);
    } else {
        write_ocw2(c, v);
    }
    update(s);
}

uint8_t i8259_port_read(I8259Pair *s, unsigned which, hwaddr addr)
{
    I8259Chip *c = &s->chip[which];

    if (c->poll) {              /* the read is the acknowledge cycle */
        int n = chip_pending(s, which);

        c->poll = false;
        if (n < 0) {
            return 0;
        }
        chip_accept(c, n);
        update(s);
        return 0x80 | n;
    }
    if (addr == 1) {
        return c->imr;
    }
    return c->read_isr ? c->isr : c->irr;
}

static uint64_t master_read(void *opaque, hwaddr addr, unsigned size) { return i8259_port_read(opaque, MASTER, addr); }
static uint64_t slave_read(void *opaque, hwaddr addr, unsigned size)  { return i8259_port_read(opaque, SLAVE, addr); }
static void master_write(void *opaque, hwaddr addr, uint64_t v, unsigned size) { i8259_port_write(opaque, MASTER, addr, (uint8_t)v); }
static void slave_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)  { i8259_port_write(opaque, SLAVE, addr, (uint8_t)v); }

static uint64_t elcr_read(void *opaque, hwaddr addr, unsigned size)
{
    return ((I8259Pair *)opaque)->chip[addr].elcr;
}

void i8259_elcr_write(I8259Pair *s, unsigned which, uint8_t v)
{
    s->chip[which].elcr = v & s->chip[which].elcr_mask;
    update(s);
}

static void elcr_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    i8259_elcr_write(opaque, (unsigned)addr, (uint8_t)v);
}

static const MemoryRegionOps master_ops = { .read = master_read, .write = master_write, .impl = { 1, 1 } };
static const MemoryRegionOps slave_ops = { .read = slave_read, .write = slave_write, .impl = { 1, 1 } };
static const MemoryRegionOps elcr_ops = { .read = elcr_read, .write = elcr_write, .impl = { 1, 1 } };

/* --- the device --- */

static void i8259_init_regions(Object *obj)
{
    I8259Pair *s = I8259(obj);

    memory_region_init_io(&s->io[MASTER], s, &master_ops, s, "i8259-master", 2);
    memory_region_init_io(&s->io[SLAVE], s, &slave_ops, s, "i8259-slave", 2);
    memory_region_init_io(&s->elcr_io, s, &elcr_ops, s, "i8259-elcr", 2);
}

static bool i8259_realize(Device *dev, Error **errp)
{
    I8259Pair *s = I8259(dev);

    if (!s->ports) {
        error_setg(errp, "isa-i8259 is made by the board");
        return false;
    }
    s->chip[MASTER].elcr_mask = I8259_ELCR_MASTER;
    s->chip[SLAVE].elcr_mask = I8259_ELCR_SLAVE;
    memory_region_add_subregion(s->ports, 0x20, &s->io[MASTER]);
    memory_region_add_subregion(s->ports, 0xa0, &s->io[SLAVE]);
    memory_region_add_subregion(s->ports, 0x4d0, &s->elcr_io);
    return true;
}

static void i8259_unrealize(Device *dev)
{
    I8259Pair *s = I8259(dev);

    memory_region_del_subregion(s->ports, &s->io[MASTER]);
    memory_region_del_subregion(s->ports, &s->io[SLAVE]);
    memory_region_del_subregion(s->ports, &s->elcr_io);
}

static void i8259_reset(Device *dev, ResetType type)
{
    I8259Pair *s = I8259(dev);

    for (unsigned i = 0; i < 2; i++) {
        I8259Chip *c = &s->chip[i];
        *c = (I8259Chip){ .elcr_mask = c->elcr_mask, .lines = c->lines };
    }
    update(s);
}

/* Lines that other devices drove during reset are levels to start from, not edges to report. */
static void i8259_reset_exit(Device *dev, ResetType type)
{
    I8259Pair *s = I8259(dev);

    s->chip[MASTER].irr = s->chip[SLAVE].irr = 0;
    update(s);
}

bool i8259_check(I8259Pair *s, Error **errp)
{

    for (unsigned i = 0; i < 2; i++) {
        I8259Chip *c = &s->chip[i];

        if (c->init_state > INIT_ICW4 || c->lowest > 7) {
            error_setg(errp, "%s: init_state %u or lowest %u out of range", s->dev.obj.type->name, c->init_state, c->lowest);
            return false;
        }
        c->elcr &= c->elcr_mask;
    }
    return true;
}

static bool i8259_post_load(void *opaque, unsigned version, Error **errp)
{
    return i8259_check(opaque, errp);
}

const VMState i8259_chip_vmstate = {
    .name = "i8259-chip", .version = 1, .minimum_version = 1,
    .fields = (const VMField[]){
        VMS_U8(I8259Chip, irr), VMS_U8(I8259Chip, imr), VMS_U8(I8259Chip, isr), VMS_U8(I8259Chip, lines),
        VMS_U8(I8259Chip, lowest), VMS_U8(I8259Chip, vector_base), VMS_U8(I8259Chip, init_state), VMS_U8(I8259Chip, elcr),
        VMS_BOOL(I8259Chip, read_isr), VMS_BOOL(I8259Chip, poll), VMS_BOOL(I8259Chip, special_mask),
        VMS_BOOL(I8259Chip, auto_eoi), VMS_BOOL(I8259Chip, rotate_on_auto_eoi), VMS_BOOL(I8259Chip, special_fully_nested),
        VMS_BOOL(I8259Chip, wants_icw4), VMS_BOOL(I8259Chip, single), VMS_BOOL(I8259Chip, int_out), VMS_END,
    },
};

static const VMState i8259_vmstate = {
    .name = "isa-i8259", .version = 1, .minimum_version = 1, .post_load = i8259_post_load,
    .fields = (const VMField[]){ VMS_STRUCT_ARRAY(I8259Pair, chip, &i8259_chip_vmstate), VMS_END },
};

void i8259_print_pair(const I8259Pair *s, FILE *f)
{
    for (int i = 1; i >= 0; i--) {
        const I8259Chip *c = &s->chip[i];

        fprintf(f, "pic%d: irr=%02x imr=%02x isr=%02x hprio=%d irq_base=%02x rr_sel=%d elcr=%02x fnm=%d\n", i, c->irr, c->imr,
                c->isr, c->lowest, c->vector_base, c->read_isr, c->elcr, c->special_fully_nested);
    }
}

static void i8259_print(const Device *dev, FILE *f)
{
    i8259_print_pair(I8259(dev), f);
}

static unsigned i8259_counts(const Device *dev, const uint64_t **counts)
{
    *counts = I8259(dev)->raised;
    return ARRAY_SIZE(I8259(dev)->raised);
}

static const IrqInputs i8259_inputs[] = { { NULL, 16, input_changed }, { 0 } };
static const IrqOutputs i8259_outputs[] = { { NULL, 1, offsetof(I8259Pair, intr) }, { 0 } };

DEVICE_DEFINE(I8259Pair, i8259, "isa-i8259", device,
    .desc = "8259A interrupt controllers of a PC",
    .init = i8259_init_regions,
    .realize = i8259_realize,
    .unrealize = i8259_unrealize,
    .reset_hold = i8259_reset,
    .reset_exit = i8259_reset_exit,
    .vmstate = &i8259_vmstate,
    .irq_inputs = i8259_inputs,
    .irq_outputs = i8259_outputs,
    .print_pic = i8259_print,
    .irq_counts = i8259_counts,
    .not_user_creatable = true,
);

Device *i8259_create(MemoryRegion *io, IrqLine intr, Error **errp)
{
    I8259Pair *s = I8259(device_new(&i8259_type));

    s->ports = io;
    s->intr = intr;
    return device_realize_and_unref(&s->dev, NULL, errp) ? &s->dev : NULL;
}
