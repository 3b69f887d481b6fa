/*
 * Socket addresses of the schema: resolving, listening, connecting, and back again.
 */
#include "system/net/sockaddr.h"
#include "util/fdset.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

static bool unix_address(const QapiUnixSocketAddress *u, NetSockAddr *a, Error **errp)
{
    bool abstract = u->has_abstract && u->abstract;
    size_t n = strlen(u->path), max = sizeof(a->un.sun_path) - 1;

    if (!n || n > max) {
        error_setg(errp, "UNIX socket path '%s' must be 1..%zu bytes", u->path, max);
        return false;
    }
    *a = (NetSockAddr){ .un.sun_family = AF_UNIX };
    memcpy(a->un.sun_path + abstract, u->path, n);
    a->len = abstract && u->has_tight && !u->tight ? sizeof(a->un) : offsetof(struct sockaddr_un, sun_path) + n + 1;
    return true;
}

static struct addrinfo *inet_addresses(const QapiInetSocketAddress *in, int type, bool passive, Error **errp)
{
    bool only4 = (in->has_ipv4 && in->ipv4 && !(in->has_ipv6 && in->ipv6)) || (in->has_ipv6 && !in->ipv6);
    bool only6 = (in->has_ipv6 && in->ipv6 && !(in->has_ipv4 && in->ipv4)) || (in->has_ipv4 && !in->ipv4);
    struct addrinfo hints = { .ai_socktype = type, .ai_flags = passive ? AI_PASSIVE : 0 }, *list;
    int rc;

    if (only4 && only6) {
        error_setg(errp, "'%s:%s': ipv4 and ipv6 are both off", in->host, in->port);
        return NULL;
    }
    /* getaddrinfo() takes a number's low 16 bits. */
    if (in->port[strspn(in->port, "0123456789")] == '\0' && g_ascii_strtoull(in->port, NULL, 10) > UINT16_MAX) {
        error_setg(errp, "port '%s' is greater than %u", in->port, UINT16_MAX);
        return NULL;
    }
    hints.ai_family = only4 ? AF_INET : only6 ? AF_INET6 : AF_UNSPEC;
    rc = getaddrinfo(*in->host ? in->host : NULL, in->port, &hints, &list);
    if (rc) {
        error_setg(errp, "address resolution failed for %s:%s: %s", in->host, in->port, gai_strerror(rc));
        return NULL;
    }
    return list;
}

bool net_sockaddr_resolve(const QapiSocketAddress *addr, int type, bool passive, NetSockAddr *a, Error **errp)
{
    struct addrinfo *list;

    if (addr->type == QAPI_SOCKET_ADDRESS_TYPE_UNIX) {
        return unix_address(&addr->u.q_unix, a, errp);
    }
    assert(addr->type == QAPI_SOCKET_ADDRESS_TYPE_INET);
    list = inet_addresses(&addr->u.inet, type, passive, errp);
    if (!list) {
        return false;
    }
    memcpy(&a->storage, list->ai_addr, list->ai_addrlen);
    a->len = list->ai_addrlen;
    freeaddrinfo(list);
    return true;
}

bool net_sockaddr_is_multicast(const NetSockAddr *a)
{
    return a->sa.sa_family == AF_INET && IN_MULTICAST(ntohl(a->in.sin_addr.s_addr));
}

QapiSocketAddress *net_socket_address(const NetSockAddr *a)
{
    QapiSocketAddress *addr = g_new0(QapiSocketAddress, 1);
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (a->sa.sa_family == AF_UNIX) {
        addr->type = QAPI_SOCKET_ADDRESS_TYPE_UNIX;
        addr->u.q_unix.path = g_strndup(a->len > offsetof(struct sockaddr_un, sun_path) ? a->un.sun_path : "",
                                        sizeof(a->un.sun_path));
        return addr;
    }
    addr->type = QAPI_SOCKET_ADDRESS_TYPE_INET;
    if (getnameinfo(&a->sa, a->len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV)) {
        host[0] = port[0] = '\0';
    }
    addr->u.inet.host = g_strdup(host);
    addr->u.inet.port = g_strdup(port);
    return addr;
}

char *net_socket_address_text(const QapiSocketAddress *addr)
{
    switch (addr->type) {
    case QAPI_SOCKET_ADDRESS_TYPE_INET: return g_strdup_printf("tcp:%s:%s", addr->u.inet.host, addr->u.inet.port);
    case QAPI_SOCKET_ADDRESS_TYPE_UNIX: return g_strdup_printf("unix:%s", addr->u.q_unix.path);
    default:                            return g_strdup_printf("fd:%s", addr->u.fd.str);
    }
}

