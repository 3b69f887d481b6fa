/*
 * Private to accel/tcg: the code cache, block descriptors, soft TLB contexts, per-vCPU state.
 *
 * Lock order: BQL, CodeCache.lock, TcgCpuState.tlb_lock.  The BQL is never taken with the cache
 * lock held, and no lock of this room is held across a longjmp.
 */
#ifndef ACCEL_TCG_INTERNAL_H
#define ACCEL_TCG_INTERNAL_H

#include <setjmp.h>

#include "accel/tcg/assist.h"
#include "accel/tcg/cpu-ops.h"
#include "util/account.h"
#include "util/lock-stats.h"
#include "util/log.h"

/* --- blocks (tb.c) --- */

typedef uint32_t TbId;          /* 0 = none */
#define PHYS_NONE UINT64_MAX

/* What a block is found by. */
typedef struct TbKey {
    uint64_t phys_pc;           /* ram_addr of the first byte */
    uint64_t flags : TB_MODE_BITS;      /* TbMode.flags */
    uint64_t cs_off : 16;       /* cs_base within its page: equal offsets in the page mean equal pcs there */
    uint64_t cflags : 8;
} __attribute__((packed, aligned(4))) TbKey;

enum { JC_NONE = 0xffff, JC_MANY = 0xfffe };    /* Tb.jc_index */
#define JC_GRAIN (1u << (TCG_JUMP_CACHE_BITS > 15 ? TCG_JUMP_CACHE_BITS - 15 : 0))
#define TB_CODE_MAX 0xfff0                      /* bytes of one block's code */

/*
 * One block's descriptor.  Descriptors grow down from the end of the code unit whose code grows up
 * from its start, so that code and descriptors share one bound.  There are tens of thousands, each for
 * some two hundred bytes of code.  What not every block needs lies before its code (TbSecond, TbExit), what
 * the code tells is not repeated (tb_link_target()).
 */
typedef struct Tb {
    /* constant once findable */
    TbKey key;                  /* phys_pc == PHYS_NONE: runs once, is never found */
    uint32_t code_offset;       /* in the unit; ascending with the descriptor's number */
    uint16_t size;              /* guest bytes */
    uint16_t n_insns : 10;
    uint16_t loops : 1;         /* only an exit request gets a vCPU out of it */
    uint16_t two_pages : 1;     /* a TbSecond lies before the code */
    uint16_t exits : IR_DIRECT_SLOTS;   /* slots that may be linked: a TbExit each */
    uint16_t code_size;         /* with the fault table */
    uint16_t unwind_offset;     /* of the fault table */

    /* atomic */
    uint16_t jc_index;          /* where in the jump caches it may be; JC_NONE, JC_MANY */
    uint8_t dead;               /* out of the hash; must not be entered any more */
    uint8_t hot;                /* looked up since its unit's probation began */

    /* cache lock; hash_next also read without */
    TbId hash_next;
    uint32_t page_next;         /* (id << 1 | which page) in the page's list */
    uint32_t in_links;          /* TbLink of the first block linked to this one */
} Tb;
_Static_assert(sizeof(Tb) == 44, "a descriptor for every block: keep it small");

/*
 * What lies before a block's code, from there downwards: the id word; a TbExit for each bit of Tb.exits, lowest slot
 * first; at a multiple of 4, its TbSecond.
 */
typedef struct TbExit {
    uint32_t link_next;         /* cache lock: TbLink in the list of the block that it is linked to */
    uint16_t jump;              /* offset of the rel32 in the code; constant */
} __attribute__((packed, aligned(2))) TbExit;

/* Of a block that reaches into a second page. */
typedef struct TbSecond {
    uint32_t page[2];           /* ram_addr, low word first; constant */
    uint32_t page_next;         /* cache lock */
} TbSecond;

/* TbLink: one direct exit of a block. */
static inline uint32_t tb_link_make(TbId from, unsigned slot) { return from * IR_DIRECT_SLOTS + slot; }
static inline TbId tb_link_from(uint32_t link) { return link / IR_DIRECT_SLOTS; }
static inline unsigned tb_link_slot(uint32_t link) { return link % IR_DIRECT_SLOTS; }

/* --- the code cache (code-cache.c) --- */

typedef enum UnitState {
    UNIT_FREE,                  /* nothing in it, nobody runs in it */
    UNIT_OPEN,                  /* being filled */
    UNIT_FULL,
    UNIT_RETIRED,               /* blocks removed; code may still be running until retire_epoch */
} UnitState;

