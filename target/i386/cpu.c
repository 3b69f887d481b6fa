/*
 * x86 CPU objects: types and properties, realize, reset, and what boards may ask of a CPU.
 *
 * Types: abstract "x86_64-cpu"; one "<model>-x86_64-cpu" per row of models.def; "max" has all that
 * translated code implements, "base" nothing, "host" is KVM's alone.
 *
 * Reference: SDM Vol.3 table 9-1 (state after power-up, RESET, INIT).
 */
#include "hw/core/machine.h"
#include "target/i386/features.h"
#include "target/i386/segment.h"
#include "target/i386/core-notes.h"
#include "target/i386/cpu-internal.h"
#include "util/log.h"
#include "util/main-loop.h"

#define X86_TSC_HZ        NANOSECONDS_PER_SECOND    /* one tick per nanosecond of guest time */
#define X86_UNSET         UINT32_MAX
#define X86_MIN_LEVEL     0x16                      /* so that leaves 15H and 16H tell frequencies */
#define X86_DEFAULT_PHYS_BITS 40
#define X86_MCE_BANKS     10
#define MCG_CTL_P         (1u << 8)

/* What every model gets from running here: cheap timekeeping and interrupt delivery, no workarounds. */
#define PARAVIRT_FEATURES \
    "hypervisor x2apic tsc-deadline tsc-adjust arat invtsc kvmclock kvmclock-stable-bit kvm-nopiodelay " \
    "spec-ctrl arch-capabilities"

typedef enum ModelKind { MODEL_NAMED, MODEL_MAX, MODEL_BASE, MODEL_HOST } ModelKind;

typedef struct X86Model {
    ModelKind kind;
    const char *name;
    uint32_t level, xlevel;
    const char *vendor;
    uint32_t family, model, stepping;
    const char *model_id;
    const char *features;
} X86Model;

/* Family data of a CPU type: begins as a VcpuInfo. */
typedef struct X86CpuInfo {
    struct VcpuInfo;
    const X86Model *model;
} X86CpuInfo;

/* --- realize --- */

/* SDM Vol.2 CPUID leaf 1: extended family counts from 15, extended model for families 6 and 15. */
static uint32_t version_word(uint32_t family, uint32_t model, uint32_t stepping)
{
    uint32_t v = (stepping & 15) | (model & 15) << 4 | (model >> 4 & 15) << 16;
    return family > 15 ? v | 15 << 8 | (family - 15) << 20 : v | family << 8;
}

static uint32_t choose(uint32_t property, uint32_t from_model)
{
    return property != X86_UNSET ? property : from_model;
}

static bool identity_init(X86CPU *cpu, const X86Model *m, Error **errp)
{
    CPUX86State *env = &cpu->env;
    const char *vendor = cpu->vendor ? cpu->vendor : m->vendor;
    const char *model_id = cpu->model_id ? cpu->model_id : m->model_id;
    char padded[48] = "";

    if (strlen(vendor) != 12) {
        error_setg(errp, "CPU vendor must be 12 characters, got '%s'", vendor);
        return false;
    }
    memcpy(env->cpuid_vendor, vendor, 12);
    env->cpuid_version = version_word(choose(cpu->family, m->family), choose(cpu->model, m->model),
                                      choose(cpu->stepping, m->stepping));
    env->cpuid_level = choose(cpu->level, MAX(m->level, m->kind == MODEL_BASE ? 0 : X86_MIN_LEVEL));
    env->cpuid_xlevel = choose(cpu->xlevel, MAX(m->xlevel, m->kind == MODEL_BASE ? 0 : 0x80000008));
    memcpy(padded, model_id, MIN(strlen(model_id), sizeof(padded)));
    memcpy(env->cpuid_model, padded, sizeof(padded));
    return true;
}

static void features_of_model(const X86Model *m, uint64_t *words)
{
    for (FeatureWord w = 0; m->kind == MODEL_MAX && w < FEATURE_WORDS; w++) {
        words[w] = x86_tcg_features(w);
    }
    if (m->kind != MODEL_BASE) {
        x86_features_parse(PARAVIRT_FEATURES, words);
    }
    x86_features_parse(m->features, words);
    words[FEAT_1_EDX] &= ~(uint64_t)(1u << 28);         /* HT follows from the topology */
    if (m->kind == MODEL_MAX) {
        words[FEAT_1_ECX] &= ~(uint64_t)(1u << 3);      /* MONITOR only when asked for */
    }
}

