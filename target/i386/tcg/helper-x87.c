/*
 * x87 instructions: short paths on the host's x87 for what programs do all the time.
 *
 * A short path is taken when all exceptions are masked and the registers involved are neither
 * empty where they are read nor full where they are pushed.  Everything else goes through x87-native.c.
 *
 * Helpers find the host's register stack empty and its control word as TcgEnv.guest_fpcw says: the guest's rounding
 * and precision, all masked.
 *
 * Invariant: the host's sticky exception flags are a subset of the guest's.  So flags need not be cleared before each
 * operation: after it, the host's are OR-ed to the guest's.  A fault that leaves a helper in between leaves translated
 * code, and entering it clears them.
 *
 * An unmasked exception sets ES; the next waiting instruction then raises #MF (x87_check).
 * Memory results are stored before the register stack changes, so that a page fault finds it as it was.
 *
 * Reference: SDM Vol.1 chapter 8; Vol.2 F*.
 */
#include "target/i386/tcg/fpu.h"
#include "target/i386/tcg/helper.h"
#include "target/i386/tcg/x87-native.h"

/* SDM Vol.3 2.5, CR0.NE: #MF, or FERR# and so IRQ 13 through the chipset. */
void __attribute__((cold)) x87_pending(CPUX86State *env, uintptr_t ra)
{
    if (env->cr[0] & CR0_NE) {
        x86_raise(env, EXCP10_COPR, ra);
    }
    x86_fpu_ferr(env);
}

#define x87_check(env) \
    do { \
        if (unlikely((env)->fpus & FPUS_ES)) { \
            x87_pending(env, GETPC()); \
        } \
    } while (0)

static inline FpuReg *st(CPUX86State *env, unsigned i)
{
    return &env->fpregs[(env->fpstt + i) & 7];
}

static inline bool st_valid(const CPUX86State *env, unsigned i)
{
    return !env->fptags[(env->fpstt + i) & 7];
}

static inline bool all_masked(const CPUX86State *env)
{
    return (env->fpuc & FPUS_EXC) == FPUS_EXC;
}

/* May an instruction that reads ST(i) and changes ST(0) take the short path?  And one that pushes? */
static inline bool short_ok(const CPUX86State *env, unsigned i)
{
    return likely(all_masked(env) && st_valid(env, 0) && st_valid(env, i));
}

static inline bool short_push_ok(const CPUX86State *env)
{
    return likely(all_masked(env) && !st_valid(env, 7));
}

static inline void push(CPUX86State *env, FpuReg v)
{
    env->fpstt = (env->fpstt - 1) & 7;
    env->fptags[env->fpstt] = 0;
    env->fpregs[env->fpstt] = v;
}

static inline void pop(CPUX86State *env)
{
    env->fptags[env->fpstt] = 1;
    env->fpstt = (env->fpstt + 1) & 7;
}

/* Take the host's flags and the condition codes of @cc over. */
static inline void take_status(CPUX86State *env, uint16_t sw, uint16_t cc)
{
    env->fpus = (env->fpus & ~cc) | (sw & (FPUS_EXC | cc));
}

/* For operations that raise nothing and clear C1. */
static inline void clear_c1(CPUX86State *env)
{
    env->fpus &= ~FPUS_C1;
}

#define X87_CLOBBERS "st", "st(1)"

/* --- loads --- */

void helper_fld_st(CPUX86State *env, uint32_t i)
{
    x87_check(env);
    if (short_push_ok(env) && st_valid(env, i)) {
        push(env, *st(env, i));
        clear_c1(env);
    } else {
        x87_native(env, 1, 0xc0 + i, NULL);
    }
}

void helper_fld_m80(CPUX86State *env, uint64_t addr)
{
    FpuReg v;

    x87_check(env);
    x86_ld_block(env, addr, v.b, 10, GETPC());
    if (short_push_ok(env)) {
        push(env, v);
        clear_c1(env);
    } else {
        x87_native(env, 3, 5 << 3, v.b);
    }
}

