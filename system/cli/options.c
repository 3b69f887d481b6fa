/*
 * The table of command-line options, and how each fills an Options.
 *
 * An option is a row: name, argument as help shows it, help, and one of three ways to take it: a
 * function of the text, a function of parsed keys (key=value or JSON), or a field to be set.
 * Order between options does not matter, except that a later one of a kind wins or adds.
 */
#include "qapi/keyval.h"
#include "system/cli/option-def.h"

#include "hw/core/machine.h"
#include "system/chardev.h"
#include "system/net.h"
#include "system/runstate.h"
#include "util/fdset.h"
#include "util/log.h"
#include "util/uuid.h"

#include <fcntl.h>
#include <unistd.h>

/* --- small helpers --- */

static void item_clear(CliItem *item)
{
    g_clear_pointer(&item->where, g_free);
    g_clear_pointer(&item->text, g_free);
    g_clear_pointer(&item->dict, value_unref);
}

static void item_append(GArray **list, CliItem *item)
{
    if (!*list) {
        *list = g_array_new(false, true, sizeof(CliItem));
    }
    g_array_append_val(*list, *item);
    *item = (CliItem){ 0 };
}

static void append_dict(Options *o, GArray **list, const char *where, Value *dict)
{
    CliItem item = { .where = g_strdup(where), .dict = dict };

    item_append(list, &item);
}

static bool refuse(const char *what, Error **errp)
{
    error_setg(errp, "%s", what);
    return false;
}

/* Every key of @from into @into; consumes neither. */
static void merge(Value *into, const Value *from)
{
    for (size_t i = 0; i < value_dict_len(from); i++) {
        value_dict_set(into, value_dict_key_at(from, i), value_ref(value_dict_value_at(from, i)));
    }
}

/* --- options by keys --- */

static bool apply_machine(Options *o, CliItem *item, Error **errp)
{
    if (!o->machine.dict) {
        o->machine = *item;
        *item = (CliItem){ 0 };
        return true;
    }
    merge(o->machine.dict, item->dict);
    SWAP(o->machine.where, item->where);
    return true;
}

static bool apply_smp(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiSMPConfiguration) check = qapi_parse_smp_configuration(item->dict, QAPI_FROM_TEXT, errp);

    if (!check) {
        return false;
    }
    item_clear(&o->smp);
    SWAP(o->smp, *item);
    return true;
}

static bool apply_rtc(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiRtcOptions) check = qapi_parse_rtc_options(item->dict, QAPI_FROM_TEXT, errp);

    if (!check) {
        return false;
    }
    item_clear(&o->rtc);
    SWAP(o->rtc, *item);
    return true;
}

#define APPLY_TYPED(field, snake)                                                             \
    static bool apply_##field(Options *o, CliItem *item, Error **errp)                        \
    {                                                                                         \
        qapi_free_##snake(o->field);                                                          \
        SWAP(o->field##_where, item->where);                                                  \
        o->field = qapi_parse_##snake(item->dict, QAPI_FROM_TEXT, errp);                      \
        return o->field != NULL;                                                              \
    }
APPLY_TYPED(memory, memory_options)
APPLY_TYPED(boot, boot_options)
APPLY_TYPED(name, name_options)

static bool apply_action(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiActionOptions) a = qapi_parse_action_options(item->dict, QAPI_FROM_TEXT, errp);

    if (!a) {
        return false;
    }
    reboot_action = a->has_reboot ? (RebootAction)a->reboot : reboot_action;
    shutdown_action = a->has_shutdown ? (ShutdownAction)a->shutdown : shutdown_action;
    panic_action = a->has_panic ? (PanicAction)a->panic : panic_action;
    watchdog_action = a->has_watchdog ? (WatchdogAction)a->watchdog : watchdog_action;
    return true;
}

static bool apply_chardev(Options *o, CliItem *item, Error **errp)
{
    item_append(&o->chardevs, item);
    return true;
}

static bool apply_device(Options *o, CliItem *item, Error **errp)
{
    item_append(&o->devices, item);
    return true;
}

