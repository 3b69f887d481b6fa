/*
 * -drive: one option that makes a node and, for if=virtio, a device for it.
 */
#include "block-internal.h"
#include "hw/core/qdev.h"

#include <fcntl.h>
#include <unistd.h>

static GPtrArray *wanted_devices;       /* of char *: drive ids; start-up */
static unsigned n_drives;

static const char *const drive_options[] = {
    "file", "format", "if", "id", "media", "readonly", "read-only", "cache", "discard", "snapshot", "aio", NULL,
};

/* Formats with a signature in the first bytes that would be destroyed or misread as raw. */
static const char *known_format(const char *path)
{
    static const struct { const char *magic; const char *name; } formats[] = {
        { "QFI\xfb", "qcow2" }, { "KDMV", "vmdk" }, { "conectix", "vpc" }, { "vhdxfile", "vhdx" },
        { "LUKS\xba\xbe", "luks" }, { "QED", "qed" },
    };
    char head[8] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd >= 0 ? pread(fd, head, sizeof(head), 0) : -1;

    if (fd >= 0) {
        close(fd);
    }
    for (size_t i = 0; n == sizeof(head) && i < ARRAY_SIZE(formats); i++) {
        if (!memcmp(head, formats[i].magic, strlen(formats[i].magic))) {
            return formats[i].name;
        }
    }
    return NULL;
}

static bool check_format(const char *format, const char *path, Error **errp)
{
    const char *found;

    if (format && strcmp(format, "raw")) {
        error_setg(errp, "-drive format '%s' is not supported (raw is)", format);
        return false;
    }
    found = format ? NULL : known_format(path);
    if (found) {
        error_setg(errp, "-drive file '%s' looks like %s, which is not supported; say format=raw to use its bytes as they are",
                   path, found);
        return false;
    }
    if (!format) {
        warn_report("image format of '%s' was not given: taken as raw; say format=raw to silence this", path);
    }
    return true;
}

/* on/off as value or text; false and @errp otherwise. */
static bool flag(const Value *opts, const char *key, bool *out, Error **errp)
{
    const Value *v = value_dict_get(opts, key);
    const char *text = value_dict_get_str(opts, key);

    if (v && value_type(v) == VALUE_BOOL) {
        *out = value_get_bool(v);
    } else if (text && (!strcmp(text, "on") || !strcmp(text, "off"))) {
        *out = !strcmp(text, "on");
    } else if (v) {
        error_setg(errp, "-drive %s must be on or off", key);
        return false;
    }
    return true;
}

static bool check_choices(const Value *opts, Error **errp)
{
    static const struct { const char *key; const char *const values[8]; } choices[] = {
        { "if", { "none", "virtio" } },
        { "media", { "disk" } },
        { "cache", { "writeback" } },
        { "aio", { "threads" } },
        { "discard", { "ignore", "off", "unmap", "on" } },
    };

    for (size_t i = 0; i < value_dict_len(opts); i++) {
        if (!g_strv_contains(drive_options, value_dict_key_at(opts, i))) {
            error_setg(errp, "-drive does not support the option '%s'", value_dict_key_at(opts, i));
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
        const char *text = value_dict_get_str(opts, choices[i].key);

        if (text && !g_strv_contains(choices[i].values, text)) {
            error_setg(errp, "-drive %s=%s is not supported", choices[i].key, text);
            return false;
        }
    }
    if (!value_dict_get_str(opts, "if")) {
        error_setg(errp, "-drive needs if=virtio or if=none: there is no controller for the default if=ide");
        return false;
    }
    return true;
}

/* { driver: raw, node-name: id, file: { driver: file, filename } }, under a snapshot if asked for. */
static Value *node_options(const Value *opts, const char *id, bool read_only, bool snapshot)
{
    const char *discard = value_dict_get_str(opts, "discard");
    Value *file = value_dict(), *raw = value_dict(), *top;

    value_dict_set_str(file, "driver", "file");
    value_dict_set_str(file, "filename", value_dict_get_str(opts, "file"));
    value_dict_set_str(raw, "driver", "raw");
    value_dict_set_bool(raw, "read-only", read_only || snapshot);
    if (discard) {
        value_dict_set_str(raw, "discard", discard);
    }
    value_dict_set(raw, "file", file);
    if (!snapshot) {
        value_dict_set_str(raw, "node-name", id);
        return raw;
    }
    top = value_dict();
    value_dict_set_str(top, "driver", "snapshot");
    value_dict_set_str(top, "node-name", id);
    value_dict_set(top, "file", raw);
    return top;
}

bool block_drive_add(const Value *opts, bool snapshot, Error **errp)
{
    const char *path = value_dict_get_str(opts, "file"), *interface = value_dict_get_str(opts, "if");
    g_autofree char *id = g_strdup(value_dict_get_str(opts, "id"));
    g_autoptr(Value) node = NULL;
    bool read_only = false;

    if (!path) {
        error_setg(errp, "-drive needs file=");
        return false;
    }
    if (!check_choices(opts, errp) || !flag(opts, "readonly", &read_only, errp) || !flag(opts, "read-only", &read_only, errp)
        || !flag(opts, "snapshot", &snapshot, errp) || !check_format(value_dict_get_str(opts, "format"), path, errp)) {
        return false;
    }
    if (!id) {
        id = g_strdup_printf("%s%u", interface, n_drives);
    }
    n_drives++;
    node = node_options(opts, id, read_only, snapshot && !read_only);
    if (!block_node_open(node, errp)) {
        return false;
    }
    if (!strcmp(interface, "virtio")) {
        if (!wanted_devices) {
            wanted_devices = g_ptr_array_new_with_free_func(g_free);
        }
        g_ptr_array_add(wanted_devices, g_steal_pointer(&id));
    }
    return true;
}

bool block_drives_create_devices(Error **errp)
{
    for (unsigned i = 0; wanted_devices && i < wanted_devices->len; i++) {
        g_autoptr(Value) opts = value_dict();

        value_dict_set_str(opts, "driver", "virtio-blk-pci");
        value_dict_set_str(opts, "drive", g_ptr_array_index(wanted_devices, i));
        if (!device_add_from_opts(opts, false, errp)) {
            return false;
        }
    }
    g_clear_pointer(&wanted_devices, g_ptr_array_unref);
    return true;
}
