/*
 * Frames as datagrams: "dgram", and the udp= and mcast= forms of "socket".
 *
 * A multicast group is a cable that many share: every member gets what one sends, the sender included
 * (members on one host share address and port, so they cannot be told apart).
 */
#include "system/net/sockaddr.h"
#include "system/net/stream.h"
#include "util/main-loop.h"

#include <netinet/tcp.h>
#include <unistd.h>

typedef struct DgramClient {
    NetClient nc;
    int fd;
    bool has_remote;
    SockAddr remote;
    bool reading_stopped, want_write;
    char *unlink_path;
    uint8_t *in;
} DgramClient;

#define FRAMES_PER_WAKEUP 64            /* then others have their turn */

static DgramClient *dgram(NetClient *nc)
{
    return container_of(nc, DgramClient, nc);
}

static void update(DgramClient *d);

static void on_sent(NetClient *nc)
{
    dgram(nc)->reading_stopped = false;
    update(dgram(nc));
}

static void on_readable(void *opaque)
{
    DgramClient *d = opaque;

    for (unsigned i = 0; i < FRAMES_PER_WAKEUP && !d->reading_stopped; i++) {
        ssize_t n = recv(d->fd, d->in, NET_FRAME_MAX, MSG_TRUNC);

        if (n < 0) {
            break;                      /* nothing more, or an ICMP error about what was sent: datagrams may be lost */
        }
        if (n > (ssize_t)NET_FRAME_MAX) {
            d->nc.oversized++;
            d->nc.dropped++;
        } else {
            d->reading_stopped = !net_send(&d->nc, NULL, d->in, n, on_sent);
        }
    }
    update(d);
}

static void on_writable(void *opaque)
{
    DgramClient *d = opaque;

    d->want_write = false;
    update(d);
    net_receive_more(&d->nc);
}

static NetResult dgram_receive(NetClient *nc, const NetOffload *off, uint8_t *data, size_t len)
{
    DgramClient *d = dgram(nc);
    ssize_t n = sendto(d->fd, data, len, MSG_NOSIGNAL, d->has_remote ? &d->remote.sa : NULL, d->has_remote ? d->remote.len : 0);

    if (n < 0 && errno == EAGAIN) {
        d->want_write = true;
        update(d);
        return NET_LATER;
    }
    d->nc.dropped += n < 0;             /* nobody there, too long for the socket */
    return NET_TAKEN;
}

static void update(DgramClient *d)
{
    main_loop_set_fd(d->fd, d->reading_stopped ? NULL : on_readable, d->want_write ? on_writable : NULL, d);
}

static void dgram_cleanup(NetClient *nc)
{
    DgramClient *d = dgram(nc);

    main_loop_set_fd(d->fd, NULL, NULL, NULL);
    close(d->fd);
    if (d->unlink_path) {
        unlink(d->unlink_path);
        g_free(d->unlink_path);
    }
    g_free(d->in);
}

static const NetClientInfo dgram_info = {
    .model = "dgram", .size = sizeof(DgramClient), .receive = dgram_receive, .cleanup = dgram_cleanup,
};

const NetClientInfo net_dgram_socket_info = {
    .model = "socket", .size = sizeof(DgramClient), .receive = dgram_receive, .cleanup = dgram_cleanup,
};

/* --- opening --- */

static int fail(int fd, const char *what, Error **errp)
{
    error_setg_errno(errp, errno, "%s", what);
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

int net_dgram_bind(const SockAddr *local, Error **errp)
{
    int fd = socket(local->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

    if (fd < 0) {
        return fail(fd, "cannot make a datagram socket", errp);
    }
    if (local->sa.sa_family == AF_UNIX) {
        socket_unlink_stale(local->un.sun_path);
    } else {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (bind(fd, &local->sa, local->len) < 0) {
        return fail(fd, "cannot bind the datagram socket", errp);
    }
    return fd;
}

int net_dgram_join(const SockAddr *group, const SockAddr *local, Error **errp)
{
    struct ip_mreq request = { .imr_multiaddr = group->in.sin_addr };
    int fd = net_dgram_bind(group, errp);
    uint8_t loop = 1;

    if (fd < 0) {
        return -1;
    }
    request.imr_interface.s_addr = htonl(INADDR_ANY);
    if (local) {
        request.imr_interface = local->in.sin_addr;
    }
    if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)) < 0) {
        return fail(fd, "cannot join the multicast group", errp);
    }
    /* Others on this host are to hear us. */
    if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof(loop)) < 0
        || (local && setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request.imr_interface, sizeof(request.imr_interface)) < 0)) {
        return fail(fd, "cannot send to the multicast group", errp);
    }
    return fd;
}

