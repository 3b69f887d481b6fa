/*
 * Intel 8254 programmable interval timer: modes 0 to 5, read-back, latches, BCD, gates.
 *
 * A counter is not stepped: its value and output are functions of the ticks since it was loaded
 * (data sheet, "Mode definitions"; T = ticks, N = count):
 *
 *   mode              value                  OUT                               gate low
 *   0 event           N - T                  T >= N                            stops counting
 *   1 one-shot        N - T                  high unless triggered and T < N   rising edge triggers
 *   2 rate            N - T mod N            T mod N != N - 1                  stops, OUT high; edge restarts
 *   3 square          by twos, twice a       T mod N < (N + 1) / 2             as mode 2
 *   4 strobe          N - T                  T != N                            stops counting
 *   5 hw strobe       N - T                  T != N, once triggered            rising edge triggers
 *
 * What must hold: count is not 0 where loaded; the timer is armed only for counter 0, and fires no
 * more often than each MIN_EVENT_NS however small the guest's count is (edges in between melt into one).
 * Locks: BQL.
 */
#include "hw/timer/i8254-core.h"
#include "hw/timer/i8254.h"

#define MIN_EVENT_NS 10000

enum { CONTROL_WORD = 3, SELECT_READ_BACK = 3 };
enum { READ_BACK_NO_COUNT = 0x20, READ_BACK_NO_STATUS = 0x10 };

/* --- time --- */

static uint64_t ns_to_ticks(int64_t ns)
{
    return ns <= 0 ? 0 : muldiv64(ns, I8254_HZ, NANOSECONDS_PER_SECOND);
}

/* Rounded up, so that at that time the tick has come. */
static int64_t ticks_to_ns(uint64_t ticks)
{
    return ((unsigned __int128)ticks * NANOSECONDS_PER_SECOND + I8254_HZ - 1) / I8254_HZ;
}

static bool mode_is_periodic(const PitCounter *c)
{
    return c->mode == 2 || c->mode == 3;
}

static bool mode_is_triggered(const PitCounter *c)
{
    return c->mode == 1 || c->mode == 5;
}

/* Ticks since the count was loaded.  A count written during a period takes over where the period ends. */
static uint64_t counter_ticks(PitCounter *c)
{
    if (!c->counting) {
        return c->frozen_ticks;
    }
    uint64_t ticks = ns_to_ticks(clock_get_ns(CLOCK_TYPE_VIRTUAL) - c->start_ns);

    if (c->pending && mode_is_periodic(c) && ticks >= c->count) {
        c->start_ns += ticks_to_ns(c->count);
        c->edges_before++;
        c->count = c->next_count;
        c->pending = false;
        return counter_ticks(c);
    }
    return ticks;
}

static void counter_start(PitCounter *c, uint64_t at_tick)
{
    c->start_ns = clock_get_ns(CLOCK_TYPE_VIRTUAL) - ticks_to_ns(at_tick);
    c->counting = true;
}

/* Make the present period's start tick 0. */
static void counter_rebase(PitCounter *c)
{
    uint64_t periods = counter_ticks(c) / c->count;

    c->start_ns += ticks_to_ns(periods * c->count);
    c->edges_before += periods;
}

static void counter_freeze(PitCounter *c)
{
    c->frozen_ticks = counter_ticks(c);
    c->counting = false;
}

/* --- what the table above says --- */

static bool counter_out(PitCounter *c)
{
    uint64_t t = counter_ticks(c);

    if (!c->loaded) {
        return c->mode != 0;
    }
    switch (c->mode) {
    case 0:
        return t >= c->count;
    case 1:
        return !c->triggered || t >= c->count;
    case 2:
        return !c->gate || t % c->count != c->count - 1;
    case 3:
        return !c->gate || t % c->count < (c->count + 1) / 2;
    case 4:
        return t != c->count;
    default:
        return !c->triggered || t != c->count;
    }
}

static uint32_t counter_value(PitCounter *c)
{
    uint64_t t = counter_ticks(c);
    uint32_t phase, half;

    if (!c->loaded) {
        return 0;
    }
    switch (c->mode) {
    case 2:
        return c->count - t % c->count;
    case 3:
        phase = t % c->count;
        half = (c->count + 1) / 2;
        return (c->count & ~1u) - 2 * (phase < half ? phase : phase - half);
    default:
        return c->count - (uint32_t)t;
    }
}

