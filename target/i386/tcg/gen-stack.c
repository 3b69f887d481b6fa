/*
 * Generators: stack instructions.  SDM Vol.1 chapter 6, Vol.2 PUSH, POP, ENTER, LEAVE, PUSHA, POPA,
 * PUSHF, POPF.
 */
#include "target/i386/tcg/gen.h"

unsigned gen_stack_size(const Gen *g)
{
    return g->code64 ? 64 : g->ss32 ? 32 : 16;
}

static unsigned stack_op_size(const Gen *g)
{
    return g->code64 ? IR_MO_64 : g->ss32 ? IR_MO_32 : IR_MO_16;
}

static IrVal stack_addr(Gen *g, IrVal sp)
{
    return gen_linear(g, R_SS, sp, gen_stack_size(g));
}

static IrVal stack_at(Gen *g, int64_t offset)
{
    IrVal sp = ir_get(g->b, G_RSP);

    return stack_addr(g, offset ? ir_addi(g->b, sp, offset) : sp);
}

static void move_sp(Gen *g, int64_t by)
{
    gen_st_gpr(g, R_ESP, stack_op_size(g), ir_addi(g->b, ir_get(g->b, G_RSP), by));
}

void gen_push(Gen *g, IrVal v, unsigned size)
{
    int bytes = 1 << size;

    gen_st(g, stack_at(g, -bytes), v, size);
    move_sp(g, -bytes);
}

IrVal gen_pop_value(Gen *g, unsigned size)
{
    return gen_ld(g, stack_at(g, 0), size);
}

void gen_pop_done(Gen *g, unsigned size)
{
    move_sp(g, 1 << size);
}

void gen_PUSH(Gen *g, const Insn *i)
{
    gen_push(g, i->dst, i->osize);
}

void gen_PUSH_I(Gen *g, const Insn *i)
{
    gen_push(g, ir_const(g->b, gen_type(i->osize), i->imm), i->osize);
}

/* An address that uses rSP is computed with rSP after the pop. */
void gen_POP(Gen *g, const Insn *i)
{
    unsigned size = i->osize;
    IrVal v = gen_pop_value(g, size), addr;

    if (i->op[0].is_mem) {
        addr = gen_linear(g, i->seg, gen_ea(g, i, i->base == R_ESP ? 1 << size : 0), i->asize);
        gen_st(g, addr, v, size);
        gen_pop_done(g, size);
    } else {
        gen_pop_done(g, size);
        gen_writeback(g, i, v);
    }
}

void gen_PUSHA(Gen *g, const Insn *i)
{
    int bytes = 1 << i->osize;

    for (int reg = R_EAX; reg <= R_EDI; reg++) {
        gen_st(g, stack_at(g, -bytes * (reg + 1)), gen_ld_gpr(g, reg, i->osize), i->osize);
    }
    move_sp(g, -8 * bytes);
}

void gen_POPA(Gen *g, const Insn *i)
{
    int bytes = 1 << i->osize;
    IrVal v[8];

    for (int reg = R_EDI; reg >= R_EAX; reg--) {
        v[reg] = reg == R_ESP ? IR_NONE : gen_ld(g, stack_at(g, bytes * (R_EDI - reg)), i->osize);
    }
    for (int reg = R_EDI; reg >= R_EAX; reg--) {
        if (reg != R_ESP) {
            gen_st_gpr(g, reg, i->osize, v[reg]);
        }
    }
    move_sp(g, 8 * bytes);
}

void gen_ENTER(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    unsigned level = i->imm2 & 31, alloc = i->imm & 0xffff;
    int bytes = 1 << i->osize;
    IrVal frame, v;

    gen_st(g, stack_at(g, -bytes), gen_ld_gpr(g, R_EBP, i->osize), i->osize);
    frame = ir_addi(b, ir_get(b, G_RSP), -bytes);
    for (unsigned n = 1; n < level; n++) {
        v = gen_ld(g, stack_addr(g, ir_addi(b, ir_get(b, G_RBP), -(int)n * bytes)), i->osize);
        gen_st(g, stack_at(g, -bytes * (int)(n + 1)), v, i->osize);
    }
    if (level) {
        v = i->osize == IR_MO_64 ? frame : ir_trunc(b, frame);
        gen_st(g, stack_at(g, -bytes * (int)(level + 1)), v, i->osize);
    }
    /* SDM Vol.2 ENTER: faults if a write through the final stack pointer would */
    IR_CALL(b, H_probe_store, stack_at(g, -bytes * (int)(level + 1) - (int)alloc), ir_i32(b, (uint32_t)bytes), ir_i32(b, g->mmu_idx));
    gen_st_gpr(g, R_EBP, i->osize, frame);
    move_sp(g, -bytes * (int)(level + 1) - (int)alloc);
}

void gen_LEAVE(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    IrVal rbp = ir_get(b, G_RBP), v = gen_ld(g, stack_addr(g, rbp), i->osize);

    gen_st_gpr(g, R_ESP, stack_op_size(g), ir_addi(b, rbp, 1 << i->osize));
    gen_st_gpr(g, R_EBP, i->osize, v);
}

/* --- segment registers --- */

static IrVal selector(Gen *g, unsigned seg)
{
    return ir_env_ld(g->b, IR_I32, offsetof(CPUX86State, segs) + seg * sizeof(SegmentCache)
                     + offsetof(SegmentCache, selector), IR_MO_32);
}

