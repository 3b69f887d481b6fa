/*
 * System instructions: exceptions, flags, control and debug registers, MSRs, ports, waiting.
 *
 * Reference: SDM Vol.2 for each instruction, Vol.3 2.5 (control registers), 18.2 (debug registers),
 * Vol.1 19.5 (I/O permission).
 *
 * A helper that leaves at the next instruction sets env->tcg.pc itself; globals are in env then,
 * because only helpers that may read them do so.
 */
#include <sched.h>

#include "helper.h"
#include "target/i386/segment.h"
#include "util/guest-random.h"
#include "util/main-loop.h"

/* --- exceptions --- */

void helper_raise(CPUX86State *env, uint32_t vector)
{
    x86_raise(env, (int)vector, GETPC());
}

void helper_raise_err(CPUX86State *env, uint32_t vector, uint32_t error_code)
{
    x86_raise_err(env, (int)vector, (int)error_code, GETPC());
}

void helper_int_n(CPUX86State *env, uint32_t vector, uint64_t next)
{
    uintptr_t ra = GETPC();

    if (x86_in_pe(env) && x86_in_vm86(env)) {
        tcg_cpu_restore_state(x86_env_vcpu(env), ra);
        if (x86_vme_redirect(env, (int)vector, next)) {
            x86_env_vcpu(env)->exception_index = -1;
            tcg_cpu_loop_exit(x86_env_vcpu(env));
        }
        if ((env->eflags & IOPL_MASK) != IOPL_MASK) {
            x86_raise_err(env, EXCP0D_GPF, 0, 0);
        }
        ra = 0;
    }
    x86_raise_int(env, (int)vector, next, ra);
}

void helper_int3(CPUX86State *env, uint64_t next)
{
    x86_raise_int(env, EXCP03_INT3, next, GETPC());
}

void helper_into(CPUX86State *env, uint64_t next)
{
    x86_raise_int(env, EXCP04_INTO, next, GETPC());
}

void helper_icebp(CPUX86State *env, uint64_t next)
{
    tcg_cpu_restore_state(x86_env_vcpu(env), GETPC());
    env->tcg.pc = next;
    x86_raise(env, EXCP01_DB, 0);
}

void helper_single_step(CPUX86State *env, uint64_t next)
{
    env->tcg.pc = next;
    env->dr[6] |= DR6_BS;
    x86_raise(env, EXCP01_DB, 0);
}

void helper_check_code_breakpoint(CPUX86State *env, uint64_t pc)
{
    vaddr linear = env->hflags & HF_CS64 ? pc : (env->segs[R_CS].base + pc) & 0xffffffff;

    if (x86_code_breakpoint_hit(env, linear)) {
        x86_raise(env, EXCP01_DB, GETPC());
    }
}

void helper_clear_rf(CPUX86State *env)
{
    env->eflags &= ~(uint64_t)RF_MASK;
    env->hflags &= ~HF_RF;
}

/* --- EFLAGS --- */

void helper_write_eflags(CPUX86State *env, uint64_t value, uint32_t mask)
{
    x86_set_eflags(env, value, mask);
}

void helper_clear_inhibit_irq(CPUX86State *env)
{
    env->hflags &= ~HF_INHIBIT_IRQ;
}

/* SDM Vol.3 20.3, 20.4: does VIF stand in for IF here? */
static bool virtual_if_usable(const CPUX86State *env)
{
    if (x86_in_vm86(env)) {
        return env->cr[4] & CR4_VME;
    }
    return (env->cr[4] & CR4_PVI) && x86_cpl(env) == 3;
}

void helper_cli_virtual(CPUX86State *env)
{
    if (!virtual_if_usable(env)) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    env->eflags &= ~(uint64_t)VIF_MASK;
}

void helper_sti_virtual(CPUX86State *env)
{
    if (!virtual_if_usable(env) || (env->eflags & VIP_MASK)) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    env->eflags |= VIF_MASK;
}

