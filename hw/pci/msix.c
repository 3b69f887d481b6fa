/*
 * MSI-X: a table of message vectors and an array of pending bits (PCI 3.0, 6.8.2).
 *
 * Invariants:
 *  I1  a vector is masked while MSI-X is disabled, Function Mask is set or its own mask bit is
 *  I2  a pending bit is set only while its vector is masked; becoming unmasked sends and clears it
 *  I3  the table is n_vectors * 16 bytes; accesses beyond are outside the region
 */
#include "hw/pci/msix.h"
#include "hw/pci/pci-internal.h"

struct MsixState {
    PCIDevice *d;
    unsigned n;
    uint8_t *table;             /* the device's msix_table: little-endian, as the guest sees it */
    uint64_t *pba;              /* its msix_pba: DIV_ROUND_UP(n, 64) words */
    MemoryRegion table_mr, pba_mr;
    MemoryRegion *table_in, *pba_in;
    bool own_bar;
    bool masked_all;            /* as of the last configuration write */
    MsixChangeFn *changed;
    MsixState *next_retired;    /* uninitialised; freed with the device, which flat views keep alive */
};

bool msix_present(const PCIDevice *d)
{
    return d->msix != NULL;
}

static uint16_t msix_flags(const PCIDevice *d)
{
    return pci_get_word(d->config + d->msix_cap + PCI_MSIX_FLAGS);
}

bool msix_enabled(const PCIDevice *d)
{
    return d->msix && (msix_flags(d) & PCI_MSIX_FLAGS_ENABLE);
}

unsigned msix_n_vectors(const PCIDevice *d)
{
    return d->msix ? d->msix->n : 0;
}

/* Enabled and not function-masked. */
static bool function_open(const PCIDevice *d)
{
    return (msix_flags(d) & (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)) == PCI_MSIX_FLAGS_ENABLE;
}

static bool vector_mask_bit(const MsixState *s, unsigned vector)
{
    return s->table[vector * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL] & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

bool msix_is_masked(const PCIDevice *d, unsigned vector)
{
    return !d->msix || vector >= d->msix->n || !function_open(d) || vector_mask_bit(d->msix, vector);
}

MSIMessage msix_get_message(const PCIDevice *d, unsigned vector)
{
    const uint8_t *e;

    if (!d->msix || vector >= d->msix->n) {
        return (MSIMessage){ 0, 0 };
    }
    e = d->msix->table + vector * PCI_MSIX_ENTRY_SIZE;
    return (MSIMessage){ pci_get_quad(e + PCI_MSIX_ENTRY_LOWER_ADDR), pci_get_long(e + PCI_MSIX_ENTRY_DATA) };
}

static bool pending_test_and_clear(MsixState *s, unsigned vector)
{
    bool was = s->pba[vector / 64] >> (vector % 64) & 1;

    s->pba[vector / 64] &= ~BIT_ULL(vector % 64);
    return was;
}

/* The mask of @vector, seen as a whole (I1), may have changed. */
static void vector_changed(MsixState *s, unsigned vector)
{
    bool masked = msix_is_masked(s->d, vector);

    if (s->changed) {
        s->changed(s->d, vector, masked, msix_get_message(s->d, vector));
    }
    if (!masked && pending_test_and_clear(s, vector)) {
        pci_msi_send(s->d, msix_get_message(s->d, vector));
    }
}

void msix_notify(PCIDevice *d, unsigned vector)
{
    MsixState *s = d->msix;

    if (!s || vector >= s->n || !msix_enabled(d)) {
        return;
    }
    if (msix_is_masked(d, vector)) {
        s->pba[vector / 64] |= BIT_ULL(vector % 64);
        return;
    }
    pci_msi_send(d, msix_get_message(d, vector));
}

void msix_write_config(PCIDevice *d, uint32_t addr, unsigned len)
{
    MsixState *s = d->msix;
    bool masked_all;

    if (!s || !pci_ranges_overlap(addr, len, d->msix_cap + PCI_MSIX_FLAGS, 2)) {
        return;
    }
    masked_all = !function_open(d);
    if (masked_all == s->masked_all) {
        return;
    }
    s->masked_all = masked_all;
    for (unsigned v = 0; v < s->n; v++) {
        vector_changed(s, v);
    }
}

/* --- the table and the pending bits in their BAR --- */

static uint64_t table_read(void *opaque, hwaddr addr, unsigned size)
{
    const MsixState *s = opaque;

    return size == 8 ? pci_get_quad(s->table + addr) : pci_get_long(s->table + addr);
}

static void table_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    MsixState *s = opaque;
    unsigned vector = (unsigned)(addr / PCI_MSIX_ENTRY_SIZE);
    uint8_t *e = s->table + vector * PCI_MSIX_ENTRY_SIZE;

    if (size == 8) {
        pci_set_quad(s->table + addr, data);
    } else {
        pci_set_long(s->table + addr, (uint32_t)data);
    }
    /* Reserved bits of the control word read as zero; the low address bits likewise. */
    pci_set_long(e + PCI_MSIX_ENTRY_VECTOR_CTRL, pci_get_long(e + PCI_MSIX_ENTRY_VECTOR_CTRL) & PCI_MSIX_ENTRY_CTRL_MASKBIT);
    e[PCI_MSIX_ENTRY_LOWER_ADDR] &= 0xfc;
    vector_changed(s, vector);
}

