/*
 * The builder, second half: memory, vectors, calls, and leaving the block.
 */
#include "tcg/build.h"

static bool is_int(IrType t)
{
    return t == IR_I32 || t == IR_I64;
}

/* --- guest memory --- */

/* Integers up to 8 bytes; vectors of their own size, or V128 zero-extended from 4 or 8 bytes. */
static bool is_valid_memop(IrType t, IrMemOp mop)
{
    unsigned size = mop & IR_MO_SIZE;

    if (is_int(t)) {
        return size <= IR_MO_64;
    }
    if (mop & (IR_MO_BE | IR_MO_SIGN)) {
        return false;
    }
    return t == IR_V256 ? size == IR_MO_256 : size == IR_MO_128 || size == IR_MO_64 || size == IR_MO_32;
}

/* A load or store comes: note it for share.c, with room for a probe before it. */
static void note_access(IrBlock *b)
{
    if (b->share && !b->unreachable && b->n_ops < TCG_MAX_OPS - 2) {
        build_op(b, IR_OP_nop, IR_VOID);
        b->accesses[b->n_accesses++] = (IrAccess){ (uint16_t)b->n_ops, (uint16_t)b->n_insns, b->n_barriers };
    }
}

IrVal ir_ld(IrBlock *b, IrType t, IrVal addr, unsigned mmu_idx, IrMemOp mop)
{
    IrOp *op;
    unsigned size = mop & IR_MO_SIZE, bits;

    assert(ir_type(b, addr) == IR_I64 && mmu_idx < TCG_MMU_IDX_MAX);
    assert(is_valid_memop(t, mop));
    note_access(b);
    op = build_exit(b, IR_OP_ld, t);
    op->cond = mop;
    op->aux = mmu_idx;
    op->in[0] = ir_id(addr);
    op->n_in = 1;
    bits = mop & IR_MO_SIGN && is_int(t) ? ir_width(t) : is_int(t) ? 8u << size : 64;
    return build_result(b, op, t, bits);
}

void ir_st(IrBlock *b, IrVal v, IrVal addr, unsigned mmu_idx, IrMemOp mop)
{
    IrType t = ir_type(b, v);
    IrOp *op;

    assert(ir_type(b, addr) == IR_I64 && mmu_idx < TCG_MMU_IDX_MAX);
    assert(is_valid_memop(t, mop));
    note_access(b);
    op = build_exit(b, IR_OP_st, t);
    op->cond = mop;
    op->aux = mmu_idx;
    op->in[0] = ir_id(v);
    op->in[1] = ir_id(addr);
    op->n_in = 2;
}

IrVal ir_atomic_rmw(IrBlock *b, IrAtomic a, IrVal addr, IrVal operand, unsigned mmu_idx, IrMemOp mop)
{
    IrType t = ir_type(b, operand);
    IrOp *op = build_op(b, IR_OP_rmw, t);

    b->n_barriers++;
    assert(ir_type(b, addr) == IR_I64 && is_int(t) && (mop & IR_MO_SIZE) <= IR_MO_64 && !(mop & IR_MO_BE));
    op->cond = mop & ~IR_MO_SIGN;
    op->aux = mmu_idx;
    op->k = a;
    op->in[0] = ir_id(addr);
    op->in[1] = ir_id(operand);
    op->n_in = 2;
    return build_result(b, op, t, 8u << (mop & IR_MO_SIZE));
}

IrVal ir_atomic_cas(IrBlock *b, IrVal addr, IrVal expected, IrVal desired, unsigned mmu_idx, IrMemOp mop)
{
    IrType t = ir_type(b, expected);
    IrOp *op = build_op(b, IR_OP_cas, t);

    b->n_barriers++;
    assert(ir_type(b, addr) == IR_I64 && is_int(t) && t == ir_type(b, desired));
    assert((mop & IR_MO_SIZE) <= IR_MO_64 && !(mop & IR_MO_BE));
    op->cond = mop & ~IR_MO_SIGN;
    op->aux = mmu_idx;
    op->in[0] = ir_id(addr);
    op->in[1] = ir_id(expected);
    op->in[2] = ir_id(desired);
    op->n_in = 3;
    return build_result(b, op, t, 8u << (mop & IR_MO_SIZE));
}

void ir_fence(IrBlock *b)
{
    build_op(b, IR_OP_fence, IR_VOID);
}

/* --- vectors --- */

enum { COMM = 1, FPCR = 2 };
static const uint8_t vop_flags[IR_VOP_COUNT] = {
#define VOP(NAME, shape, prefix, map, opcode, digit, feature, flags) [IR_VOP_##NAME] = flags,
#include "tcg/vecops.def"
#undef VOP
};

static IrVal vop(IrBlock *b, IrVop row, IrType t, unsigned n, const IrVal *in, uint8_t imm)
{
    IrOp *op = build_op(b, vop_flags[row] & FPCR ? IR_OP_vop_fp : IR_OP_vop, t);

    op->k = row;
    op->cond = imm;
    for (unsigned i = 0; i < n; i++) {
        if (!ir_is_none(in[i])) {
            op->in[op->n_in++] = ir_id(in[i]);
        }
    }
    return build_result(b, op, t, is_int(t) ? ir_width(t) : 64);
}

