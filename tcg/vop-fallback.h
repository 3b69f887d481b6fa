/*
 * Vector operations in portable C: what a host without a row's instruction calls.
 */
#ifndef TCG_VOP_FALLBACK_H
#define TCG_VOP_FALLBACK_H

#include "tcg/ir.h"

typedef union VopVec {
    uint8_t b[16];
    int8_t sb[16];
    uint16_t w[8];
    int16_t sw[8];
    uint32_t l[4];
    int32_t sl[4];
    uint64_t q[2];
    int64_t sq[2];
    float s[4];
    double d[2];
} __attribute__((aligned(16))) VopVec;

/* @op of vop_fallback(): IrVop in the low 16 bits, the immediate in the next 8. */
#define VOP_FALLBACK_OP(op, imm) ((uint32_t)(op) | (uint32_t)(uint8_t)(imm) << 16)

/*
 * Carry out one row of vecops.def.  Shaped like an IR helper (env comes first and is not used), so
 * that one entry in a call table serves all rows.
 *
 * @x, @y: vector operands; NULL where the row has none.
 * @zi: the integer operand (FRI*), or the address of z (V3).
 * @d: vector result, may be the same as an operand; NULL if the result is an integer.
 * Returns the integer result (TOI*), else 0.  FP rows follow the FP control register that is
 * live in the host at the call, and set its sticky bits.
 */
uint64_t vop_fallback(void *env, uint32_t op, const VopVec *x, const VopVec *y, uint64_t zi, VopVec *d);

#endif
