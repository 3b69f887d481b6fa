/*
 * Generators: system instructions; the work is in helpers (helper-system.c, helper-segment.c)
 * described in helpers-system.def.  SDM Vol.3, Vol.2 by mnemonic.
 *
 * What may change the mode leaves by gen_exit_mode_next(), or, if it is rare, by the run loop; what drops
 * translations, by an indirect exit.
 */
#include "target/i386/tcg/gen.h"

#define ENV(field) offsetof(CPUX86State, field)

static IrVal env_ld32(Gen *g, unsigned offset)
{
    return ir_env_ld(g->b, IR_I32, offset, IR_MO_32);
}

static IrVal env_ld64(Gen *g, unsigned offset)
{
    return ir_env_ld(g->b, IR_I64, offset, IR_MO_64);
}

void gen_set_hflag(Gen *g, uint32_t bit)
{
    ir_env_st(g->b, ir_ori(g->b, env_ld32(g, ENV(hflags)), bit), ENV(hflags), IR_MO_32);
}

/* EDX:EAX = v */
static void put_edx_eax(Gen *g, IrVal v)
{
    ir_put(g->b, G_RAX, ir_ext(g->b, v, 32, false));
    ir_put(g->b, G_RDX, ir_shri(g->b, v, 32));
}

/* --- interrupt flag, halting --- */

static bool io_privileged(const Gen *g)
{
    return g->cpl <= g->iopl && !(g->vm86 && g->iopl < 3);
}

void gen_CLI(Gen *g, const Insn *i)
{
    IrVal f;

    if (!io_privileged(g)) {
        IR_CALL(g->b, H_cli_virtual);
        return;
    }
    f = env_ld64(g, ENV(eflags));
    ir_env_st(g->b, ir_andi(g->b, f, ~(uint64_t)IF_MASK), ENV(eflags), IR_MO_64);
}

/*
 * Interrupts are held off for one more instruction.  If that comes in this block, nothing need be
 * remembered; else HF_INHIBIT_IRQ says so.
 */
void gen_STI(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;

    if (!io_privileged(g)) {
        gen_sync_flags(g);
        IR_CALL(b, H_sti_virtual);
        gen_exit_loop_next(g);
        return;
    }
    ir_env_st(b, ir_ori(b, env_ld64(g, ENV(eflags)), IF_MASK), ENV(eflags), IR_MO_64);
    if (gen_block_is_full(g, g->next)) {
        gen_set_hflag(g, HF_INHIBIT_IRQ);
        gen_exit_mode_next(g);
    } else {
        g->sti_shadow = true;
    }
}

void gen_CLD(Gen *g, const Insn *i)
{
    ir_env_st(g->b, ir_i64(g->b, 1), ENV(df), IR_MO_64);
}

void gen_STD(Gen *g, const Insn *i)
{
    ir_env_st(g->b, ir_i64(g->b, -1), ENV(df), IR_MO_64);
}

void gen_HLT(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_hlt, gen_next_pc(g));
    g->ended = true;
}

void gen_PAUSE(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_pause, gen_next_pc(g));
}

void gen_MONITOR(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_monitor, gen_linear(g, i->seg, ir_get(g->b, G_RAX), i->asize));
}

void gen_MWAIT(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_mwait, gen_next_pc(g));
    gen_exit_loop_next(g);
}

/* --- descriptor tables --- */

/* arg: 0 GDTR, 1 IDTR */
static unsigned table_offset(const Insn *i)
{
    return i->e->arg ? ENV(idt) : ENV(gdt);
}

void gen_SGDT(Gen *g, const Insn *i)
{
    unsigned table = table_offset(i);
    IrVal base = env_ld64(g, table + offsetof(SegmentCache, base));

    gen_st(g, i->addr, env_ld32(g, table + offsetof(SegmentCache, limit)), IR_MO_16);
    gen_st(g, gen_addr_plus(g, i, 2), base, g->code64 ? IR_MO_64 : IR_MO_32);
}

