/*
 * Value: dynamically typed, reference-counted JSON-like values.
 */
#include "util/value.h"

#include <stdarg.h>

typedef struct DictEntry { char *key; Value *value; } DictEntry;

struct Value {
    ValueType type;
    unsigned ref;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        char *s;
        GPtrArray *list;    /* of Value * */
        GArray *dict;       /* of DictEntry, in insertion order: dicts are small, a scan is fastest */
    };
};

static Value *value_new(ValueType type)
{
    Value *v = g_new0(Value, 1);

    v->type = type;
    v->ref = 1;
    return v;
}

Value *value_ref(Value *v)
{
    if (v) {
        v->ref++;
    }
    return v;
}

void value_unref(Value *v)
{
    if (!v || --v->ref) {
        return;
    }
    switch (v->type) {
    case VALUE_STRING:
        g_free(v->s);
        break;
    case VALUE_LIST:
        g_ptr_array_unref(v->list);
        break;
    case VALUE_DICT:
        for (unsigned i = 0; i < v->dict->len; i++) {
            DictEntry *e = &g_array_index(v->dict, DictEntry, i);

            g_free(e->key);
            value_unref(e->value);
        }
        g_array_unref(v->dict);
        break;
    default:
        break;
    }
    g_free(v);
}

ValueType value_type(const Value *v)
{
    return v->type;
}

const char *value_type_name(ValueType t)
{
    static const char *const names[] = {
        [VALUE_NULL] = "null", [VALUE_BOOL] = "boolean", [VALUE_INT] = "integer", [VALUE_UINT] = "integer",
        [VALUE_DOUBLE] = "number", [VALUE_STRING] = "string", [VALUE_LIST] = "array", [VALUE_DICT] = "object",
    };
    return names[t];
}

char *value_describe(const Value *v)
{
    const char *type = value_type_name(value_type(v)), *text;
    uint64_t u;
    int64_t i;

    switch (value_type(v)) {
    case VALUE_BOOL:
        return g_strdup_printf("%s %s", type, value_get_bool(v) ? "true" : "false");
    case VALUE_DOUBLE:
        return g_strdup_printf("%s %g", type, value_get_double(v));
    case VALUE_STRING:
        text = value_get_string(v);
        return g_strdup_printf(strlen(text) > 40 ? "%s '%.40s...'" : "%s '%s'", type, text);
    default:
        if (value_get_int(v, &i)) {
            return g_strdup_printf("%s %" PRId64, type, i);
        }
        return value_get_uint(v, &u) ? g_strdup_printf("%s %" PRIu64, type, u) : g_strdup(type);
    }
}

Value *value_null(void)
{
    return value_new(VALUE_NULL);
}

Value *value_bool(bool b)
{
    Value *v = value_new(VALUE_BOOL);

    v->b = b;
    return v;
}

Value *value_int(int64_t i)
{
    Value *v = value_new(VALUE_INT);

    v->i = i;
    return v;
}

Value *value_uint(uint64_t u)
{
    Value *v = value_new(u <= INT64_MAX ? VALUE_INT : VALUE_UINT);

    v->u = u;
    return v;
}

Value *value_double(double d)
{
    Value *v = value_new(VALUE_DOUBLE);

    v->d = d;
    return v;
}

Value *value_string_take(char *s)
{
    Value *v = value_new(VALUE_STRING);

    v->s = s;
    return v;
}

Value *value_string(const char *s)
{
    return value_string_take(g_strdup(s));
}

Value *value_string_printf(const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    return value_string_take(s);
}

Value *value_list(void)
{
    Value *v = value_new(VALUE_LIST);

    v->list = g_ptr_array_new_with_free_func((GDestroyNotify)value_unref);
    return v;
}

Value *value_dict(void)
{
    Value *v = value_new(VALUE_DICT);

    v->dict = g_array_new(false, false, sizeof(DictEntry));
    return v;
}

bool value_get_bool(const Value *v)
{
    assert(v->type == VALUE_BOOL);
    return v->b;
}

const char *value_get_string(const Value *v)
{
    assert(v->type == VALUE_STRING);
    return v->s;
}

double value_get_double(const Value *v)
{
    switch (v->type) {
    case VALUE_INT:  return v->i;
    case VALUE_UINT: return v->u;
    default:
        assert(v->type == VALUE_DOUBLE);
        return v->d;
    }
}

bool value_get_int(const Value *v, int64_t *out)
{
    *out = v->type == VALUE_INT ? v->i : 0;
    return v->type == VALUE_INT;
}

bool value_get_uint(const Value *v, uint64_t *out)
{
    bool ok = v->type == VALUE_UINT || (v->type == VALUE_INT && v->i >= 0);

    *out = ok ? v->u : 0;
    return ok;
}

