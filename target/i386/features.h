/*
 * CPU features: names, what translated code implements, how a model's set becomes the CPU's.
 */
#ifndef TARGET_I386_FEATURES_H
#define TARGET_I386_FEATURES_H

#include "target/i386/cpu.h"

/* One property per feature name, for the abstract CPU type. */
extern const Property x86_feature_properties[];
enum {
    X86_N_FEATURE_PROPERTIES = 0
#define FEATURE(...) + 1
#define SECOND_BIT(...)
#define ALIAS(...) + 1
#include "target/i386/features.def"
#undef FEATURE
#undef SECOND_BIT
#undef ALIAS
};

/* Where a feature word is found: "CPUID.01H:EDX". */
const char *x86_feature_word_name(FeatureWord w);
/* The CPUID leaf and register of a word; false for MSRs.  @subleaf is -1 where the leaf has none. */
bool x86_feature_word_cpuid(FeatureWord w, uint32_t *leaf, int *subleaf, const char **reg);
/* First name of a bit; NULL if it has none. */
const char *x86_feature_name(FeatureWord w, unsigned bit);
/* By name, other spellings included; for a name of two bits the first. */
bool x86_feature_find(const char *name, FeatureWord *w, unsigned *bit);
/* Every name that is no other spelling, in the order of features.def. */
void x86_feature_foreach(void (*fn)(const char *name, FeatureWord w, unsigned bit, void *opaque), void *opaque);
/* Names of the bits in @words; the caller owns the list. */
GStrv x86_feature_names_of(const uint64_t *words);

/* What the accelerator can give: translated code, or the host under KVM. */
uint64_t x86_supported_features(FeatureWord w);
/* Set in @words the bits of the space-separated @names (which must be known). */
void x86_features_parse(const char *names, uint64_t *words);
/* All bits of @word that go by @name. */
uint64_t x86_feature_bits(FeatureWord word, const char *name);

/*
 * Drop features that are nothing without others that are off.  What the user had asked for by name
 * goes into filtered_features, warned about if @warn.
 */
void x86_features_drop_dependents(X86CPU *cpu, bool warn);
/* Drop what cannot be done into filtered_features, each warned about if @warn. */
void x86_features_filter(X86CPU *cpu, bool warn);

#endif
