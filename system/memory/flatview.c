/*
 * Flat views: what each address of an address space is, after priorities, aliases and clipping.
 *
 * Rendering goes by descending priority and fills only gaps, so the first region to claim an
 * address has it.  Invariant: ranges are sorted by start, disjoint, and maximal (neighbours that
 * continue the same region are merged).
 */
#include "memory-internal.h"
#include "util/main-loop.h"
#include "trace.h"

typedef __int128 Addr;          /* signed: alias arithmetic goes below zero */

typedef struct Render {
    GArray *ranges;             /* of FlatRange, sorted */
} Render;

/* Insert [start, end) of @mr, whose byte at @start is @offset, wherever nothing is yet. */
static void fill_gaps(Render *r, MemoryRegion *mr, Addr start, Addr end, hwaddr offset, bool readonly, bool unmergeable)
{
    unsigned i = 0;

    while (start < end) {
        Addr gap_end = end;
        FlatRange *next = NULL;

        for (; i < r->ranges->len; i++) {
            next = &g_array_index(r->ranges, FlatRange, i);
            if ((Addr)next->last >= start) {
                break;
            }
            next = NULL;
        }
        if (next && (Addr)next->start <= start) {       /* occupied: skip over it */
            Addr skip = (Addr)next->last + 1 - start;

            start += skip;
            offset += skip;
            continue;
        }
        if (next && (Addr)next->start < gap_end) {
            gap_end = next->start;
        }
        FlatRange fresh = {
            .start = start, .last = gap_end - 1, .mr = mr, .offset_in_region = offset,
            .readonly = readonly, .romd = mr->kind == MEMORY_REGION_ROM_DEVICE && mr->romd_mode, .unmergeable = unmergeable,
        };
        g_array_insert_val(r->ranges, i, fresh);
        offset += gap_end - start;
        start = gap_end;
    }
}

/* @base: address of the region's byte 0; [@lo, @hi): what its parents let through. */
static void render_region(Render *r, MemoryRegion *mr, Addr base, Addr lo, Addr hi, bool readonly, bool unmergeable)
{
    if (!mr->enabled) {
        return;
    }
    lo = MAX(lo, base);
    hi = MIN(hi, base + (Addr)mr->size);
    if (lo >= hi) {
        return;
    }
    readonly |= mr->readonly;
    unmergeable |= mr->unmergeable;
    if (mr->alias) {
        render_region(r, mr->alias, base - (Addr)mr->alias_offset, lo, hi, readonly, unmergeable);
        return;
    }
    for (unsigned i = 0; mr->subregions && i < mr->subregions->len; i++) {
        MemoryRegion *sub = g_ptr_array_index(mr->subregions, i);

        render_region(r, sub, base + (Addr)sub->addr, lo, hi, readonly, unmergeable);
    }
    if (mr->kind != MEMORY_REGION_CONTAINER) {
        fill_gaps(r, mr, lo, hi, lo - base, readonly, unmergeable);
    }
}

static bool continues(const FlatRange *a, const FlatRange *b)
{
    return a->mr == b->mr && a->last + 1 == b->start && a->readonly == b->readonly && a->romd == b->romd
        && !a->unmergeable && !b->unmergeable && a->offset_in_region + (a->last - a->start) + 1 == b->offset_in_region;
}

static void merge_neighbours(GArray *ranges)
{
    unsigned out = 0;

    for (unsigned i = 1; i < ranges->len; i++) {
        FlatRange *prev = &g_array_index(ranges, FlatRange, out), *cur = &g_array_index(ranges, FlatRange, i);

        if (continues(prev, cur)) {
            prev->last = cur->last;
        } else {
            g_array_index(ranges, FlatRange, ++out) = *cur;
        }
    }
    if (ranges->len) {
        g_array_set_size(ranges, out + 1);
    }
}

FlatView *flatview_render(MemoryRegion *root)
{
    Render r = { g_array_new(false, false, sizeof(FlatRange)) };
    FlatView *fv = g_new0(FlatView, 1);

    trace_flatview_new(fv, root);
    render_region(&r, root, 0, 0, (Addr)1 << 64, false, false);
    merge_neighbours(r.ranges);
    fv->n_ranges = r.ranges->len;
    fv->ranges = (FlatRange *)(void *)g_array_free(r.ranges, FALSE);
    for (unsigned i = 0; i < fv->n_ranges; i++) {
        object_ref(fv->ranges[i].mr->owner);
    }
    return fv;
}

static void flatview_free(void *opaque)
{
    FlatView *fv = opaque;

    trace_flatview_destroy(fv);
    for (unsigned i = 0; i < fv->n_ranges; i++) {
        object_unref(fv->ranges[i].mr->owner);
    }
    g_free(fv->ranges);
    g_free(fv);
}

/* References are dropped under the BQL, so the grace period's end hands over to the main loop. */
static void flatview_grace_over(void *opaque)
{
    bh_schedule_once(flatview_free, opaque);
}

void flatview_release_later(FlatView *fv)
{
    rcu_call_later(flatview_grace_over, fv);
}

bool flatrange_equal(const FlatRange *a, const FlatRange *b)
{
    return a->mr == b->mr && a->start == b->start && a->last == b->last && a->readonly == b->readonly
        && a->romd == b->romd && a->offset_in_region == b->offset_in_region && a->unmergeable == b->unmergeable;
}

const FlatRange *flatview_lookup(const FlatView *fv, hwaddr addr)
{
    unsigned lo = 0, hi = fv->n_ranges;

    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;

        if (fv->ranges[mid].last < addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < fv->n_ranges && fv->ranges[lo].start <= addr ? &fv->ranges[lo] : NULL;
}
