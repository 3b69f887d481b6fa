/*
 * CPU models: what a type name stands for, with the changes of its version applied.
 */
#ifndef TARGET_I386_MODELS_H
#define TARGET_I386_MODELS_H

#include "target/i386/features.h"

typedef enum X86ModelKind { MODEL_NAMED, MODEL_MAX, MODEL_BASE, MODEL_HOST } X86ModelKind;

typedef struct X86Model X86Model;
struct X86Model {
    X86ModelKind kind;
    const char *name;                   /* "Haswell-v2" */
    const char *alias_of;               /* "Haswell-v1" for "Haswell"; NULL if it is none itself */
    const X86Model *from;               /* an alias's model; a version's predecessor */
    uint32_t level, xlevel;
    const char *vendor;
    uint32_t family, model, stepping;
    const char *model_id;
    const char *features;               /* names; of a version, changes: "+feature -feature key=value" */
};

/* Family data of a CPU type: begins as a VcpuInfo. */
typedef struct X86CpuInfo {
    struct VcpuInfo;
    const X86Model *model;
} X86CpuInfo;

static inline const X86Model *x86_model_of_type(const TypeInfo *type)
{
    return ((const X86CpuInfo *)type->info)->model;
}

/* A model in full; strings are borrowed. */
typedef struct X86ModelData {
    uint64_t features[FEATURE_WORDS];
    uint32_t level, xlevel, family, model, stepping;
    const char *vendor, *model_id;
} X86ModelData;

void x86_model_load(const X86Model *m, X86ModelData *out);
/* Add what "max" and "host" have beyond that with migratable=off. */
void x86_model_unmigratable(const X86Model *m, uint64_t features[FEATURE_WORDS]);

#endif
