/*
 * fw_cfg: how the machine tells firmware and kernels what it is made of.
 *
 * Items are numbered blobs; files are named blobs whose numbers are found in the directory item.
 * The guest selects an item and reads it a byte at a time, or hands a DMA descriptor over.
 * All building is done before the machine first runs; sizes may change later only through
 * fw_cfg_modify_file().  BQL held throughout.
 */
#ifndef HW_NVRAM_FW_CFG_H
#define HW_NVRAM_FW_CFG_H

#include "hw/core/qdev.h"
#include "system/memory.h"

/* Well-known items. */
enum {
    FW_CFG_SIGNATURE        = 0x00,
    FW_CFG_ID               = 0x01,
    FW_CFG_UUID             = 0x02,
    FW_CFG_RAM_SIZE         = 0x03,
    FW_CFG_NOGRAPHIC        = 0x04,
    FW_CFG_NB_CPUS          = 0x05,
    FW_CFG_MACHINE_ID       = 0x06,
    FW_CFG_KERNEL_ADDR      = 0x07,
    FW_CFG_KERNEL_SIZE      = 0x08,
    FW_CFG_KERNEL_CMDLINE   = 0x09,
    FW_CFG_INITRD_ADDR      = 0x0a,
    FW_CFG_INITRD_SIZE      = 0x0b,
    FW_CFG_BOOT_DEVICE      = 0x0c,
    FW_CFG_NUMA             = 0x0d,
    FW_CFG_BOOT_MENU        = 0x0e,
    FW_CFG_MAX_CPUS         = 0x0f,
    FW_CFG_KERNEL_ENTRY     = 0x10,
    FW_CFG_KERNEL_DATA      = 0x11,
    FW_CFG_INITRD_DATA      = 0x12,
    FW_CFG_CMDLINE_ADDR     = 0x13,
    FW_CFG_CMDLINE_SIZE     = 0x14,
    FW_CFG_CMDLINE_DATA     = 0x15,
    FW_CFG_SETUP_ADDR       = 0x16,
    FW_CFG_SETUP_SIZE       = 0x17,
    FW_CFG_SETUP_DATA       = 0x18,
    FW_CFG_FILE_DIR         = 0x19,
    FW_CFG_FILE_FIRST       = 0x20,
    FW_CFG_ARCH_LOCAL       = 0x8000,
    FW_CFG_ACPI_TABLES      = FW_CFG_ARCH_LOCAL + 0,
    FW_CFG_SMBIOS_ENTRIES   = FW_CFG_ARCH_LOCAL + 1,
    FW_CFG_IRQ0_OVERRIDE    = FW_CFG_ARCH_LOCAL + 2,
    FW_CFG_E820_TABLE       = FW_CFG_ARCH_LOCAL + 3,
    FW_CFG_HPET             = FW_CFG_ARCH_LOCAL + 4,
};

#define FW_CFG_IO_BASE      0x510           /* selector and data, DMA at +4 */
#define FW_CFG_ACPI_HID     "QEMU0002"
#define FW_CFG_MAX_FILE_PATH 56             /* with the ending NUL */

typedef struct FwCfg FwCfg;
extern const TypeInfo fw_cfg_type;              /* "fw_cfg", abstract */
extern const TypeInfo fw_cfg_io_type;           /* "fw_cfg_io" */
extern const TypeInfo fw_cfg_mem_type;          /* "fw_cfg_mem" */
static inline FwCfg *FW_CFG(const void *obj)
{
    return (FwCfg *)object_check_cast(obj, &fw_cfg_type);
}

/* A realized device at ports @base (0x510) of @io, child "fw_cfg" of the machine; DMA through @dma_as (NULL: no DMA). */
FwCfg *fw_cfg_io_create(MemoryRegion *io, uint16_t base, AddressSpace *dma_as);
/* MMIO flavour: selector at @ctl, @data_width (1..8) bytes of data at @data, DMA register at @dma if @dma_as. */
FwCfg *fw_cfg_mem_create(MemoryRegion *mem, hwaddr ctl, hwaddr data, unsigned data_width, hwaddr dma, AddressSpace *dma_as);

/* Items by number.  Each may be set once; a second time is a bug in the board.  Data are copied. */
void fw_cfg_add_bytes(FwCfg *s, uint16_t key, const void *data, size_t len);
void fw_cfg_add_string(FwCfg *s, uint16_t key, const char *str);    /* with its NUL */
void fw_cfg_add_i16(FwCfg *s, uint16_t key, uint16_t v);            /* little-endian */
void fw_cfg_add_i32(FwCfg *s, uint16_t key, uint32_t v);
void fw_cfg_add_i64(FwCfg *s, uint16_t key, uint64_t v);
/* Replace a 16-bit item (boot device, CPU count) at run time. */
void fw_cfg_modify_i16(FwCfg *s, uint16_t key, uint16_t v);
/* Not copied; @data must outlive the device (kernel and initrd images). */
void fw_cfg_add_bytes_borrowed(FwCfg *s, uint16_t key, const void *data, size_t len);

/*
 * Files.  The directory lists them sorted by name, as firmware expects; a selector, once
 * given, is the file's for life.  A duplicate name or a full directory is refused.
 */
typedef void FwCfgSelectFn(void *opaque);       /* the guest selected the file */
typedef void FwCfgWriteFn(void *opaque, size_t offset, size_t len);     /* the guest wrote that part of it */

bool fw_cfg_add_file(FwCfg *s, const char *name, const void *data, size_t len, Error **errp) MUST_USE;
/* @data: caller's buffer, read and, unless @read_only, written by the guest in place; must outlive the device. */
bool fw_cfg_add_file_callback(FwCfg *s, const char *name, FwCfgSelectFn *on_select, FwCfgWriteFn *on_write,
                              void *opaque, void *data, size_t len, bool read_only, Error **errp) MUST_USE;
/* Replace contents (copied) of a file, or add it. */
bool fw_cfg_modify_file(FwCfg *s, const char *name, const void *data, size_t len, Error **errp) MUST_USE;
/* Borrowed contents; false if there is no such file. */
bool fw_cfg_find_file(FwCfg *s, const char *name, const void **data, size_t *len);

/* One -fw_cfg option: a dict with name and exactly one of file, string. */
bool fw_cfg_add_option(FwCfg *s, const Value *opts, Error **errp) MUST_USE;
/* Is the DMA interface offered? */
bool fw_cfg_dma_enabled(const FwCfg *s);

#endif
