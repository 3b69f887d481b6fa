/*
 * The network's end in a device: its address, its clients, its properties "mac" and "netdev".
 */
#include "system/net/internal.h"

typedef struct NicQueue {
    NetClient nc;
    NicConf *conf;
    void *device;
} NicQueue;

/* --- addresses --- */

char *mac_to_string(MacAddress m)
{
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", m.b[0], m.b[1], m.b[2], m.b[3], m.b[4], m.b[5]);
}

/* Six bytes in hexadecimal, separated by colons or dashes. */
static bool mac_parse(const char *text, MacAddress *mac)
{
    const char *s = text;

    for (unsigned i = 0; i < 6; i++) {
        if (!g_ascii_isxdigit(s[0]) || !g_ascii_isxdigit(s[1]) || (i < 5 ? s[2] != ':' && s[2] != '-' : s[2] != '\0')) {
            return false;
        }
        mac->b[i] = g_ascii_xdigit_value(s[0]) << 4 | g_ascii_xdigit_value(s[1]);
        s += 3;
    }
    return true;
}

typedef struct MacSearch {
    MacAddress mac;
    bool taken;
} MacSearch;

static void compare_mac(NetClient *nc, void *opaque)
{
    MacSearch *s = opaque;

    if (nc->is_nic && !memcmp(&container_of(nc, NicQueue, nc)->conf->mac, &s->mac, sizeof(s->mac))) {
        s->taken = true;
    }
}

/* The next of 52:54:00:12:34:56 and on that no device has. */
static bool choose_mac(NicConf *conf, Error **errp)
{
    MacSearch s = { .mac = { { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 } } };

    for (unsigned last = 0x56; last < 0x56 + 256; last++) {
        s.mac.b[5] = (uint8_t)last;
        s.taken = false;
        net_client_foreach(compare_mac, &s);
        if (!s.taken) {
            conf->mac = s.mac;
            return true;
        }
    }
    error_setg(errp, "all 256 default Ethernet addresses are taken: give 'mac'");
    return false;
}

static bool set_mac(Object *obj, const Property *p, const Value *v, Error **errp)
{
    MacAddress *mac = (MacAddress *)((char *)obj + p->offset);

    if (value_type(v) != VALUE_STRING || !mac_parse(value_get_string(v), mac)) {
        g_autofree char *got = value_describe(v);

        error_setg(errp, "must be an Ethernet address like 52:54:00:12:34:56, got %s", got);
        return false;
    }
    if (mac->b[0] & 1) {
        error_setg(errp, "must not be a multicast address, got '%s'", value_get_string(v));
        *mac = (MacAddress){ 0 };
        return false;
    }
    return true;
}

static Value *get_mac(Object *obj, const Property *p)
{
    return value_string_take(mac_to_string(*(MacAddress *)((char *)obj + p->offset)));
}

const PropertyType prop_mac = { .name = "str", .set = set_mac, .get = get_mac };

/* --- which back end --- */

static bool set_netdev(Object *obj, const Property *p, const Value *v, Error **errp)
{
    char **field = (char **)((char *)obj + p->offset);
    const char *id;
    NetClient *nc;

    if (value_type(v) != VALUE_STRING) {
        g_autofree char *got = value_describe(v);

        error_setg(errp, "must be a string, the id of a netdev, got %s", got);
        return false;
    }
    id = value_get_string(v);
    nc = netdev_find(id, 0);
    if (*id && !nc) {
        error_setg(errp, "can't find value '%s'", id);
        return false;
    }
    if (*id && nc->peer) {
        error_setg(errp, "can't take value '%s', it's in use", id);
        return false;
    }
    g_free(*field);
    *field = *id ? g_strdup(id) : NULL;
    return true;
}

static Value *get_netdev(Object *obj, const Property *p)
{
    char *id = *(char **)((char *)obj + p->offset);

    return value_string(id ? id : "");
}

static void release_netdev(Object *obj, const Property *p)
{
    g_clear_pointer((char **)((char *)obj + p->offset), g_free);
}

const PropertyType prop_netdev = { .name = "str", .set = set_netdev, .get = get_netdev, .release = release_netdev };

/* --- clients --- */

typedef struct NameSearch {
    const char *model;
    unsigned free_index;
} NameSearch;

static void count_model(NetClient *nc, void *opaque)
{
    NameSearch *s = opaque;

    s->free_index += nc->is_nic && nc->queue_index == 0 && !strcmp(nc->model, s->model);
}

static char *nic_name(const char *id, const char *model)
{
    NameSearch s = { .model = model };

    if (id) {
        return g_strdup(id);
    }
    net_client_foreach(count_model, &s);
    return g_strdup_printf("%s.%u", model, s.free_index);
}

/* Another device may have taken it since the property was set. */
static bool back_end_is_free(const char *id, unsigned n_queues, Error **errp)
{
    for (unsigned i = 0; id && i < n_queues; i++) {
        NetClient *nc = netdev_find(id, i);

        if (i == 0 && !nc) {
            error_setg(errp, "netdev '%s' is gone", id);
            return false;
        }
        if (nc && nc->peer) {
            error_setg(errp, "netdev '%s' is in use", id);
            return false;
        }
    }
    return true;
}

static void show_mac(NicConf *conf)
{
    g_autofree char *mac = mac_to_string(conf->mac);

    for (unsigned i = 0; i < conf->n_queues; i++) {
        net_client_set_about(conf->queue[i], "model=%s,macaddr=%s", conf->queue[i]->model, mac);
    }
}

bool nic_open(NicConf *conf, const NetClientInfo *info, const char *model, const char *id, unsigned n_queues,
              void *device, Error **errp)
{
    static const MacAddress none;
    g_autofree char *name = NULL;

    if (!back_end_is_free(conf->netdev, n_queues, errp)) {
        return false;
    }
    if (!memcmp(&conf->mac, &none, sizeof(none)) && !choose_mac(conf, errp)) {
        return false;
    }
    name = nic_name(id, model);
    conf->n_queues = n_queues;
    conf->queue = g_new0(NetClient *, n_queues);
    for (unsigned i = 0; i < n_queues; i++) {
        NicQueue *q = g_new0(NicQueue, 1);
        NetClient *peer = conf->netdev ? netdev_find(conf->netdev, i) : NULL;

        q->conf = conf;
        q->device = device;
        q->nc.is_nic = true;
        net_client_init(&q->nc, info, model, name, i);
        conf->queue[i] = &q->nc;
        if (peer) {
            net_client_connect(&q->nc, peer);
            q->nc.link_down = peer->link_down;
        }
    }
    show_mac(conf);
    return true;
}

void nic_close(NicConf *conf)
{
    for (unsigned i = 0; i < conf->n_queues; i++) {
        net_client_delete(conf->queue[i]);
    }
    conf->n_queues = 0;
    g_clear_pointer(&conf->queue, g_free);
}

void *nic_device(const NetClient *nc)
{
    assert(nc->is_nic);
    return container_of(nc, const NicQueue, nc)->device;
}

void nic_set_mac(NicConf *conf, MacAddress mac)
{
    conf->mac = mac;
    show_mac(conf);
}
