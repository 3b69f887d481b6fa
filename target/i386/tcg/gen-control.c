/*
 * Generators: transfers of control.  SDM Vol.2 CALL, ENTER.., INT, IRET, Jcc, JMP, LOOP, RET,
 * SYSCALL, SYSENTER.
 */
#include "target/i386/tcg/gen-x87.h"

/* --- near --- */

/* Back to the block's start, inside the block. */
static bool closes_loop(Gen *g, const Insn *i)
{
    if (gen_target(i) != 0 || gen_exits_specially(g) || g->req->cflags & (TB_SINGLE_INSN | TB_UNSHARED) || (i->osize == IR_MO_16 && g->code32)) {
        return false;
    }
    if (!x87_can_loop(g)) {
        return false;
    }
    g->loops = true;                            /* the block is begun again with a loop's head */
    return g->in_loop;
}

static void loop_back(Gen *g)
{
    gen_sync_flags(g);
    g->ended = true;
    x87_loop_back(g);
    ir_loop_back(g->b);
}

/*
 * A short way forward in the page, the block goes on: what lies between counts as its bytes to who
 * writes there.
 */
static bool follows(const Gen *g, const Insn *i)
{
    int64_t target = gen_target(i);

    return target >= (int64_t)g->next && target <= (int64_t)g->next + GEN_MAX_GAP && g->n_followed < GEN_MAX_FOLLOWED &&
        !gen_exits_specially(g) && !(i->osize == IR_MO_16 && g->code32) && !gen_block_is_full(g, (uint32_t)target);
}

void gen_JMP(Gen *g, const Insn *i)
{
    if (closes_loop(g, i)) {
        loop_back(g);
        return;
    }
    if (follows(g, i)) {
        g->n_followed++;
        g->next = (uint32_t)gen_target(i);
        return;
    }
    gen_jump(g, i, 0, gen_target(i));
}

/*
 * Does the block go on behind a forward branch, which is left to by a side exit?  Compilers lay the
 * likely way out straight on.  Behind a loop's back edge it does not.
 */
static bool goes_on(const Gen *g, const Insn *i)
{
    return gen_target(i) > (int64_t)g->next && g->n_side_exits < GEN_MAX_SIDE_EXITS && !gen_exits_specially(g) &&
        !(i->osize == IR_MO_16 && g->code32) && !gen_block_is_full(g, g->next);
}

/* Taken when c(x, y). */
static void branch(Gen *g, const Insn *i, GenCond c)
{
    IrLabel taken;

    gen_sync_flags(g);
    if (goes_on(g, i)) {
        gen_exit_if(g, c, GEN_FIRST_SIDE_SLOT + g->n_side_exits++, gen_target(i));
        return;
    }
    if (closes_loop(g, i)) {
        c.c ^= 1;
        gen_exit_if(g, c, 1, g->next);
        loop_back(g);
        return;
    }
    taken = ir_label_new(g->b);
    ir_brcond(g->b, c.c, c.x, c.y, taken);
    gen_exit_direct(g, 1, g->next);
    ir_label(g->b, taken);
    gen_jump(g, i, 0, gen_target(i));
}

void gen_Jcc(Gen *g, const Insn *i)
{
    branch(g, i, gen_cond(g, i->opcode & 15));
}

static IrVal count_register(Gen *g, const Insn *i)
{
    IrVal c = ir_get(g->b, G_RCX);

    return i->asize == 64 ? c : ir_ext(g->b, c, i->asize, false);
}

void gen_JCXZ(Gen *g, const Insn *i)
{
    branch(g, i, (GenCond){ IR_EQ, count_register(g, i), ir_i64(g->b, 0) });
}

static IrVal decrement_count(Gen *g, const Insn *i)
{
    unsigned size = i->asize == 64 ? IR_MO_64 : i->asize == 32 ? IR_MO_32 : IR_MO_16;

    gen_st_gpr(g, R_ECX, size, ir_addi(g->b, ir_get(g->b, G_RCX), -1));
    return count_register(g, i);
}

void gen_LOOP(Gen *g, const Insn *i)
{
    branch(g, i, (GenCond){ IR_NE, decrement_count(g, i), ir_i64(g->b, 0) });
}

