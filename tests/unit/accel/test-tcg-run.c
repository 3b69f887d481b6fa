/*
 * The accelerator with a toy guest: whole programs through translator, code cache, soft TLB, run
 * loop and vCPU threads.
 */
#include <unistd.h>

#include "accel/tcg/internal.h"
#include "system/memory.h"
#include "toy-cpu.h"
#include "util/main-loop.h"
#include "util/rcu.h"

#define N_CPUS   4
#define RAM_SIZE (16 * MiB)
#define MMIO_BASE 0x1000000ULL          /* behind RAM */
#define CODE     0x10000
#define DATA     0x20000
#define MMIO_MAPS 0x40                  /* the device's register that does */

static MemoryRegion ram, mmio, overlay;
static uint8_t *mem;
static ToyCpu *cpus[N_CPUS];
static uint32_t map[TOY_TAGS][TOY_PAGES];
static uint64_t mmio_value;
static unsigned mmio_reads, mmio_writes;

static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    mmio_reads++;
    return mmio_value + addr;
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    mmio_writes++;
    mmio_value = v;
    if (addr == MMIO_MAPS) {            /* other memory appears where DATA is */
        memory_region_add_subregion_overlap(system_memory(), DATA, &overlay, 1);
    }
}

static const MemoryRegionOps mmio_ops = {
    .read = mmio_read, .write = mmio_write, .endian = DEVICE_LITTLE_ENDIAN, .valid = { .max = 8 }, .impl = { .max = 8 },
};

static CodeCache *cache(void)
{
    return &TCG_ACCEL(current_accel())->cache;
}

static void identity_map(void)
{
    for (unsigned tag = 0; tag < TOY_TAGS; tag++) {
        for (uint32_t i = 0; i < TOY_PAGES; i++) {
            map[tag][i] = i;
        }
    }
}

static void machine_up(void)
{
    g_autoptr(Value) props = value_dict();
    const char *size = g_getenv("TOY_TB_SIZE"), *thread = g_getenv("TOY_THREAD");

    bql_lock();
    rcu_thread_enter();
    memory_spaces_init();
    value_dict_set_int(props, "tb-size", size ? atoi(size) : 1);
    value_dict_set_str(props, "thread", thread ? thread : "multi");
    g_assert_true(accel_select("tcg", props, &error_abort));
    g_assert_true(memory_region_init_ram(&ram, NULL, "ram", RAM_SIZE, &error_abort));
    memory_region_add_subregion(system_memory(), 0, &ram);
    g_assert_true(memory_region_init_ram(&overlay, NULL, "overlay", 4096, &error_abort));
    memory_region_init_io(&mmio, NULL, &mmio_ops, NULL, "mmio", 4096);
    memory_region_add_subregion(system_memory(), MMIO_BASE, &mmio);
    mem = memory_region_get_ram_ptr(&ram);
    identity_map();
    for (unsigned i = 0; i < N_CPUS; i++) {
        cpus[i] = (ToyCpu *)object_new(&toy_cpu_type);
        cpus[i]->map = map;
        g_assert_true(device_realize(&cpus[i]->parent.dev, NULL, &error_abort));
    }
}

static void put_code(uint64_t at, const uint32_t *insns, size_t n)
{
    memcpy(mem + at, insns, n * 4);
    ram_block_set_dirty(ram.ram, at, n * 4);
}
#define PUT_CODE(at, ...) \
    put_code(at, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

static void set_mem64(uint64_t at, uint64_t v)
{
    memcpy(mem + at, &v, 8);
    ram_block_set_dirty(ram.ram, at, 8);
}

static uint64_t mem64(uint64_t at)
{
    return ld64_le(mem + at);
}

static void start(unsigned i, uint64_t pc)
{
    Vcpu *cpu = &cpus[i]->parent;

    cpus[i]->env.tcg.pc = pc;
    cpus[i]->env.n_faults = 0;
    cpu->halted = 0;
    cpu_resume(cpu);
}

/* Wait until CPUs [0, n) halted, then pause everything. */
static void finish(unsigned n)
{
    bql_unlock();
    for (unsigned i = 0; i < n; i++) {
        gint64 end = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;

        while (!__atomic_load_n(&cpus[i]->parent.halted, __ATOMIC_SEQ_CST)) {
            g_assert_cmpint(g_get_monotonic_time(), <, end);
            g_usleep(200);
        }
    }
    bql_lock();
    cpus_pause_all();
    cache_check(cache());
    for (unsigned i = 0; i < n; i++) {
        tlb_check(cpus[i]->parent.tcg);
    }
}

static void run(uint64_t pc)
{
    start(0, pc);
    finish(1);
}

static ToyEnv *env0(void)
{
    return &cpus[0]->env;
}

/* Same state for every test. */
static void reset(void)
{
    identity_map();
    for (unsigned i = 0; i < N_CPUS; i++) {
        memset(cpus[i]->env.r, 0, sizeof(cpus[i]->env.r));
        cpus[i]->env.tag = 0;
        cpus[i]->env.fault_vector = 0;
        cpus[i]->tlb_large = 0;
        tcg_tlb_flush(&cpus[i]->parent, TLB_FLUSH_STATE);
        tcg_tlb_switch(&cpus[i]->parent, 0, false);
    }
}

/* --- tests --- */

static void test_loop_is_linked(void)
{
    uint64_t links = cache()->stats.links, entries;

    reset();
    PUT_CODE(CODE,
             toy_insn(TOY_LI, 1, 0x27, 0x10),           /* 10000 */
             toy_insn(TOY_ADDI, 0, 0, 3),
             toy_insn(TOY_ADDI, 2, 2, 1),
             toy_insn(TOY_BNE, 2, 1, -2),
             toy_insn(TOY_HALT, 0, 0, 0));
    entries = ((TcgCpuState *)cpus[0]->parent.tcg)->stats.entries;
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 30000);
    g_assert_cmpuint(cache()->stats.links, >, links);
    g_assert_cmpuint(((TcgCpuState *)cpus[0]->parent.tcg)->stats.entries - entries, <, 100);
}

