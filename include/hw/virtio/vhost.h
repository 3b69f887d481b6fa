/*
 * Virtio devices whose queues another process serves (vhost-user).
 *
 * The back end maps guest memory by itself, slot by slot (hw/mem/memslots.h), and takes and completes requests by itself.
 * The rings are relayed: the back end has rings of its own, in memory that is not the guest's; a request goes from the guest's
 * ring to the back end's after its descriptors were checked, and comes back when it is done.  So the guest's ring may have any
 * layout; what the back end wrote is known, and translated code and dirty bits follow; what it reads and writes is pinned
 * meanwhile; and if the back end dies, it is known what it had.
 *
 * The back end is believed in nothing but the content of requests: its replies, indices and lengths are checked.  One that
 * breaks the protocol, dies, or answers too late is left, and its device fails until it is reset and unplugged.
 *
 * Locks: BQL.
 */
#ifndef HW_VIRTIO_VHOST_H
#define HW_VIRTIO_VHOST_H

#include "hw/virtio/virtio.h"
#include "system/chardev.h"

typedef struct VhostDev VhostDev;

typedef struct VhostDevInfo {
    const char *name;                   /* of the device, for messages; borrowed */
    uint32_t config_size;               /* bytes of device configuration the back end must give; 0 = none */
    uint32_t timeout_ms;                /* for each of its answers */
    /* The configuration is another now (vhost_config()). */
    void (*config_changed)(VirtioDevice *vdev);
} VhostDevInfo;

/*
 * Take the connection of @chr, whose peer becomes @vdev's back end.  @info is borrowed as long as it lives.  NULL and
 * @errp if there is no connection, the peer does not do what is needed, or guest memory is not as it needs it.
 */
VhostDev *vhost_dev_new(VirtioDevice *vdev, CharBackend *chr, const VhostDevInfo *info, Error **errp);
void vhost_dev_free(VhostDev *d);

/* What @n queues take of the account "vhost/queues". */
uint64_t vhost_queues_bytes(unsigned n);

/* What the back end offers. */
uint64_t vhost_features(const VhostDev *d);
/* How many queues it can serve; 0 = it does not say. */
uint64_t vhost_queues_max(const VhostDev *d);
/* Its configuration as it last told it, config_size bytes; the driver's changes to it. */
const uint8_t *vhost_config(const VhostDev *d);
void vhost_set_config(VhostDev *d, uint32_t offset, const void *data, uint32_t len);
/* False once it is gone. */
bool vhost_is_alive(const VhostDev *d);

/* All queues of the device, as they are when realized, are the back end's. */
bool vhost_add_queues(VhostDev *d, Error **errp) MUST_USE;
/* The guest kicked. */
void vhost_kick(VhostDev *d, VirtQueue *vq);
/* The driver's status changed: the rings run while it is DRIVER_OK and the machine runs.  @features: the device's own. */
void vhost_update(VhostDev *d, uint64_t features);
/* The device is reset: what the back end has is waited for, and the rest forgotten. */
void vhost_reset(VhostDev *d);

#endif
