/*
 * QMP commands about virtual CPUs: models, those that are there or could be, accelerators and what they count.
 */
#include "system/monitor/internal.h"

#include "hw/core/machine.h"
#include "qapi/qapi-commands.h"
#include "target/i386/cpu-models.h"

/* --- models --- */

static QapiStrList *str_list(GStrv names)
{
    QapiStrList *list = g_new0(QapiStrList, 1);

    for (unsigned i = 0; names[i]; i++) {
        *QAPI_LIST_APPEND(list) = g_strdup(names[i]);
    }
    return list;
}

static void add_definition(const X86ModelInfo *m, void *opaque)
{
    QapiCpuDefinitionInfo *d = QAPI_LIST_APPEND((QapiCpuDefinitionInfoList *)opaque);

    d->name = g_strdup(m->name);
    d->q_typename = g_strdup(m->type_name);
    d->alias_of = g_strdup(m->alias_of);
    d->has_migration_safe = true;
    d->migration_safe = m->migration_safe;
    d->q_static = m->is_static;
    d->unavailable_features = str_list(m->unavailable);
}

QapiCpuDefinitionInfoList *qmp_query_cpu_definitions(Error **errp)
{
    QapiCpuDefinitionInfoList *list = g_new0(QapiCpuDefinitionInfoList, 1);

    x86_models_foreach(add_definition, list);
    return list;
}

/* Consumes @props. */
static QapiCpuModelInfo *model_info(const char *name, Value *props)
{
    QapiCpuModelInfo *m = g_new0(QapiCpuModelInfo, 1);

    m->name = g_strdup(name);
    m->props = props;
    return m;
}

QapiCpuModelExpansionInfo *qmp_query_cpu_model_expansion(const QapiQueryCpuModelExpansionArgs *args, Error **errp)
{
    bool full = args->type == QAPI_CPU_MODEL_EXPANSION_TYPE_FULL;
    Value *props = x86_model_expand(args->model->name, args->model->props, full, errp);
    QapiCpuModelExpansionInfo *info;

    if (!props) {
        return NULL;
    }
    info = g_new0(QapiCpuModelExpansionInfo, 1);
    info->model = model_info(full ? args->model->name : "base", props);
    return info;
}

QapiCpuModelCompareInfo *qmp_query_cpu_model_comparison(const QapiQueryCpuModelComparisonArgs *args, Error **errp)
{
    g_auto(GStrv) a_lacks = NULL, b_lacks = NULL;
    QapiCpuModelCompareInfo *info;
    bool same_vendor;

    if (!x86_models_compare(args->modela->name, args->modela->props, args->modelb->name, args->modelb->props, &a_lacks, &b_lacks,
                            &same_vendor, NULL, errp)) {
        return NULL;
    }
    info = g_new0(QapiCpuModelCompareInfo, 1);
    info->result = !same_vendor || (*a_lacks && *b_lacks) ? QAPI_CPU_MODEL_COMPARE_RESULT_INCOMPATIBLE
        : *b_lacks ? QAPI_CPU_MODEL_COMPARE_RESULT_SUPERSET : *a_lacks ? QAPI_CPU_MODEL_COMPARE_RESULT_SUBSET
        : QAPI_CPU_MODEL_COMPARE_RESULT_IDENTICAL;
    info->responsible_properties = str_list(a_lacks);
    for (unsigned i = 0; b_lacks[i]; i++) {
        *QAPI_LIST_APPEND(info->responsible_properties) = g_strdup(b_lacks[i]);
    }
    if (!same_vendor) {
        *QAPI_LIST_APPEND(info->responsible_properties) = g_strdup("vendor");
    }
    return info;
}

QapiCpuModelBaselineInfo *qmp_query_cpu_model_baseline(const QapiQueryCpuModelBaselineArgs *args, Error **errp)
{
    g_auto(GStrv) a_lacks = NULL, b_lacks = NULL;
    g_autoptr(Value) props = NULL;
    QapiCpuModelBaselineInfo *info;
    bool same_vendor;

    if (!x86_models_compare(args->modela->name, args->modela->props, args->modelb->name, args->modelb->props, &a_lacks, &b_lacks,
                            &same_vendor, &props, errp)) {
        return NULL;
    }
    if (!same_vendor) {
        error_setg(errp, "CPU models '%s' and '%s' are of different vendors", args->modela->name, args->modelb->name);
        return NULL;
    }
    info = g_new0(QapiCpuModelBaselineInfo, 1);
    info->model = model_info("base", g_steal_pointer(&props));
    return info;
}

