/*
 * The few words every file uses: integer types, sizes, bit fields, assertions.
 */
#ifndef UTIL_BASE_H
#define UTIL_BASE_H

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <glib.h>

/* A guest-physical address or an offset into a memory region. */
typedef uint64_t hwaddr;
#define HWADDR_PRIx PRIx64

/* A guest-virtual (linear) address. */
typedef uint64_t vaddr;
#define VADDR_PRIx PRIx64

#define KiB (1ULL << 10)
#define MiB (1ULL << 20)
#define GiB (1ULL << 30)
#define TiB (1ULL << 40)

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#ifndef container_of
#define container_of(ptr, type, member) \
    ((type *)((char *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))
#endif

#define BIT(n)     (1U << (n))
#define BIT_ULL(n) (1ULL << (n))

#define SWAP(a, b) \
    do { __typeof__(a) swap_tmp_ = (a); (a) = (b); (b) = swap_tmp_; } while (0)

#define ROUND_DOWN(n, d)    ((n) & ~((__typeof__(n))(d) - 1))      /* d: a power of two */
#define ROUND_UP(n, d)      ROUND_DOWN((n) + ((d) - 1), d)
#define DIV_ROUND_UP(n, d)  (((n) + (d) - 1) / (d))

#define MUST_USE G_GNUC_WARN_UNUSED_RESULT
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

static inline bool is_power_of_2(uint64_t v)
{
    return v && !(v & (v - 1));
}

/* Bits [@start, @start + @length) of @value, right-aligned.  @length is 1..64. */
static inline uint64_t extract64(uint64_t value, unsigned start, unsigned length)
{
    return (value >> start) & (~0ULL >> (64 - length));
}

static inline uint32_t extract32(uint32_t value, unsigned start, unsigned length)
{
    return (value >> start) & (~0U >> (32 - length));
}

/* @value with bits [@start, @start + @length) replaced by the low bits of @field. */
static inline uint64_t deposit64(uint64_t value, unsigned start, unsigned length, uint64_t field)
{
    uint64_t mask = (~0ULL >> (64 - length)) << start;
    return (value & ~mask) | ((field << start) & mask);
}

static inline uint32_t deposit32(uint32_t value, unsigned start, unsigned length, uint32_t field)
{
    return (uint32_t)deposit64(value, start, length, field);
}

/* The low @length bits of @value, sign-extended. */
static inline int64_t sextract64(uint64_t value, unsigned start, unsigned length)
{
    return (int64_t)(value << (64 - length - start)) >> (64 - length);
}

/* Unaligned little- and big-endian accessors for guest-visible structures. */
#define DEFINE_LD_ST(bits)                                                                    \
    static inline uint##bits##_t ld##bits##_le(const void *p)                                 \
    {                                                                                         \
        uint##bits##_t v;                                                                     \
        memcpy(&v, p, sizeof(v));                                                             \
        return GUINT##bits##_FROM_LE(v);                                                      \
    }                                                                                         \
    static inline uint##bits##_t ld##bits##_be(const void *p)                                 \
    {                                                                                         \
        uint##bits##_t v;                                                                     \
        memcpy(&v, p, sizeof(v));                                                             \
        return GUINT##bits##_FROM_BE(v);                                                      \
    }                                                                                         \
    static inline void st##bits##_le(void *p, uint##bits##_t v)                               \
    {                                                                                         \
        v = GUINT##bits##_TO_LE(v);                                                           \
        memcpy(p, &v, sizeof(v));                                                             \
    }                                                                                         \
    static inline void st##bits##_be(void *p, uint##bits##_t v)                               \
    {                                                                                         \
        v = GUINT##bits##_TO_BE(v);                                                           \
        memcpy(p, &v, sizeof(v));                                                             \
    }
DEFINE_LD_ST(16)
DEFINE_LD_ST(32)
DEFINE_LD_ST(64)
#undef DEFINE_LD_ST

#endif
