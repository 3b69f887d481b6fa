/*
 * Register allocator: one pass with the emitter, forwards.
 *
 * The home of a global is its env field, or for the hottest a host register that keeps it from
 * block to block ("pinned"); a loop has more such registers of its own, which are loaded where the
 * block begins and written to env where it is left.  A pinned register is read as an operand in place, and is the target
 * of an op whose result is about to be put to it; the allocator never hands it out otherwise.
 *
 * A value may be in a register, in its spill slot, in the env field of a global that it was read
 * from or written to, or in several of these; constants and pc-relative values can be made anew
 * anywhere.  A put makes its value the global's and writes nothing: the store is done at the next
 * edge (ra_sync), or when its register is wanted, or never if a later put comes first.  Up to
 * then each fault point records where the value is.
 *
 * Invariants:
 *  R1  a value that is needed (has a next use, or is the value of a dirty global) is somewhere
 *  R2  a value that lives across a label has been stored to its slot right after its definition,
 *      so that at a label no register and no env field needs to be known
 *  R3  before the home of a global changes, a needed value that is only there is loaded
 */
#include "tcg/regalloc.h"
#include "tcg/unwind.h"

Mem ra_env_mem(unsigned offset)
{
    return mem(HR_ENV, (int32_t)offset - TCG_ENV_BIAS);
}

Mem ra_slot_mem(unsigned slot)
{
    return mem(HR_RSP, FRAME_SLOTS + slot * 8);
}

static bool is_vector(IrType t)
{
    return t == IR_V128 || t == IR_V256;
}

static uint32_t class_of(TcgContext *c, IrId v)
{
    return is_vector(c->ir.values[v].type) ? c->xmms : c->gprs;
}

/* --- slots --- */

static unsigned slot_alloc(TcgContext *c, bool vector)
{
    unsigned n = vector ? 2 : 1;

    for (unsigned s = 0; s + n <= N_SLOTS; s += n) {
        if (!c->slot_used[s] && (n == 1 || !c->slot_used[s + 1])) {
            memset(&c->slot_used[s], 1, n);
            return s;
        }
    }
    c->refused = true;
    return 0;
}

static void slot_free(TcgContext *c, IrId v)
{
    RaValue *r = &c->value[v];

    if (r->slot != RA_NONE) {
        c->slot_used[r->slot] = 0;
        if (is_vector(c->ir.values[v].type)) {
            c->slot_used[r->slot + 1] = 0;
        }
        r->slot = RA_NONE;
        r->stored = false;
    }
}

/* --- moves between a register and memory --- */

static void store(TcgContext *c, unsigned reg, Mem m, IrType t)
{
    if (reg >= HR_XMM0) {
        op_rm(&c->a, X_MOVAPS_STORE, reg, m);
    } else {
        op_rm(&c->a, X_MOV_STORE | (t == IR_I32 ? 0 : X_W), reg, m);
    }
}

static void load(TcgContext *c, unsigned reg, Mem m, IrType t)
{
    if (reg >= HR_XMM0) {
        op_rm(&c->a, X_MOVAPS_LOAD, reg, m);
    } else {
        op_rm(&c->a, X_MOV_LOAD | (t == IR_I32 ? 0 : X_W), reg, m);
    }
}

static Mem home_mem(TcgContext *c, unsigned g)
{
    return ra_env_mem(c->target->globals[g].offset);
}

/* A byte that was just stored cannot be forwarded to a load of four. */
static void load_home(TcgContext *c, unsigned reg, unsigned g)
{
    if (c->target->globals[g].byte) {
        op_rm(&c->a, X_MOVZX8, reg, home_mem(c, g));
    } else {
        load(c, reg, home_mem(c, g), c->target->globals[g].type);
    }
}

/* The pinned register that holds @v as its global's home; -1 if none. */
static int pinned_home(const TcgContext *c, IrId v)
{
    const RaValue *r = &c->value[v];

    return r->home != RA_NONE && c->pins.reg[r->home] != RA_NONE ? c->pins.reg[r->home] : -1;
}

/* A register that holds @v now, allocated or pinned; -1 if none. */
static int any_reg(const TcgContext *c, IrId v)
{
    return c->value[v].reg >= 0 ? c->value[v].reg : pinned_home(c, v);
}

