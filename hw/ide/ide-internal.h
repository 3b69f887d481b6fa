/*
 * Between the files of hw/ide: devices, what they are asked, and how the data moves.
 *
 * A transport (ahci.c, piix.c) fills in a device's task file and calls ide_exec().  The command set (ata.c,
 * atapi.c) knows of the transport what IdeTransport says: it shows a block of PIO data, asks for the host's
 * memory segment by segment, and says that the command is over.
 *
 * References: ACS-3 (commands, IDENTIFY), MMC-5 and SFF-8020 (packet commands), SATA 3.0 (NCQ).
 *
 * What must hold: at most one non-queued command of a device is under way (BSY or DRQ set); transfers are all on
 * IdeDevice.transfers and none survives a reset.  Locks: BQL.
 */
#ifndef HW_IDE_INTERNAL_H
#define HW_IDE_INTERNAL_H

#include "hw/ide/ide.h"
#include "system/block.h"
#include "system/memory.h"

#define IDE_SECTOR          512u
#define CD_SECTOR           2048u
#define IDE_PIO_BYTES       (64 * KiB)
#define IDE_MULTIPLE_MAX    16u             /* sectors of one PIO block */
#define IDE_NCQ_DEPTH       32u
#define IDE_NO_TAG          UINT_MAX
#define IDE_MAP_MAX         128u            /* pieces of guest memory mapped at a time */
#define IDE_CHUNK_BYTES     (1 * MiB)       /* of one request to the back end */
#define IDE_BOUNCE_BYTES    (64 * KiB)

/* Status and error registers, device register */
enum { ATA_ERR = 0x01, ATA_DRQ = 0x08, ATA_DSC = 0x10, ATA_DF = 0x20, ATA_DRDY = 0x40, ATA_BSY = 0x80 };
enum { ATA_ABRT = 0x04, ATA_IDNF = 0x10, ATA_UNC = 0x40, ATA_ICRC = 0x80 };
enum { ATA_DEV_UNIT = 0x10, ATA_DEV_LBA = 0x40 };
/* Interrupt reason of packet devices, in the count register */
enum { ATAPI_CD = 0x01, ATAPI_IO = 0x02 };

enum {
    ATA_NOP = 0x00, ATA_DSM = 0x06, ATA_DEVICE_RESET = 0x08, ATA_READ = 0x20, ATA_READ_NORETRY = 0x21, ATA_READ_EXT = 0x24,
    ATA_READ_DMA_EXT = 0x25, ATA_READ_MULTIPLE_EXT = 0x29, ATA_READ_LOG_EXT = 0x2f, ATA_WRITE = 0x30, ATA_WRITE_NORETRY = 0x31,
    ATA_WRITE_EXT = 0x34, ATA_WRITE_DMA_EXT = 0x35, ATA_WRITE_MULTIPLE_EXT = 0x39, ATA_WRITE_DMA_FUA_EXT = 0x3d,
    ATA_VERIFY = 0x40, ATA_VERIFY_NORETRY = 0x41, ATA_VERIFY_EXT = 0x42, ATA_READ_FPDMA = 0x60, ATA_WRITE_FPDMA = 0x61,
    ATA_DIAGNOSTIC = 0x90, ATA_INIT_PARAMETERS = 0x91, ATA_PACKET = 0xa0, ATA_IDENTIFY_PACKET = 0xa1, ATA_SMART = 0xb0,
    ATA_READ_MULTIPLE = 0xc4, ATA_WRITE_MULTIPLE = 0xc5, ATA_SET_MULTIPLE = 0xc6, ATA_READ_DMA = 0xc8,
    ATA_READ_DMA_NORETRY = 0xc9, ATA_WRITE_DMA = 0xca, ATA_WRITE_DMA_NORETRY = 0xcb, ATA_WRITE_MULTIPLE_FUA_EXT = 0xce,
    ATA_STANDBY_NOW = 0xe0, ATA_IDLE_NOW = 0xe1, ATA_STANDBY = 0xe2, ATA_IDLE = 0xe3, ATA_CHECK_POWER = 0xe5, ATA_SLEEP = 0xe6,
    ATA_FLUSH = 0xe7, ATA_FLUSH_EXT = 0xea, ATA_IDENTIFY = 0xec, ATA_SET_FEATURES = 0xef,
};

/* The registers of a command and of its outcome.  [0] as written last, [1] as before (48-bit commands). */
typedef struct IdeTaskFile {
    uint8_t feature[2], count[2], lba_low[2], lba_mid[2], lba_high[2];
    uint8_t device, command, status, error;
} IdeTaskFile;

typedef struct IdeDevice IdeDevice;
typedef struct IdeTransfer IdeTransfer;

/* A piece of the host's memory. */
typedef struct IdeSegment {
    hwaddr addr;
    uint64_t len;
} IdeSegment;

/* Where in the list of segments a transfer has come to. */
typedef struct IdeCursor {
    unsigned next;              /* index of the segment after .seg */
    IdeSegment seg;             /* what is left of the present one */
} IdeCursor;

