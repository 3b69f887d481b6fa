/*
 * "kvm-apic": a CPU's local APIC in the host's kernel.
 *
 * It lives there all the time, and others change it while the CPU stands still: so the state is put only at reset and after
 * loading, and fetched only to be shown or saved.  What the CPU's other state needs of it (CR8, the base) the kernel tells
 * after each stay in the guest.
 *
 * With the 8259s in user space (split) their vectors are injected when the boot CPU can take one.
 *
 * Reference: Linux, struct kvm_lapic_state: the page of registers, SDM Vol.3 table 11-1.
 */
#include "accel/kvm/cpu-ops.h"
#include "accel/kvm/irqchip.h"
#include "hw/i386/kvm-irqchip.h"
#include "hw/intc/apic-internal.h"

#define MSR_APIC_BASE       0x1b
#define MSR_TSC_DEADLINE    0x6e0
#define LVT_MASKED          BIT(16)
#define APIC_VERSION        (0x14 | (LVT_COUNT - 1) << 16)

enum { REG_ID = 0x20, REG_VERSION = 0x30, REG_TPR = 0x80, REG_LDR = 0xd0, REG_DFR = 0xe0, REG_SVR = 0xf0, REG_ISR = 0x100,
       REG_TMR = 0x180, REG_IRR = 0x200, REG_ESR = 0x280, REG_ICR = 0x300, REG_ICR_HIGH = 0x310, REG_LVT = 0x320,
       REG_INITIAL_COUNT = 0x380, REG_CURRENT_COUNT = 0x390, REG_DIVIDE = 0x3e0 };

typedef struct KvmApic {
    LocalApic apic;             /* .tpr and .base are right while the CPU is out of the guest, the rest as of the last look */
} KvmApic;

OBJECT_DECLARE(KvmApic, KVM_APIC, kvm_apic)

/* --- the page of registers --- */

static uint32_t reg(const struct kvm_lapic_state *k, unsigned offset)
{
    return ld32_le((const uint8_t *)k->regs + offset);
}

static void set_reg(struct kvm_lapic_state *k, unsigned offset, uint32_t v)
{
    st32_le((uint8_t *)k->regs + offset, v);
}

static void from_page(LocalApic *s, const struct kvm_lapic_state *k)
{
    s->tpr = (uint8_t)reg(k, REG_TPR);
    s->ldr = (uint8_t)(reg(k, REG_LDR) >> 24);
    s->dfr = (uint8_t)(reg(k, REG_DFR) >> 28);
    s->svr = reg(k, REG_SVR);
    s->esr = reg(k, REG_ESR);
    s->icr_low = reg(k, REG_ICR);
    s->icr_high = reg(k, REG_ICR_HIGH);
    s->divide = reg(k, REG_DIVIDE);
    s->initial_count = reg(k, REG_INITIAL_COUNT);
    for (unsigned i = 0; i < 8; i++) {
        s->isr[i] = reg(k, REG_ISR + 16 * i);
        s->tmr[i] = reg(k, REG_TMR + 16 * i);
        s->irr[i] = reg(k, REG_IRR + 16 * i);
    }
    for (unsigned i = 0; i < LVT_COUNT; i++) {
        s->lvt[i] = reg(k, REG_LVT + 16 * i);
    }
    s->count_start_ns = clock_get_ns(CLOCK_TYPE_VIRTUAL) -
                        (int64_t)((s->initial_count - reg(k, REG_CURRENT_COUNT)) * apic_count_ns(s));
}

static void to_page(struct kvm_lapic_state *k, const LocalApic *s)
{
    memset(k, 0, sizeof(*k));
    set_reg(k, REG_ID, s->id << 24);
    set_reg(k, REG_VERSION, APIC_VERSION);
    set_reg(k, REG_TPR, s->tpr);
    set_reg(k, REG_LDR, (uint32_t)s->ldr << 24);
    set_reg(k, REG_DFR, (uint32_t)s->dfr << 28 | 0x0fffffff);
    set_reg(k, REG_SVR, s->svr);
    set_reg(k, REG_ESR, s->esr);
    set_reg(k, REG_ICR, s->icr_low);
    set_reg(k, REG_ICR_HIGH, s->icr_high);
    set_reg(k, REG_DIVIDE, s->divide);
    set_reg(k, REG_INITIAL_COUNT, s->initial_count);
    set_reg(k, REG_CURRENT_COUNT, apic_current_count(s));
    for (unsigned i = 0; i < 8; i++) {
        set_reg(k, REG_ISR + 16 * i, s->isr[i]);
        set_reg(k, REG_TMR + 16 * i, s->tmr[i]);
        set_reg(k, REG_IRR + 16 * i, s->irr[i]);
    }
    for (unsigned i = 0; i < LVT_COUNT; i++) {
        set_reg(k, REG_LVT + 16 * i, s->lvt[i]);
    }
}