static bool apply_add_fd(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiAddFdOptions) a = qapi_parse_add_fd_options(item->dict, QAPI_FROM_TEXT, errp);
    int flags;

    if (!a) {
        return false;
    }
    if (a->fd <= STDERR_FILENO) {
        error_setg(errp, "fd must be greater than %d, got %" PRId64, STDERR_FILENO, a->fd);
        return false;
    }
    flags = a->fd > INT_MAX ? -1 : fcntl((int)a->fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC)) {        /* what we opened ourselves, or took already, is so marked */
        error_setg(errp, "fd %" PRId64 " is not valid or already in use", a->fd);
        return false;
    }
    if (a->set < 0) {
        error_setg(errp, "set must be at least 0, got %" PRId64, a->set);
        return false;
    }
    fcntl((int)a->fd, F_SETFD, FD_CLOEXEC);
    return fdset_add(a->set, (int)a->fd, a->opaque, errp) >= 0;
}

static bool apply_mon(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiMonitorOptions) check = qapi_parse_monitor_options(item->dict, QAPI_FROM_TEXT, errp);

    if (!check) {
        return false;
    }
    item_append(&o->mons, item);
    return true;
}

static bool apply_global(Options *o, CliItem *item, Error **errp)
{
    const char *driver = value_dict_get_str(item->dict, "driver");
    const char *property = value_dict_get_str(item->dict, "property");
    const char *value = value_dict_get_str(item->dict, "value");
    const TypeInfo *type;

    if (!driver || !property || !value) {
        error_setg(errp, "parameter '%s' is missing", !driver ? "driver" : !property ? "property" : "value");
        return false;
    }
    type = type_by_name(driver);
    if (type && !type->abstract && !type_find_property(type, property)) {
        error_setg(errp, "%s has no property '%s'", driver, property);
        return false;
    }
    object_global_property_add(driver, property, value);
    item_append(&o->globals, item);
    return true;
}

/* --- options by text --- */

static bool apply_net_text(Options *o, const char *option, const char *arg, GArray **list, Error **errp)
{
    bool is_json;
    CliItem item = { .where = g_strdup_printf("-%s %s", option, arg), .text = g_strdup(arg) };

    item.dict = netdev_parse_text(arg, &is_json, errp);
    if (item.dict) {
        item_append(list, &item);
        return true;
    }
    item_clear(&item);
    return false;
}

static bool apply_netdev_text(Options *o, const char *arg, Error **errp)
{
    if (!strcmp(arg, "help") || !strcmp(arg, "?")) {
        net_print_backends(stdout);
        o->done = true;
        return true;
    }
    return apply_net_text(o, "netdev", arg, &o->netdevs, errp);
}

static bool apply_nic_text(Options *o, const char *arg, Error **errp)
{
    if (!strcmp(arg, "help") || strstr(arg, "model=help") || strstr(arg, "model=?")) {
        net_print_models(stdout);
        o->done = true;
        return true;
    }
    return apply_net_text(o, "nic", arg, &o->nics, errp);
}

static bool apply_net_option_text(Options *o, const char *arg, Error **errp)
{
    if (strstr(arg, "model=help") || strstr(arg, "model=?")) {
        net_print_models(stdout);
        o->done = true;
        return true;
    }
    return apply_net_text(o, "net", arg, &o->nets, errp);
}

static bool apply_incoming(Options *o, const char *arg, Error **errp)
{
    return refuse("migration is not available", errp);
}

/* TYPE.PROPERTY=VALUE is short for driver=TYPE,property=PROPERTY,value=VALUE. */
static bool apply_global_text(Options *o, const char *arg, Error **errp)
{
    const char *eq = strchr(arg, '='), *dot = strchr(arg, '.');
    Value *dict;

    if (eq && dot && dot < eq && strncmp(arg, "driver=", 7)) {
        g_autofree char *driver = g_strndup(arg, dot - arg), *property = g_strndup(dot + 1, eq - dot - 1);

        dict = value_dict();
        value_dict_set_str(dict, "driver", driver);
        value_dict_set_str(dict, "property", property);
        value_dict_set_str(dict, "value", eq + 1);
    } else {
        dict = keyval_parse(arg, NULL, KEYVAL_FLAT, NULL, errp);
        if (!dict) {
            return false;
        }
    }
    return options_apply_dict(o, "global", dict, errp);
}

static bool apply_cpu(Options *o, const char *arg, Error **errp)
{
    if (!strcmp(arg, "help") || !strcmp(arg, "?")) {
        help_cpus();
        return o->done = true;
    }
    if (g_str_has_suffix(arg, ",help")) {
        g_autofree char *model = g_strndup(arg, strcspn(arg, ","));
        g_autofree char *type = cli_cpu_type_name(model);

        return o->done = help_type(type ? type : model, &vcpu_type, errp);
    }
    item_clear(&o->cpu);
    o->cpu = (CliItem){ .where = g_strdup_printf("-cpu %s", arg), .text = g_strdup(arg) };
    return true;
}

