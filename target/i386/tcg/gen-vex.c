/*
 * Generators: AVX, AVX2, F16C, FMA.
 *
 * A YMM register is two V128 globals.  An instruction that works on each 16-byte lane by itself runs its
 * generator once for each, with v[] the operands' lanes; the others (VEX_WHOLE) see both.  Results are kept in
 * Gen.lanes and written at the end; without VEX.L the upper half is cleared then.
 *
 * Reference: SDM Vol.1 chapter 14, Vol.2 V*.
 */
#include "target/i386/tcg/gen-sse.h"

/* --- around the generators --- */

IrVal gen_ld_half(Gen *g, const Insn *i, unsigned half)
{
    if (!half && gen_is_aligned(i)) {
        gen_raise_if(g, IR_TSTNE, i->addr, ir_i64(g->b, 31), EXCP0D_GPF);
    }
    return gen_ld128(g, half ? gen_addr_plus(g, i, 16) : i->addr, false);
}

static IrVal load_upper(Gen *g, const Insn *i, unsigned n)
{
    const Operand *o = &i->op[n];

    return o->kind == OPD_W && o->is_mem ? gen_ld_half(g, i, 1) : gen_ld_ymmh(g, o->reg);
}

static void load_upper_halves(Gen *g, Insn *i)
{
    for (unsigned n = i->e->write; n < ARRAY_SIZE(i->op); n++) {
        if (i->op[n].size == IR_MO_256 && !ir_is_none(i->v[n])) {
            i->hi[n] = load_upper(g, i, n);
        }
    }
}

/* Operand 0 where another register than the one written is read. */
static void load_vvvv(Gen *g, Insn *i)
{
    unsigned how = i->vex->how;

    if (how & VEX_NDS || (how & VEX_NDS_REG && !i->is_mem)) {
        i->v[0] = gen_ld_xmm(g, i->vvvv);
        i->hi[0] = i->vex_l ? gen_ld_ymmh(g, i->vvvv) : IR_NONE;
    }
}

static void run_upper_lane(Gen *g, const Insn *i)
{
    Insn upper = *i;

    for (unsigned n = 0; n < ARRAY_SIZE(i->v); n++) {
        upper.v[n] = ir_is_none(i->hi[n]) ? i->v[n] : i->hi[n];
    }
    upper.imm = (uint8_t)i->imm >> (i->vex->how >> VEX_STEP_SHIFT);
    g->lane = 1;
    i->e->gen(g, &upper);
    g->lane = 0;
}

static void run_lanes(Gen *g, const Insn *i)
{
    i->e->gen(g, i);
    if (i->vex_l && !(i->vex->how & VEX_WHOLE)) {
        run_upper_lane(g, i);
    }
}

/* Unmasked exceptions of the whole instruction come together: fpu-state.c, at helper_sse_begin(). */
static void run_lanes_checked(Gen *g, const Insn *i)
{
    IrVal state = IR_CALL(g->b, H_sse_begin);

    g->lanes_checked = true;
    run_lanes(g, i);
    state = IR_CALL(g->b, H_sse_again, state);
    run_lanes(g, i);
    g->lanes_checked = false;
    IR_CALL(g->b, H_sse_end, state);
}

/* All 32 bytes or none: a fault on the second page must leave the first one as it was. */
static void store_32(Gen *g, const Insn *i, const IrVal *v)
{
    IrBlock *b = g->b;
    IrLabel one_page;

    if (gen_is_aligned(i)) {
        gen_raise_if(g, IR_TSTNE, i->addr, ir_i64(b, 31), EXCP0D_GPF);
    } else {
        one_page = ir_label_new(b);
        ir_brcondi(b, IR_LEU, ir_andi(b, i->addr, 4095), 4096 - 32, one_page);
        IR_CALL(b, H_probe_store, i->addr, ir_i32(b, 32), ir_i32(b, g->mmu_idx));
        ir_label(b, one_page);
    }
    gen_st128(g, i->addr, v[0], false);
    gen_st128(g, gen_addr_plus(g, i, 16), v[1], false);
}

static void write_result(Gen *g, const Insn *i, const IrVal *v)
{
    const Operand *o = &i->op[0];
    unsigned reg = i->vex->how & VEX_NDD ? i->vvvv : o->reg;

    if (o->kind == OPD_W && o->is_mem) {
        if (o->size == IR_MO_256) {
            store_32(g, i, v);
        } else {
            gen_writeback(g, i, v[0]);
        }
        return;
    }
    gen_st_xmm(g, reg, v[0]);
    gen_st_ymmh(g, reg, ir_is_none(v[1]) ? sse_from_q(g, ir_i64(g->b, 0)) : v[1]);
}

