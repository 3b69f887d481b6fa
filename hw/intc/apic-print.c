/*
 * `info lapic`.
 */
#include "apic-internal.h"

static void print_lvt(FILE *f, const char *name, uint32_t v, bool timer)
{
    static const char *const modes[] = { "Fixed", "LowPri", "SMI", "...", "NMI", "INIT", "StartUp", "ExtINT" };
    static const char *const timer_modes[] = { "one-shot", "periodic", "tsc-deadline", "..." };
    unsigned mode = timer ? 0 : v >> 8 & 7;

    fprintf(f, "%s\t 0x%08x %s %-5s %-6s %-7s %-12s %-6s", name, v, v & BIT(13) ? "active-lo" : "active-hi",
            v & BIT(15) ? "level" : "edge", v & BIT(16) ? "masked" : "", v & BIT(12) ? "pending" : "",
            timer ? timer_modes[v >> 17 & 3] : "", modes[mode]);
    if (mode != APIC_DM_NMI) {
        fprintf(f, " (vec %u)", v & 0xff);
    }
    fputc('\n', f);
}

/* SDM Vol.3 figure 11-10: bits 3, 1 and 0; 111 divides by one. */
static unsigned divisor(uint32_t divide)
{
    unsigned n = (divide >> 1 & 4) | (divide & 3);

    return 1u << ((n + 1) & 7);
}

static void print_vectors(FILE *f, const char *name, const uint32_t *map, const uint32_t *level)
{
    bool any = false;

    fprintf(f, "%s\t", name);
    for (unsigned v = 0; v < 256; v++) {
        if (map[v / 32] >> (v % 32) & 1) {
            fprintf(f, " %u%s", v, level[v / 32] >> (v % 32) & 1 ? "(level)" : "");
            any = true;
        }
    }
    fprintf(f, "%s\n", any ? "" : " (none)");
}

static void print_icr(FILE *f, const LocalApic *s)
{
    static const char *const shorthands[] = { "no-shorthand", "self", "all-self", "all" };
    bool logical = s->icr_low & BIT(11);
    uint32_t dest = apic_is_x2apic(s) ? s->icr_high : s->icr_high >> 24;

    fprintf(f, "ICR\t 0x%08x %s %s %s %s\n", s->icr_low, logical ? "logical" : "physical", s->icr_low & BIT(15) ? "level" : "edge",
            s->icr_low & BIT(14) ? "assert" : "de-assert", shorthands[s->icr_low >> 18 & 3]);
    fprintf(f, "ICR2\t 0x%08x %s 0x%x (%s)\n", s->icr_high, logical ? "mask" : "cpu", dest, apic_is_x2apic(s) ? "X2APIC ID" : "APIC ID");
}

void apic_print(void *opaque, FILE *f)
{
    LocalApic *s = opaque;

    fprintf(f, "dumping local APIC state for CPU %u\n\n", s->cpu->index);
    print_lvt(f, "LVT0", s->lvt[LVT_LINT0], false);
    print_lvt(f, "LVT1", s->lvt[LVT_LINT1], false);
    print_lvt(f, "LVTPC", s->lvt[LVT_PERFMON], false);
    print_lvt(f, "LVTERR", s->lvt[LVT_ERROR], false);
    print_lvt(f, "LVTTHMR", s->lvt[LVT_THERMAL], false);
    print_lvt(f, "LVTT", s->lvt[LVT_TIMER], true);
    fprintf(f, "Timer\t DCR=0x%x (divide by %u) initial_count = %u current_count = %u\n", s->divide & 0xf, divisor(s->divide),
            s->initial_count, apic_current_count(s));
    fprintf(f, "SPIV\t 0x%08x APIC %s, focus=%s, spurious vec %u\n", s->svr, s->svr & 0x100 ? "enabled" : "disabled",
            s->svr & 0x200 ? "on" : "off", s->svr & 0xff);
    print_icr(f, s);
    fprintf(f, "ESR\t 0x%08x\n", s->esr);
    print_vectors(f, "ISR", s->isr, s->tmr);
    print_vectors(f, "IRR", s->irr, s->tmr);
    fprintf(f, "\nID 0x%x%s TPR 0x%02x DFR 0x%02x LDR 0x%02x PPR 0x%02x\n", s->id, apic_is_x2apic(s) ? " (x2APIC)" : "", s->tpr,
            s->dfr, s->ldr, apic_ppr(s));
}
