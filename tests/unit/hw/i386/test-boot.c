/*
 * Boot loaders: well-formed images land where the protocols say; malformed ones are refused with their name; nothing
 * that a file holds crashes a loader or makes it place anything outside RAM.
 */
#include "hw/i386/boot-image.h"
#include "tests.h"

#include <glib/gstdio.h>

#define RAM_TOP (256 * MiB)

static E820Map map;
static char *dir;

static char *path_of(const char *name)
{
    return g_build_filename(dir, name, NULL);
}

static char *write_file(const char *name, const void *data, size_t len)
{
    char *path = path_of(name);

    g_assert_true(g_file_set_contents(path, data, (gssize)len, NULL));
    return path;
}

typedef struct Loaded {
    BootImages images;
    X86BootState st;
    bool ok;
    char *error;
} Loaded;

static void load(Loaded *l, const char *kernel, const char *initrd, const char *append)
{
    BootTarget t = { .e820 = &map, .below_4g = RAM_TOP, .rsdp = 0xe0000, .kernel = kernel, .initrd = initrd, .append = append };
    Error *err = NULL;

    memset(l, 0, sizeof(*l));
    boot_images_init(&l->images);
    l->ok = boot_load(&t, &l->images, &l->st, &err);
    g_assert_true(l->ok == !err);
    l->error = err ? g_strdup(error_get_pretty(err)) : NULL;
    g_clear_pointer(&err, error_free);
}

static void unload(Loaded *l)
{
    boot_images_fini(&l->images);
    g_free(l->error);
}

/* The image called @what; NULL if there is none. */
static const BootImage *image(const Loaded *l, const char *what)
{
    for (unsigned i = 0; i < l->images.images->len; i++) {
        const BootImage *im = &g_array_index(l->images.images, BootImage, i);

        if (strcmp(im->what, what) == 0) {
            return im;
        }
    }
    return NULL;
}

static void assert_refused(const char *name, const void *data, size_t len, const char *message)
{
    g_autofree char *path = write_file(name, data, len);
    Loaded l;

    load(&l, path, NULL, NULL);
    g_assert_false(l.ok);
    if (!strstr(l.error, message) || !strstr(l.error, name)) {
        g_error("'%s' should name '%s' and say '%s'", l.error, name, message);
    }
    g_assert_null(strchr(l.error, '\n'));
    unload(&l);
}

/* --- images --- */

enum { BZ_SIZE = 5 * 512 + 8192 };

/* A bzImage of protocol 2.15 with four setup sectors, relocatable, 64-bit entry, preferring 16 MiB. */
static uint8_t *make_bzimage(void)
{
    uint8_t *d = g_malloc0(BZ_SIZE);

    d[0x1f1] = 4;
    st32_le(d + 0x1f4, 8192 / 16);
    st16_le(d + 0x1fe, 0xaa55);
    d[0x201] = 0x6a;
    memcpy(d + 0x202, "HdrS", 4);
    st16_le(d + 0x206, 0x20f);
    d[0x211] = 1;
    st32_le(d + 0x22c, 0x7fffffff);
    d[0x234] = 1;
    st16_le(d + 0x236, 1);
    st32_le(d + 0x238, 2047);
    st64_le(d + 0x258, 16 * MiB);
    st32_le(d + 0x260, 32 * MiB);
    return d;
}

enum { ELF_SIZE = 0x1000 };

/* An ELF64 with one segment at 1 MiB and a PVH note (32-bit entry 0x100010). */
static uint8_t *make_pvh(void)
{
    uint8_t *d = g_malloc0(ELF_SIZE), *ph = d + 64, *note = d + 0x200;

    memcpy(d, "\177ELF\2\1\1", 7);
    st16_le(d + 16, 2);
    st16_le(d + 18, 62);
    st64_le(d + 24, 0x100000);
    st64_le(d + 32, 64);
    st16_le(d + 54, 56);
    st16_le(d + 56, 2);
    st32_le(ph, 1);
    st64_le(ph + 8, 0x400);
    st64_le(ph + 16, 0x100000);
    st64_le(ph + 24, 0x100000);
    st64_le(ph + 32, 0xc00);
    st64_le(ph + 40, 0x2000);
    ph += 56;
    st32_le(ph, 4);
    st64_le(ph + 8, 0x200);
    st64_le(ph + 32, 20);
    st32_le(note, 4);
    st32_le(note + 4, 4);
    st32_le(note + 8, 18);
    memcpy(note + 12, "Xen", 4);
    st32_le(note + 16, 0x100010);
    return d;
}

