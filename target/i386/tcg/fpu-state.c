/*
 * x87 and SSE state as a whole: reset, MXCSR, and the images of FSAVE, FXSAVE and XSAVE.
 *
 * MXCSR: the guest's control bits are in env->mxcsr; its sticky flags are in TcgEnv.guest_fpcr
 * and, while translated code or a helper called by it runs, in the host's MXCSR, which then equals
 * guest_fpcr but for new flags.  All exceptions are masked there; with one unmasked by the guest
 * (HF_MXCSR_UNMASKED) generated code brackets each operation by helper_sse_begin() and _end().
 *
 * Reference: SDM Vol.1 8.1.10, 10.5, 11.6, chapter 13; Vol.2 FXSAVE, XSAVE and so on.
 */
#include "target/i386/tcg/fpu.h"
#include "target/i386/tcg/helper.h"
#include "target/i386/tcg/x87-native.h"
#include "util/main-loop.h"

/* --- guest memory --- */

static vaddr wrap_linear(const CPUX86State *env, vaddr va)
{
    return env->hflags & HF_CS64 ? va : (uint32_t)va;
}

/* One piece within a page.  @host: what tcg_probe_access gave; NULL: not plain RAM. */
static void ld_piece(CPUX86State *env, vaddr va, uint8_t *buf, unsigned n, const void *host, uintptr_t ra)
{
    if (host) {
        memcpy(buf, host, n);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        buf[i] = cpu_ldub(x86_env_vcpu(env), va + i, x86_mmu_index(env), ra);
    }
}

static void st_piece(CPUX86State *env, vaddr va, const uint8_t *buf, unsigned n, void *host, uintptr_t ra)
{
    if (host) {
        memcpy(host, buf, n);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        cpu_stb(x86_env_vcpu(env), va + i, buf[i], x86_mmu_index(env), ra);
    }
}

static unsigned bytes_on_page(vaddr va, unsigned n)
{
    return MIN(n, 4096 - (va & 4095));
}

void x86_ld_block(CPUX86State *env, vaddr va, void *buf, unsigned n, uintptr_t ra)
{
    unsigned first, idx = x86_mmu_index(env);
    Vcpu *cpu = x86_env_vcpu(env);
    vaddr second;

    va = wrap_linear(env, va);
    first = bytes_on_page(va, n);
    second = wrap_linear(env, va + first);
    ld_piece(env, va, buf, first, tcg_probe_access(cpu, va, first, MMU_DATA_LOAD, idx, ra), ra);
    if (n > first) {
        ld_piece(env, second, (uint8_t *)buf + first, n - first,
                 tcg_probe_access(cpu, second, n - first, MMU_DATA_LOAD, idx, ra), ra);
    }
}

void x86_probe_st_block(CPUX86State *env, vaddr va, unsigned n, uintptr_t ra)
{
    unsigned first, idx = x86_mmu_index(env);
    Vcpu *cpu = x86_env_vcpu(env);

    va = wrap_linear(env, va);
    first = bytes_on_page(va, n);
    (void)tcg_probe_access(cpu, va, first, MMU_DATA_STORE, idx, ra);
    if (n > first) {
        (void)tcg_probe_access(cpu, wrap_linear(env, va + first), n - first, MMU_DATA_STORE, idx, ra);
    }
}

void x86_st_block(CPUX86State *env, vaddr va, const void *buf, unsigned n, uintptr_t ra)
{
    unsigned first, idx = x86_mmu_index(env);
    Vcpu *cpu = x86_env_vcpu(env);
    void *host1, *host2 = NULL;
    vaddr second;

    va = wrap_linear(env, va);
    first = bytes_on_page(va, n);
    second = wrap_linear(env, va + first);
    if (n > first) {
        /* The first page's fault comes first; what its probe found, that of the second may evict: it is done again. */
        (void)tcg_probe_access(cpu, va, first, MMU_DATA_STORE, idx, ra);
        host2 = tcg_probe_access(cpu, second, n - first, MMU_DATA_STORE, idx, ra);
    }
    host1 = tcg_probe_access(cpu, va, first, MMU_DATA_STORE, idx, ra);
    st_piece(env, va, buf, first, host1, ra);
    if (n > first) {
        st_piece(env, second, (const uint8_t *)buf + first, n - first, host2, ra);
    }
}

