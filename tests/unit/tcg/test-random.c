/*
 * Random programs: compiled code against an interpreter.
 *
 * Environment: TCG_RANDOM_SEED repeats one case, TCG_RANDOM_CASES says how many to run.
 */
#include "script.h"
#include "tcg/ir-ops.h"

static uint64_t case_seed(unsigned i)
{
    return 0x51ed + i * 7919ull;
}

static void fill(FtEnv *env, GRand *r)
{
    uint32_t *p = (uint32_t *)env->r;

    for (size_t i = 0; i < (offsetof(FtEnv, mem) - offsetof(FtEnv, r)) / 4; i++) {
        p[i] = g_rand_int(r);
    }
}

static void run_compiled(FtEnv *env, TcgContext *ctx, uint64_t block_pc, ScriptResult *out)
{
    FtCode *code = ft_code();
    TcgEnterFn *enter = (TcgEnterFn *)(code->rx + code->prologue.enter_offset);

    env->tcg.pc = block_pc;
    env->code = code->rx + FT_BLOCK_AT;
    out->faulted = setjmp(env->fault);
    if (!out->faulted) {
        out->exit = enter(env, env->code);
        out->pc = env->tcg.pc;
    } else {
        out->pc_delta = env->unwound.pc_delta;
        memcpy(out->params, env->unwound.params, sizeof(out->params));
        g_assert_cmphex(env->unwound.block_pc, ==, block_pc);
    }
}

/*
 * The block was left at an instruction's start for one that shares no probes: some time when that is reached the guest
 * is in this state.
 */
static bool left_rightly(const Script *s, const FtEnv *real, FtEnv *interp, const FtEnv *start, const uint8_t *memory, uint64_t block_pc,
                         uint64_t pc)
{
    uint64_t mask = s->pc_bits == 64 ? ~0ull : (1ull << s->pc_bits) - 1;
    ScriptResult out = { 0 };

    for (unsigned visits = 0; ; visits++) {
        memcpy(interp->r, start->r, offsetof(FtEnv, mem) - offsetof(FtEnv, r));
        memcpy(interp->mem, memory, FT_MEM);
        if (!script_interpret_until(s, interp, block_pc, (pc - block_pc) & mask, visits, &out)) {
            return false;
        }
        if (out.params[0] != FT_NO_RESTART) {
            interp->d32 = out.params[0];
        }
        if (ft_same(real, interp)) {
            return true;
        }
    }
}

static bool same_result(const ScriptResult *x, const ScriptResult *y)
{
    if (x->faulted != y->faulted) {
        return false;
    }
    if (x->faulted) {
        return x->pc_delta == y->pc_delta && x->params[0] == y->params[0] && x->params[1] == y->params[1];
    }
    return x->exit == y->exit && x->pc == y->pc;
}

static FtEnv *env_real, *env_interp, *env_start;
static uint8_t *mem_real, *mem_interp, *mem_start;
static unsigned n_faults, n_slow, n_left;
static size_t code_bytes;

