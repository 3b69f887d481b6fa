/*
 * What this host's KVM does with a guest's user and kernel mode: tried, not assumed.
 *
 * A scratch virtual machine with one CPU and a few pages runs a loop in kernel mode, to see whether it is interpreted,
 * and in user mode each thing that kvm-native.c has to tell apart.
 */
#include "target/i386/kvm.h"

#include "target/i386/segment.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MEMORY          (64 * KiB)
#define BASE            0x100000000ull  /* of the memory in guest physical addresses: root at its start */
#define CODE            0x400000ull     /* linear, of the page at offset 0x4000 */
#define ABSENT          0x401000ull     /* linear; becomes the page at 0x5000 */
#define MAX_CPUID       256

/* Kernel mode that is run natively does this many instructions in microseconds. */
#define LOOPS           4000
#define INTERPRETED_NS  400000
#define TRIES           3

typedef struct Probe {
    int vm, cpu;
    uint8_t *memory;
    struct kvm_run *run;
    size_t run_size;
} Probe;

/* Programs at these offsets of the code page. */
enum { AT_LOOP = 0, AT_LOAD = 0x40, AT_SYSCALL = 0x80, AT_INT3 = 0xc0, AT_RDTSC = 0x100 };

static void write_programs(Probe *p)
{
    static const uint8_t loop[] = { 0xff, 0xc9, 0x75, 0xfc, 0xf4 };             /* dec ecx; jnz; hlt */
    static const uint8_t load[] = { 0x48, 0x8b, 0x03, 0x0f, 0x05 };             /* mov rax, [rbx]; syscall */
    static const uint8_t int3[] = { 0x90, 0xcc };
    static const uint8_t rdtsc[] = { 0x0f, 0x31, 0x0f, 0x05 };                  /* rdtsc; syscall */
    uint8_t *code = p->memory + 0x4000;

    memcpy(code + AT_LOOP, loop, sizeof(loop));
    memcpy(code + AT_LOAD, load, sizeof(load));
    memcpy(code + AT_SYSCALL, load + 3, 2);
    memcpy(code + AT_INT3, int3, sizeof(int3));
    memcpy(code + AT_RDTSC, rdtsc, sizeof(rdtsc));
}

static void write_tables(Probe *p)
{
    uint64_t *table = (uint64_t *)p->memory;

    table[0] = (BASE + 0x1000) | 0x27;
    table[512] = (BASE + 0x2000) | 0x27;
    table[1024 + (CODE >> 21)] = (BASE + 0x3000) | 0x27;
    table[1536] = (BASE + 0x4000) | 0x25;
}

static bool set_cpuid(Probe *p, int kvm_fd)
{
    g_autofree struct kvm_cpuid2 *list = g_malloc0(sizeof(*list) + MAX_CPUID * sizeof(list->entries[0]));

    list->nent = MAX_CPUID;
    return ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, list) == 0 && ioctl(p->cpu, KVM_SET_CPUID2, list) == 0;
}

static bool make(Probe *p, int kvm_fd)
{
    struct kvm_userspace_memory_region slot = { .guest_phys_addr = BASE, .memory_size = MEMORY };

    p->vm = ioctl(kvm_fd, KVM_CREATE_VM, 0);
    p->cpu = p->vm < 0 ? -1 : ioctl(p->vm, KVM_CREATE_VCPU, 0);
    p->run_size = (size_t)ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    p->run = p->cpu < 0 ? MAP_FAILED : mmap(NULL, p->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, p->cpu, 0);
    p->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p->run == MAP_FAILED || p->memory == MAP_FAILED || !set_cpuid(p, kvm_fd)) {
        return false;
    }
    write_programs(p);
    write_tables(p);
    slot.userspace_addr = (uintptr_t)p->memory;
    return ioctl(p->vm, KVM_SET_USER_MEMORY_REGION, &slot) == 0 && x86_kvm_user_msrs(p->cpu) == 0;
}

static void destroy(Probe *p)
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

static void segments(struct kvm_sregs *s, unsigned cpl)
{
    struct kvm_segment data = { .limit = UINT32_MAX, .selector = cpl ? 0x2b : 0x18, .type = 3, .present = 1, .dpl = (uint8_t)cpl,
                                .db = 1, .s = 1, .g = 1 };

    s->ds = s->es = s->fs = s->gs = s->ss = data;
    s->cs = (struct kvm_segment){ .limit = UINT32_MAX, .selector = cpl ? 0x33 : 0x10, .type = 11, .present = 1,
                                  .dpl = (uint8_t)cpl, .s = 1, .l = 1, .g = 1 };
}

