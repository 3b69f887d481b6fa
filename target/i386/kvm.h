/*
 * x86 CPUs under KVM.
 */
#ifndef TARGET_I386_KVM_H
#define TARGET_I386_KVM_H

#include "target/i386/cpu-internal.h"

extern const KvmCpuOps x86_kvm_ops;

/* What the host's KVM lets a guest have of a feature word.  Only under KVM. */
uint64_t x86_kvm_features(FeatureWord w);
/* The CPU's features and topology are known: tell the kernel.  The vCPU exists. */
bool x86_kvm_realize(X86CPU *cpu, Error **errp) MUST_USE;
void x86_kvm_unrealize(X86CPU *cpu);
/* The guest's TSC frequency; 0 = the kernel does not tell. */
uint64_t x86_kvm_tsc_hz(Vcpu *cpu);

#endif
