/*
 * Generators: arithmetic and logic, multiplication and division, data movement, bits.
 * SDM Vol.2 chapters 3 to 5, by mnemonic.
 */
#include "target/i386/tcg/gen.h"

typedef IrVal BinOp(IrBlock *b, IrVal x, IrVal y);

static IrVal as_type(Gen *g, IrVal v, IrType t)
{
    if (ir_type(g->b, v) == t) {
        return v;
    }
    return t == IR_I64 ? ir_zext(g->b, v) : ir_trunc(g->b, v);
}

static IrVal konst(Gen *g, const Insn *i, uint64_t v)
{
    return ir_const(g->b, gen_type(i->op[0].size), v);
}

/* dst OP operand, written back; by @atomic with LOCK.  *@a: the destination's old value. */
static IrVal arith(Gen *g, const Insn *i, IrAtomic atomic, BinOp *op, IrVal operand, IrVal locked_operand, IrVal *a)
{
    IrVal result;

    if (i->lock) {
        *a = gen_atomic(g, i, atomic, locked_operand);
        return op(g->b, *a, operand);
    }
    *a = i->dst;
    result = op(g->b, i->dst, operand);
    gen_writeback(g, i, result);
    return result;
}

void gen_ADD(Gen *g, const Insn *i)
{
    IrVal a, sum = arith(g, i, IR_ATOMIC_ADD, ir_add, i->src, i->src, &a);

    gen_flags(g, CC_OP_ADDB, i->op[0].size, sum, i->src);
}

static bool same_register(const Insn *i)
{
    return !i->op[0].is_mem && !i->op[1].is_mem && i->op[1].kind != OPD_I && i->op[0].reg == i->op[1].reg;
}

static void zero_register(Gen *g, const Insn *i)
{
    gen_writeback(g, i, konst(g, i, 0));
    gen_flags_clr(g);
}

void gen_SUB(Gen *g, const Insn *i)
{
    IrVal a, result;

    if (same_register(i)) {
        zero_register(g, i);
        return;
    }
    result = arith(g, i, IR_ATOMIC_ADD, ir_sub, i->src, ir_neg(g->b, i->src), &a);
    gen_flags_sub(g, i->op[0].size, result, a, i->src);
}

void gen_CMP(Gen *g, const Insn *i)
{
    gen_flags_sub(g, i->op[0].size, ir_sub(g->b, i->dst, i->src), i->dst, i->src);
}

void gen_ADC(Gen *g, const Insn *i)
{
    IrVal c = as_type(g, gen_get_cf(g), gen_type(i->op[0].size)), a;
    IrVal operand = ir_add(g->b, i->src, c);
    IrVal sum = arith(g, i, IR_ATOMIC_ADD, ir_add, operand, operand, &a);

    gen_flags3(g, CC_OP_ADCB, i->op[0].size, sum, i->src, c);
}

void gen_SBB(Gen *g, const Insn *i)
{
    IrVal c = as_type(g, gen_get_cf(g), gen_type(i->op[0].size)), a;
    IrVal operand = ir_add(g->b, i->src, c);
    IrVal result = arith(g, i, IR_ATOMIC_ADD, ir_sub, operand, ir_neg(g->b, operand), &a);

    gen_flags3(g, CC_OP_SBBB, i->op[0].size, result, i->src, c);
}

void gen_AND(Gen *g, const Insn *i)
{
    IrVal a, result = arith(g, i, IR_ATOMIC_AND, ir_and, i->src, i->src, &a);

    gen_flags(g, CC_OP_LOGICB, i->op[0].size, result, IR_NONE);
}

void gen_OR(Gen *g, const Insn *i)
{
    IrVal a, result = arith(g, i, IR_ATOMIC_OR, ir_or, i->src, i->src, &a);

    gen_flags(g, CC_OP_LOGICB, i->op[0].size, result, IR_NONE);
}

