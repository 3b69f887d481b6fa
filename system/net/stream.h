/* What stream.c does for the old spellings in socket.c, too. */
#ifndef SYSTEM_NET_STREAM_H
#define SYSTEM_NET_STREAM_H

#include "system/net/internal.h"
#include "system/net/sockaddr.h"

typedef struct NetStreamParams {
    QapiSocketAddress *addr;    /* copied */
    bool server;
    bool wait;                  /* clients: connect before going on, fail if that fails */
    bool has_fd;                /* clients: taken over instead of what @addr says */
    int fd;
    bool events;                /* tell of connections in QMP; and the model is "stream" */
    int64_t reconnect_ns;       /* 0 = never */
} NetStreamParams;

bool net_stream_open(const char *id, const NetStreamParams *params, Error **errp) MUST_USE;

/* dgram.c: @fd, taken over; frames go to @remote (NULL: the socket is connected). */
void net_dgram_new(const char *id, const NetClientInfo *info, int fd, const SockAddr *remote, const char *about);
extern const NetClientInfo net_dgram_socket_info;
/* A socket that has joined the group @group; @local NULL = the kernel's choice of interface. */
int net_dgram_join(const SockAddr *group, const SockAddr *local, Error **errp);
/* A datagram socket bound to @local. */
int net_dgram_bind(const SockAddr *local, Error **errp);

#endif
