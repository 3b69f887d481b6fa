/*
 * The ledger: what the process may take, has, and is allowed to have.
 *
 * Accounts are the RAM blocks ("ram/ID"; ROMs belong to the program), what has registered itself (util/account.h),
 * and "program": everything else, whose bound is a rule (docs/user/memory.rst) held against measurements by a test.
 *
 * Locks: BQL.
 */
#ifndef SYSTEM_LEDGER_H
#define SYSTEM_LEDGER_H

#include "util/error.h"

typedef struct LedgerEntry {
    char *name;                 /* owned */
    uint64_t bound, present, peak;
} LedgerEntry;

/* From now on every RAM block asks; the limit is Machine.memory_limit. */
void ledger_init(void);
/* Sum of all bounds. */
uint64_t ledger_bound(void);
/* All accounts as a GArray of LedgerEntry; @measure: fill .present and .peak too (reads /proc/self/smaps). */
GArray *ledger_entries(bool measure);
void ledger_entries_free(GArray *entries);
/* The machine is complete: refuse what passes its limit, warn of a control group that is smaller. */
bool ledger_check_start(Error **errp) MUST_USE;

/* The rule for "program": @max_cpus possible vCPUs. */
uint64_t ledger_program_bound(unsigned max_cpus);

#endif
