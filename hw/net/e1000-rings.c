/*
 * Intel 82540EM: frames from the transmit ring and into the receive ring.
 *
 * References: as e1000.h: sections 3.2 (receive), 3.3 and 3.4 (transmit), 3.5 (TCP segmentation).
 *
 * A frame to be sent is put together in one buffer from the data of its descriptors, so that what is checked is
 * what is sent; segmentation cuts that buffer.  Work is bounded by the ring's length, and a burst.
 */
#include "hw/net/e1000.h"
#include "system/runstate.h"
#include "util/log.h"

#include <zlib.h>

#define DESC_BYTES  16
#define TX_BURST    256                 /* descriptors, then others have their turn */
#define FRAME_MIN   60                  /* without its check sequence */
#define FRAME_STD   1518
#define CRC_BYTES   4
#define TAG_BYTES   4

enum { CMD_EOP = 1 << 0, CMD_IFCS = 1 << 1, CMD_IC = 1 << 2, CMD_TSE = 1 << 2, CMD_RS = 1 << 3, CMD_RPS = 1 << 4,
       CMD_DEXT = 1 << 5, CMD_VLE = 1 << 6, TUCMD_TCP = 1 << 0, TUCMD_IP = 1 << 1 };
enum { TX_STATUS_DD = 1, DTYP_CONTEXT = 0, DTYP_DATA = 1, POPTS_IXSM = 1, POPTS_TXSM = 2 };
enum { RX_DD = 1, RX_EOP = 2, RX_IXSM = 4, RX_VP = 8, RX_PIF = 0x80 };
enum { TCP_FIN = 1, TCP_PSH = 8, TCP_SEQ_AT = 4, TCP_FLAGS_AT = 13, IPV4_LEN_AT = 2, IPV4_ID_AT = 4, IPV6_LEN_AT = 4,
       UDP_LEN_AT = 4 };

/* A ring as its registers say; entries 0 = there is none. */
typedef struct Ring {
    hwaddr base;
    uint32_t entries, head, tail;
} Ring;

static Ring ring_of(E1000 *s, unsigned first_reg)
{
    uint32_t *r = e1000_reg(s, first_reg);
    Ring ring = { .base = (r[0] & ~15u) | (uint64_t)r[1] << 32, .entries = (r[2] & 0xfff80) / DESC_BYTES, .head = r[4] & 0xffff,
                  .tail = r[6] & 0xffff };

    if (ring.head >= ring.entries || ring.tail >= ring.entries) {
        if (ring.entries) {
            guest_error("e1000", "head %u or tail %u is beyond the ring's %u descriptors", ring.head, ring.tail, ring.entries);
        }
        ring.entries = 0;
    }
    return ring;
}

static uint32_t ring_used(const Ring *r)
{
    return r->entries ? (r->tail + r->entries - r->head) % r->entries : 0;
}

static hwaddr ring_at(const Ring *r, uint32_t i)
{
    return r->base + (hwaddr)i * DESC_BYTES;
}

/* --- statistics, section 13.7 --- */

static void count(E1000 *s, unsigned reg)
{
    uint32_t *r = e1000_reg(s, reg);

    *r += *r != UINT32_MAX;
}

static void count_bytes(E1000 *s, unsigned reg, size_t n)
{
    uint32_t *r = e1000_reg(s, reg);
    uint64_t v = (r[0] | (uint64_t)r[1] << 32) + n;

    r[0] = (uint32_t)v;
    r[1] = (uint32_t)(v >> 32);
}

/* One of six counters by size; @len includes the check sequence. */
static unsigned size_class(size_t len)
{
    return len <= 64 ? 0 : len <= 127 ? 1 : len <= 255 ? 2 : len <= 511 ? 3 : len <= 1023 ? 4 : 5;
}

static bool is_broadcast(const uint8_t *frame)
{
    static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    return !memcmp(frame, all, 6);
}

/* --- transmit --- */