/* --- those that are there, or could be --- */

static QapiCpuInstanceProperties *instance_properties(const Machine *m, const CpuSlot *slot)
{
    QapiCpuInstanceProperties *p = g_new0(QapiCpuInstanceProperties, 1);

    p->has_socket_id = p->has_core_id = p->has_thread_id = true;
    p->socket_id = slot->place.socket;
    p->core_id = slot->place.core;
    p->thread_id = slot->place.thread;
    p->has_die_id = m->smp.dies > 1;
    p->die_id = slot->place.die;
    p->has_module_id = m->smp.modules > 1;
    p->module_id = slot->place.module;
    p->has_node_id = m->n_numa && slot->node >= 0;
    p->node_id = slot->node;
    return p;
}

QapiCpuInfoFastList *qmp_query_cpus_fast(Error **errp)
{
    QapiCpuInfoFastList *list = g_new0(QapiCpuInfoFastList, 1);
    const Machine *m = current_machine();
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        QapiCpuInfoFast *info = QAPI_LIST_APPEND(list);

        info->cpu_index = cpu->index;
        info->qom_path = object_path(cpu);
        info->thread_id = cpu->host_tid;
        info->target = QAPI_SYS_EMU_TARGET_X86_64;
        info->props = instance_properties(m, &m->cpu_slots[cpu->index]);
    }
    return list;
}

QapiHotpluggableCPUList *qmp_query_hotpluggable_cpus(Error **errp)
{
    QapiHotpluggableCPUList *list;
    const Machine *m = current_machine();

    if (!m || !machine_info(m)->has_hotpluggable_cpus) {
        error_setg(errp, "machine does not support hot-plugging CPUs");
        return NULL;
    }
    list = g_new0(QapiHotpluggableCPUList, 1);
    for (unsigned i = m->smp.max_cpus; i-- > 0; ) {
        const CpuSlot *slot = &m->cpu_slots[i];
        QapiHotpluggableCPU *c = QAPI_LIST_APPEND(list);

        c->type = g_strdup(m->cpu_type ? m->cpu_type : machine_info(m)->default_cpu_type);
        c->vcpus_count = 1;
        c->props = instance_properties(m, slot);
        c->qom_path = slot->cpu ? object_path(slot->cpu) : NULL;
    }
    return list;
}

/* --- accelerators --- */

static bool add_accelerator(const TypeInfo *type, void *opaque)
{
    const AccelInfo *ai = (const AccelInfo *)type->info;
    int a = ai->accel_name ? qapi_enum_parse(&qapi_type_Accelerator, ai->accel_name) : -1;

    if (a >= 0) {
        *QAPI_LIST_APPEND((QapiAcceleratorList *)opaque) = (QapiAccelerator)a;
    }
    return true;
}

QapiAcceleratorInfo *qmp_query_accelerators(Error **errp)
{
    QapiAcceleratorInfo *info;
    int enabled = current_accel() ? qapi_enum_parse(&qapi_type_Accelerator, accel_info(current_accel())->accel_name) : -1;

    if (enabled < 0) {
        error_setg(errp, "no accelerator was chosen yet");
        return NULL;
    }
    info = g_new0(QapiAcceleratorInfo, 1);
    info->enabled = (QapiAccelerator)enabled;
    info->present = g_new0(QapiAcceleratorList, 1);
    type_foreach(&accel_type, false, add_accelerator, info->present);
    return info;
}

/* --- what they count --- */

/* The accelerator in use, if it counts and is @provider's. */
static const AccelInfo *counting_accel(QapiStatsProvider *provider)
{
    const AccelInfo *ai = current_accel() ? accel_info(current_accel()) : NULL;
    int p = ai && ai->counters ? qapi_enum_parse(&qapi_type_StatsProvider, ai->accel_name) : -1;

    if (p < 0) {
        return NULL;
    }
    *provider = (QapiStatsProvider)p;
    return ai;
}

