/*
 * ACPI memory hotplug registers.
 *
 * Layout (QEMU docs/specs/acpi_mem_hotplug), of the slot that was selected:
 *
 *         read                                             write
 *   0x0   address, low half                                selector                                 4 bytes
 *   0x4   address, high half                               OST event                                4 bytes
 *   0x8   size, low half                                   OST status, which reports both           4 bytes
 *   0xc   size, high half                                  -                                        4 bytes
 *   0x10  proximity domain                                 -                                        4 bytes
 *   0x14  0x1 there, 0x2 inserted, 0x4 to remove           0x2, 0x4: clear the event; 0x8: eject    1 byte
 *
 * The GPE is raised whenever an event is set.  A selector beyond the last slot reads as zero and does nothing.
 */
#include "hw/acpi/memory-hotplug.h"

#include "hw/mem/pc-dimm.h"
#include "qapi/qapi-events.h"
#include "util/main-loop.h"

enum { REG_ADDR = 0, REG_SIZE = 8, REG_NODE = 16, REG_FLAGS = 20 };
enum { REG_W_SELECTOR = 0, REG_W_OST_EVENT = 4, REG_W_OST_STATUS = 8 };

typedef struct AcpiMemoryHotplug {
    AcpiHotplug slots;
} AcpiMemoryHotplug;

OBJECT_DECLARE(AcpiMemoryHotplug, ACPI_MEMORY_HOTPLUG, acpi_memory_hotplug)

static Device *dimm_in(const AcpiHotplug *h, unsigned slot)
{
    PcDimm *d = pc_dimm_in_slot(h->machine, slot);

    return d ? &d->dev : NULL;
}

static void ejected(void *opaque)
{
    Device *dev = opaque;

    if (dev->realized) {
        device_unplug_done(dev);
    }
    object_unref(dev);
}

static void eject_dimm(AcpiHotplug *h, unsigned slot)
{
    bh_schedule_once(ejected, object_ref(dimm_in(h, slot)));
}

static void dimm_refused(Device *dev)
{
    qapi_event_send_mem_unplug_error(dev->id ? dev->id : "", "the guest keeps the memory");
}

static const AcpiHotplugKind memory_kind = {
    .name = "acpi-memory-hotplug", .type = ACPI_OSPM_SLOT_DIMM, .gpe = ACPI_MEMORY_HOTPLUG_GPE, .device_in = dimm_in,
    .eject = eject_dimm, .refused = dimm_refused,
};

static uint64_t hotplug_read(void *opaque, hwaddr addr, unsigned size)
{
    const AcpiHotplug *h = opaque;
    const PcDimm *d = acpi_hotplug_selected(h) ? pc_dimm_in_slot(h->machine, h->selector) : NULL;

    switch (addr) {
    case REG_ADDR:     return d ? (uint32_t)d->md.addr : 0;
    case REG_ADDR + 4: return d ? d->md.addr >> 32 : 0;
    case REG_SIZE:     return d ? (uint32_t)pc_dimm_size(d) : 0;
    case REG_SIZE + 4: return d ? pc_dimm_size(d) >> 32 : 0;
    case REG_NODE:     return d ? d->node : 0;
    case REG_FLAGS:    return acpi_hotplug_selected(h) ? acpi_hotplug_read_flags(h) : 0;
    }
    return 0;
}

static void hotplug_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    AcpiHotplug *h = opaque;
    AcpiHotplugSlot *slot;

    if (addr == REG_W_SELECTOR) {
        h->selector = (uint32_t)v;
        return;
    }
    slot = acpi_hotplug_selected_to_write(h);
    if (!slot) {
        return;
    }
    switch (addr) {
    case REG_W_OST_EVENT:
        slot->ost_event = (uint32_t)v;
        break;
    case REG_W_OST_STATUS:
        acpi_hotplug_write_ost_status(h, (uint32_t)v);
        break;
    case REG_FLAGS:
        acpi_hotplug_write_flags(h, (uint8_t)v);
        break;
    }
}

static const MemoryRegionOps hotplug_ops = { .read = hotplug_read, .write = hotplug_write, .valid = { 1, 4 }, .impl = { 1, 4 } };

DEVICE_DEFINE(AcpiMemoryHotplug, acpi_memory_hotplug, "acpi-memory-hotplug", acpi_hotplug,
    .desc       = "ACPI memory hotplug registers",
    .vmstate    = &vmstate_none,
    .hidden     = true,
    .not_user_creatable = true,
)

AcpiHotplug *acpi_memory_hotplug_create(Machine *m, MemoryRegion *io, AcpiPm *pm, Error **errp)
{
    AcpiMemoryHotplug *s = ACPI_MEMORY_HOTPLUG(device_new(&acpi_memory_hotplug_type));

    return acpi_hotplug_create(&s->slots, &memory_kind, m, m->ram_slots, io, ACPI_MEMORY_HOTPLUG_PORT, ACPI_MEMORY_HOTPLUG_LEN,
                               &hotplug_ops, pm, errp);
}
