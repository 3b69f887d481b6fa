/*
 * Blocks as accel/tcg uses them: linking, lookup, polling, moving, unwinding, limits; the builder's
 * folding; every vector row against the portable C.
 */
#include "fake-target.h"
#include "tcg/ir-ops.h"
#include "tcg/vop-fallback.h"

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

static void compile(IrBlock *b, size_t at, uint32_t id, TcgCode *out)
{
    FtCode *code = ft_code();

    g_assert_true(tcg_block_compile(ctx, b, code->rw + at, code->size - at, out));
    st32_le(code->rw + at + TCG_BLOCK_ID_OFFSET, id);
}

static uintptr_t run(size_t at, uint64_t pc)
{
    FtCode *code = ft_code();

    env->tcg.pc = pc;
    return ((TcgEnterFn *)(code->rx + code->prologue.enter_offset))(env, code->rx + at);
}

/* r0 += @k, then direct exit by slot 0 to +0x10 */
static void make_adder(size_t at, uint32_t id, uint64_t k, unsigned flags, TcgCode *out)
{
    IrBlock *b = tcg_block_begin(ctx);

    ir_insn_start(b, 0, 0, 0);
    ir_put(b, FG_R0, ir_addi(b, ir_get(b, FG_R0), k));
    ir_exit_direct(b, 0, 0x10, flags);
    compile(b, at, id, out);
}

static void link_jump(size_t from, const TcgCode *out, size_t to)
{
    FtCode *code = ft_code();
    size_t jump = from + out->direct[0].jump_offset;

    tcg_patch_jump(code->rw + jump, code->rx + jump, code->rx + to);
}

static void test_unlinked_exit_names_its_block(void)
{
    TcgCode out;

    set_up();
    make_adder(4096, 77, 5, 0, &out);
    g_assert_cmpint(run(4096, 0x1000), ==, TCG_EXIT_DIRECT0);
    g_assert_cmpuint(env->r[0], ==, 5);
    g_assert_cmphex(env->tcg.pc, ==, 0x1010);
    g_assert_cmpuint(env->tcg.exit_block, ==, 77);
    g_assert_cmpint(out.direct[1].jump_offset, ==, -1);
    tear_down();
}

static void test_linked_blocks_run_through(void)
{
    TcgCode x, y;

    set_up();
    make_adder(4096, 1, 5, 0, &x);
    make_adder(8192, 2, 100, 0, &y);
    link_jump(4096, &x, 8192);
    g_assert_cmpint(run(4096, 0x1000), ==, TCG_EXIT_DIRECT0);
    g_assert_cmpuint(env->r[0], ==, 105);
    g_assert_cmphex(env->tcg.pc, ==, 0x1020);
    g_assert_cmpuint(env->tcg.exit_block, ==, 2);
    link_jump(4096, &x, 4096 + TCG_UNLINKED_OFFSET(x.direct[0].jump_offset));    /* and unlinked again */
    g_assert_cmpint(run(4096, 0x1000), ==, TCG_EXIT_DIRECT0);
    g_assert_cmpuint(env->tcg.exit_block, ==, 1);
    tear_down();
}

static void test_linked_loop_leaves_when_asked(void)
{
    TcgCode x;

    set_up();
    make_adder(4096, 1, 1, IR_EXIT_POLL, &x);
    link_jump(4096, &x, 4096);
    env->tcg.exit_request = TCG_EXIT_REQUESTED;
    g_assert_cmpint(run(4096, 0), ==, TCG_EXIT_POLL);
    g_assert_cmpuint(env->r[0], ==, 1);
    g_assert_cmphex(env->tcg.pc, ==, 0x10);
    tear_down();
}

static void test_moved_code_still_works(void)
{
    FtCode *code = ft_code();
    TcgCode x;

    set_up();
    make_adder(4096, 3, 9, 0, &x);
    memcpy(code->rw + 12288 - 16, code->rw + 4096 - 16, x.size + 16);
    memset(code->rw + 4096, 0xcc, x.size);
    g_assert_cmpint(run(12288, 0x40), ==, TCG_EXIT_DIRECT0);
    g_assert_cmpuint(env->r[0], ==, 9);
    g_assert_cmpuint(env->tcg.exit_block, ==, 3);
    tear_down();
}

