/*
 * The machine's run state: running and stopping the virtual CPUs, and the requests (reset, shutdown,
 * power button, suspend, stop) that any thread may make and the main loop carries out.
 *
 * Invariants:
 *  I1  vCPUs execute only in state "running"
 *  I2  a request is taken by exactly one pass of the main loop; a second one before that pass adds nothing
 *  I3  events are sent in the order in which a client must see them: SHUTDOWN before STOP, RESET after
 *      the machine was reset, RESUME after the CPUs run
 *  I4  in state "suspended" no CPU runs, but guest time does; `asleep` only while such a machine is stopped
 *
 * Locks: state under the BQL, but query-status may run out of band: it reads atomically; `requests` is atomic,
 * so that signal handlers and vCPU threads may ask.
 */
#include "system/runstate.h"

#include "hw/core/machine.h"
#include "qapi/qapi-commands.h"
#include "qapi/qapi-events.h"
#include "system/block.h"
#include "system/dump.h"
#include "util/main-loop.h"
#include "util/timer.h"
#include "system/trace.h"

#include <signal.h>


/* The hand-written enumerations are the schema's. */
#define SAME(a, b) _Static_assert((int)(a) == (int)(b), "enumerations agree")
SAME(RUN_STATE_MAX, QAPI_RUN_STATE__MAX);
SAME(RUN_STATE_RUNNING, QAPI_RUN_STATE_RUNNING);
SAME(RUN_STATE_COLO, QAPI_RUN_STATE_COLO);
SAME(SHUTDOWN_CAUSE_GUEST_RESET, QAPI_SHUTDOWN_CAUSE_GUEST_RESET);
SAME(SHUTDOWN_CAUSE_SNAPSHOT_LOAD, QAPI_SHUTDOWN_CAUSE_SNAPSHOT_LOAD);
SAME(REBOOT_ACTION_SHUTDOWN, QAPI_REBOOT_ACTION_SHUTDOWN);
SAME(SHUTDOWN_ACTION_PAUSE, QAPI_SHUTDOWN_ACTION_PAUSE);
SAME(PANIC_ACTION_NONE, QAPI_PANIC_ACTION_NONE);
SAME(WATCHDOG_ACTION_INJECT_NMI, QAPI_WATCHDOG_ACTION_INJECT_NMI);

RebootAction reboot_action = REBOOT_ACTION_RESET;
ShutdownAction shutdown_action = SHUTDOWN_ACTION_POWEROFF;
PanicAction panic_action = PANIC_ACTION_SHUTDOWN;
WatchdogAction watchdog_action = WATCHDOG_ACTION_RESET;

/* What any thread may ask for; each is taken by exchanging it with "nothing". */
static struct {
    int reset, shutdown;        /* ShutdownCause; NONE = not asked */
    int stop;                   /* RunState + 1; 0 = not asked */
    int powerdown, suspend;
    int wakeup;                 /* WakeupReason + 1; 0 = not asked */
    int exit;                   /* the process is to end, whatever -no-shutdown says */
} requests;

static RunState state = RUN_STATE_PRELAUNCH;
static int exit_status;
static bool by_signal;          /* a host signal overrides -no-shutdown */

typedef struct Notifier {
    VmStateFn *on_state;
    void (*on_event)(void *opaque);
    void (*on_wakeup)(void *opaque, WakeupReason reason);
    void *opaque;
} Notifier;

static GArray *state_notifiers, *powerdown_notifiers, *suspend_notifiers, *wakeup_notifiers;

static bool wakeup_supported, asleep;
static unsigned wakeup_enabled = 1u << WAKEUP_REASON_OTHER;    /* bit per WakeupReason */

static void notifier_add(GArray **list, Notifier n)
{
    if (!*list) {
        *list = g_array_new(false, false, sizeof(Notifier));
    }
    g_array_append_val(*list, n);
}

static void notify(const GArray *list)
{
    for (unsigned i = 0; list && i < list->len; i++) {
        const Notifier *n = &g_array_index(list, Notifier, i);

        n->on_event(n->opaque);
    }
}

