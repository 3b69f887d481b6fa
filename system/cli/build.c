/*
 * From parsed options to a machine ready to run.  Order matters: character devices and objects come
 * before what names them; the accelerator before the CPUs; the board before -device.
 *
 * Every step names the option it works on in error messages (error_location_set), and leaves cleaning
 * up to the end of the process.
 */
#include "system/cli/cli.h"

#include "hw/core/numa.h"
#include "hw/i386/acpi-build.h"
#include "hw/i386/smbios.h"
#include "hw/nvram/fw_cfg.h"
#include "hw/pci/pci.h"
#include "hw/rtc/rtc-config.h"
#include "system/vnc.h"
#include "system/block.h"
#include "system/datadir.h"
#include "system/gdbstub.h"
#include "system/hostmem.h"
#include "system/ledger.h"
#include "system/monitor.h"
#include "system/net.h"
#include "system/qtest.h"
#include "system/runstate.h"
#include "system/serial.h"
#include "qapi/keyval.h"
#include "qapi/qapi-commands.h"

#include <sys/sysinfo.h>

#define FOREACH_ITEM(item, list) \
    for (CliItem *item = (list) ? (CliItem *)(list)->data : NULL, *end_ = item ? item + (list)->len : NULL; \
         item != end_; item++)

static Chardev *serials[MAX_SERIALS];       /* borrowed from /chardevs */

Chardev *serial_hd(unsigned i)
{
    return i < MAX_SERIALS ? serials[i] : NULL;
}

/* Run @fn over the items of @list, naming each in messages. */
typedef bool ItemFn(Options *o, CliItem *item, Error **errp);

static bool for_items(Options *o, GArray *list, ItemFn *fn, Error **errp)
{
    FOREACH_ITEM(item, list) {
        Error *err = NULL;

        if (!fn(o, item, &err)) {
            error_prepend(&err, "%s: ", item->where);
            error_propagate(errp, err);
            return false;
        }
    }
    return true;
}

/* @ok, with the option's name put before the message if it is false. */
static bool named(const char *where, bool ok, Error **errp)
{
    if (!ok && where) {
        error_prepend(errp, "%s: ", where);
    }
    return ok;
}

/* --- character devices and monitors --- */

static bool add_chardev(Options *o, CliItem *item, Error **errp)
{
    return chardev_new_from_opts(item->dict, errp) != NULL;
}

static bool add_monitor_on(const char *text, MonitorKind kind, unsigned *n, Error **errp)
{
    g_autofree char *id = g_strdup_printf("compat_monitor%u", *n);
    Chardev *c;

    if (!strcmp(text, "none")) {
        return true;
    }
    c = chardev_new_legacy(id, text, errp);
    ++*n;
    return c && monitor_new(c, kind, errp);
}

static bool add_monitors(Options *o, bool default_monitor, Error **errp)
{
    unsigned n = 0;

    FOREACH_ITEM(item, o->monitors) {
        MonitorKind kind = g_str_has_prefix(item->where, "-qmp-pretty") ? MONITOR_QMP_PRETTY
            : g_str_has_prefix(item->where, "-qmp") ? MONITOR_QMP : MONITOR_HMP;
        Error *err = NULL;

        if (!add_monitor_on(item->text, kind, &n, &err)) {
            error_prepend(&err, "%s: ", item->where);
            error_propagate(errp, err);
            return false;
        }
    }
    return !default_monitor || add_monitor_on("stdio", MONITOR_HMP, &n, errp);
}

static bool add_mon(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiMonitorOptions) m = qapi_parse_monitor_options(item->dict, QAPI_FROM_TEXT, errp);
    bool control = m && m->has_mode && m->mode == QAPI_MONITOR_MODE_CONTROL;
    Chardev *c;

    if (!m) {
        return false;
    }
    c = chardev_find(m->chardev);
    if (!c) {
        error_setg(errp, "chardev '%s' not found", m->chardev);
        return false;
    }
    if (m->has_pretty && !control) {
        error_setg(errp, "'pretty' is not compatible with HMP monitors");
        return false;
    }
    return monitor_new(c, !control ? MONITOR_HMP : m->has_pretty && m->pretty ? MONITOR_QMP_PRETTY : MONITOR_QMP, errp);
}

static bool add_serial(unsigned i, const char *text, Error **errp)
{
    g_autofree char *id = g_strdup_printf("serial%u", i);

    if (!strcmp(text, "none")) {
        return true;
    }
    serials[i] = chardev_new_legacy(id, text, errp);
    return serials[i] && (!g_str_has_prefix(text, "mon:") || monitor_new(serials[i], MONITOR_HMP, errp));
}

