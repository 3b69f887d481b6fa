/*
 * Virtio network device: section 5.1.
 *
 * Queues: receive 0, transmit 0, ..., receive N-1, transmit N-1, control; N is 1 for drivers that do
 * not take VIRTIO_NET_F_MQ, whose control queue is number 2 whatever there is.
 *
 * A frame goes through one private copy (tx_buf), so what is checked is what is sent.  Work from a
 * kick is done in the main loop: the vCPU goes on meanwhile, and kicks are off while there is work.
 */
#include "hw/net/virtio-net.h"
#include "hw/core/bootorder.h"
#include "system/runstate.h"
#include "util/log.h"

#define CTRL_QUEUE_SIZE 64
#define QUEUE_SIZE_MIN  256
#define MTU_MIN         68              /* RFC 791 */
#define TX_BURST        256             /* frames, then others have their turn */

/* struct virtio_net_config, section 5.1.4 */
enum { CFG_MAC = 0, CFG_STATUS = 6, CFG_MAX_PAIRS = 8, CFG_MTU = 10, CFG_SPEED = 12, CFG_DUPLEX = 16, CFG_SIZE = 17 };
enum { STATUS_LINK_UP = 1 };
enum { DUPLEX_HALF, DUPLEX_FULL, DUPLEX_UNKNOWN };

/* struct virtio_net_hdr, section 5.1.6 */
enum { HDR_FLAGS = 0, HDR_GSO_TYPE = 1, HDR_LEN = 2, HDR_GSO_SIZE = 4, HDR_CSUM_START = 6, HDR_CSUM_OFFSET = 8,
       HDR_NUM_BUFFERS = 10, HDR_SIZE = 12, HDR_SIZE_SHORT = 10 };

static bool has(const VirtioNet *s, unsigned bit)
{
    return virtio_has_feature(&s->vdev, bit);
}

/* Drivers before 1.0 have the last field only with mergeable buffers. */
static size_t header_size(const VirtioNet *s)
{
    return has(s, NET_F_MRG_RXBUF) || has(s, VIRTIO_F_VERSION_1) ? HDR_SIZE : HDR_SIZE_SHORT;
}

static bool is_running(const VirtioNet *s)
{
    return s->vdev.status & VIRTIO_STATUS_DRIVER_OK && !s->vdev.broken;
}

/* --- to the guest --- */

/* Enough buffers for @total bytes into s->rx_chains; 0 = there are not, and none is taken. */
static unsigned rx_collect(VirtioNet *s, VirtQueue *vq, size_t total)
{
    bool merge = has(s, NET_F_MRG_RXBUF);
    size_t room = 0;
    unsigned n = 0;

    while (room < total && n < s->rx_queue_size && (merge || n == 0) && virtqueue_pop(vq, &s->rx_chains[n])) {
        room += s->rx_chains[n++].in_len;
    }
    if (room >= total) {
        return n;
    }
    if (!merge && n) {
        guest_error("virtio-net", "a receive buffer of %zu bytes, %zu are needed", room, total);
    }
    while (n > 0) {
        virtqueue_unpop(vq, &s->rx_chains[--n]);
    }
    return 0;
}

static void rx_header(const VirtioNet *s, const NetOffload *off, unsigned n_buffers, uint8_t h[HDR_SIZE])
{
    bool csum = s->guest_offloads >> NET_F_GUEST_CSUM & 1;

    memset(h, 0, HDR_SIZE);
    h[HDR_FLAGS] = csum ? off->flags & (NET_NEEDS_CSUM | NET_DATA_VALID) : 0;
    h[HDR_GSO_TYPE] = off->gso_type;
    st16_le(h + HDR_LEN, off->hdr_len);
    st16_le(h + HDR_GSO_SIZE, off->gso_size);
    st16_le(h + HDR_CSUM_START, off->csum_start);
    st16_le(h + HDR_CSUM_OFFSET, off->csum_offset);
    st16_le(h + HDR_NUM_BUFFERS, n_buffers);
}

/* @len bytes at @offset of the frame with its header, into the buffers' stream of bytes. */
static void rx_scatter(VirtioNet *s, unsigned n, size_t offset, const uint8_t *data, size_t len)
{
    for (unsigned i = 0; i < n && len; i++) {
        size_t room = s->rx_chains[i].in_len, done;

        if (offset >= room) {
            offset -= room;
            continue;
        }
        done = virtchain_write(&s->rx_chains[i], offset, data, len);
        s->rx_written[i] = offset + done;
        data += done;
        len -= done;
        offset = 0;
    }
}

