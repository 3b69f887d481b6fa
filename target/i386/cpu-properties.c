/*
 * The x86 CPU's properties, features apart: identity, place, what CPUID shows, and lists of features for queries.
 */
#include "target/i386/cpu-internal.h"
#include "target/i386/models.h"

#define X86_DEFAULT_PHYS_BITS 40

/* CPUID 1 EAX holds an extended family (8 bits, added to 15), 8 bits of model and 4 of stepping. */
enum { FAMILY_MAX = 0xff + 0xf, MODEL_MAX_NUMBER = 0xff, STEPPING_MAX = 0xf };

/* --- features that could not be had --- */

static Value *get_unavailable(Object *obj, const Property *p)
{
    g_auto(GStrv) names = x86_feature_names_of(X86_CPU(obj)->filtered_features);
    Value *list = value_list();

    for (unsigned i = 0; names[i]; i++) {
        value_list_append(list, value_string(names[i]));
    }
    return list;
}

/* Each CPUID word as a dict of where it is found and what it holds. */
static Value *cpuid_words(const uint64_t *words)
{
    Value *list = value_list();

    for (FeatureWord w = 0; w < FEATURE_WORDS; w++) {
        uint32_t leaf;
        int subleaf;
        const char *reg;
        Value *d;

        if (!x86_feature_word_cpuid(w, &leaf, &subleaf, &reg)) {
            continue;
        }
        d = value_dict();
        value_dict_set_int(d, "cpuid-input-eax", leaf);
        if (subleaf >= 0) {
            value_dict_set_int(d, "cpuid-input-ecx", subleaf);
        }
        value_dict_set_str(d, "cpuid-register", reg);
        value_dict_set_int(d, "features", (int64_t)words[w]);
        value_list_append(list, d);
    }
    return list;
}

static Value *get_feature_words(Object *obj, const Property *p)
{
    return cpuid_words(X86_CPU(obj)->env.features);
}

static Value *get_filtered_features(Object *obj, const Property *p)
{
    return cpuid_words(X86_CPU(obj)->filtered_features);
}

static bool set_nothing(Object *obj, const Property *p, const Value *v, Error **errp)
{
    error_setg(errp, "is read-only");
    return false;
}

static Value *get_list(Object *obj, const Property *p)
{
    return p->get(obj, p);
}

static const PropertyType str_list = { .name = "strList", .set = set_nothing, .get = get_list };
static const PropertyType word_list = { .name = "X86CPUFeatureWordInfo", .set = set_nothing, .get = get_list };

/* --- highest leaves: what was set, else what came out --- */

static Value *get_level(Object *obj, const Property *p)
{
    const X86CPU *cpu = X86_CPU(obj);

    return value_uint(cpu->level != X86_UNSET ? cpu->level : MAX(cpu->env.cpuid_level, cpu->min_level));
}

static Value *get_xlevel(Object *obj, const Property *p)
{
    const X86CPU *cpu = X86_CPU(obj);

    return value_uint(cpu->xlevel != X86_UNSET ? cpu->xlevel : MAX(cpu->env.cpuid_xlevel, cpu->min_xlevel));
}

static bool set_level(Object *obj, const Property *p, const Value *v, Error **errp)
{
    uint64_t n;

    if (!value_get_uint(v, &n) || n > UINT32_MAX) {
        error_setg(errp, "must be 0..%u", UINT32_MAX);
        return false;
    }
    *(uint32_t *)((char *)obj + p->offset) = (uint32_t)n;
    return true;
}

static bool migratable_changed(Object *obj, const Property *p, Error **errp)
{
    X86CPU *cpu = X86_CPU(obj);

    if (!cpu->migratable) {
        x86_model_unmigratable(x86_model_of_type(obj->type), cpu->env.features);
    }
    return true;
}

/* --- the table --- */

