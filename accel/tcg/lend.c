/*
 * Guest memory lent to another accelerator, which runs the CPU by turns with the translator.
 *
 * That accelerator keeps translations of its own (KVM: page tables), made of what the soft TLB says: so they hold as
 * long as the soft TLB's would.  A page with translated code is lent for reading only, so that a write to it comes to
 * the translator; one that gets code while it is lent for writing is taken back first.
 *
 * Invariant: while native_turn is odd, nothing is lent that is older than lend_generation.  The borrower makes it odd
 * and looks at the generation and at exit_request afterwards; who takes pages back, or kicks, does it the other way
 * round, so that one of them sees the other.
 *
 * Locks: none.  tlb_lend_revoke() waits with the cache lock held: the borrower takes no lock before its turn is over.
 */
#include "accel/tcg/internal.h"

#include <sched.h>

#include "util/rcu.h"

/* --- taking back --- */

static void end_generation(TcgCpuState *t)
{
    __atomic_add_fetch(&t->lend_generation, 1, __ATOMIC_SEQ_CST);
}

void tlb_lend_revoke(TcgCpuState *t)
{
    uint32_t turn;

    end_generation(t);
    turn = __atomic_load_n(&t->native_turn, __ATOMIC_SEQ_CST);
    if (turn & 1) {
        t->assist->expel(t->cpu);
        while (__atomic_load_n(&t->native_turn, __ATOMIC_SEQ_CST) == turn) {
            sched_yield();
        }
    }
}

void tlb_lend_forget(TcgCpuState *t)
{
    end_generation(t);
    memset(t->lent_filter, 0, sizeof(t->lent_filter));
}

static unsigned filter_bit(const TcgCpuState *t, vaddr va)
{
    uint64_t page = va >> t->page_bits;

    return (unsigned)((page ^ page >> 9 ^ page >> 18) & (LEND_FILTER_WORDS * 64 - 1));
}

void tlb_lend_forget_page(TcgCpuState *t, vaddr va, bool large)
{
    unsigned bit = filter_bit(t, va);

    if (large || (t->lent_filter[bit / 64] >> (bit % 64) & 1)) {
        tlb_lend_forget(t);
    }
}

/* --- lending --- */

uint64_t tcg_lend_generation(Vcpu *cpu)
{
    return __atomic_load_n(&tcg_state(cpu)->lend_generation, __ATOMIC_SEQ_CST);
}

/* Entry @k of @tab, if it is RAM without anything to heed at reading. */
static bool lend_entry(TcgCpuState *t, const TlbTable *tab, unsigned k, vaddr *va, TcgLentPage *out)
{
    const TcgTlbEntry *e = &tab->fast[k];
    unsigned bit;

    if (e->addr_read & ~t->page_mask || tab->full[k].ram_addr == PHYS_NONE) {
        return false;                   /* invalid entries have all bits set */
    }
    *va = e->addr_read;
    *out = (TcgLentPage){
        .pa = tab->full[k].paddr, .host = (const uint8_t *)(uintptr_t)(e->addr_read + e->addend),
        .write = __atomic_load_n(&e->addr_write, __ATOMIC_SEQ_CST) == e->addr_read, .exec = e->addr_code == e->addr_read,
    };
    bit = filter_bit(t, *va);
    t->lent_filter[bit / 64] |= BIT_ULL(bit % 64);
    return true;
}

/* False: flushes may be waiting that make the soft TLB wrong. */
static bool lend_begin(TcgCpuState *t)
{
    rcu_read_lock();
    if (cpu_work_pending(t->cpu)) {
        rcu_read_unlock();
        return false;
    }
    tcg_running_begin(t);
    return true;
}

static void lend_end(TcgCpuState *t)
{
    tcg_running_end(t);
    rcu_read_unlock();
}

bool tcg_lend_page(Vcpu *cpu, vaddr va, MmuAccess access, unsigned mmu_idx, TcgLentPage *out)
{
    TcgCpuState *t = tcg_state(cpu);
    bool ok = false;
    vaddr page;
    TlbHit hit;

    if (!lend_begin(t)) {
        return false;
    }
    if (tlb_find(t, va, 1, access, mmu_idx, true, 0, &hit)) {
        const TlbTable *tab = tlb_table(t, mmu_idx);

        ok = lend_entry(t, tab, (unsigned)(va >> t->page_bits) & (tab->n - 1), &page, out) && page == (va & t->page_mask);
    }
    lend_end(t);
    return ok;
}

void tcg_lend_known_pages(Vcpu *cpu, unsigned mmu_idx, void (*fn)(void *opaque, vaddr va, const TcgLentPage *page), void *opaque)
{
    TcgCpuState *t = tcg_state(cpu);
    const TlbTable *tab;
    TcgLentPage page;
    vaddr va;

    if (!lend_begin(t)) {
        return;
    }
    tab = tlb_table(t, mmu_idx);
    for (unsigned k = 0; k < tab->n; k++) {
        if (lend_entry(t, tab, k, &va, &page)) {
            fn(opaque, va, &page);
        }
    }
    lend_end(t);
}

/* --- the borrower's turn --- */

bool tcg_native_begin(Vcpu *cpu, uint64_t generation)
{
    TcgCpuState *t = tcg_state(cpu);

    tcg_running_begin(t);
    __atomic_add_fetch(&t->native_turn, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&t->lend_generation, __ATOMIC_SEQ_CST) == generation &&
        !__atomic_load_n(&t->env->exit_request, __ATOMIC_SEQ_CST)) {
        return true;
    }
    tcg_native_end(cpu);
    return false;
}

void tcg_native_end(Vcpu *cpu)
{
    TcgCpuState *t = tcg_state(cpu);

    __atomic_add_fetch(&t->native_turn, 1, __ATOMIC_SEQ_CST);
    tcg_running_end(t);
}
