/*
 * SSE, AVX, FMA and MMX instructions, from tables of opcodes.
 */
#include "random.h"

enum { C = 0x1, P = 0x4, A = 0x10, Z = 0x40, S = 0x80, O = 0x800, ALL = C | P | A | Z | S | O };

typedef enum Shape {
    X_XM,       /* xmm, xmm/mem */
    XM_X,       /* store */
    G_X,        /* general register from xmm, register only */
    G_XM,       /* general register from xmm/mem */
    X_GM,       /* xmm from general register or memory */
    GM_X,       /* general register or memory from xmm */
    SHIFT,      /* 71, 72, 73: /digit xmm, imm8 */
} Shape;

enum {
    V = 1,          /* under VEX with another source in VEX.vvvv */
    IMM = 2,        /* an immediate of 8 bits */
    AL = 4,         /* legacy memory operands must be aligned */
    MEM = 8,        /* memory only */
    ONLY_VEX = 16, ONLY_LEGACY = 32,
    L0 = 64, L1 = 128,                  /* VEX.L is 0, 1 */
    W0 = 256, W1 = 512,
    FLAGS = 1024,                       /* defines all flags */
    APPROX = 2048,                      /* not the same from the C fallbacks, or in the order of its exceptions */
    IMM3 = 4096,                        /* immediate below 8 */
    IS4 = 8192,                         /* a register in the immediate's upper half */
    ALWAYS_AL = 16384,                  /* aligned; else processors differ */
};

typedef struct Group {
    uint8_t pp, map;
    Shape shape;
    uint16_t flags;
    const char *ops;                    /* opcodes; may hold 0 when @n is given */
    uint8_t n;
} Group;

#define OPS(s) s, sizeof(s) - 1

