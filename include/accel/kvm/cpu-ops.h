/*
 * What a guest architecture gives to the KVM accelerator.
 */
#ifndef ACCEL_KVM_CPU_OPS_H
#define ACCEL_KVM_CPU_OPS_H

#include "hw/core/cpu.h"

#include <linux/kvm.h>

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
};

/* ioctl on the CPU's vCPU: the result, or -errno. */
int kvm_vcpu_ioctl(Vcpu *cpu, unsigned long request, void *arg);
/* The same on the VM and on /dev/kvm; only while the accelerator is KVM. */
int kvm_vm_ioctl(unsigned long request, void *arg);
int kvm_ioctl(unsigned long request, void *arg);
/* KVM_CHECK_EXTENSION of the VM: 0 = absent. */
int kvm_check_extension(int cap);
bool kvm_enabled(void);

#endif
