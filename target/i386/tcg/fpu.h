/*
 * What the x87, SSE and XSAVE helpers share.
 */
#ifndef TARGET_I386_TCG_FPU_H
#define TARGET_I386_TCG_FPU_H

#include "target/i386/cpu.h"

/* MXCSR, SDM Vol.1 10.2.3 */
enum {
    MXCSR_EXC = 0x3f, MXCSR_DAZ = 0x40, MXCSR_MASK_SHIFT = 7, MXCSR_MASKS = 0x1f80, MXCSR_RC = 0x6000,
    MXCSR_UE = 0x10, MXCSR_FTZ = 0x8000, MXCSR_VALID = 0xffff, MXCSR_INIT = 0x1f80,
};

/* helper_sse_again() to helper_sse_end(). */
enum { SSE_TINY = 0x100 };

/* XCR0 components, SDM Vol.1 13.1 */
enum { XSTATE_X87 = 1, XSTATE_SSE = 2, XSTATE_AVX = 4 };

/*
 * Guest memory at linear [@va, @va + @n), n <= 4096: all of it is checked before a byte is written.
 * Linear addresses wrap at 4 GiB outside 64-bit mode, as the mode says.  Faults like the instruction would.
 */
void x86_ld_block(CPUX86State *env, vaddr va, void *buf, unsigned n, uintptr_t ra);
/* The faults of x86_st_block(), without its store. */
void x86_probe_st_block(CPUX86State *env, vaddr va, unsigned n, uintptr_t ra);
void x86_st_block(CPUX86State *env, vaddr va, const void *buf, unsigned n, uintptr_t ra);

/* An unmasked x87 exception is pending: #MF, or FERR# to the chipset if CR0.NE is clear. */
void x87_pending(CPUX86State *env, uintptr_t ra);
void x86_fpu_ferr(CPUX86State *env);

#endif
