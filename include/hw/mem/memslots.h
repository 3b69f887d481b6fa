/*
 * How many memory slots a memory device may use.
 *
 * A hypervisor and back ends in other processes (vhost) map guest memory in slots, of which they take a limited
 * number; what a slot costs depends on its size, used or not.  So a device that is large and mostly empty maps
 * its memory through many small slots, of which only those in use exist.
 *
 * Locks: BQL.
 */
#ifndef HW_MEM_MEMSLOTS_H
#define HW_MEM_MEMSLOTS_H

#include "hw/mem/memory-device.h"

enum {
    MEMSLOTS_DEVICES_MAX = 256,     /* that all memory devices together use on their own account */
    MEMSLOTS_SAFE = 509,            /* with fewer in all, the rest might not do for boot memory, BARs and vhost */
};
#define MEMSLOT_SIZE_MIN GiB

/* A back end in another process: it maps guest memory that is shared, each slot by itself. */
typedef struct MemslotUser {
    const char *name;           /* who it is, for messages */
    unsigned max;               /* slots it takes */
    unsigned used;              /* of them, now */
} MemslotUser;

typedef struct MemslotSupply {
    unsigned max;               /* the least that the accelerator and all back ends take; UINT_MAX = no limit */
    unsigned used, limit;       /* of who has the fewest left: what is mapped now, and its own limit (UINT_MAX = none) */
    const char *who;            /* that is */
    unsigned reserved;          /* promised to memory devices and not in use yet */
    unsigned promised;          /* to memory devices, in use or not */
    uint64_t quota_left;        /* bytes that memory devices may still bring */
} MemslotSupply;

MemslotSupply memslots_supply(const Machine *m);

/*
 * How many slots a device of @region_size bytes, itself part of the quota left, should cut itself into: 1 or more.
 * Never more than one per MEMSLOT_SIZE_MIN.
 */
unsigned memslots_decide(const MemslotSupply *s, uint64_t region_size);
/*
 * Divide @region_size into at most @n slots of whole MEMSLOT_SIZE_MIN each, but for the last: where they end, in
 * @end[@n]; their number.  They grow with what lies before them, as guests take memory from the start: so what is
 * mapped is never much more than what a guest has.
 */
unsigned memslots_divide(uint64_t region_size, unsigned n, uint64_t *end);
/* Are @n more to be had? */
bool memslots_available(const MemslotSupply *s, unsigned n, Error **errp) MUST_USE;

/*
 * A back end comes; @u is borrowed until it is removed.  Refused: one with fewer slots than are in use and promised, or
 * with so few that a memory device which has taken many already would have taken one, and guest memory that is not shared.
 */
bool memslots_add_user(Machine *m, MemslotUser *u, Error **errp) MUST_USE;
void memslots_remove_user(Machine *m, MemslotUser *u);
/* May @mr become guest memory, as far as the back ends are concerned? */
bool memslots_check_memory(const Machine *m, const MemoryRegion *mr, Error **errp) MUST_USE;

#endif
