/*
 * The builder: what guest front ends call (tcg/ir.h).
 *
 * Ops are folded as they are recorded: constants and identities, copies, loads of globals and
 * variables whose value is known on the path, extensions of what is known to be small.  Knowledge
 * ends at labels, and for globals at helpers that write them.
 *
 * A table that fills up sets IrBlock.overflow: recording goes on harmlessly and the block is
 * refused by tcg_block_compile().
 */
#include "tcg/build.h"

const IrOpInfo ir_op_info[IR_N_OPS] = {
#define OP(name, outs, ins, flags, meaning) [IR_OP_##name] = { #name, outs, ins, OPFLAGS(flags), meaning },
#define OPFLAGS(f) (f)
#define PURE OPF_PURE
#define COMM OPF_COMM
#define FAULT OPF_FAULT
#define END OPF_END
#define EDGE OPF_EDGE
#include "tcg/ops.def"
#undef OP
#undef PURE
#undef COMM
#undef FAULT
#undef END
#undef EDGE
};

/* --- values and ops --- */

static IrVal value_new(IrBlock *b, IrKind kind, IrType t, unsigned bits, uint64_t k)
{
    if (b->n_values >= IR_MAX_VALUES) {
        b->overflow = true;
        return ir_handle(1, t);
    }
    b->values[b->n_values] = (IrValue){ .kind = kind, .type = t, .bits = bits, .k = k, .def = IR_NO_POS, .next = IR_NO_POS, .last = IR_NO_POS };
    return ir_handle(b->n_values++, t);
}

static const IrValue *value_of(const IrBlock *b, IrVal v)
{
    assert(ir_id(v));
    return &b->values[ir_id(v)];
}

/* A constant or pc-relative value, one per block and key. */
static IrVal interned(IrBlock *b, IrKind kind, IrType t, uint64_t k)
{
    unsigned h = ((k * 0x9e3779b97f4a7c15ull) >> 56 ^ kind * 0x55) % IR_CONST_HASH;
    IrVal v;

    if (b->const_hash[h].generation == b->generation) {
        const IrValue *o = &b->values[b->const_hash[h].id];

        if (o->k == k && o->kind == kind) {
            return ir_handle(b->const_hash[h].id, t);
        }
    }
    v = value_new(b, kind, t, kind == IR_KIND_CONST ? ir_bit_length(k) : b->pc_bits, k);
    b->const_hash[h].generation = b->generation;
    b->const_hash[h].id = ir_id(v);
    return v;
}

/* A place for the next op, or one to be thrown away. */
IrOp *build_op(IrBlock *b, IrOpcode opc, IrType t)
{
    IrOp *op;

    if (b->n_ops >= TCG_MAX_OPS - 1) {
        b->overflow = true;
        b->n_ops = TCG_MAX_OPS - 2;
    }
    op = &b->ops[b->n_ops];
    *op = (IrOp){ .opc = opc, .type = t, .epoch = b->epoch };
    if (!b->unreachable) {
        b->n_ops++;
    }
    return op;
}

IrVal build_result(IrBlock *b, IrOp *op, IrType t, unsigned bits)
{
    IrVal v = value_new(b, IR_KIND_TEMP, t, bits, 0);

    op->out = ir_id(v);
    b->values[op->out].def = b->values[op->out].last = op - b->ops;
    b->unrecorded |= b->unreachable;
    return v;
}

IrId build_value(IrBlock *b, IrType t)
{
    return ir_id(value_new(b, IR_KIND_TEMP, t, 64, 0));
}

static IrVal emit1(IrBlock *b, IrOpcode opc, IrType t, IrVal x, unsigned bits)
{
    IrOp *op = build_op(b, opc, t);

    op->in[0] = ir_id(x);
    op->n_in = 1;
    return build_result(b, op, t, bits);
}

static IrVal emit2(IrBlock *b, IrOpcode opc, IrType t, IrVal x, IrVal y, unsigned bits)
{
    IrOp *op = build_op(b, opc, t);

    op->in[0] = ir_id(x);
    op->in[1] = ir_id(y);
    op->n_in = 2;
    return build_result(b, op, t, bits);
}

IrType ir_type(const IrBlock *b, IrVal v)
{
    return (IrType)(v.id >> 24);
}

static bool is_int(IrType t)
{
    return t == IR_I32 || t == IR_I64;
}

