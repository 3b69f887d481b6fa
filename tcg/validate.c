/*
 * The invariants of the IR (tcg/ir-ops.h), asserted; unit tests run this after each pass.
 */
#include "tcg/ir-ops.h"

void ir_validate(IrBlock *b, const char *when)
{
    bool ended = false;

    for (unsigned pos = 0; pos < b->n_ops; pos++) {
        IrOp *op = &b->ops[pos];
        const IrOpInfo *info = &ir_op_info[op->opc];
        const IrId *in = ir_op_in(b, op);

        if (op->opc == IR_OP_label) {
            ended = false;
        }
        if (op->opc == IR_OP_nop) {
            continue;
        }
        if (ended) {                            /* I4 */
            g_error("IR %s: op %u (%s) is unreachable", when, pos, info->name);
        }
        if (info->ins >= 0 && info->ins != op->n_in) {
            g_error("IR %s: op %u (%s) has %u operands", when, pos, info->name, op->n_in);
        }
        for (unsigned i = 0; i < op->n_in; i++) {
            const IrValue *v = &b->values[in[i]];

            if (!in[i] || in[i] >= b->n_values || v->kind == IR_KIND_NONE) {
                g_error("IR %s: op %u (%s) uses no value", when, pos, info->name);
            }
            if (v->kind == IR_KIND_TEMP && v->def >= pos) {     /* I1 */
                g_error("IR %s: op %u (%s) uses %%%u before its definition", when, pos, info->name, in[i]);
            }
        }
        if (op->out && (b->values[op->out].kind != IR_KIND_TEMP || b->values[op->out].def != pos)) {
            g_error("IR %s: op %u (%s) defines %%%u wrongly", when, pos, info->name, op->out);
        }
        ended = info->flags & OPF_END ||
                (op->opc == IR_OP_call && b->target->helpers[ir_call_helper(op)].flags & IR_HELPER_NORETURN);
    }
    if (!ended && b->n_ops) {
        g_error("IR %s: the block's last path does not end", when);
    }
}
