/*
 * Lazy flags at translation time: what each instruction leaves (gen_flags*), and conditions of
 * what is there (gen_cond).  SDM Vol.1 appendix B has the conditions.
 *
 * The values are put to the globals at once (the optimizer drops dead puts); cc_op itself is put
 * only before an exit, since faults take it from ir_insn_start.  Conditions are made from the
 * operands where they can, so that CMP + Jcc becomes a compare and branch.
 */
#include "target/i386/tcg/gen.h"

static IrVal widen(Gen *g, IrVal v)
{
    return ir_type(g->b, v) == IR_I32 ? ir_zext(g->b, v) : v;
}

static IrVal narrow(Gen *g, IrVal v)
{
    return ir_type(g->b, v) == IR_I64 ? ir_trunc(g->b, v) : v;
}

/* What a state does not use need not be kept for it. */
static void put_or_discard(Gen *g, unsigned global, IrVal v)
{
    if (ir_is_none(v)) {
        ir_discard(g->b, global);
    } else {
        ir_put(g->b, global, widen(g, v));
    }
}

static void set_state(Gen *g, unsigned op, IrVal dst, IrVal src, IrVal src2, IrVal a)
{
    g->cc_op = op;
    g->cc_op_put = false;
    g->cc_dst = dst;
    g->cc_src = src;
    g->cc_src2 = src2;
    g->cc_a = a;
    put_or_discard(g, G_CC_DST, dst);
    put_or_discard(g, G_CC_SRC, src);
    put_or_discard(g, G_CC_SRC2, src2);
}

void gen_flags3(Gen *g, CCOp family, unsigned size, IrVal dst, IrVal src, IrVal src2)
{
    set_state(g, family + size, dst, family == CC_OP_LOGICB ? IR_NONE : src, src2, IR_NONE);
}

void gen_flags(Gen *g, CCOp family, unsigned size, IrVal dst, IrVal src)
{
    gen_flags3(g, family, size, dst, src, IR_NONE);
}

void gen_flags_sub(Gen *g, unsigned size, IrVal dst, IrVal a, IrVal src)
{
    set_state(g, CC_OP_SUBB + size, dst, src, IR_NONE, a);
}

void gen_flags_eflags(Gen *g, IrVal flags)
{
    set_state(g, CC_OP_EFLAGS, IR_NONE, flags, IR_NONE, IR_NONE);
}

void gen_flags_popcnt(Gen *g, IrVal dst)
{
    set_state(g, CC_OP_POPCNT, dst, IR_NONE, IR_NONE, IR_NONE);
}

void gen_flags_clr(Gen *g)
{
    set_state(g, CC_OP_CLR, IR_NONE, IR_NONE, IR_NONE, IR_NONE);
}

/* Bring the state to a plain one that does not use cc_src2, so that an overlay can be put on it. */
static void make_overlayable(Gen *g)
{
    unsigned plain = g->cc_op & CC_OVL_PLAIN;

    if (plain == CC_OP_DYNAMIC || (plain >= CC_OP_ADCB && plain <= CC_OP_ADCQ)
        || (plain >= CC_OP_SBBB && plain <= CC_OP_SBBQ)) {
        gen_flags_eflags(g, gen_get_flags(g));
    }
}

static void set_overlay(Gen *g, unsigned op, IrVal src2)
{
    g->cc_op = op;
    g->cc_op_put = false;
    g->cc_src2 = src2;
    ir_put(g->b, G_CC_SRC2, widen(g, src2));
}

void gen_flags_c(Gen *g, IrVal cf)
{
    make_overlayable(g);
    if (g->cc_op & CC_OVL_CO) {
        set_overlay(g, g->cc_op, ir_or(g->b, ir_andi(g->b, narrow(g, g->cc_src2), CC_O), cf));
    } else {
        set_overlay(g, (g->cc_op & CC_OVL_PLAIN) | CC_OVL_C, cf);
    }
}

void gen_flags_co(Gen *g, IrVal co)
{
    make_overlayable(g);
    set_overlay(g, (g->cc_op & CC_OVL_PLAIN) | CC_OVL_CO, co);
}

void gen_flags_co_unless(Gen *g, IrVal count, IrVal co)
{
    unsigned plain;

    make_overlayable(g);
    if (g->cc_op != (g->cc_op & CC_OVL_PLAIN)) {
        /* an older overlay would be lost with cc_src2: keep its value where count is 0 */
        gen_flags_eflags(g, gen_get_flags(g));
    }
    plain = g->cc_op;
    ir_put(g->b, G_CC_SRC2, widen(g, co));
    ir_put(g->b, G_CC_OP, ir_select(g->b, IR_EQ, count, ir_const(g->b, ir_type(g->b, count), 0),
                                    ir_i32(g->b, plain), ir_i32(g->b, plain | CC_OVL_CO)));
    gen_flags_dynamic(g);
}

