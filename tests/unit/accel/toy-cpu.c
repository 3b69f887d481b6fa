/*
 * The toy guest: front end, page table, exceptions (toy-cpu.h has the instruction set).
 */
#include "toy-cpu.h"

enum { H_HALT, H_ILLEGAL, H_SWITCH, H_FLUSHPAGE };

static Vcpu *toy_vcpu(void *env)
{
    return &container_of(env, ToyCpu, env)->parent;
}

static void toy_helper_halt(void *env)
{
    Vcpu *cpu = toy_vcpu(env);

    tcg_cpu_restore_state(cpu, GETPC());
    __atomic_store_n(&cpu->halted, 1, __ATOMIC_SEQ_CST);
    cpu->exception_index = EXCP_HLT;
    tcg_cpu_loop_exit(cpu);
}

static void toy_helper_illegal(void *env)
{
    toy_vcpu(env)->exception_index = TOY_EXC_ILLEGAL;
    tcg_cpu_loop_exit_restore(toy_vcpu(env), GETPC());
}

static void toy_helper_switch(void *env, uint32_t tag)
{
    ((ToyEnv *)env)->tag = tag % TOY_TAGS;
    tcg_tlb_switch(toy_vcpu(env), tag % TOY_TAGS, false);
}

static void toy_helper_flushpage(void *env, uint64_t va)
{
    tcg_tlb_flush_page(toy_vcpu(env), va);
}

static const IrHelper toy_helpers[] = {
    [H_HALT]      = { "halt", toy_helper_halt, IR_VOID, 0, { 0 }, IR_HELPER_NORETURN },
    [H_ILLEGAL]   = { "illegal", toy_helper_illegal, IR_VOID, 0, { 0 }, IR_HELPER_NORETURN },
    [H_SWITCH]    = { "switch", toy_helper_switch, IR_VOID, 1, { IR_I32 }, 0 },
    [H_FLUSHPAGE] = { "flushpage", toy_helper_flushpage, IR_VOID, 1, { IR_I64 }, 0 },
};

#define R(n) { "r" #n, offsetof(ToyEnv, r[n]), IR_I64, 8 }
static const IrGlobal toy_globals[] = { R(0), R(1), R(2), R(3), R(4), R(5), R(6), R(7) };

static const IrTarget toy_target = {
    .name = "toy",
    .globals = toy_globals,
    .n_globals = ARRAY_SIZE(toy_globals),
    .helpers = toy_helpers,
    .n_helpers = ARRAY_SIZE(toy_helpers),
    .page_bits = 12,
};

/* --- front end --- */

static bool in_page(const TbRequest *req, int64_t delta)
{
    int64_t offset = (int64_t)((req->mode.cs_base + req->pc) & 0xfff) + delta;

    return offset >= 0 && offset < 4096;
}

static void go(TbRequest *req, unsigned slot, int64_t delta)
{
    if (in_page(req, delta)) {
        ir_exit_direct(req->ir, slot, delta, delta <= 0 ? IR_EXIT_POLL : 0);
    } else {
        ir_exit_indirect(req->ir, ir_pc(req->ir, delta));
    }
}

/* A forward branch: the block goes on behind it, as long as there are slots. */
static bool branch_on(TbRequest *req, unsigned *n_side, unsigned ra, unsigned rb, int64_t target)
{
    IrBlock *b = req->ir;

    if (*n_side >= IR_DIRECT_SLOTS - 2 || req->n_insns + 1 >= req->max_insns) {
        return false;
    }
    ir_exit_if(b, IR_NE, ir_get(b, ra), ir_get(b, rb), in_page(req, target) ? 2 + *n_side : IR_SLOT_NONE, target, 0);
    ++*n_side;
    return true;
}

typedef struct ToyBlock {
    unsigned n_side;            /* exits in the middle so far */
    bool in_loop, loops;        /* begun as a loop; branches to its start */
} ToyBlock;

/* BNE to the block's start: a loop inside it, once the block was begun as one. */
static bool loop_back(TbRequest *req, ToyBlock *t, uint32_t delta, unsigned ra, unsigned rb)
{
    IrBlock *b = req->ir;

    t->loops = !(req->cflags & (TB_SINGLE_INSN | TB_NO_CHAIN | TB_UNSHARED));
    if (!t->loops || !t->in_loop) {
        return false;
    }
    ir_exit_if(b, IR_EQ, ir_get(b, ra), ir_get(b, rb), in_page(req, delta + 4) ? 1 : IR_SLOT_NONE, delta + 4, 0);
    ir_loop_back(b);
    return true;
}

