/*
 * JSON printer.  The output is pure ASCII: everything else is escaped as UTF-16 code units, so
 * that a log or a line-based peer never cuts a character in two.
 */
#include "qapi/json.h"
#include <math.h>

static void print_string(GString *out, const char *s)
{
    static const char short_escapes[] = "b\bf\fn\nr\rt\t\"\"\\\\";

    g_string_append_c(out, '"');
    while (*s) {
        gunichar c = (uint8_t)*s < 0x80 ? (gunichar)*s : g_utf8_get_char_validated(s, -1);
        const char *e;

        if ((uint8_t)s[0] == 0xc0 && (uint8_t)s[1] == 0x80) {
            c = 0;
            s += 2;
        } else if (c >= (gunichar)-2) {     /* not UTF-8: a replacement character per byte */
            c = 0xfffd;
            s++;
        } else {
            s = g_utf8_next_char(s);
        }
        for (e = short_escapes; *e && (gunichar)e[1] != c; e += 2) {
        }
        if (*e) {
            g_string_append_c(out, '\\');
            g_string_append_c(out, *e);
        } else if (c < 0x20 || (c >= 0x7f && c < 0x10000)) {
            g_string_append_printf(out, "\\u%04X", c);
        } else if (c >= 0x10000) {
            c -= 0x10000;
            g_string_append_printf(out, "\\u%04X\\u%04X", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
        } else {
            g_string_append_c(out, (char)c);
        }
    }
    g_string_append_c(out, '"');
}

static void print_double(GString *out, double d)
{
    char buf[G_ASCII_DTOSTR_BUF_SIZE];

    if (!isfinite(d)) {
        g_string_append(out, "null");       /* JSON has no way to say it */
        return;
    }
    g_ascii_dtostr(buf, sizeof(buf), d);
    g_string_append(out, d == 0 && signbit(d) ? "-0.0" : buf);  /* "-0" would be read as an integer */
}

static void newline(GString *out, bool pretty, unsigned indent)
{
    if (pretty) {
        g_string_append_printf(out, "\n%*s", indent * 4, "");
    }
}

static void print_value(GString *out, const Value *v, bool pretty, unsigned indent);

static void print_list(GString *out, const Value *v, bool pretty, unsigned indent)
{
    size_t n = value_list_len(v);

    g_string_append_c(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i) {
            g_string_append(out, pretty ? "," : ", ");
        }
        newline(out, pretty, indent + 1);
        print_value(out, value_list_at(v, i), pretty, indent + 1);
    }
    if (n) {
        newline(out, pretty, indent);
    }
    g_string_append_c(out, ']');
}

static void print_dict(GString *out, const Value *v, bool pretty, unsigned indent)
{
    size_t n = value_dict_len(v);

    g_string_append_c(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i) {
            g_string_append(out, pretty ? "," : ", ");
        }
        newline(out, pretty, indent + 1);
        print_string(out, value_dict_key_at(v, i));
        g_string_append(out, ": ");
        print_value(out, value_dict_value_at(v, i), pretty, indent + 1);
    }
    if (n) {
        newline(out, pretty, indent);
    }
    g_string_append_c(out, '}');
}

static void print_value(GString *out, const Value *v, bool pretty, unsigned indent)
{
    int64_t i;
    uint64_t u;

    switch (value_type(v)) {
    case VALUE_NULL:
        g_string_append(out, "null");
        break;
    case VALUE_BOOL:
        g_string_append(out, value_get_bool(v) ? "true" : "false");
        break;
    case VALUE_INT:
        if (value_get_int(v, &i)) {
            g_string_append_printf(out, "%" PRId64, i);
        }
        break;
    case VALUE_UINT:
        if (value_get_uint(v, &u)) {
            g_string_append_printf(out, "%" PRIu64, u);
        }
        break;
    case VALUE_DOUBLE:
        print_double(out, value_get_double(v));
        break;
    case VALUE_STRING:
        print_string(out, value_get_string(v));
        break;
    case VALUE_LIST:
        print_list(out, v, pretty, indent);
        break;
    case VALUE_DICT:
        print_dict(out, v, pretty, indent);
        break;
    }
}

void json_print(GString *out, const Value *v, bool pretty)
{
    print_value(out, v, pretty, 0);
}

char *json_to_string(const Value *v, bool pretty)
{
    GString *s = g_string_new(NULL);

    json_print(s, v, pretty);
    return g_string_free(s, FALSE);
}
