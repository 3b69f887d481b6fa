/*
 * IA-PC HPET (specification revision 1.0a): a 64-bit up-counter at 100 MHz and 3 to 32 comparators.
 *
 * The counter is a function of the virtual clock; each comparator has one host timer, armed for
 * its next match.
 *
 * What must hold:
 *  I1  gsi_level mirrors what was last driven on the GSI lines by level-triggered comparators
 *  I2  a host timer fires no more often than each MIN_EVENT_NS, however short the guest's period
 *      (matches in between melt into one)
 *  I3  in legacy replacement mode the PIT's and the RTC's lines are not passed on
 * Locks: BQL.
 */
#include "hw/timer/hpet.h"
#include "util/log.h"
#include "util/timer.h"

enum { HPET_CAP = 0x00, HPET_CFG = 0x10, HPET_ISR = 0x20, HPET_COUNTER = 0xf0,
       HPET_TIMERS = 0x100, HPET_TIMER_STRIDE = 0x20, HPET_TN_CFG = 0x00, HPET_TN_CMP = 0x08, HPET_TN_FSB = 0x10 };

#define CAP_REV             0x01
#define CAP_NUM_TIM_SHIFT   8
#define CAP_64BIT           BIT(13)
#define CAP_LEGACY          BIT(15)
#define CAP_VENDOR          (0x8086u << 16)

enum { CFG_ENABLE = 1, CFG_LEGACY = 2, CFG_WRITABLE = 3 };

#define TN_LEVEL            BIT_ULL(1)
#define TN_INT_ENABLE       BIT_ULL(2)
#define TN_PERIODIC         BIT_ULL(3)
#define TN_PERIODIC_CAP     BIT_ULL(4)
#define TN_64BIT_CAP        BIT_ULL(5)
#define TN_VAL_SET          BIT_ULL(6)
#define TN_32BIT            BIT_ULL(8)
#define TN_ROUTE_SHIFT      9
#define TN_ROUTE            (0x1fULL << TN_ROUTE_SHIFT)
#define TN_FSB_ENABLE       BIT_ULL(14)
#define TN_FSB_CAP          BIT_ULL(15)
#define TN_WRITABLE         (TN_LEVEL | TN_INT_ENABLE | TN_PERIODIC | TN_VAL_SET | TN_32BIT | TN_ROUTE | TN_FSB_ENABLE)

#define NS_PER_TICK         (HPET_CLK_PERIOD_FS / 1000000)
#define MIN_TIMERS          3
#define MAX_TIMERS          32
#define MIN_EVENT_NS        10000
/* Matches further off than this are not armed: centuries, and host time would overflow. */
#define MAX_ARM_TICKS       ((uint64_t)INT64_MAX / NS_PER_TICK / 2)

enum { LEGACY_PIT, LEGACY_RTC };
static const uint8_t legacy_gsi[2] = { [LEGACY_PIT] = 0, [LEGACY_RTC] = 8 };

typedef struct HpetTimer {
    Hpet *hpet;
    uint8_t n;
    Timer timer;
    uint64_t config;            /* TN_WRITABLE bits */
    uint64_t cmp;
    uint64_t period;
    uint64_t fsb;               /* value in the low half, address in the high */
} HpetTimer;

struct Hpet {
    SysBusDevice sbd;
    MemoryRegion mmio;
    IrqLine gsi[HPET_NUM_IRQ_ROUTES];
    IrqLine pit_control;

    /* properties */
    uint8_t num_timers;
    bool msi;
    uint32_t intcap;

    /* guest-visible state */
    uint64_t config, isr;
    uint64_t counter_base;      /* the counter's value while halted; while running, what it was at start_ns */
    int64_t start_ns;
    HpetTimer timer[MAX_TIMERS];
    bool legacy_level[2];       /* what PIT and RTC drive */

    uint32_t gsi_level;
};

/* --- the counter --- */

static bool is_running(const Hpet *s)
{
    return s->config & CFG_ENABLE;
}

