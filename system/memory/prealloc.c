/*
 * Preallocation: every page of a range made present and writable now, so that memory that is not there is
 * found out now and not by a guest's access.
 */
#include "system/hostmem.h"

#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23      /* Linux 5.14 */
#endif

#define THREADS_MAX 64              /* more do not make a kernel zero pages faster */

typedef struct Part {
    uint8_t *start;
    uint64_t len;
    int error;                      /* errno, 0 = done */
} Part;

static gpointer populate(gpointer opaque)
{
    Part *p = opaque;

    while (madvise(p->start, p->len, MADV_POPULATE_WRITE)) {
        if (errno != EINTR && errno != EAGAIN) {
            p->error = errno;
            break;
        }
    }
    return NULL;
}

/* Cut [@host, +@len) into @n parts of whole @page_size pages; the last takes what is left.  Returns how many. */
static unsigned cut(Part *parts, unsigned n, uint8_t *host, uint64_t len, uint64_t page_size)
{
    uint64_t each = ROUND_UP(DIV_ROUND_UP(len, n), page_size);
    unsigned used = 0;

    for (uint64_t at = 0; at < len; at += each) {
        parts[used++] = (Part){ host + at, MIN(each, len - at), 0 };
    }
    return used;
}

bool memory_prealloc(void *host, uint64_t len, uint64_t page_size, unsigned threads, Error **errp)
{
    Part parts[THREADS_MAX];
    GThread *thread[THREADS_MAX] = { NULL };
    unsigned n = cut(parts, MAX(1, MIN(threads, THREADS_MAX)), host, len, MAX(page_size, (uint64_t)getpagesize()));
    int error = 0;

    for (unsigned i = 1; i < n; i++) {
        thread[i] = g_thread_try_new("prealloc", populate, &parts[i], NULL);
        if (!thread[i]) {
            populate(&parts[i]);
        }
    }
    populate(&parts[0]);
    for (unsigned i = 0; i < n; i++) {
        if (thread[i]) {
            g_thread_join(thread[i]);
        }
        error = error ? error : parts[i].error;
    }
    if (error == EFAULT && page_size > (uint64_t)getpagesize()) {
        error_setg(errp, "cannot preallocate %" PRIu64 " bytes of memory: not that many huge pages of %" PRIu64 " KiB are free", len,
                   (uint64_t)(page_size / KiB));
    } else if (error) {
        error_setg_errno(errp, error, "cannot preallocate %" PRIu64 " bytes of memory", len);
    }
    return !error;
}
