/*
 * Block nodes and the device's end of them.
 *
 * A node (-blockdev, or made from -drive) has a node-name and a driver ("file", "raw", "throttle", ...).
 * Whoever uses a node says what it does with it and what it lets others do; users that do not go
 * together are refused, in this process and, by locks on the file, in others.  A BlockBackend is how
 * one device uses a node: asynchronous requests that run on worker threads or in the kernel and complete
 * under the BQL, on the main loop, on the device's iothread, or inside blk_drain().
 *
 * Locks: everything here is called with the BQL held.
 */
#ifndef SYSTEM_BLOCK_H
#define SYSTEM_BLOCK_H

#include "util/qom/object.h"
#include <sys/uio.h>

typedef struct BlockNode BlockNode;
typedef struct BlockBackend BlockBackend;
typedef struct QapiBlockdevOptions QapiBlockdevOptions;
typedef struct IOThread IOThread;

/* @ret: 0 or -errno. */
typedef void BlockCompletion(void *opaque, int ret);

/* --- nodes --- */

/* A new node at the root.  Borrowed: the registry owns it. */
BlockNode *block_node_new(const QapiBlockdevOptions *opts, Error **errp);
/* From a -blockdev dict; @from_text: its scalars are text. */
BlockNode *block_node_open(const Value *opts, bool from_text, Error **errp);
BlockNode *block_node_find(const char *node_name);
/* Refused while anything uses it. */
bool block_node_del(const char *node_name, Error **errp) MUST_USE;
void block_node_foreach(void (*fn)(BlockNode *node, void *opaque), void *opaque);
const char *block_node_name(const BlockNode *node);
const char *block_node_driver(const BlockNode *node);
const char *block_node_filename(const BlockNode *node);         /* a path, or "json:{...}" */
uint64_t block_node_size_bytes(const BlockNode *node);
bool block_node_is_read_only(const BlockNode *node);
/* What lies below it may have been grown or shrunk by somebody else: take its size anew; devices on it are told. */
bool block_node_remeasure(BlockNode *node, Error **errp) MUST_USE;
/* Grow or shrink; devices on it are told. */
bool block_node_resize(BlockNode *node, uint64_t size_bytes, Error **errp) MUST_USE;

/* --- -drive --- */

/* What drives are attached to; none: to whichever device names them. */
typedef enum BlockInterface { BLOCK_IF_NONE, BLOCK_IF_VIRTIO, BLOCK_IF_IDE } BlockInterface;
extern const char *const block_interface_names[];

/* A dict with file, format, if, id, ...; @snapshot: as if snapshot=on were given.  The machine's type is known. */
bool block_drive_add(const Value *opts, bool snapshot, Error **errp) MUST_USE;
/* The empty CD drive at index 2, unless something is there. */
bool block_drive_add_default_cdrom(Error **errp) MUST_USE;
/* Devices that drives of if=virtio and if=ide are for; after the board is built. */
bool block_drives_create_devices(Error **errp) MUST_USE;
/* The node of a -drive id, or of this name; NULL if there is neither. */
BlockNode *block_drive_node(const char *drive);

/* --- a device's end --- */

enum {
    BLK_WRITABLE = 1 << 0,
    BLK_SHARE_RW = 1 << 1,      /* others may write, too (share-rw=on) */
    BLK_MAY_BE_EMPTY = 1 << 2,  /* the device can do without a medium */
};

