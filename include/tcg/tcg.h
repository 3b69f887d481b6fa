/*
 * From IR to host code: the translator's public interface towards accel/tcg.
 *
 * A TcgContext belongs to one thread; it is reused for block after block, so that translation
 * allocates nothing.  Output goes to caller-given memory: the code is position-independent and
 * may be copied elsewhere (all of TcgCode.size bytes, to a 4-byte-aligned place), then re-linked.
 *
 * While translated code runs, a host register holds env (biased by TCG_ENV_BIAS) and another the
 * architectural pc of the running block's start; every way into a block sets the latter.
 */
#ifndef TCG_TCG_H
#define TCG_TCG_H

#include "tcg/ir.h"

typedef struct TcgContext TcgContext;

#define TCG_MMU_IDX_MAX 8
#define TCG_MAX_HELPERS 1024

/* One entry of the soft TLB: 32 bytes. */
typedef struct TcgTlbEntry {
    uint64_t addr_read;     /* page address | TLB_* flag bits; ~0 = empty */
    uint64_t addr_write;
    uint64_t addr_code;
    uintptr_t addend;       /* host address = guest virtual address + addend */
} TcgTlbEntry;
_Static_assert(sizeof(TcgTlbEntry) == 32, "the emitter scales by 32");

/* Flag bits in the low bits of the comparators; any set bit sends the access to the slow path. */
enum {
    TLB_INVALID  = 1 << 11, /* entry not valid for this kind of access */
    TLB_NOTDIRTY = 1 << 10, /* write: dirty log or translated code on the page */
    TLB_MMIO     = 1 << 9,
    TLB_WATCH    = 1 << 8,  /* watchpoint on the page */
    TLB_FORCE_SLOW = 1 << 7,
};

/*
 * The table of one mmu index in the current address-space context.  Entry of @va:
 * table + ((va >> (page_bits - 5)) & mask); at most 2^20 entries.
 */
typedef struct TcgTlbFast {
    uintptr_t mask;         /* (n_entries - 1) * sizeof(TcgTlbEntry) */
    TcgTlbEntry *table;
} TcgTlbFast;

/* Inline jump cache: tag is pc ^ mode_tag; code is the block's entry. */
typedef struct TcgJumpCacheEntry {
    uint64_t tag;
    /* In the executable mapping.  Of an empty entry whose tag a guest could aim at: TcgEnv.stub[TCG_STUB_LOOKUP]. */
    void *code;
} TcgJumpCacheEntry;
#define TCG_JUMP_CACHE_BITS 17
/*
 * Index of @pc in the jump cache; the emitter does the same.  Near code has near entries: spread by a
 * product, they would take a page of the host each.
 */
#define TCG_JUMP_CACHE_UNSHARED (1u << (TCG_JUMP_CACHE_BITS - 1))   /* xor'ed to the index of a block that shares no probes */
#define TCG_JUMP_CACHE_HASH(pc) (((uint32_t)(pc) ^ ((uint32_t)(pc) >> TCG_JUMP_CACHE_BITS)) & ((1u << TCG_JUMP_CACHE_BITS) - 1))

/*
 * The return cache: a call notes where it will be returned to at the entry of that pc's low bits, in the same form; the
 * code leads on to the block there, by a direct exit of the calling block.  Only the vCPU's own thread touches it.  All
 * of it is dropped before memory of code is used again.
 */
#define TCG_RETURN_CACHE_BITS 9
#define TCG_RETURN_CACHE_HASH(pc) ((pc) & ((1u << TCG_RETURN_CACHE_BITS) - 1))

/*
 * Slow paths of guest memory accesses: TLB misses, MMIO, page crossings, dirty tracking.
 * @oi: see tcg_oi_memop() and tcg_oi_mmu_idx().  @ra: return address in block code, for
 * tcg_unwind() when the access faults (then the functions do not return).  MXCSR is the guest's.
 */
