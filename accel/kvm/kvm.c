/*
 * The "kvm" accelerator: guest code runs on the host's processors.
 *
 * The interrupt controllers are the kernel's (irqchip.c), or Quern's own: then interrupts are injected when the guest
 * can take them.  A CPU's state lies in its object except while its thread is in cpu_exec; that of its local APIC in the
 * kernel stays there.
 *
 * Reference: Linux Documentation/virt/kvm/api.rst.
 *
 * Locks: BQL, given up while the guest runs.  Kicks are signals; the handler makes the next or present
 * run return at once (immediate_exit), so none is lost.
 */
#include "kvm-internal.h"

#include "accel/tcg/assist.h"
#include "system/runstate.h"
#include "util/log.h"
#include "util/main-loop.h"
#include "util/rcu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KVM_DEVICE              "/dev/kvm"
/* Three pages and one that Intel processors need below 4 GiB, where no board puts anything. */
#define TSS_ADDR                0xfeffd000
#define IDENTITY_MAP_ADDR       0xfeffc000

enum { IRQCHIP_AUTO, IRQCHIP_ON, IRQCHIP_OFF, IRQCHIP_SPLIT };
static const char *const irqchip_names[] = { "auto", "on", "off", "split", NULL };
static const char *const assist_names[] = { "on", "off", "insn", NULL };

static __thread struct kvm_run *running;        /* of this thread's vCPU; for the signal handler */

static KvmAccel *the_kvm(void)
{
    return kvm_enabled() ? KVM_ACCEL(current_accel()) : NULL;
}

bool kvm_enabled(void)
{
    return object_is(current_accel(), &kvm_accel_type);
}

static int checked(int result)
{
    return result < 0 ? -errno : result;
}

int kvm_ioctl(unsigned long request, void *arg)
{
    return checked(ioctl(the_kvm()->fd, request, arg));
}

int kvm_vm_ioctl(unsigned long request, void *arg)
{
    return checked(ioctl(the_kvm()->vm_fd, request, arg));
}

int kvm_vcpu_ioctl(Vcpu *cpu, unsigned long request, void *arg)
{
    return checked(ioctl(cpu->kvm->fd, request, arg));
}

int kvm_vcpu_fd(Vcpu *cpu)
{
    return cpu->kvm->fd;
}

GBytes **kvm_vcpu_fixed(Vcpu *cpu)
{
    return &cpu->kvm->fixed;
}

bool kvm_native(void)
{
    return the_kvm() && the_kvm()->native;
}

hwaddr kvm_private_memory_add(void *host, uint64_t size, hwaddr limit, Error **errp)
{
    return kvm_slots_add_private(&the_kvm()->slots, host, size, limit, errp);
}

bool kvm_private_memory_renew(hwaddr start, Error **errp)
{
    return kvm_slots_renew_private(&the_kvm()->slots, start, errp);
}

void kvm_private_memory_remove(hwaddr start)
{
    kvm_slots_remove_private(&the_kvm()->slots, start);
}

bool kvm_private_memory_overlaps(hwaddr start, uint64_t size)
{
    const KvmSlots *s = &the_kvm()->slots;

    return start < s->private_high && s->private_low < start + size;
}

int kvm_check_extension(int cap)
{
    return MAX(kvm_vm_ioctl(KVM_CHECK_EXTENSION, (void *)(uintptr_t)cap), 0);
}

/* --- start --- */

