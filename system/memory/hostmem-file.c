/*
 * memory-backend-file: guest memory in a file, on a huge page file system or any other.
 *
 *   readonly  share  rom            the file is opened    the guest may
 *   off       any    off (auto)     for writing           write; others see it when shared
 *   on        off    off            for reading           write to a private copy
 *   on        any    on (auto)      for reading           read only
 *   on        on     off            refused: there would be nowhere to write
 *   off       any    on             refused
 */
#include "hostmem-internal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define HUGETLBFS_MAGIC 0x958458f6

typedef struct FileBackend {
    HostMemoryBackend parent;
    char *mem_path;
    uint64_t offset, align;
    int rom;                    /* OnOffAuto */
    bool discard_data, readonly;
} FileBackend;

OBJECT_DECLARE(FileBackend, FILE_BACKEND, memory_backend_file)

static bool pmem_refused(Object *obj, const Property *p, const Value *v, Error **errp)
{
    if (value_type(v) != VALUE_BOOL || value_get_bool(v)) {
        error_setg(errp, "can only be off: writes are not made persistent");
        return false;
    }
    return true;
}

static Value *pmem_get(Object *obj, const Property *p)
{
    return value_bool(false);
}

static const Property file_properties[] = {
    PROP_STRING("mem-path", FileBackend, mem_path, .help = "file, or directory to make an unnamed file in"),
    PROP_SIZE("offset", FileBackend, offset, 0, .unit = "bytes", .help = "where in the file the memory starts"),
    PROP_SIZE("align", FileBackend, align, 0, .unit = "bytes", .help = "alignment of the mapping; 0 = by page size"),
    PROP_BOOL("discard-data", FileBackend, discard_data, false, .help = "drop the file's content at the end"),
    PROP_BOOL("readonly", FileBackend, readonly, false, .help = "open the file for reading only"),
    PROP_ON_OFF_AUTO("rom", FileBackend, rom, ON_OFF_AUTO_AUTO, .help = "the guest may not write; auto = as readonly"),
    PROP_CUSTOM(bool, "pmem", pmem_get, pmem_refused, .help = "persistent memory: not supported, off"),
};

/* --- opening --- */

/* An unnamed file in directory @dir; -1 and errno. */
static int open_unnamed(const char *dir)
{
    g_autofree char *name = g_build_filename(dir, "quern-memory-XXXXXX", NULL);
    int fd = open(dir, O_RDWR | O_CLOEXEC | O_TMPFILE, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0) {
            unlink(name);
        }
    }
    return fd;
}

static int open_path(const FileBackend *f, bool *created)
{
    struct stat st;
    int fd;

    *created = false;
    if (f->readonly) {
        return open(f->mem_path, O_RDONLY | O_CLOEXEC);
    }
    if (!stat(f->mem_path, &st) && S_ISDIR(st.st_mode)) {
        return open_unnamed(f->mem_path);
    }
    fd = open(f->mem_path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        fd = open(f->mem_path, O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL, 0644);
        *created = fd >= 0;
    }
    return fd;
}

/* Bytes in the file; UINT64_MAX for a device without a size. */
static uint64_t file_size(int fd, const struct stat *st)
{
    off_t end = S_ISBLK(st->st_mode) ? lseek(fd, 0, SEEK_END) : st->st_size;

    return S_ISREG(st->st_mode) || S_ISBLK(st->st_mode) ? (end < 0 ? 0 : (uint64_t)end) : UINT64_MAX;
}

static uint64_t file_page_size(int fd)
{
    struct statfs fs;

    return !fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize : (uint64_t)getpagesize();
}

static bool check_alignment(const FileBackend *f, uint64_t page_size, Error **errp)
{
    if (f->offset & (page_size - 1)) {
        error_setg(errp, "offset 0x%" PRIx64 " must be a multiple of the page size 0x%" PRIx64, f->offset, page_size);
        return false;
    }
    if (f->align && (!is_power_of_2(f->align) || f->align < page_size)) {
        error_setg(errp, "align 0x%" PRIx64 " must be a power of two and at least the page size 0x%" PRIx64, f->align, page_size);
        return false;
    }
    return true;
}

