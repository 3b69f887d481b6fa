/*
 * Block driver "file": a regular file or block device of the host.
 *
 * Image locking is compatible with QEMU's: for each permission p in use a shared lock on byte
 * 100 + p, for each permission denied to others one on byte 200 + p; a conflict shows as somebody
 * else's lock on the opposite byte.
 */
#include "block-internal.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct FileState {
    int fd;
    bool is_block_device;
} FileState;

enum { PERM_CONSISTENT_READ = 0, PERM_WRITE = 1, PERM_RESIZE = 3 };
enum { LOCK_PERM_BASE = 100, LOCK_SHARED_BASE = 200 };

static int ofd_lock(int fd, int cmd, int type, off_t byte)
{
    struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    if (fcntl(fd, cmd, &fl)) {
        return -errno;
    }
    return cmd == F_OFD_GETLK && fl.l_type != F_UNLCK ? -EAGAIN : 0;
}

/* Filesystems without locks are used without. */
static bool lock_image(int fd, bool writable, const char *path, Error **errp)
{
    static const struct { int perm; const char *name; } used[] = {
        { PERM_CONSISTENT_READ, "consistent read" }, { PERM_WRITE, "write" },
    };
    static const int denied[] = { PERM_WRITE, PERM_RESIZE };

    for (int i = 0; i < (writable ? 2 : 1); i++) {
        if (ofd_lock(fd, F_OFD_SETLK, F_RDLCK, LOCK_PERM_BASE + used[i].perm) == -EINVAL) {
            return true;
        }
        if (ofd_lock(fd, F_OFD_GETLK, F_WRLCK, LOCK_SHARED_BASE + used[i].perm) == -EAGAIN) {
            error_setg(errp, "failed to get \"%s\" lock on '%s': is another process using the image?", used[i].name, path);
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
        ofd_lock(fd, F_OFD_SETLK, F_RDLCK, LOCK_SHARED_BASE + denied[i]);
        if (ofd_lock(fd, F_OFD_GETLK, F_WRLCK, LOCK_PERM_BASE + denied[i]) == -EAGAIN) {
            error_setg(errp, "failed to get shared \"%s\" lock on '%s': is another process using the image?", "write", path);
            return false;
        }
    }
    return true;
}

/* Size in bytes, -1 and @errp if it is neither file nor block device. */
static int64_t file_size(int fd, const char *path, bool *is_block_device, Error **errp)
{
    struct stat st;
    uint64_t size;

    if (fstat(fd, &st)) {
        error_setg_errno(errp, errno, "cannot stat '%s'", path);
        return -1;
    }
    *is_block_device = S_ISBLK(st.st_mode);
    if (S_ISREG(st.st_mode)) {
        return st.st_size;
    }
    if (*is_block_device && !ioctl(fd, BLKGETSIZE64, &size)) {
        return size;
    }
    error_setg(errp, "'%s' is neither a regular file nor a block device", path);
    return -1;
}

static const char *const file_options[] = { "filename", "locking", "aio", NULL };

/* auto-read-only: open read-only where writing is not permitted. */
static int open_file(BlockNode *n, const Value *opts, const char *path, Error **errp)
{
    int flags = O_CLOEXEC | O_NONBLOCK, fd;

    fd = open(path, flags | (n->read_only ? O_RDONLY : O_RDWR));
    if (fd < 0 && !n->read_only && (errno == EACCES || errno == EROFS) && value_dict_get(opts, "auto-read-only")) {
        fd = open(path, flags | O_RDONLY);
        n->read_only = fd >= 0;
    }
    if (fd < 0) {
        error_setg_errno(errp, errno, "could not open '%s'", path);
    }
    return fd;
}

static bool file_open(BlockNode *n, const Value *opts, Error **errp)
{
    const char *path = value_dict_get_str(opts, "filename"), *locking = value_dict_get_str(opts, "locking");
    const char *aio = value_dict_get_str(opts, "aio");
    FileState *s;
    int64_t size;
    bool is_block;
    int fd;

    if (!path) {
        error_setg(errp, "block driver 'file' needs the option 'filename'");
        return false;
    }
    if (aio && strcmp(aio, "threads")) {
        error_setg(errp, "block option 'aio' must be threads, got '%s'", aio);
        return false;
    }
    fd = open_file(n, opts, path, errp);
    if (fd < 0) {
        return false;
    }
    size = file_size(fd, path, &is_block, errp);
    if (size < 0 || (!(locking && !strcmp(locking, "off")) && !lock_image(fd, !n->read_only, path, errp))) {
        close(fd);
        return false;
    }
    s = g_new0(FileState, 1);
    s->fd = fd;
    s->is_block_device = is_block;
    n->state = s;
    n->size_bytes = size;
    n->filename = g_strdup(path);
    return true;
}

static void file_close(BlockNode *n)
{
    FileState *s = n->state;

    close(s->fd);
    g_free(s);
}

/* preadv or pwritev until @len is done; a file that ends early reads as zeroes. */
static int transfer(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len, bool is_write)
{
    FileState *s = n->state;
    g_autofree struct iovec *left = g_memdup2(iov, niov * sizeof(*iov));
    struct iovec *v = left;
    size_t done = 0;

    while (done < len) {
        unsigned count = MIN(niov - (v - left), 1024u /* IOV_MAX */);
        ssize_t r = is_write ? pwritev(s->fd, v, count, offset + done) : preadv(s->fd, v, count, offset + done);

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

static int file_preadv(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return transfer(n, offset, iov, niov, len, false);
}

static int file_pwritev(BlockNode *n, uint64_t offset, const struct iovec *iov, unsigned niov, size_t len)
{
    return transfer(n, offset, iov, niov, len, true);
}

static int file_flush(BlockNode *n)
{
    return fdatasync(((FileState *)n->state)->fd) ? -errno : 0;
}

static int file_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    FileState *s = n->state;
    uint64_t range[2] = { offset, bytes };

    if (s->is_block_device) {
        return ioctl(s->fd, BLKDISCARD, range) && errno != EOPNOTSUPP ? -errno : 0;
    }
    /* Discarding is a wish: filesystems that cannot are fine. */
    return fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes) && errno != EOPNOTSUPP ? -errno : 0;
}

static int zero_by_writing(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    static const uint8_t zeroes[64 * KiB];
    int ret = 0;

    while (bytes && !ret) {
        size_t part = MIN(bytes, sizeof(zeroes));
        struct iovec iov = { (void *)zeroes, part };

        ret = transfer(n, offset, &iov, 1, part, true);
        offset += part;
        bytes -= part;
    }
    return ret;
}

static int file_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, bool may_unmap)
{
    FileState *s = n->state;

    if (may_unmap && !s->is_block_device
        && !fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes)) {
        return 0;
    }
    return zero_by_writing(n, offset, bytes);
}

static bool file_resize(BlockNode *n, uint64_t size_bytes, Error **errp)
{
    FileState *s = n->state;

    if (s->is_block_device || ftruncate(s->fd, size_bytes)) {
        error_setg_errno(errp, s->is_block_device ? ENOTSUP : errno, "cannot resize '%s' to %" PRIu64 " bytes", n->filename, size_bytes);
        return false;
    }
    n->size_bytes = size_bytes;
    return true;
}

const BlockDriver block_driver_file = {
    .name = "file", .options = file_options, .open = file_open, .close = file_close,
    .preadv = file_preadv, .pwritev = file_pwritev, .flush = file_flush, .discard = file_discard,
    .write_zeroes = file_write_zeroes, .resize = file_resize,
};
