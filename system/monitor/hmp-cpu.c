/*
 * The human monitor about CPUs: places, nodes, translation, local APICs.
 */
#include "system/monitor/internal.h"

#include "hw/core/machine.h"
#include "qapi/qapi-commands.h"

void hmp_info_hotpluggable_cpus(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(Error) err = NULL;
    g_autoptr(QapiHotpluggableCPUList) list = qmp_query_hotpluggable_cpus(&err);

    if (!list) {
        fprintf(out, "Error: %s\n", error_get_pretty(err));
        return;
    }
    fprintf(out, "Hotpluggable CPUs:\n");
    for (size_t i = 0; i < list->len; i++) {
        const QapiHotpluggableCPU *c = &list->at[i];
        const QapiCpuInstanceProperties *p = c->props;
        const struct { const char *name; bool has; int64_t id; } ids[] = {
            { "node", p->has_node_id, p->node_id }, { "socket", p->has_socket_id, p->socket_id }, { "die", p->has_die_id, p->die_id },
            { "module", p->has_module_id, p->module_id }, { "core", p->has_core_id, p->core_id },
            { "thread", p->has_thread_id, p->thread_id },
        };

        fprintf(out, "  type: \"%s\"\n  vcpus_count: \"%" PRId64 "\"\n", c->type, c->vcpus_count);
        if (c->qom_path) {
            fprintf(out, "  qom_path: \"%s\"\n", c->qom_path);
        }
        fprintf(out, "  CPUInstance Properties:\n");
        for (unsigned k = 0; k < ARRAY_SIZE(ids); k++) {
            if (ids[k].has) {
                fprintf(out, "    %s-id: \"%" PRId64 "\"\n", ids[k].name, ids[k].id);
            }
        }
    }
}

/* Memory of @node that devices bring. */
static uint64_t plugged_memory(unsigned node)
{
    g_autoptr(QapiMemoryDeviceInfoList) list = qmp_query_memory_devices(&error_abort);
    uint64_t sum = 0;

    for (size_t i = 0; i < list->len; i++) {
        const QapiMemoryDeviceInfo *d = &list->at[i];

        if (d->type == QAPI_MEMORY_DEVICE_TYPE_DIMM) {
            sum += d->u.dimm.data->node == node ? (uint64_t)d->u.dimm.data->size : 0;
        } else {
            sum += d->u.virtio_mem.data->node == node ? d->u.virtio_mem.data->size : 0;
        }
    }
    return sum;
}

void hmp_info_numa(FILE *out, const char *args, int cpu_index)
{
    const Machine *m = current_machine();

    fprintf(out, "%u nodes\n", m->n_numa);
    for (unsigned n = 0; n < m->n_numa; n++) {
        uint64_t plugged = plugged_memory(n);
        Vcpu *cpu;

        fprintf(out, "node %u cpus:", n);
        CPU_FOREACH(cpu) {
            if (m->cpu_slots[cpu->index].node == (int)n) {
                fprintf(out, " %u", cpu->index);
            }
        }
        fprintf(out, "\nnode %u size: %" PRIu64 " MB\nnode %u plugged: %" PRIu64 " MB\n", n,
                (uint64_t)((m->numa[n].mem_bytes + plugged) / MiB), n, (uint64_t)(plugged / MiB));
    }
}

/* --- of one CPU --- */

typedef void PrintFn(Vcpu *cpu, FILE *f);

typedef struct PrintJob {
    PrintFn *fn;
    FILE *out;
} PrintJob;

static void run_print(Vcpu *cpu, void *opaque)
{
    const PrintJob *job = opaque;

    job->fn(cpu, job->out);
}

/* On the CPU's own thread, between blocks, where its state is whole. */
static void print_of_cpu(FILE *out, Vcpu *cpu, PrintFn *fn)
{
    PrintJob job = { fn, out };

    if (fn) {
        run_on_cpu(cpu, run_print, &job);
    } else {
        fprintf(out, "This CPU has nothing to show\n");
    }
}

void hmp_info_tlb(FILE *out, const char *args, int cpu_index)
{
    Vcpu *cpu = cpu_by_index((unsigned)cpu_index);

    if (cpu) {
        print_of_cpu(out, cpu, vcpu_info(cpu)->print_tlb);
    } else {
        fprintf(out, "No CPU available\n");
    }
}

void hmp_info_mem(FILE *out, const char *args, int cpu_index)
{
    Vcpu *cpu = cpu_by_index((unsigned)cpu_index);

    if (cpu) {
        print_of_cpu(out, cpu, vcpu_info(cpu)->print_mem);
    } else {
        fprintf(out, "No CPU available\n");
    }
}

static Vcpu *cpu_by_arch_id(uint64_t id)
{
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        if ((uint64_t)vcpu_info(cpu)->get_arch_id(cpu) == id) {
            return cpu;
        }
    }
    return NULL;
}

/* "info lapic [APIC ID]" */
void hmp_info_lapic(FILE *out, const char *args, int cpu_index)
{
    Vcpu *cpu = cpu_by_index((unsigned)cpu_index);
    uint64_t id;

    if (*args) {
        cpu = qapi_parse_uint("apic-id", args, &id, NULL) ? cpu_by_arch_id(id) : NULL;
    }
    if (cpu) {
        print_of_cpu(out, cpu, vcpu_info(cpu)->print_intc);
    } else {
        fprintf(out, "No CPU available\n");
    }
}