enum { MB_SIZE = 0x800 };

/* Multiboot with address fields: loaded at 2 MiB, entry 0x200040, bss to 0x201000. */
static uint8_t *make_multiboot(void)
{
    uint8_t *d = g_malloc0(MB_SIZE), *h = d + 0x20;

    st32_le(h, 0x1badb002);
    st32_le(h + 4, 0x10003);
    st32_le(h + 8, -(0x1badb002u + 0x10003u));
    st32_le(h + 12, 0x200020);
    st32_le(h + 16, 0x200000);
    st32_le(h + 20, 0);
    st32_le(h + 24, 0x201000);
    st32_le(h + 28, 0x200040);
    return d;
}

/* --- tests --- */

static void test_linux_lands_where_it_asks(void)
{
    g_autofree uint8_t *d = make_bzimage();
    g_autofree char *path = write_file("bz", d, BZ_SIZE), *initrd = write_file("rd", "initrd!", 7);
    const BootImage *im;
    Loaded l;

    load(&l, path, initrd, "console=ttyS0");
    g_assert_true(l.ok);
    g_assert_true(l.st.long_mode);
    g_assert_cmphex(l.st.entry, ==, 16 * MiB + 0x200);
    g_assert_cmphex(l.st.rsi, ==, BOOT_PARAMS_ADDR);
    g_assert_cmphex(l.st.cr3, ==, BOOT_PAGE_TABLE_ADDR);
    im = image(&l, "kernel");
    g_assert_cmphex(im->addr, ==, 16 * MiB);
    g_assert_cmpuint(im->len, ==, 8192);
    im = image(&l, "initrd");
    g_assert_cmphex(im->addr, ==, RAM_TOP - 4096);
    im = image(&l, "zero page");
    g_assert_cmphex(ld32_le(im->data + 0x218), ==, RAM_TOP - 4096);
    g_assert_cmpuint(ld32_le(im->data + 0x21c), ==, 7);
    g_assert_cmphex(ld32_le(im->data + 0x228), ==, BOOT_CMDLINE_ADDR);
    g_assert_cmphex(ld64_le(im->data + 0x70), ==, 0xe0000);
    g_assert_cmpuint(im->data[0x1e8], ==, map.n);
    g_assert_cmpuint(im->data[0x210], ==, 0xff);
    im = image(&l, "command line");
    g_assert_cmpstr((const char *)im->data, ==, "console=ttyS0");
    unload(&l);
}

static void test_linux_without_64_bit_entry(void)
{
    g_autofree uint8_t *d = make_bzimage();
    g_autofree char *path = NULL;
    Loaded l;

    st16_le(d + 0x236, 0);
    path = write_file("bz32", d, BZ_SIZE);
    load(&l, path, NULL, NULL);
    g_assert_true(l.ok);
    g_assert_false(l.st.long_mode);
    g_assert_cmphex(l.st.entry, ==, MiB);
    unload(&l);
}

static void test_linux_refusals(void)
{
    g_autofree uint8_t *d = make_bzimage();
    g_autofree char *path = write_file("bz", d, BZ_SIZE), *big = path_of("big");
    g_autofree char *longline = g_strnfill(2048, 'x');
    Loaded l;

    assert_refused("cut", d, 0x270, "truncated");
    assert_refused("cut2", d, 4 * 512, "truncated");
    assert_refused("cut3", d, BZ_SIZE - 100, "truncated");
    d[0x206] = 3;
    d[0x207] = 2;
    assert_refused("old", d, BZ_SIZE, "too old");
    d[0x206] = 0xf;
    st32_le(d + 0x260, 0xf0000000);
    assert_refused("huge", d, BZ_SIZE, "-m");

    load(&l, path, NULL, longline);
    g_assert_false(l.ok);
    g_assert_nonnull(strstr(l.error, "2047"));
    unload(&l);
    load(&l, path, "/nonexistent/initrd", NULL);
    g_assert_false(l.ok);
    g_assert_nonnull(strstr(l.error, "/nonexistent/initrd"));
    unload(&l);
    g_assert_true(g_file_set_contents(big, "x", 1, NULL));
    g_assert_cmpint(truncate(big, 300 * MiB), ==, 0);
    load(&l, path, big, NULL);
    g_assert_false(l.ok);
    g_assert_nonnull(strstr(l.error, "does not fit"));
    unload(&l);
    load(&l, dir, NULL, NULL);
    g_assert_nonnull(strstr(l.error, "not a regular file"));
    unload(&l);
}

