/* Trace events of devices in general. */
#include "util/trace.h"

TRACE_EVENT(qdev_realize, (const void *dev, const char *type), "dev=%p(%s)", dev, type)
TRACE_EVENT(qdev_unrealize, (const void *dev, const char *type), "dev=%p(%s)", dev, type)
TRACE_EVENT(qdev_update_parent_bus, (const void *dev, const char *type, const void *bus, const char *bus_name),
            "obj=%p(%s) new_parent=%p(%s)", dev, type, bus, bus_name)
TRACE_EVENT(resettable_reset, (const void *obj, const char *type, int kind), "obj=%p(%s) type=%d", obj, type, kind)
TRACE_EVENT(machine_reset, (const char *machine, int kind), "machine '%s' type=%d", machine, kind)
