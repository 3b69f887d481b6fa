/*
 * "hub": one front end on several devices.  Output goes to all that somebody listens to, as fast as the
 * slowest takes it; input comes from any.
 */
#include "system/chardev/internal.h"

#define HUB_MAX 4

typedef struct HubChardev HubChardev;

typedef struct HubPort {
    HubChardev *hub;
    CharBackend be;
    size_t ahead;               /* taken of what the others have not taken yet */
    bool is_open;
} HubPort;

struct HubChardev {
    Chardev chr;
    HubPort ports[HUB_MAX];
    unsigned n;
};

OBJECT_DECLARE(HubChardev, HUB_CHARDEV, chardev_hub)

/* --- as front end of the devices --- */

static size_t port_can_receive(void *opaque)
{
    return chardev_can_receive(&((HubPort *)opaque)->hub->chr);
}

static void port_receive(void *opaque, const uint8_t *buf, size_t len)
{
    chardev_receive(&((HubPort *)opaque)->hub->chr, buf, len);
}

static bool any_is_open(const HubChardev *h)
{
    for (unsigned i = 0; i < h->n; i++) {
        if (h->ports[i].is_open) {
            return true;
        }
    }
    return false;
}

/* The hub is open while one of its devices is. */
static void port_event(void *opaque, CharEvent ev)
{
    HubPort *p = opaque;
    bool was_open = p->hub->chr.is_open;

    if (ev == CHAR_EVENT_BREAK) {
        chardev_event(&p->hub->chr, ev);
    } else if (ev == CHAR_EVENT_OPENED || ev == CHAR_EVENT_CLOSED) {
        p->is_open = ev == CHAR_EVENT_OPENED;
        p->ahead = 0;
        if (any_is_open(p->hub) != was_open) {
            chardev_event(&p->hub->chr, ev);
        }
        chardev_writable(&p->hub->chr);         /* one that is gone holds nobody up */
    }
}

static void port_writable(void *opaque)
{
    chardev_writable(&((HubPort *)opaque)->hub->chr);
}

static const CharHandlers port_handlers = {
    .can_receive = port_can_receive, .receive = port_receive, .event = port_event, .writable = port_writable,
};

/* --- as back end --- */

static size_t hub_write(Chardev *c, const uint8_t *buf, size_t len)
{
    HubChardev *h = HUB_CHARDEV(c);
    size_t least = len;

    for (unsigned i = 0; i < h->n; i++) {
        HubPort *p = &h->ports[i];

        if (p->is_open) {
            if (p->ahead < len) {
                p->ahead += char_write(&p->be, buf + p->ahead, len - p->ahead);
            }
            least = MIN(least, p->ahead);
        }
    }
    for (unsigned i = 0; i < h->n; i++) {
        h->ports[i].ahead -= MIN(h->ports[i].ahead, least);
    }
    return least;
}

static void hub_update(Chardev *c)
{
    HubChardev *h = HUB_CHARDEV(c);

    for (unsigned i = 0; i < h->n; i++) {
        char_accept_input(&h->ports[i].be);
    }
}

static bool hub_open(Chardev *c, const QapiChardevOptions *o, Error **errp)
{
    const QapiStrList *ids = o->u.hub.chardevs;
    HubChardev *h = HUB_CHARDEV(c);

    if (!ids->len || ids->len > HUB_MAX) {
        error_setg(errp, "hub: 'chardevs' must name 1 to %d chardevs, got %zu", HUB_MAX, ids->len);
        return false;
    }
    for (size_t i = 0; i < ids->len; i++) {
        HubPort *p = &h->ports[h->n];
        Chardev *base = chardev_find(ids->at[i]);

        if (!base || chardev_is_mux(base)) {
            error_setg(errp, base ? "hub/mux: chardev '%s' is a multiplexer" : "chardev '%s' not found", ids->at[i]);
            return false;
        }
        if (!char_backend_init(&p->be, base, errp)) {
            return false;
        }
        p->hub = h;
        h->n++;
    }
    for (unsigned i = 0; i < h->n; i++) {
        char_backend_set_handlers(&h->ports[i].be, &port_handlers, &h->ports[i]);
    }
    return true;
}

static void hub_close(Chardev *c)
{
    HubChardev *h = HUB_CHARDEV(c);

    while (h->n) {
        char_backend_deinit(&h->ports[--h->n].be);
    }
    c->is_open = false;
}

CHARDEV_DEFINE(HubChardev, chardev_hub, "chardev-hub", chardev,
    .desc = "one front end on several devices",
    .backend = QAPI_CHARDEV_DRIVER_HUB,
    .open = hub_open,
    .close = hub_close,
    .write = hub_write,
    .update = hub_update);
