/*
 * IR ops to x86-64 instructions: integers, comparisons, env fields, control flow inside the block.
 *
 * One function per op or family; each brings its operands to registers (regalloc.h), emits, and
 * binds the result.
 */
#include "tcg/x86_64/emit.h"

/* --- arithmetic and logic --- */

/* lea d, [x + y] or [x + k], when x must survive. */
static bool try_lea(TcgContext *c, IrOp *op)
{
    int32_t imm;
    unsigned x, y, d;

    if (!ra_in_reg(c, op, 0) || ra_dies(c, op, 0)) {
        return false;
    }
    if (ra_imm(c, op, 1, op->type, &imm)) {
        x = ra_use(c, op, 0);
        d = ra_def(c, op, c->gprs);
        op_rm(&c->a, X_LEA | wbit(op->type), d, mem(x, imm));
        return true;
    }
    if (ra_in_reg(c, op, 1) && !ra_dies(c, op, 1)) {
        x = ra_use(c, op, 0);
        y = ra_use(c, op, 1);
        d = ra_def(c, op, c->gprs);
        op_rm(&c->a, X_LEA | wbit(op->type), d, mem_x(x, y, 0, 0));
        return true;
    }
    return false;
}

static void swap_operands(TcgContext *c, IrOp *op)
{
    uint16_t *next = ir_op_next_use(&c->ir, op);

    SWAP(op->in[0], op->in[1]);
    SWAP(next[0], next[1]);
}

/* d = x OP y in two-operand form */
static void alu(TcgContext *c, IrOp *op, unsigned digit)
{
    bool w = op->type == IR_I64;
    int32_t imm;
    unsigned d, y;
    Mem m;

    if (ra_imm(c, op, 1, op->type, &imm) && !(ra_in_reg(c, op, 1) && imm != (int8_t)imm && ra_dies(c, op, 1))) {
        d = ra_take(c, op, 0);
        op_alu_ri(&c->a, digit, w, d, imm);
        ra_bind(c, op, d);
        return;
    }
    if ((ir_op_info[op->opc].flags & OPF_COMM) && op->in[0] != op->in[1] &&
        !(ra_in_reg(c, op, 0) && ra_dies(c, op, 0)) && ra_in_reg(c, op, 1) && ra_dies(c, op, 1)) {
        swap_operands(c, op);
    }
    if (op->in[0] != op->in[1] && ra_mem(c, op, 1, op->type, &m)) {
        d = ra_take(c, op, 0);
        if (ra_mem(c, op, 1, op->type, &m)) {       /* still: taking may have moved things */
            op_alu_rm(&c->a, digit, w, d, m);
            ra_bind(c, op, d);
            return;
        }
        y = ra_use(c, op, 1);
    } else {
        y = ra_use(c, op, 1);
        d = ra_take(c, op, 0);
    }
    op_alu_rr(&c->a, digit, w, d, y);
    ra_bind(c, op, d);
}

/* The same, with its flags noted for a branch that comes next. */
static void gen_alu(TcgContext *c, IrOp *op, unsigned digit)
{
    alu(c, op, digit);
    c->flags.op = op;
    c->flags.end = c->a.p;
}

static void gen_add(TcgContext *c, IrOp *op)
{
    if (!try_lea(c, op)) {
        gen_alu(c, op, ALU_ADD);
    }
}

static void gen_sub(TcgContext *c, IrOp *op) { gen_alu(c, op, ALU_SUB); }
static void gen_and(TcgContext *c, IrOp *op) { gen_alu(c, op, ALU_AND); }
static void gen_or(TcgContext *c, IrOp *op) { gen_alu(c, op, ALU_OR); }
static void gen_xor(TcgContext *c, IrOp *op) { gen_alu(c, op, ALU_XOR); }

/* not y; and y, x */
static void gen_andc(TcgContext *c, IrOp *op)
{
    unsigned x = ra_use(c, op, 0), d = ra_take(c, op, 1);

    if (d == x) {                               /* x & ~x, with x in its own register */
        op_alu_rr(&c->a, ALU_XOR, false, d, d);
    } else {
        op_rr(&c->a, X_GROUP3 | wbit(op->type), G3_NOT, d);
        op_alu_rr(&c->a, ALU_AND, op->type == IR_I64, d, x);
    }
    ra_bind(c, op, d);
}

