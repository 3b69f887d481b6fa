/*
 * Questions about x86 CPU models: which there are, what they lack here, what they consist of.
 */
#ifndef TARGET_I386_CPU_MODELS_H
#define TARGET_I386_CPU_MODELS_H

#include "hw/core/cpu.h"

typedef struct X86ModelInfo {
    const char *name, *type_name;
    const char *alias_of;               /* NULL if it is none */
    bool is_static, migration_safe;
    GStrv unavailable;                  /* features that cannot be had; "kvm" for a model that needs KVM */
} X86ModelInfo;

/* Every model, versions and aliases included, sorted by name. */
void x86_models_foreach(void (*fn)(const X86ModelInfo *info, void *opaque), void *opaque);

/*
 * The properties of a CPU of model @name on which the dict @props (may be NULL) was set; owned.  @full: all properties;
 * else what the static model "base" needs to become it: every feature and the identity.  Features that cannot be had
 * are still on.
 */
Value *x86_model_expand(const char *name, const Value *props, bool full, Error **errp);

/*
 * Features of the two models as far as they can be had here.  *@first_lacks and *@second_lacks are lists of names that
 * only the other has; owned.  @baseline, if not NULL, becomes the properties that make "base" what both have.
 */
bool x86_models_compare(const char *a, const Value *a_props, const char *b, const Value *b_props, GStrv *a_lacks,
                        GStrv *b_lacks, bool *same_vendor, Value **baseline, Error **errp) MUST_USE;

/* Names of all features, sorted; owned. */
GStrv x86_feature_names(void);

#endif
