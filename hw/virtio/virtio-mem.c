/*
 * Virtio memory device: section 5.15.
 *
 * A region of guest-physical addresses of which the guest takes (plugs) and gives back (unplugs) blocks, up to the
 * size it is asked to have.  What the guest has is what the RamDiscardManager says is populated; the rest holds no
 * host memory, whatever is accessed.
 *
 * The region is mapped through aliases to the backend, one or many ("slots", hw/mem/memslots.h); with many, only
 * those in which the guest has a block are enabled.
 *
 * Invariants: size is the sum of populated blocks; size <= requested_size at the time of each plug; blocks lie below
 * usable_size; an alias is enabled if and only if something in it is populated (the only one of dynamic-memslots=off: always).
 */
#include "hw/mem/memslots.h"
#include "hw/virtio/virtio.h"
#include "qapi/qapi-events.h"
#include "system/ram-discard.h"
#include "util/log.h"
#include "util/main-loop.h"
#include "util/rcu.h"

#include <unistd.h>

/* Feature bits, section 5.15.3 */
enum { MEM_F_ACPI_PXM = 0, MEM_F_UNPLUGGED_INACCESSIBLE = 1, MEM_F_PERSISTENT_SUSPEND = 2 };
/* Configuration, section 5.15.4 */
enum {
    CFG_BLOCK_SIZE = 0, CFG_NODE_ID = 8, CFG_ADDR = 16, CFG_REGION_SIZE = 24, CFG_USABLE_SIZE = 32, CFG_PLUGGED_SIZE = 40,
    CFG_REQUESTED_SIZE = 48, CFG_SIZE = 56,
};
/* Requests and responses, section 5.15.6 */
enum { REQ_PLUG = 0, REQ_UNPLUG = 1, REQ_UNPLUG_ALL = 2, REQ_STATE = 3 };
enum { RESP_ACK = 0, RESP_NACK = 1, RESP_BUSY = 2, RESP_ERROR = 3 };
enum { STATE_PLUGGED = 0, STATE_UNPLUGGED = 1, STATE_MIXED = 2 };
enum { REQ_BYTES = 24, RESP_BYTES = 10, REQ_AT_ADDR = 8, REQ_AT_N_BLOCKS = 16, RESP_AT_STATE = 8 };

#define THP_SIZE_FILE       "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
#define THP_SIZE_DEFAULT    (2 * MiB)
/* The guest adds memory in sections of 128 MiB: the usable part has room beyond what is requested. */
#define USABLE_EXTRA        (256 * MiB)
#define BITMAP_WORDS_MAX    (1u << 24)

typedef struct VirtioMem {
    VirtioDevice vdev;

    /* properties; constant once realized */
    Object *memdev;                 /* counted */
    uint32_t node;
    uint64_t memaddr;               /* 0 = anywhere; the address in use once realized */
    uint64_t block_size;            /* 0 = by the host's and the backend's pages */
    bool prealloc;
    int unplugged_inaccessible;     /* OnOffAuto: the feature is required, not offered, or offered */
    int dynamic_memslots;           /* OnOffAuto */

    /* constant once realized */
    HostMemoryBackend *backend;
    uint64_t region_size;
    MemoryDevice md;
    MemoryRegion container;
    MemoryRegion *slot;             /* aliases into the backend's region */
    unsigned n_slots;
    RamDiscardManager *mgr;

    /* guest-visible state */
    uint64_t requested_size, usable_size;
    uint64_t size;                  /* plugged */
    uint64_t *saved;                /* populated blocks as bits, while state is saved or loaded */
    uint32_t n_saved;
} VirtioMem;

OBJECT_DECLARE(VirtioMem, VIRTIO_MEM, virtio_mem)

/* The device the user knows: the PCI form, or ourselves. */
static Device *outer_device(VirtioMem *s)
{
    Object *parent = s->vdev.dev.obj.parent;

    return object_is(parent, &device_type) ? DEVICE(parent) : &s->vdev.dev;
}

/* --- sizes --- */

static void size_changed(VirtioMem *s)
{
    Device *dev = outer_device(s);
    g_autofree char *path = object_path(dev);

    qapi_event_send_memory_device_size_change(dev->id, s->size, path);
}

