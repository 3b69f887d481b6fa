/*
 * I/O APIC: 24 inputs, each with a redirection entry that makes a message on the APIC bus.
 *
 * A system-bus device "ioapic" with one MMIO region (4 KiB, normally at 0xfec00000).  Realize
 * needs the machine's APIC bus (hw/intc/apic.h).
 */
#ifndef HW_INTC_IOAPIC_H
#define HW_INTC_IOAPIC_H

#include "hw/core/qdev.h"

#define IOAPIC_DEFAULT_BASE 0xfec00000u
#define IOAPIC_NUM_PINS     24

OBJECT_DECLARE(IoApic, IOAPIC, ioapic)

/* Input @pin, 0..23. */
IrqLine ioapic_irq(Device *ioapic, unsigned pin);

#endif
