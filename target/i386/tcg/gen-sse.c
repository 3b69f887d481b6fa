/*
 * Generators of MMX and SSE: what they share, moves, MXCSR and state images.
 *
 * An SSE instruction becomes the row of vecops.def with its name; an MMX instruction takes its
 * operands to the low halves of vectors and uses the same row.
 *
 * Reference: SDM Vol.1 chapters 9 to 12, Vol.2.
 */
#include "target/i386/tcg/gen-sse.h"
#include "target/i386/tcg/gen-x87.h"

/* --- rows, with exceptions unmasked or not --- */

enum { VF_NONE = 0, VF_COMM = 1, VF_FPCR = 2 };
#define VF_0 VF_NONE

static const uint8_t vop_flags[IR_VOP_COUNT] = {
#define VOP(NAME, shape, prefix, map, opcode, digit, feature, flags) [IR_VOP_##NAME] = VF_PASTE(flags),
#define VF_PASTE(flags) VF_##flags
#include "tcg/vecops.def"
#undef VOP
#undef VF_PASTE
};

/* Does the row have to be bracketed by the checks of unmasked exceptions? */
static bool is_checked(const Gen *g, IrVop op)
{
    return vop_flags[op] & VF_FPCR && g->flags & HF_MXCSR_UNMASKED && !g->lanes_checked;
}

/* @emit builds the operation: once, or twice between the checks (fpu-state.c says why). */
#define CHECKED(g, op, emit) \
    do { \
        if (is_checked(g, op)) { \
            IrVal state_ = IR_CALL((g)->b, H_sse_begin), result_; \
            (void)(emit); \
            state_ = IR_CALL((g)->b, H_sse_again, state_); \
            result_ = (emit); \
            IR_CALL((g)->b, H_sse_end, state_); \
            return result_; \
        } \
        return (emit); \
    } while (0)

IrVal sse_vop1(Gen *g, IrVop op, IrVal x)
{
    CHECKED(g, op, ir_vop1(g->b, op, x));
}

IrVal sse_vop2(Gen *g, IrVop op, IrVal x, IrVal y)
{
    CHECKED(g, op, ir_vop2(g->b, op, x, y));
}

IrVal sse_vop1i(Gen *g, IrVop op, IrVal x, uint8_t imm)
{
    CHECKED(g, op, ir_vop1i(g->b, op, x, imm));
}

IrVal sse_vop2i(Gen *g, IrVop op, IrVal x, IrVal y, uint8_t imm)
{
    CHECKED(g, op, ir_vop2i(g->b, op, x, y, imm));
}

IrVal sse_vop3i(Gen *g, IrVop op, IrVal x, IrVal y, IrVal z, uint8_t imm)
{
    CHECKED(g, op, ir_vop3i(g->b, op, x, y, z, imm));
}

IrVal sse_to_int(Gen *g, IrVop op, IrType t, IrVal x, IrVal y_or_none, uint8_t imm)
{
    CHECKED(g, op, ir_vop_to_int(g->b, op, t, x, y_or_none, imm));
}

IrVal sse_from_int(Gen *g, IrVop op, IrVal x_or_none, IrVal i, uint8_t imm)
{
    CHECKED(g, op, ir_vop_from_int(g->b, op, x_or_none, i, imm));
}

IrVal sse_from_q(Gen *g, IrVal q)
{
    return sse_from_int(g, IR_VOP_MOVQ_FI, IR_NONE, q, 0);
}

IrVal sse_to_q(Gen *g, IrVal v)
{
    return sse_to_int(g, IR_VOP_MOVQ_TI, IR_I64, v, IR_NONE, 0);
}

void mmx_enter(Gen *g)
{
    x87_forget(g);
    IR_CALL(g->b, H_enter_mmx);
}

/* Before a store to memory: it may fault, and MMX mode is entered only after it. */
static void mmx_check_pending(Gen *g)
{
    x87_go_home(g);
    IR_CALL(g->b, H_fwait);
}

void mmx_writeback(Gen *g, const Insn *i, IrVal q)
{
    gen_writeback(g, i, q);
    if (!i->op[0].is_mem) {
        ir_env_st(g->b, ir_i32(g->b, 0xffff),
                  offsetof(CPUX86State, fpregs) + (i->op[0].reg & 7) * sizeof(FpuReg) + offsetof(FpuReg, parts.se),
                  IR_MO_16);
    }
}

/* --- whole registers --- */

void gen_MOVAPS(Gen *g, const Insn *i)
{
    gen_writeback(g, i, i->src);
}

