/*
 * Exceptions and interrupts: raising them and delivering them through the IVT or IDT.
 *
 * Reference: SDM Vol.3 chapter 6; 20 (8086 emulation) for real-address and virtual-8086 mode.
 *
 * Conditions for a double fault (table 6-5); first = what was being delivered:
 *
 *   first \ second   benign        contributory    page fault
 *   benign           second        second          second
 *   contributory     second        #DF             second
 *   page fault       second        #DF             #DF
 *   #DF              second        shutdown        shutdown
 *
 * env->old_exception is the vector being delivered, -1 if none.  Delivery changes no register
 * before everything that can fault is done, so a fault in it finds the interrupted state.
 */
#include "system/runstate.h"
#include "target/i386/segment.h"
#include "util/log.h"

static bool is_contributory(int vector)
{
    return vector == EXCP00_DIVZ || (vector >= EXCP0A_TSS && vector <= EXCP0D_GPF);
}

static bool is_fault_class(int vector)
{
    switch (vector) {
    case EXCP01_DB: case EXCP02_NMI: case EXCP03_INT3: case EXCP04_INTO: case EXCP08_DBLE: case EXCP12_MCHK:
        return false;
    default:
        return vector < 32;
    }
}

static bool has_error_code(int vector)
{
    return vector == EXCP08_DBLE || (vector >= EXCP0A_TSS && vector <= EXCP0E_PAGE) || vector == EXCP11_ALGN;
}

/* --- raising --- */

static int combine_with_delivery(const CPUX86State *env, int vector, int *error_code)
{
    int first = env->old_exception;
    bool second_bad = is_contributory(vector) || vector == EXCP0E_PAGE;

    if (first < 0 || !second_bad) {
        return vector;
    }
    if (first == EXCP08_DBLE) {
        return EXCP_TRIPLE;
    }
    if ((is_contributory(first) && is_contributory(vector)) || first == EXCP0E_PAGE) {
        *error_code = 0;
        return EXCP08_DBLE;
    }
    return vector;
}

G_NORETURN static void raise_common(CPUX86State *env, int vector, int error_code, bool is_int, uint64_t next_eip,
                                    uintptr_t ra)
{
    Vcpu *cpu = x86_env_vcpu(env);

    cpu->exception_index = is_int ? vector : combine_with_delivery(env, vector, &error_code);
    env->error_code = error_code;
    env->exception_is_int = is_int;
    env->exception_next_eip = next_eip;
    tcg_cpu_loop_exit_restore(cpu, ra);
}

void x86_raise(CPUX86State *env, int vector, uintptr_t ra)
{
    raise_common(env, vector, 0, false, 0, ra);
}

void x86_raise_err(CPUX86State *env, int vector, int error_code, uintptr_t ra)
{
    raise_common(env, vector, error_code, false, 0, ra);
}

void x86_raise_int(CPUX86State *env, int vector, uint64_t next_eip, uintptr_t ra)
{
    raise_common(env, vector, 0, true, next_eip, ra);
}

void x86_unaligned(Vcpu *cpu, vaddr va, MmuAccess access, unsigned mmu_idx, uintptr_t ra)
{
    /* 16-byte SSE operands fault with #GP(0), SDM Vol.1 10.4.1.1. */
    x86_raise_err(cpu->env, EXCP0D_GPF, 0, ra);
}

/* --- delivery --- */

typedef struct Delivery {
    CPUX86State *env;
    int vector;
    bool is_int;            /* INT n, INT3, INTO: gate DPL is checked, faults in delivery have EXT = 0 */
    int ext;
    bool push_error;
    int error_code;
    uint64_t old_eip;
    uint64_t old_eflags;    /* image to push */
} Delivery;

static int idt_error(const Delivery *d)
{
    return d->vector * 8 + 2 + d->ext;
}

/* The flags that every delivery clears; @int_gate also IF. */
static void flags_after_delivery(CPUX86State *env, bool int_gate)
{
    x86_set_eflags(env, 0, TF_MASK | VM_MASK | RF_MASK | NT_MASK | (int_gate ? IF_MASK : 0));
    env->hflags &= ~HF_INHIBIT_IRQ;
    x86_update_hflags(env);
}

