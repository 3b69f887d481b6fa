/*
 * ACPI hotplug in the DSDT: what CPUs (acpi-cpus.c) and DIMMs (acpi-memory.c) have in common.
 *
 * Reference: ACPI 6.4, 5.6.4.1 (general-purpose events), 5.6.6 (notifications), 6.3 (_EJ0, _OST).
 */
#include "acpi-hotplug.h"

enum { NOTIFY_DEVICE_CHECK = 1, NOTIFY_EJECT_REQUEST = 3 };

void acpi_hotplug_slot_name(const AcpiHotplugAml *h, char name[5], unsigned slot)
{
    g_snprintf(name, 5, h->slot_format, slot);
}

/* --- methods of all slots --- */

void acpi_hotplug_begin_method(const AcpiHotplugAml *h, Aml *a, const char *name, unsigned n_args)
{
    aml_begin_method(a, name, n_args, true);
    aml_acquire(a, h->mutex);
    aml_store_op(a, AML_ARG0, h->selector);
}

void acpi_hotplug_end_method(const AcpiHotplugAml *h, Aml *a)
{
    aml_release(a, h->mutex);
    aml_end(a);
}

void acpi_hotplug_end_method_local0(const AcpiHotplugAml *h, Aml *a)
{
    aml_release(a, h->mutex);
    aml_op(a, AML_RETURN);
    aml_op(a, AML_LOCAL0);
    aml_end(a);
}

void acpi_hotplug_method_sta(const AcpiHotplugAml *h, Aml *a)
{
    acpi_hotplug_begin_method(h, a, h->sta_method, 1);
    aml_op(a, AML_STORE);
    aml_op(a, AML_ZERO);
    aml_op(a, AML_LOCAL0);
    aml_begin_if(a);
    aml_path(a, h->enabled);
    aml_op(a, AML_STORE);
    aml_int(a, 0xf);
    aml_op(a, AML_LOCAL0);
    aml_end(a);
    acpi_hotplug_end_method_local0(h, a);
}

void acpi_hotplug_method_eject(const AcpiHotplugAml *h, Aml *a)
{
    acpi_hotplug_begin_method(h, a, h->eject_method, 1);
    aml_store_int(a, 1, h->eject);
    acpi_hotplug_end_method(h, a);
}

/* --- events --- */

/* slot, notification */
static void method_notify(const AcpiHotplugAml *h, Aml *a, unsigned n)
{
    aml_begin_method(a, h->notify_method, 2, false);
    for (unsigned i = 0; i < n; i++) {
        char name[5];

        acpi_hotplug_slot_name(h, name, i);
        aml_begin_if(a);
        aml_op(a, AML_LEQUAL);
        aml_op(a, AML_ARG0);
        aml_int(a, i);
        aml_op(a, AML_NOTIFY);
        aml_path(a, name);
        aml_op(a, AML_ARG1);
        aml_end(a);
    }
    aml_end(a);
}

/* If (@flag) { notify (Local0, @event); @flag = 1 } */
static void notify_if(const AcpiHotplugAml *h, Aml *a, const char *flag, unsigned event)
{
    aml_begin_if(a);
    aml_path(a, flag);
    aml_path(a, h->notify_method);
    aml_op(a, AML_LOCAL0);
    aml_int(a, event);
    aml_store_int(a, 1, flag);
    aml_end(a);
}

void acpi_hotplug_methods_scan(const AcpiHotplugAml *h, Aml *a, unsigned n)
{
    method_notify(h, a, n);
    aml_begin_method(a, h->scan_method, 0, true);
    aml_acquire(a, h->mutex);
    aml_op(a, AML_STORE);
    aml_op(a, AML_ZERO);
    aml_op(a, AML_LOCAL0);
    aml_begin_while(a);
    aml_op(a, AML_LLESS);
    aml_op(a, AML_LOCAL0);
    aml_int(a, n);
    aml_store_op(a, AML_LOCAL0, h->selector);
    notify_if(h, a, h->inserted, NOTIFY_DEVICE_CHECK);
    notify_if(h, a, h->removal, NOTIFY_EJECT_REQUEST);
    aml_op(a, AML_INCREMENT);
    aml_op(a, AML_LOCAL0);
    aml_end(a);
    acpi_hotplug_end_method(h, a);
}

void acpi_hotplug_event(const AcpiHotplugAml *h, Aml *a)
{
    aml_begin_scope(a, "\\_GPE");
    aml_begin_method(a, h->event_method, 0, false);
    aml_path(a, h->scan_path);
    aml_end(a);
    aml_end(a);
}

/* --- in a slot's device --- */

void acpi_hotplug_return_call(Aml *a, const char *name, const char *method, unsigned slot)
{
    aml_begin_method(a, name, 0, true);
    aml_op(a, AML_RETURN);
    aml_path(a, method);
    aml_int(a, slot);
    aml_end(a);
}

void acpi_hotplug_slot_requests(const AcpiHotplugAml *h, Aml *a, unsigned slot, bool ejectable)
{
    if (ejectable) {
        aml_begin_method(a, "_EJ0", 1, false);
        aml_path(a, h->eject_method);
        aml_int(a, slot);
        aml_end(a);
    }
    aml_begin_method(a, "_OST", 3, true);
    aml_path(a, h->ost_method);
    aml_int(a, slot);
    aml_op(a, AML_ARG0);
    aml_op(a, AML_ARG1);
    aml_end(a);
}
