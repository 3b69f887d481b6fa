/*
 * The 8254's three counters (Intel 8254 data sheet), without the bus.
 *
 * Unit tests drive it with the virtual clock stepped by hand.
 */
#ifndef HW_TIMER_I8254_CORE_H
#define HW_TIMER_I8254_CORE_H

#include "hw/core/irq.h"
#include "hw/core/vmstate.h"
#include "util/timer.h"

#define PIT_NUM_COUNTERS 3

/* RW field of the control word: which bytes of the counter a port access moves. */
enum { PIT_RW_LATCH = 0, PIT_RW_LSB = 1, PIT_RW_MSB = 2, PIT_RW_BOTH = 3 };

typedef struct PitCounter {
    uint8_t mode;               /* 0..5 */
    uint8_t rw;                 /* PIT_RW_LSB, _MSB or _BOTH */
    bool bcd;
    bool gate;
    bool loaded;                /* a count is in the counting element */
    bool counting;              /* gate and mode let it run; else @frozen_ticks is where it stands */
    bool triggered;             /* modes 1 and 5: the gate rose since the count was written */
    bool pending;               /* modes 2, 3 (1, 5): @next_count waits for the period's end (the trigger) */
    uint32_t count;             /* 1..65536 (10000 in BCD and a little more for non-decimal digits) */
    uint32_t next_count;
    int64_t start_ns;           /* virtual time of tick 0 */
    uint64_t frozen_ticks;
    uint64_t edges_before;      /* modes 2, 3: periods that ended before tick 0 */
    bool write_msb_next, read_msb_next;
    uint8_t write_lsb;
    bool count_latched, status_latched;
    uint16_t latched_count;
    uint8_t latched_status;
} PitCounter;

typedef struct Pit {
    PitCounter counter[PIT_NUM_COUNTERS];
    IrqLine irq;                /* counter 0's output */
    bool irq_enabled;           /* HPET legacy replacement takes it away */
    bool irq_level;
    uint64_t edges_seen;        /* rising edges of counter 0 since tick 0 already passed on */
    Timer timer;                /* counter 0's next edge */
} Pit;

extern const VMState vmstate_pit;

void pit_init(Pit *p);
void pit_fini(Pit *p);
void pit_reset(Pit *p);
void pit_update_irq(Pit *p);

/* @addr 0..3: the counters and the control word. */
uint8_t pit_read(Pit *p, unsigned addr);
void pit_write(Pit *p, unsigned addr, uint8_t val);

void pit_set_gate(Pit *p, unsigned n, bool level);
bool pit_get_out(Pit *p, unsigned n);
void pit_set_irq_enabled(Pit *p, bool on);

#endif
