/*
 * Tests of the x86 boards' parts that need no running machine.
 */
#ifndef TESTS_UNIT_HW_I386_TESTS_H
#define TESTS_UNIT_HW_I386_TESTS_H

void add_acpi_tests(void);
void add_boot_tests(void);
void add_cpu_hotplug_tests(void);
void add_map_tests(void);
void add_pm_tests(void);

#endif
