/*
 * RAM blocks: host memory behind guest RAM, its place in the ram_addr space, dirty bits.
 *
 * The list is changed under the BQL and read under RCU.
 */
#include "memory-internal.h"
#include "util/account.h"
#include "util/main-loop.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <fcntl.h>
#include <unistd.h>

#define GUEST_PAGE_BITS 12                      /* granularity of dirty bits */
#define RAM_ADDR_ALIGN  (64ULL << GUEST_PAGE_BITS) /* so that no two blocks share a bitmap word */
#define THP_SIZE        (2 * MiB)
#define HUGETLBFS_MAGIC 0x958458f6

static RamBlock *blocks;                        /* RCU, by descending size */
static void (*code_write_hook)(uint64_t ram_addr, uint64_t len);

/* --- host memory --- */

/*
 * An inaccessible reservation big enough to place @size bytes at a multiple of @align; what is
 * too much is given back.
 */
static uint8_t *reserve_aligned(uint64_t size, uint64_t align)
{
    uint64_t total = size + align;
    uint8_t *base, *start;

    if (total < size) {
        errno = ENOMEM;
        return NULL;
    }
    base = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return NULL;
    }
    start = (uint8_t *)ROUND_UP((uintptr_t)base, align);
    if (start > base) {
        munmap(base, start - base);
    }
    munmap(start + size, base + total - (start + size));
    return start;
}

static uint64_t fd_page_size(int fd)
{
    struct statfs fs;

    if (fd >= 0 && !fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC) {
        return fs.f_bsize;
    }
    return getpagesize();
}

static uint8_t *map_host(uint64_t size, uint64_t align, unsigned ram_flags, int fd, uint64_t fd_offset)
{
    uint8_t *host = reserve_aligned(size, align);
    int prot = PROT_READ | (ram_flags & RAM_READONLY ? 0 : PROT_WRITE);
    int flags = MAP_FIXED | (ram_flags & RAM_SHARED ? MAP_SHARED : MAP_PRIVATE) | (fd < 0 ? MAP_ANONYMOUS : 0)
              | (ram_flags & RAM_NORESERVE ? MAP_NORESERVE : 0);

    if (host && mmap(host, size, prot, flags, fd, fd_offset) == MAP_FAILED) {
        int saved = errno;

        munmap(host, size);
        errno = saved;
        return NULL;
    }
    if (host && size >= THP_SIZE) {
        madvise(host, size, MADV_HUGEPAGE);     /* a wish: kernels without it are fine */
    }
    if (host) {
        madvise(host, size, MADV_DONTFORK);
    }
    return host;
}

/* --- the ram_addr space --- */

static uint64_t find_ram_addr(uint64_t size)
{
    uint64_t candidate = 0;
    bool moved;

    do {        /* few blocks: walk until nothing overlaps */
        moved = false;
        for (RamBlock *rb = blocks; rb; rb = rb->next) {
            if (candidate < rb->offset + rb->max_length && rb->offset < candidate + size) {
                candidate = ROUND_UP(rb->offset + rb->max_length, RAM_ADDR_ALIGN);
                moved = true;
            }
        }
    } while (moved);
    return candidate;
}

static void list_insert(RamBlock *rb)
{
    RamBlock **link = &blocks;

    while (*link && (*link)->max_length >= rb->max_length) {
        link = &(*link)->next;
    }
    rb->next = *link;
    rcu_assign_pointer(*link, rb);
}

static void list_remove(RamBlock *rb)
{
    RamBlock **link = &blocks;

    while (*link != rb) {
        link = &(*link)->next;
    }
    rcu_assign_pointer(*link, rb->next);
}

static bool allow_ram(const char *name, uint64_t more, Error **errp)
{
    g_autofree char *account = g_strdup_printf("ram/%s", name);

    return memory_allow(account, more, errp);
}

