/*
 * Virtio devices, whatever their transport (Virtual I/O Device 1.2, OASIS; "section" below means its).
 *
 * A device is one VIRTIO_DEVICE_DEFINE: ids, queues, configuration layout, callbacks.  The macro
 * also makes its PCI types (NAME-pci, -pci-transitional, -pci-non-transitional) and NAME-device for
 * virtio-mmio.
 *
 * The guest is hostile: every index, length and address it supplies is checked in virtqueue.c, once;
 * a violation calls virtio_error(), after which the device does nothing until it is reset
 * (section 2.1.2, DEVICE_NEEDS_RESET).
 *
 * Locks: BQL.
 */
#ifndef HW_VIRTIO_VIRTIO_H
#define HW_VIRTIO_VIRTIO_H

#include "hw/core/qdev.h"
#include "hw/pci/pci.h"
#include "system/memory.h"
#include <sys/uio.h>

typedef struct VirtioDevice VirtioDevice;
typedef struct VirtioInfo VirtioInfo;
typedef struct VirtQueue VirtQueue;
typedef struct VirtChain VirtChain;

/* Device status, section 2.1 */
enum {
    VIRTIO_STATUS_ACKNOWLEDGE = 1, VIRTIO_STATUS_DRIVER = 2, VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8, VIRTIO_STATUS_NEEDS_RESET = 64, VIRTIO_STATUS_FAILED = 128,
};

/* Feature bits of all devices, section 6 (and 2.6.x for the legacy ones) */
enum {
    VIRTIO_F_NOTIFY_ON_EMPTY = 24, VIRTIO_F_ANY_LAYOUT = 27, VIRTIO_F_INDIRECT_DESC = 28, VIRTIO_F_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32, VIRTIO_F_ACCESS_PLATFORM = 33, VIRTIO_F_RING_PACKED = 34,
};

/* Device ids, section 5 */
enum {
    VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4, VIRTIO_ID_BALLOON = 5,
    VIRTIO_ID_SCSI = 8, VIRTIO_ID_MEM = 24,
};

#define VIRTIO_QUEUE_MAX        1024    /* queues of one device */
#define VIRTQUEUE_SIZE_MAX      1024    /* descriptors of one queue, and segments of one chain */
#define VIRTIO_STATIC_QUEUES    8
#define VIRTIO_NO_VECTOR        0xffff
#define VIRTIO_CONFIG_MAX       256

typedef void VirtQueueFn(VirtioDevice *vdev, VirtQueue *vq);

typedef struct VirtQueueDesc {
    const char *name;                   /* as section 5 calls it */
    uint16_t size;
    VirtQueueFn *handle;                /* the guest kicked */
} VirtQueueDesc;

struct VirtioInfo {
    struct DeviceInfo;
    uint16_t virtio_id;
    uint16_t pci_class;                 /* PCI_CLASS_* */
    VirtQueueDesc queue[VIRTIO_STATIC_QUEUES];      /* made at realize; more by virtio_add_queue() */
    uint16_t config_size;               /* bytes of device configuration, at most VIRTIO_CONFIG_MAX */
    uint64_t features;                  /* offered always */
    unsigned default_vectors;           /* of the PCI form; 0 = one per queue and one for configuration */
    /* Features offered beyond .features; asked at realize. */
    uint64_t (*get_features)(VirtioDevice *vdev);
    /* Is this choice of features, all of them offered, enough for the device?  NULL: any is. */
    bool (*accept_features)(VirtioDevice *vdev, uint64_t features);
    /* The driver has set its features: nothing it was not offered is in there. */
    void (*set_features)(VirtioDevice *vdev, uint64_t features);
    /* Fill @config (config_size bytes, little-endian). */
    void (*get_config)(VirtioDevice *vdev, uint8_t *config);
    /* The driver wrote: @config is the whole new content. */
    void (*set_config)(VirtioDevice *vdev, const uint8_t *config);
    void (*status_changed)(VirtioDevice *vdev, uint8_t old);
    void (*queue_reset)(VirtioDevice *vdev, VirtQueue *vq);
    /* Forget everything; queues are reset by the core afterwards. */
    void (*device_reset)(VirtioDevice *vdev);
};

/* How a device reaches its guest: given by the transport. */
typedef struct VirtioTransportOps {
    /* Interrupt: vdev->isr is already set; @vector as the guest assigned it, or VIRTIO_NO_VECTOR. */
    void (*notify)(void *opaque, uint16_t vector);
} VirtioTransportOps;

struct VirtioDevice {
    Device dev;

    /* constant after realize */
    const VirtioTransportOps *transport;
    void *transport_opaque;
    AddressSpace *dma_as;
    uint64_t host_features;             /* by property: the bits of VIRTIO_COMMON_PROPERTIES */
    uint64_t offered;                   /* all that is offered */
    VirtQueue **queues;
    unsigned n_queues;
    bool own_thread;                    /* a kick wakes a thread of the device's own, and returns */

