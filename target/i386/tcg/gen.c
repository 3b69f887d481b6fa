/*
 * Common code around the generators: checks of rows, operands, memory, exceptions, exits.
 *
 * Segment limits and the type checks of data accesses are not made (as on QEMU's translator);
 * bases, privilege and presence are: bases here, the rest when a segment register is loaded.
 */
#include "target/i386/tcg/gen-x87.h"
#include "target/i386/tcg/x87-native.h"
#include "util/log.h"

/* --- exceptions --- */

void gen_raise(Gen *g, int vector)
{
    IR_CALL(g->b, H_raise, ir_i32(g->b, vector));
    g->ended = true;
}

void gen_raise_err(Gen *g, int vector, int error_code)
{
    IR_CALL(g->b, H_raise_err, ir_i32(g->b, vector), ir_i32(g->b, error_code));
    g->ended = true;
}

static bool has_error_code(int vector)
{
    return vector == EXCP08_DBLE || (vector >= EXCP0A_TSS && vector <= EXCP0E_PAGE) || vector == EXCP11_ALGN;
}

void gen_raise_if(Gen *g, IrCond c, IrVal x, IrVal y, int vector)
{
    IrLabel ok = ir_label_new(g->b);

    ir_brcond(g->b, c ^ 1, x, y, ok);
    if (has_error_code(vector)) {
        gen_raise_err(g, vector, 0);
    } else {
        gen_raise(g, vector);
    }
    ir_label(g->b, ok);
    g->ended = false;
}

/* --- general registers --- */

IrVal gen_ld_gpr(Gen *g, unsigned reg, unsigned size)
{
    IrBlock *b = g->b;
    IrVal v = ir_get(b, G_RAX + reg);

    if (size == IR_MO_64) {
        return v;
    }
    v = ir_trunc(b, v);
    return size < IR_MO_32 ? ir_ext(b, v, gen_bits(size), false) : v;
}

static bool is_high_byte(const Insn *i, unsigned reg, unsigned size)
{
    return size == IR_MO_8 && reg >= 4 && reg < 8 && !i->has_rex;
}

IrVal gen_ld_reg(Gen *g, const Insn *i, unsigned reg, unsigned size)
{
    if (is_high_byte(i, reg, size)) {
        return ir_extract(g->b, ir_trunc(g->b, ir_get(g->b, G_RAX + (reg & 3))), 8, 8, false);
    }
    return gen_ld_gpr(g, reg, size);
}

static IrVal widen(IrBlock *b, IrVal v)
{
    return ir_type(b, v) == IR_I32 ? ir_zext(b, v) : v;
}

static IrVal narrow(IrBlock *b, IrVal v)
{
    return ir_type(b, v) == IR_I64 ? ir_trunc(b, v) : v;
}

void gen_st_gpr(Gen *g, unsigned reg, unsigned size, IrVal v)
{
    IrBlock *b = g->b;

    switch (size) {
    case IR_MO_64:
        v = widen(b, v);
        break;
    case IR_MO_32:
        v = ir_zext(b, narrow(b, v));
        break;
    default:
        v = ir_deposit(b, ir_get(b, G_RAX + reg), 0, gen_bits(size), widen(b, v));
        break;
    }
    ir_put(b, G_RAX + reg, v);
}

void gen_st_reg(Gen *g, const Insn *i, unsigned reg, unsigned size, IrVal v)
{
    if (is_high_byte(i, reg, size)) {
        reg &= 3;
        ir_put(g->b, G_RAX + reg, ir_deposit(g->b, ir_get(g->b, G_RAX + reg), 8, 8, widen(g->b, v)));
        return;
    }
    gen_st_gpr(g, reg, size, v);
}

/* --- memory --- */

static bool needs_base(const Gen *g, unsigned seg)
{
    if (g->code64) {
        return seg >= R_FS;
    }
    return g->addseg || seg >= R_FS || seg == R_CS;
}

