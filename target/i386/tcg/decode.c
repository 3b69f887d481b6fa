/*
 * The x86 instruction decoder.  SDM Vol.2 chapter 2 (formats) and appendix A (opcode maps).
 *
 * x86_decode() depends on nothing but the bytes and the mode, builds no IR, and always ends: at
 * most 15 bytes are read.
 */
#include "target/i386/tcg/gen.h"

#define MAX_INSN_LEN 15

/* --- the maps --- */

#define TABLE(name, n) static const X86Entry name[n] = {
#define END };
#define INSN0(index, mnem, ...) \
    [index] = { .name = #mnem, .gen = gen_##mnem, ##__VA_ARGS__ },
#define INSN1(index, mnem, k0, s0, ...) \
    [index] = { .name = #mnem, .gen = gen_##mnem, .op = { { OPD_##k0, SZ_##s0 } }, \
                .n_op = 1, .modrm = MODRM_OF(OPD_##k0), ##__VA_ARGS__ },
#define INSN2(index, mnem, k0, s0, k1, s1, ...) \
    [index] = { .name = #mnem, .gen = gen_##mnem, \
                .op = { { OPD_##k0, SZ_##s0 }, { OPD_##k1, SZ_##s1 } }, \
                .n_op = 2, .modrm = MODRM_OF(OPD_##k0) | MODRM_OF(OPD_##k1), ##__VA_ARGS__ },
#define INSN3(index, mnem, k0, s0, k1, s1, k2, s2, ...) \
    [index] = { .name = #mnem, .gen = gen_##mnem, \
                .op = { { OPD_##k0, SZ_##s0 }, { OPD_##k1, SZ_##s1 }, { OPD_##k2, SZ_##s2 } }, \
                .n_op = 3, .modrm = MODRM_OF(OPD_##k0) | MODRM_OF(OPD_##k1) | MODRM_OF(OPD_##k2), ##__VA_ARGS__ },
#define INSN4(index, mnem, k0, s0, k1, s1, k2, s2, k3, s3, ...) \
    [index] = { .name = #mnem, .gen = gen_##mnem, \
                .op = { { OPD_##k0, SZ_##s0 }, { OPD_##k1, SZ_##s1 }, { OPD_##k2, SZ_##s2 }, { OPD_##k3, SZ_##s3 } }, \
                .n_op = 4, .modrm = MODRM_OF(OPD_##k0) | MODRM_OF(OPD_##k1) | MODRM_OF(OPD_##k2) | MODRM_OF(OPD_##k3), \
                ##__VA_ARGS__ },
#define SUB(index, by, table) [index] = { .sub = table, .how = by },
#define VEX_MAP(name) static const VexForm name[256][4] = {
#define VEX_AS(index, pp, f0, f1, flags) [index][pp] = { .feature = { XF_##f0, XF_##f1 }, .how = (flags) },
#define VEX_BY_MOD(index, pp, f0, f1, flags, table) \
    [index][pp] = { VEX_ROW_(.sub = table, .how = BY_MOD), { XF_##f0, XF_##f1 }, flags },
#define VEX_GROUP(index, pp, f0, f1, flags, table) \
    [index][pp] = { VEX_ROW_(.sub = table, .how = BY_REG), { XF_##f0, XF_##f1 }, flags },
#define VEX_ROW_(...) &(const X86Entry){ __VA_ARGS__ }
#define VEX_ROW(index, pp, f0, f1, flags, mnem, operands, ...) \
    [index][pp] = { VEX_ROW_(.name = #mnem, .gen = gen_##mnem, .unit = UNIT_AVX, .op = VEX_OPERANDS operands, \
                             .n_op = 4, .modrm = VEX_MODRM operands, ##__VA_ARGS__), \
                    { XF_##f0, XF_##f1 }, flags },
#define VEX_OPERANDS(...) { VEX_OPERANDS_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0, 0) }
#define VEX_OPERANDS_(k0, s0, k1, s1, k2, s2, k3, s3, ...) \
    { OPD_##k0, SZ_##s0 }, { OPD_##k1, SZ_##s1 }, { OPD_##k2, SZ_##s2 }, { OPD_##k3, SZ_##s3 }
#define VEX_MODRM(...) (VEX_MODRM_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0, 0))
#define VEX_MODRM_(k0, s0, k1, s1, k2, s2, k3, s3, ...) \
    MODRM_OF(OPD_##k0) | MODRM_OF(OPD_##k1) | MODRM_OF(OPD_##k2) | MODRM_OF(OPD_##k3)
#define OPD_0 OPD_NONE
#include "target/i386/tcg/opmap.h"

/* --- reading bytes --- */

typedef struct Reader {
    const uint8_t *direct;      /* the instruction's bytes, */
    uint32_t n_direct;          /* as many as can be read without fetching; 0 once it is refused */
    X86FetchFn *fetch;
    void *opaque;
    uint32_t delta;
    Insn *i;
    X86Refusal refusal;         /* sticky; reads give 0 then */
} Reader;

static void refuse(Reader *r, X86Refusal why)
{
    r->refusal = why;
    r->n_direct = 0;
}

static uint64_t fetch_le(Reader *r, unsigned n)
{
    uint8_t buf[8] = { 0 };

    if (r->refusal) {
        return 0;
    }
    if (r->i->len + n > MAX_INSN_LEN) {
        refuse(r, DEC_TOO_LONG);
        return 0;
    }
    if (!r->fetch(r->opaque, r->delta + r->i->len, buf, n)) {
        refuse(r, DEC_TRUNCATED);
        return 0;
    }
    r->i->len += n;
    return ld64_le(buf);
}

static inline uint64_t read_le(Reader *r, unsigned n)
{
    unsigned end = r->i->len + n;
    const uint8_t *p;

    if (unlikely(end > r->n_direct)) {
        return fetch_le(r, n);
    }
    p = r->direct + r->i->len;
    r->i->len = end;
    switch (n) {
    case 1:
        return *p;
    case 2:
        return ld16_le(p);
    case 4:
        return ld32_le(p);
    default:
        return ld64_le(p);
    }
}

static int64_t read_signed(Reader *r, unsigned n)
{
    uint64_t v = read_le(r, n);

    return n == 1 ? (int8_t)v : n == 4 ? (int32_t)v : n == 2 ? (int16_t)v : (int64_t)v;
}

/* --- prefixes --- */

/* Bytes that may be a prefix: 26 2E 36 3E, 40 to 4F, 64 to 67, F0 F2 F3. */
static bool may_be_prefix(uint8_t byte)
{
    static const uint32_t rows[8] = { 0, 1u << 6 | 1u << 14 | 1u << 22 | 1u << 30, 0xffff, 0xf0, 0, 0, 0, 0xd0000 };

    return rows[byte >> 5] >> (byte & 31) & 1;
}

/* SDM Vol.2 2.1.1.  False: @byte is no legacy prefix. */
static bool legacy_prefix(const X86DecodeMode *m, Insn *i, uint8_t byte, bool *addr_prefix)
{
    static const int8_t segment_of[256] = {
        [0x26] = 1 + R_ES, [0x2e] = 1 + R_CS, [0x36] = 1 + R_SS, [0x3e] = 1 + R_DS, [0x64] = 1 + R_FS, [0x65] = 1 + R_GS,
    };

    switch (byte) {
    case 0x66:
        i->opsize_prefix = true;
        return true;
    case 0x67:
        *addr_prefix = true;
        return true;
    case 0xf0:
        i->lock = true;
        return true;
    case 0xf2:
        i->rep = REP_NZ;
        return true;
    case 0xf3:
        i->rep = REP_Z;
        return true;
    case 0x26: case 0x2e: case 0x36: case 0x3e:
        if (m->code64) {
            return true;                /* null prefixes: SDM Vol.1 3.3.7.1 */
        }
        /* fall through */
    case 0x64: case 0x65:
        i->seg = segment_of[byte] - 1;
        i->seg_override = true;
        return true;
    }
    return false;
}

/* Read prefixes and the first opcode byte. */
static uint8_t read_prefixes(Reader *r, const X86DecodeMode *m, Insn *i)
{
    bool addr_prefix = false;
    uint8_t byte;

    for (;;) {
        byte = read_le(r, 1);
        if (!may_be_prefix(byte) || r->refusal) {
            break;
        }
        if (legacy_prefix(m, i, byte, &addr_prefix)) {
            i->has_rex = false;         /* a REX that is not last is ignored: SDM Vol.2 2.2.1 */
            i->rex = 0;
        } else if (m->code64 && (byte & 0xf0) == 0x40) {
            i->has_rex = true;
            i->rex = byte & 15;
        } else {
            break;
        }
    }
    i->rex_w = i->rex & 8;
    if (m->code64) {
        i->asize = addr_prefix ? 32 : 64;
    } else {
        i->asize = m->code32 != addr_prefix ? 32 : 16;
    }
    return byte;
}

/* --- walking the maps --- */

static void read_modrm(Reader *r, Insn *i)
{
    if (i->has_modrm) {
        return;
    }
    i->has_modrm = true;
    i->modrm = read_le(r, 1);
    i->mod = i->modrm >> 6;
    i->reg = (i->modrm >> 3 & 7) | (i->rex & 4) << 1;
    i->rm = (i->modrm & 7) | (i->rex & 1) << 3;
}

static unsigned sub_index(Reader *r, const X86DecodeMode *m, Insn *i, X86By by)
{
    switch (by) {
    case BY_OPCODE:
        i->opcode = read_le(r, 1);
        return i->opcode;
    case BY_REG:
        read_modrm(r, i);
        return i->modrm >> 3 & 7;
    case BY_RM:
        read_modrm(r, i);
        return i->modrm & 7;
    case BY_MOD:
        read_modrm(r, i);
        return i->mod == 3;
    case BY_X87:
        read_modrm(r, i);
        return (i->modrm >> 3 & 7) + (i->mod == 3 ? 8 : 0);
    case BY_PREFIX:
        return i->vex ? i->vex_pp : i->rep == REP_Z ? 2 : i->rep == REP_NZ ? 3 : i->opsize_prefix;
    case BY_MODE64:
        return m->code64;
    case BY_REXW:
        return i->rex_w;
    case BY_NONE:
        break;
    }
    g_assert_not_reached();
}

/*
 * C4 or C5 was read: SDM Vol.2 2.3.5.  Outside 64-bit mode it is VEX only where the byte behind would be a ModRM
 * that LES and LDS do not have, and never in real and virtual-8086 mode.
 */
static bool is_vex(Reader *r, const X86DecodeMode *m, Insn *i)
{
    if (!m->prot || (i->opcode & 0xfe) != 0xc4) {
        return false;
    }
    if (m->code64) {
        return true;
    }
    read_modrm(r, i);
    return i->mod == 3;
}

/* The rest of the prefix, and the opcode. */
static X86Refusal read_vex(Reader *r, const X86DecodeMode *m, Insn *i)
{
    static const VexForm (*const maps[])[4] = { NULL, vex_0f, vex_0f38, vex_0f3a };
    uint8_t first = i->has_modrm ? i->modrm : read_le(r, 1), last = first;
    bool after_prefix = i->lock || i->opsize_prefix || i->rep || i->has_rex;

    i->has_modrm = false;
    i->map = 1;
    i->rex = ~first >> 5 & 4;
    if (i->opcode == 0xc4) {
        last = read_le(r, 1);
        i->rex = (~first >> 5 & 7) | (last & 0x80) >> 4;
        i->map = first & 31;
    }
    i->rex &= m->code64 ? 15 : 8;
    i->rex_w = i->rex & 8;
    i->vvvv = ~last >> 3 & (m->code64 ? 15 : 7);
    i->vex_l = last & 4;
    i->vex_pp = last & 3;
    i->opcode = read_le(r, 1);
    if (after_prefix) {
        return DEC_VEX_AFTER_PREFIX;
    }
    if (!i->map || i->map >= ARRAY_SIZE(maps)) {
        return DEC_VEX_MAP;
    }
    i->vex = &maps[i->map][i->opcode][i->vex_pp];
    return i->vex->feature[0] || i->vex->feature[1] ? DEC_OK : DEC_NO_SUCH_OPCODE;
}

static const X86Entry *start_row(const Insn *i)
{
    static const X86Entry *const legacy[] = { map_root, map_0f, map_0f38, map_0f3a };

    return i->vex && i->vex->row ? i->vex->row : &legacy[i->map][i->opcode];
}

static const X86Entry *find_row(Reader *r, const X86DecodeMode *m, Insn *i)
{
    const X86Entry *e = start_row(i);

    while (e->sub) {
        if (e->how == BY_OPCODE) {
            i->map = e->sub == map_0f ? 1 : e->sub == map_0f38 ? 2 : 3;
        }
        unsigned index = sub_index(r, m, i, e->how);
        if (r->refusal) {
            return NULL;
        }
        e = &e->sub[index];
    }
    return e->gen ? e : NULL;
}

/* --- sizes, memory operands, immediates --- */

static uint8_t operand_size(const X86DecodeMode *m, const Insn *i, const X86Entry *e)
{
    if (m->code64) {
        if (i->rex_w || e->f64) {
            return IR_MO_64;
        }
        return i->opsize_prefix ? IR_MO_16 : e->d64 ? IR_MO_64 : IR_MO_32;
    }
    return m->code32 != i->opsize_prefix ? IR_MO_32 : IR_MO_16;
}

_Static_assert(SZ_w - SZ_b == IR_MO_16 && SZ_d - SZ_b == IR_MO_32 && SZ_q - SZ_b == IR_MO_64, "in one order");

static uint8_t resolve_size(const X86DecodeMode *m, const Insn *i, unsigned size)
{
    if (size - SZ_b <= SZ_q - SZ_b) {
        return size - SZ_b;
    }
    switch (size) {
    case SZ_x:
        return i->vex_l ? IR_MO_256 : IR_MO_128;
    case SZ_o:
        return IR_MO_128;
    case SZ_h:
        return i->vex_l ? IR_MO_128 : IR_MO_64;
    case SZ_f:
        return i->vex_l ? IR_MO_64 : IR_MO_32;
    case SZ_e:
        return i->vex_l ? IR_MO_32 : IR_MO_16;
    case SZ_t:
        return i->vex_l ? IR_MO_256 : IR_MO_64;
    case SZ_k:
        return i->rex_w ? IR_MO_64 : IR_MO_32;
    case SZ_v:
        return i->osize;
    case SZ_z:
        return i->osize == IR_MO_16 ? IR_MO_16 : IR_MO_32;
    case SZ_y:
        return i->osize == IR_MO_64 ? IR_MO_64 : IR_MO_32;
    case SZ_r:
        return m->code64 ? IR_MO_64 : IR_MO_32;
    }
    return 0xff;
}

static void default_segment(Insn *i, unsigned seg)
{
    if (!i->seg_override) {
        i->seg = seg;
    }
}

/* SDM Vol.2 table 2-1 */
static void read_memory16(Reader *r, Insn *i)
{
    static const int8_t base[8] = { R_EBX, R_EBX, R_EBP, R_EBP, R_ESI, R_EDI, R_EBP, R_EBX };
    static const int8_t index[8] = { R_ESI, R_EDI, R_ESI, R_EDI, -1, -1, -1, -1 };
    unsigned rm = i->modrm & 7;

    if (i->mod == 0 && rm == 6) {
        i->disp = read_le(r, 2);
        return;
    }
    i->base = base[rm];
    i->index = index[rm];
    if (i->mod) {
        i->disp = read_signed(r, i->mod);
    }
    if (i->base == R_EBP) {
        default_segment(i, R_SS);
    }
}

/* SDM Vol.2 tables 2-2, 2-3 and 2.2.1.6 */
static void read_memory32(Reader *r, const X86DecodeMode *m, Insn *i)
{
    unsigned base = i->modrm & 7, disp_bytes = i->mod == 2 ? 4 : i->mod;

    if (base == 4) {
        uint8_t sib = read_le(r, 1);
        unsigned index = (sib >> 3 & 7) | (i->rex & 2) << 2;
        base = sib & 7;
        i->scale = sib >> 6;
        i->vector_index = index;
        i->index = index == 4 || i->e->vsib ? -1 : (int)index;
        if (base == 5 && i->mod == 0) {
            i->disp = read_signed(r, 4);
            return;
        }
    } else if (base == 5 && i->mod == 0) {
        i->disp = read_signed(r, 4);
        i->rip_relative = m->code64;
        return;
    }
    i->base = base | (i->rex & 1) << 3;
    if (disp_bytes) {
        i->disp = read_signed(r, disp_bytes);
    }
    if (i->base == R_ESP || i->base == R_EBP) {
        default_segment(i, R_SS);
    }
}

static void read_memory(Reader *r, const X86DecodeMode *m, Insn *i)
{
    i->is_mem = true;
    if (i->asize == 16) {
        read_memory16(r, i);
    } else {
        read_memory32(r, m, i);
    }
}

static void read_immediate(Reader *r, Insn *i, unsigned size, bool second)
{
    int64_t v = read_signed(r, 1u << size);

    if (second) {
        i->imm2 = v;
    } else {
        i->imm = v;
    }
}

/* Operands that live in a register, or in memory if ModRM says so.  Refuses forms that do not exist. */
static X86Refusal rm_operand(Insn *i, Operand *o)
{
    o->reg = i->rm;
    o->is_mem = i->is_mem;
    if ((o->kind == OPD_M || i->e->mem) && !i->is_mem) {
        return DEC_REGISTER_FORM;
    }
    if ((o->kind == OPD_U || o->kind == OPD_N) && i->is_mem) {
        return DEC_MEMORY_FORM;
    }
    if (o->kind == OPD_N || o->kind == OPD_Q) {
        o->reg &= 7;
    }
    return DEC_OK;
}

static X86Refusal reg_operand(const X86DecodeMode *m, Insn *i, Operand *o)
{
    o->reg = i->reg;
    if (o->kind == OPD_P) {
        o->reg &= 7;
    } else if (o->kind == OPD_S) {
        o->reg &= 7;
        return o->reg > R_GS ? DEC_BAD_REGISTER : DEC_OK;
    } else if (o->kind == OPD_C) {
        return (1u << o->reg & (m->code64 ? 0x11d : 0x1d)) ? DEC_OK : DEC_BAD_REGISTER;
    } else if (o->kind == OPD_D) {
        return o->reg > 7 ? DEC_BAD_REGISTER : DEC_OK;
    }
    return DEC_OK;
}

static X86Refusal read_operand(Reader *r, const X86DecodeMode *m, Insn *i, unsigned n, bool *had_imm)
{
    Operand *o = &i->op[n];

    switch (o->kind) {
    case OPD_E: case OPD_M: case OPD_N: case OPD_Q: case OPD_R: case OPD_U: case OPD_W:
        return rm_operand(i, o);
    case OPD_C: case OPD_D: case OPD_G: case OPD_P: case OPD_S: case OPD_V:
        return reg_operand(m, i, o);
    case OPD_B: case OPD_H:
        o->reg = i->vvvv;
        break;
    case OPD_L:
        read_immediate(r, i, IR_MO_8, false);
        o->reg = i->imm >> 4 & (m->code64 ? 15 : 7);
        break;
    case OPD_Z:
        o->reg = (i->opcode & 7) | (i->rex & 1) << 3;
        break;
    case OPD_AX:
        o->reg = R_EAX;
        break;
    case OPD_CX:
        o->reg = R_ECX;
        break;
    case OPD_DX:
        o->reg = R_EDX;
        break;
    case OPD_ES: case OPD_CS: case OPD_SS: case OPD_DS: case OPD_FS: case OPD_GS:
        o->reg = o->kind - OPD_ES + R_ES;
        break;
    case OPD_I: case OPD_J:
        read_immediate(r, i, o->size, *had_imm);
        *had_imm = true;
        break;
    case OPD_A:
        i->imm = read_le(r, i->osize == IR_MO_16 ? 2 : 4);
        i->imm2 = read_le(r, 2);
        break;
    case OPD_O:
        i->is_mem = o->is_mem = true;
        i->disp = read_le(r, i->asize / 8);
        break;
    }
    return DEC_OK;
}

static X86Refusal read_operands(Reader *r, const X86DecodeMode *m, Insn *i)
{
    const X86Entry *e = i->e;
    X86Refusal refusal = DEC_OK;
    bool had_imm = false;

    if (e->modrm) {
        read_modrm(r, i);
    }
    if (i->has_modrm && i->mod != 3 && !(e->modrm & MODRM_REG)) {
        read_memory(r, m, i);
    }
    for (unsigned n = 0; n < e->n_op && !refusal; n++) {
        if (e->op[n].kind != OPD_NONE) {
            i->op[n].kind = e->op[n].kind;
            i->op[n].size = resolve_size(m, i, n == 1 && i->vex && i->vex->how & VEX_SRC128 ? SZ_o : e->op[n].size);
            refusal = read_operand(r, m, i, n, &had_imm);
        }
    }
    return refusal;
}

static bool has_feature(const X86DecodeMode *m, unsigned feature)
{
    return !m->features || m->features[(feature - 1) >> 5] >> ((feature - 1) & 31) & 1;
}

/* Does some operand, or this form, name a register by VEX.vvvv? */
static bool uses_vvvv(const Insn *i)
{
    for (unsigned n = 0; n < ARRAY_SIZE(i->e->op); n++) {
        if (i->e->op[n].kind == OPD_B || i->e->op[n].kind == OPD_H) {
            return true;
        }
    }
    return i->vex->how & (VEX_NDS | VEX_NDD) || (i->vex->how & VEX_NDS_REG && i->mod == 3);
}

/* The fields of the prefix; ModRM was read if there is one. */
static X86Refusal check_vex(const X86DecodeMode *m, Insn *i)
{
    unsigned how = i->vex->how;

    if (how & VEX_LIG) {
        i->vex_l = false;
    }
    if (!i->vex->feature[i->vex_l]) {
        return DEC_VEX_L;
    }
    if (!has_feature(m, i->vex->feature[i->vex_l])) {
        return DEC_FEATURE_MISSING;
    }
    if ((how & VEX_W0 && i->rex_w) || (how & VEX_W1 && !i->rex_w) || (how & VEX_W0_32 && i->rex_w && !m->code64)) {
        return DEC_VEX_W;
    }
    return i->vvvv && !uses_vvvv(i) ? DEC_VEX_VVVV : DEC_OK;
}

/* SDM Vol.2 2.3.12: there must be a SIB byte, and (VGATHER) destination, index and mask must all differ. */
static X86Refusal check_vsib(const Insn *i)
{
    unsigned d = i->reg, x = i->vector_index, mask = i->vvvv;

    return i->asize == 16 || (i->modrm & 7) != 4 || d == x || d == mask || x == mask ? DEC_VSIB : DEC_OK;
}

static X86Refusal check_row(const X86DecodeMode *m, const Insn *i, const X86Entry *e)
{
    if (e->i64 && m->code64) {
        return DEC_NOT_IN_64;
    }
    if (e->o64 && !m->code64) {
        return DEC_ONLY_IN_64;
    }
    if (e->prot && !m->prot) {
        return DEC_NOT_IN_REAL_OR_VM86;
    }
    if (e->feature && !(i->vex && !i->vex->row) && !has_feature(m, e->feature)) {
        return DEC_FEATURE_MISSING;
    }
    if (e->np && (i->opsize_prefix || i->rep)) {
        return DEC_PREFIX_NOT_ALLOWED;
    }
    return DEC_OK;
}

/* In steps that compilers make a few stores of; for all at once they use a string instruction, which starts slowly. */
static void clear(Insn *i)
{
    char *p = (char *)i;

    _Static_assert(sizeof(*i) >= 64 && sizeof(*i) <= 192, "two or three steps");
    memset(p, 0, 64);
    memset(p + 64, 0, MIN(sizeof(*i) - 64, 64u));
    if (sizeof(*i) > 128) {
        memset(p + 128, 0, sizeof(*i) - 128);
    }
}

X86Refusal x86_decode(const X86DecodeMode *m, X86FetchFn *fetch, void *opaque, uint32_t delta, Insn *i)
{
    Reader r = {
        .direct = delta < m->n_bytes ? m->bytes + delta : NULL,
        .n_direct = delta < m->n_bytes ? MIN(m->n_bytes - delta, MAX_INSN_LEN) : 0,
        .fetch = fetch, .opaque = opaque, .delta = delta, .i = i,
    };
    X86Refusal refusal = DEC_OK;

    clear(i);
    i->delta = delta;
    i->seg = R_DS;
    i->base = i->index = -1;
    for (unsigned n = 0; n < ARRAY_SIZE(i->op); n++) {
        i->op[n].size = 0xff;
    }
    i->opcode = read_prefixes(&r, m, i);
    if (!r.refusal && is_vex(&r, m, i)) {
        refusal = read_vex(&r, m, i);
    }
    i->e = r.refusal || refusal ? NULL : find_row(&r, m, i);
    if (!i->e) {
        return r.refusal ? r.refusal : refusal ? refusal : DEC_NO_SUCH_OPCODE;
    }
    i->osize = operand_size(m, i, i->e);
    refusal = check_row(m, i, i->e);
    if (!refusal && i->vex) {
        if (i->e->modrm) {
            read_modrm(&r, i);
        }
        refusal = check_vex(m, i);
    }
    if (!refusal) {
        refusal = read_operands(&r, m, i);
    }
    if (r.refusal) {
        return r.refusal;
    }
    if (!refusal && i->e->vsib) {
        refusal = check_vsib(i);
    }
    if (!refusal && i->lock && !(i->e->lockable && i->op[0].is_mem)) {
        refusal = DEC_LOCK_NOT_ALLOWED;
    }
    return refusal;
}

const char *x86_decode_refusal_name(X86Refusal r)
{
    static const char *const names[] = {
        [DEC_OK] = "ok", [DEC_TRUNCATED] = "truncated", [DEC_TOO_LONG] = "longer than 15 bytes",
        [DEC_NO_SUCH_OPCODE] = "no such opcode", [DEC_NOT_IN_64] = "not in 64-bit mode",
        [DEC_ONLY_IN_64] = "only in 64-bit mode", [DEC_NOT_IN_REAL_OR_VM86] = "not in real or virtual-8086 mode",
        [DEC_FEATURE_MISSING] = "CPUID feature missing", [DEC_LOCK_NOT_ALLOWED] = "LOCK not allowed",
        [DEC_REGISTER_FORM] = "no register form", [DEC_MEMORY_FORM] = "no memory form",
        [DEC_PREFIX_NOT_ALLOWED] = "prefix not allowed", [DEC_BAD_REGISTER] = "no such register",
        [DEC_VEX_AFTER_PREFIX] = "a prefix before VEX", [DEC_VEX_MAP] = "no such VEX map", [DEC_VEX_L] = "VEX.L", [DEC_VSIB] = "VSIB",
        [DEC_VEX_W] = "VEX.W", [DEC_VEX_VVVV] = "VEX.vvvv not 1111b",
    };

    return names[r];
}
