/*
 * Generators: string instructions with their repeat prefixes, and INS, OUTS.  SDM Vol.1 7.3.9,
 * Vol.2 REP.
 *
 * A repeated instruction does one step (forward MOVS and STOS: as much as lies on one page) and
 * then jumps to itself through an exit that polls, so that interrupts are taken between steps with
 * the registers saying what is left, as on the processor.  After a fault rCX, rSI and rDI are those
 * of the element that faulted, and the flags those before the instruction.
 */
#include "target/i386/tcg/gen.h"

/* --- the registers by address size --- */

static unsigned addr_size(const Insn *i)
{
    return i->asize == 64 ? IR_MO_64 : i->asize == 32 ? IR_MO_32 : IR_MO_16;
}

static IrVal source_addr(Gen *g, const Insn *i)
{
    return gen_linear(g, i->seg, ir_get(g->b, G_RSI), i->asize);
}

static IrVal dest_addr(Gen *g, const Insn *i)
{
    return gen_linear(g, R_ES, ir_get(g->b, G_RDI), i->asize);
}

/* Bytes to the next element: the size, negative with DF. */
static IrVal element_step(Gen *g, unsigned size)
{
    return ir_shli(g->b, ir_env_ld(g->b, IR_I64, offsetof(CPUX86State, df), IR_MO_64), size);
}

static void advance(Gen *g, const Insn *i, unsigned reg, IrVal by)
{
    gen_st_gpr(g, reg, addr_size(i), ir_add(g->b, ir_get(g->b, G_RAX + reg), by));
}

/* rCX by address size, I64. */
static IrVal counter(Gen *g, const Insn *i)
{
    IrVal c = ir_get(g->b, G_RCX);

    return i->asize == 64 ? c : ir_ext(g->b, c, i->asize, false);
}

/* --- repetition --- */

typedef void StepFn(Gen *g, const Insn *i);

/* A single-step trap between iterations saves RF set (SDM Vol.3 17.3.1.1). */
static void repeat_again(Gen *g)
{
    if (g->flags & HF_TF) {
        unsigned eflags = offsetof(CPUX86State, eflags);
        ir_env_st(g->b, ir_ori(g->b, ir_env_ld(g->b, IR_I64, eflags, IR_MO_64), RF_MASK), eflags, IR_MO_64);
    }
    gen_exit_direct(g, 0, g->delta);
}

/* Skip to @done if rCX = 0; else fall through. */
static void repeat_begin(Gen *g, const Insn *i, IrLabel done)
{
    gen_sync_flags(g);
    ir_brcondi(g->b, IR_EQ, counter(g, i), 0, done);
}

/* One element done: count it, go round again unless rCX is 0. */
static void repeat_count(Gen *g, const Insn *i, IrVal n, IrLabel done)
{
    IrVal left = ir_sub(g->b, counter(g, i), n);

    gen_st_gpr(g, R_ECX, addr_size(i), left);
    ir_brcondi(g->b, IR_EQ, left, 0, done);
}

static void repeat_end(Gen *g, IrLabel done)
{
    ir_label(g->b, done);
    gen_exit_direct(g, 1, g->next);
}

/* REP of an instruction that leaves the flags alone. */
static void repeat(Gen *g, const Insn *i, StepFn *step)
{
    IrLabel done;

    if (i->rep == REP_NONE) {
        step(g, i);
        return;
    }
    done = ir_label_new(g->b);
    repeat_begin(g, i, done);
    step(g, i);
    repeat_count(g, i, ir_i64(g->b, 1), done);
    repeat_again(g);
    repeat_end(g, done);
}

/*
 * Elements that can be done in a run: rCX if DF is clear, else 0; with 16-bit addresses at most up
 * to the offset's wrap.
 */
static IrVal run_length(Gen *g, const Insn *i, unsigned size, bool with_source)
{
    IrBlock *b = g->b;
    IrVal n = counter(g, i), df = ir_env_ld(b, IR_I64, offsetof(CPUX86State, df), IR_MO_64), room;

    for (unsigned reg = R_ESI; reg <= R_EDI && i->asize == 16; reg++) {
        if (reg == R_ESI && !with_source) {
            continue;
        }
        room = ir_sub(b, ir_i64(b, 0x10000), ir_ext(b, ir_get(b, G_RAX + reg), 16, false));
        room = ir_shri(b, room, size);
        n = ir_select(b, IR_LTU, room, n, room, n);
    }
    return ir_select(b, IR_EQ, df, ir_i64(b, 1), n, ir_i64(b, 0));
}