static void test_indirect_exit_finds_the_jump_cache(void)
{
    FtCode *code = ft_code();
    const uint64_t pc = 0xffffffff81001234ull;
    TcgCode x, y;
    IrBlock *b;

    set_up();
    make_adder(8192, 2, 100, 0, &y);
    b = tcg_block_begin(ctx);
    ir_exit_indirect(b, ir_get(b, FG_R0 + 1));
    compile(b, 4096, 1, &x);
    env->r[1] = pc;
    env->tcg.mode_tag = 7ull << 48;
    g_assert_cmpint(run(4096, 0), ==, TCG_EXIT_LOOKUP);
    g_assert_cmphex(env->tcg.pc, ==, pc);
    env->jump_cache[TCG_JUMP_CACHE_HASH(pc)] = (TcgJumpCacheEntry){ pc ^ env->tcg.mode_tag, code->rx + 8192 };
    g_assert_cmpint(run(4096, 0), ==, TCG_EXIT_DIRECT0);
    g_assert_cmphex(env->tcg.pc, ==, pc + 0x10);
    env->tcg.exit_request = TCG_EXIT_REQUESTED;
    g_assert_cmpint(run(4096, 0), ==, TCG_EXIT_LOOKUP);
    g_assert_cmphex(env->tcg.pc, ==, pc);
    env->tcg.exit_request = 0;
    env->tcg.mode_tag = 8ull << 48;                         /* another mode: no hit */
    g_assert_cmpint(run(4096, 0), ==, TCG_EXIT_LOOKUP);
    tear_down();
}

/* A call's block notes the way back, a return takes it if pc and mode agree and no request waits. */
static void test_return_takes_the_way_noted_by_the_call(void)
{
    const uint64_t pc = 0xffffffff81001234ull;
    TcgCode call, ret;
    IrBlock *b;

    set_up();
    b = tcg_block_begin(ctx);
    ir_push_return(b, 1, ir_pc(b, 5), 5, (pc + 5) & 0xfff);
    ir_exit_direct(b, 0, 0x100, 0);
    compile(b, 4096, 1, &call);
    b = tcg_block_begin(ctx);
    ir_exit_return(b, ir_get(b, FG_R0 + 1));
    compile(b, 8192, 2, &ret);
    env->tcg.mode_tag = 7ull << 48;
    env->r[1] = pc + 5;
    g_assert_cmpint(run(8192, 0), ==, TCG_EXIT_LOOKUP);
    g_assert_cmpint(run(4096, pc), ==, TCG_EXIT_DIRECT0);
    g_assert_cmpint(run(8192, 0), ==, TCG_EXIT_DIRECT0 + 1);
    g_assert_cmpuint(env->tcg.exit_block, ==, 1);
    g_assert_cmphex(env->tcg.pc, ==, pc + 5);
    g_assert_cmpint(call.direct[1].pc_delta, ==, 5);
    env->tcg.exit_request = TCG_EXIT_REQUESTED;
    g_assert_cmpint(run(8192, 0), ==, TCG_EXIT_LOOKUP);
    env->tcg.exit_request = 0;
    env->r[1] = pc + 5 + (1ull << TCG_RETURN_CACHE_BITS);
    g_assert_cmpint(run(8192, 0), ==, TCG_EXIT_LOOKUP);
    env->r[1] = pc + 5;
    env->tcg.mode_tag = 8ull << 48;
    g_assert_cmpint(run(8192, 0), ==, TCG_EXIT_LOOKUP);
    env->tcg.mode_tag = 7ull << 48;
    tcg_env_forget_returns(&env->tcg);
    g_assert_cmpint(run(8192, 0), ==, TCG_EXIT_LOOKUP);
    tear_down();
}

