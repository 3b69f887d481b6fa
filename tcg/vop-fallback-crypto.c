/*
 * Vector operations in portable C: AES, carry-less multiplication, SHA.
 *
 * Reference: FIPS 197, FIPS 180-4; SDM Vol.2.  The S-box is computed once from its definition (the
 * inverse in GF(2^8), then an affine map).  Not constant-time: for hosts without the instructions.
 */
#include "tcg/vop-fallback-internal.h"

/* --- GF(2^8), FIPS 197 section 4 --- */

static uint8_t gf_mul(uint8_t a, uint8_t b)
{
    uint8_t r = 0;

    for (; b; b >>= 1) {
        if (b & 1) {
            r ^= a;
        }
        a = a << 1 ^ (a & 0x80 ? 0x1b : 0);
    }
    return r;
}

static uint8_t rotl8(uint8_t v, unsigned n)
{
    return v << n | v >> (8 - n);
}

typedef struct Sbox {
    uint8_t fwd[256], inv[256];
} Sbox;

/* 3 generates the multiplicative group: walk p = 3^n and q = 3^-n together. */
static Sbox *sbox_new(void)
{
    Sbox *s = g_new0(Sbox, 1);
    uint8_t p = 1, q = 1;

    do {
        uint8_t v;

        p = gf_mul(p, 3);
        q = gf_mul(q, 0xf6);
        v = q ^ rotl8(q, 1) ^ rotl8(q, 2) ^ rotl8(q, 3) ^ rotl8(q, 4) ^ 0x63;
        s->fwd[p] = v;
        s->inv[v] = p;
    } while (p != 1);
    s->fwd[0] = 0x63;
    s->inv[0x63] = 0;
    return s;
}

static const Sbox *sbox(void)
{
    static Sbox *once;

    if (g_once_init_enter(&once)) {
        g_once_init_leave(&once, sbox_new());
    }
    return once;
}

/* --- AES rounds; byte 4c + r is row r of column c --- */

static VopVec shift_rows_sub(const VopVec *v, bool inverse)
{
    const Sbox *s = sbox();
    VopVec d;

    for (unsigned c = 0; c < 4; c++) {
        for (unsigned r = 0; r < 4; r++) {
            unsigned from = inverse ? c + 4 - r : c + r;
            uint8_t b = v->b[4 * (from & 3) + r];

            d.b[4 * c + r] = inverse ? s->inv[b] : s->fwd[b];
        }
    }
    return d;
}

static VopVec mix_columns(const VopVec *v, const uint8_t m[4])
{
    VopVec d = { 0 };

    for (unsigned c = 0; c < 4; c++) {
        for (unsigned r = 0; r < 4; r++) {
            for (unsigned j = 0; j < 4; j++) {
                d.b[4 * c + r] ^= gf_mul(v->b[4 * c + ((r + j) & 3)], m[j]);
            }
        }
    }
    return d;
}

static const uint8_t mix[4] = { 2, 3, 1, 1 }, inv_mix[4] = { 14, 11, 13, 9 };

static VopVec xor_vec(VopVec x, VopVec y)
{
    x.q[0] ^= y.q[0];
    x.q[1] ^= y.q[1];
    return x;
}

static void op_AESENC(VopArgs *a)
{
    VopVec t = shift_rows_sub(&a->x, false);

    a->d = xor_vec(mix_columns(&t, mix), a->y);
}

static void op_AESENCLAST(VopArgs *a)
{
    a->d = xor_vec(shift_rows_sub(&a->x, false), a->y);
}

static void op_AESDEC(VopArgs *a)
{
    VopVec t = shift_rows_sub(&a->x, true);

    a->d = xor_vec(mix_columns(&t, inv_mix), a->y);
}

static void op_AESDECLAST(VopArgs *a)
{
    a->d = xor_vec(shift_rows_sub(&a->x, true), a->y);
}

static void op_AESIMC(VopArgs *a)
{
    a->d = mix_columns(&a->x, inv_mix);
}

static uint32_t sub_word(uint32_t w)
{
    const Sbox *s = sbox();

    return s->fwd[w & 0xff] | s->fwd[w >> 8 & 0xff] << 8 | s->fwd[w >> 16 & 0xff] << 16 | (uint32_t)s->fwd[w >> 24] << 24;
}

