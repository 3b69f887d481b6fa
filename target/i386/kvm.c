/*
 * An x86 CPU under KVM: its state in and out of the kernel, its CPUID, interrupts.
 *
 * References: Linux Documentation/virt/kvm/api.rst; SDM Vol.1 13.4 (XSAVE area).
 *
 * What the object does not know of (state components after AVX) stays in an image of the XSAVE
 * area that is kept beside it.
 */
#include "target/i386/kvm.h"

#include "accel/kvm/cpu-ops.h"
#include "target/i386/features.h"
#include "target/i386/kvm-tables.h"
#include "target/i386/segment.h"

#define MAX_CPUID       128
#define MSR_TSC         0x10

enum { XS_FCW = 0, XS_FSW = 2, XS_FTW = 4, XS_FOP = 6, XS_FIP = 8, XS_FDP = 16, XS_MXCSR = 24, XS_ST = 32, XS_XMM = 160,
       XS_BV = 512, XS_YMM_HIGH = 576 };
enum { XSTATE_X87 = 1, XSTATE_SSE = 2, XSTATE_AVX = 4 };

/* --- segments --- */

void x86_kvm_put_segment(struct kvm_segment *k, const SegmentCache *s, bool vm86)
{
    *k = (struct kvm_segment){
        .base = s->base, .limit = s->limit, .selector = (uint16_t)s->selector,
        .type = s->flags >> DESC_TYPE_SHIFT & 15, .present = !!(s->flags & DESC_P), .dpl = desc_dpl(s->flags),
        .db = !!(s->flags & DESC_B), .s = !!(s->flags & DESC_S), .l = !!(s->flags & DESC_L), .g = !!(s->flags & DESC_G),
        .avl = !!(s->flags & DESC_AVL), .unusable = !(s->flags & DESC_P),
    };
    if (vm86) {
        k->type = 3;
        k->present = 1;
        k->dpl = 3;
        k->s = 1;
        k->unusable = k->db = k->l = k->g = k->avl = 0;
    }
}

void x86_kvm_get_segment(SegmentCache *s, const struct kvm_segment *k)
{
    s->selector = k->selector;
    s->base = k->base;
    s->limit = k->limit;
    s->flags = k->unusable ? 0 :
               (uint32_t)k->type << DESC_TYPE_SHIFT | (k->present ? DESC_P : 0) | (uint32_t)k->dpl << DESC_DPL_SHIFT |
               (k->db ? DESC_B : 0) | (k->s ? DESC_S : 0) | (k->l ? DESC_L : 0) | (k->g ? DESC_G : 0) |
               (k->avl ? DESC_AVL : 0);
}

/* --- registers --- */

void x86_kvm_put_regs(struct kvm_regs *k, CPUX86State *env)
{
    const uint64_t *r = env->regs;

    *k = (struct kvm_regs){
        .rax = r[R_EAX], .rcx = r[R_ECX], .rdx = r[R_EDX], .rbx = r[R_EBX], .rsp = r[R_ESP], .rbp = r[R_EBP], .rsi = r[R_ESI],
        .rdi = r[R_EDI], .r8 = r[8], .r9 = r[9], .r10 = r[10], .r11 = r[11], .r12 = r[12], .r13 = r[13], .r14 = r[14],
        .r15 = r[15], .rip = env->tcg.pc, .rflags = x86_get_eflags(env),
    };
}

void x86_kvm_get_regs(CPUX86State *env, const struct kvm_regs *k)
{
    const uint64_t all[16] = { k->rax, k->rcx, k->rdx, k->rbx, k->rsp, k->rbp, k->rsi, k->rdi,
                               k->r8, k->r9, k->r10, k->r11, k->r12, k->r13, k->r14, k->r15 };

    memcpy(env->regs, all, sizeof(all));
    env->tcg.pc = k->rip;
    x86_set_eflags(env, k->rflags, ~0ull);
}

static int put_regs(Vcpu *cpu)
{
    struct kvm_regs k;

    x86_kvm_put_regs(&k, cpu->env);
    return kvm_vcpu_ioctl(cpu, KVM_SET_REGS, &k);
}

