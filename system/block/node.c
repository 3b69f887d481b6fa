/*
 * Block nodes: the registry, opening from options, sizes.
 */
#include "block-internal.h"

static BlockNode *nodes;                /* BQL */
static unsigned auto_names;

static const BlockDriver *const drivers[] = {
    &block_driver_file, &block_driver_null, &block_driver_raw, &block_driver_snapshot,
};

static const char *const common_options[] = {
    "driver", "node-name", "read-only", "auto-read-only", "discard", "cache", NULL,
};

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

static const BlockDriver *driver_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (!strcmp(drivers[i]->name, name)) {
            return drivers[i];
        }
    }
    return NULL;
}

static bool check_options(const BlockDriver *drv, const Value *opts, Error **errp)
{
    for (size_t i = 0; i < value_dict_len(opts); i++) {
        const char *key = value_dict_key_at(opts, i);

        if (!g_strv_contains(common_options, key) && !(drv->options && g_strv_contains(drv->options, key))) {
            error_setg(errp, "block driver '%s' does not support the option '%s'", drv->name, key);
            return false;
        }
    }
    return true;
}

/* A boolean option as value or text. */
static bool opt_bool(const Value *opts, const char *key, bool def, bool *out, Error **errp)
{
    const Value *v = value_dict_get(opts, key);
    const char *text = value_dict_get_str(opts, key);

    *out = def;
    if (!v) {
        return true;
    }
    if (value_type(v) == VALUE_BOOL) {
        *out = value_get_bool(v);
        return true;
    }
    if (text && (!strcmp(text, "on") || !strcmp(text, "off"))) {
        *out = !strcmp(text, "on");
        return true;
    }
    error_setg(errp, "block option '%s' must be on or off", key);
    return false;
}

static bool parse_discard(const Value *opts, bool *unmap, Error **errp)
{
    const char *text = value_dict_get_str(opts, "discard");

    *unmap = text && (!strcmp(text, "unmap") || !strcmp(text, "on"));
    if (text && !*unmap && strcmp(text, "ignore") && strcmp(text, "off")) {
        error_setg(errp, "block option 'discard' must be ignore or unmap, got '%s'", text);
        return false;
    }
    return true;
}

/* Requests go through the host's page cache and flushes reach the file: nothing else is offered. */
static bool check_cache(const Value *opts, Error **errp)
{
    static const char *const modes[] = { "direct", "no-flush" };
    const Value *cache = value_dict_get(opts, "cache");

    if (cache && value_type(cache) != VALUE_DICT) {
        error_setg(errp, "block option 'cache' must be an object");
        return false;
    }
    for (size_t i = 0; cache && i < ARRAY_SIZE(modes); i++) {
        bool on;

        if (!opt_bool(cache, modes[i], false, &on, errp)) {
            return false;
        }
        if (on) {
            error_setg(errp, "block option 'cache.%s=on' is not supported", modes[i]);
            return false;
        }
    }
    return true;
}

static void node_free(BlockNode *n)
{
    g_ptr_array_unref(n->backends);
    g_free(n->filename);
    g_free(n->name);
    g_free(n);
}

static BlockNode *node_open(const Value *opts, bool read_only, bool implicit, Error **errp)
{
    const char *driver = value_dict_get_str(opts, "driver"), *name = value_dict_get_str(opts, "node-name");
    const BlockDriver *drv;
    BlockNode *n;

    if (!driver) {
        error_setg(errp, "block option 'driver' is missing");
        return NULL;
    }
    drv = driver_find(driver);
    if (!drv) {
        error_setg(errp, "unknown block driver '%s'", driver);
        return NULL;
    }
    if (!name && !implicit) {
        error_setg(errp, "'node-name' must be specified for the root node");
        return NULL;
    }
    if (name && block_node_find(name)) {
        error_setg(errp, "duplicate nodes with node-name='%s'", name);
        return NULL;
    }
    if (!check_options(drv, opts, errp) || !check_cache(opts, errp)) {
        return NULL;
    }
    n = g_new0(BlockNode, 1);
    n->name = name ? g_strdup(name) : g_strdup_printf("#block%03u", auto_names++);
    n->drv = drv;
    n->implicit = implicit;
    n->backends = g_ptr_array_new();
    if (!opt_bool(opts, "read-only", read_only, &n->read_only, errp) || !parse_discard(opts, &n->discard, errp)
        || !drv->open(n, opts, errp)) {
        node_free(n);
        return NULL;
    }
    n->next = nodes;
    nodes = n;
    return n;
}

BlockNode *block_node_open(const Value *opts, Error **errp)
{
    return node_open(opts, false, false, errp);
}

static void node_close(BlockNode *n)
{
    BlockNode **link = &nodes;

    while (*link != n) {
        link = &(*link)->next;
    }
    *link = n->next;
    n->drv->close(n);
    node_free(n);
}

BlockNode *block_child_open(const Value *opts, const char *key, bool read_only, Error **errp)
{
    const Value *v = value_dict_get(opts, key);
    BlockNode *child = NULL;

    if (!v) {
        error_setg(errp, "block option '%s' is missing", key);
    } else if (value_type(v) == VALUE_STRING) {
        child = block_node_find(value_get_string(v));
        if (!child) {
            error_setg(errp, "cannot find node-name '%s'", value_get_string(v));
        } else if (!read_only && (child->writer || child->read_only)) {
            error_setg(errp, "node '%s' is %s", child->name, child->writer ? "already in use by a writer" : "read-only");
            child = NULL;
        }
    } else if (value_type(v) == VALUE_DICT) {
        child = node_open(v, read_only, true, errp);
    } else {
        error_setg(errp, "block option '%s' must be a node-name or an object", key);
    }
    if (child) {
        child->users++;
        child->writer |= !read_only;
    }
    return child;
}

void block_child_close(BlockNode *child)
{
    child->users--;
    child->writer = false;
    if (child->implicit && !child->users) {
        node_close(child);
    }
}

bool block_node_del(const char *node_name, Error **errp)
{
    BlockNode *n = block_node_find(node_name);

    if (!n) {
        error_setg(errp, "failed to find node with node-name='%s'", node_name);
        return false;
    }
    if (n->users) {
        error_setg(errp, "block node '%s' is in use", node_name);
        return false;
    }
    node_close(n);
    return true;
}

bool block_node_resize(BlockNode *n, uint64_t size_bytes, Error **errp)
{
    if (n->read_only) {
        error_setg(errp, "block node '%s' is read-only", n->name);
        return false;
    }
    if (!n->drv->resize) {
        error_setg(errp, "block driver '%s' of node '%s' cannot resize", n->drv->name, n->name);
        return false;
    }
    if (size_bytes % 512 || size_bytes > INT64_MAX) {
        error_setg(errp, "new size must be a multiple of 512, got %" PRIu64, size_bytes);
        return false;
    }
    if (!n->drv->resize(n, size_bytes, errp)) {
        return false;
    }
    block_backends_resized(n);
    return true;
}

void block_close_all(void)
{
    bool progress = true;

    block_drain_all();
    while (nodes && progress) {         /* parents before children, whatever the order of creation */
        progress = false;
        for (BlockNode *n = nodes; n; n = n->next) {
            if (!n->users) {
                n->drv->flush(n);
                node_close(n);
                progress = true;
                break;
            }
        }
    }
}
