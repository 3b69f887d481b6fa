/*
 * The number of memory slots: the rule at its edges.
 */
#include "hw/mem/memslots.h"

#include "test-mem.h"

static void test_one_per_gib_at_most(void)
{
    MemslotSupply s = { .max = UINT_MAX, .limit = UINT_MAX, .quota_left = TiB };

    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 256);
    s.quota_left = 3 * GiB + MiB;
    g_assert_cmpuint(memslots_decide(&s, 3 * GiB + MiB), ==, 4);
    s.quota_left = 2 * MiB;
    g_assert_cmpuint(memslots_decide(&s, 2 * MiB), ==, 1);
}

static void test_shared_among_devices_by_size(void)
{
    MemslotSupply s = { .max = UINT_MAX, .limit = UINT_MAX, .quota_left = 2 * TiB };

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
    MemslotSupply s = { .max = 508, .limit = 508, .used = 10, .quota_left = TiB };

    g_assert_cmpuint(memslots_decide(&s, TiB), ==, 1);
    s.max = s.limit = 509;
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
    MemslotSupply s = { .max = 32, .limit = 32, .who = "the accelerator", .used = 20, .reserved = 10 };
    g_autoptr(Error) err = NULL;

    g_assert_true(memslots_available(&s, 2, &error_abort));
    g_assert_false(memslots_available(&s, 3, &err));
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "the accelerator has no memory slots left: 20 of 32 are in use and 10 reserved, 3 are needed");
    s.limit = UINT_MAX;
    g_assert_true(memslots_available(&s, 100000, &error_abort));
}

/* Whole GiB, as many as decided at most, each as large as the one before or larger; together they are the region. */
static void test_slots_cover_the_region(void)
{
    for (uint64_t size = 4 * MiB; size < 5 * TiB; size = (size * 3 / 2) & ~(2 * MiB - 1)) {
        for (unsigned n = 1; n <= 256; n++) {
            uint64_t end[256], start = 0, last = 0;
            unsigned used = memslots_divide(size, n, end);

            g_assert_cmpuint(used, >=, 1);
            g_assert_cmpuint(used, <=, MIN(n, DIV_ROUND_UP(size, GiB)));
            for (unsigned i = 0; i < used; i++) {
                g_assert_true(end[i] > start && (end[i] % GiB == 0 || i == used - 1));
                g_assert_true(end[i] - start >= last || i == used - 1);
                last = end[i] - start;
                start = end[i];
            }
            g_assert_cmpuint(end[used - 1], ==, size);
        }
    }
}

/* A guest that took the first @has bytes: how much is mapped. */
static uint64_t mapped(const uint64_t *end, uint64_t has)
{
    while (*end < has) {
        end++;
    }
    return *end;
}

static void test_little_more_is_mapped_than_the_guest_has(void)
{
    uint64_t end[256];

    g_assert_cmpuint(memslots_divide(TiB, 256, end), >, 240);
    for (uint64_t has = GiB; has <= TiB; has += GiB) {
        g_assert_cmpuint(mapped(end, has) - has, <=, has / 60);
    }
    g_assert_cmpuint(mapped(end, GiB), ==, GiB);
    memslots_divide(TiB, 32, end);
    for (uint64_t has = GiB; has <= TiB; has += GiB) {
        g_assert_cmpuint(mapped(end, has) - has, <=, has / 3);
    }
    g_assert_cmpuint(memslots_divide(TiB, 2, end), ==, 2);
    g_assert_cmpuint(end[0], ==, GiB);
    g_assert_cmpuint(memslots_divide(200 * GiB + 2 * MiB, 256, end), ==, 201);
    g_assert_cmpuint(end[199], ==, 200 * GiB);
}

void add_memslots_tests(void)
{
    g_test_add_func("/memslots/one-per-gib", test_one_per_gib_at_most);
    g_test_add_func("/memslots/shared", test_shared_among_devices_by_size);
    g_test_add_func("/memslots/small-supply", test_small_supply_means_one);
    g_test_add_func("/memslots/availability", test_availability);
    g_test_add_func("/memslots/cover", test_slots_cover_the_region);
    g_test_add_func("/memslots/mapped", test_little_more_is_mapped_than_the_guest_has);
}
