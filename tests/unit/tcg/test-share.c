/*
 * Accesses that share a probe: which do, and what the code does where the probe fails.
 */
#include "fake-target.h"
#include "tcg/ir-ops.h"

static FtEnv *env;
static uint8_t *mem;
static TcgContext *ctx;

static void set_up(void)
{
    ft_set_up(&env, &mem, &ctx);
    tcg_context_share(ctx, true);
}

static void tear_down(void)
{
    ft_tear_down(env, mem, ctx);
}

/* Begin a block with its first instruction; @base is r1. */
static IrBlock *begin(IrVal *base)
{
    IrBlock *b = tcg_block_begin(ctx);

    ir_insn_start(b, 0, FT_NO_RESTART, 0);
    *base = ir_get(b, FG_R0 + 1);
    return b;
}

static void insn(IrBlock *b)
{
    ir_insn_start(b, b->n_insns * 4, 0x100 + b->n_insns, 0);
}

static IrVal load(IrBlock *b, IrVal base, int64_t disp)
{
    return ir_ld(b, IR_I64, ir_addi(b, base, disp), 1, IR_MO_64);
}

static void store(IrBlock *b, IrVal base, int64_t disp, uint64_t k)
{
    ir_st(b, ir_i64(b, k), ir_addi(b, base, disp), 1, IR_MO_64);
}

static unsigned count(const IrBlock *b, IrOpcode opc)
{
    unsigned n = 0;

    for (unsigned i = 0; i < b->n_ops; i++) {
        n += b->ops[i].opc == opc;
    }
    return n;
}

/* Share and see how many probes, moves, and accesses of their own there are. */
static void assert_shared(IrBlock *b, unsigned probes, unsigned moves, unsigned alone)
{
    ir_exit_loop(b, ir_i64(b, 0));
    ir_share(b);
    ir_validate(b, "after sharing");
    g_assert_cmpuint(count(b, IR_OP_probe), ==, probes);
    g_assert_cmpuint(count(b, IR_OP_hld) + count(b, IR_OP_hst), ==, moves);
    g_assert_cmpuint(count(b, IR_OP_ld) + count(b, IR_OP_st), ==, alone);
}

static uintptr_t run(IrBlock *b)
{
    FtCode *code = ft_code();
    TcgCode out;

    g_assert_true(tcg_block_compile(ctx, b, code->rw + FT_BLOCK_AT, code->size - FT_BLOCK_AT, &out));
    env->code = code->rx + FT_BLOCK_AT;
    env->unwind_offset = out.unwind_offset;
    env->tcg.pc = 0x1000;
    env->n_slow = 0;
    return ((TcgEnterFn *)(code->rx + code->prologue.enter_offset))(env, env->code);
}

static void test_stores_off_one_base_share(void)
{
    IrBlock *b;
    IrVal base;

    set_up();
    b = begin(&base);
    for (unsigned i = 1; i <= 5; i++) {
        store(b, base, -8 * (int64_t)i, i);
        insn(b);
    }
    load(b, base, -16);
    assert_shared(b, 1, 6, 0);
    tear_down();
}

static void test_one_access_is_left_alone(void)
{
    IrBlock *b;
    IrVal base;

    set_up();
    b = begin(&base);
    store(b, base, 0, 1);
    insn(b);
    store(b, ir_get(b, FG_R0 + 2), 0, 1);
    assert_shared(b, 0, 0, 2);
    tear_down();
}

/* The load must not ask for more than the load's rights. */
static void test_store_does_not_join_a_load(void)
{
    IrBlock *b;
    IrVal base;

    set_up();
    b = begin(&base);
    load(b, base, 0);
    insn(b);
    load(b, base, 8);
    insn(b);
    store(b, base, 0, 1);
    insn(b);
    load(b, base, 8);
    assert_shared(b, 2, 4, 0);
    tear_down();
}

