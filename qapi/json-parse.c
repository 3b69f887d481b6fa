/*
 * JSON parser: a byte-driven lexer and a push-down parser with an explicit stack, so that input may
 * come in pieces cut anywhere and depth costs heap, never C stack.
 *
 * Grammar: RFC 8259; what is refused beyond it is said in qapi/json.h.
 *
 * Invariants:
 *  I1  the lexer's token buffer and the stack are bounded by the JSON_MAX_* limits
 *  I2  after an error nothing of the failed value survives; input is skipped up to a line end
 *  I3  between values (stack empty, state LEX_NONE) no memory but the buffers is held
 */
#include "qapi/json.h"

typedef enum LexState {
    LEX_NONE,           /* between tokens */
    LEX_STRING,
    LEX_ESCAPE,         /* after a backslash */
    LEX_UNICODE,        /* in the four digits of \uXXXX */
    LEX_NUMBER,
    LEX_WORD,           /* true, false, null */
    LEX_SKIP,           /* after an error, up to the line end */
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
    LexState lex;
    GString *token;
    unsigned hex_digits;
    uint32_t hex;
    uint32_t high_surrogate;    /* 0 = none pending */
    unsigned n_tokens;
    size_t n_bytes;             /* of the present value */
    unsigned line, column;      /* of the byte being looked at, from 1 */
    Error *err;                 /* set by a failing step, handed out by feed */
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
    json_parser_reset(p);
    return p;
}

void json_parser_free(JsonParser *p)
{
    if (p) {
        g_array_free(p->stack, true);
        g_string_free(p->token, true);
        error_free(p->err);
        g_free(p);
    }
}

static void forget_value(JsonParser *p)
{
    g_array_set_size(p->stack, 0);
    g_string_truncate(p->token, 0);
    p->lex = LEX_NONE;
    p->expect = EXPECT_VALUE;
    p->high_surrogate = 0;
    p->n_tokens = 0;
    p->n_bytes = 0;
}

void json_parser_reset(JsonParser *p)
{
    forget_value(p);
    p->line = 1;
    p->column = 0;
}

PRINTF_LIKE(2, 3) static bool fail(JsonParser *p, const char *fmt, ...)
{
    va_list ap;
    g_autofree char *msg = NULL;

    va_start(ap, fmt);
    msg = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_setg(&p->err, "JSON parse error, %s at line %u, column %u", msg, p->line, MAX(p->column, 1));
    return false;
}

/* --- parser --- */

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
    value_dict_set(f->container, f->key, v);
    g_clear_pointer(&f->key, g_free);
    if (f->keys) {
        g_hash_table_add(f->keys, (char *)value_dict_key_at(f->container, value_dict_len(f->container) - 1));
    }
}

/* A value is complete; consumes @v. */
static bool value_done(JsonParser *p, Value *v)
{
    Frame *f = top(p);

    if (f) {
        store(f, v);
        p->expect = EXPECT_COMMA_OR_END;
        return true;
    }
    forget_value(p);
    p->emit(p->opaque, v, NULL);
    return true;
}

static bool count_token(JsonParser *p)
{
    if (++p->n_tokens > JSON_MAX_TOKENS) {
        return fail(p, "more than %u tokens in one value", JSON_MAX_TOKENS);
    }
    return true;
}

static bool value_allowed(JsonParser *p)
{
    return p->expect == EXPECT_VALUE || p->expect == EXPECT_VALUE_OR_END;
}

/* A scalar token; consumes @v. */
static bool take_scalar(JsonParser *p, Value *v)
{
    if (!count_token(p) || (!value_allowed(p) && !fail(p, "unexpected value"))) {
        value_unref(v);
        return false;
    }
    return value_done(p, v);
}

static bool take_string(JsonParser *p)
{
    Frame *f = top(p);

    if (p->expect == EXPECT_KEY || p->expect == EXPECT_KEY_OR_END) {
        if (!count_token(p)) {
            return false;
        }
        if (is_duplicate(f, p->token->str)) {
            return fail(p, "duplicate key '%s'", p->token->str);
        }
        f->key = g_strdup(p->token->str);
        p->expect = EXPECT_COLON;
        return true;
    }
    return take_scalar(p, value_string(p->token->str));
}

static bool open_container(JsonParser *p, Value *v, Expect expect)
{
    Frame f = { .container = v };

    if (!count_token(p) || (!value_allowed(p) && !fail(p, "unexpected value"))) {
        value_unref(v);
        return false;
    }
    if (p->stack->len >= JSON_MAX_DEPTH) {
        value_unref(v);
        return fail(p, "nested deeper than %u levels", JSON_MAX_DEPTH);
    }
    g_array_append_val(p->stack, f);
    p->expect = expect;
    return true;
}

