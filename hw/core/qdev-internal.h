/* Between qdev.c, bus.c and reset.c. */
#ifndef HW_CORE_QDEV_INTERNAL_H
#define HW_CORE_QDEV_INTERNAL_H

#include "hw/core/qdev.h"

const TypeInfo *device_bus_type(const TypeInfo *type);  /* NULL: sits on no bus */
/* The first bus of @type in the tree that has room; NULL if none. */
Bus *bus_find_free(const TypeInfo *type);

/* Into and out of the bus's list, and its links. */
void bus_attach_device(Bus *bus, Device *dev);
void bus_detach_device(Device *dev);

#endif