void gen_XOR(Gen *g, const Insn *i)
{
    IrVal a, result;

    if (same_register(i)) {
        zero_register(g, i);
        return;
    }
    result = arith(g, i, IR_ATOMIC_XOR, ir_xor, i->src, i->src, &a);
    gen_flags(g, CC_OP_LOGICB, i->op[0].size, result, IR_NONE);
}

void gen_TEST(Gen *g, const Insn *i)
{
    gen_flags(g, CC_OP_LOGICB, i->op[0].size, ir_and(g->b, i->dst, i->src), IR_NONE);
}

static void inc_dec(Gen *g, const Insn *i, int step, CCOp family)
{
    IrVal cf = gen_get_cf(g), k = konst(g, i, step), a;
    IrVal result = arith(g, i, IR_ATOMIC_ADD, ir_add, k, k, &a);

    gen_flags(g, family, i->op[0].size, result, cf);
}

void gen_INC(Gen *g, const Insn *i)
{
    inc_dec(g, i, 1, CC_OP_INCB);
}

void gen_DEC(Gen *g, const Insn *i)
{
    inc_dec(g, i, -1, CC_OP_DECB);
}

void gen_NOT(Gen *g, const Insn *i)
{
    if (i->lock) {
        gen_atomic(g, i, IR_ATOMIC_XOR, konst(g, i, -1));
    } else {
        gen_writeback(g, i, ir_not(g->b, i->dst));
    }
}

/* There is no atomic negation: compare and exchange until it succeeds.  Returns the old value. */
static IrVal locked_neg(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    IrLabel again = ir_label_new(b);
    IrVar old = ir_var_new(b, gen_type(i->op[0].size));
    IrVal want, got;

    ir_var_set(b, old, gen_ld(g, i->addr, i->op[0].size | IR_MO_RMW));
    ir_label(b, again);
    want = ir_var_get(b, old);
    got = ir_atomic_cas(b, i->addr, want, ir_neg(b, want), g->mmu_idx, i->op[0].size);
    ir_var_set(b, old, got);
    ir_brcond(b, IR_NE, got, want, again);
    return ir_var_get(b, old);
}

void gen_NEG(Gen *g, const Insn *i)
{
    IrVal old = i->lock ? locked_neg(g, i) : i->dst, result = ir_neg(g->b, old);

    if (!i->lock) {
        gen_writeback(g, i, result);
    }
    gen_flags_sub(g, i->op[0].size, result, konst(g, i, 0), old);
}

/* --- multiplication: CF = OF = the high half matters --- */

static void mul_wide(Gen *g, const Insn *i, bool sign)
{
    IrBlock *b = g->b;
    IrVal a = gen_ld_gpr(g, R_EAX, IR_MO_64), low, high, overflow;

    low = ir_mul(b, a, i->dst);
    high = sign ? ir_mulsh(b, a, i->dst) : ir_muluh(b, a, i->dst);
    overflow = sign ? ir_sub(b, high, ir_sari(b, low, 63)) : high;
    ir_put(b, G_RAX, low);
    ir_put(b, G_RDX, high);
    gen_flags(g, CC_OP_MULB, IR_MO_64, low, overflow);
}

/* Products of up to 64 bits, in I64. */
static void mul_narrow(Gen *g, const Insn *i, bool sign)
{
    IrBlock *b = g->b;
    unsigned size = i->op[0].size, bits = gen_bits(size);
    IrVal x = ir_ext(b, ir_zext(b, i->dst), bits, sign);
    IrVal product = ir_mul(b, ir_ext(b, ir_get(b, G_RAX), bits, sign), x);
    IrVal high = ir_shri(b, product, bits), overflow;

    if (sign) {
        overflow = ir_sub(b, product, ir_ext(b, product, bits, true));
    } else {
        overflow = size == IR_MO_32 ? high : ir_ext(b, high, bits, false);
    }
    if (size == IR_MO_8) {
        gen_st_gpr(g, R_EAX, IR_MO_16, product);
    } else {
        gen_st_gpr(g, R_EAX, size, product);
        gen_st_gpr(g, R_EDX, size, high);
    }
    gen_flags(g, CC_OP_MULB, size, product, overflow);
}

