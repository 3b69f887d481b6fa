/*
 * Instructions that load segment registers or transfer control between segments.
 *
 * Reference: SDM Vol.2 (JMP, CALL, RET, IRET, SYSCALL, SYSRET, SYSENTER, SYSEXIT, LAR, LSL, VERR,
 * LLDT, LTR); Vol.3 5.8 (privilege checking), 7 (tasks), 20.2.7 (IRET in virtual-8086 mode).
 *
 * A far transfer reads and checks everything first and changes registers last, so that a fault
 * leaves the instruction restartable.
 */
#include "target/i386/segment.h"
#include "util/log.h"
#include "helper.h"

static unsigned cpl_or_rpl(const CPUX86State *env, unsigned selector)
{
    return MAX(x86_cpl(env), selector & 3);
}

/* --- where control may go --- */

/* Is @offset a legal instruction pointer in code segment @cs?  #GP(0) if not. */
static void check_target(CPUX86State *env, Descriptor cs, uint64_t offset, uintptr_t ra)
{
    bool bad;

    if (x86_in_lma(env) && (cs.hi & DESC_L)) {
        bad = !x86_is_canonical(offset);
    } else {
        bad = offset > desc_limit(cs);
    }
    if (bad) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
}

/* A code descriptor that IA-32e mode refuses: both L and D set. */
static bool code_bits_invalid(const CPUX86State *env, uint32_t hi)
{
    return x86_in_lma(env) && (hi & DESC_L) && (hi & DESC_B);
}

static void enter_code(CPUX86State *env, unsigned selector, Descriptor cs, unsigned cpl, uint64_t offset, uintptr_t ra)
{
    x86_desc_set_accessed(env, selector, &cs, ra);
    x86_seg_load_desc(env, R_CS, (selector & 0xfffc) | cpl, cs);
    env->tcg.pc = offset;
}

static void far_real(CPUX86State *env, unsigned selector, uint64_t offset, uintptr_t ra)
{
    if (offset > (x86_in_vm86(env) ? 0xffff : env->segs[R_CS].limit)) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    if (x86_in_vm86(env)) {
        x86_seg_load_vm86(env, R_CS, selector);
    } else {
        x86_seg_load_real(env, R_CS, selector);
    }
    env->tcg.pc = offset;
}

/* Descriptor of a far JMP's or CALL's selector. */
static Descriptor far_descriptor(CPUX86State *env, unsigned selector, uintptr_t ra)
{
    Descriptor d;

    if (selector_is_null(selector)) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    if (!x86_desc_read(env, selector, &d, ra)) {
        x86_raise_err(env, EXCP0D_GPF, selector & 0xfffc, ra);
    }
    return d;
}

/* Direct JMP or CALL to code segment @cs: SDM Vol.3 5.8.1. */
static void check_direct_code(CPUX86State *env, unsigned selector, Descriptor cs, uintptr_t ra)
{
    unsigned cpl = x86_cpl(env), dpl = desc_dpl(cs.hi);
    bool allowed = desc_is_conforming(cs.hi) ? dpl <= cpl : (selector & 3) <= cpl && dpl == cpl;

    if (!allowed || code_bits_invalid(env, cs.hi)) {
        x86_raise_err(env, EXCP0D_GPF, selector & 0xfffc, ra);
    }
    if (!desc_present(cs.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, selector & 0xfffc, ra);
    }
}

typedef struct CallGate {
    unsigned selector;          /* of the code segment */
    Descriptor cs;
    uint64_t offset;
    unsigned size;              /* of what is pushed: 2, 4, 8 */
    unsigned n_params;
} CallGate;

/* Read and check the call gate @d named by @gate_sel; the target's privilege is the caller's to check. */
static CallGate call_gate_read(CPUX86State *env, unsigned gate_sel, Descriptor d, uintptr_t ra)
{
    CallGate g = { .selector = d.lo >> 16, .offset = gate_offset(d), .n_params = d.hi & 31 };
    bool wide = desc_type(d.hi) == SYS_CALL_GATE;
    int err = gate_sel & 0xfffc;

    if (desc_dpl(d.hi) < cpl_or_rpl(env, gate_sel)) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, err, ra);
    }
    g.size = wide ? 4 : 2;
    if (!wide) {
        g.offset &= 0xffff;
    }
    if (x86_in_lma(env)) {
        uint32_t high, type;

        if (!x86_desc_read_high(env, gate_sel, &high, &type, ra) || (type >> DESC_TYPE_SHIFT & 31)) {
            x86_raise_err(env, EXCP0D_GPF, err, ra);
        }
        g.offset |= (uint64_t)high << 32;
        g.size = 8;
        g.n_params = 0;
    }
    if (selector_is_null(g.selector)) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    err = g.selector & 0xfffc;
    if (!x86_desc_read(env, g.selector, &g.cs, ra) || !desc_is_code(g.cs.hi) || desc_dpl(g.cs.hi) > x86_cpl(env) ||
        (x86_in_lma(env) && (g.cs.hi & (DESC_L | DESC_B)) != DESC_L)) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);
    }
    if (!desc_present(g.cs.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, err, ra);
    }
    return g;
}