uint64_t helper_pushf_vm86(CPUX86State *env, uint32_t shift)
{
    uint64_t image;

    if (!(env->cr[4] & CR4_VME) || shift != 0) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    image = (x86_get_eflags(env) & ~(uint64_t)IF_MASK) | IOPL_MASK;
    return image | (env->eflags & VIF_MASK ? IF_MASK : 0);
}

void helper_popf_vm86(CPUX86State *env, uint64_t image, uint32_t shift)
{
    if (!(env->cr[4] & CR4_VME) || shift != 0 || (image & TF_MASK) ||
        ((image & IF_MASK) && (env->eflags & VIP_MASK))) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    image = (image & 0xffff) | (image & IF_MASK ? VIF_MASK : 0);
    x86_set_eflags(env, image, CC_ALL | DF_MASK | NT_MASK | VIF_MASK);
}

/* --- control registers --- */

uint64_t helper_read_cr(CPUX86State *env, uint32_t n)
{
    X86CPU *cpu = x86_env_cpu(env);
    uint64_t v;

    if (n != 8) {
        return env->cr[n];
    }
    if (!cpu->intc) {
        return 0;
    }
    bql_lock();
    v = cpu->intc->get_tpr(cpu->intc_opaque);
    bql_unlock();
    return v;
}

/* PAE paging without long mode: the four PDPTEs are checked when CR3 or the mode is loaded (SDM Vol.3 4.4.1). */
static void check_pdptes(CPUX86State *env, uint64_t cr0, uint64_t cr3, uint64_t cr4, uintptr_t ra)
{
    uint64_t rsvd = ~(BIT_ULL(x86_env_cpu(env)->phys_bits) - 1) | 0x1e6;

    if (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE) || (env->efer & EFER_LME)) {
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        uint64_t e = tcg_phys_ldq(x86_env_vcpu(env), (cr3 & 0xffffffe0) + i * 8);

        if ((e & 1) && (e & rsvd)) {
            x86_raise_err(env, EXCP0D_GPF, 0, ra);
        }
    }
}

static void write_cr0(CPUX86State *env, uint64_t v, uintptr_t ra)
{
    bool enable = (v & CR0_PG) && !(env->cr[0] & CR0_PG);
    bool disable = !(v & CR0_PG) && (env->cr[0] & CR0_PG);

    if (v >> 32 || ((v & CR0_PG) && !(v & CR0_PE)) || ((v & CR0_NW) && !(v & CR0_CD)) ||
        (enable && (env->efer & EFER_LME) && (!(env->cr[4] & CR4_PAE) || (env->segs[R_CS].flags & DESC_L))) ||
        (disable && (env->hflags & HF_CS64)) || (disable && (env->cr[4] & CR4_PCIDE))) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    if ((v ^ env->cr[0]) & (CR0_PG | CR0_CD | CR0_NW)) {
        check_pdptes(env, v, env->cr[3], env->cr[4], ra);
    }
    x86_set_cr0(env, v & (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG));
}

static void write_cr3(CPUX86State *env, uint64_t v, uintptr_t ra)
{
    uint64_t addr = env->cr[4] & CR4_PCIDE ? v & ~BIT_ULL(63) : v;

    if (!x86_in_lma(env)) {
        v &= 0xffffffff;
        check_pdptes(env, env->cr[0], v, env->cr[4], ra);
    } else if (addr >> x86_env_cpu(env)->phys_bits) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    x86_set_cr3(env, v);
}

