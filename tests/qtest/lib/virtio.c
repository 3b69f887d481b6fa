#include "virtio.h"

#define VIRTIO_VENDOR  0x1af4
#define MODERN_BASE    0x1040
#define WAIT_US        10000000

enum { CAP_COMMON = 1, CAP_NOTIFY, CAP_ISR, CAP_DEVICE };
enum {
    C_DFSELECT = 0x00, C_DF = 0x04, C_GFSELECT = 0x08, C_GF = 0x0c, C_STATUS = 0x14, C_Q_SELECT = 0x16, C_Q_SIZE = 0x18,
    C_Q_ENABLE = 0x1c, C_Q_NOFF = 0x1e, C_Q_DESC = 0x20, C_Q_AVAIL = 0x28, C_Q_USED = 0x30,
};
enum { DESC_NEXT = 1, DESC_WRITE = 2 };

/* Transitional devices have ids of their own (section 4.1.2.1). */
static const uint16_t transitional_ids[] = { [1] = 0x1000, [2] = 0x1001, [3] = 0x1003, [4] = 0x1005, [5] = 0x1002, [8] = 0x1004 };

static void find_device(QVirtio *v, QPci *p, unsigned id)
{
    bool found = qpci_find(p, VIRTIO_VENDOR, (uint16_t)(MODERN_BASE + id), &v->dev)
        || (id < G_N_ELEMENTS(transitional_ids) && transitional_ids[id]
            && qpci_find(p, VIRTIO_VENDOR, transitional_ids[id], &v->dev));

    if (!found) {
        g_error("no virtio device of type %u", id);
    }
}

static void find_structures(QVirtio *v)
{
    unsigned bar = 0;

    for (unsigned at = 0; (at = qpci_capability(&v->dev, PCI_CAP_VENDOR, at)) != 0;) {
        uint32_t off = qpci_read(&v->dev, at + 8, 4);

        switch (qpci_read(&v->dev, at + 3, 1)) {
        case CAP_COMMON:
            v->common = off;
            bar = qpci_read(&v->dev, at + 4, 1);
            break;
        case CAP_NOTIFY:
            v->notify = off;
            v->notify_multiplier = qpci_read(&v->dev, at + 16, 4);
            break;
        case CAP_ISR:
            v->isr = off;
            break;
        case CAP_DEVICE:
            v->config = off;
            break;
        }
    }
    v->bar = qpci_map(&v->dev, bar);
    g_assert_cmpuint(v->bar.size, >, 0);
}

static uint64_t common_read(QVirtio *v, unsigned reg, unsigned size)
{
    return qbar_read(&v->bar, v->common + reg, size);
}

static void common_write(QVirtio *v, unsigned reg, unsigned size, uint64_t value)
{
    qbar_write(&v->bar, v->common + reg, size, value);
}

/* 64-bit fields are two of 32 bits (section 4.1.3.1). */
static void common_write64(QVirtio *v, unsigned reg, uint64_t value)
{
    common_write(v, reg, 4, (uint32_t)value);
    common_write(v, reg + 4, 4, value >> 32);
}

uint64_t qvirtio_offered(QVirtio *v)
{
    uint64_t f = 0;

    for (unsigned i = 0; i < 2; i++) {
        common_write(v, C_DFSELECT, 4, i);
        f |= common_read(v, C_DF, 4) << 32 * i;
    }
    return f;
}

uint8_t qvirtio_status(QVirtio *v)
{
    return (uint8_t)common_read(v, C_STATUS, 1);
}

static void add_status(QVirtio *v, uint8_t bits)
{
    common_write(v, C_STATUS, 1, qvirtio_status(v) | bits);
    g_assert_cmphex(qvirtio_status(v) & bits, ==, bits);
}

bool qvirtio_try(QVirtio *v, QPci *p, unsigned id, uint64_t wanted)
{
    *v = (QVirtio){ 0 };
    find_device(v, p, id);
    find_structures(v);
    common_write(v, C_STATUS, 1, 0);
    g_assert_cmphex(qvirtio_status(v), ==, 0);
    add_status(v, VIRTIO_ACKNOWLEDGE);
    add_status(v, VIRTIO_DRIVER);
    v->features = qvirtio_offered(v) & (wanted | VIRTIO_F_VERSION_1);
    for (unsigned i = 0; i < 2; i++) {
        common_write(v, C_GFSELECT, 4, i);
        common_write(v, C_GF, 4, (uint32_t)(v->features >> 32 * i));
    }
    common_write(v, C_STATUS, 1, qvirtio_status(v) | VIRTIO_FEATURES_OK);
    return qvirtio_status(v) & VIRTIO_FEATURES_OK;
}