static int get_regs(Vcpu *cpu)
{
    struct kvm_regs k;
    int result = kvm_vcpu_ioctl(cpu, KVM_GET_REGS, &k);

    if (result >= 0) {
        x86_kvm_get_regs(cpu->env, &k);
    }
    return result;
}

static int put_sregs(Vcpu *cpu)
{
    CPUX86State *env = cpu->env;
    const X86CPU *x = X86_CPU(cpu);
    bool vm86 = env->eflags & VM_MASK;
    struct kvm_sregs k = {
        .cr0 = env->cr[0], .cr2 = env->cr[2], .cr3 = env->cr[3], .cr4 = env->cr[4], .efer = env->efer,
        .gdt = { .base = env->gdt.base, .limit = env->gdt.limit }, .idt = { .base = env->idt.base, .limit = env->idt.limit },
        .cr8 = x->intc ? x->intc->get_tpr(x->intc_opaque) : 0,
        .apic_base = x->intc ? x->intc->get_base(x->intc_opaque) : 0,
    };
    struct kvm_segment *const to[6] = { &k.es, &k.cs, &k.ss, &k.ds, &k.fs, &k.gs };

    for (unsigned i = 0; i < 6; i++) {
        x86_kvm_put_segment(to[i], &env->segs[i], vm86);
    }
    x86_kvm_put_segment(&k.ldt, &env->ldt, false);
    x86_kvm_put_segment(&k.tr, &env->tr, false);
    return kvm_vcpu_ioctl(cpu, KVM_SET_SREGS, &k);
}

static int get_sregs(Vcpu *cpu)
{
    CPUX86State *env = cpu->env;
    struct kvm_sregs k;
    int result = kvm_vcpu_ioctl(cpu, KVM_GET_SREGS, &k);
    const struct kvm_segment *const from[6] = { &k.es, &k.cs, &k.ss, &k.ds, &k.fs, &k.gs };

    if (result < 0) {
        return result;
    }
    for (unsigned i = 0; i < 6; i++) {
        x86_kvm_get_segment(&env->segs[i], from[i]);
    }
    x86_kvm_get_segment(&env->ldt, &k.ldt);
    x86_kvm_get_segment(&env->tr, &k.tr);
    env->gdt.base = k.gdt.base;
    env->gdt.limit = k.gdt.limit;
    env->idt.base = k.idt.base;
    env->idt.limit = k.idt.limit;
    env->cr[0] = k.cr0;
    env->cr[2] = k.cr2;
    env->cr[3] = k.cr3;
    env->cr[4] = k.cr4;
    env->efer = k.efer;
    return 0;
}

/* --- x87, SSE and what lies beyond --- */

void x86_kvm_pack_xsave(CPUX86State *env, uint8_t *x)
{
    uint8_t tags = 0;

    for (unsigned i = 0; i < 8; i++) {
        const FpuReg *st = &env->fpregs[(env->fpstt + i) & 7];

        tags |= (uint8_t)(!env->fptags[i] << i);
        memcpy(x + XS_ST + 16 * i, st->b, 10);
    }
    st16_le(x + XS_FCW, env->fpuc);
    st16_le(x + XS_FSW, (env->fpus & ~0x3800) | (env->fpstt & 7) << 11);
    x[XS_FTW] = tags;
    st16_le(x + XS_FOP, env->fpop);
    st64_le(x + XS_FIP, env->fpip);
    st64_le(x + XS_FDP, env->fpdp);
    st32_le(x + XS_MXCSR, x86_get_mxcsr(env));
    for (unsigned i = 0; i < 16; i++) {
        memcpy(x + XS_XMM + 16 * i, env->ymm[i].b, 16);
        memcpy(x + XS_YMM_HIGH + 16 * i, env->ymm[i].b + 16, 16);
    }
    /* after a reset there is nothing beyond SSE: XCR0 is 1 */
    st64_le(x + XS_BV, (env->xcr0 == 1 ? 0 : ld64_le(x + XS_BV)) | XSTATE_X87 | XSTATE_SSE | (env->xcr0 & XSTATE_AVX));
}

