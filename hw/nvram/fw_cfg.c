/*
 * fw_cfg device (docs/specs/fw_cfg of the interface's makers): items, file directory, port, MMIO and DMA access.
 *
 * What must hold:
 *  I1  every read is checked against the selected item's length; beyond it the guest reads zeros
 *  I2  a file's selector is FW_CFG_FILE_FIRST + its order of insertion and never changes; the directory
 *      shows files sorted by name
 *  I3  a DMA request touches guest memory that is RAM, or at most DMA_MMIO_LIMIT bytes that are not, and
 *      does not start another (a descriptor may aim at our own registers)
 * Locks: BQL.
 */
#include "hw/nvram/fw_cfg.h"
#include "hw/core/machine.h"
#include "util/account.h"
#include "util/log.h"

#define KEY_INDEX_MASK      0x3fff          /* below the architecture bit and the old write bit */
#define KEY_ARCH_LOCAL      FW_CFG_ARCH_LOCAL
#define KEY_INVALID         0xffff

#define FILE_SLOTS_MIN      0x10
#define FILE_SLOTS_MAX      (KEY_INDEX_MASK - FW_CFG_FILE_FIRST)

#define ID_TRADITIONAL      BIT(0)
#define ID_DMA              BIT(1)

#define DMA_SIGNATURE       0x51454d5520434647ULL   /* "QEMU CFG" */
#define DMA_DESC_LEN        16
enum { DMA_ERROR = BIT(0), DMA_READ = BIT(1), DMA_SKIP = BIT(2), DMA_SELECT = BIT(3), DMA_WRITE = BIT(4) };

#define DMA_CHUNK           4096
/* Device memory written byte by byte under the big lock: enough for any real table. */
#define DMA_MMIO_LIMIT      (64 * KiB)

/* One directory entry as the guest sees it: be32 size, be16 selector, be16 zero, name. */
#define DIR_ENTRY_LEN       (8 + FW_CFG_MAX_FILE_PATH)

typedef struct FwCfgItem {
    uint8_t *data;                  /* NULL = no such item */
    uint32_t len;
    void (*free)(void *data);       /* NULL: @data is borrowed */
    bool writable;
    FwCfgSelectFn *on_select;
    FwCfgWriteFn *on_write;
    void *opaque;
} FwCfgItem;

typedef struct FwCfgFile {
    char *name;                     /* owned */
    uint16_t key;
} FwCfgFile;

struct FwCfg {
    SysBusDevice sbd;

    /* properties */
    uint16_t file_slots;
    bool dma_enabled;

    /* constant after realize */
    AddressSpace *dma_as;           /* borrowed; NULL = no DMA */
    unsigned n_items;               /* in each of the two tables */
    FwCfgItem *items[2];            /* owned: generic and architecture-local */

    GArray *files;                  /* of FwCfgFile, sorted by name */

    /* guest-visible state */
    uint16_t cur_key;
    uint32_t cur_offset;
    uint64_t dma_addr;

    bool in_dma;
};

typedef struct FwCfgIo {
    FwCfg parent;
    MemoryRegion ports, dma;
} FwCfgIo;

typedef struct FwCfgMem {
    FwCfg parent;
    MemoryRegion ctl, data, dma;
    uint32_t data_width;
} FwCfgMem;

/* --- items --- */

static FwCfgItem *item_get(FwCfg *s, uint16_t key)
{
    unsigned index = key & KEY_INDEX_MASK;

    return index < s->n_items ? &s->items[!!(key & KEY_ARCH_LOCAL)][index] : NULL;
}

/* The selected item; NULL if the guest selected nothing that exists. */
static FwCfgItem *item_current(FwCfg *s)
{
    FwCfgItem *item = s->cur_key == KEY_INVALID ? NULL : item_get(s, s->cur_key);

    return item && item->data ? item : NULL;
}

static void item_clear(FwCfgItem *item)
{
    if (item->free) {
        item->free(item->data);
    }
    *item = (FwCfgItem){ 0 };
}

