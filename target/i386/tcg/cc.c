/*
 * The arithmetic flags from their lazy form (CCOp in cpu.h), and EFLAGS as a whole.
 *
 * SDM Vol.1 3.4.3.1 and appendix A (EFLAGS cross-reference).  Besides the plain CC_OP_* values
 * env->cc_op may carry one of the overlays of gen.h:
 *
 *   CC_OVL_C    the flags of the plain value, but CF is bit 0 of cc_src2     (BT, CLC, STC, CMC)
 *   CC_OVL_CO   likewise CF and OF, as bits 0 and 11 of cc_src2              (rotates)
 *
 * The plain value under an overlay is never one that uses cc_src2 (ADC, SBB).
 */
#include "target/i386/tcg/gen.h"

static uint32_t parity_flag(uint8_t v)
{
    return __builtin_parity(v) ? 0 : CC_P;
}

/* Z, S, P of a result; other operands as each family has them. */
#define DEFINE_CC(bits, type, stype)                                                              \
    static uint32_t zsp_##bits(type dst)                                                          \
    {                                                                                             \
        return (dst == 0 ? CC_Z : 0) | ((stype)dst < 0 ? CC_S : 0) | parity_flag(dst);            \
    }                                                                                             \
    static uint32_t add_##bits(type dst, type src, type carry, bool with_carry)                   \
    {                                                                                             \
        type a = dst - src - carry;                                                               \
        bool c = with_carry && carry ? dst <= src : dst < src;                                    \
        return zsp_##bits(dst) | (c ? CC_C : 0) | ((a ^ src ^ dst) & CC_A)                        \
               | ((stype)(~(a ^ src) & (a ^ dst)) < 0 ? CC_O : 0);                                \
    }                                                                                             \
    static uint32_t sub_##bits(type dst, type src, type borrow)                                   \
    {                                                                                             \
        type a = dst + src + borrow;                                                              \
        bool c = borrow ? a <= src : a < src;                                                     \
        return zsp_##bits(dst) | (c ? CC_C : 0) | ((a ^ src ^ dst) & CC_A)                        \
               | ((stype)((a ^ src) & (a ^ dst)) < 0 ? CC_O : 0);                                 \
    }                                                                                             \
    static uint32_t inc_##bits(type dst, uint32_t old_c, type step)                               \
    {                                                                                             \
        type a = dst - step, top = (type)1 << (bits - 1);                                         \
        return zsp_##bits(dst) | (old_c & CC_C) | ((a ^ dst ^ 1) & CC_A)                          \
               | (dst == (step == 1 ? top : (type)(top - 1)) ? CC_O : 0);                         \
    }                                                                                             \
    static uint32_t shift_##bits(type dst, type src, bool left)                                   \
    {                                                                                             \
        bool c = left ? (stype)src < 0 : src & 1;                                                 \
        return zsp_##bits(dst) | (c ? CC_C : 0) | ((stype)(type)(src ^ dst) < 0 ? CC_O : 0);      \
    }                                                                                             \
    static uint32_t family_##bits(CCOp family, type dst, type src, type src2, bool mul_overflow)  \
    {                                                                                             \
        switch (family) {                                                                         \
        case CC_OP_MULB:                                                                          \
            return zsp_##bits(dst) | (mul_overflow ? CC_C | CC_O : 0);                            \
        case CC_OP_ADDB:                                                                          \
            return add_##bits(dst, src, 0, false);                                                \
        case CC_OP_ADCB:                                                                          \
            return add_##bits(dst, src, src2, true);                                              \
        case CC_OP_SUBB:                                                                          \
            return sub_##bits(dst, src, 0);                                                       \
        case CC_OP_SBBB:                                                                          \
            return sub_##bits(dst, src, src2);                                                    \
        case CC_OP_LOGICB:                                                                        \
            return zsp_##bits(dst);                                                               \
        case CC_OP_INCB:                                                                          \
            return inc_##bits(dst, src, 1);                                                       \
        case CC_OP_DECB:                                                                          \
            return inc_##bits(dst, src, (type)-1);                                                \
        case CC_OP_SHLB:                                                                          \
            return shift_##bits(dst, src, true);                                                  \
        case CC_OP_SARB:                                                                          \
            return shift_##bits(dst, src, false);                                                 \
        case CC_OP_BMILGB:                                                                        \
            return zsp_##bits(dst) | (src == 0 ? CC_C : 0);                                       \
        default:                                                                                  \
            return 0;                                                                             \
        }                                                                                         \
    }