static void gen_group3(TcgContext *c, IrOp *op, unsigned digit)
{
    unsigned d = ra_take(c, op, 0);

    op_rr(&c->a, X_GROUP3 | wbit(op->type), digit, d);
    ra_bind(c, op, d);
}

static void gen_not(TcgContext *c, IrOp *op) { gen_group3(c, op, G3_NOT); }
static void gen_neg(TcgContext *c, IrOp *op) { gen_group3(c, op, G3_NEG); }

static void gen_mul(TcgContext *c, IrOp *op)
{
    unsigned x, y, d;
    int32_t imm;

    if (ra_imm(c, op, 1, op->type, &imm)) {
        x = ra_use(c, op, 0);
        ra_inputs_done(c, op);
        d = ra_def(c, op, c->gprs);
        if (imm == (int8_t)imm) {
            op_rr(&c->a, X_IMUL_I8 | wbit(op->type), d, x);
            emit8(&c->a, imm);
        } else {
            op_rr(&c->a, X_IMUL_I32 | wbit(op->type), d, x);
            emit32(&c->a, imm);
        }
        return;
    }
    y = ra_use(c, op, 1);
    d = ra_take(c, op, 0);
    op_rr(&c->a, X_IMUL | wbit(op->type), d, y);
    ra_bind(c, op, d);
}

/* rdx:rax = rax * y */
static void gen_mul_high(TcgContext *c, IrOp *op, unsigned digit)
{
    unsigned y;

    ra_take_in(c, op, 0, HR_RAX);
    if (op->in[0] == op->in[1]) {
        ra_vacate(c, HR_RDX);
        y = HR_RAX;
    } else {
        ra_vacate(c, HR_RDX);
        y = ra_use(c, op, 1);
    }
    op_rr(&c->a, X_GROUP3 | wbit(op->type), digit, y);
    ra_bind(c, op, HR_RDX);
}

static void gen_muluh(TcgContext *c, IrOp *op) { gen_mul_high(c, op, G3_MUL); }
static void gen_mulsh(TcgContext *c, IrOp *op) { gen_mul_high(c, op, G3_IMUL); }

static void gen_lea(TcgContext *c, IrOp *op)
{
    unsigned x = ra_use(c, op, 0), y = ra_use(c, op, 1), d;

    ra_inputs_done(c, op);
    d = ra_def(c, op, c->gprs);
    op_rm(&c->a, X_LEA | wbit(op->type), d, mem_x(x, y, op->aux, 0));
}

/* --- shifts --- */

/* Count in cl. */
static void gen_shift_cl(TcgContext *c, IrOp *op, unsigned digit)
{
    unsigned d;

    ra_take_in(c, op, 1, HR_RCX);
    if (op->in[0] == op->in[1]) {
        d = ra_temp(c, c->gprs);
        op_mov(&c->a, d, HR_RCX);
    } else {
        d = ra_take(c, op, 0);
    }
    op_rr(&c->a, X_GROUP2_CL | wbit(op->type), digit, d);
    ra_bind(c, op, d);
}

static void gen_shift(TcgContext *c, IrOp *op, unsigned digit, unsigned vex)
{
    bool w = op->type == IR_I64;
    uint64_t k;
    unsigned d;

    if (ra_const(c, op, 1, IR_I64, &k)) {
        if (digit == SHIFT_SHL && k == 1 && ra_in_reg(c, op, 0) && !ra_dies(c, op, 0)) {
            unsigned x = ra_use(c, op, 0);

            d = ra_def(c, op, c->gprs);
            op_rm(&c->a, X_LEA | wbit(op->type), d, mem_x(x, x, 0, 0));
            return;
        }
        d = ra_take(c, op, 0);
        op_shift_i(&c->a, digit, w, d, k & (w ? 63 : 31));
        ra_bind(c, op, d);
    } else if (vex && host_features()->bmi2) {
        unsigned x = ra_use(c, op, 0), n = ra_use(c, op, 1);

        ra_inputs_done(c, op);
        d = ra_def(c, op, c->gprs);
        op_shift_x(&c->a, vex, w, d, x, n);
    } else {
        gen_shift_cl(c, op, digit);
    }
}

