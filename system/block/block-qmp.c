/*
 * QMP commands about block nodes.
 */
#include "qapi/qapi-commands.h"
#include "system/block.h"

static void add_node(BlockNode *node, void *opaque)
{
    QapiBlockDeviceInfo *info = QAPI_LIST_APPEND((QapiBlockDeviceInfoList *)opaque);

    info->file = g_strdup(block_node_filename(node));
    info->node_name = g_strdup(block_node_name(node));
    info->ro = block_node_is_read_only(node);
    info->drv = g_strdup(block_node_driver(node));
    info->image = g_new0(QapiBlockNodeImage, 1);
    info->image->filename = g_strdup(block_node_filename(node));
    info->image->format = g_strdup(block_node_driver(node));
    info->image->virtual_size = block_node_size_bytes(node);
}

QapiBlockDeviceInfoList *qmp_query_named_block_nodes(const QapiQueryNamedBlockNodesArgs *args, Error **errp)
{
    QapiBlockDeviceInfoList *list = g_new0(QapiBlockDeviceInfoList, 1);

    block_node_foreach(add_node, list);
    return list;
}

bool qmp_blockdev_add(const Value *args, Error **errp)
{
    if (!value_dict_get_str(args, "node-name")) {
        error_setg(errp, "Parameter 'node-name' is missing");
        return false;
    }
    return block_node_open(args, errp) != NULL;
}

bool qmp_blockdev_del(const QapiBlockdevDelArgs *args, Error **errp)
{
    return block_node_del(args->node_name, errp);
}

bool qmp_block_resize(const QapiBlockResizeArgs *args, Error **errp)
{
    BlockNode *node = block_node_find(args->node_name);

    if (!node) {
        error_setg(errp, "Cannot find node '%s'", args->node_name);
        return false;
    }
    if (args->size < 0) {
        error_setg(errp, "Parameter 'size' expects a size of at least 0, got %" PRId64, args->size);
        return false;
    }
    return block_node_resize(node, (uint64_t)args->size, errp);
}
