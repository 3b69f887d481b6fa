/*
 * What generators build with: the state of one translation, and the ways to reach operands,
 * memory, flags, exceptions and exits.
 *
 * A generator void gen_MNEM(Gen *g, const Insn *i) finds its operands loaded (decode.h) and every
 * check made that its row states.  It computes, stores by gen_writeback(), and states the flags.
 * If it ends the block, it uses the exits below, which set g->ended.
 *
 * ORDER: everything that may fault (loads, stores, helpers that raise) comes before any register or
 * flag is changed, so that a fault leaves the state of the instruction's start.  gen_writeback() to
 * memory may fault: write memory first, then registers, then flags.
 */
#ifndef TARGET_I386_TCG_GEN_H
#define TARGET_I386_TCG_GEN_H

#include "target/i386/tcg/decode.h"
#include "target/i386/tcg/helper.h"

/* TbMode.flags: env->hflags in the low half, and these above. */
#define HF_TB_CODE_BP (1ull << 32)      /* DR7 has an execution breakpoint enabled */

/* Direct exits: slots 0 and 1 end a block, the rest are left by in its middle. */
#define GEN_FIRST_SIDE_SLOT 2
#define GEN_MAX_SIDE_EXITS  (IR_DIRECT_SLOTS - GEN_FIRST_SIDE_SLOT)

/* A block goes on at the target of so many jumps, each over so many bytes. */
#define GEN_MAX_FOLLOWED    2
#define GEN_MAX_GAP         128

/* Overlays on cc_op: see cc.c. */
enum {
    CC_OVL_C = 0x40,
    CC_OVL_CO = 0x80,
    CC_OVL_PLAIN = 0x3f,        /* mask of the plain value */
};
_Static_assert((unsigned)CC_OP_NB <= CC_OVL_PLAIN, "plain values of cc_op fit their mask");

/* The x87 as it is known while a block is made (gen-x87-host.c); registers by physical number, as bits. */
typedef struct X87State {
    bool known;                 /* what follows is true; else all is in env */
    bool raised;                /* the host's status word has flags that env's may lack */
    uint8_t cc;                 /* X87_C1, X87_C023: condition codes that are in the host's */
    uint8_t top, empty;
    uint8_t env_top, env_empty; /* as env has them */
    uint8_t live, dirty;        /* in the host's registers; and changed there */
} X87State;

/* What making a block once teaches for making it as a loop. */
typedef struct X87Loop {
    bool used;
    uint8_t live, cc;
} X87Loop;

struct Gen {
    IrBlock *b;
    TbRequest *req;
    const CPUX86State *env;     /* constant configuration: features; and what x87 guards check */

    /* from TbMode.flags */
    uint64_t flags;
    bool code64, code32;        /* neither: 16-bit code */
    bool ss32;                  /* stack pointer is ESP, not SP (64-bit mode has RSP) */
    bool addseg;                /* DS, ES, SS bases are not all zero */
    bool pe, vm86, lma;
    uint8_t cpl, iopl;
    uint8_t mmu_idx;            /* for the instruction's own data accesses */

    /* where we are, as deltas from the block's start */
    uint32_t delta;             /* of this instruction */
    uint32_t next;              /* of the next one */
    bool ended;                 /* an exit was emitted on the path of the last instruction */
    bool one_insn;              /* TF, RF or an interrupt shadow: one instruction, then the run loop */
    bool sti_shadow;            /* STI came just before: the next instruction is not interrupted */
    bool sti_ends;              /* this is an STI's shadow: exits look for interrupts */
    bool mode_changed;          /* likewise: EFLAGS.AC is not what it was at the block's start */
    unsigned n_insns;
    bool loops;                 /* a branch to the block's start was met */
    bool in_loop;               /* ... and will be: the block has a loop's head at its start */
    unsigned n_followed;        /* jumps that the block goes on behind */
    unsigned n_side_exits;      /* conditional exits in the middle so far */

