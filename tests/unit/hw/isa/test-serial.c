/*
 * 16550A: the guest's view through the core, without a bus; isa-serial and isa-debugcon on one.
 */
#include "harness.h"
#include "hw/char/serial-16550.h"
#include "hw/char/serial.h"

#define LINE 40

static Serial16550 uart;
static SinkChardev *sink;

static void setup(size_t room)
{
    memset(&uart, 0, sizeof(uart));
    lines_clear();
    sink = sink_new(room);
    uart.baudbase = 115200;
    uart.irq = test_line(LINE);
    g_assert_true(char_backend_init(&uart.chr, sink_chardev(sink), &error_abort));
    serial_init(&uart);
}

static void teardown(void)
{
    serial_fini(&uart);
    char_backend_deinit(&uart.chr);
    object_unref(sink);
}

static void type(const char *text)
{
    serial_receive(&uart, (const uint8_t *)text, strlen(text));
}

static void test_reset_values(void)
{
    setup(100);
    g_assert_cmphex(serial_read(&uart, UART_IER), ==, 0);
    g_assert_cmphex(serial_read(&uart, UART_IIR), ==, IIR_NO_INT);
    g_assert_cmphex(serial_read(&uart, UART_LCR), ==, 0);
    g_assert_cmphex(serial_read(&uart, UART_LSR), ==, LSR_THRE | LSR_TEMT);
    g_assert_cmphex(serial_read(&uart, UART_MSR), ==, MSR_DCD | MSR_DSR | MSR_CTS);
    g_assert_false(lines[LINE].level);
    teardown();
}

static void test_reserved_bits_read_zero(void)
{
    setup(100);
    serial_write(&uart, UART_IER, 0xff);
    g_assert_cmphex(serial_read(&uart, UART_IER), ==, 0x0f);
    serial_write(&uart, UART_MCR, 0xff);
    g_assert_cmphex(serial_read(&uart, UART_MCR), ==, 0x1f);
    serial_write(&uart, UART_LSR, 0);
    g_assert_cmphex(serial_read(&uart, UART_LSR), ==, LSR_THRE | LSR_TEMT);
    serial_write(&uart, UART_SCR, 0x5a);
    g_assert_cmphex(serial_read(&uart, UART_SCR), ==, 0x5a);
    teardown();
}

static void test_dlab_shows_divisor(void)
{
    setup(100);
    serial_write(&uart, UART_LCR, LCR_DLAB);
    serial_write(&uart, UART_DLL, 0x34);
    serial_write(&uart, UART_DLM, 0x12);
    g_assert_cmphex(serial_read(&uart, UART_DLL), ==, 0x34);
    g_assert_cmphex(serial_read(&uart, UART_DLM), ==, 0x12);
    serial_write(&uart, UART_LCR, 0x03);
    g_assert_cmphex(serial_read(&uart, UART_IER), ==, 0);
    g_assert_cmpstr(sink_text(sink), ==, "");
    teardown();
}

/* What Linux' autoconfig() looks at to call the part a 16550A. */
static void test_probes_as_16550a(void)
{
    setup(100);
    serial_write(&uart, UART_FCR, FCR_ENABLE);
    g_assert_cmphex(serial_read(&uart, UART_IIR) & IIR_FIFOS, ==, 0xc0);
    serial_write(&uart, UART_FCR, 0);
    g_assert_cmphex(serial_read(&uart, UART_IIR) & IIR_FIFOS, ==, 0);
    /* Loop-back test: OUT2 and RTS come back as DCD and CTS. */
    serial_write(&uart, UART_MCR, MCR_LOOP | MCR_OUT2 | MCR_RTS);
    g_assert_cmphex(serial_read(&uart, UART_MSR) & MSR_LINES, ==, MSR_DCD | MSR_CTS);
    teardown();
}

