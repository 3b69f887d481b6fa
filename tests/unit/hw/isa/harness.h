/*
 * A machine of nothing but an ISA bus, for tests of its devices: recorded lines, a clock stepped by
 * hand, a back end of limited appetite.
 */
#ifndef TESTS_UNIT_HW_ISA_HARNESS_H
#define TESTS_UNIT_HW_ISA_HARNESS_H

#include "hw/isa/isa.h"
#include "system/chardev.h"
#include "util/timer.h"

#define MS(n) ((n) * INT64_C(1000000))
#define US(n) ((n) * INT64_C(1000))

/* 0..15 ISA lines, then free for the test's use. */
#define N_LINES 64
typedef struct LineLog {
    bool level;
    unsigned rises;
} LineLog;
extern LineLog lines[N_LINES];
IrqLine test_line(unsigned n);
void lines_clear(void);

/* The one bus; ports on address_space_io, memory on address_space_memory with 16 MiB of RAM at 0. */
extern IsaBus *test_bus;
#define TEST_RAM_SIZE (16 * MiB)

uint8_t inb(uint16_t port);
uint16_t inw(uint16_t port);
uint32_t inl(uint16_t port);
void outb(uint16_t port, uint8_t v);
void outw(uint16_t port, uint16_t v);
void outl(uint16_t port, uint32_t v);

void clock_step(int64_t ns);

/* Put @dev on the bus; must succeed. */
void test_realize(Device *dev);
/* Off the bus and gone. */
void test_remove(Device *dev);

/* A Chardev that takes @room bytes and no more. */
typedef struct SinkChardev SinkChardev;
SinkChardev *sink_new(size_t room);
Chardev *sink_chardev(SinkChardev *s);
const char *sink_text(SinkChardev *s);
void sink_set_room(SinkChardev *s, size_t room);    /* calls the front end back if it waits */
void sink_feed(SinkChardev *s, const char *text);   /* input, as much as the front end takes at once */
void sink_break(SinkChardev *s);

void add_serial_tests(void);
void add_i8254_tests(void);
void add_hpet_tests(void);
void add_mc146818_tests(void);
void add_i8042_tests(void);
void add_fw_cfg_tests(void);
void add_misc_tests(void);
void add_garbage_tests(void);
void add_table_tests(void);

#endif
