/*
 * -sandbox: a system call filter (seccomp mode 2) made by libseccomp.
 *
 * Everything is allowed but what the table lists: an emulator's libraries use too much to list what is allowed.  Which
 * call belongs to which group and what happens to who makes it are QEMU's, so that policies mean the same.  The filter
 * goes to all threads at once and to what they start; a process that has it cannot be rid of it.
 */
#include "config-host.h"
#include "system/sandbox.h"

#ifdef CONFIG_SECCOMP
#include <sched.h>
#include <seccomp.h>

#define KILL SCMP_ACT_KILL_PROCESS
#define EPERM_ SCMP_ACT_ERRNO(EPERM)

typedef struct DeniedCall {
    int nr;                             /* negative: not on this architecture; libseccomp knows */
    unsigned group;
    uint32_t action;
} DeniedCall;

static const DeniedCall denied[] = {
    { SCMP_SYS(reboot),             SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(swapon),             SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(swapoff),            SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(syslog),             SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(mount),              SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(umount),             SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(kexec_load),         SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(afs_syscall),        SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(create_module),      SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(get_kernel_syms),    SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(query_module),       SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(getpmsg),            SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(putpmsg),            SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(security),           SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(tuxcall),            SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(vserver),            SANDBOX_DEFAULT,         KILL },
    { SCMP_SYS(uselib),             SANDBOX_OBSOLETE,        KILL },
    { SCMP_SYS(ustat),              SANDBOX_OBSOLETE,        KILL },
    { SCMP_SYS(sysfs),              SANDBOX_OBSOLETE,        KILL },
    { SCMP_SYS(_sysctl),            SANDBOX_OBSOLETE,        KILL },
    { SCMP_SYS(readdir),            SANDBOX_OBSOLETE,        KILL },
    { SCMP_SYS(bdflush),            SANDBOX_OBSOLETE,        KILL },
    { SCMP_SYS(sgetmask),           SANDBOX_OBSOLETE,        KILL },
    { SCMP_SYS(ssetmask),           SANDBOX_OBSOLETE,        KILL },
    { SCMP_SYS(setuid),             SANDBOX_PRIVILEGES,      KILL },
    { SCMP_SYS(setgid),             SANDBOX_PRIVILEGES,      KILL },
    { SCMP_SYS(setpgid),            SANDBOX_PRIVILEGES,      KILL },
    { SCMP_SYS(setsid),             SANDBOX_PRIVILEGES,      KILL },
    { SCMP_SYS(setreuid),           SANDBOX_PRIVILEGES,      KILL },
    { SCMP_SYS(setregid),           SANDBOX_PRIVILEGES,      KILL },
    { SCMP_SYS(setresuid),          SANDBOX_PRIVILEGES,      KILL },
    { SCMP_SYS(setresgid),          SANDBOX_PRIVILEGES,      KILL },
    { SCMP_SYS(setfsuid),           SANDBOX_PRIVILEGES,      KILL },
    { SCMP_SYS(setfsgid),           SANDBOX_PRIVILEGES,      KILL },
    { SCMP_SYS(fork),               SANDBOX_SPAWN,           EPERM_ },
    { SCMP_SYS(vfork),              SANDBOX_SPAWN,           EPERM_ },
    { SCMP_SYS(execve),             SANDBOX_SPAWN,           EPERM_ },
    { SCMP_SYS(execveat),           SANDBOX_SPAWN,           EPERM_ },
    { SCMP_SYS(unshare),            SANDBOX_SPAWN,           EPERM_ },
    { SCMP_SYS(setns),              SANDBOX_SPAWN,           EPERM_ },
    /* Its flags lie in memory, which no filter can read; the C library then uses clone(). */
    { SCMP_SYS(clone3),             SANDBOX_SPAWN,           SCMP_ACT_ERRNO(ENOSYS) },
    { SCMP_SYS(setpriority),        SANDBOX_RESOURCECONTROL, EPERM_ },
    { SCMP_SYS(sched_setparam),     SANDBOX_RESOURCECONTROL, EPERM_ },
    { SCMP_SYS(sched_setaffinity),  SANDBOX_RESOURCECONTROL, EPERM_ },
};

/* clone() with the flags of a new thread, no more and no less, is fine: one rule for each bit that differs. */
static int deny_clone(scmp_filter_ctx ctx)
{
    static const uint64_t needed = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM
        | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    static const uint64_t ignored = CLONE_DETACHED | 0xff;      /* no effect; no signal for a thread */

    for (unsigned n = 0; n < 32; n++) {
        uint64_t bit = BIT_ULL(n);
        uint64_t bad = needed & bit ? 0 : bit;
        int r = bit & ignored ? 0
            : seccomp_rule_add(ctx, EPERM_, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, bit, bad));

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Lowering oneself to SCHED_IDLE is fine. */
static int deny_scheduler(scmp_filter_ctx ctx)
{
    return seccomp_rule_add(ctx, EPERM_, SCMP_SYS(sched_setscheduler), 1, SCMP_A1(SCMP_CMP_NE, SCHED_IDLE));
}

static int add_rules(scmp_filter_ctx ctx, unsigned groups)
{
    int r = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(denied) && r >= 0; i++) {
        if (groups & denied[i].group) {
            r = seccomp_rule_add(ctx, denied[i].action, denied[i].nr, 0);
            r = r == -EDOM || r == -EEXIST ? 0 : r;     /* not on this architecture */
        }
    }
    if (r >= 0 && (groups & SANDBOX_SPAWN)) {
        r = deny_clone(ctx);
    }
    if (r >= 0 && (groups & SANDBOX_RESOURCECONTROL)) {
        r = deny_scheduler(ctx);
    }
    return r;
}

bool sandbox_start(unsigned groups, Error **errp)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int r = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

    if (r >= 0) {
        r = add_rules(ctx, groups);
    }
    if (r >= 0) {
        r = seccomp_load(ctx);
    }
    if (ctx) {
        seccomp_release(ctx);
    }
    if (r < 0) {
        error_setg_errno(errp, -r, "failed to install seccomp syscall filter in the kernel");
    }
    return r >= 0;
}

#else

bool sandbox_start(unsigned groups, Error **errp)
{
    error_setg(errp, "the sandbox is not available: this binary was built without libseccomp");
    return false;
}

#endif
