/*
 * Sockets of the host by what options say of them: resolving, listening, connecting.
 */
#ifndef UTIL_SOCKET_H
#define UTIL_SOCKET_H

#include "util/error.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct SockAddr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    };
    socklen_t len;
} SockAddr;

/* Where a socket is, in an option's words; borrowed. */
typedef struct SocketPlace {
    const char *path;               /* unix socket; NULL = inet */
    bool abstract;                  /* in Linux' abstract name space instead of the file system */
    bool loose;                     /* an abstract name that is filled up with NULs */
    const char *host, *port;        /* numbers or names; NULL or "" = any host (to listen), this one (to connect) */
    unsigned to;                    /* to listen: try ports up to this one; 0 = no more than @port */
    bool has_ipv4, ipv4, has_ipv6, ipv6;
} SocketPlace;

/* "PATH", "HOST:PORT"; owned. */
char *socket_place_text(const SocketPlace *p);
/* All addresses, in the resolver's order: of SockAddr, one at least.  NULL and @errp.  May wait for a name server. */
GArray *socket_resolve(const SocketPlace *p, int type, bool passive, Error **errp);

/* The file of a unix socket that listens; all zero = none. */
typedef struct SocketFile {
    char *path;
    dev_t dev;
    ino_t ino;
} SocketFile;

/*
 * A stream socket that listens, blocking; -1 and @errp.  A socket that was left over at the same path is replaced, any
 * other file is not.  @file is set to what socket_file_remove() is to be called for, at the end.
 */
int socket_listen(const SocketPlace *p, SocketFile *file, Error **errp);
/* Remove the file unless another has taken its place. */
void socket_file_remove(SocketFile *file);
/* A stream socket; -1 and @errp.  Unless @wait it does not block, and may still be connecting: writable when it is decided. */
int socket_connect(const SocketPlace *p, bool wait, Error **errp);
/* Before binding: a socket left over at @path goes, anything else stays. */
void socket_unlink_stale(const char *path);

#endif