static int socket_option(int fd, int option)
{
    int v;
    socklen_t len = sizeof(v);

    return getsockopt(fd, SOL_SOCKET, option, &v, &len) < 0 ? -1 : v;
}

int net_socket_type(int fd)
{
    return socket_option(fd, SO_TYPE);
}

static bool check_socket(const char *text, int fd, int type, bool listening, Error **errp)
{
    int is = net_socket_type(fd);

    if (is < 0) {
        error_setg(errp, "file descriptor '%s' is not a socket", text);
    } else if (type ? is != type : is != SOCK_STREAM && is != SOCK_DGRAM) {
        error_setg(errp, "file descriptor '%s' is not a socket of %s", text,
                   type == SOCK_STREAM ? "streams" : type == SOCK_DGRAM ? "datagrams" : "streams or datagrams");
    } else if (is == SOCK_STREAM && (socket_option(fd, SO_ACCEPTCONN) > 0) != listening) {
        error_setg(errp, "file descriptor '%s' is a socket that %s", text, listening ? "does not listen" : "listens");
    } else {
        return true;
    }
    return false;
}

int net_socket_from_fd(const char *text, int type, bool listening, Error **errp)
{
    int fd = fd_from_text(text, errp);

    if (fd < 0) {
        return -1;
    }
    if (!check_socket(text, fd, type, listening, errp)) {
        if (!g_ascii_isdigit(text[0])) {    /* a received one was ours from the time it was taken */
            close(fd);
        }
        return -1;
    }
    net_socket_prepare(fd);
    return fd;
}

void net_socket_prepare(int fd)
{
    int one = 1;

    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));    /* no harm to others */
}

static int bind_and_listen(const NetSockAddr *a)
{
    int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

    if (fd >= 0 && a->sa.sa_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (fd >= 0 && (bind(fd, &a->sa, a->len) || listen(fd, 1))) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int net_socket_listen(const QapiSocketAddress *addr, Error **errp)
{
    g_autofree char *text = net_socket_address_text(addr);
    unsigned first, last;
    NetSockAddr a;
    int fd = -1;

    if (!net_sockaddr_resolve(addr, SOCK_STREAM, true, &a, errp)) {
        return -1;
    }
    if (a.sa.sa_family == AF_UNIX) {
        if (a.un.sun_path[0]) {
            unlink(a.un.sun_path);      /* left over from one that died */
        }
        fd = bind_and_listen(&a);
    } else {
        first = ntohs(a.in.sin_port);   /* at the same place in sockaddr_in6 */
        last = addr->u.inet.has_to ? MAX(addr->u.inet.to, first) : first;
        for (unsigned port = first; fd < 0 && port <= last; port++) {
            a.in.sin_port = htons(port);
            fd = bind_and_listen(&a);
        }
    }
    if (fd < 0) {
        error_setg_errno(errp, errno, "failed to listen on '%s'", text);
    }
    return fd;
}

int net_socket_connect(const QapiSocketAddress *addr, bool wait, Error **errp)
{
    g_autofree char *text = net_socket_address_text(addr);
    NetSockAddr a;
    int fd;

    if (!net_sockaddr_resolve(addr, SOCK_STREAM, false, &a, errp)) {
        return -1;
    }
    fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);
    if (fd >= 0 && connect(fd, &a.sa, a.len) < 0 && errno != EINPROGRESS) {
        int saved = errno;

        close(fd);
        fd = -1;
        errno = saved;
    }
    if (fd < 0) {
        error_setg_errno(errp, errno, "failed to connect to '%s'", text);
    }
    return fd;
}

QapiSocketAddress *net_socket_parse_host_port(const char *text, bool passive, Error **errp)
{
    const char *colon = strrchr(text, ':');
    QapiSocketAddress *addr;
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool bracket = n > 1 && text[0] == '[' && text[n - 1] == ']';

    if (!colon || !colon[1] || (!n && !passive)) {
        error_setg(errp, "'%s' is no HOST:PORT", text);
        return NULL;
    }
    addr = g_new0(QapiSocketAddress, 1);
    addr->type = QAPI_SOCKET_ADDRESS_TYPE_INET;
    addr->u.inet.host = g_strndup(text + bracket, n - 2 * bracket);
    addr->u.inet.port = g_strdup(colon + 1);
    addr->u.inet.has_ipv4 = addr->u.inet.ipv4 = passive && !n;
    return addr;
}