static bool check_capabilities(KvmAccel *a, Error **errp)
{
    static const struct { int cap; const char *name; } needed[] = {
        { KVM_CAP_USER_MEMORY, "USER_MEMORY" }, { KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "DESTROY_MEMORY_REGION_WORKS" },
        { KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT" }, { KVM_CAP_READONLY_MEM, "READONLY_MEM" },
        { KVM_CAP_SET_TSS_ADDR, "SET_TSS_ADDR" }, { KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS" }, { KVM_CAP_XSAVE, "XSAVE" },
        { KVM_CAP_XCRS, "XCRS" }, { KVM_CAP_DEBUGREGS, "DEBUGREGS" }, { KVM_CAP_EXT_CPUID, "EXT_CPUID" },
    };
    int version = ioctl(a->fd, KVM_GET_API_VERSION, 0);

    if (version != KVM_API_VERSION) {
        error_setg(errp, "%s speaks version %d of KVM's interface, version %d is needed", KVM_DEVICE, version, KVM_API_VERSION);
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(needed); i++) {
        if (ioctl(a->fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0) {
            error_setg(errp, "the host's KVM is too old: it lacks KVM_CAP_%s", needed[i].name);
            return false;
        }
    }
    return true;
}

static bool make_vm(KvmAccel *a, Error **errp)
{
    uint64_t identity = IDENTITY_MAP_ADDR;

    a->vm_fd = ioctl(a->fd, KVM_CREATE_VM, 0);
    if (a->vm_fd < 0) {
        error_setg_errno(errp, errno, "KVM makes no virtual machine");
        return false;
    }
    a->run_size = ioctl(a->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (ioctl(a->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 || ioctl(a->vm_fd, KVM_SET_TSS_ADDR, TSS_ADDR) < 0) {
        error_setg_errno(errp, errno, "KVM takes no address for its task state segment");
        return false;
    }
    return true;
}

/* User code too, not only the kernel's; a kernel that does not know how makes it an undefined instruction. */
static void fail_by_exits(KvmAccel *a)
{
    struct kvm_enable_cap cap = { .cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args[0] = 1 };

    if (ioctl(a->vm_fd, KVM_CHECK_EXTENSION, cap.cap) > 0) {
        ioctl(a->vm_fd, KVM_ENABLE_CAP, &cap);
    }
}

static void on_kick(int sig)
{
    if (running) {
        __atomic_store_n(&running->immediate_exit, 1, __ATOMIC_RELAXED);
    }
}

static bool has_ops(const TypeInfo *type, void *opaque)
{
    const KvmCpuOps **ops = opaque;

    *ops = ((const VcpuInfo *)type->info)->kvm;
    return !*ops;
}

/* How the translator is to help. */
static void start_assist(KvmAccel *a)
{
    const KvmCpuOps *ops = a->ops;

    if (a->assist_mode == KVM_ASSIST_OFF) {
        return;
    }
    fail_by_exits(a);
    if (a->assist_mode == KVM_ASSIST_ON && a->shadow_paging && a->irqchip != IRQCHIP_ON && a->irqchip != IRQCHIP_SPLIT) {
        a->native = ops && ops->native_possible && ops->native_possible(a->fd);
    }
    a->native &= kvm_assist_start(a, a->native ? 0 : TCG_ASSIST_MIN_CACHE);
}

/* In the kernel where KVM runs all of the guest and they work there, unless the user says otherwise. */
static bool start_irqchip(KvmAccel *a, Error **errp)
{
    bool wanted = a->irqchip == IRQCHIP_ON || a->irqchip == IRQCHIP_SPLIT, works = !a->native && a->ops && a->ops->irqchip_works;

    if (a->irqchip == IRQCHIP_OFF || (!works && !wanted)) {
        return true;
    }
    if (!works) {
        error_setg(errp, "kernel-irqchip=%s: there are none for this architecture", irqchip_names[a->irqchip]);
        return false;
    }
    if (a->shadow_paging && !a->ops->irqchip_works(a->fd)) {
        if (!wanted) {
            return true;
        }
        warn_report("kernel-irqchip=%s: this host's KVM ends an interrupt as it delivers it: level-triggered ones come twice, and "
                    "none is held back by another in service", irqchip_names[a->irqchip]);
    }
    return kvm_irqchip_start(a, a->irqchip == IRQCHIP_SPLIT ? ACCEL_IRQCHIP_SPLIT : ACCEL_IRQCHIP_ON, wanted, errp);
}

/* The kernel's clock for guests stands still with the machine; they are told, lest a watchdog take it for a hang. */
static void clock_keep(KvmAccel *a, bool is_running)
{
    Vcpu *cpu;

    if (!is_running) {
        a->clock_kept = ioctl(a->vm_fd, KVM_GET_CLOCK, &a->clock) == 0;
        return;
    }
    if (a->clock_kept) {
        struct kvm_clock_data k = { .clock = a->clock.clock };

        a->clock_kept = false;
        if (ioctl(a->vm_fd, KVM_SET_CLOCK, &k) < 0) {
            warn_report("KVM does not take back the guest's clock: %s", g_strerror(errno));
        }
        CPU_FOREACH(cpu) {
            if (cpu->kvm) {
                kvm_vcpu_ioctl(cpu, KVM_KVMCLOCK_CTRL, NULL);   /* fails where the guest does not use the clock */
            }
        }
    }
}

/* Guest time stood still while the machine was stopped. */
static void state_changed(void *opaque, bool is_running, RunState state)
{
    KvmAccel *a = opaque;
    Vcpu *cpu;

    a->starts += is_running;
    if (!a->native && ioctl(a->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_ADJUST_CLOCK) > 0) {
        clock_keep(a, is_running);
    }
    CPU_FOREACH(cpu) {
        if (is_running && cpu->kvm && cpu->kvm->native) {
            vcpu_info(cpu)->kvm->native_resumed(cpu, a->starts);
        }
    }
}

static bool kvm_start(Accel *accel, Error **errp)
{
    KvmAccel *a = KVM_ACCEL(accel);
    struct sigaction sa = { .sa_handler = on_kick };
    int slots;

    a->fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
    if (a->fd < 0) {
        error_setg_errno(errp, errno, "cannot open %s", KVM_DEVICE);
        return false;
    }
    if (!check_capabilities(a, errp) || !make_vm(a, errp)) {
        return false;
    }
    sigaction(KVM_KICK_SIGNAL, &sa, NULL);
    kvm_native_init();
    slots = ioctl(a->fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);
    kvm_slots_init(&a->slots, a->vm_fd, slots > 0 ? slots : 32);
    a->started = true;
    vm_state_notify_add(state_changed, a);
    kvm_accounts_add(a);
    type_foreach(&vcpu_type, false, has_ops, &a->ops);  /* the host has one architecture */
    start_assist(a);
    if (!a->native) {
        kvm_coalesced_init(&a->coalesced, a->vm_fd);
    }
    if (!a->native && ioctl(a->fd, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD) > 0) {
        kvm_ioeventfds_init(&a->memory_eventfds, a->vm_fd, &address_space_memory, false);
        kvm_ioeventfds_init(&a->port_eventfds, a->vm_fd, &address_space_io, true);
    }
    return start_irqchip(a, errp);
}

/* --- vCPUs --- */

/* The kernel keeps a vCPU for as long as its virtual machine, closed or not: one of the same number takes it over. */
typedef struct ParkedVcpu {
    unsigned index;
    int fd;
    GBytes *fixed;              /* owned; may be NULL */
} ParkedVcpu;

/* A local APIC in the kernel takes it for its id. */
static unsigned long vcpu_number(Vcpu *cpu)
{
    return accel_irqchip() == ACCEL_IRQCHIP_OFF ? cpu->index : (unsigned long)vcpu_info(cpu)->get_arch_id(cpu);
}

/* A parked one or a new one; false and errno. */
static bool vcpu_open(KvmAccel *a, KvmVcpu *k)
{
    for (unsigned i = 0; i < a->parked->len; i++) {
        ParkedVcpu p = g_array_index(a->parked, ParkedVcpu, i);

        if (p.index == k->cpu->index) {
            g_array_remove_index_fast(a->parked, i);
            k->fd = p.fd;
            k->fixed = p.fixed;
            return true;
        }
    }
    k->fd = ioctl(a->vm_fd, KVM_CREATE_VCPU, vcpu_number(k->cpu));
    return k->fd >= 0;
}

/* @k is consumed. */
static void vcpu_park(KvmAccel *a, KvmVcpu *k)
{
    ParkedVcpu p = { k->cpu->index, k->fd, k->fixed };

    g_array_append_val(a->parked, p);
    g_free(k);
}

static void kvm_cpu_unrealize(Accel *accel, Vcpu *cpu)
{
    KvmAccel *a = KVM_ACCEL(accel);
    KvmVcpu *k = cpu->kvm;

    if (!k) {
        return;
    }
    kvm_native_unrealize(cpu);
    tcg_assist_detach(a->assist.translator, cpu);
    munmap(k->run, a->run_size);
    cpu->kvm = NULL;
    vcpu_park(a, k);
}

static bool kvm_cpu_realize(Accel *accel, Vcpu *cpu, Error **errp)
{
    KvmAccel *a = KVM_ACCEL(accel);
    KvmVcpu *k;

    if (!vcpu_info(cpu)->kvm) {
        error_setg(errp, "%s cannot run under KVM", cpu->dev.obj.type->name);
        return false;
    }
    k = g_new0(KvmVcpu, 1);
    k->cpu = cpu;
    if (!vcpu_open(a, k)) {
        error_setg_errno(errp, errno, "KVM makes no vCPU %u", cpu->index);
        g_free(k);
        return false;
    }
    k->run = mmap(NULL, a->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, 0);
    if (k->run == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot map the run structure of vCPU %u", cpu->index);
        vcpu_park(a, k);
        return false;
    }
    cpu->kvm = k;
    if (a->native && !kvm_native_realize(a, cpu, errp)) {
        kvm_cpu_unrealize(accel, cpu);
        return false;
    }
    return true;
}

void kvm_translator_kick(Vcpu *cpu)
{
    Accel *translator = the_kvm()->assist.translator;

    accel_info(translator)->cpu_kick(translator, cpu);
}

static void kvm_cpu_kick(Accel *accel, Vcpu *cpu)
{
    if (cpu->kvm && cpu->kvm->native) {
        kvm_translator_kick(cpu);       /* which gets it out of the kernel too */
        return;
    }
    if (cpu->kvm && cpu->created && cpu->host_tid && cpu != cpu_current()) {
        syscall(SYS_tgkill, getpid(), cpu->host_tid, KVM_KICK_SIGNAL);
    }
}

static void kvm_cpu_state_changed(Accel *accel, Vcpu *cpu)
{
    Accel *translator = KVM_ACCEL(accel)->assist.translator;

    if (cpu->kvm && cpu->kvm->native) {
        accel_info(translator)->cpu_state_changed(translator, cpu);
    }
}

/* --- running --- */

/* Has the outer loop something to do with this CPU? */
static bool must_leave(Vcpu *cpu)
{
    return cpu->stop || cpu->stopped || cpu->unplug || cpu_work_pending(cpu) ||
           __atomic_load_n(&cpu->halted, __ATOMIC_SEQ_CST) || cpu->exception_index == EXCP_DEBUG;
}

/* One stay in the guest.  False: the machine stops. */
static bool run_once(KvmAccel *a, Vcpu *cpu)
{
    const KvmCpuOps *ops = vcpu_info(cpu)->kvm;
    struct kvm_run *run = cpu->kvm->run;
    int result;

    ops->pre_run(cpu, run);
    bql_unlock();
    result = checked(ioctl(cpu->kvm->fd, KVM_RUN, 0));
    __atomic_store_n(&run->immediate_exit, 0, __ATOMIC_RELAXED);
    bql_lock();
    __atomic_fetch_add(&a->runs, 1, __ATOMIC_RELAXED);
    ops->post_run(cpu, run);
    kvm_coalesced_drain(&a->coalesced, cpu);
    if (result == -EINTR || result == -EAGAIN) {
        return true;
    }
    if (result < 0) {
        error_report("KVM_RUN failed on CPU %u: %s", cpu->index, g_strerror(-result));
        vm_stop_request(RUN_STATE_INTERNAL_ERROR);
        return false;
    }
    return kvm_handle_exit(a, cpu, run);
}

/* Requests that only the object can answer: bring the state out, and back in. */
static bool serve_requests(Vcpu *cpu, Error **errp)
{
    const KvmCpuOps *ops = vcpu_info(cpu)->kvm;
    uint32_t request = __atomic_load_n(&cpu->interrupt_request, __ATOMIC_SEQ_CST);

    if (!ops->needs_state(cpu, request)) {
        return true;
    }
    if (!ops->get(cpu, errp)) {
        return false;
    }
    ops->handle_requests(cpu, request);
    return ops->put(cpu, errp);
}

static void kvm_cpu_exec(Accel *accel, Vcpu *cpu)
{
    KvmAccel *a = KVM_ACCEL(accel);
    const KvmCpuOps *ops = vcpu_info(cpu)->kvm;
    uint32_t request = __atomic_load_n(&cpu->interrupt_request, __ATOMIC_SEQ_CST);
    Error *err = NULL;
    bool ok;

    running = cpu->kvm->run;
    if (cpu->kvm->native) {
        kvm_native_exec(a, cpu);
        return;
    }
    if (ops->needs_state(cpu, request)) {
        ops->handle_requests(cpu, request);     /* the state is still out */
    }
    if (__atomic_load_n(&cpu->halted, __ATOMIC_SEQ_CST) && ops->wakes(cpu)) {
        __atomic_store_n(&cpu->halted, 0, __ATOMIC_SEQ_CST);
    }
    ok = !must_leave(cpu) && kvm_debug_put(cpu, &err) && ops->put(cpu, &err);
    if (ok) {
        while (ok && !must_leave(cpu)) {
            ok = serve_requests(cpu, &err) && !must_leave(cpu) && run_once(a, cpu);
        }
        if (!err) {
            (void)!ops->get(cpu, &err);
        }
    }
    if (err) {
        error_prepend(&err, "CPU %u: ", cpu->index);
        error_report_err(err);
        vm_stop_request(RUN_STATE_INTERNAL_ERROR);
        cpu->stop = true;
    }
}

/* --- the object --- */

static void kvm_info(Accel *accel, FILE *f)
{
    const KvmAccel *a = KVM_ACCEL(accel);

    fprintf(f, "runs %" PRIu64 "\nmemory slots %u of %u, at most %u, updates %" PRIu64 "\n", a->runs, a->slots.used, a->slots.n,
            a->slots.peak, a->slots.updates);
    if (a->coalesced.ring_offset) {
        fprintf(f, "coalesced writes %" PRIu64 "\n", a->coalesced.writes);
    }
    if (a->memory_eventfds.present) {
        fprintf(f, "ioeventfds %u\n", a->memory_eventfds.present->len + a->port_eventfds.present->len);
    }
    for (unsigned i = 0; i < KVM_EXIT_COUNTS; i++) {
        if (a->exits[i]) {
            fprintf(f, "exit %-16s %" PRIu64 "\n", kvm_exit_name(i), a->exits[i]);
        }
    }
    if (a->native) {
        kvm_native_info(f);
    } else {
        kvm_assist_info(a, f);
    }
}

static void kvm_memory_slots(Accel *accel, unsigned *max, unsigned *used)
{
    const KvmAccel *a = KVM_ACCEL(accel);

    *max = a->slots.n;
    *used = a->slots.used;
}

static void kvm_accel_init(Object *obj)
{
    KvmAccel *a = KVM_ACCEL(obj);

    a->fd = a->vm_fd = -1;
    a->parked = g_array_new(false, false, sizeof(ParkedVcpu));
}

static void kvm_accel_fini(Object *obj)
{
    KvmAccel *a = KVM_ACCEL(obj);

    kvm_assist_fini(a);
    kvm_irqchip_fini(a);
    kvm_coalesced_fini(&a->coalesced);
    kvm_ioeventfds_fini(&a->memory_eventfds);
    kvm_ioeventfds_fini(&a->port_eventfds);
    if (a->started) {
        vm_state_notify_remove(state_changed, a);
        kvm_accounts_remove(a);
        kvm_slots_fini(&a->slots);
    }
    for (unsigned i = 0; i < a->parked->len; i++) {
        ParkedVcpu *p = &g_array_index(a->parked, ParkedVcpu, i);

        close(p->fd);
        g_bytes_unref(p->fixed);
    }
    g_array_unref(a->parked);
    if (a->vm_fd >= 0) {
        close(a->vm_fd);
    }
    if (a->fd >= 0) {
        close(a->fd);
    }
}

static const Property kvm_properties[] = {
    PROP_ENUM("assist", KvmAccel, assist_mode, assist_names, KVM_ASSIST_ON, .shown = "on|off|insn",
              .help = "let the translator run guests whose kernel mode KVM would interpret, and single instructions that KVM "
                      "cannot emulate; insn: only those"),
    PROP_ENUM("kernel-irqchip", KvmAccel, irqchip, irqchip_names, IRQCHIP_AUTO, .shown = "on|off|split",
              .help = "interrupt controllers in the kernel: all of them, none, or (split) the CPUs' local ones; auto: all, but none "
                      "where the translator runs the guest's kernel mode"),
};

ACCEL_DEFINE(KvmAccel, kvm_accel, "kvm-accel",
    .desc           = "the host's processors, by Linux' KVM",
    .init           = kvm_accel_init,
    .fini           = kvm_accel_fini,
    .properties     = PROPS(kvm_properties),
    .accel_name     = "kvm",
    .keeps_state    = true,
    .start          = kvm_start,
    .cpu_realize    = kvm_cpu_realize,
    .cpu_unrealize  = kvm_cpu_unrealize,
    .cpu_exec       = kvm_cpu_exec,
    .cpu_kick       = kvm_cpu_kick,
    .cpu_state_changed = kvm_cpu_state_changed,
    .cpu_debug_changed = kvm_debug_changed,
    .debug_fits     = kvm_debug_fits,
    .info           = kvm_info,
    .memory_slots   = kvm_memory_slots,
    .irqchip        = kvm_irqchip_mode,
);
