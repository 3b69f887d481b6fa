/*
 * The multiplexer: several front ends on one back end.
 *
 * All front ends' output goes out; input goes to the one in focus.  Ctrl-A begins an escape:
 *   h, ?  help      x  end the process      b  break      c  next front end
 *   t  time before each line                Ctrl-A  a Ctrl-A itself
 * Escapes are seen even while the front end in focus takes no input, because a few bytes are kept
 * for each.
 */
#include "system/chardev/internal.h"
#include "system/runstate.h"
#include "util/timer.h"

#define MUX_MAX_FRONT_ENDS 8
#define MUX_KEPT           4096     /* bytes of input kept for a front end that takes none */

static uint8_t mux_escape = 0x01;       /* Ctrl-A; set at start */

void chardev_mux_set_escape(uint8_t c)
{
    mux_escape = c;
}

typedef struct MuxSlot {
    CharBackend *be;                /* borrowed; NULL = free */
    bool short_write;
    uint8_t kept[MUX_KEPT];
    unsigned n_kept;
} MuxSlot;

typedef struct MuxChardev {
    Chardev chr;
    CharBackend base;
    MuxSlot slots[MUX_MAX_FRONT_ENDS];
    int focus;                      /* slot; -1 = none */
    bool escaped;
    bool timestamps, mid_line;
    int64_t timestamps_from;
} MuxChardev;

OBJECT_DECLARE(MuxChardev, MUX_CHARDEV, chardev_mux)

static void slot_event(MuxSlot *s, CharEvent ev)
{
    if (s->be && s->be->handlers && s->be->handlers->event) {
        s->be->handlers->event(s->be->opaque, ev);
    }
}

static size_t slot_room(const MuxSlot *s)
{
    const CharHandlers *h = s->be ? s->be->handlers : NULL;

    return h && h->can_receive ? h->can_receive(s->be->opaque) : 0;
}

/* Give the front end what was kept for it, as far as it takes it. */
static void slot_flush(MuxSlot *s)
{
    size_t n;

    while ((n = MIN(slot_room(s), s->n_kept))) {
        uint8_t buf[MUX_KEPT];

        memcpy(buf, s->kept, n);
        s->n_kept -= n;
        memmove(s->kept, s->kept + n, s->n_kept);
        s->be->handlers->receive(s->be->opaque, buf, n);
    }
}

/* mux_can_receive() left room. */
static void slot_receive(MuxSlot *s, uint8_t c)
{
    assert(s->n_kept < MUX_KEPT);
    s->kept[s->n_kept++] = c;
}

static void set_focus(MuxChardev *m, int slot)
{
    if (m->focus == slot) {
        return;
    }
    if (m->focus >= 0) {
        slot_event(&m->slots[m->focus], CHAR_EVENT_MUX_OUT);
    }
    m->focus = slot;
    if (slot >= 0) {
        slot_event(&m->slots[slot], CHAR_EVENT_MUX_IN);
    }
}

static int next_slot(const MuxChardev *m)
{
    for (int i = 1; i <= MUX_MAX_FRONT_ENDS; i++) {
        int slot = (m->focus + i) % MUX_MAX_FRONT_ENDS;

        if (m->slots[slot].be) {
            return slot;
        }
    }
    return -1;
}

/* Best effort: what the host end does not take now is lost. */
static void say(MuxChardev *m, const char *text)
{
    char_write(&m->base, (const uint8_t *)text, strlen(text));
}

static void say_help(MuxChardev *m)
{
    say(m, "\r\n"
        "C-a h    print this help\r\n"
        "C-a x    exit emulator\r\n"
        "C-a t    toggle console timestamps\r\n"
        "C-a b    send break (magic sysrq)\r\n"
        "C-a c    switch between console and monitor\r\n"
        "C-a C-a  sends C-a\r\n");
}

static void do_escape(MuxChardev *m, uint8_t c)
{
    switch (c) {
    case 'h': case '?':
        say_help(m);
        break;
    case 'x':
        say(m, "QEMU: Terminated\r\n");
        shutdown_action = SHUTDOWN_ACTION_POWEROFF;
        system_shutdown_request(SHUTDOWN_CAUSE_HOST_UI);
        break;
    case 'b':
        if (m->focus >= 0) {
            slot_event(&m->slots[m->focus], CHAR_EVENT_BREAK);
        }
        break;
    case 'c':
        set_focus(m, next_slot(m));
        break;
    case 't':
        m->timestamps = !m->timestamps;
        m->timestamps_from = clock_get_ns(CLOCK_TYPE_REALTIME);
        m->mid_line = false;
        break;
    default:
        if (c == mux_escape && m->focus >= 0) {
            slot_receive(&m->slots[m->focus], c);
        }
        break;
    }
}

/* --- as front end of the base device --- */

/*
 * Input is read ahead of the front end, so that Ctrl-A works while the guest reads nothing, until
 * the space for it is full: a script on standard input loses nothing.
 */
static size_t mux_can_receive(void *opaque)
{
    MuxChardev *m = opaque;
    size_t room = MUX_KEPT;

    /* The focus may change on the way: as much as any slot takes. */
    for (unsigned i = 0; i < MUX_MAX_FRONT_ENDS; i++) {
        room = MIN(room, (size_t)(MUX_KEPT - m->slots[i].n_kept));
    }
    /* Another one is full: byte by byte, as the next may be an escape. */
    if (!room && (m->focus < 0 || m->slots[m->focus].n_kept < MUX_KEPT)) {
        room = 1;
    }
    return room;
}