/* A block whose stubs are more than 64 KiB behind their accesses; the last access faults. */
static void test_large_block_unwinds(void)
{
    FtCode *code = ft_code();
    TcgCode out;
    IrBlock *b;

    set_up();
    b = tcg_block_begin(ctx);
    for (unsigned i = 0; i < 2000; i++) {
        if (i % 4 == 0) {
            ir_insn_start(b, i, i, 0);
        }
        ir_ld(b, IR_I64, ir_get(b, FG_R0 + 8 + i % 8), 1, IR_MO_64);
    }
    ir_put(b, FG_R0 + 3, ir_add(b, ir_get(b, FG_R0 + 8), ir_i64(b, 0x123456789abcdefull)));
    ir_insn_start(b, 5000, 50, 60);
    ir_ld(b, IR_I64, ir_i64(b, FT_BASE + 3 * FT_PAGE), 1, IR_MO_64);
    ir_exit_loop(b, ir_i64(b, 0));
    compile(b, 4096, 1, &out);
    g_assert_cmpuint(out.size, >, 70000);
    for (unsigned i = 8; i < 16; i++) {
        env->r[i] = FT_BASE + 2 * FT_PAGE;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(env->tlb); i++) {
        env->tlb[i].addr_read = ~0ull;                      /* all accesses slow */
    }
    env->code = code->rx + 4096;
    env->unwind_offset = out.unwind_offset;
    if (!setjmp(env->fault)) {
        run(4096, 0);
        g_assert_not_reached();
    }
    g_assert_cmpuint(env->unwound.pc_delta, ==, 5000);
    g_assert_cmpuint(env->unwound.params[1], ==, 60);
    g_assert_cmpuint(env->n_slow, ==, 2000);
    g_assert_cmphex(env->r[3], ==, FT_BASE + 2 * FT_PAGE + 0x123456789abcdefull);
    tear_down();
}

static void test_full_tables_refuse_the_block(void)
{
    uint8_t buf[64];
    TcgCode out;
    IrBlock *b;
    IrVal v;

    set_up();
    b = tcg_block_begin(ctx);
    v = ir_get(b, FG_R0);
    for (unsigned i = 0; i < 20000; i++) {
        v = ir_add(b, v, ir_i64(b, i * 0x10001ull));
        ir_env_st(b, v, offsetof(FtEnv, plain), IR_MO_64);
    }
    ir_exit_loop(b, v);
    g_assert_false(tcg_block_compile(ctx, b, buf, sizeof(buf), &out));
    b = tcg_block_begin(ctx);                               /* and the context is good afterwards */
    ir_put(b, FG_R0, ir_i64(b, 3));
    ir_exit_loop(b, ir_i64(b, 4));
    g_assert_false(tcg_block_compile(ctx, b, buf, 8, &out));/* does not fit */
    compile(b, 4096, 1, &out);
    g_assert_cmpint(run(4096, 0), ==, TCG_EXIT_LOOP);
    g_assert_cmpuint(env->r[0], ==, 3);
    g_assert_cmpuint(env->tcg.pc, ==, 4);
    tear_down();
}

static void test_builder_folds(void)
{
    IrBlock *b;
    IrVal x, t;
    uint64_t k;

    set_up();
    b = tcg_block_begin(ctx);
    x = ir_get(b, FG_R0);
    g_assert_cmpuint(ir_add(b, x, ir_i64(b, 0)).id, ==, x.id);
    g_assert_cmpuint(ir_get(b, FG_R0).id, ==, x.id);
    g_assert_true(ir_is_const(b, ir_sub(b, x, x), &k) && k == 0);
    g_assert_true(ir_is_const(b, ir_add(b, ir_i32(b, 0xffffffff), ir_i32(b, 2)), &k) && k == 1);
    t = ir_ext(b, x, 8, false);
    g_assert_cmpuint(ir_andi(b, t, 0xfff).id, ==, t.id);
    g_assert_cmpuint(ir_ext(b, t, 16, true).id, ==, t.id);
    t = ir_trunc(b, x);
    g_assert_cmpuint(b->n_ops, ==, 2);                      /* a half is not an op */
    t = ir_add(b, t, t);
    g_assert_cmpuint(ir_id(ir_zext(b, t)), ==, ir_id(t));
    ir_put(b, FG_R0, t = ir_i64(b, 5));
    g_assert_cmpuint(ir_get(b, FG_R0).id, ==, t.id);
    ir_call(b, FH_CAREFUL, (IrVal[]){ t, ir_i32(b, 0) }, 2);
    g_assert_cmpuint(ir_get(b, FG_R0).id, !=, t.id);        /* it may have changed it */
    tear_down();
}

