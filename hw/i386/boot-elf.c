/*
 * ELF for boot loaders.  See boot-elf.h.
 *
 * Reference: System V ABI, object files; field offsets are those of the 32- and 64-bit classes.  The file
 * is hostile: nothing is read before its bounds are known, sums cannot wrap, loops are capped.
 */
#include "boot-elf.h"

enum { EM_386 = 3, EM_X86_64 = 62, ET_EXEC = 2, ET_DYN = 3, PT_LOAD = 1, PT_NOTE = 4, MAX_PROGRAM_HEADERS = 256 };

typedef struct Reader {
    const uint8_t *d;
    size_t size;
    bool is64;
    const char *path;
} Reader;

static bool in_file(const Reader *r, uint64_t off, uint64_t len)
{
    return off <= r->size && len <= r->size - off;
}

/* An address-sized field: 32 or 64 bits at the class's own offset. */
static uint64_t word(const Reader *r, uint64_t base, unsigned off32, unsigned off64)
{
    return r->is64 ? ld64_le(r->d + base + off64) : ld32_le(r->d + base + off32);
}

static bool check_ident(const Reader *r, Error **errp)
{
    uint16_t machine;

    if (r->size < (r->is64 ? 64 : 52)) {
        error_setg(errp, "kernel '%s': ELF header is truncated at %zu bytes", r->path, r->size);
        return false;
    }
    machine = ld16_le(r->d + 18);
    if (r->d[5] != 1 || (machine != EM_386 && machine != EM_X86_64)) {
        error_setg(errp, "kernel '%s': ELF file is for another architecture (machine %u)", r->path, machine);
        return false;
    }
    if (ld16_le(r->d + 16) != ET_EXEC && ld16_le(r->d + 16) != ET_DYN) {
        error_setg(errp, "kernel '%s': ELF file is not an executable (type %u)", r->path, ld16_le(r->d + 16));
        return false;
    }
    return true;
}

static bool add_load(const Reader *r, BootElf *out, uint64_t ph, Error **errp)
{
    BootElfSegment s = { word(r, ph, 4, 8), word(r, ph, 16, 32), word(r, ph, 12, 24), word(r, ph, 20, 40) };
    uint64_t vaddr = word(r, ph, 8, 16);

    if (!s.memsz) {
        return true;
    }
    if (s.filesz > s.memsz || !in_file(r, s.offset, s.filesz)) {
        error_setg(errp, "kernel '%s': ELF segment at 0x%" PRIx64 " (0x%" PRIx64 " bytes at file offset 0x%" PRIx64
                   ") is truncated", r->path, s.paddr, s.filesz, s.offset);
        return false;
    }
    if (s.paddr + s.memsz < s.paddr || out->n_segments == BOOT_ELF_MAX_SEGMENTS) {
        error_setg(errp, "kernel '%s': ELF segment at 0x%" PRIx64 " wraps, or there are more than %u", r->path, s.paddr,
                   BOOT_ELF_MAX_SEGMENTS);
        return false;
    }
    if (out->entry >= vaddr && out->entry - vaddr < s.memsz) {
        out->entry_paddr = s.paddr + (out->entry - vaddr);
    }
    out->low = MIN(out->low, s.paddr);
    out->high = MAX(out->high, s.paddr + s.memsz);
    out->segment[out->n_segments++] = s;
    return true;
}

static void add_note(const Reader *r, BootElf *out, uint64_t ph)
{
    uint64_t off = word(r, ph, 4, 8), size = word(r, ph, 16, 32);

    if (in_file(r, off, size) && out->n_notes < ARRAY_SIZE(out->note)) {
        out->note[out->n_notes].offset = off;
        out->note[out->n_notes].size = size;
        out->n_notes++;
    }
}