/* --- MXCSR --- */

static uint32_t host_mxcsr(void)
{
    return __builtin_ia32_stmxcsr();
}

/* In a helper: bring guest_fpcr up to date; and the other way after a change of guest_fpcr. */
static void mxcsr_pull(CPUX86State *env)
{
    env->tcg.guest_fpcr = host_mxcsr();
}

static void mxcsr_push(const CPUX86State *env)
{
    __builtin_ia32_ldmxcsr(env->tcg.guest_fpcr);
}

void x86_set_mxcsr(CPUX86State *env, uint32_t v)
{
    env->mxcsr = v & MXCSR_VALID;
    env->tcg.guest_fpcr = env->mxcsr | MXCSR_MASKS;
    if ((v & MXCSR_MASKS) != MXCSR_MASKS) {
        env->hflags |= HF_MXCSR_UNMASKED;
    } else {
        env->hflags &= ~HF_MXCSR_UNMASKED;
    }
}

uint32_t x86_get_mxcsr(CPUX86State *env)
{
    return (env->mxcsr & ~MXCSR_EXC) | (env->tcg.guest_fpcr & MXCSR_EXC);
}

uint32_t helper_ldmxcsr(CPUX86State *env, uint32_t v)
{
    uint32_t before = env->hflags;

    if (v & ~MXCSR_VALID) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    x86_set_mxcsr(env, v);
    mxcsr_push(env);
    return (before ^ env->hflags) & HF_MXCSR_UNMASKED;
}

uint32_t helper_stmxcsr(CPUX86State *env)
{
    mxcsr_pull(env);
    return x86_get_mxcsr(env);
}

/*
 * An operation while an exception is unmasked is done twice, as the host has all of them masked:
 * sse_begin, operation, sse_again, operation, sse_end.  The first run is for underflow alone, which
 * when unmasked is raised by any tiny result, exact or not (SDM Vol.1 4.9.1.5), and overrides FTZ: with
 * FTZ the host tells so.  The second run gives the result and all other flags.
 *
 * Not told apart: precision after an unmasked overflow or underflow, which is that of the masked response.
 */
static bool underflow_unmasked(const CPUX86State *env)
{
    return !(env->mxcsr & MXCSR_UE << MXCSR_MASK_SHIFT);
}

/* The control bits under which the result is computed, no flags. */
static uint32_t checked_control(const CPUX86State *env)
{
    uint32_t v = (env->mxcsr & ~MXCSR_EXC) | MXCSR_MASKS;

    return underflow_unmasked(env) ? v & ~MXCSR_FTZ : v;
}

/* Returns the sticky flags as they were. */
uint32_t helper_sse_begin(CPUX86State *env)
{
    uint32_t before = host_mxcsr() & MXCSR_EXC;

    __builtin_ia32_ldmxcsr(checked_control(env) | (underflow_unmasked(env) ? MXCSR_FTZ : 0));
    return before;
}

/* Takes and returns what is for sse_end: the flags as they were, and bit 8: the result is tiny. */
uint32_t helper_sse_again(CPUX86State *env, uint32_t before)
{
    bool tiny = underflow_unmasked(env) && host_mxcsr() & MXCSR_UE;

    __builtin_ia32_ldmxcsr(checked_control(env));
    return before | (tiny ? SSE_TINY : 0);
}

/*
 * VCVTPS2PH made these four half-precision numbers, each run: a denormal one is a tiny result, which the
 * host does not tell where it is exact.
 */
