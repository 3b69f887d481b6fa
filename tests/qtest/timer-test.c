/* What tells time on a PC: i8254, MC146818, HPET, with guest time stepped by hand. */
#include "lib/qtest.h"

#define SECOND 1000000000ll

/* --- i8254 --- */

static uint16_t pit_latched(QTest *q, unsigned channel)
{
    uint8_t low;

    qtest_outb(q, 0x43, (uint8_t)(channel << 6));
    low = qtest_inb(q, (uint16_t)(0x40 + channel));
    return (uint16_t)(low | qtest_inb(q, (uint16_t)(0x40 + channel)) << 8);
}

static void pit_program(QTest *q, unsigned channel, unsigned mode, uint16_t count)
{
    qtest_outb(q, 0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
    qtest_outb(q, (uint16_t)(0x40 + channel), (uint8_t)count);
    qtest_outb(q, (uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static void test_pit_rate_generator_interrupts(void)
{
    QTest *q = qtest_start("-machine q35");
    unsigned before;

    qtest_intercept(q, "in", "ioapic");
    pit_program(q, 0, 2, 11932);                            /* 100 Hz */
    before = qtest_irq_raised(q, 2);                        /* IRQ 0 is the I/O APIC's pin 2 */
    qtest_clock_step(q, SECOND);
    g_assert_cmpuint(qtest_irq_raised(q, 2) - before, >=, 99);
    g_assert_cmpuint(qtest_irq_raised(q, 2) - before, <=, 101);
    qtest_stop(q);
}

static void test_pit_counts_down_and_stops_at_terminal(void)
{
    QTest *q = qtest_start("-machine q35");
    uint16_t a, b;

    pit_program(q, 0, 0, 0xffff);
    a = pit_latched(q, 0);
    qtest_clock_step(q, 1000000);                           /* 1193 ticks of 1.193182 MHz */
    b = pit_latched(q, 0);
    g_assert_cmpint(a - b, >=, 1192);
    g_assert_cmpint(a - b, <=, 1194);
    qtest_outb(q, 0x43, 0xe2);                              /* read back status of channel 0 */
    g_assert_cmphex(qtest_inb(q, 0x40), ==, 0x30);          /* OUT low, low then high byte, mode 0 */
    qtest_clock_step(q, SECOND / 10);
    qtest_outb(q, 0x43, 0xe2);
    g_assert_cmphex(qtest_inb(q, 0x40), ==, 0xb0);          /* OUT high */
    qtest_stop(q);
}

/* --- MC146818 --- */

static uint8_t rtc_read(QTest *q, uint8_t reg)
{
    qtest_outb(q, 0x70, reg);
    return qtest_inb(q, 0x71);
}

static void rtc_write(QTest *q, uint8_t reg, uint8_t v)
{
    qtest_outb(q, 0x70, reg);
    qtest_outb(q, 0x71, v);
}

#define RTC_ARGS "-machine q35 -rtc base=2024-02-28T23:59:58,clock=vm"

static void test_rtc_calendar_rolls_over_in_bcd(void)
{
    QTest *q = qtest_start(RTC_ARGS);

    g_assert_cmphex(rtc_read(q, 0x0d), ==, 0x80);           /* valid RAM and time */
    g_assert_cmphex(rtc_read(q, 4), ==, 0x23);
    qtest_clock_step(q, 3 * SECOND);
    g_assert_cmphex(rtc_read(q, 0), ==, 0x01);
    g_assert_cmphex(rtc_read(q, 2), ==, 0x00);
    g_assert_cmphex(rtc_read(q, 4), ==, 0x00);
    g_assert_cmphex(rtc_read(q, 7), ==, 0x29);              /* a leap year */
    g_assert_cmphex(rtc_read(q, 8), ==, 0x02);
    g_assert_cmphex(rtc_read(q, 9), ==, 0x24);
    qtest_outb(q, 0x43, 0x30);                              /* a day of timer ticks is not wanted */
    qtest_clock_step(q, 86400 * SECOND);
    g_assert_cmphex(rtc_read(q, 7), ==, 0x01);
    g_assert_cmphex(rtc_read(q, 8), ==, 0x03);
    rtc_write(q, 0x0b, 0x06);                               /* binary, 24 hours */
    g_assert_cmphex(rtc_read(q, 9), ==, 24);
    qtest_stop(q);
}

static void test_rtc_alarm_fires_when_due(void)
{
    QTest *q = qtest_start(RTC_ARGS);

    qtest_intercept(q, "in", "ioapic");
    rtc_write(q, 1, 0x05);                                  /* alarm at 00:00:05 */
    rtc_write(q, 3, 0x00);
    rtc_write(q, 5, 0x00);
    rtc_read(q, 0x0c);
    rtc_write(q, 0x0b, 0x22);                               /* alarm interrupt enabled */
    qtest_clock_step(q, 6 * SECOND);
    g_assert_false(qtest_irq_level(q, 8));
    qtest_clock_step(q, 2 * SECOND);
    g_assert_true(qtest_irq_level(q, 8));
    g_assert_cmphex(rtc_read(q, 0x0c) & 0xa0, ==, 0xa0);
    g_assert_false(qtest_irq_level(q, 8));
    qtest_stop(q);
}

static void test_rtc_periodic_rate(void)
{
    QTest *q = qtest_start(RTC_ARGS);
    unsigned n = 0;

    qtest_intercept(q, "in", "ioapic");
    rtc_write(q, 0x0a, 0x2f);                               /* 2 Hz */
    rtc_write(q, 0x0b, 0x42);
    rtc_read(q, 0x0c);
    for (unsigned i = 0; i < 40; i++) {
        qtest_clock_step(q, SECOND / 10);
        if (qtest_irq_level(q, 8)) {
            g_assert_cmphex(rtc_read(q, 0x0c) & 0xc0, ==, 0xc0);
            n++;
        }
    }
    g_assert_cmpuint(n, >=, 7);
    g_assert_cmpuint(n, <=, 8);
    qtest_stop(q);
}

/* --- HPET --- */

#define HPET 0xfed00000

static void test_hpet_counts_by_its_period(void)
{
    QTest *q = qtest_start("-machine q35,hpet=on");
    uint64_t cap = qtest_read(q, HPET, 8), period_fs = cap >> 32, a, b;

    g_assert_cmphex(cap >> 16 & 0xffff, ==, 0x8086);
    g_assert_cmpuint(period_fs, ==, 10000000);
    a = qtest_read(q, HPET + 0xf0, 8);
    qtest_clock_step(q, 1000000);
    g_assert_cmpuint(qtest_read(q, HPET + 0xf0, 8), ==, a);         /* stands still while disabled */
    qtest_write(q, HPET + 0x10, 8, 1);
    a = qtest_read(q, HPET + 0xf0, 8);
    qtest_clock_step(q, 1000000);
    b = qtest_read(q, HPET + 0xf0, 8);
    g_assert_cmpuint(b - a, ==, 1000000 * 1000000ull / period_fs);
    qtest_stop(q);
}

static void test_hpet_comparators_interrupt(void)
{
    QTest *q = qtest_start("-machine q35,hpet=on");

    qtest_intercept(q, "in", "ioapic");
    qtest_write(q, HPET + 0x100, 8, 20 << 9 | 1 << 2);              /* timer 0: pin 20, edge, enabled, one shot */
    qtest_write(q, HPET + 0x108, 8, 500);                           /* 5 us */
    qtest_write(q, HPET + 0x120, 8, 21 << 9 | 1 << 6 | 1 << 3 | 1 << 2 | 1 << 1);   /* timer 1: level; periodic if it can */
    qtest_write(q, HPET + 0x128, 8, 200);
    qtest_write(q, HPET + 0x10, 8, 1);
    qtest_clock_step(q, 4000);
    g_assert_cmpuint(qtest_irq_raised(q, 20), ==, 0);
    g_assert_true(qtest_irq_level(q, 21));
    g_assert_cmphex(qtest_read(q, HPET + 0x20, 8) & 2, ==, 2);
    qtest_write(q, HPET + 0x20, 8, 2);                              /* write one to clear lowers the line */
    g_assert_false(qtest_irq_level(q, 21));
    qtest_clock_step(q, 2000);
    g_assert_cmpuint(qtest_irq_raised(q, 20), ==, 1);
    qtest_stop(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pit/rate", test_pit_rate_generator_interrupts);
    g_test_add_func("/pit/one-shot", test_pit_counts_down_and_stops_at_terminal);
    g_test_add_func("/rtc/calendar", test_rtc_calendar_rolls_over_in_bcd);
    g_test_add_func("/rtc/alarm", test_rtc_alarm_fires_when_due);
    g_test_add_func("/rtc/periodic", test_rtc_periodic_rate);
    g_test_add_func("/hpet/counter", test_hpet_counts_by_its_period);
    g_test_add_func("/hpet/comparators", test_hpet_comparators_interrupt);
    return g_test_run();
}
