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
    { "\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\"" },
    { "\"\xc3\xa9\"", "\"\\u00e9\"" },
    { "\"\x7f\"", "\"\\u007f\"" },
    { "{\"a\":{\"a\":{\"a\":[]}}}", "{\"a\": {\"a\": {\"a\": []}}}" },
};

static const Case invalid[] = {
    { "", "JSON parse error, no value" },
    { "1 2", "JSON parse error, more than one value" },
    { "{", "JSON parse error, unexpected end of text at line 1, column 1" },
    { "[1,]", "JSON parse error, unexpected ']' at line 1, column 4" },
    { "{\"a\":1,}", "JSON parse error, unexpected '}' at line 1, column 8" },
    { "{\"a\"}", "JSON parse error, unexpected '}'" },
    { "{a:1}", "JSON parse error, unknown word 'a'" },
    { "{\"a\":1,\n \"a\":2}", "JSON parse error, duplicate key 'a' at line 2, column 4" },
    { "{'a':1}", "JSON parse error, stray byte 0x27" },
    { "{1:2}", "JSON parse error, unexpected value" },
    { "[1}", "JSON parse error, unexpected '}'" },
    { "]", "JSON parse error, unexpected ']'" },
    { "[1 2]", "JSON parse error, unexpected value" },
    { "[,1]", "JSON parse error, unexpected ','" },
    { "01", "JSON parse error, bad number '01'" },
    { "-", "JSON parse error, bad number '-'" },
    { "+1", "JSON parse error, stray byte 0x2b" },
    { "1.", "JSON parse error, bad number '1.'" },
    { ".5", "JSON parse error, stray byte 0x2e" },
    { "1e", "JSON parse error, bad number '1e'" },
    { "0x10", "JSON parse error, bad number '0x10'" },
    { "NaN", "JSON parse error, unknown word 'NaN'" },
    { "True", "JSON parse error, unknown word 'True'" },
    { "\"a\tb\"", "JSON parse error, control character 0x09 in string" },
    { "\"\\x\"", "JSON parse error, bad escape in string" },
    { "\"\\u12g4\"", "JSON parse error, bad \\u escape in string" },
    { "\"\\u0000\"", "JSON parse error, \\u0000 in string" },
    { "\"\\ud800\"", "JSON parse error, lone surrogate in string" },
    { "\"\\ud800\\n\"", "JSON parse error, lone surrogate in string" },
    { "\"\\udc00\"", "JSON parse error, lone surrogate in string" },
    { "\"\xc0\xaf\"", "JSON parse error, string is not valid UTF-8" },
    { "\"\xed\xa0\x80\"", "JSON parse error, string is not valid UTF-8" },
    { "\"\xfe\"", "JSON parse error, string is not valid UTF-8" },
    { "\"\xff\"", "JSON parse error, value given up" },
    { "\"abc", "JSON parse error, unexpected end of text" },
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

/* Every way of cutting the stream in two gives the same values. */
static void test_stream_cut_anywhere(void)
{
    static const char stream[] =
        "{\"execute\": \"a\\u00e9\"}\r\n12 \"x\"[1.5,-3]{oops\n\xff{\"b\":{}}\r\n[1,2 garbage } ]\r\ntrue\n"
        "{\"a\":[\xff[]\n\"open\xff\xff[0]\n";
    static const char expected[] = "{\"execute\": \"a\\u00e9\"};12;\"x\";[1.5, -3];!;{\"b\": {}};!;true;"
        "!;[];!;[0];";

    for (size_t cut = 0; cut < sizeof(stream); cut++) {
        Sink s = { g_string_new(NULL) };
        JsonParser *p = json_parser_new(sink_emit, &s);

        json_parser_feed(p, stream, cut);
        json_parser_feed(p, stream + cut, sizeof(stream) - 1 - MIN(cut, sizeof(stream) - 1));
        json_parser_end(p);
        g_assert_cmpstr(s.seen->str, ==, expected);
        json_parser_free(p);
        g_string_free(s.seen, true);
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
    g_assert_nonnull(strstr(error_get_pretty(err), "nested deeper than 1024 levels"));
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
    g_test_add_func("/json/depth", test_depth_limit);
    g_test_add_func("/json/duplicates", test_large_object_finds_duplicates);
    g_test_add_func("/json/pretty", test_pretty_form);
    return g_test_run();
}
