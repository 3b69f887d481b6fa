/* Interrupt lines: interception of inputs and outputs, driving inputs, what the I/O APIC makes of them. */
#include "lib/qtest.h"

#define IOAPIC 0xfec00000

static void ioapic_write(QTest *q, uint8_t reg, uint32_t v)
{
    qtest_write(q, IOAPIC, 4, reg);
    qtest_write(q, IOAPIC + 0x10, 4, v);
}

static uint32_t ioapic_read(QTest *q, uint8_t reg)
{
    qtest_write(q, IOAPIC, 4, reg);
    return (uint32_t)qtest_read(q, IOAPIC + 0x10, 4);
}

static void test_inputs_are_seen_and_driven(void)
{
    QTest *q = qtest_start("-machine q35");
    g_autofree char *again = NULL, *other = NULL;

    qtest_intercept(q, "in", "ioapic");
    qtest_set_irq_in(q, "ioapic", 5, 1);
    g_assert_true(qtest_irq_level(q, 5));
    qtest_set_irq_in(q, "ioapic", 5, 1);
    qtest_set_irq_in(q, "ioapic", 5, 0);
    g_assert_false(qtest_irq_level(q, 5));
    g_assert_cmpuint(qtest_irq_raised(q, 5), ==, 1);        /* changes only */
    again = qtest_ask(q, "irq_intercept_in ioapic");
    other = qtest_ask(q, "irq_intercept_in rtc");
    g_assert_cmpstr(again, ==, "OK");
    g_assert_cmpstr(other, !=, "OK");
    qtest_stop(q);
}

/* A masked level input is remembered, and sent once its entry is unmasked: remote IRR shows it. */
static void test_ioapic_level_input(void)
{
    QTest *q = qtest_start("-machine q35");

    g_assert_cmphex(ioapic_read(q, 1) & 0xff0000, ==, 23 << 16);
    g_assert_cmphex(ioapic_read(q, 0x10 + 2 * 20), ==, 1 << 16);
    qtest_set_irq_in(q, "ioapic", 20, 1);
    ioapic_write(q, 0x10 + 2 * 20, 1 << 15 | 0x40);         /* level, vector 0x40, unmasked */
    g_assert_cmphex(ioapic_read(q, 0x10 + 2 * 20), ==, 1 << 15 | 1 << 14 | 0x40);
    qtest_write(q, IOAPIC + 0x40, 4, 0x40);                 /* EOI; the line is still up: sent again */
    g_assert_cmphex(ioapic_read(q, 0x10 + 2 * 20) & 1 << 14, ==, 1 << 14);
    qtest_set_irq_in(q, "ioapic", 20, 0);
    qtest_write(q, IOAPIC + 0x40, 4, 0x40);
    g_assert_cmphex(ioapic_read(q, 0x10 + 2 * 20) & 1 << 14, ==, 0);
    qtest_stop(q);
}

static void test_outputs_are_seen_and_pass(void)
{
    QTest *q = qtest_start("-machine q35 -rtc clock=vm");

    /* RTC: update-ended interrupt each second; read C lowers the line. */
    qtest_intercept(q, "out", "rtc");
    qtest_outb(q, 0x70, 0x0b);
    qtest_outb(q, 0x71, 0x12);
    qtest_clock_step(q, 1100000000);
    g_assert_true(qtest_irq_level(q, 0));
    qtest_outb(q, 0x70, 0x0c);
    g_assert_cmphex(qtest_inb(q, 0x71) & 0x90, ==, 0x90);        /* with the update flag */
    g_assert_false(qtest_irq_level(q, 0));
    qtest_stop(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/irq/inputs", test_inputs_are_seen_and_driven);
    g_test_add_func("/irq/ioapic-level", test_ioapic_level_input);
    g_test_add_func("/irq/outputs", test_outputs_are_seen_and_pass);
    return g_test_run();
}