/* lea reg, [pc + delta], wrapped to the mode's width */
void ra_load_pc(TcgContext *c, unsigned reg, int64_t delta)
{
    Asm *a = &c->a;
    bool w = c->ir.pc_bits == 64;

    if (!w) {
        delta = (int32_t)delta;
    }
    if (delta != (int32_t)delta) {              /* farther than a displacement reaches */
        unsigned t = reg == HR_PC ? (unsigned)HR_RAX : reg;     /* pc itself changes at exits only: rax is idle there */

        op_mov_k(a, t, delta, false);
        op_rm(a, X_LEA | X_W, reg, mem_x(HR_PC, t, 0, 0));
    } else if (delta) {
        op_rm(a, X_LEA | (w ? X_W : 0), reg, mem(HR_PC, delta));
    } else {
        op_rr(a, X_MOV_LOAD | (w ? X_W : 0), reg, HR_PC);
    }
    if (c->ir.pc_bits == 16) {
        op_rr(a, X_MOVZX16, reg, reg);
    }
}

void ra_load_into(TcgContext *c, IrId v, unsigned reg, bool flags_free)
{
    const IrValue *o = &c->ir.values[v];
    const RaValue *r = &c->value[v];

    int from = any_reg(c, v);

    if (from >= 0) {
        op_mov(&c->a, reg, from);
    } else if (o->kind == IR_KIND_CONST) {
        op_mov_k(&c->a, reg, o->k, flags_free);
    } else if (o->kind == IR_KIND_PC) {
        ra_load_pc(c, reg, o->k);
    } else if (r->stored) {
        load(c, reg, ra_slot_mem(r->slot), IR_I64);
    } else if (r->home != RA_NONE) {
        load_home(c, reg, r->home);
    } else {
        c->refused = true;                      /* R1 is broken: a bug here, but no reason to fall over */
    }
}

/* --- registers --- */

static bool remade(TcgContext *c, IrId v)
{
    return c->ir.values[v].kind != IR_KIND_TEMP;
}

static inline bool needed(const TcgContext *c, IrId v)
{
    return c->value[v].next != IR_NO_POS || c->value[v].dirty_refs;
}

static bool in_memory(TcgContext *c, IrId v)
{
    return remade(c, v) || c->value[v].stored || c->value[v].home != RA_NONE;
}

static void unbind(TcgContext *c, unsigned reg)
{
    if (c->reg[reg]) {
        c->value[c->reg[reg]].reg = -1;
        c->reg[reg] = 0;
    }
    c->occupied &= ~HOST_MASK(reg);
}

static void bind(TcgContext *c, IrId v, unsigned reg)
{
    assert(!c->reg[reg]);
    c->reg[reg] = v;
    c->value[v].reg = reg;
    c->occupied |= HOST_MASK(reg);
}

static inline void free_if_dead(TcgContext *c, IrId v)
{
    RaValue *r = &c->value[v];

    if (needed(c, v)) {
        return;
    }
    if (r->reg >= 0) {
        unbind(c, r->reg);
    }
    if (unlikely(r->slot != RA_NONE) && c->ir.values[v].last <= c->pos) {
        slot_free(c, v);
    }
}

static void store_to_slot(TcgContext *c, IrId v)
{
    RaValue *r = &c->value[v];
    bool vector = is_vector(c->ir.values[v].type);

    if (r->stored) {
        return;
    }
    if (r->slot == RA_NONE) {
        r->slot = slot_alloc(c, vector);
    }
    store(c, any_reg(c, v), ra_slot_mem(r->slot), IR_I64);
    r->stored = true;
}

/* Does the env field of @g hold all of @v once it was written there? */
static bool home_is_whole(TcgContext *c, unsigned g, IrId v)
{
    return c->target->globals[g].type != IR_I32 || c->ir.values[v].bits <= 32;
}

/* The old value in @g's env field is needed and is nowhere else. */
static bool env_field_is_precious(TcgContext *c, unsigned g)
{
    IrId old = c->global[g].in_env;

    return old && c->value[old].home == g && (needed(c, old) || c->value[old].held) && c->value[old].reg < 0 &&
           !c->value[old].stored;
}

static bool is_dirty(TcgContext *c, unsigned g)
{
    return c->dirty[g / 64] >> (g % 64) & 1;
}

static void clear_dirty(TcgContext *c, unsigned g)
{
    c->dirty[g / 64] &= ~BIT_ULL(g % 64);
    c->value[c->global[g].now].dirty_refs--;
}