static void tx_sent(NetClient *nc)
{
    E1000 *s = nic_device(nc);

    s->tx_waits = false;
    bh_schedule(s->tx_bh);
}

static bool loops_back(const E1000 *s)
{
    return s->regs[E1000_RCTL / 4] & RCTL_LBM || s->phy[PHY_CTRL] & PHY_CTRL_LOOPBACK;
}

static void send_frame(E1000 *s, uint8_t *data, size_t len)
{
    size_t wire;

    if (len < FRAME_MIN && *e1000_reg(s, E1000_TCTL) & TCTL_PSP) {
        memset(data + len, 0, FRAME_MIN - len);     /* every buffer has room for it */
        len = FRAME_MIN;
    }
    if (len < NET_HEADER_LEN) {
        guest_error("e1000", "a frame of %zu bytes: dropped", len);
        return;
    }
    wire = len + CRC_BYTES;
    count(s, E1000_GPTC);
    count(s, E1000_TPT);
    count(s, E1000_PTC64 + 4 * size_class(wire));
    count_bytes(s, E1000_GOTCL, wire);
    count_bytes(s, E1000_TOTL, wire);
    if (is_broadcast(data)) {
        count(s, E1000_BPTC);
    } else if (data[0] & 1) {
        count(s, E1000_MPTC);
    }
    if (loops_back(s)) {
        e1000_receive(s->nic.queue[0], &(NetOffload){ 0 }, data, len);
    } else {
        s->tx_waits = !net_send(s->nic.queue[0], NULL, data, len, tx_sent) || s->tx_waits;
    }
}

/* Put the check sum of bytes @start to @end (0 = the last) at @at; the field holds what it begins with. */
static void put_checksum(uint8_t *data, size_t len, size_t start, size_t at, size_t end)
{
    size_t last = end && end < len ? end : len - 1;

    if (start > last || at + 2 > len) {
        return;                         /* hardware leaves such a frame as it is */
    }
    st16_be(data + at, (uint16_t)~net_checksum_add(0, data + start, last + 1 - start));
}

/* One segment's headers, section 3.5.7: lengths, identification, sequence number, flags. */
static void fix_headers(const E1000Context *c, uint8_t *data, size_t len, unsigned n, size_t done, bool last)
{
    uint8_t *ip = data + c->ipcss, *l4 = data + c->tucss;

    if (c->ipv4) {
        st16_be(ip + IPV4_LEN_AT, len - c->ipcss);
        st16_be(ip + IPV4_ID_AT, ld16_be(ip + IPV4_ID_AT) + n);
    } else {
        st16_be(ip + IPV6_LEN_AT, len - c->tucss);
    }
    if (c->tcp) {
        st32_be(l4 + TCP_SEQ_AT, ld32_be(l4 + TCP_SEQ_AT) + (uint32_t)done);
        if (!last) {
            l4[TCP_FLAGS_AT] &= ~(TCP_FIN | TCP_PSH);
        }
    } else {
        st16_be(l4 + UDP_LEN_AT, len - c->tucss);
    }
}

/* The driver's pseudo-header sum lacks the length, which differs from segment to segment. */
static void add_length_to_sum(const E1000Context *c, uint8_t *data, size_t len)
{
    uint8_t *field = data + c->tucso;

    st16_be(field, net_checksum_add((uint32_t)(len - c->tucss), field, 2));
}

static bool context_fits(const E1000Context *c, size_t len)
{
    unsigned l4_bytes = c->tcp ? 20 : 8;

    return c->mss && c->hdrlen >= NET_HEADER_LEN && c->hdrlen <= len && c->ipcss + (c->ipv4 ? 20 : 40) <= c->tucss
        && c->tucss + l4_bytes <= c->hdrlen && c->tucso + 2 <= c->hdrlen;
}

