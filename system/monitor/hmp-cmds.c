/*
 * The human monitor's commands: a table, and a function for each that prints to a stream.
 *
 * Commands that QMP has, too, call its function and print what it says.
 */
#include "system/monitor/internal.h"

#include "hw/core/cpu.h"
#include "qapi/keyval.h"
#include "qapi/qapi-commands.h"
#include "system/gdbstub.h"
#include "system/net.h"
#include "system/runstate.h"
#include "util/log.h"

typedef struct HmpCommand {
    const char *name, *alias;
    const char *args;                   /* for help; NULL = takes none */
    const char *help;
    bool (*simple)(Error **errp);       /* QMP's function, for commands without arguments */
    bool (*run)(FILE *out, const char *args, Error **errp);
    bool (*formatted)(FILE *out, const char *format, const char *args, int cpu, Error **errp);  /* "x/4xw ADDR" */
} HmpCommand;

static int present_cpu;                 /* "cpu N"; for commands about a CPU */

static void print_help_of(FILE *out, const HmpCommand *c)
{
    fprintf(out, "%s%s%s%s%s -- %s\n", c->name, c->alias ? "|" : "", c->alias ? c->alias : "", c->args ? " " : "",
            c->args ? c->args : "", c->help);
}

static bool hmp_log(FILE *out, const char *args, Error **errp)
{
    unsigned mask = 0;

    if (!*args) {
        log_print_items(out);
        return true;
    }
    if (strcmp(args, "none") && !log_parse_items(args, &mask, errp)) {
        return false;
    }
    log_mask = mask;
    return true;
}

static bool hmp_logfile(FILE *out, const char *args, Error **errp)
{
    return log_set_file(args, errp);
}

static bool hmp_cpu(FILE *out, const char *args, Error **errp)
{
    uint64_t n;

    if (!qapi_parse_uint("index", args, &n, errp)) {
        return false;
    }
    if (n > INT_MAX || !cpu_by_index((unsigned)n)) {
        error_setg(errp, "invalid CPU index %" PRIu64, n);
        return false;
    }
    present_cpu = (int)n;
    return true;
}

static bool hmp_device_add(FILE *out, const char *args, Error **errp)
{
    g_autoptr(Value) opts = keyval_parse(args, "driver", KEYVAL_FLAT, NULL, errp);

    return opts && device_add_from_opts(opts, true, errp);
}

static bool hmp_device_del(FILE *out, const char *args, Error **errp)
{
    return device_del_by_id(args, errp);
}

static bool hmp_netdev_add(FILE *out, const char *args, Error **errp)
{
    bool is_json;
    g_autoptr(Value) opts = netdev_parse_text(args, &is_json, errp);

    return opts && netdev_add_dict(opts, is_json, errp);
}

static bool hmp_netdev_del(FILE *out, const char *args, Error **errp)
{
    QapiNetdevDelArgs a = { .id = (char *)args };

    return qmp_netdev_del(&a, errp);
}

static bool hmp_set_link(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    QapiSetLinkArgs a = { .name = words[0] };

    return qapi_parse_bool("up", words[1] ? g_strstrip(words[1]) : "", &a.up, errp) && qmp_set_link(&a, errp);
}

/* "[ID] RULE" */
static bool hostfwd(bool add, FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);

    return net_hostfwd(add, words[1] ? words[0] : NULL, words[1] ? g_strstrip(words[1]) : words[0], out, errp);
}

static bool hmp_hostfwd_add(FILE *out, const char *args, Error **errp)
{
    return hostfwd(true, out, args, errp);
}

static bool hmp_hostfwd_remove(FILE *out, const char *args, Error **errp)
{
    return hostfwd(false, out, args, errp);
}

static bool hmp_object_add(FILE *out, const char *args, Error **errp)
{
    g_autoptr(Value) opts = keyval_parse(args, "qom-type", KEYVAL_NESTED, NULL, errp);

    return opts && user_creatable_add(opts, errp);
}

