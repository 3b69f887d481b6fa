/*
 * Going on: which CPUs run, which step one instruction, which stand still.
 */
#include "system/gdbstub/internal.h"

#include "system/runstate.h"

typedef enum Action { STAY, RUN, STEP } Action;

typedef struct Plan {
    GdbStub *s;
    GArray *action;             /* of uint8_t, by Vcpu.index */
    bool any, steps;
} Plan;

static void plan_init(Plan *plan, GdbStub *s)
{
    Vcpu *cpu;
    unsigned top = 0;

    *plan = (Plan){ .s = s, .action = g_array_new(false, true, 1) };
    CPU_FOREACH(cpu) {
        top = MAX(top, cpu->index + 1);
    }
    g_array_set_size(plan->action, top);
}

static uint8_t *planned(Plan *plan, const Vcpu *cpu)
{
    return &g_array_index(plan->action, uint8_t, cpu->index);
}

/* The first action that names a CPU counts. */
static void plan_set(Plan *plan, const Vcpu *cpu, Action a)
{
    if (*planned(plan, cpu) == STAY) {
        *planned(plan, cpu) = (uint8_t)a;
        plan->any = true;
        plan->steps |= a == STEP;
    }
}

static void plan_set_all(Plan *plan, Action a)
{
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        plan_set(plan, cpu, a);
    }
}

static bool is_wanted(Vcpu *cpu, void *opaque)
{
    return *planned(opaque, cpu) != STAY;
}

/* A watchpoint that another CPU met in the moment of the last stop: it is told now, before anything goes on. */
static bool tell_late_stop(GdbStub *s)
{
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        if (cpu->debug_stop == DEBUG_STOP_WATCHPOINT) {
            s->c_cpu = cpu->index;
            gdb_reply_stop(s, 5);
            return true;
        }
        cpu->debug_stop = DEBUG_STOP_NONE;
    }
    return false;
}

/* A halted CPU steps when an interrupt wakes it: that one must not be held off. */
static unsigned step_flags(const GdbStub *s, const Vcpu *cpu)
{
    bool halted = __atomic_load_n(&cpu->halted, __ATOMIC_RELAXED);

    return s->sstep & ~(halted ? SSTEP_NOIRQ | SSTEP_NOTIMER : 0);
}

static void carry_out(Plan *plan)
{
    GdbStub *s = plan->s;
    bool clock = !plan->steps || !(s->sstep & SSTEP_NOTIMER);
    Vcpu *cpu;

    if (!vm_can_run()) {
        gdb_reply_stop(s, 5);
    } else if (!tell_late_stop(s)) {
        CPU_FOREACH(cpu) {
            bool step = *planned(plan, cpu) == STEP;

            cpu->singlestep = step ? step_flags(s, cpu) : 0;
            clock |= *planned(plan, cpu) == RUN || (step && !(cpu->singlestep & SSTEP_NOTIMER));
        }
        s->waiting = true;
        vm_start_some(is_wanted, plan, clock);
    }
}

void gdb_resume(GdbStub *s, bool step)
{
    Vcpu *cpu = gdb_cpu(s->c_cpu);
    Plan plan;

    plan_init(&plan, s);
    if (step && cpu) {
        plan_set(&plan, cpu, STEP);
    }
    plan_set_all(&plan, RUN);
    carry_out(&plan);
    g_array_free(plan.action, true);
}

/* ;ACTION[:THREAD] ... */
static bool plan_parse(Plan *plan, char *p)
{
    while (gdb_take_char(&p, ';')) {
        char c = *p ? *p++ : '\0';
        Action a = c == 's' || c == 'S' ? STEP : RUN;
        GdbWhich which = GDB_ALL;
        Vcpu *cpu = NULL;
        uint64_t signal;

        if (!c || !strchr("cCsS", c) || (g_ascii_isupper(c) && !gdb_take_hex(&p, &signal))
            || (gdb_take_char(&p, ':') && !gdb_take_thread(plan->s, &p, &which, &cpu))) {
            return false;
        }
        if (which == GDB_ALL) {
            plan_set_all(plan, a);
        } else if (which == GDB_ONE || (cpu = gdb_cpu(plan->s->c_cpu))) {
            plan_set(plan, cpu, a);
        }
    }
    return !*p && plan->any;
}

void gdb_vcont(GdbStub *s, char *p)
{
    Plan plan;

    plan_init(&plan, s);
    if (plan_parse(&plan, p)) {
        carry_out(&plan);
    } else {
        gdb_reply_error(s, GDB_EINVAL);
    }
    g_array_free(plan.action, true);
}

void gdb_detach(GdbStub *s)
{
    Vcpu *cpu;

    gdb_remove_all_breakpoints(s);
    s->attached = s->waiting = false;
    CPU_FOREACH(cpu) {
        cpu->debug_stop = DEBUG_STOP_NONE;
    }
    if (vm_can_run() && !runstate_is_running()) {
        vm_start();
    }
}