/* Off the stack pointer it may: a page that is not known to be writable is for the block that shares nothing. */
static void test_stack_is_writable_as_a_rule(void)
{
    IrBlock *b;
    IrVal base;

    set_up();
    for (unsigned page = 1; page <= 2; page++) {
        b = tcg_block_begin(ctx);
        ir_insn_start(b, 0, FT_NO_RESTART, 0);
        base = ir_get(b, FG_R0 + 6);
        ir_put(b, FG_R0, load(b, base, 8));
        insn(b);
        store(b, base, -8, 44);
        ir_exit_loop(b, ir_i64(b, 0));
        env->r[6] = FT_BASE + page * FT_PAGE + 16;
        st64_le(mem + page * FT_PAGE + 24, 55);
        g_assert_cmpuint(run(b), ==, page == 1 ? TCG_EXIT_LOOP : TCG_EXIT_UNSHARED);
        g_assert_cmpuint(count(b, IR_OP_probe), ==, 1);
        g_assert_cmpuint(env->n_slow, ==, page == 1 ? 0 : 1);
        g_assert_cmpuint(ld64_le(mem + page * FT_PAGE + 8), ==, page == 1 ? 44 : 0);
        g_assert_cmpuint(env->r[0], ==, 55);
    }
    tear_down();
}

static void test_far_accesses_do_not_share(void)
{
    IrBlock *b;
    IrVal base;

    set_up();
    b = begin(&base);
    load(b, base, 0);
    insn(b);
    load(b, base, IR_SHARE_SPAN - 7);
    assert_shared(b, 0, 0, 2);
    b = begin(&base);
    load(b, base, 0);
    insn(b);
    load(b, base, IR_SHARE_SPAN - 8);
    assert_shared(b, 1, 2, 0);
    tear_down();
}

/* What was done in the instruction would be done again. */
static void test_leader_is_its_instructions_first_effect(void)
{
    IrBlock *b;
    IrVal base;

    set_up();
    b = begin(&base);
    ir_put(b, FG_R0, ir_i64(b, 1));
    load(b, base, 0);
    load(b, base, 8);
    assert_shared(b, 0, 0, 2);
    b = begin(&base);
    load(b, ir_get(b, FG_R0 + 2), 0);           /* may be of a device */
    store(b, base, 0, 1);
    store(b, base, 8, 1);
    assert_shared(b, 0, 0, 3);
    tear_down();
}

static void test_held_instruction_does_not_lead(void)
{
    IrBlock *b;
    IrVal base;

    set_up();
    b = tcg_block_begin(ctx);
    ir_insn_start(b, 0, 0, 0);
    ir_insn_hold(b);
    base = ir_get(b, FG_R0 + 1);
    load(b, base, 0);
    insn(b);
    load(b, base, 8);
    insn(b);
    load(b, base, 16);
    assert_shared(b, 1, 2, 1);
    tear_down();
}

static void between_loads(void (*what)(IrBlock *b), bool shares)
{
    IrBlock *b;
    IrVal base;

    b = begin(&base);
    load(b, base, 0);
    insn(b);
    what(b);
    insn(b);
    load(b, base, 8);
    assert_shared(b, shares, shares ? 2 : 0, shares ? 0 : 2);
}

static void careful_call(IrBlock *b) { ir_call(b, FH_CAREFUL, (IrVal[]){ ir_i64(b, 0), ir_i32(b, 0) }, 2); }
static void pure_call(IrBlock *b) { ir_call(b, FH_PURE, (IrVal[]){ ir_i64(b, 0), ir_i64(b, 0) }, 2); }
static void locked(IrBlock *b) { ir_atomic_rmw(b, IR_ATOMIC_ADD, ir_get(b, FG_R0 + 2), ir_i64(b, 1), 1, IR_MO_64); }
static void label(IrBlock *b) { ir_label(b, ir_label_new(b)); }
static void side_exit(IrBlock *b) { ir_exit_if(b, IR_EQ, ir_get(b, FG_R0), ir_i64(b, 1), 1, 8, 0); }
static void write_env(IrBlock *b) { ir_env_st(b, ir_i64(b, 1), offsetof(FtEnv, plain), IR_MO_64); }
static void change_base(IrBlock *b) { ir_put(b, FG_R0 + 1, ir_i64(b, 0)); }

