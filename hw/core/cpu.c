/*
 * The virtual CPU as a device, the list of all of them, and how others reach one: interrupt
 * requests, kicks, work to be run on its thread.
 *
 * Invariants: the list is compact and in index order; it changes under the BQL and is read
 * anywhere (a reader outside the BQL may see a CPU once more that is being removed, never a
 * dangling hole).  A kick after a condition was made true is never lost: the thread clears
 * Vcpu.kicked before it looks at its conditions.
 *
 * Locks: BQL, then Vcpu.work_lock (innermost).
 */
#include "hw/core/machine.h"

#include "util/main-loop.h"

#define CPU_LIST_MAX 4096       /* far above what any board allows */

typedef struct CpuList {
    Vcpu *cpu[CPU_LIST_MAX + 1];        /* NULL-ended; atomic */
    unsigned n;                         /* BQL */
} CpuList;

static CpuList cpu_list;
static __thread Vcpu *this_cpu;

/* --- the list --- */

unsigned cpu_count(void)
{
    return __atomic_load_n(&cpu_list.n, __ATOMIC_ACQUIRE);
}

Vcpu *cpu_at(unsigned position)
{
    return position < CPU_LIST_MAX ? __atomic_load_n(&cpu_list.cpu[position], __ATOMIC_ACQUIRE) : NULL;
}

Vcpu *cpu_by_index(unsigned index)
{
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        if (cpu->index == index) {
            return cpu;
        }
    }
    return NULL;
}

Vcpu *cpu_current(void)
{
    return this_cpu;
}

void cpu_current_set(Vcpu *cpu)
{
    this_cpu = cpu;
}

/* Lowest index that no CPU has. */
static unsigned free_index(void)
{
    unsigned i = 0;

    while (i < cpu_list.n && cpu_list.cpu[i]->index == i) {
        i++;
    }
    return i;
}

void cpu_list_add(Vcpu *cpu)
{
    unsigned pos = 0;

    assert(bql_locked() && cpu_list.n < CPU_LIST_MAX);
    if (cpu->index == CPU_NO_INDEX) {
        cpu->index = free_index();
    }
    while (pos < cpu_list.n && cpu_list.cpu[pos]->index < cpu->index) {
        pos++;
    }
    assert(pos == cpu_list.n || cpu_list.cpu[pos]->index != cpu->index);
    for (unsigned i = cpu_list.n; i > pos; i--) {
        __atomic_store_n(&cpu_list.cpu[i], cpu_list.cpu[i - 1], __ATOMIC_RELEASE);
    }
    __atomic_store_n(&cpu_list.cpu[pos], cpu, __ATOMIC_RELEASE);
    __atomic_store_n(&cpu_list.n, cpu_list.n + 1, __ATOMIC_RELEASE);
}

void cpu_list_remove(Vcpu *cpu)
{
    unsigned pos = 0;

    assert(bql_locked());
    while (pos < cpu_list.n && cpu_list.cpu[pos] != cpu) {
        pos++;
    }
    if (pos == cpu_list.n) {
        return;
    }
    for (unsigned i = pos; i < cpu_list.n; i++) {
        __atomic_store_n(&cpu_list.cpu[i], cpu_list.cpu[i + 1], __ATOMIC_RELEASE);
    }
    __atomic_store_n(&cpu_list.n, cpu_list.n - 1, __ATOMIC_RELEASE);
}

/* --- interrupts and kicks --- */

void cpu_kick(Vcpu *cpu)
{
    const Accel *accel = current_accel();

    g_mutex_lock(&cpu->work_lock);
    cpu->kicked = true;
    g_cond_signal(&cpu->halt_cond);
    g_mutex_unlock(&cpu->work_lock);
    if (accel && accel_info(accel)->cpu_kick) {
        accel_info(accel)->cpu_kick((Accel *)accel, cpu);
    }
}

void cpu_interrupt(Vcpu *cpu, uint32_t mask)
{
    assert(bql_locked());
    __atomic_fetch_or(&cpu->interrupt_request, mask, __ATOMIC_SEQ_CST);
    cpu_kick(cpu);
}

void cpu_reset_interrupt(Vcpu *cpu, uint32_t mask)
{
    assert(bql_locked());
    __atomic_fetch_and(&cpu->interrupt_request, ~mask, __ATOMIC_SEQ_CST);
}

/* --- work --- */

typedef struct CpuWork {
    CpuWorkFn *fn;
    void *opaque;
    bool *done;                 /* on the waiter's stack; NULL: nobody waits */
} CpuWork;

static GCond work_done;         /* with the BQL */

static void work_push(Vcpu *cpu, CpuWorkFn *fn, void *opaque, bool *done)
{
    CpuWork *w = g_new(CpuWork, 1);

    *w = (CpuWork){ fn, opaque, done };
    g_mutex_lock(&cpu->work_lock);
    g_queue_push_tail(&cpu->work, w);
    __atomic_fetch_add(&cpu->n_work, 1, __ATOMIC_SEQ_CST);
    g_mutex_unlock(&cpu->work_lock);
    cpu_kick(cpu);
}

