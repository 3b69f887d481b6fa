/*
 * E820 maps, APIC ids, -smp completion.
 */
#include "hw/i386/pc.h"
#include "tests.h"

static void test_e820_sorts_and_answers(void)
{
    E820Map m = { .n = 0 };
    uint8_t packed[E820_MAX * 20];

    e820_add(&m, 4 * GiB, GiB, E820_RAM);
    e820_add(&m, 0, 0x9fc00, E820_RAM);
    e820_add(&m, MiB, 511 * MiB, E820_RAM);
    e820_add(&m, 512 * MiB, 0, E820_RAM);               /* empty: dropped */
    e820_add(&m, 512 * MiB, MiB, E820_RAM);
    e820_add(&m, 0xe0000, 0x20000, E820_RESERVED);
    g_assert_cmpuint(m.n, ==, 5);
    for (unsigned i = 1; i < m.n; i++) {
        g_assert_cmphex(m.e[i - 1].addr, <, m.e[i].addr);
    }
    g_assert_true(e820_is_ram(&m, MiB, 512 * MiB));     /* across two entries */
    g_assert_false(e820_is_ram(&m, MiB, 513 * MiB));
    g_assert_false(e820_is_ram(&m, 0xf0000, 16));
    g_assert_false(e820_is_ram(&m, 0x9fbff, 2));
    g_assert_false(e820_is_ram(&m, UINT64_MAX, 1));
    g_assert_true(e820_is_ram(&m, 5 * GiB - 1, 1));
    g_assert_cmpuint(e820_pack(&m, packed), ==, 100);
    g_assert_cmphex(ld64_le(packed + 80), ==, 4 * GiB);
}

static void test_apic_ids_are_fields(void)
{
    SmpConfig smp = { .cpus = 12, .sockets = 2, .dies = 1, .clusters = 1, .modules = 1, .cores = 3, .threads = 2, .max_cpus = 12 };
    static const uint32_t expected[12] = { 0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13 };

    for (unsigned i = 0; i < 12; i++) {
        g_assert_cmpuint(x86_apic_id_for_cpu(&smp, i), ==, expected[i]);
    }
    g_assert_cmpuint(x86_apic_id_limit(&smp), ==, 14);
}

/* sockets 2, dies 3, modules 2, cores 5, threads 2: fields of 1, 3, 1 and 2 bits below the socket. */
static void test_places_and_apic_ids_are_one_to_one(void)
{
    SmpConfig smp = { .cpus = 1, .sockets = 2, .dies = 3, .clusters = 1, .modules = 2, .cores = 5, .threads = 2, .max_cpus = 120 };
    X86Topology t = x86_topology(&smp);
    uint32_t last = 0;

    g_assert_cmpuint(x86_topology_shift(&t, X86_LEVEL_CORE), ==, 1);
    g_assert_cmpuint(x86_topology_shift(&t, X86_LEVEL_MODULE), ==, 4);
    g_assert_cmpuint(x86_topology_shift(&t, X86_LEVEL_DIE), ==, 5);
    g_assert_cmpuint(x86_topology_shift(&t, X86_LEVEL_SOCKET), ==, 7);
    g_assert_cmpuint(x86_topology_threads(&t, X86_LEVEL_THREAD), ==, 1);
    g_assert_cmpuint(x86_topology_threads(&t, X86_LEVEL_MODULE), ==, 10);
    g_assert_cmpuint(x86_topology_threads(&t, X86_LEVEL_SOCKET), ==, 60);
    for (unsigned i = 0; i < smp.max_cpus; i++) {
        CpuPlace p = machine_place_of_index(&smp, i), q;
        uint32_t id = x86_apic_id_of_place(&t, &p);

        g_assert_true(i == 0 || id > last);
        last = id;
        q = x86_place_of_apic_id(&t, id);
        g_assert_cmpmem(&p, sizeof(p), &q, sizeof(q));
    }
    g_assert_cmpuint(last, ==, 1 << 7 | 2 << 5 | 1 << 4 | 4 << 1 | 1);
    g_assert_cmpuint(x86_apic_id_limit(&smp), ==, last + 1);
}