static NetPair *rx_pair(NetClient *nc)
{
    VirtioNet *s = nic_device(nc);

    /* What comes on a queue that the driver does not use goes to one that it does. */
    return &s->pairs[nc->queue_index % s->pairs_used];
}

static NetResult net_receive(NetClient *nc, const NetOffload *off, uint8_t *data, size_t len)
{
    VirtioNet *s = nic_device(nc);
    NetPair *p = rx_pair(nc);
    size_t head = header_size(s);
    uint8_t h[HDR_SIZE];
    unsigned n;

    if (!is_running(s) || !rx_filter_accepts(&s->filter, s->nic.mac, data, len)) {
        return NET_TAKEN;               /* nobody listens */
    }
    n = rx_collect(s, p->rx, head + len);
    if (!n && virtqueue_set_kicks(p->rx, true)) {
        n = rx_collect(s, p->rx, head + len);   /* they came after the first look */
    }
    if (!n) {
        return is_running(s) ? NET_LATER : NET_TAKEN;
    }
    rx_header(s, off, n, h);
    memset(s->rx_written, 0, n * sizeof(s->rx_written[0]));     /* a buffer may have no room at all */
    rx_scatter(s, n, 0, h, head);
    rx_scatter(s, n, head, data, len);
    virtqueue_push_many(p->rx, s->rx_chains, s->rx_written, n);
    virtqueue_notify(p->rx);
    return NET_TAKEN;
}

static void handle_rx(VirtioNet *s, NetPair *p)
{
    virtqueue_set_kicks(p->rx, false);
    for (unsigned i = 0; i < s->n_pairs; i++) {
        net_receive_more(s->pairs[i].nc);
    }
}

/* --- from the guest --- */

/* The header in the clear; false if it asks for what was not negotiated. */
static bool tx_header(const VirtioNet *s, const uint8_t *h, NetOffload *off)
{
    static const struct { uint8_t type, feature; } gso[] = {
        { NET_GSO_TCPV4, NET_F_HOST_TSO4 }, { NET_GSO_TCPV6, NET_F_HOST_TSO6 }, { NET_GSO_UDP, NET_F_HOST_UFO },
        { NET_GSO_UDP_L4, NET_F_HOST_USO },
    };
    uint8_t type = h[HDR_GSO_TYPE] & ~NET_GSO_ECN;

    *off = (NetOffload){
        .flags = h[HDR_FLAGS] & NET_NEEDS_CSUM, .gso_type = h[HDR_GSO_TYPE], .hdr_len = ld16_le(h + HDR_LEN),
        .gso_size = ld16_le(h + HDR_GSO_SIZE), .csum_start = ld16_le(h + HDR_CSUM_START),
        .csum_offset = ld16_le(h + HDR_CSUM_OFFSET),
    };
    if (off->flags && !has(s, NET_F_CSUM)) {
        return false;
    }
    if (off->gso_type & NET_GSO_ECN && !has(s, NET_F_HOST_ECN)) {
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(gso); i++) {
        if (type == gso[i].type) {
            return has(s, gso[i].feature);
        }
    }
    return type == NET_GSO_NONE;
}

static void tx_sent(NetClient *nc)
{
    VirtioNet *s = nic_device(nc);
    NetPair *p = &s->pairs[nc->queue_index];

    p->tx_waits = false;
    bh_schedule(p->tx_bh);
}

static void tx_frame(NetPair *p, const VirtChain *c, size_t head)
{
    VirtioNet *s = p->s;
    size_t len = c->out_len - head;
    uint8_t h[HDR_SIZE];
    NetOffload off;

    if (len > NET_FRAME_MAX) {
        guest_error("virtio-net", "a frame of %zu bytes, the limit is %zu: dropped", len, (size_t)NET_FRAME_MAX);
        p->nc->oversized++;
        p->nc->dropped++;
        return;
    }
    virtchain_read(c, 0, h, head);
    virtchain_read(c, head, s->tx_buf, len);
    if (!tx_header(s, h, &off)) {
        guest_error("virtio-net", "flags 0x%x, gso type 0x%x without the feature: dropped", h[HDR_FLAGS], h[HDR_GSO_TYPE]);
        p->nc->dropped++;
        return;
    }
    p->tx_waits = !net_send(p->nc, &off, s->tx_buf, len, tx_sent);
}

