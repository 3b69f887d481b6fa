/*
 * The IR as the translator's passes see it: flat arrays in one TcgContext, reused for every block.
 *
 * Invariants (checked by ir_validate() in debug builds):
 *  I1  a value is defined once, by an op before every use of it in program order
 *  I2  constants and pc-relative values have no defining op; they can be made anywhere
 *  I3  an IrVal names a value and the type it is used as: an I64 value may be used as I32 (its low
 *      half), an I32 value as I64 only where its upper half is known to be zero (IrValue.bits <= 32)
 *  I4  ops after the end of a path and before the next label are never recorded
 */
#ifndef TCG_IR_OPS_H
#define TCG_IR_OPS_H

#include "tcg/tcg.h"

enum {
    OPF_PURE = 1, OPF_COMM = 2, OPF_FAULT = 4, OPF_END = 8, OPF_EDGE = 16,
};

typedef enum IrOpcode {
#define OP(name, outs, ins, flags, meaning) IR_OP_##name,
#include "tcg/ops.def"
#undef OP
    IR_N_OPS
} IrOpcode;

typedef struct IrOpInfo {
    const char *name;
    int8_t outs, ins;
    uint8_t flags;
    const char *meaning;
} IrOpInfo;
extern const IrOpInfo ir_op_info[IR_N_OPS];

typedef uint16_t IrId;              /* index of a value; 0 = none */

typedef struct IrOp {
    uint8_t opc;
    uint8_t type;                   /* width the op works at */
    uint8_t cond;                   /* condition, memop, length, immediate: "c" in ops.def */
    uint8_t aux;                    /* mmu index, position, slot */
    IrId out;
    IrId in[4];                     /* calls: in IrBlock.call_args; put: in[1] = see IR_PUT_UNTIL */
    uint8_t n_in;
    uint16_t epoch;                 /* labels placed before or at it */
    int32_t disp;                   /* ld, st: added to the address, by liveness; exit_if: flags */
    int64_t k;                      /* label, global, offset, helper, delta */
} IrOp;

typedef enum IrKind { IR_KIND_NONE, IR_KIND_CONST, IR_KIND_PC, IR_KIND_TEMP } IrKind;

typedef struct IrValue {
    uint8_t kind;
    uint8_t type;                   /* as defined */
    uint8_t bits;                   /* the value is below 2^bits, in all 64 bits of its container */
    bool crosses_label;             /* by liveness: lives across a label; across a call */
    bool crosses_call;
    uint8_t pin;                    /* the pinned global it will be put to before anything can look; 0xff */
    uint16_t def;                   /* op index */
    uint16_t next;                  /* by liveness: first use; IR_NO_POS before */
    uint16_t last;                  /* last op that may need it, loops considered */
    uint64_t k;                     /* constant, or pc delta */
} IrValue;

/* A guest instruction, or a change of its parameters: from op @op on. */
typedef struct IrInsnMark {
    uint32_t pc_delta;
    uint32_t params[2];
    uint16_t op;
    bool hold;                      /* ir_insn_hold() */
} IrInsnMark;

/* A load or store, of instruction IrBlock.insns[insn - 1]; a nop comes before it. */
typedef struct IrAccess {
    uint16_t pos, insn, barriers;
} IrAccess;

typedef struct IrLabelInfo {
    uint16_t pos;                   /* op index; IR_NO_POS = not placed */
    uint16_t refs;
    bool backward;                  /* some branch to it comes later */
} IrLabelInfo;

#define IR_NO_POS       0xffff
#define IR_MAX_VALUES   16000
#define IR_MAX_ARGS     16384       /* of all calls together */
#define IR_MAX_LABELS   1024
#define IR_MAX_VARS     256
#define IR_MAX_GLOBALS  128
#define IR_CONST_HASH   256
#define IR_NO_PIN       0xff
#define IR_MAX_HOMES    512
#define IR_MAX_GUARDS   4

struct IrBlock {
    TcgContext *ctx;
    const IrTarget *target;
    unsigned n_ops, n_values, n_args, n_labels, n_vars, n_insns, n_calls;
    const uint8_t *pin_reg;         /* host register of each pinned global, 0xff = not pinned */
    unsigned pc_bits;
    unsigned page_bits;
    unsigned n_accesses;
    uint16_t n_barriers;            /* labels, locked accesses, calls with effects so far */
    bool share;                     /* accesses are noted, for share.c */
    bool loops;                     /* ir_loop_begin: its head is op 0 */
    bool unreachable;               /* the path has ended, no label yet */
    bool unrecorded;                /* some value was made meanwhile */
    bool overflow;                  /* some table was full: the block is refused */
    bool backward;                  /* some label's branch comes later */
    uint16_t epoch;                 /* labels placed so far */
    bool home_taken;                /* some op refers to the last of homes[] */
    uint16_t home;                  /* what exits do now, in homes[]; 0 = nothing */
    unsigned n_homes, n_guards;
    IrX87Home homes[IR_MAX_HOMES], preload;
    struct { uint16_t offset; uint8_t size; uint64_t value; } guards[IR_MAX_GUARDS];
    uint32_t generation;            /* of const_hash and the forwarding tables */
    uint32_t forward_generation;

