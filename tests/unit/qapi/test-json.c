/*
 * JSON text: what is accepted, what is refused and where, printing, streams cut anywhere.
 */
#include "qapi/json.h"

typedef struct Case {
    const char *text;
    const char *expected;       /* printed form, or the error's beginning */
} Case;

static const Case valid[] = {
    { "{}", "{}" },
    { " [ ] ", "[]" },
    { "{\"a\": 1, \"b\": [true, false, null]}", "{\"a\": 1, \"b\": [true, false, null]}" },
    { "0", "0" },
    { "-0", "0" },
    { "10", "10" },
    { "100200", "100200" },
    { "9223372036854775807", "9223372036854775807" },
    { "9223372036854775808", "9223372036854775808" },
    { "18446744073709551615", "18446744073709551615" },
    { "-9223372036854775808", "-9223372036854775808" },
    { "1.5", "1.5" },
    { "1e3", "1000" },
    { "0.25E-1", "0.025000000000000001" },
    { "\"\\u0041\\n\\\"\\\\\\/\"", "\"A\\n\\\"\\\\/\"" },
    { "\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"" },
    { "\"\xc3\xa9\"", "\"\\u00E9\"" },
    { "\"\x7f\"", "\"\\u007F\"" },
    { "-0.0", "-0.0" },
    { "18446744073709551616", "1.8446744073709552e+19" },
    { "-9223372036854775809", "-9.2233720368547758e+18" },
    { "\"\\u0000x\"", "\"\\u0000x\"" },
    { "\"\xc0\x80\"", "\"\\u0000\"" },
    { "'it\\'s \"so\"'", "\"it's \\\"so\\\"\"" },
    { "{'a':'b'}", "{\"a\": \"b\"}" },
    { "\"\xef\xbf\xbd\"", "\"\\uFFFD\"" },
    { "{\"a\":{\"a\":{\"a\":[]}}}", "{\"a\": {\"a\": {\"a\": []}}}" },
};

static const Case invalid[] = {
    { "", "Expecting a JSON value" },
    { "1 2", "Expecting at most one JSON value" },
    { "{", "JSON parse error, premature EOI at line 1, column 1" },
    { "[1,]", "JSON parse error, expecting value at line 1, column 4" },
    { "[,1]", "JSON parse error, expecting value at line 1, column 2" },
    { "{\"a\":1,}", "JSON parse error, expecting value at line 1, column 8" },
    { "{\"a\":}", "JSON parse error, expecting value" },
    { "{\"a\"}", "JSON parse error, missing : in object pair" },
    { "{\"a\" 1}", "JSON parse error, missing : in object pair" },
    { "{a:1}", "JSON parse error, invalid keyword 'a'" },
    { "{1:2}", "JSON parse error, key is not a string in object" },
    { "{\"a\":1,\n \"a\":2}", "JSON parse error, duplicate key 'a' at line 2, column 4" },
    { "{\"a\":1 \"b\":2}", "JSON parse error, expected separator in dict" },
    { "[1 2]", "JSON parse error, expected separator in list" },
    { "[1:2]", "JSON parse error, expected separator in list" },
    { "[1}", "JSON parse error, expected separator in list" },
    { "]", "JSON parse error, expecting value" },
    { "01", "JSON parse error, stray '0' of a number at line 1, column 2" },
    { "-", "JSON parse error, stray '-' of a number" },
    { "+1", "JSON parse error, stray byte 0x2b" },
    { "1.", "JSON parse error, stray '1.' of a number" },
    { ".5", "JSON parse error, stray byte 0x2e" },
    { "1e", "JSON parse error, stray '1e' of a number" },
    { "1e+]", "JSON parse error, stray '1e+' of a number" },
    { "1e999", "JSON parse error, number '1e999' is out of range" },
    { "NaN", "JSON parse error, stray byte 0x4e" },
    { "nan", "JSON parse error, invalid keyword 'nan'" },
    { "truetrue", "JSON parse error, invalid keyword 'truetrue'" },
    { "\"a\tb\"", "JSON parse error, stray byte 0x09 in string" },
    { "\"\\x\"", "JSON parse error, invalid escape sequence in string" },
    { "\"\\u12g4\"", "JSON parse error, \\u with fewer than four digits in string" },
    { "\"\\u12\"", "JSON parse error, \\u with fewer than four digits in string" },
    { "\"\\ud800\"", "JSON parse error, \\ud800 is not a valid Unicode character" },
    { "\"\\ud800x\"", "JSON parse error, \\ud800 is not a valid Unicode character" },
    { "\"\\ud800\\n\"", "JSON parse error, \\ud800 is not a valid Unicode character" },
    { "\"\\ud83d\\ud83d\"", "JSON parse error, \\ud83d is not a valid Unicode character" },
    { "\"\\udc00\"", "JSON parse error, \\udc00 is not a valid Unicode character" },
    { "\"\\ufffe\"", "JSON parse error, \\ufffe is not a valid Unicode character" },
    { "\"\xc0\xaf\"", "JSON parse error, invalid UTF-8 sequence in string" },
    { "\"\xed\xa0\x80\"", "JSON parse error, invalid UTF-8 sequence in string" },
    { "\"\xef\xbf\xbe\"", "JSON parse error, invalid UTF-8 sequence in string" },
    { "\"\xf4\x90\x80\x80\"", "JSON parse error, invalid UTF-8 sequence in string" },
    { "\"\xe2\x82\"", "JSON parse error, invalid UTF-8 sequence in string" },
    { "\"\xfe\"", "JSON parse error, stray byte 0xfe in string" },
    { "\xff", "JSON parse error, stray byte 0xff" },
    { "\"abc", "JSON parse error, string without an end" },
    { "'abc\"", "JSON parse error, string without an end" },
    { "// x\n1", "JSON parse error, stray byte 0x2f at line 1, column 1" },
};

static void test_valid_text_prints_back(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(valid); i++) {
        g_autoptr(Value) v = json_parse_str(valid[i].text, &error_abort);
        g_autofree char *text = json_to_string(v, false);

        g_assert_cmpstr(text, ==, valid[i].expected);
    }
}

