/*
 * The invented guest: see fake-target.h.
 */
#include <sys/mman.h>
#include <unistd.h>
#include "fake-target.h"

#define RA() ((uintptr_t)__builtin_return_address(0))

static G_NORETURN void fault(FtEnv *env, uint64_t va, uintptr_t ra)
{
    env->fault_va = va;
    if (!env->interpreting) {
        bool ok = tcg_unwind(&ft_target, env, env->code, env->unwind_offset, ra - (uintptr_t)env->code, &env->unwound);

        g_assert_true(ok);
        tcg_fp_leave(&env->tcg);
    }
    longjmp(env->fault, 1);
}

/* --- helpers --- */

static uint64_t h_careful(void *p, uint64_t a, uint32_t b)
{
    FtEnv *env = p;

    env->plain[0] = env->plain[0] * 31 + (a ^ b ^ env->cc[0] ^ env->r[7] ^ env->v[3].q[1]);
    if (((a ^ b) & 0x3f) == 0) {
        fault(env, a, RA());
    }
    env->r[a & 15] += b ^ env->cc[1];
    env->c32 ^= a;
    env->v[b & 7].q[0] += a;
    return env->r[b & 15] - env->d32;
}

static uint64_t h_pure(void *p, uint64_t a, uint64_t b)
{
    return a * 3 + (b ^ 0x55);
}

static uint64_t h_reader(void *p, uint64_t a)
{
    FtEnv *env = p;
    uint64_t s = a;

    for (unsigned i = 0; i < 16; i++) {
        s = s * 7 + env->r[i];
    }
    s += env->cc[0] * 3 + env->cc[1] * 5 + env->cc[2] * 11 + env->c32 + env->d32;
    for (unsigned i = 0; i < 8; i++) {
        s ^= env->v[i].q[0] + 3 * env->v[i].q[1];
    }
    return s;
}

static uint32_t h_many(void *p, uint32_t a, uint64_t b, uint32_t c, uint64_t d, uint64_t e)
{
    return a + b * 3 + c * 5 + d * 7 + e * 11;
}

static void h_vector(void *p, const FtVec *a, uint64_t k, const FtVec *b, FtVec *d)
{
    d->q[0] = a->q[0] + b->q[1] * 3 + k;
    d->q[1] = a->q[1] ^ b->q[0] ^ k;
}

static void h_writer(void *p, uint64_t a)
{
    FtEnv *env = p;

    env->r[3] = a;
    env->d32 = a >> 7;
    env->v[2].q[1] = ~a;
}

static uint64_t h_seven(void *p, uint64_t a, uint64_t b, uint32_t c, uint64_t d, uint64_t e, uint64_t f)
{
    FtEnv *env = p;

    env->plain[1] = env->plain[1] * 17 + a + 2 * b + 3 * (uint64_t)c + 4 * d + 5 * e + 6 * f;
    return env->plain[1];
}

static const IrHelper helpers[] = {
    [FH_CAREFUL] = { "careful", h_careful, IR_I64, 2, { IR_I64, IR_I32 }, 0 },
    [FH_PURE] = { "pure", h_pure, IR_I64, 2, { IR_I64, IR_I64 }, IR_HELPER_PURE },
    [FH_READER] = { "reader", h_reader, IR_I64, 1, { IR_I64 }, IR_HELPER_NO_WRITE | IR_HELPER_NO_FAULT },
    [FH_MANY] = { "many", h_many, IR_I32, 5, { IR_I32, IR_I64, IR_I32, IR_I64, IR_I64 },
                  IR_HELPER_NO_READ | IR_HELPER_NO_WRITE | IR_HELPER_NO_FAULT },
    [FH_VECTOR] = { "vector", h_vector, IR_V128, 3, { IR_V128, IR_I64, IR_V128 }, IR_HELPER_PURE },
    [FH_WRITER] = { "writer", h_writer, IR_VOID, 1, { IR_I64 }, IR_HELPER_NO_READ | IR_HELPER_NO_FAULT },
    [FH_SEVEN] = { "seven", h_seven, IR_I64, 6, { IR_I64, IR_I64, IR_I32, IR_I64, IR_I64, IR_I64 },
                   IR_HELPER_NO_READ | IR_HELPER_NO_WRITE },
};