/* LOOPE and LOOPNE: rCX is not 0, and ZF is @zf. */
static void loop_if(Gen *g, const Insn *i, bool zf)
{
    GenCond z = gen_cond(g, 4);
    IrVal want = ir_setcond(g->b, IR_I64, zf ? z.c : z.c ^ 1, z.x, z.y), zero = ir_i64(g->b, 0);
    IrVal count = decrement_count(g, i);

    branch(g, i, (GenCond){ IR_NE, ir_select(g->b, IR_NE, count, zero, want, zero), zero });
}

void gen_LOOPE(Gen *g, const Insn *i)
{
    loop_if(g, i, true);
}

void gen_LOOPNE(Gen *g, const Insn *i)
{
    loop_if(g, i, false);
}

static IrVal return_pc(Gen *g, const Insn *i)
{
    IrVal pc = gen_next_pc(g);

    return i->osize == IR_MO_64 ? pc : ir_trunc(g->b, pc);
}

/*
 * Where the call will be returned to.  Not if that is in another page or may begin a block that reaches into one: such
 * exits are never linked, and the jump cache serves better.
 */
static void note_return(Gen *g, const Insn *i)
{
    uint64_t linear = g->req->mode.cs_base + g->req->pc, next = linear + g->next;

    if (gen_exits_specially(g) || g->req->cflags & TB_SINGLE_INSN || ((next + 15) ^ linear) >> 12 ||
        (i->osize != IR_MO_64 && g->code64) || (i->osize == IR_MO_16 && g->code32)) {
        return;
    }
    ir_push_return(g->b, 1, gen_next_pc(g), g->next, (uint32_t)(g->req->pc + g->next) & 0xfff);
}

void gen_CALL(Gen *g, const Insn *i)
{
    gen_push(g, return_pc(g, i), i->osize);
    note_return(g, i);
    gen_jump(g, i, 0, gen_target(i));
}

/* A 16- or 32-bit pc as I64. */
static IrVal pc_of(Gen *g, IrVal v)
{
    return ir_type(g->b, v) == IR_I32 ? ir_zext(g->b, v) : v;
}

void gen_CALL_E(Gen *g, const Insn *i)
{
    gen_push(g, return_pc(g, i), i->osize);
    note_return(g, i);
    gen_exit_indirect(g, pc_of(g, i->dst));
}

void gen_JMP_E(Gen *g, const Insn *i)
{
    gen_exit_indirect(g, pc_of(g, i->dst));
}

static void release(Gen *g, unsigned bytes)
{
    unsigned size = gen_stack_size(g) == 64 ? IR_MO_64 : gen_stack_size(g) == 32 ? IR_MO_32 : IR_MO_16;

    gen_st_gpr(g, R_ESP, size, ir_addi(g->b, ir_get(g->b, G_RSP), bytes));
}

void gen_RET(Gen *g, const Insn *i)
{
    IrVal pc = gen_pop_value(g, i->osize);

    release(g, (1u << i->osize) + (i->imm & 0xffff));
    if (gen_exits_specially(g)) {
        gen_exit_indirect(g, pc_of(g, pc));
        return;
    }
    gen_sync_flags(g);
    g->ended = true;
    ir_exit_return(g->b, pc_of(g, pc));
}

/* --- far: helpers do all of it --- */

static IrVal shift_of(Gen *g, const Insn *i)
{
    return ir_i32(g->b, i->osize - IR_MO_16);
}

static void far_jmp(Gen *g, IrVal selector, IrVal offset)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_far_jmp, selector, offset, gen_next_pc(g));
    gen_exit_state_set(g);
}

static void far_call(Gen *g, const Insn *i, IrVal selector, IrVal offset)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_far_call, selector, offset, shift_of(g, i), gen_next_pc(g));
    gen_exit_state_set(g);
}

/* The pointer in memory: offset of the operand size, then the selector. */
static IrVal far_offset(Gen *g, const Insn *i)
{
    return pc_of(g, gen_ld(g, i->addr, i->osize));
}

