/*
 * Descriptors that came from outside, see util/fdset.h.
 */
#include "util/fdset.h"

#include <fcntl.h>
#include <unistd.h>

#define FDSET_PREFIX "/dev/fdset/"

typedef struct FdEntry {
    int fd;
    char *opaque;               /* NULL = none */
} FdEntry;

typedef struct FdSet {
    int64_t id;
    GArray *entries;            /* of FdEntry, in order of arrival */
} FdSet;

static GPtrArray *sets;         /* of FdSet *, ids ascending; BQL */
static GHashTable *named;       /* name -> fd; BQL */

static void set_free(gpointer p)
{
    FdSet *s = p;

    for (unsigned i = 0; i < s->entries->len; i++) {
        close(g_array_index(s->entries, FdEntry, i).fd);
        g_free(g_array_index(s->entries, FdEntry, i).opaque);
    }
    g_array_unref(s->entries);
    g_free(s);
}

static FdSet *set_find(int64_t id)
{
    for (unsigned i = 0; sets && i < sets->len; i++) {
        FdSet *s = g_ptr_array_index(sets, i);

        if (s->id == id) {
            return s;
        }
    }
    return NULL;
}

static FdSet *set_new(int64_t id)
{
    FdSet *s = g_new0(FdSet, 1);
    unsigned at = 0;

    s->id = id;
    s->entries = g_array_new(false, false, sizeof(FdEntry));
    if (!sets) {
        sets = g_ptr_array_new_with_free_func(set_free);
    }
    while (at < sets->len && ((FdSet *)g_ptr_array_index(sets, at))->id < id) {
        at++;
    }
    g_ptr_array_insert(sets, (int)at, s);
    return s;
}

/* The lowest id that is not in use. */
static int64_t free_id(void)
{
    int64_t id = 0;

    while (set_find(id)) {
        id++;
    }
    return id;
}

int64_t fdset_add(int64_t id, int fd, const char *opaque, Error **errp)
{
    FdEntry entry = { fd, g_strdup(opaque) };
    FdSet *s;

    if (id < -1) {
        error_setg(errp, "Parameter 'fdset-id' expects a non-negative value");
        g_free(entry.opaque);
        close(fd);
        return -1;
    }
    id = id < 0 ? free_id() : id;
    s = set_find(id);
    s = s ? s : set_new(id);
    g_array_append_val(s->entries, entry);
    return id;
}

bool fdset_remove(int64_t id, const int64_t *fd, Error **errp)
{
    FdSet *s = set_find(id);
    bool found = false;

    for (unsigned i = 0; s && i < s->entries->len;) {
        FdEntry *e = &g_array_index(s->entries, FdEntry, i);

        if (fd && e->fd != *fd) {
            i++;
            continue;
        }
        close(e->fd);
        g_free(e->opaque);
        g_array_remove_index(s->entries, i);
        found = true;
    }
    if (!found) {
        g_autofree char *tail = fd ? g_strdup_printf(", fd:%" PRId64, *fd) : g_strdup("");

        error_setg(errp, "File descriptor named 'fdset-id:%" PRId64 "%s' not found", id, tail);
        return false;
    }
    if (!s->entries->len) {
        g_ptr_array_remove(sets, s);
    }
    return true;
}

void fdset_foreach(void (*fn)(int64_t id, int fd, const char *opaque_text, void *opaque), void *opaque)
{
    for (unsigned i = 0; sets && i < sets->len; i++) {
        const FdSet *s = g_ptr_array_index(sets, i);

        for (unsigned j = 0; j < s->entries->len; j++) {
            const FdEntry *e = &g_array_index(s->entries, FdEntry, j);

            fn(s->id, e->fd, e->opaque, opaque);
        }
    }
}

/* A duplicate of the set's descriptor with this access mode. */
static int set_dup(int64_t id, int flags)
{
    const FdSet *s = set_find(id);

    for (unsigned i = 0; s && i < s->entries->len; i++) {
        int fd = g_array_index(s->entries, FdEntry, i).fd, found = fcntl(fd, F_GETFL);

        if (found < 0 || (found & O_ACCMODE) != (flags & O_ACCMODE)) {
            continue;
        }
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        /* Status flags belong to the open file, which the sender may share: they only ever get more. */
        if (fd >= 0 && (flags & (O_APPEND | O_NONBLOCK | O_DIRECT) & ~found)
            && fcntl(fd, F_SETFL, found | (flags & (O_APPEND | O_NONBLOCK | O_DIRECT))) < 0) {
            close(fd);
            return -1;
        }
        if (fd >= 0 && (flags & O_TRUNC) && ftruncate(fd, 0) < 0 && errno != EINVAL) {     /* EINVAL: no file */
            close(fd);
            return -1;
        }
        return fd;
    }
    errno = s ? EACCES : ENOENT;
    return -1;
}

int fdset_open(const char *path, int flags, mode_t mode)
{
    gint64 id;

    if (!g_str_has_prefix(path, FDSET_PREFIX)) {
        return open(path, flags | O_CLOEXEC, mode);
    }
    if (!g_ascii_string_to_signed(path + strlen(FDSET_PREFIX), 10, 0, G_MAXINT64, &id, NULL)) {
        errno = EINVAL;
        return -1;
    }
    return set_dup(id, flags);
}

/* --- names --- */

void named_fd_put(const char *name, int fd)
{
    gpointer old;

    if (!named) {
        named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    }
    if (g_hash_table_lookup_extended(named, name, NULL, &old)) {
        close(GPOINTER_TO_INT(old));
    }
    g_hash_table_replace(named, g_strdup(name), GINT_TO_POINTER(fd));
}

static int take(const char *name)
{
    gpointer fd;

    if (!named || !g_hash_table_lookup_extended(named, name, NULL, &fd)) {
        return -1;
    }
    g_hash_table_remove(named, name);
    return GPOINTER_TO_INT(fd);
}

int named_fd_take(const char *name, Error **errp)
{
    int fd = take(name);

    if (fd < 0) {
        error_setg(errp, "File descriptor named '%s' has not been found", name);
    }
    return fd;
}

bool named_fd_close(const char *name, Error **errp)
{
    int fd = take(name);

    if (fd < 0) {
        error_setg(errp, "File descriptor named '%s' not found", name);
        return false;
    }
    close(fd);
    return true;
}

int fd_from_text(const char *text, Error **errp)
{
    guint64 fd;

    if (!g_ascii_isdigit(text[0])) {
        return named_fd_take(text, errp);
    }
    if (!g_ascii_string_to_unsigned(text, 10, 0, INT_MAX, &fd, NULL) || fcntl((int)fd, F_GETFD) < 0) {
        error_setg(errp, "'%s' is no open file descriptor", text);
        return -1;
    }
    return (int)fd;
}
