/*
 * What the guest's ACPI reports of devices that come and go (_OST; ACPI 6.4, 6.3.5).
 */
#ifndef HW_ACPI_OSPM_H
#define HW_ACPI_OSPM_H

#include "util/base.h"

typedef enum AcpiOspmSlotType { ACPI_OSPM_SLOT_DIMM, ACPI_OSPM_SLOT_CPU } AcpiOspmSlotType;     /* as QMP's ACPISlotType */

/* Tell the monitors (ACPI_DEVICE_OST).  @device: the id of what is in the slot, NULL if it has none. */
void acpi_ospm_reported(const char *device, AcpiOspmSlotType type, unsigned slot, uint32_t source, uint32_t status);

#endif
