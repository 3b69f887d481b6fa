/*
 * Vector operations in portable C: floating point.
 *
 * The host's own arithmetic does what IEEE 754 says and raises its flags under the FP control
 * register that is live (the guest's).  What IEEE 754 leaves open is decided here, on bits: which NaN
 * results, and what comparisons, minima, maxima and conversions answer (SDM Vol.1 4.8.3, 11.5.2,
 * tables 4-7 and E-1 on).
 *
 * Compile without floating-point shortcuts: the compiler must keep each operation.
 */
#include <fenv.h>
#include <math.h>
#include "tcg/vop-fallback-internal.h"
#include "tcg/vop-fallback-fp.h"

#ifdef __clang__
#pragma STDC FENV_ACCESS ON
#endif

#define X(f) a->x.f[k]
#define Y(f) a->y.f[k]

#define F32_NAN 0xffc00000u
#define F64_NAN 0xfff8000000000000ull
#define F32_QUIET 0x00400000u
#define F64_QUIET 0x0008000000000000ull

/* --- the host's control and flags --- */

enum { RC_NEAREST, RC_DOWN, RC_UP, RC_ZERO };

static unsigned rounding(void)
{
#ifdef __SSE__
    return __builtin_ia32_stmxcsr() >> 13 & 3;
#else
    switch (fegetround()) {
    case FE_DOWNWARD:
        return RC_DOWN;
    case FE_UPWARD:
        return RC_UP;
    case FE_TOWARDZERO:
        return RC_ZERO;
    default:
        return RC_NEAREST;
    }
#endif
}

/* Denormal operands are zeros? */
static bool daz(void)
{
#ifdef __SSE__
    return __builtin_ia32_stmxcsr() >> 6 & 1;
#else
    return false;
#endif
}

unsigned vop_fp_control(void)
{
#ifdef __SSE__
    return __builtin_ia32_stmxcsr();
#else
    return rounding() << 13;
#endif
}

void vop_fp_raise(unsigned flags)
{
#ifdef __SSE__
    if (flags) {
        __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | flags);
    }
#else
    feraiseexcept((flags & 1 ? FE_INVALID : 0) | (flags & 8 ? FE_OVERFLOW : 0) | (flags & 16 ? FE_UNDERFLOW : 0) |
                  (flags & 32 ? FE_INEXACT : 0));
#endif
}

static void raise_invalid(void)
{
    volatile float zero = 0, r;

    r = zero / zero;
    (void)r;
}

static void raise_inexact(void)
{
    volatile float three = 3, r;

    r = 1 / three;
    (void)r;
}

/* --- one width each: values travel as bits --- */

typedef union F32 { uint32_t u; float f; } F32;
typedef union F64 { uint64_t u; double f; } F64;

