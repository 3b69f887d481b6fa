/*
 * Translated-code cache: memory, units, eviction, quiescence.
 *
 * Everything the translator keeps lies within `size` bytes: the code mapping (prologue, then units
 * of code and block descriptors) and the tables (hash heads, pages with code).  Memory is mapped
 * without reservation and committed as it is used.  Code memory has two mappings, one writable and
 * one executable, unless split-wx is off.
 *
 * When a unit is opened, the one to follow it is retired: its blocks that were looked up lately are
 * moved to the open unit, all others dropped; by the time it is needed, every vCPU has passed its run
 * loop and nobody is in the retired code.  A quarter of the units wait for that on probation: links and
 * jump caches no longer lead to them, so that the blocks still in use are seen being looked up.  Which
 * unit joins them is drawn by lot: oldest first would, for a working set a little larger than the cache that
 * is gone through again and again, drop each block just before it is needed.
 *
 * Invariants (cache_check()):
 *  I1  no link or jump cache entry leads to a dead block
 *  I2  code and descriptors of a unit do not meet
 *  I3  a block is findable only after its code and descriptor are complete
 *  I4  descriptors of a unit have ascending code offsets
 *  I5  a unit is reused only after every vCPU passed its retire_epoch
 *
 * Locks: CodeCache.lock for everything but lookup, the unwinder and quiescence counters.
 */
#include "accel/tcg/internal.h"

#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "util/error.h"

#define UNIT_MIN_SIZE   (64 * KiB)
#define UNIT_MAX_SIZE   (1 * MiB)
#define UNITS_WANTED    32
#define BLOCK_ALIGN     4       /* of the jumps in it */
#define PROLOGUE_MAX    (16 * KiB)
#define BYTES_PER_HASH_HEAD     512     /* about what a block takes, so chains are short */
#define BYTES_PER_CODE_PAGE     2048
#define MIN_CODE_PAGES          1024
#define MAX_SURVIVORS_DIVISOR   2       /* of a unit may be filled with moved blocks */
#define PROBATION_DIVISOR       4       /* 1/4 of the units are on probation */

/* --- memory --- */

static size_t pow2_floor(size_t v)
{
    return v ? (size_t)1 << (63 - __builtin_clzll(v)) : 0;
}

static void plan_sizes(CodeCache *c)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t unit = pow2_floor(c->size / UNITS_WANTED);
    size_t rest;

    c->unit_size = (uint32_t)CLAMP(unit, UNIT_MIN_SIZE, UNIT_MAX_SIZE);
    c->tb_per_unit = c->unit_size / sizeof(Tb);
    c->prologue_size = ROUND_UP(PROLOGUE_MAX, page);
    c->n_buckets = (uint32_t)pow2_floor(c->size / BYTES_PER_HASH_HEAD);
    c->n_pages = (uint32_t)MAX(c->size / BYTES_PER_CODE_PAGE, MIN_CODE_PAGES);
    c->n_page_buckets = (uint32_t)pow2_floor(c->n_pages);
    c->tables_size = c->n_buckets * (sizeof(TbId) + sizeof(uint16_t)) + c->n_pages * sizeof(CodePage) + c->n_page_buckets * sizeof(uint32_t);
    c->tables_size += (c->size / c->unit_size) * (sizeof(CodeUnit) + sizeof(unsigned));
    c->tables_size = ROUND_UP(c->tables_size, page);
    rest = c->size - c->tables_size - c->prologue_size;
    c->n_units = (unsigned)(rest / c->unit_size);
    c->map_size = c->prologue_size + (size_t)c->n_units * c->unit_size;
}