void gen_MUL(Gen *g, const Insn *i)
{
    if (i->op[0].size == IR_MO_64) {
        mul_wide(g, i, false);
    } else {
        mul_narrow(g, i, false);
    }
}

void gen_IMUL1(Gen *g, const Insn *i)
{
    if (i->op[0].size == IR_MO_64) {
        mul_wide(g, i, true);
    } else {
        mul_narrow(g, i, true);
    }
}

/* Two operands (dst * src) or three (src * imm). */
void gen_IMUL(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    unsigned size = i->op[0].size, bits = gen_bits(size);
    IrVal x = i->op[2].kind ? i->src2 : i->dst, product, overflow;

    if (size == IR_MO_64) {
        product = ir_mul(b, x, i->src);
        overflow = ir_sub(b, ir_mulsh(b, x, i->src), ir_sari(b, product, 63));
    } else {
        product = ir_mul(b, ir_ext(b, ir_zext(b, x), bits, true), ir_ext(b, ir_zext(b, i->src), bits, true));
        overflow = ir_sub(b, product, ir_ext(b, product, bits, true));
    }
    gen_writeback(g, i, product);
    gen_flags(g, CC_OP_MULB, size, product, overflow);
}

/* Flags after a division are undefined: left alone. */
void gen_DIV(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_divb + i->op[0].size, i->dst);
}

void gen_IDIV(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_idivb + i->op[0].size, i->dst);
}

/* --- moves --- */

void gen_MOV(Gen *g, const Insn *i)
{
    gen_writeback(g, i, i->src);
}

void gen_MOVNTI(Gen *g, const Insn *i)
{
    gen_writeback(g, i, i->src);
}

void gen_MOVZX(Gen *g, const Insn *i)
{
    gen_writeback(g, i, i->src);
}

void gen_MOVSX(Gen *g, const Insn *i)
{
    IrVal v = as_type(g, i->src, gen_type(i->op[0].size));

    gen_writeback(g, i, ir_ext(g->b, v, gen_bits(i->op[1].size), true));
}

void gen_MOVSXD(Gen *g, const Insn *i)
{
    gen_writeback(g, i, i->op[0].size == IR_MO_64 ? ir_sext(g->b, i->src) : i->src);
}

static IrVal byte_swapped(Gen *g, IrVal v, unsigned size)
{
    return size == IR_MO_16 ? ir_shri(g->b, ir_bswap(g->b, v), 16) : ir_bswap(g->b, v);
}

void gen_MOVBE(Gen *g, const Insn *i)
{
    unsigned size = i->op[0].size;
    IrVal v = i->op[1].kind == OPD_M ? gen_ld(g, i->addr, size) : i->src;

    gen_writeback(g, i, byte_swapped(g, v, size));
}

/* A 16-bit operand is undefined: processors clear it (SDM: "undefined"). */
void gen_BSWAP(Gen *g, const Insn *i)
{
    gen_writeback(g, i, i->op[0].size == IR_MO_16 ? konst(g, i, 0) : ir_bswap(g->b, i->dst));
}

void gen_LEA(Gen *g, const Insn *i)
{
    gen_writeback(g, i, i->ea);
}

/* A memory operand is locked without the prefix too.  90 without REX.B is NOP: RAX is not cut. */
void gen_XCHG(Gen *g, const Insn *i)
{
    IrVal old;

    if (i->op[0].is_mem) {
        old = gen_atomic(g, i, IR_ATOMIC_XCHG, i->src);
    } else if (i->op[0].kind == OPD_Z && i->op[0].reg == R_EAX) {
        return;
    } else {
        old = gen_operand(g, i, 0);
        gen_writeback(g, i, i->src);
    }
    gen_writeback_to(g, i, 1, old);
}