#define DEFINE_WIDTH(P, F, uint, real, NANBITS, QUIET, EXP, SQRT) \
    static bool P##_is_nan(uint v) { return (v & ~(uint)0 >> 1) > (EXP); } \
    static bool P##_is_snan(uint v) { return P##_is_nan(v) && !(v & (QUIET)); } \
    static bool P##_is_denormal(uint v) { return !(v & (EXP)) && v << 1; } \
    static uint P##_daz(uint v) { return P##_is_denormal(v) && daz() ? v & ~(~(uint)0 >> 1) : v; } \
    /* The NaN that an operation on @x and @y gives; invalid if either signals. */ \
    static uint P##_nan_of(uint x, uint y) \
    { \
        if (P##_is_snan(x) || P##_is_snan(y)) { \
            raise_invalid(); \
        } \
        return (P##_is_nan(x) ? x : y) | (QUIET); \
    } \
    static uint P##_result(volatile real *r) \
    { \
        F v = { .f = *r }; \
        return P##_is_nan(v.u) ? (NANBITS) : v.u; \
    } \
    P##_BINARY(P, F, uint, real, add, +) \
    P##_BINARY(P, F, uint, real, sub, -) \
    P##_BINARY(P, F, uint, real, mul, *) \
    P##_BINARY(P, F, uint, real, div, /) \
    static uint P##_sqrt(uint x) \
    { \
        F v = { .u = P##_daz(x) }; \
        volatile real in, r; \
        if (P##_is_nan(x)) { \
            return P##_nan_of(x, x); \
        } \
        if (v.u >> (sizeof(uint) * 8 - 1) && v.u << 1) { \
            raise_invalid(); \
            return NANBITS; \
        } \
        in = v.f; \
        r = SQRT(in); \
        return P##_result(&r); \
    } \
    /* Ordered comparison of non-NaNs: -1, 0, 1; raises denormal. */ \
    static int P##_order(uint x, uint y) \
    { \
        volatile F vx = { .u = x }, vy = { .u = y }; \
        return vx.f < vy.f ? -1 : vx.f > vy.f; \
    } \
    static uint P##_min(uint x, uint y) \
    { \
        if (P##_is_nan(x) || P##_is_nan(y)) { \
            raise_invalid(); \
            return P##_daz(y); \
        } \
        return P##_daz(P##_order(x, y) < 0 ? x : y); \
    } \
    static uint P##_max(uint x, uint y) \
    { \
        if (P##_is_nan(x) || P##_is_nan(y)) { \
            raise_invalid(); \
            return P##_daz(y); \
        } \
        return P##_daz(P##_order(x, y) > 0 ? x : y); \
    } \
    /* ZF, PF, CF of (U)COMIS. */ \
    static uint64_t P##_comi(uint x, uint y, bool signal_quiet) \
    { \
        int order; \
        if (P##_is_nan(x) || P##_is_nan(y)) { \
            if (signal_quiet || P##_is_snan(x) || P##_is_snan(y)) { \
                raise_invalid(); \
            } \
            return 0x45; \
        } \
        order = P##_order(x, y); \
        return order < 0 ? 0x01 : order > 0 ? 0 : 0x40; \
    }

#define F_BINARY(P, F, uint, real, name, op) \
    static uint P##_##name(uint x, uint y) \
    { \
        volatile F vx = { .u = x }, vy = { .u = y }; \
        volatile real r; \
        if (P##_is_nan(x) || P##_is_nan(y)) { \
            return P##_nan_of(x, y); \
        } \
        r = vx.f op vy.f; \
        return P##_result(&r); \
    }
#define f32_BINARY F_BINARY
#define f64_BINARY F_BINARY
DEFINE_WIDTH(f32, F32, uint32_t, float, F32_NAN, F32_QUIET, 0x7f800000u, __builtin_sqrtf)
DEFINE_WIDTH(f64, F64, uint64_t, double, F64_NAN, F64_QUIET, 0x7ff0000000000000ull, __builtin_sqrt)

/*
 * The 8 predicates of SSE, EQ LT LE UNORD NEQ NLT NLE ORD, are the first of VEX's 32: bit 4 exchanges signalling and not; bit 3 makes three of unordered what the first eight
 * make of ordered, and the other way round: EQ_UQ, NGE, NGT, FALSE, NEQ_OQ, GE, GT, TRUE.
 */
#define DEFINE_CMP32(P, uint) \
    bool vop_##P##_cmp(uint x, uint y, unsigned pred) \
    { \
        const unsigned signals = 0x6666; \
        bool unordered = P##_is_nan(x) || P##_is_nan(y), r; \
        int order = 0; \
        if (unordered) { \
            if ((signals >> (pred & 15) & 1) ^ (pred >> 4) || P##_is_snan(x) || P##_is_snan(y)) { \
                raise_invalid(); \
            } \
        } else { \
            order = P##_order(x, y); \
        } \
        switch (pred & 11) { \
        case 0: \
            r = !unordered && order == 0; \
            break; \
        case 1: \
            r = !unordered && order < 0; \
            break; \
        case 2: \
            r = !unordered && order <= 0; \
            break; \
        case 3: \
            r = unordered; \
            break; \
        case 8: \
            r = unordered || order == 0; \
            break; \
        case 9: \
            r = unordered || order < 0; \
            break; \
        case 10: \
            r = unordered || order <= 0; \
            break; \
        default: \
            r = false; \
        } \
        return r ^ (pred >> 2 & 1); \
    }
DEFINE_CMP32(f32, uint32_t)
DEFINE_CMP32(f64, uint64_t)

/* --- rounding to integers, on bits --- */

/* Finite value = mant * 2^exp. */
typedef struct Parts {
    bool sign;
    int exp;
    uint64_t mant;
} Parts;

static Parts f32_parts(uint32_t v)
{
    unsigned e = v >> 23 & 0xff;
    uint32_t m = v & 0x7fffff;

    return (Parts){ v >> 31, (e ? e : 1) - 150, e ? m | 0x800000 : m };
}

static Parts f64_parts(uint64_t v)
{
    unsigned e = v >> 52 & 0x7ff;
    uint64_t m = v & 0xfffffffffffffull;

    return (Parts){ v >> 63, (int)(e ? e : 1) - 1075, e ? m | 1ull << 52 : m };
}

/* Magnitude rounded to an integer by @rc; ~0 if it does not fit 64 bits. */
static uint64_t round_magnitude(Parts p, unsigned rc, bool *inexact)
{
    uint64_t whole, rest, half;
    bool up;

    *inexact = false;
    if (p.exp >= 0) {
        return !p.mant ? 0 : p.exp > __builtin_clzll(p.mant) ? ~0ull : p.mant << p.exp;
    }
    if (p.exp < -62) {          /* the mantissa has 53 bits at most: all of it is less than a half */
        p.mant = p.mant != 0;
        p.exp = -62;
    }
    whole = p.mant >> -p.exp;
    rest = p.mant & ((1ull << -p.exp) - 1);
    half = 1ull << (-p.exp - 1);
    *inexact = rest != 0;
    switch (rc) {
    case RC_NEAREST:
        up = rest > half || (rest == half && (whole & 1));
        break;
    case RC_DOWN:
        up = rest && p.sign;
        break;
    case RC_UP:
        up = rest && !p.sign;
        break;
    default:
        up = false;
    }
    return whole + up;
}

/* To a signed integer of @bits; the indefinite integer if it does not fit. */
static uint64_t to_signed(Parts p, bool is_finite, unsigned rc, unsigned bits)
{
    uint64_t limit = 1ull << (bits - 1), m;
    bool inexact;

    m = is_finite ? round_magnitude(p, rc, &inexact) : ~0ull;
    if (m > limit || (m == limit && !p.sign)) {
        raise_invalid();
        return limit;
    }
    if (inexact) {
        raise_inexact();
    }
    return p.sign ? -m : m;
}

static uint64_t f32_to_int(uint32_t v, bool truncate, unsigned bits)
{
    v = f32_daz(v);
    return to_signed(f32_parts(v), (v & 0x7f800000) != 0x7f800000, truncate ? RC_ZERO : rounding(), bits);
}

static uint64_t f64_to_int(uint64_t v, bool truncate, unsigned bits)
{
    v = f64_daz(v);
    return to_signed(f64_parts(v), (~v & 0x7ff0000000000000) != 0, truncate ? RC_ZERO : rounding(), bits);
}

/* ROUND*: imm bits 1:0 mode, bit 2 mode from MXCSR, bit 3 no inexact. */
#define DEFINE_ROUND(P, F, uint, real, integral_exp, expbits) \
    static uint P##_round(uint v, unsigned imm) \
    { \
        unsigned rc = imm & 4 ? rounding() : imm & 3; \
        uint sign = v & ~(~(uint)0 >> 1); \
        bool inexact; \
        uint64_t m; \
        F r; \
        if (P##_is_nan(v)) { \
            return P##_nan_of(v, v); \
        } \
        v = P##_daz(v); \
        if ((v & (expbits)) >= (integral_exp)) { \
            return v; \
        } \
        m = round_magnitude(P##_parts(v), rc, &inexact); \
        if (inexact && !(imm & 8)) { \
            raise_inexact(); \
        } \
        r.f = (real)(int64_t)m;     /* exact: fewer bits than the mantissa */ \
        return r.u | sign; \
    }
DEFINE_ROUND(f32, F32, uint32_t, float, (uint32_t)(127 + 23) << 23, 0x7f800000u)
DEFINE_ROUND(f64, F64, uint64_t, double, (uint64_t)(1023 + 52) << 52, 0x7ff0000000000000ull)

/* --- between widths --- */

static uint64_t f32_widen(uint32_t v)
{
    volatile F32 in = { .u = v };
    F64 r;

    if (f32_is_nan(v)) {
        if (f32_is_snan(v)) {
            raise_invalid();
        }
        return (uint64_t)(v >> 31) << 63 | 0x7ff8000000000000ull | (uint64_t)(v & 0x7fffff) << 29;
    }
    r.f = in.f;
    return r.u;
}

static uint32_t f64_narrow(uint64_t v)
{
    volatile F64 in = { .u = v };
    F32 r;

    if (f64_is_nan(v)) {
        if (f64_is_snan(v)) {
            raise_invalid();
        }
        return v >> 63 << 31 | 0x7fc00000u | (v >> 29 & 0x7fffff);
    }
    r.f = in.f;
    return r.u;
}

static uint32_t f32_from_int(int64_t v)
{
    volatile int64_t in = v;
    F32 r = { .f = in };

    return r.u;
}

static uint64_t f64_from_int(int64_t v)
{
    volatile int64_t in = v;
    F64 r = { .f = in };

    return r.u;
}

/* --- rows: packed and scalar --- */

#define BINARY(NAME, fn) \
    VOP_LANES(NAME##PS, l, 4, f32_##fn(X(l), Y(l))) \
    VOP_LANES(NAME##PD, q, 2, f64_##fn(X(q), Y(q))) \
    VOP_LANES(NAME##SS, l, 4, k ? X(l) : f32_##fn(X(l), Y(l))) \
    VOP_LANES(NAME##SD, q, 2, k ? X(q) : f64_##fn(X(q), Y(q)))
BINARY(ADD, add)
BINARY(SUB, sub)
BINARY(MUL, mul)
BINARY(DIV, div)
BINARY(MIN, min)
BINARY(MAX, max)

VOP_LANES(SQRTPS, l, 4, f32_sqrt(X(l)))
VOP_LANES(SQRTPD, q, 2, f64_sqrt(X(q)))
VOP_LANES(SQRTSS, l, 4, k ? X(l) : f32_sqrt(Y(l)))
VOP_LANES(SQRTSD, q, 2, k ? X(q) : f64_sqrt(Y(q)))
VOP_LANES(CMPPS, l, 4, -(uint32_t)vop_f32_cmp(X(l), Y(l), a->imm & 7))
VOP_LANES(CMPPD, q, 2, -(uint64_t)vop_f64_cmp(X(q), Y(q), a->imm & 7))
VOP_LANES(CMPSS, l, 4, k ? X(l) : -(uint32_t)vop_f32_cmp(X(l), Y(l), a->imm & 7))
VOP_LANES(CMPSD, q, 2, k ? X(q) : -(uint64_t)vop_f64_cmp(X(q), Y(q), a->imm & 7))
VOP_LANES(ADDSUBPS, l, 4, k & 1 ? f32_add(X(l), Y(l)) : f32_sub(X(l), Y(l)))
VOP_LANES(ADDSUBPD, q, 2, k & 1 ? f64_add(X(q), Y(q)) : f64_sub(X(q), Y(q)))
#define PAIR(fn, f, half) fn((k < (half) ? &a->x : &a->y)->f[2 * (k % (half))], \
                             (k < (half) ? &a->x : &a->y)->f[2 * (k % (half)) + 1])
VOP_LANES(HADDPS, l, 4, PAIR(f32_add, l, 2))
VOP_LANES(HSUBPS, l, 4, PAIR(f32_sub, l, 2))
VOP_LANES(HADDPD, q, 2, PAIR(f64_add, q, 1))
VOP_LANES(HSUBPD, q, 2, PAIR(f64_sub, q, 1))
VOP_LANES(ROUNDPS, l, 4, f32_round(X(l), a->imm))
VOP_LANES(ROUNDPD, q, 2, f64_round(X(q), a->imm))
VOP_LANES(ROUNDSS, l, 4, k ? X(l) : f32_round(Y(l), a->imm))
VOP_LANES(ROUNDSD, q, 2, k ? X(q) : f64_round(Y(q), a->imm))

/*
 * imm: high half which products count, low half where the sum goes.  Which of several NaNs results
 * is left open by the SDM; here the order of additions is that of Intel's processors.
 */
static void op_DPPS(VopArgs *a)
{
    uint32_t p[4], t[4];

    VOP_EACH(4) {
        p[k] = a->imm >> (4 + k) & 1 ? f32_mul(X(l), Y(l)) : 0;
    }
    VOP_EACH(4) {
        t[k] = f32_add(p[k ^ 1], p[k]);
    }
    VOP_EACH(4) {
        uint32_t sum = f32_add(t[k], t[k ^ 2]);

        a->d.l[k] = a->imm >> k & 1 ? sum : 0;
    }
}

static void op_DPPD(VopArgs *a)
{
    uint64_t p[2];

    VOP_EACH(2) {
        p[k] = a->imm >> (4 + k) & 1 ? f64_mul(X(q), Y(q)) : 0;
    }
    VOP_EACH(2) {
        uint64_t sum = f64_add(p[k], p[k ^ 1]);

        a->d.q[k] = a->imm >> k & 1 ? sum : 0;
    }
}

#define TO_INT(NAME, expr) static void op_##NAME(VopArgs *a) { a->r = (expr); }
TO_INT(UCOMISS, f32_comi(a->x.l[0], a->y.l[0], false))
TO_INT(COMISS, f32_comi(a->x.l[0], a->y.l[0], true))
TO_INT(UCOMISD, f64_comi(a->x.q[0], a->y.q[0], false))
TO_INT(COMISD, f64_comi(a->x.q[0], a->y.q[0], true))
TO_INT(CVTSS2SI, (uint32_t)f32_to_int(a->x.l[0], false, 32))
TO_INT(CVTTSS2SI, (uint32_t)f32_to_int(a->x.l[0], true, 32))
TO_INT(CVTSD2SI, (uint32_t)f64_to_int(a->x.q[0], false, 32))
TO_INT(CVTTSD2SI, (uint32_t)f64_to_int(a->x.q[0], true, 32))
TO_INT(CVTSS2SI64, f32_to_int(a->x.l[0], false, 64))
TO_INT(CVTTSS2SI64, f32_to_int(a->x.l[0], true, 64))
TO_INT(CVTSD2SI64, f64_to_int(a->x.q[0], false, 64))
TO_INT(CVTTSD2SI64, f64_to_int(a->x.q[0], true, 64))

VOP_LANES(CVTPS2PD, q, 2, f32_widen(X(l)))
VOP_LANES(CVTPD2PS, l, 4, k < 2 ? f64_narrow(a->x.q[k & 1]) : 0)
VOP_LANES(CVTSS2SD, q, 2, k ? X(q) : f32_widen(Y(l)))
VOP_LANES(CVTSD2SS, l, 4, k ? X(l) : f64_narrow(a->y.q[0]))
VOP_LANES(CVTDQ2PS, l, 4, f32_from_int(X(sl)))
VOP_LANES(CVTDQ2PD, q, 2, f64_from_int(X(sl)))
VOP_LANES(CVTPS2DQ, l, 4, f32_to_int(X(l), false, 32))
VOP_LANES(CVTTPS2DQ, l, 4, f32_to_int(X(l), true, 32))
VOP_LANES(CVTPD2DQ, l, 4, k < 2 ? f64_to_int(a->x.q[k & 1], false, 32) : 0)
VOP_LANES(CVTTPD2DQ, l, 4, k < 2 ? f64_to_int(a->x.q[k & 1], true, 32) : 0)
VOP_LANES(CVTSI2SS, l, 4, k ? X(l) : f32_from_int((int32_t)a->i))
VOP_LANES(CVTSI2SS64, l, 4, k ? X(l) : f32_from_int(a->i))
VOP_LANES(CVTSI2SD, q, 2, k ? X(q) : f64_from_int((int32_t)a->i))
VOP_LANES(CVTSI2SD64, q, 2, k ? X(q) : f64_from_int(a->i))

/* --- approximations: relative error below 1.5 * 2^-12, no flags; denormals count as zeros --- */

static uint32_t rcp(uint32_t v)
{
    uint32_t sign = v & 0x80000000, e = v >> 23 & 0xff, m = (v & 0x7fffff) | 0x800000;
    uint32_t q;
    int re;

    if (f32_is_nan(v)) {
        return v | F32_QUIET;
    }
    if (e == 0) {
        return sign | 0x7f800000;
    }
    if (e == 0xff) {
        return sign;
    }
    /* 1 / (m 2^(e-150)) = q 2^(150-e-47), q = 2^47 / m in (2^23, 2^24] */
    q = (1ull << 47) / m;
    re = 253 - (int)e;
    if (q >> 24) {
        q >>= 1;
        re++;
    }
    return re <= 0 ? sign : sign | (uint32_t)re << 23 | (q & 0x7fffff);
}

/* floor(sqrt(v)) */
static uint32_t isqrt(uint64_t v)
{
    uint64_t r = 0;

    for (uint64_t bit = 1ull << 31; bit; bit >>= 1) {
        if ((r | bit) * (r | bit) <= v) {
            r |= bit;
        }
    }
    return r;
}

static uint32_t rsqrt(uint32_t v)
{
    uint32_t sign = v & 0x80000000, e = v >> 23 & 0xff;
    uint64_t m = (v & 0x7fffff) | 0x800000, q;
    int half;

    if (f32_is_nan(v)) {
        return v | F32_QUIET;
    }
    if (e == 0) {
        return sign | 0x7f800000;
    }
    if (sign) {
        return F32_NAN;
    }
    if (e == 0xff) {
        return 0;
    }
    /* value = m 2^(e-150); make the exponent even, then 1 / sqrt = (2^47 / sqrt(m 2^24)) 2^-(35+half) */
    half = (int)e - 150;
    if (half & 1) {
        m <<= 1;
        half--;
    }
    half /= 2;
    q = (1ull << 59) / isqrt(m << 24);      /* sqrt in [2^23.5, 2^24.5): q in (2^34, 2^36) */
    e = 127 - 47 - half;                    /* value = q 2^-(59-12) 2^-half */
    while (q >> 24) {
        q >>= 1;
        e++;
    }
    return (e + 23) << 23 | (q & 0x7fffff);
}

VOP_LANES(RCPPS, l, 4, rcp(X(l)))
VOP_LANES(RCPSS, l, 4, k ? X(l) : rcp(Y(l)))
VOP_LANES(RSQRTPS, l, 4, rsqrt(X(l)))
VOP_LANES(RSQRTSS, l, 4, k ? X(l) : rsqrt(Y(l)))

#define ROW(NAME) [IR_VOP_##NAME] = op_##NAME
#define FOUR(NAME) ROW(NAME##PS), ROW(NAME##PD), ROW(NAME##SS), ROW(NAME##SD)
VopFn *const vop_fallback_fp[IR_VOP_COUNT] = {
    FOUR(ADD), FOUR(SUB), FOUR(MUL), FOUR(DIV), FOUR(MIN), FOUR(MAX), FOUR(SQRT), FOUR(CMP), FOUR(ROUND),
    ROW(ADDSUBPS), ROW(ADDSUBPD), ROW(HADDPS), ROW(HADDPD), ROW(HSUBPS), ROW(HSUBPD), ROW(DPPS), ROW(DPPD),
    ROW(UCOMISS), ROW(UCOMISD), ROW(COMISS), ROW(COMISD),
    ROW(RCPPS), ROW(RCPSS), ROW(RSQRTPS), ROW(RSQRTSS),
    ROW(CVTPS2PD), ROW(CVTPD2PS), ROW(CVTSS2SD), ROW(CVTSD2SS), ROW(CVTDQ2PS), ROW(CVTDQ2PD), ROW(CVTPS2DQ),
    ROW(CVTTPS2DQ), ROW(CVTPD2DQ), ROW(CVTTPD2DQ), ROW(CVTSI2SS), ROW(CVTSI2SS64), ROW(CVTSI2SD), ROW(CVTSI2SD64),
    ROW(CVTSS2SI), ROW(CVTTSS2SI), ROW(CVTSD2SI), ROW(CVTTSD2SI), ROW(CVTSS2SI64), ROW(CVTTSS2SI64),
    ROW(CVTSD2SI64), ROW(CVTTSD2SI64),
};
