/*
 * RDMSR and WRMSR: the rows of msr.def, and the registers that come in ranges.
 *
 * Unknown registers and reserved bits fault, as on a real CPU: guests probe by that.
 *
 * Locks: registers of the local APIC take the BQL.
 */
#include "target/i386/features.h"
#include "target/i386/segment.h"
#include "util/log.h"
#include "util/main-loop.h"

typedef bool MsrRead(CPUX86State *env, uint32_t msr, uint64_t *v);
typedef bool MsrWrite(CPUX86State *env, uint32_t msr, uint64_t v);

typedef struct MsrRow {
    uint32_t number;
    enum { MSR_KIND_FIELD, MSR_KIND_CONST, MSR_KIND_IGNORE, MSR_KIND_FUNC } kind;
    size_t offset;              /* FIELD */
    uint64_t value;             /* FIELD: writable bits; else what is read */
    MsrRead *read;
    MsrWrite *write;
} MsrRow;

/* --- time --- */

static bool read_tsc(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = x86_cpu_read_tsc(x86_env_vcpu(env));
    return true;
}

static void tsc_changed(CPUX86State *env)
{
    X86CPU *cpu = x86_env_cpu(env);

    if (cpu->intc) {
        bql_lock();
        cpu->intc->tsc_changed(cpu->intc_opaque);
        bql_unlock();
    }
    x86_pvclock_update(env);
}

/* SDM Vol.3 18.17.3: a write to either register moves the other by the same amount. */
static bool write_tsc(CPUX86State *env, uint32_t msr, uint64_t v)
{
    uint64_t delta = v - x86_cpu_read_tsc(x86_env_vcpu(env));

    env->tsc_offset += delta;
    env->tsc_adjust += delta;
    tsc_changed(env);
    return true;
}

static bool read_tsc_adjust(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->tsc_adjust;
    return x86_has(env, FEAT_7_0_EBX, 1);
}

static bool write_tsc_adjust(CPUX86State *env, uint32_t msr, uint64_t v)
{
    if (!x86_has(env, FEAT_7_0_EBX, 1)) {
        return false;
    }
    env->tsc_offset += v - env->tsc_adjust;
    env->tsc_adjust = v;
    tsc_changed(env);
    return true;
}

static bool apic_msr_read(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    X86CPU *cpu = x86_env_cpu(env);
    bool ok;

    if (!cpu->intc) {
        return false;
    }
    bql_lock();
    ok = cpu->intc->msr_read(cpu->intc_opaque, msr, v);
    bql_unlock();
    return ok;
}

static bool apic_msr_write(CPUX86State *env, uint32_t msr, uint64_t v)
{
    X86CPU *cpu = x86_env_cpu(env);
    bool ok;

    if (!cpu->intc) {
        return false;
    }
    bql_lock();
    ok = cpu->intc->msr_write(cpu->intc_opaque, msr, v);
    bql_unlock();
    return ok;
}

static bool read_tsc_deadline(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    return x86_has(env, FEAT_1_ECX, 24) && apic_msr_read(env, msr, v);
}

static bool write_tsc_deadline(CPUX86State *env, uint32_t msr, uint64_t v)
{
    return x86_has(env, FEAT_1_ECX, 24) && apic_msr_write(env, msr, v);
}

static bool read_apic_base(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    X86CPU *cpu = x86_env_cpu(env);

    if (!cpu->intc) {
        return false;
    }
    *v = cpu->intc->get_base(cpu->intc_opaque);
    return true;
}

static bool write_apic_base(CPUX86State *env, uint32_t msr, uint64_t v)
{
    X86CPU *cpu = x86_env_cpu(env);
    bool ok;

    if (!cpu->intc || v >> cpu->phys_bits || (v & 0x2ff)) {
        return false;
    }
    if ((v & 0x400) && !x86_has(env, FEAT_1_ECX, 21)) {
        return false;
    }
    bql_lock();
    ok = cpu->intc->set_base(cpu->intc_opaque, v);
    bql_unlock();
    return ok;
}

/* --- KVM's clock --- */

static bool read_kvm_wall_clock(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->kvm_wall_clock_msr;
    return env->features[FEAT_KVM] & 9;
}

static bool read_kvm_system_time(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->kvm_system_time_msr;
    return env->features[FEAT_KVM] & 9;
}

static bool write_kvm_clock(CPUX86State *env, uint32_t msr, uint64_t v)
{
    bool old_number = msr < 0x100;
    unsigned feature = old_number ? 0 : 3;

    return x86_has(env, FEAT_KVM, feature) && x86_pvclock_msr_write(env, msr, v);
}

