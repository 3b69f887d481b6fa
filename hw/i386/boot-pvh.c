/*
 * ELF kernels by the PVH protocol (x86/HVM direct boot ABI; Xen docs/misc/pvh.pandoc).
 *
 * The kernel names its 32-bit entry point in an ELF note (owner "Xen", type 18) and is entered in flat
 * protected mode without paging, EBX pointing to the start info.
 */
#include "boot-elf.h"
#include "hw/i386/boot-image.h"

enum {
    XEN_ELFNOTE_PHYS32_ENTRY = 18, START_INFO_SIZE = 56, MODLIST_ENTRY_SIZE = 32, MEMMAP_ENTRY_SIZE = 24,
    MEMMAP_OFF = 0x1000,        /* after the module list, within the information area */
};
#define START_MAGIC 0x336ec578u

static bool pvh_entry(GBytes *kernel, const BootElf *elf, const char *path, uint64_t *entry, Error **errp)
{
    uint32_t len;
    const uint8_t *desc = boot_elf_find_note(kernel, elf, "Xen", XEN_ELFNOTE_PHYS32_ENTRY, &len);

    if (!desc || (len != 4 && len != 8)) {
        error_setg(errp, "kernel '%s': ELF file without a PVH entry point (note 18 of \"Xen\") or Multiboot header", path);
        return false;
    }
    *entry = len == 8 ? ld64_le(desc) : ld32_le(desc);
    if (*entry < elf->low || *entry >= elf->high || *entry > UINT32_MAX) {
        error_setg(errp, "kernel '%s': PVH entry point 0x%" PRIx64 " lies outside its segments", path, *entry);
        return false;
    }
    return true;
}

static bool pvh_place_initrd(const BootTarget *t, const BootElf *elf, BootImages *out, uint8_t *modlist, bool *have, Error **errp)
{
    g_autoptr(GBytes) initrd = NULL;
    uint64_t size, addr;

    *have = false;
    if (!t->initrd || !*t->initrd) {
        return true;
    }
    initrd = boot_file_map("initrd", t->initrd, errp);
    if (!initrd) {
        return false;
    }
    size = g_bytes_get_size(initrd);
    addr = size < t->below_4g ? ROUND_DOWN(t->below_4g - size, 4096ull) : 0;
    if (addr < MAX(elf->high, MiB)) {
        error_setg(errp, "initrd '%s' of %" PRIu64 " bytes does not fit above the kernel (up to 0x%" PRIx64
                   "): give the machine more memory with -m", t->initrd, size, elf->high);
        return false;
    }
    boot_images_add(out, "initrd", addr, initrd, 0, size);
    st64_le(modlist, addr);
    st64_le(modlist + 8, size);
    *have = true;
    return true;
}

bool boot_load_pvh(const BootTarget *t, GBytes *kernel, BootImages *out, X86BootState *st, Error **errp)
{
    size_t info_size = MEMMAP_OFF + E820_MAX * MEMMAP_ENTRY_SIZE;
    g_autofree uint8_t *info = g_malloc0(info_size), *start = g_malloc0(START_INFO_SIZE);
    BootElf elf;
    uint64_t entry;
    bool have_initrd;

    if (!boot_elf_parse(kernel, t->kernel, &elf, errp) || !pvh_entry(kernel, &elf, t->kernel, &entry, errp)
        || !boot_place_cmdline(out, t->append ? t->append : "", BOOT_CMDLINE_MAX, errp)
        || !pvh_place_initrd(t, &elf, out, info, &have_initrd, errp)) {
        return false;
    }
    for (unsigned i = 0; i < t->e820->n; i++) {
        uint8_t *m = info + MEMMAP_OFF + i * MEMMAP_ENTRY_SIZE;

        st64_le(m, t->e820->e[i].addr);
        st64_le(m + 8, t->e820->e[i].len);
        st32_le(m + 16, t->e820->e[i].type);
    }
    st32_le(start, START_MAGIC);
    st32_le(start + 4, 1);                                          /* version: memory map present */
    st32_le(start + 12, have_initrd);
    st64_le(start + 16, have_initrd ? BOOT_INFO_ADDR : 0);
    st64_le(start + 24, BOOT_CMDLINE_ADDR);
    st64_le(start + 32, t->rsdp);
    st64_le(start + 40, BOOT_INFO_ADDR + MEMMAP_OFF);
    st32_le(start + 48, t->e820->n);
    boot_images_add_take(out, "PVH start info", BOOT_PARAMS_ADDR, g_steal_pointer(&start), START_INFO_SIZE);
    boot_images_add_take(out, "PVH memory map", BOOT_INFO_ADDR, g_steal_pointer(&info), info_size);

    *st = (X86BootState){ .entry = entry, .rbx = BOOT_PARAMS_ADDR, .rsp = BOOT_STACK_ADDR };
    boot_place_gdt(out, st);
    return boot_elf_place(kernel, t->kernel, &elf, t, out, errp);
}
