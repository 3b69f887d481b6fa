/*
 * Tests of the devices on and around the ISA bus: harness and list.
 */
#include "harness.h"
#include "system/chardev/internal.h"
#include "util/main-loop.h"
#include "util/rcu.h"

LineLog lines[N_LINES];
IsaBus *test_bus;
static MemoryRegion test_ram;

static void line_set(void *opaque, unsigned n, int level)
{
    if (level && !lines[n].level) {
        lines[n].rises++;
    }
    lines[n].level = level;
}

IrqLine test_line(unsigned n)
{
    g_assert_cmpuint(n, <, N_LINES);
    return irq_line(line_set, NULL, n);
}

void lines_clear(void)
{
    memset(lines, 0, sizeof(lines));
}

static uint32_t port_ld(uint16_t port, unsigned size)
{
    return address_space_ld(&address_space_io, port, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static void port_st(uint16_t port, uint32_t v, unsigned size)
{
    address_space_st(&address_space_io, port, v, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

uint8_t inb(uint16_t port) { return port_ld(port, 1); }
uint16_t inw(uint16_t port) { return port_ld(port, 2); }
uint32_t inl(uint16_t port) { return port_ld(port, 4); }
void outb(uint16_t port, uint8_t v) { port_st(port, v, 1); }
void outw(uint16_t port, uint16_t v) { port_st(port, v, 2); }
void outl(uint16_t port, uint32_t v) { port_st(port, v, 4); }

void clock_step(int64_t ns)
{
    clock_virtual_advance_to(clock_get_ns(CLOCK_TYPE_VIRTUAL) + ns);
}

void test_realize(Device *dev)
{
    g_assert_true(device_realize_and_unref(dev, &test_bus->bus, &error_abort));
    device_reset(dev, RESET_COLD);
}

void test_remove(Device *dev)
{
    device_unrealize(dev);
    object_unparent(dev);
}

/* --- the sink --- */

struct SinkChardev {
    Chardev chr;
    GString *text;
    size_t room;
};

OBJECT_DECLARE(SinkChardev, SINK, sink)

static size_t sink_write(Chardev *c, const uint8_t *buf, size_t len)
{
    SinkChardev *s = SINK(c);
    size_t n = MIN(len, s->room);

    g_string_append_len(s->text, (const char *)buf, n);
    s->room -= n;
    return n;
}

static void sink_update(Chardev *c)
{
}

static void sink_init(Object *obj)
{
    SINK(obj)->text = g_string_new(NULL);
}

static void sink_fini(Object *obj)
{
    g_string_free(SINK(obj)->text, true);
}

CHARDEV_DEFINE(SinkChardev, sink, "test-sink", chardev,
    .init = sink_init,
    .fini = sink_fini,
    .write = sink_write,
    .update = sink_update,
    .hidden = true);

SinkChardev *sink_new(size_t room)
{
    SinkChardev *s = SINK(object_new(&sink_type));

    s->room = room;
    return s;
}

Chardev *sink_chardev(SinkChardev *s)
{
    return &s->chr;
}

const char *sink_text(SinkChardev *s)
{
    return s->text->str;
}

void sink_set_room(SinkChardev *s, size_t room)
{
    s->room = room;
    chardev_writable(&s->chr);
}

void sink_feed(SinkChardev *s, const char *text)
{
    chardev_receive(&s->chr, (const uint8_t *)text, MIN(strlen(text), chardev_can_receive(&s->chr)));
}

void sink_break(SinkChardev *s)
{
    chardev_event(&s->chr, CHAR_EVENT_BREAK);
}

int main(int argc, char **argv)
{
    IrqLine isa_lines[ISA_NUM_IRQS];

    g_test_init(&argc, &argv, NULL);
    rcu_thread_enter();
    bql_lock();
    main_loop_init();
    memory_spaces_init();
    clock_virtual_set_manual(true);
    g_assert_true(memory_region_init_ram(&test_ram, NULL, "test.ram", TEST_RAM_SIZE, &error_abort));
    memory_region_add_subregion(system_memory(), 0, &test_ram);
    for (unsigned i = 0; i < ISA_NUM_IRQS; i++) {
        isa_lines[i] = test_line(i);
    }
    test_bus = isa_bus_new(NULL, system_memory(), system_io(), isa_lines);
    add_serial_tests();
    add_i8254_tests();
    add_hpet_tests();
    add_mc146818_tests();
    add_i8042_tests();
    add_fw_cfg_tests();
    add_table_tests();
    add_garbage_tests();
    add_misc_tests();
    return g_test_run();
}
