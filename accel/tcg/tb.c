/*
 * Blocks: the physical hash, direct links, removal, moving.
 *
 * Lookup is lock-free: heads and hash_next are read with acquire; a removed block keeps its
 * hash_next, so a reader standing on it goes on; its unit is not recycled before the reader passed
 * its run loop (code-cache.c).
 *
 * A link is a patched jump.  Links are made only where the target's translation cannot change
 * under the source: same mode, same guest page, target within that page.  Each block knows who
 * is linked to it, so unlinking costs its links and no more.
 *
 * A dead block may still be entered through a jump cache entry that is being written at the very
 * moment: the writer fences and looks at `dead` afterwards, the remover fences and looks at the
 * jump caches afterwards, so one of them clears it.
 *
 * Locks: CodeCache.lock, except tb_lookup.
 */
#include "accel/tcg/internal.h"

#define BUCKET_SHIFT    3       /* bytes of code that share a bucket: 2^ of it */

/* Of all that is the same for blocks of one page in one mode. */
static uint64_t page_hash(const CodeCache *c, const TbKey *k)
{
    uint64_t h = (k->phys_pc >> c->page_bits ^ k->flags << 32 ^ k->flags >> 32) * 0x9e3779b97f4a7c15ULL;

    h ^= (uint64_t)k->cs_off << 17 ^ k->cflags;
    return (h ^ h >> 29) * 0xbf58476d1ce4e5b9ULL;
}

/*
 * Near code has near buckets: a program that comes to a page looks up one block of it after the other, and each
 * bucket of its own cache line would cost more than the rest of the look-up.
 */
static uint32_t key_hash(const CodeCache *c, const TbKey *k)
{
    return (uint32_t)((page_hash(c, k) >> 32) + (k->phys_pc >> BUCKET_SHIFT)) & (c->n_buckets - 1);
}

/* Of a block among those of its bucket; 0 marks none. */
static uint16_t key_mark(const CodeCache *c, const TbKey *k)
{
    return (uint16_t)((page_hash(c, k) >> 16) + k->phys_pc * 0x9e37) | 1;
}

bool tb_was_here_locked(const CodeCache *c, const TbKey *key)
{
    return c->gone[key_hash(c, key)] == key_mark(c, key);
}

static bool key_equal(const TbKey *a, const TbKey *b)
{
    return a->phys_pc == b->phys_pc && a->flags == b->flags && a->cs_off == b->cs_off && a->cflags == b->cflags;
}

Tb *tb_lookup(const CodeCache *c, const TbKey *key, TbPage2Fn *page2_of, void *opaque)
{
    TbId id = __atomic_load_n(&c->buckets[key_hash(c, key)], __ATOMIC_ACQUIRE);
    uint64_t page2 = PHYS_NONE;
    bool asked = false;

    for (; id; ) {
        Tb *tb = tb_by_id(c, id);

        if (key_equal(&tb->key, key) && !tb_is_dead(tb)) {
            if (!tb->two_pages) {
                return tb;
            }
            if (!asked) {
                asked = true;
                page2 = page2_of(opaque);
            }
            if (tb_page2(c, tb) == page2) {
                return tb;
            }
        }
        id = __atomic_load_n(&tb->hash_next, __ATOMIC_ACQUIRE);
    }
    return NULL;
}

void tb_hash_insert_locked(CodeCache *c, Tb *tb)
{
    TbId *head = &c->buckets[key_hash(c, &tb->key)];

    __atomic_store_n(&tb->hash_next, *head, __ATOMIC_RELAXED);
    __atomic_store_n(head, tb_id(c, tb), __ATOMIC_RELEASE);     /* I3 */
}

static void hash_remove_locked(CodeCache *c, Tb *tb)
{
    TbId *p = &c->buckets[key_hash(c, &tb->key)];
    TbId id = tb_id(c, tb);

    while (*p && *p != id) {
        p = &tb_by_id(c, *p)->hash_next;
    }
    if (*p) {
        __atomic_store_n(p, tb->hash_next, __ATOMIC_RELEASE);
    }
}

/* --- links --- */

static void patch(CodeCache *c, Tb *from, unsigned slot, const uint8_t *target_rx)
{
    uint32_t off = tb_exit(c, from, slot)->jump;

    tcg_patch_jump(tb_rw(c, from) + off, tb_rx(c, from) + off, target_rx);
}

static void patch_to_exit(CodeCache *c, Tb *from, unsigned slot)
{
    patch(c, from, slot, tb_rx(c, from) + TCG_UNLINKED_OFFSET(tb_exit(c, from, slot)->jump));
}

/* The code says it: an unlinked jump goes to what lies behind it, a linked one to a block's start. */
TbId tb_link_target(const CodeCache *c, const Tb *tb, unsigned slot)
{
    const uint8_t *jump;
    int32_t rel;
    TbId id;

    if (!(tb->exits & BIT(slot))) {
        return 0;
    }
    jump = tb_rw(c, tb) + tb_exit(c, tb, slot)->jump;
    memcpy(&rel, jump, sizeof(rel));
    if (jump + sizeof(rel) + rel == tb_rw(c, tb) + TCG_UNLINKED_OFFSET(tb_exit(c, tb, slot)->jump)) {
        return 0;
    }
    memcpy(&id, jump + sizeof(rel) + rel + TCG_BLOCK_ID_OFFSET, sizeof(id));
    return id;
}

