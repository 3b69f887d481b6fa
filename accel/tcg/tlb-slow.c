/*
 * Guest memory accesses that generated code does not do by itself: TLB misses, page crossings,
 * MMIO, watched pages, pages with code; and accesses made by helpers.
 *
 * Order of a store to a page with code: first see whether the running block overlaps the bytes (then
 * the instruction is restarted in a block of its own, which may overwrite itself), then store, then
 * remove the blocks that overlap.  So whoever translates from the page in between is noticed.
 *
 * An access that crosses pages translates both before it touches either: a fault on the second
 * page leaves the first unchanged.
 *
 * Locks: none are held on entry; MMIO takes the BQL inside.  No lock is held where a fault may be
 * raised.
 */
#include "accel/tcg/internal.h"

#include "system/memory.h"
#include "util/main-loop.h"
#include "util/rcu.h"

#if defined(__clang__)
#define ANY_ALIGNMENT __attribute__((no_sanitize("alignment")))
#else
#define ANY_ALIGNMENT __attribute__((no_sanitize("alignment"), optimize("no-strict-aliasing")))
#endif

static TcgCpuState *env_state(void *env)
{
    return cpu_current()->tcg;
}

static bool crosses_page(const TcgCpuState *t, vaddr va, unsigned size)
{
    return ((va ^ (va + size - 1)) & t->page_mask) != 0;
}

/* Bytes of [@va, ...) up to the end of the page. */
static unsigned bytes_in_page(const TcgCpuState *t, vaddr va)
{
    return (unsigned)(~t->page_mask + 1 - (va & ~t->page_mask));
}

/* --- watchpoints --- */

/* By distances, so that ranges may end at 2^64. */
static bool watch_overlaps(const CpuWatchpoint *w, vaddr va, uint64_t len)
{
    return w->len && (va - w->va < w->len || w->va - va < len);
}

bool tcg_watch_overlaps_page(TcgCpuState *t, vaddr page)
{
    for (unsigned i = 0; i < TCG_WATCHPOINTS; i++) {
        if (watch_overlaps(&t->watch[i], page, ~t->page_mask + 1)) {
            return true;
        }
    }
    return false;
}

/*
 * An access to a page with watchpoints.  A hit restarts the instruction alone, recording; the run
 * loop reports it when the instruction is complete.
 */
static void watch_access(TcgCpuState *t, vaddr va, unsigned size, MmuAccess access, uintptr_t ra)
{
    for (unsigned i = 0; i < TCG_WATCHPOINTS; i++) {
        const CpuWatchpoint *w = &t->watch[i];

        if (!(access == MMU_DATA_STORE ? w->on_write : w->on_read) || !watch_overlaps(w, va, size)) {
            continue;
        }
        if (!t->watch_step && ra) {
            t->watch_step = true;
            tcg_restart_single(t, ra);
        }
        if (i >= TCG_WATCH_GUEST) {
            t->debugger_hit = i;
            return;
        }
        t->watch_hit.pending = true;
        t->watch_hit.va = va;
        t->watch_hit.len = size;
        t->watch_hit.access = access;
    }
}

static void watch_count(TcgCpuState *t)
{
    t->n_watch = 0;
    for (unsigned i = 0; i < TCG_WATCHPOINTS; i++) {
        t->n_watch += t->watch[i].len != 0;
    }
}

static void watch_changed(TcgCpuState *t, const CpuWatchpoint *w)
{
    for (vaddr va = w->va & t->page_mask; va < w->va + w->len; va += ~t->page_mask + 1) {
        tcg_tlb_flush_page(t->cpu, va);
    }
    watch_count(t);
}

void tcg_watch_set_debugger(TcgCpuState *t, const CpuWatchpoint *watch, unsigned n)
{
    assert(n <= CPU_WATCHPOINTS_MAX);
    memset(&t->watch[TCG_WATCH_GUEST], 0, sizeof(t->watch) - TCG_WATCH_GUEST * sizeof(t->watch[0]));
    if (n) {                            /* @watch is NULL without any, which memcpy may not be given */
        memcpy(&t->watch[TCG_WATCH_GUEST], watch, n * sizeof(*watch));
    }
    watch_count(t);
}

void tcg_watchpoint_set(Vcpu *cpu, unsigned slot, vaddr va, unsigned len, bool on_read, bool on_write)
{
    TcgCpuState *t = tcg_state(cpu);

    assert(slot < TCG_WATCH_GUEST && len);
    tcg_watchpoint_clear(cpu, slot);
    t->watch[slot] = (CpuWatchpoint){ va, len, on_read, on_write };
    watch_changed(t, &t->watch[slot]);
}

