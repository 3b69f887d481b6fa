/*
 * What the translator tells of itself: `info jit` (x-query-jit), `info opcount` (x-query-opcount), query-stats.
 *
 * Names are QEMU's where the thing is the same.  Counters of vCPUs are summed up.
 */
#include "accel/tcg/internal.h"

typedef struct CounterRow {
    const char *name;
    size_t offset;              /* in TcgStats, or in CodeCacheStats */
} CounterRow;

#define ROW(text, field) { text, offsetof(TcgStats, field) }
static const CounterRow cpu_rows[] = {
    ROW("entries from the loop",        entries),
    ROW("found in jump cache",          lookups_jc),
    ROW("found by physical address",    lookups_hash),
    ROW("translated",                   translations),
    ROW("exits, unlinked direct",       exits_direct),
    ROW("exits, jump cache miss",       exits_lookup),
    ROW("exits, mode or state",         exits_loop),
    ROW("exits, polled request",        exits_poll),
    ROW("exits, shared probe failed",   exits_unshared),
    ROW("exits, fault",                 exits_fault),
    ROW("interrupts taken",             interrupts),
    ROW("exceptions delivered",         exceptions),
    ROW("TLB fills, loads",             tlb_fills[MMU_DATA_LOAD]),
    ROW("TLB fills, stores",            tlb_fills[MMU_DATA_STORE]),
    ROW("TLB fills, code",              tlb_fills[MMU_INST_FETCH]),
    ROW("full flushes, paging mode",    tlb_flush_cause[TLB_FLUSH_MODE]),
    ROW("full flushes, INVPCID",        tlb_flush_cause[TLB_FLUSH_GUEST]),
    ROW("full flushes, state set",      tlb_flush_cause[TLB_FLUSH_STATE]),
    ROW("full flushes, memory map",     tlb_flush_cause[TLB_FLUSH_MEMORY]),
    ROW("full flushes, debugger",       tlb_flush_cause[TLB_FLUSH_DEBUG]),
    ROW("TLB context flushes",          tlb_flush_context),
    ROW("TLB page flushes",             tlb_flush_page),
    ROW("TLB context switches",         tlb_switches),
    ROW("TLB contexts not found",       tlb_switch_miss),
    ROW("TLB resizes",                  tlb_resizes),
    ROW("slow loads",                   slow_loads),
    ROW("slow stores",                  slow_stores),
    ROW("slow atomics",                 slow_atomics),
    ROW("slow shared probes",           slow_probes),
    ROW("device accesses",              mmio),
    ROW("stores to watched pages",      notdirty),
    ROW("restarts of self-modifying",   smc_restarts),
    ROW("nanoseconds translating",      translate_ns),
    ROW("big lock taken",               bql.taken),
    ROW("big lock waited for",          bql.waited),
    ROW("nanoseconds waiting for the big lock", bql.wait_ns),
};
#undef ROW
#define ROW(text, field) { text, offsetof(CodeCacheStats, field) }
static const CounterRow cache_rows[] = {
    ROW("blocks ever",                  blocks),
    ROW("of these again",               retranslations),
    ROW("of these without shared probes", unshared_blocks),
    ROW("guest instructions translated", insns),
    ROW("guest bytes translated",       guest_bytes),
    ROW("host bytes made",              code_bytes),
    ROW("units evicted",                evicted_units),
    ROW("blocks evicted",               evicted_blocks),
    ROW("blocks moved",                 moved_blocks),
    ROW("waits for eviction",           evict_waits),
    ROW("writes to pages with code",    smc_writes),
    ROW("pages protected",              page_protects),
    ROW("waits for stores in flight",   page_waits),
    ROW("links made",                   links),
    ROW("links undone",                 unlinks),
    ROW("translated twice at once",     duplicates),
    ROW("overtaken by a write",         stale_drafts),
    ROW("cache lock taken",             lock.taken),
    ROW("cache lock waited for",        lock.waited),
    ROW("nanoseconds waiting for the cache lock", lock.wait_ns),
};
#undef ROW

static uint64_t sum_of(const CodeCache *c, size_t offset)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < c->cpus->len; i++) {
        const TcgCpuState *t = g_ptr_array_index(c->cpus, i);

        sum += __atomic_load_n((const uint64_t *)((const char *)&t->stats + offset), __ATOMIC_RELAXED);
    }
    return sum;
}

/* --- the blocks that are there --- */

typedef struct BlockSums {
    uint64_t n, guest_bytes, host_bytes, two_pages, jumps, two_jumps;
    unsigned max_size, full_units;
    uint64_t used;              /* bytes of code and descriptors, of dead blocks too */
} BlockSums;

