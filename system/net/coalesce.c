/*
 * TCP segments made one; see coalesce.h.
 */
#include "system/net/coalesce.h"

/* Offsets in a frame: Ethernet, IPv4 and TCP headers without options. */
enum {
    IP = 14, IP_TOS = IP + 1, IP_TOTAL = IP + 2, IP_FRAGMENT = IP + 6, IP_TTL = IP + 8, IP_PROTOCOL = IP + 9, IP_SOURCE = IP + 12,
    TCP = IP + 20, TCP_SEQ = TCP + 4, TCP_ACK = TCP + 8, TCP_OFFSET = TCP + 12, TCP_FLAGS = TCP + 13, TCP_WINDOW = TCP + 14,
    TCP_CHECKSUM = TCP + 16, TCP_URGENT = TCP + 18, PAYLOAD = TCP + 20,
};
enum { FLAG_PSH = 0x08, FLAG_ACK = 0x10 };

#define LEN_MAX (IP + 65535)

void net_coalesce_init(NetCoalesce *c, void (*send)(void *opaque, const NetOffload *off, uint8_t *data, size_t len), void *opaque)
{
    *c = (NetCoalesce){ .send = send, .opaque = opaque, .buf = g_malloc(LEN_MAX) };
}

void net_coalesce_fini(NetCoalesce *c)
{
    g_clear_pointer(&c->buf, g_free);
    c->len = 0;
}

void net_coalesce_flush(NetCoalesce *c)
{
    NetOffload off = c->off;
    size_t len = c->len;

    if (!len) {
        return;
    }
    c->len = 0;
    if (c->count > 1) {
        off = (NetOffload){
            .flags = NET_NEEDS_CSUM, .gso_type = NET_GSO_TCPV4, .hdr_len = PAYLOAD, .gso_size = c->size,
            .csum_start = TCP, .csum_offset = TCP_CHECKSUM - TCP,
        };
        net_offload_finish_segment(&off, c->buf, len);
    }
    c->send(c->opaque, &off, c->buf, len);
}

/* Data, with nothing in the headers that has to be seen on its own. */
static bool is_plain(const uint8_t *f, size_t len)
{
    return len > PAYLOAD && len <= LEN_MAX && ld16_be(f + 12) == 0x0800 && f[IP] == 0x45
        && (ld16_be(f + IP_FRAGMENT) & 0x3fff) == 0 && f[IP_PROTOCOL] == 6 && ld16_be(f + IP_TOTAL) == len - IP
        && f[TCP_OFFSET] == 0x50 && (f[TCP_FLAGS] & ~FLAG_PSH) == FLAG_ACK;
}

/* Does @f, which is plain, go on where the segment ends? */
static bool follows(const NetCoalesce *c, const uint8_t *f, size_t len)
{
    const uint8_t *b = c->buf;

    return c->len && len - PAYLOAD <= c->size && c->len + len - PAYLOAD <= LEN_MAX && ld32_be(f + TCP_SEQ) == c->next_seq
        && !memcmp(f, b, IP) && f[IP_TOS] == b[IP_TOS] && f[IP_TTL] == b[IP_TTL]
        && !memcmp(f + IP_SOURCE, b + IP_SOURCE, 8) && !memcmp(f + TCP, b + TCP, 4)
        && ld32_be(f + TCP_ACK) == ld32_be(b + TCP_ACK) && ld16_be(f + TCP_WINDOW) == ld16_be(b + TCP_WINDOW);
}

static void begin(NetCoalesce *c, const NetOffload *off, const uint8_t *f, size_t len)
{
    memcpy(c->buf, f, len);
    c->len = len;
    c->count = 1;
    c->size = len - PAYLOAD;
    c->next_seq = ld32_be(f + TCP_SEQ) + (len - PAYLOAD);
    c->off = *off;
}

static void append(NetCoalesce *c, const uint8_t *f, size_t len)
{
    memcpy(c->buf + c->len, f + PAYLOAD, len - PAYLOAD);
    c->len += len - PAYLOAD;
    c->count++;
    c->next_seq += len - PAYLOAD;
    c->buf[TCP_FLAGS] |= f[TCP_FLAGS];
}

void net_coalesce_add(NetCoalesce *c, const NetOffload *off, const uint8_t *f, size_t len)
{
    bool plain = is_plain(f, len);

    if (plain && follows(c, f, len)) {
        append(c, f, len);
        if (len - PAYLOAD < c->size || f[TCP_FLAGS] & FLAG_PSH) {
            net_coalesce_flush(c);      /* a short one ends a train; a push is not to wait */
        }
        return;
    }
    net_coalesce_flush(c);
    if (plain && !(f[TCP_FLAGS] & FLAG_PSH)) {
        begin(c, off, f, len);
    } else {
        c->send(c->opaque, off, (uint8_t *)f, len);     /* with nothing left to do, so it is not changed */
    }
}
