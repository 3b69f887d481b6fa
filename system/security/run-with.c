/*
 * -run-with: identity, root folder and end of the process.
 */
#include "system/run-with.h"

#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- user and root folder --- */

/* "1000:1000" */
static bool parse_numbers(const char *text, guint64 *uid, guint64 *gid)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 2);

    return parts[0] && parts[1] && g_ascii_string_to_unsigned(parts[0], 10, 0, UINT32_MAX - 1, uid, NULL)
        && g_ascii_string_to_unsigned(parts[1], 10, 0, UINT32_MAX - 1, gid, NULL);
}

RunAs *run_as_parse(const char *text, Error **errp)
{
    const struct passwd *pw = getpwnam(text);
    guint64 uid, gid;
    RunAs *who;

    if (!pw && !parse_numbers(text, &uid, &gid)) {
        error_setg(errp, "User \"%s\" doesn't exist (and is not <uid>:<gid>)", text);
        return NULL;
    }
    who = g_new0(RunAs, 1);
    who->name = pw ? g_strdup(text) : NULL;
    who->uid = pw ? pw->pw_uid : (uid_t)uid;
    who->gid = pw ? pw->pw_gid : (gid_t)gid;
    return who;
}

void run_as_free(RunAs *who)
{
    if (who) {
        g_free(who->name);
        g_free(who);
    }
}

static bool change_root(const char *root, Error **errp)
{
    if (chroot(root) < 0) {
        error_setg_errno(errp, errno, "chroot to '%s' failed", root);
        return false;
    }
    if (chdir("/") < 0) {
        error_setg_errno(errp, errno, "not able to chdir to / after chroot to '%s'", root);
        return false;
    }
    return true;
}

static bool change_user(const RunAs *who, Error **errp)
{
    if (setgid(who->gid) < 0) {
        error_setg_errno(errp, errno, "failed to setgid(%u)", who->gid);
        return false;
    }
    if ((who->name ? initgroups(who->name, who->gid) : setgroups(1, &who->gid)) < 0) {
        error_setg_errno(errp, errno, "failed to set the groups of user %u", who->uid);
        return false;
    }
    if (setuid(who->uid) < 0) {
        error_setg_errno(errp, errno, "failed to setuid(%u)", who->uid);
        return false;
    }
    if (who->uid != 0 && setuid(0) == 0) {
        error_setg(errp, "Dropping privileges failed");
        return false;
    }
    return true;
}

bool run_with_confine(const char *root, const RunAs *who, Error **errp)
{
    return (!root || change_root(root, errp)) && (!who || change_user(who, errp));
}

/* --- the end --- */

enum { HELPER_STACK_BYTES = 64 * 1024 };

/*
 * The helper's whole life, on a stack of its own but with everybody's memory: it may touch nothing that the emulator
 * uses, errno included, which is why it makes system calls by hand and looks at no result.
 */
static int teardown_helper(void *opaque)
{
    pid_t parent = (pid_t)(uintptr_t)opaque;
    sigset_t none, hup;

    sigfillset(&none);
    sigemptyset(&hup);
    sigaddset(&hup, SIGHUP);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
    prctl(PR_SET_PDEATHSIG, SIGHUP);
    prctl(PR_SET_NAME, "cleanup");
    syscall(SYS_close_range, 0, ~0U, 0);
    while (getppid() == parent) {
        syscall(SYS_rt_sigtimedwait, &hup, NULL, NULL, 8);
    }
    _exit(0);
}

bool run_with_async_teardown(Error **errp)
{
    uint8_t *stack = mmap(NULL, HELPER_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (stack == MAP_FAILED
        || clone(teardown_helper, stack + HELPER_STACK_BYTES, CLONE_VM, (void *)(uintptr_t)getpid()) < 0) {
        error_setg_errno(errp, errno, "async-teardown: cannot start the helper");
        return false;
    }
    return true;
}

bool run_with_exit_with_parent(Error **errp)
{
    pid_t parent = getppid();

    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) {
        error_setg_errno(errp, errno, "exit-with-parent");
        return false;
    }
    if (getppid() != parent) {          /* it ended before it was watched */
        error_setg(errp, "exit-with-parent: the parent has ended already");
        return false;
    }
    return true;
}