static void note_in_env(TcgContext *c, unsigned g, IrId v)
{
    c->global[g].in_env = v;
    c->known[g / 64] |= BIT_ULL(g % 64);
    c->value[v].home = g;
}

static void set_in_env(TcgContext *c, unsigned g, IrId v)
{
    IrId old = c->global[g].in_env;

    if (old) {
        if (c->value[old].home == g) {
            c->value[old].home = RA_NONE;
        }
        c->global[g].in_env = 0;
        c->known[g / 64] &= ~BIT_ULL(g % 64);
    }
    if (v && !remade(c, v) && home_is_whole(c, g, v)) {
        note_in_env(c, g, v);
    }
}

/* Write dirty @g, whose value is in @reg, to its home, which is not precious. */
static void sync_from_reg(TcgContext *c, unsigned g, unsigned reg)
{
    unsigned pin = c->pins.reg[g];

    if (pin != RA_NONE) {
        op_mov(&c->a, pin, reg);
        c->pins_in_env &= ~HOST_MASK(pin);
    } else {
        store(c, reg, home_mem(c, g), c->target->globals[g].type);
    }
    set_in_env(c, g, c->global[g].now);
    clear_dirty(c, g);
}

/* A pinned register that some operand of this op is being read from. */
static bool home_is_locked(const TcgContext *c, unsigned g)
{
    return c->pins.reg[g] != RA_NONE && c->locked & HOST_MASK(c->pins.reg[g]);
}

/* Save the value in @reg somewhere in memory if it is needed.  True if that took a store. */
static bool save_reg(TcgContext *c, unsigned reg)
{
    IrId v = c->reg[reg];

    if (!v || !needed(c, v) || in_memory(c, v)) {
        return false;
    }
    if (c->value[v].dirty_refs) {
        for (unsigned i = 0; i < ARRAY_SIZE(c->dirty); i++) {
            for (uint64_t w = c->dirty[i]; w; w &= w - 1) {
                unsigned g = i * 64 + __builtin_ctzll(w);

                if (c->global[g].now == v && !env_field_is_precious(c, g) && home_is_whole(c, g, v) &&
                    !home_is_locked(c, g)) {
                    sync_from_reg(c, g, reg);
                    return true;
                }
            }
        }
    }
    store_to_slot(c, v);
    return true;
}

static unsigned choose_victim(TcgContext *c, uint32_t candidates)
{
    unsigned best = 0;
    int best_score = -1;

    for (uint32_t m = candidates; m; m &= m - 1) {
        unsigned r = __builtin_ctz(m);
        IrId v = c->reg[r];
        int score = c->value[v].next == IR_NO_POS ? TCG_MAX_OPS : c->value[v].next - (int)c->pos;

        score = score * 4 + (in_memory(c, v) ? 3 : 0);
        if (score > best_score) {
            best_score = score;
            best = r;
        }
    }
    return best;
}

/* A free register of @mask, locked; @keep: it will live across a call. */
static unsigned reg_alloc(TcgContext *c, uint32_t mask, bool keep)
{
    uint32_t can = mask & ~c->locked, idle = can & ~c->occupied;
    unsigned reg;

    if (idle) {
        uint32_t liked = idle & (keep ? HOST_CALLEE_SAVED : ~HOST_CALLEE_SAVED);

        reg = __builtin_ctz(liked ? liked : idle);
    } else {
        if (!can) {                             /* no op locks that many */
            c->refused = true;
            can = mask;
        }
        reg = choose_victim(c, can);
        save_reg(c, reg);
        unbind(c, reg);
    }
    c->locked |= HOST_MASK(reg);
    return reg;
}

static bool keeps(TcgContext *c, IrId v)
{
    return c->ir.values[v].crosses_call;
}

/* @v in an allocated register, locked. */
static unsigned value_in_own_reg(TcgContext *c, IrId v)
{
    RaValue *r = &c->value[v];
    unsigned reg;

    if (r->reg < 0) {
        reg = reg_alloc(c, class_of(c, v), keeps(c, v));
        ra_load_into(c, v, reg, true);
        bind(c, v, reg);
    }
    c->locked |= HOST_MASK(r->reg);
    return r->reg;
}

/* @v in a register to be read, locked; may be its pinned home. */
static unsigned value_in_reg(TcgContext *c, IrId v)
{
    int reg = any_reg(c, v);

    if (reg < 0) {
        return value_in_own_reg(c, v);
    }
    c->locked |= HOST_MASK(reg);
    return reg;
}

