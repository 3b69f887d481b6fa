/*
 * APIC ids from places in the topology, and back.
 *
 * Reference: SDM Vol.3 8.9.1 (hierarchical mapping): a field is as wide as the count of its level needs, so ids
 * have gaps where a count is no power of two.
 */
#include "target/i386/cpu-hw.h"

/* Bits that number @n things. */
static unsigned field_width(unsigned n)
{
    return n > 1 ? 32 - (unsigned)__builtin_clz(n - 1) : 0;
}

X86Topology x86_topology(const SmpConfig *smp)
{
    return (X86Topology){ .n = {
        [X86_LEVEL_THREAD] = smp->threads, [X86_LEVEL_CORE] = smp->cores, [X86_LEVEL_MODULE] = smp->modules,
        [X86_LEVEL_DIE] = smp->dies, [X86_LEVEL_SOCKET] = smp->sockets,
    } };
}

unsigned x86_topology_shift(const X86Topology *t, X86TopologyLevel level)
{
    unsigned shift = 0;

    for (unsigned l = 0; l < level; l++) {
        shift += field_width(t->n[l]);
    }
    return shift;
}

unsigned x86_topology_threads(const X86Topology *t, X86TopologyLevel level)
{
    unsigned n = 1;

    for (unsigned l = 0; l < level; l++) {
        n *= t->n[l];
    }
    return n;
}

uint32_t x86_apic_id_of_place(const X86Topology *t, const CpuPlace *p)
{
    return p->thread | p->core << x86_topology_shift(t, X86_LEVEL_CORE) | p->module << x86_topology_shift(t, X86_LEVEL_MODULE)
        | p->die << x86_topology_shift(t, X86_LEVEL_DIE) | p->socket << x86_topology_shift(t, X86_LEVEL_SOCKET);
}

static unsigned field(const X86Topology *t, X86TopologyLevel level, uint32_t apic_id)
{
    return apic_id >> x86_topology_shift(t, level) & ((1u << field_width(t->n[level])) - 1);
}

CpuPlace x86_place_of_apic_id(const X86Topology *t, uint32_t apic_id)
{
    return (CpuPlace){
        .socket = apic_id >> x86_topology_shift(t, X86_LEVEL_SOCKET), .die = field(t, X86_LEVEL_DIE, apic_id),
        .module = field(t, X86_LEVEL_MODULE, apic_id), .core = field(t, X86_LEVEL_CORE, apic_id),
        .thread = field(t, X86_LEVEL_THREAD, apic_id),
    };
}
