/*
 * key=value text and typed conversion: command-line spellings, nesting, errors that name the member.
 */
#include "qapi/json.h"
#include "qapi/keyval.h"
#include "qapi/qapi-types.h"

typedef struct Case {
    const char *text, *implied;
    KeyvalMode mode;
    const char *expected;       /* JSON, or "!message" */
} Case;

static const Case keyval_cases[] = {
    { "a=b", NULL, KEYVAL_NESTED, "{\"a\": \"b\"}" },
    { "x,a=b", "type", KEYVAL_NESTED, "{\"type\": \"x\", \"a\": \"b\"}" },
    { "a=1,,2,b=,,", NULL, KEYVAL_NESTED, "{\"a\": \"1,2\", \"b\": \",\"}" },
    { "a.b.c=1,a.d=2", NULL, KEYVAL_NESTED, "{\"a\": {\"b\": {\"c\": \"1\"}, \"d\": \"2\"}}" },
    { "a.0=x,a.1=y", NULL, KEYVAL_NESTED, "{\"a\": [\"x\", \"y\"]}" },
    { "a.1=x,a.0.b=y", NULL, KEYVAL_NESTED, "{\"a\": [{\"b\": \"y\"}, \"x\"]}" },
    { "a=", NULL, KEYVAL_NESTED, "{\"a\": \"\"}" },
    { "a.b=1", NULL, KEYVAL_FLAT, "{\"a.b\": \"1\"}" },
    { "server,nowait", NULL, KEYVAL_FLAT, "{\"server\": \"on\", \"wait\": \"off\"}" },
    { "a=1,a=2", NULL, KEYVAL_FLAT, "{\"a\": \"2\"}" },
    { "", NULL, KEYVAL_FLAT, "{}" },
    { "a", NULL, KEYVAL_NESTED, "!Expected '=' after parameter 'a'" },
    { "a=1,a.b=2", NULL, KEYVAL_NESTED, "!Parameters 'a.*' used inconsistently" },
    { "a.b=1,a=2", NULL, KEYVAL_NESTED, "!Parameters 'a.*' used inconsistently" },
    { "a.0=1,a.b=2", NULL, KEYVAL_NESTED, "!Parameters 'a.*' used inconsistently" },
    { "a.0=1,a.2=2", NULL, KEYVAL_NESTED, "!Parameter 'a.1' missing" },
    { "=1", NULL, KEYVAL_NESTED, "!Invalid parameter ''" },
    { "a..b=1", NULL, KEYVAL_NESTED, "!Invalid parameter 'a..b'" },
};

static void test_keyval_table(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(keyval_cases); i++) {
        const Case *c = &keyval_cases[i];
        g_autoptr(Error) err = NULL;
        g_autoptr(Value) v = keyval_parse(c->text, c->implied, c->mode, NULL, &err);
        g_autofree char *text = v ? json_to_string(v, false) : g_strdup_printf("!%s", error_get_pretty(err));

        g_assert_cmpstr(text, ==, c->expected);
    }
}

static void test_help_is_seen_and_left_out(void)
{
    bool help;
    g_autoptr(Value) v = keyval_parse("nic,help,a=1", "driver", KEYVAL_FLAT, &help, &error_abort);
    g_autofree char *text = json_to_string(v, false);

    g_assert_true(help);
    g_assert_cmpstr(text, ==, "{\"driver\": \"nic\", \"a\": \"1\"}");
}

typedef struct TypedCase {
    const QapiType *type;
    unsigned flags;
    const char *in;             /* JSON */
    const char *expected;       /* JSON, or "!message" */
} TypedCase;