static void grow_usable(VirtioMem *s)
{
    uint64_t want = s->requested_size > s->region_size - MIN(s->region_size, USABLE_EXTRA) ? s->region_size
                  : s->requested_size + USABLE_EXTRA;

    s->usable_size = MAX(s->usable_size, want);
}

static void shrink_usable(VirtioMem *s)
{
    s->usable_size = 0;
    grow_usable(s);
}

/* --- the mapping --- */

/* Enable just those aliases in [@offset, +@len) that hold something. */
static void update_slots(VirtioMem *s, uint64_t offset, uint64_t len)
{
    if (s->dynamic_memslots != ON_OFF_AUTO_ON) {
        return;     /* always there */
    }
    memory_transaction_begin();
    for (unsigned i = 0; i < s->n_slots && s->slot[i].addr < offset + len; i++) {
        uint64_t start = s->slot[i].addr, size = memory_region_size(&s->slot[i]);
        bool want = !ram_discard_is_discarded(s->mgr, start, size);

        if (start + size > offset && want != s->slot[i].enabled) {
            memory_region_set_enabled(&s->slot[i], want);
            s->md.memslots_used += want ? 1 : -1u;
        }
    }
    memory_transaction_commit();
}

/* --- giving memory back --- */

/* The guest may take up to @requested, and keep what it has meanwhile. */
static bool bound_memory(VirtioMem *s, uint64_t requested, Error **errp)
{
    return ram_block_set_bound(s->backend->mr.ram, MAX(requested, s->size), errp);
}

/* What went is not counted any more. */
static void lower_bound_of_memory(VirtioMem *s, uint64_t requested)
{
    bool ok = bound_memory(s, requested, &error_abort);

    assert(ok);
}

typedef struct Sweep {
    VirtioMem *s;                   /* counted */
    uint64_t offset, len;
} Sweep;

static bool sweep_run(uint64_t offset, uint64_t len, void *opaque)
{
    VirtioMem *s = opaque;
    g_autoptr(Error) err = NULL;

    if (!ram_block_discard(s->backend->mr.ram, offset, len, &err)) {
        guest_error("virtio-mem", "%s", error_get_pretty(err));
    }
    return true;
}

static void sweep(void *opaque)
{
    Sweep *w = opaque;

    if (w->s->mgr) {
        ram_region_foreach_discarded(&w->s->backend->mr, w->offset, w->len, sweep_run, w->s);
    }
    object_unref(w->s);
    g_free(w);
}

static void sweep_on_main_loop(void *opaque)
{
    bh_schedule_once(sweep, opaque);
}

/*
 * A CPU may still write by a translation of before the unplug, and so bring pages back; by the end of a grace period
 * all have flushed it.  What is still unplugged then is given back once more.
 */
static void sweep_later(VirtioMem *s, uint64_t offset, uint64_t len)
{
    Sweep *w = g_new0(Sweep, 1);

    object_ref(s);
    *w = (Sweep){ s, offset, len };
    rcu_call_later(sweep_on_main_loop, w);
}

/* [@offset, +@len) is populated and becomes nothing; false: as before, which also is so while a device does DMA there. */
static bool unplug_run(VirtioMem *s, uint64_t offset, uint64_t len)
{
    g_autoptr(Error) err = NULL;

    if (!ram_discard_discard(s->mgr, offset, len)) {
        return false;
    }
    if (!ram_block_discard(s->backend->mr.ram, offset, len, &err)) {
        warn_report("virtio-mem: %s", error_get_pretty(err));
        if (ram_discard_populate(s->mgr, offset, len)) {
            return false;
        }
    }
    s->size -= len;
    lower_bound_of_memory(s, s->requested_size);
    update_slots(s, offset, len);
    sweep_later(s, offset, len);
    return true;
}

static bool unplug_run_cb(uint64_t offset, uint64_t len, void *opaque)
{
    return unplug_run(opaque, offset, len);
}

static bool unplug_all(VirtioMem *s)
{
    uint64_t before = s->size;
    bool done = !ram_discard_is_pinned(s->mgr, 0, s->region_size)
             && ram_region_foreach_populated(&s->backend->mr, 0, s->region_size, unplug_run_cb, s);

    if (done) {
        shrink_usable(s);
    }
    if (s->size != before) {
        size_changed(s);
    }
    return done;
}

