/*
 * Interrupt lines of devices, found by name and number.
 */
#include "hw/core/qdev.h"

IrqTap *irq_tap;

static bool is_group(const char *have, const char *want)
{
    return g_strcmp0(have, want) == 0;
}

/* Tables are inherited: the nearest type that has one counts. */
static const DeviceInfo *info_of(const TypeInfo *t)
{
    return type_is_a(t, &device_type) ? (const DeviceInfo *)t->info : NULL;
}

IrqLine device_irq_input(Device *dev, const char *name, unsigned n)
{
    const DeviceInfo *info;

    for (const TypeInfo *t = dev->obj.type; (info = info_of(t)); t = t->parent) {
        for (const IrqInputs *in = info->irq_inputs; in && in->n; in++) {
            if (is_group(in->name, name) && n < in->n) {
                return irq_line(in->set, dev, n);
            }
        }
    }
    return (IrqLine){ 0 };
}

IrqLine *device_irq_output(Device *dev, const char *name, unsigned n)
{
    const DeviceInfo *info;

    for (const TypeInfo *t = dev->obj.type; (info = info_of(t)); t = t->parent) {
        for (const IrqOutputs *out = info->irq_outputs; out && out->n; out++) {
            if (is_group(out->name, name) && n < out->n) {
                return (IrqLine *)((char *)dev + out->offset) + n;
            }
        }
    }
    if (is_group("sysbus-irq", name) && object_is(dev, &sysbus_device_type) && n < SYSBUS_DEVICE(dev)->n_irq) {
        return SYSBUS_DEVICE(dev)->irq[n];
    }
    return NULL;
}
