/*
 * Generators: BMI1 and BMI2.  SDM Vol.2 ANDN, BEXTR, BLSI, BLSMSK, BLSR, BZHI, MULX, PDEP, PEXT, RORX, SARX.
 *
 * PF and AF are undefined where flags change at all; they come out as for a logic operation.
 */
#include "target/i386/tcg/gen.h"

static IrVal konst(Gen *g, const Insn *i, uint64_t v)
{
    return ir_const(g->b, gen_type(i->op[0].size), v);
}

void gen_ANDN(Gen *g, const Insn *i)
{
    IrVal r = ir_andc(g->b, i->src2, i->src);

    gen_writeback(g, i, r);
    gen_flags(g, CC_OP_LOGICB, i->op[0].size, r, IR_NONE);
}

/* C where the source is zero. */
void gen_BLSR(Gen *g, const Insn *i)
{
    IrVal r = ir_and(g->b, i->src, ir_addi(g->b, i->src, -1));

    gen_writeback(g, i, r);
    gen_flags(g, CC_OP_BMILGB, i->op[0].size, r, i->src);
}

void gen_BLSMSK(Gen *g, const Insn *i)
{
    IrVal r = ir_xor(g->b, i->src, ir_addi(g->b, i->src, -1));

    gen_writeback(g, i, r);
    gen_flags(g, CC_OP_BMILGB, i->op[0].size, r, i->src);
}

/* C where it is not. */
void gen_BLSI(Gen *g, const Insn *i)
{
    IrVal r = ir_and(g->b, i->src, ir_neg(g->b, i->src));

    gen_writeback(g, i, r);
    gen_flags(g, CC_OP_LOGICB, i->op[0].size, r, IR_NONE);
    gen_flags_c(g, ir_setcond(g->b, IR_I32, IR_NE, i->src, konst(g, i, 0)));
}

/* The low @n bits of @x (@n: any 8-bit value). */
static IrVal low_bits(Gen *g, const Insn *i, IrVal x, IrVal n)
{
    IrBlock *b = g->b;
    unsigned bits = gen_bits(i->op[0].size);
    IrVal mask = ir_addi(b, ir_shl(b, konst(g, i, 1), ir_andi(b, n, bits - 1)), -1);

    return ir_select(b, IR_LTU, n, konst(g, i, bits), ir_and(b, x, mask), x);
}

void gen_BZHI(Gen *g, const Insn *i)
{
    IrVal n = ir_andi(g->b, i->src2, 0xff), r = low_bits(g, i, i->src, n);

    gen_writeback(g, i, r);
    gen_flags(g, CC_OP_LOGICB, i->op[0].size, r, IR_NONE);
    gen_flags_c(g, ir_setcond(g->b, IR_I32, IR_GEU, n, konst(g, i, gen_bits(i->op[0].size))));
}

/* Bits 7:0 of the control say where, 15:8 how many.  S is undefined. */
void gen_BEXTR(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    unsigned bits = gen_bits(i->op[0].size);
    IrVal start = ir_andi(b, i->src2, 0xff), len = ir_extract(b, i->src2, 8, 8, false), x, r;

    x = ir_shr(b, i->src, ir_andi(b, start, bits - 1));
    x = ir_select(b, IR_LTU, start, konst(g, i, bits), x, konst(g, i, 0));
    r = low_bits(g, i, x, len);
    gen_writeback(g, i, r);
    gen_flags(g, CC_OP_LOGICB, i->op[0].size, r, IR_NONE);
}

/* The high half goes to operand 0, and wins if both are the same register. */
void gen_MULX(Gen *g, const Insn *i)
{
    IrVal x = gen_ld_gpr(g, R_EDX, i->op[0].size), lo, hi;

    lo = ir_mul(g->b, x, i->src2);
    hi = ir_muluh(g->b, x, i->src2);
    gen_writeback_to(g, i, 1, lo);
    gen_writeback(g, i, hi);
}

static void shift_x(Gen *g, const Insn *i, IrVal (*op)(IrBlock *, IrVal, IrVal))
{
    gen_writeback(g, i, op(g->b, i->src, ir_andi(g->b, i->src2, gen_bits(i->op[0].size) - 1)));
}

void gen_SHLX(Gen *g, const Insn *i)
{
    shift_x(g, i, ir_shl);
}

void gen_SHRX(Gen *g, const Insn *i)
{
    shift_x(g, i, ir_shr);
}

void gen_SARX(Gen *g, const Insn *i)
{
    shift_x(g, i, ir_sar);
}

void gen_RORX(Gen *g, const Insn *i)
{
    shift_x(g, i, ir_rotr);
}

static void bits_by_mask(Gen *g, const Insn *i, X86Helper helper)
{
    bool wide = i->op[0].size == IR_MO_64;
    IrVal x = wide ? i->src : ir_zext(g->b, i->src), mask = wide ? i->src2 : ir_zext(g->b, i->src2);
    IrVal r = IR_CALL(g->b, helper, x, mask);

    gen_writeback(g, i, wide ? r : ir_trunc(g->b, r));
}

void gen_PDEP(Gen *g, const Insn *i)
{
    bits_by_mask(g, i, H_pdep);
}

void gen_PEXT(Gen *g, const Insn *i)
{
    bits_by_mask(g, i, H_pext);
}
