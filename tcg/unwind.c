/*
 * The fault table: written after a block's code, read when an access or a helper faults.
 *
 * First the registers that are pinned in this block only: their number, then global and register of each.
 *
 * Rows ascend by return address, everything in LEB128 and relative to the row before:
 *
 *      ra       return address offset - previous; 0 ends the table
 *      insn     (pc_delta - previous, modulo 2^32) << 3 | flags
 *               ROW_PINS: pinned globals are in the saved registers (a slow path), else in env (a helper)
 *      params   with ROW_PARAMS: zigzag(param - previous), n_insn_params times; else they are the same
 *      state    with ROW_STATE (slow paths): n, then n bytes of locations that differ from those of the
 *               slow-path row before; else they are the same
 *
 * A location is global << 3 | FAULT_*, then what unwind_location() put there; nothing after FAULT_CLEAN,
 * which says that the global is not dirty any more.
 */
#include "tcg/unwind.h"

enum { ROW_PINS = 1, ROW_PARAMS = 2, ROW_STATE = 4, ROW_FLAG_BITS = 3 };

/* --- writing --- */

static inline uint8_t *put_uleb(uint8_t *p, uint64_t v)
{
    if (v <= 0x7f) {
        *p++ = v;
        return p;
    }
    do {
        *p++ = (v & 0x7f) | (v > 0x7f ? 0x80 : 0);
        v >>= 7;
    } while (v);
    return p;
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static uint64_t get_uleb(const uint8_t **p)
{
    uint64_t v = 0;
    unsigned shift = 0;

    do {
        v |= (uint64_t)(**p & 0x7f) << shift;
        shift += 7;
    } while (*(*p)++ & 0x80);
    return v;
}

void unwind_location(TcgContext *c, unsigned g, unsigned kind, uint64_t k)
{
    FaultTold *t = &c->told[g];
    uint64_t bit = BIT_ULL(g % 64), *known = &c->told_dirty[g / 64];
    uint8_t *p = c->fault_state + c->n_state;

    if (*known & bit && t->kind == kind && t->k == k) {
        return;
    }
    *known |= bit;
    *t = (FaultTold){ k, kind };
    p = put_uleb(p, g << 3 | kind);
    p = put_uleb(p, kind == FAULT_CONST || kind == FAULT_PC ? zigzag((int64_t)k) : k);
    if (kind == FAULT_PC) {
        p = put_uleb(p, c->ir.pc_bits);
    }
    c->n_state = p - c->fault_state;
}

void unwind_end_locations(TcgContext *c)
{
    for (unsigned i = 0; i < ARRAY_SIZE(c->told_dirty); i++) {
        uint64_t gone = c->told_dirty[i] & ~c->dirty[i];

        c->told_dirty[i] &= c->dirty[i];
        for (; gone; gone &= gone - 1) {
            unsigned g = i * 64 + __builtin_ctzll(gone);
            uint8_t *p = c->fault_state + c->n_state;

            c->n_state = put_uleb(p, g << 3 | FAULT_CLEAN) - c->fault_state;
        }
    }
}

typedef struct Writer {
    TcgContext *c;
    uint8_t *p, *end;
    uint32_t ra;
    IrInsnMark last;
} Writer;

static unsigned row_flags(const Writer *w, const FaultRow *row, const IrInsnMark *m)
{
    bool params = m->params[0] != w->last.params[0] || m->params[1] != w->last.params[1];

    return (row->pins_live ? ROW_PINS : 0) | (params ? ROW_PARAMS : 0) | (row->state_len ? ROW_STATE : 0);
}

static bool put_row(Writer *w, const FaultRow *row)
{
    TcgContext *c = w->c;
    const IrInsnMark *m = &c->ir.insns[row->insn];
    unsigned flags = row_flags(w, row, m);

    if (w->p + 64 + row->state_len > w->end) {
        return false;
    }
    w->p = put_uleb(w->p, row->ra_offset - w->ra);
    w->ra = row->ra_offset;
    w->p = put_uleb(w->p, (uint64_t)(m->pc_delta - w->last.pc_delta) << ROW_FLAG_BITS | flags);
    for (unsigned i = 0; flags & ROW_PARAMS && i < c->target->n_insn_params; i++) {
        w->p = put_uleb(w->p, zigzag((int64_t)m->params[i] - w->last.params[i]));
    }
    w->last = *m;
    if (flags & ROW_STATE) {
        w->p = put_uleb(w->p, row->state_len);
        memcpy(w->p, c->fault_state + row->state, row->state_len);
        w->p += row->state_len;
    }
    return true;
}

static uint8_t *put_loop_pins(const TcgContext *c, uint8_t *p)
{
    uint32_t own = c->pins.mask & ~c->base_pins.mask;

    p = put_uleb(p, (unsigned)__builtin_popcount(own));
    for (; own; own &= own - 1) {
        unsigned reg = (unsigned)__builtin_ctz(own);

        p = put_uleb(p, c->pins.global[reg]);
        p = put_uleb(p, reg);
    }
    return p;
}

/* @stubs: offset where out-of-line code begins; rows before it and after it each ascend. */
uint8_t *unwind_write(TcgContext *c, uint8_t *p, uint8_t *end, uint32_t stubs)
{
    Writer w;

    w.c = c;
    w.p = p;
    w.end = end;
    w.ra = 0;
    memset(&w.last, 0, sizeof(w.last));
    w.p = put_loop_pins(c, w.p);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < c->n_rows; i++) {
            if ((c->rows[i].ra_offset >= stubs) == pass && !put_row(&w, &c->rows[i])) {
                return NULL;
            }
        }
    }
    return put_uleb(w.p, 0);
}

