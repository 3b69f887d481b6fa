/*
 * Serial ports as boards see them.  The UART itself is hw/char/serial-16550.h.
 */
#ifndef HW_CHAR_SERIAL_H
#define HW_CHAR_SERIAL_H

#include "hw/isa/isa.h"
#include "system/chardev.h"

#define ISA_SERIAL_MAX 4

extern const TypeInfo isa_serial_type;          /* "isa-serial" */
extern const TypeInfo isa_debugcon_type;        /* "isa-debugcon" */

/* COM@index+1 (index 0..3) on @bus, back end @chr (NULL: none). */
bool isa_serial_create(IsaBus *bus, unsigned index, Chardev *chr, Error **errp) MUST_USE;

/* Port and line of the @index-th standard COM port, for ACPI tables. */
uint16_t isa_serial_std_port(unsigned index);
unsigned isa_serial_std_irq(unsigned index);
/* Which standard ports exist on @bus: bit n = COMn+1. */
uint32_t isa_serial_present(IsaBus *bus);

#endif