static bool map_tables(CodeCache *c, Error **errp)
{
    uint8_t *p = mmap(NULL, c->tables_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot map %zu bytes of translator tables", c->tables_size);
        return false;
    }
    prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, c->tables_size, "quern-translator");     /* for smaps; kernels may not do it */
    c->tables = p;
    c->pages = (CodePage *)p;
    p += c->n_pages * sizeof(CodePage);
    c->units = (CodeUnit *)p;
    p += (c->size / c->unit_size) * sizeof(CodeUnit);
    c->buckets = (TbId *)p;
    p += c->n_buckets * sizeof(TbId);
    c->page_buckets = (uint32_t *)p;
    p += c->n_page_buckets * sizeof(uint32_t);
    c->waiting = (unsigned *)p;
    p += (c->size / c->unit_size) * sizeof(unsigned);
    c->gone = (uint16_t *)p;
    return true;
}

static bool map_code_split(CodeCache *c, Error **errp)
{
    int fd = memfd_create("quern-code", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)c->map_size) < 0) {
        error_setg_errno(errp, errno, "cannot make %zu bytes of code memory", c->map_size);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    c->rw = mmap(NULL, c->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    c->rx = mmap(NULL, c->map_size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_NORESERVE, fd, 0);
    close(fd);
    if (c->rw == MAP_FAILED || c->rx == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot map %zu bytes of code memory twice", c->map_size);
        error_append_hint(errp, "split-wx=off uses one mapping that is writable and executable\n");
        return false;
    }
    return true;
}

static bool map_code_single(CodeCache *c, Error **errp)
{
    c->rw = mmap(NULL, c->map_size, PROT_READ | PROT_WRITE | PROT_EXEC,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    c->rx = c->rw;
    if (c->rw == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot map %zu bytes of code memory", c->map_size);
        return false;
    }
    return true;
}

static void unmap_all(CodeCache *c)
{
    if (c->rw && c->rw != MAP_FAILED) {
        munmap(c->rw, c->map_size);
    }
    if (c->rx && c->rx != MAP_FAILED && c->rx != c->rw) {
        munmap(c->rx, c->map_size);
    }
    if (c->tables) {
        munmap(c->tables, c->tables_size);
    }
    c->rw = c->rx = NULL;
    c->tables = NULL;
}

bool code_cache_init(CodeCache *c, size_t size, bool split_wx, unsigned page_bits, Error **errp)
{
    memset(c, 0, sizeof(*c));
    if (size < CODE_CACHE_MIN_SIZE) {
        error_setg(errp, "the translator needs at least 1 MiB, it was given %zu KiB", size / (size_t)KiB);
        return false;
    }
    c->size = size;
    c->page_bits = page_bits;
    plan_sizes(c);
    if (!map_tables(c, errp) || !(split_wx ? map_code_split(c, errp) : map_code_single(c, errp))) {
        unmap_all(c);
        return false;
    }
    if (!tcg_emit_prologue(c->rw, c->prologue_size, &c->prologue)) {
        error_setg(errp, "the translator's entry code does not fit %zu bytes", c->prologue_size);
        unmap_all(c);
        return false;
    }
    c->fresh_page = 1;
    c->units[0].state = UNIT_OPEN;
    c->spare = 1;
    c->random = 1;
    c->epoch = 1;
    c->cpus = g_ptr_array_new();
    g_mutex_init(&c->lock);
    g_cond_init(&c->quiesced);
    return true;
}

void code_cache_fini(CodeCache *c)
{
    unmap_all(c);
    g_ptr_array_free(c->cpus, true);
    g_mutex_clear(&c->lock);
    g_cond_clear(&c->quiesced);
}

/* --- quiescence --- */

static void wake_waiters(CodeCache *c)
{
    if (__atomic_load_n(&c->waiters, __ATOMIC_SEQ_CST)) {
        code_cache_lock(c);
        g_cond_broadcast(&c->quiesced);
        code_cache_unlock(c);
    }
}

/* From @epoch on code memory may be used again that this vCPU's return cache still leads to. */
static void see_epoch(TcgCpuState *t, uint64_t epoch)
{
    if (t->returns_epoch != epoch) {
        t->returns_epoch = epoch;
        tcg_env_forget_returns(t->env);
    }
    __atomic_store_n(&t->epoch_seen, epoch, __ATOMIC_SEQ_CST);
}

/* At the top of the run loop.  The epoch is read before anything is looked up. */
void code_cache_pass(CodeCache *c, TcgCpuState *t)
{
    uint64_t epoch = __atomic_load_n(&c->epoch, __ATOMIC_ACQUIRE);

    if (unlikely(t->epoch_seen != epoch)) {
        t->last_tb = 0;                 /* its unit may be recycled from here on */
        see_epoch(t, epoch);
        wake_waiters(c);
    }
}

/* Pairs with the evictor: it makes blocks unfindable, then reads epoch_seen; we do it the other way round. */
void code_cache_enter(CodeCache *c, TcgCpuState *t)
{
    see_epoch(t, __atomic_load_n(&c->epoch, __ATOMIC_ACQUIRE));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void code_cache_leave(CodeCache *c, TcgCpuState *t)
{
    __atomic_store_n(&t->epoch_seen, UINT64_MAX, __ATOMIC_SEQ_CST);
    wake_waiters(c);
}

static bool everyone_passed(const CodeCache *c, uint64_t epoch)
{
    for (unsigned i = 0; i < c->cpus->len; i++) {
        const TcgCpuState *t = g_ptr_array_index(c->cpus, i);

        if (__atomic_load_n(&t->epoch_seen, __ATOMIC_SEQ_CST) < epoch) {
            return false;
        }
    }
    return true;
}

static void kick_all(const CodeCache *c, const TcgCpuState *self)
{
    for (unsigned i = 0; i < c->cpus->len; i++) {
        TcgCpuState *t = g_ptr_array_index(c->cpus, i);

        if (t != self) {
            tcg_kick(t);
        }
    }
}

/* Drops the lock while waiting; @self counts as having passed. */
static void wait_quiesced_locked(CodeCache *c, TcgCpuState *self, uint64_t epoch)
{
    if (self) {
        self->last_tb = 0;
        __atomic_store_n(&self->epoch_seen, UINT64_MAX, __ATOMIC_SEQ_CST);
        code_cache_unlock(c);       /* the order is exclusive_lock, then ours */
        tcg_running_end(self);
        code_cache_lock(c);
    }
    __atomic_fetch_add(&c->waiters, 1, __ATOMIC_SEQ_CST);
    if (!everyone_passed(c, epoch)) {
        c->stats.evict_waits++;
        kick_all(c, self);
        do {
            g_cond_wait(&c->quiesced, &c->lock);
        } while (!everyone_passed(c, epoch));
    }
    __atomic_fetch_sub(&c->waiters, 1, __ATOMIC_SEQ_CST);
    if (self) {
        code_cache_unlock(c);
        tcg_running_begin(self);
        code_cache_enter(c, self);
        code_cache_lock(c);
    }
}

/* --- units --- */

static size_t unit_room(const CodeCache *c, const CodeUnit *u)
{
    size_t taken = u->used + (u->n_tb + 1) * sizeof(Tb) + tb_extra_bytes(BIT(IR_DIRECT_SLOTS) - 1, true) - (size_t)TCG_BLOCK_ID_OFFSET + BLOCK_ALIGN;

    return taken < c->unit_size ? c->unit_size - taken : 0;
}

bool code_cache_has_room_locked(const CodeCache *c, size_t code_size)
{
    return unit_room(c, &c->units[c->cur]) >= code_size;
}

/* Blocks worth keeping: looked up since probation began. */
static bool worth_moving(const CodeCache *c, const Tb *tb)
{
    return __atomic_load_n(&tb->hot, __ATOMIC_RELAXED) && !tb_is_dead(tb) && tb->key.phys_pc != PHYS_NONE &&
        c->units[c->cur].used < c->unit_size / MAX_SURVIVORS_DIVISOR;
}

static void retire_unit_locked(CodeCache *c, TcgCpuState *self, unsigned n, bool move)
{
    CodeUnit *u = &c->units[n];

    for (unsigned i = 0; i < u->n_tb; i++) {
        Tb *tb = unit_tb(c, n, i);

        if (move && worth_moving(c, tb) && tb_move_locked(c, tb)) {
            continue;
        }
        if (!tb_is_dead(tb)) {
            c->stats.evicted_blocks++;
            tb_remove_locked(c, tb);    /* which drops it from the jump caches */
        }
    }
    c->stats.evicted_units++;
    u->state = UNIT_RETIRED;
    u->probation = false;
    u->retire_epoch = __atomic_add_fetch(&c->epoch, 1, __ATOMIC_SEQ_CST);
    kick_all(c, self);
}

/* From now on every first use of a block of unit @n goes through a slow lookup, which marks it hot. */
static void put_on_probation_locked(CodeCache *c, unsigned n)
{
    CodeUnit *u = &c->units[n];

    if (u->state != UNIT_FULL || u->probation) {
        return;
    }
    u->probation = true;
    for (unsigned i = 0; i < u->n_tb; i++) {
        Tb *tb = unit_tb(c, n, i);

        __atomic_store_n(&tb->hot, 0, __ATOMIC_RELAXED);
        tb_unlink_incoming_locked(c, tb);
    }
    tb_purge_jump_caches_of_unit_locked(c, n);
}

static unsigned draw(CodeCache *c, unsigned n)
{
    c->random = c->random * 1664525 + 1013904223;
    return (unsigned)((uint64_t)c->random * n >> 32);
}

/* The next unit from a random one on that is full and not on probation; n_units if there is none. */
static unsigned draw_full_unit(CodeCache *c)
{
    unsigned first = draw(c, c->n_units);

    for (unsigned i = 0; i < c->n_units; i++) {
        unsigned n = (first + i) % c->n_units;

        if (c->units[n].state == UNIT_FULL && !c->units[n].probation) {
            return n;
        }
    }
    return c->n_units;
}

static unsigned count_empty(const CodeCache *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n_units; i++) {
        n += c->units[i].state == UNIT_FREE || c->units[i].state == UNIT_RETIRED;
    }
    return n;
}

/* As many units on probation as will be wanted before long. */
static void fill_probation_locked(CodeCache *c)
{
    unsigned wanted = MAX(c->n_units / PROBATION_DIVISOR, 1u), empty = count_empty(c);

    while (c->n_waiting + empty < wanted + 1) {
        unsigned n = draw_full_unit(c);

        if (n == c->n_units) {
            return;
        }
        put_on_probation_locked(c, n);
        c->waiting[(c->waiting_first + c->n_waiting++) % c->n_units] = n;
    }
}

/* The unit whose time on probation is over; n_units if there is none. */
static unsigned take_from_probation(CodeCache *c)
{
    while (c->n_waiting) {
        unsigned n = c->waiting[c->waiting_first];

        c->waiting_first = (c->waiting_first + 1) % c->n_units;
        c->n_waiting--;
        if (c->units[n].state == UNIT_FULL) {       /* else it was retired out of turn */
            return n;
        }
    }
    return draw_full_unit(c);
}

/* An empty unit to follow the open one, which may get blocks from one that is retired for it. */
static unsigned find_spare_locked(CodeCache *c, TcgCpuState *self)
{
    unsigned n;

    for (unsigned i = 1; i < c->n_units; i++) {
        n = (c->cur + i) % c->n_units;
        if (c->units[n].state == UNIT_FREE || c->units[n].state == UNIT_RETIRED) {
            return n;
        }
    }
    n = take_from_probation(c);
    retire_unit_locked(c, self, n, true);
    return n;
}

static void open_spare_locked(CodeCache *c, TcgCpuState *self)
{
    CodeUnit *u = &c->units[c->spare];

    c->units[c->cur].state = UNIT_FULL;
    u->state = UNIT_OPEN;
    u->used = 0;
    __atomic_store_n(&u->n_tb, 0, __ATOMIC_RELEASE);
    c->cur = c->spare;
    c->spare = find_spare_locked(c, self);
    fill_probation_locked(c);
}

void code_cache_make_room_locked(CodeCache *c, TcgCpuState *self, size_t code_size)
{
    assert(code_size <= c->unit_size / 2);
    while (!code_cache_has_room_locked(c, code_size)) {
        const CodeUnit *u = &c->units[c->spare];

        if (u->state == UNIT_RETIRED && !everyone_passed(c, u->retire_epoch)) {
            wait_quiesced_locked(c, self, u->retire_epoch);
            continue;                   /* another thread may have opened it meanwhile */
        }
        open_spare_locked(c, self);
    }
}

bool code_cache_retire_oldest_locked(CodeCache *c, TcgCpuState *self)
{
    unsigned n = take_from_probation(c);

    if (n == c->n_units) {
        return false;
    }
    retire_unit_locked(c, self, n, false);
    return true;
}

Tb *code_cache_place_locked(CodeCache *c, const TbDraft *d)
{
    CodeUnit *u = &c->units[c->cur];
    Tb *tb = unit_tb(c, c->cur, u->n_tb);
    bool two_pages = d->page2 != PHYS_NONE;
    uint8_t *code;
    uint32_t id;

    assert(unit_room(c, u) >= d->code_size);
    *tb = (Tb){
        .key = d->key,
        .size = (uint16_t)d->size,
        .n_insns = (uint16_t)d->n_insns,
        .two_pages = two_pages,
        .loops = d->loops,
        .code_size = (uint16_t)d->code_size,
        .unwind_offset = (uint16_t)d->unwind_offset,
        .exits = d->exits,
        .code_offset = ROUND_UP(u->used + tb_extra_bytes(d->exits, two_pages) - TCG_BLOCK_ID_OFFSET, BLOCK_ALIGN),
        .jc_index = JC_NONE,
    };
    id = tb_id(c, tb);
    code = tb_rw(c, tb);
    memcpy(code, d->bytes, d->code_size);
    memcpy(code + TCG_BLOCK_ID_OFFSET, &id, sizeof(id));
    if (two_pages) {
        *tb_second(c, tb) = (TbSecond){ .page = { (uint32_t)d->page2, (uint32_t)(d->page2 >> 32) } };
    }
    for (unsigned exits = d->exits; exits; exits &= exits - 1) {
        unsigned slot = (unsigned)__builtin_ctz(exits);

        tb_exit(c, tb, slot)->jump = d->jump[slot];
    }
    u->used = tb->code_offset + d->code_size;
    __atomic_store_n(&u->n_tb, u->n_tb + 1, __ATOMIC_RELEASE);
    c->stats.live_blocks++;
    return tb;
}

void code_cache_flush(CodeCache *c, TcgCpuState *self)
{
    code_cache_lock(c);
    c->stats.flushes++;
    while (code_cache_retire_oldest_locked(c, self)) {
    }
    for (unsigned i = 0, n = c->units[c->cur].n_tb; i < n; i++) {
        Tb *tb = unit_tb(c, c->cur, i);

        if (!tb_is_dead(tb)) {
            tb_remove_locked(c, tb);
        }
    }
    code_cache_unlock(c);
}

Tb *code_cache_tb_by_start(const CodeCache *c, const void *code)
{
    uintptr_t off = (uintptr_t)code - (uintptr_t)unit_rx(c, 0);
    uint32_t in_unit = (uint32_t)(off % c->unit_size);
    unsigned unit = (unsigned)(off / c->unit_size);
    TbId id;
    Tb *tb;

    if (off >= (size_t)c->n_units * c->unit_size || in_unit < -TCG_BLOCK_ID_OFFSET) {
        return NULL;
    }
    memcpy(&id, (const uint8_t *)code + TCG_BLOCK_ID_OFFSET, sizeof(id));
    /* The unit may be filled anew meanwhile: believe nothing. */
    if (!id || tb_unit(c, id) != unit ||
        (id - 1) % c->tb_per_unit >= __atomic_load_n(&c->units[unit].n_tb, __ATOMIC_ACQUIRE)) {
        return NULL;
    }
    tb = tb_by_id(c, id);
    return tb->code_offset == in_unit ? tb : NULL;
}

Tb *code_cache_tb_by_address(const CodeCache *c, uintptr_t host_pc)
{
    uintptr_t off = host_pc - (uintptr_t)unit_rx(c, 0);
    unsigned unit, lo = 0, hi;
    uint32_t in_unit;

    if (off >= (size_t)c->n_units * c->unit_size) {
        return NULL;
    }
    unit = (unsigned)(off / c->unit_size);
    in_unit = (uint32_t)(off % c->unit_size);
    hi = __atomic_load_n(&c->units[unit].n_tb, __ATOMIC_ACQUIRE);
    while (hi - lo > 1) {
        unsigned mid = lo + (hi - lo) / 2;

        if (unit_tb(c, unit, mid)->code_offset <= in_unit) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    if (hi == 0) {
        return NULL;
    }
    Tb *tb = unit_tb(c, unit, lo);
    return tb->code_offset <= in_unit && in_unit <= tb->code_offset + tb->code_size ? tb : NULL;
}

/* --- invariants --- */

#define CHECK(cond, ...) \
    do { if (!(cond)) { fprintf(stderr, "cache_check: " __VA_ARGS__); fputc('\n', stderr); abort(); } } while (0)

static void check_block(const CodeCache *c, unsigned n, unsigned i)
{
    const Tb *tb = unit_tb(c, n, i);
    uint32_t steps = 0;

    CHECK(i == 0 || tb->code_offset > unit_tb(c, n, i - 1)->code_offset, "I4: unit %u block %u", n, i);
    CHECK(tb->code_offset + tb->code_size <= c->units[n].used, "I2: unit %u block %u ends beyond used", n, i);
    for (unsigned slot = 0; slot < IR_DIRECT_SLOTS; slot++) {
        TbId to = tb_link_target(c, tb, slot);

        CHECK(!to || !tb_is_dead(tb), "I1: dead block %u has links", tb_id(c, tb));
        CHECK(!to || !tb_is_dead(tb_by_id(c, to)), "I1: link to dead block");
    }
    CHECK(!tb_is_dead(tb) || !tb->in_links, "I1: dead block %u is linked to", tb_id(c, tb));
    for (uint32_t l = tb->in_links; l; l = tb_exit(c, tb_by_id(c, tb_link_from(l)), tb_link_slot(l))->link_next) {
        CHECK(tb_link_target(c, tb_by_id(c, tb_link_from(l)), tb_link_slot(l)) == tb_id(c, tb), "I1: link list of block %u", tb_id(c, tb));
        CHECK(++steps < 1u << 24, "I1: link list of block %u is a ring", tb_id(c, tb));
    }
}

void cache_check(CodeCache *c)
{
    code_cache_lock(c);
    for (unsigned n = 0; n < c->n_units; n++) {
        const CodeUnit *u = &c->units[n];

        CHECK(n != c->spare || u->state == UNIT_FREE || u->state == UNIT_RETIRED, "unit %u is to be opened, state %u", n, u->state);
        CHECK((u->state == UNIT_OPEN) == (n == c->cur), "unit %u open, %u current", n, c->cur);
        CHECK(u->state == UNIT_FREE || u->used + u->n_tb * sizeof(Tb) <= c->unit_size, "I2: unit %u", n);
        for (unsigned i = 0; u->state != UNIT_FREE && i < u->n_tb; i++) {
            if (u->state == UNIT_RETIRED) {
                CHECK(tb_is_dead(unit_tb(c, n, i)), "I5: live block in retired unit %u", n);
            }
            check_block(c, n, i);
        }
    }
    for (uint32_t b = 0; b < c->n_buckets; b++) {
        for (TbId id = c->buckets[b]; id; id = tb_by_id(c, id)->hash_next) {
            CHECK(!tb_is_dead(tb_by_id(c, id)), "I1: dead block %u in the hash", id);
        }
    }
    code_cache_unlock(c);
}
