/*
 * -smp: how many CPUs there are and how they are grouped, and the table of all that could be plugged.
 *
 * What is given decides what is not: cores are preferred, then sockets, then threads.
 */
#include "hw/core/machine.h"

#define SMP_MAX 65535           /* of one number; far above what any machine takes */

typedef struct SmpKey {
    const char *name;
    size_t offset;
    size_t supported;           /* offset of a bool in MachineInfo: may it exceed 1?  0 = always */
} SmpKey;

static const SmpKey smp_keys[] = {
    { "sockets",  offsetof(SmpConfig, sockets) },
    { "dies",     offsetof(SmpConfig, dies), offsetof(MachineInfo, has_dies) },
    { "clusters", offsetof(SmpConfig, clusters), offsetof(MachineInfo, has_clusters) },
    { "modules",  offsetof(SmpConfig, modules), offsetof(MachineInfo, has_modules) },
    { "cores",    offsetof(SmpConfig, cores) },
    { "threads",  offsetof(SmpConfig, threads) },
    { "cpus",     offsetof(SmpConfig, cpus) },
    { "maxcpus",  offsetof(SmpConfig, max_cpus) },
};

static unsigned *smp_number(SmpConfig *c, const SmpKey *k)
{
    return (unsigned *)((char *)c + k->offset);
}

/* Levels that no machine has may be said to be 1. */
static bool is_foreign_level(const char *key)
{
    return !strcmp(key, "drawers") || !strcmp(key, "books");
}

static const SmpKey *find_key(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(smp_keys); i++) {
        if (!strcmp(smp_keys[i].name, name)) {
            return &smp_keys[i];
        }
    }
    return NULL;
}

/* A dict value as number; command-line text arrives as strings. */
static bool smp_value(const Value *v, uint64_t *out)
{
    if (value_type(v) == VALUE_STRING) {
        const char *s = value_get_string(v);
        char *end;

        errno = 0;
        *out = g_ascii_strtoull(s, &end, 10);
        return g_ascii_isdigit(*s) && *end == '\0' && errno == 0;
    }
    return value_get_uint(v, out);
}

static bool level_is_supported(const MachineInfo *mi, const SmpKey *k)
{
    return k && (!k->supported || *(const bool *)((const char *)mi + k->supported));
}

static bool smp_read(const MachineInfo *mi, SmpConfig *c, const Value *opts, Error **errp)
{
    for (size_t i = 0; i < value_dict_len(opts); i++) {
        const char *key = value_dict_key_at(opts, i);
        const SmpKey *k = find_key(key);
        uint64_t n;

        if (!k && !is_foreign_level(key)) {
            error_setg(errp, "-smp has no option '%s'", key);
            return false;
        }
        if (!smp_value(value_dict_value_at(opts, i), &n) || n > SMP_MAX) {
            error_setg(errp, "-smp %s must be a number 1..%u", key, SMP_MAX);
            return false;
        }
        if (n == 0) {
            error_setg(errp, "Invalid CPU topology: CPU topology parameters must be greater than zero");
            return false;
        }
        if (n > 1 && !level_is_supported(mi, k)) {
            error_setg(errp, "%s > 1 not supported by this machine's CPU topology", key);
            return false;
        }
        if (k) {
            *smp_number(c, k) = (unsigned)n;
        }
    }
    return true;
}

/* CPUs that the numbers make; saturates. */
static uint64_t smp_product(const SmpConfig *c)
{
    const unsigned factors[] = { c->sockets, c->dies, c->clusters, c->modules, c->cores, c->threads };
    uint64_t product = 1;

    for (unsigned i = 0; i < ARRAY_SIZE(factors); i++) {
        product = MIN(product * MAX(factors[i], 1u), UINT32_MAX);
    }
    return product;
}