/* --- requests, section 5.15.6.2: each returns the response's type --- */

/* The blocks are aligned, in number, and within the usable region. */
static bool blocks_valid(const VirtioMem *s, uint64_t addr, uint64_t n_blocks, uint64_t *offset, uint64_t *len)
{
    *offset = addr - s->md.addr;
    *len = n_blocks * s->block_size;
    return n_blocks && addr >= s->md.addr && !(*offset & (s->block_size - 1)) && *len <= s->usable_size
        && *offset <= s->usable_size - *len;
}

/* Memory that the host may not have when the guest touches it is had now. */
static bool must_populate(const VirtioMem *s)
{
    return s->prealloc || (host_memory_backend_page_size(s->backend) > (uint64_t)getpagesize() && !s->backend->reserve);
}

static unsigned plug(VirtioMem *s, uint64_t addr, uint64_t n_blocks)
{
    RamBlock *rb = s->backend->mr.ram;
    uint64_t offset, len;

    if (!blocks_valid(s, addr, n_blocks, &offset, &len) || !ram_discard_is_discarded(s->mgr, offset, len)) {
        return RESP_ERROR;
    }
    if (s->size > s->requested_size || len > s->requested_size - s->size) {
        return RESP_NACK;
    }
    if (must_populate(s)) {
        g_autoptr(Error) err = NULL;

        if (!memory_prealloc(rb->host + offset, len, rb->page_size, s->backend->prealloc_threads, &err)) {
            warn_report("virtio-mem: %s", error_get_pretty(err));
            sweep_run(offset, len, s);
            return RESP_BUSY;
        }
    }
    if (!ram_discard_populate(s->mgr, offset, len)) {
        sweep_run(offset, len, s);
        return RESP_BUSY;
    }
    s->size += len;
    update_slots(s, offset, len);
    size_changed(s);
    return RESP_ACK;
}

static unsigned unplug(VirtioMem *s, uint64_t addr, uint64_t n_blocks)
{
    uint64_t offset, len;

    if (!blocks_valid(s, addr, n_blocks, &offset, &len) || !ram_discard_is_populated(s->mgr, offset, len)) {
        return RESP_ERROR;
    }
    if (!unplug_run(s, offset, len)) {
        return RESP_BUSY;
    }
    size_changed(s);
    return RESP_ACK;
}

static unsigned state(const VirtioMem *s, uint64_t addr, uint64_t n_blocks, uint16_t *out)
{
    uint64_t offset, len;

    if (!blocks_valid(s, addr, n_blocks, &offset, &len)) {
        return RESP_ERROR;
    }
    *out = ram_discard_is_populated(s->mgr, offset, len) ? STATE_PLUGGED
         : ram_discard_is_discarded(s->mgr, offset, len) ? STATE_UNPLUGGED : STATE_MIXED;
    return RESP_ACK;
}

static unsigned serve(VirtioMem *s, const uint8_t *req, uint16_t *state_out)
{
    uint64_t addr = ld64_le(req + REQ_AT_ADDR);
    uint16_t n_blocks = ld16_le(req + REQ_AT_N_BLOCKS);

    switch (ld16_le(req)) {
    case REQ_PLUG:       return plug(s, addr, n_blocks);
    case REQ_UNPLUG:     return unplug(s, addr, n_blocks);
    case REQ_UNPLUG_ALL: return unplug_all(s) ? RESP_ACK : RESP_BUSY;
    case REQ_STATE:      return state(s, addr, n_blocks, state_out);
    }
    guest_error("virtio-mem", "unknown request %u", ld16_le(req));
    return RESP_ERROR;
}

static void handle_request(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtChain chain;

    while (virtqueue_pop(vq, &chain)) {
        uint8_t req[REQ_BYTES] = { 0 }, resp[RESP_BYTES] = { 0 };
        uint16_t st = 0;

        if (chain.out_len < REQ_BYTES || chain.in_len < RESP_BYTES) {
            virtio_error(vdev, "request of %zu bytes with room for %zu bytes of response", chain.out_len, chain.in_len);
            virtchain_detach(&chain);
            return;
        }
        virtchain_read(&chain, 0, req, sizeof(req));
        st16_le(resp, (uint16_t)serve(VIRTIO_MEM(vdev), req, &st));
        st16_le(resp + RESP_AT_STATE, st);
        virtqueue_push(vq, &chain, virtchain_write(&chain, 0, resp, sizeof(resp)));
    }
    virtqueue_notify(vq);
}

