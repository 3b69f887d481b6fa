/*
 * The abstract machine type: options every board has, the running instance, and the "none" board.
 *
 * Sizes are checked here, CPU topology in smp.c and nodes in numa.c, once, before any board's setup
 * runs; a board may rely on them.  Locks: everything under the BQL.
 */
#include "hw/core/numa.h"
#include "system/hostmem.h"
#include "trace.h"

static Machine *the_machine;

Machine *current_machine(void)
{
    return the_machine;
}

void current_machine_set(Machine *m)
{
    the_machine = m;
}

/* --- looking types up --- */

typedef struct FindMachine {
    const char *name, *arch;
    const TypeInfo *found;
} FindMachine;

static bool match_name(const TypeInfo *type, void *opaque)
{
    FindMachine *f = opaque;
    const MachineInfo *mi = (const MachineInfo *)type->info;

    if (g_strcmp0(mi->machine_name, f->name) == 0 || g_strcmp0(mi->alias, f->name) == 0) {
        f->found = type;
    }
    return !f->found;
}

const TypeInfo *machine_type_find(const char *name)
{
    FindMachine f = { .name = name };

    if (name) {
        type_foreach(&machine_type, false, match_name, &f);
    }
    return f.found;
}

static bool match_default(const TypeInfo *type, void *opaque)
{
    FindMachine *f = opaque;
    const MachineInfo *mi = (const MachineInfo *)type->info;

    if (mi->is_default && g_strcmp0(mi->arch, f->arch) == 0) {
        f->found = type;
    }
    return !f->found;
}

const TypeInfo *machine_type_default(const char *arch)
{
    FindMachine f = { .arch = arch };

    type_foreach(&machine_type, false, match_default, &f);
    return f.found;
}

/* --- building --- */

static bool machine_check_ram(Machine *m, Error **errp)
{
    const MachineInfo *mi = machine_info(m);

    if (!m->ram_size) {
        m->ram_size = mi->default_ram_size;
    }
    if (mi->ram_size_max && m->ram_size > mi->ram_size_max) {
        error_setg(errp, "machine '%s' takes at most %" PRIu64 " MiB of RAM, -m asks for %" PRIu64 " MiB",
                   mi->machine_name, (uint64_t)(mi->ram_size_max / MiB), (uint64_t)(m->ram_size / MiB));
        return false;
    }
    if (m->maxram_size < m->ram_size) {
        m->maxram_size = m->ram_size;
    }
    if ((m->ram_slots || m->maxram_size > m->ram_size) && !mi->has_memory_hotplug) {
        error_setg(errp, "machine '%s' has no memory slots: -m slots= and maxmem= do not apply", mi->machine_name);
        return false;
    }
    return true;
}

static bool machine_take_backend(Machine *m, Error **errp)
{
    HostMemoryBackend *b = HOST_MEMORY_BACKEND(m->memory_backend);

    if (m->ram_size && m->ram_size != b->size) {
        error_setg(errp, "-m asks for %" PRIu64 " bytes, but memory-backend '%s' has %" PRIu64, m->ram_size, b->obj.name, b->size);
        return false;
    }
    m->ram_size = b->size;
    m->ram = host_memory_backend_take(b, errp);
    return m->ram != NULL;
}

/* RAM that nobody brought: a backend like the user's, under the name the machine type gives. */
static bool machine_make_ram(Machine *m, Error **errp)
{
    const MachineInfo *mi = machine_info(m);
    g_autoptr(Value) props = value_dict();
    Object *backend;

    if (m->ram || !mi->default_ram_id || !m->ram_size) {
        return true;
    }
    if (numa_has_memdev(m)) {
        return numa_make_ram(m, mi->default_ram_id, errp);
    }
    value_dict_set_str(props, "qom-type", memory_backend_ram_type.name);
    value_dict_set_str(props, "id", mi->default_ram_id);
    value_dict_set(props, "size", value_uint(m->ram_size));
    value_dict_set_bool(props, "merge", m->mem_merge);
    value_dict_set_bool(props, "dump", m->dump_guest_core);
    value_dict_set_bool(props, "x-use-canonical-path-for-ramblock-id", false);
    backend = user_creatable_add(props, errp);
    if (!backend) {
        return false;
    }
    m->memory_backend = object_ref(backend);
    m->ram = host_memory_backend_take(HOST_MEMORY_BACKEND(backend), errp);
    return m->ram != NULL;
}