static void test_thre_interrupt_life(void)
{
    setup(100);
    serial_write(&uart, UART_IER, IER_ETBEI);
    g_assert_true(lines[LINE].level);                   /* empty already: raised by enabling it */
    g_assert_cmphex(serial_read(&uart, UART_IIR), ==, IIR_THRE);
    g_assert_false(lines[LINE].level);                  /* reading IIR cleared it */
    g_assert_cmphex(serial_read(&uart, UART_IIR), ==, IIR_NO_INT);
    serial_write(&uart, UART_THR, 'x');
    g_assert_true(lines[LINE].level);                   /* sent: empty again */
    g_assert_cmpuint(lines[LINE].rises, ==, 2);
    serial_write(&uart, UART_IER, 0);
    g_assert_false(lines[LINE].level);
    serial_write(&uart, UART_IER, IER_ETBEI);           /* Linux' test for a THRE bug */
    g_assert_cmphex(serial_read(&uart, UART_IIR), ==, IIR_THRE);
    g_assert_cmpstr(sink_text(sink), ==, "x");
    teardown();
}

static void test_thre_each_write_is_an_edge(void)
{
    setup(100);
    serial_write(&uart, UART_IER, IER_ETBEI);
    lines_clear();
    for (unsigned i = 0; i < 10; i++) {
        lines[LINE].level = true;       /* as left by the byte before */
        serial_write(&uart, UART_THR, 'a' + i);
    }
    g_assert_cmpuint(lines[LINE].rises, ==, 10);
    g_assert_cmpstr(sink_text(sink), ==, "abcdefghij");
    teardown();
}

static void test_rx_without_fifo(void)
{
    setup(100);
    serial_write(&uart, UART_IER, IER_ERBFI);
    g_assert_cmpuint(serial_can_receive(&uart), ==, 1);
    type("q");
    g_assert_cmpuint(serial_can_receive(&uart), ==, 0);
    g_assert_true(lines[LINE].level);
    g_assert_cmphex(serial_read(&uart, UART_IIR), ==, IIR_RDA);
    g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_DR, ==, LSR_DR);
    g_assert_cmpint(serial_read(&uart, UART_RBR), ==, 'q');
    g_assert_false(lines[LINE].level);
    g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_DR, ==, 0);
    teardown();
}

static void test_overrun_without_fifo_replaces_byte(void)
{
    setup(100);
    type("ab");
    g_assert_cmphex(serial_read(&uart, UART_LSR) & (LSR_OE | LSR_DR), ==, LSR_OE | LSR_DR);
    g_assert_cmpint(serial_read(&uart, UART_RBR), ==, 'b');
    teardown();
}

static void test_fifo_overrun_sets_lsr_oe(void)
{
    setup(100);
    serial_write(&uart, UART_FCR, FCR_ENABLE);
    serial_write(&uart, UART_IER, IER_ELSI);
    type("0123456789abcdef");
    g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_OE, ==, 0);
    g_assert_cmpuint(serial_can_receive(&uart), ==, 0);
    type("X");
    g_assert_true(lines[LINE].level);
    g_assert_cmphex(serial_read(&uart, UART_IIR) & IIR_ID, ==, IIR_RLS);
    g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_OE, ==, LSR_OE);
    g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_OE, ==, 0);     /* reading cleared it */
    g_assert_false(lines[LINE].level);
    for (const char *p = "0123456789abcdef"; *p; p++) {
        g_assert_cmpint(serial_read(&uart, UART_RBR), ==, *p);         /* FIFO contents survived */
    }
    g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_DR, ==, 0);
    teardown();
}

static void test_trigger_levels(void)
{
    static const unsigned level[4] = { 1, 4, 8, 14 };

    for (unsigned t = 0; t < 4; t++) {
        setup(100);
        serial_write(&uart, UART_FCR, FCR_ENABLE | t << 6);
        serial_write(&uart, UART_IER, IER_ERBFI);
        for (unsigned i = 1; i < level[t]; i++) {
            type("x");
            g_assert_false(lines[LINE].level);
        }
        type("x");
        g_assert_cmphex(serial_read(&uart, UART_IIR) & IIR_ID, ==, IIR_RDA);
        serial_read(&uart, UART_RBR);
        g_assert_false(lines[LINE].level);      /* below the level again */
        teardown();
    }
}

