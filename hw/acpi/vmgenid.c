/*
 * "vmgenid": the virtual machine generation id.
 *
 * Reference: Microsoft, "Virtual Machine Generation ID" (2012), with the placement that firmware of emulated machines knows:
 * file etc/vmgenid_guid is a page that firmware puts in guest memory, with the id at byte 40, little-endian fields first;
 * firmware writes the id's address to file etc/vmgenid_addr.  The guest finds the page by \_SB.VGEN.ADDR and looks at the
 * id again on Notify(VGEN, 0x80), which general-purpose event 5 makes.
 * Locks: BQL.
 */
#include "hw/acpi/vmgenid.h"

#include "hw/acpi/aml.h"
#include "hw/core/machine.h"
#include "qapi/qapi-commands.h"
#include "util/guest-random.h"
#include "util/log.h"
#include "util/uuid.h"

#define FILE_GUID "etc/vmgenid_guid"
#define FILE_ADDR "etc/vmgenid_addr"

struct VmGenId {
    Device dev;
    uint8_t guid[UUID_LEN];             /* in text order */

    uint8_t page[VMGENID_PAGE];         /* what firmware copies */
    uint8_t addr_le[8];                 /* of the id in guest memory, the guest's word; 0 = it did not say */
    AcpiPm *pm;                         /* borrowed; NULL: no events */
};

OBJECT_DECLARE(VmGenId, VMGENID, vmgenid)

static bool find(Object *child, void *opaque)
{
    VmGenId **found = opaque;

    if (object_is(child, &vmgenid_type) && DEVICE(child)->realized) {
        *found = VMGENID(child);
    }
    return !*found;
}

VmGenId *vmgenid_find(void)
{
    VmGenId *found = NULL;

    object_foreach_child(object_container("/machine"), true, find, &found);
    return found;
}

void vmgenid_connect(VmGenId *s, AcpiPm *pm)
{
    s->pm = pm;
}

/* --- the id in guest memory --- */

static void write_guest(const VmGenId *s)
{
    hwaddr addr = ld64_le(s->addr_le);

    if (addr && address_space_write(&address_space_memory, addr, MEMTXATTRS_UNSPECIFIED, s->page + VMGENID_GUID_AT, UUID_LEN)
                != MEMTX_OK) {
        guest_error("vmgenid", "no memory at 0x%" HWADDR_PRIx " for the id", addr);
    }
}

/* A new id, or the guest is another machine's: tell it. */
static void changed(VmGenId *s)
{
    write_guest(s);
    if (s->pm && ld64_le(s->addr_le)) {
        acpi_pm_gpe_raise(s->pm, VMGENID_GPE);
    }
}

void vmgenid_place(VmGenId *s, hwaddr addr)
{
    st64_le(s->addr_le, addr + VMGENID_GUID_AT);
    address_space_write(&address_space_memory, addr, MEMTXATTRS_UNSPECIFIED, s->page, sizeof(s->page));
}

/* --- tables --- */

static void method_sta(Aml *a)
{
    aml_begin_method(a, "_STA", 0, false);
    aml_begin_if(a);
    aml_op(a, AML_LEQUAL);
    aml_path(a, "\\VGIA");
    aml_int(a, 0);
    aml_op(a, AML_RETURN);
    aml_int(a, 0);
    aml_end(a);
    aml_op(a, AML_RETURN);
    aml_int(a, 0xf);
    aml_end(a);
}

/* The id's address in two halves. */
static void method_addr(Aml *a)
{
    aml_begin_method(a, "ADDR", 0, false);
    aml_op(a, AML_STORE);
    aml_begin_package(a, 2);
    aml_int(a, 0);
    aml_int(a, 0);
    aml_end(a);
    aml_op(a, AML_LOCAL0);
    aml_op(a, AML_ADD);
    aml_path(a, "\\VGIA");
    aml_int(a, VMGENID_GUID_AT);
    aml_op(a, AML_INDEX);
    aml_op(a, AML_LOCAL0);
    aml_int(a, 0);
    aml_op(a, AML_ZERO);                /* Index's own target: none */
    aml_op(a, AML_RETURN);
    aml_op(a, AML_LOCAL0);
    aml_end(a);
}

