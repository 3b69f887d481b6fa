/*
 * Generators of x87 instructions: inline (gen-x87-host.c), or one helper call each (helper-x87.c).
 *
 * The unit's checks (CR0.EM, CR0.TS) are made by common code; pending exceptions by the helpers
 * of waiting instructions.  Instruction and data pointers are noted; the last opcode and
 * the selectors are not kept, as on CPUs that deprecate FCS and FDS and record FOP for unmasked
 * exceptions only (SDM Vol.1 8.1.8, 8.1.9).
 *
 * Reference: SDM Vol.1 chapter 8; Vol.2 F*.
 */
#include "target/i386/tcg/gen-x87.h"

#define CALL(...) IR_CALL(g->b, __VA_ARGS__)

static IrVal konst(Gen *g, uint32_t v)
{
    return ir_i32(g->b, v);
}

static IrVal sti(Gen *g, const Insn *i)
{
    return konst(g, i->modrm & 7);
}

/* --- arithmetic and comparison, in the order of D8's ModRM reg field --- */

typedef struct ArithRow {
    X86Helper st0, sti, m32, m64, i32;
} ArithRow;

static const ArithRow arith[8] = {
    { H_fadd_st0, H_fadd_sti, H_fadd_m32, H_fadd_m64, H_fiadd },
    { H_fmul_st0, H_fmul_sti, H_fmul_m32, H_fmul_m64, H_fimul },
    { H_fcom_st, H_fcom_st, H_fcom_m32, H_fcom_m64, H_ficom },
    { H_fcom_st, H_fcom_st, H_fcom_m32, H_fcom_m64, H_ficom },
    { H_fsub_st0, H_fsub_sti, H_fsub_m32, H_fsub_m64, H_fisub },
    { H_fsubr_st0, H_fsubr_sti, H_fsubr_m32, H_fsubr_m64, H_fisubr },
    { H_fdiv_st0, H_fdiv_sti, H_fdiv_m32, H_fdiv_m64, H_fidiv },
    { H_fdivr_st0, H_fdivr_sti, H_fdivr_m32, H_fdivr_m64, H_fidivr },
};

static bool compares(const Insn *i)
{
    return (i->e->arg & 6) == 2;
}

static unsigned bit(const Insn *i)
{
    return 1u << (i->modrm & 7);
}

/* ST(0) by something else, of which @reads is. */
static X87Effect on_st0(const Insn *i, unsigned reads)
{
    return compares(i) ? (X87Effect){ .reads = 1 | reads, .pops = i->e->arg & 1, .cc = X87_CC } :
        (X87Effect){ .reads = 1 | reads, .writes = 1, .cc = X87_C1 };
}

static void arith_with(Gen *g, const Insn *i, X86Helper helper, IrVal operand)
{
    unsigned op = i->e->arg & 7;

    x87_forget(g);
    if (op == 2 || op == 3) {       /* comparisons have a second argument: pop */
        CALL(helper, operand, konst(g, op & 1));
    } else {
        CALL(helper, operand);
    }
    x87_note_pointers(g, i);
}

void gen_X87_ARITH_M32(Gen *g, const Insn *i)
{
    if (!x87_mem(g, i, on_st0(i, 0), i->dst, IR_MO_32)) {
        arith_with(g, i, arith[i->e->arg].m32, i->dst);
    }
}

void gen_X87_ARITH_M64(Gen *g, const Insn *i)
{
    if (!x87_mem(g, i, on_st0(i, 0), i->dst, IR_MO_64)) {
        arith_with(g, i, arith[i->e->arg].m64, i->dst);
    }
}

void gen_X87_ARITH_I32(Gen *g, const Insn *i)
{
    if (!x87_mem(g, i, on_st0(i, 0), i->dst, IR_MO_32)) {
        arith_with(g, i, arith[i->e->arg].i32, i->dst);
    }
}

