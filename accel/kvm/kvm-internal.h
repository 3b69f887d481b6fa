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

/* Memory slots follow the flat view of one address space.  BQL. */
typedef struct KvmSlots {
    MemoryListener listener;
    int vm_fd;
    KvmSlot *slot;
    unsigned n, used, peak;
    uint64_t updates;           /* calls of KVM_SET_USER_MEMORY_REGION */
} KvmSlots;

void kvm_slots_init(KvmSlots *s, int vm_fd, unsigned n_slots);
void kvm_slots_fini(KvmSlots *s);

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

typedef struct KvmAccel {
    Accel parent;

    /* constant after start */
    int fd, vm_fd;
    uint32_t run_size;
    KvmSlots slots;
    bool assist_on;             /* property */
    int irqchip;                /* property: KvmIrqchip */
    bool shadow_paging;         /* the estimate's assumption */
    bool started;

    GArray *parked;             /* of ParkedVcpu: of CPUs that were unplugged; BQL */
    MemoryAccount slots_account;
    KvmAssist assist;           /* BQL */

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
};

/* accounts.c: what the kernel keeps for slots. */
void kvm_accounts_add(KvmAccel *a);
void kvm_accounts_remove(KvmAccel *a);

/* assist.c: the translator executes what KVM cannot. */
bool kvm_assist_start(KvmAccel *a);
void kvm_assist_fini(KvmAccel *a);
/* The instruction at the vCPU's pc begins with @bytes.  False: the state cannot be moved. */
bool kvm_assist(KvmAccel *a, Vcpu *cpu, const uint8_t *bytes, unsigned n, Error **errp) MUST_USE;
void kvm_assist_info(const KvmAccel *a, FILE *f);

/* exits.c: what a run ended with.  BQL held.  False: the machine must stop (it was told why). */
bool kvm_handle_exit(KvmAccel *a, Vcpu *cpu, struct kvm_run *run);
const char *kvm_exit_name(unsigned reason);

#endif
