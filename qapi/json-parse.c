/*
 * JSON parser: a byte-driven lexer and a push-down parser with an explicit stack, so that input may
 * come in pieces cut anywhere and depth costs heap, never C stack.
 *
 * Grammar: RFC 8259 and what qapi/json.h says beyond it.  Two kinds of wrong are told apart, as QEMU does, so
 * that a client finds its way back to the same place:
 *  - bytes that make no token: reported at once, the value begun is forgotten, and what follows is skipped up
 *    to a structural character, a control character other than tab, or a byte that no UTF-8 text has
 *  - tokens in the wrong order: reported when as many braces and brackets were closed as opened
 *
 * Invariants:
 *  I1  the lexer's token buffer and the stack are bounded by the JSON_MAX_* limits
 *  I2  after an error nothing of the failed value is held
 *  I3  between values (stack empty, state LEX_NONE) no memory but the buffers is held
 */
#include "qapi/json.h"

#include <math.h>

typedef enum LexState {
    LEX_NONE,           /* between tokens */
    LEX_STRING,
    LEX_ESCAPE,         /* after a backslash */
    LEX_UNICODE,        /* in the four digits of \uXXXX */
    LEX_MINUS, LEX_ZERO, LEX_INT, LEX_POINT, LEX_FRACTION, LEX_E, LEX_E_SIGN, LEX_EXPONENT,     /* numbers */
    LEX_WORD,           /* true, false, null */
    LEX_RECOVER,        /* after bytes that made no token */
} LexState;

/* What the parser may take next in the innermost container (or at the top). */
typedef enum Expect {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END,        /* just after [ */
    EXPECT_KEY_OR_END,          /* just after { */
    EXPECT_KEY,                 /* after , in an object */
    EXPECT_COLON,
    EXPECT_COMMA_OR_END,
} Expect;

typedef struct Frame {
    Value *container;
    char *key;                  /* pending key of an object */
    GHashTable *keys;           /* of a large object: finds duplicates in constant time; borrowed strings */
} Frame;

struct JsonParser {
    JsonEmit *emit;
    void *opaque;
    GArray *stack;              /* of Frame */
    Expect expect;
    Value *done;                /* the top-level value, complete */
    int braces, brackets;       /* opened and not yet closed */
    Error *err;                 /* tokens in wrong order: told when braces and brackets are closed */

    LexState lex;
    GString *token;
    char quote;
    bool non_ascii;             /* in the present string */
    char *bad_string;           /* what is wrong with it; NULL = nothing */
    unsigned hex_digits;
    uint32_t hex;
    uint32_t high_surrogate;    /* 0 = none pending */

    unsigned n_tokens, max_tokens;
    size_t n_bytes, max_bytes;  /* of the present value */
    unsigned line, column;      /* of the byte being looked at, from 1 */
    bool paused;
};

static Frame *top(JsonParser *p)
{
    return p->stack->len ? &g_array_index(p->stack, Frame, p->stack->len - 1) : NULL;
}

static void frame_clear(void *opaque)
{
    Frame *f = opaque;

    value_unref(f->container);
    g_free(f->key);
    g_clear_pointer(&f->keys, g_hash_table_unref);
}

JsonParser *json_parser_new(JsonEmit *emit, void *opaque)
{
    JsonParser *p = g_new0(JsonParser, 1);

    p->emit = emit;
    p->opaque = opaque;
    p->stack = g_array_new(false, false, sizeof(Frame));
    g_array_set_clear_func(p->stack, frame_clear);
    p->token = g_string_new(NULL);
    json_parser_set_limits(p, JSON_MAX_TOKENS, JSON_MAX_BYTES);
    json_parser_reset(p);
    return p;
}

/* The value begun, and what was found wrong with it. */
static void forget_value(JsonParser *p)
{
    g_array_set_size(p->stack, 0);
    g_clear_pointer(&p->done, value_unref);
    g_clear_pointer(&p->err, error_free);
    p->expect = EXPECT_VALUE;
    p->braces = p->brackets = 0;
    p->n_tokens = 0;
    p->n_bytes = 0;
}

