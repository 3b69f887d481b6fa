/*
 * The x86 CPU: architectural state, mode flags, and what the files of target/i386 share.
 *
 * Reference: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM), volumes 1-4.
 */
#ifndef TARGET_I386_CPU_INT_H
#define TARGET_I386_CPU_INT_H

#include "accel/tcg/cpu-ops.h"
#include "target/i386/cpu-hw.h"
#include "util/timer.h"

/* Register numbers as encoded. */
enum { R_EAX, R_ECX, R_EDX, R_EBX, R_ESP, R_EBP, R_ESI, R_EDI, R_R8, R_R9, R_R10, R_R11, R_R12, R_R13, R_R14, R_R15 };
enum { R_ES, R_CS, R_SS, R_DS, R_FS, R_GS, R_LDTR, R_TR };

/* EFLAGS, SDM Vol.1 3.4.3 */
enum {
    CC_C = 0x1, CC_P = 0x4, CC_A = 0x10, CC_Z = 0x40, CC_S = 0x80, CC_O = 0x800,
    CC_ALL = CC_C | CC_P | CC_A | CC_Z | CC_S | CC_O,
    TF_MASK = 0x100, IF_MASK = 0x200, DF_MASK = 0x400, IOPL_SHIFT = 12, IOPL_MASK = 0x3000, NT_MASK = 0x4000,
    RF_MASK = 0x10000, VM_MASK = 0x20000, AC_MASK = 0x40000, VIF_MASK = 0x80000, VIP_MASK = 0x100000, ID_MASK = 0x200000,
};

enum {
    CR0_PE = 1u << 0, CR0_MP = 1u << 1, CR0_EM = 1u << 2, CR0_TS = 1u << 3, CR0_ET = 1u << 4, CR0_NE = 1u << 5,
    CR0_WP = 1u << 16, CR0_AM = 1u << 18, CR0_NW = 1u << 29, CR0_CD = 1u << 30, CR0_PG = 1u << 31,
    CR4_VME = 1u << 0, CR4_PVI = 1u << 1, CR4_TSD = 1u << 2, CR4_DE = 1u << 3, CR4_PSE = 1u << 4, CR4_PAE = 1u << 5,
    CR4_MCE = 1u << 6, CR4_PGE = 1u << 7, CR4_PCE = 1u << 8, CR4_OSFXSR = 1u << 9, CR4_OSXMMEXCPT = 1u << 10,
    CR4_UMIP = 1u << 11, CR4_LA57 = 1u << 12, CR4_FSGSBASE = 1u << 16, CR4_PCIDE = 1u << 17, CR4_OSXSAVE = 1u << 18,
    CR4_SMEP = 1u << 20, CR4_SMAP = 1u << 21, CR4_PKE = 1u << 22,
};

enum {
    EFER_SCE = 1u << 0, EFER_LME = 1u << 8, EFER_LMA = 1u << 10, EFER_NXE = 1u << 11, EFER_FFXSR = 1u << 14,
};

/* Exceptions, SDM Vol.3 table 6-1 */
enum {
    EXCP00_DIVZ = 0, EXCP01_DB, EXCP02_NMI, EXCP03_INT3, EXCP04_INTO, EXCP05_BOUND, EXCP06_ILLOP, EXCP07_PREX,
    EXCP08_DBLE, EXCP09_XERR, EXCP0A_TSS, EXCP0B_NOSEG, EXCP0C_STACK, EXCP0D_GPF, EXCP0E_PAGE, EXCP10_COPR = 16,
    EXCP11_ALGN, EXCP12_MCHK, EXCP13_SIMD, EXCP_SYSCALL = 0x100, EXCP_TRIPLE = 0x101,
};

/*
 * hflags: the mode as translation sees it; env->hflags always equals what x86_compute_hflags()
 * would give, together with these EFLAGS bits at their own places: TF, IOPL, VM, RF, AC.
 */