void gen_flags_shift_unless(Gen *g, CCOp family, unsigned size, IrVal count, IrVal dst, IrVal src)
{
    IrBlock *b = g->b;
    IrVal zero = ir_const(b, ir_type(b, count), 0);
    IrVal old_op = g->cc_op == CC_OP_DYNAMIC ? ir_get(b, G_CC_OP) : ir_i32(b, g->cc_op);

    ir_put(b, G_CC_DST, ir_select(b, IR_EQ, count, zero, ir_get(b, G_CC_DST), widen(g, dst)));
    ir_put(b, G_CC_SRC, ir_select(b, IR_EQ, count, zero, ir_get(b, G_CC_SRC), widen(g, src)));
    ir_put(b, G_CC_OP, ir_select(b, IR_EQ, count, zero, old_op, ir_i32(b, family + size)));
    gen_flags_dynamic(g);
}

void gen_flags_dynamic(Gen *g)
{
    g->cc_op = CC_OP_DYNAMIC;
    g->cc_op_put = true;
    g->cc_dst = g->cc_src = g->cc_src2 = g->cc_a = IR_NONE;
}

void gen_sync_flags(Gen *g)
{
    if (!g->cc_op_put && g->cc_op != CC_OP_DYNAMIC) {
        ir_put(g->b, G_CC_OP, ir_i32(g->b, g->cc_op));
        g->cc_op_put = true;
    }
}

/* --- reading --- */

static IrVal cc_value(Gen *g, IrVal v, unsigned global)
{
    if (g->cc_op == CC_OP_DYNAMIC) {
        return ir_get(g->b, global);
    }
    return ir_is_none(v) ? ir_i64(g->b, 0) : widen(g, v);
}

static IrVal call_cc(Gen *g, unsigned helper)
{
    IrVal op = g->cc_op == CC_OP_DYNAMIC ? ir_get(g->b, G_CC_OP) : ir_i32(g->b, g->cc_op);

    return IR_CALL(g->b, helper, cc_value(g, g->cc_dst, G_CC_DST), cc_value(g, g->cc_src, G_CC_SRC),
                   cc_value(g, g->cc_src2, G_CC_SRC2), op);
}

IrVal gen_get_flags(Gen *g)
{
    if (g->cc_op == CC_OP_EFLAGS) {
        return ir_andi(g->b, narrow(g, g->cc_src), CC_ALL);
    }
    return call_cc(g, H_cc_all);
}

static unsigned state_size(const Gen *g)
{
    return ((g->cc_op & CC_OVL_PLAIN) - CC_OP_MULB) & 3;
}

/* The B member of the state's family; the plain value itself where there are no sizes. */
static unsigned state_family(const Gen *g)
{
    unsigned plain = g->cc_op & CC_OVL_PLAIN;

    return plain < CC_OP_MULB ? plain : plain - state_size(g);
}

/* A value of the state, cut or extended to the state's size in its IR type. */
static IrVal sized(Gen *g, IrVal v, bool sign)
{
    unsigned size = state_size(g);

    if (size == IR_MO_64) {
        return widen(g, v);
    }
    v = narrow(g, v);
    return size < IR_MO_32 ? ir_ext(g->b, v, gen_bits(size), sign) : v;
}

static GenCond cond_zero(Gen *g, IrCond c, IrVal x)
{
    return (GenCond){ c, x, ir_const(g->b, ir_type(g->b, x), 0) };
}

static GenCond cond_test(Gen *g, IrVal x, uint64_t mask)
{
    return (GenCond){ IR_TSTNE, x, ir_const(g->b, ir_type(g->b, x), mask) };
}

static GenCond cond_const(Gen *g, bool holds)
{
    return (GenCond){ holds ? IR_EQ : IR_NE, ir_i32(g->b, 0), ir_i32(g->b, 0) };
}

static GenCond cond_sign(Gen *g, IrVal v)
{
    unsigned size = state_size(g);

    v = size == IR_MO_64 ? widen(g, v) : narrow(g, v);
    return cond_test(g, v, 1ull << (gen_bits(size) - 1));
}

static GenCond cond_parity(Gen *g, IrVal v)
{
    IrBlock *b = g->b;
    IrVal x = narrow(g, v), nibble;

    nibble = ir_andi(b, ir_xor(b, x, ir_shri(b, x, 4)), 15);
    return cond_test(g, ir_shr(b, ir_i32(b, 0x9669), nibble), 1);
}