static void deliver_real(Delivery *d)
{
    CPUX86State *env = d->env;
    SegStack st = x86_stack_current(env, 0);
    uint32_t vec;

    if ((unsigned)d->vector * 4 + 3 > env->idt.limit) {
        x86_raise_err(env, EXCP0D_GPF, idt_error(d), 0);
    }
    vec = cpu_ldl(x86_env_vcpu(env), env->idt.base + d->vector * 4, x86_mmu_index_kernel(env), 0);
    x86_push16(&st, (uint16_t)d->old_eflags);
    x86_push16(&st, (uint16_t)env->segs[R_CS].selector);
    x86_push16(&st, (uint16_t)d->old_eip);
    x86_set_sp(env, st.sp, st.mask);
    env->tcg.pc = vec & 0xffff;
    x86_seg_load_real(env, R_CS, vec >> 16);
    x86_set_eflags(env, 0, IF_MASK | TF_MASK | RF_MASK | AC_MASK);
    env->hflags &= ~HF_INHIBIT_IRQ;
    x86_update_hflags(env);
}

/* Presence and privilege of the gate, SDM Vol.3 6.12.1.1. */
static void check_gate(const Delivery *d, uint32_t hi)
{
    if (d->is_int && desc_dpl(hi) < x86_cpl(d->env)) {
        x86_raise_err(d->env, EXCP0D_GPF, idt_error(d), 0);
    }
    if (!desc_present(hi)) {
        x86_raise_err(d->env, EXCP0B_NOSEG, idt_error(d), 0);
    }
}

/* The handler's code segment; *@new_cpl is where it runs. */
static Descriptor handler_code_segment(const Delivery *d, unsigned selector, unsigned *new_cpl)
{
    CPUX86State *env = d->env;
    Descriptor cs;
    int err = (selector & 0xfffc) + d->ext;

    if (selector_is_null(selector)) {
        x86_raise_err(env, EXCP0D_GPF, d->ext, 0);
    }
    if (!x86_desc_read(env, selector, &cs, 0) || !desc_is_code(cs.hi) || desc_dpl(cs.hi) > x86_cpl(env)) {
        x86_raise_err(env, EXCP0D_GPF, err, 0);
    }
    if (x86_in_lma(env) && (cs.hi & (DESC_L | DESC_B)) != DESC_L) {
        x86_raise_err(env, EXCP0D_GPF, err, 0);
    }
    if (!desc_present(cs.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, err, 0);
    }
    *new_cpl = desc_is_conforming(cs.hi) ? x86_cpl(env) : desc_dpl(cs.hi);
    if (x86_in_vm86(env) && *new_cpl != 0) {
        x86_raise_err(env, EXCP0D_GPF, err, 0);
    }
    return cs;
}

static void enter_handler(const Delivery *d, unsigned selector, Descriptor cs, unsigned new_cpl, uint64_t offset,
                          bool int_gate)
{
    CPUX86State *env = d->env;

    x86_desc_set_accessed(env, selector, &cs, 0);
    x86_seg_load_desc(env, R_CS, (selector & 0xfffc) | new_cpl, cs);
    env->tcg.pc = offset;
    flags_after_delivery(env, int_gate);
}

static void deliver_task_gate(Delivery *d, unsigned selector)
{
    CPUX86State *env = d->env;
    Descriptor tss = x86_task_gate_tss(env, selector, d->ext, 0);

    x86_task_switch(env, selector, tss, TASK_GATE, d->old_eip, d->ext, 0);
    if (d->push_error) {
        SegStack st = x86_stack_current(env, 0);

        x86_push_sized(&st, desc_type(env->tr.flags) & 8 ? 4 : 2, (uint32_t)d->error_code);
        x86_set_sp(env, st.sp, st.mask);
    }
}