void gen_XADD(Gen *g, const Insn *i)
{
    IrVal old = i->lock ? gen_atomic(g, i, IR_ATOMIC_ADD, i->src) : i->dst, sum = ir_add(g->b, old, i->src);

    if (i->lock || i->op[0].is_mem) {
        if (!i->lock) {
            gen_writeback(g, i, sum);
        }
        gen_writeback_to(g, i, 1, old);
    } else {
        gen_writeback_to(g, i, 1, old);     /* XADD r,r of one register leaves the sum */
        gen_writeback(g, i, sum);
    }
    gen_flags(g, CC_OP_ADDB, i->op[0].size, sum, i->src);
}

/* A register destination that does not compare equal is not written: its upper half stays. */
static void cmpxchg_register(Gen *g, const Insn *i, IrVal acc)
{
    IrBlock *b = g->b;

    if (i->op[0].size == IR_MO_32) {
        IrVal full = ir_get(b, G_RAX + i->op[0].reg);
        full = ir_select(b, IR_EQ, acc, i->dst, ir_zext(b, i->src), full);
        ir_put(b, G_RAX + i->op[0].reg, full);
    } else {
        gen_writeback(g, i, ir_select(b, IR_EQ, acc, i->dst, i->src, i->dst));
    }
}

/*
 * Compare the accumulator with dst; equal: dst = src, else accumulator = dst.  Memory is always
 * written.  The accumulator keeps its upper half when equal.
 */
void gen_CMPXCHG(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    unsigned size = i->op[0].size;
    IrVal acc = gen_ld_gpr(g, R_EAX, size), old = i->dst, rax, merged;

    if (i->op[0].is_mem) {
        old = ir_atomic_cas(b, i->addr, acc, i->src, g->mmu_idx, size);
    } else {
        cmpxchg_register(g, i, acc);
    }
    /* read again: the destination may have been part of RAX (if all of the accumulator, it was equal) */
    rax = ir_get(b, G_RAX);
    merged = as_type(g, old, IR_I64);
    if (size < IR_MO_32) {
        merged = ir_deposit(b, rax, 0, gen_bits(size), merged);
    }
    ir_put(b, G_RAX, ir_select(b, IR_EQ, acc, old, rax, merged));
    gen_flags_sub(g, size, ir_sub(b, acc, old), acc, old);
}

/* Set ZF, keep the others. */
static void set_zf(Gen *g, IrVal zf)
{
    IrVal f = ir_andi(g->b, gen_get_flags(g), CC_ALL & ~CC_Z);

    gen_flags_eflags(g, ir_or(g->b, f, ir_shli(g->b, zf, 6)));
}

void gen_CMPXCHG8B(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    IrVal rax = ir_get(b, G_RAX), rdx = ir_get(b, G_RDX), want, new_, old;

    want = ir_deposit(b, rax, 32, 32, rdx);
    new_ = ir_deposit(b, ir_get(b, G_RBX), 32, 32, ir_get(b, G_RCX));
    old = ir_atomic_cas(b, i->addr, want, new_, g->mmu_idx, IR_MO_64);
    ir_put(b, G_RAX, ir_select(b, IR_EQ, old, want, rax, ir_ext(b, old, 32, false)));
    ir_put(b, G_RDX, ir_select(b, IR_EQ, old, want, rdx, ir_shri(b, old, 32)));
    set_zf(g, ir_setcond(b, IR_I32, IR_EQ, old, want));
}

void gen_CMPXCHG16B(Gen *g, const Insn *i)
{
    IrVal zf;

    gen_raise_if(g, IR_TSTNE, i->addr, ir_i64(g->b, 15), EXCP0D_GPF);
    zf = IR_CALL(g->b, H_cmpxchg16b, i->addr, ir_i32(g->b, g->mmu_idx));
    set_zf(g, zf);
}

/* CBW, CWDE, CDQE */
void gen_CBW(Gen *g, const Insn *i)
{
    IrVal v = ir_ext(g->b, ir_get(g->b, G_RAX), gen_bits(i->osize) / 2, true);

    gen_st_gpr(g, R_EAX, i->osize, v);
}

