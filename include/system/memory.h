/*
 * Guest memory: a tree of regions, seen by address spaces as flat, sorted, RCU-published views.
 *
 * Regions are built and changed under the BQL, in transactions; when the outermost transaction
 * commits, each address space's new flat view is computed, the minimal difference is given to its
 * listeners, and the view is published.  Lookups and accesses need only rcu_read_lock.
 */
#ifndef SYSTEM_MEMORY_H
#define SYSTEM_MEMORY_H

#include "util/error.h"
#include "util/qom/object.h"

typedef struct MemoryRegion MemoryRegion;
typedef struct AddressSpace AddressSpace;
typedef struct FlatView FlatView;
typedef struct RamBlock RamBlock;
typedef struct MemoryListener MemoryListener;
typedef struct RamDiscardManager RamDiscardManager;

/* Who makes an access, as far as devices may know. */
typedef struct MemTxAttrs {
    unsigned unspecified : 1;
    unsigned secure : 1;
    unsigned user : 1;
    unsigned memory : 1;
    unsigned requester_id : 16;     /* PCI bus/devfn; for MSI: 0 = none */
} MemTxAttrs;
#define MEMTXATTRS_UNSPECIFIED ((MemTxAttrs){ .unspecified = 1 })

typedef enum MemTxResult {
    MEMTX_OK = 0,
    MEMTX_ERROR = 1,            /* the device answered with an error */
    MEMTX_DECODE_ERROR = 2,     /* nothing there */
    MEMTX_ACCESS_ERROR = 4,     /* size or alignment refused */
} MemTxResult;

typedef enum DeviceEndian { DEVICE_LITTLE_ENDIAN, DEVICE_BIG_ENDIAN } DeviceEndian;

/*
 * MMIO and port callbacks.  @addr is relative to the region; @size is 1, 2, 4 or 8.  Called with
 * the BQL held unless .lockless.  Accesses are split or widened to impl sizes by the core.
 */
typedef struct MemoryRegionOps {
    uint64_t (*read)(void *opaque, hwaddr addr, unsigned size);
    void (*write)(void *opaque, hwaddr addr, uint64_t data, unsigned size);
    MemTxResult (*read_with_attrs)(void *opaque, hwaddr addr, uint64_t *data, unsigned size, MemTxAttrs attrs);
    MemTxResult (*write_with_attrs)(void *opaque, hwaddr addr, uint64_t data, unsigned size, MemTxAttrs attrs);
    DeviceEndian endian;
    struct { unsigned min, max; bool unaligned; } valid;    /* what the guest may do; 0 = 1..8 (max 4 if unset and impl.max unset: see .c) */
    struct { unsigned min, max; bool unaligned; } impl;     /* what the callbacks take; 0 = 1..4 */
    bool lockless;
} MemoryRegionOps;

typedef enum MemoryRegionKind {
    MEMORY_REGION_CONTAINER,
    MEMORY_REGION_IO,
    MEMORY_REGION_RAM,
    MEMORY_REGION_ROM,          /* reads memory, writes ignored */
    MEMORY_REGION_ROM_DEVICE,   /* reads memory while in ROMD mode, writes go to ops */
    MEMORY_REGION_ALIAS,
} MemoryRegionKind;

struct MemoryRegion {
    Object obj;                     /* type "memory-region", embedded; unparented until owned */
    MemoryRegionKind kind;
    char *name;
    Object *owner;                  /* borrowed */
    unsigned __int128 size;         /* up to 2^64 */

    MemoryRegion *container;        /* where it is mapped; NULL = nowhere */
    hwaddr addr;                    /* in @container */
    int priority;
    bool may_overlap;
    bool enabled;
    bool readonly;
    bool romd_mode;
    bool nonvolatile;
    bool unmergeable;               /* an alias whose ranges stay apart from their neighbours in flat views */
    GPtrArray *subregions;          /* by descending priority */

    const MemoryRegionOps *ops;
    void *opaque;

    MemoryRegion *alias;
    hwaddr alias_offset;

    RamBlock *ram;                  /* RAM, ROM, ROM_DEVICE */
    RamDiscardManager *rdm;         /* which parts hold memory (system/ram-discard.h); NULL = all; RCU */
    uint8_t dirty_log_mask;         /* of DIRTY_* clients */
    bool coalesced;                 /* constant while mapped */
    GArray *eventfds;               /* of MemoryEventfd; NULL = none; BQL */
};