/* @data is consumed if @free says how; an empty item still exists. */
static void item_set(FwCfg *s, uint16_t key, void *data, size_t len, void (*free)(void *data))
{
    FwCfgItem *item = item_get(s, key);

    assert(item && !item->data && len <= UINT32_MAX);
    item->data = data;
    item->len = len;
    item->free = free;
}

static void *copy_bytes(const void *data, size_t len)
{
    void *copy = g_malloc(len + 1);     /* never NULL, so that an empty item differs from none */

    if (len) {
        memcpy(copy, data, len);
    }
    return copy;
}

void fw_cfg_add_bytes(FwCfg *s, uint16_t key, const void *data, size_t len)
{
    item_set(s, key, copy_bytes(data, len), len, g_free);
}

void fw_cfg_add_bytes_borrowed(FwCfg *s, uint16_t key, const void *data, size_t len)
{
    item_set(s, key, (void *)(uintptr_t)data, len, NULL);
}

void fw_cfg_add_string(FwCfg *s, uint16_t key, const char *str)
{
    fw_cfg_add_bytes(s, key, str, strlen(str) + 1);
}

void fw_cfg_add_i16(FwCfg *s, uint16_t key, uint16_t v)
{
    v = GUINT16_TO_LE(v);
    fw_cfg_add_bytes(s, key, &v, sizeof(v));
}

void fw_cfg_add_i32(FwCfg *s, uint16_t key, uint32_t v)
{
    v = GUINT32_TO_LE(v);
    fw_cfg_add_bytes(s, key, &v, sizeof(v));
}

void fw_cfg_add_i64(FwCfg *s, uint16_t key, uint64_t v)
{
    v = GUINT64_TO_LE(v);
    fw_cfg_add_bytes(s, key, &v, sizeof(v));
}

void fw_cfg_modify_i16(FwCfg *s, uint16_t key, uint16_t v)
{
    FwCfgItem *item = item_get(s, key);

    assert(item && item->data && item->len == sizeof(v));
    st16_le(item->data, v);
}

/* --- files --- */

static FwCfgFile *file_find(FwCfg *s, const char *name)
{
    for (unsigned i = 0; i < s->files->len; i++) {
        FwCfgFile *f = &g_array_index(s->files, FwCfgFile, i);

        if (strcmp(f->name, name) == 0) {
            return f;
        }
    }
    return NULL;
}

static void directory_rebuild(FwCfg *s)
{
    uint8_t *p = item_get(s, FW_CFG_FILE_DIR)->data;

    st32_be(p, s->files->len);
    p += 4;
    for (unsigned i = 0; i < s->files->len; i++, p += DIR_ENTRY_LEN) {
        FwCfgFile *f = &g_array_index(s->files, FwCfgFile, i);

        memset(p, 0, DIR_ENTRY_LEN);
        st32_be(p, item_get(s, f->key)->len);
        st16_be(p + 4, f->key);
        g_strlcpy((char *)p + 8, f->name, FW_CFG_MAX_FILE_PATH);
    }
}

/* A new directory entry; the caller fills the item and rebuilds the directory.  KEY_INVALID on failure. */
static uint16_t file_add(FwCfg *s, const char *name, size_t len, Error **errp)
{
    if (!name[0] || strlen(name) >= FW_CFG_MAX_FILE_PATH) {
        error_setg(errp, "fw_cfg file name '%s' must be 1 to %u characters long", name, FW_CFG_MAX_FILE_PATH - 1);
        return KEY_INVALID;
    }
    if (file_find(s, name)) {
        error_setg(errp, "fw_cfg file '%s' exists already", name);
        return KEY_INVALID;
    }
    if (len > UINT32_MAX) {
        error_setg(errp, "fw_cfg file '%s' is %zu bytes, the limit is 4 GiB", name, len);
        return KEY_INVALID;
    }
    if (s->files->len == s->file_slots) {
        error_setg(errp, "no room for fw_cfg file '%s': all %u slots are taken", name, s->file_slots);
        return KEY_INVALID;
    }
    FwCfgFile f = { .name = g_strdup(name), .key = FW_CFG_FILE_FIRST + s->files->len };
    unsigned at = 0;

    while (at < s->files->len && strcmp(g_array_index(s->files, FwCfgFile, at).name, name) < 0) {
        at++;
    }
    g_array_insert_val(s->files, at, f);
    return f.key;
}