static bool append_text(GArray **list, const char *option, const char *arg)
{
    CliItem item = { .where = g_strdup_printf("-%s %s", option, arg), .text = g_strdup(arg) };

    item_append(list, &item);
    return true;
}

static bool apply_serial(Options *o, const char *arg, Error **errp)
{
    if (o->serials && o->serials->len == MAX_SERIALS) {
        error_setg(errp, "too many serial ports: at most %d", MAX_SERIALS);
        return false;
    }
    return append_text(&o->serials, "serial", arg);
}

static bool apply_parallel(Options *o, const char *arg, Error **errp)
{
    if (strcmp(arg, "none") && strcmp(arg, "null")) {
        return refuse("parallel ports are not available", errp);
    }
    return append_text(&o->parallels, "parallel", arg);
}

static bool apply_monitor(Options *o, const char *arg, Error **errp)
{
    return append_text(&o->monitors, "monitor", arg);
}

static bool apply_qmp(Options *o, const char *arg, Error **errp)
{
    return append_text(&o->monitors, "qmp", arg);
}

static bool apply_qmp_pretty(Options *o, const char *arg, Error **errp)
{
    return append_text(&o->monitors, "qmp-pretty", arg);
}

static bool apply_drive_shorthand(Options *o, const char *where, const char *file, const char *keys)
{
    Value *dict = keyval_parse(keys, NULL, KEYVAL_FLAT, NULL, &error_abort);

    value_dict_set_str(dict, "file", file);
    append_dict(o, &o->drives, where, dict);
    return true;
}

#define APPLY_DRIVE(name, keys)                                                               \
    static bool apply_##name(Options *o, const char *arg, Error **errp)                       \
    {                                                                                         \
        return apply_drive_shorthand(o, "-" #name, arg, keys);                                \
    }
APPLY_DRIVE(hda, "media=disk,index=0")
APPLY_DRIVE(hdb, "media=disk,index=1")
APPLY_DRIVE(hdc, "media=disk,index=2")
APPLY_DRIVE(hdd, "media=disk,index=3")
APPLY_DRIVE(cdrom, "media=cdrom,index=2")

static bool apply_no_reboot(Options *o, const char *arg, Error **errp)
{
    reboot_action = REBOOT_ACTION_SHUTDOWN;
    return true;
}

static bool apply_no_shutdown(Options *o, const char *arg, Error **errp)
{
    shutdown_action = SHUTDOWN_ACTION_PAUSE;
    return true;
}

static bool apply_watchdog_action(Options *o, const char *arg, Error **errp)
{
    int a = qapi_enum_parse(&qapi_type_WatchdogAction, arg);

    if (a < 0) {
        error_setg(errp, "Parameter 'action' does not accept value '%s'", arg);
        return false;
    }
    watchdog_action = (WatchdogAction)a;
    return true;
}

static bool apply_uuid(Options *o, const char *arg, Error **errp)
{
    if (!uuid_parse(arg, o->uuid)) {
        error_setg(errp, "failed to parse UUID '%s'", arg);
        return false;
    }
    o->uuid_set = true;
    return true;
}

static bool apply_vnc(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiVncOptions) check = qapi_parse_vnc_options(item->dict, QAPI_FROM_TEXT, errp);

    if (!check) {
        return false;
    }
    if (strcmp(check->vnc, "none")) {
        item_append(&o->vncs, item);
    }
    return true;
}

static bool apply_display(Options *o, const char *arg, Error **errp)
{
    if (g_str_has_prefix(arg, "vnc=")) {
        return options_apply(o, "vnc", arg + strlen("vnc="), errp);
    }
    if (strcmp(arg, "none")) {
        error_setg(errp, "display '%s' is not available: 'none' and 'vnc=' are", arg);
        return false;
    }
    return true;
}

static bool apply_vga(Options *o, const char *arg, Error **errp)
{
    if (strcmp(arg, "none") && strcmp(arg, "std")) {
        error_setg(errp, "display adapter '%s' is not available: 'std' and 'none' are", arg);
        return false;
    }
    g_free(o->vga);
    o->vga = g_strdup(arg);
    return true;
}

static bool apply_log_items(Options *o, const char *arg, Error **errp)
{
    unsigned mask;

    if (!strcmp(arg, "help") || !strcmp(arg, "?")) {
        log_print_items(stdout);
        return o->done = true;
    }
    if (!log_parse_items(arg, &mask, errp)) {
        return false;
    }
    g_free(o->log_items);
    o->log_items = g_strdup(arg);
    return true;
}

