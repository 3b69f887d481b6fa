/*
 * "user": a NAT in user space, by libslirp: DHCP, DNS and TFTP for the guest, TCP and UDP to the host
 * and the world as the process's own sockets.
 *
 * Guest to host, segmentation and checksums are left to us: libslirp takes TCP segments of 64 KiB, so
 * a whole one costs one pass over its data, for the checksum that libslirp wants to see.  Host to
 * guest, the segments that libslirp makes in one go are joined (coalesce.h).
 */
#include "system/net/user.h"
#include "util/log.h"
#include "util/timer.h"

#include <arpa/inet.h>

static const NetClientInfo user_info;

NetUser *net_user_from(NetClient *nc)
{
    return nc && nc->info == &user_info ? container_of(nc, NetUser, nc) : NULL;
}

/* --- what libslirp calls --- */

static ssize_t cb_send_packet(const void *buf, size_t len, void *opaque)
{
    NetUser *u = opaque;
    unsigned accepts = net_peer_accepts(&u->nc);
    NetOffload off = { .flags = accepts & NET_ACCEPTS_CSUM ? NET_DATA_VALID : 0 };

    if (accepts & NET_ACCEPTS_TSO4) {
        net_coalesce_add(&u->to_guest, &off, buf, len);
    } else {
        /* Nothing is to be done to it, so nothing is changed. */
        net_send(&u->nc, &off, (uint8_t *)buf, len, NULL);
    }
    return len;
}

static void send_coalesced(void *opaque, const NetOffload *off, uint8_t *data, size_t len)
{
    net_send(&((NetUser *)opaque)->nc, off, data, len, NULL);
}

static void cb_guest_error(const char *msg, void *opaque)
{
    guest_error("user network", "%s", msg);
}

static int64_t cb_clock_get_ns(void *opaque)
{
    return clock_get_ns(CLOCK_TYPE_VIRTUAL);
}

typedef struct SlirpTimer {
    Timer timer;
    NetUser *u;
    SlirpTimerId id;
    void *cb_opaque;
} SlirpTimer;

static void on_timer(void *opaque)
{
    SlirpTimer *t = opaque;

    slirp_handle_timer(t->u->slirp, t->id, t->cb_opaque);
    net_coalesce_flush(&t->u->to_guest);
}

static void *cb_timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
    SlirpTimer *t = g_new0(SlirpTimer, 1);

    t->u = opaque;
    t->id = id;
    t->cb_opaque = cb_opaque;
    timer_init(&t->timer, CLOCK_TYPE_VIRTUAL, on_timer, t);
    return t;
}

static void cb_timer_free(void *timer, void *opaque)
{
    SlirpTimer *t = timer;

    timer_del(&t->timer);
    g_free(t);
}

static void cb_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
    timer_mod(&((SlirpTimer *)timer)->timer, expire_ms * 1000000);
}

static void cb_poll_fd(int fd, void *opaque)
{
    main_loop_wake();                   /* asked for all of them before the next sleep */
}

static void cb_notify(void *opaque)
{
    net_user_guestfwd_accept(opaque);
    main_loop_wake();
}

static void cb_init_completed(Slirp *slirp, void *opaque)
{
    ((NetUser *)opaque)->slirp = slirp;
}

static const SlirpCb callbacks = {
    .send_packet = cb_send_packet, .guest_error = cb_guest_error, .clock_get_ns = cb_clock_get_ns,
    .timer_new_opaque = cb_timer_new, .timer_free = cb_timer_free, .timer_mod = cb_timer_mod,
    .register_poll_fd = cb_poll_fd, .unregister_poll_fd = cb_poll_fd, .notify = cb_notify,
    .init_completed = cb_init_completed,
};

/* --- its sockets in our loop --- */

static int add_poll(int fd, int events, void *opaque)
{
    GArray *fds = opaque;
    GPollFD p = {
        .fd = fd,
        .events = (events & SLIRP_POLL_IN ? G_IO_IN : 0) | (events & SLIRP_POLL_OUT ? G_IO_OUT : 0)
            | (events & SLIRP_POLL_PRI ? G_IO_PRI : 0) | (events & SLIRP_POLL_ERR ? G_IO_ERR : 0)
            | (events & SLIRP_POLL_HUP ? G_IO_HUP : 0),
    };

    g_array_append_val(fds, p);
    return (int)fds->len - 1;
}

