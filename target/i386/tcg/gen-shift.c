/*
 * Generators: shifts and rotates.  SDM Vol.2 SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD.
 *
 * Counts are masked to 5 bits (6 for 64-bit operands).  A masked count of zero changes nothing, the
 * flags included; so with a count in CL the new flags are chosen at run time, while a constant
 * count is resolved here.
 */
#include "target/i386/tcg/gen.h"

static IrVal as_type(Gen *g, IrVal v, IrType t)
{
    if (ir_type(g->b, v) == t) {
        return v;
    }
    return t == IR_I64 ? ir_zext(g->b, v) : ir_trunc(g->b, v);
}

/* The masked count from operand @n, in I32.  *@k: its value if constant, else -1. */
static IrVal shift_count(Gen *g, const Insn *i, unsigned n, int *k)
{
    unsigned mask = i->op[0].size == IR_MO_64 ? 63 : 31;

    switch (i->op[n].kind) {
    case OPD_I:
        *k = i->imm & mask;
        break;
    case OPD_ONE:
        *k = 1;
        break;
    default:
        *k = -1;
        return ir_andi(g->b, i->v[n], mask);
    }
    return ir_i32(g->b, *k);
}

/* A shift's flags: @last is the value with the last bit not yet shifted out. */
static void shift_flags(Gen *g, CCOp family, unsigned size, int k, IrVal count, IrVal result, IrVal last)
{
    if (k > 0) {
        gen_flags(g, family, size, result, last);
    } else if (k < 0) {
        gen_flags_shift_unless(g, family, size, count, result, last);
    }
}

/*
 * @last = op(x, count - 1), result = op(last, 1): right for all counts up to the mask, also beyond
 * an 8- or 16-bit operand's width.  Count 0 is made 1 for @last and chosen away.
 */
static void shift(Gen *g, const Insn *i, CCOp family, IrVal (*op)(IrBlock *, IrVal, IrVal), IrVal x)
{
    IrBlock *b = g->b;
    unsigned size = i->op[0].size;
    int k;
    IrVal count = shift_count(g, i, 1, &k), zero = ir_i32(b, 0), last, result;

    if (k == 0) {
        gen_writeback(g, i, i->dst);        /* a 32-bit register's upper half is cleared */
        return;
    }
    if (k > 0) {
        last = k == 1 ? x : op(b, x, ir_i32(b, k - 1));
        result = op(b, x, count);
    } else {
        last = op(b, x, ir_select(b, IR_EQ, count, zero, zero, ir_addi(b, count, -1)));
        result = op(b, x, count);
    }
    gen_writeback(g, i, result);
    shift_flags(g, family, size, k, count, result, last);
}

void gen_SHL(Gen *g, const Insn *i)
{
    shift(g, i, CC_OP_SHLB, ir_shl, i->dst);
}

void gen_SHR(Gen *g, const Insn *i)
{
    shift(g, i, CC_OP_SARB, ir_shr, i->dst);
}

void gen_SAR(Gen *g, const Insn *i)
{
    unsigned size = i->op[0].size;

    shift(g, i, CC_OP_SARB, ir_sar, size < IR_MO_32 ? ir_ext(g->b, i->dst, gen_bits(size), true) : i->dst);
}

/* --- rotates --- */

/* CF at bit 0 and OF at bit 11 from two values whose bit 0 counts. */
static IrVal co_image(Gen *g, IrVal cf, IrVal of)
{
    IrBlock *b = g->b;
    IrVal o = ir_shli(b, ir_andi(b, as_type(g, of, IR_I32), 1), 11);

    return ir_or(b, ir_andi(b, as_type(g, cf, IR_I32), 1), o);
}

/* ROL: CF = bit 0 of the result, OF = CF ^ top bit.  ROR: CF = top bit, OF = two top bits differ. */
static IrVal rotate_co(Gen *g, unsigned size, IrVal result, bool left)
{
    IrBlock *b = g->b;
    unsigned bits = gen_bits(size);
    IrVal top = ir_shri(b, result, bits - 1);

    if (left) {
        return co_image(g, result, ir_xor(b, result, top));
    }
    return co_image(g, top, ir_xor(b, top, ir_shri(b, result, bits - 2)));
}

/* 8 and 16 bits: rotate copies of the operand that fill 32 bits. */
static IrVal rotate_value(Gen *g, unsigned size, IrVal x, IrVal count, bool left)
{
    IrBlock *b = g->b;

    if (size < IR_MO_32) {
        x = ir_mul(b, x, ir_i32(b, size == IR_MO_8 ? 0x01010101 : 0x00010001));
    }
    x = left ? ir_rotl(b, x, count) : ir_rotr(b, x, count);
    return size < IR_MO_32 ? ir_ext(b, x, gen_bits(size), false) : x;
}

static void rotate(Gen *g, const Insn *i, bool left)
{
    unsigned size = i->op[0].size;
    int k;
    IrVal count = shift_count(g, i, 1, &k), result;

    if (k == 0) {
        gen_writeback(g, i, i->dst);
        return;
    }
    result = rotate_value(g, size, i->dst, count, left);
    gen_writeback(g, i, result);
    if (k > 0) {
        gen_flags_co(g, rotate_co(g, size, result, left));
    } else {
        gen_flags_co_unless(g, count, rotate_co(g, size, result, left));
    }
}

