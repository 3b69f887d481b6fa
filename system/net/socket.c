/*
 * "socket": the old spellings of stream and dgram.
 */
#include "system/net/sockaddr.h"
#include "system/net/stream.h"

static bool open_stream(const QapiNetdev *opts, const char *where, bool server, Error **errp)
{
    g_autoptr(QapiSocketAddress) addr = net_socket_parse_host_port(where, server, errp);
    NetStreamParams params = { .addr = addr, .server = server, .wait = !server };

    return addr && net_stream_open(opts->id, &params, errp);
}

/* A connected socket; datagrams or a stream. */
static bool open_fd(const QapiNetdev *opts, Error **errp)
{
    QapiSocketAddress addr = { .type = QAPI_SOCKET_ADDRESS_TYPE_FD, .u.fd.str = opts->u.socket.fd };
    g_autofree char *about = g_strdup_printf("fd=%s", opts->u.socket.fd);
    int fd = net_socket_from_fd(opts->u.socket.fd, 0, false, errp);
    NetStreamParams params = { .addr = &addr, .has_fd = true, .fd = fd };

    if (fd < 0) {
        return false;
    }
    if (net_socket_type(fd) == SOCK_STREAM) {
        return net_stream_open(opts->id, &params, errp);
    }
    net_dgram_new(opts->id, &net_dgram_socket_info, fd, NULL, about);
    return true;
}

static bool resolve(const char *text, bool passive, SockAddr *a, Error **errp)
{
    g_autoptr(QapiSocketAddress) addr = net_socket_parse_host_port(text, passive, errp);

    return addr && net_sockaddr_resolve(addr, SOCK_DGRAM, passive, a, errp);
}

static bool open_multicast(const QapiNetdev *opts, Error **errp)
{
    const QapiNetdevSocketOptions *o = &opts->u.socket;
    g_autofree char *about = g_strdup_printf("mcast=%s", o->mcast), *local_text = NULL;
    SockAddr group, local;
    int fd;

    if (!resolve(o->mcast, false, &group, errp)) {
        return false;
    }
    if (!net_sockaddr_is_multicast(&group)) {
        error_setg(errp, "mcast=%s is no IPv4 multicast address", o->mcast);
        return false;
    }
    local_text = o->localaddr ? g_strdup_printf("%s:0", o->localaddr) : NULL;
    if (local_text && !resolve(local_text, false, &local, errp)) {
        return false;
    }
    fd = net_dgram_join(&group, local_text ? &local : NULL, errp);
    if (fd < 0) {
        return false;
    }
    net_dgram_new(opts->id, &net_dgram_socket_info, fd, &group, about);
    return true;
}

static bool open_udp(const QapiNetdev *opts, Error **errp)
{
    const QapiNetdevSocketOptions *o = &opts->u.socket;
    g_autofree char *about = g_strdup_printf("udp=%s", o->udp);
    SockAddr remote, local;
    int fd;

    if (!o->localaddr) {
        error_setg(errp, "localaddr= is mandatory with udp=");
        return false;
    }
    if (!resolve(o->udp, false, &remote, errp) || !resolve(o->localaddr, true, &local, errp)) {
        return false;
    }
    fd = net_dgram_bind(&local, errp);
    if (fd < 0) {
        return false;
    }
    net_dgram_new(opts->id, &net_dgram_socket_info, fd, &remote, about);
    return true;
}

static bool socket_open(const QapiNetdev *opts, Error **errp)
{
    const QapiNetdevSocketOptions *o = &opts->u.socket;

    if (!!o->fd + !!o->listen + !!o->connect + !!o->mcast + !!o->udp != 1) {
        error_setg(errp, "exactly one of listen=, connect=, mcast=, udp= or fd= is required");
        return false;
    }
    if (o->localaddr && !o->mcast && !o->udp) {
        error_setg(errp, "localaddr= is only valid with mcast= or udp=");
        return false;
    }
    return o->fd ? open_fd(opts, errp)
        : o->listen ? open_stream(opts, o->listen, true, errp)
        : o->connect ? open_stream(opts, o->connect, false, errp)
        : o->mcast ? open_multicast(opts, errp) : open_udp(opts, errp);
}

const NetBackend net_socket_backend = { "socket", "a socket, in its old spelling", socket_open };
