/*
 * The vhost-user protocol: one connection to a back end (QEMU docs/interop/vhost-user.rst; "spec" below).
 *
 * Requests are made and answered in turn, each within the time limit, the caller waiting.  A connection over which
 * something is said that does not fit is closed and stays so.
 *
 * Locks: BQL.
 */
#ifndef HW_VIRTIO_VHOST_USER_H
#define HW_VIRTIO_VHOST_USER_H

#include "system/chardev.h"

#define VHOST_USER_CONFIG_MAX   256     /* bytes of configuration in a message (spec: virtio's own limit) */
#define VHOST_USER_SLOTS_BASE   8       /* what a back end takes that does not tell */
#define VHOST_USER_SLOTS_MAX    512

/* Guest memory as the back end maps it. */
typedef struct VhostRegion {
    hwaddr gpa;
    uint64_t size;
    uint64_t uaddr;             /* where it is here, by which rings are named */
    int fd;                     /* borrowed */
    uint64_t fd_offset;
} VhostRegion;

/* A ring as the back end gets it; addresses in this process. */
typedef struct VhostVring {
    uint32_t index, num;
    uint16_t base;              /* the available index it goes on from */
    uint64_t desc, avail, used;
    int kick, call;             /* eventfds, borrowed */
} VhostVring;

typedef struct VhostUserEvents {
    /* The connection is of no use any more, which was noticed between requests. */
    void (*gone)(void *opaque, const char *why);
    void (*config_changed)(void *opaque);
} VhostUserEvents;

typedef struct VhostUser {
    CharBackend *chr;           /* borrowed */
    int fd;                     /* a duplicate of its connection; -1 = gone */
    int channel;                /* what the back end asks; -1 = nothing */
    unsigned timeout_ms;
    const VhostUserEvents *events;
    void *opaque;
    uint64_t features;          /* what it offers */
    uint64_t protocol;          /* protocol features both know */
    uint64_t queues_max;        /* 0 = not told */
    unsigned slots_max;
    uint8_t inbox[12 + VHOST_USER_CONFIG_MAX];      /* of the channel: a part of a message */
    size_t inbox_len;
} VhostUser;

/* Take @chr's connection and negotiate; events come from the main loop. */
bool vhost_user_open(VhostUser *u, CharBackend *chr, unsigned timeout_ms, const VhostUserEvents *events, void *opaque,
                     Error **errp) MUST_USE;
/* Give the connection back. */
void vhost_user_close(VhostUser *u);

/* Virtio features, all of them offered. */
bool vhost_user_set_features(VhostUser *u, uint64_t features, Error **errp) MUST_USE;
bool vhost_user_has_config(const VhostUser *u);
bool vhost_user_get_config(VhostUser *u, void *buf, uint32_t len, Error **errp) MUST_USE;
bool vhost_user_set_config(VhostUser *u, uint32_t offset, const void *buf, uint32_t len, Error **errp) MUST_USE;

/* Does it take regions one by one?  Else only the whole table, of up to VHOST_USER_SLOTS_BASE. */
bool vhost_user_has_slots(const VhostUser *u);
bool vhost_user_add_region(VhostUser *u, const VhostRegion *r, Error **errp) MUST_USE;
bool vhost_user_remove_region(VhostUser *u, const VhostRegion *r, Error **errp) MUST_USE;
bool vhost_user_set_table(VhostUser *u, const VhostRegion *r, unsigned n, Error **errp) MUST_USE;

bool vhost_user_start_vring(VhostUser *u, const VhostVring *v, Error **errp) MUST_USE;
/* *@base: where it would go on. */
bool vhost_user_stop_vring(VhostUser *u, uint32_t index, uint16_t *base, Error **errp) MUST_USE;

#endif