static uint16_t to_bcd(uint32_t v)
{
    return v % 10 | (v / 10 % 10) << 4 | (v / 100 % 10) << 8 | (v / 1000 % 10) << 12;
}

static uint32_t from_bcd(uint16_t v)
{
    return (v & 15) + (v >> 4 & 15) * 10 + (v >> 8 & 15) * 100 + (v >> 12) * 1000;
}

/* As the data port shows it. */
static uint16_t counter_read_value(PitCounter *c)
{
    uint32_t v = counter_value(c);

    if (!c->bcd) {
        return v;
    }
    return to_bcd((uint32_t)(((int64_t)(int32_t)v % 10000 + 10000) % 10000));
}

static uint8_t counter_status(PitCounter *c)
{
    bool out = counter_out(c);
    bool null_count = !c->loaded || c->pending;

    return out << 7 | null_count << 6 | c->rw << 4 | c->mode << 1 | c->bcd;
}

/* --- counter 0's interrupt --- */

static uint64_t rising_edges(PitCounter *c, uint64_t t)
{
    if (!c->loaded || (mode_is_triggered(c) && !c->triggered)) {
        return 0;
    }
    switch (c->mode) {
    case 0:
    case 1:
        return t >= c->count;
    case 2:
    case 3:
        return c->edges_before + t / c->count;
    default:
        return t > c->count;
    }
}

/* Tick of the next edge worth waking for; 0 = none.  The one-tick low pulse before a rising edge is not. */
static uint64_t next_edge(PitCounter *c, uint64_t t)
{
    uint64_t period_start;

    if (!c->loaded || !c->counting || (mode_is_triggered(c) && !c->triggered)) {
        return 0;
    }
    switch (c->mode) {
    case 0:
    case 1:
        return t < c->count ? c->count : 0;
    case 2:
        return t - t % c->count + c->count;
    case 3:
        period_start = t - t % c->count;
        return t - period_start < (c->count + 1) / 2 && c->count > 1 ? period_start + (c->count + 1) / 2
                                                                     : period_start + c->count;
    default:
        return t <= c->count ? (uint64_t)c->count + 1 : 0;
    }
}

/* Pass on what happened to OUT since the last call and arm the timer for the next edge. */
void pit_update_irq(Pit *p)
{
    PitCounter *c = &p->counter[0];
    int64_t now = clock_get_ns(CLOCK_TYPE_VIRTUAL);
    uint64_t t = counter_ticks(c);
    bool out = counter_out(c);
    uint64_t edges = rising_edges(c, t), next = next_edge(c, t);

    if (!p->irq_enabled) {
        timer_del(&p->timer);
        return;
    }
    if (edges > p->edges_seen) {
        irq_lower(p->irq);
        irq_raise(p->irq);
        p->irq_level = true;
    }
    p->edges_seen = edges;
    if (p->irq_level != out) {
        p->irq_level = out;
        irq_set(p->irq, out);
    }
    if (next) {
        timer_mod(&p->timer, MAX(c->start_ns + ticks_to_ns(next), now + MIN_EVENT_NS));
    } else {
        timer_del(&p->timer);
    }
}

static void pit_timer_fired(void *opaque)
{
    pit_update_irq(opaque);
}

void pit_set_irq_enabled(Pit *p, bool on)
{
    if (p->irq_enabled == on) {
        return;
    }
    p->irq_enabled = on;
    if (on) {
        p->edges_seen = rising_edges(&p->counter[0], counter_ticks(&p->counter[0]));
        p->irq_level = false;
    } else {
        irq_lower(p->irq);
    }
    pit_update_irq(p);
}

/* --- loading --- */

static void counter_load(Pit *p, PitCounter *c, uint32_t count)
{
    c->count = count;
    c->loaded = true;
    c->pending = false;
    c->frozen_ticks = 0;
    c->edges_before = 0;
    c->counting = false;
    if (c->gate || c->triggered) {
        counter_start(c, 0);
    }
    if (c == &p->counter[0]) {
        p->edges_seen = 0;
    }
}

