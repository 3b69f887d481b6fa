/*
 * Rows of accesses off one register: what a translator may check once for all of them.  Members of a structure, a frame's
 * pushes and pops, a pointer that walks through memory in a loop; often across the edge of a page with other rights.
 */
#include "random.h"

enum { C = 0x1, P = 0x4, A = 0x10, Z = 0x40, S = 0x80, O = 0x800, ALL = C | P | A | Z | S | O };

static Operand at(unsigned base, int32_t disp)
{
    return (Operand){ .is_mem = true, .reg = (uint8_t)base, .index = 0xff, .disp = disp };
}

/* op [m], r; op r, [m]; op [m], imm8: ADD OR AND SUB XOR CMP. */
static void gen_alu(Gen *g, unsigned size, const Operand *rm, bool store)
{
    static const uint8_t digits[] = { 0, 1, 4, 5, 6, 7 };
    unsigned digit = digits[rnd(ARRAY_SIZE(digits))], reg = store ? gen_any(g) : gen_dest(g);
    bool logic = digit == 1 || digit == 4 || digit == 6, imm = store && one_in(3);
    Node *n = gen_node(g, N_INSN);

    n->defines = logic ? ALL & ~A : ALL;
    n->undefines = logic ? A : 0;
    put_osize(n, size);
    if (imm) {
        put_op(n, 0, size == 8, 0, size == 1 ? 0x80 : 0x83, digit, rm, size == 1);
        put_imm(n, rnd(256), 1);
    } else {
        put_op(n, 0, size == 8, 0, (uint8_t)(digit << 3 | (store ? 0 : 2) | (size > 1)), reg, rm, size == 1);
    }
}

static void gen_mov(Gen *g, unsigned size, const Operand *rm, bool store)
{
    unsigned reg = store ? gen_any(g) : gen_dest(g);
    bool imm = store && one_in(4);
    Node *n = gen_node(g, N_INSN);

    put_osize(n, size);
    put_op(n, 0, size == 8, 0, (uint8_t)((imm ? 0xc6 : store ? 0x88 : 0x8a) | (size > 1)), imm ? 0 : reg, rm, size == 1);
    if (imm) {
        put_imm(n, isa_interesting(), MIN(size, 4));
    }
}

/* MOVUPS, VMOVUPS; MOVSD and MOVSS; MOVAPS, which is seldom aligned. */
static void gen_mov_vector(Gen *g, unsigned size, const Operand *rm, bool store)
{
    Node *n = gen_node(g, N_INSN);
    uint8_t op = (one_in(20) ? 0x28 : 0x10) | store;

    if (native_has_avx() && (size == 32 || one_in(2))) {
        put_vex(n, 0, 0, size == 32, 1, op, rnd(8), 0, rm);
    } else if (size == 16) {
        put_op(n, 0, 0, 1, op, rnd(8), rm, false);
    } else {
        put_op(n, size == 8 ? 0xf2 : 0xf3, 0, 1, 0x10 | store, rnd(8), rm, false);
    }
}

static void gen_access(Gen *g, unsigned size, const Operand *rm, bool store)
{
    if (size > 8 || (size >= 4 && one_in(6))) {
        gen_mov_vector(g, size, rm, store);
    } else if (one_in(4)) {
        gen_alu(g, size, rm, store);
    } else {
        gen_mov(g, size, rm, store);
    }
}

/* reg += by, without flags or with. */
static void gen_advance(Gen *g, unsigned reg, int32_t by)
{
    Operand rm = op_reg(reg), m = at(reg, by);
    bool lea = one_in(2);
    Node *n = gen_node(g, N_INSN);

    if (lea) {
        put_op(n, 0, 1, 0, 0x8d, reg, &m, false);
    } else {
        n->defines = ALL;
        put_op(n, 0, 1, 0, 0x83, 0, &rm, false);
        put_imm(n, (uint64_t)by, 1);
    }
}

static unsigned random_size(void)
{
    return one_in(3) ? 8 : 1u << rnd(native_has_avx() ? 6 : 5);
}

/* Accesses off @base, mostly side by side and in order. */
static void gen_members_at(Gen *g, unsigned base, int32_t disp, unsigned count)
{
    unsigned size = random_size(), what = rnd(4);
    int32_t step = one_in(4) ? -(int32_t)size : (int32_t)size;

    for (unsigned k = 0; k < count; k++) {
        bool store = what == 0 || (what == 1 ? one_in(2) : what == 2 && k == count - 1);
        Operand rm = at(base, disp);

        gen_access(g, size, &rm, store);
        disp += one_in(6) ? step * (int32_t)rnd(4) : step;
        if (one_in(8)) {
            size = random_size();
        }
        if (one_in(10)) {
            gen_integer(g);
        } else if (one_in(12) && base != 4) {
            gen_advance(g, base, (int32_t)rnd(64) - 32);
        }
    }
}

