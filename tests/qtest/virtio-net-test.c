/* virtio-net: both directions, offloads, mergeable buffers, the control queue, hostile drivers. */
#include "lib/virtio.h"
#include "lib/wire.h"

enum { TYPE_NET = 1 };
enum { F_CSUM = 0, F_MRG_RXBUF = 15, F_STATUS = 16, F_CTRL_VQ = 17, F_CTRL_RX = 18, F_CTRL_VLAN = 19, F_CTRL_RX_EXTRA = 20,
       F_CTRL_MAC_ADDR = 23 };
#define BIT(n) (1ull << (n))
#define ALL_CTRL (BIT(F_CTRL_VQ) | BIT(F_CTRL_RX) | BIT(F_CTRL_VLAN) | BIT(F_CTRL_RX_EXTRA) | BIT(F_CTRL_MAC_ADDR))
enum { RX = 0, TX = 1, CTRL = 2 };
enum { HEADER = 12 };
enum { CTRL_OK = 0, CTRL_ERR = 1 };

/* A machine whose only device's cable ends in a socket of ours. */
typedef struct Net {
    QTest *q;
    QPci p;
    QVirtio v;
    QVirtQueue rx, tx, ctrl;
    QWire wire;
} Net;

static void net_start(Net *n, uint64_t features)
{
    *n = (Net){ 0 };
    n->q = qwire_start(&n->wire, "-device virtio-net-pci,netdev=n0,id=net0");
    qpci_init(&n->p, n->q, true);
    qvirtio_open(&n->v, &n->p, TYPE_NET, features);
    qvirtio_queue_init(&n->rx, &n->v, RX);
    qvirtio_queue_init(&n->tx, &n->v, TX);
    if (features & BIT(F_CTRL_VQ)) {
        qvirtio_queue_init(&n->ctrl, &n->v, CTRL);
    }
    qvirtio_start(&n->v);
}

static void net_stop(Net *n)
{
    qwire_stop(&n->wire, n->q);
}

/* --- the driver --- */

typedef struct Header {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
} Header;

/* Header and frame as one buffer; the device has taken it when this returns. */
static void guest_send(Net *n, const Header *h, const uint8_t *frame, uint32_t len)
{
    uint64_t at = qtest_alloc(n->q, HEADER + len, 16);

    qtest_memwrite(n->q, at, h, HEADER);
    qtest_memwrite(n->q, at + HEADER, frame, len);
    qvq_add(&n->tx, &(QSegment){ at, HEADER + len, false }, 1);
    qvq_kick(&n->tx);
    qvq_wait(&n->tx, NULL);
}

static uint64_t guest_post(Net *n, uint32_t size)
{
    uint64_t at = qtest_alloc(n->q, size, 16);

    qvq_add(&n->rx, &(QSegment){ at, size, true }, 1);
    qvq_kick(&n->rx);
    return at;
}

/* The mark of the next frame, which must fit one buffer. */
static uint8_t guest_receive_mark(Net *n)
{
    uint64_t at = guest_post(n, 2048);

    qvq_wait(&n->rx, NULL);
    return (uint8_t)qtest_read(n->q, at + HEADER + 14, 1);
}

/* A request of class, command and data; the answer. */
static uint8_t control(Net *n, uint8_t class, uint8_t command, const void *data, uint32_t len)
{
    uint64_t at = qtest_alloc(n->q, 3 + len, 16), ack = qtest_alloc(n->q, 1, 1);

    qtest_write(n->q, at, 1, class);
    qtest_write(n->q, at + 1, 1, command);
    if (len) {
        qtest_memwrite(n->q, at + 2, data, len);
    }
    qtest_write(n->q, ack, 1, 0xee);
    qvq_add(&n->ctrl, (QSegment[]){ { at, 2 + len, false }, { ack, 1, true } }, 2);
    qvq_kick(&n->ctrl);
    qvq_wait(&n->ctrl, NULL);
    return (uint8_t)qtest_read(n->q, ack, 1);
}

/* --- data --- */

static void test_transmit(void)
{
    uint8_t frame[200], got[4096];
    Net n;

    net_start(&n, 0);
    for (unsigned i = 0; i < 50; i++) {
        qwire_make_frame(frame, sizeof(frame), BROADCAST, (uint8_t)i);
        guest_send(&n, &(Header){ 0 }, frame, sizeof(frame));
        g_assert_cmpmem(got, qwire_receive(&n.wire, got, sizeof(got)), frame, sizeof(frame));
    }
    net_stop(&n);
}