uint64_t x86_cr4_allowed(const CPUX86State *env)
{
    static const struct { uint32_t bits; FeatureWord word; uint8_t bit; } by_feature[] = {
        { CR4_VME | CR4_PVI, FEAT_1_EDX, 1 }, { CR4_TSD, FEAT_1_EDX, 4 }, { CR4_DE, FEAT_1_EDX, 2 },
        { CR4_PSE, FEAT_1_EDX, 3 }, { CR4_PAE, FEAT_1_EDX, 6 }, { CR4_MCE, FEAT_1_EDX, 7 }, { CR4_PGE, FEAT_1_EDX, 13 },
        { CR4_OSFXSR, FEAT_1_EDX, 24 }, { CR4_OSXMMEXCPT, FEAT_1_EDX, 25 }, { CR4_UMIP, FEAT_7_0_ECX, 2 },
        { CR4_FSGSBASE, FEAT_7_0_EBX, 0 }, { CR4_PCIDE, FEAT_1_ECX, 17 }, { CR4_OSXSAVE, FEAT_1_ECX, 26 },
        { CR4_SMEP, FEAT_7_0_EBX, 7 }, { CR4_SMAP, FEAT_7_0_EBX, 20 },
    };
    uint64_t allowed = CR4_PCE;

    for (unsigned i = 0; i < ARRAY_SIZE(by_feature); i++) {
        allowed |= x86_has(env, by_feature[i].word, by_feature[i].bit) ? by_feature[i].bits : 0;
    }
    return allowed;
}

static void write_cr4(CPUX86State *env, uint64_t v, uintptr_t ra)
{
    uint64_t set = v & ~env->cr[4], cleared = env->cr[4] & ~v;

    if ((v & ~x86_cr4_allowed(env)) || (x86_in_lma(env) && (cleared & CR4_PAE)) ||
        ((set & CR4_PCIDE) && (!x86_in_lma(env) || (env->cr[3] & 0xfff)))) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    if ((set | cleared) & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) {
        check_pdptes(env, env->cr[0], env->cr[3], v, ra);
    }
    x86_set_cr4(env, v);
}

static void write_cr8(CPUX86State *env, uint64_t v, uintptr_t ra)
{
    X86CPU *cpu = x86_env_cpu(env);

    if (v > 15) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    if (cpu->intc) {
        bql_lock();
        cpu->intc->set_tpr(cpu->intc_opaque, (uint8_t)v);
        bql_unlock();
    }
}

void helper_write_cr(CPUX86State *env, uint32_t n, uint64_t v)
{
    uintptr_t ra = GETPC();

    switch (n) {
    case 0: write_cr0(env, v, ra); break;
    case 2: env->cr[2] = v; break;
    case 3: write_cr3(env, v, ra); break;
    case 4: write_cr4(env, v, ra); break;
    default: write_cr8(env, v, ra); break;
    }
}

void helper_lmsw(CPUX86State *env, uint32_t msw)
{
    /* PE can be set but not cleared. */
    write_cr0(env, (env->cr[0] & ~(uint64_t)(CR0_MP | CR0_EM | CR0_TS)) | (msw & 0xf), GETPC());
}

void helper_clts(CPUX86State *env)
{
    env->cr[0] &= ~(uint64_t)CR0_TS;
    env->hflags &= ~HF_TS;
}

void helper_mode_changed(CPUX86State *env)
{
    tcg_cpu_mode_changed(x86_env_vcpu(env));
}

/* --- debug registers --- */

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE; any access while DR7.GD is a #DB. */
static unsigned debug_register(CPUX86State *env, unsigned n, uintptr_t ra)
{
    if (n == 4 || n == 5) {
        if (env->cr[4] & CR4_DE) {
            x86_raise(env, EXCP06_ILLOP, ra);
        }
        n += 2;
    }
    if (env->dr[7] & DR7_GD) {
        env->dr[6] |= DR6_BD;
        x86_raise(env, EXCP01_DB, ra);
    }
    return n;
}

uint64_t helper_read_dr(CPUX86State *env, uint32_t n)
{
    return env->dr[debug_register(env, n, GETPC())];
}

