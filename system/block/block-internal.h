/* Between the files of system/block. */
#ifndef SYSTEM_BLOCK_INTERNAL_H
#define SYSTEM_BLOCK_INTERNAL_H

#include "qapi/qapi-types.h"
#include "system/block.h"
#include "system/iothread.h"

typedef struct BlockDriver BlockDriver;
typedef struct BlockRequest BlockRequest;
typedef struct BlockContext BlockContext;
typedef struct ThrottleGroup ThrottleGroup;
typedef struct ThrottleMember ThrottleMember;

/* --- permissions (perm.c) --- */

/* What may be done with a node; numbered as in the locks on image files. */
enum {
    PERM_CONSISTENT_READ = 1 << 0, PERM_WRITE = 1 << 1, PERM_WRITE_UNCHANGED = 1 << 2, PERM_RESIZE = 1 << 3,
    PERM_ALL = 0xf, N_PERMS = 4,
};
extern const char *const block_perm_names[N_PERMS];

/* One use of a node: by a parent node, a device, or a command for a moment. */
typedef struct BlockUse {
    BlockNode *node;            /* NULL = unused */
    unsigned perm;              /* what is done */
    unsigned shared;            /* what others may do */
    char *who;                  /* "node 'r0'", "block device 'disk0'": for messages */
    BlockNode *parent;          /* NULL = no node */
    void (*resized)(void *opaque);
    void *opaque;
} BlockUse;

/* Fill @use and check it against the node's other uses, down to the files' locks.  On failure nothing changed. */
bool block_use(BlockUse *use, BlockNode *node, BlockNode *parent, char *who, unsigned perm, unsigned shared,
               Error **errp) MUST_USE;
/* Closes a child that was made in its parent's place. */
void block_unuse(BlockUse *use);
/* Check and pass on what all uses of @node amount to; on failure its children are as they were. */
bool block_refresh_perms(BlockNode *node, Error **errp) MUST_USE;
void block_cumulative_perms(const BlockNode *node, unsigned *perm, unsigned *shared);

/* --- nodes --- */

struct BlockNode {
    char *name;
    const BlockDriver *drv;
    BlockUse file;              /* the child, if there is one */
    GPtrArray *uses;            /* of BlockUse *, borrowed */
    bool read_only;
    bool auto_read_only;
    bool force_share;
    bool discard;               /* discard=unmap */
    bool direct, no_flush;      /* cache.* */
    QapiBlockdevDetectZeroesOptions detect_zeroes;
    bool implicit;              /* made in its user's place: goes with it */
    uint64_t size_bytes;
    uint64_t wr_highest_offset; /* atomic */
    char *filename;
    BlockNode *next;
    void *state;                /* the driver's */
};

static inline BlockNode *block_child(const BlockNode *n)
{
    return n->file.node;
}

/*
 * A driver.  I/O callbacks run on worker threads, several at once, without locks; offsets and
 * lengths are within size_bytes.  They return 0 or -errno.
 */
