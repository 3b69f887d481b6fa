/*
 * Generators of SSE floating point: arithmetic, comparison, conversion.
 *
 * The scalar rows keep the upper part of the destination; a scalar memory operand was loaded at
 * its own size.
 *
 * Reference: SDM Vol.1 chapters 10 and 11, Vol.2.
 */
#include "target/i386/tcg/gen-sse.h"

#define FP2(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        gen_writeback(g, i, sse_vop2(g, IR_VOP_##NAME, i->dst, i->src)); \
    }
FP2(ADDPS)
FP2(ADDPD)
FP2(ADDSS)
FP2(ADDSD)
FP2(MULPS)
FP2(MULPD)
FP2(MULSS)
FP2(MULSD)
FP2(SUBPS)
FP2(SUBPD)
FP2(SUBSS)
FP2(SUBSD)
FP2(MINPS)
FP2(MINPD)
FP2(MINSS)
FP2(MINSD)
FP2(DIVPS)
FP2(DIVPD)
FP2(DIVSS)
FP2(DIVSD)
FP2(MAXPS)
FP2(MAXPD)
FP2(MAXSS)
FP2(MAXSD)
FP2(SQRTSS)
FP2(SQRTSD)
FP2(RCPSS)
FP2(RSQRTSS)
FP2(ADDSUBPS)
FP2(ADDSUBPD)
FP2(HADDPS)
FP2(HADDPD)
FP2(HSUBPS)
FP2(HSUBPD)
FP2(CVTSS2SD)
FP2(CVTSD2SS)

#define FP1(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        gen_writeback(g, i, sse_vop1(g, IR_VOP_##NAME, i->src)); \
    }
FP1(SQRTPS)
FP1(SQRTPD)
FP1(RCPPS)
FP1(RSQRTPS)
FP1(CVTPS2PD)
FP1(CVTPD2PS)
FP1(CVTDQ2PS)
FP1(CVTPS2DQ)
FP1(CVTTPS2DQ)
FP1(CVTTPD2DQ)
FP1(CVTPD2DQ)
FP1(CVTDQ2PD)

#define FP1I(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        gen_writeback(g, i, sse_vop1i(g, IR_VOP_##NAME, i->src, i->imm)); \
    }
FP1I(ROUNDPS)
FP1I(ROUNDPD)

#define FP2I(NAME, MASK) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        gen_writeback(g, i, sse_vop2i(g, IR_VOP_##NAME, i->dst, i->src, i->imm & (MASK))); \
    }
FP2I(ROUNDSS, 0xff)
FP2I(ROUNDSD, 0xff)
FP2I(DPPS, 0xff)
FP2I(DPPD, 0xff)
/* Legacy forms know eight predicates; the upper bits of the immediate are ignored. */
FP2I(CMPPS, 7)
FP2I(CMPPD, 7)
FP2I(CMPSS, 7)
FP2I(CMPSD, 7)

/* --- comparisons to EFLAGS --- */

#define COMPARE(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        gen_flags_eflags(g, sse_to_int(g, IR_VOP_##NAME, IR_I32, i->dst, i->src, 0)); \
    }
COMPARE(UCOMISS)
COMPARE(UCOMISD)
COMPARE(COMISS)
COMPARE(COMISD)

/* --- to and from general registers, 32 or 64 bits --- */

#define FROM_INT(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        IrVop op = i->op[1].size == IR_MO_64 ? IR_VOP_##NAME##64 : IR_VOP_##NAME; \
        gen_writeback(g, i, sse_from_int(g, op, i->dst, i->src, 0)); \
    }
FROM_INT(CVTSI2SS)
FROM_INT(CVTSI2SD)

#define TO_INT(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        bool wide = i->op[0].size == IR_MO_64; \
        IrVop op = wide ? IR_VOP_##NAME##64 : IR_VOP_##NAME; \
        gen_writeback(g, i, sse_to_int(g, op, wide ? IR_I64 : IR_I32, i->src, IR_NONE, 0)); \
    }
TO_INT(CVTTSS2SI)
TO_INT(CVTTSD2SI)
TO_INT(CVTSS2SI)
TO_INT(CVTSD2SI)

/* --- to and from MMX registers --- */

/* Only a register operand enters MMX mode. */
static IrVal mmx_source(Gen *g, const Insn *i)
{
    if (!i->is_mem) {
        mmx_enter(g);
    }
    return sse_from_q(g, i->src);
}

void gen_CVTPI2PS(Gen *g, const Insn *i)
{
    IrVal v = sse_vop1(g, IR_VOP_CVTDQ2PS, mmx_source(g, i));

    gen_writeback(g, i, ir_vop2(g->b, IR_VOP_MOVSD, i->dst, v));
}

void gen_CVTPI2PD(Gen *g, const Insn *i)
{
    gen_writeback(g, i, sse_vop1(g, IR_VOP_CVTDQ2PD, mmx_source(g, i)));
}

/* @single: two floats, whose upper neighbours must not be looked at. */
static void to_mmx(Gen *g, const Insn *i, IrVop op, bool single)
{
    IrVal v = single ? ir_vop1(g->b, IR_VOP_MOVQ, i->src) : i->src;

    mmx_enter(g);
    mmx_writeback(g, i, sse_to_q(g, sse_vop1(g, op, v)));
}

void gen_CVTPS2PI(Gen *g, const Insn *i)
{
    to_mmx(g, i, IR_VOP_CVTPS2DQ, true);
}

void gen_CVTTPS2PI(Gen *g, const Insn *i)
{
    to_mmx(g, i, IR_VOP_CVTTPS2DQ, true);
}

void gen_CVTPD2PI(Gen *g, const Insn *i)
{
    to_mmx(g, i, IR_VOP_CVTPD2DQ, false);
}

void gen_CVTTPD2PI(Gen *g, const Insn *i)
{
    to_mmx(g, i, IR_VOP_CVTTPD2DQ, false);
}
