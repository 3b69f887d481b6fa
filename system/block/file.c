/*
 * Block drivers "file" (a regular file) and "host_device" (a block device of the host).
 *
 * With cache.direct=on the kernel takes only requests that are aligned to the medium's blocks, with
 * buffers that are aligned, too: others go through a buffer of our own, and a write that begins or ends
 * inside a block reads that block first.
 *
 * Locks: s->partial is held over the read and the write of a partly written block.
 */
#include "block-internal.h"
#include "util/fdset.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIGN_MAX   4096        /* of requests and buffers under O_DIRECT */
#define BOUNCE_MAX  (1 * MiB)   /* copied at once */

typedef struct FileState {
    int fd;
    int lock_fd;                /* carries the locks over reopening; may be fd */
    char *path;
    unsigned align;             /* of requests; 1 = any */
    bool is_block_device, locking;
    QapiBlockdevAioOptions aio;
    int64_t aio_max_batch;
    GMutex partial;

    /* constant while open, taken over by reopening */
    unsigned locked_perm, locked_unshared;

    /* atomic */
    uint64_t discards_ok, discards_failed, discarded_bytes;
} FileState;

/* --- locks on the image --- */

/*
 * Compatible with QEMU's: for each permission p in use a shared lock on byte 100 + p, for each one that
 * is not shared with others one on byte 200 + p; a conflict shows as somebody else's lock on the opposite
 * byte.
 */
enum { LOCK_PERM_BASE = 100, LOCK_UNSHARED_BASE = 200 };

static int ofd_lock(int fd, int cmd, int type, off_t byte)
{
    struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    if (fcntl(fd, cmd, &fl)) {
        return -errno;
    }
    return cmd == F_OFD_GETLK && fl.l_type != F_UNLCK ? -EAGAIN : 0;
}

static void lock_bits(const FileState *s, int type, unsigned bits, int base)
{
    for (unsigned p = 0; p < N_PERMS; p++) {
        if (bits >> p & 1) {
            ofd_lock(s->lock_fd, F_OFD_SETLK, type, base + (int)p);
        }
    }
}

/* Nobody else may have a lock on these bytes. */
static bool check_bits(const FileState *s, unsigned bits, int base, const char *how, Error **errp)
{
    for (unsigned p = 0; p < N_PERMS; p++) {
        if ((bits >> p & 1) && ofd_lock(s->lock_fd, F_OFD_GETLK, F_WRLCK, base + (int)p) == -EAGAIN) {
            error_setg(errp, "Failed to get %s\"%s\" lock: is another process using the image [%s]?", how,
                       block_perm_names[p], s->path);
            return false;
        }
    }
    return true;
}

/* More first, so that nobody comes in between; then what is not needed any more. */
static bool file_set_perms(BlockNode *n, unsigned perm, unsigned shared, Error **errp)
{
    FileState *s = n->state;
    unsigned unshared = PERM_ALL & ~shared;

    if (n->force_share) {
        perm = unshared = 0;
    }
    if (!s->locking) {
        return true;
    }
    lock_bits(s, F_RDLCK, perm & ~s->locked_perm, LOCK_PERM_BASE);
    lock_bits(s, F_RDLCK, unshared & ~s->locked_unshared, LOCK_UNSHARED_BASE);
    if (!check_bits(s, perm, LOCK_UNSHARED_BASE, "", errp) || !check_bits(s, unshared, LOCK_PERM_BASE, "shared ", errp)) {
        lock_bits(s, F_UNLCK, perm & ~s->locked_perm, LOCK_PERM_BASE);
        lock_bits(s, F_UNLCK, unshared & ~s->locked_unshared, LOCK_UNSHARED_BASE);
        return false;
    }
    lock_bits(s, F_UNLCK, s->locked_perm & ~perm, LOCK_PERM_BASE);
    lock_bits(s, F_UNLCK, s->locked_unshared & ~unshared, LOCK_UNSHARED_BASE);
    s->locked_perm = perm;
    s->locked_unshared = unshared;
    return true;
}

