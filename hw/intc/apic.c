/*
 * Local APIC: xAPIC and x2APIC.
 *
 * Reference: SDM Vol.3 chapter 11.
 *
 *   LVT rows      timer, thermal, performance, LINT0, LINT1, error
 *   timer         one-shot, periodic (1 GHz bus clock through the divider), TSC deadline
 *   priority      PPR = max(TPR, highest in service); a request is taken if its class is above
 *   ExtINT        LINT0 passes the PIC's INTR; with the APIC disabled the wire goes to the CPU itself
 *
 * Invariant: after each change, CPU_INTERRUPT_HARD of the CPU says whether something is deliverable.
 *
 * Locks: BQL.
 */
#include "apic-internal.h"
#include "util/log.h"

enum {
    REG_ID = 0x20, REG_VERSION = 0x30, REG_TPR = 0x80, REG_APR = 0x90, REG_PPR = 0xa0, REG_EOI = 0xb0, REG_LDR = 0xd0,
    REG_DFR = 0xe0, REG_SVR = 0xf0, REG_ISR = 0x100, REG_TMR = 0x180, REG_IRR = 0x200, REG_ESR = 0x280, REG_ICR = 0x300,
    REG_ICR_HIGH = 0x310, REG_LVT = 0x320, REG_LVT_LAST = 0x370, REG_INITIAL_COUNT = 0x380, REG_CURRENT_COUNT = 0x390,
    REG_DIVIDE = 0x3e0, REG_SELF_IPI = 0x3f0,
};

#define APIC_VERSION (0x14 | (LVT_COUNT - 1) << 16)
#define MSR_X2APIC_FIRST    0x800
#define MSR_TSC_DEADLINE    0x6e0

#define LVT_MASKED   BIT(16)
#define LVT_LEVEL    BIT(15)
#define LVT_REMOTE   BIT(14)

enum { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_TSC_DEADLINE };
enum { ESR_SEND_ILLEGAL = 1 << 5, ESR_RECEIVE_ILLEGAL = 1 << 6, ESR_ILLEGAL_REGISTER = 1 << 7 };
enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

/* A periodic timer faster than this would leave the host no time for anything else. */
#define MIN_PERIOD_NS 20000

/* Bits of each LVT row that software may set (SDM Vol.3 figure 11-8). */
static const uint32_t lvt_writable[LVT_COUNT] = {
    [LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERFMON] = 0x107ff, [LVT_LINT0] = 0x1a7ff,
    [LVT_LINT1] = 0x1a7ff, [LVT_ERROR] = 0x100ff,
};

/* --- vectors --- */

static void vector_set(uint32_t *map, uint8_t v)   { map[v / 32] |= BIT(v % 32); }
static void vector_clear(uint32_t *map, uint8_t v) { map[v / 32] &= ~BIT(v % 32); }
static bool vector_test(const uint32_t *map, uint8_t v) { return map[v / 32] >> (v % 32) & 1; }

/* -1 if none */
static int vector_highest(const uint32_t *map)
{
    for (int i = 7; i >= 0; i--) {
        if (map[i]) {
            return 32 * i + 31 - __builtin_clz(map[i]);
        }
    }
    return -1;
}

unsigned apic_ppr(const LocalApic *s)
{
    int isr = vector_highest(s->isr);
    unsigned in_service = isr < 0 ? 0 : (unsigned)isr & 0xf0;

    return (s->tpr & 0xf0u) >= in_service ? s->tpr : in_service;
}

/* The vector that would be delivered now, -1 if none. */
static int deliverable(const LocalApic *s)
{
    int irr = vector_highest(s->irr);

    if (irr < 0 || !apic_is_software_enabled(s) || ((unsigned)irr & 0xf0) <= (apic_ppr(s) & 0xf0)) {
        return -1;
    }
    return irr;
}

/* Is the PIC's wire connected through to this CPU? */
static bool accepts_pic(const LocalApic *s)
{
    uint32_t lint0 = s->lvt[LVT_LINT0];

    if (!apic_is_enabled(s)) {
        return x86_cpu_is_bsp(s->cpu);
    }
    return !(lint0 & LVT_MASKED) && (lint0 >> 8 & 7) == APIC_DM_EXTINT;
}

