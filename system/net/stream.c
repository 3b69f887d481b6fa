/*
 * Frames over a stream socket, each after its length in four bytes, big-endian: "stream", and the
 * forms of "socket" that are the same thing in other words.
 *
 * A server serves one connection at a time and takes the next when it is gone; a client connects once,
 * or again and again with reconnect.  Without a connection frames are dropped.
 */
#include "system/net/stream.h"
#include "qapi/qapi-events.h"
#include "system/net/sockaddr.h"
#include "util/main-loop.h"
#include "util/timer.h"

#include <sys/uio.h>
#include <unistd.h>

typedef struct StreamClient {
    NetClient nc;
    NetStreamParams params;             /* .addr is owned */
    int listen_fd, fd;                  /* -1 = none */
    bool connecting;                    /* fd: the connection is being made */
    bool reading_stopped;               /* a frame waits in the peer's queue */
    bool want_write;
    Timer timer;                        /* the next attempt */
    SocketFile file;                    /* of the listening unix socket */
    /* received, not yet sent on */
    uint8_t *in;
    size_t in_len;
    /* the rest of a frame of which the socket took a part */
    uint8_t *out;
    size_t out_len, out_done;
} StreamClient;

#define IN_SIZE (4 + NET_FRAME_MAX)

static StreamClient *stream(NetClient *nc)
{
    return container_of(nc, StreamClient, nc);
}

static void update(StreamClient *s);
static void on_attempt(void *opaque);

/* --- the connection --- */

static void about_disconnected(StreamClient *s)
{
    g_autofree char *where = net_socket_address_text(s->params.addr);

    net_client_set_about(&s->nc, "%s%s", s->listen_fd >= 0 ? "listening on " : "disconnected from ", where);
}

static void close_connection(StreamClient *s)
{
    if (s->fd < 0) {
        return;
    }
    main_loop_set_fd(s->fd, NULL, NULL, NULL);
    close(s->fd);
    s->fd = -1;
    s->connecting = s->reading_stopped = s->want_write = false;
    s->in_len = 0;
    g_clear_pointer(&s->out, g_free);
    s->out_len = s->out_done = 0;
}

static void arm_reconnect(StreamClient *s)
{
    if (s->params.reconnect_ns) {
        timer_mod(&s->timer, clock_get_ns(CLOCK_TYPE_REALTIME) + s->params.reconnect_ns);
    }
}

static void disconnected(StreamClient *s)
{
    bool was_up = !s->connecting;

    close_connection(s);
    about_disconnected(s);
    if (was_up && s->params.events) {
        qapi_event_send_netdev_stream_disconnected(s->nc.name);
    }
    update(s);
    arm_reconnect(s);
    net_receive_more(&s->nc);           /* what waited is dropped */
}

static void connected(StreamClient *s)
{
    SockAddr peer = { .len = sizeof(peer.storage) };
    g_autoptr(QapiSocketAddress) addr = NULL;
    g_autofree char *text = NULL;

    s->connecting = false;
    net_socket_prepare(s->fd);
    if (getpeername(s->fd, &peer.sa, &peer.len) < 0) {
        peer = (SockAddr){ .sa.sa_family = AF_UNIX };
    }
    addr = net_socket_address(&peer);
    text = net_socket_address_text(addr);
    net_client_set_about(&s->nc, "%s", text);
    if (s->params.events) {
        qapi_event_send_netdev_stream_connected(s->nc.name, addr);
    }
    update(s);
}

static void on_client(void *opaque)
{
    StreamClient *s = opaque;

    s->fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (s->fd >= 0) {
        connected(s);
    }
}

static void on_connect_result(void *opaque)
{
    StreamClient *s = opaque;
    int err = 0;
    socklen_t len = sizeof(err);

    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err) {
        disconnected(s);
        net_client_set_about(&s->nc, "error: %s", g_strerror(err));
    } else {
        connected(s);
    }
}

/* --- from the socket --- */

static void on_sent(NetClient *nc);