/* Is @old, which lies in its pinned home only, wanted after @op? */
static bool wanted_after(TcgContext *c, IrOp *op, IrId old)
{
    const IrId *in = ir_op_in(&c->ir, op);
    const uint16_t *next = ir_op_next_use(&c->ir, op);

    if (c->value[old].dirty_refs) {
        return true;
    }
    for (unsigned i = 0; i < op->n_in; i++) {
        if (in[i] == old) {
            return next[i] != IR_NO_POS;
        }
    }
    return c->value[old].next != IR_NO_POS;
}

int ra_result_pin(TcgContext *c, IrOp *op)
{
    unsigned g = op->out ? c->ir.values[op->out].pin : IR_NO_PIN;
    IrId old;

    if (g == IR_NO_PIN) {
        return -1;
    }
    old = c->global[g].in_env;
    if (old && c->value[old].home == g && c->value[old].reg < 0 && !c->value[old].stored && wanted_after(c, op, old)) {
        return -1;
    }
    return c->pins.reg[g];
}

/* The op is going to write @pin: what was there, if in another register too, is only there from now on. */
static unsigned claim_pin(TcgContext *c, unsigned pin)
{
    set_in_env(c, c->pins.global[pin], 0);
    c->locked |= HOST_MASK(pin);
    return pin;
}

unsigned ra_temp(TcgContext *c, uint32_t mask)
{
    return reg_alloc(c, mask, false);
}

void ra_unlock(TcgContext *c, unsigned reg)
{
    c->locked &= ~HOST_MASK(reg);
}

/* --- operands --- */

bool ra_dies(TcgContext *c, IrOp *op, unsigned i)
{
    IrId v = ir_op_in(&c->ir, op)[i];

    return ir_op_next_use(&c->ir, op)[i] == IR_NO_POS && !c->value[v].dirty_refs;
}

bool ra_in_reg(TcgContext *c, IrOp *op, unsigned i)
{
    return any_reg(c, op->in[i]) >= 0;
}

unsigned ra_use(TcgContext *c, IrOp *op, unsigned i)
{
    return value_in_reg(c, op->in[i]);
}

unsigned ra_take(TcgContext *c, IrOp *op, unsigned i)
{
    IrId v = op->in[i];
    int pin = ra_result_pin(c, op), from = any_reg(c, v);
    unsigned reg;

    if (pin >= 0 && (from == pin || !(c->locked & HOST_MASK(pin)))) {
        ra_load_into(c, v, pin, true);          /* nothing if it is there */
        return claim_pin(c, pin);
    }
    if (c->value[v].reg >= 0 && ra_dies(c, op, i)) {
        reg = c->value[v].reg;
        unbind(c, reg);
        c->locked |= HOST_MASK(reg);
        return reg;
    }
    reg = reg_alloc(c, class_of(c, v), op->out && keeps(c, op->out));
    ra_load_into(c, v, reg, true);
    return reg;
}

void ra_vacate(TcgContext *c, unsigned reg)
{
    IrId v = c->reg[reg];

    assert(!(c->locked & HOST_MASK(reg)));
    if (v) {
        uint32_t idle = class_of(c, v) & ~c->locked & ~c->occupied & ~HOST_MASK(reg);

        if (needed(c, v) && !remade(c, v) && idle) {
            unsigned to = __builtin_ctz(idle);

            op_mov(&c->a, to, reg);
            unbind(c, reg);
            bind(c, v, to);
        } else {
            save_reg(c, reg);
            unbind(c, reg);
        }
    }
    c->locked |= HOST_MASK(reg);
}

void ra_take_in(TcgContext *c, IrOp *op, unsigned i, unsigned reg)
{
    IrId v = op->in[i];

    if (c->value[v].reg == (int)reg && ra_dies(c, op, i)) {
        unbind(c, reg);
        c->locked |= HOST_MASK(reg);
        return;
    }
    if (c->value[v].reg == (int)reg) {
        uint32_t idle = class_of(c, v) & ~c->locked & ~c->occupied;

        /* its value lives on: leave the copy here to the op, move the value itself */
        if (idle) {
            unsigned to = __builtin_ctz(idle);

            op_mov(&c->a, to, reg);
            unbind(c, reg);
            bind(c, v, to);
        } else {
            save_reg(c, reg);
            unbind(c, reg);
        }
        c->locked |= HOST_MASK(reg);
        return;
    }
    ra_vacate(c, reg);
    ra_load_into(c, v, reg, true);
}