/* --- configuration and features --- */

static void mem_get_config(VirtioDevice *vdev, uint8_t *config)
{
    VirtioMem *s = VIRTIO_MEM(vdev);

    st64_le(config + CFG_BLOCK_SIZE, s->block_size);
    st16_le(config + CFG_NODE_ID, (uint16_t)s->node);
    st64_le(config + CFG_ADDR, s->md.addr);
    st64_le(config + CFG_REGION_SIZE, s->region_size);
    st64_le(config + CFG_USABLE_SIZE, s->usable_size);
    st64_le(config + CFG_PLUGGED_SIZE, s->size);
    st64_le(config + CFG_REQUESTED_SIZE, s->requested_size);
}

/* Plugged memory survives the machine's sleep: a wake-up reset leaves it (mem_system_reset()). */
static uint64_t mem_get_features(VirtioDevice *vdev)
{
    VirtioMem *s = VIRTIO_MEM(vdev);

    return 1ULL << MEM_F_ACPI_PXM | 1ULL << MEM_F_PERSISTENT_SUSPEND
         | (s->unplugged_inaccessible != ON_OFF_AUTO_OFF ? 1ULL << MEM_F_UNPLUGGED_INACCESSIBLE : 0);
}

static bool mem_accept_features(VirtioDevice *vdev, uint64_t features)
{
    VirtioMem *s = VIRTIO_MEM(vdev);

    if (s->unplugged_inaccessible == ON_OFF_AUTO_ON && !(features >> MEM_F_UNPLUGGED_INACCESSIBLE & 1)) {
        guest_error("virtio-mem", "the driver does not accept that unplugged memory is inaccessible (unplugged-inaccessible=on)");
        return false;
    }
    return true;
}

/* Not at the device's own reset: the driver keeps its memory over that (section 5.15.5). */
static void mem_system_reset(void *opaque, ResetType type)
{
    VirtioMem *s = opaque;

    if (type == RESET_COLD) {
        unplug_all(s);
    }
}

/* --- properties --- */

static Value *get_requested_size(Object *obj, const Property *p)
{
    return value_uint(VIRTIO_MEM(obj)->requested_size);
}

static bool check_requested_size(const VirtioMem *s, uint64_t v, Error **errp)
{
    if (v > s->region_size) {
        error_setg(errp, "cannot exceed the memory backend size (0x%" PRIx64 "), got 0x%" PRIx64, s->region_size, v);
        return false;
    }
    if (v & (s->block_size - 1)) {
        error_setg(errp, "has to be a multiple of 'block-size' (0x%" PRIx64 "), got 0x%" PRIx64, s->block_size, v);
        return false;
    }
    return true;
}

static bool set_requested_size(Object *obj, const Property *p, const Value *v, Error **errp)
{
    VirtioMem *s = VIRTIO_MEM(obj);
    uint64_t size;

    if (!value_get_uint(v, &size)) {
        g_autofree char *got = value_describe(v);

        error_setg(errp, "must be a size, got %s", got);
        return false;
    }
    if (s->vdev.dev.realized) {
        if (!check_requested_size(s, size, errp)) {
            return false;
        }
        if (size != s->requested_size) {
            if (!bound_memory(s, size, errp)) {
                return false;
            }
            s->requested_size = size;
            grow_usable(s);
            virtio_notify_config(&s->vdev);
        }
    }
    s->requested_size = size;
    return true;
}

static Value *get_size(Object *obj, const Property *p)
{
    return value_uint(VIRTIO_MEM(obj)->size);
}

static Value *get_dynamic_memslots(Object *obj, const Property *p)
{
    return value_bool(VIRTIO_MEM(obj)->dynamic_memslots == ON_OFF_AUTO_ON);
}

