/*
 * QMP sessions: a reader that stalls, which events are lost first, rate limits, input cut by a full output.
 */
#include "qapi/json.h"
#include "qapi/qapi-events.h"
#include "system/chardev/internal.h"
#include "system/monitor.h"
#include "system/monitor/internal.h"
#include "util/main-loop.h"

/* --- a client in memory that takes as much as it is told to --- */

typedef struct ClientChardev {
    Chardev chr;
    GString *seen;
    size_t takes;               /* bytes, from now on */
} ClientChardev;

OBJECT_DECLARE(ClientChardev, CLIENT_CHARDEV, chardev_client)

static size_t client_write(Chardev *c, const uint8_t *buf, size_t len)
{
    ClientChardev *s = CLIENT_CHARDEV(c);
    size_t n = MIN(len, s->takes);

    g_string_append_len(s->seen, (const char *)buf, n);
    s->takes -= n;
    return n;
}

static void client_update(Chardev *c)
{
}

CHARDEV_DEFINE(ClientChardev, chardev_client, "chardev-test-client", chardev,
    .desc = "the test's client",
    .write = client_write,
    .update = client_update);

static ClientChardev *client;
static Monitor *monitor;

static void send(const char *text)
{
    g_assert_cmpuint(chardev_can_receive(&client->chr), >=, strlen(text));
    chardev_receive(&client->chr, (const uint8_t *)text, strlen(text));
}

static void takes(size_t n)
{
    client->takes = n;
    chardev_writable(&client->chr);
    main_loop_step(false);
}

/* A fresh session, negotiated, of a client that takes nothing any more. */
static void begin(void)
{
    if (!client) {
        client = CLIENT_CHARDEV(object_new(&chardev_client_type));
        client->seen = g_string_new(NULL);
        client->chr.label = g_strdup("client");
        g_assert_true(monitor_new(&client->chr, MONITOR_QMP, &error_abort));
        monitor = g_ptr_array_index(monitor_list(), 0);
    }
    chardev_event(&client->chr, CHAR_EVENT_CLOSED);
    takes(SIZE_MAX);
    chardev_event(&client->chr, CHAR_EVENT_OPENED);
    send("{'execute':'qmp_capabilities'}");
    g_string_truncate(client->seen, 0);
    client->takes = 0;
}

static void emit(const char *event, unsigned n)
{
    Value *data = value_dict();

    value_dict_set_int(data, "n", n);
    qmp_broadcast(event, data);
}

static unsigned count(const char *needle)
{
    unsigned n = 0;

    for (const char *s = client->seen->str; (s = strstr(s, needle)); s += strlen(needle)) {
        n++;
    }
    return n;
}

/* Every line is one JSON object. */
static void check_lines(void)
{
    g_auto(GStrv) lines = g_strsplit(client->seen->str, "\r\n", -1);

    for (unsigned i = 0; lines[i] && lines[i][0]; i++) {
        g_autoptr(Value) v = json_parse_str(lines[i], &error_abort);

        g_assert_cmpint(value_type(v), ==, VALUE_DICT);
    }
}

static size_t held_bytes(void)
{
    return monitor->out->len - monitor->out_done + monitor->held_bytes;
}

/* --- tests --- */

static void test_stalled_reader_costs_a_bounded_amount(void)
{
    begin();
    for (unsigned i = 0; i < 100000; i++) {
        emit("STOP", i);
        g_assert_cmpuint(held_bytes(), <, OUTPUT_HIGH + EVENTS_HIGH + 1000);
    }
    takes(SIZE_MAX);
    check_lines();
    g_assert_nonnull(strstr(client->seen->str, "\"n\": 0}"));           /* what was on its way already */
    g_assert_nonnull(strstr(client->seen->str, "\"n\": 99999}"));       /* of the others, the latest */
    g_assert_null(strstr(client->seen->str, "\"n\": 50000}"));
    g_assert_cmpuint(count("STOP"), <, 100000);
}