void gen_LGDT(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    unsigned table = table_offset(i);
    IrVal limit = gen_ld(g, i->addr, IR_MO_16), base = gen_ld(g, gen_addr_plus(g, i, 2), g->code64 ? IR_MO_64 : IR_MO_32);

    if (g->code64) {
        gen_raise_if(g, IR_NE, ir_extract(b, base, 0, 48, true), base, EXCP0D_GPF);
    } else {
        base = ir_zext(b, i->osize == IR_MO_16 ? ir_andi(b, base, 0xffffff) : base);
    }
    ir_env_st(b, base, table + offsetof(SegmentCache, base), IR_MO_64);
    ir_env_st(b, limit, table + offsetof(SegmentCache, limit), IR_MO_32);
}

static void store_selector(Gen *g, const Insn *i, IrVal sel)
{
    if (i->op[0].is_mem) {
        gen_st(g, i->addr, sel, IR_MO_16);
    } else {
        gen_writeback(g, i, sel);
    }
}

void gen_SLDT(Gen *g, const Insn *i)
{
    store_selector(g, i, env_ld32(g, ENV(ldt) + offsetof(SegmentCache, selector)));
}

void gen_STR(Gen *g, const Insn *i)
{
    store_selector(g, i, env_ld32(g, ENV(tr) + offsetof(SegmentCache, selector)));
}

void gen_LLDT(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_lldt, i->dst);
}

void gen_LTR(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_ltr, i->dst);
}

/* ZF alone changes. */
static void set_zf(Gen *g, IrVal zf)
{
    IrVal f = ir_andi(g->b, gen_get_flags(g), CC_ALL & ~CC_Z);

    gen_flags_eflags(g, ir_or(g->b, f, ir_shli(g->b, zf, 6)));
}

void gen_VERR(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    set_zf(g, IR_CALL(g->b, H_verr, i->dst));
}

void gen_VERW(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    set_zf(g, IR_CALL(g->b, H_verw, i->dst));
}

/* Bit 32 of the helper's answer: valid; the destination stays if not. */
static void access_query(Gen *g, const Insn *i, unsigned helper)
{
    IrBlock *b = g->b;
    unsigned reg = i->op[0].reg;
    IrVal r, old, value, valid = ir_i64(b, 1ull << 32);

    r = IR_CALL(b, helper, i->src);
    old = ir_get(b, G_RAX + reg);
    value = ir_ext(b, r, 32, false);
    if (i->osize == IR_MO_16) {
        value = ir_deposit(b, old, 0, 16, value);
    }
    ir_put(b, G_RAX + reg, ir_select(b, IR_TSTNE, r, valid, value, old));
    set_zf(g, ir_trunc(b, ir_shri(b, r, 32)));
}

void gen_LAR(Gen *g, const Insn *i)
{
    access_query(g, i, H_lar);
}

void gen_LSL(Gen *g, const Insn *i)
{
    access_query(g, i, H_lsl);
}

/* Raise dst's RPL to src's; ZF says that it was lower. */
void gen_ARPL(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    IrVal have = ir_andi(b, i->dst, 3), want = ir_andi(b, i->src, 3);
    IrVal raised = ir_or(b, ir_andi(b, i->dst, 0xfffc), want);

    gen_writeback(g, i, ir_select(b, IR_LTU, have, want, raised, i->dst));
    set_zf(g, ir_setcond(b, IR_I32, IR_LTU, have, want));
}

/* --- control and debug registers --- */

void gen_MOV_RC(Gen *g, const Insn *i)
{
    IrVal v = IR_CALL(g->b, H_read_cr, ir_i32(g->b, i->op[1].reg));

    gen_writeback(g, i, v);
}

void gen_MOV_CR(Gen *g, const Insn *i)
{
    IrVal v = i->op[1].size == IR_MO_64 ? i->src : ir_zext(g->b, i->src);

    gen_sync_flags(g);
    IR_CALL(g->b, H_write_cr, ir_i32(g->b, i->op[0].reg), v);
    if (i->op[0].reg == 3) {
        gen_exit_mode_next(g);
    } else {
        gen_exit_loop_next(g);
    }
}

void gen_MOV_RD(Gen *g, const Insn *i)
{
    gen_writeback(g, i, IR_CALL(g->b, H_read_dr, ir_i32(g->b, i->op[1].reg)));
}