struct BlockDriver {
    const char *name;
    QapiBlockdevDriver id;
    bool internal;                                              /* not for -blockdev */
    /* Sets size_bytes; read-only, cache and the like are set already. */
    bool (*open)(BlockNode *node, const QapiBlockdevOptions *opts, Error **errp);
    void (*close)(BlockNode *node);
    int (*preadv)(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len);
    int (*pwritev)(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len);
    int (*flush)(BlockNode *node);
    int (*discard)(BlockNode *node, uint64_t offset, uint64_t bytes);
    int (*write_zeroes)(BlockNode *node, uint64_t offset, uint64_t bytes, bool may_unmap);
    /* Those that have the bytes call block_uses_resized(), others pass it on and follow by .child_resized. */
    bool (*resize)(BlockNode *node, uint64_t size_bytes, Error **errp);
    void (*child_resized)(BlockNode *node);
    /* Of those that have the bytes: somebody else may have changed how many there are. */
    bool (*remeasure)(BlockNode *node, Error **errp);
    /* Drivers that pass every request on to the child as it is, but for the offset. */
    uint64_t (*child_offset)(const BlockNode *node, uint64_t offset);
    /* Start @r at @offset without blocking and complete it by block_request_done(); false: it cannot be so. */
    bool (*start)(BlockNode *node, BlockRequest *r, uint64_t offset);
    /* What the uses of @node mean for its child; NULL = the same. */
    void (*child_perms)(const BlockNode *node, unsigned *perm, unsigned *shared);
    bool (*set_perms)(BlockNode *node, unsigned perm, unsigned shared, Error **errp);
    /* Take other options in two steps.  Nothing is in flight.  @new holds the common part as it will be. */
    bool (*reopen)(BlockNode *node, const BlockNode *new, const QapiBlockdevOptions *opts, void **prepared, Error **errp);
    void (*reopen_commit)(BlockNode *node, void *prepared);
    void (*reopen_abort)(BlockNode *node, void *prepared);
    int64_t (*actual_size)(const BlockNode *node);              /* bytes; NULL = 0 */
    bool has_dirty_flag;                                        /* told, always as clean */
    /* A path, or NULL and the options that make the node into @json. */
    char *(*filename)(const BlockNode *node, Value *json);
    void (*stats)(const BlockNode *node, QapiBlockStats *stats);
    ThrottleMember *(*throttle)(const BlockNode *node);         /* whose turn requests have to wait for */
};

/*
 * file.c: lock the open image @fd for one who does @perm and keeps others from @unshared.  Files on file systems without locks
 * are not locked.  The locks go with the descriptor.
 */
bool block_file_lock(int fd, const char *path, unsigned perm, unsigned unshared, Error **errp) MUST_USE;

extern const BlockDriver block_driver_file, block_driver_host_device, block_driver_raw, block_driver_null_co,
    block_driver_null_aio, block_driver_throttle, block_driver_snapshot;

/* Open or find the child that @ref names and use it for @parent.  @parent's cache and read-only are inherited. */
bool block_child_open(BlockNode *parent, const QapiBlockdevRef *ref, Error **errp) MUST_USE;
/* Nobody has @n as its own, and now nobody uses it: it goes.  Others stay. */
void block_node_release(BlockNode *n);
/* As block_node_new(), with a name made up if there is none.  It goes when its last user does (block_node_release()). */
BlockNode *block_node_new_unnamed(const QapiBlockdevOptions *opts, Error **errp);
/* A node that keeps changes to @child in a temporary file; @name NULL = made up. */
BlockNode *block_snapshot_new(const char *name, BlockNode *child, Error **errp);
/* Tell whoever uses @node that its size changed. */
void block_uses_resized(BlockNode *node);
/* Blocking requests to a node, with what is common to all drivers.  Worker threads. */
int block_node_preadv(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len);
int block_node_pwritev(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len);
int block_node_flush(BlockNode *n);
int block_node_discard(BlockNode *n, uint64_t offset, uint64_t bytes);
int block_node_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, bool may_unmap);
void block_node_note_write(BlockNode *n, uint64_t end);
/* The options as a dict, for "json:" names. */
Value *block_node_json(const BlockNode *n);
void block_node_refresh_filename(BlockNode *n);
BlockNode *block_node_first(void);
/* The common part of @opts into @n, @parent's being the defaults of children (NULL: none). */
bool block_node_common_options(BlockNode *n, const QapiBlockdevOptions *opts, const BlockNode *parent, Error **errp) MUST_USE;
/* Is the name well-formed and free? */
bool block_check_node_name(const char *name, bool may_be_unnamed, Error **errp) MUST_USE;

/* --- requests (backend.c, context.c) --- */

