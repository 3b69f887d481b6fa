/*
 * What this host CPU can do (CPUID, SDM Vol.2).
 */
#include <cpuid.h>
#include <ucontext.h>

#include "tcg/x86_64/emit.h"
#include "tcg/x86_64/vector.h"

static HostFeatures detect(void)
{
    HostFeatures f = { .vop = BIT(VF_SSE2) };
    unsigned a, b, c, d;

    if (__get_cpuid(1, &a, &b, &c, &d)) {
        f.vop |= (c & bit_SSE3 ? BIT(VF_SSE3) : 0) | (c & bit_SSSE3 ? BIT(VF_SSSE3) : 0) |
                 (c & bit_SSE4_1 ? BIT(VF_SSE41) : 0) | (c & bit_SSE4_2 ? BIT(VF_SSE42) : 0) |
                 (c & bit_AES ? BIT(VF_AES) : 0) | (c & bit_PCLMUL ? BIT(VF_PCLMUL) : 0);
        /* with the operating system's consent, which these ask */
        f.vop |= (__builtin_cpu_supports("avx") ? BIT(VF_AVX) : 0) | (__builtin_cpu_supports("avx2") ? BIT(VF_AVX2) : 0) |
                 (__builtin_cpu_supports("avx") && c & bit_F16C ? BIT(VF_F16C) : 0) |
                 (__builtin_cpu_supports("fma") ? BIT(VF_FMA) : 0);
        f.popcnt = c & bit_POPCNT;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        f.bmi1 = b & bit_BMI;
        f.bmi2 = b & bit_BMI2;
        f.vop |= b & bit_SHA ? BIT(VF_SHA) : 0;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
        f.lzcnt = c & bit_LZCNT;
        f.lahf = c & bit_LAHF_LM;
    }
    return f;
}

/* --- other hosts than this one --- */

#define VF_V2 (BIT(VF_SSE2) | BIT(VF_SSE3) | BIT(VF_SSSE3) | BIT(VF_SSE41) | BIT(VF_SSE42))
#define VF_V3 (VF_V2 | BIT(VF_AVX) | BIT(VF_AVX2) | BIT(VF_F16C) | BIT(VF_FMA))

/* Levels of the psABI, and hosts that lack one kind of instructions. */
static const struct {
    const char *name;
    HostFeatures f;
    bool without;               /* @f is what this host has and the pretended one does not */
} hosts[] = {
    { "host",      { 0 }, true },
    { "minimal",   { .popcnt = true, .lahf = true } },
    { "x86-64",    { .popcnt = true, .lahf = true, .vop = BIT(VF_SSE2) } },
    { "x86-64-v2", { .popcnt = true, .lahf = true, .vop = VF_V2 } },
    { "x86-64-v3", { .popcnt = true, .lahf = true, .bmi1 = true, .bmi2 = true, .lzcnt = true, .vop = VF_V3 } },
    { "no-bmi",    { .bmi1 = true, .bmi2 = true, .lzcnt = true }, true },
    { "no-avx",    { .vop = BIT(VF_AVX) | BIT(VF_AVX2) | BIT(VF_F16C) | BIT(VF_FMA) }, true },
    { "no-avx2",   { .vop = BIT(VF_AVX2) | BIT(VF_FMA) }, true },
};

static HostFeatures pretended(unsigned n)
{
    HostFeatures f = hosts[n].without ? detect() : hosts[n].f;
    const HostFeatures *no = &hosts[n].f;

    if (hosts[n].without) {
        f.vop &= ~no->vop;
        f.bmi1 &= !no->bmi1;
        f.bmi2 &= !no->bmi2;
        f.lzcnt &= !no->lzcnt;
    }
    return f;
}

static unsigned pretend;        /* index in hosts */

bool tcg_host_pretend(const char *name, bool *runs_here)
{
    for (unsigned n = 0; n < ARRAY_SIZE(hosts); n++) {
        if (!strcmp(hosts[n].name, name)) {
            HostFeatures f = pretended(n), is = detect();

            pretend = n;
            *runs_here = !(f.vop & ~is.vop) && f.bmi1 <= is.bmi1 && f.bmi2 <= is.bmi2 && f.lzcnt <= is.lzcnt;
            return true;
        }
    }
    return false;
}

/* Constant after the first call; a race writes the same bytes twice. */
const HostFeatures *host_features(void)
{
    static HostFeatures f;
    static gsize done;

    if (g_once_init_enter(&done)) {
        f = pretended(pretend);
        g_once_init_leave(&done, 1);
    }
    return &f;
}

void tcg_signal_context(const void *ucontext, uintptr_t *host_pc, uint64_t *block_pc)
{
    const ucontext_t *uc = ucontext;

    *host_pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
    *block_pc = (uint64_t)uc->uc_mcontext.gregs[REG_RBX];       /* HR_PC: facts.h */
}

bool tcg_host_has_sse42(void)
{
    return host_features()->vop & BIT(VF_SSE42);
}

bool tcg_host_has_bmi2(void)
{
    return host_features()->bmi2;
}

const char *tcg_host_missing(void)
{
    const HostFeatures *f = host_features();

    return !f->popcnt ? "POPCNT" : !f->lahf ? "LAHF in 64-bit mode" : NULL;
}