static void test_checksum_is_completed(void)
{
    uint8_t frame[101], got[4096];
    uint32_t sum = 0;
    Net n;

    net_start(&n, BIT(F_CSUM));
    qwire_make_frame(frame, sizeof(frame), BROADCAST, 1);
    frame[14 + 20 + 16] = frame[14 + 20 + 17] = 0;
    guest_send(&n, &(Header){ .flags = 1, .csum_start = 34, .csum_offset = 16 }, frame, sizeof(frame));
    g_assert_cmpuint(qwire_receive(&n.wire, got, sizeof(got)), ==, sizeof(frame));
    for (unsigned i = 34; i < sizeof(frame); i++) {     /* with its checksum the whole adds up to ffff (RFC 1071) */
        sum += (i - 34) % 2 ? got[i] : got[i] << 8;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    g_assert_cmphex((sum & 0xffff) + (sum >> 16), ==, 0xffff);
    net_stop(&n);
}

static void test_receive_waits_for_buffers(void)
{
    uint8_t frame[100];
    Net n;

    net_start(&n, 0);
    for (unsigned i = 0; i < 20; i++) {
        qwire_make_frame(frame, sizeof(frame), BROADCAST, (uint8_t)(i + 1));
        qwire_send(&n.wire, frame, sizeof(frame));
    }
    for (unsigned i = 0; i < 20; i++) {
        g_assert_cmpuint(guest_receive_mark(&n), ==, i + 1);
    }
    net_stop(&n);
}

static void test_mergeable_buffers_come_together(void)
{
    enum { SIZE = 700, FRAME = 3000, BUFFERS = 5 };     /* 3012 bytes */
    uint8_t frame[FRAME], got[BUFFERS * SIZE];
    uint64_t at[BUFFERS];
    uint32_t written, total = 0;
    Net n;

    net_start(&n, BIT(F_MRG_RXBUF));
    qwire_make_frame(frame, sizeof(frame), BROADCAST, 9);
    qwire_send(&n.wire, frame, sizeof(frame));
    for (unsigned i = 0; i < BUFFERS; i++) {
        g_assert_false(qvq_has_used(&n.rx));            /* not before there is room for all of it */
        at[i] = guest_post(&n, SIZE);
    }
    for (unsigned i = 0; i < BUFFERS; i++) {
        qvq_wait(&n.rx, &written);
        g_assert_cmpuint(written, ==, i < BUFFERS - 1 ? SIZE : HEADER + FRAME - (BUFFERS - 1) * SIZE);
        qtest_memread(n.q, at[i], got + total, written);
        total += written;
    }
    g_assert_cmpuint(got[10] | got[11] << 8, ==, BUFFERS);
    g_assert_cmpmem(got + HEADER, total - HEADER, frame, sizeof(frame));
    net_stop(&n);
}

/* All of it is for the device to read: it counts as a buffer, of no bytes. */
static void test_a_buffer_without_room_gets_nothing(void)
{
    uint8_t frame[100];
    uint32_t written;
    uint64_t at;
    Net n;

    net_start(&n, BIT(F_MRG_RXBUF));
    qwire_make_frame(frame, sizeof(frame), BROADCAST, 1);
    qwire_send(&n.wire, frame, sizeof(frame));
    g_assert_cmpuint(guest_receive_mark(&n), ==, 1);
    qwire_make_frame(frame, sizeof(frame), BROADCAST, 2);
    qvq_add(&n.rx, &(QSegment){ qtest_alloc(n.q, 64, 16), 64, false }, 1);
    at = guest_post(&n, 2048);
    qwire_send(&n.wire, frame, sizeof(frame));
    qvq_wait(&n.rx, &written);
    g_assert_cmpuint(written, ==, 0);
    qvq_wait(&n.rx, &written);
    g_assert_cmpuint(written, ==, HEADER + sizeof(frame));
    g_assert_cmpuint(qtest_read(n.q, at + 10, 2), ==, 2);
    g_assert_cmpuint(qtest_read(n.q, at + HEADER + 14, 1), ==, 2);
    net_stop(&n);
}

static void test_a_buffer_too_small_loses_no_frame(void)
{
    uint8_t frame[1000];
    Net n;

    net_start(&n, 0);                                   /* one buffer for each frame */
    qwire_make_frame(frame, sizeof(frame), BROADCAST, 3);
    qwire_send(&n.wire, frame, sizeof(frame));
    guest_post(&n, 64);
    g_usleep(20000);
    g_assert_false(qvq_has_used(&n.rx));
    g_assert_cmphex(qvirtio_status(&n.v) & VIRTIO_NEEDS_RESET, ==, 0);
    net_stop(&n);
}

/* --- control --- */

static void test_receive_modes(void)
{
    static const struct { const char *to; uint8_t mark; } sent[] = {
        { OTHER_MAC, 1 }, { MULTICAST, 2 }, { OUR_MAC, 3 }, { BROADCAST, 4 },
    };
    uint8_t frame[100], table[4 + 6 + 4 + 6] = { 1 };
    g_autofree char *event = NULL, *info = NULL;
    Net n;

    net_start(&n, ALL_CTRL);
    g_assert_cmpuint(control(&n, 0, 0, "\0", 1), ==, CTRL_OK);          /* promiscuous off */
    event = qtest_qmp_event(n.q, "NIC_RX_FILTER_CHANGED");
    g_assert_nonnull(strstr(event, "\"name\": \"net0\""));
    g_assert_nonnull(strstr(event, "/machine/peripheral/net0/virtio-backend"));
    for (unsigned i = 0; i < G_N_ELEMENTS(sent); i++) {
        qwire_make_frame(frame, sizeof(frame), sent[i].to, sent[i].mark);
        qwire_send(&n.wire, frame, sizeof(frame));
    }
    g_assert_cmpuint(guest_receive_mark(&n), ==, 3);
    g_assert_cmpuint(guest_receive_mark(&n), ==, 4);
    memcpy(table + 4, OTHER_MAC, 6);
    table[10] = 1;
    memcpy(table + 14, MULTICAST, 6);
    g_assert_cmpuint(control(&n, 1, 0, table, sizeof(table)), ==, CTRL_OK);
    g_assert_cmpuint(control(&n, 0, 5, "\1", 1), ==, CTRL_OK);          /* no broadcast */
    for (unsigned i = 0; i < G_N_ELEMENTS(sent); i++) {
        qwire_make_frame(frame, sizeof(frame), sent[i].to, sent[i].mark);
        qwire_send(&n.wire, frame, sizeof(frame));
    }
    for (unsigned i = 1; i <= 3; i++) {
        g_assert_cmpuint(guest_receive_mark(&n), ==, i);
    }
    info = qtest_qmp(n.q, "{'execute': 'query-rx-filter'}");
    g_assert_nonnull(strstr(info, "\"unicast-table\": [\"52:54:00:12:34:99\"]"));
    g_assert_nonnull(strstr(info, "\"multicast-table\": [\"01:00:5e:00:00:05\"]"));
    g_assert_nonnull(strstr(info, "\"broadcast-allowed\": false"));
    g_assert_nonnull(strstr(info, "\"promiscuous\": false"));
    net_stop(&n);
}

static void test_vlans(void)
{
    uint8_t frame[100];
    Net n;

    net_start(&n, ALL_CTRL);
    g_assert_cmpuint(control(&n, 0, 0, "\0", 1), ==, CTRL_OK);
    g_assert_cmpuint(control(&n, 2, 0, "\x05\x00", 2), ==, CTRL_OK);    /* add 5 */
    for (uint8_t id = 4; id <= 6; id++) {
        qwire_make_frame(frame, sizeof(frame), OUR_MAC, 0);
        memcpy(frame + 12, "\x81\x00\xe0", 3);
        frame[15] = id;
        frame[14] = 0x60;                               /* priority bits do not count */
        qwire_send(&n.wire, frame, sizeof(frame));
    }
    qwire_make_frame(frame, sizeof(frame), OUR_MAC, 77);
    qwire_send(&n.wire, frame, sizeof(frame));
    g_assert_cmpuint(guest_receive_mark(&n), ==, 0x60);
    g_assert_cmpuint(guest_receive_mark(&n), ==, 77);
    g_assert_cmpuint(control(&n, 2, 0, "\x00\x10", 2), ==, CTRL_ERR);   /* 4096 */
    net_stop(&n);
}

static void test_address_is_set_and_reset(void)
{
    g_autofree char *info = NULL, *after = NULL;
    Net n;

    net_start(&n, ALL_CTRL);
    g_assert_cmphex(qvirtio_config(&n.v, 0, 4), ==, 0x12005452);
    g_assert_cmpuint(control(&n, 1, 1, OTHER_MAC, 6), ==, CTRL_OK);
    g_assert_cmphex(qvirtio_config(&n.v, 4, 2), ==, 0x9934);
    info = qtest_qmp(n.q, "{'execute': 'query-rx-filter'}");
    g_assert_nonnull(strstr(info, "\"main-mac\": \"52:54:00:12:34:99\""));
    qvirtio_open(&n.v, &n.p, TYPE_NET, 0);
    g_assert_cmphex(qvirtio_config(&n.v, 4, 2), ==, 0x5634);
    after = qtest_qmp(n.q, "{'execute': 'query-rx-filter'}");
    g_assert_nonnull(strstr(after, "\"promiscuous\": true"));
    net_stop(&n);
}

static void test_bad_control_requests_are_refused(void)
{
    static const struct { uint8_t class, command; const char *data; uint32_t len; } bad[] = {
        { 0, 6, "\1", 1 }, { 0, 0, "", 0 }, { 0, 0, "\1\1", 2 },            /* no such mode, no data, too much */
        { 1, 0, "\xff\xff\xff\xff", 4 }, { 1, 0, "\1\0\0\0aaaaa", 9 }, { 1, 0, "\0\0\0\0\0\0\0\x40", 8 },
        { 1, 0, "\0\0\0\0", 4 }, { 1, 1, "\1\2\3\4\5", 5 }, { 1, 2, "", 0 },
        { 2, 2, "\1\0", 2 }, { 4, 0, "\2\0", 2 }, { 5, 0, "\1\0\0\0\0\0\0\0", 8 }, { 99, 0, "", 0 },
    };
    Net n;

    net_start(&n, ALL_CTRL);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_cmpuint(control(&n, bad[i].class, bad[i].command, bad[i].data, bad[i].len), ==, CTRL_ERR);
    }
    g_assert_cmphex(qvirtio_status(&n.v) & VIRTIO_NEEDS_RESET, ==, 0);
    net_stop(&n);
}