/* Use the node that @drive (drive id or node-name; NULL or "" = none) names. */
BlockBackend *blk_new(const char *drive, void *owner_dev, unsigned flags, Error **errp);
void blk_unref(BlockBackend *blk);                              /* drains */
uint64_t blk_size_bytes(const BlockBackend *blk);
bool blk_is_read_only(const BlockBackend *blk);
const char *blk_name(const BlockBackend *blk);
BlockNode *blk_node(const BlockBackend *blk);
/* Write-through: each write is flushed before it completes. */
void blk_set_enable_write_cache(BlockBackend *blk, bool on);
bool blk_enable_write_cache(const BlockBackend *blk);
/* Requests complete on @t from now on; NULL = on the main loop.  Counted. */
void blk_set_iothread(BlockBackend *blk, IOThread *t);
IOThread *blk_iothread(const BlockBackend *blk);
/* @iov is copied, its buffers must live until completion.  Out-of-range requests complete with -EIO. */
void blk_preadv(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned niov, BlockCompletion *cb, void *opaque);
void blk_pwritev(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned niov, BlockCompletion *cb, void *opaque);
void blk_flush(BlockBackend *blk, BlockCompletion *cb, void *opaque);
void blk_discard(BlockBackend *blk, uint64_t offset, uint64_t bytes, BlockCompletion *cb, void *opaque);
void blk_write_zeroes(BlockBackend *blk, uint64_t offset, uint64_t bytes, bool may_unmap, BlockCompletion *cb, void *opaque);
/* Between these the kernel need not be told of each request at once. */
void blk_plug(BlockBackend *blk);
void blk_unplug(BlockBackend *blk);
/* Wait for all of this backend's requests and run their completions (reset, stop, unplug).  Any thread with the BQL. */
void blk_drain(BlockBackend *blk);
void block_drain_all(void);
/* Drain and flush everything, as a stopped machine's images must be. */
void block_flush_all(void);
/* At exit: drain, flush and close everything. */
void block_close_all(void);
void blk_set_resize_notify(BlockBackend *blk, void (*fn)(void *opaque), void *opaque);

/* --- accounting and errors --- */

typedef enum BlockRequestKind {
    BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_ZERO, BLOCK_REQUEST_KINDS,
} BlockRequestKind;

/* A request that the device refused before it began. */
void blk_account_invalid(BlockBackend *blk, BlockRequestKind kind);
/* Do refused requests end idleness, do failed ones add their time?  Default: yes. */
void blk_set_accounting(BlockBackend *blk, bool invalid, bool failed);

/* QEMU's BlockdevOnError, in its order. */
typedef enum BlockOnError {
    BLOCK_ON_ERROR_REPORT, BLOCK_ON_ERROR_IGNORE, BLOCK_ON_ERROR_ENOSPC, BLOCK_ON_ERROR_STOP, BLOCK_ON_ERROR_AUTO,
    BLOCK_ON_ERROR_MAX,
} BlockOnError;
extern const char *const block_on_error_names[BLOCK_ON_ERROR_MAX + 1];

/* AUTO: what -drive said, else report for reads and enospc for writes.  False and @errp where that makes no sense. */
bool blk_set_on_error(BlockBackend *blk, BlockOnError rerror, BlockOnError werror, Error **errp) MUST_USE;

typedef enum BlockAction { BLOCK_ACTION_IGNORE, BLOCK_ACTION_REPORT, BLOCK_ACTION_STOP } BlockAction;
/*
 * A request failed with @err (positive errno): tell everybody and, if so it was said, stop the machine;
 * then the device keeps the request and tries it again when the machine runs.
 */
BlockAction blk_error(BlockBackend *blk, bool is_read, int err);
/* The machine runs again, or was reset: all is well. */
void blk_reset_io_status(BlockBackend *blk);

/* --- media that can be changed (media.c) --- */

/*
 * What such a device tells of itself, and is told.  The medium goes and comes while the tray is open; a device without
 * tray (NULL .is_tray_open) sees it go and come by .change_media.
 */
typedef struct BlockDeviceOps {
    void (*change_media)(void *opaque, bool load);      /* the tray is closed (@load) or opened */
    void (*eject_request)(void *opaque, bool force);    /* somebody presses the button; @force: the lock is off, too */
    bool (*is_tray_open)(void *opaque);
    bool (*is_medium_locked)(void *opaque);
} BlockDeviceOps;

void blk_set_device_ops(BlockBackend *blk, const BlockDeviceOps *ops, void *opaque);
/* There is a medium, and the tray is not open? */
bool blk_is_available(const BlockBackend *blk);
bool blk_is_inserted(const BlockBackend *blk);
/* The guest moved the tray: tell everybody. */
void blk_tray_moved(BlockBackend *blk, bool open);

/* A property naming a node; the field is a char *. */
#define PROP_DRIVE(name, S, field, ...) PROP_STRING(name, S, field, ##__VA_ARGS__)

#endif