void helper_sse_half_results(CPUX86State *env, uint64_t half)
{
    for (unsigned i = 0; i < 4 && underflow_unmasked(env); i++) {
        uint32_t magnitude = half >> 16 * i & 0x7fff;

        if (magnitude && magnitude < 0x0400) {
            __builtin_ia32_ldmxcsr(host_mxcsr() | MXCSR_UE);
        }
    }
}

/*
 * SDM Vol.1 11.5.2: invalid, denormal and divide-by-zero are found before the computation; an
 * unmasked one keeps the others from being looked for.
 */
void helper_sse_end(CPUX86State *env, uint32_t before)
{
    const uint32_t pre = 0x07;
    uint32_t raised = (host_mxcsr() & MXCSR_EXC) | (before & SSE_TINY ? MXCSR_UE : 0);
    uint32_t unmasked = ~(env->mxcsr >> MXCSR_MASK_SHIFT) & MXCSR_EXC;

    if (raised & unmasked & pre) {
        raised &= pre;
    }
    env->tcg.guest_fpcr = (env->mxcsr & ~MXCSR_EXC) | MXCSR_MASKS | raised | (before & MXCSR_EXC);
    mxcsr_push(env);
    if (raised & unmasked) {
        x86_raise(env, env->cr[4] & CR4_OSXMMEXCPT ? EXCP13_SIMD : EXCP06_ILLOP, GETPC());
    }
}

/* --- x87 --- */

/* FNINIT: registers keep their contents, SDM Vol.1 8.1.2 to 8.1.7. */
void x86_fpu_reset(CPUX86State *env)
{
    env->fpuc = FPUC_INIT;
    env->fpstt = 0;
    env->fpus = 0;
    x87_control_changed(env);
    memset(env->fptags, 1, sizeof(env->fptags));
    env->fpop = 0;
    env->fpip = env->fpdp = 0;
    env->fpcs = env->fpds = 0;
    x87_flags_changed();
}

void x86_enter_mmx(CPUX86State *env)
{
    env->fpstt = 0;
    memset(env->fptags, 0, sizeof(env->fptags));
}

void x86_fpu_ferr(CPUX86State *env)
{
    X86CPU *cpu = x86_env_cpu(env);

    if (cpu->intc && cpu->intc->ferr) {
        bql_lock();
        cpu->intc->ferr(cpu->intc_opaque);
        bql_unlock();
    }
}

static bool real_or_vm86(const CPUX86State *env)
{
    return !(env->hflags & HF_PE) || (env->hflags & HF_VM);
}

/* The environment of FNSTENV in @buf: SDM Vol.1 figures 8-9 to 8-12.  Returns its size. */
static unsigned env_to_image(const CPUX86State *env, uint8_t *buf, bool form32)
{
    uint16_t sw = env->fpus | env->fpstt << 11;
    uint32_t ip = env->fpip, dp = env->fpdp;
    uint32_t v[7] = { env->fpuc, sw, x87_tag_word(env), ip, env->fpcs, dp, env->fpds };

    if (real_or_vm86(env)) {
        ip += env->fpcs << 4;
        dp += env->fpds << 4;
        v[3] = ip & 0xffff;
        v[4] = ip >> 16 << 12 | (env->fpop & 0x7ff);
        v[5] = dp & 0xffff;
        v[6] = dp >> 16 << 12;
        if (!form32) {
            v[4] &= 0xffff;
            v[6] &= 0xffff;
        }
    } else if (form32) {
        v[4] |= (uint32_t)(env->fpop & 0x7ff) << 16;
        v[6] |= 0xffff0000;
    }
    for (unsigned i = 0; i < 7; i++) {
        if (form32) {
            uint32_t x = i < 3 ? v[i] | 0xffff0000 : v[i];
            memcpy(buf + 4 * i, &x, 4);
        } else {
            uint16_t x = v[i];
            memcpy(buf + 2 * i, &x, 2);
        }
    }
    return form32 ? 28 : 14;
}