/* False when there may be more. */
static bool tx_burst(NetPair *p)
{
    VirtioNet *s = p->s;
    size_t head = header_size(s);
    VirtChain c;

    for (unsigned i = 0; i < TX_BURST; i++) {
        if (p->tx_waits || !virtqueue_pop(p->tx, &c)) {
            return true;
        }
        if (c.out_len < head) {
            virtio_error(&s->vdev, "a frame of %zu bytes is shorter than its header", c.out_len);
            virtchain_detach(&c);
            return true;
        }
        tx_frame(p, &c, head);
        virtqueue_push(p->tx, &c, 0);
    }
    return false;
}

static void tx_flush(void *opaque)
{
    NetPair *p = opaque;

    if (!is_running(p->s) || !runstate_is_running()) {
        return;                         /* net_resume() comes back to it */
    }
    virtqueue_set_kicks(p->tx, false);
    do {
        if (!tx_burst(p)) {
            virtqueue_notify(p->tx);
            bh_schedule(p->tx_bh);
            return;
        }
    } while (!p->tx_waits && virtqueue_set_kicks(p->tx, true) && !p->s->vdev.broken);
    virtqueue_notify(p->tx);
}

/* The machine runs again. */
static void net_resume(NetClient *nc)
{
    VirtioNet *s = nic_device(nc);

    bh_schedule(s->pairs[nc->queue_index].tx_bh);
}

/* --- queues --- */

static void handle_queue(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioNet *s = VIRTIO_NET(vdev);
    unsigned i = virtqueue_index(vq), control = has(s, NET_F_MQ) ? 2 * s->n_pairs : 2;

    if (i == control && has(s, NET_F_CTRL_VQ)) {
        virtio_net_handle_ctrl(vdev, vq);
    } else if (i >= 2 * s->n_pairs) {
        guest_error("virtio-net", "notification for the control queue, which was not negotiated");
    } else if (i % 2 == 0) {
        handle_rx(s, &s->pairs[i / 2]);
    } else {
        bh_schedule(s->pairs[i / 2].tx_bh);
    }
}

/* --- features and configuration --- */

/* What our peer does or leaves to be done decides what segments may be left whole. */
static uint64_t features_of_peer(const VirtioNet *s)
{
    static const struct { unsigned accepts; uint64_t features; } table[] = {
        { NET_ACCEPTS_TSO4, 1ULL << NET_F_HOST_TSO4 | 1ULL << NET_F_GUEST_TSO4 },
        { NET_ACCEPTS_TSO6, 1ULL << NET_F_HOST_TSO6 | 1ULL << NET_F_GUEST_TSO6 },
        { NET_ACCEPTS_ECN,  1ULL << NET_F_HOST_ECN | 1ULL << NET_F_GUEST_ECN },
        { NET_ACCEPTS_UFO,  1ULL << NET_F_HOST_UFO | 1ULL << NET_F_GUEST_UFO },
        { NET_ACCEPTS_USO,  1ULL << NET_F_HOST_USO | 1ULL << NET_F_GUEST_USO4 | 1ULL << NET_F_GUEST_USO6 },
    };
    unsigned accepts = net_peer_accepts(s->nic.queue[0]);
    uint64_t features = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        features |= accepts & table[i].accepts ? table[i].features : 0;
    }
    return features | (features >> NET_F_HOST_TSO4 & 1 ? 1ULL << NET_F_GSO : 0);
}

