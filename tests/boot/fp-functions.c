/*
 * The C library's long double functions, text to numbers and back, and loops that keep numbers in x87 registers while signals
 * come: prints what must be the same on any processor.  Run natively and in the guest by test-fp.py.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

static const struct { const char *name; long double (*f)(long double); } unary[] = {
    { "sinl", sinl }, { "cosl", cosl }, { "tanl", tanl }, { "asinl", asinl }, { "atanl", atanl }, { "expl", expl },
    { "exp2l", exp2l }, { "expm1l", expm1l }, { "logl", logl }, { "log2l", log2l }, { "log10l", log10l }, { "log1pl", log1pl },
    { "sqrtl", sqrtl }, { "cbrtl", cbrtl }, { "sinhl", sinhl }, { "tanhl", tanhl }, { "erfl", erfl }, { "tgammal", tgammal },
    { "floorl", floorl }, { "ceill", ceill }, { "roundl", roundl }, { "truncl", truncl }, { "rintl", rintl }, { "fabsl", fabsl },
    { "logbl", logbl },
};
static const struct { const char *name; long double (*f)(long double, long double); } binary[] = {
    { "powl", powl }, { "atan2l", atan2l }, { "fmodl", fmodl }, { "remainderl", remainderl }, { "hypotl", hypotl },
    { "nextafterl", nextafterl }, { "fmaxl", fmaxl }, { "fdiml", fdiml }, { "copysignl", copysignl },
};

static void functions(void)
{
    for (unsigned n = 0; n < sizeof(unary) / sizeof(unary[0]); n++) {
        long double s = 0;

        for (int i = -400; i < 400; i++) {
            long double y = unary[n].f(i * 0.0123L);

            s += isfinite(y) ? y : 0.25L * signbit(y);
        }
        printf("function %s %La %.21Lg\n", unary[n].name, s, s);
    }
    for (unsigned n = 0; n < sizeof(binary) / sizeof(binary[0]); n++) {
        long double s = 0;

        for (int i = -60; i < 60; i++) {
            for (int k = -9; k < 9; k++) {
                long double y = binary[n].f(i * 0.37L, k + 0.5L);

                s += isfinite(y) ? y : 0.5L;
            }
        }
        printf("function %s %La %.21Lg\n", binary[n].name, s, s);
    }
}

static void text(void)
{
    long double x = 1.0L / 3, back;
    int wrong = 0, integers = 0;
    char buf[100];

    for (int i = 0; i < 400; i++) {
        x = x * 1.7L - (x > 1e30L ? 1e30L : 0.1L);
        snprintf(buf, sizeof(buf), "%.30Le", x);
        back = strtold(buf, NULL);
        wrong += memcmp(&back, &x, 10) != 0;
        integers += (int)lrintl(fmodl(x, 1000)) + (int)(long)fmodl(x, 77) + (unsigned char)fmodl(x, 50);
    }
    printf("function text wrong %d, integers %d, %.21Lg\n", wrong, integers, x);
}

/* Numbers of 10 bytes at odd places, across pages too. */
static void packed(void)
{
    char *m = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long double s = 0;

    for (int i = 0; i < 26000; i++) {
        long double v = i / 7.0L;

        __asm__ volatile("fstpt %0" : "=m"(*(char (*)[10])(m + 10 * i)) : "t"(v) : "st");
    }
    for (int i = 26000; i-- > 0;) {
        long double v;

        __asm__ volatile("fldt %1" : "=t"(v) : "m"(*(char (*)[10])(m + 10 * i)));
        s = s * 0.75L + v;
    }
    printf("function packed %La\n", s);
}

static volatile sig_atomic_t ticks;
static volatile long double of_handler = 1;

static void tick(int sig)
{
    ticks++;
    of_handler = of_handler * 1.5L + sinl(of_handler);
}

/* All registers in use, tests in between. */
static __attribute__((noinline)) long double interrupted(int n)
{
    long double a = 1, b = 2, c = 3, d = 0.5L, e = 1e-3L, s = 0;

    for (int i = 1; i < n; i++) {
        a = a * 0.999L + d;
        b = b * 0.5L + a / i;
        if (b > 1.75L) {
            b -= e;
        }
        c = c + b * e;
        s += c / (i + d);
    }
    return s + a + b;
}

static void with_signals(void)
{
    struct itimerval every = { { 0, 1000 }, { 0, 1000 } }, never = { 0 };
    volatile int n = 50000;
    long double alone = interrupted(n);
    int wrong = 0;

    signal(SIGALRM, tick);
    setitimer(ITIMER_REAL, &every, NULL);
    for (int i = 0; i < 3000 && ticks < 20; i++) {
        wrong += interrupted(n) != alone;
    }
    setitimer(ITIMER_REAL, &never, NULL);
    printf("function signals %La wrong %d, came: %d\n", alone, wrong, ticks >= 20);
}

int main(void)
{
    functions();
    text();
    packed();
    with_signals();
    return 0;
}
