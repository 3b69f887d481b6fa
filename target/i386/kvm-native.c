/*
 * User mode of an x86 guest in KVM, while the translator runs all else.
 *
 * Some hosts' KVM runs the guest's user mode natively and interprets its kernel mode, slowly and not all of it (kvm_pvm).
 * There KVM gets nothing but user mode: with page tables of our own (kvm-tables.c) that are filled from the soft TLB, with
 * no interrupt descriptor table, and with system calls leading nowhere.  So whatever the program does that needs its kernel
 * ends in what KVM reports as a triple fault, with the program's registers as they were before; the translator then
 * executes that same instruction, with the guest's own tables, and goes on in the guest's kernel.
 *
 *   the run ended with          and then
 *   a page fault                the page is lent if the soft TLB can have it so, and the program goes on
 *   RIP at the fake entry       a system call, whatever ended the run: RIP and RFLAGS are in RCX and R11; executed again
 *   a breakpoint (INT3)         RIP is behind it: it is executed again
 *   a single-step trap          is raised here: the instruction before RIP is done
 *   anything else               the instruction at RIP is executed again
 *
 * CPUID and LSL of user mode are the host's where the kernel cannot trap them: pages that have them are not lent
 * for execution, nor are those that can be written.
 *
 * Locks: BQL only to begin and to end; see accel/tcg/lend.c for what makes a run end soon.
 */
#include "accel/tcg/assist.h"
#include "hw/core/cpu.h"
#include "system/runstate.h"
#include "target/i386/kvm-tables.h"
#include "target/i386/kvm.h"
#include "target/i386/segment.h"
#include "util/error.h"
#include "util/main-loop.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>

#define PAGE            4096u
#define AROUND          16u             /* pages looked at together at a fault */
#define SYNC_ALL        (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

enum { PF_WRITE = 2, PF_FETCH = 16 };   /* of a page fault's error code */

typedef struct X86KvmNative {
    KvmTables *tables;
    hwaddr gpa;                 /* of the tables' slot */
    uint64_t built;             /* generation of what is mapped */
    bool valid;                 /* something is mapped */
    bool broken;                /* KVM refused: no more of it */
    vaddr last_fault;           /* of this stay */
    uint64_t xcr0;              /* as the kernel has it, and... */
    uint8_t xsave[X86_KVM_XSAVE_SIZE];
} X86KvmNative;

/* --- when it is done --- */

uint64_t x86_kvm_native_epoch(Vcpu *cpu)
{
    return ((CPUX86State *)cpu->env)->kernel_entries;
}

void x86_kvm_native_eager(Vcpu *cpu, bool eager)
{
    ((CPUX86State *)cpu->env)->leave_for_user = eager;
}

bool x86_kvm_native_ready(Vcpu *cpu)
{
    const CPUX86State *env = cpu->env;
    const uint32_t always = HF_CS64 | HF_LMA, never = HF_TF | HF_VM | HF_SMM | HF_INHIBIT_IRQ | HF_EM | HF_TS | HF_AC;

    if (x86_cpl(env) != 3 || (env->hflags & (always | never)) != always || (env->eflags & (IF_MASK | IOPL_MASK)) != IF_MASK ||
        cpu->exception_index >= 0) {
        return false;
    }
    return env->cr[0] & CR0_PG && !(env->cr[4] & CR4_TSD) && !(env->dr[7] & 0xff) && !env->tsc_offset && env->a20_mask == ~0ull &&
        !cpu->singlestep && !cpu->breakpoints->len && !(X86_CPU(cpu)->kvm_native && X86_CPU(cpu)->kvm_native->broken);
}

bool x86_kvm_native_present(Vcpu *cpu)
{
    return X86_CPU(cpu)->kvm_native && X86_CPU(cpu)->kvm_native->tables;
}

/* --- clock --- */

static struct { uint64_t nth, tsc; int64_t ns; } clock_base;     /* the host has one TSC; written while all CPUs stand still */

void x86_kvm_clock_base(uint64_t *tsc, int64_t *ns)
{
    *tsc = clock_base.tsc;
    *ns = clock_base.ns;
}

