/*
 * The x86 front end's frame: globals and helpers as the IR sees them, the loop over a block's
 * instructions, and what the TCG accelerator asks of an x86 CPU.
 *
 * A block ends at a change of control or mode, at its page's end (its last instruction may cross),
 * at TbRequest.max_insns, or when its IR grows long.  A branch back to its start is a loop inside it.
 */
#include "target/i386/tcg/gen-x87.h"

#define GLOBAL64(index, field, heat_) [index] = { #field, offsetof(CPUX86State, field), IR_I64, heat_ }
#define GLOBAL_REG(n, name_, heat_) [G_RAX + (n)] = { name_, offsetof(CPUX86State, regs[n]), IR_I64, heat_ }
#define GLOBAL_XMM(n) [G_XMM0 + (n)] = { "xmm" #n, offsetof(CPUX86State, ymm[n]), IR_V128, 0 }, \
                      [G_YMMH0 + (n)] = { "ymmh" #n, offsetof(CPUX86State, ymm[n].x[1]), IR_V128, 0 }

static const IrGlobal x86_ir_globals[X86_N_GLOBALS] = {
    GLOBAL_REG(R_EAX, "rax", 15), GLOBAL_REG(R_ECX, "rcx", 13), GLOBAL_REG(R_EDX, "rdx", 13),
    GLOBAL_REG(R_EBX, "rbx", 12), GLOBAL_REG(R_ESP, "rsp", 15), GLOBAL_REG(R_EBP, "rbp", 12),
    GLOBAL_REG(R_ESI, "rsi", 12), GLOBAL_REG(R_EDI, "rdi", 14), GLOBAL_REG(8, "r8", 7), GLOBAL_REG(9, "r9", 6),
    GLOBAL_REG(10, "r10", 5), GLOBAL_REG(11, "r11", 5), GLOBAL_REG(12, "r12", 8), GLOBAL_REG(13, "r13", 7),
    GLOBAL_REG(14, "r14", 7), GLOBAL_REG(15, "r15", 6),
    GLOBAL64(G_CC_DST, cc_dst, 4), GLOBAL64(G_CC_SRC, cc_src, 3), GLOBAL64(G_CC_SRC2, cc_src2, 0),
    [G_CC_OP] = { "cc_op", offsetof(CPUX86State, cc_op), IR_I32, 2, .byte = true },
    GLOBAL64(G_FPIP, fpip, 0), GLOBAL64(G_FPDP, fpdp, 0),
    GLOBAL64(G_ES_BASE, segs[R_ES].base, 0), GLOBAL64(G_CS_BASE, segs[R_CS].base, 0),
    GLOBAL64(G_SS_BASE, segs[R_SS].base, 0), GLOBAL64(G_DS_BASE, segs[R_DS].base, 0),
    GLOBAL64(G_FS_BASE, segs[R_FS].base, 1), GLOBAL64(G_GS_BASE, segs[R_GS].base, 2),
    GLOBAL_XMM(0), GLOBAL_XMM(1), GLOBAL_XMM(2), GLOBAL_XMM(3), GLOBAL_XMM(4), GLOBAL_XMM(5), GLOBAL_XMM(6),
    GLOBAL_XMM(7), GLOBAL_XMM(8), GLOBAL_XMM(9), GLOBAL_XMM(10), GLOBAL_XMM(11), GLOBAL_XMM(12), GLOBAL_XMM(13),
    GLOBAL_XMM(14), GLOBAL_XMM(15),
};

#define HLP_T_V     IR_VOID
#define HLP_T_I32   IR_I32
#define HLP_T_I64   IR_I64
#define HLP_T_V128  IR_V128
#define HLP_TYPES0()
#define HLP_TYPES1(a) HLP_T_##a
#define HLP_TYPES2(a, ...) HLP_T_##a, HLP_TYPES1(__VA_ARGS__)
#define HLP_TYPES3(a, ...) HLP_T_##a, HLP_TYPES2(__VA_ARGS__)
#define HLP_TYPES4(a, ...) HLP_T_##a, HLP_TYPES3(__VA_ARGS__)
#define HLP_TYPES5(a, ...) HLP_T_##a, HLP_TYPES4(__VA_ARGS__)
#define HLP_TYPES6(a, ...) HLP_T_##a, HLP_TYPES5(__VA_ARGS__)
#define HLP_TYPES(...) HLP_CAT(HLP_TYPES, HLP_COUNT(__VA_ARGS__))(__VA_ARGS__)

static const IrHelper x86_ir_helpers[] = {
#define HELPER(name_, ret_, flags_, ...)                                                          \
    { .name = #name_, .fn = (void *)helper_##name_, .ret = HLP_T_##ret_, .flags = flags_,         \
      .n_args = HLP_COUNT(__VA_ARGS__), .args = { HLP_TYPES(__VA_ARGS__) } },
#include "helpers-int.def"
#include "helpers-simd.def"
#include "helpers-system.def"
#undef HELPER
};

const IrTarget x86_ir_target = {
    .name = "x86_64",
    .globals = x86_ir_globals,
    .n_globals = X86_N_GLOBALS,
    .helpers = x86_ir_helpers,
    .n_helpers = ARRAY_SIZE(x86_ir_helpers),
    .n_insn_params = 1,
    .stack_global = G_RSP,
    .restart_global = G_CC_OP,
    .restart_none = CC_OP_DYNAMIC,
    .restart_mask = 0xff,
};

/* --- one block --- */

unsigned gen_mmu_index(uint64_t flags)
{
    if ((flags & HF_CPL_MASK) == 3) {
        return MMU_USER_IDX;
    }
    return (flags & HF_SMAP) && !(flags & HF_AC) ? MMU_KSMAP_IDX : MMU_KNOSMAP_IDX;
}

static void gen_init(Gen *g, TbRequest *req, const X87Loop *loop)
{
    uint64_t f = req->mode.flags;

    *g = (Gen){ .b = req->ir, .req = req, .env = req->cpu->env, .flags = f };
    g->pe = f & HF_PE;
    g->vm86 = f & HF_VM;
    g->lma = f & HF_LMA;
    g->code64 = f & HF_CS64;
    g->code32 = (f & HF_CS32) && !g->code64;
    g->ss32 = f & HF_SS32;
    g->addseg = (f & HF_ADDSEG) || !g->pe || g->vm86;
    g->cpl = f & HF_CPL_MASK;
    g->iopl = f >> HF_IOPL_SHIFT & 3;
    g->mmu_idx = gen_mmu_index(f);
    g->one_insn = f & (HF_TF | HF_RF | HF_INHIBIT_IRQ);
    gen_flags_dynamic(g);
    ir_block_set_pc_width(g->b, g->code64 ? 64 : g->code32 ? 32 : 16);
    g->in_loop = loop;
    if (loop) {
        ir_loop_begin(g->b);
    }
    x87_begin_block(g, loop);
}

static bool fetch(void *opaque, uint32_t delta, void *buf, unsigned n)
{
    TbRequest *req = opaque;

    return req->fetch(req, delta, buf, n);
}

bool gen_block_is_full(const Gen *g, uint32_t next)
{
    const TbRequest *req = g->req;
    uint32_t page = 1u << 12, offset = (req->mode.cs_base + req->pc) & (page - 1);

    return g->one_insn || req->cflags & TB_SINGLE_INSN || g->n_insns >= req->max_insns || offset + next >= page
           || tcg_block_n_ops(g->b) >= TCG_OPS_SOFT_LIMIT;
}

/*
 * Does the instruction after the first lie on two pages?  It gets a block of its own: jumps to blocks
 * on two pages are never linked, and so the rest of this one keeps its links.
 */
static bool starts_next_block(const Gen *g, const Insn *i)
{
    uint32_t page = 1u << 12, offset = (g->req->mode.cs_base + g->req->pc) & (page - 1);

    return g->n_insns && offset + g->next + i->len > page;
}

/* Interrupts may be taken from here on: leave if there is one, else the block goes on. */
static void end_sti_shadow(Gen *g)
{
    IrLabel none = ir_label_new(g->b);

    gen_sync_flags(g);
    ir_brcondi(g->b, IR_EQ, IR_CALL(g->b, H_irq_pending), 0, none);
    ir_exit_loop(g->b, gen_next_pc(g));
    ir_label(g->b, none);
}

/* Where KVM runs the guest, instructions that CPUID does not announce run too: one that it hands over must not differ. */
static const uint64_t *decode_features(const Gen *g)
{
    return g->req->cpu->kvm ? NULL : g->env->features;
}

/* True: it should be a loop, as it branches to its start.  @loop: then, what was learned by making it once; @learned. */
static bool gen_block(TbRequest *req, const X87Loop *loop, X87Loop *learned)
{
    Gen g;
    Insn insn;
    X86Refusal refusal;

    gen_init(&g, req, loop);
    const X86DecodeMode mode = {
        .code64 = g.code64, .code32 = g.code32, .prot = g.pe && !g.vm86, .features = decode_features(&g),
        .bytes = req->bytes, .n_bytes = req->bytes ? req->page_left : 0,
    };
    do {
        refusal = x86_decode(&mode, fetch, req, g.next, &insn);
        if (refusal == DEC_TRUNCATED) {
            if (g.sti_shadow) {
                gen_set_hflag(&g, HF_INHIBIT_IRQ);
                g.sti_ends = true;
            }
            gen_end_block(&g);
            break;
        }
        if (starts_next_block(&g, &insn)) {
            gen_exit_indirect(&g, gen_next_pc(&g));
            break;
        }
        g.sti_ends = g.sti_shadow;
        g.sti_shadow = false;
        gen_insn(&g, &insn, refusal);
        if (g.sti_ends && !g.ended) {
            end_sti_shadow(&g);
        }
        g.sti_ends = false;
        if (!g.ended && gen_block_is_full(&g, g.next)) {
            gen_end_block(&g);
        }
    } while (!g.ended);
    req->n_insns = g.n_insns;
    req->size = g.next;
    x87_end_block(&g, learned);
    return g.loops && !loop;
}

void x86_translate(TbRequest *req)
{
    X87Loop learned, again;

    if (gen_block(req, NULL, &learned)) {
        req->ir = tcg_block_begin(req->ctx);
        req->n_insns = 0;
        gen_block(req, &learned, &again);
    }
}

/* --- what the accelerator asks --- */

void x86_get_mode(Vcpu *cpu, uint64_t *pc, TbMode *mode)
{
    CPUX86State *env = cpu->env;

    *pc = env->tcg.pc;
    mode->cs_base = env->hflags & HF_CS64 ? 0 : env->segs[R_CS].base;
    mode->flags = env->hflags | (x86_has_code_breakpoint(env) ? HF_TB_CODE_BP : 0);
}

static bool in_user_mode(Vcpu *cpu)
{
    return x86_cpl(cpu->env) == 3;
}

unsigned x86_fetch_mmu_idx(Vcpu *cpu)
{
    return x86_mmu_index(cpu->env);
}

void x86_restore_state(Vcpu *cpu, uint64_t pc, const uint32_t params[2])
{
    CPUX86State *env = cpu->env;

    env->tcg.pc = env->hflags & HF_CS64 ? pc : (uint32_t)pc;
    if ((params[0] & 0xff) != CC_OP_DYNAMIC) {
        env->cc_op = params[0] & 0xff;
    }
    x87_restore_state(env, params[0] >> 8);
}

/* Helpers do with any register stack. */
static void guard_failed(Vcpu *cpu)
{
    CPUX86State *env = cpu->env;

    env->hflags |= HF_X87_CALLS;
}

const TcgCpuOps x86_tcg_ops = {
    .ir = &x86_ir_target,
    .page_bits = 12,
    .n_mmu_idx = X86_N_MMU_IDX,
    .get_mode = x86_get_mode,
    .translate = x86_translate,
    .in_user_mode = in_user_mode,
    .fetch_mmu_idx = x86_fetch_mmu_idx,
    .restore_state = x86_restore_state,
    .guard_failed = guard_failed,
    .tlb_fill = x86_tlb_fill,
    .do_exception = x86_do_exception,
    .exec_interrupt = x86_exec_interrupt,
    .unaligned = x86_unaligned,
    .debug_hit = x86_debug_hit,
    .disassemble = x86_disassemble,
};
