/*
 * The soft TLB: contexts by address-space tag, tables by MMU index, jump caches.
 *
 * A vCPU keeps TLB_CONTEXTS contexts; the current one's tables are in TcgEnv, so switching tags
 * swaps pointers.
 *
 * There is one jump cache.  Its entries are dropped by giving what they belong to a new generation,
 * which is part of the mode tag, so that old entries can no longer match.  As long as a context runs, at
 * an MMU index, code on global pages only, it uses the generation that all contexts share there, and so
 * finds the kernel's blocks whatever program came before; with the first block on another page it
 * gets a generation of its own.
 *
 * Mode tags are keyed hashes of (cs_base, flags, generation) under a secret of the process: a guest
 * can neither make two modes share a tag nor aim a wild pc at another mode's entry.
 *
 * Tables grow when they are well filled or entries displace each other much, and shrink when
 * flushes find them mostly empty; all tables of a vCPU together stay below TLB_BUDGET_ENTRIES.
 *
 * Large pages are entered piecemeal; the regions they cover are remembered in small filters, so
 * that dropping any address of one drops all of it.
 *
 * Locks: entries belong to the owner thread, except that any thread may set TLB_NOTDIRTY in
 * addr_write (tlb_protect_page), holding tlb_lock, under which tables are freed and contexts reused.
 */
#include "accel/tcg/internal.h"

#include <sys/random.h>

#include "system/memory.h"
#include "util/main-loop.h"
#include "util/rcu.h"

static const TcgTlbEntry empty_table[1] = { { ~0ULL, ~0ULL, ~0ULL, 0 } };
static uint64_t tag_secret[3];

/* --- mode tags and jump caches --- */