typedef struct CodeUnit {
    UnitState state;
    uint32_t used;              /* bytes of code */
    uint32_t n_tb;              /* atomic: the unwinder reads it without the lock */
    bool probation;             /* entered only by slow lookups, which mark blocks hot */
    uint64_t retire_epoch;
} CodeUnit;

/* A guest page with code, or code being translated: its writes are noticed. */
typedef struct CodePage {
    uint64_t page;              /* ram_addr */
    uint32_t next;              /* in the bucket, or in the free list */
    uint32_t first;             /* list of blocks: id << 1 | which page of the block */
    uint32_t write_seq;         /* bumped by every write while pinned */
    uint16_t pins;              /* translations in progress */
    uint16_t idle_writes;       /* writes since the last block went */
    uint64_t covered;           /* bit n: maybe code in the nth 64th of the page */
} CodePage;

typedef struct CodeCacheStats {
    uint64_t blocks, code_bytes, guest_bytes, insns;    /* ever translated */
    uint64_t live_blocks;
    uint64_t retranslations;    /* of blocks that were there before and are remembered */
    uint64_t unshared_blocks;   /* of blocks: TB_UNSHARED */
    uint64_t page_waits;        /* for stores in flight to a page to be translated from */
    uint64_t evicted_units, evicted_blocks, moved_blocks, evict_waits;
    uint64_t smc_writes, smc_blocks, page_protects;
    uint64_t links, unlinks, duplicates, stale_drafts;
    uint64_t flushes;           /* of everything, on request */
    LockStats lock;             /* CodeCache.lock, but for those who only read these */
} CodeCacheStats;

typedef struct TcgCpuState TcgCpuState;

typedef struct CodeCache {
    /* constant after init */
    size_t size;                /* of everything */
    size_t map_size;            /* of the code mapping: prologue and units */
    uint8_t *rw, *rx;           /* two mappings of the same memory; equal without split-wx */
    size_t prologue_size;
    TcgPrologue prologue;
    uint32_t unit_size, tb_per_unit, n_units;
    unsigned page_bits;
    CodeUnit *units;
    TbId *buckets;              /* atomic heads */
    uint32_t n_buckets;
    CodePage *pages;            /* [0] unused */
    uint32_t n_pages;
    uint32_t *page_buckets;     /* atomic heads */
    uint32_t n_page_buckets;
    uint16_t *gone;             /* n_buckets marks of blocks that were removed: tb_was_here_locked() */
    void *tables;               /* what the arrays above lie in */
    size_t tables_size;

    GMutex lock;
    GCond quiesced;
    /* lock */
    unsigned cur;               /* the open unit */
    unsigned spare;             /* free or retired: the one to be opened next */
    unsigned *waiting;          /* ring of n_units: units on probation, the first to go at waiting_first */
    unsigned waiting_first, n_waiting;
    uint32_t random;
    uint32_t free_page;         /* list of CodePages given back */
    uint32_t fresh_page;        /* from here on none was ever used: their memory is not committed */
    FILE *perf_map;             /* NULL: not wanted */
    GPtrArray *cpus;            /* of TcgCpuState: whose jump caches hold addresses of ours */
    CodeCacheStats stats;

    /* atomic */
    uint64_t insert_seq;        /* counts blocks that became findable */
    uint32_t n_pins;            /* of all pages */
    uint64_t epoch;
    uint32_t waiters;           /* threads waiting for quiescence */
} CodeCache;

static inline void code_cache_lock(CodeCache *c) { mutex_lock_counted(&c->lock, &c->stats.lock); }
static inline void code_cache_unlock(CodeCache *c) { g_mutex_unlock(&c->lock); }

/* A translated block on its way into the cache. */
typedef struct TbDraft {
    TbKey key;
    uint64_t page2;
    uint32_t size, n_insns;
    const uint8_t *bytes;       /* code_size bytes */
    uint32_t code_size, unwind_offset;
    bool loops;                 /* as in Tb */
    unsigned exits;
    uint16_t jump[IR_DIRECT_SLOTS];
    uint32_t seq[2];            /* write_seq of its pages when they were pinned */
} TbDraft;