static uint64_t counter_now(const Hpet *s)
{
    if (!is_running(s)) {
        return s->counter_base;
    }
    return s->counter_base + (uint64_t)(clock_get_ns(CLOCK_TYPE_VIRTUAL) - s->start_ns) / NS_PER_TICK;
}

static bool is_periodic(const HpetTimer *t)
{
    return t->config & TN_PERIODIC;
}

static uint64_t timer_mask(const HpetTimer *t)
{
    return t->config & TN_32BIT ? UINT32_MAX : UINT64_MAX;
}

/* --- interrupts --- */

static unsigned timer_route(const HpetTimer *t)
{
    if ((t->hpet->config & CFG_LEGACY) && t->n < ARRAY_SIZE(legacy_gsi)) {
        return legacy_gsi[t->n];
    }
    return (t->config & TN_ROUTE) >> TN_ROUTE_SHIFT;
}

static bool uses_fsb(const HpetTimer *t)
{
    return t->hpet->msi && (t->config & TN_FSB_ENABLE);
}

/* Drive every line to the OR of the level-triggered comparators routed to it. */
static void update_levels(Hpet *s)
{
    uint32_t level = 0, changed;

    for (unsigned i = 0; i < s->num_timers; i++) {
        HpetTimer *t = &s->timer[i];

        if ((s->isr & BIT_ULL(i)) && (t->config & TN_LEVEL) && (t->config & TN_INT_ENABLE) && is_running(s) &&
            !uses_fsb(t)) {
            level |= 1u << timer_route(t);
        }
    }
    changed = level ^ s->gsi_level;
    s->gsi_level = level;
    for (; changed; changed &= changed - 1) {
        unsigned gsi = __builtin_ctz(changed);

        irq_set(s->gsi[gsi], level >> gsi & 1);
    }
}

static void timer_interrupt(HpetTimer *t)
{
    Hpet *s = t->hpet;

    if (t->config & TN_LEVEL) {
        s->isr |= BIT_ULL(t->n);
        if (!uses_fsb(t)) {
            update_levels(s);
            return;
        }
    }
    if (!(t->config & TN_INT_ENABLE)) {
        return;
    }
    if (uses_fsb(t)) {
        address_space_st(&address_space_memory, t->fsb >> 32, (uint32_t)t->fsb, 4, false, MEMTXATTRS_UNSPECIFIED,
                         NULL);
    } else {
        irq_pulse(s->gsi[timer_route(t)]);
    }
}

/* PIT and RTC: passed on unless replaced. */
static void legacy_input(void *opaque, unsigned n, int level)
{
    Hpet *s = opaque;

    s->legacy_level[n] = level;
    if (!(s->config & CFG_LEGACY)) {
        irq_set(s->gsi[legacy_gsi[n]], level);
    }
}

static void legacy_switched(Hpet *s)
{
    bool on = s->config & CFG_LEGACY;

    for (unsigned i = 0; i < ARRAY_SIZE(legacy_gsi); i++) {
        irq_set(s->gsi[legacy_gsi[i]], !on && s->legacy_level[i]);
        s->gsi_level &= ~(1u << legacy_gsi[i]);
    }
    irq_set(s->pit_control, !on);
    update_levels(s);
}

/* --- comparators --- */

/* Ticks from @now to the next match; 0 means a whole turn. */
static uint64_t ticks_to_match(const HpetTimer *t, uint64_t now)
{
    return (t->cmp - now) & timer_mask(t);
}

static void timer_arm(HpetTimer *t, bool just_matched)
{
    Hpet *s = t->hpet;
    uint64_t ticks;
    int64_t now;

    if (!is_running(s)) {
        timer_del(&t->timer);
        return;
    }
    ticks = ticks_to_match(t, counter_now(s));
    if (ticks == 0 && just_matched) {
        ticks = timer_mask(t);
    }
    if (ticks > MAX_ARM_TICKS) {
        timer_del(&t->timer);
        return;
    }
    now = clock_get_ns(CLOCK_TYPE_VIRTUAL);
    timer_mod(&t->timer, MAX(now + (int64_t)ticks * NS_PER_TICK, just_matched ? now + MIN_EVENT_NS : now));
}

