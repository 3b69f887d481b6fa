/*
 * CPUs of the PC-like boards: the machine's table of them, plugging, unplugging.
 *
 * A CPU's place is found from its apic-id or from its socket-id, die-id, module-id, core-id and thread-id,
 * which must agree; the place's position in the table is the CPU's index.  Every CPU has its local APIC as a
 * child, made before and removed after it lives.
 *
 * Locks: BQL.  Unplugging ends in the main loop: the guest's ejection runs on some vCPU's thread, perhaps on
 * the one that goes.
 */
#include "hw/acpi/cpu-hotplug.h"
#include "hw/i386/kvm-irqchip.h"
#include "hw/i386/x86.h"

#include "system/runstate.h"
#include "util/main-loop.h"

#define UNPLUG_RETRY_NS (5 * NANOSECONDS_PER_SECOND)    /* a guest that did not answer may be asked again */

uint32_t x86_apic_id_for_cpu(const SmpConfig *smp, unsigned index)
{
    X86Topology t = x86_topology(smp);
    CpuPlace p = machine_place_of_index(smp, index);

    return x86_apic_id_of_place(&t, &p);
}

uint32_t x86_apic_id_limit(const SmpConfig *smp)
{
    return x86_apic_id_for_cpu(smp, smp->max_cpus - 1) + 1;
}

/* --- which place --- */

typedef struct PlaceField {
    const char *name;
    size_t in_vcpu, in_place, in_smp;
    bool optional;              /* 0 if the machine has one only */
} PlaceField;

