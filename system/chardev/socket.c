/*
 * "socket": a stream socket of the unix or internet family, as server or client.
 *
 * A server serves one client at a time; when it goes, the next is taken.  A client may reconnect.
 * While there is no connection output is dropped.
 */
#include "system/chardev/internal.h"
#include "util/fdset.h"
#include "util/main-loop.h"
#include "util/socket.h"
#include "util/timer.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

typedef struct SocketChardev {
    Chardev chr;
    int listen_fd, fd;              /* -1 = none */
    bool connecting;                /* fd: the connection is being made */
    bool stalled;
    bool nodelay;
    bool with_telnet;
    Telnet telnet;
    unsigned greeted;               /* bytes of the telnet greeting that are sent */
    bool half_sent;                 /* the first of two bytes for one of value 255 is out */
    QapiChardevSocket *options;     /* owned */
    SocketFile file;                /* of a listening unix socket */
    char *where;                    /* "unix:PATH,server=on" */
    int64_t reconnect_ns;           /* 0 = never */
    Timer timer;
} SocketChardev;

OBJECT_DECLARE(SocketChardev, SOCKET_CHARDEV, chardev_socket)

static void socket_update(Chardev *c);
static void start_connecting(void *opaque);

/* --- the connection --- */

static void disconnected(SocketChardev *s)
{
    main_loop_set_fd(s->fd, NULL, NULL, NULL);
    close(s->fd);
    s->fd = -1;
    s->connecting = s->stalled = false;
    chardev_drop_fds(&s->chr);
    if (s->chr.is_open) {
        chardev_event(&s->chr, CHAR_EVENT_CLOSED);
        chardev_writable(&s->chr);  /* what waited for room may go: it is dropped */
    }
    socket_update(&s->chr);
    if (s->reconnect_ns) {
        timer_mod(&s->timer, clock_get_ns(CLOCK_TYPE_REALTIME) + s->reconnect_ns);
    }
}

/* Before all output; what does not fit yet goes before the next. */
static bool send_greeting(SocketChardev *s)
{
    ssize_t n = send(s->fd, telnet_greeting + s->greeted, TELNET_GREETING_BYTES - s->greeted, MSG_NOSIGNAL);

    s->greeted += (unsigned)MAX(n, 0);
    return s->greeted == TELNET_GREETING_BYTES;
}

static void connected(SocketChardev *s, int fd)
{
    int one = 1;

    s->fd = fd;
    s->connecting = false;
    if (s->nodelay) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    s->telnet = (Telnet){ 0 };
    s->greeted = 0;
    s->half_sent = false;
    chardev_event(&s->chr, CHAR_EVENT_OPENED);
    if (s->with_telnet) {
        send_greeting(s);
    }
    socket_update(&s->chr);
}

static void on_client(void *opaque)
{
    SocketChardev *s = opaque;
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        connected(s, fd);
    }
}

/* What came along with data: kept for the front end, or closed where there is no room. */
static void keep_fds(SocketChardev *s, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        const int *fds = (const int *)CMSG_DATA(c);
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            if (s->chr.n_fds == CHARDEV_MAX_FDS) {
                close(fds[i]);
            } else {
                s->chr.fds[s->chr.n_fds++] = fds[i];
            }
        }
    }
}

/* recv(), for unix sockets with descriptors. */
static ssize_t receive(SocketChardev *s, uint8_t *buf, size_t len)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(CHARDEV_MAX_FDS * sizeof(int))];
    } control;
    struct iovec iov = { buf, len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(s->fd, &msg, MSG_CMSG_CLOEXEC);

    if (n > 0) {
        keep_fds(s, &msg);
    }
    return n;
}

static void on_readable(void *opaque)
{
    SocketChardev *s = opaque;
    uint8_t buf[8 * KiB];
    size_t room = MIN(chardev_can_receive(&s->chr), sizeof(buf));
    ssize_t n = room ? receive(s, buf, room) : -1;

    if (room && (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))) {
        disconnected(s);
        return;
    }
    if (n > 0 && s->with_telnet) {
        n = (ssize_t)telnet_decode(&s->telnet, buf, (size_t)n);
    }
    if (n > 0) {
        chardev_receive(&s->chr, buf, n);
    }
    while (s->telnet.breaks) {
        s->telnet.breaks--;
        chardev_event(&s->chr, CHAR_EVENT_BREAK);
    }
    socket_update(&s->chr);
}

