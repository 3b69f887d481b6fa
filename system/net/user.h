/* Between user.c and user-fwd.c. */
#ifndef SYSTEM_NET_USER_H
#define SYSTEM_NET_USER_H

#include "system/net/coalesce.h"
#include "system/net/internal.h"
#include "util/account.h"
#include "util/main-loop.h"

#include <slirp/libslirp.h>

typedef struct NetUser {
    NetClient nc;
    Slirp *slirp;
    MainLoopHook hook;
    NetCoalesce to_guest;
    MemoryAccount account;
    bool told;                  /* that connections are refused for want of memory */
    bool filled;                /* libslirp was asked for its fds in this step of the loop */
    GPtrArray *guestfwds;       /* of GuestFwd *; NULL = none */
} NetUser;

/* user-account.c: memory of connections is counted, and asked for when the guest opens one. */
void net_user_account_open(NetUser *u);
void net_user_account_close(NetUser *u);
/* May this frame of the guest's go on?  False for one that begins a connection for which there is no memory. */
bool net_user_may_pass(NetUser *u, const uint8_t *frame, size_t len);

/* NULL if @nc is no such client. */
NetUser *net_user_from(NetClient *nc);

bool net_user_hostfwd_add(NetUser *u, const char *rule, Error **errp) MUST_USE;
/* [tcp|udp]:[HOSTADDR]:HOSTPORT */
bool net_user_hostfwd_remove(NetUser *u, const char *rule, Error **errp) MUST_USE;
bool net_user_guestfwd_add(NetUser *u, const char *rule, Error **errp) MUST_USE;
void net_user_guestfwd_free(NetUser *u);
/* The guest has read: character devices may go on. */
void net_user_guestfwd_accept(NetUser *u);

#endif
