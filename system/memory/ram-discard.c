/*
 * RamDiscardManager: which parts of a RAM region hold memory, one bit per granule.
 *
 * Invariants: listeners have been told exactly what the bits say; bits change only after every listener agreed
 * (populate) or was told (discard), and whoever remembers host addresses (translators) is told after the bits; a
 * granule that is pinned is populated.
 */
#include "system/ram-discard.h"
#include "memory-internal.h"

struct RamDiscardManager {
    MemoryRegion *mr;
    uint64_t granularity;
    uint64_t n;                     /* granules */
    GPtrArray *listeners;           /* of RamDiscardListener *, borrowed */

    GMutex pin_lock;                /* after the BQL */
    GHashTable *pins;               /* granule -> how many mappings have it; pin_lock, which discarding takes too */

    unsigned long bits[];           /* set = populated; atomic */
};

#define WORD_BITS (8 * sizeof(unsigned long))

RamDiscardManager *ram_discard_manager_new(MemoryRegion *mr, uint64_t granularity)
{
    uint64_t n = mr->ram->used_length / granularity;
    RamDiscardManager *mgr = g_malloc0(sizeof(*mgr) + DIV_ROUND_UP(n, WORD_BITS) * sizeof(unsigned long));

    assert(is_power_of_2(granularity) && !(mr->ram->used_length & (granularity - 1)) && !mr->rdm);
    mgr->mr = mr;
    mgr->granularity = granularity;
    mgr->n = n;
    mgr->listeners = g_ptr_array_new();
    mgr->pins = g_hash_table_new(NULL, NULL);
    g_mutex_init(&mgr->pin_lock);
    rcu_assign_pointer(mr->rdm, mgr);
    memory_population_changed();
    return mgr;
}

static void manager_reclaim(void *opaque)
{
    RamDiscardManager *mgr = opaque;

    g_ptr_array_unref(mgr->listeners);
    g_hash_table_unref(mgr->pins);
    g_mutex_clear(&mgr->pin_lock);
    g_free(mgr);
}

void ram_discard_manager_free(RamDiscardManager *mgr)
{
    assert(!mgr->listeners->len);
    rcu_assign_pointer(mgr->mr->rdm, NULL);
    memory_population_changed();
    rcu_call_later(manager_reclaim, mgr);
}

uint64_t ram_discard_granularity(const RamDiscardManager *mgr)
{
    return mgr->granularity;
}

/* --- queries --- */

/* The first granule from @i on, before @end, whose state is @populated; @end if there is none. */
static uint64_t find_state(const RamDiscardManager *mgr, uint64_t i, uint64_t end, bool populated)
{
    while (i < end) {
        unsigned long w = __atomic_load_n(&mgr->bits[i / WORD_BITS], __ATOMIC_RELAXED);

        w = (populated ? w : ~w) >> (i % WORD_BITS);
        if (w) {
            return MIN(i + (uint64_t)__builtin_ctzl(w), end);
        }
        i = (i / WORD_BITS + 1) * WORD_BITS;
    }
    return end;
}

static bool range_is(const RamDiscardManager *mgr, uint64_t offset, uint64_t len, bool populated)
{
    uint64_t end = DIV_ROUND_UP(offset + len, mgr->granularity);

    assert(end <= mgr->n);
    return find_state(mgr, offset / mgr->granularity, end, !populated) == end;
}

bool ram_discard_is_populated(const RamDiscardManager *mgr, uint64_t offset, uint64_t len)
{
    return range_is(mgr, offset, len, true);
}

bool ram_discard_is_discarded(const RamDiscardManager *mgr, uint64_t offset, uint64_t len)
{
    return range_is(mgr, offset, len, false);
}

bool ram_discard_run(const RamDiscardManager *mgr, uint64_t offset, uint64_t *len)
{
    uint64_t first = offset / mgr->granularity, end = DIV_ROUND_UP(offset + *len, mgr->granularity);
    bool populated = find_state(mgr, first, first + 1, true) == first;
    uint64_t stop = find_state(mgr, first, end, !populated);

    *len = MIN(*len, stop * mgr->granularity - offset);
    return populated;
}

bool flatrange_is_populated(const FlatRange *r, hwaddr addr, uint64_t *len)
{
    const RamDiscardManager *mgr = rcu_dereference(r->mr->rdm);

    *len = MIN(*len, r->last - addr + 1);
    return !mgr || ram_discard_run(mgr, r->offset_in_region + (addr - r->start), len);
}

static bool foreach_state(const RamDiscardManager *mgr, uint64_t offset, uint64_t len, bool populated,
                          RamRunFn *fn, void *opaque)
{
    while (len) {
        uint64_t run = len;

        if (ram_discard_run(mgr, offset, &run) == populated && !fn(offset, run, opaque)) {
            return false;
        }
        offset += run;
        len -= run;
    }
    return true;
}

bool ram_region_foreach_populated(const MemoryRegion *mr, uint64_t offset, uint64_t len, RamRunFn *fn, void *opaque)
{
    return mr->rdm ? foreach_state(mr->rdm, offset, len, true, fn, opaque) : fn(offset, len, opaque);
}

