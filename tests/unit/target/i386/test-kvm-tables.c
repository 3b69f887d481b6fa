/*
 * Page tables for KVM: what they map, as a processor walks them; that nothing is ever taken back in place; that each
 * address serves once between two recyclings.
 */
#include <glib.h>

#include "target/i386/kvm-tables.h"

#define GPA 0x7ff000000000ull
#define PAGE 4096ull

enum { E_P = 1, E_W = 2, E_U = 4 };
#define E_XD (1ull << 63)
#define E_ADDR 0x000ffffffffff000ull

static KvmTables *tables;

/* The leaf for @va; 0 if an entry on the way is absent. */
static uint64_t walk(vaddr va)
{
    hwaddr at = kvm_tables_root(tables);
    uint64_t e = 0;

    for (int shift = 39; shift >= 12; shift -= 9) {
        g_assert_cmpuint(at, >=, GPA);
        g_assert_cmpuint(at, <, GPA + KVM_TABLES_SPAN);
        e = ((const uint64_t *)((const uint8_t *)kvm_tables_memory(tables) + (at - GPA)))[va >> shift & 511];
        if (!(e & E_P)) {
            return 0;
        }
        at = e & E_ADDR;
    }
    return e;
}

static void begin(void)
{
    kvm_tables_recycle(tables);
    g_assert_true(kvm_tables_restart(tables));
}

static void test_rights(void)
{
    begin();
    g_assert_true(kvm_tables_map(tables, 0x400000, 0x12345000, false, true));
    g_assert_true(kvm_tables_map(tables, 0x7fffffffe000, 0x999000, true, false));
    g_assert_true(kvm_tables_map(tables, 0xffffffffff600000, 0x5000, false, true));
    g_assert_cmphex(walk(0x400000) & (E_ADDR | E_W | E_U | E_XD), ==, 0x12345000 | E_U);
    g_assert_cmphex(walk(0x7fffffffe000) & (E_ADDR | E_W | E_U | E_XD), ==, 0x999000 | E_U | E_W | E_XD);
    g_assert_cmphex(walk(0xffffffffff600000) & E_ADDR, ==, 0x5000);
    g_assert_cmphex(walk(0x401000), ==, 0);
    g_assert_cmphex(walk(0x7ffffffff000), ==, 0);
}

/* KVM sees rights grow, not shrink. */
static void test_nothing_is_taken_back(void)
{
    begin();
    g_assert_true(kvm_tables_map(tables, 0x1000, 0x8000, false, false));
    g_assert_true(kvm_tables_map(tables, 0x1000, 0x8000, false, true));
    g_assert_true(kvm_tables_map(tables, 0x1000, 0x8000, true, true));
    g_assert_false(kvm_tables_map(tables, 0x1000, 0x8000, false, true));
    g_assert_false(kvm_tables_map(tables, 0x1000, 0x8000, true, false));
    g_assert_false(kvm_tables_map(tables, 0x1000, 0x9000, true, true));
    g_assert_cmphex(walk(0x1000) & (E_ADDR | E_W | E_XD), ==, 0x8000 | E_W);
}

static void test_a_restart_is_empty(void)
{
    hwaddr root;

    begin();
    g_assert_true(kvm_tables_map(tables, 0x1000, 0x8000, true, true));
    root = kvm_tables_root(tables);
    g_assert_true(kvm_tables_restart(tables));
    g_assert_cmphex(kvm_tables_root(tables), !=, root);
    g_assert_cmphex(walk(0x1000), ==, 0);
    g_assert_true(kvm_tables_map(tables, 0x1000, 0x9000, false, false));
}

static void test_each_address_serves_once(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    kvm_tables_recycle(tables);
    while (kvm_tables_restart(tables)) {
        hwaddr root = kvm_tables_root(tables);

        g_assert_true(g_hash_table_add(seen, g_memdup2(&root, sizeof(root))));
        g_assert_true(kvm_tables_map(tables, 0x400000, 0x8000, false, true));
        g_assert_cmphex(walk(0x400000) & E_ADDR, ==, 0x8000);
        g_assert_cmpuint(g_hash_table_size(seen), <=, KVM_TABLES_SPAN / PAGE);
    }
    g_assert_cmpuint(g_hash_table_size(seen), >, 1000);
    g_assert_false(kvm_tables_restart(tables));
    begin();
}

static void test_no_room_is_told(void)
{
    unsigned n = 0;

    begin();
    while (kvm_tables_map(tables, (vaddr)n << 39, 0x8000, false, false)) {      /* three tables each */
        n++;
    }
    g_assert_cmpuint(n, >, 60);
    g_assert_cmpuint(n, <=, KVM_TABLES_BYTES / PAGE / 3);
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmphex(walk((vaddr)i << 39) & E_ADDR, ==, 0x8000);
    }
    g_assert_true(kvm_tables_restart(tables));
    g_assert_true(kvm_tables_map(tables, (vaddr)n << 39, 0x8000, false, false));
}

int main(int argc, char **argv)
{
    int result;

    g_test_init(&argc, &argv, NULL);
    tables = kvm_tables_new(&error_abort);
    kvm_tables_place(tables, GPA);
    g_test_add_func("/i386/kvm-tables/rights", test_rights);
    g_test_add_func("/i386/kvm-tables/nothing-is-taken-back", test_nothing_is_taken_back);
    g_test_add_func("/i386/kvm-tables/a-restart-is-empty", test_a_restart_is_empty);
    g_test_add_func("/i386/kvm-tables/each-address-serves-once", test_each_address_serves_once);
    g_test_add_func("/i386/kvm-tables/no-room-is-told", test_no_room_is_told);
    result = g_test_run();
    kvm_tables_free(tables);
    return result;
}
