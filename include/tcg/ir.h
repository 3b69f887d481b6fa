/*
 * The translator's intermediate representation, as a guest front end sees it.
 *
 * One IrBlock is built per guest block by calls to the ir_* functions below, optimized, and
 * turned into host code (tcg/README has the pipeline).  This layer knows no guest and no
 * device: the guest's registers are "globals", fields at fixed offsets in a per-vCPU struct
 * called env, described by a table; helpers are C functions described by a table.
 *
 * VALUES are single-assignment: each ir_* call that computes returns a fresh IrVal, which may be
 * used anywhere its definition dominates (also after forward labels, also in helper calls).
 * Mutable state is in globals (ir_get/ir_put) and, for merges inside a block, in variables
 * (ir_var_new/ir_var_get/ir_var_set).
 *
 * TYPES: I32 and I64 hold integers; V128 and V256 hold vectors as 16 and 32 opaque bytes.  An
 * integer op takes its width from its first operand; mixing widths is asserted.  8- and 16-bit
 * guest arithmetic is done in I32 with ir_ext / ir_deposit.
 *
 * PRECISE STATE: every op marked "faults" may leave the block with a guest exception.  The guest
 * state then seen is that of all puts made so far, plus the pc and parameters given to the last
 * ir_insn_start.  So a front end puts results after the accesses that may fault (or relies on
 * re-execution being harmless), and never needs to "sync" anything by hand.
 *
 * POSITION INDEPENDENCE: no guest virtual address may enter the IR as a constant.  The guest pc
 * is reached through ir_pc(), a delta from the block's start; host addresses never occur.
 */
#ifndef TCG_IR_H
#define TCG_IR_H

#include "util/base.h"

typedef enum IrType { IR_VOID, IR_I32, IR_I64, IR_V128, IR_V256 } IrType;

typedef struct IrBlock IrBlock;
typedef struct IrVal { uint32_t id; } IrVal;        /* 0 = none */
typedef struct IrVar { uint32_t id; } IrVar;
typedef struct IrLabel { uint32_t id; } IrLabel;

#define IR_NONE ((IrVal){ 0 })
static inline bool ir_is_none(IrVal v) { return v.id == 0; }

/* Integer conditions; inverting flips bit 0. */
typedef enum IrCond {
    IR_EQ = 0, IR_NE = 1,
    IR_LT = 2, IR_GE = 3,           /* signed */
    IR_LE = 4, IR_GT = 5,
    IR_LTU = 6, IR_GEU = 7,         /* unsigned */
    IR_LEU = 8, IR_GTU = 9,
    IR_TSTEQ = 10, IR_TSTNE = 11,   /* (a & b) == 0, != 0 */
} IrCond;
_Static_assert((IR_EQ ^ 1) == IR_NE && (IR_LT ^ 1) == IR_GE && (IR_TSTEQ ^ 1) == IR_TSTNE, "inversion flips bit 0");

/* A guest memory access. */
typedef enum IrMemOp {
    IR_MO_8 = 0, IR_MO_16 = 1, IR_MO_32 = 2, IR_MO_64 = 3, IR_MO_128 = 4, IR_MO_256 = 5,
    IR_MO_SIZE = 7,
    IR_MO_SIGN = 8,                 /* sign-extend a load to the result's width (else zero-extend) */
    IR_MO_BE = 16,                  /* big-endian guest */
    IR_MO_ALIGN = 32,               /* unaligned raises the guest's alignment fault */
    IR_MO_RMW = 64,                 /* of a load: a store to the same place follows, fault as that would */
    IR_MO_HELD = 128,               /* tcg's own: the block holds on to a translation of addresses meanwhile */
} IrMemOp;

typedef struct IrGlobal {
    const char *name;
    uint16_t offset;                /* in env */
    uint8_t type;                   /* IrType; I32 globals are 4 bytes wide in env */
    uint8_t heat : 4;               /* 0..15: how much it deserves a host register of its own */
    uint8_t byte : 1;               /* I32, always below 256: constants are stored as one byte */
} IrGlobal;