static bool hmp_object_del(FILE *out, const char *args, Error **errp)
{
    return user_creatable_del(args, errp);
}

static bool hmp_balloon(FILE *out, const char *args, Error **errp)
{
    QapiBalloonArgs a;
    uint64_t mebibytes;

    if (!qapi_parse_uint("value", args, &mebibytes, errp)) {
        return false;
    }
    a.value = (int64_t)MIN(mebibytes, INT64_MAX / MiB) * (int64_t)MiB;
    return qmp_balloon(&a, errp);
}

static bool hmp_migrate_set_capability(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) parts = g_strsplit(args, " ", 2);
    int name = qapi_enum_parse(&qapi_type_MigrationCapability, parts[0]);
    QapiMigrationCapabilityStatus status = { .capability = (QapiMigrationCapability)name };
    QapiMigrationCapabilityStatusList list = { 1, &status };

    if (name < 0) {
        error_setg(errp, "Parameter 'capability' does not accept value '%s'", parts[0]);
        return false;
    }
    return qapi_parse_bool("state", parts[1] ? g_strstrip(parts[1]) : "", &status.state, errp)
        && qmp_migrate_set_capabilities(&(QapiMigrateSetCapabilitiesArgs){ .capabilities = &list }, errp);
}

/* A number for a bandwidth or a cache is in MiB, as QEMU's users know it. */
static bool hmp_migrate_set_parameter(FILE *out, const char *args, Error **errp)
{
    static const char *const in_mebibytes[] = {
        "max-bandwidth", "avail-switchover-bandwidth", "max-postcopy-bandwidth", NULL,
    };
    g_auto(GStrv) parts = g_strsplit(args, " ", 2);
    const char *text = parts[1] ? g_strstrip(parts[1]) : "";
    g_autoptr(QapiMigrateSetParameters) p = NULL;
    g_autoptr(Value) dict = value_dict();
    bool bare = *text && g_ascii_isdigit(text[strlen(text) - 1]);

    value_dict_set(dict, parts[0], value_string_printf("%s%s", text, bare && g_strv_contains(in_mebibytes, parts[0]) ? "M" : ""));
    p = qapi_parse_migrate_set_parameters(dict, QAPI_FROM_TEXT, errp);
    return p && qmp_migrate_set_parameters(p, errp);
}

static bool hmp_watchdog_action(FILE *out, const char *args, Error **errp)
{
    int action = qapi_enum_parse(&qapi_type_WatchdogAction, args);

    if (action < 0) {
        error_setg(errp, "invalid watchdog action '%s'", args);
        return false;
    }
    return qmp_watchdog_set_action(&(QapiWatchdogSetActionArgs){ .action = (QapiWatchdogAction)action }, errp);
}

static bool hmp_gdbserver(FILE *out, const char *args, Error **errp)
{
    const char *device = *args ? args : "tcp::1234";

    if (!gdbstub_start(device, errp)) {
        error_prepend(errp, "Could not open gdbserver on device '%s': ", device);
        return false;
    }
    if (!strcmp(device, "none")) {
        fprintf(out, "Disabled gdbserver\n");
    } else {
        fprintf(out, "Waiting for gdb connection on device '%s'\n", device);
    }
    return true;
}

static bool hmp_trace_event(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) parts = g_strsplit(args, " ", 2);
    QapiTraceEventSetStateArgs set = { .name = parts[0] };

    return qapi_parse_bool("option", parts[0] && parts[1] ? g_strstrip(parts[1]) : "", &set.enable, errp)
        && qmp_trace_event_set_state(&set, errp);
}

static bool hmp_info_command(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) parts = g_strsplit(args, " ", 2);

    if (!parts[0] || !*parts[0]) {
        hmp_info_list(out);
    } else {
        hmp_info(out, parts[0], parts[1] ? g_strstrip(parts[1]) : "", present_cpu);
    }
    return true;
}

int hmp_present_cpu(void)
{
    return present_cpu;
}

static bool hmp_help(FILE *out, const char *args, Error **errp);

