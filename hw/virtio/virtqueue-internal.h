/* The inside of a queue: between virtqueue.c and virtio.c. */
#ifndef HW_VIRTIO_VIRTQUEUE_INTERNAL_H
#define HW_VIRTIO_VIRTQUEUE_INTERNAL_H

#include "hw/virtio/virtio.h"

struct VirtQueue {
    /* constant */
    VirtioDevice *vdev;
    const char *name;
    VirtQueueFn *handle;
    uint16_t index, size_max;

    /* set by the driver */
    uint16_t size;
    uint16_t vector;
    bool enabled;
    uint64_t desc, driver, device;      /* 2.7: table, available, used; 2.8: ring, driver and device event areas */

    /* progress */
    uint16_t last_avail;                /* next ring entry to look at */
    uint16_t used;                      /* next used entry to write */
    uint16_t signalled_used;
    bool signalled_valid;
    bool avail_wrap, used_wrap;         /* packed, 2.8.1 */
    uint16_t in_use;
    bool no_kicks;                      /* the device does not want notifications now; not part of the state */
};

extern const VMState vmstate_virtqueue;

#endif
