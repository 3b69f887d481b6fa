/*
 * Runs an instruction form through the translator: user mode, linear guest addresses being host
 * addresses, so that memory is shared with the native run.
 *
 * This is the least machine that the generated code can run on: an env, a code buffer, slow paths
 * for memory, and exceptions that end the run.  Helpers of system instructions, which user mode
 * cannot reach, abort.
 */
#include <setjmp.h>
#include <sys/mman.h>

#include "env.h"
#include "target/i386/tcg/gen.h"

#define CODE_BUFFER (1 * MiB)
#define MAX_BLOCKS  256
#define MAX_BLOCK_SIZE (64 * KiB)

typedef struct Block {
    uint64_t pc, mode;
    uint32_t top;               /* the x87's as it was translated */
    uint8_t tags[8];
    uint8_t *code;
    TcgCode tc;
} Block;

static X86CPU *cpu;
static TcgContext *ctx;
static uint8_t *buffer, *next_free, *first_free;
static TcgEnterFn *enter;
static Block blocks[MAX_BLOCKS];
static unsigned n_blocks;
static TcgJumpCacheEntry jump_cache[1 << TCG_JUMP_CACHE_BITS];
static TcgTlbEntry tlb[256];
static sigjmp_buf leave;
static int raised;
static IsaMode mode;

/* --- exceptions --- */

static void unwind(uintptr_t ra)
{
    TcgUnwound u;

    for (unsigned n = 0; n < n_blocks; n++) {
        const Block *b = &blocks[n];
        if (ra < (uintptr_t)b->code || ra > (uintptr_t)b->code + b->tc.unwind_offset) {
            continue;
        }
        if (!tcg_unwind(&x86_ir_target, &cpu->env, b->code, b->tc.unwind_offset, ra - (uintptr_t)b->code, &u)) {
            g_error("no fault table row for an address in a block");
        }
        x86_tcg_ops.restore_state(&cpu->parent, u.block_pc + u.pc_delta, u.params);
        return;
    }
    g_error("fault outside generated code");
}

void x86_raise(CPUX86State *env, int vector, uintptr_t ra)
{
    unwind(ra);
    raised = vector;
    tcg_fp_leave(&env->tcg);
    siglongjmp(leave, 1);
}

void x86_raise_err(CPUX86State *env, int vector, int error_code, uintptr_t ra)
{
    x86_raise(env, vector, ra);
}

/* No block finds another here: what comes next is looked up with the mode of then. */
void helper_mode_changed(CPUX86State *env)
{
}

void helper_raise(CPUX86State *env, uint32_t vector)
{
    x86_raise(env, vector, GETPC());
}

void helper_raise_err(CPUX86State *env, uint32_t vector, uint32_t error_code)
{
    x86_raise(env, vector, GETPC());
}

static G_NORETURN void raise_trap(CPUX86State *env, int vector, uint64_t next, uintptr_t ra)
{
    unwind(ra);
    env->tcg.pc = next;
    raised = vector;
    tcg_fp_leave(&env->tcg);
    siglongjmp(leave, 1);
}

void helper_int3(CPUX86State *env, uint64_t next)
{
    raise_trap(env, EXCP03_INT3, next, GETPC());
}

void helper_into(CPUX86State *env, uint64_t next)
{
    raise_trap(env, EXCP04_INTO, next, GETPC());
}

void helper_pause(CPUX86State *env, uint64_t next)
{
}

void helper_check_io(CPUX86State *env, uint32_t port, uint32_t bytes)
{
    x86_raise(env, EXCP0D_GPF, GETPC());
}

void helper_rsm(CPUX86State *env)
{
    x86_raise(env, EXCP06_ILLOP, GETPC());
}

void helper_cli_virtual(CPUX86State *env)
{
    x86_raise(env, EXCP0D_GPF, GETPC());
}

void helper_write_eflags(CPUX86State *env, uint64_t value, uint32_t mask)
{
    x86_set_eflags(env, value, mask);
}

/* --- memory: the host's own --- */

static bool is_ours(uint64_t va, unsigned size)
{
    return (va >= ISA_MEM_VA && va + size <= ISA_MEM_VA + ISA_MEM_SIZE)
           || (va >= ISA_CODE_VA && va + size <= ISA_CODE_VA + 4096);
}

static void check_access(void *env, uint64_t va, unsigned size, uintptr_t ra)
{
    if ((int64_t)(va << 16) >> 16 != (int64_t)va) {
        x86_raise(env, EXCP0D_GPF, ra);
    }
    if (!is_ours(va, size)) {
        x86_raise(env, EXCP0E_PAGE, ra);
    }
}

