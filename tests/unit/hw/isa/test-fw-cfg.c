/*
 * fw_cfg: items, directory, ports, DMA with well-formed and hostile descriptors, MMIO flavour.
 */
#include "harness.h"
#include "hw/nvram/fw_cfg.h"

enum { ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };

#define DESC    0x1000
#define BUFFER  0x2000
#define MMIO    0xfec10000u

static FwCfg *fw;

static void setup(void)
{
    fw = fw_cfg_io_create(system_io(), FW_CFG_IO_BASE, &address_space_memory);
    device_reset(DEVICE(fw), RESET_COLD);
}

static void teardown(void)
{
    test_remove(DEVICE(fw));
}

static void mem_write(hwaddr at, const void *data, size_t len)
{
    g_assert_cmpint(address_space_write(&address_space_memory, at, MEMTXATTRS_UNSPECIFIED, data, len), ==, MEMTX_OK);
}

static void mem_read(hwaddr at, void *data, size_t len)
{
    g_assert_cmpint(address_space_read(&address_space_memory, at, MEMTXATTRS_UNSPECIFIED, data, len), ==, MEMTX_OK);
}

/* Runs one request with its descriptor at @at; returns the status word. */
static uint32_t dma_at(hwaddr at, uint32_t control, uint32_t len, uint64_t addr)
{
    uint8_t d[16];

    st32_be(d, control);
    st32_be(d + 4, len);
    st64_be(d + 8, addr);
    mem_write(at, d, sizeof(d));
    outl(0x514, GUINT32_TO_BE(at >> 32));
    outl(0x518, GUINT32_TO_BE(at));
    mem_read(at, d, 4);
    return ld32_be(d);
}

static uint32_t dma(uint32_t control, uint32_t len, uint64_t addr)
{
    return dma_at(DESC, control, len, addr);
}

static void test_signature_and_id(void)
{
    setup();
    outw(0x510, FW_CFG_SIGNATURE);
    g_assert_cmpint(inb(0x511), ==, 'Q');
    g_assert_cmpint(inb(0x511), ==, 'E');
    g_assert_cmpint(inb(0x511), ==, 'M');
    g_assert_cmpint(inb(0x511), ==, 'U');
    g_assert_cmpint(inb(0x511), ==, 0);         /* beyond the end */
    outw(0x510, FW_CFG_ID);
    g_assert_cmphex(inb(0x511), ==, 3);
    g_assert_cmphex(GUINT32_FROM_BE(inl(0x514)), ==, 0x51454d55);
    g_assert_cmphex(GUINT32_FROM_BE(inl(0x518)), ==, 0x20434647);
    teardown();
}

static void test_items(void)
{
    setup();
    fw_cfg_add_i16(fw, FW_CFG_NB_CPUS, 0x0102);
    fw_cfg_add_i64(fw, FW_CFG_RAM_SIZE, 0x1122334455667788);
    fw_cfg_add_string(fw, FW_CFG_CMDLINE_DATA, "hi");
    fw_cfg_add_i32(fw, FW_CFG_IRQ0_OVERRIDE, 1);
    outw(0x510, FW_CFG_NB_CPUS);
    g_assert_cmphex(inb(0x511), ==, 0x02);
    g_assert_cmphex(inb(0x511), ==, 0x01);
    fw_cfg_modify_i16(fw, FW_CFG_NB_CPUS, 7);
    outw(0x510, FW_CFG_NB_CPUS);
    g_assert_cmphex(inb(0x511), ==, 7);
    outw(0x510, FW_CFG_RAM_SIZE);
    g_assert_cmphex(inb(0x511), ==, 0x88);
    outw(0x510, FW_CFG_CMDLINE_DATA);
    g_assert_cmpint(inb(0x511), ==, 'h');
    outw(0x510, FW_CFG_IRQ0_OVERRIDE);
    g_assert_cmphex(inb(0x511), ==, 1);
    outw(0x510, 2);                             /* architecture bit makes the difference */
    g_assert_cmphex(inb(0x511), ==, 0);
    outw(0x510, 0x7fff);                        /* no such item */
    g_assert_cmphex(inb(0x511), ==, 0);
    teardown();
}

static void assert_dir_entry(uint32_t size, const char *name)
{
    uint8_t e[64];

    for (unsigned i = 0; i < sizeof(e); i++) {
        e[i] = inb(0x511);
    }
    g_assert_cmpuint(ld32_be(e), ==, size);
    g_assert_cmpstr((char *)e + 8, ==, name);
}

static void test_directory_is_sorted(void)
{
    setup();
    g_assert_true(fw_cfg_add_file(fw, "etc/zebra", "zz", 2, &error_abort));
    g_assert_true(fw_cfg_add_file(fw, "bootorder", "", 0, &error_abort));
    g_assert_true(fw_cfg_add_file(fw, "etc/acpi/tables", "abc", 3, &error_abort));
    outw(0x510, FW_CFG_FILE_DIR);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmphex(inb(0x511), ==, 0);
    }
    g_assert_cmphex(inb(0x511), ==, 3);
    assert_dir_entry(0, "bootorder");
    assert_dir_entry(3, "etc/acpi/tables");
    assert_dir_entry(2, "etc/zebra");
    outw(0x510, FW_CFG_FILE_FIRST);             /* first added keeps the first selector */
    g_assert_cmpint(inb(0x511), ==, 'z');
    teardown();
}

