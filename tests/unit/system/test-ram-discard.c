/*
 * RamDiscardManager: runs against a brute-force model, listeners, and what CPUs and DMA find.
 */
#include "system/ram-discard.h"
#include "util/main-loop.h"
#include "util/rcu.h"

#include <sys/mman.h>

enum { PAGES = 300, PAGE = 4096 };

typedef struct Log {
    RamDiscardListener l;
    bool has[PAGES];
    unsigned refuse_after;          /* populate calls; 0 = never */
    unsigned calls;
} Log;

static bool log_populate(RamDiscardListener *l, uint64_t offset, uint64_t len)
{
    Log *log = container_of(l, Log, l);

    if (log->refuse_after && ++log->calls > log->refuse_after) {
        return false;
    }
    for (uint64_t p = offset / PAGE; p < (offset + len) / PAGE; p++) {
        log->has[p] = true;
    }
    return true;
}

static void log_discard(RamDiscardListener *l, uint64_t offset, uint64_t len)
{
    for (uint64_t p = offset / PAGE; p < (offset + len) / PAGE; p++) {
        container_of(l, Log, l)->has[p] = false;
    }
}

static void log_init(Log *log)
{
    *log = (Log){ .l = { log_populate, log_discard } };
}

static void make_ram(MemoryRegion *mr)
{
    bool ok = memory_region_init_ram(mr, NULL, "ram", PAGES * PAGE, &error_abort);

    g_assert_true(ok);
}

typedef struct Collect {
    bool seen[PAGES];
    uint64_t last_end;
    bool want;
} Collect;

static bool collect(uint64_t offset, uint64_t len, void *opaque)
{
    Collect *c = opaque;

    g_assert_true(offset > c->last_end || !offset);     /* runs are maximal: never adjacent */
    c->last_end = offset + len;
    for (uint64_t p = offset / PAGE; p < (offset + len) / PAGE; p++) {
        c->seen[p] = true;
    }
    return true;
}

static void assert_same(const RamDiscardManager *mgr, const MemoryRegion *mr, const bool *model, const Log *log)
{
    Collect populated = { .last_end = 0 }, discarded = { .last_end = 0 };

    ram_region_foreach_populated(mr, 0, PAGES * PAGE, collect, &populated);
    ram_region_foreach_discarded(mr, 0, PAGES * PAGE, collect, &discarded);
    for (unsigned p = 0; p < PAGES; p++) {
        g_assert_cmpint(populated.seen[p], ==, model[p]);
        g_assert_cmpint(discarded.seen[p], ==, !model[p]);
        g_assert_cmpint(log->has[p], ==, model[p]);
        g_assert_cmpint(ram_discard_is_populated(mgr, p * PAGE + 7, 9), ==, model[p]);
    }
}

static void test_runs_match_brute_force(void)
{
    g_autoptr(GRand) rnd = g_rand_new_with_seed(7);
    bool model[PAGES] = { false };
    RamDiscardManager *mgr;
    MemoryRegion mr;
    Log log;

    bql_lock();
    make_ram(&mr);
    mgr = ram_discard_manager_new(&mr, PAGE);
    log_init(&log);
    g_assert_true(ram_discard_listener_register(mgr, &log.l));
    for (unsigned round = 0; round < 400; round++) {
        unsigned first = (unsigned)g_rand_int_range(rnd, 0, PAGES), n = (unsigned)g_rand_int_range(rnd, 1, PAGES - (gint)first + 1);
        bool on = g_rand_boolean(rnd);

        if (on) {
            g_assert_true(ram_discard_populate(mgr, first * PAGE, n * PAGE));
        } else {
            g_assert_true(ram_discard_discard(mgr, first * PAGE, n * PAGE));
        }
        memset(model + first, on, n);
        assert_same(mgr, &mr, model, &log);
    }
    ram_discard_listener_unregister(mgr, &log.l);
    for (unsigned p = 0; p < PAGES; p++) {
        g_assert_false(log.has[p]);
    }
    ram_discard_manager_free(mgr);
    memory_region_fini(&mr);
    bql_unlock();
}

