/*
 * Direct boot: the CPU as a boot protocol hands it to a kernel, without firmware.
 *
 * Linux/x86 boot protocol, "64-bit boot protocol": long mode, paging on with an identity map,
 * flat segments, interrupts off.  PVH and Multiboot: 32-bit flat protected mode without paging,
 * A20 open.  What firmware would have left in the memory-type registers is set too.
 */
#include "target/i386/segment.h"

enum { MTRR_DEF_WRITE_BACK = 6, MTRR_DEF_FIXED_ENABLE = 1 << 10, MTRR_DEF_ENABLE = 1 << 11 };

/* Memory is write-back by default; CD and NW, set by RESET, are cleared by any firmware. */
static void firmware_leftovers(CPUX86State *env)
{
    env->mtrr_deftype = MTRR_DEF_ENABLE | MTRR_DEF_FIXED_ENABLE | MTRR_DEF_WRITE_BACK;
    for (unsigned i = 0; i < ARRAY_SIZE(env->mtrr_fixed); i++) {
        env->mtrr_fixed[i] = 0x0606060606060606;
    }
    env->mtrr_fixed[1] = env->mtrr_fixed[2] = 0;        /* A0000-BFFFF: video, uncached */
}

void x86_cpu_set_boot_state(Vcpu *vcpu, const X86BootState *st)
{
    CPUX86State *env = vcpu->env;
    const uint32_t code = DESC_G | DESC_P | DESC_S | DESC_CS | DESC_R | DESC_A | 0xf0000;
    const uint32_t data = DESC_G | DESC_B | DESC_P | DESC_S | DESC_W | DESC_A | 0xf0000;
    Vcpu *other;

    CPU_FOREACH(other) {
        firmware_leftovers(other->env);
    }
    firmware_leftovers(env);
    env->gdt = (SegmentCache){ .base = st->gdt_base, .limit = st->gdt_limit };
    env->idt = (SegmentCache){ 0 };
    env->ldt = (SegmentCache){ 0 };
    if (st->long_mode) {
        x86_set_cr4(env, CR4_PAE);
        env->efer |= EFER_LME;
        env->cr[3] = st->cr3;
        x86_set_cr0(env, CR0_PE | CR0_ET | CR0_PG);
    } else {
        x86_set_cr0(env, CR0_PE | CR0_ET);
    }
    x86_load_seg_cache(env, R_CS, st->cs, 0, 0xffffffff, code | (st->long_mode ? DESC_L : DESC_B));
    for (unsigned seg = 0; seg < 6; seg++) {
        if (seg != R_CS) {
            x86_load_seg_cache(env, seg, st->ds, 0, 0xffffffff, data);
        }
    }
    env->regs[R_ESI] = st->rsi;
    env->regs[R_EBX] = st->rbx;
    env->regs[R_EAX] = st->rax;
    env->regs[R_ESP] = st->rsp;
    env->tcg.pc = st->entry;
    x86_set_cr3(env, st->cr3);
    x86_update_hflags(env);
}

void x86_cpu_set_waking_state(Vcpu *vcpu, uint32_t vector)
{
    CPUX86State *env = vcpu->env;
    uint16_t selector = (uint16_t)(vector >> 4);
    Vcpu *other;

    CPU_FOREACH(other) {
        firmware_leftovers(other->env);
    }
    x86_set_cr0(env, CR0_ET);
    x86_load_seg_cache(env, R_CS, selector, (uint32_t)selector << 4, 0xffff, DESC_P | DESC_S | DESC_CS | DESC_R | DESC_A);
    env->tcg.pc = vector & 0xf;
    x86_update_hflags(env);
}