/* A bool; "auto", the default, is decided when the device is realized. */
static bool set_dynamic_memslots(Object *obj, const Property *p, const Value *v, Error **errp)
{
    VirtioMem *s = VIRTIO_MEM(obj);
    const char *text = value_type(v) == VALUE_STRING ? value_get_string(v) : NULL;

    if (value_type(v) == VALUE_BOOL) {
        s->dynamic_memslots = value_get_bool(v) ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
    } else if (text && (!strcmp(text, "on") || !strcmp(text, "true"))) {
        s->dynamic_memslots = ON_OFF_AUTO_ON;
    } else if (text && (!strcmp(text, "off") || !strcmp(text, "false"))) {
        s->dynamic_memslots = ON_OFF_AUTO_OFF;
    } else if (text && !strcmp(text, "auto")) {
        s->dynamic_memslots = ON_OFF_AUTO_AUTO;
    } else {
        g_autofree char *got = value_describe(v);

        error_setg(errp, "must be on, off or auto, got %s", got);
        return false;
    }
    return true;
}

static const Property mem_properties[] = {
    PROP_LINK("memdev", VirtioMem, memdev, host_memory_backend, .help = "where the memory comes from"),
    PROP_UINT32("node", VirtioMem, node, 0, .max = UINT16_MAX, .help = "NUMA node of the guest"),
    PROP_UINT64("memaddr", VirtioMem, memaddr, 0, .help = "guest-physical address of the region; 0 = any"),
    PROP_SIZE("block-size", VirtioMem, block_size, 0, .unit = "bytes",
              .help = "memory comes and goes in multiples of it; 0 = the host's huge page"),
    PROP_CUSTOM(size, "requested-size", get_requested_size, set_requested_size, .unit = "bytes", .settable_live = true,
                .help = "what the guest shall have"),
    PROP_CUSTOM(size, "size", get_size, NULL, .unit = "bytes", .help = "what the guest has"),
    PROP_BOOL("prealloc", VirtioMem, prealloc, false, .help = "touch memory when the guest takes it"),
    PROP_ON_OFF_AUTO("unplugged-inaccessible", VirtioMem, unplugged_inaccessible, ON_OFF_AUTO_ON,
                     .help = "the driver must leave unplugged memory alone; auto = it may say so"),
    PROP_CUSTOM(any, "dynamic-memslots", get_dynamic_memslots, set_dynamic_memslots, .shown = "bool",
                .help = "map in slots that exist only while the guest has memory there; auto unless said"),
};

/* --- realize --- */

