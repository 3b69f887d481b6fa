/* Between the files of system/memory. */
#ifndef SYSTEM_MEMORY_INTERNAL_H
#define SYSTEM_MEMORY_INTERNAL_H

#include "system/memory.h"
#include "util/rcu.h"

/* Render @root into a fresh flat view (generation 0, one reference on each range's owner). */
FlatView *flatview_render(MemoryRegion *root);
/* After a grace period, on the main loop. */
void flatview_release_later(FlatView *fv);
bool flatrange_equal(const FlatRange *a, const FlatRange *b);

/* Called by the outermost transaction commit. */
void address_spaces_update(void);

/* @host of a RamBlock of its own, registered; NULL and errp. @fd consumed also on failure; -1 = anonymous. */
RamBlock *ram_block_new(MemoryRegion *mr, const char *name, uint64_t size, unsigned ram_flags,
                        int fd, uint64_t fd_offset, uint64_t align, void *host, Error **errp);
void ram_block_free(RamBlock *rb);

/* Tell the listeners of all address spaces. */
void memory_population_changed(void);
void memory_eventfds_changed(void);
/* Logging of @mr for @client began or ended. */
void memory_log_changed(const MemoryRegion *mr, bool on, unsigned client);

#endif