void gen_vex_insn(Gen *g, Insn *i)
{
    IrVal result[2] = { IR_NONE, IR_NONE };

    load_upper_halves(g, i);
    load_vvvv(g, i);
    if (i->vex->how & VEX_FP && i->op[0].kind == OPD_W && i->op[0].is_mem) {
        /* a store that faults leaves MXCSR's flags as they were */
        IR_CALL(g->b, H_probe_store, i->addr, ir_i32(g->b, 1u << i->op[0].size), ir_i32(g->b, g->mmu_idx));
    }
    g->lanes = result;
    g->lane = 0;
    if (i->vex_l && i->vex->how & VEX_FP && g->flags & HF_MXCSR_UNMASKED) {
        run_lanes_checked(g, i);
    } else {
        run_lanes(g, i);
    }
    g->lanes = NULL;
    if (!ir_is_none(result[0])) {
        write_result(g, i, result);
    }
}

/* The results of a generator that sees both lanes; @hi is dropped without VEX.L. */
static void whole(Gen *g, const Insn *i, IrVal lo, IrVal hi)
{
    g->lanes[0] = lo;
    g->lanes[1] = i->vex_l ? hi : IR_NONE;
}

static IrVal zero(Gen *g)
{
    return sse_from_q(g, ir_i64(g->b, 0));
}

/* --- zeroing --- */

/* VZEROUPPER, with VEX.L VZEROALL. */
void gen_VZERO(Gen *g, const Insn *i)
{
    IrVal z = zero(g);

    for (unsigned n = 0; n < (g->code64 ? 16 : 8); n++) {
        gen_st_ymmh(g, n, z);
        if (i->vex_l) {
            gen_st_xmm(g, n, z);
        }
    }
}

/* --- lanes from halves and back --- */

/* A row that makes 16 bytes of the low part of its operand; the upper lane's part is next to it. */
void gen_VWIDEN(Gen *g, const Insn *i)
{
    IrVal hi = IR_NONE;
    IrVal lo = sse_vop1(g, i->e->arg, i->src);

    if (i->vex_l) {
        hi = sse_vop1(g, i->e->arg, ir_vop1i(g->b, IR_VOP_PSRLDQ_I, i->src, (1u << i->op[1].size) / 2));
    }
    whole(g, i, lo, hi);
}

/* A row that makes 8 bytes of 16, and zeros. */
void gen_VNARROW(Gen *g, const Insn *i)
{
    IrVal lo = sse_vop1(g, i->e->arg, i->src);

    if (i->vex_l) {
        lo = ir_vop2(g->b, IR_VOP_MOVLHPS, lo, sse_vop1(g, i->e->arg, i->hi[1]));
    }
    g->lanes[0] = lo;
}

/* A row that ignores FTZ, by which fpu-state.c finds tiny results: it is told of this one's. */
static IrVal to_half(Gen *g, IrVal v, uint8_t imm)
{
    IrVal half = ir_vop1i(g->b, IR_VOP_VCVTPS2PH, v, imm);

    if (g->flags & HF_MXCSR_UNMASKED) {
        IR_CALL(g->b, H_sse_half_results, sse_to_q(g, half));
    }
    return half;
}

static IrVal to_halves(Gen *g, const Insn *i)
{
    IrVal lo = to_half(g, i->src, i->imm);

    return i->vex_l ? ir_vop2(g->b, IR_VOP_MOVLHPS, lo, to_half(g, i->hi[1], i->imm)) : lo;
}

void gen_VCVTPS2PH(Gen *g, const Insn *i)
{
    if (g->flags & HF_MXCSR_UNMASKED && !g->lanes_checked) {
        IrVal state = IR_CALL(g->b, H_sse_begin);

        (void)to_halves(g, i);
        state = IR_CALL(g->b, H_sse_again, state);
        g->lanes[0] = to_halves(g, i);
        IR_CALL(g->b, H_sse_end, state);
    } else {
        g->lanes[0] = to_halves(g, i);
    }
}

void gen_VINSERT128(Gen *g, const Insn *i)
{
    whole(g, i, i->imm & 1 ? i->src : i->src2, i->imm & 1 ? i->src2 : i->hi[1]);
}

void gen_VEXTRACT128(Gen *g, const Insn *i)
{
    g->lanes[0] = i->imm & 1 ? i->hi[1] : i->src;
}

