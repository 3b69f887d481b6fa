/*
 * A dump in progress: what is to be written, and where to.
 */
#ifndef SYSTEM_DUMP_INTERNAL_H
#define SYSTEM_DUMP_INTERNAL_H

#include "hw/core/cpu.h"
#include "system/dump.h"

/* A piece of guest memory that is contiguous in both address spaces. */
typedef struct DumpRange {
    hwaddr start;
    uint64_t size;
    const uint8_t *host;        /* borrowed from @mr */
    MemoryRegion *mr;           /* its owner is referenced */
} DumpRange;

/*
 * Where bytes go.  A sequential sink (pipe) only takes ascending offsets without gaps, a flattened
 * one wraps each piece into a record that says where it belongs.
 */
typedef struct DumpSink {
    int fd;                     /* owned */
    bool flattened;
    uint64_t at;                /* file position */
} DumpSink;

/* All three set @errp with the errno's text.  The fd is closed by dump_sink_close in every case. */
bool dump_sink_write(DumpSink *s, uint64_t offset, const void *data, size_t size, Error **errp) MUST_USE;
bool dump_sink_begin_flattened(DumpSink *s, Error **errp) MUST_USE;
bool dump_sink_end_flattened(DumpSink *s, Error **errp) MUST_USE;
bool dump_sink_close(DumpSink *s, Error **errp) MUST_USE;

typedef struct Dump {
    /* constant while the dump runs */
    GArray *ranges;             /* of DumpRange, ascending, not adjacent */
    GArray *mappings;           /* of CpuMapping, by virtual address; NULL without paging */
    GByteArray *notes;          /* ELF notes of all CPUs */
    uint64_t vmcoreinfo_at;     /* of its description in @notes; 0 = none */
    uint32_t vmcoreinfo_len;
    unsigned n_cpus;
    uint64_t total;             /* bytes in @ranges */
    DumpSink sink;

    uint64_t completed;         /* bytes written; atomic */
} Dump;

/*
 * The guest's memory within [@begin, @begin + @length), ascending.  BQL.  Fails if there is none there.
 * The caller frees the array with g_array_unref; references go with it.
 */
GArray *dump_ranges(uint64_t begin, uint64_t length, Error **errp);
/* The range that holds @addr, or NULL. */
const DumpRange *dump_range_find(const GArray *ranges, hwaddr addr);

/* The guest's vmcoreinfo note, if it told of one, after those of the CPUs. */
void dump_append_vmcoreinfo(Dump *d);

/* System V ABI, "ELF-64 Object File Format"; core file as gdb and crash take it. */
bool dump_write_elf(Dump *d, Error **errp) MUST_USE;
/* makedumpfile's "kdump-compressed" format, header version 6, pages by zlib. */
bool dump_write_kdump(Dump *d, Error **errp) MUST_USE;

#endif
