/*
 * The network's core: pairs, flow control, bounds, links, going away; checksums and offloads.
 */
#include "system/net.h"
#include "system/runstate.h"
#include "util/main-loop.h"

/* A client that takes @room frames, and keeps the first byte of each. */
typedef struct End {
    NetClient nc;
    unsigned room, sent_calls;
    GString *seen;
    NetOffload last;
    struct End *answer_to;              /* sends a frame back from within receive() */
    bool in_receive;
} End;

static NetResult end_receive(NetClient *nc, const NetOffload *off, uint8_t *data, size_t len)
{
    End *e = container_of(nc, End, nc);

    g_assert_false(e->in_receive);
    if (!e->room) {
        return NET_LATER;
    }
    e->room--;
    e->last = *off;
    g_string_append_c(e->seen, (char)data[0]);
    if (e->answer_to) {
        uint8_t frame[60] = { 'r' };

        e->in_receive = true;
        net_send(nc, NULL, frame, sizeof(frame), NULL);
        e->in_receive = false;
    }
    return NET_TAKEN;
}

static const NetClientInfo end_info = { .model = "test", .size = sizeof(End), .receive = end_receive };

static End *end_new(const char *name, unsigned room)
{
    End *e = container_of(net_client_new(&end_info, name, 0), End, nc);

    e->room = room;
    e->seen = g_string_new(NULL);
    return e;
}

static void end_free(End *e)
{
    g_string_free(e->seen, true);
    net_client_delete(&e->nc);
}

static void on_sent(NetClient *nc)
{
    container_of(nc, End, nc)->sent_calls++;
}

static bool put(End *from, char mark, size_t len, NetSentFn *sent)
{
    g_autofree uint8_t *frame = g_malloc0(len);

    frame[0] = mark;
    return net_send(&from->nc, NULL, frame, len, sent);
}

static void test_frames_reach_the_peer_in_order(void)
{
    End *a = end_new("a", 0), *b = end_new("b", 100);

    net_client_connect(&a->nc, &b->nc);
    for (char c = 'a'; c <= 'e'; c++) {
        g_assert_true(put(a, c, 60, on_sent));
    }
    g_assert_cmpstr(b->seen->str, ==, "abcde");
    g_assert_cmpuint(a->sent_calls, ==, 0);
    end_free(a);
    end_free(b);
}

static void test_a_sender_is_stopped_and_told_to_go_on(void)
{
    End *a = end_new("a", 0), *b = end_new("b", 1);

    net_client_connect(&a->nc, &b->nc);
    g_assert_true(put(a, '1', 60, on_sent));
    g_assert_false(put(a, '2', 60, on_sent));
    g_assert_false(net_can_send(&a->nc));
    net_receive_more(&b->nc);                   /* still no room */
    g_assert_cmpuint(a->sent_calls, ==, 0);
    b->room = 5;
    net_receive_more(&b->nc);
    g_assert_cmpuint(a->sent_calls, ==, 1);
    g_assert_cmpstr(b->seen->str, ==, "12");
    g_assert_true(net_can_send(&a->nc));
    end_free(a);
    end_free(b);
}

static void test_what_waits_is_bounded(void)
{
    End *a = end_new("a", 0), *b = end_new("b", 0);
    unsigned n = 3 * NET_QUEUE_BYTES / NET_FRAME_MAX;

    net_client_connect(&a->nc, &b->nc);
    for (unsigned i = 0; i < n; i++) {
        g_assert_true(put(a, 'x', NET_FRAME_MAX, NULL));
    }
    g_assert_cmpuint(b->nc.queue_bytes, <=, NET_QUEUE_BYTES);
    g_assert_cmpuint(b->nc.dropped + g_queue_get_length(b->nc.queue), ==, n);
    g_assert_cmpuint(b->nc.dropped, >, 0);
    end_free(a);
    end_free(b);
}

