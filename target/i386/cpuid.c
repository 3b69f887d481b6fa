/*
 * The CPUID instruction.
 *
 * Reference: SDM Vol.2 CPUID; AMD APM Vol.3 appendix E (80000000H and up); Linux
 * Documentation/virt/kvm/x86/cpuid.rst and the VMware-style leaf 40000010H (frequencies).
 *
 * Frequencies are told, so that a guest needs to calibrate nothing: the TSC in 15H, 16H and
 * 40000010H, the APIC timer as 15H's crystal and in 40000010H.
 */
#include "target/i386/features.h"
#include "target/i386/segment.h"

#define APIC_TIMER_HZ 1000000000u       /* as hw/intc/apic.h's APIC_BUS_HZ */
#define CLFLUSH_LINE  64
#define X87_SSE_XSAVE_BYTES 576         /* legacy area and header */
#define AVX_XSAVE_BYTES     256

typedef struct Cpuid {
    uint32_t eax, ebx, ecx, edx;
} Cpuid;

/* Bits that number @n things. */
static unsigned id_bits(unsigned n)
{
    return n > 1 ? 32 - (unsigned)__builtin_clz(n - 1) : 0;
}

static unsigned smt_shift(const X86CPU *cpu) { return id_bits(cpu->nr_threads); }
static unsigned core_shift(const X86CPU *cpu) { return smt_shift(cpu) + id_bits(cpu->nr_cores); }
static unsigned package_shift(const X86CPU *cpu) { return core_shift(cpu) + id_bits(cpu->nr_dies); }
static unsigned threads_per_package(const X86CPU *cpu) { return cpu->nr_threads * cpu->nr_cores * cpu->nr_dies; }

static bool apic_enabled(const X86CPU *cpu)
{
    return cpu->intc && (cpu->intc->get_base(cpu->intc_opaque) & 0x800);
}

static Cpuid leaf_version(X86CPU *cpu)
{
    CPUX86State *env = &cpu->env;
    unsigned threads = threads_per_package(cpu);
    Cpuid r = { .eax = env->cpuid_version, .ecx = env->features[FEAT_1_ECX], .edx = env->features[FEAT_1_EDX] };

    r.ebx = (cpu->apic_id & 0xff) << 24 | CLFLUSH_LINE / 8 << 8;
    if (threads > 1) {
        r.ebx |= (MIN(1u << package_shift(cpu), 255)) << 16;
        r.edx |= 1u << 28;
    }
    if (env->cr[4] & CR4_OSXSAVE) {
        r.ecx |= 1u << 27;
    }
    if (!apic_enabled(cpu)) {
        r.edx &= ~(1u << 9);
    }
    return r;
}

/* Leaf 4: one row per cache, as large as a plain server core's. */
static Cpuid leaf_cache(const X86CPU *cpu, uint32_t index)
{
    static const struct { unsigned type, level, ways, sets, shared; bool inclusive; } caches[] = {
        { 1, 1, 8, 64, 0, false },          /* L1 data, 32 KiB */
        { 2, 1, 8, 64, 0, false },          /* L1 instruction, 32 KiB */
        { 3, 2, 16, 4096, 0, false },       /* L2, 4 MiB */
        { 3, 3, 16, 16384, 1, true },       /* L3, 16 MiB, the package's */
    };
    unsigned share_bits, core_bits = package_shift(cpu) - smt_shift(cpu);
    Cpuid r = { 0 };

    if (index >= ARRAY_SIZE(caches)) {
        return r;
    }
    share_bits = caches[index].shared ? package_shift(cpu) : smt_shift(cpu);
    r.eax = caches[index].type | caches[index].level << 5 | 1 << 8;
    r.eax |= ((1u << share_bits) - 1) << 14 | ((1u << core_bits) - 1) << 26;
    r.ebx = (CLFLUSH_LINE - 1) | (caches[index].ways - 1) << 22;
    r.ecx = caches[index].sets - 1;
    r.edx = caches[index].inclusive ? 6 : 1;
    return r;
}

