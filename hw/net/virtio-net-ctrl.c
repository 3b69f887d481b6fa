/*
 * The control queue of virtio network devices: section 5.1.6.5.
 *
 * A request is class, command, data; the answer is one byte.  Data are read at fixed sizes; a table of
 * addresses says its own length, which is held against what is there.
 */
#include "hw/net/virtio-net.h"
#include "qapi/qapi-events.h"
#include "util/log.h"

enum { CTRL_OK = 0, CTRL_ERR = 1 };
enum { CTRL_RX = 0, CTRL_MAC = 1, CTRL_VLAN = 2, CTRL_MQ = 4, CTRL_GUEST_OFFLOADS = 5 };
enum { RX_PROMISC = 0, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST };
enum { MAC_TABLE_SET = 0, MAC_ADDR_SET = 1 };
enum { VLAN_ADD = 0, VLAN_DEL = 1 };
enum { MQ_VQ_PAIRS_SET = 0 };
enum { GUEST_OFFLOADS_SET = 0 };

#define CTRL_HEADER 2

static bool has(const VirtioNet *s, unsigned bit)
{
    return virtio_has_feature(&s->vdev, bit);
}

/* The @len bytes of data and nothing more. */
static bool data(const VirtChain *c, void *buf, size_t len)
{
    return c->out_len == CTRL_HEADER + len && virtchain_read(c, CTRL_HEADER, buf, len) == len;
}

static bool ctrl_rx(VirtioNet *s, uint8_t command, const VirtChain *c)
{
    bool *const modes[] = {
        [RX_PROMISC] = &s->filter.promisc, [RX_ALLMULTI] = &s->filter.allmulti, [RX_ALLUNI] = &s->filter.alluni,
        [RX_NOMULTI] = &s->filter.nomulti, [RX_NOUNI] = &s->filter.nouni, [RX_NOBCAST] = &s->filter.nobcast,
    };
    uint8_t on;

    if (command >= ARRAY_SIZE(modes) || !has(s, command <= RX_ALLMULTI ? NET_F_CTRL_RX : NET_F_CTRL_RX_EXTRA)
        || !data(c, &on, 1)) {
        return false;
    }
    *modes[command] = on;
    return true;
}

/* A count and so many addresses from @at on; *@macs is owned, @at is moved behind them. */
static bool read_table(const VirtChain *c, size_t *at, uint8_t **macs, uint32_t *n)
{
    uint8_t raw[4];
    size_t left;

    if (virtchain_read(c, *at, raw, sizeof(raw)) != sizeof(raw)) {
        return false;
    }
    *at += sizeof(raw);
    *n = ld32_le(raw);
    left = c->out_len - *at;
    if (*n > left / 6) {
        return false;
    }
    /* Of a table that overflows only the length counts. */
    *macs = g_malloc(6 * MIN(*n, RX_FILTER_MACS));
    virtchain_read(c, *at, *macs, 6 * MIN(*n, RX_FILTER_MACS));
    *at += 6 * (size_t)*n;
    return true;
}

static bool mac_table(VirtioNet *s, const VirtChain *c)
{
    g_autofree uint8_t *uni = NULL, *multi = NULL;
    uint32_t n_uni, n_multi;
    size_t at = CTRL_HEADER;

    if (!read_table(c, &at, &uni, &n_uni) || !read_table(c, &at, &multi, &n_multi) || at != c->out_len) {
        return false;
    }
    rx_filter_set_unicast(&s->filter, uni, n_uni);
    rx_filter_set_multicast(&s->filter, multi, n_multi);
    return true;
}

static bool ctrl_mac(VirtioNet *s, uint8_t command, const VirtChain *c)
{
    MacAddress mac;

    if (command == MAC_ADDR_SET && has(s, NET_F_CTRL_MAC_ADDR) && data(c, mac.b, sizeof(mac.b))) {
        nic_set_mac(&s->nic, mac);
        return true;
    }
    return command == MAC_TABLE_SET && has(s, NET_F_CTRL_RX) && mac_table(s, c);
}

static bool ctrl_vlan(VirtioNet *s, uint8_t command, const VirtChain *c)
{
    uint8_t raw[2];

    return command <= VLAN_DEL && has(s, NET_F_CTRL_VLAN) && data(c, raw, sizeof(raw))
        && rx_filter_set_vlan(&s->filter, ld16_le(raw), command == VLAN_ADD);
}

static bool ctrl_mq(VirtioNet *s, uint8_t command, const VirtChain *c)
{
    uint8_t raw[2];
    unsigned n;

    if (command != MQ_VQ_PAIRS_SET || !has(s, NET_F_MQ) || !data(c, raw, sizeof(raw))) {
        return false;
    }
    n = ld16_le(raw);
    if (n < 1 || n > s->n_pairs) {
        return false;
    }
    s->pairs_used = n;
    return true;
}

static bool ctrl_offloads(VirtioNet *s, uint8_t command, const VirtChain *c)
{
    uint8_t raw[8];

    if (command != GUEST_OFFLOADS_SET || !has(s, NET_F_CTRL_GUEST_OFFLOADS) || !data(c, raw, sizeof(raw))
        || ld64_le(raw) & ~virtio_net_switchable_offloads(s)) {
        return false;
    }
    virtio_net_set_offloads(s, ld64_le(raw));
    return true;
}

/* Once, until somebody has looked. */
static void announce_filter(VirtioNet *s)
{
    Device *dev = &s->vdev.dev;
    Device *proxy = object_is(dev->obj.parent, &device_type) ? DEVICE(dev->obj.parent) : dev;
    g_autofree char *path = object_path(dev);

    if (!s->announced) {
        s->announced = true;
        qapi_event_send_nic_rx_filter_changed(proxy->id, path);
    }
}

static bool request(VirtioNet *s, const VirtChain *c)
{
    uint8_t header[CTRL_HEADER];

    virtchain_read(c, 0, header, sizeof(header));
    switch (header[0]) {
    case CTRL_RX: case CTRL_MAC: case CTRL_VLAN:
        if (header[0] == CTRL_RX ? !ctrl_rx(s, header[1], c)
            : header[0] == CTRL_MAC ? !ctrl_mac(s, header[1], c) : !ctrl_vlan(s, header[1], c)) {
            return false;
        }
        announce_filter(s);
        return true;
    case CTRL_MQ:
        return ctrl_mq(s, header[1], c);
    case CTRL_GUEST_OFFLOADS:
        return ctrl_offloads(s, header[1], c);
    default:
        return false;
    }
}

void virtio_net_handle_ctrl(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioNet *s = VIRTIO_NET(vdev);
    VirtChain c;

    while (virtqueue_pop(vq, &c)) {
        uint8_t ack;

        if (c.out_len < CTRL_HEADER || c.in_len < 1) {
            virtio_error(vdev, "control request of %zu bytes with room for %zu", c.out_len, c.in_len);
            virtchain_detach(&c);
            return;
        }
        ack = request(s, &c) ? CTRL_OK : CTRL_ERR;
        if (ack == CTRL_ERR) {
            guest_error("virtio-net", "control request of %zu bytes refused", c.out_len);
        }
        virtchain_write(&c, 0, &ack, 1);
        virtqueue_push(vq, &c, 1);
    }
    virtqueue_notify(vq);
}