static void topology_init(X86CPU *cpu)
{
    const Machine *machine = current_machine();

    cpu->nr_threads = cpu->nr_cores = cpu->nr_dies = cpu->nr_sockets = 1;
    if (machine && machine->smp.cpus) {
        cpu->nr_threads = MAX(machine->smp.threads, 1);
        cpu->nr_cores = MAX(machine->smp.cores, 1) * MAX(machine->smp.clusters, 1);
        cpu->nr_dies = MAX(machine->smp.dies, 1);
        cpu->nr_sockets = MAX(machine->smp.sockets, 1);
    }
}

static bool x86_cpu_realize(Device *dev, Error **errp)
{
    X86CPU *cpu = X86_CPU(dev);
    const X86Model *m = ((const X86CpuInfo *)dev->obj.type->info)->model;
    uint64_t words[FEATURE_WORDS] = { 0 };
    bool warn = cpu->check && cpu->parent.index == 0;   /* one message per feature, not one per CPU */

    if (m->kind == MODEL_HOST) {
        error_setg(errp, "CPU model 'host' requires KVM");
        return false;
    }
    features_of_model(m, words);
    if (!cpu->expose_kvm) {
        words[FEAT_KVM] = 0;
        cpu->requested_features[FEAT_KVM] = 0;
    }
    if (!identity_init(cpu, m, errp) || !x86_features_resolve(cpu, words, warn, cpu->enforce, errp)) {
        return false;
    }
    if (cpu->phys_bits < 32 || cpu->phys_bits > 52) {
        error_setg(errp, "phys-bits must be 32..52, got %u", cpu->phys_bits);
        return false;
    }
    if (!x86_has(&cpu->env, FEAT_8000_0001_EDX, 29)) {
        cpu->phys_bits = MIN(cpu->phys_bits, 36);
    }
    if (cpu->apic_id == X86_UNSET) {
        cpu->apic_id = cpu->parent.index;
    }
    topology_init(cpu);
    x86_cpu_reset(cpu);
    return true;
}

static void x86_cpu_init(Object *obj)
{
    X86CPU *cpu = X86_CPU(obj);

    cpu->parent.env = &cpu->env;
    cpu->env.a20_mask = ~0ULL;
    cpu->env.old_exception = -1;
}

/* --- reset --- */

static void reset_segments(CPUX86State *env)
{
    const uint32_t data = DESC_P | DESC_S | DESC_W | DESC_A;

    for (unsigned i = 0; i < 6; i++) {
        env->segs[i] = (SegmentCache){ .limit = 0xffff, .flags = data };
    }
    env->segs[R_CS] = (SegmentCache){ .selector = 0xf000, .base = 0xffff0000, .limit = 0xffff, .flags = data | DESC_CS };
    env->gdt = (SegmentCache){ .limit = 0xffff };
    env->idt = (SegmentCache){ .limit = 0xffff };
    env->ldt = (SegmentCache){ .limit = 0xffff, .flags = DESC_P | SYS_LDT << DESC_TYPE_SHIFT };
    env->tr = (SegmentCache){ .limit = 0xffff, .flags = DESC_P | SYS_TSS_BUSY << DESC_TYPE_SHIFT };
}

/* What RESET and INIT have in common. */
static void reset_common(X86CPU *cpu)
{
    CPUX86State *env = &cpu->env;
    Vcpu *vcpu = &cpu->parent;
    bool bsp = x86_cpu_is_bsp(vcpu);

    memset(env->regs, 0, sizeof(env->regs));
    env->regs[R_EDX] = env->cpuid_version;
    env->tcg.pc = 0xfff0;
    env->hflags = 0;
    env->eflags = 2;
    env->df = 1;
    env->cc_op = CC_OP_EFLAGS;
    env->cc_src = env->cc_dst = env->cc_src2 = 0;
    reset_segments(env);
    env->cr[2] = env->cr[3] = env->cr[4] = 0;
    memset(env->dr, 0, sizeof(env->dr));
    env->dr[6] = DR6_FIXED_1;
    env->dr[7] = DR7_FIXED_1;
    env->efer = 0;
    env->old_exception = -1;
    env->nmi_blocked = false;
    env->pending_debug_trap = false;
    env->wait_for_sipi = !bsp;
    vcpu->exception_index = -1;
    __atomic_store_n(&vcpu->halted, !bsp, __ATOMIC_SEQ_CST);
    x86_debug_regs_update(env);
    if (vcpu->tcg) {
        tcg_tlb_flush(vcpu);
        tcg_tlb_switch(vcpu, 0, false);
    }
    x86_update_hflags(env);
}