static bool add_serials(Options *o, const char *default_serial, Error **errp)
{
    unsigned n = 0;

    FOREACH_ITEM(item, o->serials) {
        Error *err = NULL;

        if (!add_serial(n++, item->text, &err)) {
            error_prepend(&err, "%s: ", item->where);
            error_propagate(errp, err);
            return false;
        }
    }
    return !default_serial || add_serial(0, default_serial, errp);
}

/* A -device that is a serial port takes the place of the default one. */
static bool has_serial_device(const Options *o)
{
    FOREACH_ITEM(item, o->devices) {
        const char *driver = value_dict_get_str(item->dict, "driver");

        if (driver && !strcmp(driver, "isa-serial")) {
            return true;
        }
    }
    return false;
}

/*
 * What stands on the terminal: with -nographic the first serial port and the monitor share it, unless one of
 * them was given a place of its own.
 */
static bool add_consoles(Options *o, const MachineInfo *mi, Error **errp)
{
    bool want_serial = !o->nodefaults && !o->serials && !mi->no_serial && !has_serial_device(o);
    bool want_monitor = !o->nodefaults && !o->monitors && !o->mons && o->nographic;
    const char *serial = !want_serial ? NULL : !o->nographic ? "null" : want_monitor ? "mon:stdio" : "stdio";

    return add_serials(o, serial, errp) && add_monitors(o, want_monitor && !want_serial, errp)
        && for_items(o, o->mons, add_mon, errp);
}

/* --- objects and block --- */

static bool add_object(Options *o, CliItem *item, Error **errp)
{
    return item->done || user_creatable_add(item->dict, errp) != NULL;
}

static bool add_blockdev(Options *o, CliItem *item, Error **errp)
{
    return block_node_open(item->dict, !item->is_json, errp) != NULL;
}

static bool add_drive(Options *o, CliItem *item, Error **errp)
{
    return block_drive_add(item->dict, o->snapshot, errp);
}

/* A disk or CD drive that is named takes the place of the default one. */
static bool has_ide_device(const Options *o)
{
    FOREACH_ITEM(item, o->devices) {
        const char *driver = value_dict_get_str(item->dict, "driver");

        if (driver && (!strcmp(driver, "ide-cd") || !strcmp(driver, "ide-hd"))) {
            return true;
        }
    }
    return false;
}

/* The empty CD drive that a machine has unless something else is in its place. */
static bool add_default_cdrom(const Options *o, Machine *m, Error **errp)
{
    return o->nodefaults || machine_info(m)->no_cdrom || has_ide_device(o) || block_drive_add_default_cdrom(errp);
}

static bool add_smbios(Options *o, CliItem *item, Error **errp)
{
    return smbios_option_add(item->dict, errp);
}

static bool add_acpitable(Options *o, CliItem *item, Error **errp)
{
    return acpi_option_add(item->dict, errp);
}

/* SeaBIOS runs what it finds under this name. */
static bool add_option_rom(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiOptionRomOptions) r = qapi_parse_option_rom_options(item->dict, QAPI_FROM_TEXT, errp);
    g_autofree char *path = r ? datadir_find(r->romfile) : NULL;
    g_autofree char *base = path ? g_path_get_basename(path) : NULL;
    g_autofree char *name = path ? g_strdup_printf("genroms/%s", base) : NULL;
    Machine *m = current_machine();
    g_autoptr(GError) gerr = NULL;
    g_autofree char *data = NULL;
    gsize len;

    if (!r) {
        return false;
    }
    if (!m->fw_cfg || m->kernel) {
        error_setg(errp, "option ROMs need firmware, and %s", m->kernel ? "-kernel boots without" : "the machine has none");
        return false;
    }
    if (!path) {
        error_setg(errp, "'%s' does not exist", r->romfile);
        return false;
    }
    if (!g_file_get_contents(path, &data, &len, &gerr)) {
        error_setg(errp, "%s", gerr->message);
        return false;
    }
    return fw_cfg_add_file(FW_CFG(m->fw_cfg), name, data, len, errp);
}

static bool add_debugcon(Options *o, Error **errp)
{
    g_autoptr(Value) dict = NULL;

    if (!o->debugcon) {
        return true;
    }
    dict = value_dict();
    value_dict_set_str(dict, "driver", "isa-debugcon");
    value_dict_set_str(dict, "iobase", "0xe9");
    value_dict_set_str(dict, "chardev", "debugcon");
    return named("-debugcon", chardev_new_legacy("debugcon", o->debugcon, errp) && device_add_from_opts(dict, false, errp), errp);
}