/* Send on every whole frame that has come.  False: the other end breaks the rules. */
static bool send_frames(StreamClient *s)
{
    size_t at = 0;

    while (!s->reading_stopped && s->in_len - at >= 4) {
        size_t len = ld32_be(s->in + at);

        if (len > NET_FRAME_MAX) {
            s->nc.oversized++;
            warn_report("netdev %s: a frame of %zu bytes came, the limit is %zu: connection closed", s->nc.name, len,
                        (size_t)NET_FRAME_MAX);
            return false;
        }
        if (s->in_len - at - 4 < len) {
            break;
        }
        s->reading_stopped = !net_send(&s->nc, NULL, s->in + at + 4, len, on_sent);
        at += 4 + len;
    }
    s->in_len -= at;
    memmove(s->in, s->in + at, s->in_len);
    return true;
}

static void on_sent(NetClient *nc)
{
    StreamClient *s = stream(nc);

    s->reading_stopped = false;
    if (!send_frames(s)) {
        disconnected(s);
    } else {
        update(s);
    }
}

static void on_readable(void *opaque)
{
    StreamClient *s = opaque;
    ssize_t n = recv(s->fd, s->in + s->in_len, IN_SIZE - s->in_len, 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        disconnected(s);
        return;
    }
    s->in_len += MAX(n, 0);
    if (!send_frames(s)) {
        disconnected(s);
    } else {
        update(s);
    }
}

/* --- to the socket --- */

static void on_writable(void *opaque)
{
    StreamClient *s = opaque;
    ssize_t n;

    s->want_write = false;
    if (s->out) {
        n = send(s->fd, s->out + s->out_done, s->out_len - s->out_done, MSG_NOSIGNAL);
        s->out_done += MAX(n, 0);
        s->want_write = s->out_done < s->out_len && (n >= 0 || errno == EAGAIN || errno == EINTR);
        if (s->out_done == s->out_len) {
            g_clear_pointer(&s->out, g_free);
        }
    }
    update(s);
    net_receive_more(&s->nc);
}

static bool stream_can_receive(NetClient *nc)
{
    return !stream(nc)->out && !stream(nc)->want_write;
}

static NetResult stream_receive(NetClient *nc, const NetOffload *off, uint8_t *data, size_t len)
{
    StreamClient *s = stream(nc);
    uint8_t head[4];
    struct iovec iov[2] = { { head, 4 }, { data, len } };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
    ssize_t n;

    if (s->fd < 0 || s->connecting) {
        return NET_TAKEN;
    }
    st32_be(head, len);
    n = sendmsg(s->fd, &msg, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        return NET_TAKEN;               /* the reader sees the end on its own */
    }
    n = MAX(n, 0);
    if (n == 0) {
        s->want_write = true;
        update(s);
        return NET_LATER;
    }
    if ((size_t)n < len + 4) {
        s->out_len = len + 4;
        s->out_done = n;
        s->out = g_malloc(s->out_len);
        memcpy(s->out, head, 4);
        memcpy(s->out + 4, data, len);
        s->want_write = true;
        update(s);
    }
    return NET_TAKEN;
}

static void update(StreamClient *s)
{
    if (s->listen_fd >= 0) {
        main_loop_set_fd(s->listen_fd, s->fd < 0 ? on_client : NULL, NULL, s);
    }
    if (s->fd >= 0 && s->connecting) {
        main_loop_set_fd(s->fd, NULL, on_connect_result, s);
    } else if (s->fd >= 0) {
        main_loop_set_fd(s->fd, s->reading_stopped ? NULL : on_readable, s->want_write ? on_writable : NULL, s);
    }
}

/* --- opening --- */

static void start_connecting(StreamClient *s)
{
    Error *err = NULL;

    s->fd = net_socket_connect(s->params.addr, false, &err);
    if (s->fd < 0) {
        net_client_set_about(&s->nc, "error: %s", error_get_pretty(err));
        error_free(err);
        arm_reconnect(s);
        return;
    }
    s->connecting = true;
    update(s);
}

