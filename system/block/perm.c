/*
 * Who may do what with a node at the same time.
 *
 * Each use of a node says what it does and what it lets the others do.  What all uses of a node amount to
 * becomes the use that the node makes of its child, down to the driver of a file, which takes locks.
 *
 * Invariant: no use does what another one does not share.
 */
#include "block-internal.h"

const char *const block_perm_names[N_PERMS] = { "consistent read", "write", "write unchanged", "resize" };

static char *perm_list(unsigned perms)
{
    g_autoptr(GString) s = g_string_new(NULL);

    for (unsigned i = 0; i < N_PERMS; i++) {
        if (perms >> i & 1) {
            g_string_append_printf(s, "%s%s", s->len ? ", " : "", block_perm_names[i]);
        }
    }
    return g_string_free(g_steal_pointer(&s), false);
}

void block_cumulative_perms(const BlockNode *node, unsigned *perm, unsigned *shared)
{
    *perm = 0;
    *shared = PERM_ALL;
    for (unsigned i = 0; i < node->uses->len; i++) {
        const BlockUse *u = g_ptr_array_index(node->uses, i);

        *perm |= u->perm;
        *shared &= u->shared;
    }
}

static bool check_pair(const BlockNode *node, const BlockUse *doer, const BlockUse *other, Error **errp)
{
    unsigned conflict = doer->perm & ~other->shared;
    g_autofree char *what = NULL;

    if (!conflict) {
        return true;
    }
    what = perm_list(conflict);
    error_setg(errp, "Permission conflict on node '%s': permissions '%s' are both required by %s and unshared by %s",
               node->name, what, doer->who, other->who);
    return false;
}

static bool check_uses(const BlockNode *node, Error **errp)
{
    for (unsigned i = 0; i < node->uses->len; i++) {
        for (unsigned j = 0; j < node->uses->len; j++) {
            if (i != j && !check_pair(node, g_ptr_array_index(node->uses, i), g_ptr_array_index(node->uses, j), errp)) {
                return false;
            }
        }
    }
    return true;
}

static bool refresh_child(BlockNode *node, unsigned perm, unsigned shared, Error **errp)
{
    BlockUse *u = &node->file;
    unsigned old_perm = u->perm, old_shared = u->shared;

    if (node->drv->child_perms) {
        node->drv->child_perms(node, &perm, &shared);
    }
    if (perm == old_perm && shared == old_shared) {
        return true;
    }
    u->perm = perm;
    u->shared = shared;
    if (block_refresh_perms(u->node, errp)) {
        return true;
    }
    u->perm = old_perm;
    u->shared = old_shared;
    return false;
}

bool block_refresh_perms(BlockNode *node, Error **errp)
{
    unsigned perm, shared;

    if (!check_uses(node, errp)) {
        return false;
    }
    block_cumulative_perms(node, &perm, &shared);
    if (node->read_only && (perm & (PERM_WRITE | PERM_WRITE_UNCHANGED | PERM_RESIZE))) {
        error_setg(errp, "Block node '%s' is read-only", node->name);
        return false;
    }
    if (node->drv->set_perms && !node->drv->set_perms(node, perm, shared, errp)) {
        return false;
    }
    return !block_child(node) || refresh_child(node, perm, shared, errp);
}

bool block_use(BlockUse *use, BlockNode *node, BlockNode *parent, char *who, unsigned perm, unsigned shared, Error **errp)
{
    *use = (BlockUse){ .node = node, .parent = parent, .who = who, .perm = perm, .shared = shared };
    g_ptr_array_add(node->uses, use);
    if (block_refresh_perms(node, errp)) {
        return true;
    }
    g_ptr_array_remove(node->uses, use);
    g_free(use->who);
    *use = (BlockUse){ 0 };
    if (!block_refresh_perms(node, NULL)) {         /* fewer demands than before this began */
        warn_report("block node '%s': its file is no longer locked as before", node->name);
    }
    return false;
}

void block_unuse(BlockUse *use)
{
    BlockNode *node = use->node;

    if (!node) {
        return;
    }
    g_ptr_array_remove(node->uses, use);
    g_free(use->who);
    *use = (BlockUse){ 0 };
    if (!block_refresh_perms(node, NULL)) {
        warn_report("block node '%s': its file is no longer locked as before", node->name);
    }
}
