/*
 * Virtqueues: split (section 2.7) and packed (section 2.8), indirect tables, event indexes.
 *
 * This file is the edge: every index, length and address of a ring is the guest's and is checked
 * here, so devices see only mapped segments with lengths that are true.
 *
 * Rings are in guest memory and little-endian (also for legacy drivers, whose guest is an x86).
 */
#include "virtqueue-internal.h"
#include "trace.h"

enum { DESC_F_NEXT = 1, DESC_F_WRITE = 2, DESC_F_INDIRECT = 4, DESC_F_AVAIL = 1 << 7, DESC_F_USED = 1 << 15 };
enum { AVAIL_F_NO_INTERRUPT = 1, USED_F_NO_NOTIFY = 1 };
enum { EVENT_ENABLE = 0, EVENT_DISABLE = 1, EVENT_DESC = 2 };      /* section 2.8.10 */

typedef struct Desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;              /* split: index; packed: buffer id */
} Desc;

/* --- guest memory --- */

/* Rings are in memory: a device's registers there would be used in the middle of this one's work. */
static void ring_rw(const VirtQueue *vq, hwaddr addr, void *buf, unsigned len, bool is_write)
{
    if (address_space_rw_memory(vq->vdev->dma_as, addr, buf, len, is_write) & MEMTX_ACCESS_ERROR && !vq->vdev->broken) {
        virtio_error(vq->vdev, "queue %u: what is at 0x%" HWADDR_PRIx " is not memory", vq->index, addr);
    }
}

static uint16_t ld16(const VirtQueue *vq, hwaddr addr)
{
    uint8_t raw[2];

    ring_rw(vq, addr, raw, sizeof(raw), false);
    return ld16_le(raw);
}

static void st16(const VirtQueue *vq, hwaddr addr, uint16_t v)
{
    uint8_t raw[2];

    st16_le(raw, v);
    ring_rw(vq, addr, raw, sizeof(raw), true);
}

/* Both layouts have addr and len first; flags and the last field trade places. */
static Desc ld_desc(const VirtQueue *vq, hwaddr table, unsigned i, bool packed)
{
    uint8_t raw[16];

    ring_rw(vq, table + 16 * i, raw, sizeof(raw), false);
    return (Desc){
        .addr = ld64_le(raw), .len = ld32_le(raw + 8),
        .flags = ld16_le(raw + (packed ? 14 : 12)), .next = ld16_le(raw + (packed ? 12 : 14)),
    };
}

static bool is_packed(const VirtQueue *vq)
{
    return virtio_has_feature(vq->vdev, VIRTIO_F_RING_PACKED);
}

static bool has_event_idx(const VirtQueue *vq)
{
    return virtio_has_feature(vq->vdev, VIRTIO_F_EVENT_IDX);
}

static hwaddr avail_used_event(const VirtQueue *vq) { return vq->driver + 4 + 2 * vq->size; }
static hwaddr used_avail_event(const VirtQueue *vq) { return vq->device + 4 + 8 * vq->size; }

bool virtqueue_is_ready(const VirtQueue *vq)
{
    return vq->enabled && vq->size && !vq->vdev->broken;
}

/* --- building a chain --- */

typedef struct Build {
    VirtQueue *vq;
    struct iovec iov[VIRTQUEUE_SIZE_MAX];
    unsigned n_out, n_in;
    size_t out_len, in_len;
} Build;

static void unmap_segments(VirtioDevice *vdev, struct iovec *iov, unsigned n, bool is_write, size_t written)
{
    for (unsigned i = 0; i < n; i++) {
        size_t part = MIN(written, iov[i].iov_len);

        address_space_unmap(vdev->dma_as, iov[i].iov_base, iov[i].iov_len, is_write, part);
        written -= part;
    }
}

static void build_undo(Build *b)
{
    unmap_segments(b->vq->vdev, b->iov, b->n_out, false, 0);
    unmap_segments(b->vq->vdev, b->iov + b->n_out, b->n_in, true, 0);
}

