/*
 * The number of memory slots: the rule at its edges.
 */
#include "hw/mem/memslots.h"

#include "test-mem.h"

static void test_one_per_gib_at_most(void)
{
    MemslotSupply s = { .max = UINT_MAX, .quota_left = TiB };

    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 256);
    g_assert_cmpuint(memslot_size(TiB, 256), ==, 4 * GiB);
    s.quota_left = 3 * GiB + MiB;
    g_assert_cmpuint(memslots_decide(&s, 3 * GiB + MiB), ==, 4);
    g_assert_cmpuint(memslot_size(3 * GiB + MiB, 4), ==, GiB);
    s.quota_left = 2 * MiB;
    g_assert_cmpuint(memslots_decide(&s, 2 * MiB), ==, 1);
}

static void test_shared_among_devices_by_size(void)
{
    MemslotSupply s = { .max = UINT_MAX, .quota_left = 2 * TiB };

    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 128);
    s.quota_left = 4 * TiB;
    s.promised = 128;
    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 32);
    s.promised = 256;
    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 1);
    s.promised = 300;
    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 1);
}

static void test_small_supply_means_one(void)
{
    MemslotSupply s = { .max = 508, .used = 10, .quota_left = TiB };

    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 1);
    s.max = 509;
    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 256);
    s.used = 400;
    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 109);
    s.reserved = 100;
    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 9);
    s.used = 600;
    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 1);
}

static void test_availability(void)
{
    MemslotSupply s = { .max = 32, .used = 20, .reserved = 10 };
    g_autoptr(Error) err = NULL;

    g_assert_true(memslots_available(&s, 2, &error_abort));
    g_assert_false(memslots_available(&s, 3, &err));
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "the accelerator has no memory slots left: 20 of 32 are in use and 10 reserved, 3 are needed");
    s.max = UINT_MAX;
    g_assert_true(memslots_available(&s, 100000, &error_abort));
}

/* Slots of the size told cover every region, and are no more than decided. */
static void test_slots_cover_the_region(void)
{
    for (uint64_t size = 4 * MiB; size < 5 * TiB; size = (size * 3 / 2) & ~(2 * MiB - 1)) {
        for (unsigned n = 1; n <= 256; n++) {
            uint64_t slot = memslot_size(size, n);

            g_assert_cmpuint(slot % GiB, ==, 0);
            g_assert_cmpuint(DIV_ROUND_UP(size, slot), <=, n);
        }
    }
}

void add_memslots_tests(void)
{
    g_test_add_func("/memslots/one-per-gib", test_one_per_gib_at_most);
    g_test_add_func("/memslots/shared", test_shared_among_devices_by_size);
    g_test_add_func("/memslots/small-supply", test_small_supply_means_one);
    g_test_add_func("/memslots/availability", test_availability);
    g_test_add_func("/memslots/cover", test_slots_cover_the_region);
}