static void on_writable(void *opaque)
{
    SocketChardev *s = opaque;

    s->stalled = false;
    chardev_writable(&s->chr);
    socket_update(&s->chr);
}

static void on_connect_result(void *opaque)
{
    SocketChardev *s = opaque;
    int err = 0;
    socklen_t len = sizeof(err);
    int fd = s->fd;

    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err) {
        disconnected(s);
    } else {
        connected(s, fd);
    }
}

static void socket_wait_open(Chardev *c, unsigned timeout_ms)
{
    SocketChardev *s = SOCKET_CHARDEV(c);
    struct pollfd p = { .fd = s->fd, .events = POLLOUT };

    if (s->fd >= 0 && s->connecting && poll(&p, 1, (int)timeout_ms) > 0) {
        on_connect_result(s);
    }
}

static void socket_update(Chardev *c)
{
    SocketChardev *s = SOCKET_CHARDEV(c);

    if (s->listen_fd >= 0) {
        main_loop_set_fd(s->listen_fd, s->fd < 0 ? on_client : NULL, NULL, s);
    }
    if (s->fd >= 0 && s->connecting) {
        main_loop_set_fd(s->fd, NULL, on_connect_result, s);
    } else if (s->fd >= 0) {
        main_loop_set_fd(s->fd, chardev_can_receive(c) ? on_readable : NULL, s->stalled ? on_writable : NULL, s);
    }
}

/* A byte of value 255 goes twice. */
static size_t telnet_write(SocketChardev *s, const uint8_t *buf, size_t len)
{
    uint8_t twice[2048];
    size_t n = 0, done = 0;
    ssize_t sent;

    if (!send_greeting(s)) {
        s->stalled = true;
        return 0;
    }
    for (size_t i = 0; i < len && n + 2 <= sizeof(twice); i++) {
        twice[n++] = buf[i];
        if (buf[i] == 255 && !(i == 0 && s->half_sent)) {
            twice[n++] = 255;
        }
    }
    sent = send(s->fd, twice, n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        return len;
    }
    n = (size_t)MAX(sent, 0);
    for (bool half = s->half_sent; done < len && n; ) {
        bool two = buf[done] == 255 && !half;

        half = two && n == 1;
        s->half_sent = half;
        n -= two && !half ? 2 : 1;
        done += !half;
    }
    s->stalled = done < len;
    return done;
}

static size_t socket_write(Chardev *c, const uint8_t *buf, size_t len)
{
    SocketChardev *s = SOCKET_CHARDEV(c);
    ssize_t n;

    if (s->fd < 0 || s->connecting) {
        return len;
    }
    if (s->with_telnet) {
        return telnet_write(s, buf, len);
    }
    n = send(s->fd, buf, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        /* The reader sees the end on its own; until then nothing arrives any more. */
        return len;
    }
    n = MAX(n, 0);
    s->stalled = n < (ssize_t)len;
    return n;
}

/* --- addresses --- */

static SocketPlace place(const QapiChardevSocket *o)
{
    return (SocketPlace){
        .path = o->path, .abstract = o->has_abstract && o->abstract, .loose = o->has_tight && !o->tight,
        .host = o->host, .port = o->port, .to = o->has_to ? o->to : 0,
        .has_ipv4 = o->has_ipv4, .ipv4 = o->ipv4, .has_ipv6 = o->has_ipv6, .ipv6 = o->ipv6,
    };
}

/* An inherited socket, checked to be what it is said to be. */
static int open_fd(const char *text, bool server, Error **errp)
{
    int fd = fd_from_text(text, errp), accepting = 0;
    socklen_t len = sizeof(accepting);

    if (fd < 0) {
        return -1;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &len) < 0) {
        error_setg(errp, "File descriptor '%s' is not a socket", text);
    } else if (accepting != server) {
        error_setg(errp, "File descriptor '%s' is %slistening", text, accepting ? "" : "not ");
    } else {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        return fd;
    }
    if (!g_ascii_isdigit(text[0])) {        /* a received one was ours from the time it was taken */
        close(fd);
    }
    return -1;
}

/* --- opening --- */

static int listen_at(SocketChardev *s, Error **errp)
{
    SocketPlace p = place(s->options);

    return socket_listen(&p, &s->file, errp);
}

static int connect_to(const QapiChardevSocket *o, bool wait, Error **errp)
{
    SocketPlace p = place(o);

    return socket_connect(&p, wait, errp);
}