static bool examine_virtual(FILE *out, const char *format, const char *args, int cpu, Error **errp)
{
    return hmp_examine(out, format, args, false, cpu, errp);
}

static bool examine_physical(FILE *out, const char *format, const char *args, int cpu, Error **errp)
{
    return hmp_examine(out, format, args, true, cpu, errp);
}

static const HmpCommand commands[] = {
    { "help", "?", "[COMMAND]", "explain commands", .run = hmp_help },
    { "info", NULL, "[SUBJECT]", "show something; without subject list them", .run = hmp_info_command },
    { "quit", "q", NULL, "end the emulator", qmp_quit },
    { "exit_preconfig", NULL, NULL, "build the machine and start it, with -preconfig", qmp_x_exit_preconfig },
    { "stop", "s", NULL, "stop the virtual CPUs", qmp_stop },
    { "cont", "c", NULL, "run", qmp_cont },
    { "system_reset", NULL, NULL, "reset the machine", qmp_system_reset },
    { "system_powerdown", NULL, NULL, "press the power button", qmp_system_powerdown },
    { "system_wakeup", NULL, NULL, "wake a suspended guest", qmp_system_wakeup },
    { "nmi", NULL, NULL, "press the NMI button", qmp_inject_nmi },
    { "watchdog_action", NULL, "reset|shutdown|poweroff|pause|debug|none|inject-nmi", "choose what an expired watchdog does",
      .run = hmp_watchdog_action },
    { "block_resize", NULL, "DEVICE SIZE", "make a node or drive larger or smaller", .run = hmp_block_resize },
    { "eject", NULL, "[-f] DEVICE", "take out a removable device's medium", .run = hmp_eject },
    { "block_set_io_throttle", NULL, "DEVICE BPS BPS_RD BPS_WR IOPS IOPS_RD IOPS_WR", "slow down a device's requests",
      .run = hmp_block_set_io_throttle },
    { "trace-event", NULL, "NAME on|off", "switch trace events; NAME may be a pattern", .run = hmp_trace_event },
    { "chardev-add", NULL, "BACKEND,id=ID[,PROP=VALUE...]", "make a character device", .run = hmp_chardev_add },
    { "chardev-change", NULL, "ID BACKEND[,PROP=VALUE...]", "put another back end in its place", .run = hmp_chardev_change },
    { "chardev-remove", NULL, "ID", "remove a character device", .run = hmp_chardev_remove },
    { "chardev-send-break", NULL, "ID", "send a break to the front end", .run = hmp_chardev_send_break },
    { "ringbuf_read", NULL, "DEVICE SIZE", "take bytes out of a ring buffer", .run = hmp_ringbuf_read },
    { "ringbuf_write", NULL, "DEVICE DATA", "give bytes to a ring buffer", .run = hmp_ringbuf_write },
    { "boot_set", NULL, "ORDER", "boot from these in turn: a, b floppies, c disk, d CD-ROM, n network", .run = hmp_boot_set },
    { "set_password", NULL, "vnc PASSWORD", "set a display's password", .run = hmp_set_password },
    { "expire_password", NULL, "vnc never|now|+SECONDS|SECONDS", "when a display's password expires", .run = hmp_expire_password },
    { "change", NULL, "[-f] DEVICE FILENAME [FORMAT [READ-ONLY-MODE]] | vnc password PASSWORD",
      "put another medium in a removable device; set VNC's password", .run = hmp_change },
    { "getfd", NULL, "NAME", "take the descriptor that was passed along (SCM_RIGHTS)", .run = hmp_getfd },
    { "closefd", NULL, "NAME", "close a descriptor that was passed", .run = hmp_closefd },
    { "qom-list", NULL, "[PATH]", "an object's properties", .run = hmp_qom_list },
    { "qom-get", NULL, "PATH PROPERTY", "a property as JSON", .run = hmp_qom_get },
    { "qom-set", NULL, "[-j] PATH PROPERTY VALUE", "set a property; VALUE as on a command line, or JSON", .run = hmp_qom_set },
    { "balloon", NULL, "MIB", "ask the guest to come to so much memory", .run = hmp_balloon },
    { "cpu", NULL, "N", "choose the CPU that commands are about", .run = hmp_cpu },
    { "log", NULL, "ITEM[,ITEM...]|none", "choose what is logged", .run = hmp_log },
    { "logfile", NULL, "FILE", "log into FILE", .run = hmp_logfile },
    { "device_add", NULL, "DRIVER[,PROP=VALUE...]", "plug a device", .run = hmp_device_add },
    { "device_del", NULL, "ID", "unplug a device", .run = hmp_device_del },
    { "netdev_add", NULL, "TYPE,id=ID[,PROP=VALUE...]", "make a network back end", .run = hmp_netdev_add },
    { "netdev_del", NULL, "ID", "remove a network back end", .run = hmp_netdev_del },
    { "set_link", NULL, "NAME on|off", "plug or pull the cable of a network device or back end", .run = hmp_set_link },
    { "hostfwd_add", NULL, "[ID] [tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT", "forward a port of the host into the guest",
      .run = hmp_hostfwd_add },
    { "hostfwd_remove", NULL, "[ID] [tcp|udp]:[HOSTADDR]:HOSTPORT", "do so no longer", .run = hmp_hostfwd_remove },
    { "object_add", NULL, "TYPE,id=ID[,PROP=VALUE...]", "make an object", .run = hmp_object_add },
    { "object_del", NULL, "ID", "remove an object", .run = hmp_object_del },
    { "calc_dirty_rate", NULL, "[-r|-b] SECONDS [SAMPLE-PAGES]", "measure how fast the guest writes to memory; -b by logging writes",
      .run = hmp_calc_dirty_rate },
    { "migrate_set_capability", NULL, "CAPABILITY on|off", "switch a way of migrating", .run = hmp_migrate_set_capability },
    { "migrate_set_parameter", NULL, "PARAMETER VALUE", "set a parameter of migrations", .run = hmp_migrate_set_parameter },
    { "dump-guest-memory", NULL, "[-p] [-d] [-z [-R]] FILE [BEGIN LENGTH]",
      "write memory and registers as ELF, or kdump with -z; -p by page tables, -d detached", .run = hmp_dump_guest_memory },
    { "memsave", NULL, "ADDR SIZE FILE", "write virtual memory to a file", .run = hmp_memsave },
    { "pmemsave", NULL, "ADDR SIZE FILE", "write physical memory to a file", .run = hmp_pmemsave },
    { "screendump", NULL, "FILE [-f ppm|png] [DEVICE [HEAD]]", "write what a display adapter shows", .run = hmp_screendump },
    { "sendkey", NULL, "KEY[-KEY...] [HOLD_MS]", "press keys together", .run = hmp_sendkey },
    { "mouse_move", NULL, "DX DY [DZ]", "move the mouse", .run = hmp_mouse_move },
    { "mouse_button", NULL, "STATE", "buttons held: 1 left, 2 middle, 4 right", .run = hmp_mouse_button },
    { "mouse_set", NULL, "INDEX", "choose the mouse that gets events", .run = hmp_mouse_set },
    { "gdbserver", NULL, "[DEVICE|none]", "wait for a debugger there; default tcp::1234", .run = hmp_gdbserver },
    { "x", NULL, "/FMT ADDR", "dump virtual memory; FMT is [count][xduoci][bhwg]", .formatted = examine_virtual },
    { "xp", NULL, "/FMT ADDR", "dump physical memory", .formatted = examine_physical },
    { "print", "p", "/FMT EXPRESSION", "print a value: numbers, $registers, + - * / % & | ^ ~", .formatted = hmp_print },
    { "i", NULL, "/FMT PORT [INDEX]", "read a port, or data behind an index port", .formatted = hmp_port_in },
    { "o", NULL, "/FMT PORT VALUE", "write a port", .formatted = hmp_port_out },
    { "sum", NULL, "ADDR SIZE", "checksum of physical memory", .run = hmp_sum },
    { "gva2gpa", NULL, "ADDR", "where virtual memory is in physical memory", .run = hmp_gva2gpa },
    { "gpa2hva", NULL, "ADDR", "where physical memory is in the emulator", .run = hmp_gpa2hva },
    { "gpa2hpa", NULL, "ADDR", "where physical memory is in the host's; for the privileged", .run = hmp_gpa2hpa },
};

