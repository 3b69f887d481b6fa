/*
 * Value: a dynamically typed, reference-counted JSON-like value.
 *
 * It carries property values, command-line options and QMP messages between text and typed C.
 * JSON text is qapi/json.h's subject.  Not thread-safe: one owner thread at a time.
 */
#ifndef UTIL_VALUE_H
#define UTIL_VALUE_H

#include "util/error.h"

typedef enum ValueType {
    VALUE_NULL, VALUE_BOOL, VALUE_INT, VALUE_UINT, VALUE_DOUBLE, VALUE_STRING, VALUE_LIST, VALUE_DICT,
} ValueType;

typedef struct Value Value;

Value *value_ref(Value *v);
void   value_unref(Value *v);           /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Value, value_unref)

ValueType   value_type(const Value *v);
const char *value_type_name(ValueType t);
/* For messages: "integer 5", "boolean true", "string 'abc'"; long texts cut, lists and dicts by their type alone.  Owned. */
char *value_describe(const Value *v);

Value *value_null(void);
Value *value_bool(bool b);
Value *value_int(int64_t i);            /* VALUE_INT */
Value *value_uint(uint64_t u);          /* VALUE_INT if it fits an int64_t, else VALUE_UINT */
Value *value_double(double d);
Value *value_string(const char *s);     /* copies */
Value *value_string_take(char *s);
Value *value_string_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);
Value *value_list(void);
Value *value_dict(void);                /* keeps insertion order */

/* Readers: the value must have that type (bool_get on a non-bool is a bug). */
bool        value_get_bool(const Value *v);
const char *value_get_string(const Value *v);
double      value_get_double(const Value *v);           /* also from ints */
/* False if not an integer or out of range. */
bool value_get_int(const Value *v, int64_t *out);
bool value_get_uint(const Value *v, uint64_t *out);

size_t value_list_len(const Value *list);
Value *value_list_at(const Value *list, size_t i);      /* borrowed */
void   value_list_append(Value *list, Value *item);     /* consumes @item */

size_t      value_dict_len(const Value *dict);
Value      *value_dict_get(const Value *dict, const char *key);     /* borrowed, NULL if absent */
void        value_dict_set(Value *dict, const char *key, Value *v); /* consumes @v; replaces */
void        value_dict_append_take(Value *dict, char *key, Value *v);   /* a key known to be new; consumes both */
bool        value_dict_remove(Value *dict, const char *key);
const char *value_dict_key_at(const Value *dict, size_t i);
Value      *value_dict_value_at(const Value *dict, size_t i);       /* borrowed */
/* Convenience for building replies and reading options. */
void        value_dict_set_str(Value *dict, const char *key, const char *s);
void        value_dict_set_int(Value *dict, const char *key, int64_t i);
void        value_dict_set_bool(Value *dict, const char *key, bool b);
const char *value_dict_get_str(const Value *dict, const char *key); /* NULL if absent or no string */

Value *value_deep_copy(const Value *v);
bool   value_equal(const Value *a, const Value *b);

#endif