bool ram_region_foreach_discarded(const MemoryRegion *mr, uint64_t offset, uint64_t len, RamRunFn *fn, void *opaque)
{
    return !mr->rdm || foreach_state(mr->rdm, offset, len, false, fn, opaque);
}

/* --- pins --- */

static void add_to_pins(RamDiscardManager *mgr, uint64_t offset, uint64_t len, int n)
{
    for (uint64_t i = offset / mgr->granularity; i <= (offset + len - 1) / mgr->granularity; i++) {
        int now = GPOINTER_TO_INT(g_hash_table_lookup(mgr->pins, (gpointer)i)) + n;

        if (now > 0) {
            g_hash_table_insert(mgr->pins, (gpointer)i, GINT_TO_POINTER(now));
        } else {
            g_hash_table_remove(mgr->pins, (gpointer)i);
        }
    }
}

bool ram_discard_pin(RamDiscardManager *mgr, uint64_t offset, uint64_t *len)
{
    g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&mgr->pin_lock);

    if (!ram_discard_run(mgr, offset, len)) {
        return false;
    }
    add_to_pins(mgr, offset, *len, 1);
    return true;
}

void ram_discard_unpin(RamDiscardManager *mgr, uint64_t offset, uint64_t len)
{
    g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&mgr->pin_lock);

    add_to_pins(mgr, offset, len, -1);
}

static bool pinned_locked(const RamDiscardManager *mgr, uint64_t offset, uint64_t len)
{
    GHashTableIter it;
    gpointer granule;

    g_hash_table_iter_init(&it, mgr->pins);
    while (g_hash_table_iter_next(&it, &granule, NULL)) {
        if ((uintptr_t)granule >= offset / mgr->granularity && (uintptr_t)granule < DIV_ROUND_UP(offset + len, mgr->granularity)) {
            return true;
        }
    }
    return false;
}

bool ram_discard_is_pinned(RamDiscardManager *mgr, uint64_t offset, uint64_t len)
{
    g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&mgr->pin_lock);

    return pinned_locked(mgr, offset, len);
}

/* --- changes --- */

static void set_state(RamDiscardManager *mgr, uint64_t offset, uint64_t len, bool populated)
{
    uint64_t end = (offset + len) / mgr->granularity;

    for (uint64_t i = offset / mgr->granularity; i < end;) {
        unsigned n = (unsigned)MIN(WORD_BITS - i % WORD_BITS, end - i);
        unsigned long mask = (~0UL >> (WORD_BITS - n)) << (i % WORD_BITS);

        if (populated) {
            __atomic_fetch_or(&mgr->bits[i / WORD_BITS], mask, __ATOMIC_SEQ_CST);
        } else {
            __atomic_fetch_and(&mgr->bits[i / WORD_BITS], ~mask, __ATOMIC_SEQ_CST);
        }
        i += n;
    }
    memory_population_changed();
}

static void check_args(const RamDiscardManager *mgr, uint64_t offset, uint64_t len)
{
    assert(!((offset | len) & (mgr->granularity - 1)) && (offset + len) / mgr->granularity <= mgr->n);
}

bool ram_discard_populate(RamDiscardManager *mgr, uint64_t offset, uint64_t len)
{
    check_args(mgr, offset, len);
    for (unsigned i = 0; i < mgr->listeners->len; i++) {
        RamDiscardListener *l = g_ptr_array_index(mgr->listeners, i);

        if (!l->populate(l, offset, len)) {
            while (i-- > 0) {
                l = g_ptr_array_index(mgr->listeners, i);
                l->discard(l, offset, len);
            }
            return false;
        }
    }
    set_state(mgr, offset, len, true);
    return true;
}

bool ram_discard_discard(RamDiscardManager *mgr, uint64_t offset, uint64_t len)
{
    g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&mgr->pin_lock);

    check_args(mgr, offset, len);
    if (pinned_locked(mgr, offset, len)) {
        return false;
    }
    for (unsigned i = 0; i < mgr->listeners->len; i++) {
        RamDiscardListener *l = g_ptr_array_index(mgr->listeners, i);

        l->discard(l, offset, len);
    }
    set_state(mgr, offset, len, false);
    return true;
}

/* --- listeners --- */

static bool tell_populated(uint64_t offset, uint64_t len, void *opaque)
{
    RamDiscardListener *l = opaque;

    return l->populate(l, offset, len);
}

static bool tell_discarded(uint64_t offset, uint64_t len, void *opaque)
{
    RamDiscardListener *l = opaque;

    l->discard(l, offset, len);
    return true;
}

bool ram_discard_listener_register(RamDiscardManager *mgr, RamDiscardListener *l)
{
    if (!foreach_state(mgr, 0, mgr->n * mgr->granularity, true, tell_populated, l)) {
        foreach_state(mgr, 0, mgr->n * mgr->granularity, true, tell_discarded, l);
        return false;
    }
    g_ptr_array_add(mgr->listeners, l);
    return true;
}

void ram_discard_listener_unregister(RamDiscardManager *mgr, RamDiscardListener *l)
{
    g_ptr_array_remove(mgr->listeners, l);
    foreach_state(mgr, 0, mgr->n * mgr->granularity, true, tell_discarded, l);
}