enum {
    HF_CPL_SHIFT = 0, HF_CPL_MASK = 3,
    HF_INHIBIT_IRQ = 1 << 3,            /* STI/MOV SS shadow: next instruction is not interrupted */
    HF_CS32 = 1 << 4, HF_SS32 = 1 << 5,
    HF_ADDSEG = 1 << 6,                 /* some of DS, ES, SS has a base that must be added */
    HF_PE = 1 << 7,
    HF_TF = 1 << 8,                     /* == TF_MASK */
    HF_MP = 1 << 9, HF_EM = 1 << 10, HF_TS = 1 << 11,
    HF_IOPL_SHIFT = 12,                 /* == IOPL_SHIFT */
    HF_LMA = 1 << 14, HF_CS64 = 1 << 15,
    HF_RF = 1 << 16, HF_VM = 1 << 17, HF_AC = 1 << 18,  /* as in EFLAGS */
    HF_SMM = 1 << 19,
    /*
     * x87 instructions are helper calls: an exception is unmasked or pending; or a block's guess at the register stack was
     * wrong, until the mode is next looked at.
     */
    HF_X87_CALLS = 1 << 20,
    HF_OSFXSR = 1 << 22,
    HF_SMAP = 1 << 23,                  /* CR4.SMAP */
    HF_IOBPT = 1 << 24,                 /* an I/O breakpoint is armed */
    HF_MXCSR_UNMASKED = 1 << 25,        /* some SSE exception is unmasked: use checking code */
    HF_OSXSAVE = 1 << 26, HF_AVX_EN = 1 << 27, HF_UMIP = 1 << 28, HF_FSGSBASE = 1 << 29,
};

/* The parts of hflags | eflags that select a translation (TbMode.flags). */
#define HF_TB_MASK (~0ull)

/* TLB indexes */
enum { MMU_KSMAP_IDX, MMU_USER_IDX, MMU_KNOSMAP_IDX, MMU_PHYS_IDX, X86_N_MMU_IDX };

/*
 * Lazy flags: CC_OP says how the six arithmetic flags follow from cc_dst, cc_src, cc_src2.
 * Each family has four sizes (B, W, L, Q).  Within a block the front end knows it; at block
 * boundaries env->cc_op has it.
 *   ADD: dst = result, src = second operand     ADC: dst = result, src = operand, src2 = carry in
 *   SUB: dst = result, src = second operand, (first operand = dst + src)     SBB: same, src2 = borrow in
 *   LOGIC: dst = result, C = O = 0, A = 0       INC/DEC: dst = result, src = old C
 *   SHL: dst = result, src = value before the last bit left (C is its top bit)
 *   SAR (and SHR): dst = result, src = same (C is its bit 0)
 *   MUL: dst = low result, src != 0: C = O = 1  BMILG (ANDN, BLSR..): see gen
 *   EFLAGS: src holds the flags themselves      CLR: all clear but Z and P (xor r,r)
 */
typedef enum CCOp {
    CC_OP_DYNAMIC,      /* only at translation time: look in env->cc_op */
    CC_OP_EFLAGS,
    CC_OP_CLR,
    CC_OP_POPCNT,       /* dst: Z = dst == 0, all others 0 */
    CC_OP_MULB, CC_OP_MULW, CC_OP_MULL, CC_OP_MULQ,
    CC_OP_ADDB, CC_OP_ADDW, CC_OP_ADDL, CC_OP_ADDQ,
    CC_OP_ADCB, CC_OP_ADCW, CC_OP_ADCL, CC_OP_ADCQ,
    CC_OP_SUBB, CC_OP_SUBW, CC_OP_SUBL, CC_OP_SUBQ,
    CC_OP_SBBB, CC_OP_SBBW, CC_OP_SBBL, CC_OP_SBBQ,
    CC_OP_LOGICB, CC_OP_LOGICW, CC_OP_LOGICL, CC_OP_LOGICQ,
    CC_OP_INCB, CC_OP_INCW, CC_OP_INCL, CC_OP_INCQ,
    CC_OP_DECB, CC_OP_DECW, CC_OP_DECL, CC_OP_DECQ,
    CC_OP_SHLB, CC_OP_SHLW, CC_OP_SHLL, CC_OP_SHLQ,
    CC_OP_SARB, CC_OP_SARW, CC_OP_SARL, CC_OP_SARQ,
    CC_OP_BMILGB, CC_OP_BMILGW, CC_OP_BMILGL, CC_OP_BMILGQ,
    CC_OP_NB,
} CCOp;