/* --- reading --- */

/* Where the dirty globals are in the row at hand: their locations, without the head. */
typedef struct State {
    uint64_t dirty[IR_MAX_GLOBALS / 64];
    uint8_t kind[IR_MAX_GLOBALS];
    const uint8_t *at[IR_MAX_GLOBALS];
} State;

static void state_set(State *s, unsigned g, unsigned kind, const uint8_t *at)
{
    if (kind == FAULT_CLEAN) {
        s->dirty[g / 64] &= ~BIT_ULL(g % 64);
    } else {
        s->dirty[g / 64] |= BIT_ULL(g % 64);
    }
    s->kind[g] = kind;
    s->at[g] = at;
}

static bool state_has(const State *s, unsigned g)
{
    return s->dirty[g / 64] >> (g % 64) & 1;
}

/* Past what follows the head of a location. */
static const uint8_t *skip_location(const uint8_t *p, unsigned kind)
{
    unsigned n = kind == FAULT_CLEAN ? 0 : kind == FAULT_PC ? 2 : 1;

    while (n--) {
        get_uleb(&p);
    }
    return p;
}

typedef struct Found { uint16_t global; uint64_t v[2]; } Found;

static uint64_t wrap_pc(uint64_t pc, unsigned bits)
{
    return bits == 64 ? pc : extract64(pc, 0, bits);
}

/* What a slow path saved of @reg. */
static const void *saved_reg(const uint8_t *env, unsigned reg)
{
    const uint64_t *regs = ((const TcgEnv *)env)->saved_regs;

    return reg >= HR_XMM0 ? (const uint8_t *)regs + SAVED_XMM + (reg - HR_XMM0) * 16 : (const uint8_t *)&regs[reg];
}

/* The value at one location; vectors take both words. */
static void read_location(const IrTarget *t, uint8_t *env, const uint8_t **p, unsigned kind, Found *f)
{
    const uint64_t *regs = ((TcgEnv *)env)->saved_regs;
    bool vector = t->globals[f->global].type == IR_V128;
    uint64_t k = get_uleb(p);
    const void *from;

    switch (kind) {
    case FAULT_REG:
        from = saved_reg(env, k);
        break;
    case FAULT_SLOT:                            /* the block's rsp: above padding and return address */
        from = (const uint8_t *)regs + SAVED_SIZE + 16 + FRAME_SLOTS + k * 8;
        break;
    case FAULT_HOME:                            /* in env: pinned homes are FAULT_REG */
        f->v[0] = 0;
        memcpy(f->v, env + t->globals[k].offset, vector ? 16 : t->globals[k].type == IR_I32 ? 4 : 8);
        return;
    case FAULT_CONST:
        f->v[0] = unzigzag(k);
        return;
    default:
        f->v[0] = wrap_pc(((TcgEnv *)env)->block_pc + unzigzag(k), get_uleb(p));
        return;
    }
    memcpy(f->v, from, vector ? 16 : 8);
}

