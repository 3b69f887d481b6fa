/*
 * What the files of the x86-64 emitter share.
 */
#ifndef TCG_X86_64_EMIT_H
#define TCG_X86_64_EMIT_H

#include "tcg/regalloc.h"

/* Host features beyond the baseline (SSE2, POPCNT, LAHF), from CPUID. */
typedef struct HostFeatures {
    bool bmi1, bmi2, lzcnt, popcnt, lahf;
    uint32_t vop;                   /* bits VF_*: vector.h */
} HostFeatures;
const HostFeatures *host_features(void);

typedef void GenFn(TcgContext *c, IrOp *op);

/* Emit one op: ops.c. */
void out_op(TcgContext *c, IrOp *op);

/* mem.c */
GenFn out_ld, out_st, out_probe, out_hld, out_hst, out_rmw, out_cas;
/* False: they do not fit. */
bool out_slow_stubs(TcgContext *c) MUST_USE;
/* vector.c */
GenFn out_vop;
/* Does this host have the row as an instruction? */
bool vop_is_native(IrVop row);
/* x87.c */
GenFn out_x87, out_x87_compare, out_x87_home;
/* What entry @home of the block's table says; before an exit's globals go home. */
void out_x87_state(TcgContext *c, unsigned home);
/* Where the block begins. */
void out_x87_preload(TcgContext *c);
/* abi.c */
void out_count_call(TcgContext *c, unsigned number);
GenFn out_call;
/* exits.c */
/* exit_if: @cc holds in the flags when the block is to be left. */
void out_exit_if(TcgContext *c, IrOp *op, unsigned cc);
/* Where the block begins: compare what it is for; and the code where it is not. */
void out_guards(TcgContext *c);
void out_guards_failed(TcgContext *c);
/* Their code; false if they are too many. */
bool out_side_exits(TcgContext *c) MUST_USE;
/* Where a probe for several accesses fails: to a block that shares none, from the start of instruction @insn on. */
void out_leave_unshared(TcgContext *c, const SideExit *e, unsigned insn);
GenFn out_loop_back, out_exit_direct, out_exit_indirect, out_push_return, out_exit_return, out_exit_loop, out_exit_state;
/* The probe of the jump cache for the prologue; the pc is in HR_PC.  @lookup: where to go on a miss. */
void emit_probe_stub(Asm *a, uint8_t *lookup, bool unshared);

/* The bytes from @from on are data. */
static inline void note_data(TcgContext *c, uint32_t from)
{
    c->data[c->n_data++] = (DataBytes){ from, asm_offset(&c->a) - from };
}

static inline unsigned wbit(IrType t) { return t == IR_I64 ? X_W : 0; }

/* A row for the op being emitted; returns its index.  Its state is taken now. */
unsigned fault_row(TcgContext *c, bool slow_path);
/* env.block_pc = pc of this block's start, for the unwinder after helper calls. */
void store_block_pc(TcgContext *c);

/* What lies behind a call of env.stub_leave (exits.c); up to LEAVE_GUARD as TCG_EXIT_*. */
enum {
    LEAVE_DIRECT0 = TCG_EXIT_DIRECT0, LEAVE_DIRECT_LAST = LEAVE_DIRECT0 + IR_DIRECT_SLOTS - 1, LEAVE_LOOKUP = TCG_EXIT_LOOKUP,
    LEAVE_LOOP = TCG_EXIT_LOOP, LEAVE_POLL = TCG_EXIT_POLL, LEAVE_GUARD = TCG_EXIT_GUARD, LEAVE_STATE = 16 + TCG_EXIT_LOOP,
};

/*
 * The descriptor of a slow path, which lies behind the call in the block's stub:
 *      u32 descriptor; i8 or i32 displacement if DESC_DISP8 or DESC_DISP32 say so;
 *      u8 how far the range begins before the first access, u8 how far it ends behind that, less 1: SLOW_PROBE only;
 *      u16 distance back from the call's return address to where the block goes on,
 *      unless DESC_FAR: then a jump there follows.  Behind it, SLOW_PROBE only: what to do where there is no address.
 */
enum {
    SLOW_LD, SLOW_ST, SLOW_LD_VEC, SLOW_ST_VEC, SLOW_CAS, SLOW_RMW,     /* SLOW_RMW + IrAtomic */
    SLOW_PROBE = SLOW_RMW + IR_ATOMIC_XOR + 1,                          /* DATA: DATA_* */
};
/* Of a probe: the range is to be writable, the first access writes. */
enum { DATA_WRITE = 1, DATA_STORE = 2 };
enum {
    DESC_MEMOP = 0, DESC_MMU = 8, DESC_KIND = 11, DESC_ADDR = 15, DESC_DATA = 19, DESC_DST = 23, DESC_IS32 = 27, DESC_DISP8 = 28,
    DESC_DISP32 = 29, DESC_FAR = 30,
};

#endif
