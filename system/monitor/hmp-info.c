/*
 * The human monitor's "info" subjects.
 */
#include "system/monitor/internal.h"

#include "hw/core/machine.h"
#include "qapi/qapi-commands.h"
#include "system/net.h"
#include "system/runstate.h"

typedef struct InfoSubject {
    const char *name, *help;
    void (*print)(FILE *out, const char *args, int cpu_index);
} InfoSubject;

static void info_status(FILE *out, const char *args, int cpu_index)
{
    fprintf(out, "VM status: %s%s%s%s\n", runstate_is_running() ? "running" : "paused",
            runstate_is_running() || runstate_get() == RUN_STATE_PAUSED ? "" : " (",
            runstate_is_running() || runstate_get() == RUN_STATE_PAUSED ? "" : runstate_name(runstate_get()),
            runstate_is_running() || runstate_get() == RUN_STATE_PAUSED ? "" : ")");
}

static void info_version(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiVersionInfo) v = qmp_query_version(&error_abort);

    fprintf(out, "%d.%d.%d (%s)\n", (int)v->qemu->major, (int)v->qemu->minor, (int)v->qemu->micro, v->package);
}

static void info_cpus(FILE *out, const char *args, int cpu_index)
{
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        fprintf(out, "%c CPU #%u: thread_id=%d%s\n", (int)cpu->index == cpu_index ? '*' : ' ', cpu->index, cpu->host_tid,
                __atomic_load_n(&cpu->halted, __ATOMIC_RELAXED) ? " (halted)" : "");
    }
}

static void dump_registers(Vcpu *cpu, void *opaque)
{
    if (vcpu_info(cpu)->dump_state) {
        vcpu_info(cpu)->dump_state(cpu, opaque, 0);
    }
}

/* On the CPU's own thread, between blocks, where its state is whole. */
static void print_registers(FILE *out, Vcpu *cpu)
{
    fprintf(out, "\nCPU#%u\n", cpu->index);
    if (cpu->thread) {
        run_on_cpu(cpu, dump_registers, out);
    } else {
        dump_registers(cpu, out);
    }
}

static void info_registers(FILE *out, const char *args, int cpu_index)
{
    Vcpu *cpu = cpu_by_index(cpu_index);

    if (!strcmp(args, "-a")) {
        CPU_FOREACH(cpu) {
            print_registers(out, cpu);
        }
    } else if (cpu) {
        print_registers(out, cpu);
    } else {
        fprintf(out, "No CPU available\n");
    }
}

static bool print_pic_of(Object *child, void *opaque)
{
    const DeviceInfo *info = object_is(child, &device_type) ? device_info(DEVICE(child)) : NULL;

    if (info && info->print_pic) {
        info->print_pic(DEVICE(child), opaque);
    }
    return true;
}

static void info_pic(FILE *out, const char *args, int cpu_index)
{
    object_foreach_child(object_root(), true, print_pic_of, out);
}

static bool print_counts_of(Object *child, void *opaque)
{
    const DeviceInfo *info = object_is(child, &device_type) ? device_info(DEVICE(child)) : NULL;
    unsigned n = 0;
    const uint64_t *counts;

    if (info && info->irq_counts) {
        fprintf(opaque, "IRQ statistics for %s:\n", child->type->name);
        n = info->irq_counts(DEVICE(child), &counts);
    }
    for (unsigned i = 0; i < n; i++) {
        if (counts[i]) {
            fprintf(opaque, "%2u: %" PRIu64 "\n", i, counts[i]);
        }
    }
    return true;
}

static void info_irq(FILE *out, const char *args, int cpu_index)
{
    object_foreach_child(object_root(), true, print_counts_of, out);
}

static void info_mtree(FILE *out, const char *args, int cpu_index)
{
    g_auto(GStrv) words = g_strsplit(args, " ", -1);
    unsigned flags = 0;

    for (unsigned n = 0; words[n]; n++) {
        if (!words[n][0]) {
            continue;
        }
        if (!strcmp(words[n], "-f")) {
            flags |= MEMORY_PRINT_FLAT;
        } else if (!strcmp(words[n], "-o")) {
            flags |= MEMORY_PRINT_OWNERS;
        } else if (!strcmp(words[n], "-D")) {
            flags |= MEMORY_PRINT_DISABLED;
        } else if (!strcmp(words[n], "-d")) {
            fprintf(out, "There is no dispatch tree: addresses are looked up in the flat views, which -f shows\n");
            return;
        } else {
            fprintf(out, "unknown flag '%s': there are -f, -o and -D\n", words[n]);
            return;
        }
    }
    memory_print_tree(out, flags);
}