/* Bits that mean nothing without another one, section 5.1.3.1. */
static uint64_t without_orphans(uint64_t f)
{
    const uint64_t host = 1ULL << NET_F_HOST_TSO4 | 1ULL << NET_F_HOST_TSO6 | 1ULL << NET_F_HOST_ECN | 1ULL << NET_F_HOST_UFO
        | 1ULL << NET_F_HOST_USO | 1ULL << NET_F_GSO;
    const uint64_t guest = 1ULL << NET_F_GUEST_TSO4 | 1ULL << NET_F_GUEST_TSO6 | 1ULL << NET_F_GUEST_ECN
        | 1ULL << NET_F_GUEST_UFO | 1ULL << NET_F_GUEST_USO4 | 1ULL << NET_F_GUEST_USO6;
    const uint64_t control = 1ULL << NET_F_CTRL_RX | 1ULL << NET_F_CTRL_RX_EXTRA | 1ULL << NET_F_CTRL_VLAN
        | 1ULL << NET_F_CTRL_MAC_ADDR | 1ULL << NET_F_CTRL_GUEST_OFFLOADS | 1ULL << NET_F_MQ;

    f &= f >> NET_F_CSUM & 1 ? ~0ULL : ~host;
    f &= f >> NET_F_GUEST_CSUM & 1 ? ~0ULL : ~guest;
    f &= f >> NET_F_CTRL_VQ & 1 ? ~0ULL : ~control;
    f &= f >> NET_F_HOST_TSO4 & 1 || f >> NET_F_HOST_TSO6 & 1 ? ~0ULL : ~(1ULL << NET_F_HOST_ECN);
    f &= f >> NET_F_GUEST_TSO4 & 1 || f >> NET_F_GUEST_TSO6 & 1 ? ~0ULL : ~(1ULL << NET_F_GUEST_ECN);
    return f;
}

static uint64_t net_get_features(VirtioDevice *vdev)
{
    VirtioNet *s = VIRTIO_NET(vdev);
    const uint64_t segments = 1ULL << NET_F_GSO | 1ULL << NET_F_HOST_TSO4 | 1ULL << NET_F_HOST_TSO6 | 1ULL << NET_F_HOST_ECN
        | 1ULL << NET_F_HOST_UFO | 1ULL << NET_F_HOST_USO | 1ULL << NET_F_GUEST_TSO4 | 1ULL << NET_F_GUEST_TSO6
        | 1ULL << NET_F_GUEST_ECN | 1ULL << NET_F_GUEST_UFO | 1ULL << NET_F_GUEST_USO4 | 1ULL << NET_F_GUEST_USO6;
    uint64_t f = s->wanted_features & (~segments | features_of_peer(s));

    f |= 1ULL << NET_F_MAC;
    f |= s->host_mtu ? 1ULL << NET_F_MTU : 0;
    f |= s->speed >= 0 || s->duplex != DUPLEX_UNKNOWN ? 1ULL << NET_F_SPEED_DUPLEX : 0;
    f |= s->mq ? 1ULL << NET_F_MQ : 0;
    return without_orphans(f);
}

uint64_t virtio_net_switchable_offloads(const VirtioNet *s)
{
    return s->vdev.guest_features
        & (1ULL << NET_F_GUEST_CSUM | 1ULL << NET_F_GUEST_TSO4 | 1ULL << NET_F_GUEST_TSO6 | 1ULL << NET_F_GUEST_ECN
           | 1ULL << NET_F_GUEST_UFO | 1ULL << NET_F_GUEST_USO4 | 1ULL << NET_F_GUEST_USO6);
}

void virtio_net_set_offloads(VirtioNet *s, uint64_t o)
{
    unsigned accepts = 0;

    s->guest_offloads = o;
    if (o >> NET_F_GUEST_CSUM & 1) {
        accepts = NET_ACCEPTS_CSUM
            | (o >> NET_F_GUEST_TSO4 & 1 ? NET_ACCEPTS_TSO4 : 0) | (o >> NET_F_GUEST_TSO6 & 1 ? NET_ACCEPTS_TSO6 : 0)
            | (o >> NET_F_GUEST_ECN & 1 ? NET_ACCEPTS_ECN : 0) | (o >> NET_F_GUEST_UFO & 1 ? NET_ACCEPTS_UFO : 0)
            | (o >> NET_F_GUEST_USO4 & 1 && o >> NET_F_GUEST_USO6 & 1 ? NET_ACCEPTS_USO : 0);
    }
    for (unsigned i = 0; i < s->n_pairs; i++) {
        net_set_accepts(s->pairs[i].nc, accepts);
    }
}

static void net_set_features(VirtioDevice *vdev, uint64_t features)
{
    VirtioNet *s = VIRTIO_NET(vdev);

    rx_filter_use_vlans(&s->filter, has(s, NET_F_CTRL_VLAN));
    virtio_net_set_offloads(s, virtio_net_switchable_offloads(s));
}