static uint64_t mum(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;

    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Of jump cache entries that the current context makes at its fetch index. */
static uint64_t current_generation(const TcgCpuState *t)
{
    const TlbContext *ctx = t->current;

    if (t->no_chain) {
        return 0;                       /* never filled in */
    }
    return ctx->jc_own >> t->fetch_idx & 1 ? ctx->generation[t->fetch_idx] : t->jc_generation[t->fetch_idx];
}

void tlb_update_mode_tag(TcgCpuState *t)
{
    uint64_t a = mum(t->mode.cs_base ^ tag_secret[0], t->mode.flags ^ tag_secret[1]);
    uint64_t generation = current_generation(t);

    t->env->mode_tag = mum(a ^ tag_secret[2], (generation ^ tag_secret[1]) * 0x9e3779b97f4a7c15ULL | 1) ^ a;
    t->env->unshared_tag = mum(t->env->mode_tag ^ tag_secret[1], tag_secret[0]) ^ t->env->mode_tag;
}

/* Drop the context's own entries of the jump cache. */
static void drop_own_entries(TcgCpuState *t, TlbContext *ctx)
{
    if (!ctx->jc_own) {
        return;
    }
    ctx->jc_own = 0;
    memset(ctx->jc_filter, 0, sizeof(ctx->jc_filter));
    if (ctx == t->current) {
        tlb_update_mode_tag(t);
    }
}

/* Drop the entries that contexts share. */
static void drop_shared_entries(TcgCpuState *t)
{
    for (unsigned i = 0; i < TCG_MMU_IDX_MAX; i++) {
        t->jc_generation[i] = ++t->next_generation;
    }
    memset(t->jc_filter, 0, sizeof(t->jc_filter));
    tlb_update_mode_tag(t);
}

/* Half of the bits are for either half of the address space: what user programs do leaves the kernel's alone. */
static unsigned jc_filter_bit(const TcgCpuState *t, uint64_t linear)
{
    uint64_t page = linear << 1 >> 1 >> t->page_bits;

    return (unsigned)(linear >> 63 << 11 | (page * 0x9e3779b97f4a7c15ULL) >> 53);
}
_Static_assert(TLB_JC_FILTER_WORDS * 64 == 1 << 12, "11 bits of hash, 1 of address");

static bool filter_has(const uint64_t *filter, unsigned bit)
{
    return filter[bit / 64] >> (bit % 64) & 1;
}

static bool is_global_code(const TcgCpuState *t, uint64_t linear)
{
    const TlbTable *tab = &t->current->table[t->fetch_idx];
    unsigned k = tab->n ? (unsigned)(linear >> t->page_bits) & (tab->n - 1) : 0;

    return tab->n && !((tab->fast[k].addr_code ^ linear) & t->page_mask) && (tab->full[k].flags & TLB_FULL_GLOBAL);
}

/* The jump cache gets an entry for code at @linear, which reaches into the next page if @two. */
static void jc_note_pages(TcgCpuState *t, uint64_t linear, bool two)
{
    TlbContext *ctx = t->current;
    uint64_t *filter = t->jc_filter, next = linear + (1ULL << t->page_bits);
    unsigned bit = jc_filter_bit(t, linear), bit2 = two ? jc_filter_bit(t, next) : bit;

    if (!(ctx->jc_own >> t->fetch_idx & 1) && !(is_global_code(t, linear) && (!two || is_global_code(t, next)))) {
        ctx->jc_own |= BIT(t->fetch_idx);
        ctx->generation[t->fetch_idx] = ++t->next_generation;
        tlb_update_mode_tag(t);
    }
    if (ctx->jc_own >> t->fetch_idx & 1) {
        filter = ctx->jc_filter;
    }
    filter[bit / 64] |= BIT_ULL(bit % 64);
    filter[bit2 / 64] |= BIT_ULL(bit2 % 64);
}

/* @tb will be at @index of a jump cache. */
static void note_jc_index(Tb *tb, uint16_t index)
{
    uint16_t was = __atomic_load_n(&tb->jc_index, __ATOMIC_RELAXED);

    while (was != index && was != JC_MANY &&
           !__atomic_compare_exchange_n(&tb->jc_index, &was, was == JC_NONE ? index : JC_MANY, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    }
}

TcgJumpCacheEntry *tlb_jump_cache_entry(const TcgCpuState *t, uint64_t pc, unsigned cflags, uint64_t *tag)
{
    bool unshared = cflags & TB_UNSHARED;

    *tag = pc ^ (unshared ? t->env->unshared_tag : t->env->mode_tag);
    return &t->env->jump_cache[TCG_JUMP_CACHE_HASH(pc) ^ (unshared ? TCG_JUMP_CACHE_UNSHARED : 0)];
}

void tlb_jump_cache_add(TcgCpuState *t, uint64_t pc, uint64_t linear, Tb *tb)
{
    TcgJumpCacheEntry *e;
    uint64_t tag;

    jc_note_pages(t, linear, tb->two_pages);
    e = tlb_jump_cache_entry(t, pc, tb->key.cflags, &tag);
    note_jc_index(tb, (uint16_t)((e - t->env->jump_cache) / JC_GRAIN));
    __atomic_store_n(&e->tag, TCG_JUMP_CACHE_EMPTY, __ATOMIC_RELAXED);
    __atomic_store_n(&e->code, tb_rx(t->cache, tb), __ATOMIC_RELEASE);
    __atomic_store_n(&e->tag, tag, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (tb_is_dead(tb)) {               /* pairs with tb_remove_locked() */
        __atomic_store_n(&e->tag, TCG_JUMP_CACHE_EMPTY, __ATOMIC_RELEASE);
    }
}

/* Drop entries @k to @end - 1 if their code lies in the @len bytes from @start. */
static void purge_entries(TcgCpuState *t, unsigned k, unsigned end, const uint8_t *start, size_t len)
{
    TcgJumpCacheEntry *jc = t->env->jump_cache;

    for (; k < end; k++) {
        const uint8_t *code = __atomic_load_n(&jc[k].code, __ATOMIC_RELAXED);

        if ((uintptr_t)code - (uintptr_t)start < len) {
            __atomic_store_n(&jc[k].tag, TCG_JUMP_CACHE_EMPTY, __ATOMIC_RELEASE);
        }
    }
}

void tlb_jump_cache_purge_range(TcgCpuState *t, const uint8_t *start, size_t len)
{
    purge_entries(t, 0, 1u << TCG_JUMP_CACHE_BITS, start, len);
}

void tlb_jump_cache_purge_tb(TcgCpuState *t, const Tb *tb, const void *entry)
{
    unsigned k = __atomic_load_n(&tb->jc_index, __ATOMIC_SEQ_CST);

    if (k == JC_MANY) {
        tlb_jump_cache_purge_range(t, entry, 1);
    } else if (k != JC_NONE) {
        purge_entries(t, k * JC_GRAIN, (k + 1) * JC_GRAIN, entry, 1);
    }
}

static TcgJumpCacheEntry *jump_cache_new(void)
{
    size_t size = sizeof(TcgJumpCacheEntry) << TCG_JUMP_CACHE_BITS;

    return g_malloc0(size);             /* TCG_JUMP_CACHE_EMPTY */
}

/* --- tables --- */

static void publish_table(TcgCpuState *t, unsigned mmu_idx)
{
    const TlbTable *tab = &t->current->table[mmu_idx];
    TcgTlbFast *f = tcg_env_tlb(t->env, mmu_idx);

    f->table = tab->fast ? tab->fast : (TcgTlbEntry *)empty_table;
    f->mask = tab->fast ? (uintptr_t)(tab->n - 1) * sizeof(TcgTlbEntry) : 0;
}

static void publish_context(TcgCpuState *t)
{
    for (unsigned i = 0; i < TCG_MMU_IDX_MAX; i++) {
        publish_table(t, i);
    }
}

static void table_free(TcgCpuState *t, TlbTable *tab)
{
    t->n_tlb_entries -= tab->n;
    free(tab->fast);
    g_free(tab->full);
    g_free(tab->local);
    *tab = (TlbTable){ 0 };
}

static void table_alloc(TcgCpuState *t, TlbTable *tab, uint32_t n)
{
    void *p;

    if (posix_memalign(&p, 64, n * sizeof(TcgTlbEntry)) != 0) {
        g_error("out of memory for a soft TLB of %u entries", n);
    }
    memset(p, 0xff, n * sizeof(TcgTlbEntry));
    tab->fast = p;
    tab->full = g_new(TlbFull, n);
    tab->local = g_new(uint16_t, n / TLB_LOCAL_SHARE);
    tab->n = n;
    tab->n_used = 0;
    tab->n_local = 0;
    tab->has_global = false;
    t->n_tlb_entries += n;
}

static unsigned table_index(const TcgCpuState *t, const TlbTable *tab, vaddr va)
{
    return (unsigned)(va >> t->page_bits) & (tab->n - 1);
}

static bool entry_empty(const TcgTlbEntry *e)
{
    return (e->addr_read & e->addr_write & e->addr_code) == ~0ULL;
}

/* The page an entry is for; it is not empty. */
static vaddr entry_page(const TcgCpuState *t, const TcgTlbEntry *e)
{
    uint64_t c = e->addr_read != ~0ULL ? e->addr_read : e->addr_write != ~0ULL ? e->addr_write : e->addr_code;

    return c & t->page_mask;
}

static void entry_clear(TlbTable *tab, TcgTlbEntry *e)
{
    if (!entry_empty(e)) {
        e->addr_read = ~0ULL;
        __atomic_store_n(&e->addr_write, ~0ULL, __ATOMIC_RELAXED);
        e->addr_code = ~0ULL;
        tab->n_used--;
    }
}

/* An entry was put at @k: what a flush of all but global entries has to look at. */
static void note_scope(TlbTable *tab, unsigned k)
{
    if (tab->full[k].flags & TLB_FULL_GLOBAL) {
        tab->has_global = true;
    } else if (tab->n_local < tab->n / TLB_LOCAL_SHARE) {
        tab->local[tab->n_local++] = (uint16_t)k;
    } else {
        tab->n_local = UINT32_MAX;      /* too many to list: look at all */
    }
}

/* Entries go where they belong in a table of @n. */
static void table_resize(TcgCpuState *t, TlbTable *tab, uint32_t n)
{
    TlbTable old = *tab;

    STAT_INC(t, tlb_resizes);
    g_mutex_lock(&t->tlb_lock);
    table_alloc(t, tab, n);
    tab->conflicts = 0;
    for (uint32_t i = 0; i < old.n; i++) {
        if (!entry_empty(&old.fast[i])) {
            unsigned k = table_index(t, tab, entry_page(t, &old.fast[i]));

            tab->n_used += entry_empty(&tab->fast[k]);
            tab->fast[k] = old.fast[i];
            tab->full[k] = old.full[i];
            note_scope(tab, k);
        }
    }
    t->n_tlb_entries -= old.n;
    free(old.fast);
    g_free(old.full);
    g_free(old.local);
    g_mutex_unlock(&t->tlb_lock);
    for (unsigned i = 0; i < TCG_MMU_IDX_MAX; i++) {
        publish_table(t, i);
    }
}

/* Give up the tables of the contexts that were not used for longest until @n more entries fit the budget. */
static bool budget_allows(TcgCpuState *t, uint32_t n)
{
    while (t->n_tlb_entries + n > TLB_BUDGET_ENTRIES) {
        TlbContext *oldest = NULL;

        for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
            TlbContext *ctx = &t->context[i];
            uint32_t has = 0;

            for (unsigned k = 0; k < TCG_MMU_IDX_MAX; k++) {
                has += ctx->table[k].n;
            }
            if (has && ctx != t->current && (!oldest || ctx->used_at < oldest->used_at)) {
                oldest = ctx;
            }
        }
        if (!oldest) {
            return false;
        }
        g_mutex_lock(&t->tlb_lock);
        oldest->valid = false;
        for (unsigned k = 0; k < TCG_MMU_IDX_MAX; k++) {
            table_free(t, &oldest->table[k]);
        }
        g_mutex_unlock(&t->tlb_lock);
    }
    return true;
}

static void table_maybe_grow(TcgCpuState *t, TlbTable *tab)
{
    bool crowded = tab->n_used > tab->n - tab->n / 4 || tab->conflicts > tab->n / 2;

    if (crowded && tab->n < TLB_MAX_ENTRIES && budget_allows(t, tab->n)) {
        table_resize(t, tab, tab->n * 2);
    }
}

/* At a flush: @tab is about to become empty. */
static void table_maybe_shrink(TcgCpuState *t, TlbTable *tab)
{
    tab->peak = MAX(tab->peak, tab->n_used);
    if (++tab->flushes < 64) {
        return;
    }
    if (tab->peak < tab->n / 8 && tab->n > TLB_MIN_ENTRIES) {
        uint32_t n = tab->n / 2;

        g_mutex_lock(&t->tlb_lock);
        table_free(t, tab);
        table_alloc(t, tab, n);
        g_mutex_unlock(&t->tlb_lock);
        STAT_INC(t, tlb_resizes);
    }
    tab->flushes = 0;
    tab->peak = 0;
    tab->conflicts = 0;
}

static void table_clear(TcgCpuState *t, TlbTable *tab)
{
    table_maybe_shrink(t, tab);
    memset(tab->fast, 0xff, tab->n * sizeof(TcgTlbEntry));
    tab->n_used = 0;
    tab->n_local = 0;
    tab->has_global = false;
}

static void clear_if_local(TlbTable *tab, unsigned k)
{
    if (!(tab->full[k].flags & TLB_FULL_GLOBAL)) {
        entry_clear(tab, &tab->fast[k]);
    }
}

static void table_flush(TcgCpuState *t, TlbTable *tab, bool keep_global)
{
    if (!tab->fast || !tab->n_used) {
        return;
    }
    if (!keep_global || !tab->has_global) {
        table_clear(t, tab);
        return;
    }
    if (tab->n_local == UINT32_MAX) {
        for (uint32_t i = 0; i < tab->n; i++) {
            clear_if_local(tab, i);
        }
    } else {
        for (uint32_t i = 0; i < tab->n_local; i++) {
            clear_if_local(tab, tab->local[i]);
        }
    }
    tab->n_local = 0;
}

/* --- contexts --- */

static void context_flush(TcgCpuState *t, TlbContext *ctx, bool keep_global)
{
    for (unsigned i = 0; i < t->ops->n_mmu_idx; i++) {
        table_flush(t, &ctx->table[i], keep_global);
    }
    if (!keep_global) {
        memset(ctx->large_filter, 0, sizeof(ctx->large_filter));
        ctx->huge_filter = 0;
        memset(ctx->written, 0, TLB_WRITTEN * sizeof(ctx->written[0]));
    }
    drop_own_entries(t, ctx);
    if (ctx == t->current) {
        tlb_lend_forget(t);
        publish_context(t);             /* tables may have shrunk */
    }
}

static void context_prepare(TlbContext *ctx)
{
    if (!ctx->written) {
        __atomic_store_n(&ctx->written, g_new0(uint16_t, TLB_WRITTEN), __ATOMIC_RELEASE);
    }
}

static TlbContext *context_find(TcgCpuState *t, uint64_t tag)
{
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        if (t->context[i].valid && t->context[i].tag == tag) {
            return &t->context[i];
        }
    }
    return NULL;
}

static TlbContext *context_oldest(TcgCpuState *t)
{
    TlbContext *best = NULL;

    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        TlbContext *ctx = &t->context[i];

        if (!ctx->valid) {
            return ctx;
        }
        if (ctx != t->current && (!best || ctx->used_at < best->used_at)) {
            best = ctx;
        }
    }
    return best;
}