IrVal gen_linear(Gen *g, unsigned seg, IrVal offset, unsigned asize)
{
    IrBlock *b = g->b;

    if (asize != 64) {
        offset = ir_ext(b, offset, asize, false);
    }
    if (!needs_base(g, seg)) {
        return offset;
    }
    offset = ir_add(b, offset, ir_get(b, G_ES_BASE + seg));
    return g->code64 ? offset : ir_ext(b, offset, 32, false);
}

IrVal gen_ea(Gen *g, const Insn *i, int64_t extra)
{
    IrBlock *b = g->b;
    int64_t disp = i->disp + extra;
    IrVal ea = IR_NONE, index;

    if (i->base >= 0) {
        ea = ir_get(b, G_RAX + i->base);
    }
    if (i->index >= 0) {
        index = ir_get(b, G_RAX + i->index);
        if (i->scale) {
            index = ir_shli(b, index, i->scale);
        }
        ea = ir_is_none(ea) ? index : ir_add(b, ea, index);
    }
    if (i->rip_relative) {
        ea = ir_pc(b, (int64_t)i->delta + i->len + disp);
    } else if (ir_is_none(ea)) {
        ea = ir_i64(b, disp);
    } else if (disp) {
        ea = ir_addi(b, ea, disp);
    }
    return i->asize == 64 ? ea : ir_ext(b, ea, i->asize, false);
}

IrVal gen_addr_plus(Gen *g, const Insn *i, int64_t delta)
{
    IrVal a = ir_addi(g->b, i->addr, delta);

    return g->code64 ? a : ir_ext(g->b, a, 32, false);
}

IrVal gen_ld(Gen *g, IrVal addr, unsigned size)
{
    return ir_ld(g->b, gen_type(size & IR_MO_SIZE), addr, g->mmu_idx, size);
}

void gen_st(Gen *g, IrVal addr, IrVal v, unsigned size)
{
    ir_st(g->b, size == IR_MO_64 ? widen(g->b, v) : narrow(g->b, v), addr, g->mmu_idx, size);
}

IrVal gen_ld128(Gen *g, IrVal addr, bool aligned)
{
    return ir_ld(g->b, IR_V128, addr, g->mmu_idx, IR_MO_128 | (aligned ? IR_MO_ALIGN : 0));
}

void gen_st128(Gen *g, IrVal addr, IrVal v, bool aligned)
{
    ir_st(g->b, v, addr, g->mmu_idx, IR_MO_128 | (aligned ? IR_MO_ALIGN : 0));
}

IrVal gen_atomic(Gen *g, const Insn *i, IrAtomic a, IrVal operand)
{
    return ir_atomic_rmw(g->b, a, i->addr, operand, g->mmu_idx, i->op[0].size);
}

/* --- SIMD registers --- */

IrVal gen_ld_xmm(Gen *g, unsigned reg)
{
    return ir_get(g->b, G_XMM0 + reg);
}

void gen_st_xmm(Gen *g, unsigned reg, IrVal v)
{
    ir_put(g->b, G_XMM0 + reg, v);
}

IrVal gen_ld_ymmh(Gen *g, unsigned reg)
{
    return ir_get(g->b, G_YMMH0 + reg);
}

void gen_st_ymmh(Gen *g, unsigned reg, IrVal v)
{
    ir_put(g->b, G_YMMH0 + reg, v);
}

IrVal gen_ld_mm(Gen *g, unsigned reg)
{
    x87_forget(g);
    return ir_env_ld(g->b, IR_I64, offsetof(CPUX86State, fpregs) + reg * sizeof(FpuReg), IR_MO_64);
}

void gen_st_mm(Gen *g, unsigned reg, IrVal v)
{
    x87_forget(g);
    ir_env_st(g->b, v, offsetof(CPUX86State, fpregs) + reg * sizeof(FpuReg), IR_MO_64);
}

/* --- operands --- */

bool gen_is_aligned(const Insn *i)
{
    return i->vex ? i->vex->how & VEX_ALIGNED : !i->e->no_align;
}

