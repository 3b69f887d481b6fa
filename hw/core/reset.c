/*
 * Three-phase reset.
 *
 * enter: every device forgets its state and touches nobody else; hold: lines are driven and
 * registered functions run; exit: what runs by itself starts up.  Each phase is done for the
 * whole set before the next begins.
 */
#include "hw/core/qdev.h"
#include "trace.h"

typedef enum ResetPhase { PHASE_ENTER, PHASE_HOLD, PHASE_EXIT } ResetPhase;

typedef struct ResetEntry {
    ResetFn *fn;
    void *opaque;
} ResetEntry;

static GArray *entries;         /* of ResetEntry; BQL */

void reset_register(ResetFn *fn, void *opaque)
{
    ResetEntry e = { fn, opaque };

    if (!entries) {
        entries = g_array_new(false, false, sizeof(ResetEntry));
    }
    g_array_append_val(entries, e);
}

void reset_unregister(ResetFn *fn, void *opaque)
{
    for (unsigned i = 0; entries && i < entries->len; i++) {
        ResetEntry *e = &g_array_index(entries, ResetEntry, i);

        if (e->fn == fn && e->opaque == opaque) {
            g_array_remove_index(entries, i);
            return;
        }
    }
}

static void run_hook(Device *dev, const TypeInfo *type, ResetPhase phase, ResetType reset)
{
    const DeviceInfo *info;

    if (type == &object_type) {
        return;
    }
    run_hook(dev, type->parent, phase, reset);
    info = (const DeviceInfo *)type->info;
    switch (phase) {
    case PHASE_ENTER:
        if (info->reset_enter) {
            info->reset_enter(dev, reset);
        }
        break;
    case PHASE_HOLD:
        if (info->reset_hold) {
            info->reset_hold(dev, reset);
        }
        break;
    case PHASE_EXIT:
        if (info->reset_exit) {
            info->reset_exit(dev, reset);
        }
        break;
    }
}

static void run_phase(GPtrArray *devices, ResetPhase phase, ResetType type)
{
    for (unsigned i = 0; i < devices->len; i++) {
        Device *dev = g_ptr_array_index(devices, i);

        if (dev->realized) {
            run_hook(dev, dev->obj.type, phase, type);
        }
    }
}

/* What a reset works on stays in memory until it is over, even if the reset removes it. */
typedef struct ResetSet {
    GPtrArray *devices;         /* borrowed */
    GPtrArray *held;            /* owned: the devices, or what those that lie inside others lie in */
} ResetSet;

static ResetSet reset_set_new(void)
{
    return (ResetSet){ g_ptr_array_new(), g_ptr_array_new_with_free_func(object_unref) };
}

static void reset_set_clear(ResetSet *s)
{
    g_ptr_array_unref(s->devices);
    g_ptr_array_unref(s->held);
}

static void reset_set_add(ResetSet *s, Device *dev)
{
    Object *holder = &dev->obj;

    while (holder->embedded && holder->parent) {
        holder = holder->parent;
    }
    g_ptr_array_add(s->devices, dev);
    g_ptr_array_add(s->held, object_ref(holder));
}

static bool collect_device(Object *obj, void *opaque)
{
    if (object_is(obj, &device_type) && DEVICE(obj)->realized) {
        reset_set_add(opaque, DEVICE(obj));
    }
    return true;
}

static void collect_below(Device *dev, ResetSet *s)
{
    reset_set_add(s, dev);
    for (unsigned i = 0; dev->child_buses && i < dev->child_buses->len; i++) {
        Bus *bus = g_ptr_array_index(dev->child_buses, i);

        for (unsigned j = 0; j < bus->devices->len; j++) {
            collect_below(g_ptr_array_index(bus->devices, j), s);
        }
    }
}

void device_reset(Device *dev, ResetType type)
{
    ResetSet s = reset_set_new();

    trace_resettable_reset(dev, dev->obj.type->name, type);
    collect_below(dev, &s);
    run_phase(s.devices, PHASE_ENTER, type);
    run_phase(s.devices, PHASE_HOLD, type);
    run_phase(s.devices, PHASE_EXIT, type);
    reset_set_clear(&s);
}

void machine_reset_all(ResetType type)
{
    ResetSet s = reset_set_new();

    object_foreach_child(object_container("/machine"), true, collect_device, &s);
    run_phase(s.devices, PHASE_ENTER, type);
    run_phase(s.devices, PHASE_HOLD, type);
    for (unsigned i = 0; entries && i < entries->len; i++) {
        ResetEntry e = g_array_index(entries, ResetEntry, i);

        e.fn(e.opaque, type);
    }
    run_phase(s.devices, PHASE_EXIT, type);
    reset_set_clear(&s);
}
