/*
 * The APIC bus: routing of interrupt messages between IOAPICs, devices (MSI) and local APICs.
 *
 * Reference: SDM Vol.3 11.6.2 (determining the destination), 11.11 (message-signalled interrupts).
 *
 * The window at 0xfee00000 means one thing to each CPU, its own registers, and another to devices:
 * a write is a message.  Who is asking is known from the access's attributes: CPUs' accesses have
 * neither `unspecified` nor a requester.
 *
 * Locks: BQL.
 */
#include "apic-internal.h"
#include "util/log.h"

typedef struct EoiListener {
    ApicEoiFn *fn;
    void *opaque;
} EoiListener;

/* --- routing --- */

static LocalApic *apic_at(const ApicBus *bus, unsigned i)
{
    return g_ptr_array_index(bus->apics, i);
}

/* SDM Vol.3 11.6.2.4: the least busy of those addressed; equals take turns. */
static LocalApic *arbitrate_lowest(ApicBus *bus, const ApicMessage *m, bool x2_sender)
{
    unsigned n = bus->apics->len, best_ppr = 256;
    LocalApic *best = NULL;

    for (unsigned k = 1; k <= n; k++) {
        unsigned i = (bus->last_lowest + k) % n;
        LocalApic *s = apic_at(bus, i);

        if (apic_is_software_enabled(s) && apic_matches(s, m->dest, m->dest_logical, x2_sender) && apic_ppr(s) < best_ppr) {
            best = s;
            best_ppr = apic_ppr(s);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (apic_at(bus, i) == best) {
            bus->last_lowest = i;
        }
    }
    return best;
}

void apic_bus_route(ApicBus *bus, const ApicMessage *m, bool x2_sender, const LocalApic *except)
{
    if (m->delivery_mode == APIC_DM_LOWPRI) {
        LocalApic *s = arbitrate_lowest(bus, m, x2_sender);

        if (s) {
            apic_accept(s, m);
        }
        return;
    }
    for (unsigned i = 0; i < bus->apics->len; i++) {
        LocalApic *s = apic_at(bus, i);

        if (s != except && apic_matches(s, m->dest, m->dest_logical, x2_sender)) {
            apic_accept(s, m);
        }
    }
}

/* As SDM Vol.3 11.11 has it. */
static uint64_t msi_address(const ApicMessage *m)
{
    return APIC_DEFAULT_BASE | (m->dest & 0xff) << 12 | m->dest_logical << 2;
}

static uint32_t msi_data(const ApicMessage *m)
{
    return m->vector | (uint32_t)m->delivery_mode << 8 | (uint32_t)m->level_assert << 14 | (uint32_t)m->level_triggered << 15;
}

void apic_bus_deliver(ApicBus *bus, const ApicMessage *m)
{
    if (bus->outside) {
        bus->outside->send(msi_address(m), msi_data(m));
        return;
    }
    apic_bus_route(bus, m, false, NULL);
}

void apic_bus_announce(ApicBus *bus, unsigned pin, const ApicMessage *m)
{
    if (bus->outside) {
        bus->outside->announce(pin, msi_address(m), msi_data(m));
    }
}

void apic_bus_set_outside(ApicBus *bus, const ApicOutsideOps *ops)
{
    bus->outside = ops;
}

void apic_bus_send_msi(ApicBus *bus, uint64_t address, uint32_t data)
{
    if (bus->outside) {
        bus->outside->send(address, data);
        return;
    }
    apic_bus_deliver(bus, &(ApicMessage){
        .dest = extract64(address, 12, 8), .dest_logical = extract64(address, 2, 1),
        .delivery_mode = extract32(data, 8, 3), .vector = data & 0xff,
        .level_triggered = extract32(data, 15, 1), .level_assert = extract32(data, 14, 1) || !extract32(data, 15, 1),
    });
}

/* --- EOI --- */

void apic_bus_add_eoi_listener(ApicBus *bus, ApicEoiFn *fn, void *opaque)
{
    EoiListener l = { fn, opaque };
    g_array_append_val(bus->eoi_listeners, l);
}

void apic_bus_remove_eoi_listener(ApicBus *bus, void *opaque)
{
    for (unsigned i = 0; i < bus->eoi_listeners->len; i++) {
        if (g_array_index(bus->eoi_listeners, EoiListener, i).opaque == opaque) {
            g_array_remove_index(bus->eoi_listeners, i);
            return;
        }
    }
}

void apic_bus_eoi(ApicBus *bus, uint8_t vector)
{
    for (unsigned i = 0; i < bus->eoi_listeners->len; i++) {
        EoiListener l = g_array_index(bus->eoi_listeners, EoiListener, i);
        l.fn(l.opaque, vector);
    }
}

void apic_bus_eoi_from_outside(void *bus, uint8_t vector)
{
    apic_bus_eoi(bus, vector);
}

/* --- the PIC and NMI wires --- */

bool apic_bus_pic_level(const ApicBus *bus)
{
    return bus->pic_level;
}

int apic_bus_pic_acknowledge(ApicBus *bus)
{
    return bus->pic_acknowledge ? bus->pic_acknowledge(bus->pic_opaque) : -1;
}

static void extint_changed(void *opaque, unsigned n, int level)
{
    ApicBus *bus = opaque;

    if (bus->pic_level == !!level) {
        return;
    }
    bus->pic_level = level;
    if (bus->outside) {
        bus->outside->pic_changed(bus, level);
        return;
    }
    for (unsigned i = 0; i < bus->apics->len; i++) {
        apic_lint0(apic_at(bus, i), level);
    }
}

IrqLine apic_extint_line(ApicBus *bus)
{
    return irq_line(extint_changed, bus, 0);
}

void apic_connect_pic(ApicBus *bus, int (*acknowledge)(void *opaque), void *opaque)
{
    bus->pic_acknowledge = acknowledge;
    bus->pic_opaque = opaque;
}

void apic_bus_nmi(ApicBus *bus)
{
    if (bus->outside) {
        bus->outside->nmi();
        return;
    }
    for (unsigned i = 0; i < bus->apics->len; i++) {
        apic_lint1_nmi(apic_at(bus, i));
    }
}

/* --- the window --- */

/* The local APIC whose registers the access at @addr in the window reaches; NULL: none. */
static LocalApic *own_apic(const ApicBus *bus, hwaddr addr, MemTxAttrs attrs)
{
    Vcpu *cpu = cpu_current();

    if (!cpu || attrs.unspecified || attrs.requester_id) {
        return NULL;
    }
    for (unsigned i = 0; i < bus->apics->len; i++) {
        LocalApic *s = apic_at(bus, i);

        if (s->cpu == cpu) {
            bool here = (s->base & APIC_BASE_ADDR) == APIC_DEFAULT_BASE + (addr & ~(hwaddr)0xfff);
            return here && apic_is_enabled(s) && !apic_is_x2apic(s) ? s : NULL;
        }
    }
    return NULL;
}

static MemTxResult window_read(void *opaque, hwaddr addr, uint64_t *data, unsigned size, MemTxAttrs attrs)
{
    LocalApic *s = own_apic(opaque, addr, attrs);

    *data = UINT64_MAX;
    if (s) {
        /* Registers are 32 bits wide at multiples of 16; what lies between is reserved. */
        *data = addr & 0xc ? 0 : (uint64_t)apic_mmio_read(s, addr & 0xff0) >> (8 * (addr & 3));
    }
    return MEMTX_OK;
}

static MemTxResult window_write(void *opaque, hwaddr addr, uint64_t data, unsigned size, MemTxAttrs attrs)
{
    ApicBus *bus = opaque;
    LocalApic *s = own_apic(bus, addr, attrs);

    if (s) {
        if (size == 4 && !(addr & 0xf)) {
            apic_mmio_write(s, addr & 0xff0, (uint32_t)data);
        }
    } else if (size == 4) {
        apic_bus_send_msi(bus, APIC_DEFAULT_BASE + addr, (uint32_t)data);
    }
    return MEMTX_OK;
}

static const MemoryRegionOps window_ops = {
    .read_with_attrs = window_read, .write_with_attrs = window_write, .valid = { 1, 8 }, .impl = { 1, 4 },
};

/* --- the device --- */

static void apic_bus_init(Object *obj)
{
    ApicBus *bus = APIC_BUS(obj);

    bus->apics = g_ptr_array_new();
    bus->eoi_listeners = g_array_new(false, false, sizeof(EoiListener));
    memory_region_init_io(&bus->window, bus, &window_ops, bus, "apic-msi", APIC_WINDOW_SIZE);
}

static void apic_bus_fini(Object *obj)
{
    ApicBus *bus = APIC_BUS(obj);

    g_ptr_array_unref(bus->apics);
    g_array_unref(bus->eoi_listeners);
}

static bool apic_bus_post_load(void *opaque, unsigned version, Error **errp)
{
    ApicBus *bus = opaque;

    bus->last_lowest = bus->apics->len ? bus->last_lowest % bus->apics->len : 0;
    return true;
}

static const VMState apic_bus_vmstate = {
    .name = "apic-bus", .version = 1, .minimum_version = 1, .post_load = apic_bus_post_load,
    .fields = (const VMField[]){ VMS_BOOL(ApicBus, pic_level), VMS_U32(ApicBus, last_lowest), VMS_END },
};

DEVICE_DEFINE(ApicBus, apic_bus, "apic-bus", device,
    .desc = "interrupt messages between local APICs, IOAPICs and MSIs",
    .init = apic_bus_init,
    .fini = apic_bus_fini,
    .vmstate = &apic_bus_vmstate,
    .not_user_creatable = true,
);

ApicBus *apic_bus_find(void)
{
    return APIC_BUS(object_child(object_container("/machine"), "apic-bus"));
}

ApicBus *apic_bus_create(MemoryRegion *memory, Error **errp)
{
    ApicBus *bus = APIC_BUS(device_new(&apic_bus_type));

    object_add_child(object_container("/machine"), "apic-bus", bus);
    if (!device_realize_and_unref(&bus->dev, NULL, errp)) {
        object_unparent(bus);
        return NULL;
    }
    /* Above RAM and PCI holes: nothing else may answer here. */
    memory_region_add_subregion_overlap(memory, APIC_DEFAULT_BASE, &bus->window, 4096);
    return bus;
}
