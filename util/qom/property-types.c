/*
 * The stock kinds of properties: how each reads and writes its field.
 */
#include "property-internal.h"

#define FIELD(T, obj, p) ((T *)((char *)(obj) + (p)->offset))

/* --- text to value --- */

static Value *parse_bool(const Property *p, const char *text, Error **errp)
{
    if (!strcmp(text, "on") || !strcmp(text, "yes") || !strcmp(text, "true") || !strcmp(text, "y")) {
        return value_bool(true);
    }
    if (!strcmp(text, "off") || !strcmp(text, "no") || !strcmp(text, "false") || !strcmp(text, "n")) {
        return value_bool(false);
    }
    error_setg(errp, "must be on or off, got '%s'", text);
    return NULL;
}

static Value *parse_int(const Property *p, const char *text, Error **errp)
{
    char *end;

    errno = 0;
    if (text[0] == '-') {
        int64_t i = strtoll(text, &end, 0);

        if (!errno && end != text && !*end) {
            return value_int(i);
        }
    } else if (g_ascii_isdigit(text[0])) {
        uint64_t u = strtoull(text, &end, 0);

        if (!errno && !*end) {
            return value_uint(u);
        }
    }
    error_setg(errp, "must be an integer, got '%s'", text);
    return NULL;
}

/* Bytes with an optional B/K/M/G/T/P/E suffix; a decimal fraction is allowed before one. */
static Value *parse_size(const Property *p, const char *text, Error **errp)
{
    static const char suffixes[] = "BKMGTPE";
    const char *s;
    char *end;
    unsigned shift = 0;
    double fraction = 0;
    uint64_t whole;

    errno = 0;
    whole = strtoull(text, &end, g_str_has_prefix(text, "0x") ? 16 : 10);
    if (!g_ascii_isdigit(text[0]) || errno) {
        goto bad;
    }
    if (*end == '.') {
        fraction = g_ascii_strtod(end, &end);
    }
    if (*end) {
        s = strchr(suffixes, g_ascii_toupper(*end));
        if (!s || end[1]) {
            goto bad;
        }
        shift = 10 * (s - suffixes);
    }
    if (shift && whole > UINT64_MAX >> shift) {
        goto bad;
    }
    if (fraction != 0 && !shift) {
        goto bad;
    }
    return value_uint((whole << shift) + (uint64_t)(fraction * (double)(1ULL << shift)));
bad:
    error_setg(errp, "must be a size in bytes, optionally with suffix K, M, G, T, P or E, got '%s'", text);
    return NULL;
}

/* --- bool, bits --- */

static bool is_not(const char *what, const Value *v, Error **errp)
{
    g_autofree char *got = value_describe(v);

    error_setg(errp, "must be %s, got %s", what, got);
    return false;
}

static bool want(const Value *v, ValueType type, const char *what, Error **errp)
{
    if (value_type(v) == type) {
        return true;
    }
    return is_not(what, v, errp);
}

static bool set_bool(Object *obj, const Property *p, const Value *v, Error **errp)
{
    if (!want(v, VALUE_BOOL, "a boolean", errp)) {
        return false;
    }
    *FIELD(bool, obj, p) = value_get_bool(v);
    return true;
}

static Value *get_bool(Object *obj, const Property *p)
{
    return value_bool(*FIELD(bool, obj, p));
}

static Value *default_bool_value(const Property *p)
{
    return value_bool(p->def != 0);
}

static void default_bool(Object *obj, const Property *p)
{
    *FIELD(bool, obj, p) = p->def;
}

const PropertyType prop_bool = {
    .name = "bool", .parse = parse_bool, .set = set_bool, .get = get_bool, .default_value = default_bool_value,
    .set_default = default_bool,
};

static bool set_bit(Object *obj, const Property *p, const Value *v, Error **errp)
{
    uint64_t *field = FIELD(uint64_t, obj, p);

    if (!want(v, VALUE_BOOL, "a boolean", errp)) {
        return false;
    }
    *field = deposit64(*field, p->bit, 1, value_get_bool(v));
    return true;
}