/* A whole count was written (data sheet, "Operation common to all modes"). */
static void counter_write_count(Pit *p, PitCounter *c, uint16_t raw)
{
    uint32_t count = c->bcd ? from_bcd(raw) : raw;

    if (count == 0) {
        count = c->bcd ? 10000 : 65536;
    }
    bool waits_for_period = mode_is_periodic(c) && c->loaded && c->counting;
    bool waits_for_trigger = mode_is_triggered(c);

    if (waits_for_period || waits_for_trigger) {
        if (waits_for_period) {
            counter_rebase(c);
        }
        c->next_count = count;
        c->pending = true;
    } else {
        counter_load(p, c, count);
    }
}

static void counter_write(Pit *p, PitCounter *c, uint8_t val)
{
    switch (c->rw) {
    case PIT_RW_LSB:
        counter_write_count(p, c, val);
        return;
    case PIT_RW_MSB:
        counter_write_count(p, c, val << 8);
        return;
    default:
        break;
    }
    if (c->write_msb_next) {
        c->write_msb_next = false;
        counter_write_count(p, c, c->write_lsb | val << 8);
        return;
    }
    c->write_lsb = val;
    c->write_msb_next = true;
    if (c->mode == 0 && c->loaded) {
        /* The first byte stops the counter and lowers OUT. */
        c->loaded = false;
        c->counting = false;
        c->frozen_ticks = 0;
    }
}

void pit_set_gate(Pit *p, unsigned n, bool level)
{
    PitCounter *c = &p->counter[n];
    bool rising = level && !c->gate;

    if (c->gate == level) {
        return;
    }
    if (!level && c->counting && !mode_is_triggered(c)) {
        counter_freeze(c);
    }
    c->gate = level;
    if (!rising) {
        /* frozen above, or a one-shot that goes on */
    } else if (mode_is_triggered(c) && (c->loaded || c->pending)) {
        c->triggered = true;
        counter_load(p, c, c->pending ? c->next_count : c->count);
    } else if (mode_is_periodic(c) && c->loaded) {
        counter_load(p, c, c->pending ? c->next_count : c->count);
    } else if (c->loaded) {
        counter_start(c, c->frozen_ticks);
    }
    if (n == 0) {
        pit_update_irq(p);
    }
}

bool pit_get_out(Pit *p, unsigned n)
{
    return counter_out(&p->counter[n]);
}

/* --- registers --- */

static void latch_count(PitCounter *c)
{
    if (!c->count_latched) {
        c->latched_count = counter_read_value(c);
        c->count_latched = true;
    }
}

static void latch_status(PitCounter *c)
{
    if (!c->status_latched) {
        c->latched_status = counter_status(c);
        c->status_latched = true;
    }
}

static void read_back(Pit *p, uint8_t command)
{
    for (unsigned i = 0; i < PIT_NUM_COUNTERS; i++) {
        if (!(command & (2 << i))) {
            continue;
        }
        if (!(command & READ_BACK_NO_COUNT)) {
            latch_count(&p->counter[i]);
        }
        if (!(command & READ_BACK_NO_STATUS)) {
            latch_status(&p->counter[i]);
        }
    }
}

static void write_control(Pit *p, uint8_t val)
{
    unsigned select = val >> 6, rw = val >> 4 & 3, mode = val >> 1 & 7;
    PitCounter *c;

    if (select == SELECT_READ_BACK) {
        read_back(p, val);
        return;
    }
    c = &p->counter[select];
    if (rw == PIT_RW_LATCH) {
        latch_count(c);
        return;
    }
    c->rw = rw;
    c->mode = mode > 5 ? mode - 4 : mode;       /* 6 and 7 are 2 and 3 */
    c->bcd = val & 1;
    c->loaded = c->counting = c->triggered = c->pending = false;
    c->frozen_ticks = 0;
    c->write_msb_next = c->read_msb_next = false;
    c->count_latched = c->status_latched = false;
    if (select == 0) {
        p->edges_seen = 0;
    }
}

void pit_write(Pit *p, unsigned addr, uint8_t val)
{
    if (addr == CONTROL_WORD) {
        write_control(p, val);
    } else {
        counter_write(p, &p->counter[addr], val);
    }
    pit_update_irq(p);
}

