/*
 * Segments: descriptor tables, loading segment registers, stacks in memory.
 *
 * Reference: SDM Vol.3 chapter 3.4, 3.5, 5 (protection), 7.2 (TSS).
 */
#include "target/i386/segment.h"

/* --- stacks --- */

static uint64_t stack_mask(const CPUX86State *env)
{
    if (env->hflags & HF_CS64) {
        return ~0ULL;
    }
    return env->segs[R_SS].flags & DESC_B ? 0xffffffff : 0xffff;
}

SegStack x86_stack_current(CPUX86State *env, uintptr_t ra)
{
    return (SegStack){
        .env = env, .ra = ra, .base = env->hflags & HF_CS64 ? 0 : env->segs[R_SS].base, .sp = env->regs[R_ESP],
        .mask = stack_mask(env), .mmu_idx = x86_mmu_index(env),
    };
}

SegStack x86_stack_from_desc(CPUX86State *env, Descriptor ss, uint64_t sp, unsigned cpl, uintptr_t ra)
{
    return (SegStack){
        .env = env, .ra = ra, .base = desc_base(ss), .sp = sp, .mask = ss.hi & DESC_B ? 0xffffffff : 0xffff,
        .mmu_idx = cpl == 3 ? MMU_USER_IDX : x86_mmu_index_kernel(env),
    };
}

/* Linear address of the stack's top: 32 bits unless the stack is 64-bit. */
static vaddr stack_top(const SegStack *s)
{
    uint64_t va = s->base + (s->sp & s->mask);
    return s->mask == ~0ULL ? va : va & 0xffffffff;
}

static void stack_move(SegStack *s, int64_t delta)
{
    s->sp = (s->sp & ~s->mask) | ((s->sp + delta) & s->mask);
}

void x86_push16(SegStack *s, uint16_t v)
{
    stack_move(s, -2);
    cpu_stw(x86_env_vcpu(s->env), stack_top(s), v, s->mmu_idx, s->ra);
}

void x86_push32(SegStack *s, uint32_t v)
{
    stack_move(s, -4);
    cpu_stl(x86_env_vcpu(s->env), stack_top(s), v, s->mmu_idx, s->ra);
}

void x86_push64(SegStack *s, uint64_t v)
{
    stack_move(s, -8);
    cpu_stq(x86_env_vcpu(s->env), stack_top(s), v, s->mmu_idx, s->ra);
}

uint16_t x86_pop16(SegStack *s)
{
    uint16_t v = (uint16_t)cpu_lduw(x86_env_vcpu(s->env), stack_top(s), s->mmu_idx, s->ra);
    stack_move(s, 2);
    return v;
}

uint32_t x86_pop32(SegStack *s)
{
    uint32_t v = cpu_ldl(x86_env_vcpu(s->env), stack_top(s), s->mmu_idx, s->ra);
    stack_move(s, 4);
    return v;
}

uint64_t x86_pop64(SegStack *s)
{
    uint64_t v = cpu_ldq(x86_env_vcpu(s->env), stack_top(s), s->mmu_idx, s->ra);
    stack_move(s, 8);
    return v;
}

void x86_push_sized(SegStack *s, unsigned size, uint64_t v)
{
    if (size == 2) {
        x86_push16(s, (uint16_t)v);
    } else if (size == 4) {
        x86_push32(s, (uint32_t)v);
    } else {
        x86_push64(s, v);
    }
}

uint64_t x86_pop_sized(SegStack *s, unsigned size)
{
    return size == 2 ? x86_pop16(s) : size == 4 ? x86_pop32(s) : x86_pop64(s);
}

bool x86_stack_room(Descriptor ss, uint32_t sp, unsigned bytes)
{
    uint32_t mask = ss.hi & DESC_B ? 0xffffffff : 0xffff;
    uint32_t limit = desc_limit(ss);
    uint32_t top = (sp - 1) & mask;
    uint32_t bottom = (sp - bytes) & mask;

    if (ss.hi & DESC_E) {
        return bottom > limit && bottom <= top;
    }
    return top <= limit && bottom <= top;
}

void x86_set_sp(CPUX86State *env, uint64_t sp, uint64_t mask)
{
    if (mask == 0xffff) {
        env->regs[R_ESP] = (env->regs[R_ESP] & ~0xffffULL) | (sp & 0xffff);
    } else {
        env->regs[R_ESP] = sp & mask;
    }
}