/* Guest time and TSC at one moment: of some tries, the one that was interrupted least. */
static void take_clock_base(void)
{
    uint64_t best = UINT64_MAX;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = __builtin_ia32_rdtsc();
        int64_t ns = clock_get_ns(CLOCK_TYPE_VIRTUAL);
        uint64_t took = __builtin_ia32_rdtsc() - before;

        if (took < best) {
            best = took;
            clock_base.tsc = before + took / 2;
            clock_base.ns = ns;
        }
    }
}

void x86_kvm_native_resumed(Vcpu *cpu, uint64_t nth)
{
    if (clock_base.nth != nth) {
        clock_base.nth = nth;
        take_clock_base();
    }
    x86_pvclock_update(cpu->env);
}

/* --- page tables --- */

/* Has it instructions that would answer for the host?  The first byte may end one that began on the page before. */
static bool answers_for_host(const uint8_t *page)
{
    const uint8_t *p = page, *end = page + PAGE - 1;

    if (page[0] == 0xa2 || page[0] == 0x03) {
        return true;
    }
    while (p < end && (p = memchr(p, 0x0f, (size_t)(end - p)))) {
        if (p[1] == 0xa2 || p[1] == 0x03) {     /* CPUID, LSL */
            return true;
        }
        p++;
    }
    return false;
}

static bool map_page(X86KvmNative *n, vaddr va, const TcgLentPage *page)
{
    bool exec = page->exec && !page->write && !answers_for_host(page->host);

    return (va ^ X86_KVM_FAKE_ENTRY) >> 12 && !kvm_private_memory_overlaps(page->pa, PAGE) &&
        kvm_tables_map(n->tables, va, page->pa, page->write, exec);
}

static void map_known_page(void *opaque, vaddr va, const TcgLentPage *page)
{
    (void)!map_page(opaque, va, page);
}

static bool tables_make(X86CPU *x, X86KvmNative *n, Error **errp)
{
    n->tables = kvm_tables_new(errp);
    if (!n->tables) {
        return false;
    }
    n->gpa = kvm_private_memory_add(kvm_tables_memory(n->tables), KVM_TABLES_SPAN, BIT_ULL(x->phys_bits), errp);
    if (!n->gpa) {
        return false;
    }
    kvm_tables_place(n->tables, n->gpa);
    return true;
}

/* An empty address space, then what the soft TLB has. */
static bool tables_rebuild(Vcpu *cpu, X86KvmNative *n, KvmNativeCounts *counts, Error **errp)
{
    n->built = tcg_lend_generation(cpu);
    counts->restarts++;
    if (!kvm_tables_restart(n->tables)) {
        bool ok;

        counts->recycles++;
        bql_lock();
        ok = kvm_private_memory_renew(n->gpa, errp);
        bql_unlock();
        if (!ok) {
            return false;
        }
        kvm_tables_recycle(n->tables);
        kvm_tables_restart(n->tables);
    }
    tcg_lend_known_pages(cpu, MMU_USER_IDX, map_known_page, n);
    n->valid = true;
    return true;
}

/* A page fault of the program's: false if it is the guest's to handle. */
static bool map_fault(Vcpu *cpu, X86KvmNative *n, vaddr va, uint32_t code)
{
    MmuAccess access = code & PF_FETCH ? MMU_INST_FETCH : code & PF_WRITE ? MMU_DATA_STORE : MMU_DATA_LOAD;
    bool again = n->last_fault == (va | access);
    vaddr around = va & ~(vaddr)(AROUND * PAGE - 1);
    TcgLentPage page;

    n->last_fault = va | access;        /* about: it is a hint against going round in circles */
    if (again || !tcg_lend_page(cpu, va, access, MMU_USER_IDX, &page) || (access == MMU_DATA_STORE && !page.write) ||
        (access == MMU_INST_FETCH && (!page.exec || page.write || answers_for_host(page.host)))) {
        return false;
    }
    if (!map_page(n, va & ~(vaddr)(PAGE - 1), &page)) {
        n->valid = false;
        return true;
    }
    for (unsigned i = 0; i < AROUND; i++) {
        if (tcg_lend_page(cpu, around + i * PAGE, MMU_DATA_LOAD, MMU_USER_IDX, &page)) {
            (void)!map_page(n, around + i * PAGE, &page);
        }
    }
    return true;
}

