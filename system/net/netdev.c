/*
 * Back ends by the user's word: -netdev, netdev_add, netdev_del, links, receive filters.
 */
#include "system/net/internal.h"
#include "qapi/json.h"
#include "qapi/keyval.h"
#include "qapi/qapi-commands.h"

static const NetBackend *const backends[QAPI_NET_CLIENT_DRIVER__MAX] = {
    [QAPI_NET_CLIENT_DRIVER_DGRAM] = &net_dgram_backend,
    [QAPI_NET_CLIENT_DRIVER_HUBPORT] = &net_hub_backend,
    [QAPI_NET_CLIENT_DRIVER_SOCKET] = &net_socket_backend,
    [QAPI_NET_CLIENT_DRIVER_STREAM] = &net_stream_backend,
    [QAPI_NET_CLIENT_DRIVER_TAP] = &net_tap_backend,
#ifdef CONFIG_SLIRP
    [QAPI_NET_CLIENT_DRIVER_USER] = &net_user_backend,
#endif
};

void net_print_backends(FILE *out)
{
    fprintf(out, "Available netdev backend types:\n");
    for (unsigned i = 0; i < ARRAY_SIZE(backends); i++) {
        if (backends[i]) {
            fprintf(out, "%s\n", backends[i]->name);
        }
    }
}

/* A letter, then letters, digits, '-', '.' and '_'. */
static bool id_is_wellformed(const char *id)
{
    return g_ascii_isalpha(*id) && id[strspn(id, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-._")] == '\0';
}

static bool open_netdev(const QapiNetdev *opts, Error **errp)
{
    const NetBackend *b = backends[opts->type];

    if (!b) {
        error_setg(errp, "network backend '%s' is not compiled into this binary", qapi_net_client_driver_str(opts->type));
        return false;
    }
    if (netdev_find(opts->id, 0)) {
        error_setg(errp, "Duplicate ID '%s'", opts->id);
        return false;
    }
    return b->open(opts, errp);
}

bool qmp_netdev_add(const QapiNetdev *opts, Error **errp)
{
    if (!id_is_wellformed(opts->id)) {
        error_setg(errp, "Parameter 'id' expects an identifier");
        return false;
    }
    return open_netdev(opts, errp);
}

/* A device that loses its back end has no link any more. */
static void delete_netdev(const char *id)
{
    NetClient *nc;

    for (unsigned i = net_client_n_queues(id); i-- > 0;) {
        NetClient *peer;

        nc = netdev_find(id, i);
        peer = nc->peer;
        net_client_delete(nc);
        if (peer && peer->is_nic) {
            net_set_link(peer, false);
        }
    }
}

bool qmp_netdev_del(const QapiNetdevDelArgs *args, Error **errp)
{
    if (!netdev_find(args->id, 0)) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", args->id);
        return false;
    }
    delete_netdev(args->id);
    return true;
}

static void delete_back_end(NetClient *nc, void *opaque)
{
    if (!nc->is_nic) {
        net_client_delete(nc);
    }
}

void net_cleanup(void)
{
    net_client_foreach(delete_back_end, NULL);
}

/* --- from text --- */

/* Keys whose values are lists of strings, given by repeating the key. */
static const char *const list_keys[] = { "dnssearch", "hostfwd", "guestfwd" };

static bool is_list_key(const char *key)
{
    for (unsigned i = 0; i < ARRAY_SIZE(list_keys); i++) {
        if (!strcmp(list_keys[i], key)) {
            return true;
        }
    }
    return false;
}

static Value *string_struct(Value *text)
{
    Value *s = value_dict();

    value_dict_set(s, "str", value_ref(text));
    return s;
}

static void add_to_list(Value *dict, const char *key, Value *text)
{
    Value *list = value_dict_get(dict, key);

    if (!list) {
        list = value_list();
        value_dict_set(dict, key, list);
    }
    value_list_append(list, string_struct(text));
}

/* ipv6-net=PREFIX/LEN is ipv6-prefix and ipv6-prefixlen. */
static void split_ipv6_net(Value *dict)
{
    const char *net = value_dict_get_str(dict, "ipv6-net");
    g_auto(GStrv) parts = net ? g_strsplit(net, "/", 2) : NULL;

    if (!net) {
        return;
    }
    value_dict_set_str(dict, "ipv6-prefix", parts[0] ? parts[0] : "");
    if (parts[0] && parts[1]) {
        value_dict_set_str(dict, "ipv6-prefixlen", parts[1]);
    }
    value_dict_remove(dict, "ipv6-net");
}

/* The end of the part that begins at @s: an undoubled comma, or the end. */
static const char *part_end(const char *s)
{
    while (*s && !(*s == ',' && s[1] != ',')) {
        s += 1 + (*s == ',');
    }
    return s;
}

/* Flat text in which some keys may come again and again. */
static Value *parse_flat(const char *text, Error **errp)
{
    g_autoptr(Value) dict = value_dict();
    bool first = true;

    for (const char *s = text; *s; first = false) {
        const char *end = part_end(s);
        g_autofree char *part = g_strndup(s, end - s);
        g_autoptr(Value) one = keyval_parse(part, first ? "type" : NULL, KEYVAL_FLAT, NULL, errp);

        if (!one) {
            return NULL;
        }
        for (size_t i = 0; i < value_dict_len(one); i++) {
            const char *key = value_dict_key_at(one, i);

            if (is_list_key(key)) {
                add_to_list(dict, key, value_dict_value_at(one, i));
            } else {
                value_dict_set(dict, key, value_ref(value_dict_value_at(one, i)));
            }
        }
        s = *end ? end + 1 : end;
    }
    split_ipv6_net(dict);
    return g_steal_pointer(&dict);
}

Value *netdev_parse_text(const char *text, bool *is_json, Error **errp)
{
    static const char *const nested[] = { "stream", "dgram", "type=stream", "type=dgram" };
    g_autofree char *type = g_strndup(text, strcspn(text, ","));

    *is_json = *text == '{';
    for (unsigned i = 0; i < ARRAY_SIZE(nested); i++) {
        if (!strcmp(type, nested[i])) {
            return keyval_parse(text, "type", KEYVAL_NESTED, NULL, errp);
        }
    }
    return *is_json ? keyval_or_json_parse(text, NULL, KEYVAL_NESTED, NULL, is_json, errp) : parse_flat(text, errp);
}

/* Configuration files give a list of one as its item. */
static Value *with_lists(const Value *dict)
{
    Value *out = value_dict();

    for (size_t i = 0; i < value_dict_len(dict); i++) {
        const char *key = value_dict_key_at(dict, i);
        Value *v = value_dict_value_at(dict, i);

        if (is_list_key(key) && value_type(v) == VALUE_STRING) {
            add_to_list(out, key, v);
        } else {
            value_dict_set(out, key, value_ref(v));
        }
    }
    return out;
}

bool netdev_add_dict(const Value *dict, bool is_json, Error **errp)
{
    g_autoptr(Value) whole = with_lists(dict);
    g_autoptr(QapiNetdev) opts = qapi_parse_netdev(whole, is_json ? 0 : QAPI_FROM_TEXT, errp);

    return opts && qmp_netdev_add(opts, errp);
}

bool netdev_add_internal(const Value *dict, Error **errp)
{
    g_autoptr(QapiNetdev) opts = qapi_parse_netdev(dict, QAPI_FROM_TEXT, errp);

    return opts && open_netdev(opts, errp);
}

/* --- links --- */

void net_set_link(NetClient *nc, bool up)
{
    nc->link_down = !up;
    if (nc->info->link_changed) {
        nc->info->link_changed(nc);
    }
    net_receive_more(nc);               /* what waits is dropped if it is down */
}

bool qmp_set_link(const QapiSetLinkArgs *args, Error **errp)
{
    unsigned n = 0;

    for (NetClient *nc; (nc = net_client_find(args->name, n)) != NULL; n++) {
        net_set_link(nc, args->up);
        /* Of the two ends only a device has a link that somebody looks at. */
        if (nc->peer && nc->peer->is_nic) {
            net_set_link(nc->peer, args->up);
        }
    }
    if (!n) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", args->name);
    }
    return n > 0;
}

