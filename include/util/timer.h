/*
 * Clocks and timers.  All times are nanoseconds.
 */
#ifndef UTIL_TIMER_H
#define UTIL_TIMER_H

#include "util/base.h"

#define NANOSECONDS_PER_SECOND 1000000000LL

typedef enum ClockType {
    CLOCK_TYPE_REALTIME,    /* host monotonic; runs always */
    CLOCK_TYPE_VIRTUAL,     /* guest time: stands still while the machine is stopped */
    CLOCK_TYPE_HOST,        /* host wall clock; may jump */
    CLOCK_TYPE_MAX,
} ClockType;

int64_t clock_get_ns(ClockType type);   /* any thread */

/* Guest time: enabled by vm_start, disabled by vm_stop; under qtest it is stepped by hand. */
void clock_virtual_enable(bool on);
void clock_virtual_set_manual(bool manual);
bool clock_virtual_is_manual(void);
void clock_virtual_advance_to(int64_t ns);      /* manual mode: runs what falls due, BQL held */
void clock_virtual_set_offset(int64_t now_ns);  /* make guest time read @now_ns (on load of a saved state) */
int64_t clock_deadline_ns(ClockType type);      /* time of the next timer, INT64_MAX if none */

/*
 * A timer runs @fn(@opaque) on the main loop, BQL held, at or after its time.  Timers are
 * embedded; timer_init before use, timer_del before the memory goes.  timer_mod from any thread.
 */
typedef void TimerFn(void *opaque);
typedef struct Timer {
    /* private to timer.c */
    ClockType type;
    int64_t   expire_ns;    /* -1 = not pending */
    TimerFn  *fn;
    void     *opaque;
    struct Timer *next;
} Timer;

void timer_init(Timer *t, ClockType type, TimerFn *fn, void *opaque);
void timer_mod(Timer *t, int64_t expire_ns);    /* (re)arm for absolute time @expire_ns */
void timer_del(Timer *t);
bool timer_pending(const Timer *t);
int64_t timer_expire_ns(const Timer *t);        /* -1 if not pending */

/* a * b / c with a 128-bit intermediate. */
static inline uint64_t muldiv64(uint64_t a, uint32_t b, uint32_t c)
{
    return (uint64_t)((unsigned __int128)a * b / c);
}

#endif
