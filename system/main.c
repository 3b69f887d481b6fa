/*
 * Entry point: from arguments to a running machine and back to an exit status.
 *
 * Nothing is done before it is needed: whoever only asks for help pays for no machine, and a machine
 * that runs nothing ("none") answers QMP within milliseconds of exec.
 */
#include "system/cli/cli.h"

#include "hw/core/machine.h"
#include "system/block.h"
#include "system/chardev.h"
#include "system/gdbstub.h"
#include "system/job.h"
#include "system/memory.h"
#include "system/monitor.h"
#include "system/net.h"
#include "system/runstate.h"
#include "util/log.h"
#include "util/main-loop.h"
#include "util/rcu.h"

#include <sys/prctl.h>

static G_NORETURN void fail(Error *err)
{
    error_report_err(err);
    net_cleanup();
    chardev_cleanup_all();
    pidfile_remove();
    exit(1);
}

/* -d, -D, -dfilter, -name process=. */
static bool setup_process(const Options *o, Error **errp)
{
    unsigned mask = 0;

    if (o->name && o->name->process) {
        prctl(PR_SET_NAME, o->name->process);
    }
    if (o->log_items && !log_parse_items(o->log_items, &mask, errp)) {
        return false;
    }
    if ((o->log_file && !log_set_file(o->log_file, errp)) || (o->log_filter && !log_set_filter(o->log_filter, errp))) {
        return false;
    }
    log_mask = mask;
    options_misc_take_effect(o);
    return !o->daemonize || daemon_start(errp);
}

static void start(const Options *o)
{
    machine_reset(current_machine(), RESET_COLD);
    if (!o->paused) {
        vm_start();
    }
    daemon_ready();
}

/* The machine, from all that was said; whoever waits is told. */
static void build_and_start(Options *o)
{
    Error *err = NULL;

    if (!build_the_machine(o, &err) || (o->pidfile && !pidfile_create(o->pidfile, &err))
        || !daemon_leave(&err) || !process_confine(o, &err)) {
        fail(err);
    }
    start(o);
}

static void clean_up(int status)
{
    if (runstate_is_running()) {
        cpus_pause_all();               /* no STOP event: the process ends */
    }
    accel_finish();
    gdbstub_exit(status);
    job_cancel_all();
    block_close_all();
    net_cleanup();
    monitor_flush_all();
    chardev_cleanup_all();
    pidfile_remove();
}

int main(int argc, char **argv)
{
    g_autofree char *program = g_path_get_basename(argv[0]);
    static Options o;               /* what was said lives as long as the process */
    Error *err = NULL;
    int status = 0;

    error_program_name_set(program);
    if (!options_parse(&o, argc, argv, &err)) {
        fail(err);
    }
    if (o.done) {
        return 0;
    }
    if (!setup_process(&o, &err)) {
        fail(err);
    }
    rcu_thread_enter();
    bql_lock();
    main_loop_init();
    system_signals_init();
    memory_spaces_init();
    identity_set(&o);
    if (!process_prepare(&o, &err) || !build_before_machine(&o, &err)) {
        fail(err);
    }
    if (!o.preconfig) {
        build_and_start(&o);
        status = system_main_loop();
    } else if (preconfig_wait(build_and_start, &o)) {
        status = system_main_loop();
    }
    clean_up(status);
    return status;
}
