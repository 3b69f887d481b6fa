/*
 * The vhost-user protocol, the front end's side.
 *
 * All numbers are in the host's byte order (spec, "Message Specification").
 *
 * Invariants:
 *  I1  between requests nothing is left unread of the connection: whatever comes then ends it
 *  I2  descriptors the back end sends along are never taken: there is nothing here that wants one
 */
#include "hw/virtio/vhost-user.h"
#include "util/main-loop.h"
#include "util/timer.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Requests of the front end (spec, "Front-end message types") */
enum {
    GET_FEATURES = 1, SET_FEATURES = 2, SET_OWNER = 3, SET_MEM_TABLE = 5, SET_VRING_NUM = 8, SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10, GET_VRING_BASE = 11, SET_VRING_KICK = 12, SET_VRING_CALL = 13, GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16, GET_QUEUE_NUM = 17, SET_VRING_ENABLE = 18, SET_BACKEND_REQ_FD = 21, GET_CONFIG = 24,
    SET_CONFIG = 25, GET_MAX_MEM_SLOTS = 36, ADD_MEM_REG = 37, REM_MEM_REG = 38,
};
/* Of the back end */
enum { BACKEND_CONFIG_CHANGE = 2 };

/* Protocol features (spec, "Protocol features") */
enum {
    PROTOCOL_MQ = 0, PROTOCOL_REPLY_ACK = 3, PROTOCOL_BACKEND_REQ = 5, PROTOCOL_CONFIG = 9, PROTOCOL_CONFIGURE_MEM_SLOTS = 15,
};
#define PROTOCOL_KNOWN (BIT_ULL(PROTOCOL_MQ) | BIT_ULL(PROTOCOL_REPLY_ACK) | BIT_ULL(PROTOCOL_BACKEND_REQ) | \
                        BIT_ULL(PROTOCOL_CONFIG) | BIT_ULL(PROTOCOL_CONFIGURE_MEM_SLOTS))
#define F_PROTOCOL_FEATURES 30          /* in the virtio features */

enum { FLAG_VERSION = 1, FLAG_VERSION_MASK = 3, FLAG_REPLY = 4, FLAG_NEED_REPLY = 8 };

typedef struct Header {
    uint32_t request, flags, size;
} Header;

typedef struct VringState { uint32_t index, num; } VringState;
typedef struct VringAddr { uint32_t index, flags; uint64_t desc, used, avail, log; } VringAddr;
typedef struct MemRegion { uint64_t gpa, size, uaddr, offset; } MemRegion;
typedef struct MemRegionMsg { uint64_t padding; MemRegion region; } MemRegionMsg;
typedef struct MemTable { uint32_t n, padding; MemRegion region[VHOST_USER_SLOTS_BASE]; } MemTable;
typedef struct ConfigMsg { uint32_t offset, size, flags; uint8_t data[VHOST_USER_CONFIG_MAX]; } ConfigMsg;
#define CONFIG_HEAD offsetof(ConfigMsg, data)