static bool close_container(JsonParser *p, char c)
{
    Frame *f = top(p);
    bool is_dict = c == '}';
    bool right_place = p->expect == EXPECT_COMMA_OR_END
        || p->expect == (is_dict ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END);
    Value *v;

    if (!f || !right_place || (value_type(f->container) == VALUE_DICT) != is_dict) {
        return fail(p, "unexpected '%c'", c);
    }
    v = value_ref(f->container);
    g_array_set_size(p->stack, p->stack->len - 1);
    return value_done(p, v);
}

static bool take_comma(JsonParser *p)
{
    if (!top(p) || p->expect != EXPECT_COMMA_OR_END) {
        return fail(p, "unexpected ','");
    }
    p->expect = value_type(top(p)->container) == VALUE_DICT ? EXPECT_KEY : EXPECT_VALUE;
    return count_token(p);
}

static bool take_colon(JsonParser *p)
{
    if (p->expect != EXPECT_COLON) {
        return fail(p, "unexpected ':'");
    }
    p->expect = EXPECT_VALUE;
    return count_token(p);
}

/* --- lexer --- */

/* number = [ "-" ] int [ frac ] [ exp ]   (RFC 8259, section 6) */
static bool number_is_valid(const char *s, bool *is_integer)
{
    *is_integer = true;
    s += *s == '-';
    if (!g_ascii_isdigit(*s)) {
        return false;
    }
    if (*s++ != '0') {                      /* no digit follows a leading zero */
        while (g_ascii_isdigit(*s)) {
            s++;
        }
    }
    if (*s == '.') {
        *is_integer = false;
        s++;
        if (!g_ascii_isdigit(*s)) {
            return false;
        }
        while (g_ascii_isdigit(*s)) {
            s++;
        }
    }
    if (*s == 'e' || *s == 'E') {
        *is_integer = false;
        s++;
        s += *s == '+' || *s == '-';
        if (!g_ascii_isdigit(*s)) {
            return false;
        }
        while (g_ascii_isdigit(*s)) {
            s++;
        }
    }
    return *s == '\0';
}

static bool finish_number(JsonParser *p)
{
    const char *s = p->token->str;
    bool is_integer;
    gint64 i;
    guint64 u;

    if (!number_is_valid(s, &is_integer)) {
        return fail(p, "bad number '%.40s'", s);
    }
    if (is_integer && g_ascii_string_to_signed(s, 10, INT64_MIN, INT64_MAX, &i, NULL)) {
        return take_scalar(p, value_int(i));
    }
    if (is_integer && g_ascii_string_to_unsigned(s, 10, 0, UINT64_MAX, &u, NULL)) {
        return take_scalar(p, value_uint(u));
    }
    return take_scalar(p, value_double(g_ascii_strtod(s, NULL)));
}

static bool finish_word(JsonParser *p)
{
    const char *s = p->token->str;

    if (!strcmp(s, "true") || !strcmp(s, "false")) {
        return take_scalar(p, value_bool(*s == 't'));
    }
    if (!strcmp(s, "null")) {
        return take_scalar(p, value_null());
    }
    return fail(p, "unknown word '%.40s'", s);
}

static bool finish_string(JsonParser *p)
{
    p->lex = LEX_NONE;
    if (!g_utf8_validate(p->token->str, p->token->len, NULL)) {
        return fail(p, "string is not valid UTF-8");
    }
    return take_string(p);
}

/* The four digits are there. */
static bool finish_unicode(JsonParser *p)
{
    uint32_t c = p->hex;

    p->lex = LEX_STRING;
    if (p->high_surrogate) {
        if (c < 0xdc00 || c > 0xdfff) {
            return fail(p, "lone surrogate in string");
        }
        c = 0x10000 + ((p->high_surrogate - 0xd800) << 10) + (c - 0xdc00);
        p->high_surrogate = 0;
    } else if (c >= 0xd800 && c < 0xdc00) {
        p->high_surrogate = c;
        return true;
    } else if (c >= 0xdc00 && c <= 0xdfff) {
        return fail(p, "lone surrogate in string");
    }
    if (!c) {
        return fail(p, "\\u0000 in string");
    }
    g_string_append_unichar(p->token, c);
    return true;
}

static bool lex_string(JsonParser *p, char c)
{
    if (p->high_surrogate && c != '\\') {
        return fail(p, "lone surrogate in string");
    }
    if (c == '"') {
        return finish_string(p);
    }
    if (c == '\\') {
        p->lex = LEX_ESCAPE;
        return true;
    }
    if ((uint8_t)c < 0x20) {
        return fail(p, "control character 0x%02x in string", (uint8_t)c);
    }
    g_string_append_c(p->token, c);
    return true;
}