static void send_segments(E1000 *s)
{
    const E1000Context *c = &s->tso;
    size_t payload, room = c->hdrlen + c->mss;
    g_autofree uint8_t *seg = NULL;

    if (!context_fits(c, s->frame_len) || room > NET_FRAME_MAX) {
        guest_error("e1000", "segmentation of %u bytes: MSS %u, header of %u, IP at %u, TCP at %u: dropped", s->frame_len, c->mss,
                    c->hdrlen, c->ipcss, c->tucss);
        return;
    }
    payload = s->frame_len - c->hdrlen;
    seg = g_malloc(MAX(room, FRAME_MIN));
    for (size_t done = 0, n = 0; done < payload; n++) {
        size_t part = MIN(payload - done, c->mss), len = c->hdrlen + part;

        memcpy(seg, s->frame, c->hdrlen);
        memcpy(seg + c->hdrlen, s->frame + c->hdrlen + done, part);
        fix_headers(c, seg, len, (unsigned)n, done, done + part == payload);
        if (s->frame_popts & POPTS_TXSM) {
            add_length_to_sum(c, seg, len);
            put_checksum(seg, len, c->tucss, c->tucso, c->tucse);
        }
        if (s->frame_popts & POPTS_IXSM) {
            put_checksum(seg, len, c->ipcss, c->ipcso, c->ipcse);
        }
        send_frame(s, seg, len);
        done += part;
    }
    count(s, E1000_TSCTC);
}

/* 802.1Q, chapter 9. */
static void insert_tag(E1000 *s)
{
    if (s->frame_len < 12 || s->frame_len + TAG_BYTES > NET_FRAME_MAX) {
        return;
    }
    memmove(s->frame + 12 + TAG_BYTES, s->frame + 12, s->frame_len - 12);
    st16_be(s->frame + 12, *e1000_reg(s, E1000_VET));
    st16_be(s->frame + 14, s->frame_tag);
    s->frame_len += TAG_BYTES;
}

static void finish_frame(E1000 *s)
{
    const E1000Context *c = &s->plain;

    if (s->frame_bad) {
        guest_error("e1000", "a frame of more than %zu bytes: dropped", (size_t)NET_FRAME_MAX);
    } else if (s->frame_tso) {
        send_segments(s);
    } else {
        if (s->frame_popts & POPTS_TXSM) {
            put_checksum(s->frame, s->frame_len, c->tucss, c->tucso, c->tucse);
        }
        if (s->frame_popts & POPTS_IXSM) {
            put_checksum(s->frame, s->frame_len, c->ipcss, c->ipcso, c->ipcse);
        }
        if (s->frame_vlan) {
            insert_tag(s);
        }
        send_frame(s, s->frame, s->frame_len);
    }
    s->frame_len = 0;
    s->frame_bad = s->frame_started = false;
}

static void take_context(E1000 *s, const uint8_t *d)
{
    uint8_t tucmd = d[11];
    E1000Context c = {
        .ipcss = d[0], .ipcso = d[1], .ipcse = ld16_le(d + 2), .tucss = d[4], .tucso = d[5], .tucse = ld16_le(d + 6),
        .hdrlen = d[13], .mss = ld16_le(d + 14), .tcp = tucmd & TUCMD_TCP,
        .ipv4 = tucmd & TUCMD_IP,
    };

    if (tucmd & CMD_TSE) {
        s->tso = c;
    } else {
        s->plain = c;
    }
}

static void add_data(E1000 *s, hwaddr addr, uint32_t len)
{
    if (s->frame_bad || len > NET_FRAME_MAX - TAG_BYTES - s->frame_len) {
        s->frame_bad = true;
        return;
    }
    if (pci_dma_read(&s->pci, addr, s->frame + s->frame_len, len) != MEMTX_OK) {
        memset(s->frame + s->frame_len, 0, len);
    }
    s->frame_len += len;
}

