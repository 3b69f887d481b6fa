/*
 * A virtual CPU as the rest of the machine sees it, whatever its architecture and accelerator.
 */
#ifndef HW_CORE_CPU_H
#define HW_CORE_CPU_H

#include "hw/core/qdev.h"
#include "system/memory.h"

typedef struct Vcpu Vcpu;
typedef struct VcpuInfo VcpuInfo;
typedef struct GdbArch GdbArch;         /* hw/core/gdb-arch.h */
typedef struct TcgCpuOps TcgCpuOps;     /* accel/tcg/cpu-ops.h */
typedef struct KvmCpuOps KvmCpuOps;     /* accel/kvm/cpu-ops.h */
typedef struct KvmVcpu KvmVcpu;         /* accel/kvm, private */
typedef struct TcgCpuState TcgCpuState; /* accel/tcg, private */

/* Reasons a vCPU should look up from running; bits of Vcpu.interrupt_request. */
enum {
    CPU_INTERRUPT_HARD   = 1 << 0,      /* the interrupt controller has something */
    CPU_INTERRUPT_EXITTB = 1 << 1,      /* leave the present block (mode changed from outside) */
    CPU_INTERRUPT_HALT   = 1 << 2,
    CPU_INTERRUPT_DEBUG  = 1 << 3,
    CPU_INTERRUPT_RESET  = 1 << 4,
    CPU_INTERRUPT_NMI    = 1 << 5,      /* x86 names for the target-specific ones */
    CPU_INTERRUPT_SMI    = 1 << 6,
    CPU_INTERRUPT_MCE    = 1 << 7,
    CPU_INTERRUPT_INIT   = 1 << 8,
    CPU_INTERRUPT_SIPI   = 1 << 9,
    CPU_INTERRUPT_POLL   = 1 << 10,     /* x86: APIC needs a look on the vCPU thread */
    CPU_INTERRUPT_TPR    = 1 << 11,
};

/* A piece of virtual memory that is contiguous in physical memory too. */
typedef struct CpuMapping {
    vaddr vaddr;
    hwaddr paddr;
    uint64_t size;
} CpuMapping;

struct VcpuInfo {
    struct DeviceInfo;
    size_t env_offset;                  /* of the env struct, whose first member is TcgEnv, in the CPU object */
    const TcgCpuOps *tcg;               /* NULL: this CPU cannot run under TCG */
    const KvmCpuOps *kvm;               /* NULL: this CPU cannot run under KVM */
    bool (*has_work)(Vcpu *cpu);        /* would it leave a halt? */
    uint64_t (*get_pc)(Vcpu *cpu);      /* linear pc */
    void (*set_pc)(Vcpu *cpu, uint64_t pc);
    void (*dump_state)(Vcpu *cpu, FILE *f, unsigned flags);
    /* Debugger's view: gva -> gpa, ~0 if unmapped; no side effects. */
    hwaddr (*translate_debug)(Vcpu *cpu, vaddr va);
    int64_t (*get_arch_id)(Vcpu *cpu);
    /* A register by name, for expressions; the CPU may run.  False: no such name. */
    bool (*get_register)(Vcpu *cpu, const char *name, uint64_t *v);
    /* Print the instruction at @addr in the CPU's present mode; its length, 0 without a disassembler. */
    unsigned (*print_insn)(Vcpu *cpu, FILE *f, uint64_t addr, const uint8_t *bytes, size_t n);
    /* For the human monitor: each page that is mapped, ranges of equal rights, the local interrupt controller. */
    void (*print_tlb)(Vcpu *cpu, FILE *f);
    void (*print_mem)(Vcpu *cpu, FILE *f);
    void (*print_intc)(Vcpu *cpu, FILE *f);
    const GdbArch *gdb;                 /* registers as a debugger sees them; NULL = it cannot attach */
    /*
     * For core files: append ELF notes that describe the CPU, and to an empty array its CpuMappings, which fails if
     * they are more than a guest has any use for.  NULL: cannot be dumped.
     */
    void (*dump_notes)(Vcpu *cpu, GByteArray *out);
    bool (*memory_mappings)(Vcpu *cpu, GArray *mappings, Error **errp);
    const char *arch;                   /* "x86_64" as query-target says */
};

/* How to step: with interrupts held off, with guest time standing still. */
enum { SSTEP_ENABLE = 1, SSTEP_NOIRQ = 2, SSTEP_NOTIMER = 4 };

typedef enum DebugStop { DEBUG_STOP_NONE, DEBUG_STOP_STEP, DEBUG_STOP_BREAKPOINT, DEBUG_STOP_WATCHPOINT } DebugStop;

/* Linear addresses [@va, @va + @len). */
typedef struct CpuWatchpoint {
    vaddr va;
    uint64_t len;
    bool on_read, on_write;
} CpuWatchpoint;

struct Vcpu {
    Device dev;