void gen_MOV_DR(Gen *g, const Insn *i)
{
    IrVal v = i->op[1].size == IR_MO_64 ? i->src : ir_zext(g->b, i->src);

    IR_CALL(g->b, H_write_dr, ir_i32(g->b, i->op[0].reg), v);
    gen_exit_loop_next(g);
}

void gen_SMSW(Gen *g, const Insn *i)
{
    IrVal v = env_ld64(g, ENV(cr[0]));

    if (i->op[0].is_mem) {
        gen_st(g, i->addr, ir_trunc(g->b, v), IR_MO_16);
    } else {
        gen_writeback(g, i, v);
    }
}

void gen_LMSW(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_lmsw, i->dst);
    gen_exit_loop_next(g);
}

void gen_CLTS(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_clts);
    gen_exit_loop_next(g);
}

void gen_XGETBV(Gen *g, const Insn *i)
{
    if (!(g->flags & HF_OSXSAVE)) {
        gen_ud(g);
        return;
    }
    put_edx_eax(g, IR_CALL(g->b, H_xgetbv, gen_ld_gpr(g, R_ECX, IR_MO_32)));
}

void gen_XSETBV(Gen *g, const Insn *i)
{
    IrVal v;

    if (!(g->flags & HF_OSXSAVE)) {
        gen_ud(g);
        return;
    }
    v = ir_deposit(g->b, ir_get(g->b, G_RAX), 32, 32, ir_get(g->b, G_RDX));
    IR_CALL(g->b, H_xsetbv, gen_ld_gpr(g, R_ECX, IR_MO_32), v);
    gen_exit_loop_next(g);
}

/* --- MSRs, counters, identification --- */

void gen_RDMSR(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_rdmsr);
}

void gen_WRMSR(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_wrmsr);
    gen_exit_mode_next(g);
}

void gen_RDTSC(Gen *g, const Insn *i)
{
    put_edx_eax(g, IR_CALL(g->b, H_rdtsc));
}

void gen_RDTSCP(Gen *g, const Insn *i)
{
    put_edx_eax(g, IR_CALL(g->b, H_rdtsc));
    ir_put(g->b, G_RCX, ir_ext(g->b, IR_CALL(g->b, H_rdtsc_aux), 32, false));
}

void gen_RDPID(Gen *g, const Insn *i)
{
    gen_writeback(g, i, ir_ext(g->b, IR_CALL(g->b, H_rdtsc_aux), 32, false));
}

void gen_RDPMC(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_rdpmc);
}

void gen_CPUID(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_cpuid);
}

/* CF = 1: there always is a number. */
static void random_number(Gen *g, const Insn *i)
{
    IrVal v = IR_CALL(g->b, H_rdrand);

    gen_writeback(g, i, v);
    gen_flags_eflags(g, ir_i32(g->b, CC_C));
}

void gen_RDRAND(Gen *g, const Insn *i)
{
    random_number(g, i);
}

void gen_RDSEED(Gen *g, const Insn *i)
{
    random_number(g, i);
}

/* --- TLB, caches, order --- */

void gen_INVLPG(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_invlpg, i->addr);
    gen_exit_indirect(g, gen_next_pc(g));
}

void gen_INVPCID(Gen *g, const Insn *i)
{
    IrVal type = i->op[0].size == IR_MO_64 ? i->dst : ir_zext(g->b, i->dst);

    IR_CALL(g->b, H_invpcid, type, i->addr);
    gen_exit_indirect(g, gen_next_pc(g));
}

void gen_WBINVD(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_wbinvd);
}

/* Caches are not modelled: the address is checked as a load would be. */
void gen_CLFLUSH(Gen *g, const Insn *i)
{
    IR_CALL(g->b, H_probe_load, i->addr, ir_i32(g->b, 1), ir_i32(g->b, g->mmu_idx));
}

void gen_CLZERO(Gen *g, const Insn *i)
{
    IrBlock *b = g->b;
    IrVal addr = gen_linear(g, i->seg, ir_get(b, G_RAX), i->asize), zero = ir_i64(b, 0);

    addr = ir_andi(b, addr, ~63ull);
    for (unsigned n = 0; n < 64; n += 8) {
        gen_st(g, ir_addi(b, addr, n), zero, IR_MO_64);
    }
}

