/*
 * HPET: counter, comparators, routing, legacy replacement.
 */
#include "harness.h"
#include "hw/timer/hpet.h"

#define GSI_LINE(n) (16 + (n))          /* gsi 0..31 are lines 16..47 */
#define PIT_CONTROL 48

enum { R_CAP = 0x00, R_CFG = 0x10, R_ISR = 0x20, R_COUNTER = 0xf0 };
#define R_TN(n, reg) (0x100 + 0x20 * (n) + (reg))
enum { TN_CFG = 0, TN_CMP = 8, TN_FSB = 16 };

static Hpet *hpet;
static MemoryRegion window;

static uint64_t rd(hwaddr reg, unsigned size)
{
    uint64_t v = 0;

    g_assert_cmpint(address_space_read(&address_space_memory, HPET_BASE + reg, MEMTXATTRS_UNSPECIFIED, &v, size), ==,
                    MEMTX_OK);
    return v;
}

static void wr(hwaddr reg, uint64_t v, unsigned size)
{
    g_assert_cmpint(address_space_write(&address_space_memory, HPET_BASE + reg, MEMTXATTRS_UNSPECIFIED, &v, size), ==,
                    MEMTX_OK);
}

static void setup(void)
{
    IrqLine gsi[HPET_NUM_IRQ_ROUTES];

    lines_clear();
    for (unsigned i = 0; i < HPET_NUM_IRQ_ROUTES; i++) {
        gsi[i] = test_line(GSI_LINE(i));
    }
    hpet = hpet_create(system_memory(), gsi, 0x00ff0104, test_line(PIT_CONTROL));
    device_reset(DEVICE(hpet), RESET_COLD);
}

static void teardown(void)
{
    test_remove(DEVICE(hpet));
}

/* Ticks are 10 ns. */
static void step_ticks(uint64_t n)
{
    clock_step(n * 10);
}

static void test_capabilities(void)
{
    setup();
    g_assert_cmphex(rd(R_CAP, 8), ==, 0x009896808086a201ULL);
    g_assert_cmphex(rd(R_CAP + 4, 4), ==, 10000000);
    g_assert_cmphex(hpet_event_timer_block_id(hpet), ==, 0x8086a201);
    g_assert_cmphex(rd(R_TN(0, TN_CFG), 8), ==, 0x00ff010400000030ULL);
    g_assert_cmphex(rd(R_TN(2, TN_CMP), 8), ==, UINT64_MAX);
    g_assert_cmphex(rd(R_TN(3, TN_CFG), 8), ==, 0);         /* three comparators */
    wr(R_CAP, 0, 8);
    g_assert_cmphex(rd(R_CAP, 8), ==, 0x009896808086a201ULL);
    wr(R_CFG, UINT64_MAX, 8);
    g_assert_cmphex(rd(R_CFG, 8), ==, 3);
    teardown();
}

static void test_counter_runs_while_enabled(void)
{
    setup();
    step_ticks(1000);
    g_assert_cmphex(rd(R_COUNTER, 8), ==, 0);
    wr(R_COUNTER, 0xfffffff0, 8);
    wr(R_CFG, 1, 4);
    step_ticks(0x20);
    g_assert_cmphex(rd(R_COUNTER, 8), ==, 0x100000010);
    g_assert_cmphex(rd(R_COUNTER + 4, 4), ==, 1);
    wr(R_COUNTER, 0, 8);                                    /* refused while running */
    g_assert_cmphex(rd(R_COUNTER, 8), ==, 0x100000010);
    wr(R_CFG, 0, 4);
    step_ticks(500);
    g_assert_cmphex(rd(R_COUNTER, 8), ==, 0x100000010);
    teardown();
}