static bool extint_pending(const LocalApic *s)
{
    return s->bus->pic_acknowledge && (s->extint_message || (s->bus->pic_level && accepts_pic(s)));
}

static bool has_interrupt(void *opaque)
{
    const LocalApic *s = opaque;
    return deliverable(s) >= 0 || extint_pending(s);
}

static void update(LocalApic *s)
{
    if (has_interrupt(s)) {
        cpu_interrupt(s->cpu, CPU_INTERRUPT_HARD);
    } else {
        cpu_reset_interrupt(s->cpu, CPU_INTERRUPT_HARD);
    }
}

static int get_interrupt(void *opaque)
{
    LocalApic *s = opaque;
    int v = deliverable(s);

    if (v >= 0) {
        vector_clear(s->irr, v);
        vector_set(s->isr, v);
    } else if (extint_pending(s)) {
        s->extint_message = false;
        v = s->bus->pic_acknowledge(s->bus->pic_opaque);
    }
    update(s);
    return v;
}

static void local_deliver(LocalApic *s, unsigned row);

static void report_error(LocalApic *s, uint32_t error)
{
    bool first = !(s->esr_pending & error);

    s->esr_pending |= error;
    if (first) {
        local_deliver(s, LVT_ERROR);
    }
}

static void request(LocalApic *s, uint8_t v, bool level)
{
    if (v < 16) {
        if (!(s->esr_pending & ESR_RECEIVE_ILLEGAL)) {
            report_error(s, ESR_RECEIVE_ILLEGAL);
        }
        return;
    }
    vector_set(s->irr, v);
    if (level) {
        vector_set(s->tmr, v);
    } else {
        vector_clear(s->tmr, v);
    }
    update(s);
}

static void end_of_interrupt(LocalApic *s)
{
    int v = vector_highest(s->isr);

    if (v < 0) {
        return;
    }
    vector_clear(s->isr, v);
    if (vector_test(s->tmr, v)) {
        apic_bus_eoi(s->bus, v);
    }
    update(s);
}

/* --- messages --- */

/* SDM Vol.3 11.6.2; @x2_sender says how wide @dest is and so what broadcast looks like. */
bool apic_matches(const LocalApic *s, uint32_t dest, bool logical, bool x2_sender)
{
    if (dest == (x2_sender ? 0xffffffffu : 0xffu)) {
        return true;
    }
    if (!logical) {
        return s->id == dest;
    }
    if (apic_is_x2apic(s)) {
        return dest >> 16 == s->id >> 4 && (dest >> (s->id & 15) & 1);
    }
    if (s->dfr == 0xf) {
        return s->ldr & dest;
    }
    return (s->ldr ^ dest) < 0x10 && (s->ldr & dest & 0xf);
}

void apic_accept(LocalApic *s, const ApicMessage *m)
{
    switch (m->delivery_mode) {
    case APIC_DM_FIXED: case APIC_DM_LOWPRI:
        if (apic_is_software_enabled(s)) {
            request(s, m->vector, m->level_triggered);
        }
        break;
    case APIC_DM_SMI:
        cpu_interrupt(s->cpu, CPU_INTERRUPT_SMI);
        break;
    case APIC_DM_NMI:
        cpu_interrupt(s->cpu, CPU_INTERRUPT_NMI);
        break;
    case APIC_DM_INIT:
        if (m->level_assert || !m->level_triggered) {
            cpu_reset_interrupt(s->cpu, CPU_INTERRUPT_SIPI);    /* an older one is void */
            cpu_interrupt(s->cpu, CPU_INTERRUPT_INIT);
        }
        break;
    case APIC_DM_SIPI:
        x86_cpu_sipi(s->cpu, m->vector);
        break;
    case APIC_DM_EXTINT:
        s->extint_message = true;
        update(s);
        break;
    }
}