void gen_MFENCE(Gen *g, const Insn *i)
{
    ir_fence(g->b);
}

void gen_LFENCE(Gen *g, const Insn *i)
{
}

void gen_SFENCE(Gen *g, const Insn *i)
{
}

/* --- segment bases, SMAP, hypercalls, SMM --- */

static bool fsgsbase_enabled(Gen *g)
{
    if (!(g->flags & HF_FSGSBASE)) {
        gen_ud(g);
        return false;
    }
    return true;
}

void gen_RDFSBASE(Gen *g, const Insn *i)
{
    if (fsgsbase_enabled(g)) {
        gen_writeback(g, i, ir_get(g->b, G_ES_BASE + i->e->arg));
    }
}

void gen_WRFSBASE(Gen *g, const Insn *i)
{
    IrVal v;

    if (!fsgsbase_enabled(g)) {
        return;
    }
    v = i->op[0].size == IR_MO_64 ? i->dst : ir_zext(g->b, i->dst);
    gen_raise_if(g, IR_NE, ir_extract(g->b, v, 0, 48, true), v, EXCP0D_GPF);
    ir_put(g->b, G_ES_BASE + i->e->arg, v);
}

void gen_SWAPGS(Gen *g, const Insn *i)
{
    IrVal gs = ir_get(g->b, G_GS_BASE);

    ir_put(g->b, G_GS_BASE, env_ld64(g, ENV(kernelgsbase)));
    ir_env_st(g->b, gs, ENV(kernelgsbase), IR_MO_64);
}

/*
 * CPL 0 only, else #UD (not #GP).  AC chooses the TLB index of what follows; the block goes on with
 * the new one, and its exits tell of the mode while AC is not what the block began with.
 */
static void set_ac(Gen *g, bool on)
{
    IrBlock *b = g->b;
    IrVal f, h;

    if (g->cpl || !g->pe) {
        gen_ud(g);
        return;
    }
    f = env_ld64(g, ENV(eflags));
    h = env_ld32(g, ENV(hflags));
    ir_env_st(b, on ? ir_ori(b, f, AC_MASK) : ir_andi(b, f, ~(uint64_t)AC_MASK), ENV(eflags), IR_MO_64);
    ir_env_st(b, on ? ir_ori(b, h, HF_AC) : ir_andi(b, h, ~(uint32_t)HF_AC), ENV(hflags), IR_MO_32);
    g->flags = on ? g->flags | HF_AC : g->flags & ~(uint64_t)HF_AC;
    g->mmu_idx = gen_mmu_index(g->flags);
    g->mode_changed = (g->flags ^ g->req->mode.flags) & HF_AC;
}

void gen_CLAC(Gen *g, const Insn *i)
{
    set_ac(g, false);
}

void gen_STAC(Gen *g, const Insn *i)
{
    set_ac(g, true);
}

void gen_VMCALL(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_hypercall);
}

void gen_RSM(Gen *g, const Insn *i)
{
    gen_sync_flags(g);
    IR_CALL(g->b, H_rsm);
    gen_exit_state_set(g);
}

/* --- port I/O --- */

static IrVal port_operand(Gen *g, const Insn *i, unsigned n)
{
    return i->op[n].kind == OPD_I ? ir_i32(g->b, i->imm & 0xff) : gen_ld_gpr(g, R_EDX, IR_MO_16);
}

void gen_IN(Gen *g, const Insn *i)
{
    IrVal port = port_operand(g, i, 1), bytes = ir_i32(g->b, 1u << i->op[0].size);

    IR_CALL(g->b, H_check_io, port, bytes);
    gen_writeback(g, i, IR_CALL(g->b, H_in, port, bytes));
}

void gen_OUT(Gen *g, const Insn *i)
{
    IrVal port = port_operand(g, i, 0), bytes = ir_i32(g->b, 1u << i->op[1].size);

    IR_CALL(g->b, H_check_io, port, bytes);
    IR_CALL(g->b, H_out, port, i->src, bytes);
}