static void assert_file_refused(const char *name, const char *message)
{
    g_autoptr(Error) err = NULL;

    g_assert_false(fw_cfg_add_file(fw, name, "x", 1, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), message));
}

static void test_bad_files_are_refused(void)
{
    setup();
    for (unsigned i = 0; i < 32; i++) {
        g_autofree char *name = g_strdup_printf("f%u", i);

        g_assert_true(fw_cfg_add_file(fw, name, "x", 1, &error_abort));
    }
    assert_file_refused("one-more", "32 slots");
    assert_file_refused("f7", "exists already");
    assert_file_refused("a-name-of-exactly-fifty-six-characters-which-is-too-long", "1 to 55");
    assert_file_refused("", "1 to 55");
    g_assert_true(fw_cfg_modify_file(fw, "f7", "longer", 6, &error_abort));
    teardown();
}

static void test_dma_read(void)
{
    char buf[9] = "????????";

    setup();
    g_assert_true(fw_cfg_add_file(fw, "etc/x", "hello", 5, &error_abort));
    mem_write(BUFFER, buf, 8);
    g_assert_cmphex(dma(FW_CFG_FILE_FIRST << 16 | SELECT | READ, 3, BUFFER), ==, 0);
    mem_read(BUFFER, buf, 8);
    g_assert_cmpstr(buf, ==, "hel?????");
    g_assert_cmphex(dma(READ, 5, BUFFER), ==, 0);           /* two bytes, then zeros */
    mem_read(BUFFER, buf, 8);
    g_assert_cmpmem(buf, 8, "lo\0\0\0???", 8);
    g_assert_cmphex(dma(FW_CFG_FILE_FIRST << 16 | SELECT | SKIP, 4, 0), ==, 0);
    g_assert_cmphex(dma(READ, 1, BUFFER), ==, 0);
    mem_read(BUFFER, buf, 1);
    g_assert_cmpint(buf[0], ==, 'o');
    teardown();
}

static size_t written_at, written_len;

static void on_write(void *opaque, size_t offset, size_t len)
{
    written_at = offset;
    written_len = len;
}

static void test_dma_write(void)
{
    char blob[8] = "--------";

    setup();
    g_assert_true(fw_cfg_add_file_callback(fw, "etc/w", NULL, on_write, NULL, blob, sizeof(blob), false, &error_abort));
    g_assert_true(fw_cfg_add_file(fw, "etc/ro", "ro", 2, &error_abort));
    mem_write(BUFFER, "ABCDEFGHIJ", 10);
    g_assert_cmphex(dma(FW_CFG_FILE_FIRST << 16 | SELECT | SKIP, 2, 0), ==, 0);
    g_assert_cmphex(dma(WRITE, 3, BUFFER), ==, 0);
    g_assert_cmpmem(blob, 8, "--ABC---", 8);
    g_assert_cmpuint(written_at, ==, 2);
    g_assert_cmpuint(written_len, ==, 3);
    g_assert_cmphex(dma(WRITE, 4, BUFFER), ==, ERROR);      /* one byte too many: nothing is written */
    g_assert_cmpmem(blob, 8, "--ABC---", 8);
    g_assert_cmphex(dma(WRITE, UINT32_MAX, BUFFER), ==, ERROR);
    g_assert_cmphex(dma((FW_CFG_FILE_FIRST + 1) << 16 | SELECT | WRITE, 1, BUFFER), ==, ERROR);
    g_assert_cmphex(dma(0x7000u << 16 | SELECT | WRITE, 1, BUFFER), ==, ERROR);
    teardown();
}

static void test_dma_to_nowhere_is_an_error(void)
{
    setup();
    g_assert_cmphex(dma(FW_CFG_SIGNATURE << 16 | SELECT | READ, 4, 0x8000000000ULL), ==, ERROR);
    g_assert_cmphex(dma(FW_CFG_SIGNATURE << 16 | SELECT | READ, 4, UINT64_MAX - 1), ==, ERROR);
    /* Runs off the end of RAM. */
    g_assert_cmphex(dma(FW_CFG_SIGNATURE << 16 | SELECT | READ, 0x10000, TEST_RAM_SIZE - 0x100), ==, ERROR);
    /* 4 GiB of zeros does not fit 16 MiB. */
    g_assert_cmphex(dma(FW_CFG_SIGNATURE << 16 | SELECT | READ, UINT32_MAX, BUFFER), ==, ERROR);
    /* The descriptor itself is nowhere: nothing happens. */
    outl(0x514, GUINT32_TO_BE(0x7f));
    outl(0x518, GUINT32_TO_BE(0xfffffff8));
    teardown();
}