static void gen_shl(TcgContext *c, IrOp *op) { gen_shift(c, op, SHIFT_SHL, VEX_SHLX); }
static void gen_shr(TcgContext *c, IrOp *op) { gen_shift(c, op, SHIFT_SHR, VEX_SHRX); }
static void gen_sar(TcgContext *c, IrOp *op) { gen_shift(c, op, SHIFT_SAR, VEX_SARX); }
static void gen_rotl(TcgContext *c, IrOp *op) { gen_shift(c, op, SHIFT_ROL, 0); }
static void gen_rotr(TcgContext *c, IrOp *op) { gen_shift(c, op, SHIFT_ROR, 0); }

/* --- fields and bytes --- */

/* movzx, movsx, movsxd, mov r32: low @bits of @x to @d */
static unsigned ext_opcode(unsigned bits, bool sign, IrType t)
{
    unsigned w = sign ? wbit(t) : 0;

    switch (bits) {
    case 8: return (sign ? X_MOVSX8 : X_MOVZX8) | w;
    case 16: return (sign ? X_MOVSX16 : X_MOVZX16) | w;
    default: return sign && t == IR_I64 ? (unsigned)X_MOVSXD : (unsigned)X_MOV_LOAD;
    }
}

static void gen_extension(TcgContext *c, IrOp *op, unsigned bits, bool sign)
{
    unsigned opcode = ext_opcode(bits, sign, op->type), x, d;
    Mem m;

    if (ra_mem(c, op, 0, IR_I32, &m)) {
        d = ra_result(c, op, c->gprs);
        if (ra_mem(c, op, 0, IR_I32, &m)) {
            op_rm(&c->a, opcode, d, m);
            ra_bind(c, op, d);
            return;
        }
        ra_unlock(c, d);
    }
    x = ra_use(c, op, 0);
    ra_inputs_done(c, op);
    d = ra_def(c, op, c->gprs);
    op_rr(&c->a, opcode, d, x);
}

static void gen_ext(TcgContext *c, IrOp *op) { gen_extension(c, op, op->aux, op->cond); }
static void gen_zext(TcgContext *c, IrOp *op) { gen_extension(c, op, 32, false); }
static void gen_sext(TcgContext *c, IrOp *op) { gen_extension(c, op, 32, true); }

/* d's low 8 or 16 bits = f's */
static void merge_low(TcgContext *c, unsigned len, unsigned d, unsigned f)
{
    op_rr(&c->a, len == 8 ? (unsigned)X_MOV8_LOAD : X_MOV_LOAD | X_66, d, f);
}

/*
 * Fields of 8 and 16 bits: rotate there, move the part, rotate back.  Others:
 * t = f << (w - len) >> (w - len - pos); d = x & ~mask | t
 */
static void gen_deposit(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    unsigned pos = op->aux, len = op->cond, width = ir_width(op->type);
    bool w = op->type == IR_I64;
    uint64_t keep = ~(((1ull << len) - 1) << pos) & ir_mask(op->type);
    unsigned f = ra_use(c, op, 1), d = ra_take(c, op, 0), t;

    if (d == f) {                               /* one value for both: work on a copy */
        t = ra_temp(c, c->gprs);
        op_mov(a, t, f);
        f = t;
    }
    if (len == 8 || len == 16) {
        if (pos) {
            op_shift_i(a, SHIFT_ROR, w, d, pos);
        }
        merge_low(c, len, d, f);
        if (pos) {
            op_shift_i(a, SHIFT_ROL, w, d, pos);
        }
    } else {
        t = ra_temp(c, c->gprs);
        if ((uint64_t)(int32_t)keep == keep || !w) {
            op_alu_ri(a, ALU_AND, w, d, keep);
        } else {
            op_mov_k(a, t, keep, true);
            op_alu_rr(a, ALU_AND, true, d, t);
        }
        op_mov(a, t, f);
        op_shift_i(a, SHIFT_SHL, w, t, width - len);
        if (width - len - pos) {
            op_shift_i(a, SHIFT_SHR, w, t, width - len - pos);
        }
        op_alu_rr(a, ALU_OR, w, d, t);
    }
    ra_bind(c, op, d);
}