static const Group groups[] = {
    /* packed integers */
    { 0x66, 1, X_XM, V | AL, OPS("\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x74\x75\x76\xd4\xd5\xd8\xd9\xda\xdb") },
    { 0x66, 1, X_XM, V | AL, OPS("\xdc\xdd\xde\xdf\xe0\xe3\xe4\xe5\xe8\xe9\xea\xeb\xec\xed\xee\xef\xf4\xf5\xf6\xf8\xf9\xfa\xfb\xfc\xfd\xfe") },
    { 0x66, 1, X_XM, V | AL, OPS("\xd1\xd2\xd3\xe1\xe2\xf1\xf2\xf3\xef\xef\xdb\xeb\xfe\xd4\xfa") },
    { 0x66, 1, SHIFT, V | IMM, OPS("\x71\x72\x73") },
    { 0x66, 1, X_XM, IMM | AL, OPS("\x70") }, { 0xf3, 1, X_XM, IMM | AL, OPS("\x70") }, { 0xf2, 1, X_XM, IMM | AL, OPS("\x70") },
    { 0x66, 2, X_XM, V | AL, OPS("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x28\x29\x2b\x37\x38\x39\x3a\x3b\x3c\x3d\x3e\x3f\x40") },
    { 0x66, 2, X_XM, AL, OPS("\x1c\x1d\x1e") }, { 0x66, 2, X_XM, 0, OPS("\x20\x21\x22\x23\x24\x25\x30\x31\x32\x33\x34\x35") },
    { 0x66, 2, X_XM, AL | L0, OPS("\x41") }, { 0x66, 2, X_XM, AL | FLAGS, OPS("\x17") },
    { 0x66, 2, X_XM, AL | ONLY_LEGACY, OPS("\x10\x14\x15") },
    { 0x66, 2, X_XM, V | AL, OPS("\xdc\xdd\xde\xdf") }, { 0x66, 2, X_XM, AL | L0, OPS("\xdb") },
    { 0, 2, X_XM, ALWAYS_AL | ONLY_LEGACY, OPS("\xc8\xc9\xca\xcb\xcc\xcd") },
    { 0x66, 3, X_XM, V | AL | IMM, OPS("\x0e\x0f\x42\x44") }, { 0x66, 3, X_XM, AL | IMM | L0, OPS("\xdf") },
    { 0x66, 3, X_XM, IMM | L0 | FLAGS, OPS("\x60\x61\x62\x63") },
    /* floats */
    { 0, 1, X_XM, V | AL, OPS("\x14\x15\x54\x55\x56\x57\x58\x59\x5c\x5d\x5e\x5f\x58\x59\x5c") },
    { 0x66, 1, X_XM, V | AL, OPS("\x14\x15\x54\x55\x56\x57\x58\x59\x5c\x5d\x5e\x5f\x58\x59\x5c\x7c\x7d\xd0") },
    { 0xf3, 1, X_XM, V, OPS("\x51\x58\x59\x5a\x5c\x5d\x5e\x5f\x58\x59\x5c") }, { 0xf2, 1, X_XM, V, OPS("\x51\x58\x59\x5a\x5c\x5d\x5e\x5f\x58\x59\x5c") },
    { 0xf2, 1, X_XM, V | AL, OPS("\x7c\x7d\xd0") }, { 0, 1, X_XM, AL, OPS("\x51\x5b") }, { 0x66, 1, X_XM, AL, OPS("\x51\x5b\xe6\x5a") },
    { 0, 1, X_XM, 0, OPS("\x5a") }, { 0xf3, 1, X_XM, 0, OPS("\xe6") }, { 0xf3, 1, X_XM, AL, OPS("\x5b") }, { 0xf2, 1, X_XM, AL, OPS("\xe6") },
    { 0, 1, X_XM, AL | APPROX, OPS("\x52\x53") }, { 0xf3, 1, X_XM, V | APPROX, OPS("\x52\x53") },
    { 0, 1, X_XM, V | AL | IMM, OPS("\xc6") }, { 0x66, 1, X_XM, V | AL | IMM, OPS("\xc6") },
    { 0, 1, X_XM, V | AL | IMM3, OPS("\xc2") }, { 0x66, 1, X_XM, V | AL | IMM3, OPS("\xc2") }, { 0xf3, 1, X_XM, V | IMM3, OPS("\xc2") }, { 0xf2, 1, X_XM, V | IMM3, OPS("\xc2") },
    { 0, 1, X_XM, FLAGS, OPS("\x2e\x2f") }, { 0x66, 1, X_XM, FLAGS, OPS("\x2e\x2f") },
    { 0x66, 3, X_XM, AL | IMM, OPS("\x08\x09") }, { 0x66, 3, X_XM, V | IMM, OPS("\x0a\x0b") }, { 0x66, 3, X_XM, V | AL | IMM, OPS("\x0c\x0d") },
    { 0x66, 3, X_XM, V | AL | IMM | APPROX, OPS("\x40") }, { 0x66, 3, X_XM, V | AL | IMM | APPROX | L0, OPS("\x41") },
    { 0x66, 3, X_XM, V | IMM | L0, OPS("\x21") },
    /* moves */
    { 0, 1, X_XM, AL, OPS("\x28\x28") }, { 0, 1, XM_X, AL, OPS("\x29\x29") }, { 0x66, 1, X_XM, AL, OPS("\x28\x6f\x6f") }, { 0x66, 1, XM_X, AL, OPS("\x29\x7f\x7f") },
    { 0, 1, X_XM, 0, OPS("\x10\x10") }, { 0, 1, XM_X, 0, OPS("\x11\x11") }, { 0x66, 1, X_XM, 0, OPS("\x10") }, { 0x66, 1, XM_X, 0, OPS("\x11") },
    { 0xf3, 1, X_XM, 0, OPS("\x6f\x6f\x7e\x16\x12") }, { 0xf3, 1, XM_X, 0, OPS("\x7f\x7f") }, { 0xf2, 1, X_XM, 0, OPS("\x12") },
    { 0xf3, 1, X_XM, MEM, OPS("\x10\x10") }, { 0xf2, 1, X_XM, MEM, OPS("\x10\x10") }, { 0xf3, 1, XM_X, MEM, OPS("\x11\x11") }, { 0xf2, 1, XM_X, MEM, OPS("\x11\x11") },
    { 0xf3, 1, X_XM, ONLY_LEGACY, OPS("\x10") }, { 0xf2, 1, X_XM, ONLY_LEGACY, OPS("\x10") },
    { 0, 1, X_XM, V | L0, OPS("\x12\x16") }, { 0x66, 1, X_XM, V | L0 | MEM, OPS("\x12\x16") }, { 0, 1, XM_X, MEM | L0, OPS("\x13\x17") }, { 0x66, 1, XM_X, MEM | L0, OPS("\x13\x17") },
    { 0x66, 1, XM_X, L0, OPS("\xd6") }, { 0x66, 1, XM_X, AL | MEM, OPS("\xe7\x2b") }, { 0, 1, XM_X, AL | MEM, OPS("\x2b") }, { 0x66, 2, X_XM, AL | MEM, OPS("\x2a") },
    { 0xf2, 1, X_XM, MEM, OPS("\xf0") },
    /* with general registers */
    { 0xf3, 1, X_GM, V, OPS("\x2a") }, { 0xf2, 1, X_GM, V, OPS("\x2a") }, { 0xf3, 1, G_XM, 0, OPS("\x2c\x2d") }, { 0xf2, 1, G_XM, 0, OPS("\x2c\x2d") },
    { 0x66, 1, X_GM, L0, OPS("\x6e") }, { 0x66, 1, GM_X, L0, OPS("\x7e") }, { 0x66, 1, X_GM, V | IMM | L0 | W0, OPS("\xc4") }, { 0x66, 1, G_X, IMM | L0 | W0, OPS("\xc5") },
    { 0, 1, G_X, 0, OPS("\x50") }, { 0x66, 1, G_X, 0, OPS("\x50\xd7\xd7") },
    { 0x66, 3, GM_X, IMM | L0, OPS("\x14\x15\x16\x17") }, { 0x66, 3, X_GM, V | IMM | L0, OPS("\x20\x22") },
    /* AVX, AVX2, FMA, F16C */
    { 0x66, 2, X_XM, ONLY_VEX | W0, OPS("\x18\x58\x59\x78\x79\x13") }, { 0x66, 2, X_XM, ONLY_VEX | W0 | L1, OPS("\x19") }, { 0x66, 2, X_XM, ONLY_VEX | W0 | L1 | MEM, OPS("\x1a\x5a") },
    { 0x66, 2, X_XM, ONLY_VEX | V | W0 | L1, OPS("\x16\x36") }, { 0x66, 2, X_XM, ONLY_VEX | V | W0, OPS("\x0c\x0d\x46") }, { 0x66, 2, X_XM, ONLY_VEX | V, OPS("\x45\x47") },
    { 0x66, 2, X_XM, ONLY_VEX | V | W0 | MEM, OPS("\x2c\x2d\x8c") }, { 0x66, 2, XM_X, ONLY_VEX | V | W0 | MEM, OPS("\x2e\x2f\x8e") }, { 0x66, 2, X_XM, ONLY_VEX | V | W1 | MEM, OPS("\x8c") },
    { 0x66, 2, X_XM, ONLY_VEX | V, OPS("\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf") },
    { 0x66, 2, X_XM, ONLY_VEX | W0, OPS("\x0e\x0f\x0e\x0f") },
    { 0x66, 3, X_XM, ONLY_VEX | IMM | W1 | L1, OPS("\x00\x01") }, { 0x66, 3, X_XM, ONLY_VEX | V | IMM | W0, OPS("\x02") }, { 0x66, 3, X_XM, ONLY_VEX | IMM | W0, OPS("\x04\x05") },
    { 0x66, 3, X_XM, ONLY_VEX | V | IMM | W0 | L1, OPS("\x06\x18\x38\x46") }, { 0x66, 3, XM_X, ONLY_VEX | IMM | W0 | L1, OPS("\x19\x39") }, { 0x66, 3, XM_X, ONLY_VEX | IMM | W0, OPS("\x1d") },
    { 0x66, 3, X_XM, ONLY_VEX | V | IS4 | W0, OPS("\x4a\x4b\x4c") },
    /* MMX */
    { 0, 1, X_XM, ONLY_LEGACY, OPS("\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6f\x74\x75\x76\xd4\xd5\xdb\xeb\xef\xf4\xf5\xfc\xfd\xfe\xfa\xd1\xf3") },
    { 0, 1, XM_X, ONLY_LEGACY, OPS("\x7f") }, { 0, 1, X_GM, ONLY_LEGACY, OPS("\x6e") }, { 0, 1, GM_X, ONLY_LEGACY, OPS("\x7e") },
};

