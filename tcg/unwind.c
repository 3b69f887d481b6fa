/*
 * The fault table: written after a block's code, read when an access or a helper faults.
 *
 * Rows ascend by return address, everything in LEB128 and relative to the row before:
 *
 *      ra       return address offset - previous; 0 ends the table
 *      insn     zigzag(pc_delta - previous) << 1 | pins
 *               pins: pinned globals are in the saved registers (a slow path), else in env (a helper)
 *      params   zigzag(param - previous), n_insn_params times
 *      state    0: no dirty globals; 1: as in the row before; n + 1: n bytes of locations follow
 *
 * A location is global << 3 | FAULT_*, then what ra_fault_state() (regalloc.c) put there.
 */
#include "tcg/unwind.h"

/* --- writing --- */

static uint8_t *put_uleb(uint8_t *p, uint64_t v)
{
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

typedef struct Writer {
    TcgContext *c;
    uint8_t *p, *end;
    uint32_t ra;
    IrInsnMark last;
    const FaultRow *last_row;
} Writer;

static bool same_state(const TcgContext *c, const FaultRow *x, const FaultRow *y)
{
    return x && x->state_len == y->state_len &&
           !memcmp(c->fault_state + x->state, c->fault_state + y->state, x->state_len);
}

static bool put_row(Writer *w, const FaultRow *row)
{
    TcgContext *c = w->c;
    const IrInsnMark *m = &c->ir.insns[row->insn];

    if (w->p + 64 + row->state_len > w->end) {
        return false;
    }
    w->p = put_uleb(w->p, row->ra_offset - w->ra);
    w->ra = row->ra_offset;
    w->p = put_uleb(w->p, zigzag((int64_t)m->pc_delta - w->last.pc_delta) << 1 | row->pins_live);
    for (unsigned i = 0; i < c->target->n_insn_params; i++) {
        w->p = put_uleb(w->p, zigzag((int64_t)m->params[i] - w->last.params[i]));
    }
    w->last = *m;
    if (row->state_len == 0) {
        w->p = put_uleb(w->p, 0);
    } else if (same_state(c, w->last_row, row)) {
        w->p = put_uleb(w->p, 1);
    } else {
        w->p = put_uleb(w->p, row->state_len + 1);
        memcpy(w->p, c->fault_state + row->state, row->state_len);
        w->p += row->state_len;
        w->last_row = row;
    }
    return true;
}

/* @stubs: offset where out-of-line code begins; rows before it and after it each ascend. */
uint8_t *unwind_write(TcgContext *c, uint8_t *p, uint8_t *end, uint32_t stubs)
{
    Writer w = { .c = c, .p = p, .end = end };

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

typedef struct Found { uint16_t global; uint64_t v[2]; } Found;

static uint64_t wrap_pc(uint64_t pc, unsigned bits)
{
    return bits == 64 ? pc : extract64(pc, 0, bits);
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
        from = k >= HR_XMM0 ? (const uint8_t *)regs + SAVED_XMM + (k - HR_XMM0) * 16 : (const uint8_t *)&regs[k];
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

static void restore_pins(const IrTarget *t, uint8_t *env)
{
    Pins pins;

    pins_of_target(t, &pins);
    for (uint32_t m = pins.mask; m; m &= m - 1) {
        unsigned reg = __builtin_ctz(m);

        memcpy(env + t->globals[pins.global[reg]].offset, &((TcgEnv *)env)->saved_regs[reg], 8);
    }
}

/* All values are read before any is written: one may lie in another's env field. */
static void restore(const IrTarget *t, uint8_t *env, const uint8_t *p, size_t len, bool pins_live)
{
    Found found[IR_MAX_GLOBALS];
    const uint8_t *end = p + len;
    unsigned n = 0;

    while (p < end) {
        uint64_t head = get_uleb(&p);

        found[n].global = head >> 3;
        read_location(t, env, &p, head & 7, &found[n]);
        n++;
    }
    if (pins_live) {
        restore_pins(t, env);
    }
    for (unsigned i = 0; i < n; i++) {
        const IrGlobal *g = &t->globals[found[i].global];

        memcpy(env + g->offset, found[i].v, g->type == IR_V128 ? 16 : g->type == IR_I32 ? 4 : 8);
    }
}

bool tcg_unwind(const IrTarget *target, void *env, const uint8_t *code, uint32_t unwind_offset,
                uint32_t ra_offset, TcgUnwound *out)
{
    const uint8_t *p = code + unwind_offset, *state = p;
    size_t state_len = 0;
    uint64_t step;
    uint32_t ra = 0;
    int64_t delta = 0, params[2] = { 0, 0 };

    while ((step = get_uleb(&p)) != 0) {
        uint64_t s, insn;

        ra += step;
        insn = get_uleb(&p);
        delta += unzigzag(insn >> 1);
        for (unsigned i = 0; i < target->n_insn_params; i++) {
            params[i] += unzigzag(get_uleb(&p));
        }
        s = get_uleb(&p);
        if (s > 1) {
            state = p;
            state_len = s - 1;
            p += state_len;
        }
        if (ra == ra_offset) {
            restore(target, env, state, s ? state_len : 0, insn & 1);
            *out = (TcgUnwound){ ((TcgEnv *)env)->block_pc, delta, { params[0], params[1] } };
            return true;
        }
    }
    return false;
}