static void env_from_image(CPUX86State *env, const uint8_t *buf, bool form32)
{
    uint32_t v[7] = { 0 };

    for (unsigned i = 0; i < 7; i++) {
        memcpy(&v[i], buf + (form32 ? 4 : 2) * i, form32 ? 4 : 2);
    }
    x87_set_control(env, v[0]);
    x87_load_control(env);
    x87_set_tag_word(env, v[2]);
    x87_set_status(env, v[1]);
    if (real_or_vm86(env)) {
        env->fpip = (v[3] & 0xffff) | (v[4] >> 12 & 0xffff) << 16;
        env->fpop = v[4] & 0x7ff;
        env->fpdp = (v[5] & 0xffff) | (v[6] >> 12 & 0xffff) << 16;
        env->fpcs = env->fpds = 0;
    } else {
        env->fpip = v[3];
        env->fpcs = v[4];
        env->fpop = form32 ? v[4] >> 16 & 0x7ff : 0;
        env->fpdp = v[5];
        env->fpds = v[6];
    }
}

void helper_fldenv(CPUX86State *env, uint64_t addr, uint32_t form32)
{
    uint8_t buf[28];

    if (env->fpus & FPUS_ES) {
        x87_pending(env, GETPC());
    }
    x86_ld_block(env, addr, buf, form32 ? 28 : 14, GETPC());
    env_from_image(env, buf, form32);
}

void helper_fnstenv(CPUX86State *env, uint64_t addr, uint32_t form32)
{
    uint8_t buf[28];
    unsigned n = env_to_image(env, buf, form32);

    x86_st_block(env, addr, buf, n, GETPC());
    x87_set_control(env, env->fpuc | FPUS_EXC);
}

void helper_frstor(CPUX86State *env, uint64_t addr, uint32_t form32)
{
    uint8_t buf[108];
    unsigned n = form32 ? 28 : 14;

    if (env->fpus & FPUS_ES) {
        x87_pending(env, GETPC());
    }
    x86_ld_block(env, addr, buf, n + 80, GETPC());
    env_from_image(env, buf, form32);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(env->fpregs[(env->fpstt + i) & 7].b, buf + n + 10 * i, 10);
    }
}

void helper_fnsave(CPUX86State *env, uint64_t addr, uint32_t form32)
{
    uint8_t buf[108];
    unsigned n = env_to_image(env, buf, form32);

    for (unsigned i = 0; i < 8; i++) {
        memcpy(buf + n + 10 * i, env->fpregs[(env->fpstt + i) & 7].b, 10);
    }
    x86_st_block(env, addr, buf, n + 80, GETPC());
    x86_fpu_reset(env);
    x87_load_control(env);
}

/* --- FXSAVE area: SDM Vol.1 table 10-2; also the legacy region of the XSAVE area --- */

typedef struct FxLegacy {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint64_t fip, fdp;              /* without REX.W: 32 bits and selector each */
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16];
    uint8_t xmm[16][16];
} FxLegacy;
_Static_assert(sizeof(FxLegacy) == 416, "SDM Vol.1 table 10-2");

static uint8_t abridged_tags(const CPUX86State *env)
{
    uint8_t ftw = 0;

    for (unsigned i = 0; i < 8; i++) {
        ftw |= !env->fptags[i] << i;
    }
    return ftw;
}

static void x87_to_legacy(const CPUX86State *env, FxLegacy *fx, bool rex_w)
{
    fx->fcw = env->fpuc;
    fx->fsw = env->fpus | env->fpstt << 11;
    fx->ftw = abridged_tags(env);
    fx->reserved = 0;
    fx->fop = env->fpop & 0x7ff;
    fx->fip = rex_w ? env->fpip : (uint32_t)env->fpip | (uint64_t)env->fpcs << 32;
    fx->fdp = rex_w ? env->fpdp : (uint32_t)env->fpdp | (uint64_t)env->fpds << 32;
    for (unsigned i = 0; i < 8; i++) {
        memset(fx->st[i], 0, 16);
        memcpy(fx->st[i], env->fpregs[(env->fpstt + i) & 7].b, 10);
    }
}

