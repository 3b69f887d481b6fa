/*
 * query-command-line-options: which options take keys, and which keys, from the table and the schema.
 *
 * -machine takes the properties of whichever machine is chosen: what is told is their union.  Options
 * whose keys depend on a type that QMP describes itself (-device, -object, -netdev) show an empty list.
 */
#include "system/cli/option-def.h"

#include "hw/core/machine.h"
#include "qapi/qapi-commands.h"

static QapiCommandLineParameterType parameter_type(const QapiType *type)
{
    switch (type->kind) {
    case QAPI_KIND_BOOL:
        return QAPI_COMMAND_LINE_PARAMETER_TYPE_BOOLEAN;
    case QAPI_KIND_INT:
    case QAPI_KIND_UINT:
    case QAPI_KIND_NUMBER:
        return QAPI_COMMAND_LINE_PARAMETER_TYPE_NUMBER;
    case QAPI_KIND_SIZE:
        return QAPI_COMMAND_LINE_PARAMETER_TYPE_SIZE;
    default:
        return QAPI_COMMAND_LINE_PARAMETER_TYPE_STRING;
    }
}

static void add_parameter(QapiCommandLineParameterInfoList *list, const char *name, QapiCommandLineParameterType type,
                          const char *help)
{
    QapiCommandLineParameterInfo *p;

    for (size_t i = 0; i < list->len; i++) {
        if (!strcmp(list->at[i].name, name)) {
            return;                     /* another machine, another variant has it, too */
        }
    }
    p = QAPI_LIST_APPEND(list);
    p->name = g_strdup(name);
    p->type = type;
    p->help = g_strdup(help);
}

/* --- keys by schema --- */

static const QapiType *union_tag(const QapiType *type)
{
    for (unsigned i = 0; i < type->n_members; i++) {
        if (type->members[i].offset == type->tag_offset) {
            return type->members[i].type;
        }
    }
    return NULL;
}

static void add_members(QapiCommandLineParameterInfoList *list, const QapiType *type)
{
    const QapiType *tag = type->kind == QAPI_KIND_UNION ? union_tag(type) : NULL;

    for (unsigned i = 0; i < type->n_members; i++) {
        add_parameter(list, type->members[i].name, parameter_type(type->members[i].type), NULL);
    }
    for (unsigned i = 0; tag && i < tag->n_values; i++) {
        if (type->variants[i]) {
            add_members(list, type->variants[i]);
        }
    }
}

/* --- keys of -machine --- */

static QapiCommandLineParameterType property_parameter_type(const Property *p)
{
    static const struct { const char *kind; QapiCommandLineParameterType type; } kinds[] = {
        { "bool", QAPI_COMMAND_LINE_PARAMETER_TYPE_BOOLEAN },
        { "size", QAPI_COMMAND_LINE_PARAMETER_TYPE_SIZE },
        { "int",  QAPI_COMMAND_LINE_PARAMETER_TYPE_NUMBER },
        { "uint", QAPI_COMMAND_LINE_PARAMETER_TYPE_NUMBER },
    };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (g_str_has_prefix(p->type->name, kinds[i].kind)) {
            return kinds[i].type;
        }
    }
    return QAPI_COMMAND_LINE_PARAMETER_TYPE_STRING;
}

static bool add_machine_property(const Property *p, void *opaque)
{
    add_parameter(opaque, p->name, property_parameter_type(p), p->help);
    return true;
}

static bool add_machine(const TypeInfo *type, void *opaque)
{
    type_foreach_property(type, add_machine_property, opaque);
    return true;
}

static void add_machine_keys(QapiCommandLineParameterInfoList *list)
{
    add_parameter(list, "type", QAPI_COMMAND_LINE_PARAMETER_TYPE_STRING, "machine type");
    add_parameter(list, "accel", QAPI_COMMAND_LINE_PARAMETER_TYPE_STRING, "accelerators to try, separated by ':'");
    type_foreach(&machine_type, false, add_machine, list);
}

/* --- the command --- */

static const char *group_name(const OptionDef *d)
{
    return d->group ? d->group : d->name;
}

static bool takes_keys(const OptionDef *d)
{
    return (d->keys || d->list) && *group_name(d);
}

static void add_option(QapiCommandLineOptionInfoList *list, const OptionDef *d)
{
    QapiCommandLineOptionInfo *info = QAPI_LIST_APPEND(list);

    info->option = g_strdup(group_name(d));
    info->parameters = g_new0(QapiCommandLineParameterInfoList, 1);
    if (!strcmp(d->name, "machine")) {
        add_machine_keys(info->parameters);
    } else if (d->schema) {
        add_members(info->parameters, d->schema);
    }
}

QapiCommandLineOptionInfoList *qmp_query_command_line_options(const QapiQueryCommandLineOptionsArgs *args, Error **errp)
{
    QapiCommandLineOptionInfoList *list = g_new0(QapiCommandLineOptionInfoList, 1);
    unsigned n;
    const OptionDef *options = options_table(&n);

    for (unsigned i = 0; i < n; i++) {
        if (takes_keys(&options[i]) && (!args->option || !strcmp(args->option, group_name(&options[i])))) {
            add_option(list, &options[i]);
        }
    }
    if (args->option && !list->len) {
        error_setg(errp, "invalid option name: %s", args->option);
        g_free(list);
        return NULL;
    }
    return list;
}