static Value *get_bit(Object *obj, const Property *p)
{
    return value_bool(extract64(*FIELD(uint64_t, obj, p), p->bit, 1));
}

static void default_bit(Object *obj, const Property *p)
{
    uint64_t *field = FIELD(uint64_t, obj, p);

    *field = deposit64(*field, p->bit, 1, p->def);
}

const PropertyType prop_bit = {
    .name = "bool", .parse = parse_bool, .set = set_bit, .get = get_bit, .default_value = default_bool_value,
    .set_default = default_bit,
};

/* --- integers --- */

static bool range_error(const Property *p, bool is_signed, uint64_t min, uint64_t max, const Value *v, Error **errp)
{
    int64_t i;
    uint64_t u;
    g_autofree char *got = NULL;

    if (value_get_uint(v, &u)) {
        got = g_strdup_printf("%" PRIu64, u);
    } else {
        value_get_int(v, &i);
        got = g_strdup_printf("%" PRId64, i);
    }
    if (is_signed) {
        error_setg(errp, "must be %" PRId64 "..%" PRId64 "%s%s, got %s", (int64_t)min, (int64_t)max,
                   p->unit ? " " : "", p->unit ? p->unit : "", got);
    } else {
        error_setg(errp, "must be %" PRIu64 "..%" PRIu64 "%s%s, got %s", min, max,
                   p->unit ? " " : "", p->unit ? p->unit : "", got);
    }
    return false;
}

static bool check_uint(const Property *p, const Value *v, uint64_t type_max, uint64_t *out, Error **errp)
{
    uint64_t max = p->max ? p->max : type_max;
    int64_t i;

    if (!value_get_uint(v, out)) {
        if (!value_get_int(v, &i)) {
            return is_not("an integer", v, errp);
        }
        return range_error(p, false, p->min, max, v, errp);
    }
    if (*out < p->min || *out > max) {
        return range_error(p, false, p->min, max, v, errp);
    }
    if (p->power_of_2 && !is_power_of_2(*out)) {
        error_setg(errp, "must be a power of two, got %" PRIu64, *out);
        return false;
    }
    return true;
}

static bool check_int(const Property *p, const Value *v, int64_t type_min, int64_t type_max, int64_t *out, Error **errp)
{
    bool ranged = p->min || p->max;
    int64_t min = ranged ? (int64_t)p->min : type_min, max = ranged ? (int64_t)p->max : type_max;
    uint64_t u;

    if (!value_get_int(v, out)) {
        if (!value_get_uint(v, &u)) {
            return is_not("an integer", v, errp);
        }
        return range_error(p, true, min, max, v, errp);
    }
    if (*out < min || *out > max) {
        return range_error(p, true, min, max, v, errp);
    }
    return true;
}

static Value *default_uint_value(const Property *p)
{
    return value_uint(p->def);
}

static Value *default_int_value(const Property *p)
{
    return value_int((int64_t)p->def);
}

#define DEFINE_UINT_TYPE(ident, T, tmax, shown, parser)                                         \
    static bool set_##ident(Object *obj, const Property *p, const Value *v, Error **errp)       \
    {                                                                                           \
        uint64_t u;                                                                             \
                                                                                                \
        if (!check_uint(p, v, tmax, &u, errp)) {                                                \
            return false;                                                                       \
        }                                                                                       \
        *FIELD(T, obj, p) = u;                                                                  \
        return true;                                                                            \
    }                                                                                           \
    static Value *get_##ident(Object *obj, const Property *p)                                   \
    {                                                                                           \
        return value_uint(*FIELD(T, obj, p));                                                   \
    }                                                                                           \
    static void default_##ident(Object *obj, const Property *p)                                 \
    {                                                                                           \
        *FIELD(T, obj, p) = p->def;                                                             \
    }                                                                                           \
    const PropertyType prop_##ident = {                                                         \
        .name = shown, .plain_name = "int", .parse = parser, .set = set_##ident, .get = get_##ident, \
        .default_value = default_uint_value, .set_default = default_##ident,                    \
    };