static void op_bswap(Asm *a, bool w, unsigned d)
{
    if (w || d & 8) {
        emit8(a, 0x40 | (w ? 8 : 0) | (d & 8 ? 1 : 0));
    }
    emit8(a, 0x0f);
    emit8(a, 0xc8 | (d & 7));
}

static void gen_bswap(TcgContext *c, IrOp *op)
{
    unsigned d = ra_take(c, op, 0);

    op_bswap(&c->a, op->type == IR_I64, d);
    ra_bind(c, op, d);
}

/* lzcnt d, x; cmovc d, y */
static void gen_clz(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    unsigned wb = wbit(op->type), width = ir_width(op->type);
    unsigned x = ra_use(c, op, 0), y = ra_use(c, op, 1), d = ra_result(c, op, c->gprs), t;

    if (host_features()->lzcnt) {
        op_rr(a, X_LZCNT | wb, d, x);
        op_rr(a, (X_CMOV + CC_B) | wb, d, y);
    } else {                                    /* d = (x ? bsr x : y ^ (w - 1)) ^ (w - 1) */
        t = ra_temp(c, c->gprs);
        op_mov(a, t, y);
        op_alu_ri(a, ALU_XOR, wb, t, width - 1);
        op_rr(a, X_BSR | wb, d, x);
        op_rr(a, (X_CMOV + CC_E) | wb, d, t);
        op_alu_ri(a, ALU_XOR, wb, d, width - 1);
    }
    ra_bind(c, op, d);
}

/* tzcnt d, x; cmovc d, y */
static void gen_ctz(TcgContext *c, IrOp *op)
{
    unsigned wb = wbit(op->type);
    unsigned x = ra_use(c, op, 0), y = ra_use(c, op, 1), d = ra_result(c, op, c->gprs);
    bool bmi1 = host_features()->bmi1;

    op_rr(&c->a, (bmi1 ? X_TZCNT : X_BSF) | wb, d, x);
    op_rr(&c->a, (X_CMOV + (bmi1 ? CC_B : CC_E)) | wb, d, y);
    ra_bind(c, op, d);
}

static void gen_popcount(TcgContext *c, IrOp *op)
{
    unsigned x = ra_use(c, op, 0), d;

    ra_inputs_done(c, op);
    d = ra_def(c, op, c->gprs);
    op_rr(&c->a, X_POPCNT | wbit(op->type), d, x);
}

/* --- comparisons --- */

typedef struct Compare {
    bool test, x_is_mem, y_is_imm, y_is_mem, w;
    unsigned cc, x, y;
    int32_t imm;
    Mem m;
} Compare;

static const uint8_t cond_cc[] = {
    [IR_EQ] = CC_E, [IR_NE] = CC_NE, [IR_LT] = CC_L, [IR_GE] = CC_GE, [IR_LE] = CC_LE, [IR_GT] = CC_G,
    [IR_LTU] = CC_B, [IR_GEU] = CC_AE, [IR_LEU] = CC_BE, [IR_GTU] = CC_A, [IR_TSTEQ] = CC_E, [IR_TSTNE] = CC_NE,
};

/* Bring the operands of a comparison in place; flags are set later, by compare_emit. */
static Compare compare_prepare(TcgContext *c, IrOp *op)
{
    Compare q = { .cc = cond_cc[op->cond], .w = op->type == IR_I64, .test = (op->cond & ~1) == IR_TSTEQ };

    q.y_is_imm = ra_imm(c, op, 1, op->type, &q.imm);
    if (!q.y_is_imm) {
        q.y = ra_use(c, op, 1);
    }
    q.x = ra_use(c, op, 0);
    if (q.test && q.y_is_imm && q.imm >= 0) {
        q.w = false;                            /* the upper half plays no part */
    }
    return q;
}