bool ra_const(TcgContext *c, IrOp *op, unsigned i, IrType t, uint64_t *k)
{
    const IrValue *v = &c->ir.values[op->in[i]];

    *k = v->k & ir_mask(t);
    return v->kind == IR_KIND_CONST;
}

bool ra_imm(TcgContext *c, IrOp *op, unsigned i, IrType t, int32_t *imm)
{
    uint64_t k;

    if (!ra_const(c, op, i, t, &k)) {
        return false;
    }
    *imm = k;
    return t == IR_I32 || (int64_t)k == *imm;
}

bool ra_mem(TcgContext *c, IrOp *op, unsigned i, IrType t, Mem *m)
{
    IrId v = op->in[i];
    const RaValue *r = &c->value[v];

    if (any_reg(c, v) >= 0 || remade(c, v) || ir_op_next_use(&c->ir, op)[i] != IR_NO_POS) {
        return false;
    }
    if (r->stored) {
        *m = ra_slot_mem(r->slot);
        return true;
    }
    if (r->home != RA_NONE && !c->target->globals[r->home].byte &&
        (t == IR_I32 || c->target->globals[r->home].type != IR_I32)) {
        *m = home_mem(c, r->home);
        return true;
    }
    return false;
}

void ra_inputs_done(TcgContext *c, IrOp *op)
{
    const IrId *in = ir_op_in(&c->ir, op);
    const uint16_t *next = ir_op_next_use(&c->ir, op);

    c->inputs_done = true;
    for (unsigned i = 0, n = op->n_in; i < n; i++) {
        RaValue *r = &c->value[in[i]];

        r->next = next[i];
        r->held = false;
        if (!needed(c, in[i])) {
            if (r->reg >= 0) {
                c->locked &= ~HOST_MASK(r->reg);
            }
            free_if_dead(c, in[i]);
        }
    }
}

unsigned ra_result(TcgContext *c, IrOp *op, uint32_t mask)
{
    int pin = ra_result_pin(c, op);

    if (pin >= 0 && (c->inputs_done || !(c->locked & HOST_MASK(pin)))) {
        return claim_pin(c, pin);
    }
    return reg_alloc(c, mask, keeps(c, op->out));
}

unsigned ra_def(TcgContext *c, IrOp *op, uint32_t mask)
{
    unsigned reg = ra_result(c, op, mask);

    ra_bind(c, op, reg);
    return reg;
}

void ra_bind(TcgContext *c, IrOp *op, unsigned reg)
{
    c->locked |= HOST_MASK(reg);
    if (c->pins.mask & HOST_MASK(reg)) {        /* in its home before it is put there */
        set_in_env(c, c->pins.global[reg], op->out);
        c->pins_in_env &= ~HOST_MASK(reg);
        return;
    }
    if (c->reg[reg]) {                          /* a dying operand that was not freed yet */
        unbind(c, reg);
    }
    bind(c, op->out, reg);
}

void ra_end_op(TcgContext *c, IrOp *op)
{
    IrId out = op->out;

    if (op->n_in && !c->inputs_done) {
        ra_inputs_done(c, op);
    }
    c->inputs_done = false;
    if (out) {
        if (unlikely(c->ir.values[out].crosses_label) && any_reg(c, out) >= 0) {
            store_to_slot(c, out);
        }
        free_if_dead(c, out);
    }
    c->locked = 0;
}

/* --- globals and variables --- */

void ra_get(TcgContext *c, IrOp *op)
{
    unsigned g = op->k;
    IrId v = op->out;

    c->refused |= is_dirty(c, g);               /* the builder would have known the value */
    set_in_env(c, g, 0);
    note_in_env(c, g, v);
    if (c->ir.values[v].crosses_label && pinned_home(c, v) < 0) {
        value_in_own_reg(c, v);
    }
}

void ra_put(TcgContext *c, IrOp *op)
{
    unsigned g = op->k;
    IrId v = op->in[0];

    if (is_dirty(c, g)) {
        IrId old = c->global[g].now;

        clear_dirty(c, g);
        free_if_dead(c, old);
    }
    if (c->global[g].in_env == v && c->value[v].home == g) {
        return;                                 /* it is there already */
    }
    c->global[g].now = v;
    c->global[g].until = IR_PUT_UNTIL(op);
    c->dirty[g / 64] |= BIT_ULL(g % 64);
    c->value[v].dirty_refs++;
}