bool block_file_lock(int fd, const char *path, unsigned perm, unsigned unshared, Error **errp)
{
    const FileState s = { .lock_fd = fd, .path = (char *)(uintptr_t)path };

    if (ofd_lock(fd, F_OFD_GETLK, F_WRLCK, LOCK_PERM_BASE) == -EINVAL) {
        return true;
    }
    lock_bits(&s, F_RDLCK, perm, LOCK_PERM_BASE);
    lock_bits(&s, F_RDLCK, unshared, LOCK_UNSHARED_BASE);
    return check_bits(&s, perm, LOCK_UNSHARED_BASE, "", errp) && check_bits(&s, unshared, LOCK_PERM_BASE, "shared ", errp);
}

/* --- opening --- */

/* Size in bytes, -1 and @errp if it is not what the driver is for. */
static int64_t file_size(int fd, const BlockNode *n, const char *path, bool *is_block_device, Error **errp)
{
    struct stat st;
    uint64_t size;

    if (fstat(fd, &st)) {
        error_setg_errno(errp, errno, "Could not stat '%s'", path);
        return -1;
    }
    *is_block_device = S_ISBLK(st.st_mode);
    if (n->drv->id == QAPI_BLOCKDEV_DRIVER_HOST_DEVICE) {
        if (!*is_block_device) {
            error_setg(errp, "'host_device' driver requires '%s' to be a block device", path);
            return -1;
        }
        if (ioctl(fd, BLKGETSIZE64, &size)) {
            error_setg_errno(errp, errno, "Could not get the size of '%s'", path);
            return -1;
        }
        return (int64_t)size;
    }
    if (!S_ISREG(st.st_mode)) {
        error_setg(errp, "'file' driver requires '%s' to be a regular file", path);
        return -1;
    }
    return (int64_t)ROUND_UP((uint64_t)st.st_size, 512);    /* the last sector ends in zeroes */
}

/* auto-read-only: open read-only where writing is not permitted. */
static int open_path(BlockNode *n, const char *path, Error **errp)
{
    int flags = O_NONBLOCK | (n->direct ? O_DIRECT : 0), fd;

    fd = fdset_open(path, flags | (n->read_only ? O_RDONLY : O_RDWR), 0);
    if (fd < 0 && !n->read_only && (errno == EACCES || errno == EROFS || errno == EPERM) && n->auto_read_only) {
        fd = fdset_open(path, flags | O_RDONLY, 0);
        n->read_only = fd >= 0;
    }
    if (fd < 0 && errno == EINVAL && n->direct) {
        error_setg(errp, "Could not open '%s': the filesystem does not support O_DIRECT", path);
    } else if (fd < 0) {
        error_setg_errno(errp, errno, "Could not open '%s'", path);
    }
    return fd;
}

/* The least multiple of 512 that the kernel takes for O_DIRECT. */
static unsigned probe_align(int fd, bool direct)
{
    void *buf;
    unsigned align;

    if (!direct || posix_memalign(&buf, ALIGN_MAX, ALIGN_MAX)) {
        return direct ? ALIGN_MAX : 1;
    }
    for (align = 512; align < ALIGN_MAX; align *= 2) {
        if (pread(fd, buf, align, 0) >= 0 || errno != EINVAL) {
            break;
        }
    }
    free(buf);
    return align;
}

static bool check_options(const BlockNode *n, const QapiBlockdevOptionsFile *o, Error **errp)
{
    if (o->pr_manager) {
        error_setg(errp, "pr-manager is not supported");
    } else if (o->has_aio && o->aio == QAPI_BLOCKDEV_AIO_OPTIONS_NATIVE) {
        error_setg(errp, "aio=native is not supported; use io_uring or threads");
    } else if (o->has_aio_max_batch && o->aio_max_batch < 0) {
        error_setg(errp, "aio-max-batch must be at least 0, got %" PRId64, o->aio_max_batch);
    } else {
        return true;
    }
    return false;
}

/* Files on filesystems without locks are used without, unless locking=on. */
static bool check_locking(FileState *s, const QapiBlockdevOptionsFile *o, Error **errp)
{
    bool works = ofd_lock(s->lock_fd, F_OFD_GETLK, F_WRLCK, LOCK_PERM_BASE) != -EINVAL;

    s->locking = works && !(o->has_locking && o->locking == QAPI_ON_OFF_AUTO_OFF);
    if (!works && o->has_locking && o->locking == QAPI_ON_OFF_AUTO_ON) {
        error_setg(errp, "locking=on was given, but '%s' cannot be locked", s->path);
        return false;
    }
    return true;
}