static void test_timeout_interrupt(void)
{
    /* 8N1 at 115200: ten bit times a character, four characters. */
    const int64_t timeout_ns = 4 * 10 * NANOSECONDS_PER_SECOND / 115200;

    setup(100);
    serial_write(&uart, UART_LCR, LCR_DLAB | 3);
    serial_write(&uart, UART_DLL, 1);
    serial_write(&uart, UART_DLM, 0);
    serial_write(&uart, UART_LCR, 3);
    serial_write(&uart, UART_FCR, FCR_ENABLE | 0xc0);
    serial_write(&uart, UART_IER, IER_ERBFI);
    type("hi");
    clock_step(timeout_ns - US(10));
    g_assert_false(lines[LINE].level);
    clock_step(US(20));
    g_assert_true(lines[LINE].level);
    g_assert_cmphex(serial_read(&uart, UART_IIR) & IIR_ID, ==, IIR_TIMEOUT);
    g_assert_cmpint(serial_read(&uart, UART_RBR), ==, 'h');
    g_assert_false(lines[LINE].level);                  /* reading restarts the wait */
    clock_step(timeout_ns + US(10));
    g_assert_cmphex(serial_read(&uart, UART_IIR) & IIR_ID, ==, IIR_TIMEOUT);
    g_assert_cmpint(serial_read(&uart, UART_RBR), ==, 'i');
    clock_step(MS(100));
    g_assert_false(lines[LINE].level);
    teardown();
}

static void test_break_is_a_zero_with_bi(void)
{
    setup(100);
    serial_write(&uart, UART_FCR, FCR_ENABLE);
    serial_write(&uart, UART_IER, IER_ELSI);
    type("a");
    sink_break(sink);
    g_assert_cmphex(serial_read(&uart, UART_LSR) & (LSR_BI | LSR_FIFO_ERR), ==, LSR_FIFO_ERR);
    g_assert_false(lines[LINE].level);                  /* not on top yet */
    g_assert_cmpint(serial_read(&uart, UART_RBR), ==, 'a');
    g_assert_true(lines[LINE].level);
    g_assert_cmphex(serial_read(&uart, UART_LSR) & (LSR_BI | LSR_DR), ==, LSR_BI | LSR_DR);
    g_assert_cmphex(serial_read(&uart, UART_LSR) & (LSR_BI | LSR_FIFO_ERR), ==, 0);
    g_assert_cmpint(serial_read(&uart, UART_RBR), ==, 0);
    teardown();
}

static void test_loopback_returns_data_and_keeps_the_wire_quiet(void)
{
    setup(100);
    serial_write(&uart, UART_FCR, FCR_ENABLE);
    serial_write(&uart, UART_MCR, MCR_LOOP);
    g_assert_cmpuint(serial_can_receive(&uart), ==, 0);
    for (unsigned i = 0; i < 17; i++) {
        serial_write(&uart, UART_THR, 'A' + i);
    }
    g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_OE, ==, LSR_OE);
    for (unsigned i = 0; i < 16; i++) {
        g_assert_cmpint(serial_read(&uart, UART_RBR), ==, 'A' + (int)i);
    }
    g_assert_cmpstr(sink_text(sink), ==, "");
    teardown();
}