void tlb_init(TcgCpuState *t)
{
    if (!tag_secret[0] && getrandom(tag_secret, sizeof(tag_secret), 0) != sizeof(tag_secret)) {
        for (unsigned i = 0; i < ARRAY_SIZE(tag_secret); i++) {
            tag_secret[i] = (uint64_t)g_random_int() << 32 | g_random_int();
        }
    }
    assert(t->ops->n_mmu_idx < TCG_MMU_IDX_MAX);        /* written_place() */
    tag_secret[0] |= 1;
    tag_secret[1] |= 1;
    g_mutex_init(&t->tlb_lock);
    t->current = &t->context[0];
    t->current->valid = true;
    context_prepare(t->current);
    t->env->jump_cache = jump_cache_new();
    drop_shared_entries(t);
    tlb_phys_cache_clear(t);
    publish_context(t);
}

void tlb_fini(TcgCpuState *t)
{
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        for (unsigned k = 0; k < TCG_MMU_IDX_MAX; k++) {
            table_free(t, &t->context[i].table[k]);
        }
        g_free(t->context[i].written);
    }
    g_free(t->env->jump_cache);
    g_mutex_clear(&t->tlb_lock);
}

void tcg_tlb_switch(Vcpu *cpu, uint64_t tag, bool flush_new_context)
{
    TcgCpuState *t = tcg_state(cpu);
    TlbContext *ctx = context_find(t, tag);

    STAT_INC(t, tlb_switches);
    if (!ctx) {
        STAT_INC(t, tlb_switch_miss);
        ctx = context_oldest(t);
        context_prepare(ctx);
        /* An invalid context may have missed flushes; a reused one has the global entries, which hold everywhere. */
        g_mutex_lock(&t->tlb_lock);
        bool was_valid = ctx->valid;
        ctx->valid = true;
        ctx->tag = tag;
        g_mutex_unlock(&t->tlb_lock);
        context_flush(t, ctx, was_valid);
    } else if (flush_new_context) {
        context_flush(t, ctx, true);
    }
    ctx->used_at = ++t->tlb_clock;
    if (ctx != t->current) {
        t->current = ctx;
        tlb_lend_forget(t);
        publish_context(t);
    }
    tlb_update_mode_tag(t);
}