void tcg_watchpoint_clear(Vcpu *cpu, unsigned slot)
{
    TcgCpuState *t = tcg_state(cpu);
    CpuWatchpoint old = t->watch[slot];

    assert(slot < TCG_WATCH_GUEST);
    t->watch[slot].len = 0;
    if (old.len) {
        watch_changed(t, &old);
    }
}

/* --- writes to pages with code or dirty logging --- */

static void write_before(TcgCpuState *t, TlbHit *hit, vaddr va, unsigned size, uintptr_t ra)
{
    STAT_INC(t, notdirty);
    hit->code = code_write_begin(t->cache, hit->full.ram_addr + (va & ~t->page_mask), size, ra, &hit->ticket);
    if (hit->code == CODE_WRITE_HIT_RUNNING) {
        STAT_INC(t, smc_restarts);
        tcg_restart_single(t, ra);
    }
}

static void log_dirty(RamBlock *rb, uint64_t ram_addr, uint64_t size)
{
    if (rb && rb->mr && rb->mr->dirty_log_mask) {
        ram_block_set_dirty(rb, ram_addr - rb->offset, size);
    }
}

static void write_after(TcgCpuState *t, const TlbHit *hit, vaddr va, unsigned size, unsigned mmu_idx)
{
    uint64_t addr = hit->full.ram_addr + (va & ~t->page_mask);

    log_dirty(hit->full.rb, addr, size);
    if (hit->code == CODE_WRITE_BESIDE && code_write_was_alone(t->cache, hit->ticket)) {
        return;                         /* the page stays watched */
    }
    if (hit->code != CODE_WRITE_PLAIN || !code_write_was_alone(t->cache, hit->ticket)) {
        code_range_written(t->cache, addr, size);
    }
    tlb_maybe_unprotect(t, va, mmu_idx);
}

void tlb_flush_written(TcgCpuState *t)
{
    uint64_t len = t->written_len;

    t->written_len = 0;
    code_range_written(t->cache, t->written_addr, len);
}

/* --- MMIO --- */

static uint64_t io_load(TcgCpuState *t, const TlbHit *hit, vaddr va, unsigned size, bool be, MmuAccess access, uintptr_t ra)
{
    hwaddr pa = hit->full.paddr | (va & ~t->page_mask);
    MemTxResult res = MEMTX_OK;
    uint64_t v;

    STAT_INC(t, mmio);
    v = address_space_ld(t->cpu->as, pa, size, be, hit->full.attrs, &res);
    if (unlikely(res != MEMTX_OK) && t->ops->bus_error) {
        t->ops->bus_error(t->cpu, pa, va, size, access, ra);
    }
    return v;
}

static void io_store(TcgCpuState *t, const TlbHit *hit, vaddr va, uint64_t v, unsigned size, bool be, uintptr_t ra)
{
    hwaddr pa = hit->full.paddr | (va & ~t->page_mask);
    MemTxResult res = MEMTX_OK;

    STAT_INC(t, mmio);
    address_space_st(t->cpu->as, pa, v, size, be, hit->full.attrs, &res);
    if (unlikely(res != MEMTX_OK) && t->ops->bus_error) {
        t->ops->bus_error(t->cpu, pa, va, size, MMU_DATA_STORE, ra);
    }
}

/* --- loads and stores of any size as bytes; [@va, @va+@n) lies in one page --- */

static void load_part(TcgCpuState *t, const TlbHit *hit, vaddr va, uint8_t *out, unsigned n, uintptr_t ra)
{
    if (hit->host) {
        memcpy(out, hit->host, n);
        return;
    }
    while (n) {
        unsigned size = n >= 8 && !(va & 7) ? 8 : 1;

        uint64_t v = GUINT64_TO_LE(io_load(t, hit, va, size, false, MMU_DATA_LOAD, ra));

        memcpy(out, &v, size);
        out += size;
        va += size;
        n -= size;
    }
}

static void store_part(TcgCpuState *t, const TlbHit *hit, vaddr va, const uint8_t *in, unsigned n, unsigned mmu_idx,
                       uintptr_t ra)
{
    if (hit->host) {
        memcpy(hit->host, in, n);
        if (hit->flags & TLB_NOTDIRTY) {
            write_after(t, hit, va, n, mmu_idx);
        }
        return;
    }
    while (n) {
        unsigned size = n >= 8 && !(va & 7) ? 8 : 1;
        uint64_t v = 0;

        memcpy(&v, in, size);
        io_store(t, hit, va, GUINT64_FROM_LE(v), size, false, ra);
        in += size;
        va += size;
        n -= size;
    }
}