#define DEFINE_LOAD(name, ctype, insn, esc, reg) \
    void helper_##name(CPUX86State *env, ctype v) \
    { \
        x87_check(env); \
        if (short_push_ok(env)) { \
            FpuReg r; \
            uint16_t sw; \
            __asm__ volatile(insn " %2\n\tfnstsw %0\n\tfstpt %1" : "=a"(sw), "=m"(r.f) : "m"(v) : X87_CLOBBERS); \
            push(env, r); \
            take_status(env, sw, FPUS_C1); \
        } else { \
            x87_native(env, esc, (reg) << 3, &v); \
        } \
    }
DEFINE_LOAD(fld_m32, uint32_t, "flds", 1, 0)
DEFINE_LOAD(fld_m64, uint64_t, "fldl", 5, 0)
DEFINE_LOAD(fild, uint64_t, "fildll", 7, 5)

void helper_fbld(CPUX86State *env, uint64_t addr)
{
    uint8_t buf[10];

    x87_check(env);
    x86_ld_block(env, addr, buf, 10, GETPC());
    x87_native(env, 7, 4 << 3, buf);
}

/* --- stores: the value is computed, stored to memory, and only then is the state changed --- */

/* Memory form @esc /@reg that stores @n bytes, by the long way. */
static __attribute__((noinline, cold)) void store_native(CPUX86State *env, unsigned esc, unsigned reg, uint64_t addr, unsigned n, uintptr_t ra)
{
    X87Image img;
    uint8_t buf[16] = { 0 };

    x87_native_run(env, &img, esc, reg << 3, buf, NULL);
    /* An unmasked exception other than precision suppresses the store, but not its page fault. */
    if (!(img.sw & ~env->fpuc & FPUS_EXC & ~FPUS_PE)) {
        x86_st_block(env, addr, buf, n, ra);
    } else {
        x86_probe_st_block(env, addr, n, ra);
    }
    x87_native_commit(env, &img);
}

static void store_value(CPUX86State *env, uint64_t addr, uint64_t v, unsigned bytes, uintptr_t ra)
{
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned idx = x86_mmu_index(env);

    if (bytes == 8) {
        cpu_stq(cpu, addr, v, idx, ra);
    } else if (bytes == 4) {
        cpu_stl(cpu, addr, v, idx, ra);
    } else {
        cpu_stw(cpu, addr, v, idx, ra);
    }
}

/* @do_pop is 0 or 1; the ModRM reg field of the guest's instruction is @reg + do_pop. */
#define DEFINE_STORE(name, ctype, insn, esc, reg) \
    void helper_##name(CPUX86State *env, uint64_t addr, uint32_t do_pop) \
    { \
        x87_check(env); \
        if (short_ok(env, 0)) { \
            ctype v; \
            uint16_t sw; \
            __asm__ volatile("fldt %2\n\t" insn " %1\n\tfnstsw %0" \
                             : "=a"(sw), "=m"(v) : "m"(st(env, 0)->f) : X87_CLOBBERS); \
            store_value(env, addr, v, sizeof(v), GETPC()); \
            take_status(env, sw, FPUS_C1); \
            if (do_pop) { \
                pop(env); \
            } \
        } else { \
            store_native(env, esc, (reg) + do_pop, addr, sizeof(ctype), GETPC()); \
        } \
    }
DEFINE_STORE(fst_m32, uint32_t, "fstps", 1, 2)
DEFINE_STORE(fst_m64, uint64_t, "fstpl", 5, 2)
DEFINE_STORE(fist_m16, uint16_t, "fistps", 7, 2)
DEFINE_STORE(fist_m32, uint32_t, "fistpl", 3, 2)
DEFINE_STORE(fist_m64, uint64_t, "fistpll", 7, 6)
DEFINE_STORE(fisttp_m16, uint16_t, "fisttps", 7, 0)
DEFINE_STORE(fisttp_m32, uint32_t, "fisttpl", 3, 0)
DEFINE_STORE(fisttp_m64, uint64_t, "fisttpll", 5, 0)

void helper_fstp_m80(CPUX86State *env, uint64_t addr)
{
    x87_check(env);
    if (short_ok(env, 0)) {
        x86_st_block(env, addr, st(env, 0)->b, 10, GETPC());
        pop(env);
        clear_c1(env);
    } else {
        store_native(env, 3, 7, addr, 10, GETPC());
    }
}