bool fw_cfg_add_file_callback(FwCfg *s, const char *name, FwCfgSelectFn *on_select, FwCfgWriteFn *on_write,
                              void *opaque, void *data, size_t len, bool read_only, Error **errp)
{
    uint16_t key = file_add(s, name, len, errp);

    if (key == KEY_INVALID) {
        return false;
    }
    FwCfgItem *item = item_get(s, key);

    item_set(s, key, data, len, NULL);
    item->writable = !read_only;
    item->on_select = on_select;
    item->on_write = on_write;
    item->opaque = opaque;
    directory_rebuild(s);
    return true;
}

bool fw_cfg_add_file(FwCfg *s, const char *name, const void *data, size_t len, Error **errp)
{
    uint16_t key = file_add(s, name, len, errp);

    if (key == KEY_INVALID) {
        return false;
    }
    fw_cfg_add_bytes(s, key, data, len);
    directory_rebuild(s);
    return true;
}

bool fw_cfg_modify_file(FwCfg *s, const char *name, const void *data, size_t len, Error **errp)
{
    FwCfgFile *f = file_find(s, name);

    if (!f) {
        return fw_cfg_add_file(s, name, data, len, errp);
    }
    if (len > UINT32_MAX) {
        error_setg(errp, "fw_cfg file '%s' is %zu bytes, the limit is 4 GiB", name, len);
        return false;
    }
    FwCfgItem *item = item_get(s, f->key);

    if (item->free) {
        item->free(item->data);
    }
    item->data = copy_bytes(data, len);
    item->len = len;
    item->free = g_free;
    directory_rebuild(s);
    return true;
}

bool fw_cfg_find_file(FwCfg *s, const char *name, const void **data, size_t *len)
{
    FwCfgFile *f = file_find(s, name);

    if (!f) {
        return false;
    }
    *data = item_get(s, f->key)->data;
    *len = item_get(s, f->key)->len;
    return true;
}

/* --- -fw_cfg --- */

/* All of the file into pages of its own; NULL and @errp. */
static void *read_host_file(const char *path, size_t *len, Error **errp)
{
    g_autoptr(GError) gerr = NULL;
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, false, &gerr);
    void *data;

    if (!file) {
        error_setg(errp, "%s", gerr->message);
        return NULL;
    }
    *len = g_mapped_file_get_length(file);
    data = memory_account_alloc("fw_cfg", *len, errp);
    if (data && *len) {
        memcpy(data, g_mapped_file_get_contents(file), *len);
    }
    return data;
}

static bool add_host_file(FwCfg *s, const char *name, const char *path, Error **errp)
{
    size_t len;
    void *data = read_host_file(path, &len, errp);
    uint16_t key = data ? file_add(s, name, len, errp) : KEY_INVALID;

    if (key == KEY_INVALID) {
        error_prepend(errp, "%s: ", name);
        memory_account_free(data);
        return false;
    }
    item_set(s, key, data, len, memory_account_free);
    directory_rebuild(s);
    return true;
}

bool fw_cfg_add_option(FwCfg *s, const Value *opts, Error **errp)
{
    const char *name = value_dict_get_str(opts, "name");
    const char *file = value_dict_get_str(opts, "file");
    const char *string = value_dict_get_str(opts, "string");

    for (size_t i = 0; i < value_dict_len(opts); i++) {
        const char *key = value_dict_key_at(opts, i);

        if (!strcmp(key, "gen_id")) {
            error_setg(errp, "object '%s' can't generate fw_cfg contents", value_dict_get_str(opts, key));
            return false;
        }
        if (strcmp(key, "name") && strcmp(key, "file") && strcmp(key, "string")) {
            error_setg(errp, "no parameter '%s'", key);
            return false;
        }
    }
    if (!name || !name[0]) {
        error_setg(errp, "name= is missing");
        return false;
    }
    if (!file == !string) {
        error_setg(errp, "%s: exactly one of file= and string= is needed", name);
        return false;
    }
    if (!g_str_has_prefix(name, "opt/")) {
        warn_report("externally provided fw_cfg item names should begin with \"opt/\", got '%s'", name);
    }
    return string ? fw_cfg_add_file(s, name, string, strlen(string), errp) : add_host_file(s, name, file, errp);
}

