/* A virtio driver: modern PCI transport (virtio 1.2 section 4.1), split rings (section 2.7). */
#ifndef TESTS_QTEST_LIB_VIRTIO_H
#define TESTS_QTEST_LIB_VIRTIO_H

#include "pci.h"

#define VIRTIO_F_VERSION_1 (1ull << 32)
enum { VIRTIO_ACKNOWLEDGE = 1, VIRTIO_DRIVER = 2, VIRTIO_DRIVER_OK = 4, VIRTIO_FEATURES_OK = 8, VIRTIO_NEEDS_RESET = 64 };

typedef struct QVirtio {
    QPciDev dev;
    QBar bar;                   /* where all four structures are */
    uint64_t common, notify, isr, config;   /* offsets in it */
    uint32_t notify_multiplier;
    uint64_t features;
} QVirtio;

typedef struct QVirtQueue {
    QVirtio *v;
    unsigned index, size;
    uint64_t desc, avail, used, notify_at;
    uint16_t next_desc, next_avail, seen_used;
} QVirtQueue;

typedef struct QSegment {
    uint64_t addr;
    uint32_t len;
    bool device_writes;
} QSegment;

/* Find the first device of virtio type @id, reset it and negotiate @wanted of what it offers (and VERSION_1). */
bool qvirtio_try(QVirtio *v, QPci *p, unsigned id, uint64_t wanted);     /* false: the device refuses the features */
void qvirtio_open(QVirtio *v, QPci *p, unsigned id, uint64_t wanted);
uint64_t qvirtio_offered(QVirtio *v);
void qvirtio_queue_init(QVirtQueue *vq, QVirtio *v, unsigned index);
/* With the used ring at @used. */
void qvirtio_queue_init_at(QVirtQueue *vq, QVirtio *v, unsigned index, uint64_t used);
/* The queues are set up. */
void qvirtio_start(QVirtio *v);
uint8_t qvirtio_status(QVirtio *v);
uint64_t qvirtio_config(QVirtio *v, unsigned off, unsigned size);

/* Make a chain available; its head. */
unsigned qvq_add(QVirtQueue *vq, const QSegment *segs, unsigned n);
void qvq_kick(QVirtQueue *vq);
/* Wait until the next chain is used; its head, and what the device wrote. */
unsigned qvq_wait(QVirtQueue *vq, uint32_t *written);
bool qvq_has_used(QVirtQueue *vq);

#endif