bool boot_elf_parse(GBytes *file, const char *path, BootElf *out, Error **errp)
{
    gsize size;
    const uint8_t *d = g_bytes_get_data(file, &size);
    Reader r = { d, size, size > 4 && d[4] == 2, path };
    uint64_t phoff;
    unsigned phnum, phentsize;

    memset(out, 0, sizeof(*out));
    out->is64 = r.is64;
    out->low = out->entry_paddr = ~0ull;
    if (!check_ident(&r, errp)) {
        return false;
    }
    out->entry = word(&r, 0, 24, 24);
    phoff = word(&r, 0, 28, 32);
    phentsize = ld16_le(d + (r.is64 ? 54 : 42));
    phnum = ld16_le(d + (r.is64 ? 56 : 44));
    if (phentsize != (r.is64 ? 56 : 32) || phnum > MAX_PROGRAM_HEADERS || !in_file(&r, phoff, (uint64_t)phnum * phentsize)) {
        error_setg(errp, "kernel '%s': ELF program headers (%u of %u bytes at 0x%" PRIx64 ") are invalid or truncated",
                   path, phnum, phentsize, phoff);
        return false;
    }
    for (unsigned i = 0; i < phnum; i++) {
        uint64_t ph = phoff + (uint64_t)i * phentsize;

        switch (ld32_le(d + ph)) {
        case PT_LOAD:
            if (!add_load(&r, out, ph, errp)) {
                return false;
            }
            break;
        case PT_NOTE:
            add_note(&r, out, ph);
            break;
        }
    }
    if (!out->n_segments) {
        error_setg(errp, "kernel '%s': ELF file has nothing to load", path);
        return false;
    }
    return true;
}

const uint8_t *boot_elf_find_note(GBytes *file, const BootElf *elf, const char *name, uint32_t type, uint32_t *len)
{
    const uint8_t *d = g_bytes_get_data(file, NULL);

    for (unsigned i = 0; i < elf->n_notes; i++) {
        uint64_t at = elf->note[i].offset, end = at + elf->note[i].size;

        while (end - at >= 12) {
            uint64_t namesz = ld32_le(d + at), descsz = ld32_le(d + at + 4);
            uint64_t desc = at + 12 + ROUND_UP(namesz, 4), next = desc + ROUND_UP(descsz, 4);

            if (desc > end || desc + descsz > end) {
                break;
            }
            if (ld32_le(d + at + 8) == type && namesz == strlen(name) + 1 && memcmp(d + at + 12, name, namesz) == 0) {
                *len = (uint32_t)descsz;
                return d + desc;
            }
            if (next > end) {
                break;
            }
            at = next;
        }
    }
    return NULL;
}

bool boot_elf_place(GBytes *file, const char *path, const BootElf *elf, const BootTarget *t, BootImages *out, Error **errp)
{
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const BootElfSegment *s = &elf->segment[i];
        const char *with;

        if (s->paddr < BOOT_LOW_END || !e820_is_ram(t->e820, s->paddr, s->memsz)) {
            error_setg(errp, "kernel '%s': segment 0x%" PRIx64 "..0x%" PRIx64 " does not lie in the machine's RAM above 0x%x",
                       path, s->paddr, s->paddr + s->memsz - 1, BOOT_LOW_END);
            return false;
        }
        if (boot_images_overlap(out, s->paddr, s->memsz, &with)) {
            error_setg(errp, "kernel '%s': segment 0x%" PRIx64 "..0x%" PRIx64 " overlaps the %s", path, s->paddr,
                       s->paddr + s->memsz - 1, with);
            return false;
        }
        boot_images_add(out, "kernel", s->paddr, file, s->offset, s->filesz);
        boot_images_add_zero(out, "kernel", s->paddr + s->filesz, s->memsz - s->filesz);
    }
    return true;
}

int boot_find_multiboot_header(const uint8_t *d, size_t size)
{
    for (unsigned i = 0; i + 12 <= MIN(size, 8192); i += 4) {
        if (ld32_le(d + i) == 0x1badb002 && ld32_le(d + i) + ld32_le(d + i + 4) + ld32_le(d + i + 8) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool boot_place_cmdline(BootImages *out, const char *text, size_t max, Error **errp)
{
    size_t len = strlen(text) + 1;

    max = MIN(max, (size_t)BOOT_CMDLINE_MAX);
    if (len > max) {
        error_setg(errp, "kernel command line is %zu bytes, the kernel takes at most %zu", len - 1, max - 1);
        return false;
    }
    boot_images_add_take(out, "command line", BOOT_CMDLINE_ADDR, (uint8_t *)g_strdup(text), len);
    return true;
}
