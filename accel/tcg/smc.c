/*
 * Pages with code: noticing writes and removing just the blocks whose bytes were written.
 *
 * A guest page with translated code (or with a translation in progress: "pinned") has a CodePage.
 * While it has one, TLB entries that would allow writing it carry TLB_NOTDIRTY in every vCPU, so
 * that stores come to tlb-slow.c, which calls code_range_written() after each.  Writers that are
 * no vCPU come by the memory core's hook.
 *
 * A page that is written and executed by turns keeps its CodePage over some writes after its last
 * block went: rewriting code does not toggle the protection each time.
 *
 * Stale translations: a write between fetching bytes and inserting the block is seen by write_seq,
 * which counts writes while a page is pinned; the draft is then discarded.
 *
 * Locks: CodeCache.lock.  Heads of page buckets are also read without: an empty bucket says that
 * no page of it is watched.  Who installs a writable TLB entry does so first and asks afterwards;
 * who pins makes the CodePage first and looks at the TLBs afterwards.  A CPU that has probed its TLB before may still
 * store afterwards, in the same block, unnoticed: who pins waits until no other CPU is in a block that it was in then.
 */
#include "accel/tcg/internal.h"

#define IDLE_WRITES_MAX 64

/* @addr: anywhere in the page.  Near pages have near buckets: each page that may be written is asked for, code or not. */
static uint32_t *bucket_of(const CodeCache *c, uint64_t addr)
{
    uint64_t page = addr >> c->page_bits;

    return &c->page_buckets[(page ^ page >> 15) & (c->n_page_buckets - 1)];
}

static uint64_t page_of(const CodeCache *c, uint64_t addr)
{
    return addr >> c->page_bits << c->page_bits;
}

static CodePage *page_find(const CodeCache *c, uint64_t page)
{
    uint32_t i = *bucket_of(c, page);

    while (i && c->pages[i].page != page) {
        i = c->pages[i].next;
    }
    return i ? &c->pages[i] : NULL;
}

/* --- life of a CodePage --- */

static CodePage *page_new_locked(CodeCache *c, uint64_t page)
{
    uint32_t *head = bucket_of(c, page);
    uint32_t i = c->free_page ? c->free_page : c->fresh_page++;
    CodePage *p = &c->pages[i];

    assert(i < c->n_pages);
    if (c->free_page) {
        c->free_page = p->next;
    }
    *p = (CodePage){ .page = page, .next = *head };
    __atomic_store_n(head, i, __ATOMIC_SEQ_CST);
    return p;
}

static void page_free_locked(CodeCache *c, CodePage *p)
{
    uint32_t i = (uint32_t)(p - c->pages);
    uint32_t *q = bucket_of(c, p->page);

    while (*q != i) {
        q = &c->pages[*q].next;
    }
    __atomic_store_n(q, p->next, __ATOMIC_SEQ_CST);
    p->next = c->free_page;
    c->free_page = i;
}

/* When the array is used up: drop the watch on pages without blocks. */
static void free_idle_pages_locked(CodeCache *c)
{
    for (uint32_t b = 0; b < c->n_page_buckets; b++) {
        for (uint32_t i = c->page_buckets[b], next; i; i = next) {
            next = c->pages[i].next;
            if (!c->pages[i].first && !c->pages[i].pins) {
                page_free_locked(c, &c->pages[i]);
            }
        }
    }
}

static void ensure_free_page_locked(CodeCache *c, TcgCpuState *self)
{
    if (c->fresh_page < c->n_pages) {
        return;
    }
    if (!c->free_page) {
        free_idle_pages_locked(c);
    }
    while (!c->free_page) {
        /* The blocks of one unit touch fewer pages than there are (plan_sizes()). */
        if (!code_cache_retire_oldest_locked(c, self)) {
            g_error("translator: all %u code pages are pinned", c->n_pages);
        }
        free_idle_pages_locked(c);
    }
}

