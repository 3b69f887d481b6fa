/*
 * KVM: what the accelerator's files share.
 */
#ifndef ACCEL_KVM_INTERNAL_H
#define ACCEL_KVM_INTERNAL_H

#include "accel/kvm/cpu-ops.h"
#include "system/memory.h"
#include "util/account.h"

typedef struct KvmSlot {
    hwaddr start;
    uint64_t size;              /* 0 = free */
    uint64_t userspace_addr;
    MemoryRegion *mr;           /* borrowed while the slot is in use */
    hwaddr offset;              /* in @mr */
    uint32_t flags;             /* as the kernel has them */
} KvmSlot;

/* Property "assist". */
enum { KVM_ASSIST_ON, KVM_ASSIST_OFF, KVM_ASSIST_INSN };

/* Memory slots follow the flat view of one address space.  BQL. */
typedef struct KvmSlots {
    MemoryListener listener;
    int vm_fd;
    KvmSlot *slot;
    unsigned n, used, peak;
    uint64_t updates;           /* calls of KVM_SET_USER_MEMORY_REGION */
    hwaddr private_low, private_high;   /* what private slots lie between, the second exclusive; equal: none */
} KvmSlots;

void kvm_slots_init(KvmSlots *s, int vm_fd, unsigned n_slots);
void kvm_slots_fini(KvmSlots *s);
/* Slots of no guest memory: see kvm_private_memory_add() and its like. */
hwaddr kvm_slots_add_private(KvmSlots *s, void *host, uint64_t size, hwaddr limit, Error **errp);
bool kvm_slots_renew_private(KvmSlots *s, hwaddr start, Error **errp) MUST_USE;
void kvm_slots_remove_private(KvmSlots *s, hwaddr start);

enum { KVM_EXIT_COUNTS = 64, KVM_ASSIST_KINDS = 32, KVM_INSN_MAX = 15 };

/* Instructions of one kind that the translator executed. */
typedef struct KvmAssistKind {
    uint64_t count;             /* 0 = unused */
    uint32_t kind;
    unsigned n;
    uint8_t bytes[KVM_INSN_MAX];        /* of the first, and what follows it */
} KvmAssistKind;

typedef struct KvmAssist {
    Accel *translator;          /* owned; NULL = off */
    char *refusal;              /* why it is off though it was wanted */
    KvmAssistKind kinds[KVM_ASSIST_KINDS];
    uint64_t us;                /* spent in all */
} KvmAssist;

/* Where interrupts go, with controllers in the kernel.  BQL. */
typedef struct KvmRouting {
    AccelIrqchip mode;          /* constant after start */
    GArray *entries;            /* of struct kvm_irq_routing_entry; NULL = controllers are ours */
    bool changed;               /* since the kernel was told */
    uint64_t updates;
    void (*eoi)(void *opaque, uint8_t vector);
    void *eoi_opaque;
} KvmRouting;

/* Of one address space.  BQL. */
typedef struct KvmIoEventfds {
    MemoryListener listener;
    int vm_fd;
    bool pio, any_length;
    GArray *present;            /* of struct kvm_ioeventfd: what the kernel has; NULL = not in use */
} KvmIoEventfds;

/* Collected writes.  BQL. */
typedef struct KvmCoalesced {
    MemoryListener listener;
    int vm_fd;
    size_t ring_offset;         /* from a vCPU's run structure; 0 = not in use */
    unsigned ring_entries;
    bool draining;
    uint64_t writes;
} KvmCoalesced;

typedef struct KvmAccel {
    Accel parent;

    /* constant after start */
    int fd, vm_fd;
    uint32_t run_size;
    KvmSlots slots;
    int assist_mode;            /* property: KvmAssistMode */
    int irqchip;                /* property: KvmIrqchip */
    KvmRouting routing;
    KvmCoalesced coalesced;
    KvmIoEventfds memory_eventfds, port_eventfds;
    bool shadow_paging;         /* the estimate's assumption */
    bool started;
    uint64_t starts;            /* of the machine; BQL */
    bool clock_kept;            /* while it is stopped: .clock is what its clock read */
    struct kvm_clock_data clock;

    GArray *parked;             /* of ParkedVcpu: of CPUs that were unplugged; BQL */
    MemoryAccount slots_account, tables_account;
    KvmAssist assist;           /* BQL */
    const KvmCpuOps *ops;       /* if .native */
    bool native;                /* constant after start: the translator runs the guest, KVM its user mode (native.c) */

    /* atomic */
    uint64_t exits[KVM_EXIT_COUNTS];
    uint64_t runs;
} KvmAccel;

