/*
 * "pty": a new pseudo terminal whose other side anybody may open.
 *
 * While nobody has it open the kernel reports a hang-up at our side at once and always, so it is
 * looked at by a timer instead of being watched, and output is dropped.
 */
#include "system/chardev/internal.h"
#include "util/main-loop.h"
#include "util/timer.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#define POLL_INTERVAL_NS (NANOSECONDS_PER_SECOND / 4)

typedef struct PtyChardev {
    Chardev chr;
    int fd;
    char *name, *link;
    bool stalled;
    Timer timer;
} PtyChardev;

OBJECT_DECLARE(PtyChardev, PTY_CHARDEV, chardev_pty)

static void pty_update(Chardev *c);

static void disconnect(PtyChardev *s)
{
    main_loop_set_fd(s->fd, NULL, NULL, NULL);
    s->stalled = false;
    if (s->chr.is_open) {
        chardev_event(&s->chr, CHAR_EVENT_CLOSED);
        chardev_writable(&s->chr);
    }
    timer_mod(&s->timer, clock_get_ns(CLOCK_TYPE_REALTIME) + POLL_INTERVAL_NS);
}

static void check_peer(void *opaque)
{
    PtyChardev *s = opaque;
    struct pollfd p = { .fd = s->fd, .events = POLLOUT };

    if (poll(&p, 1, 0) == 1 && (p.revents & POLLHUP)) {
        timer_mod(&s->timer, clock_get_ns(CLOCK_TYPE_REALTIME) + POLL_INTERVAL_NS);
        return;
    }
    chardev_event(&s->chr, CHAR_EVENT_OPENED);
    pty_update(&s->chr);
}

static void pty_readable(void *opaque)
{
    PtyChardev *s = opaque;
    uint8_t buf[4 * KiB];
    size_t room = MIN(chardev_can_receive(&s->chr), sizeof(buf));
    ssize_t n = room ? read(s->fd, buf, room) : -1;

    if (room && (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))) {
        disconnect(s);              /* EIO: the last one closed the other side */
        return;
    }
    if (n > 0) {
        chardev_receive(&s->chr, buf, n);
    }
    pty_update(&s->chr);
}

static void pty_writable(void *opaque)
{
    PtyChardev *s = opaque;

    s->stalled = false;
    chardev_writable(&s->chr);
    pty_update(&s->chr);
}

static void pty_update(Chardev *c)
{
    PtyChardev *s = PTY_CHARDEV(c);

    if (c->is_open) {
        main_loop_set_fd(s->fd, chardev_can_receive(c) ? pty_readable : NULL, s->stalled ? pty_writable : NULL, s);
    }
}

static size_t pty_write(Chardev *c, const uint8_t *buf, size_t len)
{
    PtyChardev *s = PTY_CHARDEV(c);
    ssize_t n;

    if (!c->is_open) {
        check_peer(s);              /* somebody may have come since the timer looked */
    }
    if (!c->is_open) {
        return len;
    }
    n = write(s->fd, buf, len);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        return len;                 /* the end is seen on reading: no event in the middle of a front end's write */
    }
    s->stalled = n < (ssize_t)len;
    return n < 0 ? 0 : n;
}

static bool pty_open(Chardev *c, const QapiChardevOptions *o, Error **errp)
{
    PtyChardev *s = PTY_CHARDEV(c);
    struct termios tio;
    char name[PATH_MAX];
    int peer;

    if (openpty(&s->fd, &peer, name, NULL, NULL) < 0) {
        s->fd = -1;
        error_setg_errno(errp, errno, "Failed to create PTY");
        return false;
    }
    tcgetattr(peer, &tio);
    cfmakeraw(&tio);
    tcsetattr(peer, TCSAFLUSH, &tio);
    close(peer);
    fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK);
    fcntl(s->fd, F_SETFD, FD_CLOEXEC);
    s->name = g_strdup(name);
    timer_init(&s->timer, CLOCK_TYPE_REALTIME, check_peer, s);
    if (o->u.pty.path) {
        if (symlink(name, o->u.pty.path) < 0) {
            error_setg_errno(errp, errno, "Failed to create PTY symlink '%s'", o->u.pty.path);
            return false;
        }
        s->link = g_strdup(o->u.pty.path);
    }
    printf("char device redirected to %s (label %s)\n", name, c->label);
    fflush(stdout);
    timer_mod(&s->timer, clock_get_ns(CLOCK_TYPE_REALTIME) + POLL_INTERVAL_NS);
    return true;
}

static void pty_close(Chardev *c)
{
    PtyChardev *s = PTY_CHARDEV(c);

    if (s->link) {
        unlink(s->link);
        g_clear_pointer(&s->link, g_free);
    }
    if (s->fd >= 0) {
        timer_del(&s->timer);
        main_loop_set_fd(s->fd, NULL, NULL, NULL);
        close(s->fd);
        s->fd = -1;
    }
    c->is_open = false;
}

static void pty_init(Object *obj)
{
    PTY_CHARDEV(obj)->fd = -1;
}

static void pty_fini(Object *obj)
{
    g_free(PTY_CHARDEV(obj)->name);
}

const char *pty_name(const Chardev *c)
{
    return PTY_CHARDEV(c)->name;
}

static char *pty_filename(Chardev *c)
{
    return g_strdup_printf("pty:%s", PTY_CHARDEV(c)->name);
}

static void pty_fds(Chardev *c, int *in, int *out)
{
    *in = *out = PTY_CHARDEV(c)->fd;
}

CHARDEV_DEFINE(PtyChardev, chardev_pty, "chardev-pty", chardev,
    .desc = "a new pseudo terminal",
    .init = pty_init,
    .fini = pty_fini,
    .backend = QAPI_CHARDEV_DRIVER_PTY,
    .open = pty_open,
    .close = pty_close,
    .write = pty_write,
    .update = pty_update,
    .fds = pty_fds,
    .filename = pty_filename);
