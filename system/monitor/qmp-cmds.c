/*
 * QMP commands about the program and the machine.  Those about one subject stand with it.
 */
#include "system/monitor/internal.h"

#include "config-host.h"
#include "hw/core/machine.h"
#include "qapi/qapi-commands.h"
#include "qapi/qapi-events.h"
#include "system/balloon.h"
#include "system/runstate.h"

#include <unistd.h>

/* --- the program --- */

QapiVersionInfo *qmp_query_version(Error **errp)
{
    QapiVersionInfo *info = g_new0(QapiVersionInfo, 1);

    info->qemu = g_new0(QapiVersionTriple, 1);
    info->qemu->major = 10;
    info->qemu->minor = 0;
    info->qemu->micro = 2;
    info->package = g_strdup("Quern " QUERN_VERSION);
    return info;
}

QapiCommandInfoList *qmp_query_commands(Error **errp)
{
    QapiCommandInfoList *list = g_new0(QapiCommandInfoList, 1);

    for (unsigned i = 0; i < qapi_commands.n; i++) {
        QAPI_LIST_APPEND(list)->name = g_strdup(qapi_commands.commands[i].name);
    }
    return list;
}

QapiEventInfoList *qmp_query_events(Error **errp)
{
    QapiEventInfoList *list = g_new0(QapiEventInfoList, 1);

    for (unsigned i = 0; i < QAPI_N_EVENTS; i++) {
        QAPI_LIST_APPEND(list)->name = g_strdup(qapi_event_names[i]);
    }
    return list;
}

Value *qmp_query_qmp_schema(const Value *args, Error **errp)
{
    return json_parse_str(qapi_introspection, errp);
}

char *qmp_human_monitor_command(const QapiHumanMonitorCommandArgs *args, Error **errp)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (args->has_cpu_index && (args->cpu_index < 0 || args->cpu_index > INT_MAX || !cpu_by_index((unsigned)args->cpu_index))) {
        error_setg(errp, "Parameter 'cpu-index' expects a CPU number");
        return NULL;
    }
    text = monitor_run_line(args->command_line, args->has_cpu_index ? (int)args->cpu_index : -1);
    lines = g_strsplit(text, "\n", -1);
    return g_strjoinv("\r\n", lines);
}

/* --- the machine --- */

QapiTargetInfo *qmp_query_target(Error **errp)
{
    QapiTargetInfo *info = g_new0(QapiTargetInfo, 1);

    info->arch = QAPI_SYS_EMU_TARGET_X86_64;
    return info;
}

QapiKvmInfo *qmp_query_kvm(Error **errp)
{
    QapiKvmInfo *info = g_new0(QapiKvmInfo, 1);

    info->enabled = current_accel() && !g_strcmp0(accel_info(current_accel())->accel_name, "kvm");
    info->present = type_by_name("kvm-accel") != NULL;
    return info;
}

static bool add_machine(const TypeInfo *type, void *opaque)
{
    const MachineInfo *mi = (const MachineInfo *)type->info;
    QapiMachineInfo *m = QAPI_LIST_APPEND((QapiMachineInfoList *)opaque);

    m->name = g_strdup(mi->machine_name);
    m->alias = g_strdup(mi->alias);
    m->has_is_default = m->is_default = mi->is_default;
    m->cpu_max = mi->max_cpus ? mi->max_cpus : 1;
    m->hotpluggable_cpus = mi->has_hotpluggable_cpus;
    m->default_cpu_type = g_strdup(mi->default_cpu_type);
    m->default_ram_id = g_strdup(mi->default_ram_id);
    m->acpi = type_find_property(type, "acpi") != NULL;
    return true;
}

QapiMachineInfoList *qmp_query_machines(const QapiQueryMachinesArgs *args, Error **errp)
{
    QapiMachineInfoList *list = g_new0(QapiMachineInfoList, 1);

    type_foreach(&machine_type, false, add_machine, list);
    for (size_t i = 0; args->has_compat_props && args->compat_props && i < list->len; i++) {
        list->at[i].compat_props = g_new0(QapiCompatPropertyList, 1);
    }
    return list;
}

/* More than the guest's RAM means all of it: managers add what they plugged. */
bool qmp_balloon(const QapiBalloonArgs *args, Error **errp)
{
    if (args->value <= 0) {
        error_setg(errp, "Parameter 'value' expects a size, got %" PRId64, args->value);
        return false;
    }
    return balloon_set_target(MIN((uint64_t)args->value, current_machine()->ram_size), errp);
}

QapiBalloonInfo *qmp_query_balloon(Error **errp)
{
    QapiBalloonInfo *info;
    uint64_t bytes;

    if (!balloon_get_actual(&bytes, errp)) {
        return NULL;
    }
    info = g_new0(QapiBalloonInfo, 1);
    info->actual = (int64_t)bytes;
    return info;
}

/* --- devices --- */

bool qmp_device_add(const Value *args, Error **errp)
{
    return device_add_from_opts(args, true, errp) != NULL;
}

bool qmp_device_del(const QapiDeviceDelArgs *args, Error **errp)
{
    return device_del_by_id(args->id, errp);
}

bool qmp_device_sync_config(const QapiDeviceSyncConfigArgs *args, Error **errp)
{
    return device_sync_config(args->id, errp);
}
