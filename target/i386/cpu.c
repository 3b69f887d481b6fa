/*
 * x86 CPU objects: from model and properties to a CPU, realize, reset, and what boards may ask of one.
 *
 * Reference: SDM Vol.3 table 9-1 (state after power-up, RESET, INIT).
 */
#include "target/i386/cpu-internal.h"
#include "target/i386/kvm.h"
#include "target/i386/models.h"
#include "target/i386/segment.h"

#include "accel/kvm/cpu-ops.h"
#include "util/log.h"
#include "util/main-loop.h"

#define X86_TSC_HZ        NANOSECONDS_PER_SECOND    /* one tick per nanosecond of guest time */
#define X86_MIN_LEVEL     0x16                      /* so that leaves 15H and 16H tell frequencies */
#define X86_TOPOLOGY_LEVEL 0x1f
#define X86_TOPOEXT_XLEVEL 0x8000001e
#define X86_MCE_BANKS     10
#define MCG_CTL_P         (1u << 8)

/* --- realize --- */

/* SDM Vol.2 CPUID leaf 1: extended family counts from 15, extended model for families 6 and 15. */
static uint32_t version_word(uint32_t family, uint32_t model, uint32_t stepping)
{
    uint32_t v = (stepping & 15) | (model & 15) << 4 | (model >> 4 & 15) << 16;
    return family > 15 ? v | 15 << 8 | (family - 15) << 20 : v | family << 8;
}

/* Highest leaves: the model's, or as many as there is something to say in. */
static void levels_init(X86CPU *cpu, X86ModelKind kind)
{
    uint32_t level = cpu->min_level, xlevel = cpu->min_xlevel;

    if (kind != MODEL_BASE) {
        bool modules_or_dies = cpu->topo.n[X86_LEVEL_MODULE] > 1 || cpu->topo.n[X86_LEVEL_DIE] > 1;

        level = MAX(level, modules_or_dies ? X86_TOPOLOGY_LEVEL : X86_MIN_LEVEL);
        xlevel = MAX(xlevel, x86_has(&cpu->env, FEAT_8000_0001_ECX, 22) ? X86_TOPOEXT_XLEVEL : 0x80000008);
    }
    cpu->env.cpuid_level = cpu->level != X86_UNSET ? cpu->level : level;
    cpu->env.cpuid_xlevel = cpu->xlevel != X86_UNSET ? cpu->xlevel : xlevel;
}

static bool identity_init(X86CPU *cpu, Error **errp)
{
    CPUX86State *env = &cpu->env;
    char padded[48] = "";

    if (strlen(cpu->vendor) != 12 && *cpu->vendor) {
        error_setg(errp, "CPU vendor must be 12 characters, got '%s'", cpu->vendor);
        return false;
    }
    memset(env->cpuid_vendor, 0, 12);
    memcpy(env->cpuid_vendor, cpu->vendor, strlen(cpu->vendor));
    env->cpuid_version = version_word(cpu->family, cpu->model, cpu->stepping);
    memcpy(padded, cpu->model_id, MIN(strlen(cpu->model_id), sizeof(padded)));
    memcpy(env->cpuid_model, padded, sizeof(padded));
    return true;
}

static X86Topology machine_topology(void)
{
    const Machine *m = current_machine();
    const SmpConfig one = { 1, 1, 1, 1, 1, 1, 1, 1 };

    return x86_topology(m && m->smp.cpus ? &m->smp : &one);
}

bool x86_cpu_expand(X86CPU *cpu, bool warn, Error **errp)
{
    const X86Model *m = x86_model_of_type(cpu->parent.dev.obj.type);

    if (!cpu->expose_kvm) {
        cpu->env.features[FEAT_KVM] = cpu->env.features[FEAT_KVM_HINTS] = 0;
    }
    cpu->topo = machine_topology();
    x86_features_drop_dependents(cpu, warn);
    levels_init(cpu, m->kind);
    return identity_init(cpu, errp);
}

/* AMD tells of threads in a leaf that comes with topoext: without it a guest takes them for cores. */
static void check_threads(const X86CPU *cpu)
{
    unsigned threads = cpu->topo.n[X86_LEVEL_THREAD];

    if (threads > 1 && !strcmp(cpu->vendor, "AuthenticAMD") && !x86_has(&cpu->env, FEAT_8000_0001_ECX, 22)) {
        warn_report("This family of AMD CPU doesn't support hyperthreading(%u). Please configure -smp options properly or try "
                    "enabling topoext feature.", threads);
    }
}

static bool any_filtered(const X86CPU *cpu)
{
    for (FeatureWord w = 0; w < FEATURE_WORDS; w++) {
        if (cpu->filtered_features[w]) {
            return true;
        }
    }
    return false;
}