static void test_invalid_text_is_refused_with_place(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(invalid); i++) {
        g_autoptr(Error) err = NULL;
        Value *v = json_parse_str(invalid[i].text, &err);

        g_assert_null(v);
        if (!g_str_has_prefix(error_get_pretty(err), invalid[i].expected)) {
            g_test_message("%s: %s", invalid[i].text, error_get_pretty(err));
        }
        g_assert_true(g_str_has_prefix(error_get_pretty(err), invalid[i].expected));
    }
}

typedef struct Sink {
    GString *seen;
} Sink;

static void sink_emit(void *opaque, Value *v, Error *err)
{
    Sink *s = opaque;

    if (v) {
        json_print(s->seen, v, false);
    } else {
        g_string_append_c(s->seen, '!');
    }
    g_string_append_c(s->seen, ';');
    value_unref(v);
    error_free(err);
}

/* What the stream says (a value, or '!' for an error), and that every way of cutting it in two says the same. */
static void check_stream(const char *stream, size_t len, const char *expected)
{
    for (size_t cut = 0; cut <= len; cut++) {
        Sink s = { g_string_new(NULL) };
        JsonParser *p = json_parser_new(sink_emit, &s);

        json_parser_feed(p, stream, cut);
        json_parser_feed(p, stream + cut, len - cut);
        json_parser_end(p);
        g_assert_cmpstr(s.seen->str, ==, expected);
        json_parser_free(p);
        g_string_free(s.seen, true);
    }
}

static void test_stream_cut_anywhere(void)
{
    static const char stream[] = "{\"execute\": \"a\\u00e9\"}\r\n12 \"x\"[1.5,-3]{'b':{}}null\t\"\\ud83d\\ude00\"-1";

    check_stream(stream, sizeof(stream) - 1,
                 "{\"execute\": \"a\\u00E9\"};12;\"x\";[1.5, -3];{\"b\": {}};null;\"\\uD83D\\uDE00\";-1;");
}