/* -d cpu_reset: the state that is about to be lost. */
static void log_reset(X86CPU *cpu, const char *how)
{
    FILE *f;

    if (log_enabled(LOG_CPU_RESET)) {
        f = log_lock();
        fprintf(f, "CPU %u: %s\n", cpu->parent.index, how);
        x86_dump_state(&cpu->parent, f, 0);
        log_unlock(f);
    }
}

void x86_cpu_init_reset(X86CPU *cpu)
{
    CPUX86State *env = &cpu->env;

    log_reset(cpu, "INIT");
    env->cr[0] = (env->cr[0] & (CR0_CD | CR0_NW)) | CR0_ET;
    reset_common(cpu);
    if (cpu->intc) {
        cpu->intc->init_reset(cpu->intc_opaque);
    }
}

static void reset_msrs(X86CPU *cpu)
{
    CPUX86State *env = &cpu->env;

    env->star = env->lstar = env->cstar = env->fmask = env->kernelgsbase = 0;
    env->sysenter_cs = env->sysenter_esp = env->sysenter_eip = 0;
    env->pat = 0x0007040600070406;
    env->xcr0 = 1;
    env->xss = 0;
    env->tsc_offset = env->tsc_adjust = env->tsc_deadline = env->tsc_aux = 0;
    env->mcg_cap = MCG_CTL_P | X86_MCE_BANKS;
    env->mcg_status = 0;
    env->mcg_ctl = ~0ULL;
    memset(env->mce_banks, 0, sizeof(env->mce_banks));
    for (unsigned i = 0; i < X86_MCE_BANKS; i++) {
        env->mce_banks[4 * i] = ~0ULL;
    }
    memset(env->mtrr_fixed, 0, sizeof(env->mtrr_fixed));
    memset(env->mtrr_var, 0, sizeof(env->mtrr_var));
    env->mtrr_deftype = 0;
    env->misc_enable = 1 | 1 << 11 | 1 << 12 | (x86_has(env, FEAT_1_ECX, 3) ? 1 << 18 : 0);
    env->bios_sign_id = 0x100000000ULL;
    env->spec_ctrl = 0;
    env->smbase = 0x30000;
    env->misc_features_enables = 0;
    env->kvm_wall_clock_msr = env->kvm_system_time_msr = 0;
    env->kvm_poll_control = 1;
}

void x86_cpu_reset(X86CPU *cpu)
{
    CPUX86State *env = &cpu->env;

    log_reset(cpu, "reset");
    env->cr[0] = CR0_CD | CR0_NW | CR0_ET;
    env->a20_mask = ~0ULL;
    memset(env->ymm, 0, sizeof(env->ymm));
    memset(env->fpregs, 0, sizeof(env->fpregs));
    reset_msrs(cpu);
    reset_common(cpu);
    x86_fpu_reset(env);
    x86_set_mxcsr(env, 0x1f80);
    x86_update_hflags(env);
    __atomic_store_n(&cpu->parent.interrupt_request, 0, __ATOMIC_SEQ_CST);
}

static void x86_cpu_reset_hold(Device *dev, ResetType type)
{
    X86CPU *cpu = X86_CPU(dev);
    Accel *accel = current_accel();

    x86_cpu_reset(cpu);
    if (accel && accel_info(accel)->cpu_state_changed) {
        accel_info(accel)->cpu_state_changed(accel, &cpu->parent);
    }
}

/* --- for the rest of the machine --- */

uint64_t x86_get_linear_pc(Vcpu *cpu)
{
    const CPUX86State *env = cpu->env;
    uint64_t pc = env->tcg.pc;

    return env->hflags & HF_CS64 ? pc : (env->segs[R_CS].base + pc) & 0xffffffff;
}

static void x86_set_linear_pc(Vcpu *cpu, uint64_t pc)
{
    CPUX86State *env = cpu->env;
    env->tcg.pc = env->hflags & HF_CS64 ? pc : (pc - env->segs[R_CS].base) & 0xffffffff;
}

static hwaddr x86_translate_debug(Vcpu *cpu, vaddr va)
{
    X86Translation tr;
    int error_code;

    if (!x86_mmu_translate(cpu->env, va, MMU_DATA_LOAD, MMU_KNOSMAP_IDX, true, &tr, &error_code)) {
        return ~(hwaddr)0;
    }
    return tr.pa;
}