/* Section 2.3.9.2.2: the comparator moves on by the period; matches that were missed count as this one. */
static void advance_periodic(HpetTimer *t, uint64_t now)
{
    uint64_t mask = timer_mask(t);
    uint64_t period = t->period & mask;
    uint64_t behind = (now - t->cmp) & mask;

    if (period) {
        t->cmp = (t->cmp + (behind / period + 1) * period) & mask;
    }
}

static void timer_fired(void *opaque)
{
    HpetTimer *t = opaque;

    if (is_periodic(t)) {
        advance_periodic(t, counter_now(t->hpet));
    }
    timer_interrupt(t);
    timer_arm(t, true);
}

/* --- registers --- */

static uint64_t capabilities(const Hpet *s)
{
    return (uint64_t)HPET_CLK_PERIOD_FS << 32 | CAP_VENDOR | CAP_LEGACY | CAP_64BIT |
           (s->num_timers - 1u) << CAP_NUM_TIM_SHIFT | CAP_REV;
}

static uint64_t timer_config(const HpetTimer *t)
{
    return (uint64_t)t->hpet->intcap << 32 | TN_PERIODIC_CAP | TN_64BIT_CAP | (t->hpet->msi ? TN_FSB_CAP : 0) |
           t->config;
}

/* The comparator block a register offset falls in; NULL if there is none. */
static HpetTimer *timer_at(Hpet *s, hwaddr reg)
{
    unsigned n = reg < HPET_TIMERS ? MAX_TIMERS : (reg - HPET_TIMERS) / HPET_TIMER_STRIDE;

    return n < s->num_timers ? &s->timer[n] : NULL;
}

static uint64_t read64(Hpet *s, hwaddr reg)
{
    HpetTimer *t = timer_at(s, reg);

    if (t) {
        switch (reg % HPET_TIMER_STRIDE) {
        case HPET_TN_CFG:
            return timer_config(t);
        case HPET_TN_CMP:
            return t->cmp;
        case HPET_TN_FSB:
            return t->fsb;
        default:
            return 0;
        }
    }
    switch (reg) {
    case HPET_CAP:
        return capabilities(s);
    case HPET_CFG:
        return s->config;
    case HPET_ISR:
        return s->isr;
    case HPET_COUNTER:
        return counter_now(s);
    default:
        return 0;
    }
}

static void write_config(Hpet *s, uint64_t val)
{
    uint64_t old = s->config, now = counter_now(s);

    s->config = val & CFG_WRITABLE;
    if ((s->config ^ old) & CFG_ENABLE) {
        s->counter_base = now;
        s->start_ns = clock_get_ns(CLOCK_TYPE_VIRTUAL);
        for (unsigned i = 0; i < s->num_timers; i++) {
            timer_arm(&s->timer[i], false);
        }
    }
    if ((s->config ^ old) & CFG_LEGACY) {
        legacy_switched(s);
    }
    update_levels(s);
}

static void write_timer_config(HpetTimer *t, uint64_t val)
{
    uint64_t writable = TN_WRITABLE & ~(t->hpet->msi ? 0 : TN_FSB_ENABLE);
    unsigned route = (val & TN_ROUTE) >> TN_ROUTE_SHIFT;

    if (!(t->hpet->intcap & 1u << route)) {
        /* Section 2.3.8: an unsupported route does not stick. */
        val = (val & ~TN_ROUTE) | (t->config & TN_ROUTE);
    }
    t->config = val & writable;
    if (!(t->config & TN_LEVEL)) {
        t->hpet->isr &= ~BIT_ULL(t->n);
    }
    if (t->config & TN_32BIT) {
        t->cmp = (uint32_t)t->cmp;
        t->period = (uint32_t)t->period;
    }
    update_levels(t->hpet);
    timer_arm(t, false);
}

