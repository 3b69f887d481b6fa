/*
 * Guests whose kernel mode the host's KVM would interpret: the translator runs them, and KVM their user mode.
 *
 * Handing over costs some tens of microseconds, and page faults more: it pays for programs that compute, not for those
 * that call their kernel all the time.  So a timer looks now and then: a program that has run for a whole period without
 * entering its kernel is handed over.  If it then runs long, it is handed over at once when its kernel returns to it,
 * until a stay was short.  Stays that come to nothing, one after the other, make the period longer.
 *
 * Locks: BQL; the translator's loop and the kernel run without.
 */
#include "kvm-internal.h"

#include "accel/tcg/assist.h"
#include "system/runstate.h"
#include "util/main-loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_NS       1000000
#define PERIOD_MAX_NS   32000000        /* after many stays that were short */
#define LONG_STAY_NS    500000
#define SHORT_STAY_NS   200000

typedef struct KvmNative {
    Vcpu *cpu;
    const KvmCpuOps *ops;

    /* owner thread */
    timer_t timer;
    bool timer_made;
    uint64_t epoch;             /* when the timer was set */
    bool leaving;               /* the translator was left to hand over */
    bool eager;
    long period_ns;             /* of the timer */
    KvmNativeCounts counts;     /* read by others for `info kvm` */

    /* atomic */
    bool ticked;
} KvmNative;

static __thread KvmNative *native_here;         /* of this thread's vCPU; for the signal handler */

static void on_tick(int sig)
{
    KvmNative *n = native_here;
    int saved = errno;

    if (n) {
        __atomic_store_n(&n->ticked, true, __ATOMIC_SEQ_CST);
        kvm_translator_kick(n->cpu);
    }
    errno = saved;
}

void kvm_native_init(void)
{
    struct sigaction sa = { .sa_handler = on_tick, .sa_flags = SA_RESTART };

    sigaction(KVM_TICK_SIGNAL, &sa, NULL);
}

static void set_timer(KvmNative *n, long ns)
{
    const struct itimerspec when = { .it_value.tv_nsec = ns };

    __atomic_store_n(&n->ticked, false, __ATOMIC_SEQ_CST);
    n->epoch = n->ops->native_epoch(n->cpu);
    timer_settime(n->timer, 0, &when, NULL);
}

static bool make_timer(KvmNative *n)
{
    struct sigevent e = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KVM_TICK_SIGNAL };

    e._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    n->timer_made = timer_create(CLOCK_MONOTONIC, &e, &n->timer) == 0;
    return n->timer_made;
}

/* The translator asks between two blocks. */
static bool leave(Vcpu *cpu)
{
    KvmNative *n = cpu->kvm->native;
    bool ticked = __atomic_load_n(&n->ticked, __ATOMIC_RELAXED), same;

    if (likely(!ticked && !n->eager)) {
        return false;
    }
    same = n->ops->native_epoch(cpu) == n->epoch;
    if ((n->eager || same) && n->ops->native_ready(cpu)) {
        n->leaving = true;
        return true;
    }
    if (ticked) {
        set_timer(n, n->period_ns);
    }
    return false;
}

static void expel(Vcpu *cpu)
{
    syscall(SYS_tgkill, getpid(), cpu->host_tid, KVM_KICK_SIGNAL);
}

static const TcgAssistOps assist_ops = { .leave = leave, .expel = expel };

bool kvm_native_realize(KvmAccel *a, Vcpu *cpu, Error **errp)
{
    KvmNative *n;

    if (!tcg_assist_attach(a->assist.translator, cpu, errp)) {
        return false;
    }
    n = cpu->kvm->native = g_new0(KvmNative, 1);
    n->cpu = cpu;
    n->ops = vcpu_info(cpu)->kvm;
    n->period_ns = PERIOD_NS;
    tcg_assist_set_ops(cpu, &assist_ops);
    return true;
}

void kvm_native_unrealize(Vcpu *cpu)
{
    KvmNative *n = cpu->kvm->native;

    if (n && n->timer_made) {
        timer_delete(n->timer);
    }
    g_clear_pointer(&cpu->kvm->native, g_free);
}

static void note_stay(KvmNative *n, uint64_t ns)
{
    bool eager = ns >= LONG_STAY_NS || (n->eager && ns >= SHORT_STAY_NS);

    n->period_ns = ns >= SHORT_STAY_NS ? PERIOD_NS : MIN(2 * n->period_ns, PERIOD_MAX_NS);
    if (eager != n->eager) {
        n->eager = eager;
        n->ops->native_eager(n->cpu, eager);
    }
}

static bool hand_over(KvmNative *n)
{
    uint64_t before = n->counts.ns;
    bool ok;

    set_timer(n, 0);
    ok = n->ops->native_run(n->cpu, n->cpu->kvm->run, &n->counts);
    note_stay(n, n->counts.ns - before);
    set_timer(n, n->period_ns);
    return ok;
}

void kvm_native_exec(KvmAccel *a, Vcpu *cpu)
{
    KvmNative *n = cpu->kvm->native;

    native_here = n;
    if (!n->timer_made && !make_timer(n)) {
        error_report("CPU %u: no timer: %s", cpu->index, g_strerror(errno));
        vm_stop_request(RUN_STATE_INTERNAL_ERROR);
        cpu->stop = true;
        return;
    }
    set_timer(n, n->period_ns);
    do {
        n->leaving = false;
        tcg_assist_exec(cpu);
    } while (n->leaving && hand_over(n));
    set_timer(n, 0);
}

void kvm_native_info(FILE *f)
{
    KvmNativeCounts sum = { 0 };
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        const KvmNativeCounts *c = cpu->kvm && cpu->kvm->native ? &cpu->kvm->native->counts : NULL;

        sum.stays += c ? c->stays : 0;
        sum.runs += c ? c->runs : 0;
        sum.system_calls += c ? c->system_calls : 0;
        sum.exceptions += c ? c->exceptions : 0;
        sum.pages += c ? c->pages : 0;
        sum.restarts += c ? c->restarts : 0;
        sum.recycles += c ? c->recycles : 0;
        sum.ns += c ? c->ns : 0;
    }
    fprintf(f, "this host's KVM interprets kernel mode: the translator runs the guest, KVM its user mode\n"
            "user mode stays %" PRIu64 ", runs %" PRIu64 ", %" PRIu64 " us\n"
            "user mode ended by system calls %" PRIu64 ", by exceptions %" PRIu64 "\n"
            "user pages mapped at faults %" PRIu64 ", page tables restarted %" PRIu64 ", recycled %" PRIu64 "\n",
            sum.stays, sum.runs, sum.ns / 1000, sum.system_calls, sum.exceptions, sum.pages, sum.restarts, sum.recycles);
}
