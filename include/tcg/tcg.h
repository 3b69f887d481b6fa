/*
 * From IR to host code: the translator's public interface towards accel/tcg.
 *
 * A TcgContext belongs to one thread; it is reused for block after block, so that translation
 * allocates nothing.  Output goes to caller-given memory: the code is position-independent and
 * may be copied elsewhere (all of TcgCode.size bytes), then re-linked.
 */
#ifndef TCG_TCG_H
#define TCG_TCG_H

#include "tcg/ir.h"

typedef struct TcgContext TcgContext;

/*
 * What generated code shares with the run loop, embedded at the very start of every guest's env.
 * Generated code addresses env as host register + small displacements; `hot` fields come first.
 * Offsets are known to the emitter by offsetof.
 */
#define TCG_MMU_IDX_MAX 8
#define TCG_MAX_HELPERS 1024

/* One entry of the soft TLB: 32 bytes. */
typedef struct TcgTlbEntry {
    uint64_t addr_read;     /* page address | TLB_* flag bits; ~0 = empty */
    uint64_t addr_write;
    uint64_t addr_code;
    uintptr_t addend;       /* host address = guest virtual address + addend */
} TcgTlbEntry;

/* Flag bits in the low 12 bits of the comparators; any set bit sends the access to the slow path. */
enum {
    TLB_INVALID  = 1 << 11, /* entry not valid for this kind of access */
    TLB_NOTDIRTY = 1 << 10, /* write: dirty log or translated code on the page */
    TLB_MMIO     = 1 << 9,
    TLB_WATCH    = 1 << 8,  /* watchpoint on the page */
    TLB_FORCE_SLOW = 1 << 7,
};

/* The table of one mmu index in the current address-space context. */
typedef struct TcgTlbFast {
    uintptr_t mask;         /* (n_entries - 1) * sizeof(TcgTlbEntry) */
    TcgTlbEntry *table;
} TcgTlbFast;

/* Inline jump cache: tag is pc ^ mode_tag; code is the block's entry. */
typedef struct TcgJumpCacheEntry {
    uint64_t tag;
    void *code;             /* in the executable mapping */
} TcgJumpCacheEntry;
#define TCG_JUMP_CACHE_BITS 12
/* index of @pc in the jump cache; the emitter does the same */
#define TCG_JUMP_CACHE_HASH(pc) (((pc) ^ ((pc) >> 12)) & ((1u << TCG_JUMP_CACHE_BITS) - 1))

typedef struct TcgEnv {
    /* written by any thread, polled by translated code: nonzero = leave to the run loop */
    uint32_t exit_request;
    uint32_t page_bits;                     /* of the guest's smallest page (12 on x86) */
    uint64_t mode_tag;                      /* see TcgJumpCacheEntry; set by the run loop with the mode */
    TcgJumpCacheEntry *jump_cache;          /* of the current address-space context */
    TcgTlbFast tlb[TCG_MMU_IDX_MAX];
    uint64_t pc;                            /* architectural pc: valid outside translated code and at loop exits */
    uint32_t guest_fpcr;                    /* x86 host: MXCSR for translated code, exceptions all masked */
    uint32_t host_fpcr;                     /* x86 host: MXCSR of C code */
    void *exit_block;                       /* at an exit: which block and slot left (accel/tcg reads it) */
    uint64_t scratch[8];                    /* vector arguments and results of helpers, 16-aligned by position */
    /* slow paths of ir_ld/st/atomics: filled by accel/tcg, called by the trampolines */
    void *(*slow[16])(void);
    void *stub[16];                         /* trampolines in the code cache's prologue */
    void *helpers[TCG_MAX_HELPERS];
} TcgEnv;

/* What tcg produced for one block. */
typedef struct TcgCode {
    uint32_t size;                  /* bytes of code */
    uint32_t entry;                 /* offset of the entry (after any poll) */
    uint32_t unwind_offset;         /* compact fault table, within @size */
    uint32_t unwind_size;
    struct {
        int32_t jump_offset;        /* offset of the rel32 to patch when linking; -1 = slot unused */
        int32_t exit_offset;        /* where it points while unlinked */
        int64_t pc_delta;
    } direct[2];
} TcgCode;

TcgContext *tcg_context_new(const IrTarget *target);
void tcg_context_free(TcgContext *ctx);
/* Start a fresh block; the IrBlock belongs to @ctx. */
IrBlock *tcg_block_begin(TcgContext *ctx);
/* Number of ops so far; front ends end a block before TCG_MAX_OPS is near. */
unsigned tcg_block_n_ops(const IrBlock *b);
#define TCG_MAX_OPS 4096
#define TCG_OPS_SOFT_LIMIT 2500
/*
 * Optimize and emit into @buf (@max bytes, executed later at an address of the caller's choice).
 * False if it does not fit @max (try again with more room or fewer guest instructions).
 * Logs according to -d.
 */
bool tcg_block_compile(TcgContext *ctx, IrBlock *b, uint8_t *buf, size_t max, TcgCode *out) MUST_USE;

/*
 * The shared entry and exit code: emitted once at the start of the cache.  Position-independent.
 *   uintptr_t enter(env, code): runs the block at @code; returns (block descriptor word | slot):
 *   see TCG_EXIT_*.
 */
typedef uintptr_t TcgEnterFn(void *env, const void *code);
typedef struct TcgPrologue {
    uint32_t size;
    uint32_t enter_offset;
    uint32_t stub_offset[16];       /* for TcgEnv.stub */
} TcgPrologue;
bool tcg_emit_prologue(uint8_t *buf, size_t max, TcgPrologue *out) MUST_USE;

/* How a block came back.  For TCG_EXIT_DIRECT the low bits say the slot and TcgEnv.exit_block the block. */
enum { TCG_EXIT_DIRECT0 = 0, TCG_EXIT_DIRECT1 = 1, TCG_EXIT_LOOKUP = 2, TCG_EXIT_LOOP = 3, TCG_EXIT_POLL = 4 };

/*
 * Each block's code is preceded, at a fixed negative distance from its start, by a 4-byte block id
 * that accel/tcg writes (TCG_BLOCK_ID_OFFSET); unlinked direct exits load it into exit_block.
 */
#define TCG_BLOCK_ID_OFFSET (-8)

/*
 * Undo: @host_pc is a return address inside block code at @code; @regs the host registers as the
 * slow-path trampoline saved them.  Writes all dirty globals to env and returns the pc delta and
 * insn parameters of the faulting instruction.  False if @host_pc is in no fault table row.
 */
typedef struct TcgUnwound {
    uint32_t pc_delta;
    uint32_t params[2];
} TcgUnwound;
bool tcg_unwind(const IrTarget *target, void *env, const uint8_t *code, const TcgCode *tc,
                uintptr_t host_pc_offset, const uint64_t *saved_regs, TcgUnwound *out);

/* Patch the rel32 at @jump_rw (writable alias, executed at @jump_rx) to jump to @target_rx.  Atomic. */
void tcg_patch_jump(uint8_t *jump_rw, const uint8_t *jump_rx, const uint8_t *target_rx);

#endif
