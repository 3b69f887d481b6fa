/*
 * Devices: life, -device, unplug.
 */
#include "hw/core/machine.h"
#include "qdev-internal.h"

#include "util/timer.h"
#include "trace.h"

const VMState vmstate_none = { .name = "none", .version = 1, .minimum_version = 1, .fields = (const VMField[]){ VMS_END } };

static const DeviceNotify *notify;

/* Does @type or an ancestor state the flag at @offset of its DeviceInfo? */
static bool device_type_is(const TypeInfo *type, size_t offset)
{
    for (; type != &object_type; type = type->parent) {
        if (*(const bool *)((const char *)type->info + offset)) {
            return true;
        }
    }
    return false;
}

bool device_is_hotpluggable(const Device *dev)
{
    return !device_type_is(dev->obj.type, offsetof(DeviceInfo, not_hotpluggable))
        && !device_type_is(dev->obj.type, offsetof(DeviceInfo, not_user_creatable));
}

static void device_fini(Object *obj)
{
    Device *dev = DEVICE(obj);

    assert(!dev->realized);
    g_free(dev->id);
    if (dev->child_buses) {
        g_ptr_array_unref(dev->child_buses);
    }
}

static Value *get_parent_bus(Object *obj, const Property *p)
{
    Bus *bus = DEVICE(obj)->parent_bus;

    return bus ? value_string_take(object_path(bus)) : value_string("");
}

static Value *get_realized(Object *obj, const Property *p)
{
    return value_bool(DEVICE(obj)->realized);
}

static Value *get_hotplugged(Object *obj, const Property *p)
{
    return value_bool(DEVICE(obj)->hotplugged);
}

static Value *get_hotpluggable(Object *obj, const Property *p)
{
    const Device *dev = DEVICE(obj);

    return value_bool(device_is_hotpluggable(dev) && (!dev->parent_bus || dev->parent_bus->hotplug));
}

static const Property device_properties[] = {
    PROP_CUSTOM(any, "parent_bus", get_parent_bus, NULL, .shown = "link<bus>", .internal = true),
    PROP_CUSTOM(bool, "realized", get_realized, NULL, .internal = true),
    PROP_CUSTOM(bool, "hotplugged", get_hotplugged, NULL, .internal = true),
    PROP_CUSTOM(bool, "hotpluggable", get_hotpluggable, NULL, .internal = true),
};

TYPE_DEFINE_FAMILY(DeviceInfo, Device, device, "device", object, true,
    .fini       = device_fini,
    .properties = PROPS(device_properties),
)

/* --- realize --- */

static const DeviceInfo *type_device_info(const TypeInfo *type)
{
    return (const DeviceInfo *)type->info;
}

static bool type_has_device_info(const TypeInfo *type)
{
    return type != &object_type;
}

/* Leaf first, down to but excluding @stop. */
static void unrealize_chain(Device *dev, const TypeInfo *stop)
{
    for (const TypeInfo *t = dev->obj.type; t != stop && type_has_device_info(t); t = t->parent) {
        if (type_device_info(t)->unrealize) {
            type_device_info(t)->unrealize(dev);
        }
    }
}

/* Root first.  On failure undoes the hooks that had succeeded. */
static bool realize_chain(Device *dev, const TypeInfo *type, Error **errp)
{
    const DeviceInfo *info;

    if (!type_has_device_info(type)) {
        return true;
    }
    if (!realize_chain(dev, type->parent, errp)) {
        return false;
    }
    info = type_device_info(type);
    if (!info->realize || info->realize(dev, errp)) {
        return true;
    }
    for (const TypeInfo *t = type->parent; type_has_device_info(t); t = t->parent) {
        if (type_device_info(t)->unrealize) {
            type_device_info(t)->unrealize(dev);
        }
    }
    return false;
}

const TypeInfo *device_bus_type(const TypeInfo *type)
{
    for (; type_has_device_info(type); type = type->parent) {
        if (type_device_info(type)->bus_type) {
            return type_device_info(type)->bus_type;
        }
    }
    return NULL;
}