void x86_kvm_unpack_xsave(CPUX86State *env, const uint8_t *x)
{
    env->fpuc = ld16_le(x + XS_FCW);
    env->fpstt = ld16_le(x + XS_FSW) >> 11 & 7;
    env->fpus = ld16_le(x + XS_FSW) & ~0x3800;
    env->fpop = ld16_le(x + XS_FOP);
    env->fpip = ld64_le(x + XS_FIP);
    env->fpdp = ld64_le(x + XS_FDP);
    for (unsigned i = 0; i < 8; i++) {
        env->fptags[i] = !(x[XS_FTW] >> i & 1);
        memcpy(env->fpregs[(env->fpstt + i) & 7].b, x + XS_ST + 16 * i, 10);
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(env->ymm[i].b, x + XS_XMM + 16 * i, 16);
        if (env->xcr0 & XSTATE_AVX) {
            memcpy(env->ymm[i].b + 16, x + XS_YMM_HIGH + 16 * i, 16);
        }
    }
    x86_set_mxcsr(env, ld32_le(x + XS_MXCSR));
}

static int put_xsave(Vcpu *cpu)
{
    x86_kvm_pack_xsave(cpu->env, X86_CPU(cpu)->kvm_xsave);
    return kvm_vcpu_ioctl(cpu, KVM_SET_XSAVE, X86_CPU(cpu)->kvm_xsave);
}

static int get_xsave(Vcpu *cpu)
{
    int result = kvm_vcpu_ioctl(cpu, KVM_GET_XSAVE, X86_CPU(cpu)->kvm_xsave);

    if (result >= 0) {
        x86_kvm_unpack_xsave(cpu->env, X86_CPU(cpu)->kvm_xsave);
    }
    return result;
}

static int put_xcrs(Vcpu *cpu)
{
    struct kvm_xcrs k = { .nr_xcrs = 1, .xcrs[0] = { .xcr = 0, .value = ((CPUX86State *)cpu->env)->xcr0 } };

    return kvm_vcpu_ioctl(cpu, KVM_SET_XCRS, &k);
}

static int get_xcrs(Vcpu *cpu)
{
    struct kvm_xcrs k;
    int result = kvm_vcpu_ioctl(cpu, KVM_GET_XCRS, &k);

    for (unsigned i = 0; result >= 0 && i < k.nr_xcrs; i++) {
        if (k.xcrs[i].xcr == 0) {
            ((CPUX86State *)cpu->env)->xcr0 = k.xcrs[i].value;
        }
    }
    return result;
}

/* --- model-specific registers --- */

#define MSR_FIELD(msr, field) { msr, offsetof(CPUX86State, field) }
static const struct { uint32_t msr; uint32_t offset; } msrs[] = {
    MSR_FIELD(0x174, sysenter_cs), MSR_FIELD(0x175, sysenter_esp), MSR_FIELD(0x176, sysenter_eip), MSR_FIELD(0x277, pat),
    MSR_FIELD(0xc0000081, star), MSR_FIELD(0xc0000082, lstar), MSR_FIELD(0xc0000083, cstar), MSR_FIELD(0xc0000084, fmask),
    MSR_FIELD(0xc0000102, kernelgsbase), MSR_FIELD(0xc0000103, tsc_aux), MSR_FIELD(0x1a0, misc_enable),
    MSR_FIELD(0x2ff, mtrr_deftype), MSR_FIELD(0x4b564d00, kvm_wall_clock_msr), MSR_FIELD(0x4b564d01, kvm_system_time_msr),
};

typedef struct MsrList {
    struct kvm_msrs head;
    struct kvm_msr_entry entry[ARRAY_SIZE(msrs) + 1];
} MsrList;

/* The kernel may know fewer; it stops at the first it does not, so each is set by itself. */
static int put_msrs(Vcpu *cpu)
{
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
        MsrList l = { .head.nmsrs = 1 };

        l.entry[0].index = msrs[i].msr;
        l.entry[0].data = *(uint64_t *)((char *)cpu->env + msrs[i].offset);
        kvm_vcpu_ioctl(cpu, KVM_SET_MSRS, &l);
    }
    return 0;
}

static int get_msrs(Vcpu *cpu)
{
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
        MsrList l = { .head.nmsrs = 1 };

        l.entry[0].index = msrs[i].msr;
        if (kvm_vcpu_ioctl(cpu, KVM_GET_MSRS, &l) == 1) {
            *(uint64_t *)((char *)cpu->env + msrs[i].offset) = l.entry[0].data;
        }
    }
    return 0;
}