static void test_bad_lengths_are_dropped(void)
{
    End *a = end_new("a", 0), *b = end_new("b", 100);

    net_client_connect(&a->nc, &b->nc);
    g_assert_true(put(a, 'x', NET_FRAME_MAX + 1, on_sent));
    g_assert_true(put(a, 'y', NET_HEADER_LEN - 1, on_sent));
    g_assert_true(put(a, 'z', NET_HEADER_LEN, on_sent));
    g_assert_true(put(a, 'Z', NET_FRAME_MAX, on_sent));
    g_assert_cmpstr(b->seen->str, ==, "zZ");
    g_assert_cmpuint(a->nc.dropped, ==, 2);
    g_assert_cmpuint(a->nc.oversized, ==, 1);
    end_free(a);
    end_free(b);
}

static void test_links_that_are_down_drop(void)
{
    End *a = end_new("a", 0), *b = end_new("b", 0);

    net_client_connect(&a->nc, &b->nc);
    g_assert_false(put(a, '1', 60, on_sent));
    b->nc.link_down = true;
    b->room = 9;
    net_receive_more(&b->nc);                   /* what waited is gone, the sender goes on */
    g_assert_cmpuint(a->sent_calls, ==, 1);
    g_assert_true(put(a, '2', 60, on_sent));
    b->nc.link_down = false;
    a->nc.link_down = true;
    g_assert_true(put(a, '3', 60, on_sent));
    a->nc.link_down = false;
    g_assert_true(put(a, '4', 60, on_sent));
    g_assert_cmpstr(b->seen->str, ==, "4");
    end_free(a);
    end_free(b);
}

static void test_a_receiver_that_goes_frees_the_sender(void)
{
    End *a = end_new("a", 0), *b = end_new("b", 0);

    net_client_connect(&a->nc, &b->nc);
    g_assert_false(put(a, '1', 60, on_sent));
    g_assert_false(put(b, '2', 60, on_sent));
    end_free(b);
    g_assert_cmpuint(a->sent_calls, ==, 1);
    g_assert_null(a->nc.peer);
    g_assert_cmpuint(a->nc.queue_bytes, ==, 0);
    g_assert_true(put(a, '3', 60, on_sent));
    end_free(a);
}

static void test_receiving_does_not_nest(void)
{
    End *a = end_new("a", 3), *b = end_new("b", 3);

    net_client_connect(&a->nc, &b->nc);
    a->answer_to = b;
    b->answer_to = a;
    g_assert_true(put(a, 's', 60, NULL));       /* each answers the other until there is no room */
    g_assert_cmpstr(b->seen->str, ==, "srr");
    g_assert_cmpstr(a->seen->str, ==, "rrr");
    end_free(a);
    end_free(b);
}

static void test_devices_wait_while_the_machine_is_stopped(void)
{
    End *a = end_new("a", 0), *b = end_new("b", 9);

    b->nc.is_nic = true;
    net_client_connect(&a->nc, &b->nc);
    runstate_set(RUN_STATE_PAUSED);
    g_assert_false(put(a, '1', 60, on_sent));
    runstate_set(RUN_STATE_RUNNING);
    net_receive_more(&b->nc);
    g_assert_cmpstr(b->seen->str, ==, "1");
    end_free(a);
    end_free(b);
}

static void test_names(void)
{
    End *a = end_new("n0", 0), *b = end_new("n0", 0);

    b->nc.is_nic = true;
    g_assert_true(netdev_find("n0", 0) == &a->nc);
    g_assert_null(netdev_find("n0", 1));
    g_assert_cmpuint(net_client_n_queues("n0"), ==, 1);
    end_free(a);
    g_assert_null(netdev_find("n0", 0));
    g_assert_true(net_client_find("n0", 0) == &b->nc);
    end_free(b);
}

/* --- checksums --- */

