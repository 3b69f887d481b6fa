/*
 * RTC: time shown and set, alarms, periodic ticks, CMOS cells.  -rtc clock=vm makes time steppable.
 */
#include "harness.h"
#include "hw/rtc/mc146818.h"
#include "hw/rtc/rtc-config.h"

#define LINE 42

enum { A = 0x0a, B = 0x0b, C = 0x0c, D = 0x0d };
enum { PIE = 0x40, AIE = 0x20, UIE = 0x10, SET = 0x80, DM = 0x04, H24 = 0x02 };
enum { PF = 0x40, AF = 0x20, UF = 0x10, IRQF = 0x80 };

static Mc146818 *rtc;

static uint8_t rd(unsigned index)
{
    outb(0x70, index);
    return inb(0x71);
}

static void wr(unsigned index, uint8_t v)
{
    outb(0x70, index);
    outb(0x71, v);
}

static bool rtc_option(const char *key, const char *value, Error **errp)
{
    g_autoptr(Value) opts = value_dict();

    value_dict_set_str(opts, "clock", "vm");
    value_dict_set_str(opts, key, value);
    return rtc_config_set(opts, errp);
}

static void setup_at(const char *date)
{
    lines_clear();
    g_assert_true(rtc_option("base", date, &error_abort));
    rtc = mc146818_create(test_bus, 2000, test_line(LINE));
    device_reset(DEVICE(rtc), RESET_COLD);
}

static void teardown(void)
{
    test_remove(DEVICE(rtc));
}

static void assert_time(unsigned hour, unsigned min, unsigned sec)
{
    g_assert_cmphex(rd(4), ==, hour);
    g_assert_cmphex(rd(2), ==, min);
    g_assert_cmphex(rd(0), ==, sec);
}

static void test_shows_base_date_in_bcd(void)
{
    setup_at("2026-11-20T19:29:58");
    assert_time(0x19, 0x29, 0x58);
    g_assert_cmphex(rd(7), ==, 0x20);
    g_assert_cmphex(rd(8), ==, 0x11);
    g_assert_cmphex(rd(9), ==, 0x26);
    g_assert_cmphex(rd(0x32), ==, 0x20);
    g_assert_cmphex(rd(0x37), ==, 0x20);
    g_assert_cmphex(rd(6), ==, 6);              /* a Friday */
    g_assert_cmphex(rd(A), ==, 0x26);
    g_assert_cmphex(rd(B), ==, H24);
    g_assert_cmphex(rd(D), ==, 0x80);
    clock_step(NANOSECONDS_PER_SECOND * 3);
    assert_time(0x19, 0x30, 0x01);
    teardown();
}

static void test_binary_and_12_hours(void)
{
    setup_at("2026-11-20T19:29:58");
    wr(B, H24 | DM);
    assert_time(19, 29, 58);
    wr(B, 0);
    g_assert_cmphex(rd(4), ==, 0x87);           /* 7 pm */
    wr(B, DM);
    g_assert_cmphex(rd(4), ==, 0x80 | 7);
    wr(4, 0x80 | 12);                           /* noon */
    wr(B, H24);
    g_assert_cmphex(rd(4), ==, 0x12);
    teardown();
}

static void test_set_holds_and_starts(void)
{
    setup_at("2026-11-20T00:00:00");
    wr(B, SET | UIE | H24);
    g_assert_cmphex(rd(B), ==, SET | H24);      /* SET clears UIE */
    wr(0, 0x59); wr(2, 0x59); wr(4, 0x23); wr(7, 0x31); wr(8, 0x12); wr(9, 0x99); wr(0x32, 0x20);
    clock_step(NANOSECONDS_PER_SECOND * 10);
    g_assert_cmphex(rd(0), ==, 0x59);           /* held */
    wr(B, H24);
    clock_step(NANOSECONDS_PER_SECOND);
    assert_time(0, 0, 0);
    g_assert_cmphex(rd(9), ==, 0);
    g_assert_cmphex(rd(0x32), ==, 0x21);        /* 2100-01-01 */
    g_assert_cmphex(rd(7), ==, 1);
    g_assert_cmphex(rd(8), ==, 1);
    teardown();
}