size_t value_list_len(const Value *list)
{
    assert(list->type == VALUE_LIST);
    return list->list->len;
}

Value *value_list_at(const Value *list, size_t i)
{
    assert(i < value_list_len(list));
    return g_ptr_array_index(list->list, i);
}

void value_list_append(Value *list, Value *item)
{
    assert(list->type == VALUE_LIST);
    g_ptr_array_add(list->list, item);
}

size_t value_dict_len(const Value *dict)
{
    assert(dict->type == VALUE_DICT);
    return dict->dict->len;
}

static DictEntry *dict_entry(const Value *dict, const char *key)
{
    assert(dict->type == VALUE_DICT);
    for (unsigned i = 0; i < dict->dict->len; i++) {
        DictEntry *e = &g_array_index(dict->dict, DictEntry, i);

        if (!strcmp(e->key, key)) {
            return e;
        }
    }
    return NULL;
}

Value *value_dict_get(const Value *dict, const char *key)
{
    DictEntry *e = dict_entry(dict, key);

    return e ? e->value : NULL;
}

void value_dict_set(Value *dict, const char *key, Value *v)
{
    DictEntry *e = dict_entry(dict, key);

    if (e) {
        value_unref(e->value);
        e->value = v;
    } else {
        DictEntry fresh = { g_strdup(key), v };

        g_array_append_val(dict->dict, fresh);
    }
}

void value_dict_append_take(Value *dict, char *key, Value *v)
{
    DictEntry fresh = { key, v };

    assert(dict->type == VALUE_DICT);
    g_array_append_val(dict->dict, fresh);
}

bool value_dict_remove(Value *dict, const char *key)
{
    DictEntry *e = dict_entry(dict, key);

    if (!e) {
        return false;
    }
    g_free(e->key);
    value_unref(e->value);
    g_array_remove_index(dict->dict, e - &g_array_index(dict->dict, DictEntry, 0));
    return true;
}

const char *value_dict_key_at(const Value *dict, size_t i)
{
    assert(i < value_dict_len(dict));
    return g_array_index(dict->dict, DictEntry, i).key;
}

Value *value_dict_value_at(const Value *dict, size_t i)
{
    assert(i < value_dict_len(dict));
    return g_array_index(dict->dict, DictEntry, i).value;
}

void value_dict_set_str(Value *dict, const char *key, const char *s)
{
    value_dict_set(dict, key, value_string(s));
}

void value_dict_set_int(Value *dict, const char *key, int64_t i)
{
    value_dict_set(dict, key, value_int(i));
}

void value_dict_set_bool(Value *dict, const char *key, bool b)
{
    value_dict_set(dict, key, value_bool(b));
}

const char *value_dict_get_str(const Value *dict, const char *key)
{
    Value *v = value_dict_get(dict, key);

    return v && v->type == VALUE_STRING ? v->s : NULL;
}

Value *value_deep_copy(const Value *v)
{
    Value *copy;

    switch (v->type) {
    case VALUE_STRING:
        return value_string(v->s);
    case VALUE_LIST:
        copy = value_list();
        for (size_t i = 0; i < v->list->len; i++) {
            value_list_append(copy, value_deep_copy(value_list_at(v, i)));
        }
        return copy;
    case VALUE_DICT:
        copy = value_dict();
        for (size_t i = 0; i < v->dict->len; i++) {
            value_dict_set(copy, value_dict_key_at(v, i), value_deep_copy(value_dict_value_at(v, i)));
        }
        return copy;
    default:
        copy = value_new(v->type);
        copy->u = v->u;
        if (v->type == VALUE_BOOL) {
            copy->b = v->b;
        }
        return copy;
    }
}

bool value_equal(const Value *a, const Value *b)
{
    if (a->type != b->type) {
        return false;
    }
    switch (a->type) {
    case VALUE_NULL:   return true;
    case VALUE_BOOL:   return a->b == b->b;
    case VALUE_DOUBLE: return a->d == b->d;
    case VALUE_STRING: return !strcmp(a->s, b->s);
    case VALUE_LIST:
        if (a->list->len != b->list->len) {
            return false;
        }
        for (size_t i = 0; i < a->list->len; i++) {
            if (!value_equal(value_list_at(a, i), value_list_at(b, i))) {
                return false;
            }
        }
        return true;
    case VALUE_DICT:
        if (a->dict->len != b->dict->len) {
            return false;
        }
        for (size_t i = 0; i < a->dict->len; i++) {
            const Value *other = value_dict_get(b, value_dict_key_at(a, i));

            if (!other || !value_equal(value_dict_value_at(a, i), other)) {
                return false;
            }
        }
        return true;
    default:
        return a->u == b->u;
    }
}
