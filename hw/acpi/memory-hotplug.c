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

#include "hw/acpi/ospm.h"
#include "hw/mem/pc-dimm.h"
#include "qapi/qapi-events.h"
#include "util/log.h"
#include "util/main-loop.h"

enum { REG_ADDR = 0, REG_SIZE = 8, REG_NODE = 16, REG_FLAGS = 20 };
enum { REG_W_SELECTOR = 0, REG_W_OST_EVENT = 4, REG_W_OST_STATUS = 8 };
enum { FLAG_ENABLED = 1, FLAG_INSERTED = 2, FLAG_REMOVE = 4, FLAG_EJECT = 8 };

typedef struct SlotState {
    uint8_t events;             /* FLAG_INSERTED, FLAG_REMOVE */
    uint32_t ost_event, ost_status;
} SlotState;

struct AcpiMemoryHotplug {
    Device dev;
    MemoryRegion mr;
    uint32_t selector;
    SlotState **slots;          /* [n]; owned */

    /* constant */
    Machine *machine;
    uint32_t n;
    AcpiPm *pm;
    MemoryRegion *io;
};

static SlotState *selected(AcpiMemoryHotplug *s)
{
    return s->selector < s->n ? s->slots[s->selector] : NULL;
}

static PcDimm *selected_dimm(AcpiMemoryHotplug *s)
{
    return pc_dimm_in_slot(s->machine, s->selector);
}

/* --- reading --- */

static uint64_t hotplug_read(void *opaque, hwaddr addr, unsigned size)
{
    AcpiMemoryHotplug *s = opaque;
    const PcDimm *d = selected(s) ? selected_dimm(s) : NULL;

    if (!selected(s)) {
        return 0;
    }
    switch (addr) {
    case REG_ADDR:     return d ? (uint32_t)d->md.addr : 0;
    case REG_ADDR + 4: return d ? d->md.addr >> 32 : 0;
    case REG_SIZE:     return d ? (uint32_t)pc_dimm_size(d) : 0;
    case REG_SIZE + 4: return d ? pc_dimm_size(d) >> 32 : 0;
    case REG_NODE:     return d ? d->node : 0;
    case REG_FLAGS:    return (d ? FLAG_ENABLED : 0) | selected(s)->events;
    }
    return 0;
}

/* --- writing --- */

static void ejected(void *opaque)
{
    Device *dev = opaque;

    if (dev->realized) {
        device_unplug_done(dev);
    }
    object_unref(dev);
}

static void write_flags(AcpiMemoryHotplug *s, uint8_t v)
{
    PcDimm *d = selected_dimm(s);

    selected(s)->events &= (uint8_t)~(v & (FLAG_INSERTED | FLAG_REMOVE));
    if ((v & FLAG_EJECT) && !d) {
        guest_error("acpi-memory-hotplug", "ejects memory slot %u, which is empty", s->selector);
    } else if (v & FLAG_EJECT) {
        bh_schedule_once(ejected, object_ref(d));
    }
}

/* ACPI 6.4, table 6.44: an answer to an ejection request that is none of "done" and "in progress". */
static bool is_refusal(const SlotState *slot)
{
    const uint32_t pending = 0x83, in_progress = 0x84;
    const uint8_t eject_request = 3;

    return (slot->ost_event & 0xff) == eject_request && slot->ost_status && slot->ost_status != pending
        && slot->ost_status != in_progress;
}

static void report(AcpiMemoryHotplug *s, uint32_t status)
{
    SlotState *slot = selected(s);
    PcDimm *d = selected_dimm(s);

    slot->ost_status = status;
    acpi_ospm_reported(d ? d->dev.id : NULL, ACPI_OSPM_SLOT_DIMM, s->selector, slot->ost_event, status);
    if (d && d->dev.unplug_pending && is_refusal(slot)) {
        qapi_event_send_mem_unplug_error(d->dev.id ? d->dev.id : "", "the guest keeps the memory");
        device_unplug_refused(&d->dev);
    }
}

static void hotplug_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    AcpiMemoryHotplug *s = opaque;

    if (addr == REG_W_SELECTOR) {
        s->selector = (uint32_t)v;
        return;
    }
    if (!selected(s)) {
        guest_error("acpi-memory-hotplug", "selects memory slot %u of %u", s->selector, s->n);
        return;
    }
    switch (addr) {
    case REG_W_OST_EVENT:
        selected(s)->ost_event = (uint32_t)v;
        break;
    case REG_W_OST_STATUS:
        report(s, (uint32_t)v);
        break;
    case REG_FLAGS:
        write_flags(s, (uint8_t)v);
        break;
    }
}

