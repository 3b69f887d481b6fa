/*
 * Whole programs: what stands in a row, in branches, loops, functions; code that changes itself.
 *
 * Registers have roles, the same as in tests/isa/i386's forms, which are used too: RBX, RBP (aligned), RSI and
 * RDI point into the data, RSP to the stack, R12 is a small index, R15 counts loops; the others hold
 * anything.  The roles are kept mostly: a program that loses a pointer ends with a fault, on both sides.
 */
#include "random.h"

enum { ALL = 0x8d5 };

int32_t gen_new_label(Gen *g)
{
    return g->p->n_labels++;
}

void gen_place(Gen *g, int32_t label)
{
    gen_node(g, N_LABEL)->label = label;
}

Node *gen_branch(Gen *g, NodeKind kind, uint8_t op, int32_t label)
{
    static const uint16_t cc_reads[8] = { 0x800, 1, 0x40, 0x41, 0x80, 4, 0x880, 0x8c0 };
    Node *n = gen_node(g, kind);

    n->op = op;
    n->label = label;
    n->is_near = one_in(4);
    n->reads = kind == N_JCC ? cc_reads[op >> 1] : kind == N_LOOP && op < 0xe2 ? 0x40 : 0;
    return n;
}

/* A row of tests/isa/i386. */
static void gen_form(Gen *g)
{
    static const uint8_t pointers[] = { 3, 6, 7 };
    const Form *f;
    Node *n;

    if (g->reserved >> 16 & 1 && !one_in(10)) {
        gen_integer(g);                     /* forms write to any register, the counter too */
        return;
    }
    do {
        f = &g_array_index(g->forms, Form, rnd(g->forms->len));
        /* the many encodings that only exist or not are not what this test is for */
    } while (f->flags & FORM_ONCE || (f->flags & FORM_ANY_FLAGS && !one_in(10)));
    for (unsigned i = 0; i < 3 && f->flags & FORM_ALIGN16; i++) {
        Operand p = op_reg(pointers[i]);

        n = gen_node(g, N_INSN);            /* and reg, -16 */
        n->defines = ALL & ~0x10;
        n->undefines = 0x10;
        put_op(n, 0, 1, 0, 0x83, 4, &p, false);
        put_imm(n, 0xf0, 1);
    }
    n = gen_node(g, N_INSN);
    put_bytes(n, f->code, (unsigned)(f->end - f->code));
    n->many = true;
    n->reads = ALL;
    n->undefines = f->flags & FORM_ANY_FLAGS ? ALL : f->flags & (U_SHIFT_CL | U_ROTATE_CL) ? 0x810 : f->flags & ALL;
}

/* --- the stack --- */

static void gen_push(Gen *g)
{
    unsigned what = rnd(5), reg = gen_any(g);
    Operand rm = gen_mem(g, 1);
    Node *n = gen_node(g, N_INSN);

    switch (what) {
    case 0:
        put_osize(n, 4);
        PUT(n, 0x68);
        put_imm(n, isa_interesting(), 4);
        break;
    case 1:
        PUT(n, 0x6a, rnd(256));
        break;
    case 2:
        put_op(n, 0, 0, 0, 0xff, 6, &rm, false);
        break;
    default:
        if (reg >= 8) {
            PUT(n, 0x41);
        }
        PUT(n, 0x50 | (reg & 7));
    }
}

static void gen_pop(Gen *g)
{
    unsigned reg = gen_dest(g);
    Operand rm = gen_mem(g, 1);
    bool mem = one_in(6);
    Node *n = gen_node(g, N_INSN);

    if (mem) {
        put_op(n, 0, 0, 0, 0x8f, 0, &rm, false);
        return;
    }
    if (reg >= 8) {
        PUT(n, 0x41);
    }
    PUT(n, 0x58 | (reg & 7));
}

