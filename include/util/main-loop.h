/*
 * The main loop (a glib loop on the main thread) and the big lock.
 *
 * The big lock (BQL) protects every device, timer and monitor.  The main thread holds it except
 * while it sleeps; a vCPU thread takes it for MMIO, port I/O and interrupt acceptance.
 * Lock order: bql before every other lock, except that the code-cache lock is never held
 * while bql is taken.
 */
#ifndef UTIL_MAIN_LOOP_H
#define UTIL_MAIN_LOOP_H

#include "util/lock-stats.h"

void bql_lock(void);
void bql_unlock(void);
bool bql_locked(void);          /* by the calling thread */
/* From now on the calling thread's bql_lock() is counted in @s, which it owns; NULL: no more. */
void bql_count_waits(LockStats *s);
/* Sleep on @cond, giving the lock up meanwhile. */
void bql_cond_wait(GCond *cond);

/* Sets up the default GMainContext so that it drops the BQL while polling.  Main thread, once. */
void main_loop_init(void);
/* Run one iteration, sleeping if nothing is due and @block.  Runs fds, timers, bottom halves. */
void main_loop_step(bool block);
/* Wake a sleeping main loop.  Any thread, signal-safe. */
void main_loop_wake(void);

/* A callback to be run once, soon, on the main loop, BQL held.  Scheduling twice runs it once. */
typedef struct BottomHalf BottomHalf;
typedef void BottomHalfFn(void *opaque);
BottomHalf *bh_new(BottomHalfFn *fn, void *opaque);
void bh_schedule(BottomHalf *bh);   /* any thread */
void bh_cancel(BottomHalf *bh);
void bh_free(BottomHalf *bh);
/* A one-shot: freed after it ran. */
void bh_schedule_once(BottomHalfFn *fn, void *opaque);

/*
 * Watch @fd: @on_read/@on_write run on the main loop, BQL held, while the fd is ready; NULL = not
 * watched.  Setting both to NULL removes the watch.  One watch per fd.
 */
typedef void FdHandler(void *opaque);
void main_loop_set_fd(int fd, FdHandler *on_read, FdHandler *on_write, void *opaque);

/*
 * For libraries that watch fds of their own: before each sleep @fill appends to @fds (of GPollFD) and may
 * lower *@timeout_ns (-1 = for ever); after it @done reads the revents.  Main thread, BQL held.
 */
typedef struct MainLoopHook {
    void (*fill)(void *opaque, GArray *fds, int64_t *timeout_ns);
    void (*done)(void *opaque, const GArray *fds);
    void *opaque;
} MainLoopHook;
/* @hook is borrowed until removed. */
void main_loop_hook_add(MainLoopHook *hook);
void main_loop_hook_remove(MainLoopHook *hook);

#endif
