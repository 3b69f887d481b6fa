/*
 * CPU features: the rows of features.def as properties, names and masks.
 */
#include "target/i386/features.h"

#include "accel/kvm/cpu-ops.h"
#include "target/i386/kvm.h"

typedef struct FeatureRow {
    uint8_t word, bit;
    bool alias, tcg;
    const char *name;
} FeatureRow;

#define TCG  true
#define ____ false
static const FeatureRow feature_rows[] = {
#define FEATURE(w, b, n, t) { .word = w, .bit = b, .name = n, .tcg = t },
#define SECOND_BIT          FEATURE
#define ALIAS(w, b, n)      { .word = w, .bit = b, .name = n, .alias = true },
#include "features.def"
#undef FEATURE
#undef SECOND_BIT
#undef ALIAS
};

/* @subleaf -1: the leaf has none.  Without @reg: an MSR, whose number is @leaf. */
static const struct { uint32_t leaf; int subleaf; const char *reg, *name; } words[FEATURE_WORDS] = {
    [FEAT_1_EDX] = { 1, -1, "EDX", "CPUID.01H:EDX" },
    [FEAT_1_ECX] = { 1, -1, "ECX", "CPUID.01H:ECX" },
    [FEAT_7_0_EBX] = { 7, 0, "EBX", "CPUID.07H:EBX" },
    [FEAT_7_0_ECX] = { 7, 0, "ECX", "CPUID.07H:ECX" },
    [FEAT_7_0_EDX] = { 7, 0, "EDX", "CPUID.07H:EDX" },
    [FEAT_7_1_EAX] = { 7, 1, "EAX", "CPUID.07H.1:EAX" },
    [FEAT_7_1_EDX] = { 7, 1, "EDX", "CPUID.07H.1:EDX" },
    [FEAT_7_2_EDX] = { 7, 2, "EDX", "CPUID.07H.2:EDX" },
    [FEAT_8000_0001_EDX] = { 0x80000001, -1, "EDX", "CPUID.80000001H:EDX" },
    [FEAT_8000_0001_ECX] = { 0x80000001, -1, "ECX", "CPUID.80000001H:ECX" },
    [FEAT_8000_0007_EBX] = { 0x80000007, -1, "EBX", "CPUID.80000007H:EBX" },
    [FEAT_8000_0007_EDX] = { 0x80000007, -1, "EDX", "CPUID.80000007H:EDX" },
    [FEAT_8000_0008_EBX] = { 0x80000008, -1, "EBX", "CPUID.80000008H:EBX" },
    [FEAT_SVM] = { 0x8000000a, -1, "EDX", "CPUID.8000000AH:EDX" },
    [FEAT_8000_0021_EAX] = { 0x80000021, -1, "EAX", "CPUID.80000021H:EAX" },
    [FEAT_8000_0022_EAX] = { 0x80000022, -1, "EAX", "CPUID.80000022H:EAX" },
    [FEAT_C000_0001_EDX] = { 0xc0000001, -1, "EDX", "CPUID.C0000001H:EDX" },
    [FEAT_KVM] = { 0x40000001, -1, "EAX", "CPUID.40000001H:EAX" },
    [FEAT_KVM_HINTS] = { 0x40000001, -1, "EDX", "CPUID.40000001H:EDX" },
    [FEAT_6_EAX] = { 6, -1, "EAX", "CPUID.06H:EAX" },
    [FEAT_XSAVE] = { 0xd, 1, "EAX", "CPUID.0DH.1:EAX" },
    [FEAT_12_0_EAX] = { 0x12, 0, "EAX", "CPUID.12H:EAX" },
    [FEAT_12_0_EBX] = { 0x12, 0, "EBX", "CPUID.12H:EBX" },
    [FEAT_12_1_EAX] = { 0x12, 1, "EAX", "CPUID.12H.1:EAX" },
    [FEAT_14_0_ECX] = { 0x14, 0, "ECX", "CPUID.14H:ECX" },
    [FEAT_24_0_EBX] = { 0x24, 0, "EBX", "CPUID.24H:EBX" },
    [FEAT_CORE_CAPABILITY] = { 0xcf, .name = "MSR(CFH)" },
    [FEAT_ARCH_CAPABILITIES] = { 0x10a, .name = "MSR(10AH)" },
    [FEAT_PERF_CAPABILITIES] = { 0x345, .name = "MSR(345H)" },
    [FEAT_VMX_BASIC] = { 0x480, .name = "MSR(480H)" },
    [FEAT_VMX_MISC] = { 0x485, .name = "MSR(485H)" },
    [FEAT_VMX_SECONDARY] = { 0x48b, .name = "MSR(48BH)" },
    [FEAT_VMX_EPT_VPID] = { 0x48c, .name = "MSR(48CH)" },
    [FEAT_VMX_PINBASED] = { 0x48d, .name = "MSR(48DH)" },
    [FEAT_VMX_PROCBASED] = { 0x48e, .name = "MSR(48EH)" },
    [FEAT_VMX_EXIT] = { 0x48f, .name = "MSR(48FH)" },
    [FEAT_VMX_ENTRY] = { 0x490, .name = "MSR(490H)" },
    [FEAT_VMX_VMFUNC] = { 0x491, .name = "MSR(491H)" },
};

