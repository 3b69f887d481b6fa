/*
 * The object model: type lookup, life of objects, the tree.
 *
 * Types are constant tables whose addresses lie in the linker section "quern_types"; they are
 * sorted by name once, on the first lookup by name.
 */
#include "util/qom/object.h"
#include "property-internal.h"

static Value *get_type(Object *obj, const Property *p)
{
    return value_string(obj->type->name);
}

static const Property object_properties[] = {
    PROP_CUSTOM(str, "type", get_type, NULL, .internal = true),
};

static const ObjectInfo object_type_info = { .desc = "root of all types", .properties = PROPS(object_properties) };
const TypeInfo object_type = {
    .name = "object", .instance_size = sizeof(Object), .abstract = true, .info = &object_type_info,
};
TYPE_REGISTER(object)

TYPE_DEFINE(Object, container, "container", object, .desc = "node of the object tree")

extern const TypeInfo *const __start_quern_types[];
extern const TypeInfo *const __stop_quern_types[];

/* --- types --- */

typedef struct TypeTable {
    const TypeInfo **types;
    size_t n;
} TypeTable;

static int type_compare(const void *a, const void *b)
{
    return strcmp((*(const TypeInfo *const *)a)->name, (*(const TypeInfo *const *)b)->name);
}

static const TypeTable *type_table(void)
{
    static TypeTable table;
    static gsize ready;

    if (g_once_init_enter(&ready)) {
        table.n = __stop_quern_types - __start_quern_types;
        table.types = g_memdup2(__start_quern_types, table.n * sizeof(*table.types));
        qsort(table.types, table.n, sizeof(*table.types), type_compare);
        for (size_t i = 1; i < table.n; i++) {
            assert(type_compare(&table.types[i - 1], &table.types[i]) && "two types of one name");
        }
        g_once_init_leave(&ready, 1);
    }
    return &table;
}

const TypeInfo *type_by_name(const char *name)
{
    const TypeTable *t = type_table();
    TypeInfo key = { .name = name }, *pkey = &key;
    const TypeInfo **found = bsearch(&pkey, t->types, t->n, sizeof(*t->types), type_compare);

    return found ? *found : NULL;
}

static bool type_has_interface(const TypeInfo *type, const TypeInfo *iface)
{
    for (const TypeInfo *const *i = type->info->interfaces; i && *i; i++) {
        if (*i == iface) {
            return true;
        }
    }
    return false;
}

bool type_is_a(const TypeInfo *type, const TypeInfo *ancestor)
{
    for (; type; type = type->parent) {
        if (type == ancestor || type_has_interface(type, ancestor)) {
            return true;
        }
    }
    return false;
}

void type_foreach(const TypeInfo *base, bool include_abstract,
                  bool (*fn)(const TypeInfo *type, void *opaque), void *opaque)
{
    const TypeTable *t = type_table();

    for (size_t i = 0; i < t->n; i++) {
        const TypeInfo *type = t->types[i];

        if ((!base || type_is_a(type, base)) && (include_abstract || !type->abstract) && !fn(type, opaque)) {
            return;
        }
    }
}

static size_t type_instance_size(const TypeInfo *type)
{
    while (!type->instance_size) {
        type = type->parent;
    }
    return type->instance_size;
}

/* --- life --- */

static void object_run_init(Object *obj, const TypeInfo *type)
{
    if (type->parent) {
        object_run_init(obj, type->parent);
    }
    if (type->info->init) {
        type->info->init(obj);
    }
}

static void object_setup(Object *obj, const TypeInfo *type)
{
    assert(!type->abstract);
    obj->type = type;
    obj->ref = 1;
    object_properties_set_defaults(obj);
    object_run_init(obj, type);
    object_global_properties_apply(obj);
}

Object *object_new(const TypeInfo *type)
{
    size_t size = type_instance_size(type);
    void *mem;

    if (posix_memalign(&mem, 64, size)) {
        g_error("out of memory: %zu bytes for a %s", size, type->name);
    }
    memset(mem, 0, size);
    object_setup(mem, type);
    return mem;
}

void object_init_embedded(void *mem, const TypeInfo *type)
{
    Object *obj = mem;

    obj->embedded = true;
    object_setup(obj, type);
}

Object *object_ref(void *obj)
{
    if (obj) {
        ((Object *)obj)->ref++;
    }
    return obj;
}

static void object_drop_children(Object *obj)
{
    while (obj->children && obj->children->len) {
        object_unparent(g_ptr_array_index(obj->children, obj->children->len - 1));
    }
}

