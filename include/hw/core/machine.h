/*
 * A machine: the board's type with its options, and the one running instance.
 *
 * Life: object_new(type) -> options set as properties or fields -> machine_build() -> -device
 * devices -> machine_run_done_notifiers() -> reset -> runs.  All under the BQL.
 */
#ifndef HW_CORE_MACHINE_H
#define HW_CORE_MACHINE_H

#include "hw/core/cpu.h"

typedef struct Machine Machine;
typedef struct MachineInfo MachineInfo;

/* An image that the board put in ROM, or writes to RAM at each start. */
typedef struct MachineRom {
    const char *name;
    hwaddr addr;
    uint64_t size;
    bool in_ram;
} MachineRom;
typedef void MachineRomFn(const MachineRom *rom, void *opaque);

struct MachineInfo {
    struct ObjectInfo;
    const char *machine_name;           /* "pc-q35-10.0": what -machine says */
    const char *alias;                  /* "q35" */
    bool is_default;
    const char *arch;                   /* "x86_64" */
    unsigned max_cpus;
    const char *default_cpu_type;       /* "qemu64-x86_64-cpu" */
    const char *default_ram_id;         /* "pc.ram"; NULL: the machine has no RAM of its own */
    uint64_t default_ram_size;
    uint64_t ram_size_max;              /* 0 = host limits only */
    bool no_serial, no_parallel, no_floppy, no_cdrom;   /* default devices it does not have */
    unsigned ide_buses, ide_units;      /* buses "ide.N" of the board, and how many devices each takes; 0 = no such controller */
    const char *default_nic, *default_display;
    bool has_hotpluggable_cpus;
    bool has_dies, has_modules, has_clusters;   /* levels of -smp that may be other than 1 */
    bool has_numa;                      /* -numa means something */
    bool has_memory_hotplug;            /* -m slots=,maxmem= mean something */
    /* Who handles plugging of @dev, which sits on no bus (memory, CPUs); NULL: it cannot be plugged while running. */
    const HotplugHandler *(*hotplug_handler)(Machine *m, Device *dev);
    bool (*setup)(Machine *m, Error **errp);    /* build the board; CPUs and devices realized inside */
    void (*reset)(Machine *m, ResetType type);  /* default: machine_reset_all */
    bool (*set_boot_order)(Machine *m, const char *order, Error **errp);    /* for the next start; NULL: fixed */
    void (*foreach_rom)(Machine *m, MachineRomFn *fn, void *opaque);        /* by address as they were added; NULL: none */
    void (*nmi)(Machine *m);                    /* to all CPUs; NULL: the board has no such button */
    /* Where -device without bus= of this bus type goes is found by walking the tree. */
};

/* All at least 1; sockets * dies * clusters * modules * cores * threads == max_cpus >= cpus. */
typedef struct SmpConfig {
    unsigned cpus, sockets, dies, clusters, modules, cores, threads, max_cpus;
} SmpConfig;

/* Where a CPU sits: each number counts within the one before. */
typedef struct CpuPlace {
    unsigned socket, die, module, core, thread;
} CpuPlace;

/* A CPU that the machine has or could have; its index in Machine.cpu_slots is the CPU's. */
typedef struct CpuSlot {
    CpuPlace place;
    int node;                           /* NUMA node; -1 = none was said */
    uint32_t arch_id;                   /* x86: the APIC id; set by the board */
    Vcpu *cpu;                          /* borrowed; NULL = empty */
} CpuSlot;

#define NUMA_MAX_NODES 128

/* One -numa node; @mem_bytes of all nodes add up to the RAM size. */
typedef struct NumaNode {
    bool present;
    uint64_t mem_bytes;
    Object *memdev;                     /* counted; NULL = no memory */
    uint8_t distance[NUMA_MAX_NODES];   /* to others; complete when the board is built */
} NumaNode;

struct Machine {
    Object obj;
    /* options */
    uint64_t ram_size, maxram_size;
    uint64_t memory_limit;              /* of the process, bytes; 0 = none (system/ledger) */
    unsigned ram_slots;
    SmpConfig smp;
    CpuSlot *cpu_slots;                 /* owned; [smp.max_cpus] */
    char *cpu_type;                     /* full type name */
    Value *cpu_props;                   /* owned dict of -cpu properties, or NULL */
    char *kernel, *initrd, *append, *firmware, *dtb;
    char *boot_order;                   /* "cad", NULL = default */
    char *boot_once;                    /* the same for the first boot; NULL = the same */
    bool boot_menu, boot_strict, booted;
    MemoryRegion *ram;                  /* from memory-backend= or made by default; mapped by the board */
    Object *memory_backend;             /* -machine memory-backend= */
    NumaNode numa[NUMA_MAX_NODES];
    unsigned n_numa;
    bool numa_distances_given;
    bool dump_guest_core, mem_merge, usb, graphics, suppress_vmdesc;
    uint8_t uuid[16];                   /* -uuid, in text order */
    bool uuid_set;
    /* board's */
    Device *fw_cfg;
    struct DeviceMemory *device_memory; /* where memory devices go (hw/mem); NULL = nowhere */
    GPtrArray *memslot_users;           /* back ends that map guest memory (hw/mem/memslots.h); NULL = none */
    IrqLine power_button;               /* pulsed by system_powerdown */
};

OBJECT_DECLARE(Machine, MACHINE, machine)       /* "machine", abstract */
#define MACHINE_DEFINE(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(MachineInfo, CType, snake, type_name, parent_snake, false, __VA_ARGS__)
static inline const MachineInfo *machine_info(const Machine *m)
{
    return (const MachineInfo *)m->obj.type->info;
}
Machine *current_machine(void);
void current_machine_set(Machine *m);
/* By -machine name or alias; "none" included.  NULL if unknown. */
const TypeInfo *machine_type_find(const char *name);
const TypeInfo *machine_type_default(const char *arch);

/*
 * -smp as a dict of cpus, sockets, dies, clusters, modules, cores, threads, maxcpus (each optional): fill what is
 * missing, prefer cores over sockets over threads, check the product and the machine's maximum.  Makes the
 * table of CPUs.
 */
bool machine_set_smp(Machine *m, const Value *opts, Error **errp) MUST_USE;
/* The table of CPUs for m->smp, all empty, in index order: threads first. */
void machine_make_cpu_slots(Machine *m);
CpuPlace machine_place_of_index(const SmpConfig *smp, unsigned index);
CpuSlot *machine_cpu_slot_by_arch_id(Machine *m, uint32_t arch_id);     /* NULL if there is none */
/* "socket-id: 0, core-id: 1, thread-id: 0": with the levels that the machine has. */
char *cpu_place_text(const Machine *m, const CpuPlace *p);

/*
 * Build the board: makes @m the current machine at /machine, checks sizes, makes the default RAM unless
 * m->ram is set (from a memory backend), defaults the CPU type, and calls the type's setup.  On failure
 * the process is expected to end.
 */
bool machine_build(Machine *m, Error **errp) MUST_USE;

/* "System is done building": run once after -device; boards place tables here. */
typedef void MachineDoneFn(void *opaque);
void machine_done_notify(MachineDoneFn *fn, void *opaque);
void machine_run_done_notifiers(void);

/* Press the NMI button. */
bool machine_inject_nmi(Machine *m, Error **errp) MUST_USE;

/* Letters as -boot order= takes them. */
bool machine_set_boot_order(Machine *m, const char *order, Error **errp) MUST_USE;
void machine_foreach_rom(Machine *m, MachineRomFn *fn, void *opaque);

/* The whole-system reset as this machine type does it. */
void machine_reset(Machine *m, ResetType type);

#endif
