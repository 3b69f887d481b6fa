/*
 * Writes to devices that the kernel collects (MemoryRegion.coalesced), so that the guest's CPU need not leave it for each.
 *
 * The kernel puts them in one ring for all CPUs, which each CPU's run structure has as a page; it is emptied whenever a CPU
 * comes back, before what it came back for, and when somebody asks (memory_flush_coalesced()).  A full ring makes the next
 * write an exit.
 *
 * Reference: Linux Documentation/virt/kvm/api.rst, KVM_(UN)REGISTER_COALESCED_MMIO.
 *
 * Locks: BQL; the kernel writes the ring at any time.
 */
#include "kvm-internal.h"

#include <sys/ioctl.h>
#include <unistd.h>

static KvmCoalesced *coalesced_of(MemoryListener *l)
{
    return container_of(l, KvmCoalesced, listener);
}

static void tell(const KvmCoalesced *s, const FlatRange *r, unsigned long request)
{
    struct kvm_coalesced_mmio_zone zone = { .addr = r->start, .size = (uint32_t)(r->last - r->start + 1) };

    if (r->mr->coalesced) {
        (void)ioctl(s->vm_fd, request, &zone);          /* what is refused comes one by one, as ever */
    }
}

static void region_add(MemoryListener *l, const FlatRange *r)
{
    tell(coalesced_of(l), r, KVM_REGISTER_COALESCED_MMIO);
}

static void region_del(MemoryListener *l, const FlatRange *r)
{
    tell(coalesced_of(l), r, KVM_UNREGISTER_COALESCED_MMIO);
}

static struct kvm_coalesced_mmio_ring *ring_of(const KvmCoalesced *s, const Vcpu *cpu)
{
    return (void *)((char *)cpu->kvm->run + s->ring_offset);
}

void kvm_coalesced_drain(KvmCoalesced *s, Vcpu *cpu)
{
    struct kvm_coalesced_mmio_ring *ring;

    if (!s->ring_offset || s->draining) {
        return;
    }
    s->draining = true;                 /* devices may ask for a flush */
    ring = ring_of(s, cpu);
    while (ring->first != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE)) {
        struct kvm_coalesced_mmio e = ring->coalesced_mmio[ring->first % s->ring_entries];

        __atomic_store_n(&ring->first, (ring->first + 1) % s->ring_entries, __ATOMIC_RELEASE);
        address_space_rw(&address_space_memory, e.phys_addr, (MemTxAttrs){ 0 }, e.data, MIN(e.len, sizeof(e.data)), true);
        s->writes++;
    }
    s->draining = false;
}

static void flush(MemoryListener *l)
{
    Vcpu *cpu = cpu_at(0);

    if (cpu && cpu->kvm) {
        kvm_coalesced_drain(coalesced_of(l), cpu);
    }
}

void kvm_coalesced_init(KvmCoalesced *s, int vm_fd)
{
    int page = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);

    if (page <= 0) {
        return;
    }
    s->vm_fd = vm_fd;
    s->ring_offset = (size_t)page * page_size;
    s->ring_entries = (unsigned)((page_size - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio));
    s->listener = (MemoryListener){
        .name = "kvm-coalesced", .region_add = region_add, .region_del = region_del, .flush_coalesced = flush,
    };
    memory_listener_register(&s->listener, &address_space_memory);
}

void kvm_coalesced_fini(KvmCoalesced *s)
{
    if (s->ring_offset) {
        memory_listener_unregister(&s->listener);
    }
}
