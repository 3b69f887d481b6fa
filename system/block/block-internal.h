/* Between the files of system/block. */
#ifndef SYSTEM_BLOCK_INTERNAL_H
#define SYSTEM_BLOCK_INTERNAL_H

#include "system/block.h"

typedef struct BlockDriver BlockDriver;

struct BlockNode {
    char *name;
    const BlockDriver *drv;
    BlockNode *file;            /* child, or NULL; counted in its users */
    unsigned users;             /* parents and backends */
    bool writer;                /* one of them may write */
    bool read_only;
    bool discard;               /* discard=unmap */
    bool implicit;              /* made by its parent's options: goes with it */
    uint64_t size_bytes;
    char *filename;
    GPtrArray *backends;        /* of BlockBackend *, borrowed */
    BlockNode *next;
    void *state;                /* the driver's */
};

/*
 * A driver.  I/O callbacks run on worker threads, several at once, without locks; offsets and
 * lengths are within size_bytes.  They return 0 or -errno.
 */
struct BlockDriver {
    const char *name;
    const char *const *options;                                 /* beyond the common ones */
    bool (*open)(BlockNode *node, const Value *opts, Error **errp);     /* sets size_bytes */
    void (*close)(BlockNode *node);
    int (*preadv)(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len);
    int (*pwritev)(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len);
    int (*flush)(BlockNode *node);
    int (*discard)(BlockNode *node, uint64_t offset, uint64_t bytes);
    int (*write_zeroes)(BlockNode *node, uint64_t offset, uint64_t bytes, bool may_unmap);
    bool (*resize)(BlockNode *node, uint64_t size_bytes, Error **errp);
};

extern const BlockDriver block_driver_file, block_driver_raw, block_driver_null, block_driver_snapshot;

/* The child that opts[@key] names or describes; its user count is raised. */
BlockNode *block_child_open(const Value *opts, const char *key, bool read_only, Error **errp);
void block_child_close(BlockNode *child);
/* Tell the devices on @node that its size changed. */
void block_backends_resized(BlockNode *node);

#endif
