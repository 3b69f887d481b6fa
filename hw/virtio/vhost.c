/*
 * Relayed virtqueues: the back end's rings (split, virtio 1.2 section 2.7, little-endian), and when they run.
 *
 * Invariants:
 *  I1  what is in the back end's descriptor table and available ring was written here and is never read back: the back
 *      end may write there, too
 *  I2  a chain that the back end has is in chain[head], with its guest memory pinned; free descriptors are linked
 *      by link[], from free_head on, n_free of them
 *  I3  a request is completed at most once: an identifier that is not out is the back end's error
 */
#include "hw/virtio/vhost.h"
#include "hw/virtio/vhost-memory.h"
#include "system/runstate.h"
#include "util/account.h"
#include "util/log.h"
#include "util/main-loop.h"
#include "util/rcu.h"
#include "util/timer.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Also the longest chain there can be: with the ring empty there is room for any. */
#define RING_SIZE       VIRTQUEUE_SIZE_MAX
#define RING_AVAIL      (16 * RING_SIZE)
#define RING_USED       ROUND_UP(RING_AVAIL + 4 + 2 * RING_SIZE + 2, 4u)
#define RING_BYTES      ROUND_UP(RING_USED + 4 + 8 * RING_SIZE + 2, 4096u)
/* Where the rings' memory is, as far as the back end is concerned: beyond any guest's. */
#define RINGS_GPA       (1ULL << 52)
#define QUEUES_MAX      256             /* vhost-user names rings with 8 bits */
#define ACCOUNT         "vhost/queues"

enum { DESC_F_NEXT = 1, DESC_F_WRITE = 2, USED_F_NO_NOTIFY = 1 };

typedef struct VhostQueue {
    VhostDev *d;                        /* borrowed */
    VirtQueue *vq;
    unsigned index;
    int kick, call;                     /* eventfds; -1 = none */
    uint8_t *ring;                      /* shared with the back end */
    bool running;
    bool full;                          /* a request waits for room */
    uint16_t base;                      /* where the back end goes on when it runs again */
    uint16_t avail_idx, used_idx;       /* the next entry to write, to read */
    uint16_t free_head, n_free;         /* I2 */
    uint16_t link[RING_SIZE];
    VirtChain chain[RING_SIZE];         /* by head; .vq NULL = not out */
    unsigned n_out;
} VhostQueue;

struct VhostDev {
    VirtioDevice *vdev;                 /* borrowed */
    const VhostDevInfo *info;
    char *name;
    VhostUser user;
    VhostMemory memory;
    bool memory_ready, alive, wanted, running;
    uint64_t device_features;           /* the driver's, of the device itself */
    VhostQueue *queue;
    unsigned n_queues;
    int rings_fd;
    uint8_t *rings;                     /* RING_BYTES for each queue */
    size_t rings_bytes;
    uint8_t config[VHOST_USER_CONFIG_MAX];
};

/* --- failure --- */

static void queue_stop_watching(VhostQueue *q)
{
    if (q->call >= 0) {
        main_loop_set_fd(q->call, NULL, NULL, NULL);
    }
    q->running = false;
}

/* The back end is left as it is; what it has, it has until the guest resets the device. */
static void fail(VhostDev *d, const char *why)
{
    if (!d->alive) {
        return;
    }
    d->alive = d->running = d->memory.live = false;
    for (unsigned i = 0; i < d->n_queues; i++) {
        queue_stop_watching(&d->queue[i]);
    }
    vhost_user_close(&d->user);
    error_report("%s: the back end is lost: %s", d->name, why);
    virtio_device_failed(d->vdev);
}

static void fail_with(VhostDev *d, const Error *err)
{
    fail(d, error_get_pretty(err));
}

static void on_gone(void *opaque, const char *why)
{
    fail(opaque, why);
}

static void on_memory_failed(VhostMemory *m, const char *why)
{
    fail(container_of(m, VhostDev, memory), why);
}

