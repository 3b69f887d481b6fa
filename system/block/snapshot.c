/*
 * Block driver behind -snapshot: writes go to an unnamed temporary file, the child stays as it is.
 *
 * Copy on write by clusters: a cluster is wholly in the child or wholly in the file.  One lock
 * serialises what changes the map; reads of settled clusters take it only to look.
 */
#include "block-internal.h"
#include "util/account.h"

#include <fcntl.h>
#include <unistd.h>

#define CLUSTER (64 * KiB)

typedef struct SnapshotState {
    int fd;
    GMutex lock;
    unsigned long *present;     /* a bit per cluster; lock */
} SnapshotState;

static bool snapshot_open(BlockNode *n, const QapiBlockdevOptions *opts, Error **errp)
{
    const char *dir = g_get_tmp_dir();
    unsigned long *present;
    SnapshotState *s;
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0) {
        error_setg_errno(errp, errno, "cannot create a temporary file in '%s'", dir);
        return false;
    }
    n->size_bytes = block_child(n)->size_bytes;
    present = memory_account_alloc("block/snapshot", DIV_ROUND_UP(n->size_bytes, 64 * CLUSTER) * sizeof(*present), errp);
    if (!present) {
        close(fd);
        return false;
    }
    s = g_new0(SnapshotState, 1);
    s->present = present;
    s->fd = fd;
    g_mutex_init(&s->lock);
    n->discard = true;
    n->state = s;
    return true;
}

static void snapshot_close(BlockNode *n)
{
    SnapshotState *s = n->state;

    close(s->fd);
    g_mutex_clear(&s->lock);
    memory_account_free(s->present);
    g_free(s);
}

static bool is_present(const SnapshotState *s, uint64_t cluster)
{
    return s->present[cluster / 64] >> (cluster % 64) & 1;
}

static int read_child(BlockNode *n, uint64_t offset, void *buf, size_t len)
{
    struct iovec iov = { buf, len };

    return block_node_preadv(block_child(n), offset, &iov, 1, len);
}

static int full_io(int fd, void *buf, size_t len, uint64_t offset, bool is_write)
{
    for (size_t done = 0; done < len;) {
        ssize_t r = is_write ? pwrite(fd, (uint8_t *)buf + done, len - done, offset + done)
                             : pread(fd, (uint8_t *)buf + done, len - done, offset + done);

        if (r < 0 && errno != EINTR) {
            return -errno;
        }
        if (r == 0) {
            return -EIO;
        }
        done += MAX(r, 0);
    }
    return 0;
}

/* Bring the cluster into the file.  Lock held. */
static int populate(BlockNode *n, uint64_t cluster)
{
    SnapshotState *s = n->state;
    uint64_t start = cluster * CLUSTER;
    size_t len = MIN(CLUSTER, n->size_bytes - start);
    g_autofree uint8_t *buf = g_malloc(len);
    int ret = read_child(n, start, buf, len);

    if (!ret) {
        ret = full_io(s->fd, buf, len, start, true);
    }
    if (!ret) {
        s->present[cluster / 64] |= 1UL << (cluster % 64);
    }
    return ret;
}

/* One piece inside one cluster. */
static int piece_io(BlockNode *n, uint64_t offset, uint8_t *buf, size_t len, bool is_write)
{
    SnapshotState *s = n->state;
    uint64_t cluster = offset / CLUSTER;
    bool present;
    int ret = 0;

    g_mutex_lock(&s->lock);
    present = is_present(s, cluster);
    if (is_write && !present) {
        ret = populate(n, cluster);
    }
    if (is_write && !ret) {
        ret = full_io(s->fd, buf, len, offset, true);
    }
    g_mutex_unlock(&s->lock);
    if (is_write) {
        return ret;
    }
    return present ? full_io(s->fd, buf, len, offset, false) : read_child(n, offset, buf, len);
}

static int snapshot_io(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, bool is_write)
{
    int ret = 0;

    for (unsigned i = 0; i < niov; i++) {
        for (size_t done = 0; done < iov[i].iov_len && !ret;) {
            size_t part = MIN(iov[i].iov_len - done, CLUSTER - offset % CLUSTER);

            ret = piece_io(n, offset, (uint8_t *)iov[i].iov_base + done, part, is_write);
            offset += part;
            done += part;
        }
    }
    return ret;
}

static int snapshot_preadv(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return snapshot_io(n, offset, iov, niov, false);
}

static int snapshot_pwritev(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return snapshot_io(n, offset, iov, niov, true);
}

static int snapshot_flush(BlockNode *n)
{
    return 0;                   /* nothing here outlives the process */
}

static int snapshot_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    return 0;
}

static int snapshot_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, bool may_unmap)
{
    static const uint8_t zeroes[CLUSTER];
    int ret = 0;

    while (bytes && !ret) {
        size_t part = MIN(bytes, CLUSTER - offset % CLUSTER);

        ret = piece_io(n, offset, (uint8_t *)zeroes, part, true);
        offset += part;
        bytes -= part;
    }
    return ret;
}

static char *snapshot_filename(const BlockNode *n, Value *json)
{
    return g_strdup(block_node_filename(block_child(n)));
}

/* The child is only read, and must stay as it is. */
static void snapshot_child_perms(const BlockNode *n, unsigned *perm, unsigned *shared)
{
    *perm = *perm ? PERM_CONSISTENT_READ : 0;
    *shared = PERM_CONSISTENT_READ | PERM_WRITE_UNCHANGED;
}

const BlockDriver block_driver_snapshot = {
    .name = "snapshot", .internal = true, .filename = snapshot_filename, .child_perms = snapshot_child_perms,
    .open = snapshot_open, .close = snapshot_close,
    .preadv = snapshot_preadv, .pwritev = snapshot_pwritev, .flush = snapshot_flush, .discard = snapshot_discard,
    .write_zeroes = snapshot_write_zeroes,
};
