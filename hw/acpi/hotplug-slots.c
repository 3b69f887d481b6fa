/*
 * ACPI hotplug: slots, events, ejection, reports.
 */
#include "hw/acpi/hotplug-slots.h"

#include "util/log.h"

AcpiHotplugSlot *acpi_hotplug_selected(const AcpiHotplug *h)
{
    return h->selector < h->n ? h->slots[h->selector] : NULL;
}

AcpiHotplugSlot *acpi_hotplug_selected_to_write(const AcpiHotplug *h)
{
    AcpiHotplugSlot *slot = acpi_hotplug_selected(h);

    if (!slot) {
        guest_error(h->kind->name, "selects slot %u of %u", h->selector, h->n);
    }
    return slot;
}

static Device *selected_device(const AcpiHotplug *h)
{
    return h->kind->device_in(h, h->selector);
}

uint8_t acpi_hotplug_read_flags(const AcpiHotplug *h)
{
    return (selected_device(h) ? ACPI_SLOT_ENABLED : 0) | acpi_hotplug_selected(h)->events;
}

void acpi_hotplug_write_flags(AcpiHotplug *h, uint8_t v)
{
    acpi_hotplug_selected(h)->events &= (uint8_t)~(v & (ACPI_SLOT_INSERTED | ACPI_SLOT_REMOVE));
    if ((v & ACPI_SLOT_EJECT) && !selected_device(h)) {
        guest_error(h->kind->name, "ejects slot %u, which is empty", h->selector);
    } else if (v & ACPI_SLOT_EJECT) {
        h->kind->eject(h, h->selector);
    }
}

/* ACPI 6.4, table 6.44: an answer to an ejection request that is none of "done" and "in progress". */
static bool is_refusal(const AcpiHotplugSlot *slot)
{
    const uint32_t pending = 0x83, in_progress = 0x84;
    const uint8_t eject_request = 3;

    return (slot->ost_event & 0xff) == eject_request && slot->ost_status && slot->ost_status != pending
        && slot->ost_status != in_progress;
}

void acpi_hotplug_write_ost_status(AcpiHotplug *h, uint32_t status)
{
    AcpiHotplugSlot *slot = acpi_hotplug_selected(h);
    Device *dev = selected_device(h);

    slot->ost_status = status;
    acpi_ospm_reported(dev ? dev->id : NULL, h->kind->type, h->selector, slot->ost_event, status);
    if (dev && dev->unplug_pending && is_refusal(slot)) {
        if (h->kind->refused) {
            h->kind->refused(dev);
        }
        device_unplug_refused(dev);
    }
}

static void raise_event(AcpiHotplug *h, unsigned slot, uint8_t event)
{
    assert(slot < h->n);
    h->slots[slot]->events |= event;
    acpi_pm_gpe_raise(h->pm, h->kind->gpe);
}

void acpi_hotplug_inserted(AcpiHotplug *h, unsigned slot)
{
    raise_event(h, slot, ACPI_SLOT_INSERTED);
}

void acpi_hotplug_request_removal(AcpiHotplug *h, unsigned slot)
{
    raise_event(h, slot, ACPI_SLOT_REMOVE);
}

/* --- the device --- */

/* The guest starts anew: it finds by itself what is there. */
static void hotplug_reset(Device *dev, ResetType type)
{
    AcpiHotplug *h = ACPI_HOTPLUG(dev);

    h->selector = 0;
    for (unsigned i = 0; i < h->n; i++) {
        h->slots[i]->events &= ACPI_SLOT_REMOVE;
    }
}

static void hotplug_fini(Object *obj)
{
    AcpiHotplug *h = ACPI_HOTPLUG(obj);

    for (unsigned i = 0; i < h->n; i++) {
        g_free(h->slots[i]);
    }
    g_free(h->slots);
}

static void hotplug_unrealize(Device *dev)
{
    AcpiHotplug *h = ACPI_HOTPLUG(dev);

    memory_region_del_subregion(h->io, &h->mr);
    memory_region_fini(&h->mr);
}

static const VMState slot_vmstate = {
    .name = "acpi-hotplug/slot", .version = 1, .minimum_version = 1,
    .fields = (const VMField[]){
        VMS_U8(AcpiHotplugSlot, events), VMS_U32(AcpiHotplugSlot, ost_event), VMS_U32(AcpiHotplugSlot, ost_status), VMS_END,
    },
};

static bool hotplug_post_load(void *opaque, unsigned version, Error **errp)
{
    AcpiHotplug *h = opaque;

    for (unsigned i = 0; i < h->n; i++) {
        h->slots[i]->events &= ACPI_SLOT_INSERTED | ACPI_SLOT_REMOVE;
    }
    return true;
}

static const VMState hotplug_vmstate = {
    .name = "acpi-hotplug", .version = 1, .minimum_version = 1, .post_load = hotplug_post_load,
    .fields = (const VMField[]){
        VMS_U32(AcpiHotplug, selector), VMS_STRUCT_POINTERS(AcpiHotplug, slots, n, &slot_vmstate), VMS_END,
    },
};

DEVICE_DEFINE_ABSTRACT(AcpiHotplug, acpi_hotplug, "acpi-hotplug", device,
    .fini       = hotplug_fini,
    .unrealize  = hotplug_unrealize,
    .reset_hold = hotplug_reset,
    .vmstate    = &hotplug_vmstate,
)

AcpiHotplug *acpi_hotplug_create(AcpiHotplug *h, const AcpiHotplugKind *kind, Machine *m, unsigned n, MemoryRegion *io, uint16_t port,
                                 unsigned len, const MemoryRegionOps *ops, AcpiPm *pm, Error **errp)
{
    h->kind = kind;
    h->machine = m;
    h->n = n;
    h->slots = g_new0(AcpiHotplugSlot *, n);
    for (unsigned i = 0; i < n; i++) {
        h->slots[i] = g_new0(AcpiHotplugSlot, 1);
    }
    h->pm = pm;
    h->io = io;
    memory_region_init_io(&h->mr, h, ops, h, kind->name, len);
    memory_region_add_subregion(io, port, &h->mr);
    object_add_child(m, kind->name, h);
    return device_realize_and_unref(&h->dev, NULL, errp) ? h : NULL;
}