/* A local source, SDM Vol.3 11.5.1. */
static void local_deliver(LocalApic *s, unsigned row)
{
    uint32_t lvt = s->lvt[row];
    unsigned mode = row == LVT_TIMER || row == LVT_ERROR ? APIC_DM_FIXED : lvt >> 8 & 7;

    if (lvt & LVT_MASKED) {
        return;
    }
    switch (mode) {
    case APIC_DM_FIXED:
        if (apic_is_software_enabled(s)) {
            request(s, lvt & 0xff, row == LVT_LINT0 && (lvt & LVT_LEVEL));
        }
        break;
    case APIC_DM_SMI:
        cpu_interrupt(s->cpu, CPU_INTERRUPT_SMI);
        break;
    case APIC_DM_NMI:
        cpu_interrupt(s->cpu, CPU_INTERRUPT_NMI);
        break;
    }
}

void apic_lint0(LocalApic *s, bool level)
{
    if (level && apic_is_enabled(s) && !accepts_pic(s)) {
        local_deliver(s, LVT_LINT0);
    }
    update(s);
}

void apic_lint1_nmi(LocalApic *s)
{
    if (apic_is_enabled(s)) {
        local_deliver(s, LVT_LINT1);
    } else {
        cpu_interrupt(s->cpu, CPU_INTERRUPT_NMI);       /* the pin is the CPU's NMI */
    }
}

/* Send what ICR says to @dest. */
static void send_ipi(LocalApic *s, uint32_t icr, uint32_t dest)
{
    ApicMessage m = {
        .dest = dest, .dest_logical = icr >> 11 & 1, .delivery_mode = icr >> 8 & 7, .vector = icr & 0xff,
        .level_triggered = icr >> 15 & 1, .level_assert = icr >> 14 & 1,
    };
    unsigned shorthand = icr >> 18 & 3;

    if (m.vector < 16 && (m.delivery_mode == APIC_DM_FIXED || m.delivery_mode == APIC_DM_LOWPRI)) {
        report_error(s, ESR_SEND_ILLEGAL);
        return;
    }
    if (m.delivery_mode == APIC_DM_FIXED || m.delivery_mode == APIC_DM_LOWPRI) {
        m.level_triggered = false;              /* IPIs are edges: 11.6.1, note on the trigger mode */
    }
    switch (shorthand) {
    case SHORTHAND_NONE:
        apic_bus_route(s->bus, &m, apic_is_x2apic(s), NULL);
        break;
    case SHORTHAND_SELF:
        apic_accept(s, &m);
        break;
    default:
        m.dest = 0xffffffff;
        m.dest_logical = false;
        apic_bus_route(s->bus, &m, true, shorthand == SHORTHAND_OTHERS ? s : NULL);
        break;
    }
}

/* --- timer --- */

static unsigned timer_mode(const LocalApic *s)
{
    return s->lvt[LVT_TIMER] >> 17 & 3;
}

/* The bus clock is 1 GHz. */
uint64_t apic_count_ns(const LocalApic *s)
{
    unsigned code = (s->divide & 3) | (s->divide >> 1 & 4);
    return code == 7 ? 1 : 2u << code;
}

static uint64_t period_ns(const LocalApic *s)
{
    return (uint64_t)s->initial_count * apic_count_ns(s);
}

uint32_t apic_current_count(const LocalApic *s)
{
    uint64_t elapsed;

    if (s->initial_count == 0 || timer_mode(s) == TIMER_TSC_DEADLINE) {
        return 0;
    }
    elapsed = (uint64_t)(clock_get_ns(CLOCK_TYPE_VIRTUAL) - s->count_start_ns) / apic_count_ns(s);
    if (timer_mode(s) == TIMER_PERIODIC) {
        elapsed %= s->initial_count;
    }
    return elapsed >= s->initial_count ? 0 : s->initial_count - (uint32_t)elapsed;
}

/* Start counting from initial_count now. */
static void timer_start(LocalApic *s)
{
    timer_del(&s->timer);
    s->count_start_ns = clock_get_ns(CLOCK_TYPE_VIRTUAL);
    if (s->initial_count && timer_mode(s) != TIMER_TSC_DEADLINE) {
        timer_mod(&s->timer, s->count_start_ns + (int64_t)period_ns(s));
    }
}

