/*
 * Guest memory accesses: the inline soft-TLB probe and the out-of-line stub of a miss.
 *
 * Probe (page_bits p; E = table entry, 32 bytes; addr may be register + displacement):
 *      lea   t, [addr] ; shr t, p - 5 ; and t, [tlb.mask] ; add t, [tlb.table]       t = E
 *      lea   u, [addr + size - 1] ; and u, -1 << p ; cmp u, [t + comparator] ; jne miss
 *      mov   t, [t + addend]                                                       host = addr + t
 * For one-byte accesses and IR_MO_ALIGN the lea of u is of the address itself.
 * An access that crosses into the next page compares that page with this one's entry and misses.
 * With IR_MO_ALIGN the low bits of the address are compared instead (they must be zero).
 *
 * Miss:  call [env.stub_slow] ; descriptor (emit.h)
 * The trampoline (prologue.c) saves every register, so an access clobbers nothing but its
 * result, and dirty globals stay where they are; the call's return address finds the fault row.
 */
#include "tcg/x86_64/emit.h"

/* The instruction that the op at hand belongs to. */
static unsigned current_insn(TcgContext *c)
{
    while (c->insn + 1 < c->ir.n_insns && c->ir.insns[c->insn + 1].op <= c->pos) {
        c->insn++;
    }
    return c->insn;
}

unsigned fault_row(TcgContext *c, bool slow_path)
{
    FaultRow *row = &c->rows[c->n_rows];

    row->insn = current_insn(c);
    row->pins_live = slow_path;
    ra_fault_state(c, row);
    return c->n_rows++;
}

static Mem tlb_mem(unsigned mmu_idx, unsigned field)
{
    return ra_env_mem(offsetof(TcgEnv, tlb_reversed) + (TCG_MMU_IDX_MAX - 1 - mmu_idx) * sizeof(TcgTlbFast) + field);
}

/* d = addr + disp */
static void op_address(Asm *a, bool w, unsigned d, unsigned addr, int32_t disp)
{
    if (disp) {
        op_rm(a, X_LEA | (w ? X_W : 0), d, mem(addr, disp));
    } else {
        op_rr(a, X_MOV_LOAD | (w ? X_W : 0), d, addr);
    }
}

/* @t becomes the addend; returns the jump to the miss. */
static uint8_t *probe(TcgContext *c, IrOp *op, bool write, unsigned addr, unsigned t, unsigned u)
{
    Asm *a = &c->a;
    unsigned bits = c->ir.page_bits, size = 1u << (op->cond & IR_MO_SIZE);
    int32_t mask = -(1 << bits);
    uint8_t *miss;

    if (size == 1) {                            /* first byte, last byte: the same */
        op_address(a, true, u, addr, op->disp);
        op_rr(a, X_MOV_LOAD, t, u);
    } else {
        op_address(a, false, t, addr, op->disp);
    }
    op_shift_i(a, SHIFT_SHR, false, t, bits - 5);
    op_alu_rm(a, ALU_AND, false, t, tlb_mem(op->aux, offsetof(TcgTlbFast, mask)));
    op_alu_rm(a, ALU_ADD, true, t, tlb_mem(op->aux, offsetof(TcgTlbFast, table)));
    if (op->cond & IR_MO_ALIGN) {
        op_address(a, true, u, addr, op->disp);
        mask |= size - 1;
    } else if (size > 1) {
        op_address(a, true, u, addr, op->disp + (int32_t)size - 1);
    }
    op_alu_ri(a, ALU_AND, true, u, mask);
    op_alu_rm(a, ALU_CMP, true, u,
              mem(t, write ? offsetof(TcgTlbEntry, addr_write) : offsetof(TcgTlbEntry, addr_read)));
    miss = op_jcc32(a, CC_NE);
    op_rm(a, X_MOV_LOAD | X_W, t, mem(t, offsetof(TcgTlbEntry, addend)));
    return miss;
}

static void add_stub(TcgContext *c, IrOp *op, uint8_t *miss, unsigned row, unsigned kind, unsigned addr,
                     unsigned data, unsigned dst)
{
    uint32_t desc = (uint32_t)op->cond << DESC_MEMOP | op->aux << DESC_MMU | kind << DESC_KIND | addr << DESC_ADDR |
                    (data & 15) << DESC_DATA | (dst & 15) << DESC_DST | (op->type == IR_I32 ? 1u << DESC_IS32 : 0);

    c->stubs[c->n_stubs++] = (SlowStub){ miss, c->a.p, desc, op->disp, row };
}

