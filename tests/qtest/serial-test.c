/* 16550A on the ISA bus: registers, FIFO and loopback, interrupts, output. */
#include "lib/qtest.h"

#define COM1 0x3f8
enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static void test_registers_hold_what_they_have(void)
{
    QTest *q = qtest_start("-machine q35 -serial null");

    qtest_outb(q, COM1 + SCR, 0xa5);
    g_assert_cmphex(qtest_inb(q, COM1 + SCR), ==, 0xa5);
    qtest_outb(q, COM1 + LCR, 0x80);                        /* DLAB: divisor instead of data and IER */
    qtest_outb(q, COM1 + RBR, 0x34);
    qtest_outb(q, COM1 + IER, 0x12);
    g_assert_cmphex(qtest_inb(q, COM1 + RBR), ==, 0x34);
    g_assert_cmphex(qtest_inb(q, COM1 + IER), ==, 0x12);
    qtest_outb(q, COM1 + LCR, 0x03);
    g_assert_cmphex(qtest_inb(q, COM1 + IER), ==, 0);
    qtest_outb(q, COM1 + IER, 0xff);
    g_assert_cmphex(qtest_inb(q, COM1 + IER), ==, 0x0f);    /* bits 4..7 are always clear */
    g_assert_cmphex(qtest_inb(q, COM1 + LSR), ==, 0x60);    /* transmitter empty */
    qtest_stop(q);
}

static void test_loopback_fills_the_fifo_to_overrun(void)
{
    QTest *q = qtest_start("-machine q35 -serial null");

    qtest_outb(q, COM1 + IIR, 0x07);                        /* FIFOs on and empty, trigger at 1 */
    g_assert_cmphex(qtest_inb(q, COM1 + IIR) & 0xc0, ==, 0xc0);
    qtest_outb(q, COM1 + MCR, 0x10);
    for (unsigned i = 0; i < 17; i++) {
        qtest_outb(q, COM1 + RBR, (uint8_t)(0x40 + i));
        qtest_clock_step(q, 1000000);
    }
    g_assert_cmphex(qtest_inb(q, COM1 + LSR) & 0x03, ==, 0x03);     /* data ready, overrun */
    g_assert_cmphex(qtest_inb(q, COM1 + LSR) & 0x02, ==, 0);        /* reading cleared the overrun */
    for (unsigned i = 0; i < 16; i++) {
        g_assert_cmphex(qtest_inb(q, COM1 + RBR), ==, 0x40 + i);
    }
    g_assert_cmphex(qtest_inb(q, COM1 + LSR) & 0x01, ==, 0);
    qtest_outb(q, COM1 + MCR, 0x1f);                        /* modem lines loop too: OUT2 OUT1 RTS DTR -> DCD RI CTS DSR */
    g_assert_cmphex(qtest_inb(q, COM1 + MSR) & 0xf0, ==, 0xf0);
    qtest_stop(q);
}

static void test_interrupt_follows_enable_and_cause(void)
{
    QTest *q = qtest_start("-machine q35 -serial null");

    qtest_intercept(q, "in", "ioapic");
    g_assert_cmphex(qtest_inb(q, COM1 + IIR), ==, 0x01);    /* none pending */
    qtest_outb(q, COM1 + MCR, 0x08);                        /* OUT2 gates the line on a PC */
    qtest_outb(q, COM1 + IER, 0x02);
    g_assert_true(qtest_irq_level(q, 4));
    g_assert_cmphex(qtest_inb(q, COM1 + IIR), ==, 0x02);    /* transmitter empty; reading acknowledges */
    g_assert_false(qtest_irq_level(q, 4));
    qtest_stop(q);
}

static void test_output_reaches_the_back_end(void)
{
    QTest *q = qtest_start("-machine q35 -chardev ringbuf,id=ring,size=64 -serial chardev:ring");
    g_autofree char *text = NULL;

    for (const char *s = "quern"; *s; s++) {
        qtest_outb(q, COM1, (uint8_t)*s);
    }
    text = qtest_qmp(q, "{'execute': 'ringbuf-read', 'arguments': {'device': 'ring', 'size': 64}}");
    g_assert_nonnull(strstr(text, "\"quern\""));
    qtest_stop(q);
}

static void assert_reply_has(QTest *q, const char *json, const char *part)
{
    g_autofree char *reply = qtest_qmp(q, json);

    if (!strstr(reply, part)) {
        g_error("%s: no %s in %s", json, part, reply);
    }
}

static void test_back_end_is_changed_under_the_port(void)
{
    QTest *q = qtest_start("-machine q35 -chardev ringbuf,id=c,size=64 -serial chardev:c");

    qtest_outb(q, COM1, 'A');
    assert_reply_has(q, "{'execute': 'ringbuf-read', 'arguments': {'device': 'c', 'size': 64}}", "\"A\"");
    assert_reply_has(q, "{'execute': 'chardev-change', 'arguments': {'id': 'c', 'backend': "
                     "{'type': 'ringbuf', 'data': {'size': 16}}}}", "return");
    qtest_outb(q, COM1, 'B');
    assert_reply_has(q, "{'execute': 'ringbuf-read', 'arguments': {'device': 'c', 'size': 64}}", "\"B\"");
    qtest_stop(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/serial/registers", test_registers_hold_what_they_have);
    g_test_add_func("/serial/loopback", test_loopback_fills_the_fifo_to_overrun);
    g_test_add_func("/serial/interrupt", test_interrupt_follows_enable_and_cause);
    g_test_add_func("/serial/output", test_output_reaches_the_back_end);
    g_test_add_func("/serial/change", test_back_end_is_changed_under_the_port);
    return g_test_run();
}
