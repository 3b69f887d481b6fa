/*
 * PCI and PCI Express: devices, buses, BARs, configuration space, INTx, MSI, bus mastering.
 *
 * References: PCI Local Bus Specification 3.0 (chapter 6: configuration space, 6.8: MSI and MSI-X),
 * PCI-to-PCI Bridge Architecture 1.2, PCI Express Base Specification (chapter 7).
 *
 * A device type states its ids as data (PCI_DEVICE_DEFINE) and, in realize, registers BARs and adds
 * capabilities.  The pci-device layer has laid out the configuration space before the type's own
 * realize runs.  Configuration writes go through per-byte masks: wmask = bits the guest may write,
 * w1cmask = bits a written 1 clears; everything else is read-only.
 *
 * Locks: BQL.
 */
#ifndef HW_PCI_PCI_H
#define HW_PCI_PCI_H

#include "hw/core/qdev.h"
#include "hw/pci/pci-regs.h"
#include "system/memory.h"

typedef struct PCIBus PCIBus;
typedef struct PCIDevice PCIDevice;
typedef struct PciDeviceInfo PciDeviceInfo;
typedef struct MsixState MsixState;

#define PCI_DEVFN(slot, func) ((((slot) & 0x1f) << 3) | ((func) & 7))
#define PCI_SLOT(devfn)       (((devfn) >> 3) & 0x1f)
#define PCI_FUNC(devfn)       ((devfn) & 7)
#define PCI_SLOT_MAX          32
#define PCI_DEVFN_MAX         256
#define PCI_NUM_PINS          4
#define PCI_NUM_BARS          6
#define PCI_ROM_SLOT          6
#define PCI_ACPI_INDEX_MAX    (16 * 1024 - 1)     /* on-board device numbers (PCI Firmware 3.2, 4.6.7) */

/*
 * A PCI device type.  A zero id is inherited from the nearest ancestor that states one.  Descendants of
 * pci-device must be defined with PCI_DEVICE_DEFINE or a family struct that begins with this one.
 */
struct PciDeviceInfo {
    struct DeviceInfo;
    uint16_t vendor_id, device_id;
    uint16_t subsystem_vendor_id, subsystem_id;     /* 0: PCI_SUBVENDOR_ID_REDHAT_QUMRANET / PCI_SUBDEVICE_ID_QEMU */
    uint16_t class_id;                              /* PCI_CLASS_*: base class << 8 | subclass */
    uint8_t prog_if, revision;
    const char *romfile;                            /* option ROM that romfile= replaces; NULL = inherited, or none */
    bool is_bridge;                                 /* type 1 header */
    bool is_express;                                /* 4 KiB of configuration space when on a PCIe bus */
    /* Instead of the defaults, which they normally call: pci_default_read_config/_write_config. */
    uint32_t (*config_read)(PCIDevice *d, uint32_t addr, unsigned len);
    void (*config_write)(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len);
};

typedef struct PciBar {
    MemoryRegion *mr;                   /* borrowed; NULL = not implemented */
    uint64_t size;
    uint8_t type;                       /* PCI_BASE_ADDRESS_* bits */
    hwaddr addr;                        /* where it is mapped now; PCI_BAR_UNMAPPED */
    MemoryRegion *window;               /* the bus's memory or I/O space it is mapped in */
} PciBar;
#define PCI_BAR_UNMAPPED (~(hwaddr)0)

struct PCIDevice {
    Device dev;

    /* constant after realize */
    int32_t devfn;                      /* property "addr"; -1 = first free */
    bool multifunction;
    char *romfile;                      /* option ROM file, or NULL */
    int32_t rombar;                     /* 0 = no BAR for it */
    uint32_t romsize;                   /* UINT32_MAX = as romfile needs */
    uint32_t acpi_index;                /* 0 = none; unique where the board's ACPI tells it */
    uint32_t config_size;               /* 256 or 4096 */
    uint8_t *config;                    /* current contents, little-endian */
    uint8_t *wmask, *w1cmask;           /* config_size bytes each */
    uint8_t *used;                      /* bytes taken by capabilities */
    PciBar bar[PCI_NUM_BARS + 1];
    uint8_t msi_cap, msix_cap, exp_cap, pm_cap;     /* offsets, 0 = none */

    /* DMA as this device: system memory, through nothing while Bus Master Enable is clear. */
    AddressSpace dma_as;
    MemoryRegion dma_root, dma_alias;
    MemoryRegion rom;
    bool has_rom;

