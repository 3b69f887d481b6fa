/*
 * Errors as values.
 *
 * A function that can fail takes `Error **errp` last and returns bool (true = done) or a pointer
 * (NULL = failed), marked MUST_USE.  @errp may be NULL (caller does not care), &error_fatal (print
 * and exit 1) or &error_abort (a bug in Quern).  The message names the object, the value and the
 * limit; no trailing dot or newline.
 */
#ifndef UTIL_ERROR_H
#define UTIL_ERROR_H

#include "util/base.h"

/* Classes as QMP shows them. */
typedef enum ErrorClass {
    ERROR_CLASS_GENERIC_ERROR,
    ERROR_CLASS_COMMAND_NOT_FOUND,
    ERROR_CLASS_DEVICE_NOT_ACTIVE,
    ERROR_CLASS_DEVICE_NOT_FOUND,
    ERROR_CLASS_KVM_MISSING_CAP,
} ErrorClass;

typedef struct Error Error;

extern Error *error_fatal;
extern Error *error_abort;

void error_setg(Error **errp, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Appends ": strerror(@os_errno)". */
void error_setg_errno(Error **errp, int os_errno, const char *fmt, ...) PRINTF_LIKE(3, 4);
void error_set(Error **errp, ErrorClass cls, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A hint is shown to humans on the command line only, on lines after the message. */
void error_append_hint(Error **errp, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_prepend(Error **errp, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Move @local (may be NULL) to @errp; consumes @local. */
void error_propagate(Error **errp, Error *local);

const char *error_get_pretty(const Error *err);
ErrorClass  error_get_class(const Error *err);
const char *error_class_name(ErrorClass cls);       /* "GenericError", ... */
Error *error_copy(const Error *err);
void error_free(Error *err);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Error, error_free)

/* Print "PROGRAM: [LOCATION: ]MESSAGE\n" and the hint to stderr; consumes @err. */
void error_report_err(Error *err);
void warn_report_err(Error *err);
void error_report(const char *fmt, ...) PRINTF_LIKE(1, 2);
void warn_report(const char *fmt, ...) PRINTF_LIKE(1, 2);
void info_report(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* What stands before messages: e.g. "-device foo"; NULL for none.  Borrowed until replaced. */
const char *error_location_set(const char *where);
void error_program_name_set(const char *argv0);
/* -msg timestamp=on: messages begin with the time. */
void error_timestamps_enable(bool on);
/* -msg guest-name=on: then comes this name (borrowed); NULL: it does not. */
void error_guest_name_set(const char *name);

#endif
