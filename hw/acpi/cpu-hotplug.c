/*
 * ACPI CPU hotplug registers.
 *
 * Layout (QEMU docs/specs/acpi_cpu_hotplug, the interface after its mode switch); all at the slot that was selected:
 *
 *        read                                              write
 *   0x0  command data 2: high half of the arch id          selector                                  4 bytes
 *   0x4  flags: 0x1 there, 0x2 inserted, 0x4 to remove     0x2, 0x4: clear the event; 0x8: eject     1 byte
 *   0x5  -                                                 command                                   1 byte
 *   0x8  command data, by the last command                 command data, by the last command         4 bytes
 *
 *   command 0: select the next slot with an event, from the selected one on; data reads the selector
 *           1: data writes the OST event    2: data writes the OST status, which reports both
 *           3: data reads the low half of the arch id
 *
 * The GPE is raised whenever an event is set.  A selector beyond the last slot reads as zero and does nothing.
 */
#include "hw/acpi/cpu-hotplug.h"

#include "hw/acpi/ospm.h"
#include "util/log.h"

enum { REG_SELECTOR = 0, REG_FLAGS = 4, REG_COMMAND = 5, REG_DATA = 8 };
enum { FLAG_ENABLED = 1, FLAG_INSERTED = 2, FLAG_REMOVE = 4, FLAG_EJECT = 8 };
enum { CMD_NEXT_EVENT, CMD_OST_EVENT, CMD_OST_STATUS, CMD_ARCH_ID, CMD_MAX = CMD_ARCH_ID };

typedef struct SlotState {
    uint8_t events;             /* FLAG_INSERTED, FLAG_REMOVE */
    uint32_t ost_event, ost_status;
} SlotState;

struct AcpiCpuHotplug {
    Device dev;
    MemoryRegion mr;
    uint32_t selector;
    uint8_t command;
    SlotState **slots;          /* [n]; owned */

    /* constant */
    Machine *machine;
    uint32_t n;
    AcpiPm *pm;
    MemoryRegion *io;
    void (*eject)(void *opaque, unsigned index);
    void *opaque;
};

static SlotState *selected(AcpiCpuHotplug *s)
{
    return s->selector < s->n ? s->slots[s->selector] : NULL;
}

static const CpuSlot *selected_cpu(const AcpiCpuHotplug *s)
{
    return &s->machine->cpu_slots[s->selector];
}

/* --- reading --- */

static uint32_t flags(AcpiCpuHotplug *s)
{
    return (selected_cpu(s)->cpu ? FLAG_ENABLED : 0) | selected(s)->events;
}

static uint64_t hotplug_read(void *opaque, hwaddr addr, unsigned size)
{
    AcpiCpuHotplug *s = opaque;

    if (!selected(s)) {
        return 0;
    }
    switch (addr) {
    case REG_FLAGS:
        return flags(s);
    case REG_DATA:
        return s->command == CMD_NEXT_EVENT ? s->selector : s->command == CMD_ARCH_ID ? selected_cpu(s)->arch_id : 0;
    default:
        return 0;               /* arch ids have 32 bits */
    }
}

/* --- writing --- */

static void select_next_event(AcpiCpuHotplug *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t at = (s->selector + i) % s->n;

        if (s->slots[at]->events) {
            s->selector = at;
            return;
        }
    }
}