    uint8_t intx_level;                 /* what the device asks of its one INTx pin */
    uint8_t intx_driven;                /* what the bus sees of it */
    MsixState *msix, *msix_retired;
    uint8_t *msix_table;                /* as the guest sees it; msix_table_size bytes */
    uint64_t *msix_pba;                 /* msix_pba_words words */
    uint32_t msix_table_size, msix_pba_words;
};

OBJECT_DECLARE(PCIDevice, PCI_DEVICE, pci_device)       /* "pci-device", abstract */
#define PCI_DEVICE_DEFINE(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(PciDeviceInfo, CType, snake, type_name, parent_snake, false, __VA_ARGS__)
#define PCI_DEVICE_DEFINE_ABSTRACT(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(PciDeviceInfo, CType, snake, type_name, parent_snake, true, __VA_ARGS__)
static inline const PciDeviceInfo *pci_device_info(const PCIDevice *d)
{
    return (const PciDeviceInfo *)d->dev.obj.type->info;
}
/* State of the pci-device layer; devices' own tables need not mention it. */
extern const VMState vmstate_pci_device;

/* --- configuration space --- */

static inline void pci_set_byte(uint8_t *p, uint8_t v) { *p = v; }
static inline void pci_set_word(uint8_t *p, uint16_t v) { st16_le(p, v); }
static inline void pci_set_long(uint8_t *p, uint32_t v) { st32_le(p, v); }
static inline void pci_set_quad(uint8_t *p, uint64_t v) { st64_le(p, v); }
static inline uint8_t  pci_get_byte(const uint8_t *p) { return *p; }
static inline uint16_t pci_get_word(const uint8_t *p) { return ld16_le(p); }
static inline uint32_t pci_get_long(const uint8_t *p) { return ld32_le(p); }
static inline uint64_t pci_get_quad(const uint8_t *p) { return ld64_le(p); }

uint32_t pci_default_read_config(PCIDevice *d, uint32_t addr, unsigned len);
void pci_default_write_config(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len);
/* As the guest would: range-checked, through the type's hooks.  len 1, 2 or 4; out of range reads all ones. */
uint32_t pci_config_read(PCIDevice *d, uint32_t addr, unsigned len);
void pci_config_write(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len);

/*
 * Link a capability of @size bytes into the list; @offset 0 = first free place in 0x40..0xff.  The body
 * is zero and read-only until the caller fills config and wmask.  Returns the offset; 0 and @errp if there is no room.
 */
uint8_t pci_add_capability(PCIDevice *d, uint8_t cap_id, uint8_t offset, uint8_t size, Error **errp);
/* Offset of the first capability with that id, 0 = none. */
uint8_t pci_find_capability(const PCIDevice *d, uint8_t cap_id);

/* PCI Express capability; @port_type is PCI_EXP_TYPE_*.  A device on a conventional bus does not get one. */
bool pcie_cap_init(PCIDevice *d, uint8_t offset, uint8_t port_type, uint8_t port_number, Error **errp) MUST_USE;
/* Extended capability at @offset >= 0x100 (caller lays them out in ascending order). */
void pcie_add_capability(PCIDevice *d, uint16_t cap_id, uint8_t version, uint16_t offset, uint16_t size);
bool pci_is_express(const PCIDevice *d);        /* has 4 KiB of configuration space */
/* A bridge's secondary side; NULL for anything else. */
PCIBus *pci_bridge_secondary_bus(const PCIDevice *d);
/* Power Management capability, D0 and D3hot. */
bool pci_pm_init(PCIDevice *d, uint8_t offset, Error **errp) MUST_USE;

/* --- BARs --- */

/* @type: PCI_BASE_ADDRESS_SPACE_IO, or _SPACE_MEMORY with _MEM_TYPE_64 and _MEM_PREFETCH.  The size is a power of two. */
void pci_register_bar(PCIDevice *d, unsigned n, uint8_t type, MemoryRegion *mr);
/* Present address of BAR @n, PCI_BAR_UNMAPPED if it is not decoded. */
hwaddr pci_bar_address(const PCIDevice *d, unsigned n);

/* --- interrupts --- */

/* Which pin: 0 none, 1 = INTA .. 4 = INTD. */
static inline void pci_config_set_interrupt_pin(PCIDevice *d, uint8_t pin) { d->config[PCI_INTERRUPT_PIN] = pin; }
/* Drive the device's pin (PCI_INTERRUPT_PIN); gated by Interrupt Disable. */
void pci_set_irq(PCIDevice *d, int level);
static inline void pci_irq_assert(PCIDevice *d) { pci_set_irq(d, 1); }
static inline void pci_irq_deassert(PCIDevice *d) { pci_set_irq(d, 0); }
/* The pin as an IrqLine. */
IrqLine pci_irq_line(PCIDevice *d);