static const Group *pick(Gen *g, bool vex)
{
    for (;;) {
        const Group *p = &groups[rnd(ARRAY_SIZE(groups))];
        bool is_mmx = p->flags & ONLY_LEGACY && !p->pp && p->map == 1;

        if (p->flags & (vex ? ONLY_LEGACY : ONLY_VEX) || (p->flags & APPROX && (g->fallbacks || g->faults)) || (is_mmx && !one_in(8))) {
            continue;
        }
        return p;
    }
}

/* The general register or memory that a group's r/m field names. */
static Operand integer_operand(Gen *g, const Group *p)
{
    return one_in(2) ? gen_mem(g, 1) : op_reg(p->shape == GM_X ? gen_dest(g) : gen_any(g));
}

static void generate(Gen *g, bool vex)
{
    const Group *p = pick(g, vex);
    uint8_t op = (uint8_t)p->ops[rnd(p->n)];
    bool general = p->shape == X_GM || p->shape == GM_X, mem = p->flags & MEM || (one_in(3) && p->shape != G_X && p->shape != SHIFT);
    unsigned few = one_in(2) ? 4 : 16;          /* mostly the same registers, so that results meet */
    unsigned l = p->flags & L0 ? 0 : p->flags & L1 ? 1 : rnd(2), w = p->flags & W0 ? 0 : p->flags & W1 ? 1 : rnd(2);
    unsigned reg = p->shape == G_X || p->shape == G_XM ? gen_dest(g) : rnd(few), vvvv = p->flags & V ? rnd(few) : 0, imm = rnd(256);
    unsigned align = !vex && p->flags & AL ? 16 : vex && p->flags & AL && p->flags & MEM ? 32 : 1;
    bool aligned_vex = vex && p->map == 1 && strchr("\x28\x29\x6f\x7f\x2b\xe7", op) && p->flags & AL;
    Operand rm = general ? integer_operand(g, p) : mem ? gen_mem(g, aligned_vex ? 32 : align) : op_reg(rnd(few));
    Node *n;

    if (p->flags & ALWAYS_AL && mem) {
        rm = (Operand){ .is_mem = true, .reg = 0xff, .index = 0xff, .disp = (int32_t)(ISA_MEM_VA - mode_data_base(g->mode)) + 16 * (int32_t)rnd(512) };
    }
    n = gen_node(g, N_INSN);

    if (p->shape == SHIFT) {
        static const uint8_t digits[3][4] = { { 2, 4, 6, 2 }, { 2, 4, 6, 6 }, { 2, 3, 6, 7 } };
        vvvv = reg;
        reg = digits[op - 0x71][rnd(4)];
        imm = rnd(3) ? rnd(32) : imm;
    }
    n->defines = p->flags & FLAGS ? ALL : 0;
    if (vex) {
        put_vex(n, p->pp, p->shape == X_XM && !(p->flags & (ONLY_VEX | W1)) ? one_in(20) : w, l, p->map, op, reg, vvvv, &rm);
    } else {
        put_op(n, p->pp, general || p->shape == G_XM ? (p->flags & W0 ? 0 : w) : 0, p->map, op, reg, &rm, false);
    }
    if (p->flags & (IMM | IMM3 | IS4)) {
        put_imm(n, p->flags & IMM3 ? (vex ? imm & 31 : imm & 7) : imm, 1);
    }
}

