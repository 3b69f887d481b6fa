/* Between object.c and the property files. */
#ifndef UTIL_QOM_PROPERTY_INTERNAL_H
#define UTIL_QOM_PROPERTY_INTERNAL_H

#include "util/qom/object.h"

void object_properties_set_defaults(Object *obj);
void object_properties_release(Object *obj);
/* Exits with a message on a -global whose value is refused. */
void object_global_properties_apply(Object *obj);

/* Store @target (any object of the link's type, or NULL) with its reference. */
void link_property_store(Object *obj, const Property *p, Object *target);

#endif
