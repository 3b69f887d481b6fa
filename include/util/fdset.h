/*
 * Descriptors that came from outside: sets that paths /dev/fdset/N stand for, and named ones.
 *
 * A set (-add-fd, add-fd) holds descriptors of one file in different access modes; opening its path
 * gives a duplicate of the one whose mode fits.  A named descriptor (getfd) is taken once, by whoever
 * is told its name.  BQL held.
 */
#ifndef UTIL_FDSET_H
#define UTIL_FDSET_H

#include "util/error.h"

/*
 * As open(2), close-on-exec; "/dev/fdset/N" is looked up instead of opened.  -1 and errno: ENOENT if there
 * is no such set, EACCES if none of its descriptors has the access mode of @flags.
 */
int fdset_open(const char *path, int flags, mode_t mode);

/* Add @fd (owned from now on, also on failure) to set @id, or to a new one if @id is -1.  The set's id, or -1. */
int64_t fdset_add(int64_t id, int fd, const char *opaque, Error **errp);
/* Close the set's *@fd, or all of them if @fd is NULL; a set without descriptors is gone. */
bool fdset_remove(int64_t id, const int64_t *fd, Error **errp) MUST_USE;
/* By set, then by descriptor; @opaque_text is NULL if none was given. */
void fdset_foreach(void (*fn)(int64_t id, int fd, const char *opaque_text, void *opaque), void *opaque);

/* Name @fd (owned from now on); an older descriptor of this name is closed. */
void named_fd_put(const char *name, int fd);
/* The descriptor of this name, from now on the caller's; -1 and @errp if there is none. */
int named_fd_take(const char *name, Error **errp);
bool named_fd_close(const char *name, Error **errp) MUST_USE;
/* A number (an inherited descriptor) or a name: as named_fd_take(). */
int fd_from_text(const char *text, Error **errp);

#endif