/* From an image of the flags. */
static GenCond cond_of_image(Gen *g, IrVal f, unsigned cc)
{
    static const uint16_t mask[8] = { CC_O, CC_C, CC_Z, CC_C | CC_Z, CC_S, CC_P };
    IrBlock *b = g->b;
    IrVal s_xor_o;

    if (cc >> 1 < 6) {
        return cond_test(g, f, mask[cc >> 1]);
    }
    s_xor_o = ir_xor(b, f, ir_shri(b, f, 4));       /* OF is bit 11, SF bit 7 */
    if (cc >> 1 == 6) {
        return cond_test(g, s_xor_o, CC_S);
    }
    return cond_test(g, ir_or(b, ir_andi(b, s_xor_o, CC_S), ir_andi(b, f, CC_Z)), CC_S | CC_Z);
}

/*
 * Compute all flags once, and keep them: more conditions may follow.  The state changes in the
 * middle of an instruction whose later accesses may fault: from here on they take it from here.
 */
static GenCond cond_slow(Gen *g, unsigned cc)
{
    IrVal f = gen_get_flags(g);

    if (g->cc_op != CC_OP_EFLAGS) {
        gen_flags_eflags(g, f);
        gen_mark_insn(g, g->cc_op, g->insn_x87);
    }
    return cond_of_image(g, f, cc);
}

/* The even conditions (O B Z BE S P L LE) after SUB and CMP: compare the operands. */
static bool cond_sub(Gen *g, unsigned cc, GenCond *out)
{
    static const struct { uint8_t c; bool sign; } how[8] = {
        [1] = { IR_LTU, false }, [2] = { IR_EQ, false }, [3] = { IR_LEU, false },
        [6] = { IR_LT, true }, [7] = { IR_LE, true },
    };
    IrBlock *b = g->b;
    IrVal a = ir_is_none(g->cc_a) ? ir_add(b, g->cc_dst, g->cc_src) : g->cc_a;

    switch (cc >> 1) {
    case 0:
        *out = cond_sign(g, ir_and(b, ir_xor(b, a, g->cc_src), ir_xor(b, a, g->cc_dst)));
        return true;
    case 1: case 2: case 3: case 6: case 7: {
        bool sign = how[cc >> 1].sign;
        *out = (GenCond){ how[cc >> 1].c, sized(g, a, sign), sized(g, g->cc_src, sign) };
        return true;
    }
    }
    return false;
}

/* After AND, OR, XOR, TEST: C and O are clear. */
static bool cond_logic(Gen *g, unsigned cc, GenCond *out)
{
    switch (cc >> 1) {
    case 0: case 1:
        *out = cond_const(g, false);
        return true;
    case 3:
        *out = cond_zero(g, IR_EQ, sized(g, g->cc_dst, false));
        return true;
    case 6:
        *out = cond_sign(g, g->cc_dst);
        return true;
    case 7:
        *out = cond_zero(g, IR_LE, sized(g, g->cc_dst, true));
        return true;
    }
    return false;
}

/* After INC and DEC: the result without overflow is one more or less than the operand was. */
static bool cond_incdec(Gen *g, unsigned cc, int step, GenCond *out)
{
    IrVal dst = sized(g, g->cc_dst, false), a;
    uint64_t top = 1ull << (gen_bits(state_size(g)) - 1);

    switch (cc >> 1) {
    case 0:
        *out = (GenCond){ IR_EQ, dst, ir_const(g->b, ir_type(g->b, dst), step > 0 ? top : top - 1) };
        return true;
    case 1:
        *out = cond_test(g, narrow(g, g->cc_src), CC_C);
        return true;
    case 6: case 7:
        a = sized(g, ir_addi(g->b, g->cc_dst, -step), true);
        *out = (GenCond){ cc >> 1 == 6 ? IR_LT : IR_LE, a, ir_const(g->b, ir_type(g->b, a), -step) };
        return true;
    }
    return false;
}

static bool cond_add(Gen *g, unsigned cc, GenCond *out)
{
    IrBlock *b = g->b;
    IrVal a;

    switch (cc >> 1) {
    case 0:
        a = ir_sub(b, g->cc_dst, g->cc_src);
        *out = cond_sign(g, ir_andc(b, ir_xor(b, a, g->cc_dst), ir_xor(b, a, g->cc_src)));
        return true;
    case 1:
        *out = (GenCond){ IR_LTU, sized(g, g->cc_dst, false), sized(g, g->cc_src, false) };
        return true;
    }
    return false;
}

/* Carry out of ADC and SBB: x < src, or x == src with a carry in. */
static bool cond_adc(Gen *g, unsigned cc, bool is_sub, GenCond *out)
{
    IrBlock *b = g->b;
    IrVal x, src, below, same, carry;

    if (cc >> 1 != 1) {
        return false;
    }
    x = is_sub ? ir_add(b, ir_add(b, g->cc_dst, g->cc_src), g->cc_src2) : g->cc_dst;
    x = sized(g, x, false);
    src = sized(g, g->cc_src, false);
    below = ir_setcond(b, IR_I32, IR_LTU, x, src);
    same = ir_setcond(b, IR_I32, IR_EQ, x, src);
    carry = ir_or(b, below, ir_and(b, same, narrow(g, g->cc_src2)));
    *out = cond_zero(g, IR_NE, carry);
    return true;
}

