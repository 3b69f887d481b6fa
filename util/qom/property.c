/*
 * Properties of objects: lookup, checked setting, -global defaults.
 */
#include "property-internal.h"

/* --- lookup --- */

static const Property *chain_find_property(const TypeInfo *type, const char *name)
{
    for (; type; type = type->parent) {
        for (unsigned i = 0; i < type->info->n_properties; i++) {
            if (!strcmp(type->info->properties[i].name, name)) {
                return &type->info->properties[i];
            }
        }
    }
    return NULL;
}

const Property *type_find_property(const TypeInfo *type, const char *name)
{
    const Property *p = chain_find_property(type, name);

    return p || !type->info->embeds ? p : type_find_property(type->info->embeds, name);
}

/* @outer: the type around it, whose ancestors' properties are not told again; or NULL. */
static bool chain_foreach_property(const TypeInfo *type, const TypeInfo *outer,
                                   bool (*fn)(const Property *p, void *opaque), void *opaque)
{
    if (outer && type_is_a(outer, type)) {
        return true;
    }
    if (type->parent && !chain_foreach_property(type->parent, outer, fn, opaque)) {
        return false;
    }
    for (unsigned i = 0; i < type->info->n_properties; i++) {
        if (!fn(&type->info->properties[i], opaque)) {
            return false;
        }
    }
    return true;
}

void type_foreach_property(const TypeInfo *type, bool (*fn)(const Property *p, void *opaque), void *opaque)
{
    if (chain_foreach_property(type, NULL, fn, opaque) && type->info->embeds) {
        chain_foreach_property(type->info->embeds, type, fn, opaque);
    }
}

/* @obj moves to the object inside if the property is that one's. */
static const Property *object_find_property(Object **objp, const char *name)
{
    Object *obj = *objp;
    const Property *p;

    for (unsigned i = 0; obj->dynamic_properties && i < obj->dynamic_properties->len; i++) {
        p = g_ptr_array_index(obj->dynamic_properties, i);
        if (!strcmp(p->name, name)) {
            return p;
        }
    }
    p = chain_find_property(obj->type, name);
    if (!p && obj->type->info->embeds) {
        *objp = (Object *)((char *)obj + obj->type->info->embeds_offset);
        p = object_find_property(objp, name);
    }
    return p;
}

static const Property *object_want_property(Object **objp, const char *name, Error **errp)
{
    const char *type_name = (*objp)->type->name;
    const Property *p = object_find_property(objp, name);

    if (!p) {
        error_setg(errp, "%s has no property '%s'", type_name, name);
    }
    return p;
}

static void dynamic_property_free(gpointer opaque)
{
    Property *p = opaque;

    g_free((char *)p->name);
    g_free((char *)p->shown);
    g_free(p);
}

void object_property_add(void *opaque, const Property *p)
{
    Object *obj = opaque;
    Property *copy = g_memdup2(p, sizeof(*p));

    assert(!object_find_property(&(Object *){ obj }, p->name));
    copy->name = g_strdup(p->name);
    copy->shown = g_strdup(p->shown);
    if (!obj->dynamic_properties) {
        obj->dynamic_properties = g_ptr_array_new_with_free_func(dynamic_property_free);
    }
    g_ptr_array_add(obj->dynamic_properties, copy);
}

void object_property_del(void *opaque, const char *name)
{
    GPtrArray *list = ((Object *)opaque)->dynamic_properties;

    for (unsigned i = 0; list && i < list->len; i++) {
        if (!strcmp(((const Property *)g_ptr_array_index(list, i))->name, name)) {
            g_ptr_array_remove_index(list, i);
            return;
        }
    }
}

/* --- setting and getting --- */

static bool property_is_settable(Object *obj, const Property *p, const char *type_name, Error **errp)
{
    if (p->read_only || (p->get && !p->set)) {     /* computed ones need a setter of their own */
        error_setg(errp, "%s.%s is read-only", type_name, p->name);
        return false;
    }
    if (obj->frozen && !p->settable_live) {
        error_setg(errp, "%s.%s cannot be changed once the device is in use", type_name, p->name);
        return false;
    }
    return true;
}