static void mux_receive(void *opaque, const uint8_t *buf, size_t len)
{
    MuxChardev *m = opaque;

    for (size_t i = 0; i < len; i++) {
        if (m->escaped) {
            m->escaped = false;
            do_escape(m, buf[i]);
        } else if (buf[i] == mux_escape) {
            m->escaped = true;
        } else if (m->focus >= 0) {
            slot_receive(&m->slots[m->focus], buf[i]);
        }
    }
    for (unsigned i = 0; i < MUX_MAX_FRONT_ENDS; i++) {
        slot_flush(&m->slots[i]);
    }
}

static void mux_event(void *opaque, CharEvent ev)
{
    MuxChardev *m = opaque;

    m->chr.is_open = ev == CHAR_EVENT_OPENED || (m->chr.is_open && ev != CHAR_EVENT_CLOSED);
    for (unsigned i = 0; i < MUX_MAX_FRONT_ENDS; i++) {
        slot_event(&m->slots[i], ev);
    }
}

static void mux_writable(void *opaque)
{
    MuxChardev *m = opaque;

    for (unsigned i = 0; i < MUX_MAX_FRONT_ENDS; i++) {
        MuxSlot *s = &m->slots[i];

        if (s->short_write) {
            s->short_write = false;
            if (s->be && s->be->handlers && s->be->handlers->writable) {
                s->be->handlers->writable(s->be->opaque);
            }
        }
    }
}

static const CharHandlers mux_handlers = {
    .can_receive = mux_can_receive,
    .receive = mux_receive,
    .event = mux_event,
    .writable = mux_writable,
};

/* --- as back end of the front ends --- */

static bool mux_attach(Chardev *c, CharBackend *be, Error **errp)
{
    MuxChardev *m = MUX_CHARDEV(c);

    for (int i = 0; i < MUX_MAX_FRONT_ENDS; i++) {
        if (!m->slots[i].be) {
            m->slots[i] = (MuxSlot){ .be = be };
            be->tag = i;
            return true;
        }
    }
    error_setg(errp, "too many uses of multiplexed chardev '%s' (maximum is %d)", c->label, MUX_MAX_FRONT_ENDS);
    return false;
}

static void mux_detach(Chardev *c, CharBackend *be)
{
    MuxChardev *m = MUX_CHARDEV(c);

    m->slots[be->tag] = (MuxSlot){ 0 };
    if (m->focus == be->tag) {
        m->focus = -1;
        set_focus(m, next_slot(m));
    }
}

/* The front end that came last gets the focus. */
static void mux_handlers_set(Chardev *c, CharBackend *be)
{
    MuxChardev *m = MUX_CHARDEV(c);

    if (be->handlers) {
        if (c->is_open) {
            slot_event(&m->slots[be->tag], CHAR_EVENT_OPENED);
        }
        set_focus(m, be->tag);
        char_accept_input(&m->base);
    }
}

/* How much of the line is written; a time stamp that does not fit is left out. */
static size_t write_stamped(MuxChardev *m, const uint8_t *buf, size_t len)
{
    size_t done = 0;

    while (done < len) {
        const uint8_t *end = memchr(buf + done, '\n', len - done);
        size_t line = end ? (size_t)(end - buf) + 1 - done : len - done, n;

        if (!m->mid_line) {
            int64_t ms = (clock_get_ns(CLOCK_TYPE_REALTIME) - m->timestamps_from) / 1000000;
            g_autofree char *stamp = g_strdup_printf("[%02d:%02d:%02d.%03d] ", (int)(ms / 3600000),
                (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));

            say(m, stamp);
            m->mid_line = true;
        }
        n = char_write(&m->base, buf + done, line);
        done += n;
        if (n < line) {
            break;
        }
        m->mid_line = end == NULL;
    }
    return done;
}

static size_t mux_write_from(Chardev *c, CharBackend *be, const uint8_t *buf, size_t len)
{
    MuxChardev *m = MUX_CHARDEV(c);
    size_t n = m->timestamps ? write_stamped(m, buf, len) : char_write(&m->base, buf, len);

    m->slots[be->tag].short_write |= n < len;
    return n;
}

static void mux_accept_from(Chardev *c, CharBackend *be)
{
    MuxChardev *m = MUX_CHARDEV(c);

    slot_flush(&m->slots[be->tag]);
    char_accept_input(&m->base);
}

Chardev *mux_base(const Chardev *c)
{
    return MUX_CHARDEV(c)->base.chr;
}

bool mux_is_busy(const Chardev *c)
{
    const MuxChardev *m = MUX_CHARDEV(c);

    for (unsigned i = 0; i < MUX_MAX_FRONT_ENDS; i++) {
        if (m->slots[i].be) {
            return true;
        }
    }
    return c->fe != NULL;
}

static char *mux_filename(Chardev *c)
{
    return g_strdup("mux");
}

static void mux_close(Chardev *c)
{
    char_backend_deinit(&MUX_CHARDEV(c)->base);
}

static void mux_init(Object *obj)
{
    MUX_CHARDEV(obj)->focus = -1;
}

CHARDEV_DEFINE(MuxChardev, chardev_mux, "chardev-mux", chardev,
    .desc = "several front ends on one back end",
    .init = mux_init,
    .close = mux_close,
    .filename = mux_filename,
    .attach = mux_attach,
    .detach = mux_detach,
    .handlers_set = mux_handlers_set,
    .write_from = mux_write_from,
    .accept_from = mux_accept_from);

Chardev *mux_new(const char *id, Chardev *base, Error **errp)
{
    MuxChardev *m = MUX_CHARDEV(object_new(&chardev_mux_type));

    m->chr.label = g_strdup(id);
    if (!char_backend_init(&m->base, base, errp)) {
        object_unref(m);
        return NULL;
    }
    object_add_child(object_container("/chardevs"), id, m);
    object_unref(m);
    char_backend_set_handlers(&m->base, &mux_handlers, m);
    return &m->chr;
}
