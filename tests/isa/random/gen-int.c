/*
 * Integer instructions: one row each, with what they do to the flags.
 */
#include "random.h"

enum {
    C = 0x1, P = 0x4, A = 0x10, Z = 0x40, S = 0x80, O = 0x800, DF = 0x400,
    ALL = C | P | A | Z | S | O,
};

typedef enum Shape {
    RM_R,           /* op r/m, r: opcode without its width bit */
    R_RM,
    RM,             /* /digit */
    RM_IMM,         /* 80, 81, 83 */
    RM_IMM8,        /* an immediate of 8 bits whatever the width */
    R_RM_WIDE,      /* no 8-bit form */
    RM_WIDE_IMM8,
    RM_R_IMM8,      /* SHLD, SHRD: not of 16 bits */
    R_RM_BYTE,      /* MOVZX, MOVSX from 8 bits */
    R_RM_WORD,      /* ... from 16 */
    RM_BYTE,        /* SETcc */
    VEX_RVM, VEX_RMV, VEX_VM, VEX_RM_IMM8,
    ACC_DX,         /* writes RAX and RDX: MUL, DIV */
} Shape;

enum { LOCKABLE = 1, NO_DEST = 2, DEST_RM_AND_R = 4, SRC_CL = 8, NOT16 = 16, READS_DEST = 32 };

typedef struct Row {
    uint8_t pp, map, op, digit;
    Shape shape;
    uint16_t defines, undefines, reads;
    uint8_t flags;
} Row;