bool ir_is_const(const IrBlock *b, IrVal v, uint64_t *value)
{
    const IrValue *o = value_of(b, v);

    if (o->kind != IR_KIND_CONST) {
        return false;
    }
    *value = is_int(ir_type(b, v)) ? o->k & ir_mask(ir_type(b, v)) : o->k;
    return true;
}

static bool is_const_k(const IrBlock *b, IrVal v, uint64_t k)
{
    uint64_t c;

    return ir_is_const(b, v, &c) && c == k;
}

/* @v is known to be below 2^n when used as its type. */
static unsigned known_bits(const IrBlock *b, IrVal v)
{
    return MIN(value_of(b, v)->bits, ir_width(ir_type(b, v)));
}

/* --- block --- */

void ir_block_reset(IrBlock *b)
{
    b->n_ops = b->n_args = b->n_calls = b->n_labels = b->n_vars = b->n_insns = 0;
    b->n_values = 1;
    b->pc_bits = 64;
    b->unreachable = b->unrecorded = b->overflow = b->loops = b->backward = b->home_taken = false;
    b->epoch = b->n_barriers = b->home = 0;
    b->n_accesses = b->n_guards = 0;
    b->n_homes = 1;
    b->preload.n = 0;
    b->generation++;
    b->forward_generation++;
    value_new(b, IR_KIND_CONST, IR_I64, 0, 0);      /* 1: stands in when tables are full */
}

unsigned tcg_block_n_ops(const IrBlock *b)
{
    return b->n_ops;
}

/* Nothing is known about globals and variables any more. */
static void forget(IrBlock *b)
{
    b->forward_generation++;
}

void build_forget_globals(IrBlock *b)
{
    for (unsigned i = 0; i < b->target->n_globals; i++) {
        b->global_now[i].generation = 0;
    }
}

void build_end_path(IrBlock *b)
{
    b->unreachable = true;
}

void ir_insn_start(IrBlock *b, uint32_t pc_delta, uint32_t p0, uint32_t p1)
{
    if (b->n_insns >= TCG_MAX_OPS) {
        b->overflow = true;
        return;
    }
    b->insns[b->n_insns++] = (IrInsnMark){ pc_delta, { p0, p1 }, b->n_ops };
}

void ir_insn_hold(IrBlock *b)
{
    if (!b->overflow) {
        b->insns[b->n_insns - 1].hold = true;
        b->n_barriers++;                        /* its accesses are nobody's but its own */
    }
}

IrVal ir_get(IrBlock *b, unsigned global)
{
    IrType t = b->target->globals[global].type;
    IrOp *op;
    IrVal v;

    assert(global < b->target->n_globals);
    if (b->global_now[global].generation == b->forward_generation) {
        uint32_t now = b->global_now[global].val;

        return now ? (IrVal){ now } : ir_const(b, t, 0);        /* discarded: anything will do */
    }
    op = build_op(b, IR_OP_get, t);
    op->k = global;
    v = build_result(b, op, t, t == IR_I32 ? 32 : 64);
    b->global_now[global].generation = b->forward_generation;
    b->global_now[global].val = v.id;
    return v;
}

void ir_put(IrBlock *b, unsigned global, IrVal v)
{
    IrOp *op;

    assert(global < b->target->n_globals);
    assert(ir_type(b, v) == b->target->globals[global].type);
    if (b->global_now[global].generation == b->forward_generation && b->global_now[global].val == v.id) {
        return;
    }
    op = build_op(b, IR_OP_put, ir_type(b, v));
    op->k = global;
    op->in[0] = ir_id(v);
    op->n_in = 1;
    b->global_now[global].generation = b->forward_generation;
    b->global_now[global].val = v.id;
}

void ir_discard(IrBlock *b, unsigned global)
{
    assert(global < b->target->n_globals);
    build_op(b, IR_OP_discard, IR_VOID)->k = global;
    b->global_now[global].generation = b->forward_generation;
    b->global_now[global].val = 0;
}

IrVal ir_env_ld(IrBlock *b, IrType t, unsigned offset, IrMemOp size_op)
{
    IrOp *op = build_op(b, IR_OP_env_ld, t);
    unsigned bits = size_op & IR_MO_SIGN ? ir_width(t) : MIN(64u, 8u << (size_op & IR_MO_SIZE));

    op->k = offset;
    op->cond = size_op;
    return build_result(b, op, t, is_int(t) ? bits : 64);
}

