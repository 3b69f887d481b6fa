/*
 * x86-64 assembler: prefixes, ModRM, SIB (SDM Vol.2, 2.1 and 2.2.1).
 */
#include "tcg/tcg.h"
#include "tcg/x86_64/encode.h"

/* Legacy prefixes, REX, escape bytes and the opcode at @p; returns what follows. */
static inline uint8_t *put_op(uint8_t *p, unsigned op, unsigned r, unsigned x, unsigned b, bool need_rex)
{
    unsigned rex = (op / X_W & 1) << 3 | (r & 8) >> 1 | (x & 8) >> 2 | (b & 8) >> 3;

    if (unlikely(op & (X_LOCK | X_66 | X_F3 | X_F2))) {
        if (op & X_LOCK) {
            *p++ = 0xf0;
        }
        if (op & X_66) {
            *p++ = 0x66;
        }
        if (op & X_F3) {
            *p++ = 0xf3;
        }
        if (op & X_F2) {
            *p++ = 0xf2;
        }
    }
    if (rex || need_rex) {
        *p++ = 0x40 | rex;
    }
    if (unlikely(op & (X_0F | X_0F38 | X_0F3A))) {
        *p++ = 0x0f;
        if (op & X_0F38) {
            *p++ = 0x38;
        } else if (op & X_0F3A) {
            *p++ = 0x3a;
        }
    }
    *p++ = op;
    return p;
}

void op_rr_any(Asm *a, unsigned op, unsigned reg, unsigned rm)
{
    bool rex = (op & X_BYTE_REG && reg >= 4 && reg < 8) || (op & X_BYTE_RM && rm >= 4 && rm < 8);
    uint8_t *p = put_op(a->p, op, reg, 0, rm, rex);

    *p++ = 0xc0 | (reg & 7) << 3 | (rm & 7);
    a->p = p;
}

void op_rm_any(Asm *a, unsigned op, unsigned reg, Mem m)
{
    bool rex = op & X_BYTE_REG && reg >= 4 && reg < 8;
    unsigned r = (reg & 7) << 3, base = m.base & 7;
    int32_t disp = m.disp;
    uint8_t *p;

    if (unlikely(m.base == MEM_RIP)) {
        p = put_op(a->p, op, reg, 0, 0, rex);
        *p++ = r | 5;
        memcpy(p, &disp, 4);
        a->p = p + 4;
        return;
    }
    p = put_op(a->p, op, reg, m.index < 0 ? 0 : m.index, m.base, rex);
    r |= disp == 0 && base != 5 ? 0 : disp == (int8_t)disp ? 0x40 : 0x80;
    if (m.index >= 0 || base == 4) {
        *p++ = r | 4;
        *p++ = m.shift << 6 | (m.index < 0 ? 4 : m.index & 7) << 3 | base;
    } else {
        *p++ = r | base;
    }
    memcpy(p, &disp, 4);                        /* room for it there always is: CODE_MARGIN */
    a->p = p + (r >> 6 == 1 ? 1 : r >> 6 == 2 ? 4 : 0);
}

/* VEX.LZ.pp.0F38.W F7 /r: d, rm = src, vvvv = count */
void op_shift_x(Asm *a, unsigned which, bool w, unsigned d, unsigned src, unsigned count)
{
    static const uint8_t pp[] = { [VEX_SHLX] = 1, [VEX_SARX] = 2, [VEX_SHRX] = 3 };

    emit8(a, 0xc4);
    emit8(a, (d & 8 ? 0 : 0x80) | 0x40 | (src & 8 ? 0 : 0x20) | 2);
    emit8(a, (w ? 0x80 : 0) | (~count & 15) << 3 | pp[which]);
    emit8(a, 0xf7);
    emit8(a, 0xc0 | (d & 7) << 3 | (src & 7));
}

