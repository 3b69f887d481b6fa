/*
 * Memory slots: supply and division.
 *
 * The rule: a memory device may use what is left of MEMSLOTS_DEVICES_MAX, in proportion to its part of the memory
 * that may still come; one per GiB at most; and one only where there are fewer than MEMSLOTS_SAFE in all.
 */
#include "hw/mem/memslots.h"

MemslotSupply memslots_supply(const Machine *m)
{
    const DeviceMemory *dm = m->device_memory;
    Accel *accel = current_accel();
    MemslotSupply s = { .max = UINT_MAX, .quota_left = dm ? dm->quota : 0 };

    if (accel && accel_info(accel)->memory_slots) {
        accel_info(accel)->memory_slots(accel, &s.max, &s.used);
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
    unsigned gone = s->used + s->reserved;

    return s->max > gone ? s->max - gone : 0;
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
        error_setg(errp, "the accelerator has no memory slots left: %u of %u are in use and %u reserved, %u are needed", s->used,
                   s->max, s->reserved, n);
        return false;
    }
    return true;
}