    IrOp ops[TCG_MAX_OPS];
    IrValue values[IR_MAX_VALUES];
    IrId call_args[IR_MAX_ARGS];
    IrLabelInfo labels[IR_MAX_LABELS];
    uint8_t var_type[IR_MAX_VARS];
    IrInsnMark insns[TCG_MAX_OPS];
    IrAccess accesses[TCG_MAX_OPS];

    /* what is known on the path being built; entries of another generation are void */
    struct { uint32_t generation, val; } global_now[IR_MAX_GLOBALS], var_now[IR_MAX_VARS];
    struct { uint32_t generation; IrId id; } const_hash[IR_CONST_HASH];

    /* by liveness: position of the next use of the same value, per operand */
    uint16_t next_use[TCG_MAX_OPS][4];
    uint16_t call_next_use[IR_MAX_ARGS];
};

/* By liveness: the last op at which a put's value must be recoverable as that of its global. */
#define IR_PUT_UNTIL(op) ((op)->in[1])

/* Of exits, and of loads and stores for a probe's: what they do first, in IrBlock.homes; 0 = nothing. */
#define IR_EXIT_HOME(op) ((op)->in[3])

/* Operands of @op, @op->n_in of them. */
static inline IrId *ir_op_in(IrBlock *b, IrOp *op)
{
    return op->opc == IR_OP_call ? &b->call_args[op->k >> 32] : op->in;
}
static inline uint16_t *ir_op_next_use(IrBlock *b, const IrOp *op)
{
    return op->opc == IR_OP_call ? &b->call_next_use[op->k >> 32] : b->next_use[op - b->ops];
}
/* May the helper touch guest memory, or what a front end cannot undo? */
static inline bool ir_call_is_barrier(const IrBlock *b, const IrOp *op)
{
    return (b->target->helpers[(uint32_t)op->k].flags & IR_HELPER_PURE) != IR_HELPER_PURE;
}
static inline unsigned ir_call_helper(const IrOp *op) { return (uint32_t)op->k; }

/* Handles: value index with the type it is used as. */
static inline IrId ir_id(IrVal v) { return v.id & 0xffff; }
static inline IrVal ir_handle(IrId id, IrType t) { return (IrVal){ id | (uint32_t)t << 24 }; }
static inline unsigned ir_width(IrType t) { return t == IR_I32 ? 32 : 64; }
static inline uint64_t ir_mask(IrType t) { return t == IR_I32 ? 0xffffffffu : ~0ull; }

/* fold.c: what @x OP @y, the condition, the unary op give for constants of width @t. */
uint64_t fold_binary(IrOpcode opc, IrType t, uint64_t x, uint64_t y);
bool fold_cond(IrCond c, IrType t, uint64_t x, uint64_t y);
uint64_t fold_ext(uint64_t x, unsigned bits, bool sign, IrType t);
uint64_t fold_bswap(uint64_t x, IrType t);

/*
 * IrOp.k of a probe: how far the range begins before the first access (which is at disp, memop c), its length, whether it
 * is to be writable, whether the first access writes.
 */
#define IR_SHARE_SPAN 256
#define IR_PROBE_RANGE(before, len, write, store) \
    ((int64_t)(before) | (int64_t)(len) << 16 | (int64_t)(write) << 32 | (int64_t)!!(store) << 33)
#define IR_PROBE_BEFORE(k) ((int32_t)((k) & 0xffff))
#define IR_PROBE_LEN(k) ((int32_t)((k) >> 16 & 0xffff))
#define IR_PROBE_WRITE(k) ((bool)((k) >> 32 & 1))
#define IR_PROBE_STORE(k) ((bool)((k) >> 33 & 1))

/* share.c: let accesses near each other share a probe. */
void ir_share(IrBlock *b);
/* liveness.c: drop dead ops and puts, count uses, chain them. */
void ir_liveness(IrBlock *b);
/* validate.c: asserts the invariants; @when names the pass for the message. */
void ir_validate(IrBlock *b, const char *when);
/* dump.c */
void ir_dump(IrBlock *b, FILE *f);
void ir_dump_op(IrBlock *b, unsigned pos, FILE *f);
/* The instructions from *@next on that begin at op @pos or before; *@next goes past them. */
void ir_dump_insns(IrBlock *b, unsigned *next, unsigned pos, FILE *f);

static inline unsigned ir_bit_length(uint64_t v) { return v ? 64 - __builtin_clzll(v) : 0; }

#endif
