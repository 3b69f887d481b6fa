/*
 * Generators of packed-integer, logic, shuffle, AES and SHA instructions.
 *
 * MMX forms use the 128-bit rows on zero-extended operands.  Where a row would look at the upper
 * halves, the two operands are first joined to one vector (y:x), whose result's low half is the
 * MMX result.
 *
 * Reference: SDM Vol.1 chapters 9, 11, 12; Vol.2 P*.
 */
#include "target/i386/tcg/gen-sse.h"

/* d = op(x, y) on 64 bits. */
static void mmx_vop2(Gen *g, const Insn *i, IrVop op)
{
    mmx_enter(g);
    mmx_writeback(g, i, sse_to_q(g, ir_vop2(g->b, op, sse_from_q(g, i->dst), sse_from_q(g, i->src))));
}

/* The vector with x in its low and y in its high half. */
static IrVal mmx_join(Gen *g, IrVal x, IrVal y)
{
    return ir_vop2(g->b, IR_VOP_PUNPCKLQDQ, sse_from_q(g, x), sse_from_q(g, y));
}

/* Operations within each operand whose results come side by side: packs, horizontal sums. */
static void mmx_joined(Gen *g, const Insn *i, IrVop op)
{
    IrVal both;

    mmx_enter(g);
    both = mmx_join(g, i->dst, i->src);
    mmx_writeback(g, i, sse_to_q(g, ir_vop2(g->b, op, both, both)));
}

/* PUNPCKH: the high half of what the low unpacking gives. */
static void mmx_unpack_high(Gen *g, const Insn *i, IrVop low_op)
{
    IrVal v;

    mmx_enter(g);
    v = ir_vop2(g->b, low_op, sse_from_q(g, i->dst), sse_from_q(g, i->src));
    mmx_writeback(g, i, sse_to_q(g, ir_vop1i(g->b, IR_VOP_PSRLDQ_I, v, 8)));
}

static void xmm_vop2(Gen *g, const Insn *i, IrVop op)
{
    gen_writeback(g, i, ir_vop2(g->b, op, i->dst, i->src));
}

/* x op x of these is all zeros or all ones whatever x is; say so without reading it. */
static bool same_register(const Insn *i)
{
    return !i->is_mem && (i->vex ? i->vvvv : i->op[0].reg) == i->op[1].reg;
}

/* --- two operands --- */

#define BOTH(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        if (is_mmx(i, 0)) { \
            mmx_vop2(g, i, IR_VOP_##NAME); \
        } else { \
            xmm_vop2(g, i, IR_VOP_##NAME); \
        } \
    }
BOTH(PADDB)
BOTH(PADDW)
BOTH(PADDD)
BOTH(PADDQ)
BOTH(PADDSB)
BOTH(PADDSW)
BOTH(PADDUSB)
BOTH(PADDUSW)
BOTH(PSUBB)
BOTH(PSUBW)
BOTH(PSUBD)
BOTH(PSUBQ)
BOTH(PSUBSB)
BOTH(PSUBSW)
BOTH(PSUBUSB)
BOTH(PSUBUSW)
BOTH(PMULLW)
BOTH(PMULHW)
BOTH(PMULHUW)
BOTH(PMULUDQ)
BOTH(PMADDWD)
BOTH(PSADBW)
BOTH(PAVGB)
BOTH(PAVGW)
BOTH(PMINUB)
BOTH(PMINSW)
BOTH(PMAXUB)
BOTH(PMAXSW)
BOTH(PCMPEQB)
BOTH(PCMPEQW)
BOTH(PCMPEQD)
BOTH(PCMPGTB)
BOTH(PCMPGTW)
BOTH(PCMPGTD)
BOTH(PAND)
BOTH(PANDN)
BOTH(POR)
BOTH(PUNPCKLBW)
BOTH(PUNPCKLWD)
BOTH(PUNPCKLDQ)
BOTH(PSRLW)
BOTH(PSRLD)
BOTH(PSRLQ)
BOTH(PSRAW)
BOTH(PSRAD)
BOTH(PSLLW)
BOTH(PSLLD)
BOTH(PSLLQ)
BOTH(PMADDUBSW)
BOTH(PSIGNB)
BOTH(PSIGNW)
BOTH(PSIGND)
BOTH(PMULHRSW)

/* The zero idiom does not depend on the register. */
static void xor_logic(Gen *g, const Insn *i)
{
    if (same_register(i)) {
        gen_writeback(g, i, sse_from_q(g, ir_i64(g->b, 0)));
    } else {
        xmm_vop2(g, i, IR_VOP_PXOR);
    }
}

void gen_PXOR(Gen *g, const Insn *i)
{
    if (is_mmx(i, 0)) {
        mmx_vop2(g, i, IR_VOP_PXOR);
    } else {
        xor_logic(g, i);
    }
}