/* A memory W: narrower ones are zero-extended to the register. */
static IrVal load_w(Gen *g, const Insn *i, const Operand *o)
{
    switch (o->size) {
    case IR_MO_128:
        return gen_ld128(g, i->addr, gen_is_aligned(i));
    case IR_MO_256:
        return gen_ld_half(g, i, 0);
    case IR_MO_64:
    case IR_MO_32:
        return ir_ld(g->b, IR_V128, i->addr, g->mmu_idx, o->size);
    default:
        return ir_vop_from_int(g->b, IR_VOP_MOVD_FI, IR_NONE, gen_ld(g, i->addr, o->size), 0);
    }
}

static IrVal load_mem(Gen *g, const Insn *i, const Operand *o)
{
    IrVal v;

    if (o->kind == OPD_W) {
        return load_w(g, i, o);
    }
    v = gen_ld(g, i->addr, o->size | (o == &i->op[0] && i->e->rmw ? IR_MO_RMW : 0));
    return o->kind == OPD_Q ? widen(g->b, v) : v;
}

static IrVal immediate(Gen *g, const Insn *i, const Operand *o)
{
    unsigned size = i->op[0].size == 0xff || i->op[0].kind == OPD_V || i->op[0].kind == OPD_P ? o->size : i->op[0].size;

    if (size > IR_MO_64) {
        size = IR_MO_32;
    }
    return ir_const(g->b, gen_type(size), i->imm & gen_mask(size));
}

IrVal gen_operand(Gen *g, const Insn *i, unsigned n)
{
    const Operand *o = &i->op[n];

    switch (o->kind) {
    case OPD_E: case OPD_Q: case OPD_W: case OPD_O:
        if (o->is_mem) {
            return load_mem(g, i, o);
        }
        break;
    }
    switch (o->kind) {
    case OPD_B: case OPD_E: case OPD_G: case OPD_R: case OPD_Z: case OPD_AX: case OPD_CX: case OPD_DX:
        return gen_ld_reg(g, i, o->reg, o->size);
    case OPD_H: case OPD_L: case OPD_V: case OPD_U: case OPD_W:
        return gen_ld_xmm(g, o->reg);
    case OPD_P: case OPD_N: case OPD_Q:
        return gen_ld_mm(g, o->reg);
    case OPD_I:
        return immediate(g, i, o);
    case OPD_ONE:
        return ir_i32(g->b, 1);
    }
    return IR_NONE;
}

void gen_writeback_to(Gen *g, const Insn *i, unsigned n, IrVal v)
{
    const Operand *o = &i->op[n];

    if (g->lanes && n == 0 && (o->kind == OPD_V || o->kind == OPD_U || o->kind == OPD_W)) {
        g->lanes[g->lane] = v;
        return;
    }
    switch (o->kind) {
    case OPD_V: case OPD_U:
        gen_st_xmm(g, o->reg, v);
        return;
    case OPD_P: case OPD_N:
        gen_st_mm(g, o->reg, v);
        return;
    case OPD_W:
        if (!o->is_mem) {
            gen_st_xmm(g, o->reg, v);
        } else if (o->size == IR_MO_128) {
            gen_st128(g, i->addr, v, gen_is_aligned(i));
        } else {
            ir_st(g->b, v, i->addr, g->mmu_idx, o->size);
        }
        return;
    case OPD_Q:
        if (!o->is_mem) {
            gen_st_mm(g, o->reg, v);
            return;
        }
        break;
    case OPD_M: case OPD_E: case OPD_O:
        break;
    default:
        gen_st_reg(g, i, o->reg, o->size, v);
        return;
    }
    if (o->is_mem) {
        gen_st(g, i->addr, v, o->size);
    } else {
        gen_st_reg(g, i, o->reg, o->size, v);
    }
}

void gen_writeback(Gen *g, const Insn *i, IrVal v)
{
    gen_writeback_to(g, i, 0, v);
}

/* --- exits --- */

IrVal gen_next_pc(Gen *g)
{
    return ir_pc(g->b, g->next);
}

static bool exits_to_loop(const Gen *g)
{
    return g->one_insn || (g->flags & HF_TF) || (g->req->cflags & TB_NO_CHAIN);
}

bool gen_exits_specially(const Gen *g)
{
    return exits_to_loop(g) || g->sti_ends || g->mode_changed;
}

