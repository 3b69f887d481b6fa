/*
 * -object / object-add: objects that users make and delete by id under /objects.
 */
#include "util/qom/object.h"

#include "util/identifier.h"

static bool complete_chain(Object *obj, const TypeInfo *type, Error **errp)
{
    if (type->parent && !complete_chain(obj, type->parent, errp)) {
        return false;
    }
    return !type->info->complete || type->info->complete(obj, errp);
}

typedef struct FindMissing {
    const Value *props;
    const char *missing;
} FindMissing;

static bool find_missing(const Property *p, void *opaque)
{
    FindMissing *f = opaque;

    f->missing = p->required && !value_dict_get(f->props, p->name) ? p->name : NULL;
    return !f->missing;
}

static bool check_required(const TypeInfo *type, const Value *props, Error **errp)
{
    FindMissing f = { .props = props };

    type_foreach_property(type, find_missing, &f);
    if (f.missing) {
        error_setg(errp, "Parameter '%s' is missing", f.missing);
    }
    return !f.missing;
}

Object *user_creatable_add(const Value *props, Error **errp)
{
    static const char *const skip[] = { "qom-type", "id", NULL };
    const char *type_name = value_dict_get_str(props, "qom-type"), *id = value_dict_get_str(props, "id");
    Object *objects = object_container("/objects");
    g_autoptr(Object) obj = NULL;
    const TypeInfo *type;

    if (!type_name || !id) {
        error_setg(errp, "an object needs '%s'", type_name ? "id" : "qom-type");
        return NULL;
    }
    type = type_by_name(type_name);
    if (!type || type->abstract || !type->info->user_creatable) {
        error_setg(errp, "'%s' is no object type that can be created (see -object help)", type_name);
        return NULL;
    }
    if (!identifier_is_wellformed(id)) {
        error_setg(errp, "'%s' is no valid id: want a letter, then letters, digits, '-', '.', '_'", id);
        return NULL;
    }
    if (object_child(objects, id)) {
        error_setg(errp, "object id '%s' is already in use", id);
        return NULL;
    }
    if (!check_required(type, props, errp)) {
        return NULL;
    }
    obj = object_new(type);
    if (!object_set_properties_dict(obj, props, skip, errp)) {
        return NULL;
    }
    object_add_child(objects, id, obj);
    if (!complete_chain(obj, type, errp)) {
        object_unparent(obj);
        return NULL;
    }
    return obj;     /* the tree holds its own reference; the cleanup drops ours */
}

bool user_creatable_del(const char *id, Error **errp)
{
    Object *obj = object_child(object_container("/objects"), id);

    if (!obj) {
        error_setg(errp, "object '%s' not found", id);
        return false;
    }
    if (obj->ref > 1) {
        error_setg(errp, "object '%s' is in use", id);
        return false;
    }
    object_unparent(obj);
    return true;
}
