/*
 * The human monitor's "info pci".
 */
#include "system/monitor/internal.h"

#include "qapi/qapi-commands.h"

static void print_range(FILE *out, const char *what, const QapiPciMemoryRange *r, int digits)
{
    fprintf(out, "      %s range [0x%0*" PRIx64 ", 0x%0*" PRIx64 "]\n", what, digits, (uint64_t)r->base, digits, (uint64_t)r->limit);
}

static void print_region(FILE *out, const QapiPciMemoryRegion *r)
{
    bool io = !strcmp(r->type, "io");

    fprintf(out, "      BAR%" PRId64 ": ", r->bar);
    if (io) {
        fprintf(out, "I/O");
    } else {
        fprintf(out, "%d bit%s memory", r->mem_type_64 ? 64 : 32, r->prefetch ? " prefetchable" : "");
    }
    if (r->address == -1) {
        fprintf(out, " (not mapped)\n");
    } else {
        fprintf(out, " at 0x%0*" PRIx64 " [0x%0*" PRIx64 "].\n", io ? 4 : 8, (uint64_t)r->address, io ? 4 : 8,
                (uint64_t)(r->address + r->size - 1));
    }
}

static void print_device(FILE *out, const QapiPciDeviceInfo *d)
{
    fprintf(out, "  Bus %2" PRId64 ", device %3" PRId64 ", function %" PRId64 ":\n    ", d->bus, d->slot, d->function);
    if (d->class_info->desc) {
        fprintf(out, "%s", d->class_info->desc);
    } else {
        fprintf(out, "Class %04" PRId64, d->class_info->class);
    }
    fprintf(out, ": PCI device %04" PRIx64 ":%04" PRIx64 "\n", (uint64_t)d->id->vendor, (uint64_t)d->id->device);
    if (d->id->has_subsystem) {
        fprintf(out, "      PCI subsystem %04" PRIx64 ":%04" PRIx64 "\n", (uint64_t)d->id->subsystem_vendor,
                (uint64_t)d->id->subsystem);
    }
    if (d->has_irq) {
        fprintf(out, "      IRQ %" PRId64 ", pin %c\n", d->irq, (char)('A' + d->irq_pin - 1));
    }
    if (d->pci_bridge) {
        const QapiPciBusInfo *b = d->pci_bridge->bus;

        fprintf(out, "      BUS %" PRId64 ".\n      secondary bus %" PRId64 ".\n      subordinate bus %" PRId64 ".\n", b->number,
                b->secondary, b->subordinate);
        print_range(out, "IO", b->io_range, 4);
        print_range(out, "memory", b->memory_range, 8);
        print_range(out, "prefetchable memory", b->prefetchable_range, 8);
    }
    for (size_t i = 0; i < d->regions->len; i++) {
        print_region(out, &d->regions->at[i]);
    }
    fprintf(out, "      id \"%s\"\n", d->qdev_id);
}

static void print_devices(FILE *out, const QapiPciDeviceInfoList *list)
{
    for (size_t i = 0; list && i < list->len; i++) {
        print_device(out, &list->at[i]);
        if (list->at[i].pci_bridge) {
            print_devices(out, list->at[i].pci_bridge->devices);
        }
    }
}

void hmp_info_pci(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiPciInfoList) list = qmp_query_pci(NULL);

    if (!list->len) {
        fprintf(out, "No PCI device found\n");
    }
    for (size_t i = 0; i < list->len; i++) {
        print_devices(out, list->at[i].devices);
    }
}