static void gen_members(Gen *g)
{
    static const uint8_t bases[] = { 3, 5, 6, 7, 4 };
    unsigned base = bases[rnd(ARRAY_SIZE(bases))];

    gen_members_at(g, base, base == 4 ? (int32_t)rnd(8) * 8 : (int32_t)rnd(160) - 80, 2 + rnd(7));
}

/* The same in an island of data in the code, which no store may take for instructions; seldom it misses. */
static void gen_island(Gen *g)
{
    int32_t island = gen_new_label(g), over = gen_new_label(g);
    unsigned reg = gen_dest(g);
    uint32_t reserved = g->reserved;
    Node *n;

    if (g->mode == ISA_16) {
        gen_members(g);                     /* the segments of data do not reach the code */
        return;
    }
    gen_lea_label(g, reg, island);
    gen_branch(g, N_JMP, 0, over);
    gen_place(g, island);
    n = gen_node(g, N_INSN);
    n->may_change = true;
    for (unsigned k = 0; k < ISA_FORM_MAX / 8; k++) {
        put_imm(n, isa_interesting(), 8);
    }
    gen_place(g, over);
    g->reserved |= 1u << reg;
    gen_members_at(g, reg, 24 + (int32_t)rnd(16), 1 + rnd(4));
    g->reserved = reserved;
}

static void gen_push_pop(Gen *g, bool pop, unsigned reg)
{
    Node *n = gen_node(g, N_INSN);

    if (reg >= 8) {
        PUT(n, 0x41);
    }
    PUT(n, (pop ? 0x58 : 0x50) | (reg & 7));
}

/* A function's frame: pushes, locals, and back; now and then the pops are fewer or of other registers. */
static void gen_frame(Gen *g)
{
    uint8_t saved[8];
    unsigned count = 1 + rnd(ARRAY_SIZE(saved)), locals = rnd(3) ? 8 * rnd(12) : 0;
    bool locals_by_lea = one_in(3);

    for (unsigned k = 0; k < count; k++) {
        saved[k] = (uint8_t)gen_dest(g);
        gen_push_pop(g, false, one_in(4) ? gen_any(g) : saved[k]);
    }
    if (locals) {
        Operand rsp = op_reg(4), below = at(4, -(int32_t)locals);
        Node *n = gen_node(g, N_INSN);
        if (locals_by_lea) {
            put_op(n, 0, 1, 0, 0x8d, 4, &below, false);
        } else {
            n->defines = ALL;
            put_op(n, 0, 1, 0, 0x83, 5, &rsp, false);
            put_imm(n, locals, 1);
        }
    }
    for (unsigned k = rnd(5); k; k--) {
        unsigned size = 1u << rnd(4);
        Operand rm = at(4, (int32_t)rnd(locals + 8 * count));
        gen_access(g, size, &rm, one_in(2));
    }
    if (g->depth < 4 && one_in(2)) {
        g->depth++;
        gen_body(g, rnd(4));
        g->depth--;
    }
    if (locals) {
        gen_advance(g, 4, (int32_t)locals);
    }
    while (count) {
        gen_push_pop(g, true, saved[--count]);
    }
}

/* A loop over memory: it may meet the end of what it may read or write in any round. */
static void gen_walk(Gen *g)
{
    static const uint8_t pointers[] = { 3, 6, 7 };
    int32_t head = gen_new_label(g);
    uint32_t reserved = g->reserved;
    unsigned count = 1 + rnd(3), step = 1u << rnd(6);

    if (reserved >> 16 & 1) {
        gen_members(g);
        return;
    }
    gen_set_counter(g, 2 + rnd(one_in(2) ? 200 : 20));
    g->reserved |= 1u << 16;
    gen_place(g, head);
    for (unsigned k = 0; k < count; k++) {
        unsigned p = pointers[rnd(3)];
        Operand rm = at(p, one_in(2) ? 0 : (int32_t)rnd(64) - 32);

        gen_access(g, random_size(), &rm, one_in(2));
        if (one_in(3)) {
            gen_integer(g);
        }
        gen_advance(g, p, one_in(5) ? -(int32_t)step : (int32_t)step);
    }
    gen_count_down(g, head);
    g->reserved = reserved;
}

void gen_row_of_accesses(Gen *g)
{
    switch (rnd(6)) {
    case 0:
        gen_walk(g);
        break;
    case 1: case 2:
        gen_frame(g);
        break;
    case 3:
        gen_island(g);
        break;
    default:
        gen_members(g);
    }
}