/* Word by word, as RFC 1071 writes it down. */
static uint16_t reference_sum(uint32_t sum, const uint8_t *data, size_t len)
{
    uint64_t s = sum;

    for (size_t i = 0; i < len; i++) {
        s += i % 2 ? data[i] : data[i] << 8;
    }
    while (s >> 16) {
        s = (s & 0xffff) + (s >> 16);
    }
    return (uint16_t)s;
}

static void test_checksum_equals_the_reference(void)
{
    uint8_t data[2000];

    for (unsigned round = 0; round < 500; round++) {
        size_t at = g_test_rand_int_range(0, 8), len = g_test_rand_int_range(0, 1900);
        uint32_t before = (uint32_t)g_test_rand_int();

        for (size_t i = 0; i < sizeof(data); i++) {
            data[i] = round % 3 ? (uint8_t)g_test_rand_int() : 0xff;
        }
        /* 0 and ffff are the same number */
        g_assert_cmphex(net_checksum_add(before, data + at, len) % 0xffff, ==, reference_sum(before, data + at, len) % 0xffff);
    }
}

static void test_checksums_are_completed_only_where_needed(void)
{
    End *a = end_new("a", 0), *b = end_new("b", 9);
    NetOffload off = { .flags = NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16 };
    uint8_t frame[80] = { 'f', [34] = 0x12, [35] = 0x34 };

    net_client_connect(&a->nc, &b->nc);
    net_set_accepts(&b->nc, NET_ACCEPTS_CSUM);
    g_assert_true(net_send(&a->nc, &off, frame, sizeof(frame), NULL));
    g_assert_cmpuint(b->last.flags, ==, NET_NEEDS_CSUM);
    g_assert_cmphex(ld16_be(frame + 50), ==, 0);
    net_set_accepts(&b->nc, 0);
    g_assert_true(net_send(&a->nc, &off, frame, sizeof(frame), NULL));
    g_assert_cmpuint(b->last.flags, ==, 0);
    g_assert_cmphex(ld16_be(frame + 50), ==, (uint16_t)~0x1234);
    g_assert_cmpuint(off.flags, ==, NET_NEEDS_CSUM);
    end_free(a);
    end_free(b);
}

static void test_whole_segments_need_a_receiver_that_takes_them(void)
{
    End *a = end_new("a", 0), *b = end_new("b", 9);
    NetOffload off = { .flags = NET_NEEDS_CSUM, .gso_type = NET_GSO_TCPV4, .gso_size = 1460, .csum_start = 34, .csum_offset = 16 };
    uint8_t frame[3000] = { 'f' };

    net_client_connect(&a->nc, &b->nc);
    net_set_accepts(&b->nc, NET_ACCEPTS_CSUM | NET_ACCEPTS_TSO6);
    g_assert_true(net_send(&a->nc, &off, frame, sizeof(frame), NULL));
    g_assert_cmpuint(a->nc.dropped, ==, 1);
    net_set_accepts(&b->nc, NET_ACCEPTS_CSUM | NET_ACCEPTS_TSO4);
    g_assert_true(net_send(&a->nc, &off, frame, sizeof(frame), NULL));
    g_assert_cmpstr(b->seen->str, ==, "f");
    end_free(a);
    end_free(b);
}

static void test_offloads_outside_the_frame_are_invalid(void)
{
    static const struct { NetOffload off; bool valid; } cases[] = {
        { { 0 }, true },
        { { .flags = NET_NEEDS_CSUM, .csum_start = 14, .csum_offset = 84 }, true },
        { { .flags = NET_NEEDS_CSUM, .csum_start = 14, .csum_offset = 85 }, false },
        { { .flags = NET_NEEDS_CSUM, .csum_start = 13, .csum_offset = 0 }, false },
        { { .flags = NET_NEEDS_CSUM, .csum_start = 0xffff, .csum_offset = 0xffff }, false },
        { { .gso_type = NET_GSO_TCPV4, .gso_size = 100 }, false },          /* no checksum to be done */
        { { .flags = NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16, .gso_type = NET_GSO_TCPV4 }, false },
        { { .flags = NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16, .gso_type = NET_GSO_TCPV6, .gso_size = 1 }, true },
        { { .flags = NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16, .gso_type = 2, .gso_size = 1 }, false },
    };
    uint8_t frame[100] = { 0 };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_assert_cmpint(net_offload_is_valid(&cases[i].off, frame, sizeof(frame)), ==, cases[i].valid);
    }
}

