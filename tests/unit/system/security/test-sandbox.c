/*
 * The sandbox: each call is made in a child process that has the filter, and its fate is compared with the table.
 */
#include "config-host.h"
#include "system/sandbox.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL (SANDBOX_DEFAULT | SANDBOX_OBSOLETE | SANDBOX_PRIVILEGES | SANDBOX_SPAWN | SANDBOX_RESOURCECONTROL)

enum { DONE = 0, KILLED = -1 };         /* else an errno */

typedef long CallFn(void);

static int run_call(unsigned groups, CallFn *fn)
{
    pid_t pid = fork();
    int status;

    if (!pid) {
        struct rlimit no_core = { 0, 0 };
        long r;

        setrlimit(RLIMIT_CORE, &no_core);
        if (!sandbox_start(groups, NULL)) {
            _exit(255);
        }
        errno = 0;
        r = fn();
        _exit(r < 0 ? errno : DONE);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    if (WIFSIGNALED(status)) {
        g_assert_cmpint(WTERMSIG(status), ==, SIGSYS);
        return KILLED;
    }
    g_assert_cmpint(WEXITSTATUS(status), !=, 255);
    return WEXITSTATUS(status);
}

/* --- calls; arguments are such that without the filter they fail or do nothing --- */

static long call_mount(void)
{
    return syscall(SYS_mount, NULL, "/nonexistent/x", NULL, 0, NULL);
}

static long call_reboot(void)
{
    return syscall(SYS_reboot, 0, 0, 0, NULL);          /* wrong magic */
}

static long call_ustat(void)
{
    return syscall(SYS_ustat, 0, NULL);
}

static long call_setuid(void)
{
    return syscall(SYS_setuid, getuid());
}

static long call_setsid(void)
{
    return syscall(SYS_setsid);
}

static long call_execve(void)
{
    return syscall(SYS_execve, "/nonexistent/x", NULL, NULL);
}

static long call_fork(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (!pid) {
        _exit(0);
    }
    return pid;
}

static long call_clone3(void)
{
    return syscall(SYS_clone3, NULL, 0);
}

static long call_unshare(void)
{
    return syscall(SYS_unshare, 0);
}

static long call_affinity(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) < 0 ? -1 : sched_setaffinity(0, sizeof(set), &set);
}

static long call_priority(void)
{
    return setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0));
}

static long call_scheduler(void)
{
    struct sched_param p = { 0 };

    return sched_setscheduler(0, SCHED_OTHER, &p);
}

static long call_idle(void)
{
    struct sched_param p = { 0 };

    return sched_setscheduler(0, SCHED_IDLE, &p);
}

static void *thread_run(void *opaque)
{
    *(int *)opaque = 1;
    return NULL;
}

static long call_thread(void)
{
    pthread_t t;
    int ran = 0;

    errno = pthread_create(&t, NULL, thread_run, &ran);
    if (errno) {
        return -1;
    }
    pthread_join(t, NULL);
    return ran ? 0 : -1;
}

/* What the emulator needs later: io_uring, files, memory. */
static long call_io_uring(void)
{
    char params[120] = { 0 };

    return syscall(SYS_io_uring_setup, 1, params) < 0 && errno != ENOSYS && errno != EPERM ? -1 : 0;
}

static long call_open(void)
{
    return syscall(SYS_openat, -100, "/dev/null", 2);
}

static const struct Case {
    const char *name;
    CallFn *fn;
    unsigned group;             /* which denies it; 0 = none */
    int denied;                 /* what happens then */
} cases[] = {
    { "mount",              call_mount,     SANDBOX_DEFAULT,         KILLED },
    { "reboot",             call_reboot,    SANDBOX_DEFAULT,         KILLED },
    { "ustat",              call_ustat,     SANDBOX_OBSOLETE,        KILLED },
    { "setuid",             call_setuid,    SANDBOX_PRIVILEGES,      KILLED },
    { "setsid",             call_setsid,    SANDBOX_PRIVILEGES,      KILLED },
    { "execve",             call_execve,    SANDBOX_SPAWN,           EPERM },
    { "fork",               call_fork,      SANDBOX_SPAWN,           EPERM },
    { "clone3",             call_clone3,    SANDBOX_SPAWN,           ENOSYS },
    { "unshare",            call_unshare,   SANDBOX_SPAWN,           EPERM },
    { "sched_setaffinity",  call_affinity,  SANDBOX_RESOURCECONTROL, EPERM },
    { "setpriority",        call_priority,  SANDBOX_RESOURCECONTROL, EPERM },
    { "sched_setscheduler", call_scheduler, SANDBOX_RESOURCECONTROL, EPERM },
    { "SCHED_IDLE",         call_idle,      0,                       DONE },
    { "thread",             call_thread,    0,                       DONE },
    { "io_uring",           call_io_uring,  0,                       DONE },
    { "open",               call_open,      0,                       DONE },
};

static void test_calls(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct Case *c = &cases[i];
        int with = run_call(ALL, c->fn), without = run_call(ALL & ~c->group, c->fn);

        g_test_message("%s: %d denied, %d allowed", c->name, with, without);
        g_assert_cmpint(with, ==, c->denied);
        g_assert_cmpint(without, !=, KILLED);
        if (c->group) {
            g_assert_cmpint(without, !=, with);
        }
    }
}

/* Threads that ran before are caught as well. */
static GMutex gate;

static void *late_call(void *opaque)
{
    g_mutex_lock(&gate);
    *(int *)opaque = call_affinity() < 0 ? errno : 0;
    g_mutex_unlock(&gate);
    return NULL;
}

static void test_reaches_running_threads(void)
{
    pid_t pid = fork();
    int status;

    if (!pid) {
        pthread_t t;
        int result = -1;

        g_mutex_lock(&gate);
        pthread_create(&t, NULL, late_call, &result);
        if (!sandbox_start(SANDBOX_RESOURCECONTROL, NULL)) {
            _exit(255);
        }
        g_mutex_unlock(&gate);
        pthread_join(t, NULL);
        _exit(result);
    }
    waitpid(pid, &status, 0);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, EPERM);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#ifdef CONFIG_SECCOMP
    g_test_add_func("/sandbox/calls", test_calls);
    g_test_add_func("/sandbox/reaches-running-threads", test_reaches_running_threads);
#endif
    return g_test_run();
}
