/*
 * What the translator tells the ledger: code and its tables (tb-size bounds both), and what each vCPU has.
 */
#include "accel/tcg/internal.h"
#include "hw/core/machine.h"

static uint64_t code_bound(void *opaque)
{
    return ((TcgAccel *)opaque)->cache.size;
}

/* The executable mapping shows the same pages again. */
static uint64_t code_present(void *opaque)
{
    const CodeCache *c = &((TcgAccel *)opaque)->cache;

    return memory_resident(c->rw, c->map_size) + memory_resident(c->tables, c->tables_size);
}

#define JUMP_CACHE_BYTES (sizeof(TcgJumpCacheEntry) << TCG_JUMP_CACHE_BITS)
#define CONTEXT_BYTES    (TLB_WRITTEN * sizeof(uint16_t))
#define ENTRIES_BYTES(n) ((n) * (sizeof(TcgTlbEntry) + sizeof(TlbFull)) + (n) / TLB_LOCAL_SHARE * sizeof(uint16_t))

/* Scratch memory for a block and the compiler's own. */
static uint64_t fixed_per_cpu(const CodeCache *c)
{
    return sizeof(TcgCpuState) + JUMP_CACHE_BYTES + 4 * MiB + c->unit_size / 2;
}

static uint64_t vcpu_bound(void *opaque)
{
    const Machine *m = current_machine();

    return (m ? m->smp.max_cpus : 1) * (tcg_profile_bytes(opaque) + fixed_per_cpu(&((TcgAccel *)opaque)->cache) + TLB_CONTEXTS * (uint64_t)CONTEXT_BYTES
                                        + ENTRIES_BYTES((uint64_t)TLB_BUDGET_ENTRIES));
}

static uint64_t vcpu_present(void *opaque)
{
    CodeCache *c = &((TcgAccel *)opaque)->cache;
    uint64_t sum = 0;

    code_cache_lock(c);
    for (unsigned i = 0; i < c->cpus->len; i++) {
        const TcgCpuState *t = g_ptr_array_index(c->cpus, i);

        sum += sizeof(*t) + JUMP_CACHE_BYTES + ENTRIES_BYTES(__atomic_load_n(&t->n_tlb_entries, __ATOMIC_RELAXED));
        for (unsigned k = 0; k < TLB_CONTEXTS; k++) {
            sum += __atomic_load_n(&t->context[k].written, __ATOMIC_RELAXED) ? CONTEXT_BYTES : 0;
        }
    }
    code_cache_unlock(c);
    return sum;
}

void tcg_accounts_add(TcgAccel *a)
{
    a->code_account = (MemoryAccount){ "translator/code", code_bound, code_present, a };
    a->vcpu_account = (MemoryAccount){ "translator/vcpus", vcpu_bound, vcpu_present, a };
    memory_account_add(&a->code_account);
    memory_account_add(&a->vcpu_account);
}

void tcg_accounts_remove(TcgAccel *a)
{
    memory_account_remove(&a->code_account);
    memory_account_remove(&a->vcpu_account);
}
