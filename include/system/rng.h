/*
 * Sources of entropy: rng-random (a file), rng-builtin (getrandom).
 */
#ifndef SYSTEM_RNG_H
#define SYSTEM_RNG_H

#include "util/qom/object.h"

typedef struct RngBackend {
    Object obj;
    char *filename;     /* rng-random */
    int fd;
} RngBackend;

extern const TypeInfo rng_backend_type;         /* "rng-backend", abstract */
extern const TypeInfo rng_builtin_type;
static inline RngBackend *RNG_BACKEND(const void *obj)
{
    return (RngBackend *)object_check_cast(obj, &rng_backend_type);
}

/* Up to @len bytes into @buf; returns how many there were without waiting. */
size_t rng_backend_fill(RngBackend *b, void *buf, size_t len);

#endif
