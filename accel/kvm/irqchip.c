/*
 * Interrupt controllers in the kernel: which there are, and the routing table.
 *
 * Reference: Linux Documentation/virt/kvm/api.rst, KVM_CREATE_IRQCHIP, KVM_CAP_SPLIT_IRQCHIP, KVM_SET_GSI_ROUTING.
 *
 * The kernel takes the table as a whole; it is kept here and told when it changed.
 *
 * Locks: BQL.
 */
#include "kvm-internal.h"

#include "accel/kvm/irqchip.h"
#include "util/log.h"

#include <errno.h>
#include <sys/ioctl.h>

enum { PIC_PINS = 8, PIC_CASCADE = 2, IOAPIC_TIMER_PIN = 2 };

/* --- which there are --- */

typedef struct NeededCap {
    int cap;
    const char *name;
} NeededCap;

static const NeededCap on_caps[] = {
    { KVM_CAP_IRQCHIP, "IRQCHIP" }, { KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING" }, { KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI" },
    { KVM_CAP_MP_STATE, "MP_STATE" }, { KVM_CAP_PIT2, "PIT2" }, { KVM_CAP_PIT_STATE2, "PIT_STATE2" }, { 0 },
};
static const NeededCap split_caps[] = {
    { KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP" }, { KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING" }, { KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI" },
    { KVM_CAP_MP_STATE, "MP_STATE" }, { 0 },
};

static const char *missing_cap(const KvmAccel *a, AccelIrqchip mode)
{
    for (const NeededCap *c = mode == ACCEL_IRQCHIP_SPLIT ? split_caps : on_caps; c->name; c++) {
        if (ioctl(a->vm_fd, KVM_CHECK_EXTENSION, c->cap) <= 0) {
            return c->name;
        }
    }
    return NULL;
}

static bool create(const KvmAccel *a, AccelIrqchip mode)
{
    struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args[0] = KVM_IRQCHIP_LINES };

    return (mode == ACCEL_IRQCHIP_SPLIT ? ioctl(a->vm_fd, KVM_ENABLE_CAP, &cap) : ioctl(a->vm_fd, KVM_CREATE_IRQCHIP, 0)) >= 0;
}

bool kvm_irqchip_start(KvmAccel *a, AccelIrqchip mode, bool wanted, Error **errp)
{
    const char *name = mode == ACCEL_IRQCHIP_SPLIT ? "split" : "on", *missing;

    if (mode == ACCEL_IRQCHIP_OFF) {
        return true;
    }
    missing = missing_cap(a, mode);
    if (missing && wanted) {
        error_setg(errp, "kernel-irqchip=%s: the host's KVM lacks KVM_CAP_%s", name, missing);
        return false;
    }
    if (missing) {
        return true;
    }
    if (!create(a, mode)) {
        error_setg_errno(errp, errno, "kernel-irqchip=%s: KVM makes no interrupt controllers", name);
        return false;
    }
    a->routing.mode = mode;
    a->routing.entries = g_array_new(false, true, sizeof(struct kvm_irq_routing_entry));
    return true;
}

void kvm_irqchip_fini(KvmAccel *a)
{
    g_clear_pointer(&a->routing.entries, g_array_unref);
}

AccelIrqchip kvm_irqchip_mode(const Accel *accel)
{
    return KVM_ACCEL(accel)->routing.mode;
}

static KvmAccel *the_kvm(void)
{
    return KVM_ACCEL(current_accel());
}

/* --- state and lines --- */

static bool chip_ioctl(unsigned long request, const char *verb, struct kvm_irqchip *chip)
{
    int result = kvm_vm_ioctl(request, chip);

    if (result < 0) {
        error_report("KVM does not %s the state of interrupt controller %u: %s", verb, chip->chip_id, g_strerror(-result));
    }
    return result >= 0;
}

bool kvm_irqchip_get(struct kvm_irqchip *chip)
{
    return chip_ioctl(KVM_GET_IRQCHIP, "give", chip);
}

bool kvm_irqchip_set(struct kvm_irqchip *chip)
{
    return chip_ioctl(KVM_SET_IRQCHIP, "take", chip);
}