static IrVal far_selector(Gen *g, const Insn *i)
{
    return gen_ld(g, gen_addr_plus(g, i, 1 << i->osize), IR_MO_16);
}

void gen_JMPF(Gen *g, const Insn *i)
{
    far_jmp(g, ir_i32(g->b, i->imm2), ir_i64(g->b, i->imm));
}

void gen_JMPF_M(Gen *g, const Insn *i)
{
    IrVal offset = far_offset(g, i);

    far_jmp(g, far_selector(g, i), offset);
}

void gen_CALLF(Gen *g, const Insn *i)
{
    far_call(g, i, ir_i32(g->b, i->imm2), ir_i64(g->b, i->imm));
}

void gen_CALLF_M(Gen *g, const Insn *i)
{
    IrVal offset = far_offset(g, i);

    far_call(g, i, far_selector(g, i), offset);
}

void gen_RETF(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_far_ret, shift_of(g, i), ir_i32(g->b, i->imm & 0xffff));
    gen_exit_state_set(g);
}

void gen_IRET(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_iret, shift_of(g, i), gen_next_pc(g));
    gen_exit_state_set(g);
}

/* --- software interrupts --- */

void gen_INT(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_int_n, ir_i32(g->b, i->imm & 0xff), gen_next_pc(g));
    g->ended = true;
}

void gen_INT3(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_int3, gen_next_pc(g));
    g->ended = true;
}

void gen_INT1(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_icebp, gen_next_pc(g));
    g->ended = true;
}

void gen_INTO(Gen *g, const Insn *i)
{
    GenCond o = gen_cond(g, 0);
    IrLabel no = ir_label_new(g->b);

    gen_sync_flags(g);
    ir_brcond(g->b, o.c ^ 1, o.x, o.y, no);
    IR_CALL(g->b, H_into, gen_next_pc(g));
    ir_label(g->b, no);
}

void gen_BOUND(Gen *g, const Insn *i)
{
    unsigned size = i->osize;
    IrVal low = gen_ld(g, i->addr, size | IR_MO_SIGN);
    IrVal high = gen_ld(g, gen_addr_plus(g, i, 1 << size), size | IR_MO_SIGN);
    IrVal index = size == IR_MO_16 ? ir_ext(g->b, i->dst, 16, true) : i->dst;

    gen_raise_if(g, IR_LT, index, low, EXCP05_BOUND);
    gen_raise_if(g, IR_GT, index, high, EXCP05_BOUND);
}

void gen_UD(Gen *g, const Insn *i)
{
    gen_ud(g);
}

/* --- fast system calls --- */

/* Outside 64-bit mode SYSCALL and SYSRET are AMD's; #UD on an Intel processor. */
static bool syscall_is_known(Gen *g)
{
    const uint32_t auth = 0x68747541;   /* "Auth" of AuthenticAMD */

    if (!g->code64 && g->env->cpuid_vendor[0] != auth) {
        gen_ud(g);
        return false;
    }
    return true;
}

void gen_SYSCALL(Gen *g, const Insn *i)
{
    if (!syscall_is_known(g)) {
        return;
    }
    gen_sync_flags(g);
    IR_CALL(g->b, H_syscall, gen_next_pc(g));
    gen_flags_dynamic(g);
    gen_exit_state_set(g);
}

void gen_SYSRET(Gen *g, const Insn *i)
{
    if (!syscall_is_known(g)) {
        return;
    }
    gen_sync_flags(g);
    IR_CALL(g->b, H_sysret, shift_of(g, i));
    gen_exit_state_set(g);
}

void gen_SYSENTER(Gen *g, const Insn *i)
{
    if (!g->pe) {
        gen_gp0(g);
        return;
    }
    gen_sync_flags(g);
    IR_CALL(g->b, H_sysenter, gen_next_pc(g));
    gen_exit_state_set(g);
}

void gen_SYSEXIT(Gen *g, const Insn *i)
{
    if (!g->pe) {
        gen_gp0(g);
        return;
    }
    gen_sync_flags(g);
    IR_CALL(g->b, H_sysexit, shift_of(g, i));
    gen_exit_state_set(g);
}
