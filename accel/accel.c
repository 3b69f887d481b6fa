/*
 * The accelerator of the process: the abstract type and the choice of one.
 */
#include "hw/core/cpu.h"

static Accel *the_accel;        /* what the machine runs on; owned */

typedef struct FindByName {
    const char *name;
    const TypeInfo *found;
} FindByName;

static bool match_name(const TypeInfo *type, void *opaque)
{
    FindByName *f = opaque;
    const AccelInfo *info = (const AccelInfo *)type->info;

    if (g_strcmp0(info->accel_name, f->name) == 0) {
        f->found = type;
    }
    return !f->found;
}

Accel *current_accel(void)
{
    return the_accel;
}

AccelIrqchip accel_irqchip(void)
{
    return the_accel && accel_info(the_accel)->irqchip ? accel_info(the_accel)->irqchip(the_accel) : ACCEL_IRQCHIP_OFF;
}

void accel_finish(void)
{
    if (the_accel && accel_info(the_accel)->finish) {
        accel_info(the_accel)->finish(the_accel);
    }
}

bool accel_select(const char *name, const Value *props, Error **errp)
{
    static const char *const skip[] = { "accel", NULL };
    FindByName f = { .name = name };
    Accel *a;

    type_foreach(&accel_type, false, match_name, &f);
    if (!f.found) {
        error_setg(errp, "invalid accelerator '%s'", name);
        return false;
    }
    a = (Accel *)object_new(f.found);
    if ((props && !object_set_properties_dict(a, props, skip, errp)) ||
        (accel_info(a)->start && !accel_info(a)->start(a, errp))) {
        object_unref(a);
        return false;
    }
    if (the_accel) {
        object_unref(the_accel);
    }
    the_accel = a;
    return true;
}

TYPE_DEFINE_FAMILY(AccelInfo, Accel, accel, "accel", object, true,
    .desc = "accelerator",
);