    /* x87 inline (gen-x87.h) */
    X87State x87, x87_start;
    X87Loop x87_loop;           /* in a loop: what it is made for */
    bool x87_used;              /* the block is for its first register stack only */
    uint8_t x87_touched;        /* registers of x87_start that were used */
    uint8_t x87_merges;         /* condition codes that have to be in env at the loop's head */
    uint32_t insn_cc_op, insn_x87;      /* what a fault in the instruction finds: gen_mark_insn() */

    /* while the generator of an AVX instruction runs (gen-vex.c) */
    IrVal *lanes;               /* where gen_writeback() puts vector results: [0] low, [1] high half; else NULL */
    unsigned lane;
    bool lanes_checked;         /* all of it is bracketed by the checks of unmasked exceptions */

    /*
     * Lazy flags (gen-flags.c).  @cc_op is static; CC_OP_DYNAMIC: in the global, and so are the
     * values; else these are the values, which were put to the cc globals too.  @cc_a is the first
     * operand of a SUB.  @cc_op_put: the global cc_op has @cc_op.
     */
    unsigned cc_op;             /* CCOp, perhaps with an overlay */
    bool cc_op_put;
    IrVal cc_dst, cc_src, cc_src2, cc_a;
};

/* Prototypes of all generators. */
#define TABLE(...)
#define END
#define INSN0(index, mnem, ...) GenFn gen_##mnem;
#define INSN1(index, mnem, ...) GenFn gen_##mnem;
#define INSN2(index, mnem, ...) GenFn gen_##mnem;
#define INSN3(index, mnem, ...) GenFn gen_##mnem;
#define INSN4(index, mnem, ...) GenFn gen_##mnem;
#define SUB(...)
#define VEX_MAP(...)
#define VEX_AS(...)
#define VEX_BY_MOD(...)
#define VEX_GROUP(...)
#define VEX_ROW(index, pp, f0, f1, how, mnem, ...) GenFn gen_##mnem;
#include "target/i386/tcg/opmap.h"
#undef TABLE
#undef END
#undef INSN0
#undef INSN1
#undef INSN2
#undef INSN3
#undef INSN4
#undef SUB
#undef VEX_MAP
#undef VEX_AS
#undef VEX_BY_MOD
#undef VEX_GROUP
#undef VEX_ROW

/* --- configuration and mode --- */

static inline bool gen_has(const Gen *g, unsigned feature)      /* XF_* */
{
    return x86_has(g->env, (feature - 1) >> 5, (feature - 1) & 31);
}
static inline bool gen_real_or_vm86(const Gen *g)
{
    return !g->pe || g->vm86;
}
/* I32 for accesses and operations of up to 32 bits, else I64. */
static inline IrType gen_type(unsigned size)        /* IR_MO_8.. */
{
    return size == IR_MO_64 ? IR_I64 : IR_I32;
}
static inline unsigned gen_bits(unsigned size)
{
    return 8u << size;
}
/* Mask of the low bits of @size. */
static inline uint64_t gen_mask(unsigned size)
{
    return ~0ull >> (64 - gen_bits(size));
}

/* --- exceptions: faults of this instruction; the rest of the path is dead --- */

void gen_raise(Gen *g, int vector);
void gen_raise_err(Gen *g, int vector, int error_code);
static inline void gen_ud(Gen *g) { gen_raise(g, EXCP06_ILLOP); }
static inline void gen_nm(Gen *g) { gen_raise(g, EXCP07_PREX); }
static inline void gen_gp0(Gen *g) { gen_raise_err(g, EXCP0D_GPF, 0); }
/* #VECTOR (error code 0 where the vector has one) if the condition holds; the block goes on otherwise. */
void gen_raise_if(Gen *g, IrCond c, IrVal x, IrVal y, int vector);

/* --- general registers --- */

