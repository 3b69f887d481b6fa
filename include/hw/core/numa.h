/*
 * NUMA nodes of a machine as the command line states them.
 */
#ifndef HW_CORE_NUMA_H
#define HW_CORE_NUMA_H

#include "hw/core/machine.h"

enum { NUMA_DISTANCE_LOCAL = 10, NUMA_DISTANCE_REMOTE = 20, NUMA_DISTANCE_UNREACHABLE = 255 };

/* -numa node: @nodeid -1 = the next; @memdev (a memory backend, a reference is taken) may be NULL. */
bool numa_add_node(Machine *m, int nodeid, Object *memdev, Error **errp) MUST_USE;
/* -numa node,cpus=: by index, below maxcpus. */
bool numa_may_set_cpu_index(const Machine *m, unsigned node, uint64_t index, Error **errp) MUST_USE;
bool numa_set_cpu_index(Machine *m, unsigned node, uint64_t index, Error **errp) MUST_USE;

/* -numa cpu: every CPU whose place has the numbers that are stated. */
typedef struct NumaCpuMatch {
    bool has_socket, has_die, has_module, has_core, has_thread;
    uint64_t socket, die, module, core, thread;
} NumaCpuMatch;
bool numa_set_cpus(Machine *m, unsigned node, const NumaCpuMatch *want, Error **errp) MUST_USE;

/* -numa dist: 10 is local, 255 unreachable. */
bool numa_set_distance(Machine *m, unsigned src, unsigned dst, unsigned val, Error **errp) MUST_USE;

/* All options are in: check nodes against @ram_size, complete distances and CPU map. */
bool numa_complete(Machine *m, uint64_t ram_size, Error **errp) MUST_USE;
/* Do nodes bring their memory? */
bool numa_has_memdev(const Machine *m);
/* The nodes' backends, one after another, as the machine's RAM named @name. */
bool numa_make_ram(Machine *m, const char *name, Error **errp) MUST_USE;

#endif
