/* Receive filters: each mode, tables and their overflow, VLANs. */
#include "hw/net/rx-filter.h"

static const MacAddress own = { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } };

#define OWN       "\x52\x54\x00\x12\x34\x56"
#define OTHER     "\x52\x54\x00\x12\x34\x57"
#define MULTICAST "\x01\x00\x5e\x00\x00\x01"
#define BROADCAST "\xff\xff\xff\xff\xff\xff"

static bool takes(const RxFilter *f, const char *to)
{
    uint8_t frame[60] = { [12] = 0x08 };

    memcpy(frame, to, 6);
    return rx_filter_accepts(f, own, frame, sizeof(frame));
}

static RxFilter filter(void)
{
    RxFilter f;

    rx_filter_reset(&f);
    f.promisc = false;
    return f;
}

static void test_after_reset_all_is_taken(void)
{
    RxFilter f;

    rx_filter_reset(&f);
    g_assert_true(takes(&f, OWN) && takes(&f, OTHER) && takes(&f, MULTICAST) && takes(&f, BROADCAST));
}

static void test_without_modes_own_address_and_broadcast(void)
{
    RxFilter f = filter();

    g_assert_true(takes(&f, OWN) && takes(&f, BROADCAST));
    g_assert_false(takes(&f, OTHER) || takes(&f, MULTICAST));
}

static void test_modes(void)
{
    RxFilter f = filter();

    f.nobcast = true;
    g_assert_false(takes(&f, BROADCAST));
    f.allmulti = true;
    g_assert_true(takes(&f, MULTICAST));
    g_assert_false(takes(&f, BROADCAST));
    f.nomulti = true;                   /* wins */
    g_assert_false(takes(&f, MULTICAST));
    f.alluni = true;
    g_assert_true(takes(&f, OTHER));
    f.nouni = true;
    g_assert_false(takes(&f, OTHER) || takes(&f, OWN));
}

static void test_tables_are_by_kind(void)
{
    RxFilter f = filter();

    rx_filter_set_unicast(&f, (const uint8_t *)OTHER, 1);
    g_assert_true(takes(&f, OTHER));
    rx_filter_set_unicast(&f, (const uint8_t *)MULTICAST, 1);
    g_assert_false(takes(&f, OTHER) || takes(&f, MULTICAST));
    rx_filter_set_multicast(&f, (const uint8_t *)MULTICAST, 1);
    g_assert_true(takes(&f, MULTICAST));
}

static void test_too_many_addresses_take_all_of_the_kind(void)
{
    static const uint8_t many[6 * RX_FILTER_MACS];
    RxFilter f = filter();

    rx_filter_set_multicast(&f, many, RX_FILTER_MACS);
    g_assert_false(f.multi_overflow || takes(&f, MULTICAST));
    rx_filter_set_multicast(&f, many, RX_FILTER_MACS + 1);      /* the table is not read */
    g_assert_true(f.multi_overflow && takes(&f, MULTICAST));
    g_assert_false(takes(&f, OTHER));
    rx_filter_set_unicast(&f, many, UINT32_MAX);
    g_assert_true(takes(&f, OTHER));
}

static bool takes_vlan(const RxFilter *f, unsigned id)
{
    uint8_t frame[60] = OWN;

    st16_be(frame + 12, 0x8100);
    st16_be(frame + 14, 0xe000 | id);
    return rx_filter_accepts(f, own, frame, sizeof(frame));
}

static void test_vlans(void)
{
    RxFilter f = filter();

    g_assert_true(takes_vlan(&f, 0) && takes_vlan(&f, 4095));
    rx_filter_use_vlans(&f, true);
    g_assert_false(takes_vlan(&f, 5));
    g_assert_true(rx_filter_set_vlan(&f, 5, true));
    g_assert_true(takes_vlan(&f, 5));
    g_assert_false(takes_vlan(&f, 4) || takes_vlan(&f, 6));
    g_assert_true(rx_filter_set_vlan(&f, 5, false));
    g_assert_false(takes_vlan(&f, 5));
    g_assert_false(rx_filter_set_vlan(&f, 4096, true));
    g_assert_true(takes(&f, OWN));      /* no tag */
}

static void test_a_tag_cut_short_is_none(void)
{
    uint8_t *frame = g_memdup2(OWN "aaaaaa\x81\x00", 14);       /* exact, for the sanitizer */
    RxFilter f = filter();

    rx_filter_use_vlans(&f, true);
    g_assert_true(rx_filter_accepts(&f, own, frame, 14));
    g_free(frame);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rx-filter/reset", test_after_reset_all_is_taken);
    g_test_add_func("/rx-filter/default", test_without_modes_own_address_and_broadcast);
    g_test_add_func("/rx-filter/modes", test_modes);
    g_test_add_func("/rx-filter/tables", test_tables_are_by_kind);
    g_test_add_func("/rx-filter/overflow", test_too_many_addresses_take_all_of_the_kind);
    g_test_add_func("/rx-filter/vlans", test_vlans);
    g_test_add_func("/rx-filter/short-tag", test_a_tag_cut_short_is_none);
    return g_test_run();
}
