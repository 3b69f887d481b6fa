/*
 * Memory slots: guest RAM of the flat view, told to the kernel.
 *
 * The view's differences are minimal, so that a range that stays keeps its slot and what the kernel
 * knows of it.  A range is told in whole pages; what remains of a page at its ends is reached through
 * exits.  Dirty bits are fetched when somebody asks for them (log_sync).
 *
 * Reference: Linux Documentation/virt/kvm/api.rst, KVM_SET_USER_MEMORY_REGION, KVM_GET_DIRTY_LOG.
 */
#include "kvm-internal.h"

#include "util/log.h"
#include "util/rcu.h"

#include <errno.h>
#include <sys/ioctl.h>

#define PAGE 4096ull

static KvmSlots *slots_of(MemoryListener *l)
{
    return container_of(l, KvmSlots, listener);
}

static bool slot_tell(KvmSlots *s, unsigned i)
{
    const KvmSlot *slot = &s->slot[i];
    struct kvm_userspace_memory_region r = {
        .slot = i, .flags = slot->flags, .guest_phys_addr = slot->start, .memory_size = slot->size,
        .userspace_addr = slot->userspace_addr,
    };

    s->updates++;
    return ioctl(s->vm_fd, KVM_SET_USER_MEMORY_REGION, &r) == 0;
}

static uint32_t slot_flags(const FlatRange *r)
{
    return (r->readonly || r->mr->kind == MEMORY_REGION_ROM_DEVICE ? KVM_MEM_READONLY : 0) |
           (r->mr->dirty_log_mask & ~(1u << DIRTY_CODE) ? KVM_MEM_LOG_DIRTY_PAGES : 0);
}

/* Memory the kernel may give to the guest: not a ROM device in command mode. */
static bool is_slot_memory(const FlatRange *r)
{
    return r->mr->ram && (r->mr->kind != MEMORY_REGION_ROM_DEVICE || r->romd);
}

static KvmSlot range_slot(const FlatRange *r)
{
    hwaddr start = ROUND_UP(r->start, PAGE), end = ROUND_DOWN(r->last + 1, PAGE);
    hwaddr offset = r->offset_in_region + (start - r->start);

    if (start >= end || !is_slot_memory(r)) {
        return (KvmSlot){ 0 };
    }
    return (KvmSlot){
        .start = start, .size = end - start, .userspace_addr = (uintptr_t)r->mr->ram->host + offset, .mr = r->mr,
        .offset = offset, .flags = slot_flags(r),
    };
}

static int slot_find(const KvmSlots *s, hwaddr start, uint64_t size)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (s->slot[i].size == size && (!size || s->slot[i].start == start)) {
            return (int)i;
        }
    }
    return -1;
}

/*
 * Where memory lies is the guest's to choose (BARs), also beyond what the kernel can map: it is reached through exits
 * there, and no instruction can be fetched from it.
 */
static void without_slot(const KvmSlot *slot, const char *why)
{
    guest_error("kvm", "no memory slot for 0x%" PRIx64 " bytes at 0x%" PRIx64 ": %s", slot->size, slot->start, why);
}

static void region_add(MemoryListener *l, const FlatRange *r)
{
    KvmSlots *s = slots_of(l);
    KvmSlot slot = range_slot(r);
    int i;

    if (!slot.size) {
        return;
    }
    i = slot_find(s, 0, 0);
    if (i < 0) {
        without_slot(&slot, "all slots are in use");
        return;
    }
    s->slot[i] = slot;
    if (!slot_tell(s, i)) {
        without_slot(&slot, g_strerror(errno));
        s->slot[i] = (KvmSlot){ 0 };
        return;
    }
    s->used++;
    s->peak = MAX(s->peak, s->used);
}

/* Marks what the kernel saw written. */
static void slot_sync(KvmSlots *s, unsigned i)
{
    const KvmSlot *slot = &s->slot[i];
    uint64_t pages = slot->size / PAGE;
    g_autofree uint64_t *bits = g_new0(uint64_t, DIV_ROUND_UP(pages, 64));
    struct kvm_dirty_log log = { .slot = i, .dirty_bitmap = bits };

    if (ioctl(s->vm_fd, KVM_GET_DIRTY_LOG, &log) < 0) {
        return;                         /* nothing was written yet */
    }
    for (uint64_t w = 0; w < DIV_ROUND_UP(pages, 64); w++) {
        for (uint64_t left = bits[w]; left; left &= left - 1) {
            ram_block_set_dirty(slot->mr->ram, slot->offset + (w * 64 + __builtin_ctzll(left)) * PAGE, PAGE);
        }
    }
}

static void region_del(MemoryListener *l, const FlatRange *r)
{
    KvmSlots *s = slots_of(l);
    KvmSlot slot = range_slot(r);
    int i = slot.size ? slot_find(s, slot.start, slot.size) : -1;

    if (i < 0) {
        return;
    }
    if (s->slot[i].flags & KVM_MEM_LOG_DIRTY_PAGES) {
        slot_sync(s, i);
    }
    s->slot[i].size = 0;
    if (!slot_tell(s, i)) {             /* else the guest would go on using what may be freed */
        error_report("KVM keeps memory slot %d at 0x%" PRIx64 ": %s", i, slot.start, g_strerror(errno));
        abort();
    }
    s->slot[i] = (KvmSlot){ 0 };
    s->used--;
}

