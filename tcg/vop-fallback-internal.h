/*
 * What the files of the vector fallbacks share.
 */
#ifndef TCG_VOP_FALLBACK_INTERNAL_H
#define TCG_VOP_FALLBACK_INTERNAL_H

#include "tcg/vop-fallback.h"

/* One operation: copies of the operands (so that the result may overwrite them), and the results. */
typedef struct VopArgs {
    VopVec x, y, z, d;
    uint64_t i, r;          /* integer operand and result */
    uint8_t imm;
} VopArgs;

typedef void VopFn(VopArgs *a);

/* Rows by IrVop; NULL where another table has the row. */
extern VopFn *const vop_fallback_int[IR_VOP_COUNT];
extern VopFn *const vop_fallback_fp[IR_VOP_COUNT];
extern VopFn *const vop_fallback_crypto[IR_VOP_COUNT];
extern VopFn *const vop_fallback_avx[IR_VOP_COUNT];

#define VOP_EACH(n) for (unsigned k = 0; k < (n); k++)
/* d.field[k] = expr for the n elements; expr sees k and a. */
#define VOP_LANES(NAME, field, n, expr) \
    static void op_##NAME(VopArgs *a) \
    { \
        VOP_EACH(n) { \
            a->d.field[k] = (expr); \
        } \
    }

#endif