static void start_connecting(void *opaque)
{
    SocketChardev *s = opaque;

    s->fd = connect_to(s->options, false, NULL);
    if (s->fd < 0) {
        timer_mod(&s->timer, clock_get_ns(CLOCK_TYPE_REALTIME) + s->reconnect_ns);
        return;
    }
    s->connecting = true;
    socket_update(&s->chr);
}

static bool open_server(SocketChardev *s, Error **errp)
{
    const QapiChardevSocket *o = s->options;
    int fd;

    s->listen_fd = o->fd ? open_fd(o->fd, true, errp) : listen_at(s, errp);
    if (s->listen_fd < 0) {
        return false;
    }
    if (!o->has_wait || o->wait) {
        info_report("QEMU waiting for connection on: %s", s->where);
        do {
            fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        } while (fd < 0 && errno == EINTR);
        if (fd < 0) {
            error_setg_errno(errp, errno, "Failed to accept a connection on '%s'", s->where);
            return false;
        }
        connected(s, fd);
    }
    fcntl(s->listen_fd, F_SETFL, fcntl(s->listen_fd, F_GETFL) | O_NONBLOCK);
    socket_update(&s->chr);
    return true;
}

static bool open_client(SocketChardev *s, Error **errp)
{
    const QapiChardevSocket *o = s->options;
    int fd;

    if (s->reconnect_ns) {
        start_connecting(s);
        return true;
    }
    fd = o->fd ? open_fd(o->fd, false, errp) : connect_to(o, true, errp);
    if (fd < 0) {
        return false;
    }
    connected(s, fd);
    return true;
}

static bool check_options(const QapiChardevSocket *o, Error **errp)
{
    unsigned addresses = (o->path != NULL) + (o->host || o->port) + (o->fd != NULL);
    bool server = o->has_server && o->server;

    if (addresses != 1) {
        error_setg(errp, addresses ? "'path', 'host'/'port' and 'fd' exclude each other"
                                   : "one of 'path', 'host' with 'port', and 'fd' is required");
    } else if (o->host && !o->port) {
        error_setg(errp, "Parameter 'port' is missing");
    } else if ((o->has_tn3270 && o->tn3270) || (o->has_websocket && o->websocket) || o->tls_creds || o->tls_authz) {
        error_setg(errp, "Parameter '%s' is not supported by socket chardevs", o->tls_creds ? "tls-creds"
                   : o->tls_authz ? "tls-authz" : o->has_tn3270 && o->tn3270 ? "tn3270" : "websocket");
    } else if (o->has_telnet && o->telnet && !server) {
        error_setg(errp, "'telnet' option is incompatible with socket in client connect mode");
    } else if (!server && o->has_wait) {
        error_setg(errp, "'wait' option is incompatible with socket in client connect mode");
    } else if (o->has_reconnect && o->has_reconnect_ms) {
        error_setg(errp, "'reconnect' and 'reconnect-ms' are mutually exclusive");
    } else if (server && ((o->has_reconnect && o->reconnect) || (o->has_reconnect_ms && o->reconnect_ms))) {
        error_setg(errp, "'reconnect-ms' option is incompatible with socket in server listen mode");
    } else if (o->fd && (o->has_reconnect || o->has_reconnect_ms)) {
        error_setg(errp, "'reconnect-ms' option is not supported with 'fd'");
    } else {
        return true;
    }
    return false;
}

static const char *protocol(const SocketChardev *s)
{
    return s->with_telnet ? "telnet" : "tcp";
}

static bool socket_open(Chardev *c, const QapiChardevOptions *opts, Error **errp)
{
    SocketChardev *s = SOCKET_CHARDEV(c);
    const QapiChardevSocket *o = &opts->u.socket;
    bool server = o->has_server && o->server;

    if (!check_options(o, errp)) {
        return false;
    }
    s->options = qapi_clone(&qapi_type_ChardevSocket, o);
    s->with_telnet = c->translates = o->has_telnet && o->telnet;
    s->nodelay = !o->path && !o->fd && (!o->has_nodelay || o->nodelay);
    s->reconnect_ns = (o->has_reconnect_ms ? o->reconnect_ms : o->has_reconnect ? o->reconnect * INT64_C(1000) : 0)
        * INT64_C(1000000);
    s->where = o->path ? g_strdup_printf("unix:%s%s", o->path, server ? ",server=on" : "")
        : o->fd ? g_strdup_printf("fd:%s%s", o->fd, server ? ",server=on" : "")
        : g_strdup_printf("%s:%s:%s%s", protocol(s), o->host ? o->host : "", o->port, server ? ",server=on" : "");
    timer_init(&s->timer, CLOCK_TYPE_REALTIME, start_connecting, s);
    return server ? open_server(s, errp) : open_client(s, errp);
}

