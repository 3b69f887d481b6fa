/*
 * -drive: one option that makes a node and, for if=virtio, a device for it.
 */
#include "block-internal.h"
#include "hw/core/qdev.h"

#include <fcntl.h>
#include <unistd.h>

static GPtrArray *wanted_devices;       /* of char *: drive ids; start-up */
static GPtrArray *drives;               /* of BlockDrive *; BQL */
static unsigned n_drives;

static const char *const drive_options[] = {
    "file", "format", "if", "id", "media", "readonly", "read-only", "auto-read-only", "cache", "discard", "detect-zeroes",
    "snapshot", "aio", "rerror", "werror", "node-name", NULL,
};

#define THROTTLING "throttling."

GPtrArray *block_drives(void)
{
    if (!drives) {
        drives = g_ptr_array_new();
    }
    return drives;
}

BlockDrive *block_drive_find(const char *id)
{
    for (unsigned i = 0; drives && i < drives->len; i++) {
        BlockDrive *d = g_ptr_array_index(drives, i);

        if (!strcmp(d->id, id)) {
            return d;
        }
    }
    return NULL;
}

BlockNode *block_drive_node(const char *drive)
{
    const BlockDrive *d = block_drive_find(drive);

    return d ? d->node : block_node_find(drive);
}

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
        { "cache", { "writeback", "writethrough", "none", "directsync", "unsafe" } },
        { "aio", { "threads", "io_uring" } },
        { "discard", { "ignore", "off", "unmap", "on" } },
        { "detect-zeroes", { "off", "on", "unmap" } },
        { "rerror", { "report", "ignore", "stop" } },
        { "werror", { "report", "ignore", "stop", "enospc" } },
    };

    for (size_t i = 0; i < value_dict_len(opts); i++) {
        if (!g_strv_contains(drive_options, value_dict_key_at(opts, i))
            && !g_str_has_prefix(value_dict_key_at(opts, i), THROTTLING)) {
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

/* "discard=on" and "discard=off" are old spellings. */
static const char *discard_mode(const Value *opts)
{
    const char *text = value_dict_get_str(opts, "discard");

    return !text ? NULL : !strcmp(text, "unmap") || !strcmp(text, "on") ? "unmap" : "ignore";
}

static bool cache_is_one_of(const Value *opts, const char *a, const char *b)
{
    const char *cache = value_dict_get_str(opts, "cache");

    return !g_strcmp0(cache, a) || !g_strcmp0(cache, b);
}

static void copy_option(Value *to, const Value *from, const char *key)
{
    if (value_dict_get(from, key)) {
        value_dict_set(to, key, value_ref(value_dict_get(from, key)));
    }
}

/* { driver: raw, node-name, file: { driver: file, filename } }: what -blockdev would be given. */
static Value *node_options(const Value *opts, bool read_only)
{
    Value *file = value_dict(), *raw = value_dict(), *cache = value_dict();

    value_dict_set_str(file, "driver", "file");
    value_dict_set_str(file, "filename", value_dict_get_str(opts, "file"));
    copy_option(file, opts, "aio");
    value_dict_set_bool(cache, "direct", cache_is_one_of(opts, "none", "directsync"));
    value_dict_set_bool(cache, "no-flush", cache_is_one_of(opts, "unsafe", "unsafe"));
    value_dict_set_str(raw, "driver", "raw");
    value_dict_set_bool(raw, "read-only", read_only);
    value_dict_set(raw, "cache", cache);
    if (discard_mode(opts)) {
        value_dict_set_str(raw, "discard", discard_mode(opts));
    }
    copy_option(raw, opts, "auto-read-only");
    copy_option(raw, opts, "detect-zeroes");
    copy_option(raw, opts, "node-name");
    value_dict_set(raw, "file", file);
    return raw;
}

static BlockOnError on_error(const Value *opts, const char *key, BlockOnError def)
{
    const char *text = value_dict_get_str(opts, key);

    for (int i = 0; text && i < BLOCK_ON_ERROR_MAX; i++) {
        if (!strcmp(text, block_on_error_names[i])) {
            return (BlockOnError)i;
        }
    }
    return def;
}

/* throttling.* into limits and a group. */
static bool take_limits(BlockDrive *d, const Value *opts, Error **errp)
{
    g_autoptr(Value) dict = value_dict();
    Throttle check = { 0 };

    for (size_t i = 0; i < value_dict_len(opts); i++) {
        const char *key = value_dict_key_at(opts, i);

        if (!strcmp(key, THROTTLING "group")) {
            d->group = g_strdup(value_dict_get_str(opts, key));
        } else if (g_str_has_prefix(key, THROTTLING)) {
            value_dict_set(dict, key + strlen(THROTTLING), value_ref(value_dict_value_at(opts, i)));
        }
    }
    if (!value_dict_len(dict)) {
        return true;
    }
    d->limits = qapi_parse_throttle_limits(dict, QAPI_FROM_TEXT, errp);
    d->group = d->group ? d->group : g_strdup(d->id);
    return d->limits && throttle_set_limits(&check, d->limits, errp);
}

static void drive_free(BlockDrive *d)
{
    g_free(d->id);
    g_free(d->group);
    qapi_free_throttle_limits(d->limits);
    g_free(d);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlockDrive, drive_free)

static BlockNode *open_drive(const Value *opts, bool read_only, bool snapshot, Error **errp)
{
    g_autoptr(Value) node = node_options(opts, read_only || snapshot);
    g_autoptr(QapiBlockdevOptions) o = qapi_parse_blockdev_options(node, QAPI_FROM_TEXT, errp);
    BlockNode *n = o ? block_node_new_unnamed(o, errp) : NULL;
    BlockNode *top = n && snapshot ? block_snapshot_new(NULL, n, errp) : n;

    if (n && !top && !block_node_del(block_node_name(n), NULL)) {
        warn_report("block node '%s' is left over", block_node_name(n));
    }
    return top;
}

static void want_device(const char *id)
{
    if (!wanted_devices) {
        wanted_devices = g_ptr_array_new_with_free_func(g_free);
    }
    g_ptr_array_add(wanted_devices, g_strdup(id));
}

bool block_drive_add(const Value *opts, bool snapshot, Error **errp)
{
    const char *path = value_dict_get_str(opts, "file"), *interface = value_dict_get_str(opts, "if");
    const char *id = value_dict_get_str(opts, "id");
    g_autoptr(BlockDrive) d = g_new0(BlockDrive, 1);
    bool read_only = false;

    if (!path) {
        error_setg(errp, "-drive needs file=");
        return false;
    }
    if (!check_choices(opts, errp) || !flag(opts, "readonly", &read_only, errp) || !flag(opts, "read-only", &read_only, errp)
        || !flag(opts, "snapshot", &snapshot, errp) || !check_format(value_dict_get_str(opts, "format"), path, errp)) {
        return false;
    }
    d->id = id ? g_strdup(id) : g_strdup_printf("%s%u", interface, n_drives);
    if (block_drive_find(d->id) || block_node_find(d->id)) {
        error_setg(errp, "Device with id '%s' already exists", d->id);
        return false;
    }
    n_drives++;
    d->rerror = on_error(opts, "rerror", BLOCK_ON_ERROR_REPORT);
    d->werror = on_error(opts, "werror", BLOCK_ON_ERROR_ENOSPC);
    d->writethrough = cache_is_one_of(opts, "writethrough", "directsync");
    if (!take_limits(d, opts, errp)) {
        return false;
    }
    d->node = open_drive(opts, read_only, snapshot && !read_only, errp);
    if (!d->node) {
        return false;
    }
    if (!strcmp(interface, "virtio")) {
        want_device(d->id);
    }
    g_ptr_array_add(block_drives(), g_steal_pointer(&d));
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