/* Some client began or ended logging: the flags follow. */
static void log_changed(MemoryListener *l, const FlatRange *r, unsigned client)
{
    KvmSlots *s = slots_of(l);
    KvmSlot slot = range_slot(r);
    int i = slot.size ? slot_find(s, slot.start, slot.size) : -1;

    if (i >= 0 && s->slot[i].flags != slot.flags) {
        s->slot[i].flags = slot.flags;
        if (!slot_tell(s, i)) {
            error_report("KVM keeps the flags of memory slot %d at 0x%" PRIx64 ": %s", i, slot.start, g_strerror(errno));
            abort();
        }
    }
}

static void log_sync(MemoryListener *l, const FlatRange *r)
{
    KvmSlots *s = slots_of(l);
    KvmSlot slot = range_slot(r);
    int i = slot.size ? slot_find(s, slot.start, slot.size) : -1;

    if (i >= 0 && s->slot[i].flags & KVM_MEM_LOG_DIRTY_PAGES) {
        slot_sync(s, i);
    }
}

/* --- slots of no guest memory --- */

static bool view_has(hwaddr start, uint64_t size)
{
    const FlatView *view;
    bool found = false;

    rcu_read_lock();
    view = address_space_view_rcu(&address_space_memory);
    for (unsigned i = 0; i < view->n_ranges; i++) {
        found |= view->ranges[i].start < start + size && start <= view->ranges[i].last;
    }
    rcu_read_unlock();
    return found;
}

static bool slots_have(const KvmSlots *s, hwaddr start, uint64_t size)
{
    bool found = false;

    for (unsigned i = 0; i < s->n; i++) {
        found |= s->slot[i].size && s->slot[i].start < start + size && start < s->slot[i].start + s->slot[i].size;
    }
    return found;
}

hwaddr kvm_slots_add_private(KvmSlots *s, void *host, uint64_t size, hwaddr limit, Error **errp)
{
    int i = slot_find(s, 0, 0);
    hwaddr start = limit;

    do {
        start = start > size ? start - size : 0;
    } while (start && (view_has(start, size) || slots_have(s, start, size)));
    if (i < 0) {
        error_setg(errp, "all %u memory slots are in use", s->n);
        return 0;
    }
    if (!start) {
        error_setg(errp, "no room for 0x%" PRIx64 " bytes of page tables below 0x%" PRIx64, size, limit);
        return 0;
    }
    s->slot[i] = (KvmSlot){ .start = start, .size = size, .userspace_addr = (uintptr_t)host };
    if (!slot_tell(s, i)) {
        error_setg_errno(errp, errno, "KVM takes no memory slot of 0x%" PRIx64 " bytes at 0x%" PRIx64, size, start);
        s->slot[i] = (KvmSlot){ 0 };
        return 0;
    }
    s->used++;
    s->peak = MAX(s->peak, s->used);
    s->private_low = s->private_low == s->private_high ? start : MIN(s->private_low, start);
    s->private_high = MAX(s->private_high, start + size);
    return start;
}

static KvmSlot *find_private(KvmSlots *s, hwaddr start)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (s->slot[i].size && !s->slot[i].mr && s->slot[i].start == start) {
            return &s->slot[i];
        }
    }
    return NULL;
}

bool kvm_slots_renew_private(KvmSlots *s, hwaddr start, Error **errp)
{
    KvmSlot *slot = find_private(s, start);
    unsigned i = (unsigned)(slot - s->slot);
    uint64_t size = slot->size;
    bool ok;

    slot->size = 0;
    ok = slot_tell(s, i);
    slot->size = size;
    ok = ok && slot_tell(s, i);
    if (!ok) {
        error_setg_errno(errp, errno, "KVM does not renew memory slot %u at 0x%" PRIx64, i, start);
    }
    return ok;
}

void kvm_slots_remove_private(KvmSlots *s, hwaddr start)
{
    KvmSlot *slot = find_private(s, start);

    slot->size = 0;
    (void)slot_tell(s, (unsigned)(slot - s->slot));
    *slot = (KvmSlot){ 0 };
    s->used--;
}

void kvm_slots_init(KvmSlots *s, int vm_fd, unsigned n_slots)
{
    s->vm_fd = vm_fd;
    s->n = n_slots;
    s->slot = g_new0(KvmSlot, n_slots);
    s->listener = (MemoryListener){
        .name = "kvm", .region_add = region_add, .region_del = region_del, .log_start = log_changed, .log_stop = log_changed,
        .log_sync = log_sync,
    };
    memory_listener_register(&s->listener, &address_space_memory);
}

void kvm_slots_fini(KvmSlots *s)
{
    memory_listener_unregister(&s->listener);
    g_free(s->slot);
}
