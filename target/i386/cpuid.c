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

static unsigned threads_per_package(const X86CPU *cpu) { return x86_topology_threads(&cpu->topo, X86_LEVEL_SOCKET); }
static unsigned package_shift(const X86CPU *cpu) { return x86_topology_shift(&cpu->topo, X86_LEVEL_SOCKET); }
static unsigned smt_shift(const X86CPU *cpu) { return x86_topology_shift(&cpu->topo, X86_LEVEL_CORE); }

static bool apic_enabled(const X86CPU *cpu)
{
    return cpu->intc && (cpu->intc->get_base(cpu->intc_opaque) & 0x800);
}

static Cpuid leaf_version(X86CPU *cpu)
{
    CPUX86State *env = &cpu->env;
    unsigned threads = threads_per_package(cpu);
    Cpuid r = { .eax = env->cpuid_version, .ecx = (uint32_t)env->features[FEAT_1_ECX],
                .edx = (uint32_t)env->features[FEAT_1_EDX] };

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
    static const struct { unsigned type, level, ways, sets; bool inclusive; } caches[] = {
        { 1, 1, 8, 64, false },        /* L1 data, 32 KiB */
        { 2, 1, 8, 64, false },        /* L1 instruction, 32 KiB */
        { 3, 2, 16, 4096, false },     /* L2, 4 MiB */
        { 3, 3, 16, 16384, true },     /* L3, 16 MiB, a die's */
    };
    unsigned share_bits, core_bits = package_shift(cpu) - smt_shift(cpu);
    Cpuid r = { 0 };

    if (index >= ARRAY_SIZE(caches) || (caches[index].level == 3 && !cpu->l3_cache)) {
        return r;
    }
    share_bits = x86_topology_shift(&cpu->topo, caches[index].level == 3 ? X86_LEVEL_DIE : X86_LEVEL_CORE);
    r.eax = caches[index].type | caches[index].level << 5 | 1 << 8;
    r.eax |= ((1u << share_bits) - 1) << 14 | ((1u << core_bits) - 1) << 26;
    r.ebx = (CLFLUSH_LINE - 1) | (caches[index].ways - 1) << 22;
    r.ecx = caches[index].sets - 1;
    r.edx = caches[index].inclusive ? 6 : 1;
    return r;
}

static Cpuid leaf_features7(const CPUX86State *env, uint32_t subleaf)
{
    const uint64_t *f = env->features;

    switch (subleaf) {
    case 0:
        return (Cpuid){ f[FEAT_7_2_EDX] ? 2 : 1, (uint32_t)f[FEAT_7_0_EBX], (uint32_t)f[FEAT_7_0_ECX], (uint32_t)f[FEAT_7_0_EDX] };
    case 1:
        return (Cpuid){ .eax = (uint32_t)f[FEAT_7_1_EAX], .edx = (uint32_t)f[FEAT_7_1_EDX] };
    case 2:
        return (Cpuid){ .edx = (uint32_t)f[FEAT_7_2_EDX] };
    default:
        return (Cpuid){ 0 };
    }
}

typedef struct TopologyRow { unsigned type; X86TopologyLevel level; } TopologyRow;

/*
 * Leaves 0BH and 1FH: per level, how far to shift an APIC id to get past it, and the threads in one of the next.
 * 0BH knows threads and cores only: its core level is the whole package.
 */
static Cpuid leaf_topology(const X86CPU *cpu, uint32_t leaf, uint32_t subleaf)
{
    enum { TYPE_SMT = 1, TYPE_CORE = 2, TYPE_MODULE = 3, TYPE_DIE = 5 };
    bool modules = leaf == 0x1f && cpu->topo.n[X86_LEVEL_MODULE] > 1;
    TopologyRow rows[4] = { { TYPE_SMT, X86_LEVEL_CORE }, { TYPE_CORE, modules ? X86_LEVEL_MODULE : X86_LEVEL_DIE } };
    unsigned n = 2;
    Cpuid r = { .ecx = subleaf & 0xff, .edx = cpu->apic_id };

    if (modules) {
        rows[n++] = (TopologyRow){ TYPE_MODULE, X86_LEVEL_DIE };
    }
    if (leaf == 0x1f && cpu->topo.n[X86_LEVEL_DIE] > 1) {
        rows[n++] = (TopologyRow){ TYPE_DIE, X86_LEVEL_SOCKET };
    }
    rows[n - 1].level = X86_LEVEL_SOCKET;       /* the last reaches up to the package */
    if (subleaf < n) {
        r.eax = x86_topology_shift(&cpu->topo, rows[subleaf].level);
        r.ebx = x86_topology_threads(&cpu->topo, rows[subleaf].level);
        r.ecx |= rows[subleaf].type << 8;
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
            .eax = (uint32_t)env->features[FEAT_XSAVE],
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
        return (Cpuid){ .eax = (uint32_t)env->features[FEAT_6_EAX] };
    case 7:
        return leaf_features7(env, subleaf);
    case 0xb:
        return cpu->leaf_0b ? leaf_topology(cpu, leaf, subleaf) : (Cpuid){ 0 };
    case 0x1f:
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
        r.eax = cpu->leaf_freq ? 0x40000010 : 0x40000001;
        memcpy(&r.ebx, cpu->expose_kvm ? "KVMKVMKVM\0\0\0" : "TCGTCGTCGTCG", 12);
        break;
    case 0x40000001:
        r.eax = (uint32_t)env->features[FEAT_KVM];
        r.edx = (uint32_t)env->features[FEAT_KVM_HINTS];
        break;
    case 0x40000010:
        if (cpu->leaf_freq) {
            r.eax = (uint32_t)(x86_cpu_tsc_hz() / 1000);
            r.ebx = APIC_TIMER_HZ / 1000;
        }
        break;
    }
    return r;
}

