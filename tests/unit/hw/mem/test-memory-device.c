/*
 * Where memory devices go: alignment, given addresses, the range, overlaps, the quota.
 */
#include "hw/mem/memory-device.h"
#include "util/main-loop.h"

#include "test-mem.h"

enum { MAX_DEVICES = 8 };

typedef struct Fixture {
    DeviceMemory dm;
    MemoryDevice md[MAX_DEVICES];
    MemoryRegion mr[MAX_DEVICES];
    unsigned n;
} Fixture;

/* A range of @size at 4 GiB. */
static void set_up(Fixture *f, uint64_t size)
{
    memset(f, 0, sizeof(*f));
    f->dm.base = 4 * GiB;
    f->dm.size = size;
    f->dm.quota = size;
    f->dm.devices = g_ptr_array_new();
}

static void occupy(Fixture *f, hwaddr addr, uint64_t size)
{
    memory_region_init(&f->mr[f->n], NULL, "device", size);
    f->md[f->n] = (MemoryDevice){ .mr = &f->mr[f->n], .addr = addr };
    g_ptr_array_add(f->dm.devices, &f->md[f->n++]);
}

static void tear_down(Fixture *f)
{
    g_ptr_array_unref(f->dm.devices);
    for (unsigned i = 0; i < f->n; i++) {
        memory_region_fini(&f->mr[i]);
    }
}

static void assert_found(const Fixture *f, hwaddr addr, uint64_t size, uint64_t align, hwaddr want)
{
    hwaddr got = 0;
    bool ok = device_memory_find(&f->dm, addr, size, align, &got, &error_abort);

    g_assert_true(ok);
    g_assert_cmphex(got, ==, want);
}

static void assert_refused(const Fixture *f, hwaddr addr, uint64_t size, uint64_t align, const char *text)
{
    g_autoptr(Error) err = NULL;
    hwaddr got;
    bool ok = device_memory_find(&f->dm, addr, size, align, &got, &err);

    g_assert_false(ok);
    g_assert_nonnull(strstr(error_get_pretty(err), text));
}

static void test_lowest_free_address_is_taken(void)
{
    Fixture f;

    set_up(&f, 8 * GiB);
    assert_found(&f, 0, GiB, 2 * MiB, 4 * GiB);
    occupy(&f, 4 * GiB, GiB);
    occupy(&f, 6 * GiB, GiB);
    assert_found(&f, 0, GiB, 2 * MiB, 5 * GiB);
    assert_found(&f, 0, GiB + 2 * MiB, 2 * MiB, 7 * GiB);
    occupy(&f, 5 * GiB, 2 * MiB);           /* an unaligned neighbour */
    assert_found(&f, 0, 512 * MiB, GiB, 7 * GiB);
    assert_found(&f, 0, 512 * MiB, 2 * MiB, 5 * GiB + 2 * MiB);
    tear_down(&f);
}

static void test_given_address(void)
{
    Fixture f;

    set_up(&f, 8 * GiB);
    occupy(&f, 5 * GiB, GiB);
    assert_found(&f, 4 * GiB, GiB, 2 * MiB, 4 * GiB);
    assert_found(&f, 11 * GiB, GiB, 2 * MiB, 11 * GiB);
    assert_refused(&f, 11 * GiB + 2 * MiB, GiB, 2 * MiB, "usable range for memory devices [0x100000000:0x200000000]");
    assert_refused(&f, 3 * GiB, GiB, 2 * MiB, "usable range");
    assert_refused(&f, UINT64_MAX - MiB + 1, GiB, 4 * KiB, "usable range");
    assert_refused(&f, 4 * GiB + MiB, GiB, 2 * MiB, "must be aligned to 0x200000 bytes");
    assert_refused(&f, 4 * GiB + 2 * MiB, GiB, 2 * MiB, "conflicts with memory device id='(unnamed)'");
    assert_refused(&f, 6 * GiB - 2 * MiB, GiB, 2 * MiB, "conflicts");
    tear_down(&f);
}

static void test_quota_counts_devices_not_gaps(void)
{
    Fixture f;

    set_up(&f, 8 * GiB);
    f.dm.quota = 2 * GiB;                   /* the range is larger, for alignment */
    assert_refused(&f, 0, 2 * GiB + 2 * MiB, 2 * MiB, "not enough space");
    occupy(&f, 8 * GiB, GiB);
    assert_found(&f, 0, GiB, 2 * MiB, 4 * GiB);
    assert_refused(&f, 0, GiB + 2 * MiB, 2 * MiB, "0x40000000 bytes are in use of 0x80000000");
    tear_down(&f);
}

static void test_full_range(void)
{
    Fixture f;

    set_up(&f, 2 * GiB);
    f.dm.quota = 8 * GiB;
    occupy(&f, 4 * GiB + 512 * MiB, GiB);
    assert_found(&f, 0, 512 * MiB, 2 * MiB, 4 * GiB);
    assert_refused(&f, 0, GiB, 2 * MiB, "no free range");
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory-device/lowest-free", test_lowest_free_address_is_taken);
    g_test_add_func("/memory-device/given-address", test_given_address);
    g_test_add_func("/memory-device/quota", test_quota_counts_devices_not_gaps);
    g_test_add_func("/memory-device/full-range", test_full_range);
    add_memslots_tests();
    return g_test_run();
}
