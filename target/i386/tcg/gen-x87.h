/*
 * x87 instructions inline: gen-x87-host.c for the generators of gen-x87.c and for common code.
 */
#ifndef TARGET_I386_TCG_GEN_X87_H
#define TARGET_I386_TCG_GEN_X87_H

#include "target/i386/tcg/gen.h"

/* What an instruction does; registers as bits: bit i is ST(i) before it. */
typedef struct X87Effect {
    uint8_t reads, writes;
    uint8_t pops;
    bool pushes;
    uint8_t cc;                     /* X87_C1, X87_C023: condition codes that it defines */
} X87Effect;
enum { X87_C1 = 1, X87_C023 = 2, X87_CC = 3 };

/*
 * The instruction by the host's: a register form, or with a memory operand loaded as @v (16, 32 or 64 bits by @size), or
 * loaded from i->addr as 80 bits.  False: nothing was done, it takes a helper.
 */
bool x87_reg(Gen *g, const Insn *i, X87Effect e);
bool x87_mem(Gen *g, const Insn *i, X87Effect e, IrVal v, unsigned size);
bool x87_pop_to(Gen *g, const Insn *i);                 /* FSTP ST(i) */
bool x87_load_m80(Gen *g, const Insn *i);
/* Stores of ST(0), by the instruction's own opcode; @size: IR_MO_16.. */
bool x87_store(Gen *g, const Insn *i, unsigned size, bool pop);
bool x87_store_m80(Gen *g, const Insn *i);
/* FCOMI: the flags as gen_flags_eflags() takes them; none if it takes a helper. */
IrVal x87_compare(Gen *g, const Insn *i, X87Effect e);
/* FLDCW, where no exception is unmasked. */
void x87_load_control_word(Gen *g, IrVal cw);
/* FNSTSW; none if it takes a helper. */
IrVal x87_status(Gen *g);
/* A helper follows that has no other effect on the register stack than @e, if the registers are as that needs; what else? */
void x87_before_helper(Gen *g, X87Effect e);
/* A helper follows that does with the x87 what it likes. */
void x87_forget(Gen *g);
/* A helper follows that looks at the x87, or leaves translated code otherwise than by unwinding. */
void x87_go_home(Gen *g);
/* FIP and FDP after a non-control instruction that was not refused. */
void x87_note_pointers(Gen *g, const Insn *i);

/* --- for common code --- */

/* Has env all of it? */
static inline bool x87_is_home(const X87State *x)
{
    return !x->known || (!x->live && !x->raised && !x->cc && x->top == x->env_top && x->empty == x->env_empty);
}
static inline bool x87_in_host(const Gen *g) { return !x87_is_home(&g->x87); }
/* Before an instruction: can registers stay in the host's over it? */
bool x87_may_stay(const Insn *i);
/* At the block's start; @loop: what an earlier pass learned, to begin the block as a loop; else NULL. */
void x87_begin_block(Gen *g, const X87Loop *loop);
/* The block is complete: say what it is good for. */
void x87_end_block(Gen *g, X87Loop *loop);
/* At an instruction that may leave the block. */
void x87_note_exit(Gen *g);
/* Is the register stack as it was at the block's start?  Make the rest so, too. */
bool x87_can_loop(const Gen *g);
void x87_loop_back(Gen *g);
/* The state as x86_restore_state() gets it after a fault, 24 bits. */
uint32_t x87_fault_param(const Gen *g);
void x87_restore_state(CPUX86State *env, uint32_t param);

/* Behind a path that ended, as the state was before it. */
void x87_path_end(Gen *g, X87State state);

#endif
