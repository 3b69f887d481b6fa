/*
 * The register allocator, as the emitter of each op uses it.
 *
 * Emission of one op: bring operands where the instruction wants them (ra_use, ra_take, ra_mem,
 * ra_use_fixed), then ra_inputs_done() when all of them are read in one go or the result may
 * share a register with a dying one, then ra_def().  Every register handed out stays locked until
 * the op ends.  Nothing here changes the host's flags except ra_use of a constant before
 * flags are set.
 */
#ifndef TCG_REGALLOC_H
#define TCG_REGALLOC_H

#include "tcg/context.h"

void ra_begin(TcgContext *c);
/* After each op: frees what died, stores what lives across labels. */
void ra_end_op(TcgContext *c, IrOp *op);

/* Operand @i in some register, unchanged by the op. */
unsigned ra_use(TcgContext *c, IrOp *op, unsigned i);
/* Operand @i in a register that the op may overwrite: its own if it dies, else a copy. */
unsigned ra_take(TcgContext *c, IrOp *op, unsigned i);
/* A copy of operand @i in @reg, which the op may overwrite.  Before any other operand is used. */
void ra_take_in(TcgContext *c, IrOp *op, unsigned i, unsigned reg);
/* Make @reg free, keeping its value elsewhere; locked. */
void ra_vacate(TcgContext *c, unsigned reg);
/* A constant operand that fits a sign-extended 32-bit immediate at width @t. */
bool ra_imm(TcgContext *c, IrOp *op, unsigned i, IrType t, int32_t *imm);
bool ra_const(TcgContext *c, IrOp *op, unsigned i, IrType t, uint64_t *k);
/* Operand @i is best read from memory: not in a register, not wanted later. */
bool ra_mem(TcgContext *c, IrOp *op, unsigned i, IrType t, Mem *m);
/* Operand @i is used no more after this op. */
bool ra_dies(TcgContext *c, IrOp *op, unsigned i);
bool ra_in_reg(TcgContext *c, IrOp *op, unsigned i);

/* A scratch register. */
unsigned ra_temp(TcgContext *c, uint32_t mask);
void ra_unlock(TcgContext *c, unsigned reg);
/* The operands have been read: dying ones leave their registers to the result. */
void ra_inputs_done(TcgContext *c, IrOp *op);
/* The pinned register that the result may go to, once the operands are read, since it will be put there; or -1. */
int ra_result_pin(TcgContext *c, IrOp *op);
/*
 * A register for the result, to be bound later; nothing that the op still reads.  ra_def binds it
 * at once.
 */
unsigned ra_result(TcgContext *c, IrOp *op, uint32_t mask);
unsigned ra_def(TcgContext *c, IrOp *op, uint32_t mask);
/* The result is in @reg (from ra_take, ra_temp or fixed). */
void ra_bind(TcgContext *c, IrOp *op, unsigned reg);

void ra_get(TcgContext *c, IrOp *op);
void ra_put(TcgContext *c, IrOp *op);
void ra_discard(TcgContext *c, IrOp *op);
void ra_var_get(TcgContext *c, IrOp *op);
void ra_var_set(TcgContext *c, IrOp *op);
/* Write all dirty globals to env. */
void ra_sync(TcgContext *c);
/* For a loop: load its own pinned registers; write all to env, theirs too, to leave the block. */
void ra_load_loop_pins(TcgContext *c);
void ra_go_home(TcgContext *c);
/* No register holds anything; what lives on is in memory. */
void ra_forget(TcgContext *c);
/* Copy pinned globals to env for someone to look at; take them back after they were changed there. */
void ra_show_pins(TcgContext *c);
void ra_reload_pins(TcgContext *c);
/* The env fields of globals have changed behind our back. */
void ra_forget_env(TcgContext *c);
/*
 * A call comes: what lives on after it and would be lost gets a place in memory.  The operands
 * stay where they are, locked if in registers; from here on they count as used.
 */
void ra_prepare_call(TcgContext *c, IrOp *op, uint32_t clobbers, bool writes_globals);
void ra_drop(TcgContext *c, uint32_t mask);
/* Load value @v into @reg, wherever it is; allocator state unchanged. */
void ra_load_into(TcgContext *c, IrId v, unsigned reg, bool flags_free);

/* @reg = pc of block start + @delta, wrapped. */
void ra_load_pc(TcgContext *c, unsigned reg, int64_t delta);

/* Append the dirty globals' locations to the fault state; drops those not needed after this op. */
void ra_fault_state(TcgContext *c, FaultRow *row);

/*
 * Where the dirty globals are, for an exit whose code comes later; drops those not needed after this op.
 * ra_resume() brings the allocator back to that state, but for what is not needed to write them home.
 */
void ra_keep(TcgContext *c, SideExit *e);
/* The same without dropping anything. */
void ra_note_kept(TcgContext *c, SideExit *e);
void ra_resume(TcgContext *c, const SideExit *e);

/* Write the constant @k, which fits an immediate, to the env field of @g, which is not pinned. */
void ra_store_home(TcgContext *c, unsigned g, uint64_t k);

Mem ra_env_mem(unsigned offset);
Mem ra_slot_mem(unsigned slot);

#endif