void json_parser_set_limits(JsonParser *p, unsigned tokens, size_t bytes)
{
    p->max_tokens = MIN(tokens, JSON_MAX_TOKENS);
    p->max_bytes = MIN(bytes, JSON_MAX_BYTES);
}

static void forget_token(JsonParser *p)
{
    g_string_truncate(p->token, 0);
    g_clear_pointer(&p->bad_string, g_free);
    p->lex = LEX_NONE;
    p->high_surrogate = 0;
    p->non_ascii = false;
}

void json_parser_free(JsonParser *p)
{
    if (p) {
        forget_value(p);
        forget_token(p);
        g_array_free(p->stack, true);
        g_string_free(p->token, true);
        g_free(p);
    }
}

void json_parser_reset(JsonParser *p)
{
    forget_value(p);
    forget_token(p);
    p->line = 1;
    p->column = 0;
    p->paused = true;           /* called by an emit function: what is being fed belongs to the past */
}

/* Hand @text out as an error at the present place, and begin anew. */
static void report_text(JsonParser *p, const char *text)
{
    Error *err = NULL;

    error_setg(&err, "%s at line %u, column %u", text, p->line, MAX(p->column, 1));
    forget_value(p);
    p->emit(p->opaque, NULL, err);
}

/* Bytes that make no token. */
PRINTF_LIKE(2, 3) static void report_bytes(JsonParser *p, const char *fmt, ...)
{
    g_autofree char *what = NULL, *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    text = g_strconcat("JSON parse error, ", what, NULL);
    forget_token(p);
    p->lex = LEX_RECOVER;
    report_text(p, text);
}

/* A token in the wrong place: the first of a value is kept, nothing more is built. */
PRINTF_LIKE(2, 3) static void fail(JsonParser *p, const char *fmt, ...)
{
    g_autofree char *what = NULL;
    va_list ap;

    va_start(ap, fmt);
    what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_setg(&p->err, "JSON parse error, %s at line %u, column %u", what, p->line, MAX(p->column, 1));
    g_array_set_size(p->stack, 0);
}

/* --- parser: one function per kind of token --- */

/* Above this many members an object gets a hash of its keys. */
#define KEYS_HASH_FROM 16

static bool is_duplicate(Frame *f, const char *key)
{
    size_t n = value_dict_len(f->container);

    if (n < KEYS_HASH_FROM) {
        return value_dict_get(f->container, key) != NULL;
    }
    if (!f->keys) {
        f->keys = g_hash_table_new(g_str_hash, g_str_equal);
        for (size_t i = 0; i < n; i++) {
            g_hash_table_add(f->keys, (char *)value_dict_key_at(f->container, i));
        }
    }
    return g_hash_table_contains(f->keys, key);
}

static void store(Frame *f, Value *v)
{
    if (value_type(f->container) == VALUE_LIST) {
        value_list_append(f->container, v);
        return;
    }
    value_dict_append_take(f->container, g_steal_pointer(&f->key), v);
    if (f->keys) {
        g_hash_table_add(f->keys, (char *)value_dict_key_at(f->container, value_dict_len(f->container) - 1));
    }
}

/* A value is complete; consumes @v. */
static void value_done(JsonParser *p, Value *v)
{
    Frame *f = top(p);

    if (f) {
        store(f, v);
        p->expect = EXPECT_COMMA_OR_END;
    } else {
        p->done = v;
    }
}

static void fail_unexpected(JsonParser *p)
{
    Frame *f = top(p);

    switch (p->expect) {
    case EXPECT_KEY: case EXPECT_KEY_OR_END: case EXPECT_VALUE: case EXPECT_VALUE_OR_END:
        fail(p, "expecting value");
        break;
    case EXPECT_COLON:
        fail(p, "missing : in object pair");
        break;
    case EXPECT_COMMA_OR_END:
        fail(p, "expected separator in %s", value_type(f->container) == VALUE_DICT ? "dict" : "list");
        break;
    }
}