static bool refresh_config(VhostDev *d, Error **errp)
{
    return !d->info->config_size || vhost_user_get_config(&d->user, d->config, d->info->config_size, errp);
}

static void on_config_changed(void *opaque)
{
    VhostDev *d = opaque;
    g_autoptr(Error) err = NULL;

    if (!d->alive) {
        return;
    }
    if (!refresh_config(d, &err)) {
        fail_with(d, err);
    } else if (d->info->config_changed) {
        d->info->config_changed(d->vdev);
    }
}

static const VhostUserEvents user_events = { .gone = on_gone, .config_changed = on_config_changed };

/* --- towards the back end --- */

static void ring_init(VhostQueue *q)
{
    memset(q->ring, 0, RING_BYTES);
    memset(q->chain, 0, sizeof(q->chain));
    q->base = q->avail_idx = q->used_idx = 0;
    q->free_head = 0;
    q->n_free = RING_SIZE;
    q->n_out = 0;
    q->full = false;
    for (unsigned i = 0; i < RING_SIZE; i++) {
        q->link[i] = (uint16_t)((i + 1) % RING_SIZE);
    }
}

/* One segment, at descriptor @i; false: it is in no memory that the back end has. */
static bool put_desc(VhostQueue *q, uint16_t i, const struct iovec *seg, unsigned flags)
{
    uint8_t *desc = q->ring + 16 * i;
    uint64_t gpa;

    if (!vhost_memory_address(&q->d->memory, seg->iov_base, seg->iov_len, &gpa)) {
        return false;
    }
    st64_le(desc, gpa);
    st32_le(desc + 8, (uint32_t)seg->iov_len);
    st16_le(desc + 12, (uint16_t)flags);
    st16_le(desc + 14, q->link[i]);
    return true;
}

static bool put_chain(VhostQueue *q, const VirtChain *c)
{
    unsigned n = c->n_out + c->n_in;
    uint16_t i = q->free_head;

    for (unsigned s = 0; s < n; s++) {
        unsigned flags = (s + 1 < n ? DESC_F_NEXT : 0) | (s >= c->n_out ? DESC_F_WRITE : 0);

        if (!put_desc(q, i, &c->out[s], flags)) {       /* in[] follows out[] */
            return false;
        }
        i = q->link[i];
    }
    q->chain[q->free_head] = *c;
    q->n_out++;
    q->n_free -= n;
    st16_le(q->ring + RING_AVAIL + 4 + 2 * (q->avail_idx % RING_SIZE), q->free_head);
    q->free_head = i;
    q->avail_idx++;
    return true;
}

/* Lengths of segments are what a descriptor holds: 32 bits. */
static bool segments_fit(const VirtChain *c)
{
    for (unsigned i = 0; i < c->n_out + c->n_in; i++) {
        if (c->out[i].iov_len > UINT32_MAX) {
            return false;
        }
    }
    return true;
}

/* Take what the guest has ready, as long as there is room. */
static void queue_fill(VhostQueue *q)
{
    bool any = false;
    VirtChain c;

    q->full = false;
    while (virtqueue_pop(q->vq, &c)) {
        if (c.n_out + c.n_in > q->n_free) {
            virtqueue_unpop(q->vq, &c);
            q->full = true;
            break;
        }
        if (!segments_fit(&c) || !put_chain(q, &c)) {
            virtio_error(q->d->vdev, "queue %u: a buffer is in memory that the back end does not have", q->index);
            virtchain_detach(&c);
            break;
        }
        any = true;
    }
    if (any) {
        __atomic_thread_fence(__ATOMIC_RELEASE);    /* entries before the index that covers them */
        st16_le(q->ring + RING_AVAIL + 2, q->avail_idx);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);    /* the index before its wish: pairs with its enable-and-check */
        if (!(ld16_le(q->ring + RING_USED) & USED_F_NO_NOTIFY)) {
            eventfd_write(q->kick, 1);
        }
    }
}