/* --- state --- */

void x86_kvm_user_sregs(struct kvm_sregs *k)
{
    k->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    k->cr2 = 0;
    k->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_MCE;
    k->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    k->cr8 = 0;
    k->idt.base = k->gdt.base = X86_KVM_FAKE_ENTRY;
    k->idt.limit = k->gdt.limit = 0;
    k->tr = (struct kvm_segment){ .limit = 0x67, .selector = 0x40, .type = 11, .present = 1 };
    k->ldt = (struct kvm_segment){ .unusable = 1 };
}

int x86_kvm_user_msrs(int fd)
{
    struct { struct kvm_msrs head; struct kvm_msr_entry entry[4]; } m = { .head.nmsrs = 4, .entry = {
        { .index = 0xc0000081, .data = 0x0023001000000000 }, { .index = 0xc0000082, .data = X86_KVM_FAKE_ENTRY },
        { .index = 0xc0000083, .data = X86_KVM_FAKE_ENTRY }, { .index = 0xc0000084, .data = TF_MASK | IF_MASK | DF_MASK },
    } };
    int done = ioctl(fd, KVM_SET_MSRS, &m);

    return done == 4 ? 0 : done < 0 ? -errno : -EINVAL;
}

static int put_fpu(Vcpu *cpu, X86KvmNative *n)
{
    X86CPU *x = X86_CPU(cpu);
    struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0].value = x->env.xcr0 };

    if (x->env.xcr0 != n->xcr0) {
        int result = kvm_vcpu_ioctl(cpu, KVM_SET_XCRS, &xcrs);

        if (result < 0) {
            return result;
        }
        n->xcr0 = x->env.xcr0;
    }

    x86_kvm_pack_xsave(cpu->env, x->kvm_xsave);
    if (!memcmp(x->kvm_xsave, n->xsave, X86_KVM_XSAVE_SIZE)) {
        return 0;
    }
    memcpy(n->xsave, x->kvm_xsave, X86_KVM_XSAVE_SIZE);
    return kvm_vcpu_ioctl(cpu, KVM_SET_XSAVE, n->xsave);
}

static int get_fpu(Vcpu *cpu, X86KvmNative *n)
{
    X86CPU *x = X86_CPU(cpu);
    int result = kvm_vcpu_ioctl(cpu, KVM_GET_XSAVE, n->xsave);

    if (result >= 0 && memcmp(x->kvm_xsave, n->xsave, X86_KVM_XSAVE_SIZE)) {
        memcpy(x->kvm_xsave, n->xsave, X86_KVM_XSAVE_SIZE);
        x86_kvm_unpack_xsave(cpu->env, x->kvm_xsave);
    }
    return result;
}

static void put_state(Vcpu *cpu, struct kvm_run *run)
{
    CPUX86State *env = cpu->env;
    struct kvm_sregs *s = &run->s.regs.sregs;
    struct kvm_segment *const to[6] = { &s->es, &s->cs, &s->ss, &s->ds, &s->fs, &s->gs };

    x86_kvm_put_regs(&run->s.regs.regs, env);
    x86_kvm_user_sregs(s);
    s->cr4 |= env->cr[4] & (CR4_FSGSBASE | CR4_OSXSAVE);
    for (unsigned i = 0; i < 6; i++) {
        x86_kvm_put_segment(to[i], &env->segs[i], false);
    }
    memset(&run->s.regs.events, 0, sizeof(run->s.regs.events));
    run->kvm_valid_regs = run->kvm_dirty_regs = SYNC_ALL;
}

