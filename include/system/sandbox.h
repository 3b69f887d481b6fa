/*
 * What the process denies itself: the system call filter.
 */
#ifndef SYSTEM_SANDBOX_H
#define SYSTEM_SANDBOX_H

#include "util/error.h"

/* Groups of system calls; each is denied when its bit is set. */
typedef enum SandboxGroup {
    SANDBOX_DEFAULT         = 1 << 0,   /* no emulator needs them: mount, reboot, ... */
    SANDBOX_OBSOLETE        = 1 << 1,
    SANDBOX_PRIVILEGES      = 1 << 2,   /* set*id */
    SANDBOX_SPAWN           = 1 << 3,   /* new processes; threads are fine */
    SANDBOX_RESOURCECONTROL = 1 << 4,   /* priorities and affinity */
} SandboxGroup;

/*
 * Install the filter for all threads, for the life of the process.  Groups are as bits of SandboxGroup.  A denied call
 * of the default, obsolete and privileges groups ends the process by SIGSYS; one of the others fails with EPERM.
 */
bool sandbox_start(unsigned groups, Error **errp) MUST_USE;

#endif