#define R(n) { "r" #n, offsetof(FtEnv, r[n]), IR_I64, 15 }
#define V(n) { "v" #n, offsetof(FtEnv, v[n]), IR_V128, 0 }
static const IrGlobal globals[FT_N_GLOBALS] = {
    R(0), R(1), R(2), R(3), R(4), R(5), R(6), R(7), R(8), R(9), R(10), R(11), R(12), R(13), R(14), R(15),
    { "cc0", offsetof(FtEnv, cc[0]), IR_I64, 3 }, { "cc1", offsetof(FtEnv, cc[1]), IR_I64, 3 },
    { "cc2", offsetof(FtEnv, cc[2]), IR_I64, 3 },
    { "c32", offsetof(FtEnv, c32), IR_I32, 0 }, { "d32", offsetof(FtEnv, d32), IR_I32, 0 },
    V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7),
};

const IrTarget ft_target = {
    .name = "fake", .globals = globals, .n_globals = FT_N_GLOBALS, .helpers = helpers, .n_helpers = FT_N_HELPERS,
    .n_insn_params = 2, .stack_global = FG_R0 + 6, .restart_global = FG_D32, .restart_none = FT_NO_RESTART,
};

/* --- guest memory --- */

void *ft_check(FtEnv *env, uint64_t va, unsigned size, uintptr_t ra)
{
    uint64_t at = va - FT_BASE;

    if (at >= FT_MEM || at + size > FT_MEM - FT_PAGE) {
        fault(env, va, ra);
    }
    env->n_slow++;
    return env->mem + at;
}

uint64_t ft_read(FtEnv *env, uint64_t va, IrMemOp op, uintptr_t ra)
{
    unsigned size = 1u << (op & IR_MO_SIZE);
    uint64_t v = 0;

    if (op & IR_MO_ALIGN && va & (size - 1)) {
        fault(env, va, ra);
    }
    memcpy(&v, ft_check(env, va, size, ra), size);
    if (op & IR_MO_BE) {
        v = __builtin_bswap64(v) >> (64 - 8 * size);
    }
    if (op & IR_MO_SIGN) {
        v = (int64_t)(v << (64 - 8 * size)) >> (64 - 8 * size);
    }
    return v;
}

void ft_write(FtEnv *env, uint64_t va, uint64_t v, IrMemOp op, uintptr_t ra)
{
    unsigned size = 1u << (op & IR_MO_SIZE);

    if (op & IR_MO_ALIGN && va & (size - 1)) {
        fault(env, va, ra);
    }
    if (op & IR_MO_BE) {
        v = __builtin_bswap64(v << (64 - 8 * size));
    }
    memcpy(ft_check(env, va, size, ra), &v, size);
}

static uint64_t slow_ld(void *env, uint64_t va, uint32_t oi, uintptr_t ra)
{
    g_assert_cmpuint(tcg_oi_mmu_idx(oi), ==, 1);
    return ft_read(env, va, tcg_oi_memop(oi), ra);
}

static void slow_st(void *env, uint64_t va, uint64_t v, uint32_t oi, uintptr_t ra)
{
    ft_write(env, va, v, tcg_oi_memop(oi), ra);
}

static void slow_ld_vec(void *env, uint64_t va, void *out, uint32_t oi, uintptr_t ra)
{
    memcpy(out, ft_check(env, va, 16, ra), 16);
}

static void slow_st_vec(void *env, uint64_t va, const void *in, uint32_t oi, uintptr_t ra)
{
    memcpy(ft_check(env, va, 16, ra), in, 16);
}

static uint64_t slow_rmw(void *env, uint64_t va, IrAtomic kind, uint64_t v, uint32_t oi, uintptr_t ra)
{
    uint64_t old = ft_read(env, va, tcg_oi_memop(oi), ra), n = v;

    switch (kind) {
    case IR_ATOMIC_XCHG: break;
    case IR_ATOMIC_ADD: n = old + v; break;
    case IR_ATOMIC_AND: n = old & v; break;
    case IR_ATOMIC_OR: n = old | v; break;
    case IR_ATOMIC_XOR: n = old ^ v; break;
    }
    ft_write(env, va, n, tcg_oi_memop(oi), ra);
    return old;
}

static uint64_t slow_cas(void *env, uint64_t va, uint64_t expected, uint64_t desired, uint32_t oi, uintptr_t ra)
{
    unsigned bits = 8u << (tcg_oi_memop(oi) & IR_MO_SIZE);
    uint64_t old = ft_read(env, va, tcg_oi_memop(oi), ra);

    if (old == (bits == 64 ? expected : extract64(expected, 0, bits))) {
        ft_write(env, va, desired, tcg_oi_memop(oi), ra);
    }
    return old;
}

