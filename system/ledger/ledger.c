/*
 * The ledger's books: accounts, sums, limits.
 */
#include "system/ledger.h"

#include "hw/core/machine.h"
#include "util/account.h"
#include "util/rcu.h"

/*
 * The program itself, with its heap, devices, monitors, firmware and option ROMs: measured at 9..14 MiB on all
 * boards, and 0.3 MiB for each vCPU (stacks, allocator arenas, local APIC).
 */
#define PROGRAM_BASE    (32 * MiB)
#define PROGRAM_PER_CPU (1 * MiB)

uint64_t ledger_program_bound(unsigned max_cpus)
{
    return PROGRAM_BASE + max_cpus * (uint64_t)PROGRAM_PER_CPU;
}

static bool has_account(const RamBlock *rb)
{
    return rb->mr->kind == MEMORY_REGION_RAM;
}

static unsigned max_cpus(void)
{
    return current_machine() ? current_machine()->smp.max_cpus : 1;
}

uint64_t ledger_bound(void)
{
    uint64_t sum = ledger_program_bound(max_cpus());
    const MemoryAccount *a;

    for (unsigned i = 0; (a = memory_account_at(i)) != NULL; i++) {
        sum += a->bound(a->opaque);
    }
    rcu_read_lock();
    for (const RamBlock *rb = ram_block_list_rcu(); rb; rb = rb->next) {
        sum += has_account(rb) ? rb->bound : 0;
    }
    rcu_read_unlock();
    return sum;
}

/* --- limits --- */

static bool allow(const char *name, uint64_t more, Error **errp)
{
    uint64_t limit = current_machine() ? current_machine()->memory_limit : 0, now;

    if (!limit) {
        return true;
    }
    now = ledger_bound();
    if (now > limit || more > limit - now) {
        error_setg(errp, "memory-limit: account '%s' needs %" PRIu64 " KiB more, %" PRIu64 " KiB of %" PRIu64 " KiB are left",
                   name, (uint64_t)(more / KiB), (uint64_t)(now > limit ? 0 : (limit - now) / KiB), (uint64_t)(limit / KiB));
        return false;
    }
    return true;
}

void ledger_init(void)
{
    memory_set_allow_hook(allow);
}

static const char *largest_account(uint64_t *bound, GArray *entries)
{
    const LedgerEntry *largest = &g_array_index(entries, LedgerEntry, 0);

    for (unsigned i = 1; i < entries->len; i++) {
        const LedgerEntry *e = &g_array_index(entries, LedgerEntry, i);

        largest = e->bound > largest->bound ? e : largest;
    }
    *bound = largest->bound;
    return largest->name;
}

bool ledger_check_start(Error **errp)
{
    uint64_t limit = current_machine()->memory_limit, bound = ledger_bound(), group = memory_cgroup_limit();
    GArray *entries;
    uint64_t largest;

    if (limit ? bound <= limit : bound <= group) {
        return true;
    }
    entries = ledger_entries(false);
    if (limit) {
        const char *name = largest_account(&largest, entries);

        error_setg(errp, "memory-limit: this machine may need %" PRIu64 " KiB, of which '%s' %" PRIu64 " KiB; the limit is %" PRIu64
                   " KiB", (uint64_t)(bound / KiB), name, (uint64_t)(largest / KiB), (uint64_t)(limit / KiB));
    } else {
        warn_report("this machine may need %" PRIu64 " MiB, the control group allows %" PRIu64 " MiB", (uint64_t)(bound / MiB),
                    (uint64_t)(group / MiB));
    }
    ledger_entries_free(entries);
    return !limit;
}

/* --- measuring --- */

/* Adds the resident bytes of mappings that lie within RAM blocks to their entries' .present. */
typedef struct SmapsReader {
    GArray *entries;            /* the first ones are the blocks, in the list's order */
    LedgerEntry *current;
    uint64_t with_others;       /* what other processes (vhost-user) map, too, and Pss leaves to them */
} SmapsReader;