struct BlockRequest {
    BlockBackend *blk;
    BlockContext *ctx;
    BlockRequestKind kind;
    bool may_unmap, write_through;
    uint64_t offset, bytes;
    struct iovec *iov;          /* owned */
    unsigned niov;
    int ret;
    BlockCompletion *cb;
    void *opaque;
    int64_t start_ns;
    BlockNode *gate;            /* where it waits, or goes next, on its way through throttles; NULL = at the backend's */
    BlockNode *leaf;            /* that runs it, when .start does */
    BlockRequest *next;         /* on a list of finished ones */
};

/* Any thread: @r is finished, with r->ret. */
void block_request_done(BlockRequest *r);
/* Its turn has come: go on from where it waited. */
void block_request_go_on(BlockRequest *r);
bool block_request_is_draining(const BlockRequest *r);
static inline bool block_request_is_write(const BlockRequest *r)
{
    return r->kind != BLOCK_READ;
}

/* Where requests run and complete: the main loop's, or an iothread's.  Borrowed from its thread. */
BlockContext *block_context_get(IOThread *t);
IOThread *block_context_thread(const BlockContext *c);
void block_context_push(BlockContext *c, BlockRequest *r);      /* run blocking on a worker */
/* Workers kept and at most, and requests collected for the ring (0 = as it is good), of a context without iothread. */
void block_context_set_limits(BlockContext *c, unsigned pool_min, unsigned pool_max, int64_t aio_max_batch);
/* Wait until a request of @c is finished and complete all that are. */
void block_context_wait(BlockContext *c);
void block_context_plug(BlockContext *c);
void block_context_unplug(BlockContext *c);
/* backend.c: run @r blocking; and its completion, BQL held. */
void block_request_run(BlockRequest *r);
void block_request_complete(BlockRequest *r);

/* io_uring (uring.c): false if this build or host has none. */
typedef struct Uring Uring;
Uring *uring_new(BlockContext *c, Error **errp);
void uring_free(Uring *u);
/* Read, write or flush @fd; false if there is no room now. */
bool uring_start(Uring *u, BlockRequest *r, int fd, uint64_t offset, unsigned max_batch, bool plugged);
void uring_submit(Uring *u);
/* Finish what the kernel has done with, waiting for one if @wait and any is under way.  Any thread. */
void uring_reap(Uring *u, bool wait);
unsigned uring_in_flight(Uring *u);
int uring_fd(const Uring *u);
/* The context's ring, made at first use. */
Uring *block_context_uring(BlockContext *c, Error **errp);
bool block_context_start_uring(BlockContext *c, BlockRequest *r, int fd, uint64_t offset, int64_t max_batch);

/* --- backends, for query-* and throttling --- */

typedef struct BlockAccounting {
    uint64_t bytes[BLOCK_REQUEST_KINDS], ops[BLOCK_REQUEST_KINDS], failed[BLOCK_REQUEST_KINDS], invalid[BLOCK_REQUEST_KINDS];
    int64_t time_ns[BLOCK_REQUEST_KINDS];
    int64_t last_ns;            /* 0 = never */
    bool account_invalid, account_failed;
} BlockAccounting;

struct BlockBackend {
    BlockUse use;
    char *drive_id;             /* of -drive; "" = none */
    Object *owner;              /* borrowed: the device; NULL = none yet */
    bool writable, write_cache, share_rw;
    const BlockDeviceOps *ops;  /* of a device whose medium can be changed; NULL = it cannot */
    void *ops_opaque;
    unsigned in_flight;
    unsigned draining;
    BlockContext *ctx;
    IOThread *iothread;         /* counted */
    void (*resized)(void *opaque);
    void *resized_opaque;
    BlockAccounting acct;
    BlockOnError rerror, werror;
    QapiBlockDeviceIoStatus io_status;
    ThrottleMember *throttle;   /* owned; NULL = not slowed down */
    BlockBackend *next;
};

