/*
 * The human monitor's commands about moving machines: calc_dirty_rate, info dirty_rate.
 */
#include "system/monitor/internal.h"

#include "qapi/qapi-commands.h"

static const char usage[] = "[-r|-b] SECONDS [SAMPLE-PAGES]";

/* [-r] [-b] SECONDS [SAMPLE-PAGES] */
bool hmp_calc_dirty_rate(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", -1);
    QapiCalcDirtyRateArgs a = { .has_calc_time_unit = true, .calc_time_unit = QAPI_TIME_UNIT_SECOND };
    unsigned n = 0, flags = 0;

    for (; words[n] && words[n][0] == '-'; n++, flags++) {
        if (strcmp(words[n], "-r") && strcmp(words[n], "-b")) {
            error_setg(errp, "unknown flag '%s': expected %s", words[n], usage);
            return false;
        }
        a.has_mode = true;
        a.mode = words[n][1] == 'r' ? QAPI_DIRTY_RATE_MEASURE_MODE_DIRTY_RING : QAPI_DIRTY_RATE_MEASURE_MODE_DIRTY_BITMAP;
    }
    if (flags > 1) {
        error_setg(errp, "Either dirty ring or dirty bitmap can be specified!");
        return false;
    }
    if (!words[n] || (words[n + 1] && words[n + 2])) {
        error_setg(errp, "expected %s", usage);
        return false;
    }
    if (!qapi_parse_int("second", words[n], &a.calc_time, errp)
        || (words[n + 1] && !qapi_parse_int("sample_pages_per_GB", words[n + 1], &a.sample_pages, errp))) {
        return false;
    }
    a.has_sample_pages = words[n + 1] != NULL;
    if (!qmp_calc_dirty_rate(&a, errp)) {
        return false;
    }
    fprintf(out, "Starting dirty rate measurement with period %" PRId64 " seconds\n[Please use 'info dirty_rate' to check results]\n",
            a.calc_time);
    return true;
}

void hmp_info_dirty_rate(FILE *out, const char *args, int cpu_index)
{
    const QapiQueryDirtyRateArgs seconds = { 0 };
    g_autoptr(QapiDirtyRateInfo) info = qmp_query_dirty_rate(&seconds, &error_abort);

    fprintf(out, "Status: %s\nStart Time: %" PRId64 " (s)\n", qapi_dirty_rate_status_str(info->status), info->start_time);
    if (info->mode == QAPI_DIRTY_RATE_MEASURE_MODE_PAGE_SAMPLING) {
        fprintf(out, "Sample Pages: %" PRIu64 " (per GB)\n", info->sample_pages);
    }
    fprintf(out, "Period: %" PRId64 " (sec)\nMode: %s\n", info->calc_time, qapi_dirty_rate_measure_mode_str(info->mode));
    if (info->has_dirty_rate) {
        fprintf(out, "Dirty rate: %" PRId64 " (MB/s)\n", info->dirty_rate);
    } else {
        fprintf(out, "Dirty rate: (not ready)\n");
    }
}
