/*
 * The object model: types as constant tables, objects with typed properties in one tree.
 *
 * A type is one declaration at the end of its file (TYPE_DEFINE or a family macro such as
 * DEVICE_DEFINE); it places a pointer in the linker section "quern_types", so nothing runs at
 * start-up and no string is hashed until somebody looks a type up by name.
 *
 * Hooks are never chained by hand: for construction the core calls the hook of every type from the
 * root down to the leaf, for destruction from the leaf up.  A type states only what it adds.
 *
 * Locks: the tree and properties belong to the BQL.
 */
#ifndef UTIL_QOM_OBJECT_H
#define UTIL_QOM_OBJECT_H

#include "util/error.h"
#include "util/value.h"

typedef struct Object Object;
typedef struct TypeInfo TypeInfo;
typedef struct ObjectInfo ObjectInfo;
typedef struct Property Property;
typedef struct PropertyType PropertyType;

/*
 * What every type may state.  Family structs (DeviceInfo, PciDeviceInfo, ...) begin with an
 * anonymous `struct ObjectInfo;` so that `.properties = ...` reads the same everywhere.
 */
struct ObjectInfo {
    const char *desc;                       /* one line for `help` */
    const Property *properties;             /* PROPS(table) */
    unsigned n_properties;
    const TypeInfo *const *interfaces;      /* NULL-terminated, or NULL */
    void (*init)(Object *obj);              /* memory is zeroed, then property defaults are set, then inits run */
    void (*fini)(Object *obj);              /* last reference gone */
    /* For -object types: all properties are set, make it work.  Root first. */
    bool (*complete)(Object *obj, Error **errp);
    /*
     * An object of this type lies inside, at this offset (made by the type's own init), and its
     * properties are this type's too: a PCI proxy and the device behind it.
     */
    const TypeInfo *embeds;
    size_t embeds_offset;
    bool user_creatable;                    /* may be made by -object / object-add */
    bool hidden;                            /* internal: not shown by help */
};

struct TypeInfo {
    const char *name;
    const TypeInfo *parent;         /* NULL only for "object" and for interfaces */
    size_t instance_size;           /* 0 = the parent's */
    bool abstract;
    const ObjectInfo *info;         /* never NULL; the start of the family struct */
};

struct Object {
    const TypeInfo *type;
    unsigned ref;
    char *name;                     /* last component of the path; NULL while unparented */
    Object *parent;                 /* borrowed: the parent owns the child */
    GPtrArray *children;            /* owned; NULL = none */
    GPtrArray *dynamic_properties;  /* of Property *, owned copies; NULL = none */
    bool embedded;                  /* memory belongs to another object */
    bool frozen;                    /* realized: only settable_live properties may change */
};

extern const TypeInfo object_type;      /* "object" */
extern const TypeInfo container_type;   /* "container" */

#define PROPS(table) (table), .n_properties = ARRAY_SIZE(table)

/*
 * OBJECT_DECLARE(Serial, SERIAL, serial) declares serial_type, SERIAL(obj) (checked cast; NULL
 * stays NULL; aborts with both names when wrong) and IS_SERIAL... use object_is() for tests.
 */
#define OBJECT_DECLARE(CType, UPPER, snake)                                                   \
    typedef struct CType CType;                                                               \
    extern const TypeInfo snake##_type;                                                       \
    static inline G_GNUC_UNUSED CType *UPPER(const void *obj)                                 \
    {                                                                                         \
        return (CType *)object_check_cast(obj, &snake##_type);                                \
    }

#define TYPE_REGISTER(snake)                                                                  \
    static const TypeInfo *const snake##_type_entry                                           \
        __attribute__((section("quern_types"), used)) = &snake##_type;

/* Family macros are built from this: FamilyInfo begins with `struct ObjectInfo;`. */
#define TYPE_DEFINE_FAMILY(FamilyInfo, CType, snake, type_name, parent_snake, is_abstract, ...) \
    static const FamilyInfo snake##_type_info = { __VA_ARGS__ };                              \
    const TypeInfo snake##_type = {                                                           \
        .name = type_name,                                                                    \
        .parent = &parent_snake##_type,                                                       \
        .instance_size = sizeof(CType),                                                       \
        .abstract = is_abstract,                                                              \
        .info = (const ObjectInfo *)&snake##_type_info,                                       \
    };                                                                                        \
    TYPE_REGISTER(snake)

/* TYPE_DEFINE(RngBackend, rng_random, "rng-random", rng_backend, .properties = ...); */
#define TYPE_DEFINE(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(ObjectInfo, CType, snake, type_name, parent_snake, false, __VA_ARGS__)
#define TYPE_DEFINE_ABSTRACT(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(ObjectInfo, CType, snake, type_name, parent_snake, true, __VA_ARGS__)

/* --- types --- */

const TypeInfo *type_by_name(const char *name);         /* NULL if unknown */
bool type_is_a(const TypeInfo *type, const TypeInfo *ancestor_or_interface);
/* Every type that is_a @base (NULL: all), sorted by name; stops when @fn returns false. */
void type_foreach(const TypeInfo *base, bool include_abstract,
                  bool (*fn)(const TypeInfo *type, void *opaque), void *opaque);