void ir_env_st(IrBlock *b, IrVal v, unsigned offset, IrMemOp size_op)
{
    IrOp *op = build_op(b, IR_OP_env_st, ir_type(b, v));

    op->k = offset;
    op->cond = size_op;
    op->in[0] = ir_id(v);
    op->n_in = 1;
}

IrVal ir_pc(IrBlock *b, int64_t pc_delta)
{
    return interned(b, IR_KIND_PC, IR_I64, pc_delta);
}

void ir_block_set_pc_width(IrBlock *b, unsigned bits)
{
    assert(bits == 16 || bits == 32 || bits == 64);
    b->pc_bits = bits;
}

IrVal ir_const(IrBlock *b, IrType t, uint64_t value)
{
    assert(is_int(t));
    return interned(b, IR_KIND_CONST, t, value & ir_mask(t));
}

/* --- variables and labels --- */

IrVar ir_var_new(IrBlock *b, IrType t)
{
    if (b->n_vars >= IR_MAX_VARS) {
        b->overflow = true;
        return (IrVar){ 0 };
    }
    b->var_type[b->n_vars] = t;
    return (IrVar){ b->n_vars++ };
}

IrVal ir_var_get(IrBlock *b, IrVar var)
{
    IrType t = b->var_type[var.id];
    IrOp *op;
    IrVal v;

    if (b->var_now[var.id].generation == b->forward_generation) {
        return (IrVal){ b->var_now[var.id].val };
    }
    op = build_op(b, IR_OP_var_get, t);
    op->k = var.id;
    v = build_result(b, op, t, t == IR_I32 ? 32 : 64);
    b->var_now[var.id].generation = b->forward_generation;
    b->var_now[var.id].val = v.id;
    return v;
}

void ir_var_set(IrBlock *b, IrVar var, IrVal v)
{
    IrOp *op = build_op(b, IR_OP_var_set, ir_type(b, v));

    assert(ir_type(b, v) == b->var_type[var.id]);
    op->k = var.id;
    op->in[0] = ir_id(v);
    op->n_in = 1;
    b->var_now[var.id].generation = b->forward_generation;
    b->var_now[var.id].val = v.id;
}

IrLabel ir_label_new(IrBlock *b)
{
    if (b->n_labels >= IR_MAX_LABELS) {
        b->overflow = true;
        return (IrLabel){ 0 };
    }
    b->labels[b->n_labels] = (IrLabelInfo){ .pos = IR_NO_POS };
    return (IrLabel){ b->n_labels++ };
}

void ir_label(IrBlock *b, IrLabel l)
{
    assert(b->labels[l.id].pos == IR_NO_POS || b->overflow);
    b->unreachable = false;
    b->epoch++;
    b->n_barriers++;
    b->labels[l.id].pos = b->n_ops;
    build_op(b, IR_OP_label, IR_VOID)->k = l.id;
    forget(b);
}

void ir_loop_begin(IrBlock *b)
{
    assert(!b->n_ops);
    b->loops = true;
    ir_label(b, ir_label_new(b));
}

void ir_loop_back(IrBlock *b)
{
    assert(b->loops);
    build_exit(b, IR_OP_loop_back, IR_VOID);
    b->unreachable = true;
}

static void label_ref(IrBlock *b, IrLabel l)
{
    if (!b->unreachable) {
        b->labels[l.id].refs++;
        if (b->labels[l.id].pos != IR_NO_POS) {
            b->labels[l.id].backward = b->backward = true;
        }
    }
}

void ir_br(IrBlock *b, IrLabel l)
{
    label_ref(b, l);
    build_op(b, IR_OP_br, IR_VOID)->k = l.id;
    b->unreachable = true;
}

/* Exchange the operands of a comparison. */
static IrCond cond_swap(IrCond c)
{
    static const uint8_t swapped[] = {
        IR_EQ, IR_NE, IR_GT, IR_LE, IR_GE, IR_LT, IR_GTU, IR_LEU, IR_GEU, IR_LTU, IR_TSTEQ, IR_TSTNE,
    };

    return (IrCond)swapped[c];
}

/*
 * Bring a comparison to its simplest form: constants second, and
 *   (x & k) == 0 ==> x TSTEQ k  is left to the emitter, which sees the definition;
 *   x < 0 (unsigned) ==> never;  x TSTEQ -1 ==> x == 0;  x LTU 1 ==> x == 0
 * Returns -1 if unknown, else the truth.
 */