static const HmpCommand *find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i].name, name) || !g_strcmp0(commands[i].alias, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

void hmp_foreach_command(HmpNameFn *fn, void *opaque)
{
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        fn(commands[i].name, opaque);
    }
}

static bool hmp_help(FILE *out, const char *args, Error **errp)
{
    const HmpCommand *one = *args ? find(args) : NULL;

    if (*args && !one) {
        error_setg(errp, "unknown command: '%s'", args);
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!one || one == &commands[i]) {
            print_help_of(out, &commands[i]);
        }
    }
    return true;
}

/* Before the machine is built (-preconfig): what needs none. */
static bool needs_machine(const HmpCommand *c, const char *args)
{
    static const char *const others[] = { "help", "quit", "object_add", "object_del", "exit_preconfig" };
    static const char *const subjects[] = { "", "status", "version", "name", "uuid", "chardev", "iothreads", "memdev" };
    bool is_info = !strcmp(c->name, "info");
    const char *const *list = is_info ? subjects : others;
    unsigned n = is_info ? ARRAY_SIZE(subjects) : ARRAY_SIZE(others);

    for (unsigned i = 0; i < n; i++) {
        if (!strcmp(list[i], is_info ? args : c->name)) {
            return false;
        }
    }
    return true;
}

static void run(FILE *out, const char *name, const char *format, const char *args, int cpu)
{
    const HmpCommand *c = find(name);
    Error *err = NULL;

    if (!c) {
        fprintf(out, "unknown command: '%s'\n", name);
        return;
    }
    if (runstate_is_preconfig() && needs_machine(c, args)) {
        fprintf(out, "Command '%s%s%s' not available with -preconfig until machine initialization has completed\n",
                name, *args ? " " : "", args);
        return;
    }
    if (format && (c->run || c->simple)) {
        fprintf(out, "%s takes no format\n", c->name);
        return;
    }
    if (c->simple) {
        if (*args) {
            fprintf(out, "%s: extraneous characters at the end of line\n", c->name);
            return;
        }
        (void)!c->simple(&err);
    } else if (c->run) {
        if (c->args && c->args[0] != '[' && !*args && c->run != hmp_log) {
            fprintf(out, "%s: missing argument %s\n", c->name, c->args);
            return;
        }
        (void)!c->run(out, args, &err);
    } else {
        (void)!c->formatted(out, format ? format : "", args, cpu, &err);
    }
    if (err) {
        fprintf(out, "Error: %s\n", error_get_pretty(err));
        error_free(err);
    }
}

char *monitor_run_line(const char *line, int cpu_index)
{
    g_autofree char *copy = g_strstrip(g_strdup(line));
    size_t name_len = strcspn(copy, " /");
    g_autofree char *name = g_strndup(copy, name_len);
    char *rest = copy + name_len, *args, *text = NULL;
    g_autofree char *format = NULL;
    int saved = present_cpu;
    size_t size;
    FILE *out;

    if (*rest == ' ' && find(name) && find(name)->formatted) {
        rest += strspn(rest, " ");
    }
    if (*rest == '/') {
        size_t len = strcspn(rest, " ");

        format = g_strndup(rest + 1, len - 1);
        rest += len;
    }
    args = rest;
    out = open_memstream(&text, &size);
    if (*name) {
        if (cpu_index >= 0) {
            present_cpu = cpu_index;
        }
        run(out, name, format, g_strstrip(args), present_cpu);
        if (cpu_index >= 0) {
            present_cpu = saved;
        }
    }
    fclose(out);
    return text;
}