#define CODE_CACHE_MIN_SIZE (1 * MiB)
bool code_cache_init(CodeCache *c, size_t size, bool split_wx, unsigned page_bits, Error **errp) MUST_USE;
void code_cache_fini(CodeCache *c);
/* @self: the caller's vCPU, which holds no block; NULL in tests.  May drop the lock to wait. */
void code_cache_make_room_locked(CodeCache *c, TcgCpuState *self, size_t code_size);
bool code_cache_has_room_locked(const CodeCache *c, size_t code_size);
/* Room must have been made.  The block is not findable yet. */
Tb *code_cache_place_locked(CodeCache *c, const TbDraft *d);
/* Give up the oldest unit that has blocks; false if there is none but the open one. */
bool code_cache_retire_oldest_locked(CodeCache *c, TcgCpuState *self);
void code_cache_flush(CodeCache *c, TcgCpuState *self);         /* every block, on request */
Tb *code_cache_tb_by_address(const CodeCache *c, uintptr_t host_pc);    /* in rx; NULL if none */
/* The block whose code starts at @code, by the id word before it; NULL if @code is no block's start.  Lock-free. */
Tb *code_cache_tb_by_start(const CodeCache *c, const void *code);
/* Abort with a message if an invariant does not hold. */
void cache_check(CodeCache *c);

/* Quiescence: a vCPU promises that it holds no block. */
void code_cache_pass(CodeCache *c, TcgCpuState *t);
void code_cache_enter(CodeCache *c, TcgCpuState *t);
void code_cache_leave(CodeCache *c, TcgCpuState *t);

static inline unsigned tb_unit(const CodeCache *c, TbId id) { return (id - 1) / c->tb_per_unit; }
static inline uint8_t *unit_rw(const CodeCache *c, unsigned u) { return c->rw + c->prologue_size + (size_t)u * c->unit_size; }
static inline uint8_t *unit_rx(const CodeCache *c, unsigned u) { return c->rx + c->prologue_size + (size_t)u * c->unit_size; }
static inline Tb *unit_tb(const CodeCache *c, unsigned u, unsigned n)
{
    return (Tb *)(unit_rw(c, u) + c->unit_size) - 1 - n;
}
static inline Tb *tb_by_id(const CodeCache *c, TbId id)
{
    return unit_tb(c, tb_unit(c, id), (id - 1) % c->tb_per_unit);
}
static inline unsigned tb_unit_of(const CodeCache *c, const Tb *tb)
{
    return (unsigned)(((const uint8_t *)tb - c->rw - c->prologue_size) / c->unit_size);
}
static inline TbId tb_id(const CodeCache *c, const Tb *tb)
{
    unsigned u = tb_unit_of(c, tb);
    return 1 + u * c->tb_per_unit + (unsigned)((Tb *)(unit_rw(c, u) + c->unit_size) - 1 - tb);
}
static inline uint8_t *tb_rw(const CodeCache *c, const Tb *tb) { return unit_rw(c, tb_unit_of(c, tb)) + tb->code_offset; }
static inline uint8_t *tb_rx(const CodeCache *c, const Tb *tb) { return unit_rx(c, tb_unit_of(c, tb)) + tb->code_offset; }
static inline TbExit *tb_exit(const CodeCache *c, const Tb *tb, unsigned slot)
{
    return (TbExit *)(tb_rw(c, tb) + TCG_BLOCK_ID_OFFSET) - 1 - (unsigned)__builtin_popcount(tb->exits & (BIT(slot) - 1));
}
/* Bytes of a block's TbExits and TbSecond. */
static inline uint32_t tb_extra_bytes(unsigned exits, bool two_pages)
{
    return (uint32_t)(ROUND_UP((unsigned)__builtin_popcount(exits) * sizeof(TbExit), 4) + (two_pages ? sizeof(TbSecond) : 0));
}
static inline TbSecond *tb_second(const CodeCache *c, const Tb *tb)
{
    return (TbSecond *)(tb_rw(c, tb) + TCG_BLOCK_ID_OFFSET - tb_extra_bytes(tb->exits, true));
}
/* ram_addr of the second page that @tb reaches into; PHYS_NONE if none. */
static inline uint64_t tb_page2(const CodeCache *c, const Tb *tb)
{
    return tb->two_pages ? deposit64(tb_second(c, tb)->page[0], 32, 32, tb_second(c, tb)->page[1]) : PHYS_NONE;
}
static inline uint32_t *tb_page_next(const CodeCache *c, Tb *tb, unsigned which)
{
    return which ? &tb_second(c, tb)->page_next : &tb->page_next;
}
static inline bool tb_is_dead(const Tb *tb) { return __atomic_load_n(&tb->dead, __ATOMIC_SEQ_CST); }

