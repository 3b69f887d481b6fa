/*
 * Clients: pairs, delivery, queues.
 *
 * Invariants:
 *  I1  a.peer == b implies b.peer == a
 *  I2  a client's queue holds at most NET_QUEUE_BYTES, and one more frame for each sender that waits
 *  I3  receive() of a client does not nest: frames that come meanwhile wait in its queue
 */
#include "system/net/internal.h"
#include "system/runstate.h"

#include <stdarg.h>

typedef struct NetPacket {
    NetClient *from;
    NetSentFn *sent;
    NetOffload off;
    size_t len;
    uint8_t data[];
} NetPacket;

/* Every client, in order of creation: what -netdev ids and the monitor's names are looked up in. */
static GPtrArray *clients;

static const NetOffload no_offload;

/* --- life --- */

static void machine_started(void *opaque, bool running, RunState s)
{
    for (unsigned i = 0; running && i < clients->len; i++) {
        NetClient *nc = g_ptr_array_index(clients, i);

        if (nc->info->resume) {
            nc->info->resume(nc);
        }
        net_receive_more(nc);
    }
}

void net_client_init(NetClient *nc, const NetClientInfo *info, const char *model, const char *name, unsigned queue_index)
{
    if (!clients) {
        clients = g_ptr_array_new();
        vm_state_notify_add(machine_started, NULL);
    }
    nc->info = info;
    nc->model = g_strdup(model);
    nc->name = g_strdup(name);
    nc->queue_index = queue_index;
    nc->queue = g_queue_new();
    g_ptr_array_add(clients, nc);
}

NetClient *net_client_new(const NetClientInfo *info, const char *name, unsigned queue_index)
{
    NetClient *nc = g_malloc0(info->size);

    net_client_init(nc, info, info->model, name, queue_index);
    return nc;
}

/* Everything in a queue is from the peer.  Gives what the peer waits for, if it does. */
static NetSentFn *queue_purge(NetClient *nc)
{
    NetSentFn *sent = NULL;
    NetPacket *p;

    while ((p = g_queue_pop_head(nc->queue)) != NULL) {
        sent = p->sent ? p->sent : sent;
        g_free(p);
    }
    nc->queue_bytes = 0;
    return sent;
}

void net_drop_waiting(NetClient *nc)
{
    NetSentFn *sent = queue_purge(nc);

    if (sent) {
        sent(nc->peer);
    }
}

/* @nc is about to go. */
static void disconnect(NetClient *nc)
{
    NetClient *peer = nc->peer;
    NetSentFn *sent = queue_purge(nc);

    if (!peer) {
        return;
    }
    queue_purge(peer);
    nc->peer = peer->peer = NULL;
    if (sent) {
        sent(peer);                     /* it may go on, to nobody */
    }
}

void net_client_fini(NetClient *nc)
{
    if (nc->info->cleanup) {
        nc->info->cleanup(nc);
    }
    disconnect(nc);
    g_ptr_array_remove(clients, nc);
    g_queue_free(nc->queue);
    g_free(nc->name);
    g_free(nc->model);
    g_free(nc->about);
}

void net_client_delete(NetClient *nc)
{
    net_client_fini(nc);
    g_free(nc);
}

void net_client_connect(NetClient *a, NetClient *b)
{
    assert(!a->peer && !b->peer && a != b);
    a->peer = b;
    b->peer = a;
    net_set_accepts(a, a->accepts);
    net_set_accepts(b, b->accepts);
}

void net_client_set_about(NetClient *nc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_free(nc->about);
    nc->about = g_strdup_vprintf(fmt, ap);
    va_end(ap);
}

/* --- looking up --- */

static NetClient *find(const char *name, unsigned queue_index, bool nics)
{
    for (unsigned i = 0; clients && i < clients->len; i++) {
        NetClient *nc = g_ptr_array_index(clients, i);

        if (!strcmp(nc->name, name) && nc->queue_index == queue_index && (nics || !nc->is_nic)) {
            return nc;
        }
    }
    return NULL;
}

NetClient *netdev_find(const char *id, unsigned queue_index)
{
    return find(id, queue_index, false);
}

NetClient *net_client_find(const char *name, unsigned queue_index)
{
    return find(name, queue_index, true);
}

