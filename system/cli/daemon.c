/*
 * -daemonize and -pidfile.
 *
 * The parent waits on a pipe: a byte says that all is up, end of file that the child has failed
 * (after having said why on stderr).  So the command's exit status tells.
 */
#include "system/cli/cli.h"
#include "system/chardev.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int ready_fd = -1;           /* to the waiting parent */
static int null_fd = -1;            /* between daemon_leave and daemon_ready */
static char *pidfile_path;
static int pidfile_fd = -1;         /* holds the lock while we live */

static G_NORETURN void wait_for_child(int fd, pid_t pid)
{
    uint8_t byte;
    ssize_t n;
    int status;

    do {
        n = read(fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1) {
        _exit(0);
    }
    waitpid(pid, &status, 0);
    _exit(1);
}

bool daemon_start(Error **errp)
{
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0) {
        error_setg_errno(errp, errno, "pipe");
        return false;
    }
    pid = fork();
    if (pid < 0) {
        error_setg_errno(errp, errno, "fork");
        return false;
    }
    if (pid > 0) {
        close(fds[1]);
        wait_for_child(fds[0], pid);
    }
    close(fds[0]);
    ready_fd = fds[1];
    setsid();
    umask(027);
    chardev_forbid_stdio();
    return true;
}

bool daemon_leave(Error **errp)
{
    if (ready_fd < 0) {
        return true;
    }
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (chdir("/") < 0 || null_fd < 0) {
        error_setg_errno(errp, errno, "cannot let go of the terminal");
        return false;
    }
    return true;
}

void daemon_ready(void)
{
    uint8_t byte = 0;

    if (ready_fd < 0) {
        return;
    }
    for (int fd = 0; fd <= 2; fd++) {
        if (dup2(null_fd, fd) < 0) {
            error_report("cannot let go of the terminal: %s", g_strerror(errno));
            exit(1);
        }
    }
    if (null_fd > 2) {
        close(null_fd);
    }
    while (write(ready_fd, &byte, 1) < 0 && errno == EINTR) {
    }
    close(ready_fd);
    ready_fd = -1;
}

bool pidfile_create(const char *path, Error **errp)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

    if (fd < 0) {
        error_setg_errno(errp, errno, "cannot create PID file '%s'", path);
        return false;
    }
    if (fcntl(fd, F_SETLK, &lock) < 0) {
        error_setg_errno(errp, errno, "cannot lock PID file '%s'", path);
        close(fd);
        return false;
    }
    if (ftruncate(fd, 0) < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        error_setg_errno(errp, errno, "cannot write PID file '%s'", path);
        close(fd);
        return false;
    }
    pidfile_fd = fd;
    pidfile_path = realpath(path, NULL);
    return true;
}

void pidfile_remove(void)
{
    if (pidfile_path) {
        unlink(pidfile_path);
        free(pidfile_path);
        pidfile_path = NULL;
        close(pidfile_fd);
    }
}