static void restore_pin(const IrTarget *t, uint8_t *env, unsigned g, unsigned reg)
{
    memcpy(env + t->globals[g].offset, saved_reg(env, reg), t->globals[g].type == IR_V128 ? 16 : 8);
}

/* @own: the block's own pins, as written by put_loop_pins(). */
static void restore_pins(const IrTarget *t, uint8_t *env, const uint8_t *own)
{
    Pins pins;
    uint64_t n = get_uleb(&own);

    pins_of_target(t, &pins);
    for (uint32_t m = pins.mask; m; m &= m - 1) {
        unsigned reg = __builtin_ctz(m);

        restore_pin(t, env, pins.global[reg], reg);
    }
    while (n--) {
        unsigned g = get_uleb(&own);

        restore_pin(t, env, g, get_uleb(&own));
    }
}

static const uint8_t *skip_loop_pins(const uint8_t *p)
{
    for (uint64_t n = 2 * get_uleb(&p); n; n--) {
        get_uleb(&p);
    }
    return p;
}

/* All values are read before any is written: one may lie in another's env field. */
static void restore(const IrTarget *t, uint8_t *env, const uint8_t *own_pins, const State *s)
{
    Found found[IR_MAX_GLOBALS];
    unsigned n = 0;

    for (unsigned g = 0; g < t->n_globals; g++) {
        if (state_has(s, g)) {
            const uint8_t *p = s->at[g];

            found[n].global = g;
            read_location(t, env, &p, s->kind[g], &found[n]);
            n++;
        }
    }
    restore_pins(t, env, own_pins);
    for (unsigned i = 0; i < n; i++) {
        const IrGlobal *g = &t->globals[found[i].global];

        memcpy(env + g->offset, found[i].v, g->type == IR_V128 ? 16 : g->type == IR_I32 ? 4 : 8);
    }
}

/* Apply a row's differences at *@p. */
static void read_changes(const uint8_t **p, State *s)
{
    uint64_t len = get_uleb(p);
    const uint8_t *end = *p + len;

    while (*p < end) {
        uint64_t head = get_uleb(p);

        state_set(s, head >> 3, head & 7, *p);
        *p = skip_location(*p, head & 7);
    }
}

bool tcg_unwind(const IrTarget *target, void *env, const uint8_t *code, uint32_t unwind_offset,
                uint32_t ra_offset, TcgUnwound *out)
{
    const uint8_t *p = skip_loop_pins(code + unwind_offset);
    State state;
    uint64_t step;
    uint32_t ra = 0, delta = 0;
    int64_t params[2] = { 0, 0 };

    memset(state.dirty, 0, sizeof(state.dirty));
    while ((step = get_uleb(&p)) != 0) {
        uint64_t insn;

        ra += step;
        insn = get_uleb(&p);
        delta += (uint32_t)(insn >> ROW_FLAG_BITS);
        for (unsigned i = 0; insn & ROW_PARAMS && i < target->n_insn_params; i++) {
            params[i] += unzigzag(get_uleb(&p));
        }
        if (insn & ROW_STATE) {
            read_changes(&p, &state);
        }
        if (ra == ra_offset) {
            if (insn & ROW_PINS) {
                restore(target, env, code + unwind_offset, &state);
            }
            *out = (TcgUnwound){ ((TcgEnv *)env)->block_pc, delta, { params[0], params[1] } };
            return true;
        }
    }
    return false;
}