/* --- flushes --- */

/* Flushes from a thread that is not the CPU's own go there, unless the CPU stands still. */
static bool on_owner(Vcpu *cpu)
{
    return cpu == cpu_current() || !cpu->created || cpu->stopped;
}

static void flush_work(Vcpu *cpu, void *opaque)
{
    tcg_tlb_flush(cpu, (TlbFlushCause)GPOINTER_TO_UINT(opaque));
}

void tcg_tlb_flush(Vcpu *cpu, TlbFlushCause why)
{
    TcgCpuState *t = tcg_state(cpu);

    if (!on_owner(cpu)) {
        async_run_on_cpu(cpu, flush_work, GUINT_TO_POINTER(why));
        return;
    }
    STAT_INC(t, tlb_flush_all);
    STAT_INC(t, tlb_flush_cause[why]);
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        if (&t->context[i] != t->current && t->context[i].valid) {
            t->context[i].valid = false;    /* emptied when it is used again */
        }
    }
    context_flush(t, t->current, false);
    drop_shared_entries(t);
    tlb_phys_cache_clear(t);
}

void tcg_tlb_flush_current(Vcpu *cpu, bool keep_global)
{
    TcgCpuState *t = tcg_state(cpu);

    STAT_INC(t, tlb_flush_context);
    context_flush(t, t->current, keep_global);
    if (!keep_global) {
        drop_shared_entries(t);
    }
}

