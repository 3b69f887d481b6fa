/*
 * Block nodes and the device's end of them.
 *
 * A node (-blockdev, or made from -drive) has a node-name and a driver ("file", "raw", ...).
 * A BlockBackend is how one device uses a node: permissions, geometry, asynchronous requests.
 * Requests complete on the main loop with the BQL held.
 */
#ifndef SYSTEM_BLOCK_H
#define SYSTEM_BLOCK_H

#include "util/qom/object.h"
#include <sys/uio.h>

typedef struct BlockNode BlockNode;
typedef struct BlockBackend BlockBackend;

/* @ret: 0 or -errno. */
typedef void BlockCompletion(void *opaque, int ret);

BlockNode *block_node_open(const Value *opts, Error **errp);   /* a -blockdev dict */
BlockNode *block_node_find(const char *node_name);
bool block_node_del(const char *node_name, Error **errp) MUST_USE;
/* -drive: a dict with file, format, if, id, ...; leaves node and default device request. */
bool block_drive_add(const Value *opts, bool snapshot, Error **errp) MUST_USE;

/* Take the node @drive names (node-name or drive id) for a device; @writable asks for write permission. */
BlockBackend *blk_new(const char *drive, void *owner_dev, bool writable, Error **errp);
void blk_unref(BlockBackend *blk);
uint64_t blk_size_bytes(BlockBackend *blk);
bool blk_is_read_only(BlockBackend *blk);
bool blk_enable_write_cache(BlockBackend *blk);
void blk_set_enable_write_cache(BlockBackend *blk, bool on);
const char *blk_name(BlockBackend *blk);
/* Asynchronous; @iov and its buffers must live until completion.  Out-of-range requests complete with -EIO. */
void blk_preadv(BlockBackend *blk, uint64_t offset, const struct iovec *iov, int niov, BlockCompletion *cb, void *opaque);
void blk_pwritev(BlockBackend *blk, uint64_t offset, const struct iovec *iov, int niov, BlockCompletion *cb, void *opaque);
void blk_flush(BlockBackend *blk, BlockCompletion *cb, void *opaque);
void blk_discard(BlockBackend *blk, uint64_t offset, uint64_t bytes, BlockCompletion *cb, void *opaque);
void blk_write_zeroes(BlockBackend *blk, uint64_t offset, uint64_t bytes, bool may_unmap, BlockCompletion *cb, void *opaque);
/* Wait for everything in flight (reset, stop, unplug).  Main thread. */
void blk_drain(BlockBackend *blk);
void block_drain_all(void);
void block_close_all(void);
/* Size changed (block_resize). */
void blk_set_resize_notify(BlockBackend *blk, void (*fn)(void *opaque), void *opaque);

/* A property naming a node; the field is a char *. */
#define PROP_DRIVE(name, S, field, ...) PROP_STRING(name, S, field, ##__VA_ARGS__)

#endif
