/*
 * A pool of threads for blocking calls: grows on demand, shrinks when idle.
 */
#ifndef UTIL_THREAD_POOL_H
#define UTIL_THREAD_POOL_H

#include "util/base.h"

#define THREAD_POOL_MAX_DEFAULT 64

typedef struct ThreadPool ThreadPool;
typedef void ThreadPoolFn(void *job);

/* @fn runs each job on some thread, several at once, in no order. */
ThreadPool *thread_pool_new(ThreadPoolFn *fn);
/* Runs what is queued, then ends the threads.  Not from a job. */
void thread_pool_free(ThreadPool *p);
/* Keep @min threads though idle, run at most @max (at least 1) at once; from now on.  Any thread. */
void thread_pool_set_limits(ThreadPool *p, unsigned min, unsigned max);
/* Any thread. */
void thread_pool_push(ThreadPool *p, void *job);

#endif