static void test_link_state(void)
{
    Net n;

    net_start(&n, BIT(F_STATUS));
    g_assert_cmpuint(qvirtio_config(&n.v, 6, 2), ==, 1);
    qbar_read(&n.v.bar, n.v.isr, 1);
    g_free(qtest_qmp(n.q, "{'execute': 'set_link', 'arguments': {'name': 'net0', 'up': false}}"));
    g_assert_cmpuint(qvirtio_config(&n.v, 6, 2), ==, 0);
    g_assert_cmphex(qbar_read(&n.v.bar, n.v.isr, 1) & 2, ==, 2);
    g_free(qtest_qmp(n.q, "{'execute': 'netdev_del', 'arguments': {'id': 'n0'}}"));
    g_free(qtest_qmp(n.q, "{'execute': 'set_link', 'arguments': {'name': 'net0', 'up': true}}"));
    g_assert_cmpuint(qvirtio_config(&n.v, 6, 2), ==, 1);
    net_stop(&n);
}

/* --- hostile drivers --- */

/* What is not to be sent is not, and the next frame is. */
static void test_bad_headers_drop_the_frame(void)
{
    static const Header bad[] = {
        { .flags = 1, .csum_start = 34, .csum_offset = 65 },            /* the field's second byte is behind the end */
        { .flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff },
        { .flags = 1, .csum_start = 0, .csum_offset = 0 },              /* in the Ethernet header */
        { .flags = 1, .gso_type = 1, .gso_size = 1460, .csum_start = 34, .csum_offset = 16 },   /* not negotiated */
        { .gso_type = 0x77 }, { .gso_type = 0x80 }, { .gso_type = 3, .gso_size = 0 },
    };
    uint8_t frame[100], got[4096];
    g_autofree char *info = NULL;
    Net n;

    net_start(&n, BIT(F_CSUM));
    qwire_make_frame(frame, sizeof(frame), BROADCAST, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        guest_send(&n, &bad[i], frame, sizeof(frame));
    }
    guest_send(&n, &(Header){ 0 }, frame, 13);                          /* less than an Ethernet header */
    guest_send(&n, &(Header){ 0 }, frame, 0 + 14);
    g_assert_cmpuint(qwire_receive(&n.wire, got, sizeof(got)), ==, 14);
    info = qtest_qmp(n.q, "{'execute': 'human-monitor-command', 'arguments': {'command-line': 'info network'}}");
    g_assert_nonnull(strstr(info, "dropped=8"));
    g_assert_cmphex(qvirtio_status(&n.v) & VIRTIO_NEEDS_RESET, ==, 0);
    net_stop(&n);
}