typedef struct TcgSlowOps {
    /* Zero- or sign-extended to 64 bits as the memop says. */
    uint64_t (*ld)(void *env, uint64_t va, uint32_t oi, uintptr_t ra);
    void (*st)(void *env, uint64_t va, uint64_t value, uint32_t oi, uintptr_t ra);
    /* IR_MO_128 and IR_MO_256; @out and @in in guest memory order. */
    void (*ld_vec)(void *env, uint64_t va, void *out, uint32_t oi, uintptr_t ra);
    void (*st_vec)(void *env, uint64_t va, const void *in, uint32_t oi, uintptr_t ra);
    /* Both return the old value, zero-extended. */
    uint64_t (*rmw)(void *env, uint64_t va, IrAtomic kind, uint64_t operand, uint32_t oi, uintptr_t ra);
    uint64_t (*cas)(void *env, uint64_t va, uint64_t expected, uint64_t desired, uint32_t oi, uintptr_t ra);
    /*
     * The access @oi at @va, a store if @store, comes first of several in [@va - @before, @va + @after): fault as it would.
     * Returns the host address of @va if all of the range is there, for reading and, if @write, for writing; else NULL.
     */
    void *(*probe)(void *env, uint64_t va, unsigned before, unsigned after, bool write, bool store, uint32_t oi, uintptr_t ra);
} TcgSlowOps;

static inline IrMemOp tcg_oi_memop(uint32_t oi) { return (IrMemOp)(oi & 0xff); }
static inline unsigned tcg_oi_mmu_idx(uint32_t oi) { return oi >> 8; }
static inline uint32_t tcg_make_oi(IrMemOp op, unsigned mmu_idx) { return op | mmu_idx << 8; }

/*
 * So many bits that no tag of an entry has them all: jump caches compare with a tag that this is or'ed
 * to.  An empty entry has none of them: only the pc that equals the secret mode tag would meet it.
 */
#define TCG_JUMP_CACHE_EMPTY 0ull
#define TCG_EXIT_REQUESTED 0xaaaaaaaaaaaaaaaaull

/* Trampolines in the code cache's prologue, reached through TcgEnv.stub (set by tcg_env_set_prologue()). */
enum {
    TCG_STUB_LOOKUP,                    /* leave with TCG_EXIT_LOOKUP: may stand for a block's code */
    TCG_STUB_LEAVE,                     /* exits of blocks */
    TCG_STUB_PROBE,                     /* jump there with the pc set: the jump cache's block, or leave with TCG_EXIT_LOOKUP */
    TCG_STUB_SLOW,                      /* memory slow paths */
    TCG_STUB_UNSHARED,                  /* as PROBE, to a block that shares no probes, or leave with TCG_EXIT_UNSHARED */
    TCG_N_STUBS,
};

/*
 * What generated code shares with the run loop, embedded at the very start of every guest's env.
 * The last 96 bytes and the first 160 bytes of what follows in the guest's env are reached with
 * one-byte displacements: so cold fields come first, and hot ones and the guest's integer
 * registers lie around the end.
 */
typedef struct TcgEnv {
    void *helpers[TCG_MAX_HELPERS];         /* tcg_env_init() */
    TcgJumpCacheEntry returns[1 << TCG_RETURN_CACHE_BITS];
    void *stub[TCG_N_STUBS];                /* tcg_env_set_prologue() */
    void *slow_dispatch;                    /* tcg_env_init() */
    void *vop_fallback;                     /* tcg_env_init() */
    const TcgSlowOps *slow;                 /* set by accel/tcg */
    uint32_t pin_offset[4];                 /* in env: globals that live in host registers (tcg_env_init()) */
    uint64_t pin_unused;                    /* where a pin without a global points */
    uint64_t *saved_regs;                   /* host registers at the running slow path, for tcg_unwind() */
    uint32_t exit_block;                    /* at TCG_EXIT_DIRECT0 + slot: the id word of the block that left */
    uint32_t guest_fpcr;                    /* x86 host: MXCSR for translated code, exceptions all masked */
    uint32_t host_fpcr;                     /* x86 host: MXCSR of C code */
    uint16_t guest_fpcw;                    /* x86 host: x87 control word for translated code, exceptions all masked */
    uint16_t host_fpcw;                     /* x86 host: x87 control word of C code */
    uint32_t page_bits;                     /* of the guest's smallest page (12 on x86) */
    uint64_t pc;                            /* architectural pc: valid outside translated code and at exits */
    uint64_t unshared_tag;                  /* mode_tag of blocks that share no probes */
    void *stub_unshared;                    /* of stub[] */
    _Alignas(32) uint64_t scratch[8];       /* free for the target between two IR ops; not used by tcg */
    uint64_t block_pc;                      /* pc of the running block's start, during helpers and slow paths that may fault */
    uint64_t *call_counts;                  /* with tcg_context_count_calls(): TCG_N_CALL_COUNTS of them */

    TcgTlbFast tlb_reversed[TCG_MMU_IDX_MAX];   /* through tcg_env_tlb(): index 0 is the closest to the end */
    uint64_t mode_tag;                      /* see TcgJumpCacheEntry; set by the run loop with the mode */
    TcgJumpCacheEntry *jump_cache;          /* 2^TCG_JUMP_CACHE_BITS entries */
    /* written by any thread, polled by translated code: 0, or TCG_EXIT_REQUESTED = leave to the run loop */
    uint64_t exit_request;
    void *stub_slow, *stub_leave, *stub_probe;  /* of stub[], where they are near */
} TcgEnv;

