/*
 * What the generators of MMX and SSE instructions share.
 */
#ifndef TARGET_I386_TCG_GEN_SSE_H
#define TARGET_I386_TCG_GEN_SSE_H

#include "target/i386/tcg/gen.h"

/*
 * Rows of vecops.def, with what guest exceptions need around them: while an SSE exception is
 * unmasked, rows that touch MXCSR are bracketed by sse_begin and sse_end, which raises #XM before
 * the result is written anywhere.
 */
IrVal sse_vop1(Gen *g, IrVop op, IrVal x);
IrVal sse_vop2(Gen *g, IrVop op, IrVal x, IrVal y);
IrVal sse_vop1i(Gen *g, IrVop op, IrVal x, uint8_t imm);
IrVal sse_vop2i(Gen *g, IrVop op, IrVal x, IrVal y, uint8_t imm);
IrVal sse_vop3i(Gen *g, IrVop op, IrVal x, IrVal y, IrVal z, uint8_t imm);
IrVal sse_to_int(Gen *g, IrVop op, IrType t, IrVal x, IrVal y_or_none, uint8_t imm);
IrVal sse_from_int(Gen *g, IrVop op, IrVal x_or_none, IrVal i, uint8_t imm);

/* 64 bits to the low half of a vector (the rest zero), and back. */
IrVal sse_from_q(Gen *g, IrVal q);
IrVal sse_to_q(Gen *g, IrVal v);

/* Is operand @n an MMX register or its memory alternative? */
static inline bool is_mmx(const Insn *i, unsigned n)
{
    unsigned k = i->e->op[n].kind;

    return k == OPD_P || k == OPD_Q || k == OPD_N;
}

/* Pending x87 exceptions, then TOP = 0 and all registers valid: SDM Vol.1 9.5.1. */
void mmx_enter(Gen *g);
/* Write operand 0, an MMX register or memory; a register's exponent becomes all ones. */
void mmx_writeback(Gen *g, const Insn *i, IrVal q);

#endif