/* --- events and debug registers --- */

static int put_events(Vcpu *cpu)
{
    CPUX86State *env = cpu->env;
    struct kvm_vcpu_events k = {
        .flags = KVM_VCPUEVENT_VALID_SHADOW, .nmi.masked = env->nmi_blocked,
        .interrupt.shadow = env->hflags & HF_INHIBIT_IRQ ? KVM_X86_SHADOW_INT_STI : 0,
    };

    /* what the kernel was about to deliver goes on being so */
    k.exception.injected = X86_CPU(cpu)->kvm_exception >= 0;
    k.exception.nr = MAX(X86_CPU(cpu)->kvm_exception, 0);
    k.exception.has_error_code = X86_CPU(cpu)->kvm_exception_has_code;
    k.exception.error_code = X86_CPU(cpu)->kvm_exception_code;
    k.interrupt.injected = X86_CPU(cpu)->kvm_interrupt >= 0;
    k.interrupt.nr = MAX(X86_CPU(cpu)->kvm_interrupt, 0);
    k.interrupt.soft = X86_CPU(cpu)->kvm_interrupt_soft;
    k.nmi.injected = X86_CPU(cpu)->kvm_nmi_injected;
    return kvm_vcpu_ioctl(cpu, KVM_SET_VCPU_EVENTS, &k);
}

static int get_events(Vcpu *cpu)
{
    CPUX86State *env = cpu->env;
    X86CPU *x = X86_CPU(cpu);
    struct kvm_vcpu_events k = { 0 };
    int result = kvm_vcpu_ioctl(cpu, KVM_GET_VCPU_EVENTS, &k);

    if (result < 0) {
        return result;
    }
    env->nmi_blocked = k.nmi.masked;
    env->hflags = (env->hflags & ~(uint32_t)HF_INHIBIT_IRQ) | (k.interrupt.shadow ? HF_INHIBIT_IRQ : 0);
    x->kvm_exception = k.exception.injected ? k.exception.nr : -1;
    x->kvm_exception_has_code = k.exception.has_error_code;
    x->kvm_exception_code = k.exception.error_code;
    x->kvm_interrupt = k.interrupt.injected ? k.interrupt.nr : -1;
    x->kvm_interrupt_soft = k.interrupt.soft;
    x->kvm_nmi_injected = k.nmi.injected;
    return 0;
}

static int put_debugregs(Vcpu *cpu)
{
    CPUX86State *env = cpu->env;
    struct kvm_debugregs k = { .db = { env->dr[0], env->dr[1], env->dr[2], env->dr[3] }, .dr6 = env->dr[6], .dr7 = env->dr[7] };

    return kvm_vcpu_ioctl(cpu, KVM_SET_DEBUGREGS, &k);
}

static int get_debugregs(Vcpu *cpu)
{
    CPUX86State *env = cpu->env;
    struct kvm_debugregs k;
    int result = kvm_vcpu_ioctl(cpu, KVM_GET_DEBUGREGS, &k);

    if (result >= 0) {
        memcpy(env->dr, k.db, sizeof(k.db));
        env->dr[6] = k.dr6;
        env->dr[7] = k.dr7;
    }
    return result;
}

/* --- waiting for interrupts, where the kernel has the local APIC --- */

void x86_kvm_reset(X86CPU *x)
{
    x->kvm_exception = x->kvm_interrupt = -1;
    x->kvm_nmi_injected = false;
    x->kvm_mp_state = x86_cpu_is_bsp(&x->parent) ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED;
}

/* The object's flag is for people to see; the translator's assistance sets it when it executes HLT. */
static int put_mp_state(Vcpu *cpu)
{
    X86CPU *x = X86_CPU(cpu);
    struct kvm_mp_state k;

    if (!x->kvm_halts) {
        return 0;
    }
    if (__atomic_load_n(&cpu->halted, __ATOMIC_SEQ_CST) && x->kvm_mp_state == KVM_MP_STATE_RUNNABLE) {
        x->kvm_mp_state = KVM_MP_STATE_HALTED;
    }
    k.mp_state = x->kvm_mp_state;
    return kvm_vcpu_ioctl(cpu, KVM_SET_MP_STATE, &k);
}