static const char *request_name(uint32_t request)
{
    static const char *const names[] = {
        [GET_FEATURES] = "GET_FEATURES", [SET_FEATURES] = "SET_FEATURES", [SET_OWNER] = "SET_OWNER",
        [SET_MEM_TABLE] = "SET_MEM_TABLE", [SET_VRING_NUM] = "SET_VRING_NUM", [SET_VRING_ADDR] = "SET_VRING_ADDR",
        [SET_VRING_BASE] = "SET_VRING_BASE", [GET_VRING_BASE] = "GET_VRING_BASE", [SET_VRING_KICK] = "SET_VRING_KICK",
        [SET_VRING_CALL] = "SET_VRING_CALL", [GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
        [SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES", [GET_QUEUE_NUM] = "GET_QUEUE_NUM",
        [SET_VRING_ENABLE] = "SET_VRING_ENABLE", [SET_BACKEND_REQ_FD] = "SET_BACKEND_REQ_FD", [GET_CONFIG] = "GET_CONFIG",
        [SET_CONFIG] = "SET_CONFIG", [GET_MAX_MEM_SLOTS] = "GET_MAX_MEM_SLOTS", [ADD_MEM_REG] = "ADD_MEM_REG",
        [REM_MEM_REG] = "REM_MEM_REG",
    };

    return names[request];
}

static bool has_protocol(const VhostUser *u, unsigned bit)
{
    return u->protocol >> bit & 1;
}

/* --- the connection --- */

static void hang_up(VhostUser *u)
{
    if (u->fd >= 0) {
        main_loop_set_fd(u->fd, NULL, NULL, NULL);
        close(u->fd);
        u->fd = -1;
        char_return_fds(u->chr);
    }
    if (u->channel >= 0) {
        main_loop_set_fd(u->channel, NULL, NULL, NULL);
        close(u->channel);
        u->channel = -1;
    }
}

/* Wait until @deadline_ns for @events; false and @errp if that passes. */
static bool await(const VhostUser *u, short events, int64_t deadline_ns, Error **errp)
{
    struct pollfd p = { .fd = u->fd, .events = events };
    int64_t left;

    do {
        left = deadline_ns - clock_get_ns(CLOCK_TYPE_REALTIME);
    } while (left > 0 && poll(&p, 1, (int)DIV_ROUND_UP(left, 1000000)) <= 0);
    if (left <= 0) {
        error_setg(errp, "no answer within %u ms", u->timeout_ms);
        return false;
    }
    return true;
}

/* @fds go along with the first byte. */
static bool send_all(VhostUser *u, struct iovec *iov, unsigned n_iov, const int *fds, unsigned n_fds, int64_t deadline_ns, Error **errp)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(VHOST_USER_SLOTS_BASE * sizeof(int))];
    } control = { 0 };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n_iov };

    if (n_fds) {
        struct cmsghdr *c;

        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    while (msg.msg_iovlen) {
        ssize_t n = sendmsg(u->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            error_setg_errno(errp, errno, "the connection is broken");
            return false;
        }
        if (n < 0 && !await(u, POLLOUT, deadline_ns, errp)) {
            return false;
        }
        if (n > 0) {
            msg.msg_control = NULL;
            msg.msg_controllen = 0;
        }
        while (n > 0 && msg.msg_iovlen) {
            size_t part = MIN((size_t)n, msg.msg_iov->iov_len);

            msg.msg_iov->iov_base = (char *)msg.msg_iov->iov_base + part;
            msg.msg_iov->iov_len -= part;
            n -= (ssize_t)part;
            msg.msg_iov += !msg.msg_iov->iov_len;
            msg.msg_iovlen = iov + n_iov - msg.msg_iov;
        }
        while (msg.msg_iovlen && !msg.msg_iov->iov_len) {
            msg.msg_iov++;
            msg.msg_iovlen--;
        }
    }
    return true;
}

/* I2: without room for descriptors the kernel drops what is sent along. */
static bool receive_all(VhostUser *u, void *buf, size_t len, int64_t deadline_ns, Error **errp)
{
    uint8_t *at = buf;

    while (len) {
        ssize_t n = recv(u->fd, at, len, MSG_DONTWAIT);

        if (n == 0) {
            error_setg(errp, "it closed the connection");
            return false;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            error_setg_errno(errp, errno, "the connection is broken");
            return false;
        }
        if (n < 0 && !await(u, POLLIN, deadline_ns, errp)) {
            return false;
        }
        at += MAX(n, 0);
        len -= (size_t)MAX(n, 0);
    }
    return true;
}

/* The answer to @request, of exactly @len bytes. */
static bool receive_reply(VhostUser *u, uint32_t request, void *buf, size_t len, int64_t deadline_ns, Error **errp)
{
    Header h;

    if (!receive_all(u, &h, sizeof(h), deadline_ns, errp)) {
        return false;
    }
    if (h.request != request || (h.flags & (FLAG_VERSION_MASK | FLAG_REPLY)) != (FLAG_VERSION | FLAG_REPLY)) {
        error_setg(errp, "it answers with message %u, flags 0x%x", h.request, h.flags);
        return false;
    }
    if (h.size != len) {
        error_setg(errp, "its answer has %u bytes, not %zu", h.size, len);
        return false;
    }
    return receive_all(u, buf, len, deadline_ns, errp);
}