    /* constant after realize */
    unsigned index;                     /* of the CPU's slot; CPU_NO_INDEX before realize: the lowest free one */
    AddressSpace *as;
    void *env;                          /* points into this object */
    int32_t socket_id, die_id, module_id, core_id, thread_id, node_id;      /* -1 = not said */
    bool start_powered_off;             /* an AP: waits for its start-up message */

    /* BQL */
    bool stop;                          /* asked to stop (vm_stop) */
    bool stopped;                       /* and did */
    bool created, unplug;
    GThread *thread;
    int host_tid;
    GCond halt_cond;                    /* with work_lock: woken by cpu_kick */

    /* work_lock (innermost: nothing is taken under it) */
    GMutex work_lock;
    bool kicked;                        /* since the thread last looked */
    GQueue work;                        /* of CpuWork: run_on_cpu */

    /* written under the BQL, read anywhere: atomic */
    uint32_t interrupt_request;
    uint32_t halted;
    uint32_t n_work;                    /* items in @work */
    bool running;                       /* in guest code */

    /* owner thread */
    int32_t exception_index;            /* -1 none; EXCP_* for run-loop exits */
    TcgCpuState *tcg;
    KvmVcpu *kvm;

    /* debugger; written while the CPU stands still, or by its own thread */
    unsigned singlestep;                /* SSTEP_* bits, 0 = run */
    GArray *breakpoints;                /* of vaddr: this CPU's copy */
    bool debug_changed;                 /* BQL: take the debugger's list over before running */
    DebugStop debug_stop;               /* why it stopped with EXCP_DEBUG */
    CpuWatchpoint watch_hit;            /* DEBUG_STOP_WATCHPOINT: which */
};

#define CPU_NO_INDEX UINT_MAX

OBJECT_DECLARE(Vcpu, VCPU, vcpu)        /* "cpu", abstract */
static inline const VcpuInfo *vcpu_info(const Vcpu *cpu)
{
    return (const VcpuInfo *)cpu->dev.obj.type->info;
}
#define VCPU_DEFINE(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(VcpuInfo, CType, snake, type_name, parent_snake, false, __VA_ARGS__)

/* exception_index values beyond every architecture's own. */
enum {
    EXCP_INTERRUPT = 0x10000,   /* asked to leave */
    EXCP_HLT,                   /* halted */
    EXCP_DEBUG,
    EXCP_HALTED,
    EXCP_YIELD,
};

/* Every vCPU of the machine in index order; indexes have gaps where a CPU could be plugged. */
unsigned cpu_count(void);
Vcpu *cpu_at(unsigned position);                /* position 0..cpu_count()-1; NULL beyond */
Vcpu *cpu_by_index(unsigned index);             /* NULL if none */
#define CPU_FOREACH(cpu) \
    for (unsigned cpu_i_ = 0; ((cpu) = cpu_at(cpu_i_)) != NULL; cpu_i_++)
Vcpu *cpu_current(void);                        /* of the calling thread; NULL elsewhere */
void cpu_current_set(Vcpu *cpu);                /* by the thread that is to run it */
void cpu_list_add(Vcpu *cpu);
void cpu_list_remove(Vcpu *cpu);

/* Set or clear request bits; sets kick the vCPU out of guest code.  BQL held. */
void cpu_interrupt(Vcpu *cpu, uint32_t mask);
void cpu_reset_interrupt(Vcpu *cpu, uint32_t mask);
/* Make @cpu look at its requests soon: out of guest code and out of a halt.  Any thread. */
void cpu_kick(Vcpu *cpu);

/* Run @fn on @cpu's thread between blocks, BQL held there; run_on_cpu waits (dropping the BQL). */
typedef void CpuWorkFn(Vcpu *cpu, void *opaque);
void run_on_cpu(Vcpu *cpu, CpuWorkFn *fn, void *opaque);
void async_run_on_cpu(Vcpu *cpu, CpuWorkFn *fn, void *opaque);
/*
 * From now until the BQL is given up, @cpu's object holds its state, for those who look from outside.
 * Under KVM a running CPU leaves guest code for it; elsewhere the object always does.  BQL, dropped meanwhile.
 */
void cpu_synchronize(Vcpu *cpu);
bool cpu_work_pending(Vcpu *cpu);               /* owner thread: leave guest code for it */
void cpu_process_work(Vcpu *cpu);               /* owner thread, BQL held */

/*
 * The debugger's breakpoints and watchpoints, the same for every CPU, also for those plugged later
 * (cpu-debug.c).  BQL; a CPU takes a change over before it runs again.  Inserting twice needs removing
 * twice.  False: too many, not there, or the accelerator has none.
 */