static void test_oversized_frames_are_dropped(void)
{
    enum { LIMIT = 68 * 1024 };
    g_autofree uint8_t *frame = g_malloc0(LIMIT + 1), *got = g_malloc(LIMIT);
    Net n;

    net_start(&n, 0);
    qwire_make_frame(frame, LIMIT + 1, BROADCAST, 1);
    guest_send(&n, &(Header){ 0 }, frame, LIMIT + 1);
    guest_send(&n, &(Header){ 0 }, frame, LIMIT);
    g_assert_cmpmem(got, qwire_receive(&n.wire, got, LIMIT), frame, LIMIT);
    net_stop(&n);
}

/* Each breaks the rules of the transport: the device stops and says so. */
static void test_broken_rings_need_a_reset(void)
{
    static const struct { unsigned queue; QSegment seg; } bad[] = {
        { TX, { 0, 11, false } },                       /* shorter than the header */
        { TX, { 0xfffffffffffff000, 100, false } },     /* no memory there */
        { TX, { 0, 0, false } },
        { CTRL, { 0, 1, false } },                      /* no command, no room for an answer */
        { CTRL, { 0, 64, false } },
        { RX, { 0xffffffff00000000, 2048, true } },
    };
    uint8_t frame[100];

    qwire_make_frame(frame, sizeof(frame), BROADCAST, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        QSegment seg = bad[i].seg;
        int64_t until;
        Net n;

        net_start(&n, ALL_CTRL);
        seg.addr = seg.addr ? seg.addr : qtest_alloc(n.q, 4096, 16);
        QVirtQueue *vq = bad[i].queue == RX ? &n.rx : bad[i].queue == TX ? &n.tx : &n.ctrl;

        qvq_add(vq, &seg, 1);
        qvq_kick(vq);
        qwire_send(&n.wire, frame, sizeof(frame));
        for (until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC; !(qvirtio_status(&n.v) & VIRTIO_NEEDS_RESET);) {
            g_assert_cmpint(g_get_monotonic_time(), <, until);
            g_usleep(1000);
        }
        g_free(qtest_qmp(n.q, "{'execute': 'query-status'}"));
        net_stop(&n);
    }
}