static void test_what_ends_a_group(void)
{
    set_up();
    between_loads(careful_call, false);
    between_loads(locked, false);
    between_loads(label, false);
    between_loads(pure_call, true);
    between_loads(side_exit, true);
    between_loads(write_env, true);
    between_loads(change_base, true);           /* the value is what counts */
    tear_down();
}

static void test_other_accesses_between_are_held(void)
{
    IrBlock *b;
    IrVal base, other;
    unsigned held = 0;

    set_up();
    b = begin(&base);
    other = ir_get(b, FG_R0 + 2);
    store(b, other, 0, 1);
    insn(b);
    load(b, base, 0);
    insn(b);
    ir_ld(b, IR_I64, ir_get(b, FG_R0 + 3), 1, IR_MO_64);
    insn(b);
    load(b, base, 8);
    insn(b);
    ir_ld(b, IR_I64, ir_get(b, FG_R0 + 4), 1, IR_MO_64);
    assert_shared(b, 1, 2, 3);
    for (unsigned i = 0; i < b->n_ops; i++) {
        held += b->ops[i].opc == IR_OP_ld && b->ops[i].cond & IR_MO_HELD;
    }
    g_assert_cmpuint(held, ==, 1);
    tear_down();
}

static void test_aligned_accesses_share_among_themselves(void)
{
    IrMemOp aligned = IR_MO_128 | IR_MO_ALIGN;
    IrBlock *b;
    IrVal base;

    set_up();
    b = begin(&base);
    ir_ld(b, IR_V128, ir_addi(b, base, 8), 1, aligned);
    insn(b);
    ir_ld(b, IR_V128, ir_addi(b, base, 40), 1, aligned);
    insn(b);
    load(b, base, 3);
    insn(b);
    ir_ld(b, IR_V128, ir_addi(b, base, 16), 1, aligned);    /* never as aligned as the first */
    assert_shared(b, 1, 3, 1);
    b = begin(&base);
    load(b, base, 0);
    insn(b);
    ir_ld(b, IR_V128, base, 1, aligned);
    assert_shared(b, 0, 0, 2);
    tear_down();
}

/* --- as code --- */

/* r0 = 7; store 1, 2, 3 below r1; r2 = the second; r1 -= 24 */
static IrBlock *frame(void)
{
    IrBlock *b = tcg_block_begin(ctx);
    IrVal base;

    ir_insn_start(b, 0, FT_NO_RESTART, 0);
    ir_put(b, FG_R0, ir_i64(b, 7));
    for (unsigned i = 1; i <= 3; i++) {
        ir_insn_start(b, 4 * i, 0x100 + i, 0);
        base = ir_get(b, FG_R0 + 1);
        store(b, base, -8, i);
        ir_put(b, FG_R0 + 1, ir_addi(b, base, -8));
    }
    ir_insn_start(b, 16, 0x110, 0);
    ir_put(b, FG_R0 + 2, load(b, ir_get(b, FG_R0 + 1), 8));
    ir_exit_loop(b, ir_i64(b, 0x9999));
    return b;
}

static void test_frame_in_a_page(void)
{
    set_up();
    env->r[1] = FT_BASE + 24;
    g_assert_cmpuint(run(frame()), ==, TCG_EXIT_LOOP);
    g_assert_cmphex(env->tcg.pc, ==, 0x9999);
    g_assert_cmpuint(env->n_slow, ==, 0);
    g_assert_cmphex(env->r[1], ==, FT_BASE);
    g_assert_cmpuint(env->r[2], ==, 2);
    g_assert_cmpuint(ld64_le(mem), ==, 3);
    g_assert_cmpuint(ld64_le(mem + 16), ==, 1);
    tear_down();
}