static void advance_run(Gen *g, const Insn *i, unsigned size, IrVal n, bool with_source)
{
    IrVal bytes = ir_shli(g->b, n, size);

    if (with_source) {
        advance(g, i, R_ESI, bytes);
    }
    advance(g, i, R_EDI, bytes);
}

/* REP MOVS and STOS: a run by @helper, and one element by @step where that does nothing. */
static void repeat_runs(Gen *g, const Insn *i, StepFn *step, unsigned helper, IrVal second, bool with_source)
{
    IrBlock *b = g->b;
    unsigned size = i->op[0].size;
    IrLabel done = ir_label_new(b), single = ir_label_new(b);
    IrVal n;

    repeat_begin(g, i, done);
    if (!(g->flags & HF_TF)) {
        IrVal addr2 = with_source ? source_addr(g, i) : second;
        n = IR_CALL(b, helper, dest_addr(g, i), addr2, run_length(g, i, size, with_source),
                    ir_i32(b, size | g->mmu_idx << 4));
        ir_brcondi(b, IR_EQ, n, 0, single);
        advance_run(g, i, size, n, with_source);
        repeat_count(g, i, n, done);
        repeat_again(g);
        ir_label(b, single);
    }
    step(g, i);
    if (g->flags & HF_TF) {
        repeat_count(g, i, ir_i64(b, 1), done);
        repeat_again(g);
    } else {
        gen_st_gpr(g, R_ECX, addr_size(i), ir_addi(b, counter(g, i), -1));
        gen_exit_indirect(g, ir_pc(b, g->delta));
    }
    repeat_end(g, done);
}

/* --- the instructions --- */

static void step_movs(Gen *g, const Insn *i)
{
    unsigned size = i->op[0].size;
    IrVal by = element_step(g, size);

    gen_st(g, dest_addr(g, i), gen_ld(g, source_addr(g, i), size), size);
    advance(g, i, R_ESI, by);
    advance(g, i, R_EDI, by);
}

void gen_MOVS(Gen *g, const Insn *i)
{
    if (i->rep == REP_NONE) {
        step_movs(g, i);
    } else {
        repeat_runs(g, i, step_movs, H_rep_movs, IR_NONE, true);
    }
}

static void step_stos(Gen *g, const Insn *i)
{
    unsigned size = i->op[0].size;

    gen_st(g, dest_addr(g, i), gen_ld_gpr(g, R_EAX, size), size);
    advance(g, i, R_EDI, element_step(g, size));
}

void gen_STOS(Gen *g, const Insn *i)
{
    if (i->rep == REP_NONE) {
        step_stos(g, i);
    } else {
        repeat_runs(g, i, step_stos, H_rep_stos, ir_get(g->b, G_RAX), false);
    }
}

static void step_lods(Gen *g, const Insn *i)
{
    unsigned size = i->op[0].size;

    gen_st_gpr(g, R_EAX, size, gen_ld(g, source_addr(g, i), size));
    advance(g, i, R_ESI, element_step(g, size));
}

void gen_LODS(Gen *g, const Insn *i)
{
    repeat(g, i, step_lods);
}

/* The operands of one comparison, x - y; the registers go on to the next element. */
static void compare_step(Gen *g, const Insn *i, bool with_source, IrVal *x, IrVal *y)
{
    unsigned size = i->op[0].size;
    IrVal by;

    *y = gen_ld(g, dest_addr(g, i), size);
    *x = with_source ? gen_ld(g, source_addr(g, i), size) : gen_ld_gpr(g, R_EAX, size);
    by = element_step(g, size);
    if (with_source) {
        advance(g, i, R_ESI, by);
    }
    advance(g, i, R_EDI, by);
}

static void compare_once(Gen *g, const Insn *i, bool with_source)
{
    IrVal x, y;

    compare_step(g, i, with_source, &x, &y);
    gen_flags_sub(g, i->op[0].size, ir_sub(g->b, x, y), x, y);
}

/*
 * REPE and REPNE: stop when rCX is 0 or the comparison says so.  Only the last comparison sets the
 * flags: a fault in a later step must find those before the instruction (SDM Vol.2 REP).
 */
