/*
 * The walk over type tables: Value -> C, C -> Value, clearing.
 *
 * Everything a Value may contain comes from outside, so every shape is checked; depth is bounded
 * by the types (a recursive type by the JSON parser's depth limit).
 */
#include "qapi/qapi.h"

typedef struct Walk {
    GString *path;
    unsigned flags;
    Error **errp;
} Walk;

static bool from_value(Walk *w, const QapiType *t, const Value *v, void *slot);

static bool is_pointer(const QapiType *t)
{
    return t->kind == QAPI_KIND_STR || t->kind == QAPI_KIND_ANY || t->kind == QAPI_KIND_NULL
        || t->kind >= QAPI_KIND_STRUCT;
}

static size_t slot_size(const QapiType *t)
{
    return is_pointer(t) ? sizeof(void *) : t->size;
}

/* Lists hold structures by value, everything else as its slot. */
static bool is_inline_element(const QapiType *t)
{
    return t->kind == QAPI_KIND_STRUCT || t->kind == QAPI_KIND_UNION || t->kind == QAPI_KIND_ALTERNATE;
}

static size_t element_size(const QapiType *t)
{
    return is_inline_element(t) ? t->size : slot_size(t);
}

static const char *where(const Walk *w)
{
    return w->path->len ? w->path->str : "arguments";
}

static bool wrong_type(const Walk *w, const char *expected)
{
    error_setg(w->errp, "Invalid parameter type for '%s', expected: %s", where(w), expected);
    return false;
}

static size_t path_push(Walk *w, const char *name)
{
    size_t len = w->path->len;

    if (len) {
        g_string_append_c(w->path, '.');
    }
    g_string_append(w->path, name);
    return len;
}

/* --- scalars --- */

static bool store_int(Walk *w, const QapiType *t, int64_t i, void *slot)
{
    unsigned bits = t->size * 8;

    if (bits < 64 && (i < -(INT64_C(1) << (bits - 1)) || i >= INT64_C(1) << (bits - 1))) {
        error_setg(w->errp, "Parameter '%s' expects a value of type %s, got %" PRId64, where(w), t->name, i);
        return false;
    }
    memcpy(slot, &i, t->size);              /* little-endian host; see the assertion below */
    return true;
}

_Static_assert(G_BYTE_ORDER == G_LITTLE_ENDIAN, "integers are stored by their low bytes");

static bool store_uint(Walk *w, const QapiType *t, uint64_t u, void *slot)
{
    if (t->size < 8 && u >> (t->size * 8)) {
        error_setg(w->errp, "Parameter '%s' expects a value of type %s, got %" PRIu64, where(w), t->name, u);
        return false;
    }
    memcpy(slot, &u, t->size);
    return true;
}

static bool scalar_from_text(Walk *w, const QapiType *t, const char *s, void *slot)
{
    uint64_t u;
    int64_t i;
    char *end;

    switch (t->kind) {
    case QAPI_KIND_BOOL:
        return qapi_parse_bool(where(w), s, slot, w->errp);
    case QAPI_KIND_INT:
        return qapi_parse_int(where(w), s, &i, w->errp) && store_int(w, t, i, slot);
    case QAPI_KIND_UINT:
        return qapi_parse_uint(where(w), s, &u, w->errp) && store_uint(w, t, u, slot);
    case QAPI_KIND_SIZE:
        return qapi_parse_size(where(w), s, slot, w->errp);
    default:
        *(double *)slot = g_ascii_strtod(s, &end);
        return (end != s && !*end) || wrong_type(w, "number");
    }
}

static bool scalar_from_value(Walk *w, const QapiType *t, const Value *v, void *slot)
{
    ValueType vt = value_type(v);
    uint64_t u;
    int64_t i;

    if ((w->flags & QAPI_FROM_TEXT) && vt == VALUE_STRING) {
        return scalar_from_text(w, t, value_get_string(v), slot);
    }
    switch (t->kind) {
    case QAPI_KIND_BOOL:
        if (vt != VALUE_BOOL) {
            return wrong_type(w, "boolean");
        }
        *(bool *)slot = value_get_bool(v);
        return true;
    case QAPI_KIND_INT:
        if (!value_get_int(v, &i)) {
            return wrong_type(w, "integer");
        }
        return store_int(w, t, i, slot);
    case QAPI_KIND_UINT:
    case QAPI_KIND_SIZE:
        if (!value_get_uint(v, &u)) {
            return wrong_type(w, vt == VALUE_INT ? "a non-negative integer" : "integer");
        }
        return store_uint(w, t, u, slot);
    default:
        if (vt != VALUE_DOUBLE && vt != VALUE_INT && vt != VALUE_UINT) {
            return wrong_type(w, "number");
        }
        *(double *)slot = value_get_double(v);
        return true;
    }
}

