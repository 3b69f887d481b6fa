/*
 * -numa: nodes with their memory, distances between them, and which CPU belongs to which.
 *
 * Options are taken one by one and checked as far as they go; numa_complete() checks the whole and fills what
 * follows from it.  Nodes may come in any order and must be 0..n-1 in the end.
 */
#include "hw/core/numa.h"

#include "system/hostmem.h"

static bool numa_is_supported(const Machine *m, Error **errp)
{
    if (!machine_info(m)->has_numa) {
        error_setg(errp, "NUMA is not supported by this machine-type");
        return false;
    }
    return true;
}

bool numa_add_node(Machine *m, int nodeid, Object *memdev, Error **errp)
{
    unsigned id = nodeid < 0 ? m->n_numa : (unsigned)nodeid;
    NumaNode *node;

    if (!numa_is_supported(m, errp)) {
        return false;
    }
    if (id >= NUMA_MAX_NODES) {
        error_setg(errp, "Max number of NUMA nodes reached: %u", id);
        return false;
    }
    node = &m->numa[id];
    if (node->present) {
        error_setg(errp, "Duplicate NUMA nodeid: %u", id);
        return false;
    }
    node->present = true;
    if (memdev) {
        node->memdev = object_ref(memdev);
        node->mem_bytes = HOST_MEMORY_BACKEND(memdev)->size;
    }
    m->n_numa++;
    return true;
}

/* --- CPUs --- */

static bool slot_may_have_node(const CpuSlot *slot, unsigned node, Error **errp)
{
    if (slot->node >= 0 && (unsigned)slot->node != node) {
        error_setg(errp, "CPU is already assigned to node-id: %d", slot->node);
        return false;
    }
    return true;
}

static bool slot_set_node(CpuSlot *slot, unsigned node, Error **errp)
{
    if (!slot_may_have_node(slot, node, errp)) {
        return false;
    }
    slot->node = (int)node;
    return true;
}

bool numa_may_set_cpu_index(const Machine *m, unsigned node, uint64_t index, Error **errp)
{
    if (index >= m->smp.max_cpus) {
        error_setg(errp, "CPU index (%" PRIu64 ") should be smaller than maxcpus (%u)", index, m->smp.max_cpus);
        return false;
    }
    return slot_may_have_node(&m->cpu_slots[index], node, errp);
}

bool numa_set_cpu_index(Machine *m, unsigned node, uint64_t index, Error **errp)
{
    return numa_may_set_cpu_index(m, node, index, errp) && slot_set_node(&m->cpu_slots[index], node, errp);
}

static bool matches(const CpuPlace *p, const NumaCpuMatch *want)
{
    return (!want->has_socket || want->socket == p->socket) && (!want->has_die || want->die == p->die)
        && (!want->has_module || want->module == p->module) && (!want->has_core || want->core == p->core)
        && (!want->has_thread || want->thread == p->thread);
}

bool numa_set_cpus(Machine *m, unsigned node, const NumaCpuMatch *want, Error **errp)
{
    bool found = false;

    if (!numa_is_supported(m, errp)) {
        return false;
    }
    if (node >= NUMA_MAX_NODES || !m->numa[node].present) {
        error_setg(errp, "Invalid node-id=%u, NUMA node must be defined with -numa node,nodeid=ID before it's used with "
                   "-numa cpu,node-id=ID", node);
        return false;
    }
    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        if (matches(&m->cpu_slots[i].place, want)) {
            found = true;
            if (!slot_set_node(&m->cpu_slots[i], node, errp)) {
                return false;
            }
        }
    }
    if (!found) {
        error_setg(errp, "no match found");
    }
    return found;
}

/* If nobody said anything, sockets take nodes in turn; a map with holes is an old mistake that is warned about. */
static void complete_cpus(Machine *m)
{
    g_autoptr(GString) missing = g_string_new(NULL);
    unsigned n_missing = 0;

    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        if (m->cpu_slots[i].node < 0) {
            g_autofree char *text = cpu_place_text(m, &m->cpu_slots[i].place);

            g_string_append_printf(missing, "%sCPU %u [%s]", n_missing++ ? ", " : "", i, text);
        }
    }
    if (n_missing && n_missing < m->smp.max_cpus) {
        warn_report("CPU(s) not present in any NUMA nodes: %s", missing->str);
        warn_report("All CPU(s) up to maxcpus should be described in NUMA config, ability to start up with partial NUMA "
                    "mappings is obsoleted and will be removed in future");
    }
    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        if (m->cpu_slots[i].node < 0) {
            m->cpu_slots[i].node = n_missing == m->smp.max_cpus ? (int)(m->cpu_slots[i].place.socket % m->n_numa) : 0;
        }
    }
}

/* --- distances: 10 to itself, 20 to others, unless given (ACPI 6.4, 5.2.17) --- */