static bool smp(Machine *m, const char *const *kv)
{
    g_autoptr(Value) d = value_dict();
    g_autoptr(Error) err = NULL;

    for (; *kv; kv += 2) {
        value_dict_set_str(d, kv[0], kv[1]);
    }
    return machine_set_smp(m, d, &err);
}

static void test_smp_is_completed_and_checked(void)
{
    Machine *m = MACHINE(object_new(machine_type_find("q35")));

    g_assert_true(smp(m, (const char *const[]){ "cpus", "4", NULL }));
    g_assert_cmpuint(m->smp.cores, ==, 4);
    g_assert_cmpuint(m->smp.sockets, ==, 1);
    g_assert_true(smp(m, (const char *const[]){ "cpus", "8", "sockets", "2", "threads", "2", NULL }));
    g_assert_cmpuint(m->smp.cores, ==, 2);
    g_assert_true(smp(m, (const char *const[]){ "cpus", "2", "maxcpus", "6", "cores", "3", NULL }));
    g_assert_cmpuint(m->smp.sockets, ==, 2);
    g_assert_true(smp(m, (const char *const[]){ "sockets", "2", "cores", "3", NULL }));
    g_assert_cmpuint(m->smp.cpus, ==, 6);
    g_assert_true(smp(m, (const char *const[]){ "cpus", "3", "maxcpus", "16", "dies", "2", "modules", "2", "threads", "2", NULL }));
    g_assert_cmpuint(m->smp.cores, ==, 2);
    g_assert_cmpuint(m->cpu_slots[15].place.die, ==, 1);
    g_assert_cmpuint(m->cpu_slots[15].place.core, ==, 1);
    g_assert_false(smp(m, (const char *const[]){ "cpus", "4", "clusters", "2", NULL }));
    g_assert_false(smp(m, (const char *const[]){ "cpus", "4", "cores", "3", NULL }));
    g_assert_false(smp(m, (const char *const[]){ "sockets", "65535", "cores", "65535", "threads", "65535", NULL }));
    g_assert_false(smp(m, (const char *const[]){ "cpus", "0", NULL }));
    g_assert_false(smp(m, (const char *const[]){ "cpus", "-1", NULL }));
    g_assert_false(smp(m, (const char *const[]){ "cpus", "300", NULL }));
    g_assert_false(smp(m, (const char *const[]){ "cpus", "4", "maxcpus", "2", NULL }));
    g_assert_false(smp(m, (const char *const[]){ "cpus", "65535", "sockets", "65535", "cores", "65535", "threads", "65535", NULL }));
    g_assert_false(smp(m, (const char *const[]){ "sokets", "1", NULL }));
    object_unref(m);
}

static void test_machine_names(void)
{
    g_assert_true(machine_type_find("pc") == machine_type_find("pc-i440fx-10.0"));
    g_assert_true(machine_type_find("q35") == machine_type_find("pc-q35-10.0"));
    g_assert_true(machine_type_default("x86_64") == machine_type_find("pc"));
    g_assert_nonnull(machine_type_find("microvm"));
    g_assert_nonnull(machine_type_find("none"));
    g_assert_null(machine_type_find("pc-q36"));
    g_assert_null(machine_type_find(NULL));
}

void add_map_tests(void)
{
    g_test_add_func("/i386/e820-sorts-and-answers", test_e820_sorts_and_answers);
    g_test_add_func("/i386/apic-ids-are-fields", test_apic_ids_are_fields);
    g_test_add_func("/i386/places-and-apic-ids", test_places_and_apic_ids_are_one_to_one);
    g_test_add_func("/i386/smp-is-completed-and-checked", test_smp_is_completed_and_checked);
    g_test_add_func("/i386/machine-names", test_machine_names);
}
