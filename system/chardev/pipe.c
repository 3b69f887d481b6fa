/*
 * "pipe": a pair of FIFOs, or one file for both ways.
 */
#include "system/chardev/internal.h"

#include <fcntl.h>
#include <unistd.h>

static bool pipe_open(Chardev *c, const QapiChardevOptions *o, Error **errp)
{
    const char *path = o->u.pipe.path;
    g_autofree char *path_in = g_strdup_printf("%s.in", path);
    g_autofree char *path_out = g_strdup_printf("%s.out", path);
    /* Read and write, so that neither end is ever without a peer and open does not wait for one. */
    int in = open(path_in, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    int out = open(path_out, O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (in < 0 || out < 0) {
        if (in >= 0) {
            close(in);
        }
        if (out >= 0) {
            close(out);
        }
        in = out = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (in < 0) {
            error_setg_errno(errp, errno, "Unable to open '%s'", path);
            return false;
        }
    }
    fd_chardev_setup(FD_CHARDEV(c), in, out, true);
    chardev_event(c, CHAR_EVENT_OPENED);
    return true;
}

CHARDEV_DEFINE(FdChardev, chardev_pipe, "chardev-pipe", chardev_fd,
    .desc = "a pair of FIFOs",
    .backend = QAPI_CHARDEV_DRIVER_PIPE,
    .open = pipe_open,
    .close = fd_chardev_close,
    .write = fd_chardev_write,
    .update = fd_chardev_update);
