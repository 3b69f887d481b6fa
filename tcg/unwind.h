/*
 * Fault tables, for the writer's caller; reading is tcg_unwind() in tcg/tcg.h.
 */
#ifndef TCG_UNWIND_H
#define TCG_UNWIND_H

#include "tcg/context.h"

/*
 * For a slow path's row, whose state begins at TcgContext.n_state: dirty @g is where @kind (FAULT_*) and @k say; then,
 * when all dirty ones were told, the end.  Written is what differs from the row before.
 */
void unwind_location(TcgContext *c, unsigned g, unsigned kind, uint64_t k);
void unwind_end_locations(TcgContext *c);
/* Append the table of the block just emitted at @p; its end, or NULL if @end is too near. */
uint8_t *unwind_write(TcgContext *c, uint8_t *p, uint8_t *end, uint32_t stubs);

#endif