/* --- selecting and reading --- */

static void select_item(FwCfg *s, uint16_t key)
{
    FwCfgItem *item;

    s->cur_offset = 0;
    s->cur_key = item_get(s, key) ? key : KEY_INVALID;
    item = item_current(s);
    if (!item) {
        guest_error("fw_cfg", "selected item 0x%04x does not exist", key);
    } else if (item->on_select) {
        item->on_select(item->opaque);
    }
}

/* The next @size bytes (at most 8) of the item, first byte most significant; zeros beyond its end. */
static uint64_t read_data(FwCfg *s, unsigned size)
{
    FwCfgItem *item = item_current(s);
    uint64_t v = 0;

    for (unsigned i = 0; i < size; i++) {
        v <<= 8;
        if (item && s->cur_offset < item->len) {
            v |= item->data[s->cur_offset++];
        }
    }
    return v;
}

/* --- DMA --- */

/*
 * Move @len bytes between @buf (NULL: zeros) and guest memory at @addr.
 * @mmio_budget: how many more bytes may be other than RAM.
 */
static bool dma_copy(FwCfg *s, hwaddr addr, uint8_t *buf, uint32_t len, bool to_guest, uint32_t *mmio_budget)
{
    static const uint8_t zeros[DMA_CHUNK];

    while (len) {
        hwaddr n = MIN(len, DMA_CHUNK);
        void *host = address_space_map(s->dma_as, addr, &n, to_guest, MEMTXATTRS_UNSPECIFIED);

        if (host && n) {
            to_guest ? memcpy(host, buf ? buf : zeros, n) : memcpy(buf, host, n);
            address_space_unmap(s->dma_as, host, n, to_guest, to_guest ? n : 0);
        } else {
            n = MIN(len, DMA_CHUNK);
            if (n > *mmio_budget ||
                address_space_rw(s->dma_as, addr, MEMTXATTRS_UNSPECIFIED, buf ? buf : (uint8_t *)(uintptr_t)zeros,
                                 n, to_guest) != MEMTX_OK) {
                return false;
            }
            *mmio_budget -= n;
        }
        addr += n;
        buf = buf ? buf + n : NULL;
        len -= n;
    }
    return true;
}

static bool dma_read(FwCfg *s, hwaddr addr, uint32_t len)
{
    FwCfgItem *item = item_current(s);
    uint32_t left = item && s->cur_offset < item->len ? item->len - s->cur_offset : 0;
    uint32_t n = MIN(len, left);
    uint32_t mmio_budget = DMA_MMIO_LIMIT;

    if (n && !dma_copy(s, addr, item->data + s->cur_offset, n, true, &mmio_budget)) {
        return false;
    }
    s->cur_offset += n;
    return dma_copy(s, addr + n, NULL, len - n, true, &mmio_budget);
}

static bool dma_write(FwCfg *s, hwaddr addr, uint32_t len)
{
    FwCfgItem *item = item_current(s);
    uint32_t mmio_budget = DMA_MMIO_LIMIT;
    uint32_t offset = s->cur_offset;

    /* All or nothing, so that a partial write never looks like a whole one. */
    if (!item || !item->writable || offset > item->len || len > item->len - offset) {
        return false;
    }
    if (!dma_copy(s, addr, item->data + offset, len, false, &mmio_budget)) {
        return false;
    }
    s->cur_offset += len;
    if (item->on_write) {
        item->on_write(item->opaque, offset, len);
    }
    return true;
}