/*
 * JMP or CALL to a system descriptor that is a task: true if it was one and the switch is done.
 * Raises #GP if @d is neither a task nor a call gate.
 */
static bool far_to_task(CPUX86State *env, unsigned selector, Descriptor d, TaskSwitchSource source, uint64_t next,
                        uintptr_t ra)
{
    unsigned type = desc_type(d.hi);
    int err = selector & 0xfffc;

    if (x86_in_lma(env)) {
        if (type != SYS_CALL_GATE) {
            x86_raise_err(env, EXCP0D_GPF, err, ra);
        }
        return false;
    }
    if (type == SYS_CALL_GATE || type == SYS_CALL_GATE16) {
        return false;
    }
    if ((type != SYS_TASK_GATE && type != SYS_TSS16_AVAIL && type != SYS_TSS_AVAIL) ||
        desc_dpl(d.hi) < cpl_or_rpl(env, selector)) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, err, ra);
    }
    if (type == SYS_TASK_GATE) {
        selector = d.lo >> 16;
        d = x86_task_gate_tss(env, selector, 0, ra);
    } else if (selector & 4) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);        /* a TSS descriptor lives in the GDT only */
    }
    x86_task_switch(env, selector, d, source, next, 0, ra);
    return true;
}

/* --- JMP --- */

static void jump_through_gate(CPUX86State *env, unsigned selector, Descriptor d, uintptr_t ra)
{
    CallGate g = call_gate_read(env, selector, d, ra);

    if (!desc_is_conforming(g.cs.hi) && desc_dpl(g.cs.hi) != x86_cpl(env)) {
        x86_raise_err(env, EXCP0D_GPF, g.selector & 0xfffc, ra);
    }
    check_target(env, g.cs, g.offset, ra);
    enter_code(env, g.selector, g.cs, x86_cpl(env), g.offset, ra);
}

void helper_far_jmp(CPUX86State *env, uint32_t selector, uint64_t offset, uint64_t next)
{
    uintptr_t ra = GETPC();
    Descriptor d;

    log_mask_write(LOG_PCALL, "far jump %04x:%016" PRIx64 " to %04x:%016" PRIx64 "\n", env->segs[R_CS].selector,
                   next, selector, offset);
    selector &= 0xffff;
    if (x86_in_real_or_vm86(env)) {
        far_real(env, selector, offset, ra);
        return;
    }
    d = far_descriptor(env, selector, ra);
    if (desc_is_code(d.hi)) {
        check_direct_code(env, selector, d, ra);
        check_target(env, d, offset, ra);
        enter_code(env, selector, d, x86_cpl(env), offset, ra);
    } else if (d.hi & DESC_S) {
        x86_raise_err(env, EXCP0D_GPF, selector & 0xfffc, ra);
    } else if (!far_to_task(env, selector, d, TASK_JMP, next, ra)) {
        jump_through_gate(env, selector, d, ra);
    }
}

/* --- CALL --- */

static void call_same_level(CPUX86State *env, unsigned selector, Descriptor cs, uint64_t offset, unsigned size,
                            uint64_t next, uintptr_t ra)
{
    SegStack st = x86_stack_current(env, ra);

    check_target(env, cs, offset, ra);
    x86_push_sized(&st, size, env->segs[R_CS].selector);
    x86_push_sized(&st, size, next);
    x86_set_sp(env, st.sp, st.mask);
    enter_code(env, selector, cs, x86_cpl(env), offset, ra);
}