static int simplify_cond(IrBlock *b, IrCond *c, IrVal *x, IrVal *y)
{
    IrType t = ir_type(b, *x);
    uint64_t kx, ky;
    bool cx = ir_is_const(b, *x, &kx), cy;

    if (cx && !ir_is_const(b, *y, &ky)) {
        SWAP(*x, *y);
        *c = cond_swap(*c);
        cx = false;
    }
    cy = ir_is_const(b, *y, &ky);
    if (cx && cy) {
        return fold_cond(*c, t, kx, ky);
    }
    if (ir_id(*x) == ir_id(*y)) {
        switch (*c & ~1) {
        case IR_EQ: case IR_LE: case IR_LEU: return !(*c & 1);
        case IR_LT: case IR_LTU: return *c & 1;
        default:                                /* x & x ==> x */
            *c = *c == IR_TSTEQ ? IR_EQ : IR_NE;
            *y = ir_const(b, t, 0);
            return -1;
        }
    }
    if (!cy) {
        return -1;
    }
    if (*c == IR_LTU && ky == 1) {              /* x < 1 ==> x == 0 */
        *c = IR_EQ;
        *y = ir_const(b, t, 0);
    } else if (*c == IR_GEU && ky == 1) {
        *c = IR_NE;
        *y = ir_const(b, t, 0);
    } else if ((*c & ~1) == IR_LTU && ky == 0) {
        return *c == IR_GEU;
    } else if ((*c & ~1) == IR_TSTEQ) {
        uint64_t possible = ir_mask(t) & (known_bits(b, *x) >= 64 ? ~0ull : (1ull << known_bits(b, *x)) - 1);

        if (!(ky & possible)) {
            return *c == IR_TSTEQ;
        }
        if (ky == 1ull << (ir_width(t) - 1)) {  /* the sign */
            *c = *c == IR_TSTEQ ? IR_GE : IR_LT;
            *y = ir_const(b, t, 0);
        } else if ((ky & possible) == possible) {      /* every bit that can be set is tested */
            *c = *c == IR_TSTEQ ? IR_EQ : IR_NE;
            *y = ir_const(b, t, 0);
        }
    }
    return -1;
}

void ir_brcond(IrBlock *b, IrCond c, IrVal x, IrVal y, IrLabel l)
{
    int known;
    IrOp *op;

    assert(ir_type(b, x) == ir_type(b, y));
    known = simplify_cond(b, &c, &x, &y);
    if (known >= 0) {
        if (known) {
            ir_br(b, l);
        }
        return;
    }
    label_ref(b, l);
    op = build_op(b, IR_OP_brcond, ir_type(b, x));
    op->cond = c;
    op->k = l.id;
    op->in[0] = ir_id(x);
    op->in[1] = ir_id(y);
    op->n_in = 2;
}

void ir_exit_if(IrBlock *b, IrCond c, IrVal x, IrVal y, unsigned slot, int64_t pc_delta, unsigned flags)
{
    int known;
    IrOp *op;

    assert(ir_type(b, x) == ir_type(b, y) && (slot < IR_DIRECT_SLOTS || slot == IR_SLOT_NONE));
    known = simplify_cond(b, &c, &x, &y);
    if (known < 0) {
        op = build_exit(b, IR_OP_exit_if, ir_type(b, x));
        op->cond = c;
        op->aux = slot;
        op->disp = (int32_t)flags;
        op->k = pc_delta;
        op->in[0] = ir_id(x);
        op->in[1] = ir_id(y);
        op->n_in = 2;
    } else if (known && slot == IR_SLOT_NONE) {
        ir_exit_indirect(b, ir_pc(b, pc_delta));
    } else if (known) {
        ir_exit_direct(b, slot, pc_delta, flags);
    }
}

void ir_brcondi(IrBlock *b, IrCond c, IrVal x, uint64_t k, IrLabel l)
{
    ir_brcond(b, c, x, ir_const(b, ir_type(b, x), k), l);
}

/* --- integer ops --- */

/* Bits of x OP y from those of its operands. */
static unsigned result_bits(IrOpcode opc, IrType t, unsigned bx, unsigned by)
{
    switch (opc) {
    case IR_OP_and: return MIN(bx, by);
    case IR_OP_or: case IR_OP_xor: return MAX(bx, by);
    case IR_OP_andc: case IR_OP_shr: return bx;
    default: return ir_width(t);
    }
}

