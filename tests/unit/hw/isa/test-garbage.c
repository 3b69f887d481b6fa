/*
 * A guest writes garbage to every port and register of every device of this room.
 *
 * There is nothing to compare with: what is tested is that all comes back, in bounded time, with no
 * sanitizer complaint, and that the devices still work after a reset.
 */
#include "harness.h"
#include "hw/char/serial.h"
#include "hw/input/i8042.h"
#include "hw/nvram/fw_cfg.h"
#include "hw/rtc/mc146818.h"
#include "hw/timer/hpet.h"
#include "hw/timer/i8254.h"

#define ROUNDS          500000
#define FW_CFG_MMIO     0xfec10000u
#define GSI_LINE(n)     (16 + (n))

typedef struct Range {
    bool is_port;
    hwaddr base;
    unsigned len;
} Range;

/* fw_cfg's DMA address and HPET messages aim at the same 16 MiB as everything else. */
static const Range ranges[] = {
    { true, 0x40, 4 }, { true, 0x60, 2 }, { true, 0x64, 1 }, { true, 0x70, 2 }, { true, 0x92, 1 }, { true, 0xe0, 12 },
    { true, 0x3f8, 8 }, { true, 0x2f8, 8 }, { true, 0x510, 12 }, { true, 0x2000, 16 },
    { false, HPET_BASE, HPET_LEN }, { false, FW_CFG_MMIO, 24 }, { false, 0xff000000, 64 * KiB },
};

static void poke(GRand *rnd)
{
    const Range *r = &ranges[g_rand_int_range(rnd, 0, ARRAY_SIZE(ranges))];
    AddressSpace *as = r->is_port ? &address_space_io : &address_space_memory;
    hwaddr at = r->base + (hwaddr)g_rand_int_range(rnd, 0, r->len);
    unsigned size = 1u << g_rand_int_range(rnd, 0, r->is_port ? 3 : 4);
    uint64_t v = (uint64_t)g_rand_int(rnd) << 32 | g_rand_int(rnd);

    if (g_rand_boolean(rnd)) {
        v &= TEST_RAM_SIZE - 1;                 /* small values get further */
    }
    if (g_rand_boolean(rnd)) {
        address_space_st(as, at, v, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
    } else {
        address_space_ld(as, at, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
    }
}

static void feed(GRand *rnd, I8042 *kbc, SinkChardev *sink)
{
    switch (g_rand_int_range(rnd, 0, 5)) {
    case 0:
        ps2_kbd_key(i8042_keyboard(kbc), g_rand_int_range(rnd, 0, 256), g_rand_boolean(rnd));
        break;
    case 1:
        ps2_mouse_move(i8042_mouse(kbc), (int)g_rand_int(rnd), (int)g_rand_int(rnd), 1, g_rand_int(rnd));
        break;
    case 2:
        sink_feed(sink, "some input");
        break;
    case 3:
        sink_set_room(sink, g_rand_int_range(rnd, 0, 20));
        break;
    default:
        clock_step(g_rand_int_range(rnd, 0, MS(2)));
        break;
    }
}

static void test_garbage(void)
{
    g_autoptr(GRand) rnd = g_rand_new_with_seed(20261120);
    IrqLine gsi[HPET_NUM_IRQ_ROUTES];
    SinkChardev *sink = sink_new(10);
    Device *serial[2] = { device_new(&isa_serial_type), device_new(&isa_serial_type) };
    Device *testdev = device_new(type_by_name("pc-testdev"));
    static char blob[5000];

    object_add_child(object_container("/chardevs"), "garbage", sink);
    g_assert_true(object_property_set_str(serial[0], "chardev", "garbage", &error_abort));
    for (unsigned i = 0; i < HPET_NUM_IRQ_ROUTES; i++) {
        gsi[i] = test_line(GSI_LINE(i));
    }
    test_realize(serial[0]);
    test_realize(serial[1]);
    test_realize(testdev);
    I8254 *pit = i8254_create(test_bus, 0x40, test_line(0));
    I8042 *kbc = i8042_create(test_bus, test_line(60));
    FwCfg *fw_io = fw_cfg_io_create(system_io(), FW_CFG_IO_BASE, &address_space_memory);
    FwCfg *fw_mem = fw_cfg_mem_create(system_memory(), FW_CFG_MMIO + 8, FW_CFG_MMIO, 8, FW_CFG_MMIO + 16,
                                      &address_space_memory);
    void *all[] = {
        serial[0], serial[1], testdev, pit, kbc, fw_io, fw_mem, pcspk_create(test_bus, pit),
        mc146818_create(test_bus, 2000, test_line(8)), port92_create(test_bus, test_line(61)),
        hpet_create(system_memory(), gsi, 0x00ff0104, i8254_irq_control(pit)),
    };
    g_assert_true(fw_cfg_add_file_callback(fw_io, "etc/blob", NULL, NULL, NULL, blob, sizeof(blob), false,
                                           &error_abort));
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        device_reset(DEVICE(all[i]), RESET_COLD);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        poke(rnd);
        if (i % 8 == 0) {
            feed(rnd, kbc, sink);
        }
    }
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        device_reset(DEVICE(all[i]), RESET_COLD);
    }
    g_assert_cmphex(inb(0x3f8 + 5), ==, 0x60);
    outb(0x64, 0xaa);
    g_assert_cmphex(inb(0x60), ==, 0x55);
    outw(0x510, FW_CFG_SIGNATURE);
    g_assert_cmpint(inb(0x511), ==, 'Q');
    for (unsigned i = ARRAY_SIZE(all); i > 0; i--) {
        test_remove(DEVICE(all[i - 1]));
    }
    object_unparent(sink);
    object_unref(sink);
}

void add_garbage_tests(void)
{
    g_test_add_func("/garbage/every-register", test_garbage);
}