/*
 * A periodic comparator's write sets the period; with VAL_SET it sets the next match as well, once.
 * @mask: the bits the access covered.
 */
static void write_timer_cmp(HpetTimer *t, uint64_t val, uint64_t mask)
{
    val &= timer_mask(t);
    mask &= timer_mask(t);
    if (!is_periodic(t) || (t->config & TN_VAL_SET)) {
        t->cmp = (t->cmp & ~mask) | (val & mask);
    }
    if (is_periodic(t)) {
        t->period = (t->period & ~mask) | (val & mask);
    }
    t->config &= ~TN_VAL_SET;
    timer_arm(t, false);
}

/* @val: the whole register as it would be; @mask: which bits of it were written. */
static void write64(Hpet *s, hwaddr reg, uint64_t val, uint64_t mask)
{
    HpetTimer *t = timer_at(s, reg);

    if (t) {
        switch (reg % HPET_TIMER_STRIDE) {
        case HPET_TN_CFG:
            write_timer_config(t, val);
            break;
        case HPET_TN_CMP:
            write_timer_cmp(t, val, mask);
            break;
        case HPET_TN_FSB:
            t->fsb = val;
            break;
        default:
            break;
        }
        return;
    }
    switch (reg) {
    case HPET_CFG:
        write_config(s, val);
        break;
    case HPET_ISR:
        s->isr &= ~(val & mask);        /* write 1 to clear */
        update_levels(s);
        break;
    case HPET_COUNTER:
        if (is_running(s)) {
            guest_error("hpet", "main counter written while it runs");
        } else {
            s->counter_base = val;
        }
        break;
    default:
        break;
    }
}

static uint64_t hpet_read(void *opaque, hwaddr addr, unsigned size)
{
    return extract64(read64(opaque, addr & ~7ULL), (addr & 7) * 8, size * 8);
}

static void hpet_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    Hpet *s = opaque;
    hwaddr reg = addr & ~7ULL;
    unsigned shift = (addr & 7) * 8;
    uint64_t mask = deposit64(0, shift, size * 8, UINT64_MAX);
    uint64_t old = reg == HPET_ISR ? 0 : read64(s, reg);

    write64(s, reg, deposit64(old, shift, size * 8, data), mask);
}

static const MemoryRegionOps hpet_ops = {
    .read = hpet_read,
    .write = hpet_write,
    .valid = { .min = 4, .max = 8 },
    .impl = { .min = 4, .max = 8 },
};

/* --- life --- */

IrqLine hpet_pit_input(Hpet *s)
{
    return irq_line(legacy_input, s, LEGACY_PIT);
}

IrqLine hpet_rtc_input(Hpet *s)
{
    return irq_line(legacy_input, s, LEGACY_RTC);
}

void hpet_set_pit_control(Hpet *s, IrqLine pit_control)
{
    s->pit_control = pit_control;
}

uint32_t hpet_event_timer_block_id(Hpet *s)
{
    return capabilities(s);
}

static bool hpet_realize(Device *dev, Error **errp)
{
    Hpet *s = HPET(dev);

    for (unsigned i = 0; i < MAX_TIMERS; i++) {
        s->timer[i].hpet = s;
        s->timer[i].n = i;
        s->timer[i].cmp = UINT64_MAX;
        timer_init(&s->timer[i].timer, CLOCK_TYPE_VIRTUAL, timer_fired, &s->timer[i]);
    }
    memory_region_init_io(&s->mmio, s, &hpet_ops, s, "hpet", HPET_LEN);
    sysbus_init_mmio(&s->sbd, &s->mmio);
    return true;
}

static void hpet_unrealize(Device *dev)
{
    Hpet *s = HPET(dev);

    for (unsigned i = 0; i < MAX_TIMERS; i++) {
        timer_del(&s->timer[i].timer);
    }
    if (s->mmio.container) {
        memory_region_del_subregion(s->mmio.container, &s->mmio);
    }
    memory_region_fini(&s->mmio);
}

