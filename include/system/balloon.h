/*
 * The machine's balloon, as monitors see it.
 */
#ifndef SYSTEM_BALLOON_H
#define SYSTEM_BALLOON_H

#include "util/error.h"

typedef struct BalloonOps {
    /* Bytes of RAM the guest has at present. */
    uint64_t (*actual_bytes)(void *opaque);
    /* Ask the guest to come to @bytes. */
    void (*set_target)(void *opaque, uint64_t bytes);
} BalloonOps;

/* At most one; false and @errp if there is one already. */
bool balloon_register(const BalloonOps *ops, void *opaque, Error **errp) MUST_USE;
void balloon_unregister(void *opaque);

/* Error class DeviceNotActive without a balloon; @bytes must be 1..RAM size. */
bool balloon_set_target(uint64_t bytes, Error **errp) MUST_USE;
bool balloon_get_actual(uint64_t *bytes, Error **errp) MUST_USE;
/* Told when the guest has changed its size. */
void balloon_set_change_notify(void (*fn)(uint64_t actual_bytes));
/* By the device. */
void balloon_changed(uint64_t actual_bytes);

#endif