static void test_one_shot_edge(void)
{
    setup();
    wr(R_TN(2, TN_CFG), 8 << 9 | 1 << 2, 4);                /* route 8, enable, edge */
    g_assert_cmphex(rd(R_TN(2, TN_CFG), 4), ==, 0x30 | 8 << 9 | 1 << 2);
    wr(R_TN(2, TN_CMP), 5000, 8);
    wr(R_CFG, 1, 4);
    step_ticks(4999);
    g_assert_cmpuint(lines[GSI_LINE(8)].rises, ==, 0);
    step_ticks(1);
    g_assert_cmpuint(lines[GSI_LINE(8)].rises, ==, 1);
    g_assert_false(lines[GSI_LINE(8)].level);
    g_assert_cmphex(rd(R_ISR, 4), ==, 0);                   /* edge: no status */
    step_ticks(1000000);
    g_assert_cmpuint(lines[GSI_LINE(8)].rises, ==, 1);
    teardown();
}

static void test_unsupported_route_does_not_stick(void)
{
    setup();
    wr(R_TN(0, TN_CFG), 2 << 9, 4);
    wr(R_TN(0, TN_CFG), 5 << 9, 4);
    g_assert_cmphex(rd(R_TN(0, TN_CFG), 4) >> 9 & 31, ==, 2);
    teardown();
}

static void test_periodic(void)
{
    setup();
    wr(R_CFG, 1, 4);
    wr(R_TN(0, TN_CFG), 2 << 9 | 1 << 6 | 1 << 3 | 1 << 2, 4);     /* VAL_SET */
    wr(R_TN(0, TN_CMP), 10000, 8);                          /* first match */
    wr(R_TN(0, TN_CMP), 2500, 8);                           /* then the period */
    step_ticks(9999);
    g_assert_cmpuint(lines[GSI_LINE(2)].rises, ==, 0);
    step_ticks(1);
    g_assert_cmpuint(lines[GSI_LINE(2)].rises, ==, 1);
    step_ticks(2500 * 10);
    g_assert_cmpuint(lines[GSI_LINE(2)].rises, ==, 11);
    g_assert_cmphex(rd(R_TN(0, TN_CMP), 8), ==, 10000 + 2500 * 11);
    teardown();
}

static void test_periodic_storm_is_coalesced(void)
{
    setup();
    wr(R_CFG, 1, 4);
    wr(R_TN(0, TN_CFG), 2 << 9 | 1 << 6 | 1 << 3 | 1 << 2, 4);
    wr(R_TN(0, TN_CMP), 1, 8);
    step_ticks(1000000);                                    /* 10 ms */
    g_assert_cmpuint(lines[GSI_LINE(2)].rises, <=, 1001);
    g_assert_cmpuint(lines[GSI_LINE(2)].rises, >=, 900);
    teardown();
}

static void test_level_stays_until_status_is_cleared(void)
{
    setup();
    wr(R_TN(1, TN_CFG), 16 << 9 | 1 << 2 | 1 << 1, 4);
    wr(R_TN(1, TN_CMP), 100, 8);
    wr(R_CFG, 1, 4);
    step_ticks(101);
    g_assert_true(lines[GSI_LINE(16)].level);
    g_assert_cmphex(rd(R_ISR, 4), ==, 2);
    wr(R_ISR, 1, 4);                                        /* another timer's bit */
    g_assert_true(lines[GSI_LINE(16)].level);
    wr(R_ISR, 2, 4);
    g_assert_false(lines[GSI_LINE(16)].level);
    g_assert_cmphex(rd(R_ISR, 4), ==, 0);
    teardown();
}

static void test_32bit_mode_wraps(void)
{
    setup();
    wr(R_COUNTER, 0xfffffff0, 8);
    wr(R_TN(0, TN_CFG), 2 << 9 | 1 << 8 | 1 << 2, 4);
    wr(R_TN(0, TN_CMP), 0x10, 4);
    wr(R_CFG, 1, 4);
    step_ticks(0x1f);
    g_assert_cmpuint(lines[GSI_LINE(2)].rises, ==, 0);
    step_ticks(1);
    g_assert_cmpuint(lines[GSI_LINE(2)].rises, ==, 1);
    teardown();
}