static bool apply_help(Options *o, const char *arg, Error **errp)
{
    options_print_help(stdout);
    return o->done = true;
}

static bool apply_version(Options *o, const char *arg, Error **errp)
{
    help_version(stdout);
    return o->done = true;
}

static bool apply_enable_kvm(Options *o, const char *arg, Error **errp)
{
    return options_apply(o, "accel", "kvm", errp);
}

static bool apply_perfmap(Options *o, const char *arg, Error **errp)
{
    object_global_property_add("tcg-accel", "perfmap", "on");
    return true;
}

static bool apply_usb(Options *o, const char *arg, Error **errp)
{
    return options_apply(o, "machine", "usb=on", errp);
}

static bool apply_no_fd_bootchk(Options *o, const char *arg, Error **errp)
{
    return options_apply(o, "machine", "fd-bootchk=off", errp);
}

static bool apply_no_user_config(Options *o, const char *arg, Error **errp)
{
    return true;                    /* there is no user's configuration file that could be read */
}

static bool apply_s(Options *o, const char *arg, Error **errp)
{
    return options_apply(o, "gdb", "tcp::1234", errp);
}

static bool apply_readconfig(Options *o, const char *arg, Error **errp)
{
    return options_read_config(o, arg, errp);
}

/* --- the table --- */

#define AT(f) .list = offsetof(Options, f)
#define STR(f) .string = offsetof(Options, f)
#define FLAG(f) .flag = offsetof(Options, f)

