/*
 * The boot order as firmware reads it (fw_cfg file "bootorder").
 *
 * Reference: IEEE 1275 device paths: each bus names its devices (BusInfo.fw_name), from the host bridge down.
 */
#include "hw/core/bootorder.h"

typedef struct BootDevice {
    Device *dev;
    int32_t index;
} BootDevice;

static int32_t bootindex_of(Object *obj)
{
    const Property *p = object_is(obj, &device_type) ? type_find_property(obj->type, "bootindex") : NULL;

    /* A form around the device that has it would count it twice. */
    if (!p || p->changed != bootindex_changed || obj->type->info->embeds) {
        return -1;
    }
    return *(const int32_t *)((const char *)obj + p->offset);
}

/* --- one device, one index --- */

typedef struct Clash {
    const Object *obj;
    int32_t index;
    Object *other;
} Clash;

static bool find_clash(Object *obj, void *opaque)
{
    Clash *c = opaque;

    if (obj != c->obj && bootindex_of(obj) == c->index) {
        c->other = obj;
    }
    return !c->other;
}

bool bootindex_changed(Object *obj, const Property *p, Error **errp)
{
    Clash c = { .obj = obj, .index = *(const int32_t *)((const char *)obj + p->offset) };

    if (c.index >= 0) {
        object_foreach_child(object_container("/machine"), true, find_clash, &c);
    }
    if (c.other) {
        g_autofree char *path = object_path(c.other);

        error_setg(errp, "must be unique: %" PRId32 " is that of '%s'", c.index, path);
        return false;
    }
    return true;
}

/* --- the list --- */

static bool collect(Object *obj, void *opaque)
{
    BootDevice d = { .index = bootindex_of(obj) };

    if (d.index >= 0) {
        d.dev = DEVICE(obj);
        g_array_append_val((GArray *)opaque, d);
    }
    return true;
}

static int by_index(const void *a, const void *b)
{
    const BootDevice *x = a, *y = b;

    return x->index < y->index ? -1 : x->index > y->index;
}

static void append_path(GString *s, Device *dev)
{
    Bus *bus = dev->parent_bus;
    const BusInfo *info = bus ? (const BusInfo *)bus->obj.type->info : NULL;

    if (bus && bus->parent_dev) {
        append_path(s, bus->parent_dev);
    }
    if (info && info->fw_name) {
        g_autofree char *name = info->fw_name(bus, dev);

        g_string_append_printf(s, "/%s", name);
    }
    if (device_info(dev)->boot_part) {
        g_string_append_printf(s, "/%s", device_info(dev)->boot_part);
    }
}

char *bootorder_list(bool strict, size_t *len)
{
    g_autoptr(GArray) found = g_array_new(false, false, sizeof(BootDevice));
    GString *s = g_string_new(NULL);

    object_foreach_child(object_container("/machine"), true, collect, found);
    g_array_sort(found, by_index);
    for (unsigned i = 0; i < found->len; i++) {
        g_string_append(s, i ? "\n" : "");
        append_path(s, g_array_index(found, BootDevice, i).dev);
    }
    if (strict) {
        g_string_append(s, s->len ? "\nHALT" : "HALT");
    }
    *len = s->len ? s->len + 1 : 0;
    return g_string_free(s, !s->len);
}