/* x OP k, where the result needs no op.  IR_NONE if there is no such rule. */
static IrVal identity_k(IrBlock *b, IrOpcode opc, IrVal x, uint64_t k)
{
    IrType t = ir_type(b, x);
    unsigned bx = known_bits(b, x);

    switch (opc) {
    case IR_OP_add: case IR_OP_sub: case IR_OP_xor: case IR_OP_or:
    case IR_OP_shl: case IR_OP_shr: case IR_OP_sar: case IR_OP_rotl: case IR_OP_rotr: case IR_OP_andc:
        if (k == 0) {
            return x;                           /* x + 0 ==> x, and so on */
        }
        if (opc == IR_OP_or && k == ir_mask(t)) {
            return ir_const(b, t, k);           /* x | -1 ==> -1 */
        }
        if (opc == IR_OP_shr && k >= bx) {
            return ir_const(b, t, 0);
        }
        break;
    case IR_OP_and:
        if (k == 0) {
            return ir_const(b, t, 0);
        }
        if (bx < 64 ? (k & ((1ull << bx) - 1)) == (1ull << bx) - 1 : k == ~0ull) {
            return x;                           /* the mask keeps all that can be set */
        }
        break;
    case IR_OP_mul:
        if (k == 0) {
            return ir_const(b, t, 0);
        }
        if (k == 1) {
            return x;
        }
        break;
    case IR_OP_muluh:
        if (k <= 1) {
            return ir_const(b, t, 0);
        }
        break;
    default:
        break;
    }
    return IR_NONE;
}

/* The op that made @x, if it was recorded. */
static const IrOp *maker_of(const IrBlock *b, IrVal x)
{
    const IrValue *v = value_of(b, x);

    return v->kind == IR_KIND_TEMP && v->def < b->n_ops && b->ops[v->def].out == ir_id(x) ? &b->ops[v->def] : NULL;
}

/* x OP k by another op: strength reduction and reassociation.  Each step shortens a chain, so this ends. */
static IrVal rewrite_k(IrBlock *b, IrOpcode opc, IrVal x, uint64_t k)
{
    IrType t = ir_type(b, x);
    const IrValue *v = value_of(b, x);
    const IrOp *d;
    uint64_t k2;

    if (opc == IR_OP_sub) {                     /* x - k ==> x + -k */
        return ir_addi(b, x, -k);
    }
    if (opc == IR_OP_andc) {
        return ir_andi(b, x, ~k);
    }
    if (opc == IR_OP_mul && is_power_of_2(k)) {
        return ir_shli(b, x, (unsigned)__builtin_ctzll(k));
    }
    if (opc == IR_OP_xor && k == ir_mask(t)) {
        return ir_not(b, x);
    }
    if (opc == IR_OP_and && (k == 0xff || k == 0xffff || (k == 0xffffffff && t == IR_I64))) {
        return ir_ext(b, x, (unsigned)__builtin_ctzll(k + 1), false);
    }
    if (opc == IR_OP_add && v->kind == IR_KIND_PC && t == IR_I64 && b->pc_bits == 64) {
        return ir_pc(b, v->k + k);
    }
    d = maker_of(b, x);
    if (d && d->opc == opc && d->n_in == 2 && d->type == t &&
        b->values[d->in[1]].kind == IR_KIND_CONST) {
        IrVal inner = ir_handle(d->in[0], t);

        k2 = b->values[d->in[1]].k & ir_mask(t);
        switch (opc) {
        case IR_OP_add: return ir_addi(b, inner, k + k2);       /* (x + k2) + k ==> x + (k2 + k) */
        case IR_OP_and: return ir_andi(b, inner, k & k2);
        case IR_OP_or: return ir_ori(b, inner, k | k2);
        case IR_OP_xor: return ir_xori(b, inner, k ^ k2);
        case IR_OP_shl:
            return k + k2 < ir_width(t) ? ir_shli(b, inner, k + k2) : ir_const(b, t, 0);
        case IR_OP_shr:
            return k + k2 < ir_width(t) ? ir_shri(b, inner, k + k2) : ir_const(b, t, 0);
        default: break;
        }
    }
    return IR_NONE;
}

static bool is_shift(IrOpcode opc)
{
    return opc >= IR_OP_shl && opc <= IR_OP_rotr;
}