static Cpuid leaf_features7(const CPUX86State *env, uint32_t subleaf)
{
    if (subleaf == 0) {
        return (Cpuid){ 1, env->features[FEAT_7_0_EBX], env->features[FEAT_7_0_ECX], env->features[FEAT_7_0_EDX] };
    }
    return subleaf == 1 ? (Cpuid){ .eax = env->features[FEAT_7_1_EAX] } : (Cpuid){ 0 };
}

/* Leaves 0BH and 1FH: the levels of an APIC id, from the threads of a core upwards. */
static Cpuid leaf_topology(const X86CPU *cpu, uint32_t leaf, uint32_t level)
{
    enum { LEVEL_SMT = 1, LEVEL_CORE = 2, LEVEL_DIE = 5 };
    struct { unsigned shift, count, type; } levels[3] = {
        { smt_shift(cpu), cpu->nr_threads, LEVEL_SMT },
        { core_shift(cpu), cpu->nr_threads * cpu->nr_cores, LEVEL_CORE },
        { package_shift(cpu), threads_per_package(cpu), LEVEL_DIE },
    };
    Cpuid r = { .ecx = level & 0xff, .edx = cpu->apic_id };
    unsigned n_levels = leaf == 0x1f && cpu->nr_dies > 1 ? 3 : 2;

    if (n_levels == 2) {        /* 0BH knows no dies: its core level is the whole package */
        levels[1].shift = package_shift(cpu);
        levels[1].count = threads_per_package(cpu);
    }
    if (level < n_levels) {
        r.eax = levels[level].shift;
        r.ebx = levels[level].count;
        r.ecx |= levels[level].type << 8;
    }
    return r;
}

static Cpuid leaf_xsave(const CPUX86State *env, uint32_t subleaf)
{
    uint64_t supported = x86_xcr0_supported(env);
    bool avx = supported & 4;

    if (!x86_has(env, FEAT_1_ECX, 26)) {
        return (Cpuid){ 0 };
    }
    switch (subleaf) {
    case 0:
        return (Cpuid){
            .eax = (uint32_t)supported, .edx = supported >> 32,
            .ebx = X87_SSE_XSAVE_BYTES + (env->xcr0 & 4 ? AVX_XSAVE_BYTES : 0),
            .ecx = X87_SSE_XSAVE_BYTES + (avx ? AVX_XSAVE_BYTES : 0),
        };
    case 1:
        return (Cpuid){
            .eax = env->features[FEAT_XSAVE],
            /* the compacted image of what is enabled, if there is XSAVEC */
            .ebx = x86_has(env, FEAT_XSAVE, 1) ? X87_SSE_XSAVE_BYTES + (env->xcr0 & 4 ? AVX_XSAVE_BYTES : 0) : 0,
        };
    case 2:
        return avx ? (Cpuid){ .eax = AVX_XSAVE_BYTES, .ebx = X87_SSE_XSAVE_BYTES } : (Cpuid){ 0 };
    default:
        return (Cpuid){ 0 };
    }
}

static Cpuid leaf_basic(X86CPU *cpu, uint32_t leaf, uint32_t subleaf)
{
    const CPUX86State *env = &cpu->env;
    uint32_t tsc_mhz = (uint32_t)(x86_cpu_tsc_hz() / 1000000);

    switch (leaf) {
    case 0:
        return (Cpuid){ env->cpuid_level, env->cpuid_vendor[0], env->cpuid_vendor[2], env->cpuid_vendor[1] };
    case 1:
        return leaf_version(cpu);
    case 2:                 /* descriptors: see leaf 4 (FFH); 32-byte-line L1 and no more */
        return (Cpuid){ .eax = 0xff000001 };
    case 4:
        return leaf_cache(cpu, subleaf);
    case 5:                 /* MONITOR line: one page at most, interrupts break MWAIT */
        return x86_has(env, FEAT_1_ECX, 3) ? (Cpuid){ CLFLUSH_LINE, CLFLUSH_LINE, 3, 0 } : (Cpuid){ 0 };
    case 6:
        return (Cpuid){ .eax = env->features[FEAT_6_EAX] };
    case 7:
        return leaf_features7(env, subleaf);
    case 0xb: case 0x1f:
        return leaf_topology(cpu, leaf, subleaf);
    case 0xd:
        return leaf_xsave(env, subleaf);
    case 0x15:              /* TSC = crystal * ebx / eax */
        return (Cpuid){ 1000, (uint32_t)(x86_cpu_tsc_hz() / (APIC_TIMER_HZ / 1000)), APIC_TIMER_HZ, 0 };
    case 0x16:
        return (Cpuid){ tsc_mhz, tsc_mhz, 100, 0 };
    default:                /* 3, 8, 9, 0AH (no performance counters), 0CH, 0EH and up: nothing to report */
        return (Cpuid){ 0 };
    }
}

