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

static SocketPlace place(const QapiSocketAddress *addr)
{
    const QapiInetSocketAddress *in = &addr->u.inet;

    if (addr->type == QAPI_SOCKET_ADDRESS_TYPE_UNIX) {
        const QapiUnixSocketAddress *u = &addr->u.q_unix;

        return (SocketPlace){ .path = u->path, .abstract = u->has_abstract && u->abstract, .loose = u->has_tight && !u->tight };
    }
    assert(addr->type == QAPI_SOCKET_ADDRESS_TYPE_INET);
    return (SocketPlace){ .host = in->host, .port = in->port, .to = in->has_to ? in->to : 0, .has_ipv4 = in->has_ipv4,
                          .ipv4 = in->ipv4, .has_ipv6 = in->has_ipv6, .ipv6 = in->ipv6 };
}

bool net_sockaddr_resolve(const QapiSocketAddress *addr, int type, bool passive, SockAddr *a, Error **errp)
{
    SocketPlace p = place(addr);
    g_autoptr(GArray) all = socket_resolve(&p, type, passive, errp);

    if (all) {
        *a = g_array_index(all, SockAddr, 0);
    }
    return all;
}

bool net_sockaddr_is_multicast(const SockAddr *a)
{
    return a->sa.sa_family == AF_INET && IN_MULTICAST(ntohl(a->in.sin_addr.s_addr));
}

QapiSocketAddress *net_socket_address(const SockAddr *a)
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

int net_socket_listen(const QapiSocketAddress *addr, SocketFile *file, Error **errp)
{
    SocketPlace p = place(addr);
    int fd = socket_listen(&p, file, errp);

    if (fd >= 0) {
        net_socket_prepare(fd);
    }
    return fd;
}

int net_socket_connect(const QapiSocketAddress *addr, bool wait, Error **errp)
{
    SocketPlace p = place(addr);

    return socket_connect(&p, wait, errp);
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
