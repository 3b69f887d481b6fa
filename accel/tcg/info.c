/*
 * What `info jit` prints, the cache's state and the sums of all vCPUs' counters; and the same for query-stats.
 */
#include "accel/tcg/internal.h"

typedef struct CounterRow {
    const char *name;
    size_t offset;              /* in TcgStats */
} CounterRow;

#define ROW(text, field) { text, offsetof(TcgStats, field) }
static const CounterRow rows[] = {
    ROW("entries from the loop",        entries),
    ROW("found in jump cache",          lookups_jc),
    ROW("found by physical address",    lookups_hash),
    ROW("translated",                   translations),
    ROW("exits, unlinked direct",       exits_direct),
    ROW("exits, jump cache miss",       exits_lookup),
    ROW("exits, mode or state",         exits_loop),
    ROW("exits, polled request",        exits_poll),
    ROW("exits, fault",                 exits_fault),
    ROW("interrupts taken",             interrupts),
    ROW("exceptions delivered",         exceptions),
    ROW("TLB fills",                    tlb_fills),
    ROW("TLB full flushes",             tlb_flush_all),
    ROW("TLB context flushes",          tlb_flush_context),
    ROW("TLB page flushes",             tlb_flush_page),
    ROW("TLB context switches",         tlb_switches),
    ROW("TLB contexts not found",       tlb_switch_miss),
    ROW("TLB resizes",                  tlb_resizes),
    ROW("slow loads",                   slow_loads),
    ROW("slow stores",                  slow_stores),
    ROW("slow atomics",                 slow_atomics),
    ROW("device accesses",              mmio),
    ROW("stores to watched pages",      notdirty),
    ROW("restarts of self-modifying",   smc_restarts),
    ROW("nanoseconds translating",      translate_ns),
};

static uint64_t sum_of(const CodeCache *c, size_t offset)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < c->cpus->len; i++) {
        const TcgCpuState *t = g_ptr_array_index(c->cpus, i);

        sum += __atomic_load_n((const uint64_t *)((const char *)&t->stats + offset), __ATOMIC_RELAXED);
    }
    return sum;
}

static void print_cache_locked(const CodeCache *c, FILE *f)
{
    const CodeCacheStats *s = &c->stats;
    unsigned full = 0;
    uint64_t used = 0;

    for (unsigned i = 0; i < c->n_units; i++) {
        full += c->units[i].state == UNIT_FULL;
        used += c->units[i].used + c->units[i].n_tb * sizeof(Tb);
    }
    fprintf(f, "Translation buffer state:\n");
    fprintf(f, "%-30s %zu KiB\n", "bound (tb-size)", c->size / (size_t)KiB);
    fprintf(f, "%-30s %u of %u KiB, %u full\n", "units", c->n_units, c->unit_size / (unsigned)KiB, full);
    fprintf(f, "%-30s %" PRIu64 " KiB\n", "in use", used / (uint64_t)KiB);
    fprintf(f, "%-30s %" PRIu64 "\n", "blocks now", s->live_blocks);
    fprintf(f, "%-30s %" PRIu64 "\n", "blocks ever", s->blocks);
    fprintf(f, "%-30s %" PRIu64 "\n", "guest instructions translated", s->insns);
    fprintf(f, "%-30s %" PRIu64 "\n", "guest bytes translated", s->guest_bytes);
    fprintf(f, "%-30s %" PRIu64 "\n", "host bytes made", s->code_bytes);
    fprintf(f, "%-30s %" PRIu64 "\n", "units evicted", s->evicted_units);
    fprintf(f, "%-30s %" PRIu64 "\n", "blocks evicted", s->evicted_blocks);
    fprintf(f, "%-30s %" PRIu64 "\n", "blocks moved", s->moved_blocks);
    fprintf(f, "%-30s %" PRIu64 "\n", "waits for eviction", s->evict_waits);
    fprintf(f, "%-30s %" PRIu64 "\n", "writes to pages with code", s->smc_writes);
    fprintf(f, "%-30s %" PRIu64 "\n", "blocks overwritten", s->smc_blocks);
    fprintf(f, "%-30s %" PRIu64 "\n", "pages protected", s->page_protects);
    fprintf(f, "%-30s %" PRIu64 " made, %" PRIu64 " undone\n", "links", s->links, s->unlinks);
    fprintf(f, "%-30s %" PRIu64 "\n", "translated twice at once", s->duplicates);
    fprintf(f, "%-30s %" PRIu64 "\n", "overtaken by a write", s->stale_drafts);
}