static const OptionDef options[] = {
    /* general */
    { "h", NULL, "print this help", apply_help },
    { "help", NULL, "print this help", apply_help },
    { "version", NULL, "print the version", apply_version },
    { "machine", "[type=]NAME[,PROP=VALUE...]", "select the machine type; 'help' lists them", .keys = apply_machine,
      .print_help = help_machines, .implied = "type", .mode = KEYVAL_NESTED },
    { "M", "[type=]NAME[,PROP=VALUE...]", "the same", .keys = apply_machine, .print_help = help_machines,
      .implied = "type", .mode = KEYVAL_NESTED, .group = "" },
    { "cpu", "MODEL[,+FEATURE][,-FEATURE][,PROP=VALUE]", "select the CPU model; 'help' lists them", apply_cpu },
    { "accel", "[accel=]NAME[,PROP=VALUE...]", "select the accelerator; 'help' lists them", AT(accels),
      .print_help = help_accels, .implied = "accel", .mode = KEYVAL_NESTED },
    { "perfmap", NULL, "write /tmp/perf-PID.map, names of translated code for perf", apply_perfmap },
    { "enable-kvm", NULL, "the same as -accel kvm", apply_enable_kvm },
    { "smp", "[[cpus=]N][,maxcpus=N][,sockets=N][,dies=N][,clusters=N][,cores=N][,threads=N]",
      "number and topology of virtual CPUs", .keys = apply_smp, .implied = "cpus", .mode = KEYVAL_NESTED, .group = "smp-opts", .schema = &qapi_type_SMPConfiguration },
    { "m", "[size=]MEGS[,slots=N,maxmem=SIZE]", "guest memory", .keys = apply_memory, .implied = "size",
      .mode = KEYVAL_FLAT, .group = "memory", .schema = &qapi_type_MemoryOptions },
    { "mem-path", "PATH", "guest memory in a file or folder", STR(mem_path) },
    { "mem-prealloc", NULL, "touch all guest memory at start", FLAG(mem_prealloc) },
    { "memory-budget", NULL, "print what this command line may take of the host's memory, as JSON, and exit", FLAG(memory_budget) },
    { "overcommit", "[mem-lock=on|off|on-fault][,cpu-pm=on|off]", "how greedy to be with the host",
      .keys = apply_overcommit, .mode = KEYVAL_FLAT, .schema = &qapi_type_OvercommitOptions },
    { "acpitable", "[sig=TEXT][,rev=N][,oem_id=TEXT]...[,data=PATHS or file=PATHS]", "one more ACPI table", AT(acpitables),
      .mode = KEYVAL_FLAT, .schema = &qapi_type_AcpiTableOptions },
    { "numa", "node[,nodeid=N][,memdev=ID][,cpus=A[-B]]|dist,src=N,dst=N,val=N|cpu,node-id=N[,socket-id=N...]",
      "a NUMA node, a distance, where CPUs belong", AT(numas), .implied = "type",
      .mode = KEYVAL_FLAT },
    { "name", "[guest=]NAME[,process=NAME][,debug-threads=on|off]", "the guest's name", .keys = apply_name,
      .implied = "guest", .mode = KEYVAL_FLAT, .schema = &qapi_type_NameOptions },
    { "uuid", "UUID", "the machine's UUID", apply_uuid },
    { "smbios", "type=N[,FIELD=VALUE...] or file=PATH", "what SMBIOS tables tell", AT(smbios), .mode = KEYVAL_FLAT },
    { "fw_cfg", "[name=]NAME,file=PATH or string=TEXT", "a file for the guest's firmware", AT(fw_cfgs), .implied = "name",
      .mode = KEYVAL_FLAT, .schema = &qapi_type_FwCfgOptions },
    { "option-rom", "FILE", "an option ROM, which firmware runs", AT(option_roms), .implied = "romfile", .mode = KEYVAL_FLAT,
      .schema = &qapi_type_OptionRomOptions },
    { "set", "GROUP.ID.KEY=VALUE", "change a key of an option that was given before", apply_set },
    { "global", "DRIVER.PROP=VALUE", "another default for a device property", apply_global_text, .keys = apply_global,
      .mode = KEYVAL_FLAT },
    { "boot", "[order=]DRIVES[,once=DRIVES][,menu=on|off][,splash=FILE][,strict=on|off][,splash-time=MS][,reboot-timeout=MS]", "boot order",
      .keys = apply_boot, .implied = "order", .mode = KEYVAL_FLAT, .group = "boot-opts", .schema = &qapi_type_BootOptions },
    { "rtc", "[base=utc|localtime|DATE][,clock=host|rt|vm][,driftfix=none|slew]", "the real-time clock",
      .keys = apply_rtc, .mode = KEYVAL_FLAT, .schema = &qapi_type_RtcOptions },
    { "action", "[reboot=reset|shutdown][,shutdown=poweroff|pause][,panic=pause|shutdown|exit-failure|none]"
      "[,watchdog=ACTION]", "what the guest's doings do", .keys = apply_action, .mode = KEYVAL_FLAT, .schema = &qapi_type_ActionOptions },
    { "no-reboot", NULL, "the same as -action reboot=shutdown", apply_no_reboot },
    { "no-shutdown", NULL, "the same as -action shutdown=pause", apply_no_shutdown },
    { "watchdog-action", "ACTION", "the same as -action watchdog=ACTION", apply_watchdog_action },
    { "incoming", "URI|defer", "receive a migrating machine: not available", apply_incoming },
    { "S", NULL, "do not start; the monitor's 'cont' does", FLAG(paused) },
    { "preconfig", NULL, "wait for the monitor's x-exit-preconfig before the machine is built", FLAG(preconfig) },
    /* kernel and firmware */
    { "kernel", "FILE", "boot this kernel, without firmware", STR(kernel) },
    { "initrd", "FILE", "its initial RAM disk, or 'A,B' for Multiboot modules", STR(initrd) },
    { "append", "TEXT", "its command line", STR(append) },
    { "dtb", "FILE", "its device tree", STR(dtb) },
    { "bios", "FILE", "firmware image", STR(firmware) },
    { "L", "PATH", "a folder with firmware; 'help' lists those that are looked into", apply_datadir },
    { "no-fd-bootchk", NULL, "the same as -machine fd-bootchk=off", apply_no_fd_bootchk },
    { "seed", "NUMBER", "give the guest the same random numbers in every run", apply_seed },
    /* devices and back ends */
    { "device", "DRIVER[,PROP=VALUE...] or JSON", "add a device; 'help' lists them, 'DRIVER,help' its properties",
      .keys = apply_device, .print_help = help_devices, .implied = "driver", .mode = KEYVAL_FLAT },
    { "object", "TYPE,id=ID[,PROP=VALUE...] or JSON", "make an object; 'help' lists types", AT(objects),
      .print_help = help_objects, .implied = "qom-type", .mode = KEYVAL_NESTED },
    { "drive", "file=PATH[,if=TYPE][,format=FORMAT][,PROP=VALUE...]", "a drive", AT(drives), .mode = KEYVAL_FLAT },
    { "blockdev", "[driver=]DRIVER,node-name=NAME[,PROP=VALUE...] or JSON", "a block node", AT(blockdevs),
      .implied = "driver", .mode = KEYVAL_NESTED },
    { "hda", "FILE", "first hard disk", apply_hda },
    { "hdb", "FILE", "second hard disk", apply_hdb },
    { "hdc", "FILE", "third hard disk", apply_hdc },
    { "hdd", "FILE", "fourth hard disk", apply_hdd },
    { "cdrom", "FILE", "CD-ROM", apply_cdrom },
    { "snapshot", NULL, "write to temporary files instead of disk images", FLAG(snapshot) },
    { "chardev", "BACKEND,id=ID[,PROP=VALUE...]", "a character device; 'help' lists back ends", .keys = apply_chardev,
      .print_help = help_chardevs, .implied = "backend", .mode = KEYVAL_FLAT, .schema = &qapi_type_ChardevOptions },
    { "add-fd", "fd=FD,set=SET[,opaque=TEXT]", "put an inherited descriptor into the set /dev/fdset/SET", .keys = apply_add_fd,
      .mode = KEYVAL_FLAT, .schema = &qapi_type_AddFdOptions },
    { "serial", "DEV", "back end of the next serial port", apply_serial },
    { "parallel", "none|null", "back end of the next parallel port", apply_parallel },
    { "debugcon", "DEV", "back end of port 0xe9, the debug console", apply_debugcon },
    { "netdev", "TYPE,id=ID[,PROP=VALUE...] or JSON", "a network back end; 'help' lists types", apply_netdev_text,
      AT(netdevs), .implied = "type" },
    { "nic", "TYPE[,model=DRIVER][,mac=ADDR][,PROP=VALUE...] or none", "a network back end and a device on it; "
      "'model=help' lists devices", apply_nic_text, AT(nics), .implied = "type" },
    { "net", "nic[,model=DRIVER][,macaddr=ADDR][,netdev=ID] or TYPE[,PROP=VALUE...] or none",
      "a network device, or a back end, at hub 0", apply_net_option_text, AT(nets), .implied = "type" },
    { "audiodev", "[driver=]none,id=ID[,PROP=VALUE...]", "an audio back end; 'help' lists drivers", .keys = apply_audiodev,
      .print_help = help_audiodevs, .implied = "driver", .mode = KEYVAL_NESTED },
    { "audio", "[driver=]none", "no sound", .keys = apply_audio, .print_help = help_audiodevs, .implied = "driver", .mode = KEYVAL_FLAT, .group = "" },
    { "usb", NULL, "the same as -machine usb=on", apply_usb },
    /* the user's side */
    { "nographic", NULL, "no display; first serial port and monitor on the terminal", FLAG(nographic) },
    { "display", "none|vnc=ADDRESS", "no display, or a VNC server", apply_display },
    { "vnc", "HOST:DISPLAY|unix:PATH|none[,password=on][,to=LAST][,...]", "a VNC server", .keys = apply_vnc, .implied = "vnc",
      .mode = KEYVAL_FLAT, .schema = &qapi_type_VncOptions },
    { "vga", "std|none", "the display adapter; the PCs have the standard VGA by default", apply_vga },
    { "monitor", "DEV", "human monitor on a character device", apply_monitor },
    { "qmp", "DEV", "QMP on a character device", apply_qmp },
    { "qmp-pretty", "DEV", "the same, printed for reading", apply_qmp_pretty },
    { "mon", "[chardev=]ID[,mode=readline|control][,pretty=on|off]", "a monitor", .keys = apply_mon,
      .implied = "chardev", .mode = KEYVAL_FLAT, .schema = &qapi_type_MonitorOptions },
    { "nodefaults", NULL, "no default devices", FLAG(nodefaults) },
    { "echr", "NUMBER", "character that begins an escape on the terminal; 1 = Ctrl-A", apply_echr },
    { "compat", "[deprecated-input=accept][,deprecated-output=accept][,unstable-input=accept][,unstable-output=accept]",
      "what is done with deprecated and unstable interfaces", .keys = apply_compat, .mode = KEYVAL_FLAT,
      .schema = &qapi_type_CompatPolicy },
    { "gdb", "DEV", "let a debugger attach at a character device: tcp::PORT, unix:PATH,server=on, stdio, chardev:ID", STR(gdb) },
    { "s", NULL, "the same as -gdb tcp::1234", apply_s },
    { "qtest", "DEV", "let a test on a character device touch the machine in the guest's place (with -accel qtest)",
      STR(qtest) },
    { "qtest-log", "FILE|none", "log of the test's commands; default: standard error", STR(qtest_log) },
    { "no-user-config", NULL, "read no configuration file of the user's", apply_no_user_config },
    { "readconfig", "FILE", "read options from a file", apply_readconfig },
    /* the process */
    { "daemonize", NULL, "go into the background when ready", FLAG(daemonize) },
    { "pidfile", "FILE", "write the process id there", STR(pidfile) },
    { "sandbox", "on[,obsolete=allow|deny][,elevateprivileges=allow|deny|children][,spawn=allow|deny]"
      "[,resourcecontrol=allow|deny]", "system call filter", .keys = apply_sandbox, .implied = "enable", .mode = KEYVAL_FLAT,
      .schema = &qapi_type_SandboxOptions },
    { "run-with", "[async-teardown=on|off][,chroot=DIR][,user=NAME|UID:GID][,exit-with-parent=on|off]",
      "who the process is and how it ends", .keys = apply_run_with, .mode = KEYVAL_FLAT,
      .schema = &qapi_type_RunWithOptions },
    { "msg", "[timestamp=on|off][,guest-name=on|off]", "form of messages", .keys = apply_msg, .mode = KEYVAL_FLAT,
      .schema = &qapi_type_MessageOptions },
    { "d", "ITEM[,ITEM...]", "what to log; 'help' lists items", apply_log_items },
    { "trace", "[[enable=]PATTERN][,events=FILE][,file=FILE]", "log these trace events; 'help' lists them",
      .keys = apply_trace, .print_help = help_trace, .implied = "enable", .mode = KEYVAL_FLAT, .schema = &qapi_type_TraceOptions },
    { "D", "FILE", "where to log", STR(log_file) },
    { "dfilter", "RANGE[,RANGE...]", "log translations of these addresses only", STR(log_filter) },
};

