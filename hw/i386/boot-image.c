/*
 * Direct boot: lists of images, and what all protocols share.  See hw/i386/boot-image.h.
 */
#include "hw/i386/boot-image.h"
#include "boot-elf.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the list --- */

void boot_images_init(BootImages *b)
{
    b->images = g_array_new(false, false, sizeof(BootImage));
    b->keep = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
}

void boot_images_fini(BootImages *b)
{
    g_clear_pointer(&b->images, g_array_unref);
    g_clear_pointer(&b->keep, g_ptr_array_unref);
}

static void add(BootImages *b, const char *what, hwaddr addr, GBytes *owner, uint64_t offset, uint64_t len, bool in_file)
{
    gsize size;
    const uint8_t *data = g_bytes_get_data(owner, &size);
    BootImage im = { what, addr, data + offset, len, in_file };

    assert(offset <= size && len <= size - offset);
    if (len) {
        g_array_append_val(b->images, im);
        g_ptr_array_add(b->keep, g_bytes_ref(owner));
    }
}

void boot_images_add(BootImages *b, const char *what, hwaddr addr, GBytes *owner, uint64_t offset, uint64_t len)
{
    add(b, what, addr, owner, offset, len, true);
}

void boot_images_add_take(BootImages *b, const char *what, hwaddr addr, uint8_t *data, uint64_t len)
{
    g_autoptr(GBytes) bytes = g_bytes_new_take(data, len);

    add(b, what, addr, bytes, 0, len, false);
}

bool boot_images_replace(BootImages *b, hwaddr addr, uint8_t *data, uint64_t len)
{
    for (unsigned i = 0; i < b->images->len; i++) {
        BootImage *im = &g_array_index(b->images, BootImage, i);

        if (im->addr == addr && im->len == len && !im->in_file) {
            g_ptr_array_add(b->keep, g_bytes_new_take(data, len));
            im->data = data;
            return true;
        }
    }
    g_free(data);
    return false;
}

void boot_images_add_zero(BootImages *b, const char *what, hwaddr addr, uint64_t len)
{
    BootImage im = { what, addr, NULL, len, false };

    if (len) {
        g_array_append_val(b->images, im);
    }
}

bool boot_images_overlap(const BootImages *b, hwaddr addr, uint64_t len, const char **with)
{
    for (unsigned i = 0; i < b->images->len; i++) {
        const BootImage *im = &g_array_index(b->images, BootImage, i);

        if (addr < im->addr + im->len && im->addr < addr + len) {
            if (with) {
                *with = im->what;
            }
            return true;
        }
    }
    return false;
}

