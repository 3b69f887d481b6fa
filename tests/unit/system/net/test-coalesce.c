/* Joining TCP segments: what is joined, what is not, and that every byte comes out in its place. */
#include "system/net/coalesce.h"

enum { TCP = 34, PAYLOAD = 54, ACK = 0x10, PSH = 0x08, FIN = 0x01 };

typedef struct Sent {
    GByteArray *bytes;          /* payloads, or whole frames that are no TCP */
    unsigned frames, joined;
    NetOffload last;
    uint8_t *last_frame;
    size_t last_len;
} Sent;

static void take(void *opaque, const NetOffload *off, uint8_t *data, size_t len)
{
    Sent *s = opaque;
    size_t head = ld16_be(data + 12) == 0x0800 ? PAYLOAD : 0;

    g_assert_true(net_offload_is_valid(off, data, len));
    g_byte_array_append(s->bytes, data + head, len - head);
    s->frames++;
    s->joined += off->gso_type == NET_GSO_TCPV4;
    s->last = *off;
    g_free(s->last_frame);
    s->last_frame = g_memdup2(data, len);
    s->last_len = len;
}

typedef struct Fixture {
    NetCoalesce c;
    Sent sent;
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
    f->sent = (Sent){ .bytes = g_byte_array_new() };
    net_coalesce_init(&f->c, take, &f->sent);
}

static void tear_down(Fixture *f, const void *unused)
{
    net_coalesce_fini(&f->c);
    g_byte_array_unref(f->sent.bytes);
    g_free(f->sent.last_frame);
}

/* A segment of port @port; its payload counts on from @seq. */
static size_t segment(uint8_t *f, uint16_t port, uint32_t seq, size_t payload, uint8_t flags)
{
    memset(f, 0, PAYLOAD);
    st16_be(f + 12, 0x0800);
    f[14] = 0x45;
    st16_be(f + 16, PAYLOAD - 14 + payload);
    f[22] = 64;
    f[23] = 6;
    st32_be(f + 26, 0x0a000202);
    st32_be(f + 30, 0x0a00020f);
    st16_be(f + TCP, port);
    st32_be(f + TCP + 4, seq);
    f[TCP + 12] = 0x50;
    f[TCP + 13] = flags;
    st16_be(f + TCP + 14, 1000);
    for (size_t i = 0; i < payload; i++) {
        f[PAYLOAD + i] = (uint8_t)((seq + i) * 31 >> 3);
    }
    return PAYLOAD + payload;
}

static void add(Fixture *f, uint16_t port, uint32_t seq, size_t payload, uint8_t flags)
{
    NetOffload off = { .flags = NET_DATA_VALID };
    uint8_t frame[2000];

    net_coalesce_add(&f->c, &off, frame, segment(frame, port, seq, payload, flags));
}

static void test_a_train_is_joined(Fixture *f, const void *unused)
{
    uint8_t whole[PAYLOAD + 1460 * 5];
    uint32_t sum;

    for (unsigned i = 0; i < 4; i++) {
        add(f, 80, 0xfffffff0u + 1460 * i, 1460, ACK);      /* over the end of sequence numbers */
        g_assert_cmpuint(f->sent.frames, ==, 0);
    }
    add(f, 80, 0xfffffff0u + 1460 * 4, 100, ACK | PSH);     /* short: the train ends */
    g_assert_cmpuint(f->sent.frames, ==, 1);
    segment(whole, 80, 0xfffffff0u, 1460 * 4 + 100, ACK | PSH);
    g_assert_cmpmem(f->sent.bytes->data, f->sent.bytes->len, whole + PAYLOAD, 1460 * 4 + 100);
    g_assert_cmpuint(f->sent.last.gso_type, ==, NET_GSO_TCPV4);
    g_assert_cmpuint(f->sent.last.gso_size, ==, 1460);
    g_assert_cmpuint(f->sent.last.flags, ==, NET_NEEDS_CSUM);
    g_assert_cmpuint(ld16_be(f->sent.last_frame + 16), ==, 40 + 1460 * 4 + 100);
    g_assert_cmpuint(f->sent.last_frame[TCP + 13], ==, ACK | PSH);
    net_offload_complete_checksum(&f->sent.last, f->sent.last_frame, f->sent.last_len);
    sum = net_checksum_add(6 + f->sent.last_len - TCP, f->sent.last_frame + 26, 8);
    g_assert_cmphex(net_checksum_add(sum, f->sent.last_frame + TCP, f->sent.last_len - TCP), ==, 0xffff);
}