static LedgerEntry *entry_at(SmapsReader *r, uint64_t addr)
{
    unsigned n = 0;

    for (const RamBlock *rb = ram_block_list_rcu(); rb; rb = rb->next) {
        if (!has_account(rb)) {
            continue;
        }
        if (addr >= (uintptr_t)rb->host && addr < (uintptr_t)rb->host + rb->max_length) {
            return &g_array_index(r->entries, LedgerEntry, n);
        }
        n++;
    }
    return NULL;
}

static void read_line(SmapsReader *r, const char *line)
{
    char *end;
    uint64_t addr = g_ascii_strtoull(line, &end, 16);

    if (end != line && *end == '-') {
        r->current = entry_at(r, addr);
    } else if (r->current && g_str_has_prefix(line, "Rss:")) {
        r->current->present += g_ascii_strtoull(line + 4, NULL, 10) * KiB;
        r->with_others += g_ascii_strtoull(line + 4, NULL, 10) * KiB;
    } else if (r->current && g_str_has_prefix(line, "Pss:")) {
        r->with_others -= g_ascii_strtoull(line + 4, NULL, 10) * KiB;
    }
}

/* Bytes of guest memory that are here and that Pss does not count as ours. */
static uint64_t measure_blocks(GArray *entries)
{
    SmapsReader r = { entries };
    FILE *f = fopen("/proc/self/smaps", "re");
    char line[512];

    while (f && fgets(line, sizeof(line), f)) {
        read_line(&r, line);
    }
    if (f) {
        fclose(f);
    }
    return r.with_others;
}

/* "Pss_Anon" and the like of /proc/self/smaps_rollup, in bytes: a page mapped twice by us counts once. */
static uint64_t rollup(const char *text, const char *field)
{
    const char *at = strstr(text, field);

    return at ? g_ascii_strtoull(at + strlen(field), NULL, 10) * KiB : 0;
}

static uint64_t own_memory(void)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents("/proc/self/smaps_rollup", &text, NULL, NULL)) {
        return 0;
    }
    return rollup(text, "Pss_Anon:") + rollup(text, "Pss_Shmem:");
}

static void add_entry(GArray *entries, const char *kind, const char *name, uint64_t bound)
{
    LedgerEntry e = { .name = g_strconcat(kind, name, NULL), .bound = bound };

    g_array_append_val(entries, e);
}

GArray *ledger_entries(bool measure)
{
    static uint64_t program_peak;
    GArray *entries = g_array_new(false, true, sizeof(LedgerEntry));
    uint64_t others = 0, all = 0, shared = 0;
    MemoryAccount *a;
    LedgerEntry *e;
    unsigned n = 0;

    rcu_read_lock();
    for (const RamBlock *rb = ram_block_list_rcu(); rb; rb = rb->next) {
        if (has_account(rb)) {
            add_entry(entries, "ram/", rb->idstr, rb->bound);
        }
    }
    if (measure) {
        shared = measure_blocks(entries);
    }
    for (RamBlock *rb = ram_block_list_rcu(); measure && rb; rb = rb->next) {
        if (has_account(rb)) {
            e = &g_array_index(entries, LedgerEntry, n++);
            rb->peak = e->peak = MAX(rb->peak, e->present);
            others += e->present;
        }
    }
    rcu_read_unlock();
    for (unsigned i = 0; (a = memory_account_at(i)) != NULL; i++) {
        add_entry(entries, "", a->name, a->bound(a->opaque));
        e = &g_array_index(entries, LedgerEntry, entries->len - 1);
        if (measure) {
            e->present = a->present(a->opaque);
            a->peak = e->peak = MAX(a->peak, e->present);
            others += e->present;
        }
    }
    add_entry(entries, "", "program", ledger_program_bound(max_cpus()));
    if (measure) {
        e = &g_array_index(entries, LedgerEntry, entries->len - 1);
        all = own_memory() + shared;
        e->present = all > others ? all - others : 0;
        program_peak = e->peak = MAX(program_peak, e->present);
    }
    return entries;
}

void ledger_entries_free(GArray *entries)
{
    for (unsigned i = 0; i < entries->len; i++) {
        g_free(g_array_index(entries, LedgerEntry, i).name);
    }
    g_array_unref(entries);
}
