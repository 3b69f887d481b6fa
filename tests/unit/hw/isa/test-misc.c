/*
 * pvpanic, isa-debug-exit, pc-testdev.
 */
#include "harness.h"
#include "hw/input/i8042.h"
#include "hw/misc/pvpanic.h"
#include "system/runstate.h"
#include "util/main-loop.h"

static Device *add(const char *type)
{
    Device *dev = device_new(type_by_name(type));

    test_realize(dev);
    return dev;
}

static void test_pvpanic_says_what_it_knows(void)
{
    g_assert_cmphex(pvpanic_isa_port(test_bus), ==, 0);
    Device *dev = add("pvpanic");

    g_assert_cmphex(pvpanic_isa_port(test_bus), ==, 0x505);
    g_assert_cmphex(inb(0x505), ==, 7);
    outb(0x505, 0xf8);                          /* unknown events are ignored */
    test_remove(dev);
    g_assert_cmphex(pvpanic_isa_port(test_bus), ==, 0);
}

static void test_testdev_storage(void)
{
    Device *dev = add("pc-testdev");
    uint32_t v = 0x11223344;

    outl(0xe0, 0xdeadbeef);
    g_assert_cmphex(inb(0xe1), ==, 0xbe);
    outb(0xe2, 0x55);
    g_assert_cmphex(inl(0xe0), ==, 0xde55beef);
    g_assert_cmphex(inw(0xea), ==, 0xde55);
    g_assert_cmpint(address_space_write(&address_space_memory, 0xff000ffe, MEMTXATTRS_UNSPECIFIED, &v, 4), ==, MEMTX_OK);
    v = 0;
    g_assert_cmpint(address_space_read(&address_space_memory, 0xff000ffe, MEMTXATTRS_UNSPECIFIED, &v, 4), ==, MEMTX_OK);
    g_assert_cmphex(v, ==, 0x11223344);
    test_remove(dev);
}

static void test_testdev_drives_lines(void)
{
    Device *dev = add("pc-testdev");

    lines_clear();
    outb(0x2000 + 5, 1);
    g_assert_true(lines[5].level);
    outb(0x2000 + 5, 0);
    g_assert_false(lines[5].level);
    test_remove(dev);
}

static void test_testdev_flush_keeps_contents(void)
{
    Device *dev = add("pc-testdev");
    uint32_t v = 0x600df00d;

    g_assert_cmpint(address_space_write(&address_space_memory, 0x5000, MEMTXATTRS_UNSPECIFIED, &v, 4), ==, MEMTX_OK);
    outl(0xe4, 0x5123);
    outl(0xe4, 0xfffff000);                     /* nothing there */
    v = 0;
    g_assert_cmpint(address_space_read(&address_space_memory, 0x5000, MEMTXATTRS_UNSPECIFIED, &v, 4), ==, MEMTX_OK);
    g_assert_cmphex(v, ==, 0x600df00d);
    test_remove(dev);
}

/* Under -no-reboot a reset ends the main loop; without a request this would hang and be killed. */
static void assert_resets(uint16_t port, const uint8_t *bytes, unsigned n, uint16_t second_port)
{
    reboot_action = REBOOT_ACTION_SHUTDOWN;
    for (unsigned i = 0; i < n; i++) {
        outb(i ? second_port : port, bytes[i]);
    }
    g_assert_cmpint(system_main_loop(), ==, 0);
    reboot_action = REBOOT_ACTION_RESET;
}

static void test_every_way_to_reset(void)
{
    Device *kbc = DEVICE(i8042_create(test_bus, test_line(60)));
    Device *fast = port92_create(test_bus, test_line(61));

    device_reset(kbc, RESET_COLD);
    device_reset(fast, RESET_COLD);
    assert_resets(0x64, (const uint8_t[]){ 0xfe }, 1, 0);
    assert_resets(0x64, (const uint8_t[]){ 0xf0 }, 1, 0);
    assert_resets(0x64, (const uint8_t[]){ 0xd1, 0x02 }, 2, 0x60);
    assert_resets(0x92, (const uint8_t[]){ 0x01 }, 1, 0);
    test_remove(fast);
    test_remove(kbc);
}

/* Last of all: the status stays. */
static void test_debug_exit_status(void)
{
    Device *dev = add("isa-debug-exit");

    g_assert_cmphex(inb(0x501), ==, 0);
    outb(0x501, 0x21);
    g_assert_cmpint(system_main_loop(), ==, 0x43);
    test_remove(dev);
}

void add_misc_tests(void)
{
    g_test_add_func("/pvpanic/events", test_pvpanic_says_what_it_knows);
    g_test_add_func("/pc-testdev/storage", test_testdev_storage);
    g_test_add_func("/pc-testdev/lines", test_testdev_drives_lines);
    g_test_add_func("/pc-testdev/flush", test_testdev_flush_keeps_contents);
    g_test_add_func("/reset/every-way", test_every_way_to_reset);
    g_test_add_func("/debug-exit/status", test_debug_exit_status);
}