static int64_t x86_get_arch_id(Vcpu *cpu)
{
    return X86_CPU(cpu)->apic_id;
}

void x86_cpu_set_intc(Vcpu *vcpu, const X86IntcOps *ops, void *opaque)
{
    X86CPU *cpu = X86_CPU(vcpu);

    cpu->intc = ops;
    cpu->intc_opaque = opaque;
}

uint32_t x86_cpu_apic_id(Vcpu *vcpu)
{
    X86CPU *cpu = X86_CPU(vcpu);
    return cpu->apic_id == X86_UNSET ? vcpu->index : cpu->apic_id;
}

bool x86_cpu_is_bsp(Vcpu *vcpu)
{
    return vcpu->index == 0;
}

void x86_cpu_sipi(Vcpu *vcpu, uint8_t vector)
{
    X86_CPU(vcpu)->env.sipi_vector = vector;
    cpu_interrupt(vcpu, CPU_INTERRUPT_SIPI);
}

static void set_a20_here(Vcpu *vcpu, void *opaque)
{
    CPUX86State *env = vcpu->env;
    uint64_t mask = GPOINTER_TO_INT(opaque) ? ~0ULL : ~(uint64_t)(1u << 20);

    if (env->a20_mask != mask) {
        env->a20_mask = mask;
        if (vcpu->tcg) {
            tcg_tlb_flush(vcpu);
        }
    }
}

void x86_cpu_set_a20(Vcpu *vcpu, bool on)
{
    if (vcpu == cpu_current() || !vcpu->thread) {
        set_a20_here(vcpu, GINT_TO_POINTER(on));
    } else {
        async_run_on_cpu(vcpu, set_a20_here, GINT_TO_POINTER(on));
    }
}

uint64_t x86_cpu_tsc_hz(void)
{
    return X86_TSC_HZ;
}

uint64_t x86_cpu_read_tsc(Vcpu *vcpu)
{
    const CPUX86State *env = vcpu->env;
    return (uint64_t)clock_get_ns(CLOCK_TYPE_VIRTUAL) + env->tsc_offset;
}

int64_t x86_cpu_tsc_to_virtual_ns(Vcpu *vcpu, uint64_t tsc)
{
    const CPUX86State *env = vcpu->env;
    return (int64_t)(tsc - env->tsc_offset);
}

bool x86_cpu_has_feature(Vcpu *vcpu, const char *name)
{
    FeatureWord w;
    unsigned bit;

    return x86_feature_find(name, &w, &bit) && x86_has(&X86_CPU(vcpu)->env, w, bit);
}

/* --- types --- */

/* CPUID 1 EAX holds an extended family (8 bits, added to 15), 8 bits of model and 4 of stepping. */
static bool signature_changed(Object *obj, const Property *p, Error **errp)
{
    static const struct { const char *name; uint32_t max; } limits[] = {
        { "family", 0xff + 0xf }, { "model", 0xff }, { "stepping", 0xf },
    };
    uint32_t v = *(uint32_t *)((char *)obj + p->offset);

    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        if (!strcmp(p->name, limits[i].name) && v > limits[i].max) {
            error_setg(errp, "must be 0..%u, got %u", limits[i].max, v);
            return false;
        }
    }
    return true;
}

static const Property x86_cpu_own_properties[] = {
    PROP_UINT32("apic-id", X86CPU, apic_id, X86_UNSET, .help = "local APIC id; default: from the topology"),
    PROP_UINT32("phys-bits", X86CPU, phys_bits, X86_DEFAULT_PHYS_BITS, .unit = "bits", .help = "width of a physical address, 32..52"),
    PROP_UINT32("level", X86CPU, level, X86_UNSET, .help = "highest basic CPUID leaf"),
    PROP_UINT32("xlevel", X86CPU, xlevel, X86_UNSET, .help = "highest extended CPUID leaf"),
    PROP_UINT32("family", X86CPU, family, X86_UNSET, .changed = signature_changed, .help = "CPUID family"),
    PROP_UINT32("model", X86CPU, model, X86_UNSET, .changed = signature_changed, .help = "CPUID model"),
    PROP_UINT32("stepping", X86CPU, stepping, X86_UNSET, .changed = signature_changed, .help = "CPUID stepping"),
    PROP_STRING("vendor", X86CPU, vendor, .help = "CPUID vendor, 12 characters"),
    PROP_STRING("model-id", X86CPU, model_id, .help = "CPUID brand string"),
    PROP_BOOL("kvm", X86CPU, expose_kvm, true, .help = "show KVM's signature and paravirtual features"),
    PROP_BOOL("check", X86CPU, check, true, .help = "warn about features that cannot be had"),
    PROP_BOOL("enforce", X86CPU, enforce, false, .help = "refuse to start without every feature asked for"),
    PROP_UINT32("socket-id", X86CPU, parent.socket_id, 0, .help = "place in the topology"),
    PROP_UINT32("die-id", X86CPU, parent.die_id, 0, .help = "place in the topology"),
    PROP_UINT32("core-id", X86CPU, parent.core_id, 0, .help = "place in the topology"),
    PROP_UINT32("thread-id", X86CPU, parent.thread_id, 0, .help = "place in the topology"),
    PROP_UINT32("node-id", X86CPU, parent.node_id, 0, .help = "NUMA node"),
};

