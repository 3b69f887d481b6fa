/* The qtest protocol itself: replies, refusals, time. */
#include "lib/qtest.h"

static void assert_reply(QTest *q, const char *command, const char *expected)
{
    g_autofree char *reply = qtest_ask(q, "%s", command);

    if (strcmp(reply, expected)) {
        g_error("'%s' was answered by '%s', not '%s'", command, reply, expected);
    }
}

static void test_replies_have_qemus_form(void)
{
    static const char *const talk[][2] = {
        { "endianness", "OK little" },
        { "write 0x1000 6 0x123456", "OK" },
        { "read 0x1000 6", "OK 0x123456000000" },
        { "write 0x1000 1 0xabcdef", "OK" },
        { "read 0x1000 2", "OK 0xab34" },
        { "write 0x1000 1 ab", "ERR invalid argument size" },
        { "writel 4096 0xdeadbeef", "OK" },
        { "readb 0x1000", "OK 0x00000000000000ef" },
        { "readw 0x1000", "OK 0x000000000000beef" },
        { "readl 010000", "OK 0x00000000deadbeef" },
        { "writeq 0x1000 0x0123456789abcdef", "OK" },
        { "readq 0x1000", "OK 0x0123456789abcdef" },
        { "b64write 0x1000 4 AQIDBA==", "OK" },
        { "b64read 0x1000 4", "OK AQIDBA==" },
        { "memset 0x1001 2 0x55", "OK" },
        { "read 0x1000 4", "OK 0x01555504" },
        { "read 0x1000 0", "OK 0x" },
        { "outl 0xcf8 0x80000000", "OK" },
        { "inl 0xcfc", "OK 0x29c08086" },
        { "inb 0xcfd", "OK 0x0080" },
        { "module_load hw- nothing", "FAIL" },
    };
    QTest *q = qtest_start("-machine q35");

    for (unsigned i = 0; i < G_N_ELEMENTS(talk); i++) {
        assert_reply(q, talk[i][0], talk[i][1]);
    }
    qtest_stop(q);
}

static void test_nonsense_is_refused(void)
{
    static const char *const bad[] = {
        "", "foo", "Readb 0", "readb", "readb x", "readb 0x10000000000000000", "readb -1", "inb 0x10000", "outb 1", "outb 1 x",
        "read 0 0x10000000", "memset 0 x 1", "memset 0 0x100000000 1", "b64write 0 1", "irq_intercept_in", "irq_intercept_in /nobody",
        "irq_intercept_in /machine", "irq_intercept_out ioapic", "set_irq_in ioapic unnamed-gpio-in 24 1", "set_irq_in ioapic x 0 1",
        "set_irq_in ioapic unnamed-gpio-in x 1", "clock_set", "clock_step x", "rtas", "module_load",
    };
    QTest *q = qtest_start("-machine q35");

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *reply = qtest_ask(q, "%s", bad[i]);

        if (!g_str_has_prefix(reply, "FAIL ")) {
            g_error("'%s' was answered by '%s'", bad[i], reply);
        }
    }
    assert_reply(q, "rtas", "FAIL Unknown command 'rtas'");
    qtest_stop(q);
}

static void test_time_stands_still_but_for_steps(void)
{
    QTest *q = qtest_start("-machine none");

    assert_reply(q, "clock_step", "FAIL 0");        /* no timer to go to */
    assert_reply(q, "clock_step 1000", "OK 1000");
    g_usleep(2000);
    assert_reply(q, "clock_step 1", "OK 1001");
    assert_reply(q, "clock_step 0", "FAIL 1001");
    assert_reply(q, "clock_set 5000", "OK 5000");
    assert_reply(q, "clock_set 4000", "FAIL 5000");
    qtest_stop(q);
}

static void test_big_data_goes_through(void)
{
    size_t len = 4 * MiB;
    g_autofree uint8_t *a = g_malloc(len), *b = g_malloc(len);
    QTest *q = qtest_start("-machine q35 -m 64");

    for (size_t i = 0; i < len; i++) {
        a[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    qtest_memwrite(q, 32 * MiB, a, len);
    qtest_memread(q, 32 * MiB, b, len);
    g_assert_cmpmem(a, len, b, len);
    qtest_stop(q);
}

/* 100,000 commands a second is what harnesses count on; sanitizers and a loaded host get ten seconds. */
static void test_many_commands(void)
{
    int64_t start = g_get_monotonic_time();
    QTest *q = qtest_start("-machine q35");

    for (unsigned i = 0; i < 5000; i++) {
        qtest_write(q, 0x1000 + i % 100 * 4, 4, i);
    }
    g_assert_cmpuint(qtest_read(q, 0x1000 + 99 * 4, 4), ==, 4999);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 10000000);
    qtest_stop(q);
}

static void test_qmp_goes_beside(void)
{
    QTest *q = qtest_start("-machine q35");
    g_autofree char *status = qtest_qmp(q, "{'execute': 'query-status'}"), *reply = qtest_qmp(q, "{'execute': 'stop'}");
    g_autofree char *event = qtest_qmp_event(q, "STOP");

    g_assert_nonnull(strstr(status, "\"running\": true"));
    g_assert_nonnull(strstr(reply, "\"return\": {}"));
    g_assert_nonnull(event);
    qtest_stop(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/protocol/replies", test_replies_have_qemus_form);
    g_test_add_func("/protocol/nonsense", test_nonsense_is_refused);
    g_test_add_func("/protocol/time", test_time_stands_still_but_for_steps);
    g_test_add_func("/protocol/big-data", test_big_data_goes_through);
    g_test_add_func("/protocol/many-commands", test_many_commands);
    g_test_add_func("/protocol/qmp", test_qmp_goes_beside);
    return g_test_run();
}