const OptionDef *options_table(unsigned *n)
{
    *n = ARRAY_SIZE(options);
    return options;
}

static const OptionDef *option_find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
        if (!strcmp(options[i].name, name)) {
            return &options[i];
        }
    }
    return NULL;
}

/* --- taking one --- */

/* "-device X,help" and its like: print the properties of what is named. */
static bool print_item_help(const OptionDef *d, const Value *dict, Error **errp)
{
    const TypeInfo *base = !strcmp(d->name, "device") ? &device_type
        : !strcmp(d->implied ? d->implied : "", "type") && d->print_help ? &machine_type
        : !strcmp(d->name, "accel") ? &accel_type : NULL;
    const char *name = d->implied ? value_dict_get_str(dict, d->implied) : NULL;
    g_autofree char *type_name = NULL;

    if (!name) {
        if (!d->print_help) {
            printf("-%s %s\n    %s\n", d->name, d->arg, d->help);
        } else {
            d->print_help();
        }
        return true;
    }
    if (base == &machine_type) {
        const TypeInfo *t = machine_type_find(name);

        type_name = g_strdup(t ? t->name : name);
    } else if (base == &accel_type) {
        type_name = g_strdup_printf("%s-accel", name);
    } else {
        type_name = g_strdup(name);
    }
    return help_type(type_name, base, errp);
}