static void on_attempt(void *opaque)
{
    start_connecting(opaque);
}

static bool open_server(StreamClient *s, Error **errp)
{
    const QapiSocketAddress *a = s->params.addr;

    s->listen_fd = a->type == QAPI_SOCKET_ADDRESS_TYPE_FD ? net_socket_from_fd(a->u.fd.str, SOCK_STREAM, true, errp)
                                                          : net_socket_listen(a, &s->file, errp);
    if (s->listen_fd < 0) {
        return false;
    }
    about_disconnected(s);
    update(s);
    return true;
}

static bool open_client(StreamClient *s, Error **errp)
{
    const QapiSocketAddress *a = s->params.addr;

    if (a->type == QAPI_SOCKET_ADDRESS_TYPE_FD || s->params.wait) {
        s->fd = s->params.has_fd ? s->params.fd : s->params.wait ? net_socket_connect(a, true, errp)
            : net_socket_from_fd(a->u.fd.str, SOCK_STREAM, false, errp);
        if (s->fd >= 0) {
            connected(s);
        }
        return s->fd >= 0;
    }
    net_client_set_about(&s->nc, "connecting");
    start_connecting(s);
    return true;
}

static void stream_cleanup(NetClient *nc)
{
    StreamClient *s = stream(nc);

    timer_del(&s->timer);
    close_connection(s);
    if (s->listen_fd >= 0) {
        main_loop_set_fd(s->listen_fd, NULL, NULL, NULL);
        close(s->listen_fd);
    }
    socket_file_remove(&s->file);
    qapi_free_socket_address(s->params.addr);
    g_free(s->in);
}

static const NetClientInfo stream_info = {
    .model = "stream", .size = sizeof(StreamClient), .receive = stream_receive, .can_receive = stream_can_receive,
    .cleanup = stream_cleanup,
};

static const NetClientInfo socket_info = {
    .model = "socket", .size = sizeof(StreamClient), .receive = stream_receive, .can_receive = stream_can_receive,
    .cleanup = stream_cleanup,
};

bool net_stream_open(const char *id, const NetStreamParams *params, Error **errp)
{
    StreamClient *s = stream(net_client_new(params->events ? &stream_info : &socket_info, id, 0));

    s->params = *params;
    s->params.addr = qapi_clone(&qapi_type_SocketAddress, params->addr);
    s->listen_fd = s->fd = -1;
    s->in = g_malloc(IN_SIZE);
    timer_init(&s->timer, CLOCK_TYPE_REALTIME, on_attempt, s);
    if (params->server ? open_server(s, errp) : open_client(s, errp)) {
        return true;
    }
    net_client_delete(&s->nc);
    return false;
}

static bool stream_open(const QapiNetdev *opts, Error **errp)
{
    const QapiNetdevStreamOptions *o = &opts->u.stream;
    NetStreamParams params = { .addr = o->addr, .server = o->has_server && o->server, .events = true };

    if (o->has_reconnect && o->has_reconnect_ms) {
        error_setg(errp, "'reconnect' and 'reconnect-ms' are mutually exclusive");
        return false;
    }
    if (params.server && (o->has_reconnect || o->has_reconnect_ms)) {
        error_setg(errp, "'reconnect' and 'reconnect-ms' options are incompatible with socket in server mode");
        return false;
    }
    if (o->addr->type == QAPI_SOCKET_ADDRESS_TYPE_FD && (o->has_reconnect || o->has_reconnect_ms)) {
        error_setg(errp, "'reconnect' and 'reconnect-ms' options are incompatible with a socket passed as fd");
        return false;
    }
    params.reconnect_ns = (o->has_reconnect_ms ? o->reconnect_ms : o->has_reconnect ? o->reconnect * INT64_C(1000) : 0)
        * INT64_C(1000000);
    return net_stream_open(opts->id, &params, errp);
}

const NetBackend net_stream_backend = { "stream", "frames over a stream socket", stream_open };
