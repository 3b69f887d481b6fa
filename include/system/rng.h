/*
 * Sources of entropy: rng-random (a file), rng-builtin (getrandom), rng-egd (a daemon).
 */
#ifndef SYSTEM_RNG_H
#define SYSTEM_RNG_H

#include "util/qom/object.h"

typedef struct RngBackend {
    Object obj;
} RngBackend;

typedef struct RngBackendClass {
    struct ObjectInfo;
    size_t (*fill)(RngBackend *b, void *buf, size_t len);   /* as rng_backend_fill() */
} RngBackendClass;

#define RNG_BACKEND_DEFINE(CType, snake, type_name, ...) \
    TYPE_DEFINE_FAMILY(RngBackendClass, CType, snake, type_name, rng_backend, false, __VA_ARGS__)

extern const TypeInfo rng_backend_type;         /* "rng-backend", abstract */
extern const TypeInfo rng_builtin_type;
static inline RngBackend *RNG_BACKEND(const void *obj)
{
    return (RngBackend *)object_check_cast(obj, &rng_backend_type);
}

/* Up to @len bytes into @buf; returns how many there were without waiting. */
size_t rng_backend_fill(RngBackend *b, void *buf, size_t len);

#endif
