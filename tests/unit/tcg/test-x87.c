/*
 * The host's x87 in blocks: registers and status to env where a block is left, over slow paths and faults, guards, the control
 * word.
 */
#include "fake-target.h"

static FtEnv *env;
static uint8_t *mem;
static TcgContext *ctx;

static void set_up(void)
{
    ft_set_up(&env, &mem, &ctx);
}

static void tear_down(void)
{
    ft_tear_down(env, mem, ctx);
}

static uintptr_t compile_and_run(IrBlock *b)
{
    FtCode *code = ft_code();
    TcgCode out;

    g_assert_true(tcg_block_compile(ctx, b, code->rw + 4096, code->size - 4096, &out));
    env->code = code->rx + 4096;
    env->unwind_offset = out.unwind_offset;
    env->tcg.pc = 0x1000;
    return ((TcgEnterFn *)(code->rx + code->prologue.enter_offset))(env, code->rx + 4096);
}

static unsigned plain(unsigned n)
{
    return offsetof(FtEnv, plain[n]);
}

static void set_plain(unsigned n, long double v)
{
    memcpy(&env->plain[n], &v, 10);
}

static long double get_plain(unsigned n)
{
    long double v = 0;

    memcpy(&v, &env->plain[n], 10);
    return v;
}

static unsigned tags(void)
{
    struct { uint32_t w[7]; } e;

    __asm__ volatile("fnstenv %0\n\tfldenv %0" : "+m"(e));
    return e.w[2] & 0xffff;
}

static IrX87Home store_two(void)
{
    return (IrX87Home){
        .n = 3, .fate = { IR_X87_STORE, IR_X87_DROP, IR_X87_STORE }, .st = { plain(4), 0, plain(6) },
        .status = plain(8), .status_replaced = 0x200, .status_raised = 0x3f, .n_words = 2, .words = { { plain(9), IR_MO_32, 5 }, { plain(10), IR_MO_64, 0x0100000001 } },
    };
}

/* 3 and 1 / 3 and 1 on the stack */
static void three_values(IrBlock *b)
{
    ir_x87_env(b, 3, 5, plain(0));              /* fld 3 */
    ir_x87(b, 1, 0xe8);                         /* fld1 */
    ir_x87(b, 1, 0xc0);                         /* fld st(0) */
    ir_x87(b, 0, 0xf2);                         /* fdiv st(2) */
}

static void test_registers_go_home_at_exits(void)
{
    IrX87Home home = store_two();
    IrBlock *b;

    for (unsigned how = 0; how < 4; how++) {
        set_up();
        set_plain(0, 3);
        env->plain[8] = 0x4201;
        b = tcg_block_begin(ctx);
        ir_insn_start(b, 0, 0, 0);
        three_values(b);
        if (how == 0) {
            ir_x87_go_home(b, &home);
        } else {
            ir_x87_set_home(b, &home);
        }
        if (how == 2) {
            ir_exit_if(b, IR_EQ, ir_get(b, FG_R0), ir_i64(b, 0), 1, 0x20, 0);
        } else if (how == 3) {
            ir_exit_indirect(b, ir_get(b, FG_R0 + 1));
        }
        if (how != 3) {
            ir_exit_direct(b, 0, 0x10, 0);
        }
        (void)compile_and_run(b);
        g_assert_true(get_plain(4) == 1 / 3.0L && get_plain(6) == 3);
        g_assert_cmphex(env->plain[8] & ~0x200ull, ==, 0x4021);     /* inexact, and what was there */
        g_assert_cmphex(env->plain[9], ==, 5);
        g_assert_cmphex(env->plain[10], ==, 0x0100000001);
        g_assert_cmphex(tags(), ==, 0xffff);
        tear_down();
    }
}

static void test_the_guests_control_word_counts_inside_only(void)
{
    const IrX87Home home = { .n = 1, .fate = { IR_X87_STORE }, .st = { plain(4) } };
    uint16_t cw;
    IrBlock *b;

    set_up();
    set_plain(0, 3);
    env->tcg.guest_fpcw = 0x7f;                 /* 24 bits */
    b = tcg_block_begin(ctx);
    ir_insn_start(b, 0, 0, 0);
    ir_x87(b, 1, 0xe8);
    ir_x87_env(b, 3, 5, plain(0));
    ir_x87(b, 6, 0xf9);                         /* fdivp */
    ir_x87_set_home(b, &home);
    ir_exit_direct(b, 0, 0x10, 0);
    g_assert_cmpint(compile_and_run(b), ==, TCG_EXIT_DIRECT0);
    g_assert_true(get_plain(4) == (long double)(1 / 3.0f));
    __asm__("fnstcw %0" : "=m"(cw));
    g_assert_cmphex(cw, ==, 0x37f);
    tear_down();
}