static void gen_flags_by_stack(Gen *g)
{
    Node *n = gen_node(g, N_INSN);

    if (one_in(2)) {
        n->reads = ALL;
        PUT(n, 0x9c);                       /* pushfq */
        gen_pop(g);
        return;
    }
    PUT(n, 0x68);                           /* push flags; popfq */
    put_imm(n, 0x202 | (rnd(0x1000) & 0xcd5 & (one_in(4) ? ~0u : ~0x400u)), g->mode == ISA_16 ? 2 : 4);
    n = gen_node(g, N_INSN);
    n->defines = ALL;
    PUT(n, 0x9d);
}

static void gen_stack(Gen *g)
{
    if (one_in(6)) {
        gen_flags_by_stack(g);
        return;
    }
    gen_push(g);
    if (g->depth < 5) {
        g->depth++;
        gen_body(g, rnd(4));
        g->depth--;
    }
    gen_pop(g);
}

/* --- shapes --- */

static void gen_compare(Gen *g)
{
    Operand rm = one_in(3) ? gen_mem(g, 1) : op_reg(gen_any(g));
    unsigned w = rnd(2), reg = gen_any(g);
    bool imm = one_in(2);
    Node *n = gen_node(g, N_INSN);

    n->defines = ALL;
    put_op(n, 0, w, 0, imm ? 0x83 : 0x39, imm ? 7 : reg, &rm, false);
    if (imm) {
        put_imm(n, rnd(256), 1);
    }
}

static void gen_forward(Gen *g)
{
    int32_t skip = gen_new_label(g), end = gen_new_label(g);
    bool has_else = one_in(3);

    if (one_in(2)) {
        gen_compare(g);
    }
    gen_branch(g, N_JCC, (uint8_t)rnd(16), skip);
    gen_body(g, 1 + rnd(6));
    if (has_else) {
        gen_branch(g, N_JMP, 0, end);
    }
    gen_place(g, skip);
    if (has_else) {
        gen_body(g, 1 + rnd(6));
        gen_place(g, end);
    }
}

/* The end of a loop's round on the counter, in the ways compilers have. */
void gen_count_down(Gen *g, int32_t head)
{
    Operand counter = loop_counter(g);
    Node *n = gen_node(g, N_INSN);

    n->defines = ALL;
    switch (rnd(3)) {
    case 0:
        n->defines = ALL & ~1;
        put_op(n, 0, 0, 0, 0xff, 1, &counter, false);      /* dec */
        break;
    case 1:
        put_op(n, 0, 1, 0, 0x83, 5, &counter, false);      /* sub */
        put_imm(n, 1, 1);
        break;
    default:
        put_op(n, 0, 0, 0, 0x83, 0, &counter, false);      /* add -1 */
        put_imm(n, 0xff, 1);
    }
    gen_branch(g, N_JCC, 5, head);
}

static void gen_loop(Gen *g)
{
    int32_t head = gen_new_label(g), out = gen_new_label(g);
    bool nested = g->reserved >> 16 & 1, leaves = one_in(4);
    uint32_t reserved = g->reserved;
    Operand counter = loop_counter(g);
    Node *n;

    if (nested) {
        n = gen_node(g, N_INSN);            /* push counter */
        put_op(n, 0, 0, 0, 0xff, 6, &counter, false);
    }
    gen_set_counter(g, one_in(5) && !nested ? 50 + rnd(400) : 1 + rnd(9));
    g->reserved |= 1u << 16;                /* no register: in a loop */
    gen_place(g, head);
    gen_body(g, 1 + rnd(8));
    if (leaves) {
        gen_compare(g);
        gen_branch(g, N_JCC, (uint8_t)rnd(16), out);
        gen_body(g, rnd(4));
    }
    gen_count_down(g, head);
    gen_place(g, out);
    g->reserved = reserved;
    if (nested) {
        n = gen_node(g, N_INSN);
        put_op(n, 0, 0, 0, 0x8f, 0, &counter, false);
    }
}