static void call_inner_long(CPUX86State *env, const CallGate *g, unsigned new_cpl, uint64_t next, uintptr_t ra)
{
    SegStack st = { .env = env, .ra = ra, .mask = ~0ULL, .mmu_idx = x86_mmu_index_kernel(env) };

    st.sp = x86_tss64_rsp(env, new_cpl, 0, ra);
    check_target(env, g->cs, g->offset, ra);
    x86_push64(&st, env->segs[R_SS].selector);
    x86_push64(&st, env->regs[R_ESP]);
    x86_push64(&st, env->segs[R_CS].selector);
    x86_push64(&st, next);
    x86_seg_load_null(env, R_SS, new_cpl, new_cpl);
    env->regs[R_ESP] = st.sp;
    enter_code(env, g->selector, g->cs, new_cpl, g->offset, ra);
}

static void call_inner(CPUX86State *env, const CallGate *g, unsigned new_cpl, uint64_t next, uintptr_t ra)
{
    SegStack old = x86_stack_current(env, ra), st;
    uint64_t params[31];
    uint16_t ss_sel;
    uint32_t esp;
    Descriptor ss;

    x86_tss_stack(env, new_cpl, &ss_sel, &esp, 0, ra);
    ss = x86_inner_ss(env, ss_sel, new_cpl, 0, ra);
    if (!x86_stack_room(ss, esp, g->size * (4 + g->n_params))) {
        x86_raise_err(env, EXCP0C_STACK, ss_sel & 0xfffc, ra);
    }
    check_target(env, g->cs, g->offset, ra);
    for (unsigned i = 0; i < g->n_params; i++) {
        params[i] = x86_pop_sized(&old, g->size);
    }
    st = x86_stack_from_desc(env, ss, esp, new_cpl, ra);
    x86_push_sized(&st, g->size, env->segs[R_SS].selector);
    x86_push_sized(&st, g->size, env->regs[R_ESP]);
    for (unsigned i = g->n_params; i-- > 0;) {
        x86_push_sized(&st, g->size, params[i]);
    }
    x86_push_sized(&st, g->size, env->segs[R_CS].selector);
    x86_push_sized(&st, g->size, next);
    x86_desc_set_accessed(env, ss_sel, &ss, ra);
    x86_seg_load_desc(env, R_SS, (ss_sel & 0xfffc) | new_cpl, ss);
    x86_set_sp(env, st.sp, st.mask);
    enter_code(env, g->selector, g->cs, new_cpl, g->offset, ra);
}

static void call_through_gate(CPUX86State *env, unsigned selector, Descriptor d, uint64_t next, uintptr_t ra)
{
    CallGate g = call_gate_read(env, selector, d, ra);
    unsigned dpl = desc_dpl(g.cs.hi);

    if (desc_is_conforming(g.cs.hi) || dpl == x86_cpl(env)) {
        call_same_level(env, g.selector, g.cs, g.offset, g.size, next, ra);
    } else if (x86_in_lma(env)) {
        call_inner_long(env, &g, dpl, next, ra);
    } else {
        call_inner(env, &g, dpl, next, ra);
    }
}

void helper_far_call(CPUX86State *env, uint32_t selector, uint64_t offset, uint32_t shift, uint64_t next)
{
    uintptr_t ra = GETPC();
    unsigned size = 2u << shift;
    Descriptor d;

    log_mask_write(LOG_PCALL, "far call %04x:%016" PRIx64 " to %04x:%016" PRIx64 "\n", env->segs[R_CS].selector,
                   next, selector, offset);
    selector &= 0xffff;
    if (x86_in_real_or_vm86(env)) {
        SegStack st = x86_stack_current(env, ra);

        x86_push_sized(&st, size, env->segs[R_CS].selector);
        x86_push_sized(&st, size, next);
        far_real(env, selector, offset, ra);
        x86_set_sp(env, st.sp, st.mask);
        return;
    }
    d = far_descriptor(env, selector, ra);
    if (desc_is_code(d.hi)) {
        check_direct_code(env, selector, d, ra);
        call_same_level(env, selector, d, offset, size, next, ra);
    } else if (d.hi & DESC_S) {
        x86_raise_err(env, EXCP0D_GPF, selector & 0xfffc, ra);
    } else if (!far_to_task(env, selector, d, TASK_CALL, next, ra)) {
        call_through_gate(env, selector, d, next, ra);
    }
}

/* --- RET and IRET --- */