void ra_discard(TcgContext *c, IrOp *op)
{
    unsigned g = op->k;

    if (is_dirty(c, g)) {
        IrId old = c->global[g].now;

        clear_dirty(c, g);
        free_if_dead(c, old);
    }
}

static Mem var_mem(TcgContext *c, unsigned var)
{
    if (c->var_slot[var] == RA_NONE) {
        c->var_slot[var] = slot_alloc(c, is_vector(c->ir.var_type[var]));
    }
    return ra_slot_mem(c->var_slot[var]);
}

void ra_var_get(TcgContext *c, IrOp *op)
{
    Mem m = var_mem(c, op->k);
    unsigned d = ra_def(c, op, class_of(c, op->out));

    load(c, d, m, op->type);
}

void ra_var_set(TcgContext *c, IrOp *op)
{
    Mem m = var_mem(c, op->k);
    int32_t imm;

    if (!is_vector(op->type) && !ra_in_reg(c, op, 0) && ra_imm(c, op, 0, op->type, &imm)) {
        op_rm(&c->a, X_MOV_I32 | (op->type == IR_I64 ? X_W : 0), 0, m);
        emit32(&c->a, imm);
        return;
    }
    store(c, ra_use(c, op, 0), m, op->type);
}

/* A constant that can be stored to @g's env field as an immediate. */
static bool is_immediate(TcgContext *c, unsigned g, const IrValue *o)
{
    IrType t = c->target->globals[g].type;

    return o->kind == IR_KIND_CONST && !is_vector(t) && (t == IR_I32 || (int64_t)o->k == (int32_t)o->k);
}

void ra_store_home(TcgContext *c, unsigned g, uint64_t k)
{
    const IrGlobal *global = &c->target->globals[g];

    if (global->byte) {
        op_rm(&c->a, X_MOV8_I8, 0, home_mem(c, g));
        emit8(&c->a, k);
    } else {
        op_rm(&c->a, X_MOV_I32 | (global->type == IR_I64 ? X_W : 0), 0, home_mem(c, g));
        emit32(&c->a, k);
    }
    set_in_env(c, g, 0);
}

static void sync_immediate(TcgContext *c, unsigned g, uint64_t k)
{
    ra_store_home(c, g, k);
    clear_dirty(c, g);
}

/*
 * Write dirty @g to its home, wherever its value is.  The value is brought to a register first:
 * that may push the home's old value out of its register, which makes the home precious.
 */
static void sync_global(TcgContext *c, unsigned g)
{
    IrId v = c->global[g].now;
    const IrValue *o = &c->ir.values[v];
    uint32_t locked = c->locked;
    unsigned pin = c->pins.reg[g];
    int reg = any_reg(c, v);

    if (reg < 0 && pin == RA_NONE && !is_immediate(c, g, o)) {
        reg = value_in_own_reg(c, v);
    }
    if (reg >= 0) {
        c->locked |= HOST_MASK(reg);
    }
    if (env_field_is_precious(c, g)) {
        value_in_own_reg(c, c->global[g].in_env);
    }
    if (reg >= 0) {
        sync_from_reg(c, g, reg);
    } else if (pin != RA_NONE) {
        ra_load_into(c, v, pin, false);
        sync_from_reg(c, g, pin);
    } else {
        sync_immediate(c, g, o->k);
    }
    c->locked = locked;
    free_if_dead(c, v);
}

void ra_sync(TcgContext *c)
{
    for (unsigned i = 0; i < ARRAY_SIZE(c->dirty); i++) {
        while (c->dirty[i]) {
            sync_global(c, i * 64 + __builtin_ctzll(c->dirty[i]));
        }
    }
}

void ra_forget(TcgContext *c)
{
    for (uint32_t m = c->occupied; m; m &= m - 1) {
        unbind(c, __builtin_ctz(m));
    }
    c->locked = 0;
    ra_forget_env(c);
    c->block_pc_stored = false;
    c->pins_in_env = 0;
}