static bool x86_cpu_realize(Device *dev, Error **errp)
{
    X86CPU *cpu = X86_CPU(dev);
    /* one message per feature, not one per CPU */
    bool warn = (cpu->check || cpu->enforce) && cpu->parent.index == 0;

    if (x86_model_of_type(dev->obj.type)->kind == MODEL_HOST && !kvm_enabled()) {
        error_setg(errp, "CPU model 'host' requires KVM");
        return false;
    }
    if (!x86_cpu_expand(cpu, warn, errp)) {
        return false;
    }
    x86_features_filter(cpu, warn);
    if (cpu->enforce && any_filtered(cpu)) {
        error_setg(errp, "%s doesn't support requested features", kvm_enabled() ? "Host" : "TCG");
        return false;
    }
    if (cpu->tsc_hz && cpu->tsc_hz != x86_cpu_tsc_hz()) {
        error_setg(errp, "tsc-frequency must be %" PRIu64 " Hz under %s, got %" PRIu64, x86_cpu_tsc_hz(),
                   kvm_enabled() ? "KVM" : "TCG", cpu->tsc_hz);
        return false;
    }
    if (warn) {
        check_threads(cpu);
    }
    if (!x86_has(&cpu->env, FEAT_8000_0001_EDX, 29)) {
        cpu->phys_bits = MIN(cpu->phys_bits, 36);
    }
    if (cpu->apic_id == X86_UNSET) {
        cpu->apic_id = cpu->parent.index;
    }
    x86_cpu_reset(cpu);
    return !cpu->parent.kvm || x86_kvm_realize(cpu, errp);
}

static void x86_cpu_unrealize(Device *dev)
{
    x86_kvm_unrealize(X86_CPU(dev));
}

/* The model is loaded into the properties, which -cpu's come on top of. */
static void x86_cpu_init(Object *obj)
{
    X86CPU *cpu = X86_CPU(obj);
    X86ModelData model;

    x86_model_load(x86_model_of_type(obj->type), &model);
    memcpy(cpu->env.features, model.features, sizeof(model.features));
    cpu->vendor = g_strdup(model.vendor);
    cpu->model_id = g_strdup(model.model_id);
    cpu->family = model.family;
    cpu->model = model.model;
    cpu->stepping = model.stepping;
    cpu->min_level = model.level;
    cpu->min_xlevel = model.xlevel;
    cpu->level = cpu->xlevel = X86_UNSET;
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
        tcg_tlb_flush(vcpu, TLB_FLUSH_STATE);
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
    x86_kvm_reset(cpu);
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

void x86_set_linear_pc(Vcpu *cpu, uint64_t pc)
{
    CPUX86State *env = cpu->env;
    env->tcg.pc = env->hflags & HF_CS64 ? pc : (pc - env->segs[R_CS].base) & 0xffffffff;
}

hwaddr x86_translate_debug(Vcpu *cpu, vaddr va)
{
    X86Translation tr;
    int error_code;

    if (!x86_mmu_translate(cpu->env, va, MMU_DATA_LOAD, MMU_KNOSMAP_IDX, true, &tr, &error_code)) {
        return ~(hwaddr)0;
    }
    return tr.pa;
}

int64_t x86_get_arch_id(Vcpu *cpu)
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
    return cpu->apic_id == X86_UNSET && vcpu->index != CPU_NO_INDEX ? vcpu->index : cpu->apic_id;
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
            tcg_tlb_flush(vcpu, TLB_FLUSH_MODE);
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
    static uint64_t kvm_hz;             /* the same for all: the host's */
    Vcpu *cpu = cpu_by_index(0);

    if (cpu && cpu->kvm && !kvm_hz) {
        kvm_hz = x86_kvm_tsc_hz(cpu);
    }
    return kvm_hz ? kvm_hz : X86_TSC_HZ;
}

uint64_t x86_cpu_read_tsc(Vcpu *vcpu)
{
    const CPUX86State *env = vcpu->env;

    return vcpu->kvm ? x86_kvm_read_tsc(vcpu) : (uint64_t)clock_get_ns(CLOCK_TYPE_VIRTUAL) + env->tsc_offset;
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

/* --- the type --- */

/* Common parent that carries the feature properties, so that the CPU's own stay a table of their own. */
TYPE_DEFINE_FAMILY(VcpuInfo, X86CPU, x86_cpu_features, "x86_64-cpu-features", vcpu, true,
    .properties = x86_feature_properties, .n_properties = X86_N_FEATURE_PROPERTIES,
    .hidden = true,
)

TYPE_DEFINE_FAMILY(VcpuInfo, X86CPU, x86_cpu, "x86_64-cpu", x86_cpu_features, true,
    .desc = "x86 CPU",
    .properties = x86_cpu_properties, .n_properties = X86_N_CPU_PROPERTIES,
    .init = x86_cpu_init,
    .realize = x86_cpu_realize,
    .unrealize = x86_cpu_unrealize,
    .reset_hold = x86_cpu_reset_hold,
)