static int get_revents(int i, void *opaque)
{
    const GArray *fds = opaque;
    unsigned r = i >= 0 && i < (int)fds->len ? g_array_index(fds, GPollFD, i).revents : 0;

    return (r & G_IO_IN ? SLIRP_POLL_IN : 0) | (r & G_IO_OUT ? SLIRP_POLL_OUT : 0) | (r & G_IO_PRI ? SLIRP_POLL_PRI : 0)
         | (r & G_IO_ERR ? SLIRP_POLL_ERR : 0) | (r & G_IO_HUP ? SLIRP_POLL_HUP : 0);
}

static void hook_fill(void *opaque, GArray *fds, int64_t *timeout_ns)
{
    NetUser *u = opaque;
    uint32_t ms = *timeout_ns < 0 || *timeout_ns / 1000000 >= UINT32_MAX ? UINT32_MAX : *timeout_ns / 1000000, before = ms;

    u->filled = true;
    slirp_pollfds_fill(u->slirp, &ms, add_poll, fds);
    if (ms < before) {
        *timeout_ns = ms * INT64_C(1000000);
    }
}

static void hook_done(void *opaque, const GArray *fds)
{
    NetUser *u = opaque;

    if (u->filled) {                    /* not yet if made in this very step */
        u->filled = false;
        slirp_pollfds_poll(u->slirp, 0, get_revents, (void *)fds);
        net_coalesce_flush(&u->to_guest);
    }
}

/* --- frames from the guest --- */

static NetResult user_receive(NetClient *nc, const NetOffload *off, uint8_t *data, size_t len)
{
    NetUser *u = net_user_from(nc);
    NetOffload local = *off;

    if (local.flags & NET_NEEDS_CSUM) {
        if (local.gso_type != NET_GSO_NONE) {
            net_offload_finish_segment(&local, data, len);
        }
        net_offload_complete_checksum(&local, data, len);
    }
    if (!net_user_may_pass(u, data, len)) {
        return NET_TAKEN;
    }
    slirp_input(u->slirp, data, (int)len);
    net_coalesce_flush(&u->to_guest);
    main_loop_wake();                   /* what it wants to hear of may have changed */
    return NET_TAKEN;
}

/* --- opening --- */

static bool parse_ip4(const char *what, const char *text, struct in_addr *a, Error **errp)
{
    if (text && !inet_aton(text, a)) {
        error_setg(errp, "Failed to parse %s '%s'", what, text);
        return false;
    }
    return true;
}

/* ADDRESS, ADDRESS/PREFIX or ADDRESS/NETMASK. */
static bool parse_network(const char *text, SlirpConfig *c, Error **errp)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    guint64 bits;

    if (!parts[0] || !inet_aton(parts[0], &c->vnetwork)) {
        error_setg(errp, "Failed to parse network address '%s'", text);
        return false;
    }
    if (!parts[1]) {
        uint32_t a = ntohl(c->vnetwork.s_addr);

        /* by class, but 10/8 has long been /24 here */
        c->vnetmask.s_addr = htonl(!(a & 0x80000000) ? 0xff000000 : (a & 0xfff00000) == 0xac100000 ? 0xfff00000
                                   : (a & 0xffff0000) == 0xc0a80000 ? 0xffffff00 : 0xfffffff0);
    } else if (g_ascii_string_to_unsigned(parts[1], 10, 4, 32, &bits, NULL)) {
        c->vnetmask.s_addr = htonl((uint32_t)(UINT64_C(0xffffffff) << (32 - bits)));
    } else if (!inet_aton(parts[1], &c->vnetmask) || strspn(parts[1], "0123456789") == strlen(parts[1])) {
        error_setg(errp, "Failed to parse netmask '%s' (trailing chars, or no prefix length of 4..32)", parts[1]);
        return false;
    }
    c->vnetwork.s_addr &= c->vnetmask.s_addr;
    return true;
}

