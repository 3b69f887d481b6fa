/*
 * Accesses near each other share one probe of the soft TLB.
 *
 * A group is a row of loads and stores at constant distances from one base value, which a probe before the first
 * of them, the leader, covers all: it looks for the whole range [lo, hi) on one page with the rights that all of them need,
 * and gives the host's address of the base.  The accesses are then plain moves, which cannot fault.  Where the probe
 * fails (a range across pages, devices, watched pages, pages with code) nothing has happened yet in the
 * leader's instruction, and the block is left to the start of that: to a block that shares nothing.
 *
 * Rules:
 *  S1  the leader is the first effect of its instruction, and the instruction may be left at its start
 *      (ir_insn_hold()); so leaving repeats nothing
 *  S2  what the probe asks of the MMU the leader asks as well: a group led by a load has loads only; one led by a
 *      store has either, as who may write a page may read it.  So a fault, or a mark in the page
 *      tables, is the leader's own
 *  S3  between leader and last access nothing may change the TLB or the memory map: no call that has effects, no
 *      locked access.  An access of its own in between is marked IR_MO_HELD: where it meets a device its slow path
 *      leaves the block first
 *  S4  accesses that must be aligned follow only one of their kind, at multiples of their size: the leader's alignment
 *      is theirs
 *  S5  labels end all groups: a probe is before each of its accesses on every path
 *
 * Other vCPUs' flushes reach this one between blocks; until then its RAM stays mapped in the host.
 */
#include "tcg/build.h"

#define MAX_GROUPS      128         /* of a block */
#define MAX_OPEN        6
#define MAX_DISTANCE    96          /* ops between two accesses: the host's address takes a register meanwhile */

typedef struct Group {
    IrId base;
    uint8_t mmu_idx;
    bool pc_relative;               /* the base is the leader's own address */
    bool write;
    uint8_t align;                  /* size of a leader that must be aligned, else 0 */
    uint16_t leader, last;          /* positions */
    uint16_t n;
    IrId host;                      /* the value that the probe will define */
    int32_t lo, hi;                 /* from the base */
    int32_t leader_disp;
    int64_t origin;                 /* what the base stands for in the group's distances */
} Group;

typedef struct Share {
    IrBlock *b;
    bool clean;                     /* nothing was done yet in the instruction */
    unsigned n_groups, n_open;
    uint8_t open[MAX_OPEN];
    Group group[MAX_GROUPS];
    uint8_t of[TCG_MAX_OPS];        /* group of an access, MAX_GROUPS: none */
} Share;

/* Where an access is: @base and @at name the place, if two are near. */
typedef struct Place {
    IrId base;
    bool pc_relative;
    int64_t at;
} Place;

static Place place_of(const IrBlock *b, IrId addr)
{
    const IrValue *v = &b->values[addr], *k;
    const IrOp *d;

    if (v->kind == IR_KIND_PC && b->pc_bits == 64) {
        return (Place){ addr, true, (int64_t)v->k };
    }
    d = v->kind == IR_KIND_TEMP && v->def < b->n_ops ? &b->ops[v->def] : NULL;
    if (d && d->out == addr && d->opc == IR_OP_add && d->type == IR_I64) {
        k = &b->values[d->in[1]];
        if (k->kind == IR_KIND_CONST && (int64_t)k->k == (int32_t)k->k && ABS((int64_t)k->k) < INT32_MAX / 2) {
            return (Place){ d->in[0], false, (int64_t)k->k };
        }
    }
    return (Place){ addr, false, 0 };
}

static void close_all(Share *s)
{
    s->n_open = 0;
}

static void close_open(Share *s, unsigned i)
{
    s->open[i] = s->open[--s->n_open];
}

static int find_open(const Share *s, const Place *p, unsigned mmu_idx)
{
    for (unsigned i = 0; i < s->n_open; i++) {
        const Group *g = &s->group[s->open[i]];

        if (g->mmu_idx == mmu_idx && g->pc_relative == p->pc_relative && (p->pc_relative || g->base == p->base)) {
            return (int)i;
        }
    }
    return -1;
}

/* An access as groups see it. */
typedef struct Access {
    Place place;
    unsigned pos, size, mmu_idx, align;
    bool write;
} Access;