static const Row rows[] = {
    /* ADD OR ADC SBB AND SUB XOR CMP, three encodings each */
    { 0, 0, 0x00, 0, RM_R, ALL, 0, 0, LOCKABLE }, { 0, 0, 0x02, 0, R_RM, ALL, 0, 0, 0 }, { 0, 0, 0x80, 0, RM_IMM, ALL, 0, 0, LOCKABLE },
    { 0, 0, 0x08, 0, RM_R, ALL & ~A, A, 0, LOCKABLE }, { 0, 0, 0x0a, 0, R_RM, ALL & ~A, A, 0, 0 }, { 0, 0, 0x80, 1, RM_IMM, ALL & ~A, A, 0, LOCKABLE },
    { 0, 0, 0x10, 0, RM_R, ALL, 0, C, LOCKABLE }, { 0, 0, 0x12, 0, R_RM, ALL, 0, C, 0 }, { 0, 0, 0x80, 2, RM_IMM, ALL, 0, C, LOCKABLE },
    { 0, 0, 0x18, 0, RM_R, ALL, 0, C, LOCKABLE }, { 0, 0, 0x1a, 0, R_RM, ALL, 0, C, 0 }, { 0, 0, 0x80, 3, RM_IMM, ALL, 0, C, LOCKABLE },
    { 0, 0, 0x20, 0, RM_R, ALL & ~A, A, 0, LOCKABLE }, { 0, 0, 0x22, 0, R_RM, ALL & ~A, A, 0, 0 }, { 0, 0, 0x80, 4, RM_IMM, ALL & ~A, A, 0, LOCKABLE },
    { 0, 0, 0x28, 0, RM_R, ALL, 0, 0, LOCKABLE }, { 0, 0, 0x2a, 0, R_RM, ALL, 0, 0, 0 }, { 0, 0, 0x80, 5, RM_IMM, ALL, 0, 0, LOCKABLE },
    { 0, 0, 0x30, 0, RM_R, ALL & ~A, A, 0, LOCKABLE }, { 0, 0, 0x32, 0, R_RM, ALL & ~A, A, 0, 0 }, { 0, 0, 0x80, 6, RM_IMM, ALL & ~A, A, 0, LOCKABLE },
    { 0, 0, 0x38, 0, RM_R, ALL, 0, 0, NO_DEST }, { 0, 0, 0x3a, 0, R_RM, ALL, 0, 0, NO_DEST }, { 0, 0, 0x80, 7, RM_IMM, ALL, 0, 0, NO_DEST },
    { 0, 0, 0x84, 0, RM_R, ALL & ~A, A, 0, NO_DEST }, { 0, 0, 0x86, 0, RM_R, 0, 0, 0, DEST_RM_AND_R },
    { 0, 0, 0x88, 0, RM_R, 0, 0, 0, 0 }, { 0, 0, 0x8a, 0, R_RM, 0, 0, 0, 0 }, { 0, 0, 0x88, 0, RM_R, 0, 0, 0, 0 }, { 0, 0, 0x8a, 0, R_RM, 0, 0, 0, 0 },
    { 0, 0, 0xfe, 0, RM, ALL & ~C, 0, 0, LOCKABLE }, { 0, 0, 0xfe, 1, RM, ALL & ~C, 0, 0, LOCKABLE },
    { 0, 0, 0xf6, 2, RM, 0, 0, 0, LOCKABLE }, { 0, 0, 0xf6, 3, RM, ALL, 0, 0, LOCKABLE },
    { 0, 0, 0xf6, 4, ACC_DX, C | O, ALL & ~(C | O), 0, 0 }, { 0, 0, 0xf6, 5, ACC_DX, C | O, ALL & ~(C | O), 0, 0 },
    { 0, 0, 0xf6, 6, ACC_DX, 0, ALL, 0, 0 }, { 0, 0, 0xf6, 7, ACC_DX, 0, ALL, 0, 0 },
    /* shifts and rotates by 1, imm8, CL: the counts' rules in flags_of_shift() */
    { 0, 0, 0xd0, 0, RM, C | O, 0, 0, 0 }, { 0, 0, 0xd0, 1, RM, C | O, 0, 0, 0 }, { 0, 0, 0xd0, 2, RM, C | O, 0, C, 0 }, { 0, 0, 0xd0, 3, RM, C | O, 0, C, 0 },
    { 0, 0, 0xd0, 4, RM, ALL & ~A, A, 0, 0 }, { 0, 0, 0xd0, 5, RM, ALL & ~A, A, 0, 0 }, { 0, 0, 0xd0, 7, RM, ALL & ~A, A, 0, 0 },
    { 0, 0, 0xc0, 0, RM_IMM8, 0, O, 0, 0 }, { 0, 0, 0xc0, 1, RM_IMM8, 0, O, 0, 0 }, { 0, 0, 0xc0, 2, RM_IMM8, 0, O, C, 0 }, { 0, 0, 0xc0, 3, RM_IMM8, 0, O, C, 0 },
    { 0, 0, 0xc0, 4, RM_IMM8, 0, A | O, 0, 0 }, { 0, 0, 0xc0, 5, RM_IMM8, 0, A | O, 0, 0 }, { 0, 0, 0xc0, 7, RM_IMM8, 0, A | O, 0, 0 },
    { 0, 0, 0xc0, 4, RM_IMM8, 0, A | O, 0, 0 }, { 0, 0, 0xc0, 5, RM_IMM8, 0, A | O, 0, 0 }, { 0, 0, 0xc0, 7, RM_IMM8, 0, A | O, 0, 0 },
    { 0, 0, 0xd2, 0, RM, 0, O, 0, SRC_CL }, { 0, 0, 0xd2, 1, RM, 0, O, 0, SRC_CL }, { 0, 0, 0xd2, 2, RM, 0, O, C, SRC_CL }, { 0, 0, 0xd2, 3, RM, 0, O, C, SRC_CL },
    { 0, 0, 0xd2, 4, RM, 0, A | O, 0, SRC_CL }, { 0, 0, 0xd2, 5, RM, 0, A | O, 0, SRC_CL }, { 0, 0, 0xd2, 7, RM, 0, A | O, 0, SRC_CL },
    { 0, 1, 0xa4, 0, RM_R_IMM8, 0, A | O, 0, NOT16 }, { 0, 1, 0xac, 0, RM_R_IMM8, 0, A | O, 0, NOT16 },
    { 0, 1, 0xa5, 0, RM_R, 0, A | O, 0, NOT16 }, { 0, 1, 0xad, 0, RM_R, 0, A | O, 0, NOT16 },
    /* IMUL, bits, MOVBE, CRC32, POPCNT, ADX */
    { 0, 1, 0xaf, 0, R_RM_WIDE, C | O, ALL & ~(C | O), 0, 0 },
    { 0, 1, 0xba, 4, RM_WIDE_IMM8, C, ALL & ~(C | Z), 0, NO_DEST }, { 0, 1, 0xba, 5, RM_WIDE_IMM8, C, ALL & ~(C | Z), 0, LOCKABLE },
    { 0, 1, 0xba, 6, RM_WIDE_IMM8, C, ALL & ~(C | Z), 0, LOCKABLE }, { 0, 1, 0xba, 7, RM_WIDE_IMM8, C, ALL & ~(C | Z), 0, LOCKABLE },
    { 0xf3, 1, 0xb8, 0, R_RM_WIDE, ALL, 0, 0, 0 }, { 0xf3, 1, 0xbc, 0, R_RM_WIDE, C | Z, ALL & ~(C | Z), 0, 0 },
    { 0xf3, 1, 0xbd, 0, R_RM_WIDE, C | Z, ALL & ~(C | Z), 0, 0 },
    { 0x66, 2, 0xf6, 0, R_RM_WIDE, C, 0, C, NOT16 }, { 0xf3, 2, 0xf6, 0, R_RM_WIDE, O, 0, O, NOT16 },
    { 0xf2, 2, 0xf0, 0, R_RM_BYTE, 0, 0, 0, NOT16 }, { 0xf2, 2, 0xf1, 0, R_RM_WIDE, 0, 0, 0, NOT16 },
    { 0, 1, 0xb6, 0, R_RM_BYTE, 0, 0, 0, 0 }, { 0, 1, 0xbe, 0, R_RM_BYTE, 0, 0, 0, 0 }, { 0, 1, 0xb7, 0, R_RM_WORD, 0, 0, 0, 0 },
    { 0, 1, 0xbf, 0, R_RM_WORD, 0, 0, 0, 0 }, { 0, 0, 0x63, 0, R_RM_WIDE, 0, 0, 0, NOT16 },
    { 0, 1, 0xb0, 0, RM_R, ALL, 0, 0, LOCKABLE }, { 0, 1, 0xc0, 0, RM_R, ALL, 0, 0, LOCKABLE | DEST_RM_AND_R },
    /* BMI */
    { 0, 2, 0xf2, 0, VEX_RVM, C | O | S | Z, A | P, 0, 0 }, { 0, 2, 0xf5, 0, VEX_RMV, C | O | S | Z, A | P, 0, 0 },
    { 0, 2, 0xf7, 0, VEX_RMV, C | O | Z, A | P | S, 0, 0 },
    { 0x66, 2, 0xf7, 0, VEX_RMV, 0, 0, 0, 0 }, { 0xf3, 2, 0xf7, 0, VEX_RMV, 0, 0, 0, 0 }, { 0xf2, 2, 0xf7, 0, VEX_RMV, 0, 0, 0, 0 },
    { 0xf3, 2, 0xf5, 0, VEX_RVM, 0, 0, 0, 0 }, { 0xf2, 2, 0xf5, 0, VEX_RVM, 0, 0, 0, 0 }, { 0xf2, 2, 0xf6, 0, VEX_RVM, 0, 0, 0, DEST_RM_AND_R },
    { 0xf2, 3, 0xf0, 0, VEX_RM_IMM8, 0, 0, 0, 0 },
    { 0, 2, 0xf3, 1, VEX_VM, C | O | S | Z, A | P, 0, 0 }, { 0, 2, 0xf3, 2, VEX_VM, C | O | S | Z, A | P, 0, 0 }, { 0, 2, 0xf3, 3, VEX_VM, C | O | S | Z, A | P, 0, 0 },
};