static void test_a_guard_leaves_before_anything(void)
{
    IrBlock *b;

    for (unsigned right = 0; right < 4; right++) {
        set_up();
        env->plain[1] = right & 1 ? 0x0101010100000000 : 0x0101010000000000;
        env->plain[2] = right & 2 ? 6 : 5;
        b = tcg_block_begin(ctx);
        ir_insn_start(b, 0, 0, 0);
        ir_put(b, FG_R0, ir_i64(b, 77));
        ir_guard(b, plain(1), IR_MO_64, 0x0101010100000000);
        ir_guard(b, plain(2), IR_MO_32, 6);
        ir_exit_direct(b, 0, 0x10, 0);
        g_assert_cmpint(compile_and_run(b), ==, right == 3 ? TCG_EXIT_DIRECT0 : TCG_EXIT_GUARD);
        g_assert_cmphex(env->r[0], ==, right == 3 ? 77 : 0);
        g_assert_cmphex(env->tcg.pc, ==, right == 3 ? 0x1010 : 0x1000);
        tear_down();
    }
}

/* A store to page 2 takes the slow path. */
static void test_registers_stay_over_a_slow_path(void)
{
    IrX87Home home = store_two();
    IrBlock *b;

    set_up();
    set_plain(0, 3);
    b = tcg_block_begin(ctx);
    ir_insn_start(b, 0, 0, 0);
    three_values(b);
    ir_x87_set_home(b, &home);
    ir_st(b, ir_i64(b, 9), ir_i64(b, FT_BASE + 2 * FT_PAGE + 8), 1, IR_MO_64);
    ir_exit_direct(b, 0, 0x10, 0);
    g_assert_cmpint(compile_and_run(b), ==, TCG_EXIT_DIRECT0);
    g_assert_cmpuint(env->n_slow, ==, 1);
    g_assert_true(get_plain(4) == 1 / 3.0L && get_plain(6) == 3);
    tear_down();
}

/* restore_state() of a front end finds them so. */
static void test_registers_are_there_after_a_fault(void)
{
    volatile long double top = 0, next = 0;
    IrBlock *b;

    set_up();
    set_plain(0, 3);
    b = tcg_block_begin(ctx);
    ir_insn_start(b, 0, 0, 55);
    three_values(b);
    ir_put(b, FG_R0, ir_ld(b, IR_I64, ir_i64(b, FT_BASE + 3 * FT_PAGE), 1, IR_MO_64));
    ir_exit_direct(b, 0, 0x10, 0);
    if (!setjmp(env->fault)) {
        (void)compile_and_run(b);
        g_assert_not_reached();
    }
    __asm__ volatile("fstpt %0\n\tfstpt %1\n\tfninit" : "=m"(top), "=m"(next));
    g_assert_true(top == 1 / 3.0L && next == 1);
    g_assert_cmpuint(env->unwound.params[1], ==, 55);
    tear_down();
}

static void test_a_loop_keeps_what_was_loaded_before_it(void)
{
    const IrX87Home home = { .n = 2, .fate = { IR_X87_STORE, IR_X87_DROP }, .st = { plain(0), plain(2) } };
    const IrX87Home load = { .n = 2, .fate = { IR_X87_STORE, IR_X87_STORE }, .st = { plain(0), plain(2) } };
    IrVal n;
    IrBlock *b;

    set_up();
    set_plain(0, 1);
    set_plain(2, 2);
    env->r[0] = 10;
    b = tcg_block_begin(ctx);
    ir_loop_begin(b);
    ir_insn_start(b, 0, 0, 0);
    ir_x87(b, 0, 0xc9);                         /* fmul st(1) */
    n = ir_addi(b, ir_get(b, FG_R0), -1);
    ir_put(b, FG_R0, n);
    ir_x87_set_home(b, &home);
    ir_exit_if(b, IR_EQ, n, ir_i64(b, 0), 0, 0x10, 0);
    ir_loop_back(b);
    ir_x87_preload(b, &load);
    g_assert_cmpint(compile_and_run(b), ==, TCG_EXIT_DIRECT0);
    g_assert_true(get_plain(0) == 1024);
    g_assert_cmphex(tags(), ==, 0xffff);
    tear_down();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/x87/registers-go-home-at-exits", test_registers_go_home_at_exits);
    g_test_add_func("/tcg/x87/the-guests-control-word-counts-inside-only", test_the_guests_control_word_counts_inside_only);
    g_test_add_func("/tcg/x87/a-guard-leaves-before-anything", test_a_guard_leaves_before_anything);
    g_test_add_func("/tcg/x87/registers-stay-over-a-slow-path", test_registers_stay_over_a_slow_path);
    g_test_add_func("/tcg/x87/registers-are-there-after-a-fault", test_registers_are_there_after_a_fault);
    g_test_add_func("/tcg/x87/a-loop-keeps-what-was-loaded-before-it", test_a_loop_keeps_what_was_loaded_before_it);
    return g_test_run();
}