#define PLACE_FIELD(field, counts, ...) \
    { #field "-id", offsetof(Vcpu, field##_id), offsetof(CpuPlace, field), offsetof(SmpConfig, counts), ##__VA_ARGS__ }
static const PlaceField place_fields[] = {
    PLACE_FIELD(socket, sockets),
    PLACE_FIELD(die, dies, .optional = true),
    PLACE_FIELD(module, modules, .optional = true),
    PLACE_FIELD(core, cores),
    PLACE_FIELD(thread, threads),
};

static int32_t *vcpu_field(Vcpu *cpu, const PlaceField *f)
{
    return (int32_t *)((char *)cpu + f->in_vcpu);
}

static unsigned *place_number(CpuPlace *p, const PlaceField *f)
{
    return (unsigned *)((char *)p + f->in_place);
}

/* From socket-id and so on. */
static bool place_by_ids(const Machine *m, Vcpu *cpu, CpuPlace *p, Error **errp)
{
    for (unsigned i = 0; i < ARRAY_SIZE(place_fields); i++) {
        const PlaceField *f = &place_fields[i];
        unsigned count = *(const unsigned *)((const char *)&m->smp + f->in_smp);
        int32_t id = *vcpu_field(cpu, f);

        if (id < 0 && f->optional && count == 1) {
            id = 0;
        }
        if (id < 0) {
            error_setg(errp, "CPU %s is not set", f->name);
            return false;
        }
        if ((unsigned)id >= count) {
            error_setg(errp, "Invalid CPU %s: %d must be in range 0:%u", f->name, id, count - 1);
            return false;
        }
        *place_number(p, f) = (unsigned)id;
    }
    return true;
}

/* What was set beside apic-id must say the same; the rest is filled in. */
static bool agree_ids(Vcpu *cpu, CpuPlace *p, uint32_t apic_id, Error **errp)
{
    for (unsigned i = 0; i < ARRAY_SIZE(place_fields); i++) {
        const PlaceField *f = &place_fields[i];
        int32_t *id = vcpu_field(cpu, f);

        if (*id >= 0 && (unsigned)*id != *place_number(p, f)) {
            error_setg(errp, "property %s: %d doesn't match set apic-id: 0x%x (%s: %u)", f->name, *id, apic_id, f->name,
                       *place_number(p, f));
            return false;
        }
        *id = (int32_t)*place_number(p, f);
    }
    return true;
}

static CpuSlot *find_slot(Machine *m, Vcpu *cpu, Error **errp)
{
    X86Topology t = x86_topology(&m->smp);
    uint32_t apic_id = x86_cpu_apic_id(cpu);
    CpuPlace p = { 0 };
    CpuSlot *slot;

    if (apic_id == X86_NO_APIC_ID) {
        if (!place_by_ids(m, cpu, &p, errp)) {
            return NULL;
        }
        apic_id = x86_apic_id_of_place(&t, &p);
    }
    slot = machine_cpu_slot_by_arch_id(m, apic_id);
    p = x86_place_of_apic_id(&t, apic_id);
    if (!slot) {
        error_setg(errp, "Invalid CPU [socket: %u, die: %u, module: %u, core: %u, thread: %u] with APIC ID %u, valid index range 0:%u",
                   p.socket, p.die, p.module, p.core, p.thread, apic_id, m->smp.max_cpus - 1);
        return NULL;
    }
    if (slot->cpu) {
        error_setg(errp, "CPU[%u] with APIC ID %u exists", (unsigned)(slot - m->cpu_slots), apic_id);
        return NULL;
    }
    if (!agree_ids(cpu, &p, apic_id, errp) || !object_property_set_uint(cpu, "apic-id", apic_id, errp)) {
        return NULL;
    }
    return slot;
}

static bool set_node(Vcpu *cpu, const CpuSlot *slot, Error **errp)
{
    int node = MAX(slot->node, 0);

    if (cpu->node_id >= 0 && cpu->node_id != node) {
        error_setg(errp, "invalid node-id, must be %d", node);
        return false;
    }
    cpu->node_id = node;
    return true;
}

/* --- plugging --- */

static bool may_plug(X86Machine *x, Device *dev, Error **errp)
{
    if (strcmp(dev->obj.type->name, x->m.cpu_type)) {
        error_setg(errp, "Invalid CPU type, expected cpu type: '%s'", x->m.cpu_type);
        return false;
    }
    if (!x->cpus_created) {
        return true;
    }
    if (!machine_info(&x->m)->has_hotpluggable_cpus) {
        error_setg(errp, "Device '%s' can not be hotplugged on this machine", dev->obj.type->name);
        return false;
    }
    if (dev->hotplugged && !x->cpu_hotplug) {
        error_setg(errp, "CPU hotplug is disabled: missing acpi device");
        return false;
    }
    return true;
}

static bool cpu_pre_plug(void *opaque, Device *dev, Error **errp)
{
    X86Machine *x = opaque;
    Vcpu *cpu = VCPU(dev);
    CpuSlot *slot;

    /* -cpu's properties hold for every CPU, whenever it comes. */
    if (!may_plug(x, dev, errp) || (x->m.cpu_props && !object_set_properties_dict(cpu, x->m.cpu_props, NULL, errp))) {
        return false;
    }
    slot = find_slot(&x->m, cpu, errp);
    if (!slot || !set_node(cpu, slot, errp)) {
        return false;
    }
    cpu->index = (unsigned)(slot - x->m.cpu_slots);
    cpu->start_powered_off = cpu->index != 0;
    return (accel_irqchip() == ACCEL_IRQCHIP_OFF ? apic_create_for_cpu(cpu, errp) : kvm_apic_create_for_cpu(cpu, errp)) != NULL;
}

static void cpu_undo_pre_plug(void *opaque, Device *dev)
{
    device_unrealize(DEVICE(object_child(dev, "lapic")));
}

/* What firmware asks for: it waits for that many to start. */
static void count_boot_cpus(X86Machine *x)
{
    unsigned n = cpu_count();

    if (x->mc146818) {
        cmos_set_cpus(x->mc146818, n);
    }
    if (x->fw_cfg) {
        fw_cfg_modify_i16(x->fw_cfg, FW_CFG_NB_CPUS, (uint16_t)n);
    }
}

static bool cpu_plug(void *opaque, Device *dev, Error **errp)
{
    X86Machine *x = opaque;
    Vcpu *cpu = VCPU(dev);

    x->m.cpu_slots[cpu->index].cpu = cpu;
    if (!x->cpus_created) {
        return true;
    }
    x->cpus_changed = true;
    x86_cpu_set_a20(cpu, x->a20_drivers != 0);
    count_boot_cpus(x);
    if (dev->hotplugged) {
        acpi_hotplug_inserted(x->cpu_hotplug, cpu->index);
        if (runstate_is_running()) {
            cpu_resume(cpu);
        }
    }
    return true;
}

static bool cpu_unplug_request(void *opaque, Device *dev, Error **errp)
{
    X86Machine *x = opaque;
    Vcpu *cpu = VCPU(dev);

    if (!x->cpu_hotplug) {
        error_setg(errp, "CPU hot unplug not supported without ACPI");
        return false;
    }
    if (cpu->index == 0) {
        error_setg(errp, "Boot CPU is unpluggable");
        return false;
    }
    acpi_hotplug_request_removal(x->cpu_hotplug, cpu->index);
    dev->unplug_retry_ns = clock_get_ns(CLOCK_TYPE_VIRTUAL) + UNPLUG_RETRY_NS;
    return true;
}

static void cpu_unplug(void *opaque, Device *dev)
{
    X86Machine *x = opaque;
    Vcpu *cpu = VCPU(dev);

    cpu_thread_join(cpu);
    device_unrealize(DEVICE(object_child(cpu, "lapic")));
    x->m.cpu_slots[cpu->index].cpu = NULL;
    x->cpus_changed = true;
}

static void ejected(void *opaque)
{
    Device *dev = opaque;
    X86Machine *x = X86_MACHINE(current_machine());

    if (dev->realized) {
        device_unplug_done(dev);
        count_boot_cpus(x);
    }
    object_unref(dev);
}

/* The guest wrote the eject bit of slot @index. */
void x86_cpu_ejected(void *opaque, unsigned index)
{
    X86Machine *x = opaque;
    Vcpu *cpu = x->m.cpu_slots[index].cpu;

    if (cpu && index) {
        bh_schedule_once(ejected, object_ref(cpu));
    }
}

const HotplugHandler x86_cpu_plug_handler = {
    .pre_plug = cpu_pre_plug, .undo_pre_plug = cpu_undo_pre_plug, .plug = cpu_plug, .unplug_request = cpu_unplug_request,
    .unplug = cpu_unplug,
};

const HotplugHandler *x86_hotplug_handler(Machine *m, Device *dev)
{
    return object_is(dev, &vcpu_type) ? &x86_cpu_plug_handler : NULL;
}

/* --- those of the start --- */

static bool create_cpu(X86Machine *x, const TypeInfo *type, unsigned index, Error **errp)
{
    g_autoptr(Object) cpu = object_new(type);

    return object_property_set_uint(cpu, "apic-id", x->m.cpu_slots[index].arch_id, errp)
        && device_realize(DEVICE(cpu), NULL, errp);
}

bool x86_create_cpus(X86Machine *x, Error **errp)
{
    const TypeInfo *type = type_by_name(x->m.cpu_type);

    if (!type || type->abstract || !type_is_a(type, &vcpu_type)) {
        error_setg(errp, "unable to find CPU model '%s'", x->m.cpu_type);
        return false;
    }
    x->apic_bus = apic_bus_create(system_memory(), errp);
    if (!x->apic_bus) {
        return false;
    }
    if (accel_irqchip() != ACCEL_IRQCHIP_OFF) {
        kvm_apic_connect(x->apic_bus);
    }
    for (unsigned i = 0; i < x->m.smp.max_cpus; i++) {
        x->m.cpu_slots[i].arch_id = x86_apic_id_for_cpu(&x->m.smp, i);
    }
    for (unsigned i = 0; i < x->m.smp.cpus; i++) {
        if (!create_cpu(x, type, i, errp)) {
            return false;
        }
    }
    x->cpus_created = true;
    return true;
}
