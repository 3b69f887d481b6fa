/*
 * `info mtree`: the region tree, and with -f the flat views.
 */
#include "memory-internal.h"

static const char *kind_name(const MemoryRegion *mr)
{
    switch (mr->kind) {
    case MEMORY_REGION_RAM:        return mr->readonly ? "rom" : "ram";
    case MEMORY_REGION_ROM:        return "rom";
    case MEMORY_REGION_ROM_DEVICE: return "romd";
    default:                       return "i/o";
    }
}

/* By its id, if users gave it one. */
static void print_owner(FILE *f, const MemoryRegion *mr)
{
    g_autofree char *path = mr->owner ? object_path(mr->owner) : NULL;
    const char *kind = mr->owner && type_is_a(mr->owner->type, type_by_name("device")) ? "dev" : "obj", *prefix = "/machine/peripheral/";

    if (!mr->owner) {
        fputs(" orphan", f);
    } else if (!path) {
        fprintf(f, " owner:{%s type=%s}", kind, mr->owner->type->name);
    } else if (g_str_has_prefix(path, prefix) && !strchr(path + strlen(prefix), '/')) {
        fprintf(f, " owner:{%s id=%s}", kind, path + strlen(prefix));
    } else {
        fprintf(f, " owner:{%s path=%s}", kind, path);
    }
}

static void print_region(FILE *f, const MemoryRegion *mr, hwaddr base, unsigned level, unsigned flags)
{
    hwaddr last = base + (hwaddr)(mr->size - 1);

    if (!mr->enabled && !(flags & MEMORY_PRINT_DISABLED)) {
        return;
    }

    fprintf(f, "%*s%016" HWADDR_PRIx "-%016" HWADDR_PRIx " (prio %d, %s): ", 2 * level, "", base, last, mr->priority,
            kind_name(mr));
    if (mr->alias) {
        fprintf(f, "alias %s @%s %016" HWADDR_PRIx "-%016" HWADDR_PRIx, mr->name, mr->alias->name, mr->alias_offset,
                mr->alias_offset + (hwaddr)(mr->size - 1));
    } else {
        fputs(mr->name, f);
    }
    fputs(mr->enabled ? "" : " [disabled]", f);
    if (flags & MEMORY_PRINT_OWNERS) {
        print_owner(f, mr);
    }
    fputc('\n', f);
    for (unsigned i = 0; mr->subregions && i < mr->subregions->len; i++) {
        const MemoryRegion *sub = g_ptr_array_index(mr->subregions, i);

        print_region(f, sub, base + sub->addr, level + 1, flags);
    }
}

static void print_flat(FILE *f, const FlatView *fv, unsigned flags)
{
    for (unsigned i = 0; i < fv->n_ranges; i++) {
        const FlatRange *r = &fv->ranges[i];

        fprintf(f, "  %016" HWADDR_PRIx "-%016" HWADDR_PRIx " (prio %d, %s): %s", r->start, r->last, r->mr->priority,
                r->readonly ? "rom" : kind_name(r->mr), r->mr->name);
        if (r->offset_in_region) {
            fprintf(f, " @%016" HWADDR_PRIx, r->offset_in_region);
        }
        if (flags & MEMORY_PRINT_OWNERS) {
            print_owner(f, r->mr);
        }
        fputc('\n', f);
    }
}

void memory_print_tree(FILE *f, unsigned flags)
{
    const bool flat = flags & MEMORY_PRINT_FLAT;
    AddressSpace *const spaces[] = { &address_space_memory, &address_space_io };

    for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
        fprintf(f, flat ? "FlatView: address-space %s\n" : "address-space: %s\n", spaces[i]->name);
        if (flat) {
            print_flat(f, spaces[i]->view, flags);
        } else {
            print_region(f, spaces[i]->root, 0, 1, flags);
        }
        fputc('\n', f);
    }
}