void helper_write_dr(CPUX86State *env, uint32_t n, uint64_t v)
{
    uintptr_t ra = GETPC();

    n = debug_register(env, n, ra);
    if (n >= 6 && v >> 32) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    if (n == 6) {
        env->dr[6] = (v & 0xe00f) | DR6_FIXED_1;
        return;
    }
    env->dr[n] = n == 7 ? (v & 0xffff2bff) | DR7_FIXED_1 : v;
    x86_debug_regs_update(env);
}

/* --- MSRs, extended control registers --- */

void helper_rdmsr(CPUX86State *env)
{
    uint64_t v;

    if (!x86_msr_read(env, (uint32_t)env->regs[R_ECX], &v)) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    env->regs[R_EAX] = (uint32_t)v;
    env->regs[R_EDX] = v >> 32;
}

void helper_wrmsr(CPUX86State *env)
{
    uint64_t v = (uint32_t)env->regs[R_EAX] | env->regs[R_EDX] << 32;

    if (!x86_msr_write(env, (uint32_t)env->regs[R_ECX], v)) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
}

uint64_t helper_xgetbv(CPUX86State *env, uint32_t n)
{
    if (n > 1 || (n == 1 && !x86_has(env, FEAT_XSAVE, 2))) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    return env->xcr0;           /* XINUSE: every enabled component may be in use */
}

void helper_xsetbv(CPUX86State *env, uint32_t n, uint64_t v)
{
    if (n != 0 || !(v & 1) || (v & ~x86_xcr0_supported(env)) || (v & 6) == 4) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    env->xcr0 = v;
    x86_update_hflags(env);
}

/* --- identification, time, randomness --- */

void helper_cpuid(CPUX86State *env)
{
    uint32_t out[4];

    x86_cpuid(env, (uint32_t)env->regs[R_EAX], (uint32_t)env->regs[R_ECX], out);
    env->regs[R_EAX] = out[0];
    env->regs[R_EBX] = out[1];
    env->regs[R_ECX] = out[2];
    env->regs[R_EDX] = out[3];
}

uint64_t helper_rdtsc(CPUX86State *env)
{
    if ((env->cr[4] & CR4_TSD) && x86_cpl(env) != 0) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    return x86_cpu_read_tsc(x86_env_vcpu(env));
}

uint64_t helper_rdtsc_aux(CPUX86State *env)
{
    return env->tsc_aux;
}

void helper_rdpmc(CPUX86State *env)
{
    /* CPUID 0xA reports no counter: every index is out of range. */
    x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
}

uint64_t helper_rdrand(CPUX86State *env)
{
    uint64_t v;

    guest_random_fill((uint32_t)x86_env_vcpu(env)->index, &v, sizeof(v));
    return v;
}

/* --- TLB --- */

void helper_invlpg(CPUX86State *env, uint64_t va)
{
    tcg_tlb_flush_page(x86_env_vcpu(env), va);
}

void helper_invpcid(CPUX86State *env, uint64_t type, uint64_t desc_va)
{
    enum { INVPCID_ADDRESS, INVPCID_SINGLE, INVPCID_ALL_GLOBAL, INVPCID_ALL };
    uintptr_t ra = GETPC();
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned idx = x86_mmu_index(env);
    uint64_t pcid = cpu_ldq(cpu, desc_va, idx, ra);
    uint64_t va = cpu_ldq(cpu, desc_va + 8, idx, ra);
    bool pcide = env->cr[4] & CR4_PCIDE;

    if (type > INVPCID_ALL || (type < INVPCID_ALL_GLOBAL && (pcid >> 12 || (!pcide && pcid))) ||
        (type == INVPCID_ADDRESS && !x86_is_canonical(va))) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    switch (type) {
    case INVPCID_ADDRESS: tcg_tlb_flush_page_tag(cpu, pcid, va); break;
    case INVPCID_SINGLE:  tcg_tlb_flush_tag(cpu, pcid); break;
    default:              tcg_tlb_flush(cpu, TLB_FLUSH_GUEST); break;
    }
}