static void x87_from_legacy(CPUX86State *env, const FxLegacy *fx, bool rex_w)
{
    x87_set_control(env, fx->fcw);
    x87_set_status(env, fx->fsw);
    for (unsigned i = 0; i < 8; i++) {
        env->fptags[i] = !(fx->ftw >> i & 1);
        memcpy(env->fpregs[(env->fpstt + i) & 7].b, fx->st[i], 10);
    }
    env->fpop = fx->fop & 0x7ff;
    env->fpip = rex_w ? fx->fip : (uint32_t)fx->fip;
    env->fpdp = rex_w ? fx->fdp : (uint32_t)fx->fdp;
    env->fpcs = rex_w ? 0 : fx->fip >> 32;
    env->fpds = rex_w ? 0 : fx->fdp >> 32;
}

static unsigned n_xmm(const CPUX86State *env)
{
    return env->hflags & HF_CS64 ? 16 : 8;
}

static void check_aligned(CPUX86State *env, uint64_t addr, unsigned align, uintptr_t ra)
{
    if (addr & (align - 1)) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
}

static void check_mxcsr(CPUX86State *env, uint32_t v, uintptr_t ra)
{
    if (v & ~MXCSR_VALID) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
}

static void mxcsr_load(CPUX86State *env, uint32_t v)
{
    x86_set_mxcsr(env, v);
    mxcsr_push(env);
}

static uint32_t mxcsr_read(CPUX86State *env)
{
    mxcsr_pull(env);
    return x86_get_mxcsr(env);
}

void helper_fxsave(CPUX86State *env, uint64_t addr, uint32_t rex_w)
{
    FxLegacy fx;
    unsigned xmm_bytes = env->cr[4] & CR4_OSFXSR ? 16 * n_xmm(env) : 0;

    check_aligned(env, addr, 16, GETPC());
    x87_to_legacy(env, &fx, rex_w);
    fx.mxcsr = mxcsr_read(env);
    fx.mxcsr_mask = MXCSR_VALID;
    for (unsigned i = 0; i < xmm_bytes / 16; i++) {
        memcpy(fx.xmm[i], env->ymm[i].b, 16);
    }
    x86_st_block(env, addr, &fx, offsetof(FxLegacy, xmm) + xmm_bytes, GETPC());
}

void helper_fxrstor(CPUX86State *env, uint64_t addr, uint32_t rex_w)
{
    FxLegacy fx;

    check_aligned(env, addr, 16, GETPC());
    x86_ld_block(env, addr, &fx, sizeof(fx), GETPC());
    check_mxcsr(env, fx.mxcsr, GETPC());
    x87_from_legacy(env, &fx, rex_w);
    if (env->cr[4] & CR4_OSFXSR) {
        mxcsr_load(env, fx.mxcsr);
        for (unsigned i = 0; i < n_xmm(env); i++) {
            memcpy(env->ymm[i].b, fx.xmm[i], 16);
        }
    }
}

/* --- XSAVE area: SDM Vol.1 13.4 --- */

enum { XSAVE_HEADER = 512, XSAVE_EXTENDED = 576, AVX_BYTES = 256, XCOMP_COMPACT_BIT = 63 };

typedef struct XsaveHeader {
    uint64_t xstate_bv, xcomp_bv, reserved[6];
} XsaveHeader;

static bool x87_in_use(const CPUX86State *env)
{
    static const uint8_t all_empty[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };

    if (env->fpuc != FPUC_INIT || env->fpus || env->fpstt || memcmp(env->fptags, all_empty, 8)
        || env->fpop || env->fpip || env->fpdp || env->fpcs || env->fpds) {
        return true;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (env->fpregs[i].parts.mant | env->fpregs[i].parts.se) {
            return true;
        }
    }
    return false;
}