    /* guest-visible state */
    uint8_t status;
    uint8_t isr;                        /* bit 0 queue, bit 1 configuration (section 4.1.4.5) */
    bool broken;
    uint16_t queue_sel;
    uint16_t config_vector;
    uint32_t generation;                /* of the configuration */
    uint64_t guest_features;
    uint32_t device_feature_sel, driver_feature_sel;
};

extern const TypeInfo virtio_device_type;       /* "virtio-device", abstract */
static inline VirtioDevice *VIRTIO_DEVICE(const void *obj)
{
    return (VirtioDevice *)object_check_cast(obj, &virtio_device_type);
}
static inline const VirtioInfo *virtio_info(const VirtioDevice *vdev)
{
    return (const VirtioInfo *)vdev->dev.obj.type->info;
}
extern const TypeInfo virtio_bus_type;          /* "virtio-bus": holds one device */

/* --- for devices --- */

VirtQueue *virtio_add_queue(VirtioDevice *vdev, const char *name, uint16_t size, VirtQueueFn *handle);
VirtQueue *virtio_queue(VirtioDevice *vdev, unsigned n);        /* NULL if there is no such queue */
unsigned virtqueue_index(const VirtQueue *vq);
static inline bool virtio_has_feature(const VirtioDevice *vdev, unsigned bit)
{
    return (vdev->guest_features & vdev->offered) >> bit & 1;
}
/* The configuration changed by itself: tell the driver. */
void virtio_notify_config(VirtioDevice *vdev);
/* The guest broke the rules: log, set NEEDS_RESET, do nothing more until reset. */
void virtio_error(VirtioDevice *vdev, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same by no fault of the guest's: what stands behind the device is lost, and somebody was told. */
void virtio_device_failed(VirtioDevice *vdev);

/*
 * A request: readable (out, written by the driver) and writable (in) segments, mapped in host memory.
 * Owned from pop until push or detach; one may be kept while the request runs.
 */
struct VirtChain {
    struct iovec *out, *in;             /* into one owned array */
    unsigned n_out, n_in;
    size_t out_len, in_len;
    uint16_t id;                        /* head index or buffer id */
    uint16_t n_desc;                    /* ring entries it takes (packed) */
    VirtQueue *vq;
};

/* True and @chain filled if there is a request.  Never true on a broken or stopped device. */
bool virtqueue_pop(VirtQueue *vq, VirtChain *chain);
/* Complete @chain, of which @written bytes of the writable part were written, and release it. */
void virtqueue_push(VirtQueue *vq, VirtChain *chain, size_t written);
/* The same for @n chains at once: the driver sees all or none of them. */
void virtqueue_push_many(VirtQueue *vq, VirtChain *chains, const size_t *written, unsigned n);
/* Release @chain without completing it (reset), or put back the newest one popped. */
void virtchain_detach(VirtChain *chain);
void virtqueue_unpop(VirtQueue *vq, VirtChain *chain);
/* Interrupt the driver for what was pushed since the last time, if it wants that. */
void virtqueue_notify(VirtQueue *vq);
/*
 * Does the device want to be told of new requests?  A hint: the driver may do so anyway.  True if it is
 * turned on and there already is something: look again, nothing may come.
 */
bool virtqueue_set_kicks(VirtQueue *vq, bool on);
/* Is there anything to pop? */
bool virtqueue_is_empty(VirtQueue *vq);
/* Set up by the driver. */
bool virtqueue_is_ready(const VirtQueue *vq);

/* Copy from the readable / to the writable part at @offset; returns bytes copied (less at the end). */
size_t virtchain_read(const VirtChain *chain, size_t offset, void *buf, size_t len);
size_t virtchain_write(const VirtChain *chain, size_t offset, const void *buf, size_t len);
/* The segments from @offset on for @len bytes, into @iov (@max entries); returns entries. */
unsigned virtchain_slice(const struct iovec *segs, unsigned n, size_t offset, size_t len, struct iovec *iov, unsigned max);

/* --- for transports --- */

/* Bring @vdev to life behind a transport; the device's own realize has run or runs in here. */
bool virtio_realize_on(VirtioDevice *vdev, Bus *bus, const VirtioTransportOps *ops, void *opaque, AddressSpace *dma_as,
                       bool modern, Error **errp) MUST_USE;
void virtio_set_status(VirtioDevice *vdev, uint8_t status);     /* 0 resets */
void virtio_reset(VirtioDevice *vdev);
/* False if the driver asks for what is not offered or after FEATURES_OK. */
void virtio_set_features(VirtioDevice *vdev, uint64_t features);
void virtio_queue_kick(VirtioDevice *vdev, unsigned n);
/* Device configuration, byte-wise; out of range reads 0xff.., writes are ignored.  len 1, 2, 4. */
uint32_t virtio_config_read(VirtioDevice *vdev, uint32_t offset, unsigned len);
void virtio_config_write(VirtioDevice *vdev, uint32_t offset, uint32_t value, unsigned len);
/* Interrupt for the configuration or a queue. */
uint8_t virtio_isr_read_clear(VirtioDevice *vdev);

/* Queue set-up by the driver, the selected queue. */
uint16_t virtqueue_size_max(const VirtQueue *vq);
uint16_t virtqueue_size(const VirtQueue *vq);
bool virtqueue_set_size(VirtQueue *vq, uint16_t size);          /* false: not allowed, unchanged */
void virtqueue_set_addresses(VirtQueue *vq, hwaddr desc, hwaddr driver, hwaddr device);
void virtqueue_get_addresses(const VirtQueue *vq, hwaddr *desc, hwaddr *driver, hwaddr *device);
/* Legacy: one contiguous area at @pfn << 12; 0 resets the queue. */
void virtqueue_set_legacy_pfn(VirtQueue *vq, uint32_t pfn);
uint32_t virtqueue_legacy_pfn(const VirtQueue *vq);
void virtqueue_enable(VirtQueue *vq);
void virtqueue_reset(VirtQueue *vq);
uint16_t virtqueue_vector(const VirtQueue *vq);
void virtqueue_set_vector(VirtQueue *vq, uint16_t vector);

/* --- PCI forms --- */

typedef enum VirtioPciMode { VIRTIO_PCI_AUTO, VIRTIO_PCI_TRANSITIONAL, VIRTIO_PCI_MODERN } VirtioPciMode;

typedef struct VirtioPciInfo {
    struct PciDeviceInfo;
    VirtioPciMode mode;
} VirtioPciInfo;

typedef struct VirtioPciNotify VirtioPciNotify;

/* The PCI proxy; the device itself follows it in the same object. */
typedef struct VirtioPci {
    PCIDevice pci;
    Bus bus;
    VirtioDevice *vdev;                 /* embedded behind this struct */
    MemoryRegion legacy_io, modern_mem, common, isr, device, notify;
    int disable_legacy;                 /* OnOffAuto */
    bool disable_modern;
    bool ioeventfd;
    VirtioPciNotify *notify_fds;  /* while notifications are eventfds */
    uint32_t vectors;                   /* UINT32_MAX = by device */
    bool legacy_on, modern_on;
    uint8_t cfg_cap;                    /* offset of VIRTIO_PCI_CAP_PCI_CFG */
} VirtioPci;
extern const TypeInfo virtio_pci_type;          /* "virtio-pci", abstract */

#define VIRTIO_PCI_FORM_(CType, snake, form, type_name, mode_)                                \
    static const VirtioPciInfo snake##_##form##_type_info = {                                 \
        .embeds = &snake##_type, .embeds_offset = offsetof(CType##OnPci, inner), .mode = mode_, \
    };                                                                                        \
    static const TypeInfo snake##_##form##_type = {                                           \
        .name = type_name, .parent = &virtio_pci_type, .instance_size = sizeof(CType##OnPci), \
        .info = (const ObjectInfo *)&snake##_##form##_type_info,                              \
    };                                                                                        \
    TYPE_REGISTER(snake##_##form)

#define VIRTIO_MODERN_DEVICE_DEFINE_(CType, snake, device_name, base_name, ...)               \
    TYPE_DEFINE_FAMILY(VirtioInfo, CType, snake, device_name, virtio_device, false, __VA_ARGS__) \
    typedef struct CType##OnPci { VirtioPci proxy; CType inner; } CType##OnPci;               \
    VIRTIO_PCI_FORM_(CType, snake, pci, base_name "-pci", VIRTIO_PCI_AUTO)

/* A device that never had a legacy interface. */
#define VIRTIO_MODERN_DEVICE_DEFINE(CType, snake, base_name, ...)                             \
    VIRTIO_MODERN_DEVICE_DEFINE_(CType, snake, base_name "-device", base_name, __VA_ARGS__)

#define VIRTIO_DEVICE_DEFINE(CType, snake, base_name, ...)                                    \
    VIRTIO_DEVICE_DEFINE_AS(CType, snake, base_name "-device", base_name, __VA_ARGS__)

/* One whose name on a bare bus is not NAME-device. */
#define VIRTIO_DEVICE_DEFINE_AS(CType, snake, device_name, base_name, ...)                    \
    VIRTIO_MODERN_DEVICE_DEFINE_(CType, snake, device_name, base_name, __VA_ARGS__)           \
    VIRTIO_PCI_FORM_(CType, snake, pci_transitional, base_name "-pci-transitional", VIRTIO_PCI_TRANSITIONAL) \
    VIRTIO_PCI_FORM_(CType, snake, pci_modern, base_name "-pci-non-transitional", VIRTIO_PCI_MODERN)

#endif
