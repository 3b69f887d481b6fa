/*
 * The human monitor's dump-guest-memory, memsave and pmemsave.
 */
#include "system/monitor/internal.h"

#include "qapi/qapi-commands.h"

/* The first @n words of @args; the rest of them, in which blanks may be, is the last. */
static char **split(const char *args, int n, const char *usage, Error **errp)
{
    char **words = g_strsplit(args, " ", n);

    if ((int)g_strv_length(words) < n) {
        error_setg(errp, "expected %s", usage);
        g_clear_pointer(&words, g_strfreev);
    }
    return words;
}

bool hmp_memsave(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = split(args, 3, "ADDRESS SIZE FILE", errp);
    QapiMemsaveArgs a = { .has_cpu_index = true, .cpu_index = hmp_present_cpu() };
    uint64_t val;

    if (!words || !qapi_parse_uint("address", words[0], &val, errp) || !qapi_parse_int("size", words[1], &a.size, errp)) {
        return false;
    }
    a.val = (int64_t)val;
    a.filename = words[2];
    return qmp_memsave(&a, errp);
}

bool hmp_pmemsave(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = split(args, 3, "ADDRESS SIZE FILE", errp);
    QapiPmemsaveArgs a = { 0 };
    uint64_t val;

    if (!words || !qapi_parse_uint("address", words[0], &val, errp) || !qapi_parse_int("size", words[1], &a.size, errp)) {
        return false;
    }
    a.val = (int64_t)val;
    a.filename = words[2];
    return qmp_pmemsave(&a, errp);
}

/* [-p] [-d] [-z] [-R] FILE [BEGIN LENGTH] */
bool hmp_dump_guest_memory(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", -1);
    QapiDumpGuestMemoryArgs a = { .has_detach = true };
    g_autofree char *protocol = NULL;
    unsigned n = 0;
    bool raw = false;

    for (; words[n] && words[n][0] == '-'; n++) {
        switch (words[n][1]) {
        case 'p': a.paging = true; break;
        case 'd': a.detach = true; break;
        case 'z': a.has_format = true; break;
        case 'R': raw = true; break;
        default:
            error_setg(errp, "unknown flag '%s': there are -p, -d, -z and -R", words[n]);
            return false;
        }
    }
    if (!words[n] || (words[n + 1] && !words[n + 2])) {
        error_setg(errp, "expected [-p] [-d] [-z [-R]] FILE [BEGIN LENGTH]");
        return false;
    }
    a.format = raw ? QAPI_DUMP_GUEST_MEMORY_FORMAT_KDUMP_RAW_ZLIB : QAPI_DUMP_GUEST_MEMORY_FORMAT_KDUMP_ZLIB;
    if (words[n + 1]) {
        a.has_begin = a.has_length = true;
        if (!qapi_parse_int("begin", words[n + 1], &a.begin, errp) || !qapi_parse_int("length", words[n + 2], &a.length, errp)) {
            return false;
        }
    }
    protocol = g_strdup_printf("file:%s", words[n]);
    a.protocol = protocol;
    return qmp_dump_guest_memory(&a, errp);
}

void hmp_info_dump(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiDumpQueryResult) r = qmp_query_dump(&error_abort);

    fprintf(out, "Status: %s\n", qapi_dump_status_str(r->status));
    if (r->status == QAPI_DUMP_STATUS_ACTIVE && r->total) {
        fprintf(out, "Finished: %.2f %%\n", 100.0 * (double)r->completed / (double)r->total);
    }
}
