/*
 * Forwarded ports of "user": from the host into the guest, and from addresses of the network to
 * character devices and commands.
 */
#include "system/net/user.h"
#include "system/chardev.h"
#include "qapi/qapi.h"

#include <arpa/inet.h>

/* The text up to @end, *@s moved behind it; NULL if there is no @end. */
static char *take_until(const char **s, char end)
{
    const char *at = strchr(*s, end);
    char *part;

    if (!at) {
        return NULL;
    }
    part = g_strndup(*s, at - *s);
    *s = at + 1;
    return part;
}

static bool parse_port(const char *text, unsigned min, int *port)
{
    guint64 n;

    if (!g_ascii_string_to_unsigned(text, 10, min, UINT16_MAX, &n, NULL)) {
        return false;
    }
    *port = (int)n;
    return true;
}

/* --- host to guest --- */

typedef struct HostFwd {
    bool udp;
    struct in_addr host, guest;
    int host_port, guest_port;
} HostFwd;

/* "[tcp|udp]:[HOSTADDR]:" */
static const char *parse_host_part(const char **s, HostFwd *f)
{
    g_autofree char *proto = take_until(s, ':'), *host = proto ? take_until(s, ':') : NULL;

    if (!proto || (*proto && strcmp(proto, "tcp") && strcmp(proto, "udp"))) {
        return "Bad protocol name";
    }
    f->udp = !strcmp(proto, "udp");
    f->host.s_addr = INADDR_ANY;
    if (!host) {
        return "Missing : separator";
    }
    if (*host && !inet_aton(host, &f->host)) {
        return "Bad host address";
    }
    return NULL;
}

static const char *parse_hostfwd(const char *s, HostFwd *f)
{
    const char *wrong = parse_host_part(&s, f);
    g_autofree char *port = wrong ? NULL : take_until(&s, '-');
    g_autofree char *guest = NULL;

    if (wrong) {
        return wrong;
    }
    if (!port || !parse_port(port, 0, &f->host_port)) {
        return "Bad host port";
    }
    guest = take_until(&s, ':');
    if (!guest) {
        return "Missing guest address";
    }
    f->guest.s_addr = 0;
    if (*guest && !inet_aton(guest, &f->guest)) {
        return "Bad guest address";
    }
    return parse_port(s, 1, &f->guest_port) ? NULL : "Bad guest port";
}

bool net_user_hostfwd_add(NetUser *u, const char *rule, Error **errp)
{
    HostFwd f;
    const char *wrong = parse_hostfwd(rule, &f);

    if (wrong) {
        error_setg(errp, "Invalid host forwarding rule '%s' (%s)", rule, wrong);
        return false;
    }
    if (slirp_add_hostfwd(u->slirp, f.udp, f.host, f.host_port, f.guest, f.guest_port) < 0) {
        error_setg_errno(errp, errno, "Could not set up host forwarding rule '%s'", rule);
        return false;
    }
    return true;
}

bool net_user_hostfwd_remove(NetUser *u, const char *rule, Error **errp)
{
    const char *s = rule, *wrong;
    HostFwd f;

    wrong = parse_host_part(&s, &f);
    if (wrong || !parse_port(s, 0, &f.host_port)) {
        error_setg(errp, "Invalid host forwarding rule '%s' (%s)", rule, wrong ? wrong : "Bad host port");
        return false;
    }
    if (slirp_remove_hostfwd(u->slirp, f.udp, f.host, f.host_port) < 0) {
        error_setg(errp, "host forwarding rule for %s not found", rule);
        return false;
    }
    return true;
}

/* --- guest to character device or command --- */

typedef struct GuestFwd {
    NetUser *u;
    CharBackend be;
    struct in_addr addr;
    int port;
} GuestFwd;

static size_t fwd_can_receive(void *opaque)
{
    GuestFwd *f = opaque;

    return slirp_socket_can_recv(f->u->slirp, f->addr, f->port);
}

static void fwd_receive(void *opaque, const uint8_t *buf, size_t len)
{
    GuestFwd *f = opaque;

    slirp_socket_recv(f->u->slirp, f->addr, f->port, buf, (int)len);
}

static const CharHandlers fwd_handlers = { .can_receive = fwd_can_receive, .receive = fwd_receive };

/* A short write keeps the rest in libslirp, which tries again. */
static ssize_t fwd_write(const void *buf, size_t len, void *opaque)
{
    return (ssize_t)char_write(&((GuestFwd *)opaque)->be, buf, len);
}

