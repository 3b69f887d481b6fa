/*
 * Errors as values, and how they reach the user's terminal.
 */
#include "util/error.h"

#include <stdarg.h>

struct Error {
    ErrorClass cls;
    char *msg;
    GString *hint;
};

/* Only their addresses matter. */
Error *error_fatal;
Error *error_abort;

static const char *program_name = "quern";
static const char *location;

static void error_deliver(Error **errp, Error *err)
{
    if (errp == &error_abort) {
        fprintf(stderr, "%s: unexpected error: %s\n", program_name, err->msg);
        abort();
    }
    if (errp == &error_fatal) {
        error_report_err(err);
        exit(1);
    }
    if (errp) {
        assert(*errp == NULL);
        *errp = err;
    } else {
        error_free(err);
    }
}

static void PRINTF_LIKE(3, 0) error_setv(Error **errp, ErrorClass cls, const char *fmt, va_list ap, const char *suffix)
{
    Error *err;

    if (!errp) {
        return;
    }
    err = g_new0(Error, 1);
    err->cls = cls;
    err->msg = g_strdup_vprintf(fmt, ap);
    if (suffix) {
        char *whole = g_strconcat(err->msg, ": ", suffix, NULL);
        g_free(err->msg);
        err->msg = whole;
    }
    error_deliver(errp, err);
}

void error_setg(Error **errp, const char *fmt, ...)
{
    va_list ap;
    int saved = errno;

    va_start(ap, fmt);
    error_setv(errp, ERROR_CLASS_GENERIC_ERROR, fmt, ap, NULL);
    va_end(ap);
    errno = saved;
}

void error_setg_errno(Error **errp, int os_errno, const char *fmt, ...)
{
    va_list ap;
    int saved = errno;

    va_start(ap, fmt);
    error_setv(errp, ERROR_CLASS_GENERIC_ERROR, fmt, ap, g_strerror(os_errno));
    va_end(ap);
    errno = saved;
}

void error_set(Error **errp, ErrorClass cls, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_setv(errp, cls, fmt, ap, NULL);
    va_end(ap);
}

void error_append_hint(Error **errp, const char *fmt, ...)
{
    va_list ap;

    if (!errp || !*errp) {
        return;
    }
    if (!(*errp)->hint) {
        (*errp)->hint = g_string_new(NULL);
    }
    va_start(ap, fmt);
    g_string_append_vprintf((*errp)->hint, fmt, ap);
    va_end(ap);
}

void error_prepend(Error **errp, const char *fmt, ...)
{
    va_list ap;
    char *head, *whole;

    if (!errp || !*errp) {
        return;
    }
    va_start(ap, fmt);
    head = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    whole = g_strconcat(head, (*errp)->msg, NULL);
    g_free(head);
    g_free((*errp)->msg);
    (*errp)->msg = whole;
}

void error_propagate(Error **errp, Error *local)
{
    if (!local) {
        return;
    }
    if (errp && errp != &error_abort && errp != &error_fatal && *errp) {
        error_free(local);      /* the first error stands */
        return;
    }
    error_deliver(errp, local);
}

const char *error_get_pretty(const Error *err)
{
    return err->msg;
}

ErrorClass error_get_class(const Error *err)
{
    return err->cls;
}

const char *error_class_name(ErrorClass cls)
{
    static const char *const names[] = {
        [ERROR_CLASS_GENERIC_ERROR]     = "GenericError",
        [ERROR_CLASS_COMMAND_NOT_FOUND] = "CommandNotFound",
        [ERROR_CLASS_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
        [ERROR_CLASS_DEVICE_NOT_FOUND]  = "DeviceNotFound",
        [ERROR_CLASS_KVM_MISSING_CAP]   = "KVMMissingCap",
    };
    return names[cls];
}

Error *error_copy(const Error *err)
{
    Error *copy = g_new0(Error, 1);

    copy->cls = err->cls;
    copy->msg = g_strdup(err->msg);
    copy->hint = err->hint ? g_string_new(err->hint->str) : NULL;
    return copy;
}

void error_free(Error *err)
{
    if (err) {
        g_free(err->msg);
        if (err->hint) {
            g_string_free(err->hint, TRUE);
        }
        g_free(err);
    }
}

static bool timestamps;         /* set once at start */
static const char *guest_name;  /* the same; NULL = not shown */

void error_guest_name_set(const char *name)
{
    guest_name = name;
}

void error_timestamps_enable(bool on)
{
    timestamps = on;
}

static void report(const char *kind, const char *msg)
{
    if (timestamps) {
        g_autoptr(GDateTime) now = g_date_time_new_now_utc();
        g_autofree char *text = g_date_time_format_iso8601(now);

        fprintf(stderr, "%s ", text);
    }
    if (guest_name) {
        fprintf(stderr, "%s ", guest_name);
    }
    fprintf(stderr, "%s: %s%s%s%s\n", program_name, location ? location : "", location ? ": " : "", kind, msg);
}

static void report_err(const char *kind, Error *err)
{
    report(kind, err->msg);
    if (err->hint) {
        fputs(err->hint->str, stderr);
    }
    error_free(err);
}

void error_report_err(Error *err)
{
    report_err("", err);
}

void warn_report_err(Error *err)
{
    report_err("warning: ", err);
}

#define DEFINE_REPORT(name, kind)                   \
    void name(const char *fmt, ...)                 \
    {                                               \
        va_list ap;                                 \
        g_autofree char *msg = NULL;                \
                                                    \
        va_start(ap, fmt);                          \
        msg = g_strdup_vprintf(fmt, ap);            \
        va_end(ap);                                 \
        report(kind, msg);                          \
    }
DEFINE_REPORT(error_report, "")
DEFINE_REPORT(warn_report, "warning: ")
DEFINE_REPORT(info_report, "info: ")

const char *error_location_set(const char *where)
{
    const char *old = location;

    location = where;
    return old;
}

void error_program_name_set(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');

    program_name = slash ? slash + 1 : argv0;
}