/* True if the block ends. */
static bool gen_insn(TbRequest *req, uint32_t delta, const uint8_t *i, ToyBlock *t)
{
    IrBlock *b = req->ir;
    unsigned ra = i[1] & 7, rb = i[2] & 7;
    int8_t imm = (int8_t)i[3];
    IrLabel taken;

    switch (i[0]) {
    case TOY_HALT:
        IR_CALL(b, H_HALT);
        return true;
    case TOY_LI:
        ir_put(b, ra, ir_i64(b, i[2] << 8 | i[3]));
        return false;
    case TOY_SHL:
        ir_put(b, ra, ir_shli(b, ir_get(b, rb), imm & 63));
        return false;
    case TOY_ADD:
        ir_put(b, ra, ir_add(b, ir_get(b, rb), ir_get(b, imm & 7)));
        return false;
    case TOY_ADDI:
        ir_put(b, ra, ir_addi(b, ir_get(b, rb), imm));
        return false;
    case TOY_LD:
        ir_put(b, ra, ir_ld(b, IR_I64, ir_addi(b, ir_get(b, rb), imm), 0, IR_MO_64));
        return false;
    case TOY_ST:
        ir_st(b, ir_get(b, ra), ir_addi(b, ir_get(b, rb), imm), 0, IR_MO_64);
        return false;
    case TOY_LD4:
        ir_put(b, ra, ir_ld(b, IR_I64, ir_addi(b, ir_get(b, rb), imm), 0, IR_MO_32));
        return false;
    case TOY_ST4:
        ir_st(b, ir_get(b, ra), ir_addi(b, ir_get(b, rb), imm), 0, IR_MO_32);
        return false;
    case TOY_BNE:
        if (imm > 1 && branch_on(req, &t->n_side, ra, rb, (int64_t)delta + imm * 4)) {
            return false;
        }
        if ((int64_t)delta + imm * 4 == 0 && loop_back(req, t, delta, ra, rb)) {
            return true;
        }
        taken = ir_label_new(b);
        ir_brcond(b, IR_NE, ir_get(b, ra), ir_get(b, rb), taken);
        go(req, 0, delta + 4);
        ir_label(b, taken);
        go(req, 1, (int64_t)delta + imm * 4);
        return true;
    case TOY_JR:
        ir_exit_indirect(b, ir_get(b, ra));
        return true;
    case TOY_CALL:
        ir_put(b, ra, ir_pc(b, delta + 4));
        if (in_page(req, delta + 4)) {
            ir_push_return(b, 1, ir_pc(b, delta + 4), delta + 4, (req->mode.cs_base + req->pc + delta + 4) & 0xfff);
        }
        go(req, 0, (int64_t)delta + imm * 4);
        return true;
    case TOY_RET:
        ir_exit_return(b, ir_get(b, ra));
        return true;
    case TOY_RMWADD:
        ir_put(b, ra, ir_atomic_rmw(b, IR_ATOMIC_ADD, ir_addi(b, ir_get(b, rb), imm), ir_get(b, ra), 0, IR_MO_64));
        return false;
    case TOY_CAS:
        ir_put(b, 0, ir_atomic_cas(b, ir_get(b, rb), ir_get(b, 0), ir_get(b, ra), 0, IR_MO_64));
        return false;
    case TOY_SWITCH:
        IR_CALL(b, H_SWITCH, ir_i32(b, i[3]));
        ir_exit_loop(b, ir_pc(b, delta + 4));
        return true;
    case TOY_FLUSHPAGE:
        IR_CALL(b, H_FLUSHPAGE, ir_get(b, ra));
        ir_exit_loop(b, ir_pc(b, delta + 4));
        return true;
    case TOY_MOV16:
        ir_st(b, ir_ld(b, IR_V128, ir_get(b, ra), 0, IR_MO_128), ir_addi(b, ir_get(b, rb), imm), 0, IR_MO_128);
        return false;
    default:
        IR_CALL(b, H_ILLEGAL);
        return true;
    }
}

