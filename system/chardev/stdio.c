/*
 * "stdio": the terminal (or whatever) that the process was started on.
 *
 * A terminal is put into raw mode, and back at the end, whichever way the end comes by exit().  With
 * signal=on its interrupt keys still make signals; after a stop and continue (Ctrl-Z, fg) the raw mode
 * is set again.
 */
#include "system/chardev/internal.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

/* The one terminal of the process. */
static struct {
    bool used, forbidden;
    bool is_tty, exit_hooked;
    struct termios found, raw;
} terminal;

void chardev_forbid_stdio(void)
{
    terminal.forbidden = true;
}

static void terminal_restore(void)
{
    if (terminal.is_tty) {
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.found);
        terminal.is_tty = false;
    }
}

/* tcsetattr is async-signal-safe (POSIX, XSH 2.4.3). */
static void on_continued(int sig)
{
    if (terminal.is_tty) {
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.raw);
    }
}

static void terminal_make_raw(bool with_signals)
{
    struct sigaction act = { .sa_handler = on_continued, .sa_flags = SA_RESTART };
    struct termios *t = &terminal.raw;

    if (tcgetattr(STDIN_FILENO, &terminal.found) < 0) {
        return;                             /* no terminal: nothing to prepare */
    }
    *t = terminal.found;
    t->c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t->c_oflag |= OPOST;
    t->c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN | (with_signals ? 0 : ISIG));
    t->c_cflag = (t->c_cflag & ~(CSIZE | PARENB)) | CS8;
    t->c_cc[VMIN] = 1;
    t->c_cc[VTIME] = 0;
    terminal.is_tty = true;
    if (!terminal.exit_hooked) {
        terminal.exit_hooked = true;
        atexit(terminal_restore);
        sigaction(SIGCONT, &act, NULL);
    }
    tcsetattr(STDIN_FILENO, TCSANOW, t);
}

static bool stdio_open(Chardev *c, const QapiChardevOptions *o, Error **errp)
{
    const QapiChardevStdio *s = &o->u.stdio;

    if (terminal.forbidden) {
        error_setg(errp, "cannot use stdio with -daemonize");
        return false;
    }
    if (terminal.used) {
        error_setg(errp, "cannot use stdio by multiple character devices");
        return false;
    }
    terminal.used = true;
    terminal_make_raw(!s->has_signal || s->signal);
    fd_chardev_setup(FD_CHARDEV(c), STDIN_FILENO, STDOUT_FILENO, false);
    chardev_event(c, CHAR_EVENT_OPENED);
    return true;
}

static void stdio_close(Chardev *c)
{
    if (FD_CHARDEV(c)->out < 0) {
        return;                             /* it was another that has it */
    }
    fd_chardev_close(c);
    terminal_restore();
    terminal.used = false;
}

CHARDEV_DEFINE(FdChardev, chardev_stdio, "chardev-stdio", chardev_fd,
    .desc = "standard input and output",
    .backend = QAPI_CHARDEV_DRIVER_STDIO,
    .open = stdio_open,
    .close = stdio_close,
    .write = fd_chardev_write,
    .update = fd_chardev_update,
    .fds = fd_chardev_fds);
