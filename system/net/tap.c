/*
 * "tap": an interface of the host's kernel, opened here or inherited.
 *
 * With vnet_hdr each frame has a struct virtio_net_hdr before it, so that checksums and segmentation
 * can be left to the kernel or to the guest.
 */
#include "system/net/internal.h"
#include "util/fdset.h"
#include "util/main-loop.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define VNET_LEN            ((int)sizeof(struct virtio_net_hdr))
#define FRAMES_PER_WAKEUP   64          /* then others have their turn */
#define DEFAULT_SCRIPT      "/etc/qemu-ifup"
#define DEFAULT_DOWNSCRIPT  "/etc/qemu-ifdown"

typedef struct TapClient {
    NetClient nc;
    int fd;
    bool vnet_hdr;
    bool reading_stopped, want_write;
    bool gone;                          /* the interface was deleted: the descriptor is always ready, and nothing comes */
    char *downscript, *ifname;          /* first queue; NULL = nothing to run */
    uint8_t *in;
} TapClient;

static TapClient *tap(NetClient *nc)
{
    return container_of(nc, TapClient, nc);
}

static void update(TapClient *t);

/* --- from the kernel --- */

static void on_sent(NetClient *nc)
{
    tap(nc)->reading_stopped = false;
    update(tap(nc));
}

static void on_frame(TapClient *t, size_t n)
{
    size_t head = t->vnet_hdr ? VNET_LEN : 0;
    struct virtio_net_hdr h = { 0 };
    NetOffload off = { 0 };

    if (n < head) {
        t->nc.dropped++;
        return;
    }
    if (head) {
        memcpy(&h, t->in, sizeof(h));
        off = (NetOffload){ h.flags, h.gso_type, h.hdr_len, h.gso_size, h.csum_start, h.csum_offset };
    }
    t->reading_stopped = !net_send(&t->nc, &off, t->in + head, n - head, on_sent);
}

static void interface_gone(TapClient *t)
{
    g_autofree char *about = g_strdup(t->nc.about);

    t->gone = true;
    warn_report("netdev %s: the interface is gone", t->nc.name);
    net_client_set_about(&t->nc, "%s: the interface is gone", about);
}

static void on_readable(void *opaque)
{
    TapClient *t = opaque;

    for (unsigned i = 0; i < FRAMES_PER_WAKEUP && !t->reading_stopped; i++) {
        ssize_t n = read(t->fd, t->in, VNET_LEN + NET_FRAME_MAX);

        if (n < 0 && errno == EBADFD) {
            interface_gone(t);
        }
        if (n <= 0) {
            break;
        }
        on_frame(t, n);
    }
    update(t);
}

/* --- to the kernel --- */

static void on_writable(void *opaque)
{
    TapClient *t = opaque;

    t->want_write = false;
    update(t);
    net_receive_more(&t->nc);
}

static NetResult tap_receive(NetClient *nc, const NetOffload *off, uint8_t *data, size_t len)
{
    TapClient *t = tap(nc);
    struct virtio_net_hdr h = {
        .flags = off->flags & NET_NEEDS_CSUM, .gso_type = off->gso_type, .hdr_len = off->hdr_len,
        .gso_size = off->gso_size, .csum_start = off->csum_start, .csum_offset = off->csum_offset,
    };
    struct iovec iov[2] = { { &h, sizeof(h) }, { data, len } };
    ssize_t n = t->vnet_hdr ? writev(t->fd, iov, 2) : write(t->fd, data, len);

    if (n < 0 && errno == EAGAIN) {
        t->want_write = true;
        update(t);
        return NET_LATER;
    }
    t->nc.dropped += n < 0;             /* the interface is down */
    return NET_TAKEN;
}

static void update(TapClient *t)
{
    main_loop_set_fd(t->fd, t->reading_stopped || t->gone ? NULL : on_readable, t->want_write ? on_writable : NULL, t);
}

/* What the kernel may leave to be done in frames for us is what our peer takes. */
static void tap_peer_accepts_changed(NetClient *nc)
{
    TapClient *t = tap(nc);
    unsigned a = net_peer_accepts(nc);
    unsigned flags = (a & NET_ACCEPTS_CSUM ? TUN_F_CSUM : 0) | (a & NET_ACCEPTS_TSO4 ? TUN_F_TSO4 : 0)
        | (a & NET_ACCEPTS_TSO6 ? TUN_F_TSO6 : 0) | (a & NET_ACCEPTS_ECN ? TUN_F_TSO_ECN : 0);

    if (t->vnet_hdr && ioctl(t->fd, TUNSETOFFLOAD, flags) < 0) {
        warn_report("netdev %s: cannot set offloads: %s", nc->name, g_strerror(errno));
    }
}