/* Four bits of the immediate for each half: which of x low, x high, y low, y high, or zero. */
static IrVal select_half(Gen *g, const Insn *i, unsigned select)
{
    const IrVal half[4] = { i->src, i->hi[1], i->src2, i->hi[2] };

    return select & 8 ? zero(g) : half[select & 3];
}

void gen_VPERM2X128(Gen *g, const Insn *i)
{
    whole(g, i, select_half(g, i, i->imm & 15), select_half(g, i, i->imm >> 4 & 15));
}

/* --- broadcasts --- */

static void broadcast(Gen *g, const Insn *i, IrVal v)
{
    whole(g, i, v, v);
}

void gen_VBROADCAST128(Gen *g, const Insn *i)
{
    broadcast(g, i, i->src);
}

void gen_VBROADCASTQ(Gen *g, const Insn *i)
{
    broadcast(g, i, ir_vop2(g->b, IR_VOP_PUNPCKLQDQ, i->src, i->src));
}

void gen_VBROADCASTD(Gen *g, const Insn *i)
{
    broadcast(g, i, ir_vop1i(g->b, IR_VOP_PSHUFD, i->src, 0));
}

static IrVal broadcast_word(Gen *g, IrVal v)
{
    return ir_vop1i(g->b, IR_VOP_PSHUFD, ir_vop1i(g->b, IR_VOP_PSHUFLW, v, 0), 0);
}

void gen_VBROADCASTW(Gen *g, const Insn *i)
{
    broadcast(g, i, broadcast_word(g, i->src));
}

void gen_VBROADCASTB(Gen *g, const Insn *i)
{
    broadcast(g, i, broadcast_word(g, ir_vop2(g->b, IR_VOP_PUNPCKLBW, i->src, i->src)));
}

/* --- permutes --- */

void gen_VPERMILPS(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop2(g->b, IR_VOP_VPERMILPS, i->src, i->src2));
}

void gen_VPERMILPD(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop2(g->b, IR_VOP_VPERMILPD, i->src, i->src2));
}

void gen_VPERMILPS_I(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop1i(g->b, IR_VOP_PSHUFD, i->src, i->imm));
}

void gen_VPERMILPD_I(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop2i(g->b, IR_VOP_SHUFPD, i->src, i->src, i->imm & 3));
}

/* Quadwords @a and @b of the source side by side. */
static IrVal two_quadwords(Gen *g, const Insn *i, unsigned a, unsigned b)
{
    return ir_vop2i(g->b, IR_VOP_SHUFPD, a & 2 ? i->hi[1] : i->src, b & 2 ? i->hi[1] : i->src, (a & 1) | (b & 1) << 1);
}

void gen_VPERMQ(Gen *g, const Insn *i)
{
    unsigned k = i->imm;

    whole(g, i, two_quadwords(g, i, k & 3, k >> 2 & 3), two_quadwords(g, i, k >> 4 & 3, k >> 6 & 3));
}

/* Eight elements by their index: from each half by its low two bits, then one by its third. */
static IrVal permute8(Gen *g, const Insn *i, IrVal index)
{
    IrBlock *b = g->b;
    IrVal lo = ir_vop2(b, IR_VOP_VPERMILPS, i->src2, index), hi = ir_vop2(b, IR_VOP_VPERMILPS, i->hi[2], index);

    return ir_vop3(b, IR_VOP_BLENDVPS, lo, hi, ir_vop1i(b, IR_VOP_PSLLD_I, index, 29));
}

void gen_VPERMD(Gen *g, const Insn *i)
{
    whole(g, i, permute8(g, i, i->src), permute8(g, i, i->hi[1]));
}

/* --- lane by lane --- */

/* The mask is a register. */
void gen_VBLENDV(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop3(g->b, i->e->arg, i->src, i->src2, i->src3));
}

/* One opcode for doublewords and, with VEX.W, quadwords: the rows are neighbours. */
void gen_VSHIFT(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_vop2(g->b, i->e->arg + i->rex_w, i->src, i->src2));
}
_Static_assert(IR_VOP_VPSRLVQ == IR_VOP_VPSRLVD + 1 && IR_VOP_VPSLLVQ == IR_VOP_VPSLLVD + 1, "neighbours");

/* The first eight predicates need no AVX of the host. */
void gen_VCMP(Gen *g, const Insn *i)
{
    unsigned predicate = i->imm & 31, which = i->e->arg;

    gen_writeback(g, i, sse_vop2i(g, predicate < 8 ? IR_VOP_CMPPS + which : IR_VOP_VCMPPS + which, i->src, i->src2, predicate));
}
_Static_assert(IR_VOP_CMPSD == IR_VOP_CMPPS + 3 && IR_VOP_VCMPSD == IR_VOP_VCMPPS + 3, "PS PD SS SD");