DEFINE_UINT_TYPE(uint8, uint8_t, UINT8_MAX, "uint8", parse_int)
DEFINE_UINT_TYPE(uint16, uint16_t, UINT16_MAX, "uint16", parse_int)
DEFINE_UINT_TYPE(uint32, uint32_t, UINT32_MAX, "uint32", parse_int)
DEFINE_UINT_TYPE(uint64, uint64_t, UINT64_MAX, "uint64", parse_int)
DEFINE_UINT_TYPE(size, uint64_t, UINT64_MAX, "size", parse_size)

#define DEFINE_INT_TYPE(ident, T, tmin, tmax)                                                   \
    static bool set_##ident(Object *obj, const Property *p, const Value *v, Error **errp)       \
    {                                                                                           \
        int64_t i;                                                                              \
                                                                                                \
        if (!check_int(p, v, tmin, tmax, &i, errp)) {                                           \
            return false;                                                                       \
        }                                                                                       \
        *FIELD(T, obj, p) = i;                                                                  \
        return true;                                                                            \
    }                                                                                           \
    static Value *get_##ident(Object *obj, const Property *p)                                   \
    {                                                                                           \
        return value_int(*FIELD(T, obj, p));                                                    \
    }                                                                                           \
    static void default_##ident(Object *obj, const Property *p)                                 \
    {                                                                                           \
        *FIELD(T, obj, p) = (int64_t)p->def;                                                    \
    }                                                                                           \
    const PropertyType prop_##ident = {                                                         \
        .name = #ident, .plain_name = "int", .parse = parse_int, .set = set_##ident, .get = get_##ident, \
        .default_value = default_int_value, .set_default = default_##ident,                     \
    };
DEFINE_INT_TYPE(int32, int32_t, INT32_MIN, INT32_MAX)
DEFINE_INT_TYPE(int64, int64_t, INT64_MIN, INT64_MAX)

/* --- strings, enums --- */

static bool set_string(Object *obj, const Property *p, const Value *v, Error **errp)
{
    char **field = FIELD(char *, obj, p);

    if (value_type(v) != VALUE_NULL && !want(v, VALUE_STRING, "a string", errp)) {
        return false;
    }
    g_free(*field);
    *field = value_type(v) == VALUE_NULL ? NULL : g_strdup(value_get_string(v));
    return true;
}

static Value *get_string(Object *obj, const Property *p)
{
    char *s = *FIELD(char *, obj, p);

    return s ? value_string(s) : value_null();
}

static Value *default_string_value(const Property *p)
{
    return p->def_str ? value_string(p->def_str) : NULL;
}

static void default_string(Object *obj, const Property *p)
{
    *FIELD(char *, obj, p) = g_strdup(p->def_str);
}

static void release_string(Object *obj, const Property *p)
{
    g_clear_pointer(FIELD(char *, obj, p), g_free);
}

const PropertyType prop_string = {
    .name = "str", .plain_name = "string", .set = set_string, .get = get_string, .default_value = default_string_value,
    .set_default = default_string, .release = release_string,
};

static bool enum_lookup(const char *const *names, const Value *v, int *out, Error **errp)
{
    g_autofree char *list = NULL;

    if (!want(v, VALUE_STRING, "a string", errp)) {
        return false;
    }
    for (int i = 0; names[i]; i++) {
        if (!strcmp(names[i], value_get_string(v))) {
            *out = i;
            return true;
        }
    }
    list = g_strjoinv(", ", (char **)names);
    error_setg(errp, "must be one of %s, got '%s'", list, value_get_string(v));
    return false;
}

static bool set_enum(Object *obj, const Property *p, const Value *v, Error **errp)
{
    return enum_lookup(p->enum_names, v, FIELD(int, obj, p), errp);
}

