/*
 * The builder: the host's x87, and what a block's exits do with it.
 */
#include "tcg/build.h"

void ir_x87(IrBlock *b, unsigned esc, unsigned modrm)
{
    IrOp *op = build_op(b, IR_OP_x87, IR_VOID);

    assert(esc < 8 && modrm >= 0xc0 && modrm <= 0xff);
    op->aux = esc;
    op->cond = modrm;
}

void ir_x87_env(IrBlock *b, unsigned esc, unsigned reg, unsigned offset)
{
    IrOp *op = build_op(b, IR_OP_x87, IR_VOID);

    assert(esc < 8 && reg < 8);
    op->aux = esc;
    op->cond = reg << 3;
    op->k = offset;
}

IrVal ir_x87_compare(IrBlock *b, unsigned esc, unsigned modrm)
{
    IrOp *op = build_op(b, IR_OP_x87_compare, IR_I32);

    assert(esc < 8 && modrm >= 0xc0 && modrm <= 0xff);
    op->aux = esc;
    op->cond = modrm;
    return build_result(b, op, IR_I32, 7);
}

/* @home in the table; an entry that no op refers to is used again. */
static uint16_t add_home(IrBlock *b, const IrX87Home *home)
{
    if (b->n_homes == 1 || b->home_taken) {
        if (b->n_homes == IR_MAX_HOMES) {
            b->overflow = true;
            return IR_MAX_HOMES - 1;
        }
        b->n_homes++;
    }
    b->homes[b->n_homes - 1] = *home;
    b->home_taken = false;
    return b->n_homes - 1;
}

void ir_x87_set_home(IrBlock *b, const IrX87Home *home)
{
    b->home = home ? add_home(b, home) : 0;
}

void ir_x87_go_home(IrBlock *b, const IrX87Home *home)
{
    uint16_t n = add_home(b, home);

    build_op(b, IR_OP_x87_home, IR_VOID)->k = n;
    b->home_taken = true;
    if (b->home == n) {             /* that of exits was overwritten */
        b->home = 0;
    }
}

void ir_x87_preload(IrBlock *b, const IrX87Home *home)
{
    b->preload = *home;
}

void ir_guard(IrBlock *b, unsigned offset, IrMemOp size, uint64_t value)
{
    assert(b->n_guards < IR_MAX_GUARDS && (size == IR_MO_32 || size == IR_MO_64));
    b->guards[b->n_guards].offset = offset;
    b->guards[b->n_guards].size = size;
    b->guards[b->n_guards++].value = value;
}

IrOp *build_exit(IrBlock *b, IrOpcode opc, IrType t)
{
    IrOp *op = build_op(b, opc, t);

    IR_EXIT_HOME(op) = b->home;
    b->home_taken |= b->home != 0;
    return op;
}