static bool apply_keys(Options *o, const OptionDef *d, CliItem *item, Error **errp)
{
    if (d->keys) {
        return d->keys(o, item, errp);
    }
    item_append((GArray **)((char *)o + d->list), item);
    return true;
}

static bool apply_text(Options *o, const OptionDef *d, const char *arg, Error **errp)
{
    g_autofree char *where = arg ? g_strdup_printf("-%s %s", d->name, arg) : g_strdup_printf("-%s", d->name);
    CliItem item = { 0 };
    bool help, is_json, ok;

    if (d->text) {
        return d->text(o, arg, errp);
    }
    if (d->flag) {
        *(bool *)((char *)o + d->flag) = true;
        return true;
    }
    if (d->string) {
        char **s = (char **)((char *)o + d->string);

        g_free(*s);
        *s = g_strdup(arg);
        return true;
    }
    item.where = g_steal_pointer(&where);
    item.text = g_strdup(arg);
    item.dict = keyval_or_json_parse(arg, d->implied, d->mode, &help, &is_json, errp);
    if (item.dict && help) {
        ok = o->done = print_item_help(d, item.dict, errp);
    } else {
        item.is_json = item.dict && is_json;
        ok = item.dict && apply_keys(o, d, &item, errp);
    }
    item_clear(&item);
    return ok;
}

