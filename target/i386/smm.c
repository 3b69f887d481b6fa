/*
 * System management mode: entry by SMI and RSM.
 *
 * Reference: SDM Vol.3 chapter 31; the state save map is AMD64's (APM Vol.2 table 10-1), which is
 * what firmware for virtual machines expects, whatever the CPU's vendor.
 *
 * SMRAM is ordinary memory at SMBASE as the board maps it.
 */
#include "target/i386/segment.h"

#define SMM_ENTRY_OFFSET 0x8000
#define SMM_REVISION     0x00020064u     /* AMD64 map, I/O restart and SMBASE relocation */

/* Offsets from SMBASE + 8000H. */
enum {
    SM_ES = 0x7e00, SM_GDTR = 0x7e60, SM_LDTR = 0x7e70, SM_IDTR = 0x7e80, SM_TR = 0x7e90, SM_HALT_RESTART = 0x7ec9,
    SM_EFER = 0x7ed0, SM_REVISION = 0x7efc, SM_SMBASE = 0x7f00, SM_CR4 = 0x7f48, SM_CR3 = 0x7f50, SM_CR0 = 0x7f58,
    SM_DR7 = 0x7f60, SM_DR6 = 0x7f68, SM_RFLAGS = 0x7f70, SM_RIP = 0x7f78, SM_R15 = 0x7f80, SM_RDI = 0x7fc8 - 8,
};

static hwaddr save_area(const CPUX86State *env, unsigned offset)
{
    return env->smbase + 0x8000 + offset;
}

