/*
 * The QMP session: greeting, capabilities negotiation, requests, events.
 *
 * Every line ends in CR LF.  A session starts over with each client of the character device.
 * Commands run on the main loop in the order in which they came; replies are in that order, too.
 */
#include "system/monitor/internal.h"

#include "hw/core/qdev.h"
#include "qapi/qapi-commands.h"
#include "qapi/qapi-events.h"
#include "system/balloon.h"
#include "util/timer.h"

static Monitor *present;            /* whose request is being answered; main loop only */

Monitor *monitor_present(void)
{
    return present;
}

static void send(Monitor *m, const Value *v)
{
    g_autoptr(GString) text = g_string_new(NULL);

    json_print(text, v, m->kind == MONITOR_QMP_PRETTY);
    g_string_append(text, "\r\n");
    monitor_write(m, text->str, text->len);
}

static void send_greeting(Monitor *m)
{
    QapiVersionInfo *version = qmp_query_version(&error_abort);
    g_autoptr(Value) greeting = value_dict();
    Value *body = value_dict();

    value_dict_set(body, "version", qapi_to_value(&qapi_type_VersionInfo, &version));
    value_dict_set(body, "capabilities", value_list());
    value_dict_set(greeting, "QMP", body);
    send(m, greeting);
    qapi_free_version_info(version);
}

/* Before negotiation only qmp_capabilities is known, after it all the rest. */
static Value *refuse_out_of_order(Monitor *m, const Value *request)
{
    const char *name = value_type(request) == VALUE_DICT ? value_dict_get_str(request, "execute") : NULL;
    bool is_capabilities = name && !strcmp(name, "qmp_capabilities");
    Error *err = NULL;

    if (!name || is_capabilities == !m->negotiated) {
        return NULL;
    }
    error_set(&err, ERROR_CLASS_COMMAND_NOT_FOUND, is_capabilities
              ? "Capabilities negotiation is already complete, command ignored"
              : "Expecting capabilities negotiation with 'qmp_capabilities'");
    return qapi_error_reply(err, value_dict_get(request, "id"));
}

static void on_request(void *opaque, Value *request, Error *err)
{
    Monitor *m = opaque;
    g_autoptr(Value) v = request, reply = NULL;

    if (err) {
        reply = qapi_error_reply(err, NULL);
    } else {
        reply = refuse_out_of_order(m, v);
        if (!reply) {
            present = m;
            reply = qapi_dispatch(&qapi_commands, v);
            present = NULL;
        }
    }
    m->answered = true;
    if (reply) {
        send(m, reply);
    }
}

bool qmp_qmp_capabilities(const QapiQmpCapabilitiesArgs *args, Error **errp)
{
    if (args->enable && args->enable->len) {
        error_setg(errp, "Capability %s is not available", qapi_qmp_capability_str(args->enable->at[0]));
        return false;
    }
    assert(present);
    present->negotiated = true;
    return true;
}

void qmp_monitor_event(Monitor *m, CharEvent ev)
{
    if (ev != CHAR_EVENT_OPENED && ev != CHAR_EVENT_CLOSED) {
        return;
    }
    json_parser_reset(m->parser);
    m->negotiated = false;
    if (ev == CHAR_EVENT_OPENED) {
        send_greeting(m);
    }
}

/* --- events --- */

static Value *timestamp(void)
{
    int64_t us = g_get_real_time();
    Value *t = value_dict();

    value_dict_set_int(t, "seconds", us / 1000000);
    value_dict_set_int(t, "microseconds", us % 1000000);
    return t;
}

/* Sent at most so often; the latest one of an interval follows at its end.  A guest can cause these at will. */
typedef struct RateLimit {
    const char *event;
    int64_t interval_ns;
    int64_t next_ns;            /* none is sent before */
    Value *held;                /* the latest since, whole message; NULL = none */
    Timer timer;                /* armed once .fn is set */
} RateLimit;

static RateLimit rate_limits[] = {
    { "BALLOON_CHANGE", NANOSECONDS_PER_SECOND },
};

static void send_to_all(const Value *message)
{
    GPtrArray *list = monitor_list();

    for (unsigned i = 0; i < list->len; i++) {
        Monitor *m = g_ptr_array_index(list, i);

        if (m->kind != MONITOR_HMP && m->negotiated && m->out->len - m->out_done < EVENTS_HIGH) {
            send(m, message);
        }
    }
}

static void interval_ended(void *opaque)
{
    RateLimit *r = opaque;
    g_autoptr(Value) message = g_steal_pointer(&r->held);

    if (message) {
        send_to_all(message);
        r->next_ns = clock_get_ns(CLOCK_TYPE_REALTIME) + r->interval_ns;
        timer_mod(&r->timer, r->next_ns);
    }
}

/* True if @message has to wait (it is then kept). */
static bool rate_limit(const char *event, Value *message)
{
    int64_t now = clock_get_ns(CLOCK_TYPE_REALTIME);

    for (unsigned i = 0; i < ARRAY_SIZE(rate_limits); i++) {
        RateLimit *r = &rate_limits[i];

        if (strcmp(r->event, event)) {
            continue;
        }
        if (!r->timer.fn) {
            timer_init(&r->timer, CLOCK_TYPE_REALTIME, interval_ended, r);
        }
        if (now < r->next_ns) {
            value_unref(r->held);
            r->held = value_ref(message);
            return true;
        }
        r->next_ns = now + r->interval_ns;
        timer_mod(&r->timer, r->next_ns);
    }
    return false;
}

void qmp_broadcast(const char *event, Value *data)
{
    g_autoptr(Value) message = value_dict();

    value_dict_set(message, "timestamp", timestamp());
    value_dict_set_str(message, "event", event);
    if (data) {
        value_dict_set(message, "data", data);
    }
    if (!rate_limit(event, message)) {
        send_to_all(message);
    }
}

static void on_balloon_change(uint64_t actual_bytes)
{
    qapi_event_send_balloon_change((int64_t)actual_bytes);
}

static const DeviceNotify device_notify = {
    .deleted = qapi_event_send_device_deleted, .unplug_refused = qapi_event_send_device_unplug_guest_error,
};

void qmp_monitor_init(Monitor *m)
{
    m->parser = json_parser_new(on_request, m);
    qapi_event_set_sink(qmp_broadcast);
    device_set_notify(&device_notify);
    balloon_set_change_notify(on_balloon_change);
}
