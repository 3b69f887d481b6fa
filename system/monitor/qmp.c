/*
 * The QMP session: greeting, capabilities negotiation, requests.
 *
 * Every line ends in CR LF.  A session starts over with each client of the character device.
 * Commands run on the main loop in the order in which they came; replies are in that order, too.
 * With the capability "oob" the connection goes to a thread of its own (qmp-io.c), which runs those sent
 * by "exec-oob" at once.
 */
#include "system/monitor/internal.h"

#include "hw/core/machine.h"
#include "qapi/qapi-commands.h"
#include "system/runstate.h"

static Monitor *present;            /* whose request is being answered; main loop only */

Monitor *monitor_present(void)
{
    return present;
}

void qmp_send(Monitor *m, const Value *v)
{
    g_autoptr(GString) text = g_string_sized_new(256);

    json_print(text, v, m->kind == MONITOR_QMP_PRETTY);
    g_string_append(text, "\r\n");
    monitor_write(m, text->str, text->len);
}

static void send_greeting(Monitor *m)
{
    QapiVersionInfo *version = qmp_query_version(&error_abort);
    g_autoptr(Value) greeting = value_dict();
    Value *body = value_dict(), *capabilities = value_list();

    if (char_can_lend_fds(&m->be)) {
        value_list_append(capabilities, value_string("oob"));
    }
    value_dict_set(body, "version", qapi_to_value(&qapi_type_VersionInfo, &version));
    value_dict_set(body, "capabilities", capabilities);
    value_dict_set(greeting, "QMP", body);
    qmp_send(m, greeting);
    qapi_free_version_info(version);
}

/* --- requests --- */

void qmp_answer(Monitor *m, Value *request, Error *err)
{
    unsigned flags = (m->negotiated ? 0 : QAPI_DISPATCH_NEGOTIATE) | (m->oob ? QAPI_DISPATCH_OOB : 0)
        | (runstate_is_preconfig() ? QAPI_DISPATCH_PRECONFIG : 0);
    g_autoptr(Value) v = request, reply = NULL;

    if (err) {
        reply = qapi_error_reply(err, NULL);
    } else {
        present = m;
        reply = qapi_dispatch(&qapi_commands, v, flags);
        present = NULL;
    }
    if (m->io) {
        char_drop_fds(&m->be);
    }
    if (reply) {
        qmp_send(m, reply);
    }
}

static void on_request(void *opaque, Value *request, Error *err)
{
    Monitor *m = opaque;

    if (m->io) {
        qmp_io_request(m->io, request, err);
        return;
    }
    qmp_answer(m, request, err);
    m->answered = true;
    if (m->oob || !monitor_has_room(m)) {
        json_parser_pause(m->parser);
    }
}

/*
 * With memory-limit= a request is what fits the program's allowance, eight of them in a queue too; else what QEMU takes.
 * Also on a monitor's own thread: the machine and its limit are constant once they are there.
 */
void qmp_limit_requests(Monitor *m)
{
    if (current_machine() && current_machine()->memory_limit) {
        json_parser_set_limits(m->parser, 16384, 512 * KiB);
    }
}

/* Parse what was read, as long as there is room for replies. */
void qmp_monitor_receive(Monitor *m, const uint8_t *buf, size_t len)
{
    size_t done;

    if (m->io) {
        return;
    }
    g_byte_array_append(m->input, buf, len);
    if (m->corked) {                /* a command ran a step of the main loop */
        return;
    }
    monitor_cork(m, true);
    qmp_limit_requests(m);
    done = json_parser_feed_some(m->parser, (const char *)m->input->data, m->input->len);
    g_byte_array_remove_range(m->input, 0, MIN(done, m->input->len));
    /* Descriptors are for the request they came with, or for the next one; a sender waits for their end. */
    if (m->answered && !m->input->len) {
        m->answered = false;
        char_drop_fds(&m->be);
    }
    monitor_cork(m, false);
    if (m->oob && !qmp_io_start(m)) {
        m->oob = false;             /* the client just left, or there are no descriptors any more */
        bh_schedule(m->input_bh);
    }
}

static bool capability_enable(Monitor *m, QapiQMPCapability c, Error **errp)
{
    if (c != QAPI_QMP_CAPABILITY_OOB || !char_can_lend_fds(&m->be)) {
        error_setg(errp, "Capability %s is not available", qapi_qmp_capability_str(c));
        return false;
    }
    m->oob = true;
    return true;
}

bool qmp_qmp_capabilities(const QapiQmpCapabilitiesArgs *args, Error **errp)
{
    Monitor *m = present;

    if (!m || m->negotiated) {
        error_set(errp, ERROR_CLASS_COMMAND_NOT_FOUND, "Capabilities negotiation is already complete, command ignored");
        return false;
    }
    for (size_t i = 0; args->enable && i < args->enable->len; i++) {
        if (!capability_enable(m, args->enable->at[i], errp)) {
            return false;
        }
    }
    m->negotiated = true;
    return true;
}

/* --- the session's beginning and end --- */

void qmp_monitor_event(Monitor *m, CharEvent ev)
{
    if (ev != CHAR_EVENT_OPENED && ev != CHAR_EVENT_CLOSED) {
        return;
    }
    json_parser_reset(m->parser);
    g_byte_array_set_size(m->input, 0);
    m->negotiated = m->oob = m->answered = false;
    if (ev == CHAR_EVENT_OPENED) {
        send_greeting(m);
    }
}

void qmp_monitor_init(Monitor *m)
{
    m->parser = json_parser_new(on_request, m);
    m->input = g_byte_array_new();
    qmp_events_init();
}