/* Clients of dirty tracking. */
enum { DIRTY_VGA, DIRTY_CODE, DIRTY_MIGRATION, DIRTY_RATE, DIRTY_CLIENTS };

/*
 * A piece of host memory backing guest RAM.  @offset is its place in the machine-wide ram_addr
 * space, by which dirty and code bitmaps are indexed.
 */
struct RamBlock {
    RamBlock *next;                 /* RCU list, by descending size */
    MemoryRegion *mr;
    uint8_t *host;
    uint64_t offset;                /* ram_addr of the first byte; page-aligned */
    uint64_t used_length;
    uint64_t max_length;
    uint64_t bound;                 /* bytes that may be in use as things are; BQL */
    uint64_t peak;                  /* the most that was seen resident; BQL */
    uint64_t page_size;             /* of the host mapping */
    int fd;                         /* -1 = anonymous */
    uint64_t fd_offset;
    bool shared;
    bool readonly;                  /* mapped without PROT_WRITE: nobody may write */
    bool fd_readonly;               /* the file behind cannot be written or punched */
    char idstr[128];                /* migration name: "pc.ram" */
    unsigned long *dirty[DIRTY_CLIENTS];    /* one bit per 4 KiB page; atomic; NULL until used */
};

/* --- building --- */

void memory_region_init(MemoryRegion *mr, void *owner, const char *name, uint64_t size);   /* size UINT64_MAX = 2^64 */
void memory_region_init_io(MemoryRegion *mr, void *owner, const MemoryRegionOps *ops, void *opaque,
                           const char *name, uint64_t size);
bool memory_region_init_ram(MemoryRegion *mr, void *owner, const char *name, uint64_t size, Error **errp) MUST_USE;
bool memory_region_init_rom(MemoryRegion *mr, void *owner, const char *name, uint64_t size, Error **errp) MUST_USE;
bool memory_region_init_rom_device(MemoryRegion *mr, void *owner, const MemoryRegionOps *ops, void *opaque,
                                   const char *name, uint64_t size, Error **errp) MUST_USE;
enum {
    RAM_SHARED = 1, RAM_NORESERVE = 2,
    RAM_READONLY = 4,               /* map without PROT_WRITE; the region is a ROM */
    RAM_FD_READONLY = 8,            /* @fd is open for reading only */
    RAM_IDLE = 16,                  /* nobody uses it yet: its bound is 0 */
};
/* @fd is consumed also on failure.  @align: of the host address, a power of two; 0 = by size. */
bool memory_region_init_ram_from_fd(MemoryRegion *mr, void *owner, const char *name, uint64_t size,
                                    unsigned ram_flags, int fd, uint64_t offset, uint64_t align, Error **errp) MUST_USE;
bool memory_region_init_ram_flags(MemoryRegion *mr, void *owner, const char *name, uint64_t size,
                                  unsigned ram_flags, Error **errp) MUST_USE;
/* @host is borrowed and must outlive the region. */
void memory_region_init_ram_ptr(MemoryRegion *mr, void *owner, const char *name, uint64_t size, void *host);
void memory_region_init_alias(MemoryRegion *mr, void *owner, const char *name, MemoryRegion *orig,
                              hwaddr offset, uint64_t size);
/* Must not be mapped anywhere; frees RAM after a grace period. */
void memory_region_fini(MemoryRegion *mr);

void memory_region_add_subregion(MemoryRegion *container, hwaddr offset, MemoryRegion *sub);
/* Higher priority wins; default is 0. */
void memory_region_add_subregion_overlap(MemoryRegion *container, hwaddr offset, MemoryRegion *sub, int priority);
void memory_region_del_subregion(MemoryRegion *container, MemoryRegion *sub);
void memory_region_set_enabled(MemoryRegion *mr, bool enabled);
void memory_region_set_address(MemoryRegion *mr, hwaddr addr);
void memory_region_set_size(MemoryRegion *mr, uint64_t size);
void memory_region_set_readonly(MemoryRegion *mr, bool readonly);
void memory_region_set_alias_offset(MemoryRegion *mr, hwaddr offset);
/* Before mapping: ranges through the alias @mr are never joined with their neighbours (one memory slot each). */
void memory_region_set_unmergeable(MemoryRegion *mr);
/*
 * Before mapping: writes of the guest's CPUs to @mr may come late, together, but in order, and before any other access of
 * that CPU to a device.  Who shows what they did calls memory_flush_coalesced() before.  BQL.
 */
