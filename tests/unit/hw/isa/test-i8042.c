/*
 * Keyboard controller, keyboard, mouse, port 0x92.
 */
#include "harness.h"
#include "hw/input/i8042.h"

#define A20 43
#define A20_FAST 44

static I8042 *kbc;

static void setup(void)
{
    lines_clear();
    kbc = i8042_create(test_bus, test_line(A20));
    device_reset(DEVICE(kbc), RESET_COLD);
    outb(0x64, 0x60);
    outb(0x60, 0x03);                       /* no translation, unless a test turns it on */
}

static void teardown(void)
{
    test_remove(DEVICE(kbc));
}

static void command(uint8_t c)
{
    outb(0x64, c);
}

static void command_with(uint8_t c, uint8_t parameter)
{
    outb(0x64, c);
    outb(0x60, parameter);
}

static void assert_next(uint8_t byte)
{
    g_assert_cmphex(inb(0x64) & 0x21, ==, 0x01);
    g_assert_cmphex(inb(0x60), ==, byte);
}

static void assert_next_aux(uint8_t byte)
{
    g_assert_cmphex(inb(0x64) & 0x21, ==, 0x21);
    g_assert_cmphex(inb(0x60), ==, byte);
}

static void assert_empty(void)
{
    g_assert_cmphex(inb(0x64) & 1, ==, 0);
}

static void mouse_command(uint8_t c)
{
    command_with(0xd4, c);
}

static void test_self_tests(void)
{
    setup();
    device_reset(DEVICE(kbc), RESET_COLD);
    command(0x20);
    assert_next(0x43);                      /* as firmware leaves it */
    assert_empty();
    command(0xaa);
    g_assert_cmphex(inb(0x64) & 0x04, ==, 0x04);
    assert_next(0x55);
    command(0xab);
    assert_next(0x00);
    command(0xa9);
    assert_next(0x00);
    command(0xc0);
    assert_next(0x80);
    assert_empty();
    teardown();
}

static void test_command_byte_and_ram(void)
{
    setup();
    command(0x20);
    assert_next(0x03);
    command_with(0x60, 0x47);
    command(0x20);
    assert_next(0x47);
    command_with(0x75, 0x99);
    command(0x35);
    assert_next(0x99);
    command(0xad);
    command(0xa7);
    command(0x20);
    assert_next(0x77);
    command(0xae);
    command(0xa8);
    command(0x20);
    assert_next(0x47);
    teardown();
}

static void test_a20_gate(void)
{
    setup();
    g_assert_true(lines[A20].level);
    command(0xdd);
    g_assert_false(lines[A20].level);
    command(0xd0);
    g_assert_cmphex(inb(0x60) & 0x02, ==, 0);
    command(0xdf);
    g_assert_true(lines[A20].level);
    command_with(0xd1, 0xdd);
    g_assert_false(lines[A20].level);
    device_reset(DEVICE(kbc), RESET_COLD);
    g_assert_true(lines[A20].level);
    teardown();
}

static void test_loop_back_buffers(void)
{
    setup();
    lines_clear();
    command_with(0xd2, 0x5a);
    g_assert_true(lines[1].level);
    assert_next(0x5a);
    g_assert_false(lines[1].level);
    command_with(0xd3, 0xa5);               /* Linux' test for an AUX port */
    g_assert_true(lines[12].level);
    g_assert_false(lines[1].level);
    assert_next_aux(0xa5);
    g_assert_false(lines[12].level);
    teardown();
}