static void add_block(BlockSums *s, const Tb *tb)
{
    unsigned exits = (unsigned)__builtin_popcount(tb->exits);

    s->n++;
    s->guest_bytes += tb->size;
    s->host_bytes += tb->code_size;
    s->two_pages += tb->two_pages;
    s->jumps += exits >= 1;
    s->two_jumps += exits >= 2;
    s->max_size = MAX(s->max_size, tb->size);
}

static BlockSums sum_blocks_locked(const CodeCache *c)
{
    BlockSums s = { 0 };

    for (unsigned u = 0; u < c->n_units; u++) {
        s.full_units += c->units[u].state == UNIT_FULL;
        s.used += c->units[u].used + c->units[u].n_tb * sizeof(Tb);
        for (unsigned i = 0; i < c->units[u].n_tb; i++) {
            if (!tb_is_dead(unit_tb(c, u, i))) {
                add_block(&s, unit_tb(c, u, i));
            }
        }
    }
    return s;
}

static uint64_t average(uint64_t sum, uint64_t n)
{
    return n ? sum / n : 0;
}

static void print_cache_locked(const CodeCache *c, FILE *f)
{
    const BlockSums s = sum_blocks_locked(c);

    fprintf(f, "\nTranslation buffer state:\n");
    fprintf(f, "gen code size       %" PRIu64 "/%zu\n", s.used, (size_t)c->n_units * c->unit_size);
    fprintf(f, "TB count            %" PRIu64 "\n", s.n);
    fprintf(f, "TB avg target size  %" PRIu64 " max=%u bytes\n", average(s.guest_bytes, s.n), s.max_size);
    fprintf(f, "TB avg host size    %" PRIu64 " bytes (expansion ratio: %0.1f)\n", average(s.host_bytes, s.n),
            s.guest_bytes ? (double)s.host_bytes / (double)s.guest_bytes : 0);
    fprintf(f, "cross page TB count %" PRIu64 " (%" PRIu64 "%%)\n", s.two_pages, average(s.two_pages * 100, s.n));
    fprintf(f, "direct jump count   %" PRIu64 " (%" PRIu64 "%%) (2 jumps=%" PRIu64 " %" PRIu64 "%%)\n", s.jumps,
            average(s.jumps * 100, s.n), s.two_jumps, average(s.two_jumps * 100, s.n));
    fprintf(f, "%-30s %zu KiB\n", "bound (tb-size)", c->size / (size_t)KiB);
    fprintf(f, "%-30s %u of %u KiB, %u full\n", "units", c->n_units, c->unit_size / (unsigned)KiB, s.full_units);
}

static void print_statistics_locked(const CodeCache *c, FILE *f)
{
    fprintf(f, "\nStatistics:\n");
    fprintf(f, "TB flush count      %" PRIu64 "\n", c->stats.flushes);
    fprintf(f, "TB invalidate count %" PRIu64 "\n", c->stats.smc_blocks);
    fprintf(f, "TLB full flushes    %" PRIu64 "\n", sum_of(c, offsetof(TcgStats, tlb_flush_all)));
    fprintf(f, "TLB partial flushes %" PRIu64 "\n",
            sum_of(c, offsetof(TcgStats, tlb_flush_context)) + sum_of(c, offsetof(TcgStats, tlb_flush_page)));
    for (unsigned i = 0; i < ARRAY_SIZE(cache_rows); i++) {
        fprintf(f, "%-30s %" PRIu64 "\n", cache_rows[i].name, *(const uint64_t *)((const char *)&c->stats + cache_rows[i].offset));
    }
    for (unsigned i = 0; i < ARRAY_SIZE(cpu_rows); i++) {
        fprintf(f, "%-30s %" PRIu64 "\n", cpu_rows[i].name, sum_of(c, cpu_rows[i].offset));
    }
}

/* --- lists of names with counts, most first --- */

typedef struct NamedCount {
    const char *name;
    uint64_t n;
} NamedCount;

static int compare_counts(const void *x, const void *y)
{
    const NamedCount *a = x, *b = y;

    return a->n < b->n ? 1 : a->n > b->n ? -1 : strcmp(a->name, b->name);
}

static void print_counts(GArray *counts, FILE *f)
{
    g_array_sort(counts, compare_counts);
    for (unsigned i = 0; i < counts->len; i++) {
        fprintf(f, "%-30s %" PRIu64 "\n", g_array_index(counts, NamedCount, i).name, g_array_index(counts, NamedCount, i).n);
    }
}

static void add_count(GArray *counts, const char *name, uint64_t n)
{
    NamedCount c = { name, n };

    if (n) {
        g_array_append_val(counts, c);
    }
}