/* Register @reg at @size as operands are (8, 16 bits zero-extended I32).  Byte registers 4..7 are AH..BH unless REX. */
IrVal gen_ld_reg(Gen *g, const Insn *i, unsigned reg, unsigned size);
/* Write; 8 and 16 bits merge (upper bits of @v ignored), 32 bits zero-extend. */
void gen_st_reg(Gen *g, const Insn *i, unsigned reg, unsigned size, IrVal v);
/* The same for registers that are never AH..BH (rCX, rSP...). */
IrVal gen_ld_gpr(Gen *g, unsigned reg, unsigned size);
void gen_st_gpr(Gen *g, unsigned reg, unsigned size, IrVal v);

/* --- memory --- */

/* Linear address of @offset (I64) in @seg with @asize-bit addressing: wraps the offset, adds the base. */
IrVal gen_linear(Gen *g, unsigned seg, IrVal offset, unsigned asize);
/* Offset of the memory operand within its segment, plus @extra; wrapped to asize. */
IrVal gen_ea(Gen *g, const Insn *i, int64_t extra);
/* i->addr + @delta, wrapped as linear addresses are (to 32 bits outside 64-bit mode). */
IrVal gen_addr_plus(Gen *g, const Insn *i, int64_t delta);
/* Load and store at a linear address, in the mode's mmu index; @size: IR_MO_8.. and IR_MO_SIGN; result as operands are. */
IrVal gen_ld(Gen *g, IrVal addr, unsigned size);
void gen_st(Gen *g, IrVal addr, IrVal v, unsigned size);
/* V128. */
IrVal gen_ld128(Gen *g, IrVal addr, bool aligned);
/* The halves of a 32-byte operand: @half 0 or 1. */
IrVal gen_ld_half(Gen *g, const Insn *i, unsigned half);
/* Must a vector in memory be aligned? */
bool gen_is_aligned(const Insn *i);
void gen_st128(Gen *g, IrVal addr, IrVal v, bool aligned);

/* --- operands --- */

/* Operand @n's value now, as if common code loaded it (for rows that say WRITE). */
IrVal gen_operand(Gen *g, const Insn *i, unsigned n);
/* Store to operand 0 (or @n): register or memory, integer or SIMD. */
void gen_writeback(Gen *g, const Insn *i, IrVal v);
void gen_writeback_to(Gen *g, const Insn *i, unsigned n, IrVal v);

/* SIMD operands: XMM register number (V128), MMX register number (I64; does not enter MMX mode by itself). */
IrVal gen_ld_xmm(Gen *g, unsigned reg);
void gen_st_xmm(Gen *g, unsigned reg, IrVal v);
IrVal gen_ld_ymmh(Gen *g, unsigned reg);
void gen_st_ymmh(Gen *g, unsigned reg, IrVal v);
IrVal gen_ld_mm(Gen *g, unsigned reg);
void gen_st_mm(Gen *g, unsigned reg, IrVal v);

/* --- flags --- */

/* @family is the B member (CC_OP_ADDB...); @size picks the others.  Values of any upper bits, I32 or I64. */
void gen_flags(Gen *g, CCOp family, unsigned size, IrVal dst, IrVal src);
void gen_flags3(Gen *g, CCOp family, unsigned size, IrVal dst, IrVal src, IrVal src2);
/* SUB and CMP, with the first operand at hand for fused conditions; @a and @src zero-extended. */
void gen_flags_sub(Gen *g, unsigned size, IrVal dst, IrVal a, IrVal src);
/* All six from an I32 image of EFLAGS (other bits ignored). */
void gen_flags_eflags(Gen *g, IrVal flags);
/* Z from dst == 0, all others clear (POPCNT); all clear but Z and P (xor r,r). */
void gen_flags_popcnt(Gen *g, IrVal dst);
void gen_flags_clr(Gen *g);
/* Only CF changes (@cf: I32, 0 or 1); only CF and OF change (@co: I32, at their places in EFLAGS). */
void gen_flags_c(Gen *g, IrVal cf);
void gen_flags_co(Gen *g, IrVal co);
/* The same unless @count is zero, where all flags stay: shifts and rotates by a variable count. */
void gen_flags_co_unless(Gen *g, IrVal count, IrVal co);
void gen_flags_shift_unless(Gen *g, CCOp family, unsigned size, IrVal count, IrVal dst, IrVal src);
/* The six flags now, as an I32 image; CF as 0 or 1. */
IrVal gen_get_flags(Gen *g);
IrVal gen_get_cf(Gen *g);
/* Bring the global cc_op up to date (before helpers that look at EFLAGS, before exits: those do it themselves). */
void gen_sync_flags(Gen *g);
/* A helper wrote the cc globals and cc_op itself; or paths with different static states meet. */
void gen_flags_dynamic(Gen *g);

