/*
 * The note by which the guest's kernel describes itself, taken into the dump (see hw/misc/vmcoreinfo.h).
 *
 * Address, size and contents are the guest's: a note that is not what it should be is left out with a warning.
 */
#include "dump-internal.h"

#include "hw/misc/vmcoreinfo.h"

#include <elf.h>

#define NOTE_MAX_BYTES (1 * MiB)        /* Linux' is a page */

/* Header, name and description must fill the note no further than it reaches. */
static bool note_is_sound(const uint8_t *note, uint32_t size, uint64_t *desc_at, uint32_t *desc_len)
{
    Elf64_Nhdr h;

    memcpy(&h, note, sizeof(h));
    *desc_at = sizeof(h) + ROUND_UP((uint64_t)h.n_namesz, 4);
    *desc_len = h.n_descsz;
    return *desc_at + ROUND_UP((uint64_t)h.n_descsz, 4) <= size;
}

void dump_append_vmcoreinfo(Dump *d)
{
    g_autofree uint8_t *note = NULL;
    uint64_t address, desc_at;
    uint32_t size, desc_len;

    if (!vmcoreinfo_get(&address, &size)) {
        return;
    }
    if (size < sizeof(Elf64_Nhdr) || size > NOTE_MAX_BYTES || address > UINT64_MAX - size) {
        warn_report("the guest's vmcoreinfo note of %u bytes at 0x%" PRIx64 " is not usable", size, address);
        return;
    }
    note = g_malloc(size);
    if (address_space_read(&address_space_memory, address, MEMTXATTRS_UNSPECIFIED, note, size) != MEMTX_OK
        || !note_is_sound(note, size, &desc_at, &desc_len)) {
        warn_report("the guest's vmcoreinfo note at 0x%" PRIx64 " is malformed", address);
        return;
    }
    d->vmcoreinfo_at = d->notes->len + desc_at;
    d->vmcoreinfo_len = desc_len;
    g_byte_array_append(d->notes, note, size);
}
