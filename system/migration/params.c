/*
 * Capabilities and parameters of migrations to come: checked, kept, told.
 *
 * Nothing here migrates: capabilities that would need that are refused, so that a manager learns of
 * it when it asks and not in the middle.
 */
#include "qapi/qapi-commands.h"

#define TARGET_PAGE_BYTES 4096

static bool capabilities[QAPI_MIGRATION_CAPABILITY__MAX];       /* BQL */
static Value *parameters;       /* a dict; NULL = defaults; BQL */

static const struct { const char *name; uint64_t def; } default_numbers[] = {
    { "announce-initial", 50 }, { "announce-max", 550 }, { "announce-rounds", 5 }, { "announce-step", 100 },
    { "throttle-trigger-threshold", 50 }, { "cpu-throttle-initial", 20 }, { "cpu-throttle-increment", 10 },
    { "max-bandwidth", 128 * MiB }, { "avail-switchover-bandwidth", 0 }, { "downtime-limit", 300 },
    { "x-checkpoint-delay", 20000 }, { "multifd-channels", 2 }, { "xbzrle-cache-size", 64 * MiB },
    { "max-postcopy-bandwidth", 0 }, { "max-cpu-throttle", 99 }, { "multifd-zlib-level", 1 }, { "multifd-zstd-level", 1 },
    { "x-vcpu-dirty-limit-period", 1000 }, { "vcpu-dirty-limit", 1 },
};

static const struct { const char *name, *def; } default_texts[] = {
    { "multifd-compression", "none" }, { "mode", "normal" }, { "zero-page-detection", "multifd" },
    { "tls-creds", "" }, { "tls-hostname", "" }, { "tls-authz", "" },
};

static Value *present_parameters(void)
{
    if (!parameters) {
        parameters = value_dict();
        for (size_t i = 0; i < ARRAY_SIZE(default_numbers); i++) {
            value_dict_set(parameters, default_numbers[i].name, value_uint(default_numbers[i].def));
        }
        for (size_t i = 0; i < ARRAY_SIZE(default_texts); i++) {
            value_dict_set_str(parameters, default_texts[i].name, default_texts[i].def);
        }
        value_dict_set_bool(parameters, "cpu-throttle-tailslow", false);
        value_dict_set_bool(parameters, "direct-io", false);
    }
    return parameters;
}

/* --- capabilities --- */

QapiMigrationCapabilityStatusList *qmp_query_migrate_capabilities(Error **errp)
{
    QapiMigrationCapabilityStatusList *list = g_new0(QapiMigrationCapabilityStatusList, 1);

    for (unsigned i = 0; i < QAPI_MIGRATION_CAPABILITY__MAX; i++) {
        QapiMigrationCapabilityStatus *s = QAPI_LIST_APPEND(list);

        s->capability = (QapiMigrationCapability)i;
        s->state = capabilities[i];
    }
    return list;
}

bool qmp_migrate_set_capabilities(const QapiMigrateSetCapabilitiesArgs *args, Error **errp)
{
    const QapiMigrationCapabilityStatusList *list = args->capabilities;

    for (size_t i = 0; i < list->len; i++) {
        if (list->at[i].state && list->at[i].capability != QAPI_MIGRATION_CAPABILITY_EVENTS) {
            error_setg(errp, "Migration capability '%s' is not supported: migration is not available",
                       qapi_migration_capability_str(list->at[i].capability));
            return false;
        }
    }
    for (size_t i = 0; i < list->len; i++) {
        capabilities[list->at[i].capability] = list->at[i].state;
    }
    return true;
}

/* --- parameters --- */

/* Ranges narrower than the member's type. */
static const struct { const char *name; uint64_t min, max; } ranges[] = {
    { "announce-initial", 0, 100000 }, { "announce-max", 0, 100000 }, { "announce-rounds", 0, 1000 },
    { "announce-step", 1, 10000 }, { "throttle-trigger-threshold", 1, 100 }, { "cpu-throttle-initial", 1, 99 },
    { "cpu-throttle-increment", 1, 99 }, { "max-cpu-throttle", 1, 99 }, { "downtime-limit", 0, 2000 * 1000 },
    { "multifd-channels", 1, 255 }, { "multifd-zlib-level", 0, 9 }, { "multifd-zstd-level", 0, 20 },
    { "x-vcpu-dirty-limit-period", 1, 1000 }, { "vcpu-dirty-limit", 1, UINT64_MAX },
};

static bool check_range(const char *name, uint64_t n, Error **errp)
{
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        if (!strcmp(ranges[i].name, name) && (n < ranges[i].min || n > ranges[i].max)) {
            error_setg(errp, "Parameter '%s' expects an integer in the range of %" PRIu64 " to %" PRIu64 ", got %" PRIu64,
                       name, ranges[i].min, ranges[i].max, n);
            return false;
        }
    }
    if (!strcmp(name, "xbzrle-cache-size") && (n < TARGET_PAGE_BYTES || !is_power_of_2(n))) {
        error_setg(errp, "Parameter '%s' expects a power of two no less than the target page size, got %" PRIu64, name, n);
        return false;
    }
    return true;
}

/* What holds between parameters. */
static bool check_together(const Value *all, Error **errp)
{
    uint64_t initial = 0, max = 0;

    if (!value_get_uint(value_dict_get(all, "cpu-throttle-initial"), &initial)
        || !value_get_uint(value_dict_get(all, "max-cpu-throttle"), &max)) {
        g_assert_not_reached();
    }
    if (max < initial) {
        error_setg(errp, "Parameter 'max-cpu-throttle' expects an integer in the range of cpu-throttle-initial (%" PRIu64
                   ") to 99, got %" PRIu64, initial, max);
        return false;
    }
    return true;
}

static bool set_parameters(const Value *changes, Error **errp)
{
    g_autoptr(Value) all = value_deep_copy(present_parameters());

    for (size_t i = 0; i < value_dict_len(changes); i++) {
        const char *name = value_dict_key_at(changes, i);
        Value *v = value_dict_value_at(changes, i);
        uint64_t n;

        if (value_get_uint(v, &n) && !check_range(name, n, errp)) {
            return false;
        }
        value_dict_set(all, name, value_type(v) == VALUE_NULL ? value_string("") : value_ref(v));
    }
    if (!check_together(all, errp)) {
        return false;
    }
    value_unref(parameters);
    parameters = g_steal_pointer(&all);
    return true;
}

bool qmp_migrate_set_parameters(const QapiMigrateSetParameters *args, Error **errp)
{
    g_autoptr(Value) changes = qapi_to_value(&qapi_type_MigrateSetParameters, &args);

    return set_parameters(changes, errp);
}

QapiMigrationParameters *qmp_query_migrate_parameters(Error **errp)
{
    return qapi_parse_migration_parameters(present_parameters(), 0, errp);
}

/* --- what is not there --- */

QapiMigrationInfo *qmp_query_migrate(Error **errp)
{
    return g_new0(QapiMigrationInfo, 1);
}

bool qmp_migrate(const QapiMigrateArgs *args, Error **errp)
{
    error_setg(errp, "migration is not available");
    return false;
}

bool qmp_migrate_incoming(const QapiMigrateIncomingArgs *args, Error **errp)
{
    error_setg(errp, "migration is not available");
    return false;
}