static bool dma_skip(FwCfg *s, uint32_t len)
{
    FwCfgItem *item = item_current(s);
    uint32_t left = item && s->cur_offset < item->len ? item->len - s->cur_offset : 0;

    s->cur_offset += MIN(len, left);
    return true;
}

/* One request as its descriptor says; read before write before skip, as firmware relies on one at a time. */
static bool dma_execute(FwCfg *s, uint32_t control, hwaddr addr, uint32_t len)
{
    if (control & DMA_SELECT) {
        select_item(s, control >> 16);
    }
    if (control & DMA_READ) {
        return dma_read(s, addr, len);
    }
    if (control & DMA_WRITE) {
        return dma_write(s, addr, len);
    }
    return control & DMA_SKIP ? dma_skip(s, len) : true;
}

static void dma_transfer(FwCfg *s)
{
    hwaddr desc_addr = s->dma_addr;
    uint8_t desc[DMA_DESC_LEN], status[4];

    s->dma_addr = 0;
    if (s->in_dma) {
        guest_error("fw_cfg", "a DMA request wrote the DMA register");
        return;
    }
    s->in_dma = true;
    if (address_space_read(s->dma_as, desc_addr, MEMTXATTRS_UNSPECIFIED, desc, sizeof(desc)) != MEMTX_OK) {
        guest_error("fw_cfg", "DMA descriptor at 0x%" HWADDR_PRIx " cannot be read", desc_addr);
        st32_be(status, DMA_ERROR);
    } else {
        bool ok = dma_execute(s, ld32_be(desc), ld64_be(desc + 8), ld32_be(desc + 4));

        st32_be(status, ok ? 0 : DMA_ERROR);
    }
    /* Where even this fails there is nobody to tell. */
    if (address_space_write(s->dma_as, desc_addr, MEMTXATTRS_UNSPECIFIED, status, sizeof(status)) != MEMTX_OK) {
        guest_error("fw_cfg", "DMA status at 0x%" HWADDR_PRIx " cannot be written", desc_addr);
    }
    s->in_dma = false;
}

/* The register is eight bytes, big-endian: writing the low half, or all, starts the transfer. */
static void fw_cfg_dma_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    FwCfg *s = opaque;

    if (size == 8) {
        s->dma_addr = data;
        dma_transfer(s);
    } else if (addr == 0) {
        s->dma_addr = data << 32;
    } else {
        s->dma_addr |= data;
        dma_transfer(s);
    }
}

static uint64_t fw_cfg_dma_read(void *opaque, hwaddr addr, unsigned size)
{
    return extract64(DMA_SIGNATURE, (8 - addr - size) * 8, size * 8);
}

static const MemoryRegionOps dma_ops = {
    .read = fw_cfg_dma_read,
    .write = fw_cfg_dma_write,
    .endian = DEVICE_BIG_ENDIAN,
    .valid = { .min = 4, .max = 8 },
    .impl = { .min = 4, .max = 8 },
};

/* --- ports --- */

static uint64_t ports_read(void *opaque, hwaddr addr, unsigned size)
{
    return addr == 1 && size == 1 ? read_data(opaque, 1) : 0;
}

/* 16 bits at 0 select; writes to the data port were a feature long gone and are ignored. */
static void ports_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    if (addr == 0 && size == 2) {
        select_item(opaque, data);
    }
}

static const MemoryRegionOps ports_ops = {
    .read = ports_read,
    .write = ports_write,
    .valid = { .min = 1, .max = 2, .unaligned = true },
    .impl = { .min = 1, .max = 2, .unaligned = true },
};

/* --- MMIO --- */

static uint64_t ctl_read(void *opaque, hwaddr addr, unsigned size)
{
    return 0;
}

static void ctl_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    select_item(opaque, data);
}

static const MemoryRegionOps ctl_ops = {
    .read = ctl_read,
    .write = ctl_write,
    .endian = DEVICE_BIG_ENDIAN,
    .valid = { .min = 2, .max = 2 },
    .impl = { .min = 2, .max = 2 },
};

static uint64_t mem_data_read(void *opaque, hwaddr addr, unsigned size)
{
    return read_data(opaque, size);
}

static void mem_data_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
}