/* LOOP.., JRCXZ: RCX counts. */
static void gen_loop_rcx(Gen *g)
{
    int32_t head = gen_new_label(g), out = gen_new_label(g);
    uint32_t reserved = g->reserved;

    gen_mov_imm(g, 1, 1 + rnd(6));
    g->reserved |= 2;
    gen_place(g, head);
    if (one_in(2)) {
        gen_branch(g, N_LOOP, 0xe3, out);
    }
    gen_integer(g);
    if (one_in(2)) {
        gen_compare(g);
    }
    gen_branch(g, N_LOOP, (uint8_t)(0xe0 + rnd(3)), head);
    gen_place(g, out);
    g->reserved = reserved;
}

static void gen_call(Gen *g)
{
    unsigned first = g->fn < g->n_fn ? g->fn + 1 : 0;
    Node *n;
    unsigned reg;

    if (first >= g->n_fn) {
        gen_stack(g);
        return;
    }
    first += rnd(g->n_fn - first);
    if (one_in(3)) {                        /* lea reg, [fn]; call reg */
        reg = gen_dest(g);
        gen_lea_label(g, reg, g->fn_label[first]);
        n = gen_node(g, N_CALL_TO);
        n->label = g->fn_label[first];
        if (reg >= 8) {
            PUT(n, 0x41);
        }
        PUT(n, 0xff, 0xd0 | (reg & 7));
    } else {
        gen_branch(g, N_CALL, 0, g->fn_label[first]);
    }
}

/* To an address from a register, memory, or by RET to one that was pushed. */
static void gen_indirect(Gen *g)
{
    int32_t to = gen_new_label(g);
    unsigned reg = gen_dest(g), what = rnd(3);
    Operand self = op_reg(reg), rm = { .is_mem = true, .reg = 0xff, .index = 0xff, .disp = MEM_COUNTERS };
    Node *n;

    gen_lea_label(g, reg, to);
    if (what == 1) {                        /* through memory */
        n = gen_node(g, N_INSN);
        put_op(n, 0, 1, 0, 0x89, reg, &rm, false);
    } else if (what == 2) {
        n = gen_node(g, N_INSN);
        put_op(n, 0, 0, 0, 0xff, 6, &self, false);
    }
    n = gen_node(g, N_JUMP_TO);
    n->label = to;
    if (what == 2) {
        PUT(n, 0xc3);
    } else {
        put_op(n, 0, 0, 0, 0xff, 4, what ? &rm : &self, false);
    }
    if (one_in(2)) {
        gen_body(g, rnd(3));                    /* jumped over */
    }
    gen_place(g, to);
}

