/*
 * ACPI CPU hotplug: the register block by which the DSDT's processors learn of CPUs that came or shall go.
 */
#ifndef HW_ACPI_CPU_HOTPLUG_H
#define HW_ACPI_CPU_HOTPLUG_H

#include "hw/acpi/pm.h"
#include "hw/core/machine.h"

OBJECT_DECLARE(AcpiCpuHotplug, ACPI_CPU_HOTPLUG, acpi_cpu_hotplug)     /* "acpi-cpu-hotplug" */

enum { ACPI_CPU_HOTPLUG_LEN = 12, ACPI_CPU_HOTPLUG_GPE = 2 };

/*
 * Registers at @port of @io for the slots of @m, events on @pm.  @eject is called, in a vCPU's thread, when the
 * guest ejects a CPU that is there; it must not free it before it returns.
 */
AcpiCpuHotplug *acpi_cpu_hotplug_create(Machine *m, MemoryRegion *io, uint16_t port, AcpiPm *pm,
                                        void (*eject)(void *opaque, unsigned index), void *opaque, Error **errp);
/* Slot @index was filled: tell the guest. */
void acpi_cpu_hotplug_inserted(AcpiCpuHotplug *s, unsigned index);
/* Ask the guest to give the CPU back. */
void acpi_cpu_hotplug_request_removal(AcpiCpuHotplug *s, unsigned index);
/* Of query-acpi-ospm-status: what the guest last said of slot @index. */
void acpi_cpu_hotplug_ost(const AcpiCpuHotplug *s, unsigned index, uint32_t *source, uint32_t *status);

#endif