static bool check_required(Device *dev, const TypeInfo *type, Error **errp)
{
    for (; type; type = type->parent) {
        for (unsigned i = 0; i < type->info->n_properties; i++) {
            const Property *p = &type->info->properties[i];

            if (p->required) {
                g_autoptr(Value) v = p->type->get(&dev->obj, p);

                if (value_type(v) == VALUE_NULL || (value_type(v) == VALUE_STRING && !*value_get_string(v))) {
                    error_setg(errp, "%s needs property '%s'", dev->obj.type->name, p->name);
                    return false;
                }
            }
        }
    }
    return true;
}

/* @dev is already in the list. */
static bool bus_admits(Bus *bus, Device *dev, Error **errp)
{
    const BusInfo *info = (const BusInfo *)bus->obj.type->info;

    if (info->max_devices && bus->devices->len > info->max_devices) {
        error_setg(errp, "bus '%s' is full: it takes %u devices", bus->obj.name, info->max_devices);
        return false;
    }
    return !info->check_address || info->check_address(bus, dev, errp);
}

/* Who handles plugging and unplugging of @dev on its present bus; NULL: nobody. */
static const HotplugHandler *hotplug_handler(Device *dev, void **opaque)
{
    Machine *m = current_machine();

    if (dev->parent_bus) {
        *opaque = dev->parent_bus->hotplug_opaque;
        return dev->parent_bus->hotplug;
    }
    *opaque = m;
    return m && machine_info(m)->hotplug_handler ? machine_info(m)->hotplug_handler(m, dev) : NULL;
}

static bool do_realize(Device *dev, Bus *bus, Error **errp)
{
    void *opaque;
    const HotplugHandler *h = hotplug_handler(dev, &opaque);

    if (!check_required(dev, dev->obj.type, errp) || (bus && !bus_admits(bus, dev, errp))) {
        return false;
    }
    if (h && h->pre_plug && !h->pre_plug(opaque, dev, errp)) {
        return false;
    }
    if (!realize_chain(dev, dev->obj.type, errp)) {
        if (h && h->undo_pre_plug) {
            h->undo_pre_plug(opaque, dev);
        }
        return false;
    }
    trace_qdev_realize(dev, dev->obj.type->name);
    dev->realized = true;
    dev->obj.frozen = true;
    if (h && h->plug && !h->plug(opaque, dev, errp)) {
        dev->realized = false;
        dev->obj.frozen = false;
        unrealize_chain(dev, NULL);
        if (h->undo_pre_plug) {
            h->undo_pre_plug(opaque, dev);
        }
        return false;
    }
    return true;
}

bool device_realize(Device *dev, Bus *bus, Error **errp)
{
    const TypeInfo *bus_type = device_bus_type(dev->obj.type);
    bool ours = !dev->obj.parent;

    assert(!dev->realized);
    assert(!bus || object_is(bus, bus_type));
    if (ours) {
        object_add_child(object_container("/machine/unattached"), "device[*]", dev);
    }
    dev->parent_bus = bus;
    if (bus) {
        trace_qdev_update_parent_bus(dev, dev->obj.type->name, bus, bus->obj.name);
        bus_attach_device(bus, dev);
    }
    if (do_realize(dev, bus, errp)) {
        if (dev->hotplugged) {
            device_reset(dev, RESET_COLD);
        }
        return true;
    }
    bus_detach_device(dev);
    if (ours) {
        object_unparent(dev);
    }
    return false;
}

bool device_realize_and_unref(Device *dev, Bus *bus, Error **errp)
{
    bool ok = device_realize(dev, bus, errp);

    object_unref(dev);
    return ok;
}

void device_unrealize(Device *dev)
{
    if (!dev->realized) {
        return;
    }
    for (unsigned i = 0; dev->child_buses && i < dev->child_buses->len; i++) {
        Bus *bus = g_ptr_array_index(dev->child_buses, i);

        while (bus->devices->len) {
            Device *child = g_ptr_array_index(bus->devices, bus->devices->len - 1);

            device_unrealize(child);
            object_unparent(child);
        }
    }
    trace_qdev_unrealize(dev, dev->obj.type->name);
    unrealize_chain(dev, NULL);
    dev->realized = false;
    dev->obj.frozen = false;
    bus_detach_device(dev);
}

Device *device_new(const TypeInfo *type)
{
    return DEVICE(object_new(type));
}

/* --- by the user --- */