void tcg_tlb_flush_tag(Vcpu *cpu, uint64_t tag)
{
    TcgCpuState *t = tcg_state(cpu);
    TlbContext *ctx = context_find(t, tag);

    STAT_INC(t, tlb_flush_context);
    if (ctx) {
        context_flush(t, ctx, true);
    }
}

/* Every entry of the region of 2^@shift bytes around @va. */
static void table_flush_region(TcgCpuState *t, TlbTable *tab, vaddr va, unsigned shift)
{
    uint64_t n_pages = BIT_ULL(shift - t->page_bits);
    uint32_t first = table_index(t, tab, va >> shift << shift);
    uint32_t n = (uint32_t)MIN(n_pages, tab->n);

    for (uint32_t i = 0; i < n; i++) {
        TcgTlbEntry *e = &tab->fast[(first + i) & (tab->n - 1)];

        if (!entry_empty(e) && (entry_page(t, e) ^ va) >> shift == 0) {
            entry_clear(tab, e);
        }
    }
}

static unsigned large_bit(vaddr va)
{
    return (unsigned)((va >> TLB_LARGE_SHIFT) * 0x9e3779b97f4a7c15ULL >> 54);
}

static unsigned huge_bit(vaddr va)
{
    return (unsigned)((va >> TLB_HUGE_SHIFT) * 0x9e3779b97f4a7c15ULL >> 58);
}

static void context_flush_page(TcgCpuState *t, TlbContext *ctx, vaddr va)
{
    unsigned jb = jc_filter_bit(t, va);
    bool large = filter_has(ctx->large_filter, large_bit(va));
    bool huge = ctx->huge_filter >> huge_bit(va) & 1;

    for (unsigned i = 0; i < t->ops->n_mmu_idx; i++) {
        TlbTable *tab = &ctx->table[i];

        if (!tab->fast || !tab->n_used) {
            continue;
        }
        if (large || huge) {
            table_flush_region(t, tab, va, huge ? TLB_HUGE_SHIFT : TLB_LARGE_SHIFT);
            continue;
        }
        TcgTlbEntry *e = &tab->fast[table_index(t, tab, va)];
        if (!entry_empty(e) && entry_page(t, e) == (va & t->page_mask)) {
            entry_clear(tab, e);
        }
    }
    tlb_lend_forget_page(t, va, large || huge);
    if (large || huge || filter_has(ctx->jc_filter, jb)) {
        drop_own_entries(t, ctx);
    }
    if (large || huge || filter_has(t->jc_filter, jb)) {
        drop_shared_entries(t);
    }
}

