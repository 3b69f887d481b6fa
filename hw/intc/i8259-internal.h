/*
 * What the pair of 8259As here and the one in the host's kernel (hw/i386/kvm) share.
 */
#ifndef HW_INTC_I8259_INTERNAL_H
#define HW_INTC_I8259_INTERNAL_H

#include "hw/intc/i8259.h"

enum { I8259_MASTER, I8259_SLAVE };

/* Timer, keyboard, cascade, RTC and FPU interrupts are edge-triggered on every board. */
enum { I8259_ELCR_MASTER = 0xf8, I8259_ELCR_SLAVE = 0xde };

typedef struct I8259Chip {
    uint8_t irr, imr, isr;
    uint8_t lines;              /* present input levels, for edge detection */
    uint8_t lowest;             /* number of the highest-priority input: rotates */
    uint8_t vector_base;
    uint8_t init_state;
    uint8_t elcr, elcr_mask;
    bool read_isr, poll, special_mask, auto_eoi, rotate_on_auto_eoi, special_fully_nested;
    bool wants_icw4, single;
    bool int_out;
} I8259Chip;

struct I8259Pair {
    Device dev;
    I8259Chip chip[2];
    IrqLine intr;
    MemoryRegion io[2], elcr_io;
    MemoryRegion *ports;        /* borrowed: where the board wants them */
    uint64_t raised[16];        /* how often each input was, for people */
};

/* Registers at their ports, @addr 0 or 1 of a chip. */
void i8259_port_write(I8259Pair *s, unsigned which, hwaddr addr, uint8_t v);
uint8_t i8259_port_read(I8259Pair *s, unsigned which, hwaddr addr);
void i8259_elcr_write(I8259Pair *s, unsigned which, uint8_t v);
void i8259_print_pair(const I8259Pair *s, FILE *f);

/* State as it was loaded: is it possible? */
bool i8259_check(I8259Pair *s, Error **errp) MUST_USE;
extern const VMState i8259_chip_vmstate;

#endif