static bool add_fw_cfg(Options *o, CliItem *item, Error **errp)
{
    Machine *m = current_machine();

    if (!m->fw_cfg) {
        error_setg(errp, "machine '%s' has no fw_cfg device", machine_info(m)->machine_name);
        return false;
    }
    return fw_cfg_add_option(FW_CFG(m->fw_cfg), item->dict, errp);
}

/* --- networks --- */

static bool add_netdev(Options *o, CliItem *item, Error **errp)
{
    return netdev_add_dict(item->dict, item->text && *item->text == '{', errp);
}

static bool add_nic(Options *o, CliItem *item, Error **errp)
{
    return net_nic_option(item->where, item->dict, errp);
}

static bool add_net(Options *o, CliItem *item, Error **errp)
{
    return net_net_option(item->where, item->dict, errp);
}

static bool wants_default_net(const Options *o, const Machine *m)
{
    return net_has_user() && !o->nodefaults && !o->netdevs && !o->nics && !o->nets && machine_info(m)->default_nic;
}

/* Who says nothing of networks gets one: the board's device at a user network, as by -net nic -net user. */
static bool add_default_net(const Options *o, Machine *m, Error **errp)
{
    static const char *const types[] = { "nic", "user" };

    if (!wants_default_net(o, m)) {
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        g_autoptr(Value) dict = value_dict();

        value_dict_set_str(dict, "type", types[i]);
        if (!net_net_option("the default network", dict, errp)) {
            return false;
        }
    }
    return true;
}

/* --- accelerator --- */

static bool try_accel(const char *name, const Value *props, bool last, bool *done, Error **errp)
{
    Error *err = NULL;

    *done = accel_select(name, props, &err);
    if (*done || last) {
        error_propagate(errp, err);
        return *done;
    }
    warn_report_err(err);
    return true;
}

/* -machine kernel-irqchip= is another spelling of -accel kvm,kernel-irqchip=, which comes first; no concern of others. */
static const char *const machine_irqchip_keys[] = { "kernel-irqchip", "kernel_irqchip" };

static void add_machine_irqchip(const Options *o, const char *accel, Value *props)
{
    for (unsigned i = 0; o->machine.dict && !strcmp(accel, "kvm") && i < ARRAY_SIZE(machine_irqchip_keys); i++) {
        const char *mode = value_dict_get_str(o->machine.dict, machine_irqchip_keys[i]);

        if (mode && !value_dict_get(props, machine_irqchip_keys[0])) {
            value_dict_set_str(props, machine_irqchip_keys[0], mode);
        }
    }
}

/* "a:b:c": the first that works. */
static bool select_accel_list(const Options *o, const char *list, Error **errp)
{
    g_auto(GStrv) names = g_strsplit(list, ":", -1);
    bool done = false;

    for (unsigned i = 0; names[i] && !done; i++) {
        if (i) {
            warn_report("falling back to %s", names[i]);
        }
        g_autoptr(Value) props = value_dict();

        add_machine_irqchip(o, names[i], props);
        if (!try_accel(names[i], props, !names[i + 1], &done, errp)) {
            return false;
        }
    }
    return true;
}

static bool select_accel(Options *o, Error **errp)
{
    const char *list = o->machine.dict ? value_dict_get_str(o->machine.dict, "accel") : NULL;
    bool done = false;

    if (list && o->accels) {
        error_setg(errp, "The -accel and \"-machine accel=\" options are incompatible");
        return false;
    }
    if (!o->accels) {
        return named(list ? o->machine.where : NULL, select_accel_list(o, list ? list : "tcg", errp), errp);
    }
    FOREACH_ITEM(item, o->accels) {
        g_autofree char *name = g_strdup(value_dict_get_str(item->dict, "accel"));
        bool last = item + 1 == end_;
        Error *err = NULL;

        if (!name) {
            error_setg(errp, "%s: parameter 'accel' is missing", item->where);
            return false;
        }
        if (done) {
            break;
        }
        value_dict_remove(item->dict, "accel");
        add_machine_irqchip(o, name, item->dict);
        if (!try_accel(name, item->dict, last, &done, &err)) {
            error_prepend(&err, "%s: ", item->where);
            error_propagate(errp, err);
            return false;
        }
    }
    return true;
}

/* --- memory --- */

/* A bare number is in MiB. */
static bool parse_ram_size(const char *text, uint64_t *size, Error **errp)
{
    size_t len = strlen(text);
    uint64_t n;

    if (!qapi_parse_size("size", text, &n, errp)) {
        return false;
    }
    if (g_ascii_isdigit(text[len - 1])) {
        if (n >> 44) {
            error_setg(errp, "ram size too large: '%s'", text);
            return false;
        }
        n *= MiB;
    }
    if (!n || n > UINT64_MAX - 8 * KiB) {
        error_setg(errp, "invalid ram size: '%s'", text);
        return false;
    }
    *size = ROUND_UP(n, 8 * KiB);
    return true;
}