/* The program may have loaded segments, and written the bases of FS and GS. */
static void get_segments(CPUX86State *env, const struct kvm_sregs *s, bool in_kernel)
{
    const struct kvm_segment *const from[6] = { &s->es, &s->cs, &s->ss, &s->ds, &s->fs, &s->gs };

    for (unsigned i = 0; i < 6; i++) {
        bool taken = i == R_CS || i == R_SS;

        if (!(taken && in_kernel) && env->segs[i].selector != from[i]->selector) {
            x86_kvm_get_segment(&env->segs[i], from[i]);
        }
    }
    env->segs[R_FS].base = s->fs.base;
    env->segs[R_GS].base = s->gs.base;
    x86_update_hflags(env);
}

/* @rflags as the kernel has them, but for what user mode cannot change: the kernel does not always tell IF as it is. */
static uint64_t own_flags(CPUX86State *env, uint64_t rflags)
{
    const uint64_t user = CC_ALL | TF_MASK | DF_MASK | NT_MASK | RF_MASK | AC_MASK | ID_MASK;

    return (x86_get_eflags(env) & ~user) | (rflags & user);
}

/*
 * Did a system call lead to where it is?  The run may have ended before KVM met what is there, by a signal.  The program may
 * also have jumped there, which is its own fault.
 */
static bool made_system_call(Vcpu *cpu)
{
    const CPUX86State *env = cpu->env;
    uint8_t insn[2];

    return env->tcg.pc == X86_KVM_FAKE_ENTRY && cpu_memory_rw_debug(cpu, env->regs[R_ECX] - 2, insn, 2, false) &&
        insn[0] == 0x0f && insn[1] == 0x05;
}

/* Where the translator is to go on. */
static void settle(Vcpu *cpu, const struct kvm_run *run, KvmNativeCounts *counts)
{
    CPUX86State *env = cpu->env;
    const struct kvm_vcpu_events *e = &run->s.regs.events;
    uint8_t byte = 0;

    if (made_system_call(cpu)) {
        counts->system_calls++;
        env->tcg.pc = env->regs[R_ECX] - 2;
        x86_set_eflags(env, own_flags(env, env->regs[R_R11]), ~0ull);
        return;
    }
    if (run->exit_reason != KVM_EXIT_SHUTDOWN && !e->exception.injected && !e->exception.pending) {
        return;                                 /* ended between two instructions; else before it was delivered */
    }
    counts->exceptions++;
    if (e->exception.nr == EXCP03_INT3 && cpu_memory_rw_debug(cpu, env->tcg.pc - 1, &byte, 1, false) && byte == 0xcc) {
        env->tcg.pc--;
    } else if (e->exception.nr == EXCP01_DB && env->eflags & TF_MASK) {
        env->dr[6] |= BIT_ULL(14);              /* BS */
        cpu->exception_index = EXCP01_DB;
        env->exception_is_int = false;
        env->error_code = 0;
    }
}

static bool get_state(Vcpu *cpu, X86KvmNative *n, const struct kvm_run *run, KvmNativeCounts *counts)
{
    CPUX86State *env = cpu->env;
    bool in_kernel = run->s.regs.regs.rip == X86_KVM_FAKE_ENTRY;
    struct kvm_regs regs = run->s.regs.regs;

    regs.rflags = own_flags(env, regs.rflags);
    x86_kvm_get_regs(env, &regs);
    get_segments(cpu->env, &run->s.regs.sregs, in_kernel);
    settle(cpu, run, counts);
    return get_fpu(cpu, n) >= 0;
}

/* --- running --- */

typedef enum Step { STEP_AGAIN, STEP_LEAVE, STEP_BROKEN } Step;

static Step after_run(Vcpu *cpu, X86KvmNative *n, struct kvm_run *run, KvmNativeCounts *counts)
{
    const struct kvm_vcpu_events *e = &run->s.regs.events;
    bool ok;

    switch (run->exit_reason) {
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        return STEP_AGAIN;              /* tcg_native_begin() says whether something is wanted */
    case KVM_EXIT_SHUTDOWN:
        if (run->s.regs.regs.rip == X86_KVM_FAKE_ENTRY || e->exception.nr != EXCP0E_PAGE ||
            !map_fault(cpu, n, run->s.regs.sregs.cr2, e->exception.error_code)) {
            return STEP_LEAVE;
        }
        counts->pages++;
        memset(&run->s.regs.events, 0, sizeof(run->s.regs.events));
        run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
        return STEP_AGAIN;
    case KVM_EXIT_IO:
    case KVM_EXIT_MMIO:
        bql_lock();
        ok = kvm_native_other_exit(cpu, run);
        bql_unlock();
        return ok ? STEP_AGAIN : STEP_LEAVE;
    default:
        return STEP_LEAVE;              /* the translator executes it, whatever it is */
    }
}