/* --- system calls and segment bases --- */

/* A register that holds a canonical address, present with @feature only. */
#define CANONICAL_MSR(name, lvalue, present)                                                  \
    static bool read_##name(CPUX86State *env, uint32_t msr, uint64_t *v)                      \
    {                                                                                         \
        *v = (lvalue);                                                                        \
        return (present);                                                                     \
    }                                                                                         \
    static bool write_##name(CPUX86State *env, uint32_t msr, uint64_t v)                      \
    {                                                                                         \
        if (!(present) || !x86_is_canonical(v)) {                                             \
            return false;                                                                     \
        }                                                                                     \
        (lvalue) = v;                                                                         \
        return true;                                                                          \
    }
#define HAS_LM      x86_has(env, FEAT_8000_0001_EDX, 29)
#define HAS_SYSCALL x86_has(env, FEAT_8000_0001_EDX, 11)
#define HAS_SEP     x86_has(env, FEAT_1_EDX, 11)

CANONICAL_MSR(sysenter_esp, env->sysenter_esp, HAS_SEP)
CANONICAL_MSR(sysenter_eip, env->sysenter_eip, HAS_SEP)
CANONICAL_MSR(lstar, env->lstar, HAS_LM)
CANONICAL_MSR(cstar, env->cstar, HAS_LM)
CANONICAL_MSR(fs_base, env->segs[R_FS].base, HAS_LM)
CANONICAL_MSR(gs_base, env->segs[R_GS].base, HAS_LM)
CANONICAL_MSR(kernel_gs_base, env->kernelgsbase, HAS_LM)

static bool read_star(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->star;
    return HAS_SYSCALL;
}

static bool write_star(CPUX86State *env, uint32_t msr, uint64_t v)
{
    env->star = v;
    return HAS_SYSCALL;
}

static bool read_fmask(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->fmask;
    return HAS_LM;
}

static bool write_fmask(CPUX86State *env, uint32_t msr, uint64_t v)
{
    env->fmask = v & 0xffffffff;
    return HAS_LM;
}

static bool read_tsc_aux(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->tsc_aux;
    return x86_has(env, FEAT_8000_0001_EDX, 27) || x86_has(env, FEAT_7_0_ECX, 22);
}

static bool write_tsc_aux(CPUX86State *env, uint32_t msr, uint64_t v)
{
    if (v >> 32 || !(x86_has(env, FEAT_8000_0001_EDX, 27) || x86_has(env, FEAT_7_0_ECX, 22))) {
        return false;
    }
    env->tsc_aux = v;
    return true;
}

static bool has_efer(const CPUX86State *env)
{
    return env->features[FEAT_8000_0001_EDX] & (1u << 11 | 1u << 20 | 1u << 29);
}

static bool read_efer(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->efer;
    return has_efer(env);
}

static bool write_efer(CPUX86State *env, uint32_t msr, uint64_t v)
{
    uint64_t allowed = EFER_LMA, changed;
    Vcpu *cpu = x86_env_vcpu(env);

    allowed |= HAS_SYSCALL ? EFER_SCE : 0;
    allowed |= HAS_LM ? EFER_LME : 0;
    allowed |= x86_has(env, FEAT_8000_0001_EDX, 20) ? EFER_NXE : 0;
    allowed |= x86_has(env, FEAT_8000_0001_EDX, 25) ? EFER_FFXSR : 0;
    v = (v & ~(uint64_t)EFER_LMA) | (env->efer & EFER_LMA);         /* LMA is the CPU's to set */
    changed = v ^ env->efer;
    if (!has_efer(env) || (v & ~allowed) || ((changed & EFER_LME) && (env->cr[0] & CR0_PG))) {
        return false;
    }
    env->efer = v;
    if ((changed & EFER_NXE) && cpu->tcg) {
        tcg_tlb_flush(cpu, TLB_FLUSH_MODE);
    }
    x86_update_hflags(env);
    return true;
}

/* --- what describes the CPU --- */

static bool read_platform_info(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = x86_cpu_tsc_hz() / 100000000 << 8;     /* maximum non-turbo ratio, of 100 MHz */
    return true;
}

static bool read_perf_status(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    uint64_t ratio = x86_cpu_tsc_hz() / 100000000;

    *v = ratio << 8 | ratio << 40;
    return true;
}

