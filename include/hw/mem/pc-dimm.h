/*
 * A DIMM: all of a backend in one memory slot of the machine (-m slots=).
 */
#ifndef HW_MEM_PC_DIMM_H
#define HW_MEM_PC_DIMM_H

#include "hw/mem/memory-device.h"

typedef struct PcDimm {
    Device dev;

    /* properties; constant once realized */
    Object *memdev;             /* counted */
    uint32_t node;
    uint64_t addr;              /* 0 = anywhere; the address in use once realized */
    int32_t slot;               /* -1 = the first free; the one in use once realized */

    HostMemoryBackend *backend;
    MemoryDevice md;
} PcDimm;

extern const TypeInfo pc_dimm_type;     /* "pc-dimm" */
static inline PcDimm *PC_DIMM(const void *obj)
{
    return (PcDimm *)object_check_cast(obj, &pc_dimm_type);
}

/* What is in slot @slot; NULL if nothing is. */
PcDimm *pc_dimm_in_slot(const Machine *m, unsigned slot);
static inline uint64_t pc_dimm_size(const PcDimm *d)
{
    return memory_region_size(d->md.mr);
}

#endif