static void net_get_config(VirtioDevice *vdev, uint8_t *config)
{
    static const uint8_t duplex[] = { [DUPLEX_HALF] = 0, [DUPLEX_FULL] = 1, [DUPLEX_UNKNOWN] = 0xff };
    VirtioNet *s = VIRTIO_NET(vdev);

    memcpy(config + CFG_MAC, s->nic.mac.b, sizeof(s->nic.mac.b));
    st16_le(config + CFG_STATUS, s->nic.queue[0]->link_down ? 0 : STATUS_LINK_UP);
    st16_le(config + CFG_MAX_PAIRS, s->n_pairs);
    st16_le(config + CFG_MTU, s->host_mtu);
    st32_le(config + CFG_SPEED, (uint32_t)s->speed);
    config[CFG_DUPLEX] = duplex[s->duplex];
}

/* Only drivers before 1.0 may set the address here, byte by byte (section 5.1.4.1). */
static void net_set_config(VirtioDevice *vdev, const uint8_t *config)
{
    VirtioNet *s = VIRTIO_NET(vdev);
    MacAddress mac;

    memcpy(mac.b, config + CFG_MAC, sizeof(mac.b));
    if (!has(s, NET_F_CTRL_MAC_ADDR) && !has(s, VIRTIO_F_VERSION_1)) {
        nic_set_mac(&s->nic, mac);
    }
}

static void net_status_changed(VirtioDevice *vdev, uint8_t old)
{
    VirtioNet *s = VIRTIO_NET(vdev);

    if (vdev->status & ~old & VIRTIO_STATUS_DRIVER_OK) {
        for (unsigned i = 0; i < s->n_pairs; i++) {
            virtqueue_set_kicks(s->pairs[i].rx, false);
            bh_schedule(s->pairs[i].tx_bh);     /* there may be frames already (section 3.1.2) */
        }
    }
}

static void net_device_reset(VirtioDevice *vdev)
{
    VirtioNet *s = VIRTIO_NET(vdev);

    for (unsigned i = 0; i < s->n_pairs; i++) {
        bh_cancel(s->pairs[i].tx_bh);
        s->pairs[i].tx_waits = false;
    }
    rx_filter_reset(&s->filter);
    s->pairs_used = 1;
    virtio_net_set_offloads(s, 0);
    nic_set_mac(&s->nic, s->own_mac);
    for (unsigned i = 0; i < s->n_pairs; i++) {
        net_drop_waiting(s->pairs[i].nc);       /* nobody listens any more */
    }
}

/* --- the network's view --- */

static void net_link_changed(NetClient *nc)
{
    VirtioNet *s = nic_device(nc);

    if (nc->queue_index == 0 && has(s, NET_F_STATUS)) {
        virtio_notify_config(&s->vdev);
    }
}

static QapiRxFilterInfo *net_query_rx_filter(NetClient *nc)
{
    VirtioNet *s = nic_device(nc);

    s->announced = false;
    return rx_filter_info(&s->filter, nc->name, s->nic.mac);
}

static const NetClientInfo virtio_net_client = {
    .receive = net_receive, .link_changed = net_link_changed, .resume = net_resume, .query_rx_filter = net_query_rx_filter,
};

/* --- life --- */

static bool check_properties(const VirtioNet *s, Error **errp)
{
    if (!is_power_of_2(s->rx_queue_size) || !is_power_of_2(s->tx_queue_size)) {
        error_setg(errp, "virtio-net: rx_queue_size %u and tx_queue_size %u must be powers of two", s->rx_queue_size,
                   s->tx_queue_size);
        return false;
    }
    if (s->host_mtu && s->host_mtu < MTU_MIN) {
        error_setg(errp, "virtio-net: host_mtu must be 0 or %d..65535, got %u", MTU_MIN, s->host_mtu);
        return false;
    }
    return true;
}

static void make_pairs(VirtioNet *s)
{
    s->pairs = g_new0(NetPair, s->n_pairs);
    for (unsigned i = 0; i < s->n_pairs; i++) {
        s->pairs[i] = (NetPair){
            .s = s, .nc = s->nic.queue[i],
            .rx = virtio_add_queue(&s->vdev, "receiveq", s->rx_queue_size, handle_queue),
            .tx = virtio_add_queue(&s->vdev, "transmitq", s->tx_queue_size, handle_queue),
        };
        s->pairs[i].tx_bh = bh_new(tx_flush, &s->pairs[i]);
    }
    virtio_add_queue(&s->vdev, "controlq", CTRL_QUEUE_SIZE, handle_queue);
}

