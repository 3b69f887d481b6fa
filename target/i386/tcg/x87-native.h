/*
 * Any x87 instruction carried out by the host's x87 on the guest's whole x87 state.
 */
#ifndef TARGET_I386_TCG_X87_NATIVE_H
#define TARGET_I386_TCG_X87_NATIVE_H

#include "target/i386/cpu.h"

/* Status word, SDM Vol.1 8.1.3 */
enum {
    FPUS_IE = 0x01, FPUS_DE = 0x02, FPUS_ZE = 0x04, FPUS_OE = 0x08, FPUS_UE = 0x10, FPUS_PE = 0x20,
    FPUS_EXC = 0x3f, FPUS_SF = 0x40, FPUS_ES = 0x80,
    FPUS_C0 = 0x100, FPUS_C1 = 0x200, FPUS_C2 = 0x400, FPUS_C3 = 0x4000, FPUS_CC = 0x4700, FPUS_B = 0x8000,
};

/* Control word, SDM Vol.1 8.1.5: the bits that exist, the one that always reads 1, FNINIT's value. */
enum { FPUC_MASK = 0x1f3f, FPUC_ONE = 0x40, FPUC_INIT = 0x37f };

/* What FNSAVE and FRSTOR exchange with memory, 32-bit protected-mode form. */
typedef struct X87Image {
    uint32_t cw, sw, tw, fip, fcs_fop, fdp, fds;
    uint8_t st[8][10];
} __attribute__((packed)) X87Image;

/*
 * Run the instruction on a copy of @env's x87 state: escape opcode 0xd8 + @esc with ModRM byte @modrm;
 * for memory forms (@modrm < 0xc0) only the reg field counts and @mem is the operand.  @eflags (may
 * be NULL): ZF, PF and CF before and after.  The caller has dealt with pending exceptions and lets
 * only instructions through that a host knows and that are no control instructions.
 * The result is in @img; x87_native_commit() makes it the guest's state.
 */
void x87_native_run(CPUX86State *env, X87Image *img, unsigned esc, unsigned modrm, void *mem, uint32_t *eflags);
void x87_native_commit(CPUX86State *env, const X87Image *img);

/* Both steps in one.  The long way: callers have short ones. */
void x87_native(CPUX86State *env, unsigned esc, unsigned modrm, void *mem) __attribute__((cold));

/* The 16-bit tag word of FNSTENV, by physical register (SDM Vol.1 8.1.7). */
uint16_t x87_tag_word(const CPUX86State *env);
void x87_set_tag_word(CPUX86State *env, uint16_t tw);
/* Set status and TOP from a stored status word; ES and B follow from flags and masks. */
void x87_set_status(CPUX86State *env, uint16_t sw);
void x87_set_control(CPUX86State *env, uint16_t cw);
/*
 * Called whenever the guest's status word is set otherwise than by an operation: the host's sticky flags are a subset of
 * the guest's.
 */
static inline void x87_flags_changed(void)
{
    __asm__ volatile("fnclex");
}
/* The host computes under the guest's rounding and precision control, all exceptions masked. */
static inline void x87_load_control(const CPUX86State *env)
{
    __asm__ volatile("fldcw %0" : : "m"(env->tcg.guest_fpcw));
}
/* What entering translated code does: for tests that call helpers. */
static inline void x87_enter(const CPUX86State *env)
{
    x87_flags_changed();
    x87_load_control(env);
}

#endif