static void deadline_arm(LocalApic *s)
{
    int64_t due;

    timer_del(&s->timer);
    if (s->tsc_deadline == 0 || timer_mode(s) != TIMER_TSC_DEADLINE) {
        return;
    }
    if (s->tsc_deadline <= x86_cpu_read_tsc(s->cpu)) {
        s->tsc_deadline = 0;
        local_deliver(s, LVT_TIMER);
        return;
    }
    due = x86_cpu_tsc_to_virtual_ns(s->cpu, s->tsc_deadline);
    timer_mod(&s->timer, due < 0 ? INT64_MAX : due);
}

static void timer_fired(void *opaque)
{
    LocalApic *s = opaque;

    switch (timer_mode(s)) {
    case TIMER_TSC_DEADLINE:
        s->tsc_deadline = 0;
        break;
    case TIMER_PERIODIC: {
        int64_t now = clock_get_ns(CLOCK_TYPE_VIRTUAL), period = (int64_t)MAX(period_ns(s), MIN_PERIOD_NS);
        int64_t late = (now - s->count_start_ns) / period;

        s->count_start_ns += MAX(late, 1) * period;     /* missed ticks are not made up for */
        timer_mod(&s->timer, s->count_start_ns + period);
        break;
    }
    }
    local_deliver(s, LVT_TIMER);
}

static void tsc_changed(void *opaque)
{
    LocalApic *s = opaque;

    if (timer_mode(s) == TIMER_TSC_DEADLINE) {
        deadline_arm(s);
    }
}

/* --- registers --- */

static void write_svr(LocalApic *s, uint32_t v)
{
    s->svr = v & 0x1ff;
    if (!(s->svr & 0x100)) {            /* software-disabled: all sources are masked (11.4.7.2) */
        for (unsigned i = 0; i < LVT_COUNT; i++) {
            s->lvt[i] |= LVT_MASKED;
        }
    }
    update(s);
}

static void write_lvt(LocalApic *s, unsigned row, uint32_t v)
{
    unsigned old_mode = timer_mode(s);

    s->lvt[row] = v & lvt_writable[row];
    if (!(s->svr & 0x100)) {
        s->lvt[row] |= LVT_MASKED;
    }
    if (row == LVT_TIMER && timer_mode(s) != old_mode) {
        /* 11.5.4.1: going to or from deadline mode disarms the timer */
        if (old_mode == TIMER_TSC_DEADLINE || timer_mode(s) == TIMER_TSC_DEADLINE) {
            timer_del(&s->timer);
            s->tsc_deadline = 0;
            s->initial_count = 0;
        }
    }
    if (row == LVT_LINT0) {
        update(s);
    }
}

static uint32_t x2apic_ldr(const LocalApic *s)
{
    return (s->id >> 4) << 16 | BIT(s->id & 15);
}

/* Registers that xAPIC and x2APIC read alike.  False: no such register. */
static bool register_read(LocalApic *s, unsigned reg, uint32_t *v)
{
    switch (reg) {
    case REG_VERSION: *v = APIC_VERSION; return true;
    case REG_TPR:     *v = s->tpr; return true;
    case REG_PPR:     *v = apic_ppr(s); return true;
    case REG_SVR:     *v = s->svr; return true;
    case REG_ESR:     *v = s->esr; return true;
    case REG_ICR:     *v = s->icr_low; return true;
    case REG_INITIAL_COUNT: *v = s->initial_count; return true;
    case REG_CURRENT_COUNT: *v = apic_current_count(s); return true;
    case REG_DIVIDE:  *v = s->divide; return true;
    }
    if (reg >= REG_ISR && reg < REG_ESR) {
        const uint32_t *map = reg < REG_TMR ? s->isr : reg < REG_IRR ? s->tmr : s->irr;
        *v = map[(reg & 0x70) >> 4];
        return true;
    }
    if (reg >= REG_LVT && reg <= REG_LVT_LAST) {
        *v = s->lvt[(reg - REG_LVT) >> 4];
        return true;
    }
    return false;
}

