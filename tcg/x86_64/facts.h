/*
 * The x86-64 host, System V ABI: registers and what each is for.
 */
#ifndef TCG_X86_64_FACTS_H
#define TCG_X86_64_FACTS_H

/* General registers as encoded; vector registers follow. */
enum {
    HR_RAX, HR_RCX, HR_RDX, HR_RBX, HR_RSP, HR_RBP, HR_RSI, HR_RDI,
    HR_R8, HR_R9, HR_R10, HR_R11, HR_R12, HR_R13, HR_R14, HR_R15,
    HR_XMM0, HR_XMM15 = HR_XMM0 + 15,
    N_HOST_REGS,
};

#define HR_ENV  HR_RBP              /* TcgEnv + TCG_ENV_BIAS */
#define HR_PC   HR_RBX              /* architectural pc of the running block's start */

/* One-byte displacements reach 128 bytes either way of here. */
#define TCG_ENV_BIAS ((int)sizeof(TcgEnv) + 32)

#define HOST_MASK(r)        (1u << (r))
#define HOST_GPRS           (0xffffu & ~(HOST_MASK(HR_RSP) | HOST_MASK(HR_ENV) | HOST_MASK(HR_PC)))
#define HOST_XMMS           0xffff0000u
#define HOST_CALLEE_SAVED   (HOST_MASK(HR_R12) | HOST_MASK(HR_R13) | HOST_MASK(HR_R14) | HOST_MASK(HR_R15))
/*
 * Homes of the guest's hottest 64-bit globals, hottest first: they stay there from block to block.
 * R12 and R13 make longer addresses, so come last.
 */
#define HOST_PINS           { HR_R14, HR_R15, HR_R13, HR_R12 }
#define N_HOST_PINS         4
/*
 * Registers that a loop inside a block may have for globals of its own, in the order they are given out: none that an
 * instruction asks for by number.  What is left is enough for any op.
 */
#define HOST_LOOP_GPRS      { HR_RDI, HR_R9, HR_R10, HR_R11 }
#define HOST_LOOP_XMMS      { HR_XMM0 + 8, HR_XMM0 + 9, HR_XMM0 + 10, HR_XMM0 + 11, HR_XMM0 + 12, HR_XMM0 + 13, HR_XMM0 + 14, HR_XMM15 }
#define HOST_CALL_CLOBBERS  ((HOST_GPRS | HOST_XMMS) & ~HOST_CALLEE_SAVED)

/*
 * The frame of translated code, from rsp up: stack arguments of helpers, spill slots, copies of
 * vector arguments, then what the entry trampoline saved.
 */
enum {
    FRAME_ARGS = 0,
    FRAME_SLOTS = 16,
    N_SLOTS = 192,
    FRAME_VECTORS = FRAME_SLOTS + N_SLOTS * 8,      /* 32 bytes each */
    FRAME_SIZE = FRAME_VECTORS + 8 * 32 + 8,        /* 8: what six pushes and a return address leave odd */
};
_Static_assert(FRAME_SIZE % 16 == 8 && FRAME_VECTORS % 16 == 0, "calls need a 16-byte aligned stack");

/* What the slow-path trampoline saves: 16 general registers (rsp as in the block), 16 vector registers. */
enum { SAVED_XMM = 16 * 8, SAVED_SIZE = 16 * 8 + 16 * 16 };

#endif