static void object_finalize(Object *obj)
{
    assert(!obj->parent);
    object_drop_children(obj);
    for (const TypeInfo *t = obj->type; t; t = t->parent) {
        if (t->info->fini) {
            t->info->fini(obj);
        }
    }
    object_properties_release(obj);
    if (obj->children) {
        g_ptr_array_unref(obj->children);
    }
    if (!obj->embedded) {
        free(obj);
    }
}

void object_unref(void *opaque)
{
    Object *obj = opaque;

    if (obj) {
        assert(obj->ref > 0);
        if (--obj->ref == 0) {
            object_finalize(obj);
        }
    }
}

void *object_check_cast(const void *opaque, const TypeInfo *type)
{
    const Object *obj = opaque;

    if (obj && unlikely(!type_is_a(obj->type, type))) {
        fprintf(stderr, "quern: bug: object of type %s used as %s\n", obj->type->name, type->name);
        abort();
    }
    return (void *)obj;
}

/* --- the tree --- */

Object *object_child(const void *parent, const char *name)
{
    const Object *obj = parent;

    for (unsigned i = 0; obj->children && i < obj->children->len; i++) {
        Object *child = g_ptr_array_index(obj->children, i);

        if (!strcmp(child->name, name)) {
            return child;
        }
    }
    return NULL;
}

/* "foo[*]" -> the first free "foo[N]". */
static char *child_name_resolve(const Object *parent, const char *name)
{
    size_t len = strlen(name);

    if (len < 3 || strcmp(name + len - 3, "[*]")) {
        return g_strdup(name);
    }
    for (unsigned i = 0;; i++) {
        char *candidate = g_strdup_printf("%.*s[%u]", (int)len - 3, name, i);

        if (!object_child(parent, candidate)) {
            return candidate;
        }
        g_free(candidate);
    }
}

void object_add_child(void *parent, const char *name, void *opaque)
{
    Object *p = parent, *child = opaque;

    assert(!child->parent);
    child->name = child_name_resolve(p, name);
    assert(!object_child(p, child->name));
    child->parent = p;
    if (!p->children) {
        p->children = g_ptr_array_new();
    }
    g_ptr_array_add(p->children, object_ref(child));
}

void object_unparent(void *opaque)
{
    Object *obj = opaque;

    if (!obj->parent) {
        return;
    }
    g_ptr_array_remove(obj->parent->children, obj);
    obj->parent = NULL;
    g_clear_pointer(&obj->name, g_free);
    object_unref(obj);
}

Object *object_root(void)
{
    static Object *root;

    if (!root) {
        root = object_new(&container_type);
    }
    return root;
}

Object *object_container(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    Object *obj = object_root();

    assert(path[0] == '/');
    for (char **p = parts + 1; *p && **p; p++) {
        Object *child = object_child(obj, *p);

        if (!child) {
            child = object_new(&container_type);
            object_add_child(obj, *p, child);
            object_unref(child);
        }
        obj = child;
    }
    return obj;
}

static Object *resolve_from(Object *obj, char **parts)
{
    for (; obj && *parts; parts++) {
        if (**parts) {
            obj = object_child(obj, *parts);
        }
    }
    return obj;
}

static unsigned resolve_partial(Object *from, char **parts, Object **found)
{
    Object *here = resolve_from(from, parts);
    unsigned n = here && here != from;

    if (n) {
        *found = here;
    }
    for (unsigned i = 0; from->children && i < from->children->len; i++) {
        n += resolve_partial(g_ptr_array_index(from->children, i), parts, found);
    }
    return n;
}

Object *object_resolve_path(const char *path, bool *ambiguous)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    Object *found = NULL;
    unsigned n;

    if (path[0] == '/') {
        found = resolve_from(object_root(), parts);
        n = found ? 1 : 0;
    } else {
        n = path[0] ? resolve_partial(object_root(), parts, &found) : 0;
    }
    if (ambiguous) {
        *ambiguous = n > 1;
    }
    return n == 1 ? found : NULL;
}

char *object_path(const void *opaque)
{
    GString *path = g_string_new(NULL);
    const Object *obj = opaque;

    for (; obj->parent; obj = obj->parent) {
        g_string_prepend(path, obj->name);
        g_string_prepend_c(path, '/');
    }
    if (obj != object_root()) {
        g_string_free(path, TRUE);
        return NULL;
    }
    if (!path->len) {
        g_string_append_c(path, '/');
    }
    return g_string_free(path, FALSE);
}

void object_foreach_child(void *opaque, bool recurse, bool (*fn)(Object *child, void *opaque), void *data)
{
    Object *obj = opaque;

    for (unsigned i = 0; obj->children && i < obj->children->len; i++) {
        Object *child = g_ptr_array_index(obj->children, i);

        if (!fn(child, data)) {
            return;
        }
        if (recurse) {
            object_foreach_child(child, true, fn, data);
        }
    }
}