void out_slow_stubs(TcgContext *c)
{
    Asm *a = &c->a;

    for (unsigned i = 0; i < c->n_stubs; i++) {
        SlowStub *s = &c->stubs[i];
        bool small = s->disp == (int8_t)s->disp, far;
        size_t back;

        patch_rel32(s->jump, a->p);
        op_rm(a, X_GROUP5, 2, ra_env_mem(offsetof(TcgEnv, stub_slow)));
        c->rows[s->row].ra_offset = asm_offset(a);
        back = a->p - s->back;
        far = back > UINT16_MAX;
        emit32(a, s->desc | (far ? 1u << DESC_FAR : 0) |
                  (!s->disp ? 0 : small ? 1u << DESC_DISP8 : 1u << DESC_DISP32));
        if (s->disp && small) {
            emit8(a, s->disp);
        } else if (s->disp) {
            emit32(a, s->disp);
        }
        if (!far) {
            emit8(a, back);
            emit8(a, back >> 8);
        }
        note_data(c, c->rows[s->row].ra_offset);
        if (far) {
            op_jmp_to(a, s->back);
        }
    }
}

static unsigned load_opcode(IrMemOp mop, IrType t)
{
    unsigned w = mop & IR_MO_SIGN ? wbit(t) : 0;

    switch (mop & (IR_MO_SIZE | IR_MO_SIGN)) {
    case IR_MO_8: return X_MOVZX8;
    case IR_MO_8 | IR_MO_SIGN: return X_MOVSX8 | w;
    case IR_MO_16: return X_MOVZX16;
    case IR_MO_16 | IR_MO_SIGN: return X_MOVSX16 | w;
    case IR_MO_32 | IR_MO_SIGN: return t == IR_I64 ? (unsigned)X_MOVSXD : (unsigned)X_MOV_LOAD;
    case IR_MO_32: return X_MOV_LOAD;
    default: return X_MOV_LOAD | X_W;
    }
}

static void swap_bytes(TcgContext *c, unsigned size, unsigned d)
{
    Asm *a = &c->a;

    if (size == IR_MO_16) {
        op_rr(a, X_GROUP2_I8 | X_66, SHIFT_ROL, d);
        emit8(a, 8);
    } else if (size > IR_MO_16) {
        if (size == IR_MO_64 || d & 8) {
            emit8(a, 0x40 | (size == IR_MO_64 ? 8 : 0) | (d & 8 ? 1 : 0));
        }
        emit8(a, 0x0f);
        emit8(a, 0xc8 | (d & 7));
    }
}

/* Vectors narrower than the register: loads clear the rest. */
static unsigned vector_load_opcode(unsigned size)
{
    return size == IR_MO_32 ? X_MOVSS_LOAD : size == IR_MO_64 ? X_MOVSD_LOAD : X_MOVUPS_LOAD;
}

static unsigned vector_store_opcode(unsigned size)
{
    return size == IR_MO_32 ? X_MOVSS_STORE : size == IR_MO_64 ? X_MOVSD_STORE : X_MOVUPS_STORE;
}

void out_ld(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    bool vec = op->type == IR_V128;
    unsigned addr = ra_use(c, op, 0), t = ra_temp(c, c->gprs), u = ra_temp(c, c->gprs);
    unsigned size = op->cond & IR_MO_SIZE, d, row;
    uint8_t *miss;

    if (vec) {
        d = ra_temp(c, c->xmms);
    } else {                                    /* written last: may be where the address is */
        int pin = ra_result_pin(c, op);

        d = pin >= 0 ? (unsigned)pin : t;
    }
    row = fault_row(c, true);
    miss = probe(c, op, false, addr, t, u);
    if (vec) {
        op_rm(a, vector_load_opcode(size), d, mem_x(addr, t, 0, op->disp));
    } else if (op->cond & IR_MO_BE && size != IR_MO_8) {
        op_rm(a, load_opcode(op->cond & ~IR_MO_SIGN, op->type), d, mem_x(addr, t, 0, op->disp));
        swap_bytes(c, size, d);
        if (op->cond & IR_MO_SIGN && size < IR_MO_64) {
            op_rr(a, load_opcode(op->cond, op->type), d, d);
        }
    } else {
        op_rm(a, load_opcode(op->cond, op->type), d, mem_x(addr, t, 0, op->disp));
    }
    add_stub(c, op, miss, row, vec ? SLOW_LD_VEC : SLOW_LD, addr, 0, d);
    ra_bind(c, op, d);
}

