/* Floating point as compilers make it from plain C: scalar SSE2, x87 for long double. */
#include "rows.h"
#include <math.h>

typedef struct Body {
    double x, y, z, vx, vy, vz, mass;
} Body;

static const Body planets[5] = {
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

static uint64_t n_body(void)
{
    Body bodies[5];

    memcpy(bodies, planets, sizeof(bodies));
    for (int step = 0; step < 10000; step++) {
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
    return bits_of(bodies[0].x);
}

static uint64_t matrix(void)
{
    enum { N = 96 };
    static double a[N][N], b[N][N], c[N][N];

    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = i + j * .5;
            b[i][j] = i - j * .25;
        }
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            double s = 0;

            for (int k = 0; k < N; k++) {
                s += a[i][k] * b[k][j];
            }
            c[i][j] = s;
        }
    }
    return bits_of(c[3][5]) ^ bits_of(c[N - 1][N - 2]);
}

static uint64_t mandelbrot(void)
{
    const int n = 80;
    uint64_t total = 0;

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

static uint64_t x87(void)
{
    long double s = 0, x = 1;

    for (int i = 1; i < 100000; i++) {
        x = x * 1.0000001L + 0.5L / i;
        s += x / (i + 1.5L);
    }
    return bits_of((double)s);
}

static uint64_t functions(void)
{
    double s = 0;

    for (int i = 0; i < 30000; i++) {
        s += sin(i * .001) * exp(-i * 1e-6) + log(i + 1.);
    }
    return bits_of(s);
}

const Row float_rows[] = {
    { "matrix", matrix, "product of double matrices" },
    { "n-body", n_body, "double arithmetic, square roots" },
    { "mandelbrot", mandelbrot, "float arithmetic" },
    { "x87", x87, "long double arithmetic" },
    { "functions", functions, "sin, exp, log of the C library" },
    { }
};