_Static_assert(sizeof(TcgEnv) - offsetof(TcgEnv, tlb_reversed[TCG_MMU_IDX_MAX - 3]) <= 96 && sizeof(TcgEnv) % 32 == 0,
               "three mmu indexes and what follows within one-byte displacements");

static inline TcgTlbFast *tcg_env_tlb(TcgEnv *env, unsigned mmu_idx)
{
    return &env->tlb_reversed[TCG_MMU_IDX_MAX - 1 - mmu_idx];
}

/* What tcg produced for one block; its entry is its first byte. */
typedef struct TcgCode {
    uint32_t size;                  /* bytes of code with its fault table */
    uint32_t unwind_offset;         /* compact fault table, the last part of @size */
    uint32_t unwind_size;
    bool loops;                     /* may stay in itself: only an exit request gets it out */
    struct {
        int32_t jump_offset;        /* offset of the rel32 to patch when linking (4-aligned); -1 = slot unused */
        int32_t pc_delta;
    } direct[IR_DIRECT_SLOTS];
} TcgCode;

/* Where the jump of a direct exit goes while it is not linked. */
#define TCG_UNLINKED_OFFSET(jump_offset) ((jump_offset) + 4)

TcgContext *tcg_context_new(const IrTarget *target);
void tcg_context_free(TcgContext *ctx);
/*
 * From the next block on, code counts its calls of helpers and of vector operations' fallbacks in TcgEnv.call_counts:
 * first helpers by number, then at TCG_MAX_HELPERS fallbacks by IrVop.
 */
void tcg_context_count_calls(TcgContext *ctx, bool on);
#define TCG_N_CALL_COUNTS (TCG_MAX_HELPERS + IR_VOP_COUNT)
/*
 * From the next block on, accesses near each other share a probe of the soft TLB, if @on.  Only where TCG_EXIT_UNSHARED
 * finds a block compiled without.
 */
void tcg_context_share(TcgContext *ctx, bool on);
/* From the next block on, TcgEnv.block_pc is right in every helper, for profiles. */
void tcg_context_keep_pc(TcgContext *ctx, bool on);
const char *tcg_vop_name(unsigned vop);
/* The @i-th range of bytes in the last compiled block's code that are no instructions.  False: there are no more. */
bool tcg_context_data_bytes(const TcgContext *ctx, unsigned i, uint32_t *offset, uint32_t *n);
/* IR ops that @ctx has emitted, by kind: 0..tcg_n_opcodes() - 1.  From any thread. */
uint64_t tcg_context_op_count(const TcgContext *ctx, unsigned opcode);
unsigned tcg_n_opcodes(void);
const char *tcg_opcode_name(unsigned opcode);
/* Start a fresh block; the IrBlock belongs to @ctx. */
IrBlock *tcg_block_begin(TcgContext *ctx);
/* Number of ops so far; front ends end a block before TCG_MAX_OPS is near. */
unsigned tcg_block_n_ops(const IrBlock *b);
#define TCG_MAX_OPS 4096
#define TCG_OPS_SOFT_LIMIT 2500
/*
 * Optimize and emit into @buf (4-byte aligned, as the place of execution will be; @max bytes,
 * executed later at an address of the caller's choice).  The 4 bytes before @buf are the caller's
 * (see TCG_BLOCK_ID_OFFSET).  False if it does not fit @max or the translator's own tables (try
 * again with more room, or fewer guest instructions).  Logs according to -d.
 */
bool tcg_block_compile(TcgContext *ctx, IrBlock *b, uint8_t *buf, size_t max, TcgCode *out) MUST_USE;