static const uint16_t cc_reads[8] = { O, C, Z, C | Z, S, P, S | O, S | O | Z };

/* Immediates that select every length of encoding. */
static uint64_t immediate(void)
{
    return one_in(2) ? (uint64_t)(int8_t)rnd(256) : isa_interesting();
}

/* What a shift by a known count does: SDM Vol.2, SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR. */
static void flags_of_shift(Node *n, const Row *row, unsigned count, bool w)
{
    bool rotate = row->digit < 4 && row->shape == RM_IMM8;

    count &= w ? 63 : 31;
    if (count == 0) {
        n->undefines = 0;
    } else if (rotate) {
        n->defines = count == 1 ? C | O : 0;        /* by the whole width of 8 or 16 bits: let it be unknown */
    } else {
        n->defines = count == 1 && row->shape == RM_IMM8 ? ALL & ~A : C | P | Z | S;
        n->undefines = count == 1 && row->shape == RM_IMM8 ? A : A | O;
    }
}

/* @size: 1, 2, 4, 8.  Prefixes, opcode with its width bit, operand. */
static void put_sized(Node *n, const Row *row, unsigned size, unsigned reg, const Operand *rm, bool has_byte_form)
{
    put_osize(n, size);
    put_op(n, row->pp, size == 8, row->map, row->op | (has_byte_form && size > 1), reg, rm, size == 1);
}

