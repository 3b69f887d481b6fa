/*
 * key=value text; see qapi/keyval.h.
 *
 * Nested form: keys are paths of names and list indexes separated by dots.  A dict whose keys are
 * all numbers becomes a list; the numbers must be 0, 1, ... without holes.
 */
#include "qapi/json.h"
#include "qapi/keyval.h"

#define KEYVAL_MAX_DEPTH 32

/* The value up to an unescaped comma, doubled commas made single; moves *@s behind it. */
static char *take_value(const char **s)
{
    GString *v = g_string_new(NULL);

    while (**s && !(**s == ',' && (*s)[1] != ',')) {
        *s += **s == ',';
        g_string_append_c(v, *(*s)++);
    }
    *s += **s == ',';
    return g_string_free(v, FALSE);
}

static bool set_nested(Value *dict, const char *key, const char *value, Error **errp)
{
    g_auto(GStrv) parts = g_strsplit(key, ".", KEYVAL_MAX_DEPTH + 1);
    unsigned n = g_strv_length(parts);

    if (n > KEYVAL_MAX_DEPTH) {
        error_setg(errp, "Parameter '%s' is nested too deeply", key);
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        Value *at = value_dict_get(dict, parts[i]);

        if (!*parts[i]) {
            error_setg(errp, "Invalid parameter '%s'", key);
            return false;
        }
        if (i == n - 1) {
            if (at && value_type(at) == VALUE_DICT) {
                error_setg(errp, "Parameters '%s.*' used inconsistently", key);
                return false;
            }
            value_dict_set_str(dict, parts[i], value);
            break;
        }
        if (!at) {
            at = value_dict();
            value_dict_set(dict, parts[i], at);
        } else if (value_type(at) != VALUE_DICT) {
            error_setg(errp, "Parameters '%s.*' used inconsistently", parts[i]);
            return false;
        }
        dict = at;
    }
    return true;
}

static bool set_flat(Value *dict, const char *key, const char *value)
{
    value_dict_remove(dict, key);
    value_dict_set_str(dict, key, value);
    return true;
}

/* "name" without "=value". */
static bool set_bare(Value *dict, const char *key, KeyvalMode mode, Error **errp)
{
    if (mode == KEYVAL_FLAT) {
        bool no = g_str_has_prefix(key, "no") && strcmp(key, "node") && key[2] && strcmp(key, "nodelay");

        return set_flat(dict, no ? key + 2 : key, no ? "off" : "on");
    }
    error_setg(errp, "Expected '=' after parameter '%s'", key);
    return false;
}

static bool is_index(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s) && strlen(s) < 10 && (s[0] != '0' || !s[1]);
}

/* @v (consumed) with its dicts of numbered entries made lists; NULL and @errp on a mix or a hole. */
static Value *lists_from_dicts(Value *v, const char *path, Error **errp)
{
    g_autoptr(Value) dict = v, out = NULL;
    size_t n, n_indexes = 0;

    if (value_type(v) != VALUE_DICT) {
        return g_steal_pointer(&dict);
    }
    n = value_dict_len(v);
    for (size_t i = 0; i < n; i++) {
        n_indexes += is_index(value_dict_key_at(v, i));
    }
    if (n_indexes && n_indexes < n) {
        error_setg(errp, "Parameters '%s.*' used inconsistently", path);
        return NULL;
    }
    out = n_indexes ? value_list() : value_dict();
    for (size_t i = 0; i < n; i++) {
        g_autofree char *index = g_strdup_printf("%zu", i);
        const char *key = n_indexes ? index : value_dict_key_at(v, i);
        g_autofree char *sub = *path ? g_strdup_printf("%s.%s", path, key) : g_strdup(key);
        Value *item = value_dict_get(v, key);

        if (!item) {
            error_setg(errp, "Parameter '%s' missing", sub);
            return NULL;
        }
        item = lists_from_dicts(value_ref(item), sub, errp);
        if (!item) {
            return NULL;
        }
        if (n_indexes) {
            value_list_append(out, item);
        } else {
            value_dict_set(out, key, item);
        }
    }
    return g_steal_pointer(&out);
}

static bool parse_parts(Value *dict, const char *s, const char *implied_key, KeyvalMode mode, bool *help, Error **errp)
{
    for (bool first = true; *s; first = false) {
        size_t len = strcspn(s, "=,");
        g_autofree char *key = g_strndup(s, len);
        g_autofree char *value = NULL;
        bool ok;

        if (s[len] != '=' && (!strcmp(key, "help") || !strcmp(key, "?")) && help) {
            *help = true;
            s += len + (s[len] == ',');
            continue;
        }
        if (s[len] != '=' && first && implied_key) {
            value = take_value(&s);
            ok = mode == KEYVAL_FLAT ? set_flat(dict, implied_key, value) : set_nested(dict, implied_key, value, errp);
        } else if (!len) {
            error_setg(errp, "Invalid parameter ''");
            return false;
        } else if (s[len] != '=') {
            s += len + (s[len] == ',');
            ok = set_bare(dict, key, mode, errp);
        } else {
            s += len + 1;
            value = take_value(&s);
            ok = mode == KEYVAL_FLAT ? set_flat(dict, key, value) : set_nested(dict, key, value, errp);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

Value *keyval_parse(const char *text, const char *implied_key, KeyvalMode mode, bool *help, Error **errp)
{
    g_autoptr(Value) dict = value_dict();

    if (help) {
        *help = false;
    }
    if (!parse_parts(dict, text, implied_key, mode, help, errp)) {
        return NULL;
    }
    return mode == KEYVAL_FLAT ? g_steal_pointer(&dict) : lists_from_dicts(g_steal_pointer(&dict), "", errp);
}

Value *keyval_or_json_parse(const char *text, const char *implied_key, KeyvalMode mode, bool *help, bool *is_json,
                            Error **errp)
{
    Value *v;

    *is_json = *text == '{';
    if (!*is_json) {
        return keyval_parse(text, implied_key, mode, help, errp);
    }
    if (help) {
        *help = false;
    }
    v = json_parse_str(text, errp);
    if (v && value_type(v) != VALUE_DICT) {
        error_setg(errp, "Expected a JSON object");
        value_unref(v);
        return NULL;
    }
    return v;
}
