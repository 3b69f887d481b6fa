/*
 * The human monitor's commands about character devices, on QMP's functions.
 */
#include "system/monitor/internal.h"

#include "qapi/keyval.h"
#include "qapi/qapi-commands.h"
#include "system/chardev.h"

bool hmp_chardev_add(FILE *out, const char *args, Error **errp)
{
    g_autoptr(Value) opts = keyval_parse(args, "backend", KEYVAL_FLAT, NULL, errp);

    return opts && chardev_new_from_opts(opts, errp);
}

/* "ID BACKEND,KEY=VALUE,..." */
bool hmp_chardev_change(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    g_autoptr(Value) opts = words[1] ? keyval_parse(g_strstrip(words[1]), "backend", KEYVAL_FLAT, NULL, errp) : NULL;

    if (!words[1]) {
        error_setg(errp, "expected ID and BACKEND");
        return false;
    }
    if (opts) {
        value_dict_set_str(opts, "id", words[0]);
    }
    return opts && chardev_change(words[0], opts, errp);
}

bool hmp_chardev_remove(FILE *out, const char *args, Error **errp)
{
    return chardev_remove(args, errp);
}

bool hmp_chardev_send_break(FILE *out, const char *args, Error **errp)
{
    return qmp_chardev_send_break(&(QapiChardevSendBreakArgs){ .id = (char *)args }, errp);
}

bool hmp_ringbuf_write(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);

    if (!words[1]) {
        error_setg(errp, "expected DEVICE and DATA");
        return false;
    }
    return qmp_ringbuf_write(&(QapiRingbufWriteArgs){ .device = words[0], .data = words[1] }, errp);
}

bool hmp_ringbuf_read(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    g_autofree char *text = NULL;
    int64_t size;

    if (!qapi_parse_int("size", words[1] ? g_strstrip(words[1]) : "", &size, errp)) {
        return false;
    }
    text = qmp_ringbuf_read(&(QapiRingbufReadArgs){ .device = words[0], .size = size }, errp);
    if (!text) {
        return false;
    }
    fprintf(out, "%s\n", text);
    return true;
}
