/*
 * Memory: flat views, minimal differences, access rules.
 */
#include "system/memory.h"
#include "util/main-loop.h"
#include "util/rcu.h"

/* A random tree of regions against a brute-force model: who owns each page? */
#define MODEL_PAGES 64
#define PAGE 0x1000

static uint64_t dev_last_addr, dev_last_data, dev_read_value;
static unsigned dev_calls, dev_last_size;

static uint64_t dev_read(void *opaque, hwaddr addr, unsigned size)
{
    dev_calls++;
    dev_last_addr = addr;
    dev_last_size = size;
    return dev_read_value >> (8 * (addr & 7));
}

static void dev_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    dev_calls++;
    dev_last_addr = addr;
    dev_last_data = data;
    dev_last_size = size;
}

static const MemoryRegionOps any_ops = { .read = dev_read, .write = dev_write, .impl = { 1, 8 } };
static const MemoryRegionOps byte_ops = { .read = dev_read, .write = dev_write, .impl = { 1, 1 } };
static const MemoryRegionOps dword_ops = {
    .read = dev_read, .write = dev_write, .valid = { 1, 4 }, .impl = { 4, 4 },
};

static void assert_view(AddressSpace *as, const MemoryRegion *const model[MODEL_PAGES])
{
    rcu_read_lock();
    const FlatView *fv = address_space_view_rcu(as);
    for (unsigned p = 0; p < MODEL_PAGES; p++) {
        const FlatRange *r = flatview_lookup(fv, p * PAGE);

        g_assert_true((r ? r->mr : NULL) == model[p]);
    }
    for (unsigned i = 1; i < fv->n_ranges; i++) {
        g_assert_cmpuint(fv->ranges[i - 1].last, <, fv->ranges[i].start);
    }
    rcu_read_unlock();
}

static void test_priorities_match_brute_force(void)
{
    enum { N = 8 };
    g_autoptr(GRand) rnd = g_rand_new_with_seed(42);
    MemoryRegion root, mr[N];
    AddressSpace as;

    bql_lock();
    memory_region_init(&root, NULL, "root", MODEL_PAGES * PAGE);
    address_space_init(&as, &root, "test");
    for (unsigned round = 0; round < 200; round++) {
        unsigned start[N], len[N];
        int prio[N];
        const MemoryRegion *model[MODEL_PAGES] = { NULL };

        memory_transaction_begin();
        for (unsigned i = 0; i < N; i++) {
            start[i] = g_rand_int_range(rnd, 0, MODEL_PAGES);
            len[i] = g_rand_int_range(rnd, 1, MODEL_PAGES - start[i] + 1);
            prio[i] = i * 3 % N;        /* all different: the winner is certain */
            memory_region_init_io(&mr[i], NULL, &any_ops, NULL, "dev", len[i] * PAGE);
            memory_region_add_subregion_overlap(&root, start[i] * PAGE, &mr[i], prio[i]);
        }
        memory_transaction_commit();
        for (unsigned p = 0; p < MODEL_PAGES; p++) {
            int best = -1;

            for (unsigned i = 0; i < N; i++) {
                if (p >= start[i] && p < start[i] + len[i] && prio[i] > best) {
                    best = prio[i];
                    model[p] = &mr[i];
                }
            }
        }
        assert_view(&as, model);
        memory_transaction_begin();
        for (unsigned i = 0; i < N; i++) {
            memory_region_del_subregion(&root, &mr[i]);
        }
        memory_transaction_commit();
        for (unsigned i = 0; i < N; i++) {
            memory_region_fini(&mr[i]);
        }
    }
    address_space_fini(&as);
    memory_region_fini(&root);
    bql_unlock();
}