bool options_apply(Options *o, const char *name, const char *arg, Error **errp)
{
    const OptionDef *d = option_find(name);

    if (!d) {
        error_setg(errp, "invalid option");
        return false;
    }
    return apply_text(o, d, arg, errp);
}

bool options_apply_dict(Options *o, const char *name, Value *dict, Error **errp)
{
    CliItem item = { .where = g_strdup_printf("-%s", name), .dict = dict };
    const OptionDef *d = NULL;
    bool ok = false;

    for (unsigned i = 0; i < ARRAY_SIZE(options) && !d; i++) {
        d = !strcmp(options[i].group ? options[i].group : options[i].name, name) ? &options[i] : NULL;
    }
    if (!d || (!d->keys && !d->list)) {
        error_setg(errp, "there is no option group '%s'", name);
    } else {
        ok = apply_keys(o, d, &item, errp);
    }
    item_clear(&item);
    return ok;
}

/* --- the whole line --- */

static bool report_at(const char *option, const char *arg, Error **errp)
{
    error_prepend(errp, "%s%s%s: ", option, arg ? " " : "", arg ? arg : "");
    return false;
}

static bool unknown_option(const char *option, const char *name, const char *arg, Error **errp)
{
    bool takes_arg = false;
    const char *why = option_refusal(name, &takes_arg);

    if (why && takes_arg && !arg) {
        why = "requires an argument";
    }
    error_setg(errp, "%s%s%s: %s", option, takes_arg && arg ? " " : "", takes_arg && arg ? arg : "", why ? why : "invalid option");
    return false;
}

bool options_parse(Options *o, int argc, char **argv, Error **errp)
{
    for (int i = 1; i < argc && !o->done; i++) {
        const char *option = argv[i], *name = option + 1 + (option[0] == '-' && option[1] == '-');
        const OptionDef *d;
        Error *err = NULL;
        const char *arg = NULL;

        if (option[0] != '-') {
            apply_hda(o, option, NULL);         /* a bare word is a disk image */
            continue;
        }
        d = option_find(name);
        if (!d) {
            return unknown_option(option, name, argv[i + 1], errp);
        }
        if (d->arg) {
            if (i + 1 >= argc) {
                error_setg(errp, "%s: requires an argument", option);
                return false;
            }
            arg = argv[++i];
        }
        if (!apply_text(o, d, arg, &err)) {
            report_at(option, arg, &err);
            error_propagate(errp, err);
            return false;
        }
    }
    return true;
}

static void clear_list(GArray **list)
{
    for (unsigned i = 0; *list && i < (*list)->len; i++) {
        item_clear(&g_array_index(*list, CliItem, i));
    }
    g_clear_pointer(list, g_array_unref);
}

void options_clear(Options *o)
{
    GArray **const lists[] = { &o->accels, &o->acpitables, &o->blockdevs, &o->chardevs, &o->devices, &o->drives, &o->fw_cfgs,
                               &o->globals, &o->mons, &o->monitors, &o->netdevs, &o->nets, &o->nics, &o->numas, &o->objects,
                               &o->option_roms, &o->parallels, &o->serials, &o->smbios, &o->vncs };
    char **const strings[] = { &o->memory_where, &o->boot_where, &o->name_where, &o->log_items, &o->debugcon, &o->vga,
                               &o->gdb, &o->qtest, &o->qtest_log };

    for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
        if (options[i].string) {
            g_clear_pointer((char **)((char *)o + options[i].string), g_free);
        }
    }
    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
        clear_list(lists[i]);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(strings); i++) {
        g_clear_pointer(strings[i], g_free);
    }
    item_clear(&o->machine);
    item_clear(&o->cpu);
    item_clear(&o->smp);
    item_clear(&o->rtc);
    qapi_free_memory_options(o->memory);
    qapi_free_boot_options(o->boot);
    qapi_free_name_options(o->name);
    qapi_free_run_with_options(o->run_with);
    run_as_free(o->run_as);
    g_clear_pointer(&o->datadirs, g_ptr_array_unref);
    g_clear_pointer(&o->audiodev_ids, g_ptr_array_unref);
    object_global_properties_clear();
    *o = (Options){ 0 };
}

void options_print_help(FILE *f)
{
    help_version(f);
    fprintf(f, "usage: quern [options] [disk_image]\n\n");
    for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
        fprintf(f, "-%s%s%s\n                %s\n", options[i].name, options[i].arg ? " " : "",
                options[i].arg ? options[i].arg : "", options[i].help);
    }
}