/* --- by name: rows in the order of names, made once --- */

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const FeatureRow *const *)a)->name, (*(const FeatureRow *const *)b)->name);
}

static const FeatureRow *const *rows_by_name(void)
{
    static const FeatureRow **sorted;

    if (g_once_init_enter(&sorted)) {
        const FeatureRow **list = g_new(const FeatureRow *, ARRAY_SIZE(feature_rows));

        for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
            list[i] = &feature_rows[i];
        }
        qsort(list, ARRAY_SIZE(feature_rows), sizeof(*list), compare_names);
        g_once_init_leave(&sorted, list);
    }
    return sorted;
}

/* Index of the first row of @name in the sorted list; its length if there is none. */
static unsigned find_name(const char *name)
{
    const FeatureRow *const *rows = rows_by_name();
    unsigned low = 0, high = ARRAY_SIZE(feature_rows);

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (strcmp(rows[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ARRAY_SIZE(feature_rows) && !strcmp(rows[low]->name, name) ? low : ARRAY_SIZE(feature_rows);
}

uint64_t x86_feature_bits(FeatureWord word, const char *name)
{
    const FeatureRow *const *rows = rows_by_name();
    uint64_t bits = 0;

    for (unsigned i = find_name(name); i < ARRAY_SIZE(feature_rows) && !strcmp(rows[i]->name, name); i++) {
        if (rows[i]->word == word) {
            bits |= BIT_ULL(rows[i]->bit);
        }
    }
    return bits;
}

bool x86_feature_find(const char *name, FeatureWord *w, unsigned *bit)
{
    unsigned i = find_name(name);

    if (i == ARRAY_SIZE(feature_rows)) {
        return false;
    }
    *w = rows_by_name()[i]->word;
    *bit = rows_by_name()[i]->bit;
    return true;
}

/* --- properties: +name, -name, name=on|off --- */

static bool feature_set(Object *obj, const Property *p, const Value *v, Error **errp)
{
    X86CPU *cpu = X86_CPU(obj);
    uint64_t bits = x86_feature_bits(p->offset, p->name);

    cpu->user_features[p->offset] |= bits;
    if (value_get_bool(v)) {
        cpu->env.features[p->offset] |= bits;
    } else {
        cpu->env.features[p->offset] &= ~bits;
    }
    return true;
}

static Value *feature_get(Object *obj, const Property *p)
{
    uint64_t bits = x86_feature_bits(p->offset, p->name);

    return value_bool((X86_CPU(obj)->env.features[p->offset] & bits) == bits);
}

/* .offset carries the feature word. */
const Property x86_feature_properties[] = {
#define FEATURE(w, b, n, t) PROP_CUSTOM(bool, n, feature_get, feature_set, .offset = w, .bit = b, .help = "CPU feature"),
#define SECOND_BIT(...)
#define ALIAS(w, b, n)      FEATURE(w, b, n, ____)
#include "features.def"
#undef FEATURE
#undef SECOND_BIT
#undef ALIAS
};
_Static_assert(ARRAY_SIZE(x86_feature_properties) == X86_N_FEATURE_PROPERTIES, "one property per name");

/* --- names and masks --- */

const char *x86_feature_word_name(FeatureWord w)
{
    return words[w].name;
}

bool x86_feature_word_cpuid(FeatureWord w, uint32_t *leaf, int *subleaf, const char **reg)
{
    *leaf = words[w].leaf;
    *subleaf = words[w].subleaf;
    *reg = words[w].reg;
    return words[w].reg != NULL;
}

const char *x86_feature_name(FeatureWord w, unsigned bit)
{
    for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
        if (feature_rows[i].word == w && feature_rows[i].bit == bit && !feature_rows[i].alias) {
            return feature_rows[i].name;
        }
    }
    return NULL;
}

void x86_feature_foreach(void (*fn)(const char *name, FeatureWord w, unsigned bit, void *opaque), void *opaque)
{
    for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
        if (!feature_rows[i].alias) {
            fn(feature_rows[i].name, feature_rows[i].word, feature_rows[i].bit, opaque);
        }
    }
}

GStrv x86_feature_names_of(const uint64_t *bits)
{
    GPtrArray *names = g_ptr_array_new();

    for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
        const FeatureRow *row = &feature_rows[i];

        if (!row->alias && bits[row->word] >> row->bit & 1) {
            g_ptr_array_add(names, g_strdup(row->name));
        }
    }
    g_ptr_array_add(names, NULL);
    return (GStrv)g_ptr_array_free(names, false);
}