void net_client_foreach(void (*fn)(NetClient *nc, void *opaque), void *opaque)
{
    g_autoptr(GPtrArray) all = clients ? g_ptr_array_copy(clients, NULL, NULL) : g_ptr_array_new();

    for (unsigned i = 0; i < all->len; i++) {
        fn(g_ptr_array_index(all, i), opaque);
    }
}

unsigned net_client_n_queues(const char *name)
{
    unsigned n = 0;

    while (netdev_find(name, n)) {
        n++;
    }
    return n;
}

/* --- offloads --- */

unsigned net_peer_accepts(const NetClient *nc)
{
    return nc->peer ? nc->peer->accepts : 0;
}

void net_set_accepts(NetClient *nc, unsigned accepts)
{
    nc->accepts = accepts;
    if (nc->peer && nc->peer->info->peer_accepts_changed) {
        nc->peer->info->peer_accepts_changed(nc->peer);
    }
}

/* --- delivery --- */

static bool can_receive(NetClient *nc)
{
    return (!nc->is_nic || runstate_is_running()) && (!nc->info->can_receive || nc->info->can_receive(nc));
}

bool net_can_send(const NetClient *from)
{
    NetClient *to = from->peer;

    return !to || from->link_down || to->link_down || (g_queue_is_empty(to->queue) && !to->delivering && can_receive(to));
}

/* Offer @data to @nc now. */
static NetResult offer(NetClient *nc, const NetOffload *off, uint8_t *data, size_t len)
{
    NetResult r;

    if (nc->link_down) {
        nc->dropped++;
        return NET_TAKEN;
    }
    if (!can_receive(nc)) {
        return NET_LATER;
    }
    nc->delivering = true;
    r = nc->info->receive(nc, off, data, len);
    nc->delivering = false;
    return r;
}

/* False: queued, the sender should stop. */
static bool enqueue(NetClient *to, NetClient *from, const NetOffload *off, const uint8_t *data, size_t len, NetSentFn *sent)
{
    NetPacket *p;

    if (to->queue_bytes + len > NET_QUEUE_BYTES && !sent) {
        to->dropped++;
        return true;
    }
    p = g_malloc(sizeof(*p) + len);
    *p = (NetPacket){ .from = from, .sent = sent, .off = *off, .len = len };
    memcpy(p->data, data, len);
    g_queue_push_tail(to->queue, p);
    to->queue_bytes += len;
    return !sent;
}

bool net_send(NetClient *from, const NetOffload *off, uint8_t *data, size_t len, NetSentFn *sent)
{
    NetClient *to = from->peer;
    NetOffload local = off ? *off : no_offload;

    if (!to || from->link_down || to->link_down) {
        *(to && to->link_down ? &to->dropped : &from->dropped) += 1;
        return true;
    }
    if (len > NET_FRAME_MAX || len < NET_HEADER_LEN || !net_offload_is_valid(&local, data, len)) {
        from->oversized += len > NET_FRAME_MAX;
        from->dropped++;
        return true;
    }
    if (net_offload_needs(&local) & ~to->accepts & ~NET_ACCEPTS_CSUM) {
        from->dropped++;                /* a segment that was not to be left whole */
        return true;
    }
    if (local.flags & NET_NEEDS_CSUM && !(to->accepts & NET_ACCEPTS_CSUM)) {
        net_offload_complete_checksum(&local, data, len);
    }
    if (to->delivering || !g_queue_is_empty(to->queue) || offer(to, &local, data, len) == NET_LATER) {
        return enqueue(to, from, &local, data, len, sent);
    }
    if (!g_queue_is_empty(to->queue)) {
        net_receive_more(to);           /* came while this one was delivered */
    }
    return true;
}

void net_receive_more(NetClient *nc)
{
    if (nc->delivering) {
        return;
    }
    while (!g_queue_is_empty(nc->queue)) {
        NetPacket *p = g_queue_pop_head(nc->queue);

        nc->queue_bytes -= p->len;
        if (offer(nc, &p->off, p->data, p->len) == NET_LATER) {
            nc->queue_bytes += p->len;
            g_queue_push_head(nc->queue, p);
            return;
        }
        if (p->sent) {
            p->sent(p->from);
        }
        g_free(p);
    }
}
