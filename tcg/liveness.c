/*
 * Liveness: one pass backwards over the ops, in which dead ops and dead puts are dropped, uses
 * are chained, and each put learns up to where its value must be recoverable.
 *
 * A sync point is an op at which the globals in env, or the fault table, must be right: a fault,
 * a helper that may look, any edge.  A put with no sync point before the next put of the same
 * global is dead.
 *
 * Loops: a value used inside a loop and defined before it is needed until the loop's last
 * backward branch (extend_over_loops).
 */
#include "tcg/ir-ops.h"

typedef struct Globals { uint64_t w[IR_MAX_GLOBALS / 64]; } Globals;

typedef struct Live {
    Globals pending;                        /* a put follows, no sync point seen yet (backwards) */
    uint16_t until[IR_MAX_GLOBALS];         /* last sync point before the next put, if later than.. */
    uint16_t next_get[IR_MAX_GLOBALS];      /* the nearest op that reads the global */
    uint16_t sync;                          /* the nearest sync point */
    uint16_t label, call;                   /* the nearest of each */
    uint16_t edge;                          /* the nearest edge */
    uint16_t edge_when[IR_MAX_GLOBALS];     /* .. the edge that was nearest when until was set */
} Live;

/* A helper that looks at globals, writes them, or may fault: all must be in env. */
static bool call_is_edge(const IrBlock *b, const IrOp *op)
{
    const unsigned blind = IR_HELPER_NO_READ | IR_HELPER_NO_WRITE | IR_HELPER_NO_FAULT;

    return (b->target->helpers[ir_call_helper(op)].flags & blind) != blind;
}

/* At an edge, or a call that may look, everything goes to env: no put is needed past it. */
static void sync_all_point(Live *l, unsigned pos)
{
    l->pending = (Globals){ 0 };
    l->edge = pos;
}

static void set_until(Live *l, unsigned g, unsigned pos)
{
    l->until[g] = pos;
    l->edge_when[g] = l->edge;
}

/* At a fault, what is put again later must still be recoverable. */
static void fault_point(Live *l, unsigned pos)
{
    for (unsigned i = 0; i < ARRAY_SIZE(l->pending.w); i++) {
        uint64_t w = l->pending.w[i];

        l->pending.w[i] = 0;
        for (; w; w &= w - 1) {
            set_until(l, i * 64 + __builtin_ctzll(w), pos);
        }
    }
}

static bool call_is_droppable(const IrBlock *b, const IrOp *op)
{
    unsigned f = b->target->helpers[ir_call_helper(op)].flags;

    return op->out && (f & IR_HELPER_PURE) == IR_HELPER_PURE && !(f & IR_HELPER_NORETURN);
}

/*
 * A value made after its path had ended was never recorded.  Only code that cannot be reached
 * either (a loop behind a jump) may use it: let it use the constant 0.
 */
static void replace_unrecorded(IrBlock *b, IrId *in, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const IrValue *v = &b->values[in[i]];

        if (v->kind == IR_KIND_TEMP && (v->def >= b->n_ops || b->ops[v->def].out != in[i])) {
            in[i] = 1;
        }
    }
}

/* Is @v put to a pinned global soon, with no sync point between? */
static uint8_t find_pin(const IrBlock *b, const Live *l, IrId v)
{
    unsigned pos = b->values[v].next;

    for (unsigned hops = 0; hops < 4 && pos < l->sync; hops++) {
        const IrOp *op = &b->ops[pos];

        if (op->opc == IR_OP_put && b->pin_reg[op->k] != IR_NO_PIN) {
            return pos < l->next_get[op->k] ? op->k : IR_NO_PIN;    /* no one must read the old value */
        }
        if (op->opc == IR_OP_call) {
            break;
        }
        for (unsigned i = 0; i < op->n_in; i++) {
            if (op->in[i] == v) {
                pos = b->next_use[pos][i];
                break;
            }
        }
    }
    return IR_NO_PIN;
}

/* The op that makes operand @i, if nothing after @op uses that value and no label lies between. */
static const IrOp *sole_maker(const IrBlock *b, const IrOp *op, unsigned i, unsigned pos)
{
    const IrValue *v = &b->values[op->in[i]];

    if (v->kind != IR_KIND_TEMP || v->next != IR_NO_POS || v->def >= pos || b->ops[v->def].out != op->in[i] ||
        b->ops[v->def].epoch != op->epoch) {
        return NULL;
    }
    return &b->ops[v->def];
}

/* ld [add(x, k)] ==> ld [x + k] */
static void fuse_address(IrBlock *b, IrOp *op, unsigned i, unsigned pos)
{
    const IrOp *d = sole_maker(b, op, i, pos);
    const IrValue *k;

    if (!d || d->opc != IR_OP_add || d->type != IR_I64) {
        return;
    }
    k = &b->values[d->in[1]];
    if (k->kind == IR_KIND_CONST && (int64_t)k->k == (int32_t)k->k && ABS((int64_t)k->k) < INT32_MAX - 64) {
        op->disp = k->k;
        op->in[i] = d->in[0];
    }
}

/* add(x, shl(y, n)), n = 1..3 ==> lea(x, y, n) */
static void fuse_scale(IrBlock *b, IrOp *op, unsigned pos)
{
    for (unsigned i = 0; i < 2; i++) {
        const IrOp *d = sole_maker(b, op, i, pos);
        const IrValue *k;

        if (!d || d->opc != IR_OP_shl || d->type != op->type) {
            continue;
        }
        k = &b->values[d->in[1]];
        if (k->kind == IR_KIND_CONST && k->k >= 1 && k->k <= 3 && b->values[op->in[!i]].kind == IR_KIND_TEMP) {
            op->opc = IR_OP_lea;
            op->aux = k->k;
            op->in[0] = op->in[!i];
            op->in[1] = d->in[0];
            return;
        }
    }
}

