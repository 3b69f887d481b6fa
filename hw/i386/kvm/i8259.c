/*
 * "kvm-i8259": the pair of 8259As in the host's kernel.
 *
 * The guest's accesses never come here.  Those of the board, which programs the chips as firmware would, do: the state is
 * fetched, changed by the model (hw/intc/i8259.c) and put back.
 *
 * Reference: Linux, struct kvm_pic_state.
 */
#include "accel/kvm/irqchip.h"
#include "hw/i386/kvm-irqchip.h"
#include "hw/intc/i8259-internal.h"

typedef struct KvmI8259 {
    I8259Pair pair;             /* .chip as of the last look; .raised counts here */
} KvmI8259;

OBJECT_DECLARE(KvmI8259, KVM_I8259, kvm_i8259)

static const uint32_t chip_ids[2] = { [I8259_MASTER] = KVM_IRQCHIP_PIC_MASTER, [I8259_SLAVE] = KVM_IRQCHIP_PIC_SLAVE };

static void chip_from_kernel(I8259Chip *c, const struct kvm_pic_state *k)
{
    *c = (I8259Chip){
        .irr = k->irr, .imr = k->imr, .isr = k->isr, .lines = k->last_irr, .lowest = k->priority_add & 7,
        .vector_base = k->irq_base, .init_state = k->init_state, .elcr = k->elcr, .elcr_mask = k->elcr_mask,
        .read_isr = k->read_reg_select, .poll = k->poll, .special_mask = k->special_mask, .auto_eoi = k->auto_eoi,
        .rotate_on_auto_eoi = k->rotate_on_auto_eoi, .special_fully_nested = k->special_fully_nested_mode,
        .wants_icw4 = k->init4,
    };
}

static void chip_to_kernel(struct kvm_pic_state *k, const I8259Chip *c)
{
    *k = (struct kvm_pic_state){
        .last_irr = c->lines, .irr = c->irr, .imr = c->imr, .isr = c->isr, .priority_add = c->lowest, .irq_base = c->vector_base,
        .read_reg_select = c->read_isr, .poll = c->poll, .special_mask = c->special_mask, .init_state = c->init_state,
        .auto_eoi = c->auto_eoi, .rotate_on_auto_eoi = c->rotate_on_auto_eoi,
        .special_fully_nested_mode = c->special_fully_nested, .init4 = c->wants_icw4, .elcr = c->elcr, .elcr_mask = c->elcr_mask,
    };
}

static void fetch(I8259Pair *s)
{
    for (unsigned i = 0; i < 2; i++) {
        struct kvm_irqchip k = { .chip_id = chip_ids[i] };

        if (kvm_irqchip_get(&k)) {
            chip_from_kernel(&s->chip[i], &k.chip.pic);
        }
    }
}

static void put(const I8259Pair *s)
{
    for (unsigned i = 0; i < 2; i++) {
        struct kvm_irqchip k = { .chip_id = chip_ids[i] };

        chip_to_kernel(&k.chip.pic, &s->chip[i]);
        (void)kvm_irqchip_set(&k);
    }
}

/* --- ports, for the board --- */

static uint64_t port_read(I8259Pair *s, unsigned which, hwaddr addr)
{
    uint64_t v;

    fetch(s);
    v = i8259_port_read(s, which, addr);
    put(s);
    return v;
}

static void port_write(I8259Pair *s, unsigned which, hwaddr addr, uint8_t v)
{
    fetch(s);
    i8259_port_write(s, which, addr, v);
    put(s);
}

static uint64_t master_read(void *opaque, hwaddr addr, unsigned size) { return port_read(opaque, I8259_MASTER, addr); }
static uint64_t slave_read(void *opaque, hwaddr addr, unsigned size)  { return port_read(opaque, I8259_SLAVE, addr); }
static void master_write(void *opaque, hwaddr addr, uint64_t v, unsigned size) { port_write(opaque, I8259_MASTER, addr, (uint8_t)v); }
static void slave_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)  { port_write(opaque, I8259_SLAVE, addr, (uint8_t)v); }

static uint64_t elcr_read(void *opaque, hwaddr addr, unsigned size)
{
    I8259Pair *s = opaque;

    fetch(s);
    return s->chip[addr].elcr;
}

static void elcr_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    I8259Pair *s = opaque;

    fetch(s);
    i8259_elcr_write(s, (unsigned)addr, (uint8_t)v);
    put(s);
}

static const MemoryRegionOps master_ops = { .read = master_read, .write = master_write, .impl = { 1, 1 } };
static const MemoryRegionOps slave_ops = { .read = slave_read, .write = slave_write, .impl = { 1, 1 } };
static const MemoryRegionOps elcr_ops = { .read = elcr_read, .write = elcr_write, .impl = { 1, 1 } };

