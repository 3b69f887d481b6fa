/*
 * Sources of entropy for devices.
 */
#include "system/rng.h"
#include "util/guest-random.h"

#include <fcntl.h>
#include <unistd.h>

static void rng_backend_init(Object *obj)
{
    RNG_BACKEND(obj)->fd = -1;
}

static void rng_backend_fini(Object *obj)
{
    if (RNG_BACKEND(obj)->fd >= 0) {
        close(RNG_BACKEND(obj)->fd);
    }
}

TYPE_DEFINE_ABSTRACT(RngBackend, rng_backend, "rng-backend", object,
    .init = rng_backend_init,
    .fini = rng_backend_fini,
)

static bool rng_random_complete(Object *obj, Error **errp)
{
    RngBackend *b = RNG_BACKEND(obj);

    b->fd = open(b->filename, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (b->fd < 0) {
        error_setg_errno(errp, errno, "cannot open entropy source '%s'", b->filename);
        return false;
    }
    return true;
}

static const Property rng_random_properties[] = {
    PROP_STRING("filename", RngBackend, filename, .def_str = "/dev/urandom", .help = "file to read"),
};

TYPE_DEFINE(RngBackend, rng_random, "rng-random", rng_backend,
    .desc = "entropy from a file",
    .complete = rng_random_complete,
    .properties = PROPS(rng_random_properties),
    .user_creatable = true,
)

TYPE_DEFINE(RngBackend, rng_builtin, "rng-builtin", rng_backend,
    .desc = "entropy from the host's getrandom()",
    .user_creatable = true,
)

size_t rng_backend_fill(RngBackend *b, void *buf, size_t len)
{
    ssize_t n;

    if (b->fd < 0) {
        guest_random_fill(GUEST_RANDOM_DEVICES, buf, len);
        return len;
    }
    n = read(b->fd, buf, len);
    return n > 0 ? (size_t)n : 0;
}
