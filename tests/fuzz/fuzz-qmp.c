/*
 * Fuzz target: a QMP client's bytes, on a real monitor of a machine that has nothing.
 *
 * The client is in memory.  The first byte says how it behaves: in pieces of what size it sends, and whether it
 * reads slowly.  All that comes back must be lines of JSON that are greetings, replies or events.  What an input
 * made (objects, character devices, block nodes) is removed after it, so that state stays bounded; no command is
 * left out, for nothing here acts upon a request to end, and confine.h keeps the host safe.
 */
#include "tests/fuzz/confine.h"

#include "hw/core/machine.h"
#include "qapi/json.h"
#include "qapi/qapi-commands.h"
#include "system/chardev/internal.h"
#include "system/cli/cli.h"
#include "system/memory.h"
#include "system/monitor.h"
#include "system/runstate.h"
#include "util/main-loop.h"
#include "util/rcu.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- the client: a character device without a host --- */

typedef struct ClientChardev {
    Chardev chr;
    JsonParser *replies;
    bool slow;                  /* takes a few bytes at a time */
} ClientChardev;

OBJECT_DECLARE(ClientChardev, CLIENT_CHARDEV, chardev_client)

static void on_reply(void *opaque, Value *v, Error *err)
{
    static const char *const kinds[] = { "QMP", "return", "error", "event" };
    unsigned n = 0;

    if (err) {
        error_report_err(err);
        abort();
    }
    assert(value_type(v) == VALUE_DICT);
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        n += value_dict_get(v, kinds[i]) != NULL;
    }
    assert(n == 1);
    value_unref(v);
}

static size_t client_write(Chardev *c, const uint8_t *buf, size_t len)
{
    ClientChardev *s = CLIENT_CHARDEV(c);
    size_t n = s->slow ? MIN(len, 1000) : len;

    json_parser_feed(s->replies, (const char *)buf, n);
    return n;
}

static void client_update(Chardev *c)
{
}

CHARDEV_DEFINE(ClientChardev, chardev_client, "chardev-fuzz-client", chardev,
    .desc = "the fuzzer's client",
    .write = client_write,
    .update = client_update);

static ClientChardev *client;

/* --- the emulator --- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static Options o;
    static const char *const args[] = { "quern", "-machine", "none", "-nodefaults", "-display", "none", "-S", NULL };

    confine_init();
    rcu_thread_enter();
    bql_lock();
    main_loop_init();
    memory_spaces_init();
    if (!options_parse(&o, ARRAY_SIZE(args) - 1, (char **)args, &error_fatal) || !build_before_machine(&o, &error_fatal)
        || !build_the_machine(&o, &error_fatal)) {
        abort();
    }
    machine_reset(current_machine(), RESET_COLD);
    client = CLIENT_CHARDEV(object_new(&chardev_client_type));
    client->chr.label = g_strdup("client");
    client->replies = json_parser_new(on_reply, NULL);
    object_add_child(object_container("/chardevs"), "client", client);
    if (!monitor_new(&client->chr, MONITOR_QMP, &error_fatal)) {
        abort();
    }
    return 0;
}

static void step(void)
{
    (void)system_main_loop_step(false);     /* a request to end is heard and forgotten */
    chardev_writable(&client->chr);
}

/* --- removing what an input made --- */

static void run(const char *command, const char *key, const char *value)
{
    g_autoptr(Value) request = value_dict(), reply = NULL;
    Value *args = value_dict();

    value_dict_set_str(request, "execute", command);
    value_dict_set_str(args, key, value);
    value_dict_set(request, "arguments", args);
    reply = qapi_dispatch(&qapi_commands, request, 0);
}

static bool collect_name(Object *child, void *opaque)
{
    g_autofree char *path = object_path(child);

    g_ptr_array_add(opaque, g_strdup(strrchr(path, '/') + 1));
    return true;
}

/* Run @command on every child of @container but "client". */
static void remove_children(const char *container, const char *command)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    object_foreach_child(object_container(container), false, collect_name, names);
    for (unsigned i = 0; i < names->len; i++) {
        if (strcmp(names->pdata[i], "client")) {
            run(command, "id", names->pdata[i]);
        }
    }
}

static void remove_nodes(void)
{
    g_autoptr(QapiBlockDeviceInfoList) nodes = NULL;
    QapiQueryNamedBlockNodesArgs args = { .has_flat = true, .flat = true };

    nodes = qmp_query_named_block_nodes(&args, NULL);
    for (size_t i = 0; nodes && i < nodes->len; i++) {
        run("blockdev-del", "node-name", nodes->at[i].node_name);
    }
}

static void clean_up(void)
{
    for (unsigned i = 0; i < 3; i++) {      /* one may hold another */
        remove_children("/objects", "object-del");
        remove_children("/chardevs", "chardev-remove");
        remove_nodes();
        step();
    }
    run("human-monitor-command", "command-line", "log none");
    confine_leave();
}

/* --- one input --- */

static void send(const uint8_t *data, size_t size, size_t piece)
{
    for (unsigned waited = 0; size;) {
        size_t n = MIN(MIN(size, piece), chardev_can_receive(&client->chr));

        if (n) {
            chardev_receive(&client->chr, data, n);
            data += n;
            size -= n;
        } else {
            assert(++waited < 100000);      /* the client reads: the monitor must go on */
            step();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char negotiate[] = "{\"execute\":\"qmp_capabilities\"}\r\n";
    static const size_t pieces[] = { 1, 3, 100, 1 << 20 };
    uint8_t how = size ? data[0] : 0;

    confine_enter();
    client->slow = how & 4;
    chardev_event(&client->chr, CHAR_EVENT_OPENED);
    if (!(how & 8)) {
        send((const uint8_t *)negotiate, strlen(negotiate), 100);
    }
    if (size) {
        send(data + 1, size - 1, pieces[how & 3]);
    }
    for (unsigned i = 0; i < 10; i++) {
        step();
    }
    chardev_event(&client->chr, CHAR_EVENT_CLOSED);
    json_parser_reset(client->replies);
    clean_up();
    return 0;
}