/* --- scripts --- */

/* Run "@script @ifname" and wait for it. */
static bool run_script(const char *script, const char *ifname, Error **errp)
{
    const char *argv[] = { script, ifname, NULL };
    g_autoptr(GError) gerr = NULL;
    int status;

    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL, &status, &gerr)) {
        error_setg(errp, "could not launch network script: %s", gerr->message);
        return false;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        error_setg(errp, "network script %s failed with status %d", script, WIFEXITED(status) ? WEXITSTATUS(status) : status);
        return false;
    }
    return true;
}

static bool is_script(const char *s)
{
    return *s && strcmp(s, "no");
}

/* --- opening --- */

static void tap_cleanup(NetClient *nc)
{
    TapClient *t = tap(nc);
    Error *err = NULL;

    if (t->fd >= 0) {
        main_loop_set_fd(t->fd, NULL, NULL, NULL);
        close(t->fd);
    }
    if (t->downscript && !run_script(t->downscript, t->ifname, &err)) {
        warn_report_err(err);
    }
    g_free(t->downscript);
    g_free(t->ifname);
    g_free(t->in);
}

static const NetClientInfo tap_info = {
    .model = "tap", .size = sizeof(TapClient), .receive = tap_receive, .peer_accepts_changed = tap_peer_accepts_changed,
    .cleanup = tap_cleanup,
};

static TapClient *tap_new(const char *id, unsigned queue, int fd, bool vnet_hdr)
{
    TapClient *t = tap(net_client_new(&tap_info, id, queue));

    t->fd = fd;
    t->vnet_hdr = vnet_hdr;
    t->in = g_malloc(VNET_LEN + NET_FRAME_MAX);
    if (vnet_hdr) {
        t->nc.accepts = NET_ACCEPTS_CSUM | NET_ACCEPTS_TSO4 | NET_ACCEPTS_TSO6 | NET_ACCEPTS_ECN;
    }
    update(t);
    return t;
}

static bool set_vnet_len(int fd, Error **errp)
{
    int len = VNET_LEN;

    if (ioctl(fd, TUNSETVNETHDRSZ, &len) < 0) {
        error_setg_errno(errp, errno, "cannot set the size of the tap's header");
        return false;
    }
    return true;
}

/* Attach to @ifname, which gets the name the kernel chose. */
static int open_tun(char ifname[IFNAMSIZ], bool multi_queue, bool want_vnet, bool need_vnet, bool *vnet, Error **errp)
{
    struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | (multi_queue ? IFF_MULTI_QUEUE : 0) };
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    unsigned features = 0;

    if (fd < 0) {
        error_setg_errno(errp, errno, "could not open /dev/net/tun");
        return -1;
    }
    *vnet = want_vnet && ioctl(fd, TUNGETFEATURES, &features) == 0 && features & IFF_VNET_HDR;
    if (need_vnet && !*vnet) {
        error_setg(errp, "vnet_hdr=1 requested, but no kernel support for IFF_VNET_HDR available");
        close(fd);
        return -1;
    }
    ifr.ifr_flags |= *vnet ? IFF_VNET_HDR : 0;
    memcpy(ifr.ifr_name, ifname, IFNAMSIZ);
    if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
        error_setg_errno(errp, errno, "could not configure /dev/net/tun%s%s", *ifname ? ": " : "", ifname);
        close(fd);
        return -1;
    }
    if (*vnet && !set_vnet_len(fd, errp)) {
        close(fd);
        return -1;
    }
    memcpy(ifname, ifr.ifr_name, IFNAMSIZ);
    return fd;
}

static void delete_queues(const char *id)
{
    NetClient *nc;

    for (unsigned i = 0; (nc = netdev_find(id, i)) != NULL; i++) {
        net_client_delete(nc);
    }
}