/* The kernel takes the start-up messages that came, so this is before all else. */
static int get_mp_state(Vcpu *cpu)
{
    X86CPU *x = X86_CPU(cpu);
    struct kvm_mp_state k;
    int result = x->kvm_halts ? kvm_vcpu_ioctl(cpu, KVM_GET_MP_STATE, &k) : 0;

    if (x->kvm_halts && result >= 0) {
        x->kvm_mp_state = k.mp_state;
        x->env.wait_for_sipi = k.mp_state == KVM_MP_STATE_UNINITIALIZED || k.mp_state == KVM_MP_STATE_INIT_RECEIVED;
        __atomic_store_n(&cpu->halted, k.mp_state != KVM_MP_STATE_RUNNABLE, __ATOMIC_SEQ_CST);
    }
    return result;
}

/* --- all of it --- */

typedef int StateFn(Vcpu *cpu);

static bool run_all(Vcpu *cpu, StateFn *const *fns, const char *const *names, unsigned n, const char *verb, Error **errp)
{
    for (unsigned i = 0; i < n; i++) {
        int result = fns[i](cpu);

        if (result < 0) {
            error_setg_errno(errp, -result, "KVM does not %s the %s", verb, names[i]);
            return false;
        }
    }
    return true;
}

static const char *const parts[] = { "MP state", "XCRs", "XSAVE state", "special registers", "MSRs", "registers", "debug registers",
                                     "events" };

static bool x86_kvm_put(Vcpu *cpu, Error **errp)
{
    static StateFn *const fns[] = { put_mp_state, put_xcrs, put_xsave, put_sregs, put_msrs, put_regs, put_debugregs, put_events };

    return run_all(cpu, fns, parts, ARRAY_SIZE(fns), "take", errp);
}

static bool x86_kvm_get(Vcpu *cpu, Error **errp)
{
    static StateFn *const fns[] = { get_mp_state, get_xcrs, get_xsave, get_sregs, get_msrs, get_regs, get_debugregs, get_events };

    if (!run_all(cpu, fns, parts, ARRAY_SIZE(fns), "give", errp)) {
        return false;
    }
    x86_update_hflags(cpu->env);
    return true;
}

/* --- requests and interrupts --- */

#define OBJECT_REQUESTS (CPU_INTERRUPT_INIT | CPU_INTERRUPT_SIPI)

static bool x86_kvm_needs_state(Vcpu *cpu, uint32_t request)
{
    return request & OBJECT_REQUESTS;
}

static void x86_kvm_handle_requests(Vcpu *cpu, uint32_t request)
{
    X86CPU *x = X86_CPU(cpu);

    if (request & CPU_INTERRUPT_INIT) {
        x->kvm_exception = x->kvm_interrupt = -1;
        x->kvm_nmi_injected = false;
    }
    while ((request = __atomic_load_n(&cpu->interrupt_request, __ATOMIC_SEQ_CST) & OBJECT_REQUESTS)) {
        x86_exec_interrupt(cpu, request);
    }
}

/* Vectors come from Quern's own controllers: one is handed over when the guest can take it. */
static void inject(Vcpu *cpu, struct kvm_run *run)
{
    X86CPU *x = X86_CPU(cpu);
    uint32_t request = __atomic_load_n(&cpu->interrupt_request, __ATOMIC_SEQ_CST);
    int vector;

    if (request & CPU_INTERRUPT_NMI) {
        cpu_reset_interrupt(cpu, CPU_INTERRUPT_NMI);
        kvm_vcpu_ioctl(cpu, KVM_NMI, NULL);
    }
    if (request & CPU_INTERRUPT_HARD && run->ready_for_interrupt_injection && run->if_flag) {
        vector = x->intc->get_interrupt(x->intc_opaque);
        if (vector >= 0) {
            struct kvm_interrupt k = { .irq = vector };

            kvm_vcpu_ioctl(cpu, KVM_INTERRUPT, &k);
            run->ready_for_interrupt_injection = 0;
        }
    }
    if (!x->intc->has_interrupt(x->intc_opaque)) {
        cpu_reset_interrupt(cpu, CPU_INTERRUPT_HARD);
    }
}