/* Code segment of a return to @selector: SDM Vol.3 5.8.6. */
static Descriptor return_code_segment(CPUX86State *env, unsigned selector, uintptr_t ra)
{
    unsigned rpl = selector & 3;
    int err = selector & 0xfffc;
    Descriptor cs;
    bool allowed;

    if (selector_is_null(selector)) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    if (!x86_desc_read(env, selector, &cs, ra) || !desc_is_code(cs.hi) || rpl < x86_cpl(env)) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);
    }
    allowed = desc_is_conforming(cs.hi) ? desc_dpl(cs.hi) <= rpl : desc_dpl(cs.hi) == rpl;
    if (!allowed || code_bits_invalid(env, cs.hi)) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);
    }
    if (!desc_present(cs.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, err, ra);
    }
    return cs;
}

/* Stack segment of a return to level @rpl; a null one is allowed in 64-bit code below level 3. */
static bool return_stack_segment(CPUX86State *env, unsigned selector, unsigned rpl, bool to_64bit, Descriptor *ss,
                                 uintptr_t ra)
{
    int err = selector & 0xfffc;

    if (selector_is_null(selector)) {
        if (!to_64bit || rpl == 3) {
            x86_raise_err(env, EXCP0D_GPF, 0, ra);
        }
        return false;
    }
    if ((selector & 3) != rpl || !x86_desc_read(env, selector, ss, ra) || !desc_is_writable_data(ss->hi) ||
        desc_dpl(ss->hi) != rpl) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);
    }
    if (!desc_present(ss->hi)) {
        x86_raise_err(env, EXCP0C_STACK, err, ra);
    }
    return true;
}

/* SDM Vol.3 5.8.6 step 6: data segments that the outer level may not use become null. */
static void drop_inner_data_segments(CPUX86State *env, unsigned cpl)
{
    static const uint8_t data_segs[] = { R_ES, R_DS, R_FS, R_GS };

    for (unsigned i = 0; i < ARRAY_SIZE(data_segs); i++) {
        uint32_t flags = env->segs[data_segs[i]].flags;

        if ((flags & DESC_S) && !desc_is_conforming(flags) && desc_dpl(flags) < cpl) {
            x86_seg_load_null(env, data_segs[i], 0, 0);
        }
    }
}

typedef struct FarReturn {
    uint64_t eip, esp, eflags;
    unsigned cs_sel, ss_sel;
    bool has_stack;             /* SS:eSP were popped */
    Descriptor cs, ss;
    bool ss_valid;              /* else null */
    unsigned extra;             /* bytes to release on both stacks (RET imm16) */
} FarReturn;

/* Registers for a checked return.  @st: the stack after all pops. */
static void finish_return(CPUX86State *env, FarReturn *r, SegStack *st, uintptr_t ra)
{
    unsigned rpl = r->cs_sel & 3;
    bool to_64bit = x86_in_lma(env) && (r->cs.hi & DESC_L);
    bool outer = rpl > x86_cpl(env);

    x86_desc_set_accessed(env, r->cs_sel, &r->cs, ra);
    if (r->ss_valid) {
        x86_desc_set_accessed(env, r->ss_sel, &r->ss, ra);
    }
    x86_seg_load_desc(env, R_CS, r->cs_sel, r->cs);
    if (r->has_stack) {
        uint64_t mask = to_64bit ? ~0ULL : r->ss.hi & DESC_B ? 0xffffffff : 0xffff;

        if (r->ss_valid) {
            x86_seg_load_desc(env, R_SS, r->ss_sel, r->ss);
        } else {
            x86_seg_load_null(env, R_SS, r->ss_sel, rpl);
        }
        x86_set_sp(env, r->esp + r->extra, mask);
    } else {
        x86_set_sp(env, st->sp + r->extra, st->mask);
    }
    if (outer) {
        drop_inner_data_segments(env, rpl);
    }
    env->tcg.pc = r->eip;
}

void helper_far_ret(CPUX86State *env, uint32_t shift, uint32_t release)
{
    uintptr_t ra = GETPC();
    unsigned size = 2u << shift;
    SegStack st = x86_stack_current(env, ra);
    FarReturn r = { .extra = release };

    log_mask_write(LOG_PCALL, "far return from %04x, %u bytes\n", env->segs[R_CS].selector, size);
    r.eip = x86_pop_sized(&st, size);
    r.cs_sel = x86_pop_sized(&st, size) & 0xffff;
    if (x86_in_real_or_vm86(env)) {
        far_real(env, r.cs_sel, r.eip, ra);
        x86_set_sp(env, st.sp + release, st.mask);
        return;
    }
    r.cs = return_code_segment(env, r.cs_sel, ra);
    if ((r.cs_sel & 3) > x86_cpl(env)) {
        st.sp = (st.sp & ~st.mask) | ((st.sp + release) & st.mask);
        r.has_stack = true;
        r.esp = x86_pop_sized(&st, size);
        r.ss_sel = x86_pop_sized(&st, size) & 0xffff;
        r.ss_valid = return_stack_segment(env, r.ss_sel, r.cs_sel & 3, x86_in_lma(env) && (r.cs.hi & DESC_L), &r.ss, ra);
    }
    check_target(env, r.cs, r.eip, ra);
    finish_return(env, &r, &st, ra);
}

