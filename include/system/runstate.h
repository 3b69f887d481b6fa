/*
 * The machine's run state, and requests to change it.
 */
#ifndef SYSTEM_RUNSTATE_H
#define SYSTEM_RUNSTATE_H

#include "util/error.h"

/* QMP RunState, in QMP's order. */
typedef enum RunState {
    RUN_STATE_DEBUG, RUN_STATE_INMIGRATE, RUN_STATE_INTERNAL_ERROR, RUN_STATE_IO_ERROR,
    RUN_STATE_PAUSED, RUN_STATE_POSTMIGRATE, RUN_STATE_PRELAUNCH, RUN_STATE_FINISH_MIGRATE,
    RUN_STATE_RESTORE_VM, RUN_STATE_RUNNING, RUN_STATE_SAVE_VM, RUN_STATE_SHUTDOWN,
    RUN_STATE_SUSPENDED, RUN_STATE_WATCHDOG, RUN_STATE_GUEST_PANICKED, RUN_STATE_COLO,
    RUN_STATE_MAX,
} RunState;

/* QMP ShutdownCause. */
typedef enum ShutdownCause {
    SHUTDOWN_CAUSE_NONE, SHUTDOWN_CAUSE_HOST_ERROR, SHUTDOWN_CAUSE_HOST_QMP_QUIT,
    SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET, SHUTDOWN_CAUSE_HOST_SIGNAL, SHUTDOWN_CAUSE_HOST_UI,
    SHUTDOWN_CAUSE_GUEST_SHUTDOWN, SHUTDOWN_CAUSE_GUEST_RESET, SHUTDOWN_CAUSE_GUEST_PANIC,
    SHUTDOWN_CAUSE_SUBSYSTEM_RESET, SHUTDOWN_CAUSE_SNAPSHOT_LOAD,
} ShutdownCause;

RunState runstate_get(void);
bool runstate_is_running(void);
const char *runstate_name(RunState s);
void runstate_set(RunState s);

/* BQL held.  Clock, vCPUs, notifiers. */
void vm_start(void);
void vm_stop(RunState s);
/* May it be started as it is, without reset or wake-up? */
bool vm_can_run(void);
/* For debuggers: start, but only the CPUs @wanted says; @with_clock false: guest time stands still.  vm_can_run(), stopped. */
struct Vcpu;
void vm_start_some(bool (*wanted)(struct Vcpu *cpu, void *opaque), void *opaque, bool with_clock);
typedef void VmStateFn(void *opaque, bool running, RunState s);
void vm_state_notify_add(VmStateFn *fn, void *opaque);
void vm_state_notify_remove(VmStateFn *fn, void *opaque);      /* not from a notifier */

/* Ask the main loop; any thread. */
void system_reset_request(ShutdownCause cause);
void system_shutdown_request(ShutdownCause cause);
/* isa-debug-exit: end the process with @status after the shutdown. */
void system_shutdown_request_with_code(ShutdownCause cause, int status);
void system_powerdown_request(void);
/* The guest goes to sleep: to RAM, or to disk, which ends the process as a shutdown does. */
void system_suspend_request(void);
void system_suspend_disk_request(void);
/* What wakes a suspended guest.  The clock does so only while the guest has it enabled. */
typedef enum WakeupReason { WAKEUP_REASON_OTHER, WAKEUP_REASON_RTC, WAKEUP_REASON_MAX } WakeupReason;
/* False: it is not suspended, or not to be woken for that. */
bool system_wakeup_request(WakeupReason reason, Error **errp) MUST_USE;
void system_wakeup_enable(WakeupReason reason, bool on);
/* The board can suspend to RAM. */
void system_wakeup_support(void);
void system_guest_panicked(void);
/* A watchdog was not restarted in time: WATCHDOG event and the chosen action. */
void system_watchdog_expired(void);
/* Its crash kernel runs: only reported. */
void system_guest_crashloaded(void);
void system_powerdown_notify_add(void (*fn)(void *opaque), void *opaque);
/* Before the machine is suspended; after it was reset for the wake-up, before the CPUs run. */
void system_suspend_notify_add(void (*fn)(void *opaque), void *opaque);
void system_wakeup_notify_add(void (*fn)(void *opaque, WakeupReason reason), void *opaque);
/* vm_stop from a vCPU thread. */
void vm_stop_request(RunState s);

/* SIGTERM, SIGINT and SIGHUP end the process in order; SIGPIPE and SIGXFSZ are ignored. */
void system_signals_init(void);
/* The main loop until shutdown; returns the exit status. */
/* -preconfig: the machine is not built yet, and only commands that are marked for it are permitted. */
bool runstate_is_preconfig(void);
void runstate_set_preconfig(bool on);

int system_main_loop(void);
/* One step of it, sleeping if @block and nothing is due; true = somebody asked for the end. */
bool system_main_loop_step(bool block);

/* -action / set-action */
typedef enum RebootAction { REBOOT_ACTION_RESET, REBOOT_ACTION_SHUTDOWN } RebootAction;
typedef enum ShutdownAction { SHUTDOWN_ACTION_POWEROFF, SHUTDOWN_ACTION_PAUSE } ShutdownAction;
typedef enum PanicAction { PANIC_ACTION_PAUSE, PANIC_ACTION_SHUTDOWN, PANIC_ACTION_EXIT_FAILURE, PANIC_ACTION_NONE } PanicAction;
typedef enum WatchdogAction {
    WATCHDOG_ACTION_RESET, WATCHDOG_ACTION_SHUTDOWN, WATCHDOG_ACTION_POWEROFF, WATCHDOG_ACTION_PAUSE,
    WATCHDOG_ACTION_DEBUG, WATCHDOG_ACTION_NONE, WATCHDOG_ACTION_INJECT_NMI,
} WatchdogAction;
extern WatchdogAction watchdog_action;
extern RebootAction reboot_action;
extern ShutdownAction shutdown_action;
extern PanicAction panic_action;

#endif
