/*
 * Buses: what devices sit on.
 */
#include "hw/core/qdev.h"
#include "qdev-internal.h"

static void bus_init(Object *obj)
{
    BUS(obj)->devices = g_ptr_array_new();
}

static void bus_fini(Object *obj)
{
    Device *parent = BUS(obj)->parent_dev;

    if (parent && parent->child_buses) {
        g_ptr_array_remove(parent->child_buses, obj);
    }
    g_ptr_array_unref(BUS(obj)->devices);
}

static Value *get_realized(Object *obj, const Property *p)
{
    const Device *parent = BUS(obj)->parent_dev;

    return value_bool(!parent || parent->realized);
}

static const Property bus_properties[] = {
    PROP_CUSTOM(bool, "realized", get_realized, NULL, .internal = true),
};

TYPE_DEFINE_FAMILY(BusInfo, Bus, bus, "bus", object, true,
    .init       = bus_init,
    .fini       = bus_fini,
    .properties = PROPS(bus_properties),
)

/* --- members, each with a link "child[N]" that the tree shows --- */

static Value *get_child(Object *obj, const Property *p)
{
    const Bus *bus = BUS(obj);

    for (unsigned i = 0; i < bus->devices->len; i++) {
        Device *dev = g_ptr_array_index(bus->devices, i);

        if (dev->bus_slot == p->bit) {
            return value_string_take(object_path(dev));
        }
    }
    return value_string("");
}

void bus_attach_device(Bus *bus, Device *dev)
{
    g_autofree char *name = g_strdup_printf("child[%u]", bus->next_slot);
    g_autofree char *shown = g_strdup_printf("link<%s>", dev->obj.type->name);
    Property p = { .name = name, .type = &prop_custom_any, .shown = shown, .bit = bus->next_slot, .get = get_child };

    dev->bus_slot = bus->next_slot++;
    g_ptr_array_add(bus->devices, dev);
    object_property_add(bus, &p);
}

void bus_detach_device(Device *dev)
{
    Bus *bus = dev->parent_bus;
    g_autofree char *name = g_strdup_printf("child[%u]", dev->bus_slot);

    if (bus) {
        g_ptr_array_remove(bus->devices, dev);
        object_property_del(bus, name);
        dev->parent_bus = NULL;
    }
}

static void bus_attach(Bus *bus, Device *parent, const char *name)
{
    object_add_child(parent ? &parent->obj : object_container("/machine/unattached"), name, bus);
    bus->parent_dev = parent;
    if (parent) {
        if (!parent->child_buses) {
            parent->child_buses = g_ptr_array_new();
        }
        g_ptr_array_add(parent->child_buses, bus);
    }
}

Bus *bus_new(const TypeInfo *type, Device *parent, const char *name)
{
    Bus *bus = BUS(object_new(type));

    bus_attach(bus, parent, name);
    object_unref(bus);
    return bus;
}

void bus_init_embedded(void *mem, const TypeInfo *type, Device *parent, const char *name)
{
    object_init_embedded(mem, type);
    bus_attach(mem, parent, name);
    object_unref(mem);
}

void bus_set_hotplug_handler(Bus *bus, const HotplugHandler *h, void *opaque)
{
    bus->hotplug = h;
    bus->hotplug_opaque = opaque;
}

typedef struct BusSearch {
    const TypeInfo *type;
    const char *name;       /* NULL = any with room */
    Bus *found;
} BusSearch;

static bool bus_has_room(const Bus *bus)
{
    const BusInfo *info = (const BusInfo *)bus->obj.type->info;

    return !bus->full && (!info->max_devices || bus->devices->len < info->max_devices);
}

static bool bus_search_one(Object *obj, void *opaque)
{
    BusSearch *s = opaque;

    if (!s->found && object_is(obj, s->name ? &bus_type : s->type)) {
        Bus *bus = BUS(obj);

        if (s->name ? !strcmp(obj->name, s->name) : bus_has_room(bus)) {
            s->found = bus;
        }
    }
    return !s->found;
}

Bus *bus_find_free(const TypeInfo *type)
{
    BusSearch s = { .type = type };

    object_foreach_child(object_container("/machine"), true, bus_search_one, &s);
    return s.found;
}

/* The only bus of the device called @id ("-device x,bus=port1" names the port). */
static Bus *bus_of_device(const char *id)
{
    Object *obj = object_child(object_container("/machine/peripheral"), id);
    Device *dev = obj && object_is(obj, &device_type) ? DEVICE(obj) : NULL;

    return dev && dev->child_buses && dev->child_buses->len == 1 ? g_ptr_array_index(dev->child_buses, 0) : NULL;
}

Bus *bus_find(const char *name, const TypeInfo *type, Error **errp)
{
    BusSearch s = { .name = name };

    if (name[0] == '/') {
        Object *obj = object_resolve_path(name, NULL);

        s.found = obj && object_is(obj, &bus_type) ? BUS(obj) : NULL;
    } else {
        object_foreach_child(object_container("/machine"), true, bus_search_one, &s);
        if (!s.found) {
            s.found = bus_of_device(name);
        }
    }
    if (!s.found) {
        error_setg(errp, "Bus '%s' not found", name);
        return NULL;
    }
    if (!object_is(s.found, type)) {
        error_setg(errp, "bus '%s' is a %s, the device needs a %s", name, s.found->obj.type->name, type->name);
        return NULL;
    }
    return s.found;
}