static IrVal binary(IrBlock *b, IrOpcode opc, IrVal x, IrVal y)
{
    IrType t = ir_type(b, x);
    uint64_t kx, ky;
    bool cx = ir_is_const(b, x, &kx);
    IrVal r;

    assert(is_int(t) && (t == ir_type(b, y) || is_shift(opc)));
    if (cx && (ir_op_info[opc].flags & OPF_COMM) && !ir_is_const(b, y, &ky)) {
        SWAP(x, y);
        cx = false;
    }
    if (ir_is_const(b, y, &ky)) {
        if (is_shift(opc)) {
            ky &= ir_width(t) - 1;
            y = ir_const(b, t, ky);
        }
        if (cx) {
            return ir_const(b, t, fold_binary(opc, t, kx, ky));
        }
        r = identity_k(b, opc, x, ky);
        if (ir_is_none(r)) {
            r = rewrite_k(b, opc, x, ky);
        }
        if (!ir_is_none(r)) {
            return r;
        }
        if (opc == IR_OP_shr) {
            return emit2(b, opc, t, x, y, known_bits(b, x) - ky);
        }
        if (opc == IR_OP_shl) {
            return emit2(b, opc, t, x, y, MIN(ir_width(t), known_bits(b, x) + ky));
        }
    } else if (ir_id(x) == ir_id(y) && !is_shift(opc)) {
        switch (opc) {
        case IR_OP_sub: case IR_OP_xor: case IR_OP_andc: return ir_const(b, t, 0);  /* x - x ==> 0 */
        case IR_OP_and: case IR_OP_or: return x;
        default: break;
        }
    }
    return emit2(b, opc, t, x, y, result_bits(opc, t, known_bits(b, x), known_bits(b, y)));
}

#define BINARY(name) IrVal ir_##name(IrBlock *b, IrVal x, IrVal y) { return binary(b, IR_OP_##name, x, y); }
BINARY(add)
BINARY(sub)
BINARY(and)
BINARY(or)
BINARY(xor)
BINARY(andc)
BINARY(mul)
BINARY(muluh)
BINARY(mulsh)
BINARY(shl)
BINARY(shr)
BINARY(sar)
BINARY(rotl)
BINARY(rotr)

/* What binary() would do, in one go: most additions are of a constant to a register or to a sum of this kind. */
IrVal ir_addi(IrBlock *b, IrVal x, int64_t by)
{
    IrType t = ir_type(b, x);
    uint64_t k = by & ir_mask(t);

    while (k) {
        const IrValue *v = value_of(b, x);
        const IrOp *d = maker_of(b, x);

        if (v->kind == IR_KIND_CONST) {
            return ir_const(b, t, v->k + k);
        }
        if (v->kind == IR_KIND_PC && t == IR_I64 && b->pc_bits == 64) {
            return ir_pc(b, v->k + k);
        }
        if (!d || d->opc != IR_OP_add || d->type != t || b->values[d->in[1]].kind != IR_KIND_CONST) {
            return emit2(b, IR_OP_add, t, x, ir_const(b, t, k), ir_width(t));
        }
        x = ir_handle(d->in[0], t);             /* (x + k2) + k ==> x + (k2 + k) */
        k = (b->values[d->in[1]].k + k) & ir_mask(t);
    }
    return x;
}

#define BINARY_K(name, op, T) \
    IrVal ir_##name(IrBlock *b, IrVal x, T k) { return binary(b, IR_OP_##op, x, ir_const(b, ir_type(b, x), k)); }
BINARY_K(andi, and, uint64_t)
BINARY_K(ori, or, uint64_t)
BINARY_K(xori, xor, uint64_t)
BINARY_K(shli, shl, unsigned)
BINARY_K(shri, shr, unsigned)
BINARY_K(sari, sar, unsigned)

IrVal ir_not(IrBlock *b, IrVal x)
{
    uint64_t k;

    if (ir_is_const(b, x, &k)) {
        return ir_const(b, ir_type(b, x), ~k);
    }
    return emit1(b, IR_OP_not, ir_type(b, x), x, ir_width(ir_type(b, x)));
}

IrVal ir_neg(IrBlock *b, IrVal x)
{
    uint64_t k;

    if (ir_is_const(b, x, &k)) {
        return ir_const(b, ir_type(b, x), -k);
    }
    return emit1(b, IR_OP_neg, ir_type(b, x), x, ir_width(ir_type(b, x)));
}