static bool register_write(LocalApic *s, unsigned reg, uint32_t v)
{
    switch (reg) {
    case REG_TPR:
        s->tpr = v & 0xff;
        update(s);
        return true;
    case REG_EOI:
        end_of_interrupt(s);
        return true;
    case REG_SVR:
        write_svr(s, v);
        return true;
    case REG_ESR:               /* a write latches what has happened since the last one */
        s->esr = s->esr_pending;
        s->esr_pending = 0;
        return true;
    case REG_INITIAL_COUNT:
        if (timer_mode(s) != TIMER_TSC_DEADLINE) {
            s->initial_count = v;
            timer_start(s);
        }
        return true;
    case REG_DIVIDE:
        s->divide = v & 0xb;
        if (timer_pending(&s->timer) && timer_mode(s) != TIMER_TSC_DEADLINE) {
            timer_start(s);
        }
        return true;
    }
    if (reg >= REG_LVT && reg <= REG_LVT_LAST) {
        write_lvt(s, (reg - REG_LVT) >> 4, v);
        return true;
    }
    return false;
}

uint32_t apic_mmio_read(LocalApic *s, unsigned reg)
{
    uint32_t v = 0;

    switch (reg) {
    case REG_ID:       return s->id << 24;
    case REG_LDR:      return (uint32_t)s->ldr << 24;
    case REG_DFR:      return (uint32_t)s->dfr << 28 | 0x0fffffff;
    case REG_ICR_HIGH: return s->icr_high;
    case REG_APR: case REG_EOI: return 0;
    }
    if (!register_read(s, reg, &v)) {
        report_error(s, ESR_ILLEGAL_REGISTER);
    }
    return v;
}

void apic_mmio_write(LocalApic *s, unsigned reg, uint32_t v)
{
    switch (reg) {
    case REG_LDR:
        s->ldr = v >> 24;
        return;
    case REG_DFR:
        s->dfr = v >> 28;
        return;
    case REG_ICR_HIGH:
        s->icr_high = v & 0xff000000;
        return;
    case REG_ICR:
        s->icr_low = v & 0xcefff;               /* delivery status reads as idle */
        send_ipi(s, s->icr_low, s->icr_high >> 24);
        return;
    case REG_ID: case REG_VERSION: case REG_APR: case REG_PPR: case REG_CURRENT_COUNT:
        return;                                 /* read-only */
    }
    if (reg >= REG_ISR && reg < REG_ESR) {
        return;
    }
    if (!register_write(s, reg, v)) {
        report_error(s, ESR_ILLEGAL_REGISTER);
    }
}

/* --- for the CPU --- */

static uint8_t get_tpr(void *opaque)
{
    return ((LocalApic *)opaque)->tpr >> 4;
}

static void set_tpr(void *opaque, uint8_t cr8)
{
    LocalApic *s = opaque;

    s->tpr = (cr8 & 0xf) << 4;
    update(s);
}

static uint64_t get_base(void *opaque)
{
    return ((LocalApic *)opaque)->base;
}

static bool msr_read(void *opaque, uint32_t msr, uint64_t *v)
{
    LocalApic *s = opaque;
    unsigned reg = (msr - MSR_X2APIC_FIRST) << 4;
    uint32_t v32 = 0;

    if (msr == MSR_TSC_DEADLINE) {
        *v = timer_mode(s) == TIMER_TSC_DEADLINE ? s->tsc_deadline : 0;
        return true;
    }
    if (!apic_is_x2apic(s)) {
        return false;
    }
    switch (reg) {
    case REG_ID:  *v = s->id; return true;
    case REG_LDR: *v = x2apic_ldr(s); return true;
    case REG_ICR: *v = s->icr_low | (uint64_t)s->icr_high << 32; return true;
    }
    if (!register_read(s, reg, &v32)) {
        return false;
    }
    *v = v32;
    return true;
}

