/*
 * A debugger: its breakpoints and watchpoints, and steps.
 *
 * Where KVM runs the guest, the processor's debug registers serve; they are few.  Where the translator runs it, so does
 * it here: user mode with breakpoints is not handed over (native.c).
 *
 * Locks: BQL.
 */
#include "kvm-internal.h"

bool kvm_debug_fits(Accel *accel, const vaddr *breakpoints, unsigned n_breakpoints, const CpuWatchpoint *watch, unsigned n_watch)
{
    const Vcpu *cpu = cpu_at(0);

    return KVM_ACCEL(accel)->native || !cpu || vcpu_info(cpu)->kvm->debug_fits(breakpoints, n_breakpoints, watch, n_watch);
}

void kvm_debug_changed(Accel *accel, Vcpu *cpu, const CpuWatchpoint *watch, unsigned n_watch)
{
    Accel *translator = KVM_ACCEL(accel)->assist.translator;

    if (cpu->kvm->native) {
        accel_info(translator)->cpu_debug_changed(translator, cpu, watch, n_watch);
        return;
    }
    cpu->kvm->n_watch = MIN(n_watch, CPU_WATCHPOINTS_MAX);
    memcpy(cpu->kvm->watch, watch, cpu->kvm->n_watch * sizeof(watch[0]));
}

bool kvm_debug_put(Vcpu *cpu, Error **errp)
{
    KvmVcpu *k = cpu->kvm;
    bool wanted = cpu->singlestep || cpu->breakpoints->len || k->n_watch;

    if (!wanted && !k->debugging) {
        return true;
    }
    k->debugging = wanted;
    return vcpu_info(cpu)->kvm->debug_put(cpu, k->watch, k->n_watch, errp);
}

bool kvm_debug_exit(Vcpu *cpu, const struct kvm_run *run)
{
    if (!vcpu_info(cpu)->kvm->debug_exit(cpu, run, cpu->kvm->watch, cpu->kvm->n_watch)) {
        return false;
    }
    cpu->exception_index = EXCP_DEBUG;
    return true;
}