/* Map one descriptor's buffer; it may take several segments where guest memory is not contiguous here. */
static bool build_add(Build *b, const Desc *d)
{
    VirtioDevice *vdev = b->vq->vdev;
    bool write = d->flags & DESC_F_WRITE;
    hwaddr addr = d->addr, left = d->len;

    if (!write && b->n_in) {
        virtio_error(vdev, "queue %u: readable descriptor after a writable one", b->vq->index);
        return false;
    }
    if (!left) {
        virtio_error(vdev, "queue %u: descriptor of length 0", b->vq->index);
        return false;
    }
    while (left) {
        hwaddr len = left;
        void *host;

        if (b->n_out + b->n_in == VIRTQUEUE_SIZE_MAX) {
            virtio_error(vdev, "queue %u: more than %u segments in one request", b->vq->index, VIRTQUEUE_SIZE_MAX);
            return false;
        }
        host = address_space_map(vdev->dma_as, addr, &len, write, MEMTXATTRS_UNSPECIFIED);
        if (!host) {
            virtio_error(vdev, "queue %u: buffer at 0x%" HWADDR_PRIx " is not in RAM", b->vq->index, addr);
            return false;
        }
        b->iov[b->n_out + b->n_in] = (struct iovec){ host, len };
        if (write) {
            b->n_in++;
            b->in_len += len;
        } else {
            b->n_out++;
            b->out_len += len;
        }
        addr += len;
        left -= len;
    }
    return true;
}

static void build_finish(Build *b, VirtChain *chain, uint16_t id, uint16_t n_desc)
{
    struct iovec *iov = g_memdup2(b->iov, (b->n_out + b->n_in) * sizeof(*iov));

    *chain = (VirtChain){
        .out = iov, .n_out = b->n_out, .out_len = b->out_len,
        .in = iov + b->n_out, .n_in = b->n_in, .in_len = b->in_len,
        .id = id, .n_desc = n_desc, .vq = b->vq,
    };
    b->vq->in_use++;
}

/* An indirect table's size in entries, 0 after an error. */
static unsigned indirect_entries(VirtQueue *vq, const Desc *d)
{
    if (d->len == 0 || d->len % 16 || d->len / 16 > VIRTQUEUE_SIZE_MAX
        || !virtio_has_feature(vq->vdev, VIRTIO_F_INDIRECT_DESC) || d->flags & DESC_F_NEXT) {
        virtio_error(vq->vdev, "queue %u: bad indirect table of %u bytes", vq->index, d->len);
        return 0;
    }
    return d->len / 16;
}

/* --- split queues, section 2.7 --- */

static bool split_walk(Build *b, uint16_t head)
{
    VirtQueue *vq = b->vq;
    hwaddr table = vq->desc;
    unsigned max = vq->size, i = head;
    bool indirect = false;

    for (unsigned n = 0; n < max; n++) {
        Desc d;

        if (i >= max) {
            virtio_error(vq->vdev, "queue %u: descriptor index %u of %u", vq->index, i, max);
            return false;
        }
        d = ld_desc(vq, table, i, false);
        if (d.flags & DESC_F_INDIRECT) {
            if (indirect || n) {
                virtio_error(vq->vdev, "queue %u: indirect descriptor inside a chain", vq->index);
                return false;
            }
            max = indirect_entries(vq, &d);
            table = d.addr;
            indirect = true;
            i = 0;
            n = -1;                     /* counts entries of the indirect table from here */
            continue;
        }
        if (!build_add(b, &d)) {
            return false;
        }
        if (!(d.flags & DESC_F_NEXT)) {
            return true;
        }
        i = d.next;
    }
    if (!vq->vdev->broken) {
        virtio_error(vq->vdev, "queue %u: descriptor chain loops", vq->index);
    }
    return false;
}