int qapi_enum_parse(const QapiType *t, const char *name)
{
    for (unsigned i = 0; i < t->n_values; i++) {
        if (!strcmp(t->values[i], name)) {
            return (int)i;
        }
    }
    return -1;
}

static bool enum_from_value(Walk *w, const QapiType *t, const Value *v, void *slot)
{
    int i;

    if (value_type(v) != VALUE_STRING) {
        return wrong_type(w, "string");
    }
    i = qapi_enum_parse(t, value_get_string(v));
    if (i < 0) {
        error_setg(w->errp, "Parameter '%s' does not accept value '%s'", where(w), value_get_string(v));
        return false;
    }
    *(int *)slot = i;
    return true;
}

/* --- aggregates --- */

static bool is_member(const QapiType *t, const char *name)
{
    for (unsigned i = 0; i < t->n_members; i++) {
        if (!strcmp(t->members[i].name, name)) {
            return true;
        }
    }
    return false;
}

static bool members_from_value(Walk *w, const QapiType *t, const Value *dict, char *base)
{
    for (unsigned i = 0; i < t->n_members; i++) {
        const QapiMember *m = &t->members[i];
        const Value *v = value_dict_get(dict, m->name);
        size_t len = path_push(w, m->name);

        if (!v && !m->optional) {
            error_setg(w->errp, "Parameter '%s' is missing", where(w));
            return false;
        }
        if (v && !from_value(w, m->type, v, base + m->offset)) {
            return false;
        }
        if (v && m->has_flag) {
            *(bool *)(base + m->has_offset) = true;
        }
        g_string_truncate(w->path, len);
    }
    return true;
}

static const QapiType *variant_of(const QapiType *t, const char *base)
{
    unsigned tag = *(const unsigned *)(base + t->tag_offset);

    return t->variants[tag];
}

static bool no_unknown_members(Walk *w, const QapiType *t, const QapiType *variant, const Value *dict)
{
    for (size_t i = 0; i < value_dict_len(dict); i++) {
        const char *key = value_dict_key_at(dict, i);

        if (!is_member(t, key) && !(variant && is_member(variant, key))) {
            path_push(w, key);
            error_setg(w->errp, "Parameter '%s' is unexpected", where(w));
            return false;
        }
    }
    return true;
}

/* The fields of a struct or union at @base (zeroed). */
static bool struct_from_value(Walk *w, const QapiType *t, const Value *v, char *base)
{
    const QapiType *variant = NULL;

    if (value_type(v) != VALUE_DICT) {
        return wrong_type(w, "object");
    }
    if (!members_from_value(w, t, v, base)) {
        return false;
    }
    if (t->kind == QAPI_KIND_UNION) {
        variant = variant_of(t, base);
        if (variant && !members_from_value(w, variant, v, base + t->variants_offset)) {
            return false;
        }
    }
    return no_unknown_members(w, t, variant, v);
}

static bool kind_takes(const QapiType *t, ValueType vt)
{
    switch (t->kind) {
    case QAPI_KIND_STR:
    case QAPI_KIND_ENUM:
        return vt == VALUE_STRING;
    case QAPI_KIND_BOOL:
        return vt == VALUE_BOOL;
    case QAPI_KIND_NULL:
        return vt == VALUE_NULL;
    case QAPI_KIND_LIST:
        return vt == VALUE_LIST;
    case QAPI_KIND_STRUCT:
    case QAPI_KIND_UNION:
        return vt == VALUE_DICT;
    case QAPI_KIND_NUMBER:
        return vt == VALUE_DOUBLE || vt == VALUE_INT || vt == VALUE_UINT;
    default:
        return vt == VALUE_INT || vt == VALUE_UINT;
    }
}

