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

#include "util/log.h"

enum { REG_SELECTOR = 0, REG_FLAGS = 4, REG_COMMAND = 5, REG_DATA = 8 };
enum { CMD_NEXT_EVENT, CMD_OST_EVENT, CMD_OST_STATUS, CMD_ARCH_ID, CMD_MAX = CMD_ARCH_ID };

typedef struct AcpiCpuHotplug {
    AcpiHotplug slots;
    uint8_t command;

    /* constant */
    void (*eject)(void *opaque, unsigned index);
    void *opaque;
} AcpiCpuHotplug;

OBJECT_DECLARE(AcpiCpuHotplug, ACPI_CPU_HOTPLUG, acpi_cpu_hotplug)

static Device *cpu_in(const AcpiHotplug *h, unsigned index)
{
    Vcpu *cpu = h->machine->cpu_slots[index].cpu;

    return cpu ? &cpu->dev : NULL;
}

static void eject_cpu(AcpiHotplug *h, unsigned index)
{
    AcpiCpuHotplug *s = ACPI_CPU_HOTPLUG(h);

    s->eject(s->opaque, index);
}

static const AcpiHotplugKind cpu_kind = {
    .name = "acpi-cpu-hotplug", .type = ACPI_OSPM_SLOT_CPU, .gpe = ACPI_CPU_HOTPLUG_GPE, .device_in = cpu_in, .eject = eject_cpu,
};

static uint64_t hotplug_read(void *opaque, hwaddr addr, unsigned size)
{
    AcpiCpuHotplug *s = opaque;
    const AcpiHotplug *h = &s->slots;

    if (!acpi_hotplug_selected(h)) {
        return 0;
    }
    switch (addr) {
    case REG_FLAGS:
        return acpi_hotplug_read_flags(h);
    case REG_DATA:
        return s->command == CMD_NEXT_EVENT ? h->selector :
               s->command == CMD_ARCH_ID ? h->machine->cpu_slots[h->selector].arch_id : 0;
    default:
        return 0;               /* arch ids have 32 bits */
    }
}

static void select_next_event(AcpiHotplug *h)
{
    for (uint32_t i = 0; i < h->n; i++) {
        uint32_t at = (h->selector + i) % h->n;

        if (h->slots[at]->events) {
            h->selector = at;
            return;
        }
    }
}

static void write_command(AcpiCpuHotplug *s, uint8_t v)
{
    if (v > CMD_MAX) {
        guest_error(cpu_kind.name, "command %u", v);
        return;
    }
    s->command = v;
    if (v == CMD_NEXT_EVENT) {
        select_next_event(&s->slots);
    }
}

static void write_data(AcpiCpuHotplug *s, uint32_t v)
{
    if (s->command == CMD_OST_EVENT) {
        acpi_hotplug_selected(&s->slots)->ost_event = v;
    } else if (s->command == CMD_OST_STATUS) {
        acpi_hotplug_write_ost_status(&s->slots, v);
    }
}

static void hotplug_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    AcpiCpuHotplug *s = opaque;

    if (addr == REG_SELECTOR) {
        s->slots.selector = (uint32_t)v;
        return;
    }
    if (!acpi_hotplug_selected_to_write(&s->slots)) {
        return;
    }
    switch (addr) {
    case REG_FLAGS:
        acpi_hotplug_write_flags(&s->slots, (uint8_t)v);
        break;
    case REG_COMMAND:
        write_command(s, (uint8_t)v);
        break;
    case REG_DATA:
        write_data(s, (uint32_t)v);
        break;
    }
}

static const MemoryRegionOps hotplug_ops = { .read = hotplug_read, .write = hotplug_write, .valid = { 1, 4 }, .impl = { 1, 4 } };

/* --- the device --- */

static void hotplug_reset(Device *dev, ResetType type)
{
    ACPI_CPU_HOTPLUG(dev)->command = 0;
}

static bool hotplug_post_load(void *opaque, unsigned version, Error **errp)
{
    const AcpiCpuHotplug *s = opaque;

    if (s->command > CMD_MAX) {
        error_setg(errp, "acpi-cpu-hotplug: command must be 0..%d, got %u", CMD_MAX, s->command);
        return false;
    }
    return true;
}

static const VMState hotplug_vmstate = {
    .name = "acpi-cpu-hotplug", .version = 1, .minimum_version = 1, .post_load = hotplug_post_load,
    .fields = (const VMField[]){ VMS_U8(AcpiCpuHotplug, command), VMS_END },
};

DEVICE_DEFINE(AcpiCpuHotplug, acpi_cpu_hotplug, "acpi-cpu-hotplug", acpi_hotplug,
    .desc       = "ACPI CPU hotplug registers",
    .reset_hold = hotplug_reset,
    .vmstate    = &hotplug_vmstate,
    .hidden     = true,
    .not_user_creatable = true,
)

AcpiHotplug *acpi_cpu_hotplug_create(Machine *m, MemoryRegion *io, uint16_t port, AcpiPm *pm,
                                     void (*eject)(void *opaque, unsigned index), void *opaque, Error **errp)
{
    AcpiCpuHotplug *s = ACPI_CPU_HOTPLUG(device_new(&acpi_cpu_hotplug_type));

    s->eject = eject;
    s->opaque = opaque;
    return acpi_hotplug_create(&s->slots, &cpu_kind, m, m->smp.max_cpus, io, port, ACPI_CPU_HOTPLUG_LEN, &hotplug_ops, pm, errp);
}