/* .arg: the row for singles, behind which is the one for doubles (VEX.W); the opcode says the order of operands. */
void gen_VFMA(Gen *g, const Insn *i)
{
    gen_writeback(g, i, sse_vop3i(g, i->e->arg + i->rex_w, i->dst, i->src, i->src2, (i->opcode >> 4) - 9));
}

/* --- to general registers and flags --- */

void gen_VMOVMSK(Gen *g, const Insn *i)
{
    IrVal lo = ir_vop_to_int(g->b, i->e->arg, IR_I32, i->src, IR_NONE, 0), hi;
    unsigned bits = i->e->arg == IR_VOP_PMOVMSKB ? 16 : i->e->arg == IR_VOP_MOVMSKPS ? 4 : 2;

    if (i->vex_l) {
        hi = ir_vop_to_int(g->b, i->e->arg, IR_I32, i->hi[1], IR_NONE, 0);
        lo = ir_or(g->b, lo, ir_shli(g->b, hi, bits));
    }
    gen_writeback(g, i, lo);
}

static IrVal ptest(Gen *g, IrVal x, IrVal y)
{
    return ir_vop_to_int(g->b, IR_VOP_PTEST, IR_I32, x, y, 0);
}

/* Z and C hold for all if they hold for both halves. */
static void test_all(Gen *g, const Insn *i, IrVal (*prepare)(Gen *g, IrVal v))
{
    IrVal f = ptest(g, prepare(g, i->dst), prepare(g, i->src));

    if (i->vex_l) {
        f = ir_and(g->b, f, ptest(g, prepare(g, i->hi[0]), prepare(g, i->hi[1])));
    }
    gen_flags_eflags(g, f);
}

static IrVal as_is(Gen *g, IrVal v)
{
    return v;
}

/* The signs of elements, all over them. */
static IrVal signs32(Gen *g, IrVal v)
{
    return ir_vop1i(g->b, IR_VOP_PSRAD_I, v, 31);
}

static IrVal signs64(Gen *g, IrVal v)
{
    return ir_vop1i(g->b, IR_VOP_PSHUFD, signs32(g, v), 0xf5);
}

void gen_VPTEST(Gen *g, const Insn *i)
{
    test_all(g, i, as_is);
}

void gen_VTESTPS(Gen *g, const Insn *i)
{
    test_all(g, i, signs32);
}

void gen_VTESTPD(Gen *g, const Insn *i)
{
    test_all(g, i, signs64);
}

/* --- masked moves and gathers: helper-avx.c --- */

/* Is the element, by VEX.W where the opcode has both, a quadword? */
static bool wide_elements(const Insn *i)
{
    return i->e->arg == IR_MO_64 || (i->e->arg == 0 && i->rex_w);
}

void gen_VMASKMOV_LD(Gen *g, const Insn *i)
{
    IrVal size = ir_i32(g->b, wide_elements(i) ? 8 : 4), hi = IR_NONE;
    IrVal lo = IR_CALL(g->b, H_mask_load, i->addr, i->src2, size);

    if (i->vex_l) {
        hi = IR_CALL(g->b, H_mask_load, gen_addr_plus(g, i, 16), i->hi[2], size);
    }
    whole(g, i, lo, hi);
}

void gen_VMASKMOV_ST(Gen *g, const Insn *i)
{
    IrVal size = ir_i32(g->b, wide_elements(i) ? 8 : 4);

    if (i->vex_l) {
        IR_CALL(g->b, H_mask_store_32, i->addr, i->src, i->hi[1], i->src2, i->hi[2], size);
    } else {
        IR_CALL(g->b, H_mask_store_16, i->addr, i->src, i->src2, size);
    }
}

/* .arg: the index is a quadword.  Elements, mask and destination change one by one, as faults see them. */
void gen_VGATHER(Gen *g, const Insn *i)
{
    uint32_t how = GATHER_REGS(i->reg, i->vector_index, i->vvvv) | (i->vex_l ? GATHER_32 : 0) | (i->rex_w ? GATHER_WIDE : 0)
                 | (i->e->arg ? GATHER_WIDE_INDEX : 0) | (i->asize == 32 ? GATHER_ADDR32 : 0) | i->scale << GATHER_SCALE_SHIFT
                 | i->seg << GATHER_SEG_SHIFT;

    IR_CALL(g->b, H_gather, i->ea, ir_i32(g->b, how));
}
