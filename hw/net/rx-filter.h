/*
 * A receive filter as network devices have it: modes, a table of addresses, a table of VLANs.
 *
 * Locks: the device's.
 */
#ifndef HW_NET_RX_FILTER_H
#define HW_NET_RX_FILTER_H

#include "hw/core/vmstate.h"
#include "system/net.h"

#define RX_FILTER_MACS  64
#define RX_FILTER_VLANS 4096

typedef struct RxFilter {
    bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
    bool uni_overflow, multi_overflow;      /* there were more addresses than the table holds */
    bool filter_vlans;                      /* else every VLAN is taken */
    uint32_t n_uni, n_multi;
    uint8_t uni[RX_FILTER_MACS * 6], multi[RX_FILTER_MACS * 6];
    uint8_t vlans[RX_FILTER_VLANS / 8];     /* bit n = id n is taken */
} RxFilter;

extern const VMState vmstate_rx_filter;

/* Promiscuous, no addresses, all VLANs: a device whose driver has set nothing. */
void rx_filter_reset(RxFilter *f);
/* From now on only the VLANs that are added. */
void rx_filter_use_vlans(RxFilter *f, bool on);
/* False if @id is no VLAN. */
bool rx_filter_set_vlan(RxFilter *f, uint16_t id, bool on);
/* Replace a table by @n addresses of six bytes; too many make it overflow, which takes all of the kind. */
void rx_filter_set_unicast(RxFilter *f, const uint8_t *macs, size_t n);
void rx_filter_set_multicast(RxFilter *f, const uint8_t *macs, size_t n);
/* Is a frame (at least NET_HEADER_LEN bytes) for a device whose own address is @mac? */
bool rx_filter_accepts(const RxFilter *f, MacAddress mac, const uint8_t *frame, size_t len);
/* As query-rx-filter tells it; owned. */
QapiRxFilterInfo *rx_filter_info(const RxFilter *f, const char *name, MacAddress mac);

#endif