/* --- descriptor tables --- */

/* Linear address of @selector's descriptor; false if @bytes of it are not within the table. */
static bool desc_address(const CPUX86State *env, unsigned selector, unsigned bytes, vaddr *va)
{
    const SegmentCache *table = selector & 4 ? &env->ldt : &env->gdt;
    unsigned index = selector & 0xfff8;

    if ((selector & 4) && !(env->ldt.flags & DESC_P)) {
        return false;
    }
    if (index + bytes - 1 > table->limit) {
        return false;
    }
    *va = table->base + index;
    if (!(env->efer & EFER_LMA)) {
        *va &= 0xffffffff;
    }
    return true;
}

bool x86_desc_read(CPUX86State *env, unsigned selector, Descriptor *d, uintptr_t ra)
{
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned kernel = x86_mmu_index_kernel(env);
    vaddr va;

    if (!desc_address(env, selector, 8, &va)) {
        return false;
    }
    d->lo = cpu_ldl(cpu, va, kernel, ra);
    d->hi = cpu_ldl(cpu, va + 4, kernel, ra);
    return true;
}

bool x86_desc_read_high(CPUX86State *env, unsigned selector, uint32_t *base_high, uint32_t *zero, uintptr_t ra)
{
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned kernel = x86_mmu_index_kernel(env);
    vaddr va;

    if (!desc_address(env, selector, 16, &va)) {
        return false;
    }
    *base_high = cpu_ldl(cpu, va + 8, kernel, ra);
    *zero = cpu_ldl(cpu, va + 12, kernel, ra);
    return true;
}

void x86_desc_set_accessed(CPUX86State *env, unsigned selector, Descriptor *d, uintptr_t ra)
{
    vaddr va;

    if ((d->hi & DESC_A) || !desc_address(env, selector, 8, &va)) {
        return;
    }
    d->hi |= DESC_A;
    cpu_stl(x86_env_vcpu(env), va + 4, d->hi, x86_mmu_index_kernel(env), ra);
}

void x86_desc_set_busy(CPUX86State *env, unsigned selector, bool busy, uintptr_t ra)
{
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned kernel = x86_mmu_index_kernel(env);
    uint32_t hi;
    vaddr va;

    if (!desc_address(env, selector, 8, &va)) {
        return;
    }
    hi = cpu_ldl(cpu, va + 4, kernel, ra) & ~DESC_TSS_BUSY;
    cpu_stl(cpu, va + 4, busy ? hi | DESC_TSS_BUSY : hi, kernel, ra);
}

/* --- loading --- */

void x86_seg_load_desc(CPUX86State *env, unsigned seg, unsigned selector, Descriptor d)
{
    x86_load_seg_cache(env, seg, selector, desc_base(d), desc_limit(d), d.hi & 0x00f0ff00);
    if (seg == R_SS || seg == R_CS) {
        /* the CPL is kept as SS's DPL: a conforming CS runs at the stack's level */
        x86_update_hflags(env);
    }
}

void x86_seg_load_null(CPUX86State *env, unsigned seg, unsigned selector, unsigned cpl)
{
    x86_load_seg_cache(env, seg, selector, 0, 0, seg == R_SS ? cpl << DESC_DPL_SHIFT : 0);
}

void x86_seg_load_real(CPUX86State *env, unsigned seg, unsigned selector)
{
    /* Limit and attributes stay: what protected mode left is what real mode uses. */
    env->segs[seg].selector = selector & 0xffff;
    env->segs[seg].base = (selector & 0xffff) << 4;
    x86_update_hflags(env);
}

void x86_seg_load_vm86(CPUX86State *env, unsigned seg, unsigned selector)
{
    x86_load_seg_cache(env, seg, selector, (selector & 0xffff) << 4, 0xffff,
                       DESC_P | DESC_S | DESC_W | DESC_A | 3 << DESC_DPL_SHIFT);
}

static void load_stack_segment(CPUX86State *env, unsigned selector, uintptr_t ra)
{
    unsigned cpl = x86_cpl(env);
    int err = selector & 0xfffc;
    Descriptor d;

    if (selector_is_null(selector)) {
        if (!(env->hflags & HF_CS64) || cpl == 3 || (selector & 3) != cpl) {
            x86_raise_err(env, EXCP0D_GPF, 0, ra);
        }
        x86_seg_load_null(env, R_SS, selector, cpl);
        return;
    }
    if (!x86_desc_read(env, selector, &d, ra) || !desc_is_writable_data(d.hi) || (selector & 3) != cpl ||
        desc_dpl(d.hi) != cpl) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0C_STACK, err, ra);
    }
    x86_desc_set_accessed(env, selector, &d, ra);
    x86_seg_load_desc(env, R_SS, selector, d);
}

