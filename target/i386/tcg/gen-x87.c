/*
 * Generators of x87 instructions: one helper call each (helper-x87.c).
 *
 * The unit's checks (CR0.EM, CR0.TS) are made by common code; pending exceptions by the helpers
 * of waiting instructions.  Instruction and data pointers are stored here; the last opcode and
 * the selectors are not kept, as on CPUs that deprecate FCS and FDS and record FOP for unmasked
 * exceptions only (SDM Vol.1 8.1.8, 8.1.9).
 *
 * Reference: SDM Vol.1 chapter 8; Vol.2 F*.
 */
#include "target/i386/tcg/gen.h"

#define CALL(...) IR_CALL(g->b, __VA_ARGS__)

static IrVal konst(Gen *g, uint32_t v)
{
    return ir_i32(g->b, v);
}

static IrVal sti(Gen *g, const Insn *i)
{
    return konst(g, i->modrm & 7);
}

/* FIP and FDP after a non-control instruction that was not refused. */
static void note_pointers(Gen *g, const Insn *i)
{
    ir_env_st(g->b, ir_pc(g->b, i->delta), offsetof(CPUX86State, fpip), IR_MO_64);
    if (i->is_mem) {
        ir_env_st(g->b, i->ea, offsetof(CPUX86State, fpdp), IR_MO_64);
    }
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

static void arith_with(Gen *g, const Insn *i, X86Helper helper, IrVal operand)
{
    unsigned op = i->e->arg & 7;

    if (op == 2 || op == 3) {       /* comparisons have a second argument: pop */
        CALL(helper, operand, konst(g, op & 1));
    } else {
        CALL(helper, operand);
    }
    note_pointers(g, i);
}

void gen_X87_ARITH_M32(Gen *g, const Insn *i)
{
    arith_with(g, i, arith[i->e->arg].m32, i->dst);
}

void gen_X87_ARITH_M64(Gen *g, const Insn *i)
{
    arith_with(g, i, arith[i->e->arg].m64, i->dst);
}

void gen_X87_ARITH_I32(Gen *g, const Insn *i)
{
    arith_with(g, i, arith[i->e->arg].i32, i->dst);
}

void gen_X87_ARITH_I16(Gen *g, const Insn *i)
{
    arith_with(g, i, arith[i->e->arg].i32, ir_ext(g->b, i->dst, 16, true));
}

void gen_X87_ARITH_ST0(Gen *g, const Insn *i)
{
    arith_with(g, i, arith[i->e->arg].st0, sti(g, i));
}

void gen_X87_ARITH_STI(Gen *g, const Insn *i)
{
    CALL(arith[i->e->arg & 7].sti, sti(g, i), konst(g, i->e->arg >> 3));
    note_pointers(g, i);
}

/* ARG: pops | 4 for FUCOM.  The double-popping forms compare with ST(1), which ModRM.rm says. */
void gen_FCOM_ST(Gen *g, const Insn *i)
{
    CALL(H_fcom_st, sti(g, i), konst(g, i->e->arg));
    note_pointers(g, i);
}

void gen_FCOMI(Gen *g, const Insn *i)
{
    IrVal flags = CALL(H_fcomi, sti(g, i), konst(g, i->e->arg), gen_get_flags(g));

    note_pointers(g, i);
    gen_flags_eflags(g, flags);
}

void gen_FCMOV(Gen *g, const Insn *i)
{
    CALL(H_fcmov, konst(g, i->e->arg), konst(g, i->modrm), gen_get_flags(g));
    note_pointers(g, i);
}

/* --- loads --- */

void gen_FLD_ST(Gen *g, const Insn *i)
{
    CALL(H_fld_st, sti(g, i));
    note_pointers(g, i);
}

void gen_FLD_M32(Gen *g, const Insn *i)
{
    CALL(H_fld_m32, i->dst);
    note_pointers(g, i);
}

void gen_FLD_M64(Gen *g, const Insn *i)
{
    CALL(H_fld_m64, i->dst);
    note_pointers(g, i);
}

void gen_FLD_M80(Gen *g, const Insn *i)
{
    CALL(H_fld_m80, i->addr);
    note_pointers(g, i);
}

void gen_FILD(Gen *g, const Insn *i)
{
    IrVal v = i->dst;

    if (i->op[0].size == IR_MO_16) {
        v = ir_ext(g->b, v, 16, true);
    }
    if (i->op[0].size != IR_MO_64) {
        v = ir_sext(g->b, v);
    }
    CALL(H_fild, v);
    note_pointers(g, i);
}

void gen_FBLD(Gen *g, const Insn *i)
{
    CALL(H_fbld, i->addr);
    note_pointers(g, i);
}

/* --- stores; ARG: pop --- */

static void store(Gen *g, const Insn *i, X86Helper helper, unsigned pop)
{
    CALL(helper, i->addr, konst(g, pop));
    note_pointers(g, i);
}

void gen_FST_M32(Gen *g, const Insn *i)
{
    store(g, i, H_fst_m32, i->e->arg);
}

void gen_FST_M64(Gen *g, const Insn *i)
{
    store(g, i, H_fst_m64, i->e->arg);
}

void gen_FIST_M16(Gen *g, const Insn *i)
{
    store(g, i, H_fist_m16, i->e->arg);
}

void gen_FIST_M32(Gen *g, const Insn *i)
{
    store(g, i, H_fist_m32, i->e->arg);
}

void gen_FIST_M64(Gen *g, const Insn *i)
{
    store(g, i, H_fist_m64, i->e->arg);
}

void gen_FISTTP_M16(Gen *g, const Insn *i)
{
    store(g, i, H_fisttp_m16, 1);
}

void gen_FISTTP_M32(Gen *g, const Insn *i)
{
    store(g, i, H_fisttp_m32, 1);
}

void gen_FISTTP_M64(Gen *g, const Insn *i)
{
    store(g, i, H_fisttp_m64, 1);
}

void gen_FSTP_M80(Gen *g, const Insn *i)
{
    CALL(H_fstp_m80, i->addr);
    note_pointers(g, i);
}

void gen_FBSTP(Gen *g, const Insn *i)
{
    CALL(H_fbstp, i->addr);
    note_pointers(g, i);
}

void gen_FST_ST(Gen *g, const Insn *i)
{
    CALL(H_fst_st, sti(g, i), konst(g, i->e->arg));
    note_pointers(g, i);
}

/* --- one operand in ST(0), and the rest of the register forms --- */

#define NO_OPERAND(NAME, helper) \
    void gen_##NAME(Gen *g, const Insn *i) \
    { \
        CALL(H_##helper); \
        note_pointers(g, i); \
    }
NO_OPERAND(FCHS, fchs)
NO_OPERAND(FABS, fabs)
NO_OPERAND(FTST, ftst)
NO_OPERAND(FXAM, fxam)
NO_OPERAND(FSQRT, fsqrt)
NO_OPERAND(FRNDINT, frndint)
NO_OPERAND(F2XM1, f2xm1)
NO_OPERAND(FSIN, fsin)
NO_OPERAND(FCOS, fcos)
NO_OPERAND(FPREM, fprem)
NO_OPERAND(FPREM1, fprem1)
NO_OPERAND(FSCALE, fscale)
NO_OPERAND(FYL2X, fyl2x)
NO_OPERAND(FYL2XP1, fyl2xp1)
NO_OPERAND(FPATAN, fpatan)

void gen_FLD_CONST(Gen *g, const Insn *i)
{
    CALL(H_fld_const, konst(g, i->modrm));
    note_pointers(g, i);
}

void gen_FXCH(Gen *g, const Insn *i)
{
    CALL(H_fxch, sti(g, i));
    note_pointers(g, i);
}

/* The opcode byte before ModRM is 0xd8 + n. */
void gen_X87_ANY(Gen *g, const Insn *i)
{
    CALL(H_x87_op, konst(g, (i->opcode & 7) << 8 | i->modrm));
    note_pointers(g, i);
}

void gen_FFREE(Gen *g, const Insn *i)
{
    CALL(H_ffree, sti(g, i), konst(g, i->e->arg));
    note_pointers(g, i);
}

void gen_FNOP(Gen *g, const Insn *i)
{
    if (i->opcode == 0xd9) {        /* FNOP waits; the relics of DB E0.. do not */
        CALL(H_fwait);
    }
}

/* --- control --- */

void gen_FWAIT(Gen *g, const Insn *i)
{
    CALL(H_fwait);
}

void gen_FLDCW(Gen *g, const Insn *i)
{
    CALL(H_fldcw, i->dst);
}

void gen_FNSTCW(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_env_ld(g->b, IR_I32, offsetof(CPUX86State, fpuc), IR_MO_16));
}

void gen_FNSTSW(Gen *g, const Insn *i)
{
    gen_writeback(g, i, CALL(H_fnstsw));
}

void gen_FNCLEX(Gen *g, const Insn *i)
{
    CALL(H_fnclex);
}

void gen_FNINIT(Gen *g, const Insn *i)
{
    CALL(H_fninit);
}

static void image(Gen *g, const Insn *i, X86Helper helper)
{
    CALL(helper, i->addr, konst(g, i->osize != IR_MO_16));
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
