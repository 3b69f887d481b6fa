/*
 * _OST reports as QMP shows them.
 */
#include "hw/acpi/ospm.h"

#include "hw/acpi/cpu-hotplug.h"
#include "hw/acpi/memory-hotplug.h"
#include "hw/mem/pc-dimm.h"
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

static void add_cpus(QapiACPIOSTInfoList *list)
{
    Machine *m = current_machine();
    Object *regs = m ? object_child(m, "acpi-cpu-hotplug") : NULL;

    for (unsigned i = 0; regs && i < m->smp.max_cpus; i++) {
        Vcpu *cpu = m->cpu_slots[i].cpu;
        uint32_t source, status;

        acpi_cpu_hotplug_ost(ACPI_CPU_HOTPLUG(regs), i, &source, &status);
        fill(QAPI_LIST_APPEND(list), cpu ? cpu->dev.id : NULL, ACPI_OSPM_SLOT_CPU, i, source, status);
    }
}

static void add_dimms(QapiACPIOSTInfoList *list)
{
    Machine *m = current_machine();
    Object *regs = m ? object_child(m, "acpi-memory-hotplug") : NULL;

    for (unsigned i = 0; regs && i < m->ram_slots; i++) {
        const PcDimm *d = pc_dimm_in_slot(m, i);
        uint32_t source, status;

        acpi_memory_hotplug_ost(ACPI_MEMORY_HOTPLUG(regs), i, &source, &status);
        fill(QAPI_LIST_APPEND(list), d ? d->dev.id : NULL, ACPI_OSPM_SLOT_DIMM, i, source, status);
    }
}

QapiACPIOSTInfoList *qmp_query_acpi_ospm_status(Error **errp)
{
    QapiACPIOSTInfoList *list = g_new0(QapiACPIOSTInfoList, 1);

    add_dimms(list);
    add_cpus(list);
    return list;
}
