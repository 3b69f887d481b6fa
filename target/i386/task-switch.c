/*
 * Hardware task switching.
 *
 * Reference: SDM Vol.3 chapter 7; figure 7-2 (32-bit TSS), figure 7-10 (16-bit TSS), 7.3 (order
 * of steps), table 7-1 (exceptions).
 *
 * Until the old task's state is written nothing architectural has changed; from then on faults
 * belong to the new task, so its eip and stack are loaded before its segments are checked.
 */
#include "target/i386/segment.h"

/* Where things lie in a TSS; the two formats differ in width and offsets only. */
typedef struct TssLayout {
    unsigned min_limit, size;           /* size of a general field: 2 or 4 */
    unsigned cr3, eip, eflags, regs, segs, n_segs, ldt, trap;
    unsigned seg_stride;
} TssLayout;

static const TssLayout tss32 = {
    .min_limit = 0x67, .size = 4, .cr3 = 0x1c, .eip = 0x20, .eflags = 0x24, .regs = 0x28, .segs = 0x48, .n_segs = 6,
    .seg_stride = 4, .ldt = 0x60, .trap = 0x64,
};
static const TssLayout tss16 = {
    .min_limit = 0x2b, .size = 2, .eip = 0x0e, .eflags = 0x10, .regs = 0x12, .segs = 0x22, .n_segs = 4,
    .seg_stride = 2, .ldt = 0x2a,
};

typedef struct TaskState {
    uint32_t cr3, eip, eflags, regs[8];
    uint16_t segs[6], ldt;
    bool trap;
} TaskState;

static uint32_t tss_load(CPUX86State *env, vaddr base, unsigned offset, unsigned size)
{
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned idx = x86_mmu_index_kernel(env);

    return size == 4 ? cpu_ldl(cpu, base + offset, idx, 0) : cpu_lduw(cpu, base + offset, idx, 0);
}

static void tss_store(CPUX86State *env, vaddr base, unsigned offset, unsigned size, uint32_t v)
{
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned idx = x86_mmu_index_kernel(env);

    if (size == 4) {
        cpu_stl(cpu, base + offset, v, idx, 0);
    } else {
        cpu_stw(cpu, base + offset, v, idx, 0);
    }
}

static TaskState tss_read(CPUX86State *env, const TssLayout *l, vaddr base)
{
    TaskState t = { 0 };

    if (l->cr3) {
        t.cr3 = tss_load(env, base, l->cr3, 4);
        t.trap = tss_load(env, base, l->trap, 2) & 1;
    }
    t.eip = tss_load(env, base, l->eip, l->size);
    t.eflags = tss_load(env, base, l->eflags, l->size);
    for (unsigned i = 0; i < 8; i++) {
        t.regs[i] = tss_load(env, base, l->regs + i * l->size, l->size);
    }
    for (unsigned i = 0; i < l->n_segs; i++) {
        t.segs[i] = (uint16_t)tss_load(env, base, l->segs + i * l->seg_stride, 2);
    }
    t.ldt = (uint16_t)tss_load(env, base, l->ldt, 2);
    return t;
}

static void tss_write(CPUX86State *env, const TssLayout *l, uint64_t eip, uint64_t eflags)
{
    vaddr base = env->tr.base;

    tss_store(env, base, l->eip, l->size, (uint32_t)eip);
    tss_store(env, base, l->eflags, l->size, (uint32_t)eflags);
    for (unsigned i = 0; i < 8; i++) {
        tss_store(env, base, l->regs + i * l->size, l->size, (uint32_t)env->regs[i]);
    }
    for (unsigned i = 0; i < l->n_segs; i++) {
        tss_store(env, base, l->segs + i * l->seg_stride, 2, env->segs[i].selector);
    }
}

Descriptor x86_task_gate_tss(CPUX86State *env, unsigned selector, int ext, uintptr_t ra)
{
    int err = (selector & 0xfffc) + ext;
    Descriptor d;

    if (selector_is_null(selector) || (selector & 4) || !x86_desc_read(env, selector, &d, ra) ||
        (!desc_is_system(d.hi, SYS_TSS_AVAIL) && !desc_is_system(d.hi, SYS_TSS16_AVAIL))) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, err, ra);
    }
    return d;
}

/* --- segments of the new task: every violation is #TS in its context --- */

static void load_task_ldt(CPUX86State *env, unsigned selector)
{
    Descriptor d;

    env->ldt = (SegmentCache){ .selector = selector };
    if (selector_is_null(selector)) {
        return;
    }
    if ((selector & 4) || !x86_desc_read(env, selector, &d, 0) || !desc_is_system(d.hi, SYS_LDT) || !desc_present(d.hi)) {
        x86_raise_err(env, EXCP0A_TSS, selector & 0xfffc, 0);
    }
    env->ldt = (SegmentCache){ .selector = selector, .base = desc_base(d), .limit = desc_limit(d),
                               .flags = d.hi & 0x00f0ff00 };
}

static void load_task_cs(CPUX86State *env, unsigned selector)
{
    unsigned rpl = selector & 3;
    int err = selector & 0xfffc;
    Descriptor d;

    if (selector_is_null(selector) || !x86_desc_read(env, selector, &d, 0) || !desc_is_code(d.hi) ||
        (desc_is_conforming(d.hi) ? desc_dpl(d.hi) > rpl : desc_dpl(d.hi) != rpl)) {
        x86_raise_err(env, EXCP0A_TSS, err, 0);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, err, 0);
    }
    x86_desc_set_accessed(env, selector, &d, 0);
    x86_seg_load_desc(env, R_CS, selector, d);
}