static void test_a_refusal_changes_nothing(void)
{
    RamDiscardManager *mgr;
    MemoryRegion mr;
    Log first, second;

    bql_lock();
    make_ram(&mr);
    mgr = ram_discard_manager_new(&mr, PAGE);
    log_init(&first);
    log_init(&second);
    second.refuse_after = 1;
    g_assert_true(ram_discard_populate(mgr, 0, 4 * PAGE));
    g_assert_true(ram_discard_listener_register(mgr, &first.l));
    g_assert_true(ram_discard_listener_register(mgr, &second.l));
    g_assert_true(second.has[3] && !second.has[4]);             /* told of what was there */
    g_assert_false(ram_discard_populate(mgr, 8 * PAGE, PAGE));
    g_assert_false(first.has[8]);
    g_assert_true(ram_discard_is_discarded(mgr, 8 * PAGE, PAGE));
    ram_discard_listener_unregister(mgr, &first.l);
    ram_discard_listener_unregister(mgr, &second.l);
    ram_discard_manager_free(mgr);
    memory_region_fini(&mr);
    bql_unlock();
}

static unsigned resident_pages(const MemoryRegion *mr)
{
    unsigned char vec[PAGES];
    unsigned n = 0;

    g_assert_cmpint(mincore(mr->ram->host, sizeof(vec) * PAGE, vec), ==, 0);
    for (unsigned p = 0; p < PAGES; p++) {
        n += vec[p] & 1;
    }
    return n;
}

/* Discarded memory reads as zeroes, takes no writes, is not mapped for DMA, and none of that brings a page. */
static void test_discarded_memory_is_not_there(void)
{
    uint8_t buf[4 * PAGE];
    RamDiscardManager *mgr;
    MemoryRegion root, mr;
    AddressSpace as;
    hwaddr len = PAGES * PAGE;
    uint64_t data = 1;

    bql_lock();
    memory_region_init(&root, NULL, "root", GiB);
    make_ram(&mr);
    memory_region_add_subregion(&root, 0, &mr);
    address_space_init(&as, &root, "test");
    mgr = ram_discard_manager_new(&mr, PAGE);
    memset(buf, 0xab, sizeof(buf));
    g_assert_cmpint(address_space_write(&as, 0, MEMTXATTRS_UNSPECIFIED, buf, sizeof(buf)), ==, MEMTX_OK);
    g_assert_cmpint(address_space_read(&as, 0, MEMTXATTRS_UNSPECIFIED, buf, sizeof(buf)), ==, MEMTX_OK);
    g_assert_true(buf[0] == 0 && !memcmp(buf, buf + 1, sizeof(buf) - 1));
    g_assert_null(address_space_map(&as, 0, &len, true, MEMTXATTRS_UNSPECIFIED));
    g_assert_cmpint(memory_region_dispatch_write(&mr, 8, 5, 8, MEMTXATTRS_UNSPECIFIED), ==, MEMTX_OK);
    g_assert_cmpint(memory_region_dispatch_read(&mr, 8, &data, 8, MEMTXATTRS_UNSPECIFIED), ==, MEMTX_OK);
    g_assert_cmpuint(data, ==, 0);
    g_assert_cmpuint(resident_pages(&mr), ==, 0);

    g_assert_true(ram_discard_populate(mgr, PAGE, PAGE));
    memset(buf, 0xab, sizeof(buf));
    g_assert_cmpint(address_space_write(&as, 0, MEMTXATTRS_UNSPECIFIED, buf, sizeof(buf)), ==, MEMTX_OK);
    g_assert_cmpint(address_space_read(&as, 0, MEMTXATTRS_UNSPECIFIED, buf, sizeof(buf)), ==, MEMTX_OK);
    g_assert_true(buf[PAGE - 1] == 0 && buf[PAGE] == 0xab && buf[2 * PAGE - 1] == 0xab && buf[2 * PAGE] == 0);
    g_assert_cmpuint(resident_pages(&mr), ==, 1);
    rcu_read_lock();
    len = PAGES * PAGE;
    g_assert_true(address_space_ram_ptr_rcu(&as, PAGE + 16, true, &len, NULL) == mr.ram->host + PAGE + 16);
    g_assert_cmpuint(len, ==, PAGE - 16);
    rcu_read_unlock();

    ram_discard_manager_free(mgr);
    memory_region_del_subregion(&root, &mr);
    address_space_fini(&as);
    memory_region_fini(&mr);
    memory_region_fini(&root);
    bql_unlock();
}