/* --- objects --- */

/* A new object with one reference and default property values.  @type must not be abstract. */
Object *object_new(const TypeInfo *type);
/* For objects embedded in others: @obj points to zeroed memory of @type's size. */
void object_init_embedded(void *obj, const TypeInfo *type);
Object *object_ref(void *obj);
void object_unref(void *obj);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Object, object_unref)
void *object_check_cast(const void *obj, const TypeInfo *type);
static inline bool object_is(const void *obj, const TypeInfo *type)
{
    return obj && type_is_a(((const Object *)obj)->type, type);
}

/* --- the tree --- */

/* Put @child under @parent; the parent takes its own reference.  A name ending in "[*]" gets a free index. */
void object_add_child(void *parent, const char *name, void *child);
void object_unparent(void *obj);                        /* drops the parent's reference */
Object *object_child(const void *parent, const char *name);
Object *object_root(void);                              /* "/" */
/* Path of containers under the root, made as needed: container_get("/machine/peripheral"). */
Object *object_container(const char *path);
/* Absolute path, or partial path that must be unambiguous (@ambiguous may be NULL). */
Object *object_resolve_path(const char *path, bool *ambiguous);
char *object_path(const void *obj);                     /* canonical; NULL while unparented */
void object_foreach_child(void *obj, bool recurse, bool (*fn)(Object *child, void *opaque), void *opaque);

/* --- properties --- */

/*
 * How a kind of property reads and writes; the stock kinds below cover nearly everything.
 * set: @v borrowed; on failure sets @errp with a message naming value and limit (the core prepends
 * "TYPE.PROPERTY ").  get returns an owned value.
 */
struct PropertyType {
    const char *name;               /* as QMP shows it: "uint32", "bool", "str", "size", "link<...>" */
    const char *plain_name;         /* the same for objects that are no devices ("string", "int"); NULL = .name */
    /* Command-line text to a value for set(); NULL: the text as a string. */
    Value *(*parse)(const Property *p, const char *text, Error **errp);
    bool (*set)(Object *obj, const Property *p, const Value *v, Error **errp);
    Value *(*get)(Object *obj, const Property *p);
    Value *(*default_value)(const Property *p);             /* what set_default sets; NULL: nothing to tell */
    void (*set_default)(Object *obj, const Property *p);
    void (*release)(Object *obj, const Property *p);
};

struct Property {
    const char *name;
    const PropertyType *type;
    size_t offset;                  /* of the field in the instance */
    uint64_t def;                   /* default: integers, bools, enum index, sizes */
    const char *def_str;            /* default: strings */
    uint64_t min, max;              /* range for integers; both 0 = the type's range (signed: cast) */
    unsigned bit;                   /* for bit properties */
    bool power_of_2;
    const char *unit;               /* "Hz", "bytes" */
    const char *help;
    const TypeInfo *link_type;      /* for links */
    const char *const *enum_names;  /* for PROP_ENUM */
    const char *shown;              /* what QMP calls the kind where it is not .type's name: "HostMemPolicy" */
    bool internal;                  /* of the object tree, not for -device: "realized", "parent_bus" */
    bool read_only;
    bool settable_live;             /* may be set after realize; otherwise refused then */
    bool required;
    /* Called after the field was set; may refuse (then the old value is restored). */
    bool (*changed)(Object *obj, const Property *p, Error **errp);
    /* For computed properties (PROP_CUSTOM): */
    bool (*set)(Object *obj, const Property *p, const Value *v, Error **errp);
    Value *(*get)(Object *obj, const Property *p);
};

extern const PropertyType prop_bool, prop_bit, prop_uint8, prop_uint16, prop_uint32, prop_uint64,
    prop_int32, prop_int64, prop_size, prop_string, prop_enum, prop_link, prop_on_off_auto,
    prop_custom_str, prop_custom_int, prop_custom_bool, prop_custom_size, prop_custom_any,
    prop_fixed_bool, prop_fixed_uint8, prop_fixed_uint16, prop_fixed_uint32, prop_fixed_uint64, prop_fixed_int32, prop_fixed_size,
    prop_fixed_str, prop_fixed_on_off_auto;

#define PROP_(type_, name_, S, field, ...) \
    { .name = name_, .type = &type_, .offset = offsetof(S, field), __VA_ARGS__ }