BlockBackend *block_backends(void);
/* Let the backend, which has none, use @n as its device wants to. */
bool block_backend_attach(BlockBackend *blk, BlockNode *n, Error **errp) MUST_USE;
/* Of devices whose medium can be changed (media.c); of others false. */
bool block_backend_has_tray(const BlockBackend *blk);
bool block_backend_tray_is_open(const BlockBackend *blk);
bool block_backend_is_locked(const BlockBackend *blk);
/* By drive id, device id or QOM path. */
BlockBackend *block_backend_find(const char *device, const char *id, Error **errp);
/* Limits of the device's requests in a group of this name; NULL = none any more. */
bool blk_set_throttle(BlockBackend *blk, const QapiThrottleLimits *limits, const char *group, Error **errp) MUST_USE;

/* --- -drive's part (drive.c) --- */

typedef struct BlockDrive {
    char *id;
    BlockInterface interface;
    unsigned bus, unit;
    bool is_cdrom, by_default;
    BlockNode *node;            /* NULL = empty */
    bool writethrough;
    BlockOnError rerror, werror;
    QapiThrottleLimits *limits; /* owned; NULL = none */
    char *group;
    BlockBackend *blk;          /* borrowed: the device's; NULL = unused */
} BlockDrive;

BlockDrive *block_drive_find(const char *id);
/* A node of the image at @path, which goes with its user.  @format NULL = look what it is. */
BlockNode *block_image_open(const char *path, const char *format, bool read_only, Error **errp);
GPtrArray *block_drives(void);                  /* of BlockDrive * */

/* --- throttling (throttle.c, throttle-group.c) --- */

enum { BUCKET_BPS_TOTAL, BUCKET_BPS_READ, BUCKET_BPS_WRITE, BUCKET_OPS_TOTAL, BUCKET_OPS_READ, BUCKET_OPS_WRITE, N_BUCKETS };

/* One limit as a leaky bucket: what was let through fills it, time empties it at the rate allowed. */
typedef struct LeakyBucket {
    double avg;                 /* units a second; 0 = no limit */
    double max;                 /* the same in a burst; 0 = no bursts */
    uint64_t burst_length;      /* seconds */
    double level, burst_level;  /* units */
} LeakyBucket;

typedef struct Throttle {
    LeakyBucket buckets[N_BUCKETS];
    uint64_t op_size;           /* a request of more bytes counts as several; 0 = as one */
    int64_t leaked_ns;          /* when the buckets were looked at last */
} Throttle;

/* @limits: any sign is checked.  False and @errp if they contradict each other. */
bool throttle_set_limits(Throttle *t, const QapiThrottleLimits *limits, Error **errp) MUST_USE;
void throttle_get_limits(const Throttle *t, QapiThrottleLimits *limits);
bool throttle_is_limited(const Throttle *t);
/* How long a request has to wait at @now_ns; 0 = it may go. */
int64_t throttle_wait_ns(Throttle *t, bool is_write, int64_t now_ns);
/* A request of @bytes goes. */
void throttle_account(Throttle *t, bool is_write, uint64_t bytes);

/* The group of this name, an object or made by block_set_io_throttle; NULL if there is none. */
ThrottleGroup *throttle_group_find(const char *name);
/* Counted; made if there is none. */
ThrottleGroup *throttle_group_get(const char *name);
const char *throttle_group_name(const ThrottleGroup *g);
const Throttle *throttle_group_limits(const ThrottleGroup *g);
bool throttle_group_set_limits(ThrottleGroup *g, const QapiThrottleLimits *limits, Error **errp) MUST_USE;

/* Consumes the reference to @g. */
ThrottleMember *throttle_member_new(ThrottleGroup *g);
/* Nothing waits any more. */
void throttle_member_free(ThrottleMember *m);
ThrottleGroup *throttle_member_group(const ThrottleMember *m);
/* True: @r may go on.  False: it waits; block_request_go_on() will be called. */
bool throttle_member_admit(ThrottleMember *m, BlockRequest *r);
/* Let @blk's waiting requests go, whatever the limits. */
void throttle_member_release(ThrottleMember *m, const BlockBackend *blk);

#endif
