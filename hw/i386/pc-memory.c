/*
 * DIMMs on the PC boards: how they are plugged, and how the guest is asked to let them go.
 */
#include "hw/acpi/memory-hotplug.h"
#include "hw/i386/pc.h"
#include "hw/mem/pc-dimm.h"

#define UNPLUG_RETRY_NS (5 * NANOSECONDS_PER_SECOND)    /* a guest that did not answer may be asked again */

static bool dimm_pre_plug(void *opaque, Device *dev, Error **errp)
{
    if (dev->hotplugged && !PC_MACHINE(opaque)->memory_hotplug) {
        error_setg(errp, "memory hotplug is not enabled: it needs ACPI and -m slots=");
        return false;
    }
    return true;
}

static bool dimm_plug(void *opaque, Device *dev, Error **errp)
{
    if (dev->hotplugged) {
        acpi_hotplug_inserted(PC_MACHINE(opaque)->memory_hotplug, (unsigned)PC_DIMM(dev)->slot);
    }
    return true;
}

static bool dimm_unplug_request(void *opaque, Device *dev, Error **errp)
{
    PcMachine *pc = opaque;

    if (!pc->memory_hotplug) {
        error_setg(errp, "memory hot unplug is not supported without ACPI");
        return false;
    }
    acpi_hotplug_request_removal(pc->memory_hotplug, (unsigned)PC_DIMM(dev)->slot);
    dev->unplug_retry_ns = clock_get_ns(CLOCK_TYPE_VIRTUAL) + UNPLUG_RETRY_NS;
    return true;
}

static const HotplugHandler dimm_handler = {
    .pre_plug = dimm_pre_plug, .plug = dimm_plug, .unplug_request = dimm_unplug_request,
};

const HotplugHandler *pc_hotplug_handler(Machine *m, Device *dev)
{
    return object_is(dev, &pc_dimm_type) ? &dimm_handler : x86_hotplug_handler(m, dev);
}

bool pc_memory_hotplug(PcMachine *pc, AcpiPm *pm, Error **errp)
{
    X86Machine *x = &pc->x86;

    if (x->acpi == ON_OFF_AUTO_OFF || !x->m.ram_slots || !x->m.device_memory) {
        return true;
    }
    pc->memory_hotplug = acpi_memory_hotplug_create(&x->m, system_io(), pm, errp);
    return pc->memory_hotplug != NULL;
}