/* How many requests wait; an impossible index breaks the device. */
static unsigned split_pending(VirtQueue *vq)
{
    uint16_t avail = ld16(vq, vq->driver + 2), n = avail - vq->last_avail;

    if (vq->vdev->broken) {
        return 0;
    }
    if (n > vq->size) {
        virtio_error(vq->vdev, "queue %u: available index moved from %u to %u, queue size %u", vq->index, vq->last_avail,
                     avail, vq->size);
        return 0;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);    /* entries are read after the index that covers them */
    return n;
}

static bool split_pop(Build *b, VirtChain *chain)
{
    VirtQueue *vq = b->vq;
    uint16_t head;

    if (!split_pending(vq)) {
        return false;
    }
    head = ld16(vq, vq->driver + 4 + 2 * (vq->last_avail % vq->size));
    vq->last_avail++;
    if (has_event_idx(vq) && !vq->no_kicks) {
        st16(vq, used_avail_event(vq), vq->last_avail);
    }
    if (!split_walk(b, head)) {
        return false;
    }
    build_finish(b, chain, head, 1);
    return true;
}

static void split_push(VirtQueue *vq, const VirtChain *chains, const size_t *written, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint8_t elem[8];

        st32_le(elem, chains[i].id);
        st32_le(elem + 4, written[i]);
        ring_rw(vq, vq->device + 4 + 8 * (vq->used++ % vq->size), elem, sizeof(elem), true);
    }
    __atomic_thread_fence(__ATOMIC_RELEASE);    /* the entries are visible before the index that covers them */
    st16(vq, vq->device + 2, vq->used);
}

/* Section 2.7.10.1; with event indexes the flag is ignored and the event is left behind instead. */
static void split_set_kicks(VirtQueue *vq)
{
    if (!has_event_idx(vq)) {
        st16(vq, vq->device, vq->no_kicks ? USED_F_NO_NOTIFY : 0);
    } else if (!vq->no_kicks) {
        /* of what is added from now on, also if something that is not enough is left there */
        st16(vq, used_avail_event(vq), ld16(vq, vq->driver + 2));
    }
}

/* Has the index passed @event since @old?  Section 2.7.10 */
static bool need_event(uint16_t event, uint16_t now, uint16_t old)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

static bool split_wants_interrupt(VirtQueue *vq)
{
    uint16_t old = vq->signalled_used;
    bool valid = vq->signalled_valid;

    if (!has_event_idx(vq)) {
        return !(ld16(vq, vq->driver) & AVAIL_F_NO_INTERRUPT);
    }
    vq->signalled_used = vq->used;
    vq->signalled_valid = true;
    return !valid || need_event(ld16(vq, avail_used_event(vq)), vq->used, old);
}

/* --- packed queues, section 2.8 --- */

static bool packed_is_avail(const VirtQueue *vq, uint16_t flags)
{
    bool avail = flags & DESC_F_AVAIL, used = flags & DESC_F_USED;

    return avail == vq->avail_wrap && used != vq->avail_wrap;
}

static bool packed_has_pending(VirtQueue *vq)
{
    bool pending = packed_is_avail(vq, ld16(vq, vq->desc + 16 * vq->last_avail + 14));

    __atomic_thread_fence(__ATOMIC_ACQUIRE);    /* the descriptor is read after its flags */
    return pending;
}

static void packed_advance(uint16_t *pos, bool *wrap, unsigned by, unsigned size)
{
    *pos += by;
    if (*pos >= size) {
        *pos -= size;
        *wrap = !*wrap;
    }
}

static bool packed_walk_indirect(Build *b, const Desc *d)
{
    unsigned n = indirect_entries(b->vq, d);

    for (unsigned i = 0; i < n; i++) {
        Desc e = ld_desc(b->vq, d->addr, i, true);

        if (e.flags & DESC_F_INDIRECT) {
            virtio_error(b->vq->vdev, "queue %u: indirect descriptor in an indirect table", b->vq->index);
            return false;
        }
        if (!build_add(b, &e)) {
            return false;
        }
    }
    return n > 0;
}