void gen_X87_ARITH_I16(Gen *g, const Insn *i)
{
    if (!x87_mem(g, i, on_st0(i, 0), i->dst, IR_MO_16)) {
        arith_with(g, i, arith[i->e->arg].i32, ir_ext(g->b, i->dst, 16, true));
    }
}

void gen_X87_ARITH_ST0(Gen *g, const Insn *i)
{
    if (!x87_reg(g, i, on_st0(i, bit(i)))) {
        arith_with(g, i, arith[i->e->arg].st0, sti(g, i));
    }
}

void gen_X87_ARITH_STI(Gen *g, const Insn *i)
{
    unsigned pops = i->e->arg >> 3;

    if (!x87_reg(g, i, (X87Effect){ .reads = 1 | bit(i), .writes = bit(i), .pops = pops, .cc = X87_C1 })) {
        x87_forget(g);
        CALL(arith[i->e->arg & 7].sti, sti(g, i), konst(g, pops));
        x87_note_pointers(g, i);
    }
}

/* ARG: pops | 4 for FUCOM.  The double-popping forms compare with ST(1), which ModRM.rm says. */
void gen_FCOM_ST(Gen *g, const Insn *i)
{
    if (!x87_reg(g, i, (X87Effect){ .reads = 1 | bit(i), .pops = i->e->arg & 3, .cc = X87_CC })) {
        x87_forget(g);
        CALL(H_fcom_st, sti(g, i), konst(g, i->e->arg));
        x87_note_pointers(g, i);
    }
}

void gen_FCOMI(Gen *g, const Insn *i)
{
    IrVal flags = x87_compare(g, i, (X87Effect){ .reads = 1 | bit(i), .pops = i->e->arg & 1 });

    if (ir_is_none(flags)) {
        x87_forget(g);
        flags = CALL(H_fcomi, sti(g, i), konst(g, i->e->arg), gen_get_flags(g));
        x87_note_pointers(g, i);
    }
    gen_flags_eflags(g, flags);
}

void gen_FCMOV(Gen *g, const Insn *i)
{
    x87_before_helper(g, (X87Effect){ .reads = 1 | bit(i) });
    CALL(H_fcmov, konst(g, i->e->arg), konst(g, i->modrm), gen_get_flags(g));
    x87_note_pointers(g, i);
}

/* --- loads --- */

static const X87Effect push = { .pushes = true, .cc = X87_C1 };

void gen_FLD_ST(Gen *g, const Insn *i)
{
    if (!x87_reg(g, i, (X87Effect){ .reads = bit(i), .pushes = true, .cc = X87_C1 })) {
        x87_forget(g);
        CALL(H_fld_st, sti(g, i));
        x87_note_pointers(g, i);
    }
}

void gen_FLD_M32(Gen *g, const Insn *i)
{
    if (!x87_mem(g, i, push, i->dst, IR_MO_32)) {
        x87_forget(g);
        CALL(H_fld_m32, i->dst);
        x87_note_pointers(g, i);
    }
}

void gen_FLD_M64(Gen *g, const Insn *i)
{
    if (!x87_mem(g, i, push, i->dst, IR_MO_64)) {
        x87_forget(g);
        CALL(H_fld_m64, i->dst);
        x87_note_pointers(g, i);
    }
}

void gen_FLD_M80(Gen *g, const Insn *i)
{
    if (!x87_load_m80(g, i)) {
        x87_forget(g);
        CALL(H_fld_m80, i->addr);
        x87_note_pointers(g, i);
    }
}

void gen_FILD(Gen *g, const Insn *i)
{
    IrVal v = i->dst;

    if (x87_mem(g, i, push, v, i->op[0].size)) {
        return;
    }
    x87_forget(g);
    if (i->op[0].size == IR_MO_16) {
        v = ir_ext(g->b, v, 16, true);
    }
    if (i->op[0].size != IR_MO_64) {
        v = ir_sext(g->b, v);
    }
    CALL(H_fild, v);
    x87_note_pointers(g, i);
}

void gen_FBLD(Gen *g, const Insn *i)
{
    x87_forget(g);
    CALL(H_fbld, i->addr);
    x87_note_pointers(g, i);
}