/* Status back; false: nothing was asked for. */
static bool report_done(E1000 *s, hwaddr at, uint8_t *d)
{
    if (!(d[11] & (CMD_RS | CMD_RPS))) {
        return false;
    }
    d[12] = (d[12] & 0xf0) | TX_STATUS_DD;
    pci_dma_write(&s->pci, at + 12, d + 12, 1);
    return true;
}

static void take_legacy(E1000 *s, const uint8_t *d)
{
    uint8_t cmd = d[11];

    if (!s->frame_started) {
        s->frame_started = true;
        s->frame_tso = false;
        s->frame_popts = 0;
        s->frame_vlan = cmd & CMD_VLE && *e1000_reg(s, E1000_CTRL) & CTRL_VME;
        s->frame_tag = ld16_le(d + 14);
    }
    add_data(s, ld64_le(d), ld16_le(d + 8));
    if (cmd & CMD_EOP) {
        if (cmd & CMD_IC && !s->frame_bad && s->frame_len) {
            put_checksum(s->frame, s->frame_len, d[13], d[10], 0);
        }
        finish_frame(s);
    }
}

static void take_data(E1000 *s, const uint8_t *d)
{
    uint8_t cmd = d[11];

    if (!s->frame_started) {            /* the options count in the first descriptor */
        s->frame_started = true;
        s->frame_tso = cmd & CMD_TSE;
        s->frame_popts = d[13];
    }
    add_data(s, ld64_le(d), ld32_le(d + 8) & 0xfffff);
    if (cmd & CMD_EOP) {
        s->frame_vlan = cmd & CMD_VLE && *e1000_reg(s, E1000_CTRL) & CTRL_VME;
        s->frame_tag = ld16_le(d + 14);
        finish_frame(s);
    }
}

/* Returns interrupt causes. */
static uint32_t transmit_one(E1000 *s, hwaddr at)
{
    uint8_t d[DESC_BYTES];

    if (pci_dma_read(&s->pci, at, d, sizeof(d)) != MEMTX_OK) {
        guest_error("e1000", "no transmit descriptor can be read at 0x%" PRIx64, at);
        return 0;
    }
    if (!(d[11] & CMD_DEXT)) {
        take_legacy(s, d);
    } else if (d[10] >> 4 == DTYP_DATA) {
        take_data(s, d);
    } else if (d[10] >> 4 == DTYP_CONTEXT) {
        take_context(s, d);
    } else {
        guest_error("e1000", "transmit descriptor of type %u", d[10] >> 4);
    }
    return report_done(s, at, d) ? ICR_TXDW : 0;
}

void e1000_transmit(void *opaque)
{
    E1000 *s = opaque;
    uint32_t causes = 0;

    if (!runstate_is_running() || !(*e1000_reg(s, E1000_TCTL) & TCTL_EN)) {
        return;                         /* the writer of TCTL, or resume, comes back to it */
    }
    for (unsigned i = 0; !s->tx_waits; i++) {
        Ring r = ring_of(s, E1000_TDBAL);   /* anew: what a descriptor wrote may have been a register */

        if (!ring_used(&r)) {
            causes |= i ? ICR_TXQE : 0;
            break;
        }
        if (i == TX_BURST) {
            bh_schedule(s->tx_bh);
            break;
        }
        causes |= transmit_one(s, ring_at(&r, r.head));
        *e1000_reg(s, E1000_TDH) = (r.head + 1) % r.entries;
    }
    if (causes) {
        e1000_raise(s, causes);
    }
}

/* --- receive --- */

static uint32_t buffer_size(uint32_t rctl)
{
    uint32_t size = 2048 >> (rctl >> RCTL_BSIZE_SHIFT & 3);

    return rctl & RCTL_BSEX && size < 2048 ? size * 16 : size;
}

static bool vlan_is_wanted(E1000 *s, const uint8_t *frame, size_t len)
{
    unsigned id;

    if (!(*e1000_reg(s, E1000_RCTL) & RCTL_VFE) || len < 16 || ld16_be(frame + 12) != (*e1000_reg(s, E1000_VET) & 0xffff)) {
        return true;
    }
    id = ld16_be(frame + 14) & 0xfff;
    return *e1000_reg(s, E1000_VFTA + 4 * (id / 32)) >> (id % 32) & 1;
}

