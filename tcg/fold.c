/*
 * Arithmetic on constants, as the IR's ops define it.
 *
 * The builder (build.c) applies these and the algebraic identities while it records ops, so that
 * there is no folding pass.
 */
#include "tcg/ir-ops.h"

static int64_t sext(uint64_t v, IrType t)
{
    return t == IR_I32 ? (int32_t)v : (int64_t)v;
}

static uint64_t mul_high(uint64_t x, uint64_t y, IrType t, bool is_signed)
{
    if (t == IR_I32) {
        return is_signed ? (uint64_t)(sext(x, t) * sext(y, t)) >> 32 : (x * y) >> 32;
    }
    return is_signed ? (uint64_t)(((__int128)(int64_t)x * (int64_t)y) >> 64)
                     : (uint64_t)(((unsigned __int128)x * y) >> 64);
}

static uint64_t rotl(uint64_t x, unsigned n, IrType t)
{
    unsigned w = ir_width(t);

    n &= w - 1;
    return n ? x << n | x >> (w - n) : x;
}

/* @x and @y are zero-extended; so is the result.  Shift counts are taken modulo the width. */
uint64_t fold_binary(IrOpcode opc, IrType t, uint64_t x, uint64_t y)
{
    unsigned w = ir_width(t), n = y & (w - 1);
    uint64_t r = 0;

    switch (opc) {
    case IR_OP_add: r = x + y; break;
    case IR_OP_sub: r = x - y; break;
    case IR_OP_and: r = x & y; break;
    case IR_OP_or: r = x | y; break;
    case IR_OP_xor: r = x ^ y; break;
    case IR_OP_andc: r = x & ~y; break;
    case IR_OP_mul: r = x * y; break;
    case IR_OP_muluh: r = mul_high(x, y, t, false); break;
    case IR_OP_mulsh: r = mul_high(x, y, t, true); break;
    case IR_OP_shl: r = x << n; break;
    case IR_OP_shr: r = x >> n; break;
    case IR_OP_sar: r = sext(x, t) >> n; break;
    case IR_OP_rotl: r = rotl(x, n, t); break;
    case IR_OP_rotr: r = rotl(x, w - n, t); break;
    default: g_assert_not_reached();
    }
    return r & ir_mask(t);
}

bool fold_cond(IrCond c, IrType t, uint64_t x, uint64_t y)
{
    bool r;

    x &= ir_mask(t);
    y &= ir_mask(t);
    switch (c & ~1) {
    case IR_EQ: r = x == y; break;
    case IR_LT: r = sext(x, t) < sext(y, t); break;
    case IR_LE: r = sext(x, t) <= sext(y, t); break;
    case IR_LTU: r = x < y; break;
    case IR_LEU: r = x <= y; break;
    default: r = !(x & y); break;
    }
    return r ^ (c & 1);
}

uint64_t fold_ext(uint64_t x, unsigned bits, bool sign, IrType t)
{
    uint64_t r = sign ? (uint64_t)sextract64(x, 0, bits) : extract64(x, 0, bits);

    return r & ir_mask(t);
}

uint64_t fold_bswap(uint64_t x, IrType t)
{
    return t == IR_I32 ? __builtin_bswap32(x) : __builtin_bswap64(x);
}