static void put(CPUX86State *env, unsigned offset, unsigned size, uint64_t v)
{
    address_space_st(x86_env_vcpu(env)->as, save_area(env, offset), v, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static uint64_t get(CPUX86State *env, unsigned offset, unsigned size)
{
    return address_space_ld(x86_env_vcpu(env)->as, save_area(env, offset), size, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static void put_segment(CPUX86State *env, unsigned offset, const SegmentCache *s)
{
    put(env, offset, 2, s->selector);
    put(env, offset + 2, 2, (s->flags >> 8 & 0xff) | (s->flags >> 12 & 0xf00));
    put(env, offset + 4, 4, s->limit);
    put(env, offset + 8, 8, s->base);
}

static SegmentCache get_segment(CPUX86State *env, unsigned offset)
{
    uint32_t attr = (uint32_t)get(env, offset + 2, 2);

    return (SegmentCache){
        .selector = (uint32_t)get(env, offset, 2), .limit = (uint32_t)get(env, offset + 4, 4),
        .base = get(env, offset + 8, 8), .flags = (attr & 0xff) << 8 | (attr & 0xf00) << 12,
    };
}

/* RAX..RDI lie downwards in their encoding order but for the pairs the map swaps. */
static unsigned gpr_offset(unsigned reg)
{
    static const uint16_t low[] = {
        [R_EAX] = 0x7ff8, [R_ECX] = 0x7ff0, [R_EDX] = 0x7fe8, [R_EBX] = 0x7fe0, [R_ESP] = 0x7fd8, [R_EBP] = 0x7fd0,
        [R_ESI] = 0x7fc8, [R_EDI] = 0x7fc0,
    };
    return reg < 8 ? low[reg] : SM_R15 + (15 - reg) * 8;
}

static void save_state(CPUX86State *env, bool was_halted)
{
    for (unsigned i = 0; i < 6; i++) {
        put_segment(env, SM_ES + i * 16, &env->segs[i]);
    }
    put_segment(env, SM_GDTR, &env->gdt);
    put_segment(env, SM_LDTR, &env->ldt);
    put_segment(env, SM_IDTR, &env->idt);
    put_segment(env, SM_TR, &env->tr);
    put(env, SM_HALT_RESTART, 1, was_halted);
    put(env, SM_EFER, 8, env->efer);
    put(env, SM_REVISION, 4, SMM_REVISION);
    put(env, SM_SMBASE, 4, env->smbase);
    put(env, SM_CR4, 4, env->cr[4]);
    put(env, SM_CR3, 8, env->cr[3]);
    put(env, SM_CR0, 4, env->cr[0]);
    put(env, SM_DR7, 4, env->dr[7]);
    put(env, SM_DR6, 4, env->dr[6]);
    put(env, SM_RFLAGS, 4, x86_get_eflags(env));
    put(env, SM_RIP, 8, env->tcg.pc);
    for (unsigned i = 0; i < 16; i++) {
        put(env, gpr_offset(i), 8, env->regs[i]);
    }
}

void x86_smm_enter(CPUX86State *env)
{
    const uint32_t data = DESC_G | DESC_P | DESC_S | DESC_W | DESC_A;
    Vcpu *cpu = x86_env_vcpu(env);

    save_state(env, __atomic_exchange_n(&cpu->halted, 0, __ATOMIC_SEQ_CST));
    env->hflags |= HF_SMM;
    env->efer = 0;
    env->dr[7] = DR7_FIXED_1;
    x86_set_eflags(env, 2, ~0ULL);
    env->tcg.pc = SMM_ENTRY_OFFSET;
    x86_set_cr0(env, env->cr[0] & ~(uint64_t)(CR0_PE | CR0_EM | CR0_TS | CR0_PG));
    x86_set_cr4(env, 0);
    for (unsigned i = 0; i < 6; i++) {
        env->segs[i] = (SegmentCache){ .limit = 0xffffffff, .flags = data };
    }
    env->segs[R_CS].selector = env->smbase >> 4 & 0xffff;
    env->segs[R_CS].base = env->smbase;
    env->hflags &= ~HF_INHIBIT_IRQ;
    x86_debug_regs_update(env);
    x86_update_hflags(env);
}

void x86_smm_leave(CPUX86State *env, uintptr_t ra)
{
    const uint64_t all_flags = CC_ALL | TF_MASK | IF_MASK | DF_MASK | IOPL_MASK | NT_MASK | RF_MASK | VM_MASK | AC_MASK |
                               VIF_MASK | VIP_MASK | ID_MASK;
    Vcpu *cpu = x86_env_vcpu(env);
    uint64_t cr0 = get(env, SM_CR0, 4), rflags = get(env, SM_RFLAGS, 4);
    bool restart_halt = get(env, SM_HALT_RESTART, 1) & 1;

    env->cr[3] = get(env, SM_CR3, 8);
    env->efer = get(env, SM_EFER, 8) & ~(uint64_t)EFER_LMA;
    x86_set_cr4(env, get(env, SM_CR4, 4));
    x86_set_cr0(env, cr0);
    env->dr[7] = get(env, SM_DR7, 4) | DR7_FIXED_1;
    env->dr[6] = get(env, SM_DR6, 4) | DR6_FIXED_1;
    for (unsigned i = 0; i < 16; i++) {
        env->regs[i] = get(env, gpr_offset(i), 8);
    }
    env->tcg.pc = get(env, SM_RIP, 8);
    for (unsigned i = 0; i < 6; i++) {
        env->segs[i] = get_segment(env, SM_ES + i * 16);
    }
    env->gdt = get_segment(env, SM_GDTR);
    env->ldt = get_segment(env, SM_LDTR);
    env->idt = get_segment(env, SM_IDTR);
    env->tr = get_segment(env, SM_TR);
    x86_set_eflags(env, rflags, all_flags);
    if (get(env, SM_REVISION, 4) & 0x20000) {
        env->smbase = get(env, SM_SMBASE, 4);
    }
    env->hflags &= ~HF_SMM;
    x86_set_cr3(env, env->cr[3]);
    x86_debug_regs_update(env);
    x86_update_hflags(env);
    if (restart_halt) {
        __atomic_store_n(&cpu->halted, 1, __ATOMIC_SEQ_CST);
        cpu->exception_index = EXCP_HLT;
        tcg_cpu_loop_exit(cpu);
    }
}