/* Reserved bits of a register in x2APIC mode; a write that sets one is #GP. */
static uint64_t x2apic_reserved(unsigned reg)
{
    switch (reg) {
    case REG_EOI: case REG_ESR: return ~0ULL;
    case REG_TPR: case REG_SELF_IPI: return ~0xffULL;
    case REG_SVR:    return ~0x11ffULL;
    case REG_DIVIDE: return ~0xbULL;
    case REG_ICR:    return 0xfff32000ULL;
    default:
        if (reg >= REG_LVT && reg <= REG_LVT_LAST) {
            return ~(uint64_t)(lvt_writable[(reg - REG_LVT) >> 4] | LVT_REMOTE | BIT(12));
        }
        return ~0xffffffffULL;
    }
}

static bool msr_write(void *opaque, uint32_t msr, uint64_t v)
{
    LocalApic *s = opaque;
    unsigned reg = (msr - MSR_X2APIC_FIRST) << 4;

    if (msr == MSR_TSC_DEADLINE) {
        if (timer_mode(s) == TIMER_TSC_DEADLINE) {
            s->tsc_deadline = v;
            deadline_arm(s);
        }
        return true;
    }
    if (!apic_is_x2apic(s) || (v & x2apic_reserved(reg))) {
        return false;
    }
    switch (reg) {
    case REG_ICR:
        s->icr_low = (uint32_t)v;
        s->icr_high = v >> 32;
        send_ipi(s, s->icr_low, s->icr_high);
        return true;
    case REG_SELF_IPI:
        send_ipi(s, (v & 0xff) | SHORTHAND_SELF << 18, 0);
        return true;
    }
    return register_write(s, reg, (uint32_t)v);
}

/* Disabling the APIC does so, too. */
void apic_reset_registers(LocalApic *s)
{
    s->tpr = s->ldr = 0;
    s->dfr = 0xf;
    s->svr = 0xff;
    memset(s->isr, 0, sizeof(s->isr));
    memset(s->tmr, 0, sizeof(s->tmr));
    memset(s->irr, 0, sizeof(s->irr));
    for (unsigned i = 0; i < LVT_COUNT; i++) {
        s->lvt[i] = LVT_MASKED;
    }
    s->esr = s->esr_pending = 0;
    s->icr_low = s->icr_high = 0;
    s->divide = s->initial_count = 0;
    s->count_start_ns = 0;
    s->tsc_deadline = 0;
    s->extint_message = false;
    timer_del(&s->timer);
    if (x86_cpu_is_bsp(s->cpu)) {
        s->lvt[LVT_LINT0] = APIC_DM_EXTINT << 8;        /* the PIC reaches the boot CPU from the start */
    }
}

static void init_reset(void *opaque)
{
    LocalApic *s = opaque;

    apic_reset_registers(s);
    update(s);
}

/* SDM Vol.3 figure 11-27: legal changes of mode; bit 8 is read-only. */
static bool set_base(void *opaque, uint64_t v)
{
    LocalApic *s = opaque;
    bool enable = v & APIC_BASE_ENABLE, x2 = v & APIC_BASE_X2APIC;

    if ((x2 && !enable) || (x2 && !apic_is_enabled(s)) || (enable && !x2 && apic_is_x2apic(s))) {
        return false;
    }
    if ((v & APIC_BASE_ADDR) != (s->base & APIC_BASE_ADDR) &&
        ((v & APIC_BASE_ADDR) < APIC_DEFAULT_BASE || (v & APIC_BASE_ADDR) >= APIC_DEFAULT_BASE + APIC_WINDOW_SIZE)) {
        guest_unimp("apic", "base moved to 0x%" PRIx64 ", out of the window at 0x%x", (uint64_t)(v & APIC_BASE_ADDR), APIC_DEFAULT_BASE);
    }
    if (!enable && apic_is_enabled(s)) {
        apic_reset_registers(s);
    }
    s->base = (v & (APIC_BASE_ADDR | APIC_BASE_ENABLE | APIC_BASE_X2APIC)) | (s->base & APIC_BASE_BSP);
    update(s);
    return true;
}

static const X86IntcOps apic_intc_ops = {
    .get_interrupt = get_interrupt, .has_interrupt = has_interrupt, .get_tpr = get_tpr, .set_tpr = set_tpr,
    .get_base = get_base, .set_base = set_base, .msr_read = msr_read, .msr_write = msr_write,
    .init_reset = init_reset, .tsc_changed = tsc_changed, .print = apic_print,
};

