/*
 * Which guest memory there is to dump.
 */
#include "dump-internal.h"

#include "system/ram-discard.h"
#include "util/rcu.h"

static void range_clear(void *p)
{
    object_unref(((DumpRange *)p)->mr->owner);
}

static bool continues(const DumpRange *a, const DumpRange *b)
{
    return a->start + a->size == b->start && a->host + a->size == b->host && a->mr == b->mr;
}

typedef struct Adding {
    GArray *ranges;
    const FlatRange *r;
} Adding;

/* A run of memory that is there, at @offset of the flat range's region; joined to the last one where it goes on. */
static bool add_run(uint64_t offset, uint64_t len, void *opaque)
{
    const Adding *a = opaque;
    const FlatRange *r = a->r;
    DumpRange fresh = { r->start + (offset - r->offset_in_region), len, r->mr->ram->host + offset, r->mr }, *prev;

    prev = a->ranges->len ? &g_array_index(a->ranges, DumpRange, a->ranges->len - 1) : NULL;
    if (prev && continues(prev, &fresh)) {
        prev->size += len;
        return true;
    }
    object_ref(r->mr->owner);
    g_array_append_val(a->ranges, fresh);
    return true;
}

/* The part of @r within [@begin, @last], without what a memory device has not plugged. */
static void add_clipped(GArray *ranges, const FlatRange *r, hwaddr begin, hwaddr last)
{
    hwaddr lo = MAX(r->start, begin), hi = MIN(r->last, last);
    Adding a = { ranges, r };

    if (lo <= hi) {
        ram_region_foreach_populated(r->mr, r->offset_in_region + (lo - r->start), hi - lo + 1, add_run, &a);
    }
}

GArray *dump_ranges(uint64_t begin, uint64_t length, Error **errp)
{
    hwaddr last = length && begin + length > begin ? begin + length - 1 : UINT64_MAX;
    GArray *ranges = g_array_new(false, false, sizeof(DumpRange));
    const FlatView *fv;

    g_array_set_clear_func(ranges, range_clear);
    rcu_read_lock();
    fv = address_space_view_rcu(&address_space_memory);
    for (unsigned i = 0; i < fv->n_ranges; i++) {
        if (fv->ranges[i].mr->ram) {
            add_clipped(ranges, &fv->ranges[i], begin, last);
        }
    }
    rcu_read_unlock();
    if (!ranges->len) {
        error_setg(errp, "the machine has no memory in 0x%" PRIx64 "..0x%" PRIx64, begin, last);
        g_array_unref(ranges);
        return NULL;
    }
    return ranges;
}

const DumpRange *dump_range_find(const GArray *ranges, hwaddr addr)
{
    unsigned lo = 0, hi = ranges->len;

    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        const DumpRange *r = &g_array_index(ranges, DumpRange, mid);

        if (addr < r->start) {
            hi = mid;
        } else if (addr - r->start >= r->size) {
            lo = mid + 1;
        } else {
            return r;
        }
    }
    return NULL;
}