static uint64_t host_memory(void)
{
    struct sysinfo si;

    return sysinfo(&si) < 0 ? UINT64_MAX : ((uint64_t)si.totalram + si.totalswap) * si.mem_unit;
}

/* What hotplug may add: slots for DIMMs, and guest-physical addresses. */
static bool set_maxmem(Machine *m, const QapiMemoryOptions *opt, Error **errp)
{
    uint64_t initial = m->ram_size ? m->ram_size : machine_info(m)->default_ram_size;

    if (opt->slots && !opt->has_maxmem) {
        error_setg(errp, "'slots' needs 'maxmem'");
        return false;
    }
    if (opt->has_maxmem && opt->maxmem < initial) {
        error_setg(errp, "maxmem (%" PRIu64 " bytes) is less than the initial memory (%" PRIu64 " bytes)", opt->maxmem, initial);
        return false;
    }
    if (opt->slots && opt->maxmem == initial) {
        error_setg(errp, "maxmem (%" PRIu64 " bytes) is the initial memory: nothing is left for %" PRIu64 " slots", initial,
                   (uint64_t)opt->slots);
        return false;
    }
    m->ram_slots = opt->slots;
    m->maxram_size = opt->maxmem;
    return true;
}

static bool set_memory(Options *o, Machine *m, Error **errp)
{
    const QapiMemoryOptions *opt = o->memory;

    if (!opt) {
        return true;
    }
    if (opt->size && !parse_ram_size(opt->size, &m->ram_size, errp)) {
        return false;
    }
    if (opt->size && m->ram_size > host_memory()) {
        error_setg(errp, "ram size %" PRIu64 " MiB exceeds the host's memory and swap of %" PRIu64 " MiB",
                   (uint64_t)(m->ram_size / MiB), (uint64_t)(host_memory() / MiB));
        return false;
    }
    return set_maxmem(m, opt, errp);
}

/* -mem-path, -mem-prealloc: a backend object made for the user. */
static bool make_backend(Options *o, Machine *m, Error **errp)
{
    const char *id = machine_info(m)->default_ram_id;
    g_autoptr(Value) props = value_dict();

    if (!o->mem_path && !o->mem_prealloc) {
        return true;
    }
    if (m->memory_backend || !id) {
        error_setg(errp, "-mem-path and -mem-prealloc do not apply: the machine %s",
                   id ? "has a memory-backend" : "has no memory");
        return false;
    }
    value_dict_set_str(props, "qom-type", o->mem_path ? "memory-backend-file" : "memory-backend-ram");
    value_dict_set_str(props, "id", id);
    value_dict_set(props, "size", value_uint(m->ram_size ? m->ram_size : machine_info(m)->default_ram_size));
    value_dict_set_bool(props, "prealloc", o->mem_prealloc);
    if (o->mem_path) {
        value_dict_set_str(props, "mem-path", o->mem_path);
    }
    return user_creatable_add(props, errp) && object_property_set_str(m, "memory-backend", id, errp);
}

/* --- NUMA --- */

/* "3" or "0-7", each index as text of its own into @list. */
static bool expand_range(const char *text, Value *list, Error **errp)
{
    g_auto(GStrv) ends = g_strsplit(text, "-", 2);
    guint64 first, last;

    if (!g_ascii_string_to_unsigned(ends[0] ? ends[0] : "", 10, 0, UINT16_MAX, &first, NULL)
        || !g_ascii_string_to_unsigned(ends[0] && ends[1] ? ends[1] : ends[0] ? ends[0] : "", 10, first, UINT16_MAX, &last, NULL)) {
        error_setg(errp, "Parameter 'cpus' expects a uint64 value or range");
        return false;
    }
    for (; first <= last; first++) {
        value_list_append(list, value_string_printf("%" PRIu64, (uint64_t)first));
    }
    return true;
}

/* Ranges are the command line's way: QMP has numbers. */
static bool expand_cpus(Value *dict, Error **errp)
{
    Value *given = value_dict_get(dict, "cpus");
    g_autoptr(Value) list = value_list();
    bool is_list = given && value_type(given) == VALUE_LIST;

    for (size_t i = 0; given && i < (is_list ? value_list_len(given) : 1); i++) {
        Value *v = is_list ? value_list_at(given, i) : given;

        if (value_type(v) != VALUE_STRING) {
            value_list_append(list, value_ref(v));
        } else if (!expand_range(value_get_string(v), list, errp)) {
            return false;
        }
    }
    if (given) {
        value_dict_set(dict, "cpus", value_ref(list));
    }
    return true;
}

