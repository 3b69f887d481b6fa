/*
 * Options that concern the process rather than the machine: -msg, -overcommit, -run-with, -sandbox.
 *
 * Order at start: the background (daemon.c), memory locks and helpers, the sandbox; then the machine is built, so that
 * images and descriptions are read inside the sandbox; then root folder and user are changed.  Changing the user needs
 * calls that elevateprivileges= denies: with both, the sandbox begins right after the change.
 */
#include "system/cli/cli.h"

#include "system/sandbox.h"
#include "util/trace.h"

#include <sys/mman.h>
#include <sys/prctl.h>

bool apply_msg(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiMessageOptions) m = qapi_parse_message_options(item->dict, QAPI_FROM_TEXT, errp);

    if (!m) {
        return false;
    }
    error_timestamps_enable(m->has_timestamp && m->timestamp);
    trace_timestamps_enable(m->has_timestamp && m->timestamp);
    o->msg_guest_name = m->has_guest_name && m->guest_name;
    return true;
}

bool apply_overcommit(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiOvercommitOptions) oc = qapi_parse_overcommit_options(item->dict, QAPI_FROM_TEXT, errp);

    if (!oc) {
        return false;
    }
    if (oc->has_cpu_pm && oc->cpu_pm) {
        error_setg(errp, "cpu-pm=on is not supported");
        return false;
    }
    if (oc->has_mem_lock) {
        o->mem_lock = oc->mem_lock;
    }
    return true;
}

/* --- -run-with --- */

bool apply_run_with(Options *o, CliItem *item, Error **errp)
{
    qapi_free_run_with_options(o->run_with);
    o->run_with = qapi_parse_run_with_options(item->dict, QAPI_FROM_TEXT, errp);
    if (!o->run_with) {
        return false;
    }
    run_as_free(o->run_as);
    o->run_as = o->run_with->user ? run_as_parse(o->run_with->user, errp) : NULL;
    return !o->run_with->user || o->run_as;
}

/* --- -sandbox --- */

static unsigned sandbox_groups(const QapiSandboxOptions *s)
{
    unsigned groups = SANDBOX_DEFAULT | SANDBOX_OBSOLETE;

    if (s->has_obsolete && s->obsolete == QAPI_SANDBOX_RULE_ALLOW) {
        groups &= ~SANDBOX_OBSOLETE;
    }
    if (s->has_elevateprivileges && s->elevateprivileges != QAPI_SANDBOX_PRIVILEGES_RULE_ALLOW) {
        groups |= SANDBOX_PRIVILEGES;
    }
    if (s->has_spawn && s->spawn == QAPI_SANDBOX_RULE_DENY) {
        groups |= SANDBOX_SPAWN;
    }
    if (s->has_resourcecontrol && s->resourcecontrol == QAPI_SANDBOX_RULE_DENY) {
        groups |= SANDBOX_RESOURCECONTROL;
    }
    return groups;
}

bool apply_sandbox(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiSandboxOptions) s = qapi_parse_sandbox_options(item->dict, QAPI_FROM_TEXT, errp);

    if (!s) {
        return false;
    }
    o->sandbox = s->enable ? sandbox_groups(s) : 0;
    o->no_new_privileges = s->enable && s->has_elevateprivileges
        && s->elevateprivileges == QAPI_SANDBOX_PRIVILEGES_RULE_CHILDREN;
    return true;
}

static bool sandbox_begin(const Options *o, Error **errp)
{
    if (!o->sandbox) {
        return true;
    }
    if (o->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        error_setg_errno(errp, errno, "-sandbox: failed to set no_new_privs");
        return false;
    }
    if (!sandbox_start(o->sandbox, errp)) {
        error_prepend(errp, "-sandbox: ");
        return false;
    }
    return true;
}

static bool sandbox_waits_for_user(const Options *o)
{
    return o->run_as && (o->sandbox & SANDBOX_PRIVILEGES);
}

/* --- the two moments --- */

static bool lock_memory(const Options *o, Error **errp)
{
    int flags = MCL_CURRENT | MCL_FUTURE | (o->mem_lock == QAPI_MEM_LOCK_MODE_ON_FAULT ? MCL_ONFAULT : 0);

    if (o->mem_lock != QAPI_MEM_LOCK_MODE_OFF && mlockall(flags) < 0) {
        error_setg_errno(errp, errno, "-overcommit mem-lock=%s: locking memory failed",
                         qapi_mem_lock_mode_str(o->mem_lock));
        return false;
    }
    return true;
}

/* Under the sandbox affinity may be out of reach: thread contexts are made before. */
static bool make_thread_contexts(Options *o, Error **errp)
{
    for (unsigned i = 0; o->objects && i < o->objects->len; i++) {
        CliItem *item = &g_array_index(o->objects, CliItem, i);

        if (g_strcmp0(value_dict_get_str(item->dict, "qom-type"), "thread-context")) {
            continue;
        }
        if (!user_creatable_add(item->dict, errp)) {
            error_prepend(errp, "%s: ", item->where);
            return false;
        }
        item->done = true;
    }
    return true;
}

static bool start_helpers(const QapiRunWithOptions *r, Error **errp)
{
    return !r || ((!r->has_exit_with_parent || !r->exit_with_parent || run_with_exit_with_parent(errp))
                  && (!r->has_async_teardown || !r->async_teardown || run_with_async_teardown(errp)));
}

bool process_prepare(Options *o, Error **errp)
{
    if (o->msg_guest_name && o->name) {
        error_guest_name_set(o->name->guest);
    }
    if (o->daemonize && o->run_with && o->run_with->has_exit_with_parent && o->run_with->exit_with_parent) {
        error_setg(errp, "-run-with exit-with-parent=on and -daemonize exclude each other");
        return false;
    }
    return lock_memory(o, errp) && start_helpers(o->run_with, errp) && make_thread_contexts(o, errp)
        && (sandbox_waits_for_user(o) || sandbox_begin(o, errp));
}

bool process_confine(Options *o, Error **errp)
{
    if (!run_with_confine(o->run_with ? o->run_with->chroot : NULL, o->run_as, errp)) {
        error_prepend(errp, "-run-with: ");
        return false;
    }
    return !sandbox_waits_for_user(o) || sandbox_begin(o, errp);
}
