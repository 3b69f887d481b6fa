/* vmcoreinfo: the guest tells where its note is, and a dump has it. */
#include "lib/fw-cfg.h"

#include <elf.h>
#include <unistd.h>

enum { PORT_DMA = 0x514, DMA_SELECT = 8, DMA_WRITE = 16 };

static uint64_t write_file(QTest *q, uint16_t key, const void *data, uint32_t len)
{
    uint64_t at = qtest_alloc(q, len, 16), control = qtest_alloc(q, 16, 16);

    qtest_memwrite(q, at, data, len);
    qtest_write(q, control, 4, GUINT32_TO_BE((uint32_t)key << 16 | DMA_SELECT | DMA_WRITE));
    qtest_write(q, control + 4, 4, GUINT32_TO_BE(len));
    qtest_write(q, control + 8, 8, GUINT64_TO_BE(at));
    qtest_out(q, PORT_DMA, 4, GUINT32_TO_BE((uint32_t)(control >> 32)));
    qtest_out(q, PORT_DMA + 4, 4, GUINT32_TO_BE((uint32_t)control));
    return qtest_read(q, control, 4);
}

typedef struct Info {
    uint16_t host_format, guest_format;
    uint32_t size;
    uint64_t address;
} Info;

/* Name and description are padded to four bytes each. */
static const struct {
    Elf64_Nhdr h;
    char name[12], desc[12];
} note = { { 11, 10, 0 }, "VMCOREINFO", "OSRELEASE=" };

static GBytes *dump(QTest *q)
{
    g_autofree char *path = g_strdup_printf("%s/quern-vmcoreinfo-%d", g_get_tmp_dir(), (int)getpid());
    g_autofree char *json = g_strdup_printf("{'execute': 'dump-guest-memory', 'arguments': {'paging': false, 'protocol': 'file:%s',"
                                            " 'begin': 0, 'length': 4096}}", path);
    g_autofree char *reply = qtest_qmp(q, json);
    char *data;
    gsize len;

    g_assert_nonnull(strstr(reply, "\"return\""));
    g_assert_true(g_file_get_contents(path, &data, &len, NULL));
    unlink(path);
    return g_bytes_new_take(data, len);
}

static bool has_note(QTest *q)
{
    g_autoptr(GBytes) bytes = dump(q);
    gsize len;
    const char *data = g_bytes_get_data(bytes, &len);

    return memmem(data, len, &note, sizeof(note)) != NULL;
}

static QTest *start(uint16_t *key)
{
    QTest *q = qtest_start("-machine q35 -m 64 -device vmcoreinfo");
    uint32_t size;

    g_assert_true(fw_cfg_find(q, "etc/vmcoreinfo", key, &size));
    g_assert_cmpuint(size, ==, sizeof(Info));
    return q;
}

static void test_note_gets_into_the_dump(void)
{
    uint16_t key;
    QTest *q = start(&key);
    uint64_t at = qtest_alloc(q, sizeof(note), 4096);
    Info info = { 0, 1, sizeof(note), at };
    uint16_t host_format;

    fw_cfg_read(q, key, &host_format, 2);
    g_assert_cmpuint(host_format, ==, 1);
    qtest_memwrite(q, at, &note, sizeof(note));
    g_assert_false(has_note(q));
    g_assert_cmphex(write_file(q, key, &info, sizeof(info)), ==, 0);
    g_assert_true(has_note(q));
    g_free(qtest_qmp(q, "{'execute': 'system_reset'}"));
    g_free(qtest_qmp_event(q, "RESET"));
    g_assert_false(has_note(q));
    qtest_stop(q);
}

static void test_wrong_ones_are_left_out(void)
{
    uint16_t key;
    QTest *q = start(&key);
    uint64_t at = qtest_alloc(q, 4096, 4096);
    const Info wrong[] = {
        { 0, 0, sizeof(note), at },                         /* no format */
        { 0, 7, sizeof(note), at },                         /* an unknown one */
        { 0, 1, 4, at },                                    /* smaller than a header */
        { 0, 1, sizeof(note) - 4, at },                     /* cut off */
        { 0, 1, UINT32_MAX, at },                           /* larger than any */
        { 0, 1, sizeof(note), UINT64_MAX - 8 },             /* no memory there */
    };

    qtest_memwrite(q, at, &note, sizeof(note));
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        write_file(q, key, &wrong[i], sizeof(wrong[i]));
        g_assert_false(has_note(q));
    }
    qtest_memset(q, at, 0xff, 12);                          /* a header that says 4 GiB */
    write_file(q, key, &(Info){ 0, 1, sizeof(note), at }, sizeof(Info));
    g_bytes_unref(dump(q));
    qtest_stop(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vmcoreinfo/note-gets-into-the-dump", test_note_gets_into_the_dump);
    g_test_add_func("/vmcoreinfo/wrong-ones-are-left-out", test_wrong_ones_are_left_out);
    return g_test_run();
}
