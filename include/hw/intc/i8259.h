/*
 * The PC's pair of 8259A interrupt controllers, with the edge/level registers of PCI chipsets.
 *
 * One device, "isa-i8259": ports 0x20-0x21 (master), 0xa0-0xa1 (slave, on the master's input 2)
 * and 0x4d0-0x4d1 (ELCR).
 */
#ifndef HW_INTC_I8259_H
#define HW_INTC_I8259_H

#include "hw/core/qdev.h"
#include "system/memory.h"

OBJECT_DECLARE(I8259Pair, I8259, i8259)

/* Make and realize the pair with its ports in @io; @intr is the master's INT output.  Borrowed. */
Device *i8259_create(MemoryRegion *io, IrqLine intr, Error **errp) MUST_USE;

/* ISA interrupt @n, 0..15 (2 is the cascade: not to be used). */
IrqLine i8259_irq(Device *pic, unsigned n);

/* INTA cycle: the vector of the highest request; a spurious one if there is none.  @pic is the Device. */
int i8259_acknowledge(void *pic);

#endif