/* A new MXCSR: roundings, DAZ, FTZ; with @unmask some exceptions unmasked. */
static void gen_ldmxcsr(Gen *g)
{
    Operand rm = gen_mem(g, 1);
    uint32_t v = 0x1f80 | rnd(4) << 13 | (one_in(3) ? 0x8000 : 0) | (one_in(3) ? 0x40 : 0) | rnd(64);
    bool store = one_in(3);
    Node *n;

    if (g->faults && one_in(3)) {
        v &= ~(rnd(64) << 7);
    }
    if (!store) {
        n = gen_node(g, N_INSN);            /* mov dword [m], v */
        put_osize(n, 4);
        put_op(n, 0, 0, 0, 0xc7, 0, &rm, false);
        put_imm(n, v, 4);
    }
    n = gen_node(g, N_INSN);
    put_op(n, 0, 0, 1, 0xae, store ? 3 : 2, &rm, false);
}

void gen_simd(Gen *g)
{
    if (one_in(25)) {
        gen_ldmxcsr(g);
    } else {
        generate(g, false);
    }
}

void gen_avx(Gen *g)
{
    Node *n;

    if (!native_has_avx()) {
        gen_simd(g);
    } else if (one_in(30)) {
        bool all = one_in(2);

        n = gen_node(g, N_INSN);            /* VZEROUPPER, VZEROALL */
        PUT(n, 0xc5, all ? 0xfc : 0xf8, 0x77);
    } else {
        generate(g, true);
    }
}