/* Bits of leaf 1 EDX that AMD repeats in leaf 80000001H EDX. */
#define AMD_EDX_ALIASES 0x0183f3ff

/* APIC id; core id and threads of a core; node id and nodes of a package: a node is a die here. */
static Cpuid leaf_amd_topology(const X86CPU *cpu)
{
    CpuPlace p = x86_place_of_apic_id(&cpu->topo, cpu->apic_id);
    unsigned core_bits = package_shift(cpu) - smt_shift(cpu), dies = cpu->topo.n[X86_LEVEL_DIE];

    return (Cpuid){
        .eax = cpu->apic_id,
        .ebx = (cpu->topo.n[X86_LEVEL_THREAD] - 1) << 8 | (cpu->apic_id >> smt_shift(cpu) & ((1u << core_bits) - 1) & 0xff),
        .ecx = (dies - 1) << 8 | ((p.socket * dies + p.die) & 0xff),
    };
}

static Cpuid leaf_extended(X86CPU *cpu, uint32_t leaf, uint32_t subleaf)
{
    const CPUX86State *env = &cpu->env;
    bool amd = env->cpuid_vendor[0] == 0x68747541;      /* "Auth" */
    Cpuid r = { 0 };

    switch (leaf) {
    case 0x80000000:
        r = (Cpuid){ env->cpuid_xlevel, env->cpuid_vendor[0], env->cpuid_vendor[2], env->cpuid_vendor[1] };
        break;
    case 0x80000001:
        r = (Cpuid){ env->cpuid_version, 0, (uint32_t)env->features[FEAT_8000_0001_ECX],
                     (uint32_t)env->features[FEAT_8000_0001_EDX] };
        if (amd) {
            r.edx |= (uint32_t)env->features[FEAT_1_EDX] & AMD_EDX_ALIASES;
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
        r.ebx = (uint32_t)env->features[FEAT_8000_0007_EBX];
        r.edx = (uint32_t)env->features[FEAT_8000_0007_EDX];
        break;
    case 0x80000008:
        r.eax = cpu->phys_bits | (env->features[FEAT_8000_0001_EDX] >> 29 & 1 ? 48 : 32) << 8;
        r.ebx = (uint32_t)env->features[FEAT_8000_0008_EBX];
        if (threads_per_package(cpu) > 1) {
            r.ecx = package_shift(cpu) << 12 | (threads_per_package(cpu) - 1);
        }
        break;
    case 0x8000001d:        /* as leaf 4, without its count of cores */
        if (x86_has(env, FEAT_8000_0001_ECX, 22)) {
            r = leaf_cache(cpu, subleaf);
            r.eax &= 0x03ffffff;
        }
        break;
    case 0x8000001e:
        r = x86_has(env, FEAT_8000_0001_ECX, 22) ? leaf_amd_topology(cpu) : r;
        break;
    case 0x80000021:
        r.eax = (uint32_t)env->features[FEAT_8000_0021_EAX];
        break;
    }
    return r;
}

void x86_cpuid(CPUX86State *env, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    X86CPU *cpu = x86_env_cpu(env);
    Cpuid r;

    if (leaf >> 24 == 0x40) {
        r = x86_has(env, FEAT_1_ECX, 31) && (cpu->expose_kvm || cpu->expose_tcg) ? leaf_hypervisor(cpu, leaf) : (Cpuid){ 0 };
    } else if (leaf >= 0x80000000 && leaf <= env->cpuid_xlevel) {
        r = leaf_extended(cpu, leaf, subleaf);
    } else {
        /* SDM Vol.2 CPUID: beyond the last leaf, the data of the highest basic one. */
        r = leaf_basic(cpu, leaf > env->cpuid_level ? env->cpuid_level : leaf, subleaf);
    }
    memcpy(out, &r, sizeof(r));
}