/* The places of the tree that are there on every machine. */
static void machine_containers(void)
{
    static const char *const paths[] = {
        "/backend", "/chardevs", "/objects", "/machine/peripheral", "/machine/peripheral-anon", "/machine/unattached",
    };

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        object_container(paths[i]);
    }
}

bool machine_build(Machine *m, Error **errp)
{
    const MachineInfo *mi = machine_info(m);

    if (!m->obj.parent) {
        object_add_child(object_root(), "machine", m);
    }
    current_machine_set(m);
    machine_containers();
    if (!m->cpu_type) {
        m->cpu_type = g_strdup(mi->default_cpu_type);
    }
    if (m->memory_backend && !m->ram && !machine_take_backend(m, errp)) {
        return false;
    }
    return machine_check_ram(m, errp) && numa_complete(m, m->ram_size, errp) && machine_make_ram(m, errp) && mi->setup(m, errp);
}

void machine_reset(Machine *m, ResetType type)
{
    const MachineInfo *mi = machine_info(m);

    trace_machine_reset(mi->machine_name, type);
    if (mi->reset) {
        mi->reset(m, type);
    } else {
        machine_reset_all(type);
    }
}

bool machine_inject_nmi(Machine *m, Error **errp)
{
    for (const TypeInfo *t = m->obj.type; t != &object_type; t = t->parent) {
        const MachineInfo *mi = (const MachineInfo *)t->info;

        if (mi->nmi) {
            mi->nmi(m);
            return true;
        }
    }
    error_setg(errp, "machine does not provide NMIs");
    return false;
}

bool machine_set_boot_order(Machine *m, const char *order, Error **errp)
{
    for (const TypeInfo *t = m->obj.type; t != &object_type; t = t->parent) {
        const MachineInfo *mi = (const MachineInfo *)t->info;

        if (mi->set_boot_order) {
            return mi->set_boot_order(m, order, errp);
        }
    }
    error_setg(errp, "machine '%s' has no boot order that could be set", machine_info(m)->machine_name);
    return false;
}

void machine_foreach_rom(Machine *m, MachineRomFn *fn, void *opaque)
{
    for (const TypeInfo *t = m->obj.type; t != &object_type; t = t->parent) {
        const MachineInfo *mi = (const MachineInfo *)t->info;

        if (mi->foreach_rom) {
            mi->foreach_rom(m, fn, opaque);
            return;
        }
    }
}

/* --- done notifiers --- */

typedef struct DoneNotifier {
    MachineDoneFn *fn;
    void *opaque;
} DoneNotifier;

static GArray *done_notifiers;

void machine_done_notify(MachineDoneFn *fn, void *opaque)
{
    DoneNotifier n = { fn, opaque };

    if (!done_notifiers) {
        done_notifiers = g_array_new(false, false, sizeof(DoneNotifier));
    }
    g_array_append_val(done_notifiers, n);
}

void machine_run_done_notifiers(void)
{
    for (unsigned i = 0; done_notifiers && i < done_notifiers->len; i++) {
        DoneNotifier n = g_array_index(done_notifiers, DoneNotifier, i);

        n.fn(n.opaque);
    }
    g_clear_pointer(&done_notifiers, g_array_unref);
}

/* --- the type --- */

static void machine_init(Object *obj)
{
    Machine *m = MACHINE(obj);

    m->smp = (SmpConfig){ 1, 1, 1, 1, 1, 1, 1, 1 };
    machine_make_cpu_slots(m);
}

static void machine_fini(Object *obj)
{
    Machine *m = MACHINE(obj);

    for (unsigned i = 0; i < NUMA_MAX_NODES; i++) {
        g_clear_pointer(&m->numa[i].memdev, object_unref);
    }
    g_free(m->cpu_slots);
    g_free(m->cpu_type);
    g_free(m->dtb);
    g_free(m->boot_order);
    g_free(m->boot_once);
    value_unref(m->cpu_props);
    if (the_machine == m) {
        the_machine = NULL;
    }
}

static bool usb_changed(Object *obj, const Property *p, Error **errp)
{
    if (MACHINE(obj)->usb) {
        error_setg(errp, "cannot be on: the board has no USB controller of its own: give -device qemu-xhci");
        return false;
    }
    return true;
}

/* --- -smp, -m and -boot as they turned out --- */