struct IdeTransport {
    bool is_sata;
    unsigned queue_depth;       /* of queued commands; 0 = none */
    /*
     * d->pio[pio_pos, pio_end) is to be moved, to the host (d->pio_to_host) or from it, and then ide_pio_done() to be
     * called, perhaps from in here.  @irq: the host waits for an interrupt.
     */
    void (*pio_ready)(IdeBus *bus, IdeDevice *d, bool irq);
    /* The command wants to move data by DMA: ide_dma_go() when the host is ready, perhaps from in here. */
    void (*dma_ready)(IdeBus *bus, IdeDevice *d);
    /* Segment @n of the host's list for the command (@tag: IDE_NO_TAG, or that of a queued one); false: there is none. */
    bool (*segment)(IdeBus *bus, unsigned tag, unsigned n, IdeSegment *seg);
    AddressSpace *(*dma_space)(IdeBus *bus);
    /* A packet that came with the command, 12 or more bytes; NULL hook or false: it is asked for as PIO. */
    bool (*packet)(IdeBus *bus, uint8_t *packet);
    /* DMA of the command has ended, after @bytes; @ok: as the host's list said.  Before .done. */
    void (*dma_done)(IdeBus *bus, IdeDevice *d, uint64_t bytes, bool ok);
    /* The command is over.  d->tf says how. */
    void (*done)(IdeBus *bus, IdeDevice *d, bool irq);
    /* So is a queued one; @ok false: d->tf says why. */
    void (*queued_done)(IdeBus *bus, IdeDevice *d, unsigned tag, bool ok);
};

/* How a transfer ended. */
typedef enum IdeResult {
    IDE_DONE, IDE_MEDIUM_ERROR, IDE_LIST_SHORT, IDE_MEMORY_ERROR,
} IdeResult;

typedef enum IdeTransferKind { IDE_READ, IDE_WRITE, IDE_FLUSH, IDE_DISCARD } IdeTransferKind;

struct IdeTransfer {
    IdeDevice *dev;             /* NULL = it was reset meanwhile */
    IdeTransferKind kind;
    unsigned tag;
    uint64_t offset, left;      /* on the medium */
    uint64_t moved;
    bool fua, flushing;
    void (*end)(IdeTransfer *t, IdeResult r);

    uint8_t *buf;               /* borrowed: data goes here, not to the host's memory; NULL = there */
    IdeCursor at, chunk_start;
    AddressSpace *as;
    struct iovec iov[IDE_MAP_MAX];
    hwaddr mapped[IDE_MAP_MAX];
    unsigned n_mapped;
    uint8_t *bounce;            /* owned; NULL = memory is mapped */
    uint64_t chunk;             /* bytes under way */

    struct {                    /* of a DSM command */
        uint64_t offset, bytes;
    } ranges[64];
    unsigned n_ranges, next_range;
};

/* What follows a block of PIO data. */
typedef enum IdePioPhase {
    IDE_PIO_NONE, IDE_PIO_READ, IDE_PIO_WRITE, IDE_PIO_REPLY, IDE_PIO_DSM, IDE_PIO_PACKET, IDE_PIO_PACKET_REPLY,
} IdePioPhase;

/* What a DMA phase moves. */
typedef enum IdeDmaPhase {
    IDE_DMA_NONE, IDE_DMA_READ, IDE_DMA_WRITE, IDE_DMA_DSM, IDE_DMA_REPLY, IDE_DMA_CD,
} IdeDmaPhase;

/* Packet devices: the drive's and the medium's condition. */
typedef struct AtapiState {
    uint8_t sense_key, asc, ascq;
    bool dma;                   /* of the packet under way */
    bool tray_open, tray_locked;
    uint8_t changed;            /* the guest is to be told: 2 no medium, 1 not ready to ready, 0 nothing */
    bool event_new, event_eject;
    uint64_t lba, left;         /* sectors of a read under way */
    uint32_t reply_pos, reply_len;      /* in the PIO buffer */
} AtapiState;

struct IdeDevice {
    Device dev;
    /* properties */
    char *drive, *serial, *version, *model;
    uint64_t wwn;
    uint32_t unit;
    uint32_t logical_block_size, physical_block_size, min_io_size, opt_io_size, discard_granularity;
    bool share_rw;
    int write_cache, account_invalid, account_failed;   /* OnOffAuto */
    int rerror, werror;                                 /* BlockOnError */
    int32_t bootindex;
    uint32_t cyls, heads, secs;
    int chs_trans;
    uint16_t rotation_rate;

    bool is_cd;
    IdeBus *bus;                /* borrowed */
    BlockBackend *blk;
    uint8_t *pio;               /* IDE_PIO_BYTES */

    IdeTaskFile tf;
    uint32_t pio_pos, pio_end;
    bool pio_to_host;
    uint8_t pio_phase, dma_phase;       /* IdePioPhase, IdeDmaPhase */
    uint8_t multiple;                   /* sectors; 0 = READ/WRITE MULTIPLE are refused */
    uint8_t dma_mode;                   /* as SET FEATURES set it: 0x20 | n, 0x40 | n */
    uint64_t lba;                       /* of the next sector */
    uint32_t left;                      /* sectors */
    uint32_t block;                     /* sectors of a PIO block */
    bool fua, write_cache_at_start, smart;
    uint16_t cur_heads, cur_secs;       /* as INITIALIZE DEVICE PARAMETERS has them */
    bool queue_failed;                  /* a queued command failed: none goes on before its log is read */
    uint8_t queue_log[16];
    AtapiState cd;

