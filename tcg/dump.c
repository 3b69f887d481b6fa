/*
 * IR as text, for -d op, op_opt and op_ra.
 *
 *   %12 = add.i64 %3, $0x10         d = op(operands)
 *   put.i64 %12, rax                globals by name
 *   brcond.i32 %4, $0x0, ltu, L1
 */
#include "tcg/ir-ops.h"

static const char *const type_name[] = { "", ".i32", ".i64", ".v128", ".v256" };
static const char *const cond_name[] = {
    "eq", "ne", "lt", "ge", "le", "gt", "ltu", "geu", "leu", "gtu", "tsteq", "tstne",
};
static const char *const vop_name[] = {
    [IR_VOP_NONE] = "none",
#define VOP(NAME, ...) [IR_VOP_##NAME] = #NAME,
#include "tcg/vecops.def"
#undef VOP
};

const char *tcg_vop_name(unsigned vop)
{
    return vop_name[vop];
}

static void dump_operand(IrBlock *b, IrId id, FILE *f)
{
    const IrValue *v = &b->values[id];

    switch (v->kind) {
    case IR_KIND_CONST: fprintf(f, "$0x%" PRIx64, v->k); break;
    case IR_KIND_PC: fprintf(f, "pc%+" PRId64, (int64_t)v->k); break;
    default: fprintf(f, "%%%u", id); break;
    }
}

static void dump_memop(unsigned mop, FILE *f)
{
    fprintf(f, ", %s%u%s%s", mop & IR_MO_SIGN ? "s" : "u", 8 << (mop & IR_MO_SIZE), mop & IR_MO_BE ? "be" : "",
            mop & IR_MO_ALIGN ? " aligned" : mop & IR_MO_RMW ? " rmw" : "");
}

/* What comes after the operands. */
static void dump_details(IrBlock *b, const IrOp *op, FILE *f)
{
    switch (op->opc) {
    case IR_OP_get: case IR_OP_put: case IR_OP_discard:
        fprintf(f, "%s%s", op->n_in ? ", " : " ", b->target->globals[op->k].name);
        break;
    case IR_OP_env_ld: case IR_OP_env_st:
        fprintf(f, "%senv[%" PRId64 "]", op->n_in ? ", " : " ", op->k);
        dump_memop(op->cond, f);
        break;
    case IR_OP_var_get: case IR_OP_var_set:
        fprintf(f, "%sv%" PRId64, op->n_in ? ", " : " ", op->k);
        break;
    case IR_OP_label: case IR_OP_br:
        fprintf(f, " L%" PRId64, op->k);
        break;
    case IR_OP_brcond:
        fprintf(f, ", %s, L%" PRId64, cond_name[op->cond], op->k);
        break;
    case IR_OP_setcond: case IR_OP_select:
        fprintf(f, ", %s", cond_name[op->cond]);
        break;
    case IR_OP_ext:
        fprintf(f, ", %s%u", op->cond ? "s" : "u", op->aux);
        break;
    case IR_OP_lea:
        fprintf(f, ", << %u", op->aux);
        break;
    case IR_OP_deposit:
        fprintf(f, ", [%u, %u)", op->aux, op->aux + op->cond);
        break;
    case IR_OP_rmw:
        fprintf(f, ", kind %" PRId64, op->k);
        /* fall through */
    case IR_OP_ld: case IR_OP_st: case IR_OP_cas:
        dump_memop(op->cond, f);
        if (op->disp) {
            fprintf(f, ", %+d", op->disp);
        }
        fprintf(f, ", mmu %u", op->aux);
        break;
    case IR_OP_probe:
        fprintf(f, ", [%+d, %+d)%s", op->disp - IR_PROBE_BEFORE(op->k), op->disp - IR_PROBE_BEFORE(op->k) + IR_PROBE_LEN(op->k),
                IR_PROBE_WRITE(op->k) ? " writable" : "");
        dump_memop(op->cond, f);
        fprintf(f, ", %+d, mmu %u", op->disp, op->aux);
        break;
    case IR_OP_hld: case IR_OP_hst:
        dump_memop(op->cond, f);
        fprintf(f, ", %+d", op->disp);
        break;
    case IR_OP_vop: case IR_OP_vop_fp:
        fprintf(f, ", %s, $0x%x", vop_name[op->k], op->cond);
        break;
    case IR_OP_x87: case IR_OP_x87_compare:
        fprintf(f, " %02x %02x", 0xd8 + op->aux, op->cond);
        if (op->cond < 0xc0) {
            fprintf(f, ", env[%" PRId64 "]", op->k);
        }
        break;
    case IR_OP_x87_home:
        fprintf(f, " %" PRId64, op->k);
        break;
    case IR_OP_call:
        fprintf(f, "%s%s", op->n_in ? ", " : " ", b->target->helpers[ir_call_helper(op)].name);
        break;
    case IR_OP_exit_if:
        fprintf(f, ", %s, slot %u, pc%+" PRId64 "%s", cond_name[op->cond], op->aux, op->k,
                op->disp & IR_EXIT_POLL ? ", poll" : "");
        break;
    case IR_OP_push_return:
        fprintf(f, " [%d], slot %u, pc%+" PRId64, op->disp, op->aux, op->k);
        break;
    case IR_OP_exit_direct:
        fprintf(f, " slot %u, pc%+" PRId64 "%s", op->aux, op->k, op->cond & IR_EXIT_POLL ? ", poll" : "");
        break;
    default:
        break;
    }
}

void ir_dump_op(IrBlock *b, unsigned pos, FILE *f)
{
    IrOp *op = &b->ops[pos];
    const IrId *in = ir_op_in(b, op);

    fputs(op->opc == IR_OP_label ? " " : "    ", f);
    if (op->out) {
        fprintf(f, "%%%u = ", op->out);
    }
    fprintf(f, "%s%s", ir_op_info[op->opc].name, type_name[op->type]);
    for (unsigned i = 0; i < op->n_in; i++) {
        fputs(i ? ", " : " ", f);
        dump_operand(b, in[i], f);
    }
    dump_details(b, op, f);
    fputc('\n', f);
}

void ir_dump_insns(IrBlock *b, unsigned *next, unsigned pos, FILE *f)
{
    for (; *next < b->n_insns && b->insns[*next].op <= pos; ++*next) {
        const IrInsnMark *m = &b->insns[*next];

        fprintf(f, " insn +0x%x, 0x%x, 0x%x\n", m->pc_delta, m->params[0], m->params[1]);
    }
}

void ir_dump(IrBlock *b, FILE *f)
{
    unsigned insn = 0;

    for (unsigned pos = 0; pos < b->n_ops; pos++) {
        ir_dump_insns(b, &insn, pos, f);
        if (b->ops[pos].opc != IR_OP_nop) {
            ir_dump_op(b, pos, f);
        }
    }
}
