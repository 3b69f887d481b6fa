/*
 * Vector rows (tcg/vecops.def) to legacy-SSE or 128-bit VEX instructions; a row that this host lacks calls the C
 * fallback.  Shapes are explained at the head of vecops.def.
 */
#include "tcg/x86_64/emit.h"
#include "tcg/x86_64/vector.h"
#include "tcg/vop-fallback.h"

typedef enum Shape {
    V1, V1I, V1IG, V2, V2I, V3, TOI32, TOI64, TOI32I, TOI32M, TOI64M, TOI32MI, TOI64MI, TOI32F,
    FRI32, FRI64, FRI32X, FRI64X, FRI32XI, FRI64XI, X1, X1MI, X2, X2W, X2I, X3, X3W,
} Shape;

enum {      /* prefix and map columns */
    P_0x00 = 0, P_0x66 = X_66, P_0xf3 = X_F3, P_0xf2 = X_F2,
    M_0x0f = X_0F, M_0x0f38 = X_0F38, M_0x0f3a = X_0F3A,
    COMM = 1, FPCR = 2,
};

static const struct Row { uint8_t shape, digit, feature, flags; uint32_t op; } rows[IR_VOP_COUNT] = {
#define VOP(NAME, shape, prefix, map, opcode, digit, feature, flags) \
    [IR_VOP_##NAME] = { shape, digit, VF_##feature, flags, P_##prefix | M_##map | opcode },
#include "tcg/vecops.def"
#undef VOP
};

static bool has_imm(Shape s)
{
    return s == X1MI || s == X2I || s == V1I || s == V1IG || s == V2I || s == TOI32I || s == TOI32MI || s == TOI64MI || s == FRI32XI ||
           s == FRI64XI;
}

static bool is_wide(Shape s)
{
    return s == X2W || s == X3W || s == TOI64 || s == TOI64M || s == TOI64MI || s == FRI64 || s == FRI64X || s == FRI64XI;
}

/* d (holding x) op= y */
static void two_operand(TcgContext *c, IrOp *op, const struct Row *row, unsigned opcode)
{
    unsigned d, y;

    if (row->flags & COMM && op->in[0] != op->in[1] && ra_in_reg(c, op, 1) && ra_dies(c, op, 1) &&
        !(ra_in_reg(c, op, 0) && ra_dies(c, op, 0))) {
        uint16_t *next = ir_op_next_use(&c->ir, op);

        SWAP(op->in[0], op->in[1]);
        SWAP(next[0], next[1]);
    }
    y = ra_use(c, op, 1);
    d = ra_take(c, op, 0);
    op_rr(&c->a, opcode, d, y);
    ra_bind(c, op, d);
}

/* The same with the mask in xmm0 */
static void blend(TcgContext *c, IrOp *op, unsigned opcode)
{
    unsigned d, y;

    ra_vacate(c, HR_XMM0);
    ra_load_into(c, op->in[2], HR_XMM0, true);
    y = ra_use(c, op, 1);
    d = ra_take(c, op, 0);
    op_rr(&c->a, opcode, d, y);
    ra_bind(c, op, d);
}

/* compare; lahf; movzx d, ah; and d, ZF | PF | CF */
static void flags_of(TcgContext *c, IrOp *op, unsigned opcode)
{
    static const uint8_t lahf_movzx_eax_ah[] = { 0x9f, 0x0f, 0xb6, 0xc4 };
    unsigned x, y;

    ra_vacate(c, HR_RAX);
    x = ra_use(c, op, 0);
    y = ra_use(c, op, 1);
    op_rr(&c->a, opcode, x, y);
    memcpy(c->a.p, lahf_movzx_eax_ah, sizeof(lahf_movzx_eax_ah));
    c->a.p += sizeof(lahf_movzx_eax_ah);
    op_alu_ri(&c->a, ALU_AND, false, HR_RAX, 0x45);
    ra_bind(c, op, HR_RAX);
}

static void gen_row(TcgContext *c, IrOp *op, const struct Row *row)
{
    Asm *a = &c->a;
    unsigned opcode = row->op | (is_wide((Shape)row->shape) ? X_W : 0), d, x, y;

    switch ((Shape)row->shape) {
    case V1:
    case V1I:
        x = ra_use(c, op, 0);
        ra_inputs_done(c, op);
        op_rr(a, opcode, ra_def(c, op, c->xmms), x);
        break;
    case V1IG:
        d = ra_take(c, op, 0);
        op_rr(a, opcode, row->digit, d);
        ra_bind(c, op, d);
        break;
    case V2:
    case V2I:
        two_operand(c, op, row, opcode);
        break;
    case V3:
        blend(c, op, opcode);
        break;
    case TOI32:
    case TOI64:
    case TOI32I:
        x = ra_use(c, op, 0);
        op_rr(a, opcode, ra_def(c, op, c->gprs), x);
        break;
    case TOI32M:
    case TOI64M:
    case TOI32MI:
    case TOI64MI:
        x = ra_use(c, op, 0);
        op_rr(a, opcode, x, ra_def(c, op, c->gprs));
        break;
    case TOI32F:
        flags_of(c, op, opcode);
        break;
    case FRI32:
    case FRI64:
        x = ra_use(c, op, 0);
        op_rr(a, opcode, ra_def(c, op, c->xmms), x);
        break;
    case FRI32X:
    case FRI64X:
    case FRI32XI:
    case FRI64XI:
        x = ra_use(c, op, 1);
        d = ra_take(c, op, 0);
        op_rr(a, opcode, d, x);
        ra_bind(c, op, d);
        break;
    case X1:
    case X1MI:
        x = ra_use(c, op, 0);
        ra_inputs_done(c, op);
        d = ra_def(c, op, c->xmms);
        op_vex(a, opcode, row->shape == X1 ? d : x, 0, row->shape == X1 ? x : d);
        break;
    case X2:
    case X2W:
    case X2I:
        x = ra_use(c, op, 0);
        y = ra_use(c, op, 1);
        ra_inputs_done(c, op);
        op_vex(a, opcode, ra_def(c, op, c->xmms), x, y);
        break;
    case X3:
    case X3W:
        x = ra_use(c, op, 1);
        y = ra_use(c, op, 2);
        d = ra_take(c, op, 0);
        op_vex(a, opcode + (op->cond << 4), d, x, y);
        ra_bind(c, op, d);
        break;
    }
    if (has_imm((Shape)row->shape)) {
        emit8(a, op->cond);
    }
}

static Mem copy_mem(unsigned i)
{
    return mem(HR_RSP, FRAME_VECTORS + 32 * i);
}

/* vop_fallback(env, row and immediate, &x, &y, integer or &z, &d) */
static void call_fallback(TcgContext *c, IrOp *op)
{
    static const uint8_t vector_arg[] = { HR_RDX, HR_RCX, HR_R8 };
    Asm *a = &c->a;
    unsigned n_vec = 0;

    if (c->keep_pc) {
        store_block_pc(c);
    }
    ra_prepare_call(c, op, HOST_CALL_CLOBBERS, false);
    for (unsigned i = 0; i < op->n_in; i++) {
        if (c->ir.values[op->in[i]].type == IR_V128) {
            unsigned x = ra_use(c, op, i);

            op_rm(a, X_MOVAPS_STORE, x, copy_mem(n_vec++));
        } else {
            ra_load_into(c, op->in[i], HR_R8, true);
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        if (i < n_vec) {
            op_rm(a, X_LEA | X_W, vector_arg[i], copy_mem(i));
        } else if (i < 2) {
            op_mov_k(a, vector_arg[i], 0, true);
        }
    }
    op_rm(a, X_LEA | X_W, HR_R9, copy_mem(3));
    op_mov_k(a, HR_RSI, VOP_FALLBACK_OP(op->k, op->cond), true);
    op_rm(a, X_LEA | X_W, HR_RDI, mem(HR_ENV, -TCG_ENV_BIAS));
    if (c->count_calls) {
        out_count_call(c, TCG_MAX_HELPERS + (unsigned)op->k);
    }
    op_rm(a, X_GROUP5, 2, ra_env_mem(offsetof(TcgEnv, vop_fallback)));
    ra_drop(c, HOST_CALL_CLOBBERS);
    c->locked = 0;
    if (op->type == IR_V128) {
        op_rm(a, X_MOVAPS_LOAD, ra_def(c, op, c->xmms), copy_mem(3));
    } else {
        ra_bind(c, op, HR_RAX);
    }
}

bool vop_is_native(IrVop row)
{
    return host_features()->vop & BIT(rows[row].feature);
}

void out_vop(TcgContext *c, IrOp *op)
{
    if (vop_is_native((IrVop)op->k)) {
        gen_row(c, op, &rows[op->k]);
    } else {
        call_fallback(c, op);
    }
}
