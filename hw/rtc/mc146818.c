/*
 * MC146818 real-time clock (Motorola data sheet) as PCs have it: index and data port, 128 bytes.
 *
 * Time is not stepped: the registers show the reference clock (-rtc) plus an offset that the guest
 * changes by setting the time.  While it is being set (SET bit, or the divider held in reset) the
 * registers are plain memory.
 *
 * Interrupt flags are brought up to date when the guest looks (REG_C) and by two timers that run
 * only while the corresponding interrupt is enabled: one at the next whole second (update, alarm),
 * one at the next periodic tick.
 *
 * What must hold: the line is high exactly while REG_C has IRQF.  Locks: BQL.
 */
#include "hw/rtc/mc146818.h"
#include "hw/rtc/rtc-config.h"
#include "qapi/qapi-commands.h"
#include "qapi/qapi-events.h"
#include "system/runstate.h"

enum {
    RTC_SECONDS = 0x00, RTC_SECONDS_ALARM = 0x01, RTC_MINUTES = 0x02, RTC_MINUTES_ALARM = 0x03,
    RTC_HOURS = 0x04, RTC_HOURS_ALARM = 0x05, RTC_DAY_OF_WEEK = 0x06, RTC_DAY_OF_MONTH = 0x07,
    RTC_MONTH = 0x08, RTC_YEAR = 0x09, RTC_REG_A = 0x0a, RTC_REG_B = 0x0b, RTC_REG_C = 0x0c, RTC_REG_D = 0x0d,
    RTC_CENTURY = 0x32, RTC_CENTURY_PS2 = 0x37, CMOS_SIZE = 128,
};
enum { A_UIP = 0x80, A_DIVIDER = 0x70, A_DIVIDER_RESET = 0x60, A_RATE = 0x0f };
enum { B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_SQWE = 0x08, B_DM = 0x04, B_24H = 0x02 };
enum { CMOS_SHUTDOWN_STATUS = 0x0f, SHUTDOWN_STATUS_RESUME = 0xfe };
enum { C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10, C_FLAGS = C_PF | C_AF | C_UF };
enum { D_VRT = 0x80 };

#define ALARM_ANY           0xc0            /* both top bits: matches any value */
#define HOUR_PM             0x80
#define UIP_NS              244141          /* UIP is up 8 cycles of 32768 Hz before the update */
#define DIVIDER_RELEASE_NS  (NANOSECONDS_PER_SECOND / 2)    /* first update after the divider starts */
#define BASE_HZ             32768
#define SECONDS_PER_DAY     86400
#define MAX_COALESCED       8192            /* lost periodic ticks to give later: a second's worth at most */

/* index, data */
enum { RTC_PORTS = 2 };

typedef enum LostTickPolicy { LOST_TICK_DISCARD, LOST_TICK_SLEW } LostTickPolicy;
static const char *const lost_tick_names[] = { "discard", "slew", NULL };

struct Mc146818 {
    IsaDevice isa;
    MemoryRegion io;
    IrqLine irq;

    /* properties */
    int32_t base_year;
    uint16_t iobase;
    uint8_t irq_num;
    int lost_tick_policy;

    /* guest-visible state */
    uint8_t cmos[CMOS_SIZE];    /* time registers are valid only while the clock is being set */
    uint8_t index;
    int64_t offset_s;           /* RTC time = reference clock + offset_ns, + offset_s whole seconds */
    int64_t offset_ns;          /* 0 .. 1e9 - 1 */
    int64_t seconds_seen;       /* RTC second up to which UF and AF are in REG_C */
    int64_t ticks_seen;         /* periodic tick up to which PF is in REG_C */
    uint32_t coalesced;

    Timer second_timer;         /* reference clock */
    Timer periodic_timer;       /* virtual clock */
};

/* --- BCD and the 12-hour dial --- */

static uint8_t to_reg(const Mc146818 *s, unsigned v)
{
    return s->cmos[RTC_REG_B] & B_DM ? v : (v / 10 % 10) << 4 | v % 10;
}