/* --- x87 --- */

static void gen_x87_memory(Gen *g)
{
    static const struct { uint8_t op, digits; } some[] = {
        { 0xd8, 0xff }, { 0xd9, 0x0d }, { 0xda, 0xff }, { 0xdb, 0xaf }, { 0xdc, 0xff }, { 0xdd, 0x0f }, { 0xde, 0xff }, { 0xdf, 0xff },
        { 0xd9, 0x01 }, { 0xdd, 0x01 }, { 0xd9, 0x0c }, { 0xdd, 0x0c }, { 0xd9, 0x80 }, { 0xdd, 0x80 }, { 0xdb, 0x01 },
    };
    unsigned k = rnd(ARRAY_SIZE(some)), digit;
    Operand rm = gen_mem(g, 1);
    Node *n = gen_node(g, N_INSN);

    do {
        digit = rnd(8);
    } while (!(some[k].digits >> digit & 1));
    put_op(n, 0, 0, 0, some[k].op, digit, &rm, false);
}

static void gen_x87_register(Gen *g)
{
    static const uint8_t often[][2] = {
        { 0xd9, 0xc0 }, { 0xd9, 0xc1 }, { 0xd9, 0xc9 }, { 0xd9, 0xca }, { 0xde, 0xc1 }, { 0xde, 0xc9 }, { 0xd8, 0xc1 }, { 0xdc, 0xc9 },
        { 0xd9, 0xe8 }, { 0xd9, 0xee }, { 0xdd, 0xd8 }, { 0xdd, 0xd9 }, { 0xd9, 0xe0 }, { 0xd9, 0xe1 }, { 0xd9, 0xfa }, { 0xde, 0xe9 }, { 0xde, 0xf9 },
        { 0xdb, 0xe3 }, { 0xdf, 0xe0 }, { 0xd9, 0xfc },
    };
    uint8_t op = 0xd8 + rnd(8), modrm = 0xc0 + rnd(64);
    unsigned k = rnd(ARRAY_SIZE(often));
    Node *n;

    if (!one_in(3)) {
        op = often[k][0];
        modrm = often[k][1];
    }
    if (op == 0xdf && modrm == 0xe0 && one_in(2)) {
        return;
    }
    n = gen_node(g, N_INSN);
    if ((op & ~4) == 0xdb && modrm >= 0xe8 && modrm <= 0xf7) {
        n->defines = ALL;                   /* FCOMI and family */
    }
    if ((op == 0xda || op == 0xdb) && modrm < 0xe0) {
        n->reads = C | Z | P;               /* FCMOV */
    }
    PUT(n, op, modrm);
}