/* Helper properties.  None set = the careful default: reads and writes globals, may fault. */
enum {
    IR_HELPER_NO_READ  = 1,         /* reads no global of the table (non-global env fields are free) */
    IR_HELPER_NO_WRITE = 2,         /* writes no global (it may still fault unless NO_FAULT) */
    IR_HELPER_NO_FAULT = 4,         /* always returns */
    IR_HELPER_PURE     = 15,        /* result depends on arguments alone, no effects: may be dropped or merged */
    IR_HELPER_NORETURN = 16,        /* leaves the block always */
};

#define IR_HELPER_MAX_ARGS 6

/*
 * A C function called from translated code.  Its first C argument is always env (void *), then
 * @args in order: I32 as uint32_t, I64 as uint64_t, V128 and V256 as pointers to 16-byte-aligned
 * copies (read only).  A vector result is written through a pointer passed as the last argument.
 */
typedef struct IrHelper {
    const char *name;
    void *fn;
    uint8_t ret;                    /* IrType */
    uint8_t n_args;
    uint8_t args[IR_HELPER_MAX_ARGS];
    uint8_t flags;
} IrHelper;

/*
 * The pieces of a guest architecture that the IR layer needs; const, one per guest.  @helpers are
 * called through a table of pointers inside env (TcgEnv.helpers), so that generated code holds no
 * address.
 */
typedef struct IrTarget {
    const char *name;
    const IrGlobal *globals;
    unsigned n_globals;
    const IrHelper *helpers;
    unsigned n_helpers;
    unsigned n_insn_params;         /* extra words per ir_insn_start, 0..2 */
    unsigned page_bits;             /* of the smallest page; 0 = 12 */
    unsigned stack_global;          /* the stack pointer, not 0: what lies there is writable as a rule; 0 = none */
    /*
     * Where a block is left at an instruction's start: the global, not 0, that its parameter 0 (of that the bits in
     * restart_mask; 0 = all) is put to unless that is restart_none.  What restore_state makes of the parameters after a fault is then in env.
     */
    unsigned restart_global;
    uint32_t restart_none, restart_mask;
} IrTarget;

/* --- guest instructions and registers --- */

/*
 * The next guest instruction begins: its pc is block start + @pc_delta.  @p0, @p1: target-defined
 * words (x86: the static flags state) handed back by the unwinder after a fault in it.
 */
void ir_insn_start(IrBlock *b, uint32_t pc_delta, uint32_t p0, uint32_t p1);

/*
 * The block cannot be left where the instruction that just began does: state that only the translator knows (a mode that
 * was changed, a shadow) would be lost.  A fault in it may.
 */
void ir_insn_hold(IrBlock *b);

IrVal ir_get(IrBlock *b, unsigned global);                  /* index in IrTarget.globals */
void  ir_put(IrBlock *b, unsigned global, IrVal v);
/* @global's value is of no interest any more: until it is put again, env may hold anything for it. */
void  ir_discard(IrBlock *b, unsigned global);
/*
 * Fields of env that are not globals: plain memory, never cached in registers.  @size_op: IrMemOp
 * size and sign; vectors with IR_MO_32 or IR_MO_64 as in ir_ld.
 */
IrVal ir_env_ld(IrBlock *b, IrType t, unsigned offset, IrMemOp size_op);
void  ir_env_st(IrBlock *b, IrVal v, unsigned offset, IrMemOp size_op);

/* Guest pc of block start + @pc_delta, I64, wrapped to the block's pc width (ir_block_set_pc_width). */
IrVal ir_pc(IrBlock *b, int64_t pc_delta);
void  ir_block_set_pc_width(IrBlock *b, unsigned bits);     /* 16, 32 or 64 (default) */

/* --- constants, variables, labels --- */

IrVal ir_const(IrBlock *b, IrType t, uint64_t value);       /* I32 values are truncated */
static inline IrVal ir_i32(IrBlock *b, uint32_t v) { return ir_const(b, IR_I32, v); }
static inline IrVal ir_i64(IrBlock *b, uint64_t v) { return ir_const(b, IR_I64, v); }
bool  ir_is_const(const IrBlock *b, IrVal v, uint64_t *value);
IrType ir_type(const IrBlock *b, IrVal v);

IrVar ir_var_new(IrBlock *b, IrType t);
IrVal ir_var_get(IrBlock *b, IrVar var);                    /* set on every path before */
void  ir_var_set(IrBlock *b, IrVar var, IrVal v);