/* Leave with the architectural pc given, to the run loop, or to #DB where EFLAGS.TF was set. */
static void exit_to_loop(Gen *g, IrVal pc)
{
    if (g->flags & HF_TF) {
        X87State x87 = g->x87;

        x87_go_home(g);
        IR_CALL(g->b, H_single_step, pc);
        x87_path_end(g, x87);
    } else {
        ir_exit_loop(g->b, pc);
    }
}

/* The mode may be another one, or interrupts may be let in: what follows is looked up with that known. */
static void exit_after_mode_change(Gen *g, IrVal pc)
{
    IR_CALL(g->b, H_mode_changed);
    ir_exit_indirect(g->b, pc);
}

static void exit_specially(Gen *g, IrVal pc)
{
    if (exits_to_loop(g)) {
        exit_to_loop(g, pc);
    } else {
        exit_after_mode_change(g, pc);
    }
}

/*
 * Is block start + @delta outside the block's page?  Then a direct exit would never be linked, as the
 * page's mapping may change on its own; offsets in the page are part of a block's key.
 */
static bool leaves_page(const Gen *g, int64_t delta)
{
    uint64_t pc = g->req->pc, linear = pc + g->req->mode.cs_base;

    return (((pc + delta) ^ pc) | ((linear + delta) ^ linear)) >> 12 != 0;
}

void gen_exit_direct(Gen *g, unsigned slot, int64_t delta)
{
    gen_sync_flags(g);
    g->ended = true;
    if (gen_exits_specially(g)) {
        exit_specially(g, ir_pc(g->b, delta));
        return;
    }
    if (leaves_page(g, delta)) {
        ir_exit_indirect(g->b, ir_pc(g->b, delta));
        return;
    }
    ir_exit_direct(g->b, slot, delta, delta <= (int64_t)g->delta ? IR_EXIT_POLL : 0);
}

void gen_exit_if(Gen *g, GenCond c, unsigned slot, int64_t delta)
{
    gen_sync_flags(g);
    ir_exit_if(g->b, c.c, c.x, c.y, leaves_page(g, delta) ? IR_SLOT_NONE : slot, delta,
               delta <= (int64_t)g->delta ? IR_EXIT_POLL : 0);
}

void gen_exit_indirect(Gen *g, IrVal pc)
{
    gen_sync_flags(g);
    g->ended = true;
    if (gen_exits_specially(g)) {
        exit_specially(g, pc);
    } else {
        ir_exit_indirect(g->b, pc);
    }
}

void gen_exit_loop_next(Gen *g)
{
    gen_sync_flags(g);
    g->ended = true;
    exit_to_loop(g, gen_next_pc(g));
}

void gen_exit_mode_next(Gen *g)
{
    gen_sync_flags(g);
    g->ended = true;
    exit_specially(g, gen_next_pc(g));
}

void gen_exit_state_set(Gen *g)
{
    IrVal pc;

    g->ended = true;
    if (exits_to_loop(g) && !(g->flags & HF_TF)) {
        ir_exit_state_set(g->b);
        return;
    }
    pc = ir_env_ld(g->b, IR_I64, offsetof(CPUX86State, tcg.pc), IR_MO_64);
    if (g->flags & HF_TF) {
        x87_go_home(g);
        IR_CALL(g->b, H_single_step, pc);
    } else {
        exit_after_mode_change(g, pc);
    }
}

void gen_end_block(Gen *g)
{
    gen_exit_direct(g, 1, g->next);
}

void gen_jump(Gen *g, const Insn *i, unsigned slot, int64_t delta)
{
    if (i->osize == IR_MO_16 && g->code32) {
        gen_exit_indirect(g, ir_ext(g->b, ir_pc(g->b, delta), 16, false));
    } else {
        gen_exit_direct(g, slot, delta);
    }
}

/* --- one instruction --- */