static void smp_complete(SmpConfig *c)
{
    unsigned total = c->max_cpus ? c->max_cpus : c->cpus;

    c->dies = MAX(c->dies, 1);
    c->clusters = MAX(c->clusters, 1);
    c->modules = MAX(c->modules, 1);
    if (total && !c->cores) {
        c->cores = (unsigned)(total / smp_product(c));
    } else if (total && !c->sockets) {
        c->sockets = (unsigned)(total / smp_product(c));
    } else if (total && !c->threads) {
        c->threads = (unsigned)(total / smp_product(c));
    }
    c->sockets = MAX(c->sockets, 1);
    c->cores = MAX(c->cores, 1);
    c->threads = MAX(c->threads, 1);
    c->max_cpus = c->max_cpus ? c->max_cpus : c->cpus ? c->cpus : (unsigned)smp_product(c);
    c->cpus = c->cpus ? c->cpus : c->max_cpus;
}

/* "sockets (2) * dies (1) * cores (2) * threads (1)": the levels that the machine has. */
static char *smp_hierarchy(const MachineInfo *mi, SmpConfig *c)
{
    GString *s = g_string_new(NULL);

    for (size_t i = 0; i < ARRAY_SIZE(smp_keys) - 2; i++) {
        if (level_is_supported(mi, &smp_keys[i])) {
            g_string_append_printf(s, "%s%s (%u)", s->len ? " * " : "", smp_keys[i].name, *smp_number(c, &smp_keys[i]));
        }
    }
    return g_string_free(s, false);
}

static bool smp_check(const MachineInfo *mi, SmpConfig *c, Error **errp)
{
    g_autofree char *hierarchy = smp_hierarchy(mi, c);

    if (smp_product(c) != c->max_cpus) {
        error_setg(errp, "Invalid CPU topology: product of the hierarchy must match maxcpus: %s != maxcpus (%u)", hierarchy,
                   c->max_cpus);
        return false;
    }
    if (c->cpus > c->max_cpus) {
        error_setg(errp, "Invalid CPU topology: maxcpus must be equal to or greater than smp: %s == maxcpus (%u) < smp_cpus (%u)",
                   hierarchy, c->max_cpus, c->cpus);
        return false;
    }
    if (mi->max_cpus && c->max_cpus > mi->max_cpus) {
        error_setg(errp, "Invalid SMP CPUs %u. The max CPUs supported by machine '%s' is %u", c->max_cpus, mi->machine_name,
                   mi->max_cpus);
        return false;
    }
    return true;
}

bool machine_set_smp(Machine *m, const Value *opts, Error **errp)
{
    const MachineInfo *mi = machine_info(m);
    SmpConfig c = { 0 };

    if (!smp_read(mi, &c, opts, errp)) {
        return false;
    }
    smp_complete(&c);
    if (!smp_check(mi, &c, errp)) {
        return false;
    }
    m->smp = c;
    machine_make_cpu_slots(m);
    return true;
}

/* --- the table of CPUs --- */

/* Threads are counted first, then cores, and so on outwards; clusters are counted as modules. */
CpuPlace machine_place_of_index(const SmpConfig *smp, unsigned index)
{
    unsigned modules = smp->modules * smp->clusters;
    CpuPlace p;

    p.thread = index % smp->threads;
    index /= smp->threads;
    p.core = index % smp->cores;
    index /= smp->cores;
    p.module = index % modules;
    index /= modules;
    p.die = index % smp->dies;
    p.socket = index / smp->dies;
    return p;
}

void machine_make_cpu_slots(Machine *m)
{
    g_free(m->cpu_slots);
    m->cpu_slots = g_new0(CpuSlot, m->smp.max_cpus);
    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        m->cpu_slots[i] = (CpuSlot){ .place = machine_place_of_index(&m->smp, i), .node = -1, .arch_id = i };
    }
}

CpuSlot *machine_cpu_slot_by_arch_id(Machine *m, uint32_t arch_id)
{
    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        if (m->cpu_slots[i].arch_id == arch_id) {
            return &m->cpu_slots[i];
        }
    }
    return NULL;
}

char *cpu_place_text(const Machine *m, const CpuPlace *p)
{
    GString *s = g_string_new(NULL);

    g_string_append_printf(s, "socket-id: %u, ", p->socket);
    if (m->smp.dies > 1) {
        g_string_append_printf(s, "die-id: %u, ", p->die);
    }
    if (m->smp.modules > 1) {
        g_string_append_printf(s, "module-id: %u, ", p->module);
    }
    g_string_append_printf(s, "core-id: %u, thread-id: %u", p->core, p->thread);
    return g_string_free(s, false);
}
