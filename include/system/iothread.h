/*
 * Threads for I/O ("-object iothread"): each an event loop of its own, beside the main loop.
 *
 * What runs there runs without the BQL and takes it for whatever the BQL protects.
 */
#ifndef SYSTEM_IOTHREAD_H
#define SYSTEM_IOTHREAD_H

#include "util/qom/object.h"
#include "util/thread-pool.h"

OBJECT_DECLARE(IOThread, IOTHREAD, iothread)

typedef void IOThreadFn(void *opaque);

/* Something to be run soon, once, on a thread; embedded in what it is about. */
typedef struct IOThreadWork {
    IOThreadFn *fn;
    void *opaque;
    /* private to iothread.c */
    bool queued;
    struct IOThreadWork *next;
} IOThreadWork;

void iothread_work_init(IOThreadWork *w, IOThreadFn *fn, void *opaque);
/* Queue @w, if it is not queued already.  Any thread. */
void iothread_run(IOThread *t, IOThreadWork *w);
/* Take @w back; when this returns it is not queued (it may be running).  Any thread. */
void iothread_cancel(IOThread *t, IOThreadWork *w);
/* Call @fn on the thread whenever @fd is readable; NULL = no more.  Any thread. */
void iothread_watch_fd(IOThread *t, int fd, IOThreadFn *fn, void *opaque);
/* Is it the calling thread? */
bool iothread_is_self(const IOThread *t);

/* Requests that may be collected before they are handed to the kernel; 0 = the back end's own measure. */
int64_t iothread_aio_max_batch(const IOThread *t);
/* Threads for blocking calls that belong to this one; @min and @max are kept up to date. */
void iothread_attach_pool(IOThread *t, ThreadPool *pool);
void iothread_detach_pool(IOThread *t);
/* What the block layer keeps with a thread; @destroy runs after the thread's end. */
void *iothread_data(const IOThread *t);
void iothread_set_data(IOThread *t, void *data, void (*destroy)(void *data));
/* NULL if there is none of this id. */
IOThread *iothread_find(const char *id);

#endif