static uint64_t load(uint64_t va, unsigned size)
{
    uint64_t v = 0;

    memcpy(&v, (void *)(uintptr_t)va, size);
    return v;
}

static void store(uint64_t va, uint64_t v, unsigned size)
{
    memcpy((void *)(uintptr_t)va, &v, size);
}

static uint64_t slow_ld(void *env, uint64_t va, uint32_t oi, uintptr_t ra)
{
    IrMemOp op = tcg_oi_memop(oi);
    unsigned size = 1u << (op & IR_MO_SIZE);

    check_access(env, va, size, ra);
    return op & IR_MO_SIGN ? (uint64_t)sextract64(load(va, size), 0, 8 * size) : load(va, size);
}

static void slow_st(void *env, uint64_t va, uint64_t v, uint32_t oi, uintptr_t ra)
{
    unsigned size = 1u << (tcg_oi_memop(oi) & IR_MO_SIZE);

    check_access(env, va, size, ra);
    store(va, v, size);
}

static unsigned vector_size(void *env, uint64_t va, uint32_t oi, uintptr_t ra)
{
    unsigned size = 1u << (tcg_oi_memop(oi) & IR_MO_SIZE);

    if (tcg_oi_memop(oi) & IR_MO_ALIGN && va & (size - 1)) {
        x86_raise(env, EXCP0D_GPF, ra);
    }
    check_access(env, va, size, ra);
    return size;
}

static void slow_ld_vec(void *env, uint64_t va, void *out, uint32_t oi, uintptr_t ra)
{
    memcpy(out, (void *)(uintptr_t)va, vector_size(env, va, oi, ra));
}

static void slow_st_vec(void *env, uint64_t va, const void *in, uint32_t oi, uintptr_t ra)
{
    memcpy((void *)(uintptr_t)va, in, vector_size(env, va, oi, ra));
}

static uint64_t slow_rmw(void *env, uint64_t va, IrAtomic kind, uint64_t operand, uint32_t oi, uintptr_t ra)
{
    unsigned size = 1u << (tcg_oi_memop(oi) & IR_MO_SIZE);
    uint64_t old, v;

    check_access(env, va, size, ra);
    old = load(va, size);
    switch (kind) {
    case IR_ATOMIC_XCHG:
        v = operand;
        break;
    case IR_ATOMIC_ADD:
        v = old + operand;
        break;
    case IR_ATOMIC_AND:
        v = old & operand;
        break;
    case IR_ATOMIC_OR:
        v = old | operand;
        break;
    default:
        v = old ^ operand;
        break;
    }
    store(va, v, size);
    return old;
}

static uint64_t slow_cas(void *env, uint64_t va, uint64_t want, uint64_t v, uint32_t oi, uintptr_t ra)
{
    unsigned size = 1u << (tcg_oi_memop(oi) & IR_MO_SIZE);
    uint64_t mask = ~0ull >> (64 - 8 * size), old;

    check_access(env, va, size, ra);
    old = load(va, size);
    store(va, old == (want & mask) ? v : old, size);
    return old;
}

static const TcgSlowOps slow_ops = { slow_ld, slow_st, slow_ld_vec, slow_st_vec, slow_rmw, slow_cas };

void *tcg_probe_access(Vcpu *vcpu, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, uintptr_t ra)
{
    check_access(&cpu->env, va, size, ra);
    return (void *)(uintptr_t)va;
}

bool cpu_cmpxchg16(Vcpu *vcpu, vaddr va, unsigned __int128 *old, unsigned __int128 want, unsigned mmu_idx, uintptr_t ra)
{
    unsigned __int128 now;
    bool equal;

    check_access(&cpu->env, va, 16, ra);
    memcpy(&now, (void *)(uintptr_t)va, 16);
    equal = now == *old;
    if (equal) {
        memcpy((void *)(uintptr_t)va, &want, 16);
    }
    *old = now;
    return equal;
}

#define DEFINE_LD(name, type, size)                                                     \
    type name(Vcpu *vcpu, vaddr va, unsigned mmu_idx, uintptr_t ra)                     \
    {                                                                                   \
        check_access(&cpu->env, va, size, ra);                                          \
        return (type)load(va, size);                                                    \
    }
#define DEFINE_ST(name, type, size)                                                     \
    void name(Vcpu *vcpu, vaddr va, type v, unsigned mmu_idx, uintptr_t ra)             \
    {                                                                                   \
        check_access(&cpu->env, va, size, ra);                                          \
        store(va, v, size);                                                             \
    }
