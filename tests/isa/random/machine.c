/*
 * A vCPU of the real accelerator in user mode: soft TLB, run loop, block cache, links, self-modifying code.
 *
 * It sees the code and the test memory at the addresses where the host's run has them, by page tables with the
 * same rights.  There is no system in the guest: exceptions are taken where the accelerator would deliver
 * them (TcgCpuOps.do_exception), and end the run.
 */
#include <signal.h>

#include "../i386/env.h"
#include "accel/tcg/internal.h"
#include "random.h"
#include "system/memory.h"
#include "util/main-loop.h"
#include "util/rcu.h"

enum {
    RAM_SIZE = 2 * MiB, PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, PT = 0x4000,
    CODE_PA = 0x10000, MEM_PA = 0x20000,
    PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40,
};

#define PTE_NX (1ull << 63)

static MemoryRegion ram;
static uint8_t *mem;
static X86CPU *cpu;
static TcgCpuOps ops;
static struct { int vector; uint32_t error_code; uint64_t rip; } taken;
static volatile sig_atomic_t hung, n_runs;

/* Instead of delivery. */
static void take_exception(Vcpu *c)
{
    CPUX86State *env = c->env;

    taken.vector = c->exception_index;
    taken.error_code = (uint32_t)env->error_code;
    taken.rip = env->exception_is_int ? env->exception_next_eip : env->tcg.pc;
    if (env->exception_is_int && taken.vector != 3 && taken.vector != 4) {     /* INT n: no gate for user mode */
        taken.error_code = (uint32_t)taken.vector * 8 + 2;
        taken.vector = 13;
        taken.rip = env->tcg.pc;
    }
    c->stop = true;
}

/* On the timer's tick: a run that takes a hundred times what the host's may is stopped. */
static void tick(void)
{
    static int last, ticks;

    ticks = n_runs == last ? ticks + 1 : 0;
    if (ticks > 100 && taken.vector < 0) {
        hung = true;
        cpu->parent.stop = true;
        tcg_kick(cpu->parent.tcg);
    }
    last = n_runs;
}

static void set_entry(hwaddr table, unsigned index, uint64_t entry)
{
    memcpy(mem + table + 8 * index, &entry, 8);
}

static void make_page_tables(void)
{
    const uint64_t all = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;

    set_entry(PML4, 0, PDPT | all);
    set_entry(PDPT, ISA_CODE_VA >> 30, PD | all);
    set_entry(PD, 0, PT | all);
    for (unsigned i = 0; i < ISA_HOLE_SIZE / 4096; i++) {
        set_entry(PT, (ISA_HOLE >> 12) + i, (CODE_PA + i * 4096) | all);
    }
    for (unsigned i = 0; i < MEM_END; i++) {
        uint64_t rights = i == MEM_NONE ? 0 : i == MEM_READ_ONLY ? all & ~(uint64_t)(PTE_W | PTE_D) : all;
        set_entry(PT, (ISA_MEM_VA - ISA_CODE_VA) / 4096 + i, (MEM_PA + i * 4096) | rights | (rights ? PTE_NX : 0));
    }
}

static void set_segments(CPUX86State *env, IsaMode mode)
{
    const uint32_t data = DESC_P | 3 << DESC_DPL_SHIFT | DESC_S | DESC_W | DESC_A;

    static const uint16_t code[] = { ISA_SEL_CODE64, ISA_SEL_CODE32, ISA_SEL_CODE16 };
    const uint32_t of_mode = mode == ISA_16 ? 0 : DESC_G | (mode == ISA_32 ? DESC_B : DESC_L), limit = mode == ISA_16 ? 0xffff : ~0u;

    for (unsigned seg = R_ES; seg <= R_GS; seg++) {
        bool null = seg == R_FS || seg == R_GS;
        if (null || mode != ISA_16) {
            x86_load_seg_cache(env, seg, null ? 0 : ISA_SEL_DATA, 0, ~0u, data | DESC_G | DESC_B);
        } else {
            x86_load_seg_cache(env, seg, ISA_SEL_DATA16, ISA_MEM_VA, limit, data);
        }
    }
    x86_load_seg_cache(env, R_CS, code[mode], mode_code_base(mode), limit,
                       of_mode | DESC_P | 3 << DESC_DPL_SHIFT | DESC_S | DESC_CS | DESC_R | DESC_A);
    env->gdt.limit = env->ldt.limit = env->idt.limit = 0;
    env->tr = (SegmentCache){ .selector = 0x40, .flags = DESC_P | 11 << DESC_TYPE_SHIFT };    /* a TSS without I/O bitmap */
}

void machine_up(unsigned tb_size)
{
    g_autoptr(Value) props = value_dict();
    CPUX86State *env;
    sigset_t alarm, before;

    sigemptyset(&alarm);
    sigaddset(&alarm, SIGVTALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, &before);        /* of threads that are made here */
    bql_lock();
    rcu_thread_enter();
    memory_spaces_init();
    value_dict_set_int(props, "tb-size", (int)tb_size);
    g_assert(accel_select("tcg", props, &error_abort));
    g_assert(memory_region_init_ram(&ram, NULL, "ram", RAM_SIZE, &error_abort));
    memory_region_add_subregion(system_memory(), 0, &ram);
    mem = memory_region_get_ram_ptr(&ram);
    cpu = X86_CPU(object_new(type_by_name("max-x86_64-cpu")));
    g_assert(device_realize(&cpu->parent.dev, NULL, &error_abort));
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    ops = *((TcgCpuState *)cpu->parent.tcg)->ops;
    ops.do_exception = take_exception;
    ((TcgCpuState *)cpu->parent.tcg)->ops = &ops;
    make_page_tables();
    env = &cpu->env;
    env->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    native_watch(tick);
    cpu_current_set(&cpu->parent);
}