static Value *get_enum(Object *obj, const Property *p)
{
    return value_string(p->enum_names[*FIELD(int, obj, p)]);
}

static Value *default_enum_value(const Property *p)
{
    return value_string(p->enum_names[p->def]);
}

static void default_enum(Object *obj, const Property *p)
{
    *FIELD(int, obj, p) = p->def;
}

const PropertyType prop_enum = {
    .name = "enum", .set = set_enum, .get = get_enum, .default_value = default_enum_value, .set_default = default_enum,
};

static const char *const on_off_auto_names[] = { "auto", "on", "off", NULL };

static bool set_on_off_auto(Object *obj, const Property *p, const Value *v, Error **errp)
{
    if (value_type(v) == VALUE_BOOL) {
        *FIELD(int, obj, p) = value_get_bool(v) ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
        return true;
    }
    return enum_lookup(on_off_auto_names, v, FIELD(int, obj, p), errp);
}

static Value *get_on_off_auto(Object *obj, const Property *p)
{
    return value_string(on_off_auto_names[*FIELD(int, obj, p)]);
}

static Value *default_on_off_auto_value(const Property *p)
{
    return value_string(on_off_auto_names[p->def]);
}

static Value *parse_on_off_auto(const Property *p, const char *text, Error **errp)
{
    g_autoptr(Value) b = parse_bool(p, text, NULL);

    return b ? g_steal_pointer(&b) : value_string(text);
}

const PropertyType prop_on_off_auto = {
    .name = "OnOffAuto", .parse = parse_on_off_auto, .set = set_on_off_auto, .get = get_on_off_auto,
    .default_value = default_on_off_auto_value, .set_default = default_enum,
};

/* --- links --- */

void link_property_store(Object *obj, const Property *p, Object *target)
{
    Object **field = FIELD(Object *, obj, p);
    Object *old = *field;

    *field = object_ref(target);
    object_unref(old);
}

static Object *link_resolve(const char *text, bool *ambiguous)
{
    static const char *const id_roots[] = { "/objects", "/machine/peripheral", "/chardevs" };

    *ambiguous = false;
    for (size_t i = 0; text[0] != '/' && i < ARRAY_SIZE(id_roots); i++) {
        Object *found = object_child(object_container(id_roots[i]), text);

        if (found) {
            return found;
        }
    }
    return object_resolve_path(text, ambiguous);
}

static bool set_link(Object *obj, const Property *p, const Value *v, Error **errp)
{
    Object *target = NULL;
    const char *text;
    bool ambiguous;

    if (value_type(v) == VALUE_NULL) {
        link_property_store(obj, p, NULL);
        return true;
    }
    if (!want(v, VALUE_STRING, "an object id or path", errp)) {
        return false;
    }
    text = value_get_string(v);
    if (text[0]) {
        target = link_resolve(text, &ambiguous);
        if (!target) {
            error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, ambiguous ? "'%s' names several objects" : "'%s' not found", text);
            return false;
        }
        if (!object_is(target, p->link_type)) {
            error_setg(errp, "'%s' is a %s, want a %s", text, target->type->name, p->link_type->name);
            return false;
        }
    }
    link_property_store(obj, p, target);
    return true;
}

static Value *get_link(Object *obj, const Property *p)
{
    Object *target = *FIELD(Object *, obj, p);
    char *path = target ? object_path(target) : NULL;

    return path ? value_string_take(path) : value_string("");
}

static void default_link(Object *obj, const Property *p)
{
    *FIELD(Object *, obj, p) = NULL;
}

static void release_link(Object *obj, const Property *p)
{
    link_property_store(obj, p, NULL);
}

const PropertyType prop_link = {
    .name = "link", .set = set_link, .get = get_link, .set_default = default_link, .release = release_link,
};

/* --- computed: the property's own set and get --- */