/* Big-endian, so that bytes of the item land in guest memory in their order. */
static const MemoryRegionOps mem_data_ops = {
    .read = mem_data_read,
    .write = mem_data_write,
    .endian = DEVICE_BIG_ENDIAN,
    .valid = { .min = 1, .max = 8 },
    .impl = { .min = 1, .max = 8 },
};

/* --- life --- */

bool fw_cfg_dma_enabled(const FwCfg *s)
{
    return s->dma_enabled && s->dma_as;
}

static bool fw_cfg_realize(Device *dev, Error **errp)
{
    FwCfg *s = FW_CFG(dev);
    size_t dir_len = 4 + (size_t)s->file_slots * DIR_ENTRY_LEN;

    s->n_items = FW_CFG_FILE_FIRST + s->file_slots;
    s->items[0] = g_new0(FwCfgItem, s->n_items);
    s->items[1] = g_new0(FwCfgItem, s->n_items);
    s->files = g_array_new(false, false, sizeof(FwCfgFile));
    s->cur_key = FW_CFG_SIGNATURE;
    fw_cfg_add_bytes(s, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_i32(s, FW_CFG_ID, ID_TRADITIONAL | (fw_cfg_dma_enabled(s) ? ID_DMA : 0));
    item_set(s, FW_CFG_FILE_DIR, g_malloc0(dir_len), dir_len, g_free);
    return true;
}

static void fw_cfg_unrealize(Device *dev)
{
    FwCfg *s = FW_CFG(dev);

    for (unsigned arch = 0; arch < 2; arch++) {
        for (unsigned i = 0; i < s->n_items; i++) {
            item_clear(&s->items[arch][i]);
        }
        g_clear_pointer(&s->items[arch], g_free);
    }
    for (unsigned i = 0; i < s->files->len; i++) {
        g_free(g_array_index(s->files, FwCfgFile, i).name);
    }
    g_array_free(g_steal_pointer(&s->files), true);
    s->n_items = 0;
}

static void fw_cfg_reset_enter(Device *dev, ResetType type)
{
    FwCfg *s = FW_CFG(dev);

    s->cur_key = FW_CFG_SIGNATURE;
    s->cur_offset = 0;
    s->dma_addr = 0;
}

static void region_gone(MemoryRegion *mr)
{
    if (mr->container) {
        memory_region_del_subregion(mr->container, mr);
    }
    memory_region_fini(mr);
}

static FwCfgIo *FW_CFG_IO(const void *obj)
{
    return (FwCfgIo *)object_check_cast(obj, &fw_cfg_io_type);
}

static bool fw_cfg_io_realize(Device *dev, Error **errp)
{
    FwCfgIo *s = FW_CFG_IO(dev);

    memory_region_init_io(&s->ports, s, &ports_ops, &s->parent, "fwcfg", 2);
    if (fw_cfg_dma_enabled(&s->parent)) {
        memory_region_init_io(&s->dma, s, &dma_ops, &s->parent, "fwcfg.dma", 8);
    }
    return true;
}

static void fw_cfg_io_unrealize(Device *dev)
{
    FwCfgIo *s = FW_CFG_IO(dev);

    region_gone(&s->ports);
    if (fw_cfg_dma_enabled(&s->parent)) {
        region_gone(&s->dma);
    }
}

static FwCfgMem *FW_CFG_MEM(const void *obj)
{
    return (FwCfgMem *)object_check_cast(obj, &fw_cfg_mem_type);
}

static bool fw_cfg_mem_realize(Device *dev, Error **errp)
{
    FwCfgMem *s = FW_CFG_MEM(dev);

    memory_region_init_io(&s->ctl, s, &ctl_ops, &s->parent, "fwcfg.ctl", 2);
    memory_region_init_io(&s->data, s, &mem_data_ops, &s->parent, "fwcfg.data", s->data_width);
    if (fw_cfg_dma_enabled(&s->parent)) {
        memory_region_init_io(&s->dma, s, &dma_ops, &s->parent, "fwcfg.dma", 8);
    }
    return true;
}

static void fw_cfg_mem_unrealize(Device *dev)
{
    FwCfgMem *s = FW_CFG_MEM(dev);

    region_gone(&s->ctl);
    region_gone(&s->data);
    if (fw_cfg_dma_enabled(&s->parent)) {
        region_gone(&s->dma);
    }
}

/* Boards call this with nothing that could fail; the machine, where there is one, owns the device. */
static void realize_as_machine_child(FwCfg *s)
{
    if (current_machine()) {
        object_add_child(current_machine(), "fw_cfg", s);
    }
    if (!device_realize_and_unref(&s->sbd.dev, NULL, &error_fatal)) {
        return;
    }
}

FwCfg *fw_cfg_io_create(MemoryRegion *io, uint16_t base, AddressSpace *dma_as)
{
    FwCfgIo *s = FW_CFG_IO(device_new(&fw_cfg_io_type));

    s->parent.dma_as = dma_as;
    realize_as_machine_child(&s->parent);
    memory_region_add_subregion(io, base, &s->ports);
    if (fw_cfg_dma_enabled(&s->parent)) {
        memory_region_add_subregion(io, base + 4, &s->dma);
    }
    return &s->parent;
}

FwCfg *fw_cfg_mem_create(MemoryRegion *mem, hwaddr ctl, hwaddr data, unsigned data_width, hwaddr dma, AddressSpace *dma_as)
{
    FwCfgMem *s = FW_CFG_MEM(device_new(&fw_cfg_mem_type));

    s->data_width = data_width;
    s->parent.dma_as = dma_as;
    realize_as_machine_child(&s->parent);
    memory_region_add_subregion(mem, ctl, &s->ctl);
    memory_region_add_subregion(mem, data, &s->data);
    if (fw_cfg_dma_enabled(&s->parent)) {
        memory_region_add_subregion(mem, dma, &s->dma);
    }
    return &s->parent;
}

/* Any key and offset are safe to load: both are checked at each use (I1). */
static const VMState vmstate_fw_cfg = {
    .name = "fw_cfg",
    .version = 1,
    .minimum_version = 1,
    .fields = (const VMField[]) {
        VMS_U16(FwCfg, cur_key),
        VMS_U32(FwCfg, cur_offset),
        VMS_U64(FwCfg, dma_addr),
        VMS_END
    },
};

static const Property fw_cfg_properties[] = {
    PROP_BOOL("dma_enabled", FwCfg, dma_enabled, true, .help = "offer the DMA interface"),
    PROP_UINT16("x-file-slots", FwCfg, file_slots, 0x20, .min = FILE_SLOTS_MIN, .max = FILE_SLOTS_MAX,
                .help = "how many files there may be"),
};

DEVICE_DEFINE_ABSTRACT(FwCfg, fw_cfg, "fw_cfg", sysbus_device,
    .properties = PROPS(fw_cfg_properties),
    .realize = fw_cfg_realize,
    .unrealize = fw_cfg_unrealize,
    .reset_enter = fw_cfg_reset_enter);

DEVICE_DEFINE(FwCfgIo, fw_cfg_io, "fw_cfg_io", fw_cfg,
    .desc = "firmware configuration, port flavour",
    .realize = fw_cfg_io_realize,
    .unrealize = fw_cfg_io_unrealize,
    .vmstate = &vmstate_fw_cfg,
    .not_user_creatable = true);

static const Property fw_cfg_mem_properties[] = {
    PROP_UINT32("data_width", FwCfgMem, data_width, 1, .min = 1, .max = 8, .power_of_2 = true, .unit = "bytes",
                .help = "width of the data register"),
};

DEVICE_DEFINE(FwCfgMem, fw_cfg_mem, "fw_cfg_mem", fw_cfg,
    .desc = "firmware configuration, MMIO flavour",
    .properties = PROPS(fw_cfg_mem_properties),
    .realize = fw_cfg_mem_realize,
    .unrealize = fw_cfg_mem_unrealize,
    .vmstate = &vmstate_fw_cfg,
    .not_user_creatable = true);