    GQueue *transfers;                  /* of IdeTransfer *: all under way */
    GQueue *stopped;                    /* of those: to be tried again when the machine runs */
};

OBJECT_DECLARE(IdeDevice, IDE_DEVICE, ide_device)       /* "ide-device", abstract */

/* --- core.c --- */

/* d->tf is the command. */
void ide_exec(IdeDevice *d);
/* The host has moved the PIO data. */
void ide_pio_done(IdeDevice *d);
/* The host is ready for DMA. */
void ide_dma_go(IdeDevice *d);
/* Forget what is under way.  Nothing is told. */
void ide_cancel(IdeDevice *d);
/* Software reset, COMRESET: the signature stands in the task file then. */
void ide_soft_reset(IdeDevice *d);
void ide_signature(const IdeDevice *d, IdeTaskFile *tf);
static inline bool ide_is_busy(const IdeDevice *d)
{
    return d->tf.status & (ATA_BSY | ATA_DRQ);
}
uint64_t ide_tf_lba48(const IdeTaskFile *tf);

/* For the command sets: */
void ide_finish(IdeDevice *d, bool irq);
void ide_abort(IdeDevice *d);
void ide_fail(IdeDevice *d, uint8_t error);
void ide_pio_start(IdeDevice *d, IdePioPhase phase, bool to_host, uint32_t pos, uint32_t len, bool irq);
void ide_dma_start(IdeDevice *d, IdeDmaPhase phase);
/* d->pio[0, len) is the answer to a PIO-in command. */
void ide_reply(IdeDevice *d, uint32_t len);
/* The end of a DMA command's transfer; frees it. */
void ide_dma_ended(IdeTransfer *t, IdeResult r);

/* --- ata.c, ncq.c, log.c, identify.c --- */

void ata_exec(IdeDevice *d);
/* Commands that disks and packet devices have; false: not one of them. */
bool ata_exec_common(IdeDevice *d);
void ata_pio_done(IdeDevice *d);
void ata_dma_go(IdeDevice *d);
/* A queued command: its task file and the slot it came in. */
void ide_exec_queued(IdeDevice *d, const IdeTaskFile *tf, unsigned tag);
void ata_read_log(IdeDevice *d);
void ata_smart(IdeDevice *d);
void ata_identify(const IdeDevice *d, uint8_t *page);
void atapi_identify(const IdeDevice *d, uint8_t *page);
uint64_t ide_sectors(const IdeDevice *d);

/* --- atapi.c, atapi-info.c --- */

void atapi_exec(IdeDevice *d);
void atapi_pio_done(IdeDevice *d);
void atapi_dma_go(IdeDevice *d);
void atapi_fail(IdeDevice *d, uint8_t key, uint8_t asc);
void atapi_no_data(IdeDevice *d);
/* There is a medium, or the command fails. */
bool atapi_check_medium(IdeDevice *d);
/* d->pio[0, len) is the answer, of which the packet wants at most @max bytes. */
void atapi_reply(IdeDevice *d, uint32_t len, uint32_t max);
/* Commands that tell of the drive and the medium; false: not one of them. */
bool atapi_info_command(IdeDevice *d, const uint8_t *packet);
uint32_t cd_sectors(const IdeDevice *d);
extern const BlockDeviceOps ide_cd_ops;

enum { SENSE_NONE = 0, SENSE_NOT_READY = 2, SENSE_MEDIUM_ERROR = 3, SENSE_ILLEGAL = 5, SENSE_ATTENTION = 6, SENSE_ABORTED = 11 };
enum {
    ASC_READ_ERROR = 0x11, ASC_ILLEGAL_OPCODE = 0x20, ASC_LBA_RANGE = 0x21, ASC_INVALID_FIELD = 0x24, ASC_MEDIUM_CHANGED = 0x28,
    ASC_SAVING_UNSUPPORTED = 0x39, ASC_NO_MEDIUM = 0x3a, ASC_REMOVAL_PREVENTED = 0x53,
};

/* --- transfer.c --- */

/* A new transfer of @d's; the caller fills it in and starts it. */
IdeTransfer *ide_transfer_new(IdeDevice *d, IdeTransferKind kind, void (*end)(IdeTransfer *t, IdeResult r));
void ide_transfer_start(IdeTransfer *t);
void ide_transfer_free(IdeTransfer *t);
/* The machine goes on: so do the transfers that it was stopped for. */
void ide_transfers_retry(IdeDevice *d);
/* Drain, and free all. */
void ide_transfers_drop(IdeDevice *d);
/* Between @buf and the host's memory, from @at on; how much there was room for.  Sets *@ok to false if memory did not answer. */
uint64_t ide_copy(IdeBus *bus, unsigned tag, IdeCursor *at, void *buf, uint64_t len, bool to_host, bool *ok);

#endif