/* Globals of the IR, in this order in x86_ir_globals[] (target/i386/tcg/translate.c). */
enum {
    G_RAX, G_RCX, G_RDX, G_RBX, G_RSP, G_RBP, G_RSI, G_RDI,
    G_R8, G_R9, G_R10, G_R11, G_R12, G_R13, G_R14, G_R15,
    G_CC_DST, G_CC_SRC, G_CC_SRC2, G_CC_OP /* I32 */,
    G_FPIP, G_FPDP,
    G_ES_BASE, G_CS_BASE, G_SS_BASE, G_DS_BASE, G_FS_BASE, G_GS_BASE,
    G_XMM0, G_XMM15 = G_XMM0 + 15,      /* V128: the low halves of env->ymm[] */
    G_YMMH0, G_YMMH15 = G_YMMH0 + 15,   /* V128: the high halves */
    X86_N_GLOBALS,
};

typedef struct SegmentCache {
    uint32_t selector;
    uint32_t limit;         /* in bytes, granularity applied */
    uint64_t base;
    uint32_t flags;         /* the descriptor's second dword, as in memory */
} SegmentCache;

/* Bits of SegmentCache.flags (descriptor dword 1) */
enum {
    DESC_G = 1 << 23, DESC_B = 1 << 22, DESC_L = 1 << 21, DESC_AVL = 1 << 20, DESC_P = 1 << 15,
    DESC_DPL_SHIFT = 13, DESC_S = 1 << 12, DESC_TYPE_SHIFT = 8,
    DESC_A = 1 << 8, DESC_CS = 1 << 11, DESC_C = 1 << 10, DESC_R = 1 << 9, DESC_E = 1 << 10, DESC_W = 1 << 9,
};

typedef union XmmReg {
    uint8_t b[32]; uint16_t w[16]; uint32_t l[8]; uint64_t q[4]; float s[8]; double d[4];
    unsigned __int128 x[2];
} __attribute__((aligned(32))) XmmReg;          /* x86 order: index 0 is least significant; [16..31] is the YMM half */

/* An x87 register; .mm aliases the mantissa. */
typedef union FpuReg {
    long double f;
    struct { uint64_t mant; uint16_t se; } parts;
    uint8_t b[16];
    uint64_t mm;
} FpuReg;

/* Features, one word per CPUID register or MSR that lists them; rows in features.def. */
typedef enum FeatureWord {
    FEAT_1_EDX, FEAT_1_ECX, FEAT_7_0_EBX, FEAT_7_0_ECX, FEAT_7_0_EDX, FEAT_7_1_EAX, FEAT_8000_0001_EDX,
    FEAT_8000_0001_ECX, FEAT_8000_0007_EDX, FEAT_8000_0008_EBX, FEAT_KVM, FEAT_6_EAX, FEAT_XSAVE,
    FEAT_7_1_EDX, FEAT_7_2_EDX, FEAT_12_0_EAX, FEAT_12_0_EBX, FEAT_12_1_EAX, FEAT_14_0_ECX, FEAT_24_0_EBX, FEAT_KVM_HINTS,
    FEAT_8000_0007_EBX, FEAT_SVM, FEAT_8000_0021_EAX, FEAT_8000_0022_EAX, FEAT_C000_0001_EDX,
    /* the rest are MSRs, of 64 bits */
    FEAT_CORE_CAPABILITY, FEAT_ARCH_CAPABILITIES, FEAT_PERF_CAPABILITIES, FEAT_VMX_BASIC, FEAT_VMX_MISC, FEAT_VMX_SECONDARY,
    FEAT_VMX_EPT_VPID, FEAT_VMX_PINBASED, FEAT_VMX_PROCBASED, FEAT_VMX_EXIT, FEAT_VMX_ENTRY, FEAT_VMX_VMFUNC,
    FEATURE_WORDS,
} FeatureWord;

