/*
 * Guest program: what a program does that needs its kernel or the translator, after having computed for a while, so that
 * it runs in KVM when it does it.  Prints one line per check; exits with the number of those that failed.
 *
 * usage: native-user ROUNDS
 *        native-user clock SECONDS     (prints the longest time that passed between two looks at the clock)
 */
#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096
#define SPINS 15000000

static int failures;

static void check(int ok, const char *name, long got, long want)
{
    if (!ok) {
        printf("FAILED %s: got %ld (0x%lx), want %ld (0x%lx)\n", name, got, got, want, want);
        failures++;
    }
}

/* Some milliseconds without the kernel. */
static uint64_t spin(uint64_t seed, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(seed));
    }
    return seed;
}

static uint64_t spin_expected(uint64_t seed, unsigned n)
{
    uint64_t a = 1, c = 0, a1 = 6364136223846793005u, c1 = 1442695040888963407u;

    for (; n; n >>= 1) {                /* the affine map to the nth power */
        if (n & 1) {
            a = a * a1;
            c = c * a1 + c1;
        }
        c1 = c1 * a1 + c1;
        a1 = a1 * a1;
    }
    return a * seed + c;
}

static void compute(uint64_t seed)
{
    uint64_t got = spin(seed, SPINS), want = spin_expected(seed, SPINS);

    check(got == want, "spin", (long)got, (long)want);
}

/* --- code --- */

/* mov eax, n; ret */
static void write_return(uint8_t *p, uint32_t n)
{
    p[0] = 0xb8;
    memcpy(p + 1, &n, 4);
    p[5] = 0xc3;
}

static uint32_t call(const uint8_t *p)
{
    return ((uint32_t (*)(void))(uintptr_t)p)();
}

/* Rewritten and called, in a page that can be written, in one that changes sides, and through an alias. */
static void test_code(unsigned round)
{
    uint8_t *rwx = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *flip = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = memfd_create("code", 0);
    uint8_t *alias_w, *alias_x;

    check(ftruncate(fd, PAGE) == 0, "ftruncate", errno, 0);
    alias_w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    alias_x = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t n = round * 1000 + i;

        if (i % 8 == 3) {
            compute(n);                 /* in KVM when it writes; else in the translator */
        }
        write_return(rwx, n);
        check(call(rwx) == n, "rewritten", call(rwx), n);
        write_return(alias_w, ~n);
        check(call(alias_x) == ~n, "by an alias", call(alias_x), ~n);
        mprotect(flip, PAGE, PROT_READ | PROT_WRITE);
        write_return(flip, n + 7);
        mprotect(flip, PAGE, PROT_READ | PROT_EXEC);
        if (i % 8 == 5) {
            compute(n);
        }
        check(call(flip) == n + 7, "flipped", call(flip), n + 7);
    }
    munmap(rwx, PAGE);
    munmap(flip, PAGE);
    munmap(alias_w, PAGE);
    munmap(alias_x, PAGE);
    close(fd);
}

/* --- signals --- */

static sigjmp_buf jump;
static volatile int caught;
static volatile long caught_addr, caught_ip, caught_code, caught_steps;

static void on_signal(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;

    caught = sig;
    caught_addr = (long)info->si_addr;
    caught_code = info->si_code;
    caught_ip = u->uc_mcontext.gregs[REG_RIP];
    if (sig == SIGTRAP) {
        caught_steps++;
        if (caught_steps == 3) {
            u->uc_mcontext.gregs[REG_EFL] &= ~0x100l;
        }
        return;
    }
    siglongjmp(jump, 1);
}

#define EXPECT(sig_, name_, insn_)                                          \
    do {                                                                    \
        caught = 0;                                                         \
        compute(round);                                                     \
        if (!sigsetjmp(jump, 1)) {                                          \
            insn_;                                                          \
        }                                                                   \
        check(caught == (sig_), name_, caught, sig_);                       \
    } while (0)