static const MemoryRegionOps hotplug_ops = { .read = hotplug_read, .write = hotplug_write, .valid = { 1, 4 }, .impl = { 1, 4 } };

/* --- for the board --- */

static void raise_event(AcpiMemoryHotplug *s, unsigned slot, uint8_t event)
{
    assert(slot < s->n);
    s->slots[slot]->events |= event;
    acpi_pm_gpe_raise(s->pm, ACPI_MEMORY_HOTPLUG_GPE);
}

void acpi_memory_hotplug_inserted(AcpiMemoryHotplug *s, unsigned slot)
{
    raise_event(s, slot, FLAG_INSERTED);
}

void acpi_memory_hotplug_request_removal(AcpiMemoryHotplug *s, unsigned slot)
{
    raise_event(s, slot, FLAG_REMOVE);
}

void acpi_memory_hotplug_ost(const AcpiMemoryHotplug *s, unsigned slot, uint32_t *source, uint32_t *status)
{
    *source = s->slots[slot]->ost_event;
    *status = s->slots[slot]->ost_status;
}

/* --- the device --- */

/* The guest starts anew: it finds the memory that is there by itself. */
static void hotplug_reset(Device *dev, ResetType type)
{
    AcpiMemoryHotplug *s = ACPI_MEMORY_HOTPLUG(dev);

    s->selector = 0;
    for (unsigned i = 0; i < s->n; i++) {
        s->slots[i]->events &= FLAG_REMOVE;
    }
}

static void hotplug_fini(Object *obj)
{
    AcpiMemoryHotplug *s = ACPI_MEMORY_HOTPLUG(obj);

    for (unsigned i = 0; i < s->n; i++) {
        g_free(s->slots[i]);
    }
    g_free(s->slots);
}

static void hotplug_unrealize(Device *dev)
{
    AcpiMemoryHotplug *s = ACPI_MEMORY_HOTPLUG(dev);

    memory_region_del_subregion(s->io, &s->mr);
    memory_region_fini(&s->mr);
}

static const VMField slot_fields[] = {
    VMS_U8(SlotState, events),
    VMS_U32(SlotState, ost_event),
    VMS_U32(SlotState, ost_status),
    VMS_END
};
static const VMState slot_vmstate = { .name = "acpi-memory-hotplug/slot", .version = 1, .minimum_version = 1, .fields = slot_fields };

static bool hotplug_post_load(void *opaque, unsigned version, Error **errp)
{
    AcpiMemoryHotplug *s = opaque;

    for (unsigned i = 0; i < s->n; i++) {
        s->slots[i]->events &= FLAG_INSERTED | FLAG_REMOVE;
    }
    return true;
}

static const VMField hotplug_fields[] = {
    VMS_U32(AcpiMemoryHotplug, selector),
    VMS_STRUCT_POINTERS(AcpiMemoryHotplug, slots, n, &slot_vmstate),
    VMS_END
};
static const VMState hotplug_vmstate = {
    .name = "acpi-memory-hotplug", .version = 1, .minimum_version = 1, .fields = hotplug_fields, .post_load = hotplug_post_load,
};

DEVICE_DEFINE(AcpiMemoryHotplug, acpi_memory_hotplug, "acpi-memory-hotplug", device,
    .desc       = "ACPI memory hotplug registers",
    .fini       = hotplug_fini,
    .unrealize  = hotplug_unrealize,
    .reset_hold = hotplug_reset,
    .vmstate    = &hotplug_vmstate,
    .hidden     = true,
    .not_user_creatable = true,
)

AcpiMemoryHotplug *acpi_memory_hotplug_create(Machine *m, MemoryRegion *io, AcpiPm *pm, Error **errp)
{
    AcpiMemoryHotplug *s = ACPI_MEMORY_HOTPLUG(device_new(&acpi_memory_hotplug_type));

    s->machine = m;
    s->n = m->ram_slots;
    s->slots = g_new0(SlotState *, s->n);
    for (unsigned i = 0; i < s->n; i++) {
        s->slots[i] = g_new0(SlotState, 1);
    }
    s->pm = pm;
    s->io = io;
    memory_region_init_io(&s->mr, s, &hotplug_ops, s, "acpi-mem-hotplug", ACPI_MEMORY_HOTPLUG_LEN);
    memory_region_add_subregion(io, ACPI_MEMORY_HOTPLUG_PORT, &s->mr);
    object_add_child(m, "acpi-memory-hotplug", s);
    return device_realize_and_unref(&s->dev, NULL, errp) ? s : NULL;
}
