/* Vectors: string functions of the C library, packed floats in SSE2 and in AVX2 with FMA. */
#include "rows.h"
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t strings(void)
{
    static char text[65536];
    uint64_t sum = 0;

    for (int i = 0; i < 200; i++) {
        memset(text, 'a' + (i & 7), sizeof(text) - 1);
        sum += strlen(text) + !memchr(text, 'z', sizeof(text) - 1);
    }
    return sum;
}

enum { N = 4096 };

/* The same start for each call, and numbers that stay normal. */
static void fill(float *a, float *b)
{
    for (int i = 0; i < N; i++) {
        a[i] = 1 + i * .001f;
        b[i] = 1;
    }
}

static uint64_t packed(void)
{
    static float a[N] __attribute__((aligned(32))), b[N] __attribute__((aligned(32)));

    fill(a, b);
    for (int k = 0; k < 500; k++) {
        for (int i = 0; i < N; i += 4) {
            __m128 v = _mm_mul_ps(_mm_load_ps(a + i), _mm_set1_ps(1.0001f));

            _mm_store_ps(b + i, _mm_add_ps(v, _mm_mul_ps(_mm_load_ps(b + i), _mm_set1_ps(.5f))));
        }
    }
    return bits_of(b[7]) ^ bits_of(b[N - 1]);
}

static NOINLINE __attribute__((target("avx2,fma"))) void axpy_avx(const float *a, float *b)
{
    for (int k = 0; k < 256; k++) {
        for (int i = 0; i < N; i += 8) {
            __m256 v = _mm256_fmadd_ps(_mm256_load_ps(a + i), _mm256_set1_ps(1.0001f), _mm256_load_ps(b + i));
            __m256i m = _mm256_srli_epi32(_mm256_castps_si256(v), 31);      /* no number is negative: nothing changes */

            v = _mm256_fnmadd_ps(v, _mm256_set1_ps(.5f), v);
            _mm256_store_ps(b + i, _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v), m)));
        }
    }
}

static uint64_t avx2(void)
{
    static float a[N] __attribute__((aligned(32))), b[N] __attribute__((aligned(32)));

    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        printf("WRONG avx2: this CPU has no AVX2 with FMA\n");
        exit(1);
    }
    fill(a, b);
    axpy_avx(a, b);
    return bits_of(b[7]) ^ bits_of(b[N - 1]);
}

const Row vector_rows[] = {
    { "strings", strings, "memset, strlen, memchr of 64 KiB" },
    { "packed", packed, "packed floats, SSE" },
    { "avx2", avx2, "packed floats, AVX2 and FMA" },
    { }
};
