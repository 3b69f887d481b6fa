/* Between timer.c and the main loop. */
#ifndef UTIL_TIMER_INTERNAL_H
#define UTIL_TIMER_INTERNAL_H

#include "util/timer.h"

/* How long the main loop may sleep: -1 = for ever. */
int64_t timers_next_timeout_ns(void);
/* Run everything due.  Main thread, BQL held. */
void timers_run(void);

#endif