static unsigned random_size(const Gen *g, const Row *row, bool bytes)
{
    static const uint8_t sizes[] = { 4, 8, 4, 8, 2, 1 };

    for (;;) {
        unsigned size = sizes[rnd(6)];

        if (size <= (g->mode != ISA_64 ? 4 : 8) && (size > 1 || bytes) && (size != 2 || !(row->flags & NOT16))) {
            return size;
        }
    }
}

static unsigned legacy_dest(Gen *g, unsigned size, bool no_dest)
{
    unsigned reg = no_dest ? gen_any(g) : gen_dest(g);

    /* 4..7 may be AH..BH, which are no pointers but BH */
    return size == 1 && no_dest ? gen_any(g) : reg;
}

static void begin(Node *n, const Row *row)
{
    n->defines = row->defines;
    n->undefines = row->undefines;
    n->reads = row->reads;
}

static void gen_legacy(Gen *g, const Row *row)
{
    bool bytes = row->shape == RM_R || row->shape == R_RM || row->shape == RM || row->shape == RM_IMM || row->shape == RM_IMM8;
    unsigned size = random_size(g, row, bytes && row->op != 0xa5 && row->op != 0xad);
    bool no_dest = row->flags & NO_DEST, mem = one_in(3), has_width = bytes && row->op != 0xa5 && row->op != 0xad;
    unsigned reg = row->shape == R_RM || row->shape == R_RM_WIDE || row->flags & DEST_RM_AND_R ? legacy_dest(g, size, no_dest) : gen_any(g);
    Operand rm = mem ? gen_mem(g, 1) : op_reg(legacy_dest(g, size, no_dest));
    uint64_t imm = immediate();
    Node *n = gen_node(g, N_INSN);

    begin(n, row);
    if (mem && row->flags & LOCKABLE && one_in(5)) {
        PUT(n, 0xf0);
    }
    switch (row->shape) {
    case RM_R: case R_RM: case R_RM_WIDE:
        put_sized(n, row, size, reg, &rm, has_width);
        break;
    case RM:
        put_sized(n, row, size, row->digit, &rm, true);
        break;
    case RM_IMM:
        if (size > 1 && one_in(2)) {
            put_osize(n, size);
            put_op(n, 0, size == 8, 0, 0x83, row->digit, &rm, false);
            put_imm(n, imm, 1);
        } else {
            put_sized(n, row, size, row->digit, &rm, true);
            put_imm(n, imm, MIN(size, 4));
        }
        break;
    case RM_IMM8: case RM_WIDE_IMM8:
        put_sized(n, row, size, row->digit, &rm, row->shape == RM_IMM8);
        put_imm(n, imm, 1);
        break;
    default:    /* RM_R_IMM8 */
        put_sized(n, row, size, reg, &rm, false);
        put_imm(n, imm, 1);
        break;
    }
    if (row->shape == RM_IMM8 || row->shape == RM_R_IMM8) {
        flags_of_shift(n, row, imm & 0xff, size == 8);
    }
}