/* --- IRET --- */

static void iret_real(CPUX86State *env, unsigned size, uintptr_t ra)
{
    SegStack st = x86_stack_current(env, ra);
    uint64_t eip = x86_pop_sized(&st, size);
    unsigned cs = x86_pop_sized(&st, size) & 0xffff;
    uint64_t image = x86_pop_sized(&st, size);
    uint64_t mask = CC_ALL | TF_MASK | IF_MASK | DF_MASK | IOPL_MASK | NT_MASK;

    if (size == 4) {
        mask |= RF_MASK | AC_MASK | ID_MASK;
    }
    far_real(env, cs, eip, ra);
    x86_set_sp(env, st.sp, st.mask);
    x86_set_eflags(env, image, mask);
}

static void iret_vm86(CPUX86State *env, unsigned size, uintptr_t ra)
{
    SegStack st = x86_stack_current(env, ra);
    bool iopl3 = (env->eflags & IOPL_MASK) == IOPL_MASK;
    uint64_t mask = CC_ALL | TF_MASK | DF_MASK | NT_MASK;
    uint64_t eip, image;
    unsigned cs;

    if (!iopl3 && (!(env->cr[4] & CR4_VME) || size != 2)) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    eip = x86_pop_sized(&st, size);
    cs = x86_pop_sized(&st, size) & 0xffff;
    image = x86_pop_sized(&st, size);
    if (!iopl3) {
        if ((image & TF_MASK) || ((image & IF_MASK) && (env->eflags & VIP_MASK))) {
            x86_raise_err(env, EXCP0D_GPF, 0, ra);
        }
        image = (image & ~(uint64_t)VIF_MASK) | (image & IF_MASK ? VIF_MASK : 0);
        mask |= VIF_MASK;
    } else {
        mask |= IF_MASK | (size == 4 ? RF_MASK | AC_MASK | ID_MASK : 0);
    }
    far_real(env, cs, eip, ra);
    x86_set_sp(env, st.sp, st.mask);
    x86_set_eflags(env, image, mask);
}

/* SDM Vol.3 20.2.3: the monitor at CPL 0 resumes its 8086 program. */
static void iret_to_vm86(CPUX86State *env, SegStack *st, uint64_t eip, unsigned cs, uint64_t image)
{
    static const uint8_t order[] = { R_ES, R_DS, R_FS, R_GS };
    uint32_t esp = x86_pop32(st);
    unsigned ss = x86_pop32(st) & 0xffff;
    unsigned sel[ARRAY_SIZE(order)];

    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        sel[i] = x86_pop32(st) & 0xffff;
    }
    x86_set_eflags(env, image, CC_ALL | TF_MASK | IF_MASK | DF_MASK | IOPL_MASK | NT_MASK | RF_MASK | VM_MASK |
                               AC_MASK | VIF_MASK | VIP_MASK | ID_MASK);
    x86_seg_load_vm86(env, R_CS, cs);
    x86_seg_load_vm86(env, R_SS, ss);
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        x86_seg_load_vm86(env, order[i], sel[i]);
    }
    env->regs[R_ESP] = esp;
    env->tcg.pc = eip & 0xffff;
}

/* Which EFLAGS bits an IRET at @cpl under @iopl may change, SDM Vol.2 IRET. */
static uint64_t iret_flag_mask(unsigned size, unsigned cpl, unsigned iopl)
{
    uint64_t mask = CC_ALL | TF_MASK | DF_MASK | NT_MASK;

    if (size > 2) {
        mask |= RF_MASK | AC_MASK | ID_MASK;
    }
    if (cpl <= iopl) {
        mask |= IF_MASK;
    }
    if (cpl == 0) {
        mask |= IOPL_MASK | (size > 2 ? VIF_MASK | VIP_MASK : 0);
    }
    return mask;
}