static void write_flags(AcpiCpuHotplug *s, uint8_t v)
{
    SlotState *slot = selected(s);

    slot->events &= (uint8_t)~(v & (FLAG_INSERTED | FLAG_REMOVE));
    if ((v & FLAG_EJECT) && !selected_cpu(s)->cpu) {
        guest_error("acpi-cpu-hotplug", "ejects CPU %u, which is not there", s->selector);
    } else if (v & FLAG_EJECT) {
        s->eject(s->opaque, s->selector);
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

static void write_data(AcpiCpuHotplug *s, uint32_t v)
{
    SlotState *slot = selected(s);

    if (s->command == CMD_OST_EVENT) {
        slot->ost_event = v;
    } else if (s->command == CMD_OST_STATUS) {
        const CpuSlot *cpu = selected_cpu(s);

        slot->ost_status = v;
        acpi_ospm_reported(cpu->cpu ? cpu->cpu->dev.id : NULL, ACPI_OSPM_SLOT_CPU, s->selector, slot->ost_event, v);
        if (cpu->cpu && cpu->cpu->dev.unplug_pending && is_refusal(slot)) {
            device_unplug_refused(&cpu->cpu->dev);
        }
    }
}

static void hotplug_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    AcpiCpuHotplug *s = opaque;

    if (addr == REG_SELECTOR) {
        s->selector = (uint32_t)v;
        return;
    }
    if (!selected(s)) {
        guest_error("acpi-cpu-hotplug", "selects CPU %u of %u", s->selector, s->n);
        return;
    }
    switch (addr) {
    case REG_FLAGS:
        write_flags(s, (uint8_t)v);
        break;
    case REG_COMMAND:
        if (v > CMD_MAX) {
            guest_error("acpi-cpu-hotplug", "command %u", (unsigned)v);
            break;
        }
        s->command = (uint8_t)v;
        if (v == CMD_NEXT_EVENT) {
            select_next_event(s);
        }
        break;
    case REG_DATA:
        write_data(s, (uint32_t)v);
        break;
    }
}

static const MemoryRegionOps hotplug_ops = { .read = hotplug_read, .write = hotplug_write, .valid = { 1, 4 }, .impl = { 1, 4 } };

/* --- for the board --- */

static void raise_event(AcpiCpuHotplug *s, unsigned index, uint8_t event)
{
    assert(index < s->n);
    s->slots[index]->events |= event;
    acpi_pm_gpe_raise(s->pm, ACPI_CPU_HOTPLUG_GPE);
}

void acpi_cpu_hotplug_inserted(AcpiCpuHotplug *s, unsigned index)
{
    raise_event(s, index, FLAG_INSERTED);
}

void acpi_cpu_hotplug_request_removal(AcpiCpuHotplug *s, unsigned index)
{
    raise_event(s, index, FLAG_REMOVE);
}

void acpi_cpu_hotplug_ost(const AcpiCpuHotplug *s, unsigned index, uint32_t *source, uint32_t *status)
{
    *source = s->slots[index]->ost_event;
    *status = s->slots[index]->ost_status;
}

/* --- the device --- */

/* The guest starts anew: it finds the CPUs that are there by itself. */
static void hotplug_reset(Device *dev, ResetType type)
{
    AcpiCpuHotplug *s = ACPI_CPU_HOTPLUG(dev);

    s->selector = 0;
    s->command = 0;
    for (unsigned i = 0; i < s->n; i++) {
        s->slots[i]->events &= FLAG_REMOVE;
    }
}

static void hotplug_fini(Object *obj)
{
    AcpiCpuHotplug *s = ACPI_CPU_HOTPLUG(obj);

    for (unsigned i = 0; i < s->n; i++) {
        g_free(s->slots[i]);
    }
    g_free(s->slots);
}

static void hotplug_unrealize(Device *dev)
{
    AcpiCpuHotplug *s = ACPI_CPU_HOTPLUG(dev);

    memory_region_del_subregion(s->io, &s->mr);
    memory_region_fini(&s->mr);
}

static const VMField slot_fields[] = {
    VMS_U8(SlotState, events),
    VMS_U32(SlotState, ost_event),
    VMS_U32(SlotState, ost_status),
    VMS_END
};
static const VMState slot_vmstate = { .name = "acpi-cpu-hotplug/slot", .version = 1, .minimum_version = 1, .fields = slot_fields };

static bool hotplug_post_load(void *opaque, unsigned version, Error **errp)
{
    AcpiCpuHotplug *s = opaque;

    if (s->command > CMD_MAX) {
        error_setg(errp, "acpi-cpu-hotplug: command must be 0..%d, got %u", CMD_MAX, s->command);
        return false;
    }
    for (unsigned i = 0; i < s->n; i++) {
        s->slots[i]->events &= FLAG_INSERTED | FLAG_REMOVE;
    }
    return true;
}

static const VMField hotplug_fields[] = {
    VMS_U32(AcpiCpuHotplug, selector),
    VMS_U8(AcpiCpuHotplug, command),
    VMS_STRUCT_POINTERS(AcpiCpuHotplug, slots, n, &slot_vmstate),
    VMS_END
};
static const VMState hotplug_vmstate = {
    .name = "acpi-cpu-hotplug", .version = 1, .minimum_version = 1, .fields = hotplug_fields, .post_load = hotplug_post_load,
};

DEVICE_DEFINE(AcpiCpuHotplug, acpi_cpu_hotplug, "acpi-cpu-hotplug", device,
    .desc       = "ACPI CPU hotplug registers",
    .fini       = hotplug_fini,
    .unrealize  = hotplug_unrealize,
    .reset_hold = hotplug_reset,
    .vmstate    = &hotplug_vmstate,
    .hidden     = true,
    .not_user_creatable = true,
)

AcpiCpuHotplug *acpi_cpu_hotplug_create(Machine *m, MemoryRegion *io, uint16_t port, AcpiPm *pm,
                                        void (*eject)(void *opaque, unsigned index), void *opaque, Error **errp)
{
    AcpiCpuHotplug *s = ACPI_CPU_HOTPLUG(device_new(&acpi_cpu_hotplug_type));

    s->machine = m;
    s->n = m->smp.max_cpus;
    s->slots = g_new0(SlotState *, s->n);
    for (unsigned i = 0; i < s->n; i++) {
        s->slots[i] = g_new0(SlotState, 1);
    }
    s->pm = pm;
    s->io = io;
    s->eject = eject;
    s->opaque = opaque;
    memory_region_init_io(&s->mr, s, &hotplug_ops, s, "acpi-cpu-hotplug", ACPI_CPU_HOTPLUG_LEN);
    memory_region_add_subregion(io, port, &s->mr);
    object_add_child(m, "acpi-cpu-hotplug", s);
    return device_realize_and_unref(&s->dev, NULL, errp) ? s : NULL;
}