IrVal ir_ext(IrBlock *b, IrVal x, unsigned bits, bool sign)
{
    IrType t = ir_type(b, x);
    const IrOp *d;
    uint64_t k;
    IrVal r;

    assert(bits == 8 || bits == 16 || bits == 32 || bits == 64);
    if (bits >= ir_width(t)) {
        return x;
    }
    if (ir_is_const(b, x, &k)) {
        return ir_const(b, t, fold_ext(k, bits, sign, t));
    }
    if (known_bits(b, x) + sign <= bits) {
        return x;                               /* nothing to cut off */
    }
    d = maker_of(b, x);
    if (d) {
        /* ext(ext(x, m), n), n <= m ==> ext(x, n) */
        if (d->opc == IR_OP_ext && d->aux >= bits) {
            return ir_ext(b, ir_handle(d->in[0], t), bits, sign);
        }
        /* ext(deposit(x, 0, n, f), n) ==> ext(f, n) */
        if (d->opc == IR_OP_deposit && d->aux == 0 && d->cond >= bits) {
            return ir_ext(b, ir_handle(d->in[1], t), bits, sign);
        }
    }
    r = emit1(b, IR_OP_ext, t, x, sign ? ir_width(t) : bits);
    if (!b->overflow) {
        IrOp *op = &b->ops[b->values[ir_id(r)].def];

        op->aux = bits;
        op->cond = sign;
    }
    return r;
}

IrVal ir_deposit(IrBlock *b, IrVal x, unsigned pos, unsigned len, IrVal field)
{
    IrType t = ir_type(b, x);
    uint64_t kx, kf;
    IrVal r;

    assert(t == ir_type(b, field) && len && pos + len <= ir_width(t));
    if (len == ir_width(t)) {
        return field;
    }
    if (ir_is_const(b, x, &kx) && ir_is_const(b, field, &kf)) {
        return ir_const(b, t, deposit64(kx, pos, len, kf));
    }
    if (is_const_k(b, x, 0) || known_bits(b, x) <= pos) {
        /* bits from pos on are clear in x: place the field */
        IrVal f = len <= 32 && (len == 8 || len == 16 || len == 32) ? ir_ext(b, field, len, false)
                                                                  : ir_andi(b, field, (1ull << len) - 1);
        f = ir_shli(b, f, pos);
        return is_const_k(b, x, 0) ? f : ir_or(b, x, f);
    }
    if (ir_is_const(b, field, &kf)) {
        uint64_t m = ((1ull << len) - 1) << pos;

        kf = (kf << pos) & m;
        if (kf == 0) {
            return ir_andi(b, x, ~m);
        }
        if (kf == m) {
            return ir_ori(b, x, m);
        }
    }
    /* an I32 deposit may leave what is above bit 31 of x in place */
    r = emit2(b, IR_OP_deposit, t, x, field,
              t == IR_I32 && value_of(b, x)->bits > 32 ? 64 : MAX(known_bits(b, x), pos + len));
    if (!b->overflow) {
        IrOp *op = &b->ops[b->values[ir_id(r)].def];

        op->aux = pos;
        op->cond = len;
    }
    return r;
}

IrVal ir_extract(IrBlock *b, IrVal x, unsigned pos, unsigned len, bool sign)
{
    unsigned w = ir_width(ir_type(b, x));

    assert(len && pos + len <= w);
    if (pos + len == w) {
        return sign ? ir_sari(b, x, pos) : ir_shri(b, x, pos);
    }
    if (len == 8 || len == 16 || len == 32) {
        return ir_ext(b, ir_shri(b, x, pos), len, sign);
    }
    if (sign) {
        return ir_sari(b, ir_shli(b, x, w - pos - len), w - len);
    }
    return ir_andi(b, ir_shri(b, x, pos), (1ull << len) - 1);
}

IrVal ir_bswap(IrBlock *b, IrVal x)
{
    IrType t = ir_type(b, x);
    uint64_t k;

    if (ir_is_const(b, x, &k)) {
        return ir_const(b, t, fold_bswap(k, t));
    }
    return emit1(b, IR_OP_bswap, t, x, ir_width(t));
}