static void gen_extend(Gen *g, const Row *row)
{
    bool mem = one_in(2);
    Operand rm = mem ? gen_mem(g, 1) : op_reg(gen_any(g));
    unsigned reg = gen_dest(g), size = random_size(g, row, false);
    Node *n = gen_node(g, N_INSN);

    begin(n, row);
    if (row->shape == R_RM_BYTE) {
        put_osize(n, size);
    }
    put_op(n, row->pp, size == 8, row->map, row->op, reg, &rm, row->shape == R_RM_BYTE);
}

static void gen_vex_int(Gen *g, const Row *row)
{
    Operand rm = one_in(3) ? gen_mem(g, 1) : op_reg(gen_any(g));
    unsigned d = gen_dest(g), v = row->flags & DEST_RM_AND_R ? gen_dest(g) : gen_any(g), w = rnd(2), imm = rnd(256);
    Node *n = gen_node(g, N_INSN);

    begin(n, row);
    if (row->shape == VEX_VM) {
        put_vex(n, row->pp, w, 0, row->map, row->op, row->digit, d, &rm);
    } else {
        put_vex(n, row->pp, w, 0, row->map, row->op, d, row->shape == VEX_RM_IMM8 ? 0 : v, &rm);
    }
    if (row->shape == VEX_RM_IMM8) {
        put_imm(n, imm, 1);
    }
}

/* MUL and DIV; the dividend is mostly made to fit. */
static void gen_muldiv(Gen *g, const Row *row)
{
    bool is_div = row->digit >= 6;
    unsigned size = random_size(g, row, true);
    Operand rm = one_in(3) ? gen_mem(g, 1) : op_reg(gen_any(g));
    Node *n;

    if (is_div && !one_in(g->faults ? 6 : 40)) {
        if (size == 1) {
            Operand ax = op_reg(0);

            n = gen_node(g, N_INSN);            /* movzx eax, al */
            put_op(n, 0, 0, 1, 0xb6, 0, &ax, false);
        } else if (row->digit == 7) {
            n = gen_node(g, N_INSN);            /* cwd, cdq, cqo */
            put_osize(n, size);
            if (size == 8) {
                PUT(n, 0x48);
            }
            PUT(n, 0x99);
        } else {
            gen_mov_imm(g, 2, rnd(3) ? 0 : rnd(16));
        }
        if (!rm.is_mem) {
            rm.reg = rm.reg == 2 ? 1 : rm.reg;
            n = gen_node(g, N_INSN);            /* or reg, imm8: seldom zero */
            n->defines = ALL & ~A;
            n->undefines = A;
            if (g->reserved >> rm.reg & 1) {
                rm.reg = 1;
            }
            put_op(n, 0, size == 8, 0, 0x83, 1, &rm, false);
            put_imm(n, 1 + rnd(120), 1);
        }
    }
    n = gen_node(g, N_INSN);
    begin(n, row);
    put_sized(n, row, size, row->digit, &rm, true);
}

static void gen_row(Gen *g)
{
    const Row *row = &rows[rnd(ARRAY_SIZE(rows))];

    if (g->mode != ISA_64 && row->op == 0x63) {
        return;                             /* MOVSXD is ARPL there */
    }
    switch (row->shape) {
    case R_RM_BYTE: case R_RM_WORD:
        gen_extend(g, row);
        return;
    case VEX_RVM: case VEX_RMV: case VEX_VM: case VEX_RM_IMM8:
        if (native_has_avx()) {
            gen_vex_int(g, row);
        }
        return;
    case ACC_DX:
        if (!one_in(3)) {
            gen_muldiv(g, row);
        }
        return;
    default:
        gen_legacy(g, row);
    }
}