void vhost_kick(VhostDev *d, VirtQueue *vq)
{
    VhostQueue *q = &d->queue[virtqueue_index(vq)];

    if (q->running) {
        queue_fill(q);
    }
}

/* --- back from it --- */

static void free_descs(VhostQueue *q, uint16_t head, unsigned n)
{
    uint16_t last = head;

    for (unsigned i = 1; i < n; i++) {
        last = q->link[last];
    }
    q->link[last] = q->free_head;
    q->free_head = head;
    q->n_free += n;
}

/* The back end may have written all of it, whatever it says. */
static void mark_written(const VirtChain *c)
{
    rcu_read_lock();
    for (unsigned i = 0; i < c->n_in; i++) {
        uint64_t offset;
        RamBlock *rb = ram_block_from_host_rcu(c->in[i].iov_base, &offset);

        ram_block_set_dirty(rb, offset, c->in[i].iov_len);
    }
    rcu_read_unlock();
}

/* I3.  False: nonsense. */
static bool complete_one(VhostQueue *q, const uint8_t *elem)
{
    uint32_t head = ld32_le(elem), len = ld32_le(elem + 4);
    VirtChain c;

    if (head >= RING_SIZE || !q->chain[head].vq) {
        return false;
    }
    c = q->chain[head];
    q->chain[head].vq = NULL;
    q->n_out--;
    free_descs(q, (uint16_t)head, c.n_out + c.n_in);
    mark_written(&c);
    virtqueue_push(q->vq, &c, MIN(len, c.in_len));
    return true;
}

/* False: the back end broke the rules, and is left. */
static bool queue_complete(VhostQueue *q)
{
    uint16_t now = ld16_le(q->ring + RING_USED + 2), n = now - q->used_idx;

    if (n > q->n_out) {
        fail(q->d, "its used ring tells more than it was given");
        return false;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);        /* entries after the index that covers them */
    for (; q->used_idx != now; q->used_idx++) {
        if (!complete_one(q, q->ring + RING_USED + 4 + 8 * (q->used_idx % RING_SIZE))) {
            fail(q->d, "its used ring tells of a request that it does not have");
            return false;
        }
    }
    if (n) {
        virtqueue_notify(q->vq);
    }
    return true;
}

static void on_call(void *opaque)
{
    VhostQueue *q = opaque;
    eventfd_t ignored;

    (void)!eventfd_read(q->call, &ignored);
    if (q->running && queue_complete(q) && q->full) {
        queue_fill(q);
    }
}

/* --- starting and stopping --- */

static bool queue_start(VhostQueue *q, Error **errp)
{
    uintptr_t ring = (uintptr_t)q->ring;
    VhostVring v = {
        .index = q->index, .num = RING_SIZE, .base = q->base, .desc = ring, .avail = ring + RING_AVAIL, .used = ring + RING_USED,
        .kick = q->kick, .call = q->call,
    };

    if (!virtqueue_is_ready(q->vq)) {
        return true;
    }
    if (!vhost_user_start_vring(&q->d->user, &v, errp)) {
        return false;
    }
    q->running = true;
    main_loop_set_fd(q->call, on_call, NULL, q);
    eventfd_write(q->kick, 1);          /* a ring starts with the first one; something may wait in it */
    queue_fill(q);
    return true;
}

static unsigned requests_out(const VhostDev *d)
{
    unsigned n = 0;

    for (unsigned i = 0; i < d->n_queues; i++) {
        n += d->queue[i].running ? d->queue[i].n_out : 0;
    }
    return n;
}