static bool lex_escape(JsonParser *p, char c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = c ? strchr(from, c) : NULL;

    if (c == 'u') {
        p->hex = p->hex_digits = 0;
        p->lex = LEX_UNICODE;
        return true;
    }
    if (!at || p->high_surrogate) {
        return fail(p, at ? "lone surrogate in string" : "bad escape in string");
    }
    g_string_append_c(p->token, to[at - from]);
    p->lex = LEX_STRING;
    return true;
}

static bool lex_unicode(JsonParser *p, char c)
{
    if (!g_ascii_isxdigit(c)) {
        return fail(p, "bad \\u escape in string");
    }
    p->hex = p->hex << 4 | (uint32_t)g_ascii_xdigit_value(c);
    return ++p->hex_digits < 4 || finish_unicode(p);
}

static void start_token(JsonParser *p, LexState state, char c)
{
    p->lex = state;
    g_string_truncate(p->token, 0);
    if (c) {
        g_string_append_c(p->token, c);
    }
}

static bool lex_start(JsonParser *p, char c)
{
    switch (c) {
    case ' ': case '\t': case '\r': case '\n':
        return true;
    case '{':
        return open_container(p, value_dict(), EXPECT_KEY_OR_END);
    case '[':
        return open_container(p, value_list(), EXPECT_VALUE_OR_END);
    case '}': case ']':
        return close_container(p, c);
    case ',':
        return take_comma(p);
    case ':':
        return take_colon(p);
    case '"':
        start_token(p, LEX_STRING, 0);
        return true;
    }
    if (c == '-' || g_ascii_isdigit(c)) {
        start_token(p, LEX_NUMBER, c);
        return true;
    }
    if (g_ascii_isalpha(c)) {
        start_token(p, LEX_WORD, c);
        return true;
    }
    return fail(p, "stray byte 0x%02x", (uint8_t)c);
}

/* 0xff, which no UTF-8 text contains, is a peer's way to say: forget what was before. */
static bool lex_reset(JsonParser *p)
{
    bool idle = p->lex == LEX_SKIP || (p->lex == LEX_NONE && !p->stack->len);

    forget_value(p);
    return idle || fail(p, "value given up");
}

static bool lex_byte(JsonParser *p, char c)
{
    if (c == '\xff') {
        return lex_reset(p);
    }
    switch (p->lex) {
    case LEX_STRING:
        return lex_string(p, c);
    case LEX_ESCAPE:
        return lex_escape(p, c);
    case LEX_UNICODE:
        return lex_unicode(p, c);
    case LEX_NUMBER:
        if (g_ascii_isalnum(c) || c == '.' || c == '+' || c == '-') {
            g_string_append_c(p->token, c);
            return true;
        }
        p->lex = LEX_NONE;
        return finish_number(p) && lex_start(p, c);
    case LEX_WORD:
        if (g_ascii_isalnum(c)) {
            g_string_append_c(p->token, c);
            return true;
        }
        p->lex = LEX_NONE;
        return finish_word(p) && lex_start(p, c);
    case LEX_SKIP:
        if (c == '\n') {
            forget_value(p);
        }
        return true;
    case LEX_NONE:
        break;
    }
    return lex_start(p, c);
}

/* Hand the error out; skip the rest of the line unless this is its end. */
static void report(JsonParser *p, bool at_line_end)
{
    Error *err = g_steal_pointer(&p->err);

    forget_value(p);
    p->lex = at_line_end ? LEX_NONE : LEX_SKIP;
    p->emit(p->opaque, NULL, err);
}

void json_parser_feed(JsonParser *p, const char *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = buf[i];
        bool ok;

        p->column++;
        p->n_bytes = p->stack->len || p->lex != LEX_NONE ? p->n_bytes + 1 : 0;
        ok = p->lex != LEX_SKIP && p->n_bytes > JSON_MAX_BYTES
            ? fail(p, "value longer than %llu bytes", JSON_MAX_BYTES) : lex_byte(p, c);
        if (!ok) {
            report(p, c == '\n' || c == '\xff');
        }
        if (c == '\n') {
            p->line++;
            p->column = 0;
        }
    }
}

void json_parser_end(JsonParser *p)
{
    bool ok = true;

    if (p->lex == LEX_NUMBER || p->lex == LEX_WORD) {
        LexState was = p->lex;

        p->lex = LEX_NONE;
        ok = was == LEX_NUMBER ? finish_number(p) : finish_word(p);
    }
    if (ok && p->lex != LEX_SKIP && (p->lex != LEX_NONE || p->stack->len)) {
        ok = fail(p, "unexpected end of text");
    }
    if (!ok) {
        report(p, true);
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
        error_setg(&s.err, s.n ? "JSON parse error, more than one value" : "JSON parse error, no value");
    }
    if (s.err) {
        value_unref(s.value);
        error_propagate(errp, s.err);
        return NULL;
    }
    return s.value;
}
