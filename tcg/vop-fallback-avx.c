/*
 * Vector operations in portable C: what only VEX encodes.  Variable permutes and shifts, comparisons by 32
 * predicates, half precision, and multiply-add with one rounding, which is done here on integers.
 *
 * Reference: SDM Vol.1 14.4, 14.5; Vol.2 CMPPS table 3-1, VCVTPH2PS, VCVTPS2PH, VFMADD*.
 */
#include "tcg/vop-fallback-internal.h"
#include "tcg/vop-fallback-fp.h"

#define X(f) a->x.f[k]
#define Y(f) a->y.f[k]
#define Z(f) a->z.f[k]

/* --- permutes, shifts --- */

VOP_LANES(VPERMILPS, l, 4, a->x.l[Y(l) & 3])
VOP_LANES(VPERMILPD, q, 2, a->x.q[Y(q) >> 1 & 1])
VOP_LANES(VPSRLVD, l, 4, Y(l) < 32 ? X(l) >> Y(l) : 0)
VOP_LANES(VPSRLVQ, q, 2, Y(q) < 64 ? X(q) >> Y(q) : 0)
VOP_LANES(VPSRAVD, sl, 4, X(sl) >> MIN(Y(l), 31))
VOP_LANES(VPSLLVD, l, 4, Y(l) < 32 ? X(l) << Y(l) : 0)
VOP_LANES(VPSLLVQ, q, 2, Y(q) < 64 ? X(q) << Y(q) : 0)

/* --- numbers as sign, exponent, mantissa --- */

typedef unsigned __int128 u128;

/* A binary format: bits of the fraction and of the exponent. */
typedef struct Format { uint8_t fraction, exponent; } Format;
static const Format half = { 10, 5 }, single = { 23, 8 }, twice = { 52, 11 };

enum { FLAG_IE = 1, FLAG_DE = 2, FLAG_OE = 8, FLAG_UE = 16, FLAG_PE = 32 };

typedef struct Num {
    bool sign, nan, snan, inf, zero, denormal;
    int exp;                    /* value = mant * 2^exp */
    uint64_t mant, bits;
} Num;

static uint64_t exponent_mask(Format f) { return (1ull << f.exponent) - 1; }
static uint64_t infinity(Format f) { return exponent_mask(f) << f.fraction; }
static uint64_t sign_bit(Format f, bool sign) { return (uint64_t)sign << (f.fraction + f.exponent); }
static uint64_t quiet_bit(Format f) { return 1ull << (f.fraction - 1); }
static uint64_t indefinite(Format f) { return sign_bit(f, true) | infinity(f) | quiet_bit(f); }
static int bias(Format f) { return (1 << (f.exponent - 1)) - 1; }

static Num unpack(Format f, uint64_t v, bool daz)
{
    uint64_t e = v >> f.fraction & exponent_mask(f), m = v & ((1ull << f.fraction) - 1);
    Num n = { .sign = v >> (f.fraction + f.exponent) & 1, .bits = v };

    n.nan = e == exponent_mask(f) && m;
    n.snan = n.nan && !(m & quiet_bit(f));
    n.inf = e == exponent_mask(f) && !m;
    n.denormal = !e && m && !daz;
    n.zero = !e && !n.denormal;
    n.mant = n.zero ? 0 : e ? m | 1ull << f.fraction : m;
    n.exp = (int)(e ? e : 1) - bias(f) - f.fraction;
    return n;
}

/* --- rounding --- */

typedef struct Rounding {
    unsigned rc;                /* as in MXCSR */
    bool ftz;
    unsigned flags;             /* raised so far */
} Rounding;

/* @m without its low @shift bits (0..127), rounded. */
static u128 shift_rounded(u128 m, unsigned shift, bool sign, unsigned rc, bool *inexact)
{
    u128 whole = m >> shift, rest = m & (((u128)1 << shift) - 1), tie = shift ? (u128)1 << (shift - 1) : 0;
    bool up;

    *inexact = rest != 0;
    switch (rc) {
    case 0:
        up = rest && (rest > tie || (rest == tie && (whole & 1)));
        break;
    case 1:
        up = rest && sign;
        break;
    case 2:
        up = rest && !sign;
        break;
    default:
        up = false;
    }
    return whole + up;
}

static unsigned top_bit(u128 m)
{
    return m >> 64 ? 127 - __builtin_clzll((uint64_t)(m >> 64)) : 63 - __builtin_clzll((uint64_t)m);
}

static uint64_t overflow(Format f, bool sign, Rounding *r)
{
    bool to_infinity = r->rc == 0 || (r->rc == 1 && sign) || (r->rc == 2 && !sign);

    r->flags |= FLAG_OE | FLAG_PE;
    return sign_bit(f, sign) | (infinity(f) - !to_infinity);
}