static bool value_allowed(JsonParser *p)
{
    if (p->expect == EXPECT_VALUE || p->expect == EXPECT_VALUE_OR_END) {
        return true;
    }
    if (p->expect == EXPECT_KEY || p->expect == EXPECT_KEY_OR_END) {
        fail(p, "key is not a string in object");
    } else {
        fail_unexpected(p);
    }
    return false;
}

static void take_scalar(JsonParser *p, Value *v)
{
    if (value_allowed(p)) {
        value_done(p, v);
    } else {
        value_unref(v);
    }
}

static void take_key(JsonParser *p)
{
    if (is_duplicate(top(p), p->token->str)) {
        fail(p, "duplicate key '%.200s'", p->token->str);
        return;
    }
    top(p)->key = g_strndup(p->token->str, p->token->len);
    p->expect = EXPECT_COLON;
}

static void take_string(JsonParser *p)
{
    if (p->bad_string) {
        fail(p, "%s", p->bad_string);
    } else if (p->expect == EXPECT_KEY || p->expect == EXPECT_KEY_OR_END) {
        take_key(p);
    } else {
        take_scalar(p, value_string_take(g_strndup(p->token->str, p->token->len)));
    }
}

static void take_number(JsonParser *p)
{
    const char *s = p->token->str;
    bool is_integer = p->lex == LEX_ZERO || p->lex == LEX_INT;
    gint64 i;
    guint64 u;
    double d;

    if (is_integer && g_ascii_string_to_signed(s, 10, INT64_MIN, INT64_MAX, &i, NULL)) {
        take_scalar(p, value_int(i));
        return;
    }
    if (is_integer && g_ascii_string_to_unsigned(s, 10, 0, UINT64_MAX, &u, NULL)) {
        take_scalar(p, value_uint(u));
        return;
    }
    d = g_ascii_strtod(s, NULL);
    if (isinf(d)) {
        fail(p, "number '%.40s' is out of range", s);
        return;
    }
    take_scalar(p, value_double(d));
}

static void take_word(JsonParser *p)
{
    const char *s = p->token->str;

    if (!strcmp(s, "true") || !strcmp(s, "false")) {
        take_scalar(p, value_bool(*s == 't'));
    } else if (!strcmp(s, "null")) {
        take_scalar(p, value_null());
    } else {
        fail(p, "invalid keyword '%.200s'", s);
    }
}

static void take_open(JsonParser *p, bool is_dict)
{
    Frame f = { 0 };

    if (value_allowed(p)) {
        f.container = is_dict ? value_dict() : value_list();
        g_array_append_val(p->stack, f);
        p->expect = is_dict ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    }
}

static void take_close(JsonParser *p, bool is_dict)
{
    Frame *f = top(p);
    bool right_place = p->expect == EXPECT_COMMA_OR_END || p->expect == (is_dict ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END);
    Value *v;

    if (!f || !right_place || (value_type(f->container) == VALUE_DICT) != is_dict) {
        fail_unexpected(p);
        return;
    }
    v = value_ref(f->container);
    g_array_set_size(p->stack, p->stack->len - 1);
    value_done(p, v);
}

static void take_comma(JsonParser *p)
{
    if (!top(p) || p->expect != EXPECT_COMMA_OR_END) {
        fail_unexpected(p);
        return;
    }
    p->expect = value_type(top(p)->container) == VALUE_DICT ? EXPECT_KEY : EXPECT_VALUE;
}

static void take_colon(JsonParser *p)
{
    if (p->expect != EXPECT_COLON) {
        fail_unexpected(p);
        return;
    }
    p->expect = EXPECT_VALUE;
}

static void take(JsonParser *p, char kind)
{
    switch (kind) {
    case '{': case '[':
        take_open(p, kind == '{');
        break;
    case '}': case ']':
        take_close(p, kind == '}');
        break;
    case ',':
        take_comma(p);
        break;
    case ':':
        take_colon(p);
        break;
    case '"':
        take_string(p);
        break;
    case '0':
        take_number(p);
        break;
    case 'a':
        take_word(p);
        break;
    }
}