static void test_keyboard_commands(void)
{
    setup();
    outb(0x60, 0xff);
    assert_next(0xfa);
    assert_next(0xaa);
    outb(0x60, 0xf2);
    assert_next(0xfa);
    assert_next(0xab);
    assert_next(0x83);
    outb(0x60, 0xee);
    assert_next(0xee);
    outb(0x60, 0xed);
    assert_next(0xfa);
    outb(0x60, PS2_LED_CAPS);
    assert_next(0xfa);
    g_assert_cmpuint(ps2_kbd_leds(i8042_keyboard(kbc)), ==, PS2_LED_CAPS);
    outb(0x60, 0xf0);
    assert_next(0xfa);
    outb(0x60, 0x00);
    assert_next(0xfa);
    assert_next(0x02);
    outb(0x60, 0xfe);                       /* resend */
    assert_next(0x02);
    outb(0x60, 0xf0);
    assert_next(0xfa);
    outb(0x60, 0x03);                       /* no set 3 here */
    assert_next(0xfe);
    outb(0x60, 0x42);
    assert_next(0xfe);
    assert_empty();
    teardown();
}

static void test_keys_in_set_2_and_translated(void)
{
    setup();
    lines_clear();
    ps2_kbd_key(i8042_keyboard(kbc), 0x1e, true);       /* A */
    ps2_kbd_key(i8042_keyboard(kbc), 0x1e, false);
    g_assert_true(lines[1].level);
    assert_next(0x1c);
    assert_next(0xf0);
    assert_next(0x1c);
    g_assert_cmpuint(lines[1].rises, ==, 3);            /* an edge for each byte */
    command_with(0x60, 0x43);                           /* translation on */
    ps2_kbd_key(i8042_keyboard(kbc), 0x80 | 0x48, true);    /* cursor up */
    ps2_kbd_key(i8042_keyboard(kbc), 0x80 | 0x48, false);
    assert_next(0xe0);
    assert_next(0x48);
    assert_next(0xe0);
    assert_next(0xc8);
    ps2_kbd_key(i8042_keyboard(kbc), 0x41, true);       /* F7: set 2 code above 0x80 */
    assert_next(0x41);
    ps2_kbd_key(i8042_keyboard(kbc), 0x41, false);
    assert_next(0xc1);
    assert_empty();
    teardown();
}

/* Every plain key comes back through set 2 and the controller's translation as it went in. */
static void test_translation_is_the_inverse(void)
{
    setup();
    command_with(0x60, 0x43);
    for (unsigned code = 0x01; code <= 0x58; code++) {
        ps2_kbd_key(i8042_keyboard(kbc), code, true);
        assert_next(code);
        ps2_kbd_key(i8042_keyboard(kbc), code, false);
        assert_next(code | 0x80);
    }
    teardown();
}

static void test_disabled_keyboard_keeps_its_keys(void)
{
    setup();
    command(0xad);
    ps2_kbd_key(i8042_keyboard(kbc), 0x1e, true);
    assert_empty();
    command(0x20);
    assert_next(0x13);
    command(0xae);
    assert_next(0x1c);
    outb(0x60, 0xf5);                       /* scanning off: dropped */
    assert_next(0xfa);
    ps2_kbd_key(i8042_keyboard(kbc), 0x1e, true);
    assert_empty();
    teardown();
}

static void test_full_queue_drops_whole_sequences(void)
{
    setup();
    for (unsigned i = 0; i < 1000; i++) {
        ps2_kbd_key(i8042_keyboard(kbc), 0x80 | 0x48, false);  /* e0 f0 75 */
    }
    unsigned n = 0;
    while (inb(0x64) & 1) {
        static const uint8_t seq[3] = { 0xe0, 0xf0, 0x75 };

        g_assert_cmphex(inb(0x60), ==, seq[n % 3]);
        n++;
    }
    g_assert_cmpuint(n, >=, 30);
    g_assert_cmpuint(n % 3, ==, 0);
    teardown();
}

static void test_replies_overtake_keys(void)
{
    setup();
    command(0xad);
    ps2_kbd_key(i8042_keyboard(kbc), 0x1e, true);
    outb(0x60, 0xee);
    assert_next(0xee);
    assert_next(0x1c);
    teardown();
}

