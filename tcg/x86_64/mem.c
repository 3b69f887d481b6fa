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
 * A probe for several accesses compares the page of the range's last byte with the entry of its first, so that
 * a range on two pages misses, and adds the base to the addend.
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

/* E of the page of addr + disp, in @t. */
static void find_entry(TcgContext *c, const IrOp *op, unsigned t)
{
    Asm *a = &c->a;

    op_shift_i(a, SHIFT_SHR, false, t, c->ir.page_bits - 5);
    op_alu_rm(a, ALU_AND, false, t, tlb_mem(op->aux, offsetof(TcgTlbFast, mask)));
    op_alu_rm(a, ALU_ADD, true, t, tlb_mem(op->aux, offsetof(TcgTlbFast, table)));
}

static unsigned comparator(bool write)
{
    return write ? offsetof(TcgTlbEntry, addr_write) : offsetof(TcgTlbEntry, addr_read);
}

/* @t becomes the addend; returns the jump to the miss. */
static uint8_t *probe(TcgContext *c, IrOp *op, bool write, unsigned addr, unsigned t, unsigned u)
{
    Asm *a = &c->a;
    unsigned size = 1u << (op->cond & IR_MO_SIZE);
    int32_t mask = -(1 << c->ir.page_bits);
    uint8_t *miss;

    if (size == 1) {                            /* first byte, last byte: the same */
        op_address(a, true, u, addr, op->disp);
        op_rr(a, X_MOV_LOAD, t, u);
    } else {
        op_address(a, false, t, addr, op->disp);
    }
    find_entry(c, op, t);
    if (op->cond & IR_MO_ALIGN) {
        op_address(a, true, u, addr, op->disp);
        mask |= size - 1;
    } else if (size > 1) {
        op_address(a, true, u, addr, op->disp + (int32_t)size - 1);
    }
    op_alu_ri(a, ALU_AND, true, u, mask);
    op_alu_rm(a, ALU_CMP, true, u, mem(t, comparator(write)));
    miss = op_jcc32(a, CC_NE);
    op_rm(a, X_MOV_LOAD | X_W, t, mem(t, offsetof(TcgTlbEntry, addend)));
    return miss;
}

static void add_stub(TcgContext *c, IrOp *op, uint8_t *miss, unsigned row, unsigned kind, unsigned addr,
                     unsigned data, unsigned dst)
{
    uint32_t desc = (uint32_t)op->cond << DESC_MEMOP | op->aux << DESC_MMU | kind << DESC_KIND | addr << DESC_ADDR |
                    (data & 15) << DESC_DATA | (dst & 15) << DESC_DST | (op->type == IR_I32 ? 1u << DESC_IS32 : 0);

    c->stubs[c->n_stubs++] = (SlowStub){ .jump = miss, .back = c->a.p, .desc = desc, .disp = op->disp, .row = (uint16_t)row };
}

/*
 * Where the probe of a range misses: @t, @u as the probe left them.  A range that begins on the entry's page, which
 * is as wanted, ends on the next: leave at once, else ask.  Returns the short jump to the way out.
 */
static uint8_t *out_range_miss(TcgContext *c, const SlowStub *s, const IrOp *op)
{
    Asm *a = &c->a;
    unsigned t = extract32(s->desc, DESC_DST, 4);

    op_alu_ri(a, ALU_SUB, true, s->u, 1 << c->ir.page_bits);
    op_alu_rm(a, ALU_CMP, true, s->u, mem(t, comparator(IR_PROBE_WRITE(op->k))));
    emit8(a, 0x70 | CC_E);
    emit8(a, 0);
    return a->p - 1;
}

static void out_stub(TcgContext *c, SlowStub *s)
{
    Asm *a = &c->a;
    const IrOp *op = s->leave ? &c->ir.ops[s->leave->op] : NULL;
    bool small = s->disp == (int8_t)s->disp, far;
    uint8_t *crosses = NULL;
    size_t back;

    patch_rel32(s->jump, a->p);
    if (op) {
        crosses = out_range_miss(c, s, op);
    }
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
    if (op) {
        emit8(a, IR_PROBE_BEFORE(op->k));
        emit8(a, IR_PROBE_LEN(op->k) - IR_PROBE_BEFORE(op->k) - 1);
        c->refused |= far;                      /* fewer instructions, then */
    }
    if (!far) {
        emit8(a, back);
        emit8(a, back >> 8);
    }
    note_data(c, c->rows[s->row].ra_offset);
    if (far) {
        op_jmp_to(a, s->back);
    }
    if (op) {
        *crosses = a->p - (crosses + 1);
        out_leave_unshared(c, s->leave, c->rows[s->row].insn);
    }
}
_Static_assert(IR_SHARE_SPAN <= 256, "the range in two bytes");

