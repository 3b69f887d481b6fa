/*
 * _OST reports as QMP shows them.
 */
#include "hw/acpi/hotplug-slots.h"

#include "qapi/qapi-commands.h"
#include "qapi/qapi-events.h"

static void fill(QapiACPIOSTInfo *info, const char *device, AcpiOspmSlotType type, unsigned slot, uint32_t source, uint32_t status)
{
    info->device = g_strdup(device);
    info->slot = g_strdup_printf("%u", slot);
    info->slot_type = type == ACPI_OSPM_SLOT_CPU ? QAPI_ACPI_SLOT_TYPE_CPU : QAPI_ACPI_SLOT_TYPE_DIMM;
    info->source = source;
    info->status = status;
}

void acpi_ospm_reported(const char *device, AcpiOspmSlotType type, unsigned slot, uint32_t source, uint32_t status)
{
    g_autoptr(QapiACPIOSTInfo) info = g_new0(QapiACPIOSTInfo, 1);

    fill(info, device, type, slot, source, status);
    qapi_event_send_acpi_device_ost(info);
}

static void add_slots(QapiACPIOSTInfoList *list, const char *registers)
{
    Object *obj = current_machine() ? object_child(current_machine(), registers) : NULL;
    const AcpiHotplug *h = obj ? ACPI_HOTPLUG(obj) : NULL;

    for (unsigned i = 0; h && i < h->n; i++) {
        Device *dev = h->kind->device_in(h, i);

        fill(QAPI_LIST_APPEND(list), dev ? dev->id : NULL, h->kind->type, i, h->slots[i]->ost_event, h->slots[i]->ost_status);
    }
}

QapiACPIOSTInfoList *qmp_query_acpi_ospm_status(Error **errp)
{
    QapiACPIOSTInfoList *list = g_new0(QapiACPIOSTInfoList, 1);

    add_slots(list, "acpi-memory-hotplug");
    add_slots(list, "acpi-cpu-hotplug");
    return list;
}