OBJECT_DECLARE(KvmAccel, KVM_ACCEL, kvm_accel)

/* A vCPU of the kernel's. */
struct KvmVcpu {
    Vcpu *cpu;
    int fd;
    struct kvm_run *run;
    GBytes *fixed;              /* kvm_vcpu_fixed() */
    bool debugging;             /* the kernel was told of something to stop at */
    CpuWatchpoint watch[CPU_WATCHPOINTS_MAX];   /* the debugger's */
    unsigned n_watch;
    struct KvmNative *native;   /* NULL: KVM runs all of the guest */
};

#define KVM_KICK_SIGNAL SIGUSR1
#define KVM_TICK_SIGNAL SIGUSR2         /* its own: two of one kind may become one */

/* accounts.c: what the kernel keeps for slots. */
void kvm_accounts_add(KvmAccel *a);
void kvm_accounts_remove(KvmAccel *a);

/* assist.c: the translator executes what KVM cannot. */
/* @cache_size: 0 = what the "tcg" accelerator would take. */
bool kvm_assist_start(KvmAccel *a, uint64_t cache_size);
void kvm_assist_fini(KvmAccel *a);
/* The instruction at the vCPU's pc begins with @bytes.  False: the state cannot be moved. */
bool kvm_assist(KvmAccel *a, Vcpu *cpu, const uint8_t *bytes, unsigned n, Error **errp) MUST_USE;
void kvm_assist_info(const KvmAccel *a, FILE *f);

/* native.c: the translator runs the guest, KVM its user mode. */
bool kvm_native_realize(KvmAccel *a, Vcpu *cpu, Error **errp) MUST_USE;
void kvm_native_unrealize(Vcpu *cpu);
void kvm_native_exec(KvmAccel *a, Vcpu *cpu);
void kvm_native_init(void);
void kvm_translator_kick(Vcpu *cpu);    /* any thread, signal handlers too */
void kvm_native_info(FILE *f);
bool kvm_shadow_paging(void);           /* as far as the host's modules say (accounts.c) */

/* irqchip.c: interrupt controllers in the kernel.  @wanted: else there are none where the kernel has none. */
bool kvm_irqchip_start(KvmAccel *a, AccelIrqchip mode, bool wanted, Error **errp) MUST_USE;
void kvm_irqchip_fini(KvmAccel *a);
AccelIrqchip kvm_irqchip_mode(const Accel *accel);
void kvm_irqchip_eoi(KvmAccel *a, uint8_t vector);

/* coalesced.c: writes that come together.  @cpu: any vCPU. */
void kvm_coalesced_init(KvmCoalesced *s, int vm_fd);
void kvm_coalesced_fini(KvmCoalesced *s);
void kvm_coalesced_drain(KvmCoalesced *s, Vcpu *cpu);

/* ioeventfd.c: writes that signal. */
void kvm_ioeventfds_init(KvmIoEventfds *s, int vm_fd, AddressSpace *as, bool pio);
void kvm_ioeventfds_fini(KvmIoEventfds *s);

/* debug.c: a debugger. */
void kvm_debug_changed(Accel *accel, Vcpu *cpu, const CpuWatchpoint *watch, unsigned n_watch);
bool kvm_debug_fits(Accel *accel, const vaddr *breakpoints, unsigned n_breakpoints, const CpuWatchpoint *watch, unsigned n_watch);
bool kvm_debug_put(Vcpu *cpu, Error **errp) MUST_USE;   /* before KVM runs the CPU */
bool kvm_debug_exit(Vcpu *cpu, const struct kvm_run *run);      /* false: the debugger asked for no such stop */

/* exits.c: what a run ended with.  BQL held.  False: the machine must stop (it was told why). */
bool kvm_handle_exit(KvmAccel *a, Vcpu *cpu, struct kvm_run *run);
const char *kvm_exit_name(unsigned reason);

#endif