static void gen_cc(Gen *g)
{
    unsigned cc = rnd(16), what = rnd(3), d = gen_dest(g);
    Operand rm = one_in(3) ? gen_mem(g, 1) : op_reg(what ? gen_any(g) : d);
    bool w = rnd(2);
    Node *n = gen_node(g, N_INSN);

    n->reads = cc_reads[cc >> 1];
    if (what == 0) {
        put_op(n, 0, 0, 1, 0x90 | cc, 0, &rm, true);
    } else {
        put_op(n, 0, w, 1, 0x40 | cc, d, &rm, false);
    }
}

static void gen_lea(Gen *g)
{
    Operand rm = { .is_mem = true, .reg = (uint8_t)gen_any(g), .index = one_in(2) ? (uint8_t)gen_any(g) : 0xff,
                   .scale = (uint8_t)rnd(4), .disp = (int32_t)immediate() };
    unsigned d = gen_dest(g), size = rnd(3);
    Node *n;

    rm.index = rm.index == 4 ? 0xff : rm.index;
    n = gen_node(g, N_INSN);
    if (one_in(8) && g->mode == ISA_64) {
        PUT(n, 0x67);
    }
    if (size == 0) {
        PUT(n, 0x66);
    }
    put_op(n, 0, size == 2, 0, 0x8d, d, &rm, false);
}

/* Pointers move a little. */
static void gen_move_pointer(Gen *g)
{
    static const uint8_t pointers[] = { 3, 6, 7 };
    Operand rm = op_reg(pointers[rnd(3)]);
    bool sub = one_in(2);
    Node *n = gen_node(g, N_INSN);

    n->defines = ALL;
    put_op(n, 0, 1, 0, 0x83, sub ? 5 : 0, &rm, false);
    put_imm(n, rnd(64), 1);
}

static void gen_small_index(Gen *g)
{
    Operand rm = one_in(2) ? gen_mem(g, 1) : op_reg(rnd(4));
    bool sign = one_in(2);
    Node *n = gen_node(g, N_INSN);

    put_op(n, 0, sign, 1, sign ? 0xbe : 0xb6, g->mode != ISA_64 ? rnd(3) : 12, &rm, true);
}

/* What 64-bit mode has not: INC, DEC, decimal adjustments, PUSHA, POPA, BOUND, INTO. */
static void gen_short32(Gen *g)
{
    static const struct { uint8_t n, b[2]; uint16_t reads, defines, undefines; } some[] = {
        { 1, { 0x40 }, 0, ALL & ~C, 0 }, { 1, { 0x41 }, 0, ALL & ~C, 0 }, { 1, { 0x4a }, 0, ALL & ~C, 0 }, { 1, { 0x48 }, 0, ALL & ~C, 0 },
        { 1, { 0x27 }, A | C, ALL & ~O, O }, { 1, { 0x2f }, A | C, ALL & ~O, O }, { 1, { 0x37 }, A, A | C, ALL & ~(A | C) },
        { 1, { 0x3f }, A, A | C, ALL & ~(A | C) }, { 2, { 0xd4, 10 }, 0, S | Z | P, O | A | C }, { 2, { 0xd5, 10 }, 0, S | Z | P, O | A | C },
        { 2, { 0xd4, 7 }, 0, S | Z | P, O | A | C }, { 2, { 0xd5, 200 }, 0, S | Z | P, O | A | C },
        { 1, { 0x60 }, 0, 0, 0 }, { 1, { 0x61 }, 0, 0, 0 }, { 2, { 0x66, 0x60 }, 0, 0, 0 }, { 1, { 0xce }, O, 0, 0 },
        { 2, { 0x62, 0x03 }, 0, 0, 0 }, { 1, { 0xd6 }, C, 0, 0 },
    };
    unsigned k = rnd(ARRAY_SIZE(some)), pairs = some[k].b[0] == 0x60 && one_in(2) ? 2 : 1;

    if (some[k].b[0] == 0x61 || (some[k].b[0] == 0xce || some[k].b[0] == 0x62 ? !one_in(8) : false)) {
        return;                             /* POPA after PUSHA only; traps seldom */
    }
    for (unsigned i = 0; i < pairs; i++) {
        Node *n = gen_node(g, N_INSN);

        if (i) {
            PUT(n, 0x61);
            break;
        }
        put_bytes(n, some[k].b, some[k].n);
        n->reads = some[k].reads;
        n->defines = some[k].defines;
        n->undefines = some[k].undefines;
    }
}

