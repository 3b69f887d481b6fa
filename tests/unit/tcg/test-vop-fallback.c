/*
 * The vector fallbacks against the host's own instructions: every row of vecops.def, random and
 * special operands, all rounding modes, FTZ and DAZ, results and sticky flags.
 */
#include <glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tcg/vop-fallback.h"

typedef enum Shape {
    V1, V1I, V1IG, V2, V2I, V3, TOI32, TOI64, TOI32I, TOI32M, TOI64M, TOI32MI, TOI64MI, TOI32F,
    FRI32, FRI64, FRI32X, FRI64X, FRI32XI, FRI64XI, X1, X1MI, X2, X2W, X2I, X3, X3W,
} Shape;

enum { F_0, F_COMM, F_FPCR };

typedef struct Row {
    const char *name;
    Shape shape;
    uint8_t prefix;
    uint16_t map;
    uint8_t opcode, digit;
    const char *feature;
    int flags;
} Row;

static const Row rows[IR_VOP_COUNT] = {
#define VOP(NAME, shape, prefix, map, opcode, digit, feature, flags) \
    [IR_VOP_##NAME] = { #NAME, shape, prefix, map, opcode, digit, #feature, F_##flags },
#include "tcg/vecops.def"
#undef VOP
};

static bool shape_is(Shape s, uint32_t set) { return set >> s & 1; }
#define S(x) (1u << (x))
#define SET_W (S(TOI64) | S(TOI64M) | S(TOI64MI) | S(FRI64) | S(FRI64X) | S(FRI64XI) | S(X2W) | S(X3W))
#define SET_VEX (S(X1) | S(X1MI) | S(X2) | S(X2W) | S(X2I) | S(X3) | S(X3W))
#define SET_ORDER (S(X3) | S(X3W))
#define SET_Z (S(V3) | S(X3) | S(X3W))
#define SET_IMM (S(X1MI) | S(X2I) | S(V1I) | S(V1IG) | S(V2I) | S(TOI32I) | S(TOI32MI) | S(TOI64MI) | S(FRI32XI) | S(FRI64XI))
#define SET_TO (S(TOI32) | S(TOI64) | S(TOI32I) | S(TOI32M) | S(TOI64M) | S(TOI32MI) | S(TOI64MI) | S(TOI32F))
#define SET_FROM (S(FRI32) | S(FRI64) | S(FRI32X) | S(FRI64X) | S(FRI32XI) | S(FRI64XI))
#define SET_Y (S(V2) | S(V2I) | S(V3) | S(TOI32F))

static bool host_has(const char *feature)
{
    return !strcmp(feature, "SSE2")
        || (!strcmp(feature, "SSE3") && __builtin_cpu_supports("sse3"))
        || (!strcmp(feature, "SSSE3") && __builtin_cpu_supports("ssse3"))
        || (!strcmp(feature, "SSE41") && __builtin_cpu_supports("sse4.1"))
        || (!strcmp(feature, "SSE42") && __builtin_cpu_supports("sse4.2"))
        || (!strcmp(feature, "AES") && __builtin_cpu_supports("aes"))
        || (!strcmp(feature, "AVX") && __builtin_cpu_supports("avx"))
        || (!strcmp(feature, "AVX2") && __builtin_cpu_supports("avx2"))
        || (!strcmp(feature, "F16C") && __builtin_cpu_supports("avx2"))     /* every processor with AVX2 has it */
        || (!strcmp(feature, "FMA") && __builtin_cpu_supports("fma"))
        || (!strcmp(feature, "PCLMUL") && __builtin_cpu_supports("pclmul"));
}

/* SHA is not known to every compiler's __builtin_cpu_supports: CPUID 7.0.EBX bit 29. */
static bool host_has_sha(void)
{
    uint32_t a = 7, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return b >> 29 & 1;
}

/* --- the host's instruction: a function (x, y, z, integer, d) made of it --- */

typedef uint64_t HostFn(const VopVec *x, const VopVec *y, const VopVec *z, uint64_t i, VopVec *d);

static uint8_t *page;

static unsigned put(unsigned n, const void *bytes, unsigned len)
{
    memcpy(page + n, bytes, len);
    return n + len;
}

static uint8_t modrm_of(const Row *r)
{
    if (r->shape == V1IG) {
        return 0xc0 | r->digit << 3 | 1;
    }
    if (shape_is(r->shape, S(TOI32) | S(TOI64) | S(TOI32I))) {
        return 0xc0 | 0 << 3 | 1;                       /* eax, xmm1 */
    }
    if (shape_is(r->shape, S(TOI32M) | S(TOI64M) | S(TOI32MI) | S(TOI64MI))) {
        return 0xc0 | 1 << 3 | 0;                       /* xmm1, eax */
    }
    if (shape_is(r->shape, SET_FROM)) {
        return 0xc0 | 1 << 3 | 1;                       /* xmm1, ecx */
    }
    return shape_is(r->shape, SET_Y) ? 0xc0 | 1 << 3 | 2 : 0xc0 | 1 << 3 | 1;
}

/* VEX: xmm1 = op(xmm1, xmm2, xmm0), as far as the shape has operands.  Returns the length. */
static unsigned assemble_vex(const Row *r, uint8_t *insn, uint8_t imm)
{
    unsigned map = r->map == 0x0f38 ? 2 : r->map == 0x0f3a ? 3 : 1;
    unsigned pp = r->prefix == 0x66 ? 1 : r->prefix == 0xf3 ? 2 : r->prefix == 0xf2 ? 3 : 0;
    unsigned v = shape_is(r->shape, S(X1) | S(X1MI)) ? 0 : shape_is(r->shape, S(X3) | S(X3W)) ? 2 : 1;
    unsigned rm = shape_is(r->shape, S(X1) | S(X1MI)) ? 1 : shape_is(r->shape, S(X3) | S(X3W)) ? 0 : 2;

    insn[0] = 0xc4;
    insn[1] = 0xe0 | map;
    insn[2] = (shape_is(r->shape, SET_W) ? 0x80 : 0) | (~v & 15) << 3 | pp;
    insn[3] = r->opcode + (shape_is(r->shape, SET_ORDER) ? imm << 4 : 0);
    insn[4] = 0xc0 | 1 << 3 | rm;
    return 5;
}

static HostFn *assemble(const Row *r, uint8_t imm)
{
    static const uint8_t head[] = {
        0x66, 0x0f, 0x6f, 0x0f,         /* movdqa (%rdi), %xmm1 */
        0x66, 0x0f, 0x6f, 0x16,         /* movdqa (%rsi), %xmm2 */
        0x66, 0x0f, 0x6f, 0x02,         /* movdqa (%rdx), %xmm0 */
        0x31, 0xc0,                     /* xor %eax, %eax */
    };
    static const uint8_t flags[] = { 0x9c, 0x58, 0x83, 0xe0, 0x45 };    /* pushf; pop %rax; and $0x45, %eax */
    static const uint8_t tail[] = { 0x66, 0x41, 0x0f, 0x7f, 0x08, 0xc3 };   /* movdqa %xmm1, (%r8); ret */
    uint8_t insn[8];
    unsigned n = 0, at;

    g_assert_cmpint(mprotect(page, 4096, PROT_READ | PROT_WRITE), ==, 0);
    if (shape_is(r->shape, SET_VEX)) {
        n = assemble_vex(r, insn, imm);
    } else {
        if (r->prefix) {
            insn[n++] = r->prefix;
        }
        if (shape_is(r->shape, SET_W)) {
            insn[n++] = 0x48;
        }
        insn[n++] = 0x0f;
        if (r->map != 0x0f) {
            insn[n++] = r->map & 0xff;
        }
        insn[n++] = r->opcode;
        insn[n++] = modrm_of(r);
    }
    at = put(0, head, sizeof(head));
    at = put(at, insn, n);
    if (shape_is(r->shape, SET_IMM)) {
        at = put(at, &imm, 1);
    }
    if (r->shape == TOI32F) {
        at = put(at, flags, sizeof(flags));
    }
    put(at, tail, sizeof(tail));
    g_assert_cmpint(mprotect(page, 4096, PROT_READ | PROT_EXEC), ==, 0);
    return (HostFn *)(uintptr_t)page;
}

/* --- operands --- */

static uint64_t rng_state = 0x9e3779b97f4a7c13ull;

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static uint32_t special32(void)
{
    static const uint32_t v[] = {
        0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00001, 0xffc00123, 0x7f800001, 0xffa00000,
        1, 0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff, 0x4effffff, 0x4f000000, 0xcf000000, 0xcf000001, 0x5f000000,
        0x3f000000, 0x3fc00000, 0x40200000, 0x4b000000, 0x4b000001, 0x4affffff, 0x3effffff, 0xbf000000,
    };
    return rng() % 3 ? v[rng() % G_N_ELEMENTS(v)] : rng();
}

static uint64_t special64(void)
{
    static const uint64_t v[] = {
        0, 1ull << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
        0x7ff8000000000001, 0xfff8000000000123, 0x7ff0000000000001, 0xfff4000000000000, 1, 0x8000000000000001,
        0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x41dfffffffc00000, 0x41e0000000000000,
        0xc1e0000000000000, 0xc1e0000000200000, 0x43e0000000000000, 0xc3e0000000000000, 0x3fe0000000000000,
        0x3ff8000000000000, 0x4004000000000000, 0x41dfffffffe00000, 0x3810000000000000, 0x36a0000000000000,
        0x47efffffe0000000, 0x47efffffefffffff, 0x47effffff0000000, 0x4330000000000001, 0x432fffffffffffff,
    };
    return rng() % 3 ? v[rng() % G_N_ELEMENTS(v)] : rng();
}

static VopVec operand(const Row *r, unsigned round)
{
    VopVec v;

    for (unsigned k = 0; k < 4; k++) {
        v.l[k] = r->flags == F_FPCR || round & 1 ? special32() : rng();
    }
    if (round & 2) {
        v.q[0] = special64();
        v.q[1] = special64();
    }
    if (round % 8 == 4) {                               /* small numbers: shift counts, equal elements */
        for (unsigned k = 0; k < 16; k++) {
            v.b[k] = rng() % 3;
        }
    }
    if (round % 8 == 0 && r->flags == F_FPCR) {         /* values near each other, so that sums round */
        for (unsigned k = 0; k < 4; k++) {
            v.l[k] = (rng() & 0x80ffffff) | 0x3f000000;
        }
    }
    return v;
}

/* --- one case --- */

static bool near_enough(uint32_t got, uint32_t want)
{
    union { uint32_t u; float f; } g = { got }, w = { want };
    double err;

    if (got == want) {
        return true;
    }
    err = ((double)g.f - w.f) / w.f;
    return err < 1.0 / 1024 && err > -1.0 / 1024;       /* each within 1.5 * 2^-12 of the truth */
}

static bool is_nan(const Row *r, const VopVec *v, unsigned k)
{
    return g_str_has_suffix(r->name, "PD") ? isnan(v->d[k / 2]) : isnan(v->s[k]);
}

/* Whose payload a sum of several NaNs has depends on the order of the additions, which differs between processors. */
static bool same_but_nans(const Row *r, const VopVec *got, const VopVec *want)
{
    for (unsigned k = 0; k < 4; k++) {
        if (got->l[k] != want->l[k] && !(is_nan(r, got, k) && is_nan(r, want, k))) {
            return false;
        }
    }
    return true;
}

static bool same_result(const Row *r, const VopVec *got, const VopVec *want)
{
    if (g_str_has_prefix(r->name, "DPP")) {
        return same_but_nans(r, got, want);
    }
    if (g_str_has_prefix(r->name, "RCP") || g_str_has_prefix(r->name, "RSQRT")) {
        for (unsigned k = 0; k < 4; k++) {
            if (!near_enough(got->l[k], want->l[k])) {
                return false;
            }
        }
        return true;
    }
    return !memcmp(got, want, sizeof(*got));
}

static void check_case(IrVop op, HostFn *host, uint8_t imm, uint32_t csr, unsigned round)
{
    const Row *r = &rows[op];
    VopVec x = operand(r, round), y = operand(r, round), z = operand(r, round), want = x, got = x;
    uint64_t i = round & 1 ? special64() : rng(), want_i, got_i, zi = shape_is(r->shape, SET_Z) ? (uintptr_t)&z : i;
    uint32_t saved = __builtin_ia32_stmxcsr(), want_csr, got_csr;

    if (round % 5 == 0) {
        y = x;
    }
    __builtin_ia32_ldmxcsr(csr);
    want_i = host(&x, &y, &z, i, &want);
    want_csr = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(csr);
    got_i = vop_fallback(NULL, VOP_FALLBACK_OP(op, imm), &x, &y, zi, &got);
    got_csr = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(saved);
    if (shape_is(r->shape, SET_TO)) {
        got = want;
    } else {
        want_i = got_i;
    }
    if (!same_result(r, &got, &want) || got_i != want_i || got_csr != want_csr) {
        g_error("%s imm %02x mxcsr %04x: x %016" PRIx64 "%016" PRIx64 " y %016" PRIx64 "%016" PRIx64
                " z %016" PRIx64 "%016" PRIx64 " i %016" PRIx64 ": got %016" PRIx64 "%016" PRIx64 " %016" PRIx64 " csr %04x"
                ", want %016" PRIx64 "%016" PRIx64 " %016" PRIx64 " csr %04x",
                r->name, imm, csr, x.q[1], x.q[0], y.q[1], y.q[0], z.q[1], z.q[0], i, got.q[1], got.q[0], got_i, got_csr,
                want.q[1], want.q[0], want_i, want_csr);
    }
}

static void test_row(gconstpointer data)
{
    IrVop op = GPOINTER_TO_UINT(data);
    const Row *r = &rows[op];
    bool has_imm = shape_is(r->shape, SET_IMM);

    if (!host_has(r->feature) && !(!strcmp(r->feature, "SHA") && host_has_sha())) {
        g_test_skip("the host does not have the instruction");
        return;
    }
    for (unsigned n = 0; n < (has_imm ? 256 : shape_is(r->shape, SET_ORDER) ? 48 : 16); n++) {
        uint8_t imm = shape_is(r->shape, SET_ORDER) ? n % 3 : n;
        HostFn *host = assemble(r, imm);

        if (!strncmp(r->name, "CMP", 3) || !strncmp(r->name, "VCMP", 4)) {
            imm &= r->name[0] == 'V' ? 31 : 7;
            host = assemble(r, imm);
        }
        for (unsigned round = 0; round < 64; round++) {
            uint32_t csr = 0x1f80;

            if (r->flags == F_FPCR) {
                csr |= (rng() & 3) << 13 | (rng() & 1) << 15 | (rng() & 1) << 6;
            }
            check_case(op, host, imm, csr, round);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_true(page != MAP_FAILED);
    for (unsigned op = IR_VOP_NONE + 1; op < IR_VOP_COUNT; op++) {
        g_autofree char *path = g_strdup_printf("/tcg/vop-fallback/%s", rows[op].name);

        g_test_add_data_func(path, GUINT_TO_POINTER(op), test_row);
    }
    return g_test_run();
}