/* --- the device --- */

uint64_t apic_base_at_reset(Vcpu *cpu)
{
    return APIC_DEFAULT_BASE | APIC_BASE_ENABLE | (x86_cpu_is_bsp(cpu) ? APIC_BASE_BSP : 0);
}

static bool apic_realize(Device *dev, Error **errp)
{
    LocalApic *s = LOCAL_APIC(dev);

    s->bus = apic_bus_find();
    if (!s->bus || !s->cpu) {
        error_setg(errp, "apic belongs to a CPU of a machine with an APIC bus");
        return false;
    }
    s->id = x86_cpu_apic_id(s->cpu);
    s->base = apic_base_at_reset(s->cpu);
    timer_init(&s->timer, CLOCK_TYPE_VIRTUAL, timer_fired, s);
    apic_reset_registers(s);
    g_ptr_array_add(s->bus->apics, s);
    x86_cpu_set_intc(s->cpu, &apic_intc_ops, s);
    return true;
}

static void apic_unrealize(Device *dev)
{
    LocalApic *s = LOCAL_APIC(dev);

    x86_cpu_set_intc(s->cpu, NULL, NULL);
    g_ptr_array_remove(s->bus->apics, s);
    timer_del(&s->timer);
}

static void apic_reset(Device *dev, ResetType type)
{
    LocalApic *s = LOCAL_APIC(dev);

    s->base = apic_base_at_reset(s->cpu);
    apic_reset_registers(s);
    update(s);
}

void apic_check_loaded(LocalApic *s)
{
    for (unsigned i = 0; i < LVT_COUNT; i++) {
        s->lvt[i] &= lvt_writable[i];
    }
    s->base = (s->base & (APIC_BASE_ADDR | APIC_BASE_ENABLE | APIC_BASE_X2APIC)) |
              (x86_cpu_is_bsp(s->cpu) ? APIC_BASE_BSP : 0);
}

static bool apic_post_load(void *opaque, unsigned version, Error **errp)
{
    LocalApic *s = opaque;

    apic_check_loaded(s);
    update(s);
    return true;
}

const VMField apic_vmstate_fields[] = {
    VMS_U64(LocalApic, base), VMS_U8(LocalApic, tpr), VMS_U8(LocalApic, ldr), VMS_U8(LocalApic, dfr),
    VMS_U32(LocalApic, svr), VMS_U32_ARRAY(LocalApic, isr), VMS_U32_ARRAY(LocalApic, tmr), VMS_U32_ARRAY(LocalApic, irr),
    VMS_U32_ARRAY(LocalApic, lvt), VMS_U32(LocalApic, esr), VMS_U32(LocalApic, esr_pending), VMS_U32(LocalApic, icr_low),
    VMS_U32(LocalApic, icr_high), VMS_U32(LocalApic, divide), VMS_U32(LocalApic, initial_count),
    VMS_I64(LocalApic, count_start_ns), VMS_U64(LocalApic, tsc_deadline), VMS_BOOL(LocalApic, extint_message),
    VMS_TIMER(LocalApic, timer), VMS_END,
};

static const VMState apic_vmstate = {
    .name = "apic", .version = 1, .minimum_version = 1, .post_load = apic_post_load, .fields = apic_vmstate_fields,
};

DEVICE_DEFINE(LocalApic, apic, "apic", device,
    .desc = "local APIC",
    .realize = apic_realize,
    .unrealize = apic_unrealize,
    .reset_hold = apic_reset,
    .vmstate = &apic_vmstate,
    .not_user_creatable = true,
);

Device *apic_new_for_cpu(const TypeInfo *type, Vcpu *cpu, Error **errp)
{
    Device *dev = device_new(type);

    ((LocalApic *)dev)->cpu = cpu;
    object_add_child(cpu, "lapic", dev);
    if (!device_realize_and_unref(dev, NULL, errp)) {
        object_unparent(dev);
        return NULL;
    }
    return dev;
}

Device *apic_create_for_cpu(Vcpu *cpu, Error **errp)
{
    return apic_new_for_cpu(&apic_type, cpu, errp);
}
