/*
 * blockdev-create: a job that makes an image.
 *
 * Driver "file": the file is opened, locked and checked when the job starts, then brought to its size on a thread, as
 * writing all of it may take long.  A file that was made for a job that fails stays, as a manager expects who named it.
 */
#include "block-internal.h"
#include "qapi/qapi-commands.h"
#include "system/job.h"
#include "util/fdset.h"
#include "util/main-loop.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FILL_CHUNK (1 * MiB)

typedef struct CreateJob {
    Job job;
    QapiBlockdevCreateOptions *options; /* owned */
    int fd;                             /* -1 = not open */
    Error *err;                         /* of the thread */
} CreateJob;

static void create_free(Job *job)
{
    CreateJob *c = container_of(job, CreateJob, job);

    qapi_free_blockdev_create_options(c->options);
    if (c->fd >= 0) {
        close(c->fd);
    }
}

/* --- file --- */

/* Wishes: file systems that have no such attribute take none. */
static void set_attributes(const CreateJob *c, const QapiBlockdevCreateOptionsFile *o)
{
    struct fsxattr x;
    int flags;

    if (o->has_nocow && o->nocow && ioctl(c->fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_NOCOW_FL;
        (void)!ioctl(c->fd, FS_IOC_SETFLAGS, &flags);
    }
    if (o->has_extent_size_hint && o->extent_size_hint && ioctl(c->fd, FS_IOC_FSGETXATTR, &x) == 0) {
        x.fsx_xflags |= FS_XFLAG_EXTSIZE;
        x.fsx_extsize = (uint32_t)o->extent_size_hint;
        (void)!ioctl(c->fd, FS_IOC_FSSETXATTR, &x);
    }
}

static bool check(const QapiBlockdevCreateOptionsFile *o, Error **errp)
{
    if (o->has_preallocation && o->preallocation == QAPI_PREALLOC_MODE_METADATA) {
        error_setg(errp, "Unsupported preallocation mode: metadata");
        return false;
    }
    if (o->size > INT64_MAX) {
        error_setg(errp, "size must be at most %" PRId64 " bytes, got %" PRIu64, INT64_MAX, o->size);
        return false;
    }
    if (o->has_extent_size_hint && o->extent_size_hint > UINT32_MAX) {
        error_setg(errp, "extent-size-hint must be at most 4294967295 bytes, got %" PRIu64, o->extent_size_hint);
        return false;
    }
    return true;
}

static bool open_and_lock(CreateJob *c, Error **errp)
{
    const QapiBlockdevCreateOptionsFile *o = &c->options->u.file;

    c->fd = fdset_open(o->filename, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
    if (c->fd < 0) {
        error_setg_errno(errp, errno, "Could not create '%s'", o->filename);
        return false;
    }
    /* Whoever uses it as it is must allow that its size changes. */
    return block_file_lock(c->fd, o->filename, PERM_WRITE | PERM_RESIZE, PERM_RESIZE, errp);
}

static bool fill(const CreateJob *c, const QapiBlockdevCreateOptionsFile *o, Error **errp)
{
    g_autofree uint8_t *zeros = g_malloc0(FILL_CHUNK);

    for (uint64_t at = 0; at < o->size;) {
        ssize_t n = pwrite(c->fd, zeros, MIN(o->size - at, FILL_CHUNK), (off_t)at);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            error_setg_errno(errp, n < 0 ? errno : EIO, "Could not write zeros for preallocation");
            return false;
        }
        if (job_is_cancelled(&c->job)) {
            return true;
        }
        at += (uint64_t)n;
    }
    if (fsync(c->fd)) {
        error_setg_errno(errp, errno, "Could not flush file to disk");
        return false;
    }
    return true;
}

static bool allocate(const CreateJob *c, const QapiBlockdevCreateOptionsFile *o, Error **errp)
{
    int ret;

    switch (o->has_preallocation ? o->preallocation : QAPI_PREALLOC_MODE_OFF) {
    case QAPI_PREALLOC_MODE_FALLOC:
        ret = o->size ? posix_fallocate(c->fd, 0, (off_t)o->size) : 0;
        if (ret) {
            error_setg_errno(errp, ret, "Could not preallocate data for the new file");
        }
        return ret == 0;
    case QAPI_PREALLOC_MODE_FULL:
        return fill(c, o, errp);
    default:
        return true;
    }
}

static void create_done(void *opaque)
{
    CreateJob *c = opaque;

    job_progress(&c->job, 1, 1);
    job_finish(&c->job, g_steal_pointer(&c->err));
}

static void *create_thread(void *opaque)
{
    CreateJob *c = opaque;
    const QapiBlockdevCreateOptionsFile *o = &c->options->u.file;

    if (ftruncate(c->fd, 0) || ftruncate(c->fd, (off_t)o->size)) {
        error_setg_errno(&c->err, errno, "Could not resize file");
    } else {
        set_attributes(c, o);
        allocate(c, o, &c->err);
    }
    bh_schedule_once(create_done, c);
    return NULL;
}

static void create_start(Job *job)
{
    CreateJob *c = container_of(job, CreateJob, job);

    job_progress(job, 0, 1);
    if (!check(&c->options->u.file, &c->err) || !open_and_lock(c, &c->err)) {
        create_done(c);
        return;
    }
    g_thread_unref(g_thread_new("blockdev-create", create_thread, c));
}

static const JobDriver create_driver = {
    .type = QAPI_JOB_TYPE_CREATE, .instance_size = sizeof(CreateJob), .start = create_start, .free = create_free,
};

/* --- the command --- */

bool qmp_blockdev_create(const QapiBlockdevCreateArgs *args, Error **errp)
{
    Job *job;
    CreateJob *c;

    if (args->options->driver != QAPI_BLOCKDEV_DRIVER_FILE) {
        error_setg(errp, "Driver does not support blockdev-create");
        return false;
    }
    job = job_new(&create_driver, args->job_id, JOB_MANUAL_DISMISS, errp);
    if (!job) {
        return false;
    }
    c = container_of(job, CreateJob, job);
    c->fd = -1;
    c->options = qapi_clone(&qapi_type_BlockdevCreateOptions, args->options);
    job_start(job);
    return true;
}