static void test_dead_puts_go(void)
{
    IrBlock *b;
    unsigned n = 0;

    set_up();
    b = tcg_block_begin(ctx);
    ir_put(b, FG_CC0, ir_get(b, FG_R0));                    /* dead */
    ir_put(b, FG_CC0, ir_get(b, FG_R0 + 1));                /* seen by a fault of the load */
    ir_put(b, FG_R0 + 4, ir_ld(b, IR_I64, ir_get(b, FG_R0 + 2), 1, IR_MO_64));
    ir_put(b, FG_CC0, ir_get(b, FG_R0 + 3));
    ir_exit_loop(b, ir_i64(b, 0));
    ir_liveness(b);
    for (unsigned i = 0; i < b->n_ops; i++) {
        n += b->ops[i].opc == IR_OP_put && b->ops[i].k == FG_CC0;
    }
    g_assert_cmpuint(n, ==, 2);
    tear_down();
}

/* --- vector rows --- */

typedef enum Shape {
    V1, V1I, V1IG, V2, V2I, V3, TOI32, TOI64, TOI32I, TOI32M, TOI64M, TOI32MI, TOI64MI, TOI32F,
    FRI32, FRI64, FRI32X, FRI64X, FRI32XI, FRI64XI, X1, X1MI, X2, X2W, X2I, X3, X3W,
} Shape;
static const struct { const char *name; uint8_t shape; } rows[IR_VOP_COUNT] = {
#define VOP(NAME, shape, ...) [IR_VOP_##NAME] = { #NAME, shape },
#include "tcg/vecops.def"
#undef VOP
};

/* v0, v1, v2, r0 are operands; v3 or r1 gets the result. */
static void build_row(IrBlock *b, IrVop op, uint8_t imm)
{
    IrVal x = ir_get(b, FG_V0), y = ir_get(b, FG_V0 + 1), z = ir_get(b, FG_V0 + 2), i = ir_get(b, FG_R0), d;

    switch ((Shape)rows[op].shape) {
    case V1: case X1: d = ir_vop1(b, op, x); break;
    case V1I: case V1IG: case X1MI: d = ir_vop1i(b, op, x, imm); break;
    case V2: case X2: case X2W: d = ir_vop2(b, op, x, y); break;
    case V2I: case X2I: d = ir_vop2i(b, op, x, y, imm); break;
    case V3: d = ir_vop3(b, op, x, y, z); break;
    case X3: case X3W: d = ir_vop3i(b, op, x, y, z, imm); break;
    case FRI32: d = ir_vop_from_int(b, op, IR_NONE, ir_trunc(b, i), imm); break;
    case FRI64: d = ir_vop_from_int(b, op, IR_NONE, i, imm); break;
    case FRI32X: case FRI32XI: d = ir_vop_from_int(b, op, x, ir_trunc(b, i), imm); break;
    case FRI64X: case FRI64XI: d = ir_vop_from_int(b, op, x, i, imm); break;
    case TOI32F: d = ir_vop_to_int(b, op, IR_I32, x, y, imm); break;
    case TOI64: case TOI64M: case TOI64MI: d = ir_vop_to_int(b, op, IR_I64, x, IR_NONE, imm); break;
    default: d = ir_vop_to_int(b, op, IR_I32, x, IR_NONE, imm); break;
    }
    if (ir_type(b, d) == IR_V128) {
        ir_put(b, FG_V0 + 3, d);
    } else {
        ir_put(b, FG_R0 + 1, ir_type(b, d) == IR_I32 ? ir_zext(b, d) : d);
    }
    ir_put(b, FG_V0 + 4, ir_vop2(b, IR_VOP_PXOR, x, y));    /* operands live on */
    ir_exit_loop(b, ir_i64(b, 0));
}