/* Other names that -device takes. */
static const char *device_name(const char *driver)
{
    return !strcmp(driver, "ahci") ? "ich9-ahci" : driver;
}

static const TypeInfo *creatable_device_type(const char *driver, bool hotplug, Error **errp)
{
    const TypeInfo *type = type_by_name(device_name(driver));

    if (!type || type->abstract || !type_is_a(type, &device_type)) {
        error_setg(errp, "'%s' is not a valid device model name", driver);
        return NULL;
    }
    if (device_type_is(type, offsetof(DeviceInfo, not_user_creatable))) {
        error_setg(errp, "device '%s' is part of the board and cannot be added", driver);
        return NULL;
    }
    if (hotplug && device_type_is(type, offsetof(DeviceInfo, not_hotpluggable))) {
        error_setg(errp, "Device '%s' does not support hotplugging", driver);
        return NULL;
    }
    return type;
}

/* *@bus is NULL and the result true for devices that sit on no bus. */
static bool bus_for_device(const TypeInfo *type, const char *bus_name, bool hotplug, Bus **bus, Error **errp)
{
    const TypeInfo *bus_type = device_bus_type(type);

    *bus = NULL;
    if (!bus_type) {
        if (bus_name) {
            error_setg(errp, "Device '%s' sits on no bus, yet bus '%s' was given", type->name, bus_name);
        }
        return !bus_name;
    }
    *bus = bus_name ? bus_find(bus_name, bus_type, errp) : bus_find_free(bus_type);
    if (!*bus) {
        if (!bus_name) {
            error_setg(errp, "No '%s' bus found for device '%s'", bus_type->name, type->name);
        }
        return false;
    }
    if (hotplug && !(*bus)->hotplug) {
        error_setg(errp, "Bus '%s' does not support hotplugging", (*bus)->obj.name);
        return false;
    }
    return true;
}

/* An id is a component of the device's path. */
static bool check_id(const char *id, Object *home, Error **errp)
{
    if (!*id || strchr(id, '/')) {
        error_setg(errp, "Parameter 'id' expects an identifier, got '%s'", id);
        return false;
    }
    if (object_child(home, id)) {
        error_setg(errp, "Duplicate device ID '%s'", id);
        return false;
    }
    return true;
}

/* The text of @key, which must be one if it is there. */
static bool get_text(const Value *opts, const char *key, const char **text, Error **errp)
{
    const Value *v = value_dict_get(opts, key);

    if (v && value_type(v) != VALUE_STRING) {
        error_setg(errp, "Invalid parameter type for '%s', expected: string", key);
        return false;
    }
    *text = v ? value_get_string(v) : NULL;
    return true;
}

Device *device_add_from_opts(const Value *opts, bool hotplug, Error **errp)
{
    static const char *const skip[] = { "driver", "id", "bus", NULL };
    const char *driver, *id, *bus_name;
    const TypeInfo *type;
    Object *home;
    Device *dev;
    Bus *bus;

    if (!get_text(opts, "driver", &driver, errp) || !get_text(opts, "id", &id, errp) || !get_text(opts, "bus", &bus_name, errp)) {
        return NULL;
    }
    if (!driver) {
        error_setg(errp, "Parameter 'driver' is missing");
        return NULL;
    }
    home = object_container(id ? "/machine/peripheral" : "/machine/peripheral-anon");
    type = creatable_device_type(driver, hotplug, errp);
    if (!type || !bus_for_device(type, bus_name, hotplug, &bus, errp) || (id && !check_id(id, home, errp))) {
        return NULL;
    }
    dev = device_new(type);
    dev->id = g_strdup(id);
    dev->hotplugged = hotplug;
    object_add_child(home, id ? id : "device[*]", dev);
    if (!object_set_properties_dict(dev, opts, skip, errp) || !device_realize(dev, bus, errp)) {
        object_unparent(dev);
        object_unref(dev);
        return NULL;
    }
    object_unref(dev);
    return dev;
}

Device *device_find(const char *id_or_path, Error **errp)
{
    Object *obj = id_or_path[0] == '/' ? object_resolve_path(id_or_path, NULL)
                                       : object_child(object_container("/machine/peripheral"), id_or_path);

    if (!obj || !object_is(obj, &device_type)) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", id_or_path);
        return NULL;
    }
    return DEVICE(obj);
}