/* --- receive filters --- */

typedef struct RxQuery {
    const char *name;
    QapiRxFilterInfoList *list;
    bool found, has_filter, is_nic;
} RxQuery;

static void query_one(NetClient *nc, void *opaque)
{
    RxQuery *q = opaque;
    QapiRxFilterInfo *info;

    if (nc->queue_index || (q->name && strcmp(q->name, nc->name))) {
        return;
    }
    q->found = true;
    q->is_nic |= nc->is_nic;
    if (nc->is_nic && nc->info->query_rx_filter) {
        q->has_filter = true;
        info = nc->info->query_rx_filter(nc);
        *QAPI_LIST_APPEND(q->list) = *info;
        g_free(info);                   /* the members are the list's now */
    }
}

QapiRxFilterInfoList *qmp_query_rx_filter(const QapiQueryRxFilterArgs *args, Error **errp)
{
    g_autoptr(QapiRxFilterInfoList) list = g_new0(QapiRxFilterInfoList, 1);
    RxQuery q = { .name = args->name, .list = list };

    net_client_foreach(query_one, &q);
    if (args->name && !q.has_filter) {
        error_setg(errp, !q.found ? "invalid net client name: %s" : !q.is_nic ? "net client(%s) isn't a NIC"
                   : "net client(%s) doesn't support rx-filter querying", args->name);
        return NULL;
    }
    return g_steal_pointer(&list);
}