static bool set_custom(Object *obj, const Property *p, const Value *v, Error **errp)
{
    return p->set(obj, p, v, errp);
}

static Value *get_custom(Object *obj, const Property *p)
{
    return p->get ? p->get(obj, p) : value_null();
}

static bool set_custom_str(Object *obj, const Property *p, const Value *v, Error **errp)
{
    return want(v, VALUE_STRING, "a string", errp) && p->set(obj, p, v, errp);
}

static bool set_custom_bool(Object *obj, const Property *p, const Value *v, Error **errp)
{
    return want(v, VALUE_BOOL, "a boolean", errp) && p->set(obj, p, v, errp);
}

static bool set_custom_int(Object *obj, const Property *p, const Value *v, Error **errp)
{
    int64_t i;
    uint64_t u;

    if (!value_get_int(v, &i) && !value_get_uint(v, &u)) {
        return is_not("an integer", v, errp);
    }
    return p->set(obj, p, v, errp);
}

const PropertyType prop_custom_any = { .name = "any", .set = set_custom, .get = get_custom };
const PropertyType prop_custom_str = { .name = "string", .set = set_custom_str, .get = get_custom, .default_value = default_string_value };
const PropertyType prop_custom_bool = { .name = "bool", .parse = parse_bool, .set = set_custom_bool, .get = get_custom };
const PropertyType prop_custom_int = { .name = "int", .parse = parse_int, .set = set_custom_int, .get = get_custom };
const PropertyType prop_custom_size = { .name = "size", .parse = parse_size, .set = set_custom_int, .get = get_custom };

/* --- fixed: one value, which needs no field --- */

static char *value_text(const Value *v)
{
    int64_t i;
    uint64_t u;

    if (value_get_int(v, &i)) {
        return g_strdup_printf("%" PRId64, i);
    }
    if (value_get_uint(v, &u)) {
        return g_strdup_printf("%" PRIu64, u);
    }
    switch (value_type(v)) {
    case VALUE_BOOL:
        return g_strdup(value_get_bool(v) ? "on" : "off");
    case VALUE_STRING:
        return g_strdup_printf("'%s'", value_get_string(v));
    default:
        return value_describe(v);
    }
}

/* A text without a default is the empty one. */
static Value *get_fixed(Object *obj, const Property *p)
{
    Value *v = p->type->default_value(p);

    return v ? v : value_string("");
}

static bool set_fixed(Object *obj, const Property *p, const Value *v, Error **errp)
{
    g_autoptr(Value) only = get_fixed(obj, p);
    g_autofree char *want_text = value_text(only), *got = value_text(v);

    if (!value_equal(v, only)) {
        error_setg(errp, "must be %s, nothing else is available, got %s", want_text, got);
        return false;
    }
    return true;
}

#define DEFINE_FIXED_TYPE(kind, shown_, plain, parser, value)                                   \
    const PropertyType prop_fixed_##kind = {                                                    \
        .name = shown_, .plain_name = plain, .parse = parser, .set = set_fixed, .get = get_fixed, .default_value = value, \
    };
DEFINE_FIXED_TYPE(bool, "bool", NULL, parse_bool, default_bool_value)
DEFINE_FIXED_TYPE(uint8, "uint8", "int", parse_int, default_uint_value)
DEFINE_FIXED_TYPE(uint16, "uint16", "int", parse_int, default_uint_value)
DEFINE_FIXED_TYPE(uint32, "uint32", "int", parse_int, default_uint_value)
DEFINE_FIXED_TYPE(uint64, "uint64", "int", parse_int, default_uint_value)
DEFINE_FIXED_TYPE(int32, "int32", "int", parse_int, default_int_value)
DEFINE_FIXED_TYPE(size, "size", "int", parse_size, default_uint_value)
DEFINE_FIXED_TYPE(str, "str", "string", NULL, default_string_value)
DEFINE_FIXED_TYPE(on_off_auto, "OnOffAuto", NULL, NULL, default_string_value)