/* Left where the first store's instruction begins, all before it done, nothing of it; its parameter in d32. */
static void test_frame_across_pages_leaves(void)
{
    set_up();
    env->r[1] = FT_BASE + FT_PAGE + 8;
    g_assert_cmpuint(run(frame()), ==, TCG_EXIT_UNSHARED);
    g_assert_cmphex(env->tcg.pc, ==, 0x1004);
    g_assert_cmpuint(env->n_slow, ==, 0);                   /* nobody had to be asked */
    g_assert_cmpuint(env->r[0], ==, 7);
    g_assert_cmphex(env->r[1], ==, FT_BASE + FT_PAGE + 8);
    g_assert_cmphex(env->d32, ==, 0x101);
    g_assert_cmpuint(ld64_le(mem + FT_PAGE), ==, 0);
    tear_down();
}

static void test_leaving_finds_the_jump_cache(void)
{
    FtCode *code = ft_code();
    const size_t at = 64 * KiB;
    IrBlock *b;
    TcgCode out;
    unsigned k = TCG_JUMP_CACHE_HASH(0x1004) ^ TCG_JUMP_CACHE_UNSHARED;

    set_up();
    b = tcg_block_begin(ctx);
    ir_put(b, FG_R0 + 3, ir_i64(b, 42));
    ir_exit_loop(b, ir_i64(b, 1));
    g_assert_true(tcg_block_compile(ctx, b, code->rw + at, code->size - at, &out));
    env->tcg.mode_tag = 1ull << 50;
    env->tcg.unshared_tag = 3ull << 50;
    env->r[1] = FT_BASE + FT_PAGE + 8;
    env->jump_cache[k] = (TcgJumpCacheEntry){ 0x1004 ^ env->tcg.mode_tag, code->rx + at };
    g_assert_cmpuint(run(frame()), ==, TCG_EXIT_UNSHARED);  /* a block that shares, of the same pc */
    env->jump_cache[k].tag = 0x1004 ^ env->tcg.unshared_tag;
    g_assert_cmpuint(run(frame()), ==, TCG_EXIT_LOOP);
    g_assert_cmpuint(env->r[3], ==, 42);
    env->tcg.exit_request = TCG_EXIT_REQUESTED;
    g_assert_cmpuint(run(frame()), ==, TCG_EXIT_UNSHARED);
    tear_down();
}

/* Not in the TLB: filled for the first access, and on. */
static void test_miss_is_filled(void)
{
    set_up();
    env->r[1] = FT_BASE + 24;
    memset(env->tlb, 0xff, sizeof(env->tlb));
    g_assert_cmpuint(run(frame()), ==, TCG_EXIT_LOOP);
    g_assert_cmpuint(env->n_slow, ==, 1);
    g_assert_cmpuint(env->r[2], ==, 2);
    g_assert_cmpuint(ld64_le(mem + 8), ==, 2);
    tear_down();
}

/* The range reaches into the page that is not there, but the first access does not. */
static void test_only_the_first_access_faults(void)
{
    IrBlock *b;
    IrVal base;

    set_up();
    b = begin(&base);
    ir_put(b, FG_R0, load(b, base, 0));
    insn(b);
    ir_put(b, FG_R0, load(b, base, 8));
    ir_exit_loop(b, ir_i64(b, 0));
    env->r[1] = FT_BASE + 3 * FT_PAGE - 8;
    g_assert_cmpuint(run(b), ==, TCG_EXIT_UNSHARED);

    b = begin(&base);
    ir_put(b, FG_R0, ir_i64(b, 5));
    insn(b);
    load(b, base, 0);
    insn(b);
    ir_put(b, FG_R0, load(b, base, -8));
    ir_exit_loop(b, ir_i64(b, 0));
    env->r[1] = FT_BASE + 3 * FT_PAGE + 8;
    if (!setjmp(env->fault)) {
        run(b);
        g_assert_not_reached();
    }
    g_assert_cmphex(env->fault_va, ==, FT_BASE + 3 * FT_PAGE + 8);
    g_assert_cmpuint(env->unwound.pc_delta, ==, 4);
    g_assert_cmpuint(env->r[0], ==, 5);
    tear_down();
}

