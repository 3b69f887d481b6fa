/*
 * Writes of the guest that signal an eventfd instead of ending the stay in the guest (MemoryEventfd).
 *
 * What is to be so is seen in the flat views; the kernel is told the difference to what it has.  It takes a limited number:
 * what it refuses comes to the region's callback, as without.
 *
 * Reference: Linux Documentation/virt/kvm/api.rst, KVM_IOEVENTFD.
 *
 * Locks: BQL.
 */
#include "kvm-internal.h"

#include "util/rcu.h"

#include <sys/ioctl.h>

/* As the kernel has it, or is to have it; without DEASSIGN. */
typedef struct kvm_ioeventfd IoEventfd;

static KvmIoEventfds *ioeventfds_of(MemoryListener *l)
{
    return container_of(l, KvmIoEventfds, listener);
}

static bool same(const IoEventfd *a, const IoEventfd *b)
{
    return a->addr == b->addr && a->len == b->len && a->fd == b->fd && a->flags == b->flags && a->datamatch == b->datamatch;
}

static bool has(const GArray *list, const IoEventfd *e)
{
    for (unsigned i = 0; i < list->len; i++) {
        if (same(&g_array_index(list, IoEventfd, i), e)) {
            return true;
        }
    }
    return false;
}

static void want(const KvmIoEventfds *s, const FlatRange *r, const MemoryEventfd *m, GArray *wanted)
{
    IoEventfd e = {
        .addr = r->start + (m->addr - r->offset_in_region), .len = m->size ? m->size : s->any_length ? 0 : 2, .fd = m->fd,
        .datamatch = m->match ? m->value : 0,
        .flags = (m->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) | (s->pio ? KVM_IOEVENTFD_FLAG_PIO : 0),
    };

    if (m->addr >= r->offset_in_region && m->addr - r->offset_in_region <= r->last - r->start) {
        g_array_append_val(wanted, e);
    }
}

static GArray *wanted_now(const KvmIoEventfds *s)
{
    GArray *wanted = g_array_new(false, false, sizeof(IoEventfd));
    const FlatView *view;

    rcu_read_lock();
    view = address_space_view_rcu(s->listener.as);
    for (unsigned i = 0; i < view->n_ranges; i++) {
        const GArray *fds = view->ranges[i].mr->eventfds;

        for (unsigned j = 0; fds && j < fds->len; j++) {
            want(s, &view->ranges[i], &g_array_index(fds, MemoryEventfd, j), wanted);
        }
    }
    rcu_read_unlock();
    return wanted;
}

static bool tell(const KvmIoEventfds *s, IoEventfd e, uint32_t flag)
{
    e.flags |= flag;
    return ioctl(s->vm_fd, KVM_IOEVENTFD, &e) == 0;
}

static void update(MemoryListener *l)
{
    KvmIoEventfds *s = ioeventfds_of(l);
    g_autoptr(GArray) wanted = wanted_now(s);

    for (unsigned i = s->present->len; i-- > 0;) {
        const IoEventfd *e = &g_array_index(s->present, IoEventfd, i);

        if (!has(wanted, e)) {
            (void)tell(s, *e, KVM_IOEVENTFD_FLAG_DEASSIGN);
            g_array_remove_index_fast(s->present, i);
        }
    }
    for (unsigned i = 0; i < wanted->len; i++) {
        const IoEventfd *e = &g_array_index(wanted, IoEventfd, i);

        if (!has(s->present, e) && tell(s, *e, 0)) {
            g_array_append_val(s->present, *e);
        }
    }
}

void kvm_ioeventfds_init(KvmIoEventfds *s, int vm_fd, AddressSpace *as, bool pio)
{
    s->vm_fd = vm_fd;
    s->pio = pio;
    s->any_length = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD_ANY_LENGTH) > 0;
    s->present = g_array_new(false, false, sizeof(IoEventfd));
    s->listener = (MemoryListener){ .name = "kvm-ioeventfd", .commit = update, .eventfds_changed = update };
    memory_listener_register(&s->listener, as);
}

void kvm_ioeventfds_fini(KvmIoEventfds *s)
{
    if (s->present) {
        memory_listener_unregister(&s->listener);
        g_clear_pointer(&s->present, g_array_unref);
    }
}
