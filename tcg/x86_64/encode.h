/*
 * x86-64 assembler: instruction encodings (SDM Vol.2 chapter 2), one function per operand shape.
 *
 * An opcode is an X_ constant: its last byte, with flags for map, mandatory prefix and width.
 */
#ifndef TCG_X86_64_ENCODE_H
#define TCG_X86_64_ENCODE_H

#include "util/base.h"
#include "tcg/x86_64/facts.h"

typedef struct Asm {
    uint8_t *start, *p, *end;
} Asm;

typedef struct Mem {
    int8_t base;                /* general register, or MEM_RIP */
    int8_t index;               /* general register, -1 = none */
    uint8_t shift;              /* of the index */
    int32_t disp;
} Mem;
#define MEM_RIP (-2)

static inline Mem mem(int base, int32_t disp) { return (Mem){ base, -1, 0, disp }; }
static inline Mem mem_x(int base, int index, unsigned shift, int32_t disp) { return (Mem){ base, index, shift, disp }; }

enum {
    X_W = 1 << 8, X_0F = 1 << 9, X_0F38 = 1 << 10, X_0F3A = 1 << 11,
    X_66 = 1 << 12, X_F3 = 1 << 13, X_F2 = 1 << 14,
    X_BYTE_REG = 1 << 15,       /* ModRM.reg is a byte register */
    X_BYTE_RM = 1 << 16,        /* ModRM.rm, if a register, is a byte register */
    X_LOCK = 1 << 17,
};

/* /r forms: the direction is in the name of the operands. */
enum {
    X_MOV_STORE = 0x89, X_MOV_LOAD = 0x8b, X_MOV8_STORE = 0x88 | X_BYTE_REG | X_BYTE_RM,
    X_MOV8_LOAD = 0x8a | X_BYTE_REG | X_BYTE_RM, X_LEA = 0x8d,
    X_MOVZX8 = 0xb6 | X_0F | X_BYTE_RM, X_MOVZX16 = 0xb7 | X_0F, X_MOVSX8 = 0xbe | X_0F | X_BYTE_RM, X_MOVSX16 = 0xbf | X_0F,
    X_MOVSXD = 0x63 | X_W,
    X_TEST = 0x85, X_TEST8 = 0x84 | X_BYTE_REG | X_BYTE_RM, X_XCHG = 0x87, X_XCHG8 = 0x86 | X_BYTE_REG | X_BYTE_RM,
    X_IMUL = 0xaf | X_0F, X_IMUL_I8 = 0x6b, X_IMUL_I32 = 0x69, X_BSWAP = 0xc8 | X_0F,
    X_CMOV = 0x40 | X_0F, X_SETCC = 0x90 | X_0F | X_BYTE_RM,
    X_POPCNT = 0xb8 | X_0F | X_F3, X_LZCNT = 0xbd | X_0F | X_F3, X_TZCNT = 0xbc | X_0F | X_F3,
    X_BSR = 0xbd | X_0F, X_BSF = 0xbc | X_0F,
    X_XADD = 0xc1 | X_0F | X_LOCK, X_XADD8 = 0xc0 | X_0F | X_BYTE_REG | X_BYTE_RM | X_LOCK,
    X_CMPXCHG = 0xb1 | X_0F | X_LOCK, X_CMPXCHG8 = 0xb0 | X_0F | X_BYTE_REG | X_BYTE_RM | X_LOCK,
    X_GROUP3 = 0xf7, X_GROUP5 = 0xff, X_GROUP1_I8 = 0x83, X_GROUP1_I32 = 0x81, X_GROUP2_I8 = 0xc1, X_GROUP2_1 = 0xd1,
    X_GROUP2_CL = 0xd3, X_MOV_I32 = 0xc7, X_MOV8_I8 = 0xc6 | X_BYTE_RM, X_TEST_I32 = 0xf7, X_TEST8_I8 = 0xf6 | X_BYTE_RM,
    X_MOVAPS_LOAD = 0x28 | X_0F, X_MOVAPS_STORE = 0x29 | X_0F, X_MOVUPS_LOAD = 0x10 | X_0F, X_MOVUPS_STORE = 0x11 | X_0F,
    X_MOVSS_LOAD = 0x10 | X_0F | X_F3, X_MOVSS_STORE = 0x11 | X_0F | X_F3,
    X_MOVSD_LOAD = 0x10 | X_0F | X_F2, X_MOVSD_STORE = 0x11 | X_0F | X_F2,
    X_LDMXCSR = 0xae | X_0F,    /* /2; stmxcsr is /3 */
};
/* group 1 (and the /r opcode is digit * 8 + 3 for load form, + 1 for store form) */
enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
/* group 2 */
enum { SHIFT_ROL, SHIFT_ROR, SHIFT_SHL = 4, SHIFT_SHR = 5, SHIFT_SAR = 7 };
/* group 3 */
enum { G3_NOT = 2, G3_NEG = 3, G3_MUL = 4, G3_IMUL = 5 };
/* condition codes */
enum { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE, CC_LE, CC_G };

