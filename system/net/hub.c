/*
 * Hubs: what one port gets goes to all others.  A hub is there while it has ports.
 *
 * A port takes a frame when some other port can; each of those has a queue of its own in its peer.
 */
#include "system/net/internal.h"

typedef struct HubPort {
    NetClient nc;
    int32_t hub_id;
} HubPort;

static const NetClientInfo hub_port_info;

static HubPort *hub_port(NetClient *nc)
{
    assert(nc->info == &hub_port_info);
    return container_of(nc, HubPort, nc);
}

bool net_client_is_hub_port(const NetClient *nc, int32_t *hub_id)
{
    if (nc->info != &hub_port_info) {
        return false;
    }
    *hub_id = container_of(nc, const HubPort, nc)->hub_id;
    return true;
}

typedef struct HubFrame {
    HubPort *from;
    const NetOffload *off;
    uint8_t *data;
    size_t len;
    bool some_can;
} HubFrame;

static HubPort *other_port(NetClient *nc, const HubFrame *f)
{
    HubPort *port = nc->info == &hub_port_info ? hub_port(nc) : NULL;

    return port && port != f->from && port->hub_id == f->from->hub_id ? port : NULL;
}

static void forward(NetClient *nc, void *opaque)
{
    HubFrame *f = opaque;

    if (other_port(nc, f)) {
        net_send(nc, f->off, f->data, f->len, NULL);
    }
}

static NetResult hub_receive(NetClient *nc, const NetOffload *off, uint8_t *data, size_t len)
{
    HubFrame f = { .from = hub_port(nc), .off = off, .data = data, .len = len };

    net_client_foreach(forward, &f);
    return NET_TAKEN;
}

static bool hub_port_open(const QapiNetdev *opts, Error **errp)
{
    const QapiNetdevHubPortOptions *o = &opts->u.hubport;
    NetClient *peer = NULL;

    if (o->netdev) {
        peer = netdev_find(o->netdev, 0);
        if (!peer) {
            error_setg(errp, "netdev '%s' not found", o->netdev);
            return false;
        }
        if (peer->peer) {
            error_setg(errp, "netdev '%s' is in use", o->netdev);
            return false;
        }
    }
    hub_add_port(o->hubid, opts->id, peer);
    return true;
}

NetClient *hub_add_port(int32_t hub_id, const char *name, NetClient *peer)
{
    NetClient *nc = net_client_new(&hub_port_info, name, 0);

    hub_port(nc)->hub_id = hub_id;
    net_client_set_about(nc, "hubid=%d", hub_id);
    if (peer) {
        net_client_connect(nc, peer);
    }
    return nc;
}

static const NetClientInfo hub_port_info = {
    .model = "hubport", .size = sizeof(HubPort), .receive = hub_receive,
};

const NetBackend net_hub_backend = { "hubport", "a port of a hub", hub_port_open };