static void test_signals(unsigned round)
{
    struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };
    volatile uint8_t *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *readonly = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t mxcsr = 0x1f80 & ~0x200u;
    static const int sigs[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };

    for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
        sigaction(sigs[i], &sa, NULL);
    }
    EXPECT(SIGSEGV, "read of nothing", (void)none[123]);
    check(caught_addr == (long)none + 123, "its address", caught_addr, (long)none + 123);
    EXPECT(SIGSEGV, "write of read-only", *(volatile uint8_t *)(readonly + 5) = 1);
    check(caught_addr == (long)readonly + 5 && caught_code == SEGV_ACCERR, "its address", caught_addr, (long)readonly + 5);
    EXPECT(SIGSEGV, "fetch of data", call(readonly));
    EXPECT(SIGSEGV, "kernel address", *(volatile uint8_t *)0xffffffff81000000ul);
    EXPECT(SIGSEGV, "jump to the kernel", call((uint8_t *)0xfffffffffe000000ul));
    EXPECT(SIGSEGV, "non-canonical", *(volatile uint8_t *)0x8000000000000000ul);
    EXPECT(SIGSEGV, "privileged", __asm__ volatile("hlt"));
    EXPECT(SIGSEGV, "port", __asm__ volatile("inb $0x60, %%al" ::: "rax"));
    EXPECT(SIGILL, "undefined", __asm__ volatile("ud2"));
    EXPECT(SIGFPE, "division", __asm__ volatile("xorl %%ecx, %%ecx; divl %%ecx" ::: "rax", "rcx", "rdx"));
    EXPECT(SIGFPE, "SSE division", __asm__ volatile("ldmxcsr %0; xorps %%xmm0, %%xmm0; movaps %%xmm0, %%xmm1; cmpeqps %%xmm1, %%xmm1;"
                                                    "psrld $31, %%xmm1; cvtdq2ps %%xmm1, %%xmm1; divps %%xmm0, %%xmm1"
                                                    : : "m"(mxcsr) : "xmm0", "xmm1"));
    mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    caught_steps = 0;
    caught = 0;
    compute(round);
    __asm__ volatile("int3; .globl after_int3; after_int3:");
    extern const char after_int3[];
    check(caught == SIGTRAP && caught_ip == (long)after_int3, "int3", caught_ip, (long)after_int3);
    caught_steps = 0;
    compute(round);
    __asm__ volatile("pushf; orl $0x100, (%%rsp); popf; nop; nop; .globl stepped; stepped: nop" ::: "memory", "cc");
    extern const char stepped[];
    check(caught_steps == 3 && caught_ip == (long)stepped + 1, "single steps", caught_ip, (long)stepped + 1);
    munmap((void *)none, PAGE);
    munmap(readonly, PAGE);
}

/* --- memory --- */

static void test_memory(unsigned round)
{
    enum { PAGES = 64 };
    uint32_t *shared = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status = -1;
    uint32_t sum = 0;
    pid_t child;

    for (unsigned i = 0; i < PAGES; i++) {
        shared[i * 1024] = round + i;
    }
    compute(round);
    child = fork();
    if (!child) {
        unsigned wrong = 0;

        failures = 0;
        compute(round + 1);
        for (unsigned i = 0; i < PAGES; i++) {
            wrong += shared[i * 1024] != round + i;
            shared[i * 1024] = ~i;
        }
        compute(round + 2);
        for (unsigned i = 0; i < PAGES; i++) {
            wrong += shared[i * 1024] != ~i;
        }
        _exit(wrong || failures);
    }
    compute(round + 3);
    for (unsigned i = 0; i < PAGES; i += 2) {
        shared[i * 1024] += 1000;
    }
    compute(round + 4);
    waitpid(child, &status, 0);
    check(status == 0, "child", status, 0);
    for (unsigned i = 0; i < PAGES; i++) {
        sum += shared[i * 1024] - round - i;
    }
    check(sum == PAGES / 2 * 1000, "copy on write", sum, PAGES / 2 * 1000);
    madvise(shared, PAGES * PAGE, MADV_DONTNEED);
    check(shared[1024] == 0, "dropped page", shared[1024], 0);
    munmap(shared, PAGES * PAGE);
}

/* --- what must be the same wherever it is asked --- */