static uint32_t ror32(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

static uint32_t rol32(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static void op_AESKEYGENASSIST(VopArgs *a)
{
    for (unsigned k = 0; k < 2; k++) {
        uint32_t w = sub_word(a->x.l[2 * k + 1]);

        a->d.l[2 * k] = w;
        a->d.l[2 * k + 1] = ror32(w, 8) ^ a->imm;
    }
}

/* --- carry-less product; imm bit 0 picks x's half, bit 4 y's --- */

static void op_PCLMULQDQ(VopArgs *a)
{
    uint64_t x = a->x.q[a->imm & 1], y = a->y.q[a->imm >> 4 & 1];

    for (unsigned n = 0; n < 64; n++) {
        if (y >> n & 1) {
            a->d.q[0] ^= x << n;
            a->d.q[1] ^= n ? x >> (64 - n) : 0;
        }
    }
}

/* --- SHA-1: element 3 is the first word --- */

static void op_SHA1NEXTE(VopArgs *a)
{
    a->d = a->y;
    a->d.l[3] += rol32(a->x.l[3], 30);
}

static void op_SHA1MSG1(VopArgs *a)
{
    a->d.l[3] = a->x.l[1] ^ a->x.l[3];
    a->d.l[2] = a->x.l[0] ^ a->x.l[2];
    a->d.l[1] = a->y.l[3] ^ a->x.l[1];
    a->d.l[0] = a->y.l[2] ^ a->x.l[0];
}

static void op_SHA1MSG2(VopArgs *a)
{
    a->d.l[3] = rol32(a->x.l[3] ^ a->y.l[2], 1);
    a->d.l[2] = rol32(a->x.l[2] ^ a->y.l[1], 1);
    a->d.l[1] = rol32(a->x.l[1] ^ a->y.l[0], 1);
    a->d.l[0] = rol32(a->x.l[0] ^ a->d.l[3], 1);
}

static uint32_t sha1_f(unsigned kind, uint32_t b, uint32_t c, uint32_t d)
{
    switch (kind) {
    case 0:
        return (b & c) ^ (~b & d);
    case 2:
        return (b & c) ^ (b & d) ^ (c & d);
    default:
        return b ^ c ^ d;
    }
}

static void op_SHA1RNDS4(VopArgs *a)
{
    static const uint32_t key[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
    unsigned kind = a->imm & 3;
    uint32_t v[5] = { a->x.l[3], a->x.l[2], a->x.l[1], a->x.l[0], 0 };

    for (unsigned n = 0; n < 4; n++) {
        uint32_t t = sha1_f(kind, v[1], v[2], v[3]) + rol32(v[0], 5) + a->y.l[3 - n] + v[4] + key[kind];

        v[4] = v[3];
        v[3] = v[2];
        v[2] = rol32(v[1], 30);
        v[1] = v[0];
        v[0] = t;
    }
    for (unsigned k = 0; k < 4; k++) {
        a->d.l[k] = v[3 - k];
    }
}

/* --- SHA-256 --- */

static uint32_t sigma0(uint32_t v)
{
    return ror32(v, 7) ^ ror32(v, 18) ^ v >> 3;
}

static uint32_t sigma1(uint32_t v)
{
    return ror32(v, 17) ^ ror32(v, 19) ^ v >> 10;
}

static void op_SHA256MSG1(VopArgs *a)
{
    for (unsigned k = 0; k < 4; k++) {
        a->d.l[k] = a->x.l[k] + sigma0(k < 3 ? a->x.l[k + 1] : a->y.l[0]);
    }
}

static void op_SHA256MSG2(VopArgs *a)
{
    a->d.l[0] = a->x.l[0] + sigma1(a->y.l[2]);
    a->d.l[1] = a->x.l[1] + sigma1(a->y.l[3]);
    a->d.l[2] = a->x.l[2] + sigma1(a->d.l[0]);
    a->d.l[3] = a->x.l[3] + sigma1(a->d.l[1]);
}

/* Two rounds: x = C D G H, y = A B E F (element 3 first), z = W + K. */
static void op_SHA256RNDS2(VopArgs *a)
{
    uint32_t s[8] = { a->y.l[3], a->y.l[2], a->x.l[3], a->x.l[2], a->y.l[1], a->y.l[0], a->x.l[1], a->x.l[0] };

    for (unsigned n = 0; n < 2; n++) {
        uint32_t e = s[4], t1, t2;

        t1 = s[7] + (ror32(e, 6) ^ ror32(e, 11) ^ ror32(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + a->z.l[n];
        t2 = (ror32(s[0], 2) ^ ror32(s[0], 13) ^ ror32(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(&s[1], &s[0], 7 * sizeof(s[0]));
        s[4] += t1;
        s[0] = t1 + t2;
    }
    a->d = (VopVec){ .l = { s[5], s[4], s[1], s[0] } };
}

#define ROW(NAME) [IR_VOP_##NAME] = op_##NAME
VopFn *const vop_fallback_crypto[IR_VOP_COUNT] = {
    ROW(AESENC), ROW(AESENCLAST), ROW(AESDEC), ROW(AESDECLAST), ROW(AESIMC), ROW(AESKEYGENASSIST), ROW(PCLMULQDQ),
    ROW(SHA1NEXTE), ROW(SHA1MSG1), ROW(SHA1MSG2), ROW(SHA1RNDS4), ROW(SHA256MSG1), ROW(SHA256MSG2), ROW(SHA256RNDS2),
};
