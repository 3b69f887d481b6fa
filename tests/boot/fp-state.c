/*
 * Floating-point state of processes that take turns, and SIGFPE: prints what must be the same on any
 * processor.  Run natively and in the guest by test-fp.py.
 */
#include <fenv.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xmmintrin.h>

enum { PROCESSES = 12, SECONDS = 2, STEPS = 400 };

typedef struct State {
    double d;
    float f;
    long double l;
    int flags;
    unsigned mxcsr;
    unsigned short cw;
} State;

/* Numbers that depend on rounding, FTZ and DAZ, each process with its own; gives way in between. */
static __attribute__((noinline)) State work(int id, int yield)
{
    static const int modes[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
    volatile double d = 1 + id, tiny = 1e-300, product;
    volatile float f = 1.5f + id;
    volatile long double l = 1.25L + id;
    State s;

    memset(&s, 0, sizeof(s));
    fesetround(modes[id & 3]);
    _mm_setcsr((_mm_getcsr() & ~0x803fu) | (id & 4 ? 0x8040 : 0));
    feclearexcept(FE_ALL_EXCEPT);
    for (int i = 1; i < STEPS; i++) {
        d = d / 3 + sqrt(i);
        f = f * 0.7f + 1.0f / i;
        l = l * 0.3L + 1.0L / i;
        if (yield && i % 50 == 0) {
            sched_yield();
        }
    }
    product = tiny * 1e-10;
    s.d = d + (product != 0);
    s.f = f;
    s.l = l;
    s.flags = fetestexcept(FE_ALL_EXCEPT);
    s.mxcsr = _mm_getcsr();
    __asm__("fnstcw %0" : "=m"(s.cw));
    return s;
}

/* How many bytes of the 16 YMM registers are not what they were after some turns of other processes. */
static int ymm_wrong(int id)
{
    int wrong = 0;
#ifdef __AVX__
    static unsigned char in[16][32], out[16][32];

    for (int n = 0; n < 512; n++) {
        in[n / 32][n % 32] = n * 7 + id * 31 + 1;
    }
#define EACH(X, p) X(0, p) X(1, p) X(2, p) X(3, p) X(4, p) X(5, p) X(6, p) X(7, p) X(8, p) X(9, p) X(10, p) X(11, p) X(12, p) \
                   X(13, p) X(14, p) X(15, p)
#define LOAD(n, p) "vmovdqu " #n "*32(" p "), %%ymm" #n "\n"
#define STORE(n, p) "vmovdqu %%ymm" #n ", " #n "*32(" p ")\n"
    __asm__ volatile(EACH(LOAD, "%0")
                     "mov $20, %%ebx\n"
                     "1: mov $24, %%eax\n"                  /* sched_yield */
                     "syscall\n"
                     "dec %%ebx\n"
                     "jnz 1b\n"
                     EACH(STORE, "%1")
                     "vzeroupper\n"
                     : : "r"(in), "r"(out)
                     : "rax", "rbx", "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    for (int n = 0; n < 512; n++) {
        wrong += in[n / 32][n % 32] != out[n / 32][n % 32];
    }
#endif
    return wrong;
}

static void run_process(int id)
{
    State want = work(id, 0);
    time_t end = time(NULL) + SECONDS;
    int wrong = 0;

    while (time(NULL) < end) {
        State got = work(id, 1);
        wrong += got.d != want.d || got.f != want.f || got.l != want.l || got.flags != want.flags ||
                 got.mxcsr != want.mxcsr || got.cw != want.cw || ymm_wrong(id);
    }
    printf("process %02d: wrong %d, %a %a %La flags %x mxcsr %x cw %x\n", id, wrong, want.d, want.f, want.l, want.flags,
           want.mxcsr, want.cw);
    fflush(stdout);
}

static sigjmp_buf trapped;
static volatile int code;

static void on_fpe(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    code = info->si_code;
    siglongjmp(trapped, 1);
}

static void one_operation(int n)
{
    volatile double one = 1, zero = 0, big = 1e308, tiny = 1e-308, d;
    volatile long double lone = 1, lzero = 0, l;
    volatile float denormal = 1e-40f, f;

    switch (n) {
    case 0:
        d = one / zero;
        break;
    case 1:
        d = zero / zero;
        break;
    case 2:
        d = big * 10;
        break;
    case 3:
        d = tiny * 1e-10;
        break;
    case 4:
        d = one / 3;
        break;
    case 5:
        f = denormal * 2.5f;
        break;
    default:
        l = lone / lzero;
    }
    (void)d;
    (void)f;
    (void)l;
}

/* Which of the exceptions unmasked one at a time end which operation in SIGFPE. */
static void traps(void)
{
    static const int masks[] = { FE_DIVBYZERO, FE_INVALID, FE_OVERFLOW, FE_UNDERFLOW, FE_INEXACT };
    struct sigaction sa = { .sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO };

    sigaction(SIGFPE, &sa, NULL);
    for (unsigned m = 0; m < sizeof(masks) / sizeof(masks[0]); m++) {
        for (int n = 0; n < 7; n++) {
            code = 0;
            feclearexcept(FE_ALL_EXCEPT);
            if (!sigsetjmp(trapped, 1)) {
                feenableexcept(masks[m]);
                one_operation(n);
            }
            fedisableexcept(FE_ALL_EXCEPT);
            printf("unmasked %02x, operation %d: SIGFPE code %d\n", masks[m], n, code);
            feclearexcept(FE_ALL_EXCEPT);
        }
    }
    fflush(stdout);
}

int main(void)
{
    traps();
    for (int id = 0; id < PROCESSES; id++) {
        if (!fork()) {
            run_process(id);
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
    }
    return 0;
}
