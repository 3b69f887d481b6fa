/* fw_cfg and pvpanic. */
#include "lib/fw-cfg.h"

static void test_fw_cfg_tells_of_the_machine(void)
{
    QTest *q = qtest_start("-machine pc -m 64 -smp 3 -fw_cfg name=opt/org.test/hello,string=world");
    uint16_t cpus = 0, key;
    uint64_t ram = 0;
    uint32_t id = 0, size;
    char signature[4], text[5], by_dma[5];

    fw_cfg_read(q, FW_CFG_SIGNATURE, signature, 4);
    g_assert_cmpmem(signature, 4, "QEMU", 4);
    fw_cfg_read(q, FW_CFG_ID, &id, 4);
    g_assert_cmphex(id, ==, 3);                             /* traditional interface and DMA */
    fw_cfg_read(q, FW_CFG_NB_CPUS, &cpus, 2);
    g_assert_cmpuint(cpus, ==, 3);
    fw_cfg_read(q, FW_CFG_RAM_SIZE, &ram, 8);
    g_assert_cmpuint(ram, ==, 64 * MiB);
    g_assert_true(fw_cfg_find(q, "opt/org.test/hello", &key, &size));
    g_assert_cmpuint(size, ==, 5);
    fw_cfg_read(q, key, text, 5);
    g_assert_cmpmem(text, 5, "world", 5);
    g_assert_true(fw_cfg_read_dma(q, key, by_dma, 5));
    g_assert_cmpmem(by_dma, 5, "world", 5);
    qtest_stop(q);
}

static void test_fw_cfg_reads_zero_past_the_end(void)
{
    QTest *q = qtest_start("-machine pc -m 64");
    uint8_t past[8], none[4] = { 1, 1, 1, 1 };

    fw_cfg_read(q, FW_CFG_SIGNATURE, past, 8);
    g_assert_cmpmem(past + 4, 4, "\0\0\0\0", 4);
    fw_cfg_read(q, 0x3ffe, none, 4);
    g_assert_cmpmem(none, 4, "\0\0\0\0", 4);
    qtest_stop(q);
}

static void test_pvpanic_reports(void)
{
    QTest *q = qtest_start("-machine pc -device pvpanic -action panic=pause");
    g_autofree char *event = NULL, *status = NULL;

    g_assert_cmphex(qtest_inb(q, 0x505) & 3, ==, 3);
    qtest_outb(q, 0x505, 1);
    event = qtest_qmp_event(q, "GUEST_PANICKED");
    g_assert_nonnull(strstr(event, "\"pause\""));
    g_free(qtest_qmp_event(q, "STOP"));
    status = qtest_qmp(q, "{'execute': 'query-status'}");
    g_assert_nonnull(strstr(status, "guest-panicked"));
    qtest_stop(q);
}

/* Every table but FACS has the OEM's names, filled up with spaces. */
static void test_acpi_tables_have_the_oem_given(void)
{
    QTest *q = qtest_start("-machine q35,x-oem-id=ABC,x-oem-table-id=DEFG");
    g_autofree uint8_t *data = NULL;
    unsigned n = 0;
    uint32_t size;
    uint16_t key;

    g_assert_true(fw_cfg_find(q, "etc/acpi/tables", &key, &size));
    data = g_malloc(size);
    fw_cfg_read(q, key, data, size);
    for (uint32_t at = 0; at + 36 <= size; at += 16) {
        if (!memcmp(data + at, "DSDT", 4) || !memcmp(data + at, "APIC", 4) || !memcmp(data + at, "FACP", 4)) {
            g_assert_cmpint(memcmp(data + at + 10, "ABC   DEFG    ", 14), ==, 0);
            n++;
        }
    }
    g_assert_cmpuint(n, ==, 3);
    qtest_stop(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fw-cfg/machine", test_fw_cfg_tells_of_the_machine);
    g_test_add_func("/fw-cfg/end", test_fw_cfg_reads_zero_past_the_end);
    g_test_add_func("/pvpanic/report", test_pvpanic_reports);
    g_test_add_func("/acpi/oem", test_acpi_tables_have_the_oem_given);
    return g_test_run();
}