/* Store and let .changed refuse, in which case the old value comes back. */
static bool property_store(Object *obj, const Property *p, const Value *value, Error **errp)
{
    g_autoptr(Value) old = NULL;

    if (!p->changed) {
        return p->type->set(obj, p, value, errp);
    }
    old = p->type->get(obj, p);
    if (!p->type->set(obj, p, value, errp)) {
        return false;
    }
    if (!p->changed(obj, p, errp)) {
        bool restored = p->type->set(obj, p, old, NULL);

        assert(restored);
        return false;
    }
    return true;
}

bool object_property_set(void *opaque, const char *name, const Value *value, Error **errp)
{
    Object *obj = opaque;
    const char *type_name = obj->type->name;
    const Property *p = object_want_property(&obj, name, errp);
    Error *err = NULL;

    if (!p || !property_is_settable(obj, p, type_name, errp)) {
        return false;
    }
    if (!property_store(obj, p, value, &err)) {
        error_prepend(&err, "%s.%s ", type_name, name);
        error_propagate(errp, err);
        return false;
    }
    return true;
}

bool object_property_parse(void *opaque, const char *name, const char *text, Error **errp)
{
    Object *obj = opaque;
    const Property *p = object_want_property(&obj, name, errp);
    g_autoptr(Value) v = NULL;
    Error *err = NULL;

    if (!p) {
        return false;
    }
    v = p->type->parse ? p->type->parse(p, text, &err) : value_string(text);
    if (!v) {
        error_prepend(&err, "%s.%s ", ((Object *)opaque)->type->name, name);
        error_propagate(errp, err);
        return false;
    }
    return object_property_set(opaque, name, v, errp);
}

Value *object_property_get(void *opaque, const char *name, Error **errp)
{
    Object *obj = opaque;
    const char *type_name = obj->type->name;
    const Property *p = object_want_property(&obj, name, errp);

    if (p && p->set && !p->get) {
        error_setg(errp, "%s.%s is write-only", type_name, name);
        return NULL;
    }
    return p ? p->type->get(obj, p) : NULL;
}

bool object_property_set_bool(void *obj, const char *name, bool b, Error **errp)
{
    g_autoptr(Value) v = value_bool(b);

    return object_property_set(obj, name, v, errp);
}

bool object_property_set_uint(void *obj, const char *name, uint64_t u, Error **errp)
{
    g_autoptr(Value) v = value_uint(u);

    return object_property_set(obj, name, v, errp);
}

bool object_property_set_str(void *obj, const char *name, const char *s, Error **errp)
{
    g_autoptr(Value) v = value_string(s);

    return object_property_set(obj, name, v, errp);
}

bool object_property_set_link(void *opaque, const char *name, void *target, Error **errp)
{
    Object *obj = opaque;
    const char *type_name = obj->type->name;
    const Property *p = object_want_property(&obj, name, errp);

    if (!p || !property_is_settable(obj, p, type_name, errp)) {
        return false;
    }
    assert(p->type == &prop_link);
    if (target && !object_is(target, p->link_type)) {
        error_setg(errp, "%s.%s must be a %s, got a %s", type_name, name, p->link_type->name,
                   ((Object *)target)->type->name);
        return false;
    }
    link_property_store(obj, p, target);
    return true;
}

/* A string value may be command-line text; whatever the property's kind, text is parsed. */
static bool set_value_or_text(Object *obj, const char *name, const Value *v, Error **errp)
{
    const Property *p = object_find_property(&(Object *){ obj }, name);

    if (p && p->type->parse && value_type(v) == VALUE_STRING) {
        return object_property_parse(obj, name, value_get_string(v), errp);
    }
    return object_property_set(obj, name, v, errp);
}

bool object_set_properties_dict(void *obj, const Value *dict, const char *const *skip, Error **errp)
{
    for (size_t i = 0; i < value_dict_len(dict); i++) {
        const char *key = value_dict_key_at(dict, i);

        if (skip && g_strv_contains(skip, key)) {
            continue;
        }
        if (!set_value_or_text(obj, key, value_dict_value_at(dict, i), errp)) {
            return false;
        }
    }
    return true;
}