#define PROP_BOOL(name, S, field, def_, ...)    PROP_(prop_bool, name, S, field, .def = def_, ##__VA_ARGS__)
/* one bit of a uint64_t field */
#define PROP_BIT64(name, S, field, nr, def_, ...) \
    PROP_(prop_bit, name, S, field, .bit = nr, .def = def_, ##__VA_ARGS__)
#define PROP_UINT8(name, S, field, def_, ...)   PROP_(prop_uint8, name, S, field, .def = def_, ##__VA_ARGS__)
#define PROP_UINT16(name, S, field, def_, ...)  PROP_(prop_uint16, name, S, field, .def = def_, ##__VA_ARGS__)
#define PROP_UINT32(name, S, field, def_, ...)  PROP_(prop_uint32, name, S, field, .def = def_, ##__VA_ARGS__)
#define PROP_UINT64(name, S, field, def_, ...)  PROP_(prop_uint64, name, S, field, .def = def_, ##__VA_ARGS__)
#define PROP_INT32(name, S, field, def_, ...)   PROP_(prop_int32, name, S, field, .def = (uint64_t)(int64_t)(def_), ##__VA_ARGS__)
#define PROP_INT64(name, S, field, def_, ...)   PROP_(prop_int64, name, S, field, .def = (uint64_t)(int64_t)(def_), ##__VA_ARGS__)
/* uint64_t bytes; text takes K/M/G/T/P/E suffixes */
#define PROP_SIZE(name, S, field, def_, ...)    PROP_(prop_size, name, S, field, .def = def_, ##__VA_ARGS__)
/* char *, owned by the object */
#define PROP_STRING(name, S, field, ...)        PROP_(prop_string, name, S, field, ##__VA_ARGS__)
/* int field, values are indexes of @names */
#define PROP_ENUM(name, S, field, names, def_, ...) \
    PROP_(prop_enum, name, S, field, .enum_names = names, .def = def_, ##__VA_ARGS__)
/* enum OnOffAuto field */
#define PROP_ON_OFF_AUTO(name, S, field, def_, ...) PROP_(prop_on_off_auto, name, S, field, .def = def_, ##__VA_ARGS__)
/* T * field holding a counted reference; text is an id or path */
#define PROP_LINK(name, S, field, snake, ...) \
    PROP_(prop_link, name, S, field, .link_type = &snake##_type, ##__VA_ARGS__)
/* computed: kind is str, int, bool, size or any */
#define PROP_CUSTOM(kind, name_, get_, set_, ...) \
    { .name = name_, .type = &prop_custom_##kind, .get = get_, .set = set_, ##__VA_ARGS__ }
/*
 * A choice that exists elsewhere and has one answer here: it reads as @def_ and takes nothing else, so that command lines
 * that state the default work and others are refused.  kind is bool, uint8 .. uint64, int32, size; and with a text str, on_off_auto.
 */
#define PROP_FIXED(kind, name_, def_, ...) \
    { .name = name_, .type = &prop_fixed_##kind, .def = (uint64_t)(int64_t)(def_), ##__VA_ARGS__ }
#define PROP_FIXED_TEXT(kind, name_, def_, ...) \
    { .name = name_, .type = &prop_fixed_##kind, .def_str = def_, ##__VA_ARGS__ }

typedef enum OnOffAuto { ON_OFF_AUTO_AUTO, ON_OFF_AUTO_ON, ON_OFF_AUTO_OFF } OnOffAuto;

/* @value is borrowed.  Unknown name, wrong type, range, read-only, realized: false and @errp. */
bool object_property_set(void *obj, const char *name, const Value *value, Error **errp) MUST_USE;
/* From command-line text. */
bool object_property_parse(void *obj, const char *name, const char *text, Error **errp) MUST_USE;
Value *object_property_get(void *obj, const char *name, Error **errp);
bool object_property_set_bool(void *obj, const char *name, bool b, Error **errp) MUST_USE;
bool object_property_set_uint(void *obj, const char *name, uint64_t u, Error **errp) MUST_USE;
bool object_property_set_str(void *obj, const char *name, const char *s, Error **errp) MUST_USE;
bool object_property_set_link(void *obj, const char *name, void *target, Error **errp) MUST_USE;
/* Set every entry of @dict except those named in @skip (NULL-terminated list, or NULL); stops at the first error. */
bool object_set_properties_dict(void *obj, const Value *dict, const char *const *skip, Error **errp) MUST_USE;
/* Looks through the type and its ancestors, then through the type it embeds. */
const Property *type_find_property(const TypeInfo *type, const char *name);
/* Root-first over the type chain, then what the type it embeds adds. */
void type_foreach_property(const TypeInfo *type, bool (*fn)(const Property *p, void *opaque), void *opaque);
/* A property on one object only (machine-made aliases, children shown as links); @p, its name and .shown are copied. */
void object_property_add(void *obj, const Property *p);
void object_property_del(void *obj, const char *name);
/* The kind's name as QMP shows it; owned.  @plain: of an object that is no device. */
char *property_kind(const Property *p, bool plain);
/* Name for help: "<type>.<name>=<kind> - help (default)". */
void type_print_properties(const TypeInfo *type, FILE *f);

/* -global: default overrides applied at object_new for type (or any descendant of) @type_name. */
void object_global_property_add(const char *type_name, const char *prop, const char *value);
/* Warn about globals that matched nothing. */
void object_global_properties_check(void);
void object_global_properties_clear(void);

/* -object / object-add: make, set, complete, add under /objects.  @props is a dict with qom-type and id. */
Object *user_creatable_add(const Value *props, Error **errp);
bool user_creatable_del(const char *id, Error **errp) MUST_USE;

#endif