/* On pages of its own: where CPUID and LSL are, KVM is not let. */
static __attribute__((noinline, section(".text.facts"), aligned(PAGE))) void test_facts(unsigned round)
{
    static unsigned first[4];
    static __thread unsigned in_thread = 77;
    unsigned now[4];
    struct timespec a, b;
    uint64_t t0, t1, us;
    unsigned cpu = 99, lsl = 99;

    if (!first[0]) {
        __cpuid_count(7, 0, first[0], first[1], first[2], first[3]);
        first[0] = first[0] << 1 | 1;
    }
    compute(round);
    __cpuid_count(7, 0, now[0], now[1], now[2], now[3]);
    check((now[0] << 1 | 1) == first[0] && !memcmp(now + 1, first + 1, 12), "CPUID", now[1], first[1]);
    check(in_thread == 77, "thread-local", in_thread, 77);
    clock_gettime(CLOCK_MONOTONIC, &a);
    t0 = __builtin_ia32_rdtsc();
    for (unsigned i = 0; i < 20; i++) {
        compute(i);
        clock_gettime(CLOCK_MONOTONIC, &b);
        t1 = __builtin_ia32_rdtsc();
        us = (uint64_t)(b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000;
        check((b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec)) && us < 20000000, "clock", (long)us, 0);
        check(t1 > t0, "TSC", (long)(t1 - t0), 1);
        a = b;
        t0 = t1;
    }
    compute(round);
    syscall(SYS_getcpu, &cpu, NULL, NULL);
    __asm__("lsl %1, %0" : "=r"(lsl) : "r"(0x7b));      /* how Linux tells programs the CPU and the node */
    if (sysconf(_SC_NPROCESSORS_ONLN) == 1) {
        check((lsl & 0xfff) == cpu, "LSL", lsl & 0xfff, cpu);
    }
}

/* --- threads --- */

static volatile int stop;
static uint64_t *target;
static long counter;
static uint64_t ticks;

static void *adder(void *opaque)
{
    for (unsigned i = 0; i < 400000; i++) {
        __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
    }
    return opaque;
}

static void *writer(void *opaque)
{
    while (!stop) {
        __atomic_fetch_add(target, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&ticks, 1, __ATOMIC_SEQ_CST);
    }
    return opaque;
}

static __attribute__((noinline)) void test_threads(unsigned round)
{
    pthread_t t[2];
    uint64_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    counter = 0;
    for (unsigned i = 0; i < 2; i++) {
        pthread_create(&t[i], NULL, adder, NULL);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(t[i], NULL);
    }
    check(counter == 800000, "atomic additions", counter, 800000);

    /* One thread writes in KVM, the other puts another page in its place: no write may reach the old one afterwards. */
    stop = 0;
    target = page;
    pthread_create(&t[0], NULL, writer, NULL);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t before, seen;

        compute(round + i);
        before = __atomic_load_n(&ticks, __ATOMIC_SEQ_CST);
        madvise(page, PAGE, MADV_DONTNEED);
        compute(round + i);
        seen = *page;
        check(seen <= __atomic_load_n(&ticks, __ATOMIC_SEQ_CST) - before + 1, "writes to a dropped page", (long)seen, (long)before);
    }
    stop = 1;
    pthread_join(t[0], NULL);
    munmap(page, PAGE);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int watch_clock(int64_t seconds)
{
    int64_t start = now_ms(), last = start, longest = 0;

    printf("clock runs\n");
    while (last - start < seconds * 1000) {
        int64_t now;

        compute(7);
        now = now_ms();
        longest = now - last > longest ? now - last : longest;
        last = now;
    }
    printf("clock: longest %ld ms\n", (long)longest);
    return failures != 0;
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 2;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 2 && !strcmp(argv[1], "clock")) {
        return watch_clock(atoi(argv[2]));
    }
    for (unsigned r = 0; r < rounds; r++) {
        test_code(r);
        test_signals(r);
        test_memory(r);
        test_facts(r);
        test_threads(r);
    }
    printf("native-user: %d failed\n", failures);
    return failures != 0;
}
