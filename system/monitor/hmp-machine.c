/*
 * The human monitor's commands about the machine: boot order, memory blocks and images, the tree of objects, passwords.
 */
#include "system/monitor/internal.h"

#include "hw/core/machine.h"
#include "qapi/qapi-commands.h"
#include "util/rcu.h"

bool hmp_boot_set(FILE *out, const char *args, Error **errp)
{
    if (!machine_set_boot_order(current_machine(), args, errp)) {
        return false;
    }
    fprintf(out, "boot device list now set to %s\n", args);
    return true;
}

void hmp_info_ramblock(FILE *out, const char *args, int cpu_index)
{
    fprintf(out, "%24s %8s  %18s %18s %18s %18s %3s\n", "Block Name", "PSize", "Offset", "Used", "Total", "HVA", "RO");
    rcu_read_lock();
    for (const RamBlock *b = ram_block_list_rcu(); b; b = b->next) {
        bool huge = b->page_size >= MiB;
        g_autofree char *page = g_strdup_printf("%" PRIu64 " %s", (uint64_t)(b->page_size / (huge ? MiB : KiB)), huge ? "MiB" : "KiB");

        fprintf(out, "%24s %8s  0x%016" PRIx64 " 0x%016" PRIx64 " 0x%016" PRIx64 " 0x%016" PRIxPTR " %3s\n", b->idstr, page, b->offset,
                b->used_length, b->max_length, (uintptr_t)b->host, b->readonly || b->mr->readonly ? "ro" : "rw");
    }
    rcu_read_unlock();
}

static void print_rom(const MachineRom *rom, void *opaque)
{
    fprintf(opaque, "addr=%016" PRIx64 " size=0x%06" PRIx64 " mem=%s name=\"%s\"\n", rom->addr, rom->size, rom->in_ram ? "ram" : "rom",
            rom->name);
}

void hmp_info_roms(FILE *out, const char *args, int cpu_index)
{
    machine_foreach_rom(current_machine(), print_rom, out);
}

/* --- objects --- */

bool hmp_qom_list(FILE *out, const char *args, Error **errp)
{
    g_autoptr(QapiObjectPropertyInfoList) list = NULL;

    if (!*args) {
        fprintf(out, "/\n");
        return true;
    }
    list = qmp_qom_list(&(QapiQomListArgs){ .path = (char *)args }, errp);
    for (size_t i = 0; list && i < list->len; i++) {
        fprintf(out, "%s (%s)\n", list->at[i].name, list->at[i].type);
    }
    return list != NULL;
}

bool hmp_qom_get(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    g_autoptr(Value) v = NULL;
    g_autofree char *text = NULL;

    if (!words[0] || !words[1]) {
        error_setg(errp, "qom-get needs a path and a property");
        return false;
    }
    v = qmp_qom_get(&(QapiQomGetArgs){ .path = words[0], .property = g_strstrip(words[1]) }, errp);
    if (!v) {
        return false;
    }
    text = json_to_string(v, true);
    fprintf(out, "%s\n", text);
    return true;
}

static bool set_json(char **words, Error **errp)
{
    g_autoptr(Value) v = json_parse_str(words[2], errp);

    return v && qmp_qom_set(&(QapiQomSetArgs){ .path = words[0], .property = words[1], .value = v }, errp);
}

static bool set_text(char **words, Error **errp)
{
    bool ambiguous = false;
    Object *obj = object_resolve_path(words[0], &ambiguous);

    if (!obj) {
        error_setg(errp, ambiguous ? "Path '%s' is ambiguous" : "Device '%s' not found", words[0]);
        return false;
    }
    return object_property_parse(obj, words[1], words[2], errp);
}

/* "[-j] PATH PROPERTY VALUE" */
bool hmp_qom_set(FILE *out, const char *args, Error **errp)
{
    bool json = g_str_has_prefix(args, "-j ");
    g_auto(GStrv) words = g_strsplit(json ? args + 3 : args, " ", 3);

    if (g_strv_length(words) != 3) {
        error_setg(errp, "qom-set needs a path, a property and a value");
        return false;
    }
    return json ? set_json(words, errp) : set_text(words, errp);
}

/* --- passwords --- */

static bool parse_protocol(const char *text, QapiDisplayProtocol *protocol, Error **errp)
{
    int p = qapi_enum_parse(&qapi_type_DisplayProtocol, text);

    if (p < 0) {
        error_setg(errp, "Parameter 'protocol' does not accept value '%s'", text);
        return false;
    }
    *protocol = (QapiDisplayProtocol)p;
    return true;
}

/* Two words at least, or an error that names the command. */
static char **two_words(const char *command, const char *args, Error **errp)
{
    char **words = g_strsplit(args, " ", 2);

    if (g_strv_length(words) != 2) {
        error_setg(errp, "%s needs a protocol and a value", command);
        g_clear_pointer(&words, g_strfreev);
    }
    return words;
}

bool hmp_set_password(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = two_words("set_password", args, errp);
    QapiSetPasswordArgs a = { .password = words ? words[1] : NULL };

    return words && parse_protocol(words[0], &a.protocol, errp) && qmp_set_password(&a, errp);
}

bool hmp_expire_password(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = two_words("expire_password", args, errp);
    QapiExpirePasswordArgs a = { .time = words ? words[1] : NULL };

    return words && parse_protocol(words[0], &a.protocol, errp) && qmp_expire_password(&a, errp);
}

/* A medium, or VNC's password. */
bool hmp_change(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 3);

    if (!words[0] || strcmp(words[0], "vnc")) {
        return hmp_change_medium(out, args, errp);
    }
    if (g_strv_length(words) != 3 || (strcmp(words[1], "password") && strcmp(words[1], "passwd"))) {
        error_setg(errp, "expected vnc password PASSWORD");
        return false;
    }
    return qmp_change_vnc_password(&(QapiChangeVncPasswordArgs){ .password = words[2] }, errp);
}

bool hmp_getfd(FILE *out, const char *args, Error **errp)
{
    return qmp_getfd(&(QapiGetfdArgs){ .fdname = (char *)args }, errp);
}

bool hmp_closefd(FILE *out, const char *args, Error **errp)
{
    return qmp_closefd(&(QapiClosefdArgs){ .fdname = (char *)args }, errp);
}