typedef struct Call {
    uint32_t request;
    const void *out;            /* payload */
    size_t out_len;
    const int *fds;             /* borrowed */
    unsigned n_fds;
    void *in;                   /* what it answers; NULL = this kind of request has no answer but an acknowledgement */
    size_t in_len;
} Call;

static bool exchange(VhostUser *u, const Call *c, Error **errp)
{
    bool ack = !c->in && has_protocol(u, PROTOCOL_REPLY_ACK);
    Header h = { c->request, FLAG_VERSION | (ack ? FLAG_NEED_REPLY : 0), (uint32_t)c->out_len };
    struct iovec iov[] = { { &h, sizeof(h) }, { (void *)c->out, c->out_len } };
    int64_t deadline_ns = clock_get_ns(CLOCK_TYPE_REALTIME) + u->timeout_ms * INT64_C(1000000);
    uint64_t result = 0;

    if (u->fd < 0) {
        error_setg(errp, "the back end is gone");
        return false;
    }
    if (!send_all(u, iov, c->out_len ? 2 : 1, c->fds, c->n_fds, deadline_ns, errp)
        || (c->in && !receive_reply(u, c->request, c->in, c->in_len, deadline_ns, errp))
        || (ack && !receive_reply(u, c->request, &result, sizeof(result), deadline_ns, errp))) {
        error_prepend(errp, "vhost-user request %s: ", request_name(c->request));
        hang_up(u);
        return false;
    }
    if (result) {
        error_setg(errp, "vhost-user request %s: the back end refuses with %" PRIu64, request_name(c->request), result);
        return false;
    }
    return true;
}

static bool get_u64(VhostUser *u, uint32_t request, uint64_t *v, Error **errp)
{
    return exchange(u, &(Call){ .request = request, .in = v, .in_len = sizeof(*v) }, errp);
}

static bool set_u64(VhostUser *u, uint32_t request, uint64_t v, Error **errp)
{
    return exchange(u, &(Call){ .request = request, .out = &v, .out_len = sizeof(v) }, errp);
}

static bool set_fd(VhostUser *u, uint32_t request, uint64_t v, int fd, Error **errp)
{
    return exchange(u, &(Call){ .request = request, .out = &v, .out_len = sizeof(v), .fds = &fd, .n_fds = 1 }, errp);
}

static bool set_state(VhostUser *u, uint32_t request, uint32_t index, uint32_t num, Error **errp)
{
    VringState s = { index, num };

    return exchange(u, &(Call){ .request = request, .out = &s, .out_len = sizeof(s) }, errp);
}

/* When this returns, the back end has done what was asked before: without acknowledgements a question shows it. */
static bool settle(VhostUser *u, Error **errp)
{
    uint64_t ignored;

    return has_protocol(u, PROTOCOL_REPLY_ACK) || get_u64(u, GET_FEATURES, &ignored, errp);
}

/* I1 */
static void on_readable(void *opaque)
{
    VhostUser *u = opaque;
    uint8_t byte;
    ssize_t n = recv(u->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;         /* an answer, which was taken meanwhile */
    }
    hang_up(u);
    u->events->gone(u->opaque, n > 0 ? "it says something unasked" : "it closed the connection");
}

/* --- the back end's own requests --- */