/* --- the device --- */

static bool kvm_i8259_realize(Device *dev, Error **errp)
{
    I8259Pair *s = &KVM_I8259(dev)->pair;

    if (!s->ports) {
        error_setg(errp, "kvm-i8259 is made by the board");
        return false;
    }
    memory_region_init_io(&s->io[I8259_MASTER], s, &master_ops, s, "kvm-i8259-master", 2);
    memory_region_init_io(&s->io[I8259_SLAVE], s, &slave_ops, s, "kvm-i8259-slave", 2);
    memory_region_init_io(&s->elcr_io, s, &elcr_ops, s, "kvm-elcr", 2);
    memory_region_add_subregion(s->ports, 0x20, &s->io[I8259_MASTER]);
    memory_region_add_subregion(s->ports, 0xa0, &s->io[I8259_SLAVE]);
    memory_region_add_subregion(s->ports, 0x4d0, &s->elcr_io);
    return true;
}

static void kvm_i8259_unrealize(Device *dev)
{
    I8259Pair *s = &KVM_I8259(dev)->pair;

    memory_region_del_subregion(s->ports, &s->io[I8259_MASTER]);
    memory_region_del_subregion(s->ports, &s->io[I8259_SLAVE]);
    memory_region_del_subregion(s->ports, &s->elcr_io);
}

static void kvm_i8259_reset(Device *dev, ResetType type)
{
    I8259Pair *s = &KVM_I8259(dev)->pair;

    fetch(s);
    s->chip[I8259_MASTER] = (I8259Chip){ .lines = s->chip[I8259_MASTER].lines, .elcr_mask = I8259_ELCR_MASTER };
    s->chip[I8259_SLAVE] = (I8259Chip){ .lines = s->chip[I8259_SLAVE].lines, .elcr_mask = I8259_ELCR_SLAVE };
    put(s);
}

/* Lines that other devices drove during reset are levels to start from, not edges to report. */
static void kvm_i8259_reset_exit(Device *dev, ResetType type)
{
    I8259Pair *s = &KVM_I8259(dev)->pair;

    fetch(s);
    s->chip[I8259_MASTER].irr = s->chip[I8259_SLAVE].irr = 0;
    put(s);
}

static bool kvm_i8259_pre_save(void *opaque, Error **errp)
{
    fetch(&KVM_I8259(opaque)->pair);
    return true;
}

static bool kvm_i8259_post_load(void *opaque, unsigned version, Error **errp)
{
    I8259Pair *s = &KVM_I8259(opaque)->pair;

    s->chip[I8259_MASTER].elcr_mask = I8259_ELCR_MASTER;
    s->chip[I8259_SLAVE].elcr_mask = I8259_ELCR_SLAVE;
    if (!i8259_check(s, errp)) {
        return false;
    }
    put(s);
    return true;
}

static const VMState kvm_i8259_vmstate = {
    .name = "isa-i8259", .version = 1, .minimum_version = 1, .pre_save = kvm_i8259_pre_save, .post_load = kvm_i8259_post_load,
    .fields = (const VMField[]){ VMS_STRUCT_ARRAY(KvmI8259, pair.chip, &i8259_chip_vmstate), VMS_END },
};

static void kvm_i8259_print(const Device *dev, FILE *f)
{
    I8259Pair *s = &KVM_I8259(dev)->pair;

    fetch(s);
    i8259_print_pair(s, f);
}

static unsigned kvm_i8259_counts(const Device *dev, const uint64_t **counts)
{
    *counts = KVM_I8259(dev)->pair.raised;
    return ARRAY_SIZE(KVM_I8259(dev)->pair.raised);
}

DEVICE_DEFINE(KvmI8259, kvm_i8259, "kvm-i8259", device,
    .desc = "8259A interrupt controllers of a PC, in the host's kernel",
    .realize = kvm_i8259_realize,
    .unrealize = kvm_i8259_unrealize,
    .reset_hold = kvm_i8259_reset,
    .reset_exit = kvm_i8259_reset_exit,
    .vmstate = &kvm_i8259_vmstate,
    .print_pic = kvm_i8259_print,
    .irq_counts = kvm_i8259_counts,
    .not_user_creatable = true,
);

Device *kvm_i8259_create(MemoryRegion *io, Error **errp)
{
    I8259Pair *s = &KVM_I8259(device_new(&kvm_i8259_type))->pair;

    s->ports = io;
    return device_realize_and_unref(&s->dev, NULL, errp) ? &s->dev : NULL;
}