/*
 * A token of @kind (a structural character, '"', '0' = number, 'a' = word) with its text in p->token.
 * The value is handed out when braces and brackets are even, or one too many was closed.
 */
static void token(JsonParser *p, char kind)
{
    Value *v;
    Error *err;

    p->braces += (kind == '{') - (kind == '}');
    p->brackets += (kind == '[') - (kind == ']');
    if (++p->n_tokens > p->max_tokens) {
        report_text(p, "JSON token count limit exceeded");
        return;
    }
    if (p->braces + p->brackets > JSON_MAX_DEPTH) {
        report_text(p, "JSON nesting depth limit exceeded");
        return;
    }
    if (!p->err) {
        take(p, kind);
    }
    if ((p->braces > 0 || p->brackets > 0) && p->braces >= 0 && p->brackets >= 0) {
        return;
    }
    v = g_steal_pointer(&p->done);
    err = g_steal_pointer(&p->err);
    forget_value(p);
    p->emit(p->opaque, v, err);
}

static void end_token(JsonParser *p, char kind)
{
    token(p, kind);
    forget_token(p);
}

/* --- lexer: strings --- */

/* Only the first thing wrong with a string is told; the rest is read up to its end. */
PRINTF_LIKE(2, 3) static void bad_string(JsonParser *p, const char *fmt, ...)
{
    va_list ap;

    if (!p->bad_string) {
        va_start(ap, fmt);
        p->bad_string = g_strdup_vprintf(fmt, ap);
        va_end(ap);
    }
    p->high_surrogate = 0;
}