void async_run_on_cpu(Vcpu *cpu, CpuWorkFn *fn, void *opaque)
{
    work_push(cpu, fn, opaque, NULL);
}

void run_on_cpu(Vcpu *cpu, CpuWorkFn *fn, void *opaque)
{
    bool done = false;

    assert(bql_locked());
    if (cpu == this_cpu || !cpu->created) {
        fn(cpu, opaque);
        return;
    }
    work_push(cpu, fn, opaque, &done);
    while (!done) {
        bql_cond_wait(&work_done);
    }
}

static void nothing(Vcpu *cpu, void *opaque)
{
}

void cpu_synchronize(Vcpu *cpu)
{
    if (current_accel() && accel_info(current_accel())->keeps_state && !cpu->stopped) {
        run_on_cpu(cpu, nothing, NULL);
    }
}

bool cpu_work_pending(Vcpu *cpu)
{
    return __atomic_load_n(&cpu->n_work, __ATOMIC_RELAXED) != 0;
}

static CpuWork *work_pop(Vcpu *cpu)
{
    CpuWork *w;

    g_mutex_lock(&cpu->work_lock);
    w = g_queue_pop_head(&cpu->work);
    if (w) {
        __atomic_fetch_sub(&cpu->n_work, 1, __ATOMIC_SEQ_CST);
    }
    g_mutex_unlock(&cpu->work_lock);
    return w;
}

void cpu_process_work(Vcpu *cpu)
{
    CpuWork *w;

    while (cpu_work_pending(cpu) && (w = work_pop(cpu)) != NULL) {
        w->fn(cpu, w->opaque);
        if (w->done) {
            *w->done = true;
            g_cond_broadcast(&work_done);
        }
        g_free(w);
    }
}

/* --- the device --- */

static void cpu_init(Object *obj)
{
    Vcpu *cpu = VCPU(obj);

    cpu->index = CPU_NO_INDEX;
    cpu->exception_index = -1;
    cpu->stopped = true;
    g_mutex_init(&cpu->work_lock);
    g_cond_init(&cpu->halt_cond);
    g_queue_init(&cpu->work);
    cpu->breakpoints = g_array_new(false, false, sizeof(vaddr));
}

static void cpu_fini(Object *obj)
{
    Vcpu *cpu = VCPU(obj);
    CpuWork *w;

    while ((w = work_pop(cpu)) != NULL) {
        g_free(w);
    }
    g_array_free(cpu->breakpoints, true);
    g_cond_clear(&cpu->halt_cond);
    g_mutex_clear(&cpu->work_lock);
}

static bool cpu_realize(Device *dev, Error **errp)
{
    Vcpu *cpu = VCPU(dev);
    Accel *accel = current_accel();
    const Machine *m = current_machine();

    if (m && !machine_info(m)->hotplug_handler) {
        error_setg(errp, "machine '%s' takes no CPUs", machine_info(m)->machine_name);
        return false;
    }
    cpu->env = (char *)cpu + vcpu_info(cpu)->env_offset;
    if (!cpu->as) {
        cpu->as = &address_space_memory;
    }
    cpu_list_add(cpu);
    cpu->debug_changed = cpu_debug_supported();
    if (accel && accel_info(accel)->cpu_realize && !accel_info(accel)->cpu_realize(accel, cpu, errp)) {
        cpu_list_remove(cpu);
        return false;
    }
    cpu_thread_create(cpu);
    return true;
}

static void cpu_unrealize(Device *dev)
{
    Vcpu *cpu = VCPU(dev);
    Accel *accel = current_accel();

    cpu_thread_join(cpu);
    if (accel && accel_info(accel)->cpu_unrealize) {
        accel_info(accel)->cpu_unrealize(accel, cpu);
    }
    cpu_list_remove(cpu);
}

static void cpu_reset_enter(Device *dev, ResetType type)
{
    Vcpu *cpu = VCPU(dev);
    Accel *accel = current_accel();

    __atomic_store_n(&cpu->interrupt_request, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&cpu->halted, cpu->start_powered_off, __ATOMIC_SEQ_CST);
    cpu->exception_index = -1;
    if (accel && accel_info(accel)->cpu_state_changed) {
        accel_info(accel)->cpu_state_changed(accel, cpu);
    }
}

static const VMField vcpu_fields[] = {
    VMS_U32(Vcpu, interrupt_request),
    VMS_U32(Vcpu, halted),
    VMS_I32(Vcpu, exception_index),
    VMS_END,
};

static const VMState vcpu_vmstate = {
    .name = "cpu_common",
    .version = 1,
    .minimum_version = 1,
    .fields = vcpu_fields,
};

TYPE_DEFINE_FAMILY(VcpuInfo, Vcpu, vcpu, "cpu", device, true,
    .desc             = "virtual CPU",
    .category         = DEVICE_CATEGORY_CPU,
    .init             = cpu_init,
    .fini             = cpu_fini,
    .realize          = cpu_realize,
    .unrealize        = cpu_unrealize,
    .reset_enter      = cpu_reset_enter,
    .vmstate          = &vcpu_vmstate,
);
