/*
 * "info network": hubs with what is at their ports, devices with their back ends, lonely back ends.
 */
#include "system/net/internal.h"

static void print_client(FILE *out, const NetClient *nc)
{
    fprintf(out, "%s: index=%u,type=%s%s%s", nc->name, nc->queue_index, nc->is_nic ? "nic" : nc->model,
            nc->about ? "," : "", nc->about ? nc->about : "");
    if (nc->dropped) {
        fprintf(out, ",dropped=%" PRIu64, nc->dropped);
    }
    if (nc->oversized) {
        fprintf(out, ",oversized=%" PRIu64, nc->oversized);
    }
    fprintf(out, "%s\n", nc->link_down ? ",link=down" : "");
}

typedef struct HubPrint {
    FILE *out;
    int32_t hub;
    bool heading;
} HubPrint;

static void print_port(NetClient *nc, void *opaque)
{
    HubPrint *p = opaque;
    int32_t hub;

    if (!net_client_is_hub_port(nc, &hub) || hub != p->hub) {
        return;
    }
    if (!p->heading) {
        p->heading = true;
        fprintf(p->out, "hub %d\n", hub);
    }
    fprintf(p->out, " \\ %s", nc->name);
    if (nc->peer) {
        fprintf(p->out, ": ");
        print_client(p->out, nc->peer);
    } else {
        fprintf(p->out, "\n");
    }
}

static void collect_hub(NetClient *nc, void *opaque)
{
    GArray *hubs = opaque;
    int32_t hub;

    if (!net_client_is_hub_port(nc, &hub)) {
        return;
    }
    for (unsigned i = 0; i < hubs->len; i++) {
        if (g_array_index(hubs, int32_t, i) == hub) {
            return;
        }
    }
    g_array_append_val(hubs, hub);
}

static void print_other(NetClient *nc, void *opaque)
{
    FILE *out = opaque;
    int32_t hub;

    if (net_client_is_hub_port(nc, &hub) || (nc->peer && net_client_is_hub_port(nc->peer, &hub))) {
        return;
    }
    if (nc->is_nic || !nc->peer) {
        print_client(out, nc);
    }
    if (nc->is_nic && nc->peer) {
        fprintf(out, " \\ ");
        print_client(out, nc->peer);
    }
}

void net_info(FILE *out)
{
    g_autoptr(GArray) hubs = g_array_new(false, false, sizeof(int32_t));

    net_client_foreach(collect_hub, hubs);
    for (unsigned i = 0; i < hubs->len; i++) {
        HubPrint p = { out, g_array_index(hubs, int32_t, i), false };

        net_client_foreach(print_port, &p);
    }
    net_client_foreach(print_other, out);
}