const Property x86_cpu_properties[] = {
    PROP_UINT32("apic-id", X86CPU, apic_id, X86_UNSET, .help = "local APIC id; default: from the topology"),
    PROP_UINT32("phys-bits", X86CPU, phys_bits, X86_DEFAULT_PHYS_BITS, .min = 32, .max = 52, .unit = "bits", .help = "width of a physical address"),
    PROP_CUSTOM(int, "level", get_level, set_level, .offset = offsetof(X86CPU, level), .help = "highest basic CPUID leaf"),
    PROP_CUSTOM(int, "xlevel", get_xlevel, set_level, .offset = offsetof(X86CPU, xlevel), .help = "highest extended CPUID leaf"),
    PROP_UINT32("min-level", X86CPU, min_level, 0, .help = "highest basic CPUID leaf at least"),
    PROP_UINT32("min-xlevel", X86CPU, min_xlevel, 0, .help = "highest extended CPUID leaf at least"),
    PROP_UINT32("family", X86CPU, family, 0, .max = FAMILY_MAX, .help = "CPUID family"),
    PROP_UINT32("model", X86CPU, model, 0, .max = MODEL_MAX_NUMBER, .help = "CPUID model"),
    PROP_UINT32("stepping", X86CPU, stepping, 0, .max = STEPPING_MAX, .help = "CPUID stepping"),
    PROP_STRING("vendor", X86CPU, vendor, .help = "CPUID vendor, 12 characters"),
    PROP_STRING("model-id", X86CPU, model_id, .help = "CPUID brand string"),
    PROP_UINT64("tsc-frequency", X86CPU, tsc_hz, 0, .unit = "Hz", .help = "of the time stamp counter; TCG has one frequency only"),
    PROP_BOOL("migratable", X86CPU, migratable, true, .changed = migratable_changed,
              .help = "leave out what ties the guest to this host: the invariant TSC, of max and host"),
    PROP_BOOL("kvm", X86CPU, expose_kvm, true, .help = "show KVM's signature and paravirtual features"),
    PROP_BOOL("tcg-cpuid", X86CPU, expose_tcg, true, .help = "with kvm=off: show TCG's signature"),
    PROP_BOOL("vmware-cpuid-freq", X86CPU, leaf_freq, true, .help = "CPUID leaf 40000010H tells frequencies"),
    PROP_BOOL("cpuid-0xb", X86CPU, leaf_0b, true, .help = "CPUID leaf 0BH tells the topology"),
    PROP_BOOL("l3-cache", X86CPU, l3_cache, true, .help = "CPUID leaf 4 tells of an L3 cache"),
    PROP_BOOL("check", X86CPU, check, true, .help = "warn about features that cannot be had"),
    PROP_BOOL("enforce", X86CPU, enforce, false, .help = "refuse to start without every feature asked for"),
    PROP_INT32("socket-id", X86CPU, parent.socket_id, -1, .help = "place in the topology; -1: the machine chooses"),
    PROP_INT32("die-id", X86CPU, parent.die_id, -1, .help = "place in the topology, within the socket"),
    PROP_INT32("module-id", X86CPU, parent.module_id, -1, .help = "place in the topology, within the die"),
    PROP_INT32("core-id", X86CPU, parent.core_id, -1, .help = "place in the topology, within the module"),
    PROP_INT32("thread-id", X86CPU, parent.thread_id, -1, .help = "place in the topology, within the core"),
    PROP_INT32("node-id", X86CPU, parent.node_id, -1, .help = "NUMA node"),
    { .name = "unavailable-features", .type = &str_list, .get = get_unavailable, .read_only = true, .help = "features asked for that cannot be had" },
    { .name = "feature-words", .type = &word_list, .get = get_feature_words, .read_only = true, .help = "CPUID words as they are" },
    { .name = "filtered-features", .type = &word_list, .get = get_filtered_features, .read_only = true, .help = "CPUID words of features that cannot be had" },
};
_Static_assert(ARRAY_SIZE(x86_cpu_properties) == X86_N_CPU_PROPERTIES, "count in cpu-internal.h");