#define CPU_BREAKPOINTS_MAX 1024
#define CPU_WATCHPOINTS_MAX 32
bool cpu_debug_supported(void);
bool cpu_breakpoint_insert(vaddr va);
bool cpu_breakpoint_remove(vaddr va);
bool cpu_watchpoint_insert(const CpuWatchpoint *w);
bool cpu_watchpoint_remove(const CpuWatchpoint *w);
void cpu_debug_remove_all(void);
/* Owner thread, before it runs: take over what changed. */
void cpu_debug_take_over(Vcpu *cpu);

/* Threads: made by the accelerator when a CPU is realized; all start stopped. */
void cpu_thread_create(Vcpu *cpu);
void cpu_thread_join(Vcpu *cpu);                /* BQL held, dropped meanwhile */
void cpus_resume_all(void);                     /* BQL */
void cpu_resume(Vcpu *cpu);                     /* BQL; one CPU: after hotplug, or for the debugger */
void cpus_pause_all(void);                      /* BQL; returns when every vCPU has stopped */

/*
 * Accelerators: "tcg", "kvm", "qtest".  One is chosen per process; it owns vCPU threads.
 */
typedef struct Accel Accel;

/* Something an accelerator counts, as query-stats names it. */
typedef struct AccelCounter {
    const char *name;
    bool of_vcpu;                               /* else of the whole machine */
    bool instant;                               /* what is now; else it only grows */
    enum { ACCEL_COUNT_PLAIN, ACCEL_COUNT_BYTES, ACCEL_COUNT_NANOSECONDS } unit;
    size_t offset;                              /* the accelerator's */
} AccelCounter;

/* Where the interrupt controllers of boards that leave the choice are: in hw/intc, or (some) in the host's kernel. */
typedef enum AccelIrqchip {
    ACCEL_IRQCHIP_OFF,                          /* all are devices of ours */
    ACCEL_IRQCHIP_SPLIT,                        /* the CPUs' local ones are the kernel's */
    ACCEL_IRQCHIP_ON,                           /* all are, and the interval timer */
} AccelIrqchip;

typedef struct AccelInfo {
    struct ObjectInfo;
    const char *accel_name;                     /* what -accel says */
    bool keeps_state;                           /* a running CPU's object does not hold its state: cpu_synchronize() */
    bool (*start)(Accel *accel, Error **errp);  /* properties are set */
    bool (*cpu_realize)(Accel *accel, Vcpu *cpu, Error **errp);    /* before its thread starts */
    void (*cpu_unrealize)(Accel *accel, Vcpu *cpu);
    /* Body of the vCPU thread: run until something wants the outer loop; BQL held on entry and exit, dropped inside. */
    void (*cpu_exec)(Accel *accel, Vcpu *cpu);
    void (*cpu_kick)(Accel *accel, Vcpu *cpu);
    /* Register state may have been changed from outside (reset, debugger). */
    void (*cpu_state_changed)(Accel *accel, Vcpu *cpu);
    /* cpu->breakpoints and the debugger's watchpoints changed; owner thread.  NULL = no debugging. */
    void (*cpu_debug_changed)(Accel *accel, Vcpu *cpu, const CpuWatchpoint *watch, unsigned n_watch);
    /* Can it have these, beyond what the limits of all accelerators allow?  NULL = yes. */
    bool (*debug_fits)(Accel *accel, const vaddr *breakpoints, unsigned n_breakpoints, const CpuWatchpoint *watch, unsigned n_watch);
    void (*info)(Accel *accel, FILE *f);        /* `info jit`, `info kvm` */
    void (*op_info)(Accel *accel, FILE *f);     /* `info opcount`; NULL = translates nothing */
    void (*finish)(Accel *accel);               /* the emulator ends: write what is to be kept; NULL = nothing.  CPUs stand still */
    /* Memory slots there are, and of them in use.  NULL: memory is not mapped in slots. */
    void (*memory_slots)(Accel *accel, unsigned *max, unsigned *used);
    AccelIrqchip (*irqchip)(const Accel *accel);        /* constant after .start; NULL = off */
    const AccelCounter *counters;               /* ends with a nameless one; NULL = none */
    uint64_t (*count)(Accel *accel, Vcpu *cpu, const AccelCounter *c);      /* @cpu NULL for those of the machine */
} AccelInfo;

struct Accel {
    Object obj;
};
OBJECT_DECLARE(Accel, ACCEL, accel)             /* "accel", abstract */
#define ACCEL_DEFINE(CType, snake, type_name, ...) \
    TYPE_DEFINE_FAMILY(AccelInfo, CType, snake, type_name, accel, false, __VA_ARGS__)
static inline const AccelInfo *accel_info(const Accel *a)
{
    return (const AccelInfo *)a->obj.type->info;
}
Accel *current_accel(void);
AccelIrqchip accel_irqchip(void);               /* of the current one */
/* The emulator ends; CPUs stand still. */
void accel_finish(void);
/* Choose by name with a dict of properties (borrowed, may be NULL). */
bool accel_select(const char *name, const Value *props, Error **errp) MUST_USE;

#endif