/* Translate the one or two pages of an access; returns how many bytes lie in the first. */
static unsigned find_pages(TcgCpuState *t, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, uintptr_t ra,
                           TlbHit hit[2])
{
    unsigned n = size;

    tlb_find(t, va, size, access, mmu_idx, false, ra, &hit[0]);
    if (crosses_page(t, va, size)) {
        n = bytes_in_page(t, va);
        tlb_find(t, va + n, size - n, access, mmu_idx, false, ra, &hit[1]);
    }
    if (unlikely((hit[0].flags | (n < size ? hit[1].flags : 0)) & TLB_WATCH)) {
        watch_access(t, va, size, access, ra);
    }
    if (access == MMU_DATA_STORE) {
        if (hit[0].flags & TLB_NOTDIRTY && hit[0].host) {
            write_before(t, &hit[0], va, n, ra);
        }
        if (n < size && hit[1].flags & TLB_NOTDIRTY && hit[1].host) {
            write_before(t, &hit[1], va + n, size - n, ra);
        }
    }
    return n;
}

static void load_bytes(TcgCpuState *t, vaddr va, uint8_t *out, unsigned size, unsigned mmu_idx, uintptr_t ra)
{
    TlbHit hit[2];
    unsigned n = find_pages(t, va, size, MMU_DATA_LOAD, mmu_idx, ra, hit);

    load_part(t, &hit[0], va, out, n, ra);
    if (n < size) {
        load_part(t, &hit[1], va + n, out + n, size - n, ra);
    }
}

static void store_bytes(TcgCpuState *t, vaddr va, const uint8_t *in, unsigned size, unsigned mmu_idx, uintptr_t ra)
{
    TlbHit hit[2];
    unsigned n = find_pages(t, va, size, MMU_DATA_STORE, mmu_idx, ra, hit);

    store_part(t, &hit[0], va, in, n, mmu_idx, ra);
    if (n < size) {
        store_part(t, &hit[1], va + n, in + n, size - n, mmu_idx, ra);
    }
}

/* --- integers; values are in host order, memory in the order of @be --- */

static uint64_t value_of(const uint8_t *p, unsigned size, bool be)
{
    uint64_t v = 0;

    memcpy(&v, p, size);                /* little-endian hosts only: meson refuses others */
    return be ? __builtin_bswap64(v) >> (64 - 8 * size) : v;
}

static void bytes_of(uint8_t *p, uint64_t v, unsigned size, bool be)
{
    v = be ? __builtin_bswap64(v) >> (64 - 8 * size) : v;
    memcpy(p, &v, size);
}

/* Single host accesses, so that aligned ones are atomic. */
static ANY_ALIGNMENT uint64_t host_load(const uint8_t *p, unsigned size)
{
    switch (size) {
    case 1: return *(const volatile uint8_t *)p;
    case 2: return *(const volatile uint16_t *)p;
    case 4: return *(const volatile uint32_t *)p;
    default: return *(const volatile uint64_t *)p;
    }
}

static ANY_ALIGNMENT void host_store(uint8_t *p, uint64_t v, unsigned size)
{
    switch (size) {
    case 1: *(volatile uint8_t *)p = (uint8_t)v; break;
    case 2: *(volatile uint16_t *)p = (uint16_t)v; break;
    case 4: *(volatile uint32_t *)p = (uint32_t)v; break;
    default: *(volatile uint64_t *)p = v; break;
    }
}

static uint64_t swap_if(uint64_t v, unsigned size, bool be)
{
    return be ? __builtin_bswap64(v) >> (64 - 8 * size) : v;
}

static uint64_t load_int(TcgCpuState *t, vaddr va, unsigned size, bool be, unsigned mmu_idx, uintptr_t ra)
{
    uint8_t buf[8];
    TlbHit hit[2];

    STAT_INC(t, slow_loads);
    if (crosses_page(t, va, size)) {
        load_bytes(t, va, buf, size, mmu_idx, ra);
        return value_of(buf, size, be);
    }
    find_pages(t, va, size, MMU_DATA_LOAD, mmu_idx, ra, hit);
    if (hit[0].host) {
        return swap_if(host_load(hit[0].host, size), size, be);
    }
    return io_load(t, &hit[0], va, size, be, MMU_DATA_LOAD, ra);
}