void op_vex(Asm *a, unsigned op, unsigned reg, unsigned v, unsigned rm)
{
    unsigned map = op & X_0F38 ? 2 : op & X_0F3A ? 3 : 1;
    unsigned pp = op & X_66 ? 1 : op & X_F3 ? 2 : op & X_F2 ? 3 : 0;

    emit8(a, 0xc4);
    emit8(a, (reg & 8 ? 0 : 0x80) | 0x40 | (rm & 8 ? 0 : 0x20) | map);
    emit8(a, (op & X_W ? 0x80 : 0) | (~v & 15) << 3 | pp);
    emit8(a, op);
    emit8(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static unsigned wflag(bool w)
{
    return w ? X_W : 0;
}

void op_alu_ri(Asm *a, unsigned digit, bool w, unsigned d, int32_t imm)
{
    if (imm == (int8_t)imm) {
        op_rr(a, X_GROUP1_I8 | wflag(w), digit, d);
        emit8(a, imm);
    } else if (d == HR_RAX) {
        if (w) {
            emit8(a, 0x48);
        }
        emit8(a, digit << 3 | 5);
        emit32(a, imm);
    } else {
        op_rr(a, X_GROUP1_I32 | wflag(w), digit, d);
        emit32(a, imm);
    }
}

void op_alu_mi(Asm *a, unsigned digit, bool w, Mem m, int32_t imm)
{
    if (imm == (int8_t)imm) {
        op_rm(a, X_GROUP1_I8 | wflag(w), digit, m);
        emit8(a, imm);
    } else {
        op_rm(a, X_GROUP1_I32 | wflag(w), digit, m);
        emit32(a, imm);
    }
}

void op_alu_rr(Asm *a, unsigned digit, bool w, unsigned d, unsigned s)
{
    op_rr(a, (digit << 3 | 3) | wflag(w), d, s);
}

void op_alu_rm(Asm *a, unsigned digit, bool w, unsigned d, Mem m)
{
    op_rm(a, (digit << 3 | 3) | wflag(w), d, m);
}

void op_shift_i(Asm *a, unsigned digit, bool w, unsigned d, unsigned n)
{
    if (n == 1) {
        op_rr(a, X_GROUP2_1 | wflag(w), digit, d);
    } else {
        op_rr(a, X_GROUP2_I8 | wflag(w), digit, d);
        emit8(a, n);
    }
}

void op_mov(Asm *a, unsigned d, unsigned s)
{
    if (d == s) {
        return;
    }
    if (d >= HR_XMM0) {
        op_rr(a, X_MOVAPS_LOAD, d, s);
    } else {
        op_rr(a, X_MOV_LOAD | X_W, d, s);
    }
}

void op_mov_k(Asm *a, unsigned d, uint64_t k, bool flags_free)
{
    if (k == 0 && flags_free) {
        op_rr(a, 0x33, d, d);                   /* xor d, d */
    } else if (k == (uint32_t)k) {
        if (d & 8) {
            emit8(a, 0x41);
        }
        emit8(a, 0xb8 | (d & 7));
        emit32(a, k);
    } else if (k == (uint64_t)(int32_t)k) {
        op_rr(a, X_MOV_I32 | X_W, 0, d);
        emit32(a, k);
    } else {
        emit8(a, 0x48 | (d & 8 ? 1 : 0));
        emit8(a, 0xb8 | (d & 7));
        emit64(a, k);
    }
}

uint8_t *op_jcc32(Asm *a, unsigned cc)
{
    emit8(a, 0x0f);
    emit8(a, 0x80 | cc);
    emit32(a, 0);
    return a->p - 4;
}

uint8_t *op_jmp32(Asm *a)
{
    emit8(a, 0xe9);
    emit32(a, 0);
    return a->p - 4;
}

uint8_t *op_lea_rip(Asm *a, unsigned d)
{
    emit8(a, 0x48 | (d & 8 ? 4 : 0));
    emit8(a, 0x8d);
    emit8(a, (d & 7) << 3 | 5);
    emit32(a, 0);
    return a->p - 4;
}

void patch_rel32(uint8_t *at, const uint8_t *target)
{
    int32_t rel = target - (at + 4);

    memcpy(at, &rel, 4);
}

void op_jmp_to(Asm *a, const uint8_t *target)
{
    ptrdiff_t rel = target - (a->p + 2);

    if (rel == (int8_t)rel) {
        emit8(a, 0xeb);
        emit8(a, rel);
    } else {
        patch_rel32(op_jmp32(a), target);
    }
}

/* SDM Vol.2, NOP: recommended multi-byte sequences. */
void op_nops(Asm *a, unsigned n)
{
    static const uint8_t seq[4][4] = {
        { 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0x00 }, { 0x0f, 0x1f, 0x40, 0x00 },
    };

    for (; n; n -= MIN(n, 4u)) {
        unsigned len = MIN(n, 4u);

        memcpy(a->p, seq[len - 1], len);
        a->p += len;
    }
}
