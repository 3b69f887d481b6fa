/*
 * The CPU's mode: hflags from the registers that decide it, and writes to the control registers.
 *
 * The checks that make a MOV to CR fault are the instruction's (tcg/helper-system.c); what is
 * here takes a legal value and does what follows from it: mode bits, TLB invalidation.
 *
 * Reference: SDM Vol.3 2.5 (control registers), 4.10.4 (invalidation of TLBs), 9.8.5 (IA-32e mode).
 */
#include "target/i386/segment.h"

/* Contents of the TLB that any MOV to CR4 changing these bits makes stale, SDM Vol.3 4.10.4.1. */
#define CR4_FLUSH_BITS (CR4_PGE | CR4_PAE | CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_LA57)

static void flush_all(CPUX86State *env)
{
    Vcpu *cpu = x86_env_vcpu(env);

    if (cpu->tcg) {
        tcg_tlb_flush(cpu, TLB_FLUSH_MODE);
    }
}

/* Everything that depends on the code and stack segments. */
static uint32_t hflags_of_segments(const CPUX86State *env)
{
    const SegmentCache *s = env->segs;
    bool pe = env->cr[0] & CR0_PE;
    uint32_t h = desc_dpl(s[R_SS].flags) << HF_CPL_SHIFT;

    if (!pe) {
        h = 0;
    } else if (env->eflags & VM_MASK) {
        h = 3;
    }
    if ((env->efer & EFER_LMA) && (s[R_CS].flags & DESC_L)) {
        return h | HF_CS64 | HF_CS32 | HF_SS32;
    }
    if (s[R_CS].flags & DESC_B) {
        h |= HF_CS32;
    }
    if (s[R_SS].flags & DESC_B) {
        h |= HF_SS32;
    }
    if (!pe || (env->eflags & VM_MASK) || !(h & HF_CS32) || s[R_DS].base || s[R_ES].base || s[R_SS].base) {
        h |= HF_ADDSEG;
    }
    return h;
}

static bool io_breakpoint_armed(const CPUX86State *env)
{
    if (!(env->cr[4] & CR4_DE)) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        if ((env->dr[7] >> (2 * i) & 3) && (env->dr[7] >> (16 + 4 * i) & 3) == 2) {
            return true;
        }
    }
    return false;
}

void x86_update_segment_hflags(CPUX86State *env)
{
    const uint32_t of_segments = HF_CPL_MASK | HF_CS64 | HF_CS32 | HF_SS32 | HF_ADDSEG;

    env->hflags = (env->hflags & ~of_segments) | hflags_of_segments(env);
}

void x86_update_hflags(CPUX86State *env)
{
    static const struct { uint32_t cr, hf; } cr0_map[] = {
        { CR0_PE, HF_PE }, { CR0_MP, HF_MP }, { CR0_EM, HF_EM }, { CR0_TS, HF_TS },
    }, cr4_map[] = {
        { CR4_OSFXSR, HF_OSFXSR }, { CR4_SMAP, HF_SMAP }, { CR4_OSXSAVE, HF_OSXSAVE }, { CR4_UMIP, HF_UMIP },
        { CR4_FSGSBASE, HF_FSGSBASE },
    };
    uint32_t h = env->hflags & (HF_INHIBIT_IRQ | HF_SMM);

    h |= hflags_of_segments(env);
    h |= env->eflags & (TF_MASK | IOPL_MASK | VM_MASK | RF_MASK | AC_MASK);
    for (unsigned i = 0; i < ARRAY_SIZE(cr0_map); i++) {
        h |= env->cr[0] & cr0_map[i].cr ? cr0_map[i].hf : 0;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(cr4_map); i++) {
        h |= env->cr[4] & cr4_map[i].cr ? cr4_map[i].hf : 0;
    }
    if (env->efer & EFER_LMA) {
        h |= HF_LMA;
    }
    if ((env->cr[4] & CR4_OSXSAVE) && (env->xcr0 & 6) == 6) {
        h |= HF_AVX_EN;
    }
    if ((~env->mxcsr & 0x1f80) != 0) {
        h |= HF_MXCSR_UNMASKED;
    }
    if (io_breakpoint_armed(env)) {
        h |= HF_IOBPT;
    }
    env->hflags = h;
    x87_control_changed(env);
}

unsigned x86_mmu_index(const CPUX86State *env)
{
    if (x86_cpl(env) == 3) {
        return MMU_USER_IDX;
    }
    return !(env->hflags & HF_SMAP) || (env->eflags & AC_MASK) ? MMU_KNOSMAP_IDX : MMU_KSMAP_IDX;
}

void x86_set_cr0(CPUX86State *env, uint64_t v)
{
    uint64_t changed = env->cr[0] ^ v;

    env->cr[0] = (v & 0xffffffff) | CR0_ET;
    if ((changed & CR0_PG) && (env->efer & EFER_LME)) {
        env->efer = v & CR0_PG ? env->efer | EFER_LMA : env->efer & ~(uint64_t)EFER_LMA;
    }
    if (changed & (CR0_PG | CR0_WP | CR0_PE)) {
        flush_all(env);
    }
    x86_update_hflags(env);
}

void x86_set_cr3(CPUX86State *env, uint64_t v)
{
    Vcpu *cpu = x86_env_vcpu(env);
    bool pcide = env->cr[4] & CR4_PCIDE;
    bool keep = pcide && (v & BIT_ULL(63));

    env->cr[3] = v & ~BIT_ULL(63);
    if (cpu->tcg && (env->cr[0] & CR0_PG)) {
        /* SDM Vol.3 4.10.4.1: flushes what belongs to the new PCID (000H without CR4.PCIDE), not global pages. */
        tcg_tlb_switch(cpu, pcide ? v & 0xfff : 0, !keep);
    }
}

void x86_set_cr4(CPUX86State *env, uint64_t v)
{
    uint64_t changed = env->cr[4] ^ v;

    env->cr[4] = v;
    if ((changed & CR4_FLUSH_BITS) || ((changed & CR4_PCIDE) && !(v & CR4_PCIDE))) {
        flush_all(env);
    }
    if ((changed & CR4_PCIDE) && x86_env_vcpu(env)->tcg) {
        tcg_tlb_switch(x86_env_vcpu(env), v & CR4_PCIDE ? env->cr[3] & 0xfff : 0, false);
    }
    x86_update_hflags(env);
}

void x86_load_seg_cache(CPUX86State *env, unsigned seg, unsigned selector, uint64_t base, uint32_t limit, uint32_t flags)
{
    env->segs[seg] = (SegmentCache){ .selector = selector & 0xffff, .limit = limit, .base = base, .flags = flags };
    x86_update_segment_hflags(env);
}