RamBlock *ram_block_new(MemoryRegion *mr, const char *name, uint64_t size, unsigned ram_flags,
                        int fd, uint64_t fd_offset, uint64_t align, void *host, Error **errp)
{
    uint64_t page_size = fd_page_size(fd), length = ROUND_UP(size, page_size);
    RamBlock *rb;

    if (!size || length < size) {
        error_setg(errp, "RAM '%s' cannot have %" PRIu64 " bytes", name, size);
        goto fail;
    }
    if (!(ram_flags & RAM_IDLE) && mr->kind == MEMORY_REGION_RAM && !allow_ram(name, length, errp)) {
        goto fail;
    }
    rb = g_new0(RamBlock, 1);
    rb->mr = mr;
    rb->bound = ram_flags & RAM_IDLE ? 0 : length;
    rb->host = host ? host : map_host(length, MAX(align, MAX(page_size, size >= THP_SIZE ? THP_SIZE : page_size)), ram_flags, fd, fd_offset);
    rb->used_length = rb->max_length = length;
    rb->page_size = page_size;
    rb->fd = fd;
    rb->fd_offset = fd_offset;
    rb->shared = ram_flags & RAM_SHARED;
    rb->readonly = ram_flags & RAM_READONLY;
    rb->fd_readonly = ram_flags & RAM_FD_READONLY;
    g_strlcpy(rb->idstr, name, sizeof(rb->idstr));
    if (!rb->host) {
        if (errno == ENOMEM && page_size > (uint64_t)getpagesize()) {
            error_setg(errp, "cannot set up guest memory '%s': %" PRIu64 " free huge pages of %" PRIu64 " KiB are needed", name,
                       (uint64_t)(length / page_size), (uint64_t)(page_size / KiB));
        } else {
            error_setg_errno(errp, errno, "cannot set up guest memory '%s' of %" PRIu64 " bytes", name, size);
        }
        g_free(rb);
        goto fail;
    }
    if (host) {
        rb->page_size = 0;      /* marks borrowed memory: not ours to unmap */
    }
    rb->offset = find_ram_addr(length);
    list_insert(rb);
    return rb;
fail:
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

static void ram_block_reclaim(void *opaque)
{
    RamBlock *rb = opaque;

    if (rb->page_size) {
        munmap(rb->host, rb->max_length);
    }
    if (rb->fd >= 0) {
        close(rb->fd);
    }
    for (int i = 0; i < DIRTY_CLIENTS; i++) {
        g_free(rb->dirty[i]);
    }
    g_free(rb);
}

void ram_block_free(RamBlock *rb)
{
    list_remove(rb);
    rcu_call_later(ram_block_reclaim, rb);
}

RamBlock *ram_block_list_rcu(void)
{
    return rcu_dereference(blocks);
}

RamBlock *ram_block_from_host_rcu(const void *host, uint64_t *offset)
{
    for (RamBlock *rb = ram_block_list_rcu(); rb; rb = rcu_dereference(rb->next)) {
        if ((const uint8_t *)host >= rb->host && (const uint8_t *)host < rb->host + rb->max_length) {
            *offset = (const uint8_t *)host - rb->host;
            return rb;
        }
    }
    return NULL;
}

RamBlock *ram_block_from_ram_addr_rcu(uint64_t ram_addr)
{
    for (RamBlock *rb = ram_block_list_rcu(); rb; rb = rcu_dereference(rb->next)) {
        if (ram_addr >= rb->offset && ram_addr - rb->offset < rb->max_length) {
            return rb;
        }
    }
    return NULL;
}

uint64_t ram_addr_last(void)
{
    uint64_t last = 0;

    for (RamBlock *rb = ram_block_list_rcu(); rb; rb = rcu_dereference(rb->next)) {
        last = MAX(last, rb->offset + rb->max_length);
    }
    return last;
}

bool ram_block_set_bound(RamBlock *rb, uint64_t bytes, Error **errp)
{
    if (bytes > rb->bound && !allow_ram(rb->idstr, bytes - rb->bound, errp)) {
        return false;
    }
    rb->bound = bytes;
    return true;
}

bool ram_block_discard(RamBlock *rb, uint64_t start, uint64_t len, Error **errp)
{
    assert(start <= rb->max_length && len <= rb->max_length - start);
    if ((start | len) & (MAX(rb->page_size, 1) - 1)) {
        error_setg(errp, "discard of %s at 0x%" PRIx64 "+0x%" PRIx64 " is not aligned to its page size 0x%" PRIx64,
                   rb->idstr, start, len, rb->page_size);
        return false;
    }
    if (rb->fd_readonly) {
        error_setg(errp, "%s is backed by a file open for reading only: nothing of it can be discarded", rb->idstr);
        return false;
    }
    if (rb->fd >= 0 && fallocate(rb->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, rb->fd_offset + start, len)) {
        error_setg_errno(errp, errno, "cannot punch a hole into %s at 0x%" PRIx64 "+0x%" PRIx64, rb->idstr, start, len);
        return false;
    }
    if (madvise(rb->host + start, len, rb->shared && rb->fd < 0 ? MADV_REMOVE : MADV_DONTNEED)) {
        error_setg_errno(errp, errno, "cannot discard %s at 0x%" PRIx64 "+0x%" PRIx64, rb->idstr, start, len);
        return false;
    }
    return true;
}

/* --- dirty bits --- */

void memory_set_code_write_hook(void (*fn)(uint64_t ram_addr, uint64_t len))
{
    code_write_hook = fn;
}

static void bitmap_set_atomic(unsigned long *map, uint64_t first, uint64_t last)
{
    for (uint64_t page = first; page <= last; page++) {
        unsigned long bit = 1UL << (page % 64), *word = &map[page / 64];

        if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & bit)) {
            __atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
        }
    }
}