/* In a loop: each round writes over bytes that it or the next one runs, by a store, a read-modify-write or a vector. */
static void gen_patch_in_loop(Gen *g)
{
    int32_t insn = gen_new_label(g), head = gen_new_label(g);
    bool before = one_in(2), opcode = one_in(3);
    unsigned reg = gen_dest(g), what = rnd(4), other = gen_any(g);
    uint32_t reserved = g->reserved;
    int32_t imm = g->mode != ISA_64 ? 2 : 3;        /* where the immediate stands */
    Node *n;

    if (reserved >> 16 & 1 || g->mode == ISA_16) {      /* the segments of 16-bit data do not reach the code */
        gen_integer(g);
        return;
    }
    gen_set_counter(g, 2 + rnd(one_in(4) ? 60 : 8));
    g->reserved |= 1u << 16;
    gen_place(g, head);
    for (unsigned k = 0; k < 2; k++) {
        if ((k == 0) != before) {
            gen_place(g, insn);
            n = gen_node(g, N_INSN);        /* op reg, imm32; XOR has ADD's bytes but for the middle of ModRM */
            n->defines = ALL & ~0x10;
            n->undefines = 0x10;
            n->may_change = true;
            put_rex(n, 8 | reg >> 3);
            PUT(n, 0x81, 0xc0 | (rnd(2) * 6) << 3 | (reg & 7));
            put_imm(n, isa_interesting(), 4);
        } else {
            n = gen_node(g, N_INSN);
            n->label = insn;
            if (opcode) {                   /* xor byte [ModRM], 30h: ADD or XOR by turns */
                n->defines = ALL & ~0x10;
                n->undefines = 0x10;
                PUT(n, 0x80, 0x35);
                n->label_add = imm - 1;
            } else if (what == 0) {         /* add dword [imm], imm8 */
                n->defines = ALL;
                PUT(n, 0x83, 0x05);
                n->label_add = imm;
            } else if (what == 1) {         /* mov [imm], r32 */
                put_rex(n, (other >> 3) << 2);
                PUT(n, 0x89, 0x05 | (other & 7) << 3);
                n->label_add = imm;
            } else if (what == 2) {         /* movd [imm], xmm */
                PUT(n, 0x66, 0x0f, 0x7e, 0x05 | (other & 7) << 3);
                n->label_add = imm;
            } else {                        /* lock xadd [imm], r32 */
                n->defines = ALL;
                other = reg;
                PUT(n, 0xf0);
                put_rex(n, (other >> 3) << 2);
                PUT(n, 0x0f, 0xc1, 0x05 | (other & 7) << 3);
                n->label_add = imm;
            }
            n->rip_at = n->len;
            put_imm(n, 0, 4);
            if (opcode) {
                PUT(n, 0x30);
            } else if (what == 0) {
                PUT(n, rnd(256));
            }
        }
        if (k == 0) {
            gen_body(g, rnd(4));
        }
    }
    gen_count_down(g, head);
    g->reserved = reserved;
}

/* mov byte [immediate of an instruction], x, before or after it runs. */
static void gen_self_modifying(Gen *g)
{
    int32_t insn = gen_new_label(g);
    unsigned reg = gen_dest(g);
    bool before = one_in(2);
    int32_t imm = g->mode != ISA_64 ? 2 : 3;
    Node *n;

    for (unsigned k = 0; k < 2; k++) {
        if ((k == 0) == before) {
            n = gen_node(g, N_INSN);        /* mov byte [rip + insn + 2], imm8 */
            PUT(n, 0xc6, 0x05);
            n->rip_at = n->len;
            n->label = insn;
            n->label_add = imm + (int32_t)rnd(4);
            put_imm(n, 0, 4);
            PUT(n, rnd(256));
        } else {
            gen_place(g, insn);
            n = gen_node(g, N_INSN);        /* mov reg, imm32 */
            n->may_change = true;
            put_rex(n, 8 | reg >> 3);
            PUT(n, 0xc7, 0xc0 | (reg & 7));
            put_imm(n, isa_interesting(), 4);
        }
        if (k == 0) {
            gen_body(g, rnd(5));
        }
    }
}

static void gen_shape(Gen *g)
{
    if (g->depth >= 5) {
        gen_integer(g);
        return;
    }
    g->depth++;
    switch (rnd(12)) {
    case 0: case 1: case 2: case 3:
        gen_forward(g);
        break;
    case 4: case 5: case 6:
        gen_loop(g);
        break;
    case 7:
        gen_loop_rcx(g);
        break;
    case 8: case 9:
        gen_call(g);
        break;
    case 10:
        gen_indirect(g);
        break;
    default:
        switch (rnd(4)) {
        case 0:
            if (g->mode != ISA_16) {
                gen_self_modifying(g);
            }
            break;
        case 1:
            gen_patch_in_loop(g);
            break;
        default:
            gen_forward(g);
        }
    }
    g->depth--;
}

void gen_body(Gen *g, unsigned n)
{
    static void (*const families[])(Gen *) = {
        gen_integer, gen_simd, gen_avx, gen_x87, gen_string, gen_form, gen_stack, gen_shape, gen_row_of_accesses,
    };
    unsigned sum = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(families); i++) {
        sum += g->weight[i];
    }
    for (unsigned k = 0; k < n && g->budget > 0; k++) {
        unsigned r = rnd(sum), i = 0;

        while (r >= g->weight[i]) {
            r -= g->weight[i++];
        }
        families[i](g);
    }
}