static uint64_t host_huge_page_size(void)
{
    g_autofree char *text = NULL;
    uint64_t size = g_file_get_contents(THP_SIZE_FILE, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;

    return is_power_of_2(size) ? size : THP_SIZE_DEFAULT;
}

static bool check_block_size(VirtioMem *s, Error **errp)
{
    uint64_t thp = host_huge_page_size(), page = host_memory_backend_page_size(s->backend);

    if (!s->block_size) {
        s->block_size = MAX(thp, page);
    }
    if (!is_power_of_2(s->block_size)) {
        error_setg(errp, "'block-size' property has to be a power of two, got 0x%" PRIx64, s->block_size);
        return false;
    }
    if (s->block_size < thp || s->block_size < page) {
        error_setg(errp, "'block-size' property has to be at least 0x%" PRIx64 " (%s), got 0x%" PRIx64, MAX(thp, page),
                   page > thp ? "the memdev's page size" : "the host's transparent huge page size", s->block_size);
        return false;
    }
    if (s->region_size & (s->block_size - 1)) {
        error_setg(errp, "backend memory size has to be a multiple of 'block-size' (0x%" PRIx64 "), got 0x%" PRIx64,
                   s->block_size, s->region_size);
        return false;
    }
    return true;
}

static bool check_backend(const VirtioMem *s, Error **errp)
{
    if (s->backend->prealloc) {
        error_setg(errp, "'memdev' property specifies a memdev with preallocation enabled: %s. Instead, specify 'prealloc=on' for "
                   "the virtio-mem device", s->backend->obj.name);
        return false;
    }
    return true;
}

static bool check_properties(VirtioMem *s, Error **errp)
{
    Error *err = NULL;

    if (!check_backend(s, errp) || !memory_device_check_node(s->node, errp) || !check_block_size(s, errp)) {
        return false;
    }
    if (!check_requested_size(s, s->requested_size, &err)) {
        error_prepend(&err, "'requested-size' property ");
        error_propagate(errp, err);
        return false;
    }
    if (s->dynamic_memslots == ON_OFF_AUTO_ON && s->unplugged_inaccessible != ON_OFF_AUTO_ON) {
        error_setg(errp, "'dynamic-memslots' property set to 'on' requires 'unplugged-inaccessible' to be 'on'");
        return false;
    }
    if (s->dynamic_memslots == ON_OFF_AUTO_AUTO) {
        s->dynamic_memslots = s->unplugged_inaccessible == ON_OFF_AUTO_ON ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
    }
    return true;
}

static void make_slots(VirtioMem *s)
{
    bool dynamic = s->dynamic_memslots == ON_OFF_AUTO_ON;
    MemslotSupply supply = memslots_supply(current_machine());
    uint64_t end[MEMSLOTS_DEVICES_MAX], start = 0;

    s->n_slots = memslots_divide(s->region_size, dynamic ? memslots_decide(&supply, s->region_size) : 1, end);
    s->slot = g_new0(MemoryRegion, s->n_slots);
    memory_region_init(&s->container, s, "virtio-mem", s->region_size);
    for (unsigned i = 0; i < s->n_slots; i++) {
        memory_region_init_alias(&s->slot[i], s, "virtio-mem-slot", &s->backend->mr, start, end[i] - start);
        if (s->n_slots > 1) {
            memory_region_set_unmergeable(&s->slot[i]);
        }
        s->slot[i].enabled = !dynamic;
        memory_region_add_subregion(&s->container, start, &s->slot[i]);
        start = end[i];
    }
    s->md.memslots = s->n_slots;
    s->md.memslots_used = dynamic ? 0 : s->n_slots;
}

static void drop_slots(VirtioMem *s)
{
    for (unsigned i = 0; i < s->n_slots; i++) {
        memory_region_del_subregion(&s->container, &s->slot[i]);
        memory_region_fini(&s->slot[i]);
    }
    memory_region_fini(&s->container);
    g_clear_pointer(&s->slot, g_free);
    s->n_slots = 0;
}

static uint64_t md_plugged_size(const MemoryDevice *md)
{
    return container_of(md, VirtioMem, md)->size;
}

static void md_fill_info(const MemoryDevice *md, QapiMemoryDeviceInfo *info)
{
    VirtioMem *s = container_of(md, VirtioMem, md);
    QapiVirtioMEMDeviceInfo *v = g_new0(QapiVirtioMEMDeviceInfo, 1);

    v->id = g_strdup(md->dev->id);
    v->memaddr = md->addr;
    v->requested_size = s->requested_size;
    v->size = s->size;
    v->max_size = s->region_size;
    v->block_size = s->block_size;
    v->node = s->node;
    v->memdev = object_path(s->memdev);
    info->type = QAPI_MEMORY_DEVICE_TYPE_VIRTIO_MEM;
    info->u.virtio_mem.data = v;
}

static const MemoryDeviceOps md_ops = { .plugged_size = md_plugged_size, .fill_info = md_fill_info };

/* The region gets its place, and then nothing the file or a former user left stays. */
static bool plug_device(VirtioMem *s, Error **errp)
{
    bool placed;

    make_slots(s);
    s->md.ops = &md_ops;
    s->md.dev = outer_device(s);
    s->md.mr = &s->container;
    s->md.memory = &s->backend->mr;
    s->mgr = ram_discard_manager_new(&s->backend->mr, s->block_size);
    placed = memory_device_plug(&s->md, s->memaddr, s->block_size, errp);
    if (!placed || !ram_block_discard(s->backend->mr.ram, 0, s->region_size, errp)) {
        if (placed) {
            memory_device_unplug(&s->md);
        }
        ram_discard_manager_free(g_steal_pointer(&s->mgr));
        drop_slots(s);
        return false;
    }
    s->memaddr = s->md.addr;
    return true;
}

static bool mem_realize(Device *dev, Error **errp)
{
    VirtioMem *s = VIRTIO_MEM(dev);
    uint64_t bound_before;

    s->backend = memory_device_take_backend(s->memdev, errp);
    if (!s->backend) {
        return false;
    }
    s->region_size = s->backend->mr.ram->used_length;
    bound_before = s->backend->mr.ram->bound;
    if (!check_properties(s, errp) || !bound_memory(s, s->requested_size, errp) || !plug_device(s, errp)) {
        s->backend->mr.ram->bound = bound_before;
        host_memory_backend_release(s->backend);
        return false;
    }
    s->n_saved = (uint32_t)DIV_ROUND_UP(s->region_size / s->block_size, 64);
    shrink_usable(s);
    reset_register(mem_system_reset, s);
    return true;
}

static void mem_unrealize(Device *dev)
{
    VirtioMem *s = VIRTIO_MEM(dev);

    reset_unregister(mem_system_reset, s);
    memory_device_unplug(&s->md);
    ram_region_foreach_populated(&s->backend->mr, 0, s->region_size, sweep_run, s);
    ram_discard_manager_free(g_steal_pointer(&s->mgr));
    drop_slots(s);
    s->size = 0;
    lower_bound_of_memory(s, 0);
    host_memory_backend_release(s->backend);
    g_clear_pointer(&s->saved, g_free);
}

static bool mem_may_unplug(Device *dev, Error **errp)
{
    VirtioMem *s = VIRTIO_MEM(dev);
    const char *what = s->size ? "size" : s->requested_size ? "requested-size" : NULL;

    if (what) {
        error_setg(errp, "virtio-mem device cannot get unplugged while '%s' != '0'", what);
        return false;
    }
    return true;
}

/* --- state --- */

static bool save_run(uint64_t offset, uint64_t len, void *opaque)
{
    VirtioMem *s = opaque;

    for (uint64_t i = offset / s->block_size; i < (offset + len) / s->block_size; i++) {
        s->saved[i / 64] |= BIT_ULL(i % 64);
    }
    return true;
}

static bool mem_pre_save(void *opaque, Error **errp)
{
    VirtioMem *s = opaque;

    g_free(s->saved);
    s->saved = g_new0(uint64_t, s->n_saved);
    return ram_region_foreach_populated(&s->backend->mr, 0, s->region_size, save_run, s);
}

static bool mem_post_load(void *opaque, unsigned version, Error **errp)
{
    VirtioMem *s = opaque;
    uint64_t n = s->region_size / s->block_size, usable = s->usable_size / s->block_size;

    if (s->usable_size > s->region_size) {
        error_setg(errp, "virtio-mem: usable size 0x%" PRIx64 " exceeds the region's 0x%" PRIx64, s->usable_size, s->region_size);
        return false;
    }
    if (!check_requested_size(s, s->requested_size, errp)) {
        error_prepend(errp, "virtio-mem: requested size ");
        return false;
    }
    s->size = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (!(s->saved[i / 64] >> (i % 64) & 1)) {
            continue;
        }
        if (i >= usable || !ram_discard_populate(s->mgr, i * s->block_size, s->block_size)) {
            error_setg(errp, "virtio-mem: block %" PRIu64 " cannot be plugged, %" PRIu64 " are usable", i, usable);
            return false;
        }
        s->size += s->block_size;
    }
    update_slots(s, 0, s->region_size);
    return true;
}