uint8_t pit_read(Pit *p, unsigned addr)
{
    PitCounter *c;
    uint16_t v;
    bool msb;

    if (addr == CONTROL_WORD) {
        return 0xff;            /* write-only: the bus floats */
    }
    c = &p->counter[addr];
    if (c->status_latched) {
        c->status_latched = false;
        return c->latched_status;
    }
    msb = c->rw == PIT_RW_MSB || (c->rw == PIT_RW_BOTH && c->read_msb_next);
    v = c->count_latched ? c->latched_count : counter_read_value(c);
    if (c->rw == PIT_RW_BOTH) {
        c->read_msb_next = !msb;
    }
    if (c->rw != PIT_RW_BOTH || msb) {
        c->count_latched = false;
    }
    return msb ? v >> 8 : v;
}

/* --- life --- */

/* The part powers up undefined; firmware expects counters at rest and the PC's wiring of the gates. */
void pit_reset(Pit *p)
{
    for (unsigned i = 0; i < PIT_NUM_COUNTERS; i++) {
        p->counter[i] = (PitCounter){ .mode = 3, .rw = PIT_RW_BOTH, .gate = i != 2 };
    }
    counter_load(p, &p->counter[0], 65536);
    p->irq_enabled = true;
    p->irq_level = true;
}

void pit_init(Pit *p)
{
    timer_init(&p->timer, CLOCK_TYPE_VIRTUAL, pit_timer_fired, p);
    pit_reset(p);
}

void pit_fini(Pit *p)
{
    timer_del(&p->timer);
}

/* --- state --- */

static bool pit_counter_valid(const PitCounter *c)
{
    return c->mode <= 5 && c->rw >= PIT_RW_LSB && c->rw <= PIT_RW_BOTH && c->count <= 65536 &&
           c->next_count <= 65536 && (c->count || !c->loaded) && (c->next_count || !c->pending);
}

static bool pit_post_load(void *opaque, unsigned version, Error **errp)
{
    Pit *p = opaque;

    for (unsigned i = 0; i < PIT_NUM_COUNTERS; i++) {
        if (!pit_counter_valid(&p->counter[i])) {
            error_setg(errp, "i8254: counter %u has mode %u, rw %u, count %u", i, p->counter[i].mode,
                       p->counter[i].rw, p->counter[i].count);
            return false;
        }
    }
    pit_update_irq(p);
    return true;
}

static const VMState vmstate_pit_counter = {
    .name = "i8254-counter",
    .version = 1,
    .minimum_version = 1,
    .fields = (const VMField[]) {
        VMS_U8(PitCounter, mode),
        VMS_U8(PitCounter, rw),
        VMS_BOOL(PitCounter, bcd),
        VMS_BOOL(PitCounter, gate),
        VMS_BOOL(PitCounter, loaded),
        VMS_BOOL(PitCounter, counting),
        VMS_BOOL(PitCounter, triggered),
        VMS_BOOL(PitCounter, pending),
        VMS_U32(PitCounter, count),
        VMS_U32(PitCounter, next_count),
        VMS_I64(PitCounter, start_ns),
        VMS_U64(PitCounter, frozen_ticks),
        VMS_U64(PitCounter, edges_before),
        VMS_BOOL(PitCounter, write_msb_next),
        VMS_BOOL(PitCounter, read_msb_next),
        VMS_U8(PitCounter, write_lsb),
        VMS_BOOL(PitCounter, count_latched),
        VMS_BOOL(PitCounter, status_latched),
        VMS_U16(PitCounter, latched_count),
        VMS_U8(PitCounter, latched_status),
        VMS_END
    },
};

const VMState vmstate_pit = {
    .name = "i8254-core",
    .version = 1,
    .minimum_version = 1,
    .post_load = pit_post_load,
    .fields = (const VMField[]) {
        VMS_STRUCT_ARRAY(Pit, counter, &vmstate_pit_counter),
        VMS_BOOL(Pit, irq_enabled),
        VMS_BOOL(Pit, irq_level),
        VMS_U64(Pit, edges_seen),
        VMS_END
    },
};