/* CWD, CDQ, CQO */
void gen_CWD(Gen *g, const Insn *i)
{
    IrVal v = ir_get(g->b, G_RAX);

    if (i->osize != IR_MO_64) {
        v = ir_ext(g->b, v, gen_bits(i->osize), true);
    }
    gen_st_gpr(g, R_EDX, i->osize, ir_sari(g->b, v, 63));
}

void gen_XLAT(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    IrVal ea = ir_add(b, ir_get(b, G_RBX), ir_ext(b, ir_get(b, G_RAX), 8, false));

    gen_st_gpr(g, R_EAX, IR_MO_8, gen_ld(g, gen_linear(g, i->seg, ea, i->asize), IR_MO_8));
}

void gen_CMOVcc(Gen *g, const Insn *i)
{
    GenCond c = gen_cond(g, i->opcode & 15);

    gen_writeback(g, i, ir_select(g->b, c.c, c.x, c.y, i->src, i->dst));
}

void gen_SETcc(Gen *g, const Insn *i)
{
    GenCond c = gen_cond(g, i->opcode & 15);

    gen_writeback(g, i, ir_setcond(g->b, IR_I32, c.c, c.x, c.y));
}

/* --- decimal --- */

static void decimal(Gen *g, unsigned helper)
{
    IrBlock *b = g->b;
    IrVal r = IR_CALL(b, helper, gen_ld_gpr(g, R_EAX, IR_MO_16), gen_get_flags(g));

    gen_st_gpr(g, R_EAX, IR_MO_16, r);
    gen_flags_eflags(g, ir_shri(b, r, 16));
}

void gen_DAA(Gen *g, const Insn *i)
{
    decimal(g, H_daa);
}

void gen_DAS(Gen *g, const Insn *i)
{
    decimal(g, H_das);
}

void gen_AAA(Gen *g, const Insn *i)
{
    decimal(g, H_aaa);
}

void gen_AAS(Gen *g, const Insn *i)
{
    decimal(g, H_aas);
}

/* AH = AL / imm, AL = AL % imm; the quotient by a multiplication that is exact for AL < 256. */
void gen_AAM(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    unsigned divisor = i->imm & 0xff;
    IrVal al, quotient, rest;

    if (!divisor) {
        gen_raise(g, EXCP00_DIVZ);
        return;
    }
    al = gen_ld_gpr(g, R_EAX, IR_MO_8);
    quotient = ir_shri(b, ir_mul(b, al, ir_i32(b, DIV_ROUND_UP(65536, divisor))), 16);
    rest = ir_sub(b, al, ir_mul(b, quotient, ir_i32(b, divisor)));
    gen_st_gpr(g, R_EAX, IR_MO_16, ir_or(b, ir_shli(b, quotient, 8), rest));
    gen_flags(g, CC_OP_LOGICB, IR_MO_8, rest, IR_NONE);
}

void gen_AAD(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    IrVal ax = gen_ld_gpr(g, R_EAX, IR_MO_16), al;

    al = ir_add(b, ir_mul(b, ir_shri(b, ax, 8), ir_i32(b, i->imm & 0xff)), ax);
    al = ir_ext(b, al, 8, false);
    gen_st_gpr(g, R_EAX, IR_MO_16, al);
    gen_flags(g, CC_OP_LOGICB, IR_MO_8, al, IR_NONE);
}

void gen_SALC(Gen *g, const Insn *i)
{
    gen_st_gpr(g, R_EAX, IR_MO_8, ir_neg(g->b, gen_get_cf(g)));
}

/* --- bits --- */

/* ZF says whether the source is zero; then the destination stays. */
static void bit_scan(Gen *g, const Insn *i, bool forward)
{
    IrBlock *b = g->b;
    unsigned size = i->op[0].size;
    IrVal zero = konst(g, i, 0), n, old = ir_get(b, G_RAX + i->op[0].reg);

    n = forward ? ir_ctz(b, i->src, zero) : ir_xori(b, ir_clz(b, i->src, zero), size == IR_MO_64 ? 63 : 31);
    n = as_type(g, n, IR_I64);
    if (size == IR_MO_16) {
        n = ir_deposit(b, old, 0, 16, n);
    }
    ir_put(b, G_RAX + i->op[0].reg, ir_select(b, IR_EQ, i->src, zero, old, n));
    gen_flags(g, CC_OP_LOGICB, size, i->src, IR_NONE);
}