static const VMState vmstate_mem = {
    .name = "virtio-mem", .version = 1, .minimum_version = 1, .pre_save = mem_pre_save, .post_load = mem_post_load,
    .fields = (const VMField[]){
        VMS_U64(VirtioMem, requested_size), VMS_U64(VirtioMem, usable_size),
        { .name = "plugged", .kind = VMF_U64, .offset = offsetof(VirtioMem, saved), .size = 8, .count = BITMAP_WORDS_MAX,
          .count_offset = offsetof(VirtioMem, n_saved), .var_count = true },
        VMS_END,
    },
};

VIRTIO_MODERN_DEVICE_DEFINE(VirtioMem, virtio_mem, "virtio-mem",
    .desc = "memory that the guest takes and gives back in blocks",
    .virtio_id = VIRTIO_ID_MEM,
    .pci_class = PCI_CLASS_OTHERS,
    .queue = { { "guest-request", 128, handle_request } },
    .config_size = CFG_SIZE,
    .properties = PROPS(mem_properties),
    .realize = mem_realize,
    .unrealize = mem_unrealize,
    .may_unplug = mem_may_unplug,
    .get_features = mem_get_features,
    .accept_features = mem_accept_features,
    .get_config = mem_get_config,
    .vmstate = &vmstate_mem,
)
