/*
 * Devices: life, -device, unplug.
 */
#include "hw/core/qdev.h"
#include "qdev-internal.h"

const VMState vmstate_none = { .name = "none", .version = 1, .minimum_version = 1, .fields = (const VMField[]){ VMS_END } };

static void (*deleted_notify)(const char *id, const char *path);

static void device_fini(Object *obj)
{
    Device *dev = DEVICE(obj);

    assert(!dev->realized);
    g_free(dev->id);
    if (dev->child_buses) {
        g_ptr_array_unref(dev->child_buses);
    }
}

TYPE_DEFINE_FAMILY(DeviceInfo, Device, device, "device", object, true,
    .fini = device_fini,
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

static bool do_realize(Device *dev, Bus *bus, const HotplugHandler *h, Error **errp)
{
    if (!check_required(dev, dev->obj.type, errp) || (bus && !bus_admits(bus, dev, errp))) {
        return false;
    }
    if (h && h->pre_plug && !h->pre_plug(bus->hotplug_opaque, dev, errp)) {
        return false;
    }
    if (!realize_chain(dev, dev->obj.type, errp)) {
        return false;
    }
    dev->realized = true;
    dev->obj.frozen = true;
    if (h && h->plug && !h->plug(bus->hotplug_opaque, dev, errp)) {
        dev->realized = false;
        dev->obj.frozen = false;
        unrealize_chain(dev, NULL);
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
        g_ptr_array_add(bus->devices, dev);
    }
    if (do_realize(dev, bus, bus ? bus->hotplug : NULL, errp)) {
        if (dev->hotplugged) {
            device_reset(dev, RESET_COLD);
        }
        return true;
    }
    if (bus) {
        g_ptr_array_remove(bus->devices, dev);
        dev->parent_bus = NULL;
    }
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
    unrealize_chain(dev, NULL);
    dev->realized = false;
    dev->obj.frozen = false;
    if (dev->parent_bus) {
        g_ptr_array_remove(dev->parent_bus->devices, dev);
        dev->parent_bus = NULL;
    }
}

Device *device_new(const TypeInfo *type)
{
    return DEVICE(object_new(type));
}

/* --- by the user --- */

static const TypeInfo *creatable_device_type(const char *driver, bool hotplug, Error **errp)
{
    const TypeInfo *type = type_by_name(driver);

    if (!type || type->abstract || !type_is_a(type, &device_type)) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "'%s' is not a valid device model name", driver);
        return NULL;
    }
    for (const TypeInfo *t = type; type_has_device_info(t); t = t->parent) {
        if (type_device_info(t)->not_user_creatable) {
            error_setg(errp, "device '%s' is part of the board and cannot be added", driver);
            return NULL;
        }
        if (hotplug && type_device_info(t)->not_hotpluggable) {
            error_setg(errp, "device '%s' does not support hotplugging", driver);
            return NULL;
        }
    }
    return type;
}

static Bus *bus_for_device(const TypeInfo *type, const char *bus_name, bool hotplug, Error **errp)
{
    const TypeInfo *bus_type = device_bus_type(type);
    Bus *bus;

    if (!bus_type) {
        if (bus_name) {
            error_setg(errp, "device '%s' sits on no bus, yet bus '%s' was given", type->name, bus_name);
        }
        return NULL;
    }
    bus = bus_name ? bus_find(bus_name, bus_type, errp) : bus_find_free(bus_type);
    if (!bus) {
        if (!bus_name) {
            error_setg(errp, "no free '%s' bus for device '%s'", bus_type->name, type->name);
        }
        return NULL;
    }
    if (hotplug && !bus->hotplug) {
        error_setg(errp, "bus '%s' does not support hotplugging", bus->obj.name);
        return NULL;
    }
    return bus;
}

Device *device_add_from_opts(const Value *opts, bool hotplug, Error **errp)
{
    static const char *const skip[] = { "driver", "id", "bus", NULL };
    const char *driver = value_dict_get_str(opts, "driver"), *id = value_dict_get_str(opts, "id");
    Object *home = object_container(id ? "/machine/peripheral" : "/machine/peripheral-anon");
    const TypeInfo *type;
    Device *dev;
    Bus *bus;

    if (!driver) {
        error_setg(errp, "parameter 'driver' is missing");
        return NULL;
    }
    type = creatable_device_type(driver, hotplug, errp);
    if (!type) {
        return NULL;
    }
    bus = bus_for_device(type, value_dict_get_str(opts, "bus"), hotplug, errp);
    if (!bus && (device_bus_type(type) || value_dict_get(opts, "bus"))) {
        return NULL;
    }
    if (id && object_child(home, id)) {
        error_setg(errp, "device id '%s' is already in use", id);
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

bool device_del_by_id(const char *id, Error **errp)
{
    Device *dev = device_find(id, errp);
    const HotplugHandler *h;

    if (!dev) {
        return false;
    }
    h = dev->parent_bus ? dev->parent_bus->hotplug : NULL;
    if (!h || !h->unplug_request) {
        error_setg(errp, "device '%s' (%s) cannot be unplugged", id, dev->obj.type->name);
        return false;
    }
    dev->pending_deleted_event = true;
    return h->unplug_request(dev->parent_bus->hotplug_opaque, dev, errp);
}

void device_set_deleted_notify(void (*fn)(const char *id, const char *path))
{
    deleted_notify = fn;
}

void device_unplug_done(Device *dev)
{
    g_autofree char *path = object_path(dev);
    const HotplugHandler *h = dev->parent_bus ? dev->parent_bus->hotplug : NULL;

    if (h && h->unplug) {
        h->unplug(dev->parent_bus->hotplug_opaque, dev);
    }
    device_unrealize(dev);
    if (deleted_notify) {
        deleted_notify(dev->id, path);
    }
    object_unparent(dev);
}