static void test_an_index_that_jumps_needs_a_reset(void)
{
    int64_t until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    Net n;

    net_start(&n, 0);
    qtest_write(n.q, n.tx.avail + 2, 2, 0x7000);
    qvq_kick(&n.tx);
    while (!(qvirtio_status(&n.v) & VIRTIO_NEEDS_RESET)) {
        g_assert_cmpint(g_get_monotonic_time(), <, until);
        g_usleep(1000);
    }
    net_stop(&n);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-net/transmit", test_transmit);
    g_test_add_func("/virtio-net/checksum", test_checksum_is_completed);
    g_test_add_func("/virtio-net/receive-waits", test_receive_waits_for_buffers);
    g_test_add_func("/virtio-net/mergeable", test_mergeable_buffers_come_together);
    g_test_add_func("/virtio-net/no-room", test_a_buffer_without_room_gets_nothing);
    g_test_add_func("/virtio-net/small-buffer", test_a_buffer_too_small_loses_no_frame);
    g_test_add_func("/virtio-net/receive-modes", test_receive_modes);
    g_test_add_func("/virtio-net/vlans", test_vlans);
    g_test_add_func("/virtio-net/address", test_address_is_set_and_reset);
    g_test_add_func("/virtio-net/bad-control", test_bad_control_requests_are_refused);
    g_test_add_func("/virtio-net/link", test_link_state);
    g_test_add_func("/virtio-net/bad-headers", test_bad_headers_drop_the_frame);
    g_test_add_func("/virtio-net/oversized", test_oversized_frames_are_dropped);
    g_test_add_func("/virtio-net/broken-rings", test_broken_rings_need_a_reset);
    g_test_add_func("/virtio-net/index", test_an_index_that_jumps_needs_a_reset);
    return g_test_run();
}
