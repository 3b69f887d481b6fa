/*
 * What KVM is estimated to keep for memory slots, for the ledger.
 *
 * x86, by page of 4 KiB: a reverse map head (8 bytes) and a write-tracking count (2 bytes), both only
 * where shadow paging is in use; by large page of 2 MiB and of 1 GiB: 4 bytes; with dirty logging two bitmaps.
 * The estimate takes shadow paging for granted unless the host's module says that it has two-dimensional
 * paging.  The memory is the kernel's, charged to the control group, in no mapping of this process.
 */
#include "kvm-internal.h"

#include "hw/core/machine.h"

#define PAGE_BITS       12
#define RMAP_BYTES      8ull
#define TRACK_BYTES     2ull
#define LARGE_BYTES     4ull

static const unsigned large_page_bits[] = { 21, 30 };

static bool module_says_yes(const char *path)
{
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) && (*text == 'Y' || *text == '1');
}

bool kvm_shadow_paging(void)
{
    return !module_says_yes("/sys/module/kvm_intel/parameters/ept") && !module_says_yes("/sys/module/kvm_amd/parameters/npt");
}

/* Units of 1 << @bits that @slot touches. */
static uint64_t units(const KvmSlot *slot, unsigned bits)
{
    return slot->size ? ((slot->start + slot->size - 1) >> bits) - (slot->start >> bits) + 1 : 0;
}

static uint64_t slot_bytes(const KvmAccel *a, const KvmSlot *slot, bool logging)
{
    uint64_t pages = units(slot, PAGE_BITS);
    uint64_t sum = a->shadow_paging ? pages * (RMAP_BYTES + TRACK_BYTES) : 0;

    for (unsigned i = 0; i < ARRAY_SIZE(large_page_bits); i++) {
        sum += units(slot, large_page_bits[i]) * (LARGE_BYTES + (a->shadow_paging ? RMAP_BYTES : 0));
    }
    return sum + (logging ? 2 * DIV_ROUND_UP(pages, 64) * 8 : 0);
}

static uint64_t sum_slots(const KvmAccel *a, bool log_all)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < a->slots.n; i++) {
        sum += slot_bytes(a, &a->slots.slot[i], log_all || a->slots.slot[i].flags & KVM_MEM_LOG_DIRTY_PAGES);
    }
    return sum;
}

/* CPUs that took what user mode in KVM takes. */
static unsigned native_cpus(const KvmAccel *a)
{
    unsigned n = 0;
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        n += a->native && cpu->kvm && a->ops->native_present(cpu);
    }
    return n;
}

/* All that there may be. */
static unsigned native_cpus_max(const KvmAccel *a)
{
    const Machine *m = current_machine();

    return a->native && m ? m->smp.max_cpus : 0;
}

/* Slots that will be made. */
static uint64_t slots_to_come(const KvmAccel *a)
{
    unsigned n = native_cpus_max(a) - MIN(native_cpus(a), native_cpus_max(a));
    const KvmSlot slot = { .size = n ? a->ops->native_slot_bytes : 0 };

    return n ? n * slot_bytes(a, &slot, false) : 0;
}

static uint64_t slots_bound(void *opaque)
{
    return sum_slots(opaque, true) + slots_to_come(opaque);
}

static uint64_t tables_bound(void *opaque)
{
    const KvmAccel *a = opaque;

    return a->native ? native_cpus_max(a) * a->ops->native_bytes : 0;
}

static uint64_t tables_present(void *opaque)
{
    const KvmAccel *a = opaque;

    return a->native ? native_cpus(a) * a->ops->native_bytes : 0;
}

static uint64_t slots_present(void *opaque)
{
    return sum_slots(opaque, false);
}

void kvm_accounts_add(KvmAccel *a)
{
    a->shadow_paging = kvm_shadow_paging();
    a->slots_account = (MemoryAccount){ "kernel/memslots", slots_bound, slots_present, a };
    memory_account_add(&a->slots_account);
    a->tables_account = (MemoryAccount){ "kvm/page-tables", tables_bound, tables_present, a };
    memory_account_add(&a->tables_account);
}

void kvm_accounts_remove(KvmAccel *a)
{
    memory_account_remove(&a->slots_account);
    memory_account_remove(&a->tables_account);
}