DEFINE_LD(cpu_ldub, uint32_t, 1)
DEFINE_LD(cpu_lduw, uint32_t, 2)
DEFINE_LD(cpu_ldl, uint32_t, 4)
DEFINE_LD(cpu_ldq, uint64_t, 8)
DEFINE_ST(cpu_stb, uint32_t, 1)
DEFINE_ST(cpu_stw, uint32_t, 2)
DEFINE_ST(cpu_stl, uint32_t, 4)
DEFINE_ST(cpu_stq, uint64_t, 8)

unsigned x86_mmu_index(const CPUX86State *env)
{
    return MMU_USER_IDX;
}

/* --- translation --- */

static bool fetch(TbRequest *req, uint32_t delta, void *buf, unsigned n)
{
    uint64_t va = req->mode.cs_base + req->pc + delta;

    if (va + n > ISA_CODE_VA + ISA_HOLE + ISA_HOLE_SIZE) {
        return false;           /* ends the block behind the form */
    }
    memcpy(buf, (void *)(uintptr_t)va, n);
    return true;
}

static Block *translate(uint64_t pc)
{
    TbRequest req = { .cpu = &cpu->parent, .pc = pc, .max_insns = 64, .ctx = ctx, .fetch = fetch };
    Block *b;

    g_assert(n_blocks < MAX_BLOCKS);
    x86_tcg_ops.get_mode(&cpu->parent, &(uint64_t){ 0 }, &req.mode);
    req.ir = tcg_block_begin(ctx);
    x86_tcg_ops.translate(&req);
    b = &blocks[n_blocks++];
    b->pc = pc;
    b->mode = req.mode.flags;
    b->top = cpu->env.fpstt;
    memcpy(b->tags, cpu->env.fptags, 8);
    b->code = next_free;
    if (!tcg_block_compile(ctx, req.ir, next_free, buffer + CODE_BUFFER - next_free, &b->tc)) {
        g_error("block does not compile");
    }
    next_free += ROUND_UP(b->tc.size + 16, 16);
    return b;
}

/*
 * Translate, but do not run, @n random bytes in a random mode: whatever a guest puts in its memory,
 * the front end and the emitter must get through it.
 */
void guest_translate(const uint8_t *bytes, unsigned n, uint64_t mode_flags)
{
    TbRequest req = { .cpu = &cpu->parent, .pc = ISA_CODE_VA + ISA_HOLE, .max_insns = 64, .ctx = ctx, .fetch = fetch };
    TcgCode tc;

    g_assert(n <= ISA_HOLE_SIZE);
    memcpy((void *)(uintptr_t)req.pc, bytes, n);
    guest_new_code(ISA_64);
    req.mode.flags = mode_flags;
    req.ir = tcg_block_begin(ctx);
    x86_tcg_ops.translate(&req);
    g_assert(req.n_insns > 0 && req.n_insns <= 64 && req.size > 0);
    if (!tcg_block_compile(ctx, req.ir, next_free, buffer + CODE_BUFFER - next_free, &tc)) {
        g_error("block does not compile");
    }
}

/* A block's guess at the x87's register stack. */
static bool guesses_right(const Block *b)
{
    return b->top == cpu->env.fpstt && !memcmp(b->tags, cpu->env.fptags, 8);
}

/* Mostly a block for the present register stack, now and then any, which then may find its guess wrong. */
static Block *find_block(uint64_t pc)
{
    static unsigned turn;
    bool any = turn++ % 8 == 0;
    TbMode now;

    x86_tcg_ops.get_mode(&cpu->parent, &(uint64_t){ 0 }, &now);
    for (unsigned n = 0; n < n_blocks; n++) {
        if (blocks[n].pc == pc && blocks[n].mode == now.flags && (any || guesses_right(&blocks[n]))) {
            return &blocks[n];
        }
    }
    if (n_blocks == MAX_BLOCKS || next_free > buffer + CODE_BUFFER - MAX_BLOCK_SIZE) {
        guest_new_code(mode);
    }
    return translate(pc);
}

void guest_new_code(IsaMode m)
{
    mode = m;
    n_blocks = 0;
    next_free = first_free;
    tcg_env_forget_returns(&cpu->env.tcg);
}

