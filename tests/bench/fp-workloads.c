/*
 * Floating-point and SIMD loops, each printed as "NAME seconds result": run by fp.py natively and in
 * guests.  The results must agree everywhere.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

typedef struct Body {
    double x, y, z, vx, vy, vz, mass;
} Body;

static Body bodies[5] = {
    { 0, 0, 0, 0, 0, 0, 39.47 }, { 4.84, -1.16, -.10, .606, 2.81, -.02, .0376 },
    { 8.34, 4.12, -.403, -1.01, 1.81, .0084, .0113 }, { 12.89, -15.11, -.22, 1.08, .868, -.01, .0017 },
    { 15.37, -25.9, .179, .979, .594, -.034, .00203 },
};

static void attract(Body *a, Body *b, double dt)
{
    double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z, d2 = dx * dx + dy * dy + dz * dz;
    double mag = dt / (d2 * sqrt(d2));

    a->vx -= dx * b->mass * mag;
    a->vy -= dy * b->mass * mag;
    a->vz -= dz * b->mass * mag;
    b->vx += dx * a->mass * mag;
    b->vy += dy * a->mass * mag;
    b->vz += dz * a->mass * mag;
}

static NOINLINE double n_body(void)
{
    for (int step = 0; step < 300000; step++) {
        for (int i = 0; i < 5; i++) {
            for (int j = i + 1; j < 5; j++) {
                attract(&bodies[i], &bodies[j], 0.001);
            }
        }
        for (int i = 0; i < 5; i++) {
            bodies[i].x += 0.001 * bodies[i].vx;
            bodies[i].y += 0.001 * bodies[i].vy;
            bodies[i].z += 0.001 * bodies[i].vz;
        }
    }
    return bodies[0].x;
}

enum { N = 256 };
static double ma[N][N], mb[N][N], mc[N][N];

static NOINLINE double matrix(void)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            double s = 0;

            for (int k = 0; k < N; k++) {
                s += ma[i][k] * mb[k][j];
            }
            mc[i][j] = s;
        }
    }
    return mc[3][5];
}

static NOINLINE double mandelbrot(void)
{
    const int n = 400;
    int total = 0;

    for (int p = 0; p < n * n; p++) {
        float x0 = p % n * 3.5f / n - 2.5f, y0 = p / n * 2.0f / n - 1.0f, x = 0, y = 0;

        for (int k = 0; x * x + y * y < 4 && k < 200; k++, total++) {
            float t = x * x - y * y + x0;

            y = 2 * x * y + y0;
            x = t;
        }
    }
    return total;
}

static NOINLINE double long_double(void)
{
    long double s = 0, x = 1;

    for (int i = 1; i < 2000000; i++) {
        x = x * 1.0000001L + 0.5L / i;
        s += x / (i + 1.5L);
    }
    return (double)s;
}

static char text[65536];

static NOINLINE double strings(void)
{
    size_t sum = 0;

    for (int i = 0; i < 4000; i++) {
        memset(text, 'a' + (i & 7), sizeof(text) - 1);
        sum += strlen(text) + !memchr(text, 'z', sizeof(text) - 1);
    }
    return sum;
}

static float fa[4096], fb[4096];

static NOINLINE __attribute__((optimize("O3"))) double packed(void)
{
    for (int k = 0; k < 10000; k++) {
        for (int i = 0; i < 4096; i++) {
            fb[i] = fa[i] * 1.0001f + fb[i] * 0.5f;
        }
    }
    return fb[7];
}

static NOINLINE double functions(void)
{
    double s = 0;

    for (int i = 0; i < 500000; i++) {
        s += sin(i * .001) * exp(-i * 1e-6) + log(i + 1.);
    }
    return s;
}

static void run(const char *name, double (*fn)(void))
{
    double start = now(), result = fn(), took = now() - start;

    printf("%s %.6f %a\n", name, took, result);
    fflush(stdout);
}

int main(void)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            ma[i][j] = i + j * .5;
            mb[i][j] = i - j * .25;
        }
    }
    for (int i = 0; i < 4096; i++) {
        fa[i] = i * .001f;
    }
    run("n-body", n_body);
    run("matrix", matrix);
    run("mandelbrot", mandelbrot);
    run("x87", long_double);
    run("strings", strings);
    run("packed", packed);
    run("functions", functions);
    return 0;
}
