/*
 * blockdev-reopen: other options for open nodes, all of them or none.
 *
 * For each node the new options are prepared beside the old ones (a file is opened a second time); when all
 * are, they take effect together.  Nothing is in flight meanwhile.
 */
#include "block-internal.h"
#include "qapi/qapi-commands.h"

typedef struct Reopen {
    BlockNode *node;
    BlockNode as;               /* the common options as they will be */
    void *prepared;             /* the driver's */
} Reopen;

/* The child stays: a name must be its name, options in place must be those it has. */
static bool check_child(const BlockNode *n, const QapiBlockdevRef *ref, Error **errp)
{
    const BlockNode *child = block_child(n);
    const char *name = ref->type == QAPI_BLOCKDEV_REF_KIND_REFERENCE ? ref->u.reference : NULL;

    if (!name) {
        error_setg(errp, "blockdev-reopen: 'file' of node '%s' must be the name of a node; reopen the child by its own",
                   n->name);
        return false;
    }
    if (strcmp(name, child->name)) {
        error_setg(errp, "Cannot change the child of node '%s' from '%s' to '%s'", n->name, child->name, name);
        return false;
    }
    return true;
}

static const QapiBlockdevRef *child_ref(const QapiBlockdevOptions *o)
{
    return o->driver == QAPI_BLOCKDEV_DRIVER_RAW ? o->u.raw.file
        : o->driver == QAPI_BLOCKDEV_DRIVER_THROTTLE ? o->u.throttle.file : NULL;
}

static BlockNode *find_node(const QapiBlockdevOptions *o, Error **errp)
{
    BlockNode *n;

    if (!o->node_name) {
        error_setg(errp, "node-name not specified");
        return NULL;
    }
    n = block_node_find(o->node_name);
    if (!n) {
        error_setg(errp, "Failed to find node with node-name='%s'", o->node_name);
        return NULL;
    }
    if (n->drv->internal || n->drv->id != o->driver) {
        error_setg(errp, "Cannot change the option 'driver' of node '%s' from '%s'", n->name, n->drv->name);
        return NULL;
    }
    return n;
}

/* Whoever writes must be able to go on. */
static bool check_read_only(const BlockNode *n, const BlockNode *as, Error **errp)
{
    unsigned perm, shared;

    block_cumulative_perms(n, &perm, &shared);
    if (as->read_only && (perm & (PERM_WRITE | PERM_RESIZE))) {
        error_setg(errp, "Cannot make block node read-only, there is a writer on it: '%s'", n->name);
        return false;
    }
    return true;
}

static bool prepare(Reopen *r, const QapiBlockdevOptions *o, Error **errp)
{
    const QapiBlockdevRef *ref = child_ref(o);

    r->node = find_node(o, errp);
    if (!r->node) {
        return false;
    }
    r->as = *r->node;
    return block_node_common_options(&r->as, o, NULL, errp) && check_read_only(r->node, &r->as, errp)
        && (!ref || check_child(r->node, ref, errp))
        && r->node->drv->reopen(r->node, &r->as, o, &r->prepared, errp);
}

/* A parent that becomes writable needs a child that is, too, be it by the same command. */
static bool check_children(const Reopen *all, size_t n, Error **errp)
{
    for (size_t i = 0; i < n; i++) {
        const BlockNode *child = block_child(all[i].node);
        bool child_ro = child && child->read_only;

        for (size_t j = 0; j < n && child; j++) {
            child_ro = all[j].node == child ? all[j].as.read_only : child_ro;
        }
        if (child_ro && !all[i].as.read_only) {
            error_setg(errp, "Block node '%s' is read-only", child->name);
            return false;
        }
    }
    return true;
}

static void commit(Reopen *r)
{
    BlockNode *n = r->node;

    n->read_only = r->as.read_only;
    n->auto_read_only = r->as.auto_read_only;
    n->force_share = r->as.force_share;
    n->discard = r->as.discard;
    n->direct = r->as.direct;
    n->no_flush = r->as.no_flush;
    n->detect_zeroes = r->as.detect_zeroes;
    n->drv->reopen_commit(n, r->prepared);
    block_node_refresh_filename(n);
    if (!block_refresh_perms(n, NULL)) {        /* force-share may be off now, and somebody else may be there */
        warn_report("block node '%s': its file is no longer locked as before", n->name);
    }
}

bool qmp_blockdev_reopen(const QapiBlockdevReopenArgs *args, Error **errp)
{
    size_t n = args->options->len, prepared = 0;
    g_autofree Reopen *all = g_new0(Reopen, n);
    bool ok;

    block_flush_all();
    while (prepared < n && prepare(&all[prepared], &args->options->at[prepared], errp)) {
        prepared++;
    }
    ok = prepared == n && check_children(all, n, errp);
    for (size_t i = 0; i < prepared; i++) {
        if (ok) {
            commit(&all[i]);
        } else {
            all[i].node->drv->reopen_abort(all[i].node, all[i].prepared);
        }
    }
    return ok;
}