void net_dgram_new(const char *id, const NetClientInfo *info, int fd, const SockAddr *remote, const char *about)
{
    DgramClient *d = dgram(net_client_new(info, id, 0));

    d->fd = fd;
    d->has_remote = remote != NULL;
    if (remote) {
        d->remote = *remote;
    }
    d->in = g_malloc(NET_FRAME_MAX);
    net_client_set_about(&d->nc, "%s", about);
    update(d);
}

static bool open_group(const QapiNetdev *opts, const SockAddr *group, Error **errp)
{
    const QapiNetdevDgramOptions *o = &opts->u.dgram;
    g_autofree char *text = net_socket_address_text(o->remote), *about = g_strdup_printf("mcast=%s", text);
    SockAddr local;
    int fd;

    if (o->local && o->local->type != QAPI_SOCKET_ADDRESS_TYPE_INET) {
        error_setg(errp, "multicast requires a local address of type inet");
        return false;
    }
    if (o->local && !net_sockaddr_resolve(o->local, SOCK_DGRAM, true, &local, errp)) {
        return false;
    }
    fd = net_dgram_join(group, o->local ? &local : NULL, errp);
    if (fd < 0) {
        return false;
    }
    net_dgram_new(opts->id, &dgram_info, fd, group, about);
    return true;
}

static bool open_fd(const QapiNetdev *opts, Error **errp)
{
    const char *text = opts->u.dgram.local->u.fd.str;
    g_autofree char *about = g_strdup_printf("fd=%s", text);
    int fd;

    if (opts->u.dgram.remote) {
        error_setg(errp, "don't set remote with local.fd");
        return false;
    }
    fd = net_socket_from_fd(text, SOCK_DGRAM, false, errp);
    if (fd < 0) {
        return false;
    }
    net_dgram_new(opts->id, &dgram_info, fd, NULL, about);
    return true;
}

static bool open_pair(const QapiNetdev *opts, const SockAddr *remote, Error **errp)
{
    const QapiNetdevDgramOptions *o = &opts->u.dgram;
    g_autofree char *from = net_socket_address_text(o->local), *to = net_socket_address_text(o->remote);
    g_autofree char *about = g_strdup_printf("local=%s,remote=%s", from, to);
    SockAddr local;
    int fd;

    if (o->local->type != o->remote->type) {
        error_setg(errp, "local and remote addresses must be of the same type");
        return false;
    }
    if (!net_sockaddr_resolve(o->local, SOCK_DGRAM, true, &local, errp)) {
        return false;
    }
    fd = net_dgram_bind(&local, errp);
    if (fd < 0) {
        return false;
    }
    net_dgram_new(opts->id, &dgram_info, fd, remote, about);
    if (local.sa.sa_family == AF_UNIX && local.un.sun_path[0]) {
        dgram(netdev_find(opts->id, 0))->unlink_path = g_canonicalize_filename(local.un.sun_path, NULL);
    }
    return true;
}

static bool dgram_open(const QapiNetdev *opts, Error **errp)
{
    const QapiNetdevDgramOptions *o = &opts->u.dgram;
    SockAddr remote;

    if (o->local && o->local->type == QAPI_SOCKET_ADDRESS_TYPE_FD) {
        return open_fd(opts, errp);
    }
    if (o->remote && o->remote->type == QAPI_SOCKET_ADDRESS_TYPE_FD) {
        error_setg(errp, "the remote address cannot be an fd");
        return false;
    }
    if (o->remote && !net_sockaddr_resolve(o->remote, SOCK_DGRAM, false, &remote, errp)) {
        return false;
    }
    if (o->remote && net_sockaddr_is_multicast(&remote)) {
        return open_group(opts, &remote, errp);
    }
    if (!o->local) {
        error_setg(errp, "dgram requires local= parameter");
        return false;
    }
    if (!o->remote) {
        error_setg(errp, "type=inet or type=unix requires remote parameter");
        return false;
    }
    return open_pair(opts, &remote, errp);
}

const NetBackend net_dgram_backend = { "dgram", "frames as datagrams", dgram_open };