/* To an inner level or out of virtual-8086 mode: the old stack and, for the latter, data segments are pushed. */
static void deliver_inner(Delivery *d, unsigned selector, Descriptor cs, unsigned new_cpl, uint32_t offset,
                          unsigned size, bool int_gate)
{
    static const uint8_t vm86_order[] = { R_GS, R_FS, R_DS, R_ES };
    CPUX86State *env = d->env;
    bool vm86 = x86_in_vm86(env);
    uint16_t ss_sel;
    uint32_t esp;
    Descriptor ss;
    SegStack st;

    x86_tss_stack(env, new_cpl, &ss_sel, &esp, d->ext, 0);
    ss = x86_inner_ss(env, ss_sel, new_cpl, d->ext, 0);
    if (!x86_stack_room(ss, esp, size * ((vm86 ? 9 : 5) + d->push_error))) {
        x86_raise_err(env, EXCP0C_STACK, (ss_sel & 0xfffc) + d->ext, 0);
    }
    st = x86_stack_from_desc(env, ss, esp, new_cpl, 0);
    for (unsigned i = 0; vm86 && i < ARRAY_SIZE(vm86_order); i++) {
        x86_push_sized(&st, size, env->segs[vm86_order[i]].selector);
    }
    x86_push_sized(&st, size, env->segs[R_SS].selector);
    x86_push_sized(&st, size, env->regs[R_ESP]);
    x86_push_sized(&st, size, d->old_eflags);
    x86_push_sized(&st, size, env->segs[R_CS].selector);
    x86_push_sized(&st, size, d->old_eip);
    if (d->push_error) {
        x86_push_sized(&st, size, (uint32_t)d->error_code);
    }
    x86_desc_set_accessed(env, ss_sel, &ss, 0);
    x86_desc_set_accessed(env, selector, &cs, 0);
    if (vm86) {
        env->eflags &= ~(uint64_t)VM_MASK;
        for (unsigned i = 0; i < ARRAY_SIZE(vm86_order); i++) {
            x86_seg_load_null(env, vm86_order[i], 0, 0);
        }
    }
    x86_seg_load_desc(env, R_SS, (ss_sel & 0xfffc) | new_cpl, ss);
    x86_set_sp(env, st.sp, st.mask);
    enter_handler(d, selector, cs, new_cpl, offset, int_gate);
}

static void deliver_same_level(Delivery *d, unsigned selector, Descriptor cs, uint32_t offset, unsigned size,
                               bool int_gate)
{
    CPUX86State *env = d->env;
    SegStack st = x86_stack_current(env, 0);

    x86_push_sized(&st, size, d->old_eflags);
    x86_push_sized(&st, size, env->segs[R_CS].selector);
    x86_push_sized(&st, size, d->old_eip);
    if (d->push_error) {
        x86_push_sized(&st, size, (uint32_t)d->error_code);
    }
    x86_desc_set_accessed(env, selector, &cs, 0);
    x86_set_sp(env, st.sp, st.mask);
    enter_handler(d, selector, cs, x86_cpl(env), offset, int_gate);
}

static void deliver_protected(Delivery *d)
{
    CPUX86State *env = d->env;
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned kernel = x86_mmu_index_kernel(env);
    unsigned selector, type, new_cpl;
    Descriptor gate, cs;

    if ((unsigned)d->vector * 8 + 7 > env->idt.limit) {
        x86_raise_err(env, EXCP0D_GPF, idt_error(d), 0);
    }
    gate.lo = cpu_ldl(cpu, env->idt.base + d->vector * 8, kernel, 0);
    gate.hi = cpu_ldl(cpu, env->idt.base + d->vector * 8 + 4, kernel, 0);
    type = gate.hi >> DESC_TYPE_SHIFT & 31;
    selector = gate.lo >> 16;
    if (type != SYS_TASK_GATE && type != SYS_INT_GATE16 && type != SYS_TRAP_GATE16 && type != SYS_INT_GATE &&
        type != SYS_TRAP_GATE) {
        x86_raise_err(env, EXCP0D_GPF, idt_error(d), 0);
    }
    check_gate(d, gate.hi);
    if (type == SYS_TASK_GATE) {
        deliver_task_gate(d, selector);
        return;
    }
    cs = handler_code_segment(d, selector, &new_cpl);
    if (!(type & 8)) {
        gate.hi &= 0xffff;              /* 16-bit gates have no upper offset half */
    }
    if (new_cpl < x86_cpl(env) || x86_in_vm86(env)) {
        deliver_inner(d, selector, cs, new_cpl, gate_offset(gate), type & 8 ? 4 : 2, !(type & 1));
    } else {
        deliver_same_level(d, selector, cs, gate_offset(gate), type & 8 ? 4 : 2, !(type & 1));
    }
}

