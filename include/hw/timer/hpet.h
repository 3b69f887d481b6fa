/*
 * High precision event timer (IA-PC HPET Specification 1.0a).
 */
#ifndef HW_TIMER_HPET_H
#define HW_TIMER_HPET_H

#include "hw/core/qdev.h"
#include "system/memory.h"

#define HPET_BASE           0xfed00000u
#define HPET_LEN            0x400
#define HPET_CLK_PERIOD_FS  10000000u       /* 100 MHz */
#define HPET_NUM_IRQ_ROUTES 32

typedef struct Hpet Hpet;
extern const TypeInfo hpet_type;                /* "hpet" */
static inline Hpet *HPET(const void *obj)
{
    return (Hpet *)object_check_cast(obj, &hpet_type);
}

/*
 * A realized HPET mapped at HPET_BASE of @mem.
 *
 * @gsi: 32 lines that its timers drive; copied.  In legacy replacement mode timer 0 drives gsi[0]
 * as the PIT does, timer 1 gsi[8] as the RTC does: the board passes its usual GSI lines, whose number 0 goes
 * to I/O APIC input 2.
 * @intcap: which gsi the timers may be routed to (bit map): 1 << 2 on pc, 0xff0104 on q35.
 * @pit_control: from i8254_irq_control(), or unconnected.
 */
Hpet *hpet_create(MemoryRegion *mem, const IrqLine gsi[HPET_NUM_IRQ_ROUTES], uint32_t intcap, IrqLine pit_control);

/* What the board gives the PIT and the RTC as their interrupt line: passes on unless legacy replacement is on. */
IrqLine hpet_pit_input(Hpet *h);
IrqLine hpet_rtc_input(Hpet *h);
/* Connect after creation, when PIT and HPET need each other. */
void hpet_set_pit_control(Hpet *h, IrqLine pit_control);

/* Event timer block ID as the ACPI HPET table states it (low half of the capabilities register). */
uint32_t hpet_event_timer_block_id(Hpet *h);

#endif
