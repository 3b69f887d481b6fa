/*
 * What a guest architecture gives to the KVM accelerator.
 */
#ifndef ACCEL_KVM_CPU_OPS_H
#define ACCEL_KVM_CPU_OPS_H

#include "hw/core/cpu.h"

#include <linux/kvm.h>

/* Why user mode came back from the kernel; for `info kvm`. */
typedef struct KvmNativeCounts {
    uint64_t stays, runs, system_calls, exceptions, pages, restarts, recycles, ns;
} KvmNativeCounts;

/*
 * A CPU's state is in its object while its thread is outside cpu_exec, and in the kernel while it is
 * inside: .put moves it in, .get moves it out.  All are called on the CPU's thread with the BQL held.
 */
struct KvmCpuOps {
    bool (*put)(Vcpu *cpu, Error **errp);
    bool (*get)(Vcpu *cpu, Error **errp);
    /* Requests that the object handles (INIT, SIPI ...): true if the state must be out for them. */
    bool (*needs_state)(Vcpu *cpu, uint32_t request);
    void (*handle_requests)(Vcpu *cpu, uint32_t request);       /* state is out */
    /* Before and after each run: interrupts to inject, what the run structure shares. */
    void (*pre_run)(Vcpu *cpu, struct kvm_run *run);
    void (*post_run)(Vcpu *cpu, struct kvm_run *run);
    /* The run ended at a halt: set Vcpu.halted unless there is something to do. */
    void (*halted)(Vcpu *cpu, const struct kvm_run *run);
    /* A halted CPU was kicked, its state is out: does what came end the halt?  Forgets what does not. */
    bool (*wakes)(Vcpu *cpu);
    /* State is out after KVM failed to emulate an instruction: forget the exception it made of that. */
    void (*emulation_failed)(Vcpu *cpu);
    /* A number that instructions of one kind share, by their @n bytes. */
    uint32_t (*insn_kind)(Vcpu *cpu, const uint8_t *bytes, unsigned n);

    /*
     * Debugging by the kernel: can the processor have these, and take them over (cpu->breakpoints, cpu->singlestep and the
     * watchpoints); a run that ended by one of them: set cpu->debug_stop and .watch_hit.  NULL: it cannot.
     */
    bool (*debug_fits)(const vaddr *breakpoints, unsigned n_breakpoints, const CpuWatchpoint *watch, unsigned n_watch);
    bool (*debug_put)(Vcpu *cpu, const CpuWatchpoint *watch, unsigned n_watch, Error **errp);
    bool (*debug_exit)(Vcpu *cpu, const struct kvm_run *run, const CpuWatchpoint *watch, unsigned n_watch);

    /* Tried where it is in doubt: do the kernel's interrupt controllers do what they are for?  NULL: there are none. */
    bool (*irqchip_works)(int kvm_fd);

    /*
     * Where the kernel runs the guest's user mode well and its kernel mode badly, the translator runs the guest and hands
     * over its user mode (native.c).  The state is in the object all the time then, but for .native_run.
     */
    bool (*native_possible)(int kvm_fd);        /* is this host's KVM one to do so with?  NULL: nowhere */
    bool (*native_ready)(Vcpu *cpu);    /* in user mode, with nothing special going on; no BQL */
    uint64_t (*native_epoch)(Vcpu *cpu);        /* changes whenever user mode is left */
    void (*native_eager)(Vcpu *cpu, bool eager);        /* leave translated code whenever user mode is entered */
    /* What that takes for a CPU, at most and now: bytes of memory, and of the memory slot in which they are seen. */
    uint64_t native_bytes, native_slot_bytes;
    bool (*native_present)(Vcpu *cpu);  /* it takes it; else it takes nothing yet */
    /* The machine is about to run, for the @nth time: guest time goes on from here, the host's counters did all the while. */
    void (*native_resumed)(Vcpu *cpu, uint64_t nth);
    /* Run user mode in the kernel until it ends.  False: the machine was told to stop.  BQL, dropped meanwhile. */
    bool (*native_run)(Vcpu *cpu, struct kvm_run *run, KvmNativeCounts *counts);
};

/* ioctl on the CPU's vCPU: the result, or -errno. */
int kvm_vcpu_ioctl(Vcpu *cpu, unsigned long request, void *arg);
/* The same on the VM and on /dev/kvm; only while the accelerator is KVM. */
int kvm_vm_ioctl(unsigned long request, void *arg);
int kvm_ioctl(unsigned long request, void *arg);
/* A borrowed descriptor. */
int kvm_vcpu_fd(Vcpu *cpu);
/*
 * What the kernel lets nobody change once the vCPU ran, as the architecture gave it; NULL at first.  It outlives the CPU, as
 * the kernel's vCPU does: one that is plugged in its place finds it.
 */
GBytes **kvm_vcpu_fixed(Vcpu *cpu);
/* KVM_CHECK_EXTENSION of the VM: 0 = absent. */
int kvm_check_extension(int cap);
bool kvm_enabled(void);

/* Does the translator run the guest, and the kernel its user mode? */
bool kvm_native(void);
/*
 * A memory slot for @host, @size bytes, that belongs to no guest memory: at an address below @limit where nothing lies.
 * 0 and an error if there is none.  BQL.
 */
hwaddr kvm_private_memory_add(void *host, uint64_t size, hwaddr limit, Error **errp);
/* Make the kernel forget what it knows by that slot, and much else.  Takes milliseconds. */
bool kvm_private_memory_renew(hwaddr start, Error **errp) MUST_USE;
void kvm_private_memory_remove(hwaddr start);
bool kvm_private_memory_overlaps(hwaddr start, uint64_t size);
/* What a run ended with, if it is none of .native_run's business.  BQL.  False: the machine must stop. */
bool kvm_native_other_exit(Vcpu *cpu, struct kvm_run *run);

#endif