void ram_block_set_dirty(RamBlock *rb, uint64_t start, uint64_t len)
{
    if (!len) {
        return;
    }
    for (int client = 0; client < DIRTY_CLIENTS; client++) {
        unsigned long *map = __atomic_load_n(&rb->dirty[client], __ATOMIC_ACQUIRE);

        if (map) {
            bitmap_set_atomic(map, start >> GUEST_PAGE_BITS, (start + len - 1) >> GUEST_PAGE_BITS);
        }
    }
    if (code_write_hook) {
        code_write_hook(rb->offset + start, len);
    }
}

void memory_region_set_log(MemoryRegion *mr, bool on, unsigned client)
{
    RamBlock *rb = mr->ram;
    bool was = mr->dirty_log_mask >> client & 1;

    assert(rb && client < DIRTY_CLIENTS);
    memory_transaction_begin();
    if (on && !rb->dirty[client]) {
        unsigned long *map = g_new0(unsigned long, DIV_ROUND_UP(rb->max_length >> GUEST_PAGE_BITS, 64));

        __atomic_store_n(&rb->dirty[client], map, __ATOMIC_RELEASE);
    } else if (!on && rb->dirty[client]) {
        rcu_call_later(g_free, rb->dirty[client]);
        __atomic_store_n(&rb->dirty[client], NULL, __ATOMIC_RELEASE);
    }
    mr->dirty_log_mask = deposit32(mr->dirty_log_mask, client, 1, on);
    memory_transaction_commit();
    if (was != on) {
        memory_log_changed(mr, on, client);
    }
}

bool memory_region_snapshot_and_clear_dirty(MemoryRegion *mr, hwaddr addr, uint64_t len, unsigned client, unsigned long *bitmap)
{
    unsigned long *map = mr->ram->dirty[client];
    bool any = false;

    memory_region_sync_dirty(mr);
    for (uint64_t page = addr >> GUEST_PAGE_BITS, n = 0; map && page < (addr + len) >> GUEST_PAGE_BITS; page++, n++) {
        unsigned long bit = 1UL << (page % 64);

        if (__atomic_load_n(&map[page / 64], __ATOMIC_RELAXED) & bit) {
            __atomic_fetch_and(&map[page / 64], ~bit, __ATOMIC_RELAXED);
            bitmap[n / 64] |= 1UL << (n % 64);
            any = true;
        }
    }
    return any;
}