/* Condition code @cc (0..15 as encoded in Jcc, SETcc). */
typedef struct GenCond { IrCond c; IrVal x, y; } GenCond;
GenCond gen_cond(Gen *g, unsigned cc);

/* --- leaving the block --- */

/* Architectural pc of the next instruction, I64. */
IrVal gen_next_pc(Gen *g);
/* Go on at block start + @delta (a static target).  @slot 0 or 1, each once per block. */
void gen_exit_direct(Gen *g, unsigned slot, int64_t delta);
/* Go on at block start + @delta if the condition holds; else the block goes on.  @slot as for gen_exit_direct. */
void gen_exit_if(Gen *g, GenCond c, unsigned slot, int64_t delta);
/* Go on at a computed offset in CS (I64), truncated to @size. */
void gen_exit_indirect(Gen *g, IrVal pc);
/* Must exits take the run loop (or raise #DB), instead of going on to the next block? */
bool gen_exits_specially(const Gen *g);
/* After this instruction back to the run loop, which looks at mode and interrupts afresh. */
void gen_exit_loop_next(Gen *g);
/* On to the next instruction, in the mode that the helper before may have set. */
void gen_exit_mode_next(Gen *g);
/* After a helper that set env->tcg.pc and everything else. */
void gen_exit_state_set(Gen *g);
/* An instruction that is complete but must be the block's last, with no change of mode: goes on by a direct exit. */
void gen_end_block(Gen *g);

/* --- stack --- */

unsigned gen_stack_size(const Gen *g);          /* bits of the stack pointer: 16, 32, 64 */
/* Push one value of @size: store at rSP - bytes, then move rSP. */
void gen_push(Gen *g, IrVal v, unsigned size);
/* Load what rSP points at (does not move it), and then move it. */
IrVal gen_pop_value(Gen *g, unsigned size);
void gen_pop_done(Gen *g, unsigned size);

/* --- the block's loop (translate.c) --- */

void x86_translate(TbRequest *req);
/* The block must end before the instruction at @next. */
bool gen_block_is_full(const Gen *g, uint32_t next);
/* TLB index of data accesses in a mode (TbMode.flags). */
unsigned gen_mmu_index(uint64_t flags);
/* A fault from here on in the instruction finds the flags by @cc_op, and the x87 as @x87 says (x87_fault_param). */
void gen_mark_insn(Gen *g, unsigned cc_op, uint32_t x87);
/* What common code does around a generator (gen.c). */
void gen_insn(Gen *g, Insn *i, X86Refusal refusal);

/* An instruction with VEX prefix whose checks are made: load operands, generate, write the result (gen-vex.c). */
void gen_vex_insn(Gen *g, Insn *i);

/* --- shared by several gen-*.c --- */

/* Locked read-modify-write of the memory operand; the old value as operands are. */
IrVal gen_atomic(Gen *g, const Insn *i, IrAtomic a, IrVal operand);
/* Branch to block start + @delta with the operand size's wrap of the pc. */
void gen_jump(Gen *g, const Insn *i, unsigned slot, int64_t delta);
/* env->hflags |= @bit. */
void gen_set_hflag(Gen *g, uint32_t bit);
/* Where a near branch with displacement goes, as a delta. */
static inline int64_t gen_target(const Insn *i)
{
    return (int64_t)i->delta + i->len + i->imm;
}

#endif
