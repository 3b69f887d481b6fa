/*
 * "kvm-ioapic": the IOAPIC in the host's kernel, and the board's lines, which lead to it and to the kernel's 8259s.
 *
 * Reference: Linux, struct kvm_ioapic_state.
 */
#include "accel/kvm/irqchip.h"
#include "hw/i386/kvm-irqchip.h"
#include "hw/intc/i8259-internal.h"
#include "hw/intc/ioapic-internal.h"

typedef struct KvmIoApic {
    IoApic ioapic;              /* as of the last look; .raised counts here */
    uint32_t levels;            /* of the board's lines, for counting */
} KvmIoApic;

OBJECT_DECLARE(KvmIoApic, KVM_IOAPIC, kvm_ioapic)

_Static_assert(KVM_IOAPIC_NUM_PINS == IOAPIC_NUM_PINS, "entries are copied one by one");

static void fetch(IoApic *s)
{
    struct kvm_irqchip k = { .chip_id = KVM_IRQCHIP_IOAPIC };

    if (!kvm_irqchip_get(&k)) {
        return;
    }
    s->select = k.chip.ioapic.ioregsel;
    s->id = k.chip.ioapic.id;
    s->lines = k.chip.ioapic.irr;
    for (unsigned i = 0; i < IOAPIC_NUM_PINS; i++) {
        s->redir[i] = k.chip.ioapic.redirtbl[i].bits;
    }
}

static void put(const IoApic *s)
{
    struct kvm_irqchip k = { .chip_id = KVM_IRQCHIP_IOAPIC, .chip.ioapic = {
        .base_address = IOAPIC_DEFAULT_BASE, .ioregsel = s->select, .id = s->id, .irr = s->lines,
    } };

    for (unsigned i = 0; i < IOAPIC_NUM_PINS; i++) {
        k.chip.ioapic.redirtbl[i].bits = s->redir[i];
    }
    (void)kvm_irqchip_set(&k);
}

void kvm_gsi_set(Device *ioapic, Device *i8259, unsigned n, int level)
{
    KvmIoApic *s = KVM_IOAPIC(ioapic);

    if (level && !(s->levels >> n & 1)) {
        s->ioapic.raised[n ? n : 2]++;
        if (i8259 && n < 16) {
            ((I8259Pair *)i8259)->raised[n]++;
        }
    }
    s->levels = level ? s->levels | BIT(n) : s->levels & ~BIT(n);
    kvm_irq_line(n, level);
}

static void kvm_ioapic_reset(Device *dev, ResetType type)
{
    IoApic *s = &KVM_IOAPIC(dev)->ioapic;

    s->select = s->id = s->lines = 0;
    for (unsigned i = 0; i < IOAPIC_NUM_PINS; i++) {
        s->redir[i] = RTE_MASKED;
    }
    put(s);
}

static bool kvm_ioapic_pre_save(void *opaque, Error **errp)
{
    fetch(&KVM_IOAPIC(opaque)->ioapic);
    return true;
}

static bool kvm_ioapic_post_load(void *opaque, unsigned version, Error **errp)
{
    put(&KVM_IOAPIC(opaque)->ioapic);
    return true;
}

static const VMState kvm_ioapic_vmstate = {
    .name = "ioapic", .version = 1, .minimum_version = 1, .pre_save = kvm_ioapic_pre_save, .post_load = kvm_ioapic_post_load,
    .fields = (const VMField[]){
        VMS_U32(KvmIoApic, ioapic.lines), VMS_U32(KvmIoApic, ioapic.select), VMS_U32(KvmIoApic, ioapic.id),
        VMS_U64_ARRAY(KvmIoApic, ioapic.redir), VMS_END,
    },
};

static void kvm_ioapic_print(const Device *dev, FILE *f)
{
    IoApic *s = &KVM_IOAPIC(dev)->ioapic;

    fetch(s);
    ioapic_print_state(s, f);
}

static unsigned kvm_ioapic_counts(const Device *dev, const uint64_t **counts)
{
    *counts = KVM_IOAPIC(dev)->ioapic.raised;
    return IOAPIC_NUM_PINS;
}

DEVICE_DEFINE(KvmIoApic, kvm_ioapic, "kvm-ioapic", sysbus_device,
    .desc = "I/O APIC in the host's kernel",
    .reset_hold = kvm_ioapic_reset,
    .vmstate = &kvm_ioapic_vmstate,
    .print_pic = kvm_ioapic_print,
    .irq_counts = kvm_ioapic_counts,
    .not_user_creatable = true,
);

Device *kvm_ioapic_create(bool pic, Error **errp)
{
    Device *dev = device_new(&kvm_ioapic_type);

    kvm_irqchip_wire(pic);
    object_add_child(object_container("/machine"), "ioapic", dev);
    return device_realize_and_unref(dev, NULL, errp) ? dev : NULL;
}
