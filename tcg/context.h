/*
 * The translator's working memory for one thread: IR, allocator, emitter.  Nothing is allocated per block.
 */
#ifndef TCG_CONTEXT_H
#define TCG_CONTEXT_H

#include "tcg/ir-ops.h"
#include "tcg/x86_64/encode.h"

#define RA_NONE 0xff

/* Where a value is; several places may be right at once. */
typedef struct RaValue {
    int8_t reg;                 /* -1 = in none */
    uint8_t slot;               /* RA_NONE: has none */
    uint8_t home;               /* env field of this global holds it now; RA_NONE */
    uint8_t dirty_refs;         /* globals of which it is the unsynced value */
    uint16_t next;              /* next use */
    bool stored;                /* its slot holds it */
    bool held;                  /* an operand of the call being made, though it dies there */
} RaValue;

/* What is known of a global on the present path. */
typedef struct RaGlobal {
    IrId now;                   /* its value when dirty */
    IrId in_env;                /* the value that its env field holds; 0 = not known by name */
    uint16_t until;             /* dirty: op up to which the value must be recoverable */
} RaGlobal;

/* Where a dirty global is at a fault; low three bits of the first word in the fault table. */
enum { FAULT_REG, FAULT_SLOT, FAULT_HOME, FAULT_CONST, FAULT_PC, FAULT_CLEAN /* in the table only */ };

/* Somewhere a guest exception may leave the block: one row of the fault table. */
typedef struct FaultRow {
    uint32_t ra_offset;
    uint16_t insn;
    bool pins_live;             /* a slow path: pinned globals are in the saved registers */
    uint16_t state_len;
    uint32_t state;             /* in TcgContext.fault_state: where dirty globals are, if not as in the row before */
} FaultRow;

/* Where the last slow path's row said that a global is. */
typedef struct FaultTold {
    uint64_t k;
    uint8_t kind;
} FaultTold;

/* A dirty global as it is where a side exit leaves: enough to write it home out of line. */
typedef struct KeptGlobal {
    uint8_t global;
    IrId now;
    RaValue value;              /* of @now */
} KeptGlobal;

/* Out-of-line part of an exit_if. */
typedef struct SideExit {
    uint8_t *jump;              /* rel32 that goes there */
    uint16_t op;
    uint16_t kept, n_kept;      /* in TcgContext.kept */
} SideExit;
#define MAX_SIDE_EXITS  64
#define MAX_LEAVES      128
#define MAX_KEPT        4096

/* Out-of-line part of a memory access. */
typedef struct SlowStub {
    uint8_t *jump;              /* rel32 that goes there */
    uint8_t *back;
    uint32_t desc;
    int32_t disp;
    uint16_t row;
    uint8_t u;                  /* of a probe for several: its second register */
    const SideExit *leave;      /* of a probe for several; NULL */
} SlowStub;


/* Bytes among the code that are no instructions, for -d out_asm. */
typedef struct DataBytes {
    uint32_t offset, n;
} DataBytes;

typedef struct LabelFix {
    uint8_t *at;                /* rel32 */
    uint16_t label;
} LabelFix;

#define MAX_FIXES       (2 * TCG_MAX_OPS)
#define CODE_MAX        (512 * KiB)
#define CODE_MARGIN     (8 * KiB)   /* no op emits more */
#define STATE_MAX       (64 * KiB)
#define STATE_MARGIN    (2 * KiB)

/* Globals that have a host register as their home. */
typedef struct Pins {
    uint8_t reg[IR_MAX_GLOBALS];                /* of a global; RA_NONE */
    uint8_t global[N_HOST_REGS];                /* in a register; RA_NONE */
    uint32_t mask;                              /* of these registers */
} Pins;
void pins_of_target(const IrTarget *target, Pins *pins);
/* Choose those of the block at hand: the target's and, if it is a loop, what the loop uses most. */
void pins_of_block(TcgContext *c);

struct TcgContext {
    const IrTarget *target;
    Pins base_pins;                             /* of every block */
    Pins pins;                                  /* of this one */
    uint32_t loop_pins_written;                 /* those of pins, not base_pins, that the block changes */
    uint32_t gprs, xmms;                        /* registers to allocate from */
    Asm a;

    /* register allocator */
    unsigned pos;                               /* op being emitted */
    uint32_t occupied, locked;                  /* masks of host registers */
    IrId reg[N_HOST_REGS];
    uint64_t dirty[IR_MAX_GLOBALS / 64];
    RaGlobal global[IR_MAX_GLOBALS];
    uint64_t known[IR_MAX_GLOBALS / 64];        /* globals with in_env set */
    uint8_t slot_used[N_SLOTS];
    uint8_t var_slot[IR_MAX_VARS];
    bool refused;                               /* cannot go on: too many slots wanted, or an invariant broken */
    bool inputs_done;
    uint32_t pins_in_env;                       /* pinned registers whose env field has the same value */
    bool block_pc_stored;
    RaValue value[IR_MAX_VALUES];

    /* emitter */
    unsigned insn;                              /* index in IrBlock.insns of the last fault row's instruction */
    unsigned n_rows, n_stubs, n_side_exits, n_leaves, n_kept, n_fixes, n_data;
    uint32_t n_state;
    FaultRow rows[TCG_MAX_OPS];
    SlowStub stubs[TCG_MAX_OPS];
    SideExit side_exits[MAX_SIDE_EXITS];
    SideExit leaves[MAX_LEAVES];                /* of probes; their jumps are the stubs' */
    uint8_t *return_at;             /* the displacement to the code by which the block's call is returned from; NULL = no call */
    const IrOp *return_op;
    KeptGlobal kept[MAX_KEPT];
    LabelFix fixes[MAX_FIXES];
    DataBytes data[MAX_FIXES];                  /* ascending */
    struct {                                    /* the op whose instruction set the flags last */
        const IrOp *op;
        const uint8_t *end;                     /* of its code */
    } flags;
    uint8_t *short_jump;                        /* end of a jcc rel8 to the label that comes next */
    uint8_t *label_at[IR_MAX_LABELS];
    uint8_t *loop_at;                           /* the loop's head */
    uint8_t *guard_jump[IR_MAX_GUARDS];         /* rel32 each */
    TcgCode *out;
    uint64_t told_dirty[IR_MAX_GLOBALS / 64];   /* globals dirty at the last slow path's row */
    FaultTold told[IR_MAX_GLOBALS];
    uint8_t fault_state[STATE_MAX];
    uint8_t code[CODE_MAX];

    uint64_t op_count[IR_N_OPS];            /* ops emitted; read by others */
    bool keep_pc;                               /* see tcg_context_keep_pc() */
    bool share;                                 /* see tcg_context_share() */
    bool count_calls;                           /* see tcg_context_count_calls() */

    IrBlock ir;
};

#endif