static uint64_t pba_read(void *opaque, hwaddr addr, unsigned size)
{
    const MsixState *s = opaque;
    uint64_t word = s->pba[addr / 8];

    return size == 8 ? word : (uint32_t)(word >> (8 * (addr & 4)));
}

static void pba_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    /* Read-only for software (6.8.2.10). */
}

static const MemoryRegionOps table_ops = {
    .read = table_read, .write = table_write, .valid = { 4, 8 }, .impl = { 4, 8 },
};

static const MemoryRegionOps pba_ops = {
    .read = pba_read, .write = pba_write, .valid = { 4, 8 }, .impl = { 4, 8 },
};

/* --- life --- */

static void table_clear(MsixState *s)
{
    memset(s->table, 0, s->n * PCI_MSIX_ENTRY_SIZE);
    memset(s->pba, 0, DIV_ROUND_UP(s->n, 64) * sizeof(uint64_t));
    for (unsigned v = 0; v < s->n; v++) {
        s->table[v * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
    }
}

bool msix_init(PCIDevice *d, unsigned n_vectors, MemoryRegion *table_mr, unsigned table_bar, uint32_t table_offset,
               MemoryRegion *pba_mr, unsigned pba_bar, uint32_t pba_offset, uint8_t cap_pos, Error **errp)
{
    uint64_t table_size = (uint64_t)n_vectors * PCI_MSIX_ENTRY_SIZE, pba_size = DIV_ROUND_UP(n_vectors, 64) * 8;
    MsixState *s;

    if (n_vectors < 1 || n_vectors > MSIX_MAX_VECTORS) {
        error_setg(errp, "%s: MSI-X vectors must be 1..%u, got %u", d->dev.obj.type->name, MSIX_MAX_VECTORS, n_vectors);
        return false;
    }
    assert(!((table_offset | pba_offset) & 7) && table_bar < PCI_NUM_BARS && pba_bar < PCI_NUM_BARS);
    assert(table_offset + table_size <= memory_region_size(table_mr) && pba_offset + pba_size <= memory_region_size(pba_mr));
    cap_pos = pci_add_capability(d, PCI_CAP_ID_MSIX, cap_pos, PCI_CAP_MSIX_SIZEOF, errp);
    if (!cap_pos) {
        return false;
    }
    d->msix_cap = cap_pos;
    pci_set_word(d->config + cap_pos + PCI_MSIX_FLAGS, (uint16_t)(n_vectors - 1));
    pci_set_word(d->wmask + cap_pos + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    pci_set_long(d->config + cap_pos + PCI_MSIX_TABLE, table_offset | table_bar);
    pci_set_long(d->config + cap_pos + PCI_MSIX_PBA, pba_offset | pba_bar);

    s = g_new0(MsixState, 1);
    s->d = d;
    s->n = n_vectors;
    s->masked_all = true;
    s->table = g_malloc0(table_size);
    s->pba = g_malloc0(pba_size);
    table_clear(s);
    memory_region_init_io(&s->table_mr, d, &table_ops, s, "msix-table", table_size);
    memory_region_init_io(&s->pba_mr, d, &pba_ops, s, "msix-pba", pba_size);
    memory_region_add_subregion(table_mr, table_offset, &s->table_mr);
    memory_region_add_subregion(pba_mr, pba_offset, &s->pba_mr);
    s->table_in = table_mr;
    s->pba_in = pba_mr;
    d->msix = s;
    d->msix_table = s->table;
    d->msix_pba = s->pba;
    d->msix_table_size = (uint32_t)table_size;
    d->msix_pba_words = (uint32_t)(pba_size / 8);
    return true;
}

bool msix_init_exclusive_bar(PCIDevice *d, unsigned n_vectors, unsigned bar, Error **errp)
{
    /* The table in the lower half, the pending bits in the upper: 4 KiB holds 128 vectors. */
    uint64_t half = 2 * KiB;
    MemoryRegion *mr;

    if (n_vectors < 1 || n_vectors > MSIX_MAX_VECTORS) {
        error_setg(errp, "%s: MSI-X vectors must be 1..%u, got %u", d->dev.obj.type->name, MSIX_MAX_VECTORS, n_vectors);
        return false;
    }
    while (half < (uint64_t)n_vectors * PCI_MSIX_ENTRY_SIZE) {
        half *= 2;
    }
    mr = g_new0(MemoryRegion, 1);
    memory_region_init(mr, d, "msix-bar", 2 * half);
    if (!msix_init(d, n_vectors, mr, bar, 0, mr, bar, (uint32_t)half, 0, errp)) {
        memory_region_fini(mr);
        g_free(mr);
        return false;
    }
    d->msix->own_bar = true;
    pci_register_bar(d, bar, PCI_BASE_ADDRESS_SPACE_MEMORY, mr);
    return true;
}

static void unmap_bar_of(PCIDevice *d, MemoryRegion *mr)
{
    for (unsigned n = 0; n < PCI_NUM_BARS; n++) {
        PciBar *b = &d->bar[n];

        if (b->mr == mr) {
            if (b->addr != PCI_BAR_UNMAPPED) {
                memory_region_del_subregion(b->window, mr);
                b->addr = PCI_BAR_UNMAPPED;
            }
            b->mr = NULL;
        }
    }
}

void msix_uninit(PCIDevice *d)
{
    MsixState *s = d->msix;

    if (!s) {
        return;
    }
    memory_region_del_subregion(s->table_in, &s->table_mr);
    memory_region_del_subregion(s->pba_in, &s->pba_mr);
    if (s->own_bar) {
        unmap_bar_of(d, s->table_in);
    }
    s->next_retired = d->msix_retired;
    d->msix_retired = s;
    d->msix = NULL;
    d->msix_table = NULL;
    d->msix_pba = NULL;
    d->msix_table_size = d->msix_pba_words = 0;
    d->msix_cap = 0;
}

void msix_free_retired(PCIDevice *d)
{
    while (d->msix_retired) {
        MsixState *s = d->msix_retired;

        d->msix_retired = s->next_retired;
        memory_region_fini(&s->table_mr);
        memory_region_fini(&s->pba_mr);
        if (s->own_bar) {
            memory_region_fini(s->table_in);
            g_free(s->table_in);
        }
        g_free(s->table);
        g_free(s->pba);
        g_free(s);
    }
}

void msix_reset(PCIDevice *d)
{
    MsixState *s = d->msix;

    if (!s) {
        return;
    }
    pci_set_word(d->config + d->msix_cap + PCI_MSIX_FLAGS, (uint16_t)(s->n - 1));
    s->masked_all = true;
    table_clear(s);
    if (s->changed) {
        for (unsigned v = 0; v < s->n; v++) {
            s->changed(d, v, true, msix_get_message(d, v));
        }
    }
}

void msix_set_change_notify(PCIDevice *d, MsixChangeFn *fn)
{
    if (d->msix) {
        d->msix->changed = fn;
    }
}

/* --- saved state --- */

static bool msix_needed(void *opaque)
{
    return msix_present(opaque);
}

static bool msix_post_load(void *opaque, unsigned version, Error **errp)
{
    PCIDevice *d = opaque;

    for (unsigned v = d->msix->n; v < d->msix_pba_words * 64; v++) {
        d->msix_pba[v / 64] &= ~BIT_ULL(v % 64);        /* no such vectors */
    }
    d->msix->masked_all = !function_open(d);
    for (unsigned v = 0; v < d->msix->n; v++) {
        vector_changed(d->msix, v);
    }
    return true;
}

static const VMField msix_fields[] = {
    { .name = "msix_table", .kind = VMF_U8, .offset = offsetof(PCIDevice, msix_table), .size = 1,
      .count = MSIX_MAX_VECTORS * PCI_MSIX_ENTRY_SIZE, .count_offset = offsetof(PCIDevice, msix_table_size), .var_count = true },
    { .name = "msix_pba", .kind = VMF_U64, .offset = offsetof(PCIDevice, msix_pba), .size = 8,
      .count = MSIX_MAX_VECTORS / 64, .count_offset = offsetof(PCIDevice, msix_pba_words), .var_count = true },
    VMS_END
};

const VMState vmstate_msix = {
    .name = "pci-device/msix",
    .version = 1,
    .minimum_version = 1,
    .needed = msix_needed,
    .fields = msix_fields,
    .post_load = msix_post_load,
};
