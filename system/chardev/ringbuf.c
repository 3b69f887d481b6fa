/*
 * "ringbuf" (old name "memory"): keeps the last bytes of output for ringbuf-read.
 */
#include "system/chardev/internal.h"
#include "util/account.h"

#define DEFAULT_SIZE (64 * KiB)
#define MAX_SIZE     (1 * GiB)      /* a typing error in the option shall not eat the host */

typedef struct RingbufChardev {
    Chardev chr;
    uint8_t *data;
    size_t size;                    /* power of two */
    size_t written, taken;          /* running counts; written - taken <= size */
} RingbufChardev;

OBJECT_DECLARE(RingbufChardev, RINGBUF_CHARDEV, chardev_ringbuf)

static bool ringbuf_open(Chardev *c, const QapiChardevOptions *o, Error **errp)
{
    RingbufChardev *s = RINGBUF_CHARDEV(c);

    s->size = o->u.ringbuf.has_size ? o->u.ringbuf.size : DEFAULT_SIZE;
    if (!is_power_of_2(s->size) || s->size > MAX_SIZE) {
        error_setg(errp, "size of ringbuf chardev must be power of two up to 1G, got %zu", s->size);
        return false;
    }
    s->data = memory_account_alloc("chardev/ringbuf", s->size, errp);
    if (!s->data) {
        return false;
    }
    chardev_event(c, CHAR_EVENT_OPENED);
    return true;
}

static size_t ringbuf_write(Chardev *c, const uint8_t *buf, size_t len)
{
    RingbufChardev *s = RINGBUF_CHARDEV(c);

    for (size_t i = 0; i < len; i++) {
        s->data[s->written++ & (s->size - 1)] = buf[i];
    }
    if (s->written - s->taken > s->size) {
        s->taken = s->written - s->size;
    }
    return len;
}

size_t ringbuf_read(Chardev *c, uint8_t *buf, size_t len)
{
    RingbufChardev *s = RINGBUF_CHARDEV(c);
    size_t n = 0;

    while (n < len && s->taken != s->written) {
        buf[n++] = s->data[s->taken++ & (s->size - 1)];
    }
    return n;
}

static void ringbuf_fini(Object *obj)
{
    memory_account_free(RINGBUF_CHARDEV(obj)->data);
}

CHARDEV_DEFINE(RingbufChardev, chardev_ringbuf, "chardev-ringbuf", chardev,
    .desc = "keeps the last bytes of output",
    .fini = ringbuf_fini,
    .backend = QAPI_CHARDEV_DRIVER_RINGBUF,
    .open = ringbuf_open,
    .write = ringbuf_write);
