/*
 * What this host CPU can do (CPUID, SDM Vol.2).
 */
#include <cpuid.h>
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

static bool pretend_minimal;

void tcg_host_pretend_minimal(void)
{
    pretend_minimal = true;
}

/* Constant after the first call; a race writes the same bytes twice. */
const HostFeatures *host_features(void)
{
    static HostFeatures f;
    static gsize done;

    if (g_once_init_enter(&done)) {
        f = detect();
        if (pretend_minimal) {
            f = (HostFeatures){ .popcnt = f.popcnt, .lahf = f.lahf };
        }
        g_once_init_leave(&done, 1);
    }
    return &f;
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