/* Dropping more than was asked for is harmless, so global or not need not be told apart. */
void tcg_tlb_flush_page(Vcpu *cpu, vaddr va)
{
    TcgCpuState *t = tcg_state(cpu);

    STAT_INC(t, tlb_flush_page);
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        if (t->context[i].valid) {
            context_flush_page(t, &t->context[i], va);
        }
    }
}

void tcg_tlb_flush_page_tag(Vcpu *cpu, uint64_t tag, vaddr va)
{
    TcgCpuState *t = tcg_state(cpu);
    TlbContext *ctx = context_find(t, tag);

    STAT_INC(t, tlb_flush_page);
    if (ctx) {
        context_flush_page(t, ctx, va);
    }
}

/* --- protection of pages with code --- */

/* Place of @page, or of any other page that has the same, in TlbContext.written. */
static unsigned written_slot(const TcgCpuState *t, uint64_t page)
{
    uint64_t n = page >> t->page_bits;

    return (unsigned)((n ^ n >> 15) & (TLB_WRITTEN - 1));
}

/* Of an entry for @va, in a table however large. */
static uint16_t written_place(const TcgCpuState *t, vaddr va, unsigned mmu_idx)
{
    return (uint16_t)(mmu_idx << TLB_MAX_BITS | (va >> t->page_bits & (TLB_MAX_ENTRIES - 1))) + 1;
}
_Static_assert((TCG_MMU_IDX_MAX - 1) << TLB_MAX_BITS < WRITTEN_MANY, "but for the last index, which tlb_init() refuses");

static bool writable_without_notice(const TlbTable *tab, unsigned k)
{
    uint64_t w = __atomic_load_n(&tab->fast[k].addr_write, __ATOMIC_RELAXED);

    return w != ~0ULL && !(w & TLB_NOTDIRTY);
}

static void entry_protect(TlbTable *tab, unsigned k, uint64_t page)
{
    if (writable_without_notice(tab, k) && __atomic_load_n(&tab->full[k].ram_addr, __ATOMIC_RELAXED) == page) {
        __atomic_fetch_or(&tab->fast[k].addr_write, TLB_NOTDIRTY, __ATOMIC_SEQ_CST);
    }
}

static void context_protect(TcgCpuState *t, TlbContext *ctx, unsigned place, uint64_t page)
{
    TlbTable *tab = &ctx->table[(place - 1) >> TLB_MAX_BITS & (TCG_MMU_IDX_MAX - 1)];

    if (place != WRITTEN_MANY) {
        if (tab->n) {
            entry_protect(tab, (place - 1) & (tab->n - 1), page);
        }
        return;
    }
    for (unsigned i = 0; i < t->ops->n_mmu_idx; i++) {
        for (uint32_t k = 0; k < ctx->table[i].n; k++) {
            entry_protect(&ctx->table[i], k, page);
        }
    }
}

bool tlb_protect_page(TcgCpuState *t, uint64_t page)
{
    unsigned slot = written_slot(t, page);
    bool maybe_writable = false;

    g_mutex_lock(&t->tlb_lock);
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        TlbContext *ctx = &t->context[i];
        unsigned place = ctx->valid && ctx->written ? __atomic_load_n(&ctx->written[slot], __ATOMIC_SEQ_CST) : 0;

        if (place) {
            context_protect(t, ctx, place, page);
            maybe_writable = true;
        }
    }
    g_mutex_unlock(&t->tlb_lock);
    if (maybe_writable) {
        tlb_lend_revoke(t);
    }
    return maybe_writable;
}

static bool needs_notdirty(TcgCpuState *t, const TlbFull *full)
{
    if (full->rb && full->rb->mr && full->rb->mr->dirty_log_mask) {
        return true;
    }
    return code_page_is_watched(t->cache, full->ram_addr);
}

/* Is the entry at @place, for a page that has @slot, still there? */
static bool written_still(const TcgCpuState *t, unsigned place, unsigned slot)
{
    const TlbTable *tab = &t->current->table[(place - 1) >> TLB_MAX_BITS];
    unsigned k = (place - 1) & (tab->n - 1);

    return tab->n && writable_without_notice(tab, k) && written_slot(t, tab->full[k].ram_addr) == slot;
}