static bool net_realize(Device *dev, Error **errp)
{
    VirtioNet *s = VIRTIO_NET(dev);
    /* The user's id and type are the PCI proxy's, if there is one. */
    Device *shown = object_is(dev->obj.parent, &device_type) ? DEVICE(dev->obj.parent) : dev;
    unsigned back_end_queues = s->nic.netdev ? net_client_n_queues(s->nic.netdev) : 1;

    s->n_pairs = s->mq ? MIN(MAX(back_end_queues, 1), VIRTIO_NET_PAIRS_MAX) : 1;
    s->pairs_used = 1;
    if (!check_properties(s, errp)
        || !nic_open(&s->nic, &virtio_net_client, shown->obj.type->name, shown->id, s->n_pairs, s, errp)) {
        return false;
    }
    s->own_mac = s->nic.mac;
    s->tx_buf = g_malloc(NET_FRAME_MAX);
    s->rx_chains = g_new(VirtChain, s->rx_queue_size);
    s->rx_written = g_new(size_t, s->rx_queue_size);
    rx_filter_reset(&s->filter);
    make_pairs(s);
    return true;
}

static void net_unrealize(Device *dev)
{
    VirtioNet *s = VIRTIO_NET(dev);

    for (unsigned i = 0; i < s->n_pairs; i++) {
        bh_free(s->pairs[i].tx_bh);
    }
    nic_close(&s->nic);
    g_clear_pointer(&s->pairs, g_free);
    g_clear_pointer(&s->tx_buf, g_free);
    g_clear_pointer(&s->rx_chains, g_free);
    g_clear_pointer(&s->rx_written, g_free);
    s->nic.mac = s->own_mac;
}

static const char *const duplex_names[] = { "half", "full", "unknown", NULL };