/* --- unplugging --- */

/* Its id, or what else names it. */
static const char *device_label(const Device *dev)
{
    return dev->id ? dev->id : dev->obj.name;
}

static bool unplug_in_process(const Device *dev)
{
    return dev->unplug_pending && (!dev->unplug_retry_ns || clock_get_ns(CLOCK_TYPE_VIRTUAL) < dev->unplug_retry_ns);
}

bool device_may_unplug(Device *dev, Error **errp)
{
    for (const TypeInfo *t = dev->obj.type; type_has_device_info(t); t = t->parent) {
        if (type_device_info(t)->may_unplug && !type_device_info(t)->may_unplug(dev, errp)) {
            return false;
        }
    }
    return true;
}

bool device_del_by_id(const char *id, Error **errp)
{
    Device *dev = device_find(id, errp);
    const HotplugHandler *h;
    void *opaque;

    if (!dev) {
        return false;
    }
    if (unplug_in_process(dev)) {
        error_setg(errp, "Device %s is already in the process of unplug", id);
        return false;
    }
    if (dev->parent_bus && !dev->parent_bus->hotplug) {
        error_setg(errp, "Bus '%s' does not support hotplugging", dev->parent_bus->obj.name);
        return false;
    }
    h = hotplug_handler(dev, &opaque);
    if (!h || !h->unplug_request || !dev->realized || !device_is_hotpluggable(dev)) {
        error_setg(errp, "Device '%s' (%s) does not support hotplugging", device_label(dev), dev->obj.type->name);
        return false;
    }
    if (!device_may_unplug(dev, errp)) {
        return false;
    }
    dev->unplug_pending = true;
    dev->unplug_retry_ns = 0;
    if (!h->unplug_request(opaque, dev, errp)) {
        dev->unplug_pending = false;
        return false;
    }
    return true;
}

void device_set_notify(const DeviceNotify *n)
{
    notify = n;
}

/* What is told of a device that is gone. */
typedef struct Obituary {
    char *id, *path;
} Obituary;

static void obituary_clear(gpointer opaque)
{
    Obituary *o = opaque;

    g_free(o->id);
    g_free(o->path);
}

/* Innermost first: of a PCI form, the virtio device goes before it. */
static void write_obituaries(GArray *list, Device *dev)
{
    Obituary o = { g_strdup(dev->id), object_path(dev) };

    for (unsigned i = 0; dev->child_buses && i < dev->child_buses->len; i++) {
        GPtrArray *devices = ((Bus *)g_ptr_array_index(dev->child_buses, i))->devices;

        for (unsigned j = 0; j < devices->len; j++) {
            write_obituaries(list, g_ptr_array_index(devices, j));
        }
    }
    g_array_append_val(list, o);
}

void device_unplug_done(Device *dev)
{
    g_autoptr(GArray) gone = g_array_new(false, false, sizeof(Obituary));
    void *opaque;
    const HotplugHandler *h = hotplug_handler(dev, &opaque);

    g_array_set_clear_func(gone, obituary_clear);
    write_obituaries(gone, dev);
    if (h && h->unplug) {
        h->unplug(opaque, dev);
    }
    device_unrealize(dev);
    for (unsigned i = 0; notify && i < gone->len; i++) {
        const Obituary *o = &g_array_index(gone, Obituary, i);

        notify->deleted(o->id, o->path);
    }
    object_unparent(dev);
}

void device_unplug_refused(Device *dev)
{
    g_autofree char *path = object_path(dev);

    dev->unplug_pending = false;
    if (notify) {
        notify->unplug_refused(dev->id, path);
    }
}

bool device_sync_config(const char *id, Error **errp)
{
    Device *dev = device_find(id, errp);

    if (!dev) {
        return false;
    }
    if (dev->obj.type->info->embeds) {  /* a form of it: the device is inside */
        dev = (Device *)((char *)dev + dev->obj.type->info->embeds_offset);
    }
    for (const TypeInfo *t = dev->obj.type; t != &object_type; t = t->parent) {
        if (type_device_info(t)->sync_config) {
            return type_device_info(t)->sync_config(dev, errp);
        }
    }
    error_setg(errp, "device-sync-config is not supported for '%s'", dev->obj.type->name);
    return false;
}