/* The entry of @va is about to let stores through to the page that @full names. */
static void note_writable(TcgCpuState *t, const TlbFull *full, vaddr va, unsigned mmu_idx)
{
    unsigned slot = written_slot(t, full->ram_addr), place = written_place(t, va, mmu_idx);
    unsigned was = __atomic_load_n(&t->current->written[slot], __ATOMIC_RELAXED);

    if (was == place || was == WRITTEN_MANY) {
        return;
    }
    if (was && written_still(t, was, slot)) {
        place = WRITTEN_MANY;
    }
    __atomic_store_n(&t->current->written[slot], (uint16_t)place, __ATOMIC_SEQ_CST);
}

void tlb_maybe_unprotect(TcgCpuState *t, vaddr va, unsigned mmu_idx)
{
    TlbTable *tab = &t->current->table[mmu_idx];
    TcgTlbEntry *e;
    TlbFull *full;

    if (!tab->fast) {
        return;
    }
    e = &tab->fast[table_index(t, tab, va)];
    full = &tab->full[table_index(t, tab, va)];
    if (e->addr_write == ~0ULL || ((e->addr_write ^ va) & t->page_mask) || needs_notdirty(t, full)) {
        return;
    }
    note_writable(t, full, va, mmu_idx);
    __atomic_fetch_and(&e->addr_write, ~(uint64_t)TLB_NOTDIRTY, __ATOMIC_SEQ_CST);
    if (needs_notdirty(t, full)) {      /* became watched meanwhile: smc.c looks after it made the page */
        __atomic_fetch_or(&e->addr_write, TLB_NOTDIRTY, __ATOMIC_SEQ_CST);
    }
}

/* --- filling --- */

/* What lies at physical page @pa.  Returns the host address of RAM for reading, or NULL; @writable: for writing too. */
static uint8_t *page_resolve(TcgCpuState *t, hwaddr pa, TlbFull *full, bool *writable)
{
    uint64_t page_size = ~t->page_mask + 1, len = page_size;
    const FlatRange *fr;
    uint8_t *host = NULL;

    *writable = false;
    full->ram_addr = PHYS_NONE;
    full->rb = NULL;
    rcu_read_lock();
    fr = flatview_lookup(address_space_view_rcu(t->cpu->as), pa);
    if (fr && memory_region_is_ram(fr->mr) && pa >= fr->start && fr->last - pa >= page_size - 1 &&
        (fr->mr->kind != MEMORY_REGION_ROM_DEVICE || fr->romd) && flatrange_is_populated(fr, pa, &len)) {
        uint64_t off = fr->offset_in_region + (pa - fr->start);

        if (!((fr->mr->ram->offset + off) & (page_size - 1))) {
            host = fr->mr->ram->host + off;
            full->rb = fr->mr->ram;
            full->ram_addr = fr->mr->ram->offset + off;
            *writable = !fr->readonly && fr->mr->kind != MEMORY_REGION_ROM_DEVICE && fr->mr->kind != MEMORY_REGION_ROM;
        }
    }
    rcu_read_unlock();
    return host;
}

static void remember_large(TlbContext *ctx, vaddr va, uint64_t size)
{
    if (size > BIT_ULL(TLB_LARGE_SHIFT)) {
        ctx->huge_filter |= BIT_ULL(huge_bit(va));
        if (size > BIT_ULL(TLB_HUGE_SHIFT)) {
            ctx->huge_filter = ~0ULL;   /* 512 GiB pages: every region may be one */
        }
    } else {
        ctx->large_filter[large_bit(va) / 64] |= BIT_ULL(large_bit(va) % 64);
    }
}

