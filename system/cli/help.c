/*
 * What the help and version options print.
 */
#include "system/cli/cli.h"

#include "config-host.h"
#include "hw/core/machine.h"
#include "target/i386/cpu-models.h"

const char *cli_arch(void)
{
    return "x86_64";
}

void help_version(FILE *f)
{
    fprintf(f, "QEMU emulator version %s (Quern %s)\n", QEMU_VERSION, QUERN_VERSION);
    fprintf(f, "Quern is free software under the GNU General Public License, version 2 or later\n");
}

/* --- machines --- */

static bool print_machine(const TypeInfo *type, void *opaque)
{
    const MachineInfo *mi = (const MachineInfo *)type->info;

    if (mi->alias) {
        printf("%-20s %s (alias of %s)\n", mi->alias, mi->desc, mi->machine_name);
    }
    printf("%-20s %s%s\n", mi->machine_name, mi->desc, mi->is_default ? " (default)" : "");
    return true;
}

void help_machines(void)
{
    printf("Supported machines are:\n");
    type_foreach(&machine_type, false, print_machine, NULL);
}

/* --- CPUs --- */

static char *cpu_suffix(void)
{
    return g_strdup_printf("-%s-cpu", cli_arch());
}

char *cli_cpu_type_name(const char *model)
{
    g_autofree char *suffix = cpu_suffix();
    g_autofree char *name = g_strconcat(model, suffix, NULL);
    const TypeInfo *t = type_by_name(name);

    if (!t) {
        t = type_by_name(model);            /* the full name is accepted, too */
    }
    return t && !t->abstract && type_is_a(t, &vcpu_type) ? g_strdup(t->name) : NULL;
}

typedef struct CpuListing {
    const char *suffix;
    GPtrArray *types;           /* of const TypeInfo */
} CpuListing;

/* base, host and max stand at the end. */
static bool is_special(const char *type_name)
{
    return g_str_has_prefix(type_name, "base-") || g_str_has_prefix(type_name, "host-") || g_str_has_prefix(type_name, "max-");
}

static bool collect_cpu(const TypeInfo *type, void *opaque)
{
    const CpuListing *l = opaque;

    if (g_str_has_suffix(type->name, l->suffix) && !type->info->hidden) {
        g_ptr_array_add(l->types, (void *)type);
    }
    return true;
}

/* By model: the suffix that all have must not count, "Haswell" is before "Haswell-v1". */
static gint compare_cpus(const void *a, const void *b, void *opaque)
{
    const char *x = (*(const TypeInfo *const *)a)->name, *y = (*(const TypeInfo *const *)b)->name;
    size_t suffix = strlen(opaque), nx = strlen(x) - suffix, ny = strlen(y) - suffix;
    int order = memcmp(x, y, MIN(nx, ny));

    if (is_special(x) != is_special(y)) {
        return is_special(x) - is_special(y);
    }
    return order ? order : (nx > ny) - (nx < ny);
}

#define FLAGS_WIDTH 75

static void print_flags(void)
{
    g_auto(GStrv) names = x86_feature_names();
    size_t column = 1;

    printf("\nRecognized CPUID flags:\n ");
    for (unsigned i = 0; names[i]; i++) {
        if (column + strlen(names[i]) + 1 > FLAGS_WIDTH) {
            printf("\n ");
            column = 1;
        }
        column += (size_t)printf(" %s", names[i]);
    }
    printf("\n");
}

void help_cpus(void)
{
    g_autofree char *suffix = cpu_suffix();
    g_autoptr(GPtrArray) types = g_ptr_array_new();
    CpuListing l = { suffix, types };

    type_foreach(&vcpu_type, false, collect_cpu, &l);
    g_ptr_array_sort_with_data(types, compare_cpus, suffix);
    printf("Available CPUs:\n");
    for (unsigned i = 0; i < types->len; i++) {
        const TypeInfo *t = g_ptr_array_index(types, i);

        printf("  %-20.*s  %s\n", (int)(strlen(t->name) - strlen(suffix)), t->name, t->info->desc ? t->info->desc : "");
    }
    print_flags();
}