/* True: the access is one of the group's. */
static bool join(Share *s, Group *g, const Access *x)
{
    int64_t at = x->place.at - g->origin, lo = MIN(at, g->lo), hi = MAX(at + x->size, g->hi);

    if ((x->write && !g->write) || hi - lo > IR_SHARE_SPAN || x->pos - g->last > MAX_DISTANCE) {
        return false;
    }
    if (x->align && (x->align != g->align || (at - g->leader_disp) & (x->align - 1))) {
        return false;
    }
    g->lo = (int32_t)lo;
    g->hi = (int32_t)hi;
    g->last = (uint16_t)x->pos;
    g->n++;
    s->of[x->pos] = (uint8_t)(g - s->group);
    return true;
}

static void lead(Share *s, const Access *x)
{
    int64_t origin = x->place.pc_relative ? x->place.at : 0;
    int32_t disp = (int32_t)(x->place.at - origin);

    if (s->n_groups == MAX_GROUPS) {
        return;
    }
    if (s->n_open == MAX_OPEN) {
        memmove(s->open, s->open + 1, --s->n_open);
    }
    s->open[s->n_open++] = (uint8_t)s->n_groups;
    s->of[x->pos] = (uint8_t)s->n_groups;
    s->group[s->n_groups++] = (Group){
        .base = x->place.base, .mmu_idx = (uint8_t)x->mmu_idx, .pc_relative = x->place.pc_relative, .write = x->write,
        .align = (uint8_t)x->align, .leader = (uint16_t)x->pos, .last = (uint16_t)x->pos, .n = 1,
        .lo = disp, .hi = disp + (int32_t)x->size, .leader_disp = disp, .origin = origin,
    };
}

static void visit_access(Share *s, const IrOp *op, unsigned pos)
{
    unsigned size = 1u << (op->cond & IR_MO_SIZE);
    Access x = {
        .place = place_of(s->b, op->in[op->opc == IR_OP_st]), .pos = pos, .size = size, .mmu_idx = op->aux,
        .align = op->cond & IR_MO_ALIGN ? size : 0, .write = op->opc == IR_OP_st || op->cond & IR_MO_RMW,
    };
    bool fits = size <= 16 && !(op->cond & IR_MO_BE);
    int open = fits ? find_open(s, &x.place, x.mmu_idx) : -1;

    s->of[pos] = MAX_GROUPS;
    if (open >= 0) {
        if (join(s, &s->group[s->open[open]], &x)) {
            s->clean &= op->opc == IR_OP_ld;    /* of plain memory: may be done again */
            return;
        }
        if (s->clean) {
            close_open(s, (unsigned)open);
        }
    }
    if (s->clean && fits) {
        lead(s, &x);
    }
    s->clean = false;
}

static bool has_no_effect(const IrBlock *b, const IrOp *op)
{
    return (b->target->helpers[ir_call_helper(op)].flags & IR_HELPER_PURE) == IR_HELPER_PURE;
}

/* Instructions that begin at @pos or before, from *@next on. */
static void visit_insns(Share *s, unsigned *next, unsigned pos)
{
    for (; *next < s->b->n_insns && s->b->insns[*next].op <= pos; ++*next) {
        const IrInsnMark *m = &s->b->insns[*next];

        if (*next && m->pc_delta == m[-1].pc_delta) {
            s->clean = false;                   /* in the middle of one: its parameters change */
        } else {
            s->clean = !m->hold;
        }
        if (m->hold) {
            close_all(s);
        }
    }
}

static void find_groups(Share *s)
{
    unsigned insn = 0;

    for (unsigned pos = 0; pos < s->b->n_ops; pos++) {
        const IrOp *op = &s->b->ops[pos];

        visit_insns(s, &insn, pos);
        switch (op->opc) {
        case IR_OP_ld: case IR_OP_st:
            visit_access(s, op, pos);
            break;
        case IR_OP_put: case IR_OP_discard: case IR_OP_env_st: case IR_OP_var_set:
            s->clean = false;
            break;
        case IR_OP_call:
            if (has_no_effect(s->b, op)) {
                break;
            }
            /* fall through */
        case IR_OP_label: case IR_OP_rmw: case IR_OP_cas:
            close_all(s);
            s->clean = false;
            break;
        default:
            if (ir_op_info[op->opc].flags & OPF_END) {
                close_all(s);
            }
            break;
        }
    }
}