/* --- hash, links, removal (tb.c) --- */

/* Lock-free.  @page2_of says the ram_addr of the page after @key's (PHYS_NONE: not mapped), asked at most once. */
typedef uint64_t TbPage2Fn(void *opaque);
Tb *tb_lookup(const CodeCache *c, const TbKey *key, TbPage2Fn *page2_of, void *opaque);
void tb_hash_insert_locked(CodeCache *c, Tb *tb);
/*
 * Was a block of @key removed before?  One mark is kept for each hash bucket, of the last block that went: a block may be
 * forgotten, seldom taken for another.
 */
bool tb_was_here_locked(const CodeCache *c, const TbKey *key);
/* Out of the hash, page lists, links and jump caches; its code stays until its unit is recycled. */
void tb_remove_locked(CodeCache *c, Tb *tb);
/* Let @from's direct exit @slot jump straight to @to, unless one of them is gone. */
void tb_link(CodeCache *c, TbId from, unsigned slot, Tb *to);
void tb_link_locked(CodeCache *c, Tb *from, unsigned slot, Tb *to);
/* The block that @tb's direct exit @slot is linked to; 0 if none. */
TbId tb_link_target(const CodeCache *c, const Tb *tb, unsigned slot);
void tb_unlink_incoming_locked(CodeCache *c, Tb *tb);
/* Copy @tb, which is removed, to the open unit; false without room. */
bool tb_move_locked(CodeCache *c, Tb *tb);
/* Drop what lies in unit @u from every jump cache. */
void tb_purge_jump_caches_of_unit_locked(CodeCache *c, unsigned u);

/* --- pages with code (smc.c) --- */

/* Begin a translation from @page: its writes are noticed from now on.  @self as for make_room.  Returns write_seq. */
uint32_t code_page_pin(CodeCache *c, TcgCpuState *self, uint64_t page);
void code_page_unpin(CodeCache *c, uint64_t page);
void code_page_unpin_locked(CodeCache *c, uint64_t page);
/* No write to @page since it was pinned with @seq. */
bool code_page_unchanged_locked(CodeCache *c, uint64_t page, uint32_t seq);
void code_page_add_tb_locked(CodeCache *c, Tb *tb);
void code_page_remove_tb_locked(CodeCache *c, Tb *tb);
/* Must writes to the page at ram_addr @page take the slow path? */
bool code_page_is_watched(CodeCache *c, uint64_t page);
/*
 * [@addr, @addr+@len), within one page, is about to be written, by the block that @ra returns into (0:
 * by none).  code_range_written() must follow the write, unless the result was PLAIN or BESIDE and
 * code_write_was_alone() says so afterwards.
 */
typedef enum CodeWrite {
    CODE_WRITE_PLAIN,           /* the page is not watched */
    CODE_WRITE_BESIDE,          /* its blocks lie elsewhere in the page */
    CODE_WRITE_HIT,
    CODE_WRITE_HIT_RUNNING,     /* the writing block itself: restart the instruction alone */
} CodeWrite;
CodeWrite code_write_begin(CodeCache *c, uint64_t addr, uint64_t len, uintptr_t ra, uint64_t *ticket);
/* No block can have been made of the bytes as they were before the write. */
bool code_write_was_alone(const CodeCache *c, uint64_t ticket);
/* The range was written: remove the blocks that overlap it. */
void code_range_written(CodeCache *c, uint64_t addr, uint64_t len);

/* --- soft TLB (tlb.c) --- */

enum { TLB_FULL_GLOBAL = 1, TLB_FULL_LARGE = 2 };

/* What the slow path needs to know of an entry; beside it in a parallel array. */
typedef struct TlbFull {
    uint64_t ram_addr;          /* of the page; PHYS_NONE: not RAM for reading */
    hwaddr paddr;               /* of the page */
    RamBlock *rb;               /* borrowed: a changed view flushes first */
    MemTxAttrs attrs;
    uint8_t flags;
} TlbFull;

typedef struct TlbTable {
    TcgTlbEntry *fast;          /* NULL = not allocated */
    TlbFull *full;
    uint16_t *local;            /* where entries were put that are not global; n_local UINT32_MAX: not all are listed */
    uint32_t n_local;
    bool has_global;
    uint32_t n, n_used, peak, conflicts, flushes;
} TlbTable;

