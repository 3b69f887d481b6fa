/*
 * ACPI CPU hotplug: the register block by which the DSDT's processors learn of CPUs that came or shall go.
 */
#ifndef HW_ACPI_CPU_HOTPLUG_H
#define HW_ACPI_CPU_HOTPLUG_H

#include "hw/acpi/hotplug-slots.h"

enum { ACPI_CPU_HOTPLUG_LEN = 12, ACPI_CPU_HOTPLUG_GPE = 2 };

/*
 * Registers at @port of @io for the CPU slots of @m ("acpi-cpu-hotplug"), events on @pm.  @eject is called, in a vCPU's
 * thread, when the guest ejects a CPU that is there; it must not free it before it returns.
 */
AcpiHotplug *acpi_cpu_hotplug_create(Machine *m, MemoryRegion *io, uint16_t port, AcpiPm *pm,
                                     void (*eject)(void *opaque, unsigned index), void *opaque, Error **errp);

#endif