static void x86_kvm_pre_run(Vcpu *cpu, struct kvm_run *run)
{
    X86CPU *x = X86_CPU(cpu);

    cpu_reset_interrupt(cpu, CPU_INTERRUPT_POLL | CPU_INTERRUPT_TPR | CPU_INTERRUPT_EXITTB);
    if (x->intc) {
        inject(cpu, run);
        run->cr8 = x->intc->get_tpr(x->intc_opaque);
    }
    run->request_interrupt_window = __atomic_load_n(&cpu->interrupt_request, __ATOMIC_SEQ_CST) & CPU_INTERRUPT_HARD ? 1 : 0;
}

static void x86_kvm_post_run(Vcpu *cpu, struct kvm_run *run)
{
    X86CPU *x = X86_CPU(cpu);

    if (!x->intc) {
        return;
    }
    if (x->intc->get_tpr(x->intc_opaque) != run->cr8) {
        x->intc->set_tpr(x->intc_opaque, (uint8_t)run->cr8);
    }
    if (x->intc->get_base(x->intc_opaque) != run->apic_base) {
        x->intc->set_base(x->intc_opaque, run->apic_base);
    }
}

/* HLT: until an interrupt that the guest takes. */
static void x86_kvm_halted(Vcpu *cpu, const struct kvm_run *run)
{
    uint32_t request = __atomic_load_n(&cpu->interrupt_request, __ATOMIC_SEQ_CST);

    if (!(request & (CPU_INTERRUPT_NMI | OBJECT_REQUESTS)) && !((request & CPU_INTERRUPT_HARD) && run->if_flag)) {
        __atomic_store_n(&cpu->halted, 1, __ATOMIC_SEQ_CST);
    }
}

static bool x86_kvm_wakes(Vcpu *cpu)
{
    cpu_reset_interrupt(cpu, CPU_INTERRUPT_POLL | CPU_INTERRUPT_TPR | CPU_INTERRUPT_EXITTB);
    return vcpu_info(cpu)->has_work(cpu);
}

/* --- instructions that KVM does not know --- */

static void x86_kvm_emulation_failed(Vcpu *cpu)
{
    X86_CPU(cpu)->kvm_exception = -1;           /* an undefined opcode */
}

static bool is_prefix(uint8_t b, bool cs64)
{
    return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || (b & 0xe7) == 0x26 || b == 0x64 || b == 0x65 ||
           (cs64 && (b & 0xf0) == 0x40);
}

/* Opcodes whose ModRM byte says what they do. */
static bool is_group(uint8_t opcode, bool two_byte)
{
    return two_byte ? opcode <= 1 || opcode == 0xae || opcode == 0xba || opcode == 0xc7
                    : opcode >= 0xd8 && opcode <= 0xdf ? true : opcode >= 0xf6 && (opcode & 0x0e) == 0x06;
}

/* Escapes and opcode, and the ModRM byte's reg field of groups. */
static uint32_t x86_kvm_insn_kind(Vcpu *cpu, const uint8_t *bytes, unsigned n)
{
    bool cs64 = ((CPUX86State *)cpu->env)->hflags & HF_CS64;
    uint32_t kind = 0;
    unsigned i = 0;

    while (i < n && is_prefix(bytes[i], cs64)) {
        i++;
    }
    if (i < n && bytes[i] == 0x0f) {
        kind = bytes[i++];
        if (i < n && (bytes[i] == 0x38 || bytes[i] == 0x3a)) {
            kind = kind << 8 | bytes[i++];
        }
    }
    if (i >= n) {
        return 0;
    }
    kind = kind << 8 | bytes[i];
    return kind << 4 | (i + 1 < n && is_group(bytes[i], kind > 0xff) ? 8u | (bytes[i + 1] >> 3 & 7) : 0);
}

/* --- CPUID --- */

typedef struct CpuidList {
    struct kvm_cpuid2 head;
    struct kvm_cpuid_entry2 entry[MAX_CPUID];
} CpuidList;

/* Of leaf 1 ECX: what needs an interrupt controller in the kernel. */
#define ECX_X2APIC          (1u << 21)
#define ECX_TSC_DEADLINE    (1u << 24)
/* Set by the guest's own doings or always: not for the kernel's list to take away. */
#define ECX_OSXSAVE         (1u << 27)
#define ECX_HYPERVISOR      (1u << 31)
#define EDX_HTT             (1u << 28)

