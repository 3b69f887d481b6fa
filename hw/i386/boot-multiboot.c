/*
 * Multiboot 1 kernels (Multiboot Specification 0.6.96), by address fields or as ELF; modules from -initrd.
 *
 * -initrd "FILE [ARGS],FILE [ARGS],...": each is a module whose string is the text between commas.  Modules
 * follow the kernel on page boundaries.  A doubled comma stands for one in a name.
 */
#include "boot-elf.h"
#include "hw/i386/boot-image.h"

enum {
    MB_PAGE_ALIGN = 1 << 0, MB_MEMORY_INFO = 1 << 1, MB_VIDEO_MODE = 1 << 2, MB_ADDRESSES = 1 << 16, MB_REQUIRED = 0xffff,
    MBI_MEMORY = 1 << 0, MBI_BOOT_DEVICE = 1 << 1, MBI_CMDLINE = 1 << 2, MBI_MODS = 1 << 3, MBI_MMAP = 1 << 6, MBI_LOADER = 1 << 9,
    MBI_SIZE = 120, MOD_SIZE = 16, MMAP_ENTRY = 24, MAX_MODULES = 128,
};
#define MB_BOOT_MAGIC 0x2badb002u

/* What goes in the information area: modules, memory map, strings, in that order. */
typedef struct Info {
    GByteArray *bytes;
} Info;

static uint32_t info_put(Info *i, const void *data, size_t len)
{
    static const uint8_t pad[4];
    uint32_t at;

    g_byte_array_append(i->bytes, pad, (4 - i->bytes->len % 4) % 4);
    at = BOOT_INFO_ADDR + i->bytes->len;
    g_byte_array_append(i->bytes, data, (guint)len);
    return at;
}

static bool place_by_addresses(const BootTarget *t, GBytes *kernel, unsigned header, BootImages *out, uint64_t *entry,
                               uint64_t *end, Error **errp)
{
    gsize size;
    const uint8_t *d = g_bytes_get_data(kernel, &size), *h = d + header;
    uint32_t header_addr, load_addr, load_end, bss_end;
    uint64_t offset, len, span;

    if (size - header < 32) {
        error_setg(errp, "kernel '%s': Multiboot header is truncated", t->kernel);
        return false;
    }
    header_addr = ld32_le(h + 12);
    load_addr = ld32_le(h + 16);
    load_end = ld32_le(h + 20);
    bss_end = ld32_le(h + 24);
    *entry = ld32_le(h + 28);
    if (header_addr < load_addr || header_addr - load_addr > header) {
        error_setg(errp, "kernel '%s': Multiboot header address 0x%x does not go with load address 0x%x", t->kernel,
                   header_addr, load_addr);
        return false;
    }
    offset = header - (header_addr - load_addr);
    if (load_end && load_end < load_addr) {
        error_setg(errp, "kernel '%s': Multiboot load end 0x%x lies below its start 0x%x", t->kernel, load_end, load_addr);
        return false;
    }
    len = load_end ? load_end - load_addr : size - offset;
    if (len > size - offset) {
        error_setg(errp, "kernel '%s' is truncated: Multiboot header promises 0x%" PRIx64 " bytes, 0x%" PRIx64 " are there",
                   t->kernel, len, (uint64_t)size - offset);
        return false;
    }
    if (bss_end && bss_end < load_addr + len) {
        error_setg(errp, "kernel '%s': Multiboot bss end 0x%x lies below the end of its data", t->kernel, bss_end);
        return false;
    }
    span = bss_end ? bss_end - load_addr : len;
    *end = load_addr + span;
    if (load_addr < BOOT_LOW_END || !e820_is_ram(t->e820, load_addr, span)) {
        error_setg(errp, "kernel '%s': load range 0x%x..0x%" PRIx64 " does not lie in the machine's RAM above 0x%x",
                   t->kernel, load_addr, *end - 1, BOOT_LOW_END);
        return false;
    }
    boot_images_add(out, "kernel", load_addr, kernel, offset, len);
    boot_images_add_zero(out, "kernel", load_addr + len, span - len);
    return true;
}

static bool place_elf(const BootTarget *t, GBytes *kernel, BootImages *out, uint64_t *entry, uint64_t *end, Error **errp)
{
    gsize size;
    const uint8_t *d = g_bytes_get_data(kernel, &size);
    BootElf elf;

    if (size < 4 || memcmp(d, "\177ELF", 4) != 0) {
        error_setg(errp, "kernel '%s': Multiboot header without address fields in a file that is not ELF", t->kernel);
        return false;
    }
    if (!boot_elf_parse(kernel, t->kernel, &elf, errp) || !boot_elf_place(kernel, t->kernel, &elf, t, out, errp)) {
        return false;
    }
    *entry = elf.entry_paddr != ~0ull ? elf.entry_paddr : elf.entry;
    *end = elf.high;
    return true;
}

/* The next comma-separated item of *@text, unescaped; NULL at the end. */
static char *next_module(const char **text)
{
    GString *s;

    if (!**text) {
        return NULL;
    }
    s = g_string_new(NULL);
    while (**text) {
        if (**text == ',') {
            (*text)++;
            if (**text != ',') {
                break;
            }
        }
        g_string_append_c(s, *(*text)++);
    }
    return g_string_free(s, FALSE);
}