/* The page cache keeps the file; this process need not count its pages until the next reset. */
static void let_go(const BootImage *im)
{
    uintptr_t page = getpagesize(), start = ROUND_UP((uintptr_t)im->data, page);
    uintptr_t end = ROUND_DOWN((uintptr_t)im->data + im->len, page);

    if (end > start) {
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
}

void boot_images_write(const BootImages *b, AddressSpace *as)
{
    for (unsigned i = 0; i < b->images->len; i++) {
        const BootImage *im = &g_array_index(b->images, BootImage, i);

        if (im->data) {
            address_space_write_rom(as, im->addr, im->data, im->len);
            if (im->in_file) {
                let_go(im);
            }
        } else {
            address_space_set(as, im->addr, 0, im->len);
        }
    }
}

GBytes *boot_file_map(const char *what, const char *path, Error **errp)
{
    g_autoptr(GError) gerr = NULL;
    GMappedFile *map;
    GBytes *bytes;
    struct stat st;

    if (stat(path, &st) < 0) {
        error_setg_errno(errp, errno, "could not open %s '%s'", what, path);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        error_setg(errp, "%s '%s' is not a regular file", what, path);
        return NULL;
    }
    map = g_mapped_file_new(path, false, &gerr);
    if (!map) {
        error_setg(errp, "could not open %s '%s': %s", what, path, gerr->message);
        return NULL;
    }
    bytes = g_mapped_file_get_bytes(map);
    g_mapped_file_unref(map);
    if (g_bytes_get_size(bytes) == 0) {
        error_setg(errp, "%s '%s' is empty", what, path);
        g_bytes_unref(bytes);
        return NULL;
    }
    return bytes;
}

/* --- CPU tables --- */

void boot_place_gdt(BootImages *out, X86BootState *st)
{
    /* base 0, limit 4 GiB, present, accessed: code execute/read (L in long mode, else D), data read/write */
    uint64_t code = st->long_mode ? 0x00af9b000000ffffull : 0x00cf9b000000ffffull;
    uint64_t data = 0x00cf93000000ffffull;
    uint8_t *gdt = g_malloc0(4 * 8);

    st64_le(gdt + 0x10, code);
    st64_le(gdt + 0x18, data);
    boot_images_add_take(out, "GDT", BOOT_GDT_ADDR, gdt, 4 * 8);
    st->gdt_base = BOOT_GDT_ADDR;
    st->gdt_limit = 4 * 8 - 1;
    st->cs = 0x10;
    st->ds = 0x18;
}

void boot_place_page_tables(BootImages *out, X86BootState *st)
{
    enum { PTE_P = 1, PTE_RW = 2, PDE_PS = 0x80, N_PD = 4 };
    uint8_t *t = g_malloc0((2 + N_PD) * 4096);

    st64_le(t, (BOOT_PAGE_TABLE_ADDR + 4096) | PTE_P | PTE_RW);
    for (unsigned i = 0; i < N_PD; i++) {
        st64_le(t + 4096 + 8 * i, (BOOT_PAGE_TABLE_ADDR + (2 + i) * 4096) | PTE_P | PTE_RW);
    }
    for (uint64_t i = 0; i < N_PD * 512; i++) {
        st64_le(t + 2 * 4096 + 8 * i, i * 2 * MiB | PTE_P | PTE_RW | PDE_PS);
    }
    boot_images_add_take(out, "page tables", BOOT_PAGE_TABLE_ADDR, t, (2 + N_PD) * 4096);
    st->cr3 = BOOT_PAGE_TABLE_ADDR;
}

/* --- which protocol --- */

BootFormat boot_format_detect(GBytes *kernel, const char *path, Error **errp)
{
    gsize size;
    const uint8_t *d = g_bytes_get_data(kernel, &size);

    if (size >= 0x264 && ld16_le(d + 0x1fe) == 0xaa55 && memcmp(d + 0x202, "HdrS", 4) == 0) {
        return BOOT_LINUX;
    }
    if (boot_find_multiboot_header(d, size) >= 0) {
        return BOOT_MULTIBOOT;
    }
    if (size >= 4 && memcmp(d, "\177ELF", 4) == 0) {
        return BOOT_PVH;
    }
    if (size >= 512 && ld16_le(d + 0x1fe) == 0xaa55) {
        error_setg(errp, "kernel '%s' has a boot sector but no Linux setup header: boot protocol too old, or truncated", path);
    } else {
        error_setg(errp, "kernel '%s' is neither a Linux bzImage, nor an ELF file, nor a Multiboot image", path);
    }
    return BOOT_UNKNOWN;
}

bool boot_load(const BootTarget *t, BootImages *out, X86BootState *st, Error **errp)
{
    g_autoptr(GBytes) kernel = boot_file_map("kernel", t->kernel, errp);

    if (!kernel) {
        return false;
    }
    switch (boot_format_detect(kernel, t->kernel, errp)) {
    case BOOT_LINUX:
        return boot_load_linux(t, kernel, out, st, errp);
    case BOOT_PVH:
        return boot_load_pvh(t, kernel, out, st, errp);
    case BOOT_MULTIBOOT:
        return boot_load_multiboot(t, kernel, out, st, errp);
    default:
        return false;
    }
}