void out_st(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    bool vec = op->type == IR_V128;
    unsigned v = ra_use(c, op, 0), addr = ra_use(c, op, 1), t = ra_temp(c, c->gprs), u = ra_temp(c, c->gprs);
    unsigned row = fault_row(c, true), size = op->cond & IR_MO_SIZE, from = v;
    uint8_t *miss = probe(c, op, true, addr, t, u);
    Mem m = mem_x(addr, t, 0, op->disp);

    if (op->cond & IR_MO_BE && size != IR_MO_8) {
        op_mov(a, u, v);
        swap_bytes(c, size, u);
        from = u;
    }
    if (vec) {
        op_rm(a, vector_store_opcode(size), v, m);
    } else {
        static const uint32_t opcode[] = {
            [IR_MO_8] = X_MOV8_STORE, [IR_MO_16] = X_MOV_STORE | X_66, [IR_MO_32] = X_MOV_STORE,
            [IR_MO_64] = X_MOV_STORE | X_W,
        };

        op_rm(a, opcode[size], from, m);
    }
    add_stub(c, op, miss, row, vec ? SLOW_ST_VEC : SLOW_ST, addr, v, 0);
}

static unsigned sized(unsigned size, unsigned op8, unsigned op)
{
    return size == IR_MO_8 ? op8 : op | (size == IR_MO_16 ? X_66 : size == IR_MO_64 ? X_W : 0);
}

/* Zero-extend a 1- or 2-byte result; 4-byte forms have done so, except cmpxchg's untouched eax. */
static void zero_extend(TcgContext *c, unsigned size, unsigned d, bool also32)
{
    if (size == IR_MO_8) {
        op_rr(&c->a, X_MOVZX8, d, d);
    } else if (size == IR_MO_16) {
        op_rr(&c->a, X_MOVZX16, d, d);
    } else if (size == IR_MO_32 && also32) {
        op_rr(&c->a, X_MOV_LOAD, d, d);
    }
}

/* load: eax = [m]; again: t = eax OP v; lock cmpxchg [m], t; jne again */
static void rmw_loop(TcgContext *c, IrOp *op, unsigned digit, Mem m, unsigned v, unsigned t)
{
    Asm *a = &c->a;
    unsigned size = op->cond & IR_MO_SIZE;
    uint8_t *again;

    op_rm(a, load_opcode(op->cond, IR_I64), HR_RAX, m);
    again = a->p;
    op_mov(a, t, HR_RAX);
    op_alu_rr(a, digit, true, t, v);
    op_rm(a, sized(size, X_CMPXCHG8, X_CMPXCHG), t, m);
    emit8(a, 0x75);                             /* jne rel8 */
    emit8(a, again - (a->p + 1));
    zero_extend(c, size, HR_RAX, true);
}

void out_rmw(TcgContext *c, IrOp *op)
{
    static const uint8_t digit[] = {
        [IR_ATOMIC_AND] = ALU_AND, [IR_ATOMIC_OR] = ALU_OR, [IR_ATOMIC_XOR] = ALU_XOR,
    };
    Asm *a = &c->a;
    unsigned size = op->cond & IR_MO_SIZE, addr, v, t, u, d, row;
    bool simple = op->k == IR_ATOMIC_XCHG || op->k == IR_ATOMIC_ADD;
    uint8_t *miss;
    Mem m;

    if (!simple) {
        ra_vacate(c, HR_RAX);
    }
    addr = ra_use(c, op, 0);
    v = ra_use(c, op, 1);
    t = ra_temp(c, c->gprs);
    u = ra_temp(c, c->gprs);
    d = simple ? u : HR_RAX;
    row = fault_row(c, true);
    miss = probe(c, op, true, addr, t, u);
    m = mem_x(addr, t, 0, op->disp);
    if (simple) {
        op_mov(a, d, v);
        op_rm(a, op->k == IR_ATOMIC_XCHG ? sized(size, X_XCHG8, X_XCHG) : sized(size, X_XADD8, X_XADD), d, m);
        zero_extend(c, size, d, false);
    } else {
        rmw_loop(c, op, digit[op->k], m, v, u);
    }
    add_stub(c, op, miss, row, SLOW_RMW + op->k, addr, v, d);
    ra_bind(c, op, d);
}

void out_cas(TcgContext *c, IrOp *op)
{
    unsigned size = op->cond & IR_MO_SIZE, addr, v, t, u, row;
    uint8_t *miss;

    ra_vacate(c, HR_RAX);
    addr = ra_use(c, op, 0);
    v = ra_use(c, op, 2);
    t = ra_temp(c, c->gprs);
    u = ra_temp(c, c->gprs);
    ra_load_into(c, op->in[1], HR_RAX, true);
    row = fault_row(c, true);
    miss = probe(c, op, true, addr, t, u);
    op_rm(&c->a, sized(size, X_CMPXCHG8, X_CMPXCHG), v, mem_x(addr, t, 0, op->disp));
    zero_extend(c, size, HR_RAX, true);
    add_stub(c, op, miss, row, SLOW_CAS, addr, v, HR_RAX);
    ra_bind(c, op, HR_RAX);
}