void memory_region_set_coalesced(MemoryRegion *mr);
void memory_flush_coalesced(void);
/*
 * A write of @size bytes (0: of any size) at @addr of a region, of @value if .match, signals @fd.  The accelerator may have it
 * so for the guest's CPUs, and then the write does not come to the region's callback; other writes do as ever.
 */
typedef struct MemoryEventfd {
    hwaddr addr;
    unsigned size;
    bool match;
    uint64_t value;
    int fd;                         /* borrowed, as long as it is set */
} MemoryEventfd;
/* All those of @mr, instead of the ones before.  @n 0: none.  BQL. */
void memory_region_set_eventfds(MemoryRegion *mr, const MemoryEventfd *e, unsigned n);
/* Does the accelerator make use of them? */
bool memory_eventfds_used(void);
void memory_region_rom_device_set_romd(MemoryRegion *mr, bool romd);
static inline uint64_t memory_region_size(const MemoryRegion *mr)
{
    return mr->size > UINT64_MAX ? UINT64_MAX : (uint64_t)mr->size;
}
static inline bool memory_region_is_ram(const MemoryRegion *mr) { return mr->ram != NULL; }
static inline void *memory_region_get_ram_ptr(const MemoryRegion *mr) { return mr->ram->host; }

/* Nestable; the flat views change once, at the outermost commit. */
void memory_transaction_begin(void);
void memory_transaction_commit(void);

/* --- address spaces --- */

struct AddressSpace {
    char *name;
    MemoryRegion *root;
    FlatView *view;                 /* RCU */
    GPtrArray *listeners;           /* by ascending priority */
};

void address_space_init(AddressSpace *as, MemoryRegion *root, const char *name);
void address_space_fini(AddressSpace *as);

typedef struct FlatRange {
    hwaddr start;
    hwaddr last;                    /* inclusive */
    MemoryRegion *mr;
    hwaddr offset_in_region;
    bool readonly;                  /* RAM but not writable (ROM, read-only alias) */
    bool romd;
    bool unmergeable;               /* comes through an unmergeable alias */
} FlatRange;

struct FlatView {
    FlatRange *ranges;              /* sorted, disjoint */
    unsigned n_ranges;
    unsigned generation;            /* differs between any two views of one address space */
};

/* RCU section needed around both.  NULL = nothing there. */
const FlatView *address_space_view_rcu(AddressSpace *as);
const FlatRange *flatview_lookup(const FlatView *fv, hwaddr addr);
/* Does RAM range @r hold memory at @addr?  Sets *@len to how far that answer holds, at most *@len. */
bool flatrange_is_populated(const FlatRange *r, hwaddr addr, uint64_t *len);
/*
 * RAM of [@addr, @addr+1) for reading (or writing when @write): host pointer and how far it goes; NULL if MMIO,
 * or RAM that was given back (RamDiscardManager).
 */
void *address_space_ram_ptr_rcu(AddressSpace *as, hwaddr addr, bool write, hwaddr *len, uint64_t *ram_addr);

MemTxResult address_space_rw(AddressSpace *as, hwaddr addr, MemTxAttrs attrs, void *buf, uint64_t len, bool is_write);
MemTxResult address_space_read(AddressSpace *as, hwaddr addr, MemTxAttrs attrs, void *buf, uint64_t len);
MemTxResult address_space_write(AddressSpace *as, hwaddr addr, MemTxAttrs attrs, const void *buf, uint64_t len);
/*
 * Never a device's registers: MEMTX_ACCESS_ERROR instead, and all ones are read.  For structures of a device in guest
 * memory, whose addresses are the guest's: an access to its own registers would come in the middle of its work.
 */
MemTxResult address_space_rw_memory(AddressSpace *as, hwaddr addr, void *buf, uint64_t len, bool is_write);
/* Also into ROM (loaders, -S debuggers). */
MemTxResult address_space_write_rom(AddressSpace *as, hwaddr addr, const void *buf, uint64_t len);
MemTxResult address_space_set(AddressSpace *as, hwaddr addr, uint8_t c, uint64_t len);
/* One naturally small access of 1, 2, 4 or 8 bytes in the guest's byte order (little for le). */
uint64_t address_space_ld(AddressSpace *as, hwaddr addr, unsigned size, bool big_endian, MemTxAttrs attrs, MemTxResult *res);
void address_space_st(AddressSpace *as, hwaddr addr, uint64_t v, unsigned size, bool big_endian, MemTxAttrs attrs, MemTxResult *res);
/*
 * DMA: map up to *@len bytes for direct access; NULL if not RAM (then use address_space_rw).
 * Pair with unmap, which marks what was written dirty; @len of both is the same.  Memory that is mapped stays: its
 * owner is held, and no part of it can be discarded (ram_discard_pin()).
 */