/* What the program is mostly made of. */
static void choose_weights(Gen *g)
{
    static const uint8_t themes[][9] = {
        /* int simd avx x87 str form stack shape accesses */
        { 40, 0, 0, 0, 1, 0, 6, 10, 2 }, { 40, 0, 0, 0, 1, 10, 6, 12, 2 }, { 20, 20, 0, 0, 0, 4, 2, 6, 1 }, { 12, 4, 30, 0, 0, 4, 2, 6, 1 },
        { 12, 0, 0, 30, 0, 2, 2, 6, 0 }, { 10, 6, 6, 10, 0, 0, 1, 4, 1 }, { 20, 5, 5, 5, 3, 10, 5, 8, 2 }, { 10, 0, 0, 0, 8, 2, 2, 4, 2 },
        { 10, 2, 2, 2, 1, 40, 2, 4, 0 }, { 30, 2, 2, 1, 0, 0, 8, 30, 2 }, { 20, 2, 2, 2, 1, 2, 10, 6, 20 }, { 4, 2, 0, 40, 0, 0, 0, 4, 4 },
    };
    unsigned t = rnd(ARRAY_SIZE(themes));

    for (unsigned i = 0; i < ARRAY_SIZE(g->weight); i++) {
        g->weight[i] = themes[t][i];
    }
}

static void gen_functions(Gen *g)
{
    for (g->fn = 0; g->fn < g->n_fn; g->fn++) {
        Node *n;

        gen_place(g, g->fn_label[g->fn]);
        g->budget = 12;
        gen_body(g, 1 + rnd(5));
        n = gen_node(g, N_RET);
        PUT(n, 0xc3);
    }
}

/* Where a flag is read that is undefined, compare something before. */
static bool define_flags(Gen *g)
{
    unsigned where;

    for (unsigned tries = 0; tries < 200; tries++) {
        Node n;

        if (program_follow_flags(g->p, &where)) {
            return true;
        }
        gen_compare(g);
        n = *PROGRAM_NODE(g->p, g->p->nodes->len - 1);
        g_array_set_size(g->p->nodes, g->p->nodes->len - 1);
        g_array_insert_val(g->p->nodes, where, n);
    }
    return false;
}

static Program *try_program(GArray *const forms[3], bool fallbacks)
{
    g_autoptr(Program) p = program_new();
    IsaMode mode = one_in(4) ? ISA_32 : one_in(8) ? ISA_16 : ISA_64;
    Gen g = { .p = p, .fallbacks = fallbacks, .faults = one_in(3), .n_fn = rnd(4) };
    uint8_t code[ISA_HOLE_SIZE];

    p->mode = g.mode = native_has_mode(mode) ? mode : ISA_64;
    g.forms = forms[g.mode];
    g.reserved = 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 12 | 1u << 15;
    g.fn = g.n_fn;
    choose_weights(&g);
    for (unsigned i = 0; i < g.n_fn; i++) {
        g.fn_label[i] = gen_new_label(&g);
    }
    p->start = one_in(3) ? 0 : one_in(2) ? 4096 - 8 - rnd(200) : 5 + rnd(2000);
    g.budget = 5 + (int)rnd(one_in(4) ? 150 : 50);
    gen_body(&g, 1000);
    PUT(gen_node(&g, N_INSN), 0xcc);
    gen_functions(&g);
    return define_flags(&g) && program_layout(p, code) ? g_steal_pointer(&p) : NULL;
}

Program *gen_program(GArray *const forms[3], bool fallbacks)
{
    Program *p;

    do {
        p = try_program(forms, fallbacks);
    } while (!p);
    return p;
}