/* Common parent that carries the feature properties, so that the CPU's own stay a table of their own. */
TYPE_DEFINE_FAMILY(VcpuInfo, X86CPU, x86_cpu_features, "x86_64-cpu-features", vcpu, true,
    .properties = x86_feature_properties, .n_properties = X86_N_FEATURE_PROPERTIES,
    .hidden = true,
    .not_user_creatable = true,
)

TYPE_DEFINE_FAMILY(VcpuInfo, X86CPU, x86_cpu, "x86_64-cpu", x86_cpu_features, true,
    .desc = "x86 CPU",
    .properties = PROPS(x86_cpu_own_properties),
    .init = x86_cpu_init,
    .realize = x86_cpu_realize,
    .reset_hold = x86_cpu_reset_hold,
    .not_user_creatable = true,
)

#define X86_CPU_TYPE(ident, type_name, description, ...)                                      \
    static const X86Model ident##_model = { __VA_ARGS__ };                                    \
    extern const TypeInfo x86_cpu_##ident##_type;                                             \
    TYPE_DEFINE_FAMILY(X86CpuInfo, X86CPU, x86_cpu_##ident, type_name "-x86_64-cpu", x86_cpu, false, \
        .desc = description,                                                                  \
        .category = DEVICE_CATEGORY_CPU,                                                      \
        .not_user_creatable = true,                                                           \
        .vmstate = &x86_cpu_vmstate,                                                          \
        .env_offset = offsetof(X86CPU, env),                                                  \
        .tcg = &x86_tcg_ops,                                                                  \
        .has_work = x86_has_work,                                                             \
        .get_pc = x86_get_linear_pc,                                                          \
        .set_pc = x86_set_linear_pc,                                                          \
        .dump_state = x86_dump_state,                                                         \
        .dump_notes = x86_core_notes,                                                         \
        .memory_mappings = x86_memory_mappings,                                               \
        .translate_debug = x86_translate_debug,                                               \
        .gdb = &x86_gdb_arch,                                                                 \
        .get_arch_id = x86_get_arch_id,                                                       \
        .arch = "x86_64",                                                                     \
        .model = &ident##_model,                                                              \
    )

#define MODEL(ident, name_, desc_, level_, xlevel_, vendor_, family_, model_, stepping_, model_id_, features_) \
    X86_CPU_TYPE(ident, name_, desc_, .kind = MODEL_NAMED, .name = name_, .level = level_, .xlevel = xlevel_,  \
                 .vendor = vendor_, .family = family_, .model = model_, .stepping = stepping_,                 \
                 .model_id = model_id_, .features = features_);
#include "models.def"
#undef MODEL

#define VIRTUAL_IDENTITY \
    .vendor = "AuthenticAMD", .family = 15, .model = 107, .stepping = 1, .model_id = "QEMU TCG CPU version 2.5+"

X86_CPU_TYPE(max, "max", "Enables all features supported by the accelerator in the current host",
             .kind = MODEL_MAX, .name = "max", .level = 0x1f, .xlevel = 0x8000000a, .features = "", VIRTUAL_IDENTITY);
X86_CPU_TYPE(base, "base", "base CPU model type with no features enabled",
             .kind = MODEL_BASE, .name = "base", .features = "", VIRTUAL_IDENTITY);
X86_CPU_TYPE(host, "host", "processor with all supported host features (KVM only)",
             .kind = MODEL_HOST, .name = "host", .features = "", VIRTUAL_IDENTITY);