/* SDM Vol.3 6.14: 16-byte gates, stack always pushed, aligned, IST. */
static void deliver_long(Delivery *d)
{
    CPUX86State *env = d->env;
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned kernel = x86_mmu_index_kernel(env);
    vaddr entry = env->idt.base + (unsigned)d->vector * 16;
    unsigned selector, type, new_cpl, ist, old_ss = env->segs[R_SS].selector;
    Descriptor gate, cs;
    uint64_t offset;
    SegStack st;

    if ((unsigned)d->vector * 16 + 15 > env->idt.limit) {
        x86_raise_err(env, EXCP0D_GPF, idt_error(d), 0);
    }
    gate.lo = cpu_ldl(cpu, entry, kernel, 0);
    gate.hi = cpu_ldl(cpu, entry + 4, kernel, 0);
    offset = gate_offset(gate) | (uint64_t)cpu_ldl(cpu, entry + 8, kernel, 0) << 32;
    type = gate.hi >> DESC_TYPE_SHIFT & 31;
    selector = gate.lo >> 16;
    ist = gate.hi & 7;
    if (type != SYS_INT_GATE && type != SYS_TRAP_GATE) {
        x86_raise_err(env, EXCP0D_GPF, idt_error(d), 0);
    }
    check_gate(d, gate.hi);
    cs = handler_code_segment(d, selector, &new_cpl);

    st = (SegStack){ .env = env, .mask = ~0ULL, .sp = env->regs[R_ESP] };
    st.mmu_idx = new_cpl == 3 ? MMU_USER_IDX : kernel;
    if (ist) {
        st.sp = x86_tss64_rsp(env, ist + 3, d->ext, 0);
    } else if (new_cpl < x86_cpl(env)) {
        st.sp = x86_tss64_rsp(env, new_cpl, d->ext, 0);
    } else if (!x86_in_64bit_code(env)) {
        st.sp &= 0xffffffff;
    }
    if (!x86_is_canonical(offset)) {
        x86_raise_err(env, EXCP0D_GPF, 0, 0);
    }
    st.sp &= ~0xfULL;
    x86_push64(&st, old_ss);
    x86_push64(&st, env->regs[R_ESP]);
    x86_push64(&st, d->old_eflags);
    x86_push64(&st, env->segs[R_CS].selector);
    x86_push64(&st, d->old_eip);
    if (d->push_error) {
        x86_push64(&st, (uint32_t)d->error_code);
    }
    x86_desc_set_accessed(env, selector, &cs, 0);
    if (new_cpl < x86_cpl(env)) {
        x86_seg_load_null(env, R_SS, new_cpl, new_cpl);
    }
    env->regs[R_ESP] = st.sp;
    enter_handler(d, selector, cs, new_cpl, offset, type == SYS_INT_GATE);
}

/*
 * INT n in virtual-8086 mode with CR4.VME (SDM Vol.3 20.3.3, table 20-2): a clear bit in the TSS's
 * redirection map sends it to the 8086 program's own handler.
 */
bool x86_vme_redirect(CPUX86State *env, int vector, uint64_t next_eip)
{
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned kernel = x86_mmu_index_kernel(env);
    bool iopl3 = (env->eflags & IOPL_MASK) == IOPL_MASK;
    uint64_t image = x86_get_eflags(env);
    uint32_t io_base, byte, vec;
    SegStack st;

    if (!(env->cr[4] & CR4_VME) || !(desc_type(env->tr.flags) & 8) || env->tr.limit < 103) {
        return false;
    }
    io_base = cpu_lduw(cpu, env->tr.base + 0x66, kernel, 0);
    if (io_base < 32 || io_base - 32 + vector / 8 > env->tr.limit) {
        return false;
    }
    byte = cpu_ldub(cpu, env->tr.base + io_base - 32 + vector / 8, kernel, 0);
    if (byte >> (vector & 7) & 1) {
        return false;
    }
    if (!iopl3) {       /* methods 5 and 6: IF is the virtual one, IOPL reads as 3 */
        image = (image & ~(uint64_t)IF_MASK) | IOPL_MASK | (env->eflags & VIF_MASK ? IF_MASK : 0);
    }
    vec = cpu_ldl(cpu, vector * 4, MMU_USER_IDX, 0);
    st = x86_stack_current(env, 0);
    x86_push16(&st, (uint16_t)image);
    x86_push16(&st, (uint16_t)env->segs[R_CS].selector);
    x86_push16(&st, (uint16_t)next_eip);
    x86_set_sp(env, st.sp, st.mask);
    env->tcg.pc = vec & 0xffff;
    x86_seg_load_vm86(env, R_CS, vec >> 16);
    x86_set_eflags(env, 0, TF_MASK | NT_MASK | AC_MASK | (iopl3 ? IF_MASK : VIF_MASK));
    x86_update_hflags(env);
    return true;
}