/* An address of the network: the given one, or the @n-th. */
static bool place_ip4(const char *what, const char *text, unsigned n, const SlirpConfig *c, struct in_addr *a, Error **errp)
{
    a->s_addr = c->vnetwork.s_addr | (htonl(n) & ~c->vnetmask.s_addr);
    if (!parse_ip4(what, text, a, errp)) {
        return false;
    }
    if ((a->s_addr & c->vnetmask.s_addr) != c->vnetwork.s_addr) {
        error_setg(errp, "%s doesn't belong to network", what);
        return false;
    }
    return true;
}

static bool configure_ip4(const QapiNetdevUserOptions *o, SlirpConfig *c, Error **errp)
{
    uint32_t broadcast;

    if (!c->in_enabled && (o->net || o->ip || o->host || o->dhcpstart || o->dns)) {
        error_setg(errp, "IPv4 disabled but netmask/host/dhcpstart/dns given");
        return false;
    }
    if (o->net && o->ip) {
        error_setg(errp, "'net' and 'ip' are the same option");
        return false;
    }
    if (!parse_network(o->net ? o->net : o->ip ? o->ip : "10.0.2.0/24", c, errp)
        || !place_ip4("Host", o->host, 2, c, &c->vhost, errp)
        || !place_ip4("DHCP start address", o->dhcpstart, 15, c, &c->vdhcp_start, errp)
        || !place_ip4("DNS", o->dns, 3, c, &c->vnameserver, errp)) {
        return false;
    }
    broadcast = c->vnetwork.s_addr | ~c->vnetmask.s_addr;
    if (c->vhost.s_addr == c->vnameserver.s_addr) {
        error_setg(errp, "DNS must be different from host");
        return false;
    }
    if (c->vhost.s_addr == c->vdhcp_start.s_addr || c->vnameserver.s_addr == c->vdhcp_start.s_addr
        || c->vdhcp_start.s_addr == broadcast) {
        error_setg(errp, "DHCP start address must be different from host, DNS and broadcast");
        return false;
    }
    return true;
}

static bool parse_ip6(const char *what, const char *text, struct in6_addr *a, Error **errp)
{
    if (inet_pton(AF_INET6, text, a) != 1) {
        error_setg(errp, "Failed to parse IPv6 %s '%s'", what, text);
        return false;
    }
    return true;
}

static bool same_prefix(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
    return !memcmp(a, b, bits / 8)
        && (bits % 8 == 0 || (a->s6_addr[bits / 8] ^ b->s6_addr[bits / 8]) >> (8 - bits % 8) == 0);
}

/* An address of the prefix: the given one, or the one that ends in @last. */
static bool place_ip6(const char *what, const char *text, uint8_t last, const SlirpConfig *c, struct in6_addr *a, Error **errp)
{
    *a = c->vprefix_addr6;
    a->s6_addr[15] |= last;
    if (text && !parse_ip6(what, text, a, errp)) {
        return false;
    }
    if (!same_prefix(a, &c->vprefix_addr6, c->vprefix_len)) {
        error_setg(errp, "IPv6 %s doesn't belong to network", what);
        return false;
    }
    return true;
}

static bool configure_ip6(const QapiNetdevUserOptions *o, SlirpConfig *c, Error **errp)
{
    int64_t len = o->has_ipv6_prefixlen ? o->ipv6_prefixlen : 64;

    if (!c->in6_enabled && (o->ipv6_prefix || o->ipv6_host || o->ipv6_dns)) {
        error_setg(errp, "IPv6 disabled but prefix/host6/dns6 given");
        return false;
    }
    if (len < 0 || len > 126) {
        error_setg(errp, "Invalid IPv6 prefix length %" PRId64 " provided (IPv6 prefix length must be between 0 and 126)", len);
        return false;
    }
    c->vprefix_len = (uint8_t)len;
    return parse_ip6("prefix", o->ipv6_prefix ? o->ipv6_prefix : "fec0::", &c->vprefix_addr6, errp)
        && place_ip6("host", o->ipv6_host, 2, c, &c->vhost6, errp)
        && place_ip6("DNS", o->ipv6_dns, 3, c, &c->vnameserver6, errp);
}