static const TypedCase typed_cases[] = {
    { &qapi_type_StatusInfo, 0, "{\"running\":true,\"status\":\"paused\"}", "{\"running\": true, \"status\": \"paused\"}" },
    { &qapi_type_StatusInfo, 0, "{\"running\":true}", "!Parameter 'status' is missing" },
    { &qapi_type_StatusInfo, 0, "{\"running\":1,\"status\":\"paused\"}",
      "!Invalid parameter type for 'running', expected: boolean" },
    { &qapi_type_StatusInfo, 0, "{\"running\":true,\"status\":\"asleep\"}", "!Parameter 'status' does not accept value 'asleep'" },
    { &qapi_type_StatusInfo, 0, "{\"running\":true,\"status\":\"paused\",\"x\":1}", "!Parameter 'x' is unexpected" },
    { &qapi_type_StatusInfo, 0, "[]", "!Invalid parameter type for 'arguments', expected: object" },
    { &qapi_type_VersionInfo, 0, "{\"qemu\":{\"major\":1,\"minor\":\"2\",\"micro\":3},\"package\":\"\"}",
      "!Invalid parameter type for 'qemu.minor', expected: integer" },
    { &qapi_type_SMPConfiguration, QAPI_FROM_TEXT, "{\"cpus\":\"4\",\"cores\":\"0x2\"}", "{\"cpus\": 4, \"cores\": 2}" },
    { &qapi_type_SMPConfiguration, QAPI_FROM_TEXT, "{\"cpus\":\"-1\"}", "!Parameter 'cpus' expects a number, got '-1'" },
    { &qapi_type_SMPConfiguration, QAPI_FROM_TEXT, "{\"cpus\":\"4294967296\"}",
      "!Parameter 'cpus' expects a value of type uint32, got 4294967296" },
    { &qapi_type_SMPConfiguration, 0, "{\"cpus\":\"4\"}", "!Invalid parameter type for 'cpus', expected: integer" },
    { &qapi_type_MemoryOptions, QAPI_FROM_TEXT, "{\"maxmem\":\"8G\",\"slots\":\"2\"}", "{\"slots\": 2, \"maxmem\": 8589934592}" },
    { &qapi_type_MemoryOptions, QAPI_FROM_TEXT, "{\"maxmem\":\"1.5K\"}", "{\"maxmem\": 1536}" },
    { &qapi_type_MemoryOptions, QAPI_FROM_TEXT, "{\"maxmem\":\"16E\"}", "!Parameter 'maxmem' is too large: '16E'" },
    { &qapi_type_MemoryOptions, QAPI_FROM_TEXT, "{\"maxmem\":\"8X\"}", "!Parameter 'maxmem' expects a size (a number and K, M, G, T, P or E), got '8X'" },
    { &qapi_type_MemoryOptions, QAPI_FROM_TEXT, "{\"maxmem\":\"\"}", "!Parameter 'maxmem' expects a size (a number and K, M, G, T, P or E), got ''" },
    { &qapi_type_NameOptions, QAPI_FROM_TEXT, "{\"debug-threads\":\"maybe\"}",
      "!Parameter 'debug-threads' expects 'on' or 'off', got 'maybe'" },
    { &qapi_type_NumaNodeOptions, QAPI_FROM_TEXT, "{\"cpus\":\"3\"}", "{\"cpus\": [3]}" },
    { &qapi_type_NumaNodeOptions, QAPI_FROM_TEXT, "{\"cpus\":\"0-3\"}", "!Parameter 'cpus[0]' expects a number, got '0-3'" },
    { &qapi_type_ChardevOptions, QAPI_FROM_TEXT, "{\"backend\":\"file\",\"id\":\"c\",\"path\":\"/p\",\"append\":\"on\"}",
      "{\"backend\": \"file\", \"id\": \"c\", \"path\": \"/p\", \"append\": true}" },
    { &qapi_type_ChardevOptions, QAPI_FROM_TEXT, "{\"backend\":\"null\",\"id\":\"c\",\"path\":\"/p\"}",
      "!Parameter 'path' is unexpected" },
    { &qapi_type_ChardevOptions, QAPI_FROM_TEXT, "{\"backend\":\"file\",\"id\":\"c\"}", "!Parameter 'path' is missing" },
};

static void test_typed_table(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(typed_cases); i++) {
        const TypedCase *c = &typed_cases[i];
        g_autoptr(Error) err = NULL;
        g_autoptr(Value) in = json_parse_str(c->in, &error_abort), out = NULL;
        g_autofree char *text = NULL;
        void *p = NULL;

        if (qapi_from_value(c->type, in, c->flags, &p, &err)) {
            out = qapi_to_value(c->type, &p);
            text = json_to_string(out, false);
            qapi_clear(c->type, &p);
        } else {
            text = g_strdup_printf("!%s", error_get_pretty(err));
        }
        g_assert_null(p);
        g_assert_cmpstr(text, ==, c->expected);
    }
}

static void test_union_branch_is_typed(void)
{
    g_autoptr(Value) in = json_parse_str("{\"backend\":\"socket\",\"id\":\"s\",\"path\":\"/x\",\"wait\":false}", &error_abort);
    g_autoptr(QapiChardevOptions) o = qapi_parse_chardev_options(in, 0, &error_abort);

    g_assert_cmpint(o->backend, ==, QAPI_CHARDEV_DRIVER_SOCKET);
    g_assert_cmpstr(o->u.socket.path, ==, "/x");
    g_assert_true(o->u.socket.has_wait);
    g_assert_false(o->u.socket.wait);
    g_assert_false(o->u.socket.has_server);
}

static void test_list_append_and_print(void)
{
    QapiCommandInfoList *list = g_new0(QapiCommandInfoList, 1);
    g_autoptr(Value) v = NULL;
    g_autofree char *text = NULL;

    QAPI_LIST_APPEND(list)->name = g_strdup("a");
    QAPI_LIST_APPEND(list)->name = g_strdup("b");
    v = qapi_to_value(&qapi_type_CommandInfoList, &list);
    text = json_to_string(v, false);
    g_assert_cmpstr(text, ==, "[{\"name\": \"a\"}, {\"name\": \"b\"}]");
    qapi_free_command_info_list(list);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keyval/table", test_keyval_table);
    g_test_add_func("/keyval/help", test_help_is_seen_and_left_out);
    g_test_add_func("/typed/table", test_typed_table);
    g_test_add_func("/typed/union", test_union_branch_is_typed);
    g_test_add_func("/typed/list", test_list_append_and_print);
    return g_test_run();
}
