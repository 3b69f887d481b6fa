/*
 * Which globals are pinned: the hottest 64-bit ones (IrGlobal.heat), as many as the host has
 * registers for.  A function of the target alone, so that prologue, blocks and unwinder agree.
 */
#include "tcg/context.h"

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