bool numa_set_distance(Machine *m, unsigned src, unsigned dst, unsigned val, Error **errp)
{
    if (src >= NUMA_MAX_NODES || dst >= NUMA_MAX_NODES) {
        error_setg(errp, "Parameter '%s' expects an integer between 0 and %d", src >= NUMA_MAX_NODES ? "src" : "dst",
                   NUMA_MAX_NODES - 1);
        return false;
    }
    if (!m->numa[src].present || !m->numa[dst].present) {
        error_setg(errp, "Source/Destination NUMA node is missing. Please use '-numa node' option to declare it first.");
        return false;
    }
    if (val < NUMA_DISTANCE_LOCAL) {
        error_setg(errp, "NUMA distance (%u) is invalid, it shouldn't be less than %d.", val, NUMA_DISTANCE_LOCAL);
        return false;
    }
    if (val > NUMA_DISTANCE_UNREACHABLE) {
        error_setg(errp, "NUMA distance (%u) is invalid, it shouldn't be more than %d.", val, NUMA_DISTANCE_UNREACHABLE);
        return false;
    }
    if (src == dst && val != NUMA_DISTANCE_LOCAL) {
        error_setg(errp, "Local distance of node %u should be %d.", src, NUMA_DISTANCE_LOCAL);
        return false;
    }
    m->numa[src].distance[dst] = (uint8_t)val;
    m->numa_distances_given = true;
    return true;
}

/* One of each pair is enough while no pair differs. */
static bool check_distances(const Machine *m, Error **errp)
{
    bool asymmetrical = false;

    for (unsigned a = 0; a < m->n_numa; a++) {
        for (unsigned b = a + 1; b < m->n_numa; b++) {
            uint8_t there = m->numa[a].distance[b], back = m->numa[b].distance[a];

            if (!there && !back) {
                error_setg(errp, "The distance between node %u and %u is missing, at least one distance value between each "
                           "nodes should be provided.", a, b);
                return false;
            }
            asymmetrical |= there && back && there != back;
        }
    }
    for (unsigned a = 0; a < m->n_numa && asymmetrical; a++) {
        for (unsigned b = 0; b < m->n_numa; b++) {
            if (a != b && !m->numa[a].distance[b]) {
                error_setg(errp, "At least one asymmetrical pair of distances is given, please provide distances for both "
                           "directions of all node pairs.");
                return false;
            }
        }
    }
    return true;
}

static bool complete_distances(Machine *m, Error **errp)
{
    if (m->numa_distances_given && !check_distances(m, errp)) {
        return false;
    }
    for (unsigned a = 0; a < m->n_numa; a++) {
        for (unsigned b = 0; b < m->n_numa; b++) {
            uint8_t *d = &m->numa[a].distance[b], back = m->numa[b].distance[a];

            *d = a == b ? NUMA_DISTANCE_LOCAL : *d ? *d : back ? back : NUMA_DISTANCE_REMOTE;
        }
    }
    return true;
}

/* --- memory --- */

bool numa_has_memdev(const Machine *m)
{
    for (unsigned i = 0; i < m->n_numa; i++) {
        if (m->numa[i].memdev) {
            return true;
        }
    }
    return false;
}

static bool check_memory(const Machine *m, uint64_t ram_size, Error **errp)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < m->n_numa; i++) {
        total += m->numa[i].mem_bytes;
    }
    if (total != ram_size) {
        error_setg(errp, "total memory for NUMA nodes (0x%" PRIx64 ") should equal RAM size (0x%" PRIx64 ")", total, ram_size);
        return false;
    }
    if (numa_has_memdev(m) && m->memory_backend) {
        error_setg(errp, "'-machine memory-backend' and '-numa memdev' properties are mutually exclusive");
        return false;
    }
    return true;
}

bool numa_complete(Machine *m, uint64_t ram_size, Error **errp)
{
    for (unsigned i = 0; i < m->n_numa; i++) {
        if (!m->numa[i].present) {
            error_setg(errp, "numa: Node ID missing: %u", i);
            return false;
        }
    }
    if (!m->n_numa) {
        return true;
    }
    if (!check_memory(m, ram_size, errp) || !complete_distances(m, errp)) {
        return false;
    }
    complete_cpus(m);
    return true;
}

bool numa_make_ram(Machine *m, const char *name, Error **errp)
{
    MemoryRegion *all;
    uint64_t at = 0;

    for (unsigned i = 0; i < m->n_numa; i++) {
        if (m->numa[i].memdev && HOST_MEMORY_BACKEND(m->numa[i].memdev)->in_use) {
            error_setg(errp, "memory backend '%s' can't be used multiple times.", m->numa[i].memdev->name);
            return false;
        }
    }
    all = g_new0(MemoryRegion, 1);
    memory_region_init(all, m, name, m->ram_size);
    for (unsigned i = 0; i < m->n_numa; i++) {
        MemoryRegion *part;

        if (!m->numa[i].memdev) {
            continue;
        }
        part = host_memory_backend_take(HOST_MEMORY_BACKEND(m->numa[i].memdev), errp);
        if (!part) {
            return false;               /* the process ends */
        }
        memory_region_add_subregion(all, at, part);
        at += m->numa[i].mem_bytes;
    }
    m->ram = all;
    return true;
}
