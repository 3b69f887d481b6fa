/*
 * QMP commands about the tree of objects, and about types and their properties.
 */
#include "hw/core/qdev.h"
#include "qapi/qapi-commands.h"

/* --- properties of types --- */

/* Devices' defaults are fixed by their type; other objects' may depend on more, so QEMU does not tell them. */
typedef struct TypeListing {
    QapiObjectPropertyInfoList *list;
    bool plain;                 /* no device */
    bool for_device_option;     /* what -device takes only */
} TypeListing;

static bool add_property(const Property *p, void *opaque)
{
    const TypeListing *l = opaque;
    QapiObjectPropertyInfo *info;

    if (l->for_device_option && p->internal) {
        return true;
    }
    info = QAPI_LIST_APPEND(l->list);
    info->name = g_strdup(p->name);
    info->type = property_kind(p, l->plain);
    info->description = g_strdup(p->help);
    info->default_value = !l->plain && p->type->default_value ? p->type->default_value(p) : NULL;
    return true;
}

static QapiObjectPropertyInfoList *list_type(const TypeInfo *type, bool for_device_option)
{
    TypeListing l = {
        .list = g_new0(QapiObjectPropertyInfoList, 1), .plain = !type_is_a(type, &device_type), .for_device_option = for_device_option,
    };

    type_foreach_property(type, add_property, &l);
    return l.list;
}

QapiObjectPropertyInfoList *qmp_qom_list_properties(const QapiQomListPropertiesArgs *args, Error **errp)
{
    const TypeInfo *type = type_by_name(args->q_typename);

    if (!type) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Class '%s' not found", args->q_typename);
        return NULL;
    }
    return list_type(type, false);
}

QapiObjectPropertyInfoList *qmp_device_list_properties(const QapiDeviceListPropertiesArgs *args, Error **errp)
{
    const TypeInfo *type = type_by_name(args->q_typename);

    if (!type) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", args->q_typename);
        return NULL;
    }
    if (type->abstract || !type_is_a(type, &device_type)) {
        error_setg(errp, "Parameter 'typename' expects a non-abstract device type");
        return NULL;
    }
    return list_type(type, true);
}

static bool add_type(const TypeInfo *type, void *opaque)
{
    QapiObjectTypeInfo *info = QAPI_LIST_APPEND((QapiObjectTypeInfoList *)opaque);

    info->name = g_strdup(type->name);
    info->has_abstract = info->abstract = type->abstract;
    info->parent = type->parent ? g_strdup(type->parent->name) : NULL;
    return true;
}

QapiObjectTypeInfoList *qmp_qom_list_types(const QapiQomListTypesArgs *args, Error **errp)
{
    QapiObjectTypeInfoList *list = g_new0(QapiObjectTypeInfoList, 1);
    const TypeInfo *base = args->implements ? type_by_name(args->implements) : NULL;

    if (base || !args->implements) {
        type_foreach(base, args->has_abstract && args->abstract, add_type, list);
    }
    return list;
}

/* --- the tree --- */

static Object *resolve(const char *path, Error **errp)
{
    bool ambiguous = false;
    Object *obj = object_resolve_path(path, &ambiguous);

    if (ambiguous) {
        error_setg(errp, "Path '%s' is ambiguous", path);
        return NULL;
    }
    if (!obj) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", path);
    }
    return obj;
}

static void add_entry(QapiObjectPropertyInfoList *list, const char *name, char *type)
{
    QapiObjectPropertyInfo *info = QAPI_LIST_APPEND(list);

    info->name = g_strdup(name);
    info->type = type;
}

typedef struct ObjectListing {
    QapiObjectPropertyInfoList *list;
    bool plain;
} ObjectListing;

static bool add_own_property(const Property *p, void *opaque)
{
    const ObjectListing *l = opaque;

    add_entry(l->list, p->name, property_kind(p, l->plain));
    return true;
}

static bool add_child(Object *child, void *opaque)
{
    add_entry(opaque, child->name, g_strdup_printf("child<%s>", child->type->name));
    return true;
}

QapiObjectPropertyInfoList *qmp_qom_list(const QapiQomListArgs *args, Error **errp)
{
    Object *obj = resolve(args->path, errp);
    ObjectListing l = { 0 };

    if (!obj) {
        return NULL;
    }
    l.list = g_new0(QapiObjectPropertyInfoList, 1);
    l.plain = !object_is(obj, &device_type);
    type_foreach_property(obj->type, add_own_property, &l);
    for (unsigned i = 0; obj->dynamic_properties && i < obj->dynamic_properties->len; i++) {
        add_own_property(g_ptr_array_index(obj->dynamic_properties, i), &l);
    }
    object_foreach_child(obj, false, add_child, l.list);
    return l.list;
}

Value *qmp_qom_get(const QapiQomGetArgs *args, Error **errp)
{
    Object *obj = resolve(args->path, errp);
    Object *child = obj ? object_child(obj, args->property) : NULL;
    Value *v;

    if (!obj) {
        return NULL;
    }
    v = child ? value_string_take(object_path(child)) : object_property_get(obj, args->property, errp);
    if (v && value_type(v) == VALUE_NULL) {     /* a text that is not set */
        value_unref(v);
        v = value_string("");
    }
    return v;
}

bool qmp_qom_set(const QapiQomSetArgs *args, Error **errp)
{
    Object *obj = resolve(args->path, errp);

    return obj && object_property_set(obj, args->property, args->value, errp);
}

bool qmp_object_add(const Value *args, Error **errp)
{
    return user_creatable_add(args, errp) != NULL;
}

bool qmp_object_del(const QapiObjectDelArgs *args, Error **errp)
{
    return user_creatable_del(args->id, errp);
}
