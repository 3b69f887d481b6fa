/*
 * The scheme by which CPUs and DIMMs come and go in the DSDT: registers with a selector that a mutex guards, a device for
 * each slot, methods that take a slot's number, and one that tells of events.
 */
#ifndef HW_I386_ACPI_HOTPLUG_H
#define HW_I386_ACPI_HOTPLUG_H

#include "hw/acpi/aml.h"

/* The names of it, all in one scope. */
typedef struct AcpiHotplugAml {
    const char *mutex, *selector;
    const char *enabled, *inserted, *removal, *eject;       /* flags of the selected slot */
    const char *sta_method, *eject_method, *ost_method, *notify_method, *scan_method;
    const char *slot_format;                                /* "C%03X" */
    const char *scan_path, *event_method;                   /* "\\_SB.CPUS.CSCN", "_E02" */
} AcpiHotplugAml;

void acpi_hotplug_slot_name(const AcpiHotplugAml *h, char name[5], unsigned slot);

/* A method whose first argument is the slot: it is selected, until the end. */
void acpi_hotplug_begin_method(const AcpiHotplugAml *h, Aml *a, const char *name, unsigned n_args);
void acpi_hotplug_end_method(const AcpiHotplugAml *h, Aml *a);
/* The same; returns Local0. */
void acpi_hotplug_end_method_local0(const AcpiHotplugAml *h, Aml *a);

void acpi_hotplug_method_sta(const AcpiHotplugAml *h, Aml *a);
void acpi_hotplug_method_eject(const AcpiHotplugAml *h, Aml *a);
/* Those that tell @n slots of what happened to them; and, in \_GPE, the event that calls them. */
void acpi_hotplug_methods_scan(const AcpiHotplugAml *h, Aml *a, unsigned n);
void acpi_hotplug_event(const AcpiHotplugAml *h, Aml *a);

/* In a slot's device: @name returns what @method says of @slot; _EJ0, if it may be ejected, and _OST. */
void acpi_hotplug_return_call(Aml *a, const char *name, const char *method, unsigned slot);
void acpi_hotplug_slot_requests(const AcpiHotplugAml *h, Aml *a, unsigned slot, bool ejectable);

#endif