typedef struct CPUX86State {
    TcgEnv tcg;                     /* first; tcg.pc is RIP */

    uint64_t regs[16];
    uint64_t cc_dst, cc_src, cc_src2;
    uint32_t cc_op;
    uint32_t hflags;
    uint64_t eflags;                /* without the six arithmetic flags and DF, which live in cc_* and df */
    int64_t df;                     /* +1 or -1 */
    SegmentCache segs[6];
    XmmReg ymm[16];
    uint32_t mxcsr;                 /* guest view except sticky bits, which are in tcg.guest_fpcr while running */

    /* x87 */
    FpuReg fpregs[8];               /* physical registers; ST(i) = fpregs[(fpstt + i) & 7] */
    uint32_t fpstt;
    uint16_t fpus;                  /* status word without TOP */
    uint16_t fpuc;                  /* control word */
    uint8_t fptags[8];              /* 1 = empty */
    uint16_t fpop;                  /* last opcode */
    uint64_t fpip, fpdp;
    uint16_t fpcs, fpds;
    uint16_t fpus_before;           /* the host's status word before the running store, for x86_restore_state() */

    /* system */
    SegmentCache ldt, tr, gdt, idt;
    uint64_t cr[5];                 /* 0, 2, 3, 4; CR8 is the APIC's */
    uint64_t dr[8];
    uint64_t efer, star, lstar, cstar, fmask, kernelgsbase;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, xcr0, xss;
    uint64_t tsc_offset, tsc_adjust, tsc_deadline, tsc_aux;
    uint64_t mcg_cap, mcg_status, mcg_ctl, mce_banks[4 * 10];
    uint64_t mtrr_fixed[11], mtrr_deftype;
    struct { uint64_t base, mask; } mtrr_var[8];
    uint64_t misc_enable, bios_sign_id, spec_ctrl, smbase, misc_features_enables;
    uint64_t kvm_wall_clock_msr, kvm_system_time_msr, kvm_poll_control;
    uint64_t a20_mask;              /* and-mask for physical addresses */

    /* exception being raised */
    int32_t error_code;
    bool exception_is_int;          /* INT n / INT3 / INTO */
    uint64_t exception_next_eip;
    int32_t old_exception;          /* for double faults; -1 */
    bool nmi_blocked;
    bool pending_debug_trap;        /* #DB to be taken before the next block (I/O breakpoint) */
    bool wait_for_sipi;
    uint8_t sipi_vector;

    /* under KVM, where the translator runs the guest's kernel (kvm-native.c) */
    uint64_t kernel_entries;        /* counts interrupts, exceptions, system calls */
    bool leave_for_user;            /* leave translated code as soon as user mode is entered */

    /* constant after realize */
    uint64_t features[FEATURE_WORDS];
    uint32_t cpuid_level, cpuid_xlevel, cpuid_version, cpuid_vendor[3], cpuid_model[12];
} CPUX86State;