/* --- defaults, release --- */

static bool default_one(const Property *p, void *opaque)
{
    if (p->type->set_default) {
        p->type->set_default(opaque, p);
    }
    return true;
}

void object_properties_set_defaults(Object *obj)
{
    chain_foreach_property(obj->type, NULL, default_one, obj);
}

static bool release_one(const Property *p, void *opaque)
{
    if (p->type->release) {
        p->type->release(opaque, p);
    }
    return true;
}

void object_properties_release(Object *obj)
{
    chain_foreach_property(obj->type, NULL, release_one, obj);
    if (obj->dynamic_properties) {
        g_ptr_array_unref(obj->dynamic_properties);
        obj->dynamic_properties = NULL;
    }
}

/* --- -global --- */

typedef struct GlobalProperty {
    char *type_name, *name, *value;
    bool used;
} GlobalProperty;

static GArray *globals;         /* set up by the command line before any device exists */

void object_global_property_add(const char *type_name, const char *prop, const char *value)
{
    GlobalProperty g = { g_strdup(type_name), g_strdup(prop), g_strdup(value), false };

    if (!globals) {
        globals = g_array_new(false, false, sizeof(GlobalProperty));
    }
    g_array_append_val(globals, g);
}

void object_global_properties_apply(Object *obj)
{
    for (unsigned i = 0; globals && i < globals->len; i++) {
        GlobalProperty *g = &g_array_index(globals, GlobalProperty, i);
        const TypeInfo *type = type_by_name(g->type_name);

        if (type && type_is_a(obj->type, type)) {
            Error *err = NULL;

            g->used = true;
            if (!object_property_parse(obj, g->name, g->value, &err)) {
                error_prepend(&err, "-global %s.%s=%s: ", g->type_name, g->name, g->value);
                error_report_err(err);
                exit(1);
            }
        }
    }
}

void object_global_properties_clear(void)
{
    for (unsigned i = 0; globals && i < globals->len; i++) {
        GlobalProperty *g = &g_array_index(globals, GlobalProperty, i);

        g_free(g->type_name);
        g_free(g->name);
        g_free(g->value);
    }
    g_clear_pointer(&globals, g_array_unref);
}

void object_global_properties_check(void)
{
    for (unsigned i = 0; globals && i < globals->len; i++) {
        GlobalProperty *g = &g_array_index(globals, GlobalProperty, i);

        if (!g->used) {
            warn_report("-global %s.%s=%s: no such device was created", g->type_name, g->name, g->value);
        }
    }
}

/* --- what they are called --- */

char *property_kind(const Property *p, bool plain)
{
    if (p->shown) {
        return g_strdup(p->shown);
    }
    if (p->type == &prop_link) {
        return g_strdup_printf("link<%s>", p->link_type->name);
    }
    return g_strdup(plain && p->type->plain_name ? p->type->plain_name : p->type->name);
}

/* --- help --- */

static bool print_one(const Property *p, void *opaque)
{
    FILE *f = opaque;

    if (p->internal) {
        return true;
    }
    fprintf(f, "  %s=<%s>", p->name, p->shown ? p->shown : p->type->name);
    if (p->help) {
        fprintf(f, " - %s", p->help);
    }
    if (p->unit) {
        fprintf(f, " [%s]", p->unit);
    }
    if (p->type == &prop_bool || p->type == &prop_bit) {
        fprintf(f, " (default: %s)", p->def ? "on" : "off");
    } else if (p->type == &prop_enum) {
        fprintf(f, " (default: %s)", p->enum_names[p->def]);
    } else if (p->def_str) {
        fprintf(f, " (default: %s)", p->def_str);
    } else if (p->def && p->type->set_default) {
        fprintf(f, " (default: %" PRIu64 ")", p->def);
    }
    fputc('\n', f);
    return true;
}

void type_print_properties(const TypeInfo *type, FILE *f)
{
    type_foreach_property(type, print_one, f);
}
