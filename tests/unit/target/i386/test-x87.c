/*
 * x87: the short paths of helper-x87.c against the whole state run through the host's x87, over
 * random and special operands, tags, control words and status words.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include "target/i386/tcg/fpu.h"
#include "target/i386/tcg/helper.h"
#include "target/i386/tcg/x87-native.h"

enum { ROUNDS = 20000 };

static uint64_t rng_state = 0x2545f4914f6cdd13ull;

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static FpuReg random_reg(void)
{
    static const struct { uint64_t mant; uint16_t se; } special[] = {
        { 0, 0 }, { 0, 0x8000 }, { 1ull << 63, 0x3fff }, { 1ull << 63, 0xbfff }, { 1ull << 63, 0x7fff },
        { 1ull << 63, 0xffff }, { 0xc000000000000000, 0xffff }, { 0xa000000000000001, 0x7fff },
        { 0xc000000000000123, 0x7fff }, { 1, 0 }, { 0x7fffffffffffffff, 0x8000 }, { 1ull << 63, 1 },
        { ~0ull, 0x7ffe }, { ~0ull, 0xfffe }, { 0x4000000000000000, 0x3fff }, { 0xfffffffffffffbff, 0x3fff + 62 },
        { 1ull << 63, 0x3fff + 63 }, { 1ull << 63, 0xbfff + 31 }, { 0xffffffff00000000, 0x3fff + 30 },
        { 0xc000000000000000, 0x3fff }, { 0xa000000000000000, 0x4000 }, { 0, 0x7fff },
    };
    FpuReg r = { 0 };
    unsigned pick = rng() % (2 * G_N_ELEMENTS(special));

    if (pick < G_N_ELEMENTS(special)) {
        r.parts.mant = special[pick].mant;
        r.parts.se = special[pick].se;
    } else {
        r.parts.mant = rng() | 1ull << 63;
        r.parts.se = (rng() & 0x8000) | (rng() % 8 ? 0x3fff - 40 + rng() % 80 : rng() & 0x7fff);
    }
    return r;
}

/* Mostly what programs have: all masked, no empty registers. */
static void random_state(CPUX86State *env)
{
    memset(env, 0, sizeof(*env));
    env->fpuc = (rng() & 0xf00) | (rng() % 8 ? 0x3f : rng() & 0x3f) | FPUC_ONE;
    if (rng() % 2) {
        env->fpuc = (env->fpuc & 0x3f) | 0x340;
    }
    env->fpstt = rng() & 7;
    env->fpus = rng() & (FPUS_CC | FPUS_SF | FPUS_EXC) & ~(~env->fpuc & FPUS_EXC);
    if (env->fpus & FPUS_SF) {
        env->fpus &= env->fpuc & FPUS_IE ? ~0 : ~FPUS_SF;
    }
    for (unsigned i = 0; i < 8; i++) {
        env->fpregs[i] = random_reg();
        env->fptags[i] = rng() % 4 == 0;
    }
    x87_control_changed(env);
    x87_enter(env);
}

static uint64_t random_m64(void)
{
    static const uint64_t v[] = {
        0, 1ull << 63, 0x3ff0000000000000, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000001,
        0x7ff0000000000001, 1, 0x800fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x4004000000000000,
    };
    return rng() % 2 ? v[rng() % G_N_ELEMENTS(v)] : rng();
}

static uint32_t random_m32(void)
{
    static const uint32_t v[] = {
        0, 0x80000000, 0x3f800000, 0x7f800000, 0xff800000, 0x7fc00001, 0x7f800001, 1, 0x807fffff, 0x00800000, 0x7f7fffff,
    };
    return rng() % 2 ? v[rng() % G_N_ELEMENTS(v)] : rng();
}

static void compare(const char *what, const CPUX86State *before, const CPUX86State *got, const CPUX86State *want)
{
    bool same = got->fpstt == want->fpstt && got->fpus == want->fpus && got->fpuc == want->fpuc
             && !memcmp(got->fptags, want->fptags, 8);

    for (unsigned i = 0; i < 8; i++) {
        same = same && (want->fptags[i] || !memcmp(got->fpregs[i].b, want->fpregs[i].b, 10));
    }
    if (same) {
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        g_printerr("  r%u %d:%04x:%016" PRIx64 "  got %d:%04x:%016" PRIx64 "  want %d:%04x:%016" PRIx64 "\n", i,
                   before->fptags[i], before->fpregs[i].parts.se, before->fpregs[i].parts.mant,
                   got->fptags[i], got->fpregs[i].parts.se, got->fpregs[i].parts.mant,
                   want->fptags[i], want->fpregs[i].parts.se, want->fpregs[i].parts.mant);
    }
    g_error("%s: top %u cw %04x sw %04x; got top %u sw %04x, want top %u sw %04x", what, before->fpstt, before->fpuc,
            before->fpus, got->fpstt, got->fpus, want->fpstt, want->fpus);
}

