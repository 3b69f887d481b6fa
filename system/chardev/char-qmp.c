/*
 * QMP commands about character devices.
 */
#include "qapi/qapi-commands.h"
#include "system/chardev/internal.h"

static bool add_info(Object *child, void *opaque)
{
    QapiChardevInfo *info = QAPI_LIST_APPEND((QapiChardevInfoList *)opaque);
    Chardev *c = CHARDEV(child);
    const ChardevClass *k = chardev_class(c);

    info->label = g_strdup(c->label);
    info->filename = k->filename ? k->filename(c) : g_strdup(qapi_chardev_driver_str(k->backend));
    info->frontend_open = k->attach ? mux_is_busy(c) : c->fe && c->fe->open;
    return true;
}

QapiChardevInfoList *qmp_query_chardev(Error **errp)
{
    QapiChardevInfoList *list = g_new0(QapiChardevInfoList, 1);

    object_foreach_child(object_container("/chardevs"), false, add_info, list);
    return list;
}

QapiChardevBackendInfoList *qmp_query_chardev_backends(Error **errp)
{
    QapiChardevBackendInfoList *list = g_new0(QapiChardevBackendInfoList, 1);

    for (unsigned i = 0; i < QAPI_CHARDEV_DRIVER__MAX; i++) {
        QAPI_LIST_APPEND(list)->name = g_strdup(qapi_chardev_driver_str(i));
    }
    return list;
}

bool qmp_chardev_remove(const QapiChardevRemoveArgs *args, Error **errp)
{
    return chardev_remove(args->id, errp);
}

bool qmp_chardev_send_break(const QapiChardevSendBreakArgs *args, Error **errp)
{
    Chardev *c = chardev_find(args->id);

    if (!c) {
        error_setg(errp, "Chardev '%s' not found", args->id);
        return false;
    }
    chardev_event(c, CHAR_EVENT_BREAK);
    return true;
}

static Chardev *find_ringbuf(const char *id, Error **errp)
{
    Chardev *c = chardev_find(id);

    if (!c) {
        error_setg(errp, "Device '%s' not found", id);
        return NULL;
    }
    if (chardev_class(c)->backend != QAPI_CHARDEV_DRIVER_RINGBUF) {
        error_setg(errp, "%s is not a ringbuf device", id);
        return NULL;
    }
    return c;
}

bool qmp_ringbuf_write(const QapiRingbufWriteArgs *args, Error **errp)
{
    Chardev *c = find_ringbuf(args->device, errp);
    bool base64 = args->has_format && args->format == QAPI_DATA_FORMAT_BASE64;
    g_autofree guchar *bytes = NULL;
    gsize len = strlen(args->data);

    if (!c) {
        return false;
    }
    if (base64) {
        bytes = g_base64_decode(args->data, &len);
    }
    chardev_class(c)->write(c, bytes ? bytes : (const uint8_t *)args->data, len);
    return true;
}

#define RINGBUF_READ_MAX (16 * MiB)     /* of one reply */

char *qmp_ringbuf_read(const QapiRingbufReadArgs *args, Error **errp)
{
    Chardev *c = find_ringbuf(args->device, errp);
    g_autofree uint8_t *buf = NULL;
    size_t len;

    if (!c) {
        return NULL;
    }
    if (args->size <= 0) {
        error_setg(errp, "size must be greater than zero");
        return NULL;
    }
    len = MIN((uint64_t)args->size, RINGBUF_READ_MAX);
    buf = g_malloc(len + 1);
    len = ringbuf_read(c, buf, len);
    buf[len] = '\0';
    if (args->has_format && args->format == QAPI_DATA_FORMAT_BASE64) {
        return g_base64_encode(buf, len);
    }
    return g_utf8_make_valid((char *)buf, len);
}
