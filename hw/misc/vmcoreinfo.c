/*
 * "vmcoreinfo": a file of the firmware configuration device that the guest writes.
 *
 * etc/vmcoreinfo has 16 bytes, little-endian: the format the host understands (1 = ELF note), the guest's format, size and
 * guest-physical address of the note.  Linux' qemu_fw_cfg driver fills in the last three.
 */
#include "hw/misc/vmcoreinfo.h"

#include "hw/core/machine.h"
#include "hw/nvram/fw_cfg.h"

enum { FORMAT_NONE = 0, FORMAT_ELF = 1, HOST_FORMAT_AT = 0, GUEST_FORMAT_AT = 2, SIZE_AT = 4, ADDRESS_AT = 8, FILE_SIZE = 16 };

typedef struct VmCoreInfo {
    Device dev;
    uint8_t file[FILE_SIZE];
    bool has_vmcoreinfo;                /* the guest has written it all since the last reset */
} VmCoreInfo;

OBJECT_DECLARE(VmCoreInfo, VMCOREINFO, vmcoreinfo)

static void file_written(void *opaque, size_t offset, size_t len)
{
    VmCoreInfo *s = opaque;

    s->has_vmcoreinfo = offset == 0 && len == FILE_SIZE && ld16_le(s->file + GUEST_FORMAT_AT) != FORMAT_NONE;
}

static bool find(Object *child, void *opaque)
{
    VmCoreInfo **found = opaque;

    if (object_is(child, &vmcoreinfo_type) && DEVICE(child)->realized) {
        *found = VMCOREINFO(child);
    }
    return !*found;
}

static VmCoreInfo *vmcoreinfo_find(void)
{
    VmCoreInfo *found = NULL;

    object_foreach_child(object_container("/machine"), true, find, &found);
    return found;
}

bool vmcoreinfo_get(uint64_t *address, uint32_t *size)
{
    const VmCoreInfo *s = vmcoreinfo_find();

    if (!s || !s->has_vmcoreinfo || ld16_le(s->file + GUEST_FORMAT_AT) != FORMAT_ELF) {
        return false;
    }
    *address = ld64_le(s->file + ADDRESS_AT);
    *size = ld32_le(s->file + SIZE_AT);
    return true;
}

static bool vmcoreinfo_realize(Device *dev, Error **errp)
{
    VmCoreInfo *s = VMCOREINFO(dev);
    Machine *m = current_machine();

    if (!m->fw_cfg || !fw_cfg_dma_enabled(FW_CFG(m->fw_cfg))) {
        error_setg(errp, "vmcoreinfo device requires fw_cfg with DMA");
        return false;
    }
    if (vmcoreinfo_find()) {
        error_setg(errp, "at most one vmcoreinfo device is permitted");
        return false;
    }
    return fw_cfg_add_file_callback(FW_CFG(m->fw_cfg), "etc/vmcoreinfo", NULL, file_written, s, s->file, FILE_SIZE, false, errp);
}

static void vmcoreinfo_reset_hold(Device *dev, ResetType type)
{
    VmCoreInfo *s = VMCOREINFO(dev);

    if (type == RESET_WAKEUP) {
        return;                         /* the guest goes on and will not tell again */
    }
    memset(s->file, 0, sizeof(s->file));
    st16_le(s->file + HOST_FORMAT_AT, FORMAT_ELF);
    s->has_vmcoreinfo = false;
}

static const VMField vmcoreinfo_fields[] = { VMS_BUFFER(VmCoreInfo, file), VMS_BOOL(VmCoreInfo, has_vmcoreinfo), VMS_END };
static const VMState vmstate_vmcoreinfo = {
    .name = "vmcoreinfo", .version = 1, .minimum_version = 1, .fields = vmcoreinfo_fields,
};

/* The file is there for the life of the machine. */
DEVICE_DEFINE(VmCoreInfo, vmcoreinfo, "vmcoreinfo", device,
    .desc             = "where the guest describes itself for memory dumps",
    .realize          = vmcoreinfo_realize,
    .reset_hold       = vmcoreinfo_reset_hold,
    .vmstate          = &vmstate_vmcoreinfo,
    .not_hotpluggable = true,
);