static bool packed_pop(Build *b, VirtChain *chain)
{
    VirtQueue *vq = b->vq;
    uint16_t pos = vq->last_avail;
    bool wrap = vq->avail_wrap;
    Desc d;
    unsigned n = 0;

    if (!packed_has_pending(vq)) {
        return false;
    }
    do {
        if (n == vq->size) {
            virtio_error(vq->vdev, "queue %u: descriptor chain longer than the ring", vq->index);
            return false;
        }
        d = ld_desc(vq, vq->desc, pos, true);
        if (d.flags & DESC_F_INDIRECT) {
            if (n) {
                virtio_error(vq->vdev, "queue %u: indirect descriptor inside a chain", vq->index);
                return false;
            }
            if (!packed_walk_indirect(b, &d)) {
                return false;
            }
        } else if (!build_add(b, &d)) {
            return false;
        }
        packed_advance(&pos, &wrap, 1, vq->size);
        n++;
    } while (d.flags & DESC_F_NEXT);

    vq->last_avail = pos;
    vq->avail_wrap = wrap;
    build_finish(b, chain, d.next, n);
    return true;
}

/* The first descriptor's flags are written last: they hand all over (section 2.8.21). */
static void packed_push(VirtQueue *vq, const VirtChain *chains, const size_t *written, unsigned n)
{
    hwaddr first_at = vq->desc + 16 * vq->used + 14;
    uint16_t first_flags = 0;

    for (unsigned i = 0; i < n; i++) {
        uint16_t flags = (vq->used_wrap ? DESC_F_AVAIL | DESC_F_USED : 0) | (written[i] ? DESC_F_WRITE : 0);
        hwaddr at = vq->desc + 16 * vq->used;
        uint8_t body[6];

        st32_le(body, written[i]);
        st16_le(body + 4, chains[i].id);
        ring_rw(vq, at + 8, body, sizeof(body), true);
        if (i == 0) {
            first_flags = flags;
        } else {
            __atomic_thread_fence(__ATOMIC_RELEASE);
            st16(vq, at + 14, flags);
        }
        packed_advance(&vq->used, &vq->used_wrap, chains[i].n_desc, vq->size);
    }
    __atomic_thread_fence(__ATOMIC_RELEASE);
    st16(vq, first_at, first_flags);
}

static bool packed_wants_interrupt(VirtQueue *vq)
{
    uint16_t off_wrap = ld16(vq, vq->driver), flags = ld16(vq, vq->driver + 2);
    uint16_t old = vq->signalled_used, event = off_wrap & 0x7fff;
    bool valid = vq->signalled_valid;

    vq->signalled_used = vq->used;
    vq->signalled_valid = true;
    if (flags != EVENT_DESC || !has_event_idx(vq)) {
        return flags != EVENT_DISABLE;
    }
    if (vq->used_wrap != (off_wrap >> 15)) {
        event -= vq->size;
    }
    return !valid || need_event(event, vq->used, old);
}

/* --- the queue as devices see it --- */

bool virtqueue_is_empty(VirtQueue *vq)
{
    if (!virtqueue_is_ready(vq)) {
        return true;
    }
    return is_packed(vq) ? !packed_has_pending(vq) : split_pending(vq) == 0;
}

bool virtqueue_pop(VirtQueue *vq, VirtChain *chain)
{
    Build b;

    if (!virtqueue_is_ready(vq)) {
        return false;
    }
    if (vq->in_use >= vq->size) {
        virtio_error(vq->vdev, "queue %u: more requests than its size %u", vq->index, vq->size);
        return false;
    }
    b.vq = vq;
    b.n_out = b.n_in = 0;
    b.out_len = b.in_len = 0;
    if (is_packed(vq) ? packed_pop(&b, chain) : split_pop(&b, chain)) {
        return true;
    }
    build_undo(&b);
    return false;
}

