/*
 * "udp": datagrams to a peer, and from it.
 */
#include "system/chardev/internal.h"
#include "util/main-loop.h"
#include "util/socket.h"

#include <errno.h>
#include <unistd.h>

#define DATAGRAM_MAX 65536

typedef struct UdpChardev {
    Chardev chr;
    int fd;                         /* -1 = none */
    uint8_t kept[DATAGRAM_MAX];     /* of a datagram: what the front end did not take yet */
    size_t n_kept, taken;
} UdpChardev;

OBJECT_DECLARE(UdpChardev, UDP_CHARDEV, chardev_udp)

static void udp_update(Chardev *c);

static void deliver(UdpChardev *s)
{
    size_t n;

    while (s->taken < s->n_kept && (n = MIN(chardev_can_receive(&s->chr), s->n_kept - s->taken))) {
        s->taken += n;
        chardev_receive(&s->chr, s->kept + s->taken - n, n);
    }
}

static void on_readable(void *opaque)
{
    UdpChardev *s = opaque;
    ssize_t n = recv(s->fd, s->kept, sizeof(s->kept), 0);

    s->taken = 0;
    s->n_kept = (size_t)MAX(n, 0);
    deliver(s);
    udp_update(&s->chr);
}

static void udp_update(Chardev *c)
{
    UdpChardev *s = UDP_CHARDEV(c);

    deliver(s);
    main_loop_set_fd(s->fd, s->taken == s->n_kept && chardev_can_receive(c) ? on_readable : NULL, NULL, s);
}

/* A datagram for which there is no room, or nobody, is lost: that is what datagrams are. */
static size_t udp_write(Chardev *c, const uint8_t *buf, size_t len)
{
    if (send(UDP_CHARDEV(c)->fd, buf, MIN(len, DATAGRAM_MAX - 1024), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR) {
        return 0;
    }
    return len > DATAGRAM_MAX - 1024 ? DATAGRAM_MAX - 1024 : len;
}

static int bind_and_connect(const SockAddr *local, const SockAddr *peer)
{
    int fd = socket(peer->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && (bind(fd, &local->sa, local->len) || connect(fd, &peer->sa, peer->len))) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int open_socket(const QapiChardevUdp *u, Error **errp)
{
    SocketPlace to = { .host = u->host && *u->host ? u->host : "localhost", .port = u->port, .has_ipv4 = u->has_ipv4,
                       .ipv4 = u->ipv4, .has_ipv6 = u->has_ipv6, .ipv6 = u->ipv6 };
    SocketPlace from = { .host = u->localaddr, .port = u->localport && *u->localport ? u->localport : "0",
                         .has_ipv4 = true, .has_ipv6 = true };
    g_autoptr(GArray) peer = socket_resolve(&to, SOCK_DGRAM, false, errp), local = NULL;
    int fd;

    if (!peer) {
        return -1;
    }
    from.ipv6 = g_array_index(peer, SockAddr, 0).sa.sa_family == AF_INET6;
    from.ipv4 = !from.ipv6;
    local = socket_resolve(&from, SOCK_DGRAM, true, errp);
    if (!local) {
        return -1;
    }
    fd = bind_and_connect(&g_array_index(local, SockAddr, 0), &g_array_index(peer, SockAddr, 0));
    if (fd < 0) {
        error_setg_errno(errp, errno, "Failed to bind '%s:%s' or connect '%s:%s'", u->localaddr ? u->localaddr : "", from.port,
                         to.host, u->port);
    }
    return fd;
}

static bool udp_open(Chardev *c, const QapiChardevOptions *o, Error **errp)
{
    UdpChardev *s = UDP_CHARDEV(c);

    s->fd = open_socket(&o->u.udp, errp);
    if (s->fd < 0) {
        return false;
    }
    chardev_event(c, CHAR_EVENT_OPENED);
    return true;
}

static void udp_close(Chardev *c)
{
    UdpChardev *s = UDP_CHARDEV(c);

    if (s->fd >= 0) {
        main_loop_set_fd(s->fd, NULL, NULL, NULL);
        close(s->fd);
        s->fd = -1;
    }
}

static void udp_init(Object *obj)
{
    UDP_CHARDEV(obj)->fd = -1;
}

CHARDEV_DEFINE(UdpChardev, chardev_udp, "chardev-udp", chardev,
    .desc = "datagrams to and from a peer",
    .init = udp_init,
    .backend = QAPI_CHARDEV_DRIVER_UDP,
    .open = udp_open,
    .close = udp_close,
    .write = udp_write,
    .update = udp_update);