#define TLB_CONTEXTS        8
#define TLB_MIN_ENTRIES     64
#define TLB_MAX_BITS        13
#define TLB_MAX_ENTRIES     (1 << TLB_MAX_BITS)
#define WRITTEN_MANY        0xffff
#define TLB_LOCAL_SHARE     8           /* of a table's entries, one in so many is listed when it is not global */
#define TLB_BUDGET_ENTRIES  65536       /* of all tables of one vCPU: 4.5 MiB */
#define TLB_WRITTEN         16384       /* places of TlbContext.written */
#define TLB_JC_FILTER_WORDS 64
#define TLB_LARGE_SHIFT     22
#define TLB_HUGE_SHIFT      30

typedef struct TlbContext {
    bool valid;
    uint64_t tag;
    uint64_t used_at;           /* for LRU */
    uint64_t generation[TCG_MMU_IDX_MAX];       /* of its own jump cache entries, by fetch mmu_idx */
    uint32_t jc_own;            /* bits of mmu_idx at which it has own entries, and sees no shared ones */
    TlbTable table[TCG_MMU_IDX_MAX];
    /*
     * By a hash of a RAM page (TLB_WRITTEN): the entry that may let stores through to it, as mmu_idx << TLB_MAX_BITS |
     * place in a table of TLB_MAX_ENTRIES, plus one; 0: none; WRITTEN_MANY: any.  Atomic.
     */
    uint16_t *written;
    uint64_t jc_filter[TLB_JC_FILTER_WORDS];    /* bits of linear pages with own entries */
    uint64_t large_filter[16], huge_filter;     /* bits of regions mapped by large pages */
} TlbContext;

typedef struct PhysCacheEntry {
    hwaddr page;                /* ~0 = empty */
    uint8_t *host;
    uint64_t ram_addr;
    RamBlock *rb;
    bool writable;
} PhysCacheEntry;
#define PHYS_CACHE_SIZE 64

/* Slots: first the guest's own debug registers, then the debugger's. */
#define TCG_WATCH_GUEST 4
#define TCG_WATCHPOINTS (TCG_WATCH_GUEST + CPU_WATCHPOINTS_MAX)

typedef struct TcgStats {
    uint64_t entries;                           /* into generated code from the loop */
    uint64_t lookups_jc, lookups_hash, translations;
    uint64_t exits_direct, exits_lookup, exits_loop, exits_poll, exits_unshared, exits_fault;
    uint64_t interrupts, exceptions;
    uint64_t tlb_fills[MMU_INST_FETCH + 1];     /* by MmuAccess */
    uint64_t tlb_flush_cause[TLB_FLUSH_CAUSES]; /* of tlb_flush_all */
    uint64_t tlb_flush_all, tlb_flush_context, tlb_flush_page, tlb_switches, tlb_switch_miss, tlb_resizes;
    uint64_t slow_loads, slow_stores, slow_atomics, slow_probes, mmio, notdirty;
    uint64_t smc_restarts, translate_ns;
    LockStats bql;                              /* taken by the CPU's thread */
} TcgStats;

/* Owner thread only; read by others for `info jit`. */
#define STAT_ADD(t, field, n) \
    __atomic_store_n(&(t)->stats.field, (t)->stats.field + (n), __ATOMIC_RELAXED)
#define STAT_INC(t, field) STAT_ADD(t, field, 1)

typedef struct TcgAccel TcgAccel;
#define LEND_FILTER_WORDS 8

typedef struct TcgProfile TcgProfile;

struct TcgCpuState {
    /* constant */
    Vcpu *cpu;
    TcgEnv *env;
    TcgAccel *accel;
    CodeCache *cache;
    const TcgCpuOps *ops;
    unsigned page_bits;
    uint64_t page_mask;         /* of the page's address */
    TcgEnterFn *enter;