IrLabel ir_label_new(IrBlock *b);
void ir_label(IrBlock *b, IrLabel l);                       /* place it, once; backward branches are allowed */
void ir_br(IrBlock *b, IrLabel l);
void ir_brcond(IrBlock *b, IrCond c, IrVal x, IrVal y, IrLabel l);

/*
 * A guest loop whose head is the block's start: before anything else in the block.  Globals that the
 * loop uses stay in host registers round it.
 */
void ir_loop_begin(IrBlock *b);
void ir_loop_back(IrBlock *b);                              /* to the head, after a look for pending interrupts */

/* --- integer ops: same width in and out unless said otherwise --- */

IrVal ir_add(IrBlock *b, IrVal x, IrVal y);
IrVal ir_sub(IrBlock *b, IrVal x, IrVal y);
IrVal ir_and(IrBlock *b, IrVal x, IrVal y);
IrVal ir_or(IrBlock *b, IrVal x, IrVal y);
IrVal ir_xor(IrBlock *b, IrVal x, IrVal y);
IrVal ir_andc(IrBlock *b, IrVal x, IrVal y);                /* x & ~y */
IrVal ir_not(IrBlock *b, IrVal x);
IrVal ir_neg(IrBlock *b, IrVal x);
IrVal ir_mul(IrBlock *b, IrVal x, IrVal y);                 /* low half */
IrVal ir_muluh(IrBlock *b, IrVal x, IrVal y);               /* high half, unsigned */
IrVal ir_mulsh(IrBlock *b, IrVal x, IrVal y);               /* high half, signed */
/* Shift counts are I32 or the operand's width, and must be < width (mask first, as the guest's rules say). */
IrVal ir_shl(IrBlock *b, IrVal x, IrVal n);
IrVal ir_shr(IrBlock *b, IrVal x, IrVal n);
IrVal ir_sar(IrBlock *b, IrVal x, IrVal n);
IrVal ir_rotl(IrBlock *b, IrVal x, IrVal n);
IrVal ir_rotr(IrBlock *b, IrVal x, IrVal n);
/* Low @bits (8, 16, 32; 64 or the width: all) of x, zero- or sign-extended, in x's width. */
IrVal ir_ext(IrBlock *b, IrVal x, unsigned bits, bool sign);
/* x with bits [pos, pos+len) replaced by the low bits of @field (same width). */
IrVal ir_deposit(IrBlock *b, IrVal x, unsigned pos, unsigned len, IrVal field);
IrVal ir_extract(IrBlock *b, IrVal x, unsigned pos, unsigned len, bool sign);
IrVal ir_bswap(IrBlock *b, IrVal x);                        /* all bytes of the width */
IrVal ir_clz(IrBlock *b, IrVal x, IrVal if_zero);
IrVal ir_ctz(IrBlock *b, IrVal x, IrVal if_zero);
IrVal ir_popcount(IrBlock *b, IrVal x);
/* 0 or 1 in @t. */
IrVal ir_setcond(IrBlock *b, IrType t, IrCond c, IrVal x, IrVal y);
IrVal ir_select(IrBlock *b, IrCond c, IrVal x, IrVal y, IrVal if_true, IrVal if_false);
IrVal ir_trunc(IrBlock *b, IrVal x);                        /* I64 -> I32 */
IrVal ir_zext(IrBlock *b, IrVal x);                         /* I32 -> I64 */
IrVal ir_sext(IrBlock *b, IrVal x);

/* With an immediate; @k is truncated to x's width. */
IrVal ir_addi(IrBlock *b, IrVal x, int64_t k);
IrVal ir_andi(IrBlock *b, IrVal x, uint64_t k);
IrVal ir_ori(IrBlock *b, IrVal x, uint64_t k);
IrVal ir_xori(IrBlock *b, IrVal x, uint64_t k);
IrVal ir_shli(IrBlock *b, IrVal x, unsigned n);
IrVal ir_shri(IrBlock *b, IrVal x, unsigned n);
IrVal ir_sari(IrBlock *b, IrVal x, unsigned n);
void  ir_brcondi(IrBlock *b, IrCond c, IrVal x, uint64_t k, IrLabel l);