/* @m * 2^@exp, m != 0, in the format.  Tiny is what is tiny after rounding (SDM Vol.1 4.9.1.5). */
static uint64_t pack(Format f, bool sign, int exp, u128 m, Rounding *r)
{
    const int emin = 1 - bias(f);
    unsigned up = top_bit(m) < 120 ? 120 - top_bit(m) : 0, shift;
    int e;
    bool inexact, tiny;
    u128 v;

    m <<= up;
    exp -= up;
    shift = top_bit(m) - f.fraction;
    e = exp + (int)top_bit(m);
    v = shift_rounded(m, shift, sign, r->rc, &inexact);
    tiny = e + (int)(v >> (f.fraction + 1)) < emin;
    if (tiny && r->ftz) {
        r->flags |= FLAG_UE | FLAG_PE;
        return sign_bit(f, sign);
    }
    if (e < emin) {
        shift = MIN(shift + (unsigned)(emin - e), 127u);
        v = shift_rounded(m, shift, sign, r->rc, &inexact);
        e = emin;
        r->flags |= (tiny && inexact ? FLAG_UE : 0) | (inexact ? FLAG_PE : 0);
        /* the fraction alone; a carry out of it makes the least normal number */
        return sign_bit(f, sign) | (uint64_t)v;
    }
    if (v >> (f.fraction + 1)) {
        v >>= 1;
        e++;
    }
    if (e > bias(f)) {
        return overflow(f, sign, r);
    }
    r->flags |= inexact ? FLAG_PE : 0;
    return sign_bit(f, sign) | (uint64_t)(e + bias(f)) << f.fraction | ((uint64_t)v & ((1ull << f.fraction) - 1));
}

/* --- multiply-add --- */

/* m with its top bit moved to bit 125. */
static u128 normalize(u128 m, int *exp)
{
    unsigned up = 125 - top_bit(m);

    *exp -= up;
    return m << up;
}

/* m / 2^n; bits lost stay as the lowest one. */
static u128 shift_jam(u128 m, unsigned n)
{
    if (n > 126) {
        return m != 0;
    }
    return m >> n | ((m & (((u128)1 << n) - 1)) != 0);
}

/* The sum of two numbers that are not zero. */
static uint64_t add_magnitudes(Format f, bool sign_p, int exp_p, u128 p, bool sign_z, int exp_z, u128 z, Rounding *r)
{
    p = normalize(p, &exp_p);
    z = normalize(z, &exp_z);
    if (exp_p < exp_z || (exp_p == exp_z && p < z)) {
        SWAP(p, z);
        SWAP(exp_p, exp_z);
        SWAP(sign_p, sign_z);
    }
    z = shift_jam(z, exp_p - exp_z);
    p = sign_p == sign_z ? p + z : p - z;
    return p ? pack(f, sign_p, exp_p, p, r) : sign_bit(f, r->rc == 1);
}

/* What is not finite.  True: @v is the result.  The first NaN in the order of x * y + z wins. */
static bool special(Format f, const Num *x, const Num *y, const Num *z, bool sign_p, Rounding *r, uint64_t *v)
{
    bool invalid_product = (x->inf && y->zero) || (x->zero && y->inf);

    if (x->nan || y->nan || z->nan) {
        r->flags |= x->snan || y->snan || z->snan ? FLAG_IE : 0;
        *v = (x->nan ? x : y->nan ? y : z)->bits | quiet_bit(f);
        return true;
    }
    if (invalid_product || ((x->inf || y->inf) && z->inf && sign_p != z->sign)) {
        r->flags |= FLAG_IE;
        *v = indefinite(f);
        return true;
    }
    if (x->inf || y->inf || z->inf) {
        *v = sign_bit(f, x->inf || y->inf ? sign_p : z->sign) | infinity(f);
        r->flags |= x->denormal || y->denormal || z->denormal ? FLAG_DE : 0;
        return true;
    }
    return false;
}

/* The product of @xb and @yb, negated if so wanted, plus @zb, likewise. */
static uint64_t multiply_add(Format f, uint64_t xb, uint64_t yb, uint64_t zb, bool neg_product, bool neg_z)
{
    unsigned control = vop_fp_control();
    Rounding r = { .rc = control >> 13 & 3, .ftz = control >> 15 & 1 };
    bool daz = control >> 6 & 1, sign_p;
    Num x = unpack(f, xb, daz), y = unpack(f, yb, daz), z = unpack(f, zb, daz);
    uint64_t v;

    sign_p = x.sign ^ y.sign ^ neg_product;
    z.sign ^= neg_z;
    if (!special(f, &x, &y, &z, sign_p, &r, &v)) {
        r.flags |= x.denormal || y.denormal || z.denormal ? FLAG_DE : 0;
        if ((x.zero || y.zero) && z.zero) {
            v = sign_bit(f, sign_p == z.sign ? sign_p : r.rc == 1);
        } else if (x.zero || y.zero) {
            v = pack(f, z.sign, z.exp, z.mant, &r);
        } else if (z.zero) {
            v = pack(f, sign_p, x.exp + y.exp, (u128)x.mant * y.mant, &r);
        } else {
            v = add_magnitudes(f, sign_p, x.exp + y.exp, (u128)x.mant * y.mant, z.sign, z.exp, z.mant, &r);
        }
    }
    vop_fp_raise(r.flags);
    return v;
}