    /* owner thread */
    sigjmp_buf jmp;
    bool in_code;               /* MXCSR is the guest's */
    bool executing;             /* inside tcg_cpu_exec */
    bool force_single;          /* next block: one instruction, alone */
    bool watch_step;            /* ... and record watchpoint hits instead of stopping at them */
    bool unshared;              /* next block: TB_UNSHARED */
    bool afresh;                /* translate each block anew, to run once */
    bool no_chain;              /* mode_tag is such that no jump cache entry matches */
    TcgContext *ctx;
    TcgProfile *profile;        /* owned; NULL without */
    bool translating;           /* read by the profile's signal handler */
    uint64_t *call_counts;      /* owned; NULL until they were asked for.  Read by others */
    uint8_t *scratch;           /* where blocks are compiled */
    size_t scratch_size;
    TbId last_tb;               /* left by its direct exit last_slot just now */
    unsigned last_slot;
    TbMode mode;                /* what env->mode_tag was made of */
    unsigned fetch_idx;
    uint64_t pinned[2];         /* pages of the translation in progress; PHYS_NONE = none */
    uint64_t written_addr, written_len;     /* range given out by a probe, to be looked at again */

    CpuWatchpoint watch[TCG_WATCHPOINTS];       /* .len 0 = unused */
    unsigned n_watch;
    struct { bool pending; vaddr va; unsigned len; MmuAccess access; } watch_hit;   /* the guest's */
    unsigned debugger_hit;      /* slot, 0 = none */

    /* beside another accelerator (lend.c); NULL: alone */
    TcgAssistOps const *assist;
    uint64_t lent_filter[LEND_FILTER_WORDS];    /* bits of linear pages that were lent since the generation began */

    /* tables are freed and contexts change under tlb_lock; entries are the owner's, but for TLB_NOTDIRTY */
    GMutex tlb_lock;
    TlbContext context[TLB_CONTEXTS];
    TlbContext *current;
    uint64_t tlb_clock, next_generation, n_tlb_entries;
    uint64_t jc_generation[TCG_MMU_IDX_MAX];    /* of jump cache entries that all contexts share: code on global pages */
    uint64_t jc_filter[TLB_JC_FILTER_WORDS];    /* bits of linear pages with such entries */
    PhysCacheEntry phys_cache[PHYS_CACHE_SIZE];

    /* atomic */
    uint64_t returns_epoch;     /* when the return cache was emptied last */
    uint64_t epoch_seen;        /* UINT64_MAX: holds no block and runs no code */
    uint32_t running;           /* may touch guest memory by generated code */
    uint32_t native_turn;       /* odd: another accelerator runs the CPU, with pages lent to it */
    uint64_t lend_generation;   /* of the pages lent; lent pages of older ones are void */
    TcgStats stats;
};

static inline TcgCpuState *tcg_state(Vcpu *cpu) { return cpu->tcg; }

void tlb_init(TcgCpuState *t);
void tlb_fini(TcgCpuState *t);
/* Make a new mode tag from t->mode and the current context. */
void tlb_update_mode_tag(TcgCpuState *t);
/* Where a block at @pc is in the jump cache, if it is, and with what tag.  @cflags: its TB_* bits. */
TcgJumpCacheEntry *tlb_jump_cache_entry(const TcgCpuState *t, uint64_t pc, unsigned cflags, uint64_t *tag);
void tlb_jump_cache_add(TcgCpuState *t, uint64_t pc, uint64_t linear, Tb *tb);
/* Cache lock held: any thread. */
void tlb_jump_cache_purge_tb(TcgCpuState *t, const Tb *tb, const void *entry);
void tlb_jump_cache_purge_range(TcgCpuState *t, const uint8_t *start, size_t len);
/*
 * Any thread: writes to the page at ram_addr @page take the slow path from now on.  True: until now they may not have, so
 * that the CPU, if it runs, may be between a probe and its stores.
 */
bool tlb_protect_page(TcgCpuState *t, uint64_t page);
TlbTable *tlb_table(TcgCpuState *t, unsigned mmu_idx);
void tlb_check(TcgCpuState *t);
void tlb_phys_cache_clear(TcgCpuState *t);
/* Recheck whether an entry still needs TLB_NOTDIRTY. */
void tlb_maybe_unprotect(TcgCpuState *t, vaddr va, unsigned mmu_idx);

typedef struct TlbHit {
    uint8_t *host;              /* of the byte at va; NULL: not RAM for this access */
    uint32_t flags;             /* TLB_* of the comparator */
    CodeWrite code;             /* of a store to RAM with TLB_NOTDIRTY */
    uint64_t ticket;
    TlbFull full;
} TlbHit;
/* Find or fill.  False: only if @probe, on a fault. */
bool tlb_find(TcgCpuState *t, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, bool probe,
              uintptr_t ra, TlbHit *hit);

