/*
 * -drive: one option that makes a node and, for if=virtio and if=ide, a device for it.
 *
 * Each interface has buses with units; a drive says which by bus= and unit=, or by index=, or takes the next free one.
 * IDs are made of that: ide1-cd0 is the CD on bus 1, unit 0.
 */
#include "block-internal.h"
#include "hw/core/machine.h"

#include <fcntl.h>
#include <unistd.h>

static GPtrArray *drives;               /* of BlockDrive *; BQL */

static const char *const drive_options[] = {
    "file", "format", "if", "id", "media", "index", "bus", "unit", "readonly", "read-only", "auto-read-only", "cache", "discard", "detect-zeroes",
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
        error_setg(errp, "image format '%s' is not supported (raw is)", format);
        return false;
    }
    found = format ? NULL : known_format(path);
    if (found) {
        error_setg(errp, "file '%s' looks like %s, which is not supported; say format=raw to use its bytes as they are", path, found);
        return false;
    }
    return true;
}

static void warn_if_guessed(const char *format, const char *path)
{
    if (!format) {
        warn_report("image format of '%s' was not given: taken as raw; say format=raw to silence this", path);
    }
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
        { "if", { "none", "virtio", "ide" } },
        { "media", { "disk", "cdrom" } },
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

BlockNode *block_image_open(const char *path, const char *format, bool read_only, Error **errp)
{
    g_autoptr(Value) opts = value_dict();
    BlockNode *n;

    if (!check_format(format, path, errp)) {
        return NULL;
    }
    value_dict_set_str(opts, "file", path);
    n = open_drive(opts, read_only, false, errp);
    if (n) {
        warn_if_guessed(format, path);
    }
    return n;
}

/* --- where it goes --- */

/* A bus or unit number; -1 = not given. */
static bool number(const Value *opts, const char *key, int *out, Error **errp)
{
    const char *text = value_dict_get_str(opts, key);
    int64_t n;

    *out = -1;
    if (!text) {
        return true;
    }
    if (!qapi_parse_int(key, text, &n, errp)) {
        return false;
    }
    if (n < 0 || n > INT16_MAX) {
        error_setg(errp, "%s must be 0..%d, got %s", key, INT16_MAX, text);
        return false;
    }
    *out = (int)n;
    return true;
}

static BlockDrive *drive_at(BlockInterface interface, unsigned bus, unsigned unit)
{
    for (unsigned i = 0; drives && i < drives->len; i++) {
        BlockDrive *d = g_ptr_array_index(drives, i);

        if (d->interface == interface && d->bus == bus && d->unit == unit) {
            return d;
        }
    }
    return NULL;
}

/* Units of each bus; 0 = one bus that takes any number. */
static unsigned units_of(BlockInterface interface)
{
    return interface == BLOCK_IF_IDE ? machine_info(current_machine())->ide_units : 0;
}

static bool check_place(const BlockDrive *d, Error **errp)
{
    const MachineInfo *info = machine_info(current_machine());

    if (d->interface == BLOCK_IF_IDE && (d->bus >= info->ide_buses || d->unit >= info->ide_units)) {
        error_setg(errp, "machine type does not support if=ide,bus=%u,unit=%u", d->bus, d->unit);
        return false;
    }
    if (drive_at(d->interface, d->bus, d->unit)) {
        error_setg(errp, "drive with bus=%u, unit=%u (index=%u) exists", d->bus, d->unit,
                   d->bus * units_of(d->interface) + d->unit);
        return false;
    }
    return true;
}

static bool take_place(BlockDrive *d, const Value *opts, Error **errp)
{
    unsigned per_bus = units_of(d->interface);
    int index, bus, unit;

    if (!number(opts, "index", &index, errp) || !number(opts, "bus", &bus, errp) || !number(opts, "unit", &unit, errp)) {
        return false;
    }
    if (index >= 0 && (bus >= 0 || unit >= 0)) {
        error_setg(errp, "index cannot be used with bus and unit");
        return false;
    }
    if (index >= 0) {
        d->bus = per_bus ? (unsigned)index / per_bus : 0;
        d->unit = per_bus ? (unsigned)index % per_bus : (unsigned)index;
        return check_place(d, errp);
    }
    d->bus = (unsigned)MAX(bus, 0);
    d->unit = (unsigned)MAX(unit, 0);
    while (unit < 0 && drive_at(d->interface, d->bus, d->unit)) {
        if (++d->unit == per_bus) {     /* never, if any number is taken */
            d->unit = 0;
            d->bus++;
        }
    }
    return check_place(d, errp);
}

static char *made_up_id(const BlockDrive *d)
{
    const char *name = block_interface_names[d->interface];
    const char *kind = d->is_cdrom ? "-cd" : d->interface == BLOCK_IF_IDE ? "-hd" : "";

    return units_of(d->interface) ? g_strdup_printf("%s%u%s%u", name, d->bus, kind, d->unit)
                                  : g_strdup_printf("%s%s%u", name, kind, d->unit);
}

const char *const block_interface_names[] = { [BLOCK_IF_NONE] = "none", [BLOCK_IF_VIRTIO] = "virtio", [BLOCK_IF_IDE] = "ide" };

static BlockInterface interface_of(const Value *opts)
{
    const char *text = value_dict_get_str(opts, "if");

    for (unsigned i = 0; text && i < ARRAY_SIZE(block_interface_names); i++) {
        if (!strcmp(text, block_interface_names[i])) {
            return (BlockInterface)i;
        }
    }
    return machine_info(current_machine())->ide_buses ? BLOCK_IF_IDE : BLOCK_IF_VIRTIO;
}

/* --- the option --- */

static bool drive_describe(BlockDrive *d, const Value *opts, Error **errp)
{
    const char *id = value_dict_get_str(opts, "id");

    d->interface = interface_of(opts);
    d->is_cdrom = !g_strcmp0(value_dict_get_str(opts, "media"), "cdrom");
    if (!take_place(d, opts, errp)) {
        return false;
    }
    d->id = id ? g_strdup(id) : made_up_id(d);
    if (block_drive_find(d->id) || block_node_find(d->id)) {
        error_setg(errp, "Device with id '%s' already exists", d->id);
        return false;
    }
    d->rerror = on_error(opts, "rerror", BLOCK_ON_ERROR_REPORT);
    d->werror = on_error(opts, "werror", BLOCK_ON_ERROR_ENOSPC);
    d->writethrough = cache_is_one_of(opts, "writethrough", "directsync");
    return take_limits(d, opts, errp);
}

bool block_drive_add(const Value *opts, bool snapshot, Error **errp)
{
    const char *path = value_dict_get_str(opts, "file"), *format = value_dict_get_str(opts, "format");
    g_autoptr(BlockDrive) d = g_new0(BlockDrive, 1);
    bool read_only = false;

    if (!check_choices(opts, errp) || !flag(opts, "readonly", &read_only, errp) || !flag(opts, "read-only", &read_only, errp)
        || !flag(opts, "snapshot", &snapshot, errp) || !drive_describe(d, opts, errp)) {
        return false;
    }
    read_only |= d->is_cdrom;
    if (path && *path) {
        d->node = check_format(format, path, errp) ? open_drive(opts, read_only, snapshot && !read_only, errp) : NULL;
        if (!d->node) {
            return false;
        }
        warn_if_guessed(format, path);
    }
    g_ptr_array_add(block_drives(), g_steal_pointer(&d));
    return true;
}

bool block_drive_add_default_cdrom(Error **errp)
{
    const unsigned index = 2, per_bus = units_of(BLOCK_IF_IDE);
    g_autoptr(Value) opts = value_dict();
    BlockDrive *d;

    if (drive_at(BLOCK_IF_IDE, index / per_bus, index % per_bus)) {
        return true;
    }
    value_dict_set_str(opts, "if", "ide");
    value_dict_set_str(opts, "index", "2");
    value_dict_set_str(opts, "media", "cdrom");
    if (!block_drive_add(opts, false, errp)) {
        return false;
    }
    d = drive_at(BLOCK_IF_IDE, index / per_bus, index % per_bus);
    d->by_default = true;
    return true;
}

static void drive_remove(BlockDrive *d)
{
    g_ptr_array_remove(drives, d);
    drive_free(d);
}

static bool create_virtio_device(const BlockDrive *d, Error **errp)
{
    g_autoptr(Value) opts = value_dict();

    value_dict_set_str(opts, "driver", "virtio-blk-pci");
    value_dict_set_str(opts, "drive", d->id);
    return device_add_from_opts(opts, false, errp) != NULL;
}

static bool create_ide_device(BlockDrive *d, Error **errp)
{
    const TypeInfo *type = type_by_name(d->is_cdrom ? "ide-cd" : "ide-hd");
    g_autofree char *bus_name = g_strdup_printf("ide.%u", d->bus);
    Device *dev = device_new(type);
    Bus *bus = bus_find(bus_name, type_by_name("IDE"), d->by_default ? NULL : errp);

    if (!bus && d->by_default) {        /* the board's controller was left out */
        object_unref(dev);
        drive_remove(d);
        return true;
    }
    if (!bus || !object_property_set_str(dev, "drive", d->id, errp) || !object_property_set_uint(dev, "unit", d->unit, errp)) {
        object_unref(dev);
        return false;
    }
    return device_realize_and_unref(dev, bus, errp);
}

static int by_place(const void *a, const void *b)
{
    const BlockDrive *x = *(BlockDrive *const *)a, *y = *(BlockDrive *const *)b;

    return x->bus != y->bus ? (x->bus > y->bus) - (x->bus < y->bus) : (x->unit > y->unit) - (x->unit < y->unit);
}

bool block_drives_create_devices(Error **errp)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();

    for (unsigned i = 0; drives && i < drives->len; i++) {
        g_ptr_array_add(sorted, g_ptr_array_index(drives, i));
    }
    g_ptr_array_sort(sorted, by_place);
    for (unsigned i = 0; i < sorted->len; i++) {
        BlockDrive *d = g_ptr_array_index(sorted, i);

        if (d->interface == BLOCK_IF_IDE ? !create_ide_device(d, errp) : d->interface == BLOCK_IF_VIRTIO && !create_virtio_device(d, errp)) {
            return false;
        }
    }
    return true;
}