static void hpet_reset_enter(Device *dev, ResetType type)
{
    Hpet *s = HPET(dev);

    s->config = s->isr = s->counter_base = 0;
    for (unsigned i = 0; i < MAX_TIMERS; i++) {
        HpetTimer *t = &s->timer[i];

        timer_del(&t->timer);
        t->config = t->period = t->fsb = 0;
        t->cmp = UINT64_MAX;
    }
}

static void hpet_reset_hold(Device *dev, ResetType type)
{
    Hpet *s = HPET(dev);

    update_levels(s);
    legacy_switched(s);
}

Hpet *hpet_create(MemoryRegion *mem, const IrqLine gsi[HPET_NUM_IRQ_ROUTES], uint32_t intcap, IrqLine pit_control)
{
    Hpet *s = HPET(device_new(&hpet_type));

    memcpy(s->gsi, gsi, sizeof(s->gsi));
    s->intcap = intcap;
    s->pit_control = pit_control;
    if (!device_realize_and_unref(&s->sbd.dev, NULL, &error_fatal)) {
        return NULL;
    }
    sysbus_mmio_map(&s->sbd, 0, mem, HPET_BASE);
    return s;
}

/* --- state --- */

static bool hpet_post_load(void *opaque, unsigned version, Error **errp)
{
    Hpet *s = opaque;

    s->config &= CFG_WRITABLE;
    for (unsigned i = 0; i < MAX_TIMERS; i++) {
        s->timer[i].config &= TN_WRITABLE;
        if (i < s->num_timers) {
            timer_arm(&s->timer[i], false);
        }
    }
    s->gsi_level = 0;
    update_levels(s);
    return true;
}

static const VMState vmstate_hpet_timer = {
    .name = "hpet-timer",
    .version = 1,
    .minimum_version = 1,
    .fields = (const VMField[]) {
        VMS_U64(HpetTimer, config),
        VMS_U64(HpetTimer, cmp),
        VMS_U64(HpetTimer, period),
        VMS_U64(HpetTimer, fsb),
        VMS_END
    },
};

static const VMState vmstate_hpet = {
    .name = "hpet",
    .version = 1,
    .minimum_version = 1,
    .post_load = hpet_post_load,
    .fields = (const VMField[]) {
        VMS_U64(Hpet, config),
        VMS_U64(Hpet, isr),
        VMS_U64(Hpet, counter_base),
        VMS_I64(Hpet, start_ns),
        VMS_STRUCT_ARRAY(Hpet, timer, &vmstate_hpet_timer),
        VMF_(VMF_BOOL, Hpet, legacy_level, 2),
        VMS_END
    },
};

static const Property hpet_properties[] = {
    PROP_UINT8("timers", Hpet, num_timers, MIN_TIMERS, .min = MIN_TIMERS, .max = MAX_TIMERS, .help = "comparators"),
    PROP_BOOL("msi", Hpet, msi, false, .help = "comparators can send messages (FSB delivery)"),
    PROP_UINT32("hpet-intcap", Hpet, intcap, 0, .help = "interrupt lines that comparators may use, a bit map"),
};

static const IrqInputs hpet_inputs[] = { { NULL, 2, legacy_input }, { 0 } };
static const IrqOutputs hpet_outputs[] = {
    { NULL, 1, offsetof(Hpet, pit_control) },
    { "sysbus-irq", HPET_NUM_IRQ_ROUTES, offsetof(Hpet, gsi) },
    { 0 }
};

DEVICE_DEFINE(Hpet, hpet, "hpet", sysbus_device,
    .desc = "high precision event timer",
    .properties = PROPS(hpet_properties),
    .realize = hpet_realize,
    .unrealize = hpet_unrealize,
    .reset_enter = hpet_reset_enter,
    .reset_hold = hpet_reset_hold,
    .vmstate = &vmstate_hpet,
    .irq_inputs = hpet_inputs,
    .irq_outputs = hpet_outputs,
    .not_user_creatable = true,
    .not_hotpluggable = true);