void gen_MOVUPS(Gen *g, const Insn *i)
{
    gen_writeback(g, i, i->src);
}

void gen_LDDQU(Gen *g, const Insn *i)
{
    gen_writeback(g, i, gen_ld128(g, i->addr, false));
}

void gen_MOVNTDQA(Gen *g, const Insn *i)
{
    gen_writeback(g, i, gen_ld128(g, i->addr, true));
}

/* MOVNTPS, MOVNTPD, MOVNTDQ: the hint is not taken. */
void gen_MOVNTPS(Gen *g, const Insn *i)
{
    gen_st128(g, i->addr, i->src, true);
}

void gen_MOVNTQ(Gen *g, const Insn *i)
{
    mmx_check_pending(g);
    gen_st(g, i->addr, i->src, IR_MO_64);
    mmx_enter(g);
}

/* --- parts of registers: a load from memory clears the rest, a register move merges --- */

static void move_scalar(Gen *g, const Insn *i, IrVop merge)
{
    if (i->is_mem) {
        gen_writeback(g, i, i->src);
    } else {
        gen_writeback(g, i, ir_vop2(g->b, merge, i->dst, i->src));
    }
}

void gen_MOVSS_LD(Gen *g, const Insn *i)
{
    move_scalar(g, i, IR_VOP_MOVSS);
}

void gen_MOVSD_LD(Gen *g, const Insn *i)
{
    move_scalar(g, i, IR_VOP_MOVSD);
}

static void store_scalar(Gen *g, const Insn *i, IrVop merge)
{
    if (i->is_mem) {
        gen_writeback(g, i, i->src);
    } else {
        gen_writeback(g, i, ir_vop2(g->b, merge, gen_ld_xmm(g, i->vex ? i->vvvv : i->op[0].reg), i->src));
    }
}

void gen_MOVSS_ST(Gen *g, const Insn *i)
{
    store_scalar(g, i, IR_VOP_MOVSS);
}

void gen_MOVSD_ST(Gen *g, const Insn *i)
{
    store_scalar(g, i, IR_VOP_MOVSD);
}

/* The low 8 bytes at the operand's address, zero-extended. */
static IrVal load_q(Gen *g, const Insn *i)
{
    return ir_ld(g->b, IR_V128, i->addr, g->mmu_idx, IR_MO_64);
}

/* MOVLPS from memory, MOVHLPS between registers. */
void gen_MOVLPS_LD(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop2(g->b, i->is_mem ? IR_VOP_MOVSD : IR_VOP_MOVHLPS, i->dst, i->src));
}

void gen_MOVLPD_LD(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop2(g->b, IR_VOP_MOVSD, i->dst, load_q(g, i)));
}

/* MOVHPS from memory, MOVLHPS between registers: the low half of the source either way. */
void gen_MOVHPS_LD(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop2(g->b, IR_VOP_MOVLHPS, i->dst, i->src));
}

void gen_MOVHPD_LD(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop2(g->b, IR_VOP_MOVLHPS, i->dst, load_q(g, i)));
}

void gen_MOVLPS_ST(Gen *g, const Insn *i)
{
    ir_st(g->b, i->src, i->addr, g->mmu_idx, IR_MO_64);
}

void gen_MOVHPS_ST(Gen *g, const Insn *i)
{
    ir_st(g->b, ir_vop2(g->b, IR_VOP_PUNPCKHQDQ, i->src, i->src), i->addr, g->mmu_idx, IR_MO_64);
}

/* --- MOVD, MOVQ --- */

void gen_MOVD_LD(Gen *g, const Insn *i)
{
    if (is_mmx(i, 0)) {
        mmx_enter(g);
        mmx_writeback(g, i, i->op[1].size == IR_MO_64 ? i->src : ir_zext(g->b, i->src));
    } else {
        gen_writeback(g, i, ir_vop_from_int(g->b, i->op[1].size == IR_MO_64 ? IR_VOP_MOVQ_FI : IR_VOP_MOVD_FI,
                                            IR_NONE, i->src, 0));
    }
}

void gen_MOVD_ST(Gen *g, const Insn *i)
{
    bool wide = i->op[0].size == IR_MO_64;

    if (is_mmx(i, 1)) {
        mmx_check_pending(g);
        gen_writeback(g, i, wide ? i->src : ir_trunc(g->b, i->src));
        mmx_enter(g);
    } else {
        gen_writeback(g, i, ir_vop_to_int(g->b, wide ? IR_VOP_MOVQ_TI : IR_VOP_MOVD_TI, wide ? IR_I64 : IR_I32,
                                          i->src, IR_NONE, 0));
    }
}