/*
 * For tests, before any context is made: translate for another host than this one.  @name: "host" this one,
 * "minimal" (the C fallback for every vector row), a level of the psABI ("x86-64" .. "x86-64-v3"), or this host
 * without some instructions ("no-bmi", "no-avx", "no-avx2").  @runs_here: this CPU can run what is then
 * made.  False: no such name.
 */
bool tcg_host_pretend(const char *name, bool *runs_here) MUST_USE;
/* For helpers with a short way by the host's string compares; false on a host that only pretends to be minimal. */
bool tcg_host_has_sse42(void);
bool tcg_host_has_bmi2(void);
/* NULL if this host CPU can run generated code, else what it lacks. */
const char *tcg_host_missing(void);

/*
 * The shared entry and exit code: emitted once at the start of the cache.  Position-independent.
 * @enter_offset is a TcgEnterFn: runs the block at @code, with TcgEnv.pc its architectural pc;
 * returns one of TCG_EXIT_*.
 */
typedef uintptr_t TcgEnterFn(void *env, const void *code);
typedef struct TcgPrologue {
    uint32_t size;
    uint32_t enter_offset;
    uint32_t stub_offset[TCG_N_STUBS];
} TcgPrologue;
bool tcg_emit_prologue(uint8_t *buf, size_t max, TcgPrologue *out) MUST_USE;

/* Fill what translated code needs of @env: helper table, C entry of the slow paths. */
void tcg_env_init(TcgEnv *env, const IrTarget *target);
/* No code that ran before will be returned to. */
void tcg_env_forget_returns(TcgEnv *env);
/*
 * Of a signal's ucontext_t: where the host was; and if that was in a block, the architectural pc of its start (unless it came
 * just as one block went over to the next).
 */
void tcg_signal_context(const void *ucontext, uintptr_t *host_pc, uint64_t *block_pc);
/* The prologue @p now executes at @rx. */
void tcg_env_set_prologue(TcgEnv *env, const TcgPrologue *p, const uint8_t *rx);

/*
 * How a block came back.  TcgEnv.pc is always the pc to go on at.  After DIRECT0 + slot,
 * TcgEnv.exit_block holds the id word of the block that left by that slot; link it or not.
 * LOOKUP: the jump cache missed, or exit_request was set.  LOOP: look at mode and interrupts afresh.
 * POLL: exit_request was set.  UNSHARED: a probe for several accesses failed, or exit_request was set; go on with a block
 * that shares none.  GUARD: the block is not for the present state (ir_guard).
 * A fault leaves by longjmp past the entry trampoline: call tcg_fp_leave() then.
 */
enum {
    TCG_EXIT_DIRECT0 = 0, TCG_EXIT_LOOKUP = IR_DIRECT_SLOTS, TCG_EXIT_LOOP, TCG_EXIT_POLL, TCG_EXIT_UNSHARED, TCG_EXIT_GUARD,
};

/* Save the guest's FP control from the host register to guest_fpcr and restore the host's, and its x87 control word. */
void tcg_fp_leave(TcgEnv *env);

/*
 * Each block's code is preceded, at a fixed negative distance from its start, by a 4-byte block id
 * that accel/tcg writes (TCG_BLOCK_ID_OFFSET); unlinked direct exits load it into exit_block.
 */
#define TCG_BLOCK_ID_OFFSET (-4)

/*
 * Undo: @ra_offset is a return address (a slow path's or a helper's) relative to the block's code
 * at @code, whose fault table is at @unwind_offset.  Writes all dirty globals to env and returns
 * the pc delta and insn parameters of the faulting instruction.  Must be called before anything
 * else enters generated code on this env.  False if the address is in no fault table row.
 */
typedef struct TcgUnwound {
    uint64_t block_pc;      /* architectural pc of the block's start */
    uint32_t pc_delta;      /* of the instruction from there; the sum wraps as the mode's pc does */
    uint32_t params[2];
} TcgUnwound;
bool tcg_unwind(const IrTarget *target, void *env, const uint8_t *code, uint32_t unwind_offset,
                uint32_t ra_offset, TcgUnwound *out);

/* Patch the rel32 at @jump_rw (writable alias, executed at @jump_rx) to jump to @target_rx.  Atomic. */
void tcg_patch_jump(uint8_t *jump_rw, const uint8_t *jump_rx, const uint8_t *target_rx);

#endif