static void info_jit(FILE *out, const char *args, int cpu_index)
{
    Accel *a = current_accel();

    if (a && accel_info(a)->op_info) {
        accel_info(a)->info(a, out);
    } else {
        fprintf(out, "JIT information is only available with accel=tcg\n");
    }
}

static void info_opcount(FILE *out, const char *args, int cpu_index)
{
    Accel *a = current_accel();

    if (a && accel_info(a)->op_info) {
        accel_info(a)->op_info(a, out);
    } else {
        fprintf(out, "Opcode count information is only available with accel=tcg\n");
    }
}

static void info_kvm(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiKvmInfo) k = qmp_query_kvm(&error_abort);

    fprintf(out, "kvm support: %s\n", k->enabled ? "enabled" : k->present ? "disabled" : "not compiled");
    if (k->enabled) {
        accel_info(current_accel())->info(current_accel(), out);
    }
}

static void info_name(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiNameInfo) n = qmp_query_name(&error_abort);

    if (n->name) {
        fprintf(out, "%s\n", n->name);
    }
}

static void info_uuid(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiUuidInfo) u = qmp_query_uuid(&error_abort);

    fprintf(out, "%s\n", u->UUID);
}

static void info_vm_generation_id(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(Error) err = NULL;
    g_autoptr(QapiGuidInfo) info = qmp_query_vm_generation_id(&err);

    if (info) {
        fprintf(out, "%s\n", info->guid);
    } else {
        fprintf(out, "Error: %s\n", error_get_pretty(err));
    }
}

static void info_network(FILE *out, const char *args, int cpu_index)
{
    net_info(out);
}

static void info_usernet(FILE *out, const char *args, int cpu_index)
{
    net_user_info(out);
}

static void info_chardev(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiChardevInfoList) list = qmp_query_chardev(&error_abort);

    for (size_t i = 0; i < list->len; i++) {
        fprintf(out, "%s: filename=%s\n", list->at[i].label, list->at[i].filename);
    }
}

static void info_balloon(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(Error) err = NULL;
    g_autoptr(QapiBalloonInfo) info = qmp_query_balloon(&err);

    if (info) {
        fprintf(out, "balloon: actual=%" PRId64 "\n", info->actual / (int64_t)MiB);
    } else {
        fprintf(out, "Error: %s\n", error_get_pretty(err));
    }
}

static void info_trace_events(FILE *out, const char *args, int cpu_index)
{
    QapiTraceEventGetStateArgs get = { .name = *args ? (char *)args : (char *)"*" };
    g_autoptr(Error) err = NULL;
    g_autoptr(QapiTraceEventInfoList) list = qmp_trace_event_get_state(&get, &err);

    if (!list) {
        fprintf(out, "%s\n", error_get_pretty(err));
        return;
    }
    for (size_t i = 0; i < list->len; i++) {
        fprintf(out, "%s : state %d\n", list->at[i].name, list->at[i].state == QAPI_TRACE_EVENT_STATE_ENABLED);
    }
}

/* --- memory --- */

static void info_memdev(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiMemdevList) list = qmp_query_memdev(&error_abort);

    for (size_t i = 0; i < list->len; i++) {
        const QapiMemdev *m = &list->at[i];

        fprintf(out, "memory backend: %s\n  size:  %" PRIu64 "\n  merge: %s\n  dump: %s\n  prealloc: %s\n  share: %s\n"
                "  reserve: %s\n  policy: %s\n  host nodes:", m->id, m->size, m->merge ? "true" : "false",
                m->dump ? "true" : "false", m->prealloc ? "true" : "false", m->share ? "true" : "false",
                m->reserve ? "true" : "false", qapi_type_HostMemPolicy.values[m->policy]);
        for (size_t n = 0; n < m->host_nodes->len; n++) {
            fprintf(out, " %u", m->host_nodes->at[n]);
        }
        fputs("\n", out);
    }
}

