/*
 * Memory slots: supply and division.
 *
 * The rule: a memory device may use what is left of MEMSLOTS_DEVICES_MAX, in proportion to its part of the memory
 * that may still come; one per GiB at most; and one only where there are fewer than MEMSLOTS_SAFE in all.
 */
#include "hw/mem/memslots.h"

static unsigned left_of(unsigned limit, unsigned gone)
{
    return limit > gone ? limit - gone : 0;
}

static void consider(MemslotSupply *s, const char *who, unsigned max, unsigned used)
{
    s->max = MIN(s->max, max);
    if (left_of(max, used) < left_of(s->limit, s->used)) {
        s->limit = max;
        s->used = used;
        s->who = who;
    }
}

MemslotSupply memslots_supply(const Machine *m)
{
    const DeviceMemory *dm = m->device_memory;
    Accel *accel = current_accel();
    MemslotSupply s = { .max = UINT_MAX, .limit = UINT_MAX, .quota_left = dm ? dm->quota : 0 };

    if (accel && accel_info(accel)->memory_slots) {
        unsigned max = UINT_MAX, used = 0;

        accel_info(accel)->memory_slots(accel, &max, &used);
        consider(&s, "the accelerator", max, used);
    }
    for (unsigned i = 0; m->memslot_users && i < m->memslot_users->len; i++) {
        const MemslotUser *u = g_ptr_array_index(m->memslot_users, i);

        consider(&s, u->name, u->max, u->used);
    }
    for (unsigned i = 0; dm && i < dm->devices->len; i++) {
        const MemoryDevice *md = g_ptr_array_index(dm->devices, i);

        s.promised += md->memslots;
        s.reserved += md->memslots - MIN(md->memslots_used, md->memslots);
        s.quota_left -= MIN(s.quota_left, memory_region_size(md->mr));
    }
    return s;
}

static unsigned left(const MemslotSupply *s)
{
    return left_of(s->limit, s->used + s->reserved);
}

unsigned memslots_decide(const MemslotSupply *s, uint64_t region_size)
{
    uint64_t n;

    if (s->max < MEMSLOTS_SAFE || s->promised >= MEMSLOTS_DEVICES_MAX) {
        return 1;
    }
    n = MIN(MEMSLOTS_DEVICES_MAX - s->promised, left(s));
    if (region_size < s->quota_left) {
        n = (uint64_t)((unsigned __int128)n * region_size / s->quota_left);
    }
    return (unsigned)MAX(1, MIN(n, DIV_ROUND_UP(region_size, MEMSLOT_SIZE_MIN)));
}

/*
 * Slots of one unit up to the @share-th, then of a @share-th of what lies before; their number, which is @n at most: the
 * last takes all that is left.
 */
static unsigned divide_units(uint64_t units, unsigned n, uint64_t share, uint64_t *end)
{
    uint64_t at = 0;
    unsigned i = 0;

    while (at < units) {
        at = i + 1 == n ? units : MIN(units, at + MAX(1, at / share));
        end[i++] = at;
    }
    return i;
}

unsigned memslots_divide(uint64_t region_size, unsigned n, uint64_t *end)
{
    uint64_t units = DIV_ROUND_UP(region_size, MEMSLOT_SIZE_MIN), low = 1, high = units;

    while (low < high) {        /* the finest whose last slot is no larger than the rule makes it */
        uint64_t share = (low + high + 1) / 2;
        unsigned used = divide_units(units, n, share, end);
        uint64_t before = used > 1 ? end[used - 2] : 0;

        if (units - before <= MAX(1, before / share)) {
            low = share;
        } else {
            high = share - 1;
        }
    }
    n = divide_units(units, n, low, end);
    for (unsigned i = 0; i < n; i++) {
        end[i] = MIN(end[i] * MEMSLOT_SIZE_MIN, region_size);
    }
    return n;
}

bool memslots_available(const MemslotSupply *s, unsigned n, Error **errp)
{
    if (left(s) < n) {
        error_setg(errp, "%s has no memory slots left: %u of %u are in use and %u reserved, %u are needed", s->who, s->used,
                   s->limit, s->reserved, n);
        return false;
    }
    return true;
}

/* --- back ends --- */

static bool is_shared(const MemoryRegion *mr)
{
    return mr->ram->shared && mr->ram->fd >= 0;
}

static bool check_shared(const MemoryRegion *mr, const char *who, Error **errp)
{
    if (!is_shared(mr)) {
        error_setg(errp, "%s needs guest memory that it can map: '%s' is not shared (memory-backend-memfd or "
                   "memory-backend-file with share=on)", who, mr->ram->idstr);
        return false;
    }
    return true;
}

bool memslots_check_memory(const Machine *m, const MemoryRegion *mr, Error **errp)
{
    const MemslotUser *u = m->memslot_users && m->memslot_users->len ? g_ptr_array_index(m->memslot_users, 0) : NULL;

    return !u || check_shared(mr, u->name, errp);
}

static bool check_machine_memory(const Machine *m, const MemslotUser *u, Error **errp)
{
    const DeviceMemory *dm = m->device_memory;

    if (!m->n_numa && m->ram && !check_shared(m->ram, u->name, errp)) {
        return false;
    }
    for (unsigned i = 0; i < m->n_numa; i++) {
        Object *memdev = m->numa[i].memdev;

        if (memdev && !check_shared(&HOST_MEMORY_BACKEND(memdev)->mr, u->name, errp)) {
            return false;
        }
    }
    for (unsigned i = 0; dm && i < dm->devices->len; i++) {
        if (!check_shared(((MemoryDevice *)g_ptr_array_index(dm->devices, i))->memory, u->name, errp)) {
            return false;
        }
    }
    return true;
}

/* Has a memory device divided its memory by how many slots there were? */
static bool decided(const Machine *m)
{
    const DeviceMemory *dm = m->device_memory;
    bool many = false;

    for (unsigned i = 0; dm && i < dm->devices->len; i++) {
        many |= ((MemoryDevice *)g_ptr_array_index(dm->devices, i))->memslots > 1;
    }
    return many;
}

bool memslots_add_user(Machine *m, MemslotUser *u, Error **errp)
{
    unsigned reserved = memslots_supply(m).reserved;

    if (!check_machine_memory(m, u, errp)) {
        return false;
    }
    if (u->max < MEMSLOTS_SAFE && decided(m)) {
        error_setg(errp, "%s takes %u memory slots, and a memory device (virtio-mem) has decided how many it uses as if there "
                   "were %u at least", u->name, u->max, MEMSLOTS_SAFE);
        error_append_hint(errp, "Plug the back end before such memory devices, or use dynamic-memslots=off for them.\n");
        return false;
    }
    if (u->used + reserved > u->max) {
        error_setg(errp, "%s takes %u memory slots, which is less than the %u in use and %u reserved for memory devices", u->name,
                   u->max, u->used, reserved);
        return false;
    }
    m->memslot_users = m->memslot_users ? m->memslot_users : g_ptr_array_new();
    g_ptr_array_add(m->memslot_users, u);
    return true;
}

void memslots_remove_user(Machine *m, MemslotUser *u)
{
    g_ptr_array_remove(m->memslot_users, u);
}