uint32_t code_page_pin(CodeCache *c, TcgCpuState *self, uint64_t page)
{
    CodePage *p;
    bool fresh = false, in_flight = false;
    uint32_t seq;

    code_cache_lock(c);
    p = page_find(c, page);
    if (!p) {
        ensure_free_page_locked(c, self);
        p = page_find(c, page);         /* the lock may have been dropped */
    }
    if (!p) {
        p = page_new_locked(c, page);
        fresh = true;
    }
    p->pins++;
    __atomic_fetch_add(&c->n_pins, 1, __ATOMIC_SEQ_CST);
    seq = p->write_seq;
    if (fresh) {
        c->stats.page_protects++;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        for (unsigned i = 0; i < c->cpus->len; i++) {
            TcgCpuState *t = g_ptr_array_index(c->cpus, i);

            in_flight |= tlb_protect_page(t, page) && t != self;
        }
        c->stats.page_waits += in_flight;
    }
    code_cache_unlock(c);
    if (in_flight) {
        tcg_exclusive_begin(self);
        tcg_exclusive_end(self);
    }
    return seq;
}

void code_page_unpin_locked(CodeCache *c, uint64_t page)
{
    CodePage *p = page_find(c, page);

    assert(p && p->pins);
    p->pins--;
    __atomic_fetch_sub(&c->n_pins, 1, __ATOMIC_SEQ_CST);
}

void code_page_unpin(CodeCache *c, uint64_t page)
{
    code_cache_lock(c);
    code_page_unpin_locked(c, page);
    code_cache_unlock(c);
}

bool code_page_unchanged_locked(CodeCache *c, uint64_t page, uint32_t seq)
{
    const CodePage *p = page_find(c, page);

    return p && p->write_seq == seq;
}

bool code_page_is_watched(CodeCache *c, uint64_t page)
{
    bool yes;

    if (!__atomic_load_n(bucket_of(c, page), __ATOMIC_SEQ_CST)) {
        return false;
    }
    code_cache_lock(c);
    yes = page_find(c, page) != NULL;
    code_cache_unlock(c);
    return yes;
}

/* --- blocks of a page --- */

/* The bytes that @tb has in the page of its part @which. */
static uint64_t part_range(const CodeCache *c, const Tb *tb, unsigned which, uint64_t *len)
{
    uint64_t page_size = 1ULL << c->page_bits;
    uint64_t in_first = MIN((uint64_t)tb->size, page_size - (tb->key.phys_pc & (page_size - 1)));

    *len = which ? tb->size - in_first : in_first;
    return which ? tb_page2(c, tb) : tb->key.phys_pc;
}

static bool part_overlaps(const CodeCache *c, const Tb *tb, unsigned which, uint64_t addr, uint64_t len)
{
    uint64_t size, start = part_range(c, tb, which, &size);

    return start < addr + len && addr < start + size;
}

/* The 64ths of its page that [@addr, @addr+@len) touches. */
static uint64_t coverage(const CodeCache *c, uint64_t addr, uint64_t len)
{
    unsigned shift = c->page_bits - 6;
    unsigned first = (unsigned)(addr >> shift) & 63, last = (unsigned)((addr + len - 1) >> shift) & 63;

    return len ? (~0ULL << first) & (~0ULL >> (63 - last)) : 0;
}

static void list_add(CodeCache *c, uint64_t page, Tb *tb, unsigned which)
{
    CodePage *p = page_find(c, page);
    uint64_t start, size;

    assert(p);                          /* pinned by the translation, or held by the block that moves */
    *tb_page_next(c, tb, which) = p->first;
    p->first = tb_id(c, tb) << 1 | which;
    p->idle_writes = 0;
    start = part_range(c, tb, which, &size);
    p->covered |= coverage(c, start, size);
    __atomic_store_n(&c->insert_seq, c->insert_seq + 1, __ATOMIC_SEQ_CST);
}

static void list_remove(CodeCache *c, uint64_t page, Tb *tb, unsigned which)
{
    CodePage *p = page_find(c, page);
    uint32_t me = tb_id(c, tb) << 1 | which;
    uint32_t *q = &p->first;

    while (*q != me) {
        assert(*q);
        q = tb_page_next(c, tb_by_id(c, *q >> 1), *q & 1);
    }
    *q = *tb_page_next(c, tb, which);
    p->covered = p->first ? p->covered : 0;
}