static void test_modem_deltas_interrupt(void)
{
    setup(100);
    serial_read(&uart, UART_MSR);
    serial_write(&uart, UART_IER, IER_EDSSI);
    serial_write(&uart, UART_MCR, MCR_LOOP | MCR_OUT1);         /* CTS, DSR, DCD fall, RI rises */
    g_assert_cmphex(serial_read(&uart, UART_IIR), ==, IIR_MODEM);
    g_assert_cmphex(serial_read(&uart, UART_MSR), ==, MSR_RI | MSR_DCTS | MSR_DDSR | MSR_DDCD);
    g_assert_false(lines[LINE].level);
    serial_write(&uart, UART_MCR, MCR_LOOP);                    /* the ring ends */
    g_assert_cmphex(serial_read(&uart, UART_MSR), ==, MSR_TERI);
    teardown();
}

static void test_full_back_end_delays_but_loses_nothing(void)
{
    setup(4);
    serial_write(&uart, UART_FCR, FCR_ENABLE);
    serial_write(&uart, UART_IER, IER_ETBEI);
    for (const char *p = "hello world"; *p; p++) {
        serial_write(&uart, UART_THR, *p);
    }
    g_assert_cmpstr(sink_text(sink), ==, "hell");
    g_assert_cmphex(serial_read(&uart, UART_LSR) & (LSR_THRE | LSR_TEMT), ==, 0);
    g_assert_false(lines[LINE].level);
    sink_set_room(sink, 3);
    g_assert_cmpstr(sink_text(sink), ==, "hello w");
    sink_set_room(sink, 100);
    g_assert_cmpstr(sink_text(sink), ==, "hello world");
    g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_THRE, ==, LSR_THRE);
    g_assert_true(lines[LINE].level);
    teardown();
}

static void test_stuck_back_end_does_not_hold_the_guest(void)
{
    setup(0);
    serial_write(&uart, UART_THR, 'a');
    g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_THRE, ==, 0);
    g_assert_true(timer_pending(&uart.tx_stall));
    timer_del(&uart.tx_stall);
    uart.tx_stall.fn(uart.tx_stall.opaque);             /* seconds of host time later */
    g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_THRE, ==, LSR_THRE);
    for (unsigned i = 0; i < 1000; i++) {
        serial_write(&uart, UART_THR, 'b');
        g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_THRE, ==, LSR_THRE);
    }
    sink_set_room(sink, 100);
    serial_write(&uart, UART_THR, 'c');
    g_assert_cmpstr(sink_text(sink), ==, "c");
    teardown();
}

static void test_fcr_clears(void)
{
    setup(0);
    serial_write(&uart, UART_FCR, FCR_ENABLE);
    type("abc");
    serial_write(&uart, UART_THR, 'z');
    serial_write(&uart, UART_FCR, FCR_ENABLE | FCR_CLEAR_RX);
    g_assert_cmphex(serial_read(&uart, UART_LSR) & (LSR_DR | LSR_THRE), ==, 0);
    serial_write(&uart, UART_FCR, FCR_ENABLE | FCR_CLEAR_TX);
    g_assert_cmphex(serial_read(&uart, UART_LSR) & (LSR_DR | LSR_THRE), ==, LSR_THRE);
    type("d");
    serial_write(&uart, UART_FCR, 0);                   /* a change of mode empties both */
    g_assert_cmphex(serial_read(&uart, UART_LSR) & LSR_DR, ==, 0);
    teardown();
}

static void test_hostile_state_is_refused(void)
{
    g_autoptr(Error) err = NULL;

    setup(100);
    uart.rx_count = 200;
    g_assert_false(vmstate_serial_16550.post_load(&uart, 1, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "rx_count 200"));
    uart.rx_count = 0;
    teardown();
}

static void test_isa_serial_takes_standard_places(void)
{
    Device *first = device_new(&isa_serial_type), *second = device_new(&isa_serial_type);

    test_realize(first);
    test_realize(second);
    g_assert_cmphex(isa_serial_present(test_bus), ==, 3);
    g_assert_cmphex(inb(0x3f8 + UART_LSR), ==, LSR_THRE | LSR_TEMT);
    lines_clear();
    outb(0x2f8 + UART_IER, IER_ETBEI);
    g_assert_true(lines[3].level);
    test_remove(second);
    g_assert_false(lines[3].level);
    g_assert_cmphex(inb(0x2f8 + UART_LSR), ==, 0xff);
    test_remove(first);
    g_assert_cmphex(isa_serial_present(test_bus), ==, 0);
}

