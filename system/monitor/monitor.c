/*
 * What both monitors share: the character device, bounded output, the list of all.
 *
 * Invariants: see the flow control rules in internal.h.  Main loop, BQL held; but while a session has an I/O
 * thread (qmp-io.c), that thread's lock guards the output and the thread writes it.
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

typedef struct HeldEvent {
    char *text;
    size_t len;
    bool rate_limited;
} HeldEvent;

static void held_free(gpointer opaque)
{
    HeldEvent *e = opaque;

    g_free(e->text);
    g_free(e);
}

size_t monitor_waiting(const Monitor *m, const uint8_t **at)
{
    *at = (const uint8_t *)m->out->str + m->out_done;
    return m->out->len - m->out_done;
}

static size_t waiting(const Monitor *m)
{
    return m->out->len - m->out_done;
}

bool monitor_has_room(const Monitor *m)
{
    return waiting(m) < OUTPUT_HIGH && !m->held.length;
}

static void compact(Monitor *m)
{
    if (!waiting(m)) {
        g_string_truncate(m->out, 0);
        m->out_done = 0;
        if (m->out->allocated_len > 4 * OUTPUT_HIGH) {      /* after a large reply */
            g_string_free(m->out, true);
            m->out = g_string_new(NULL);
        }
    } else if (m->out_done > OUTPUT_HIGH) {
        g_string_erase(m->out, 0, m->out_done);
        m->out_done = 0;
    }
}

static HeldEvent *held_take(Monitor *m, GList *link)
{
    HeldEvent *e = link->data;

    m->held_bytes -= e->len;
    g_queue_delete_link(&m->held, link);
    return e;
}

void monitor_written(Monitor *m, size_t n)
{
    m->out_done += n;
    while (m->held.length && waiting(m) < OUTPUT_HIGH) {
        HeldEvent *e = held_take(m, m->held.head);

        g_string_append_len(m->out, e->text, e->len);
        held_free(e);
    }
    compact(m);
}

static void flush(Monitor *m)
{
    bool had_room = monitor_has_room(m);

    if (m->corked) {
        return;
    }
    while (!m->stalled && waiting(m)) {
        size_t all = waiting(m), n = char_write(&m->be, (const uint8_t *)m->out->str + m->out_done, all);

        m->stalled = n < all;
        monitor_written(m, n);
    }
    if (!had_room && monitor_has_room(m)) {
        bh_schedule(m->input_bh);
    }
}

/* Held ones keep the rest bounded, oldest rate-limited ones go first. */
static void drop_events(Monitor *m)
{
    while (m->held_bytes > EVENTS_HIGH) {
        GList *victim = m->held.head;

        while (victim && !((HeldEvent *)victim->data)->rate_limited) {
            victim = victim->next;
        }
        held_free(held_take(m, victim ? victim : m->held.head));
        if (!m->dropped) {
            m->dropped = true;
            warn_report("a QMP client does not read: events beyond %llu bytes are dropped", EVENTS_HIGH);
        }
    }
}

static void put(Monitor *m, const char *text, size_t len)
{
    while (m->held.length) {                /* a reply comes after the events before it */
        HeldEvent *e = held_take(m, m->held.head);

        g_string_append_len(m->out, e->text, e->len);
        held_free(e);
    }
    g_string_append_len(m->out, text, len);
}

static void put_event(Monitor *m, const char *text, size_t len, bool rate_limited)
{
    HeldEvent *e;

    if (monitor_has_room(m)) {
        g_string_append_len(m->out, text, len);
        return;
    }
    e = g_new(HeldEvent, 1);
    *e = (HeldEvent){ g_strndup(text, len), len, rate_limited };
    g_queue_push_tail(&m->held, e);
    m->held_bytes += len;
    drop_events(m);
}

void monitor_write(Monitor *m, const char *text, size_t len)
{
    QmpIo *io = m->io;

    if (io) {
        qmp_io_lock(io);
        put(m, text, len);
        qmp_io_unlock(io);
        return;
    }
    put(m, text, len);
    flush(m);
}

void monitor_write_event(Monitor *m, const char *text, size_t len, bool rate_limited)
{
    QmpIo *io = m->io;

    if (io) {
        qmp_io_lock(io);
        put_event(m, text, len, rate_limited);
        qmp_io_unlock(io);
        return;
    }
    put_event(m, text, len, rate_limited);
    flush(m);
}

void monitor_cork(Monitor *m, bool on)
{
    m->corked = on;
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

        qmp_io_stop(m);
        m->stalled = m->corked = false;
        flush(m);
    }
}

/* What was meant for the one who left is not for the next. */
static void forget_output(Monitor *m)
{
    g_string_truncate(m->out, 0);
    m->out_done = 0;
    m->stalled = false;
    g_queue_clear_full(&m->held, held_free);
    m->held_bytes = 0;
    m->dropped = false;
}

/* --- the character device's side --- */

static size_t on_can_receive(void *opaque)
{
    const Monitor *m = opaque;

    if (!monitor_has_room(m) || m->input->len || m->corked) {
        return 0;
    }
    return m->kind == MONITOR_HMP ? HMP_INPUT_MAX : INPUT_MAX;
}

static void on_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Monitor *m = opaque;

    if (m->kind == MONITOR_HMP) {
        hmp_monitor_receive(m, buf, len);
    } else {
        qmp_monitor_receive(m, buf, len);
    }
}

static void on_event(void *opaque, CharEvent ev)
{
    Monitor *m = opaque;

    if (ev == CHAR_EVENT_CLOSED) {
        qmp_io_stop(m);
        forget_output(m);
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
    if (!m->io) {
        flush(m);
    }
}

static const CharHandlers monitor_handlers = {
    .can_receive = on_can_receive,
    .receive = on_receive,
    .event = on_event,
    .writable = on_writable,
};

/* Output has room again: what was read and left goes on, then reading. */
static void resume_input(void *opaque)
{
    Monitor *m = opaque;

    if (m->kind == MONITOR_HMP) {
        hmp_monitor_receive(m, NULL, 0);
    } else {
        qmp_monitor_receive(m, NULL, 0);
    }
    char_accept_input(&m->be);
}

bool monitor_new(Chardev *chr, MonitorKind kind, Error **errp)
{
    Monitor *m = g_new0(Monitor, 1);

    m->kind = kind;
    if (!char_backend_init(&m->be, chr, errp)) {
        g_free(m);
        return false;
    }
    m->out = g_string_new(NULL);
    m->input_bh = bh_new(resume_input, m);
    g_queue_init(&m->held);
    if (kind == MONITOR_HMP) {
        hmp_monitor_init(m);
    } else {
        qmp_monitor_init(m);
    }
    g_ptr_array_add(monitor_list(), m);
    char_backend_set_handlers(&m->be, &monitor_handlers, m);
    return true;
}