void qvirtio_open(QVirtio *v, QPci *p, unsigned id, uint64_t wanted)
{
    g_assert_true(qvirtio_try(v, p, id, wanted));
}

void qvirtio_queue_init(QVirtQueue *vq, QVirtio *v, unsigned index)
{
    qvirtio_queue_init_at(vq, v, index, 0);
}

void qvirtio_queue_init_at(QVirtQueue *vq, QVirtio *v, unsigned index, uint64_t used)
{
    QTest *q = v->bar.q;

    *vq = (QVirtQueue){ .v = v, .index = index };
    common_write(v, C_Q_SELECT, 2, index);
    vq->size = (unsigned)common_read(v, C_Q_SIZE, 2);
    g_assert_cmpuint(vq->size, >, 0);
    vq->desc = qtest_alloc(q, 16 * vq->size, 16);
    vq->avail = qtest_alloc(q, 6 + 2 * vq->size, 2);
    vq->used = used ? used : qtest_alloc(q, 6 + 8 * vq->size, 4);
    vq->notify_at = v->notify + common_read(v, C_Q_NOFF, 2) * v->notify_multiplier;
    common_write64(v, C_Q_DESC, vq->desc);
    common_write64(v, C_Q_AVAIL, vq->avail);
    common_write64(v, C_Q_USED, vq->used);
    common_write(v, C_Q_ENABLE, 2, 1);
}

void qvirtio_start(QVirtio *v)
{
    add_status(v, VIRTIO_DRIVER_OK);
}

uint64_t qvirtio_config(QVirtio *v, unsigned off, unsigned size)
{
    return size == 8 ? qvirtio_config(v, off, 4) | qvirtio_config(v, off + 4, 4) << 32
                     : qbar_read(&v->bar, v->config + off, size);
}

unsigned qvq_add(QVirtQueue *vq, const QSegment *segs, unsigned n)
{
    QTest *q = vq->v->bar.q;
    unsigned head = vq->next_desc;

    for (unsigned i = 0; i < n; i++) {
        unsigned at = vq->next_desc++ % vq->size, flags = (i + 1 < n ? DESC_NEXT : 0) | (segs[i].device_writes ? DESC_WRITE : 0);

        qtest_write(q, vq->desc + 16 * at, 8, segs[i].addr);
        qtest_write(q, vq->desc + 16 * at + 8, 4, segs[i].len);
        qtest_write(q, vq->desc + 16 * at + 12, 2, flags);
        qtest_write(q, vq->desc + 16 * at + 14, 2, (at + 1) % vq->size);
    }
    head %= vq->size;
    qtest_write(q, vq->avail + 4 + 2 * (vq->next_avail % vq->size), 2, head);
    qtest_write(q, vq->avail + 2, 2, ++vq->next_avail);
    return head;
}

void qvq_kick(QVirtQueue *vq)
{
    qbar_write(&vq->v->bar, vq->notify_at, 2, vq->index);
}

bool qvq_has_used(QVirtQueue *vq)
{
    return (uint16_t)qtest_read(vq->v->bar.q, vq->used + 2, 2) != vq->seen_used;
}

unsigned qvq_wait(QVirtQueue *vq, uint32_t *written)
{
    int64_t until = g_get_monotonic_time() + WAIT_US;
    uint64_t entry;

    while (!qvq_has_used(vq)) {
        if (g_get_monotonic_time() > until) {
            g_error("virtqueue %u: nothing used within %d s", vq->index, WAIT_US / 1000000);
        }
        g_usleep(100);
    }
    entry = vq->used + 4 + 8 * (vq->seen_used++ % vq->size);
    if (written) {
        *written = (uint32_t)qtest_read(vq->v->bar.q, entry + 4, 4);
    }
    return (unsigned)qtest_read(vq->v->bar.q, entry, 4);
}