void code_page_add_tb_locked(CodeCache *c, Tb *tb)
{
    list_add(c, page_of(c, tb->key.phys_pc), tb, 0);
    if (tb->two_pages) {
        list_add(c, tb_page2(c, tb), tb, 1);
    }
}

void code_page_remove_tb_locked(CodeCache *c, Tb *tb)
{
    list_remove(c, page_of(c, tb->key.phys_pc), tb, 0);
    if (tb->two_pages) {
        list_remove(c, tb_page2(c, tb), tb, 1);
    }
}

/* The writer's own block counts unless it consists of this one instruction. */
static bool is_running(const CodeCache *c, const Tb *tb, uintptr_t ra)
{
    return ra && !(tb->key.cflags & TB_SINGLE_INSN) && tb == code_cache_tb_by_address(c, ra);
}

CodeWrite code_write_begin(CodeCache *c, uint64_t addr, uint64_t len, uintptr_t ra, uint64_t *ticket)
{
    CodeWrite kind = CODE_WRITE_BESIDE;
    const CodePage *p;

    *ticket = __atomic_load_n(&c->insert_seq, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(bucket_of(c, addr), __ATOMIC_SEQ_CST)) {
        return CODE_WRITE_PLAIN;
    }
    code_cache_lock(c);
    p = page_find(c, page_of(c, addr));
    if (!p) {
        kind = CODE_WRITE_PLAIN;
    } else if (!p->first || p->pins) {
        kind = CODE_WRITE_HIT;          /* the write has to be counted */
    }
    for (uint32_t l = p && (p->covered & coverage(c, addr, len)) ? p->first : 0; l; ) {
        Tb *tb = tb_by_id(c, l >> 1);

        if (part_overlaps(c, tb, l & 1, addr, len)) {
            kind = CODE_WRITE_HIT;
            if (is_running(c, tb, ra)) {
                kind = CODE_WRITE_HIT_RUNNING;
                break;
            }
        }
        l = *tb_page_next(c, tb, l & 1);
    }
    code_cache_unlock(c);
    return kind;
}

bool code_write_was_alone(const CodeCache *c, uint64_t ticket)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);    /* the write, then the question; who translates pins, then reads */
    return !__atomic_load_n(&c->n_pins, __ATOMIC_SEQ_CST) &&
        __atomic_load_n(&c->insert_seq, __ATOMIC_SEQ_CST) == ticket;
}

static void page_written_locked(CodeCache *c, CodePage *p, uint64_t addr, uint64_t len)
{
    p->write_seq += p->pins != 0;
    for (uint32_t l = p->first, next; l; l = next) {
        Tb *tb = tb_by_id(c, l >> 1);

        next = *tb_page_next(c, tb, l & 1);
        if (part_overlaps(c, tb, l & 1, addr, len)) {
            /* A block that reaches into its own first page twice would be on the list twice. */
            if (next && next >> 1 == l >> 1) {
                next = *tb_page_next(c, tb, next & 1);
            }
            c->stats.smc_blocks++;
            tb_remove_locked(c, tb);
        }
    }
    if (!p->first && !p->pins && p->idle_writes++ >= IDLE_WRITES_MAX) {
        page_free_locked(c, p);
    }
}

void code_range_written(CodeCache *c, uint64_t addr, uint64_t len)
{
    uint64_t page_size = 1ULL << c->page_bits;
    bool locked = false;

    while (len) {
        uint64_t page = page_of(c, addr);
        uint64_t part = MIN(len, page + page_size - addr);
        CodePage *p;

        if (__atomic_load_n(bucket_of(c, page), __ATOMIC_SEQ_CST)) {
            if (!locked) {
                code_cache_lock(c);
                locked = true;
            }
            p = page_find(c, page);
            if (p) {
                c->stats.smc_writes++;
                page_written_locked(c, p, addr, part);
            }
        }
        addr += part;
        len -= part;
    }
    if (locked) {
        code_cache_unlock(c);
    }
}
