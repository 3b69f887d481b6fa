/*
 * The PC's keyboard controller and the fast A20/reset port 0x92.
 */
#ifndef HW_INPUT_I8042_H
#define HW_INPUT_I8042_H

#include "hw/input/ps2.h"
#include "hw/isa/isa.h"

typedef struct I8042 I8042;
extern const TypeInfo i8042_type;               /* "i8042" */
static inline I8042 *I8042_CAST(const void *obj)
{
    return (I8042 *)object_check_cast(obj, &i8042_type);
}

extern const TypeInfo port92_type;              /* "port92" */

/* Ports 0x60 and 0x64, lines 1 and 12 of @bus; @a20 follows the output port's A20 bit. */
I8042 *i8042_create(IsaBus *bus, IrqLine a20);
Ps2Kbd *i8042_keyboard(I8042 *s);
Ps2Mouse *i8042_mouse(I8042 *s);

/* Port 0x92.  @a20 is a second driver of the gate; the board ORs both. */
Device *port92_create(IsaBus *bus, IrqLine a20);

#endif