/* True: it should be begun as a loop. */
static bool gen_block(TbRequest *req, bool in_loop)
{
    ToyBlock t = { .in_loop = in_loop };
    uint32_t delta = 0;

    req->n_insns = 0;
    if (in_loop) {
        ir_loop_begin(req->ir);
    }
    for (;;) {
        uint8_t insn[4];

        if (!req->fetch(req, delta, insn, 4)) {
            break;
        }
        ir_insn_start(req->ir, delta, 0, 0);
        bool end = gen_insn(req, delta, insn, &t);
        delta += 4;
        req->n_insns++;
        req->size = delta;
        if (end) {
            return t.loops && !in_loop;
        }
        if (req->n_insns >= req->max_insns || delta >= req->page_left) {
            break;
        }
    }
    go(req, 0, delta);
    return false;
}

static void toy_translate(TbRequest *req)
{
    if (gen_block(req, false)) {
        req->ir = tcg_block_begin(req->ctx);
        gen_block(req, true);
    }
}

/* --- CPU --- */

static void toy_get_mode(Vcpu *cpu, uint64_t *pc, TbMode *mode)
{
    *pc = TOY_CPU(cpu)->env.tcg.pc;
    *mode = (TbMode){ 0, 0 };
}

static bool toy_tlb_fill(Vcpu *cpu, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, bool probe,
                         uintptr_t retaddr)
{
    ToyCpu *toy = TOY_CPU(cpu);
    uint64_t page = va >> 12;
    uint32_t to = page < TOY_PAGES ? toy->map[toy->env.tag][page] : TOY_NO_PAGE;

    if (to == TOY_NO_PAGE) {
        if (probe) {
            return false;
        }
        toy->env.fault_va = va;
        toy->env.fault_access = access;
        cpu->exception_index = TOY_EXC_FAULT;
        tcg_cpu_loop_exit_restore(cpu, retaddr);
    }
    tcg_tlb_set_page(cpu, va & ~0xfffULL, (hwaddr)to << 12, MEMTXATTRS_UNSPECIFIED,
                     PAGE_PROT_READ | PAGE_PROT_WRITE | PAGE_PROT_EXEC, mmu_idx,
                     toy->tlb_large ? toy->tlb_large : 4096);
    return true;
}

static unsigned toy_fetch_mmu_idx(Vcpu *cpu)
{
    return 0;
}

static void toy_restore_state(Vcpu *cpu, uint64_t pc, const uint32_t params[2])
{
    TOY_CPU(cpu)->env.tcg.pc = pc;
}

static void toy_do_exception(Vcpu *cpu)
{
    ToyEnv *env = &TOY_CPU(cpu)->env;

    env->n_faults++;
    env->fault_pc = env->tcg.pc;
    if (env->fault_vector) {
        env->tcg.pc = env->fault_vector;
    } else {
        __atomic_store_n(&cpu->halted, 1, __ATOMIC_SEQ_CST);
    }
}

static bool toy_exec_interrupt(Vcpu *cpu, uint32_t request)
{
    cpu_reset_interrupt(cpu, request);
    return false;
}

static void toy_debug_hit(Vcpu *cpu, vaddr va, unsigned len, MmuAccess access, uintptr_t retaddr)
{
    ToyEnv *env = &TOY_CPU(cpu)->env;

    env->n_hits++;
    env->hit_va = va;
    env->hit_pc = env->tcg.pc;
    env->hit_memory = tcg_phys_ldq(cpu, va & ~7ULL);
}

static const TcgCpuOps toy_ops = {
    .ir = &toy_target,
    .page_bits = 12,
    .n_mmu_idx = 2,             /* translated code uses the first */
    .get_mode = toy_get_mode,
    .translate = toy_translate,
    .tlb_fill = toy_tlb_fill,
    .fetch_mmu_idx = toy_fetch_mmu_idx,
    .restore_state = toy_restore_state,
    .do_exception = toy_do_exception,
    .exec_interrupt = toy_exec_interrupt,
    .debug_hit = toy_debug_hit,
};

static bool toy_has_work(Vcpu *cpu)
{
    return __atomic_load_n(&cpu->interrupt_request, __ATOMIC_SEQ_CST) != 0;
}

VCPU_DEFINE(ToyCpu, toy_cpu, "toy-cpu", vcpu,
    .env_offset = offsetof(ToyCpu, env),
    .tcg        = &toy_ops,
    .has_work   = toy_has_work,
    .vmstate    = &vmstate_none,
    .arch       = "toy",
);
