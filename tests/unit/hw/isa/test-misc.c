/*
 * pvpanic, isa-debug-exit, pc-testdev.
 */
#include "harness.h"
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

/* Last of all: it ends the main loop. */
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
    g_test_add_func("/debug-exit/status", test_debug_exit_status);
}