/* Where QEMU finds the next value after each of these, too. */
static void test_recovery(void)
{
    static const Case cases[] = {
        /* wrong order: one error, when what was opened is closed */
        { "{\"a\" 1}[2]", "!;[2];" },
        { "[[1 2],[3]][4]", "!;[4];" },
        { "{\"a\":[}]{}", "!;{};" },
        { "[1}{}", "!;{};" },
        { "{\"a\":1]}", "!;!;" },
        { "{\"execute\": oops}\n[1]", "!;[1];" },
        { "{\"a\":\"\\x\"}[1]", "!;[1];" },
        { ",:[1]", "!;!;[1];" },
        { "0a[1]", "0;!;[1];" },
        /* no token: an error at once, then on from the next structural or control character */
        { "{\"a\":\"\x01\"}[1]", "!;!;[1];" },
        { "{\"a\":+1 }\n[1]", "!;!;[1];" },
        { "TRUE {}", "!;{};" },
        { "1e+x {\"a\":1}", "!;{\"a\": 1};" },
        { "-\n[1]", "!;[1];" },
        { "{\"a\":\xff{\"b\":1}", "!;{\"b\": 1};" },
        { "\"open\xff\xff[0]", "!;!;[0];" },
        /* the outer one is still open */
        { "{\"a\":1,\"a\":[[]}\n{\"b\":1}", "!;" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        check_stream(cases[i].text, strlen(cases[i].text), cases[i].expected);
    }
}

static void test_depth_limit(void)
{
    g_autoptr(GString) deep = g_string_new(NULL), deeper = g_string_new(NULL);
    g_autoptr(Error) err = NULL;
    g_autoptr(Value) v = NULL;

    for (unsigned i = 0; i < JSON_MAX_DEPTH; i++) {
        g_string_append_c(deep, '[');
    }
    g_string_append_printf(deeper, "[%s", deep->str);
    for (unsigned i = 0; i < JSON_MAX_DEPTH; i++) {
        g_string_append_c(deep, ']');
    }
    v = json_parse(deep->str, deep->len, &error_abort);
    g_assert_nonnull(v);
    g_assert_null(json_parse(deeper->str, deeper->len, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "JSON nesting depth limit exceeded"));
}

static void test_token_limit(void)
{
    g_autoptr(GString) text = g_string_new("[0");
    g_autoptr(Error) err = NULL;

    for (unsigned i = 0; i < JSON_MAX_TOKENS / 2; i++) {
        g_string_append(text, ",0");
    }
    g_string_append(text, "]");
    g_assert_null(json_parse(text->str, text->len, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "JSON token count limit exceeded"));
}

static void test_large_object_finds_duplicates(void)
{
    g_autoptr(GString) text = g_string_new("{");
    g_autoptr(Error) err = NULL;
    g_autoptr(Value) v = NULL;

    for (unsigned i = 0; i < 100; i++) {
        g_string_append_printf(text, "%s\"k%u\":%u", i ? "," : "", i, i);
    }
    g_string_append(text, "}");
    v = json_parse(text->str, text->len, &error_abort);
    g_assert_cmpuint(value_dict_len(v), ==, 100);
    g_string_truncate(text, text->len - 1);
    g_string_append(text, ",\"k50\":0}");
    g_assert_null(json_parse(text->str, text->len, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "duplicate key 'k50'"));
}

static void test_pretty_form(void)
{
    g_autoptr(Value) v = json_parse_str("{\"a\":[1,{}],\"b\":{\"c\":null}}", &error_abort);
    g_autofree char *text = json_to_string(v, true);

    g_assert_cmpstr(text, ==, "{\n    \"a\": [\n        1,\n        {}\n    ],\n    \"b\": {\n        \"c\": null\n    }\n}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/valid", test_valid_text_prints_back);
    g_test_add_func("/json/invalid", test_invalid_text_is_refused_with_place);
    g_test_add_func("/json/stream", test_stream_cut_anywhere);
    g_test_add_func("/json/recovery", test_recovery);
    g_test_add_func("/json/tokens", test_token_limit);
    g_test_add_func("/json/depth", test_depth_limit);
    g_test_add_func("/json/duplicates", test_large_object_finds_duplicates);
    g_test_add_func("/json/pretty", test_pretty_form);
    return g_test_run();
}