/* Stores to the page with slow stores share nothing; loads from it do. */
static void test_rights_of_the_page(void)
{
    IrBlock *b;
    IrVal base;

    set_up();
    env->r[1] = FT_BASE + 2 * FT_PAGE + 64;
    g_assert_cmpuint(run(frame()), ==, TCG_EXIT_UNSHARED);
    g_assert_cmpuint(env->n_slow, ==, 1);
    b = begin(&base);
    load(b, base, 0);
    insn(b);
    ir_put(b, FG_R0, load(b, base, 8));
    ir_exit_loop(b, ir_i64(b, 0));
    st64_le(mem + 2 * FT_PAGE + 72, 99);
    g_assert_cmpuint(run(b), ==, TCG_EXIT_LOOP);
    g_assert_cmpuint(env->n_slow, ==, 0);
    g_assert_cmpuint(env->r[0], ==, 99);
    tear_down();
}

static IrBlock *aligned_pair(void)
{
    IrBlock *b;
    IrVal base;

    b = begin(&base);
    ir_put(b, FG_V0, ir_ld(b, IR_V128, ir_addi(b, base, 8), 1, IR_MO_128 | IR_MO_ALIGN));
    insn(b);
    ir_put(b, FG_V0 + 1, ir_ld(b, IR_V128, ir_addi(b, base, 24), 1, IR_MO_128 | IR_MO_ALIGN));
    insn(b);
    ir_put(b, FG_R0, load(b, base, 35));
    ir_exit_loop(b, ir_i64(b, 0));
    return b;
}

static void test_alignment_is_the_leaders(void)
{
    set_up();
    st64_le(mem + 32, 1);
    st64_le(mem + 43, 2);
    env->r[1] = FT_BASE + 8;
    g_assert_cmpuint(run(aligned_pair()), ==, TCG_EXIT_LOOP);
    g_assert_cmpuint(env->n_slow, ==, 0);
    g_assert_cmpuint(env->v[1].q[0], ==, 1);
    g_assert_cmpuint(env->r[0], ==, 2);
    env->r[1] = FT_BASE + FT_PAGE - 40;         /* the last access alone crosses */
    g_assert_cmpuint(run(aligned_pair()), ==, TCG_EXIT_UNSHARED);
    env->r[1] = FT_BASE + 16;
    if (!setjmp(env->fault)) {
        run(aligned_pair());
        g_assert_not_reached();
    }
    g_assert_cmphex(env->fault_va, ==, FT_BASE + 24);
    tear_down();
}

static IrVal address32(IrBlock *b, IrVal base, int32_t disp)
{
    return ir_zext(b, ir_addi(b, base, disp));
}