void tcg_tlb_set_page(Vcpu *cpu, vaddr va, hwaddr pa, MemTxAttrs attrs, unsigned prot, unsigned mmu_idx,
                      uint64_t size)
{
    TcgCpuState *t = tcg_state(cpu);
    TlbContext *ctx = t->current;
    TlbTable *tab = tlb_table(t, mmu_idx);
    TlbFull full = { .paddr = pa & t->page_mask, .attrs = attrs };
    TcgTlbEntry e = { ~0ULL, ~0ULL, ~0ULL, 0 };
    bool writable, notdirty = false;
    uint8_t *host = page_resolve(t, full.paddr, &full, &writable);
    uint64_t io = host ? 0 : TLB_MMIO;
    unsigned k;

    va &= t->page_mask;
    io |= t->n_watch && tcg_watch_overlaps_page(t, va) ? TLB_WATCH : 0;
    full.flags = (prot & PAGE_PROT_GLOBAL ? TLB_FULL_GLOBAL : 0) | (size > ~t->page_mask + 1 ? TLB_FULL_LARGE : 0);
    if (full.flags & TLB_FULL_LARGE) {
        remember_large(ctx, va, size);
    }
    e.addend = host ? (uintptr_t)host - (uintptr_t)va : 0;
    if (prot & PAGE_PROT_READ) {
        e.addr_read = va | io;
    }
    if (prot & PAGE_PROT_EXEC) {
        e.addr_code = va | (io & ~(uint64_t)TLB_WATCH);
    }
    if (prot & PAGE_PROT_WRITE) {
        notdirty = writable && needs_notdirty(t, &full);
        e.addr_write = va | io | (writable ? 0 : TLB_MMIO) | (notdirty ? TLB_NOTDIRTY : 0) |
            (prot & PAGE_PROT_READ ? 0 : TLB_FORCE_SLOW);       /* a probe for both looks at this one only */
    }
    table_maybe_grow(t, tab);
    k = table_index(t, tab, va);
    if (entry_empty(&tab->fast[k])) {
        tab->n_used++;
    } else if (entry_page(t, &tab->fast[k]) != va) {
        tab->conflicts++;
    }
    if (writable && (prot & PAGE_PROT_WRITE) && !notdirty) {
        note_writable(t, &full, va, mmu_idx);
    }
    __atomic_store_n(&tab->fast[k].addr_write, ~0ULL, __ATOMIC_RELEASE);
    __atomic_store_n(&tab->full[k].ram_addr, full.ram_addr, __ATOMIC_RELEASE);
    tab->full[k] = full;
    tab->fast[k].addr_read = e.addr_read;
    tab->fast[k].addr_code = e.addr_code;
    tab->fast[k].addend = e.addend;
    note_scope(tab, k);
    __atomic_store_n(&tab->fast[k].addr_write, e.addr_write, __ATOMIC_SEQ_CST);
    if (e.addr_write != ~0ULL && writable && !notdirty && code_page_is_watched(t->cache, full.ram_addr)) {
        __atomic_fetch_or(&tab->fast[k].addr_write, TLB_NOTDIRTY, __ATOMIC_SEQ_CST);
    }
}

/* The table of the current context, made if need be. */
TlbTable *tlb_table(TcgCpuState *t, unsigned mmu_idx)
{
    TlbTable *tab = &t->current->table[mmu_idx];

    if (!tab->fast) {
        g_mutex_lock(&t->tlb_lock);
        table_alloc(t, tab, TLB_MIN_ENTRIES);
        g_mutex_unlock(&t->tlb_lock);
        publish_table(t, mmu_idx);
    }
    return tab;
}

static uint64_t comparator(const TcgTlbEntry *e, MmuAccess access)
{
    return access == MMU_DATA_LOAD ? e->addr_read : access == MMU_DATA_STORE ? e->addr_write : e->addr_code;
}

bool tlb_find(TcgCpuState *t, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, bool probe,
              uintptr_t ra, TlbHit *hit)
{
    for (bool filled = false; ; filled = true) {
        TlbTable *tab = tlb_table(t, mmu_idx);
        unsigned k = table_index(t, tab, va);
        uint64_t cmp = comparator(&tab->fast[k], access);

        if ((cmp & (t->page_mask | TLB_INVALID)) == (va & t->page_mask)) {
            hit->full = tab->full[k];
            hit->flags = cmp & ~t->page_mask;
            hit->host = hit->flags & TLB_MMIO ? NULL : (uint8_t *)(uintptr_t)(va + tab->fast[k].addend);
            return true;
        }
        if (filled) {
            g_error("tlb_fill installed no entry for %" PRIx64 " access %d", va, access);
        }
        STAT_INC(t, tlb_fills[access]);
        if (!t->ops->tlb_fill(t->cpu, va, size, access, mmu_idx, probe, ra)) {
            return false;
        }
    }
}

void tlb_phys_cache_clear(TcgCpuState *t)
{
    for (unsigned i = 0; i < PHYS_CACHE_SIZE; i++) {
        t->phys_cache[i].page = ~0ULL;
    }
}

/* --- invariants --- */

void tlb_check(TcgCpuState *t)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        for (unsigned k = 0; k < TCG_MMU_IDX_MAX; k++) {
            const TlbTable *tab = &t->context[i].table[k];
            uint32_t used = 0;

            for (uint32_t j = 0; j < tab->n; j++) {
                used += !entry_empty(&tab->fast[j]);
                g_assert(entry_empty(&tab->fast[j]) || table_index(t, tab, entry_page(t, &tab->fast[j])) == j);
            }
            g_assert(used == tab->n_used);
            total += tab->n;
        }
    }
    g_assert(total == t->n_tlb_entries);
}
