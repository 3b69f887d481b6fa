/*
 * Programmable attribute map: what 0xc0000..0xfffff reads and writes, and the SMRAM window.
 *
 * References: 82441FX data sheet 3.2.18-3.2.19; Q35 MCH data sheet 5.1.19.  A segment's nibble: bit 0 reads
 * RAM, bit 1 writes RAM.  "Writes RAM, reads the bus" is shown as bus: nothing that firmware does needs it.
 */
#include "hw/i386/chipset.h"

typedef struct Segment {
    uint32_t base, size;
    uint8_t reg, shift;             /* which nibble */
} Segment;

static const Segment segments[PAM_SEGMENTS] = {
    { 0xf0000, 0x10000, 0, 4 },
    { 0xc0000, 0x4000, 1, 0 }, { 0xc4000, 0x4000, 1, 4 }, { 0xc8000, 0x4000, 2, 0 }, { 0xcc000, 0x4000, 2, 4 },
    { 0xd0000, 0x4000, 3, 0 }, { 0xd4000, 0x4000, 3, 4 }, { 0xd8000, 0x4000, 4, 0 }, { 0xdc000, 0x4000, 4, 4 },
    { 0xe0000, 0x4000, 5, 0 }, { 0xe4000, 0x4000, 5, 4 }, { 0xe8000, 0x4000, 6, 0 }, { 0xec000, 0x4000, 6, 4 },
};

void pam_init(PamShadow *p, void *owner, MemoryRegion *memory, MemoryRegion *ram, MemoryRegion *bus)
{
    memory_region_init_alias(&p->smram, owner, "smram-region", bus, 0xa0000, 0x20000);
    memory_region_add_subregion_overlap(memory, 0xa0000, &p->smram, 1);
    for (unsigned i = 0; i < PAM_SEGMENTS; i++) {
        const Segment *s = &segments[i];

        memory_region_init_alias(&p->ram[i], owner, "pam-ram", ram, s->base, s->size);
        memory_region_init_alias(&p->ram_ro[i], owner, "pam-rom", ram, s->base, s->size);
        memory_region_set_readonly(&p->ram_ro[i], true);
        memory_region_init_alias(&p->bus[i], owner, "pam-pci", bus, s->base, s->size);
        memory_region_set_enabled(&p->ram[i], false);
        memory_region_set_enabled(&p->ram_ro[i], false);
        memory_region_add_subregion_overlap(memory, s->base, &p->ram[i], 1);
        memory_region_add_subregion_overlap(memory, s->base, &p->ram_ro[i], 1);
        memory_region_add_subregion_overlap(memory, s->base, &p->bus[i], 1);
    }
}

void pam_update(PamShadow *p, const uint8_t *regs, uint8_t smram)
{
    memory_transaction_begin();
    for (unsigned i = 0; i < PAM_SEGMENTS; i++) {
        unsigned mode = regs[segments[i].reg] >> segments[i].shift & 3;

        memory_region_set_enabled(&p->ram[i], mode == 3);
        memory_region_set_enabled(&p->ram_ro[i], mode == 1);
        memory_region_set_enabled(&p->bus[i], !(mode & 1));
    }
    memory_region_set_enabled(&p->smram, !((smram & SMRAM_G_SMRAME) && (smram & SMRAM_D_OPEN)));
    memory_transaction_commit();
}