static void log_delivery(const Delivery *d, bool is_hw)
{
    CPUX86State *env = d->env;

    log_write("v=%02x e=%04x i=%d hw=%d cpl=%u IP=%04x:%016" PRIx64 " SP=%04x:%016" PRIx64 " CR2=%016" PRIx64 "\n",
              d->vector, (unsigned)d->error_code, d->is_int, is_hw, x86_cpl(env), env->segs[R_CS].selector,
              (uint64_t)env->tcg.pc, env->segs[R_SS].selector, env->regs[R_ESP], env->cr[2]);
}

void x86_do_interrupt(CPUX86State *env, int vector, bool is_int, int error_code, uint64_t next_eip, bool is_hw)
{
    Delivery d = {
        .env = env, .vector = vector, .is_int = is_int, .ext = !is_int, .error_code = error_code,
        .push_error = !is_int && !is_hw && has_error_code(vector),
        .old_eip = is_int ? next_eip : env->tcg.pc, .old_eflags = x86_get_eflags(env),
    };

    if (log_enabled(LOG_INT)) {
        log_delivery(&d, is_hw);
    }
    if (!is_int && !is_hw && is_fault_class(vector)) {
        d.old_eflags |= RF_MASK;
    }
    env->kernel_entries++;
    env->old_exception = vector;
    if (is_hw || is_int) {
        env->old_exception = EXCP03_INT3;       /* benign, whatever the vector */
    }
    if (!x86_in_pe(env)) {
        deliver_real(&d);
    } else if (x86_in_lma(env)) {
        deliver_long(&d);
    } else {
        deliver_protected(&d);
    }
    if (vector == EXCP01_DB && !is_int) {
        env->dr[7] &= ~(uint64_t)DR7_GD;
    }
    env->old_exception = -1;
}

/* Shutdown, SDM Vol.3 6.15: on a PC the chipset answers with a reset. */
static void triple_fault(CPUX86State *env)
{
    Vcpu *cpu = x86_env_vcpu(env);

    log_mask_write(LOG_INT | LOG_CPU_RESET, "triple fault at %04x:%016" PRIx64 "\n", env->segs[R_CS].selector,
                   (uint64_t)env->tcg.pc);
    env->old_exception = -1;
    system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    __atomic_store_n(&cpu->halted, 1, __ATOMIC_SEQ_CST);
    cpu->exception_index = EXCP_HLT;
    tcg_cpu_loop_exit(cpu);
}

void x86_do_exception(Vcpu *cpu)
{
    CPUX86State *env = cpu->env;
    int vector = cpu->exception_index;

    cpu->exception_index = -1;
    if (vector == EXCP_TRIPLE) {
        triple_fault(env);
    }
    x86_do_interrupt(env, vector, env->exception_is_int, env->error_code, env->exception_next_eip, false);
}

/* --- interrupts from outside --- */

bool x86_has_work(Vcpu *cpu)
{
    CPUX86State *env = cpu->env;
    uint32_t request = __atomic_load_n(&cpu->interrupt_request, __ATOMIC_SEQ_CST);

    if (x86_env_cpu(env)->kvm_halts) {
        return true;
    }
    if (env->wait_for_sipi) {
        return request & (CPU_INTERRUPT_SIPI | CPU_INTERRUPT_INIT);
    }
    return ((request & CPU_INTERRUPT_HARD) && (env->eflags & IF_MASK)) ||
           ((request & CPU_INTERRUPT_NMI) && !env->nmi_blocked) ||
           ((request & CPU_INTERRUPT_SMI) && !(env->hflags & HF_SMM)) ||
           (request & (CPU_INTERRUPT_INIT | CPU_INTERRUPT_SIPI | CPU_INTERRUPT_MCE | CPU_INTERRUPT_POLL));
}