static bool read_spec_ctrl(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->spec_ctrl;
    return x86_has(env, FEAT_7_0_EDX, 26);
}

static bool write_spec_ctrl(CPUX86State *env, uint32_t msr, uint64_t v)
{
    if (!x86_has(env, FEAT_7_0_EDX, 26) || v & ~7ULL) {
        return false;
    }
    env->spec_ctrl = v;
    return true;
}

static bool read_pred_cmd(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    return false;               /* write-only */
}

static bool write_pred_cmd(CPUX86State *env, uint32_t msr, uint64_t v)
{
    return x86_has(env, FEAT_7_0_EDX, 26) && !(v & ~1ULL);
}

static bool read_arch_capabilities(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->features[FEAT_ARCH_CAPABILITIES];
    return x86_has(env, FEAT_7_0_EDX, 29);
}

static bool read_xss(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->xss;
    return x86_has(env, FEAT_XSAVE, 3);
}

static bool write_xss(CPUX86State *env, uint32_t msr, uint64_t v)
{
    return x86_has(env, FEAT_XSAVE, 3) && v == 0;
}

/* --- memory types --- */

static bool memory_type_valid(unsigned type, bool pat)
{
    return type <= 7 && type != 2 && type != 3 && (pat || type != 7);
}

static bool read_pat(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->pat;
    return x86_has(env, FEAT_1_EDX, 16);
}

static bool write_pat(CPUX86State *env, uint32_t msr, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!memory_type_valid(v >> (8 * i) & 0xff, true)) {
            return false;
        }
    }
    env->pat = v;
    return x86_has(env, FEAT_1_EDX, 16);
}

static bool read_mtrr_def(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->mtrr_deftype;
    return true;
}

static bool write_mtrr_def(CPUX86State *env, uint32_t msr, uint64_t v)
{
    if ((v & ~0xcffULL) || !memory_type_valid(v & 0xff, false)) {
        return false;
    }
    env->mtrr_deftype = v;
    return true;
}

/* SDM Vol.3 table 12-9: the numbers of the fixed ranges. */
static int mtrr_fixed_index(uint32_t msr)
{
    if (msr == 0x250) {
        return 0;
    }
    if (msr == 0x258 || msr == 0x259) {
        return 1 + (int)(msr - 0x258);
    }
    return msr >= 0x268 && msr <= 0x26f ? 3 + (int)(msr - 0x268) : -1;
}

static bool mtrr_fixed_valid(uint64_t v)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!memory_type_valid(v >> (8 * i) & 0xff, false)) {
            return false;
        }
    }
    return true;
}

static bool mtrr_var_valid(const CPUX86State *env, uint32_t msr, uint64_t v)
{
    uint64_t rsvd = ~(BIT_ULL(container_of((CPUX86State *)env, X86CPU, env)->phys_bits) - 1);

    if (msr & 1) {
        return !(v & (rsvd | 0x7ff));
    }
    return !(v & (rsvd | 0xf00)) && memory_type_valid(v & 0xff, false);
}

/* --- machine check, SDM Vol.3 16.3 --- */

#define MCG_CTL_P   (1u << 8)
#define MCE_BANKS(env) ((unsigned)((env)->mcg_cap & 0xff))

static bool read_mcg_ctl(CPUX86State *env, uint32_t msr, uint64_t *v)
{
    *v = env->mcg_ctl;
    return env->mcg_cap & MCG_CTL_P;
}

static bool write_mcg_ctl(CPUX86State *env, uint32_t msr, uint64_t v)
{
    if (!(env->mcg_cap & MCG_CTL_P) || (v != 0 && v != ~0ULL)) {
        return false;
    }
    env->mcg_ctl = v;
    return true;
}

/* Of CTL, STATUS, ADDR, MISC.  CTL is a bit for each source of errors, of which Linux clears one on AMD's processors. */
static bool mce_bank_write(CPUX86State *env, unsigned index, uint64_t v)
{
    if ((index & 3) == 1 && v != 0) {
        return false;
    }
    env->mce_banks[index] = v;
    return true;
}

/* --- the table --- */

static const MsrRow msr_rows[] = {
#define MSR_FIELD(n, f, w) { .number = n, .kind = MSR_KIND_FIELD, .offset = offsetof(CPUX86State, f), .value = w },
#define MSR_CONST(n, v)    { .number = n, .kind = MSR_KIND_CONST, .value = v },
#define MSR_IGNORE(n, v)   { .number = n, .kind = MSR_KIND_IGNORE, .value = v },
#define MSR_FUNC(n, r, w)  { .number = n, .kind = MSR_KIND_FUNC, .read = r, .write = w },
#include "msr.def"
#undef MSR_FIELD
#undef MSR_CONST
#undef MSR_IGNORE
#undef MSR_FUNC
};