void *address_space_map(AddressSpace *as, hwaddr addr, hwaddr *len, bool is_write, MemTxAttrs attrs);
void address_space_unmap(AddressSpace *as, void *host, hwaddr len, bool is_write, hwaddr written);
/* True if an access of that kind would be answered. */
bool address_space_access_valid(AddressSpace *as, hwaddr addr, uint64_t len, bool is_write);

/* One device access with all size rules applied; takes the BQL if needed.  For TCG's slow path and port I/O. */
MemTxResult memory_region_dispatch_read(MemoryRegion *mr, hwaddr addr, uint64_t *data, unsigned size, MemTxAttrs attrs);
MemTxResult memory_region_dispatch_write(MemoryRegion *mr, hwaddr addr, uint64_t data, unsigned size, MemTxAttrs attrs);

/* --- listeners --- */

struct MemoryListener {
    const char *name;
    int priority;
    void (*begin)(MemoryListener *l);
    void (*region_del)(MemoryListener *l, const FlatRange *r);      /* all dels before all adds */
    void (*region_add)(MemoryListener *l, const FlatRange *r);
    void (*region_nop)(MemoryListener *l, const FlatRange *r);
    void (*commit)(MemoryListener *l);                              /* after the new view is published */
    /* Some RAM of the view was given back or brought back: what was remembered of its host addresses is stale. */
    void (*population_changed)(MemoryListener *l);
    /* Ranges' MemoryRegion.eventfds are others; they also come and go with ranges. */
    void (*eventfds_changed)(MemoryListener *l);
    void (*flush_coalesced)(MemoryListener *l);
    void (*log_start)(MemoryListener *l, const FlatRange *r, unsigned client);
    void (*log_stop)(MemoryListener *l, const FlatRange *r, unsigned client);
    void (*log_sync)(MemoryListener *l, const FlatRange *r);
    AddressSpace *as;               /* set by register */
};
void memory_listener_register(MemoryListener *l, AddressSpace *as);    /* replays the present view as adds */
void memory_listener_unregister(MemoryListener *l);

/* --- RAM blocks and dirty bits --- */

RamBlock *ram_block_list_rcu(void);
RamBlock *ram_block_from_host_rcu(const void *host, uint64_t *offset);
RamBlock *ram_block_from_ram_addr_rcu(uint64_t ram_addr);
/*
 * From now on up to @bytes of @rb may be in use.  More than before must be allowed (memory_allow()), as must RAM (not
 * ROM) that is made; false and @errp if it is not.
 */
bool ram_block_set_bound(RamBlock *rb, uint64_t bytes, Error **errp) MUST_USE;
bool ram_block_discard(RamBlock *rb, uint64_t start, uint64_t len, Error **errp) MUST_USE;
/* Total of the ram_addr space in use, for bitmaps. */
uint64_t ram_addr_last(void);
/*
 * Writes to RAM by devices call this, which marks the pages dirty for all clients and, through the
 * hook below, invalidates translated code.  vCPUs under TCG do it in their slow path.
 */
void ram_block_set_dirty(RamBlock *rb, uint64_t start, uint64_t len);
/* Installed by accel/tcg: RAM bytes [ram_addr, +len) were written by someone other than a TLB hit. */
void memory_set_code_write_hook(void (*fn)(uint64_t ram_addr, uint64_t len));
/* Log writes for @client from now on; off forgets what was logged. */
void memory_region_set_log(MemoryRegion *mr, bool on, unsigned client);
/* Listeners mark the pages of @mr dirty that they know were written.  BQL. */
void memory_region_sync_dirty(const MemoryRegion *mr);
bool memory_region_snapshot_and_clear_dirty(MemoryRegion *mr, hwaddr addr, uint64_t len, unsigned client, unsigned long *bitmap);

enum { MEMORY_PRINT_FLAT = 1, MEMORY_PRINT_OWNERS = 2, MEMORY_PRINT_DISABLED = 4 };
void memory_print_tree(FILE *f, unsigned flags);

/* --- the machine's own spaces (made by system/memory at start) --- */
extern AddressSpace address_space_memory;
extern AddressSpace address_space_io;
MemoryRegion *system_memory(void);
MemoryRegion *system_io(void);
void memory_spaces_init(void);

#endif
