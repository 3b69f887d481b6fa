/*
 * TCO watchdog timer of the ICH9.
 *
 * Reference: Intel I/O Controller Hub 9 data sheet, 13.9 (TCO registers), 10.1.75 (GCS).
 *
 * TCO_RLD counts down from TCO_TMR once every 0.6 s.  At zero TIMEOUT is set, an SMI is asked for, and it starts again; if
 * TIMEOUT is still set when it reaches zero again, SECOND_TO_STS is set and, unless GCS.NO_REBOOT is set, the watchdog's
 * action happens.  The counter stands still from reset until TCO1_CNT is written with TMR_HLT clear: firmware that does
 * not know of it need not halt it first.
 */
#include "hw/i386/ich9-tco.h"

#include "system/runstate.h"

#define TICK_NS (600 * 1000 * INT64_C(1000))

enum {
    TCO_RLD = 0x00, TCO_DAT_IN = 0x02, TCO_DAT_OUT = 0x03, TCO1_STS = 0x04, TCO2_STS = 0x06, TCO1_CNT = 0x08, TCO2_CNT = 0x0a,
    TCO_MESSAGE1 = 0x0c, TCO_MESSAGE2 = 0x0d, TCO_WDCNT = 0x0e, SW_IRQ_GEN = 0x10, TCO_TMR = 0x12,
    TIMER_MASK = 0x3ff, TIMER_MIN = 4,
    STS1_SW_TCO_SMI = 1 << 1, STS1_TCO_INT = 1 << 2, STS1_TIMEOUT = 1 << 3, STS1_W1C = 0x1b8e,
    STS2_SECOND_TO = 1 << 1, STS2_BOOT = 1 << 2, STS2_W1C = 0x1f,
    CNT1_TMR_HLT = 1 << 11, CNT1_LOCK = 1 << 12, CNT1_WRITABLE = 0xfe00 & ~CNT1_LOCK,
    CNT2_WRITABLE = 0x3e, SW_IRQ_DEFAULT = 0x03,
    RCRB_GCS = 0x3410, GCS_NO_REBOOT = 1 << 5,
};

/* --- the counter --- */

static bool is_running(const Ich9Tco *t)
{
    return timer_pending(&t->timer);
}

static uint16_t ticks_left(const Ich9Tco *t)
{
    int64_t left;

    if (!is_running(t)) {
        return t->frozen;
    }
    left = timer_expire_ns(&t->timer) - clock_get_ns(CLOCK_TYPE_VIRTUAL);
    return left > 0 ? (uint16_t)DIV_ROUND_UP(left, TICK_NS) : 0;
}

static void start(Ich9Tco *t, uint16_t ticks)
{
    timer_mod(&t->timer, clock_get_ns(CLOCK_TYPE_VIRTUAL) + ticks * TICK_NS);
}

static void stop(Ich9Tco *t)
{
    t->frozen = ticks_left(t);
    timer_del(&t->timer);
}

static uint16_t reload_value(const Ich9Tco *t)
{
    return MAX(t->tmr, TIMER_MIN);              /* 13.9.13: less is ignored */
}

static void expired(void *opaque)
{
    Ich9Tco *t = opaque;

    if (!(t->sts1 & STS1_TIMEOUT)) {
        t->sts1 |= STS1_TIMEOUT;
        t->smi(t->opaque);
        start(t, reload_value(t));
        return;
    }
    t->sts2 |= STS2_SECOND_TO | STS2_BOOT;
    if (t->gcs & GCS_NO_REBOOT) {
        start(t, reload_value(t));
    } else {
        t->frozen = 0;
        system_watchdog_expired();
    }
}

static void write_rld(Ich9Tco *t)
{
    t->frozen = reload_value(t);
    if (is_running(t)) {
        start(t, t->frozen);
    }
}

static void write_cnt1(Ich9Tco *t, uint16_t v)
{
    t->cnt1 = (uint16_t)((v & CNT1_WRITABLE) | ((t->cnt1 | v) & CNT1_LOCK));
    if (v & CNT1_TMR_HLT) {
        stop(t);
    } else if (!is_running(t)) {
        start(t, t->frozen ? t->frozen : reload_value(t));
    }
}

/* --- registers: 16-bit words, some of which are pairs of bytes --- */

static uint16_t read_word(const Ich9Tco *t, unsigned addr)
{
    switch (addr) {
    case TCO_RLD:
        return ticks_left(t);
    case TCO_DAT_IN:
        return (uint16_t)(t->dat_in | t->dat_out << 8);
    case TCO1_STS:
        return t->sts1;
    case TCO2_STS:
        return t->sts2;
    case TCO1_CNT:
        return t->cnt1;
    case TCO2_CNT:
        return t->cnt2;
    case TCO_MESSAGE1:
        return (uint16_t)(t->message[0] | t->message[1] << 8);
    case TCO_WDCNT:
        return t->wdcnt;
    case SW_IRQ_GEN:
        return t->sw_irq_gen;
    case TCO_TMR:
        return t->tmr;
    default:
        return 0;
    }
}