static void chain_release(VirtChain *chain, size_t written)
{
    VirtioDevice *vdev = chain->vq->vdev;

    unmap_segments(vdev, chain->out, chain->n_out, false, 0);
    unmap_segments(vdev, chain->in, chain->n_in, true, written);
    g_free(chain->out);
    chain->out = chain->in = NULL;
}

void virtchain_detach(VirtChain *chain)
{
    if (chain->vq->in_use) {
        chain->vq->in_use--;
    }
    chain_release(chain, 0);
}

void virtqueue_unpop(VirtQueue *vq, VirtChain *chain)
{
    if (!is_packed(vq)) {
        vq->last_avail--;
    } else if (vq->last_avail < chain->n_desc) {
        vq->last_avail += vq->size - chain->n_desc;
        vq->avail_wrap = !vq->avail_wrap;
    } else {
        vq->last_avail -= chain->n_desc;
    }
    virtchain_detach(chain);
}

void virtqueue_push_many(VirtQueue *vq, VirtChain *chains, const size_t *written, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert(written[i] <= chains[i].in_len);
        chain_release(&chains[i], written[i]);
    }
    if (!virtqueue_is_ready(vq) || vq->in_use < n) {
        return;                         /* reset while the requests ran */
    }
    vq->in_use -= n;
    if (is_packed(vq)) {
        packed_push(vq, chains, written, n);
    } else {
        split_push(vq, chains, written, n);
    }
}

void virtqueue_push(VirtQueue *vq, VirtChain *chain, size_t written)
{
    virtqueue_push_many(vq, chain, &written, 1);
}

bool virtqueue_set_kicks(VirtQueue *vq, bool on)
{
    if (!virtqueue_is_ready(vq)) {
        return false;
    }
    if (on || !vq->no_kicks) {
        vq->no_kicks = !on;
        if (is_packed(vq)) {
            st16(vq, vq->device + 2, on ? EVENT_ENABLE : EVENT_DISABLE);
        } else {
            split_set_kicks(vq);
        }
    }
    if (on) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);    /* our wish before a last look: pairs with the driver's add-and-check */
    }
    return on && !virtqueue_is_empty(vq);
}

void virtqueue_notify(VirtQueue *vq)
{
    VirtioDevice *vdev = vq->vdev;

    if (!virtqueue_is_ready(vq)) {
        return;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);    /* used entries before the driver's wish: pairs with its enable-and-check */
    if (is_packed(vq) ? packed_wants_interrupt(vq) : split_wants_interrupt(vq)) {
        vdev->isr |= 1;
        trace_virtio_notify(vdev, vq);
        vdev->transport->notify(vdev->transport_opaque, vq->vector);
    }
}

/* --- copying --- */

unsigned virtchain_slice(const struct iovec *segs, unsigned n, size_t offset, size_t len, struct iovec *iov, unsigned max)
{
    unsigned out = 0;

    for (unsigned i = 0; i < n && len && out < max; i++) {
        size_t part;

        if (offset >= segs[i].iov_len) {
            offset -= segs[i].iov_len;
            continue;
        }
        part = MIN(len, segs[i].iov_len - offset);
        iov[out++] = (struct iovec){ (uint8_t *)segs[i].iov_base + offset, part };
        len -= part;
        offset = 0;
    }
    return out;
}

static size_t chain_copy(const struct iovec *segs, unsigned n, size_t offset, uint8_t *buf, size_t len, bool to_guest)
{
    size_t done = 0;

    for (unsigned i = 0; i < n && done < len; i++) {
        size_t part;

        if (offset >= segs[i].iov_len) {
            offset -= segs[i].iov_len;
            continue;
        }
        part = MIN(len - done, segs[i].iov_len - offset);
        if (to_guest) {
            memcpy((uint8_t *)segs[i].iov_base + offset, buf + done, part);
        } else {
            memcpy(buf + done, (uint8_t *)segs[i].iov_base + offset, part);
        }
        done += part;
        offset = 0;
    }
    return done;
}

