/*
 * KVM: what the accelerator's files share.
 */
#ifndef ACCEL_KVM_INTERNAL_H
#define ACCEL_KVM_INTERNAL_H

#include "accel/kvm/cpu-ops.h"
#include "system/memory.h"

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

enum { KVM_EXIT_COUNTS = 64 };

typedef struct KvmAccel {
    Accel parent;

    /* constant after start */
    int fd, vm_fd;
    uint32_t run_size;
    KvmSlots slots;
    int irqchip;                /* property: KvmIrqchip */
    bool started;

    GArray *parked;             /* of ParkedVcpu: of CPUs that were unplugged; BQL */

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

/* exits.c: what a run ended with.  BQL held.  False: the machine must stop (it was told why). */
bool kvm_handle_exit(KvmAccel *a, Vcpu *cpu, struct kvm_run *run);
const char *kvm_exit_name(unsigned reason);

#endif
