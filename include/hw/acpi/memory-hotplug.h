/*
 * ACPI memory hotplug: the register block by which the DSDT's memory devices learn of DIMMs that came or shall go.
 */
#ifndef HW_ACPI_MEMORY_HOTPLUG_H
#define HW_ACPI_MEMORY_HOTPLUG_H

#include "hw/acpi/hotplug-slots.h"

enum { ACPI_MEMORY_HOTPLUG_PORT = 0xa00, ACPI_MEMORY_HOTPLUG_LEN = 24, ACPI_MEMORY_HOTPLUG_GPE = 3 };

/* Registers on @io for the memory slots of @m, at least one ("acpi-memory-hotplug"); events on @pm. */
AcpiHotplug *acpi_memory_hotplug_create(Machine *m, MemoryRegion *io, AcpiPm *pm, Error **errp);

#endif
