/*
 * "file": output into a file, input from another.
 */
#include "system/chardev/internal.h"
#include "util/fdset.h"

#include <fcntl.h>
#include <unistd.h>

static bool file_open(Chardev *c, const QapiChardevOptions *o, Error **errp)
{
    const QapiChardevFile *f = &o->u.file;
    int flags = O_WRONLY | O_CREAT | (f->has_append && f->append ? O_APPEND : O_TRUNC);
    int in = -1, out;

    if (f->input_path) {
        in = fdset_open(f->input_path, O_RDONLY | O_NONBLOCK, 0);
        if (in < 0) {
            error_setg_errno(errp, errno, "Unable to open '%s'", f->input_path);
            return false;
        }
    }
    out = fdset_open(f->path, flags, 0666);
    if (out < 0) {
        error_setg_errno(errp, errno, "Unable to open '%s'", f->path);
        if (in >= 0) {
            close(in);
        }
        return false;
    }
    fd_chardev_setup(FD_CHARDEV(c), in, out, true);
    chardev_event(c, CHAR_EVENT_OPENED);
    return true;
}

CHARDEV_DEFINE(FdChardev, chardev_file, "chardev-file", chardev_fd,
    .desc = "output into a file",
    .backend = QAPI_CHARDEV_DRIVER_FILE,
    .open = file_open,
    .close = fd_chardev_close,
    .write = fd_chardev_write,
    .update = fd_chardev_update);
