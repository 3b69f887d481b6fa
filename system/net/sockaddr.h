/*
 * Socket addresses of the schema, for back ends that are sockets.
 */
#ifndef SYSTEM_NET_SOCKADDR_H
#define SYSTEM_NET_SOCKADDR_H

#include "qapi/qapi-types.h"
#include "util/socket.h"


/* The first address of @addr (inet or unix) for sockets of @type. */
bool net_sockaddr_resolve(const QapiSocketAddress *addr, int type, bool passive, SockAddr *a, Error **errp) MUST_USE;
bool net_sockaddr_is_multicast(const SockAddr *a);
/* Owned. */
QapiSocketAddress *net_socket_address(const SockAddr *a);
char *net_socket_address_text(const QapiSocketAddress *addr);
/* "HOST:PORT", "[v6]:PORT"; a host may be left out if @passive. */
QapiSocketAddress *net_socket_parse_host_port(const char *text, bool passive, Error **errp);

/* Descriptors; -1 and @errp. */
/* One that was given to us: a socket of @type (0: of streams or of datagrams), which listens or does not. */
int net_socket_from_fd(const char *text, int type, bool listening, Error **errp);
int net_socket_type(int fd);                /* SOCK_*; -1 if it is no socket */
int net_socket_listen(const QapiSocketAddress *addr, SocketFile *file, Error **errp);
/* Unless @wait the connection may still be on its way: writable when it is decided. */
int net_socket_connect(const QapiSocketAddress *addr, bool wait, Error **errp);
/* Not blocking, closed in children, no delay. */
void net_socket_prepare(int fd);

#endif
