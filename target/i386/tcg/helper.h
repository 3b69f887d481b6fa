/*
 * Helpers of the x86 translator: C functions called from translated code.
 *
 * One row each in helpers-int.def, helpers-simd.def or helpers-system.def:
 *
 *   HELPER(name, ret, flags, args...)      types V (none) I32 I64 V128; flags: 0 or H_* below
 *
 * gives the index H_name for IR_CALL, the prototype of helper_name() here, and the row of
 * x86_ir_target.helpers.  The C function is
 *
 *   ret helper_name(CPUX86State *env, args...)     I32: uint32_t, I64: uint64_t, V128: const X128 *
 *
 * and with a V128 result: void helper_name(CPUX86State *env, args..., X128 *result).
 *
 * FLAGS say what a helper does to the globals of cpu.h (regs[], cc_*, segment bases, xmm) and to
 * control flow; 0 is always right.  A helper that raises uses x86_raise(env, vector, GETPC()) with
 * GETPC() taken in helper_name() itself; it sees and may change all globals unless it says otherwise.
 *
 * ARITHMETIC FLAGS: env->cc_op is not up to date inside a helper, unless the generator called
 * gen_sync_flags() before.  A helper that gives new flags returns them as a value, for
 * gen_flags_eflags().
 */
#ifndef TARGET_I386_TCG_HELPER_H
#define TARGET_I386_TCG_HELPER_H

#include "target/i386/cpu.h"

/* 16 bytes, aligned to 16. */
typedef union X128 {
    uint8_t b[16]; uint16_t w[8]; uint32_t l[4]; uint64_t q[2]; float s[4]; double d[2];
    unsigned __int128 x;
} __attribute__((aligned(16))) X128;

/* The gather helper's second argument: destination, index and mask registers, and the rest. */
#define GATHER_REGS(d, index, mask) ((uint32_t)(d) | (uint32_t)(index) << 4 | (uint32_t)(mask) << 8)
enum {
    GATHER_WIDE = 1 << 12, GATHER_WIDE_INDEX = 1 << 13, GATHER_32 = 1 << 14, GATHER_ADDR32 = 1 << 15, GATHER_SCALE_SHIFT = 16,
    GATHER_SEG_SHIFT = 18,
};

#define H_PURE      IR_HELPER_PURE
#define H_NO_READ   IR_HELPER_NO_READ
#define H_NO_WRITE  IR_HELPER_NO_WRITE
#define H_NO_FAULT  IR_HELPER_NO_FAULT
#define H_NORET     IR_HELPER_NORETURN
/* reads and writes no global (other fields of env are free), always returns */
#define H_QUIET     (IR_HELPER_NO_READ | IR_HELPER_NO_WRITE | IR_HELPER_NO_FAULT)

typedef enum X86Helper {
#define HELPER(name, ...) H_##name,
#include "helpers-int.def"
#include "helpers-simd.def"
#include "helpers-system.def"
#undef HELPER
    X86_N_HELPERS
} X86Helper;
_Static_assert(X86_N_HELPERS <= TCG_MAX_HELPERS, "the helper table in TcgEnv is too small");

/* Argument lists by count. */
#define HLP_N_(a1, a2, a3, a4, a5, a6, n, ...) n
#define HLP_COUNT(...) HLP_N_(__VA_ARGS__ __VA_OPT__(,) 6, 5, 4, 3, 2, 1, 0, 0)
#define HLP_C_V     void
#define HLP_C_I32   uint32_t
#define HLP_C_I64   uint64_t
#define HLP_C_V128  const X128 *
#define HLP_R_V     void
#define HLP_R_I32   uint32_t
#define HLP_R_I64   uint64_t
#define HLP_R_V128  void
#define HLP_TAIL_V
#define HLP_TAIL_I32
#define HLP_TAIL_I64
#define HLP_TAIL_V128 , X128 *
#define HLP_ARGS0()
#define HLP_ARGS1(a) , HLP_C_##a
#define HLP_ARGS2(a, ...) , HLP_C_##a HLP_ARGS1(__VA_ARGS__)
#define HLP_ARGS3(a, ...) , HLP_C_##a HLP_ARGS2(__VA_ARGS__)
#define HLP_ARGS4(a, ...) , HLP_C_##a HLP_ARGS3(__VA_ARGS__)
#define HLP_ARGS5(a, ...) , HLP_C_##a HLP_ARGS4(__VA_ARGS__)
#define HLP_ARGS6(a, ...) , HLP_C_##a HLP_ARGS5(__VA_ARGS__)
#define HLP_CAT_(x, y) x##y
#define HLP_CAT(x, y) HLP_CAT_(x, y)
#define HLP_ARGS(...) HLP_CAT(HLP_ARGS, HLP_COUNT(__VA_ARGS__))(__VA_ARGS__)

#define HELPER(name, ret, flags, ...) HLP_R_##ret helper_##name(CPUX86State *env HLP_ARGS(__VA_ARGS__) HLP_TAIL_##ret);
#include "helpers-int.def"
#include "helpers-simd.def"
#include "helpers-system.def"
#undef HELPER

#endif
