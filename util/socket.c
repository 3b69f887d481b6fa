/*
 * Sockets of the host by what options say of them.
 */
#include "util/socket.h"

#include <errno.h>
#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 4

char *socket_place_text(const SocketPlace *p)
{
    return p->path ? g_strdup(p->path) : g_strdup_printf("%s:%s", p->host ? p->host : "", p->port);
}

/* --- addresses --- */

static bool unix_address(const SocketPlace *p, SockAddr *a, Error **errp)
{
    size_t n = strlen(p->path), max = sizeof(a->un.sun_path) - 1;

    if (!n || n > max) {
        error_setg(errp, "UNIX socket path '%s' must be 1..%zu bytes long", p->path, max);
        return false;
    }
    *a = (SockAddr){ .un.sun_family = AF_UNIX };
    memcpy(a->un.sun_path + p->abstract, p->path, n);
    a->len = p->abstract && p->loose ? sizeof(a->un) : offsetof(struct sockaddr_un, sun_path) + n + 1;
    return true;
}

static struct addrinfo *inet_addresses(const SocketPlace *p, int type, bool passive, Error **errp)
{
    bool only4 = (p->has_ipv4 && p->ipv4 && !(p->has_ipv6 && p->ipv6)) || (p->has_ipv6 && !p->ipv6);
    bool only6 = (p->has_ipv6 && p->ipv6 && !(p->has_ipv4 && p->ipv4)) || (p->has_ipv4 && !p->ipv4);
    struct addrinfo hints = { .ai_socktype = type, .ai_flags = passive ? AI_PASSIVE : 0 }, *list;
    const char *host = p->host && *p->host ? p->host : NULL;
    int rc;

    if (only4 && only6) {
        error_setg(errp, "'%s:%s': ipv4 and ipv6 are both off", host ? host : "", p->port);
        return NULL;
    }
    /* getaddrinfo() takes a number's low 16 bits. */
    if (p->port[strspn(p->port, "0123456789")] == '\0' && g_ascii_strtoull(p->port, NULL, 10) > UINT16_MAX) {
        error_setg(errp, "port '%s' is greater than %u", p->port, UINT16_MAX);
        return NULL;
    }
    hints.ai_family = only4 ? AF_INET : only6 ? AF_INET6 : AF_UNSPEC;
    rc = getaddrinfo(host, p->port, &hints, &list);
    if (rc) {
        error_setg(errp, "address resolution failed for %s:%s: %s", host ? host : "", p->port, gai_strerror(rc));
        return NULL;
    }
    return list;
}

GArray *socket_resolve(const SocketPlace *p, int type, bool passive, Error **errp)
{
    g_autoptr(GArray) all = g_array_new(false, true, sizeof(SockAddr));
    struct addrinfo *list;
    SockAddr a;

    if (p->path) {
        if (!unix_address(p, &a, errp)) {
            return NULL;
        }
        g_array_append_val(all, a);
        return g_steal_pointer(&all);
    }
    list = inet_addresses(p, type, passive, errp);
    for (struct addrinfo *i = list; i; i = i->ai_next) {
        a = (SockAddr){ .len = i->ai_addrlen };
        memcpy(&a.storage, i->ai_addr, i->ai_addrlen);
        g_array_append_val(all, a);
    }
    if (list) {
        freeaddrinfo(list);
    }
    return list ? g_steal_pointer(&all) : NULL;
}

/* --- listening --- */

void socket_unlink_stale(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(path);
    }
}

static int close_and_fail(int fd)
{
    int saved = errno;

    if (fd >= 0) {
        close(fd);
    }
    errno = saved;
    return -1;
}

/* An IPv6 socket serves IPv4 as well where nobody asked for one of them alone. */
static bool is_v6_only(const SocketPlace *p)
{
    bool none = !p->has_ipv4 && !p->has_ipv6, both = p->has_ipv4 && p->ipv4 && p->has_ipv6 && p->ipv6;

    return !none && !both;
}

/* -1 and errno */
static int listen_at(const SockAddr *a, bool v6_only)
{
    int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, only = v6_only;

    if (fd < 0) {
        return -1;
    }
    if (a->sa.sa_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (a->sa.sa_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    }
    if (bind(fd, &a->sa, a->len) < 0 || listen(fd, BACKLOG) < 0) {
        return close_and_fail(fd);
    }
    return fd;
}

/* The first address that can be had of the first port that is free. */
static int listen_inet(const SocketPlace *p, GArray *all)
{
    unsigned first = ntohs(g_array_index(all, SockAddr, 0).in.sin_port), last = MIN(MAX(p->to, first), UINT16_MAX);
    int fd = -1;

    errno = EADDRINUSE;
    for (unsigned port = first; fd < 0 && port <= last && errno == EADDRINUSE; port++) {
        for (unsigned i = 0; fd < 0 && i < all->len; i++) {
            SockAddr *a = &g_array_index(all, SockAddr, i);

            a->in.sin_port = htons((uint16_t)port);         /* at the same place in sockaddr_in6 */
            fd = listen_at(a, is_v6_only(p));
        }
    }
    return fd;
}

static void note_file(SocketFile *file, const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0) {
        *file = (SocketFile){ g_canonicalize_filename(path, NULL), st.st_dev, st.st_ino };   /* -daemonize changes the folder */
    }
}

int socket_listen(const SocketPlace *p, SocketFile *file, Error **errp)
{
    g_autoptr(GArray) all = socket_resolve(p, SOCK_STREAM, true, errp);
    g_autofree char *text = socket_place_text(p);
    bool in_folder = p->path && !p->abstract;
    int fd;

    *file = (SocketFile){ 0 };
    if (!all) {
        return -1;
    }
    if (in_folder) {
        socket_unlink_stale(p->path);
    }
    fd = p->path ? listen_at(&g_array_index(all, SockAddr, 0), false) : listen_inet(p, all);
    if (fd < 0) {
        error_setg_errno(errp, errno, "Failed to listen on '%s'", text);
    } else if (in_folder) {
        note_file(file, p->path);
    }
    return fd;
}

void socket_file_remove(SocketFile *file)
{
    struct stat st;

    if (file->path && stat(file->path, &st) == 0 && st.st_dev == file->dev && st.st_ino == file->ino) {
        unlink(file->path);
    }
    g_clear_pointer(&file->path, g_free);
}

/* --- connecting --- */

static int connect_to(const SockAddr *a, bool wait)
{
    int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);

    if (fd < 0 || (connect(fd, &a->sa, a->len) < 0 && errno != EINPROGRESS)) {
        return close_and_fail(fd);
    }
    return fd;
}

int socket_connect(const SocketPlace *p, bool wait, Error **errp)
{
    g_autoptr(GArray) all = socket_resolve(p, SOCK_STREAM, false, errp);
    g_autofree char *text = socket_place_text(p);
    int fd = -1;

    if (!all) {
        return -1;
    }
    for (unsigned i = 0; fd < 0 && i < all->len; i++) {
        fd = connect_to(&g_array_index(all, SockAddr, i), wait);
    }
    if (fd < 0) {
        error_setg_errno(errp, errno, "Failed to connect to '%s'", text);
    }
    return fd;
}