static void test_pvh_enters_by_its_note(void)
{
    g_autofree uint8_t *d = make_pvh();
    g_autofree char *path = write_file("pvh", d, ELF_SIZE), *initrd = write_file("rd", "initrd!", 7);
    const BootImage *im;
    Loaded l;

    load(&l, path, initrd, "a b");
    g_assert_true(l.ok);
    g_assert_false(l.st.long_mode);
    g_assert_cmphex(l.st.entry, ==, 0x100010);
    g_assert_cmphex(l.st.rbx, ==, BOOT_PARAMS_ADDR);
    im = image(&l, "PVH start info");
    g_assert_cmphex(ld32_le(im->data), ==, 0x336ec578);
    g_assert_cmpuint(ld32_le(im->data + 12), ==, 1);
    g_assert_cmphex(ld64_le(im->data + 32), ==, 0xe0000);
    g_assert_cmpuint(ld32_le(im->data + 48), ==, map.n);
    im = image(&l, "PVH memory map");
    g_assert_cmpuint(ld64_le(im->data + 8), ==, 7);
    unload(&l);

    st64_le(d + 64 + 40, 4 * GiB);
    assert_refused("big", d, ELF_SIZE, "RAM");
    st64_le(d + 64 + 40, 0x2000);
    st64_le(d + 64 + 24, 0x7000);
    assert_refused("low", d, ELF_SIZE, "outside its segments");
    st64_le(d + 64 + 24, 0x100000);
    st64_le(d + 64 + 32, 0x5000);
    assert_refused("cut", d, ELF_SIZE, "truncated");
    st64_le(d + 64 + 32, 0xc00);
    st32_le(d + 0x208, 19);
    assert_refused("noteless", d, ELF_SIZE, "PVH entry point");
    st16_le(d + 18, 183);
    assert_refused("arm", d, ELF_SIZE, "another architecture");
    assert_refused("short", d, 20, "truncated");
}

static void test_multiboot_places_modules(void)
{
    g_autofree uint8_t *d = make_multiboot();
    g_autofree char *path = write_file("mb", d, MB_SIZE), *m1 = write_file("m1", "one", 3), *m2 = write_file("m2", "second", 6);
    g_autofree char *mods = g_strdup_printf("%s arg,%s", m1, m2), *expected = g_strdup_printf("%s hello", path);
    const BootImage *info, *lists;
    uint32_t at;
    Loaded l;

    load(&l, path, mods, "hello");
    g_assert_true(l.ok);
    g_assert_cmphex(l.st.entry, ==, 0x200040);
    g_assert_cmphex(l.st.rax, ==, 0x2badb002);
    g_assert_cmphex(l.st.rbx, ==, BOOT_PARAMS_ADDR);
    info = image(&l, "Multiboot information");
    lists = image(&l, "Multiboot lists");
    g_assert_cmpuint(ld32_le(info->data + 20), ==, 2);
    at = ld32_le(info->data + 24) - BOOT_INFO_ADDR;
    g_assert_cmphex(ld32_le(lists->data + at), ==, 0x201000);
    g_assert_cmphex(ld32_le(lists->data + at + 4), ==, 0x201003);
    g_assert_cmphex(ld32_le(lists->data + at + 16), ==, 0x202000);
    g_assert_true(g_str_has_suffix((const char *)lists->data + ld32_le(lists->data + at + 8) - BOOT_INFO_ADDR, "m1 arg"));
    g_assert_cmpstr((const char *)image(&l, "command line")->data, ==, expected);
    unload(&l);

    st32_le(d + 0x20 + 16, 0x200024);
    assert_refused("hdr", d, MB_SIZE, "load address");
    st32_le(d + 0x20 + 16, 0x200000);
    st32_le(d + 0x20 + 20, 0x300000);
    assert_refused("cut", d, MB_SIZE, "truncated");
    st32_le(d + 0x20 + 20, 0x100000);
    assert_refused("neg", d, MB_SIZE, "below its start");
    st32_le(d + 0x20 + 20, 0);
    st32_le(d + 0x20 + 28, 0xf0000000);
    assert_refused("entry", d, MB_SIZE, "entry point");
}

