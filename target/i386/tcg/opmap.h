/*
 * All opcode maps, for whoever defined TABLE, END, INSN0..3 and SUB.  decode.h explains the rows.
 */

/* Attributes of rows; fields of X86Entry. */
#define WRITE       .write = 1
#define RMW         .rmw = 1
#define LOCKABLE    .lockable = 1, RMW
#define NOT64       .i64 = 1
#define ONLY64      .o64 = 1
#define D64         .d64 = 1
#define F64         .f64 = 1
#define PROT        .prot = 1
#define CPL0        .cpl0 = 1
#define UMIP        .umip = 1
#define NP          .np = 1
#define UNALIGNED   .no_align = 1
#define MEM         .mem = 1
#define VSIB        .vsib = 1
#define ARG(n)      .arg = (n)
#define FEAT(f)     .feature = XF_##f
#define X87         .unit = UNIT_X87, .feature = XF_FPU
#define MMX         .unit = UNIT_MMX, .feature = XF_MMX
#define SSE(f)      .unit = UNIT_SSE, .feature = XF_##f     /* SSE(SSE2): the unit and the feature */
#define MMX_SSE(f)  .unit = UNIT_MMX, .feature = XF_##f     /* an MMX-register form that came with an SSE feature */

/* Eight rows that differ in the opcode's low bits. */
#define EIGHT1(n, op, k0, s0, ...)          \
    INSN1((n) + 0, op, k0, s0, __VA_ARGS__) \
    INSN1((n) + 1, op, k0, s0, __VA_ARGS__) \
    INSN1((n) + 2, op, k0, s0, __VA_ARGS__) \
    INSN1((n) + 3, op, k0, s0, __VA_ARGS__) \
    INSN1((n) + 4, op, k0, s0, __VA_ARGS__) \
    INSN1((n) + 5, op, k0, s0, __VA_ARGS__) \
    INSN1((n) + 6, op, k0, s0, __VA_ARGS__) \
    INSN1((n) + 7, op, k0, s0, __VA_ARGS__)
#define EIGHT2(n, op, k0, s0, k1, s1, ...)          \
    INSN2((n) + 0, op, k0, s0, k1, s1, __VA_ARGS__) \
    INSN2((n) + 1, op, k0, s0, k1, s1, __VA_ARGS__) \
    INSN2((n) + 2, op, k0, s0, k1, s1, __VA_ARGS__) \
    INSN2((n) + 3, op, k0, s0, k1, s1, __VA_ARGS__) \
    INSN2((n) + 4, op, k0, s0, k1, s1, __VA_ARGS__) \
    INSN2((n) + 5, op, k0, s0, k1, s1, __VA_ARGS__) \
    INSN2((n) + 6, op, k0, s0, k1, s1, __VA_ARGS__) \
    INSN2((n) + 7, op, k0, s0, k1, s1, __VA_ARGS__)

#include "opmap-x87.h"
#include "opmap-0f-simd-groups.h"
#include "opmap-0f38-int-groups.h"
#include "opmap-0f38.h"
#include "opmap-0f3a.h"
#include "opmap-0f.h"
#include "opmap-root.h"
#include "opmap-vex-groups.h"
#include "opmap-vex.h"

#undef WRITE
#undef RMW
#undef LOCKABLE
#undef NOT64
#undef ONLY64
#undef D64
#undef F64
#undef PROT
#undef CPL0
#undef UMIP
#undef NP
#undef UNALIGNED
#undef MEM
#undef VSIB
#undef ARG
#undef FEAT
#undef X87
#undef MMX
#undef SSE
#undef MMX_SSE
#undef EIGHT1
#undef EIGHT2