/* Is any of the 16-byte halves @half (0 XMM, 1 upper YMM) of the mode's registers not zero? */
static bool vectors_in_use(const CPUX86State *env, unsigned half)
{
    uint64_t any = 0;

    for (unsigned i = 0; i < n_xmm(env); i++) {
        any |= env->ymm[i].q[2 * half] | env->ymm[i].q[2 * half + 1];
    }
    return any != 0;
}

/* SDM Vol.1 13.6. */
static uint64_t xinuse(const CPUX86State *env)
{
    return (x87_in_use(env) ? XSTATE_X87 : 0) | (vectors_in_use(env, 0) ? XSTATE_SSE : 0)
         | (vectors_in_use(env, 1) ? XSTATE_AVX : 0);
}

static void save_x87(CPUX86State *env, uint64_t addr, bool rex_w, uintptr_t ra)
{
    FxLegacy fx;

    x87_to_legacy(env, &fx, rex_w);
    x86_st_block(env, addr, &fx, offsetof(FxLegacy, mxcsr), ra);
    x86_st_block(env, addr + offsetof(FxLegacy, st), fx.st, sizeof(fx.st), ra);
}

static void save_mxcsr(CPUX86State *env, uint64_t addr, uintptr_t ra)
{
    uint32_t v[2] = { mxcsr_read(env), MXCSR_VALID };

    x86_st_block(env, addr + offsetof(FxLegacy, mxcsr), v, sizeof(v), ra);
}

static void save_vectors(CPUX86State *env, uint64_t addr, unsigned half, uintptr_t ra)
{
    uint8_t buf[16][16];

    for (unsigned i = 0; i < n_xmm(env); i++) {
        memcpy(buf[i], env->ymm[i].b + 16 * half, 16);
    }
    x86_st_block(env, addr, buf, 16 * n_xmm(env), ra);
}

/* Write the components @mask; @mxcsr too if wanted. */
static void save_components(CPUX86State *env, uint64_t addr, uint64_t mask, bool mxcsr, bool rex_w, uintptr_t ra)
{
    if (mask & XSTATE_X87) {
        save_x87(env, addr, rex_w, ra);
    }
    if (mxcsr) {
        save_mxcsr(env, addr, ra);
    }
    if (mask & XSTATE_SSE) {
        save_vectors(env, addr + offsetof(FxLegacy, xmm), 0, ra);
    }
    if (mask & XSTATE_AVX) {
        save_vectors(env, addr + XSAVE_EXTENDED, 1, ra);
    }
}

static void xsave_standard(CPUX86State *env, uint64_t addr, uint64_t want, bool opt, bool rex_w, uintptr_t ra)
{
    uint64_t rfbm = want & env->xcr0, used = xinuse(env), old, bv;

    check_aligned(env, addr, 64, ra);
    x86_ld_block(env, addr + XSAVE_HEADER, &old, 8, ra);
    save_components(env, addr, opt ? rfbm & used : rfbm, rfbm & (XSTATE_SSE | XSTATE_AVX), rex_w, ra);
    bv = (old & ~rfbm) | (used & rfbm);
    x86_st_block(env, addr + XSAVE_HEADER, &bv, 8, ra);
}

void helper_xsave(CPUX86State *env, uint64_t addr, uint64_t want, uint32_t rex_w)
{
    xsave_standard(env, addr, want, false, rex_w, GETPC());
}

void helper_xsaveopt(CPUX86State *env, uint64_t addr, uint64_t want, uint32_t rex_w)
{
    xsave_standard(env, addr, want, true, rex_w, GETPC());
}