static uint32_t supported_bits(const CpuidList *host, uint32_t leaf, uint32_t subleaf, unsigned reg)
{
    for (unsigned i = 0; i < host->head.nent; i++) {
        const struct kvm_cpuid_entry2 *e = &host->entry[i];

        if (e->function == leaf && e->index == subleaf) {
            const uint32_t regs[4] = { e->eax, e->ebx, e->ecx, e->edx };

            return regs[reg];
        }
    }
    return 0;
}

static void add_entry(CpuidList *list, CPUX86State *env, uint32_t leaf, uint32_t subleaf, bool indexed)
{
    struct kvm_cpuid_entry2 *e = &list->entry[list->head.nent];
    uint32_t out[4];

    if (list->head.nent == MAX_CPUID) {
        return;
    }
    x86_cpuid(env, leaf, subleaf, out);
    if (leaf == 1) {
        out[2] &= ~ECX_OSXSAVE;         /* the kernel's to set, by CR4 */
    }
    *e = (struct kvm_cpuid_entry2){
        .function = leaf, .index = subleaf, .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
        .eax = out[0], .ebx = out[1], .ecx = out[2], .edx = out[3],
    };
    list->head.nent++;
}

/* Leaves with subleaves, and how many are asked. */
static unsigned subleaves(uint32_t leaf)
{
    switch (leaf) {
    case 4:
        return 5;
    case 7:
        return 2;
    case 0xb:
    case 0x1f:
        return 4;
    case 0xd:
        return 16;
    default:
        return 0;
    }
}

static void add_leaf(CpuidList *list, CPUX86State *env, uint32_t leaf)
{
    unsigned n = subleaves(leaf);

    if (leaf == 0x15 || leaf == 0x16) {
        return;                         /* frequencies that are the translator's own */
    }
    if (!n) {
        add_entry(list, env, leaf, 0, false);
    }
    for (unsigned i = 0; i < n; i++) {
        add_entry(list, env, leaf, i, true);
    }
}

/* KVM's own leaves, as the kernel offers them: clock, polling, asynchronous page faults without interrupts. */
static void add_kvm_leaves(CpuidList *list, const CpuidList *host)
{
    for (unsigned i = 0; i < host->head.nent && list->head.nent < MAX_CPUID; i++) {
        struct kvm_cpuid_entry2 e = host->entry[i];

        if (e.function == 0x40000000 || e.function == 0x40000001) {
            if (e.function == 0x40000001) {
                e.eax &= 1u << 0 | 1u << 3 | 1u << 24;      /* clock source 1 and 2, stable */
            }
            list->entry[list->head.nent++] = e;
        }
    }
}

/* What the host's KVM offers; asked once. */
static const CpuidList *host_cpuid(void)
{
    static CpuidList host;

    if (!host.head.nent) {
        host.head.nent = MAX_CPUID;
        if (kvm_ioctl(KVM_GET_SUPPORTED_CPUID, &host) < 0) {
            host.head.nent = 0;
        }
    }
    return &host;
}

/* The bits of a feature register that a guest may have. */
static uint32_t allowed_bits(uint32_t leaf, uint32_t subleaf, unsigned reg)
{
    uint32_t bits = supported_bits(host_cpuid(), leaf, subleaf, reg);

    if (leaf == 1 && reg == 2) {
        bits = (bits | ECX_HYPERVISOR | (kvm_check_extension(KVM_CAP_TSC_DEADLINE_TIMER) ? ECX_TSC_DEADLINE : 0)) &
               ~(accel_irqchip() == ACCEL_IRQCHIP_OFF ? ECX_X2APIC | ECX_TSC_DEADLINE : 0);
    }
    return leaf == 1 && reg == 3 ? bits | EDX_HTT : bits;
}

uint64_t x86_kvm_features(FeatureWord w)
{
    static const char *const regs[4] = { "EAX", "EBX", "ECX", "EDX" };
    const char *name;
    uint32_t leaf;
    int subleaf;

    if (!x86_feature_word_cpuid(w, &leaf, &subleaf, &name)) {
        return 0;
    }
    for (unsigned reg = 0; reg < 4; reg++) {
        if (!strcmp(name, regs[reg])) {
            return allowed_bits(leaf, MAX(subleaf, 0), reg);
        }
    }
    return 0;
}

