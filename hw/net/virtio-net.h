/* Between virtio-net.c and virtio-net-ctrl.c. */
#ifndef HW_NET_VIRTIO_NET_H
#define HW_NET_VIRTIO_NET_H

#include "hw/net/rx-filter.h"
#include "hw/virtio/virtio.h"
#include "util/main-loop.h"

#define VIRTIO_NET_PAIRS_MAX    NET_QUEUES_MAX

/* Feature bits, section 5.1.3 */
enum {
    NET_F_CSUM = 0, NET_F_GUEST_CSUM = 1, NET_F_CTRL_GUEST_OFFLOADS = 2, NET_F_MTU = 3, NET_F_MAC = 5, NET_F_GSO = 6,
    NET_F_GUEST_TSO4 = 7, NET_F_GUEST_TSO6 = 8, NET_F_GUEST_ECN = 9, NET_F_GUEST_UFO = 10, NET_F_HOST_TSO4 = 11,
    NET_F_HOST_TSO6 = 12, NET_F_HOST_ECN = 13, NET_F_HOST_UFO = 14, NET_F_MRG_RXBUF = 15, NET_F_STATUS = 16,
    NET_F_CTRL_VQ = 17, NET_F_CTRL_RX = 18, NET_F_CTRL_VLAN = 19, NET_F_CTRL_RX_EXTRA = 20, NET_F_MQ = 22,
    NET_F_CTRL_MAC_ADDR = 23, NET_F_GUEST_USO4 = 54, NET_F_GUEST_USO6 = 55, NET_F_HOST_USO = 56, NET_F_SPEED_DUPLEX = 63,
};

typedef struct VirtioNet VirtioNet;

/* A pair of queues, and the network's client that belongs to it. */
typedef struct NetPair {
    VirtioNet *s;
    NetClient *nc;                      /* borrowed from s->nic */
    VirtQueue *rx, *tx;
    BottomHalf *tx_bh;
    bool tx_waits;                      /* a frame stands in the peer's queue */
} NetPair;

struct VirtioNet {
    VirtioDevice vdev;

    /* properties */
    NicConf nic;
    uint64_t wanted_features;           /* offered if they make sense */
    uint16_t rx_queue_size, tx_queue_size, host_mtu;
    int32_t speed, bootindex;
    int duplex;
    bool mq;

    /* constant after realize */
    NetPair *pairs;
    unsigned n_pairs;
    MacAddress own_mac;                 /* what a reset goes back to */
    bool announced;                     /* NIC_RX_FILTER_CHANGED was sent; again after query-rx-filter */
    uint8_t *tx_buf;                    /* NET_FRAME_MAX */
    VirtChain *rx_chains;               /* as many as a queue can have */
    size_t *rx_written;

    /* guest-visible state */
    RxFilter filter;
    uint16_t pairs_used;
    uint64_t guest_offloads;            /* bits as the features' */
};

OBJECT_DECLARE(VirtioNet, VIRTIO_NET, virtio_net)

/* The driver's requests on the control queue, section 5.1.6.5. */
void virtio_net_handle_ctrl(VirtioDevice *vdev, VirtQueue *vq);
void virtio_net_set_offloads(VirtioNet *s, uint64_t offloads);
/* Offloads that may be switched with CTRL_GUEST_OFFLOADS. */
uint64_t virtio_net_switchable_offloads(const VirtioNet *s);

#endif
