/*
 * Guest memory for a vhost back end: the flat view's shared RAM as a table of slots.
 *
 * Ranges of one RAM block at one distance from their guest addresses are one slot, also over what lies between them (the
 * holes that a board cuts into its memory for ROM and VGA): so boot memory takes two slots, and what firmware does there
 * changes nothing.  Ranges of memory that is populated in parts (virtio-mem) stay as they are: what the guest does not
 * have of it is not given to the back end, up to the size of a slot.
 *
 * Invariant: while live, what the back end has is what there is, whenever a memory transaction ends.
 */
#include "hw/virtio/vhost-memory.h"
#include "util/rcu.h"

#include <unistd.h>

static VhostRegion *region_at(GArray *a, unsigned i)
{
    return &g_array_index(a, VhostRegion, i);
}

static bool same_region(const VhostRegion *a, const VhostRegion *b)
{
    return a->gpa == b->gpa && a->size == b->size && a->uaddr == b->uaddr && a->fd == b->fd;
}

static bool has_region(GArray *a, const VhostRegion *r)
{
    for (unsigned i = 0; i < a->len; i++) {
        if (same_region(region_at(a, i), r)) {
            return true;
        }
    }
    return false;
}

/* --- what there is --- */

/* The back end may write there. */
static bool is_shareable(const FlatRange *r)
{
    return r->mr->kind == MEMORY_REGION_RAM && !r->readonly && r->mr->ram->shared && r->mr->ram->fd >= 0 && !r->mr->ram->readonly;
}

/* In whole pages of the file, where its pages and the guest's coincide. */
static VhostRegion region_of(const FlatRange *r)
{
    const RamBlock *rb = r->mr->ram;
    uint64_t page = MAX(rb->page_size, (uint64_t)getpagesize()), delta = r->start - r->offset_in_region, start, end;

    page = delta & (page - 1) ? 1 : page;
    start = ROUND_DOWN(r->offset_in_region, page);
    end = MIN(ROUND_UP(r->offset_in_region + (r->last - r->start) + 1, page), rb->used_length);
    return (VhostRegion){
        .gpa = delta + start, .size = end - start, .uaddr = (uintptr_t)rb->host + start, .fd = rb->fd,
        .fd_offset = rb->fd_offset + start,
    };
}

/* One slot with the earlier part of the same memory, if there is one. */
static bool merge(GArray *regions, const VhostRegion *r)
{
    for (unsigned i = 0; i < regions->len; i++) {
        VhostRegion *e = region_at(regions, i);

        if (e->fd == r->fd && e->gpa - e->uaddr == r->gpa - r->uaddr) {
            e->size = r->gpa + r->size - e->gpa;
            return true;
        }
    }
    return false;
}

static void collect(VhostMemory *m)
{
    const FlatView *view;

    g_array_set_size(m->wanted, 0);
    rcu_read_lock();
    view = address_space_view_rcu(m->listener.as);
    for (unsigned i = 0; i < view->n_ranges; i++) {
        const FlatRange *r = &view->ranges[i];
        VhostRegion region;

        if (!is_shareable(r)) {
            continue;
        }
        region = region_of(r);
        if (r->mr->rdm || r->unmergeable || !merge(m->wanted, &region)) {
            g_array_append_val(m->wanted, region);
        }
    }
    rcu_read_unlock();
    g_array_append_val(m->wanted, m->rings);
    m->slots.used = m->wanted->len;
}

/* --- what the back end has --- */

static bool follow_by_table(VhostMemory *m, Error **errp)
{
    bool same = m->told->len == m->wanted->len;

    for (unsigned i = 0; same && i < m->wanted->len; i++) {
        same = same_region(region_at(m->told, i), region_at(m->wanted, i));
    }
    if (same) {
        return true;
    }
    g_array_set_size(m->told, 0);
    if (!vhost_user_set_table(m->user, region_at(m->wanted, 0), m->wanted->len, errp)) {
        return false;
    }
    g_array_append_vals(m->told, m->wanted->data, m->wanted->len);
    return true;
}

/* What goes, goes first: there is room for what comes. */
static bool follow_by_slots(VhostMemory *m, Error **errp)
{
    for (unsigned i = m->told->len; i-- > 0;) {
        VhostRegion gone = *region_at(m->told, i);

        if (!has_region(m->wanted, &gone)) {
            g_array_remove_index(m->told, i);
            if (!vhost_user_remove_region(m->user, &gone, errp)) {
                return false;
            }
        }
    }
    for (unsigned i = 0; i < m->wanted->len; i++) {
        const VhostRegion *r = region_at(m->wanted, i);

        if (!has_region(m->told, r)) {
            if (!vhost_user_add_region(m->user, r, errp)) {
                return false;
            }
            g_array_insert_vals(m->told, MIN(i, m->told->len), r, 1);
        }
    }
    return true;
}

static bool follow(VhostMemory *m, Error **errp)
{
    m->last = 0;
    if (m->wanted->len > m->slots.max) {
        error_setg(errp, "guest memory takes %u memory slots, the back end %u", m->wanted->len, m->slots.max);
        return false;
    }
    return vhost_user_has_slots(m->user) ? follow_by_slots(m, errp) : follow_by_table(m, errp);
}

static void on_commit(MemoryListener *l)
{
    VhostMemory *m = container_of(l, VhostMemory, listener);
    g_autoptr(Error) err = NULL;

    collect(m);
    if (m->live && !follow(m, &err)) {
        m->live = false;
        m->failed(m, error_get_pretty(err));
    }
}

bool vhost_memory_go_live(VhostMemory *m, Error **errp)
{
    m->live = m->live || follow(m, errp);
    return m->live;
}

void vhost_memory_withdraw(VhostMemory *m)
{
    g_autoptr(Error) err = NULL;

    m->live = false;
    g_array_set_size(m->wanted, 0);
    if (m->told->len && vhost_user_has_slots(m->user) && !follow_by_slots(m, &err)) {
        warn_report("%s: %s", m->slots.name, error_get_pretty(err));
    }
    collect(m);
}

bool vhost_memory_address(VhostMemory *m, const void *host, uint64_t len, uint64_t *gpa)
{
    uint64_t at = (uintptr_t)host;

    for (unsigned n = 0; n < m->told->len; n++) {
        const VhostRegion *r = region_at(m->told, m->last);

        if (at >= r->uaddr && len <= r->size && at - r->uaddr <= r->size - len) {
            *gpa = r->gpa + (at - r->uaddr);
            return true;
        }
        m->last = (m->last + 1) % m->told->len;
    }
    return false;
}

/* --- life --- */

bool vhost_memory_init(VhostMemory *m, VhostUser *user, const char *name, const VhostRegion *rings,
                       void (*failed)(VhostMemory *m, const char *why), Error **errp)
{
    *m = (VhostMemory){
        .listener = { .name = "vhost", .commit = on_commit }, .user = user, .rings = *rings, .failed = failed,
        .wanted = g_array_new(false, false, sizeof(VhostRegion)), .told = g_array_new(false, false, sizeof(VhostRegion)),
        .slots = { .name = name, .max = user->slots_max },
    };
    memory_listener_register(&m->listener, &address_space_memory);
    if (!memslots_add_user(current_machine(), &m->slots, errp)) {
        memory_listener_unregister(&m->listener);
        g_array_unref(m->wanted);
        g_array_unref(m->told);
        return false;
    }
    return true;
}

void vhost_memory_fini(VhostMemory *m)
{
    memslots_remove_user(current_machine(), &m->slots);
    memory_listener_unregister(&m->listener);
    g_array_unref(m->wanted);
    g_array_unref(m->told);
}