static Value *get_smp(Object *obj, const Property *p)
{
    const SmpConfig *c = &MACHINE(obj)->smp;
    const MachineInfo *mi = machine_info(MACHINE(obj));
    Value *v = value_dict();

    value_dict_set(v, "cpus", value_uint(c->cpus));
    value_dict_set(v, "sockets", value_uint(c->sockets));
    if (mi->has_dies) {
        value_dict_set(v, "dies", value_uint(c->dies));
    }
    if (mi->has_clusters) {
        value_dict_set(v, "clusters", value_uint(c->clusters));
    }
    if (mi->has_modules) {
        value_dict_set(v, "modules", value_uint(c->modules));
    }
    value_dict_set(v, "cores", value_uint(c->cores));
    value_dict_set(v, "threads", value_uint(c->threads));
    value_dict_set(v, "maxcpus", value_uint(c->max_cpus));
    return v;
}

static Value *get_memory(Object *obj, const Property *p)
{
    const Machine *m = MACHINE(obj);
    Value *v = value_dict();

    value_dict_set(v, "size", value_uint(m->ram_size));
    value_dict_set(v, "max-size", value_uint(MAX(m->maxram_size, m->ram_size)));
    value_dict_set(v, "slots", value_uint(m->ram_slots));
    return v;
}

static Value *get_boot(Object *obj, const Property *p)
{
    const Machine *m = MACHINE(obj);
    Value *v = value_dict();

    if (m->boot_order) {
        value_dict_set_str(v, "order", m->boot_order);
    }
    if (m->boot_once) {
        value_dict_set_str(v, "once", m->boot_once);
    }
    value_dict_set_bool(v, "menu", m->boot_menu);
    value_dict_set_bool(v, "strict", m->boot_strict);
    return v;
}

static const Property machine_properties[] = {
    PROP_CUSTOM(any, "smp", get_smp, NULL, .read_only = true, .shown = "SMPConfiguration", .help = "how many CPUs (-smp)"),
    PROP_CUSTOM(any, "memory", get_memory, NULL, .read_only = true, .shown = "MemorySizeConfiguration",
                .help = "how much memory (-m), bytes"),
    PROP_CUSTOM(any, "boot", get_boot, NULL, .read_only = true, .shown = "BootConfiguration", .help = "from what to start (-boot)"),
    PROP_STRING("kernel", Machine, kernel, .help = "kernel image booted without firmware (-kernel)"),
    PROP_STRING("initrd", Machine, initrd, .help = "initial RAM disk, or multiboot modules (-initrd)"),
    PROP_STRING("append", Machine, append, .help = "kernel command line (-append)"),
    PROP_STRING("firmware", Machine, firmware, .help = "firmware image (-bios)"),
    PROP_LINK("memory-backend", Machine, memory_backend, host_memory_backend, .help = "object that provides the main RAM"),
    PROP_BOOL("usb", Machine, usb, false, .changed = usb_changed, .help = "add a USB controller"),
    PROP_BOOL("graphics", Machine, graphics, true, .help = "default display; off with -nographic"),
    PROP_BOOL("dump-guest-core", Machine, dump_guest_core, true, .help = "guest RAM is part of a core dump"),
    PROP_SIZE("memory-limit", Machine, memory_limit, 0, .unit = "bytes",
              .help = "the most host memory all of this process may need; what would need more is refused; 0 = no limit"),
    PROP_BOOL("mem-merge", Machine, mem_merge, true, .help = "guest RAM may be merged by KSM"),
    PROP_BOOL("suppress-vmdesc", Machine, suppress_vmdesc, false,
              .help = "leave the self-description out of saved states"),
};

TYPE_DEFINE_FAMILY(MachineInfo, Machine, machine, "machine", object, true,
    .desc       = "machine",
    .init       = machine_init,
    .fini       = machine_fini,
    .properties = PROPS(machine_properties),
);

/* --- "none": nothing but the address spaces, for tools that only ask questions --- */

static bool none_setup(Machine *m, Error **errp)
{
    if (m->kernel || m->initrd || m->firmware) {
        error_setg(errp, "machine 'none' cannot load '%s': it has no CPU to run it",
                   m->kernel ? m->kernel : m->initrd ? m->initrd : m->firmware);
        return false;
    }
    if (m->ram) {
        memory_region_add_subregion(system_memory(), 0, m->ram);
    }
    return true;
}

MACHINE_DEFINE(Machine, none_machine, "none-machine", machine,
    .desc           = "empty machine",
    .machine_name   = "none",
    .max_cpus       = 1,
    .default_ram_id = "ram",
    .no_serial      = true,
    .no_parallel    = true,
    .no_floppy      = true,
    .no_cdrom       = true,
    .setup          = none_setup,
);