/* Calls return without a look-up; what is returned to may be rewritten. */
static void test_returns(void)
{
    uint64_t entries;

    reset();
    PUT_CODE(CODE,
             toy_insn(TOY_LI, 1, 0x27, 0x10),           /* 10000 */
             toy_insn(TOY_CALL, 7, 0, 4),
             toy_insn(TOY_ADDI, 2, 2, 1),
             toy_insn(TOY_BNE, 2, 1, -2),
             toy_insn(TOY_HALT, 0, 0, 0),
             toy_insn(TOY_ADDI, 0, 0, 3),
             toy_insn(TOY_RET, 7, 0, 0));
    entries = ((TcgCpuState *)cpus[0]->parent.tcg)->stats.entries;
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 30000);
    g_assert_cmpuint(((TcgCpuState *)cpus[0]->parent.tcg)->stats.entries - entries, <, 100);
    PUT_CODE(CODE + 8, toy_insn(TOY_ADDI, 2, 2, 2));
    env0()->r[0] = env0()->r[2] = 0;
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 15000);
}

static void test_memory_and_mmio(void)
{
    reset();
    mmio_reads = mmio_writes = 0;
    map[0][0x800] = MMIO_BASE >> 12;
    set_mem64(DATA, 0x1122334455667788);
    env0()->r[1] = DATA;
    env0()->r[2] = 0x800000;
    PUT_CODE(CODE,
             toy_insn(TOY_LD, 3, 1, 0),
             toy_insn(TOY_ST, 3, 2, 0),                 /* to the device */
             toy_insn(TOY_LD, 4, 2, 8),                 /* from it: value + 8 */
             toy_insn(TOY_ST, 4, 1, 16),
             toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmpuint(mmio_writes, ==, 1);
    g_assert_cmpuint(mmio_reads, ==, 1);
    g_assert_cmphex(mem64(DATA + 16), ==, 0x1122334455667790);
}

static void test_fault_is_precise(void)
{
    reset();
    map[0][0x30] = TOY_NO_PAGE;
    env0()->r[1] = 0x30000;
    env0()->fault_vector = CODE + 0x100;
    PUT_CODE(CODE,
             toy_insn(TOY_ADDI, 2, 2, 1),
             toy_insn(TOY_ADDI, 3, 3, 5),
             toy_insn(TOY_LD, 4, 1, 0),                 /* faults */
             toy_insn(TOY_ADDI, 2, 2, 1),
             toy_insn(TOY_HALT, 0, 0, 0));
    PUT_CODE(CODE + 0x100, toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmpuint(env0()->n_faults, ==, 1);
    g_assert_cmphex(env0()->fault_pc, ==, CODE + 8);
    g_assert_cmphex(env0()->fault_va, ==, 0x30000);
    g_assert_cmpuint(env0()->r[2], ==, 1);
    g_assert_cmpuint(env0()->r[3], ==, 5);
}

/* Behind a branch in the middle of a block that was not taken: registers written on both sides of it are right. */
static void test_fault_behind_a_branch(void)
{
    uint64_t blocks = cache()->stats.blocks;

    reset();
    map[0][0x30] = TOY_NO_PAGE;
    env0()->r[1] = 0x30000;
    env0()->fault_vector = CODE + 0x100;
    PUT_CODE(CODE,
             toy_insn(TOY_ADDI, 2, 2, 1),
             toy_insn(TOY_ADDI, 7, 7, 3),
             toy_insn(TOY_BNE, 5, 6, 5),                /* 0 and 0: not taken */
             toy_insn(TOY_ADDI, 2, 2, 1),
             toy_insn(TOY_LD, 4, 1, 0),                 /* faults */
             toy_insn(TOY_ADDI, 2, 2, 1),
             toy_insn(TOY_HALT, 0, 0, 0));
    PUT_CODE(CODE + 0x100, toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmpuint(env0()->n_faults, ==, 1);
    g_assert_cmphex(env0()->fault_pc, ==, CODE + 16);
    g_assert_cmpuint(env0()->r[2], ==, 2);
    g_assert_cmpuint(env0()->r[7], ==, 3);
    g_assert_cmpuint(cache()->stats.blocks - blocks, ==, 2);
}

/* In the third round of a loop that is one block: registers are those of that round. */
static void test_fault_in_a_loop(void)
{
    reset();
    map[0][0x32] = TOY_NO_PAGE;
    env0()->r[1] = 0x30ff8;
    env0()->r[5] = 100;
    env0()->r[6] = 0x800;
    env0()->fault_vector = CODE + 0x100;
    PUT_CODE(CODE,
             toy_insn(TOY_ADDI, 0, 0, 3),
             toy_insn(TOY_ADDI, 4, 4, 1),
             toy_insn(TOY_ADD, 1, 1, 6),                /* 0x317f8, 0x31ff8, 0x327f8 */
             toy_insn(TOY_ADDI, 3, 3, 2),
             toy_insn(TOY_ST, 3, 1, 0),
             toy_insn(TOY_ADDI, 3, 3, 2),
             toy_insn(TOY_BNE, 4, 5, -6),
             toy_insn(TOY_HALT, 0, 0, 0));
    PUT_CODE(CODE + 0x100, toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmpuint(env0()->n_faults, ==, 1);
    g_assert_cmphex(env0()->fault_pc, ==, CODE + 16);
    g_assert_cmphex(env0()->fault_va, ==, 0x327f8);
    g_assert_cmphex(env0()->r[1], ==, 0x327f8);
    g_assert_cmpuint(env0()->r[0], ==, 9);
    g_assert_cmpuint(env0()->r[3], ==, 10);
    g_assert_cmpuint(env0()->r[4], ==, 3);
    g_assert_cmpuint(mem64(0x31ff8), ==, 6);
}

/* A loop that is one block stores over its own code: the new instruction runs in that same round. */
static void test_loop_that_overwrites_itself(void)
{
    reset();
    env0()->r[1] = CODE + 12;
    env0()->r[2] = toy_insn(TOY_ADDI, 0, 0, 42);
    env0()->r[5] = 6;
    PUT_CODE(CODE,
             toy_insn(TOY_ADDI, 4, 4, 1),
             toy_insn(TOY_ADDI, 2, 2, 0),
             toy_insn(TOY_ST4, 2, 1, 0),                /* the next instruction becomes += 42, then += 43, ... */
             toy_insn(TOY_ADDI, 0, 0, 1),
             toy_insn(TOY_ADD, 2, 2, 6),
             toy_insn(TOY_BNE, 4, 5, -5),
             toy_insn(TOY_HALT, 0, 0, 0));
    env0()->r[6] = 1 << 24;
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 42 + 43 + 44 + 45 + 46 + 47);
    g_assert_cmpuint(env0()->r[4], ==, 6);
}

/* A loop that is one block and would never end is let out when another CPU's write removes it, and finds the new code. */
static void test_endless_loop_is_rewritten(void)
{
    uint32_t insn = toy_insn(TOY_HALT, 0, 0, 0);

    reset();
    env0()->r[1] = ~0ULL;
    PUT_CODE(CODE, toy_insn(TOY_ADDI, 0, 0, 1), toy_insn(TOY_ADDI, 2, 2, 1), toy_insn(TOY_BNE, 1, 3, -2));
    start(0, CODE);
    bql_unlock();
    g_usleep(20000);
    bql_lock();
    address_space_write(&address_space_memory, CODE, MEMTXATTRS_UNSPECIFIED, &insn, 4);
    finish(1);
    g_assert_cmpuint(env0()->r[0], >, 0);
    g_assert_cmpuint(env0()->r[0], ==, env0()->r[2]);
}

/* All ways out of a block with branches in its middle are linked, and each has the registers of its point. */
static void test_exits_from_the_middle(void)
{
    TcgCpuState *t = cpus[0]->parent.tcg;
    uint64_t entries;

    reset();
    env0()->r[5] = 3000;
    PUT_CODE(CODE,
             toy_insn(TOY_ADDI, 2, 2, 1),
             toy_insn(TOY_BNE, 2, 3, 6),                /* to 0x1c unless r2 == r3 */
             toy_insn(TOY_ADDI, 4, 4, 1),
             toy_insn(TOY_BNE, 4, 6, 5),                /* to 0x20 unless r4 == r6 */
             toy_insn(TOY_ADDI, 7, 7, 1),
             toy_insn(TOY_BNE, 0, 5, -5),
             toy_insn(TOY_HALT, 0, 0, 0),
             toy_insn(TOY_ADDI, 3, 3, 2),               /* 0x1c: r3 is even, so that r2 meets it now and then */
             toy_insn(TOY_ADDI, 0, 0, 1),               /* 0x20 */
             toy_insn(TOY_BNE, 0, 5, -9),
             toy_insn(TOY_HALT, 0, 0, 0));
    entries = t->stats.entries;
    run(CODE);
    /* what the program does, in C */
    uint64_t r0 = 0, r2 = 0, r3 = 0, r4 = 0, r7 = 0;
    do {
        bool to1c = ++r2 != r3;
        bool to20 = !to1c && ++r4 != 0;

        r7 += !to1c && !to20;
        r3 += to1c ? 2 : 0;
        r0 += to1c || to20;
    } while (r0 != 3000);
    g_assert_cmpuint(env0()->r[2], ==, r2);
    g_assert_cmpuint(env0()->r[3], ==, r3);
    g_assert_cmpuint(env0()->r[4], ==, r4);
    g_assert_cmpuint(env0()->r[7], ==, r7);
    g_assert_cmpuint(t->stats.entries - entries, <, 50);
}

/* The running block's part behind a branch is overwritten, by itself and from outside. */
static void test_second_part_overwritten(void)
{
    uint32_t insn = toy_insn(TOY_ADDI, 0, 0, 50);

    reset();
    env0()->r[1] = CODE + 16;
    env0()->r[2] = toy_insn(TOY_ADDI, 0, 0, 42);
    PUT_CODE(CODE,
             toy_insn(TOY_ADDI, 3, 3, 1),
             toy_insn(TOY_ST4, 2, 1, 0),                /* the instruction at 16 becomes += 42 */
             toy_insn(TOY_BNE, 5, 6, 3),                /* not taken */
             toy_insn(TOY_ADDI, 4, 4, 1),
             toy_insn(TOY_ADDI, 0, 0, 1),
             toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 42);
    g_assert_cmpuint(env0()->r[3], ==, 1);
    g_assert_cmpuint(env0()->r[4], ==, 1);
    env0()->r[1] = DATA;
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 84);
    address_space_write(&address_space_memory, CODE + 16, MEMTXATTRS_UNSPECIFIED, &insn, 4);
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 134);
}

static void test_store_across_pages_faults_before_it_writes(void)
{
    reset();
    map[0][0x31] = TOY_NO_PAGE;
    env0()->r[1] = 0x30ffc;
    env0()->r[2] = ~0ULL;
    set_mem64(0x30ff8, 0);
    PUT_CODE(CODE, toy_insn(TOY_ST, 2, 1, 0), toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmpuint(env0()->n_faults, ==, 1);
    g_assert_cmphex(mem64(0x30ff8), ==, 0);
    map[0][0x31] = 0x50;                                /* not the next page in memory */
    run(CODE);
    g_assert_cmphex(mem64(0x30ff8), ==, 0xffffffff00000000);
    g_assert_cmphex(mem64(0x50000) & 0xffffffff, ==, 0xffffffff);
}

static void test_vector_move_across_pages(void)
{
    reset();
    map[0][0x41] = 0x60;
    set_mem64(DATA, 0x0123456789abcdef);
    set_mem64(DATA + 8, 0xfedcba9876543210);
    env0()->r[1] = DATA;
    env0()->r[2] = 0x40ff8;
    PUT_CODE(CODE, toy_insn(TOY_MOV16, 1, 2, 0), toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmphex(mem64(0x40ff8), ==, 0x0123456789abcdef);
    g_assert_cmphex(mem64(0x60000), ==, 0xfedcba9876543210);
}

static void test_block_that_overwrites_itself(void)
{
    reset();
    env0()->r[1] = CODE + 12;
    env0()->r[2] = toy_insn(TOY_ADDI, 0, 0, 42);
    PUT_CODE(CODE,
             toy_insn(TOY_ADDI, 3, 3, 1),
             toy_insn(TOY_ST4, 2, 1, 0),                /* the next but one becomes += 42 */
             toy_insn(TOY_ADDI, 4, 4, 1),
             toy_insn(TOY_ADDI, 0, 0, 1),
             toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 42);
    g_assert_cmpuint(env0()->r[3], ==, 1);
    g_assert_cmpuint(env0()->r[4], ==, 1);
}

/* A loop writes data beside its own code: no block is lost. */
static void test_data_beside_code_costs_no_translation(void)
{
    uint64_t smc, blocks;

    reset();
    env0()->r[1] = CODE + 0x800;
    env0()->r[2] = 1000;
    PUT_CODE(CODE,
             toy_insn(TOY_ST, 3, 1, 0),
             toy_insn(TOY_ADDI, 3, 3, 1),
             toy_insn(TOY_BNE, 3, 2, -2),
             toy_insn(TOY_HALT, 0, 0, 0));
    smc = cache()->stats.smc_blocks;
    blocks = cache()->stats.blocks;
    run(CODE);
    g_assert_cmpuint(mem64(CODE + 0x800), ==, 999);
    g_assert_cmpuint(cache()->stats.smc_blocks, ==, smc);
    g_assert_cmpuint(cache()->stats.blocks, <=, blocks + 5);
}

/* Rewrite a function and call it, many times; another function in the page stays. */
static void test_code_rewritten_each_time(void)
{
    uint64_t blocks;

    reset();
    env0()->r[1] = CODE + 0x400;
    env0()->r[2] = toy_insn(TOY_ADDI, 0, 0, 1);
    env0()->r[4] = CODE + 0x10;
    env0()->r[5] = 500;
    env0()->r[6] = 1ULL << 24;                          /* added to the instruction: its immediate grows */
    PUT_CODE(CODE,
             toy_insn(TOY_ST4, 2, 1, 0),
             toy_insn(TOY_JR, 1, 0, 0),
             toy_insn(TOY_HALT, 0, 0, 0),
             toy_insn(TOY_HALT, 0, 0, 0),
             /* 0x10: back from the function */
             toy_insn(TOY_ADDI, 3, 3, 1),
             toy_insn(TOY_BNE, 3, 5, -5),
             toy_insn(TOY_HALT, 0, 0, 0));
    PUT_CODE(CODE + 0x400, toy_insn(TOY_ADDI, 0, 0, 1), toy_insn(TOY_JR, 4, 0, 0));
    blocks = cache()->stats.blocks;
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 500);
    g_assert_cmpuint(cache()->stats.blocks - blocks, <, 520);
}

static void test_instruction_across_pages(void)
{
    uint32_t insn = toy_insn(TOY_ADDI, 0, 0, 7), halt = toy_insn(TOY_HALT, 0, 0, 0);

    reset();
    map[0][0x101] = 0x200;
    memcpy(mem + 0x100ffe, &insn, 2);
    memcpy(mem + 0x200000, (char *)&insn + 2, 2);
    memcpy(mem + 0x200002, &halt, 4);
    run(0x100ffe);
    g_assert_cmpuint(env0()->r[0], ==, 7);
    /* Another second page: other bytes, so another block. */
    insn = toy_insn(TOY_ADDI, 0, 0, 9);
    memcpy(mem + 0x300000, (char *)&insn + 2, 2);
    memcpy(mem + 0x300002, &halt, 4);
    map[0][0x101] = 0x300;
    tcg_tlb_flush_page(&cpus[0]->parent, 0x101000);
    run(0x100ffe);
    g_assert_cmpuint(env0()->r[0], ==, 16);
    /* And a second page that is not there. */
    map[0][0x101] = TOY_NO_PAGE;
    tcg_tlb_flush_page(&cpus[0]->parent, 0x101000);
    run(0x100ffe);
    g_assert_cmpuint(env0()->n_faults, ==, 1);
    g_assert_cmphex(env0()->fault_va, ==, 0x101000);
}

static void test_contexts_keep_their_translations(void)
{
    uint64_t fills;

    reset();
    for (unsigned tag = 0; tag < TOY_TAGS; tag++) {
        map[tag][0x90] = 0xa0 + tag;
        set_mem64(0xa0000 + tag * 0x1000, 100 + tag);
    }
    env0()->r[1] = 0x90000;
    env0()->r[5] = 200;
    PUT_CODE(CODE,
             toy_insn(TOY_SWITCH, 0, 0, 1),
             toy_insn(TOY_LD, 2, 1, 0),
             toy_insn(TOY_ADD, 0, 0, 2),
             toy_insn(TOY_SWITCH, 0, 0, 2),
             toy_insn(TOY_LD, 2, 1, 0),
             toy_insn(TOY_ADD, 0, 0, 2),
             toy_insn(TOY_ADDI, 3, 3, 1),
             toy_insn(TOY_BNE, 3, 5, -7),
             toy_insn(TOY_HALT, 0, 0, 0));
    fills = ((TcgCpuState *)cpus[0]->parent.tcg)->stats.tlb_fills[MMU_DATA_LOAD];
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 200 * (101 + 102));
    g_assert_cmpuint(((TcgCpuState *)cpus[0]->parent.tcg)->stats.tlb_fills[MMU_DATA_LOAD] - fills, <, 20);
}

static void test_flush_page_drops_large_page(void)
{
    reset();
    cpus[0]->tlb_large = 2 * MiB;
    set_mem64(0x400000, 1);
    set_mem64(0x600000, 2);
    env0()->r[1] = 0x400000;
    env0()->r[2] = 0x410000;                            /* elsewhere in the large page */
    PUT_CODE(CODE,
             toy_insn(TOY_LD, 3, 1, 0),
             toy_insn(TOY_HALT, 0, 0, 0));
    PUT_CODE(CODE + 0x40,
             toy_insn(TOY_FLUSHPAGE, 2, 0, 0),
             toy_insn(TOY_LD, 3, 1, 0),
             toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmpuint(env0()->r[3], ==, 1);
    map[0][0x400] = 0x600;
    run(CODE);
    g_assert_cmpuint(env0()->r[3], ==, 1);              /* still cached: the guest did not say */
    run(CODE + 0x40);
    g_assert_cmpuint(env0()->r[3], ==, 2);
}

/* More code than the cache holds, round and round. */
static void test_eviction(void)
{
    enum { FUNCS = 20000, ROUNDS = 3 };
    uint64_t evicted = cache()->stats.evicted_units, at = 0x200000;

    reset();
    for (unsigned i = 0; i < FUNCS; i++, at += 0x40) {
        uint32_t code[16] = { 0 };

        for (unsigned k = 0; k < 13; k++) {
            code[k] = toy_insn(TOY_ADDI, k & 1 ? 2 : 0, k & 1 ? 2 : 0, 1);
        }
        code[13] = toy_insn(TOY_ADDI, 1, 1, 0x40);
        code[14] = i + 1 < FUNCS ? toy_insn(TOY_JR, 1, 0, 0) : toy_insn(TOY_HALT, 0, 0, 0);
        put_code(at, code, 16);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        env0()->r[1] = 0x200000;
        run(0x200000);
    }
    g_assert_cmpuint(env0()->r[0], ==, ROUNDS * FUNCS * 7);
    g_assert_cmpuint(env0()->r[2], ==, ROUNDS * FUNCS * 6);
    if (cache()->size <= 2 * MiB) {
        g_assert_cmpuint(cache()->stats.evicted_units, >, evicted);
    }
}

/* What a return was to go to is gone, and its memory used again. */
static void test_return_to_evicted_code(void)
{
    enum { FUNCS = 20000 };
    uint64_t at = 0x200000;

    reset();
    PUT_CODE(CODE, toy_insn(TOY_CALL, 7, 0, 3), toy_insn(TOY_ADDI, 6, 6, 1), toy_insn(TOY_HALT, 0, 0, 0),
             toy_insn(TOY_JR, 1, 0, 0), toy_insn(TOY_RET, 7, 0, 0));
    for (unsigned i = 0; i < FUNCS; i++, at += 0x40) {
        uint32_t code[16] = { 0 };

        for (unsigned k = 0; k < 13; k++) {
            code[k] = toy_insn(TOY_ADDI, 0, 0, 1);
        }
        code[13] = toy_insn(TOY_ADDI, 1, 1, 0x40);
        code[14] = i + 1 < FUNCS ? toy_insn(TOY_JR, 1, 0, 0) : toy_insn(TOY_RET, 7, 0, 0);
        put_code(at, code, 16);
    }
    for (unsigned round = 1; round <= 3; round++) {
        env0()->r[1] = 0x200000;
        run(CODE);
        g_assert_cmpuint(env0()->r[6], ==, round);
        g_assert_cmpuint(env0()->r[0], ==, round * FUNCS * 13);
    }
}

/* A hot function used all the time survives while others come and go. */
static void test_hot_block_is_moved(void)
{
    uint64_t moved = cache()->stats.moved_blocks, at = 0x400000;
    enum { FUNCS = 20000 };

    if (cache()->size > 2 * MiB) {
        g_test_skip("the cache is large");
        return;
    }
    reset();
    /* The hot one: return to r7 += 0x40. */
    PUT_CODE(CODE, toy_insn(TOY_ADDI, 6, 6, 1), toy_insn(TOY_ADDI, 7, 7, 0x40), toy_insn(TOY_JR, 7, 0, 0));
    for (unsigned i = 0; i < FUNCS; i++, at += 0x40) {
        uint32_t code[16] = { 0 };

        for (unsigned k = 0; k < 13; k++) {
            code[k] = toy_insn(TOY_ADDI, 0, 0, 1);
        }
        code[13] = i + 1 < FUNCS ? toy_insn(TOY_JR, 1, 0, 0) : toy_insn(TOY_HALT, 0, 0, 0);
        put_code(at, code, 16);
    }
    env0()->r[1] = CODE;
    env0()->r[7] = 0x400000;
    run(0x400000);
    g_assert_cmpuint(env0()->r[6], ==, FUNCS - 1);
    g_assert_cmpuint(env0()->r[0], ==, FUNCS * 13);
    g_assert_cmpuint(cache()->stats.moved_blocks, >, moved);
}

static void test_atomics_of_many_cpus(void)
{
    reset();
    set_mem64(DATA, 0);
    map[0][0x91] = 0xb0;
    set_mem64(0x90ff8, 0);
    set_mem64(0xb0000, 0);
    PUT_CODE(CODE,
             toy_insn(TOY_LI, 2, 0, 1),
             toy_insn(TOY_RMWADD, 2, 1, 0),
             toy_insn(TOY_LI, 2, 0, 1),
             toy_insn(TOY_RMWADD, 2, 6, 0),             /* across pages */
             toy_insn(TOY_ADDI, 3, 3, 1),
             toy_insn(TOY_BNE, 3, 5, -5),
             toy_insn(TOY_HALT, 0, 0, 0));
    for (unsigned i = 0; i < N_CPUS; i++) {
        cpus[i]->env.r[1] = DATA;
        cpus[i]->env.r[5] = 300;
        cpus[i]->env.r[6] = 0x90ffc;
        start(i, CODE);
    }
    finish(N_CPUS);
    g_assert_cmpuint(mem64(DATA), ==, 300 * N_CPUS);
    g_assert_cmpuint(mem64(0x90ff8) >> 32, ==, 300 * N_CPUS);
}

/* All CPUs run through more code than fits while one of them is rewriting a function. */
static void test_eviction_with_many_cpus(void)
{
    enum { FUNCS = 3000 };
    uint64_t at = 0x200000;

    reset();
    for (unsigned i = 0; i < FUNCS; i++, at += 0x40) {
        uint32_t code[16] = { 0 };

        for (unsigned k = 0; k < 13; k++) {
            code[k] = toy_insn(TOY_ADDI, 0, 0, 1);
        }
        code[13] = toy_insn(TOY_ADDI, 1, 1, 0x40);
        code[14] = i + 1 < FUNCS ? toy_insn(TOY_JR, 1, 0, 0) : toy_insn(TOY_JR, 2, 0, 0);
        put_code(at, code, 16);
    }
    PUT_CODE(CODE,
             toy_insn(TOY_ST4, 6, 7, 0),                /* the same bytes again: blocks there go */
             toy_insn(TOY_ADD, 1, 4, 5),                /* r5 = 0 */
             toy_insn(TOY_JR, 1, 0, 0),
             toy_insn(TOY_HALT, 0, 0, 0),
             toy_insn(TOY_ADDI, 3, 3, -1),              /* CODE + 0x10 */
             toy_insn(TOY_BNE, 3, 5, -5),
             toy_insn(TOY_HALT, 0, 0, 0));
    for (unsigned i = 0; i < N_CPUS; i++) {
        ToyEnv *e = &cpus[i]->env;

        e->r[2] = CODE + 0x10;
        e->r[3] = 5;
        e->r[4] = 0x200000;
        e->r[6] = toy_insn(TOY_ADDI, 0, 0, 1);
        e->r[7] = 0x200000 + 0x40 * 50 * (i + 1);
        start(i, CODE);
    }
    finish(N_CPUS);
    for (unsigned i = 0; i < N_CPUS; i++) {
        g_assert_cmpuint(cpus[i]->env.r[0], ==, 5 * FUNCS * 13);
    }
}

static void test_endless_loop_can_be_paused(void)
{
    reset();
    PUT_CODE(CODE, toy_insn(TOY_ADDI, 0, 0, 1), toy_insn(TOY_BNE, 0, 1, -1), toy_insn(TOY_HALT, 0, 0, 0));
    env0()->r[1] = ~0ULL;
    start(0, CODE);
    bql_unlock();
    g_usleep(20000);
    bql_lock();
    cpus_pause_all();
    g_assert_true(cpus[0]->parent.stopped);
    g_assert_cmpuint(env0()->r[0], >, 0);
}

static void count_work(Vcpu *cpu, void *opaque)
{
    g_assert_true(cpu == cpu_current());
    ++*(unsigned *)opaque;
}

static void test_work_runs_on_its_cpu(void)
{
    unsigned n = 0;

    reset();
    PUT_CODE(CODE, toy_insn(TOY_ADDI, 0, 0, 1), toy_insn(TOY_BNE, 0, 1, -1), toy_insn(TOY_HALT, 0, 0, 0));
    env0()->r[1] = ~0ULL;
    start(0, CODE);
    for (unsigned i = 0; i < 50; i++) {
        run_on_cpu(&cpus[0]->parent, count_work, &n);
        run_on_cpu(&cpus[1]->parent, count_work, &n);
    }
    cpus_pause_all();
    g_assert_cmpuint(n, ==, 100);
}

static void test_halted_cpu_wakes_on_interrupt(void)
{
    reset();
    PUT_CODE(CODE, toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    PUT_CODE(CODE + 0x20, toy_insn(TOY_ADDI, 0, 0, 5), toy_insn(TOY_HALT, 0, 0, 0));
    env0()->tcg.pc = CODE + 0x20;
    cpu_resume(&cpus[0]->parent);
    cpu_interrupt(&cpus[0]->parent, CPU_INTERRUPT_HARD);
    bql_unlock();
    for (unsigned i = 0; i < 5000 && __atomic_load_n(&env0()->r[0], __ATOMIC_SEQ_CST) != 5; i++) {
        g_usleep(1000);
    }
    bql_lock();
    cpus_pause_all();
    g_assert_cmpuint(env0()->r[0], ==, 5);
}

static void test_device_write_drops_code(void)
{
    uint32_t insn = toy_insn(TOY_ADDI, 0, 0, 50);

    reset();
    PUT_CODE(CODE, toy_insn(TOY_ADDI, 0, 0, 1), toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    address_space_write(&address_space_memory, CODE, MEMTXATTRS_UNSPECIFIED, &insn, 4);
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 51);
}

/* Reported between instructions, after the access: pc is the next one's, memory is written. */
static void test_watchpoint_reports_after_the_access(void)
{
    reset();
    env0()->n_hits = 0;
    env0()->r[1] = DATA;
    env0()->r[2] = 77;
    set_mem64(DATA, 0);
    set_mem64(DATA + 8, 0);
    set_mem64(DATA + 16, 0);
    tcg_watchpoint_set(&cpus[0]->parent, 0, DATA + 16, 8, false, true);
    PUT_CODE(CODE,
             toy_insn(TOY_ST, 2, 1, 0),                 /* same page, not watched */
             toy_insn(TOY_LD, 3, 1, 16),                /* watched for writes only */
             toy_insn(TOY_ADDI, 4, 4, 1),
             toy_insn(TOY_ST, 2, 1, 12),                /* overlaps by half */
             toy_insn(TOY_ADDI, 4, 4, 1),
             toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    tcg_watchpoint_clear(&cpus[0]->parent, 0);
    g_assert_cmpuint(env0()->n_hits, ==, 1);
    g_assert_cmphex(env0()->hit_va, ==, DATA + 12);
    g_assert_cmphex(env0()->hit_pc, ==, CODE + 16);
    g_assert_cmphex(env0()->hit_memory, ==, 77ULL << 32);
    g_assert_cmpuint(env0()->r[4], ==, 2);
    run(CODE);
    g_assert_cmpuint(env0()->n_hits, ==, 1);            /* cleared */
}

/*
 * A frame that goes down through pages that are not neighbours in memory: where it lies across two, another block does
 * the accesses, which is found without the run loop.
 */
static void test_frames_across_pages(void)
{
    TcgCpuState *t = cpus[0]->parent.tcg;
    uint64_t leaves = t->stats.exits_unshared, blocks = cache()->stats.unshared_blocks;
    enum { ROUNDS = 1000, TOP = 0x50010 };

    reset();
    for (unsigned i = 0; i < 16; i++) {
        map[0][0x50 - i] = 0x60 + 2 * i;
    }
    env0()->r[1] = TOP;
    env0()->r[5] = ROUNDS;
    PUT_CODE(CODE,
             toy_insn(TOY_ADDI, 2, 2, 1),
             toy_insn(TOY_ST, 2, 1, -8),
             toy_insn(TOY_ADDI, 3, 2, 100),
             toy_insn(TOY_ST, 3, 1, -16),
             toy_insn(TOY_ST, 1, 1, -24),
             toy_insn(TOY_LD, 4, 1, -16),
             toy_insn(TOY_ADD, 0, 0, 4),
             toy_insn(TOY_ADDI, 1, 1, -24),
             toy_insn(TOY_BNE, 2, 5, -8),
             toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, ROUNDS * (ROUNDS + 1) / 2 + 100 * ROUNDS);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t va = TOP - 24 * i;

        for (unsigned k = 1; k <= 3; k++) {
            uint64_t at = va - 8 * k, want = k == 1 ? i + 1 : k == 2 ? i + 101 : va;

            g_assert_cmphex(mem64((uint64_t)map[0][at >> 12] << 12 | (at & 0xfff)), ==, want);
        }
    }
    g_assert_cmpuint(cache()->stats.unshared_blocks, >, blocks);
    g_assert_cmpuint(t->stats.exits_unshared, >, leaves);
    g_assert_cmpuint(t->stats.exits_unshared - leaves, <, 5);
}

/* The second of two stores faults: the first is done; and if a branch avoids the second nothing faults. */
static void test_second_access_faults_by_itself(void)
{
    reset();
    map[0][0x31] = TOY_NO_PAGE;
    set_mem64(0x30ff8, 0);
    env0()->r[1] = 0x30ff8;
    env0()->r[2] = 77;
    env0()->fault_vector = CODE + 0x100;
    PUT_CODE(CODE,
             toy_insn(TOY_ST, 2, 1, 0),
             toy_insn(TOY_BNE, 3, 4, 3),
             toy_insn(TOY_ST, 2, 1, 8),
             toy_insn(TOY_HALT, 0, 0, 0),
             toy_insn(TOY_HALT, 0, 0, 0));
    PUT_CODE(CODE + 0x100, toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmpuint(env0()->n_faults, ==, 1);
    g_assert_cmphex(env0()->fault_pc, ==, CODE + 8);
    g_assert_cmphex(env0()->fault_va, ==, 0x31000);
    g_assert_cmpuint(mem64(0x30ff8), ==, 77);
    env0()->r[3] = 1;
    env0()->r[2] = 78;
    run(CODE);
    g_assert_cmpuint(env0()->n_faults, ==, 0);
    g_assert_cmpuint(mem64(0x30ff8), ==, 78);
}

/* A device changes the memory map between accesses that could share a probe: what follows sees the new one. */
static void test_device_maps_between_accesses(void)
{
    uint8_t *over = memory_region_get_ram_ptr(&overlay);

    reset();
    mmio_writes = 0;
    map[0][0x800] = MMIO_BASE >> 12;
    set_mem64(DATA, 0);
    set_mem64(DATA + 8, 0x5555);
    env0()->r[1] = DATA;
    env0()->r[2] = 0x800000;
    env0()->r[3] = 0x1234;
    PUT_CODE(CODE,
             toy_insn(TOY_ST, 3, 1, 0),
             toy_insn(TOY_ADDI, 4, 4, 1),
             toy_insn(TOY_ST, 3, 2, MMIO_MAPS),
             toy_insn(TOY_ST, 3, 1, 8),
             toy_insn(TOY_LD, 5, 1, 0),
             toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    memory_region_del_subregion(system_memory(), &overlay);
    g_assert_cmpuint(mmio_writes, ==, 1);
    g_assert_cmpuint(env0()->r[4], ==, 1);
    g_assert_cmphex(mem64(DATA), ==, 0x1234);
    g_assert_cmphex(mem64(DATA + 8), ==, 0x5555);
    g_assert_cmphex(ld64_le(over + 8), ==, 0x1234);
    g_assert_cmphex(env0()->r[5], ==, 0);
}

/* The second of two stores off one base overwrites an instruction of the running block. */
static void test_shared_store_overwrites_its_block(void)
{
    reset();
    env0()->r[1] = CODE + 16;
    env0()->r[2] = toy_insn(TOY_ADDI, 0, 0, 42);
    env0()->r[6] = toy_insn(TOY_ADDI, 7, 7, 9);
    PUT_CODE(CODE,
             toy_insn(TOY_ST4, 6, 1, 0),
             toy_insn(TOY_ADDI, 3, 3, 1),
             toy_insn(TOY_ST4, 2, 1, 4),
             toy_insn(TOY_ADDI, 4, 4, 1),
             toy_insn(TOY_ADDI, 0, 0, 1),               /* becomes r7 += 9 */
             toy_insn(TOY_ADDI, 0, 0, 1),               /* becomes r0 += 42 */
             toy_insn(TOY_HALT, 0, 0, 0));
    run(CODE);
    g_assert_cmpuint(env0()->r[0], ==, 42);
    g_assert_cmpuint(env0()->r[7], ==, 9);
    g_assert_cmpuint(env0()->r[3], ==, 1);
    g_assert_cmpuint(env0()->r[4], ==, 1);
}

/* A CPU stores to a page round and round when another one first runs code there: that waits for stores in flight. */
static void test_page_gets_code_while_stored_to(void)
{
    enum { PAGE = 0x70000 };
    uint64_t waits = cache()->stats.page_waits;

    reset();
    cpus[1]->env.r[1] = PAGE + 0x800;
    cpus[1]->env.r[5] = ~0ULL;
    PUT_CODE(CODE,
             toy_insn(TOY_ST, 3, 1, 0),
             toy_insn(TOY_ADDI, 3, 3, 1),
             toy_insn(TOY_ST, 3, 1, 8),
             toy_insn(TOY_BNE, 3, 5, -3),
             toy_insn(TOY_HALT, 0, 0, 0));
    PUT_CODE(PAGE, toy_insn(TOY_ADDI, 0, 0, 5), toy_insn(TOY_HALT, 0, 0, 0));
    start(1, CODE);
    bql_unlock();
    g_usleep(20000);
    bql_lock();
    run(PAGE);
    g_assert_cmpuint(env0()->r[0], ==, 5);
    g_assert_cmpuint(cpus[1]->env.r[3], >, 0);
    g_assert_cmpuint(mem64(PAGE + 0x808), >=, mem64(PAGE + 0x800));
    g_assert_cmpuint(cache()->stats.page_waits, ==, waits + 1);
}

/* A running loop leaves its blocks when they are all removed, and goes on in new ones. */
static void test_flush_while_running(void)
{
    uint64_t blocks;

    reset();
    PUT_CODE(CODE, toy_insn(TOY_ADDI, 0, 0, 1), toy_insn(TOY_BNE, 0, 1, -1), toy_insn(TOY_HALT, 0, 0, 0));
    env0()->r[1] = ~0ULL;
    start(0, CODE);
    for (unsigned i = 0; i < 20; i++) {
        bql_unlock();
        g_usleep(1000);
        bql_lock();
        blocks = cache()->stats.blocks;
        code_cache_flush(cache(), NULL);
        for (unsigned k = 0; k < 5000 && __atomic_load_n(&cache()->stats.blocks, __ATOMIC_RELAXED) == blocks; k++) {
            bql_unlock();
            g_usleep(1000);
            bql_lock();
        }
        g_assert_cmpuint(cache()->stats.blocks, >, blocks);
    }
    cpus_pause_all();
    cache_check(cache());
    g_assert_cmpuint(env0()->r[0], >, 0);
}

/* Without room left in the budget, a table still grows at the cost of contexts not used for long. */
static void test_idle_contexts_give_up_their_tables(void)
{
    TcgCpuState *t = cpus[0]->parent.tcg;

    reset();
    for (unsigned tag = 0; tag < 20; tag++) {
        tcg_tlb_switch(&cpus[0]->parent, 1000 + tag, false);
        for (unsigned idx = 0; idx < 2; idx++) {
            for (vaddr va = 0; va < 12000 * 4096ULL; va += 4096) {
                tcg_tlb_set_page(&cpus[0]->parent, va, va % RAM_SIZE, MEMTXATTRS_UNSPECIFIED, PAGE_PROT_READ, idx, 4096);
            }
        }
        g_assert_cmpuint(t->current->table[0].n, ==, TLB_MAX_ENTRIES);
        g_assert_cmpuint(t->current->table[1].n, ==, TLB_MAX_ENTRIES);
        g_assert_cmpuint(t->n_tlb_entries, <=, TLB_BUDGET_ENTRIES);
    }
    tlb_check(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    machine_up();
    g_test_add_func("/tcg-run/loop-is-linked", test_loop_is_linked);
    g_test_add_func("/tcg-run/returns", test_returns);
    g_test_add_func("/tcg-run/memory-and-mmio", test_memory_and_mmio);
    g_test_add_func("/tcg-run/fault-is-precise", test_fault_is_precise);
    g_test_add_func("/tcg-run/fault-behind-a-branch", test_fault_behind_a_branch);
    g_test_add_func("/tcg-run/fault-in-a-loop", test_fault_in_a_loop);
    g_test_add_func("/tcg-run/self-overwriting-loop", test_loop_that_overwrites_itself);
    g_test_add_func("/tcg-run/rewritten-endless-loop", test_endless_loop_is_rewritten);
    g_test_add_func("/tcg-run/exits-from-the-middle", test_exits_from_the_middle);
    g_test_add_func("/tcg-run/second-part-overwritten", test_second_part_overwritten);
    g_test_add_func("/tcg-run/store-across-pages", test_store_across_pages_faults_before_it_writes);
    g_test_add_func("/tcg-run/vector-across-pages", test_vector_move_across_pages);
    g_test_add_func("/tcg-run/self-overwriting-block", test_block_that_overwrites_itself);
    g_test_add_func("/tcg-run/data-beside-code", test_data_beside_code_costs_no_translation);
    g_test_add_func("/tcg-run/code-rewritten", test_code_rewritten_each_time);
    g_test_add_func("/tcg-run/instruction-across-pages", test_instruction_across_pages);
    g_test_add_func("/tcg-run/contexts", test_contexts_keep_their_translations);
    g_test_add_func("/tcg-run/flush-large-page", test_flush_page_drops_large_page);
    g_test_add_func("/tcg-run/eviction", test_eviction);
    g_test_add_func("/tcg-run/return-to-evicted-code", test_return_to_evicted_code);
    g_test_add_func("/tcg-run/hot-block-is-moved", test_hot_block_is_moved);
    g_test_add_func("/tcg-run/atomics", test_atomics_of_many_cpus);
    g_test_add_func("/tcg-run/eviction-many-cpus", test_eviction_with_many_cpus);
    g_test_add_func("/tcg-run/pause", test_endless_loop_can_be_paused);
    g_test_add_func("/tcg-run/work", test_work_runs_on_its_cpu);
    g_test_add_func("/tcg-run/wake", test_halted_cpu_wakes_on_interrupt);
    g_test_add_func("/tcg-run/device-write", test_device_write_drops_code);
    g_test_add_func("/tcg-run/watchpoint", test_watchpoint_reports_after_the_access);
    g_test_add_func("/tcg-run/frames-across-pages", test_frames_across_pages);
    g_test_add_func("/tcg-run/second-access-faults", test_second_access_faults_by_itself);
    g_test_add_func("/tcg-run/device-maps-between", test_device_maps_between_accesses);
    g_test_add_func("/tcg-run/shared-store-overwrites", test_shared_store_overwrites_its_block);
    g_test_add_func("/tcg-run/code-while-stored-to", test_page_gets_code_while_stored_to);
    g_test_add_func("/tcg-run/flush-while-running", test_flush_while_running);
    g_test_add_func("/tcg-run/tlb-budget", test_idle_contexts_give_up_their_tables);
    int rc = g_test_run();

    if (g_test_verbose()) {
        tcg_print_info(TCG_ACCEL(current_accel()), stderr);
    }
    bql_unlock();
    _exit(rc);                          /* threads are still there */
}