void gen_XORPS(Gen *g, const Insn *i)
{
    xor_logic(g, i);
}

#define BOTH_JOINED(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        if (is_mmx(i, 0)) { \
            mmx_joined(g, i, IR_VOP_##NAME); \
        } else { \
            xmm_vop2(g, i, IR_VOP_##NAME); \
        } \
    }
BOTH_JOINED(PACKSSWB)
BOTH_JOINED(PACKSSDW)
BOTH_JOINED(PACKUSWB)
BOTH_JOINED(PHADDW)
BOTH_JOINED(PHADDD)
BOTH_JOINED(PHADDSW)
BOTH_JOINED(PHSUBW)
BOTH_JOINED(PHSUBD)
BOTH_JOINED(PHSUBSW)

#define BOTH_HIGH(NAME, LOW) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        if (is_mmx(i, 0)) { \
            mmx_unpack_high(g, i, IR_VOP_##LOW); \
        } else { \
            xmm_vop2(g, i, IR_VOP_##NAME); \
        } \
    }
BOTH_HIGH(PUNPCKHBW, PUNPCKLBW)
BOTH_HIGH(PUNPCKHWD, PUNPCKLWD)
BOTH_HIGH(PUNPCKHDQ, PUNPCKLDQ)

#define XMM_AS(NAME, ROW) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        xmm_vop2(g, i, IR_VOP_##ROW); \
    }
#define XMM(NAME) XMM_AS(NAME, NAME)
XMM_AS(ANDPS, PAND)
XMM_AS(ANDNPS, PANDN)
XMM_AS(ORPS, POR)
XMM(PUNPCKLQDQ)
XMM(PUNPCKHQDQ)
XMM(PMULDQ)
XMM(PCMPEQQ)
XMM(PACKUSDW)
XMM(PCMPGTQ)
XMM(PMINSB)
XMM(PMINSD)
XMM(PMINUW)
XMM(PMINUD)
XMM(PMAXSB)
XMM(PMAXSD)
XMM(PMAXUW)
XMM(PMAXUD)
XMM(PMULLD)
XMM(AESENC)
XMM(AESENCLAST)
XMM(AESDEC)
XMM(AESDECLAST)
XMM(SHA1NEXTE)
XMM(SHA1MSG1)
XMM(SHA1MSG2)
XMM(SHA256MSG1)
XMM(SHA256MSG2)
XMM(UNPCKLPS)
XMM(UNPCKLPD)
XMM(UNPCKHPS)
XMM(UNPCKHPD)

#define XMM_I(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        gen_writeback(g, i, ir_vop2i(g->b, IR_VOP_##NAME, i->dst, i->src, i->imm)); \
    }
XMM_I(SHUFPS)
XMM_I(SHUFPD)
XMM_I(BLENDPS)
XMM_I(BLENDPD)
XMM_I(PBLENDW)
XMM_I(MPSADBW)
XMM_I(PCLMULQDQ)
XMM_I(SHA1RNDS4)

/* With XMM0 as a third operand. */
#define XMM_MASKED(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        gen_writeback(g, i, ir_vop3(g->b, IR_VOP_##NAME, i->dst, i->src, gen_ld_xmm(g, 0))); \
    }
XMM_MASKED(PBLENDVB)
XMM_MASKED(BLENDVPS)
XMM_MASKED(BLENDVPD)
XMM_MASKED(SHA256RNDS2)

/* --- one operand --- */