typedef struct X86CPU {
    Vcpu parent;
    CPUX86State env __attribute__((aligned(64)));

    uint32_t apic_id;
    const X86IntcOps *intc;
    /* under KVM: state that only the kernel knows of, kept while it is out */
    uint8_t *kvm_xsave;             /* XSAVE area */
    struct X86KvmNative *kvm_native;
    int32_t kvm_exception, kvm_interrupt;       /* about to be delivered; -1 = none */
    uint32_t kvm_exception_code;
    bool kvm_halts;             /* the kernel has the local APIC, and waits for interrupts itself */
    uint32_t kvm_mp_state;      /* KVM_MP_STATE_*, as of the last look; counts if .kvm_halts */
    bool kvm_exception_has_code, kvm_interrupt_soft, kvm_nmi_injected;
    void *intc_opaque;
    uint64_t user_features[FEATURE_WORDS];          /* bits set or cleared by property: env->features has the value */
    uint64_t filtered_features[FEATURE_WORDS];      /* wanted, and not to be had; after expansion */
    bool expose_kvm;                /* CPUID 0x40000000 answers as KVM does */
    bool expose_tcg;                /* else, as TCG */
    bool migratable, leaf_0b, l3_cache, leaf_freq;
    bool check, enforce;            /* report, or refuse, features that cannot be had */
    uint32_t phys_bits;
    char *vendor, *model_id;
    uint32_t family, model, stepping, level, xlevel;    /* level, xlevel: ~0 = as features need */
    uint32_t min_level, min_xlevel; /* the model's */
    uint64_t tsc_hz;                /* by property; 0 = whatever runs it */
    X86Topology topo;               /* of the machine, for CPUID */
} X86CPU;

OBJECT_DECLARE(X86CPU, X86_CPU, x86_cpu)        /* "x86_64-cpu", abstract */

static inline X86CPU *x86_env_cpu(CPUX86State *env) { return container_of(env, X86CPU, env); }
static inline Vcpu *x86_env_vcpu(CPUX86State *env) { return &x86_env_cpu(env)->parent; }
/* DR7 has an enabled execution breakpoint (SDM Vol.3 17.2.4). */
static inline bool x86_has_code_breakpoint(const CPUX86State *env)
{
    uint64_t dr7 = env->dr[7];

    for (unsigned n = 0; n < 4 && dr7 & 0xff; n++) {
        if ((dr7 >> (2 * n) & 3) && !(dr7 >> (16 + 4 * n) & 3)) {
            return true;
        }
    }
    return false;
}
static inline unsigned x86_cpl(const CPUX86State *env) { return env->hflags & HF_CPL_MASK; }
/* An instruction that may lead to user mode is done, hflags are those after it. */
static inline void x86_maybe_leave_for_user(CPUX86State *env)
{
    if (unlikely(env->leave_for_user) && x86_cpl(env) == 3) {
        __atomic_store_n(&env->tcg.exit_request, TCG_EXIT_REQUESTED, __ATOMIC_SEQ_CST);
    }
}

/* --- flags (tcg/cc.c) --- */
uint32_t x86_cc_compute_all(CPUX86State *env);          /* the six flags, from env->cc_* */
uint64_t x86_get_eflags(CPUX86State *env);              /* whole EFLAGS */
/* Set the bits of @mask; keeps hflags in step. */
void x86_set_eflags(CPUX86State *env, uint64_t value, uint64_t mask);

/* --- mode (mode.c) --- */
void x86_update_segment_hflags(CPUX86State *env);       /* those that depend on segments, when nothing else changed */
/* The control or status word was set: what follows of it for translated code. */
void x87_control_changed(CPUX86State *env);
void x86_update_hflags(CPUX86State *env);               /* recompute all from segments, CRs, EFER, EFLAGS */
unsigned x86_mmu_index(const CPUX86State *env);         /* for data accesses */
static inline unsigned x86_mmu_index_kernel(const CPUX86State *env)     /* implicit supervisor accesses */
{
    return env->cr[4] & CR4_SMAP ? MMU_KSMAP_IDX : MMU_KNOSMAP_IDX;
}
void x86_set_cr0(CPUX86State *env, uint64_t v);
void x86_set_cr3(CPUX86State *env, uint64_t v);         /* with PCID and no-flush bit handled */
void x86_set_cr4(CPUX86State *env, uint64_t v);
void x86_load_seg_cache(CPUX86State *env, unsigned seg, unsigned selector, uint64_t base, uint32_t limit, uint32_t flags);

