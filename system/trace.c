/*
 * The trace events of all rooms, and the monitor's commands about them.
 */
#define TRACE_DEFINE_EVENTS
#include "hw/core/trace.h"
#include "hw/virtio/trace.h"
#include "system/block/trace.h"
#include "system/chardev/trace.h"
#include "system/memory/trace.h"
#include "system/trace.h"
#include "util/trace-events.h"

#include "qapi/qapi-commands.h"

/* A name must be there, a pattern may match nothing. */
static bool check_name(const char *name, unsigned found, Error **errp)
{
    if (!found && !trace_is_pattern(name)) {
        error_setg(errp, "unknown event \"%s\"", name);
        return false;
    }
    return true;
}

static bool add_info(TraceEvent *ev, void *opaque)
{
    g_array_append_vals(opaque, &(QapiTraceEventInfo){
        .name = g_strdup(ev->name),
        .state = ev->enabled ? QAPI_TRACE_EVENT_STATE_ENABLED : QAPI_TRACE_EVENT_STATE_DISABLED,
    }, 1);
    return true;
}

QapiTraceEventInfoList *qmp_trace_event_get_state(const QapiTraceEventGetStateArgs *args, Error **errp)
{
    GArray *infos = g_array_new(false, false, sizeof(QapiTraceEventInfo));
    QapiTraceEventInfoList *list;

    if (!check_name(args->name, trace_foreach(args->name, add_info, infos), errp)) {
        g_array_unref(infos);
        return NULL;
    }
    list = g_new0(QapiTraceEventInfoList, 1);
    list->len = infos->len;
    list->at = (QapiTraceEventInfo *)(void *)g_array_free(infos, false);
    return list;
}

static bool set_state(TraceEvent *ev, void *opaque)
{
    trace_set_enabled(ev, *(const bool *)opaque);
    return true;
}

/* No event is ever unavailable: @ignore-unavailable changes nothing. */
bool qmp_trace_event_set_state(const QapiTraceEventSetStateArgs *args, Error **errp)
{
    bool on = args->enable;

    return check_name(args->name, trace_foreach(args->name, set_state, &on), errp);
}