static void store_int(TcgCpuState *t, vaddr va, uint64_t v, unsigned size, bool be, unsigned mmu_idx, uintptr_t ra)
{
    uint8_t buf[8];
    TlbHit hit[2];

    STAT_INC(t, slow_stores);
    if (crosses_page(t, va, size)) {
        bytes_of(buf, v, size, be);
        store_bytes(t, va, buf, size, mmu_idx, ra);
        return;
    }
    find_pages(t, va, size, MMU_DATA_STORE, mmu_idx, ra, hit);
    if (!hit[0].host) {
        io_store(t, &hit[0], va, v, size, be, ra);
        return;
    }
    host_store(hit[0].host, swap_if(v, size, be), size);
    if (hit[0].flags & TLB_NOTDIRTY) {
        write_after(t, &hit[0], va, size, mmu_idx);
    }
}

static void check_alignment(TcgCpuState *t, vaddr va, IrMemOp op, MmuAccess access, unsigned mmu_idx, uintptr_t ra)
{
    if (unlikely(op & IR_MO_ALIGN) && (va & (BIT(op & IR_MO_SIZE) - 1))) {
        t->ops->unaligned(t->cpu, va, access, mmu_idx, ra);
        g_error("TcgCpuOps.unaligned returned");
    }
}

/* Raise the fault of the store that is to follow a load; the pages are then there for both. */
static void check_store(TcgCpuState *t, vaddr va, unsigned size, unsigned mmu_idx, uintptr_t ra)
{
    unsigned n = crosses_page(t, va, size) ? bytes_in_page(t, va) : size;
    TlbHit hit;

    tlb_find(t, va, size, MMU_DATA_STORE, mmu_idx, false, ra, &hit);
    if (n < size) {
        tlb_find(t, va + n, size - n, MMU_DATA_STORE, mmu_idx, false, ra, &hit);
    }
}

/* Host address if the inline path would take it: present, plain, aligned. */
static inline uint8_t *fast_path(TcgCpuState *t, vaddr va, unsigned size, unsigned mmu_idx, bool store)
{
    const TcgTlbFast *f = tcg_env_tlb(t->env, mmu_idx);
    const TcgTlbEntry *e = (const TcgTlbEntry *)((char *)f->table + ((va >> (t->page_bits - 5)) & f->mask));
    uint64_t cmp = store ? __atomic_load_n(&e->addr_write, __ATOMIC_RELAXED) : e->addr_read;

    return cmp == (va & (t->page_mask | (size - 1))) ? (uint8_t *)(uintptr_t)(va + e->addend) : NULL;
}

/*
 * A probe for several accesses, of which @oi at @va is the first: fill for that one, then see what is there for the
 * others.  Those may never come, so they neither fault nor fill.
 */
static void *slow_probe(void *env, uint64_t va, unsigned before, unsigned after, bool write, bool store, uint32_t oi,
                        uintptr_t ra)
{
    TcgCpuState *t = env_state(env);
    IrMemOp op = tcg_oi_memop(oi);
    MmuAccess access = store ? MMU_DATA_STORE : MMU_DATA_LOAD;
    unsigned mmu_idx = tcg_oi_mmu_idx(oi);
    TlbHit hit;

    STAT_INC(t, slow_probes);
    check_alignment(t, va, op, access, mmu_idx, ra);
    if (((va - before) ^ (va + after - 1)) & t->page_mask) {
        return NULL;
    }
    tlb_find(t, va, BIT(op & IR_MO_SIZE), access, mmu_idx, false, ra, &hit);
    return hit.flags || (write && !store && !fast_path(t, va, 1, mmu_idx, true)) ? NULL : hit.host;
}

/*
 * A device may change what is mapped where: before it is asked the block that holds on to a translation of
 * addresses is left.
 */
static void leave_before_io(TcgCpuState *t, vaddr va, uint32_t oi, MmuAccess access, uintptr_t ra)
{
    IrMemOp op = tcg_oi_memop(oi);
    unsigned size = BIT(op & IR_MO_SIZE), n = crosses_page(t, va, size) ? bytes_in_page(t, va) : size;
    TlbHit hit[2];

    if (likely(!(op & IR_MO_HELD))) {
        return;
    }
    tlb_find(t, va, n, access, tcg_oi_mmu_idx(oi), false, ra, &hit[0]);
    hit[1] = hit[0];
    if (n < size) {
        tlb_find(t, va + n, size - n, access, tcg_oi_mmu_idx(oi), false, ra, &hit[1]);
    }
    if (!hit[0].host || !hit[1].host) {
        tcg_restart_unshared(t, ra);
    }
}