/* The open file @fd becomes big enough if it is empty and may grow. */
static bool ensure_size(const FileBackend *f, int fd, Error **errp)
{
    const HostMemoryBackend *b = &f->parent;
    uint64_t page_size = file_page_size(fd), need = f->offset + ROUND_UP(b->size, page_size), have;
    struct stat st;

    if (!check_alignment(f, page_size, errp)) {
        return false;
    }
    if (need < f->offset || need > INT64_MAX || fstat(fd, &st)) {
        error_setg(errp, "'%s' cannot have offset %" PRIu64 " and size %" PRIu64, f->mem_path, f->offset, b->size);
        return false;
    }
    have = file_size(fd, &st);
    if (have >= need) {
        return true;
    }
    if (have || f->readonly) {
        error_setg(errp, "backing store '%s' has %" PRIu64 " bytes, too few for size %" PRIu64 " at offset %" PRIu64,
                   f->mem_path, have, b->size, f->offset);
        return false;
    }
    if (ftruncate(fd, (off_t)need)) {
        error_setg_errno(errp, errno, "cannot grow backing store '%s' to %" PRIu64 " bytes", f->mem_path, need);
        return false;
    }
    return true;
}

/* --- completion --- */

static bool check_rom(FileBackend *f, Error **errp)
{
    if (f->rom == ON_OFF_AUTO_AUTO) {
        f->rom = f->readonly ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
    }
    if (f->rom == ON_OFF_AUTO_ON && !f->readonly) {
        error_setg(errp, "rom=on needs readonly=on");
        return false;
    }
    if (f->rom == ON_OFF_AUTO_OFF && f->readonly && f->parent.share) {
        error_setg(errp, "rom=off is incompatible with readonly=on and share=on");
        return false;
    }
    if (f->rom == ON_OFF_AUTO_ON && f->parent.prealloc) {
        error_setg(errp, "prealloc=on needs memory that can be written, not rom=on");
        return false;
    }
    if (f->readonly && f->discard_data) {
        error_setg(errp, "discard-data=on is incompatible with readonly=on");
        return false;
    }
    return true;
}

static bool make_region(FileBackend *f, int fd, Error **errp)
{
    HostMemoryBackend *b = &f->parent;
    g_autofree char *name = host_memory_backend_region_name(b);
    unsigned flags = host_memory_backend_ram_flags(b) | (f->readonly ? RAM_FD_READONLY : 0)
                   | (f->rom == ON_OFF_AUTO_ON ? RAM_READONLY : 0);

    return memory_region_init_ram_from_fd(&b->mr, b, name, b->size, flags, fd, f->offset, f->align, errp)
        && host_memory_backend_finish(b, errp);
}

static bool file_complete(Object *obj, Error **errp)
{
    FileBackend *f = FILE_BACKEND(obj);
    bool created;
    int fd;

    if (!f->mem_path) {
        error_setg(errp, "memory-backend-file needs property 'mem-path'");
        return false;
    }
    if (!check_rom(f, errp)) {
        return false;
    }
    fd = open_path(f, &created);
    if (fd < 0) {
        error_setg_errno(errp, errno, "cannot open backing store '%s' for guest memory", f->mem_path);
        return false;
    }
    if (!ensure_size(f, fd, errp)) {
        close(fd);
    } else if (make_region(f, fd, errp)) {
        return true;
    }
    if (created) {
        unlink(f->mem_path);
    }
    return false;
}

static void file_fini(Object *obj)
{
    FileBackend *f = FILE_BACKEND(obj);
    HostMemoryBackend *b = &f->parent;

    if (b->ready && f->discard_data) {
        madvise(b->mr.ram->host, b->mr.ram->max_length, MADV_REMOVE);
    }
}

TYPE_DEFINE(FileBackend, memory_backend_file, "memory-backend-file", host_memory_backend,
    .desc = "memory in a file",
    .complete = file_complete,
    .fini = file_fini,
    .properties = PROPS(file_properties),
    .user_creatable = true,
)
