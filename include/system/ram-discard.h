/*
 * Which parts of a RAM region hold memory: the one answer for all who look at guest RAM other than by its
 * addresses (dumps, migration, back ends in other processes) and for CPUs and DMA, which find nothing where
 * memory was given back.
 *
 * A device that gives memory back piece by piece (virtio-mem) makes a manager for its region.  Parts are
 * populated or discarded in multiples of a granularity; a new manager has nothing populated.
 *
 * Locks: changes and listeners under the BQL; queries also under RCU; pins under a lock of their own.
 */
#ifndef SYSTEM_RAM_DISCARD_H
#define SYSTEM_RAM_DISCARD_H

#include "system/memory.h"

typedef struct RamDiscardListener RamDiscardListener;

struct RamDiscardListener {
    /* About to be populated: false refuses, and those asked before are told to discard again. */
    bool (*populate)(RamDiscardListener *l, uint64_t offset, uint64_t len);
    /* About to be discarded. */
    void (*discard)(RamDiscardListener *l, uint64_t offset, uint64_t len);
};

/* For @mr, plain RAM; @granularity: a power of two that divides its size. */
RamDiscardManager *ram_discard_manager_new(MemoryRegion *mr, uint64_t granularity);
/* @mr is as without a manager at once; the memory goes after a grace period.  No listener may be left. */
void ram_discard_manager_free(RamDiscardManager *mgr);

/*
 * Mark [@offset, +@len), multiples of the granularity.  Populating asks the listeners first; false: one refused
 * and nothing changed.  Discarding is refused, and nothing changes, while some of it is pinned.  The memory itself is
 * the caller's business: it is discarded after ram_discard_discard().
 */
bool ram_discard_populate(RamDiscardManager *mgr, uint64_t offset, uint64_t len) MUST_USE;
bool ram_discard_discard(RamDiscardManager *mgr, uint64_t offset, uint64_t len) MUST_USE;

/*
 * Keep what is populated of [@offset, +*@len), from @offset on, as it is until it is unpinned: host addresses in it
 * were handed out for DMA.  Shortens *@len to what is pinned; false: there is nothing at @offset.  Any thread;
 * pinning within an RCU section.
 */
bool ram_discard_pin(RamDiscardManager *mgr, uint64_t offset, uint64_t *len) MUST_USE;
void ram_discard_unpin(RamDiscardManager *mgr, uint64_t offset, uint64_t len);
bool ram_discard_is_pinned(RamDiscardManager *mgr, uint64_t offset, uint64_t len);

/* All of it? */
bool ram_discard_is_populated(const RamDiscardManager *mgr, uint64_t offset, uint64_t len);
bool ram_discard_is_discarded(const RamDiscardManager *mgr, uint64_t offset, uint64_t len);
/* The state at @offset, and in *@len how far it goes, at most the *@len given. */
bool ram_discard_run(const RamDiscardManager *mgr, uint64_t offset, uint64_t *len);
uint64_t ram_discard_granularity(const RamDiscardManager *mgr);

/*
 * Calls @fn for each populated run of [@offset, +@len) of RAM region @mr, in ascending order, until it returns
 * false, which is then the result.  Without a manager everything is populated.
 */
typedef bool RamRunFn(uint64_t offset, uint64_t len, void *opaque);
bool ram_region_foreach_populated(const MemoryRegion *mr, uint64_t offset, uint64_t len, RamRunFn *fn, void *opaque);
bool ram_region_foreach_discarded(const MemoryRegion *mr, uint64_t offset, uint64_t len, RamRunFn *fn, void *opaque);

/* The listener is told of what is populated now, in runs; unregistering tells it that all is discarded. */
bool ram_discard_listener_register(RamDiscardManager *mgr, RamDiscardListener *l) MUST_USE;
void ram_discard_listener_unregister(RamDiscardManager *mgr, RamDiscardListener *l);

#endif