/* SDM Vol.1 13.10: compacted, with the init optimization; SSE counts as used if MXCSR is not at its default. */
void helper_xsavec(CPUX86State *env, uint64_t addr, uint64_t want, uint32_t rex_w)
{
    uint64_t rfbm = want & env->xcr0, used = xinuse(env);
    uint64_t head[2];

    check_aligned(env, addr, 64, GETPC());
    if (mxcsr_read(env) != MXCSR_INIT) {
        used |= XSTATE_SSE;
    }
    save_components(env, addr, rfbm & used, rfbm & used & XSTATE_SSE, rex_w, GETPC());
    head[0] = rfbm & used;
    head[1] = rfbm | 1ull << XCOMP_COMPACT_BIT;
    x86_st_block(env, addr + XSAVE_HEADER, head, 16, GETPC());
}

/* SDM Vol.1 13.8.1, 13.8.2: the header as it must be. */
static bool header_ok(const CPUX86State *env, const XsaveHeader *h, bool compact)
{
    uint64_t comp = h->xcomp_bv & ~(1ull << XCOMP_COMPACT_BIT);
    uint64_t reserved = 0;

    for (unsigned i = compact ? 0 : 6; i < 6; i++) {
        reserved |= h->reserved[i];
    }
    if (compact) {
        return !reserved && !(comp & ~env->xcr0) && !(h->xstate_bv & ~comp);
    }
    return !h->xcomp_bv && !h->reserved[0] && !(h->xstate_bv & ~env->xcr0);
}

static void restore_x87(CPUX86State *env, const FxLegacy *fx, bool present, bool rex_w)
{
    if (present) {
        x87_from_legacy(env, fx, rex_w);
    } else {
        x86_fpu_reset(env);
        memset(env->fpregs, 0, sizeof(env->fpregs));
    }
}

static void restore_vectors(CPUX86State *env, const uint8_t *from, unsigned half, bool present)
{
    for (unsigned i = 0; i < n_xmm(env); i++) {
        if (present) {
            memcpy(env->ymm[i].b + 16 * half, from + 16 * i, 16);
        } else {
            memset(env->ymm[i].b + 16 * half, 0, 16);
        }
    }
}

void helper_xrstor(CPUX86State *env, uint64_t addr, uint64_t want, uint32_t rex_w)
{
    uint64_t rfbm = want & env->xcr0, load;
    XsaveHeader h;
    FxLegacy fx = { .mxcsr = MXCSR_INIT };
    uint8_t avx[AVX_BYTES];
    bool compact, set_mxcsr;

    check_aligned(env, addr, 64, GETPC());
    x86_ld_block(env, addr + XSAVE_HEADER, &h, sizeof(h), GETPC());
    compact = h.xcomp_bv >> XCOMP_COMPACT_BIT;
    if (!header_ok(env, &h, compact)) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    load = rfbm & h.xstate_bv;
    set_mxcsr = compact ? rfbm & XSTATE_SSE : rfbm & (XSTATE_SSE | XSTATE_AVX);
    if (load & (XSTATE_X87 | XSTATE_SSE) || (set_mxcsr && !compact)) {
        x86_ld_block(env, addr, &fx, sizeof(fx), GETPC());
    }
    if (compact && !(load & XSTATE_SSE)) {
        fx.mxcsr = MXCSR_INIT;
    }
    if (load & XSTATE_AVX) {
        x86_ld_block(env, addr + XSAVE_EXTENDED, avx, 16 * n_xmm(env), GETPC());
    }
    if (set_mxcsr) {
        check_mxcsr(env, fx.mxcsr, GETPC());
        mxcsr_load(env, fx.mxcsr);
    }
    if (rfbm & XSTATE_X87) {
        restore_x87(env, &fx, load & XSTATE_X87, rex_w);
    }
    if (rfbm & XSTATE_SSE) {
        restore_vectors(env, fx.xmm[0], 0, load & XSTATE_SSE);
    }
    if (rfbm & XSTATE_AVX) {
        restore_vectors(env, avx, 1, load & XSTATE_AVX);
    }
}
