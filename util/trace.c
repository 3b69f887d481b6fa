/*
 * Trace events: finding them by name, switching them, and writing them to the log.
 *
 * Nothing runs at start: the events are an array of pointers that the linker has put together.
 */
#include "util/trace.h"
#include "util/error.h"
#include "util/log.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <unistd.h>

/* Weak: a program without a single event has no such section. */
extern TraceEvent *const __start_quern_traces[] __attribute__((weak));
extern TraceEvent *const __stop_quern_traces[] __attribute__((weak));

static bool timestamps;                 /* set once at start */

void trace_timestamps_enable(bool on)
{
    timestamps = on;
}

void trace_emit(const TraceEvent *ev, const char *fmt, ...)
{
    FILE *f = log_lock();
    va_list ap;

    if (timestamps) {
        int64_t us = g_get_real_time();

        fprintf(f, "%d@%" PRId64 ".%06" PRId64 ":", (int)getpid(), us / 1000000, us % 1000000);
    }
    fprintf(f, "%s ", ev->name);
    va_start(ap, fmt);
    vfprintf(f, fmt, ap);
    va_end(ap);
    fputc('\n', f);
    log_unlock(f);
}

/* --- by name --- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(TraceEvent *const *)a)->name, (*(TraceEvent *const *)b)->name);
}

bool trace_is_pattern(const char *name)
{
    return strpbrk(name, "*?") != NULL;
}

unsigned trace_foreach(const char *pattern, bool (*fn)(TraceEvent *ev, void *opaque), void *opaque)
{
    size_t n = (size_t)(__stop_quern_traces - __start_quern_traces);
    g_autofree TraceEvent **sorted = g_memdup2(__start_quern_traces, n * sizeof(TraceEvent *));
    unsigned found = 0;

    qsort(sorted, n, sizeof(*sorted), by_name);
    for (size_t i = 0; i < n; i++) {
        if (fnmatch(pattern, sorted[i]->name, 0)) {         /* glib's patterns abort on what is no UTF-8 */
            continue;
        }
        found++;
        if (!fn(sorted[i], opaque)) {
            break;
        }
    }
    return found;
}

static bool set_one(TraceEvent *ev, void *opaque)
{
    trace_set_enabled(ev, *(const bool *)opaque);
    return true;
}

void trace_enable_pattern(const char *pattern)
{
    bool on = *pattern != '-';
    const char *name = on ? pattern : pattern + 1;

    if (!trace_foreach(name, set_one, &on) && !trace_is_pattern(name)) {
        warn_report("trace event '%s' does not exist", name);
    }
}

bool trace_enable_file(const char *path, Error **errp)
{
    g_autoptr(GError) gerr = NULL;
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, &gerr)) {
        error_setg(errp, "%s", gerr->message);
        return false;
    }
    lines = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; lines[i]; i++) {
        char *line = g_strstrip(lines[i]);

        if (*line && *line != '#') {
            trace_enable_pattern(line);
        }
    }
    return true;
}
