/*
 * 8254: counts and outputs against the data sheet's formulas, the clock stepped by hand.
 */
#include "harness.h"
#include "hw/timer/i8254-core.h"
#include "hw/timer/i8254.h"

#define LINE 41

static Pit pit;

static void setup(void)
{
    memset(&pit, 0, sizeof(pit));
    lines_clear();
    pit.irq = test_line(LINE);
    pit_init(&pit);
}

/* The n-th tick of the 1.193182 MHz clock, just passed. */
static int64_t ticks(uint64_t n)
{
    return (n * NANOSECONDS_PER_SECOND + I8254_HZ - 1) / I8254_HZ;
}

static void program(unsigned n, unsigned mode, unsigned count)
{
    pit_write(&pit, 3, n << 6 | PIT_RW_BOTH << 4 | mode << 1);
    pit_write(&pit, n, count);
    pit_write(&pit, n, count >> 8);
}

static unsigned read_count(unsigned n)
{
    pit_write(&pit, 3, n << 6);         /* latch */
    unsigned lsb = pit_read(&pit, n);

    return lsb | pit_read(&pit, n) << 8;
}

static uint8_t read_status(unsigned n)
{
    pit_write(&pit, 3, 0xe0 | 2 << n);  /* read-back, status only */
    return pit_read(&pit, n);
}

static void test_mode0_counts_down_and_interrupts_once(void)
{
    setup();
    program(0, 0, 1000);
    lines_clear();
    g_assert_cmpuint(read_count(0), ==, 1000);
    clock_step(ticks(400));
    g_assert_cmpuint(read_count(0), ==, 600);
    g_assert_false(lines[LINE].level);
    clock_step(ticks(600));
    g_assert_true(lines[LINE].level);
    g_assert_cmphex(read_status(0) & 0x80, ==, 0x80);
    clock_step(ticks(100));
    g_assert_cmpuint(read_count(0), ==, 65536 - 100);   /* goes on from 0xffff */
    clock_step(ticks(200000));
    g_assert_cmpuint(lines[LINE].rises, ==, 1);
    pit_fini(&pit);
}

static void test_mode0_first_byte_stops(void)
{
    setup();
    program(0, 0, 1000);
    lines_clear();
    clock_step(ticks(500));
    pit_write(&pit, 0, 0x10);
    clock_step(ticks(2000));
    g_assert_false(lines[LINE].level);
    pit_write(&pit, 0, 0x00);
    clock_step(ticks(0x10));
    clock_step(US(20));
    g_assert_true(lines[LINE].level);
    pit_fini(&pit);
}

static void test_mode2_rate(void)
{
    setup();
    program(0, 2, 1193);
    lines_clear();
    lines[LINE].level = true;
    clock_step(ticks(1193 * 100) + US(1));
    g_assert_cmpuint(lines[LINE].rises, ==, 100);
    g_assert_cmpuint(read_count(0), >=, 1190);
    clock_step(ticks(1000));
    g_assert_cmpuint(read_count(0), <=, 193);
    pit_fini(&pit);
}

/* A count written while running takes over at the end of the present period. */
static void test_mode2_new_count_waits_for_period_end(void)
{
    setup();
    program(0, 2, 10000);
    clock_step(ticks(35000));
    lines_clear();
    lines[LINE].level = true;
    pit_write(&pit, 0, 2000 & 0xff);
    pit_write(&pit, 0, 2000 >> 8);
    g_assert_cmphex(read_status(0) & 0x40, ==, 0x40);   /* null count: not in yet */
    clock_step(ticks(4900));
    g_assert_cmpuint(lines[LINE].rises, ==, 0);
    clock_step(ticks(200));
    g_assert_cmpuint(lines[LINE].rises, ==, 1);
    g_assert_cmphex(read_status(0) & 0x40, ==, 0);
    clock_step(ticks(20000));
    g_assert_cmpuint(lines[LINE].rises, ==, 11);
    pit_fini(&pit);
}

static void test_mode3_square_wave_by_twos(void)
{
    setup();
    program(0, 3, 1000);
    clock_step(ticks(100));
    g_assert_cmpuint(read_count(0), ==, 800);
    g_assert_true(pit_get_out(&pit, 0));
    clock_step(ticks(500));
    g_assert_false(pit_get_out(&pit, 0));
    g_assert_cmpuint(read_count(0), ==, 800);
    program(0, 3, 1001);                                /* odd: 501 high, 500 low */
    clock_step(ticks(500));
    g_assert_true(pit_get_out(&pit, 0));
    clock_step(ticks(1));
    g_assert_false(pit_get_out(&pit, 0));
    pit_fini(&pit);
}

