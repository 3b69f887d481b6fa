/*
 * Block nodes: the registry, opening from options, sizes, names.
 */
#include "block-internal.h"
#include "qapi/json.h"

static BlockNode *nodes;                /* newest first; BQL */
static unsigned auto_names;

static const BlockDriver *const drivers[] = {
    &block_driver_file, &block_driver_host_device, &block_driver_null_aio, &block_driver_null_co, &block_driver_raw,
    &block_driver_throttle,
};

BlockNode *block_node_first(void)
{
    return nodes;
}

BlockNode *block_node_find(const char *node_name)
{
    for (BlockNode *n = nodes; n; n = n->next) {
        if (!strcmp(n->name, node_name)) {
            return n;
        }
    }
    return NULL;
}

void block_node_foreach(void (*fn)(BlockNode *node, void *opaque), void *opaque)
{
    for (BlockNode *n = nodes; n; n = n->next) {
        fn(n, opaque);
    }
}

const char *block_node_name(const BlockNode *node) { return node->name; }
const char *block_node_driver(const BlockNode *node) { return node->drv->name; }
const char *block_node_filename(const BlockNode *node) { return node->filename ? node->filename : ""; }
uint64_t block_node_size_bytes(const BlockNode *node) { return node->size_bytes; }
bool block_node_is_read_only(const BlockNode *node) { return node->read_only; }

static const BlockDriver *driver_find(QapiBlockdevDriver id)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (drivers[i]->id == id) {
            return drivers[i];
        }
    }
    g_assert_not_reached();
}

/* --- names --- */

#define NODE_NAME_MAX 31        /* QEMU's */

static bool name_is_wellformed(const char *name)
{
    return g_ascii_isalpha(name[0]) && strlen(name) <= NODE_NAME_MAX
        && !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")];
}

bool block_check_node_name(const char *name, bool may_be_unnamed, Error **errp)
{
    if (!name && !may_be_unnamed) {
        error_setg(errp, "'node-name' must be specified for the root node");
    } else if (name && !name_is_wellformed(name)) {
        error_setg(errp, strlen(name) > NODE_NAME_MAX ? "Node name too long: '%s'" : "Invalid node-name: '%s'", name);
    } else if (name && block_drive_find(name)) {
        error_setg(errp, "node-name=%s is conflicting with a device id", name);
    } else if (name && block_node_find(name)) {
        error_setg(errp, "Duplicate nodes with node-name='%s'", name);
    } else {
        return true;
    }
    return false;
}

/* What the node would be called if it had to be made again. */
Value *block_node_json(const BlockNode *n)
{
    Value *json = value_dict();

    value_dict_set_str(json, "driver", n->drv->name);
    if (block_child(n)) {
        value_dict_set(json, "file", block_node_json(block_child(n)));
    }
    g_free(n->drv->filename(n, json));
    return json;
}

void block_node_refresh_filename(BlockNode *n)
{
    g_autoptr(Value) json = value_dict();
    char *name = n->drv->filename(n, json);

    if (!name) {
        g_autoptr(Value) all = block_node_json(n);
        g_autofree char *text = json_to_string(all, false);

        name = g_strdup_printf("json:%s", text);
    }
    g_free(n->filename);
    n->filename = name;
}

/* --- opening --- */

bool block_node_common_options(BlockNode *n, const QapiBlockdevOptions *o, const BlockNode *parent, Error **errp)
{
    const QapiBlockdevCacheOptions *c = o->cache;

    n->read_only = o->has_read_only ? o->read_only : parent && parent->read_only;
    n->auto_read_only = o->has_auto_read_only && o->auto_read_only;
    n->force_share = o->has_force_share ? o->force_share : parent && parent->force_share;
    n->direct = c && c->has_direct ? c->direct : parent && parent->direct;
    n->no_flush = c && c->has_no_flush ? c->no_flush : parent && parent->no_flush;
    /* A child in its parent's place gets what the parent lets through. */
    n->discard = o->has_discard ? o->discard == QAPI_BLOCKDEV_DISCARD_OPTIONS_UNMAP : parent != NULL;
    n->detect_zeroes = o->has_detect_zeroes ? o->detect_zeroes : QAPI_BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF;
    if (n->detect_zeroes == QAPI_BLOCKDEV_DETECT_ZEROES_OPTIONS_UNMAP && !n->discard) {
        error_setg(errp, "setting detect-zeroes to unmap is not allowed without setting discard operation to unmap");
        return false;
    }
    if (n->force_share && !n->read_only) {
        error_setg(errp, "force-share=on can only be used with read-only images");
        return false;
    }
    return true;
}

static void node_free(BlockNode *n)
{
    g_ptr_array_unref(n->uses);
    g_free(n->filename);
    g_free(n->name);
    g_free(n);
}

static BlockNode *node_alloc(const BlockDriver *drv, const char *name, bool implicit)
{
    BlockNode *n = g_new0(BlockNode, 1);

    n->name = name ? g_strdup(name) : g_strdup_printf("#block%03u", auto_names++);
    n->drv = drv;
    n->implicit = implicit;
    n->uses = g_ptr_array_new();
    return n;
}

static void node_close(BlockNode *n);

void block_node_release(BlockNode *n)
{
    if (n && n->implicit && !n->uses->len) {
        node_close(n);
    }
}

/* A child that was made in its parent's place goes with it. */
static void let_child_go(BlockNode *n)
{
    BlockNode *child = block_child(n);

    block_unuse(&n->file);
    block_node_release(child);
}

