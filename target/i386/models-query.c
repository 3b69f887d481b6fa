/*
 * Answers about CPU models: each by a CPU object made for it, expanded as realize would, and dropped.
 */
#include "target/i386/cpu-models.h"

#include "accel/kvm/cpu-ops.h"
#include "target/i386/cpu-internal.h"
#include "target/i386/models.h"

/* What static expansion states beside features. */
static const char *const identity[] = { "vendor", "family", "model", "stepping", "model-id", "min-level", "min-xlevel" };

/* --- all of them --- */

typedef struct Foreach {
    void (*fn)(const X86ModelInfo *info, void *opaque);
    void *opaque;
} Foreach;

static GStrv unavailable_of(const TypeInfo *type)
{
    g_autoptr(Object) obj = NULL;

    if (x86_model_of_type(type)->kind == MODEL_HOST && !kvm_enabled()) {
        return g_strsplit("kvm", " ", -1);
    }
    obj = object_new(type);
    x86_features_drop_dependents(X86_CPU(obj), false);
    x86_features_filter(X86_CPU(obj), false);
    return x86_feature_names_of(X86_CPU(obj)->filtered_features);
}

static bool tell_model(const TypeInfo *type, void *opaque)
{
    const Foreach *f = opaque;
    const X86Model *m = x86_model_of_type(type);
    g_auto(GStrv) unavailable = unavailable_of(type);
    X86ModelInfo info = {
        .name = m->name, .type_name = type->name, .alias_of = m->alias_of, .is_static = m->kind == MODEL_BASE,
        .migration_safe = m->kind == MODEL_NAMED || m->kind == MODEL_BASE, .unavailable = unavailable,
    };

    f->fn(&info, f->opaque);
    return true;
}

void x86_models_foreach(void (*fn)(const X86ModelInfo *info, void *opaque), void *opaque)
{
    Foreach f = { fn, opaque };

    type_foreach(&x86_cpu_type, false, tell_model, &f);
}

/* --- one of them --- */

static X86CPU *make(const char *name, const Value *props, Error **errp)
{
    g_autofree char *type_name = g_strconcat(name, "-x86_64-cpu", NULL);
    const TypeInfo *type = type_by_name(type_name);
    g_autoptr(Object) obj = NULL;

    if (!type || type->abstract || !type_is_a(type, &x86_cpu_type)) {
        error_setg(errp, "CPU model '%s' not found", name);
        return NULL;
    }
    if (props && value_type(props) != VALUE_DICT) {
        error_setg(errp, "Invalid parameter type for 'model.props', expected: object");
        return NULL;
    }
    obj = object_new(type);
    if ((props && !object_set_properties_dict(obj, props, NULL, errp)) || !x86_cpu_expand(X86_CPU(obj), false, errp)) {
        return NULL;
    }
    return X86_CPU(g_steal_pointer(&obj));
}

static void copy_property(Value *into, X86CPU *cpu, const char *name)
{
    value_dict_set(into, name, object_property_get(cpu, name, &error_abort));
}

typedef struct AddFeature {
    Value *into;
    const uint64_t *words;
} AddFeature;

static void add_feature(const char *name, FeatureWord w, unsigned bit, void *opaque)
{
    const AddFeature *a = opaque;
    uint64_t bits = x86_feature_bits(w, name);

    value_dict_set_bool(a->into, name, (a->words[w] & bits) == bits);
}

static Value *static_properties(X86CPU *cpu, const uint64_t *words)
{
    Value *props = value_dict();
    AddFeature a = { props, words };

    for (unsigned i = 0; i < ARRAY_SIZE(identity); i++) {
        copy_property(props, cpu, identity[i]);
    }
    x86_feature_foreach(add_feature, &a);
    return props;
}

typedef struct AddProperty {
    Value *into;
    X86CPU *cpu;
} AddProperty;

/* Those that a user may set. */
static bool add_property(const Property *p, void *opaque)
{
    const AddProperty *a = opaque;

    if (!p->read_only && !p->internal) {
        copy_property(a->into, a->cpu, p->name);
    }
    return true;
}

static Value *all_properties(X86CPU *cpu)
{
    AddProperty a = { value_dict(), cpu };

    type_foreach_property(cpu->parent.dev.obj.type, add_property, &a);
    return a.into;
}

Value *x86_model_expand(const char *name, const Value *props, bool full, Error **errp)
{
    X86CPU *cpu = make(name, props, errp);
    Value *out;

    if (!cpu) {
        return NULL;
    }
    out = full ? all_properties(cpu) : static_properties(cpu, cpu->env.features);
    object_unref(cpu);
    return out;
}

/* --- two of them --- */

/* Bits of @a that @b lacks, by name. */
static GStrv lacking(const X86CPU *a, const X86CPU *b)
{
    uint64_t words[FEATURE_WORDS];

    for (FeatureWord w = 0; w < FEATURE_WORDS; w++) {
        words[w] = a->env.features[w] & ~b->env.features[w];
    }
    return x86_feature_names_of(words);
}

/* The lesser in everything; the identity is that of @a. */
static Value *common(X86CPU *a, const X86CPU *b)
{
    uint64_t words[FEATURE_WORDS];

    for (FeatureWord w = 0; w < FEATURE_WORDS; w++) {
        words[w] = a->env.features[w] & b->env.features[w];
    }
    a->min_level = MIN(a->min_level, b->min_level);
    a->min_xlevel = MIN(a->min_xlevel, b->min_xlevel);
    return static_properties(a, words);
}

bool x86_models_compare(const char *a_name, const Value *a_props, const char *b_name, const Value *b_props, GStrv *a_lacks,
                        GStrv *b_lacks, bool *same_vendor, Value **baseline, Error **errp)
{
    X86CPU *a = make(a_name, a_props, errp), *b = a ? make(b_name, b_props, errp) : NULL;

    if (b) {
        x86_features_filter(a, false);
        x86_features_filter(b, false);
        *a_lacks = lacking(b, a);
        *b_lacks = lacking(a, b);
        *same_vendor = !strcmp(a->vendor, b->vendor);
        if (baseline) {
            *baseline = common(a, b);
        }
    }
    if (a) {
        object_unref(a);
    }
    if (!b) {
        return false;
    }
    object_unref(b);
    return true;
}

/* --- for help --- */

static void collect_name(const char *name, FeatureWord w, unsigned bit, void *opaque)
{
    g_ptr_array_add(opaque, g_strdup(name));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

GStrv x86_feature_names(void)
{
    GPtrArray *names = g_ptr_array_new();
    unsigned n = 0;

    x86_feature_foreach(collect_name, names);
    qsort(names->pdata, names->len, sizeof(void *), compare_names);
    for (unsigned i = 0; i < names->len; i++) {         /* names of two bits came twice */
        char *name = g_ptr_array_index(names, i);

        if (n && !strcmp(names->pdata[n - 1], name)) {
            g_free(name);
        } else {
            names->pdata[n++] = name;
        }
    }
    g_ptr_array_set_size(names, (int)n);
    g_ptr_array_add(names, NULL);
    return (GStrv)g_ptr_array_free(names, false);
}