/* --- in and out --- */

static int msr_ioctl(const LocalApic *s, unsigned long request, uint32_t index, uint64_t *data)
{
    struct { struct kvm_msrs head; struct kvm_msr_entry entry; } m = { .head.nmsrs = 1, .entry = { .index = index, .data = *data } };
    int result = kvm_vcpu_ioctl(s->cpu, request, &m);

    *data = m.entry.data;
    return result;
}

/* The CPU is out of the guest.  Before it is realized there is nothing to ask. */
static void fetch(LocalApic *s)
{
    struct kvm_lapic_state k;

    if (s->cpu->kvm && kvm_vcpu_ioctl(s->cpu, KVM_GET_LAPIC, &k) >= 0) {
        (void)msr_ioctl(s, KVM_GET_MSRS, MSR_APIC_BASE, &s->base);
        s->tsc_deadline = 0;
        (void)msr_ioctl(s, KVM_GET_MSRS, MSR_TSC_DEADLINE, &s->tsc_deadline);
        from_page(s, &k);
    }
}

/* The base first: it says how the rest is read.  The deadline last: it counts only in its mode. */
static void put(LocalApic *s)
{
    struct kvm_lapic_state k;
    int result;

    if (!s->cpu->kvm) {
        return;
    }
    to_page(&k, s);
    (void)msr_ioctl(s, KVM_SET_MSRS, MSR_APIC_BASE, &s->base);
    result = kvm_vcpu_ioctl(s->cpu, KVM_SET_LAPIC, &k);
    (void)msr_ioctl(s, KVM_SET_MSRS, MSR_TSC_DEADLINE, &s->tsc_deadline);
    if (result < 0) {
        error_report("KVM does not take the state of CPU %u's local APIC: %s", s->cpu->index, g_strerror(-result));
    }
}

/* --- for the CPU --- */

static int get_interrupt(void *opaque)
{
    const LocalApic *s = opaque;

    return x86_cpu_is_bsp(s->cpu) && apic_bus_pic_level(s->bus) ? apic_bus_pic_acknowledge(s->bus) : -1;
}

static bool has_interrupt(void *opaque)
{
    const LocalApic *s = opaque;

    return x86_cpu_is_bsp(s->cpu) && apic_bus_pic_level(s->bus);
}

static uint8_t get_tpr(void *opaque)
{
    return ((LocalApic *)opaque)->tpr >> 4;
}

static void set_tpr(void *opaque, uint8_t cr8)
{
    ((LocalApic *)opaque)->tpr = (uint8_t)(cr8 << 4);
}

static uint64_t get_base(void *opaque)
{
    return ((LocalApic *)opaque)->base;
}

static bool set_base(void *opaque, uint64_t v)
{
    ((LocalApic *)opaque)->base = v;
    return true;
}

/* MSRs are the kernel's: who asks here is the translator's assistance, with an instruction that KVM did not emulate. */
static bool msr_read(void *opaque, uint32_t msr, uint64_t *v)
{
    *v = 0;
    return msr_ioctl(opaque, KVM_GET_MSRS, msr, v) == 1;
}

static bool msr_write(void *opaque, uint32_t msr, uint64_t v)
{
    return msr_ioctl(opaque, KVM_SET_MSRS, msr, &v) == 1;
}

/* The kernel does it all itself at INIT and when the TSC is written. */
static void nothing(void *opaque)
{
}

static void print(void *opaque, FILE *f)
{
    fetch(opaque);
    apic_print(opaque, f);
}

