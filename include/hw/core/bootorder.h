/*
 * Boot order: which devices firmware tries, and in which order (bootindex=).
 *
 * A device that can be booted from has an int32_t field, a PROP_BOOTINDEX row and DeviceInfo.boot_part, what
 * firmware finds on it ("disk@0,0").  Locks: BQL.
 */
#ifndef HW_CORE_BOOTORDER_H
#define HW_CORE_BOOTORDER_H

#include "hw/core/qdev.h"

/* -1 = not to be booted from; else unique among all devices. */
#define PROP_BOOTINDEX(name, S, field)                                                        \
    PROP_INT32(name, S, field, -1, .shown = "int32", .min = (uint64_t)-1, .max = INT32_MAX, .changed = bootindex_changed, \
               .settable_live = true, .help = "place in the boot order")
bool bootindex_changed(Object *obj, const Property *p, Error **errp);

/*
 * The list firmware reads, devices by ascending index as Open Firmware paths, one a line; with @strict it ends with HALT, which
 * means "nothing else".  Owned, NUL-terminated; *@len counts the NUL.  An empty list is NULL and 0.
 */
char *bootorder_list(bool strict, size_t *len);

#endif