uint32_t vmgenid_build_ssdt(AcpiTables *t, hwaddr placed_at)
{
    uint32_t start = acpi_table_begin(t, "SSDT", 1), code_at = t->tables->len, vgia_at;
    unsigned blob = acpi_add_blob(t, FILE_GUID, VMGENID_PAGE, placed_at);
    GByteArray *code;
    Aml a;

    aml_init(&a);
    aml_name(&a, "VGIA");
    vgia_at = aml_dword(&a, 0);
    aml_begin_scope(&a, "\\_SB");
    aml_begin_device(&a, "VGEN");
    aml_name_string(&a, "_HID", "QEMUVGID");
    aml_name_string(&a, "_CID", "VM_Gen_Counter");
    aml_name_string(&a, "_DDN", "VM_Gen_Counter");
    method_sta(&a);
    method_addr(&a);
    aml_end(&a);
    aml_end(&a);
    aml_begin_scope(&a, "\\_GPE");
    aml_begin_method(&a, "_E05", 0, false);
    aml_op(&a, AML_NOTIFY);
    aml_path(&a, "\\_SB.VGEN");
    aml_int(&a, 0x80);
    aml_end(&a);
    aml_end(&a);
    code = aml_finish(&a);
    g_byte_array_append(t->tables, code->data, code->len);
    g_byte_array_unref(code);
    acpi_point_at_blob(t, code_at + vgia_at, blob, 4);
    acpi_write_back(t, FILE_ADDR, blob, VMGENID_GUID_AT);
    acpi_table_end(t, start);
    return start;
}

/* --- the type --- */

static Value *get_guid(Object *obj, const Property *p)
{
    return value_string_take(uuid_format(VMGENID(obj)->guid));
}

static void random_guid(VmGenId *s)
{
    guest_random_fill(GUEST_RANDOM_DEVICES, s->guid, sizeof(s->guid));
    s->guid[6] = (uint8_t)(0x40 | (s->guid[6] & 0x0f));         /* RFC 4122 4.4: version 4 */
    s->guid[8] = (uint8_t)(0x80 | (s->guid[8] & 0x3f));
}

static bool set_guid(Object *obj, const Property *p, const Value *v, Error **errp)
{
    VmGenId *s = VMGENID(obj);
    const char *text = value_get_string(v);

    if (strcmp(text, "auto") == 0) {
        random_guid(s);
    } else if (!uuid_parse(text, s->guid)) {
        error_setg(errp, "must be a UUID or 'auto', got '%s'", text);
        return false;
    }
    uuid_to_le(s->guid, s->page + VMGENID_GUID_AT);
    if (s->dev.realized) {
        changed(s);
    }
    return true;
}

static void vmgenid_init(Object *obj)
{
    VmGenId *s = VMGENID(obj);

    random_guid(s);
    uuid_to_le(s->guid, s->page + VMGENID_GUID_AT);
}

static bool vmgenid_realize(Device *dev, Error **errp)
{
    VmGenId *s = VMGENID(dev);
    Machine *m = current_machine();
    FwCfg *fw = m->fw_cfg ? FW_CFG(m->fw_cfg) : NULL;

    if (!fw || !fw_cfg_dma_enabled(fw)) {
        error_setg(errp, "vmgenid requires DMA write support in fw_cfg, which this machine type does not provide");
        return false;
    }
    if (vmgenid_find()) {
        error_setg(errp, "at most one vmgenid device is permitted");
        return false;
    }
    return fw_cfg_add_file_callback(fw, FILE_GUID, NULL, NULL, NULL, s->page, sizeof(s->page), true, errp)
        && fw_cfg_add_file_callback(fw, FILE_ADDR, NULL, NULL, NULL, s->addr_le, sizeof(s->addr_le), false, errp);
}

/* What firmware will place anew; a guest that was woken goes on with what it has. */
static void vmgenid_reset_hold(Device *dev, ResetType type)
{
    if (type != RESET_WAKEUP) {
        memset(VMGENID(dev)->addr_le, 0, sizeof(VMGENID(dev)->addr_le));
    }
}

static bool vmgenid_post_load(void *opaque, unsigned version, Error **errp)
{
    changed(opaque);
    return true;
}

/* Not the id: a loaded machine has that of its command line. */
static const VMField vmgenid_fields[] = { VMS_BUFFER(VmGenId, addr_le), VMS_END };
static const VMState vmstate_vmgenid = {
    .name = "vmgenid", .version = 1, .minimum_version = 1, .fields = vmgenid_fields, .post_load = vmgenid_post_load,
};

static const Property vmgenid_properties[] = {
    PROP_CUSTOM(str, "guid", get_guid, set_guid, .shown = "str", .def_str = "auto", .settable_live = true,
                .help = "UUID, or \"auto\" for a random one; setting it while the guest runs tells the guest"),
};

DEVICE_DEFINE(VmGenId, vmgenid, "vmgenid", device,
    .desc             = "virtual machine generation id",
    .init             = vmgenid_init,
    .realize          = vmgenid_realize,
    .reset_hold       = vmgenid_reset_hold,
    .properties       = PROPS(vmgenid_properties),
    .vmstate          = &vmstate_vmgenid,
    .not_hotpluggable = true,
);

/* --- QMP --- */

QapiGuidInfo *qmp_query_vm_generation_id(Error **errp)
{
    VmGenId *s = current_machine() ? vmgenid_find() : NULL;
    QapiGuidInfo *info;

    if (!s) {
        error_setg(errp, "VM Generation ID device not found");
        return NULL;
    }
    info = g_new0(QapiGuidInfo, 1);
    info->guid = uuid_format(s->guid);
    return info;
}
