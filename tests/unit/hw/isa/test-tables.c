/*
 * What must hold for the tables of every device type in the binary, whoever wrote it.
 */
#include "harness.h"

static size_t type_size(const TypeInfo *type)
{
    while (type && !type->instance_size) {
        type = type->parent;
    }
    return type ? type->instance_size : 0;
}

/* Fields lie inside @size bytes, are of a width their kind can have, and nested tables likewise. */
static void check_vmstate(const TypeInfo *type, const VMState *vms, size_t size)
{
    static const size_t width[] = {
        [VMF_BOOL] = 1, [VMF_U8] = 1, [VMF_U16] = 2, [VMF_U32] = 4, [VMF_U64] = 8, [VMF_I32] = 4, [VMF_I64] = 8,
        [VMF_TIMER] = sizeof(Timer),
    };

    g_assert_nonnull(vms->name);
    for (const VMField *f = vms->fields; f && f->kind != VMF_END; f++) {
        size_t all = f->var_count ? sizeof(void *) : f->size * f->count;
        bool ok = f->offset + all <= size && (f->kind != VMF_STRUCT || f->vms) &&
                  (f->kind >= ARRAY_SIZE(width) || !width[f->kind] || width[f->kind] == f->size);

        if (!ok) {
            g_error("%s: state field %s.%s of %zu bytes at %zu (object: %zu bytes) is wrong", type->name, vms->name,
                    f->name, all, f->offset, size);
        }
        if (f->kind == VMF_STRUCT) {
            check_vmstate(type, f->vms, f->size);
        }
    }
    for (const VMState *const *sub = vms->subsections; sub && *sub; sub++) {
        check_vmstate(type, *sub, size);
    }
}

/* A type made from a table of another (virtio transports) may leave the state to its parent's. */
static const VMState *type_vmstate(const TypeInfo *type)
{
    for (; type && type != &device_type; type = type->parent) {
        if (((const DeviceInfo *)type->info)->vmstate) {
            return ((const DeviceInfo *)type->info)->vmstate;
        }
    }
    return NULL;
}

static bool check_device(const TypeInfo *type, void *opaque)
{
    const VMState *vms = type_vmstate(type);
    unsigned *n = opaque;

    if (!vms) {
        g_error("%s declares no state table", type->name);
    }
    check_vmstate(type, vms, type_size(type));
    (*n)++;
    return true;
}

static void test_every_device_declares_its_state(void)
{
    unsigned n = 0;

    type_foreach(&device_type, false, check_device, &n);
    g_assert_cmpuint(n, >=, 15);
}

static bool check_property(const Property *p, void *opaque)
{
    const TypeInfo *type = opaque;
    bool has_range = p->min || p->max;
    bool is_signed = p->type == &prop_int32 || p->type == &prop_int64;

    if (has_range && !is_signed && (p->min > p->max || p->def < p->min || p->def > p->max)) {
        g_error("%s.%s: default %" PRIu64 " is outside %" PRIu64 "..%" PRIu64, type->name, p->name, p->def, p->min,
                p->max);
    }
    if (!p->get && p->offset >= type_size(type)) {
        g_error("%s.%s lies outside the object", type->name, p->name);
    }
    return true;
}

static bool check_properties(const TypeInfo *type, void *opaque)
{
    type_foreach_property(type, check_property, (void *)(uintptr_t)type);
    return true;
}

static void test_property_defaults_are_in_range(void)
{
    type_foreach(&device_type, false, check_properties, NULL);
}

void add_table_tests(void)
{
    g_test_add_func("/tables/state", test_every_device_declares_its_state);
    g_test_add_func("/tables/properties", test_property_defaults_are_in_range);
}