void vm_state_notify_add(VmStateFn *fn, void *opaque)
{
    notifier_add(&state_notifiers, (Notifier){ .on_state = fn, .opaque = opaque });
}

void vm_state_notify_remove(VmStateFn *fn, void *opaque)
{
    for (unsigned i = 0; state_notifiers && i < state_notifiers->len; i++) {
        const Notifier *n = &g_array_index(state_notifiers, Notifier, i);

        if (n->on_state == fn && n->opaque == opaque) {
            g_array_remove_index(state_notifiers, i);
            return;
        }
    }
}

void system_powerdown_notify_add(void (*fn)(void *opaque), void *opaque)
{
    notifier_add(&powerdown_notifiers, (Notifier){ .on_event = fn, .opaque = opaque });
}

void system_suspend_notify_add(void (*fn)(void *opaque), void *opaque)
{
    notifier_add(&suspend_notifiers, (Notifier){ .on_event = fn, .opaque = opaque });
}

void system_wakeup_notify_add(void (*fn)(void *opaque, WakeupReason reason), void *opaque)
{
    notifier_add(&wakeup_notifiers, (Notifier){ .on_wakeup = fn, .opaque = opaque });
}

/* --- state --- */

RunState runstate_get(void)
{
    return state;
}

bool runstate_is_running(void)
{
    return state == RUN_STATE_RUNNING;
}

const char *runstate_name(RunState s)
{
    return qapi_run_state_str((QapiRunState)s);
}

void runstate_set(RunState s)
{
    assert(s < RUN_STATE_MAX);
    trace_runstate_set(state, runstate_name(state), s, runstate_name(s));
    __atomic_store_n(&state, s, __ATOMIC_RELEASE);
}

static bool preconfig;

bool runstate_is_preconfig(void)
{
    return preconfig;
}

void runstate_set_preconfig(bool on)
{
    preconfig = on;
}

static void notify_state(bool running)
{
    trace_vm_state_notify(running, state, runstate_name(state));
    for (unsigned i = 0; state_notifiers && i < state_notifiers->len; i++) {
        const Notifier *n = &g_array_index(state_notifiers, Notifier, i);

        n->on_state(n->opaque, running, state);
    }
}

void vm_start(void)
{
    if (runstate_is_running()) {
        return;
    }
    runstate_set(asleep ? RUN_STATE_SUSPENDED : RUN_STATE_RUNNING);
    clock_virtual_enable(true);
    notify_state(true);
    if (!asleep) {
        cpus_resume_all();
    }
    asleep = false;
    qapi_event_send_resume();
}

void vm_stop(RunState s)
{
    bool was_running = runstate_is_running(), was_suspended = state == RUN_STATE_SUSPENDED;

    if (was_running) {
        cpus_pause_all();
    }
    if (was_running || was_suspended) {
        clock_virtual_enable(false);
    }
    asleep |= was_suspended;
    runstate_set(s);
    if (was_running || was_suspended) {
        notify_state(false);
        block_flush_all();
        qapi_event_send_stop();
    }
}

/* --- requests --- */

static void ask(int *request, int value)
{
    __atomic_store_n(request, value, __ATOMIC_SEQ_CST);
    main_loop_wake();
}

static int take(int *request)
{
    return __atomic_exchange_n(request, 0, __ATOMIC_SEQ_CST);
}

bool vm_can_run(void)
{
    return state != RUN_STATE_SHUTDOWN && state != RUN_STATE_INTERNAL_ERROR && state != RUN_STATE_GUEST_PANICKED
        && state != RUN_STATE_SUSPENDED && !asleep && !dump_in_progress();
}

void vm_start_some(bool (*wanted)(Vcpu *cpu, void *opaque), void *opaque, bool with_clock)
{
    Vcpu *cpu;

    assert(!runstate_is_running() && vm_can_run());
    take(&requests.stop);               /* asked by another CPU that hit something before this start: obsolete */
    runstate_set(RUN_STATE_RUNNING);
    clock_virtual_enable(with_clock);
    notify_state(true);
    CPU_FOREACH(cpu) {
        if (wanted(cpu, opaque)) {
            cpu_resume(cpu);
        }
    }
    qapi_event_send_resume();
}