/* What isa_set_env() does not. */
static void set_system(CPUX86State *env, const IsaState *in, IsaMode mode)
{
    isa_set_env(env, in);
    if (env->cr[3] != PML4) {
        env->cr[3] = PML4;
        tcg_tlb_flush(&cpu->parent, TLB_FLUSH_STATE);
    }
    set_segments(env, mode);                  /* code astray may have been in the kernel, by SYSCALL */
    env->hflags = 3 | HF_PE | HF_LMA | (mode == ISA_64 ? HF_CS64 : mode == ISA_32 ? HF_CS32 | HF_SS32 : HF_ADDSEG);
    x86_update_hflags(env);
    env->old_exception = -1;
}

/* Writes by a device: blocks of the old bytes go. */
static void put_code(const uint8_t *code)
{
    if (memcmp(mem + CODE_PA, code, ISA_HOLE_SIZE)) {
        memcpy(mem + CODE_PA, code, ISA_HOLE_SIZE);
        ram_block_set_dirty(ram.ram, CODE_PA, ISA_HOLE_SIZE);
    }
}

void machine_run(const IsaState *in, IsaMode mode, const uint8_t *code, uint8_t *memory, IsaState *out, uint8_t *code_out)
{
    CPUX86State *env = &cpu->env;

    put_code(code);
    memcpy(mem + MEM_PA, memory, ISA_MEM_SIZE);
    set_system(env, in, mode);
    env->tcg.pc = ISA_CODE_VA + ISA_HOLE - mode_code_base(mode);
    cpu->parent.exception_index = -1;
    cpu->parent.stop = false;
    hung = false;
    taken.vector = -1;
    n_runs++;
    tcg_exec(cpu->parent.tcg);
    isa_get_env(env, out);
    out->vector = hung ? ISA_HANG : taken.vector;
    out->error_code = taken.error_code;
    out->rip = (hung ? env->tcg.pc : taken.rip) + mode_code_base(mode);
    out->cr2 = env->cr[2];
    memcpy(memory, mem + MEM_PA, ISA_MEM_SIZE);
    memcpy(code_out, mem + CODE_PA, ISA_HOLE_SIZE);
}

static const Node *node_at(const Program *p, uint64_t rip)
{
    for (unsigned i = 0; i < p->nodes->len; i++) {
        const Node *n = PROGRAM_NODE(p, i);

        if (n->size && rip - ISA_CODE_VA - ISA_HOLE >= n->at && rip - ISA_CODE_VA - ISA_HOLE < n->at + n->size) {
            return n;
        }
    }
    return NULL;
}

/* May @to follow @from?  Within a form or a LOOP that is near anything may. */
static bool may_follow(const Program *p, const Node *from, uint64_t to)
{
    const Node *n = node_at(p, to);
    uint32_t at = (uint32_t)(to - ISA_CODE_VA - ISA_HOLE);

    if (!n) {
        return at == 0;                 /* the jump to the start */
    }
    if (from && from->kind == N_RET) {
        for (unsigned i = 0; i < p->nodes->len; i++) {
            const Node *call = PROGRAM_NODE(p, i);
            if ((call->kind == N_CALL || call->kind == N_CALL_TO) && call->at + call->size == at) {
                return true;
            }
        }
        return false;
    }
    return n->at == at || n->many || n->kind == N_LOOP;
}

bool machine_strays(const Program *p, const IsaState *in, const uint8_t *code, const uint8_t *memory)
{
    CPUX86State *env = &cpu->env;
    const Node *from = NULL;
    const uint32_t base = mode_code_base(p->mode);
    bool strays = false;

    put_code(code);
    memcpy(mem + MEM_PA, memory, ISA_MEM_SIZE);
    set_system(env, in, p->mode);
    env->tcg.pc = ISA_CODE_VA + ISA_HOLE - base;
    taken.vector = -1;
    cpu->parent.singlestep = SSTEP_ENABLE;
    for (unsigned steps = 0; steps < 100000 && !strays; steps++) {
        from = node_at(p, env->tcg.pc + base);
        cpu->parent.exception_index = -1;
        cpu->parent.stop = false;
        n_runs++;
        tcg_exec(cpu->parent.tcg);
        if (taken.vector >= 0) {
            break;
        }
        strays = !may_follow(p, from, env->tcg.pc + base);
    }
    cpu->parent.singlestep = 0;
    cpu->parent.exception_index = -1;
    return strays;
}

void machine_vary(void)
{
    switch (rnd(40)) {
    case 0:
        tcg_tlb_flush(&cpu->parent, TLB_FLUSH_STATE);
        break;
    case 1:
        TCG_ACCEL(current_accel())->one_insn_per_tb ^= true;
        code_cache_flush(&TCG_ACCEL(current_accel())->cache, NULL);
        break;
    case 2: case 3:
        if (TCG_ACCEL(current_accel())->one_insn_per_tb) {
            TCG_ACCEL(current_accel())->one_insn_per_tb = false;
            code_cache_flush(&TCG_ACCEL(current_accel())->cache, NULL);
        }
        break;
    default:
        break;
    }
}