static void assert_isa_serial_refused(const char *prop, unsigned value, const char *message)
{
    g_autoptr(Error) err = NULL;
    Device *dev = device_new(&isa_serial_type);

    g_assert_true(object_property_set_uint(dev, prop, value, &error_abort));
    g_assert_false(device_realize_and_unref(dev, &test_bus->bus, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), message));
}

static void test_isa_serial_refuses_bad_places(void)
{
    assert_isa_serial_refused("index", 4, "at most 4 serial ports");
    assert_isa_serial_refused("irq", 16, "interrupt line 16");
    assert_isa_serial_refused("iobase", 0xfffc, "64 KiB port space");
    g_assert_cmphex(isa_serial_present(test_bus), ==, 0);
}

static void test_debugcon_passes_bytes_and_reads_back(void)
{
    Device *dev = device_new(&isa_debugcon_type);
    SinkChardev *s = sink_new(3);

    object_add_child(object_container("/chardevs"), "dbg", s);
    g_assert_true(object_property_set_str(dev, "chardev", "dbg", &error_abort));
    test_realize(dev);
    g_assert_cmphex(inb(0xe9), ==, 0xe9);
    for (const char *p = "debug text"; *p; p++) {
        outb(0xe9, *p);
    }
    g_assert_cmpstr(sink_text(s), ==, "deb");
    sink_set_room(s, 100);
    g_assert_cmpstr(sink_text(s), ==, "debug text");
    sink_set_room(s, 0);
    for (unsigned i = 0; i < 10000; i++) {              /* more than its buffer: dropped, not grown */
        outb(0xe9, 'x');
    }
    test_remove(dev);
    object_unparent(s);
    object_unref(s);
}

void add_serial_tests(void)
{
    g_test_add_func("/serial/reset-values", test_reset_values);
    g_test_add_func("/serial/reserved-bits", test_reserved_bits_read_zero);
    g_test_add_func("/serial/dlab", test_dlab_shows_divisor);
    g_test_add_func("/serial/probes-as-16550a", test_probes_as_16550a);
    g_test_add_func("/serial/thre-life", test_thre_interrupt_life);
    g_test_add_func("/serial/thre-edges", test_thre_each_write_is_an_edge);
    g_test_add_func("/serial/rx-without-fifo", test_rx_without_fifo);
    g_test_add_func("/serial/overrun-without-fifo", test_overrun_without_fifo_replaces_byte);
    g_test_add_func("/serial/fifo-overrun", test_fifo_overrun_sets_lsr_oe);
    g_test_add_func("/serial/trigger-levels", test_trigger_levels);
    g_test_add_func("/serial/timeout", test_timeout_interrupt);
    g_test_add_func("/serial/break", test_break_is_a_zero_with_bi);
    g_test_add_func("/serial/loopback", test_loopback_returns_data_and_keeps_the_wire_quiet);
    g_test_add_func("/serial/modem-deltas", test_modem_deltas_interrupt);
    g_test_add_func("/serial/full-back-end", test_full_back_end_delays_but_loses_nothing);
    g_test_add_func("/serial/stuck-back-end", test_stuck_back_end_does_not_hold_the_guest);
    g_test_add_func("/serial/fcr-clears", test_fcr_clears);
    g_test_add_func("/serial/hostile-state", test_hostile_state_is_refused);
    g_test_add_func("/serial/isa-places", test_isa_serial_takes_standard_places);
    g_test_add_func("/serial/isa-bad-places", test_isa_serial_refuses_bad_places);
    g_test_add_func("/serial/debugcon", test_debugcon_passes_bytes_and_reads_back);
}
