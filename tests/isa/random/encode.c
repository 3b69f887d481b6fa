/*
 * Bytes of instructions, operands chosen at random.
 */
#include "random.h"

unsigned rnd(unsigned n)
{
    return (unsigned)((isa_rng() >> 20) % n);
}

Node *gen_node(Gen *g, NodeKind kind)
{
    Node n = { .kind = kind, .label = -1, .mode = (uint8_t)g->mode };

    g_array_append_val(g->p->nodes, n);
    g->budget--;
    return PROGRAM_NODE(g->p, g->p->nodes->len - 1);
}

unsigned gen_any(Gen *g)
{
    return rnd(g->mode != ISA_64 ? 8 : 16);
}

unsigned gen_dest(Gen *g)
{
    for (;;) {
        unsigned reg = gen_any(g);

        if (!(g->reserved >> reg & 1) || one_in(400)) {
            return reg;
        }
    }
}

void put_bytes(Node *n, const void *bytes, unsigned len)
{
    g_assert(n->len + len <= sizeof(n->bytes));
    memcpy(n->bytes + n->len, bytes, len);
    n->len += len;
}

void put_imm(Node *n, uint64_t v, unsigned len)
{
    put_bytes(n, &v, len);
}

Operand op_reg(unsigned reg)
{
    return (Operand){ .reg = (uint8_t)reg, .index = 0xff };
}

uint32_t mode_data_base(IsaMode mode)
{
    return mode == ISA_16 ? ISA_MEM_VA : 0;
}

uint32_t mode_code_base(IsaMode mode)
{
    return mode == ISA_16 ? ISA_CODE_VA : 0;
}

/* An address that is named: mostly in the data, at a page's edge more often than not. */
static uint32_t absolute(const Gen *g, unsigned align)
{
    uint32_t va = ISA_MEM_VA + (one_in(3) ? 4096 * (1 + rnd(2)) - 8 + rnd(16) : rnd(3 * 4096 - 128));

    return (va & ~(align - 1)) - mode_data_base(g->mode);
}

Operand gen_mem(Gen *g, unsigned align)
{
    static const uint8_t pointers[] = { 3, 5, 6, 7, 4, 3, 5 };      /* RBX, RBP, RSI, RDI, RSP */
    Operand o = { .is_mem = true, .reg = 0xff, .index = 0xff };

    if (align > 1 && one_in(60)) {
        align = 1;                          /* misaligned: a fault */
    }
    if (align > 1 || one_in(8)) {           /* RBP stays aligned to 64 */
        if (one_in(2)) {
            o.reg = 5;
            o.disp = (int32_t)((rnd(512) - 256u) & -align);
            return o;
        }
        o.rip = one_in(2);
        o.target = absolute(g, align);
        o.disp = (int32_t)o.target;
        return o;
    }
    o.reg = pointers[rnd(ARRAY_SIZE(pointers))];
    if (one_in(3) && g->mode == ISA_64) {
        o.index = 12;                       /* R12 is small */
        o.scale = rnd(4);
    } else if (g->mode == ISA_32 && one_in(8)) {
        o.index = (uint8_t)rnd(3);          /* anything: mostly a fault, unless it was made small */
        o.scale = rnd(4);
    }
    o.disp = one_in(3) ? 0 : one_in(2) ? (int32_t)rnd(256) - 128 : (int32_t)rnd(1024) - 512;
    if (g->faults && one_in(120)) {
        o.disp += 0x3000 + (int32_t)rnd(0x2000);
    }
    return o;
}

/* SDM Vol.2 table 2-1: by BX, BP, SI or DI, or none. */
static bool fits_16(const Operand *rm)
{
    return rm->index == 0xff && (rm->reg == 0xff || rm->reg == 3 || rm->reg >= 5) && rm->reg != 4;
}

static void put_modrm_16(Node *n, unsigned r, const Operand *rm)
{
    static const uint8_t code[8] = { [3] = 7, [5] = 6, [6] = 4, [7] = 5 };
    unsigned mod;

    if (rm->reg == 0xff) {
        PUT(n, r | 6);
        put_imm(n, (uint32_t)rm->disp, 2);
        return;
    }
    mod = rm->disp == 0 && rm->reg != 5 ? 0 : rm->disp == (int8_t)rm->disp ? 1 : 2;
    PUT(n, mod << 6 | r | code[rm->reg & 7]);
    if (mod) {
        put_imm(n, (uint32_t)rm->disp, mod);
    }
}

static void put_modrm(Node *n, unsigned reg, const Operand *rm)
{
    unsigned r = (reg & 7) << 3, mod;

    if (!rm->is_mem) {
        PUT(n, 0xc0 | r | (rm->reg & 7));
        return;
    }
    if (n->mode == ISA_16 && !n->addr32) {
        put_modrm_16(n, r, rm);
        return;
    }
    if (rm->rip) {
        PUT(n, r | 5);
        n->rip_at = n->len;
        n->rip_target = rm->target;
        put_imm(n, 0, 4);
        return;
    }
    if (rm->reg == 0xff) {
        PUT(n, r | 4, 0x25);
        put_imm(n, (uint32_t)rm->disp, 4);
        return;
    }
    mod = rm->disp == 0 && (rm->reg & 7) != 5 ? 0 : rm->disp == (int8_t)rm->disp ? 1 : 2;
    if (rm->index != 0xff || (rm->reg & 7) == 4) {
        PUT(n, mod << 6 | r | 4, (unsigned)rm->scale << 6 | ((rm->index == 0xff ? 4 : rm->index) & 7) << 3 | (rm->reg & 7));
    } else {
        PUT(n, mod << 6 | r | (rm->reg & 7));
    }
    if (mod) {
        put_imm(n, (uint32_t)rm->disp, mod == 1 ? 1 : 4);
    }
}