static void *slow_probe(void *env, uint64_t va, unsigned before, unsigned after, bool write, bool store, uint32_t oi,
                        uintptr_t ra)
{
    IrMemOp op = tcg_oi_memop(oi);
    unsigned size = 1u << (op & IR_MO_SIZE);
    uint64_t lo = (va - before - FT_BASE) / FT_PAGE, hi = (va + after - 1 - FT_BASE) / FT_PAGE;
    uint8_t *host;

    if (op & IR_MO_ALIGN && va & (size - 1)) {
        fault(env, va, ra);
    }
    host = ft_check(env, va, size, ra);
    g_assert_true(write || !store);
    return lo == hi && !(write && lo == 2) ? host : NULL;
}

const TcgSlowOps ft_slow_ops = { slow_ld, slow_st, slow_ld_vec, slow_st_vec, slow_rmw, slow_cas, slow_probe };

/* --- set-up --- */

FtCode *ft_code(void)
{
    static FtCode c;

    if (!c.rw) {
        int fd = memfd_create("code", 0);

        c.size = 1 << 20;
        g_assert_cmpint(ftruncate(fd, c.size), ==, 0);
        c.rw = mmap(NULL, c.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        c.rx = mmap(NULL, c.size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
        close(fd);
        g_assert_true(tcg_emit_prologue(c.rw, FT_BLOCK_AT, &c.prologue));
    }
    return &c;
}

void ft_init(FtEnv *env, uint8_t *mem)
{
    FtCode *code = ft_code();
    TcgTlbFast *fast = tcg_env_tlb(&env->tcg, 1);

    env->mem = mem;
    env->tcg.slow = &ft_slow_ops;
    env->tcg.page_bits = 12;
    env->tcg.jump_cache = env->jump_cache;
    tcg_env_init(&env->tcg, &ft_target);
    tcg_env_set_prologue(&env->tcg, &code->prologue, code->rx);
    fast->table = env->tlb;
    fast->mask = (ARRAY_SIZE(env->tlb) - 1) * sizeof(TcgTlbEntry);
    memset(env->tlb, 0xff, sizeof(env->tlb));
    for (unsigned i = 0; i < ARRAY_SIZE(env->jump_cache); i++) {
        env->jump_cache[i] = (TcgJumpCacheEntry){ ~0ull, env->tcg.stub[TCG_STUB_LOOKUP] };
    }
    for (unsigned i = 0; i < 3; i++) {
        uint64_t va = FT_BASE + i * FT_PAGE;
        TcgTlbEntry *e = &env->tlb[(va >> 12) % ARRAY_SIZE(env->tlb)];

        e->addr_read = va;
        e->addr_write = i == 2 ? va | TLB_NOTDIRTY : va;
        e->addend = (uintptr_t)mem - FT_BASE;
    }
}

bool ft_same(const FtEnv *x, const FtEnv *y)
{
    size_t from = offsetof(FtEnv, r), to = offsetof(FtEnv, mem);

    return !memcmp((const char *)x + from, (const char *)y + from, to - from) && !memcmp(x->mem, y->mem, FT_MEM);
}

void ft_print_diff(const FtEnv *x, const FtEnv *y)
{
    for (unsigned i = 0; i < FT_N_GLOBALS; i++) {
        const uint8_t *a = (const uint8_t *)x + globals[i].offset, *b = (const uint8_t *)y + globals[i].offset;
        size_t n = globals[i].type == IR_V128 ? 16 : globals[i].type == IR_I32 ? 4 : 8;

        if (memcmp(a, b, n)) {
            uint64_t va[2] = { 0 }, vb[2] = { 0 };

            memcpy(va, a, n);
            memcpy(vb, b, n);
            g_test_message("%s: %016" PRIx64 "%016" PRIx64 " vs %016" PRIx64 "%016" PRIx64, globals[i].name, va[1],
                           va[0], vb[1], vb[0]);
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        if (x->plain[i] != y->plain[i]) {
            g_test_message("plain[%u]: %" PRIx64 " vs %" PRIx64, i, x->plain[i], y->plain[i]);
        }
    }
    for (unsigned i = 0; i < FT_MEM; i++) {
        if (x->mem[i] != y->mem[i]) {
            g_test_message("mem[0x%x]: %02x vs %02x", i, x->mem[i], y->mem[i]);
        }
    }
}

void ft_set_up(FtEnv **env, uint8_t **mem, TcgContext **ctx)
{
    g_assert_cmpint(posix_memalign((void **)env, 4096, sizeof(FtEnv)), ==, 0);
    memset(*env, 0, sizeof(**env));
    *mem = g_malloc0(FT_MEM);
    ft_init(*env, *mem);
    *ctx = tcg_context_new(&ft_target);
}

void ft_tear_down(FtEnv *env, uint8_t *mem, TcgContext *ctx)
{
    tcg_context_free(ctx);
    free(env);
    g_free(mem);
}