static bool is_own_address(E1000 *s, const uint8_t *frame)
{
    for (unsigned at = E1000_RA; at < E1000_RA_END; at += 8) {
        uint32_t low = *e1000_reg(s, at), high = *e1000_reg(s, at + 4);

        if (high >> 31 && ld32_le(frame) == low && ld16_le(frame + 4) == (high & 0xffff)) {
            return true;
        }
    }
    return false;
}

/* Twelve bits of the last two bytes, by RCTL.MO, into 4096 bits (section 13.5.1). */
static bool is_in_multicast_table(E1000 *s, const uint8_t *frame)
{
    static const uint8_t shift[] = { 4, 3, 2, 0 };
    unsigned bit = ld16_le(frame + 4) >> shift[*e1000_reg(s, E1000_RCTL) >> RCTL_MO_SHIFT & 3] & 0xfff;

    return *e1000_reg(s, E1000_MTA + 4 * (bit / 32)) >> (bit % 32) & 1;
}

static bool is_wanted(E1000 *s, const uint8_t *frame, size_t len)
{
    uint32_t rctl = *e1000_reg(s, E1000_RCTL);

    if (!vlan_is_wanted(s, frame, len)) {
        return false;
    }
    if (is_own_address(s, frame)) {
        return true;
    }
    if (is_broadcast(frame)) {
        return rctl & (RCTL_BAM | RCTL_MPE);
    }
    return frame[0] & 1 ? rctl & RCTL_MPE || is_in_multicast_table(s, frame) : (rctl & RCTL_UPE) != 0;
}

static void count_received(E1000 *s, const uint8_t *frame, size_t wire)
{
    count(s, E1000_GPRC);
    count(s, E1000_TPR);
    count(s, E1000_PRC64 + 4 * size_class(wire));
    count_bytes(s, E1000_GORCL, wire);
    count_bytes(s, E1000_TORL, wire);
    if (is_broadcast(frame)) {
        count(s, E1000_BPRC);
    } else if (frame[0] & 1) {
        count(s, E1000_MPRC);
    }
}

/* A frame for the ring, and what its last descriptor tells. */
typedef struct Received {
    const uint8_t *data;
    size_t len;
    uint8_t tail[FRAME_MIN + CRC_BYTES];        /* what comes behind the data: zeroes, and the check sequence */
    size_t tail_len;
    uint16_t sum, tag;
    uint8_t status;
} Received;

/* Bytes @at to @at + @n of what goes into buffers. */
static void write_part(E1000 *s, const Received *rx, hwaddr to, size_t at, size_t n)
{
    size_t of_data = at < rx->len ? MIN(n, rx->len - at) : 0;

    if (of_data) {
        pci_dma_write(&s->pci, to, rx->data + at, of_data);
    }
    if (of_data < n) {
        pci_dma_write(&s->pci, to + of_data, rx->tail + (at + of_data - rx->len), n - of_data);
    }
}

static void fill_ring(E1000 *s, const Received *rx, uint32_t bsize)
{
    size_t total = rx->len + rx->tail_len;

    for (size_t at = 0; at < total;) {
        Ring r = ring_of(s, E1000_RDBAL);
        hwaddr desc = ring_at(&r, r.head);
        size_t part = MIN(total - at, bsize);
        uint8_t d[DESC_BYTES];

        if (!ring_used(&r) || pci_dma_read(&s->pci, desc, d, sizeof(d)) != MEMTX_OK) {
            guest_error("e1000", "the receive ring changed under a frame");
            return;
        }
        if (ld64_le(d)) {               /* a null descriptor takes nothing */
            write_part(s, rx, ld64_le(d), at, part);
        }
        at += part;
        st16_le(d + 8, part);
        st16_le(d + 10, rx->sum);
        d[12] = RX_DD | (at == total ? RX_EOP | rx->status : 0);
        d[13] = 0;
        st16_le(d + 14, rx->tag);
        pci_dma_write(&s->pci, desc, d, sizeof(d));
        *e1000_reg(s, E1000_RDH) = (r.head + 1) % r.entries;
    }
}