void system_reset_request(ShutdownCause cause)
{
    bool ends = reboot_action == REBOOT_ACTION_SHUTDOWN && cause != SHUTDOWN_CAUSE_SUBSYSTEM_RESET;

    trace_system_reset_request(cause);
    ask(ends ? &requests.shutdown : &requests.reset, cause);
}

void system_shutdown_request(ShutdownCause cause)
{
    trace_qemu_system_shutdown_request(cause);
    ask(&requests.shutdown, cause);
}

void system_shutdown_request_with_code(ShutdownCause cause, int status)
{
    __atomic_store_n(&exit_status, status, __ATOMIC_SEQ_CST);
    system_shutdown_request(cause);
}

void system_powerdown_request(void)
{
    trace_qemu_system_powerdown_request(state);
    ask(&requests.powerdown, 1);
}

void system_suspend_request(void)
{
    ask(&requests.suspend, 1);
}

void system_suspend_disk_request(void)
{
    qapi_event_send_suspend_disk();
    system_shutdown_request(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
}

void system_wakeup_enable(WakeupReason reason, bool on)
{
    wakeup_enabled = deposit32(wakeup_enabled, reason, 1, on);
}

void system_wakeup_support(void)
{
    wakeup_supported = true;
}

bool system_wakeup_request(WakeupReason reason, Error **errp)
{
    trace_system_wakeup_request(reason);
    if (state != RUN_STATE_SUSPENDED) {
        error_setg(errp, "Unable to wake up: guest is not in suspended state");
        return false;
    }
    if (!(wakeup_enabled & 1u << reason)) {
        error_setg(errp, "Unable to wake up: the guest does not want to be woken for this");
        return false;
    }
    ask(&requests.wakeup, (int)reason + 1);
    return true;
}

void vm_stop_request(RunState s)
{
    ask(&requests.stop, (int)s + 1);
}

/* Under -no-shutdown a panic that would end the process stops the machine instead. */
static PanicAction effective_panic_action(void)
{
    return panic_action == PANIC_ACTION_SHUTDOWN && shutdown_action == SHUTDOWN_ACTION_PAUSE ? PANIC_ACTION_PAUSE : panic_action;
}

void system_guest_panicked(void)
{
    switch (effective_panic_action()) {
    case PANIC_ACTION_PAUSE:
        qapi_event_send_guest_panicked(QAPI_GUEST_PANIC_ACTION_PAUSE);
        vm_stop_request(RUN_STATE_GUEST_PANICKED);
        break;
    case PANIC_ACTION_SHUTDOWN:
    case PANIC_ACTION_EXIT_FAILURE:
        qapi_event_send_guest_panicked(QAPI_GUEST_PANIC_ACTION_POWEROFF);
        vm_stop_request(RUN_STATE_GUEST_PANICKED);
        system_shutdown_request_with_code(SHUTDOWN_CAUSE_GUEST_PANIC,
            panic_action == PANIC_ACTION_EXIT_FAILURE ? EXIT_FAILURE : EXIT_SUCCESS);
        break;
    case PANIC_ACTION_NONE:
        qapi_event_send_guest_panicked(QAPI_GUEST_PANIC_ACTION_RUN);
        break;
    }
}

void system_watchdog_expired(void)
{
    trace_system_watchdog_expired(watchdog_action);
    qapi_event_send_watchdog((QapiWatchdogAction)watchdog_action);
    switch (watchdog_action) {
    case WATCHDOG_ACTION_RESET:
        system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
        break;
    case WATCHDOG_ACTION_SHUTDOWN:
        system_powerdown_request();
        break;
    case WATCHDOG_ACTION_POWEROFF:
        ask(&requests.exit, 1);
        break;
    case WATCHDOG_ACTION_PAUSE:
        vm_stop_request(RUN_STATE_WATCHDOG);
        break;
    case WATCHDOG_ACTION_DEBUG:
        fprintf(stderr, "watchdog: timer fired\n");
        break;
    case WATCHDOG_ACTION_NONE:
        break;
    case WATCHDOG_ACTION_INJECT_NMI:
        (void)!machine_inject_nmi(current_machine(), NULL);     /* QEMU too ignores boards without */
        break;
    }
}

void system_guest_crashloaded(void)
{
    qapi_event_send_guest_crashloaded(QAPI_GUEST_PANIC_ACTION_RUN);
}

/* --- carrying them out --- */

static bool cause_is_guest(ShutdownCause cause)
{
    return cause >= SHUTDOWN_CAUSE_GUEST_SHUTDOWN && cause <= SHUTDOWN_CAUSE_GUEST_PANIC;
}

static void do_reset(ShutdownCause cause)
{
    bool running = runstate_is_running();

    if (running) {
        cpus_pause_all();
    } else if (state == RUN_STATE_SUSPENDED) {
        clock_virtual_enable(false);
    }
    asleep = false;
    if (current_machine()) {
        machine_reset(current_machine(), RESET_COLD);
    }
    if (cause != SHUTDOWN_CAUSE_SUBSYSTEM_RESET) {
        qapi_event_send_reset(cause_is_guest(cause), (QapiShutdownCause)cause);
    }
    if (running) {
        cpus_resume_all();
    } else if (state != RUN_STATE_PRELAUNCH && state != RUN_STATE_INMIGRATE && state != RUN_STATE_FINISH_MIGRATE) {
        runstate_set(RUN_STATE_PAUSED);     /* a machine that was shut down may run again */
    }
}

/* True = the process is to end. */
static bool do_shutdown(ShutdownCause cause)
{
    qapi_event_send_shutdown(cause_is_guest(cause), (QapiShutdownCause)cause);
    if (shutdown_action == SHUTDOWN_ACTION_PAUSE && !__atomic_load_n(&by_signal, __ATOMIC_SEQ_CST)) {
        vm_stop(RUN_STATE_SHUTDOWN);
        return false;
    }
    return true;
}

static void do_suspend(void)
{
    if (runstate_is_running()) {
        cpus_pause_all();               /* guest time goes on: an alarm may wake it */
        notify(suspend_notifiers);
        runstate_set(RUN_STATE_SUSPENDED);
        qapi_event_send_suspend();
    }
}

static void do_wakeup(WakeupReason reason)
{
    Machine *m = current_machine();

    if (state != RUN_STATE_SUSPENDED) {
        return;                         /* reset or stopped since it was asked */
    }
    if (m) {
        machine_reset(m, RESET_WAKEUP);
    }
    for (unsigned i = 0; wakeup_notifiers && i < wakeup_notifiers->len; i++) {
        const Notifier *n = &g_array_index(wakeup_notifiers, Notifier, i);

        n->on_wakeup(n->opaque, reason);
    }
    runstate_set(RUN_STATE_RUNNING);
    cpus_resume_all();
    qapi_event_send_wakeup();
}

static void do_powerdown(void)
{
    Machine *m = current_machine();

    qapi_event_send_powerdown();
    notify(powerdown_notifiers);
    if (m) {
        irq_pulse(m->power_button);
    }
}

/* True = the process is to end. */
static bool handle_requests(void)
{
    int r;

    if (take(&requests.exit)) {
        return true;
    }
    if (take(&requests.suspend)) {
        do_suspend();
    }
    if ((r = take(&requests.shutdown)) && do_shutdown((ShutdownCause)r)) {
        return true;
    }
    if ((r = take(&requests.reset))) {
        do_reset((ShutdownCause)r);
    }
    if ((r = take(&requests.wakeup))) {
        do_wakeup((WakeupReason)(r - 1));
    }
    if (take(&requests.powerdown)) {
        do_powerdown();
    }
    if ((r = take(&requests.stop))) {
        vm_stop((RunState)(r - 1));
    }
    return false;
}

bool system_main_loop_step(bool block)
{
    if (handle_requests()) {
        return true;
    }
    main_loop_step(block);
    return false;
}

int system_main_loop(void)
{
    while (!system_main_loop_step(true)) {
    }
    return __atomic_load_n(&exit_status, __ATOMIC_SEQ_CST);
}

/* --- host signals --- */

static void on_signal(int sig)
{
    int saved = errno;

    __atomic_store_n(&by_signal, true, __ATOMIC_SEQ_CST);
    ask(&requests.shutdown, SHUTDOWN_CAUSE_HOST_SIGNAL);
    errno = saved;
}

void system_signals_init(void)
{
    struct sigaction act = { .sa_handler = on_signal };
    static const int ending[] = { SIGTERM, SIGINT, SIGHUP };

    for (unsigned i = 0; i < ARRAY_SIZE(ending); i++) {
        sigaction(ending[i], &act, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);       /* a limit on file sizes (RLIMIT_FSIZE) fails one write, not the machine */
}

/* --- QMP --- */

QapiStatusInfo *qmp_query_status(Error **errp)
{
    QapiStatusInfo *info = g_new0(QapiStatusInfo, 1);

    info->status = (QapiRunState)__atomic_load_n(&state, __ATOMIC_ACQUIRE);
    info->running = info->status == QAPI_RUN_STATE_RUNNING;
    return info;
}

bool qmp_set_action(const QapiSetActionArgs *args, Error **errp)
{
    if (args->has_reboot) {
        reboot_action = (RebootAction)args->reboot;
    }
    if (args->has_shutdown) {
        shutdown_action = (ShutdownAction)args->shutdown;
    }
    if (args->has_panic) {
        panic_action = (PanicAction)args->panic;
    }
    if (args->has_watchdog) {
        watchdog_action = (WatchdogAction)args->watchdog;
    }
    return true;
}

bool qmp_watchdog_set_action(const QapiWatchdogSetActionArgs *args, Error **errp)
{
    watchdog_action = (WatchdogAction)args->action;
    return true;
}

bool qmp_inject_nmi(Error **errp)
{
    return machine_inject_nmi(current_machine(), errp);
}

bool qmp_stop(Error **errp)
{
    if (runstate_is_running() || state == RUN_STATE_SUSPENDED) {
        vm_stop(RUN_STATE_PAUSED);
    } else if (state != RUN_STATE_PRELAUNCH) {
        runstate_set(RUN_STATE_PAUSED);
    }
    return true;
}

bool qmp_cont(Error **errp)
{
    if (dump_in_progress()) {
        error_setg(errp, "there is a dump in process, please wait");
        return false;
    }
    if (state == RUN_STATE_SHUTDOWN || state == RUN_STATE_INTERNAL_ERROR || state == RUN_STATE_GUEST_PANICKED) {
        error_setg(errp, "Resetting the Virtual Machine is required");
        return false;
    }
    if (state == RUN_STATE_SUSPENDED) {
        error_setg(errp, "The guest is suspended: wake it up instead");
        return false;
    }
    vm_start();
    return true;
}

bool qmp_system_reset(Error **errp)
{
    system_reset_request(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    return true;
}

bool qmp_system_powerdown(Error **errp)
{
    system_powerdown_request();
    return true;
}

bool qmp_system_wakeup(Error **errp)
{
    if (!wakeup_supported) {
        error_setg(errp, "wake-up from suspend is not supported by this guest");
        return false;
    }
    return system_wakeup_request(WAKEUP_REASON_OTHER, errp);
}

QapiCurrentMachineParams *qmp_query_current_machine(Error **errp)
{
    QapiCurrentMachineParams *p = g_new0(QapiCurrentMachineParams, 1);

    p->wakeup_suspend_support = wakeup_supported;
    return p;
}

bool qmp_quit(Error **errp)
{
    shutdown_action = SHUTDOWN_ACTION_POWEROFF;
    system_shutdown_request(SHUTDOWN_CAUSE_HOST_QMP_QUIT);
    return true;
}