static void iret_task(CPUX86State *env, uint64_t next, uintptr_t ra)
{
    unsigned link;
    Descriptor tss;

    if (x86_in_lma(env)) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    link = cpu_lduw(x86_env_vcpu(env), env->tr.base, x86_mmu_index_kernel(env), ra);
    if ((link & 4) || !x86_desc_read(env, link, &tss, ra) || (tss.hi & DESC_S) ||
        (desc_type(tss.hi) & 7) != SYS_TSS16_BUSY) {
        x86_raise_err(env, EXCP0A_TSS, link & 0xfffc, ra);
    }
    x86_task_switch(env, link, tss, TASK_IRET, next, 0, ra);
}

static void iret_protected(CPUX86State *env, unsigned size, uint64_t next, uintptr_t ra)
{
    SegStack st = x86_stack_current(env, ra);
    unsigned cpl = x86_cpl(env), iopl = extract64(env->eflags, IOPL_SHIFT, 2);
    bool always_stack = x86_in_64bit_code(env);
    FarReturn r = { 0 };

    if (env->eflags & NT_MASK) {
        iret_task(env, next, ra);
        return;
    }
    r.eip = x86_pop_sized(&st, size);
    r.cs_sel = x86_pop_sized(&st, size) & 0xffff;
    r.eflags = x86_pop_sized(&st, size);
    if (size == 4 && (r.eflags & VM_MASK) && cpl == 0 && !x86_in_lma(env)) {
        iret_to_vm86(env, &st, r.eip, r.cs_sel, r.eflags);
        return;
    }
    r.cs = return_code_segment(env, r.cs_sel, ra);
    if (always_stack || (r.cs_sel & 3) > cpl) {
        r.has_stack = true;
        r.esp = x86_pop_sized(&st, size);
        r.ss_sel = x86_pop_sized(&st, size) & 0xffff;
        r.ss_valid = return_stack_segment(env, r.ss_sel, r.cs_sel & 3, x86_in_lma(env) && (r.cs.hi & DESC_L), &r.ss, ra);
    }
    check_target(env, r.cs, r.eip, ra);
    finish_return(env, &r, &st, ra);
    if (!x86_has_code_breakpoint(env)) {
        r.eflags &= ~(uint64_t)RF_MASK;     /* it would end with the next instruction, and has nothing to hold off */
    }
    x86_set_eflags(env, r.eflags, iret_flag_mask(size, cpl, iopl));
}

void helper_iret(CPUX86State *env, uint32_t shift, uint64_t next)
{
    uintptr_t ra = GETPC();
    unsigned size = 2u << shift;

    log_mask_write(LOG_PCALL, "iret %04x:%016" PRIx64 "\n", env->segs[R_CS].selector, next);
    if (!x86_in_pe(env)) {
        iret_real(env, size, ra);
    } else if (x86_in_vm86(env)) {
        iret_vm86(env, size, ra);
    } else {
        iret_protected(env, size, next, ra);
    }
    env->nmi_blocked = false;
    env->hflags &= ~HF_INHIBIT_IRQ;
    x86_update_hflags(env);
    x86_maybe_leave_for_user(env);
}

/* --- fast system calls --- */

#define FLAT_CODE (DESC_G | DESC_P | DESC_S | DESC_CS | DESC_R | DESC_A | 0xf0000)
#define FLAT_DATA (DESC_G | DESC_B | DESC_P | DESC_S | DESC_W | DESC_A | 0xf0000)

/* CS and SS as the fast system calls set them: fixed flat segments, whatever the tables hold. */
static void load_flat(CPUX86State *env, unsigned cs, unsigned ss, unsigned cpl, bool code64)
{
    uint32_t dpl = cpl << DESC_DPL_SHIFT;

    env->segs[R_CS] = (SegmentCache){
        .selector = cs & 0xffff, .limit = 0xffffffff, .flags = FLAT_CODE | dpl | (code64 ? DESC_L : DESC_B),
    };
    env->segs[R_SS] = (SegmentCache){ .selector = ss & 0xffff, .limit = 0xffffffff, .flags = FLAT_DATA | dpl };
    x86_update_segment_hflags(env);
}