/* --- accelerators --- */

static bool print_accel(const TypeInfo *type, void *opaque)
{
    const AccelInfo *ai = (const AccelInfo *)type->info;

    if (ai->accel_name && !ai->hidden) {
        printf("%s\n", ai->accel_name);
    }
    return true;
}

void help_accels(void)
{
    printf("Accelerators supported in QEMU binary:\n");
    type_foreach(&accel_type, false, print_accel, NULL);
}

/* --- devices --- */

static const struct { DeviceCategory category; const char *title; } categories[] = {
    { DEVICE_CATEGORY_BRIDGE,  "Controller/Bridge/Hub devices" },
    { DEVICE_CATEGORY_USB,     "USB devices" },
    { DEVICE_CATEGORY_STORAGE, "Storage devices" },
    { DEVICE_CATEGORY_NETWORK, "Network devices" },
    { DEVICE_CATEGORY_INPUT,   "Input devices" },
    { DEVICE_CATEGORY_DISPLAY, "Display devices" },
    { DEVICE_CATEGORY_SOUND,   "Sound devices" },
    { DEVICE_CATEGORY_MISC,    "Misc devices" },
    { DEVICE_CATEGORY_CPU,     "CPU devices" },
    { DEVICE_CATEGORY_WATCHDOG, "Watchdog devices" },
};

typedef struct DeviceListing {
    DeviceCategory category;
    const char *title;          /* NULL once printed */
    bool first;
} DeviceListing;

static const TypeInfo *bus_type_of(const TypeInfo *type)
{
    for (; type && type_is_a(type, &device_type); type = type->parent) {
        const DeviceInfo *di = (const DeviceInfo *)type->info;

        if (di->bus_type) {
            return di->bus_type;
        }
    }
    return NULL;
}

static bool print_device(const TypeInfo *type, void *opaque)
{
    DeviceListing *l = opaque;
    const DeviceInfo *di = (const DeviceInfo *)type->info;
    const TypeInfo *bus = bus_type_of(type);

    if (di->category != l->category || di->not_user_creatable || di->hidden || type_is_a(type, &vcpu_type)) {
        return true;
    }
    if (l->title) {
        printf("%s%s:\n", l->first ? "" : "\n", l->title);
        l->title = NULL;
        l->first = false;
    }
    printf("name \"%s\"", type->name);
    if (bus) {
        printf(", bus %s", bus->name);
    }
    if (di->desc) {
        printf(", desc \"%s\"", di->desc);
    }
    printf("\n");
    return true;
}

void help_devices(void)
{
    DeviceListing l = { .first = true };

    for (unsigned i = 0; i < ARRAY_SIZE(categories); i++) {
        l.category = categories[i].category;
        l.title = categories[i].title;
        type_foreach(&device_type, false, print_device, &l);
    }
}

/* --- objects, chardevs, properties --- */

static bool print_object(const TypeInfo *type, void *opaque)
{
    if (type->info->user_creatable && !type->info->hidden) {
        printf("  %s\n", type->name);
    }
    return true;
}

void help_objects(void)
{
    printf("List of user creatable objects:\n");
    type_foreach(NULL, false, print_object, NULL);
}

void help_chardevs(void)
{
    printf("Available chardev backend types:\n");
    for (unsigned i = 0; i < QAPI_CHARDEV_DRIVER__MAX; i++) {
        printf("  %s\n", qapi_chardev_driver_str(i));
    }
}

bool help_type(const char *name, const TypeInfo *base, Error **errp)
{
    const TypeInfo *t = type_by_name(name);

    if (!t || (base && !type_is_a(t, base))) {
        error_setg(errp, "'%s' is not a valid %s name", name, base ? base->name : "type");
        return false;
    }
    printf("%s options:\n", name);
    type_print_properties(t, stdout);
    return true;
}