static bool numa_find_memdev(const char *id, Object **memdev, Error **errp)
{
    *memdev = id ? object_child(object_container("/objects"), id) : NULL;
    if (id && (!*memdev || !object_is(*memdev, &host_memory_backend_type))) {
        error_setg(errp, "memdev=%s is no memory backend", id);
        return false;
    }
    return true;
}

static bool numa_node(Machine *m, const QapiNumaNodeOptions *n, Error **errp)
{
    unsigned id = n->has_nodeid ? n->nodeid : m->n_numa;
    Object *memdev;

    if (n->has_mem) {
        error_setg(errp, "Parameter -numa node,mem is not supported by this machine type");
        error_append_hint(errp, "Use -numa node,memdev instead\n");
        return false;
    }
    if (n->has_initiator) {
        error_setg(errp, "ACPI Heterogeneous Memory Attribute Table (HMAT) is not available: 'initiator' does not apply");
        return false;
    }
    for (size_t i = 0; n->cpus && i < n->cpus->len; i++) {
        if (!numa_may_set_cpu_index(m, id, n->cpus->at[i], errp)) {
            return false;
        }
    }
    if (!numa_find_memdev(n->memdev, &memdev, errp) || !numa_add_node(m, (int)id, memdev, errp)) {
        return false;
    }
    for (size_t i = 0; n->cpus && i < n->cpus->len; i++) {
        if (!numa_set_cpu_index(m, id, n->cpus->at[i], errp)) {
            return false;
        }
    }
    return true;
}

static bool numa_cpu(Machine *m, const QapiNumaCpuOptions *c, Error **errp)
{
    NumaCpuMatch want = {
        .has_socket = c->has_socket_id, .has_die = c->has_die_id, .has_module = c->has_module_id, .has_core = c->has_core_id,
        .has_thread = c->has_thread_id, .socket = (uint64_t)c->socket_id, .die = (uint64_t)c->die_id,
        .module = (uint64_t)c->module_id, .core = (uint64_t)c->core_id, .thread = (uint64_t)c->thread_id,
    };

    if (!c->has_node_id) {
        error_setg(errp, "Missing mandatory node-id property");
        return false;
    }
    if (c->node_id < 0 || c->node_id >= NUMA_MAX_NODES) {
        error_setg(errp, "Invalid node-id=%" PRId64 ", must be 0..%d", c->node_id, NUMA_MAX_NODES - 1);
        return false;
    }
    return numa_set_cpus(m, (unsigned)c->node_id, &want, errp);
}

static bool apply_numa(Machine *m, const QapiNumaOptions *n, Error **errp)
{
    switch (n->type) {
    case QAPI_NUMA_OPTIONS_TYPE_NODE:
        return numa_node(m, &n->u.node, errp);
    case QAPI_NUMA_OPTIONS_TYPE_DIST:
        return numa_set_distance(m, n->u.dist.src, n->u.dist.dst, n->u.dist.val, errp);
    default:
        return numa_cpu(m, &n->u.cpu, errp);
    }
}

static bool add_numa(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiNumaOptions) n = expand_cpus(item->dict, errp) ? qapi_parse_numa_options(item->dict, QAPI_FROM_TEXT, errp) : NULL;

    return n && apply_numa(current_machine(), n, errp);
}

bool qmp_set_numa_node(const QapiNumaOptions *args, Error **errp)
{
    if (!runstate_is_preconfig()) {
        error_setg(errp, "The command is permitted only before the machine has been created");
        return false;
    }
    return apply_numa(current_machine(), args, errp);
}

/* --- the machine --- */

static bool set_smp(Machine *m, const CliItem *smp, Error **errp)
{
    Error *err = NULL;

    if (smp->dict && !machine_set_smp(m, smp->dict, &err)) {
        error_prepend(&err, "%s: ", smp->where);
        error_propagate(errp, err);
        return false;
    }
    return true;
}

/* "+feature", "-feature", "prop=value", "prop". */
static bool parse_cpu_props(Value *props, char **parts, Error **errp)
{
    for (; *parts; parts++) {
        char *s = *parts, *eq = strchr(s, '=');

        if (*s == '+' || *s == '-') {
            value_dict_set_str(props, s + 1, *s == '+' ? "on" : "off");
        } else if (eq) {
            g_autofree char *name = g_strndup(s, eq - s);

            value_dict_set_str(props, name, eq + 1);
        } else if (*s) {
            value_dict_set_str(props, s, "on");
        } else {
            error_setg(errp, "empty CPU property");
            return false;
        }
    }
    return true;
}