/* Precision, rounding; seldom an exception unmasked. */
static void gen_fldcw(Gen *g)
{
    Operand rm = gen_mem(g, 1);
    uint32_t v = 0x7f | rnd(4) << 8 | rnd(4) << 10;
    Node *n;

    if (one_in(2)) {
        v |= 0x300;
    }
    if (g->faults && one_in(3)) {
        v &= ~rnd(64);
    }
    n = gen_node(g, N_INSN);
    put_osize(n, 2);
    put_op(n, 0, 0, 0, 0xc7, 0, &rm, false);
    put_imm(n, v, 2);
    n = gen_node(g, N_INSN);
    put_op(n, 0, 0, 0, 0xd9, 5, &rm, false);
}

static void gen_x87_insn(Gen *g, uint8_t op, unsigned modrm)
{
    Node *n = gen_node(g, N_INSN);

    PUT(n, op, modrm);
}

/* A deep stack: many values, arithmetic among all of them under changing control words, and back to memory. */
static void gen_x87_deep(Gen *g)
{
    static const struct { uint8_t op, digit; } loads[] = { { 0xd9, 0 }, { 0xdd, 0 }, { 0xdd, 0 }, { 0xdf, 0 }, { 0xdb, 0 }, { 0xdf, 5 }, { 0xdb, 5 } };
    static const struct { uint8_t op, digit; } stores[] = { { 0xd9, 3 }, { 0xdd, 3 }, { 0xdd, 3 }, { 0xdf, 3 }, { 0xdb, 3 }, { 0xdf, 7 }, { 0xdb, 7 }, { 0xdd, 1 } };
    static const uint8_t ops[] = { 0xc0, 0xc8, 0xe0, 0xe8, 0xf0, 0xf8 };     /* add mul sub subr div divr */
    static const uint8_t unary[] = { 0xe0, 0xe1, 0xfa, 0xfc, 0xe4, 0xe5, 0xf0, 0xf6, 0xf7, 0xfd, 0xf4, 0xf8 };
    unsigned depth = 3 + rnd(6), k;
    Node *n;

    if (!one_in(4)) {
        gen_x87_insn(g, 0xdb, 0xe3);                                        /* fninit: empty */
    }
    for (k = 0; k < depth; k++) {
        unsigned i = rnd(ARRAY_SIZE(loads));
        Operand rm = gen_mem(g, 1);
        if (one_in(4)) {
            gen_x87_insn(g, 0xd9, 0xe8 + rnd(7));                           /* a constant */
        } else {
            n = gen_node(g, N_INSN);
            put_op(n, 0, 0, 0, loads[i].op, loads[i].digit, &rm, false);
        }
    }
    for (k = rnd(12); k; k--) {
        switch (rnd(8)) {
        case 0:
            gen_fldcw(g);
            break;
        case 1:
            gen_x87_insn(g, 0xd9, 0xc8 + rnd(depth));                       /* fxch */
            break;
        case 2:
            gen_x87_insn(g, 0xd9, unary[rnd(ARRAY_SIZE(unary))]);
            break;
        case 3:
            gen_x87_insn(g, one_in(2) ? 0xd9 : 0xdd, one_in(2) ? 0xc0 + rnd(depth) : 0xd0 + rnd(depth));    /* fld, fnop.., ffree, fst */
            break;
        case 4:
            gen_integer(g);
            break;
        default:
            gen_x87_insn(g, rnd(3) == 0 ? 0xde : one_in(2) ? 0xd8 : 0xdc, ops[rnd(ARRAY_SIZE(ops))] + rnd(depth));
        }
    }
    for (k = rnd(depth + 1); k; k--) {
        unsigned i = rnd(ARRAY_SIZE(stores));
        Operand rm = gen_mem(g, 1);
        n = gen_node(g, N_INSN);
        put_op(n, 0, 0, 0, stores[i].op, stores[i].digit, &rm, false);
    }
}

void gen_x87(Gen *g)
{
    if (one_in(30)) {
        gen_fldcw(g);
    } else if (one_in(15)) {
        gen_x87_deep(g);
    } else if (one_in(3)) {
        gen_x87_register(g);
    } else if (one_in(2)) {
        gen_x87_memory(g);
    } else {
        gen_x87_register(g);
        gen_x87_memory(g);
    }
}