static void guestfwd_delete(GuestFwd *f)
{
    char_backend_deinit(&f->be);
    g_free(f);
}

void net_user_guestfwd_free(NetUser *u)
{
    for (unsigned i = 0; u->guestfwds && i < u->guestfwds->len; i++) {
        guestfwd_delete(g_ptr_array_index(u->guestfwds, i));
    }
    g_clear_pointer(&u->guestfwds, g_ptr_array_unref);
}

void net_user_guestfwd_accept(NetUser *u)
{
    for (unsigned i = 0; u->guestfwds && i < u->guestfwds->len; i++) {
        char_accept_input(&((GuestFwd *)g_ptr_array_index(u->guestfwds, i))->be);
    }
}

static bool fwd_to_chardev(NetUser *u, const char *rule, const char *target, struct in_addr addr, int port, Error **errp)
{
    g_autofree char *id = g_strdup_printf("guestfwd.tcp.%d", port);
    Chardev *chr = chardev_new_legacy(id, target, errp);
    GuestFwd *f;

    if (!chr) {
        error_prepend(errp, "Could not open guest forwarding device '%s': ", rule);
        return false;
    }
    f = g_new0(GuestFwd, 1);
    f->u = u;
    f->addr = addr;
    f->port = port;
    if (!char_backend_init(&f->be, chr, errp)) {
        g_free(f);
        return false;
    }
    if (slirp_add_guestfwd(u->slirp, fwd_write, f, &f->addr, port) < 0) {
        error_setg(errp, "Conflicting/invalid host:port in guest forwarding rule '%s'", rule);
        guestfwd_delete(f);
        return false;
    }
    char_backend_set_handlers(&f->be, &fwd_handlers, f);
    if (!u->guestfwds) {
        u->guestfwds = g_ptr_array_new();
    }
    g_ptr_array_add(u->guestfwds, f);
    return true;
}

bool net_user_guestfwd_add(NetUser *u, const char *rule, Error **errp)
{
    const char *s = rule;
    g_autofree char *proto = take_until(&s, ':'), *host = proto ? take_until(&s, ':') : NULL;
    g_autofree char *port_text = host ? take_until(&s, '-') : NULL;
    struct in_addr addr;
    int port;

    if (!proto || (*proto && strcmp(proto, "tcp")) || !port_text || !inet_aton(host, &addr)
        || !parse_port(port_text, 1, &port) || !*s) {
        error_setg(errp, "Invalid guest forwarding rule '%s': expected [tcp]:ADDR:PORT-TARGET", rule);
        return false;
    }
    if (!g_str_has_prefix(s, "cmd:")) {
        return fwd_to_chardev(u, rule, s, addr, port, errp);
    }
    if (slirp_add_exec(u->slirp, s + 4, &addr, port) < 0) {
        error_setg(errp, "Conflicting/invalid host:port in guest forwarding rule '%s'", rule);
        return false;
    }
    return true;
}

/* --- the monitor --- */

static void print_one(NetClient *nc, void *opaque)
{
    NetUser *u = net_user_from(nc);
    int32_t hub = -1;

    if (u) {
        g_autofree char *text = slirp_connection_info(u->slirp);

        if (nc->peer) {
            net_client_is_hub_port(nc->peer, &hub);
        }
        fprintf((FILE *)opaque, "Hub %d (%s):\n%s", hub, nc->name, text);
    }
}

bool net_has_user(void)
{
    return true;
}

void net_user_info(FILE *out)
{
    net_client_foreach(print_one, out);
}

static void find_first(NetClient *nc, void *opaque)
{
    NetUser **found = opaque;

    *found = *found ? *found : net_user_from(nc);
}

bool net_hostfwd(bool add, const char *id, const char *rule, FILE *out, Error **errp)
{
    NetUser *u = NULL;

    if (id) {
        NetClient *nc = netdev_find(id, 0);

        if (!nc) {
            error_setg(errp, "unrecognized netdev id '%s'", id);
            return false;
        }
        u = net_user_from(nc);
    } else {
        net_client_foreach(find_first, &u);
    }
    if (!u) {
        error_setg(errp, id ? "'%s' is no user mode network" : "user mode network stack not in use", id);
        return false;
    }
    if (!add && net_user_hostfwd_remove(u, rule, errp)) {
        fprintf(out, "host forwarding rule for %s removed\n", rule);
        return true;
    }
    return add && net_user_hostfwd_add(u, rule, errp);
}