/* --- exceptions (excp.c); raise functions do not return --- */
G_NORETURN void x86_raise(CPUX86State *env, int vector, uintptr_t ra);
G_NORETURN void x86_raise_err(CPUX86State *env, int vector, int error_code, uintptr_t ra);
/* INT n and friends: @next_eip is pushed. */
G_NORETURN void x86_raise_int(CPUX86State *env, int vector, uint64_t next_eip, uintptr_t ra);
/* Deliver through the IDT (or IVT). */
void x86_do_interrupt(CPUX86State *env, int vector, bool is_int, int error_code, uint64_t next_eip, bool is_hw);

/* --- MMU (mmu.c) --- */
typedef struct X86Translation { hwaddr pa; uint64_t size; unsigned prot; bool global; } X86Translation;
/* SDM Vol.3 chapter 4.  False: @error_code is the page-fault code (or -1 for a non-canonical #GP/#SS). */
bool x86_mmu_translate(CPUX86State *env, vaddr va, MmuAccess access, unsigned mmu_idx, bool debug,
                       X86Translation *out, int *error_code);

/* --- MSRs, CPUID (msr.c, cpuid.c) --- */
bool x86_msr_read(CPUX86State *env, uint32_t msr, uint64_t *value);        /* false: #GP */
bool x86_msr_write(CPUX86State *env, uint32_t msr, uint64_t value);
void x86_cpuid(CPUX86State *env, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
static inline bool x86_has(const CPUX86State *env, FeatureWord w, unsigned bit)
{
    return env->features[w] >> bit & 1;
}
void x86_cpu_reset(X86CPU *cpu);                        /* power-on/RESET state, SDM Vol.3 table 9-1 */
void x86_cpu_init_reset(X86CPU *cpu);                   /* INIT: the same but FPU, caches and most MSRs */
uint64_t x86_cr4_allowed(const CPUX86State *env);       /* CR4 bits that the CPU has (tcg/helper-system.c) */
uint64_t x86_xcr0_supported(const CPUX86State *env);    /* XCR0 bits that XSETBV may set */

/* --- FPU (tcg/fpu-state.c) --- */
void x86_fpu_reset(CPUX86State *env);                   /* FNINIT */
void x86_set_mxcsr(CPUX86State *env, uint32_t v);       /* env, hflags, tcg.guest_fpcr */
uint32_t x86_get_mxcsr(CPUX86State *env);               /* with sticky bits; reads the live host MXCSR when in translated code */
void x86_enter_mmx(CPUX86State *env);

/* --- what the accelerator calls: x86_tcg_ops in tcg/translate.c --- */
void x86_get_mode(Vcpu *cpu, uint64_t *pc, TbMode *mode);               /* tcg/translate.c */
unsigned x86_fetch_mmu_idx(Vcpu *cpu);
void x86_restore_state(Vcpu *cpu, uint64_t pc, const uint32_t params[2]);
void x86_translate(TbRequest *req);
bool x86_tlb_fill(Vcpu *cpu, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, bool probe, uintptr_t ra);
void x86_do_exception(Vcpu *cpu);
bool x86_exec_interrupt(Vcpu *cpu, uint32_t request);
void x86_unaligned(Vcpu *cpu, vaddr va, MmuAccess access, unsigned mmu_idx, uintptr_t ra);
void x86_debug_hit(Vcpu *cpu, vaddr va, unsigned len, MmuAccess access, uintptr_t ra);
bool x86_has_work(Vcpu *cpu);
void x86_disassemble(FILE *f, const TbMode *mode, uint64_t pc, const uint8_t *bytes, size_t n);     /* tcg/disas.c */

extern const TcgCpuOps x86_tcg_ops;                     /* tcg/translate.c */
extern const IrTarget x86_ir_target;

#endif