/* 32-bit addresses wrap, and share as others do; what is above bit 31 of the base does not count. */
static void test_addresses_of_32_bits(void)
{
    const uint64_t va = 0x23450000;             /* of mem, in this test */
    TcgTlbEntry *e;
    IrBlock *b;
    IrVal base;

    set_up();
    e = &env->tlb[(va >> 12) % ARRAY_SIZE(env->tlb)];
    e->addr_read = va;
    e->addend = (uintptr_t)mem - va;
    st64_le(mem + 8, 0x1111);
    st64_le(mem + 24, 0x2222);
    b = begin(&base);
    base = ir_trunc(b, base);
    ir_put(b, FG_R0 + 2, ir_ld(b, IR_I64, address32(b, base, 0), 1, IR_MO_64));
    insn(b);
    ir_put(b, FG_R0 + 3, ir_ld(b, IR_I64, address32(b, base, -8), 1, IR_MO_64));
    insn(b);
    ir_put(b, FG_R0 + 4, ir_ld(b, IR_I64, address32(b, base, 8), 1, IR_MO_64));
    ir_exit_loop(b, ir_i64(b, 0));
    env->r[1] = 0x123400000000 + va + 16;
    g_assert_cmpuint(run(b), ==, TCG_EXIT_LOOP);
    g_assert_cmpuint(count(b, IR_OP_probe), ==, 1);
    g_assert_cmpuint(env->n_slow, ==, 0);
    g_assert_cmphex(env->r[2], ==, 0);
    g_assert_cmphex(env->r[3], ==, 0x1111);
    g_assert_cmphex(env->r[4], ==, 0x2222);
    tear_down();
}

static void test_stored_constants(void)
{
    static const struct { IrMemOp size; uint64_t k; } cases[] = {
        { IR_MO_8, 0x81 }, { IR_MO_16, 0x8182 }, { IR_MO_32, 0x81828384 }, { IR_MO_64, (uint64_t)-5 },
        { IR_MO_64, 0x123456789abcdef0 }, { IR_MO_64, 0x80000000 },
    };
    IrBlock *b;
    IrVal base;

    set_up();
    memset(mem, 0x77, 256);
    b = begin(&base);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        ir_st(b, ir_i64(b, cases[i].k), ir_addi(b, base, 16 * i), 1, cases[i].size);
        insn(b);
    }
    ir_exit_loop(b, ir_i64(b, 0));
    env->r[1] = FT_BASE;
    g_assert_cmpuint(run(b), ==, TCG_EXIT_LOOP);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned n = 1u << cases[i].size;

        g_assert_cmpmem(mem + 16 * i, n, &cases[i].k, n);
        g_assert_cmphex(mem[16 * i + n], ==, 0x77);
    }
    tear_down();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/share/stores-off-one-base", test_stores_off_one_base_share);
    g_test_add_func("/tcg/share/one-access-is-left-alone", test_one_access_is_left_alone);
    g_test_add_func("/tcg/share/store-does-not-join-a-load", test_store_does_not_join_a_load);
    g_test_add_func("/tcg/share/stack", test_stack_is_writable_as_a_rule);
    g_test_add_func("/tcg/share/far-accesses", test_far_accesses_do_not_share);
    g_test_add_func("/tcg/share/leader-is-the-first-effect", test_leader_is_its_instructions_first_effect);
    g_test_add_func("/tcg/share/held-instruction", test_held_instruction_does_not_lead);
    g_test_add_func("/tcg/share/what-ends-a-group", test_what_ends_a_group);
    g_test_add_func("/tcg/share/others-between-are-held", test_other_accesses_between_are_held);
    g_test_add_func("/tcg/share/aligned", test_aligned_accesses_share_among_themselves);
    g_test_add_func("/tcg/share/frame-in-a-page", test_frame_in_a_page);
    g_test_add_func("/tcg/share/frame-across-pages", test_frame_across_pages_leaves);
    g_test_add_func("/tcg/share/jump-cache", test_leaving_finds_the_jump_cache);
    g_test_add_func("/tcg/share/miss-is-filled", test_miss_is_filled);
    g_test_add_func("/tcg/share/only-the-first-faults", test_only_the_first_access_faults);
    g_test_add_func("/tcg/share/rights-of-the-page", test_rights_of_the_page);
    g_test_add_func("/tcg/share/alignment-is-the-leaders", test_alignment_is_the_leaders);
    g_test_add_func("/tcg/share/32-bit-addresses", test_addresses_of_32_bits);
    g_test_add_func("/tcg/share/stored-constants", test_stored_constants);
    return g_test_run();
}