/* LAHF, SAHF, CMC, CLC, STC, CLD, STD, CBW.., XCHG with RAX, BSWAP, NOP. */
static void gen_short(Gen *g)
{
    static const struct { uint8_t n, b[4]; uint16_t reads, defines; } some[] = {
        { 1, { 0x9f }, ALL & ~O, 0 }, { 1, { 0x9e }, 0, ALL & ~O }, { 1, { 0xf5 }, C, C }, { 1, { 0xf8 }, 0, C }, { 1, { 0xf9 }, 0, C },
        { 1, { 0xfc }, 0, 0 }, { 1, { 0x98 }, 0, 0 }, { 2, { 0x48, 0x98 }, 0, 0 }, { 2, { 0x66, 0x98 }, 0, 0 }, { 1, { 0x99 }, 0, 0 },
        { 2, { 0x48, 0x99 }, 0, 0 }, { 1, { 0x90 }, 0, 0 }, { 2, { 0xf3, 0x90 }, 0, 0 }, { 4, { 0x0f, 0x1f, 0x40, 0 }, 0, 0 },
        { 1, { 0x91 }, 0, 0 }, { 2, { 0x49, 0x90 }, 0, 0 }, { 2, { 0x49, 0x95 }, 0, 0 }, { 2, { 0x0f, 0xc8 }, 0, 0 }, { 3, { 0x48, 0x0f, 0xca }, 0, 0 },
        { 3, { 0x4d, 0x0f, 0xce & 0xc9 }, 0, 0 }, { 1, { 0xd7 }, 0, 0 },
    };
    unsigned k = rnd(ARRAY_SIZE(some) - 1);     /* XLAT last: AL added to RBX */
    Node *n;

    if (g->mode != ISA_64 && ((some[k].b[0] & 0xf0) == 0x40 || some[k].b[1] == 0xc8)) {     /* BSWAP: not of 16 bits */
        gen_short32(g);
        return;
    }
    n = gen_node(g, N_INSN);

    put_bytes(n, some[k].b, some[k].n);
    n->reads = some[k].reads;
    n->defines = some[k].defines;
}

static void gen_imul3(Gen *g)
{
    Operand rm = one_in(3) ? gen_mem(g, 1) : op_reg(gen_any(g));
    unsigned d = gen_dest(g), w = rnd(2);
    bool byte = one_in(2);
    uint64_t imm = immediate();
    Node *n = gen_node(g, N_INSN);

    n->defines = C | O;
    n->undefines = ALL & ~(C | O);
    put_osize(n, 4);
    put_op(n, 0, w, 0, byte ? 0x6b : 0x69, d, &rm, false);
    put_imm(n, imm, byte ? 1 : 4);
}

/* mov r, imm; mov r/m, imm */
static void gen_move_imm(Gen *g)
{
    unsigned d = gen_dest(g), size = 1u << rnd(g->mode != ISA_64 ? 3 : 4);
    Operand rm = one_in(2) ? gen_mem(g, 1) : op_reg(d);
    uint64_t imm = isa_interesting();
    Node *n;

    if (one_in(4) && g->mode == ISA_64) {
        n = gen_node(g, N_INSN);
        PUT(n, 0x48 | d >> 3, 0xb8 | (d & 7));
        put_imm(n, imm, 8);
        return;
    }
    n = gen_node(g, N_INSN);
    put_osize(n, size);
    put_op(n, 0, size == 8, 0, size == 1 ? 0xc6 : 0xc7, 0, &rm, size == 1);
    put_imm(n, imm, MIN(size, 4));
}