static void one_case(TcgContext *ctx, uint64_t seed)
{
    g_autoptr(GRand) r = g_rand_new_with_seed(seed);
    static Script s;
    FtCode *code = ft_code();
    TcgCode out;
    ScriptResult got = { 0 }, want = { 0 };
    IrBlock *b;
    uint64_t block_pc;

    script_random(&s, r, 10 + g_rand_int_range(r, 0, 120));
    for (unsigned i = 0; i < FT_MEM; i++) {
        mem_real[i] = g_rand_int(r);
    }
    memcpy(mem_interp, mem_real, FT_MEM);
    memcpy(mem_start, mem_real, FT_MEM);
    fill(env_real, r);
    env_real->rounds = 1 + g_rand_int_range(r, 0, 4);
    memcpy(env_interp->r, env_real->r, offsetof(FtEnv, mem) - offsetof(FtEnv, r));
    memcpy(env_start->r, env_real->r, offsetof(FtEnv, mem) - offsetof(FtEnv, r));
    tcg_context_share(ctx, seed & 1);
    block_pc = (uint64_t)g_rand_int(r) << 32 | g_rand_int(r);
    block_pc = s.pc_bits == 64 ? block_pc : s.pc_bits == 32 ? (uint32_t)block_pc : (uint16_t)block_pc;

    b = tcg_block_begin(ctx);
    script_build(&s, b);
    g_assert_true(tcg_block_compile(ctx, b, code->rw + FT_BLOCK_AT, code->size - FT_BLOCK_AT, &out));
    ir_validate(b, "after liveness");
    st32_le(code->rw + FT_BLOCK_AT + TCG_BLOCK_ID_OFFSET, 0x1234);
    env_real->unwind_offset = out.unwind_offset;
    code_bytes += out.size;

    env_real->n_slow = 0;
    run_compiled(env_real, ctx, block_pc, &got);
    if (!got.faulted && got.exit == TCG_EXIT_UNSHARED) {
        n_left++;
        if (!left_rightly(&s, env_real, env_interp, env_start, mem_start, block_pc, got.pc)) {
            g_test_message("seed %" PRIu64 ": left at pc %" PRIx64 " in a state that never is there", seed, got.pc);
            ir_dump(b, stderr);
            g_test_fail();
        }
        return;
    }
    script_interpret(&s, env_interp, block_pc, &want);
    n_faults += got.faulted;
    n_slow += env_real->n_slow;
    if (!same_result(&got, &want) || !ft_same(env_real, env_interp)) {
        g_test_message("seed %" PRIu64 ": fault %d/%d at +%x/+%x exit %u/%u pc %" PRIx64 "/%" PRIx64, seed, got.faulted,
                       want.faulted, got.pc_delta, want.pc_delta, got.exit, want.exit, got.pc, want.pc);
        ft_print_diff(env_real, env_interp);
        ir_dump(b, stderr);
        g_test_fail();
    }
    if (!got.faulted && got.exit < TCG_EXIT_LOOKUP) {
        g_assert_cmphex(env_real->tcg.exit_block, ==, 0x1234);
    }
}

static void *aligned(size_t n)
{
    void *p = NULL;

    g_assert_cmpint(posix_memalign(&p, 4096, n), ==, 0);
    memset(p, 0, n);
    return p;
}

static void test_random(void)
{
    TcgContext *ctx = tcg_context_new(&ft_target);
    const char *seed = g_getenv("TCG_RANDOM_SEED"), *cases = g_getenv("TCG_RANDOM_CASES");
    unsigned n = seed ? 1 : cases ? atoi(cases) : 4000;

    env_real = aligned(sizeof(FtEnv));
    env_interp = aligned(sizeof(FtEnv));
    env_start = aligned(sizeof(FtEnv));
    mem_real = aligned(FT_MEM);
    mem_interp = aligned(FT_MEM);
    mem_start = aligned(FT_MEM);
    ft_init(env_real, mem_real);
    ft_init(env_interp, mem_interp);
    for (unsigned i = 0; i < n && !g_test_failed(); i++) {
        one_case(ctx, seed ? g_ascii_strtoull(seed, NULL, 0) : case_seed(i));
    }
    g_test_message("%u cases, %u faults, %u slow accesses, %u left unshared, %zu bytes of code", n, n_faults, n_slow, n_left, code_bytes);
    if (!seed && n >= 1000) {                   /* the net is worth little if nothing swims into it */
        g_assert_cmpuint(n_faults, >, n / 50);
        g_assert_cmpuint(n_slow, >, n / 10);
        g_assert_cmpuint(n_left, >, n / 100);
    }
    tcg_context_free(ctx);
    free(env_real);
    free(env_interp);
    free(env_start);
    free(mem_real);
    free(mem_interp);
    free(mem_start);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/random", test_random);
    return g_test_run();
}