static void test_mode1_waits_for_gate(void)
{
    setup();
    pit_set_gate(&pit, 2, false);
    program(2, 1, 500);
    g_assert_true(pit_get_out(&pit, 2));
    clock_step(ticks(1000));
    g_assert_true(pit_get_out(&pit, 2));
    pit_set_gate(&pit, 2, true);
    g_assert_false(pit_get_out(&pit, 2));
    clock_step(ticks(300));
    pit_set_gate(&pit, 2, false);
    pit_set_gate(&pit, 2, true);                        /* retriggered */
    clock_step(ticks(300));
    g_assert_false(pit_get_out(&pit, 2));
    clock_step(ticks(201));
    g_assert_true(pit_get_out(&pit, 2));
    pit_fini(&pit);
}

static void test_mode4_strobes_once(void)
{
    setup();
    program(0, 4, 300);
    lines_clear();
    lines[LINE].level = true;
    clock_step(ticks(310));
    g_assert_cmpuint(lines[LINE].rises, ==, 1);
    clock_step(ticks(100000));
    g_assert_cmpuint(lines[LINE].rises, ==, 1);
    pit_fini(&pit);
}

static void test_gate_freezes_mode0(void)
{
    setup();
    pit_set_gate(&pit, 2, true);
    program(2, 0, 1000);
    clock_step(ticks(300));
    pit_set_gate(&pit, 2, false);
    clock_step(ticks(5000));
    g_assert_cmpuint(read_count(2), ==, 700);
    pit_set_gate(&pit, 2, true);
    clock_step(ticks(200));
    g_assert_cmpuint(read_count(2), ==, 500);
    pit_fini(&pit);
}

static void test_latch_holds_until_read(void)
{
    setup();
    program(0, 0, 5000);
    clock_step(ticks(1000));
    pit_write(&pit, 3, 0x00);
    clock_step(ticks(500));
    pit_write(&pit, 3, 0x00);           /* a second latch before the read is ignored */
    g_assert_cmphex(pit_read(&pit, 0), ==, 4000 & 0xff);
    g_assert_cmphex(pit_read(&pit, 0), ==, 4000 >> 8);
    g_assert_cmphex(pit_read(&pit, 0), ==, 3500 & 0xff);
    g_assert_cmphex(pit_read(&pit, 0), ==, 3500 >> 8);
    pit_fini(&pit);
}

static void test_read_back_status_then_count(void)
{
    setup();
    program(0, 2, 4000);
    clock_step(ticks(100));
    pit_write(&pit, 3, 0xc2);           /* status and count of counter 0 */
    g_assert_cmphex(pit_read(&pit, 0), ==, 0x80 | PIT_RW_BOTH << 4 | 2 << 1);
    g_assert_cmphex(pit_read(&pit, 0), ==, 3900 & 0xff);
    g_assert_cmphex(pit_read(&pit, 0), ==, 3900 >> 8);
    pit_fini(&pit);
}

static void test_bcd(void)
{
    setup();
    pit_write(&pit, 3, PIT_RW_BOTH << 4 | 0 << 1 | 1);
    pit_write(&pit, 0, 0x50);
    pit_write(&pit, 0, 0x12);           /* 1250 decimal */
    clock_step(ticks(25));
    g_assert_cmphex(read_count(0), ==, 0x1225);
    clock_step(ticks(1226));
    g_assert_cmphex(read_count(0), ==, 0x9999);
    pit_write(&pit, 3, PIT_RW_BOTH << 4 | 0 << 1 | 1);
    pit_write(&pit, 0, 0);
    pit_write(&pit, 0, 0);              /* 10000 */
    clock_step(ticks(1));
    g_assert_cmphex(read_count(0), ==, 0x9999);
    pit_fini(&pit);
}

static void test_lsb_and_msb_only(void)
{
    setup();
    pit_write(&pit, 3, PIT_RW_MSB << 4);
    pit_write(&pit, 0, 0x10);
    g_assert_cmphex(pit_read(&pit, 0), ==, 0x10);
    clock_step(ticks(0x100));
    g_assert_cmphex(pit_read(&pit, 0), ==, 0x0f);
    pit_write(&pit, 3, PIT_RW_LSB << 4);
    pit_write(&pit, 0, 0x20);
    clock_step(ticks(1));
    g_assert_cmphex(pit_read(&pit, 0), ==, 0x1f);
    pit_fini(&pit);
}

