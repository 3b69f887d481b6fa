/*
 * ACPI fixed hardware: who raises the SCI, what clears it, the PM timer, the reset register.
 */
#include "hw/acpi/pm.h"
#include "tests.h"

static AcpiPm pm;
static MemoryRegion io;
static AddressSpace as;
static int sci;

static void sci_set(void *opaque, unsigned n, int level)
{
    sci = level;
}

static void out(hwaddr port, uint64_t v, unsigned size)
{
    address_space_st(&as, port, v, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static uint64_t in(hwaddr port, unsigned size)
{
    return address_space_ld(&as, port, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static void setup(void)
{
    memory_region_init(&io, NULL, "io", 64);
    address_space_init(&as, &io, "pm-test");
    acpi_pm_init(&pm, NULL, irq_line(sci_set, NULL, 0), 2);
    memory_region_add_subregion(&io, 0, &pm.evt_mr);
    memory_region_add_subregion(&io, 4, &pm.cnt_mr);
    memory_region_add_subregion(&io, 8, &pm.tmr_mr);
    memory_region_add_subregion(&io, 16, &pm.gpe_mr);
}

static void test_power_button_raises_sci(void)
{
    acpi_pm_reset(&pm, RESET_COLD);
    acpi_pm_power_button(&pm);
    g_assert_cmpint(sci, ==, 0);                        /* not enabled, and not in ACPI mode */
    out(2, PM1_STS_PWRBTN, 2);
    g_assert_cmpint(sci, ==, 0);
    acpi_pm_set_enabled(&pm, true);
    g_assert_cmpint(sci, ==, 1);
    g_assert_cmphex(in(0, 2) & PM1_STS_PWRBTN, ==, PM1_STS_PWRBTN);
    g_assert_cmphex(in(0, 4) >> 16, ==, PM1_STS_PWRBTN);
    out(0, 0, 2);                                       /* zeroes clear nothing */
    g_assert_cmpint(sci, ==, 1);
    out(1, PM1_STS_PWRBTN >> 8, 1);                     /* a byte access clears its byte only */
    g_assert_cmpint(sci, ==, 0);
    g_assert_cmphex(in(2, 2), ==, PM1_STS_PWRBTN);
}

static void test_gpe_raises_sci(void)
{
    acpi_pm_reset(&pm, RESET_COLD);
    acpi_pm_set_enabled(&pm, true);
    acpi_pm_gpe_raise(&pm, 9);
    g_assert_cmpint(sci, ==, 0);
    out(16 + 2 + 1, 1 << 1, 1);
    g_assert_cmpint(sci, ==, 1);
    g_assert_cmphex(in(16, 4), ==, 0x02000200);
    out(16 + 1, 1 << 1, 1);
    g_assert_cmpint(sci, ==, 0);
}

static void test_control_register(void)
{
    acpi_pm_reset(&pm, RESET_COLD);
    out(4, 0x3c01, 2);                                  /* SCI_EN is SMI_CMD's; SLP_EN reads as zero; no such sleep type */
    g_assert_cmphex(in(4, 2), ==, 0x1c00);
    acpi_pm_set_enabled(&pm, true);
    g_assert_cmphex(in(4, 2), ==, 0x1c01);
    acpi_pm_set_enabled(&pm, false);
    g_assert_cmphex(in(4, 2), ==, 0x1c00);
}

static void test_wake_up_keeps_acpi_mode_only(void)
{
    acpi_pm_reset(&pm, RESET_COLD);
    acpi_pm_set_enabled(&pm, true);
    out(2, PM1_STS_PWRBTN, 2);
    out(4, PM1_CNT_BM_RLD, 2);
    acpi_pm_reset(&pm, RESET_WAKEUP);
    g_assert_cmphex(in(4, 2), ==, PM1_CNT_SCI_EN);
    g_assert_cmphex(in(2, 2), ==, 0);
}

static void test_timer_is_24_bits_and_read_only(void)
{
    uint64_t v = in(8, 4);

    g_assert_cmphex(v, <, 1 << 24);
    out(8, 0xffffffff, 4);
    g_assert_cmphex((in(8, 4) - v) & 0xffffff, <, 0x800000);
}

void add_pm_tests(void)
{
    setup();
    g_test_add_func("/i386/pm/power-button-raises-sci", test_power_button_raises_sci);
    g_test_add_func("/i386/pm/gpe-raises-sci", test_gpe_raises_sci);
    g_test_add_func("/i386/pm/control-register", test_control_register);
    g_test_add_func("/i386/pm/wake-up-keeps-acpi-mode-only", test_wake_up_keeps_acpi_mode_only);
    g_test_add_func("/i386/pm/timer-is-24-bits-and-read-only", test_timer_is_24_bits_and_read_only);
}