/* Is @name of @provider asked for? */
static bool wanted(const QapiStatsRequestList *requests, QapiStatsProvider provider, const char *name)
{
    if (!requests) {
        return true;
    }
    for (size_t i = 0; i < requests->len; i++) {
        const QapiStatsRequest *r = &requests->at[i];

        for (size_t k = 0; r->provider == provider && r->names && k < r->names->len; k++) {
            if (!strcmp(r->names->at[k], name)) {
                return true;
            }
        }
        if (r->provider == provider && !r->names) {
            return true;
        }
    }
    return false;
}

static void add_result(QapiStatsResultList *list, const QapiStatsFilter *f, Vcpu *cpu)
{
    QapiStatsProvider provider;
    const AccelInfo *ai = counting_accel(&provider);
    QapiStatsList *stats = g_new0(QapiStatsList, 1);
    QapiStatsResult *r;

    for (const AccelCounter *c = ai->counters; c->name; c++) {
        if (c->of_vcpu == (cpu != NULL) && wanted(f->providers, provider, c->name)) {
            QapiStats *s = QAPI_LIST_APPEND(stats);

            s->name = g_strdup(c->name);
            s->value = g_new0(QapiStatsValue, 1);
            s->value->type = QAPI_STATS_VALUE_KIND_SCALAR;
            s->value->u.scalar = ai->count(current_accel(), cpu, c);
        }
    }
    if (!stats->len) {
        qapi_free_stats_list(stats);
        return;
    }
    r = QAPI_LIST_APPEND(list);
    r->provider = provider;
    r->qom_path = cpu ? object_path(cpu) : NULL;
    r->stats = stats;
}

static bool cpu_wanted(const QapiStatsFilter *f, Vcpu *cpu)
{
    const QapiStrList *paths = f->u.vcpu.vcpus;
    g_autofree char *path = object_path(cpu);

    for (size_t i = 0; paths && i < paths->len; i++) {
        if (!strcmp(paths->at[i], path)) {
            return true;
        }
    }
    return !paths;
}

QapiStatsResultList *qmp_query_stats(const QapiStatsFilter *f, Error **errp)
{
    QapiStatsResultList *list = g_new0(QapiStatsResultList, 1);
    QapiStatsProvider provider;
    Vcpu *cpu;

    if (!counting_accel(&provider)) {
        return list;
    }
    if (f->target == QAPI_STATS_TARGET_VM) {
        add_result(list, f, NULL);
        return list;
    }
    CPU_FOREACH(cpu) {
        if (cpu_wanted(f, cpu)) {
            add_result(list, f, cpu);
        }
    }
    return list;
}

static void add_schema(QapiStatsSchemaList *list, const AccelInfo *ai, QapiStatsProvider provider, QapiStatsTarget target)
{
    QapiStatsSchema *schema = QAPI_LIST_APPEND(list);

    schema->provider = provider;
    schema->target = target;
    schema->stats = g_new0(QapiStatsSchemaValueList, 1);
    for (const AccelCounter *c = ai->counters; c->name; c++) {
        QapiStatsSchemaValue *v;

        if (c->of_vcpu != (target == QAPI_STATS_TARGET_VCPU)) {
            continue;
        }
        v = QAPI_LIST_APPEND(schema->stats);
        v->name = g_strdup(c->name);
        v->type = c->instant ? QAPI_STATS_TYPE_INSTANT : QAPI_STATS_TYPE_CUMULATIVE;
        v->has_unit = c->unit != ACCEL_COUNT_PLAIN;
        v->unit = c->unit == ACCEL_COUNT_BYTES ? QAPI_STATS_UNIT_BYTES : QAPI_STATS_UNIT_SECONDS;
        v->has_base = c->unit == ACCEL_COUNT_NANOSECONDS;
        v->base = 10;
        v->exponent = c->unit == ACCEL_COUNT_NANOSECONDS ? -9 : 0;
    }
}

QapiStatsSchemaList *qmp_query_stats_schemas(const QapiQueryStatsSchemasArgs *args, Error **errp)
{
    QapiStatsSchemaList *list = g_new0(QapiStatsSchemaList, 1);
    QapiStatsProvider provider;
    const AccelInfo *ai = counting_accel(&provider);

    if (ai && (!args->has_provider || args->provider == provider)) {
        add_schema(list, ai, provider, QAPI_STATS_TARGET_VCPU);
        add_schema(list, ai, provider, QAPI_STATS_TARGET_VM);
    }
    return list;
}
