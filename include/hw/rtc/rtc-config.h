/*
 * -rtc: what the machine's real-time clock shows and what drives it.
 */
#ifndef HW_RTC_RTC_CONFIG_H
#define HW_RTC_RTC_CONFIG_H

#include "util/timer.h"
#include "util/value.h"
#include <time.h>

/* A dict with base (utc, localtime or YYYY-MM-DD[THH:MM:SS]), clock (host, rt, vm), driftfix (none, slew).  Once, at start. */
bool rtc_config_set(const Value *opts, Error **errp) MUST_USE;

/* The clock the RTC runs by. */
ClockType rtc_config_clock(void);
/* The reference wall time now, in nanoseconds since 1970 in the zone that the RTC is set to. */
int64_t rtc_config_now_ns(void);
/* -rtc driftfix=slew: lost periodic ticks are given later instead of dropped. */
bool rtc_config_slew(void);

#endif
