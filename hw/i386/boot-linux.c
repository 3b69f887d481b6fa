/*
 * Linux bzImage by the 64-bit boot protocol, or the 32-bit one for kernels without a 64-bit entry.
 *
 * Reference: Linux Documentation/arch/x86/boot.rst (field offsets in the setup header) and zero-page.rst.
 *
 * The kernel runs in [load, load + init_size): loaded at its preferred address where it says it may be,
 * else at 1 MiB.  The initrd goes as high as initrd_addr_max and RAM below 4 GiB allow.
 */
#include "boot-elf.h"
#include "hw/i386/boot-image.h"

/* Setup header, offsets in the file and in the zero page */
enum {
    H_SETUP_SECTS = 0x1f1, H_JUMP = 0x200, H_VERSION = 0x206, H_TYPE_OF_LOADER = 0x210, H_LOADFLAGS = 0x211,
    H_CODE32_START = 0x214, H_RAMDISK_IMAGE = 0x218, H_RAMDISK_SIZE = 0x21c, H_CMD_LINE_PTR = 0x228,
    H_INITRD_ADDR_MAX = 0x22c, H_RELOCATABLE = 0x234, H_XLOADFLAGS = 0x236, H_CMDLINE_SIZE = 0x238,
    H_PREF_ADDRESS = 0x258, H_INIT_SIZE = 0x260, H_FIRST = 0x1f1,
    LOADED_HIGH = 0x01, XLF_KERNEL_64 = 0x01, LOADER_UNDEFINED = 0xff,
    /* zero page only */
    Z_ACPI_RSDP_ADDR = 0x70, Z_E820_ENTRIES = 0x1e8, Z_E820_TABLE = 0x2d0, Z_E820_MAX = 128,
    ENTRY64 = 0x200, PREF_ADDRESS_SINCE = 0x20a,
};

typedef struct Setup {
    const uint8_t *d;               /* the file */
    size_t size;
    const char *path;
    uint16_t version;
    uint64_t kernel_off, kernel_size;
    uint64_t load, span;            /* where, and how much memory it needs there */
    uint64_t initrd_max;            /* highest last byte */
    uint32_t cmdline_max;           /* with its NUL */
    bool entry64;
} Setup;

static bool setup_parse(Setup *s, Error **errp)
{
    unsigned sects = s->d[H_SETUP_SECTS] ? s->d[H_SETUP_SECTS] : 4;
    uint64_t start = (uint64_t)(sects + 1) * 512;

    s->version = ld16_le(s->d + H_VERSION);
    if (s->version < 0x204 || !(s->d[H_LOADFLAGS] & LOADED_HIGH)) {
        error_setg(errp, "kernel '%s': boot protocol %u.%02u is too old: a bzImage of 2.04 or later is needed", s->path,
                   s->version >> 8, s->version & 0xff);
        return false;
    }
    if (start >= s->size) {
        error_setg(errp, "kernel '%s' is truncated: %zu bytes, its setup alone is %" PRIu64, s->path, s->size, start);
        return false;
    }
    s->kernel_off = start;
    s->kernel_size = s->size - start;
    if (s->kernel_size < (uint64_t)ld32_le(s->d + 0x1f4) * 16) {
        error_setg(errp, "kernel '%s' is truncated: %zu bytes, its header promises %" PRIu64, s->path, s->size,
                   start + (uint64_t)ld32_le(s->d + 0x1f4) * 16);
        return false;
    }
    s->entry64 = s->version >= 0x20c && (ld16_le(s->d + H_XLOADFLAGS) & XLF_KERNEL_64);
    if (s->entry64 && s->kernel_size < ENTRY64 + 16) {
        error_setg(errp, "kernel '%s' is truncated: no room for its 64-bit entry point", s->path);
        return false;
    }
    s->cmdline_max = s->version >= 0x206 ? ld32_le(s->d + H_CMDLINE_SIZE) : 255;
    s->cmdline_max = s->cmdline_max < UINT32_MAX ? s->cmdline_max + 1 : s->cmdline_max;
    return true;
}

