/* Trace events of character devices. */
#include "util/trace.h"

TRACE_EVENT(chardev_write, (const char *label, size_t want, size_t done), "'%s' want %zu done %zu", label, want, done)
TRACE_EVENT(chardev_receive, (const char *label, size_t len), "'%s' len %zu", label, len)
TRACE_EVENT(chardev_event, (const char *label, int event), "'%s' event %d", label, event)