/* On failure @n is freed. */
static BlockNode *node_finish_open(BlockNode *n, const QapiBlockdevOptions *o, Error **errp)
{
    if (!n->drv->open(n, o, errp)) {
        let_child_go(n);
        node_free(n);
        return NULL;
    }
    block_node_refresh_filename(n);
    n->next = nodes;
    nodes = n;
    return n;
}

static BlockNode *node_open(const QapiBlockdevOptions *o, const BlockNode *parent, bool may_be_unnamed, Error **errp)
{
    BlockNode *n;

    if (!block_check_node_name(o->node_name, may_be_unnamed, errp)) {
        return NULL;
    }
    n = node_alloc(driver_find(o->driver), o->node_name, parent != NULL);
    if (!block_node_common_options(n, o, parent, errp)) {
        node_free(n);
        return NULL;
    }
    return node_finish_open(n, o, errp);
}

BlockNode *block_node_new(const QapiBlockdevOptions *o, Error **errp)
{
    return node_open(o, NULL, false, errp);
}

BlockNode *block_node_new_unnamed(const QapiBlockdevOptions *o, Error **errp)
{
    BlockNode *n = node_open(o, NULL, true, errp);

    if (n) {
        n->implicit = true;
    }
    return n;
}

BlockNode *block_node_open(const Value *opts, bool from_text, Error **errp)
{
    g_autoptr(QapiBlockdevOptions) o = qapi_parse_blockdev_options(opts, from_text ? QAPI_FROM_TEXT : 0, errp);

    return o ? block_node_new(o, errp) : NULL;
}

BlockNode *block_snapshot_new(const char *name, BlockNode *child, Error **errp)
{
    BlockNode *n = node_alloc(&block_driver_snapshot, name, child->implicit);

    if (!block_use(&n->file, child, n, g_strdup_printf("node '%s'", n->name), 0, PERM_ALL, errp)) {
        node_free(n);
        return NULL;
    }
    return node_finish_open(n, NULL, errp);
}

static void node_close(BlockNode *n)
{
    BlockNode **link = &nodes;

    while (*link != n) {
        link = &(*link)->next;
    }
    *link = n->next;
    n->drv->close(n);
    let_child_go(n);
    node_free(n);
}

bool block_child_open(BlockNode *parent, const QapiBlockdevRef *ref, Error **errp)
{
    bool by_name = ref->type == QAPI_BLOCKDEV_REF_KIND_REFERENCE;
    BlockNode *child = by_name ? block_node_find(ref->u.reference) : node_open(ref->u.definition, parent, true, errp);

    if (!child) {
        if (by_name) {
            error_setg(errp, "Cannot find device='' nor node-name='%s'", ref->u.reference);
        }
        return false;
    }
    if (!block_use(&parent->file, child, parent, g_strdup_printf("node '%s'", parent->name), 0, PERM_ALL, errp)) {
        if (!by_name) {
            node_close(child);
        }
        return false;
    }
    return true;
}

bool block_node_del(const char *node_name, Error **errp)
{
    BlockNode *n = block_node_find(node_name);

    if (!n) {
        error_setg(errp, "Failed to find node with node-name='%s'", node_name);
        return false;
    }
    for (unsigned i = 0; i < n->uses->len; i++) {
        const BlockUse *u = g_ptr_array_index(n->uses, i);

        error_setg(errp, "Node %s is in use by %s", node_name, u->who);
        return false;
    }
    if (n->implicit) {
        error_setg(errp, "Node %s is not owned by the monitor", node_name);
        return false;
    }
    node_close(n);
    return true;
}

/* --- sizes --- */

void block_uses_resized(BlockNode *n)
{
    for (unsigned i = 0; i < n->uses->len; i++) {
        const BlockUse *u = g_ptr_array_index(n->uses, i);

        if (u->parent && u->parent->drv->child_resized) {
            u->parent->drv->child_resized(u->parent);
        }
        if (u->resized) {
            u->resized(u->opaque);
        }
    }
}

bool block_node_resize(BlockNode *n, uint64_t size_bytes, Error **errp)
{
    BlockUse use;
    bool ok;

    if (!n->drv->resize) {
        error_setg(errp, "Image format driver '%s' of node '%s' does not support resize", n->drv->name, n->name);
        return false;
    }
    if (size_bytes % 512 || size_bytes > INT64_MAX) {
        error_setg(errp, "The new size must be a multiple of 512, got %" PRIu64, size_bytes);
        return false;
    }
    /* As a user like others: read-only nodes and locks are minded. */
    if (!block_use(&use, n, NULL, g_strdup("block_resize"), PERM_RESIZE, PERM_ALL, errp)) {
        return false;
    }
    block_drain_all();                  /* what is under way was checked against the old size */
    ok = n->drv->resize(n, size_bytes, errp);
    block_unuse(&use);
    return ok;
}

bool block_node_remeasure(BlockNode *n, Error **errp)
{
    while (n && !n->drv->remeasure) {
        n = block_child(n);
    }
    if (!n) {
        return true;                    /* nothing that could change by itself */
    }
    block_drain_all();                  /* what is under way was checked against the old size */
    return n->drv->remeasure(n, errp);
}

void block_close_all(void)
{
    bool progress = true;

    block_flush_all();
    while (nodes && progress) {         /* parents before children, whatever the order of creation */
        progress = false;
        for (BlockNode *n = nodes; n; n = n->next) {
            if (!n->uses->len) {
                node_close(n);
                progress = true;
                break;
            }
        }
    }
}