/* Move the pinned registers of @mask to or from their env fields. */
static void move_pins(TcgContext *c, uint32_t mask, unsigned opcode)
{
    for (; mask; mask &= mask - 1) {
        unsigned reg = __builtin_ctz(mask);

        op_rm(&c->a, opcode | X_W, reg, home_mem(c, c->pins.global[reg]));
    }
}

void ra_show_pins(TcgContext *c)
{
    move_pins(c, c->pins.mask & ~c->pins_in_env, X_MOV_STORE);
    c->pins_in_env = c->pins.mask;
}

void ra_reload_pins(TcgContext *c)
{
    move_pins(c, c->pins.mask, X_MOV_LOAD);
    c->pins_in_env = c->pins.mask;
}

void ra_forget_env(TcgContext *c)
{
    for (unsigned i = 0; i < ARRAY_SIZE(c->known); i++) {
        while (c->known[i]) {
            set_in_env(c, i * 64 + __builtin_ctzll(c->known[i]), 0);
        }
    }
}

/* The env fields of globals will change: give what is wanted later, and only there, a slot. */
static void leave_env(TcgContext *c, uint32_t clobbers)
{
    for (unsigned g = 0; g < c->target->n_globals; g++) {
        IrId v = c->global[g].in_env;
        RaValue *r = &c->value[v];

        if (!v || r->home != g || !needed(c, v) || r->stored ||
            (r->reg >= 0 && !(clobbers & HOST_MASK(r->reg)))) {
            continue;
        }
        if (any_reg(c, v) < 0) {
            unsigned reg = value_in_own_reg(c, v);

            c->locked &= ~HOST_MASK(reg);
        }
        store_to_slot(c, v);
    }
}

void ra_prepare_call(TcgContext *c, IrOp *op, uint32_t clobbers, bool writes_globals)
{
    const IrId *in = ir_op_in(&c->ir, op);
    const uint16_t *next = ir_op_next_use(&c->ir, op);
    bool again;

    for (unsigned i = 0; i < op->n_in; i++) {   /* operands: only what lives on counts from here */
        c->value[in[i]].next = next[i];
        c->value[in[i]].held = true;
        if (c->value[in[i]].reg >= 0) {
            c->locked |= HOST_MASK(c->value[in[i]].reg);
        }
    }
    if (writes_globals) {
        leave_env(c, clobbers);
    }
    do {                    /* again while it changes something: a store can take another's home */
        again = false;
        for (uint32_t m = c->occupied & clobbers; m; m &= m - 1) {
            again |= save_reg(c, __builtin_ctz(m));
        }
    } while (again);
}

void ra_drop(TcgContext *c, uint32_t mask)
{
    for (uint32_t m = c->occupied & mask; m; m &= m - 1) {
        unbind(c, __builtin_ctz(m));
    }
}

static void move_loop_pins(TcgContext *c, uint32_t mask, bool store_them)
{
    for (; mask; mask &= mask - 1) {
        unsigned reg = __builtin_ctz(mask), g = c->pins.global[reg];

        (store_them ? store : load)(c, reg, home_mem(c, g), (IrType)c->target->globals[g].type);
    }
}

void ra_load_loop_pins(TcgContext *c)
{
    move_loop_pins(c, c->pins.mask & ~c->base_pins.mask, false);
}

void ra_go_home(TcgContext *c)
{
    ra_sync(c);
    move_loop_pins(c, c->loop_pins_written, true);
}

void ra_begin(TcgContext *c)
{
    c->pos = 0;
    c->occupied = c->locked = 0;
    c->pins_in_env = 0;
    c->refused = c->inputs_done = c->block_pc_stored = false;
    memset(c->reg, 0, sizeof(c->reg));
    memset(c->dirty, 0, sizeof(c->dirty));
    memset(c->known, 0, sizeof(c->known));
    memset(c->global, 0, c->target->n_globals * sizeof(c->global[0]));
    memset(c->slot_used, 0, sizeof(c->slot_used));
    memset(c->var_slot, RA_NONE, c->ir.n_vars);
    for (unsigned i = 0; i < c->ir.n_values; i++) {
        c->value[i] = (RaValue){ .reg = -1, .slot = RA_NONE, .home = RA_NONE, .next = c->ir.values[i].next };
    }
}

/* --- the fault table's view --- */