static void print_dimm(FILE *out, const QapiPCDIMMDeviceInfo *d)
{
    fprintf(out, "Memory device [dimm]: \"%s\"\n  addr: 0x%" PRIx64 "\n  slot: %" PRId64 "\n  node: %" PRId64 "\n  size: %" PRId64
            "\n  memdev: %s\n  hotplugged: %s\n  hotpluggable: %s\n", d->id ? d->id : "", d->addr, d->slot, d->node, d->size,
            d->memdev, d->hotplugged ? "true" : "false", d->hotpluggable ? "true" : "false");
}

static void print_virtio_mem(FILE *out, const QapiVirtioMEMDeviceInfo *v)
{
    fprintf(out, "Memory device [virtio-mem]: \"%s\"\n  memaddr: 0x%" PRIx64 "\n  node: %" PRId64 "\n  requested-size: %" PRIu64
            "\n  size: %" PRIu64 "\n  max-size: %" PRIu64 "\n  block-size: %" PRIu64 "\n  memdev: %s\n", v->id ? v->id : "",
            v->memaddr, v->node, v->requested_size, v->size, v->max_size, v->block_size, v->memdev);
}

static void info_memory_devices(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiMemoryDeviceInfoList) list = qmp_query_memory_devices(&error_abort);

    for (size_t i = 0; i < list->len; i++) {
        if (list->at[i].type == QAPI_MEMORY_DEVICE_TYPE_DIMM) {
            print_dimm(out, list->at[i].u.dimm.data);
        } else {
            print_virtio_mem(out, list->at[i].u.virtio_mem.data);
        }
    }
}

static void info_memory_size_summary(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiMemoryInfo) info = qmp_query_memory_size_summary(&error_abort);

    fprintf(out, "base memory: %" PRIu64 "\nplugged memory: %" PRIu64 "\n", info->base_memory, info->plugged_memory);
}

static void info_ledger(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiMemoryLedger) l = qmp_query_memory_ledger(&error_abort);

    fprintf(out, "%-32s %12s %12s %12s KiB\n", "account", "bound", "present", "peak");
    for (size_t i = 0; i < l->accounts->len; i++) {
        const QapiLedgerAccount *a = &l->accounts->at[i];

        fprintf(out, "%-32s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "\n", a->name, (uint64_t)(a->bound / KiB),
                (uint64_t)(a->present / KiB), (uint64_t)(a->peak / KiB));
    }
    fprintf(out, "%-32s %12" PRIu64 " %12" PRIu64 "\n", "sum", (uint64_t)(l->bound / KiB), (uint64_t)(l->present / KiB));
    if (l->has_limit) {
        fprintf(out, "%-32s %12" PRIu64 "\n", "limit", (uint64_t)(l->limit / KiB));
    }
    fprintf(out, "host: anonymous %" PRIu64 ", shared %" PRIu64 ", files %" PRIu64 ", swap %" PRIu64 " KiB\n",
            (uint64_t)(l->host->pss_anon / KiB), (uint64_t)(l->host->pss_shmem / KiB), (uint64_t)(l->host->pss_file / KiB),
            (uint64_t)(l->host->swap / KiB));
    if (l->host->has_cgroup_max) {
        fprintf(out, "control group: %" PRIu64 " of %" PRIu64 " KiB\n", (uint64_t)(l->host->cgroup_current / KiB),
                (uint64_t)(l->host->cgroup_max / KiB));
    }
}

/* --- trees --- */

typedef struct PropertyPrint {
    FILE *out;
    Object *obj;
    int indent;
} PropertyPrint;

static bool print_property(const Property *p, void *opaque)
{
    const PropertyPrint *pp = opaque;
    g_autoptr(Value) v = object_property_get(pp->obj, p->name, NULL);

    if (v) {
        g_autofree char *text = json_to_string(v, false);

        fprintf(pp->out, "%*s%s = %s\n", pp->indent, "", p->name, text);
    }
    return true;
}

static void print_device(FILE *out, Device *dev, int indent);

