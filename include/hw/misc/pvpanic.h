/*
 * pvpanic: how a guest tells that it panicked.  Bits are those of the guest interface specification.
 */
#ifndef HW_MISC_PVPANIC_H
#define HW_MISC_PVPANIC_H

#include "hw/isa/isa.h"

enum { PVPANIC_PANICKED = 1 << 0, PVPANIC_CRASH_LOADED = 1 << 1, PVPANIC_SHUTDOWN = 1 << 2,
       PVPANIC_EVENTS = PVPANIC_PANICKED | PVPANIC_CRASH_LOADED | PVPANIC_SHUTDOWN };

extern const TypeInfo pvpanic_isa_type;         /* "pvpanic" */

/* Port of the pvpanic device on @bus, for the DSDT; 0 if there is none. */
uint16_t pvpanic_isa_port(IsaBus *bus);
/* Act on a write of event bits, those allowed being @events (shared with the PCI flavour). */
void pvpanic_handle_event(uint8_t events, uint8_t value);

#endif