static void socket_close(Chardev *c)
{
    SocketChardev *s = SOCKET_CHARDEV(c);

    if (s->where) {
        timer_del(&s->timer);
    }
    if (s->fd >= 0) {
        main_loop_set_fd(s->fd, NULL, NULL, NULL);
        close(s->fd);
        s->fd = -1;
    }
    if (s->listen_fd >= 0) {
        main_loop_set_fd(s->listen_fd, NULL, NULL, NULL);
        close(s->listen_fd);
        s->listen_fd = -1;
    }
    socket_file_remove(&s->file);
    c->is_open = false;
}

static void socket_init(Object *obj)
{
    SOCKET_CHARDEV(obj)->listen_fd = SOCKET_CHARDEV(obj)->fd = -1;
}

static void socket_fini(Object *obj)
{
    SocketChardev *s = SOCKET_CHARDEV(obj);

    qapi_free_chardev_socket(s->options);
    g_free(s->where);
}

/* "HOST:PORT" with a v6 address in brackets. */
static char *inet_text(const SockAddr *a, socklen_t len)
{
    char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
    bool v6 = a->sa.sa_family == AF_INET6;

    if (getnameinfo(&a->sa, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV)) {
        return g_strdup("unknown");
    }
    return g_strdup_printf("%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

/* @peer NULL: without. */
static char *address_text(const char *with, const SockAddr *local, socklen_t local_len, const SockAddr *peer, socklen_t peer_len, bool server)
{
    const char *tail = server ? ",server=on" : "";
    g_autofree char *here = NULL, *there = NULL;

    if (local->sa.sa_family == AF_UNIX) {
        size_t n = local_len > offsetof(struct sockaddr_un, sun_path) ? local_len - offsetof(struct sockaddr_un, sun_path) : 0;
        bool abstract = n && !local->un.sun_path[0];
        g_autofree char *path = n ? g_strndup(local->un.sun_path + abstract, n - abstract) : g_strdup("");

        return g_strdup_printf("unix:%s%s%s", path, abstract ? ",abstract=on" : "", tail);
    }
    if (local->sa.sa_family != AF_INET && local->sa.sa_family != AF_INET6) {
        return g_strdup("unknown");
    }
    here = inet_text(local, local_len);
    there = peer ? inet_text(peer, peer_len) : NULL;
    return g_strdup_printf("%s:%s%s%s%s", with, here, tail, there ? " <-> " : "", there ? there : "");
}

/* As it is now: ports that the kernel chose, the peer's address. */
static char *socket_filename(Chardev *c)
{
    SocketChardev *s = SOCKET_CHARDEV(c);
    SockAddr local = { .len = 0 }, peer = { .len = 0 };
    socklen_t local_len = sizeof(local), peer_len = sizeof(peer);
    g_autofree char *text = NULL;
    bool connected = s->fd >= 0 && !s->connecting;

    if (connected && !getsockname(s->fd, &local.sa, &local_len) && !getpeername(s->fd, &peer.sa, &peer_len)) {
        return address_text(protocol(s), &local, local_len, &peer, peer_len, s->listen_fd >= 0);
    }
    local_len = sizeof(local);
    if (s->listen_fd >= 0 && !getsockname(s->listen_fd, &local.sa, &local_len)) {
        text = address_text(protocol(s), &local, local_len, NULL, 0, true);
    }
    return g_strdup_printf("disconnected:%s", text ? text : s->where);
}

static void socket_fds(Chardev *c, int *in, int *out)
{
    *in = *out = SOCKET_CHARDEV(c)->fd;
}

CHARDEV_DEFINE(SocketChardev, chardev_socket, "chardev-socket", chardev,
    .desc = "a unix or TCP stream socket",
    .init = socket_init,
    .fini = socket_fini,
    .backend = QAPI_CHARDEV_DRIVER_SOCKET,
    .open = socket_open,
    .close = socket_close,
    .write = socket_write,
    .update = socket_update,
    .fds = socket_fds,
    .wait_open = socket_wait_open,
    .filename = socket_filename);