static void print_bus(FILE *out, Bus *bus, int indent)
{
    fprintf(out, "%*sbus: %s\n%*s  type %s\n", indent, "", bus->obj.name ? bus->obj.name : "", indent, "",
            bus->obj.type->name);
    for (unsigned i = 0; i < bus->devices->len; i++) {
        print_device(out, g_ptr_array_index(bus->devices, i), indent + 2);
    }
}

static void print_device(FILE *out, Device *dev, int indent)
{
    PropertyPrint pp = { out, &dev->obj, indent + 2 };

    fprintf(out, "%*sdev: %s, id \"%s\"\n", indent, "", dev->obj.type->name, dev->id ? dev->id : "");
    type_foreach_property(dev->obj.type, print_property, &pp);
    for (unsigned i = 0; dev->child_buses && i < dev->child_buses->len; i++) {
        print_bus(out, g_ptr_array_index(dev->child_buses, i), indent + 2);
    }
}

static bool print_root_bus(Object *obj, void *opaque)
{
    if (object_is(obj, &bus_type) && !BUS(obj)->parent_dev) {
        print_bus(opaque, BUS(obj), 0);
    } else if (object_is(obj, &device_type) && !DEVICE(obj)->parent_bus) {
        print_device(opaque, DEVICE(obj), 0);
    }
    return true;
}

static void info_qtree(FILE *out, const char *args, int cpu_index)
{
    object_foreach_child(object_root(), true, print_root_bus, out);
}

static void info_iothreads(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiIOThreadInfoList) list = qmp_query_iothreads(&error_abort);

    for (size_t i = 0; i < list->len; i++) {
        const QapiIOThreadInfo *t = &list->at[i];

        fprintf(out, "%s:\n  thread_id=%" PRId64 "\n  poll-max-ns=%" PRId64 "\n  poll-grow=%" PRId64 "\n  poll-shrink=%" PRId64
                "\n  aio-max-batch=%" PRId64 "\n", t->id, t->thread_id, t->poll_max_ns, t->poll_grow, t->poll_shrink,
                t->aio_max_batch);
    }
}

static void info_migrate_capabilities(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiMigrationCapabilityStatusList) list = qmp_query_migrate_capabilities(&error_abort);

    for (size_t i = 0; i < list->len; i++) {
        fprintf(out, "%s: %s\n", qapi_migration_capability_str(list->at[i].capability), list->at[i].state ? "on" : "off");
    }
}

static void info_migrate_parameters(FILE *out, const char *args, int cpu_index)
{
    QapiMigrationParameters *p = qmp_query_migrate_parameters(&error_abort);
    g_autoptr(Value) all = qapi_to_value(&qapi_type_MigrationParameters, &p);

    for (size_t i = 0; i < value_dict_len(all); i++) {
        const Value *v = value_dict_value_at(all, i);
        g_autofree char *text = value_type(v) == VALUE_BOOL ? g_strdup(value_get_bool(v) ? "on" : "off")
            : value_type(v) == VALUE_STRING ? g_strdup_printf("'%s'", value_get_string(v)) : json_to_string(v, false);

        fprintf(out, "%s: %s\n", value_dict_key_at(all, i), text);
    }
    qapi_free_migration_parameters(p);
}

static void info_migrate(FILE *out, const char *args, int cpu_index)
{
    fprintf(out, "No migration has been started\n");
}

static void info_jobs(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiJobInfoList) list = qmp_query_jobs(&error_abort);

    if (!list->len) {
        fprintf(out, "No active jobs\n");
    }
    for (size_t i = 0; i < list->len; i++) {
        fprintf(out, "Type %s, job %s: %s, %" PRId64 " of %" PRId64 "\n", qapi_job_type_str(list->at[i].type), list->at[i].id,
                qapi_job_status_str(list->at[i].status), list->at[i].current_progress, list->at[i].total_progress);
    }
}

typedef struct TreePrint {
    FILE *out;
    int indent;
} TreePrint;

static bool print_object(Object *obj, void *opaque)
{
    TreePrint *t = opaque;

    fprintf(t->out, "%*s/%s (%s)\n", t->indent, "", obj->name, obj->type->name);
    t->indent += 2;
    object_foreach_child(obj, false, print_object, t);
    t->indent -= 2;
    return true;
}