static bool alternate_from_value(Walk *w, const QapiType *t, const Value *v, char *base)
{
    for (unsigned i = 0; i < t->n_values; i++) {
        if (kind_takes(t->variants[i], value_type(v))) {
            *(unsigned *)(base + t->tag_offset) = i;
            return from_value(w, t->variants[i], v, base + t->variants_offset);
        }
    }
    return wrong_type(w, t->name);
}

static bool element_from_value(Walk *w, const QapiType *e, const Value *v, void *at)
{
    if (e->kind == QAPI_KIND_ALTERNATE) {
        return alternate_from_value(w, e, v, at);
    }
    return is_inline_element(e) ? struct_from_value(w, e, v, at) : from_value(w, e, v, at);
}

static bool list_from_value(Walk *w, const QapiType *t, const Value *v, QapiAnyList *list)
{
    bool is_list = value_type(v) == VALUE_LIST;
    size_t n = is_list ? value_list_len(v) : 1;
    size_t size = element_size(t->element);

    if (!is_list && !((w->flags & QAPI_FROM_TEXT) && value_type(v) == VALUE_STRING)) {
        return wrong_type(w, "array");
    }
    list->at = g_malloc0_n(n, size);
    list->len = n;
    for (size_t i = 0; i < n; i++) {
        size_t len = w->path->len;

        g_string_append_printf(w->path, "[%zu]", i);
        if (!element_from_value(w, t->element, is_list ? value_list_at(v, i) : v, (char *)list->at + i * size)) {
            return false;
        }
        g_string_truncate(w->path, len);
    }
    return true;
}

static bool aggregate_from_value(Walk *w, const QapiType *t, const Value *v, void *slot)
{
    void *p = g_malloc0(t->size);
    bool ok;

    *(void **)slot = p;
    switch (t->kind) {
    case QAPI_KIND_LIST:
        ok = list_from_value(w, t, v, p);
        break;
    case QAPI_KIND_ALTERNATE:
        ok = alternate_from_value(w, t, v, p);
        break;
    default:
        ok = struct_from_value(w, t, v, p);
        break;
    }
    return ok;
}

static bool from_value(Walk *w, const QapiType *t, const Value *v, void *slot)
{
    switch (t->kind) {
    case QAPI_KIND_STR:
        if (value_type(v) != VALUE_STRING) {
            return wrong_type(w, "string");
        }
        *(char **)slot = g_strdup(value_get_string(v));
        return true;
    case QAPI_KIND_NULL:
        if (value_type(v) != VALUE_NULL) {
            return wrong_type(w, "null");
        }
        /* fall through */
    case QAPI_KIND_ANY:
        *(Value **)slot = value_ref((Value *)v);
        return true;
    case QAPI_KIND_ENUM:
        return enum_from_value(w, t, v, slot);
    case QAPI_KIND_STRUCT:
    case QAPI_KIND_UNION:
    case QAPI_KIND_ALTERNATE:
    case QAPI_KIND_LIST:
        return aggregate_from_value(w, t, v, slot);
    default:
        return scalar_from_value(w, t, v, slot);
    }
}

bool qapi_from_value(const QapiType *t, const Value *v, unsigned flags, void *slot, Error **errp)
{
    Walk w = { .path = g_string_new(NULL), .flags = flags, .errp = errp };
    bool ok = from_value(&w, t, v, slot);

    g_string_free(w.path, true);
    if (!ok) {
        qapi_clear(t, slot);
    }
    return ok;
}

/* --- C -> Value --- */

static bool is_present(const QapiMember *m, const char *base)
{
    if (!m->optional) {
        return true;
    }
    return m->has_flag ? *(const bool *)(base + m->has_offset) : *(void *const *)(base + m->offset) != NULL;
}

static void members_to_dict(const QapiType *t, const char *base, Value *dict)
{
    for (unsigned i = 0; i < t->n_members; i++) {
        const QapiMember *m = &t->members[i];

        if (is_present(m, base)) {
            value_dict_set(dict, m->name, qapi_to_value(m->type, base + m->offset));
        }
    }
}

