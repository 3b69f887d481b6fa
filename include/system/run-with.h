/*
 * -run-with: who the process is, what it sees, and how it ends.
 */
#ifndef SYSTEM_RUN_WITH_H
#define SYSTEM_RUN_WITH_H

#include "util/error.h"

#include <sys/types.h>

/* Who to become; @name is NULL for bare numbers. */
typedef struct RunAs {
    char *name;
    uid_t uid;
    gid_t gid;
} RunAs;

/* "name" or "uid:gid".  Looked up here, while the user data base is still in sight. */
RunAs *run_as_parse(const char *text, Error **errp);
void run_as_free(RunAs *who);           /* NULL is fine */

/* Change the root folder (NULL: keep it), then user and groups (NULL: keep them). */
bool run_with_confine(const char *root, const RunAs *who, Error **errp) MUST_USE;

/*
 * Let a helper process share the address space: when this process ends, the helper is the last to let guest memory go,
 * so that whoever waits for this process does not wait for that.  Before the sandbox.
 */
bool run_with_async_teardown(Error **errp) MUST_USE;

/* SIGTERM when the parent process ends. */
bool run_with_exit_with_parent(Error **errp) MUST_USE;

#endif