static void test_rate_limited_ones_are_lost_first(void)
{
    unsigned plain = 0;

    begin();
    while (monitor_has_room(monitor)) {
        emit("STOP", plain++);
    }
    for (unsigned i = 0; i < 200; i++) {
        g_autofree char *text = g_strdup_printf("{\"event\": \"LIMITED\", \"n\": %u}\r\n", i);

        monitor_write_event(monitor, text, strlen(text), true);
    }
    while (monitor->held_bytes < EVENTS_HIGH - 200) {
        emit("STOP", plain++);
    }
    for (unsigned i = 0; i < 20; i++) {
        emit("STOP", plain++);
    }
    takes(SIZE_MAX);
    check_lines();
    g_assert_cmpuint(count("STOP"), ==, plain);                         /* not one lost */
    g_assert_null(strstr(client->seen->str, "\"LIMITED\", \"n\": 0}"));
    g_assert_nonnull(strstr(client->seen->str, "\"LIMITED\", \"n\": 199}"));
}

static void test_reply_comes_after_the_events_before_it(void)
{
    begin();
    send("{'execute':'query-qmp-schema'}{'execute':'query-name','id':'last'}");
    while (monitor_has_room(monitor)) {
        emit("STOP", 0);
    }
    emit("RESUME", 1);
    takes(SIZE_MAX);
    takes(SIZE_MAX);
    check_lines();
    g_assert_nonnull(strstr(client->seen->str, "RESUME"));
    g_assert_nonnull(strstr(strstr(client->seen->str, "RESUME"), "\"last\""));
}

static void test_input_waits_for_room(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    unsigned sent = 0;

    begin();
    while (chardev_can_receive(&client->chr)) {                         /* many replies to a read: most wait */
        for (unsigned i = 0; i < 50; i++) {
            g_string_append(text, "{'execute':'query-qmp-schema'}");
        }
        send(text->str);
        sent += 50;
    }
    g_assert_cmpuint(sent, ==, 50);
    g_assert_cmpuint(held_bytes(), <, 1 * MiB);
    takes(100);
    g_assert_cmpuint(chardev_can_receive(&client->chr), ==, 0);
    for (unsigned i = 0; i < 60; i++) {
        takes(SIZE_MAX);
    }
    check_lines();
    g_assert_cmpuint(count("{\"return\": ["), ==, sent);
    g_assert_cmpuint(chardev_can_receive(&client->chr), >, 0);
}

static void test_rate_limit_keeps_the_latest_for_each_key(void)
{
    begin();
    client->takes = SIZE_MAX;
    for (unsigned i = 0; i < 100; i++) {
        Value *data = value_dict();

        value_dict_set_str(data, "id", i % 2 ? "port1" : "port0");
        value_dict_set_int(data, "n", i);
        qmp_broadcast("VSERPORT_CHANGE", data);
    }
    g_assert_cmpuint(count("VSERPORT_CHANGE"), ==, 2);                  /* the first of each */
    for (unsigned ms = 0; count("VSERPORT_CHANGE") < 4; ms++) {
        g_assert_cmpuint(ms, <, 10000);
        g_usleep(1000);
        main_loop_step(false);
    }
    g_assert_nonnull(strstr(client->seen->str, "\"n\": 98"));
    g_assert_nonnull(strstr(client->seen->str, "\"n\": 99"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_FATAL_MASK);
    bql_lock();
    main_loop_init();
    g_test_add_func("/monitor/stalled", test_stalled_reader_costs_a_bounded_amount);
    g_test_add_func("/monitor/limited-first", test_rate_limited_ones_are_lost_first);
    g_test_add_func("/monitor/order", test_reply_comes_after_the_events_before_it);
    g_test_add_func("/monitor/input", test_input_waits_for_room);
    g_test_add_func("/monitor/rate", test_rate_limit_keeps_the_latest_for_each_key);
    return g_test_run();
}