void gen_BSF(Gen *g, const Insn *i)
{
    bit_scan(g, i, true);
}

void gen_BSR(Gen *g, const Insn *i)
{
    bit_scan(g, i, false);
}

void gen_TZCNT(Gen *g, const Insn *i)
{
    unsigned size = i->op[0].size;
    IrVal n;

    if (!gen_has(g, XF_BMI1)) {
        bit_scan(g, i, true);
        return;
    }
    n = ir_ctz(g->b, i->src, konst(g, i, gen_bits(size)));
    gen_writeback(g, i, n);
    gen_flags(g, CC_OP_BMILGB, size, n, i->src);
}

void gen_LZCNT(Gen *g, const Insn *i)
{
    unsigned size = i->op[0].size;
    IrVal n;

    if (!gen_has(g, XF_LZCNT)) {
        bit_scan(g, i, false);
        return;
    }
    n = ir_clz(g->b, i->src, konst(g, i, size == IR_MO_64 ? 64 : 32));
    if (size == IR_MO_16) {
        n = ir_addi(g->b, n, -16);
    }
    gen_writeback(g, i, n);
    gen_flags(g, CC_OP_BMILGB, size, n, i->src);
}

void gen_POPCNT(Gen *g, const Insn *i)
{
    IrVal n = ir_popcount(g->b, i->src);

    gen_writeback(g, i, n);
    gen_flags_popcnt(g, n);
}

void gen_CRC32(Gen *g, const Insn *i)
{
    unsigned size = i->op[1].size;
    IrVal crc = as_type(g, i->dst, IR_I32);

    gen_writeback(g, i, as_type(g, IR_CALL(g->b, H_crc32, crc, as_type(g, i->src, IR_I64), ir_i32(g->b, 1 << size)),
                                gen_type(i->op[0].size)));
}

/* --- BT and friends --- */

typedef enum BitOp { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT } BitOp;

/* The memory form with a register offset reaches operands beyond the addressed one. */
static IrVal bit_address(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    unsigned bits = gen_bits(i->op[0].size);
    IrVal offset;

    if (i->op[1].kind == OPD_I) {
        return i->addr;
    }
    offset = bits == 64 ? i->src : ir_ext(b, ir_zext(b, i->src), bits, true);
    offset = ir_shli(b, ir_sari(b, offset, 4 + i->op[0].size - IR_MO_16), i->op[0].size);
    return gen_linear(g, i->seg, ir_add(b, i->ea, offset), i->asize);
}

static IrVal bit_apply(Gen *g, BitOp op, IrVal old, IrVal mask)
{
    switch (op) {
    case BIT_SET:
        return ir_or(g->b, old, mask);
    case BIT_RESET:
        return ir_andc(g->b, old, mask);
    default:
        return ir_xor(g->b, old, mask);
    }
}

static IrVal bit_atomic(Gen *g, const Insn *i, BitOp op, IrVal addr, IrVal mask)
{
    static const IrAtomic atomic[] = { [BIT_SET] = IR_ATOMIC_OR, [BIT_RESET] = IR_ATOMIC_AND,
                                       [BIT_COMPLEMENT] = IR_ATOMIC_XOR };
    IrVal operand = op == BIT_RESET ? ir_not(g->b, mask) : mask;

    return ir_atomic_rmw(g->b, atomic[op], addr, operand, g->mmu_idx, i->op[0].size);
}

