/*
 * Runs an instruction form on the host CPU, with all registers given and taken.
 *
 * The stub loads the registers of Area.in and jumps into the hole; the way back behind that leads to its
 * second half, which stores them to Area.out.  Exceptions come as signals; the handler takes the
 * registers from the signal frame.
 */
#include <asm/ldt.h>
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "isa.h"

/* Behind the stub, reached RIP-relative from it. */
typedef struct Area {
    IsaState in, out;
    IsaFx host_fx;
    uint64_t host_rsp;
    struct { uint32_t offset; uint16_t selector; } entry;
    uint16_t data_selector;
    uint16_t no_selector;       /* 0: DS and ES of the host's 64-bit code */
    uint16_t host_ss;
} Area;

#define STUB_SIZE 4096
#define STUB_END  2048          /* in it: where the code under test comes back to */

static Area *area;
static uint8_t *stub, *code, *p;
static IsaMode mode;
static bool has_ldt, has_avx;
static sigjmp_buf back;
static volatile sig_atomic_t inside;    /* the code under test runs */
static unsigned runs, runs_at_tick;
static void (*tick_outside)(void);

static void put(const void *bytes, unsigned n)
{
    memcpy(p, bytes, n);
    p += n;
}

#define PUT(...) put((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* rel32 to @target, at the end of an instruction. */
static void put_rel(const void *target)
{
    int32_t rel = (const uint8_t *)target - (p + 4);

    put(&rel, 4);
}

/* mov r, [rip + x] (@opcode 8b) or mov [rip + x], r (89) */
static void put_mov(uint8_t opcode, unsigned reg, const void *target)
{
    PUT(0x48 | (reg >> 3) << 2, opcode, 0x05 | (reg & 7) << 3);
    put_rel(target);
}

/* fxsave64 (/0) or fxrstor64 (/1) [rip + x] */
static void put_fx(unsigned digit, const void *target)
{
    PUT(0x48, 0x0f, 0xae, 0x05 | digit << 3);
    put_rel(target);
}

/* vinsertf128 ymmN, ymmN, [rip + x], 1; vextractf128 [rip + x], ymmN, 1 */
static void put_ymmh(bool load, unsigned n, const void *target)
{
    PUT(0xc4, (n & 8 ? 0x63 : 0xe3), load ? (~n & 15) << 3 | 5 : 0x7d, load ? 0x18 : 0x19, 0x05 | (n & 7) << 3);
    {
        int32_t rel = (const uint8_t *)target - (p + 5);
        put(&rel, 4);
    }
    PUT(1);
}

/* mov sreg, [rip + x] */
static void put_mov_sreg(unsigned sreg, const void *target)
{
    PUT(0x8e, 0x05 | sreg << 3);
    put_rel(target);
}

enum { ES = 0, SS = 2, DS = 3 };

static void make_stub(void)
{
    static const uint8_t order[16] = { 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 4 };

    p = stub;
    PUT(0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57);    /* push rbx rbp r12-r15 */
    put_mov(0x89, 4, &area->host_rsp);
    put_fx(0, &area->host_fx);
    put_fx(1, &area->in.fx);
    for (unsigned n = 0; n < 16 && has_avx; n++) {
        put_ymmh(true, n, &area->in.ymmh[n]);
    }
    PUT(0xff, 0x35);                                                    /* push [in.flags] */
    put_rel(&area->in.flags);
    PUT(0x9d);                                                          /* popfq */
    put_mov_sreg(DS, &area->data_selector);
    put_mov_sreg(ES, &area->data_selector);
    put_mov_sreg(SS, &area->data_selector);
    for (unsigned n = 0; n < 16; n++) {
        put_mov(0x8b, order[n], &area->in.r[order[n]]);
    }
    PUT(0xff, 0x2d);                                                    /* jmp far [entry] */
    put_rel(&area->entry);
    g_assert(p <= stub + STUB_END);

    p = stub + STUB_END;
    for (unsigned n = 0; n < 16; n++) {
        put_mov(0x89, n, &area->out.r[n]);
    }
    put_mov_sreg(SS, &area->host_ss);
    put_mov_sreg(DS, &area->no_selector);
    put_mov_sreg(ES, &area->no_selector);
    put_mov(0x8b, 4, &area->host_rsp);
    PUT(0x9c, 0xfc, 0x8f, 0x05);                                        /* pushfq; cld; pop [out.flags] */
    put_rel(&area->out.flags);
    put_fx(0, &area->out.fx);
    for (unsigned n = 0; n < 16 && has_avx; n++) {
        put_ymmh(false, n, &area->out.ymmh[n]);
    }
    if (has_avx) {
        PUT(0xc5, 0xf8, 0x77);                                          /* vzeroupper */
    }
    put_fx(1, &area->host_fx);
    PUT(0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3);
}

