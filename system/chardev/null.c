/*
 * "null": takes everything, gives nothing.
 */
#include "system/chardev/internal.h"

static bool null_open(Chardev *c, const QapiChardevOptions *o, Error **errp)
{
    chardev_event(c, CHAR_EVENT_OPENED);
    return true;
}

static size_t null_write(Chardev *c, const uint8_t *buf, size_t len)
{
    return len;
}

CHARDEV_DEFINE(Chardev, chardev_null, "chardev-null", chardev,
    .desc = "discards output, gives no input",
    .backend = QAPI_CHARDEV_DRIVER_NULL,
    .open = null_open,
    .write = null_write);