/* Run what is at @offset; the exit's reason, or -1. */
static int run_at(Probe *p, unsigned offset, unsigned cpl, uint64_t rcx)
{
    struct kvm_sregs *s = &p->run->s.regs.sregs;

    if (ioctl(p->cpu, KVM_GET_SREGS, s) < 0) {
        return -1;
    }
    x86_kvm_user_sregs(s);
    segments(s, cpl);
    s->cr3 = BASE;
    p->run->s.regs.regs = (struct kvm_regs){ .rip = CODE + offset, .rflags = IF_MASK | 2, .rcx = rcx, .rbx = ABSENT };
    memset(&p->run->s.regs.events, 0, sizeof(p->run->s.regs.events));
    p->run->kvm_valid_regs = p->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
    while (ioctl(p->cpu, KVM_RUN, 0) < 0) {
        if (errno != EINTR && errno != EAGAIN) {
            return -1;
        }
    }
    return (int)p->run->exit_reason;
}

static int64_t cpu_time_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* The least of some tries, of this thread's own time: the host may be busy.  -1: it does not run. */
static int64_t timed_loop(Probe *p, uint64_t n)
{
    int64_t best = INT64_MAX;

    for (unsigned i = 0; i < TRIES; i++) {
        int64_t start = cpu_time_ns();

        if (run_at(p, AT_LOOP, 0, n) != KVM_EXIT_HLT) {
            return -1;
        }
        best = MIN(best, cpu_time_ns() - start);
    }
    return best;
}

static bool is_interpreted(Probe *p)
{
    int64_t one = timed_loop(p, 1), many = timed_loop(p, LOOPS);

    return one >= 0 && many - one > INTERPRETED_NS;
}

static bool is_system_call(const Probe *p, unsigned offset)
{
    const struct kvm_regs *r = &p->run->s.regs.regs;

    return p->run->exit_reason == KVM_EXIT_SHUTDOWN && r->rip == X86_KVM_FAKE_ENTRY && r->rcx == CODE + offset + 2 &&
        (r->r11 & ~(uint64_t)RF_MASK) == (IF_MASK | 2);
}

static bool reports_page_faults(Probe *p)
{
    const struct kvm_vcpu_events *e = &p->run->s.regs.events;

    return run_at(p, AT_LOAD, 3, 0) == KVM_EXIT_SHUTDOWN && p->run->s.regs.regs.rip == CODE + AT_LOAD &&
        e->exception.nr == EXCP0E_PAGE && e->exception.error_code == 4 && p->run->s.regs.sregs.cr2 == ABSENT;
}

/* An entry that becomes present is seen. */
static bool sees_new_pages(Probe *p)
{
    ((uint64_t *)p->memory)[1537] = (BASE + 0x5000) | 0x67;
    p->memory[0x5000] = 0x5a;
    return run_at(p, AT_LOAD, 3, 0) >= 0 && is_system_call(p, AT_LOAD + 3) && p->run->s.regs.regs.rax == 0x5a;
}

static bool reports_breakpoints(Probe *p)
{
    return run_at(p, AT_INT3, 3, 0) == KVM_EXIT_SHUTDOWN && p->run->s.regs.events.exception.nr == EXCP03_INT3 &&
        p->run->s.regs.regs.rip == CODE + AT_INT3 + 2;
}

static bool has_host_tsc(Probe *p)
{
    uint64_t before = __builtin_ia32_rdtsc(), tsc;
    const struct kvm_regs *r = &p->run->s.regs.regs;

    if (run_at(p, AT_RDTSC, 3, 0) < 0 || !is_system_call(p, AT_RDTSC + 2)) {
        return false;
    }
    tsc = r->rdx << 32 | (uint32_t)r->rax;
    return tsc - before < __builtin_ia32_rdtsc() - before;
}

bool x86_kvm_probe(int kvm_fd)
{
    Probe p = { .vm = -1, .cpu = -1, .run = MAP_FAILED, .memory = MAP_FAILED };
    bool ok = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS) > 0 && make(&p, kvm_fd) && is_interpreted(&p) &&
        reports_page_faults(&p) && sees_new_pages(&p) && run_at(&p, AT_SYSCALL, 3, 0) >= 0 && is_system_call(&p, AT_SYSCALL) &&
        reports_breakpoints(&p) && has_host_tsc(&p);

    destroy(&p);
    return ok;
}