static void state_free(FileState *s)
{
    if (s->lock_fd >= 0 && s->lock_fd != s->fd) {
        close(s->lock_fd);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    g_mutex_clear(&s->partial);
    g_free(s->path);
    g_free(s);
}

static FileState *state_open(BlockNode *n, const QapiBlockdevOptionsFile *o, Error **errp)
{
    FileState *s = g_new0(FileState, 1);
    int64_t size;

    g_mutex_init(&s->partial);
    s->path = g_strdup(o->filename);
    s->aio = o->has_aio ? o->aio : QAPI_BLOCKDEV_AIO_OPTIONS_THREADS;
    s->aio_max_batch = o->aio_max_batch;
    s->fd = s->lock_fd = open_path(n, s->path, errp);
    if (s->fd < 0) {
        state_free(s);
        return NULL;
    }
    size = file_size(s->fd, n, s->path, &s->is_block_device, errp);
    if (size < 0 || !check_locking(s, o, errp)
        || (s->aio == QAPI_BLOCKDEV_AIO_OPTIONS_IO_URING && !block_context_uring(block_context_get(NULL), errp))) {
        state_free(s);
        return NULL;
    }
    s->align = probe_align(s->fd, n->direct);
    n->size_bytes = (uint64_t)size;
    return s;
}

static const QapiBlockdevOptionsFile *file_options(const QapiBlockdevOptions *o)
{
    return o->driver == QAPI_BLOCKDEV_DRIVER_FILE ? &o->u.file : &o->u.host_device;
}

static bool file_open(BlockNode *n, const QapiBlockdevOptions *opts, Error **errp)
{
    const QapiBlockdevOptionsFile *o = file_options(opts);

    return check_options(n, o, errp) && (n->state = state_open(n, o, errp)) != NULL;
}

static void file_close(BlockNode *n)
{
    state_free(n->state);
}

/* --- reopening --- */

static bool file_reopen(BlockNode *n, const BlockNode *new, const QapiBlockdevOptions *opts, void **prepared, Error **errp)
{
    const QapiBlockdevOptionsFile *o = file_options(opts);
    const FileState *s = n->state;
    BlockNode as = *new;

    if (strcmp(o->filename, s->path)) {
        error_setg(errp, "Cannot change the option 'filename'");
        return false;
    }
    *prepared = check_options(n, o, errp) ? state_open(&as, o, errp) : NULL;
    return *prepared != NULL;
}

/* The locks stay with the descriptor that took them. */
static void file_reopen_commit(BlockNode *n, void *prepared)
{
    FileState *s = n->state, *p = prepared;

    SWAP(s->fd, p->fd);
    if (p->fd == s->lock_fd) {
        p->fd = -1;
    }
    p->lock_fd = -1;
    s->align = p->align;
    s->aio = p->aio;
    s->aio_max_batch = p->aio_max_batch;
    state_free(p);
}

static void file_reopen_abort(BlockNode *n, void *prepared)
{
    state_free(prepared);
}

/* --- reading and writing --- */

/* preadv or pwritev until @len is done; a file that ends early reads as zeroes. */
static int transfer(const FileState *s, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len, bool is_write)
{
    g_autofree struct iovec *left = g_memdup2(iov, niov * sizeof(*iov));
    struct iovec *v = left;
    size_t done = 0;

    while (done < len) {
        unsigned count = MIN(niov - (v - left), 1024u /* IOV_MAX */);
        ssize_t r = is_write ? pwritev(s->fd, v, (int)count, offset + done) : preadv(s->fd, v, (int)count, offset + done);

        if (r < 0 && errno == EINTR) {
            continue;
        }
        if (r < 0) {
            return -errno;
        }
        if (r == 0) {
            if (is_write) {
                return -EIO;
            }
            for (; v < left + niov; v++) {
                memset(v->iov_base, 0, v->iov_len);
            }
            return 0;
        }
        done += r;
        while (r && (size_t)r >= v->iov_len) {
            r -= v->iov_len;
            v++;
        }
        if (r) {
            v->iov_base = (uint8_t *)v->iov_base + r;
            v->iov_len -= r;
        }
    }
    return 0;
}

static bool is_aligned(const FileState *s, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    if (s->align == 1) {
        return true;
    }
    if ((offset | len) % s->align) {
        return false;
    }
    for (unsigned i = 0; i < niov; i++) {
        if (((uintptr_t)iov[i].iov_base | iov[i].iov_len) % s->align) {
            return false;
        }
    }
    return true;
}

/* Copy between @buf and the bytes @at.. of the segments. */
static void copy_segments(const struct iovec *iov, unsigned niov, size_t at, uint8_t *buf, size_t len, bool to_buf)
{
    for (unsigned i = 0; i < niov && len; i++) {
        size_t part;

        if (at >= iov[i].iov_len) {
            at -= iov[i].iov_len;
            continue;
        }
        part = MIN(iov[i].iov_len - at, len);
        memcpy(to_buf ? buf : (uint8_t *)iov[i].iov_base + at, to_buf ? (uint8_t *)iov[i].iov_base + at : buf, part);
        buf += part;
        len -= part;
        at = 0;
    }
}

/* One piece, through @buf, whose size is a multiple of the alignment. */
static int bounce_piece(FileState *s, uint64_t offset, const struct iovec *iov, unsigned niov, size_t at, size_t len,
                        uint8_t *buf, bool is_write)
{
    uint64_t start = ROUND_DOWN(offset, s->align);
    size_t whole = ROUND_UP(offset + len, s->align) - start;
    struct iovec v = { buf, whole };
    bool partial = is_write && whole != len;
    int ret = 0;

    if (partial) {
        g_mutex_lock(&s->partial);
    }
    if (partial || !is_write) {
        ret = transfer(s, start, &v, 1, whole, false);
    }
    if (!ret) {
        copy_segments(iov, niov, at, buf + (offset - start), len, is_write);
    }
    if (!ret && is_write) {
        ret = transfer(s, start, &v, 1, whole, true);
    }
    if (partial) {
        g_mutex_unlock(&s->partial);
    }
    return ret;
}

static int bounce(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len, bool is_write)
{
    FileState *s = n->state;
    void *buf;
    int ret = posix_memalign(&buf, ALIGN_MAX, BOUNCE_MAX) ? -ENOMEM : 0;

    for (size_t done = 0; done < len && !ret;) {
        size_t part = MIN(len - done, BOUNCE_MAX - (offset + done) % s->align);

        if (part < len - done) {        /* the next piece begins on a block */
            part -= (offset + done + part) % s->align;
        }
        ret = bounce_piece(s, offset + done, iov, niov, done, part, buf, is_write);
        done += part;
    }
    /* A last block beyond the end made the file longer. */
    if (!ret && is_write && !s->is_block_device && ROUND_UP(offset + len, s->align) > n->size_bytes
        && ftruncate(s->fd, (off_t)n->size_bytes)) {
        ret = -errno;
    }
    free(ret == -ENOMEM ? NULL : buf);
    return ret;
}

static int file_io(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len, bool is_write)
{
    return is_aligned(n->state, offset, iov, niov, len) ? transfer(n->state, offset, iov, niov, len, is_write)
                                                        : bounce(n, offset, iov, niov, len, is_write);
}

static int file_preadv(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return file_io(n, offset, iov, niov, len, false);
}

static int file_pwritev(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return file_io(n, offset, iov, niov, len, true);
}

static int file_flush(BlockNode *n)
{
    return fdatasync(((FileState *)n->state)->fd) ? -errno : 0;
}

static bool file_start(BlockNode *n, BlockRequest *r, uint64_t offset)
{
    FileState *s = n->state;

    if (s->aio != QAPI_BLOCKDEV_AIO_OPTIONS_IO_URING || r->kind > BLOCK_FLUSH
        || (r->kind != BLOCK_FLUSH && !is_aligned(s, offset, r->iov, r->niov, r->bytes))) {
        return false;
    }
    return block_context_start_uring(r->ctx, r, s->fd, offset, s->aio_max_batch);
}

/* --- discarding and zeroing --- */

/* A wish: where the host cannot, nothing happens. */
static int punch(FileState *s, uint64_t offset, uint64_t bytes)
{
    uint64_t range[2] = { offset, bytes };
    int rc = s->is_block_device ? ioctl(s->fd, BLKDISCARD, range)
                                : fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes);

    return rc ? -errno : 0;
}