void helper_syscall(CPUX86State *env, uint64_t next)
{
    unsigned cs = env->star >> 32 & 0xfffc;

    if (!(env->efer & EFER_SCE)) {
        x86_raise(env, EXCP06_ILLOP, GETPC());
    }
    env->kernel_entries++;
    if (x86_in_lma(env)) {
        bool from_64bit = x86_in_64bit_code(env);

        env->regs[R_ECX] = next;
        env->regs[R_R11] = x86_get_eflags(env) & ~(uint64_t)RF_MASK;
        env->tcg.pc = from_64bit ? env->lstar : env->cstar;
        x86_set_eflags(env, 0, (env->fmask & 0xffffffff) | RF_MASK);
        load_flat(env, cs, cs + 8, 0, true);
    } else {
        env->regs[R_ECX] = (uint32_t)next;
        env->tcg.pc = (uint32_t)env->star;
        x86_set_eflags(env, 0, IF_MASK | RF_MASK | VM_MASK);
        load_flat(env, cs, cs + 8, 0, false);
    }
}

void helper_sysret(CPUX86State *env, uint32_t shift)
{
    uintptr_t ra = GETPC();
    unsigned base = env->star >> 48 & 0xfffc;

    if (!(env->efer & EFER_SCE)) {
        x86_raise(env, EXCP06_ILLOP, ra);
    }
    if (x86_cpl(env) != 0 || !x86_in_pe(env)) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    if (x86_in_lma(env)) {
        uint64_t writable = CC_ALL | TF_MASK | IF_MASK | DF_MASK | IOPL_MASK | NT_MASK | RF_MASK | AC_MASK | VIF_MASK |
                            VIP_MASK | ID_MASK;

        if (shift == 2 && !x86_is_canonical(env->regs[R_ECX])) {
            x86_raise_err(env, EXCP0D_GPF, 0, ra);
        }
        env->tcg.pc = shift == 2 ? env->regs[R_ECX] : (uint32_t)env->regs[R_ECX];
        x86_set_eflags(env, env->regs[R_R11] & ~(uint64_t)RF_MASK, writable);
        load_flat(env, (shift == 2 ? base + 16 : base) | 3, (base + 8) | 3, 3, shift == 2);
    } else {
        env->tcg.pc = (uint32_t)env->regs[R_ECX];
        x86_set_eflags(env, IF_MASK, IF_MASK);
        load_flat(env, base | 3, (base + 8) | 3, 3, false);
    }
    x86_maybe_leave_for_user(env);
}

void helper_sysenter(CPUX86State *env, uint64_t next)
{
    unsigned cs = env->sysenter_cs & 0xfffc;
    bool lma = x86_in_lma(env);

    if (cs == 0 || !x86_in_pe(env)) {
        x86_raise_err(env, EXCP0D_GPF, 0, GETPC());
    }
    env->kernel_entries++;
    x86_set_eflags(env, 0, VM_MASK | IF_MASK | RF_MASK);
    load_flat(env, cs, cs + 8, 0, lma);
    env->regs[R_ESP] = lma ? env->sysenter_esp : (uint32_t)env->sysenter_esp;
    env->tcg.pc = lma ? env->sysenter_eip : (uint32_t)env->sysenter_eip;
}

void helper_sysexit(CPUX86State *env, uint32_t shift)
{
    uintptr_t ra = GETPC();
    unsigned cs = env->sysenter_cs & 0xfffc;
    uint64_t eip = env->regs[R_EDX], esp = env->regs[R_ECX];

    if (cs == 0 || x86_cpl(env) != 0 || !x86_in_pe(env)) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    if (shift == 2) {
        if (!x86_is_canonical(eip) || !x86_is_canonical(esp)) {
            x86_raise_err(env, EXCP0D_GPF, 0, ra);
        }
        load_flat(env, (cs + 32) | 3, (cs + 40) | 3, 3, true);
    } else {
        load_flat(env, (cs + 16) | 3, (cs + 24) | 3, 3, false);
    }
    env->regs[R_ESP] = shift == 2 ? esp : (uint32_t)esp;
    env->tcg.pc = shift == 2 ? eip : (uint32_t)eip;
}

void helper_swapgs(CPUX86State *env)
{
    SWAP(env->segs[R_GS].base, env->kernelgsbase);
}

/* --- table registers, access rights --- */

void helper_load_seg(CPUX86State *env, uint32_t seg, uint32_t selector)
{
    x86_seg_load_checked(env, seg, selector, GETPC());
}