/* @call acts on "got", @esc and @modrm with operand @mem on "want". */
#define CHECK(call, esc, modrm, mem) \
    do { \
        for (unsigned round = 0; round < ROUNDS; round++) { \
            uint32_t i = rng() & 7, m32 = random_m32(); \
            uint64_t m64 = random_m64(); \
            (void)i, (void)m32, (void)m64; \
            random_state(before); \
            *got = *before; \
            *want = *before; \
            call; \
            x87_native(want, esc, modrm, mem); \
            compare(#call, before, got, want); \
        } \
    } while (0)

static CPUX86State *before, *got, *want;

static void test_loads(void)
{
    CHECK(helper_fld_st(got, i), 1, 0xc0 + i, NULL);
    CHECK(helper_fld_m32(got, m32), 1, 0 << 3, &m32);
    CHECK(helper_fld_m64(got, m64), 5, 0 << 3, &m64);
    CHECK(helper_fild(got, m64), 7, 5 << 3, &m64);
    CHECK(helper_fst_st(got, i, 0), 5, 0xd0 + i, NULL);
    CHECK(helper_fst_st(got, i, 1), 5, 0xd8 + i, NULL);
    CHECK(helper_fxch(got, i), 1, 0xc8 + i, NULL);
}

#define ARITH(name, reg, reg_sti) \
    CHECK(helper_##name##_st0(got, i), 0, 0xc0 + ((reg) << 3) + i, NULL); \
    CHECK(helper_##name##_sti(got, i, 0), 4, 0xc0 + ((reg_sti) << 3) + i, NULL); \
    CHECK(helper_##name##_sti(got, i, 1), 6, 0xc0 + ((reg_sti) << 3) + i, NULL); \
    CHECK(helper_##name##_m32(got, m32), 0, (reg) << 3, &m32); \
    CHECK(helper_##name##_m64(got, m64), 4, (reg) << 3, &m64)

static void test_arithmetic(void)
{
    ARITH(fadd, 0, 0);
    ARITH(fmul, 1, 1);
    ARITH(fsub, 4, 5);
    ARITH(fsubr, 5, 4);
    ARITH(fdiv, 6, 7);
    ARITH(fdivr, 7, 6);
    CHECK(helper_fiadd(got, m32), 2, 0 << 3, &m32);
    CHECK(helper_fimul(got, m32), 2, 1 << 3, &m32);
    CHECK(helper_fisub(got, m32), 2, 4 << 3, &m32);
    CHECK(helper_fisubr(got, m32), 2, 5 << 3, &m32);
    CHECK(helper_fidiv(got, m32), 2, 6 << 3, &m32);
    CHECK(helper_fidivr(got, m32), 2, 7 << 3, &m32);
    CHECK(helper_fsqrt(got), 1, 0xfa, NULL);
    CHECK(helper_frndint(got), 1, 0xfc, NULL);
    CHECK(helper_f2xm1(got), 1, 0xf0, NULL);
    CHECK(helper_fsin(got), 1, 0xfe, NULL);
    CHECK(helper_fcos(got), 1, 0xff, NULL);
    CHECK(helper_fprem(got), 1, 0xf8, NULL);
    CHECK(helper_fprem1(got), 1, 0xf5, NULL);
    CHECK(helper_fscale(got), 1, 0xfd, NULL);
    CHECK(helper_fyl2x(got), 1, 0xf1, NULL);
    CHECK(helper_fyl2xp1(got), 1, 0xf9, NULL);
    CHECK(helper_fpatan(got), 1, 0xf3, NULL);
    for (unsigned modrm = 0xe8; modrm <= 0xee; modrm++) {
        CHECK(helper_fld_const(got, modrm), 1, modrm, NULL);
    }
    CHECK(helper_fchs(got), 1, 0xe0, NULL);
    CHECK(helper_fabs(got), 1, 0xe1, NULL);
}

static void test_comparisons(void)
{
    CHECK(helper_fcom_st(got, i, 0), 0, 0xd0 + i, NULL);
    CHECK(helper_fcom_st(got, i, 1), 0, 0xd8 + i, NULL);
    CHECK(helper_fcom_st(got, 1, 2), 6, 0xd9, NULL);
    CHECK(helper_fcom_st(got, i, 4), 5, 0xe0 + i, NULL);
    CHECK(helper_fcom_st(got, i, 5), 5, 0xe8 + i, NULL);
    CHECK(helper_fcom_st(got, 1, 6), 2, 0xe9, NULL);
    CHECK(helper_fcom_m32(got, m32, 0), 0, 2 << 3, &m32);
    CHECK(helper_fcom_m32(got, m32, 1), 0, 3 << 3, &m32);
    CHECK(helper_fcom_m64(got, m64, 0), 4, 2 << 3, &m64);
    CHECK(helper_fcom_m64(got, m64, 1), 4, 3 << 3, &m64);
    CHECK(helper_ftst(got), 1, 0xe4, NULL);
    CHECK(helper_fxam(got), 1, 0xe5, NULL);
    CHECK(helper_ficom(got, m32, 0), 2, 2 << 3, &m32);
    CHECK(helper_ficom(got, m32, 1), 2, 3 << 3, &m32);
    CHECK(helper_ffree(got, i, 0), 5, 0xc0 + i, NULL);
    CHECK(helper_ffree(got, i, 1), 7, 0xc0 + i, NULL);
}

/* With flags in and out: @how as for helper_fcomi. */
static void check_fcomi(unsigned how, unsigned esc, unsigned modrm)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t flags = rng() & (CC_Z | CC_P | CC_C), native = flags, i = rng() & 7;
        X87Image img;

        random_state(before);
        *got = *before;
        *want = *before;
        flags = helper_fcomi(got, i, how, flags);
        x87_native_run(want, &img, esc, modrm + i, NULL, &native);
        x87_native_commit(want, &img);
        compare("fcomi", before, got, want);
        g_assert_cmphex(flags, ==, native);
    }
}

static void test_fcomi(void)
{
    check_fcomi(0, 3, 0xf0);
    check_fcomi(1, 7, 0xf0);
    check_fcomi(4, 3, 0xe8);
    check_fcomi(5, 7, 0xe8);
}

static void test_fcmov(void)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t flags = rng() & (CC_Z | CC_P | CC_C), native = flags;
        unsigned esc = 2 + (rng() & 1), modrm = 0xc0 + (rng() & 0x1f);
        X87Image img;

        random_state(before);
        *got = *before;
        *want = *before;
        helper_fcmov(got, esc, modrm, flags);
        x87_native_run(want, &img, esc, modrm, NULL, &native);
        x87_native_commit(want, &img);
        compare("fcmov", before, got, want);
    }
}

/* Exceptions raised on the host stay on the thread only as far as the guest has them too. */
static void test_flags_do_not_leak_to_another_cpu(void)
{
    FpuReg one = { .parts = { 1ull << 63, 0x3fff } }, three = { .parts = { 0xc000000000000000, 0x4000 } };

    for (unsigned n = 0; n < 2; n++) {
        CPUX86State *env = n ? want : got;

        memset(env, 0, sizeof(*env));
        x86_fpu_reset(env);
        env->fpregs[0] = one;
        env->fpregs[1] = n ? one : three;
        env->fptags[0] = env->fptags[1] = 0;
        helper_fdiv_st0(env, 1);
        g_assert_cmphex(env->fpus & FPUS_EXC, ==, n ? 0 : FPUS_PE);
    }
    helper_fnclex(got);
    got->fpregs[0] = one;
    got->fpregs[1] = one;
    helper_fdiv_st0(got, 1);
    g_assert_cmphex(got->fpus & FPUS_EXC, ==, 0);
}

static void test_control_word_keeps_existing_bits(void)
{
    uint16_t native;

    for (unsigned v = 0; v < 0x10000; v++) {
        uint16_t cw = v, init = FPUC_INIT;

        __asm__ volatile("fnclex\n\tfldcw %1\n\tfnstcw %0\n\tfldcw %2" : "=m"(native) : "m"(cw), "m"(init));
        memset(got, 0, sizeof(*got));
        x87_set_control(got, cw);
        g_assert_cmphex(got->fpuc, ==, native);
    }
}

int main(int argc, char **argv)
{
    X86CPU *cpus = aligned_alloc(64, 3 * sizeof(X86CPU));

    g_test_init(&argc, &argv, NULL);
    memset(cpus, 0, 3 * sizeof(X86CPU));
    before = &cpus[0].env;
    got = &cpus[1].env;
    want = &cpus[2].env;
    g_test_add_func("/i386/x87/loads", test_loads);
    g_test_add_func("/i386/x87/arithmetic", test_arithmetic);
    g_test_add_func("/i386/x87/comparisons", test_comparisons);
    g_test_add_func("/i386/x87/fcomi", test_fcomi);
    g_test_add_func("/i386/x87/fcmov", test_fcmov);
    g_test_add_func("/i386/x87/flags-do-not-leak-to-another-cpu", test_flags_do_not_leak_to_another_cpu);
    g_test_add_func("/i386/x87/control-word-keeps-existing-bits", test_control_word_keeps_existing_bits);
    return g_test_run();
}