#define UNARY(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        if (is_mmx(i, 0)) { \
            mmx_enter(g); \
            mmx_writeback(g, i, sse_to_q(g, ir_vop1(g->b, IR_VOP_##NAME, sse_from_q(g, i->src)))); \
        } else { \
            gen_writeback(g, i, ir_vop1(g->b, IR_VOP_##NAME, i->src)); \
        } \
    }
UNARY(PABSB)
UNARY(PABSW)
UNARY(PABSD)
UNARY(PMOVSXBW)
UNARY(PMOVSXBD)
UNARY(PMOVSXBQ)
UNARY(PMOVSXWD)
UNARY(PMOVSXWQ)
UNARY(PMOVSXDQ)
UNARY(PMOVZXBW)
UNARY(PMOVZXBD)
UNARY(PMOVZXBQ)
UNARY(PMOVZXWD)
UNARY(PMOVZXWQ)
UNARY(PMOVZXDQ)
UNARY(PHMINPOSUW)
UNARY(AESIMC)
UNARY(MOVDDUP)
UNARY(MOVSLDUP)
UNARY(MOVSHDUP)

#define UNARY_I(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        gen_writeback(g, i, ir_vop1i(g->b, IR_VOP_##NAME, i->src, i->imm)); \
    }
UNARY_I(PSHUFD)
UNARY_I(PSHUFHW)
UNARY_I(PSHUFLW)
UNARY_I(AESKEYGENASSIST)

void gen_PSHUFW(Gen *g, const Insn *i)
{
    mmx_enter(g);
    mmx_writeback(g, i, sse_to_q(g, ir_vop1i(g->b, IR_VOP_PSHUFLW, sse_from_q(g, i->src), i->imm)));
}

/* Shifts by an immediate change their only operand. */
#define SHIFT_I(NAME) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        if (is_mmx(i, 0)) { \
            mmx_enter(g); \
            mmx_writeback(g, i, sse_to_q(g, ir_vop1i(g->b, IR_VOP_##NAME, sse_from_q(g, i->dst), i->imm))); \
        } else { \
            gen_writeback(g, i, ir_vop1i(g->b, IR_VOP_##NAME, i->dst, i->imm)); \
        } \
    }
SHIFT_I(PSRLW_I)
SHIFT_I(PSRAW_I)
SHIFT_I(PSLLW_I)
SHIFT_I(PSRLD_I)
SHIFT_I(PSRAD_I)
SHIFT_I(PSLLD_I)
SHIFT_I(PSRLQ_I)
SHIFT_I(PSLLQ_I)
SHIFT_I(PSRLDQ_I)
SHIFT_I(PSLLDQ_I)

/* --- those whose MMX form differs --- */

/* An MMX index has three bits, an XMM one four. */
void gen_PSHUFB(Gen *g, const Insn *i)
{
    IrVal index;

    if (!is_mmx(i, 0)) {
        xmm_vop2(g, i, IR_VOP_PSHUFB);
        return;
    }
    mmx_enter(g);
    index = sse_from_q(g, ir_andi(g->b, i->src, 0x8787878787878787));
    mmx_writeback(g, i, sse_to_q(g, ir_vop2(g->b, IR_VOP_PSHUFB, sse_from_q(g, i->dst), index)));
}

void gen_PALIGNR(Gen *g, const Insn *i)
{
    if (!is_mmx(i, 0)) {
        gen_writeback(g, i, ir_vop2i(g->b, IR_VOP_PALIGNR, i->dst, i->src, i->imm));
        return;
    }
    mmx_enter(g);
    mmx_writeback(g, i, sse_to_q(g, ir_vop1i(g->b, IR_VOP_PSRLDQ_I, mmx_join(g, i->src, i->dst), i->imm)));
}

/* --- to and from general registers --- */

void gen_PMOVMSKB(Gen *g, const Insn *i)
{
    bool mmx = is_mmx(i, 1);

    if (mmx) {
        mmx_enter(g);
    }
    gen_writeback(g, i, ir_vop_to_int(g->b, IR_VOP_PMOVMSKB, IR_I32, mmx ? sse_from_q(g, i->src) : i->src, IR_NONE, 0));
}

void gen_MOVMSKPS(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop_to_int(g->b, IR_VOP_MOVMSKPS, IR_I32, i->src, IR_NONE, 0));
}

void gen_MOVMSKPD(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop_to_int(g->b, IR_VOP_MOVMSKPD, IR_I32, i->src, IR_NONE, 0));
}

void gen_PEXTRW(Gen *g, const Insn *i)
{
    if (is_mmx(i, 1)) {
        mmx_enter(g);
        gen_writeback(g, i, ir_vop_to_int(g->b, IR_VOP_PEXTRW, IR_I32, sse_from_q(g, i->src), IR_NONE, i->imm & 3));
    } else {
        gen_writeback(g, i, ir_vop_to_int(g->b, IR_VOP_PEXTRW, IR_I32, i->src, IR_NONE, i->imm & 7));
    }
}

/* A register gets the element zero-extended, memory the element alone. */
static void store_element(Gen *g, const Insn *i, IrVal v, unsigned mem_size)
{
    if (i->is_mem) {
        gen_st(g, i->addr, v, mem_size);
    } else {
        gen_st_gpr(g, i->rm, IR_MO_32, v);
    }
}

void gen_PEXTRB(Gen *g, const Insn *i)
{
    store_element(g, i, ir_vop_to_int(g->b, IR_VOP_PEXTRB, IR_I32, i->src, IR_NONE, i->imm & 15), IR_MO_8);
}

void gen_PEXTRW_M(Gen *g, const Insn *i)
{
    store_element(g, i, ir_vop_to_int(g->b, IR_VOP_PEXTRW, IR_I32, i->src, IR_NONE, i->imm & 7), IR_MO_16);
}

void gen_EXTRACTPS(Gen *g, const Insn *i)
{
    store_element(g, i, ir_vop_to_int(g->b, IR_VOP_PEXTRD, IR_I32, i->src, IR_NONE, i->imm & 3), IR_MO_32);
}

void gen_PEXTRD(Gen *g, const Insn *i)
{
    if (i->op[0].size == IR_MO_64) {
        gen_writeback(g, i, ir_vop_to_int(g->b, IR_VOP_PEXTRQ, IR_I64, i->src, IR_NONE, i->imm & 1));
    } else {
        gen_writeback(g, i, ir_vop_to_int(g->b, IR_VOP_PEXTRD, IR_I32, i->src, IR_NONE, i->imm & 3));
    }
}

void gen_PINSRW(Gen *g, const Insn *i)
{
    if (is_mmx(i, 0)) {
        mmx_enter(g);
        mmx_writeback(g, i, sse_to_q(g, ir_vop_from_int(g->b, IR_VOP_PINSRW, sse_from_q(g, i->dst), i->src, i->imm & 3)));
    } else {
        gen_writeback(g, i, ir_vop_from_int(g->b, IR_VOP_PINSRW, i->dst, i->src, i->imm & 7));
    }
}

/* The register form takes the low byte of any register, never AH to BH. */
void gen_PINSRB(Gen *g, const Insn *i)
{
    IrVal v = i->is_mem ? gen_ld(g, i->addr, IR_MO_8) : gen_ld_gpr(g, i->rm, IR_MO_32);

    gen_writeback(g, i, ir_vop_from_int(g->b, IR_VOP_PINSRB, i->dst, v, i->imm & 15));
}

void gen_PINSRD(Gen *g, const Insn *i)
{
    bool wide = i->op[1].size == IR_MO_64;

    gen_writeback(g, i, ir_vop_from_int(g->b, wide ? IR_VOP_PINSRQ : IR_VOP_PINSRD, i->dst, i->src,
                                        i->imm & (wide ? 1 : 3)));
}

/* From memory there is but one source element. */
void gen_INSERTPS(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop2i(g->b, IR_VOP_INSERTPS, i->dst, i->src, i->is_mem ? i->imm & 0x3f : i->imm));
}

void gen_PTEST(Gen *g, const Insn *i)
{
    gen_flags_eflags(g, ir_vop_to_int(g->b, IR_VOP_PTEST, IR_I32, i->dst, i->src, 0));
}

/* --- string compares: helper-sse.c --- */

/* EAX and EDX, or RAX and RDX with REX.W, as signed lengths. */
static IrVal length(Gen *g, const Insn *i, unsigned reg)
{
    return i->rex_w && g->code64 ? gen_ld_gpr(g, reg, IR_MO_64) : ir_sext(g->b, gen_ld_gpr(g, reg, IR_MO_32));
}

static void index_result(Gen *g, IrVal r)
{
    gen_st_gpr(g, R_ECX, IR_MO_32, ir_trunc(g->b, r));
    gen_flags_eflags(g, ir_trunc(g->b, ir_shri(g->b, r, 32)));
}

void gen_PCMPISTRI(Gen *g, const Insn *i)
{
    index_result(g, IR_CALL(g->b, H_pcmpistri, i->dst, i->src, ir_i32(g->b, (uint8_t)i->imm)));
}

void gen_PCMPESTRI(Gen *g, const Insn *i)
{
    index_result(g, IR_CALL(g->b, H_pcmpestri, i->dst, i->src, ir_i32(g->b, (uint8_t)i->imm),
                            length(g, i, R_EAX), length(g, i, R_EDX)));
}

static void mask_result(Gen *g, const Insn *i, IrVal mask, IrVal index_and_flags)
{
    gen_st_xmm(g, 0, mask);
    if (i->vex) {
        gen_st_ymmh(g, 0, sse_from_q(g, ir_i64(g->b, 0)));
    }
    gen_flags_eflags(g, ir_trunc(g->b, ir_shri(g->b, index_and_flags, 32)));
}

void gen_PCMPISTRM(Gen *g, const Insn *i)
{
    IrVal imm = ir_i32(g->b, (uint8_t)i->imm);
    IrVal flags = IR_CALL(g->b, H_pcmpistri, i->dst, i->src, imm);

    mask_result(g, i, IR_CALL(g->b, H_pcmpistrm, i->dst, i->src, imm), flags);
}

void gen_PCMPESTRM(Gen *g, const Insn *i)
{
    IrVal imm = ir_i32(g->b, (uint8_t)i->imm), lx = length(g, i, R_EAX), ly = length(g, i, R_EDX);
    IrVal flags = IR_CALL(g->b, H_pcmpestri, i->dst, i->src, imm, lx, ly);

    mask_result(g, i, IR_CALL(g->b, H_pcmpestrm, i->dst, i->src, imm, lx, ly), flags);
}
