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
 *  S2  of the MMU nothing is asked but the leader, so that a fault, or a mark in the page tables, is the leader's own
 *  S3  a group led by a load has loads only; one led by a store has either, as who may write a page may read it.
 *      Off the stack pointer stores may join loads: the probe then fails on a page that is not known to be writable,
 *      which is seldom; elsewhere it might do so each time, for a store that never comes
 *  S4  between leader and last access nothing may change the TLB or the memory map: no call that has effects, no
 *      locked access.  An access of its own in between is marked IR_MO_HELD: where it meets a device its slow path
 *      leaves the block first
 *  S5  accesses that must be aligned follow only one of their kind, at multiples of their size: the leader's alignment
 *      is theirs
 *  S6  labels end all groups: a probe is before each of its accesses on every path
 *
 * Other vCPUs' flushes reach this one between blocks; until then its RAM stays mapped in the host.
 *
 * The builder notes each access, what came before it that ends groups (IrBlock.n_barriers), and leaves a nop where its
 * probe would be.
 */
#include "tcg/build.h"

#define MAX_GROUPS      128         /* of a block */
#define MAX_OPEN        6
#define MAX_DISTANCE    96          /* ops between two accesses: the host's address takes a register meanwhile */
#define NO_GROUP        0xff
_Static_assert(MAX_GROUPS <= NO_GROUP, "groups have a byte");

/*
 * Where an access is: at @at from @base.  Addresses of 32 bits wrap at 2^32, but not within a page: there they are at the
 * same distance from each other as their @at.
 */
typedef enum PlaceKind { PLACE_64, PLACE_32, PLACE_PC } PlaceKind;
typedef struct Place {
    IrId base;                      /* PLACE_PC: none */
    IrId addr;                      /* the address as a value */
    PlaceKind kind;
    int64_t at;
} Place;

typedef struct Access {
    Place place;
    unsigned i;                     /* in IrBlock.accesses */
    unsigned pos, size, mmu_idx;
    unsigned align;                 /* its size if it must be aligned, else 0 */
    bool write;
} Access;

typedef struct Group {
    Place place;                    /* of the leader */
    uint8_t mmu_idx, align;
    bool write, stack;
    uint16_t first, last;           /* in IrBlock.accesses */
    uint16_t last_pos, n;
    IrId host;                      /* the value that the probe will define */
    int64_t origin, lo, hi;         /* what the probe is given, and the range, as places are */
} Group;

typedef struct Share {
    IrBlock *b;
    unsigned n_groups, n_open;
    uint8_t open[MAX_OPEN];
    Group group[MAX_GROUPS];
    uint8_t of[TCG_MAX_OPS];        /* the group of each access, or NO_GROUP */
} Share;

static const IrOp *maker(const IrBlock *b, IrId v)
{
    const IrOp *d = b->values[v].kind == IR_KIND_TEMP && b->values[v].def < b->n_ops ? &b->ops[b->values[v].def] : NULL;

    return d && d->out == v ? d : NULL;
}

static Place place_of(const IrBlock *b, IrId addr)
{
    const IrValue *v = &b->values[addr];
    const IrOp *d = maker(b, addr);

    if (v->kind == IR_KIND_PC && b->pc_bits == 64) {
        return (Place){ 0, addr, PLACE_PC, (int64_t)v->k };
    }
    if (d && d->opc == IR_OP_add && b->values[d->in[1]].kind == IR_KIND_CONST) {
        int64_t k = (int64_t)b->values[d->in[1]].k;

        if (d->type == IR_I32) {
            return (Place){ d->in[0], addr, PLACE_32, (int32_t)k };
        }
        if (ABS(k) < INT32_MAX / 2) {
            return (Place){ d->in[0], addr, PLACE_64, k };
        }
    }
    if (d && d->opc == IR_OP_zext) {
        return (Place){ d->in[0], addr, PLACE_32, 0 };
    }
    return (Place){ addr, addr, PLACE_64, 0 };
}

static Access access_of(const IrBlock *b, unsigned i)
{
    unsigned pos = b->accesses[i].pos;
    const IrOp *op = &b->ops[pos];
    unsigned size = 1u << (op->cond & IR_MO_SIZE);

    return (Access){
        .place = place_of(b, op->in[op->opc == IR_OP_st]), .i = i, .pos = pos, .size = size, .mmu_idx = op->aux,
        .align = op->cond & IR_MO_ALIGN ? size : 0, .write = op->opc == IR_OP_st || op->cond & IR_MO_RMW,
    };
}

/* The open group of the access's base, -1 if there is none. */
static int find_open(const Share *s, const Access *x)
{
    for (unsigned i = 0; i < s->n_open; i++) {
        const Group *g = &s->group[s->open[i]];

        if (g->mmu_idx == x->mmu_idx && g->place.kind == x->place.kind && g->place.base == x->place.base) {
            return (int)i;
        }
    }
    return -1;
}

/* True: the access is one of the group's. */
static bool join(Share *s, Group *g, const Access *x)
{
    int64_t at = x->place.at, lo = MIN(at, g->lo), hi = MAX(at + x->size, g->hi);

    if ((x->write && !g->write && !g->stack) || hi - lo > IR_SHARE_SPAN || x->pos - g->last_pos > MAX_DISTANCE) {
        return false;
    }
    if (x->align && (x->align != g->align || (at - g->place.at) & (x->align - 1))) {
        return false;
    }
    g->write |= x->write;
    g->lo = lo;
    g->hi = hi;
    g->last = (uint16_t)x->i;
    g->last_pos = (uint16_t)x->pos;
    g->n++;
    s->of[x->i] = (uint8_t)(g - s->group);
    return true;
}