/* The shortest period must not become a storm: the host timer has a floor. */
static void test_tiny_period_is_coalesced(void)
{
    setup();
    program(0, 2, 1);
    lines_clear();
    clock_step(MS(10));
    g_assert_cmpuint(lines[LINE].rises, >=, 500);
    g_assert_cmpuint(lines[LINE].rises, <=, 1100);
    pit_fini(&pit);
}

static void test_irq_can_be_taken_away(void)
{
    setup();
    program(0, 2, 1193);
    pit_set_irq_enabled(&pit, false);
    g_assert_false(lines[LINE].level);
    lines_clear();
    clock_step(MS(100));
    g_assert_cmpuint(lines[LINE].rises, ==, 0);
    pit_set_irq_enabled(&pit, true);
    clock_step(MS(10) + US(500));
    g_assert_cmpuint(lines[LINE].rises, >=, 10);
    g_assert_cmpuint(lines[LINE].rises, <=, 11);
    pit_fini(&pit);
}

static void test_port_61(void)
{
    I8254 *dev = i8254_create(test_bus, 0x40, test_line(LINE));
    Device *spk = pcspk_create(test_bus, dev);
    unsigned toggles = 0;

    device_reset(DEVICE(dev), RESET_COLD);
    device_reset(spk, RESET_COLD);
    g_assert_cmphex(inb(0x61) & 0x0f, ==, 0);
    outb(0x61, 0xf1);
    g_assert_cmphex(inb(0x61) & 0xcf, ==, 0x01);        /* upper bits are read-only */
    outb(0x43, 0xb0);                                   /* counter 2, mode 0, as Linux calibrates */
    outb(0x42, 0xe8);
    outb(0x42, 0x03);
    g_assert_cmphex(inb(0x61) & 0x20, ==, 0);
    clock_step(ticks(1001));
    g_assert_cmphex(inb(0x61) & 0x20, ==, 0x20);
    for (unsigned i = 0, last = inb(0x61) & 0x10; i < 100; i++) {
        clock_step(US(5));
        toggles += (inb(0x61) & 0x10) != last;
        last = inb(0x61) & 0x10;
    }
    g_assert_cmpuint(toggles, >=, 32);                  /* each 15.085 us */
    g_assert_cmpuint(toggles, <=, 34);
    test_remove(spk);
    test_remove(DEVICE(dev));
}

static void test_hostile_state_is_refused(void)
{
    g_autoptr(Error) err = NULL;

    setup();
    pit.counter[1].loaded = true;
    pit.counter[1].count = 0;                           /* would divide by zero */
    g_assert_false(vmstate_pit.post_load(&pit, 1, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "counter 1"));
    pit_fini(&pit);
}

void add_i8254_tests(void)
{
    g_test_add_func("/i8254/mode0", test_mode0_counts_down_and_interrupts_once);
    g_test_add_func("/i8254/mode0-first-byte-stops", test_mode0_first_byte_stops);
    g_test_add_func("/i8254/mode2", test_mode2_rate);
    g_test_add_func("/i8254/mode2-new-count", test_mode2_new_count_waits_for_period_end);
    g_test_add_func("/i8254/mode3", test_mode3_square_wave_by_twos);
    g_test_add_func("/i8254/mode1", test_mode1_waits_for_gate);
    g_test_add_func("/i8254/mode4", test_mode4_strobes_once);
    g_test_add_func("/i8254/gate", test_gate_freezes_mode0);
    g_test_add_func("/i8254/latch", test_latch_holds_until_read);
    g_test_add_func("/i8254/read-back", test_read_back_status_then_count);
    g_test_add_func("/i8254/bcd", test_bcd);
    g_test_add_func("/i8254/bytes", test_lsb_and_msb_only);
    g_test_add_func("/i8254/tiny-period", test_tiny_period_is_coalesced);
    g_test_add_func("/i8254/irq-control", test_irq_can_be_taken_away);
    g_test_add_func("/i8254/port-61", test_port_61);
    g_test_add_func("/i8254/hostile-state", test_hostile_state_is_refused);
}