/* BT BTS BTR BTC r/m, r: a memory operand reaches as far as the register says, so mask it. */
static void gen_bit_test(Gen *g)
{
    unsigned which = rnd(4), r = gen_dest(g), w = rnd(2);
    bool mem = one_in(2);
    Operand rm = mem ? gen_mem(g, 1) : op_reg(gen_dest(g)), self = op_reg(r);
    Node *n;

    if (mem) {
        n = gen_node(g, N_INSN);
        n->defines = ALL & ~A;
        n->undefines = A;
        put_osize(n, 4);
        put_op(n, 0, 0, 0, 0x81, 4, &self, false);
        put_imm(n, 0x3ff, 4);
        if (rm.reg == r || rm.index == r) {
            return;
        }
    }
    n = gen_node(g, N_INSN);
    n->defines = C;
    n->undefines = ALL & ~(C | Z);
    if (mem && which && one_in(4)) {
        PUT(n, 0xf0);
    }
    put_op(n, 0, w, 1, 0xa3 | which << 3, r, &rm, false);
}

/* CMPXCHG8B and 16B; MOVBE; XLAT */
static void gen_rare(Gen *g)
{
    Operand rm;
    unsigned d = gen_dest(g), what = rnd(4), w = rnd(2);
    Node *n;

    rm = gen_mem(g, what == 1 ? 16 : 1);
    n = gen_node(g, N_INSN);
    if (what <= 1) {
        n->defines = Z;
        if (one_in(2)) {
            PUT(n, 0xf0);
        }
        put_op(n, 0, what == 1, 1, 0xc7, 1, &rm, false);
    } else {
        put_op(n, 0, w, 2, 0xf0 | (what == 2), d, &rm, false);
    }
}

void gen_integer(Gen *g)
{
    static void (*const others[])(Gen *) = {
        gen_cc, gen_cc, gen_cc, gen_lea, gen_lea, gen_move_pointer, gen_small_index, gen_short, gen_imul3, gen_move_imm,
        gen_move_imm, gen_bit_test, gen_rare,
    };

    if (one_in(3)) {
        others[rnd(ARRAY_SIZE(others))](g);
    } else {
        gen_row(g);
    }
}

/* --- strings --- */

void gen_string(Gen *g)
{
    static const uint8_t ops[] = { 0xa4, 0xaa, 0xac, 0xa6, 0xae };      /* MOVS STOS LODS CMPS SCAS */
    uint8_t op = ops[rnd(ARRAY_SIZE(ops))];
    unsigned size = 1u << rnd(g->mode != ISA_64 ? 3 : 4), rep = rnd(4);
    bool compares = op == 0xa6 || op == 0xae;
    Node *n;

    if (one_in(12)) {
        n = gen_node(g, N_INSN);
        PUT(n, 0xfd);                       /* STD: until the next CLD */
    } else if (one_in(3)) {
        n = gen_node(g, N_INSN);
        PUT(n, 0xfc);
    }
    if (rep) {
        gen_mov_imm(g, 1, one_in(4) ? rnd(400) : rnd(40));
    }
    n = gen_node(g, N_INSN);
    if (one_in(12) && g->mode != ISA_32) {
        PUT(n, 0x67);                       /* ECX, ESI, EDI: in 64-bit code their upper halves become 0 */
    }
    if (rep) {
        PUT(n, rep == 1 ? 0xf2 : 0xf3);
    }
    put_osize(n, size);
    if (size == 8) {
        PUT(n, 0x48);
    }
    PUT(n, op | (size > 1));
    n->defines = compares && !rep ? ALL : 0;
    n->many = compares && rep;              /* a fault midway: Intel's have the flags of before, AMD's do not */
}
