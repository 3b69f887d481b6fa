/*
 * A guest invented for tests: 16 integer registers, flags, eight vectors, four pages of memory.
 *
 * Pages 0 and 1 are in the soft TLB; page 2 is readable there but its stores are slow; page 3
 * faults.  Accesses that cross pages take the slow path, which faults if any byte is in page 3.
 */
#ifndef TEST_FAKE_TARGET_H
#define TEST_FAKE_TARGET_H

#include <setjmp.h>
#include "tcg/tcg.h"

enum { FT_PAGE = 4096, FT_PAGES = 4, FT_MEM = FT_PAGE * FT_PAGES };
#define FT_BASE 0x7000123450000ull

typedef union FtVec { uint8_t b[16]; uint32_t l[4]; uint64_t q[2]; } __attribute__((aligned(16))) FtVec;

typedef struct FtEnv {
    TcgEnv tcg;
    uint64_t r[16];
    uint64_t cc[3];
    uint32_t c32, d32;
    FtVec v[8];
    uint64_t plain[16];                 /* no globals */
    uint64_t rounds;                    /* of a loop that is the whole block */
    /* not guest state */
    uint8_t *mem;
    jmp_buf fault;
    bool interpreting;                  /* faults need no unwinding */
    uint64_t interp_block_pc;
    const uint8_t *code;
    uint32_t unwind_offset;
    TcgUnwound unwound;
    uint64_t fault_va;
    unsigned n_slow;
    TcgJumpCacheEntry jump_cache[1 << TCG_JUMP_CACHE_BITS];
    TcgTlbEntry tlb[64];
} FtEnv;

enum {
    FG_R0, FG_CC0 = 16, FG_C32 = 19, FG_D32, FG_V0, FT_N_GLOBALS = FG_V0 + 8,
};
enum { FH_CAREFUL, FH_PURE, FH_READER, FH_MANY, FH_VECTOR, FH_WRITER, FH_SEVEN, FT_N_HELPERS };

#define FT_NO_RESTART 7                 /* parameter 0 of an instruction that is not put to d32 when the block is left there */
extern const IrTarget ft_target;
extern const TcgSlowOps ft_slow_ops;

/* Guest state equal? */
bool ft_same(const FtEnv *x, const FtEnv *y);
void ft_print_diff(const FtEnv *x, const FtEnv *y);
/* Page tables, slow paths, helpers; @mem: FT_MEM bytes. */
void ft_init(FtEnv *env, uint8_t *mem);

/* What each case has: made and freed around it. */
void ft_set_up(FtEnv **env, uint8_t **mem, TcgContext **ctx);
void ft_tear_down(FtEnv *env, uint8_t *mem, TcgContext *ctx);

/* Executable memory: @rw and @rx are two views of it. */
typedef struct FtCode {
    uint8_t *rw, *rx;
    size_t size;
    TcgPrologue prologue;
} FtCode;
FtCode *ft_code(void);
#define FT_BLOCK_AT 4096                /* where tests put a block */

/* Guest memory as the slow paths see it. */
uint64_t ft_read(FtEnv *env, uint64_t va, IrMemOp op, uintptr_t ra);
void ft_write(FtEnv *env, uint64_t va, uint64_t v, IrMemOp op, uintptr_t ra);
void *ft_check(FtEnv *env, uint64_t va, unsigned size, uintptr_t ra);

#endif