static unsigned from_reg(const Mc146818 *s, uint8_t v)
{
    return s->cmos[RTC_REG_B] & B_DM ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t hour_to_reg(const Mc146818 *s, unsigned hour)
{
    if (s->cmos[RTC_REG_B] & B_24H) {
        return to_reg(s, hour);
    }
    return to_reg(s, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned hour_from_reg(const Mc146818 *s, uint8_t v)
{
    if (s->cmos[RTC_REG_B] & B_24H) {
        return from_reg(s, v);
    }
    return from_reg(s, v & ~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

/* --- time --- */

/* Is the time being set, so that registers are memory? */
static bool is_held(const Mc146818 *s)
{
    return (s->cmos[RTC_REG_B] & B_SET) || (s->cmos[RTC_REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

static int64_t reference_ns(void)
{
    return clock_get_ns(rtc_config_clock());
}

/* RTC time in whole seconds since 1970; @ns_into: how far into that second. */
static int64_t rtc_seconds(const Mc146818 *s, int64_t *ns_into)
{
    int64_t ns = reference_ns() + s->offset_ns;
    int64_t sec = ns / NANOSECONDS_PER_SECOND;

    if (ns_into) {
        *ns_into = ns - sec * NANOSECONDS_PER_SECOND;
    }
    return sec + s->offset_s;
}

/* Make RTC time now read @sec, @ns_into nanoseconds into that second. */
static void rtc_set_seconds(Mc146818 *s, int64_t sec, int64_t ns_into)
{
    int64_t ns = reference_ns();
    int64_t ns_offset = ns_into - ns % NANOSECONDS_PER_SECOND;

    s->offset_s = sec - ns / NANOSECONDS_PER_SECOND;
    if (ns_offset < 0) {
        ns_offset += NANOSECONDS_PER_SECOND;
        s->offset_s--;
    }
    s->offset_ns = ns_offset;
    s->seconds_seen = sec;
}

/* Two digits of year and two of century, counted from base_year's place in its century. */
static int year_shift(const Mc146818 *s)
{
    return s->base_year % 100;
}

static void time_to_cells(Mc146818 *s)
{
    time_t now = rtc_seconds(s, NULL);
    struct tm tm;
    int year;

    if (!gmtime_r(&now, &tm)) {
        return;                 /* beyond what the C library can say: the old values stay */
    }
    year = tm.tm_year + 1900 - year_shift(s);
    s->cmos[RTC_SECONDS] = to_reg(s, tm.tm_sec);
    s->cmos[RTC_MINUTES] = to_reg(s, tm.tm_min);
    s->cmos[RTC_HOURS] = hour_to_reg(s, tm.tm_hour);
    s->cmos[RTC_DAY_OF_WEEK] = to_reg(s, tm.tm_wday + 1);
    s->cmos[RTC_DAY_OF_MONTH] = to_reg(s, tm.tm_mday);
    s->cmos[RTC_MONTH] = to_reg(s, tm.tm_mon + 1);
    s->cmos[RTC_YEAR] = to_reg(s, (unsigned)year % 100);
    s->cmos[RTC_CENTURY] = to_reg(s, (unsigned)year / 100 % 100);
}

/* Whatever the guest left in the cells is taken: timegm() carries over-large fields on. */
static void cells_to_time(Mc146818 *s, int64_t ns_into)
{
    struct tm tm = {
        .tm_sec = from_reg(s, s->cmos[RTC_SECONDS]),
        .tm_min = from_reg(s, s->cmos[RTC_MINUTES]),
        .tm_hour = hour_from_reg(s, s->cmos[RTC_HOURS]),
        .tm_mday = from_reg(s, s->cmos[RTC_DAY_OF_MONTH]),
        .tm_mon = (int)from_reg(s, s->cmos[RTC_MONTH]) - 1,
        .tm_year = (int)(from_reg(s, s->cmos[RTC_CENTURY]) * 100 + from_reg(s, s->cmos[RTC_YEAR])) +
                   year_shift(s) - 1900,
    };

    rtc_set_seconds(s, timegm(&tm), ns_into);
}

/* The guest set the clock: tell by how many seconds it is now away from what -rtc gave it. */
static void tell_change(Mc146818 *s)
{
    g_autofree char *path = object_path(s);

    qapi_event_send_rtc_change(rtc_seconds(s, NULL) - rtc_config_now_ns() / NANOSECONDS_PER_SECOND, path ? path : "");
}

static bool is_time_register(unsigned index)
{
    return index == RTC_CENTURY ||
           (index <= RTC_YEAR && index != RTC_SECONDS_ALARM && index != RTC_MINUTES_ALARM && index != RTC_HOURS_ALARM);
}

/* --- interrupts --- */

static void set_flags(Mc146818 *s, uint8_t flags)
{
    s->cmos[RTC_REG_C] |= flags;
    if (s->cmos[RTC_REG_C] & s->cmos[RTC_REG_B] & C_FLAGS) {    /* the enable bits sit where the flags do */
        s->cmos[RTC_REG_C] |= C_IRQF;
        irq_raise(s->irq);
    }
}

static bool alarm_field_matches(uint8_t reg, unsigned wanted, unsigned now)
{
    return (reg & ALARM_ANY) == ALARM_ANY || wanted == now;
}

static bool alarm_matches(const Mc146818 *s, int64_t sec)
{
    unsigned in_day = (unsigned)(((sec % SECONDS_PER_DAY) + SECONDS_PER_DAY) % SECONDS_PER_DAY);
    const uint8_t *c = s->cmos;

    return alarm_field_matches(c[RTC_SECONDS_ALARM], from_reg(s, c[RTC_SECONDS_ALARM]), in_day % 60) &&
           alarm_field_matches(c[RTC_MINUTES_ALARM], from_reg(s, c[RTC_MINUTES_ALARM]), in_day / 60 % 60) &&
           alarm_field_matches(c[RTC_HOURS_ALARM], hour_from_reg(s, c[RTC_HOURS_ALARM]), in_day / 3600);
}

/* Bring UF and AF up to now. */
static void catch_up_seconds(Mc146818 *s)
{
    int64_t now, first;
    uint8_t flags = C_UF;

    if (is_held(s)) {
        return;
    }
    now = rtc_seconds(s, NULL);
    if (now <= s->seconds_seen) {
        s->seconds_seen = now;      /* the reference clock was set back */
        return;
    }
    /* An alarm comes round within a day, so older seconds tell nothing more. */
    first = MAX(s->seconds_seen + 1, now - SECONDS_PER_DAY + 1);
    for (int64_t sec = first; sec <= now && !(flags & C_AF); sec++) {
        flags |= alarm_matches(s, sec) ? C_AF : 0;
    }
    s->seconds_seen = now;
    set_flags(s, flags);
    if (flags & s->cmos[RTC_REG_B] & B_AIE) {
        (void)!system_wakeup_request(WAKEUP_REASON_RTC, NULL);      /* most guests are awake */
    }
}

static void second_timer_arm(Mc146818 *s)
{
    int64_t ns_into;

    if (is_held(s) || !(s->cmos[RTC_REG_B] & (B_UIE | B_AIE))) {
        timer_del(&s->second_timer);
        return;
    }
    rtc_seconds(s, &ns_into);
    timer_mod(&s->second_timer, reference_ns() + NANOSECONDS_PER_SECOND - ns_into);
}

static void second_timer_fired(void *opaque)
{
    Mc146818 *s = opaque;

    catch_up_seconds(s);
    second_timer_arm(s);
}

/* Period in cycles of 32768 Hz; 0 = none (data sheet, table 5, 32.768 kHz column). */
static uint32_t periodic_cycles(const Mc146818 *s)
{
    unsigned rate = s->cmos[RTC_REG_A] & A_RATE;

    if (rate == 0 || (s->cmos[RTC_REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET) {
        return 0;
    }
    return 1u << ((rate <= 2 ? rate + 7 : rate) - 1);
}

static int64_t periodic_tick_now(uint32_t cycles)
{
    return muldiv64(clock_get_ns(CLOCK_TYPE_VIRTUAL), BASE_HZ, NANOSECONDS_PER_SECOND) / cycles;
}

/* Bring PF up to now; ticks that the guest was too slow for are kept for later under slew. */
static void catch_up_periodic(Mc146818 *s)
{
    uint32_t cycles = periodic_cycles(s);
    int64_t tick, passed;

    if (!cycles) {
        return;
    }
    tick = periodic_tick_now(cycles);
    passed = tick - s->ticks_seen;
    s->ticks_seen = tick;
    if (passed <= 0) {
        return;
    }
    if (s->lost_tick_policy == LOST_TICK_SLEW && (s->cmos[RTC_REG_B] & B_PIE)) {
        int64_t lost = s->cmos[RTC_REG_C] & C_PF ? passed : passed - 1;

        s->coalesced = MIN(s->coalesced + lost, MAX_COALESCED);
    }
    set_flags(s, C_PF);
}

static void periodic_timer_arm(Mc146818 *s)
{
    uint32_t cycles = periodic_cycles(s);
    int64_t next;

    if (!cycles || !(s->cmos[RTC_REG_B] & B_PIE)) {
        timer_del(&s->periodic_timer);
        return;
    }
    next = (periodic_tick_now(cycles) + 1) * cycles;
    timer_mod(&s->periodic_timer, muldiv64(next, NANOSECONDS_PER_SECOND, BASE_HZ) + 1);
}

static void periodic_timer_fired(void *opaque)
{
    Mc146818 *s = opaque;

    catch_up_periodic(s);
    periodic_timer_arm(s);
}

static void periodic_restart(Mc146818 *s)
{
    uint32_t cycles = periodic_cycles(s);

    s->coalesced = 0;
    s->ticks_seen = cycles ? periodic_tick_now(cycles) : 0;
    periodic_timer_arm(s);
}

/* --- registers --- */

/* Around a change of A or B: note the time if the clock stops, take it from the cells if it starts. */
static void hold_changed(Mc146818 *s, bool was_held, int64_t ns_into)
{
    if (was_held && !is_held(s)) {
        cells_to_time(s, ns_into);
        tell_change(s);
    }
}

static void write_reg_a(Mc146818 *s, uint8_t val)
{
    bool was_held = is_held(s);
    uint8_t old = s->cmos[RTC_REG_A];

    val &= ~A_UIP;
    if (!was_held && (val & A_DIVIDER_RESET) == A_DIVIDER_RESET) {
        time_to_cells(s);
    }
    s->cmos[RTC_REG_A] = val;
    hold_changed(s, was_held, DIVIDER_RELEASE_NS);
    if (val != old) {
        periodic_restart(s);
    }
    second_timer_arm(s);
}

static void write_reg_b(Mc146818 *s, uint8_t val)
{
    bool was_held = is_held(s);
    uint8_t old = s->cmos[RTC_REG_B];
    int64_t ns_into;

    if (val & B_SET) {
        val &= ~B_UIE;          /* data sheet, "Register B": SET clears UIE */
        if (!was_held) {
            time_to_cells(s);
        }
    }
    rtc_seconds(s, &ns_into);
    s->cmos[RTC_REG_B] = val;
    hold_changed(s, was_held, ns_into);
    if ((val ^ old) & B_PIE) {
        periodic_restart(s);
    }
    /* A flag that is already up takes effect with its enable bit; none left lowers the line. */
    if (s->cmos[RTC_REG_C] & val & C_FLAGS) {
        set_flags(s, 0);
    } else {
        s->cmos[RTC_REG_C] &= ~C_IRQF;
        irq_lower(s->irq);
    }
    second_timer_arm(s);
}

static uint8_t read_reg_a(Mc146818 *s)
{
    int64_t ns_into;

    rtc_seconds(s, &ns_into);
    return s->cmos[RTC_REG_A] | (!is_held(s) && ns_into >= NANOSECONDS_PER_SECOND - UIP_NS ? A_UIP : 0);
}

/* Reading clears all flags; a tick kept under slew follows at once, as a new edge. */
static uint8_t read_reg_c(Mc146818 *s)
{
    uint8_t val;

    catch_up_seconds(s);
    catch_up_periodic(s);
    val = s->cmos[RTC_REG_C];
    s->cmos[RTC_REG_C] = 0;
    irq_lower(s->irq);
    if (s->coalesced && (val & C_PF)) {
        s->coalesced--;
        set_flags(s, C_PF);
    }
    return val;
}

static unsigned canonical_index(unsigned index)
{
    return index == RTC_CENTURY_PS2 ? RTC_CENTURY : index;
}

static uint8_t cmos_read(Mc146818 *s, unsigned index)
{
    index = canonical_index(index);
    if (is_time_register(index) && !is_held(s)) {
        time_to_cells(s);
    }
    switch (index) {
    case RTC_REG_A:
        return read_reg_a(s);
    case RTC_REG_C:
        return read_reg_c(s);
    case RTC_REG_D:
        return D_VRT;
    default:
        return s->cmos[index];
    }
}

static void write_time_register(Mc146818 *s, unsigned index, uint8_t val)
{
    int64_t ns_into;

    if (is_held(s)) {
        s->cmos[index] = val;
        return;
    }
    time_to_cells(s);
    s->cmos[index] = val;
    rtc_seconds(s, &ns_into);
    cells_to_time(s, ns_into);
    tell_change(s);
    second_timer_arm(s);
}

static void cmos_write(Mc146818 *s, unsigned index, uint8_t val)
{
    index = canonical_index(index);
    if (is_time_register(index)) {
        write_time_register(s, index, val);
        return;
    }
    switch (index) {
    case RTC_REG_A:
        write_reg_a(s, val);
        break;
    case RTC_REG_B:
        catch_up_seconds(s);
        catch_up_periodic(s);
        write_reg_b(s, val);
        break;
    case RTC_REG_C:
    case RTC_REG_D:             /* read-only */
        break;
    case RTC_SECONDS_ALARM:
    case RTC_MINUTES_ALARM:
    case RTC_HOURS_ALARM:
        catch_up_seconds(s);
        s->cmos[index] = val;
        break;
    default:
        s->cmos[index] = val;
        break;
    }
}

void mc146818_set_cmos(Mc146818 *s, unsigned index, uint8_t value)
{
    assert(index < CMOS_SIZE);
    s->cmos[index] = value;
}

uint8_t mc146818_get_cmos(Mc146818 *s, unsigned index)
{
    assert(index < CMOS_SIZE);
    return s->cmos[index];
}

/* --- ports --- */

static uint64_t rtc_port_read(void *opaque, hwaddr addr, unsigned size)
{
    Mc146818 *s = opaque;

    return addr & 1 ? cmos_read(s, s->index) : 0xff;
}

/* Bit 7 of the index port masks NMI on a PC; nothing here raises one. */
static void rtc_port_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    Mc146818 *s = opaque;

    if (addr & 1) {
        cmos_write(s, s->index, data);
    } else {
        s->index = data & (CMOS_SIZE - 1);
    }
}

static const MemoryRegionOps rtc_ops = {
    .read = rtc_port_read,
    .write = rtc_port_write,
    .impl = { .min = 1, .max = 1 },
};

/* Firmware is told by the shutdown status that it is to resume, not to start. */
static void rtc_suspended(void *opaque)
{
    mc146818_set_cmos(opaque, CMOS_SHUTDOWN_STATUS, SHUTDOWN_STATUS_RESUME);
}

/* --- life --- */

static bool rtc_realize(Device *dev, Error **errp)
{
    Mc146818 *s = MC146818(dev);
    int64_t now;

    if (!irq_connected(s->irq) && !isa_get_irq(&s->isa, s->irq_num, &s->irq, errp)) {
        return false;
    }
    memory_region_init_io(&s->io, s, &rtc_ops, s, "rtc", RTC_PORTS);
    if (!isa_register_ioport(&s->isa, &s->io, s->iobase, errp)) {
        return false;
    }
    if (rtc_config_slew()) {
        s->lost_tick_policy = LOST_TICK_SLEW;
    }
    timer_init(&s->second_timer, rtc_config_clock(), second_timer_fired, s);
    timer_init(&s->periodic_timer, CLOCK_TYPE_VIRTUAL, periodic_timer_fired, s);
    s->cmos[RTC_REG_A] = 0x26;              /* 32.768 kHz, 1024 Hz */
    s->cmos[RTC_REG_B] = B_24H;
    now = rtc_config_now_ns();
    rtc_set_seconds(s, now / NANOSECONDS_PER_SECOND, now % NANOSECONDS_PER_SECOND);
    time_to_cells(s);
    system_suspend_notify_add(rtc_suspended, s);
    return true;
}

static void rtc_unrealize(Device *dev)
{
    Mc146818 *s = MC146818(dev);

    timer_del(&s->second_timer);
    timer_del(&s->periodic_timer);
    irq_lower(s->irq);
    isa_unregister_ioport(&s->isa, &s->io);
}

/* The RESET pin clears enables and flags; time and memory have a battery. */
static void rtc_reset_enter(Device *dev, ResetType type)
{
    Mc146818 *s = MC146818(dev);

    s->cmos[RTC_REG_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    s->cmos[RTC_REG_C] = 0;
    s->index = 0;
    s->coalesced = 0;
    second_timer_arm(s);
    periodic_timer_arm(s);
}

static void rtc_reset_hold(Device *dev, ResetType type)
{
    irq_lower(MC146818(dev)->irq);
}

Mc146818 *mc146818_create(IsaBus *bus, int base_year, IrqLine irq8)
{
    Mc146818 *s = MC146818(device_new(&mc146818_type));

    s->base_year = base_year;
    s->irq = irq8;
    if (bus->bus.parent_dev) {
        object_add_child(bus->bus.parent_dev, "rtc", s);
    }
    return device_realize_and_unref(&s->isa.dev, &bus->bus, &error_fatal) ? s : NULL;
}

static bool rtc_post_load(void *opaque, unsigned version, Error **errp)
{
    Mc146818 *s = opaque;

    if (s->index >= CMOS_SIZE || s->offset_ns < 0 || s->offset_ns >= NANOSECONDS_PER_SECOND) {
        error_setg(errp, "mc146818rtc: index %u, offset_ns %" PRId64 " out of range", s->index, s->offset_ns);
        return false;
    }
    /* 16-bit years either way keep all sums far from overflow. */
    if (s->offset_s > (INT64_C(1) << 42) || s->offset_s < -(INT64_C(1) << 42)) {
        error_setg(errp, "mc146818rtc: offset_s %" PRId64 " out of range", s->offset_s);
        return false;
    }
    s->coalesced = MIN(s->coalesced, MAX_COALESCED);
    irq_set(s->irq, s->cmos[RTC_REG_C] & C_IRQF);
    second_timer_arm(s);
    periodic_timer_arm(s);
    return true;
}

static const VMState vmstate_mc146818 = {
    .name = "mc146818rtc",
    .version = 1,
    .minimum_version = 1,
    .post_load = rtc_post_load,
    .fields = (const VMField[]) {
        VMS_BUFFER(Mc146818, cmos),
        VMS_U8(Mc146818, index),
        VMS_I64(Mc146818, offset_s),
        VMS_I64(Mc146818, offset_ns),
        VMS_I64(Mc146818, seconds_seen),
        VMS_I64(Mc146818, ticks_seen),
        VMS_U32(Mc146818, coalesced),
        VMS_END
    },
};

static Value *get_date(Object *obj, const Property *p)
{
    time_t now = rtc_seconds(MC146818(obj), NULL);
    Value *date = value_dict();
    struct tm tm;

    gmtime_r(&now, &tm);
    value_dict_set_int(date, "tm_year", tm.tm_year);
    value_dict_set_int(date, "tm_mon", tm.tm_mon);
    value_dict_set_int(date, "tm_mday", tm.tm_mday);
    value_dict_set_int(date, "tm_hour", tm.tm_hour);
    value_dict_set_int(date, "tm_min", tm.tm_min);
    value_dict_set_int(date, "tm_sec", tm.tm_sec);
    return date;
}

static bool reset_one(Object *child, void *opaque)
{
    if (object_is(child, &mc146818_type)) {
        MC146818(child)->coalesced = 0;
    }
    return true;
}

bool qmp_rtc_reset_reinjection(Error **errp)
{
    object_foreach_child(object_container("/machine"), true, reset_one, NULL);
    return true;
}

static const Property rtc_properties[] = {
    PROP_CUSTOM(any, "date", get_date, NULL, .read_only = true, .shown = "struct tm", .help = "what the clock shows"),
    PROP_INT32("base_year", Mc146818, base_year, 1980, .min = 0, .max = 9999,
               .help = "year whose last two digits the year register shows as 00"),
    PROP_UINT16("iobase", Mc146818, iobase, 0x70, .help = "index port; data is the next"),
    PROP_UINT8("irq", Mc146818, irq_num, 8, .max = ISA_NUM_IRQS - 1, .help = "interrupt line"),
    PROP_ENUM("lost_tick_policy", Mc146818, lost_tick_policy, lost_tick_names, LOST_TICK_DISCARD, .shown = "LostTickPolicy",
              .help = "periodic ticks that come while one is pending"),
};

static const IrqOutputs rtc_outputs[] = { { NULL, 1, offsetof(Mc146818, irq) }, { 0 } };

DEVICE_DEFINE(Mc146818, mc146818, "mc146818rtc", isa_device,
    .desc = "MC146818 real-time clock",
    .properties = PROPS(rtc_properties),
    .realize = rtc_realize,
    .unrealize = rtc_unrealize,
    .reset_enter = rtc_reset_enter,
    .reset_hold = rtc_reset_hold,
    .vmstate = &vmstate_mc146818,
    .irq_outputs = rtc_outputs,
    .not_user_creatable = true,
    .not_hotpluggable = true);