static bool check_cpu_props(const TypeInfo *type, const Value *props, Error **errp)
{
    for (size_t i = 0; i < value_dict_len(props); i++) {
        const char *name = value_dict_key_at(props, i);

        if (!type_find_property(type, name)) {
            error_setg(errp, "%s has no property '%s'", type->name, name);
            return false;
        }
    }
    return true;
}

static bool set_cpu(Machine *m, const CliItem *cpu, Error **errp)
{
    g_auto(GStrv) parts = NULL;

    if (!cpu->text) {
        return true;
    }
    parts = g_strsplit(cpu->text, ",", -1);
    g_free(m->cpu_type);
    m->cpu_type = parts[0] ? cli_cpu_type_name(parts[0]) : NULL;
    if (!m->cpu_type) {
        error_setg(errp, "-cpu %s: unable to find CPU model '%s' (see -cpu help)", cpu->text, parts[0] ? parts[0] : "");
        return false;
    }
    value_unref(m->cpu_props);
    m->cpu_props = value_dict();
    if (!parse_cpu_props(m->cpu_props, parts + 1, errp)
        || !check_cpu_props(type_by_name(m->cpu_type), m->cpu_props, errp)) {
        error_prepend(errp, "-cpu %s: ", cpu->text);
        return false;
    }
    return true;
}

static bool check_boot_order(const char *key, const char *order, Error **errp)
{
    for (const char *s = order; s && *s; s++) {
        if (*s < 'a' || *s > 'p' || strchr(s + 1, *s)) {
            error_setg(errp, "%s '%s': '%c' is %s", key, order, *s, *s < 'a' || *s > 'p' ? "no boot device" : "given twice");
            return false;
        }
    }
    return true;
}

static bool set_boot(Machine *m, const QapiBootOptions *b, Error **errp)
{
    if (!b) {
        return true;
    }
    if (!check_boot_order("order", b->order, errp) || !check_boot_order("once", b->once, errp)) {
        return false;
    }
    m->boot_order = g_strdup(b->order);
    m->boot_once = g_strdup(b->once);
    m->boot_menu = b->has_menu && b->menu;
    m->boot_strict = b->has_strict && b->strict;
    return true;
}

/* The picture behind SeaBIOS' menu. */
static bool add_splash(FwCfg *fw, const char *path, Error **errp)
{
    g_autofree char *data = NULL;
    g_autoptr(GError) gerr = NULL;
    const char *name;
    gsize len;

    if (!g_file_get_contents(path, &data, &len, &gerr)) {
        error_setg(errp, "splash: %s", gerr->message);
        return false;
    }
    name = len > 2 && !memcmp(data, "\xff\xd8", 2) ? "bootsplash.jpg" : len > 2 && !memcmp(data, "BM", 2) ? "bootsplash.bmp" : NULL;
    if (!name) {
        error_setg(errp, "splash file '%s' is neither JPEG nor BMP", path);
        return false;
    }
    return fw_cfg_add_file(fw, name, data, len, errp);
}

/* What SeaBIOS and OVMF read about their menu and about a failed boot. */
static bool set_boot_times(Machine *m, const QapiBootOptions *b, Error **errp)
{
    if (!b || !m->fw_cfg) {
        return true;
    }
    if (b->splash && !add_splash(FW_CFG(m->fw_cfg), b->splash, errp)) {
        return false;
    }
    if (b->has_splash_time) {
        uint16_t ms = GUINT16_TO_LE(b->splash_time);

        if (!fw_cfg_add_file(FW_CFG(m->fw_cfg), "etc/boot-menu-wait", &ms, sizeof(ms), errp)) {
            return false;
        }
    }
    if (b->has_reboot_timeout) {
        uint32_t ms = GUINT32_TO_LE((uint32_t)b->reboot_timeout);

        if (b->reboot_timeout < -1 || b->reboot_timeout > 0xffff) {
            error_setg(errp, "reboot-timeout must be -1..65535, got %" PRId64, b->reboot_timeout);
            return false;
        }
        if (!fw_cfg_add_file(FW_CFG(m->fw_cfg), "etc/boot-fail-wait", &ms, sizeof(ms), errp)) {
            return false;
        }
    }
    return true;
}

static const TypeInfo *find_machine_type(const Options *o, Error **errp)
{
    const char *name = o->machine.dict ? value_dict_get_str(o->machine.dict, "type") : NULL;
    const TypeInfo *t = name ? machine_type_find(name) : machine_type_default(cli_arch());

    if (!t && name) {
        error_setg(errp, "%s: unsupported machine type '%s' (see -machine help)", o->machine.where, name);
    } else if (!t) {
        error_setg(errp, "no machine specified, and there is no default (see -machine help)");
    }
    return t;
}

