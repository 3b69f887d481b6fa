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

static Monitor *present;            /* whose request is being answered; main loop only */

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

void qmp_broadcast(const char *event, Value *data)
{
    GPtrArray *list = monitor_list();
    g_autoptr(Value) message = value_dict();

    value_dict_set(message, "timestamp", timestamp());
    value_dict_set_str(message, "event", event);
    if (data) {
        value_dict_set(message, "data", data);
    }
    for (unsigned i = 0; i < list->len; i++) {
        Monitor *m = g_ptr_array_index(list, i);

        if (m->kind != MONITOR_HMP && m->negotiated && m->out->len - m->out_done < EVENTS_HIGH) {
            send(m, message);
        }
    }
}

static void on_device_deleted(const char *id, const char *path)
{
    qapi_event_send_device_deleted(id, path);
}

void qmp_monitor_init(Monitor *m)
{
    m->parser = json_parser_new(on_request, m);
    qapi_event_set_sink(qmp_broadcast);
    device_set_deleted_notify(on_device_deleted);
}