bool out_slow_stubs(TcgContext *c)
{
    c->pos = c->ir.n_ops;
    for (unsigned i = 0; i < c->n_stubs; i++) {
        if (c->a.p + CODE_MARGIN > c->a.end) {
            return false;
        }
        out_stub(c, &c->stubs[i]);
    }
    return !c->refused;
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

static unsigned store_opcode(unsigned size)
{
    static const uint32_t opcode[] = {
        [IR_MO_8] = X_MOV8_STORE, [IR_MO_16] = X_MOV_STORE | X_66, [IR_MO_32] = X_MOV_STORE,
        [IR_MO_64] = X_MOV_STORE | X_W,
    };

    return opcode[size];
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
    miss = probe(c, op, op->cond & IR_MO_RMW, addr, t, u);
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
        op_rm(a, store_opcode(size), from, m);
    }
    add_stub(c, op, miss, row, vec ? SLOW_ST_VEC : SLOW_ST, addr, v, 0);
}

/*
 * t = base + lo, u = base + hi - 1 as for one access; if the first access must be aligned, u is the last place in the range
 * that is as it should be, whose low bits are compared as well.  Where the stub returns, and goes on, t is the host's address of
 * the base.
 */
void out_probe(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    unsigned addr = ra_use(c, op, 0), t = ra_temp(c, c->gprs), u = ra_temp(c, c->gprs), row;
    int32_t lo = op->disp - IR_PROBE_BEFORE(op->k), last = lo + IR_PROBE_LEN(op->k) - 1, mask = -(1 << c->ir.page_bits);
    SideExit *leave = &c->leaves[c->n_leaves];
    uint8_t *miss;

    if (c->n_leaves == MAX_LEAVES) {
        c->refused = true;
        return;
    }
    c->n_leaves++;
    if (op->cond & IR_MO_ALIGN) {
        int32_t size = 1 << (op->cond & IR_MO_SIZE);

        last -= (last - op->disp) & (size - 1);
        mask |= size - 1;
    }
    leave->op = op - c->ir.ops;
    ra_note_kept(c, leave);
    row = fault_row(c, true);
    op_address(a, false, t, addr, lo);
    find_entry(c, op, t);
    op_address(a, true, u, addr, last);
    op_alu_ri(a, ALU_AND, true, u, mask);
    op_alu_rm(a, ALU_CMP, true, u, mem(t, comparator(IR_PROBE_WRITE(op->k))));
    miss = op_jcc32(a, CC_NE);
    op_rm(a, X_MOV_LOAD | X_W, t, mem(t, offsetof(TcgTlbEntry, addend)));
    op_alu_rr(a, ALU_ADD, true, t, addr);
    add_stub(c, op, miss, row, SLOW_PROBE, addr, IR_PROBE_WRITE(op->k) * DATA_WRITE | IR_PROBE_STORE(op->k) * DATA_STORE, t);
    c->stubs[c->n_stubs - 1].u = (uint8_t)u;
    c->stubs[c->n_stubs - 1].leave = leave;
    ra_bind(c, op, t);
}

void out_hld(TcgContext *c, IrOp *op)
{
    bool vec = op->type == IR_V128;
    unsigned host = ra_use(c, op, 0), d;

    ra_inputs_done(c, op);
    d = ra_def(c, op, vec ? c->xmms : c->gprs);
    op_rm(&c->a, vec ? vector_load_opcode(op->cond & IR_MO_SIZE) : load_opcode(op->cond, op->type), d, mem(host, op->disp));
}

static void store_immediate(Asm *a, unsigned size, int32_t k, Mem m)
{
    static const uint32_t opcode[] = {
        [IR_MO_8] = X_MOV8_I8, [IR_MO_16] = X_MOV_I32 | X_66, [IR_MO_32] = X_MOV_I32, [IR_MO_64] = X_MOV_I32 | X_W,
    };

    op_rm(a, opcode[size], 0, m);
    if (size == IR_MO_8) {
        emit8(a, k);
    } else if (size == IR_MO_16) {
        emit8(a, k);
        emit8(a, k >> 8);
    } else {
        emit32(a, k);
    }
}

void out_hst(TcgContext *c, IrOp *op)
{
    unsigned size = op->cond & IR_MO_SIZE;
    Mem m = mem(ra_use(c, op, 1), op->disp);
    int32_t k;

    if (op->type != IR_V128 && !ra_in_reg(c, op, 0) && ra_imm(c, op, 0, size == IR_MO_64 ? IR_I64 : IR_I32, &k)) {
        store_immediate(&c->a, size, k, m);
    } else {
        op_rm(&c->a, op->type == IR_V128 ? vector_store_opcode(size) : store_opcode(size), ra_use(c, op, 0), m);
    }
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
