/*
 * Where a dump's bytes go: plain files, pipes, and makedumpfile's flattened form for pipes.
 *
 * Flattened (makedumpfile's README, "flattened format"): a header block, then records of a
 * big-endian offset and size before each piece, ended by a record of -1, -1.
 */
#include "dump-internal.h"

#include <errno.h>
#include <unistd.h>

#define FLAT_HEADER_SIZE 4096

typedef struct FlatHeader {
    char signature[16];         /* "makedumpfile" */
    uint64_t type, version;     /* both 1, big-endian */
} FlatHeader;

typedef struct FlatRecord {
    uint64_t offset, size;      /* big-endian; both -1: the end */
} FlatRecord;

static bool write_all(DumpSink *s, const void *data, size_t size, Error **errp)
{
    const uint8_t *p = data;

    while (size) {
        ssize_t n = write(s->fd, p, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            error_setg_errno(errp, errno, "cannot write %zu bytes of the dump", size);
            return false;
        }
        p += n;
        size -= n;
        s->at += n;
    }
    return true;
}

/* A gap of a sequential file is written as zeros. */
static bool skip_to(DumpSink *s, uint64_t offset, Error **errp)
{
    static const uint8_t zeros[4096];

    if (s->at != offset && lseek(s->fd, (off_t)offset, SEEK_SET) == (off_t)offset) {
        s->at = offset;
    }
    assert(s->at <= offset);
    while (s->at < offset) {
        if (!write_all(s, zeros, MIN(sizeof(zeros), offset - s->at), errp)) {
            return false;
        }
    }
    return true;
}

bool dump_sink_write(DumpSink *s, uint64_t offset, const void *data, size_t size, Error **errp)
{
    FlatRecord r = { GUINT64_TO_BE(offset), GUINT64_TO_BE(size) };

    if (!size) {
        return true;
    }
    if (!s->flattened) {
        return skip_to(s, offset, errp) && write_all(s, data, size, errp);
    }
    return write_all(s, &r, sizeof(r), errp) && write_all(s, data, size, errp);
}

bool dump_sink_begin_flattened(DumpSink *s, Error **errp)
{
    const FlatHeader head = { "makedumpfile", GUINT64_TO_BE(1), GUINT64_TO_BE(1) };
    uint8_t block[FLAT_HEADER_SIZE] = { 0 };

    s->flattened = true;
    memcpy(block, &head, sizeof(head));
    return write_all(s, block, sizeof(block), errp);
}

bool dump_sink_end_flattened(DumpSink *s, Error **errp)
{
    static const FlatRecord end = { UINT64_MAX, UINT64_MAX };

    return write_all(s, &end, sizeof(end), errp);
}

bool dump_sink_close(DumpSink *s, Error **errp)
{
    int fd = s->fd;

    s->fd = -1;
    if (close(fd) < 0) {
        error_setg_errno(errp, errno, "cannot close the dump");
        return false;
    }
    return true;
}
