/*
 * CPUID features: names, what translated code implements, how a model's set becomes the CPU's.
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
/* First name of a bit; NULL if it has none. */
const char *x86_feature_name(FeatureWord w, unsigned bit);
bool x86_feature_find(const char *name, FeatureWord *w, unsigned *bit);

/* What translated code implements. */
uint32_t x86_tcg_features(FeatureWord w);
/* Set in @words the bits of the space-separated @names (which must be known). */
void x86_features_parse(const char *names, uint64_t *words);

/*
 * env->features from the model's set, what the user asked for and dropped, and what can be done.
 * A feature that was asked for (by model or user) and cannot be done is warned about, once per
 * bit and process run of realize (@warn), or refused (@enforce).
 */
bool x86_features_resolve(X86CPU *cpu, const uint64_t *model, bool warn, bool enforce, Error **errp) MUST_USE;

#endif
