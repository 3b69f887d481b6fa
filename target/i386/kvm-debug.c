/*
 * A debugger's breakpoints, watchpoints and steps in a guest that KVM runs: by the processor's debug registers, which the
 * guest does not have meanwhile.
 *
 * Reference: SDM Vol.3 17.2; Linux Documentation/virt/kvm/api.rst, KVM_SET_GUEST_DEBUG.
 */
#include "target/i386/kvm.h"

#include "util/error.h"

#define SLOTS           4
#define DR6_BS          BIT(14)
#define DR7_LE_GE       0x700u          /* bit 10 reads as 1 */

enum { RW_EXEC = 0, RW_WRITE = 1, RW_ACCESS = 3 };

typedef struct DebugSlots {
    unsigned n;
    bool too_many;
    uint64_t va[SLOTS], dr7;
    int watch[SLOTS];           /* the watchpoint that a slot is part of; -1 = a breakpoint */
} DebugSlots;

static void slot_add(DebugSlots *d, uint64_t va, unsigned rw, unsigned len, int watch)
{
    static const uint8_t len_bits[] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };

    if (d->n == SLOTS) {
        d->too_many = true;
        return;
    }
    d->va[d->n] = va;
    d->watch[d->n] = watch;
    d->dr7 |= 2ull << 2 * d->n | (uint64_t)(rw | (unsigned)len_bits[len] << 2) << (16 + 4 * d->n);
    d->n++;
}

/* Slots are of 1, 2, 4 or 8 bytes, aligned. */
static void watch_add(DebugSlots *d, const CpuWatchpoint *w, int n)
{
    uint64_t va = w->va, left = w->len;

    while (left && !d->too_many) {
        unsigned len = 8;

        while (len > left || va & (len - 1)) {
            len /= 2;
        }
        slot_add(d, va, w->on_read ? RW_ACCESS : RW_WRITE, len, n);
        va += len;
        left -= len;
    }
}

static DebugSlots slots_for(const vaddr *breakpoints, unsigned n_breakpoints, const CpuWatchpoint *watch, unsigned n_watch)
{
    DebugSlots d = { .dr7 = DR7_LE_GE };

    for (unsigned i = 0; i < n_breakpoints && !d.too_many; i++) {
        bool twice = false;

        for (unsigned k = 0; k < i; k++) {
            twice |= breakpoints[k] == breakpoints[i];
        }
        if (!twice) {
            slot_add(&d, breakpoints[i], RW_EXEC, 1, -1);
        }
    }
    for (unsigned i = 0; i < n_watch && !d.too_many; i++) {
        watch_add(&d, &watch[i], (int)i);
    }
    return d;
}

/* A step does not stop at a breakpoint where it begins. */
static DebugSlots slots_of(Vcpu *cpu, const CpuWatchpoint *watch, unsigned n_watch)
{
    const GArray *b = cpu->breakpoints;

    return slots_for((const vaddr *)b->data, cpu->singlestep ? 0 : b->len, watch, n_watch);
}

bool x86_kvm_debug_fits(const vaddr *breakpoints, unsigned n_breakpoints, const CpuWatchpoint *watch, unsigned n_watch)
{
    return !slots_for(breakpoints, n_breakpoints, watch, n_watch).too_many;
}

bool x86_kvm_debug_put(Vcpu *cpu, const CpuWatchpoint *watch, unsigned n_watch, Error **errp)
{
    const DebugSlots d = slots_of(cpu, watch, n_watch);
    struct kvm_guest_debug k = { 0 };
    int result;

    k.control |= d.n ? KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP : 0;
    k.control |= cpu->singlestep ? KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP : 0;
    if (cpu->singlestep & SSTEP_NOIRQ) {
        k.control |= (uint32_t)kvm_check_extension(KVM_CAP_SET_GUEST_DEBUG2) & KVM_GUESTDBG_BLOCKIRQ;
    }
    for (unsigned i = 0; i < d.n; i++) {
        k.arch.debugreg[i] = d.va[i];
    }
    k.arch.debugreg[7] = d.dr7;
    result = kvm_vcpu_ioctl(cpu, KVM_SET_GUEST_DEBUG, &k);
    if (result < 0) {
        error_setg_errno(errp, -result, "KVM takes no breakpoints");
        return false;
    }
    return true;
}

bool x86_kvm_debug_exit(Vcpu *cpu, const struct kvm_run *run, const CpuWatchpoint *watch, unsigned n_watch)
{
    const DebugSlots d = slots_of(cpu, watch, n_watch);
    uint64_t dr6 = run->debug.arch.dr6;

    for (unsigned i = 0; i < d.n; i++) {
        if (dr6 >> i & 1 && d.watch[i] >= 0) {
            cpu->watch_hit = watch[d.watch[i]];
            cpu->debug_stop = DEBUG_STOP_WATCHPOINT;
            return true;
        }
        if (dr6 >> i & 1) {
            cpu->debug_stop = DEBUG_STOP_BREAKPOINT;
            return true;
        }
    }
    if (dr6 & DR6_BS || cpu->singlestep) {
        cpu->debug_stop = DEBUG_STOP_STEP;
        return true;
    }
    return false;
}
