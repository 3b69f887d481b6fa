/* Rows of the workload table: each does the same work at every call and answers the same number. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Row {
    const char *name;
    uint64_t (*work)(void);     /* 1 to 10 ms natively */
    const char *what;
} Row;

/* Tables end with a row without name. */
extern const Row integer_rows[], float_rows[], vector_rows[], system_rows[];

#define NOINLINE __attribute__((noinline))

/* Next of a sequence of 32-bit numbers without pattern (xorshift; @state must not be 0). */
static inline uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* The bits of a result: what differs in the last place is seen. */
static inline uint64_t bits_of(double d)
{
    uint64_t u;

    memcpy(&u, &d, sizeof(u));
    return u;
}

#endif