static uint64_t slow_ld(void *env, uint64_t va, uint32_t oi, uintptr_t ra)
{
    TcgCpuState *t = env_state(env);
    IrMemOp op = tcg_oi_memop(oi);
    unsigned size = BIT(op & IR_MO_SIZE);
    uint64_t v;

    check_alignment(t, va, op, MMU_DATA_LOAD, tcg_oi_mmu_idx(oi), ra);
    if (op & IR_MO_RMW) {
        check_store(t, va, size, tcg_oi_mmu_idx(oi), ra);
    }
    leave_before_io(t, va, oi, MMU_DATA_LOAD, ra);
    v = load_int(t, va, size, op & IR_MO_BE, tcg_oi_mmu_idx(oi), ra);
    return op & IR_MO_SIGN ? (uint64_t)sextract64(v, 0, 8 * size) : v;
}

static void slow_st(void *env, uint64_t va, uint64_t value, uint32_t oi, uintptr_t ra)
{
    TcgCpuState *t = env_state(env);
    IrMemOp op = tcg_oi_memop(oi);

    check_alignment(t, va, op, MMU_DATA_STORE, tcg_oi_mmu_idx(oi), ra);
    leave_before_io(t, va, oi, MMU_DATA_STORE, ra);
    store_int(t, va, value, BIT(op & IR_MO_SIZE), op & IR_MO_BE, tcg_oi_mmu_idx(oi), ra);
}

static void slow_ld_vec(void *env, uint64_t va, void *out, uint32_t oi, uintptr_t ra)
{
    TcgCpuState *t = env_state(env);
    IrMemOp op = tcg_oi_memop(oi);

    STAT_INC(t, slow_loads);
    check_alignment(t, va, op, MMU_DATA_LOAD, tcg_oi_mmu_idx(oi), ra);
    leave_before_io(t, va, oi, MMU_DATA_LOAD, ra);
    load_bytes(t, va, out, BIT(op & IR_MO_SIZE), tcg_oi_mmu_idx(oi), ra);
}

static void slow_st_vec(void *env, uint64_t va, const void *in, uint32_t oi, uintptr_t ra)
{
    TcgCpuState *t = env_state(env);
    IrMemOp op = tcg_oi_memop(oi);

    STAT_INC(t, slow_stores);
    check_alignment(t, va, op, MMU_DATA_STORE, tcg_oi_mmu_idx(oi), ra);
    leave_before_io(t, va, oi, MMU_DATA_STORE, ra);
    store_bytes(t, va, in, BIT(op & IR_MO_SIZE), tcg_oi_mmu_idx(oi), ra);
}

/* --- atomics --- */

static uint64_t apply(IrAtomic kind, uint64_t old, uint64_t operand)
{
    switch (kind) {
    case IR_ATOMIC_XCHG: return operand;
    case IR_ATOMIC_ADD:  return old + operand;
    case IR_ATOMIC_AND:  return old & operand;
    case IR_ATOMIC_OR:   return old | operand;
    case IR_ATOMIC_XOR:  return old ^ operand;
    }
    g_assert_not_reached();
}