static uint64_t tcg_features(FeatureWord w)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
        if (feature_rows[i].word == w && feature_rows[i].tcg) {
            mask |= BIT_ULL(feature_rows[i].bit);
        }
    }
    return mask;
}

uint64_t x86_supported_features(FeatureWord w)
{
    if (!kvm_enabled()) {
        return tcg_features(w);
    }
    return x86_kvm_features(w) & (kvm_native() ? tcg_features(w) : ~0ULL);      /* both run it there */
}

void x86_features_parse(const char *names, uint64_t *bits)
{
    g_auto(GStrv) list = g_strsplit(names, " ", -1);

    for (unsigned i = 0; list[i]; i++) {
        FeatureWord w = 0;
        unsigned bit;
        bool known = !*list[i] || x86_feature_find(list[i], &w, &bit);

        assert(known && "models.def names an unknown feature");
        bits[w] |= x86_feature_bits(w, list[i]);
    }
}

/* --- from wish to set --- */

/* A feature that is useless, or wrong, without another: features.def names.  No .feature: the whole word. */
static const struct { const char *feature; FeatureWord word; const char *needs; } dependencies[] = {
    { "xsaveopt", 0, "xsave" }, { "xgetbv1", 0, "xsave" }, { "xsavec", 0, "xsave" }, { "xsaves", 0, "xsave" },
    { "avx", 0, "xsave" }, { "avx2", 0, "avx" }, { "fma", 0, "avx" }, { "f16c", 0, "avx" }, { "vaes", 0, "avx" },
    { "vpclmulqdq", 0, "avx" },
    { "pcid", 0, "lm" }, { "invpcid", 0, "lm" }, { "fsgsbase", 0, "lm" }, { "rdpid", 0, "rdtscp" }, { "x2apic", 0, "apic" },
    { "tsc-deadline", 0, "apic" }, { "tsc-deadline", 0, "tsc" }, { "sse2", 0, "sse" }, { "sse", 0, "fxsr" },
    { "nx", 0, "pae" }, { "lm", 0, "pae" }, { "lm", 0, "nx" }, { "kvmclock", 0, "tsc" }, { "fred", 0, "lm" },
    { "sgxlc", 0, "sgx" },
    { NULL, FEAT_CORE_CAPABILITY, "core-capability" }, { NULL, FEAT_ARCH_CAPABILITIES, "arch-capabilities" },
    { NULL, FEAT_PERF_CAPABILITIES, "pdcm" }, { NULL, FEAT_14_0_ECX, "intel-pt" }, { NULL, FEAT_12_0_EAX, "sgx" },
    { NULL, FEAT_12_0_EBX, "sgx" }, { NULL, FEAT_12_1_EAX, "sgx" }, { NULL, FEAT_SVM, "svm" }, { NULL, FEAT_24_0_EBX, "avx10" },
    { NULL, FEAT_VMX_BASIC, "vmx" }, { NULL, FEAT_VMX_MISC, "vmx" }, { NULL, FEAT_VMX_PINBASED, "vmx" },
    { NULL, FEAT_VMX_PROCBASED, "vmx" }, { NULL, FEAT_VMX_EXIT, "vmx" }, { NULL, FEAT_VMX_ENTRY, "vmx" },
    { NULL, FEAT_VMX_SECONDARY, "vmx-secondary-ctls" }, { NULL, FEAT_VMX_VMFUNC, "vmx-vmfunc" },
    { NULL, FEAT_VMX_EPT_VPID, "vmx-secondary-ctls" },
};

