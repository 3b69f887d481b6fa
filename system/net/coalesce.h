/*
 * Successive segments of one TCP connection made one, for a receiver that takes NET_ACCEPTS_TSO4.
 *
 * What a user space TCP makes comes in trains of segments of equal size; each costs an emulated guest as
 * much as a long one.  Segments that are alike but for their place (RFC 9293 header without options, IPv4
 * without options or fragments) are joined in order; everything else passes, in its place.
 */
#ifndef SYSTEM_NET_COALESCE_H
#define SYSTEM_NET_COALESCE_H

#include "system/net.h"

typedef struct NetCoalesce {
    void (*send)(void *opaque, const NetOffload *off, uint8_t *data, size_t len);
    void *opaque;
    uint8_t *buf;               /* owned; the segment being made */
    size_t len;                 /* 0 = none */
    unsigned count;             /* segments in it */
    uint16_t size;              /* payload of each but the last */
    uint32_t next_seq;
    NetOffload off;             /* of the first: for one that stays alone */
} NetCoalesce;

void net_coalesce_init(NetCoalesce *c, void (*send)(void *opaque, const NetOffload *off, uint8_t *data, size_t len), void *opaque);
void net_coalesce_fini(NetCoalesce *c);
/* @data is copied or sent on. */
void net_coalesce_add(NetCoalesce *c, const NetOffload *off, const uint8_t *data, size_t len);
/* No more for now. */
void net_coalesce_flush(NetCoalesce *c);

#endif