#define ALWAYS_INLINE inline __attribute__((always_inline))

static inline void emit8(Asm *a, unsigned v) { *a->p++ = v; }
static inline void emit32(Asm *a, uint32_t v) { memcpy(a->p, &v, 4); a->p += 4; }
static inline void emit64(Asm *a, uint64_t v) { memcpy(a->p, &v, 8); a->p += 8; }
static inline uint32_t asm_offset(const Asm *a) { return a->p - a->start; }

/* What the plain forms below do not cover. */
void op_rr_any(Asm *a, unsigned op, unsigned reg, unsigned rm);
void op_rm_any(Asm *a, unsigned op, unsigned reg, Mem m);

/* No prefix but REX.W, a one-byte opcode, no byte registers. */
static inline bool op_is_plain(unsigned op)
{
    return !(op & ~(X_W | 0xff));
}

/*
 * Most of all code comes from the plain forms below: gathered in a word and stored at once, whose end may be
 * beyond the instruction (there always is room: CODE_MARGIN).
 */
static ALWAYS_INLINE void op_put_plain(Asm *a, unsigned rex, uint64_t bytes, unsigned n)
{
    if (rex) {
        bytes = bytes << 8 | 0x40 | rex;
        n++;
    }
    memcpy(a->p, &bytes, 8);
    a->p += n;
}

/* op reg, rm with a register rm; registers of either kind. */
static ALWAYS_INLINE void op_rr(Asm *a, unsigned op, unsigned reg, unsigned rm)
{
    if (op_is_plain(op)) {
        op_put_plain(a, (op / X_W) << 3 | (reg & 8) >> 1 | (rm & 8) >> 3,
                     (op & 0xff) | (0xc0 | (reg & 7) << 3 | (rm & 7)) << 8, 2);
    } else {
        op_rr_any(a, op, reg, rm);
    }
}

/* op reg, rm with memory. */
static ALWAYS_INLINE void op_rm(Asm *a, unsigned op, unsigned reg, Mem m)
{
    unsigned base = m.base & 7;
    bool none = m.disp == 0 && base != 5, small = m.disp == (int8_t)m.disp;
    unsigned modrm = (none ? 0 : small ? 0x40 : 0x80) | (reg & 7) << 3 | base;

    if (op_is_plain(op) && m.index < 0 && base != 4 && m.base >= 0) {
        op_put_plain(a, (op / X_W) << 3 | (reg & 8) >> 1 | (unsigned)m.base >> 3,
                     (op & 0xff) | modrm << 8 | (uint64_t)(uint32_t)m.disp << 16, none ? 2 : small ? 3 : 6);
    } else {
        op_rm_any(a, op, reg, m);
    }
}

/* VEX-encoded three-operand general register forms: shlx, shrx, sarx; rorx has an immediate. */
enum { VEX_SHLX = 1, VEX_SARX = 2, VEX_SHRX = 3 };
void op_shift_x(Asm *a, unsigned which, bool w, unsigned d, unsigned src, unsigned count);

/* The same opcodes VEX-encoded, 128 bits, with a register in VEX.vvvv; 0 where there is none. */
void op_vex(Asm *a, unsigned op, unsigned reg, unsigned v, unsigned rm);

/* add/or/.../cmp d, imm */
void op_alu_ri(Asm *a, unsigned digit, bool w, unsigned d, int32_t imm);
void op_alu_mi(Asm *a, unsigned digit, bool w, Mem m, int32_t imm);
void op_alu_rr(Asm *a, unsigned digit, bool w, unsigned d, unsigned s);
void op_alu_rm(Asm *a, unsigned digit, bool w, unsigned d, Mem m);
void op_shift_i(Asm *a, unsigned digit, bool w, unsigned d, unsigned n);
/* mov d, s; 64 bits for general registers, 128 for vector registers.  Nothing if the same. */
void op_mov(Asm *a, unsigned d, unsigned s);
/* mov d, k by the shortest form that leaves the flags alone; @flags_free allows xor. */
void op_mov_k(Asm *a, unsigned d, uint64_t k, bool flags_free);

/* Jumps within the buffer: 32-bit, patched when the target is known. */
uint8_t *op_jcc32(Asm *a, unsigned cc);         /* returns the place of the rel32 */
uint8_t *op_jmp32(Asm *a);
uint8_t *op_lea_rip(Asm *a, unsigned d);        /* d = the address that patch_rel32() will say; returns the place of the rel32 */
void patch_rel32(uint8_t *at, const uint8_t *target);
void op_jmp_to(Asm *a, const uint8_t *target);  /* shortest form, target known */
/* A pad of @n bytes that executes as little as possible. */
void op_nops(Asm *a, unsigned n);

#endif