/* A TCP segment over IPv4, lengths and sums as some drivers leave them: wrong. */
static void test_a_segment_is_finished_as_one_packet(void)
{
    enum { LEN = 5000 };
    static const uint8_t head[] = {
        0x52, 0x54, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 2, 0x08, 0x00,
        0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0xde, 0xad, 10, 0, 2, 15, 10, 0, 2, 2,
    };
    NetOffload off = { .flags = NET_NEEDS_CSUM, .gso_type = NET_GSO_TCPV4, .gso_size = 1460, .csum_start = 34, .csum_offset = 16 };
    g_autofree uint8_t *frame = g_malloc0(LEN);

    for (unsigned i = 34; i < LEN; i++) {
        frame[i] = (uint8_t)(i * 13);
    }
    memcpy(frame, head, sizeof(head));
    net_offload_finish_segment(&off, frame, LEN);
    net_offload_complete_checksum(&off, frame, LEN);
    g_assert_cmpuint(ld16_be(frame + 16), ==, LEN - 14);
    g_assert_cmphex(reference_sum(0, frame + 14, 20), ==, 0xffff);
    g_assert_cmphex(reference_sum(6 + LEN - 34 + reference_sum(0, frame + 26, 8), frame + 34, LEN - 34), ==, 0xffff);
}

/* Headers that end early or say nonsense: nothing is touched outside, and nothing crashes. */
static void test_finishing_copes_with_garbage(void)
{
    for (unsigned round = 0; round < 20000; round++) {
        size_t len = g_test_rand_int_range(NET_HEADER_LEN, 80);
        g_autofree uint8_t *frame = g_malloc(len);          /* exact, for the sanitizer */
        NetOffload off = { .flags = NET_NEEDS_CSUM, .csum_start = g_test_rand_int_range(0, 90), .csum_offset = g_test_rand_int_range(0, 30) };

        for (size_t i = 0; i < len; i++) {
            frame[i] = (uint8_t)g_test_rand_int();
        }
        memcpy(frame + 12, round % 3 ? "\x08\x00" : round % 2 ? "\x86\xdd" : "\x81\x00", 2);
        if (net_offload_is_valid(&off, frame, len)) {
            net_offload_finish_segment(&off, frame, len);
            net_offload_complete_checksum(&off, frame, len);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    bql_lock();
    main_loop_init();
    g_test_add_func("/net/order", test_frames_reach_the_peer_in_order);
    g_test_add_func("/net/flow-control", test_a_sender_is_stopped_and_told_to_go_on);
    g_test_add_func("/net/bound", test_what_waits_is_bounded);
    g_test_add_func("/net/lengths", test_bad_lengths_are_dropped);
    g_test_add_func("/net/link", test_links_that_are_down_drop);
    g_test_add_func("/net/gone", test_a_receiver_that_goes_frees_the_sender);
    g_test_add_func("/net/nesting", test_receiving_does_not_nest);
    g_test_add_func("/net/stopped", test_devices_wait_while_the_machine_is_stopped);
    g_test_add_func("/net/names", test_names);
    g_test_add_func("/net/checksum", test_checksum_equals_the_reference);
    g_test_add_func("/net/completed", test_checksums_are_completed_only_where_needed);
    g_test_add_func("/net/segments", test_whole_segments_need_a_receiver_that_takes_them);
    g_test_add_func("/net/invalid", test_offloads_outside_the_frame_are_invalid);
    g_test_add_func("/net/finish", test_a_segment_is_finished_as_one_packet);
    g_test_add_func("/net/finish-garbage", test_finishing_copes_with_garbage);
    return g_test_run();
}