uint64_t x86_kvm_read_tsc(Vcpu *cpu)
{
    MsrList l = { .head.nmsrs = 1, .entry[0].index = MSR_TSC };

    if (kvm_native()) {
        return __builtin_ia32_rdtsc() + ((CPUX86State *)cpu->env)->tsc_offset;      /* as user mode has it */
    }
    return kvm_vcpu_ioctl(cpu, KVM_GET_MSRS, &l) == 1 ? l.entry[0].data : 0;
}

uint64_t x86_kvm_tsc_hz(Vcpu *cpu)
{
    int khz = kvm_vcpu_ioctl(cpu, KVM_GET_TSC_KHZ, NULL);

    return khz > 0 ? khz * 1000ull : 0;
}

/* The kernel takes no CPUID for a vCPU that ran: is it the one that it has? */
static bool is_fixed_cpuid(Vcpu *cpu, const CpuidList *list)
{
    GBytes **fixed = kvm_vcpu_fixed(cpu);
    size_t size;
    const void *data;

    if (!*fixed) {
        return false;
    }
    data = g_bytes_get_data(*fixed, &size);
    return size == sizeof(*list) && !memcmp(data, list, size);
}

static bool set_cpuid(Vcpu *cpu, Error **errp)
{
    g_autofree CpuidList *list = g_new0(CpuidList, 1), *fixed = NULL;
    const CpuidList *host = host_cpuid();
    CPUX86State *env = cpu->env;
    int result;

    for (uint32_t leaf = 0; leaf <= env->cpuid_level; leaf++) {
        add_leaf(list, env, leaf);
    }
    add_kvm_leaves(list, host);
    for (uint32_t leaf = 0x80000000; leaf <= env->cpuid_xlevel; leaf++) {
        add_leaf(list, env, leaf);
    }
    if (is_fixed_cpuid(cpu, list)) {
        return true;
    }
    fixed = g_memdup2(list, sizeof(*list));
    result = kvm_vcpu_ioctl(cpu, KVM_SET_CPUID2, list);
    if (result < 0) {
        error_setg_errno(errp, -result, "KVM does not take the CPUID of %s", cpu->dev.obj.type->name);
        return false;
    }
    g_clear_pointer(kvm_vcpu_fixed(cpu), g_bytes_unref);
    *kvm_vcpu_fixed(cpu) = g_bytes_new(fixed, sizeof(*fixed));
    return true;
}

bool x86_kvm_realize(X86CPU *x, Error **errp)
{
    x->kvm_xsave = g_malloc0(X86_KVM_XSAVE_SIZE);
    x->kvm_halts = accel_irqchip() != ACCEL_IRQCHIP_OFF;
    return set_cpuid(&x->parent, errp);
}

void x86_kvm_unrealize(X86CPU *x)
{
    x86_kvm_native_free(x);
    g_clear_pointer(&x->kvm_xsave, g_free);
}

const KvmCpuOps x86_kvm_ops = {
    .put = x86_kvm_put,
    .get = x86_kvm_get,
    .needs_state = x86_kvm_needs_state,
    .handle_requests = x86_kvm_handle_requests,
    .pre_run = x86_kvm_pre_run,
    .post_run = x86_kvm_post_run,
    .halted = x86_kvm_halted,
    .wakes = x86_kvm_wakes,
    .emulation_failed = x86_kvm_emulation_failed,
    .insn_kind = x86_kvm_insn_kind,
    .debug_fits = x86_kvm_debug_fits,
    .debug_put = x86_kvm_debug_put,
    .debug_exit = x86_kvm_debug_exit,
    .irqchip_works = x86_kvm_probe_lapic,
    .native_possible = x86_kvm_probe,
    .native_ready = x86_kvm_native_ready,
    .native_epoch = x86_kvm_native_epoch,
    .native_eager = x86_kvm_native_eager,
    .native_bytes = KVM_TABLES_BYTES,
    .native_slot_bytes = KVM_TABLES_SPAN,
    .native_present = x86_kvm_native_present,
    .native_resumed = x86_kvm_native_resumed,
    .native_run = x86_kvm_native_run,
};
