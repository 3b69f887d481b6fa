/*
 * Sources of entropy for devices.
 */
#include "system/rng.h"
#include "util/guest-random.h"

#include <fcntl.h>
#include <unistd.h>

TYPE_DEFINE_ABSTRACT(RngBackend, rng_backend, "rng-backend", object)

typedef struct RngRandom {
    RngBackend backend;
    char *filename;
    int fd;
} RngRandom;

OBJECT_DECLARE(RngRandom, RNG_RANDOM, rng_random)

static void rng_random_init(Object *obj)
{
    RNG_RANDOM(obj)->fd = -1;
}

static void rng_random_fini(Object *obj)
{
    if (RNG_RANDOM(obj)->fd >= 0) {
        close(RNG_RANDOM(obj)->fd);
    }
}

static bool rng_random_complete(Object *obj, Error **errp)
{
    RngRandom *r = RNG_RANDOM(obj);

    r->fd = open(r->filename, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (r->fd < 0) {
        error_setg_errno(errp, errno, "cannot open entropy source '%s'", r->filename);
        return false;
    }
    return true;
}

static size_t rng_random_fill(RngBackend *b, void *buf, size_t len)
{
    ssize_t n = read(RNG_RANDOM(b)->fd, buf, len);

    return n > 0 ? (size_t)n : 0;
}

static const Property rng_random_properties[] = {
    PROP_STRING("filename", RngRandom, filename, .def_str = "/dev/urandom", .help = "file to read"),
};

RNG_BACKEND_DEFINE(RngRandom, rng_random, "rng-random",
    .desc = "entropy from a file",
    .init = rng_random_init,
    .fini = rng_random_fini,
    .complete = rng_random_complete,
    .fill = rng_random_fill,
    .properties = PROPS(rng_random_properties),
    .user_creatable = true,
)

static size_t rng_builtin_fill(RngBackend *b, void *buf, size_t len)
{
    guest_random_fill(GUEST_RANDOM_DEVICES, buf, len);
    return len;
}

RNG_BACKEND_DEFINE(RngBackend, rng_builtin, "rng-builtin",
    .desc = "entropy from the host's getrandom()",
    .fill = rng_builtin_fill,
    .user_creatable = true,
)

size_t rng_backend_fill(RngBackend *b, void *buf, size_t len)
{
    return ((const RngBackendClass *)b->obj.type->info)->fill(b, buf, len);
}
