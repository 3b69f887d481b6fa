/*
 * What a run of a vCPU ended with.
 *
 * Reference: Linux Documentation/virt/kvm/api.rst, section 5, "The kvm_run structure".
 */
#include "kvm-internal.h"

#include "system/runstate.h"
#include "util/log.h"

static const char *const names[] = {
    "UNKNOWN", "EXCEPTION", "IO", "HYPERCALL", "DEBUG", "HLT", "MMIO", "IRQ_WINDOW_OPEN", "SHUTDOWN", "FAIL_ENTRY", "INTR",
    "SET_TPR", "TPR_ACCESS", "S390_SIEIC", "S390_RESET", "DCR", "NMI", "INTERNAL_ERROR", "OSI", "PAPR_HCALL", "S390_UCONTROL",
    "WATCHDOG", "S390_TSCH", "EPR", "SYSTEM_EVENT", "S390_STSI", "IOAPIC_EOI", "HYPERV", "ARM_NISV", "X86_RDMSR", "X86_WRMSR",
    "DIRTY_RING_FULL", "AP_RESET_HOLD", "X86_BUS_LOCK", "XEN",
};

const char *kvm_exit_name(unsigned reason)
{
    return reason < ARRAY_SIZE(names) ? names[reason] : "?";
}

static const MemTxAttrs by_cpu = { 0 };     /* a processor makes the access: its own APIC answers */

static void handle_io(struct kvm_run *run)
{
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
        address_space_rw(&address_space_io, run->io.port, by_cpu, data, run->io.size,
                         run->io.direction == KVM_EXIT_IO_OUT);
    }
}

static void handle_mmio(struct kvm_run *run)
{
    address_space_rw(&address_space_memory, run->mmio.phys_addr, by_cpu, run->mmio.data, run->mmio.len,
                     run->mmio.is_write);
}

/* KVM cannot go on: say where and with what, and stop. */
static bool give_up(Vcpu *cpu, const char *what)
{
    g_autofree char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (vcpu_info(cpu)->kvm->get(cpu, NULL) && vcpu_info(cpu)->dump_state) {
        vcpu_info(cpu)->dump_state(cpu, f, 0);
    }
    fclose(f);
    error_report("KVM: %s on CPU %u", what, cpu->index);
    fprintf(stderr, "%s", text);
    vm_stop_request(RUN_STATE_INTERNAL_ERROR);
    return false;
}

/* -d cpu_reset: what triple-faulted. */
static void log_shutdown(Vcpu *cpu)
{
    FILE *f = log_lock();

    fprintf(f, "CPU %u: triple fault\n", cpu->index);
    if (vcpu_info(cpu)->kvm->get(cpu, NULL)) {
        vcpu_info(cpu)->dump_state(cpu, f, 0);
    }
    log_unlock(f);
}

/* The instruction that was not emulated, and what follows it: how many bytes there are. */
static unsigned failed_bytes(Vcpu *cpu, const struct kvm_run *run, uint8_t bytes[static KVM_INSN_MAX])
{
    unsigned n = 0;

    if (run->internal.ndata >= 1 && run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) {
        n = MIN(run->emulation_failure.insn_size, KVM_INSN_MAX);
        memcpy(bytes, run->emulation_failure.insn_bytes, n);
    }
    return n;
}

static bool handle_emulation_failure(KvmAccel *a, Vcpu *cpu, const struct kvm_run *run)
{
    uint8_t bytes[KVM_INSN_MAX];
    unsigned n = failed_bytes(cpu, run, bytes);
    GString *what = g_string_new("internal error: emulation failed");
    g_autofree char *text = NULL;
    Error *err = NULL;

    if (a->assist.translator && kvm_assist(a, cpu, bytes, n, &err)) {
        g_string_free(what, TRUE);
        return true;
    }
    for (unsigned i = 0; i < n; i++) {
        g_string_append_printf(what, "%s%02x", i ? " " : " at bytes ", bytes[i]);
    }
    if (err) {
        g_string_append_printf(what, "; the translator cannot help: %s", error_get_pretty(err));
        error_free(err);
    }
    text = g_string_free(what, FALSE);
    return give_up(cpu, text);
}

static bool handle_internal_error(KvmAccel *a, Vcpu *cpu, const struct kvm_run *run)
{
    static const char *const suberrors[] = { "", "emulation failed", "simultaneous exceptions", "error while delivering an event",
                                             "unexpected exit reason" };
    uint32_t sub = run->internal.suberror;
    g_autofree char *text = g_strdup_printf("internal error: %s", sub < ARRAY_SIZE(suberrors) ? suberrors[sub] : "unknown");

    return sub == KVM_INTERNAL_ERROR_EMULATION ? handle_emulation_failure(a, cpu, run) : give_up(cpu, text);
}

bool kvm_handle_exit(KvmAccel *a, Vcpu *cpu, struct kvm_run *run)
{
    g_autofree char *text = NULL;

    __atomic_fetch_add(&a->exits[MIN(run->exit_reason, KVM_EXIT_COUNTS - 1)], 1, __ATOMIC_RELAXED);
    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        handle_io(run);
        return true;
    case KVM_EXIT_MMIO:
        handle_mmio(run);
        return true;
    case KVM_EXIT_HLT:
        vcpu_info(cpu)->kvm->halted(cpu, run);
        return true;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_INTR:
    case KVM_EXIT_SET_TPR:
        return true;
    case KVM_EXIT_IOAPIC_EOI:
        kvm_irqchip_eoi(a, run->eoi.vector);
        return true;
    case KVM_EXIT_DEBUG:
        return kvm_debug_exit(cpu, run) || give_up(cpu, "a debug exit that nobody asked for");
    case KVM_EXIT_SHUTDOWN:
        if (log_enabled(LOG_CPU_RESET)) {
            log_shutdown(cpu);
        }
        system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);       /* a triple fault */
        return false;
    case KVM_EXIT_FAIL_ENTRY:
        text = g_strdup_printf("the hardware refuses to enter the guest, reason 0x%llx",
                               (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
        return give_up(cpu, text);
    case KVM_EXIT_INTERNAL_ERROR:
        return handle_internal_error(a, cpu, run);
    default:
        text = g_strdup_printf("unexpected exit %u (%s)", run->exit_reason, kvm_exit_name(run->exit_reason));
        return give_up(cpu, text);
    }
}

bool kvm_native_other_exit(Vcpu *cpu, struct kvm_run *run)
{
    return kvm_handle_exit(KVM_ACCEL(current_accel()), cpu, run);
}