static void repeat_compare(Gen *g, const Insn *i, bool with_source)
{
    IrBlock *b = g->b;
    IrLabel done = ir_label_new(b), last = ir_label_new(b);
    IrVal x, y;

    repeat_begin(g, i, done);
    compare_step(g, i, with_source, &x, &y);
    gen_st_gpr(g, R_ECX, addr_size(i), ir_addi(b, counter(g, i), -1));
    ir_brcond(b, i->rep == REP_Z ? IR_NE : IR_EQ, x, y, last);
    ir_brcondi(b, IR_EQ, counter(g, i), 0, last);
    repeat_again(g);
    ir_label(b, last);
    gen_flags_sub(g, i->op[0].size, ir_sub(b, x, y), x, y);
    gen_sync_flags(g);
    gen_flags_dynamic(g);
    ir_br(b, done);
    repeat_end(g, done);
}

void gen_CMPS(Gen *g, const Insn *i)
{
    if (i->rep == REP_NONE) {
        compare_once(g, i, true);
    } else {
        repeat_compare(g, i, true);
    }
}

void gen_SCAS(Gen *g, const Insn *i)
{
    if (i->rep == REP_NONE) {
        compare_once(g, i, false);
    } else {
        repeat_compare(g, i, false);
    }
}

/* --- port I/O --- */

static IrVal port(Gen *g)
{
    return gen_ld_gpr(g, R_EDX, IR_MO_16);
}

static void check_io(Gen *g, IrVal p, unsigned size)
{
    IR_CALL(g->b, H_check_io, p, ir_i32(g->b, 1u << size));
}

/* The destination is touched before the port is read: a fault must not lose what the device gave. */
static void step_ins(Gen *g, const Insn *i)
{
    unsigned size = i->op[0].size;
    IrVal addr = dest_addr(g, i), v;

    check_io(g, port(g), size);
    IR_CALL(g->b, H_probe_store, addr, ir_i32(g->b, 1u << size), ir_i32(g->b, g->mmu_idx));
    v = IR_CALL(g->b, H_in, port(g), ir_i32(g->b, 1u << size));
    gen_st(g, addr, v, size);
    advance(g, i, R_EDI, element_step(g, size));
}

static void step_outs(Gen *g, const Insn *i)
{
    unsigned size = i->op[0].size;
    IrVal v;

    check_io(g, port(g), size);
    v = gen_ld(g, source_addr(g, i), size);
    IR_CALL(g->b, H_out, port(g), v, ir_i32(g->b, 1u << size));
    advance(g, i, R_ESI, element_step(g, size));
}

/*
 * Forward runs with 32- and 64-bit addresses, where the system helpers do a page at a time; else
 * element by element.
 */
static void repeat_io(Gen *g, const Insn *i, StepFn *step, unsigned helper, unsigned reg)
{
    IrBlock *b = g->b;
    unsigned size = i->op[0].size;
    IrLabel done = ir_label_new(b), single = ir_label_new(b);
    IrVal n, wanted, addr;

    repeat_begin(g, i, done);
    if (!(g->flags & HF_TF) && i->asize != 16) {
        wanted = run_length(g, i, size, reg == R_ESI);
        ir_brcondi(b, IR_EQ, wanted, 0, single);
        check_io(g, port(g), size);
        addr = reg == R_EDI ? dest_addr(g, i) : source_addr(g, i);
        n = IR_CALL(b, helper, port(g), addr, wanted, ir_i32(b, 1u << size | g->mmu_idx << 4));
        advance(g, i, reg, ir_shli(b, n, size));
        repeat_count(g, i, n, done);
        repeat_again(g);
        ir_label(b, single);
    }
    step(g, i);
    if (g->flags & HF_TF) {
        repeat_count(g, i, ir_i64(b, 1), done);
        repeat_again(g);
    } else {
        gen_st_gpr(g, R_ECX, addr_size(i), ir_addi(b, counter(g, i), -1));
        gen_exit_indirect(g, ir_pc(b, g->delta));
    }
    repeat_end(g, done);
}

void gen_INS(Gen *g, const Insn *i)
{
    if (i->rep == REP_NONE) {
        step_ins(g, i);
    } else {
        repeat_io(g, i, step_ins, H_rep_ins, R_EDI);
    }
}

void gen_OUTS(Gen *g, const Insn *i)
{
    if (i->rep == REP_NONE) {
        step_outs(g, i);
    } else {
        repeat_io(g, i, step_outs, H_rep_outs, R_ESI);
    }
}