size_t virtchain_read(const VirtChain *chain, size_t offset, void *buf, size_t len)
{
    return chain_copy(chain->out, chain->n_out, offset, buf, len, false);
}

size_t virtchain_write(const VirtChain *chain, size_t offset, const void *buf, size_t len)
{
    return chain_copy(chain->in, chain->n_in, offset, (uint8_t *)buf, len, true);
}

/* --- set-up --- */

unsigned virtqueue_index(const VirtQueue *vq) { return vq->index; }
uint16_t virtqueue_size_max(const VirtQueue *vq) { return vq->size_max; }
uint16_t virtqueue_size(const VirtQueue *vq) { return vq->size; }
uint16_t virtqueue_vector(const VirtQueue *vq) { return vq->vector; }
void virtqueue_set_vector(VirtQueue *vq, uint16_t vector) { vq->vector = vector; }

bool virtqueue_set_size(VirtQueue *vq, uint16_t size)
{
    /* Split queues are powers of two (2.7); packed ones need not be, and nobody minds here. */
    if (vq->enabled || !size || size > vq->size_max || (!is_packed(vq) && !is_power_of_2(size))) {
        return false;
    }
    vq->size = size;
    return true;
}

void virtqueue_set_addresses(VirtQueue *vq, hwaddr desc, hwaddr driver, hwaddr device)
{
    vq->desc = desc;
    vq->driver = driver;
    vq->device = device;
}

void virtqueue_get_addresses(const VirtQueue *vq, hwaddr *desc, hwaddr *driver, hwaddr *device)
{
    *desc = vq->desc;
    *driver = vq->driver;
    *device = vq->device;
}

void virtqueue_set_legacy_pfn(VirtQueue *vq, uint32_t pfn)
{
    hwaddr desc = (hwaddr)pfn << 12, driver = desc + 16 * vq->size;

    virtqueue_reset(vq);
    if (pfn) {
        virtqueue_set_addresses(vq, desc, driver, ROUND_UP(driver + 4 + 2 * vq->size + 2, 4096));
        virtqueue_enable(vq);
    }
}

uint32_t virtqueue_legacy_pfn(const VirtQueue *vq)
{
    return vq->enabled ? vq->desc >> 12 : 0;
}

void virtqueue_enable(VirtQueue *vq)
{
    vq->enabled = true;
}

void virtqueue_reset(VirtQueue *vq)
{
    vq->size = vq->size_max;
    vq->enabled = false;
    vq->desc = vq->driver = vq->device = 0;
    vq->last_avail = vq->used = vq->signalled_used = 0;
    vq->signalled_valid = false;
    vq->avail_wrap = vq->used_wrap = true;
    vq->in_use = 0;
    vq->no_kicks = false;
}

static bool virtqueue_post_load(void *opaque, unsigned version, Error **errp)
{
    VirtQueue *vq = opaque;

    if (vq->size > vq->size_max || vq->in_use > vq->size) {
        error_setg(errp, "virtqueue %u: size %u or requests in flight %u beyond %u", vq->index, vq->size, vq->in_use,
                   vq->size_max);
        return false;
    }
    return true;
}

const VMState vmstate_virtqueue = {
    .name = "virtqueue", .version = 1, .minimum_version = 1, .post_load = virtqueue_post_load,
    .fields = (const VMField[]){
        VMS_U16(VirtQueue, size), VMS_U16(VirtQueue, vector), VMS_BOOL(VirtQueue, enabled),
        VMS_U64(VirtQueue, desc), VMS_U64(VirtQueue, driver), VMS_U64(VirtQueue, device),
        VMS_U16(VirtQueue, last_avail), VMS_U16(VirtQueue, used), VMS_U16(VirtQueue, signalled_used),
        VMS_BOOL(VirtQueue, signalled_valid), VMS_BOOL(VirtQueue, avail_wrap), VMS_BOOL(VirtQueue, used_wrap),
        VMS_U16(VirtQueue, in_use),
        VMS_END,
    },
};