/* With 32 bits processors move rSP by four and store two (SDM Vol.2 PUSH); with 64 they store all. */
void gen_PUSH_S(Gen *g, const Insn *i)
{
    int bytes = 1 << i->osize;

    gen_st(g, stack_at(g, -bytes), selector(g, i->op[0].reg), i->osize == IR_MO_64 ? IR_MO_64 : IR_MO_16);
    move_sp(g, -bytes);
}

/* After a load of @seg: what must end the block. */
static void after_segment_load(Gen *g, unsigned seg)
{
    unsigned hflags = offsetof(CPUX86State, hflags);

    if (seg == R_SS) {
        IrVal f = ir_env_ld(g->b, IR_I32, hflags, IR_MO_32);
        ir_env_st(g->b, ir_ori(g->b, f, HF_INHIBIT_IRQ), hflags, IR_MO_32);
        gen_sync_flags(g);
        ir_exit_loop(g->b, gen_next_pc(g));
        g->ended = true;
    } else if (!g->code64 && !gen_real_or_vm86(g) && seg < R_FS) {
        gen_exit_loop_next(g);      /* HF_ADDSEG may have changed */
    } else if (g->one_insn) {
        gen_exit_loop_next(g);
    }
}

static void load_segment(Gen *g, unsigned seg, IrVal sel)
{
    IR_CALL(g->b, H_load_seg, ir_i32(g->b, seg), sel);
}

void gen_POP_S(Gen *g, const Insn *i)
{
    unsigned seg = i->op[0].reg;
    IrVal v = gen_pop_value(g, i->osize);

    v = i->osize == IR_MO_64 ? ir_trunc(g->b, v) : v;
    load_segment(g, seg, ir_ext(g->b, v, 16, false));
    gen_pop_done(g, i->osize);
    after_segment_load(g, seg);
}

/* MOV to a segment register. */
void gen_MOV_SE(Gen *g, const Insn *i)
{
    unsigned seg = i->op[0].reg;

    if (seg == R_CS) {
        gen_ud(g);
        return;
    }
    load_segment(g, seg, i->src);
    after_segment_load(g, seg);
}

/* MOV from a segment register: memory gets 16 bits. */
void gen_MOV_ES(Gen *g, const Insn *i)
{
    IrVal v = selector(g, i->op[1].reg);

    if (i->op[0].is_mem) {
        gen_st(g, i->addr, v, IR_MO_16);
    } else {
        gen_writeback(g, i, v);
    }
}

/* LDS, LES, LSS, LFS, LGS */
void gen_LOAD_FAR(Gen *g, const Insn *i)
{
    unsigned seg = i->e->arg;
    IrVal offset = gen_ld(g, i->addr, i->osize);
    IrVal sel = gen_ld(g, gen_addr_plus(g, i, 1 << i->osize), IR_MO_16);

    load_segment(g, seg, sel);
    gen_st_gpr(g, i->op[0].reg, i->osize, offset);
    after_segment_load(g, seg);
}

/* --- EFLAGS --- */

void gen_PUSHF(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    IrVal f, df;

    if (g->vm86 && g->iopl < 3) {
        gen_sync_flags(g);
        gen_push(g, IR_CALL(b, H_pushf_vm86, ir_i32(b, i->osize - IR_MO_16)), i->osize);
        return;
    }
    f = ir_trunc(b, ir_env_ld(b, IR_I64, offsetof(CPUX86State, eflags), IR_MO_64));
    f = ir_andi(b, f, ~(uint32_t)(VM_MASK | RF_MASK | CC_ALL | DF_MASK));
    df = ir_trunc(b, ir_env_ld(b, IR_I64, offsetof(CPUX86State, df), IR_MO_64));
    f = ir_or(b, f, ir_ori(b, ir_andi(b, df, DF_MASK), 2));      /* df is 1 or -1 */
    gen_push(g, ir_or(b, f, gen_get_flags(g)), i->osize);
}

static uint32_t popf_mask(const Gen *g, const Insn *i)
{
    uint32_t mask = CC_ALL | DF_MASK | TF_MASK | NT_MASK | AC_MASK | ID_MASK;

    if (g->cpl <= g->iopl) {
        mask |= IF_MASK;
    }
    if (g->cpl == 0) {
        mask |= IOPL_MASK;
    }
    return i->osize == IR_MO_16 ? mask & 0xffff : mask;
}

/*
 * TF, IOPL and AC are part of the mode, and an interrupt may be waiting for IF; where none of these
 * changes (but IF may be cleared), the block goes on.
 */
void gen_POPF(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    IrVal v = gen_pop_value(g, i->osize), wide;

    wide = i->osize == IR_MO_64 ? v : ir_zext(b, v);
    if (g->vm86 && g->iopl < 3) {
        gen_pop_done(g, i->osize);
        gen_sync_flags(g);
        IR_CALL(b, H_popf_vm86, wide, ir_i32(b, i->osize - IR_MO_16));
    } else {
        gen_pop_done(g, i->osize);
        gen_sync_flags(g);
        IR_CALL(b, H_write_eflags, wide, ir_i32(b, popf_mask(g, i)));
    }
    gen_flags_dynamic(g);
    gen_exit_mode_next(g);
}