static const MsrRow *msr_find(uint32_t msr)
{
    for (unsigned i = 0; i < ARRAY_SIZE(msr_rows); i++) {
        if (msr_rows[i].number == msr) {
            return &msr_rows[i];
        }
    }
    return NULL;
}

static bool row_read(CPUX86State *env, const MsrRow *row, uint64_t *v)
{
    switch (row->kind) {
    case MSR_KIND_FIELD:
        memcpy(v, (char *)env + row->offset, sizeof(*v));
        return true;
    case MSR_KIND_FUNC:
        return row->read(env, row->number, v);
    default:
        *v = row->value;
        return true;
    }
}

static bool row_write(CPUX86State *env, const MsrRow *row, uint64_t v)
{
    switch (row->kind) {
    case MSR_KIND_FIELD:
        if (v & ~row->value) {
            return false;
        }
        memcpy((char *)env + row->offset, &v, sizeof(v));
        return true;
    case MSR_KIND_FUNC:
        return row->write && row->write(env, row->number, v);
    case MSR_KIND_IGNORE:
        return true;
    default:
        return false;
    }
}

/* Registers in ranges.  *@handled tells whether @msr is one. */
static bool range_read(CPUX86State *env, uint32_t msr, uint64_t *v, bool *handled)
{
    int fixed = mtrr_fixed_index(msr);

    *handled = true;
    if (msr >= 0x800 && msr <= 0x8ff) {
        return apic_msr_read(env, msr, v);
    }
    if (msr >= 0x200 && msr <= 0x20f) {
        *v = msr & 1 ? env->mtrr_var[(msr - 0x200) / 2].mask : env->mtrr_var[(msr - 0x200) / 2].base;
        return true;
    }
    if (fixed >= 0) {
        *v = env->mtrr_fixed[fixed];
        return true;
    }
    if (msr >= 0x400 && msr < 0x400 + 4 * MCE_BANKS(env)) {
        *v = env->mce_banks[msr - 0x400];
        return true;
    }
    if (msr >= 0xc0010000 && msr <= 0xc0010007) {       /* AMD performance counters: none */
        *v = 0;
        return true;
    }
    *handled = false;
    return false;
}

static bool range_write(CPUX86State *env, uint32_t msr, uint64_t v, bool *handled)
{
    int fixed = mtrr_fixed_index(msr);

    *handled = true;
    if (msr >= 0x800 && msr <= 0x8ff) {
        return apic_msr_write(env, msr, v);
    }
    if (msr >= 0x200 && msr <= 0x20f) {
        if (!mtrr_var_valid(env, msr, v)) {
            return false;
        }
        *(msr & 1 ? &env->mtrr_var[(msr - 0x200) / 2].mask : &env->mtrr_var[(msr - 0x200) / 2].base) = v;
        return true;
    }
    if (fixed >= 0) {
        if (mtrr_fixed_valid(v)) {
            env->mtrr_fixed[fixed] = v;
            return true;
        }
        return false;
    }
    if (msr >= 0x400 && msr < 0x400 + 4 * MCE_BANKS(env)) {
        return mce_bank_write(env, msr - 0x400, v);
    }
    if (msr >= 0xc0010000 && msr <= 0xc0010007) {
        return true;
    }
    *handled = false;
    return false;
}

bool x86_msr_read(CPUX86State *env, uint32_t msr, uint64_t *value)
{
    const MsrRow *row;
    bool handled, ok = range_read(env, msr, value, &handled);

    if (handled) {
        return ok;
    }
    row = msr_find(msr);
    if (!row) {
        guest_unimp("x86-cpu", "RDMSR of unknown register 0x%x", msr);
        return false;
    }
    return row_read(env, row, value);
}

bool x86_msr_write(CPUX86State *env, uint32_t msr, uint64_t value)
{
    const MsrRow *row;
    bool handled, ok = range_write(env, msr, value, &handled);

    if (handled) {
        return ok;
    }
    row = msr_find(msr);
    if (!row) {
        guest_unimp("x86-cpu", "WRMSR of unknown register 0x%x = 0x%" PRIx64, msr, value);
        return false;
    }
    return row_write(env, row, value);
}
