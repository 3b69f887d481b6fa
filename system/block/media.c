/*
 * Media that come and go: trays, and the QMP commands that open, fill and close them.
 *
 * What must hold: a medium is put in or taken out only while the tray is open; the drive that -drive made of a
 * backend and the backend itself have the same node.
 */
#include "block-internal.h"
#include "qapi/qapi-commands.h"
#include "qapi/qapi-events.h"

void blk_set_device_ops(BlockBackend *blk, const BlockDeviceOps *ops, void *opaque)
{
    blk->ops = ops;
    blk->ops_opaque = opaque;
}

static bool has_tray(const BlockBackend *blk)
{
    return blk->ops && blk->ops->is_tray_open;
}

bool block_backend_tray_is_open(const BlockBackend *blk)
{
    return has_tray(blk) && blk->ops->is_tray_open(blk->ops_opaque);
}

bool block_backend_has_tray(const BlockBackend *blk)
{
    return has_tray(blk);
}

bool block_backend_is_locked(const BlockBackend *blk)
{
    return blk->ops && blk->ops->is_medium_locked && blk->ops->is_medium_locked(blk->ops_opaque);
}

bool blk_is_inserted(const BlockBackend *blk)
{
    return blk->use.node;
}

bool blk_is_available(const BlockBackend *blk)
{
    return blk->use.node && !block_backend_tray_is_open(blk);
}

void blk_tray_moved(BlockBackend *blk, bool open)
{
    g_autofree char *path = blk->owner ? object_path(blk->owner) : NULL;

    qapi_event_send_device_tray_moved(blk->drive_id, path ? path : "", open);
}

static void change_media(BlockBackend *blk, bool load)
{
    bool was_open = block_backend_tray_is_open(blk), open;

    blk->ops->change_media(blk->ops_opaque, load);
    open = block_backend_tray_is_open(blk);
    if (was_open != open) {
        blk_tray_moved(blk, open);
    }
}

/* --- steps --- */

/* Its medium can be changed?  @name: as it was asked for. */
static bool check_removable(const BlockBackend *blk, const char *name, Error **errp)
{
    if (!blk->ops) {
        error_setg(errp, "Device '%s' is not removable", name);
    }
    return blk->ops;
}

static BlockBackend *find_removable(const char *device, const char *id, Error **errp)
{
    BlockBackend *blk = block_backend_find(device, id, errp);

    return blk && check_removable(blk, device ? device : id, errp) ? blk : NULL;
}

/* The guest, which may have locked it, is asked first.  *@open tells whether it is open now. */
static void open_tray(BlockBackend *blk, bool force, bool *open)
{
    bool locked = block_backend_is_locked(blk);

    *open = true;
    if (!has_tray(blk) || block_backend_tray_is_open(blk)) {
        return;
    }
    if (locked && blk->ops->eject_request) {
        blk->ops->eject_request(blk->ops_opaque, force);
    }
    if (!locked || force) {
        change_media(blk, false);
    }
    *open = block_backend_tray_is_open(blk);
}

/* As open_tray(); a tray that stays shut is an error. */
static bool force_tray(BlockBackend *blk, const char *name, bool force, Error **errp)
{
    bool open;

    open_tray(blk, force, &open);
    if (!open) {
        error_setg(errp, "Device '%s' is locked and force was not specified, wait for tray to open and try again", name);
    }
    return open;
}

static void close_tray(BlockBackend *blk)
{
    if (has_tray(blk) && block_backend_tray_is_open(blk)) {
        change_media(blk, true);
    }
}

static void drive_follows(BlockBackend *blk)
{
    BlockDrive *d = *blk->drive_id ? block_drive_find(blk->drive_id) : NULL;

    if (d) {
        d->node = blk->use.node;
    }
}

static bool check_tray_open(const BlockBackend *blk, const char *name, Error **errp)
{
    bool ok = !has_tray(blk) || block_backend_tray_is_open(blk);

    if (!ok) {
        error_setg(errp, "Tray of device '%s' is not open", name);
    }
    return ok;
}

