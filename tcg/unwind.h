/*
 * Fault tables, for the writer's caller; reading is tcg_unwind() in tcg/tcg.h.
 */
#ifndef TCG_UNWIND_H
#define TCG_UNWIND_H

#include "tcg/context.h"

/* Append the table of the block just emitted at @p; its end, or NULL if @end is too near. */
uint8_t *unwind_write(TcgContext *c, uint8_t *p, uint8_t *end, uint32_t stubs);

#endif
