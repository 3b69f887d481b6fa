/*
 * The ledger for QMP.
 */
#include "system/ledger.h"

#include "hw/core/machine.h"
#include "qapi/qapi-commands.h"
#include "util/account.h"

static uint64_t kib_of(const char *text, const char *field)
{
    const char *at = text ? strstr(text, field) : NULL;

    return at ? g_ascii_strtoull(at + strlen(field), NULL, 10) * KiB : 0;
}

static QapiLedgerHost *host_view(void)
{
    QapiLedgerHost *h = g_new0(QapiLedgerHost, 1);
    g_autofree char *rollup = NULL, *status = NULL;
    uint64_t group = memory_cgroup_limit();

    g_file_get_contents("/proc/self/smaps_rollup", &rollup, NULL, NULL);
    g_file_get_contents("/proc/self/status", &status, NULL, NULL);
    h->rss = kib_of(rollup, "Rss:");
    h->peak_rss = kib_of(status, "VmHWM:");
    h->pss_anon = kib_of(rollup, "Pss_Anon:");
    h->pss_shmem = kib_of(rollup, "Pss_Shmem:");
    h->pss_file = kib_of(rollup, "Pss_File:");
    h->swap = kib_of(rollup, "Swap:");
    h->has_cgroup_max = group != UINT64_MAX;
    h->cgroup_max = h->has_cgroup_max ? group : 0;
    h->cgroup_current = memory_cgroup_current();
    h->has_cgroup_current = h->cgroup_current != UINT64_MAX;
    return h;
}

QapiMemoryLedger *qmp_query_memory_ledger(Error **errp)
{
    QapiMemoryLedger *l = g_new0(QapiMemoryLedger, 1);
    GArray *entries = ledger_entries(true);

    l->accounts = g_new0(QapiLedgerAccountList, 1);
    for (unsigned i = 0; i < entries->len; i++) {
        const LedgerEntry *e = &g_array_index(entries, LedgerEntry, i);
        QapiLedgerAccount *a = QAPI_LIST_APPEND(l->accounts);

        a->name = g_strdup(e->name);
        a->bound = e->bound;
        a->present = e->present;
        a->peak = e->peak;
        l->bound += e->bound;
        l->present += e->present;
    }
    ledger_entries_free(entries);
    l->limit = current_machine()->memory_limit;
    l->has_limit = l->limit != 0;
    l->host = host_view();
    return l;
}