void gen_ROL(Gen *g, const Insn *i)
{
    rotate(g, i, true);
}

void gen_ROR(Gen *g, const Insn *i)
{
    rotate(g, i, false);
}

/* RCL by one: bit 0 = CF.  RCR by one: top bit = CF. */
static void rotate_carry_one(Gen *g, const Insn *i, bool left)
{
    IrBlock *b = g->b;
    unsigned size = i->op[0].size, bits = gen_bits(size);
    IrVal c = as_type(g, gen_get_cf(g), gen_type(size)), x = i->dst, result, top;

    if (left) {
        result = ir_or(b, ir_shli(b, x, 1), c);
        gen_writeback(g, i, result);
        top = ir_shri(b, x, bits - 1);
        gen_flags_co(g, co_image(g, top, ir_xor(b, top, ir_shri(b, x, bits - 2))));
    } else {
        result = ir_or(b, ir_shri(b, x, 1), ir_shli(b, c, bits - 1));
        gen_writeback(g, i, result);
        gen_flags_co(g, co_image(g, x, ir_xor(b, c, ir_shri(b, x, bits - 1))));
    }
}

/*
 * Other counts go through helpers.  Narrow ones return the value with the carry out above it (bit
 * 8, 16, 32); OF is defined for counts of one alone, and made by the same rule here.
 */
static void rotate_carry(Gen *g, const Insn *i, bool left)
{
    IrBlock *b = g->b;
    unsigned size = i->op[0].size, bits = gen_bits(size);
    int k;
    IrVal count = shift_count(g, i, 1, &k), c, r, cf, of, co;

    if (k == 0) {
        gen_writeback(g, i, i->dst);
        return;
    }
    if (k == 1) {
        rotate_carry_one(g, i, left);
        return;
    }
    c = gen_get_cf(g);
    r = IR_CALL(b, (left ? H_rclb : H_rcrb) + size, i->dst, count, c);
    if (size == IR_MO_64) {
        cf = IR_CALL(b, left ? H_rclq_c : H_rcrq_c, i->dst, count, c);
    } else {
        cf = ir_shri(b, r, bits);
    }
    gen_writeback(g, i, r);
    of = ir_shri(b, r, bits - 1);
    of = left ? ir_xor(b, of, as_type(g, cf, ir_type(b, of))) : ir_xor(b, of, ir_shri(b, r, bits - 2));
    co = co_image(g, cf, of);
    if (k > 0) {
        gen_flags_co(g, co);
    } else {
        gen_flags_co_unless(g, count, co);
    }
}

void gen_RCL(Gen *g, const Insn *i)
{
    rotate_carry(g, i, true);
}

void gen_RCR(Gen *g, const Insn *i)
{
    rotate_carry(g, i, false);
}

/* --- double shifts --- */

/* 16 bits: dst:src:dst in I64, as processors do for counts above 16 (SDM: undefined). */
static IrVal double_shift16(Gen *g, const Insn *i, IrVal count, bool left)
{
    IrBlock *b = g->b;
    IrVal d = ir_zext(b, i->dst), s = ir_zext(b, i->src), wide;

    wide = ir_or(b, d, ir_or(b, ir_shli(b, s, 16), ir_shli(b, d, 32)));
    wide = left ? ir_shri(b, ir_shl(b, wide, count), 32) : ir_shr(b, wide, count);
    return ir_trunc(b, wide);
}

/* Fill from src: nothing for count 0, so shift by one and then by width - 1 - count. */
static IrVal double_shift(Gen *g, const Insn *i, IrVal count, bool left)
{
    IrBlock *b = g->b;
    unsigned bits = gen_bits(i->op[0].size);
    IrVal rest = ir_xori(b, count, bits - 1);

    if (bits == 16) {
        return double_shift16(g, i, count, left);
    }
    if (left) {
        return ir_or(b, ir_shl(b, i->dst, count), ir_shr(b, ir_shri(b, i->src, 1), rest));
    }
    return ir_or(b, ir_shr(b, i->dst, count), ir_shl(b, ir_shli(b, i->src, 1), rest));
}

static void shift_double(Gen *g, const Insn *i, bool left)
{
    IrBlock *b = g->b;
    unsigned size = i->op[0].size;
    int k;
    IrVal count = shift_count(g, i, 2, &k), zero = ir_i32(b, 0), result, last;

    if (k == 0) {
        gen_writeback(g, i, i->dst);
        return;
    }
    result = double_shift(g, i, count, left);
    last = double_shift(g, i, k > 0 ? ir_i32(b, k - 1)
                                    : ir_select(b, IR_EQ, count, zero, zero, ir_addi(b, count, -1)), left);
    gen_writeback(g, i, result);
    shift_flags(g, left ? CC_OP_SHLB : CC_OP_SARB, size, k, count, result, last);
}

void gen_SHLD(Gen *g, const Insn *i)
{
    shift_double(g, i, true);
}

void gen_SHRD(Gen *g, const Insn *i)
{
    shift_double(g, i, false);
}
