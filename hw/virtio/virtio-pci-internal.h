/*
 * Between the files of virtio over PCI.
 */
#ifndef HW_VIRTIO_VIRTIO_PCI_INTERNAL_H
#define HW_VIRTIO_VIRTIO_PCI_INTERNAL_H

#include "hw/virtio/virtio.h"

#define VIRTIO_PCI_NOTIFY_MULTIPLIER    4       /* notify_off_multiplier, section 4.1.4.4 */
#define VIRTIO_PCI_LEGACY_NOTIFY        16      /* queue_notify of the legacy header, section 4.1.4.10 */

/* virtio-pci-notify.c: the driver or the machine came up or went down. */
void virtio_pci_notify_update(VirtioPci *p);
/* Before a reset: what was kicked is forgotten. */
void virtio_pci_notify_drop(VirtioPci *p);
void virtio_pci_notify_realize(VirtioPci *p);
void virtio_pci_notify_unrealize(VirtioPci *p);

#endif