static void channel_answer(VhostUser *u, const Header *h, uint64_t result)
{
    struct { Header h; uint64_t v; } __attribute__((packed)) reply = {
        { h->request, FLAG_VERSION | FLAG_REPLY, sizeof(uint64_t) }, result,
    };

    if (h->flags & FLAG_NEED_REPLY && has_protocol(u, PROTOCOL_REPLY_ACK)) {
        (void)!send(u->channel, &reply, sizeof(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

static void channel_close(VhostUser *u)
{
    main_loop_set_fd(u->channel, NULL, NULL, NULL);
    close(u->channel);
    u->channel = -1;
}

/* Answered before it is acted on: the back end may wait with all else until then. */
static void on_channel(void *opaque)
{
    VhostUser *u = opaque;
    ssize_t n = recv(u->channel, u->inbox + u->inbox_len, sizeof(u->inbox) - u->inbox_len, MSG_DONTWAIT);
    bool changed = false;
    Header h;

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    u->inbox_len += (size_t)MAX(n, 0);
    while (u->inbox_len >= sizeof(h)) {
        size_t total;

        memcpy(&h, u->inbox, sizeof(h));
        total = sizeof(h) + h.size;
        if (total > sizeof(u->inbox)) {
            warn_report("vhost-user: request %u of the back end has %u bytes; none are taken any more", h.request, h.size);
            n = 0;
            break;
        }
        if (u->inbox_len < total) {
            break;
        }
        channel_answer(u, &h, h.request != BACKEND_CONFIG_CHANGE);
        changed |= h.request == BACKEND_CONFIG_CHANGE;
        u->inbox_len -= total;
        memmove(u->inbox, u->inbox + total, u->inbox_len);
    }
    if (n <= 0) {
        channel_close(u);
    }
    if (changed) {
        u->events->config_changed(u->opaque);
    }
}

static bool open_channel(VhostUser *u, Error **errp)
{
    int pair[2];
    bool ok;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        error_setg_errno(errp, errno, "socketpair");
        return false;
    }
    u->channel = pair[0];
    ok = exchange(u, &(Call){ .request = SET_BACKEND_REQ_FD, .fds = &pair[1], .n_fds = 1 }, errp);
    close(pair[1]);
    if (ok) {
        main_loop_set_fd(u->channel, on_channel, NULL, u);
    }
    return ok;
}

/* --- opening --- */

static bool negotiate_protocol(VhostUser *u, Error **errp)
{
    uint64_t offered, slots;

    u->slots_max = VHOST_USER_SLOTS_BASE;
    if (!(u->features >> F_PROTOCOL_FEATURES & 1)) {
        return true;
    }
    if (!get_u64(u, GET_PROTOCOL_FEATURES, &offered, errp) || !set_u64(u, SET_PROTOCOL_FEATURES, offered & PROTOCOL_KNOWN, errp)) {
        return false;
    }
    u->protocol = offered & PROTOCOL_KNOWN;
    if (has_protocol(u, PROTOCOL_MQ) && !get_u64(u, GET_QUEUE_NUM, &u->queues_max, errp)) {
        return false;
    }
    if (has_protocol(u, PROTOCOL_CONFIGURE_MEM_SLOTS)) {
        if (!get_u64(u, GET_MAX_MEM_SLOTS, &slots, errp)) {
            return false;
        }
        u->slots_max = (unsigned)MIN(slots, VHOST_USER_SLOTS_MAX);
    }
    return !has_protocol(u, PROTOCOL_BACKEND_REQ) || open_channel(u, errp);
}

bool vhost_user_open(VhostUser *u, CharBackend *chr, unsigned timeout_ms, const VhostUserEvents *events, void *opaque,
                     Error **errp)
{
    int in, out;

    *u = (VhostUser){ .chr = chr, .fd = -1, .channel = -1, .timeout_ms = timeout_ms, .events = events, .opaque = opaque };
    if (!char_can_lend_fds(chr)) {
        error_setg(errp, "the chardev is no plain socket (telnet, a log file or a multiplexer stand between)");
        return false;
    }
    char_wait_open(chr, timeout_ms);
    if (!char_lend_fds(chr, &in, &out)) {
        error_setg(errp, "nothing is connected to the chardev");
        return false;
    }
    close(out);
    u->fd = in;
    if (!exchange(u, &(Call){ .request = SET_OWNER }, errp) || !get_u64(u, GET_FEATURES, &u->features, errp)
        || !negotiate_protocol(u, errp)) {
        hang_up(u);
        return false;
    }
    main_loop_set_fd(u->fd, on_readable, NULL, u);
    return true;
}

void vhost_user_close(VhostUser *u)
{
    hang_up(u);
}

/* --- features and configuration --- */

bool vhost_user_set_features(VhostUser *u, uint64_t features, Error **errp)
{
    return set_u64(u, SET_FEATURES, features | (u->features & BIT_ULL(F_PROTOCOL_FEATURES)), errp);
}

bool vhost_user_has_config(const VhostUser *u)
{
    return has_protocol(u, PROTOCOL_CONFIG);
}

bool vhost_user_get_config(VhostUser *u, void *buf, uint32_t len, Error **errp)
{
    ConfigMsg out = { .size = len }, in;
    Call c = { .request = GET_CONFIG, .out = &out, .out_len = CONFIG_HEAD + len, .in = &in, .in_len = CONFIG_HEAD + len };

    assert(len <= VHOST_USER_CONFIG_MAX);
    if (!exchange(u, &c, errp)) {
        return false;
    }
    memcpy(buf, in.data, len);
    return true;
}

bool vhost_user_set_config(VhostUser *u, uint32_t offset, const void *buf, uint32_t len, Error **errp)
{
    ConfigMsg out = { .offset = offset, .size = len };

    assert(len <= VHOST_USER_CONFIG_MAX);
    memcpy(out.data, buf, len);
    return exchange(u, &(Call){ .request = SET_CONFIG, .out = &out, .out_len = CONFIG_HEAD + len }, errp);
}

/* --- memory --- */

static MemRegion region_msg(const VhostRegion *r)
{
    return (MemRegion){ r->gpa, r->size, r->uaddr, r->fd_offset };
}

bool vhost_user_has_slots(const VhostUser *u)
{
    return has_protocol(u, PROTOCOL_CONFIGURE_MEM_SLOTS);
}

bool vhost_user_add_region(VhostUser *u, const VhostRegion *r, Error **errp)
{
    MemRegionMsg m = { .region = region_msg(r) };
    Call c = { .request = ADD_MEM_REG, .out = &m, .out_len = sizeof(m), .fds = &r->fd, .n_fds = 1 };

    return exchange(u, &c, errp) && settle(u, errp);
}

bool vhost_user_remove_region(VhostUser *u, const VhostRegion *r, Error **errp)
{
    MemRegionMsg m = { .region = region_msg(r) };

    return exchange(u, &(Call){ .request = REM_MEM_REG, .out = &m, .out_len = sizeof(m) }, errp) && settle(u, errp);
}

bool vhost_user_set_table(VhostUser *u, const VhostRegion *r, unsigned n, Error **errp)
{
    int fds[VHOST_USER_SLOTS_BASE];
    MemTable t = { .n = n };
    Call c = { .request = SET_MEM_TABLE, .out = &t, .out_len = offsetof(MemTable, region) + n * sizeof(MemRegion), .fds = fds, .n_fds = n };

    assert(n <= VHOST_USER_SLOTS_BASE);
    for (unsigned i = 0; i < n; i++) {
        t.region[i] = region_msg(&r[i]);
        fds[i] = r[i].fd;
    }
    return exchange(u, &c, errp) && settle(u, errp);
}

/* --- rings --- */

bool vhost_user_start_vring(VhostUser *u, const VhostVring *v, Error **errp)
{
    VringAddr a = { .index = v->index, .desc = v->desc, .used = v->used, .avail = v->avail };

    return set_state(u, SET_VRING_NUM, v->index, v->num, errp)
        && set_state(u, SET_VRING_BASE, v->index, v->base, errp)
        && exchange(u, &(Call){ .request = SET_VRING_ADDR, .out = &a, .out_len = sizeof(a) }, errp)
        && set_fd(u, SET_VRING_CALL, v->index, v->call, errp)
        && set_fd(u, SET_VRING_KICK, v->index, v->kick, errp)
        && (!(u->features >> F_PROTOCOL_FEATURES & 1) || set_state(u, SET_VRING_ENABLE, v->index, 1, errp));
}

bool vhost_user_stop_vring(VhostUser *u, uint32_t index, uint16_t *base, Error **errp)
{
    VringState out = { .index = index }, in;
    Call c = { .request = GET_VRING_BASE, .out = &out, .out_len = sizeof(out), .in = &in, .in_len = sizeof(in) };

    if (!exchange(u, &c, errp)) {
        return false;
    }
    if (in.index != index || in.num > UINT16_MAX) {
        error_setg(errp, "vhost-user request GET_VRING_BASE: ring %u of the back end stands at %u, asked was ring %u", in.index,
                   in.num, index);
        hang_up(u);
        return false;
    }
    *base = (uint16_t)in.num;
    return true;
}
