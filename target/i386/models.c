/*
 * CPU models and their types.
 *
 * Types: one "<model>-x86_64-cpu" per version of each row of models.def, one for each alias; "max" has all that
 * translated code implements, "base" nothing, "host" is KVM's alone.
 */
#include "target/i386/models.h"

#include "accel/kvm/cpu-ops.h"
#include "target/i386/kvm.h"

#include <cpuid.h>

#include "target/i386/core-notes.h"
#include "target/i386/cpu-internal.h"

/*
 * What every model gets from running here: cheap timekeeping and interrupt delivery, no workarounds.
 * Not the invariant TSC: it promises a rate that another host may not have, and managers do not save such a guest.
 * Translated code speculates across no privilege boundary of the guest's that the host does not guard, so
 * the guest need not: without arch-capabilities it pays for retpolines and page-table isolation.
 */
#define PARAVIRT_FEATURES \
    "hypervisor x2apic tsc-deadline tsc-adjust arat kvmclock kvmclock-stable-bit kvm-nopiodelay " \
    "spec-ctrl arch-capabilities rdctl-no ibrs-all skip-l1dfl-vmentry ssb-no mds-no pschange-mc-no taa-no " \
    "sbdr-ssdp-no fbsdp-no psdp-no bhi-no pbrsb-no gds-no rfds-no"

#define UNMIGRATABLE_8000_0007_EDX ((uint64_t)(1u << 8))       /* invtsc */

/* --- versions --- */

static void change_number(X86ModelData *d, const char *key, uint32_t v)
{
    const struct { const char *key; uint32_t *field; } fields[] = {
        { "level", &d->level }, { "xlevel", &d->xlevel }, { "family", &d->family }, { "model", &d->model },
        { "stepping", &d->stepping },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        if (!strcmp(fields[i].key, key)) {
            *fields[i].field = v;
            return;
        }
    }
    assert(!"models.def changes an unknown number");
}

static void change(X86ModelData *d, char *item)
{
    uint64_t bits[FEATURE_WORDS] = { 0 };
    char *eq = strchr(item, '=');

    if (eq) {
        *eq = '\0';
        change_number(d, item, (uint32_t)g_ascii_strtoull(eq + 1, NULL, 0));
        return;
    }
    assert(*item == '+' || *item == '-');
    x86_features_parse(item + 1, bits);
    for (FeatureWord w = 0; w < FEATURE_WORDS; w++) {
        d->features[w] = *item == '+' ? d->features[w] | bits[w] : d->features[w] & ~bits[w];
    }
}

static void load_named(const X86Model *m, X86ModelData *out)
{
    if (!m->from) {
        *out = (X86ModelData){ .level = m->level, .xlevel = m->xlevel, .family = m->family, .model = m->model,
                               .stepping = m->stepping, .vendor = m->vendor };
        x86_features_parse(m->features, out->features);
    } else {
        g_auto(GStrv) items = g_strsplit(m->features, " ", -1);

        load_named(m->from, out);
        for (unsigned i = 0; items[i]; i++) {
            if (*items[i]) {
                change(out, items[i]);
            }
        }
    }
    out->model_id = m->model_id ? m->model_id : out->model_id;
}

/* Who the host says it is.  SDM Vol.2 CPUID, leaves 0, 1 and 80000002H. */
static void load_host_identity(X86ModelData *out)
{
    static uint32_t vendor[4], id[13];
    uint32_t a, b, c, d, family, model;

    __cpuid(0, a, vendor[0], vendor[2], vendor[1]);
    for (unsigned i = 0; i < 3; i++) {
        __cpuid(0x80000002 + i, id[4 * i], id[4 * i + 1], id[4 * i + 2], id[4 * i + 3]);
    }
    __cpuid(1, a, b, c, d);
    family = a >> 8 & 15;
    model = (a >> 4 & 15) | (family == 6 || family == 15 ? a >> 12 & 0xf0 : 0);
    out->vendor = (const char *)vendor;
    out->model_id = (const char *)id;
    out->family = family == 15 ? family + (a >> 20 & 0xff) : family;
    out->model = model;
    out->stepping = a & 15;
}

void x86_model_load(const X86Model *m, X86ModelData *out)
{
    load_named(m, out);
    if (kvm_enabled() && (m->kind == MODEL_MAX || m->kind == MODEL_HOST)) {
        load_host_identity(out);
    }
    if (m->kind != MODEL_BASE && kvm_enabled()) {
        out->features[FEAT_KVM] |= x86_supported_features(FEAT_KVM);
        x86_features_parse("hypervisor", out->features);
    } else if (m->kind != MODEL_BASE) {
        x86_features_parse(PARAVIRT_FEATURES, out->features);
    }
    if (m->kind == MODEL_MAX || m->kind == MODEL_HOST) {
        for (FeatureWord w = 0; w < FEATURE_WORDS; w++) {
            out->features[w] |= x86_supported_features(w);
        }
        out->features[FEAT_8000_0007_EDX] &= ~UNMIGRATABLE_8000_0007_EDX;
        out->features[FEAT_1_ECX] &= ~(uint64_t)(1u << 3);      /* MONITOR only when asked for */
        out->features[FEAT_8000_0001_ECX] &= ~(uint64_t)(1u << 22);     /* TOPOEXT is for families from 17H on */
    }
    out->features[FEAT_1_EDX] &= ~(uint64_t)(1u << 28);         /* HT follows from the topology */
}

