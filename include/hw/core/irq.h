/*
 * Interrupt lines: a wire from a source's output to a sink's numbered input.
 */
#ifndef HW_CORE_IRQ_H
#define HW_CORE_IRQ_H

#include "util/base.h"

/* @level: 0 low, nonzero high.  BQL held. */
typedef void IrqHandler(void *opaque, unsigned n, int level);

/* A value, copied freely; the sink must outlive it.  All-zero = not connected: setting it is a no-op. */
typedef struct IrqLine {
    IrqHandler *set;
    void *opaque;
    unsigned n;
} IrqLine;

static inline IrqLine irq_line(IrqHandler *set, void *opaque, unsigned n)
{
    return (IrqLine){ set, opaque, n };
}

/* Sees every change of a connected line, after its sink did; NULL = nobody looks.  For qtest. */
typedef void IrqTap(const IrqLine *line, int level);
extern IrqTap *irq_tap;

static inline void irq_set(IrqLine line, int level)
{
    if (line.set) {
        line.set(line.opaque, line.n, level);
        if (unlikely(irq_tap)) {
            irq_tap(&line, level);
        }
    }
}

static inline void irq_raise(IrqLine line) { irq_set(line, 1); }
static inline void irq_lower(IrqLine line) { irq_set(line, 0); }
static inline void irq_pulse(IrqLine line) { irq_set(line, 1); irq_set(line, 0); }
static inline bool irq_connected(IrqLine line) { return line.set != NULL; }

#endif
