/*
 * A toy guest architecture for testing the accelerator without a real one.
 *
 * Eight 64-bit registers; four-byte instructions { op, a, b, imm }; memory through a page table
 * that the test fills by hand.
 */
#ifndef TESTS_TOY_CPU_H
#define TESTS_TOY_CPU_H

#include "accel/tcg/cpu-ops.h"

typedef enum ToyOp {
    TOY_HALT,       /* stop */
    TOY_LI,         /* ra = imm8 (b is its high byte, unsigned) */
    TOY_SHL,        /* ra = rb << imm */
    TOY_ADD,        /* ra = rb + r[imm] */
    TOY_ADDI,       /* ra = rb + imm (signed) */
    TOY_LD,         /* ra = mem64[rb + imm] */
    TOY_ST,         /* mem64[rb + imm] = ra */
    TOY_LD4,        /* ra = mem32[rb + imm] */
    TOY_ST4,        /* mem32[rb + imm] = ra */
    TOY_BNE,        /* if (ra != rb) go to this insn + imm * 4 (signed) */
    TOY_JR,         /* go to ra */
    TOY_CALL,       /* ra = the next insn, go to this insn + imm * 4 */
    TOY_RET,        /* go to ra, which a call made */
    TOY_RMWADD,     /* ra = mem64[rb + imm], memory += ra, atomically */
    TOY_SWITCH,     /* address-space tag = imm */
    TOY_FLUSHPAGE,  /* drop the page at ra */
    TOY_MOV16,      /* mem128[rb + imm] = mem128[ra] */
    TOY_CAS,        /* if mem64[rb] == r0 then mem64[rb] = ra; r0 = old */
} ToyOp;

#define TOY_PAGES 4096              /* 16 MiB of virtual space */
#define TOY_NO_PAGE UINT32_MAX
#define TOY_TAGS 4
#define TOY_EXC_FAULT 1
#define TOY_EXC_ILLEGAL 2

typedef struct ToyEnv {
    TcgEnv tcg;
    uint64_t r[8];
    uint64_t tag;
    /* what the last fault was */
    uint64_t fault_va, fault_pc;
    unsigned n_faults, fault_access;
    uint64_t fault_vector;          /* where faults go on; 0: halt */
    /* watchpoint hits */
    unsigned n_hits;
    uint64_t hit_va, hit_pc, hit_memory;    /* at the report: pc, and the 64 bits at hit_va as physical address */
} ToyEnv;

typedef struct ToyCpu {
    Vcpu parent;
    ToyEnv env __attribute__((aligned(64)));
    uint32_t (*map)[TOY_PAGES];     /* [tag][virtual page] -> physical page; shared */
    uint64_t tlb_large;             /* size told to set_page, 0 = 4 KiB */
} ToyCpu;
OBJECT_DECLARE(ToyCpu, TOY_CPU, toy_cpu)

static inline uint32_t toy_insn(ToyOp op, unsigned a, unsigned b, int imm)
{
    return (uint32_t)op | a << 8 | b << 16 | (uint32_t)(uint8_t)imm << 24;
}

#endif
