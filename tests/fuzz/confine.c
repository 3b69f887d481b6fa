/*
 * Wrapped library calls; see confine.h.  --wrap=NAME sends calls of NAME to __wrap_NAME, and __real_NAME is
 * the library's own.
 */
#include "tests/fuzz/confine.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_MAPPING    (64 * MiB)
#define MAX_FILE_BYTES (64 * MiB)

static char *folder;
static bool confined, touched;

const char *confine_folder(void)
{
    return folder;
}

static void remove_folder(void)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", folder);

    if (system(command)) {
        fprintf(stderr, "could not remove %s\n", folder);
    }
}

void confine_init(void)
{
    folder = g_dir_make_tmp("quern-fuzz-XXXXXX", NULL);
    if (!folder || chdir(folder) < 0) {
        fprintf(stderr, "no temporary folder: %s\n", g_strerror(errno));
        abort();
    }
    atexit(remove_folder);
}

void confine_enter(void)
{
    confined = true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    return at->level ? remove(path) : 0;
}

void confine_leave(void)
{
    confined = false;
    if (touched) {
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        touched = false;
    }
}

static bool path_allowed(const char *path)
{
    static const char *const harmless[] = { "/dev/null", "/dev/zero", "/dev/urandom", "/dev/random" };
    size_t len = strlen(folder);

    if (!confined) {
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(harmless); i++) {
        if (!strcmp(path, harmless[i])) {
            return true;
        }
    }
    if (g_str_has_prefix(path, folder) && path[len] == '/') {
        path += len + 1;
    }
    if (*path == '/' || strstr(path, "..")) {
        errno = EACCES;
        return false;
    }
    touched = true;
    return true;
}

static bool refuse(void)
{
    if (confined) {
        errno = EACCES;
    }
    return confined;
}

/* --- files --- */

#define WRAP_OPEN(name)                                                                       \
    int __real_##name(const char *path, int flags, ...);                                      \
    int __wrap_##name(const char *path, int flags, ...);                                      \
    int __wrap_##name(const char *path, int flags, ...)                                       \
    {                                                                                         \
        va_list ap;                                                                           \
        unsigned mode;                                                                        \
                                                                                              \
        va_start(ap, flags);                                                                  \
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, unsigned) : 0;                      \
        va_end(ap);                                                                           \
        return path_allowed(path) ? __real_##name(path, flags | (confined ? O_NONBLOCK : 0), mode) : -1; \
    }
WRAP_OPEN(open)
WRAP_OPEN(open64)

#define WRAP_FOPEN(name)                                                                      \
    FILE *__real_##name(const char *path, const char *mode);                                  \
    FILE *__wrap_##name(const char *path, const char *mode);                                  \
    FILE *__wrap_##name(const char *path, const char *mode)                                   \
    {                                                                                         \
        return path_allowed(path) ? __real_##name(path, mode) : NULL;                         \
    }
WRAP_FOPEN(fopen)
WRAP_FOPEN(fopen64)

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
    return path_allowed(path) ? __real_unlink(path) : -1;
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    return path_allowed(from) && path_allowed(to) ? __real_rename(from, to) : -1;
}

int __real_mkstemp(char *path);
int __wrap_mkstemp(char *path);
int __wrap_mkstemp(char *path)
{
    return path_allowed(path) ? __real_mkstemp(path) : -1;
}

gboolean __real_g_file_get_contents(const char *path, char **text, gsize *len, GError **error);
gboolean __wrap_g_file_get_contents(const char *path, char **text, gsize *len, GError **error);
gboolean __wrap_g_file_get_contents(const char *path, char **text, gsize *len, GError **error)
{
    if (!path_allowed(path) || (confined && g_str_has_prefix(path, "/dev/"))) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_ACCES, "'%s' is out of bounds", path);
        return FALSE;
    }
    return __real_g_file_get_contents(path, text, len, error);
}

/* --- sockets, terminals, processes --- */

int __real_bind(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)sa;

    if (confined && (sa->sa_family != AF_UNIX || !un->sun_path[0] || !path_allowed(un->sun_path))) {
        errno = EACCES;
        return -1;
    }
    return __real_bind(fd, sa, len);
}

int __real_connect(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
    return refuse() ? -1 : __real_connect(fd, sa, len);
}

int __real_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
    return refuse() ? -1 : __real_accept4(fd, sa, len, flags);
}

int __real_posix_openpt(int flags);
int __wrap_posix_openpt(int flags);
int __wrap_posix_openpt(int flags)
{
    return refuse() ? -1 : __real_posix_openpt(flags);
}

int __real_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig)
{
    return refuse() ? -1 : __real_kill(pid, sig);
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    return refuse() ? -1 : __real_fork();
}

/* --- much at once --- */

#define WRAP_MMAP(name)                                                                       \
    void *__real_##name(void *at, size_t len, int prot, int flags, int fd, off_t offset);     \
    void *__wrap_##name(void *at, size_t len, int prot, int flags, int fd, off_t offset);     \
    void *__wrap_##name(void *at, size_t len, int prot, int flags, int fd, off_t offset)      \
    {                                                                                         \
        if (confined && len > MAX_MAPPING) {                                                  \
            errno = ENOMEM;                                                                   \
            return MAP_FAILED;                                                                \
        }                                                                                     \
        return __real_##name(at, len, prot, flags, fd, offset);                               \
    }
WRAP_MMAP(mmap)
WRAP_MMAP(mmap64)

#define WRAP_FTRUNCATE(name)                                                                  \
    int __real_##name(int fd, off_t len);                                                     \
    int __wrap_##name(int fd, off_t len);                                                     \
    int __wrap_##name(int fd, off_t len)                                                      \
    {                                                                                         \
        if (confined && len > (off_t)MAX_FILE_BYTES) {                                        \
            errno = ENOSPC;                                                                   \
            return -1;                                                                        \
        }                                                                                     \
        return __real_##name(fd, len);                                                        \
    }
WRAP_FTRUNCATE(ftruncate)
WRAP_FTRUNCATE(ftruncate64)

#define WRAP_FALLOCATE(name)                                                                  \
    int __real_##name(int fd, int mode, off_t offset, off_t len);                             \
    int __wrap_##name(int fd, int mode, off_t offset, off_t len);                             \
    int __wrap_##name(int fd, int mode, off_t offset, off_t len)                              \
    {                                                                                         \
        if (confined && (offset > (off_t)MAX_FILE_BYTES || len > (off_t)MAX_FILE_BYTES)) {    \
            errno = ENOSPC;                                                                   \
            return -1;                                                                        \
        }                                                                                     \
        return __real_##name(fd, mode, offset, len);                                          \
    }
WRAP_FALLOCATE(fallocate)
WRAP_FALLOCATE(fallocate64)