static bool is_noncharacter(gunichar c)
{
    return (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

/* UTF-8 without noncharacters, in which U+0000 is C0 80. */
static bool text_is_valid(const char *s, size_t len)
{
    const char *end = s + len;

    while (s < end) {
        gunichar c = (uint8_t)*s;

        if (c < 0x80) {
            s++;
        } else if (end - s >= 2 && c == 0xc0 && (uint8_t)s[1] == 0x80) {
            s += 2;
        } else {
            c = g_utf8_get_char_validated(s, end - s);
            if (c >= (gunichar)-2 || is_noncharacter(c)) {
                return false;
            }
            s = g_utf8_next_char(s);
        }
    }
    return true;
}

static void lone_surrogate(JsonParser *p)
{
    bad_string(p, "\\u%04x is not a valid Unicode character", p->high_surrogate);
}

/* The four digits are there. */
static void finish_unicode(JsonParser *p)
{
    uint32_t c = p->hex;

    p->lex = LEX_STRING;
    if (p->high_surrogate) {
        if (c < 0xdc00 || c > 0xdfff) {
            lone_surrogate(p);
            return;
        }
        c = 0x10000 + ((p->high_surrogate - 0xd800) << 10) + (c - 0xdc00);
        p->high_surrogate = 0;
    } else if (c >= 0xd800 && c < 0xdc00) {
        p->high_surrogate = c;
        return;
    }
    if ((c >= 0xdc00 && c <= 0xdfff) || is_noncharacter(c)) {
        bad_string(p, "\\u%04x is not a valid Unicode character", p->hex);
    } else if (!c) {
        g_string_append(p->token, "\xc0\x80");
    } else {
        g_string_append_unichar(p->token, c);
    }
}

static bool ends_string(uint8_t c)
{
    return c < 0x20 || c >= 0xfe;
}

static void lex_string(JsonParser *p, char c)
{
    if (p->high_surrogate && c != '\\') {
        lone_surrogate(p);
    }
    if (ends_string(c)) {
        report_bytes(p, "stray byte 0x%02x in string", (uint8_t)c);
    } else if (c == p->quote) {
        if (p->non_ascii && !text_is_valid(p->token->str, p->token->len)) {
            bad_string(p, "invalid UTF-8 sequence in string");
        }
        end_token(p, '"');
    } else if (c == '\\') {
        p->lex = LEX_ESCAPE;
    } else {
        p->non_ascii |= (uint8_t)c >= 0x80;
        g_string_append_c(p->token, c);
    }
}

static void lex_escape(JsonParser *p, char c)
{
    static const char from[] = "\"'\\/bfnrt", to[] = "\"'\\/\b\f\n\r\t";
    const char *at = c ? strchr(from, c) : NULL;

    if (ends_string(c)) {
        report_bytes(p, "stray byte 0x%02x in string", (uint8_t)c);
        return;
    }
    if (c == 'u') {
        p->hex = p->hex_digits = 0;
        p->lex = LEX_UNICODE;
        return;
    }
    if (p->high_surrogate) {
        lone_surrogate(p);
    } else if (!at) {
        bad_string(p, "invalid escape sequence in string");
    } else {
        g_string_append_c(p->token, to[at - from]);
    }
    p->lex = LEX_STRING;
}

static void lex_unicode(JsonParser *p, char c)
{
    if (g_ascii_isxdigit(c)) {
        p->hex = p->hex << 4 | (uint32_t)g_ascii_xdigit_value(c);
        if (++p->hex_digits == 4) {
            finish_unicode(p);
        }
        return;
    }
    bad_string(p, "\\u with fewer than four digits in string");
    p->lex = LEX_STRING;
    lex_string(p, c);
}

/* The bytes of @buf that are a string's plain contents, taken at once. */
static size_t take_plain(JsonParser *p, const char *buf, size_t len)
{
    size_t n = 0;
    uint8_t all = 0;

    if (p->high_surrogate) {
        return 0;
    }
    while (n < len && !ends_string(buf[n]) && buf[n] != p->quote && buf[n] != '\\') {
        all |= (uint8_t)buf[n++];
    }
    p->non_ascii |= all >= 0x80;
    g_string_append_len(p->token, buf, n);
    return n;
}

/* --- lexer: the rest --- */

static void start_token(JsonParser *p, LexState state, char c)
{
    p->lex = state;
    g_string_append_c(p->token, c);
}

static void lex_start(JsonParser *p, char c)
{
    switch (c) {
    case ' ': case '\t': case '\r': case '\n':
        break;
    case '{': case '}': case '[': case ']': case ',': case ':':
        token(p, c);
        break;
    case '"': case '\'':
        p->quote = c;
        p->lex = LEX_STRING;
        break;
    case '-':
        start_token(p, LEX_MINUS, c);
        break;
    case '0':
        start_token(p, LEX_ZERO, c);
        break;
    default:
        if (g_ascii_isdigit(c)) {
            start_token(p, LEX_INT, c);
        } else if (g_ascii_islower(c)) {
            start_token(p, LEX_WORD, c);
        } else {
            report_bytes(p, "stray byte 0x%02x", (uint8_t)c);
        }
    }
}

/* Where @c leads in a number (RFC 8259, section 6): LEX_NONE = it is behind the number, LEX_RECOVER = nowhere. */
static LexState number_next(LexState state, char c)
{
    bool digit = g_ascii_isdigit(c), e = c == 'e' || c == 'E';

    switch (state) {
    case LEX_MINUS:
        return c == '0' ? LEX_ZERO : digit ? LEX_INT : LEX_RECOVER;
    case LEX_ZERO:                          /* no digit follows a leading zero */
        return c == '.' ? LEX_POINT : e ? LEX_E : digit ? LEX_RECOVER : LEX_NONE;
    case LEX_INT:
        return c == '.' ? LEX_POINT : e ? LEX_E : digit ? LEX_INT : LEX_NONE;
    case LEX_POINT:
        return digit ? LEX_FRACTION : LEX_RECOVER;
    case LEX_FRACTION:
        return e ? LEX_E : digit ? LEX_FRACTION : LEX_NONE;
    case LEX_E:
        return c == '+' || c == '-' ? LEX_E_SIGN : digit ? LEX_EXPONENT : LEX_RECOVER;
    case LEX_E_SIGN:
        return digit ? LEX_EXPONENT : LEX_RECOVER;
    default:
        return digit ? LEX_EXPONENT : LEX_NONE;
    }
}

static void lex_number(JsonParser *p, char c)
{
    LexState next = number_next(p->lex, c);

    if (next == LEX_NONE) {
        end_token(p, '0');
        lex_start(p, c);
    } else if (next == LEX_RECOVER) {
        report_bytes(p, "stray '%.40s' of a number", p->token->str);
    } else {
        start_token(p, next, c);
    }
}

static void lex_word(JsonParser *p, char c)
{
    if (g_ascii_islower(c)) {
        g_string_append_c(p->token, c);
    } else {
        end_token(p, 'a');
        lex_start(p, c);
    }
}

static void lex_recover(JsonParser *p, char c)
{
    if (((uint8_t)c < 0x20 && c != '\t') || (uint8_t)c >= 0xfe || strchr("{}[],:", c)) {
        p->lex = LEX_NONE;
        lex_start(p, c);
    }
}

static void lex_byte(JsonParser *p, char c)
{
    switch (p->lex) {
    case LEX_NONE:
        lex_start(p, c);
        break;
    case LEX_STRING:
        lex_string(p, c);
        break;
    case LEX_ESCAPE:
        lex_escape(p, c);
        break;
    case LEX_UNICODE:
        lex_unicode(p, c);
        break;
    case LEX_WORD:
        lex_word(p, c);
        break;
    case LEX_RECOVER:
        lex_recover(p, c);
        break;
    default:
        lex_number(p, c);
        break;
    }
}

static bool within_value(const JsonParser *p)
{
    return p->braces > 0 || p->brackets > 0 || (p->lex != LEX_NONE && p->lex != LEX_RECOVER);
}

static void count_bytes(JsonParser *p, size_t n)
{
    p->column += n;
    p->n_bytes = within_value(p) ? p->n_bytes + n : 0;
    if (p->n_bytes > p->max_bytes) {
        forget_token(p);
        p->lex = LEX_RECOVER;
        report_text(p, "JSON token size limit exceeded");
    }
}

void json_parser_pause(JsonParser *p)
{
    p->paused = true;
}

size_t json_parser_feed_some(JsonParser *p, const char *buf, size_t len)
{
    size_t i = 0;

    p->paused = false;
    while (i < len && !p->paused) {
        size_t n = p->lex == LEX_STRING ? take_plain(p, buf + i, len - i) : 0;

        if (n) {
            count_bytes(p, n);
            i += n;
            continue;
        }
        count_bytes(p, 1);
        lex_byte(p, buf[i]);
        if (buf[i++] == '\n') {
            p->line++;
            p->column = 0;
        }
    }
    return i;
}

void json_parser_feed(JsonParser *p, const char *buf, size_t len)
{
    while (len) {
        size_t n = json_parser_feed_some(p, buf, len);

        buf += n;
        len -= n;
    }
}

void json_parser_end(JsonParser *p)
{
    if (p->lex == LEX_STRING || p->lex == LEX_ESCAPE || p->lex == LEX_UNICODE) {
        report_bytes(p, "string without an end");
    } else if (p->lex == LEX_WORD) {
        end_token(p, 'a');
    } else if (p->lex != LEX_NONE && p->lex != LEX_RECOVER) {
        lex_number(p, ' ');
    }
    if (within_value(p)) {
        report_text(p, "JSON parse error, premature EOI");
    }
    json_parser_reset(p);
}

/* --- one whole text --- */

typedef struct Single {
    Value *value;
    unsigned n;
    Error *err;
} Single;

static void single_emit(void *opaque, Value *v, Error *err)
{
    Single *s = opaque;

    s->n += v != NULL;
    if (s->value || s->err) {
        value_unref(v);
        error_free(err);
        return;
    }
    s->value = v;
    s->err = err;
}

Value *json_parse(const char *text, size_t len, Error **errp)
{
    Single s = { 0 };
    g_autoptr(JsonParser) p = json_parser_new(single_emit, &s);

    json_parser_feed(p, text, len);
    json_parser_end(p);
    if (!s.err && s.n != 1) {
        error_setg(&s.err, s.n ? "Expecting at most one JSON value" : "Expecting a JSON value");
    }
    if (s.err) {
        value_unref(s.value);
        error_propagate(errp, s.err);
        return NULL;
    }
    return s.value;
}
