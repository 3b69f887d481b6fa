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
    const char *default_nic, *default_display;
    bool has_hotpluggable_cpus;
    bool has_memory_hotplug;            /* -m slots=,maxmem= mean something */
    /* Who handles plugging of @dev, which sits on no bus (memory, CPUs); NULL: it cannot be plugged while running. */
    const HotplugHandler *(*hotplug_handler)(Machine *m, Device *dev);
    bool (*setup)(Machine *m, Error **errp);    /* build the board; CPUs and devices realized inside */
    void (*reset)(Machine *m, ResetType type);  /* default: machine_reset_all */
    void (*wakeup)(Machine *m);
    void (*nmi)(Machine *m);                    /* to all CPUs; NULL: the board has no such button */
    /* Where -device without bus= of this bus type goes is found by walking the tree. */
};

typedef struct SmpConfig {
    unsigned cpus, sockets, dies, clusters, cores, threads, max_cpus;
} SmpConfig;

/* One -numa node; @mem_bytes of all nodes add up to the RAM size. */
typedef struct NumaNode {
    uint64_t mem_bytes;
    uint64_t cpus;                      /* bit mask over CPU indexes, 0..63 */
    Object *memdev;                     /* counted; NULL = a part of the machine's RAM */
} NumaNode;
#define NUMA_MAX_NODES 64

struct Machine {
    Object obj;
    /* options */
    uint64_t ram_size, maxram_size;
    unsigned ram_slots;
    SmpConfig smp;
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
    bool dump_guest_core, mem_merge, usb, graphics, suppress_vmdesc;
    uint8_t uuid[16];                   /* -uuid, in text order */
    bool uuid_set;
    /* board's */
    Device *fw_cfg;
    struct DeviceMemory *device_memory; /* where memory devices go (hw/mem); NULL = nowhere */
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
 * -smp as a dict of cpus, sockets, dies, clusters, cores, threads, maxcpus (each optional): fill what is
 * missing, prefer cores over sockets over threads, check the product and the machine's maximum.
 */
bool machine_set_smp(Machine *m, const Value *opts, Error **errp) MUST_USE;

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

/* The whole-system reset as this machine type does it. */
void machine_reset(Machine *m, ResetType type);

#endif