/* --- guest memory: faults; @addr is I64 (already truncated to the guest's address size) --- */

/*
 * @t: I32, I64, V128 or V256.  @mmu_idx: the target's TLB index.  A load or store is one access
 * with the guest's memory order for plain accesses (x86: TSO, which an x86 host keeps by itself);
 * naturally aligned ones up to 8 bytes (16 where the host can) are atomic.
 * A vector with IR_MO_32 or IR_MO_64: a load zero-extends into the vector, a store takes the low bytes.
 */
IrVal ir_ld(IrBlock *b, IrType t, IrVal addr, unsigned mmu_idx, IrMemOp op);
void  ir_st(IrBlock *b, IrVal v, IrVal addr, unsigned mmu_idx, IrMemOp op);

typedef enum IrAtomic {
    IR_ATOMIC_XCHG, IR_ATOMIC_ADD, IR_ATOMIC_AND, IR_ATOMIC_OR, IR_ATOMIC_XOR,
} IrAtomic;
/* Sequentially consistent read-modify-write; returns the old value (zero-extended). */
IrVal ir_atomic_rmw(IrBlock *b, IrAtomic a, IrVal addr, IrVal operand, unsigned mmu_idx, IrMemOp op);
/* If memory == @expected store @desired; returns the old value (zero-extended). */
IrVal ir_atomic_cas(IrBlock *b, IrVal addr, IrVal expected, IrVal desired, unsigned mmu_idx, IrMemOp op);
void  ir_fence(IrBlock *b);                                 /* full barrier */

/* --- vectors --- */

/*
 * Vector operations are rows of tcg/vecops.def: IR_VOP_PADDB, ... named after the x86 mnemonic
 * whose semantics they have (legacy SSE semantics on the low 128 bits).  A host that has the
 * instruction emits it; otherwise the row's C fallback is called.  FP rows round and set sticky
 * flags by the guest's FP control register, which is live in the host's while translated code
 * runs (see accel/tcg fp_control).
 */
typedef enum IrVop {
    IR_VOP_NONE,
#define VOP(NAME, ...) IR_VOP_##NAME,
#include "tcg/vecops.def"
#undef VOP
    IR_VOP_COUNT
} IrVop;

IrVal ir_vop1(IrBlock *b, IrVop op, IrVal x);                               /* d = op(x) */
IrVal ir_vop2(IrBlock *b, IrVop op, IrVal x, IrVal y);                      /* d = op(x, y): x is the SSE destination operand */
IrVal ir_vop3(IrBlock *b, IrVop op, IrVal x, IrVal y, IrVal z);             /* implicit XMM0 mask of SSE4.1 blends as z */
IrVal ir_vop3i(IrBlock *b, IrVop op, IrVal x, IrVal y, IrVal z, uint8_t imm);
IrVal ir_vop1i(IrBlock *b, IrVop op, IrVal x, uint8_t imm);
IrVal ir_vop2i(IrBlock *b, IrVop op, IrVal x, IrVal y, uint8_t imm);
/* Rows whose result or one operand is an integer (movd, movmskb, cvtsi2sd, comisd flags, pextr*): */
IrVal ir_vop_to_int(IrBlock *b, IrVop op, IrType t, IrVal x, IrVal y_or_none, uint8_t imm);
IrVal ir_vop_from_int(IrBlock *b, IrVop op, IrVal x_or_none, IrVal i, uint8_t imm);

/* --- the host's x87 --- */

/*
 * The register stack of the host's x87 as the front end arranges it: the guest's own registers, while they are
 * worked with.  The host's control word is TcgEnv.guest_fpcw while translated code runs.  C code uses no x87
 * but in helpers that a front end calls with the stack empty: so it may be full over other calls and slow paths, and
 * restore_state() finds it as it was.  A block begins with it empty and empties it where it is left.
 */
/* The instruction D8 + @esc with ModRM byte @modrm, a register form; or with memory operand env[@offset], ModRM reg field @reg. */
void  ir_x87(IrBlock *b, unsigned esc, unsigned modrm);
void  ir_x87_env(IrBlock *b, unsigned esc, unsigned reg, unsigned offset);
/* FCOMI and its relatives: ZF, PF and CF at their places in EFLAGS, I32. */
IrVal ir_x87_compare(IrBlock *b, unsigned esc, unsigned modrm);