static bool open_by_name(const QapiNetdev *opts, Error **errp)
{
    const QapiNetdevTapOptions *o = &opts->u.tap;
    const char *up = o->script ? o->script : DEFAULT_SCRIPT, *down = o->downscript ? o->downscript : DEFAULT_DOWNSCRIPT;
    unsigned queues = o->has_queues ? o->queues : 1;
    int sndbuf = o->has_sndbuf && o->sndbuf ? (int)MIN(o->sndbuf, INT_MAX) : INT_MAX;
    char ifname[IFNAMSIZ] = "";

    if (queues < 1 || queues > NET_QUEUES_MAX) {
        error_setg(errp, "queues must be 1..%d, got %u", NET_QUEUES_MAX, queues);
        return false;
    }
    if (o->ifname && strlen(o->ifname) >= IFNAMSIZ) {
        error_setg(errp, "ifname '%s' is longer than %d bytes", o->ifname, IFNAMSIZ - 1);
        return false;
    }
    g_strlcpy(ifname, o->ifname ? o->ifname : "", IFNAMSIZ);
    for (unsigned i = 0; i < queues; i++) {
        bool vnet;
        int fd = open_tun(ifname, queues > 1, !o->has_vnet_hdr || o->vnet_hdr, o->has_vnet_hdr && o->vnet_hdr, &vnet, errp);
        bool scripted = fd >= 0 && (i || !is_script(up) || run_script(up, ifname, errp));

        if (!scripted) {
            if (fd >= 0) {
                close(fd);
            }
            delete_queues(opts->id);
            return false;
        }
        if (ioctl(fd, TUNSETSNDBUF, &sndbuf) < 0 && o->has_sndbuf) {
            warn_report("netdev %s: cannot set sndbuf: %s", opts->id, g_strerror(errno));
        }
        tap_new(opts->id, i, fd, vnet);
        net_client_set_about(netdev_find(opts->id, i), "ifname=%s,script=%s,downscript=%s", ifname, up, down);
    }
    if (is_script(down)) {
        tap(netdev_find(opts->id, 0))->downscript = g_strdup(down);
        tap(netdev_find(opts->id, 0))->ifname = g_strdup(ifname);
    }
    return true;
}

/* A received descriptor was ours from the time it was taken. */
static void release_fd(const char *text, int fd)
{
    if (!g_ascii_isdigit(text[0])) {
        close(fd);
    }
}

/* A given descriptor: is it a tap, and with which header? */
static bool check_fd(const char *text, int *fd_out, bool *vnet, Error **errp)
{
    int fd = fd_from_text(text, errp);
    struct ifreq ifr = { 0 };

    if (fd < 0) {
        return false;
    }
    *vnet = false;
    if (ioctl(fd, TUNGETIFF, &ifr) < 0) {
        error_setg_errno(errp, errno, "Can't use file descriptor %s", text);
    } else if (!(ifr.ifr_flags & IFF_TAP)) {
        error_setg(errp, "file descriptor %s is a tun, not a tap", text);
    } else {
        *vnet = ifr.ifr_flags & IFF_VNET_HDR;
        if (!*vnet || set_vnet_len(fd, errp)) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
            *fd_out = fd;
            return true;
        }
    }
    release_fd(text, fd);
    return false;
}

static bool open_fds(const QapiNetdev *opts, const char *list, Error **errp)
{
    g_auto(GStrv) texts = g_strsplit(list, ":", -1);
    unsigned n = g_strv_length(texts);
    int fds[NET_QUEUES_MAX];
    bool vnet[NET_QUEUES_MAX];

    if (n < 1 || n > NET_QUEUES_MAX) {
        error_setg(errp, "fds must name 1..%d descriptors, got %u", NET_QUEUES_MAX, n);
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        bool ok = check_fd(texts[i], &fds[i], &vnet[i], errp);

        if (ok && vnet[i] != vnet[0]) {
            error_setg(errp, "vnet_hdr not consistent across given tap fds");
            release_fd(texts[i], fds[i]);
            ok = false;
        }
        if (!ok) {
            error_prepend(errp, "%s: ", opts->id);
            while (i-- > 0) {
                release_fd(texts[i], fds[i]);
            }
            return false;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        tap_new(opts->id, i, fds[i], vnet[i]);
        net_client_set_about(netdev_find(opts->id, i), "fd=%d", fds[i]);
    }
    return true;
}

static bool tap_open(const QapiNetdev *opts, Error **errp)
{
    const QapiNetdevTapOptions *o = &opts->u.tap;
    bool by_name = o->ifname || o->script || o->downscript || o->has_vnet_hdr || o->has_queues || o->has_sndbuf;

    if (o->fd && (by_name || o->fds)) {
        error_setg(errp, "ifname=, script=, downscript=, vnet_hdr=, queues=, sndbuf= and fds= are invalid with fd=");
        return false;
    }
    if (o->fds && by_name) {
        error_setg(errp, "ifname=, script=, downscript=, vnet_hdr=, queues= and sndbuf= are invalid with fds=");
        return false;
    }
    if (o->fd && strchr(o->fd, ':')) {
        error_setg(errp, "fd= takes one descriptor, got '%s'", o->fd);
        return false;
    }
    return o->fd ? open_fds(opts, o->fd, errp) : o->fds ? open_fds(opts, o->fds, errp) : open_by_name(opts, errp);
}

const NetBackend net_tap_backend = { "tap", "an interface of the host", tap_open };