/* Until the back end has completed all it has; false: it does not, or is lost. */
static bool drain(VhostDev *d)
{
    int64_t deadline_ns = clock_get_ns(CLOCK_TYPE_REALTIME) + d->info->timeout_ms * INT64_C(1000000);
    g_autofree struct pollfd *fds = g_new0(struct pollfd, d->n_queues);

    while (d->running && requests_out(d)) {
        int64_t left = deadline_ns - clock_get_ns(CLOCK_TYPE_REALTIME);

        for (unsigned i = 0; i < d->n_queues; i++) {
            fds[i] = (struct pollfd){ .fd = d->queue[i].running ? d->queue[i].call : -1, .events = POLLIN };
        }
        if (left <= 0) {
            fail(d, "it does not complete the requests it has");
            return false;
        }
        poll(fds, d->n_queues, (int)DIV_ROUND_UP(left, 1000000));
        for (unsigned i = 0; i < d->n_queues && d->running; i++) {
            eventfd_t ignored;

            if (fds[i].revents && eventfd_read(fds[i].fd, &ignored) == 0) {
                (void)queue_complete(&d->queue[i]);
            }
        }
    }
    return d->running;
}

static bool queue_stop(VhostQueue *q, Error **errp)
{
    if (!q->running) {
        return true;
    }
    queue_stop_watching(q);
    if (!vhost_user_stop_vring(&q->d->user, q->index, &q->base, errp)) {
        return false;
    }
    if (q->base != q->avail_idx) {
        error_setg(errp, "ring %u stands at %u, not %u", q->index, q->base, q->avail_idx);
        return false;
    }
    return true;
}

static void stop(VhostDev *d)
{
    g_autoptr(Error) err = NULL;
    bool ok = drain(d);

    for (unsigned i = 0; ok && i < d->n_queues; i++) {
        ok = queue_stop(&d->queue[i], &err);
    }
    if (err) {
        fail_with(d, err);
    }
    d->running = false;
}

static void start(VhostDev *d)
{
    uint64_t features = d->device_features | (d->user.features & BIT_ULL(VIRTIO_F_VERSION_1));
    g_autoptr(Error) err = NULL;
    bool ok = vhost_user_set_features(&d->user, features, &err) && vhost_memory_go_live(&d->memory, &err);

    d->running = true;
    for (unsigned i = 0; ok && i < d->n_queues; i++) {
        ok = queue_start(&d->queue[i], &err);
    }
    if (!ok) {
        fail_with(d, err);
    }
}

static void update(VhostDev *d, bool machine_runs)
{
    bool run = d->wanted && d->alive && machine_runs;

    if (run && !d->running) {
        start(d);
    } else if (!run && d->running) {
        stop(d);
    }
}

static void on_vm_state(void *opaque, bool running, RunState state)
{
    update(opaque, running);
}

void vhost_update(VhostDev *d, uint64_t features)
{
    d->wanted = d->vdev->status & VIRTIO_STATUS_DRIVER_OK && !d->vdev->broken;
    d->device_features = features;
    if (d->wanted && !d->alive) {
        virtio_device_failed(d->vdev);
    }
    update(d, runstate_is_running());
}

void vhost_reset(VhostDev *d)
{
    d->wanted = false;
    update(d, runstate_is_running());
    for (unsigned i = 0; i < d->n_queues; i++) {
        VhostQueue *q = &d->queue[i];

        for (unsigned j = 0; q->n_out && j < RING_SIZE; j++) {
            if (q->chain[j].vq) {
                virtchain_detach(&q->chain[j]);
                q->n_out--;
            }
        }
        ring_init(q);
    }
}

/* --- what the device sees of it --- */

uint64_t vhost_features(const VhostDev *d)
{
    return d->user.features;
}

uint64_t vhost_queues_max(const VhostDev *d)
{
    return d->user.queues_max;
}

const uint8_t *vhost_config(const VhostDev *d)
{
    return d->config;
}

void vhost_set_config(VhostDev *d, uint32_t offset, const void *data, uint32_t len)
{
    g_autoptr(Error) err = NULL;

    assert(offset + len <= d->info->config_size);
    if (!d->alive) {
        return;
    }
    if (vhost_user_set_config(&d->user, offset, data, len, &err)) {
        memcpy(d->config + offset, data, len);
    } else {
        fail_with(d, err);
    }
}

