/*
 * Which globals are pinned: the hottest 64-bit ones (IrGlobal.heat), as many as the host has
 * registers for.  A function of the target alone, so that prologue, blocks and unwinder agree.  A
 * block that loops has more, chosen by what it uses; its fault table begins with them.
 */
#include "tcg/x86_64/emit.h"

static int hottest(const IrTarget *t, const Pins *pins)
{
    int best = -1;

    for (unsigned g = 0; g < t->n_globals; g++) {
        if (t->globals[g].type == IR_I64 && t->globals[g].heat && pins->reg[g] == RA_NONE &&
            (best < 0 || t->globals[g].heat > t->globals[best].heat)) {
            best = g;
        }
    }
    return best;
}

void pins_of_target(const IrTarget *target, Pins *pins)
{
    static const uint8_t regs[N_HOST_PINS] = HOST_PINS;

    memset(pins->reg, RA_NONE, sizeof(pins->reg));
    memset(pins->global, RA_NONE, sizeof(pins->global));
    pins->mask = 0;
    for (unsigned i = 0; i < N_HOST_PINS; i++) {
        int g = hottest(target, pins);

        if (g < 0) {
            return;
        }
        pins->reg[g] = regs[i];
        pins->global[regs[i]] = g;
        pins->mask |= HOST_MASK(regs[i]);
    }
}

/* --- loops --- */

static const uint8_t loop_gprs[] = HOST_LOOP_GPRS, loop_xmms[] = HOST_LOOP_XMMS;

typedef struct Uses { bool get, put; } Uses;

/* What the loop does with each global; false if it calls C, which keeps none of these registers. */
static bool count_uses(const IrBlock *b, Uses *uses)
{
    for (unsigned pos = 0; pos < b->n_ops; pos++) {
        const IrOp *op = &b->ops[pos];

        switch (op->opc) {
        case IR_OP_call:
            return false;
        case IR_OP_vop: case IR_OP_vop_fp:
            if (!vop_is_native((IrVop)op->k)) {
                return false;
            }
            break;
        case IR_OP_get:
            uses[op->k].get = true;
            break;
        case IR_OP_put:
            uses[op->k].put = true;
            break;
        }
    }
    return true;
}

/* A value that goes round the loop waits for its store and load each time; others cost one or the other. */
static unsigned gain(Uses u)
{
    return u.get && u.put ? 3 : u.get ? 2 : u.put;
}

static int best_of_type(const TcgContext *c, const Uses *uses, IrType t)
{
    int best = -1;

    for (unsigned g = 0; g < c->target->n_globals; g++) {
        if (c->target->globals[g].type == t && c->pins.reg[g] == RA_NONE && gain(uses[g]) &&
            (best < 0 || gain(uses[g]) > gain(uses[best]))) {
            best = g;
        }
    }
    return best;
}

static void give(TcgContext *c, const Uses *uses, IrType t, const uint8_t *regs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int g = best_of_type(c, uses, t);

        if (g < 0) {
            return;
        }
        c->pins.reg[g] = regs[i];
        c->pins.global[regs[i]] = g;
        c->pins.mask |= HOST_MASK(regs[i]);
        c->loop_pins_written |= uses[g].put ? HOST_MASK(regs[i]) : 0;
    }
}

static void pin_for_loop(TcgContext *c)
{
    Uses uses[IR_MAX_GLOBALS] = { 0 };

    if (count_uses(&c->ir, uses)) {
        give(c, uses, IR_I64, loop_gprs, ARRAY_SIZE(loop_gprs));
        give(c, uses, IR_V128, loop_xmms, ARRAY_SIZE(loop_xmms));
    }
}

void pins_of_block(TcgContext *c)
{
    if (c->pins.mask != c->base_pins.mask) {
        c->pins = c->base_pins;                 /* the last block was a loop */
    }
    c->loop_pins_written = 0;
    if (c->ir.loops) {
        pin_for_loop(c);
    }
    c->gprs = HOST_GPRS & ~c->pins.mask;
    c->xmms = HOST_XMMS & ~c->pins.mask;
}
