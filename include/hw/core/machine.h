/*
 * A machine: the board's type with its options, and the one running instance.
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
    const char *default_ram_id;         /* "pc.ram" */
    uint64_t default_ram_size;
    uint64_t ram_size_max;              /* 0 = host limits only */
    bool no_serial, no_parallel, no_floppy, no_cdrom;   /* default devices it does not have */
    const char *default_nic, *default_display;
    bool has_hotpluggable_cpus;
    bool (*setup)(Machine *m, Error **errp);    /* build the board; CPUs and devices realized inside */
    void (*reset)(Machine *m, ResetType type);  /* default: machine_reset_all */
    void (*wakeup)(Machine *m);
    /* Where -device without bus= of this bus type goes is found by walking the tree. */
};

typedef struct SmpConfig {
    unsigned cpus, sockets, dies, clusters, cores, threads, max_cpus;
} SmpConfig;

struct Machine {
    Object obj;
    /* options */
    uint64_t ram_size, maxram_size;
    unsigned ram_slots;
    SmpConfig smp;
    char *cpu_type;                     /* full type name */
    Value *cpu_props;                   /* dict of -cpu properties */
    char *kernel, *initrd, *append, *firmware, *dtb;
    char *boot_order;                   /* "cad", NULL = default */
    bool boot_menu, boot_strict, boot_once;
    MemoryRegion *ram;                  /* from memory-backend= or made by default; mapped by the board */
    Object *memory_backend;             /* -machine memory-backend= */
    bool dump_guest_core, mem_merge, usb, graphics, suppress_vmdesc;
    OnOffAuto acpi, pit, pic, rtc, smm, hpet, vmport, i8042, kernel_irqchip;
    /* board's */
    Device *fw_cfg;
    IrqLine power_button;
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

/* "System is done building": run once after -device; boards place tables here. */
typedef void MachineDoneFn(void *opaque);
void machine_done_notify(MachineDoneFn *fn, void *opaque);
void machine_run_done_notifiers(void);

#endif
