/*
 * "thread-context": a thread of chosen CPU affinity from which work, and the threads it starts, inherit it.
 */
#ifndef UTIL_THREAD_CONTEXT_H
#define UTIL_THREAD_CONTEXT_H

#include "util/qom/object.h"

OBJECT_DECLARE(ThreadContext, THREAD_CONTEXT, thread_context)

/* Run @fn(@opaque) in the context's thread and wait for it.  Main thread. */
void thread_context_run(ThreadContext *tc, void (*fn)(void *opaque), void *opaque);

#endif