static void remove_medium(BlockBackend *blk)
{
    BlockNode *n = blk->use.node;

    if (!n) {
        return;
    }
    blk_drain(blk);
    if (blk->writable && block_node_flush(n)) {
        warn_report("block node '%s' could not be flushed", n->name);
    }
    block_unuse(&blk->use);
    drive_follows(blk);
    block_node_release(n);
    if (!has_tray(blk)) {
        change_media(blk, false);
    }
}

static bool insert_medium(BlockBackend *blk, BlockNode *n, Error **errp)
{
    if (!block_backend_attach(blk, n, errp)) {
        return false;
    }
    drive_follows(blk);
    if (!has_tray(blk)) {
        change_media(blk, true);
    }
    return true;
}

/* --- commands --- */

bool qmp_eject(const QapiEjectArgs *a, Error **errp)
{
    BlockBackend *blk = find_removable(a->device, a->id, errp);

    if (!blk || !force_tray(blk, a->device ? a->device : a->id, a->has_force && a->force, errp)) {
        return false;
    }
    remove_medium(blk);
    return true;
}

bool qmp_blockdev_open_tray(const QapiBlockdevOpenTrayArgs *a, Error **errp)
{
    BlockBackend *blk = find_removable(a->device, a->id, errp);
    bool open;

    if (blk) {
        open_tray(blk, a->has_force && a->force, &open);       /* the guest may open it later */
    }
    return blk;
}

bool qmp_blockdev_close_tray(const QapiBlockdevCloseTrayArgs *a, Error **errp)
{
    BlockBackend *blk = find_removable(a->device, a->id, errp);

    if (blk) {
        close_tray(blk);
    }
    return blk;
}

bool qmp_blockdev_remove_medium(const QapiBlockdevRemoveMediumArgs *a, Error **errp)
{
    BlockBackend *blk = find_removable(NULL, a->id, errp);

    if (!blk || !check_tray_open(blk, a->id, errp)) {
        return false;
    }
    remove_medium(blk);
    return true;
}

bool qmp_blockdev_insert_medium(const QapiBlockdevInsertMediumArgs *a, Error **errp)
{
    BlockNode *n = block_node_find(a->node_name);
    BlockBackend *blk = block_backend_find(NULL, a->id, errp);

    if (!blk) {
        return false;
    }
    if (!n) {
        error_setg(errp, "Node '%s' not found", a->node_name);
        return false;
    }
    for (const BlockBackend *other = block_backends(); other; other = other->next) {
        if (other->use.node == n) {
            error_setg(errp, "Node '%s' is already in use", a->node_name);
            return false;
        }
    }
    if (!check_removable(blk, a->id, errp) || !check_tray_open(blk, a->id, errp)) {
        return false;
    }
    if (blk->use.node) {
        error_setg(errp, "There already is a medium in device '%s'", a->id);
        return false;
    }
    return insert_medium(blk, n, errp);
}

/* The new medium, opened as the device's old one was unless it is said how.  A format of NULL is found out. */
static BlockNode *open_medium(const BlockBackend *blk, const QapiBlockdevChangeMediumArgs *a, Error **errp)
{
    bool read_only = blk->use.node ? blk->use.node->read_only : !blk->writable;

    if (a->has_read_only_mode && a->read_only_mode != QAPI_BLOCKDEV_CHANGE_READ_ONLY_MODE_RETAIN) {
        read_only = a->read_only_mode == QAPI_BLOCKDEV_CHANGE_READ_ONLY_MODE_READ_ONLY;
    }
    return block_image_open(a->filename, a->format, read_only, errp);
}

bool qmp_blockdev_change_medium(const QapiBlockdevChangeMediumArgs *a, Error **errp)
{
    BlockBackend *blk = find_removable(a->device, a->id, errp);
    const char *name = a->device ? a->device : a->id;
    BlockNode *n = blk ? open_medium(blk, a, errp) : NULL;

    if (!n) {
        return false;
    }
    if (!force_tray(blk, name, a->has_force && a->force, errp)) {
        block_node_release(n);
        return false;
    }
    remove_medium(blk);
    if (!insert_medium(blk, n, errp)) {
        block_node_release(n);
        return false;
    }
    close_tray(blk);
    return true;
}
