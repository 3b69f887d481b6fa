/* Trace events of the machine's run state. */
#include "util/trace.h"

TRACE_EVENT(runstate_set, (int now, const char *now_str, int next, const char *next_str),
            "current_run_state %d (%s) new_state %d (%s)", now, now_str, next, next_str)
TRACE_EVENT(vm_state_notify, (int running, int reason, const char *reason_str), "running %d reason %d (%s)", running, reason,
            reason_str)
TRACE_EVENT(qemu_system_shutdown_request, (int reason), "reason=%d", reason)
TRACE_EVENT(qemu_system_powerdown_request, (int state), "in run state %d", state)
TRACE_EVENT(system_reset_request, (int reason), "reason=%d", reason)
TRACE_EVENT(system_wakeup_request, (int reason), "reason=%d", reason)
TRACE_EVENT(system_watchdog_expired, (int action), "action %d", action)
