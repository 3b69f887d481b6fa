/*
 * x86 CPUs under KVM.
 */
#ifndef TARGET_I386_KVM_H
#define TARGET_I386_KVM_H

#include "accel/kvm/cpu-ops.h"
#include "target/i386/cpu-internal.h"

extern const KvmCpuOps x86_kvm_ops;

/* What the host's KVM lets a guest have of a feature word.  Only under KVM. */
uint64_t x86_kvm_features(FeatureWord w);
/* The CPU's features and topology are known: tell the kernel.  The vCPU exists. */
bool x86_kvm_realize(X86CPU *cpu, Error **errp) MUST_USE;
void x86_kvm_unrealize(X86CPU *cpu);
/* The object was reset: what it does not know of is, too. */
void x86_kvm_reset(X86CPU *cpu);
/* The guest's TSC frequency; 0 = the kernel does not tell. */
uint64_t x86_kvm_tsc_hz(Vcpu *cpu);
uint64_t x86_kvm_read_tsc(Vcpu *cpu);

/* --- between the object and the kernel's structures (kvm.c) --- */

#define X86_KVM_XSAVE_SIZE 4096
void x86_kvm_put_segment(struct kvm_segment *k, const SegmentCache *s, bool vm86);
void x86_kvm_get_segment(SegmentCache *s, const struct kvm_segment *k);
void x86_kvm_put_regs(struct kvm_regs *k, CPUX86State *env);
void x86_kvm_get_regs(CPUX86State *env, const struct kvm_regs *k);
/* @image: X86_KVM_XSAVE_SIZE bytes as KVM_SET_XSAVE has them; components that the object does not know stay. */
void x86_kvm_pack_xsave(CPUX86State *env, uint8_t *image);
void x86_kvm_unpack_xsave(CPUX86State *env, const uint8_t *image);

/* --- a debugger (kvm-debug.c) --- */

bool x86_kvm_debug_fits(const vaddr *breakpoints, unsigned n_breakpoints, const CpuWatchpoint *watch, unsigned n_watch);
bool x86_kvm_debug_put(Vcpu *cpu, const CpuWatchpoint *watch, unsigned n_watch, Error **errp);
bool x86_kvm_debug_exit(Vcpu *cpu, const struct kvm_run *run, const CpuWatchpoint *watch, unsigned n_watch);

/* --- user mode in KVM, all else in the translator (kvm-native.c) --- */

bool x86_kvm_native_ready(Vcpu *cpu);
uint64_t x86_kvm_native_epoch(Vcpu *cpu);
void x86_kvm_native_eager(Vcpu *cpu, bool eager);
bool x86_kvm_native_run(Vcpu *cpu, struct kvm_run *run, KvmNativeCounts *counts);
bool x86_kvm_native_present(Vcpu *cpu);
void x86_kvm_native_resumed(Vcpu *cpu, uint64_t nth);
void x86_kvm_native_free(X86CPU *x);
/* What the TSC read at guest time @ns; the same pair for all CPUs, since the machine was last started. */
void x86_kvm_clock_base(uint64_t *tsc, int64_t *ns);

/* Where system calls of user mode lead: an address that is never mapped. */
#define X86_KVM_FAKE_ENTRY 0xfffffffffe000000ull
/* The state of a 64-bit user program in @k, all of it but CR3; exceptions find no handler. */
void x86_kvm_user_sregs(struct kvm_sregs *k);
/* The MSRs of the same, by ioctl on @fd.  -errno. */
int x86_kvm_user_msrs(int fd);
/* Does this host's KVM interpret the guest's kernel mode, and report what user mode does as kvm-native.c needs it? */
bool x86_kvm_probe(int kvm_fd);
/* Does the local APIC in its kernel work as one?  (kvm-probe-lapic.c) */
bool x86_kvm_probe_lapic(int kvm_fd);

#endif