/* From the XSAVE area in a signal frame, standard format: SDM Vol.1 13.4. */
static void take_ymmh(const uint8_t *xsave)
{
    uint64_t xstate_bv;

    memcpy(&xstate_bv, xsave + 512, 8);
    memset(area->out.ymmh, 0, sizeof(area->out.ymmh));
    if (has_avx && xstate_bv & 4) {
        memcpy(area->out.ymmh, xsave + 576, sizeof(area->out.ymmh));
    }
}

static bool is_stuck(void)
{
    bool stuck = inside && runs == runs_at_tick;

    runs_at_tick = runs;
    if (!inside && tick_outside) {
        tick_outside();
    }
    return stuck;
}

static void on_signal(int sig, siginfo_t *info, void *opaque)
{
    /* Vol.1 3.4.1's numbers in the order of the kernel's frame */
    static const int greg[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    ucontext_t *uc = opaque;
    uint64_t rip = uc->uc_mcontext.gregs[REG_RIP];
    bool astray;

    __asm__ volatile("pushfq; andl $~0x40000, (%%rsp); popfq" : : : "cc", "memory");    /* AC, which the kernel leaves */

    if (sig == SIGVTALRM && !is_stuck()) {
        return;
    }
    if (mode == ISA_16 && rip < 65536) {
        rip += ISA_CODE_VA;
    }
    astray = rip >= ISA_AREA_VA && rip < ISA_AREA_VA + STUB_SIZE;
    if (!inside || (astray && !ISA_MAY_STRAY)) {
        signal(sig, SIG_DFL);           /* ours: die */
        return;
    }
    for (unsigned n = 0; n < 16; n++) {
        area->out.r[n] = uc->uc_mcontext.gregs[greg[n]];
    }
    area->out.flags = uc->uc_mcontext.gregs[REG_EFL];
    memcpy(&area->out.fx, uc->uc_mcontext.fpregs, sizeof(IsaFx));
    take_ymmh((const uint8_t *)uc->uc_mcontext.fpregs);
    area->out.vector = sig == SIGVTALRM || sig == SIGSYS || astray ? ISA_HANG : (int32_t)uc->uc_mcontext.gregs[REG_TRAPNO];
    area->out.error_code = (uint32_t)uc->uc_mcontext.gregs[REG_ERR];
    area->out.cr2 = uc->uc_mcontext.gregs[REG_CR2];
    area->out.rip = rip;
    area->out.fault_offset = rip - ISA_CODE_VA - ISA_HOLE;
    siglongjmp(back, 1);
}

/* The segments of ISA_16; descriptors 0 and 1 of the LDT. */
static bool make_ldt(void)
{
    struct user_desc code16 = { .entry_number = 0, .base_addr = ISA_CODE_VA, .limit = 0xffff, .contents = 2 };
    struct user_desc data16 = { .entry_number = 1, .base_addr = ISA_MEM_VA, .limit = 0xffff };

    return syscall(SYS_modify_ldt, 1, &code16, sizeof(code16)) == 0
           && syscall(SYS_modify_ldt, 1, &data16, sizeof(data16)) == 0;
}

bool native_has_mode(IsaMode m)
{
    uint32_t rights = 0;

    if (m == ISA_16) {
        return has_ldt;
    }
    /* a kernel without 32-bit programs has no such segment */
    __asm__("lar %1, %0" : "+r"(rights) : "r"(m == ISA_32 ? ISA_SEL_CODE32 : ISA_SEL_CODE64) : "cc");
    return (rights & 0x9800) == 0x9800;
}

bool native_has_avx(void)
{
    return has_avx;
}

bool native_is_amd(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx;
}

void native_watch(void (*outside)(void))
{
    tick_outside = outside;
}

/* To code below 4 GiB, which is all that is under test: SYSCALL and INT 80H there become SIGSYS (Linux 5.11). */
static void forbid_system_calls(void)
{
#ifdef PR_SET_SYSCALL_USER_DISPATCH
    (void)prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 1ul << 32, (1ul << 47) - (1ul << 32), NULL);
#endif
}

