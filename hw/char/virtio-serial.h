/*
 * Between the virtio serial controller and its ports.
 */
#ifndef HW_CHAR_VIRTIO_SERIAL_H
#define HW_CHAR_VIRTIO_SERIAL_H

#include "hw/virtio/virtio.h"
#include "system/chardev.h"

#define VIRTIO_SERIAL_MAX_PORTS 31

typedef struct VirtioSerial VirtioSerial;

typedef struct VirtioSerialPort {
    Device dev;
    uint32_t nr;                        /* UINT32_MAX = first free */
    char *name;
    CharBackend chr;
    bool is_console;

    /* guest-visible state */
    bool guest_open, host_open, ready;
    VirtChain out;                      /* being written to the back end */
    bool have_out;
    uint32_t out_done;

    VirtioSerial *vs;
} VirtioSerialPort;

struct VirtioSerial {
    VirtioDevice vdev;
    Bus bus;
    uint32_t max_ports;
    VirtioSerialPort *ports[VIRTIO_SERIAL_MAX_PORTS];   /* borrowed */
    VirtQueue *control_in, *control_out;
    VirtQueue *in[VIRTIO_SERIAL_MAX_PORTS], *out[VIRTIO_SERIAL_MAX_PORTS];
    GQueue *control_pending;            /* of GBytes: messages waiting for a buffer */
};

#endif
