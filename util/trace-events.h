/* Trace events of clocks and timers. */
#include "util/trace.h"

TRACE_EVENT(timer_mod, (const void *timer, int type, int64_t expire_ns), "timer %p clock %d expire %" PRId64 " ns", timer, type,
            expire_ns)
TRACE_EVENT(timer_del, (const void *timer), "timer %p", timer)
TRACE_EVENT(timer_run, (const void *timer, int type), "timer %p clock %d", timer, type)
