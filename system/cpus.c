/*
 * vCPU threads: one per CPU, whatever the accelerator.  A thread alternates between waiting
 * (stopped, halted, nothing to do) and the accelerator's cpu_exec, and runs queued work between.
 *
 * Invariants: a thread holds the BQL except inside cpu_exec's guest code and while it sleeps.
 * A stopped CPU (Vcpu.stopped) executes nothing, but still runs queued work.
 *
 * Locks: BQL; Vcpu.work_lock for the sleep, so that a kick needs no BQL.
 */
#include "hw/core/cpu.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "system/gdbstub.h"
#include "system/runstate.h"
#include "util/main-loop.h"
#include "util/rcu.h"

static GCond state_changed;     /* with the BQL: some CPU stopped, was created or ended */

/* Would cpu_exec have something to do? */
static bool can_run(Vcpu *cpu)
{
    if (cpu->stopped || cpu->stop || cpu->unplug) {
        return false;
    }
    return !__atomic_load_n(&cpu->halted, __ATOMIC_RELAXED) || vcpu_info(cpu)->has_work(cpu);
}

static void clear_kicked(Vcpu *cpu)
{
    g_mutex_lock(&cpu->work_lock);
    cpu->kicked = false;
    g_mutex_unlock(&cpu->work_lock);
}

/* Sleep until somebody kicks; gives the BQL up meanwhile. */
static void sleep_until_kicked(Vcpu *cpu)
{
    bql_unlock();
    g_mutex_lock(&cpu->work_lock);
    while (!cpu->kicked) {
        g_cond_wait(&cpu->halt_cond, &cpu->work_lock);
    }
    g_mutex_unlock(&cpu->work_lock);
    bql_lock();
}

static void acknowledge_stop(Vcpu *cpu)
{
    if (cpu->stop) {
        cpu->stop = false;
        cpu->stopped = true;
        g_cond_broadcast(&state_changed);
    }
}

/* Returns when the CPU may run or is to end. */
static void wait_for_something(Vcpu *cpu)
{
    for (;;) {
        clear_kicked(cpu);              /* before the conditions: a later kick ends the sleep */
        cpu_process_work(cpu);
        acknowledge_stop(cpu);
        if (cpu->unplug || can_run(cpu)) {
            return;
        }
        sleep_until_kicked(cpu);
    }
}

static void *vcpu_thread(void *opaque)
{
    Vcpu *cpu = opaque;
    Accel *accel = current_accel();

    rcu_thread_enter();
    cpu_current_set(cpu);
    bql_lock();
    cpu->host_tid = (int)syscall(SYS_gettid);
    cpu->created = true;
    g_cond_broadcast(&state_changed);
    for (;;) {
        wait_for_something(cpu);
        if (cpu->unplug) {
            break;
        }
        cpu_debug_take_over(cpu);
        accel_info(accel)->cpu_exec(accel, cpu);
        if (cpu->exception_index == EXCP_DEBUG) {
            cpu->exception_index = -1;
            gdbstub_cpu_stopped(cpu);
            vm_stop_request(RUN_STATE_DEBUG);
            cpu->stop = true;
        }
    }
    cpu->stopped = true;
    cpu->created = false;
    g_cond_broadcast(&state_changed);
    bql_unlock();
    cpu_current_set(NULL);
    rcu_thread_leave();
    return NULL;
}

void cpu_thread_create(Vcpu *cpu)
{
    g_autofree char *name = g_strdup_printf("CPU %u", cpu->index);

    assert(bql_locked());
    if (!current_accel() || !accel_info(current_accel())->cpu_exec) {
        return;                         /* qtest: nothing executes */
    }
    cpu->thread = g_thread_new(name, vcpu_thread, cpu);
    while (!cpu->created) {
        bql_cond_wait(&state_changed);
    }
}

void cpu_thread_join(Vcpu *cpu)
{
    if (!cpu->thread) {
        return;
    }
    assert(bql_locked() && cpu != cpu_current());
    cpu->unplug = true;
    cpu_kick(cpu);
    while (cpu->created) {
        bql_cond_wait(&state_changed);
    }
    bql_unlock();
    g_thread_join(cpu->thread);
    bql_lock();
    cpu->thread = NULL;
    cpu->unplug = false;
}

void cpu_resume(Vcpu *cpu)
{
    assert(bql_locked());
    cpu->stop = false;
    cpu->stopped = false;
    cpu_kick(cpu);
}

void cpus_resume_all(void)
{
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        cpu_resume(cpu);
    }
}

static bool all_stopped(void)
{
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        if (cpu->created && !cpu->stopped) {
            return false;
        }
    }
    return true;
}

void cpus_pause_all(void)
{
    Vcpu *cpu;

    assert(bql_locked());
    CPU_FOREACH(cpu) {
        if (cpu == cpu_current()) {
            cpu->stop = false;
            cpu->stopped = true;        /* it is here, so it is not in guest code */
        } else if (!cpu->stopped) {
            cpu->stop = true;
        }
        cpu_kick(cpu);
    }
    while (!all_stopped()) {
        bql_cond_wait(&state_changed);
    }
}