void helper_wbinvd(CPUX86State *env)
{
    /* Guest caches are the host's, which keeps them coherent. */
}

/* --- waiting --- */

void helper_hlt(CPUX86State *env, uint64_t next)
{
    Vcpu *cpu = x86_env_vcpu(env);

    env->tcg.pc = next;
    env->hflags &= ~HF_INHIBIT_IRQ;
    __atomic_store_n(&cpu->halted, 1, __ATOMIC_SEQ_CST);
    cpu->exception_index = EXCP_HLT;
    tcg_cpu_loop_exit(cpu);
}

void helper_monitor(CPUX86State *env, uint64_t va)
{
    uintptr_t ra = GETPC();

    if ((uint32_t)env->regs[R_ECX] != 0) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    cpu_ldub(x86_env_vcpu(env), va, x86_mmu_index(env), ra);
}

void helper_mwait(CPUX86State *env, uint64_t next)
{
    if ((uint32_t)env->regs[R_ECX] & ~1u) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    /* Stores to the monitored line are not watched: the wait ends at once, as it may for any reason. */
    sched_yield();
}

void helper_pause(CPUX86State *env, uint64_t next)
{
    tcg_cpu_relax(x86_env_vcpu(env));
}

void helper_hypercall(CPUX86State *env)
{
    enum { KVM_ENOSYS = 1000 };

    if (!env->features[FEAT_KVM]) {
        x86_raise(env, EXCP06_ILLOP, GETPC());
    }
    env->regs[R_EAX] = (uint64_t)-(int64_t)KVM_ENOSYS;
}

void helper_rsm(CPUX86State *env)
{
    uintptr_t ra = GETPC();

    if (!(env->hflags & HF_SMM)) {
        x86_raise(env, EXCP06_ILLOP, ra);
    }
    x86_smm_leave(env, ra);
}

/* --- ports --- */

void helper_check_io(CPUX86State *env, uint32_t port, uint32_t bytes)
{
    uintptr_t ra = GETPC();
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned kernel = x86_mmu_index_kernel(env);
    uint32_t io_base, map;

    if (!x86_in_pe(env) || (!x86_in_vm86(env) && x86_cpl(env) <= extract64(env->eflags, IOPL_SHIFT, 2))) {
        return;
    }
    if (!(env->tr.flags & DESC_P) || !(desc_type(env->tr.flags) & 8) || env->tr.limit < 103) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    io_base = cpu_lduw(cpu, env->tr.base + 0x66, kernel, ra);
    io_base += port >> 3;
    /* Two bytes are always read; both must lie within the segment. */
    if (io_base + 1 > env->tr.limit) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    map = cpu_lduw(cpu, env->tr.base + io_base, kernel, ra);
    if (map >> (port & 7) & ((1u << bytes) - 1)) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
}

/* An armed I/O breakpoint is a trap: taken before the next block. */
static void report_io_breakpoint(CPUX86State *env, uint32_t port, uint32_t bytes)
{
    if ((env->hflags & HF_IOBPT) && x86_io_breakpoint_hit(env, port, bytes)) {
        env->pending_debug_trap = true;
        bql_lock();
        cpu_interrupt(x86_env_vcpu(env), CPU_INTERRUPT_POLL);
        bql_unlock();
    }
}

static uint32_t port_read(uint32_t port, uint32_t bytes)
{
    uint32_t mask = (uint32_t)(~0ULL >> (64 - 8 * bytes));
    MemTxResult result = MEMTX_OK;
    uint64_t v = address_space_ld(&address_space_io, port, bytes, false, MEMTXATTRS_UNSPECIFIED, &result);

    return result == MEMTX_OK ? (uint32_t)v & mask : mask;      /* nobody drives the bus: all ones */
}