void kvm_irq_line(unsigned gsi, int level)
{
    struct kvm_irq_level k = { .irq = gsi, .level = !!level };

    (void)kvm_vm_ioctl(KVM_IRQ_LINE, &k);       /* fails for no number that has a route */
}

/* A guest may write any address and data: what the kernel makes nothing of is lost, as on the bus. */
void kvm_msi_send(uint64_t address, uint32_t data)
{
    struct kvm_msi k = { .address_lo = (uint32_t)address, .address_hi = (uint32_t)(address >> 32), .data = data };

    (void)kvm_vm_ioctl(KVM_SIGNAL_MSI, &k);
}

/* --- routes --- */

static void tell_routes(KvmRouting *r)
{
    size_t bytes = r->entries->len * sizeof(struct kvm_irq_routing_entry);
    g_autofree struct kvm_irq_routing *table = g_malloc0(sizeof(*table) + bytes);
    int result;

    table->nr = r->entries->len;
    memcpy(table->entries, r->entries->data, bytes);
    result = kvm_vm_ioctl(KVM_SET_GSI_ROUTING, table);
    if (result < 0) {
        error_report("KVM does not take %u interrupt routes: %s", r->entries->len, g_strerror(-result));
    }
}

void kvm_routes_commit(void)
{
    KvmRouting *r = &the_kvm()->routing;

    if (r->changed) {
        r->changed = false;
        r->updates++;
        tell_routes(r);
    }
}

static void add_pin(KvmRouting *r, unsigned gsi, uint32_t chip, uint32_t pin)
{
    struct kvm_irq_routing_entry e = { .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = { chip, pin } };

    g_array_append_val(r->entries, e);
    r->changed = true;
}

void kvm_irqchip_wire(bool pic)
{
    KvmRouting *r = &the_kvm()->routing;

    for (unsigned gsi = 0; pic && gsi < 2 * PIC_PINS; gsi++) {
        if (gsi != PIC_CASCADE) {
            add_pin(r, gsi, gsi < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, gsi % PIC_PINS);
        }
    }
    for (unsigned gsi = 0; gsi < KVM_IRQCHIP_LINES; gsi++) {
        if (gsi != PIC_CASCADE) {
            add_pin(r, gsi, KVM_IRQCHIP_IOAPIC, gsi ? gsi : IOAPIC_TIMER_PIN);
        }
    }
    kvm_routes_commit();
}

static struct kvm_irq_routing_entry *find_route(KvmRouting *r, unsigned gsi)
{
    for (unsigned i = 0; i < r->entries->len; i++) {
        struct kvm_irq_routing_entry *e = &g_array_index(r->entries, struct kvm_irq_routing_entry, i);

        if (e->gsi == gsi && e->type == KVM_IRQ_ROUTING_MSI) {
            return e;
        }
    }
    return NULL;
}

static void set_route(KvmRouting *r, unsigned gsi, uint64_t address, uint32_t data)
{
    struct kvm_irq_routing_entry *e = find_route(r, gsi), now = {
        .gsi = gsi, .type = KVM_IRQ_ROUTING_MSI,
        .u.msi = { .address_lo = (uint32_t)address, .address_hi = (uint32_t)(address >> 32), .data = data },
    };

    if (!e) {
        g_array_append_val(r->entries, now);
    } else if (!memcmp(e, &now, sizeof(now))) {
        return;
    } else {
        *e = now;
    }
    r->changed = true;
}

void kvm_route_pin(unsigned gsi, uint64_t address, uint32_t data)
{
    assert(gsi < KVM_IRQCHIP_LINES);
    set_route(&the_kvm()->routing, gsi, address, data);
}

/* --- split: the end of interrupts --- */

void kvm_irqchip_set_eoi(void (*fn)(void *opaque, uint8_t vector), void *opaque)
{
    the_kvm()->routing.eoi = fn;
    the_kvm()->routing.eoi_opaque = opaque;
}

void kvm_irqchip_eoi(KvmAccel *a, uint8_t vector)
{
    if (a->routing.eoi) {
        a->routing.eoi(a->routing.eoi_opaque, vector);
    }
}