/* Descriptor of an LLDT or LTR operand that must lie in the GDT; its base with the high half in IA-32e mode. */
static Descriptor system_descriptor(CPUX86State *env, unsigned selector, uint64_t *base, uintptr_t ra)
{
    int err = selector & 0xfffc;
    Descriptor d;

    if ((selector & 4) || !x86_desc_read(env, selector, &d, ra)) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);
    }
    *base = desc_base(d);
    if (x86_in_lma(env)) {
        uint32_t high, zero;

        if (!x86_desc_read_high(env, selector, &high, &zero, ra) || (zero >> DESC_TYPE_SHIFT & 31)) {
            x86_raise_err(env, EXCP0D_GPF, err, ra);
        }
        *base |= (uint64_t)high << 32;
        if (!x86_is_canonical(*base)) {
            x86_raise_err(env, EXCP0D_GPF, err, ra);
        }
    }
    return d;
}

void helper_lldt(CPUX86State *env, uint32_t selector)
{
    uintptr_t ra = GETPC();
    uint64_t base;
    Descriptor d;

    selector &= 0xffff;
    if (selector_is_null(selector)) {
        env->ldt = (SegmentCache){ .selector = selector };
        return;
    }
    d = system_descriptor(env, selector, &base, ra);
    if (!desc_is_system(d.hi, SYS_LDT)) {
        x86_raise_err(env, EXCP0D_GPF, selector & 0xfffc, ra);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, selector & 0xfffc, ra);
    }
    env->ldt = (SegmentCache){ .selector = selector, .base = base, .limit = desc_limit(d), .flags = d.hi & 0x00f0ff00 };
}

void helper_ltr(CPUX86State *env, uint32_t selector)
{
    uintptr_t ra = GETPC();
    uint64_t base;
    Descriptor d;

    selector &= 0xffff;
    if (selector_is_null(selector)) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    d = system_descriptor(env, selector, &base, ra);
    if (!desc_is_system(d.hi, SYS_TSS_AVAIL) && (x86_in_lma(env) || !desc_is_system(d.hi, SYS_TSS16_AVAIL))) {
        x86_raise_err(env, EXCP0D_GPF, selector & 0xfffc, ra);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, selector & 0xfffc, ra);
    }
    x86_desc_set_busy(env, selector, true, ra);
    env->tr = (SegmentCache){
        .selector = selector, .base = base, .limit = desc_limit(d), .flags = (d.hi | DESC_TSS_BUSY) & 0x00f0ff00,
    };
}

/* System types that LAR and LSL accept, SDM Vol.2 tables 3-53 and 3-55; bit n = type n. */
#define LAR_TYPES       (1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 9 | 1u << 11 | 1u << 12)
#define LAR_TYPES_LONG  (1u << 2 | 1u << 9 | 1u << 11 | 1u << 12)
#define LSL_TYPES       (1u << 1 | 1u << 2 | 1u << 3 | 1u << 9 | 1u << 11)
#define LSL_TYPES_LONG  (1u << 2 | 1u << 9 | 1u << 11)

/* Descriptor visible at max(CPL, RPL), of code, data or one of the system types @types. */
static bool visible_descriptor(CPUX86State *env, unsigned selector, unsigned types, Descriptor *d, uintptr_t ra)
{
    selector &= 0xffff;
    if (selector_is_null(selector) || !x86_desc_read(env, selector, d, ra)) {
        return false;
    }
    if (!(d->hi & DESC_S) && !(types >> desc_type(d->hi) & 1)) {
        return false;
    }
    return desc_is_conforming(d->hi) || desc_dpl(d->hi) >= cpl_or_rpl(env, selector);
}

uint64_t helper_lar(CPUX86State *env, uint32_t selector)
{
    Descriptor d;

    if (!visible_descriptor(env, selector, x86_in_lma(env) ? LAR_TYPES_LONG : LAR_TYPES, &d, GETPC())) {
        return 0;
    }
    return (d.hi & 0x00f0ff00) | 1ULL << 32;
}

uint64_t helper_lsl(CPUX86State *env, uint32_t selector)
{
    Descriptor d;

    if (!visible_descriptor(env, selector, x86_in_lma(env) ? LSL_TYPES_LONG : LSL_TYPES, &d, GETPC())) {
        return 0;
    }
    return desc_limit(d) | 1ULL << 32;
}

uint32_t helper_verr(CPUX86State *env, uint32_t selector)
{
    Descriptor d;

    return visible_descriptor(env, selector, 0, &d, GETPC()) && (!desc_is_code(d.hi) || (d.hi & DESC_R));
}

uint32_t helper_verw(CPUX86State *env, uint32_t selector)
{
    Descriptor d;

    return visible_descriptor(env, selector, 0, &d, GETPC()) && desc_is_writable_data(d.hi);
}