static void compare_emit(TcgContext *c, const Compare *q)
{
    Asm *a = &c->a;
    unsigned wb = q->w ? X_W : 0;

    if (q->test && q->y_is_imm && q->imm >= 0 && q->imm <= 0x7f) {
        op_rr(a, X_TEST8_I8, 0, q->x);
        emit8(a, q->imm);
    } else if (q->test && q->y_is_imm) {
        op_rr(a, X_TEST_I32 | wb, 0, q->x);
        emit32(a, q->imm);
    } else if (q->test) {
        op_rr(a, X_TEST | wb, q->y, q->x);
    } else if (q->y_is_imm && q->imm == 0) {
        op_rr(a, X_TEST | wb, q->x, q->x);      /* C and O clear, as after cmp x, 0 */
    } else if (q->y_is_imm) {
        op_alu_ri(a, ALU_CMP, q->w, q->x, q->imm);
    } else {
        op_alu_rr(a, ALU_CMP, q->w, q->x, q->y);
    }
}

/* xor d, d; cmp x, y; setcc d */
static void gen_setcond(TcgContext *c, IrOp *op)
{
    Compare q = compare_prepare(c, op);
    unsigned d = ra_result(c, op, c->gprs);

    op_mov_k(&c->a, d, 0, true);
    compare_emit(c, &q);
    op_rr(&c->a, X_SETCC + q.cc, 0, d);
    ra_bind(c, op, d);
}

/* cmp x, y; cmovcc d, if_true (d holds if_false) */
static void gen_select(TcgContext *c, IrOp *op)
{
    Compare q = compare_prepare(c, op);
    unsigned t = ra_use(c, op, 2), d = ra_take(c, op, 3);

    compare_emit(c, &q);
    op_rr(&c->a, (X_CMOV + q.cc) | wbit(op->aux), d, t);
    ra_bind(c, op, d);
}

/* --- env fields --- */

static void gen_env_ld(TcgContext *c, IrOp *op)
{
    Mem m = ra_env_mem(op->k);
    unsigned size = op->cond & IR_MO_SIZE, d;

    if (op->type == IR_V128) {
        d = ra_def(c, op, c->xmms);
        op_rm(&c->a, X_MOVUPS_LOAD, d, m);
        return;
    }
    d = ra_def(c, op, c->gprs);
    if (size == IR_MO_64) {
        op_rm(&c->a, X_MOV_LOAD | X_W, d, m);
    } else {
        op_rm(&c->a, ext_opcode(8 << size, op->cond & IR_MO_SIGN, op->type), d, m);
    }
}

static void gen_env_st(TcgContext *c, IrOp *op)
{
    Mem m = ra_env_mem(op->k);
    Asm *a = &c->a;
    int32_t imm;

    if (op->type == IR_V128) {
        op_rm(a, X_MOVUPS_STORE, ra_use(c, op, 0), m);
        return;
    }
    if (!ra_in_reg(c, op, 0) && ra_imm(c, op, 0, op->type, &imm)) {
        switch (op->cond & IR_MO_SIZE) {
        case IR_MO_8: op_rm(a, X_MOV8_I8, 0, m); emit8(a, imm); break;
        case IR_MO_16: op_rm(a, X_MOV_I32 | X_66, 0, m); emit8(a, imm); emit8(a, imm >> 8); break;
        case IR_MO_32: op_rm(a, X_MOV_I32, 0, m); emit32(a, imm); break;
        default: op_rm(a, X_MOV_I32 | X_W, 0, m); emit32(a, imm); break;
        }
        return;
    }
    switch (op->cond & IR_MO_SIZE) {
    case IR_MO_8: op_rm(a, X_MOV8_STORE, ra_use(c, op, 0), m); break;
    case IR_MO_16: op_rm(a, X_MOV_STORE | X_66, ra_use(c, op, 0), m); break;
    case IR_MO_32: op_rm(a, X_MOV_STORE, ra_use(c, op, 0), m); break;
    default: op_rm(a, X_MOV_STORE | X_W, ra_use(c, op, 0), m); break;
    }
}