static void load_data_segment(CPUX86State *env, unsigned seg, unsigned selector, uintptr_t ra)
{
    unsigned cpl = x86_cpl(env);
    int err = selector & 0xfffc;
    Descriptor d;

    if (selector_is_null(selector)) {
        x86_seg_load_null(env, seg, selector, 0);
        return;
    }
    if (!x86_desc_read(env, selector, &d, ra) || !(d.hi & DESC_S) || (desc_is_code(d.hi) && !(d.hi & DESC_R))) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);
    }
    if (!desc_is_conforming(d.hi) && (desc_dpl(d.hi) < cpl || desc_dpl(d.hi) < (selector & 3))) {
        x86_raise_err(env, EXCP0D_GPF, err, ra);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0B_NOSEG, err, ra);
    }
    x86_desc_set_accessed(env, selector, &d, ra);
    x86_seg_load_desc(env, seg, selector, d);
}

void x86_seg_load_checked(CPUX86State *env, unsigned seg, unsigned selector, uintptr_t ra)
{
    selector &= 0xffff;
    if (!x86_in_pe(env)) {
        x86_seg_load_real(env, seg, selector);
    } else if (x86_in_vm86(env)) {
        x86_seg_load_vm86(env, seg, selector);
    } else if (seg == R_SS) {
        load_stack_segment(env, selector, ra);
    } else {
        load_data_segment(env, seg, selector, ra);
    }
}

/* --- stacks in the TSS --- */

void x86_tss_stack(CPUX86State *env, unsigned dpl, uint16_t *ss, uint32_t *esp, int ext, uintptr_t ra)
{
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned kernel = x86_mmu_index_kernel(env);
    bool wide = desc_type(env->tr.flags) & 8;
    unsigned offset = wide ? 4 + dpl * 8 : 2 + dpl * 4;

    if (!(env->tr.flags & DESC_P) || offset + (wide ? 5 : 3) > env->tr.limit) {
        x86_raise_err(env, EXCP0A_TSS, (env->tr.selector & 0xfffc) + ext, ra);
    }
    if (wide) {
        *esp = cpu_ldl(cpu, env->tr.base + offset, kernel, ra);
        *ss = (uint16_t)cpu_lduw(cpu, env->tr.base + offset + 4, kernel, ra);
    } else {
        *esp = cpu_lduw(cpu, env->tr.base + offset, kernel, ra);
        *ss = (uint16_t)cpu_lduw(cpu, env->tr.base + offset + 2, kernel, ra);
    }
}

uint64_t x86_tss64_rsp(CPUX86State *env, unsigned index, int ext, uintptr_t ra)
{
    unsigned offset = 4 + index * 8;
    uint64_t rsp;

    if (!(env->tr.flags & DESC_P) || offset + 7 > env->tr.limit) {
        x86_raise_err(env, EXCP0A_TSS, (env->tr.selector & 0xfffc) + ext, ra);
    }
    rsp = cpu_ldq(x86_env_vcpu(env), env->tr.base + offset, x86_mmu_index_kernel(env), ra);
    if (!x86_is_canonical(rsp)) {
        x86_raise_err(env, EXCP0C_STACK, ext, ra);
    }
    return rsp;
}

Descriptor x86_inner_ss(CPUX86State *env, uint16_t ss, unsigned dpl, int ext, uintptr_t ra)
{
    int err = (ss & 0xfffc) + ext;
    Descriptor d;

    if (selector_is_null(ss)) {
        x86_raise_err(env, EXCP0A_TSS, ext, ra);
    }
    if ((ss & 3) != dpl || !x86_desc_read(env, ss, &d, ra) || desc_dpl(d.hi) != dpl || !desc_is_writable_data(d.hi)) {
        x86_raise_err(env, EXCP0A_TSS, err, ra);
    }
    if (!desc_present(d.hi)) {
        x86_raise_err(env, EXCP0C_STACK, err, ra);
    }
    return d;
}
