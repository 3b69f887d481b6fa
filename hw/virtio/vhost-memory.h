/* Guest memory as a vhost back end has it: between vhost-memory.c and vhost.c. */
#ifndef HW_VIRTIO_VHOST_MEMORY_H
#define HW_VIRTIO_VHOST_MEMORY_H

#include "hw/mem/memslots.h"
#include "hw/virtio/vhost-user.h"

typedef struct VhostMemory {
    MemoryListener listener;
    VhostUser *user;            /* borrowed */
    VhostRegion rings;          /* of memory that is not the guest's */
    GArray *wanted, *told;      /* of VhostRegion, by ascending gpa: what there is, and what the back end has of it */
    bool live;                  /* the back end follows */
    unsigned last;              /* of @told: where the last address was found */
    MemslotUser slots;
    void (*failed)(struct VhostMemory *m, const char *why);
} VhostMemory;

/* Follow the machine's memory; what does not fit the back end is refused (memslots_add_user()). */
bool vhost_memory_init(VhostMemory *m, VhostUser *user, const char *name, const VhostRegion *rings,
                       void (*failed)(VhostMemory *m, const char *why), Error **errp) MUST_USE;
void vhost_memory_fini(VhostMemory *m);
/* From now on the back end has it all. */
bool vhost_memory_go_live(VhostMemory *m, Error **errp) MUST_USE;
/* Take everything from the back end. */
void vhost_memory_withdraw(VhostMemory *m);
/* The address of @host, +@len, as the back end knows it; false if it does not. */
bool vhost_memory_address(VhostMemory *m, const void *host, uint64_t len, uint64_t *gpa);

#endif