IrVal ir_clz(IrBlock *b, IrVal x, IrVal if_zero)
{
    IrType t = ir_type(b, x);
    uint64_t k;

    assert(t == ir_type(b, if_zero));
    if (ir_is_const(b, x, &k)) {
        return k ? ir_const(b, t, ir_width(t) - ir_bit_length(k)) : if_zero;
    }
    return emit2(b, IR_OP_clz, t, x, if_zero, MAX(6u, known_bits(b, if_zero)));
}

IrVal ir_ctz(IrBlock *b, IrVal x, IrVal if_zero)
{
    IrType t = ir_type(b, x);
    uint64_t k;

    assert(t == ir_type(b, if_zero));
    if (ir_is_const(b, x, &k)) {
        return k ? ir_const(b, t, __builtin_ctzll(k)) : if_zero;
    }
    return emit2(b, IR_OP_ctz, t, x, if_zero, MAX(6u, known_bits(b, if_zero)));
}

IrVal ir_popcount(IrBlock *b, IrVal x)
{
    IrType t = ir_type(b, x);
    uint64_t k;

    if (ir_is_const(b, x, &k)) {
        return ir_const(b, t, __builtin_popcountll(k));
    }
    return emit1(b, IR_OP_popcount, t, x, 7);
}

IrVal ir_setcond(IrBlock *b, IrType t, IrCond c, IrVal x, IrVal y)
{
    int known;
    IrVal r;

    assert(ir_type(b, x) == ir_type(b, y) && is_int(t));
    known = simplify_cond(b, &c, &x, &y);
    if (known >= 0) {
        return ir_const(b, t, known);
    }
    if (known_bits(b, x) == 1 && is_const_k(b, y, 0) && c == IR_NE) {
        return ir_handle(ir_id(x), t);          /* (0 or 1) != 0 ==> itself */
    }
    r = emit2(b, IR_OP_setcond, ir_type(b, x), x, y, 1);
    if (!b->overflow) {
        b->ops[b->values[ir_id(r)].def].cond = c;
    }
    return ir_handle(ir_id(r), t);
}

IrVal ir_select(IrBlock *b, IrCond c, IrVal x, IrVal y, IrVal if_true, IrVal if_false)
{
    IrType t = ir_type(b, if_true);
    IrOp *op;
    int known;

    assert(ir_type(b, x) == ir_type(b, y) && t == ir_type(b, if_false) && is_int(t));
    known = simplify_cond(b, &c, &x, &y);
    if (known >= 0) {
        return known ? if_true : if_false;
    }
    if (ir_id(if_true) == ir_id(if_false)) {
        return if_true;
    }
    op = build_op(b, IR_OP_select, ir_type(b, x));
    op->cond = c;
    op->aux = t;
    op->in[0] = ir_id(x);
    op->in[1] = ir_id(y);
    op->in[2] = ir_id(if_true);
    op->in[3] = ir_id(if_false);
    op->n_in = 4;
    return build_result(b, op, t, MAX(known_bits(b, if_true), known_bits(b, if_false)));
}

/* A half is the same value, looked at as I32. */
IrVal ir_trunc(IrBlock *b, IrVal x)
{
    const IrOp *d;
    uint64_t k;

    assert(ir_type(b, x) == IR_I64);
    if (ir_is_const(b, x, &k)) {
        return ir_const(b, IR_I32, k);
    }
    d = maker_of(b, x);
    if (d && (d->opc == IR_OP_zext || d->opc == IR_OP_sext)) {
        return ir_handle(d->in[0], IR_I32);     /* trunc(zext(y)) ==> y */
    }
    return ir_handle(ir_id(x), IR_I32);
}

IrVal ir_zext(IrBlock *b, IrVal x)
{
    uint64_t k;

    assert(ir_type(b, x) == IR_I32);
    if (ir_is_const(b, x, &k)) {
        return ir_const(b, IR_I64, k);
    }
    if (value_of(b, x)->bits <= 32) {
        return ir_handle(ir_id(x), IR_I64);
    }
    return emit1(b, IR_OP_zext, IR_I64, x, 32);
}

IrVal ir_sext(IrBlock *b, IrVal x)
{
    uint64_t k;

    assert(ir_type(b, x) == IR_I32);
    if (ir_is_const(b, x, &k)) {
        return ir_const(b, IR_I64, (int64_t)(int32_t)k);
    }
    if (value_of(b, x)->bits < 32) {
        return ir_handle(ir_id(x), IR_I64);
    }
    return emit1(b, IR_OP_sext, IR_I64, x, 64);
}
