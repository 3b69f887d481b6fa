/*
 * Random operands: integers that carry and overflow, floating-point values of every class.
 */
#include "isa.h"

static uint64_t rng_state = 1;

void isa_seed(uint64_t seed)
{
    rng_state = seed;
}

uint64_t isa_rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state * 0x2545f4914f6cdd1dull;
}

/* Values that carry, overflow and vanish more often than random ones. */
uint64_t isa_interesting(void)
{
    static const uint64_t some[] = {
        0, 1, 2, 9, 0x0f, 0x10, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
        0x100000000, 0x7fffffffffffffff, 0x8000000000000000, ~0ull, ~1ull, 0xffffffff80000000,
    };
    uint64_t r = isa_rng();

    switch (r & 7) {
    case 0: case 1: case 2:
        return some[(r >> 8) % ARRAY_SIZE(some)];
    case 3:
        return (int64_t)(int8_t)(r >> 8);
    case 4:
        return r >> (r >> 3 & 63);
    default:
        return isa_rng();
    }
}

static const uint64_t float_bits[] = {
    0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
    0x7ff8000000000000, 0x7ff0000000000001, 0x0000000000000001, 0x000fffffffffffff, 0x7fefffffffffffff, 0x41dfffffffc00000,
    0x43e0000000000000, 0x3f8000003f800000, 0x7f8000007f800000, 0xff8000007fc00000, 0x000000017f7fffff, 0x4f0000004effffff,
};

/* Floating-point operands of both widths, besides integers. */
uint64_t isa_interesting_vector(void)
{
    uint64_t r = isa_rng();

    switch (r & 3) {
    case 0:
        return float_bits[(r >> 8) % ARRAY_SIZE(float_bits)];
    case 1:
        return (isa_rng() & 0x800fffffffffffffull) | (0x3f0 + (r >> 8) % 32) << 52;
    case 2:
        return (isa_rng() & 0x807fffff807fffffull) | (0x78 + (r >> 8) % 16) << 23 | (uint64_t)(0x78 + (r >> 16) % 16) << 55;
    default:
        return isa_interesting();
    }
}

static void random_st(uint8_t *st)
{
    static const uint16_t exponents[] = { 0, 1, 0x3fff, 0x3ffe, 0x4000, 0x403e, 0x43ff, 0x7ffe, 0x7fff, 0x3c00, 0xbfff };
    uint64_t mant = isa_rng() % 3 ? isa_rng() | 1ull << 63 : (isa_rng() & 1 ? 1ull << 63 : isa_interesting());
    uint16_t exponent = isa_rng() % 3 ? 0x3fff + (int)(isa_rng() % 64) - 32 : exponents[isa_rng() % ARRAY_SIZE(exponents)];

    if (!(exponent & 0x7fff) && mant >> 63) {
        mant &= ~(1ull << 63);          /* no pseudo-denormals: compiled code never sees them */
    } else if (exponent & 0x7fff) {
        mant |= 1ull << 63;             /* no unsupported formats */
    }
    exponent ^= isa_rng() & 0x8000;
    memcpy(st, &mant, 8);
    memcpy(st + 8, &exponent, 2);
}

void isa_random_fx(IsaFx *fx, uint64_t form_flags)
{
    fx->fcw = 0x37f;
    fx->mxcsr = 0x1f80;
    if (form_flags & FORM_MMX) {
        fx->ftw = isa_rng() & 1 ? 0xff : isa_rng();
        fx->fsw = (isa_rng() & 7) << 11 | (isa_rng() & 0x4700);
        fx->fcw = 0x37f & ~(isa_rng() & 1 ? 0 : (isa_rng() & 3) << 8);
        fx->fcw |= (isa_rng() & 3) << 10;
        for (unsigned n = 0; n < 8; n++) {
            random_st(fx->st[n].b);
        }
    }
    if (form_flags & FORM_XMM) {
        fx->mxcsr |= (isa_rng() & 1 ? (isa_rng() & 3) << 13 : 0);
    }
    for (unsigned n = 0; n < 16 && form_flags & FORM_XMM; n++) {
        fx->xmm[n].q[0] = isa_interesting_vector();
        fx->xmm[n].q[1] = isa_interesting_vector();
    }
}

void isa_random_ymmh(IsaState *st)
{
    for (unsigned n = 0; n < 16; n++) {
        st->ymmh[n].q[0] = isa_interesting_vector();
        st->ymmh[n].q[1] = isa_interesting_vector();
    }
}