typedef struct MSIMessage {
    uint64_t address;
    uint32_t data;
} MSIMessage;
/* A write of the message to memory, as the device with its requester id; only with Bus Master Enable. */
void pci_msi_send(PCIDevice *d, MSIMessage msg);

/* MSI: @n_vectors 1, 2, 4 .. 32.  @offset 0 = anywhere. */
bool msi_init(PCIDevice *d, uint8_t offset, unsigned n_vectors, bool msi64bit, bool per_vector_mask, Error **errp) MUST_USE;
void msi_uninit(PCIDevice *d);
bool msi_enabled(const PCIDevice *d);
void msi_notify(PCIDevice *d, unsigned vector);
void msi_reset(PCIDevice *d);

/* --- DMA --- */

static inline AddressSpace *pci_get_address_space(PCIDevice *d) { return &d->dma_as; }
uint16_t pci_requester_id(const PCIDevice *d);
static inline MemTxAttrs pci_dma_attrs(const PCIDevice *d)
{
    return (MemTxAttrs){ .requester_id = pci_requester_id(d) };
}
static inline MemTxResult pci_dma_read(PCIDevice *d, hwaddr addr, void *buf, uint64_t len)
{
    return address_space_read(&d->dma_as, addr, pci_dma_attrs(d), buf, len);
}
static inline MemTxResult pci_dma_write(PCIDevice *d, hwaddr addr, const void *buf, uint64_t len)
{
    return address_space_write(&d->dma_as, addr, pci_dma_attrs(d), buf, len);
}

/* --- buses --- */

/* @pin 0..3 of @d -> input number of the bus's interrupt router (roots) or pin of the bridge. */
typedef unsigned PciMapIrqFn(PCIDevice *d, unsigned pin);

struct PCIBus {
    Bus bus;
    PCIDevice *devices[PCI_DEVFN_MAX];  /* borrowed; present ones */
    PCIDevice *bridge;                  /* the bridge this is behind; NULL for a root bus */
    MemoryRegion *mem, *io;             /* where BARs of devices here are mapped */
    uint8_t devfn_min;                  /* first slot given out automatically */
    unsigned slot_max;                  /* 32; 1 behind a PCIe port */

    /* roots */
    PciMapIrqFn *map_irq;
    IrqHandler *set_irq;                /* level of router input n */
    void *irq_opaque;
    unsigned n_irqs;
    unsigned *irq_count;                /* asserted pins per input */
};

OBJECT_DECLARE(PCIBus, PCI_BUS, pci_bus)                /* "PCI" */
extern const TypeInfo pcie_bus_type;                    /* "PCIE", a kind of "PCI" */

PCIBus *pci_root_bus_new(Device *parent, const char *name, bool express, MemoryRegion *mem, MemoryRegion *io, uint8_t devfn_min);
void pci_bus_set_irqs(PCIBus *bus, IrqHandler *set_irq, PciMapIrqFn *map_irq, void *opaque, unsigned n_irqs);
static inline PCIBus *pci_get_bus(const PCIDevice *d) { return (PCIBus *)d->dev.parent_bus; }
static inline bool pci_bus_is_root(const PCIBus *bus) { return !bus->bridge; }
static inline bool pci_bus_is_express(const PCIBus *bus) { return object_is(bus, &pcie_bus_type); }
uint8_t pci_bus_num(const PCIBus *bus);                 /* as the guest has numbered it */
PCIBus *pci_device_root_bus(const PCIDevice *d);
/* The device a configuration cycle for @bus_num from the root reaches; NULL = none. */
PCIDevice *pci_find_device(PCIBus *root, uint8_t bus_num, uint8_t devfn);
/* The first root bus of the machine, NULL if it has none. */
PCIBus *pci_find_primary_bus(void);
void pci_for_each_device(PCIBus *bus, void (*fn)(PCIBus *bus, PCIDevice *d, void *opaque), void *opaque);

/* Conventional swizzle: (slot + pin) mod 4. */
unsigned pci_swizzle_map_irq_fn(PCIDevice *d, unsigned pin);

/* A new unrealized device of @type_name for @bus at @devfn (-1: any); and the same realized. */
PCIDevice *pci_new(int devfn, const char *type_name);
PCIDevice *pci_create_simple(PCIBus *bus, int devfn, const char *type_name, Error **errp);

#endif