static bool cond_shift(Gen *g, unsigned cc, bool left, GenCond *out)
{
    switch (cc >> 1) {
    case 0:
        *out = cond_sign(g, ir_xor(g->b, g->cc_src, g->cc_dst));
        return true;
    case 1:
        *out = left ? cond_sign(g, g->cc_src) : cond_test(g, g->cc_src, 1);
        return true;
    }
    return false;
}

/* Conditions of Z, S and P alone follow from the result in every family with sizes. */
static bool cond_result(Gen *g, unsigned cc, GenCond *out)
{
    switch (cc >> 1) {
    case 2:
        *out = cond_zero(g, IR_EQ, sized(g, g->cc_dst, false));
        return true;
    case 4:
        *out = cond_sign(g, g->cc_dst);
        return true;
    case 5:
        *out = cond_parity(g, g->cc_dst);
        return true;
    }
    return false;
}

static bool cond_fixed(Gen *g, unsigned cc, GenCond *out)
{
    if (g->cc_op == CC_OP_EFLAGS) {
        *out = cond_of_image(g, narrow(g, g->cc_src), cc);
        return true;
    }
    if (g->cc_op == CC_OP_CLR) {
        bool holds[8] = { [2] = true, [3] = true, [5] = true, [7] = true };
        *out = cond_const(g, holds[cc >> 1]);
        return true;
    }
    if (g->cc_op == CC_OP_POPCNT) {
        bool by_zero = cc >> 1 == 2 || cc >> 1 == 3 || cc >> 1 == 7;
        *out = by_zero ? cond_zero(g, IR_EQ, g->cc_dst) : cond_const(g, false);
        return true;
    }
    return false;
}

static bool cond_family(Gen *g, unsigned cc, GenCond *out)
{
    switch (state_family(g)) {
    case CC_OP_MULB:
        if (cc >> 1 <= 1) {
            *out = cond_zero(g, IR_NE, g->cc_src);
            return true;
        }
        return false;
    case CC_OP_ADDB:
        return cond_add(g, cc, out);
    case CC_OP_ADCB:
        return cond_adc(g, cc, false, out);
    case CC_OP_SUBB:
        return cond_sub(g, cc, out);
    case CC_OP_SBBB:
        return cond_adc(g, cc, true, out);
    case CC_OP_LOGICB:
        return cond_logic(g, cc, out);
    case CC_OP_INCB:
        return cond_incdec(g, cc, 1, out);
    case CC_OP_DECB:
        return cond_incdec(g, cc, -1, out);
    case CC_OP_SHLB:
        return cond_shift(g, cc, true, out);
    case CC_OP_SARB:
        return cond_shift(g, cc, false, out);
    case CC_OP_BMILGB:
        if (cc >> 1 == 1) {
            *out = cond_zero(g, IR_EQ, sized(g, g->cc_src, false));
            return true;
        }
        return false;
    }
    return false;
}

/* With an overlay: C (and O) from cc_src2, Z, S, P from the plain state. */
static bool cond_overlay(Gen *g, unsigned cc, GenCond *out)
{
    if (cc >> 1 == 1) {
        *out = cond_test(g, narrow(g, g->cc_src2), CC_C);
        return true;
    }
    if (cc >> 1 == 0 && g->cc_op & CC_OVL_CO) {
        *out = cond_test(g, narrow(g, g->cc_src2), CC_O);
        return true;
    }
    return (g->cc_op & CC_OVL_PLAIN) >= CC_OP_MULB && cond_result(g, cc, out);
}

GenCond gen_cond(Gen *g, unsigned cc)
{
    GenCond out;
    bool found;

    if (g->cc_op == CC_OP_DYNAMIC) {
        found = false;
    } else if (g->cc_op & ~CC_OVL_PLAIN) {
        found = cond_overlay(g, cc, &out);
    } else if (g->cc_op < CC_OP_MULB) {
        found = cond_fixed(g, cc, &out);
    } else {
        found = cond_family(g, cc, &out) || cond_result(g, cc, &out);
    }
    if (!found) {
        out = cond_slow(g, cc);
    }
    out.c ^= cc & 1;
    return out;
}

IrVal gen_get_cf(Gen *g)
{
    GenCond cond;

    if (g->cc_op == CC_OP_DYNAMIC) {
        return call_cc(g, H_cc_c);
    }
    cond = gen_cond(g, 2);
    return ir_setcond(g->b, IR_I32, cond.c, cond.x, cond.y);
}
