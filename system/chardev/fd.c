/*
 * Back ends that read and write plain descriptors: never blocking, never buffering.
 */
#include "system/chardev/internal.h"
#include "util/main-loop.h"

#include <fcntl.h>
#include <unistd.h>

static void on_readable(void *opaque)
{
    FdChardev *f = opaque;
    uint8_t buf[4 * KiB];
    size_t room = MIN(chardev_can_receive(&f->chr), sizeof(buf));
    ssize_t n;

    if (!room) {
        fd_chardev_update(&f->chr);
        return;
    }
    n = read(f->in, buf, room);
    if (n > 0) {
        chardev_receive(&f->chr, buf, n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        f->in_ended = true;
    }
    fd_chardev_update(&f->chr);
}

static void on_writable(void *opaque)
{
    FdChardev *f = opaque;

    f->stalled = false;
    chardev_writable(&f->chr);
    fd_chardev_update(&f->chr);
}

void fd_chardev_update(Chardev *c)
{
    FdChardev *f = FD_CHARDEV(c);
    FdHandler *r = !f->in_ended && chardev_can_receive(c) ? on_readable : NULL;
    FdHandler *w = f->stalled ? on_writable : NULL;

    if (f->in >= 0 && f->in == f->out) {
        main_loop_set_fd(f->in, r, w, f);
        return;
    }
    if (f->in >= 0) {
        main_loop_set_fd(f->in, r, NULL, f);
    }
    if (f->out >= 0) {
        main_loop_set_fd(f->out, NULL, w, f);
    }
}

size_t fd_chardev_write(Chardev *c, const uint8_t *buf, size_t len)
{
    FdChardev *f = FD_CHARDEV(c);
    size_t done = 0;

    while (done < len && f->out >= 0) {
        ssize_t n = write(f->out, buf + done, len - done);

        if (n > 0) {
            done += n;
        } else if (n < 0 && errno == EAGAIN) {
            f->stalled = true;
            return done;
        } else if (!(n < 0 && errno == EINTR)) {
            break;              /* nobody is there to read it: taken and dropped */
        }
    }
    return len;
}

void fd_chardev_fds(Chardev *c, int *in, int *out)
{
    *in = FD_CHARDEV(c)->in;
    *out = FD_CHARDEV(c)->out;
}

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && !(flags & O_NONBLOCK)) {
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        return flags;
    }
    return -1;
}

void fd_chardev_setup(FdChardev *f, int in, int out, bool owned)
{
    f->in = in;
    f->out = out;
    f->owned = owned;
    f->in_flags = in >= 0 ? set_nonblocking(in) : -1;
    f->out_flags = out >= 0 && out != in ? set_nonblocking(out) : -1;
}

void fd_chardev_close(Chardev *c)
{
    FdChardev *f = FD_CHARDEV(c);
    const int fds[] = { f->in, f->out }, flags[] = { f->in_flags, f->out_flags };

    for (unsigned i = 0; i < (f->in == f->out ? 1 : 2); i++) {
        if (fds[i] < 0) {
            continue;
        }
        main_loop_set_fd(fds[i], NULL, NULL, NULL);
        if (f->owned) {
            close(fds[i]);
        } else if (flags[i] >= 0) {
            fcntl(fds[i], F_SETFL, flags[i]);
        }
    }
    f->in = f->out = -1;
}

static void fd_chardev_init(Object *obj)
{
    FdChardev *f = FD_CHARDEV(obj);

    f->in = f->out = f->in_flags = f->out_flags = -1;
}

TYPE_DEFINE_FAMILY(ChardevClass, FdChardev, chardev_fd, "chardev-fd", chardev, true, .init = fd_chardev_init)