/* MOVQ to an MMX or XMM register, and from an MMX register. */
void gen_MOVQ(Gen *g, const Insn *i)
{
    if (is_mmx(i, 0)) {
        mmx_check_pending(g);
        mmx_writeback(g, i, i->src);
        mmx_enter(g);
    } else {
        gen_writeback(g, i, i->is_mem ? i->src : ir_vop1(g->b, IR_VOP_MOVQ, i->src));
    }
}

/* MOVQ xmm/m64, xmm. */
void gen_MOVQ_ST(Gen *g, const Insn *i)
{
    gen_writeback(g, i, i->is_mem ? i->src : ir_vop1(g->b, IR_VOP_MOVQ, i->src));
}

void gen_MOVQ2DQ(Gen *g, const Insn *i)
{
    mmx_enter(g);
    gen_writeback(g, i, sse_from_q(g, i->src));
}

void gen_MOVDQ2Q(Gen *g, const Insn *i)
{
    mmx_enter(g);
    mmx_writeback(g, i, sse_to_q(g, i->src));
}

/* --- masked store to DS:rDI --- */

void gen_MASKMOV(Gen *g, const Insn *i)
{
    bool mmx = is_mmx(i, 0);
    IrVal addr = gen_linear(g, i->seg, gen_ld_gpr(g, R_EDI, IR_MO_64), i->asize);
    IrVal data = i->dst, mask = i->src;

    if (mmx) {
        mmx_check_pending(g);
        data = sse_from_q(g, data);
        mask = sse_from_q(g, mask);
    }
    IR_CALL(g->b, H_maskmov, addr, data, mask);
    if (mmx) {
        mmx_enter(g);
    }
}

void gen_EMMS(Gen *g, const Insn *i)
{
    x87_forget(g);
    IR_CALL(g->b, H_emms);
}

/* --- MXCSR and state images --- */

void gen_LDMXCSR(Gen *g, const Insn *i)
{
    IrVal changed = IR_CALL(g->b, H_ldmxcsr, i->dst);
    IrLabel same = ir_label_new(g->b);

    /* Whether exceptions are unmasked is part of the mode. */
    gen_sync_flags(g);
    ir_brcondi(g->b, IR_EQ, changed, 0, same);
    ir_exit_loop(g->b, gen_next_pc(g));
    ir_label(g->b, same);
}

void gen_STMXCSR(Gen *g, const Insn *i)
{
    gen_writeback(g, i, IR_CALL(g->b, H_stmxcsr));
}

void gen_FXSAVE(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_fxsave, i->addr, ir_i32(g->b, i->rex_w));
}

void gen_FXRSTOR(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_fxrstor, i->addr, ir_i32(g->b, i->rex_w));
    gen_exit_loop_next(g);      /* MXCSR masks may have changed */
}

/* The XSAVE family is enabled by CR4.OSXSAVE; CR0.TS still traps, CR0.EM does not. */
static bool xsave_enabled(Gen *g)
{
    if (!(g->flags & HF_OSXSAVE)) {
        gen_ud(g);
        return false;
    }
    if (g->flags & HF_TS) {
        gen_nm(g);
        return false;
    }
    return true;
}

static void xsave_call(Gen *g, const Insn *i, X86Helper helper)
{
    IrVal eax = gen_ld_gpr(g, R_EAX, IR_MO_32), edx = gen_ld_gpr(g, R_EDX, IR_MO_32);
    IrVal mask = ir_deposit(g->b, ir_zext(g->b, eax), 32, 32, ir_zext(g->b, edx));

    IR_CALL(g->b, helper, i->addr, mask, ir_i32(g->b, i->rex_w));
}

void gen_XSAVE(Gen *g, const Insn *i)
{
    if (xsave_enabled(g)) {
        xsave_call(g, i, H_xsave);
    }
}

void gen_XSAVEOPT(Gen *g, const Insn *i)
{
    if (xsave_enabled(g)) {
        xsave_call(g, i, H_xsaveopt);
    }
}

void gen_XSAVEC(Gen *g, const Insn *i)
{
    if (xsave_enabled(g)) {
        xsave_call(g, i, H_xsavec);
    }
}

void gen_XRSTOR(Gen *g, const Insn *i)
{
    if (xsave_enabled(g)) {
        xsave_call(g, i, H_xrstor);
        gen_exit_loop_next(g);
    }
}