/* @mask: which bits of the word are written. */
static void write_word(Ich9Tco *t, unsigned addr, uint16_t v, uint16_t mask)
{
    uint16_t merged = (uint16_t)((read_word(t, addr) & ~mask) | (v & mask));

    v &= mask;
    switch (addr) {
    case TCO_RLD:
        write_rld(t);
        break;
    case TCO_DAT_IN:
        t->dat_in = (uint8_t)merged;
        t->dat_out = (uint8_t)(merged >> 8);
        t->sts1 |= (mask & 0xff ? STS1_SW_TCO_SMI : 0) | (mask & 0xff00 ? STS1_TCO_INT : 0);
        break;
    case TCO1_STS:
        t->sts1 &= (uint16_t)~(v & STS1_W1C);
        break;
    case TCO2_STS:
        t->sts2 &= (uint16_t)~(v & STS2_W1C);
        break;
    case TCO1_CNT:
        write_cnt1(t, merged);
        break;
    case TCO2_CNT:
        t->cnt2 = merged & CNT2_WRITABLE;
        break;
    case TCO_MESSAGE1:
        t->message[0] = (uint8_t)merged;
        t->message[1] = (uint8_t)(merged >> 8);
        break;
    case TCO_WDCNT:
        t->wdcnt = (uint8_t)merged;
        break;
    case SW_IRQ_GEN:
        t->sw_irq_gen = merged & 3;
        break;
    case TCO_TMR:
        t->tmr = merged & TIMER_MASK;
        break;
    }
}

static uint64_t tco_read(void *opaque, hwaddr addr, unsigned size)
{
    uint16_t word = read_word(opaque, (unsigned)addr & ~1u);

    return size == 1 ? (word >> (8 * (addr & 1))) & 0xff : word;
}

static void tco_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    unsigned shift = 8 * (unsigned)(addr & 1);

    write_word(opaque, (unsigned)addr & ~1u, (uint16_t)(data << shift), size == 1 ? (uint16_t)(0xff << shift) : 0xffff);
}

static const MemoryRegionOps tco_ops = { .read = tco_read, .write = tco_write, .valid = { 1, 4 }, .impl = { 1, 2 } };

/* --- chip configuration registers: GCS is the one that means something here --- */

static uint64_t rcrb_read(void *opaque, hwaddr addr, unsigned size)
{
    const Ich9Tco *t = opaque;

    return addr == RCRB_GCS ? t->gcs : 0;
}

static void rcrb_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    Ich9Tco *t = opaque;

    if (addr == RCRB_GCS) {
        t->gcs = ((uint32_t)data & GCS_NO_REBOOT) | (t->noreboot ? GCS_NO_REBOOT : 0);
    }
}

static const MemoryRegionOps rcrb_ops = { .read = rcrb_read, .write = rcrb_write, .valid = { 1, 4 }, .impl = { 4, 4 } };

/* --- life --- */

void ich9_tco_init(Ich9Tco *t, void *owner, void (*smi)(void *opaque), void *opaque)
{
    t->smi = smi;
    t->opaque = opaque;
    timer_init(&t->timer, CLOCK_TYPE_VIRTUAL, expired, t);
    memory_region_init_io(&t->io, owner, &tco_ops, t, "sm-tco", ICH9_TCO_SIZE);
    memory_region_init_io(&t->rcrb, owner, &rcrb_ops, t, "lpc-rcrb-mmio", ICH9_RCRB_SIZE);
}

/* TCO2_STS survives: its bits tell after a reset that it was the watchdog's (13.9.5). */
void ich9_tco_reset(Ich9Tco *t)
{
    timer_del(&t->timer);
    t->tmr = t->frozen = TIMER_MIN;
    t->sts1 = t->cnt1 = 0;
    t->cnt2 = 0x08;
    t->dat_in = t->dat_out = t->wdcnt = 0;
    t->message[0] = t->message[1] = 0;
    t->sw_irq_gen = SW_IRQ_DEFAULT;
    t->gcs = t->noreboot ? GCS_NO_REBOOT : 0;
}

static bool tco_post_load(void *opaque, unsigned version, Error **errp)
{
    Ich9Tco *t = opaque;

    t->tmr &= TIMER_MASK;
    t->frozen &= TIMER_MASK;
    t->sw_irq_gen &= 3;
    t->gcs = (t->gcs & GCS_NO_REBOOT) | (t->noreboot ? GCS_NO_REBOOT : 0);
    return true;
}

static const VMField tco_fields[] = {
    VMS_U16(Ich9Tco, tmr), VMS_U16(Ich9Tco, sts1), VMS_U16(Ich9Tco, sts2), VMS_U16(Ich9Tco, cnt1), VMS_U16(Ich9Tco, cnt2),
    VMS_U8(Ich9Tco, dat_in), VMS_U8(Ich9Tco, dat_out), VMS_U8_ARRAY(Ich9Tco, message), VMS_U8(Ich9Tco, wdcnt),
    VMS_U8(Ich9Tco, sw_irq_gen), VMS_U32(Ich9Tco, gcs), VMS_U16(Ich9Tco, frozen), VMS_TIMER(Ich9Tco, timer),
    VMS_END
};

const VMState vmstate_ich9_tco = {
    .name = "ich9-tco", .version = 1, .minimum_version = 1, .fields = tco_fields, .post_load = tco_post_load,
};