static void take_init(CPUX86State *env)
{
    X86CPU *cpu = x86_env_cpu(env);

    /* A SIPI that followed the INIT stays: the sender voided any older one. */
    cpu_reset_interrupt(&cpu->parent, CPU_INTERRUPT_INIT | CPU_INTERRUPT_NMI | CPU_INTERRUPT_SMI);
    x86_cpu_init_reset(cpu);
}

static void take_sipi(CPUX86State *env)
{
    Vcpu *cpu = x86_env_vcpu(env);

    cpu_reset_interrupt(cpu, CPU_INTERRUPT_SIPI);
    if (!env->wait_for_sipi) {
        return;                 /* SDM Vol.3 8.4.1: ignored unless waiting for one */
    }
    env->wait_for_sipi = false;
    env->tcg.pc = 0;
    env->segs[R_CS] = (SegmentCache){
        .selector = env->sipi_vector << 8, .base = (uint64_t)env->sipi_vector << 12, .limit = 0xffff,
        .flags = DESC_P | DESC_S | DESC_CS | DESC_R | DESC_A,
    };
    x86_update_hflags(env);
    __atomic_store_n(&cpu->halted, 0, __ATOMIC_SEQ_CST);
}

static bool take_external(CPUX86State *env)
{
    X86CPU *cpu = x86_env_cpu(env);
    int vector = -1;

    if (cpu->intc) {
        vector = cpu->intc->get_interrupt(cpu->intc_opaque);
        if (!cpu->intc->has_interrupt(cpu->intc_opaque)) {
            cpu_reset_interrupt(&cpu->parent, CPU_INTERRUPT_HARD);
        }
    } else {
        cpu_reset_interrupt(&cpu->parent, CPU_INTERRUPT_HARD);
    }
    if (vector < 0) {
        return false;
    }
    x86_do_interrupt(env, vector, false, 0, 0, true);
    return true;
}

bool x86_exec_interrupt(Vcpu *cpu, uint32_t request)
{
    CPUX86State *env = cpu->env;
    bool inhibited = env->hflags & HF_INHIBIT_IRQ;

    if (request & CPU_INTERRUPT_POLL) {
        cpu_reset_interrupt(cpu, CPU_INTERRUPT_POLL);
        if (env->pending_debug_trap) {
            env->pending_debug_trap = false;
            x86_do_interrupt(env, EXCP01_DB, false, 0, 0, false);
            return true;
        }
    }
    if (request & CPU_INTERRUPT_INIT) {
        take_init(env);
        return true;
    }
    if (request & CPU_INTERRUPT_SIPI) {
        take_sipi(env);
        return true;
    }
    if (env->wait_for_sipi) {
        return false;
    }
    /* Priority among what arrives between two instructions: SDM Vol.3 table 6-2. */
    if ((request & CPU_INTERRUPT_SMI) && !(env->hflags & HF_SMM)) {
        cpu_reset_interrupt(cpu, CPU_INTERRUPT_SMI);
        x86_smm_enter(env);
        return true;
    }
    if ((request & CPU_INTERRUPT_NMI) && !env->nmi_blocked && !inhibited) {
        cpu_reset_interrupt(cpu, CPU_INTERRUPT_NMI);
        env->nmi_blocked = true;
        x86_do_interrupt(env, EXCP02_NMI, false, 0, 0, true);
        return true;
    }
    if (request & CPU_INTERRUPT_MCE) {
        cpu_reset_interrupt(cpu, CPU_INTERRUPT_MCE);
        x86_do_interrupt(env, EXCP12_MCHK, false, 0, 0, true);
        return true;
    }
    if ((request & CPU_INTERRUPT_HARD) && (env->eflags & IF_MASK) && !inhibited) {
        return take_external(env);
    }
    return false;
}