static void info_qom_tree(FILE *out, const char *args, int cpu_index)
{
    Object *obj = *args ? object_resolve_path(args, NULL) : object_root();
    TreePrint t = { out, 0 };

    if (!obj) {
        fprintf(out, "Path '%s' could not be resolved\n", args);
        return;
    }
    object_foreach_child(obj, false, print_object, &t);
}

/* --- the table --- */

static const InfoSubject subjects[] = {
    { "balloon", "how much memory the guest has", info_balloon },
    { "block", "[-n] [-v] [NAME] drives, or nodes", hmp_info_block },
    { "block-jobs", "background jobs", info_jobs },
    { "blockstats", "what devices asked of their drives", hmp_info_blockstats },
    { "chardev", "character devices", info_chardev },
    { "cpus", "virtual CPUs", info_cpus },
    { "dirty_rate", "how fast the guest writes to memory, once it was measured", hmp_info_dirty_rate },
    { "dump", "how far a detached dump of memory is", hmp_info_dump },
    { "hotpluggable-cpus", "places of CPUs", hmp_info_hotpluggable_cpus },
    { "iothreads", "threads for I/O", info_iothreads },
    { "irq", "how often interrupt controllers' inputs were raised", info_irq },
    { "jit", "what the accelerator did", info_jit },
    { "kvm", "is KVM used?", info_kvm },
    { "lapic", "[APIC-ID] a CPU's local APIC", hmp_info_lapic },
    { "ledger", "what memory the emulator may take, and has", info_ledger },
    { "mem", "ranges that the page tables map", hmp_info_mem },
    { "memdev", "memory backends", info_memdev },
    { "memory-devices", "devices that bring memory", info_memory_devices },
    { "memory_size_summary", "how much memory the guest has", info_memory_size_summary },
    { "mice", "pointing devices", hmp_info_mice },
    { "opcount", "operations that the translator made into code", info_opcount },
    { "pci", "PCI devices as the guest has set them up", hmp_info_pci },
    { "migrate", "the last or present migration", info_migrate },
    { "migrate_capabilities", "ways of migrating", info_migrate_capabilities },
    { "migrate_parameters", "parameters of migrations", info_migrate_parameters },
    { "mtree", "[-f] [-o] [-D] memory regions, or flat views; -o owners, -D regions that are switched off, too", info_mtree },
    { "name", "the guest's name", info_name },
    { "network", "network devices and back ends", info_network },
    { "numa", "NUMA nodes", hmp_info_numa },
    { "pic", "interrupt controllers", info_pic },
    { "qom-tree", "[PATH] objects", info_qom_tree },
    { "qtree", "devices", info_qtree },
    { "ramblock", "host memory behind guest memory", hmp_info_ramblock },
    { "registers", "[-a] the present CPU's registers, or all", info_registers },
    { "roms", "images that the machine starts with", hmp_info_roms },
    { "status", "running or not", info_status },
    { "tlb", "pages that the page tables map", hmp_info_tlb },
    { "trace-events", "[NAME] events that can be traced, and whether they are", info_trace_events },
    { "usernet", "connections of user mode networks", info_usernet },
    { "uuid", "the machine's UUID", info_uuid },
    { "version", "the version", info_version },
    { "vnc", "VNC servers and their clients", hmp_info_vnc },
    { "vm-generation-id", "the virtual machine generation id", info_vm_generation_id },
};

void hmp_foreach_subject(HmpNameFn *fn, void *opaque)
{
    for (unsigned i = 0; i < ARRAY_SIZE(subjects); i++) {
        fn(subjects[i].name, opaque);
    }
}

void hmp_info_list(FILE *out)
{
    for (unsigned i = 0; i < ARRAY_SIZE(subjects); i++) {
        fprintf(out, "info %s -- %s\n", subjects[i].name, subjects[i].help);
    }
}

void hmp_info(FILE *out, const char *what, const char *args, int cpu_index)
{
    for (unsigned i = 0; i < ARRAY_SIZE(subjects); i++) {
        if (!strcmp(subjects[i].name, what)) {
            subjects[i].print(out, args, cpu_index);
            return;
        }
    }
    fprintf(out, "unknown command: 'info %s'\n", what);
}