static bool is_stack(const IrBlock *b, IrId base)
{
    const IrOp *d = maker(b, base);

    return d && d->opc == IR_OP_get && b->target->stack_global && d->k == b->target->stack_global;
}

static void lead(Share *s, const Access *x)
{
    if (s->n_groups == MAX_GROUPS) {
        return;
    }
    if (s->n_open == MAX_OPEN) {
        memmove(s->open, s->open + 1, --s->n_open);
    }
    s->open[s->n_open++] = s->of[x->i] = (uint8_t)s->n_groups;
    s->group[s->n_groups++] = (Group){
        .place = x->place, .mmu_idx = (uint8_t)x->mmu_idx, .align = (uint8_t)x->align, .write = x->write,
        .stack = is_stack(s->b, x->place.base), .first = (uint16_t)x->i, .last = (uint16_t)x->i, .last_pos = (uint16_t)x->pos, .n = 1,
        .origin = x->place.kind == PLACE_64 ? 0 : x->place.at, .lo = x->place.at, .hi = x->place.at + x->size,
    };
}

static bool has_effect(const Share *s, const IrOp *op)
{
    switch (op->opc) {
    case IR_OP_put: case IR_OP_discard: case IR_OP_env_st: case IR_OP_var_set: case IR_OP_label: case IR_OP_rmw: case IR_OP_cas:
    case IR_OP_st: case IR_OP_x87: case IR_OP_x87_compare: case IR_OP_x87_home:
        return true;
    case IR_OP_call:
        return ir_call_is_barrier(s->b, op);
    default:
        return false;
    }
}

/* S1: from the instruction's start to access @i. */
static bool may_lead(const Share *s, unsigned i)
{
    const IrBlock *b = s->b;
    unsigned insn = b->accesses[i].insn, prior = i;
    const IrInsnMark *m = b->insns + insn - (insn > 0);

    if (!insn || m->hold || (insn > 1 && m->pc_delta == m[-1].pc_delta)) {
        return false;                           /* the latter: its parameters were changed in the middle */
    }
    for (unsigned pos = b->accesses[i].pos; pos-- > m->op;) {
        const IrOp *op = &b->ops[pos];

        if (has_effect(s, op) || (op->opc == IR_OP_ld && (s->of[--prior] == NO_GROUP || s->group[s->of[prior]].n == 1))) {
            return false;                       /* a load of its own may be of a device */
        }
    }
    return true;
}

static void visit(Share *s, unsigned i)
{
    Access x = access_of(s->b, i);
    int open;

    s->of[i] = NO_GROUP;
    if (x.size > 16 || s->b->ops[x.pos].cond & IR_MO_BE) {
        return;
    }
    open = find_open(s, &x);
    if (open >= 0 && join(s, &s->group[s->open[open]], &x)) {
        return;
    }
    if (may_lead(s, i)) {
        if (open >= 0) {
            s->open[open] = s->open[--s->n_open];
        }
        lead(s, &x);
    }
}

static bool is_shared(const Share *s, unsigned i)
{
    return s->of[i] != NO_GROUP && s->group[s->of[i]].n > 1;
}

/* S4 */
static void mark_held(Share *s, const Group *g)
{
    for (unsigned i = g->first + 1u; i < g->last; i++) {
        if (!is_shared(s, i)) {
            s->b->ops[s->b->accesses[i].pos].cond |= IR_MO_HELD;
        }
    }
}

/* The op before the leader becomes the probe. */
static void make_probe(Share *s, Group *g)
{
    IrBlock *b = s->b;
    unsigned pos = b->accesses[g->first].pos;
    const IrOp *leader = &b->ops[pos];
    IrOp *op = &b->ops[--pos];

    g->host = build_value(b, IR_I64);
    b->values[g->host].def = b->values[g->host].last = (uint16_t)pos;
    *op = (IrOp){
        .opc = IR_OP_probe, .type = IR_I64, .cond = leader->cond, .aux = g->mmu_idx, .out = g->host,
        .in = { g->place.kind == PLACE_64 ? g->place.base : g->place.addr, [3] = IR_EXIT_HOME(leader) },
        .n_in = 1, .epoch = leader->epoch, .disp = (int32_t)(g->place.at - g->origin),
        .k = IR_PROBE_RANGE(g->place.at - g->lo, g->hi - g->lo, g->write, leader->opc == IR_OP_st || leader->cond & IR_MO_RMW),
    };
}

static void make_move(Share *s, unsigned i)
{
    const Group *g = &s->group[s->of[i]];
    IrOp *op = &s->b->ops[s->b->accesses[i].pos];
    bool st = op->opc == IR_OP_st;

    op->opc = st ? IR_OP_hst : IR_OP_hld;
    op->disp = (int32_t)(place_of(s->b, op->in[st]).at - g->origin);
    op->in[st] = g->host;
    op->cond &= IR_MO_SIZE | IR_MO_SIGN;
}

void ir_share(IrBlock *b)
{
    Share s;

    if (b->n_accesses < 2) {
        return;
    }
    s.b = b;
    s.n_groups = s.n_open = 0;
    for (unsigned i = 0; i < b->n_accesses; i++) {
        if (i && b->accesses[i].barriers != b->accesses[i - 1].barriers) {
            s.n_open = 0;
        }
        visit(&s, i);
    }
    if (b->n_values + s.n_groups > IR_MAX_VALUES) {
        return;
    }
    for (unsigned i = 0; i < s.n_groups; i++) {
        if (s.group[i].n > 1) {
            mark_held(&s, &s.group[i]);
            make_probe(&s, &s.group[i]);
        }
    }
    for (unsigned i = 0; i < b->n_accesses; i++) {
        if (is_shared(&s, i)) {
            make_move(&s, i);
        }
    }
}