/* "firmware" and "kernel" may come as machine properties; options of their own win. */
static bool set_image(Machine *m, const char *property, const char *path, Error **errp)
{
    return !path || object_property_set_str(m, property, path, errp);
}

/* With -preconfig before anybody can ask about them, and say more by set-numa-node. */
static bool set_cpus(Options *o, Machine *m, Error **errp)
{
    return set_smp(m, &o->smp, errp) && set_cpu(m, &o->cpu, errp) && for_items(o, o->numas, add_numa, errp);
}

static bool has_audiodev(const Options *o, const char *id)
{
    return o->audiodev_ids && g_ptr_array_find_with_equal_func(o->audiodev_ids, id, g_str_equal, NULL);
}

static bool check_speaker(const Options *o, Error **errp)
{
    const char *id = value_dict_get_str(o->machine.dict, "pcspk-audiodev");

    if (id && !has_audiodev(o, id)) {
        error_setg(errp, "pcspk-audiodev: there is no audiodev '%s'", id);
        return false;
    }
    return true;
}

static bool set_machine_options(Options *o, Machine *m, Error **errp)
{
    static const char *const skip[] = { "type", "accel", "smp", "memory", "boot", "kernel-irqchip", "kernel_irqchip", NULL };
    Error *err = NULL;

    if (o->machine.dict && !(object_set_properties_dict(m, o->machine.dict, skip, &err) && check_speaker(o, &err))) {
        error_prepend(&err, "%s: ", o->machine.where);
        error_propagate(errp, err);
        return false;
    }
    m->graphics = m->graphics && !o->nographic;
    memcpy(m->uuid, o->uuid, sizeof(m->uuid));
    m->uuid_set = o->uuid_set;
    m->dtb = g_strdup(o->dtb);
    if ((o->initrd || o->append) && !o->kernel && !m->kernel) {
        error_setg(errp, "-initrd and -append only make sense with -kernel");
        return false;
    }
    if (o->dtb) {
        error_setg(errp, "-dtb %s: machine '%s' takes no device tree", o->dtb, machine_info(m)->machine_name);
        return false;
    }
    return set_image(m, "kernel", o->kernel, errp) && set_image(m, "initrd", o->initrd, errp)
        && set_image(m, "append", o->append, errp) && set_image(m, "firmware", o->firmware, errp)
        && named(o->memory_where, set_memory(o, m, errp), errp) && make_backend(o, m, errp)
        && (o->preconfig || set_cpus(o, m, errp)) && named(o->boot_where, set_boot(m, o->boot, errp), errp);
}

/* A machine's memory.max-size is maxmem to -m. */
static Value *memory_group(const Value *dict)
{
    Value *out = value_dict();

    for (size_t i = 0; i < value_dict_len(dict); i++) {
        const char *key = value_dict_key_at(dict, i);

        value_dict_set(out, strcmp(key, "max-size") ? key : "maxmem", value_ref(value_dict_value_at(dict, i)));
    }
    return out;
}

/* -machine smp.cpus=4,memory.size=1G,boot.menu=on are other spellings of -smp, -m, -boot. */
static bool apply_machine_groups(Options *o, Error **errp)
{
    static const char *const groups[][2] = { { "smp", "smp-opts" }, { "memory", "memory" }, { "boot", "boot-opts" } };

    for (unsigned i = 0; o->machine.dict && i < ARRAY_SIZE(groups); i++) {
        Value *v = value_dict_get(o->machine.dict, groups[i][0]);

        if (!v) {
            continue;
        }
        if (value_type(v) != VALUE_DICT) {
            error_setg(errp, "%s: '%s' takes keys, as in %s.KEY=VALUE", o->machine.where, groups[i][0], groups[i][0]);
            return false;
        }
        if (!options_apply_dict(o, groups[i][1], strcmp(groups[i][0], "memory") ? value_ref(v) : memory_group(v), errp)) {
            error_prepend(errp, "%s: %s: ", o->machine.where, groups[i][0]);
            return false;
        }
    }
    return true;
}

static bool add_device(Options *o, CliItem *item, Error **errp)
{
    return device_add_from_opts(item->dict, false, errp) != NULL;
}

/* A -device that is a display adapter takes the place of the default one. */
static bool has_display_device(const Options *o)
{
    FOREACH_ITEM(item, o->devices) {
        const TypeInfo *type = type_by_name(value_dict_get_str(item->dict, "driver"));

        if (type && type_is_a(type, &device_type) && ((const DeviceInfo *)type->info)->category == DEVICE_CATEGORY_DISPLAY) {
            return true;
        }
    }
    return false;
}

