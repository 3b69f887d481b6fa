/*
 * Entropy from a daemon behind a character device, by the protocol of EGD, the entropy gathering daemon.
 *
 * A request is the byte 2 ("read, waiting") and a count of 1 to 255; the answer is so many bytes.  What the
 * daemon sends without being asked is not read.  A reader is never kept waiting: it gets what has arrived, and
 * what it wanted beyond is asked for.
 */
#include "system/chardev.h"
#include "system/rng.h"

enum { EGD_READ_BLOCKING = 2, EGD_COUNT_MAX = 255 };

#define EGD_BUFFER 4096         /* bytes here or on their way */

typedef struct RngEgd {
    RngBackend backend;
    CharBackend chr;
    uint8_t bytes[EGD_BUFFER];
    size_t n;                   /* of them here */
    size_t asked;               /* on their way */
    bool connected;
    bool half;                  /* of the last request only the first byte was taken by the host end */
} RngEgd;

OBJECT_DECLARE(RngEgd, RNG_EGD, rng_egd)

/* False: the host end takes no more now. */
static bool egd_ask(RngEgd *e, size_t count)
{
    uint8_t request[2] = { EGD_READ_BLOCKING, count };
    size_t from = e->half, n = char_write(&e->chr, request + from, 2 - from);

    e->half = from + n == 1;
    if (from + n < 2) {
        return false;
    }
    e->asked += count;
    return true;
}

static void egd_ask_until(RngEgd *e, size_t want)
{
    want = MIN(want, EGD_BUFFER);
    while (e->connected && e->n + e->asked < want && egd_ask(e, MIN(want - e->n - e->asked, EGD_COUNT_MAX))) {
    }
}

static size_t egd_can_receive(void *opaque)
{
    return RNG_EGD(opaque)->asked;
}

static void egd_receive(void *opaque, const uint8_t *buf, size_t len)
{
    RngEgd *e = opaque;

    memcpy(e->bytes + e->n, buf, len);
    e->n += len;
    e->asked -= len;
}

static void egd_event(void *opaque, CharEvent ev)
{
    RngEgd *e = opaque;

    if (ev == CHAR_EVENT_OPENED || ev == CHAR_EVENT_CLOSED) {
        e->connected = ev == CHAR_EVENT_OPENED;
        e->asked = 0;                   /* the next daemon knows nothing of these requests */
        e->half = false;
    }
}

static const CharHandlers egd_handlers = {
    .can_receive = egd_can_receive, .receive = egd_receive, .event = egd_event,
};

static size_t egd_fill(RngBackend *b, void *buf, size_t len)
{
    RngEgd *e = RNG_EGD(b);
    size_t n = MIN(len, e->n);

    memcpy(buf, e->bytes, n);
    e->n -= n;
    memmove(e->bytes, e->bytes + n, e->n);
    if (n < len) {
        egd_ask_until(e, len - n);
        char_accept_input(&e->chr);
    }
    return n;
}

static bool egd_complete(Object *obj, Error **errp)
{
    RngEgd *e = RNG_EGD(obj);

    if (!e->chr.chr) {
        error_setg(errp, "Parameter 'chardev' is missing");
        return false;
    }
    char_backend_set_handlers(&e->chr, &egd_handlers, e);
    return true;
}

static const Property egd_properties[] = {
    PROP_CHARDEV("chardev", RngEgd, chr, .help = "where the daemon is"),
};

RNG_BACKEND_DEFINE(RngEgd, rng_egd, "rng-egd",
    .desc = "entropy from a daemon by the EGD protocol",
    .complete = egd_complete,
    .fill = egd_fill,
    .properties = PROPS(egd_properties),
    .user_creatable = true,
)