void helper_fbstp(CPUX86State *env, uint64_t addr)
{
    x87_check(env);
    store_native(env, 7, 6, addr, 10, GETPC());
}

void helper_fst_st(CPUX86State *env, uint32_t i, uint32_t do_pop)
{
    x87_check(env);
    if (short_ok(env, 0)) {
        *st(env, i) = *st(env, 0);
        env->fptags[(env->fpstt + i) & 7] = 0;
        clear_c1(env);
        if (do_pop) {
            pop(env);
        }
    } else {
        x87_native(env, 5, (do_pop ? 0xd8 : 0xd0) + i, NULL);
    }
}

/* --- arithmetic --- */

/*
 * ST(0) = ST(0) op ST(i); ST(i) = ST(i) op ST(0) with or without a pop; ST(0) = ST(0) op memory.
 * The asm text has the destination in st(0); @reg: ModRM reg field of D8; @reg_sti: of DC and DE.
 */
#define DEFINE_ARITH(name, insn, minsn, reg, reg_sti) \
    void helper_##name##_st0(CPUX86State *env, uint32_t i) \
    { \
        x87_check(env); \
        if (short_ok(env, i)) { \
            uint16_t sw; \
            __asm__ volatile("fldt %2\n\tfldt %1\n\t" insn " %%st(1), %%st\n\tfnstsw %0\n\tfstpt %1\n\tfstp %%st" \
                             : "=&a"(sw), "+m"(st(env, 0)->f) : "m"(st(env, i)->f) : X87_CLOBBERS); \
            take_status(env, sw, FPUS_C1); \
        } else { \
            x87_native(env, 0, 0xc0 + ((reg) << 3) + i, NULL); \
        } \
    } \
    void helper_##name##_sti(CPUX86State *env, uint32_t i, uint32_t do_pop) \
    { \
        x87_check(env); \
        if (short_ok(env, i)) { \
            uint16_t sw; \
            __asm__ volatile("fldt %2\n\tfldt %1\n\t" insn " %%st(1), %%st\n\tfnstsw %0\n\tfstpt %1\n\tfstp %%st" \
                             : "=&a"(sw), "+m"(st(env, i)->f) : "m"(st(env, 0)->f) : X87_CLOBBERS); \
            take_status(env, sw, FPUS_C1); \
            if (do_pop) { \
                pop(env); \
            } \
        } else { \
            x87_native(env, do_pop ? 6 : 4, 0xc0 + ((reg_sti) << 3) + i, NULL); \
        } \
    } \
    DEFINE_ARITH_MEM(name##_m32, uint32_t, minsn "s", 0, reg) \
    DEFINE_ARITH_MEM(name##_m64, uint64_t, minsn "l", 4, reg)

#define DEFINE_ARITH_MEM(name, ctype, insn, esc, reg) \
    void helper_##name(CPUX86State *env, ctype v) \
    { \
        x87_check(env); \
        if (short_ok(env, 0)) { \
            uint16_t sw; \
            __asm__ volatile("fldt %1\n\t" insn " %2\n\tfnstsw %0\n\tfstpt %1" \
                             : "=&a"(sw), "+m"(st(env, 0)->f) : "m"(v) : X87_CLOBBERS); \
            take_status(env, sw, FPUS_C1); \
        } else { \
            x87_native(env, esc, (reg) << 3, &v); \
        } \
    }

DEFINE_ARITH(fadd, "fadd", "fadd", 0, 0)
DEFINE_ARITH(fmul, "fmul", "fmul", 1, 1)
DEFINE_ARITH(fsub, "fsub", "fsub", 4, 5)
DEFINE_ARITH(fsubr, "fsubr", "fsubr", 5, 4)
DEFINE_ARITH(fdiv, "fdiv", "fdiv", 6, 7)
DEFINE_ARITH(fdivr, "fdivr", "fdivr", 7, 6)
DEFINE_ARITH_MEM(fiadd, uint32_t, "fiaddl", 2, 0)
DEFINE_ARITH_MEM(fimul, uint32_t, "fimull", 2, 1)
DEFINE_ARITH_MEM(fisub, uint32_t, "fisubl", 2, 4)
DEFINE_ARITH_MEM(fisubr, uint32_t, "fisubrl", 2, 5)
DEFINE_ARITH_MEM(fidiv, uint32_t, "fidivl", 2, 6)
DEFINE_ARITH_MEM(fidivr, uint32_t, "fidivrl", 2, 7)

/* A NaN as a result says nothing of the quotient: C0 and C3 stay. */
static uint16_t cc_of_result(CPUX86State *env, uint16_t cc)
{
    return (st(env, 0)->parts.se & 0x7fff) == 0x7fff ? cc & (FPUS_C1 | FPUS_C2) : cc;
}

/* D9 /modrm on ST(0); @cc: the condition codes that it defines. */
#define DEFINE_UNARY(name, insn, modrm, cc) \
    void helper_##name(CPUX86State *env) \
    { \
        x87_check(env); \
        if (short_ok(env, 0)) { \
            uint16_t sw; \
            __asm__ volatile("fldt %1\n\t" insn "\n\tfnstsw %0\n\tfstpt %1" \
                             : "=&a"(sw), "+m"(st(env, 0)->f) : : X87_CLOBBERS); \
            take_status(env, sw, cc_of_result(env, cc)); \
        } else { \
            x87_native(env, 1, modrm, NULL); \
        } \
    }
DEFINE_UNARY(fsqrt, "fsqrt", 0xfa, FPUS_C1)
DEFINE_UNARY(frndint, "frndint", 0xfc, FPUS_C1)
DEFINE_UNARY(f2xm1, "f2xm1", 0xf0, FPUS_C1)
DEFINE_UNARY(fsin, "fsin", 0xfe, FPUS_C1 | FPUS_C2)
DEFINE_UNARY(fcos, "fcos", 0xff, FPUS_C1 | FPUS_C2)

/* D9 /modrm on ST(0) and ST(1): the result replaces ST(0)... */
#define DEFINE_BINARY(name, insn, modrm, cc) \
    void helper_##name(CPUX86State *env) \
    { \
        x87_check(env); \
        if (short_ok(env, 1)) { \
            uint16_t sw; \
            __asm__ volatile("fldt %2\n\tfldt %1\n\t" insn "\n\tfnstsw %0\n\tfstpt %1\n\tfstp %%st" \
                             : "=&a"(sw), "+m"(st(env, 0)->f) : "m"(st(env, 1)->f) : X87_CLOBBERS); \
            take_status(env, sw, cc_of_result(env, cc)); \
        } else { \
            x87_native(env, 1, modrm, NULL); \
        } \
    }
DEFINE_BINARY(fprem, "fprem", 0xf8, FPUS_CC)
DEFINE_BINARY(fprem1, "fprem1", 0xf5, FPUS_CC)
DEFINE_BINARY(fscale, "fscale", 0xfd, FPUS_C1)

/* ... or ST(1), with a pop. */
#define DEFINE_BINARY_POP(name, insn, modrm) \
    void helper_##name(CPUX86State *env) \
    { \
        x87_check(env); \
        if (short_ok(env, 1)) { \
            uint16_t sw; \
            __asm__ volatile("fldt %1\n\tfldt %2\n\t" insn "\n\tfnstsw %0\n\tfstpt %1" \
                             : "=&a"(sw), "+m"(st(env, 1)->f) : "m"(st(env, 0)->f) : X87_CLOBBERS); \
            take_status(env, sw, FPUS_C1); \
            pop(env); \
        } else { \
            x87_native(env, 1, modrm, NULL); \
        } \
    }
DEFINE_BINARY_POP(fyl2x, "fyl2x", 0xf1)
DEFINE_BINARY_POP(fyl2xp1, "fyl2xp1", 0xf9)
DEFINE_BINARY_POP(fpatan, "fpatan", 0xf3)

/* FTST and FXAM answer in the condition codes. */
#define DEFINE_TEST(name, insn, modrm) \
    void helper_##name(CPUX86State *env) \
    { \
        x87_check(env); \
        if (short_ok(env, 0)) { \
            uint16_t sw; \
            __asm__ volatile("fldt %1\n\t" insn "\n\tfnstsw %0\n\tfstp %%st" \
                             : "=a"(sw) : "m"(st(env, 0)->f) : X87_CLOBBERS); \
            take_status(env, sw, FPUS_CC); \
        } else { \
            x87_native(env, 1, modrm, NULL); \
        } \
    }
DEFINE_TEST(ftst, "ftst", 0xe4)
DEFINE_TEST(fxam, "fxam", 0xe5)

/* The constants but for 0 and 1 are rounded as the control word says; none raises anything. */
static FpuReg host_constant(unsigned modrm)
{
    FpuReg v = { .parts = { 0 } };

    switch (modrm) {
#define CONSTANT(modrm, insn) case modrm: __asm__ volatile(insn "\n\tfstpt %0" : "=m"(v.f) : : "st"); break
    CONSTANT(0xe8, "fld1");
    CONSTANT(0xe9, "fldl2t");
    CONSTANT(0xea, "fldl2e");
    CONSTANT(0xeb, "fldpi");
    CONSTANT(0xec, "fldlg2");
    CONSTANT(0xed, "fldln2");
    CONSTANT(0xee, "fldz");
#undef CONSTANT
    }
    return v;
}

void helper_fld_const(CPUX86State *env, uint32_t modrm)
{
    x87_check(env);
    if (short_push_ok(env)) {
        FpuReg v = host_constant(modrm);

        push(env, v);
        clear_c1(env);
    } else {
        x87_native(env, 1, modrm, NULL);
    }
}

void helper_fchs(CPUX86State *env)
{
    x87_check(env);
    if (short_ok(env, 0)) {
        st(env, 0)->parts.se ^= 0x8000;
        clear_c1(env);
    } else {
        x87_native(env, 1, 0xe0, NULL);
    }
}

void helper_fabs(CPUX86State *env)
{
    x87_check(env);
    if (short_ok(env, 0)) {
        st(env, 0)->parts.se &= 0x7fff;
        clear_c1(env);
    } else {
        x87_native(env, 1, 0xe1, NULL);
    }
}

void helper_fxch(CPUX86State *env, uint32_t i)
{
    x87_check(env);
    if (short_ok(env, i)) {
        FpuReg t = *st(env, 0);

        *st(env, 0) = *st(env, i);
        *st(env, i) = t;
        clear_c1(env);
    } else {
        x87_native(env, 1, 0xc8 + i, NULL);
    }
}

/* --- comparisons --- */

#define X87_COMPARE(insn, sw, a, b) \
    __asm__ volatile("fldt %2\n\tfldt %1\n\t" insn "\n\tfnstsw %0" : "=a"(sw) : "m"(a), "m"(b) : X87_CLOBBERS)

/* @how: pops in the low two bits, 4 for FUCOM. */
void helper_fcom_st(CPUX86State *env, uint32_t i, uint32_t how)
{
    static const struct { uint8_t esc, modrm; } code[8] = {
        { 0, 0xd0 }, { 0, 0xd8 }, { 6, 0xd8 }, { 0 }, { 5, 0xe0 }, { 5, 0xe8 }, { 2, 0xe8 },
    };

    x87_check(env);
    if (short_ok(env, i)) {
        uint16_t sw;

        if (how & 4) {
            X87_COMPARE("fucompp", sw, st(env, 0)->f, st(env, i)->f);
        } else {
            X87_COMPARE("fcompp", sw, st(env, 0)->f, st(env, i)->f);
        }
        take_status(env, sw, FPUS_CC);
        for (unsigned n = how & 3; n; n--) {
            pop(env);
        }
    } else {
        x87_native(env, code[how & 7].esc, code[how & 7].modrm + i, NULL);
    }
}

#define DEFINE_COMPARE_MEM(name, ctype, insn, esc) \
    void helper_##name(CPUX86State *env, ctype v, uint32_t do_pop) \
    { \
        x87_check(env); \
        if (short_ok(env, 0)) { \
            uint16_t sw; \
            __asm__ volatile("fldt %1\n\t" insn " %2\n\tfnstsw %0" \
                             : "=a"(sw) : "m"(st(env, 0)->f), "m"(v) : X87_CLOBBERS); \
            take_status(env, sw, FPUS_CC); \
            if (do_pop) { \
                pop(env); \
            } \
        } else { \
            x87_native(env, esc, (2 + do_pop) << 3, &v); \
        } \
    }
DEFINE_COMPARE_MEM(fcom_m32, uint32_t, "fcomps", 0)
DEFINE_COMPARE_MEM(fcom_m64, uint64_t, "fcompl", 4)
DEFINE_COMPARE_MEM(ficom, uint32_t, "ficompl", 2)

/* FCOMI, FUCOMI: new ZF, PF and CF.  @how: 1 pop, 4 FUCOMI; @flags: the old ones. */
uint32_t helper_fcomi(CPUX86State *env, uint32_t i, uint32_t how, uint32_t flags)
{
    bool zf, pf, cf;
    uint16_t sw;
    X87Image img;

    x87_check(env);
    if (!short_ok(env, i)) {
        x87_native_run(env, &img, how & 1 ? 7 : 3, (how & 4 ? 0xe8 : 0xf0) + i, NULL, &flags);
        x87_native_commit(env, &img);
        return flags;
    }
    if (how & 4) {
        __asm__ volatile("fldt %5\n\tfldt %4\n\tfucomip %%st(1), %%st\n\tfnstsw %0\n\tfstp %%st"
                         : "=&a"(sw), "=@ccz"(zf), "=@ccp"(pf), "=@ccc"(cf)
                         : "m"(st(env, 0)->f), "m"(st(env, i)->f) : X87_CLOBBERS);
    } else {
        __asm__ volatile("fldt %5\n\tfldt %4\n\tfcomip %%st(1), %%st\n\tfnstsw %0\n\tfstp %%st"
                         : "=&a"(sw), "=@ccz"(zf), "=@ccp"(pf), "=@ccc"(cf)
                         : "m"(st(env, 0)->f), "m"(st(env, i)->f) : X87_CLOBBERS);
    }
    take_status(env, sw, 0);         /* C1 stays, as on Intel's processors */
    if (how & 1) {
        pop(env);
    }
    return (zf ? CC_Z : 0) | (pf ? CC_P : 0) | (cf ? CC_C : 0);
}

/* FCMOVcc ST(i), with the ModRM byte of its register form and the flags it looks at. */
void helper_fcmov(CPUX86State *env, uint32_t esc, uint32_t modrm, uint32_t flags)
{
    static const uint8_t mask[4] = { CC_C, CC_Z, CC_C | CC_Z, CC_P };
    unsigned i = modrm & 7;
    bool taken = ((flags & mask[modrm >> 3 & 3]) != 0) == (esc == 2);
    X87Image img;

    x87_check(env);
    if (short_ok(env, i)) {
        if (taken) {
            *st(env, 0) = *st(env, i);
        }
    } else {
        x87_native_run(env, &img, esc, modrm, NULL, &flags);
        x87_native_commit(env, &img);
    }
}

/* --- all other register forms, by the long way: @op = escape opcode's low bits << 8 | ModRM --- */

void helper_x87_op(CPUX86State *env, uint32_t op)
{
    x87_check(env);
    x87_native(env, op >> 8, op & 0xff, NULL);
}

/* FFREE; FFREEP (DF C0+i) also pops. */
void helper_ffree(CPUX86State *env, uint32_t i, uint32_t do_pop)
{
    x87_check(env);
    env->fptags[(env->fpstt + i) & 7] = 1;
    clear_c1(env);
    if (do_pop) {
        pop(env);
    }
}

/* --- control --- */

void helper_fwait(CPUX86State *env)
{
    x87_check(env);
}

void helper_fldcw(CPUX86State *env, uint32_t cw)
{
    x87_check(env);
    x87_set_control(env, cw);
    x87_load_control(env);
}

uint32_t helper_fnstsw(CPUX86State *env)
{
    return env->fpus | env->fpstt << 11;
}

void helper_fnclex(CPUX86State *env)
{
    env->fpus &= ~(FPUS_EXC | FPUS_SF | FPUS_ES | FPUS_B);
    x87_flags_changed();
}

void helper_fninit(CPUX86State *env)
{
    x86_fpu_reset(env);
    x87_load_control(env);
}

void helper_enter_mmx(CPUX86State *env)
{
    x87_check(env);
    x86_enter_mmx(env);
}

void helper_emms(CPUX86State *env)
{
    x87_check(env);
    env->fpstt = 0;
    memset(env->fptags, 1, sizeof(env->fptags));
}