static void test_uip_before_each_second(void)
{
    setup_at("2026-11-20T00:00:00");
    g_assert_cmphex(rd(A) & 0x80, ==, 0);
    clock_step(NANOSECONDS_PER_SECOND - US(200));
    g_assert_cmphex(rd(A) & 0x80, ==, 0x80);
    clock_step(US(250));
    g_assert_cmphex(rd(A) & 0x80, ==, 0);
    g_assert_cmphex(rd(0), ==, 1);
    wr(A, 0xff);                                /* UIP is read-only */
    g_assert_cmphex(rd(A), ==, 0x7f);
    teardown();
}

static void test_update_interrupt(void)
{
    setup_at("2026-11-20T00:00:00");
    rd(C);
    wr(B, H24 | UIE);
    clock_step(NANOSECONDS_PER_SECOND / 2);
    g_assert_false(lines[LINE].level);
    clock_step(NANOSECONDS_PER_SECOND / 2 + US(10));
    g_assert_true(lines[LINE].level);
    g_assert_cmphex(rd(C), ==, IRQF | UF | PF);
    g_assert_false(lines[LINE].level);
    g_assert_cmphex(rd(C) & ~PF, ==, 0);
    clock_step(NANOSECONDS_PER_SECOND);
    g_assert_true(lines[LINE].level);
    teardown();
}

static void test_update_flag_without_interrupt(void)
{
    setup_at("2026-11-20T00:00:00");
    rd(C);
    clock_step(NANOSECONDS_PER_SECOND * 2);
    g_assert_cmphex(rd(C) & (UF | IRQF), ==, UF);
    g_assert_false(lines[LINE].level);
    teardown();
}

static void test_alarm(void)
{
    setup_at("2026-11-20T10:15:00");
    wr(1, 0x30); wr(3, 0x15); wr(5, 0x10);
    rd(C);
    wr(B, H24 | AIE);
    clock_step(NANOSECONDS_PER_SECOND * 29 + MS(500));
    g_assert_false(lines[LINE].level);
    clock_step(NANOSECONDS_PER_SECOND);
    g_assert_true(lines[LINE].level);
    g_assert_cmphex(rd(C) & (AF | IRQF), ==, AF | IRQF);
    clock_step(NANOSECONDS_PER_SECOND * 60);
    g_assert_cmphex(rd(C) & AF, ==, 0);
    teardown();
}

static void test_alarm_wildcards_and_hours_later(void)
{
    setup_at("2026-11-20T10:15:00");
    wr(1, 0xff); wr(3, 0x20); wr(5, 0xc0);
    rd(C);
    clock_step(NANOSECONDS_PER_SECOND * 299);
    g_assert_cmphex(rd(C) & AF, ==, 0);
    clock_step(NANOSECONDS_PER_SECOND);
    g_assert_cmphex(rd(C) & AF, ==, AF);
    clock_step(NANOSECONDS_PER_SECOND);
    g_assert_cmphex(rd(C) & AF, ==, AF);        /* each second of that minute */
    clock_step(NANOSECONDS_PER_SECOND * 3600 * 30);
    g_assert_cmphex(rd(C) & AF, ==, AF);        /* polled a day later */
    teardown();
}

static void test_periodic_rate(void)
{
    setup_at("2026-11-20T00:00:00");
    wr(A, 0x26);                                /* 1024 Hz */
    rd(C);
    wr(B, H24 | PIE);
    unsigned ticks = 0;
    for (unsigned i = 0; i < 10000; i++) {      /* one second in steps of 100 us, acknowledged each time */
        clock_step(US(100));
        ticks += lines[LINE].level;
        if (lines[LINE].level) {
            g_assert_cmphex(rd(C) & (IRQF | PF), ==, IRQF | PF);
        }
    }
    g_assert_cmpuint(ticks, >=, 1023);
    g_assert_cmpuint(ticks, <=, 1024);
    wr(A, 0x20);                                /* rate 0: none */
    rd(C);
    clock_step(NANOSECONDS_PER_SECOND);
    g_assert_false(lines[LINE].level);
    teardown();
}

static unsigned ticks_after_sleep(void)
{
    unsigned got = 0;

    wr(A, 0x2a);                                /* 64 Hz */
    rd(C);
    wr(B, H24 | PIE);
    lines_clear();
    clock_step(NANOSECONDS_PER_SECOND);         /* nobody acknowledges for 64 ticks */
    while (lines[LINE].level && got < 1000) {
        rd(C);
        got++;
    }
    return got;
}