IrVal ir_vop1(IrBlock *b, IrVop op, IrVal x)
{
    return vop(b, op, IR_V128, 1, (IrVal[]){ x }, 0);
}

IrVal ir_vop2(IrBlock *b, IrVop op, IrVal x, IrVal y)
{
    return vop(b, op, IR_V128, 2, (IrVal[]){ x, y }, 0);
}

IrVal ir_vop3(IrBlock *b, IrVop op, IrVal x, IrVal y, IrVal z)
{
    return vop(b, op, IR_V128, 3, (IrVal[]){ x, y, z }, 0);
}

IrVal ir_vop3i(IrBlock *b, IrVop op, IrVal x, IrVal y, IrVal z, uint8_t imm)
{
    return vop(b, op, IR_V128, 3, (IrVal[]){ x, y, z }, imm);
}

IrVal ir_vop1i(IrBlock *b, IrVop op, IrVal x, uint8_t imm)
{
    return vop(b, op, IR_V128, 1, (IrVal[]){ x }, imm);
}

IrVal ir_vop2i(IrBlock *b, IrVop op, IrVal x, IrVal y, uint8_t imm)
{
    return vop(b, op, IR_V128, 2, (IrVal[]){ x, y }, imm);
}

IrVal ir_vop_to_int(IrBlock *b, IrVop op, IrType t, IrVal x, IrVal y_or_none, uint8_t imm)
{
    return vop(b, op, t, 2, (IrVal[]){ x, y_or_none }, imm);
}

IrVal ir_vop_from_int(IrBlock *b, IrVop op, IrVal x_or_none, IrVal i, uint8_t imm)
{
    return vop(b, op, IR_V128, 2, (IrVal[]){ x_or_none, i }, imm);
}

/* --- calls --- */

IrVal ir_call(IrBlock *b, unsigned helper, const IrVal *args, unsigned n_args)
{
    const IrHelper *h = &b->target->helpers[helper];
    IrOp *op;
    IrVal r = IR_NONE;

    assert(helper < b->target->n_helpers && n_args == h->n_args);
    op = build_op(b, IR_OP_call, h->ret);
    b->n_calls++;
    if (b->n_args + n_args > IR_MAX_ARGS) {
        b->overflow = true;
        b->n_args = 0;
    }
    op->k = (int64_t)b->n_args << 32 | helper;
    op->n_in = n_args;
    b->n_barriers += ir_call_is_barrier(b, op);
    for (unsigned i = 0; i < n_args; i++) {
        assert(ir_type(b, args[i]) == h->args[i]);
        b->call_args[b->n_args++] = ir_id(args[i]);
    }
    if (h->ret != IR_VOID) {
        r = build_result(b, op, h->ret, 64);    /* the upper half of an I32 result is not defined */
    }
    if (!(h->flags & IR_HELPER_NO_WRITE)) {
        build_forget_globals(b);
    }
    if (h->flags & IR_HELPER_NORETURN) {
        build_end_path(b);
    }
    return r;
}

/* --- leaving the block --- */

void ir_exit_direct(IrBlock *b, unsigned slot, int64_t pc_delta, unsigned flags)
{
    IrOp *op;

    assert(slot < IR_DIRECT_SLOTS);
    op = build_exit(b, IR_OP_exit_direct, IR_VOID);
    op->aux = slot;
    op->cond = flags;
    op->k = pc_delta;
    build_end_path(b);
}

static void exit_to(IrBlock *b, IrOpcode opc, IrVal pc)
{
    IrOp *op = build_exit(b, opc, IR_I64);

    assert(ir_type(b, pc) == IR_I64);
    op->in[0] = ir_id(pc);
    op->n_in = 1;
    build_end_path(b);
}

void ir_exit_indirect(IrBlock *b, IrVal pc)
{
    exit_to(b, IR_OP_exit_indirect, pc);
}

void ir_exit_return(IrBlock *b, IrVal pc)
{
    exit_to(b, IR_OP_exit_return, pc);
}

void ir_push_return(IrBlock *b, unsigned slot, IrVal pc, int64_t pc_delta, uint32_t page_offset)
{
    IrOp *op = build_op(b, IR_OP_push_return, IR_I64);

    assert(ir_type(b, pc) == IR_I64 && slot < IR_DIRECT_SLOTS && pc_delta == (int32_t)pc_delta);
    op->in[0] = ir_id(pc);
    op->n_in = 1;
    op->aux = slot;
    op->disp = TCG_RETURN_CACHE_HASH(page_offset);
    op->k = pc_delta;
}

void ir_exit_loop(IrBlock *b, IrVal pc)
{
    exit_to(b, IR_OP_exit_loop, pc);
}

void ir_exit_state_set(IrBlock *b)
{
    build_exit(b, IR_OP_exit_state, IR_VOID);
    build_end_path(b);
}