/* CF = the bit; ZF stays, the others are undefined and stay too. */
static void bit_op(Gen *g, const Insn *i, BitOp op)
{
    IrBlock *b = g->b;
    unsigned size = i->op[0].size;
    IrVal n = ir_andi(b, i->src, gen_bits(size) - 1), mask = ir_shl(b, konst(g, i, 1), n), old, addr = IR_NONE;

    if (!i->op[0].is_mem) {
        old = gen_operand(g, i, 0);
    } else {
        addr = bit_address(g, i);
        old = i->lock ? bit_atomic(g, i, op, addr, mask) : gen_ld(g, addr, size | (op == BIT_TEST ? 0 : IR_MO_RMW));
    }
    if (op != BIT_TEST && !i->lock) {
        IrVal v = bit_apply(g, op, old, mask);
        if (i->op[0].is_mem) {
            gen_st(g, addr, v, size);
        } else {
            gen_writeback(g, i, v);
        }
    }
    gen_flags_c(g, as_type(g, ir_andi(b, ir_shr(b, old, n), 1), IR_I32));
}

void gen_BT(Gen *g, const Insn *i)
{
    bit_op(g, i, BIT_TEST);
}

void gen_BTS(Gen *g, const Insn *i)
{
    bit_op(g, i, BIT_SET);
}

void gen_BTR(Gen *g, const Insn *i)
{
    bit_op(g, i, BIT_RESET);
}

void gen_BTC(Gen *g, const Insn *i)
{
    bit_op(g, i, BIT_COMPLEMENT);
}

/* --- ADX: carry chains through CF or OF alone --- */

static IrVal add_with(Gen *g, const Insn *i, IrVal carry_in, IrVal *carry_out)
{
    IrBlock *b = g->b;
    IrVal c = as_type(g, carry_in, gen_type(i->op[0].size)), sum, sum2;

    sum = ir_add(b, i->dst, i->src);
    sum2 = ir_add(b, sum, c);
    *carry_out = ir_or(b, ir_setcond(b, IR_I32, IR_LTU, sum, i->src), ir_setcond(b, IR_I32, IR_LTU, sum2, c));
    gen_writeback(g, i, sum2);
    return sum2;
}

static void adx(Gen *g, const Insn *i, unsigned bit)
{
    IrBlock *b = g->b;
    IrVal f = gen_get_flags(g), out;

    add_with(g, i, ir_andi(b, ir_shri(b, f, bit), 1), &out);
    gen_flags_eflags(g, ir_or(b, ir_andi(b, f, CC_ALL & ~(1u << bit)), ir_shli(b, out, bit)));
}

void gen_ADCX(Gen *g, const Insn *i)
{
    adx(g, i, 0);
}

void gen_ADOX(Gen *g, const Insn *i)
{
    adx(g, i, 11);
}

/* --- single flags --- */

void gen_CLC(Gen *g, const Insn *i)
{
    gen_flags_c(g, ir_i32(g->b, 0));
}

void gen_STC(Gen *g, const Insn *i)
{
    gen_flags_c(g, ir_i32(g->b, 1));
}

void gen_CMC(Gen *g, const Insn *i)
{
    gen_flags_c(g, ir_xori(g->b, gen_get_cf(g), 1));
}

/* In 64-bit mode only where CPUID says so. */
static bool lahf_allowed(Gen *g)
{
    if (g->code64 && !gen_has(g, XF_LAHF64)) {
        gen_ud(g);
        return false;
    }
    return true;
}

void gen_LAHF(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    IrVal f;

    if (lahf_allowed(g)) {
        f = ir_ori(b, ir_andi(b, gen_get_flags(g), 0xd5), 2);
        ir_put(b, G_RAX, ir_deposit(b, ir_get(b, G_RAX), 8, 8, ir_zext(b, f)));
    }
}

void gen_SAHF(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    IrVal of, ah;

    if (lahf_allowed(g)) {
        of = ir_andi(b, gen_get_flags(g), CC_O);
        ah = ir_extract(b, ir_trunc(b, ir_get(b, G_RAX)), 8, 8, false);
        gen_flags_eflags(g, ir_or(b, of, ir_andi(b, ah, 0xd5)));
    }
}

void gen_NOP(Gen *g, const Insn *i)
{
}
