/*
 * QMP commands about the tree of objects, and about types and their properties.
 */
#include "hw/core/qdev.h"
#include "qapi/qapi-commands.h"

/* --- properties of types --- */

static char *property_kind(const Property *p)
{
    if (p->type == &prop_link) {
        return g_strdup_printf("link<%s>", p->link_type->name);
    }
    return g_strdup(p->type->name);
}

static Value *property_default(const Property *p)
{
    if (p->type == &prop_bool || p->type == &prop_bit) {
        return value_bool(p->def != 0);
    }
    if (p->type == &prop_enum) {
        return value_string(p->enum_names[p->def]);
    }
    if (p->type == &prop_int32 || p->type == &prop_int64) {
        return value_int((int64_t)p->def);
    }
    if (p->type == &prop_uint8 || p->type == &prop_uint16 || p->type == &prop_uint32 || p->type == &prop_uint64
        || p->type == &prop_size) {
        return value_uint(p->def);
    }
    return p->def_str ? value_string(p->def_str) : NULL;
}

static bool add_property(const Property *p, void *opaque)
{
    QapiObjectPropertyInfo *info = QAPI_LIST_APPEND((QapiObjectPropertyInfoList *)opaque);

    info->name = g_strdup(p->name);
    info->type = property_kind(p);
    info->description = g_strdup(p->help);
    info->default_value = property_default(p);
    return true;
}

static QapiObjectPropertyInfoList *list_type(const TypeInfo *type)
{
    QapiObjectPropertyInfoList *list = g_new0(QapiObjectPropertyInfoList, 1);

    type_foreach_property(type, add_property, list);
    return list;
}

QapiObjectPropertyInfoList *qmp_qom_list_properties(const QapiQomListPropertiesArgs *args, Error **errp)
{
    const TypeInfo *type = type_by_name(args->q_typename);

    if (!type) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Class '%s' not found", args->q_typename);
        return NULL;
    }
    return list_type(type);
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
    return list_type(type);
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

static bool add_own_property(const Property *p, void *opaque)
{
    add_entry(opaque, p->name, property_kind(p));
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
    QapiObjectPropertyInfoList *list;

    if (!obj) {
        return NULL;
    }
    list = g_new0(QapiObjectPropertyInfoList, 1);
    add_entry(list, "type", g_strdup("string"));
    type_foreach_property(obj->type, add_own_property, list);
    for (unsigned i = 0; obj->dynamic_properties && i < obj->dynamic_properties->len; i++) {
        add_own_property(g_ptr_array_index(obj->dynamic_properties, i), list);
    }
    object_foreach_child(obj, false, add_child, list);
    return list;
}

Value *qmp_qom_get(const QapiQomGetArgs *args, Error **errp)
{
    Object *obj = resolve(args->path, errp);
    Object *child = obj ? object_child(obj, args->property) : NULL;

    if (!obj) {
        return NULL;
    }
    if (!strcmp(args->property, "type")) {
        return value_string(obj->type->name);
    }
    return child ? value_string_take(object_path(child)) : object_property_get(obj, args->property, errp);
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