static int file_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    FileState *s = n->state;
    int ret = punch(s, offset, bytes);

    if (ret) {
        __atomic_fetch_add(&s->discards_failed, 1, __ATOMIC_RELAXED);
    } else {
        __atomic_fetch_add(&s->discards_ok, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&s->discarded_bytes, bytes, __ATOMIC_RELAXED);
    }
    return ret == -EOPNOTSUPP || ret == -ENOTTY ? 0 : ret;
}

static int zero_by_writing(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    static const uint8_t zeroes[64 * KiB] __attribute__((aligned(ALIGN_MAX)));
    int ret = 0;

    while (bytes && !ret) {
        size_t part = MIN(bytes, sizeof(zeroes));
        struct iovec iov = { (void *)zeroes, part };

        ret = file_io(n, offset, &iov, 1, part, true);
        offset += part;
        bytes -= part;
    }
    return ret;
}

/* By the cheapest way that the host has: a hole where one is wanted, then the filesystem's own zeroing, then writing. */
static int file_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, bool may_unmap)
{
    FileState *s = n->state;
    uint64_t range[2] = { offset, bytes };

    if (s->is_block_device) {
        if (!((offset | bytes) % 512) && !ioctl(s->fd, BLKZEROOUT, range)) {
            return 0;
        }
    } else if ((may_unmap && !punch(s, offset, bytes))
               || !fallocate(s->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes)) {
        return 0;
    }
    return zero_by_writing(n, offset, bytes);
}