static const X86IntcOps kvm_apic_intc_ops = {
    .get_interrupt = get_interrupt, .has_interrupt = has_interrupt, .get_tpr = get_tpr, .set_tpr = set_tpr, .get_base = get_base,
    .set_base = set_base, .msr_read = msr_read, .msr_write = msr_write, .init_reset = nothing, .tsc_changed = nothing,
    .print = print,
};

/* --- from the board --- */

static void announce(unsigned pin, uint64_t address, uint32_t data)
{
    kvm_route_pin(pin, address, data);
    kvm_routes_commit();
}

static void pic_changed(ApicBus *bus, bool level)
{
    Vcpu *bsp = cpu_by_index(0);

    if (bsp && level) {
        cpu_interrupt(bsp, CPU_INTERRUPT_HARD);
    } else if (bsp) {
        cpu_reset_interrupt(bsp, CPU_INTERRUPT_HARD);
    }
}

/* LINT1 as the guest has set it up. */
static void nmi_here(Vcpu *cpu, void *opaque)
{
    LocalApic *s = &KVM_APIC(object_child(cpu, "lapic"))->apic;
    uint32_t lint1;

    fetch(s);
    lint1 = s->lvt[LVT_LINT1];
    if (!apic_is_enabled(s) || (!(lint1 & LVT_MASKED) && (lint1 >> 8 & 7) == APIC_DM_NMI)) {
        cpu_interrupt(cpu, CPU_INTERRUPT_NMI);
    }
}

static void nmi(void)
{
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        async_run_on_cpu(cpu, nmi_here, NULL);
    }
}

static const ApicOutsideOps outside_ops = { .send = kvm_msi_send, .announce = announce, .pic_changed = pic_changed, .nmi = nmi };

void kvm_apic_connect(ApicBus *bus)
{
    apic_bus_set_outside(bus, &outside_ops);
    kvm_irqchip_set_eoi(apic_bus_eoi_from_outside, bus);
}

/* --- the device --- */

static void fired(void *opaque)
{
    /* the timer of the common part is never set */
}

static bool kvm_apic_realize(Device *dev, Error **errp)
{
    LocalApic *s = &KVM_APIC(dev)->apic;

    s->bus = apic_bus_find();
    if (!s->bus || !s->cpu) {
        error_setg(errp, "kvm-apic belongs to a CPU of a machine with an APIC bus");
        return false;
    }
    s->id = x86_cpu_apic_id(s->cpu);
    s->base = apic_base_at_reset(s->cpu);
    timer_init(&s->timer, CLOCK_TYPE_VIRTUAL, fired, s);
    apic_reset_registers(s);
    x86_cpu_set_intc(s->cpu, &kvm_apic_intc_ops, s);
    return true;
}

static void kvm_apic_unrealize(Device *dev)
{
    x86_cpu_set_intc(KVM_APIC(dev)->apic.cpu, NULL, NULL);
}

static void kvm_apic_reset(Device *dev, ResetType type)
{
    LocalApic *s = &KVM_APIC(dev)->apic;

    s->base = apic_base_at_reset(s->cpu);
    apic_reset_registers(s);
    put(s);
}

static bool kvm_apic_pre_save(void *opaque, Error **errp)
{
    fetch(&KVM_APIC(opaque)->apic);
    return true;
}

static bool kvm_apic_post_load(void *opaque, unsigned version, Error **errp)
{
    LocalApic *s = &KVM_APIC(opaque)->apic;

    apic_check_loaded(s);
    put(s);
    return true;
}

static const VMState kvm_apic_vmstate = {
    .name = "apic", .version = 1, .minimum_version = 1, .pre_save = kvm_apic_pre_save, .post_load = kvm_apic_post_load,
    .fields = apic_vmstate_fields,
};

DEVICE_DEFINE(KvmApic, kvm_apic, "kvm-apic", device,
    .desc = "local APIC in the host's kernel",
    .realize = kvm_apic_realize,
    .unrealize = kvm_apic_unrealize,
    .reset_hold = kvm_apic_reset,
    .vmstate = &kvm_apic_vmstate,
    .not_user_creatable = true,
);

Device *kvm_apic_create_for_cpu(Vcpu *cpu, Error **errp)
{
    return apic_new_for_cpu(&kvm_apic_type, cpu, errp);
}