static void *map(uint64_t va, size_t size)
{
    void *p = mmap((void *)(uintptr_t)va, size, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    g_assert(p != MAP_FAILED);
    return p;
}

void native_init(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGVTALRM };
    static uint8_t signal_stack[1 << 16];
    stack_t ss = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
    struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    code = (uint8_t *)map(ISA_CODE_VA + (ISA_HOLE & -4096), ISA_CODE_SIZE - (ISA_HOLE & -4096)) - (ISA_HOLE & -4096);
    stub = map(ISA_AREA_VA, STUB_SIZE + sizeof(Area));
    area = (Area *)(stub + STUB_SIZE);
    __asm__("mov %%ss, %0" : "=m"(area->host_ss));
    has_ldt = make_ldt();
    has_avx = __builtin_cpu_supports("avx");
    make_stub();
    mprotect(stub, STUB_SIZE, PROT_READ | PROT_EXEC);
    sigaltstack(&ss, NULL);
    forbid_system_calls();
    for (unsigned n = 0; n < ARRAY_SIZE(signals); n++) {
        sigaction(signals[n], &sa, NULL);
    }
}

/* Behind the hole: jump to the end of the stub, in 64-bit mode. */
static void put_way_back(void)
{
    uint32_t target = ISA_AREA_VA + STUB_END;
    uint16_t selector = ISA_SEL_CODE64;

    p = code + ISA_HOLE + ISA_HOLE_SIZE;
    if (mode == ISA_64) {
        PUT(0xe9);
        put_rel(stub + STUB_END);
        return;
    }
    if (mode == ISA_16) {
        PUT(0x66);
    }
    PUT(0xea);                          /* jmp far ptr16:32 */
    put(&target, 4);
    put(&selector, 2);
}

void native_set_code(const uint8_t *bytes, unsigned n, IsaMode m)
{
    g_assert(n <= ISA_HOLE_SIZE);
    mode = m;
    memset(code + ISA_HOLE, 0x90, ISA_HOLE_SIZE);
    memcpy(code + ISA_HOLE, bytes, n);
    if (ISA_CODE_SIZE > ISA_HOLE + ISA_HOLE_SIZE) {
        put_way_back();
    }
    area->entry.offset = m == ISA_16 ? ISA_HOLE : ISA_CODE_VA + ISA_HOLE;
    area->entry.selector = m == ISA_16 ? ISA_SEL_CODE16 : m == ISA_32 ? ISA_SEL_CODE32 : ISA_SEL_CODE64;
    area->data_selector = m == ISA_16 ? ISA_SEL_DATA16 : ISA_SEL_DATA;
}

void native_run(const IsaState *in, IsaState *out)
{
    area->in = *in;
    area->out.vector = -1;
    area->out.fault_offset = 0;
    runs++;
    if (!sigsetjmp(back, 1)) {
        inside = 1;
        ((void (*)(void))stub)();
    } else {
        /* the frame's FP state and segments are not put back by siglongjmp */
        __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(0));
        __asm__ volatile("fxrstor64 %0" : : "m"(area->host_fx));
    }
    inside = 0;
    *out = area->out;
}