static void test_legacy_replacement(void)
{
    setup();
    irq_raise(hpet_pit_input(hpet));
    g_assert_true(lines[GSI_LINE(0)].level);                /* passed on */
    g_assert_true(lines[PIT_CONTROL].level);
    wr(R_CFG, 3, 4);
    g_assert_false(lines[GSI_LINE(0)].level);               /* replaced */
    g_assert_false(lines[PIT_CONTROL].level);
    lines_clear();
    irq_pulse(hpet_pit_input(hpet));
    irq_pulse(hpet_rtc_input(hpet));
    g_assert_cmpuint(lines[GSI_LINE(0)].rises + lines[GSI_LINE(8)].rises, ==, 0);
    wr(R_TN(0, TN_CFG), 1 << 2, 4);
    wr(R_TN(0, TN_CMP), rd(R_COUNTER, 8) + 100, 8);
    wr(R_TN(1, TN_CFG), 1 << 2, 4);
    wr(R_TN(1, TN_CMP), rd(R_COUNTER, 8) + 200, 8);
    step_ticks(150);
    g_assert_cmpuint(lines[GSI_LINE(0)].rises, ==, 1);
    g_assert_cmpuint(lines[GSI_LINE(8)].rises, ==, 0);
    step_ticks(100);
    g_assert_cmpuint(lines[GSI_LINE(8)].rises, ==, 1);
    wr(R_CFG, 1, 4);
    irq_raise(hpet_rtc_input(hpet));
    g_assert_true(lines[GSI_LINE(8)].level);
    g_assert_true(lines[PIT_CONTROL].level);
    teardown();
}

static void test_fsb_absent_unless_asked_for(void)
{
    setup();
    wr(R_TN(0, TN_CFG), 1 << 14, 4);
    g_assert_cmphex(rd(R_TN(0, TN_CFG), 4) & (3 << 14), ==, 0);
    teardown();
}

static void test_fsb_message(void)
{
    uint32_t message = 0;
    Device *dev = device_new(&hpet_type);

    lines_clear();
    g_assert_true(object_property_set_bool(dev, "msi", true, &error_abort));
    g_assert_true(object_property_set_uint(dev, "hpet-intcap", 4, &error_abort));
    g_assert_true(device_realize_and_unref(dev, NULL, &error_abort));
    device_reset(dev, RESET_COLD);
    memory_region_init(&window, NULL, "hpet-window", HPET_LEN);
    sysbus_mmio_map(SYSBUS_DEVICE(dev), 0, &window, 0);
    memory_region_add_subregion(system_memory(), HPET_BASE, &window);
    wr(R_TN(0, TN_FSB), 0x00012340ULL << 32 | 0xcafe, 8);
    wr(R_TN(0, TN_CFG), 1 << 14 | 1 << 2, 4);
    wr(R_TN(0, TN_CMP), 100, 8);
    wr(R_CFG, 1, 4);
    step_ticks(101);
    g_assert_cmpint(address_space_read(&address_space_memory, 0x12340, MEMTXATTRS_UNSPECIFIED, &message, 4), ==,
                    MEMTX_OK);
    g_assert_cmphex(message, ==, 0xcafe);
    test_remove(dev);
    memory_region_del_subregion(system_memory(), &window);
    memory_region_fini(&window);
}

void add_hpet_tests(void)
{
    g_test_add_func("/hpet/capabilities", test_capabilities);
    g_test_add_func("/hpet/counter", test_counter_runs_while_enabled);
    g_test_add_func("/hpet/one-shot", test_one_shot_edge);
    g_test_add_func("/hpet/route", test_unsupported_route_does_not_stick);
    g_test_add_func("/hpet/periodic", test_periodic);
    g_test_add_func("/hpet/storm", test_periodic_storm_is_coalesced);
    g_test_add_func("/hpet/level", test_level_stays_until_status_is_cleared);
    g_test_add_func("/hpet/32bit", test_32bit_mode_wraps);
    g_test_add_func("/hpet/legacy", test_legacy_replacement);
    g_test_add_func("/hpet/no-fsb", test_fsb_absent_unless_asked_for);
    g_test_add_func("/hpet/fsb", test_fsb_message);
}