static void test_dma_over_its_own_descriptor(void)
{
    uint8_t d[4];

    setup();
    g_assert_cmphex(dma(FW_CFG_SIGNATURE << 16 | SELECT | READ, 16, DESC), ==, 0);
    mem_read(DESC + 4, d, 4);
    g_assert_cmphex(ld32_be(d), ==, 0);
    teardown();
}

/* A request whose target is the DMA register itself must not run another. */
static void test_dma_into_the_dma_register(void)
{
    FwCfg *mem = fw_cfg_mem_create(system_memory(), MMIO + 8, MMIO, 8, MMIO + 16, &address_space_memory);
    uint8_t d[16], item[8];

    device_reset(DEVICE(mem), RESET_COLD);
    st64_be(item, DESC);
    g_assert_true(fw_cfg_add_file(mem, "etc/self", item, 8, &error_abort));
    st32_be(d, FW_CFG_FILE_FIRST << 16 | SELECT | READ);
    st32_be(d + 4, 8);
    st64_be(d + 8, MMIO + 16);
    mem_write(DESC, d, sizeof(d));
    mem_write(MMIO + 16, item, 8);
    mem_read(DESC, d, 4);
    g_assert_cmphex(ld32_be(d) & ~ERROR, ==, 0);        /* finished, once */
    test_remove(DEVICE(mem));
}

static void test_mmio_flavour(void)
{
    FwCfg *mem = fw_cfg_mem_create(system_memory(), MMIO + 8, MMIO, 8, MMIO + 16, &address_space_memory);
    uint8_t buf[8];

    device_reset(DEVICE(mem), RESET_COLD);
    mem_write(MMIO + 8, "\0\0", 2);
    mem_read(MMIO, buf, 4);
    g_assert_cmpmem(buf, 4, "QEMU", 4);                 /* bytes in order, whatever the access size */
    mem_write(MMIO + 8, "\0\0", 2);
    mem_read(MMIO, buf, 1);
    g_assert_cmpint(buf[0], ==, 'Q');
    mem_read(MMIO + 16, buf, 8);
    g_assert_cmpmem(buf, 8, "QEMU CFG", 8);
    test_remove(DEVICE(mem));
}

static void test_no_dma_without_memory(void)
{
    fw = fw_cfg_io_create(system_io(), FW_CFG_IO_BASE, NULL);
    device_reset(DEVICE(fw), RESET_COLD);
    outw(0x510, FW_CFG_ID);
    g_assert_cmphex(inb(0x511), ==, 1);
    g_assert_cmphex(inl(0x514), ==, UINT32_MAX);
    teardown();
}

static bool option(const char *name, const char *key, const char *value, Error **errp)
{
    g_autoptr(Value) opts = value_dict();

    if (name) {
        value_dict_set_str(opts, "name", name);
    }
    value_dict_set_str(opts, key, value);
    return fw_cfg_add_option(fw, opts, errp);
}

static void assert_option_refused(const char *name, const char *key, const char *value, const char *message)
{
    g_autoptr(Error) err = NULL;

    g_assert_false(option(name, key, value, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), message));
}

static void test_command_line_option(void)
{
    const void *data;
    size_t len;

    setup();
    g_assert_true(option("opt/org.test", "string", "value", &error_abort));
    g_assert_true(fw_cfg_find_file(fw, "opt/org.test", &data, &len));
    g_assert_cmpmem(data, len, "value", 5);             /* no NUL */
    assert_option_refused("opt/x", "file", "/nonexistent/file", "/nonexistent/file");
    assert_option_refused(NULL, "string", "x", "name= is missing");
    assert_option_refused("opt/x", "name", "opt/x", "exactly one");
    assert_option_refused("opt/x", "sting", "x", "no parameter 'sting'");
    teardown();
}

void add_fw_cfg_tests(void)
{
    g_test_add_func("/fw-cfg/signature", test_signature_and_id);
    g_test_add_func("/fw-cfg/items", test_items);
    g_test_add_func("/fw-cfg/directory", test_directory_is_sorted);
    g_test_add_func("/fw-cfg/bad-files", test_bad_files_are_refused);
    g_test_add_func("/fw-cfg/dma-read", test_dma_read);
    g_test_add_func("/fw-cfg/dma-write", test_dma_write);
    g_test_add_func("/fw-cfg/dma-nowhere", test_dma_to_nowhere_is_an_error);
    g_test_add_func("/fw-cfg/dma-own-descriptor", test_dma_over_its_own_descriptor);
    g_test_add_func("/fw-cfg/dma-recursion", test_dma_into_the_dma_register);
    g_test_add_func("/fw-cfg/mmio", test_mmio_flavour);
    g_test_add_func("/fw-cfg/no-dma", test_no_dma_without_memory);
    g_test_add_func("/fw-cfg/option", test_command_line_option);
}