static bool is_shared(const Share *s, unsigned pos)
{
    return s->of[pos] != MAX_GROUPS && s->group[s->of[pos]].n > 1;
}

/* S3 */
static void mark_held(Share *s, const Group *g)
{
    for (unsigned pos = g->leader + 1u; pos < g->last; pos++) {
        IrOp *op = &s->b->ops[pos];

        if ((op->opc == IR_OP_ld || op->opc == IR_OP_st) && !is_shared(s, pos)) {
            op->cond |= IR_MO_HELD;
        }
    }
}

static void define_at(IrBlock *b, IrId v, unsigned pos)
{
    b->values[v].def = b->values[v].last = (uint16_t)pos;
}

static void make_probe(Share *s, const Group *g, unsigned pos, unsigned memop)
{
    IrOp *op = &s->b->ops[pos];

    *op = (IrOp){
        .opc = IR_OP_probe, .type = IR_I64, .cond = (uint8_t)memop, .epoch = op[1].epoch, .aux = g->mmu_idx, .out = g->host, .in = { g->base }, .n_in = 1,
        .disp = g->leader_disp, .k = IR_PROBE_RANGE(g->leader_disp - g->lo, g->hi - g->lo, g->write),
    };
    define_at(s->b, g->host, pos);
}

static void make_move(Share *s, const Group *g, IrOp *op)
{
    bool st = op->opc == IR_OP_st;
    Place p = place_of(s->b, op->in[st]);

    op->opc = st ? IR_OP_hst : IR_OP_hld;
    op->in[st] = g->host;
    op->disp = (int32_t)(p.at - g->origin);
    op->cond &= IR_MO_SIZE | IR_MO_SIGN;
}

/* Make room for @n probes, from the end on, and turn the accesses into moves. */
static void rewrite(Share *s, unsigned n)
{
    IrBlock *b = s->b;
    unsigned to = b->n_ops + n, insn = b->n_insns;

    for (unsigned pos = 0; pos < b->n_ops; pos++) {     /* while definitions are where values say */
        const IrOp *op = &b->ops[pos];

        if ((op->opc == IR_OP_ld || op->opc == IR_OP_st) && is_shared(s, pos)) {
            unsigned memop = op->cond;
            const Group *g = &s->group[s->of[pos]];

            make_move(s, g, &b->ops[pos]);
            if (g->leader == pos) {
                b->ops[pos].aux = (uint8_t)memop;       /* for its probe */
            }
        }
    }
    for (unsigned pos = b->n_ops; pos-- > 0 && to > pos + 1; ) {
        IrOp *op = &b->ops[--to];

        *op = b->ops[pos];
        if (op->out) {
            define_at(b, op->out, to);
        }
        if (op->opc == IR_OP_label) {
            b->labels[op->k].pos = (uint16_t)to;
        }
        if ((op->opc == IR_OP_hld || op->opc == IR_OP_hst) && s->group[s->of[pos]].leader == pos) {
            unsigned memop = op->aux;

            op->aux = 0;
            make_probe(s, &s->group[s->of[pos]], --to, memop);
        }
        while (insn && b->insns[insn - 1].op >= pos) {
            IrInsnMark *m = &b->insns[--insn];

            m->op = (uint16_t)(m->op > pos ? m->op + n : to);   /* behind the last op; or here */
        }
    }
    b->n_ops += n;
}

void ir_share(IrBlock *b)
{
    Share s;
    unsigned n = 0;

    s.b = b;
    s.clean = false;
    s.n_groups = s.n_open = 0;
    find_groups(&s);
    for (unsigned i = 0; i < s.n_groups; i++) {
        n += s.group[i].n > 1;
    }
    if (!n || b->n_ops + n > TCG_MAX_OPS || b->n_values + n > IR_MAX_VALUES) {
        return;
    }
    for (unsigned i = 0; i < s.n_groups; i++) {
        Group *g = &s.group[i];

        if (g->n > 1) {
            g->host = build_value(b, IR_I64);
            mark_held(&s, g);
        }
    }
    rewrite(&s, n);
}