DEFINE_CC(8, uint8_t, int8_t)
DEFINE_CC(16, uint16_t, int16_t)
DEFINE_CC(32, uint32_t, int32_t)
DEFINE_CC(64, uint64_t, int64_t)

static uint32_t cc_compute_plain(uint64_t dst, uint64_t src, uint64_t src2, unsigned op)
{
    unsigned family;

    switch (op) {
    case CC_OP_EFLAGS:
        return src & CC_ALL;
    case CC_OP_CLR:
        return CC_Z | CC_P;
    case CC_OP_POPCNT:
        return dst ? 0 : CC_Z;
    }
    if (op < CC_OP_MULB || op >= CC_OP_NB) {
        return 0;
    }
    family = (op - CC_OP_MULB) / 4 * 4 + CC_OP_MULB;
    switch (op - family) {
    case 0:
        return family_8(family, dst, src, src2, src != 0);
    case 1:
        return family_16(family, dst, src, src2, src != 0);
    case 2:
        return family_32(family, dst, src, src2, src != 0);
    default:
        return family_64(family, dst, src, src2, src != 0);
    }
}

static uint32_t cc_compute(uint64_t dst, uint64_t src, uint64_t src2, unsigned op)
{
    uint32_t flags = cc_compute_plain(dst, src, src2, op & CC_OVL_PLAIN);

    if (op & CC_OVL_C) {
        return (flags & ~CC_C) | (src2 & CC_C);
    }
    if (op & CC_OVL_CO) {
        return (flags & ~(CC_C | CC_O)) | (src2 & (CC_C | CC_O));
    }
    return flags;
}

uint32_t x86_cc_compute_all(CPUX86State *env)
{
    return cc_compute(env->cc_dst, env->cc_src, env->cc_src2, env->cc_op);
}

uint32_t helper_cc_all(CPUX86State *env, uint64_t dst, uint64_t src, uint64_t src2, uint32_t op)
{
    return cc_compute(dst, src, src2, op);
}

uint32_t helper_cc_c(CPUX86State *env, uint64_t dst, uint64_t src, uint64_t src2, uint32_t op)
{
    return cc_compute(dst, src, src2, op) & CC_C;
}

uint64_t x86_get_eflags(CPUX86State *env)
{
    return (env->eflags & ~(uint64_t)(CC_ALL | DF_MASK)) | x86_cc_compute_all(env) | (env->df < 0 ? DF_MASK : 0) | 2;
}

void x86_set_eflags(CPUX86State *env, uint64_t value, uint64_t mask)
{
    const uint64_t in_hflags = TF_MASK | IOPL_MASK | RF_MASK | VM_MASK | AC_MASK;
    uint64_t arithmetic = mask & CC_ALL, rest = mask & ~(uint64_t)(CC_ALL | DF_MASK);

    if (arithmetic) {
        env->cc_src = (x86_cc_compute_all(env) & ~arithmetic) | (value & arithmetic);
        env->cc_op = CC_OP_EFLAGS;
    }
    if (mask & DF_MASK) {
        env->df = value & DF_MASK ? -1 : 1;
    }
    env->eflags = (env->eflags & ~rest) | (value & rest) | 2;
    env->hflags = (env->hflags & ~in_hflags) | (env->eflags & in_hflags);
}