void x86_model_unmigratable(const X86Model *m, uint64_t features[FEATURE_WORDS])
{
    if (m->kind == MODEL_MAX || m->kind == MODEL_HOST) {
        features[FEAT_8000_0007_EDX] |= x86_supported_features(FEAT_8000_0007_EDX) & UNMIGRATABLE_8000_0007_EDX;
    }
}

/* --- types --- */

#define X86_CPU_TYPE(ident, type_name, description, ...)                                      \
    static const X86Model ident##_model = { __VA_ARGS__ };                                    \
    extern const TypeInfo x86_cpu_##ident##_type;                                             \
    TYPE_DEFINE_FAMILY(X86CpuInfo, X86CPU, x86_cpu_##ident, type_name "-x86_64-cpu", x86_cpu, false, \
        .desc = description,                                                                  \
        .category = DEVICE_CATEGORY_CPU,                                                      \
        .vmstate = &x86_cpu_vmstate,                                                          \
        .env_offset = offsetof(X86CPU, env),                                                  \
        .tcg = &x86_tcg_ops,                                                                  \
        .kvm = &x86_kvm_ops,                                                                  \
        .has_work = x86_has_work,                                                             \
        .get_pc = x86_get_linear_pc,                                                          \
        .set_pc = x86_set_linear_pc,                                                          \
        .dump_state = x86_dump_state,                                                         \
        .dump_notes = x86_core_notes,                                                         \
        .memory_mappings = x86_memory_mappings,                                               \
        .translate_debug = x86_translate_debug,                                               \
        .gdb = &x86_gdb_arch,                                                                 \
        .get_register = x86_get_register,                                                     \
        .print_insn = x86_print_insn,                                                         \
        .print_tlb = x86_print_tlb,                                                           \
        .print_mem = x86_print_mem,                                                           \
        .print_intc = x86_print_intc,                                                         \
        .get_arch_id = x86_get_arch_id,                                                       \
        .arch = "x86_64",                                                                     \
        .model = &ident##_model,                                                              \
    )

#define MODEL(ident, name_, level_, xlevel_, vendor_, family_, model_, stepping_, model_id_, features_)         \
    X86_CPU_TYPE(ident, name_ "-v1", model_id_, .kind = MODEL_NAMED, .name = name_ "-v1", .level = level_,       \
                 .xlevel = xlevel_, .vendor = vendor_, .family = family_, .model = model_, .stepping = stepping_, \
                 .model_id = model_id_, .features = features_)                                                  \
    X86_CPU_TYPE(ident##_alias, name_, "(alias configured by machine type)", .kind = MODEL_NAMED, .name = name_,  \
                 .alias_of = name_ "-v1", .from = &ident##_model, .model_id = model_id_, .features = "")
#define VERSION(ident, from_, name_, n, model_id_, note, changes)                                                \
    X86_CPU_TYPE(ident, name_ "-v" #n, model_id_ note, .kind = MODEL_NAMED, .name = name_ "-v" #n,               \
                 .from = &from_##_model, .model_id = model_id_, .features = changes)
#define ALIAS(ident, of, name_, target)                                                                          \
    X86_CPU_TYPE(ident, name_, "(alias of " target ")", .kind = MODEL_NAMED, .name = name_, .alias_of = target,  \
                 .from = &of##_model, .features = "")
#include "models.def"
#undef MODEL
#undef VERSION
#undef ALIAS

#define VIRTUAL_IDENTITY \
    .vendor = "AuthenticAMD", .family = 15, .model = 107, .stepping = 1, .model_id = "QEMU TCG CPU version 2.5+"

X86_CPU_TYPE(max, "max", "Enables all features supported by the accelerator in the current host",
             .kind = MODEL_MAX, .name = "max", .level = 0xd, .xlevel = 0x8000000a, .features = "", VIRTUAL_IDENTITY)
X86_CPU_TYPE(base, "base", "base CPU model type with no features enabled",
             .kind = MODEL_BASE, .name = "base", .features = "", .vendor = "", .model_id = "")
X86_CPU_TYPE(host, "host", "processor with all supported host features",
             .kind = MODEL_HOST, .name = "host", .level = 0xd, .xlevel = 0x8000000a, .features = "", VIRTUAL_IDENTITY)
