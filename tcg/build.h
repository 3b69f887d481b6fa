/*
 * What the two halves of the builder share.
 */
#ifndef TCG_BUILD_H
#define TCG_BUILD_H

#include "tcg/ir-ops.h"

/* Record an op; it is thrown away when the path has ended. */
IrOp *build_op(IrBlock *b, IrOpcode opc, IrType t);
/* The fresh value that @op defines. */
IrVal build_result(IrBlock *b, IrOp *op, IrType t, unsigned bits);
/* A value that some op is going to define. */
IrId build_value(IrBlock *b, IrType t);
void build_forget_globals(IrBlock *b);
void build_end_path(IrBlock *b);
/* An op that leaves the block, or in whose place one may (a probe that is shared). */
IrOp *build_exit(IrBlock *b, IrOpcode opc, IrType t);
void ir_block_reset(IrBlock *b);

#endif
