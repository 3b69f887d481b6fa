/*
 * vmcoreinfo: where the guest's kernel keeps the description of itself that debuggers of memory dumps need.
 */
#ifndef HW_MISC_VMCOREINFO_H
#define HW_MISC_VMCOREINFO_H

#include "util/qom/object.h"

/*
 * What the guest told last: guest-physical address and size of an ELF note.  False if there is no such device or the
 * guest has told nothing usable.  The guest's word: check both.
 */
bool vmcoreinfo_get(uint64_t *address, uint32_t *size);

#endif