static void test_alias_shows_a_window(void)
{
    MemoryRegion root, ram, window;
    AddressSpace as;
    uint32_t v = 0xcafe1234, back = 0;

    bql_lock();
    memory_region_init(&root, NULL, "root", UINT64_MAX);
    address_space_init(&as, &root, "test");
    g_assert_true(memory_region_init_ram(&ram, NULL, "ram", 16 * PAGE, &error_abort));
    memory_region_init_alias(&window, NULL, "window", &ram, 3 * PAGE, 2 * PAGE);
    memory_region_add_subregion(&root, 0x100000000ULL, &window);
    g_assert_cmpint(address_space_write(&as, 0x100000000ULL + PAGE + 8, MEMTXATTRS_UNSPECIFIED, &v, 4), ==, MEMTX_OK);
    memcpy(&back, (uint8_t *)memory_region_get_ram_ptr(&ram) + 4 * PAGE + 8, 4);
    g_assert_cmphex(back, ==, v);
    g_assert_cmpint(address_space_read(&as, 0x100000000ULL + 2 * PAGE, MEMTXATTRS_UNSPECIFIED, &back, 4), ==, MEMTX_DECODE_ERROR);
    g_assert_cmphex(back, ==, 0xffffffff);
    memory_region_set_alias_offset(&window, 4 * PAGE);
    address_space_read(&as, 0x100000000ULL + 8, MEMTXATTRS_UNSPECIFIED, &back, 4);
    g_assert_cmphex(back, ==, v);
    memory_region_set_readonly(&window, true);
    back = 0;
    address_space_write(&as, 0x100000000ULL + 8, MEMTXATTRS_UNSPECIFIED, &back, 4);
    address_space_read(&as, 0x100000000ULL + 8, MEMTXATTRS_UNSPECIFIED, &back, 4);
    g_assert_cmphex(back, ==, v);
    address_space_write_rom(&as, 0x100000000ULL + 8, &(uint32_t){ 7 }, 4);
    address_space_read(&as, 0x100000000ULL + 8, MEMTXATTRS_UNSPECIFIED, &back, 4);
    g_assert_cmphex(back, ==, 7);
    memory_region_del_subregion(&root, &window);
    memory_region_fini(&window);
    memory_region_fini(&ram);
    address_space_fini(&as);
    memory_region_fini(&root);
    bql_unlock();
}

static unsigned n_add, n_del, n_nop, n_commit;

static void count_add(MemoryListener *l, const FlatRange *r) { n_add++; }
static void count_del(MemoryListener *l, const FlatRange *r) { n_del++; }
static void count_nop(MemoryListener *l, const FlatRange *r) { n_nop++; }
static void count_commit(MemoryListener *l) { n_commit++; }

static void test_listener_sees_minimal_difference(void)
{
    MemoryListener l = { .name = "test", .region_add = count_add, .region_del = count_del, .region_nop = count_nop, .commit = count_commit };
    MemoryRegion root, a, b, c;
    AddressSpace as;

    bql_lock();
    memory_region_init(&root, NULL, "root", UINT64_MAX);
    address_space_init(&as, &root, "test");
    memory_region_init_io(&a, NULL, &any_ops, NULL, "a", PAGE);
    memory_region_init_io(&b, NULL, &any_ops, NULL, "b", PAGE);
    memory_region_init_io(&c, NULL, &any_ops, NULL, "c", PAGE);
    memory_region_add_subregion(&root, 0, &a);
    memory_region_add_subregion(&root, 2 * PAGE, &b);
    memory_listener_register(&l, &as);
    g_assert_cmpuint(n_add, ==, 2);
    n_add = n_commit = 0;

    memory_transaction_begin();
    memory_region_set_address(&b, 4 * PAGE);
    memory_region_add_subregion(&root, 2 * PAGE, &c);
    memory_transaction_commit();
    g_assert_cmpuint(n_commit, ==, 1);
    g_assert_cmpuint(n_del, ==, 1);
    g_assert_cmpuint(n_add, ==, 2);
    g_assert_cmpuint(n_nop, ==, 1);

    memory_transaction_begin();         /* there and back: nothing to tell */
    memory_region_set_enabled(&a, false);
    memory_region_set_enabled(&a, true);
    memory_transaction_commit();
    g_assert_cmpuint(n_commit, ==, 1);

    memory_listener_unregister(&l);
    memory_region_del_subregion(&root, &a);
    memory_region_del_subregion(&root, &b);
    memory_region_del_subregion(&root, &c);
    memory_region_fini(&a);
    memory_region_fini(&b);
    memory_region_fini(&c);
    address_space_fini(&as);
    memory_region_fini(&root);
    bql_unlock();
}

