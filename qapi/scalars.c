/*
 * Built-in types, and the human spelling of booleans, integers and sizes on the command line.
 */
#include "qapi/qapi.h"
#include <math.h>

#define SCALAR(n, k, ctype) const QapiType qapi_type_##n = { .name = #n, .kind = k, .size = sizeof(ctype) }
SCALAR(str, QAPI_KIND_STR, char *);
SCALAR(bool, QAPI_KIND_BOOL, bool);
SCALAR(any, QAPI_KIND_ANY, Value *);
SCALAR(null, QAPI_KIND_NULL, Value *);
SCALAR(number, QAPI_KIND_NUMBER, double);
SCALAR(int, QAPI_KIND_INT, int64_t);
SCALAR(int8, QAPI_KIND_INT, int8_t);
SCALAR(int16, QAPI_KIND_INT, int16_t);
SCALAR(int32, QAPI_KIND_INT, int32_t);
SCALAR(int64, QAPI_KIND_INT, int64_t);
SCALAR(uint8, QAPI_KIND_UINT, uint8_t);
SCALAR(uint16, QAPI_KIND_UINT, uint16_t);
SCALAR(uint32, QAPI_KIND_UINT, uint32_t);
SCALAR(uint64, QAPI_KIND_UINT, uint64_t);
SCALAR(size, QAPI_KIND_SIZE, uint64_t);

#define LIST(n) \
    const QapiType qapi_type_##n##List = { \
        .name = "[" #n "]", .kind = QAPI_KIND_LIST, .size = sizeof(QapiAnyList), .element = &qapi_type_##n }
LIST(str);
LIST(bool);
LIST(any);
LIST(int);
LIST(uint8);
LIST(uint16);
LIST(uint32);
LIST(uint64);
LIST(size);
LIST(number);

bool qapi_parse_bool(const char *what, const char *text, bool *out, Error **errp)
{
    static const char *const yes[] = { "on", "yes", "true", "y" };
    static const char *const no[] = { "off", "no", "false", "n" };

    for (unsigned i = 0; i < ARRAY_SIZE(yes); i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            *out = !strcmp(text, yes[i]);
            return true;
        }
    }
    error_setg(errp, "Parameter '%s' expects 'on' or 'off', got '%s'", what, text);
    return false;
}

/* Decimal or 0x hexadecimal; a leading zero is no octal. */
static bool parse_digits(const char *text, uint64_t *out)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    guint64 u;

    if (!g_ascii_isxdigit(text[hex ? 2 : 0])
        || !g_ascii_string_to_unsigned(text + (hex ? 2 : 0), hex ? 16 : 10, 0, UINT64_MAX, &u, NULL)) {
        return false;
    }
    *out = u;
    return true;
}

bool qapi_parse_uint(const char *what, const char *text, uint64_t *out, Error **errp)
{
    if (!parse_digits(text, out)) {
        error_setg(errp, "Parameter '%s' expects a number, got '%s'", what, text);
        return false;
    }
    return true;
}

bool qapi_parse_int(const char *what, const char *text, int64_t *out, Error **errp)
{
    bool negative = *text == '-';
    uint64_t limit = (uint64_t)INT64_MAX + negative;
    uint64_t u;

    if (!parse_digits(text + negative, &u) || u > limit) {
        error_setg(errp, "Parameter '%s' expects a number, got '%s'", what, text);
        return false;
    }
    *out = (int64_t)(negative ? -u : u);
    return true;
}

static int suffix_shift(char c)
{
    static const char suffixes[] = "BKMGTPE";
    const char *at = strchr(suffixes, g_ascii_toupper(c));

    return c == '\0' ? 0 : at ? 10 * (int)(at - suffixes) : -1;
}

bool qapi_parse_size(const char *what, const char *text, uint64_t *out, Error **errp)
{
    size_t len = strlen(text);
    int shift = len && g_ascii_isalpha(text[len - 1]) ? suffix_shift(text[len - 1]) : 0;
    g_autofree char *digits = g_strndup(text, len - (len && g_ascii_isalpha(text[len - 1])));
    char *end;
    uint64_t u;
    double d;

    if (strlen(text) > 1 && g_str_has_prefix(text, "0x") && parse_digits(text, out)) {
        return true;                        /* 0xB is a number, no suffix */
    }
    if (shift >= 0 && parse_digits(digits, &u)) {
        if (shift && u >> (64 - shift)) {
            error_setg(errp, "Parameter '%s' is too large: '%s'", what, text);
            return false;
        }
        *out = u << shift;
        return true;
    }
    d = g_ascii_strtod(digits, &end);       /* 1.5G */
    if (shift <= 0 || end == digits || *end || !g_ascii_isdigit(*digits) || !isfinite(d)
        || d * (double)(UINT64_C(1) << shift) >= 0x1p64) {
        error_setg(errp, "Parameter '%s' expects a size (a number and K, M, G, T, P or E), got '%s'", what, text);
        return false;
    }
    *out = (uint64_t)(d * (double)(UINT64_C(1) << shift));
    return true;
}