/* --- stores; ARG: pop --- */

static void store(Gen *g, const Insn *i, X86Helper helper, unsigned size, unsigned pop)
{
    if (!x87_store(g, i, size, pop)) {
        x87_forget(g);
        CALL(helper, i->addr, konst(g, pop));
        x87_note_pointers(g, i);
    }
}

void gen_FST_M32(Gen *g, const Insn *i)
{
    store(g, i, H_fst_m32, IR_MO_32, i->e->arg);
}

void gen_FST_M64(Gen *g, const Insn *i)
{
    store(g, i, H_fst_m64, IR_MO_64, i->e->arg);
}

void gen_FIST_M16(Gen *g, const Insn *i)
{
    store(g, i, H_fist_m16, IR_MO_16, i->e->arg);
}

void gen_FIST_M32(Gen *g, const Insn *i)
{
    store(g, i, H_fist_m32, IR_MO_32, i->e->arg);
}

void gen_FIST_M64(Gen *g, const Insn *i)
{
    store(g, i, H_fist_m64, IR_MO_64, i->e->arg);
}

void gen_FISTTP_M16(Gen *g, const Insn *i)
{
    store(g, i, H_fisttp_m16, IR_MO_16, 1);
}

void gen_FISTTP_M32(Gen *g, const Insn *i)
{
    store(g, i, H_fisttp_m32, IR_MO_32, 1);
}

void gen_FISTTP_M64(Gen *g, const Insn *i)
{
    store(g, i, H_fisttp_m64, IR_MO_64, 1);
}

void gen_FSTP_M80(Gen *g, const Insn *i)
{
    if (!x87_store_m80(g, i)) {
        x87_forget(g);
        CALL(H_fstp_m80, i->addr);
        x87_note_pointers(g, i);
    }
}

void gen_FBSTP(Gen *g, const Insn *i)
{
    x87_forget(g);
    CALL(H_fbstp, i->addr);
    x87_note_pointers(g, i);
}

void gen_FST_ST(Gen *g, const Insn *i)
{
    unsigned pops = i->e->arg;

    if (!(pops ? x87_pop_to(g, i) : x87_reg(g, i, (X87Effect){ .reads = 1, .writes = bit(i), .cc = X87_C1 }))) {
        x87_forget(g);
        CALL(H_fst_st, sti(g, i), konst(g, pops));
        x87_note_pointers(g, i);
    }
}

/* --- one operand in ST(0), and the rest of the register forms --- */

#define INLINE(NAME, helper, reads_, writes_, cc_) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        if (!x87_reg(g, i, (X87Effect){ .reads = reads_, .writes = writes_, .cc = cc_ })) { \
            x87_forget(g); \
            CALL(H_##helper); \
            x87_note_pointers(g, i); \
        } \
    }
INLINE(FCHS, fchs, 1, 1, X87_C1)
INLINE(FABS, fabs, 1, 1, X87_C1)
INLINE(FTST, ftst, 1, 0, X87_CC)
INLINE(FXAM, fxam, 1, 0, X87_CC)
INLINE(FSQRT, fsqrt, 1, 1, X87_C1)
INLINE(FRNDINT, frndint, 1, 1, X87_C1)

/* Slow ones, some of which define condition codes by their operands. */
#define BY_HELPER(NAME, helper, reads_, pops_) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        x87_before_helper(g, (X87Effect){ .reads = reads_, .pops = pops_ }); \
        CALL(H_##helper); \
        x87_note_pointers(g, i); \
    }
BY_HELPER(F2XM1, f2xm1, 1, 0)
BY_HELPER(FSIN, fsin, 1, 0)
BY_HELPER(FCOS, fcos, 1, 0)
BY_HELPER(FPREM, fprem, 3, 0)
BY_HELPER(FPREM1, fprem1, 3, 0)
BY_HELPER(FSCALE, fscale, 3, 0)
BY_HELPER(FYL2X, fyl2x, 3, 1)
BY_HELPER(FYL2XP1, fyl2xp1, 3, 1)
BY_HELPER(FPATAN, fpatan, 3, 1)

