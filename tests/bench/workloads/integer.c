/* Calls, branches, memory: what compiled integer code does. */
#include "rows.h"
#include <stdlib.h>

static NOINLINE unsigned fibonacci(unsigned n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint64_t recursion(void)
{
    return fibonacci(25);
}

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

static uint64_t sort(void)
{
    enum { N = 20000 };
    static int v[N];
    uint32_t r = 1;
    uint64_t sum = 0;

    for (int i = 0; i < N; i++) {
        v[i] = next_random(&r) >> 8;
    }
    qsort(v, N, sizeof(v[0]), compare_ints);
    for (int i = 0; i < N; i++) {
        sum = sum * 31 + v[i];
    }
    return sum;
}

static uint64_t sieve(void)
{
    enum { N = 1 << 20 };
    static uint8_t composite[N];
    uint64_t primes = 0;

    memset(composite, 0, N);
    for (int i = 2; i < N; i++) {
        if (composite[i]) {
            continue;
        }
        primes++;
        for (int j = 2 * i; j < N; j += i) {
            composite[j] = 1;
        }
    }
    return primes;
}

static uint64_t chase(void)
{
    enum { N = 1 << 17 };       /* 4 MiB of 32-byte nodes in one cycle */
    static struct Node { struct Node *next; uint64_t value, pad[2]; } nodes[N];
    static uint32_t order[N];
    uint64_t sum = 0;

    if (!nodes[0].next) {
        uint32_t r = 7;

        for (uint32_t i = 0; i < N; i++) {
            order[i] = i;
        }
        for (uint32_t i = N - 1; i; i--) {
            uint32_t j = next_random(&r) % (i + 1), t = order[i];

            order[i] = order[j];
            order[j] = t;
        }
        for (uint32_t i = 0; i < N; i++) {
            nodes[order[i]] = (struct Node) { .next = &nodes[order[(i + 1) % N]], .value = i };
        }
    }
    struct Node *n = nodes;
    for (int i = 0; i < 2 * N; i++, n = n->next) {
        sum += n->value;
    }
    return sum;
}

static uint64_t copies(void)
{
    static const uint32_t sizes[] = { 7, 16, 33, 64, 200, 1000, 4096, 20000, 65536 };
    static uint8_t from[65536 + 64], to[65536 + 64];
    uint64_t sum = 0;

    for (uint32_t i = 0; i < sizeof(from); i++) {
        from[i] = i * 37;
    }
    for (int k = 0; k < 9; k++) {
        for (uint32_t n = 0; n < 1u << 20; n += sizes[k] + 64) {
            memcpy(to + n % 61, from + n % 53, sizes[k]);
            sum += to[n % 61 + sizes[k] - 1];
        }
    }
    return sum;
}

/* The instructions themselves, which the C library uses where the CPU says that they are fast. */
static uint64_t rep_strings(void)
{
    enum { N = 256 << 10 };
    static uint64_t a[N / 8], b[N / 8];
    uint64_t sum = 0;

    for (int k = 0; k < 16; k++) {
        void *d = a;
        const void *s = a;
        size_t n = N / 8;

        asm volatile("rep stosq" : "+D"(d), "+c"(n) : "a"(0x0101010101010101 * k) : "memory");
        d = b;
        n = N;
        asm volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
        for (int i = 0; i < 256; i++) {
            d = b + i;
            s = a + 2 * i;
            n = 5;
            asm volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
        }
        sum = sum * 31 + b[N / 8 - 1] + b[3];
    }
    return sum;
}

static inline uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* Constants of FIPS 180-4, section 4.2.2: the fractions of the cube roots of the first 64 primes. */
static uint32_t k256[64];

static uint32_t root_fraction(unsigned p, int power)
{
    /* the largest r with r^power <= p * 2^(32 * power), by bisection; r^3 < 2^128 */
    unsigned __int128 target = (unsigned __int128)p << (32 * power);
    uint64_t low = 0, high = 1ull << 37;

    while (high - low > 1) {
        uint64_t mid = (low + high) / 2;
        unsigned __int128 v = (unsigned __int128)mid * mid * (power == 3 ? mid : 1);

        *(v <= target ? &low : &high) = mid;
    }
    return low;
}

static void sha256_init(uint32_t h[8])
{
    int n = 0;

    for (unsigned p = 2; n < 64; p++) {
        unsigned d = 2;

        while (d * d <= p && p % d) {
            d++;
        }
        if (d * d <= p) {
            continue;
        }
        if (n < 8) {
            h[n] = root_fraction(p, 2);
        }
        k256[n++] = root_fraction(p, 3);
    }
}

static NOINLINE void sha256_block(uint32_t h[8], const uint8_t *p)
{
    uint32_t w[64], v[8];

    for (int i = 0; i < 16; i++) {
        w[i] = p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;

        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(v, h, sizeof(v));
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k256[i] + w[i];
        uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) {
        h[i] += v[i];
    }
}

static uint64_t sha256(void)
{
    static uint8_t text[64 << 10];
    static uint32_t start[8];
    uint32_t h[8];

    if (!start[0]) {
        sha256_init(start);
        for (size_t i = 0; i < sizeof(text); i++) {
            text[i] = i * 7 + i / 256;
        }
    }
    memcpy(h, start, sizeof(h));
    for (int k = 0; k < 4; k++) {
        for (size_t i = 0; i < sizeof(text); i += 64) {
            sha256_block(h, text + i);
        }
    }
    return (uint64_t)h[0] << 32 | h[7];
}

enum { OP_PUSH, OP_LOAD, OP_STORE, OP_ADD, OP_XOR, OP_SHIFT, OP_LESS, OP_JUMP_IF, OP_HALT };

static NOINLINE int64_t interpret(const int8_t *code, int64_t *vars)
{
    int64_t stack[16], *sp = stack;

    for (const int8_t *pc = code; ; ) {
        switch (*pc++) {
        case OP_PUSH:
            *sp++ = *pc++;
            break;
        case OP_LOAD:
            *sp++ = vars[*pc++];
            break;
        case OP_STORE:
            vars[*pc++] = *--sp;
            break;
        case OP_ADD:
            sp--;
            sp[-1] += sp[0];
            break;
        case OP_XOR:
            sp--;
            sp[-1] ^= sp[0];
            break;
        case OP_SHIFT:
            sp--;
            sp[-1] = (uint64_t)sp[-1] << sp[0];
            break;
        case OP_LESS:
            sp--;
            sp[-1] = sp[-1] < sp[0];
            break;
        case OP_JUMP_IF:
            pc++;
            if (*--sp) {
                pc += pc[-1];
            }
            break;
        default:
            return vars[1];
        }
    }
}

static uint64_t bytecode(void)
{
    /* do { sum = sum << 1 ^ sum + i; i = i + 1; } while (i < limit); */
    static const int8_t code[] = {
        OP_LOAD, 1, OP_PUSH, 1, OP_SHIFT, OP_LOAD, 1, OP_LOAD, 0, OP_ADD, OP_XOR, OP_STORE, 1,
        OP_LOAD, 0, OP_PUSH, 1, OP_ADD, OP_STORE, 0,
        OP_LOAD, 0, OP_LOAD, 2, OP_LESS, OP_JUMP_IF, -27, OP_HALT,
    };
    int64_t vars[3] = { 0, 1, 40000 };

    return interpret(code, vars);
}

const Row integer_rows[] = {
    { "recursion", recursion, "call and return" },
    { "sort", sort, "qsort with a callback" },
    { "sieve", sieve, "primes below 2^20" },
    { "chase", chase, "dependent loads over 4 MiB" },
    { "copies", copies, "memcpy of 7 bytes to 64 KiB" },
    { "rep", rep_strings, "rep movs, rep stos" },
    { "sha256", sha256, "SHA-256 in C" },
    { "bytecode", bytecode, "an interpreter's loop" },
    { }
};