static void test_mouse_commands_and_wheel_knock(void)
{
    static const uint8_t knock[] = { 200, 100, 80 };

    setup();
    mouse_command(0xff);
    assert_next_aux(0xfa);
    assert_next_aux(0xaa);
    assert_next_aux(0x00);
    for (unsigned i = 0; i < 3; i++) {
        mouse_command(0xf3);
        assert_next_aux(0xfa);
        mouse_command(knock[i]);
        assert_next_aux(0xfa);
    }
    mouse_command(0xf2);
    assert_next_aux(0xfa);
    assert_next_aux(0x03);
    mouse_command(0xe9);
    assert_next_aux(0xfa);
    assert_next_aux(0x00);
    assert_next_aux(0x02);
    assert_next_aux(80);
    mouse_command(0xee);
    assert_next_aux(0xfa);
    mouse_command(0x77);                    /* wrap: echoed */
    assert_next_aux(0x77);
    mouse_command(0xec);
    assert_next_aux(0xfa);
    teardown();
}

static void test_mouse_packets(void)
{
    setup();
    ps2_mouse_move(i8042_mouse(kbc), 5, 5, 0, 0);       /* reporting is off */
    assert_empty();
    mouse_command(0xf4);
    assert_next_aux(0xfa);
    lines_clear();
    ps2_mouse_move(i8042_mouse(kbc), 10, 3, 0, PS2_BUTTON_LEFT);
    g_assert_true(lines[12].level);
    assert_next_aux(0x08 | 0x20 | 0x01);                /* y counts up */
    assert_next_aux(10);
    assert_next_aux((uint8_t)-3);
    assert_empty();
    ps2_mouse_move(i8042_mouse(kbc), 200, 0, 0, PS2_BUTTON_LEFT);
    assert_next_aux(0x09);
    assert_next_aux(127);
    assert_next_aux(0);
    assert_next_aux(0x09);
    assert_next_aux(73);
    assert_next_aux(0);
    assert_empty();
    teardown();
}

static void test_mouse_flood_is_bounded(void)
{
    unsigned n = 0;

    setup();
    mouse_command(0xf4);
    assert_next_aux(0xfa);
    for (unsigned i = 0; i < 100000; i++) {
        ps2_mouse_move(i8042_mouse(kbc), INT_MAX, INT_MIN, 1, i & 7);
    }
    while (inb(0x64) & 1) {
        inb(0x60);
        n++;
        g_assert_cmpuint(n, <, 1000);
    }
    g_assert_cmpuint(n % 3, ==, 0);
    teardown();
}

static void test_port92(void)
{
    lines_clear();
    Device *dev = port92_create(test_bus, test_line(A20_FAST));

    device_reset(dev, RESET_COLD);
    g_assert_cmphex(inb(0x92), ==, 0);
    outb(0x92, 0x02);
    g_assert_true(lines[A20_FAST].level);
    g_assert_cmphex(inb(0x92), ==, 0x02);
    outb(0x92, 0x00);
    g_assert_false(lines[A20_FAST].level);
    test_remove(dev);
}

void add_i8042_tests(void)
{
    g_test_add_func("/i8042/self-tests", test_self_tests);
    g_test_add_func("/i8042/ram", test_command_byte_and_ram);
    g_test_add_func("/i8042/a20", test_a20_gate);
    g_test_add_func("/i8042/loop-back", test_loop_back_buffers);
    g_test_add_func("/i8042/keyboard-commands", test_keyboard_commands);
    g_test_add_func("/i8042/keys", test_keys_in_set_2_and_translated);
    g_test_add_func("/i8042/translation", test_translation_is_the_inverse);
    g_test_add_func("/i8042/disabled", test_disabled_keyboard_keeps_its_keys);
    g_test_add_func("/i8042/full-queue", test_full_queue_drops_whole_sequences);
    g_test_add_func("/i8042/replies-first", test_replies_overtake_keys);
    g_test_add_func("/i8042/mouse-commands", test_mouse_commands_and_wheel_knock);
    g_test_add_func("/i8042/mouse-packets", test_mouse_packets);
    g_test_add_func("/i8042/mouse-flood", test_mouse_flood_is_bounded);
    g_test_add_func("/i8042/port92", test_port92);
}