static uint64_t calls_of_locked(const CodeCache *c, unsigned number)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < c->cpus->len; i++) {
        const TcgCpuState *t = g_ptr_array_index(c->cpus, i);
        const uint64_t *counts = __atomic_load_n(&t->call_counts, __ATOMIC_ACQUIRE);

        sum += counts ? __atomic_load_n(&counts[number], __ATOMIC_RELAXED) : 0;
    }
    return sum;
}

static void print_helper_calls_locked(const CodeCache *c, FILE *f)
{
    g_autoptr(GArray) counts = g_array_new(false, false, sizeof(NamedCount));
    const IrTarget *ir = c->cpus->len ? ((TcgCpuState *)g_ptr_array_index(c->cpus, 0))->ops->ir : NULL;

    for (unsigned i = 0; ir && i < ir->n_helpers; i++) {
        add_count(counts, ir->helpers[i].name, calls_of_locked(c, i));
    }
    for (unsigned i = 0; i < IR_VOP_COUNT; i++) {
        add_count(counts, tcg_vop_name(i), calls_of_locked(c, TCG_MAX_HELPERS + i));
    }
    if (counts->len) {
        fprintf(f, "\nHelper calls:\n");
        print_counts(counts, f);
    }
}

void tcg_print_info(TcgAccel *a, FILE *f)
{
    CodeCache *c = &a->cache;

    fprintf(f, "Accelerator settings:\none-insn-per-tb: %s\ncount-helpers: %s\n", a->one_insn_per_tb ? "on" : "off",
            a->count_helpers ? "on" : "off");
    g_mutex_lock(&c->lock);
    print_cache_locked(c, f);
    print_statistics_locked(c, f);
    print_helper_calls_locked(c, f);
    g_mutex_unlock(&c->lock);
}

void tcg_print_op_counts(TcgAccel *a, FILE *f)
{
    g_autoptr(GArray) counts = g_array_new(false, false, sizeof(NamedCount));
    CodeCache *c = &a->cache;

    g_mutex_lock(&c->lock);
    for (unsigned op = 0; op < tcg_n_opcodes(); op++) {
        uint64_t sum = 0;

        for (unsigned i = 0; i < c->cpus->len; i++) {
            sum += tcg_context_op_count(((TcgCpuState *)g_ptr_array_index(c->cpus, i))->ctx, op);
        }
        add_count(counts, tcg_opcode_name(op), sum);
    }
    g_mutex_unlock(&c->lock);
    print_counts(counts, f);
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
    CPU_COUNTER(exits_unshared),
    CPU_COUNTER(exits_fault),
    CPU_COUNTER(interrupts),
    CPU_COUNTER(exceptions),
    { "tlb_fills_load", .of_vcpu = true, .offset = offsetof(TcgStats, tlb_fills[MMU_DATA_LOAD]) },
    { "tlb_fills_store", .of_vcpu = true, .offset = offsetof(TcgStats, tlb_fills[MMU_DATA_STORE]) },
    { "tlb_fills_code", .of_vcpu = true, .offset = offsetof(TcgStats, tlb_fills[MMU_INST_FETCH]) },
    CPU_COUNTER(tlb_flush_all),
    CPU_COUNTER(tlb_flush_context),
    CPU_COUNTER(tlb_flush_page),
    CPU_COUNTER(tlb_switches),
    CPU_COUNTER(tlb_switch_miss),
    CPU_COUNTER(tlb_resizes),
    CPU_COUNTER(slow_loads),
    CPU_COUNTER(slow_stores),
    CPU_COUNTER(slow_atomics),
    CPU_COUNTER(slow_probes),
    CPU_COUNTER(mmio),
    CPU_COUNTER(notdirty),
    CPU_COUNTER(smc_restarts),
    CPU_COUNTER(translate_ns, .unit = ACCEL_COUNT_NANOSECONDS),
    { "bql_taken", .of_vcpu = true, .offset = offsetof(TcgStats, bql.taken) },
    { "bql_waits", .of_vcpu = true, .offset = offsetof(TcgStats, bql.waited) },
    { "bql_wait_ns", .of_vcpu = true, .offset = offsetof(TcgStats, bql.wait_ns), .unit = ACCEL_COUNT_NANOSECONDS },
    CACHE_COUNTER(blocks),
    CACHE_COUNTER(retranslations),
    CACHE_COUNTER(unshared_blocks),
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
    CACHE_COUNTER(page_waits),
    CACHE_COUNTER(links),
    CACHE_COUNTER(unlinks),
    { "cache_lock_taken", .offset = offsetof(CodeCacheStats, lock.taken) },
    { "cache_lock_waits", .offset = offsetof(CodeCacheStats, lock.waited) },
    { "cache_lock_wait_ns", .offset = offsetof(CodeCacheStats, lock.wait_ns), .unit = ACCEL_COUNT_NANOSECONDS },
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