void tb_link_locked(CodeCache *c, Tb *from, unsigned slot, Tb *to)
{
    if (tb_is_dead(from) || tb_is_dead(to) || !(from->exits & BIT(slot)) || tb_link_target(c, from, slot)) {
        return;
    }
    tb_exit(c, from, slot)->link_next = to->in_links;
    to->in_links = tb_link_make(tb_id(c, from), slot);
    patch(c, from, slot, tb_rx(c, to));
    c->stats.links++;
}

void tb_link(CodeCache *c, TbId from, unsigned slot, Tb *to)
{
    code_cache_lock(c);
    tb_link_locked(c, tb_by_id(c, from), slot, to);
    code_cache_unlock(c);
}

void tb_unlink_incoming_locked(CodeCache *c, Tb *tb)
{
    uint32_t l = tb->in_links;

    tb->in_links = 0;
    while (l) {
        Tb *from = tb_by_id(c, tb_link_from(l));
        unsigned slot = tb_link_slot(l);

        l = tb_exit(c, from, slot)->link_next;
        patch_to_exit(c, from, slot);
        c->stats.unlinks++;
    }
}

static TbExit *link_exit(const CodeCache *c, uint32_t link)
{
    return tb_exit(c, tb_by_id(c, tb_link_from(link)), tb_link_slot(link));
}

/* Take @tb's slot out of its target's list. */
static void unlink_slot(CodeCache *c, Tb *tb, unsigned slot)
{
    uint32_t me = tb_link_make(tb_id(c, tb), slot);
    TbId to = tb_link_target(c, tb, slot);
    uint32_t l, next;

    if (!to) {
        return;
    }
    l = tb_by_id(c, to)->in_links;
    if (l == me) {
        tb_by_id(c, to)->in_links = tb_exit(c, tb, slot)->link_next;
    } else {
        while ((next = link_exit(c, l)->link_next) != me) {
            assert(next);
            l = next;
        }
        link_exit(c, l)->link_next = tb_exit(c, tb, slot)->link_next;
    }
    patch_to_exit(c, tb, slot);
}

static void unlink_outgoing(CodeCache *c, Tb *tb)
{
    for (unsigned slot = 0; slot < IR_DIRECT_SLOTS; slot++) {
        unlink_slot(c, tb, slot);
    }
}

/* --- removal --- */

static void purge_jump_caches(CodeCache *c, const Tb *tb)
{
    const void *entry = tb_rx(c, tb);

    for (unsigned i = 0; i < c->cpus->len; i++) {
        tlb_jump_cache_purge_tb(g_ptr_array_index(c->cpus, i), tb, entry);
    }
}

/* Nothing else leads out of a loop that is in one block. */
static void kick_out_of_loop(CodeCache *c, const Tb *tb)
{
    for (unsigned i = 0; tb->loops && i < c->cpus->len; i++) {
        tcg_kick(g_ptr_array_index(c->cpus, i));
    }
}

void tb_remove_locked(CodeCache *c, Tb *tb)
{
    assert(!tb_is_dead(tb));
    __atomic_store_n(&tb->dead, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    c->stats.live_blocks--;
    tb_unlink_incoming_locked(c, tb);
    unlink_outgoing(c, tb);
    if (tb->key.phys_pc != PHYS_NONE) {
        hash_remove_locked(c, tb);
        c->gone[key_hash(c, &tb->key)] = key_mark(c, &tb->key);
        code_page_remove_tb_locked(c, tb);
        purge_jump_caches(c, tb);
    }
    kick_out_of_loop(c, tb);
}

void tb_purge_jump_caches_of_unit_locked(CodeCache *c, unsigned u)
{
    for (unsigned i = 0; i < c->cpus->len; i++) {
        tlb_jump_cache_purge_range(g_ptr_array_index(c->cpus, i), unit_rx(c, u), c->unit_size);
    }
}

/* The copy begins unlinked: its links are made again as they are used. */
bool tb_move_locked(CodeCache *c, Tb *tb)
{
    TbDraft d = {
        .key = tb->key, .page2 = tb_page2(c, tb), .size = tb->size, .n_insns = tb->n_insns,
        .code_size = tb->code_size, .unwind_offset = tb->unwind_offset, .loops = tb->loops, .exits = tb->exits,
        .bytes = tb_rw(c, tb),
    };
    Tb *copy;

    if (!code_cache_has_room_locked(c, tb->code_size)) {
        return false;
    }
    for (unsigned exits = tb->exits; exits; exits &= exits - 1) {
        unsigned slot = (unsigned)__builtin_ctz(exits);

        d.jump[slot] = tb_exit(c, tb, slot)->jump;
    }
    tb_unlink_incoming_locked(c, tb);
    unlink_outgoing(c, tb);             /* the bytes to copy now lead to the exits */
    copy = code_cache_place_locked(c, &d);
    code_page_add_tb_locked(c, copy);   /* before the removal: the page's entry stays */
    tb_remove_locked(c, tb);
    tb_hash_insert_locked(c, copy);
    tcg_perfmap_add_locked(c, copy, "tb-ram", copy->key.phys_pc);
    c->stats.moved_blocks++;
    return true;
}