static void load_task_ss(CPUX86State *env, unsigned selector, unsigned cpl)
{
    int err = selector & 0xfffc;
    Descriptor d;

    if (selector_is_null(selector) || !x86_desc_read(env, selector, &d, 0) || !desc_is_writable_data(d.hi) ||
        (selector & 3) != cpl || desc_dpl(d.hi) != cpl) {
        x86_raise_err(env, EXCP0A_TSS, err, 0);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0C_STACK, err, 0);
    }
    x86_desc_set_accessed(env, selector, &d, 0);
    x86_seg_load_desc(env, R_SS, selector, d);
}

static void load_task_data(CPUX86State *env, unsigned seg, unsigned selector, unsigned cpl)
{
    int err = selector & 0xfffc;
    Descriptor d;

    if (selector_is_null(selector)) {
        return;
    }
    if (!x86_desc_read(env, selector, &d, 0) || !(d.hi & DESC_S) || (desc_is_code(d.hi) && !(d.hi & DESC_R)) ||
        (!desc_is_conforming(d.hi) && (desc_dpl(d.hi) < cpl || desc_dpl(d.hi) < (selector & 3)))) {
        x86_raise_err(env, EXCP0A_TSS, err, 0);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, err, 0);
    }
    x86_desc_set_accessed(env, selector, &d, 0);
    x86_seg_load_desc(env, seg, selector, d);
}

static void load_task_segments(CPUX86State *env, const TaskState *t)
{
    static const uint8_t data_segs[] = { R_ES, R_DS, R_FS, R_GS };
    unsigned cpl = t->segs[R_CS] & 3;

    if (t->eflags & VM_MASK) {
        for (unsigned i = 0; i < 6; i++) {
            x86_seg_load_vm86(env, i, t->segs[i]);
        }
        load_task_ldt(env, t->ldt);
        return;
    }
    for (unsigned i = 0; i < 6; i++) {
        x86_seg_load_null(env, i, t->segs[i], cpl);     /* selectors are in place, caches not yet valid */
    }
    load_task_ldt(env, t->ldt);
    load_task_cs(env, t->segs[R_CS]);
    load_task_ss(env, t->segs[R_SS], cpl);
    for (unsigned i = 0; i < ARRAY_SIZE(data_segs); i++) {
        load_task_data(env, data_segs[i], t->segs[data_segs[i]], cpl);
    }
}

static void load_task_registers(CPUX86State *env, const TssLayout *l, const TaskState *t)
{
    const uint64_t all = CC_ALL | TF_MASK | IF_MASK | DF_MASK | IOPL_MASK | NT_MASK | RF_MASK | VM_MASK | AC_MASK |
                         VIF_MASK | VIP_MASK | ID_MASK;

    env->tcg.pc = t->eip;
    x86_set_eflags(env, t->eflags, l->size == 4 ? all : all & 0xffff);
    for (unsigned i = 0; i < 8; i++) {
        env->regs[i] = l->size == 4 ? t->regs[i] : 0xffff0000 | t->regs[i];
    }
}

/* Bits L0-L3 of DR7 are the task's; they are cleared by a switch. */
static void drop_local_breakpoints(CPUX86State *env)
{
    if (env->dr[7] & 0x55) {
        env->dr[7] &= ~0x55ULL;
        x86_debug_regs_update(env);
    }
}

void x86_task_switch(CPUX86State *env, unsigned selector, Descriptor d, TaskSwitchSource source, uint64_t next_eip,
                     int ext, uintptr_t ra)
{
    const TssLayout *new_l = desc_type(d.hi) & 8 ? &tss32 : &tss16;
    const TssLayout *old_l = desc_type(env->tr.flags) & 8 ? &tss32 : &tss16;
    bool nested = source == TASK_CALL || source == TASK_GATE;
    uint64_t old_eflags;
    unsigned old_selector = env->tr.selector;
    int err = (selector & 0xfffc) + ext;
    TaskState t;

    if (ra) {
        tcg_cpu_restore_state(x86_env_vcpu(env), ra);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, err, 0);
    }
    if (desc_limit(d) < new_l->min_limit) {
        x86_raise_err(env, EXCP0A_TSS, err, 0);
    }
    t = tss_read(env, new_l, desc_base(d));
    old_eflags = x86_get_eflags(env);
    if (source == TASK_JMP || source == TASK_IRET) {
        x86_desc_set_busy(env, old_selector, false, 0);
    }
    if (source == TASK_IRET) {
        old_eflags &= ~(uint64_t)NT_MASK;
    }
    tss_write(env, old_l, next_eip, old_eflags);
    if (nested) {
        tss_store(env, desc_base(d), 0, 2, old_selector);
        t.eflags |= NT_MASK;
    }
    if (source != TASK_IRET) {
        x86_desc_set_busy(env, selector, true, 0);
    }

    env->tr = (SegmentCache){ .selector = selector, .base = desc_base(d), .limit = desc_limit(d),
                              .flags = (d.hi | DESC_TSS_BUSY) & 0x00f0ff00 };
    env->cr[0] |= CR0_TS;
    if (new_l->cr3 && (env->cr[0] & CR0_PG)) {
        x86_set_cr3(env, t.cr3);
    }
    load_task_registers(env, new_l, &t);
    drop_local_breakpoints(env);
    load_task_segments(env, &t);
    if (env->tcg.pc > env->segs[R_CS].limit) {
        x86_raise_err(env, EXCP0D_GPF, 0, 0);
    }
    if (t.trap) {
        env->dr[6] |= DR6_BT;
        x86_raise(env, EXCP01_DB, 0);
    }
}
