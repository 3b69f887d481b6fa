/*
 * Checksums that a sender left to be done, and what else stands in a NetOffload (Virtio 1.2, 5.1.6.2).
 *
 * The header comes from a guest or a file descriptor: net_offload_is_valid() is where it is checked.
 */
#include "system/net/internal.h"

static uint16_t fold(uint64_t sum)
{
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}

/*
 * The one's complement sum does not mind the order of bytes (RFC 1071, section 2 B): words are added
 * as they lie, eight bytes at a time, and the result is turned.
 */
uint16_t net_checksum_add(uint32_t sum, const uint8_t *data, size_t len)
{
    uint64_t s = GUINT16_TO_BE(fold(sum));
    uint8_t last[2] = { 0 };

    for (; len >= 4; data += 4, len -= 4) {
        uint32_t word;

        memcpy(&word, data, 4);
        s += word;
    }
    for (; len >= 2; data += 2, len -= 2) {
        uint16_t word;

        memcpy(&word, data, 2);
        s += word;
    }
    if (len) {
        uint16_t word;

        last[0] = *data;
        memcpy(&word, last, 2);
        s += word;
    }
    return GUINT16_FROM_BE(fold(s));
}

bool net_offload_is_valid(const NetOffload *off, const uint8_t *data, size_t len)
{
    if (off->flags & NET_NEEDS_CSUM
        && (off->csum_start < NET_HEADER_LEN || (size_t)off->csum_start + off->csum_offset + 2 > len)) {
        return false;
    }
    switch (off->gso_type & ~NET_GSO_ECN) {
    case NET_GSO_NONE:
        return true;
    case NET_GSO_TCPV4: case NET_GSO_TCPV6: case NET_GSO_UDP: case NET_GSO_UDP_L4:
        /* Without a checksum to be done, where a segment's headers end is not known (5.1.6.2.1). */
        return off->gso_size && off->flags & NET_NEEDS_CSUM;
    default:
        return false;
    }
}

unsigned net_offload_needs(const NetOffload *off)
{
    unsigned needs = off->flags & NET_NEEDS_CSUM ? NET_ACCEPTS_CSUM : 0;

    switch (off->gso_type & ~NET_GSO_ECN) {
    case NET_GSO_TCPV4:  needs |= NET_ACCEPTS_TSO4; break;
    case NET_GSO_TCPV6:  needs |= NET_ACCEPTS_TSO6; break;
    case NET_GSO_UDP:    needs |= NET_ACCEPTS_UFO; break;
    case NET_GSO_UDP_L4: needs |= NET_ACCEPTS_USO; break;
    }
    return needs | (off->gso_type & NET_GSO_ECN ? NET_ACCEPTS_ECN : 0);
}

void net_offload_complete_checksum(NetOffload *off, uint8_t *data, size_t len)
{
    uint8_t *field = data + off->csum_start + off->csum_offset;
    uint16_t sum;

    /* The field holds the pseudo-header's sum, so it takes part. */
    sum = ~net_checksum_add(0, data + off->csum_start, len - off->csum_start);
    /* 0 means "none" for UDP; its other form is as good for the rest. */
    st16_be(field, sum ? sum : 0xffff);
    off->flags &= ~NET_NEEDS_CSUM;
}

/* --- segments that are left whole --- */

static void finish_ip4(const NetOffload *off, uint8_t *data, size_t len, size_t l3)
{
    uint8_t *ip = data + l3;
    size_t header = (ip[0] & 15) * 4u, total = len - l3;
    uint16_t sum;

    if (header < 20 || l3 + header != off->csum_start || total > UINT16_MAX) {
        return;
    }
    st16_be(ip + 2, total);
    st16_be(ip + 10, 0);
    st16_be(ip + 10, ~net_checksum_add(0, ip, header));
    sum = net_checksum_add(ip[9] + total - header, ip + 12, 8);
    st16_be(data + off->csum_start + off->csum_offset, sum);
}

static void finish_ip6(const NetOffload *off, uint8_t *data, size_t len, size_t l3)
{
    uint8_t *ip = data + l3;
    size_t payload = len - l3 - 40;

    if (l3 + 40 != off->csum_start || payload > UINT16_MAX) {
        return;
    }
    st16_be(ip + 4, payload);
    st16_be(data + off->csum_start + off->csum_offset, net_checksum_add(ip[6] + payload, ip + 8, 32));
}

void net_offload_finish_segment(const NetOffload *off, uint8_t *data, size_t len)
{
    size_t l3 = NET_HEADER_LEN;
    uint16_t type = ld16_be(data + 12);

    if (type == 0x8100 && len >= 18) {
        type = ld16_be(data + 16);
        l3 += 4;
    }
    if (type == 0x0800 && len >= l3 + 20) {
        finish_ip4(off, data, len, l3);
    } else if (type == 0x86dd && len >= l3 + 40) {
        finish_ip6(off, data, len, l3);
    }
}