static Step run_once(Vcpu *cpu, X86KvmNative *n, struct kvm_run *run, KvmNativeCounts *counts, Error **errp)
{
    int result;

    if ((!n->valid || n->built != tcg_lend_generation(cpu)) && !tables_rebuild(cpu, n, counts, errp)) {
        return STEP_BROKEN;
    }
    if (run->s.regs.sregs.cr3 != kvm_tables_root(n->tables)) {
        run->s.regs.sregs.cr3 = kvm_tables_root(n->tables);
        run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
    }
    __atomic_store_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    if (!tcg_native_begin(cpu, n->built)) {
        return n->built != tcg_lend_generation(cpu) ? STEP_AGAIN : STEP_LEAVE;
    }
    counts->runs++;
    result = kvm_vcpu_ioctl(cpu, KVM_RUN, NULL);
    tcg_native_end(cpu);
    if (result == -EINTR || result == -EAGAIN) {
        run->exit_reason = KVM_EXIT_INTR;
    } else if (result < 0) {
        error_setg_errno(errp, -result, "KVM_RUN failed");
        return STEP_BROKEN;
    }
    return after_run(cpu, n, run, counts);
}

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NANOSECONDS_PER_SECOND + ts.tv_nsec;
}

static Step run_user(Vcpu *cpu, X86KvmNative *n, struct kvm_run *run, KvmNativeCounts *counts, Error **errp)
{
    int64_t start = now_ns();
    Step step = STEP_AGAIN;

    counts->stays++;
    put_state(cpu, run);
    run->exit_reason = KVM_EXIT_INTR;
    n->last_fault = 0;
    if (put_fpu(cpu, n) < 0) {
        error_setg(errp, "KVM does not take the XSAVE state");
        return STEP_BROKEN;
    }
    while (step == STEP_AGAIN) {
        step = run_once(cpu, n, run, counts, errp);
    }
    if (step == STEP_LEAVE && !get_state(cpu, n, run, counts)) {
        error_setg(errp, "KVM does not give the XSAVE state");
        step = STEP_BROKEN;
    }
    counts->ns += (uint64_t)(now_ns() - start);
    return step;
}

static bool native_make(Vcpu *cpu, Error **errp)
{
    X86CPU *x = X86_CPU(cpu);
    X86KvmNative *n = x->kvm_native = g_new0(X86KvmNative, 1);

    if (x86_kvm_user_msrs(kvm_vcpu_fd(cpu)) < 0) {
        error_setg(errp, "KVM does not take the MSRs");
        return false;
    }
    n->xcr0 = 1;
    memset(n->xsave, 0xff, sizeof(n->xsave));   /* unlike any */
    return tables_make(x, n, errp);
}

bool x86_kvm_native_run(Vcpu *cpu, struct kvm_run *run, KvmNativeCounts *counts)
{
    X86CPU *x = X86_CPU(cpu);
    Error *err = NULL;
    Step step = STEP_BROKEN;

    if (x->kvm_native || native_make(cpu, &err)) {
        bql_unlock();
        step = run_user(cpu, x->kvm_native, run, counts, &err);
        bql_lock();
    }
    if (step == STEP_BROKEN) {          /* the state is in the object as it was: the translator goes on with it */
        x->kvm_native->broken = true;
        error_prepend(&err, "CPU %u: user mode stays with the translator: ", cpu->index);
        warn_report_err(err);
    }
    return true;
}

void x86_kvm_native_free(X86CPU *x)
{
    X86KvmNative *n = x->kvm_native;

    if (n) {
        if (n->gpa) {
            kvm_private_memory_remove(n->gpa);
        }
        kvm_tables_free(n->tables);
        g_clear_pointer(&x->kvm_native, g_free);
    }
}