static void test_lost_ticks_are_dropped_or_given_later(void)
{
    setup_at("2026-11-20T00:00:00");
    g_assert_cmpuint(ticks_after_sleep(), ==, 1);
    teardown();
    g_assert_true(rtc_option("driftfix", "slew", &error_abort));
    rtc = mc146818_create(test_bus, 2000, test_line(LINE));
    device_reset(DEVICE(rtc), RESET_COLD);
    g_assert_cmpuint(ticks_after_sleep(), >=, 63);
    teardown();
    g_assert_true(rtc_option("driftfix", "none", &error_abort));
}

static void test_reset_keeps_time_and_memory(void)
{
    setup_at("2026-11-20T00:00:00");
    wr(0x40, 0xa5);
    wr(B, H24 | UIE | PIE | AIE);
    clock_step(NANOSECONDS_PER_SECOND * 5);
    g_assert_true(lines[LINE].level);
    device_reset(DEVICE(rtc), RESET_COLD);
    g_assert_false(lines[LINE].level);
    g_assert_cmphex(rd(B), ==, H24);
    g_assert_cmphex(rd(0x40), ==, 0xa5);
    g_assert_cmphex(rd(0), ==, 5);
    teardown();
}

static void test_cells_for_firmware(void)
{
    g_autoptr(Error) err = NULL;

    setup_at("2026-11-20T00:00:00");
    cmos_set_memory_size(rtc, 2 * GiB, 6 * GiB);
    cmos_set_cpus(rtc, 4);
    g_assert_cmphex(rd(0x15) | rd(0x16) << 8, ==, 640);
    g_assert_cmphex(rd(0x17) | rd(0x18) << 8, ==, 0xffff);
    g_assert_cmphex(rd(0x34) | rd(0x35) << 8, ==, (2 * GiB - 16 * MiB) / (64 * KiB));
    g_assert_cmphex(rd(0x5b) | rd(0x5c) << 8 | rd(0x5d) << 16, ==, 6 * GiB / (64 * KiB));
    g_assert_cmphex(rd(0x5f), ==, 3);
    g_assert_true(cmos_set_boot_order(rtc, "cdn", true, &error_abort));
    g_assert_cmphex(rd(0x3d), ==, 0x32);
    g_assert_cmphex(rd(0x38), ==, 0x41);
    g_assert_false(cmos_set_boot_order(rtc, "cx", true, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "'x'"));
    teardown();
}

static void assert_option_refused(const char *key, const char *value, const char *message)
{
    g_autoptr(Error) err = NULL;

    g_assert_false(rtc_option(key, value, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), message));
}

static void test_options_are_checked(void)
{
    assert_option_refused("base", "yesterday", "yesterday");
    assert_option_refused("base", "2026-11-20T25:00:00", "2026-11-20T25:00:00");
    assert_option_refused("base", "2026-02-30", "2026-02-30");
    assert_option_refused("base", "1066-10-14", "1066-10-14");
    assert_option_refused("clock", "sundial", "must be host, rt or vm");
    assert_option_refused("driftfix", "maybe", "none or slew");
    assert_option_refused("colour", "red", "no parameter 'colour'");
    g_assert_true(rtc_option("base", "localtime", &error_abort));
    g_assert_true(rtc_option("base", "utc", &error_abort));
    g_assert_cmpint(llabs(rtc_config_now_ns() / NANOSECONDS_PER_SECOND - time(NULL)), <=, 1);
}

void add_mc146818_tests(void)
{
    g_test_add_func("/rtc/bcd", test_shows_base_date_in_bcd);
    g_test_add_func("/rtc/binary-12h", test_binary_and_12_hours);
    g_test_add_func("/rtc/set", test_set_holds_and_starts);
    g_test_add_func("/rtc/uip", test_uip_before_each_second);
    g_test_add_func("/rtc/update-interrupt", test_update_interrupt);
    g_test_add_func("/rtc/update-flag", test_update_flag_without_interrupt);
    g_test_add_func("/rtc/alarm", test_alarm);
    g_test_add_func("/rtc/alarm-wildcards", test_alarm_wildcards_and_hours_later);
    g_test_add_func("/rtc/periodic", test_periodic_rate);
    g_test_add_func("/rtc/lost-ticks", test_lost_ticks_are_dropped_or_given_later);
    g_test_add_func("/rtc/reset", test_reset_keeps_time_and_memory);
    g_test_add_func("/rtc/cells", test_cells_for_firmware);
    g_test_add_func("/rtc/options", test_options_are_checked);
}
