/* Display adapters: whatever mode the guest sets, pictures stay within what the ledger says. */
#include "lib/qtest.h"

#include <glib/gstdio.h>
#include <unistd.h>

enum { VBE_INDEX = 0x1ce, VBE_DATA = 0x1d0, ATTR = 0x3c0, STATUS1 = 0x3da };
enum { XRES = 1, YRES = 2, BPP = 3, ENABLE = 4 };

static void vbe(QTest *q, unsigned index, uint16_t value)
{
    qtest_out(q, VBE_INDEX, 2, index);
    qtest_out(q, VBE_DATA, 2, value);
}

static void set_mode(QTest *q, unsigned width, unsigned height, unsigned bpp)
{
    vbe(q, ENABLE, 0);
    vbe(q, XRES, (uint16_t)width);
    vbe(q, YRES, (uint16_t)height);
    vbe(q, BPP, (uint16_t)bpp);
    vbe(q, ENABLE, 0x41);
    qtest_in(q, STATUS1, 1);
    qtest_outb(q, ATTR, 0x20);              /* the screen is on */
}

/* The size of a screenshot, as "WIDTH HEIGHT". */
static char *picture_size(QTest *q)
{
    g_autofree char *path = NULL, *json = NULL, *reply = NULL;
    char head[64] = "";
    unsigned width, height;
    int fd = g_file_open_tmp("qtest-picture-XXXXXX", &path, NULL);
    FILE *f;

    close(fd);
    json = g_strdup_printf("{'execute':'screendump','arguments':{'filename':'%s'}}", path);
    reply = qtest_qmp(q, json);
    g_assert_nonnull(strstr(reply, "\"return\""));
    f = fopen(path, "rb");
    g_assert_cmpuint(fread(head, 1, sizeof(head) - 1, f), >, 16);
    g_assert_cmpint(sscanf(head, "P6\n%u %u", &width, &height), ==, 2);
    fclose(f);
    g_unlink(path);
    return g_strdup_printf("%u %u", width, height);
}

/* Of the ledger's account: "bound" or "present". */
static uint64_t account(QTest *q, const char *name, const char *field)
{
    g_autofree char *reply = qtest_qmp(q, "{'execute':'query-memory-ledger'}"), *wanted = g_strdup_printf("\"%s\": ", field);
    const char *start = strstr(reply, name), *end;

    g_assert_nonnull(start);
    end = strchr(start, '}');
    while (start > reply && *start != '{') {
        start--;
    }
    start = strstr(start, wanted);
    g_assert_true(start && start < end);
    return g_ascii_strtoull(start + strlen(wanted), NULL, 10);
}

static void check(const char *device, uint64_t bound, const uint16_t (*modes)[5], size_t n)
{
    QTest *q = qtest_start("-machine q35 -m 64M -device %s", device);

    g_assert_cmpuint(account(q, "display/surfaces", "bound"), ==, bound);
    for (size_t i = 0; i < n; i++) {
        const uint16_t *m = modes[i];
        g_autofree char *want = g_strdup_printf("%u %u", m[0], m[1]), *got = NULL;

        set_mode(q, m[0], m[1], m[2]);
        got = picture_size(q);
        g_test_message("%s at %u bits: %s", want, m[2], got);
        g_assert_cmpint(!strcmp(want, got), ==, m[3]);
        g_assert_cmpuint(account(q, "display/surfaces", "present"), <=, bound);
        if (m[3]) {
            g_assert_cmpuint(account(q, "display/surfaces", "present"), >=, (uint64_t)m[4] * m[1] * 4);
        }
    }
    qtest_stop(q);
}

static void test_vga_pictures_are_bounded(void)
{
    static const uint16_t modes[][5] = {        /* width, height, bits, shown?, pixels of a row that must be in memory */
        { 2560, 1600, 32, true, 2560 }, { 3840, 2160, 16, true, 3840 }, { 640, 480, 32, true, 640 }, { 4096, 2048, 8, true, 4096 },
        { 8192, 4096, 4, false }, { 16000, 2096, 4, false }, { 4096, 4096, 8, false }, { 4096, 2048, 15, true, 4096 },
        { 640, 480, 32, true, 640 },
    };

    check("VGA", 32 * MiB, modes, G_N_ELEMENTS(modes));
}

static void test_a_small_adapter_has_the_least_bound(void)
{
    static const uint16_t modes[][5] = { { 640, 400, 32, true, 640 }, { 1024, 1024, 8, true, 1024 }, { 4096, 512, 4, true, 4096 } };

    check("VGA,vgamem_mb=1", 8 * MiB, modes, G_N_ELEMENTS(modes));
}

/* When a large picture went, so has its memory. */
static void test_a_smaller_picture_gives_memory_back(void)
{
    QTest *q = qtest_start("-machine q35 -m 64M -device VGA");

    set_mode(q, 2560, 1600, 32);
    g_free(picture_size(q));
    g_assert_cmpuint(account(q, "display/surfaces", "present"), >=, 2560 * 1600 * 4);
    set_mode(q, 320, 200, 32);
    g_free(picture_size(q));
    g_assert_cmpuint(account(q, "display/surfaces", "present"), <=, 320 * 200 * 4 + 4096);
    qtest_stop(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/display/vga-bound", test_vga_pictures_are_bounded);
    g_test_add_func("/display/least-bound", test_a_small_adapter_has_the_least_bound);
    g_test_add_func("/display/gives-back", test_a_smaller_picture_gives_memory_back);
    return g_test_run();
}