#define NET_FEATURE(name, bit, on, text) PROP_BIT64(name, VirtioNet, wanted_features, bit, on, .help = text)
static const Property virtio_net_properties[] = {
    PROP_NIC(VirtioNet, nic),
    NET_FEATURE("csum", NET_F_CSUM, true, "take frames whose checksum is to be done"),
    NET_FEATURE("guest_csum", NET_F_GUEST_CSUM, true, "give frames whose checksum is done or to be done"),
    NET_FEATURE("gso", NET_F_GSO, true, "the old form of host_tso4 and host_tso6"),
    NET_FEATURE("guest_tso4", NET_F_GUEST_TSO4, true, "give whole TCP segments over IPv4"),
    NET_FEATURE("guest_tso6", NET_F_GUEST_TSO6, true, "give whole TCP segments over IPv6"),
    NET_FEATURE("guest_ecn", NET_F_GUEST_ECN, true, "give segments with explicit congestion notification"),
    NET_FEATURE("guest_ufo", NET_F_GUEST_UFO, true, "give whole UDP datagrams"),
    NET_FEATURE("guest_uso4", NET_F_GUEST_USO4, true, "give UDP segments over IPv4"),
    NET_FEATURE("guest_uso6", NET_F_GUEST_USO6, true, "give UDP segments over IPv6"),
    NET_FEATURE("host_tso4", NET_F_HOST_TSO4, true, "take whole TCP segments over IPv4"),
    NET_FEATURE("host_tso6", NET_F_HOST_TSO6, true, "take whole TCP segments over IPv6"),
    NET_FEATURE("host_ecn", NET_F_HOST_ECN, true, "take segments with explicit congestion notification"),
    NET_FEATURE("host_ufo", NET_F_HOST_UFO, true, "take whole UDP datagrams"),
    NET_FEATURE("host_uso", NET_F_HOST_USO, true, "take UDP segments"),
    NET_FEATURE("mrg_rxbuf", NET_F_MRG_RXBUF, true, "a frame may take several receive buffers"),
    NET_FEATURE("status", NET_F_STATUS, true, "tell whether the link is up"),
    NET_FEATURE("ctrl_vq", NET_F_CTRL_VQ, true, "offer the control queue"),
    NET_FEATURE("ctrl_rx", NET_F_CTRL_RX, true, "the driver may set receive modes and addresses"),
    NET_FEATURE("ctrl_vlan", NET_F_CTRL_VLAN, true, "the driver may set VLANs"),
    NET_FEATURE("ctrl_rx_extra", NET_F_CTRL_RX_EXTRA, true, "further receive modes"),
    NET_FEATURE("ctrl_mac_addr", NET_F_CTRL_MAC_ADDR, true, "the driver may set the device's address"),
    NET_FEATURE("ctrl_guest_offloads", NET_F_CTRL_GUEST_OFFLOADS, true, "the driver may switch the guest_* offloads"),
    PROP_BOOTINDEX("bootindex", VirtioNet, bootindex),
    PROP_BOOL("mq", VirtioNet, mq, false, .help = "several pairs of queues, as many as the back end has"),
    PROP_UINT16("rx_queue_size", VirtioNet, rx_queue_size, 256, .min = QUEUE_SIZE_MIN, .max = VIRTQUEUE_SIZE_MAX,
                .power_of_2 = true, .help = "entries of a receive queue"),
    PROP_UINT16("tx_queue_size", VirtioNet, tx_queue_size, 256, .min = QUEUE_SIZE_MIN, .max = VIRTQUEUE_SIZE_MAX,
                .power_of_2 = true, .help = "entries of a transmit queue"),
    PROP_UINT16("host_mtu", VirtioNet, host_mtu, 0, .unit = "bytes", .help = "largest packet; 0 = not told"),
    PROP_INT32("speed", VirtioNet, speed, -1, .min = (uint64_t)(int64_t)-1, .max = INT32_MAX, .unit = "Mbit/s",
               .help = "of the link; -1 = not told"),
    PROP_ENUM("duplex", VirtioNet, duplex, duplex_names, DUPLEX_UNKNOWN, .shown = "str", .help = "of the link"),
    PROP_FIXED_TEXT(str, "tx", "bh", .help = "frames are sent from the main loop"),
    PROP_FIXED(bool, "guest_announce", false, .help = "the guest is not asked to announce itself"),
    PROP_FIXED(bool, "rss", false, .help = "no receive side scaling"),
    PROP_FIXED(bool, "hash", false, .help = "no hashes are reported"),
    PROP_FIXED(bool, "guest_rsc_ext", false, .help = "segments are not coalesced for the guest"),
};

static bool net_post_load(void *opaque, unsigned version, Error **errp)
{
    VirtioNet *s = opaque;

    if (s->pairs_used < 1 || s->pairs_used > s->n_pairs) {
        error_setg(errp, "virtio-net: %u pairs of queues in use, there are %u", s->pairs_used, s->n_pairs);
        return false;
    }
    if (s->guest_offloads & ~virtio_net_switchable_offloads(s)) {
        error_setg(errp, "virtio-net: offloads 0x%" PRIx64 " were not negotiated", s->guest_offloads);
        return false;
    }
    nic_set_mac(&s->nic, s->nic.mac);
    virtio_net_set_offloads(s, s->guest_offloads);
    return true;
}

static const VMState vmstate_virtio_net = {
    .name = "virtio-net", .version = 1, .minimum_version = 1, .post_load = net_post_load,
    .fields = (const VMField[]){
        VMS_BUFFER(VirtioNet, nic.mac), VMS_STRUCT(VirtioNet, filter, &vmstate_rx_filter), VMS_U16(VirtioNet, pairs_used),
        VMS_U64(VirtioNet, guest_offloads), VMS_END,
    },
};

VIRTIO_DEVICE_DEFINE(VirtioNet, virtio_net, "virtio-net",
    .desc = "virtio network device",
    .category = DEVICE_CATEGORY_NETWORK,
    .boot_part = "ethernet-phy@0",
    .virtio_id = VIRTIO_ID_NET,
    .pci_class = PCI_CLASS_NETWORK_ETHERNET,
    .config_size = CFG_SIZE,
    .properties = PROPS(virtio_net_properties),
    .realize = net_realize,
    .unrealize = net_unrealize,
    .get_features = net_get_features,
    .set_features = net_set_features,
    .get_config = net_get_config,
    .set_config = net_set_config,
    .status_changed = net_status_changed,
    .device_reset = net_device_reset,
    .vmstate = &vmstate_virtio_net,
)
