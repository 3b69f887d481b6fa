/*
 * Receive filters; see rx-filter.h.
 */
#include "hw/net/rx-filter.h"

#define ETHERTYPE_VLAN 0x8100

void rx_filter_reset(RxFilter *f)
{
    *f = (RxFilter){ .promisc = true };
    memset(f->vlans, 0xff, sizeof(f->vlans));
}

void rx_filter_use_vlans(RxFilter *f, bool on)
{
    f->filter_vlans = on;
    memset(f->vlans, on ? 0 : 0xff, sizeof(f->vlans));
}

bool rx_filter_set_vlan(RxFilter *f, uint16_t id, bool on)
{
    if (id >= RX_FILTER_VLANS) {
        return false;
    }
    f->vlans[id / 8] = (f->vlans[id / 8] & ~(1 << id % 8)) | on << id % 8;
    return true;
}

static void set_table(uint8_t *table, uint32_t *count, bool *overflow, const uint8_t *macs, size_t n)
{
    *overflow = n > RX_FILTER_MACS;
    *count = *overflow ? 0 : n;
    memcpy(table, macs, *count * 6);
}

void rx_filter_set_unicast(RxFilter *f, const uint8_t *macs, size_t n)
{
    set_table(f->uni, &f->n_uni, &f->uni_overflow, macs, n);
}

void rx_filter_set_multicast(RxFilter *f, const uint8_t *macs, size_t n)
{
    set_table(f->multi, &f->n_multi, &f->multi_overflow, macs, n);
}

static bool in_table(const uint8_t *table, uint32_t n, const uint8_t *mac)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!memcmp(table + 6 * i, mac, 6)) {
            return true;
        }
    }
    return false;
}

static bool vlan_is_taken(const RxFilter *f, const uint8_t *frame, size_t len)
{
    unsigned id;

    if (ld16_be(frame + 12) != ETHERTYPE_VLAN || len < 16) {
        return true;
    }
    id = ld16_be(frame + 14) & 0xfff;
    return f->vlans[id / 8] >> id % 8 & 1;
}

bool rx_filter_accepts(const RxFilter *f, MacAddress mac, const uint8_t *frame, size_t len)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (f->promisc) {
        return true;
    }
    if (!vlan_is_taken(f, frame, len)) {
        return false;
    }
    if (!memcmp(frame, broadcast, 6)) {
        return !f->nobcast;
    }
    if (frame[0] & 1) {
        return !f->nomulti && (f->allmulti || f->multi_overflow || in_table(f->multi, f->n_multi, frame));
    }
    return !f->nouni && (f->alluni || f->uni_overflow || !memcmp(frame, mac.b, 6) || in_table(f->uni, f->n_uni, frame));
}

/* --- telling --- */

static QapiRxState state(bool none, bool all)
{
    return none ? QAPI_RX_STATE_NONE : all ? QAPI_RX_STATE_ALL : QAPI_RX_STATE_NORMAL;
}

static QapiStrList *mac_list(const uint8_t *table, uint32_t n)
{
    QapiStrList *list = g_new0(QapiStrList, 1);

    for (uint32_t i = 0; i < n; i++) {
        MacAddress mac;

        memcpy(mac.b, table + 6 * i, 6);
        *QAPI_LIST_APPEND(list) = mac_to_string(mac);
    }
    return list;
}

QapiRxFilterInfo *rx_filter_info(const RxFilter *f, const char *name, MacAddress mac)
{
    QapiRxFilterInfo *info = g_new0(QapiRxFilterInfo, 1);

    info->name = g_strdup(name);
    info->promiscuous = f->promisc;
    info->unicast = state(f->nouni, f->alluni);
    info->multicast = state(f->nomulti, f->allmulti);
    info->vlan = f->filter_vlans ? QAPI_RX_STATE_NORMAL : QAPI_RX_STATE_ALL;
    info->broadcast_allowed = !f->nobcast;
    info->unicast_overflow = f->uni_overflow;
    info->multicast_overflow = f->multi_overflow;
    info->main_mac = mac_to_string(mac);
    info->unicast_table = mac_list(f->uni, f->n_uni);
    info->multicast_table = mac_list(f->multi, f->n_multi);
    info->vlan_table = g_new0(QapiIntList, 1);
    for (int id = RX_FILTER_VLANS - 1; id >= 0; id--) {
        if (f->vlans[id / 8] >> id % 8 & 1) {
            *QAPI_LIST_APPEND(info->vlan_table) = id;
        }
    }
    return info;
}

/* --- state --- */

static bool rx_filter_post_load(void *opaque, unsigned version, Error **errp)
{
    const RxFilter *f = opaque;

    if (f->n_uni > RX_FILTER_MACS || f->n_multi > RX_FILTER_MACS) {
        error_setg(errp, "receive filter: %u unicast and %u multicast addresses, the tables hold %d", f->n_uni, f->n_multi,
                   RX_FILTER_MACS);
        return false;
    }
    return true;
}

const VMState vmstate_rx_filter = {
    .name = "rx-filter", .version = 1, .minimum_version = 1, .post_load = rx_filter_post_load,
    .fields = (const VMField[]){
        VMS_BOOL(RxFilter, promisc), VMS_BOOL(RxFilter, allmulti), VMS_BOOL(RxFilter, alluni), VMS_BOOL(RxFilter, nomulti),
        VMS_BOOL(RxFilter, nouni), VMS_BOOL(RxFilter, nobcast), VMS_BOOL(RxFilter, uni_overflow),
        VMS_BOOL(RxFilter, multi_overflow), VMS_BOOL(RxFilter, filter_vlans), VMS_U32(RxFilter, n_uni),
        VMS_U32(RxFilter, n_multi), VMS_BUFFER(RxFilter, uni), VMS_BUFFER(RxFilter, multi), VMS_BUFFER(RxFilter, vlans),
        VMS_END,
    },
};