static uint8_t valid_imm(IrVop op, GRand *r)
{
    switch (op) {
    case IR_VOP_CMPPS: case IR_VOP_CMPPD: case IR_VOP_CMPSS: case IR_VOP_CMPSD: return g_rand_int_range(r, 0, 8);
    case IR_VOP_ROUNDPS: case IR_VOP_ROUNDPD: case IR_VOP_ROUNDSS: case IR_VOP_ROUNDSD: return g_rand_int_range(r, 0, 4);
    default: return rows[op].shape == X3 || rows[op].shape == X3W ? g_rand_int(r) % 3 : g_rand_int(r);
    }
}

static bool is_approximate(IrVop op)
{
    return op == IR_VOP_RCPPS || op == IR_VOP_RCPSS || op == IR_VOP_RSQRTPS || op == IR_VOP_RSQRTSS;
}

static void check_row(IrVop op, GRand *r)
{
    uint8_t imm = valid_imm(op, r);
    bool takes_int = rows[op].shape >= FRI32 && rows[op].shape <= FRI64XI, gives_int = rows[op].shape >= TOI32 && rows[op].shape <= TOI32F;
    VopVec d = { .q = { 0 } };
    uint64_t i;
    FtVec xor;
    TcgCode out;
    IrBlock *b = tcg_block_begin(ctx);

    build_row(b, op, imm);
    compile(b, 4096, 1, &out);
    for (unsigned v = 0; v < 3; v++) {
        for (unsigned k = 0; k < 4; k++) {                  /* small integers and tame floats */
            env->v[v].l[k] = g_rand_int(r) & 0x3fffffff;
        }
    }
    env->r[0] = g_rand_int(r);
    env->tcg.guest_fpcr = 0x1f80;
    i = vop_fallback(env, VOP_FALLBACK_OP(op, imm), (VopVec *)&env->v[0], (VopVec *)&env->v[1],
                     takes_int ? env->r[0] : (uintptr_t)&env->v[2], &d);
    xor.q[0] = env->v[0].q[0] ^ env->v[1].q[0];
    xor.q[1] = env->v[0].q[1] ^ env->v[1].q[1];
    run(4096, 0);
    g_assert_cmpmem(&env->v[4], 16, &xor, 16);
    if (is_approximate(op)) {
        return;
    }
    if (gives_int) {
        g_assert_cmphex(env->r[1], ==, i);
    } else if (memcmp(&d, &env->v[3], 16)) {
        g_test_message("%s imm %u: %016" PRIx64 " %016" PRIx64 ", C has %016" PRIx64 " %016" PRIx64, rows[op].name, imm,
                       env->v[3].q[1], env->v[3].q[0], d.q[1], d.q[0]);
        g_test_fail();
    }
}

static void test_every_vector_row(void)
{
    g_autoptr(GRand) r = g_rand_new_with_seed(99);

    set_up();
    for (unsigned op = 1; op < IR_VOP_COUNT; op++) {
        for (unsigned n = 0; n < 8; n++) {
            check_row((IrVop)op, r);
        }
    }
    tear_down();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/block/unlinked-exit-names-its-block", test_unlinked_exit_names_its_block);
    g_test_add_func("/tcg/block/linked-blocks-run-through", test_linked_blocks_run_through);
    g_test_add_func("/tcg/block/linked-loop-leaves-when-asked", test_linked_loop_leaves_when_asked);
    g_test_add_func("/tcg/block/moved-code-still-works", test_moved_code_still_works);
    g_test_add_func("/tcg/block/return-takes-the-way-noted", test_return_takes_the_way_noted_by_the_call);
    g_test_add_func("/tcg/block/indirect-exit-finds-the-jump-cache", test_indirect_exit_finds_the_jump_cache);
    g_test_add_func("/tcg/block/large-block-unwinds", test_large_block_unwinds);
    g_test_add_func("/tcg/block/full-tables-refuse-the-block", test_full_tables_refuse_the_block);
    g_test_add_func("/tcg/block/builder-folds", test_builder_folds);
    g_test_add_func("/tcg/block/dead-puts-go", test_dead_puts_go);
    g_test_add_func("/tcg/block/every-vector-row", test_every_vector_row);
    return g_test_run();
}
