/*
 * Networks: clients that exchange Ethernet frames in pairs.
 *
 * A client is one end of a cable: a back end (netdev), a port of a hub, or a queue of a network
 * device (NIC).  A frame goes from a client to its peer at once if the peer can take it, else into
 * the peer's queue, which is bounded: a sender that gives a NetSentFn is told to stop and later to
 * go on, what others send beyond the bound is dropped and counted.
 *
 * Offloads: with a frame goes a NetOffload, which has struct virtio_net_hdr's meaning (Virtio 1.2,
 * section 5.1.6).  Each client says in .accepts what it takes; a checksum left to be done is done
 * here for a receiver that does not take it.
 *
 * Locks: BQL.
 */
#ifndef SYSTEM_NET_H
#define SYSTEM_NET_H

#include "qapi/qapi-types.h"
#include "util/qom/object.h"

typedef struct NetClient NetClient;
typedef struct NetClientInfo NetClientInfo;

/* The longest frame, with room for a 64 KiB segment and its headers; longer ones are dropped. */
#define NET_FRAME_MAX   (68 * KiB)
#define NET_HEADER_LEN  14                  /* destination, source, type; shorter frames are dropped */
#define NET_QUEUE_BYTES (4 * MiB)           /* bound of one client's queue */
#define NET_QUEUES_MAX  64                  /* queues of one back end or device */

enum { NET_NEEDS_CSUM = 1, NET_DATA_VALID = 2 };                            /* NetOffload.flags */
enum { NET_GSO_NONE = 0, NET_GSO_TCPV4 = 1, NET_GSO_UDP = 3, NET_GSO_TCPV6 = 4, NET_GSO_UDP_L4 = 5, NET_GSO_ECN = 0x80 };

typedef struct NetOffload {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset;
} NetOffload;

/* NetClient.accepts: what may be left to do in frames that the client receives. */
enum {
    NET_ACCEPTS_CSUM = 1, NET_ACCEPTS_TSO4 = 2, NET_ACCEPTS_TSO6 = 4, NET_ACCEPTS_ECN = 8, NET_ACCEPTS_UFO = 16,
    NET_ACCEPTS_USO = 32,
};

typedef enum NetResult {
    NET_TAKEN,                              /* or dropped: it is gone */
    NET_LATER,                              /* keep it until net_receive_more() */
} NetResult;

struct NetClientInfo {
    const char *model;                      /* "user", "tap"...; NICs: NULL */
    size_t size;                            /* of the struct that begins with a NetClient */
    /* @data may be changed until the call returns; @off is never NULL. */
    NetResult (*receive)(NetClient *nc, const NetOffload *off, uint8_t *data, size_t len);
    bool (*can_receive)(NetClient *nc);     /* NULL = always */
    void (*link_changed)(NetClient *nc);    /* nc->link_down did */
    void (*peer_accepts_changed)(NetClient *nc);
    void (*resume)(NetClient *nc);          /* the machine runs (again); frames that wait come after it */
    void (*cleanup)(NetClient *nc);         /* before it is freed; copes with a failed opening */
    QapiRxFilterInfo *(*query_rx_filter)(NetClient *nc);    /* NICs; owned */
};

struct NetClient {
    const NetClientInfo *info;
    char *name;                             /* of the back end or device; all queues have the same */
    char *model;
    unsigned queue_index;
    bool is_nic;
    NetClient *peer;                        /* borrowed both ways; NULL = not connected */
    bool link_down;
    unsigned accepts;
    char *about;                            /* "net=10.0.2.0,restrict=off": for info network */
    GQueue *queue;                          /* of NetPacket *, waiting to be received here */
    size_t queue_bytes;
    bool delivering;                        /* receive() is running: what comes meanwhile is queued */
    uint64_t dropped, oversized;
};

/* Told once for each net_send() that returned false: send again. */
typedef void NetSentFn(NetClient *from);

/* --- for back ends and devices --- */

