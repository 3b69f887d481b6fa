/*
 * The guest's x87 registers in the host's (tcg/ir.h).
 *
 * The host's stack has no fixed bottom: empty, its top may be anywhere.
 */
#include "tcg/x86_64/emit.h"

enum {
    FLD_M80 = 5, FSTP_M80 = 7,         /* DB /r */
    MOV_STORE16 = X_MOV_STORE | X_66,
};

static void x87(Asm *a, unsigned byte0, unsigned byte1)
{
    emit8(a, byte0);
    emit8(a, byte1);
}

static void fincstp(Asm *a) { x87(a, 0xd9, 0xf7); }
static void fdecstp(Asm *a) { x87(a, 0xd9, 0xf6); }
static void fstp_st0(Asm *a) { x87(a, 0xdd, 0xd8); }

void out_x87(TcgContext *c, IrOp *op)
{
    if (op->cond >= 0xc0) {
        x87(&c->a, 0xd8 + op->aux, op->cond);
    } else {
        op_rm(&c->a, 0xd8 + op->aux, op->cond >> 3, ra_env_mem((unsigned)op->k));
    }
}

/* compare; lahf; movzx eax, ah; and eax, ZF | PF | CF */
void out_x87_compare(TcgContext *c, IrOp *op)
{
    static const uint8_t lahf_movzx_eax_ah[] = { 0x9f, 0x0f, 0xb6, 0xc4 };

    ra_vacate(c, HR_RAX);
    x87(&c->a, 0xd8 + op->aux, op->cond);
    memcpy(c->a.p, lahf_movzx_eax_ah, sizeof(lahf_movzx_eax_ah));
    c->a.p += sizeof(lahf_movzx_eax_ah);
    op_alu_ri(&c->a, ALU_AND, false, HR_RAX, 0x45);
    ra_bind(c, op, HR_RAX);
}

/* fnstsw [frame] */
static Mem save_status(TcgContext *c)
{
    Mem m = mem(HR_RSP, FRAME_VECTORS);

    op_rm(&c->a, 0xdd, 7, m);
    return m;
}

/* status = (status & ~replaced) | (@host & (replaced | raised)) */
static void merge_status(TcgContext *c, const IrX87Home *h, Mem host)
{
    Asm *a = &c->a;
    unsigned t = ra_temp(c, c->gprs), u = ra_temp(c, c->gprs);

    op_rm(a, X_MOVZX16, t, host);
    op_rm(a, X_MOVZX16, u, ra_env_mem(h->status));
    op_alu_ri(a, ALU_AND, false, t, h->status_replaced | h->status_raised);
    op_alu_ri(a, ALU_AND, false, u, (uint16_t)~h->status_replaced);
    op_alu_rr(a, ALU_OR, false, t, u);
    op_rm(a, MOV_STORE16, t, ra_env_mem(h->status));
    ra_unlock(c, t);
    ra_unlock(c, u);
}

static void empty_stack(TcgContext *c, const IrX87Home *h)
{
    Asm *a = &c->a;

    for (unsigned i = 0; i < h->n; i++) {
        switch ((IrX87Fate)h->fate[i]) {
        case IR_X87_STORE: op_rm(a, 0xdb, FSTP_M80, ra_env_mem(h->st[i])); break;
        case IR_X87_DROP: fstp_st0(a); break;
        case IR_X87_NONE: fincstp(a); break;
        }
    }
}

static void set_word(TcgContext *c, Mem m, IrMemOp size, uint64_t value)
{
    unsigned t;

    if (size == IR_MO_32) {
        op_rm(&c->a, X_MOV_I32, 0, m);
        emit32(&c->a, (uint32_t)value);
    } else {
        t = ra_temp(c, c->gprs);
        op_mov_k(&c->a, t, value, true);
        op_rm(&c->a, X_MOV_STORE | X_W, t, m);
        ra_unlock(c, t);
    }
}

void out_x87_state(TcgContext *c, unsigned home)
{
    const IrX87Home *h = &c->ir.homes[home];
    Mem host = { 0 };

    if (!home) {
        return;
    }
    if (h->status) {
        host = save_status(c);                  /* before what follows changes it */
    }
    empty_stack(c, h);
    if (h->status) {
        merge_status(c, h, host);
    }
    for (unsigned i = 0; i < h->n_words; i++) {
        set_word(c, ra_env_mem(h->words[i].offset), (IrMemOp)h->words[i].size, h->words[i].value);
    }
}

void out_x87_home(TcgContext *c, IrOp *op)
{
    out_x87_state(c, (unsigned)op->k);
}

void out_x87_preload(TcgContext *c)
{
    const IrX87Home *h = &c->ir.preload;

    for (unsigned i = h->n; i-- > 0;) {
        if (h->fate[i] == IR_X87_STORE) {
            op_rm(&c->a, 0xdb, FLD_M80, ra_env_mem(h->st[i]));
        } else {
            fdecstp(&c->a);
        }
    }
}
