/* Trace events of virtio devices in general. */
#include "util/trace.h"

TRACE_EVENT(virtio_queue_notify, (const void *vdev, unsigned n, const void *vq), "vdev %p n %u vq %p", vdev, n, vq)
TRACE_EVENT(virtio_notify, (const void *vdev, const void *vq), "vdev %p vq %p", vdev, vq)
TRACE_EVENT(virtio_set_status, (const void *vdev, uint8_t val), "vdev %p val %u", vdev, val)