/* --- the rest --- */

static bool file_resize(BlockNode *n, uint64_t size_bytes, Error **errp)
{
    FileState *s = n->state;

    if (s->is_block_device) {
        error_setg(errp, "Cannot resize block device '%s'", s->path);
        return false;
    }
    if (ftruncate(s->fd, (off_t)size_bytes)) {
        error_setg_errno(errp, errno, "Failed to resize '%s' to %" PRIu64 " bytes", s->path, size_bytes);
        return false;
    }
    n->size_bytes = size_bytes;
    block_uses_resized(n);
    return true;
}

static bool file_remeasure(BlockNode *n, Error **errp)
{
    FileState *s = n->state;
    int64_t size = file_size(s->fd, n, s->path, &s->is_block_device, errp);

    if (size < 0) {
        return false;
    }
    if ((uint64_t)size != n->size_bytes) {
        n->size_bytes = (uint64_t)size;
        block_uses_resized(n);
    }
    return true;
}

static int64_t file_actual_size(const BlockNode *n)
{
    struct stat st;

    return fstat(((const FileState *)n->state)->fd, &st) ? 0 : st.st_blocks * 512;
}

static char *file_filename(const BlockNode *n, Value *json)
{
    const FileState *s = n->state;

    value_dict_set_str(json, "filename", s->path);
    return g_strdup(s->path);
}

static void file_stats(const BlockNode *n, QapiBlockStats *stats)
{
    const FileState *s = n->state;
    QapiBlockStatsSpecificFile *f;

    stats->driver_specific = g_new0(QapiBlockStatsSpecific, 1);
    stats->driver_specific->driver = n->drv->id;
    f = n->drv->id == QAPI_BLOCKDEV_DRIVER_FILE ? &stats->driver_specific->u.file : &stats->driver_specific->u.host_device;
    f->discard_nb_ok = __atomic_load_n(&s->discards_ok, __ATOMIC_RELAXED);
    f->discard_nb_failed = __atomic_load_n(&s->discards_failed, __ATOMIC_RELAXED);
    f->discard_bytes_ok = __atomic_load_n(&s->discarded_bytes, __ATOMIC_RELAXED);
}

#define FILE_CALLBACKS                                                                        \
    .open = file_open, .close = file_close, .preadv = file_preadv, .pwritev = file_pwritev,   \
    .flush = file_flush, .discard = file_discard, .write_zeroes = file_write_zeroes, .resize = file_resize, .remeasure = file_remeasure, \
    .start = file_start, .set_perms = file_set_perms, .reopen = file_reopen, .reopen_commit = file_reopen_commit, \
    .reopen_abort = file_reopen_abort, .actual_size = file_actual_size, .has_dirty_flag = true, \
    .filename = file_filename, .stats = file_stats

const BlockDriver block_driver_file = {
    .name = "file", .id = QAPI_BLOCKDEV_DRIVER_FILE, FILE_CALLBACKS,
};

const BlockDriver block_driver_host_device = {
    .name = "host_device", .id = QAPI_BLOCKDEV_DRIVER_HOST_DEVICE, FILE_CALLBACKS,
};
