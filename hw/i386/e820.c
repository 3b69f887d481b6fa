/*
 * E820 maps.  See hw/i386/e820.h.
 *
 * Invariant: entries are sorted by address and none is empty.
 */
#include "hw/i386/e820.h"

void e820_add(E820Map *map, uint64_t addr, uint64_t len, uint32_t type)
{
    unsigned i;

    if (!len) {
        return;
    }
    assert(map->n < E820_MAX);
    for (i = map->n; i > 0 && map->e[i - 1].addr > addr; i--) {
        map->e[i] = map->e[i - 1];
    }
    map->e[i] = (E820Entry){ addr, len, type };
    map->n++;
}

bool e820_is_ram(const E820Map *map, uint64_t addr, uint64_t len)
{
    for (unsigned i = 0; i < map->n && len; i++) {
        const E820Entry *e = &map->e[i];

        if (addr >= e->addr && addr - e->addr < e->len) {
            uint64_t here = e->len - (addr - e->addr);

            if (e->type != E820_RAM) {
                return false;
            }
            if (here >= len) {
                return true;
            }
            addr += here;
            len -= here;
        }
    }
    return len == 0;
}

size_t e820_pack(const E820Map *map, uint8_t *out)
{
    for (unsigned i = 0; i < map->n; i++, out += 20) {
        st64_le(out, map->e[i].addr);
        st64_le(out + 8, map->e[i].len);
        st32_le(out + 16, map->e[i].type);
    }
    return map->n * 20;
}