/* What is mapped for DMA stays until the last mapping of it ends. */
static void test_mapped_memory_stays(void)
{
    hwaddr len = PAGES * PAGE, one = 1;
    RamDiscardManager *mgr;
    MemoryRegion root, mr;
    AddressSpace as;
    void *big, *small;

    bql_lock();
    memory_region_init(&root, NULL, "root", GiB);
    make_ram(&mr);
    memory_region_add_subregion(&root, 0, &mr);
    address_space_init(&as, &root, "test");
    mgr = ram_discard_manager_new(&mr, PAGE);
    g_assert_true(ram_discard_populate(mgr, PAGE, 4 * PAGE));
    big = address_space_map(&as, PAGE + 100, &len, true, MEMTXATTRS_UNSPECIFIED);
    g_assert_cmpuint(len, ==, 4 * PAGE - 100);
    small = address_space_map(&as, 5 * PAGE - 1, &one, false, MEMTXATTRS_UNSPECIFIED);
    g_assert_true(small == (uint8_t *)big + len - 1);
    for (unsigned p = 1; p < 5; p++) {
        g_assert_true(ram_discard_is_pinned(mgr, p * PAGE, PAGE));
        g_assert_false(ram_discard_discard(mgr, p * PAGE, PAGE));
    }
    g_assert_true(ram_discard_is_populated(mgr, PAGE, 4 * PAGE));
    address_space_unmap(&as, big, len, true, len);
    g_assert_true(ram_discard_discard(mgr, PAGE, 3 * PAGE));
    g_assert_false(ram_discard_discard(mgr, 4 * PAGE, PAGE));
    address_space_unmap(&as, small, one, false, 0);
    g_assert_false(ram_discard_is_pinned(mgr, 0, PAGES * PAGE));
    g_assert_true(ram_discard_discard(mgr, 4 * PAGE, PAGE));

    ram_discard_manager_free(mgr);
    memory_region_del_subregion(&root, &mr);
    address_space_fini(&as);
    memory_region_fini(&mr);
    memory_region_fini(&root);
    bql_unlock();
}

/* Aliases made unmergeable stay one range each; the others join. */
static void test_unmergeable_aliases_stay_apart(void)
{
    MemoryRegion root, ram, alias[4];
    AddressSpace as;

    bql_lock();
    memory_region_init(&root, NULL, "root", GiB);
    make_ram(&ram);
    for (unsigned i = 0; i < 4; i++) {
        memory_region_init_alias(&alias[i], NULL, "alias", &ram, i * PAGE, PAGE);
        if (i < 3) {
            memory_region_set_unmergeable(&alias[i]);
        }
        memory_region_add_subregion(&root, i * PAGE, &alias[i]);
    }
    address_space_init(&as, &root, "test");
    rcu_read_lock();
    g_assert_cmpuint(address_space_view_rcu(&as)->n_ranges, ==, 4);
    rcu_read_unlock();
    for (unsigned i = 0; i < 4; i++) {
        memory_region_del_subregion(&root, &alias[i]);
        memory_region_fini(&alias[i]);
    }
    address_space_fini(&as);
    memory_region_fini(&ram);
    memory_region_fini(&root);
    bql_unlock();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ram-discard/runs", test_runs_match_brute_force);
    g_test_add_func("/ram-discard/refusal", test_a_refusal_changes_nothing);
    g_test_add_func("/ram-discard/not-there", test_discarded_memory_is_not_there);
    g_test_add_func("/ram-discard/mapped", test_mapped_memory_stays);
    g_test_add_func("/ram-discard/unmergeable", test_unmergeable_aliases_stay_apart);
    return g_test_run();
}
