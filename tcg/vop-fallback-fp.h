/*
 * What the floating-point fallbacks share: the live FP control register, as MXCSR has it, and comparisons.
 */
#ifndef TCG_VOP_FALLBACK_FP_H
#define TCG_VOP_FALLBACK_FP_H

#include "util/base.h"

/* Rounding at bits 14:13, FTZ at 15, DAZ at 6. */
unsigned vop_fp_control(void);
/* Set sticky flags: IE DE ZE OE UE PE at bits 0 to 5. */
void vop_fp_raise(unsigned flags);

/* @pred 0..31: SDM Vol.2 table 3-1. */
bool vop_f32_cmp(uint32_t x, uint32_t y, unsigned pred);
bool vop_f64_cmp(uint64_t x, uint64_t y, unsigned pred);

#endif