static bool place_modules(const BootTarget *t, uint64_t at, BootImages *out, Info *info, uint8_t *mbi, Error **errp)
{
    const char *text = t->initrd ? t->initrd : "";
    g_autoptr(GByteArray) list = g_byte_array_new();
    char *item;

    while ((item = next_module(&text)) != NULL) {
        g_autofree char *string = item, *file = g_strndup(item, strcspn(item, " "));
        g_autoptr(GBytes) bytes = boot_file_map("module", file, errp);
        uint8_t mod[MOD_SIZE] = { 0 };
        uint64_t size;

        if (!bytes) {
            return false;
        }
        size = g_bytes_get_size(bytes);
        at = ROUND_UP(at, 4096ull);
        if (list->len / MOD_SIZE == MAX_MODULES || !e820_is_ram(t->e820, at, size)) {
            error_setg(errp, "module '%s' of %" PRIu64 " bytes does not fit at 0x%" PRIx64 ", or there are more than %u",
                       file, size, at, MAX_MODULES);
            return false;
        }
        boot_images_add(out, "module", at, bytes, 0, size);
        st32_le(mod, (uint32_t)at);
        st32_le(mod + 4, (uint32_t)(at + size));
        st32_le(mod + 8, info_put(info, string, strlen(string) + 1));
        g_byte_array_append(list, mod, MOD_SIZE);
        at += size;
    }
    st32_le(mbi + 20, list->len / MOD_SIZE);
    st32_le(mbi + 24, info_put(info, list->data ? list->data : (const uint8_t *)"", list->len));
    return true;
}

static void place_memory_map(const BootTarget *t, Info *info, uint8_t *mbi)
{
    g_autofree uint8_t *map = g_malloc0(E820_MAX * MMAP_ENTRY);

    for (unsigned i = 0; i < t->e820->n; i++) {
        uint8_t *m = map + i * MMAP_ENTRY;

        st32_le(m, MMAP_ENTRY - 4);
        st64_le(m + 4, t->e820->e[i].addr);
        st64_le(m + 12, t->e820->e[i].len);
        st32_le(m + 20, t->e820->e[i].type);
    }
    st32_le(mbi + 44, t->e820->n * MMAP_ENTRY);
    st32_le(mbi + 48, info_put(info, map, t->e820->n * MMAP_ENTRY));
    st32_le(mbi + 4, 640);
    st32_le(mbi + 8, (uint32_t)((t->below_4g - MiB) / KiB));
}

bool boot_load_multiboot(const BootTarget *t, GBytes *kernel, BootImages *out, X86BootState *st, Error **errp)
{
    gsize size;
    const uint8_t *d = g_bytes_get_data(kernel, &size);
    int header = boot_find_multiboot_header(d, size);
    g_autofree char *cmdline = g_strdup_printf("%s%s%s", t->kernel, t->append && *t->append ? " " : "", t->append ? t->append : "");
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree uint8_t *mbi = g_malloc0(MBI_SIZE);
    Info info = { bytes };
    uint64_t entry, end;
    uint32_t flags;

    assert(header >= 0);
    flags = ld32_le(d + header + 4);
    if (flags & MB_REQUIRED & ~(MB_PAGE_ALIGN | MB_MEMORY_INFO | MB_VIDEO_MODE)) {
        error_setg(errp, "kernel '%s' requires Multiboot features 0x%x that are unknown", t->kernel, flags & MB_REQUIRED);
        return false;
    }
    if (flags & MB_VIDEO_MODE) {
        warn_report("kernel '%s' asks for a video mode by Multiboot: there is none", t->kernel);
    }
    if (flags & MB_ADDRESSES ? !place_by_addresses(t, kernel, (unsigned)header, out, &entry, &end, errp)
                             : !place_elf(t, kernel, out, &entry, &end, errp)) {
        return false;
    }
    if (entry > UINT32_MAX || !e820_is_ram(t->e820, entry, 1)) {
        error_setg(errp, "kernel '%s': entry point 0x%" PRIx64 " does not lie in the machine's RAM", t->kernel, entry);
        return false;
    }
    if (!boot_place_cmdline(out, cmdline, BOOT_CMDLINE_MAX, errp)
        || !place_modules(t, MAX(end, MiB), out, &info, mbi, errp)) {
        return false;
    }
    place_memory_map(t, &info, mbi);
    st32_le(mbi, MBI_MEMORY | MBI_BOOT_DEVICE | MBI_CMDLINE | MBI_MODS | MBI_MMAP | MBI_LOADER);
    st32_le(mbi + 12, 0x8000ffff);          /* first hard disk, no partition */
    st32_le(mbi + 16, BOOT_CMDLINE_ADDR);
    st32_le(mbi + 64, info_put(&info, "quern", 6));
    if (bytes->len > BOOT_INFO_MAX) {
        error_setg(errp, "kernel '%s': module strings take %u bytes, at most %u fit", t->kernel, bytes->len, BOOT_INFO_MAX);
        return false;
    }
    boot_images_add_take(out, "Multiboot information", BOOT_PARAMS_ADDR, g_steal_pointer(&mbi), MBI_SIZE);
    boot_images_add_take(out, "Multiboot lists", BOOT_INFO_ADDR, g_memdup2(bytes->data, bytes->len), bytes->len);
    *st = (X86BootState){ .entry = entry, .rax = MB_BOOT_MAGIC, .rbx = BOOT_PARAMS_ADDR, .rsp = BOOT_STACK_ADDR };
    boot_place_gdt(out, st);
    return true;
}