#define DEFINE_HOST_CAS(bits)                                                                            \
    static ANY_ALIGNMENT uint64_t host_cas##bits(uint8_t *p, uint64_t want, uint64_t v)                  \
    {                                                                                                    \
        uint##bits##_t w = (uint##bits##_t)want;                                                         \
        __atomic_compare_exchange_n((uint##bits##_t *)p, &w, (uint##bits##_t)v, false,                   \
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                 \
        return w;                                                                                        \
    }
DEFINE_HOST_CAS(8)
DEFINE_HOST_CAS(16)
DEFINE_HOST_CAS(32)
DEFINE_HOST_CAS(64)

/* Returns the old value. */
static uint64_t host_cas(uint8_t *p, uint64_t want, uint64_t v, unsigned size)
{
    switch (size) {
    case 1: return host_cas8(p, want, v);
    case 2: return host_cas16(p, want, v);
    case 4: return host_cas32(p, want, v);
    default: return host_cas64(p, want, v);
    }
}

/*
 * Read-modify-write where the host has no atomic instruction for it: across pages (alone, everybody
 * else out of generated code) or on a device (as two accesses).  Both pages are known to be writable.
 */
static uint64_t modify_alone(TcgCpuState *t, vaddr va, unsigned size, bool be, unsigned mmu_idx, uintptr_t ra,
                             const TlbHit hit[2], const IrAtomic *kind, uint64_t want, uint64_t operand)
{
    bool alone = hit[0].host && hit[1].host;
    uint64_t old;

    if (alone) {
        tcg_exclusive_begin(t);
    }
    old = load_int(t, va, size, be, mmu_idx, ra);
    if (kind) {
        store_int(t, va, apply(*kind, old, operand), size, be, mmu_idx, 0);
    } else if (old == want) {
        store_int(t, va, operand, size, be, mmu_idx, 0);
    }
    if (alone) {
        tcg_exclusive_end(t);
    }
    return old;
}

/* @kind NULL: compare with @want. */
static uint64_t modify(TcgCpuState *t, vaddr va, unsigned size, bool be, unsigned mmu_idx, uintptr_t ra,
                       const IrAtomic *kind, uint64_t want, uint64_t operand)
{
    uint64_t mask = size == 8 ? ~0ULL : BIT_ULL(8 * size) - 1;
    TlbHit hit[2];
    uint64_t old, new_;
    unsigned n;

    STAT_INC(t, slow_atomics);
    n = find_pages(t, va, size, MMU_DATA_STORE, mmu_idx, ra, hit);
    if (n < size || !hit[0].host) {
        if (n == size) {
            hit[1] = hit[0];
        }
        return modify_alone(t, va, size, be, mmu_idx, ra, hit, kind, want & mask, operand & mask);
    }
    if (!kind) {
        old = host_cas(hit[0].host, swap_if(want & mask, size, be), swap_if(operand & mask, size, be), size);
        old = swap_if(old, size, be);
    } else {
        uint64_t seen = host_load(hit[0].host, size);

        do {
            old = seen;
            new_ = apply(*kind, swap_if(old, size, be), operand & mask) & mask;
            seen = host_cas(hit[0].host, old, swap_if(new_, size, be), size);
        } while (seen != old);
        old = swap_if(old, size, be);
    }
    if (hit[0].flags & TLB_NOTDIRTY) {
        write_after(t, &hit[0], va, size, mmu_idx);
    }
    return old;
}

static uint64_t slow_rmw(void *env, uint64_t va, IrAtomic kind, uint64_t operand, uint32_t oi, uintptr_t ra)
{
    TcgCpuState *t = env_state(env);
    IrMemOp op = tcg_oi_memop(oi);

    check_alignment(t, va, op, MMU_DATA_STORE, tcg_oi_mmu_idx(oi), ra);
    return modify(t, va, BIT(op & IR_MO_SIZE), op & IR_MO_BE, tcg_oi_mmu_idx(oi), ra, &kind, 0, operand);
}

static uint64_t slow_cas(void *env, uint64_t va, uint64_t expected, uint64_t desired, uint32_t oi, uintptr_t ra)
{
    TcgCpuState *t = env_state(env);
    IrMemOp op = tcg_oi_memop(oi);

    check_alignment(t, va, op, MMU_DATA_STORE, tcg_oi_mmu_idx(oi), ra);
    return modify(t, va, BIT(op & IR_MO_SIZE), op & IR_MO_BE, tcg_oi_mmu_idx(oi), ra, NULL, expected, desired);
}

const TcgSlowOps tcg_slow_ops = {
    .ld = slow_ld,
    .st = slow_st,
    .ld_vec = slow_ld_vec,
    .st_vec = slow_st_vec,
    .rmw = slow_rmw,
    .cas = slow_cas,
    .probe = slow_probe,
};

static bool host_cas_128(void *p, unsigned __int128 *old, unsigned __int128 want)
{
#if defined(__x86_64__)
    uint64_t lo = (uint64_t)*old, hi = (uint64_t)(*old >> 64);
    bool ok;

    __asm__ volatile("lock cmpxchg16b %1" : "=@ccz"(ok), "+m"(*(unsigned __int128 *)p), "+a"(lo), "+d"(hi)
                     : "b"((uint64_t)want), "c"((uint64_t)(want >> 64)) : "memory");
    *old = (unsigned __int128)hi << 64 | lo;
    return ok;
#else
    return __atomic_compare_exchange_n((unsigned __int128 *)p, old, want, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
#endif
}

bool cpu_cmpxchg16(Vcpu *cpu, vaddr va, unsigned __int128 *old, unsigned __int128 want, unsigned mmu_idx, uintptr_t ra)
{
    TcgCpuState *t = tcg_state(cpu);
    TlbHit hit[2];
    unsigned __int128 seen;
    bool equal;

    assert(!(va & 15));
    STAT_INC(t, slow_atomics);
    find_pages(t, va, 16, MMU_DATA_STORE, mmu_idx, ra, hit);
    if (hit[0].host) {
        equal = host_cas_128(hit[0].host, old, want);
        if (hit[0].flags & TLB_NOTDIRTY) {
            write_after(t, &hit[0], va, 16, mmu_idx);
        }
        return equal;
    }
    load_part(t, &hit[0], va, (uint8_t *)&seen, 16, ra);
    equal = seen == *old;
    *old = seen;
    store_part(t, &hit[0], va, equal ? (uint8_t *)&want : (uint8_t *)&seen, 16, mmu_idx, ra);
    return equal;
}

/* --- accesses by helpers --- */

static inline uint64_t helper_load(Vcpu *cpu, vaddr va, unsigned size, unsigned mmu_idx, uintptr_t ra)
{
    TcgCpuState *t = tcg_state(cpu);
    const uint8_t *p = fast_path(t, va, size, mmu_idx, false);

    return likely(p) ? host_load(p, size) : load_int(t, va, size, false, mmu_idx, ra);
}

static inline void helper_store(Vcpu *cpu, vaddr va, uint64_t v, unsigned size, unsigned mmu_idx, uintptr_t ra)
{
    TcgCpuState *t = tcg_state(cpu);
    uint8_t *p = fast_path(t, va, size, mmu_idx, true);

    if (likely(p)) {
        host_store(p, v, size);
    } else {
        store_int(t, va, v, size, false, mmu_idx, ra);
    }
}

uint32_t cpu_ldub(Vcpu *cpu, vaddr va, unsigned mmu_idx, uintptr_t ra)
{
    return (uint32_t)helper_load(cpu, va, 1, mmu_idx, ra);
}

uint32_t cpu_lduw(Vcpu *cpu, vaddr va, unsigned mmu_idx, uintptr_t ra)
{
    return (uint32_t)helper_load(cpu, va, 2, mmu_idx, ra);
}

uint32_t cpu_ldl(Vcpu *cpu, vaddr va, unsigned mmu_idx, uintptr_t ra)
{
    return (uint32_t)helper_load(cpu, va, 4, mmu_idx, ra);
}

uint64_t cpu_ldq(Vcpu *cpu, vaddr va, unsigned mmu_idx, uintptr_t ra)
{
    return helper_load(cpu, va, 8, mmu_idx, ra);
}

void cpu_stb(Vcpu *cpu, vaddr va, uint32_t v, unsigned mmu_idx, uintptr_t ra)
{
    helper_store(cpu, va, v, 1, mmu_idx, ra);
}

void cpu_stw(Vcpu *cpu, vaddr va, uint32_t v, unsigned mmu_idx, uintptr_t ra)
{
    helper_store(cpu, va, v, 2, mmu_idx, ra);
}

void cpu_stl(Vcpu *cpu, vaddr va, uint32_t v, unsigned mmu_idx, uintptr_t ra)
{
    helper_store(cpu, va, v, 4, mmu_idx, ra);
}

void cpu_stq(Vcpu *cpu, vaddr va, uint64_t v, unsigned mmu_idx, uintptr_t ra)
{
    helper_store(cpu, va, v, 8, mmu_idx, ra);
}

/*
 * The caller will write [@va, @va+@size) after we return.  Remove overlapping blocks now, and once
 * more at the next pass of the run loop, for translations made in between by other vCPUs.
 */
static void prepare_write(TcgCpuState *t, TlbHit *hit, vaddr va, unsigned size, unsigned mmu_idx, uintptr_t ra)
{
    uint64_t addr = hit->full.ram_addr + (va & ~t->page_mask);

    write_before(t, hit, va, size, ra);
    if (t->written_len) {
        tlb_flush_written(t);
    }
    code_range_written(t->cache, addr, size);
    log_dirty(hit->full.rb, addr, size);
    tlb_maybe_unprotect(t, va, mmu_idx);
    t->written_addr = addr;
    t->written_len = size;
    __atomic_store_n(&t->env->exit_request, TCG_EXIT_REQUESTED, __ATOMIC_RELEASE);
}

static void *probe(TcgCpuState *t, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, bool quiet, bool *ok,
                   uintptr_t ra)
{
    TlbHit hit;

    assert(!crosses_page(t, va, MAX(size, 1)));
    *ok = tlb_find(t, va, MAX(size, 1), access, mmu_idx, quiet, ra, &hit);
    if (!*ok || !hit.host || (hit.flags & TLB_WATCH)) {
        return NULL;
    }
    if (access == MMU_DATA_STORE && size && (hit.flags & TLB_NOTDIRTY)) {
        prepare_write(t, &hit, va, size, mmu_idx, ra);
    }
    return hit.host;
}

void *tcg_probe_access(Vcpu *cpu, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, uintptr_t ra)
{
    bool ok;

    return probe(tcg_state(cpu), va, size, access, mmu_idx, false, &ok, ra);
}

void *tcg_probe_access_quiet(Vcpu *cpu, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, bool *ok)
{
    return probe(tcg_state(cpu), va, size, access, mmu_idx, true, ok, 0);
}

/* --- debugger --- */

bool cpu_memory_rw_debug(Vcpu *cpu, vaddr va, void *buf, size_t len, bool is_write)
{
    uint8_t *p = buf;

    while (len) {
        uint64_t page_size = 4096;
        size_t n = MIN(len, page_size - (va & (page_size - 1)));
        hwaddr pa = vcpu_info(cpu)->translate_debug(cpu, va);
        MemTxResult res;

        if (pa == ~0ULL) {
            return false;
        }
        res = is_write ? address_space_write_rom(cpu->as, pa, p, n)
                       : address_space_read(cpu->as, pa, MEMTXATTRS_UNSPECIFIED, p, n);
        if (res != MEMTX_OK) {
            return false;
        }
        va += n;
        p += n;
        len -= n;
    }
    return true;
}

/* --- physical accesses of page-table walks --- */

static PhysCacheEntry *phys_page(TcgCpuState *t, hwaddr pa)
{
    hwaddr page = pa & t->page_mask;
    PhysCacheEntry *e = &t->phys_cache[(pa >> t->page_bits) % PHYS_CACHE_SIZE];
    hwaddr len = ~t->page_mask + 1;

    if (likely(e->page == page)) {
        return e;
    }
    rcu_read_lock();
    e->page = page;
    e->host = address_space_ram_ptr_rcu(t->cpu->as, page, false, &len, &e->ram_addr);
    if (len < ~t->page_mask + 1) {
        e->host = NULL;
    }
    e->rb = e->host ? ram_block_from_ram_addr_rcu(e->ram_addr) : NULL;
    len = ~t->page_mask + 1;
    e->writable = e->host && address_space_ram_ptr_rcu(t->cpu->as, page, true, &len, &(uint64_t){ 0 }) == e->host;
    rcu_read_unlock();
    return e;
}

static uint64_t phys_load(TcgCpuState *t, hwaddr pa, unsigned size)
{
    const PhysCacheEntry *e = phys_page(t, pa);
    MemTxResult res;

    if (likely(e->host)) {
        return host_load(e->host + (pa & ~t->page_mask), size);
    }
    return address_space_ld(t->cpu->as, pa, size, false, MEMTXATTRS_UNSPECIFIED, &res);
}

static bool phys_cas(TcgCpuState *t, hwaddr pa, uint64_t old, uint64_t new_, unsigned size)
{
    const PhysCacheEntry *e = phys_page(t, pa);
    MemTxResult res;

    if (likely(e->host && e->writable)) {
        uint64_t off = pa & ~t->page_mask;
        bool done = host_cas(e->host + off, old, new_, size) == old;

        if (done) {
            code_range_written(t->cache, e->ram_addr + off, size);
            log_dirty(e->rb, e->ram_addr + off, size);
        }
        return done;
    }
    if (address_space_ld(t->cpu->as, pa, size, false, MEMTXATTRS_UNSPECIFIED, &res) != old) {
        return e->host != NULL;         /* ROM: the write is ignored, so do not ask again */
    }
    address_space_st(t->cpu->as, pa, new_, size, false, MEMTXATTRS_UNSPECIFIED, &res);
    return true;
}

uint32_t tcg_phys_ldl(Vcpu *cpu, hwaddr pa)
{
    return (uint32_t)phys_load(tcg_state(cpu), pa, 4);
}

uint64_t tcg_phys_ldq(Vcpu *cpu, hwaddr pa)
{
    return phys_load(tcg_state(cpu), pa, 8);
}

bool tcg_phys_cas_l(Vcpu *cpu, hwaddr pa, uint32_t old, uint32_t new_)
{
    return phys_cas(tcg_state(cpu), pa, old, new_, 4);
}

bool tcg_phys_cas_q(Vcpu *cpu, hwaddr pa, uint64_t old, uint64_t new_)
{
    return phys_cas(tcg_state(cpu), pa, old, new_, 8);
}
