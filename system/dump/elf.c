/*
 * A dump as an ELF core file: header, program headers, notes, memory.
 *
 * Offsets only ascend, so that it may go into a pipe.  One PT_LOAD per range of guest memory, or,
 * with paging, one per virtual mapping of such memory first; the memory itself is written once and
 * mappings point into it.  With 0xffff program headers or more their number is in section header 0
 * (gABI, PN_XNUM).
 */
#include "dump-internal.h"

#include <elf.h>

#define PIECE (1 * MiB)         /* memory is written in such pieces, so that progress shows */

/* File offset of physical @addr, which lies in a range, when memory starts at @memory. */
static uint64_t file_offset(const Dump *d, uint64_t memory, hwaddr addr)
{
    for (unsigned i = 0; i < d->ranges->len; i++) {
        const DumpRange *r = &g_array_index(d->ranges, DumpRange, i);

        if (addr - r->start < r->size) {
            return memory + (addr - r->start);
        }
        memory += r->size;
    }
    assert(!"address of no range");
}

static void add_load(GArray *phdrs, uint64_t offset, uint64_t vaddr, hwaddr paddr, uint64_t size)
{
    Elf64_Phdr ph = {
        .p_type = PT_LOAD, .p_offset = offset, .p_vaddr = vaddr, .p_paddr = paddr, .p_filesz = size, .p_memsz = size,
    };

    g_array_append_val(phdrs, ph);
}

/* The parts of @m that are memory of the dump. */
static void add_mapping(const Dump *d, GArray *phdrs, const CpuMapping *m)
{
    for (uint64_t done = 0; done < m->size; ) {
        const DumpRange *r = dump_range_find(d->ranges, m->paddr + done);
        uint64_t size = m->size - done;

        if (!r) {
            done += MIN(size, 4096 - (m->paddr + done) % 4096);
            continue;
        }
        size = MIN(size, r->size - (m->paddr + done - r->start));
        add_load(phdrs, 0, m->vaddr + done, m->paddr + done, size);
        done += size;
    }
}

/* PT_NOTE and PT_LOADs; offsets are filled in by place(). */
static GArray *program_headers(const Dump *d)
{
    GArray *phdrs = g_array_new(false, true, sizeof(Elf64_Phdr));

    g_array_set_size(phdrs, 1);
    for (unsigned i = 0; d->mappings && i < d->mappings->len; i++) {
        add_mapping(d, phdrs, &g_array_index(d->mappings, CpuMapping, i));
    }
    for (unsigned i = 0; i < d->ranges->len; i++) {
        const DumpRange *r = &g_array_index(d->ranges, DumpRange, i);

        add_load(phdrs, 0, 0, r->start, r->size);
    }
    return phdrs;
}

/* Gives every program header its place; returns where memory starts. */
static uint64_t place(const Dump *d, GArray *phdrs, bool extended)
{
    uint64_t notes = sizeof(Elf64_Ehdr) + phdrs->len * sizeof(Elf64_Phdr) + extended * sizeof(Elf64_Shdr);
    uint64_t memory = notes + d->notes->len;

    g_array_index(phdrs, Elf64_Phdr, 0) = (Elf64_Phdr){
        .p_type = PT_NOTE, .p_offset = notes, .p_filesz = d->notes->len, .p_memsz = d->notes->len,
    };
    for (unsigned i = 1; i < phdrs->len; i++) {
        Elf64_Phdr *ph = &g_array_index(phdrs, Elf64_Phdr, i);

        ph->p_offset = file_offset(d, memory, ph->p_paddr);
    }
    return memory;
}

static bool write_headers(Dump *d, const GArray *phdrs, bool extended, Error **errp)
{
    Elf64_Shdr sh = { .sh_info = phdrs->len };
    uint64_t end = sizeof(Elf64_Ehdr) + phdrs->len * sizeof(Elf64_Phdr);
    Elf64_Ehdr eh = {
        .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_CORE, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
        .e_phoff = sizeof(eh), .e_ehsize = sizeof(eh), .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = extended ? PN_XNUM : phdrs->len,
        .e_shoff = extended ? end : 0, .e_shentsize = extended ? sizeof(sh) : 0, .e_shnum = extended,
    };

    return dump_sink_write(&d->sink, 0, &eh, sizeof(eh), errp)
           && dump_sink_write(&d->sink, sizeof(eh), phdrs->data, phdrs->len * sizeof(Elf64_Phdr), errp)
           && (!extended || dump_sink_write(&d->sink, end, &sh, sizeof(sh), errp));
}

static bool write_memory(Dump *d, uint64_t at, Error **errp)
{
    for (unsigned i = 0; i < d->ranges->len; i++) {
        const DumpRange *r = &g_array_index(d->ranges, DumpRange, i);

        for (uint64_t done = 0; done < r->size; ) {
            uint64_t size = MIN(PIECE, r->size - done);

            if (!dump_sink_write(&d->sink, at, r->host + done, size, errp)) {
                return false;
            }
            done += size;
            at += size;
            __atomic_fetch_add(&d->completed, size, __ATOMIC_RELAXED);
        }
    }
    return true;
}

bool dump_write_elf(Dump *d, Error **errp)
{
    g_autoptr(GArray) phdrs = program_headers(d);
    bool extended = phdrs->len >= PN_XNUM;
    uint64_t memory = place(d, phdrs, extended);

    return write_headers(d, phdrs, extended, errp)
           && dump_sink_write(&d->sink, memory - d->notes->len, d->notes->data, d->notes->len, errp)
           && write_memory(d, memory, errp);
}