/* CR0.EM, TS, MP and CR4.OSFXSR.  True: the unit may be used. */
static bool check_unit(Gen *g, const Insn *i)
{
    uint64_t f = g->flags;
    unsigned unit = i->vex && i->e->unit == UNIT_SSE ? UNIT_AVX : i->e->unit;

    switch (unit) {
    case UNIT_AVX:
        if (!(f & HF_AVX_EN)) {
            gen_ud(g);
            return false;
        }
        if (f & HF_TS) {
            gen_nm(g);
            return false;
        }
        break;
    case UNIT_X87:
        if (f & (HF_EM | HF_TS)) {
            gen_nm(g);
            return false;
        }
        break;
    case UNIT_FWAIT:
        if ((f & HF_MP) && (f & HF_TS)) {
            gen_nm(g);
            return false;
        }
        break;
    case UNIT_MMX:
    case UNIT_SSE:
        if (f & HF_EM || (unit == UNIT_SSE && !(f & HF_OSFXSR))) {
            gen_ud(g);
            return false;
        }
        if (f & HF_TS) {
            gen_nm(g);
            return false;
        }
        break;
    }
    return true;
}

static bool check_privilege(Gen *g, const Insn *i)
{
    if ((i->e->cpl0 && g->cpl) || (i->e->umip && g->cpl && g->flags & HF_UMIP)) {
        gen_gp0(g);
        return false;
    }
    return true;
}

/* A pending x87 exception comes before the faults of a waiting instruction's operand. */
static void check_x87_pending(Gen *g)
{
    IrLabel none = ir_label_new(g->b);

    ir_brcondi(g->b, IR_TSTEQ, ir_env_ld(g->b, IR_I32, offsetof(CPUX86State, fpus), IR_MO_16), FPUS_ES, none);
    IR_CALL(g->b, H_fwait);
    ir_label(g->b, none);
}

static void load_operands(Gen *g, Insn *i)
{
    if (g->flags & HF_X87_CALLS && i->is_mem && i->e->unit == UNIT_X87 && i->op[0].kind == OPD_E && !i->e->write) {
        check_x87_pending(g);
    }
    if (i->is_mem) {
        i->ea = gen_ea(g, i, 0);
        i->addr = gen_linear(g, i->seg, i->ea, i->asize);
    }
    for (unsigned n = i->e->write || i->lock; n < i->e->n_op; n++) {
        if (i->op[n].size != 0xff) {
            i->v[n] = gen_operand(g, i, n);
        }
    }
}

static void log_refusal(Gen *g, const Insn *i, X86Refusal refusal)
{
    log_mask_write(LOG_IN_ASM, "x86: refused at block + %u, opcode %02x of map %u: %s\n", i->delta, i->opcode, i->map,
              x86_decode_refusal_name(refusal));
}

void gen_mark_insn(Gen *g, unsigned cc_op, uint32_t x87)
{
    g->insn_cc_op = cc_op;
    g->insn_x87 = x87;
    ir_insn_start(g->b, g->delta, cc_op | x87 << 8, 0);
}

void gen_insn(Gen *g, Insn *i, X86Refusal refusal)
{
    if (x87_in_host(g) && !refusal && !x87_may_stay(i)) {
        x87_go_home(g);
    }
    if (refusal || i->e->unit != UNIT_X87 || i->is_mem) {
        x87_note_exit(g);
    }
    g->delta = i->delta;
    gen_mark_insn(g, g->cc_op, x87_in_host(g) ? x87_fault_param(g) : 0);
    if (gen_exits_specially(g)) {
        ir_insn_hold(g->b);
    }
    g->next = i->delta + i->len;
    g->n_insns++;
    if (g->flags & HF_TB_CODE_BP) {
        IR_CALL(g->b, H_check_code_breakpoint, ir_pc(g->b, g->delta));
    }
    if (g->flags & HF_RF) {
        IR_CALL(g->b, H_clear_rf);
    }
    if (g->flags & HF_INHIBIT_IRQ) {
        IR_CALL(g->b, H_clear_inhibit_irq);
    }
    if (refusal == DEC_TOO_LONG) {
        gen_gp0(g);
    } else if (refusal) {
        log_refusal(g, i, refusal);
        gen_ud(g);
    } else if (check_unit(g, i) && check_privilege(g, i)) {
        load_operands(g, i);
        if (i->vex && i->e->unit != UNIT_INT) {
            gen_vex_insn(g, i);
        } else {
            i->e->gen(g, i);
        }
    }
}