/* What becomes of one host register of the stack. */
typedef enum IrX87Fate { IR_X87_NONE /* there is none */, IR_X87_STORE, IR_X87_DROP } IrX87Fate;

/* How the x87's state goes to env. */
typedef struct IrX87Home {
    uint8_t n;                      /* host registers to be gone through, from ST(0) on */
    uint8_t fate[8];
    uint16_t st[8];                 /* STORE: where in env its 80 bits go */
    uint16_t status;                /* the status word in env; 0: is right */
    uint16_t status_replaced;       /* bits that are the host's */
    uint16_t status_raised;         /* bits that are or'ed */
    uint8_t n_words;                /* fields of env to be set: IR_MO_32 or IR_MO_64, as wide as they are read */
    struct { uint16_t offset; uint8_t size; uint64_t value; } words[2];
} IrX87Home;
/* What every exit does, from here on, before it leaves; NULL: nothing. */
void  ir_x87_set_home(IrBlock *b, const IrX87Home *home);
/* Do @home now. */
void  ir_x87_go_home(IrBlock *b, const IrX87Home *home);
/* Where the block is entered, before a loop's head: load what is marked STORE, so that home.st[0] becomes ST(0). */
void  ir_x87_preload(IrBlock *b, const IrX87Home *home);

/*
 * The block is good only where env[@offset] equals @value (IR_MO_32 or IR_MO_64): else it is left as it is entered, with
 * TCG_EXIT_GUARD.  May be called at any time.
 */
void  ir_guard(IrBlock *b, unsigned offset, IrMemOp size, uint64_t value);

/* --- calls --- */

/* @helper: index in IrTarget.helpers.  Returns IR_NONE for void helpers. */
IrVal ir_call(IrBlock *b, unsigned helper, const IrVal *args, unsigned n_args);
#define IR_CALL(b, helper, ...) \
    ir_call(b, helper, (const IrVal[]){ IR_NONE, ##__VA_ARGS__ } + 1, \
            sizeof((const IrVal[]){ IR_NONE, ##__VA_ARGS__ }) / sizeof(IrVal) - 1)

/* --- leaving the block: each ends the current path --- */

enum {
    IR_EXIT_POLL = 1,       /* look for pending interrupts first: required on backward jumps */
};
#define IR_DIRECT_SLOTS 4
#define IR_SLOT_NONE 0xff       /* ir_exit_if: look the next block up instead */

/*
 * Go on at block start + @pc_delta in the same mode; the pc global need not be put.  May be linked
 * straight to the next block.  @slot: below IR_DIRECT_SLOTS, each used at most once per block.
 */
void ir_exit_direct(IrBlock *b, unsigned slot, int64_t pc_delta, unsigned flags);
/*
 * The same if the condition holds; else the path goes on, with all that is known of values and
 * globals.  Nothing is written for the exit's sake on the way past it: what is to be in env is
 * stored out of line.
 */
void ir_exit_if(IrBlock *b, IrCond c, IrVal x, IrVal y, unsigned slot, int64_t pc_delta, unsigned flags);
/* Go on at guest pc @pc (I64, the architectural pc) in the same mode: inline lookup of the next block.  Polls. */
void ir_exit_indirect(IrBlock *b, IrVal pc);
/* The same where the pc is a call's return address: pairs with ir_push_return. */
void ir_exit_return(IrBlock *b, IrVal pc);
/*
 * A guest call: @pc, which is block start + @pc_delta in the block's page, will be returned to, by @slot of this
 * block.  @page_offset: @pc within its page.  At most one in a block.
 */
void ir_push_return(IrBlock *b, unsigned slot, IrVal pc, int64_t pc_delta, uint32_t page_offset);
/*
 * Back to the run loop at @pc, which looks at interrupts and mode afresh.  Required after anything
 * that may change the mode (CR writes, far jumps, interrupt-flag enabling, ...).
 */
void ir_exit_loop(IrBlock *b, IrVal pc);
/* The same when the pc global and everything else are already right (after a helper that changed them). */
void ir_exit_state_set(IrBlock *b);

#endif