void gen_FLD_CONST(Gen *g, const Insn *i)
{
    if (!x87_reg(g, i, push)) {
        x87_forget(g);
        CALL(H_fld_const, konst(g, i->modrm));
        x87_note_pointers(g, i);
    }
}

void gen_FXCH(Gen *g, const Insn *i)
{
    if (!x87_reg(g, i, (X87Effect){ .reads = 1 | bit(i), .writes = 1 | bit(i), .cc = X87_C1 })) {
        x87_forget(g);
        CALL(H_fxch, sti(g, i));
        x87_note_pointers(g, i);
    }
}

/* The opcode byte before ModRM is 0xd8 + n. */
void gen_X87_ANY(Gen *g, const Insn *i)
{
    x87_forget(g);
    CALL(H_x87_op, konst(g, (i->opcode & 7) << 8 | i->modrm));
    x87_note_pointers(g, i);
}

void gen_FFREE(Gen *g, const Insn *i)
{
    x87_forget(g);
    CALL(H_ffree, sti(g, i), konst(g, i->e->arg));
    x87_note_pointers(g, i);
}

/* Pending exceptions: there are none in other modes. */
void gen_FWAIT(Gen *g, const Insn *i)
{
    if (g->flags & HF_X87_CALLS) {
        CALL(H_fwait);
    }
}

void gen_FNOP(Gen *g, const Insn *i)
{
    if (i->opcode == 0xd9) {        /* FNOP waits; the relics of DB E0.. do not */
        gen_FWAIT(g, i);
    }
}

/* --- control --- */

/* The helper before may have changed whether x87 instructions are to be helper calls. */
static void leave_if_mode_changed(Gen *g)
{
    IrLabel same = ir_label_new(g->b);
    IrVal flags = ir_env_ld(g->b, IR_I32, offsetof(CPUX86State, hflags), IR_MO_32);

    gen_sync_flags(g);
    ir_brcondi(g->b, g->flags & HF_X87_CALLS ? IR_TSTNE : IR_TSTEQ, flags, HF_X87_CALLS, same);
    ir_exit_loop(g->b, gen_next_pc(g));
    ir_label(g->b, same);
}

/* Rounding and precision, as casts to integers change them, stay inline; unmasking an exception does not. */
void gen_FLDCW(Gen *g, const Insn *i)
{
    if (g->flags & HF_X87_CALLS) {
        CALL(H_fldcw, i->dst);
        leave_if_mode_changed(g);
    } else {
        x87_load_control_word(g, i->dst);
    }
}

void gen_FNSTCW(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_env_ld(g->b, IR_I32, offsetof(CPUX86State, fpuc), IR_MO_16));
}

void gen_FNSTSW(Gen *g, const Insn *i)
{
    IrVal sw = x87_status(g);

    gen_writeback(g, i, ir_is_none(sw) ? CALL(H_fnstsw) : sw);
}

void gen_FNCLEX(Gen *g, const Insn *i)
{
    x87_go_home(g);
    CALL(H_fnclex);
}

void gen_FNINIT(Gen *g, const Insn *i)
{
    x87_forget(g);
    CALL(H_fninit);
    leave_if_mode_changed(g);
}

static void image(Gen *g, const Insn *i, X86Helper helper)
{
    x87_forget(g);
    CALL(helper, i->addr, konst(g, i->osize != IR_MO_16));
    leave_if_mode_changed(g);
}

void gen_FLDENV(Gen *g, const Insn *i)
{
    image(g, i, H_fldenv);
}

void gen_FNSTENV(Gen *g, const Insn *i)
{
    image(g, i, H_fnstenv);
}

void gen_FRSTOR(Gen *g, const Insn *i)
{
    image(g, i, H_frstor);
}

void gen_FNSAVE(Gen *g, const Insn *i)
{
    image(g, i, H_fnsave);
}