void tcg_print_info(TcgAccel *a, FILE *f)
{
    CodeCache *c = &a->cache;

    g_mutex_lock(&c->lock);
    print_cache_locked(c, f);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        fprintf(f, "%-30s %" PRIu64 "\n", rows[i].name, sum_of(c, rows[i].offset));
    }
    g_mutex_unlock(&c->lock);
}

/* --- query-stats --- */

#define CPU_COUNTER(field, ...)   { #field, .of_vcpu = true, .offset = offsetof(TcgStats, field), ##__VA_ARGS__ }
#define CACHE_COUNTER(field, ...) { #field, .offset = offsetof(CodeCacheStats, field), ##__VA_ARGS__ }
const AccelCounter tcg_counters[] = {
    CPU_COUNTER(entries),
    CPU_COUNTER(lookups_jc),
    CPU_COUNTER(lookups_hash),
    CPU_COUNTER(translations),
    CPU_COUNTER(exits_direct),
    CPU_COUNTER(exits_lookup),
    CPU_COUNTER(exits_loop),
    CPU_COUNTER(exits_poll),
    CPU_COUNTER(exits_fault),
    CPU_COUNTER(interrupts),
    CPU_COUNTER(exceptions),
    CPU_COUNTER(tlb_fills),
    CPU_COUNTER(tlb_flush_all),
    CPU_COUNTER(tlb_flush_context),
    CPU_COUNTER(tlb_flush_page),
    CPU_COUNTER(tlb_switches),
    CPU_COUNTER(tlb_switch_miss),
    CPU_COUNTER(tlb_resizes),
    CPU_COUNTER(slow_loads),
    CPU_COUNTER(slow_stores),
    CPU_COUNTER(slow_atomics),
    CPU_COUNTER(mmio),
    CPU_COUNTER(notdirty),
    CPU_COUNTER(smc_restarts),
    CPU_COUNTER(translate_ns, .unit = ACCEL_COUNT_NANOSECONDS),
    CACHE_COUNTER(blocks),
    CACHE_COUNTER(code_bytes, .unit = ACCEL_COUNT_BYTES),
    CACHE_COUNTER(guest_bytes, .unit = ACCEL_COUNT_BYTES),
    CACHE_COUNTER(insns),
    CACHE_COUNTER(live_blocks, .instant = true),
    CACHE_COUNTER(evicted_units),
    CACHE_COUNTER(evicted_blocks),
    CACHE_COUNTER(moved_blocks),
    CACHE_COUNTER(evict_waits),
    CACHE_COUNTER(smc_writes),
    CACHE_COUNTER(smc_blocks),
    CACHE_COUNTER(page_protects),
    CACHE_COUNTER(links),
    CACHE_COUNTER(unlinks),
    { 0 }
};

uint64_t tcg_count(Accel *accel, Vcpu *cpu, const AccelCounter *c)
{
    CodeCache *cache = &TCG_ACCEL(accel)->cache;
    uint64_t n;

    if (c->of_vcpu) {
        return __atomic_load_n((const uint64_t *)((const char *)&tcg_state(cpu)->stats + c->offset), __ATOMIC_RELAXED);
    }
    if (!TCG_ACCEL(accel)->cache_ready) {
        return 0;
    }
    g_mutex_lock(&cache->lock);
    n = *(const uint64_t *)((const char *)&cache->stats + c->offset);
    g_mutex_unlock(&cache->lock);
    return n;
}
