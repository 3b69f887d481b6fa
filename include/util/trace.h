/*
 * Trace events: named points that can be switched on by name while the emulator runs.
 *
 * Each room has a table of its own, trace.h beside its sources, of lines like
 *
 *     TRACE_EVENT(virtio_notify, (const void *vdev, const void *vq), "vdev %p vq %p", vdev, vq)
 *
 * which make trace_virtio_notify(vdev, vq): one predictable branch while the event is off.  system/trace.c includes all
 * tables once more to define the events: a new table goes on its list.  Names are QEMU's where the same thing exists.
 */
#ifndef UTIL_TRACE_H
#define UTIL_TRACE_H

#include "util/base.h"

typedef struct TraceEvent {
    const char *name;
    bool enabled;               /* atomic, relaxed: a change is seen soon */
} TraceEvent;

void trace_emit(const TraceEvent *ev, const char *fmt, ...) PRINTF_LIKE(2, 3);

#ifdef TRACE_DEFINE_EVENTS
#define TRACE_STORAGE_(ev) \
    TraceEvent trace_event_##ev = { .name = #ev }; \
    static TraceEvent *const trace_entry_##ev __attribute__((section("quern_traces"), used)) = &trace_event_##ev;
#else
#define TRACE_STORAGE_(ev) extern TraceEvent trace_event_##ev;
#endif

#define TRACE_EVENT(ev, parameters, fmt, ...)                                       \
    TRACE_STORAGE_(ev)                                                              \
    static inline G_GNUC_UNUSED void trace_##ev parameters                          \
    {                                                                               \
        if (unlikely(__atomic_load_n(&trace_event_##ev.enabled, __ATOMIC_RELAXED))) { \
            trace_emit(&trace_event_##ev, fmt, ##__VA_ARGS__);                      \
        }                                                                           \
    }

typedef struct Error Error;

/* Events whose names match @pattern (shell style), sorted by name; stops when @fn returns false.  How many there were. */
unsigned trace_foreach(const char *pattern, bool (*fn)(TraceEvent *ev, void *opaque), void *opaque);
bool trace_is_pattern(const char *name);
static inline void trace_set_enabled(TraceEvent *ev, bool on)
{
    __atomic_store_n(&ev->enabled, on, __ATOMIC_RELAXED);
}
/* "pattern" switches on, "-pattern" off.  A plain name that is none is a warning, as with QEMU. */
void trace_enable_pattern(const char *pattern);
/* A file of such lines; '#' begins a comment. */
bool trace_enable_file(const char *path, Error **errp) G_GNUC_WARN_UNUSED_RESULT;
/* -msg timestamp=on: lines begin with process id and time. */
void trace_timestamps_enable(bool on);

#endif