/* --- pages lent to another accelerator (lend.c) --- */

/* What was lent is void.  Any thread; returns when the CPU uses it no more. */
void tlb_lend_revoke(TcgCpuState *t);
/* The owner thread's own flush of all, or of @va, whose region is @large. */
void tlb_lend_forget(TcgCpuState *t);
void tlb_lend_forget_page(TcgCpuState *t, vaddr va, bool large);

/* --- slow paths (tlb-slow.c), run loop (run-loop.c) --- */

extern const TcgSlowOps tcg_slow_ops;
/* A write was made through a pointer given out by a probe: look at the range again. */
void tlb_flush_written(TcgCpuState *t);
bool tcg_watch_overlaps_page(TcgCpuState *t, vaddr page);
void tcg_watch_set_debugger(TcgCpuState *t, const CpuWatchpoint *watch, unsigned n);

void tcg_exec(TcgCpuState *t);
/* One instruction, translated afresh, and what it raises.  BQL held, dropped inside. */
void tcg_exec_one(TcgCpuState *t);
/* Restart the instruction at @ra alone, in a block of its own. */
G_NORETURN void tcg_restart_single(TcgCpuState *t, uintptr_t ra);
/* Restart the instruction at @ra in a block that shares no probes. */
G_NORETURN void tcg_restart_unshared(TcgCpuState *t, uintptr_t ra);
void tcg_kick(TcgCpuState *t);
/* Nobody else runs generated code between the two. */
void tcg_exclusive_begin(TcgCpuState *t);
void tcg_exclusive_end(TcgCpuState *t);
void tcg_running_begin(TcgCpuState *t);
void tcg_running_end(TcgCpuState *t);

/* Translate the block at @pc / @key (translate.c). */
Tb *tcg_translate(TcgCpuState *t, const TbKey *key, uint64_t pc, const TbMode *mode, const uint8_t *host_page);

/* --- the accelerator object (accel.c) --- */

struct TcgAccel {
    Accel parent;
    uint64_t tb_size;               /* bytes; 0 = by the memory this process may use */
    int thread_mode;            /* index in tcg_thread_names */
    bool split_wx;
    bool one_insn_per_tb;
    bool count_helpers;
    bool perfmap;
    char *profile, *profile_symbols;        /* file names; profile.c */
    FILE *profile_out;                      /* until it is written */
    GHashTable *profile_sums;               /* stack -> count, of CPUs that ended */
    GArray *profile_names;
    CodeCache cache;
    bool cache_ready;
    MemoryAccount code_account, vcpu_account;

    /* thread=single: who may run */
    GMutex token_lock;
    GCond token_free;
    TcgCpuState *token_owner;
    bool token_asked;           /* atomic */
    uint64_t token_next, token_serving;
};
enum { TCG_THREAD_MULTI, TCG_THREAD_SINGLE };
OBJECT_DECLARE(TcgAccel, TCG_ACCEL, tcg_accel)

void tcg_token_take(TcgCpuState *t);
void tcg_token_give(TcgCpuState *t);
bool tcg_token_wanted(TcgCpuState *t);
size_t tcg_default_cache_size(void);    /* cache-size.c */
void tcg_accounts_add(TcgAccel *a);     /* accounts.c */
void tcg_accounts_remove(TcgAccel *a);
void tcg_print_info(TcgAccel *a, FILE *f);
/* perfmap.c; @kind: what @pc is an address of */
bool tcg_perfmap_start(CodeCache *c, Error **errp) MUST_USE;
void tcg_perfmap_add_locked(CodeCache *c, const Tb *tb, const char *kind, uint64_t pc);
void tcg_perfmap_finish(CodeCache *c);
/* profile.c: start before CPUs are made; begin on the CPU's thread, end when that stands still; finish writes the file. */
bool tcg_profile_start(TcgAccel *a, Error **errp) MUST_USE;
void tcg_profile_begin(TcgCpuState *t);
void tcg_profile_end_cpu(TcgCpuState *t);
void tcg_profile_finish(TcgAccel *a);
size_t tcg_profile_bytes(const TcgAccel *a);    /* of one vCPU */
void tcg_print_op_counts(TcgAccel *a, FILE *f);
extern const AccelCounter tcg_counters[];
uint64_t tcg_count(Accel *accel, Vcpu *cpu, const AccelCounter *c);

#endif