static void port_write(uint32_t port, uint32_t value, uint32_t bytes)
{
    address_space_st(&address_space_io, port, value, bytes, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

uint32_t helper_in(CPUX86State *env, uint32_t port, uint32_t bytes)
{
    uint32_t v = port_read(port, bytes);

    report_io_breakpoint(env, port, bytes);
    return v;
}

void helper_out(CPUX86State *env, uint32_t port, uint32_t value, uint32_t bytes)
{
    port_write(port, value, bytes);
    report_io_breakpoint(env, port, bytes);
}

/* How many whole elements of @bytes lie between @va and the end of its page, at most @wanted, at least 1. */
static uint64_t elements_on_page(uint64_t va, uint64_t wanted, unsigned bytes)
{
    uint64_t room = (0x1000 - (va & 0xfff)) / bytes;
    return MAX(1, MIN(wanted, room));
}

static uint32_t load_element(CPUX86State *env, vaddr va, unsigned bytes, unsigned idx, uintptr_t ra)
{
    Vcpu *cpu = x86_env_vcpu(env);
    return bytes == 1 ? cpu_ldub(cpu, va, idx, ra) : bytes == 2 ? cpu_lduw(cpu, va, idx, ra) : cpu_ldl(cpu, va, idx, ra);
}

static void store_element(CPUX86State *env, vaddr va, uint32_t v, unsigned bytes, unsigned idx, uintptr_t ra)
{
    Vcpu *cpu = x86_env_vcpu(env);

    if (bytes == 1) {
        cpu_stb(cpu, va, v, idx, ra);
    } else if (bytes == 2) {
        cpu_stw(cpu, va, v, idx, ra);
    } else {
        cpu_stl(cpu, va, v, idx, ra);
    }
}

/*
 * INS and OUTS of several elements: the first access faults as the instruction would; a page
 * that is plain RAM cannot fault half way, anything else is done one element at a time.
 */
uint64_t helper_rep_ins(CPUX86State *env, uint32_t port, uint64_t va, uint64_t wanted, uint32_t desc)
{
    uintptr_t ra = GETPC();
    unsigned bytes = desc & 15, idx = desc >> 4;
    uint64_t n = elements_on_page(va, wanted, bytes);
    bool one_page = (va & 0xfff) + n * bytes <= 0x1000;
    uint8_t *p = NULL;

    if (one_page) {
        p = tcg_probe_access(x86_env_vcpu(env), va, (unsigned)(n * bytes), MMU_DATA_STORE, idx, ra);
    } else {
        /* An element across two pages: both must be writable before the port is read. */
        tcg_probe_access(x86_env_vcpu(env), va, (unsigned)(0x1000 - (va & 0xfff)), MMU_DATA_STORE, idx, ra);
        tcg_probe_access(x86_env_vcpu(env), ROUND_UP(va, 0x1000), 1, MMU_DATA_STORE, idx, ra);
    }
    if (!p) {
        n = 1;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint32_t v = port_read(port, bytes);

        if (p) {
            memcpy(p + i * bytes, &v, bytes);
        } else {
            store_element(env, va, v, bytes, idx, ra);
        }
    }
    report_io_breakpoint(env, port, bytes);
    return n;
}

uint64_t helper_rep_outs(CPUX86State *env, uint32_t port, uint64_t va, uint64_t wanted, uint32_t desc)
{
    uintptr_t ra = GETPC();
    unsigned bytes = desc & 15, idx = desc >> 4;
    uint64_t n = elements_on_page(va, wanted, bytes);
    const uint8_t *p = NULL;

    if ((va & 0xfff) + n * bytes <= 0x1000) {
        p = tcg_probe_access(x86_env_vcpu(env), va, (unsigned)(n * bytes), MMU_DATA_LOAD, idx, ra);
    }
    if (!p) {
        n = 1;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint32_t v = 0;

        if (p) {
            memcpy(&v, p + i * bytes, bytes);
        } else {
            v = load_element(env, va, bytes, idx, ra);
        }
        port_write(port, v, bytes);
    }
    report_io_breakpoint(env, port, bytes);
    return n;
}