static bool configure_names(const QapiNetdevUserOptions *o, SlirpConfig *c, const char ***search, Error **errp)
{
    if (o->domainname && (!*o->domainname || strlen(o->domainname) > 255)) {
        error_setg(errp, "'domainname' parameter must be 1..255 bytes");
        return false;
    }
    if (o->hostname && strlen(o->hostname) > 33) {
        error_setg(errp, "'hostname' parameter cannot be longer than 33 bytes");
        return false;
    }
    if (o->tftp_server_name && strlen(o->tftp_server_name) > 255) {
        error_setg(errp, "'tftp-server-name' parameter cannot exceed 255 bytes");
        return false;
    }
    if (o->dnssearch && o->dnssearch->len) {
        *search = g_new0(const char *, o->dnssearch->len + 1);
        for (size_t i = 0; i < o->dnssearch->len; i++) {
            (*search)[i] = o->dnssearch->at[i].str;
        }
    }
    c->vhostname = o->hostname;
    c->vdomainname = o->domainname;
    c->tftp_server_name = o->tftp_server_name;
    c->tftp_path = o->tftp;
    c->bootfile = o->bootfile;
    c->vdnssearch = *search;
    return true;
}

static bool configure(const QapiNetdevUserOptions *o, SlirpConfig *c, const char ***search, Error **errp)
{
    c->version = 4;
    c->restricted = o->has_q_restrict && o->q_restrict;
    c->in_enabled = o->has_ipv4 ? o->ipv4 : !(o->has_ipv6 && o->ipv6);
    c->in6_enabled = o->has_ipv6 ? o->ipv6 : !(o->has_ipv4 && o->ipv4);
    if (!c->in_enabled && !c->in6_enabled) {
        error_setg(errp, "IPv4 and IPv6 disabled");
        return false;
    }
    return configure_ip4(o, c, errp) && configure_ip6(o, c, errp) && configure_names(o, c, search, errp);
}

static bool add_forwards(NetUser *u, const QapiNetdevUserOptions *o, Error **errp)
{
    for (size_t i = 0; o->hostfwd && i < o->hostfwd->len; i++) {
        if (!net_user_hostfwd_add(u, o->hostfwd->at[i].str, errp)) {
            return false;
        }
    }
    for (size_t i = 0; o->guestfwd && i < o->guestfwd->len; i++) {
        if (!net_user_guestfwd_add(u, o->guestfwd->at[i].str, errp)) {
            return false;
        }
    }
    return true;
}

static bool user_open(const QapiNetdev *opts, Error **errp)
{
    const QapiNetdevUserOptions *o = &opts->u.user;
    g_autofree const char **search = NULL;
    SlirpConfig c = { 0 };
    NetUser *u;

    if (!configure(o, &c, &search, errp)) {
        return false;
    }
    u = container_of(net_client_new(&user_info, opts->id, 0), NetUser, nc);
    u->nc.accepts = NET_ACCEPTS_CSUM | NET_ACCEPTS_TSO4 | NET_ACCEPTS_TSO6 | NET_ACCEPTS_ECN;
    net_client_set_about(&u->nc, "net=%s,restrict=%s", inet_ntoa(c.vnetwork), c.restricted ? "on" : "off");
    net_coalesce_init(&u->to_guest, send_coalesced, u);
    u->slirp = slirp_new(&c, &callbacks, u);
    if (!u->slirp) {
        error_setg(errp, "libslirp refused the configuration");
        net_client_delete(&u->nc);
        return false;
    }
    net_user_account_open(u);
    u->hook = (MainLoopHook){ hook_fill, hook_done, u };
    main_loop_hook_add(&u->hook);
    if (!add_forwards(u, o, errp)) {
        net_client_delete(&u->nc);
        return false;
    }
    return true;
}

static void user_cleanup(NetClient *nc)
{
    NetUser *u = net_user_from(nc);

    if (u->slirp) {
        net_user_account_close(u);
        main_loop_hook_remove(&u->hook);
        net_user_guestfwd_free(u);
        slirp_cleanup(u->slirp);
    }
    net_coalesce_fini(&u->to_guest);
}

static const NetClientInfo user_info = {
    .model = "user", .size = sizeof(NetUser), .receive = user_receive, .cleanup = user_cleanup,
};

const NetBackend net_user_backend = { "user", "a NAT in user space", user_open };
