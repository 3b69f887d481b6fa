/*
 * Between the network's files.
 */
#ifndef SYSTEM_NET_INTERNAL_H
#define SYSTEM_NET_INTERNAL_H

#include "config-host.h"
#include "system/net.h"

/* A kind of back end: makes the clients of one -netdev, or none and @errp. */
typedef struct NetBackend {
    const char *name, *help;
    bool (*open)(const QapiNetdev *opts, Error **errp);
} NetBackend;

extern const NetBackend net_dgram_backend, net_hub_backend, net_socket_backend, net_stream_backend, net_tap_backend;
#ifdef CONFIG_SLIRP
extern const NetBackend net_user_backend;
#endif

/* netdev.c: ids that a user cannot give; the link as seen from @nc. */
bool netdev_add_internal(const Value *dict, Error **errp) MUST_USE;
void net_set_link(NetClient *nc, bool up);

/* hub.c */
NetClient *hub_add_port(int32_t hub_id, const char *name, NetClient *peer);
bool net_client_is_hub_port(const NetClient *nc, int32_t *hub_id);

#endif