/* Where dirty @g is, as unwind.c knows it. */
static void tell_location(TcgContext *c, unsigned g)
{
    IrId v = c->global[g].now;
    const RaValue *r = &c->value[v];
    const IrValue *o = &c->ir.values[v];
    int reg = any_reg(c, v);

    if (reg >= 0) {
        unwind_location(c, g, FAULT_REG, reg);
    } else if (o->kind == IR_KIND_CONST) {
        unwind_location(c, g, FAULT_CONST, o->k);
    } else if (o->kind == IR_KIND_PC) {
        unwind_location(c, g, FAULT_PC, o->k);
    } else if (r->stored) {
        unwind_location(c, g, FAULT_SLOT, r->slot);
    } else {
        c->refused |= r->home == RA_NONE;
        unwind_location(c, g, FAULT_HOME, r->home);
    }
}

/* After a point where dirty @g could be asked for: is it still, later? */
static void drop_if_last(TcgContext *c, unsigned g)
{
    if (c->global[g].until <= c->pos) {
        IrId v = c->global[g].now;

        clear_dirty(c, g);
        free_if_dead(c, v);
    }
}

void ra_fault_state(TcgContext *c, FaultRow *row)
{
    row->state = c->n_state;
    for (unsigned i = 0; i < ARRAY_SIZE(c->dirty) && row->pins_live; i++) {
        for (uint64_t w = c->dirty[i]; w; w &= w - 1) {
            tell_location(c, i * 64 + __builtin_ctzll(w));
        }
    }
    if (row->pins_live) {
        unwind_end_locations(c);
    }
    row->state_len = c->n_state - row->state;
    for (unsigned i = 0; i < ARRAY_SIZE(c->dirty); i++) {
        for (uint64_t w = c->dirty[i]; w; w &= w - 1) {
            drop_if_last(c, i * 64 + __builtin_ctzll(w));
        }
    }
}

/* --- side exits --- */

void ra_note_kept(TcgContext *c, SideExit *e)
{
    e->kept = c->n_kept;
    e->n_kept = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(c->dirty); i++) {
        for (uint64_t w = c->dirty[i]; w; w &= w - 1) {
            unsigned g = i * 64 + __builtin_ctzll(w);
            IrId v = c->global[g].now;

            if (c->n_kept >= MAX_KEPT) {
                c->refused = true;
                return;
            }
            c->kept[c->n_kept++] = (KeptGlobal){ g, v, c->value[v] };
        }
    }
    e->n_kept = c->n_kept - e->kept;
}

void ra_keep(TcgContext *c, SideExit *e)
{
    ra_note_kept(c, e);
    if (c->refused) {
        return;
    }
    for (unsigned i = 0; i < e->n_kept; i++) {  /* all are recorded: a value may be that of several */
        drop_if_last(c, c->kept[e->kept + i].global);
    }
}

static void resume_value(TcgContext *c, const KeptGlobal *k)
{
    RaValue *r = &c->value[k->now];

    *r = k->value;
    r->next = IR_NO_POS;
    r->dirty_refs = 0;
    r->held = false;
    if (r->reg >= 0) {
        c->reg[r->reg] = k->now;
        c->occupied |= HOST_MASK(r->reg);
    }
    if (r->slot != RA_NONE) {
        memset(&c->slot_used[r->slot], 1, is_vector(c->ir.values[k->now].type) ? 2 : 1);
    }
    if (r->home != RA_NONE) {
        note_in_env(c, r->home, k->now);
    }
}

void ra_resume(TcgContext *c, const SideExit *e)
{
    const KeptGlobal *kept = c->kept + e->kept;

    c->occupied = c->locked = c->pins_in_env = 0;
    memset(c->reg, 0, sizeof(c->reg));
    memset(c->dirty, 0, sizeof(c->dirty));
    memset(c->slot_used, 0, sizeof(c->slot_used));
    for (unsigned i = 0; i < ARRAY_SIZE(c->known); i++) {
        for (uint64_t w = c->known[i]; w; w &= w - 1) {
            c->global[i * 64 + __builtin_ctzll(w)].in_env = 0;
        }
        c->known[i] = 0;
    }
    for (unsigned i = 0; i < e->n_kept; i++) {
        resume_value(c, &kept[i]);
    }
    for (unsigned i = 0; i < e->n_kept; i++) {
        unsigned g = kept[i].global;

        c->global[g].now = kept[i].now;
        c->dirty[g / 64] |= BIT_ULL(g % 64);
        c->value[kept[i].now].dirty_refs++;
    }
}