/* --- control flow inside the block --- */

static void add_fix(TcgContext *c, uint8_t *at, unsigned label)
{
    c->fixes[c->n_fixes++] = (LabelFix){ at, label };
}

static void gen_label(TcgContext *c, IrOp *op)
{
    ra_sync(c);
    ra_forget(c);
    c->label_at[op->k] = c->a.p;
    if (c->short_jump) {
        assert(c->a.p - c->short_jump <= 127);
        c->short_jump[-1] = c->a.p - c->short_jump;
        c->short_jump = NULL;
    }
}

static void gen_br(TcgContext *c, IrOp *op)
{
    ra_sync(c);
    if (c->ir.labels[op->k].pos == c->pos + 1) {
        return;                                 /* it comes next */
    }
    if (c->label_at[op->k]) {
        op_jmp_to(&c->a, c->label_at[op->k]);
    } else {
        add_fix(c, op_jmp32(&c->a), op->k);
    }
}

/* x86 condition for "d cond 0", where d = a OP b has just set the flags; -1 = not to be had. */
static int result_cc(const IrOp *d, IrCond cond)
{
    bool logic = d->opc == IR_OP_and || d->opc == IR_OP_or || d->opc == IR_OP_xor;

    switch (cond) {
    case IR_EQ: return CC_E;
    case IR_NE: return CC_NE;
    case IR_LT: return CC_S;
    case IR_GE: return CC_NS;
    case IR_LE: return logic ? CC_LE : -1;      /* these need O = 0 */
    case IR_GT: return logic ? CC_G : -1;
    default: return -1;
    }
}

/* x86 condition for "x cond k", where add x, -k has just set the flags. */
static int add_cc(IrCond cond, IrType t, uint64_t k)
{
    if (k == 0 || k == 1ull << (ir_width(t) - 1)) {
        return -1;                              /* carry, or overflow, would differ from cmp x, k */
    }
    switch (cond) {
    case IR_LTU: return CC_AE;                  /* the carry of the addition is the inverted borrow */
    case IR_GEU: return CC_B;
    case IR_LEU: case IR_GTU: case IR_TSTEQ: case IR_TSTNE: return -1;
    default: return cond_cc[cond];
    }
}

/* If the instruction just emitted has set the flags that @op compares: the x86 condition, else -1. */
static int flags_in_hand(TcgContext *c, const IrOp *op)
{
    const IrOp *d = c->flags.op;
    const IrValue *y = &c->ir.values[op->in[1]], *dy;

    if (c->flags.end != c->a.p || d->type != op->type) {
        return -1;
    }
    if (d->out == op->in[0] && y->kind == IR_KIND_CONST && y->k == 0) {
        return result_cc(d, (IrCond)op->cond);
    }
    if (d->in[0] != op->in[0]) {
        return -1;
    }
    if (d->opc == IR_OP_sub && d->in[1] == op->in[1] && (op->cond & ~1) != IR_TSTEQ) {
        return cond_cc[op->cond];
    }
    if (d->opc == IR_OP_and && d->in[1] == op->in[1] && (op->cond & ~1) == IR_TSTEQ) {
        return cond_cc[op->cond];
    }
    dy = &c->ir.values[d->in[1]];
    if (d->opc == IR_OP_add && dy->kind == IR_KIND_CONST && y->kind == IR_KIND_CONST &&
        !((dy->k + y->k) & ir_mask((IrType)op->type))) {
        return add_cc((IrCond)op->cond, (IrType)op->type, y->k & ir_mask((IrType)op->type));
    }
    return -1;
}