static bool feature_on(const X86CPU *cpu, const char *name)
{
    FeatureWord w;
    unsigned bit;

    return x86_feature_find(name, &w, &bit) && x86_has(&cpu->env, w, bit);
}

/* Take @bits out of @w; those that are worth telling go where queries look. */
static void take_out(X86CPU *cpu, FeatureWord w, uint64_t bits, uint64_t tell, const char *why)
{
    cpu->env.features[w] &= ~bits;
    cpu->filtered_features[w] |= tell;
    for (unsigned bit = 0; why && bit < 64; bit++) {
        if (tell >> bit & 1) {
            const char *name = x86_feature_name(w, bit);

            warn_report("%s: %s%s%s [bit %u]", why, words[w].name, name ? "." : "", name ? name : "", bit);
        }
    }
}

void x86_features_drop_dependents(X86CPU *cpu, bool warn)
{
    bool again;

    do {
        again = false;
        for (unsigned i = 0; i < ARRAY_SIZE(dependencies); i++) {
            FeatureWord w = dependencies[i].word;
            uint64_t bits = ~0ULL;
            unsigned bit;

            if (dependencies[i].feature && x86_feature_find(dependencies[i].feature, &w, &bit)) {
                bits = x86_feature_bits(w, dependencies[i].feature);
            }
            bits &= cpu->env.features[w];
            if (bits && !feature_on(cpu, dependencies[i].needs)) {
                take_out(cpu, w, bits, bits & cpu->user_features[w],
                         warn ? "This feature depends on other features that were not requested" : NULL);
                again = true;
            }
        }
    } while (again);
}

void x86_features_filter(X86CPU *cpu, bool warn)
{
    for (FeatureWord w = 0; w < FEATURE_WORDS; w++) {
        uint64_t missing = cpu->env.features[w] & ~x86_supported_features(w);

        take_out(cpu, w, missing, missing, !warn ? NULL : kvm_enabled() ? "host doesn't support requested feature"
                                                           : "TCG doesn't support requested feature");
    }
    x86_features_drop_dependents(cpu, warn);
}

uint64_t x86_xcr0_supported(const CPUX86State *env)
{
    return x86_has(env, FEAT_1_ECX, 26) ? 3 | (x86_has(env, FEAT_1_ECX, 28) ? 4 : 0) : 1;
}
