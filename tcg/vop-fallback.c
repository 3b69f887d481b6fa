/*
 * Vector operations in portable C: entry, and the integer and shuffle rows.
 *
 * Each row does what the x86 instruction of its name does (SDM Vol.2), exactly; the unit test
 * compares all of them with the host's instructions where the host is an x86.
 */
#include "tcg/vop-fallback-internal.h"

/* --- saturation --- */

static int8_t sat_sb(int v)
{
    return v < -128 ? -128 : v > 127 ? 127 : v;
}

static uint8_t sat_ub(int v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

static int16_t sat_sw(int v)
{
    return v < -32768 ? -32768 : v > 32767 ? 32767 : v;
}

static uint16_t sat_uw(int v)
{
    return v < 0 ? 0 : v > 65535 ? 65535 : v;
}

#define X(f) a->x.f[k]
#define Y(f) a->y.f[k]

/* --- logic, moves --- */

VOP_LANES(PAND, q, 2, X(q) & Y(q))
VOP_LANES(POR, q, 2, X(q) | Y(q))
VOP_LANES(PXOR, q, 2, X(q) ^ Y(q))
VOP_LANES(PANDN, q, 2, ~X(q) & Y(q))
VOP_LANES(MOVQ, q, 2, k ? 0 : X(q))
VOP_LANES(MOVSS, l, 4, k ? X(l) : Y(l))
VOP_LANES(MOVSD, q, 2, k ? X(q) : Y(q))
VOP_LANES(MOVHLPS, q, 2, k ? a->x.q[1] : a->y.q[1])
VOP_LANES(MOVLHPS, q, 2, k ? a->y.q[0] : a->x.q[0])
VOP_LANES(MOVDDUP, q, 2, a->x.q[0])
VOP_LANES(MOVSLDUP, l, 4, a->x.l[k & 2])
VOP_LANES(MOVSHDUP, l, 4, a->x.l[k | 1])
VOP_LANES(MOVD_FI, q, 2, k ? 0 : (uint32_t)a->i)
VOP_LANES(MOVQ_FI, q, 2, k ? 0 : a->i)
VOP_LANES(PINSRB, b, 16, k == (a->imm & 15) ? (uint8_t)a->i : X(b))
VOP_LANES(PINSRW, w, 8, k == (a->imm & 7) ? (uint16_t)a->i : X(w))
VOP_LANES(PINSRD, l, 4, k == (a->imm & 3) ? (uint32_t)a->i : X(l))
VOP_LANES(PINSRQ, q, 2, k == (a->imm & 1) ? a->i : X(q))

#define TO_INT(NAME, expr) static void op_##NAME(VopArgs *a) { a->r = (expr); }
TO_INT(MOVD_TI, a->x.l[0])
TO_INT(MOVQ_TI, a->x.q[0])
TO_INT(PEXTRB, a->x.b[a->imm & 15])
TO_INT(PEXTRW, a->x.w[a->imm & 7])
TO_INT(PEXTRD, a->x.l[a->imm & 3])
TO_INT(PEXTRQ, a->x.q[a->imm & 1])
TO_INT(MOVMSKPD, a->x.q[0] >> 63 | a->x.q[1] >> 63 << 1)

static void op_MOVMSKPS(VopArgs *a)
{
    VOP_EACH(4) {
        a->r |= (uint64_t)(X(l) >> 31) << k;
    }
}

static void op_PMOVMSKB(VopArgs *a)
{
    VOP_EACH(16) {
        a->r |= (uint64_t)(X(b) >> 7) << k;
    }
}

/* ZF: x & y == 0; CF: ~x & y == 0; as in EFLAGS. */
static void op_PTEST(VopArgs *a)
{
    bool zf = !((a->x.q[0] & a->y.q[0]) | (a->x.q[1] & a->y.q[1]));
    bool cf = !((~a->x.q[0] & a->y.q[0]) | (~a->x.q[1] & a->y.q[1]));

    a->r = (zf ? 0x40 : 0) | (cf ? 1 : 0);
}

/* --- sums, products, extremes --- */

VOP_LANES(PADDB, b, 16, X(b) + Y(b))
VOP_LANES(PADDW, w, 8, X(w) + Y(w))
VOP_LANES(PADDD, l, 4, X(l) + Y(l))
VOP_LANES(PADDQ, q, 2, X(q) + Y(q))
VOP_LANES(PADDSB, sb, 16, sat_sb(X(sb) + Y(sb)))
VOP_LANES(PADDSW, sw, 8, sat_sw(X(sw) + Y(sw)))
VOP_LANES(PADDUSB, b, 16, sat_ub(X(b) + Y(b)))
VOP_LANES(PADDUSW, w, 8, sat_uw(X(w) + Y(w)))
VOP_LANES(PSUBB, b, 16, X(b) - Y(b))
VOP_LANES(PSUBW, w, 8, X(w) - Y(w))
VOP_LANES(PSUBD, l, 4, X(l) - Y(l))
VOP_LANES(PSUBQ, q, 2, X(q) - Y(q))
VOP_LANES(PSUBSB, sb, 16, sat_sb(X(sb) - Y(sb)))
VOP_LANES(PSUBSW, sw, 8, sat_sw(X(sw) - Y(sw)))
VOP_LANES(PSUBUSB, b, 16, sat_ub(X(b) - Y(b)))
VOP_LANES(PSUBUSW, w, 8, sat_uw(X(w) - Y(w)))
VOP_LANES(PMULLW, w, 8, (uint32_t)X(w) * Y(w))
VOP_LANES(PMULHW, sw, 8, (X(sw) * Y(sw)) >> 16)
VOP_LANES(PMULHUW, w, 8, ((uint32_t)X(w) * Y(w)) >> 16)
VOP_LANES(PMULLD, l, 4, X(l) * Y(l))
VOP_LANES(PMULUDQ, q, 2, (uint64_t)a->x.l[2 * k] * a->y.l[2 * k])
VOP_LANES(PMULDQ, sq, 2, (int64_t)a->x.sl[2 * k] * a->y.sl[2 * k])
VOP_LANES(PMULHRSW, sw, 8, (((X(sw) * Y(sw)) >> 14) + 1) >> 1)
VOP_LANES(PMADDWD, l, 4, (uint32_t)(a->x.sw[2 * k] * a->y.sw[2 * k]) +
                         (uint32_t)(a->x.sw[2 * k + 1] * a->y.sw[2 * k + 1]))
VOP_LANES(PMADDUBSW, sw, 8, sat_sw(a->x.b[2 * k] * a->y.sb[2 * k] + a->x.b[2 * k + 1] * a->y.sb[2 * k + 1]))
VOP_LANES(PAVGB, b, 16, (X(b) + Y(b) + 1) >> 1)
VOP_LANES(PAVGW, w, 8, (X(w) + Y(w) + 1) >> 1)
VOP_LANES(PMINUB, b, 16, MIN(X(b), Y(b)))
VOP_LANES(PMINUW, w, 8, MIN(X(w), Y(w)))
VOP_LANES(PMINUD, l, 4, MIN(X(l), Y(l)))
VOP_LANES(PMINSB, sb, 16, MIN(X(sb), Y(sb)))
VOP_LANES(PMINSW, sw, 8, MIN(X(sw), Y(sw)))
VOP_LANES(PMINSD, sl, 4, MIN(X(sl), Y(sl)))
VOP_LANES(PMAXUB, b, 16, MAX(X(b), Y(b)))
VOP_LANES(PMAXUW, w, 8, MAX(X(w), Y(w)))
VOP_LANES(PMAXUD, l, 4, MAX(X(l), Y(l)))
VOP_LANES(PMAXSB, sb, 16, MAX(X(sb), Y(sb)))
VOP_LANES(PMAXSW, sw, 8, MAX(X(sw), Y(sw)))
VOP_LANES(PMAXSD, sl, 4, MAX(X(sl), Y(sl)))
VOP_LANES(PABSB, b, 16, X(sb) < 0 ? -X(sb) : X(sb))
VOP_LANES(PABSW, w, 8, X(sw) < 0 ? -X(sw) : X(sw))
VOP_LANES(PABSD, l, 4, X(sl) < 0 ? -X(l) : X(l))
VOP_LANES(PSIGNB, b, 16, Y(sb) < 0 ? -X(b) : Y(sb) ? X(b) : 0)
VOP_LANES(PSIGNW, w, 8, Y(sw) < 0 ? -X(w) : Y(sw) ? X(w) : 0)
VOP_LANES(PSIGND, l, 4, Y(sl) < 0 ? -X(l) : Y(sl) ? X(l) : 0)

static void op_PSADBW(VopArgs *a)
{
    VOP_EACH(16) {
        a->d.q[k / 8] += X(b) > Y(b) ? X(b) - Y(b) : Y(b) - X(b);
    }
}

/* imm: bits 1:0 four bytes of y, bit 2 where in x to begin, by fours. */
static void op_MPSADBW(VopArgs *a)
{
    const uint8_t *y = &a->y.b[4 * (a->imm & 3)], *x = &a->x.b[a->imm & 4];

    VOP_EACH(8) {
        for (unsigned j = 0; j < 4; j++) {
            a->d.w[k] += x[k + j] > y[j] ? x[k + j] - y[j] : y[j] - x[k + j];
        }
    }
}

static void op_PHMINPOSUW(VopArgs *a)
{
    unsigned best = 0;

    VOP_EACH(8) {
        if (X(w) < a->x.w[best]) {
            best = k;
        }
    }
    a->d.w[0] = a->x.w[best];
    a->d.w[1] = best;
}

/* Element @k of two neighbours each, first from x and then from y. */
#define NEIGHBOURS(NAME, field, n, combine) \
    static void op_##NAME(VopArgs *a) \
    { \
        VOP_EACH(n) { \
            const VopVec *v = k < (n) / 2 ? &a->x : &a->y; \
            unsigned at = 2 * (k % ((n) / 2)); \
            a->d.field[k] = combine(v->field[at], v->field[at + 1]); \
        } \
    }
#define SUM(p, q) ((p) + (q))
#define DIFF(p, q) ((p) - (q))
#define SAT_SUM(p, q) sat_sw((p) + (q))
#define SAT_DIFF(p, q) sat_sw((p) - (q))
NEIGHBOURS(PHADDW, w, 8, SUM)
NEIGHBOURS(PHADDD, l, 4, SUM)
NEIGHBOURS(PHADDSW, sw, 8, SAT_SUM)
NEIGHBOURS(PHSUBW, w, 8, DIFF)
NEIGHBOURS(PHSUBD, l, 4, DIFF)
NEIGHBOURS(PHSUBSW, sw, 8, SAT_DIFF)

/* --- comparisons --- */

VOP_LANES(PCMPEQB, sb, 16, -(X(b) == Y(b)))
VOP_LANES(PCMPEQW, sw, 8, -(X(w) == Y(w)))
VOP_LANES(PCMPEQD, sl, 4, -(X(l) == Y(l)))
VOP_LANES(PCMPEQQ, sq, 2, -(int64_t)(X(q) == Y(q)))
VOP_LANES(PCMPGTB, sb, 16, -(X(sb) > Y(sb)))
VOP_LANES(PCMPGTW, sw, 8, -(X(sw) > Y(sw)))
VOP_LANES(PCMPGTD, sl, 4, -(X(sl) > Y(sl)))
VOP_LANES(PCMPGTQ, sq, 2, -(int64_t)(X(sq) > Y(sq)))

/* --- shifts --- */

#define SHIFT(NAME, field, n, bits, expr, big) \
    static void shift_##NAME(VopArgs *a, uint64_t count) \
    { \
        VOP_EACH(n) { \
            a->d.field[k] = count >= (bits) ? (big) : (expr); \
        } \
    } \
    static void op_##NAME(VopArgs *a) { shift_##NAME(a, a->y.q[0]); } \
    static void op_##NAME##_I(VopArgs *a) { shift_##NAME(a, a->imm); }
SHIFT(PSRLW, w, 8, 16, X(w) >> count, 0)
SHIFT(PSRLD, l, 4, 32, X(l) >> count, 0)
SHIFT(PSRLQ, q, 2, 64, X(q) >> count, 0)
SHIFT(PSLLW, w, 8, 16, X(w) << count, 0)
SHIFT(PSLLD, l, 4, 32, X(l) << count, 0)
SHIFT(PSLLQ, q, 2, 64, X(q) << count, 0)
SHIFT(PSRAW, sw, 8, 16, X(sw) >> count, X(sw) >> 15)
SHIFT(PSRAD, sl, 4, 32, X(sl) >> count, X(sl) >> 31)
VOP_LANES(PSRLDQ_I, b, 16, k + a->imm < 16 ? a->x.b[k + a->imm] : 0)
VOP_LANES(PSLLDQ_I, b, 16, k >= a->imm ? a->x.b[k - a->imm] : 0)
VOP_LANES(PALIGNR, b, 16, k + a->imm < 16 ? a->y.b[k + a->imm] : k + a->imm < 32 ? a->x.b[k + a->imm - 16] : 0)

/* --- packing, unpacking, widening --- */

VOP_LANES(PACKSSWB, sb, 16, sat_sb(k < 8 ? a->x.sw[k] : a->y.sw[k - 8]))
VOP_LANES(PACKUSWB, b, 16, sat_ub(k < 8 ? a->x.sw[k] : a->y.sw[k - 8]))
VOP_LANES(PACKSSDW, sw, 8, sat_sw(k < 4 ? a->x.sl[k] : a->y.sl[k - 4]))
VOP_LANES(PACKUSDW, w, 8, sat_uw(k < 4 ? a->x.sl[k] : a->y.sl[k - 4]))
#define UNPACK(NAME, field, n, from) \
    VOP_LANES(NAME, field, n, (k & 1 ? &a->y : &a->x)->field[(from) + k / 2])
UNPACK(PUNPCKLBW, b, 16, 0)
UNPACK(PUNPCKHBW, b, 16, 8)
UNPACK(PUNPCKLWD, w, 8, 0)
UNPACK(PUNPCKHWD, w, 8, 4)
UNPACK(PUNPCKLDQ, l, 4, 0)
UNPACK(PUNPCKHDQ, l, 4, 2)
UNPACK(PUNPCKLQDQ, q, 2, 0)
UNPACK(PUNPCKHQDQ, q, 2, 1)
VOP_LANES(PMOVSXBW, sw, 8, X(sb))
VOP_LANES(PMOVSXBD, sl, 4, X(sb))
VOP_LANES(PMOVSXBQ, sq, 2, X(sb))
VOP_LANES(PMOVSXWD, sl, 4, X(sw))
VOP_LANES(PMOVSXWQ, sq, 2, X(sw))
VOP_LANES(PMOVSXDQ, sq, 2, X(sl))
VOP_LANES(PMOVZXBW, w, 8, X(b))
VOP_LANES(PMOVZXBD, l, 4, X(b))
VOP_LANES(PMOVZXBQ, q, 2, X(b))
VOP_LANES(PMOVZXWD, l, 4, X(w))
VOP_LANES(PMOVZXWQ, q, 2, X(w))
VOP_LANES(PMOVZXDQ, q, 2, X(l))

/* --- shuffles, blends --- */

VOP_LANES(PSHUFB, b, 16, Y(b) & 0x80 ? 0 : a->x.b[Y(b) & 15])
VOP_LANES(PSHUFD, l, 4, a->x.l[a->imm >> 2 * k & 3])
VOP_LANES(PSHUFLW, w, 8, k < 4 ? a->x.w[a->imm >> 2 * k & 3] : X(w))
VOP_LANES(PSHUFHW, w, 8, k < 4 ? X(w) : a->x.w[4 + (a->imm >> 2 * (k - 4) & 3)])
VOP_LANES(SHUFPS, l, 4, (k < 2 ? &a->x : &a->y)->l[a->imm >> 2 * k & 3])
VOP_LANES(SHUFPD, q, 2, (k < 1 ? &a->x : &a->y)->q[a->imm >> k & 1])
VOP_LANES(BLENDPS, l, 4, a->imm >> k & 1 ? Y(l) : X(l))
VOP_LANES(BLENDPD, q, 2, a->imm >> k & 1 ? Y(q) : X(q))
VOP_LANES(PBLENDW, w, 8, a->imm >> k & 1 ? Y(w) : X(w))
VOP_LANES(PBLENDVB, b, 16, a->z.b[k] >> 7 ? Y(b) : X(b))
VOP_LANES(BLENDVPS, l, 4, a->z.l[k] >> 31 ? Y(l) : X(l))
VOP_LANES(BLENDVPD, q, 2, a->z.q[k] >> 63 ? Y(q) : X(q))
VOP_LANES(INSERTPS, l, 4, a->imm >> k & 1 ? 0 : k == (a->imm >> 4 & 3) ? a->y.l[a->imm >> 6] : X(l))

/* UNPCK* of floats are those of integers. */
#define op_UNPCKLPS op_PUNPCKLDQ
#define op_UNPCKHPS op_PUNPCKHDQ
#define op_UNPCKLPD op_PUNPCKLQDQ
#define op_UNPCKHPD op_PUNPCKHQDQ

#define ROW(NAME) [IR_VOP_##NAME] = op_##NAME
VopFn *const vop_fallback_int[IR_VOP_COUNT] = {
    ROW(PAND), ROW(POR), ROW(PXOR), ROW(PANDN), ROW(MOVQ), ROW(MOVSS), ROW(MOVSD), ROW(MOVHLPS), ROW(MOVLHPS),
    ROW(MOVDDUP), ROW(MOVSLDUP), ROW(MOVSHDUP), ROW(MOVD_FI), ROW(MOVQ_FI), ROW(MOVD_TI), ROW(MOVQ_TI),
    ROW(MOVMSKPS), ROW(MOVMSKPD), ROW(PMOVMSKB), ROW(PEXTRW), ROW(PEXTRB), ROW(PEXTRD), ROW(PEXTRQ), ROW(PINSRW),
    ROW(PINSRB), ROW(PINSRD), ROW(PINSRQ), ROW(PTEST),
    ROW(PADDB), ROW(PADDW), ROW(PADDD), ROW(PADDQ), ROW(PADDSB), ROW(PADDSW), ROW(PADDUSB), ROW(PADDUSW),
    ROW(PSUBB), ROW(PSUBW), ROW(PSUBD), ROW(PSUBQ), ROW(PSUBSB), ROW(PSUBSW), ROW(PSUBUSB), ROW(PSUBUSW),
    ROW(PMULLW), ROW(PMULHW), ROW(PMULHUW), ROW(PMULUDQ), ROW(PMADDWD), ROW(PSADBW), ROW(PAVGB), ROW(PAVGW),
    ROW(PMULLD), ROW(PMULDQ), ROW(PMULHRSW), ROW(PMADDUBSW), ROW(MPSADBW), ROW(PHMINPOSUW),
    ROW(PMINUB), ROW(PMINUW), ROW(PMINUD), ROW(PMINSB), ROW(PMINSW), ROW(PMINSD),
    ROW(PMAXUB), ROW(PMAXUW), ROW(PMAXUD), ROW(PMAXSB), ROW(PMAXSW), ROW(PMAXSD),
    ROW(PABSB), ROW(PABSW), ROW(PABSD), ROW(PSIGNB), ROW(PSIGNW), ROW(PSIGND),
    ROW(PHADDW), ROW(PHADDD), ROW(PHADDSW), ROW(PHSUBW), ROW(PHSUBD), ROW(PHSUBSW),
    ROW(PCMPEQB), ROW(PCMPEQW), ROW(PCMPEQD), ROW(PCMPEQQ), ROW(PCMPGTB), ROW(PCMPGTW), ROW(PCMPGTD), ROW(PCMPGTQ),
    ROW(PSRLW), ROW(PSRLD), ROW(PSRLQ), ROW(PSRAW), ROW(PSRAD), ROW(PSLLW), ROW(PSLLD), ROW(PSLLQ),
    ROW(PSRLW_I), ROW(PSRLD_I), ROW(PSRLQ_I), ROW(PSRAW_I), ROW(PSRAD_I), ROW(PSLLW_I), ROW(PSLLD_I), ROW(PSLLQ_I),
    ROW(PSRLDQ_I), ROW(PSLLDQ_I), ROW(PALIGNR),
    ROW(PACKSSWB), ROW(PACKUSWB), ROW(PACKSSDW), ROW(PACKUSDW), ROW(PUNPCKLBW), ROW(PUNPCKHBW), ROW(PUNPCKLWD),
    ROW(PUNPCKHWD), ROW(PUNPCKLDQ), ROW(PUNPCKHDQ), ROW(PUNPCKLQDQ), ROW(PUNPCKHQDQ),
    ROW(PMOVSXBW), ROW(PMOVSXBD), ROW(PMOVSXBQ), ROW(PMOVSXWD), ROW(PMOVSXWQ), ROW(PMOVSXDQ),
    ROW(PMOVZXBW), ROW(PMOVZXBD), ROW(PMOVZXBQ), ROW(PMOVZXWD), ROW(PMOVZXWQ), ROW(PMOVZXDQ),
    ROW(PSHUFB), ROW(PSHUFD), ROW(PSHUFLW), ROW(PSHUFHW), ROW(SHUFPS), ROW(SHUFPD), ROW(BLENDPS), ROW(BLENDPD),
    ROW(PBLENDW), ROW(PBLENDVB), ROW(BLENDVPS), ROW(BLENDVPD), ROW(INSERTPS),
    ROW(UNPCKLPS), ROW(UNPCKHPS), ROW(UNPCKLPD), ROW(UNPCKHPD),
};

static VopFn *row_function(unsigned op)
{
    return vop_fallback_int[op] ?: vop_fallback_fp[op] ?: vop_fallback_crypto[op] ?: vop_fallback_avx[op];
}

/* Rows with a third vector, whose address comes as @zi. */
static bool has_z(unsigned op)
{
    return op >= IR_VOP_VFMADDPS || op == IR_VOP_PBLENDVB || op == IR_VOP_BLENDVPS || op == IR_VOP_BLENDVPD || op == IR_VOP_SHA256RNDS2;
}

uint64_t vop_fallback(void *env, uint32_t op_imm, const VopVec *x, const VopVec *y, uint64_t zi, VopVec *d)
{
    unsigned op = op_imm & 0xffff;
    VopArgs a = { .i = zi, .imm = op_imm >> 16 };

    if (x) {
        a.x = *x;
    }
    if (y) {
        a.y = *y;
    }
    if (has_z(op)) {
        a.z = *(const VopVec *)(uintptr_t)zi;
    }
    row_function(op)(&a);
    if (d) {
        *d = a.d;
    }
    return a.r;
}