/* A client in @nc's zeroed memory; @name is copied.  No two back ends may share a name: the caller has looked. */
void net_client_init(NetClient *nc, const NetClientInfo *info, const char *model, const char *name, unsigned queue_index);
/* The same in memory of its own (info->size), which net_client_delete() frees. */
NetClient *net_client_new(const NetClientInfo *info, const char *name, unsigned queue_index);
/* Off the peer and the list; frames on their way from or to it are gone. */
void net_client_fini(NetClient *nc);
void net_client_delete(NetClient *nc);
void net_client_connect(NetClient *a, NetClient *b);
void net_client_set_about(NetClient *nc, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Send a frame from @from; @off NULL = nothing left to do.  True: it is gone (received, queued for good or
 * dropped).  False: it was queued and the sender should stop until @sent is called; never without @sent.
 * @data may be changed.
 */
bool net_send(NetClient *from, const NetOffload *off, uint8_t *data, size_t len, NetSentFn *sent);
/* Would a frame be received at once, or dropped? */
bool net_can_send(const NetClient *from);
/* @nc can receive again: deliver what waits. */
void net_receive_more(NetClient *nc);
/* Forget what waits for @nc; its sender may go on. */
void net_drop_waiting(NetClient *nc);
/* What the peer takes; 0 without one. */
unsigned net_peer_accepts(const NetClient *nc);
/* @nc takes other offloads than before. */
void net_set_accepts(NetClient *nc, unsigned accepts);

/* A back end by id, or a NIC by name; NULL if there is none. */
NetClient *net_client_find(const char *name, unsigned queue_index);
NetClient *netdev_find(const char *id, unsigned queue_index);
void net_client_foreach(void (*fn)(NetClient *nc, void *opaque), void *opaque);
unsigned net_client_n_queues(const char *name);

/* --- checksums and headers (offload.c) --- */

/* RFC 1071 sum of @len bytes, folded to 16 bits, not complemented; @sum is what came before. */
uint16_t net_checksum_add(uint32_t sum, const uint8_t *data, size_t len);
/* Does @off describe something inside a frame of @len bytes?  Else the frame is to be dropped. */
bool net_offload_is_valid(const NetOffload *off, const uint8_t *data, size_t len);
/* Do what NET_NEEDS_CSUM asks for; @off is valid. */
void net_offload_complete_checksum(NetOffload *off, uint8_t *data, size_t len);
/*
 * For a receiver that takes a whole segment (NET_GSO_*) as one packet: lengths, IPv4 header checksum and
 * pseudo-header sum for that packet.  What is no TCP over IP as @off says is left alone.
 */
void net_offload_finish_segment(const NetOffload *off, uint8_t *data, size_t len);
/* What a receiver must accept to take a frame with @off. */
unsigned net_offload_needs(const NetOffload *off);

/* --- devices' side (nic.c) --- */

typedef struct MacAddress { uint8_t b[6]; } MacAddress;

/* A device's properties "mac" and "netdev", and after realize its clients. */
typedef struct NicConf {
    MacAddress mac;
    char *netdev;                           /* id; NULL = not connected */
    NetClient **queue;                      /* owned, n_queues of them */
    unsigned n_queues;
} NicConf;

/*
 * Make @conf's clients for @device of type @model, @n_queues of them, each connected to the back end's queue
 * of the same number if there is one.  A device without "mac" gets the next free of 52:54:00:12:34:56 and on.
 * @id is the device's, or NULL; @info's receive and others find it by nic_device().
 */
bool nic_open(NicConf *conf, const NetClientInfo *info, const char *model, const char *id, unsigned n_queues,
              void *device, Error **errp) MUST_USE;
void nic_close(NicConf *conf);
/* The device, from one of its clients (nic_open()'s @opaque). */
void *nic_device(const NetClient *nc);
/* Changes what the monitor shows. */
void nic_set_mac(NicConf *conf, MacAddress mac);
char *mac_to_string(MacAddress mac);

extern const PropertyType prop_mac, prop_netdev;
#define PROP_NIC(S, field)                                                                    \
    PROP_(prop_mac, "mac", S, field.mac, .help = "Ethernet address; default: the next free of 52:54:00:12:34:56..."), \
    PROP_(prop_netdev, "netdev", S, field.netdev, .help = "the network back end's id")

/* --- the command line and the monitor (netdev.c, legacy.c, info.c) --- */

/* -netdev text, or JSON, as a dict that netdev_add_dict() takes; NULL and @errp. */
Value *netdev_parse_text(const char *text, bool *is_json, Error **errp);
bool netdev_add_dict(const Value *dict, bool is_json, Error **errp) MUST_USE;
/* -nic and -net: their back ends now, the devices they ask for by net_legacy_create_devices(). */
bool net_nic_option(const char *where, const Value *dict, Error **errp) MUST_USE;
bool net_net_option(const char *where, const Value *dict, Error **errp) MUST_USE;
/* @default_model: the board's, for those that name none; NULL = it has none. */
bool net_legacy_create_devices(const char *default_model, Error **errp) MUST_USE;
/* Warn about back ends that lead nowhere, when all devices are there. */
void net_check_clients(void);
/* At the process's end: close back ends, which runs scripts and unlinks sockets. */
void net_cleanup(void);
void net_print_backends(FILE *out);         /* -netdev help */
void net_print_models(FILE *out);           /* -nic model=help */

/* Is there the back end "user"? */
bool net_has_user(void);
/* HMP's "info network", "info usernet", hostfwd_add and hostfwd_remove (@id NULL: the first user network). */
void net_info(FILE *out);
void net_user_info(FILE *out);
bool net_hostfwd(bool add, const char *id, const char *rule, FILE *out, Error **errp) MUST_USE;

#endif