/* @order: vecops.def. */
static uint64_t fused(Format f, unsigned order, uint64_t x, uint64_t y, uint64_t z, bool neg_product, bool neg_z)
{
    switch (order) {
    case 0:
        return multiply_add(f, x, z, y, neg_product, neg_z);
    case 1:
        return multiply_add(f, y, x, z, neg_product, neg_z);
    default:
        return multiply_add(f, y, z, x, neg_product, neg_z);
    }
}

/* @neg_z sees the element's number, k. */
#define FUSED(NAME, neg_product, neg_z) \
    VOP_LANES(NAME##PS, l, 4, fused(single, a->imm, X(l), Y(l), Z(l), neg_product, neg_z)) \
    VOP_LANES(NAME##PD, q, 2, fused(twice, a->imm, X(q), Y(q), Z(q), neg_product, neg_z))
#define FUSED_SCALAR(NAME, neg_product, neg_z) \
    VOP_LANES(NAME##SS, l, 4, k ? X(l) : fused(single, a->imm, X(l), Y(l), Z(l), neg_product, neg_z)) \
    VOP_LANES(NAME##SD, q, 2, k ? X(q) : fused(twice, a->imm, X(q), Y(q), Z(q), neg_product, neg_z))
FUSED(VFMADD, false, false)
FUSED(VFMSUB, false, true)
FUSED(VFNMADD, true, false)
FUSED(VFNMSUB, true, true)
FUSED(VFMADDSUB, false, !(k & 1))
FUSED(VFMSUBADD, false, k & 1)
FUSED_SCALAR(VFMADD, false, false)
FUSED_SCALAR(VFMSUB, false, true)
FUSED_SCALAR(VFNMADD, true, false)
FUSED_SCALAR(VFNMSUB, true, true)

/* --- half precision --- */

static uint32_t widen_half(uint16_t v)
{
    Num n = unpack(half, v, false);
    Rounding r = { 0 };
    uint32_t d;

    if (n.nan) {
        d = (uint32_t)sign_bit(single, n.sign) | 0x7fc00000 | (uint32_t)(v & 0x3ff) << 13;
        r.flags = n.snan ? FLAG_IE : 0;
    } else if (n.inf || n.zero) {
        d = (uint32_t)(sign_bit(single, n.sign) | (n.inf ? infinity(single) : 0));
    } else {
        d = (uint32_t)pack(single, n.sign, n.exp, n.mant, &r);
    }
    vop_fp_raise(r.flags);
    return d;
}

/* imm: bits 1:0 mode, bit 2 mode from MXCSR.  FTZ does not count. */
static uint16_t narrow_to_half(uint32_t v, unsigned imm)
{
    unsigned control = vop_fp_control();
    Num n = unpack(single, v, control >> 6 & 1);
    Rounding r = { .rc = imm & 4 ? control >> 13 & 3 : imm & 3 };
    uint16_t d;

    if (n.nan) {
        d = sign_bit(half, n.sign) | 0x7e00 | (v >> 13 & 0x3ff);
        r.flags = n.snan ? FLAG_IE : 0;
    } else if (n.inf || n.zero) {
        d = sign_bit(half, n.sign) | (n.inf ? infinity(half) : 0);
    } else {
        r.flags = n.denormal ? FLAG_DE : 0;
        d = pack(half, n.sign, n.exp, n.mant, &r);
    }
    vop_fp_raise(r.flags);
    return d;
}

VOP_LANES(VCVTPH2PS, l, 4, widen_half(a->x.w[k]))
VOP_LANES(VCVTPS2PH, w, 8, k < 4 ? narrow_to_half(a->x.l[k & 3], a->imm) : 0)

/* --- comparisons --- */

VOP_LANES(VCMPPS, l, 4, -(uint32_t)vop_f32_cmp(X(l), Y(l), a->imm & 31))
VOP_LANES(VCMPPD, q, 2, -(uint64_t)vop_f64_cmp(X(q), Y(q), a->imm & 31))
VOP_LANES(VCMPSS, l, 4, k ? X(l) : -(uint32_t)vop_f32_cmp(X(l), Y(l), a->imm & 31))
VOP_LANES(VCMPSD, q, 2, k ? X(q) : -(uint64_t)vop_f64_cmp(X(q), Y(q), a->imm & 31))

#define ROW(NAME) [IR_VOP_##NAME] = op_##NAME
#define TWO(NAME) ROW(NAME##PS), ROW(NAME##PD)
#define FOUR(NAME) TWO(NAME), ROW(NAME##SS), ROW(NAME##SD)
VopFn *const vop_fallback_avx[IR_VOP_COUNT] = {
    TWO(VPERMIL), ROW(VPSRLVD), ROW(VPSRLVQ), ROW(VPSRAVD), ROW(VPSLLVD), ROW(VPSLLVQ), FOUR(VCMP),
    ROW(VCVTPH2PS), ROW(VCVTPS2PH), FOUR(VFMADD), FOUR(VFMSUB), FOUR(VFNMADD), FOUR(VFNMSUB), TWO(VFMADDSUB), TWO(VFMSUBADD),
};