static Cpuid leaf_hypervisor(X86CPU *cpu, uint32_t leaf)
{
    const CPUX86State *env = &cpu->env;
    Cpuid r = { 0 };

    switch (leaf) {
    case 0x40000000:
        r.eax = 0x40000010;
        memcpy(&r.ebx, cpu->expose_kvm ? "KVMKVMKVM\0\0\0" : "TCGTCGTCGTCG", 12);
        break;
    case 0x40000001:
        r.eax = cpu->expose_kvm ? env->features[FEAT_KVM] : 0;
        break;
    case 0x40000010:
        r.eax = (uint32_t)(x86_cpu_tsc_hz() / 1000);
        r.ebx = APIC_TIMER_HZ / 1000;
        break;
    }
    return r;
}

/* Bits of leaf 1 EDX that AMD repeats in leaf 80000001H EDX. */
#define AMD_EDX_ALIASES 0x0183f3ff

static Cpuid leaf_extended(X86CPU *cpu, uint32_t leaf)
{
    const CPUX86State *env = &cpu->env;
    bool amd = env->cpuid_vendor[0] == 0x68747541;      /* "Auth" */
    Cpuid r = { 0 };

    switch (leaf) {
    case 0x80000000:
        r = (Cpuid){ env->cpuid_xlevel, env->cpuid_vendor[0], env->cpuid_vendor[2], env->cpuid_vendor[1] };
        break;
    case 0x80000001:
        r = (Cpuid){ env->cpuid_version, 0, env->features[FEAT_8000_0001_ECX], env->features[FEAT_8000_0001_EDX] };
        if (amd) {
            r.edx |= env->features[FEAT_1_EDX] & AMD_EDX_ALIASES;
            if (threads_per_package(cpu) > 1) {
                r.ecx |= 2;             /* CMP_LEGACY: leaf 80000008H has the count */
            }
        } else if (!(env->hflags & HF_CS64)) {
            r.edx &= ~(1u << 11);       /* Intel reports SYSCALL in 64-bit code only */
        }
        break;
    case 0x80000002: case 0x80000003: case 0x80000004:
        memcpy(&r, env->cpuid_model + 4 * (leaf - 0x80000002), sizeof(r));
        break;
    case 0x80000005:
        r = (Cpuid){ 0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140 };
        break;
    case 0x80000006:
        r = (Cpuid){ 0, 0x42004200, 0x10008140 | 0x8000, 0x00808140 };
        break;
    case 0x80000007:
        r.edx = env->features[FEAT_8000_0007_EDX];
        break;
    case 0x80000008:
        r.eax = cpu->phys_bits | (env->features[FEAT_8000_0001_EDX] >> 29 & 1 ? 48 : 32) << 8;
        r.ebx = env->features[FEAT_8000_0008_EBX];
        if (threads_per_package(cpu) > 1) {
            r.ecx = package_shift(cpu) << 12 | (threads_per_package(cpu) - 1);
        }
        break;
    }
    return r;
}

void x86_cpuid(CPUX86State *env, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    X86CPU *cpu = x86_env_cpu(env);
    Cpuid r;

    if (leaf >> 24 == 0x40) {
        r = x86_has(env, FEAT_1_ECX, 31) ? leaf_hypervisor(cpu, leaf) : (Cpuid){ 0 };
    } else if (leaf >= 0x80000000 && leaf <= env->cpuid_xlevel) {
        r = leaf_extended(cpu, leaf);
    } else {
        /* SDM Vol.2 CPUID: beyond the last leaf, the data of the highest basic one. */
        r = leaf_basic(cpu, leaf > env->cpuid_level ? env->cpuid_level : leaf, subleaf);
    }
    memcpy(out, &r, sizeof(r));
}