bool vhost_is_alive(const VhostDev *d)
{
    return d->alive;
}

/* --- life --- */

static bool open_queue(VhostDev *d, unsigned i, Error **errp)
{
    VhostQueue *q = &d->queue[i];

    q->d = d;
    q->vq = virtio_queue(d->vdev, i);
    q->index = i;
    q->ring = d->rings + (size_t)i * RING_BYTES;
    q->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    q->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (q->kick < 0 || q->call < 0) {
        error_setg_errno(errp, errno, "eventfd");
        return false;
    }
    ring_init(q);
    return true;
}

uint64_t vhost_queues_bytes(unsigned n)
{
    return ROUND_UP(n * (uint64_t)sizeof(VhostQueue), (uint64_t)getpagesize()) + n * (uint64_t)RING_BYTES;
}

bool vhost_add_queues(VhostDev *d, Error **errp)
{
    VhostRegion rings;

    assert(d->vdev->n_queues && d->vdev->n_queues <= QUEUES_MAX);
    d->rings_bytes = (size_t)d->vdev->n_queues * RING_BYTES;
    d->queue = memory_account_alloc(ACCOUNT, d->vdev->n_queues * sizeof(VhostQueue), errp);
    d->rings = d->queue ? memory_account_alloc_shared(ACCOUNT, d->rings_bytes, &d->rings_fd, errp) : NULL;
    if (!d->rings) {
        return false;
    }
    d->n_queues = d->vdev->n_queues;
    for (unsigned i = 0; i < d->n_queues; i++) {
        d->queue[i].kick = d->queue[i].call = -1;
    }
    for (unsigned i = 0; i < d->n_queues; i++) {
        if (!open_queue(d, i, errp)) {
            return false;
        }
    }
    rings = (VhostRegion){ .gpa = RINGS_GPA, .size = d->rings_bytes, .uaddr = (uintptr_t)d->rings, .fd = d->rings_fd };
    d->memory_ready = vhost_memory_init(&d->memory, &d->user, d->name, &rings, on_memory_failed, errp);
    return d->memory_ready;
}

VhostDev *vhost_dev_new(VirtioDevice *vdev, CharBackend *chr, const VhostDevInfo *info, Error **errp)
{
    VhostDev *d = g_new0(VhostDev, 1);

    d->vdev = vdev;
    d->info = info;
    d->name = g_strdup(info->name);
    d->rings_fd = -1;
    d->alive = vhost_user_open(&d->user, chr, info->timeout_ms, &user_events, d, errp);
    vm_state_notify_add(on_vm_state, d);
    if (d->alive && info->config_size && !vhost_user_has_config(&d->user)) {
        error_setg(errp, "the back end does not tell the device's configuration (protocol feature CONFIG)");
        d->alive = false;
    }
    if (!d->alive || !refresh_config(d, errp)) {
        error_prepend(errp, "%s: ", d->name);
        vhost_dev_free(d);
        return NULL;
    }
    return d;
}

void vhost_dev_free(VhostDev *d)
{
    vhost_reset(d);
    vm_state_notify_remove(on_vm_state, d);
    if (d->memory_ready) {
        if (d->alive) {
            vhost_memory_withdraw(&d->memory);
        }
        vhost_memory_fini(&d->memory);
    }
    vhost_user_close(&d->user);
    for (unsigned i = 0; i < d->n_queues; i++) {
        if (d->queue[i].kick >= 0) {
            close(d->queue[i].kick);
        }
        if (d->queue[i].call >= 0) {
            close(d->queue[i].call);
        }
    }
    memory_account_free(d->rings);
    memory_account_free(d->queue);
    if (d->rings_fd >= 0) {
        close(d->rings_fd);
    }
    g_free(d->name);
    g_free(d);
}
