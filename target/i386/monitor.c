/*
 * What the human monitor prints of a CPU's address translation and of its interrupt controller.
 */
#include "target/i386/page-walk.h"

#define LINES_MAX (1u << 20)    /* the guest's tables may go on for ever; nobody reads as far */

static void print_rest(FILE *f, bool all)
{
    if (!all) {
        fprintf(f, "... and more\n");
    }
}

/* --- info tlb: every page --- */

typedef struct TlbListing {
    FILE *f;
    unsigned lines;
} TlbListing;

static bool print_page(void *opaque, vaddr va, hwaddr pa, uint64_t size, uint64_t entry, unsigned rights)
{
    static const struct { char letter; unsigned bit; } flags[] = {
        { 'X', 63 }, { 'G', 8 }, { 'P', 7 }, { 'D', 6 }, { 'A', 5 }, { 'C', 4 }, { 'T', 3 }, { 'U', 2 }, { 'W', 1 },
    };
    TlbListing *l = opaque;
    FILE *f = l->f;

    fprintf(f, "%016" PRIx64 ": %016" PRIx64 " ", va, pa);
    for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
        fputc(entry >> flags[i].bit & 1 ? flags[i].letter : '-', f);
    }
    fputc('\n', f);
    return ++l->lines < LINES_MAX;
}

static bool has_paging(Vcpu *cpu, FILE *f)
{
    const CPUX86State *env = cpu->env;

    if (!(env->cr[0] & CR0_PG)) {
        fprintf(f, "PG disabled\n");
        return false;
    }
    return true;
}

void x86_print_tlb(Vcpu *cpu, FILE *f)
{
    TlbListing l = { f, 0 };

    if (has_paging(cpu, f)) {
        print_rest(f, x86_foreach_page(cpu, print_page, &l));
    }
}

/* --- info mem: ranges of the same rights --- */

typedef struct Range {
    FILE *f;
    vaddr start, end;
    unsigned rights;
    bool open;
    unsigned lines;
} Range;

static void finish_range(Range *r)
{
    if (r->open) {
        fprintf(r->f, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %cr%c\n", r->start, r->end, r->end - r->start,
                r->rights & PTE_USER ? 'u' : '-', r->rights & PTE_RW ? 'w' : '-');
        r->lines++;
    }
    r->open = false;
}

static bool extend_range(void *opaque, vaddr va, hwaddr pa, uint64_t size, uint64_t entry, unsigned rights)
{
    Range *r = opaque;

    if (!r->open || r->end != va || r->rights != rights) {
        finish_range(r);
        *r = (Range){ .f = r->f, .start = va, .rights = rights, .open = true, .lines = r->lines };
    }
    r->end = va + size;
    return r->lines < LINES_MAX;
}

void x86_print_mem(Vcpu *cpu, FILE *f)
{
    Range r = { .f = f };

    if (has_paging(cpu, f)) {
        bool all = x86_foreach_page(cpu, extend_range, &r);

        finish_range(&r);
        print_rest(f, all);
    }
}

/* --- info lapic --- */

void x86_print_intc(Vcpu *vcpu, FILE *f)
{
    const X86CPU *cpu = X86_CPU(vcpu);

    if (cpu->intc && cpu->intc->print) {
        cpu->intc->print(cpu->intc_opaque, f);
    } else {
        fprintf(f, "No local APIC\n");
    }
}
