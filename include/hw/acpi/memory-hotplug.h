/*
 * ACPI memory hotplug: the register block by which the DSDT's memory devices learn of DIMMs that came or shall go.
 */
#ifndef HW_ACPI_MEMORY_HOTPLUG_H
#define HW_ACPI_MEMORY_HOTPLUG_H

#include "hw/acpi/pm.h"
#include "hw/core/machine.h"

OBJECT_DECLARE(AcpiMemoryHotplug, ACPI_MEMORY_HOTPLUG, acpi_memory_hotplug)    /* "acpi-memory-hotplug" */

enum { ACPI_MEMORY_HOTPLUG_PORT = 0xa00, ACPI_MEMORY_HOTPLUG_LEN = 24, ACPI_MEMORY_HOTPLUG_GPE = 3 };

/* Registers on @io for the memory slots of @m (at least one), events on @pm. */
AcpiMemoryHotplug *acpi_memory_hotplug_create(Machine *m, MemoryRegion *io, AcpiPm *pm, Error **errp);
/* Slot @slot was filled: tell the guest. */
void acpi_memory_hotplug_inserted(AcpiMemoryHotplug *s, unsigned slot);
/* Ask the guest to give the memory back. */
void acpi_memory_hotplug_request_removal(AcpiMemoryHotplug *s, unsigned slot);
/* Of query-acpi-ospm-status: what the guest last said of slot @slot. */
void acpi_memory_hotplug_ost(const AcpiMemoryHotplug *s, unsigned slot, uint32_t *source, uint32_t *status);

#endif
