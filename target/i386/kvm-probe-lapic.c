/*
 * Does the local APIC in this host's kernel keep an interrupt in service until its end?
 *
 * Some kernels that interpret a guest's kernel mode end it as they deliver it: its bit never shows in ISR, interrupts of the
 * same class are not held back, and level-triggered ones come once more.  A scratch virtual machine with one CPU, in real
 * mode, takes one interrupt; its handler does a port access, and ISR is looked at.
 */
#include "target/i386/kvm.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY      (64 * KiB)
#define VECTOR      0x40
#define CODE        0x1000u
#define HANDLER     0x2000u
#define STACK       0x8000u
#define APIC_SVR    0xf0
#define APIC_ISR    (0x100 + VECTOR / 32 * 16)
#define TRIES       100         /* runs that a signal ended */

typedef struct LapicProbe {
    int vm, cpu;
    uint8_t *memory;
    struct kvm_run *run;
    size_t run_size;
} LapicProbe;

static bool set_registers(const LapicProbe *p)
{
    struct kvm_regs regs = { .rip = CODE, .rsp = STACK, .rflags = 2 };
    struct kvm_lapic_state lapic;
    struct kvm_sregs s;

    if (ioctl(p->cpu, KVM_GET_SREGS, &s) < 0 || ioctl(p->cpu, KVM_GET_LAPIC, &lapic) < 0) {
        return false;
    }
    s.cs.base = s.cs.selector = 0;
    st32_le((uint8_t *)lapic.regs + APIC_SVR, 0x1ff);
    return ioctl(p->cpu, KVM_SET_SREGS, &s) >= 0 && ioctl(p->cpu, KVM_SET_REGS, &regs) >= 0 &&
        ioctl(p->cpu, KVM_SET_LAPIC, &lapic) >= 0;
}

static bool make(LapicProbe *p, int kvm_fd)
{
    static const uint8_t code[] = { 0xfb, 0x90, 0xeb, 0xfe };           /* sti; nop; 1: jmp 1b */
    static const uint8_t handler[] = { 0xe6, 0x10, 0xf4 };              /* out 0x10, al; hlt */
    struct kvm_userspace_memory_region slot = { .memory_size = MEMORY };

    p->vm = ioctl(kvm_fd, KVM_CREATE_VM, 0);
    if (p->vm < 0 || ioctl(p->vm, KVM_CREATE_IRQCHIP, 0) < 0) {
        return false;
    }
    p->cpu = ioctl(p->vm, KVM_CREATE_VCPU, 0);
    p->run_size = (size_t)ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    p->run = p->cpu < 0 ? MAP_FAILED : mmap(NULL, p->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, p->cpu, 0);
    p->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p->run == MAP_FAILED || p->memory == MAP_FAILED) {
        return false;
    }
    memcpy(p->memory + CODE, code, sizeof(code));
    memcpy(p->memory + HANDLER, handler, sizeof(handler));
    st16_le(p->memory + VECTOR * 4, HANDLER);
    slot.userspace_addr = (uintptr_t)p->memory;
    return ioctl(p->vm, KVM_SET_USER_MEMORY_REGION, &slot) == 0 && set_registers(p);
}

/* Until the handler's port access. */
static bool run_to_handler(const LapicProbe *p)
{
    struct kvm_msi msi = { .address_lo = 0xfee00000, .data = VECTOR };
    unsigned tries = 0;

    if (ioctl(p->vm, KVM_SIGNAL_MSI, &msi) <= 0) {
        return false;
    }
    while (ioctl(p->cpu, KVM_RUN, 0) < 0) {
        if ((errno != EINTR && errno != EAGAIN) || ++tries == TRIES) {
            return false;
        }
    }
    return p->run->exit_reason == KVM_EXIT_IO;
}

static bool is_in_service(const LapicProbe *p)
{
    struct kvm_lapic_state lapic;

    return ioctl(p->cpu, KVM_GET_LAPIC, &lapic) >= 0 && ld32_le((uint8_t *)lapic.regs + APIC_ISR) >> (VECTOR % 32) & 1;
}

static void destroy(LapicProbe *p)
{
    if (p->run != MAP_FAILED) {
        munmap(p->run, p->run_size);
    }
    if (p->cpu >= 0) {
        close(p->cpu);
    }
    if (p->vm >= 0) {
        close(p->vm);
    }
    if (p->memory != MAP_FAILED) {
        munmap(p->memory, MEMORY);
    }
}

bool x86_kvm_probe_lapic(int kvm_fd)
{
    LapicProbe p = { .vm = -1, .cpu = -1, .run = MAP_FAILED, .memory = MAP_FAILED };
    bool ok = make(&p, kvm_fd) && run_to_handler(&p) && is_in_service(&p);

    destroy(&p);
    return ok;
}