/* Segments that have no base here, and 32-bit addresses in 64-bit code: all that is mapped lies low. */
static void put_address_prefix(Node *n, const Operand *rm)
{
    static const uint8_t segments[] = { 0x26, 0x36, 0x3e, 0x2e };

    if (rm->is_mem && one_in(50)) {
        PUT(n, segments[rnd(n->mode != ISA_64 ? 3 : 4)]);       /* CS is not writable, which is not checked (docs/devel/status.rst) */
    }
    if (rm->is_mem && n->mode == ISA_64 && one_in(40)) {
        PUT(n, 0x67);
    }
    if (rm->is_mem && n->mode == ISA_16) {
        n->addr32 = !fits_16(rm) || one_in(3);
        if (n->addr32) {
            PUT(n, 0x67);
        }
    }
}

void put_osize(Node *n, unsigned size)
{
    if (n->mode == ISA_16 ? size > 2 : size == 2) {
        PUT(n, 0x66);
    }
}

static unsigned bit3(unsigned reg)
{
    return reg != 0xff && reg & 8 ? 1 : 0;
}

void put_op(Node *n, uint8_t pp, unsigned rex_w, unsigned map, uint8_t opcode, unsigned reg, const Operand *rm, bool byte)
{
    unsigned rex = rex_w << 3 | bit3(reg) << 2 | (rm->is_mem ? bit3(rm->index) << 1 : 0) | bit3(rm->reg);

    /* AH..BH and SPL..DIL share numbers: either is what a random byte register means */
    if (byte && !rex && one_in(2)) {
        rex = 0x40;
    }
    put_address_prefix(n, rm);
    if (pp) {
        PUT(n, pp);
    }
    if (rex || one_in(30)) {
        put_rex(n, rex);
    }
    if (map) {
        PUT(n, 0x0f);
    }
    if (map >= 2) {
        PUT(n, map == 2 ? 0x38 : 0x3a);
    }
    PUT(n, opcode);
    put_modrm(n, reg, rm);
}

void put_vex(Node *n, uint8_t pp, unsigned w, unsigned l, unsigned map, uint8_t opcode, unsigned reg, unsigned vvvv,
             const Operand *rm)
{
    unsigned p = pp == 0x66 ? 1 : pp == 0xf3 ? 2 : pp == 0xf2 ? 3 : 0;
    unsigned x = rm->is_mem ? bit3(rm->index) : 0, b = bit3(rm->reg);
    unsigned last = (~vvvv & 15) << 3 | l << 2 | p;

    put_address_prefix(n, rm);
    if (n->mode != ISA_64) {                        /* else these were LDS and LES; the register numbers are cut to 3 bits */
        reg &= 7;
        x = b = 0;
        last |= 0x40;
    }
    if (map == 1 && !w && !x && !b && one_in(2)) {
        PUT(n, 0xc5, (bit3(reg) ^ 1) << 7 | last);
    } else {
        PUT(n, 0xc4, (bit3(reg) ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | map, w << 7 | last);
    }
    PUT(n, opcode);
    put_modrm(n, reg, rm);
}

void put_rex(Node *n, unsigned rex)
{
    if (n->mode == ISA_64) {
        PUT(n, 0x40 | rex);
    }
}

void gen_lea_label(Gen *g, unsigned reg, int32_t label)
{
    Node *n = gen_node(g, N_INSN);

    put_osize(n, 4);
    if (n->mode == ISA_16) {
        PUT(n, 0x67);
    }
    put_rex(n, 8 | bit3(reg) << 2);
    PUT(n, 0x8d, 0x05 | (reg & 7) << 3);
    n->rip_at = n->len;
    n->label = label;
    put_imm(n, 0, 4);
}

Operand loop_counter(const Gen *g)
{
    return g->mode != ISA_64 ? (Operand){ .is_mem = true, .reg = 0xff, .index = 0xff, .disp = (int32_t)(MEM_COUNTERS + 16 - mode_data_base(g->mode)) } : op_reg(15);
}

void gen_set_counter(Gen *g, uint32_t v)
{
    Operand counter = loop_counter(g);
    Node *n = gen_node(g, N_INSN);

    put_osize(n, 4);
    put_op(n, 0, 0, 0, 0xc7, 0, &counter, false);
    put_imm(n, v, 4);
}

void gen_mov_imm(Gen *g, unsigned reg, uint32_t imm)
{
    Node *n = gen_node(g, N_INSN);

    put_osize(n, 4);
    if (reg >= 8) {
        PUT(n, 0x41);
    }
    PUT(n, 0xb8 | (reg & 7));
    put_imm(n, imm, 4);
}
