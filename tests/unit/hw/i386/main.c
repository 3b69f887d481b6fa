/*
 * Boards: memory maps, topology, tables, boot loaders.
 */
#include "system/memory.h"
#include "tests.h"
#include "util/main-loop.h"
#include "util/rcu.h"

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rcu_thread_enter();
    bql_lock();
    main_loop_init();
    memory_spaces_init();
    add_map_tests();
    add_boot_tests();
    add_acpi_tests();
    add_cpu_hotplug_tests();
    add_pm_tests();
    return g_test_run();
}
