/*
 * -d logging: item names, the log file, the -dfilter ranges.
 */
#include "util/log.h"
#include "util/error.h"
#include "util/trace.h"

#include <stdarg.h>

unsigned log_mask;

static FILE *log_file;          /* NULL = stderr; changed only by log_set_file */
static GArray *log_filter;      /* of LogRange; NULL = everything */

typedef struct LogRange { uint64_t first, last; } LogRange;

static const struct { const char *name; unsigned mask; const char *help; } log_items[] = {
    { "in_asm",       LOG_IN_ASM,       "guest instructions of each translated block" },
    { "op",           LOG_OP,           "intermediate representation as built" },
    { "op_opt",       LOG_OP_OPT,       "intermediate representation after optimization" },
    { "op_ra",        LOG_OP_RA,        "intermediate representation with host registers" },
    { "out_asm",      LOG_OUT_ASM,      "generated host code" },
    { "int",          LOG_INT,          "interrupts and exceptions" },
    { "exec",         LOG_EXEC,         "blocks entered through the run loop (add nochain for all)" },
    { "cpu",          LOG_CPU,          "CPU state before each such block" },
    { "mmu",          LOG_MMU,          "MMU activity" },
    { "pcall",        LOG_PCALL,        "x86: far jumps, calls, returns and IRET" },
    { "cpu_reset",    LOG_CPU_RESET,    "CPU state at reset" },
    { "unimp",        LOG_UNIMP,        "what the guest uses and Quern does not model" },
    { "guest_errors", LOG_GUEST_ERROR,  "what the guest does against its hardware's specification" },
    { "page",         LOG_PAGE,         "memory layout changes" },
    { "nochain",      LOG_NOCHAIN,      "do not link blocks, so that exec and cpu show each one" },
};

bool log_parse_items(const char *items, unsigned *mask, Error **errp)
{
    g_auto(GStrv) parts = g_strsplit(items, ",", -1);

    *mask = 0;
    for (char **p = parts; *p; p++) {
        size_t i;

        for (i = 0; i < ARRAY_SIZE(log_items) && strcmp(*p, log_items[i].name); i++) {
        }
        if (g_str_has_prefix(*p, "trace:")) {
            trace_enable_pattern(*p + strlen("trace:"));
        } else if (i < ARRAY_SIZE(log_items)) {
            *mask |= log_items[i].mask;
        } else if (!strcmp(*p, "all")) {
            *mask |= ~0u & ~LOG_NOCHAIN;
        } else {
            error_setg(errp, "unknown log item '%s' (see -d help)", *p);
            return false;
        }
    }
    return true;
}

void log_print_items(FILE *f)
{
    fprintf(f, "Log items (comma separated):\n");
    for (size_t i = 0; i < ARRAY_SIZE(log_items); i++) {
        fprintf(f, "%-15s %s\n", log_items[i].name, log_items[i].help);
    }
    fprintf(f, "%-15s %s\n", "trace:PATTERN", "trace events (-trace help lists them)");
}

bool log_set_file(const char *path, Error **errp)
{
    FILE *f = fopen(path, "w");

    if (!f) {
        error_setg_errno(errp, errno, "cannot open log file '%s'", path);
        return false;
    }
    setvbuf(f, NULL, _IOLBF, 0);
    if (log_file) {
        fclose(log_file);
    }
    log_file = f;
    return true;
}

/* START..END, START+LENGTH or START-LENGTH, C numbers. */
static bool parse_range(const char *text, LogRange *r, Error **errp)
{
    char *end;
    uint64_t a, b;
    int form;

    errno = 0;
    a = strtoull(text, &end, 0);
    form = !strncmp(end, "..", 2) ? '.' : *end;
    if (errno || end == text || !form || !strchr(".+-", form)) {
        goto bad;
    }
    text = end + (form == '.' ? 2 : 1);
    b = strtoull(text, &end, 0);
    if (errno || end == text || *end) {
        goto bad;
    }
    *r = form == '.' ? (LogRange){ a, b } : form == '+' ? (LogRange){ a, a + b - 1 } : (LogRange){ a - (b - 1), a };
    if (r->first <= r->last) {
        return true;
    }
bad:
    error_setg(errp, "bad address range '%s': want START..END, START+LENGTH or START-LENGTH", text);
    return false;
}

bool log_set_filter(const char *ranges, Error **errp)
{
    g_auto(GStrv) parts = g_strsplit(ranges, ",", -1);
    g_autoptr(GArray) filter = g_array_new(false, false, sizeof(LogRange));

    for (char **p = parts; *p; p++) {
        LogRange r;

        if (!parse_range(*p, &r, errp)) {
            return false;
        }
        g_array_append_val(filter, r);
    }
    if (log_filter) {
        g_array_unref(log_filter);
    }
    log_filter = g_steal_pointer(&filter);
    return true;
}

bool log_pc_in_filter(vaddr pc)
{
    if (!log_filter) {
        return true;
    }
    for (unsigned i = 0; i < log_filter->len; i++) {
        const LogRange *r = &g_array_index(log_filter, LogRange, i);

        if (pc >= r->first && pc <= r->last) {
            return true;
        }
    }
    return false;
}

FILE *log_lock(void)
{
    FILE *f = log_file ? log_file : stderr;

    flockfile(f);
    return f;
}

void log_unlock(FILE *f)
{
    funlockfile(f);
}

static void PRINTF_LIKE(1, 0) log_writev(const char *fmt, va_list ap)
{
    FILE *f = log_lock();

    vfprintf(f, fmt, ap);
    log_unlock(f);
}

void log_write(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_writev(fmt, ap);
    va_end(ap);
}

static void PRINTF_LIKE(3, 0) log_guest(const char *who, const char *what, const char *fmt, va_list ap)
{
    FILE *f = log_lock();

    fprintf(f, "%s: %s", who, what);
    vfprintf(f, fmt, ap);
    fputc('\n', f);
    log_unlock(f);
}

void guest_error(const char *who, const char *fmt, ...)
{
    va_list ap;

    if (log_enabled(LOG_GUEST_ERROR)) {
        va_start(ap, fmt);
        log_guest(who, "guest error: ", fmt, ap);
        va_end(ap);
    }
}

void guest_unimp(const char *who, const char *fmt, ...)
{
    va_list ap;

    if (log_enabled(LOG_UNIMP)) {
        va_start(ap, fmt);
        log_guest(who, "not modelled: ", fmt, ap);
        va_end(ap);
    }
}
