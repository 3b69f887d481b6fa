/*
 * CPUID features: the rows of features.def as properties, names and masks.
 */
#include "target/i386/features.h"

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

static const char *const word_names[FEATURE_WORDS] = {
    [FEAT_1_EDX] = "CPUID.01H:EDX", [FEAT_1_ECX] = "CPUID.01H:ECX", [FEAT_7_0_EBX] = "CPUID.07H:EBX",
    [FEAT_7_0_ECX] = "CPUID.07H:ECX", [FEAT_7_0_EDX] = "CPUID.07H:EDX", [FEAT_7_1_EAX] = "CPUID.07H.1:EAX",
    [FEAT_8000_0001_EDX] = "CPUID.80000001H:EDX", [FEAT_8000_0001_ECX] = "CPUID.80000001H:ECX",
    [FEAT_8000_0007_EDX] = "CPUID.80000007H:EDX", [FEAT_8000_0008_EBX] = "CPUID.80000008H:EBX",
    [FEAT_KVM] = "CPUID.40000001H:EAX", [FEAT_6_EAX] = "CPUID.06H:EAX", [FEAT_XSAVE] = "CPUID.0DH.1:EAX",
};

/* --- properties: +name, -name, name=on|off --- */

/* All bits that go by @name in @word ("kvmclock" is two). */
static uint64_t name_bits(unsigned word, const char *name)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
        if (feature_rows[i].word == word && !strcmp(feature_rows[i].name, name)) {
            bits |= BIT_ULL(feature_rows[i].bit);
        }
    }
    return bits;
}

static bool feature_set(Object *obj, const Property *p, const Value *v, Error **errp)
{
    X86CPU *cpu = X86_CPU(obj);
    uint64_t bits = name_bits(p->offset, p->name);

    if (value_get_bool(v)) {
        cpu->requested_features[p->offset] |= bits;
        cpu->dropped_features[p->offset] &= ~bits;
    } else {
        cpu->requested_features[p->offset] &= ~bits;
        cpu->dropped_features[p->offset] |= bits;
    }
    return true;
}

static Value *feature_get(Object *obj, const Property *p)
{
    const X86CPU *cpu = X86_CPU(obj);
    uint64_t bits = name_bits(p->offset, p->name);

    if (cpu->parent.dev.realized) {
        return value_bool((cpu->env.features[p->offset] & bits) == bits);
    }
    return value_bool((cpu->requested_features[p->offset] & bits) == bits);
}

/* .offset carries the feature word. */
const Property x86_feature_properties[] = {
#define FEATURE(w, b, n, t) PROP_CUSTOM(bool, n, feature_get, feature_set, .offset = w, .bit = b, .help = "CPUID feature"),
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
    return word_names[w];
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

bool x86_feature_find(const char *name, FeatureWord *w, unsigned *bit)
{
    for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
        if (!strcmp(feature_rows[i].name, name)) {
            *w = feature_rows[i].word;
            *bit = feature_rows[i].bit;
            return true;
        }
    }
    return false;
}

uint32_t x86_tcg_features(FeatureWord w)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
        if (feature_rows[i].word == w && feature_rows[i].tcg) {
            mask |= 1u << feature_rows[i].bit;
        }
    }
    return mask;
}

void x86_features_parse(const char *names, uint64_t *words)
{
    g_auto(GStrv) list = g_strsplit(names, " ", -1);

    for (unsigned i = 0; list[i]; i++) {
        bool known = !*list[i];

        for (unsigned k = 0; !known && k < ARRAY_SIZE(feature_rows); k++) {
            if (!strcmp(feature_rows[k].name, list[i])) {
                words[feature_rows[k].word] |= name_bits(feature_rows[k].word, list[i]);
                known = true;
            }
        }
        assert(known && "models.def names an unknown feature");
    }
}

/* --- from wish to set --- */

/* A feature that is useless, or wrong, without another: features.def names. */
static const struct { const char *feature, *needs; } dependencies[] = {
    { "xsaveopt", "xsave" }, { "xgetbv1", "xsave" }, { "xsavec", "xsave" }, { "avx", "xsave" },
    { "pcid", "lm" }, { "invpcid", "lm" }, { "fsgsbase", "lm" }, { "rdpid", "rdtscp" }, { "x2apic", "apic" },
    { "tsc-deadline", "apic" }, { "tsc-deadline", "tsc" }, { "sse2", "sse" }, { "sse", "fxsr" }, { "nx", "pae" },
    { "lm", "pae" }, { "lm", "nx" }, { "kvmclock", "tsc" },
};

static bool feature_in(const X86CPU *cpu, const char *name, FeatureWord *w, unsigned *bit)
{
    return x86_feature_find(name, w, bit) && x86_has(&cpu->env, *w, *bit);
}

static void drop_unsupported_dependents(X86CPU *cpu)
{
    bool again;

    do {
        again = false;
        for (unsigned i = 0; i < ARRAY_SIZE(dependencies); i++) {
            FeatureWord w, nw;
            unsigned bit, nbit;

            if (feature_in(cpu, dependencies[i].feature, &w, &bit) && !feature_in(cpu, dependencies[i].needs, &nw, &nbit)) {
                cpu->env.features[w] &= ~(1u << bit);
                again = true;
            }
        }
    } while (again);
}

static void warn_unsupported(FeatureWord w, uint32_t missing)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        const char *name = x86_feature_name(w, bit);

        if (missing >> bit & 1) {
            warn_report("TCG doesn't support requested feature: %s.%s [bit %u]", word_names[w], name ? name : "?", bit);
        }
    }
}

bool x86_features_resolve(X86CPU *cpu, const uint64_t *model, bool warn, bool enforce, Error **errp)
{
    CPUX86State *env = &cpu->env;

    for (FeatureWord w = 0; w < FEATURE_WORDS; w++) {
        uint32_t want = (uint32_t)((model[w] | cpu->requested_features[w]) & ~cpu->dropped_features[w]);
        uint32_t can = x86_tcg_features(w);
        uint32_t missing = want & ~can;

        if (missing && enforce) {
            unsigned bit = (unsigned)__builtin_ctz(missing);
            const char *name = x86_feature_name(w, bit);

            error_setg(errp, "TCG doesn't support requested feature %s.%s [bit %u]", word_names[w], name ? name : "?", bit);
            return false;
        }
        if (missing && warn) {
            warn_unsupported(w, missing);
        }
        env->features[w] = want & can;
    }
    drop_unsupported_dependents(cpu);
    return true;
}

uint64_t x86_xcr0_supported(const CPUX86State *env)
{
    return x86_has(env, FEAT_1_ECX, 26) ? 3 | (x86_has(env, FEAT_1_ECX, 28) ? 4 : 0) : 1;
}