static Value *aggregate_to_value(const QapiType *t, const char *base)
{
    Value *v;

    if (t->kind == QAPI_KIND_LIST) {
        const QapiAnyList *list = (const void *)base;
        size_t size = element_size(t->element);

        v = value_list();
        for (size_t i = 0; i < list->len; i++) {
            const char *at = (const char *)list->at + i * size;

            value_list_append(v, is_inline_element(t->element) ? aggregate_to_value(t->element, at)
                                                               : qapi_to_value(t->element, at));
        }
        return v;
    }
    if (t->kind == QAPI_KIND_ALTERNATE) {
        return qapi_to_value(variant_of(t, base), base + t->variants_offset);
    }
    v = value_dict();
    members_to_dict(t, base, v);
    if (t->kind == QAPI_KIND_UNION && variant_of(t, base)) {
        members_to_dict(variant_of(t, base), base + t->variants_offset, v);
    }
    return v;
}

static int64_t load_int(const QapiType *t, const void *slot)
{
    switch (t->size) {
    case 1:
        return *(const int8_t *)slot;
    case 2:
        return *(const int16_t *)slot;
    case 4:
        return *(const int32_t *)slot;
    default:
        return *(const int64_t *)slot;
    }
}

Value *qapi_to_value(const QapiType *t, const void *slot)
{
    void *p = is_pointer(t) ? *(void *const *)slot : NULL;
    uint64_t u = 0;

    switch (t->kind) {
    case QAPI_KIND_STR:
        return value_string(p ? p : "");
    case QAPI_KIND_ANY:
        return p ? value_ref(p) : value_null();
    case QAPI_KIND_NULL:
        return value_null();
    case QAPI_KIND_BOOL:
        return value_bool(*(const bool *)slot);
    case QAPI_KIND_INT:
        return value_int(load_int(t, slot));
    case QAPI_KIND_UINT:
    case QAPI_KIND_SIZE:
        memcpy(&u, slot, t->size);
        return value_uint(u);
    case QAPI_KIND_NUMBER:
        return value_double(*(const double *)slot);
    case QAPI_KIND_ENUM:
        assert(*(const unsigned *)slot < t->n_values);
        return value_string(t->values[*(const unsigned *)slot]);
    default:
        return p ? aggregate_to_value(t, p) : t->kind == QAPI_KIND_LIST ? value_list() : value_dict();
    }
}

/* --- clearing --- */

static void clear_members(const QapiType *t, char *base)
{
    for (unsigned i = 0; i < t->n_members; i++) {
        qapi_clear(t->members[i].type, base + t->members[i].offset);
    }
}

static void clear_aggregate(const QapiType *t, char *base)
{
    const QapiType *variant;

    if (t->kind == QAPI_KIND_LIST) {
        QapiAnyList *list = (void *)base;
        size_t size = element_size(t->element);

        for (size_t i = 0; i < list->len; i++) {
            char *at = (char *)list->at + i * size;

            if (is_inline_element(t->element)) {
                clear_aggregate(t->element, at);
            } else {
                qapi_clear(t->element, at);
            }
        }
        g_free(list->at);
        return;
    }
    if (t->kind == QAPI_KIND_ALTERNATE) {
        qapi_clear(variant_of(t, base), base + t->variants_offset);
        return;
    }
    variant = t->kind == QAPI_KIND_UNION ? variant_of(t, base) : NULL;
    if (variant) {                          /* before the tag goes */
        clear_members(variant, base + t->variants_offset);
    }
    clear_members(t, base);
}

void qapi_clear(const QapiType *t, void *slot)
{
    void *p = is_pointer(t) ? *(void **)slot : NULL;

    if (!is_pointer(t)) {
        memset(slot, 0, t->size);
        return;
    }
    if (t->kind == QAPI_KIND_ANY || t->kind == QAPI_KIND_NULL) {
        value_unref(p);
    } else if (p) {
        if (t->kind != QAPI_KIND_STR) {
            clear_aggregate(t, p);
        }
        g_free(p);
    }
    *(void **)slot = NULL;
}

void *qapi_clone(const QapiType *t, const void *aggregate)
{
    g_autoptr(Value) v = qapi_to_value(t, &aggregate);
    void *copy = NULL;

    if (!qapi_from_value(t, v, 0, &copy, &error_abort)) {
        g_assert_not_reached();
    }
    return copy;
}