static void test_access_sizes(void)
{
    MemoryRegion bytes, dwords;
    uint64_t v;

    memory_region_init_io(&bytes, NULL, &byte_ops, NULL, "bytes", PAGE);
    memory_region_init_io(&dwords, NULL, &dword_ops, NULL, "dwords", PAGE);

    dev_read_value = 0x8877665544332211ULL;
    dev_calls = 0;
    g_assert_cmpint(memory_region_dispatch_read(&bytes, 0, &v, 4, MEMTXATTRS_UNSPECIFIED), ==, MEMTX_OK);
    g_assert_cmphex(v, ==, 0x44332211);
    g_assert_cmpuint(dev_calls, ==, 4);

    g_assert_cmpint(memory_region_dispatch_read(&dwords, 1, &v, 1, MEMTXATTRS_UNSPECIFIED), ==, MEMTX_OK);
    g_assert_cmphex(v, ==, 0x22);
    g_assert_cmpuint(dev_last_addr, ==, 0);
    g_assert_cmpuint(dev_last_size, ==, 4);

    g_assert_cmpint(memory_region_dispatch_read(&dwords, 0, &v, 8, MEMTXATTRS_UNSPECIFIED), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmphex(v, ==, UINT64_MAX);
    g_assert_cmpint(memory_region_dispatch_write(&dwords, 2, 0, 4, MEMTXATTRS_UNSPECIFIED), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmpint(memory_region_dispatch_write(&dwords, 2, 0xabcd, 2, MEMTXATTRS_UNSPECIFIED), ==, MEMTX_OK);
    g_assert_cmphex(dev_last_data, ==, 0xabcd0000);
    g_assert_false(bql_locked());
    memory_region_fini(&bytes);
    memory_region_fini(&dwords);
}

typedef struct Access {
    AddressSpace *as;
    int begun;                          /* atomic */
    MemTxResult result[2];
} Access;

static gpointer access_device(gpointer opaque)
{
    Access *a = opaque;
    uint64_t v = 0;

    rcu_thread_enter();
    __atomic_store_n(&a->begun, 1, __ATOMIC_RELEASE);
    a->result[0] = address_space_read(a->as, 0, MEMTXATTRS_UNSPECIFIED, &v, 4);
    a->result[1] = address_space_write(a->as, PAGE, MEMTXATTRS_UNSPECIFIED, &v, 4);
    rcu_thread_leave();
    return NULL;
}

/* One region goes and another moves in while an access to each waits for the lock. */
static void test_access_that_waited_meets_what_is_there_then(void)
{
    MemoryRegion root, gone, moved;
    AddressSpace as;
    Access a = { .as = &as };
    GThread *vcpu;

    bql_lock();
    memory_region_init(&root, NULL, "root", UINT64_MAX);
    address_space_init(&as, &root, "test");
    memory_region_init_io(&gone, NULL, &any_ops, NULL, "gone", PAGE);
    memory_region_init_io(&moved, NULL, &any_ops, NULL, "moved", PAGE);
    memory_region_add_subregion(&root, 0, &gone);
    memory_region_add_subregion(&root, 8 * PAGE, &moved);
    dev_calls = 0;
    vcpu = g_thread_new("vcpu", access_device, &a);
    while (!__atomic_load_n(&a.begun, __ATOMIC_ACQUIRE)) {
        g_usleep(100);
    }
    g_usleep(20000);                    /* it has looked and waits; if not yet, it finds the new view anyway */
    memory_region_del_subregion(&root, &gone);
    memory_region_set_address(&moved, PAGE);
    bql_unlock();
    g_thread_join(vcpu);
    g_assert_cmpint(a.result[0], ==, MEMTX_DECODE_ERROR);
    g_assert_cmpint(a.result[1], ==, MEMTX_OK);
    g_assert_cmpuint(dev_calls, ==, 1);

    bql_lock();
    memory_region_del_subregion(&root, &moved);
    memory_region_fini(&gone);
    memory_region_fini(&moved);
    address_space_fini(&as);
    memory_region_fini(&root);
    bql_unlock();
}

static void test_ram_that_cannot_be_had(void)
{
    g_autoptr(Error) err = NULL;
    MemoryRegion mr;

    g_assert_false(memory_region_init_ram(&mr, NULL, "huge", 1ULL << 60, &err));
    g_assert_true(g_str_has_prefix(error_get_pretty(err), "cannot set up guest memory 'huge' of 1152921504606846976 bytes"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rcu_thread_enter();
    g_test_add_func("/memory/priorities-match-brute-force", test_priorities_match_brute_force);
    g_test_add_func("/memory/alias-shows-a-window", test_alias_shows_a_window);
    g_test_add_func("/memory/listener-sees-minimal-difference", test_listener_sees_minimal_difference);
    g_test_add_func("/memory/access-sizes", test_access_sizes);
    g_test_add_func("/memory/access-that-waited", test_access_that_waited_meets_what_is_there_then);
    g_test_add_func("/memory/ram-that-cannot-be-had", test_ram_that_cannot_be_had);
    return g_test_run();
}