static void test_one_alone_stays_as_it_was(Fixture *f, const void *unused)
{
    uint8_t frame[PAYLOAD + 1460];
    size_t len = segment(frame, 80, 1, 1460, ACK);

    add(f, 80, 1, 1460, ACK);
    net_coalesce_flush(&f->c);
    net_coalesce_flush(&f->c);
    g_assert_cmpuint(f->sent.frames, ==, 1);
    g_assert_cmpmem(f->sent.last_frame, f->sent.last_len, frame, len);
    g_assert_cmpuint(f->sent.last.flags, ==, NET_DATA_VALID);
    g_assert_cmpuint(f->sent.last.gso_type, ==, NET_GSO_NONE);
}

static void test_what_differs_is_not_joined(Fixture *f, const void *unused)
{
    static const struct { unsigned at; uint8_t byte; } differences[] = {
        { 0, 1 }, { 15, 4 }, { 20, 0x20 }, { 22, 63 }, { 29, 9 }, { 33, 9 }, { TCP + 1, 81 }, { TCP + 3, 9 }, { TCP + 7, 0 },
        { TCP + 11, 9 }, { TCP + 12, 0x60 }, { TCP + 13, ACK | FIN }, { TCP + 13, 0x30 }, { TCP + 15, 1 }, { 23, 17 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(differences); i++) {
        NetOffload off = { 0 };
        uint8_t frame[2000];
        size_t len = segment(frame, 80, 101, 100, ACK);

        add(f, 80, 1, 100, ACK);
        frame[differences[i].at] = differences[i].byte;
        net_coalesce_add(&f->c, &off, frame, len);
        net_coalesce_flush(&f->c);
        g_assert_cmpuint(f->sent.frames, ==, 2 * (i + 1));
        g_assert_cmpuint(f->sent.joined, ==, 0);
        g_assert_cmpmem(f->sent.last_frame, f->sent.last_len, frame, len);      /* after the other */
    }
}

static void test_a_segment_does_not_pass_64_kib(Fixture *f, const void *unused)
{
    for (unsigned i = 0; i < 200; i++) {
        add(f, 80, 1460 * i, 1460, ACK);
        g_assert_cmpuint(f->sent.last_len, <=, 14 + 65535);
    }
    net_coalesce_flush(&f->c);
    g_assert_cmpuint(f->sent.bytes->len, ==, 200 * 1460);
    g_assert_cmpuint(f->sent.frames, ==, 5);            /* 44 of 1460 in each */
}

/* Any mixture, garbage included: the payloads come out in the order in which they came. */
static void test_order_and_bytes_are_kept(Fixture *f, const void *unused)
{
    g_autoptr(GByteArray) expected = g_byte_array_new();
    uint32_t seq[2] = { 0, 0 };

    for (unsigned i = 0; i < 20000; i++) {
        unsigned port = g_test_rand_int_range(0, 20) == 0, kind = g_test_rand_int_range(0, 30);
        size_t payload = g_test_rand_int_range(0, 4) ? 1460 : g_test_rand_int_range(1, 1460), len;
        uint8_t frame[2000];
        NetOffload off = { 0 };

        len = segment(frame, port, seq[port], payload, kind == 1 ? ACK | PSH : kind == 2 ? ACK | FIN : ACK);
        seq[port] += payload;
        if (kind == 3) {                                /* no IP */
            st16_be(frame + 12, 0x0806);
        } else if (kind == 4) {
            frame[14] = (uint8_t)g_test_rand_int();
        }
        g_byte_array_append(expected, kind == 3 ? frame : frame + PAYLOAD, kind == 3 ? len : len - PAYLOAD);
        net_coalesce_add(&f->c, &off, frame, len);
        if (kind == 5) {
            net_coalesce_flush(&f->c);
        }
    }
    net_coalesce_flush(&f->c);
    g_assert_cmpmem(f->sent.bytes->data, f->sent.bytes->len, expected->data, expected->len);
    g_assert_cmpuint(f->sent.joined, >, 100);
}

static void test_short_frames_are_read_no_further(Fixture *f, const void *unused)
{
    for (size_t len = NET_HEADER_LEN; len <= PAYLOAD; len++) {
        uint8_t frame[2000], *exact;                    /* for the sanitizer */
        NetOffload off = { 0 };

        segment(frame, 80, 1, 10, ACK);
        st16_be(frame + 12, 0x0806);
        exact = g_memdup2(frame, len);
        net_coalesce_add(&f->c, &off, exact, len);
        g_free(exact);
    }
    g_assert_cmpuint(f->sent.frames, ==, PAYLOAD - NET_HEADER_LEN + 1);
}

#define ADD(path, fn) g_test_add(path, Fixture, NULL, set_up, fn, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/coalesce/train", test_a_train_is_joined);
    ADD("/coalesce/alone", test_one_alone_stays_as_it_was);
    ADD("/coalesce/differs", test_what_differs_is_not_joined);
    ADD("/coalesce/limit", test_a_segment_does_not_pass_64_kib);
    ADD("/coalesce/order", test_order_and_bytes_are_kept);
    ADD("/coalesce/short", test_short_frames_are_read_no_further);
    return g_test_run();
}