static inline void note_use(IrValue *v, unsigned pos)
{
    if (v->next == IR_NO_POS) {
        v->last = pos;
    }
    v->next = pos;
}

static inline void chain_uses(IrBlock *b, IrOp *op, unsigned pos)
{
    IrId *in = ir_op_in(b, op);
    uint16_t *next = ir_op_next_use(b, op);

    if (unlikely(b->unrecorded)) {
        replace_unrecorded(b, in, op->n_in);
    }
    for (unsigned i = 0; i < op->n_in; i++) {   /* all before any: an operand may be there twice */
        next[i] = b->values[in[i]].next;
    }
    for (unsigned i = 0; i < op->n_in; i++) {
        note_use(&b->values[in[i]], pos);
    }
}

/* True if the put is dead. */
static bool visit_put(Live *l, IrOp *op)
{
    uint64_t *w = &l->pending.w[op->k / 64], bit = BIT_ULL(op->k % 64);

    if (*w & bit) {
        return true;
    }
    IR_PUT_UNTIL(op) = l->edge_when[op->k] == l->edge ? l->until[op->k] : l->edge;
    *w |= bit;
    return false;
}

static void extend_over_loops(IrBlock *b)
{
    bool changed;

    do {
        changed = false;
        for (unsigned q = 0; q < b->n_ops; q++) {
            const IrOp *op = &b->ops[q];
            unsigned p;

            if (op->opc != IR_OP_br && op->opc != IR_OP_brcond) {
                continue;
            }
            p = b->labels[op->k].pos;
            if (p > q) {
                continue;
            }
            for (unsigned i = 1; i < b->n_values; i++) {
                IrValue *v = &b->values[i];

                if (v->kind == IR_KIND_TEMP && v->def < p && v->last >= p && v->last < q && v->next != IR_NO_POS) {
                    v->last = q;
                    v->crosses_label = true;            /* the loop's head */
                    v->crosses_call |= b->n_calls > 0;
                    changed = true;
                }
            }
        }
    } while (changed);
}

/* Where @out should be: across what it lives, and if it is put soon, in its global's register at once. */
static inline void visit_result(IrBlock *b, const Live *l, IrId out)
{
    IrValue *v = &b->values[out];

    if (!out) {
        return;
    }
    v->crosses_label = v->next != IR_NO_POS && v->last >= l->label;
    v->crosses_call = v->next != IR_NO_POS && v->last > l->call;
    if (b->pin_reg) {
        v->pin = v->next < l->sync ? find_pin(b, l, out) : IR_NO_PIN;
    }
}

static void drop(IrOp *op)
{
    op->opc = IR_OP_nop;
    op->n_in = op->out = 0;
}

static void visit_get(IrBlock *b, Live *l, IrOp *op, unsigned pos)
{
    l->pending.w[op->k / 64] &= ~BIT_ULL(op->k % 64);
    set_until(l, op->k, pos);
    l->next_get[op->k] = pos;
    visit_result(b, l, op->out);
}

/* An op that is not dead. */
static void visit_other(IrBlock *b, Live *l, IrOp *op, unsigned pos, unsigned flags)
{
    visit_result(b, l, op->out);
    if (flags & OPF_FAULT) {
        l->sync = pos;
        fault_point(l, pos);
    } else if (flags & OPF_EDGE) {
        l->sync = pos;
        sync_all_point(l, pos);
    }
    switch (op->opc) {
    case IR_OP_ld:
        fuse_address(b, op, 0, pos);
        break;
    case IR_OP_st:
        fuse_address(b, op, 1, pos);
        break;
    case IR_OP_add:
        fuse_scale(b, op, pos);
        break;
    case IR_OP_label:
        l->label = pos;
        break;
    case IR_OP_call:
        l->call = pos;
        break;
    }
    chain_uses(b, op, pos);
}

void ir_liveness(IrBlock *b)
{
    Live l;

    l.pending = (Globals){ 0 };
    l.edge = l.sync = l.label = l.call = IR_NO_POS;
    memset(l.edge_when, 0, b->target->n_globals * sizeof(l.edge_when[0]));
    memset(l.next_get, 0xff, b->target->n_globals * sizeof(l.next_get[0]));
    for (unsigned pos = b->n_ops; pos-- > 0;) {
        IrOp *op = &b->ops[pos];
        unsigned flags = ir_op_info[op->opc].flags;
        bool droppable = flags & OPF_PURE;

        switch (op->opc) {
        case IR_OP_nop:
            continue;
        case IR_OP_put:
            if (visit_put(&l, op)) {
                drop(op);
            } else {
                chain_uses(b, op, pos);
            }
            continue;
        case IR_OP_discard:
            l.pending.w[op->k / 64] |= BIT_ULL(op->k % 64);
            continue;
        case IR_OP_call:
            droppable = call_is_droppable(b, op);
            flags = call_is_edge(b, op) ? OPF_EDGE : 0;
            break;
        }
        if (droppable && b->values[op->out].next == IR_NO_POS) {
            drop(op);
        } else if (op->opc == IR_OP_get) {
            visit_get(b, &l, op, pos);
        } else {
            visit_other(b, &l, op, pos, flags);
        }
    }
    if (b->backward) {
        extend_over_loops(b);
    }
}
