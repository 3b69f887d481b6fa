/*
 * What both monitors share: the character device, bounded output, the list of all.
 *
 * Invariants: see the flow control rules in internal.h.  Main loop, BQL held.
 */
#include "system/monitor/internal.h"

#include "qapi/qapi.h"

static GPtrArray *monitors;         /* of Monitor *, for the life of the process */

GPtrArray *monitor_list(void)
{
    if (!monitors) {
        monitors = g_ptr_array_new();
    }
    return monitors;
}

/* --- output --- */

static size_t waiting(const Monitor *m)
{
    return m->out->len - m->out_done;
}

bool monitor_has_room(const Monitor *m)
{
    return waiting(m) < OUTPUT_HIGH;
}

static void flush(Monitor *m)
{
    bool had_room = monitor_has_room(m);

    if (!m->stalled && waiting(m)) {
        size_t n = char_write(&m->be, (const uint8_t *)m->out->str + m->out_done, waiting(m));

        m->out_done += n;
        m->stalled = waiting(m) > 0;
    }
    if (!waiting(m)) {
        g_string_truncate(m->out, 0);
        m->out_done = 0;
    } else if (m->out_done > OUTPUT_HIGH) {
        g_string_erase(m->out, 0, m->out_done);
        m->out_done = 0;
    }
    if (!had_room && monitor_has_room(m)) {
        char_accept_input(&m->be);
    }
}

void monitor_write(Monitor *m, const char *text, size_t len)
{
    g_string_append_len(m->out, text, len);
    flush(m);
}

void monitor_puts(Monitor *m, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') {
            g_string_append_c(m->out, '\r');
        }
        g_string_append_c(m->out, *text);
    }
    flush(m);
}

void monitor_flush_all(void)
{
    for (unsigned i = 0; monitors && i < monitors->len; i++) {
        Monitor *m = g_ptr_array_index(monitors, i);

        m->stalled = false;
        flush(m);
    }
}

/* --- the character device's side --- */

static size_t on_can_receive(void *opaque)
{
    return monitor_has_room(opaque) ? 4 * KiB : 0;
}

static void on_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Monitor *m = opaque;

    if (m->kind == MONITOR_HMP) {
        hmp_monitor_receive(m, buf, len);
        return;
    }
    json_parser_feed(m->parser, (const char *)buf, len);
    /* Descriptors are for the request they came with, or for the next one; a sender waits for their end. */
    if (m->answered) {
        m->answered = false;
        char_drop_fds(&m->be);
    }
}

static void on_event(void *opaque, CharEvent ev)
{
    Monitor *m = opaque;

    if (ev == CHAR_EVENT_CLOSED) {          /* what was meant for the one who left is not for the next */
        g_string_truncate(m->out, 0);
        m->out_done = 0;
        m->stalled = false;
        char_drop_fds(&m->be);
    }
    if (m->kind == MONITOR_HMP) {
        hmp_monitor_event(m, ev);
    } else {
        qmp_monitor_event(m, ev);
    }
}

static void on_writable(void *opaque)
{
    Monitor *m = opaque;

    m->stalled = false;
    flush(m);
}

static const CharHandlers monitor_handlers = {
    .can_receive = on_can_receive,
    .receive = on_receive,
    .event = on_event,
    .writable = on_writable,
};

bool monitor_new(Chardev *chr, MonitorKind kind, Error **errp)
{
    Monitor *m = g_new0(Monitor, 1);

    m->kind = kind;
    if (!char_backend_init(&m->be, chr, errp)) {
        g_free(m);
        return false;
    }
    m->out = g_string_new(NULL);
    if (kind == MONITOR_HMP) {
        hmp_monitor_init(m);
    } else {
        qmp_monitor_init(m);
    }
    g_ptr_array_add(monitor_list(), m);
    char_backend_set_handlers(&m->be, &monitor_handlers, m);
    return true;
}