static bool setup_place_kernel(Setup *s, const BootTarget *t, Error **errp)
{
    uint64_t pref = s->version >= PREF_ADDRESS_SINCE ? ld64_le(s->d + H_PREF_ADDRESS) : 0;

    s->span = MAX(s->version >= PREF_ADDRESS_SINCE ? ld32_le(s->d + H_INIT_SIZE) : 0, s->kernel_size);
    s->load = MiB;
    if (s->entry64 && s->d[H_RELOCATABLE] && pref > MiB && pref < 4 * GiB && e820_is_ram(t->e820, pref, s->span)) {
        s->load = pref;
    } else if (s->entry64 && pref > MiB && pref < 4 * GiB) {
        s->span += pref - MiB;      /* it will unpack itself there */
    }
    if (!e820_is_ram(t->e820, s->load, s->span)) {
        error_setg(errp, "kernel '%s' needs memory up to 0x%" PRIx64 ", the machine has RAM up to 0x%" PRIx64
                   ": give it more with -m", s->path, s->load + s->span, t->below_4g);
        return false;
    }
    return true;
}

static bool setup_place_initrd(Setup *s, const BootTarget *t, BootImages *out, uint8_t *zero, Error **errp)
{
    g_autoptr(GBytes) initrd = NULL;
    uint64_t size, addr;

    if (!t->initrd || !*t->initrd) {
        return true;
    }
    initrd = boot_file_map("initrd", t->initrd, errp);
    if (!initrd) {
        return false;
    }
    size = g_bytes_get_size(initrd);
    s->initrd_max = MIN(ld32_le(s->d + H_INITRD_ADDR_MAX), t->below_4g - 1);
    addr = size <= s->initrd_max ? ROUND_DOWN(s->initrd_max + 1 - size, 4096ull) : 0;
    if (addr < s->load + s->span) {
        error_setg(errp, "initrd '%s' of %" PRIu64 " bytes does not fit between the kernel (up to 0x%" PRIx64
                   ") and 0x%" PRIx64 ": give the machine more memory with -m", t->initrd, size, s->load + s->span,
                   s->initrd_max);
        return false;
    }
    boot_images_add(out, "initrd", addr, initrd, 0, size);
    st32_le(zero + H_RAMDISK_IMAGE, (uint32_t)addr);
    st32_le(zero + H_RAMDISK_SIZE, (uint32_t)size);
    return true;
}

static void zero_page_fill(const Setup *s, const BootTarget *t, uint8_t *zero)
{
    unsigned header_end = MIN(H_JUMP + 2u + s->d[H_JUMP + 1], 0x290u);

    memcpy(zero + H_FIRST, s->d + H_FIRST, header_end - H_FIRST);
    zero[H_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    st32_le(zero + H_CODE32_START, (uint32_t)s->load);
    st32_le(zero + H_CMD_LINE_PTR, BOOT_CMDLINE_ADDR);
    st32_le(zero + H_RAMDISK_IMAGE, 0);
    st32_le(zero + H_RAMDISK_SIZE, 0);
    st64_le(zero + Z_ACPI_RSDP_ADDR, t->rsdp);
    zero[Z_E820_ENTRIES] = (uint8_t)t->e820->n;
    G_STATIC_ASSERT(E820_MAX <= Z_E820_MAX);
    e820_pack(t->e820, zero + Z_E820_TABLE);
}

bool boot_load_linux(const BootTarget *t, GBytes *kernel, BootImages *out, X86BootState *st, Error **errp)
{
    gsize size;
    const uint8_t *d = g_bytes_get_data(kernel, &size);
    Setup s = { .d = d, .size = size, .path = t->kernel };
    g_autofree uint8_t *zero = g_malloc0(4096);

    if (size < 0x290) {
        error_setg(errp, "kernel '%s' is truncated: %zu bytes", t->kernel, (size_t)size);
        return false;
    }
    if (!setup_parse(&s, errp) || !setup_place_kernel(&s, t, errp)) {
        return false;
    }
    zero_page_fill(&s, t, zero);
    if (!setup_place_initrd(&s, t, out, zero, errp)
        || !boot_place_cmdline(out, t->append ? t->append : "", s.cmdline_max, errp)) {
        return false;
    }
    boot_images_add(out, "kernel", s.load, kernel, s.kernel_off, s.kernel_size);
    boot_images_add_take(out, "zero page", BOOT_PARAMS_ADDR, g_steal_pointer(&zero), 4096);

    *st = (X86BootState){
        .long_mode = s.entry64, .entry = s.load + (s.entry64 ? ENTRY64 : 0), .rsi = BOOT_PARAMS_ADDR, .rsp = BOOT_STACK_ADDR,
    };
    boot_place_gdt(out, st);
    if (s.entry64) {
        boot_place_page_tables(out, st);
    }
    return true;
}