static void gen_brcond(TcgContext *c, IrOp *op)
{
    int cc = flags_in_hand(c, op);
    Compare q = { .cc = cc };

    ra_sync(c);                                 /* moves only: the flags stay */
    if (cc < 0) {
        q = compare_prepare(c, op);
        compare_emit(c, &q);
    }
    if (c->label_at[op->k]) {
        patch_rel32(op_jcc32(&c->a, q.cc), c->label_at[op->k]);
    } else if (op[1].opc == IR_OP_exit_direct && !IR_EXIT_HOME(&op[1]) && c->ir.labels[op->k].pos == c->pos + 2) {
        emit8(&c->a, 0x70 | q.cc);              /* over some forty bytes: gen_label sets the distance */
        emit8(&c->a, 0);
        c->short_jump = c->a.p;
    } else {
        add_fix(c, op_jcc32(&c->a, q.cc), op->k);
    }
}

static void gen_exit_if(TcgContext *c, IrOp *op)
{
    int cc = flags_in_hand(c, op);

    if (cc < 0) {
        Compare q = compare_prepare(c, op);

        compare_emit(c, &q);
        cc = q.cc;
    }
    out_exit_if(c, op, cc);
}

static void gen_fence(TcgContext *c, IrOp *op)
{
    /* lock or dword [rsp], 0: cheaper than mfence, as strong for ordinary memory */
    emit8(&c->a, 0xf0);
    op_alu_mi(&c->a, ALU_OR, false, mem(HR_RSP, 0), 0);
}

static void gen_nop(TcgContext *c, IrOp *op)
{
}

static GenFn *const gen_table[IR_N_OPS] = {
    [IR_OP_nop] = gen_nop,
    [IR_OP_get] = ra_get, [IR_OP_put] = ra_put, [IR_OP_discard] = ra_discard, [IR_OP_env_ld] = gen_env_ld, [IR_OP_env_st] = gen_env_st,
    [IR_OP_var_get] = ra_var_get, [IR_OP_var_set] = ra_var_set,
    [IR_OP_label] = gen_label, [IR_OP_br] = gen_br, [IR_OP_brcond] = gen_brcond,
    [IR_OP_add] = gen_add, [IR_OP_lea] = gen_lea, [IR_OP_sub] = gen_sub, [IR_OP_and] = gen_and, [IR_OP_or] = gen_or, [IR_OP_xor] = gen_xor,
    [IR_OP_andc] = gen_andc, [IR_OP_not] = gen_not, [IR_OP_neg] = gen_neg,
    [IR_OP_mul] = gen_mul, [IR_OP_muluh] = gen_muluh, [IR_OP_mulsh] = gen_mulsh,
    [IR_OP_shl] = gen_shl, [IR_OP_shr] = gen_shr, [IR_OP_sar] = gen_sar, [IR_OP_rotl] = gen_rotl, [IR_OP_rotr] = gen_rotr,
    [IR_OP_ext] = gen_ext, [IR_OP_deposit] = gen_deposit, [IR_OP_bswap] = gen_bswap,
    [IR_OP_clz] = gen_clz, [IR_OP_ctz] = gen_ctz, [IR_OP_popcount] = gen_popcount,
    [IR_OP_setcond] = gen_setcond, [IR_OP_select] = gen_select, [IR_OP_zext] = gen_zext, [IR_OP_sext] = gen_sext,
    [IR_OP_ld] = out_ld, [IR_OP_st] = out_st, [IR_OP_probe] = out_probe, [IR_OP_hld] = out_hld, [IR_OP_hst] = out_hst,
    [IR_OP_rmw] = out_rmw, [IR_OP_cas] = out_cas, [IR_OP_fence] = gen_fence,
    [IR_OP_vop] = out_vop, [IR_OP_vop_fp] = out_vop, [IR_OP_call] = out_call,
    [IR_OP_x87] = out_x87, [IR_OP_x87_compare] = out_x87_compare, [IR_OP_x87_home] = out_x87_home,
    [IR_OP_loop_back] = out_loop_back, [IR_OP_exit_direct] = out_exit_direct, [IR_OP_exit_if] = gen_exit_if, [IR_OP_exit_indirect] = out_exit_indirect,
    [IR_OP_push_return] = out_push_return, [IR_OP_exit_return] = out_exit_return,
    [IR_OP_exit_loop] = out_exit_loop, [IR_OP_exit_state] = out_exit_state,
};

void out_op(TcgContext *c, IrOp *op)
{
    gen_table[op->opc](c, op);
}