/* Take the tag out of a frame, in place: it goes into the descriptor. */
static void strip_tag(E1000 *s, Received *rx, uint8_t *data)
{
    if (!(*e1000_reg(s, E1000_CTRL) & CTRL_VME) || rx->len < 16 || ld16_be(data + 12) != (*e1000_reg(s, E1000_VET) & 0xffff)) {
        return;
    }
    rx->tag = ld16_be(data + 14);
    rx->status |= RX_VP;
    memmove(data + TAG_BYTES, data, 12);
    rx->data = data + TAG_BYTES;
    rx->len -= TAG_BYTES;
}

static void packet_checksum(E1000 *s, Received *rx)
{
    uint8_t start = *e1000_reg(s, E1000_RXCSUM) & 0xff;

    if (start < rx->len) {
        rx->sum = GUINT16_TO_BE(net_checksum_add(0, rx->data + start, rx->len - start));
    }
}

/* The check sequence over data and padding, unless it is stripped. */
static void add_crc(E1000 *s, Received *rx)
{
    uLong crc;

    if (*e1000_reg(s, E1000_RCTL) & RCTL_SECRC) {
        return;
    }
    crc = crc32(crc32(0, rx->data, (uInt)rx->len), rx->tail, (uInt)rx->tail_len);
    st32_le(rx->tail + rx->tail_len, (uint32_t)crc);
    rx->tail_len += CRC_BYTES;
}

/* How many descriptors are left before the driver wants to know: section 13.4.22, RDMTS. */
static uint32_t threshold(uint32_t rctl, const Ring *r)
{
    return r->entries >> ((rctl >> RCTL_RDMTS_SHIFT & 3) + 1);
}

NetResult e1000_receive(NetClient *nc, const NetOffload *off, uint8_t *data, size_t len)
{
    E1000 *s = nic_device(nc);
    uint32_t rctl = *e1000_reg(s, E1000_RCTL), bsize = buffer_size(rctl), need;
    Received rx = { .data = data, .len = len, .tail_len = len < FRAME_MIN ? FRAME_MIN - len : 0, .status = RX_IXSM };
    Ring r;

    if (!(rctl & RCTL_EN) || !(*e1000_reg(s, E1000_STATUS) & STATUS_LU) || !is_wanted(s, data, len)) {
        return NET_TAKEN;
    }
    if (len + CRC_BYTES > (rctl & RCTL_LPE ? 16384 : FRAME_STD + TAG_BYTES) && !(rctl & RCTL_SBP)) {
        count(s, E1000_ROC);
        return NET_TAKEN;
    }
    r = ring_of(s, E1000_RDBAL);
    need = (uint32_t)((MAX(len, FRAME_MIN) + CRC_BYTES + bsize - 1) / bsize);
    if (ring_used(&r) < need) {
        count(s, E1000_RNBC);
        e1000_raise(s, ICR_RXO);
        return need < r.entries ? NET_LATER : NET_TAKEN;
    }
    count_received(s, data, MAX(len, FRAME_MIN) + CRC_BYTES);
    rx.status |= data[0] & 1 && !is_broadcast(data) && !(rctl & RCTL_MPE) ? RX_PIF : 0;
    strip_tag(s, &rx, data);
    packet_checksum(s, &rx);
    add_crc(s, &rx);
    fill_ring(s, &rx, bsize);
    r = ring_of(s, E1000_RDBAL);
    e1000_raise(s, ICR_RXT0 | (ring_used(&r) <= threshold(rctl, &r) ? ICR_RXDMT0 : 0));
    return NET_TAKEN;
}