void guest_set_fast(bool fast)
{
    memset(tlb, 0xff, sizeof(tlb));
    for (uint64_t va = ISA_MEM_VA; fast && va < ISA_MEM_VA + ISA_MEM_SIZE; va += 4096) {
        tlb[va >> 12 & 255] = (TcgTlbEntry){ va, va, ~0ull, 0 };
    }
}

/* The host's features, without what the translator does not offer. */
static void set_features(CPUX86State *env)
{
    uint32_t a, b, c, d;

    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
    env->features[FEAT_1_EDX] = d;
    env->features[FEAT_1_ECX] = c;
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    env->features[FEAT_7_0_EBX] = b;
    env->features[FEAT_7_0_ECX] = c;
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0x80000001), "c"(0));
    env->features[FEAT_8000_0001_EDX] = d;
    env->features[FEAT_8000_0001_ECX] = c;
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(13), "c"(1));
    env->features[FEAT_XSAVE] = a & 7;
}

void guest_init(void)
{
    TcgPrologue prologue;
    CPUX86State *env;

    cpu = aligned_alloc(64, ROUND_UP(sizeof(*cpu), 64));
    memset(cpu, 0, sizeof(*cpu));
    env = &cpu->env;
    cpu->parent.env = env;
    set_features(env);
    ctx = tcg_context_new(&x86_ir_target);
    buffer = mmap(NULL, CODE_BUFFER, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert(buffer != MAP_FAILED);
    if (!tcg_emit_prologue(buffer, CODE_BUFFER, &prologue)) {
        g_error("prologue does not fit");
    }
    first_free = buffer + ROUND_UP(prologue.size + 16, 64);
    enter = (TcgEnterFn *)(buffer + prologue.enter_offset);
    tcg_env_init(&env->tcg, &x86_ir_target);
    tcg_env_set_prologue(&env->tcg, &prologue, buffer);
    env->tcg.slow = &slow_ops;
    env->tcg.page_bits = 12;
    memset(jump_cache, 0xff, sizeof(jump_cache));
    env->tcg.jump_cache = jump_cache;
    for (unsigned n = 0; n < X86_N_MMU_IDX; n++) {
        *tcg_env_tlb(&env->tcg, n) = (TcgTlbFast){ 255 * sizeof(TcgTlbEntry), tlb };
    }
    guest_set_fast(true);
    guest_new_code(ISA_64);
}

/* --- state --- */

static void set_mode(CPUX86State *env)
{
    static const uint32_t mode_flags[] = {
        [ISA_64] = HF_CS64 | HF_CS32 | HF_SS32, [ISA_32] = HF_CS32 | HF_SS32, [ISA_16] = HF_ADDSEG,
    };
    static const uint16_t cs[] = { ISA_SEL_CODE64, ISA_SEL_CODE32, ISA_SEL_CODE16 };

    env->hflags = 3 | HF_PE | HF_LMA | HF_OSFXSR | HF_OSXSAVE | (native_has_avx() ? HF_AVX_EN : 0) | mode_flags[mode];
    for (unsigned seg = R_ES; seg <= R_DS; seg++) {
        env->segs[seg].base = mode == ISA_16 ? ISA_MEM_VA : 0;
        env->segs[seg].selector = mode == ISA_16 ? ISA_SEL_DATA16 : ISA_SEL_DATA;
    }
    env->segs[R_CS].base = mode == ISA_16 ? ISA_CODE_VA : 0;
    env->segs[R_CS].selector = cs[mode];
}

static void run(CPUX86State *env)
{
    const uint64_t base = mode == ISA_16 ? 0 : ISA_CODE_VA, end = base + ISA_HOLE + ISA_HOLE_SIZE;

    env->tcg.pc = base + ISA_HOLE;
    for (unsigned steps = 0; env->tcg.pc != end; steps++) {
        Block *b;
        if (steps > 10000 || env->tcg.pc < base || env->tcg.pc > end) {
            raised = 1000;                      /* lost */
            return;
        }
        b = find_block(env->tcg.pc);
        if (enter(env, b->code) == TCG_EXIT_GUARD) {
            x86_tcg_ops.guard_failed(&cpu->parent);
        }
    }
}

void guest_run(const IsaState *in, IsaState *out)
{
    CPUX86State *env = &cpu->env;

    set_mode(env);
    isa_set_env(env, in);
    raised = -1;
    if (!sigsetjmp(leave, 0)) {
        run(env);
    }
    isa_get_env(env, out);
    out->vector = raised;
    out->fault_offset = raised < 0 ? 0 : env->tcg.pc - (mode == ISA_16 ? 0 : ISA_CODE_VA) - ISA_HOLE;
}
