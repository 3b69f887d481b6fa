/*
 * Notifications of a virtio device on PCI that do not stop the guest's CPU: an eventfd for each queue, which the main loop
 * answers (property "ioeventfd").
 *
 * They are in force while the driver is up and the machine runs, for devices whose queues the main loop runs; an iothread
 * is woken by the CPU itself, which is one hop less.  A write that comes to the window's callback all the same is a kick as
 * ever.
 *
 * Locks: BQL.
 */
#include "hw/virtio/virtio-pci-internal.h"
#include "system/runstate.h"
#include "util/log.h"
#include "util/main-loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

typedef struct Notifier {
    VirtioPci *p;
    unsigned queue;
    int fd;
} Notifier;

struct VirtioPciNotify {
    unsigned n;
    Notifier notifier[];
};

/* Was there a kick since the last time? */
static bool notifier_take(Notifier *n)
{
    eventfd_t count;

    return eventfd_read(n->fd, &count) == 0;
}

static void on_kick(void *opaque)
{
    Notifier *n = opaque;

    if (notifier_take(n)) {
        virtio_queue_kick(n->p->vdev, n->queue);        /* may stop the notifiers */
    }
}

static void tell_windows(VirtioPci *p, const VirtioPciNotify *s)
{
    unsigned n = s ? s->n : 0;
    g_autofree MemoryEventfd *modern = g_new0(MemoryEventfd, n + 1), *legacy = g_new0(MemoryEventfd, n + 1);

    for (unsigned i = 0; i < n; i++) {
        unsigned queue = s->notifier[i].queue;

        modern[i] = (MemoryEventfd){ .addr = queue * VIRTIO_PCI_NOTIFY_MULTIPLIER, .fd = s->notifier[i].fd };
        legacy[i] = (MemoryEventfd){ .addr = VIRTIO_PCI_LEGACY_NOTIFY, .size = 2, .match = true, .value = queue,
                                     .fd = s->notifier[i].fd };
    }
    if (p->modern_on) {
        memory_region_set_eventfds(&p->notify, modern, n);
    }
    if (p->legacy_on) {
        memory_region_set_eventfds(&p->legacy_io, legacy, n);
    }
}

static bool is_wanted(const VirtioPci *p)
{
    return p->ioeventfd && !p->vdev->own_thread && p->vdev->status & VIRTIO_STATUS_DRIVER_OK && !p->vdev->broken &&
        runstate_is_running() && memory_eventfds_used();
}

static void start(VirtioPci *p)
{
    VirtioPciNotify *s = g_malloc0(sizeof(*s) + p->vdev->n_queues * sizeof(s->notifier[0]));

    for (unsigned i = 0; i < p->vdev->n_queues; i++) {
        Notifier *n = &s->notifier[s->n];

        if (virtqueue_is_ready(virtio_queue(p->vdev, i))) {
            *n = (Notifier){ .p = p, .queue = i, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
            if (n->fd < 0) {
                warn_report("%s: no ioeventfd for queue %u: %s", p->pci.dev.obj.type->name, i, g_strerror(errno));
                break;
            }
            main_loop_set_fd(n->fd, on_kick, NULL, n);
            s->n++;
        }
    }
    p->notify_fds = s;
    tell_windows(p, s);
}

/* @finish: kicks that came are not lost. */
static void stop(VirtioPci *p, bool finish)
{
    VirtioPciNotify *s = g_steal_pointer(&p->notify_fds);

    tell_windows(p, NULL);
    for (unsigned i = 0; i < s->n; i++) {
        main_loop_set_fd(s->notifier[i].fd, NULL, NULL, NULL);
    }
    for (unsigned i = 0; i < s->n; i++) {
        if (finish && notifier_take(&s->notifier[i])) {
            virtio_queue_kick(p->vdev, s->notifier[i].queue);
        }
        close(s->notifier[i].fd);
    }
    g_free(s);
}

void virtio_pci_notify_update(VirtioPci *p)
{
    bool wanted = is_wanted(p);

    if (wanted && !p->notify_fds) {
        start(p);
    } else if (!wanted && p->notify_fds) {
        stop(p, true);
    }
}

void virtio_pci_notify_drop(VirtioPci *p)
{
    if (p->notify_fds) {
        stop(p, false);
    }
}

static void state_changed(void *opaque, bool running, RunState state)
{
    VirtioPci *p = opaque;

    if (!running && p->notify_fds) {
        stop(p, true);
    } else if (running) {
        virtio_pci_notify_update(p);
    }
}

void virtio_pci_notify_realize(VirtioPci *p)
{
    vm_state_notify_add(state_changed, p);
}

void virtio_pci_notify_unrealize(VirtioPci *p)
{
    vm_state_notify_remove(state_changed, p);
    virtio_pci_notify_drop(p);
}
