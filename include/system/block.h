/*
 * Block nodes and the device's end of them.
 *
 * A node (-blockdev, or made from -drive) has a node-name and a driver ("file", "raw", "null-co").
 * A BlockBackend is how one device uses a node: permissions, asynchronous requests.  Requests run
 * on worker threads and complete under the BQL, on the main loop or inside blk_drain().
 *
 * Locks: everything here is called with the BQL held.
 */
#ifndef SYSTEM_BLOCK_H
#define SYSTEM_BLOCK_H

#include "util/qom/object.h"
#include <sys/uio.h>

typedef struct BlockNode BlockNode;
typedef struct BlockBackend BlockBackend;

/* @ret: 0 or -errno. */
typedef void BlockCompletion(void *opaque, int ret);

/* --- nodes --- */

/* From a -blockdev dict (nested children as dicts or node-names).  Borrowed: the registry owns the node. */
BlockNode *block_node_open(const Value *opts, Error **errp);
BlockNode *block_node_find(const char *node_name);
/* Refused while anything uses it. */
bool block_node_del(const char *node_name, Error **errp) MUST_USE;
void block_node_foreach(void (*fn)(BlockNode *node, void *opaque), void *opaque);
const char *block_node_name(const BlockNode *node);
const char *block_node_driver(const BlockNode *node);
const char *block_node_filename(const BlockNode *node);         /* "" if it has none */
uint64_t block_node_size_bytes(const BlockNode *node);
bool block_node_is_read_only(const BlockNode *node);
/* Grow or shrink; devices on it are told. */
bool block_node_resize(BlockNode *node, uint64_t size_bytes, Error **errp) MUST_USE;

/* --- -drive --- */

/* A dict with file, format, if, id, ...; @snapshot: as if snapshot=on were given. */
bool block_drive_add(const Value *opts, bool snapshot, Error **errp) MUST_USE;
/* Devices that -drive if=virtio asked for; after the board is built. */
bool block_drives_create_devices(Error **errp) MUST_USE;

/* --- a device's end --- */

/* Take the node that @drive (node-name or drive id) names; one writer at a time. */
BlockBackend *blk_new(const char *drive, void *owner_dev, bool writable, Error **errp);
void blk_unref(BlockBackend *blk);                              /* drains */
uint64_t blk_size_bytes(const BlockBackend *blk);
bool blk_is_read_only(const BlockBackend *blk);
const char *blk_name(const BlockBackend *blk);
BlockNode *blk_node(const BlockBackend *blk);
/* Write-through: each write is flushed before it completes. */
void blk_set_enable_write_cache(BlockBackend *blk, bool on);
bool blk_enable_write_cache(const BlockBackend *blk);
/* @iov is copied, its buffers must live until completion.  Out-of-range requests complete with -EIO. */
void blk_preadv(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned niov, BlockCompletion *cb, void *opaque);
void blk_pwritev(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned niov, BlockCompletion *cb, void *opaque);
void blk_flush(BlockBackend *blk, BlockCompletion *cb, void *opaque);
void blk_discard(BlockBackend *blk, uint64_t offset, uint64_t bytes, BlockCompletion *cb, void *opaque);
void blk_write_zeroes(BlockBackend *blk, uint64_t offset, uint64_t bytes, bool may_unmap, BlockCompletion *cb, void *opaque);
/* Wait for all of this backend's requests and run their completions (reset, stop, unplug).  Any thread with the BQL. */
void blk_drain(BlockBackend *blk);
void block_drain_all(void);
/* At exit: drain, flush and close everything. */
void block_close_all(void);
void blk_set_resize_notify(BlockBackend *blk, void (*fn)(void *opaque), void *opaque);

/* A property naming a node; the field is a char *. */
#define PROP_DRIVE(name, S, field, ...) PROP_STRING(name, S, field, ##__VA_ARGS__)

#endif