/* -vga, or what the machine has by default. */
static bool add_vga(const Options *o, Machine *m, Error **errp)
{
    const char *by_default = o->nodefaults || has_display_device(o) ? NULL : machine_info(m)->default_display;
    const char *vga = o->vga ? o->vga : by_default;
    g_autoptr(Value) device = value_dict();

    if (!vga || !strcmp(vga, "none")) {
        return true;
    }
    if (!pci_find_primary_bus()) {
        error_setg(errp, "-vga %s: machine '%s' has no PCI bus", vga, machine_info(m)->machine_name);
        return false;
    }
    value_dict_set_str(device, "driver", "VGA");
    return device_add_from_opts(device, false, errp) != NULL;
}

/* Audio back ends have no sound, so a server that names one has nothing to do but to name it rightly. */
static bool add_vnc(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiVncOptions) vnc = qapi_parse_vnc_options(item->dict, QAPI_FROM_TEXT, errp);

    if (vnc && vnc->audiodev && !has_audiodev(o, vnc->audiodev)) {
        error_setg(errp, "there is no audiodev '%s'", vnc->audiodev);
        return false;
    }
    return vnc && vnc_server_start(vnc, errp);
}

static bool build_machine(Options *o, Machine *m, Error **errp)
{
    return set_machine_options(o, m, errp)
        && for_items(o, o->smbios, add_smbios, errp) && for_items(o, o->acpitables, add_acpitable, errp)
        && machine_build(m, errp) && add_vga(o, m, errp) && block_drives_create_devices(errp)
        && for_items(o, o->fw_cfgs, add_fw_cfg, errp) && for_items(o, o->option_roms, add_option_rom, errp)
        && add_debugcon(o, errp) && named(o->boot_where, set_boot_times(m, o->boot, errp), errp)
        && net_legacy_create_devices(machine_info(m)->default_nic, errp)
        && for_items(o, o->devices, add_device, errp)
        && for_items(o, o->vncs, add_vnc, errp);
}

/* Before anything is made that the limit could refuse. */
static bool set_memory_limit(Options *o, Machine *m, Error **errp)
{
    const char *limit = o->machine.dict ? value_dict_get_str(o->machine.dict, "memory-limit") : NULL;

    return !limit || named(o->machine.where, object_property_parse(m, "memory-limit", limit, errp), errp);
}

static bool print_budget(Options *o, Machine *m, Error **errp)
{
    return named(o->memory_where, set_memory(o, m, errp), errp) && set_smp(m, &o->smp, errp) && select_accel(o, errp)
        && budget_print(o, m, errp);
}

bool build_before_machine(Options *o, Error **errp)
{
    const TypeInfo *type = apply_machine_groups(o, errp) ? find_machine_type(o, errp) : NULL;
    Machine *m;

    if (!type) {
        return false;
    }
    if (o->rtc.dict && !rtc_config_set(o->rtc.dict, errp)) {
        error_prepend(errp, "%s: ", o->rtc.where);
        return false;
    }
    m = MACHINE(object_new(type));
    object_add_child(object_root(), "machine", m);
    object_unref(m);
    current_machine_set(m);
    ledger_init();
    if (!set_memory_limit(o, m, errp)) {
        return false;
    }
    if (o->memory_budget) {
        if (print_budget(o, m, errp)) {
            exit(EXIT_SUCCESS);
        }
        return false;
    }
    return for_items(o, o->chardevs, add_chardev, errp)
        && add_consoles(o, machine_info(m), errp)
        && for_items(o, o->objects, add_object, errp)
        && select_accel(o, errp)
        && for_items(o, o->netdevs, add_netdev, errp)
        && for_items(o, o->nics, add_nic, errp)
        && for_items(o, o->nets, add_net, errp)
        && add_default_net(o, m, errp)
        && for_items(o, o->blockdevs, add_blockdev, errp)
        && for_items(o, o->drives, add_drive, errp) && add_default_cdrom(o, m, errp)
        && (!o->preconfig || set_cpus(o, m, errp));
}

bool build_the_machine(Options *o, Error **errp)
{
    if (!build_machine(o, current_machine(), errp)
        || (o->gdb && !named("-gdb", gdbstub_start(o->gdb, errp), errp))
        || !named(o->qtest ? "-qtest" : NULL, !o->qtest || qtest_server_new(o->qtest, o->qtest_log, errp), errp)) {
        return false;
    }
    if (!ledger_check_start(errp)) {
        return false;
    }
    net_check_clients();
    machine_run_done_notifiers();
    monitor_machine_ready();
    object_global_properties_check();
    return true;
}