static void test_files_of_no_format(void)
{
    g_autofree uint8_t *zero = g_malloc0(4096);

    assert_refused("zero", zero, 4096, "neither");
    assert_refused("tiny", "x", 1, "neither");
    assert_refused("empty", "", 0, "empty");
    st16_le(zero + 0x1fe, 0xaa55);
    assert_refused("sector", zero, 4096, "boot sector");
    assert_refused("gzip", "\037\213\010", 3, "neither");
}

/* Whatever a loader accepts lies in RAM. */
static void assert_in_ram(const Loaded *l)
{
    for (unsigned i = 0; i < l->images.images->len; i++) {
        const BootImage *im = &g_array_index(l->images.images, BootImage, i);

        g_assert_true(e820_is_ram(&map, im->addr, im->len));
    }
}

static void test_mutations(void)
{
    static const struct { uint8_t *(*make)(void); size_t size, hot; } kinds[] = {
        { make_bzimage, BZ_SIZE, 0x290 }, { make_pvh, ELF_SIZE, 0x240 }, { make_multiboot, MB_SIZE, 0x60 },
    };
    g_autoptr(GRand) rnd = g_rand_new_with_seed(3);
    g_autofree char *initrd = write_file("rd", "initrd!", 7);

    for (unsigned i = 0; i < 3000; i++) {
        unsigned k = i % ARRAY_SIZE(kinds), n = (unsigned)g_rand_int_range(rnd, 1, 6);
        g_autofree uint8_t *d = kinds[k].make();
        size_t size = kinds[k].size;
        g_autofree char *path = NULL;
        Loaded l;

        while (n--) {
            static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff };
            size_t at = (size_t)g_rand_int_range(rnd, 0, (gint32)kinds[k].hot);

            d[at] = g_rand_boolean(rnd) ? edges[g_rand_int_range(rnd, 0, ARRAY_SIZE(edges))] : (uint8_t)g_rand_int(rnd);
        }
        if (i % 5 == 0) {
            size = (size_t)g_rand_int_range(rnd, 1, (gint32)size);
        }
        path = write_file("fuzz", d, size);
        load(&l, path, initrd, "x");
        if (l.ok) {
            assert_in_ram(&l);
        }
        unload(&l);
    }
}

static void remove_dir(void)
{
    const char *name;
    GDir *d = g_dir_open(dir, 0, NULL);

    while ((name = g_dir_read_name(d))) {
        g_autofree char *path = path_of(name);

        g_unlink(path);
    }
    g_dir_close(d);
    g_rmdir(dir);
}

static void test_cleanup(void)
{
    remove_dir();
    g_free(dir);
}

void add_boot_tests(void)
{
    dir = g_dir_make_tmp("quern-boot-XXXXXX", NULL);
    e820_add(&map, 0, 0x9fc00, E820_RAM);
    e820_add(&map, 0xe0000, 0x20000, E820_RESERVED);
    e820_add(&map, MiB, RAM_TOP - MiB, E820_RAM);
    g_test_add_func("/i386/boot/linux-lands-where-it-asks", test_linux_lands_where_it_asks);
    g_test_add_func("/i386/boot/linux-without-64-bit-entry", test_linux_without_64_bit_entry);
    g_test_add_func("/i386/boot/linux-refusals", test_linux_refusals);
    g_test_add_func("/i386/boot/pvh-enters-by-its-note", test_pvh_enters_by_its_note);
    g_test_add_func("/i386/boot/multiboot-places-modules", test_multiboot_places_modules);
    g_test_add_func("/i386/boot/files-of-no-format", test_files_of_no_format);
    g_test_add_func("/i386/boot/mutations", test_mutations);
    g_test_add_func("/i386/boot/cleanup", test_cleanup);
}
